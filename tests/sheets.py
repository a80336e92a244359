"""Balance sheets and trade lists for the verifier's tests, built by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from allocator.assumptions import load_assumptions
from allocator.framework import Framework, load_framework
from allocator.limits import limit, limit_list
from allocator.verify import Certificate, Check, Item, Loan, Move, Sheet, Verifier

D = Decimal


def norm(weights: Any) -> Any:
    """Euclidean norm of an expression."""
    import cvxpy as cp

    return cp.norm(weights)


def root_of_squares(money: Sequence[Decimal]) -> Decimal:
    """The same in decimals: what ``spread`` measures."""
    return sum((x * x for x in money), D(0)).sqrt()


CLASSIC = load_framework("classic")
CHHABRA = load_framework("chhabra")
OWN = CLASSIC.model_copy(
    update={
        "name": "own",
        "bands": {
            k: b.model_copy(update={"limits": b.limits | {"class:gold": 0.1, "group:alternatives": 0.05}})
            for k, b in CLASSIC.bands.items()
        },
    }
)
"""A framework with limits on a class and on a group."""
MODEL = {"deposit": 0.1, "government_bond": 0.4, "equity_fund": 0.4, "gold": 0.1}
EVERY = CLASSIC.model_copy(
    update={
        "name": "every",
        "bands": {
            k: b.model_copy(
                update={
                    "limits": b.limits
                    | {"sector": 0.25 - j / 20, "country": 0.2, "currency": 0.15, "cash": 0.3, "cvar": 0.05 * (j + 1)}
                    | {"tracking": 0.04, "turnover": 0.5, "cost": 0.03},
                    "floors": {"cash": 0.1, "class:gold": 0.02},
                    "model": MODEL if j else {"treasury_bill": 0.5, "bond_fund": 0.5},
                }
            )
            for j, (k, b) in enumerate(CLASSIC.bands.items())
        },
    }
)
"""A framework with every kind of limit and both budgets."""
MINE = (
    limit("tech", 0.1, counts=lambda f: f["sector"].str.strip().str.casefold() == "tech"),
    limit("spendable", 0.5, counts=lambda f: (f["asset_class"] == "deposit") * 0.5, sense=">=", base="equity"),
    limit("spread", {"balanced": 0.4, "aggressive": 0.5}, term=lambda w, _: norm(w), base="equity"),
)
"""Limits of a user's own."""
LONG_RUN = load_assumptions("long_run")
VERIFIERS = {f.name: Verifier(f, LONG_RUN) for f in (CLASSIC, CHHABRA, OWN)}
VERIFIERS["every"] = Verifier(EVERY, LONG_RUN, limit_list(EVERY, MINE))


def item(asset_id: str, value: Any, klass: str, **more: Any) -> Item:
    """An item with the trading data of its class; ``more`` says what differs."""
    c = CHHABRA.classes.get(klass)  # has every class of both presets
    facts: dict[str, Any] = {
        "asset_id": asset_id,
        "value": D(str(value)),
        "asset_class": klass,
        "mix": ((klass, D(1)),) if c else (),
        "issuer": "",
        "tradable": True,
        "sellable": D(1),
        "indivisible": False,
        "own_company": False,
        "buyable": True,
        "risk": c.risk if c else 1,
        "buy_cost": D(str(c.buy_cost)) if c else D(0),
        "sell_cost": D(str(c.sell_cost)) if c else D(0),
    }
    return Item(**facts | more)


def sheet_of(*items: Item, **more: Any) -> Sheet:
    """A balanced client without debts, spending unknown, whose cash item is the first item."""
    facts: dict[str, Any] = {
        "band": "balanced",
        "owner": False,
        "loans": (),
        "spending": None,
        "cash_flow": D(0),
        "guarantees": D(0),
        "items": items,
        "cash_id": items[0].asset_id,
    }
    return Sheet(**facts | more)


def owing(value: Any, service: Any = 0, **more: Any) -> tuple[Loan, ...]:
    """One loan."""
    return (Loan("loan", D(str(value)), D(str(service)), **more),)


def debt_of(sheet: Sheet) -> Decimal:
    return sum((x.value for x in sheet.loans if not x.own_use), D(0))


def run(sheet: Sheet, *moves: Move, framework: Framework = CLASSIC, **mode: bool) -> Certificate:
    return VERIFIERS[framework.name].verify(sheet, moves, **mode)


def row(certificate: Certificate, check: str, sense: str | None = None) -> Check:
    (found,) = [c for c in certificate.checks if c.check == check and sense in (None, c.sense)]
    return found


def failed(certificate: Certificate) -> set[str]:
    """Checks that keep the certificate from holding."""
    out = {c.check for c in certificate.checks if c.verdict in ("worse", "broken")}
    assert certificate.holds == (not out)
    return out


def trade(sheet: Sheet, asset_id: str, side: Any, amount: Any) -> Move:
    """A move at exactly the cost and tax that are due."""
    found = next(x for x in sheet.items if x.asset_id == asset_id)
    rate = found.buy_cost if side == "buy" else found.sell_cost
    cost = (D(str(amount)) * rate).quantize(D("0.01"), rounding=ROUND_HALF_EVEN)
    if side != "sell" or found.basis is None:
        return Move(asset_id, side, D(str(amount)), cost)
    tax = D(str(amount)) * found.tax_rate * max(found.value - found.basis, D(0)) / found.value
    return Move(asset_id, side, D(str(amount)), cost, tax.quantize(D("0.01"), rounding=ROUND_HALF_EVEN))


def plan_of(sheet: Sheet, *trades: tuple[str, str, Any]) -> list[Move]:
    """Trades, and the move of the cash item that balances them."""
    moves = [trade(sheet, *t) for t in trades]
    left = sheet.cash_flow + sum(m.amount - m.cost - m.tax if m.side == "sell" else -m.amount - m.cost for m in moves)
    if left:
        moves.append(Move(sheet.cash_id, "buy" if left > 0 else "sell", abs(left), D(0)))
    return moves


def over(a: Any, b: Any) -> Decimal:
    """Divide as precisely as the verifier does."""
    return Context(prec=50).divide(D(a), D(b))


FAMILY = sheet_of(
    item("cash", 300_000, "deposit"),
    item("stock", 250_000, "listed_equity"),
    item("firm", 100_000, "private_business", tradable=False, own_company=True),
    item("flat", 120_000, "investment_property", indivisible=True),
    item("fund", 130_000, "equity_fund"),
    item("home", 700_000, "own_home", sellable=D(0)),
    item("bond", 0, "government_bond"),
    item("coin", 0, "crypto"),
    item("shut", 0, "government_bond", buyable=False),
    item("share", 0, "listed_equity", risk=3),
    loans=owing(50_000),
    spending=D(33_000),
    cash_flow=D(-20_000),
)
TRADES: tuple[tuple[str, str, Any], ...] = (("stock", "sell", 130_000), ("bond", "buy", 200_000))
PLAN = plan_of(FAMILY, *TRADES)
"""A plan for that family that breaks nothing."""
