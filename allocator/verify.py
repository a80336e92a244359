"""The independent verifier of plans: money to the cent, permissions, limits and do no harm, from the trade list alone.

It shares no code with the optimiser and trusts none of its numbers; arithmetic is decimal, what it is given is in
`verify_sheet`, the checks of the trade list as such are in `verify_checks`, the measures in `verify_measures`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final

from allocator.assumptions import Assumptions
from allocator.framework import Framework
from allocator.limits import TOLERANCE, Limit, budgets
from allocator.verify_checks import (
    Check,
    amounts,
    budget,
    costs,
    lots,
    money,
    satellite,
    spent,
    spent_at_start,
    suitability,
    tax,
)
from allocator.verify_measures import Reading, State, Yardstick, check_sheet
from allocator.verify_sheet import (
    CONTEXT,
    ZERO,
    Item,
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

BAD: Final = frozenset({"worse", "broken"})
"""Verdicts with which no certificate holds."""

Flows = tuple[list[Decimal], list[Decimal]]
"""Bought and sold at the starting point, per item."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whether a plan may be shown, and every check behind that."""

    holds: bool
    checks: tuple[Check, ...]


class Verifier:
    """Verifies plans under one framework and one table of assumptions; makes their decimals once.

    Parameters
    ----------
    framework, assumptions
        Where limits, classes and risk come from.
    limits
        Limits to verify, such as `limit_list` gives them with a user's own; default those of the framework.

    Raises
    ------
    ValueError
        The assumptions do not cover the classes of the framework.
    """

    def __init__(self, framework: Framework, assumptions: Assumptions, limits: Sequence[Limit] | None = None) -> None:
        with localcontext(CONTEXT):
            self._yardstick = Yardstick(framework, assumptions, limits)
            self._tolerance = exact(TOLERANCE)
            self._bands = {code: (b.product_risk, exact(b.satellite)) for code, b in framework.bands.items()}
            self._budgets = {
                code: [(x.name, exact(x.bounds[j])) for x in budgets(framework) if not math.isnan(x.bounds[j])]
                for j, code in enumerate(framework.bands)
            }

    def verify(
        self, sheet: Sheet, moves: Sequence[Move], *, portfolio_mode: bool = False, hard: bool = False
    ) -> Certificate:
        """Verify a plan; see `verify`."""
        with localcontext(CONTEXT):
            y = self._yardstick
            check_sheet(sheet, y)
            today = y.measure(sheet, [item.value for item in sheet.items])
            if today.equity <= 0:
                raise ValueError("an insolvent client (debts not below the total) is reported, never planned")
            ledger = read_moves(sheet, moves)
            flows = start_flows(sheet, [y.inside(item) > 0 for item in sheet.items]) or no_flows(sheet)
            end = y.measure(sheet, ledger.values(sheet), ledger.repaid(sheet))
            grade, share = self._bands[sheet.band]
            checks = [
                money(sheet, ledger),
                costs(sheet, ledger),
                tax(sheet, ledger),
                amounts(sheet, ledger),
                lots(sheet, ledger),
                suitability(sheet, ledger, None if portfolio_mode else grade),
            ]
            if portfolio_mode:
                totals = (today.total, end.total)
                checks.append(satellite(sheet, ledger, (grade, share), totals, self._tolerance))
            if self._budgets[sheet.band]:
                before, now = spent_at_start(sheet, *flows), spent(ledger)
                checks += [
                    budget(name, bound, (before[name], now[name]), today.total, self._tolerance)
                    for name, bound in self._budgets[sheet.band]
                ]
            checks += self._limits(flows, today, end, hard)
            return Certificate(all(c.verdict not in BAD for c in checks), tuple(checks))

    def _limits(self, flows: Flows, today: State, end: State, hard: bool) -> list[Check]:
        y, total, sheet = self._yardstick, today.total, today.sheet
        bought, sold = flows
        left = [max(item.available - s, ZERO) for item, s in zip(sheet.items, sold, strict=True)]
        values = [i.value + b - s for i, b, s in zip(sheet.items, bought, sold, strict=True)]
        start = y.measure(sheet, values) if any(bought) or any(sold) else today
        out = []
        for limit, bound in y.bounds(sheet):
            x, z = y.read(limit, bound, start), y.read(limit, bound, end)
            verdict = self._verdict(limit, (x, z), (sheet, left), self._tolerance * total)
            if hard and verdict != "holds":
                verdict = "broken"
            out.append(
                Check(limit.name, limit.sense, x.value, bound, z.value, x.beyond / total, z.beyond / total, verdict)
            )
        return out

    def _verdict(
        self,
        limit: Limit,
        readings: tuple[Reading, Reading],
        stock: tuple[Sheet, Sequence[Decimal]],
        tolerance: Decimal,
    ) -> str:
        """Judge one limit: readings at the starting point and after, the sheet and what of each item can be sold."""
        start, end = readings
        if end.beyond <= tolerance:
            return "holds"
        names = start.excess.keys() | end.excess.keys()
        rise = {n: end.excess.get(n, ZERO) - start.excess.get(n, ZERO) for n in names}
        if _no_more(rise, tolerance):
            return "no_worse"
        if limit.sense == "<=":
            sheet, left = stock
            for n in [n for n, r in rise.items() if r > 0]:
                grown = end.exposure.get(n, ZERO) - start.exposure.get(n, ZERO)
                if grown <= tolerance and not any(left[k] for k in self._yardstick.counting(limit, n, sheet)):
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
    hard: bool = False,
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
        Any grade may be bought, above the client's grade within the satellite share of the band; what is bought must
        still be buyable.
    hard
        Every limit must hold; to be no worse than at the starting point is not enough.

    Returns
    -------
    Certificate
        It holds when no check is ``broken`` and no limit ``worse`` than at the starting point. Limits that the band
        does not have, and the reserve where the spending is unknown, are left out. Where a withdrawal cannot be paid,
        limits are compared with today. Users' own limits take a `Verifier` that was given them.

    Raises
    ------
    ValueError
        The caller's misuse: an insolvent client, an unknown band or class, a number on the sheet that cannot be.
    """
    return _verifier(_Pair(framework, assumptions)).verify(sheet, moves, portfolio_mode=portfolio_mode, hard=hard)


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


def _no_more(rise: dict[int | str, Decimal], tolerance: Decimal) -> bool:
    """Nothing rose name by name, nor in all."""
    return max(rise.values()) <= tolerance and sum(rise.values(), ZERO) <= tolerance
