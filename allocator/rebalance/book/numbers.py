"""The numbers of many clients' programmes at once: what `allocator.rebalance.problem` and `model.padded` give for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from allocator.framework import Family
from allocator.limits import Kind, Limit, needed_months
from allocator.rebalance.book.flat import Flat
from allocator.rebalance.book.starts import Starts
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.model import SLACK, Shape
from allocator.rebalance.problem import NEAR, STILL
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Group:
    """Clients whose programmes have one shape, with the arrays that every limit looks at; B clients of n instruments.

    Attributes
    ----------
    shape
        What they are padded to.
    who, place, at
        The clients' places in `Flat.who`, their places in the analysis, and B × n: their instruments in `Flat`, −1 for
        padding.
    context, flat
        Where they come from.
    inside, counts, w0
        B × n, 0 for padding.
    debt, total
        B: D / T, and T in money.
    """

    shape: Shape
    who: IntArray
    place: IntArray
    at: IntArray
    context: Context
    flat: Flat
    inside: FloatArray
    counts: FloatArray
    w0: FloatArray
    debt: FloatArray
    total: FloatArray

    def wide(self, values: AnyArray, fill: float = 0.0) -> AnyArray:
        """Values of instruments as B × n."""
        out = np.append(values, np.asarray(fill, dtype=values.dtype))[self.at]
        return np.asarray(out)

    @property
    def band(self) -> IntArray:
        """Risk band of each client."""
        return self.context.analysis.positions.band[self.place]

    def bound(self, limit: Limit | str) -> FloatArray:
        """Bound of a limit, or of the one with some key, per client; NaN where there is none."""
        if isinstance(limit, str):
            found = next((x for x in self.context.limits if x.key == limit), None)
            if found is None:
                return np.full(len(self.who), np.nan)
            limit = found
        return np.array(limit.bounds)[self.band]


@dataclass(frozen=True)
class Rows:
    """Rows of the limits, B × k × n and B × k; see `allocator.rebalance.rows.Row`.

    ``limit`` is the place of a row's limit among all, −1 for rules of the house and padding.
    """

    left: FloatArray
    bound: FloatArray
    share: FloatArray
    cap: BoolArray
    growth: FloatArray
    price: FloatArray
    concentration: BoolArray
    limit: IntArray

    @property
    def members(self) -> BoolArray:
        """Instruments of which less is better."""
        return np.asarray(self.cap[:, :, None] & (self.share > 0))


@dataclass(frozen=True)
class Part:
    """Some clients' rows of one limit: b clients by their places in the group, b × n and b."""

    clients: IntArray
    left: FloatArray
    bound: FloatArray
    share: FloatArray
    cap: bool
    growth: FloatArray


@dataclass(frozen=True)
class Batch:
    """A group's programmes: the parameters of the compiled model, and what plans are judged by.

    Attributes
    ----------
    values
        Parameters by name, each B × its size.
    rows, row_most, row_allowance
        Limit rows, most of their left sides, and what costs add to that.
    name_bound, name_most, name_allowance
        The same for single names, B × n.
    sigma_most, sigma_allowance
        The same for the volatility, B.
    offset
        What the programme leaves out of the objective.
    start
        B × n: weights at the starting point, what it buys and what it sells.
    mending
        B × n: see `Problem.mending`.
    """

    group: Group
    values: dict[str, FloatArray]
    rows: Rows
    row_start: FloatArray
    row_allowance: FloatArray
    name_start: FloatArray
    name_allowance: FloatArray
    sigma_start: FloatArray
    sigma_allowance: FloatArray
    offset: FloatArray
    start: tuple[FloatArray, FloatArray, FloatArray]
    start_total: FloatArray
    mending: BoolArray


# ---- rows of limits, one builder per kind


def _share(limit: Limit, g: Group) -> list[Part]:
    share = np.append(g.context.shares[limit.name], 0.0)[g.wide(g.flat.mix, -1)] * (g.at >= 0)
    bound = g.bound(limit)
    all_ = np.arange(len(g.who))
    if limit.sense == "<=":
        return [Part(all_, share - bound[:, None] * g.inside, np.zeros(len(all_)), share, True, bound)]
    return [Part(all_, bound[:, None] * g.inside - share, np.zeros(len(all_)), share, False, np.zeros(len(all_)))]


def _leverage(limit: Limit, g: Group) -> list[Part]:
    repaid = (g.at >= 0) * (1.0 - g.counts)
    left = -g.bound(limit)[:, None] * g.inside - repaid
    return [Part(np.arange(len(g.who)), left, -g.debt, -repaid, True, np.zeros(len(g.who)))]


def _reserve(limit: Limit, g: Group) -> list[Part]:
    del limit
    a = g.context.analysis
    need = a.exposures.need[g.place]
    known = np.flatnonzero(~np.isnan(need))
    months = needed_months(a.positions, a.framework)[g.place][known]
    counted = g.wide(g.flat.reserve)[known] + months[:, None] * g.wide(g.flat.service)[known] / 12
    bound = -months * need[known] / g.total[known]
    return [Part(known, -counted, bound, counted, False, np.zeros(len(known)))]


def _issuer(limit: Limit, g: Group) -> list[Part]:
    """One row per issuer of several names."""
    single = g.bound("single_holding<=")
    return _together(limit, g, g.wide(g.flat.issuer, -1), ~(g.bound(limit) >= single))


def _single(limit: Limit, g: Group) -> list[Part]:
    """None here: clients with one asset in several accounts go to the planner of single clients."""
    del limit, g
    return []


def _together(limit: Limit, g: Group, codes: IntArray, alone_too: BoolArray) -> list[Part]:
    named = g.wide(g.flat.named, 0).astype(bool)
    there = named & ((g.w0 > 0) | (g.wide(g.flat.buyable) > 0))
    b, j = np.nonzero(there)
    pairs, counts = np.unique(np.stack([b, codes[b, j]]), axis=1, return_counts=True)
    kept = (counts > 1) | alone_too[pairs[0]]
    who, code = pairs[0][kept], pairs[1][kept]
    share = g.inside[who] * (named[who] & (codes[who] == code[:, None]))
    bound = g.bound(limit)[who]
    return [Part(who, share - bound[:, None] * g.inside[who], np.zeros(len(who)), share, True, bound)]


def _elsewhere(limit: Limit, g: Group) -> list[Part]:
    """The volatility is no row: it has a cone of its own in the programme."""
    del limit, g
    return []


BUILDERS: Final[Mapping[Kind, Callable[[Limit, Group], list[Part]]]] = {
    "share": _share,
    "leverage": _leverage,
    "reserve_months": _reserve,
    "issuer": _issuer,
    "single_holding": _single,
    "volatility": _elsewhere,
}
"""Kinds of limits that the fast route carries, and how each becomes rows. A book with others is planned one by one."""


def _secured(g: Group) -> list[Part]:
    """Selling part of what secures a debt repays that part of the debt."""
    secures = g.wide(g.flat.secures, -1)
    b, j = np.nonzero((secures >= 0) & (g.at >= 0))
    if not len(b):
        return []
    holding = secures[b, j] - g.flat.start[g.who[b]]
    most = g.flat.most[g.at[b, j]]
    left = np.zeros((len(b), g.shape.n))
    left[np.arange(len(b)), j] = -1.0
    left[np.arange(len(b)), holding] = -most / g.w0[b, holding]
    nothing = np.zeros(len(b))
    return [Part(b, left, -most, np.zeros_like(left), True, nothing)]


def count_rows(g: Group) -> IntArray:
    """Rows of each client."""
    parts = [part for _, part in _parts(g)]
    return np.bincount(np.concatenate([p.clients for p in parts]), minlength=len(g.who))


def _parts(g: Group) -> list[tuple[int, Part]]:
    out = []
    for k, limit in enumerate(g.context.limits):
        has = ~np.isnan(np.array(limit.bounds))[g.band]
        for part in BUILDERS[limit.kind](limit, g):
            kept = has[part.clients]
            out.append((k, part if kept.all() else _of(part, kept)))
    return out + [(-1, part) for part in _secured(g)]


def _of(part: Part, kept: BoolArray) -> Part:
    return Part(
        part.clients[kept], part.left[kept], part.bound[kept], part.share[kept], part.cap, part.growth[kept]
    )


def rows_of(g: Group) -> Rows:
    """Every limit row of a group."""
    b, k, n = len(g.who), g.shape.rows, g.shape.n
    f = g.context.analysis.framework
    price: dict[Family, float] = {x: f.plan.priorities[x] / f.plan.scales[x] for x in f.plan.priorities}
    used = np.zeros(b, dtype="intp")
    left, share = np.zeros((b, k, n)), np.zeros((b, k, n))
    bound, growth, prices = np.zeros((b, k)), np.zeros((b, k)), np.zeros((b, k))
    cap, concentration = np.zeros((b, k), dtype=bool), np.zeros((b, k), dtype=bool)
    limit = np.full((b, k), -1, dtype="intp")
    for which, part in _parts(g):
        # several rows of one client in a part follow each other
        nth = np.arange(len(part.clients)) - np.searchsorted(part.clients, part.clients)
        at = (part.clients, used[part.clients] + nth)
        left[at], share[at], bound[at], growth[at] = part.left, part.share, part.bound, part.growth
        family: Family = "reserve" if which < 0 else g.context.limits[which].family
        cap[at], prices[at], limit[at], concentration[at] = part.cap, price[family], which, family == "concentration"
        used += np.bincount(part.clients, minlength=b)
    return Rows(left, bound, share, cap, growth, prices, concentration, limit)


# ---- the programme


def batch_of(g: Group, starts: Starts, flow: FloatArray) -> Batch:
    """Write the programmes of a group in numbers.

    Parameters
    ----------
    g
        The clients.
    starts
        Starting points of all clients of `Flat`.
    flow
        Per client of `Flat`: money due, as a fraction of the total.
    """
    x, context, plan = g.flat, g.context, g.context.analysis.framework.plan
    a = context.analysis
    bands = list(a.framework.bands.values())
    there = g.at >= 0
    due = flow[g.who]
    price = {family: plan.priorities[family] / plan.scales[family] for family in plan.priorities}
    cash = np.zeros_like(there)
    cash[np.arange(len(g.who)), x.cash[g.who] - x.start[g.who]] = True
    others = ~cash & there
    grade = np.array([b.product_risk for b in bands])[g.band][:, None]
    allowed = (g.wide(x.buyable) > 0) & ((g.wide(x.risk) <= grade) | ~others) & there
    sellable, named = g.wide(x.sellable), g.wide(x.named, 0).astype(bool)
    single = np.broadcast_to(g.bound("single_holding<=")[:, None], there.shape)
    name_bound = np.where(named & ~np.isnan(single), single, np.where(there, UNBOUNDED, 1.0))
    at_par = g.wide(x.at_par, 0).astype(bool)
    still = STILL * (at_par & others)
    spread = plan.spread_weight * (g.counts * ~at_par)
    w0 = g.w0
    buy, sell, weights = (g.wide(v) for v in (starts.buy, starts.sell, starts.weights))
    total0 = starts.total[g.who]
    rows = rows_of(g)
    base = g.inside + np.where(there, 1.0 - g.counts, 0.0)
    loadings = np.append(context.loadings, np.zeros((1, context.loadings.shape[1])), axis=0)
    loadings = loadings[np.where(there, g.wide(x.mix, -1), -1)] * there[:, :, None]
    own = np.where(there, context.idiosyncratic[g.wide(x.klass, -1)], 0.0)
    sigma = g.bound("volatility<=")

    row_over = np.einsum("bkn,bn->bk", rows.left, weights) - rows.bound
    row_growth = np.where(_untouchable(rows, g), rows.growth, 0.0)
    frozen = (row_growth > 0) & (row_over > -NEAR * row_growth * total0[:, None])
    row_allowance = np.where(frozen, row_growth, 0.0)
    row_start = np.where(frozen, row_over, np.maximum(row_over, 0.0)) + row_allowance * total0[:, None]
    name_over = g.inside * weights - name_bound * total0[:, None]
    name_growth = np.where(named & (w0 > 0) & (sellable <= 0), name_bound, 0.0)
    frozen = (name_growth > 0) & (name_over > -NEAR * name_bound * total0[:, None])
    name_allowance = np.where(frozen, name_growth, 0.0)
    name_start = np.where(frozen, name_over, np.maximum(name_over, 0.0)) + name_allowance * total0[:, None]
    measured = measure(loadings, own, weights)
    sigma_over = np.maximum(measured - sigma * ((base * weights).sum(axis=1) - g.debt), 0.0)
    risky = ((np.abs(loadings).sum(axis=2) + own) > 0) & (g.counts > 0)
    stuck = (sigma_over > 0) & ~((sellable > 0) & risky).any(axis=1)
    sigma_allowance = np.where(stuck, sigma, 0.0)
    sigma_start = sigma_over + sigma_allowance * total0

    money = w0.sum(axis=1) + due
    buy_cost, leaving = g.wide(x.buy_cost), g.wide(x.leaving)
    wash = plan.wash_weight * others.astype("float64")
    row_mend = (row_start - row_allowance * total0[:, None] > 0) & (row_allowance == 0)
    mending = (rows.members & row_mend[:, :, None]).any(axis=1) | (sell > 0)
    mending |= (name_start > 0) & (name_allowance == 0)
    padding = np.arange(g.shape.rows) >= _rows_used(rows)[:, None]
    nothing, ones = np.zeros((len(g.who), g.shape.n)), np.ones(len(g.who))
    values = {
        "w0": w0,
        "counts": g.counts,
        "inside": g.inside,
        "own": base,
        "buy_cost": buy_cost,
        "round_cost": buy_cost + leaving,
        "money": money + (buy_cost * w0).sum(axis=1),
        "least_buy": nothing,
        "most_buy": np.where(allowed, np.minimum(1.0 + np.abs(due)[:, None], g.wide(x.most)), 0.0),
        "least_sell": nothing,
        "most_sell": sellable,
        "rows": rows.left,
        "bound": rows.bound,
        "row_most": np.where(padding, 1.0, rows.bound + row_start + SLACK),
        "row_allowance": row_allowance,
        "row_price": rows.price,
        "name_bound": name_bound,
        "name_start": np.where(there, name_start + SLACK, 0.0),
        "name_allowance": name_allowance,
        "name_price": price["concentration"] * ones,
        "targets": _targets(g, base),
        "linear": np.where(there, plan.sell_first_weight * g.wide(x.sell_first, 0) - plan.cost_weight, 0.0),
        "wash": wash,
        "root": np.sqrt(spread + still),
        "center": np.sqrt(still) * w0,
        "above": nothing,
        "above_most": SLACK * ones,
        "satellite": np.array([b.satellite for b in bands])[g.band],
        "turnover": 2 * UNBOUNDED + (g.counts * w0).sum(axis=1) + SLACK,
        "least_left": money - UNBOUNDED - SLACK,
        "0_bound": sigma,
        "0_debt": sigma * g.debt,
        "0_most": sigma_start + SLACK,
        "0_allowance": sigma_allowance,
        "0_price": price["risk"] * ones,
        "0_loadings": loadings.transpose(0, 2, 1),
        "0_own": own,
    }
    offset = plan.cost_weight * money - (wash * w0).sum(axis=1)
    return Batch(
        g, values, rows, row_start, row_allowance, name_start, name_allowance, sigma_start, sigma_allowance,
        offset, (weights, buy, sell), total0, mending & there,
    )  # fmt: skip


def measure(loadings: FloatArray, own: FloatArray, weights: FloatArray) -> FloatArray:
    """Volatility of some weights, as a fraction of the total today; loadings are B × n × factors."""
    factors = np.einsum("bnf,bn->bf", loadings, weights)
    return np.asarray(np.sqrt((factors**2).sum(axis=1) + ((own * weights) ** 2).sum(axis=1)))


def _untouchable(rows: Rows, g: Group) -> BoolArray:
    """See `problem._untouchable`."""
    counts = rows.members & (g.w0 > 0)[:, None, :]
    locked = g.wide(g.flat.locked, 0).astype(bool)[:, None, :]
    sellable = (g.wide(g.flat.sellable) > 0)[:, None, :]
    stated = rows.concentration | (counts & locked).any(axis=2)
    return np.asarray(stated & ~(counts & sellable).any(axis=2))


def _rows_used(rows: Rows) -> IntArray:
    """How many rows each client has: those with a price."""
    return (rows.price > 0).sum(axis=1)


def _targets(g: Group, whole: FloatArray) -> FloatArray:
    """Rows of the distance to the target mix: buckets, then groups with their weight; B × targets × n."""
    f = g.context.analysis.framework
    bands = list(f.bands.values())
    b = np.array([[band.buckets[c].target for c in f.bucket_codes] for band in bands])[g.band]
    t = np.array([[band.groups[c].target if c in band.groups else 0.0 for c in f.group_codes] for band in bands])
    there = (g.at >= 0)[:, :, None]
    mix = np.where(g.at >= 0, g.wide(g.flat.mix, -1), 0)
    to_bucket = g.context.buckets[mix] * there - whole[:, :, None] * b[:, None, :]
    to_group = np.sqrt(f.plan.group_weight) * (
        g.context.groups[mix] * there - whole[:, :, None] * t[g.band][:, None, :]
    )
    return np.concatenate([to_bucket, to_group], axis=2).transpose(0, 2, 1)


def vector(columns: Mapping[str, tuple[int, tuple[int, ...]]], values: Mapping[str, Any], size: int) -> FloatArray:
    """Parameters of B clients as one matrix, size × B, with a last row of ones for what is constant.

    Parameters
    ----------
    columns
        First row and shape of each parameter.
    values
        `Batch.values`.
    size
        Numbers of one client, with the constant.
    """
    b = len(next(iter(values.values())))
    out = np.zeros((size, b))
    out[-1] = 1.0
    for name, (first, shape) in columns.items():
        value = np.asarray(values[name])
        flat = value.transpose(0, 2, 1).reshape(b, -1) if len(shape) == 2 else value.reshape(b, -1)
        out[first : first + flat.shape[1]] = flat.T
    return out
