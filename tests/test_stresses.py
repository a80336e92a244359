"""Stress tables: a family by hand, every client in plain Python, and what must not change a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ON, make_book
from small import book_of, client, holding, run
from stress_cases import CRASH, STANDARD, only

from allocator.analysis import Analysis
from allocator.book import Book, read_book
from allocator.limits import limit
from allocator.pipeline import analyze
from allocator.scenarios import Scenario
from allocator.stresses import Stress, stress

# ---- by hand


def test_a_family_by_hand() -> None:
    """400 shares, 300 house, 100 gold, 200 deposit, own home 500; owing 150 on the shares and 250 on the home."""
    book = book_of(
        holding(asset_id="s", asset_class="equity_fund", value=400.0),
        holding(asset_id="h", asset_class="investment_property", value=300.0),
        holding(asset_id="g", asset_class="gold", value=100.0),
        holding(asset_id="d", asset_class="deposit", value=200.0),
        holding(asset_id="o", asset_class="own_home", value=500.0),
        clients=[client(monthly_spending=10.0)],
        debts=[
            {"client_id": "a", "value": 150.0, "annual_payment": 24.0},
            {"client_id": "a", "value": 250.0, "secured_by": "o"},
        ],
    )
    found = stress(run(book), CRASH)
    row = only(found)
    assert row["loss"] == pytest.approx(200 + 60 - 10)  # gold gains 10
    assert row["loss_share"] == pytest.approx(250 / 1000)
    assert row["loss_equity"] == pytest.approx(250 / 850)
    assert row["equity"] == pytest.approx(850 - 250)
    assert row["net_worth"] == pytest.approx(850 - 250 + 500 * 0.8 - 250)  # the home falls as houses do
    assert row["reserve_months"] == pytest.approx((200 + 110) / (10 + 2))
    assert (row["spent"], row["short"], row["insolvent"]) == (0.0, 0.0, False)
    losses = found.holdings.set_index("asset_id")["loss"]
    assert losses.to_dict() == pytest.approx({"s": 200.0, "h": 60.0, "g": -10.0, "d": 0.0, "o": 100.0})
    assert found.worst["scenario"].tolist() == ["crash"]


def test_frozen_markets_by_hand() -> None:
    """24 months of 10 from 60 deposits, 40 gold, 50 shares: 150 are paid, 90 are owed; the house cannot be sold."""
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="g", asset_class="gold", value=40.0),
        holding(asset_id="s", asset_class="equity_fund", value=50.0),
        holding(asset_id="h", asset_class="investment_property", value=850.0),
        holding(asset_id="i", asset_class="insurance_cash_value", value=30.0),
        holding(asset_id="p", asset_class="deposit", value=20.0, pledged=True),
        holding(asset_id="l", asset_class="equity_fund", value=25.0, locked_until="2030-01-01"),
    )
    found = stress(run(book))
    row = only(found, "frozen")
    assert (row["loss"], row["spent"], row["short"]) == pytest.approx((0.0, 150.0, 90.0))
    assert row["equity"] == row["net_worth"] == pytest.approx(1075 - 240)
    assert row["reserve_months"] == 0.0
    broken = found.limits[found.limits["scenario"] == "frozen"]
    reserve = broken[broken["limit"] == "reserve_months"].iloc[0]
    assert (reserve["today"], reserve["after"], reserve["bound"]) == pytest.approx((10.0, 0.0, 6.0))


def test_cash_is_spent_first() -> None:
    """Six months of 10 come from the deposits, the gold stays: months fall from 12 to 6."""
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="g", asset_class="gold", value=60.0),
        holding(asset_id="s", asset_class="equity_fund", value=880.0),
    )
    a = run(book)
    row = only(stress(a, {"x": {"frozen": True, "months": 6}}))
    assert (row["spent"], row["short"], row["reserve_months"]) == pytest.approx((60.0, 0.0, 6.0))
    half = only(stress(a, {"x": {"frozen": True, "months": 6, "spending_months": 3}}))
    assert (half["spent"], half["reserve_months"]) == pytest.approx((30.0, 9.0))


def test_where_markets_are_open_the_rest_is_sold_last() -> None:
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="h", asset_class="investment_property", value=940.0),
    )
    a = run(book)
    opened = only(stress(a, {"x": {"spending_months": 24}}))
    frozen = only(stress(a, {"x": {"spending_months": 24, "frozen": True}}))
    assert (opened["spent"], opened["short"]) == pytest.approx((240.0, 0.0))
    assert (frozen["spent"], frozen["short"]) == pytest.approx((60.0, 180.0))
    assert opened["equity"] == pytest.approx(frozen["equity"])


def test_the_own_industry_fails_by_hand() -> None:
    """The firm 500 and the loan to it 40 are gone; a share of its sector loses half of 100; 200 guaranteed are called.

    The pledged 30 pay first, then 60 deposits and 50 of the share: 60 stay owed.
    """
    book = book_of(
        holding(asset_id="f", asset_class="private_business", value=500.0, own_company=True, sector="Steel"),
        holding(asset_id="l", asset_class="shareholder_loan", value=40.0, own_company=True),
        holding(asset_id="s", asset_class="listed_equity", value=100.0, sector=" steel "),
        holding(asset_id="e", asset_class="equity_fund", value=0.0, sector="steel"),
        holding(asset_id="d", asset_class="deposit", value=60.0, sector="steel"),
        holding(asset_id="p", asset_class="deposit", value=30.0, pledged=True),
        holding(asset_id="h", asset_class="investment_property", value=270.0, sector="property"),
        clients=[client(guarantees=200.0)],
    )
    found = stress(run(book))
    row = only(found, "own_industry")
    assert row["loss"] == pytest.approx(500 + 40 + 50 + 200)
    assert row["short"] == pytest.approx(200 - 30 - 60 - 50)
    assert row["equity"] == row["net_worth"] == pytest.approx(1000 - 790)
    assert row["reserve_months"] == 0.0
    losses = found.holdings[found.holdings["scenario"] == "own_industry"].set_index("asset_id")["loss"]
    assert losses.to_dict() == pytest.approx({"f": 500, "l": 40, "s": 50, "e": 0, "d": 0, "p": 0, "h": 0})
    assert found.worst["scenario"].tolist() == ["own_industry"]


def test_a_sector_counts_only_where_it_is_that_of_the_own_company() -> None:
    rows = [
        holding(asset_id="f", asset_class="private_business", value=500.0, own_company=True, sector="steel"),
        holding(client_id="b", asset_id="s", asset_class="listed_equity", value=100.0, sector="steel"),
    ]
    found = stress(run(book_of(*rows, clients=[client(), client(client_id="b")])))
    s = found.summary[found.summary["scenario"] == "own_industry"].set_index("client_id")
    assert s["loss"].to_dict() == {"a": 500.0, "b": 0.0}


def test_dearer_debts_shorten_the_reserve() -> None:
    """1,200 owed cost 36 a year more: 3 a month on 10 + 2."""
    book = book_of(holding(value=2000.0), debts=[{"client_id": "a", "value": 1200.0, "annual_payment": 24.0}])
    a = run(book)
    assert a.exposures.months[0] == pytest.approx(2000 / 12)
    row = only(stress(a), "rates_up")
    assert (row["loss"], row["reserve_months"]) == pytest.approx((0.0, 2000 / 15))


def test_a_fund_is_looked_through_and_holds_something_else_afterwards() -> None:
    """60 of shares and 40 of gold become 30 and 44: the fund loses 26 of 100, and 44 of its 74 are gold."""
    book = book_of(
        holding(asset_id="F", asset_class="mixed_fund", value=100.0),
        holding(asset_id="d", asset_class="deposit", value=100.0),
        lookthrough=[
            {"fund_id": "F", "asset_class": "equity_fund", "weight": 0.6},
            {"fund_id": "F", "asset_class": "gold", "weight": 0.4},
        ],
    )
    own = limit("gold share", 0.5, counts=lambda facts: facts["asset_class"] == "gold")
    a = analyze(book, on=ON, limits=[own])
    found = stress(a, CRASH)
    assert only(found)["loss"] == pytest.approx(60 * 0.5 - 40 * 0.1)
    after = analyze(
        book_of(
            holding(asset_id="F", asset_class="mixed_fund", value=74.0),
            holding(asset_id="d", asset_class="deposit", value=100.0),
            lookthrough=[
                {"fund_id": "F", "asset_class": "equity_fund", "weight": 30 / 74},
                {"fund_id": "F", "asset_class": "gold", "weight": 44 / 74},
            ],
        ),
        on=ON,
    )
    assert only(found)["limits_exceeded"] == after.summary["limits_exceeded"].iloc[0]
    broken = set(after.limits.loc[after.limits["exceeded"], "limit"]) - set(a.limits.loc[a.limits["exceeded"], "limit"])
    assert set(found.limits["limit"]) == broken


def test_an_own_company_that_is_a_fund_falls_as_a_whole() -> None:
    """Half of it is gone, what is left is mixed as it was; the other client's fund is untouched."""
    rows = [
        holding(client_id=who, asset_id="F", asset_class="mixed_fund", value=100.0, own_company=own)
        for who, own in (("a", True), ("b", False))
    ]
    funds = [{"fund_id": "F", "asset_class": c, "weight": w} for c, w in (("equity_fund", 0.6), ("gold", 0.4))]
    a = run(book_of(*rows, clients=[client(), client(client_id="b")], lookthrough=funds))
    for said, expected in (
        ({"own_company": -0.5}, [50.0, 0.0]),
        ({"own_company": -0.5, "shocks": {"equity_fund": -0.5}}, [50.0, 30.0]),
    ):
        found = stress(a, {"x": {"gains": False} | said})
        assert found.summary["loss"].tolist() == pytest.approx(expected)


@pytest.fixture(scope="module")
def sampled(sample: Book) -> Stress:
    return stress(analyze(sample, on=ON))


# ---- the sample book and real families, read as a banker


def test_the_guarantee_case(sampled: Stress) -> None:
    """38 million of firm and 25 million guaranteed: more than all; without the guarantee a third would be left."""
    rows = sampled.select("C009")["summary"].set_index("scenario")
    row = rows.loc["own_industry"]
    assert row["loss"] == 63_000_000
    assert row["insolvent"]
    assert row["reserve_months"] == 0.0
    assert row["short"] > 9e6
    assert row["net_worth"] > 17e6, "the home is still there"
    assert sampled.worst.set_index("client_id").loc["C009", "scenario"] == "own_industry"
    spared = Scenario.model_validate(STANDARD.scenarios["own_industry"].model_dump() | {"guarantees": 0.0})
    free = stress(sampled.analysis, {"x": spared}).select("C009")["summary"].iloc[0]
    assert free["equity"] / sampled.analysis.summary.set_index("client_id").loc["C009", "equity"] > 0.33
    assert free["reserve_months"] > 40


def test_the_leveraged_property_case(sampled: Stress) -> None:
    """27 million of flats on 18 million of debts: −30% takes nearly four fifths of the own money."""
    rows = sampled.select("C008")["summary"].set_index("scenario")
    assert rows.loc["china_property", "loss_share"] < 0.3 < rows.loc["china_property", "loss_equity"]
    assert 0.7 < rows.loc["china_property", "loss_equity"] < 0.85
    assert rows.loc["crash_1929", "insolvent"]
    assert rows.loc["rates_up", "reserve_months"] < 2 < rows.loc["own_industry", "reserve_months"]
    assert rows.loc["frozen", "short"] > 2e6


@pytest.fixture(scope="module")
def families(shared: Callable[[str], Path]) -> Analysis:
    return analyze(read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)


def test_467_families(families: Analysis) -> None:
    """Median losses of own money, as the report says them."""
    b = stress(families).book.set_index("scenario")
    expected = {
        "crash_1929": 0.509, "crash_1973": 0.251, "crash_2000": 0.243, "crash_2008": 0.319, "china_property": 0.156,
        "own_industry": 0.270, "rates_up": 0.147, "frozen": 0.0,
    }  # fmt: skip
    assert b["clients"].tolist() == [467] * 8
    assert b["loss_equity"].to_dict() == pytest.approx(expected, abs=0.0006)
    assert b.loc["frozen", "short"] == 162
    assert b.loc["own_industry", "worst"] + b.loc["crash_1929", "worst"] > 460


def test_one_client_of_tuples() -> None:
    book = make_book([("a", "fund", "equity_fund", 100.0)], [{"client_id": "a", "risk_band": "balanced"}])
    assert only(stress(analyze(book, on=ON)), "crash_2008")["loss"] == pytest.approx(36.55)
