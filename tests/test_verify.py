"""The verifier: limits by hand, every verdict, every way of tampering, and agreement with the float measures."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator.verify as verify_module
from allocator.assumptions import load_assumptions
from allocator.debts import Debts
from allocator.framework import Framework, load_framework
from allocator.issues import issue_table
from allocator.limits import TOLERANCE
from allocator.pipeline import measure
from allocator.positions import Positions
from allocator.verify import Certificate, Check, Item, Loan, Move, Sheet, Verifier, after, starting_point, verify

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
LONG_RUN = load_assumptions("long_run")
VERIFIERS = {f.name: Verifier(f, LONG_RUN) for f in (CLASSIC, CHHABRA, OWN)}
D = Decimal


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


def run(sheet: Sheet, *moves: Move, framework: Framework = CLASSIC, portfolio_mode: bool = False) -> Certificate:
    return VERIFIERS[framework.name].verify(sheet, moves, portfolio_mode=portfolio_mode)


def row(certificate: Certificate, check: str, sense: str | None = None) -> Check:
    (found,) = [c for c in certificate.checks if c.check == check and sense in (None, c.sense)]
    return found


def failed(certificate: Certificate) -> set[str]:
    """Checks that keep the certificate from holding."""
    out = {c.check for c in certificate.checks if c.verdict in ("worse", "broken")}
    assert certificate.holds == (not out)
    return out


def trade(sheet: Sheet, asset_id: str, side: Any, amount: Any) -> Move:
    """A move at exactly the cost that is due."""
    found = next(x for x in sheet.items if x.asset_id == asset_id)
    rate = found.buy_cost if side == "buy" else found.sell_cost
    cost = (D(str(amount)) * rate).quantize(D("0.01"), rounding=ROUND_HALF_EVEN)
    return Move(asset_id, side, D(str(amount)), cost)


def plan_of(sheet: Sheet, *trades: tuple[str, str, Any]) -> list[Move]:
    """Trades, and the move of the cash item that balances them."""
    moves = [trade(sheet, *t) for t in trades]
    left = sheet.cash_flow + sum(m.amount - m.cost if m.side == "sell" else -m.amount - m.cost for m in moves)
    if left:
        moves.append(Move(sheet.cash_id, "buy" if left > 0 else "sell", abs(left), D(0)))
    return moves


def over(a: Any, b: Any) -> Decimal:
    """Divide as precisely as the verifier does."""
    return Context(prec=50).divide(D(a), D(b))


# ------------------------------------------------------------------------------------------- limits, worked out by hand


def test_share_caps_and_floors() -> None:
    c = run(sheet_of(item("cash", 600, "deposit"), item("flat", 400, "investment_property")))
    expected = {  # value, bound, money beyond it as a fraction of 1000
        ("property", "<="): ("0.4", "0.3", "0.1"),
        ("illiquid", "<="): ("0.4", "0.5", "0"),
        ("business", "<="): ("0", "0.2", "0"),
        ("bucket:defensive", ">="): ("0.6", "0.2", "0"),
        ("bucket:defensive", "<="): ("0.6", "0.5", "0.1"),
        ("bucket:growth", ">="): ("0", "0.35", "0.35"),
        ("bucket:offensive", "<="): ("0.4", "0.35", "0.05"),
        ("group:equity", ">="): ("0", "0.12", "0.12"),
    }
    for (name, sense), (value, bound, excess) in expected.items():
        r = row(c, name, sense)
        assert (r.before, r.bound, r.excess_before) == (D(value), D(bound), D(excess)), name
        assert (r.after, r.excess_after) == (r.before, r.excess_before)
        assert r.verdict == ("holds" if D(excess) == 0 else "no_worse")
    assert c.holds


def test_limits_of_one_s_own_on_a_class_or_a_group() -> None:
    c = run(
        sheet_of(item("gold", 300, "gold"), item("coin", 100, "crypto"), item("f", 600, "bond_fund")), framework=OWN
    )
    assert (row(c, "class:gold").before, row(c, "class:gold").excess_before) == (D("0.3"), D("0.2"))
    assert (row(c, "group:alternatives").before, row(c, "group:alternatives").excess_before) == (D("0.1"), D("0.05"))


def test_groups_are_shared_out_and_funds_looked_through() -> None:
    mix = (("listed_equity", D("0.5")), ("government_bond", D("0.3")), ("deposit", D("0.2")))
    fund = item("fund", 500, "equity_fund", mix=mix)
    c = run(sheet_of(item("cash", 250, "deposit"), fund, item("mixed", 250, "mixed_fund")))
    # equity: 500 × 0.5 + 250 × 0.6; growth: 500 × 0.8 + 250; defensive: 250 + 500 × 0.2
    assert row(c, "group:equity").before == D("0.4")
    assert row(c, "bucket:growth", "<=").before == D("0.65")
    assert row(c, "bucket:defensive", "<=").before == D("0.35")
    # the fund itself is diversified: what is inside makes it no single name
    assert row(c, "single_holding").before == 0


def test_single_holdings_count_by_the_own_class_and_name_by_name() -> None:
    c = run(sheet_of(item("cash", 500, "deposit"), item("a", 300, "listed_equity"), item("b", 200, "listed_equity")))
    r = row(c, "single_holding")
    assert (r.before, r.bound, r.excess_before) == (D("0.3"), D("0.15"), D("0.2"))  # 150 of a, 50 of b


def test_issuer_is_the_sum_of_one_issuer_and_blank_is_alone() -> None:
    bonds = [item(f"b{k}", 150, "corporate_bond", issuer=name) for k, name in enumerate(("Acme", "ACME", "", ""))]
    fund = item("f", 100, "bond_fund", issuer="acme")  # no single name, whoever issues it
    c = run(sheet_of(item("cash", 300, "deposit"), *bonds, fund))
    r = row(c, "issuer")
    assert (r.before, r.bound, r.excess_before) == (D("0.3"), D("0.2"), D("0.1"))


def test_leverage() -> None:
    r = row(run(sheet_of(item("cash", 1000, "deposit"), loans=owing(400))), "leverage")
    assert (r.before, r.bound, r.excess_before) == (D("0.4"), D("0.35"), D("0.05"))


@pytest.mark.parametrize(("owner", "bound", "excess"), [(True, 12, "0.084"), (False, 6, "0.012")])
def test_reserve_months(owner: bool, bound: int, excess: str) -> None:
    locked = item("term", 100, "deposit", tradable=False)
    policy = item("policy", 100, "insurance_cash_value")  # defensive, but not liquid
    rest = item("f", 740, "bond_fund")
    sheet = sheet_of(item("cash", 40, "deposit"), item("gold", 20, "gold"), locked, policy, rest, owner=owner)
    sheet = replace(sheet, spending=D(10), loans=owing(0, 24))
    r = row(run(sheet), "reserve_months")  # need 12 a month, 60 at hand
    assert (r.sense, r.before, r.bound, r.excess_before) == (">=", D(5), D(bound), D(excess))


def test_reserve_without_spending_is_not_judged_and_without_need_lasts_for_ever() -> None:
    cash = item("cash", 1000, "deposit")
    assert not [c for c in run(sheet_of(cash)).checks if c.check == "reserve_months"]
    r = row(run(sheet_of(cash, spending=D(0))), "reserve_months")
    assert (r.before, r.excess_before, r.verdict) == (D("Infinity"), 0, "holds")


def test_volatility_on_the_family_s_own_money() -> None:
    r = row(run(sheet_of(item("gold", 1000, "gold"), loans=owing(200))), "volatility")
    assert r.before == over("287.6", 800)
    assert r.excess_before == (D("287.6") - D("0.12") * 800) / 1000


def test_volatility_of_correlated_factors_and_single_names() -> None:
    c = run(sheet_of(item("gold", 500, "gold"), item("bond", 500, "government_bond")))
    x, y = 500 * D("0.2876"), 500 * D("0.055")
    assert row(c, "volatility").before == (x * x + y * y).sqrt(Context(prec=50)).scaleb(-3, Context(prec=50))
    c = run(sheet_of(item("cash", 1000, "deposit"), item("a", 600, "listed_equity"), item("b", 400, "listed_equity")))
    variance = (1000 * D("0.1658")) ** 2 + (600 * D("0.3")) ** 2 + (400 * D("0.3")) ** 2
    assert float(row(c, "volatility").before) == pytest.approx(float(variance.sqrt() / 2000), rel=1e-15)


def test_what_is_outside_the_buckets_counts_for_nothing() -> None:
    inside = (item("cash", 600, "deposit"), item("flat", 400, "investment_property"))
    outside = (item("home", 9000, "own_home"), item("thing", 9000, "unclassified"))
    assert run(sheet_of(*inside)).checks == run(sheet_of(*inside, *outside)).checks
    # in the other preset the home is protective
    c = run(sheet_of(*inside, *outside), framework=CHHABRA)
    assert row(c, "bucket:defensive", "<=").before == D("0.96")


# ----------------------------------------------------------------------------------------------------------- verdicts


def test_holds_after_a_limit_is_mended() -> None:
    sheet = sheet_of(item("cash", 600, "deposit"), item("bond", 0, "government_bond"), item("a", 400, "listed_equity"))
    c = run(sheet, *plan_of(sheet, ("a", "sell", 280), ("bond", "buy", 300)))
    r = row(c, "single_holding")
    assert r.verdict == "holds"
    assert (r.before, r.excess_before, r.excess_after) == (D("0.4"), D("0.25"), 0)
    assert r.after == over(120, D(1000) - D("0.58"))  # costs 0.28 and 0.30
    assert c.holds


FIRM = sheet_of(item("cash", 400, "deposit"), item("firm", 600, "private_business"), item("fund", 0, "equity_fund"))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"tradable": False}, "untouched"),
        ({"sellable": D(0)}, "untouched"),
        ({"indivisible": True, "sellable": D("0.5")}, "untouched"),  # cannot be sold in half
        ({"indivisible": True}, "worse"),
        ({"sellable": D("0.25")}, "worse"),
    ],
)
def test_costs_may_raise_the_share_only_of_what_cannot_be_sold(change: dict[str, Any], verdict: str) -> None:
    cash, firm, fund = FIRM.items
    sheet = replace(FIRM, items=(cash, replace(firm, **change), fund))
    c = run(sheet, *plan_of(sheet, ("fund", "buy", 200)))
    for name in ("business", "single_holding", "issuer", "illiquid", "bucket:offensive"):
        r = row(c, name)
        assert r.verdict == verdict, name
        assert r.excess_after - r.excess_before == r.bound * D("1.2") / 1000, name  # bound × costs
    # shares bought on top of the firm add risk: no excuse for the volatility
    assert row(c, "volatility").verdict == "worse"


def test_volatility_is_untouched_when_nothing_risky_can_be_sold_and_nothing_risky_is_bought() -> None:
    bill = item("bill", 0, "treasury_bill")  # costs, but has no risk
    firm = replace(FIRM.items[1], tradable=False)
    sheet = replace(FIRM, items=(FIRM.items[0], firm, bill))
    plan = plan_of(sheet, ("bill", "buy", 300))
    c = run(sheet, *plan)
    assert row(c, "volatility").verdict == "untouched"
    assert c.holds
    gold = replace(sheet, items=(*sheet.items, item("gold", D("0.01"), "gold")))  # a cent of gold could be sold
    assert row(run(gold, *plan), "volatility").verdict == "worse"


def test_leverage_is_never_made_worse_by_costs() -> None:
    sheet = sheet_of(item("cash", 1000, "deposit"), item("fund", 0, "equity_fund"), loans=owing(400))
    c = run(sheet, *plan_of(sheet, ("fund", "buy", 200)))
    assert row(c, "leverage").verdict == "untouched"
    assert row(c, "leverage").after == over(400, "998.8")


@pytest.mark.parametrize(("klass", "limit"), [("listed_equity", "single_holding"), ("corporate_bond", "issuer")])
def test_names_are_judged_one_by_one(klass: str, limit: str) -> None:
    free = {"buy_cost": D(0), "sell_cost": D(0)}
    a, b = (item(n, 400, klass, issuer=n, **free) for n in "ab")
    sheet = sheet_of(item("cash", 200, "deposit"), a, b)
    c = run(sheet, trade(sheet, "a", "sell", 50), trade(sheet, "b", "buy", 50))
    r = row(c, limit)
    assert r.excess_before == r.excess_after  # the sum is the same
    assert r.verdict == "worse"


def test_a_name_that_cannot_be_sold_does_not_excuse_another() -> None:
    firm = item("firm", 400, "private_business", tradable=False)
    a = item("a", 200, "listed_equity")
    sheet = sheet_of(item("cash", 400, "deposit"), firm, a, item("fund", 0, "equity_fund"))
    keep = run(sheet, *plan_of(sheet, ("a", "sell", 60), ("fund", "buy", 60)))
    assert row(keep, "single_holding").verdict == "untouched"  # a is mended, the firm rose by the costs alone
    more = run(sheet, *plan_of(sheet, ("a", "buy", 60)))
    assert row(more, "single_holding").verdict == "worse"
    worse_sum_only_by_costs = run(sheet, *plan_of(sheet, ("fund", "buy", 300)))
    assert row(worse_sum_only_by_costs, "single_holding").verdict == "worse"  # a itself could have been sold


def test_what_counts_in_no_limit_on_issuers_does_not_spoil_the_excuse() -> None:
    bond = item("bond", 300, "corporate_bond", issuer="acme", sellable=D(0))
    fund = item("fund", 100, "bond_fund", issuer="acme")  # can be sold, but is no single name
    sheet = sheet_of(item("cash", 600, "deposit"), bond, fund, item("bill", 0, "treasury_bill"))
    c = run(sheet, *plan_of(sheet, ("bill", "buy", 400)))
    assert {row(c, n).verdict for n in ("issuer", "single_holding")} == {"untouched"}


def test_floors_have_no_excuse() -> None:
    sheet = sheet_of(
        item("cash", 700, "deposit"), item("a", 300, "equity_fund", tradable=False), item("fund", 0, "bond_fund")
    )
    sheet = replace(sheet, spending=D(200))  # needs 1200, has 700
    c = run(sheet, *plan_of(sheet, ("fund", "buy", 100)))
    assert row(c, "reserve_months").verdict == "worse"
    assert row(c, "bucket:growth", ">=").verdict == "holds"


def test_tolerance_is_one_part_in_a_million_of_the_total() -> None:
    sheet = sheet_of(item("cash", 850_000, "deposit"), item("a", 150_000, "listed_equity", buy_cost=D(0)))
    exactly = D(str(TOLERANCE)) * 1_000_000
    assert row(run(sheet, *plan_of(sheet, ("a", "buy", exactly))), "single_holding").verdict == "holds"
    beyond = row(run(sheet, *plan_of(sheet, ("a", "buy", exactly + D("0.01")))), "single_holding")
    assert (beyond.verdict, beyond.excess_before, beyond.excess_after) == ("worse", 0, D("0.00000101"))
    # the same beyond an excess at the start, by name and in all
    two = [item(n, 250_000, "listed_equity", buy_cost=D(0)) for n in "ab"]
    sheet = sheet_of(item("cash", 500_000, "deposit"), *two)
    for moves, verdict in (
        ([("a", "buy", exactly)], "no_worse"),
        ([("a", "buy", exactly + D("0.01"))], "worse"),
        ([("a", "buy", exactly / 2), ("b", "buy", exactly / 2)], "no_worse"),
        ([("a", "buy", exactly / 2), ("b", "buy", exactly / 2 + D("0.01"))], "worse"),
    ):
        assert row(run(sheet, *plan_of(sheet, *moves)), "single_holding").verdict == verdict


# ----------------------------------------------------------------------------------------------------- starting point


def test_new_money_goes_into_the_cash_item() -> None:
    sheet = sheet_of(item("cash", 0, "deposit"), item("a", 100, "listed_equity"), cash_flow=D(50))
    assert starting_point(sheet, CLASSIC) == (Move("cash", "buy", D(50), D(0)),)
    c = run(sheet, trade(sheet, "cash", "buy", 50))
    assert row(c, "group:equity").before == over(100, 150)
    assert row(c, "group:equity").excess_before == 0
    assert starting_point(replace(sheet, cash_flow=D(0)), CLASSIC) == ()


def test_a_withdrawal_takes_cash_then_deposits_then_the_cheapest() -> None:
    sheet = sheet_of(
        item("stock", 100, "listed_equity"),  # costs 0.1%
        item("bond", 30, "government_bond"),  # 0.1% too, but smaller
        item("home", 500, "own_home", sell_cost=D(0)),  # outside the buckets
        item("lost", 500, "unclassified"),
        item("small", 10, "deposit"),
        item("large", 20, "deposit"),
        item("locked", 99, "deposit", tradable=False),
        item("money", 15, "money_market"),
        item("half", 40, "deposit", sellable=D("0.5")),
        item("account", 5, "deposit"),
        cash_id="account",
    )
    order = ["account", "half", "large", "small", "money", "stock"]
    most = [D(5), D(20), D(20), D(10), D(15), D(100)]
    for n in range(1, len(order)):
        due = sum(most[: n - 1], D(1))
        moves = starting_point(replace(sheet, cash_flow=-due), CLASSIC)
        assert moves is not None
        assert {m.asset_id for m in moves} == set(order[:n])
        assert {m.asset_id: m.amount for m in moves}[order[n - 1]] == 1
    moves = starting_point(replace(sheet, cash_flow=D("-99.9")), CLASSIC)
    assert moves is not None
    last = next(m for m in moves if m.asset_id == "stock")
    assert abs(last.amount - last.cost - D("29.9")) < D("1e-40")
    assert last.amount == D("29.9") / (1 - D("0.001")) or abs(last.amount * D("0.999") - D("29.9")) < D("1e-24")


def test_the_indivisible_is_sold_whole_and_leaves_cash_alone() -> None:
    flat = item("flat", 500, "investment_property", indivisible=True)  # brings 470
    art = item("art", 90, "collectible", indivisible=True, sellable=D("0.5"))  # cannot be sold in half
    sheet = sheet_of(item("cash", 40, "deposit"), flat, art)
    for due, expected in (
        (100, {"cash": ("buy", D(370)), "flat": ("sell", D(500))}),  # the 40 in cash stay, and 370 come on top
        (480, {"cash": ("sell", D(10)), "flat": ("sell", D(500))}),
        (510, {"cash": ("sell", D(40)), "flat": ("sell", D(500))}),
        (30, {"cash": ("sell", D(30))}),
    ):
        moves = starting_point(replace(sheet, cash_flow=D(-due)), CLASSIC)
        assert moves is not None
        assert {m.asset_id: (m.side, m.amount) for m in moves} == expected, due
    assert starting_point(replace(sheet, cash_flow=D("-510.01")), CLASSIC) is None


def test_cash_that_costs_something_to_take_is_spared_at_its_cost() -> None:
    cash = item("cash", 100, "deposit", sell_cost=D("0.2"))  # brings 80
    flat = item("flat", 500, "investment_property", indivisible=True)  # brings 470
    sheet = sheet_of(cash, flat)
    for due, expected in (
        (150, {"flat": ("sell", D(500)), "cash": ("buy", D(320))}),  # all 100 stay
        (510, {"flat": ("sell", D(500)), "cash": ("sell", D(50))}),  # 80 + 470 − 510 = 40 too much spares 50
    ):
        moves = starting_point(replace(sheet, cash_flow=D(-due)), CLASSIC)
        assert moves is not None
        assert {m.asset_id: (m.side, m.amount) for m in moves} == expected


def test_limits_are_compared_with_the_starting_point_not_with_today() -> None:
    sheet = sheet_of(item("cash", 500, "deposit"), item("firm", 500, "private_business", sellable=D(0)))
    sheet = replace(sheet, cash_flow=D(-300))
    c = run(sheet, Move("cash", "sell", D(300), D(0)))
    r = row(c, "business")
    assert (r.before, r.after, r.excess_before) == (over(500, 700), over(500, 700), D("0.36"))  # (500 − 140) / 1000
    assert r.verdict == "no_worse"
    assert c.holds


def test_what_the_withdrawal_took_in_full_cannot_be_sold_again() -> None:
    # all that may be sold of the firm pays the withdrawal; the costs of a trade then raise its share, which is no harm
    firm = item("firm", 800, "private_business", sellable=D("0.25"))
    sheet = sheet_of(item("cash", 0, "deposit"), firm, item("term", 200, "bond_fund", sellable=D(0)))
    sheet = replace(sheet, items=(*sheet.items, item("bill", 0, "treasury_bill")), cash_flow=D(-184))
    moves = starting_point(sheet, CLASSIC)
    assert moves == (Move("firm", "sell", D(200), D("16.00")),)
    assert run(sheet, *moves).holds
    art = item("art", 20, "collectible")  # dearer to sell than the firm
    sheet = replace(sheet, items=(*sheet.items, art))
    assert starting_point(sheet, CLASSIC) == moves
    c = run(sheet, *moves, trade(sheet, "art", "sell", 20), trade(sheet, "bill", "buy", D("16.99")))
    assert {row(c, n).verdict for n in ("business", "single_holding", "issuer")} == {"untouched"}
    smaller = replace(sheet, cash_flow=D("-183.08"))  # one of the firm is left to sell
    c = run(smaller, replace(moves[0], amount=D(199), cost=D("15.92")), trade(sheet, "art", "sell", 20))
    assert row(c, "business").verdict == "worse"


def test_unfunded_is_none_and_an_unpaid_withdrawal_breaks_the_money() -> None:
    sheet = sheet_of(item("cash", 100, "deposit"), item("a", 900, "listed_equity"), cash_flow=D("-999.11"))
    assert starting_point(sheet, CLASSIC) is None  # 900 of shares bring 899.10
    assert starting_point(replace(sheet, cash_flow=D("-999.10")), CLASSIC) is not None
    c = run(sheet)
    assert failed(c) == {"money"}
    assert (row(c, "money").before, row(c, "money").after) == (D("-999.11"), 0)


def test_after_adds_and_takes_and_leaves_alone_what_it_cannot_read() -> None:
    sheet = sheet_of(item("cash", 100, "deposit"), item("a", 900, "listed_equity"))
    moves = [
        Move("a", "sell", D("0.1"), D(0)),
        Move("cash", "buy", D("0.1"), D(0)),
        Move("a", "sell", D("NaN"), D(0)),
        Move("nobody", "buy", D(5), D(0)),
    ]
    assert after(sheet, moves) == {"cash": D("100.1"), "a": D("899.9")}
    assert sheet.items[0].value == 100


# -------------------------------------------------------------------------------------------------------------- loans


def test_repaying_lowers_debt_and_service() -> None:
    home = Loan("home", D(500), D(60), own_use=True)
    sheet = sheet_of(item("cash", 1000, "deposit"), loans=(*owing(400, 48), home), spending=D(11))
    c = run(sheet, Move("cash", "sell", D(100), D(0)), Move("loan", "repay", D(100), D(0)))
    assert c.holds
    lev, months = row(c, "leverage"), row(c, "reserve_months")
    assert (lev.before, lev.after, lev.excess_after) == (D("0.4"), over(300, 900), 0)
    assert (months.before, months.after) == (D(50), over(900, 19))  # 11 + (48 + 60) / 12, then 11 + (36 + 60) / 12
    assert row(c, "volatility").after == 0


def test_own_use_debts_cost_their_service_but_do_not_count() -> None:
    loans = (Loan("home", D(5000), D(24), own_use=True),)
    c = run(sheet_of(item("cash", 60, "deposit"), item("f", 940, "bond_fund"), loans=loans, spending=D(10)))
    assert row(c, "leverage").before == 0
    assert row(c, "reserve_months").before == 5


LENT = sheet_of(
    item("cash", 300_000, "deposit"),
    item("flat", 250_000, "investment_property"),
    item("fund", 450_000, "bond_fund"),
    loans=(Loan("mortgage", D(90_001), D(0), "flat"), *owing(10_000)),
)


@pytest.mark.parametrize(
    ("repaid", "fine"), [(D("36000.39"), False), (D("36000.40"), True), (D(90_001), True), (D("90001.01"), False)]
)
def test_a_lender_gets_the_part_of_the_security_that_is_sold(repaid: Decimal, fine: bool) -> None:
    moves = [trade(LENT, "flat", "sell", 100_000), Move("mortgage", "repay", repaid, D(0))]  # 40% sold
    moves.append(Move("cash", "buy", D(94_000) - repaid, D(0)))
    assert failed(run(LENT, *moves)) == (set() if fine else {"amounts"})
    other = [replace(m, asset_id="loan") if m.side == "repay" else m for m in moves]
    assert "amounts" in failed(run(LENT, *other))
    assert "amounts" in failed(run(LENT, *plan_of(LENT, ("flat", "sell", 100_000))))
    # an unsecured family may keep the proceeds
    free = replace(LENT, loans=owing(100_000))
    assert not failed(run(free, *plan_of(free, ("flat", "sell", 100_000))))


def test_a_withdrawal_never_sells_what_secures_a_loan() -> None:
    sheet = replace(LENT, cash_flow=D(-600_000))
    moves = starting_point(sheet, CLASSIC)
    assert moves is not None
    assert {m.asset_id for m in moves} == {"cash", "fund"}
    assert starting_point(replace(sheet, cash_flow=D(-800_000)), CLASSIC) is None
    paid_off = replace(sheet, loans=(replace(sheet.loans[0], value=D(0)),), cash_flow=D(-800_000))
    assert starting_point(paid_off, CLASSIC) is not None


@pytest.mark.parametrize(
    "move",
    [
        Move("loan", "repay", D("50000.01"), D(0)),
        Move("loan", "repay", D(-1), D(0)),
        Move("loan", "repay", D("NaN"), D(0)),
        Move("nobody", "repay", D(1), D(0)),
        Move("nothing", "repay", D(1), D(0)),
        Move("stock", "repay", D(1), D(0)),
        Move("loan", "sell", D(1), D(0)),
        Move("loan", "buy", D(1), D(0)),
    ],
)
def test_repayments_that_cannot_be(move: Move) -> None:
    sheet = replace(FAMILY, loans=(*FAMILY.loans, Loan("nothing", D(0), D(12))))
    assert "amounts" in failed(run(sheet, move))


def test_repayments_are_free_and_come_once() -> None:
    half = Move("loan", "repay", D(25_000), D(0))
    assert "amounts" not in failed(run(FAMILY, half))
    assert "amounts" in failed(run(FAMILY, half, half))
    assert "costs" in failed(run(FAMILY, replace(half, cost=D("0.02"))))


# ---------------------------------------------------------------------------------------------------------- tampering

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


def test_the_plan_before_tampering_holds() -> None:
    c = run(FAMILY, *PLAN)
    assert not failed(c)
    assert [x.check for x in c.checks[:4]] == ["money", "costs", "amounts", "suitability"]
    assert PLAN[-1] == Move("cash", "sell", D("90330.00"), D(0))
    assert (row(c, "money").before, row(c, "money").after) == (D("200200.00"), D("200200.00"))
    assert {x.verdict for x in c.checks} == {"holds"}
    assert (row(c, "suitability").bound, row(c, "suitability").after) == (3, 1)
    assert (row(c, "costs").bound, row(c, "costs").after) == (330, 330)


def edit(k: int, **more: Any) -> list[Move]:
    """The plan with one move changed."""
    return [replace(m, **more) if j == k else m for j, m in enumerate(PLAN)]


TAMPERED: dict[str, tuple[Sequence[Move], set[str]]] = {
    "one cent more sold": (edit(0, amount=D("130000.01")), {"money"}),
    "one cent more bought": (edit(1, amount=D("200000.01")), {"money"}),
    "one cent of cost hidden": (edit(0, cost=D("129.99")), {"money"}),
    "two cents of cost hidden": (edit(0, cost=D("129.98")), {"money", "costs"}),
    "two cents of cost too many": (edit(1, cost=D("200.02")), {"money", "costs"}),
    "negative cost": (edit(2, cost=D("-0.01"), amount=D("90329.99")), {"costs"}),
    "half a cent": (
        [*edit(0, amount=D("130000.005"))[:2], replace(PLAN[2], amount=D("90329.995"))],
        {"money"},
    ),
    "a move left out": (PLAN[:2], {"money"}),
    "the withdrawal kept": ((), {"money"}),
    "a locked firm sold": (plan_of(FAMILY, *TRADES, ("firm", "sell", 1_000)), {"amounts"}),
    "a home that may not be sold": (plan_of(FAMILY, *TRADES, ("home", "sell", D("0.01"))), {"amounts"}),
    "half a flat sold": (plan_of(FAMILY, *TRADES, ("flat", "sell", 60_000)), {"amounts"}),
    "a flat but for a cent": (plan_of(FAMILY, *TRADES, ("flat", "sell", D("119999.99"))), {"amounts"}),
    "sold more than there is": (plan_of(FAMILY, *TRADES, ("fund", "sell", D("130000.01"))), {"amounts"}),
    "short sale of a product": (plan_of(FAMILY, *TRADES, ("coin", "sell", 100)), {"amounts"}),
    "bought and sold": (plan_of(FAMILY, *TRADES, ("fund", "sell", 100), ("fund", "buy", 100)), {"amounts"}),
    "sold twice": (
        plan_of(FAMILY, ("stock", "sell", 65_000), ("stock", "sell", 65_000), ("bond", "buy", 200_000)),
        {"amounts"},
    ),
    "nothing sold": ([*PLAN, Move("fund", "sell", D(0), D(0))], {"amounts"}),
    "an asset nobody knows": (
        [*edit(2, amount=D("90230.00")), Move("ghost", "sell", D(100), D(0))],
        {"amounts"},
    ),
    "too risky": (plan_of(FAMILY, *TRADES, ("coin", "buy", 1_000)), {"suitability"}),
    "not on the shelf": (plan_of(FAMILY, *TRADES, ("shut", "buy", 1_000)), {"suitability"}),
    "a cap breached": (plan_of(FAMILY, TRADES[0], ("share", "buy", 150_000)), {"single_holding"}),
    "the reserve spent": (plan_of(FAMILY, TRADES[0], ("bond", "buy", 220_000)), {"reserve_months"}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_each_tampering_breaks_its_own_check(name: str) -> None:
    moves, expected = TAMPERED[name]
    assert failed(run(FAMILY, *moves)) == expected


def test_what_is_allowed_is_not_mistaken_for_tampering() -> None:
    assert not failed(run(FAMILY, *plan_of(FAMILY, *TRADES, ("flat", "sell", 120_000))))  # whole
    assert not failed(run(FAMILY, *edit(0, cost=D("130.01"))[:2], replace(PLAN[2], amount=D("90330.01"))))
    risky = plan_of(FAMILY, *TRADES, ("coin", "buy", 1_000))
    assert not failed(run(FAMILY, *risky, portfolio_mode=True))
    shut = plan_of(FAMILY, *TRADES, ("shut", "buy", 1_000))
    assert failed(run(FAMILY, *shut, portfolio_mode=True)) == {"suitability"}
    cash = replace(FAMILY.items[0], buyable=False, risk=5)  # the cash item may always be bought
    sheet = replace(FAMILY, items=(cash, *FAMILY.items[1:]))
    assert not failed(run(sheet, *plan_of(sheet, ("stock", "sell", 130_000), ("bond", "buy", 100_000))))


def test_part_of_a_cent_that_may_be_sold_is_rounded_up_but_never_beyond_the_value() -> None:
    a = item("a", "100.005", "gold", sellable=D("0.5"), sell_cost=D(0))
    sheet = sheet_of(item("cash", 100, "deposit"), a)
    assert "amounts" not in failed(run(sheet, *plan_of(sheet, ("a", "sell", "50.01"))))  # 50.0025 rounded up
    assert "amounts" in failed(run(sheet, *plan_of(sheet, ("a", "sell", "50.02"))))
    whole = replace(sheet, items=(sheet.items[0], replace(a, sellable=D(1), indivisible=True)))
    assert "amounts" not in failed(run(whole, *plan_of(whole, ("a", "sell", "100.00"))))
    assert "amounts" in failed(run(whole, *plan_of(whole, ("a", "sell", "100.01"))))
    assert "amounts" in failed(run(whole, *plan_of(whole, ("a", "sell", "99.99"))))


def test_faults_add_up_and_never_cancel() -> None:
    unreadable = Move("fund", "sell", D("NaN"), D(0))
    got = failed(run(FAMILY, *edit(0, cost=D("100.00")), unreadable))
    assert got == {"money", "costs", "amounts"}


def test_costs_round_half_to_even() -> None:
    free = item("a", 100, "gold", sell_cost=D("0.005"))
    sheet = sheet_of(item("cash", 100, "deposit"), free)
    for amount, owed in (("1", "0.00"), ("3", "0.02"), ("5", "0.02")):  # 0.005, 0.015, 0.025
        c = run(sheet, Move("a", "sell", D(amount), D(owed)))
        assert row(c, "costs").bound == D(owed)


HOSTILE = [
    Move("stock", "sell", D("NaN"), D(0)),
    Move("stock", "sell", D("sNaN"), D(0)),
    Move("stock", "sell", D("Infinity"), D(0)),
    Move("stock", "sell", D(100), D("NaN")),
    Move("stock", "sell", D(100), D("-Infinity")),
    Move("stock", "sell", D("1E+999999"), D(0)),
    Move("stock", "buy", D(-100), D(0)),
    Move("stock", "sell", D("-1E-999999"), D(0)),
    Move("stock", "hold", D(100), D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", 100.0, D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", "100", D(0)),  # type: ignore[arg-type]
    Move("stock", "sell", None, None),  # type: ignore[arg-type]
    Move(["stock"], "sell", D(100), D(0)),  # type: ignore[arg-type]
    Move("", "sell", D(100), D(0)),
]


@pytest.mark.parametrize("k", range(len(HOSTILE)))
def test_hostile_moves_are_broken_never_an_exception(k: int) -> None:
    move = HOSTILE[k]
    for moves in ([move], [move, move], [*PLAN, move]):
        assert "amounts" in failed(run(FAMILY, *moves))
        assert after(FAMILY, moves).keys() == {x.asset_id for x in FAMILY.items}


def test_a_cent_cannot_hide_behind_astronomical_money() -> None:
    huge = D("1E+60")
    sheet = sheet_of(item("cash", huge, "deposit"), item("a", huge, "gold", sell_cost=D(0)))
    ok = [Move("a", "sell", huge, D(0)), Move("cash", "buy", huge, D(0))]
    assert row(run(sheet, *ok), "money").verdict == "holds"
    forged = [Move("a", "sell", huge, D(0)), Move("cash", "buy", D("1" + 60 * "0" + ".01"), D(0))]
    assert row(run(sheet, *forged), "money").verdict == "broken"


def test_an_id_that_two_items_share_cannot_be_traded_but_stops_nothing() -> None:
    twice = replace(FAMILY, items=(*FAMILY.items, item("fund", 1_000, "bond_fund")))
    assert not failed(run(twice, *PLAN))
    assert failed(run(twice, *plan_of(twice, *TRADES, ("fund", "sell", 100)))) == {"amounts"}
    assert after(twice, PLAN)["fund"] == 131_000


@pytest.mark.parametrize(
    "misuse",
    [
        {"band": "C3"},
        {"loans": owing(900_000)},
        {"loans": owing("NaN")},
        {"loans": owing(-1)},
        {"loans": owing(1, "Infinity")},
        {"spending": D("NaN")},
        {"spending": D(-1)},
        {"cash_flow": D("Infinity")},
        {"cash_id": "nobody"},
        {"items": ()},
        {"items": (item("cash", 1_000_000, "deposit", mix=()),)},
        {"items": (item("cash", 1_000_000, "deposit", mix=(("deposit", D("0.5")),)),)},
        {"items": (item("cash", 1_000_000, "deposit", mix=(("nothing", D(1)),)),)},
        {"items": (item("cash", 1_000_000, "deposit", asset_class="nothing"),)},
        {"items": (item("cash", 1_000_000, "deposit", asset_class="unclassified"),)},
        {"items": (item("cash", 1_000_000, "deposit", sellable=D("1.5")),)},
        {"items": (item("cash", -1, "deposit"), item("a", 1_000_000, "gold"))},
        {"items": (item("cash", "NaN", "deposit"), item("a", 1_000_000, "gold"))},
    ],
)
def test_misuse_raises_and_names_nobody(misuse: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as error:
        run(replace(FAMILY, **misuse), *PLAN)
    assert "cash'" not in str(error.value)
    assert "1000000" not in str(error.value)


def test_starting_point_refuses_what_it_cannot_know() -> None:
    with pytest.raises(ValueError, match="cash_id"):
        starting_point(replace(FAMILY, cash_id="nobody"), CLASSIC)
    with pytest.raises(ValueError, match="class"):
        starting_point(sheet_of(item("cash", 1, "concentrated_stock")), CLASSIC)


def test_assumptions_must_cover_the_framework() -> None:
    fewer = LONG_RUN.model_copy(update={"classes": {k: v for k, v in LONG_RUN.classes.items() if k != "gold"}})
    with pytest.raises(ValueError, match="gold"):
        Verifier(CLASSIC, fewer)


def test_verifiers_are_kept_but_never_mixed_up() -> None:
    kept = verify_module._verifier
    kept.cache_clear()
    calm = LONG_RUN.model_copy(
        update={
            "name": "calm",
            "factors": {k: f.model_copy(update={"volatility": f.volatility / 2}) for k, f in LONG_RUN.factors.items()},
        }
    )
    seen = [row(verify(FAMILY, PLAN, f, a), "volatility").after for f in (CLASSIC, CHHABRA) for a in (LONG_RUN, calm)]
    assert len(set(seen)) == 4
    assert kept.cache_info().hits == 0
    assert row(verify(FAMILY, PLAN, CLASSIC, calm), "volatility").after == seen[1]
    assert kept.cache_info().hits == 1


def test_the_caller_s_decimal_context_changes_nothing() -> None:
    with localcontext(Context(prec=3, traps=[])):
        rough = run(FAMILY, *PLAN)
    assert rough == run(FAMILY, *PLAN) == verify(FAMILY, PLAN, CLASSIC, LONG_RUN)


# --------------------------------------------------------------------------------------------------------- properties

CLASSES = tuple(CHHABRA.classes)
NAMES = ("", "", "acme", "bolt")


def random_sheet(rng: np.random.Generator, framework: Framework, *, flow: bool = False) -> Sheet:
    """A client of a framework with values in cents, some locks, some funds looked through, sometimes debts."""
    codes = list(framework.classes)
    items = [item("cash", round(rng.uniform(0, 2e5), 2), "deposit", sell_cost=D(str(rng.choice([0.0, 0.01]))))]
    for k in range(int(rng.integers(1, 12))):
        code = str(rng.choice([*codes, "unclassified"]))
        more: dict[str, Any] = {
            "issuer": str(rng.choice(NAMES)),
            "tradable": bool(rng.random() < 0.8),
            "sellable": D(str(rng.choice([0.0, 0.25, 1.0]))),
            "indivisible": bool(rng.random() < 0.2),
            "own_company": code == "private_business",
        }
        if code != "unclassified" and rng.random() < 0.3:
            inner = rng.choice(codes, size=3, replace=False)
            more["mix"] = tuple((str(c), D(w)) for c, w in zip(inner, ("0.5", "0.3", "0.2"), strict=True))
        items.append(item(f"a{k}", round(float(rng.lognormal(11, 1.5)), 2), code, **more))
    facts: dict[str, Any] = {
        "band": str(rng.choice(list(framework.bands))),
        "owner": bool(rng.random() < 0.5),
        "spending": D(str(round(rng.uniform(0, 2e4), 2))) if rng.random() < 0.8 else None,
    }
    sheet = sheet_of(*items, **facts)
    total = total_of(sheet, framework)
    if rng.random() < 0.5:
        owed = (total * D(str(round(rng.uniform(0, 0.9), 3)))).quantize(D("0.01"))
        part = (owed * D("0.3")).quantize(D("0.01"))
        secured = str(rng.choice([x.asset_id for x in items])) if rng.random() < 0.5 else ""
        service = [D(str(round(rng.uniform(0, 1e5), 2))) for _ in range(3)]
        loans = (
            Loan("l0", part, service[0]),
            Loan("l1", owed - part, service[1], secured),
            Loan("l2", D(300_000), service[2], own_use=True),
        )
        sheet = replace(sheet, loans=loans)
    if flow:
        sheet = replace(sheet, cash_flow=(total * D(str(round(rng.uniform(-0.4, 0.4), 3)))).quantize(D("0.01")))
    return sheet


def total_of(sheet: Sheet, framework: Framework) -> Decimal:
    inside = {c for c, k in framework.classes.items() if k.bucket != "own_use"}
    return sum((x.value * w for x in sheet.items for c, w in x.mix if c in inside), D(0))


def random_moves(rng: np.random.Generator, sheet: Sheet) -> list[Move]:
    """Sells, buys and repayments without regard to the balance of money."""
    out = []
    for x in sheet.items:
        part = (x.value * D(str(round(rng.uniform(0.01, 0.5), 3)))).quantize(D("0.01"))
        if rng.random() < 0.4 and part > 0:
            out.append(Move(x.asset_id, "sell" if rng.random() < 0.6 else "buy", part, D(0)))
    for loan in sheet.loans:
        part = (loan.value * D(str(round(rng.uniform(0.01, 1), 3)))).quantize(D("0.01"))
        if rng.random() < 0.4 and part > 0:
            out.append(Move(loan.loan_id, "repay", part, D(0)))
    return out


def positions_of(sheet: Sheet, framework: Framework, moves: Sequence[Move]) -> Positions:
    """The same client, after moves, as the float side keeps it."""
    values = after(sheet, moves).values()
    paid = {m.asset_id: m.amount for m in moves if m.side == "repay"}
    n = len(sheet.loans)
    codes, m = list(framework.classes), len(sheet.items)
    klass = np.array([codes.index(x.asset_class) if x.asset_class in codes else -1 for x in sheet.items], dtype="intp")
    mixes = np.zeros((m, len(codes)))
    for k, x in enumerate(sheet.items):
        for code, w in x.mix:
            mixes[k, codes.index(code)] = float(w)
    issuers = {n: j for j, n in enumerate(sorted({x.issuer for x in sheet.items if x.issuer}))}
    issuer = [issuers[x.issuer] if x.issuer else len(issuers) + k for k, x in enumerate(sheet.items)]

    def each(name: str, dtype: str) -> Any:
        return np.array([getattr(x, name) for x in sheet.items]).astype(dtype)

    def one(number: Any) -> Any:
        return np.array([np.nan if number is None else float(number)])

    return Positions(
        clients=pd.DataFrame(
            {"client_id": ["x"], "band": [sheet.band], "currency": ["CNY"], "advisor": "", "tier": ""}
        ),
        holdings=pd.DataFrame({"client_id": ["x"] * m, "asset_id": [x.asset_id for x in sheet.items]}),
        band=np.array([framework.band_codes.index(sheet.band)], dtype="intp"),
        spending=one(sheet.spending),
        guarantees=one(sheet.guarantees),
        cash_flow=one(sheet.cash_flow),
        debts=Debts(
            client=np.zeros(n, dtype="intp"),
            start=np.array([0, n], dtype="intp"),
            debt_id=[x.loan_id for x in sheet.loans],
            kind=[""] * n,
            value=np.array([float(x.value - paid.get(x.loan_id, D(0))) for x in sheet.loans]),
            service=np.array([float(x.service * (1 - paid.get(x.loan_id, D(0)) / x.value)) for x in sheet.loans]),
            own_use=np.array([x.own_use for x in sheet.loans], dtype=bool),
            secured_by=[x.secured_by for x in sheet.loans],
        ),
        owner=np.array([sheet.owner]),
        client=np.zeros(m, dtype="intp"),
        start=np.array([0, m], dtype="intp"),
        klass=klass,
        mix=np.arange(m, dtype="intp") + len(codes) + 1,
        mix_table=np.vstack([np.eye(len(codes)), np.zeros((1, len(codes))), mixes]),
        value=np.array([float(v) for v in values]),
        issuer=np.array(issuer, dtype="intp"),
        asset=np.arange(m, dtype="intp"),
        grade=np.full(m, np.nan),
        own=each("own_company", "bool"),
        tradable=each("tradable", "bool"),
        locked=~each("tradable", "bool"),
        sellable=each("sellable", "float64"),
        indivisible=each("indivisible", "bool"),
        shelf=pd.DataFrame(),
        rates={},
    )


@pytest.mark.parametrize("preset", ["classic", "chhabra", "own"])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_floats_and_decimals_agree(preset: str, seed: int) -> None:
    framework = {f.name: f for f in (CLASSIC, CHHABRA, OWN)}[preset]
    rng = np.random.default_rng(seed)
    sheet = random_sheet(rng, framework)
    total = float(total_of(sheet, framework))
    if total <= float(debt_of(sheet)):
        return
    moves = random_moves(rng, sheet)
    checks = [c for c in run(sheet, *moves, framework=framework).checks if c.sense != "==" and c.bound is not None]
    checks = [c for c in checks if c.check not in ("amounts", "suitability")]
    for done, value_of, excess_of in (([], "before", "excess_before"), (moves, "after", "excess_after")):
        a = measure(
            positions_of(sheet, framework, done),
            framework,
            LONG_RUN,
            on=dt.date(2026, 1, 1),
            issues=issue_table(),
            unit=np.array([total]),
        )
        t = a.limit_table
        judged = [j for j in range(len(t.limits)) if np.isfinite(t.bound[0, j]) and not np.isnan(t.excess[0, j])]
        assert [(t.limits[j].name, t.limits[j].sense) for j in judged] == [(c.check, c.sense) for c in checks]
        for j, c in zip(judged, checks, strict=True):
            assert float(c.bound) == pytest.approx(t.bound[0, j], rel=1e-12)
            assert float(getattr(c, excess_of)) == pytest.approx(t.excess[0, j], rel=1e-9, abs=1e-9), c.check
            mine = getattr(c, value_of)
            assert float("nan" if mine is None else mine) == pytest.approx(
                t.value[0, j], rel=1e-9, abs=1e-9, nan_ok=True
            ), c.check


@given(seed=st.integers(0, 2**32 - 1), power=st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_order_and_currency_unit_do_not_matter(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    sheet = random_sheet(rng, CLASSIC, flow=True)
    if total_of(sheet, CLASSIC) <= debt_of(sheet):
        return
    # whole thousands, so that costs are exact before and after scaling
    some = [replace(m, amount=(m.amount // 1000 + 1) * 1000) for m in random_moves(rng, sheet)]
    moves = [m if m.side == "repay" else trade(sheet, m.asset_id, m.side, m.amount) for m in some]
    base = run(sheet, *moves)
    mixed = replace(sheet, items=tuple(sheet.items[k] for k in rng.permutation(len(sheet.items))))
    permuted = run(mixed, *[moves[k] for k in rng.permutation(len(moves))])
    assert [(c.check, c.verdict) for c in permuted.checks] == [(c.check, c.verdict) for c in base.checks]

    def up(x: Decimal) -> Decimal:
        return x.scaleb(power)

    scaled = replace(
        sheet,
        items=tuple(replace(x, value=up(x.value)) for x in sheet.items),
        spending=None if sheet.spending is None else up(sheet.spending),
        loans=tuple(replace(x, value=up(x.value), service=up(x.service)) for x in sheet.loans),
        **{n: up(getattr(sheet, n)) for n in ("cash_flow", "guarantees")},
    )
    bigger = run(scaled, *[replace(m, amount=up(m.amount), cost=up(m.cost)) for m in moves])
    assert [(c.check, c.verdict) for c in bigger.checks] == [(c.check, c.verdict) for c in base.checks]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_the_starting_point_pays_sells_no_more_than_it_may_and_harms_nothing(seed: int) -> None:
    sheet = random_sheet(np.random.default_rng(seed), CLASSIC, flow=True)
    if total_of(sheet, CLASSIC) <= debt_of(sheet):
        return
    moves = starting_point(sheet, CLASSIC)
    inside = {c for c, k in CLASSIC.classes.items() if k.bucket != "own_use"}
    lent_on = {x.secured_by for x in sheet.loans if x.value > 0}
    sellable = [x for x in sheet.items if any(c in inside for c, _ in x.mix) and x.asset_id not in lent_on]
    most = sum((x.available * (1 - x.sell_cost) for x in sellable), D(0))
    if moves is None:
        assert most + sheet.cash_flow < 0
        return
    came = sum((m.amount - m.cost for m in moves if m.side == "sell"), D(0))
    went = sum((m.amount + m.cost for m in moves if m.side == "buy"), D(0))
    with localcontext(Context(prec=60)):
        assert abs(came + sheet.cash_flow - went) <= D("1e-30") * max(abs(sheet.cash_flow), D(1))
    by_id = {x.asset_id: x for x in sheet.items}
    for m in moves:
        if m.side == "sell":
            assert m.amount <= by_id[m.asset_id].available
            assert m.asset_id not in lent_on
            assert not by_id[m.asset_id].indivisible or m.amount == by_id[m.asset_id].value
    assert len({m.asset_id for m in moves}) == len(moves)
    verdicts = {c.check: c.verdict for c in run(sheet, *moves).checks[4:]}
    assert set(verdicts.values()) <= {"holds", "no_worse"}


@given(
    st.lists(
        st.builds(
            Move,
            asset_id=st.sampled_from(["cash", "stock", "flat", "coin", "ghost", "loan"]),
            side=st.sampled_from(["buy", "sell", "repay"]),
            amount=st.decimals(),
            cost=st.decimals(),
        ),
        max_size=6,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_moves_get_a_verdict(moves: list[Move]) -> None:
    c = run(FAMILY, *moves)
    assert len(c.checks) == len(run(FAMILY).checks)
    if any(not (m.amount.is_finite() and m.amount > 0) or m.asset_id == "ghost" for m in moves):
        assert "amounts" in failed(c)


# ------------------------------------------------------------------------------------------------------- independence


def test_it_imports_nothing_from_the_optimiser_nor_any_float_measure() -> None:
    allowed: dict[str, set[str] | None] = {
        "allocator.framework": None,
        "allocator.assumptions": None,
        "allocator.limits": {"Limit", "limit_list", "TOLERANCE"},
        "allocator.verify_measures": None,
        "allocator.verify_sheet": None,
    }
    folder = Path(verify_module.__file__).parent
    for file in ("verify.py", "verify_measures.py", "verify_sheet.py"):
        text = (folder / file).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert all(not n.name.startswith(("allocator", "numpy", "pandas", "cvxpy")) for n in node.names)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("allocator", "numpy", "pandas")):
                names = allowed[node.module or ""]
                assert names is None or {n.name for n in node.names} <= names
        # arrays of the framework are the float side's
        assert not any(word in text for word in (".flag(", ".share(", ".in_bucket", ".in_group", "risk_table"))


def test_benchmark_thirty_items(benchmark: Callable[..., Certificate]) -> None:
    rng = np.random.default_rng(7)
    codes = [c for c in CLASSIC.classes if CLASSIC.classes[c].bucket != "own_use"]
    items = [item("cash", 100_000, "deposit")]
    items += [
        item(f"a{k}", round(rng.uniform(1e3, 1e6), 2), codes[k % len(codes)], issuer=NAMES[k % 4]) for k in range(29)
    ]
    sheet = sheet_of(*items, spending=D(10_000), loans=owing(100_000), cash_flow=D(-50_000))
    moves = plan_of(sheet, ("a1", "sell", 100), ("a2", "buy", 100))
    assert benchmark(run, sheet, *moves).checks
