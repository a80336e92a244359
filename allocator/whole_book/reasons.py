"""Reasons to call a client: one function each, over the whole book at once.

Adding one is a function here with a table of the same name in ``resources/calls/standard.toml`` (weight and words), or,
from outside the package, an `OwnReason`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.errors import ConfigError
from allocator.exposures import ratio
from allocator.framework import Family
from allocator.households import load_needs
from allocator.typing import AnyArray, BoolArray, FloatArray
from allocator.whole_book.facts import LOCKS, BookFacts


@dataclass(frozen=True)
class Signal:
    """What a reason says of every client.

    Attributes
    ----------
    severity
        0 (no reason to call) to 1.
    money
        What it is about, in the base currency; NaN where not known.
    days
        Until the deadline, 0 today, below 0 past; NaN where there is none.
    """

    severity: FloatArray
    money: FloatArray
    days: FloatArray


Measure = Callable[[BookFacts, float], Signal | None]
"""(book, horizon in days) → signal, or None where the book's tables cannot tell."""


@dataclass(frozen=True)
class OwnReason:
    """A reason of one's own: ``al.call_list(analysis, own=[OwnReason(...)])``.

    Parameters
    ----------
    code
        Unlike every other reason.
    weight
        0 to 1: what it can bring a client to, of 100 points.
    measure
        ``measure(facts, horizon)`` gives a `Signal` with one entry per client of `facts.clients
        <allocator.whole_book.facts.BookFacts>`, or None where it cannot be told.
    words
        Its name in English and Chinese.

    Raises
    ------
    ConfigError
        A weight outside 0 to 1.
    """

    code: str
    weight: float
    measure: Measure
    words: tuple[str, str]

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise ConfigError(f"reason '{self.code}': the weight must be from 0 to 1")


# ---- money that is due, and what cannot be paid


def _insolvent(b: BookFacts, horizon: float) -> Signal | None:
    """Debts are at least as large as everything in the buckets; the money is what is missing."""
    del horizon
    if not b.knows("status", "equity"):
        return None
    hit = _is(b, "status", "insolvent")
    return _signal(b, hit * 1.0, np.maximum(-b.column("equity"), 0.0))


def _unfunded(b: BookFacts, horizon: float) -> Signal | None:
    """A withdrawal that nothing sellable can pay; the money is what is missing, and it is due now."""
    del horizon
    if not b.knows("plan_status", "missing"):
        return None
    hit = _is(b, "plan_status", "unfunded")
    return _signal(b, hit * 1.0, b.column("missing"), np.zeros(len(b)))


def _withdrawal(b: BookFacts, horizon: float) -> Signal | None:
    """Money to be paid out now; severe as far as it eats the liquid reserve up."""
    del horizon
    if not b.knows("cash_flow", "liquid"):
        return None
    due = np.maximum(-np.nan_to_num(b.column("cash_flow")), 0.0)
    part = np.where(b.column("liquid") > 0, ratio(due, b.column("liquid")), 1.0)
    return _signal(b, np.where(due > 0, part, 0.0), due, np.zeros(len(b)))


def _new_money(b: BookFacts, horizon: float) -> Signal | None:
    """Money coming in now, to be invested; severe as far as it is large beside what there is."""
    del horizon
    if not b.knows("cash_flow", "total"):
        return None
    come = np.maximum(np.nan_to_num(b.column("cash_flow")), 0.0)
    part = np.where(b.column("total") > 0, ratio(come, b.column("total")), 1.0)
    return _signal(b, np.where(come > 0, part, 0.0), come, np.zeros(len(b)))


# ---- the family behind the firm


def _firm_failure(b: BookFacts, horizon: float) -> Signal | None:
    """If the own firm fails, nothing is left (severity 1) or too few months of living; the money is what is missing."""
    del horizon
    if not b.knows("firewall", "firewall_months", "firewall_short"):
        return None
    asked = load_needs().survive_months
    short = 1.0 - b.column("firewall_months") / asked if asked > 0 else np.zeros(len(b))
    severity = np.where(_is(b, "firewall", "short_of_cash"), short, _is(b, "firewall", "insolvent_after") * 1.0)
    return _signal(b, severity, b.column("firewall_short"))


def _guarantees(b: BookFacts, horizon: float) -> Signal | None:
    """Business debts that the family has guaranteed, as a part of its own money."""
    del horizon
    if not b.knows("guarantees", "equity"):
        return None
    given = np.nan_to_num(b.column("guarantees"))
    part = np.where(b.column("equity") > 0, ratio(given, b.column("equity")), 1.0)
    return _signal(b, np.where(given > 0, part, 0.0), given)


# ---- limits


def _family(family: Family) -> Measure:
    """Limits of a family that are exceeded: the worst one's distance to its bound as a part of the bound, 1 at most.

    A cap of 20% at 30% is 0.5, at 40% and above 1; a reserve of 6 months of which 3 are there is 0.5. The money is the
    most beyond any one bound: limits overlap, and their sum would count the same holdings twice.
    """

    def measure(b: BookFacts, horizon: float) -> Signal | None:
        del horizon
        at = [j for j, limit in enumerate(b.limits) if limit.family == family]
        s = b.now
        if not at:
            return _signal(b, np.zeros(len(b)), np.zeros(len(b)))
        bound, value, hit = s.bound[:, at], s.value[:, at], s.exceeded[:, at]
        sense = np.array([1.0 if b.limits[j].sense == "<=" else -1.0 for j in at])
        # a value that cannot be told (own money 0 or less) where the excess can: as bad as it gets
        away = np.where(np.isfinite(value) & (bound > 0), ratio((value - bound) * sense, bound), 1.0)
        severity = np.where(hit, np.clip(away, 0.0, 1.0), 0.0).max(axis=1)
        money = np.where(hit, s.over[:, at], 0.0).max(axis=1)
        return _signal(b, severity, money)

    return measure


# ---- what opens or falls due


def _lock_ends(b: BookFacts, horizon: float) -> Signal | None:
    """Holdings whose lock ends within the horizon: money to decide on; severe as the part of the total it is."""
    if b.locks is None and horizon == LOCKS and b.knows("lock_days", "lock_money", "total"):
        held = np.nan_to_num(b.column("lock_money"))
        share = np.where(b.column("total") > 0, ratio(held, b.column("total")), (held > 0) * 1.0)
        return _signal(b, share, held, b.column("lock_days"))
    if b.locks is None or not b.knows("total"):
        return None
    soon = b.locks[b.locks["days"] <= horizon]
    place = soon["place"].to_numpy("int64")
    money = np.bincount(place, weights=soon["money"], minlength=len(b)).astype("float64")
    days = np.full(len(b), np.inf)
    np.minimum.at(days, place, soon["days"].to_numpy("float64"))
    part = np.where(b.column("total") > 0, ratio(money, b.column("total")), (money > 0) * 1.0)
    return _signal(b, part, money, np.where(np.isinf(days), np.nan, days))


def _review(b: BookFacts, horizon: float) -> Signal | None:
    """A review that is due within the horizon or overdue; severe from half at the horizon to full on the day."""
    if not b.knows("review_days"):
        return None
    days = b.column("review_days")
    with np.errstate(invalid="ignore"):
        hit = days <= horizon
    ahead = np.clip(np.nan_to_num(days), 0.0, None) / horizon if horizon > 0 else np.zeros(len(b))
    severity = np.where(hit, 1.0 - 0.5 * ahead, 0.0)
    return _signal(b, severity, b.column("total") if b.knows("total") else np.full(len(b), np.nan), days)


def _plan(b: BookFacts, horizon: float) -> Signal | None:
    """A verified plan waits for a signature; severe as the part of the exceeded limits that it mends."""
    del horizon
    if not b.knows("trades", "certificate", "limits_after", "limits_exceeded", "buys", "sells"):
        return None
    ready = (b.column("trades") > 0) & b.clients["certificate"].to_numpy(bool)
    before, after = b.column("limits_exceeded"), b.column("limits_after")
    severity = np.where(before > 0, ratio(before - after, before), 0.0)
    return _signal(b, np.where(ready, severity, 0.0), (b.column("buys") + b.column("sells")) / 2)


# ---- data and deposits


def _above_insured(b: BookFacts, horizon: float) -> Signal | None:
    """Deposits at one bank above the insured amount, as a part of the total."""
    del horizon
    if not b.knows("above_insured", "total"):
        return None
    over = np.nan_to_num(b.column("above_insured"))
    part = np.where(b.column("total") > 0, ratio(over, b.column("total")), (over > 0) * 1.0)
    return _signal(b, part, over)


def _unclassified(b: BookFacts, horizon: float) -> Signal | None:
    """Holdings that nothing matched; they block the plan. Severe as the part of everything that they are."""
    del horizon
    if not b.knows("unclassified", "total"):
        return None
    lost = np.nan_to_num(b.column("unclassified"))
    return _signal(b, np.nan_to_num(ratio(lost, lost + np.nan_to_num(b.column("total")))), lost)


def _no_band(b: BookFacts, horizon: float) -> Signal | None:
    """No risk band that can be read: nothing can be judged, nothing may be advised; the money is all there is."""
    del horizon
    if not b.knows("status", "total"):
        return None
    return _signal(b, _is(b, "status", "no_band") * 1.0, b.column("total"))


def _data(b: BookFacts, horizon: float) -> Signal | None:
    """Rows of the client that could not be used: one is half of it, two three quarters; their money is not known."""
    del horizon
    if not b.knows("set_aside"):
        return None
    return _signal(b, 1.0 - 0.5 ** b.column("set_aside"), np.full(len(b), np.nan))


REASONS: Final[Mapping[str, Measure]] = {
    "insolvent": _insolvent,
    "unfunded": _unfunded,
    "withdrawal": _withdrawal,
    "firm_failure": _firm_failure,
    "guarantees": _guarantees,
    "reserve": _family("reserve"),
    "risk": _family("risk"),
    "concentration": _family("concentration"),
    "band": _family("band"),
    "lock_ends": _lock_ends,
    "new_money": _new_money,
    "review": _review,
    "plan": _plan,
    "no_band": _no_band,
    "unclassified": _unclassified,
    "data": _data,
    "above_insured": _above_insured,
}
"""Every reason of the house, in the order in which ties are told."""


def _is(b: BookFacts, column: str, code: str) -> BoolArray:
    return (b.clients[column] == code).to_numpy(bool)


def _signal(b: BookFacts, severity: AnyArray, money: AnyArray, days: AnyArray | None = None) -> Signal:
    """Clip the severity, 0 where it cannot be told; money and deadline only where there is a reason.

    ``money`` is given in each client's currency.
    """
    known = np.clip(np.nan_to_num(severity), 0.0, 1.0)
    days = np.full(len(b), np.nan) if days is None else days
    hit = known > 0
    return Signal(known, np.where(hit, money * b.rate, np.nan), np.where(hit, days, np.nan))
