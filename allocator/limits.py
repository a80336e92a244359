"""Limits of the risk bands: one list, from which the check, the programme and the words all follow.

Every limit is homogeneous in the total (a share of what the family has), and its excess is an amount, as a fraction of
the total before the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from allocator.exposures import Exposures, largest
from allocator.framework import Family, Framework
from allocator.positions import Positions
from allocator.risk import Risk
from allocator.typing import BoolArray, FloatArray

Sense = Literal["<=", ">="]
Kind = Literal["share", "single_holding", "issuer", "leverage", "reserve_months", "volatility"]

TOLERANCE = 1e-6
"""An excess up to this fraction of the total counts as none: the solver's precision, one yuan in a million."""


@dataclass(frozen=True)
class Limit:
    """One limit as data.

    Attributes
    ----------
    name
        ``bucket:defensive``, ``group:equity``, ``property``, ``single_holding``, ``volatility``, ...
    sense
        ``<=`` a cap, ``>=`` a floor.
    kind
        How it is measured; ``share`` is the share of T that `Framework.share` names.
    family
        Its place in the order of mending.
    bounds
        One per band, NaN where the band has no such limit. For ``reserve_months`` the months of a non-owner.
    """

    name: str
    sense: Sense
    kind: Kind
    family: Family
    bounds: tuple[float, ...]

    @property
    def key(self) -> str:
        """Name and sense together, unique in the list."""
        return f"{self.name}{self.sense}"


@dataclass(frozen=True)
class LimitTable:
    """Every limit for every client (n × limits); NaN where a limit does not apply or cannot be judged.

    Attributes
    ----------
    value, bound
        Shares, months or volatilities.
    excess
        Amount beyond the bound as a fraction of the unit (the total before the plan), 0 where the limit holds.
    """

    limits: tuple[Limit, ...]
    value: FloatArray
    bound: FloatArray
    excess: FloatArray

    @property
    def exceeded(self) -> BoolArray:
        """Where a limit does not hold, beyond `TOLERANCE`."""
        return np.asarray(self.excess > TOLERANCE)


def limit_list(framework: Framework) -> tuple[Limit, ...]:
    """List the limits of a framework, in the order in which they are shown."""
    bands = list(framework.bands.values())
    nan = float("nan")
    out = [
        Limit("reserve_months", ">=", "reserve_months", "reserve", tuple(framework.reserve.months for _ in bands)),
        Limit("volatility", "<=", "volatility", "risk", tuple(b.volatility for b in bands)),
    ]
    spans_too = {f"bucket:{c}" for c in framework.buckets} | {f"group:{c}" for c in framework.groups}
    for name in dict.fromkeys(n for b in bands for n in b.limits if n not in spans_too):
        kind: Kind = name if name in ("single_holding", "issuer", "leverage") else "share"  # type: ignore[assignment]
        out.append(Limit(name, "<=", kind, "concentration", tuple(b.limits.get(name, nan) for b in bands)))
    for part, codes in (("bucket", framework.buckets), ("group", framework.groups)):
        for code in codes:
            spans = [(b.buckets if part == "bucket" else b.groups).get(code) for b in bands]
            low = tuple(nan if s is None or not s.low else s.low for s in spans)
            # a file may cap a bucket among the limits as well: the tighter cap holds
            tops = [
                min(b.limits.get(f"{part}:{code}", 1.0), 1.0 if s is None or s.high is None else s.high)
                for b, s in zip(bands, spans, strict=True)
            ]
            high = tuple(nan if top >= 1 else top for top in tops)
            for sense, bounds in ((">=", low), ("<=", high)):
                if not np.isnan(bounds).all():
                    out.append(Limit(f"{part}:{code}", sense, "share", "band", bounds))  # type: ignore[arg-type]
    return tuple(out)


def evaluate(
    p: Positions, e: Exposures, risk: Risk, framework: Framework, unit: FloatArray | None = None
) -> LimitTable:
    """Measure every limit for every client.

    Parameters
    ----------
    p, e, risk
        The book as numbers, its exposures and its risk.
    framework
        Where the limits come from.
    unit
        Per client, what the excess is a fraction of; default the total of today.

    Returns
    -------
    LimitTable
    """
    limits = limit_list(framework)
    unit = e.total if unit is None else unit
    unit = np.where(unit > 0, unit, np.nan)
    total = e.total
    shape = (len(p), len(limits))
    value, bound, excess = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for j, limit in enumerate(limits):
        b = np.append(limit.bounds, np.nan)[p.band]
        if limit.kind == "reserve_months":
            b = np.where(np.isnan(b), np.nan, needed_months(p, framework))
            amount, v = b * e.need - e.liquid, e.months
        elif limit.kind == "volatility":
            v = risk.volatility
            amount = risk.volatility_total * total - b * e.equity
        elif limit.kind == "leverage":
            v, amount = e.of_total(e.debt), e.debt - b * total
        elif limit.kind in ("single_holding", "issuer"):
            whole = e.by_asset if limit.kind == "single_holding" else e.by_issuer
            v = e.of_total(largest(p, whole))
            # each holding carries the excess of its asset or issuer in proportion, so that either counts once
            over = np.maximum(whole - (b * total)[p.client], 0.0)
            part = np.divide(e.named, whole, out=np.zeros_like(over), where=whole > 0)
            amount = p.per_client(over * part)
        else:
            money = e.classes @ framework.share(limit.name)
            v, amount = e.of_total(money), (money - b * total) * (1.0 if limit.sense == "<=" else -1.0)
        value[:, j], bound[:, j] = v, b
        excess[:, j] = np.maximum(amount, 0.0) / unit
    return LimitTable(limits, value, bound, excess)


def needed_months(p: Positions, framework: Framework) -> FloatArray:
    """Months of reserve that a client should have."""
    return np.where(p.owner, framework.reserve.months_owner, framework.reserve.months)
