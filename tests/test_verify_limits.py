"""Limits worked out by hand, and every verdict."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context
from typing import Any

import pytest
from sheets import CHHABRA, OWN, D, item, over, owing, plan_of, row, run, sheet_of, trade

from allocator.limits import TOLERANCE


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
