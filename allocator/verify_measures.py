"""A balance sheet measured against the limits of its band, in exact decimals.

A second opinion: of `allocator.limits` only the list of limits is taken, as data; every measure is written again here,
without floats. Every limit compares exposures with a multiple of a base (the total, the equity or a month's need), and
what is beyond it is an amount of money.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from allocator.assumptions import Assumptions
from allocator.framework import OWN_USE, UNCLASSIFIED, AssetClass, Framework
from allocator.limits import Limit, limit_list
from allocator.verify_sheet import ZERO, Item, Sheet, exact, is_number

Name = int | str
"""Single names are keyed by issuer, or by the place of the item where nobody else shares its issuer."""


@dataclass(frozen=True, slots=True)
class State:
    """What the limits look at. Money, except the months' ``need``, which is None where the spending is unknown."""

    total: Decimal
    equity: Decimal
    debt: Decimal
    need: Decimal | None
    liquid: Decimal
    sigma: Decimal
    classes: dict[str, Decimal]
    named: dict[Name, Decimal]
    issuers: dict[Name, Decimal]


@dataclass(frozen=True, slots=True)
class Reading:
    """One limit measured: its value, and by name the money that counts in it and the money beyond the bound.

    Limits that know no single names have one entry under the empty name; ``value`` is None without a positive base.
    """

    value: Decimal | None
    exposure: dict[Name, Decimal]
    excess: dict[Name, Decimal]

    @property
    def beyond(self) -> Decimal:
        """Money beyond the bound in all."""
        return sum(self.excess.values(), ZERO)


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """What the measures need to know of one class; ``factors`` are loading × volatility by factor, without zeros."""

    inside: bool
    named: bool
    reserve: bool
    idiosyncratic: Decimal
    factors: tuple[tuple[int, Decimal], ...]


class Yardstick:
    """Limits and classes of one framework under one table of assumptions, in decimals.

    Raises
    ------
    ValueError
        The assumptions say nothing on a class, or a limit names an unknown share.
    """

    def __init__(self, framework: Framework, assumptions: Assumptions) -> None:
        self.bands = list(framework.bands)
        self.limits = limit_list(framework)
        self.months = (exact(framework.reserve.months), exact(framework.reserve.months_owner))
        names = list(dict.fromkeys(x.name for x in self.limits if x.kind == "share"))
        order = list(assumptions.factors)
        volatility = [exact(f.volatility) for f in assumptions.factors.values()]
        self.correlation = [[exact(r) for r in row] for row in assumptions.correlation.rows]
        self.classes: dict[str, ClassFacts] = {}
        for code, c in framework.classes.items():
            assumed = assumptions.classes.get(c.assumption or code)
            if assumed is None:
                raise ValueError(f"the assumptions say nothing on the class '{code}'; add [classes.{code}] there")
            inside = c.bucket != OWN_USE
            loadings = ((order.index(f), exact(b)) for f, b in assumed.loadings.items())
            self.classes[code] = ClassFacts(
                inside=inside,
                named=c.name_limits,
                reserve=c.bucket == "defensive" and c.liquidity in ("cash", "liquid"),
                idiosyncratic=exact(assumed.idiosyncratic) if inside else ZERO,
                factors=tuple((j, b * volatility[j]) for j, b in loadings if b) if inside else (),
            )
        self.shares = {
            n: {k: s for k, c in framework.classes.items() if c.bucket != OWN_USE and (s := _share(n, k, c))}
            for n in names
        }
        """By limit: how much of each class counts to it; classes of which nothing counts are left out."""

    def bounds(self, sheet: Sheet) -> list[tuple[Limit, Decimal]]:
        """Limits that apply to the sheet and can be judged, with their bounds."""
        j = self.bands.index(sheet.band)
        out = []
        for limit in self.limits:
            if math.isnan(limit.bounds[j]) or (limit.kind == "reserve_months" and sheet.spending is None):
                continue
            bound = self.months[sheet.owner] if limit.kind == "reserve_months" else exact(limit.bounds[j])
            out.append((limit, bound))
        return out

    def inside(self, item: Item) -> Decimal:
        """Fraction of an item that counts to the total."""
        return sum((w for code, w in item.mix if self.classes[code].inside), ZERO)

    def measure(self, sheet: Sheet, values: Sequence[Decimal], repaid: Sequence[Decimal] = ()) -> State:
        """Measure the sheet with other values of its items (one per item), and with some of each loan repaid."""
        total = liquid = variance = ZERO
        classes: dict[str, Decimal] = {}
        named: dict[Name, Decimal] = {}
        singles: dict[Name, Decimal] = {}
        issuers: dict[Name, Decimal] = {}
        for k, (item, value) in enumerate(zip(sheet.items, values, strict=True)):
            if not value or item.asset_class == UNCLASSIFIED:
                continue
            money = ZERO
            for code, weight in item.mix:
                if self.classes[code].inside:
                    part = value * weight
                    money += part
                    classes[code] = classes.get(code, ZERO) + part
            total += money
            own = self.classes[item.asset_class]
            asset = _asset(item, k)
            singles[asset] = singles.get(asset, ZERO) + own.idiosyncratic * value
            if own.reserve and item.tradable:
                liquid += value
            if own.named and money:
                named[asset] = named.get(asset, ZERO) + money
                issuer = _issuer(item, k)
                issuers[issuer] = issuers.get(issuer, ZERO) + money
        variance += self._systematic(classes) + sum((x * x for x in singles.values()), ZERO)
        debt, service = _owed(sheet, repaid or [ZERO] * len(sheet.loans))
        need = None if sheet.spending is None else sheet.spending + service / 12
        # rounded correlations may leave a variance a hair below 0
        sigma = max(variance, ZERO).sqrt()
        return State(total, total - debt, debt, need, liquid, sigma, classes, named, issuers)

    def _systematic(self, classes: dict[str, Decimal]) -> Decimal:
        """Variance of the classes' money: f'Rf with the factor exposures f = Σ money · loading · factor volatility."""
        factors: dict[int, Decimal] = {}
        for code, money in classes.items():
            for j, loading in self.classes[code].factors:
                factors[j] = factors.get(j, ZERO) + money * loading
        return sum((x * y * self.correlation[i][j] for i, x in factors.items() for j, y in factors.items()), ZERO)

    def read(self, limit: Limit, bound: Decimal, state: State) -> Reading:
        """Measure one limit."""
        base = state.total
        exposure: dict[Name, Decimal]
        if limit.kind == "reserve_months":
            base, exposure = state.need or ZERO, {"": state.liquid}
        elif limit.kind == "volatility":
            base, exposure = state.equity, {"": state.sigma}
        elif limit.kind == "leverage":
            exposure = {"": state.debt}
        elif limit.kind == "single_holding":
            exposure = state.named
        elif limit.kind == "issuer":
            exposure = state.issuers
        else:
            money = state.classes
            exposure = {"": sum((money[c] * s for c, s in self.shares[limit.name].items() if c in money), ZERO)}
        level = bound * base
        if limit.sense == "<=":
            excess = {name: max(x - level, ZERO) for name, x in exposure.items()}
        else:
            excess = {name: max(level - x, ZERO) for name, x in exposure.items()}
        value = max(exposure.values(), default=ZERO) / base if base > 0 else None
        if limit.kind == "reserve_months" and base == 0:
            value = Decimal("Infinity")  # nothing is needed: the reserve lasts for ever
        return Reading(value, exposure, excess)

    def counting(self, limit: Limit, name: Name, items: Sequence[Item]) -> Iterable[int]:
        """Places of the items that count in a cap under a name; for the leverage, which counts debts, none."""
        for k, item in enumerate(items):
            own = self.classes.get(item.asset_class)
            if own is None or limit.kind == "leverage":
                continue
            if limit.kind == "single_holding":
                counts = own.named and _asset(item, k) == name
            elif limit.kind == "issuer":
                counts = own.named and _issuer(item, k) == name
            elif limit.kind == "volatility":
                counts = bool(own.idiosyncratic) or any(self.classes[c].factors for c, w in item.mix if w)
            else:
                counts = any(w and c in self.shares[limit.name] for c, w in item.mix)
            if counts:
                yield k


def check_sheet(sheet: Sheet, yardstick: Yardstick) -> None:
    """Refuse a sheet that the caller should never have handed over.

    Raises
    ------
    ValueError
        Unknown band or class, a number that is missing, not finite or negative, a mix that is no whole.
    """
    if sheet.band not in yardstick.bands:
        raise ValueError(f"unknown band; allowed: {', '.join(yardstick.bands)}")
    money = (sheet.guarantees, *(x for loan in sheet.loans for x in (loan.value, loan.service)))
    if not all(is_number(x) and x >= 0 for x in money) or not is_number(sheet.cash_flow):
        raise ValueError("loans, guarantees and cash_flow must be finite decimals, only the last one may be below 0")
    if sheet.spending is not None and not (is_number(sheet.spending) and sheet.spending >= 0):
        raise ValueError("spending must be a finite decimal of 0 or more, or None where it is unknown")
    for item in sheet.items:
        fractions = (item.sellable, item.buy_cost, item.sell_cost, *(w for _, w in item.mix))
        if not is_number(item.value) or item.value < 0:
            raise ValueError("the value of an item must be a finite decimal of 0 or more")
        if not all(is_number(x) and 0 <= x <= 1 for x in fractions):
            raise ValueError("sellable, costs and mix weights of an item must be decimals from 0 to 1")
        if item.asset_class == UNCLASSIFIED:
            if item.mix:
                raise ValueError("an unclassified item has no mix")
            continue
        if item.asset_class not in yardstick.classes or any(c not in yardstick.classes for c, _ in item.mix):
            raise ValueError("an item names a class that the framework does not have")
        if abs(sum((w for _, w in item.mix), ZERO) - 1) > Decimal("2e-6"):
            raise ValueError("the mix of a classified item must sum to 1")


def _owed(sheet: Sheet, repaid: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """Debts that count against the total, and the payments a year on all of them, after repayments."""
    debt = service = ZERO
    for loan, paid in zip(sheet.loans, repaid, strict=True):
        if not loan.own_use:
            debt += loan.value - paid
        service += loan.service * (loan.value - paid) / loan.value if paid and loan.value else loan.service
    return debt, service


def _share(name: str, code: str, c: AssetClass) -> Decimal:
    """How much of a class inside the buckets counts to a share such as ``property`` or ``group:equity``."""
    kind, _, part = name.partition(":")
    if kind == "bucket":
        return Decimal(c.bucket == part)
    if kind == "group":
        return exact(c.groups.get(part, 0.0))
    if kind == "class":
        return Decimal(code == part)
    if name in ("property", "business"):
        return Decimal(c.kind == name)
    if name == "illiquid":
        return Decimal(c.liquidity == "illiquid")
    raise ValueError(f"a limit names an unknown share '{name}'")


def _asset(item: Item, place: int) -> Name:
    return item.asset or place


def _issuer(item: Item, place: int) -> Name:
    return item.issuer.casefold() if item.issuer else _asset(item, place)
