"""Measures every limit for every client: one function per kind, in a registry, each over the whole book at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.assumptions import RiskTable
from allocator.errors import ConfigError
from allocator.exposures import Exposures, largest, ratio
from allocator.framework import Framework
from allocator.limits import TOLERANCE, Kind, Limit, limit_list, needed_months
from allocator.positions import Positions, facts
from allocator.risk import Risk, shortfall
from allocator.typing import BoolArray, FloatArray, IntArray

SAME: Final = 1e-6
"""How far a user's term may be from doubling with the money, relatively."""


@dataclass(frozen=True)
class LimitTable:
    """Every limit for every client (n × limits); NaN where a limit does not apply or cannot be judged.

    Attributes
    ----------
    value, bound
        Shares, months or volatilities.
    excess
        Amount beyond the bound as a fraction of the unit (the total before the plan), 0 where the limit holds.
    unit
        Per client, what excesses are fractions of; NaN where that is nothing.
    """

    limits: tuple[Limit, ...]
    value: FloatArray
    bound: FloatArray
    excess: FloatArray
    unit: FloatArray

    @property
    def exceeded(self) -> BoolArray:
        """Where a limit does not hold, beyond `TOLERANCE`."""
        return np.asarray(self.excess > TOLERANCE)


@dataclass(frozen=True)
class Measured:
    """What limits are read from: a book as numbers, its exposures and risk, and the tables that it was judged by."""

    positions: Positions
    exposures: Exposures
    risk: Risk
    table: RiskTable
    framework: Framework

    @cached_property
    def money(self) -> FloatArray:
        """Clients × classes: money inside the buckets."""
        return np.asarray(self.exposures.classes * self.framework.flag("inside"))

    @cached_property
    def shares(self) -> dict[str, FloatArray]:
        """Money per client in each share that a limit of the framework names."""
        names = list(dict.fromkeys(x.name for x in limit_list(self.framework) if x.kind == "share"))
        parts = np.array([self.framework.share(n) for n in names]).reshape(len(names), self.exposures.classes.shape[1])
        return dict(zip(names, parts @ self.exposures.classes.T, strict=True))

    @cached_property
    def facts(self) -> pd.DataFrame:
        """What users' own limits look at, one row per holding."""
        return facts(self.positions)

    def base(self, limit: Limit) -> FloatArray:
        """What a user's own limit is a share of: T or E."""
        return self.exposures.equity if limit.base == "equity" else self.exposures.total


Measure = Callable[[Limit, FloatArray, Measured], tuple[FloatArray, FloatArray]]
"""(limit, bound per client, measured) → (value, money beyond the bound, below 0 where there is room)."""


def evaluate(m: Measured, limits: tuple[Limit, ...], unit: FloatArray | None = None) -> LimitTable:
    """Measure every limit for every client.

    Parameters
    ----------
    m
        The book as numbers, its exposures and its risk.
    limits
        From `limits.limit_list`.
    unit
        Per client, what the excess is a fraction of; default the total of today.

    Returns
    -------
    LimitTable
        Excesses are NaN for a client without anything in the buckets, and where the bound or the value is NaN.

    Raises
    ------
    ConfigError
        A user's own limit gives something that cannot be measured; the message names the limit.
    """
    unit = m.exposures.total if unit is None else unit
    unit = np.where(unit > 0, unit, np.nan)
    shape = (len(m.positions), len(limits))
    value, bound, excess = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    for j, limit in enumerate(limits):
        b = np.append(limit.bounds, np.nan)[m.positions.band]
        if limit.kind == "reserve_months":  # owners of a company need more months than the band says
            b = np.where(np.isnan(b), np.nan, needed_months(m.positions, m.framework))
        value[:, j], amount = MEASURES[limit.kind](limit, b, m)
        bound[:, j], excess[:, j] = b, np.maximum(amount, 0.0) / unit
    return LimitTable(limits, value, bound, excess, unit)


# ---- limits of frameworks


def _reserve(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    e = m.exposures
    return e.months, b * e.need - e.liquid


def _volatility(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    e = m.exposures
    return m.risk.volatility, m.risk.volatility_total * e.total - b * e.equity


def _leverage(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    e = m.exposures
    return e.of_total(e.debt), e.debt - b * e.total


def _single_holding(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    return _names(m.exposures.by_asset, b, m)


def _issuer(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    return _names(m.exposures.by_issuer, b, m)


def _names(whole: FloatArray, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    """Each holding carries the excess of its asset or issuer in proportion, so that either counts once."""
    p, e = m.positions, m.exposures
    over = np.maximum(whole - (b * e.total)[p.client], 0.0)
    part = np.divide(e.named, whole, out=np.zeros_like(over), where=whole > 0)
    return e.of_total(largest(p, whole)), p.per_client(over * part)


def _share(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    e = m.exposures
    money = m.shares[limit.name]
    return e.of_total(money), (money - b * e.total) * (1.0 if limit.sense == "<=" else -1.0)


def _label(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    """Money per client and label; a client without any has a largest share of 0."""
    p, e = m.positions, m.exposures
    code, count = labels(limit.name, p, m.framework)
    at = np.flatnonzero((code >= 0) & (e.inside > 0))
    pairs, place = np.unique(p.client[at].astype("int64") * max(count, 1) + code[at], return_inverse=True)
    whole = np.bincount(place, weights=e.inside[at], minlength=len(pairs))
    who = pairs // max(count, 1)
    most = np.zeros(len(p))
    np.maximum.at(most, who, whole)
    over = np.bincount(who, weights=np.maximum(whole - (b * e.total)[who], 0.0), minlength=len(p))
    return e.of_total(most), np.where(np.isnan(b), np.nan, over)


def labels(name: str, p: Positions, framework: Framework) -> tuple[IntArray, int]:
    """Codes of a label of each holding: ``sector``, ``country`` or ``currency``.

    Labels are compared stripped and in lower case. Blank ones never count, nor do the client's own currency and the
    country that is home for it; a currency without a home in the framework has no country at home.

    Returns
    -------
    (code, count)
        −1 for a holding whose label does not count; codes are below ``count``.
    """
    found, words = pd.factorize(p.holdings[name])
    folded, distinct = pd.factorize(np.array([str(w).strip().casefold() for w in words], dtype=object))
    code = np.append(folded, -1)[found].astype("intp")
    blank = np.append([w == "" for w in distinct], False).astype(bool)
    apart = blank[code] | (code < 0)
    if name != "sector":
        home = p.clients["currency"]
        if name == "country":
            home = home.map(framework.home_country).fillna("")
        at = pd.Index(distinct).get_indexer(pd.Index(home.str.strip().str.casefold().astype("object")))
        apart |= code == at[p.client]
    return np.where(apart, -1, code), len(distinct)


def _cvar(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    del limit
    e = m.exposures
    loss = shortfall(m.money, m.table)
    return _over(loss, e.equity), loss - b * e.equity


def _tracking(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    """Volatility of the difference to the model portfolio; NaN in a band without one."""
    del limit
    e, f = m.exposures, m.framework
    none = np.full(len(f.classes), np.nan)
    models = [[x.model.get(c, 0.0) for c in f.classes] if x.model else none for x in f.bands.values()]
    aim = np.vstack([*models, none])[m.positions.band] * e.total[:, None]
    error = np.sqrt((((m.money - aim) @ m.table.loadings) ** 2).sum(axis=1) + m.risk.specific)
    return e.of_total(error), error - b * e.total


def _over(amount: FloatArray, base: FloatArray) -> FloatArray:
    """Amounts as fractions of T or E; NaN where that is not above 0."""
    return ratio(amount, np.where(base > 0, base, np.nan))


# ---- users' own limits


def _counted(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    amount = m.positions.per_client(counted(limit, m.facts) * m.exposures.inside)
    base = m.base(limit)
    return _over(amount, base), (amount - b * base) * (1.0 if limit.sense == "<=" else -1.0)


def counted(limit: Limit, rows: pd.DataFrame) -> FloatArray:
    """How much of each holding counts to a user's own limit.

    Parameters
    ----------
    limit
        Of kind ``counted``.
    rows
        Facts of holdings or products (see `positions.FACTS`).

    Returns
    -------
    numpy.ndarray
        One number from 0 to 1 per row.

    Raises
    ------
    ConfigError
        ``counts`` gives another number of values, NaN, or something outside 0 to 1.
    """
    if limit.counts is None:
        raise ConfigError(f"limit '{limit.name}' counts nothing: make it with allocator.limit(..., counts=...)")
    given = limit.counts(rows.copy())
    try:
        out = np.asarray(given, dtype="float64")
    except (TypeError, ValueError):
        raise ConfigError(
            f"limit '{limit.name}': counts gave what are no numbers; give 0 to 1, or true and false, for each row"
        ) from None
    if out.shape != (len(rows),):
        raise ConfigError(
            f"limit '{limit.name}': counts gave values of shape {out.shape} for {len(rows)} rows; give one per row"
        )
    if not ((out >= 0) & (out <= 1)).all():
        raise ConfigError(
            f"limit '{limit.name}': counts gave a value that is unknown or not from 0 to 1; use .fillna(0) where "
            "nothing is known"
        )
    return out


def _term(limit: Limit, b: FloatArray, m: Measured) -> tuple[FloatArray, FloatArray]:
    """Client by client: a term is a user's expression over the holdings of one client."""
    p, inside = m.positions, m.exposures.inside
    amount = np.zeros(len(p))
    checked = False
    for i in np.flatnonzero(~np.isnan(b)):
        rows = np.arange(p.start[i], p.start[i + 1])
        rows = rows[inside[rows] > 0]
        if len(rows):
            part = m.facts.iloc[rows].reset_index(drop=True)
            if not checked:
                check_term(limit, part)
                checked = True
            amount[i] = term_value(limit, inside[rows], part)
    base = m.base(limit)
    return _over(np.where(np.isnan(b), np.nan, amount), base), amount - b * base


def term_value(limit: Limit, money: FloatArray, rows: pd.DataFrame) -> float:
    """Value of a user's term for amounts of money.

    Raises
    ------
    ConfigError
        It is no single number.
    """
    import cvxpy as cp

    return _number(limit, _expression(limit, cp.Constant(np.asarray(money, dtype="float64")), rows))


def check_term(limit: Limit, rows: pd.DataFrame) -> None:
    """Refuse a term that is not convex or does not double with the money.

    Raises
    ------
    ConfigError
        With what to change.
    """
    import cvxpy as cp

    if not _expression(limit, cp.Variable(len(rows), nonneg=True), rows).is_convex():
        raise ConfigError(
            f"limit '{limit.name}': the term is not convex by cvxpy's rules, so nothing could be planned with it; see "
            "expression.curvature, and write it with atoms such as cp.norm, cp.max, cp.abs, cp.pos"
        )
    money = 1.0 + np.arange(len(rows)) / 7.0
    once, twice = (term_value(limit, k * money, rows) for k in (1.0, 2.0))
    if abs(twice - 2 * once) > SAME * max(abs(twice), abs(once), 1e-12):
        raise ConfigError(
            f"limit '{limit.name}': the term must double when all money doubles, since its bound is a share; "
            "cp.sum_squares(w) does not, cp.norm(w) does; no constants may be added"
        )


def _expression(limit: Limit, weights: Any, rows: pd.DataFrame) -> Any:
    import cvxpy as cp

    if limit.term is None:
        raise ConfigError(f"limit '{limit.name}' has no term: make it with allocator.limit(..., term=...)")
    out = limit.term(weights, rows.copy())
    if not isinstance(out, cp.Expression) or out.size != 1:
        raise ConfigError(f"limit '{limit.name}': the term must be a cvxpy expression of the weights, a single number")
    return out


def _number(limit: Limit, expression: Any) -> float:
    value = np.asarray(expression.value, dtype="float64").reshape(-1)
    if value.size != 1 or not np.isfinite(value[0]):
        raise ConfigError(
            f"limit '{limit.name}': the term gave no finite number; is there a cvxpy parameter without value in it?"
        )
    return float(value[0])


MEASURES: Final[Mapping[Kind, Measure]] = {
    "reserve_months": _reserve,
    "volatility": _volatility,
    "cvar": _cvar,
    "tracking": _tracking,
    "single_holding": _single_holding,
    "issuer": _issuer,
    "label": _label,
    "leverage": _leverage,
    "share": _share,
    "counted": _counted,
    "term": _term,
}
"""Kinds of limits, and how each is measured."""
