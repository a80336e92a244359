"""From a book's numbers to the verifier: sheets in exact decimals, and real orders, right ones and mutated ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from conftest import ON, make_book
from sheets import EVERY, MINE, D, failed, over, row

from allocator.analysis import Analysis
from allocator.certify import Certifier, Order
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.limits import limit
from allocator.pipeline import analyze
from allocator.verify import Item, Sheet

CLASSIC = load_framework("classic")
HOLDINGS: tuple[dict[str, Any], ...] = (
    {"asset_id": "bank", "asset_class": "deposit", "value": 400_000},
    {"asset_id": "stock", "asset_class": "listed_equity", "value": 200_000, "sector": "Tech", "cost_basis": 50_000},
    {"asset_id": "flat", "asset_class": "investment_property", "value": 250_000, "cost_basis": 150_000,
     "restriction": "sell_first", "sellable": 1.0},
    {"asset_id": "gift", "asset_class": "bond_fund", "value": 50_000, "restriction": "never_sell|never_buy"},
    {"asset_id": "dollars", "asset_class": "bond_fund", "value": 10_000, "currency": "USD", "cost_basis": 8_000,
     "product_id": "US1"},
    {"asset_id": "gone", "asset_class": "bond_fund", "value": 0},
)  # fmt: skip
PRODUCTS: tuple[dict[str, Any], ...] = (
    {"product_id": "LOT", "name": "lots", "asset_class": "bond_fund", "lot": 1000, "minimum": 5000, "sector": "TECH",
     "country": "CN", "buy_cost": 0.001, "issuer": "House"},
    {"product_id": "US1", "name": "dollar fund", "asset_class": "bond_fund", "lot": 100, "minimum": 1000,
     "currency": "USD", "country": "US", "buy_cost": 0.0},
    {"product_id": "gone", "name": "free", "asset_class": "bond_fund", "buy_cost": 0.0},
    {"product_id": "R5", "name": "risky", "asset_class": "equity_fund", "risk": 5, "buy_cost": 0.0},
)  # fmt: skip
FX = ({"currency": "USD", "rate": 7.0}, {"currency": "HKD", "rate": 0.9})


def family(framework: Any = "classic", limits: Any = (), currency: str = "CNY", **more: Any) -> Analysis:
    """One balanced client of a house with four products."""
    import pandas as pd

    rows = pd.DataFrame([{"client_id": "x", "name": h["asset_id"], "currency": "CNY"} | h for h in HOLDINGS])
    client = {"client_id": "x", "risk_band": "balanced", "currency": currency} | more
    book = make_book(rows, [client], products=PRODUCTS, fx=FX)
    return analyze(book, framework, on=ON, limits=limits)


def items_of(sheet: Sheet) -> dict[str, Item]:
    return {x.asset_id: x for x in sheet.items}


def test_a_holding_carries_what_the_book_says_of_it() -> None:
    sheet = Certifier(family()).sheet(0, [], "bank")
    x = items_of(sheet)
    assert (sheet.home_currency, sheet.home_country) == ("CNY", "CN")
    assert (x["stock"].sector, x["stock"].basis, x["stock"].tax_rate) == ("Tech", 50_000, D("0.0"))
    assert (x["flat"].basis, x["flat"].tax_rate) == (150_000, D(repr(CLASSIC.classes["investment_property"].tax)))
    assert x["flat"].tax_rate > 0
    assert (x["flat"].sell_first, x["stock"].sell_first) == (True, False)
    assert (x["gift"].available, x["gift"].never_buy, x["gift"].tradable) == (0, True, True)
    assert (x["bank"].basis, x["bank"].buyable, x["bank"].never_buy) == (None, True, False)
    d = x["dollars"]
    assert (d.value, d.basis, d.currency, d.country) == (70_000, 56_000, "USD", "US")
    assert (d.lot, d.minimum, d.buyable) == (700, 7000, True)


@pytest.mark.parametrize(
    ("currency", "product", "lot", "minimum", "buyable"),
    [
        ("CNY", 0, "1000.00", "5000.00", True),
        ("CNY", 1, "700.00", "7000.00", True),
        ("USD", 0, "142.86", "714.29", True),  # 142.857..., 714.285... rounded up
        ("USD", 1, "100.00", "1000.00", True),  # there and back adds no cent
        ("HKD", 0, "1111.11", "5555.56", True),
        ("HKD", 1, "777.78", "7777.78", True),
        ("HKD", 2, "0.01", "0.00", True),
        ("EUR", 0, "0.01", "0.00", False),  # no rate: nobody knows what a lot is
        ("EUR", 2, "0.01", "0.00", True),
    ],
)
def test_lots_and_minimums_in_the_client_s_currency(
    currency: str, product: int, lot: str, minimum: str, buyable: bool
) -> None:
    new = Order("new", "buy", 1, 0, new=True, product=product)
    certifier = Certifier(family(currency=currency))
    with localcontext(Context(prec=3)):  # whatever the caller has set
        x = items_of(certifier.sheet(0, [new], "CASH"))["new"]
    assert (x.lot, x.minimum, x.buyable) == (D(lot), D(minimum), buyable)


def test_a_new_product_has_the_labels_of_the_shelf_and_a_new_account_the_client_s_currency() -> None:
    orders = [Order("LOT", "buy", 1, 0, new=True, product=0), Order("CASH", "buy", 1, 0, new=True)]
    x = items_of(Certifier(family(currency="USD")).sheet(0, orders, "CASH"))
    assert (x["LOT"].sector, x["LOT"].country, x["LOT"].currency, x["LOT"].issuer) == ("TECH", "CN", "CNY", "house")
    assert (x["CASH"].currency, x["CASH"].country, x["CASH"].buyable, x["CASH"].buy_cost) == ("USD", "", True, 0)


def test_a_product_may_bear_the_name_of_a_holding_that_is_worth_nothing() -> None:
    certifier = Certifier(family())
    assert "gone" in items_of(certifier.sheet(0, [], "bank"))
    orders = [Order("gone", "buy", 100_000, 0, new=True, product=2), Order("bank", "sell", 100_000, 0)]
    sheet = certifier.sheet(0, orders, "bank")
    assert [x.asset_id for x in sheet.items].count("gone") == 1
    assert "amounts" not in failed(certifier.certify(0, orders, "bank"))


# ------------------------------------------------------------------------------------------ a plan, and what is wrong

TAX = CLASSIC.classes["investment_property"].tax
FLAT_COST = round(25_000_000 * CLASSIC.classes["investment_property"].sell_cost)
FLAT_TAX = round(25_000_000 * TAX * 0.4)
"""The flat brought 100,000 of its 250,000."""
BUY = 20_000_000
RIGHT = (
    Order("flat", "sell", 25_000_000, FLAT_COST, tax_cents=FLAT_TAX),
    Order("LOT", "buy", BUY, BUY // 1000, new=True, product=0),
    Order("bank", "buy", 25_000_000 - FLAT_COST - FLAT_TAX - BUY - BUY // 1000, 0),
)
TRADE_CHECKS = {"money", "costs", "tax", "amounts", "lots", "suitability"}


def change(k: int, *, cash: int = 0, **more: Any) -> tuple[Order, ...]:
    """The right plan with one order changed, and some cents more or less in cash."""
    out = [replace(o, **more) if j == k else o for j, o in enumerate(RIGHT)]
    return (*out[:2], replace(out[2], cents=out[2].cents + cash))


WRONG = {
    "a cent more tax": (change(0, tax_cents=FLAT_TAX + 1), {"money"}),
    "two cents more tax, taken from cash": (change(0, tax_cents=FLAT_TAX + 2, cash=-2), {"tax"}),
    "no tax, the money kept": (change(0, tax_cents=0, cash=FLAT_TAX), {"tax"}),
    "one lot less": (change(1, cents=BUY - 100_000, cost_cents=(BUY - 100_000) // 1000), {"money"}),
    "half a lot less, the money kept": (
        change(1, cents=BUY - 50_000, cost_cents=(BUY - 50_000) // 1000, cash=50_050),
        {"lots"},
    ),
    "below the minimum": (change(1, cents=400_000, cost_cents=400, cash=BUY + BUY // 1000 - 400_400), {"lots"}),
    "what is never to be sold, sold": (
        (*change(2, cash=99_000)[:2], Order("gift", "sell", 100_000, 0), change(2, cash=100_000)[2]),
        {"amounts", "costs"},
    ),
    "what is never to be bought, bought": (
        (*RIGHT[:2], Order("gift", "buy", 100_000, 0), change(2, cash=-100_000)[2]),
        {"suitability", "costs"},
    ),
    "too risky": (
        (*RIGHT[:2], Order("R5", "buy", 100_000, 0, new=True, product=3), change(2, cash=-100_000)[2]),
        {"suitability"},
    ),
    "a held product in less than its lot": (
        (*RIGHT[:2], Order("dollars", "buy", 10_000, 0), change(2, cash=-10_000)[2]),
        {"lots"},
    ),
}


def test_the_right_plan_passes() -> None:
    assert TAX > 0
    c = Certifier(family()).certify(0, RIGHT, "bank")
    assert not failed(c) & TRADE_CHECKS
    assert row(c, "tax").bound == Decimal(FLAT_TAX) / 100
    held = (*RIGHT[:2], Order("dollars", "buy", 70_000, 0), change(2, cash=-70_000)[2])
    assert not failed(Certifier(family()).certify(0, held, "bank")) & TRADE_CHECKS


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_plan_breaks_its_own_check(name: str) -> None:
    orders, expected = WRONG[name]
    c = Certifier(family()).certify(0, orders, "bank")
    assert failed(c) & TRADE_CHECKS == expected
    assert not c.holds


def test_modes_are_passed_on() -> None:
    certifier = Certifier(family())
    assert row(certifier.certify(0, RIGHT, "bank", portfolio_mode=True), "satellite").verdict == "holds"
    much = (Order("R5", "buy", 30_000_000, 0, new=True, product=3), Order("bank", "sell", 30_000_000, 0))
    got = certifier.certify(0, much, "bank", portfolio_mode=True)
    assert (row(got, "satellite").verdict, row(got, "suitability").verdict) == ("broken", "holds")
    soft, hard = certifier.certify(0, (), "bank"), certifier.certify(0, (), "bank", hard=True)
    assert soft.holds
    assert failed(hard) == {c.check for c in soft.checks if c.verdict == "no_worse"} != set()


def test_a_label_in_another_case_is_one_sector_with_what_is_held() -> None:
    a = family(EVERY)
    certifier = Certifier(a)
    c = certifier.certify(0, RIGHT, "bank")
    r = row(c, "sector")
    total = row(c, "sector").before
    assert total == over(200_000, 970_000)
    end = sum(D(o.cents) * (-1 if o.side == "sell" else 1) for o in RIGHT) / 100 + 970_000
    assert r.after == over(400_000, end)
    assert r.verdict == "worse"
    assert row(c, "turnover").after == over(D(RIGHT[0].cents + RIGHT[1].cents + RIGHT[2].cents) / 200, 970_000)


# --------------------------------------------------------------------------------------------------------- users' own


def test_users_own_limits_are_verified_with_the_products_that_are_bought() -> None:
    certifier = Certifier(family(EVERY, MINE))
    c = certifier.certify(0, RIGHT, "bank")
    end = sum(D(o.cents) * (-1 if o.side == "sell" else 1) for o in RIGHT) / 100 + 970_000
    bank = D(400_000) + D(RIGHT[2].cents) / 100
    assert row(c, "tech").before == over(200_000, 970_000)
    assert row(c, "tech").after == over(400_000, end)
    assert row(c, "spendable").after == over(bank / 2, end)
    money = [bank, 200_000, 200_000, 50_000, 70_000]
    spread = sum((D(m) ** 2 for m in money), D(0)).sqrt(Context(prec=50))
    assert abs(row(c, "spread").after - over(spread, end)) < D("1e-12")
    assert {"tech"} <= failed(c)


def test_facts_of_a_sheet_are_those_of_the_book() -> None:
    seen: list[Any] = []

    def everything(facts: Any) -> Any:
        seen.append(facts)
        return facts["own_company"]

    certifier = Certifier(family(limits=[limit("mine", 0.5, counts=everything)]))
    book = seen.pop()
    new = [Order("LOT", "buy", 1, 0, new=True, product=0), Order("CASH", "buy", 1, 0, new=True)]
    certifier.sheet(0, new, "CASH")
    frame = seen.pop()
    assert list(frame.columns) == list(book.columns)
    assert (frame.dtypes == book.dtypes).all()
    assert frame.iloc[: len(book)].equals(book)
    assert frame["asset_id"].tolist()[-2:] == ["LOT", "CASH"]
    product = frame.iloc[-2]
    assert (product["bucket"], product["sector"], product["name"]) == ("growth", "TECH", "lots")
    assert (frame.iloc[-1]["currency"], frame.iloc[-1]["asset_class"]) == ("CNY", "deposit")


@pytest.mark.parametrize("bad", [lambda f: f["own_company"] * 2.0 + 2.0, lambda _: [0.5]])
def test_what_a_user_counts_wrongly_for_products_is_named(bad: Any) -> None:
    calls: list[int] = []

    def counts(facts: Any) -> Any:
        calls.append(len(facts))
        return facts["own_company"] if len(calls) == 1 else bad(facts)

    certifier = Certifier(family(limits=[limit("mine", 0.5, counts=counts)]))
    with pytest.raises(ConfigError, match="mine"):
        certifier.certify(0, (), "bank")
