"""The numbers of many clients' programmes at once: what `problem` and `model.padded` give for one client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocator.rebalance.book.limit_rows import Group, Rows, rows_of
from allocator.rebalance.book.starts import Starts
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.model import SLACK
from allocator.rebalance.parameters import Aim
from allocator.rebalance.problem import EVEN, NEAR, STILL
from allocator.typing import BoolArray, FloatArray, IntArray


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


def batch_of(g: Group, starts: Starts, flow: FloatArray, aim: Aim | None = None) -> Batch:
    """Write the programmes of a group in numbers.

    Parameters
    ----------
    g
        The clients.
    starts
        Starting points of all clients of `Flat`.
    flow
        Per client of `Flat`: money due, as a fraction of the total.
    aim
        What plans are to do; default the target mix.
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
    targets, linear, cost_price, even = _goal(g, aim or Aim())
    spread = even * (g.counts * ~at_par)
    w0 = g.w0
    buy, sell, weights = (g.wide(v) for v in (starts.buy, starts.sell, starts.weights))
    total0 = starts.total[g.who]
    rows = rows_of(g)
    base = g.own
    loadings, own = _risk(g)
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
        "targets": targets,
        "linear": np.where(there, linear, 0.0),
        "wash": wash,
        "root": np.sqrt(spread + still),
        "center": np.sqrt(still) * w0,
        "above": nothing,
        "above_most": SLACK * ones,
        "satellite": np.array([b.satellite for b in bands])[g.band],
        "turnover": 2 * _budget("turnover", g, (g.counts * (buy + sell)).sum(axis=1) / 2)
        + (g.counts * w0).sum(axis=1)
        + SLACK,
        "least_left": money - _budget("cost", g, (buy_cost * buy + leaving * sell).sum(axis=1)) - SLACK,
        "0_bound": sigma,
        "0_debt": sigma * g.debt,
        "0_most": sigma_start + SLACK,
        "0_allowance": sigma_allowance,
        "0_price": price["risk"] * ones,
        "0_loadings": loadings.transpose(0, 2, 1),
        "0_own": own,
    }
    offset = cost_price * money - (wash * w0).sum(axis=1)
    return Batch(
        g, values, rows, row_start, row_allowance, name_start, name_allowance, sigma_start, sigma_allowance,
        offset, (weights, buy, sell), total0, mending & there,
    )  # fmt: skip


def _goal(g: Group, aim: Aim) -> tuple[FloatArray, FloatArray, float, float]:
    """Rows of the distance, the price of each weight and of costs, and of what is not spread; see `problem._goal`."""
    plan = g.context.analysis.framework.plan
    targets, first = _targets(g, g.own), plan.sell_first_weight * g.wide(g.flat.sell_first, 0)
    if aim.goal == "target":
        return targets, np.asarray(first - plan.cost_weight), plan.cost_weight, plan.spread_weight
    mean = np.where(g.counts > 0, g.context.mean[g.wide(g.flat.mix, -1)], g.context.risk.borrowing_rate)
    price = 1.0 / plan.return_years
    return targets * 0.0, np.asarray(first - price - mean), price, EVEN


def _budget(name: str, g: Group, taken: FloatArray) -> FloatArray:
    """Most that a plan may spend of a budget, per client; what the starting point takes is always allowed."""
    budget = next((b for b in g.context.budgets if b.name == name), None)
    if budget is None:
        return UNBOUNDED + taken
    bound = np.array(budget.bounds)[g.band]
    return np.where(np.isnan(bound), UNBOUNDED + taken, np.maximum(bound, taken))


def measure(loadings: FloatArray, own: FloatArray, weights: FloatArray) -> FloatArray:
    """Volatility of some weights, as a fraction of the total today; loadings are B × n × factors."""
    factors = np.einsum("bnf,bn->bf", loadings, weights)
    return np.asarray(np.sqrt((factors**2).sum(axis=1) + ((own * weights) ** 2).sum(axis=1)))


def _risk(g: Group) -> tuple[FloatArray, FloatArray]:
    """Loadings (B × n × factors) and own volatilities; accounts of one asset share a factor, as in `problem._risk`."""
    context, there = g.context, g.at >= 0
    own = np.where(there, context.idiosyncratic[g.wide(g.flat.klass, -1)], 0.0)
    base = context.loadings.shape[1]
    loadings = np.zeros((*there.shape, g.shape.factors))
    loadings[:, :, :base] = context.loadings[np.where(there, g.wide(g.flat.mix, -1), 0)] * there[:, :, None]
    if g.shape.factors > base:
        asset = g.wide(g.flat.asset, -1)
        for b in np.flatnonzero(g.flat.shared[g.who]).tolist():
            names, counts = np.unique(asset[b][there[b]], return_counts=True)
            for k, name in enumerate(names[counts > 1]):
                same = asset[b] == name
                loadings[b, same, base + k] = own[b, same]
                own[b, same] = 0.0
    return loadings, own


def _untouchable(rows: Rows, g: Group) -> BoolArray:
    """See `problem._untouchable`."""
    counts = rows.members & (g.w0 > 0)[:, None, :]
    locked = g.wide(g.flat.locked, 0).astype(bool)[:, None, :]
    sellable = (g.wide(g.flat.sellable) > 0)[:, None, :]
    stated = rows.concentration | (counts & locked).any(axis=2)
    return np.asarray(stated & ~(counts & sellable).any(axis=2))


def _rows_used(rows: Rows) -> IntArray:
    """How many rows each client has: those with a price."""
    return np.asarray((rows.price > 0).sum(axis=1))


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
