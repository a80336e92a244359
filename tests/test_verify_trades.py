"""Taxes, lots and minimums, instructions, the satellite share, turnover and cost: each by hand and each mutated."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from sheets import CLASSIC, LONG_RUN, D, failed, item, over, owing, plan_of, row, run, sheet_of

from allocator.verify import Certificate, Item, Move, Sheet, Verifier, starting_point


def faults(certificate: Certificate) -> set[str]:
    """Checks of the trade list that fail, whatever the limits say."""
    names = {"money", "costs", "tax", "amounts", "lots", "suitability", "satellite"}
    return failed(certificate) & names


def balanced(sheet: Sheet, *moves: Move) -> list[Move]:
    """The moves, and the move of the cash item that makes the money come out even."""
    left = sheet.cash_flow + sum(m.amount - m.cost - m.tax if m.side == "sell" else -m.amount - m.cost for m in moves)
    return [*moves, *([Move(sheet.cash_id, "buy" if left > 0 else "sell", abs(left), D(0))] if left else [])]


# --------------------------------------------------------------------------------------------------------------- taxes


def holding(basis: Any, rate: str = "0.2", **more: Any) -> Sheet:
    """Half cash, and 1000 of a fund that cost ``basis``; selling it costs nothing."""
    known = None if basis is None else D(str(basis))
    facts = {"sell_cost": D(0), "basis": known, "tax_rate": D(rate)}
    return sheet_of(item("cash", 1000, "deposit"), item("a", 1000, "bond_fund", **facts | more))


@pytest.mark.parametrize(
    ("basis", "rate", "amount", "tax"),
    [
        (250, "0.2", 400, "60.00"),  # three quarters of what is sold are gain: 300, taxed at a fifth
        (0, "0.2", 400, "80.00"),
        (1000, "0.2", 400, "0"),
        (1500, "0.2", 400, "0"),  # a loss
        (None, "0.2", 400, "0"),
        (250, "0", 400, "0"),
        (250, "0.2", 1000, "150.00"),
        ("333.33", "0.2", "0.05", "0.01"),  # 0.0066667
        (500, "0.1", "0.1", "0.00"),  # half a cent goes to the even one
        (500, "0.1", "0.3", "0.02"),  # one and a half as well
    ],
)
def test_tax_by_hand(basis: Any, rate: str, amount: Any, tax: str) -> None:
    sheet = holding(basis, rate)
    c = run(sheet, *balanced(sheet, Move("a", "sell", D(str(amount)), D(0), D(tax))))
    r = row(c, "tax")
    assert (r.sense, r.bound, r.after, r.verdict) == ("==", D(tax), D(tax), "holds")
    assert row(c, "money").verdict == "holds"
    assert plan_of(sheet, ("a", "sell", amount))[0].tax == D(tax)


@pytest.mark.parametrize(
    ("basis", "tax", "fine"),
    [
        (250, "59.99", True),  # a cent of rounding
        (250, "60.01", True),
        (250, "60.02", False),
        (250, "59.98", False),
        (250, "0", False),
        (250, "-60", False),
        (None, "0.01", False),  # where nothing is taxed there is nothing to round
        (1000, "0.01", False),
    ],
)
def test_a_tax_that_is_not_due_is_caught_though_the_money_comes_out_even(basis: Any, tax: str, fine: bool) -> None:
    sheet = holding(basis)
    c = run(sheet, *balanced(sheet, Move("a", "sell", D(400), D(0), D(tax))))
    assert row(c, "money").verdict == "holds"
    assert faults(c) == (set() if fine else {"tax"})


def test_a_cent_more_tax_out_of_nowhere_is_caught() -> None:
    sheet = holding(250)
    plan = plan_of(sheet, ("a", "sell", 400))
    assert plan == [Move("a", "sell", D(400), D(0), D("60.00")), Move("cash", "buy", D("340.00"), D(0))]
    assert not faults(run(sheet, *plan))
    for tax, caught in (("60.01", {"money"}), ("59.99", {"money"}), ("60.02", {"money", "tax"}), ("NaN", None)):
        got = faults(run(sheet, replace(plan[0], tax=D(tax)), plan[1]))
        assert got == caught if caught else {"money", "tax", "amounts"} <= got
    half = [replace(plan[0], tax=D("60.005")), replace(plan[1], amount=D("339.995"))]
    assert "money" in faults(run(sheet, *half))


def test_only_sales_are_taxed() -> None:
    sheet = replace(holding(250), loans=owing(300))
    buy = Move("a", "buy", D(100), D("0.10"), D("0.01"))
    assert "tax" in faults(run(sheet, *balanced(sheet, buy)))
    assert "tax" in faults(run(sheet, *balanced(sheet, Move("loan", "repay", D(100), D(0), D("0.01")))))
    assert "tax" not in faults(run(sheet, *balanced(sheet, Move("loan", "repay", D(100), D(0)))))


def test_a_withdrawal_pays_the_tax_on_what_it_sells_and_takes_the_dearest_last() -> None:
    taxed = item("taxed", 500, "bond_fund", sell_cost=D(0), basis=D(250), tax_rate=D("0.2"))  # brings 90%
    dear = item("dear", 900, "bond_fund", sell_cost=D("0.05"))  # brings 95%
    loss = item("loss", 100, "bond_fund", sell_cost=D(0), basis=D(200), tax_rate=D("0.2"))  # brings all
    sheet = sheet_of(item("cash", 10, "deposit"), taxed, dear, loss)
    for due, sold in (
        (60, {"cash": 10, "loss": 50}),
        (205, {"cash": 10, "loss": 100, "dear": 100}),
        (1010, {"cash": 10, "loss": 100, "dear": 900, "taxed": 50}),
        (1415, {"cash": 10, "loss": 100, "dear": 900, "taxed": 500}),
    ):
        moves = starting_point(replace(sheet, cash_flow=D(-due)), CLASSIC)
        assert moves is not None
        assert {m.asset_id: m.amount for m in moves} == {k: D(v) for k, v in sold.items()}, due
        assert {m.asset_id: m.tax for m in moves if m.tax} == ({"taxed": D(sold["taxed"]) / 10} if due > 1000 else {})
        assert sum(m.amount - m.cost - m.tax for m in moves) == due
    assert starting_point(replace(sheet, cash_flow=D("-1415.01")), CLASSIC) is None


def test_a_withdrawal_takes_what_is_to_be_sold_first_after_the_deposits() -> None:
    first = item("first", 100, "bond_fund", sell_cost=D("0.2"), sell_first=True)
    second = item("second", 90, "bond_fund", sell_cost=D("0.1"), sell_first=True)
    cheap = item("cheap", 500, "bond_fund", sell_cost=D(0))
    small = item("small", 20, "deposit", sell_cost=D(0), sell_first=True)
    large = item("large", 50, "deposit", sell_cost=D(0))
    sheet = sheet_of(item("cash", 10, "deposit"), cheap, first, second, large, small)
    order = [("cash", 10), ("small", 20), ("large", 50), ("second", 81), ("first", 80), ("cheap", 500)]
    for n in range(1, len(order) + 1):
        due = sum(brings for _, brings in order[: n - 1]) + 1
        moves = starting_point(replace(sheet, cash_flow=D(-due)), CLASSIC)
        assert moves is not None
        assert {m.asset_id for m in moves} == {name for name, _ in order[:n]}


def test_an_indivisible_asset_is_taxed_whole_before_what_is_left_goes_to_cash() -> None:
    flat = item(
        "flat", 500, "investment_property", indivisible=True, sell_cost=D("0.06"), basis=D(0), tax_rate=D("0.2")
    )
    sheet = sheet_of(item("cash", 40, "deposit"), flat, cash_flow=D(-100))
    assert starting_point(sheet, CLASSIC) == (
        Move("flat", "sell", D(500), D("30.00"), D("100.0")),
        Move("cash", "buy", D(270), D(0)),
    )


# ------------------------------------------------------------------------------------------------------ lots, minimums

SHELF = sheet_of(
    item("cash", 50_000, "deposit"),
    item("lots", 0, "bond_fund", buy_cost=D(0), lot=D(1000), minimum=D(5000)),
    item("held", 30_000, "bond_fund", buy_cost=D(0), lot=D(1000), minimum=D(5000)),
    item("odd", 0, "bond_fund", buy_cost=D(0), lot=D("142.86"), minimum=D("714.29")),
    item("fund", 20_000, "equity_fund"),
)


@pytest.mark.parametrize(
    ("asset", "amount", "fine"),
    [
        ("lots", 5000, True),
        ("lots", 6000, True),
        ("lots", 4000, False),  # whole lots, but below the minimum
        ("lots", 5500, False),
        ("lots", "5000.01", False),
        ("lots", "4999.99", False),
        ("held", 1000, True),  # the minimum is for what is not held yet
        ("held", 999, False),
        ("odd", "714.30", True),
        ("odd", "714.29", False),
        ("odd", "857.16", True),
        ("odd", "571.44", False),
        ("fund", "0.01", True),
    ],
)
def test_lots_and_minimums_by_hand(asset: str, amount: Any, fine: bool) -> None:
    c = run(SHELF, *plan_of(SHELF, (asset, "buy", amount)))
    assert ("lots" in faults(c)) == (not fine)
    assert row(c, "lots").after == (0 if fine else 1)
    assert row(c, "money").verdict == "holds"


def test_one_lot_less_is_caught_by_the_money_and_half_a_lot_by_the_lots() -> None:
    plan = plan_of(SHELF, ("lots", "buy", 8000), ("fund", "sell", 5000))
    assert not faults(run(SHELF, *plan))
    less = [replace(m, amount=D(7000)) if m.asset_id == "lots" else m for m in plan]
    assert faults(run(SHELF, *less)) == {"money"}
    assert faults(run(SHELF, *plan_of(SHELF, ("lots", "buy", 7500), ("fund", "sell", 5000)))) == {"lots"}


def test_selling_and_cash_know_no_lots() -> None:
    assert "lots" not in faults(run(SHELF, *plan_of(SHELF, ("held", "sell", "123.45"))))
    cash = replace(SHELF.items[0], lot=D(1000), minimum=D(10**6))
    sheet = replace(SHELF, items=(cash, *SHELF.items[1:]))
    assert "lots" not in faults(run(sheet, *plan_of(sheet, ("held", "sell", "123.45"))))


def test_lots_of_amounts_without_measure() -> None:
    for amount in ("1E+60", "1E-60", "1E+999", "-5000", "5000.000000000000000000000000000000000000000000000000000001"):
        c = run(SHELF, Move("lots", "buy", D(amount), D(0)))
        assert ("lots" in faults(c)) == (amount not in ("1E+60", "1E+999"))
        assert not c.holds


# -------------------------------------------------------------------------------------------------------- instructions


def test_what_is_never_to_be_bought_is_not_even_where_it_is_cash() -> None:
    never = item("never", 100, "bond_fund", never_buy=True)
    cash = item("cash", 900, "deposit")
    sheet = sheet_of(cash, never)
    assert faults(run(sheet, *plan_of(sheet, ("never", "buy", 10)))) == {"suitability"}
    assert faults(run(sheet, *plan_of(sheet, ("never", "buy", 10)), portfolio_mode=True)) == {"suitability"}
    assert not faults(run(sheet, *plan_of(sheet, ("never", "sell", 10))))
    sheet = sheet_of(replace(cash, never_buy=True), replace(never, never_buy=False))
    assert faults(run(sheet, *plan_of(sheet, ("never", "sell", 10)))) == {"suitability"}


def test_what_is_never_to_be_sold_is_not_sold() -> None:
    kept = item("kept", 100, "bond_fund", sellable=D(0))  # as the book's numbers have it
    sheet = sheet_of(item("cash", 900, "deposit"), kept)
    assert faults(run(sheet, *plan_of(sheet, ("kept", "sell", "0.01")))) == {"amounts"}
    assert starting_point(replace(sheet, cash_flow=D(-950)), CLASSIC) is None


# ----------------------------------------------------------------------------------------------------------- satellite

RISKY = sheet_of(
    item("cash", 500_000, "deposit"),
    item("fund", 350_000, "equity_fund"),
    item("bond", 150_000, "bond_fund"),
    item("coin", 0, "equity_fund", risk=5, buy_cost=D(0)),
    item("more", 10_000, "equity_fund", risk=4, buy_cost=D(0)),
)
SATELLITE = CLASSIC.bands["balanced"].satellite


@pytest.mark.parametrize(("beyond", "fine"), [("0", True), ("1", True), ("2", False), ("50000", False)])
def test_riskier_grades_together_stay_within_the_satellite_share(beyond: str, fine: bool) -> None:
    share = D(str(SATELLITE))
    total = D(1_010_000)
    coin = (share * total - 5_000 + D(beyond)).quantize(D("0.01"))
    plan = plan_of(RISKY, ("coin", "buy", coin), ("more", "buy", 5_000))
    c = run(RISKY, *plan, portfolio_mode=True)
    r = row(c, "satellite")
    assert (r.sense, r.bound, r.after) == ("<=", share, over(coin + 5_000, total))
    assert r.excess_after == over(D(beyond), total)
    assert ("satellite" in faults(c)) == (not fine)
    # by product, neither may be bought at all, and there is no such share
    c = run(RISKY, *plan)
    assert "suitability" in faults(c)
    assert not [x for x in c.checks if x.check == "satellite"]


def test_the_satellite_share_is_of_the_total_after_the_plan() -> None:
    share = D(str(SATELLITE))
    sheet = replace(RISKY, cash_flow=D(-400_000))
    coin = share * 610_000
    assert row(run(sheet, *plan_of(sheet, ("coin", "buy", coin)), portfolio_mode=True), "satellite").verdict == "holds"
    c = run(sheet, *plan_of(sheet, ("coin", "buy", coin + 100)), portfolio_mode=True)
    assert row(c, "satellite").verdict == "broken"


# ------------------------------------------------------------------------------------------------------------- budgets


def judged(sheet: Sheet, *moves: Move, hard: bool = False, **limits: float) -> Certificate:
    """Under the classic framework with budgets."""
    bands = {k: b.model_copy(update={"limits": b.limits | limits}) for k, b in CLASSIC.bands.items()}
    return Verifier(CLASSIC.model_copy(update={"bands": bands}), LONG_RUN).verify(sheet, moves, hard=hard)


def traders(*more: Item, **facts: Any) -> Sheet:
    """A million, some of it in a bond fund; trading costs nothing unless the item says so."""
    free = {"buy_cost": D(0), "sell_cost": D(0)}
    fund, bill = item("fund", 400_000, "bond_fund", **free), item("bill", 0, "treasury_bill", **free)
    return sheet_of(item("cash", 600_000, "deposit"), fund, bill, *more, **facts)


@pytest.mark.parametrize(
    ("amount", "verdict"), [(99_999, "holds"), (100_000, "holds"), (100_001, "holds"), (100_002, "broken")]
)
def test_turnover_is_half_of_what_is_bought_and_sold(amount: int, verdict: str) -> None:
    sheet = traders()
    c = judged(sheet, *plan_of(sheet, ("fund", "sell", amount), ("bill", "buy", amount)), turnover=0.1)
    r = row(c, "turnover")
    assert (r.sense, r.before, r.bound, r.after) == ("<=", 0, D("0.1"), over(amount, 1_000_000))
    assert r.verdict == verdict
    assert c.holds == (not failed(c))
    assert not [x for x in judged(sheet).checks if x.check in ("turnover", "cost")]


def test_repaying_is_no_turnover_but_a_move_of_cash_is() -> None:
    sheet = traders(loans=owing(100_000))
    c = judged(sheet, *balanced(sheet, Move("loan", "repay", D(50_000), D(0))), turnover=0.1)
    assert row(c, "turnover").after == D("0.025")  # the cash that pays it


def test_a_withdrawal_may_take_what_it_takes() -> None:
    sheet = traders(cash_flow=D(-700_000))  # all cash, and 100,000 of the fund: half of 700,000
    start = starting_point(sheet, CLASSIC)
    assert start is not None
    r = row(judged(sheet, *start, turnover=0.1), "turnover")
    assert (r.before, r.after, r.excess_before, r.verdict) == (D("0.35"), D("0.35"), D("0.25"), "no_worse")
    more = plan_of(sheet, ("fund", "sell", 100_010), ("bill", "buy", 10))
    assert row(judged(sheet, *more, turnover=0.1), "turnover").verdict == "broken"


@pytest.mark.parametrize(("bound", "verdict"), [(0.0132, "holds"), (0.0131, "holds"), (0.013098, "broken")])
def test_the_cost_budget_counts_costs_and_taxes(bound: float, verdict: str) -> None:
    taxed = item("taxed", 200_000, "bond_fund", sell_cost=D("0.001"), basis=D(50_000), tax_rate=D("0.2"))
    cash, fund, bill = traders().items
    # 80,000 sold: 80 of costs and 12,000 of tax; a bill for 1,020 of costs
    sheet = sheet_of(cash, fund, replace(bill, buy_cost=D("0.0255")), taxed)
    total = D(1_200_000)
    plan = plan_of(sheet, ("taxed", "sell", 80_000), ("bill", "buy", 40_000))
    assert [(m.cost, m.tax) for m in plan[:2]] == [(80, 12_000), (1_020, 0)]
    c = judged(sheet, *plan, cost=bound * 1_000_000 / 1_200_000)
    r = row(c, "cost")
    assert (r.before, r.after) == (0, over(13_100, total))
    assert r.verdict == verdict


def test_what_a_withdrawal_costs_is_no_fault_of_the_plan() -> None:
    taxed = item("taxed", 200_000, "bond_fund", sell_cost=D("0.001"), basis=D(50_000), tax_rate=D("0.2"))
    sheet = sheet_of(item("cash", 100_000, "deposit"), taxed, cash_flow=D(-184_900))
    start = starting_point(sheet, CLASSIC)
    assert start is not None
    assert {m.asset_id: (m.amount, m.cost, m.tax) for m in start}["taxed"] == (100_000, 100, 15_000)
    r = row(judged(sheet, *start, cost=0.01), "cost")
    assert (r.before, r.after, r.verdict) == (over(15_100, 300_000), over(15_100, 300_000), "no_worse")
    r = row(judged(sheet, *plan_of(sheet, ("taxed", "sell", 100_010)), cost=0.01), "cost")
    assert r.verdict == "broken"


@pytest.mark.parametrize("change", [{"lot": D(0)}, {"lot": D("NaN")}, {"minimum": D(-1)}, {"basis": D(-1)},
                                    {"basis": D("Infinity")}, {"tax_rate": D("1.1")}])  # fmt: skip
def test_numbers_that_cannot_be_are_misuse(change: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError, match="of an item"):
        run(sheet_of(item("cash", 1000, "deposit", **change)))
