"""Limits of a whole book before and after its plans, with what floats may be wrong by: a verdict, or none.

Written again from the definitions, as the exact verifier's are; of `allocator.limits` only the list is taken, as data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.certificates_items import Items
from allocator.certificates_orders import OrderTable
from allocator.limits import TOLERANCE, Kind, Limit
from allocator.typing import BoolArray, FloatArray, IntArray

ROUNDING: Final = 2.0**-50
"""Four units in the last place: what one operation on two floats, each read from a decimal, may add."""
CELLS: Final = 2_000_000
"""Scenario outcomes of this many client-scenario pairs are held at once."""
HOLDS, NO_WORSE, UNTOUCHED, WORSE = range(4)


@dataclass(frozen=True)
class Read:
    """One limit measured in one state: the money that counts, one entry per name (one per client for limits without).

    ``base``, what the limit is a multiple of, and ``error``, a bound on that of the money, are per client.
    """

    money: FloatArray
    base: FloatArray
    error: FloatArray


@dataclass(frozen=True)
class Judged:
    """One limit per client: values, excesses as fractions of the total today, verdict, and where that is sure."""

    before: FloatArray
    bound: FloatArray
    after: FloatArray
    excess_before: FloatArray
    excess_after: FloatArray
    verdict: IntArray
    applies: BoolArray
    sure: BoolArray


@dataclass(frozen=True)
class State:
    """Money per client in one state of the book; ``values`` are per item."""

    values: FloatArray
    classes: FloatArray
    inside: FloatArray
    total: FloatArray
    debt: FloatArray
    need: FloatArray
    liquid: FloatArray
    own: FloatArray

    @property
    def equity(self) -> FloatArray:
        """Total less debts that count."""
        return self.total - self.debt


class Measures:
    """Facts of the classes and items of one book, and its measures in any state.

    Parameters
    ----------
    a, t, x
        The book as analysed today, the orders and the items.
    """

    def __init__(self, a: Analysis, t: OrderTable, x: Items) -> None:
        self.a, self.t, self.x = a, t, x
        f, p = a.framework, a.positions
        self.n, self.size = len(a), len(f.classes)
        assumed = [a.assumptions.classes[c.assumption or code] for code, c in f.classes.items()]
        factors = list(a.assumptions.factors)
        volatility = np.array([v.volatility for v in a.assumptions.factors.values()])
        self.flag = {k: np.append(f.flag(k), 0.0) for k in ("inside", "name", "reserve")}
        inside = self.flag["inside"][:-1]
        loading = np.array([[c.loadings.get(v, 0.0) for v in factors] for c in assumed]).reshape(self.size, -1)
        self.factors = loading * volatility * inside[:, None]
        self.loaded = (loading != 0).any(axis=1) & (inside > 0)
        self.correlation = np.array(a.assumptions.correlation.rows, dtype="float64")
        self.idiosyncratic = np.append(np.array([c.idiosyncratic for c in assumed]) * inside, 0.0)
        self.part = (p.mix_table @ inside)[x.mix]
        self.count = np.bincount(x.client, minlength=self.n).astype("float64") + p.debts.per_client(
            np.ones(len(p.debts.value))
        )
        self.today = self.state(x.today, False)
        self.start = self.state(x.start, False)
        self.end = self.state(x.end, True)
        self.months = (float(f.reserve.months), float(f.reserve.months_owner))

    def per_client(self, amounts: FloatArray) -> FloatArray:
        """Sum over the items of each client."""
        return np.bincount(self.x.client, weights=amounts, minlength=self.n).astype("float64")

    def state(self, values: FloatArray, after: bool) -> State:
        """Measure the book with these values of its items, before or after what is repaid."""
        p, x, d = self.a.positions, self.x, self.a.positions.debts
        left = d.value - x.repaid if after else d.value
        share = np.divide(left, d.value, out=np.ones(len(left)), where=d.value > 0)
        classes = self._classes(values)
        inside = values * self.part
        single = np.bincount(x.asset, weights=self.idiosyncratic[x.klass] * values)
        owner = np.zeros(len(single), dtype="intp")
        owner[x.asset] = x.client
        return State(
            values=values,
            classes=classes,
            inside=inside,
            total=classes.sum(axis=1),
            debt=d.per_client(left * ~d.own_use),
            need=p.spending + d.per_client(d.service * share) / 12,
            liquid=self.per_client(values * self.flag["reserve"][x.klass] * x.tradable),
            own=np.bincount(owner, weights=single * single, minlength=self.n).astype("float64"),
        )

    def _classes(self, values: FloatArray) -> FloatArray:
        """Clients × classes: money inside the buckets, funds looked through."""
        x, k = self.x, self.size
        plain = x.mix <= k  # each class of its own, then nothing
        cell = x.client[plain].astype(np.int64) * (k + 1) + x.mix[plain]
        out = np.bincount(cell, weights=values[plain], minlength=self.n * (k + 1)).reshape(self.n, k + 1)[:, :k]
        funds = np.flatnonzero(~plain)
        if len(funds):
            who, weights = x.client[funds], self.a.positions.mix_table[x.mix[funds]] * values[funds, None]
            out = out + np.stack([np.bincount(who, weights=weights[:, c], minlength=self.n) for c in range(k)], axis=1)
        return np.asarray(out * self.flag["inside"][:-1])

    @cached_property
    def scale(self) -> FloatArray:
        """Per client a bound on every sum of money that is formed on the way, in money."""
        sums = [self.per_client(s.values * self.part) + s.debt for s in (self.today, self.start, self.end)]
        liquid = [s.liquid for s in (self.today, self.start, self.end)]
        need = np.nan_to_num(self.today.need) * (1 + max(self.months))
        return np.asarray(np.maximum.reduce([*sums, *liquid]) + need + np.abs(self.a.positions.cash_flow))

    @cached_property
    def error(self) -> FloatArray:
        """Per client a bound on the error of an excess in money: rounding of sums over sums, never the least bound."""
        steps = self.count + self.size + 64
        return np.asarray(ROUNDING * steps * steps * self.scale)

    def deviation(
        self, classes: FloatArray, own: FloatArray, formed: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Volatility in money of class money and the variance of single assets, and its error bound.

        ``formed`` is the class money that ``classes`` is a difference of, where it is one.
        """
        exposure = classes @ self.factors
        variance = ((exposure @ self.correlation) * exposure).sum(axis=1) + own
        large = np.abs(classes if formed is None else formed)
        most = (large @ np.abs(self.factors)).sum(axis=1) ** 2 * max(1.0, np.abs(self.correlation).max())
        steps = self.count + self.size + len(self.correlation) ** 2 + 64
        wrong = ROUNDING * steps * (most + own)
        sigma = np.sqrt(np.maximum(variance, 0.0))
        return sigma, np.minimum(np.sqrt(wrong), np.divide(wrong, sigma, out=np.full(self.n, np.inf), where=sigma > 0))


@dataclass(frozen=True)
class Names:
    """Groups that a limit counts apart: the group of each item (−1 in none), and the client of each group."""

    group: IntArray
    owner: IntArray


def judge(limit: Limit, m: Measures) -> Judged:
    """Measure one limit at the starting point and after the plan, and judge it client by client."""
    x = m.x
    bound = np.append(limit.bounds, np.nan)[m.a.positions.band]
    applies = ~np.isnan(bound) & m.t.planned
    if limit.kind == "reserve_months":
        bound = np.where(m.a.positions.owner, m.months[1], m.months[0])
        applies &= ~np.isnan(m.a.positions.spending)
    blank = np.full(m.n, np.nan)
    measure = MEASURES.get(limit.kind)
    if measure is None or not applies.any():
        none = np.full(m.n, -1, dtype="intp")
        return Judged(blank, bound, blank, blank, blank, none, applies, ~applies)
    names, (start, end), counts = measure(limit, m)
    owner = names.owner
    sign = 1.0 if limit.sense == "<=" else -1.0
    over = [np.maximum(sign * (r.money - (bound * r.base)[owner]), 0.0) for r in (start, end)]

    def total(amount: FloatArray) -> FloatArray:
        return np.bincount(owner, weights=amount, minlength=m.n).astype("float64")

    def worst(amount: FloatArray) -> FloatArray:
        out = np.full(m.n, -np.inf)
        np.maximum.at(out, owner, amount)
        return out

    def largest(r: Read) -> FloatArray:
        most = worst(r.money)
        most = np.where(np.isinf(most), 0.0, most)  # nothing that counts
        value = np.divide(most, r.base, out=np.full(m.n, np.nan), where=r.base > 0)
        return np.where((r.base == 0) & (limit.kind == "reserve_months"), np.inf, value)

    unit = np.where(m.today.total > 0, m.today.total, np.nan)
    tolerance = TOLERANCE * unit
    error = (start.error + end.error) * (1 + np.nan_to_num(bound)) + m.error * (1 + np.nan_to_num(bound))
    before, after = total(np.nan_to_num(over[0])), total(np.nan_to_num(over[1]))
    holds = after <= tolerance
    sure = np.abs(after - tolerance) > error
    rise = np.nan_to_num(over[1] - over[0])
    gone, doubt = _no_more(worst(rise), total(rise), tolerance, error)
    grown = end.money - start.money
    still = (grown <= tolerance[owner]) & ~_can_go(names, counts, x.left) & (rise > 0) & (sign > 0)
    spared = np.where(still, 0.0, rise)
    calm, unsure = _no_more(worst(spared), total(spared), tolerance, error)
    unsure |= total((np.abs(grown - tolerance[owner]) <= error[owner]).astype("float64")) > 0
    calm &= sign > 0
    verdict = np.select([holds, gone, calm], [HOLDS, NO_WORSE, UNTOUCHED], WORSE)
    sure &= holds | (~doubt & (gone | ~unsure))
    for r, s in ((start, m.start), (end, m.end)):
        apart = np.isfinite(r.base) & ((np.abs(r.base) > r.error + m.error) | (r.base == 0) & (s.need == 0))
        sure &= apart
    return Judged(
        largest(start), bound, largest(end), before / unit, after / unit, verdict, applies, (sure & np.isfinite(unit))
    )


def _no_more(
    most: FloatArray, whole: FloatArray, tolerance: FloatArray, error: FloatArray
) -> tuple[BoolArray, BoolArray]:
    """Nothing rose name by name nor in all; and where that is too near to say."""
    near = (np.abs(most - tolerance) <= error) | (np.abs(whole - tolerance) <= error)
    return (most <= tolerance) & (whole <= tolerance), near


def _can_go(names: Names, counts: BoolArray, left: BoolArray) -> BoolArray:
    """By group: something that counts in it can still be sold."""
    at = np.flatnonzero(counts & left & (names.group >= 0))
    return np.bincount(names.group[at], minlength=len(names.owner)) > 0


Measured = tuple[Names, tuple[Read, Read], BoolArray]
"""Groups of a limit, what counts at the start and after, and the items that count in it."""


def _alone(m: Measures) -> Names:
    """One group per client."""
    return Names(m.x.client, np.arange(m.n))


def _share(limit: Limit, m: Measures) -> Measured:
    parts = np.asarray(m.a.framework.share(limit.name), dtype="float64") * m.flag["inside"][:-1]
    reads = tuple(Read(s.classes @ parts, s.total, m.error) for s in (m.start, m.end))
    return _alone(m), (reads[0], reads[1]), ((m.a.positions.mix_table @ (parts > 0)) > 0)[m.x.mix]


def _reserve(limit: Limit, m: Measures) -> Measured:
    del limit
    reads = [Read(s.liquid, s.need, m.error) for s in (m.start, m.end)]
    return _alone(m), (reads[0], reads[1]), np.zeros(len(m.x.client), dtype=bool)


def _leverage(limit: Limit, m: Measures) -> Measured:
    del limit
    reads = [Read(s.debt, s.total, m.error) for s in (m.start, m.end)]
    return _alone(m), (reads[0], reads[1]), np.zeros(len(m.x.client), dtype=bool)


def _risky(m: Measures) -> BoolArray:
    """Items with any risk of their classes or of their own."""
    return np.asarray(((m.a.positions.mix_table @ m.loaded) > 0)[m.x.mix] | (m.idiosyncratic[m.x.klass] > 0))


def _volatility(limit: Limit, m: Measures) -> Measured:
    del limit
    reads = []
    for s in (m.start, m.end):
        sigma, error = m.deviation(s.classes, s.own)
        reads.append(Read(sigma, s.equity, m.error + error))
    return _alone(m), (reads[0], reads[1]), _risky(m)


def _cvar(limit: Limit, m: Measures) -> Measured:
    """Mean loss of the worst scenarios, the one at the edge of the tail in part; on the clients who have the limit."""
    table = risk_table(m.a.framework, m.a.assumptions)
    count = len(table.scenarios)
    tail = (1 - Fraction(repr(float(table.level)))) * count
    whole = math.floor(tail)
    who = np.flatnonzero(~np.isnan(np.append(limit.bounds, np.nan)[m.a.positions.band]))
    widest = np.abs(table.scenarios).max(axis=0)
    reads = []
    for s in (m.start, m.end):
        loss = np.zeros(m.n)
        for part in np.array_split(who, max(1, len(who) * count // CELLS)):
            outcome = np.partition(s.classes[part] @ table.scenarios.T, min(whole, count - 1), axis=1)
            worst = outcome[:, :whole].sum(axis=1)
            if tail > whole:
                worst += float(tail - whole) * outcome[:, whole]
            loss[part] = -worst / float(tail)
        error = ROUNDING * (m.size + count + 64) * (np.abs(s.classes) @ widest)
        reads.append(Read(loss, s.equity, m.error * (1 + widest.max(initial=0.0)) + error))
    return _alone(m), (reads[0], reads[1]), ((m.a.positions.mix_table @ m.loaded) > 0)[m.x.mix]


def _tracking(limit: Limit, m: Measures) -> Measured:
    del limit
    f = m.a.framework
    models = np.array([[b.model.get(c, 0.0) for c in f.classes] for b in f.bands.values()] + [[0.0] * m.size])
    reads = []
    for s in (m.start, m.end):
        aim = models[m.a.positions.band] * s.total[:, None]
        sigma, error = m.deviation(s.classes - aim, s.own, s.classes + aim)
        reads.append(Read(sigma, s.total, m.error + error))
    return _alone(m), (reads[0], reads[1]), _risky(m)


def _named(code: IntArray, money: tuple[FloatArray, FloatArray], counts: BoolArray, m: Measures) -> Measured:
    """Group the money of items that count by their code."""
    at = np.flatnonzero(counts & (code >= 0))
    group = np.full(len(code), -1, dtype="intp")
    found, first = pd.factorize(code[at])
    group[at] = found
    owner = np.zeros(len(first), dtype="intp")
    owner[found] = m.x.client[at]
    reads = [
        Read(np.bincount(found, weights=x[at], minlength=len(first)).astype("float64"), s.total, m.error)
        for x, s in zip(money, (m.start, m.end), strict=True)
    ]
    return Names(group, owner), (reads[0], reads[1]), counts


def _single_holding(limit: Limit, m: Measures) -> Measured:
    del limit
    return _named(m.x.asset, (m.start.inside, m.end.inside), (m.flag["name"][m.x.klass] > 0) & (m.part > 0), m)


def _issuer(limit: Limit, m: Measures) -> Measured:
    del limit
    return _named(m.x.issuer, (m.start.inside, m.end.inside), (m.flag["name"][m.x.klass] > 0) & (m.part > 0), m)


def _label(limit: Limit, m: Measures) -> Measured:
    a, t = m.a, m.t
    p = a.positions
    fresh = np.flatnonzero((t.holding < 0) & (t.debt < 0))
    labels, words = pd.factorize(p.holdings[limit.name])
    of_shelf = p.shelf[limit.name].to_numpy(dtype=object)
    mine = p.clients["currency"].to_numpy(dtype=object)
    homes = mine if limit.name == "currency" else np.array([a.framework.home_country.get(c, "") for c in mine], object)
    extra = m.x.client[len(p.client) + len(fresh) :]
    product = t.product[fresh]
    text = np.append(of_shelf, "")[product]
    if limit.name == "currency":  # a product without a currency, and an account, are in the client's own
        text = np.where(text == "", mine[t.client[fresh]], text)
    other = mine[extra] if limit.name == "currency" else np.full(len(extra), "", dtype=object)
    everything = np.concatenate([np.array(words, dtype=object), text, other, homes])
    folded = pd.factorize(np.array(["", *(str(w).strip().casefold() for w in everything)], dtype=object))[0][1:]
    held = np.append(folded[: len(words)], 0)[labels]
    code = np.concatenate([held, folded[len(words) : len(words) + len(fresh) + len(extra)]]).astype(np.int64)
    home = folded[len(everything) - len(mine) :]
    blank = code == 0
    if limit.name != "sector":
        blank |= code == home[m.x.client]
    pair = np.where(blank, -1, m.x.client.astype(np.int64) * (folded.max(initial=0) + 1) + code)
    return _named(pair, (m.start.inside, m.end.inside), ~blank & (m.part > 0), m)


MEASURES: Final[Mapping[Kind, Callable[[Limit, Measures], Measured]]] = {
    "share": _share,
    "reserve_months": _reserve,
    "leverage": _leverage,
    "volatility": _volatility,
    "cvar": _cvar,
    "tracking": _tracking,
    "single_holding": _single_holding,
    "issuer": _issuer,
    "label": _label,
}
"""Kinds of limits that are measured here; of the others a client that has one goes to the exact verifier."""
