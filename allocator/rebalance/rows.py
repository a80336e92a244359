"""Limits as rows of the programme: one builder per kind of limit, in a registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from allocator.framework import Band, Family
from allocator.limits import Kind, Limit, needed_months
from allocator.measure_limits import counted
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import Instruments
from allocator.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Row:
    """One row ``left'w ≤ bound + excess``.

    Attributes
    ----------
    limit
        The limit it belongs to; None for rules of the house such as repaying what secures a sale.
    left, bound
        Coefficients and right side.
    family
        Place in the order of mending.
    share
        How much each instrument counts to what the limit measures; less is better for a cap, more for a floor.
    cap
        Whether it is a cap.
    growth
        What the excess grows by with each unit that costs take from the total, where no member can be sold.
    level
        The bound as the limit states it: a share, or months.
    """

    limit: Limit | None
    left: FloatArray
    bound: float
    family: Family
    share: FloatArray
    cap: bool
    growth: float = 0.0
    level: float = float("nan")

    @property
    def members(self) -> BoolArray:
        """Instruments of which less is better."""
        return np.asarray(self.cap & (self.share > 0))

    def helps(self, change: FloatArray) -> FloatArray:
        """How far a change of each weight alone moves the measure the right way."""
        return -self.share * change if self.cap else self.share * change


@dataclass(frozen=True)
class Client:
    """Facts of one client that rows need; money as fractions of the total."""

    index: int
    x: Instruments
    band: Band
    debt: float
    context: Context

    @property
    def total(self) -> float:
        """Total in money."""
        return float(self.context.analysis.exposures.total[self.index])

    def bound(self, key: str) -> float:
        """Bound of a limit for this client, by its key; NaN where there is none."""
        place = self.context.analysis.positions.band[self.index]
        return next((x.bounds[place] for x in self.context.limits if x.key == key), float("nan"))

    @property
    def own(self) -> FloatArray:
        """What each instrument adds to the family's own money: what is inside the buckets, and debt repaid."""
        return np.asarray(self.x.inside + 1.0 - self.x.counts)

    @property
    def inside(self) -> FloatArray:
        """How much of each instrument is inside the buckets."""
        return self.x.inside


def _share(limit: Limit, bound: float, c: Client) -> list[Row]:
    return _homogeneous(limit, bound, c, c.context.shares[limit.name][c.x.mix])


def _homogeneous(limit: Limit, bound: float, c: Client, share: FloatArray) -> list[Row]:
    if limit.sense == "<=":
        return [Row(limit, share - bound * c.inside, 0.0, limit.family, share, True, bound)]
    return [Row(limit, bound * c.inside - share, 0.0, limit.family, share, False)]


def _leverage(limit: Limit, bound: float, c: Client) -> list[Row]:
    """D − repaid ≤ bound · total: selling brings it down only when debt is repaid."""
    repaid = 1 - c.x.counts
    return [Row(limit, -bound * c.inside - repaid, -c.debt, limit.family, -repaid, True)]


def _reserve(limit: Limit, bound: float, c: Client) -> list[Row]:
    del bound  # the band has the months of those without a company; owners need more
    a = c.context.analysis
    if np.isnan(a.exposures.need[c.index]):
        return []
    months = needed_months(a.positions, a.framework)[c.index]
    need = months * a.exposures.need[c.index] / c.total
    saved = months * c.x.service / 12  # what is repaid costs nothing a month
    return [Row(limit, -c.x.reserve - saved, -need, limit.family, c.x.reserve + saved, False, level=float(months))]


def _issuer(limit: Limit, bound: float, c: Client) -> list[Row]:
    """One row per issuer, of one name too: where costs shrink the total, the wider bound shrinks by more money."""
    return _together(limit, bound, c, c.x.issuer, alone_too=True)


def _single(limit: Limit, bound: float, c: Client) -> list[Row]:
    """One row per asset in several accounts; an asset in one has a constraint of its own in the programme."""
    return _together(limit, bound, c, c.x.asset, alone_too=False)


def _together(limit: Limit, bound: float, c: Client, codes: IntArray, *, alone_too: bool) -> list[Row]:
    names, counts = np.unique(codes[c.x.named & ((c.x.w0 > 0) | (c.x.buyable > 0))], return_counts=True)
    shares = [c.inside * (c.x.named & (codes == name)) for name in names[(counts > 1) | alone_too]]
    return [Row(limit, share - bound * c.inside, 0.0, limit.family, share, True, bound) for share in shares]


def _label(limit: Limit, bound: float, c: Client) -> list[Row]:
    """One row per sector, foreign country or foreign currency that is held or can be bought."""
    labels = c.x.facts[limit.name].astype(str).str.strip().str.casefold().to_numpy(dtype=object)
    codes, _ = pd.factorize(labels)
    skip = {"", home_label(limit.name, c)}
    there = (c.x.counts > 0) & ((c.x.w0 > 0) | (c.x.buyable > 0)) & ~np.isin(labels, list(skip))
    shares = [c.inside * (codes == k) for k in np.unique(codes[there])]
    return [Row(limit, share - bound * c.inside, 0.0, limit.family, share, True, bound) for share in shares]


def home_label(name: str, c: Client) -> str:
    """The label that is at home, and so never counts: the client's own currency, its country; none for sectors."""
    a = c.context.analysis
    currency = str(a.positions.clients["currency"].iloc[c.index])
    return {"currency": currency, "country": a.framework.home_country.get(currency, "")}.get(name, "").casefold()


def _counted(limit: Limit, bound: float, c: Client) -> list[Row]:
    """A user's own share: how much of each instrument counts."""
    assets = c.x.counts > 0
    share = np.zeros(len(c.x))
    share[assets] = counted(limit, c.x.facts[assets].reset_index(drop=True))
    share *= c.inside
    if limit.base == "total":
        return _homogeneous(limit, bound, c, share)
    cap, sign = limit.sense == "<=", 1.0 if limit.sense == "<=" else -1.0
    return [Row(limit, sign * (share - bound * c.own), -sign * bound * c.debt, limit.family, share, cap, bound * cap)]


def _elsewhere(limit: Limit, bound: float, c: Client) -> list[Row]:
    """Convex measures are no rows: they have constraints of their own in the programme."""
    del limit, bound, c
    return []


BUILDERS: Final[Mapping[Kind, Callable[[Limit, float, Client], list[Row]]]] = {
    "share": _share,
    "leverage": _leverage,
    "reserve_months": _reserve,
    "issuer": _issuer,
    "single_holding": _single,
    "label": _label,
    "counted": _counted,
    "volatility": _elsewhere,
    "cvar": _elsewhere,
    "tracking": _elsewhere,
    "term": _elsewhere,
}
"""Kinds of limits, and how each becomes rows."""


def limit_rows(c: Client) -> list[Row]:
    """Rows of every limit that applies to a client."""
    place = c.context.analysis.positions.band[c.index]
    out = []
    for limit in c.context.limits:
        bound = limit.bounds[place]
        if not np.isnan(bound):
            out += [r if r.level == r.level else replace(r, level=bound) for r in BUILDERS[limit.kind](limit, bound, c)]
    return out


def secured_rows(c: Client) -> list[Row]:
    """Selling part of what secures a debt repays that part of the debt: repaid ≥ debt · sold / holding."""
    out = []
    for debt, holding in c.x.secures:
        left = np.zeros(len(c.x))
        left[debt], left[holding] = -1.0, -c.x.most[debt] / c.x.w0[holding]
        out.append(Row(None, left, -float(c.x.most[debt]), "reserve", np.zeros(len(c.x)), True))
    return out
