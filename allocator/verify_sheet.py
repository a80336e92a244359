"""What the verifier is given: a client's balance sheet and the trade list, and where a plan starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final, Literal

from allocator.framework import OWN_USE, Framework

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")
SIDES: Final = ("buy", "sell", "repay")
CONTEXT: Final = Context(
    prec=50,
    rounding=ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""Arithmetic of the verifier, whatever context the caller has set: sums of money are exact, roots good to 50 digits."""
LARGEST_EXPONENT: Final = 1000
"""Beyond 10^1000 a number is no amount of money; it keeps every product far from overflow."""

Term = Callable[[Sequence[Decimal]], Decimal]
"""Measures a user's own term: from the money inside the buckets, one number per item of the sheet, to an amount."""


@dataclass(frozen=True, slots=True)
class Item:
    """One holding, or one product that the plan buys (value 0 before). Money in the client's currency.

    Attributes
    ----------
    asset_id
        What moves call it. Moves cannot name an id that two items share.
    value
        Before the plan, 0 or more.
    asset_class
        Class code, or ``unclassified``: outside the total.
    mix
        Class weights that sum to 1, funds looked through; empty for what is unclassified.
    issuer
        Compared without regard to case; empty: an issuer of its own.
    tradable
        Neither locked nor pledged; what is not can neither be sold nor counts as reserve.
    sellable
        Fraction that may be sold in this plan.
    indivisible
        Sold whole or not at all.
    own_company
        Issued by or lent to the client's own company.
    buyable
        On the shelf, or the client's cash account.
    risk
        Grade 1–5.
    buy_cost, sell_cost
        Fractions of the amount.
    asset
        What lies in several accounts has the same text here in each; empty: in one account.
    basis
        What was paid for it; None is unknown, and no tax is then due.
    tax_rate
        Fraction of a realised gain.
    lot, minimum
        Amounts bought are whole lots, and at least the minimum where nothing of it is held yet.
    sector, country, currency
        Labels, compared without regard to case and outer blanks; empty: unknown, in no limit.
    sell_first
        The client wants it sold before others: it also pays a withdrawal before them.
    never_buy
        Not even as the cash item.
    counted
        By name of a user's own limit: the fraction of the item that counts in it.
    """

    asset_id: str
    value: Decimal
    asset_class: str
    mix: tuple[tuple[str, Decimal], ...]
    issuer: str
    tradable: bool
    sellable: Decimal
    indivisible: bool
    own_company: bool
    buyable: bool
    risk: int
    buy_cost: Decimal
    sell_cost: Decimal
    asset: str = ""
    basis: Decimal | None = None
    tax_rate: Decimal = ZERO
    lot: Decimal = CENT
    minimum: Decimal = ZERO
    sector: str = ""
    country: str = ""
    currency: str = ""
    sell_first: bool = False
    never_buy: bool = False
    counted: tuple[tuple[str, Decimal], ...] = ()

    @property
    def available(self) -> Decimal:
        """Money that may be sold in this plan, not rounded."""
        if not self.tradable:
            return ZERO
        if self.indivisible:
            return self.value if self.sellable >= 1 else ZERO
        return self.sellable * self.value

    def tax(self, amount: Decimal) -> Decimal:
        """Tax on selling an amount, not rounded: its part of the gain, taxed; 0 where the basis is unknown."""
        if self.basis is None or not self.tax_rate or self.basis >= self.value:
            return ZERO
        return self.tax_rate * amount * (self.value - self.basis) / self.value


@dataclass(frozen=True, slots=True)
class Loan:
    """One debt. Money in the client's currency.

    Attributes
    ----------
    loan_id
        What repayments call it.
    value
        Outstanding, 0 or more.
    service
        Payments a year; they fall with what is repaid.
    secured_by
        ``asset_id`` of what secures it; selling part of that repays at least that part of the loan. Empty for none.
    own_use
        Secured on an asset outside the buckets: does not count against the total.
    """

    loan_id: str
    value: Decimal
    service: Decimal
    secured_by: str = ""
    own_use: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one client has and owes before the plan. Money in the client's currency.

    Attributes
    ----------
    band
        Code of the risk band.
    owner
        Has a company of their own; a plan does not change it.
    loans
        What the client owes.
    spending
        Living costs a month; None is unknown, the reserve is then not judged.
    cash_flow
        Due now: new money +, withdrawal −. In whole cents, or no plan can balance.
    guarantees
        Business debts that the family has guaranteed.
    items
        Holdings, and products that the plan buys.
    cash_id
        The item that new money goes into and leftovers end in.
    home_currency, home_country
        What is in neither is foreign.
    terms
        By name of a user's own limit: its measure, for limits that are terms.
    """

    band: str
    owner: bool
    loans: tuple[Loan, ...]
    spending: Decimal | None
    cash_flow: Decimal
    guarantees: Decimal
    items: tuple[Item, ...]
    cash_id: str
    home_currency: str = ""
    home_country: str = ""
    terms: tuple[tuple[str, Term], ...] = ()

    @property
    def security(self) -> frozenset[str]:
        """Assets inside the buckets that secure a loan: what they bring belongs to the lender first."""
        return frozenset(x.secured_by for x in self.loans if x.secured_by and x.value > 0 and not x.own_use)


@dataclass(frozen=True, slots=True)
class Move:
    """One trade: selling ``amount`` at ``cost`` and ``tax`` brings amount − cost − tax, buying it takes amount + cost.

    ``repay`` takes amount + cost too; ``asset_id`` then names a loan.
    """

    asset_id: str
    side: Literal["buy", "sell", "repay"]
    amount: Decimal
    cost: Decimal
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Ledger:
    """Moves that can be read, each with the place of the item or loan it means (None: none, or more than one)."""

    entries: tuple[tuple[Move, int | None], ...]
    unreadable: int

    def values(self, sheet: Sheet) -> list[Decimal]:
        """Values of the items after the moves."""
        out = [item.value for item in sheet.items]
        for move, k in self.entries:
            if k is not None and move.side != "repay":
                out[k] += move.amount if move.side == "buy" else -move.amount
        return out

    def repaid(self, sheet: Sheet) -> list[Decimal]:
        """What the moves repay of each loan."""
        out = [ZERO] * len(sheet.loans)
        for move, k in self.entries:
            if k is not None and move.side == "repay":
                out[k] += move.amount
        return out

    def sold(self, sheet: Sheet) -> list[Decimal]:
        """What the moves sell of each item."""
        out = [ZERO] * len(sheet.items)
        for move, k in self.entries:
            if k is not None and move.side == "sell":
                out[k] += move.amount
        return out


def exact(number: float) -> Decimal:
    """Return the decimal number that a person wrote: 0.15 is 15/100, not its nearest binary fraction."""
    return Decimal(repr(float(number)))


def is_number(number: object) -> bool:
    """Whether something is a finite decimal of a size that can be money."""
    return isinstance(number, Decimal) and number.is_finite() and number.adjusted() <= LARGEST_EXPONENT


def starting_point(sheet: Sheet, framework: Framework) -> tuple[Move, ...] | None:
    """Moves that bring money due into the cash item, or raise a withdrawal.

    A withdrawal takes the cash item first, then deposits (the larger first), then other items inside the buckets, by
    rising cost and tax of selling; of either, what the client wants sold first goes first. Never what secures a loan.
    What is indivisible is taken whole; what it brings too much goes to the cash item.

    Returns
    -------
    tuple of Move, or None
        Exact amounts, not rounded to cents. None: all that may be sold does not pay the withdrawal.

    Raises
    ------
    ValueError
        ``cash_id`` names no item, or an item names a class that the framework does not have.
    """
    if any(code not in framework.classes for item in sheet.items for code, _ in item.mix):
        raise ValueError("an item names a class that the framework does not have")
    outside = {code for code, c in framework.classes.items() if c.bucket == OWN_USE}
    with localcontext(CONTEXT):
        flows = start_flows(sheet, [any(w > 0 and c not in outside for c, w in item.mix) for item in sheet.items])
        if flows is None:
            return None
        buys = [Move(i.asset_id, "buy", b, ZERO) for i, b in zip(sheet.items, flows[0], strict=True) if b]
        sold = [(i, s) for i, s in zip(sheet.items, flows[1], strict=True) if s]
        return (*(Move(i.asset_id, "sell", s, s * i.sell_cost, i.tax(s)) for i, s in sold), *buys)


def after(sheet: Sheet, moves: Sequence[Move]) -> dict[str, Decimal]:
    """Value of each asset after the moves; moves that cannot be read or name no single item change nothing."""
    with localcontext(CONTEXT):
        out: dict[str, Decimal] = {}
        for item, value in zip(sheet.items, read_moves(sheet, moves).values(sheet), strict=True):
            out[item.asset_id] = out.get(item.asset_id, ZERO) + value
        return out


def no_flows(sheet: Sheet) -> tuple[list[Decimal], list[Decimal]]:
    """Nothing bought and nothing sold, per item."""
    return [ZERO] * len(sheet.items), [ZERO] * len(sheet.items)


def start_flows(sheet: Sheet, inside: Sequence[bool]) -> tuple[list[Decimal], list[Decimal]] | None:
    """Bought and sold per item at the starting point; None: unfunded."""
    bought, sold = no_flows(sheet)
    items = sheet.items
    cash = next((k for k, item in enumerate(items) if item.asset_id == sheet.cash_id), -1)
    if cash < 0:
        raise ValueError("cash_id names no item; add the cash account, with value 0 where there is none yet")
    if sheet.cash_flow >= 0:
        bought[cash] = sheet.cash_flow
        return bought, sold
    due = -sheet.cash_flow

    net = [1 - x.sell_cost - x.tax(Decimal(1)) for x in items]

    def order(k: int) -> tuple[int, bool, Decimal, Decimal, str]:
        x = items[k]
        rank = 0 if k == cash else 1 if x.asset_class == "deposit" else 2
        return rank, not x.sell_first, ZERO if rank < 2 else -net[k], -x.value, x.asset_id

    security = sheet.security
    able = [inside[k] and net[k] > 0 and x.asset_id not in security for k, x in enumerate(items)]
    for k in sorted((k for k, x in enumerate(items) if able[k] and x.available > 0), key=order):
        item = items[k]
        brings = item.available * net[k]
        if brings < due:
            sold[k], due = item.available, due - brings
            continue
        sold[k] = item.available if item.indivisible else due / net[k]
        surplus = brings - due if item.indivisible else ZERO
        # what an indivisible asset brings too much first leaves in the cash item what was taken from it
        spared = min(sold[cash], surplus / net[cash]) if k != cash and sold[cash] else ZERO
        sold[cash] -= spared
        bought[cash] = surplus - spared * net[cash]
        return bought, sold
    return None


def read_moves(sheet: Sheet, moves: Sequence[Move]) -> Ledger:
    """Find what each move means; what is no text, no known side or no finite decimal is only counted."""
    items = _places(item.asset_id for item in sheet.items)
    loans = _places(loan.loan_id for loan in sheet.loans)
    entries = [
        (m, (loans if m.side == "repay" else items).get(m.asset_id))
        for m in moves
        if isinstance(m.asset_id, str) and m.side in SIDES and all(map(is_number, (m.amount, m.cost, m.tax)))
    ]
    return Ledger(tuple(entries), len(moves) - len(entries))


def _places(ids: Iterable[str]) -> dict[str, int | None]:
    """Place of each id, None where several share it."""
    out: dict[str, int | None] = {}
    for k, name in enumerate(ids):
        out[name] = None if name in out else k
    return out
