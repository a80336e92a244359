"""Checks of all trade lists at once: money, costs, tax, amounts, lots, suitability. Money is in whole cents.

Only what surely holds is passed here; a client with anything else goes to the exact verifier, which says what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from allocator.analysis import Analysis
from allocator.certificates_items import Items, cents_of
from allocator.certificates_orders import BUY, REPAY, SELL, OrderTable
from allocator.typing import BoolArray, FloatArray, IntArray

NEAR: Final = 1e-14
"""Relative error that a product of a rate and an amount, or a quotient of them, surely stays below."""


@dataclass(frozen=True)
class TradeChecks:
    """Checks by name, each ``before, bound, after`` per client, and where all of them surely hold."""

    numbers: dict[str, tuple[FloatArray, FloatArray, FloatArray]]
    sure: BoolArray
    traded: FloatArray
    paid: FloatArray


@dataclass(frozen=True)
class Terms:
    """What each order is subject to; arrays over orders. Rates are fractions, ``value`` money before the plan."""

    cost: FloatArray
    tax: FloatArray
    value: FloatArray
    basis: FloatArray
    product: IntArray
    risk: FloatArray
    shop: BoolArray
    never: BoolArray


def check_trades(a: Analysis, t: OrderTable, x: Items) -> TradeChecks:
    """Check the orders of every client."""
    n = len(a)
    terms = _terms(a, t, x)
    sure = np.ones(n, dtype=bool)
    nothing, zero = np.full(n, np.nan), np.zeros(n)

    def refuse(orders: BoolArray) -> None:
        sure[t.client[orders]] = False

    sell, buy = t.side == SELL, t.side == BUY
    flow, whole = cents_of(a.positions.cash_flow)
    came = flow + _sum(t.client, np.where(sell, t.cents - t.cost_cents - t.tax_cents, 0), n)
    went = _sum(t.client, np.where(sell, 0, t.cents + t.cost_cents), n)
    # sums of whole numbers are exact as long as none of them leaves 64 bits
    moved = np.bincount(t.client, weights=t.cents.astype("float64") + t.cost_cents + t.tax_cents, minlength=n)
    sure &= whole & (came == went) & (moved < 2**52)

    owed = owed_cents(t.cents, terms.cost)
    refuse(np.abs(t.cost_cents - owed) > 1)
    tax, due = _tax(t, terms)
    refuse((np.abs(t.tax_cents - tax) > due) | (tax < 0))

    refuse(~_amounts(a, t, terms))
    sure &= _lenders(a, t, x, n)
    lot, least, judged = _offers(a, t, terms)
    refuse(buy & terms.shop & ((t.cents % lot != 0) | ((terms.value == 0) & (t.cents < least))))
    grade = np.array([b.product_risk for b in a.framework.bands.values()] + [0], dtype="float64")[a.positions.band]
    open_ = np.append(a.positions.shelf["available"].to_numpy(bool), False)[terms.product]
    allowed = open_ & judged & (terms.risk <= grade[t.client])
    refuse(buy & ((terms.shop & ~allowed) | terms.never))
    highest = np.full(n, -np.inf)
    np.maximum.at(highest, t.client[buy & terms.shop], terms.risk[buy & terms.shop])
    highest = np.where(np.isinf(highest), np.nan, highest)
    numbers = {
        "money": (came / 100, nothing, went / 100),
        "costs": (nothing, _sum(t.client, owed, n) / 100, _sum(t.client, t.cost_cents, n) / 100),
        "tax": (nothing, _sum(t.client, tax, n) / 100, _sum(t.client, t.tax_cents, n) / 100),
        "amounts": (nothing, zero, zero),
        "lots": (nothing, zero, zero),
        "suitability": (nothing, grade, highest),
    }
    traded = _sum(t.client, np.where(t.side == REPAY, 0, t.cents), n) / 100
    return TradeChecks(numbers, sure & ~x.odd, traded, _sum(t.client, t.cost_cents + t.tax_cents, n) / 100)


def owed_cents(cents: npt.NDArray[np.int64], rate: FloatArray) -> npt.NDArray[np.int64]:
    """Round amounts times rates to the cent, half to even; ``rate`` is the decimal number that it is written as."""
    x = cents * rate
    out = np.rint(x).astype(np.int64)
    near = np.abs(np.abs(x - np.floor(x)) - 0.5) <= NEAR * np.abs(x)
    for k in np.flatnonzero(near & (rate != 0)):  # half a cent: decided in exact numbers
        out[k] = round(int(cents[k]) * Fraction(repr(float(rate[k]))))
    return out


def _sum(client: IntArray, amount: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    """Exact sums of whole numbers by client, which is sorted."""
    total = np.concatenate([[0], np.cumsum(amount.astype(np.int64))])
    ends = np.searchsorted(client, np.arange(n + 1))
    return np.asarray(np.diff(total[ends]), dtype=np.int64)


def _terms(a: Analysis, t: OrderTable, x: Items) -> Terms:
    p, s = a.positions, a.positions.shelf
    classes = list(a.framework.classes.values())
    size, item = len(classes), x.item
    asset = item >= 0
    held = t.holding >= 0
    rows = np.where(held, t.holding, 0)
    empty = not len(p.value)

    def of_holding(column: FloatArray | BoolArray | IntArray, other: float) -> FloatArray:
        return np.full(len(t), other) if empty else np.where(held, column[rows].astype("float64"), other)

    place = {code: j for j, code in enumerate(s["product_id"].tolist())}
    ids = p.holdings["product_id"].take(rows).tolist() if not empty else []
    mine = np.array([place.get(w, -1) if w else -1 for w in ids], dtype="intp") if ids else np.full(len(t), -1)
    product = np.where(held, mine, t.product)
    klass = np.where(asset, np.append(x.klass, size)[item], size)
    is_cash = asset & (item == x.cash[t.client])
    shelf = product >= 0

    def rate(name: str) -> FloatArray:
        usual = np.array([getattr(c, name) for c in classes] + [0.0])[klass]
        usual = np.where(held, usual, 0.0)
        return np.where(shelf, np.append(s[name].to_numpy("float64"), 0.0)[product], usual)

    cost = np.where(t.side == BUY, rate("buy_cost"), rate("sell_cost"))
    risk = np.where(shelf, rate("risk"), np.array([c.risk for c in classes] + [1], dtype="float64")[klass])
    risk = np.fmax(risk, np.trunc(of_holding(p.grade, np.nan)))
    return Terms(
        cost=np.where(is_cash | ~asset, 0.0, cost),
        tax=np.where(is_cash | ~asset, 0.0, np.array([c.tax for c in classes] + [0.0])[klass]),
        value=of_holding(p.value, 0.0),
        basis=of_holding(p.basis, np.nan),
        product=product,
        risk=risk,
        shop=asset & ~is_cash,
        never=of_holding(p.never_buy, 0.0) > 0,
    )


def _tax(t: OrderTable, terms: Terms) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Tax of each order, −1 where it cannot be said for sure; and the cents that it may be off: 1 where one is due."""
    taxed = (t.side == SELL) & (terms.tax > 0) & (terms.basis < terms.value) & (t.cents > 0)
    out = np.zeros(len(t), dtype=np.int64)
    at = np.flatnonzero(taxed)
    value, known = cents_of(terms.value[at])
    basis, given = cents_of(terms.basis[at])
    x = np.where(known & given, terms.tax[at] * t.cents[at] * (value - basis) / np.maximum(value, 1), 0.0)
    out[at] = np.rint(x)
    near = np.abs(np.abs(x - np.floor(x)) - 0.5) <= NEAR * x
    for k in np.flatnonzero(near):
        part = Fraction(int(t.cents[at[k]]) * int(value[k] - basis[k]), max(int(value[k]), 1))
        out[at[k]] = round(Fraction(repr(float(terms.tax[at[k]]))) * part)
    out[at[~(known & given)]] = -1
    return out, taxed.astype(np.int64)


def _amounts(a: Analysis, t: OrderTable, terms: Terms) -> BoolArray:
    """Where amounts are above 0 and within what may surely be sold or repaid."""
    p = a.positions
    fine = t.cents > 0
    sold = np.flatnonzero((t.side == SELL) & (t.holding >= 0))
    rows = t.holding[sold]
    value, known = cents_of(terms.value[sold])
    most = p.sellable[rows] * value
    within = np.where(p.sellable[rows] >= 1, True, t.cents[sold] - most < 1 - NEAR * np.maximum(most, 1))
    whole = ~p.indivisible[rows] | ((t.cents[sold] == value) & (p.sellable[rows] >= 1))
    fine[sold] &= known & p.tradable[rows] & within & whole & (t.cents[sold] <= value)
    back = np.flatnonzero(t.debt >= 0)
    owed, exact = cents_of(p.debts.value[t.debt[back]])
    fine[back] &= exact & (t.cents[back] <= owed)
    fine[(t.side == SELL) & (t.holding < 0)] = False
    return fine


def _lenders(a: Analysis, t: OrderTable, x: Items, n: int) -> BoolArray:
    """Clients whose lenders get at least their part of each sale of what secures a loan."""
    d = a.positions.debts
    out = np.ones(n, dtype=bool)
    sold = np.zeros(len(a.positions.value), dtype=np.int64)
    some = (t.side == SELL) & (t.holding >= 0)
    sold[t.holding[some]] = t.cents[some]
    at = np.flatnonzero(x.security >= 0)
    at = at[sold[x.security[at]] > 0]
    value, known = cents_of(a.positions.value[x.security[at]])
    loan, given = cents_of(d.value[at])
    repaid = np.rint(x.repaid[at] * 100).astype(np.int64)
    amount = sold[x.security[at]]
    # in whole numbers without a limit: the product of two fortunes in cents does not fit into 64 bits
    enough = [int(r) * int(v) >= int(o) * int(s) for r, v, o, s in zip(repaid, value, loan, amount, strict=True)]
    out[d.client[at[~(np.array(enough, dtype=bool) & known & given)]]] = False
    return out


def _offers(a: Analysis, t: OrderTable, terms: Terms) -> tuple[IntArray, IntArray, BoolArray]:
    """Lot and minimum in the client's cents, per order, and whether they can be said; converted once per currency."""
    p, s = a.positions, a.positions.shelf
    words, code = np.unique(p.clients["currency"].to_numpy(str), return_inverse=True)
    lots, minimums = s["lot"].to_numpy("float64"), s["minimum"].to_numpy("float64")
    bought = (t.side == BUY) & terms.shop & (terms.product >= 0)
    pair = np.where(bought, code[t.client] * max(len(s), 1) + terms.product, -1)
    found, place = np.unique(pair, return_inverse=True)
    lot, least = np.ones(len(found), dtype=np.int64), np.zeros(len(found), dtype=np.int64)
    judged = np.ones(len(found), dtype=bool)
    for k, both in enumerate(found):
        if both < 0:
            continue
        currency, j = divmod(int(both), max(len(s), 1))
        rate = p.rates.get(str(words[currency]))
        if not (np.isfinite(lots[j]) and np.isfinite(minimums[j])):
            judged[k] = False
        elif not rate:
            judged[k] = rate is not None or not (lots[j] > 0 or minimums[j] > 0)
        else:
            worth = Fraction(repr(float(rate)))
            lot[k] = max(round(100 * Fraction(repr(float(lots[j]))) / worth), 1)
            # in millionths first: what converting there and back adds is no reason for a cent more
            least[k] = -(-round(1_000_000 * Fraction(repr(float(minimums[j]))) / worth) // 10_000)
    return lot[place], least[place], judged[place]
