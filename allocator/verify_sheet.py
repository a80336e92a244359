"""What the verifier is given: a client's balance sheet and the trade list, and where a plan starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from typing import Final, Literal

from allocator.framework import OWN_USE, Framework

ZERO: Final = Decimal(0)
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

    @property
    def available(self) -> Decimal:
        """Money that may be sold in this plan, not rounded."""
        if not self.tradable:
            return ZERO
        if self.indivisible:
            return self.value if self.sellable >= 1 else ZERO
        return self.sellable * self.value


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
    """

    band: str
    owner: bool
    loans: tuple[Loan, ...]
    spending: Decimal | None
    cash_flow: Decimal
    guarantees: Decimal
    items: tuple[Item, ...]
    cash_id: str

    @property
    def security(self) -> frozenset[str]:
        """Assets inside the buckets that secure a loan: what they bring belongs to the lender first."""
        return frozenset(x.secured_by for x in self.loans if x.secured_by and x.value > 0 and not x.own_use)


@dataclass(frozen=True, slots=True)
class Move:
    """One trade: selling ``amount`` at ``cost`` brings amount − cost, buying it takes amount + cost.

    ``repay`` takes amount + cost too; ``asset_id`` then names a loan.
    """

    asset_id: str
    side: Literal["buy", "sell", "repay"]
    amount: Decimal
    cost: Decimal


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

    A withdrawal takes the cash item first, then deposits (the larger first), then other items inside the buckets by
    rising cost of selling; never what secures a loan. What is indivisible is taken whole; what it brings too much goes
    to the cash item.

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
        sells = [Move(i.asset_id, "sell", s, s * i.sell_cost) for i, s in zip(sheet.items, flows[1], strict=True) if s]
        return (*sells, *buys)


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

    def order(k: int) -> tuple[bool, bool, Decimal, Decimal, str]:
        deposit = items[k].asset_class == "deposit"
        return k != cash, not deposit, ZERO if deposit else items[k].sell_cost, -items[k].value, items[k].asset_id

    able = [inside[k] and x.available > 0 and x.sell_cost < 1 for k, x in enumerate(items)]
    security = sheet.security
    sources = [k for k, x in enumerate(items) if able[k] and x.asset_id not in security]
    for k in sorted(sources, key=order):
        item, net = items[k], 1 - items[k].sell_cost
        brings = item.available * net
        if brings < due:
            sold[k], due = item.available, due - brings
            continue
        sold[k] = item.available if item.indivisible else due / net
        surplus = brings - due if item.indivisible else ZERO
        # what an indivisible asset brings too much first leaves in the cash item what was taken from it
        spared = min(sold[cash], surplus / (1 - items[cash].sell_cost)) if k != cash and sold[cash] else ZERO
        sold[cash] -= spared
        bought[cash] = surplus - spared * (1 - items[cash].sell_cost)
        return bought, sold
    return None


def read_moves(sheet: Sheet, moves: Sequence[Move]) -> Ledger:
    """Find what each move means; what is no text, no known side or no finite decimal is only counted."""
    items = _places(item.asset_id for item in sheet.items)
    loans = _places(loan.loan_id for loan in sheet.loans)
    entries = [
        (m, (loans if m.side == "repay" else items).get(m.asset_id))
        for m in moves
        if isinstance(m.asset_id, str) and m.side in SIDES and is_number(m.amount) and is_number(m.cost)
    ]
    return Ledger(tuple(entries), len(moves) - len(entries))


def _places(ids: Iterable[str]) -> dict[str, int | None]:
    """Place of each id, None where several share it."""
    out: dict[str, int | None] = {}
    for k, name in enumerate(ids):
        out[name] = None if name in out else k
    return out
