"""Checks of a trade list as such: money, costs, tax, amounts, lots, suitability, and what one plan may spend."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, Inexact, localcontext

from allocator.verify_sheet import CENT, ZERO, Item, Ledger, Sheet


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was recomputed.

    Attributes
    ----------
    check, sense
        ``money``, ``costs``, ``tax``, ``amounts``, ``lots``, ``suitability``, ``satellite``, ``turnover``, ``cost``, or
        the name of a limit; how after compares with the bound.
    before, bound, after
        Limits: share, months or volatility at the starting point and after the plan. ``money``: money in (before) and
        out (after). ``costs``, ``tax``: owed (bound) and stated (after). ``amounts``, ``lots``: number of moves at
        fault (after). ``suitability``: highest grade allowed (bound) and bought (after). ``satellite``: share bought
        above the grade. ``turnover``, ``cost``: fractions of the total today that raising a withdrawal takes (before)
        and the plan takes (after). None where there is no such number; infinite months where nothing is needed.
    excess_before, excess_after
        Money beyond the bound at the starting point and after the plan, as a fraction of the total today.
    verdict
        ``holds``; for limits also ``no_worse`` than at the starting point, ``untouched`` (only the costs raised the
        share of what could not be sold) or ``worse``; for ``turnover`` and ``cost`` also ``no_worse`` than what a
        withdrawal takes; else ``broken``.
    """

    check: str
    sense: str
    before: Decimal | None
    bound: Decimal | None
    after: Decimal | None
    excess_before: Decimal | None
    excess_after: Decimal | None
    verdict: str


def money(sheet: Sheet, ledger: Ledger) -> Check:
    """Σ sells − their costs and taxes + cash flow = Σ buys and repayments + their costs, in whole cents."""
    with localcontext() as context:
        context.clear_flags()
        sells = [m for m, _ in ledger.entries if m.side == "sell"]
        buys = [m for m, _ in ledger.entries if m.side != "sell"]
        came = sum((m.amount - m.cost - m.tax for m in sells), sheet.cash_flow)
        went = sum((m.amount + m.cost for m in buys), ZERO)
        cents = [100 * x for m, _ in ledger.entries for x in (m.amount, m.cost, m.tax) if x]
        whole = all(x == x.to_integral_value() for x in cents)
        # a sum that had to be rounded proves nothing
        fine = whole and came == went and not context.flags[Inexact] and not ledger.unreadable
    if ledger.unreadable:
        return Check("money", "==", None, None, None, None, None, "broken")
    return Check("money", "==", came, None, went, None, None, _passed(fine))


def costs(sheet: Sheet, ledger: Ledger) -> Check:
    """Each cost is its rate times the amount, to the cent."""
    owed_in_all = stated = ZERO
    faults = ledger.unreadable
    for move, k in ledger.entries:
        if k is None:  # no rate is known; the move itself is at fault
            continue
        rate = ZERO  # repaying costs nothing
        if move.side != "repay":
            rate = sheet.items[k].buy_cost if move.side == "buy" else sheet.items[k].sell_cost
        owed = _cents(move.amount * rate)
        faults += move.cost < 0 or abs(move.cost - owed) > CENT
        owed_in_all += owed
        stated += move.cost
    return Check("costs", "==", None, owed_in_all, stated, None, None, _passed(not faults))


def tax(sheet: Sheet, ledger: Ledger) -> Check:
    """Each sale's tax is what its part of the gain owes, to the cent; where no gain is taxed, exactly nothing."""
    owed_in_all = stated = ZERO
    faults = ledger.unreadable
    for move, k in ledger.entries:
        if k is None:
            continue
        due = sheet.items[k].tax(move.amount) if move.side == "sell" else ZERO
        owed = _cents(due) if due else ZERO
        faults += move.tax < 0 or abs(move.tax - owed) > (CENT if due else ZERO)
        owed_in_all += owed
        stated += move.tax
    return Check("tax", "==", None, owed_in_all, stated, None, None, _passed(not faults))


def amounts(sheet: Sheet, ledger: Ledger) -> Check:
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
    return Check("amounts", "<=", None, ZERO, Decimal(faults), None, None, _passed(not faults))


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


def lots(sheet: Sheet, ledger: Ledger) -> Check:
    """What is bought, but for the cash item, comes in whole lots, and not below the minimum where it is new."""
    faults = ledger.unreadable
    for move, k in ledger.entries:
        if k is None or move.side != "buy" or move.asset_id == sheet.cash_id:
            continue
        item = sheet.items[k]
        number = (move.amount / item.lot).to_integral_value()
        faults += number * item.lot != move.amount or (not item.value and move.amount < item.minimum)
    return Check("lots", "<=", None, ZERO, Decimal(faults), None, None, _passed(not faults))


def suitability(sheet: Sheet, ledger: Ledger, grade: int | None) -> Check:
    """Only what is on the shelf and within the client's grade is bought; the cash item is bound by neither.

    What the client will not have bought is never bought, be it the cash item. ``grade`` is None where any may be.
    """
    bought = _bought(sheet, ledger)
    shop = [item for item in bought if item.asset_id != sheet.cash_id]
    fault = any(not item.buyable or (grade is not None and item.risk > grade) for item in shop)
    fault = fault or any(item.never_buy for item in bought)
    bound = None if grade is None else Decimal(grade)
    highest = max((Decimal(item.risk) for item in shop), default=None)
    return Check("suitability", "<=", None, bound, highest, None, None, _passed(not fault))


def satellite(
    sheet: Sheet, ledger: Ledger, band: tuple[int, Decimal], totals: tuple[Decimal, Decimal], tolerance: Decimal
) -> Check:
    """What is bought above the grade stays within the satellite share of the total after the plan.

    Parameters
    ----------
    sheet, ledger
        What there is, and the trades.
    band
        The client's grade and satellite share.
    totals, tolerance
        Total today and after the plan, and the fraction of the first that counts as none.
    """
    grade, share = band
    today, end = totals
    above = sum(
        (
            m.amount
            for m, k in ledger.entries
            if m.side == "buy" and k is not None and m.asset_id != sheet.cash_id and sheet.items[k].risk > grade
        ),
        ZERO,
    )
    beyond = max(above - share * end, ZERO)
    value = above / end if end > 0 else None
    return Check("satellite", "<=", None, share, value, None, beyond / today, _passed(beyond <= tolerance * today))


def budget(name: str, bound: Decimal, spent: tuple[Decimal, Decimal], total: Decimal, tolerance: Decimal) -> Check:
    """What a plan spends is within a budget, or no more than raising the withdrawal takes.

    Parameters
    ----------
    name, bound
        ``turnover`` or ``cost``, and its share of the total today.
    spent
        Money at the starting point and in the plan.
    total, tolerance
        Total today, and the fraction of it that counts as none.
    """
    before, after = (x / total for x in spent)
    verdict = "holds" if after <= bound + tolerance else "no_worse" if after <= before + tolerance else "broken"
    excess = (max(before - bound, ZERO), max(after - bound, ZERO))
    return Check(name, "<=", before, bound, after, *excess, verdict)


def spent(ledger: Ledger) -> dict[str, Decimal]:
    """Money that a plan takes: half of what it buys and sells (repaying is no trade), and its costs and taxes."""
    traded = sum((m.amount for m, _ in ledger.entries if m.side != "repay"), ZERO)
    paid = sum((m.cost + m.tax for m, _ in ledger.entries), ZERO)
    return {"turnover": traded / 2, "cost": paid}


def spent_at_start(sheet: Sheet, bought: list[Decimal], sold: list[Decimal]) -> dict[str, Decimal]:
    """The same for the starting point: per item, what it buys and sells."""
    paid = sum((s * x.sell_cost + x.tax(s) for x, s in zip(sheet.items, sold, strict=True) if s), ZERO)
    return {"turnover": (sum(bought, ZERO) + sum(sold, ZERO)) / 2, "cost": paid}


def _bought(sheet: Sheet, ledger: Ledger) -> list[Item]:
    return [sheet.items[k] for m, k in ledger.entries if m.side == "buy" and k is not None]


def _cents(amount: Decimal) -> Decimal:
    """The nearest cent, of two equally near the even one."""
    return (100 * amount).to_integral_value(ROUND_HALF_EVEN) / 100


def _passed(fine: bool) -> str:
    return "holds" if fine else "broken"
