"""Measures of the limits that need more than class money: labels, tail losses, distance from a model, users' own.

Each gives the money that counts in a limit, by name where it knows single names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from operator import mul

from allocator.assumptions import Assumptions, risk_table
from allocator.framework import Framework
from allocator.limits import Limit
from allocator.verify_sheet import ZERO, Item, Sheet, exact

LABELS = ("sector", "country", "currency")


def folded(label: str) -> str:
    """Labels are compared without regard to case and outer blanks."""
    return label.strip().casefold()


def label_of(limit: Limit, item: Item, sheet: Sheet) -> str:
    """What an item counts under in a limit on labels; empty for none: unknown, or at home."""
    if limit.name == "sector":
        return folded(item.sector)
    if limit.name == "country":
        text, home = folded(item.country), folded(sheet.home_country)
    elif limit.name == "currency":
        text, home = folded(item.currency), folded(sheet.home_currency)
    else:
        raise ValueError(f"a limit names an unknown label; known: {', '.join(LABELS)}")
    return "" if text == home else text


def by_label(limit: Limit, sheet: Sheet, money: Sequence[Decimal]) -> dict[int | str, Decimal]:
    """Money inside the buckets under each label."""
    out: dict[int | str, Decimal] = {}
    for item, amount in zip(sheet.items, money, strict=True):
        label = label_of(limit, item, sheet) if amount else ""
        if label:
            out[label] = out.get(label, ZERO) + amount
    return out


class Scenarios:
    """Yearly returns of the classes in each scenario, as exact decimals.

    The draws are taken from the assumptions as data; how they are made is no measure of a balance sheet.
    """

    def __init__(self, framework: Framework, assumptions: Assumptions) -> None:
        table = risk_table(framework, assumptions)
        columns = table.scenarios.T.tolist()
        self.returns = {code: tuple(map(exact, c)) for code, c in zip(framework.classes, columns, strict=True)}
        self.count = len(table.scenarios)
        self.tail = (1 - exact(table.level)) * self.count

    def shortfall(self, classes: Mapping[str, Decimal]) -> Decimal:
        """Mean loss of the worst scenarios, the one at the edge of the tail in part (Rockafellar and Uryasev 2000)."""
        money = [x for x in classes.values() if x]
        rows = zip(*(self.returns[code] for code, x in classes.items() if x), strict=True)
        outcome = sorted(sum(map(mul, money, row), ZERO) for row in rows) or [ZERO] * self.count
        whole = int(self.tail.to_integral_value(ROUND_FLOOR))
        worst = sum(outcome[:whole], ZERO)
        if self.tail > whole:
            worst += (self.tail - whole) * outcome[whole]
        return -worst / self.tail


def gaps(classes: Mapping[str, Decimal], model: Mapping[str, Decimal], total: Decimal) -> dict[str, Decimal]:
    """Money in each class beyond what the model portfolio would have there."""
    codes = [*classes, *(code for code in model if code not in classes)]
    return {code: classes.get(code, ZERO) - total * model.get(code, ZERO) for code in codes}


def counted(limit: Limit, sheet: Sheet, money: Sequence[Decimal]) -> Decimal:
    """Money that counts in a limit of the user's own.

    Raises
    ------
    ValueError
        An item says nothing on that limit.
    """
    return sum((amount * _part(limit, x) for x, amount in zip(sheet.items, money, strict=True) if amount), ZERO)


def counting(limit: Limit, items: Sequence[Item]) -> Iterable[int]:
    """Places of the items that count in a limit of the user's own; of a term nothing is known, so all of them."""
    return (k for k, x in enumerate(items) if limit.kind == "term" or any(n == limit.name and c for n, c in x.counted))


def term(limit: Limit, sheet: Sheet, money: Sequence[Decimal]) -> Decimal:
    """Amount of a user's own term.

    Raises
    ------
    ValueError
        The sheet has no measure for it, or that gives no number.
    """
    measure = next((m for name, m in sheet.terms if name == limit.name), None)
    if measure is None:
        raise ValueError(f"the sheet has no measure for the limit '{limit.name}'; add it to its terms")
    amount = measure(money)
    if not amount.is_finite():
        raise ValueError(f"the limit '{limit.name}' gives no number for this balance sheet; see its term")
    return amount


def _part(limit: Limit, item: Item) -> Decimal:
    for name, part in item.counted:
        if name == limit.name:
            return part
    raise ValueError(f"an item says nothing on the limit '{limit.name}'; add it to what is counted")
