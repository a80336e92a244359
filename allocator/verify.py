"""The independent verifier of plans: money to the cent, permissions, limits and do no harm, from the trade list alone.

It shares no code with the optimiser and trusts none of its numbers; arithmetic is decimal, what it is given is in
`verify_sheet`, its measures are in `verify_measures`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, Inexact, localcontext
from functools import lru_cache
from typing import Final

from allocator.assumptions import Assumptions
from allocator.framework import Framework
from allocator.limits import TOLERANCE, Limit
from allocator.verify_measures import Reading, State, Yardstick, check_sheet
from allocator.verify_sheet import (
    CONTEXT,
    ZERO,
    Item,
    Ledger,
    Loan,
    Move,
    Sheet,
    after,
    exact,
    no_flows,
    read_moves,
    start_flows,
    starting_point,
)

__all__ = ["Certificate", "Check", "Item", "Loan", "Move", "Sheet", "Verifier", "after", "starting_point", "verify"]

CENT: Final = Decimal("0.01")
BAD: Final = frozenset({"worse", "broken"})
"""Verdicts with which no certificate holds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was recomputed.

    Attributes
    ----------
    check, sense
        ``money``, ``costs``, ``amounts``, ``suitability``, or the name of a limit; how after compares with the bound.
    before, bound, after
        Limits: share, months or volatility at the starting point and after the plan. ``money``: money in (before) and
        out (after). ``costs``: owed (bound) and stated (after). ``amounts``: number of moves at fault (after).
        ``suitability``: highest grade allowed (bound) and bought (after). None where there is no such number; infinite
        months where nothing is needed.
    excess_before, excess_after
        Money beyond the bound at the starting point and after the plan, as a fraction of the total today.
    verdict
        ``holds``; for limits also ``no_worse`` than at the starting point, ``untouched`` (only the costs raised the
        share of what could not be sold) or ``worse``; else ``broken``.
    """

    check: str
    sense: str
    before: Decimal | None
    bound: Decimal | None
    after: Decimal | None
    excess_before: Decimal | None
    excess_after: Decimal | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whether a plan may be shown, and every check behind that."""

    holds: bool
    checks: tuple[Check, ...]


class Verifier:
    """Verifies plans under one framework and one table of assumptions; makes their decimals once.

    Raises
    ------
    ValueError
        The assumptions do not cover the classes of the framework.
    """

    def __init__(self, framework: Framework, assumptions: Assumptions) -> None:
        self._framework = framework
        with localcontext(CONTEXT):
            self._yardstick = Yardstick(framework, assumptions)
            self._tolerance = exact(TOLERANCE)

    def verify(self, sheet: Sheet, moves: Sequence[Move], *, portfolio_mode: bool = False) -> Certificate:
        """Verify a plan; see `verify`."""
        with localcontext(CONTEXT):
            check_sheet(sheet, self._yardstick)
            today = self._yardstick.measure(sheet, [item.value for item in sheet.items])
            if today.equity <= 0:
                raise ValueError("an insolvent client (debts not below the total) is reported, never planned")
            ledger = read_moves(sheet, moves)
            grade = None if portfolio_mode else self._framework.bands[sheet.band].product_risk
            checks = (
                _money(sheet, ledger),
                _costs(sheet, ledger),
                _amounts(sheet, ledger),
                _suitability(sheet, ledger, grade),
                *self._limits(sheet, ledger, today),
            )
            return Certificate(all(c.verdict not in BAD for c in checks), checks)

    def _limits(self, sheet: Sheet, ledger: Ledger, today: State) -> list[Check]:
        y, total = self._yardstick, today.total
        bought, sold = start_flows(sheet, [y.inside(item) > 0 for item in sheet.items]) or no_flows(sheet)
        left = [max(item.available - s, ZERO) for item, s in zip(sheet.items, sold, strict=True)]
        flows = any(bought) or any(sold)
        values = [i.value + b - s for i, b, s in zip(sheet.items, bought, sold, strict=True)]
        start = y.measure(sheet, values) if flows else today
        end = y.measure(sheet, ledger.values(sheet), ledger.repaid(sheet))
        out = []
        for limit, bound in y.bounds(sheet):
            x, z = y.read(limit, bound, start), y.read(limit, bound, end)
            verdict = self._verdict(limit, (x, z), (sheet.items, left), self._tolerance * total)
            out.append(
                Check(limit.name, limit.sense, x.value, bound, z.value, x.beyond / total, z.beyond / total, verdict)
            )
        return out

    def _verdict(
        self,
        limit: Limit,
        readings: tuple[Reading, Reading],
        stock: tuple[Sequence[Item], Sequence[Decimal]],
        tolerance: Decimal,
    ) -> str:
        """Judge one limit: readings at the starting point and after, items and what of each can be sold, in money."""
        start, end = readings
        if end.beyond <= tolerance:
            return "holds"
        names = start.excess.keys() | end.excess.keys()
        rise = {n: end.excess.get(n, ZERO) - start.excess.get(n, ZERO) for n in names}
        if _no_more(rise, tolerance):
            return "no_worse"
        if limit.sense == "<=":
            items, left = stock
            for n in [n for n, r in rise.items() if r > 0]:
                grown = end.exposure.get(n, ZERO) - start.exposure.get(n, ZERO)
                if grown <= tolerance and not any(left[k] for k in self._yardstick.counting(limit, n, items)):
                    rise[n] = ZERO
            if _no_more(rise, tolerance):
                return "untouched"
        return "worse"


def verify(
    sheet: Sheet,
    moves: Sequence[Move],
    framework: Framework,
    assumptions: Assumptions,
    *,
    portfolio_mode: bool = False,
) -> Certificate:
    """Recompute a plan from its trade list and say whether it may be shown.

    Parameters
    ----------
    sheet
        What the client has and owes today.
    moves
        The trade list. Whatever it holds (NaN, negative amounts, an asset twice) ends in a verdict, not an exception.
    framework, assumptions
        Where limits, classes and risk come from.
    portfolio_mode
        Any grade may be bought; what is bought must still be buyable.

    Returns
    -------
    Certificate
        It holds when no check is ``broken`` and no limit ``worse`` than at the starting point. Limits that the band
        does not have, and the reserve where the spending is unknown, are left out. Where a withdrawal cannot be paid,
        limits are compared with today.

    Raises
    ------
    ValueError
        The caller's misuse: an insolvent client, an unknown band or class, a number on the sheet that cannot be.
    """
    return _verifier(_Pair(framework, assumptions)).verify(sheet, moves, portfolio_mode=portfolio_mode)


class _Pair:
    """Framework and assumptions as a key: frozen models of dicts have no hash, so the objects themselves count."""

    def __init__(self, framework: Framework, assumptions: Assumptions) -> None:
        self.framework, self.assumptions = framework, assumptions

    def __hash__(self) -> int:
        return hash((id(self.framework), id(self.assumptions)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and self.framework is other.framework and self.assumptions is other.assumptions


@lru_cache(maxsize=16)
def _verifier(pair: _Pair) -> Verifier:
    return Verifier(pair.framework, pair.assumptions)


def _money(sheet: Sheet, ledger: Ledger) -> Check:
    """Σ sells − their costs + cash flow = Σ buys and repayments + their costs, in whole cents."""
    with localcontext(CONTEXT) as context:
        sells = [m for m, _ in ledger.entries if m.side == "sell"]
        buys = [m for m, _ in ledger.entries if m.side != "sell"]
        came = sum((m.amount - m.cost for m in sells), sheet.cash_flow)
        went = sum((m.amount + m.cost for m in buys), ZERO)
        cents = [100 * x for m, _ in ledger.entries for x in (m.amount, m.cost)]
        whole = all(x == x.to_integral_value() for x in cents)
        # a sum that had to be rounded proves nothing
        fine = whole and came == went and not context.flags[Inexact] and not ledger.unreadable
    if ledger.unreadable:
        return Check("money", "==", None, None, None, None, None, "broken")
    return Check("money", "==", came, None, went, None, None, "holds" if fine else "broken")


def _costs(sheet: Sheet, ledger: Ledger) -> Check:
    """Each cost is its rate times the amount, to the cent."""
    owed_in_all = stated = ZERO
    faults = ledger.unreadable
    for move, k in ledger.entries:
        if k is None:  # no rate is known; the move itself is at fault
            continue
        rate = ZERO  # repaying costs nothing
        if move.side != "repay":
            rate = sheet.items[k].buy_cost if move.side == "buy" else sheet.items[k].sell_cost
        owed = (100 * move.amount * rate).to_integral_value(ROUND_HALF_EVEN) / 100
        faults += move.cost < 0 or abs(move.cost - owed) > CENT
        owed_in_all += owed
        stated += move.cost
    return Check("costs", "==", None, owed_in_all, stated, None, None, "broken" if faults else "holds")


def _amounts(sheet: Sheet, ledger: Ledger) -> Check:
    """Amounts are above 0, each asset moves once, no more is sold or repaid than may be, and lenders get their part."""
    faults = ledger.unreadable + _unpaid(sheet, ledger)
    seen: set[tuple[bool, str]] = set()
    for move, k in ledger.entries:
        key = (move.side == "repay", move.asset_id)
        fault = k is None or move.amount <= 0 or key in seen
        seen.add(key)
        if k is not None and move.side == "repay":
            fault = fault or move.amount > sheet.loans[k].value
        if k is not None and move.side == "sell":
            item = sheet.items[k]
            # whole cents under a bound rounded up to the cent are less than a cent above it
            fault = fault or move.amount > item.value or move.amount - item.available >= CENT
            fault = fault or (item.indivisible and item.value - move.amount >= CENT)
        faults += fault
    return Check("amounts", "<=", None, ZERO, Decimal(faults), None, None, "broken" if faults else "holds")


def _unpaid(sheet: Sheet, ledger: Ledger) -> int:
    """Loans whose security is sold in part without repaying at least that part of the loan."""
    if not sheet.security:
        return 0
    sold = {x.asset_id: (amount, x.value) for x, amount in zip(sheet.items, ledger.sold(sheet), strict=True)}
    unpaid = 0
    for loan, repaid in zip(sheet.loans, ledger.repaid(sheet), strict=True):
        if loan.secured_by in sold and not loan.own_use:
            amount, value = sold[loan.secured_by]
            unpaid += repaid * value < loan.value * amount
    return unpaid


def _suitability(sheet: Sheet, ledger: Ledger, grade: int | None) -> Check:
    """Only what is on the shelf and within the client's grade is bought; the cash item always may be."""
    bought = [sheet.items[k] for m, k in ledger.entries if m.side == "buy" and k is not None]
    bought = [item for item in bought if item.asset_id != sheet.cash_id]
    fault = any(not item.buyable or (grade is not None and item.risk > grade) for item in bought)
    bound = None if grade is None else Decimal(grade)
    highest = max((Decimal(item.risk) for item in bought), default=None)
    return Check("suitability", "<=", None, bound, highest, None, None, "broken" if fault else "holds")


def _no_more(rise: dict[int | str, Decimal], tolerance: Decimal) -> bool:
    """Nothing rose name by name, nor in all."""
    return max(rise.values()) <= tolerance and sum(rise.values(), ZERO) <= tolerance
