"""Limit rows of many clients at once: one builder per kind of limit, as `allocator.rebalance.rows` has them for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.framework import Family
from allocator.limits import Kind, Limit, needed_months
from allocator.rebalance.book.facts import Facts
from allocator.rebalance.book.flat import Flat
from allocator.rebalance.context import Context
from allocator.rebalance.model import Shape
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
    context, flat, facts
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
    facts: Facts
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
    def own(self) -> FloatArray:
        """What each instrument adds to the family's own money: what is inside the buckets, and debt repaid."""
        return np.asarray(self.inside + np.where(self.at >= 0, 1.0 - self.counts, 0.0))

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


def _share(limit: Limit, g: Group) -> list[Part]:
    share = np.append(g.context.shares[limit.name], 0.0)[g.wide(g.flat.mix, -1)] * (g.at >= 0)
    return _homogeneous(limit, g, share, g.inside, np.zeros(len(g.who)))


def _homogeneous(limit: Limit, g: Group, share: FloatArray, base: FloatArray, debt: FloatArray) -> list[Part]:
    """One row per client: what counts against the bound times a base, less what is owed of it at the start."""
    bound = g.bound(limit)
    cap, sign = limit.sense == "<=", 1.0 if limit.sense == "<=" else -1.0
    left = sign * (share - bound[:, None] * base)
    return [Part(np.arange(len(g.who)), left, -sign * bound * debt, share, cap, bound * cap)]


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
    """One row per issuer, of one name too."""
    return _together(limit, g, (g.wide(g.flat.issuer, -1), _named(g)), alone_too=True)


def _single(limit: Limit, g: Group) -> list[Part]:
    """One row per asset in several accounts; an asset in one has a constraint of its own in the programme."""
    return _together(limit, g, (g.wide(g.flat.asset, -1), _named(g)), alone_too=False)


def _label(limit: Limit, g: Group) -> list[Part]:
    """One row per sector, foreign country or foreign currency that is held or can be bought."""
    codes = g.wide(g.facts.codes(limit.name), -1)
    return _together(limit, g, (codes, codes >= 0), alone_too=True)


def _named(g: Group) -> BoolArray:
    return np.asarray(g.wide(g.flat.named, 0).astype(bool))


def _together(limit: Limit, g: Group, of: tuple[IntArray, BoolArray], *, alone_too: bool) -> list[Part]:
    """One row per code of what counts at all, of a single instrument too or not."""
    codes, counts = of
    there = counts & ((g.w0 > 0) | (g.wide(g.flat.buyable) > 0))
    b, j = np.nonzero(there)
    pairs, sizes = np.unique(np.stack([b, codes[b, j]]), axis=1, return_counts=True)
    kept = (sizes > 1) | alone_too
    who, code = pairs[0][kept], pairs[1][kept]
    share = g.inside[who] * (counts[who] & (codes[who] == code[:, None]))
    bound = g.bound(limit)[who]
    return [Part(who, share - bound[:, None] * g.inside[who], np.zeros(len(who)), share, True, bound)]


def _counted(limit: Limit, g: Group) -> list[Part]:
    """A user's own share of the total, or of the family's own money: how much of each instrument counts."""
    share = g.wide(g.facts.counted(limit)) * g.inside
    if limit.base == "total":
        return _homogeneous(limit, g, share, g.inside, np.zeros(len(g.who)))
    return _homogeneous(limit, g, share, g.own, g.debt)


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
    "label": _label,
    "counted": _counted,
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
    return Part(part.clients[kept], part.left[kept], part.bound[kept], part.share[kept], part.cap, part.growth[kept])


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
