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
from allocator.verify_kinds import Scenarios, by_label, counted, counting, gaps, label_of, term
from allocator.verify_sheet import CENT, ZERO, Item, Sheet, exact, is_number

Name = int | str
"""Single names are keyed by issuer or label, or by the place of the item where nobody else shares its issuer."""


@dataclass(frozen=True, slots=True)
class State:
    """What the limits look at. Money, except the months' ``need``, which is None where the spending is unknown.

    ``own`` is the variance of what single assets add of their own, ``money`` what of each item is inside the buckets.
    """

    sheet: Sheet
    total: Decimal
    equity: Decimal
    debt: Decimal
    need: Decimal | None
    liquid: Decimal
    sigma: Decimal
    own: Decimal
    money: Sequence[Decimal]
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

    Parameters
    ----------
    framework, assumptions
        What they are taken from.
    limits
        Limits to verify; default those of the framework.

    Raises
    ------
    ValueError
        The assumptions say nothing on a class, or a limit names an unknown share.
    """

    def __init__(self, framework: Framework, assumptions: Assumptions, limits: Sequence[Limit] | None = None) -> None:
        self.bands = list(framework.bands)
        self.limits = limit_list(framework) if limits is None else tuple(limits)
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
        self.models = [{k: exact(w) for k, w in b.model.items()} for b in framework.bands.values()]
        tails = any(limit.kind == "cvar" for limit in self.limits)
        self.scenarios = Scenarios(framework, assumptions) if tails else None

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
        total = liquid = ZERO
        inside: list[Decimal] = []
        classes: dict[str, Decimal] = {}
        named: dict[Name, Decimal] = {}
        singles: dict[Name, Decimal] = {}
        issuers: dict[Name, Decimal] = {}
        for k, (item, value) in enumerate(zip(sheet.items, values, strict=True)):
            money = ZERO
            if value and item.asset_class != UNCLASSIFIED:
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
            inside.append(money)
        apart = sum((x * x for x in singles.values()), ZERO)
        debt, service = _owed(sheet, repaid or [ZERO] * len(sheet.loans))
        need = None if sheet.spending is None else sheet.spending + service / 12
        sigma = _root(self._systematic(classes) + apart)
        return State(sheet, total, total - debt, debt, need, liquid, sigma, apart, inside, classes, named, issuers)

    def _systematic(self, classes: dict[str, Decimal]) -> Decimal:
        """Variance of the classes' money: f'Rf with the factor exposures f = Σ money · loading · factor volatility."""
        factors: dict[int, Decimal] = {}
        for code, money in classes.items():
            for j, loading in self.classes[code].factors:
                factors[j] = factors.get(j, ZERO) + money * loading
        return sum((x * y * self.correlation[i][j] for i, x in factors.items() for j, y in factors.items()), ZERO)

    def read(self, limit: Limit, bound: Decimal, state: State) -> Reading:
        """Measure one limit."""
        base, exposure = self._exposure(limit, state)
        level = bound * base
        if limit.sense == "<=":
            excess = {name: max(x - level, ZERO) for name, x in exposure.items()}
        else:
            excess = {name: max(level - x, ZERO) for name, x in exposure.items()}
        value = max(exposure.values(), default=ZERO) / base if base > 0 else None
        if limit.kind == "reserve_months" and base == 0:
            value = Decimal("Infinity")  # nothing is needed: the reserve lasts for ever
        return Reading(value, exposure, excess)

    def _exposure(self, limit: Limit, state: State) -> tuple[Decimal, dict[Name, Decimal]]:
        """What a limit is a multiple of, and the money that counts in it by name."""
        total, kind = state.total, limit.kind
        if kind == "share":
            shares = self.shares[limit.name]
            return total, {"": sum((x * shares[c] for c, x in state.classes.items() if c in shares), ZERO)}
        if kind == "reserve_months":
            return state.need or ZERO, {"": state.liquid}
        if kind == "volatility":
            return state.equity, {"": state.sigma}
        if kind == "leverage":
            return total, {"": state.debt}
        if kind == "single_holding":
            return total, state.named
        if kind == "issuer":
            return total, state.issuers
        if kind == "label":
            return total, by_label(limit, state.sheet, state.money)
        if kind == "cvar" and self.scenarios is not None:
            return state.equity, {"": self.scenarios.shortfall(state.classes)}
        if kind == "tracking":
            model = self.models[self.bands.index(state.sheet.band)]
            return total, {"": _root(self._systematic(gaps(state.classes, model, total)) + state.own)}
        base = state.equity if limit.base == "equity" else total
        if kind == "counted":
            return base, {"": counted(limit, state.sheet, state.money)}
        if kind == "term":
            return base, {"": term(limit, state.sheet, state.money)}
        raise ValueError(f"the limit '{limit.name}' is of a kind that is not known here")

    def counting(self, limit: Limit, name: Name, sheet: Sheet) -> Iterable[int]:
        """Places of the items that count in a cap under a name; for the leverage, which counts debts, none."""
        if limit.kind in ("counted", "term"):
            yield from counting(limit, sheet.items)
            return
        for k, item in enumerate(sheet.items):
            own = self.classes.get(item.asset_class)
            if own is None or limit.kind == "leverage" or self.inside(item) <= 0:
                continue
            if limit.kind == "single_holding":
                counts = own.named and _asset(item, k) == name
            elif limit.kind == "issuer":
                counts = own.named and _issuer(item, k) == name
            elif limit.kind == "label":
                counts = label_of(limit, item, sheet) == name and self.inside(item) > 0
            elif limit.kind in ("volatility", "cvar", "tracking"):
                alone = limit.kind != "cvar" and bool(own.idiosyncratic)  # scenarios are of the factors only
                counts = alone or any(self.classes[c].factors for c, w in item.mix if w)
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
        _check_item(item, yardstick)


def _check_item(item: Item, yardstick: Yardstick) -> None:
    """Refuse an item whose numbers or classes cannot be; constants of our own need no second look."""
    if not is_number(item.value) or item.value < 0:
        raise ValueError("the value of an item must be a finite decimal of 0 or more")
    whole = ZERO
    for code, weight in item.mix:
        if not _is_fraction(weight):
            raise ValueError("mix weights of an item must be decimals from 0 to 1")
        if code not in yardstick.classes:
            raise ValueError("an item names a class that the framework does not have")
        whole += weight
    for x in (item.sellable, item.buy_cost, item.sell_cost, item.tax_rate, *(part for _, part in item.counted)):
        if x is not ZERO and not _is_fraction(x):
            raise ValueError("sellable, costs, tax rate and counted parts of an item must be decimals from 0 to 1")
    if item.lot is not CENT and not (is_number(item.lot) and item.lot > 0):
        raise ValueError("the lot of an item must be a finite decimal above 0")
    if item.minimum is not ZERO and not (is_number(item.minimum) and item.minimum >= 0):
        raise ValueError("the minimum of an item must be a finite decimal of 0 or more")
    if item.basis is not None and not (is_number(item.basis) and item.basis >= 0):
        raise ValueError("the basis of an item must be a finite decimal of 0 or more, or None where it is unknown")
    if item.asset_class == UNCLASSIFIED:
        if item.mix:
            raise ValueError("an unclassified item has no mix")
    elif item.asset_class not in yardstick.classes:
        raise ValueError("an item names a class that the framework does not have")
    elif abs(whole - 1) > Decimal("2e-6"):
        raise ValueError("the mix of a classified item must sum to 1")


def _is_fraction(x: object) -> bool:
    return isinstance(x, Decimal) and x.is_finite() and 0 <= x <= 1


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
    if name == "cash":
        return Decimal(c.liquidity == "cash" and c.buy_cost == 0 and c.sell_cost == 0)
    raise ValueError(f"a limit names an unknown share '{name}'")


def _root(variance: Decimal) -> Decimal:
    """Square root; rounded correlations may leave a variance a hair below 0."""
    return max(variance, ZERO).sqrt()


def _asset(item: Item, place: int) -> Name:
    return item.asset or place


def _issuer(item: Item, place: int) -> Name:
    return item.issuer.casefold() if item.issuer else _asset(item, place)
