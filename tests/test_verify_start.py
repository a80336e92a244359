"""Where a plan starts from: withdrawals and new money; loans, their security and their repayment."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sheets import CLASSIC, FAMILY, D, failed, item, over, owing, plan_of, row, run, sheet_of, trade

from allocator.verify import Loan, Move, after, starting_point


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
