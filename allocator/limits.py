"""Limits of the risk bands: one list, from which the check, the programme and the words all follow.

Every limit is homogeneous in the total (a share of what the family has), and its excess is an amount, as a fraction of
the total before the plan. How each kind is measured is in `allocator.measure_limits`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from allocator.errors import ConfigError
from allocator.framework import BUDGETS, LABELS, LIMITS, RISKS, Family, Framework
from allocator.positions import Positions
from allocator.typing import FloatArray

Sense = Literal["<=", ">="]
Base = Literal["total", "equity"]
Kind = Literal[
    "share",
    "single_holding",
    "issuer",
    "label",
    "leverage",
    "reserve_months",
    "volatility",
    "cvar",
    "tracking",
    "counted",
    "term",
]
Counts: TypeAlias = Callable[[pd.DataFrame], ArrayLike]
"""How much of each holding counts, 0 to 1, from the facts of the holdings (see `positions.FACTS`)."""
Term: TypeAlias = Callable[[Any, pd.DataFrame], Any]
"""A convex cvxpy expression of the money in each holding and the facts of the holdings."""

TOLERANCE = 1e-6
"""An excess up to this fraction of the total counts as none: the solver's precision, one yuan in a million."""
TAKEN = (*LIMITS, "reserve_months", "volatility", "own_company", "money", "costs", "amounts", "suitability", "tax",
         "lots", "satellite", "target")  # fmt: skip
"""Names that a limit of one's own may not have: limits of frameworks, checks of the certificate, reasons of trades."""


@dataclass(frozen=True)
class Limit:
    """One limit as data.

    Attributes
    ----------
    name
        ``bucket:defensive``, ``group:equity``, ``property``, ``sector``, ``volatility``, ..., or a user's own.
    sense
        ``<=`` a cap, ``>=`` a floor.
    kind
        How it is measured; ``share`` is the share of T that `Framework.share` names, ``counted`` and ``term`` are
        users' own.
    family
        Its place in the order of mending.
    bounds
        One per band, NaN where the band has no such limit. For ``reserve_months`` the months of a non-owner.
    en, zh
        What a user calls it; empty for the limits of a framework, whose words are in the catalogues.
    counts, term
        What a user's own limit measures: exactly one of them for these two kinds, None for every other.
    base
        What a user's own limit is a share of: T, or E.
    """

    name: str
    sense: Sense
    kind: Kind
    family: Family
    bounds: tuple[float, ...]
    en: str = ""
    zh: str = ""
    counts: Counts | None = None
    term: Term | None = None
    base: Base = "total"

    @property
    def key(self) -> str:
        """Name and sense together, unique in the list."""
        return f"{self.name}{self.sense}"


@dataclass(frozen=True)
class OwnLimit:
    """A limit of one's own: ``al.limit(...)``, given to ``al.analyze(book, limits=[...])``.

    It is checked, planned for, certified and explained like the limits of the framework.

    Parameters
    ----------
    name
        Unlike every other limit; shown where ``words`` are not.
    bound
        A fraction of ``base``: one for all bands, or a mapping of band codes to fractions (a band that is not in it has
        no such limit).
    counts
        ``counts(facts)`` says how much of each holding counts, 0 to 1 or true and false; ``facts`` has one row per
        holding and the columns `allocator.positions.FACTS`. The measure is the money that counts.
    term
        ``term(weights, facts)`` gives a convex cvxpy expression of the money in each holding (inside the buckets) that
        doubles when the money doubles, such as ``cp.norm(weights)``. Exactly one of ``counts`` and ``term``.
    sense
        ``"<="`` a cap, ``">="`` a floor; a term can only be capped.
    family
        When it is mended: reserve, risk, concentration or band, in this order.
    words
        Its name in English and Chinese.
    base
        ``"total"`` (of the three buckets) or ``"equity"`` (the total less debts).

    Raises
    ------
    ConfigError
        With what to change.

    Examples
    --------
    >>> tech = OwnLimit("tech", 0.2, counts=lambda facts: facts["sector"] == "technology", words=("tech", "科技"))
    >>> tech.sense
    '<='
    """

    name: str
    bound: float | Mapping[str, float]
    counts: Counts | None = field(default=None, kw_only=True)
    term: Term | None = field(default=None, kw_only=True)
    sense: Sense = field(default="<=", kw_only=True)
    family: Family = field(default="concentration", kw_only=True)
    words: tuple[str, str] = field(default=("", ""), kw_only=True)
    base: Base = field(default="total", kw_only=True)

    def __post_init__(self) -> None:
        name = self.name
        if not isinstance(name, str) or not name.strip() or name != name.strip() or ":" in name:
            raise ConfigError(f"limit {name!r}: give it a name without a colon and without blanks around it")
        if name in TAKEN:
            raise ConfigError(f"limit '{name}': the name is taken; choose another one")
        if (self.counts is None) == (self.term is None):
            raise ConfigError(f"limit '{name}': give exactly one of counts= and term=")
        if not callable(self.counts or self.term):
            raise ConfigError(f"limit '{name}': counts and term are functions, see help(allocator.limit)")
        for what, kind in (("sense", Sense), ("family", Family), ("base", Base)):
            said, allowed = getattr(self, what), get_args(kind)
            if said not in allowed:
                raise ConfigError(f"limit '{name}': {what} {said!r} is not known; allowed: {', '.join(allowed)}")
        if self.term is not None and self.sense == ">=":
            raise ConfigError(
                f"limit '{name}': a convex term can only be capped; use sense='<=', or counts= for a floor"
            )
        if not (isinstance(self.words, tuple) and len(self.words) == 2 and all(isinstance(w, str) for w in self.words)):
            raise ConfigError(f"limit '{name}': words are two texts, ('English', '中文')")
        for value in self.bound.values() if isinstance(self.bound, Mapping) else [self.bound]:
            _check_bound(self, value)

    def on(self, framework: Framework) -> Limit:
        """Line the bounds up with the bands of a framework.

        Raises
        ------
        ConfigError
            ``bound`` names a band that the framework does not have.
        """
        bands, bound = framework.band_codes, self.bound
        if isinstance(bound, Mapping):
            strange = [str(b) for b in bound if b not in bands]
            if strange:
                raise ConfigError(f"limit '{self.name}': unknown band '{strange[0]}'; allowed: {', '.join(bands)}")
            bounds = tuple(float(bound.get(b, math.nan)) for b in bands)
        else:
            bounds = tuple(float(bound) for _ in bands)
        kind: Kind = "term" if self.counts is None else "counted"
        en, zh = self.words
        return Limit(
            self.name, self.sense, kind, self.family, bounds, en or self.name, zh or en or self.name, self.counts,
            self.term, self.base,
        )  # fmt: skip


limit = OwnLimit
"""Short name, for notebooks: ``al.limit``."""


def _check_bound(own: OwnLimit, value: object) -> None:
    """Refuse a bound that is no number, negative, or beyond what a counted share of the total can be."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0:  # type: ignore[arg-type,operator]
        raise ConfigError(f"limit '{own.name}': a bound must be a finite number of 0 or more, such as 0.2 for 20%")
    if own.sense == ">=" and own.base == "total" and value > 1:  # type: ignore[operator]
        raise ConfigError(f"limit '{own.name}': a floor above 1 is more than everything; write 20% as 0.2")


@dataclass(frozen=True)
class Budget:
    """A limit on the trades of one plan, not on a balance sheet: no part of `LimitTable`.

    Attributes
    ----------
    name
        ``turnover``: (buys + sells) / 2; ``cost``: costs and taxes; both as fractions of the total today.
    bounds
        One per band, NaN where the band has no such budget.
    """

    name: str
    bounds: tuple[float, ...]


def budgets(framework: Framework) -> tuple[Budget, ...]:
    """List the budgets of a framework; empty where no band has one."""
    bands = framework.bands.values()
    named = [n for n in BUDGETS if any(n in b.limits for b in bands)]
    return tuple(Budget(n, tuple(b.limits.get(n, math.nan) for b in bands)) for n in named)


def limit_list(framework: Framework, own: Sequence[OwnLimit | Limit] = ()) -> tuple[Limit, ...]:
    """List the limits of a framework, in the order in which they are shown, and users' own behind them.

    Raises
    ------
    ConfigError
        A user's own limit has the name of another one, or names an unknown band.
    """
    bands = list(framework.bands.values())
    nan = math.nan
    out = [
        Limit("reserve_months", ">=", "reserve_months", "reserve", tuple(framework.reserve.months for _ in bands)),
        Limit("volatility", "<=", "volatility", "risk", tuple(b.volatility for b in bands)),
    ]
    spans_too = {f"bucket:{c}" for c in framework.buckets} | {f"group:{c}" for c in framework.groups}
    named = dict.fromkeys(n for b in bands for n in b.limits if n not in spans_too and n not in BUDGETS)
    for name in sorted(named, key=lambda n: n not in RISKS):
        family: Family = "risk" if name in RISKS else "concentration"
        out.append(Limit(name, "<=", _kind(name), family, tuple(b.limits.get(name, nan) for b in bands)))
    for name in dict.fromkeys(n for b in bands for n in b.floors if n not in spans_too):
        floors = tuple(b.floors.get(name) or nan for b in bands)
        if not np.isnan(floors).all():
            out.append(Limit(name, ">=", "share", "band", floors))
    for part, codes in (("bucket", framework.buckets), ("group", framework.groups)):
        for code in codes:
            out += _spans(framework, part, code)
    return _with_own(out, framework, own)


def _kind(name: str) -> Kind:
    """How a limit named in a framework is measured."""
    if name in LABELS:
        return "label"
    return name if name in ("single_holding", "issuer", "leverage", *RISKS) else "share"  # type: ignore[return-value]


def _spans(framework: Framework, part: str, code: str) -> list[Limit]:
    """Floor and cap of a bucket or group; a file may bound it among limits and floors too: the tighter one holds."""
    nan, name = math.nan, f"{part}:{code}"
    low, high = [], []
    for b in framework.bands.values():
        span = (b.buckets if part == "bucket" else b.groups).get(code)
        least = max(b.floors.get(name, 0.0), 0.0 if span is None else span.low or 0.0)
        most = min(b.limits.get(name, 1.0), 1.0 if span is None or span.high is None else span.high)
        low.append(least or nan)
        high.append(nan if most >= 1 else most)
    senses: tuple[tuple[Sense, list[float]], ...] = ((">=", low), ("<=", high))
    return [Limit(name, s, "share", "band", tuple(b)) for s, b in senses if not np.isnan(b).all()]


def _with_own(limits: list[Limit], framework: Framework, own: Sequence[OwnLimit | Limit]) -> tuple[Limit, ...]:
    out = list(limits)
    for item in own:
        if not isinstance(item, (OwnLimit, Limit)):
            raise ConfigError(f"limits= takes what allocator.limit(...) gives, not {type(item).__name__}")
        one = item.on(framework) if isinstance(item, OwnLimit) else item
        if any(one.name == x.name for x in out):
            raise ConfigError(f"limit '{one.name}': the name is taken; give every limit another one")
        if len(one.bounds) != len(framework.bands):
            raise ConfigError(f"limit '{one.name}': it has bounds for other bands; give the one from allocator.limit")
        out.append(one)
    return tuple(out)


def needed_months(p: Positions, framework: Framework) -> FloatArray:
    """Months of reserve that a client should have."""
    return np.where(p.owner, framework.reserve.months_owner, framework.reserve.months)
