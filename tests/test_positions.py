"""A book as numbers: money converted, locks and instructions read, labels filled, names coded."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON
from plain import Plain
from small import USD, book_of, client, holding, numbers, told
from worlds import random_world

from allocator.framework import load_framework
from allocator.pipeline import analyze, rebalance
from allocator.positions import FACTS, facts

# ---- order


def test_holdings_are_sorted_by_client_and_nothing_is_lost() -> None:
    rows = [holding(client_id=c, asset_id=f"{c}{i}", value=float(i)) for i in range(4) for c in ("b", "a", "c")]
    p, _ = numbers(book_of(*rows, clients=[client(client_id=c) for c in ("c", "e", "a", "b")]))
    assert p.clients["client_id"].tolist() == ["c", "e", "a", "b"]
    assert p.client.tolist() == [0] * 4 + [2] * 4 + [3] * 4
    assert p.start.tolist() == [0, 4, 4, 8, 12]
    assert p.holdings["asset_id"].tolist() == [f"{c}{i}" for c in "cab" for i in range(4)]
    assert p.value.tolist() == [0.0, 1.0, 2.0, 3.0] * 3
    assert p.holdings["row"].tolist() == [4, 7, 10, 13, 3, 6, 9, 12, 2, 5, 8, 11]


# ---- currency


def test_money_is_in_the_client_s_currency_to_the_cent() -> None:
    rows = [
        holding(asset_id="own", value=100.0),
        holding(asset_id="stated", value=100.0, currency="CNY"),
        holding(asset_id="foreign", value=10.01, currency="USD"),
        holding(client_id="b", asset_id="own", value=100.0),
        holding(client_id="b", asset_id="foreign", value=100.0, currency="CNY"),
        holding(client_id="c", asset_id="own", value=0.07),
    ]
    clients = [client(), client(client_id="b", currency="USD"), client(client_id="c", currency="")]
    p, issues = numbers(book_of(*rows, clients=clients, fx=USD))
    assert p.value.tolist() == [100.0, 100.0, 70.07, 100.0, round(100 / 7, 2), 0.07]
    assert p.clients["currency"].tolist() == ["CNY", "USD", "CNY"]
    assert not len(told(issues, "missing_rate"))


def test_rates_may_have_another_base_than_the_framework() -> None:
    """Everything is a ratio of two rates, so a table of rates in dollars works just as well."""
    fx = [{"currency": "USD", "rate": 1.0}, {"currency": "CNY", "rate": 0.125}, {"currency": "EUR", "rate": 1.25}]
    p, _ = numbers(book_of(holding(value=10.0, currency="EUR"), fx=fx))
    assert p.value.tolist() == [100.0]


def test_a_client_who_reports_in_dollars_is_judged_as_one_who_reports_in_yuan() -> None:
    rows = [("deposit", 70.0), ("listed_equity", 350.0), ("private_business", 700.0)]
    cny = [holding(client_id="a", asset_id=c, asset_class=c, value=v, currency="CNY") for c, v in rows]
    usd = [holding(client_id="u", asset_id=c, asset_class=c, value=v / 7, currency="USD") for c, v in rows]
    mixed = [holding(client_id="m", asset_id=c, asset_class=c, value=v, currency="CNY") for c, v in rows]
    clients = [
        client(),
        client(client_id="u", currency="USD", monthly_spending=10 / 7),
        client(client_id="m", currency="USD", monthly_spending=10 / 7),
    ]
    s = analyze(book_of(*cny, *usd, *mixed, clients=clients, fx=USD), on=ON).summary.set_index("client_id")
    assert s["total"].tolist() == [1120.0, 160.0, 160.0]
    for column in ("score", "volatility", "reserve_months", "offensive", "expected_return", "leverage"):
        assert s[column].tolist() == pytest.approx([s.loc["a", column]] * 3, rel=1e-9), column


@pytest.mark.parametrize("table", ["holdings", "debts"])
def test_a_missing_rate_sets_the_row_and_its_client_aside_and_no_one_else(table: str) -> None:
    rows = [holding(), holding(asset_id="y", value=50.0), holding(client_id="b")]
    debts = [{"client_id": "a", "value": 5.0}, {"client_id": "b", "value": 5.0}]
    fine = analyze(book_of(*rows, clients=[client(), client(client_id="b")], debts=debts), on=ON)
    (rows if table == "holdings" else debts)[1 if table == "holdings" else 0]["currency"] = "EUR"
    a = analyze(book_of(*rows, clients=[client(), client(client_id="b")], debts=debts), on=ON)
    one = told(a, "missing_rate")
    assert len(one) == 1
    assert one.loc[0, ["client_id", "table", "row", "column", "value", "severity", "mend"]].tolist() == [
        "a",
        table,
        3 if table == "holdings" else 2,
        "currency",
        "EUR",
        "error",
        "EUR",
    ]
    assert a.set_aside["client_id"].tolist() == ["a"]
    assert a.summary.loc[0, "net_worth"] == (95.0 if table == "holdings" else 150.0)
    pd.testing.assert_series_equal(a.summary.loc[1], fine.summary.loc[1])


def test_the_client_s_own_rate_missing_is_said_of_that_currency() -> None:
    a = analyze(book_of(holding(currency="CNY"), holding(asset_id="y"), clients=[client(currency="EUR")]), on=ON)
    assert told(a, "missing_rate")[["row", "value", "mend"]].to_numpy().tolist() == [[2, "CNY", "EUR"]]
    assert a.summary["total"][0] == 100.0  # what is in euros needs no rate


def test_a_client_aside_is_not_planned_and_the_others_are() -> None:

    rows = [holding(), holding(asset_id="y", currency="EUR"), holding(client_id="b")]
    plan = rebalance(analyze(book_of(*rows, clients=[client(), client(client_id="b")]), on=ON))
    s = plan.summary.set_index("client_id")
    assert (s.loc["a", "status"], s.loc["a", "reason"], s.loc["a", "reason_row"]) == ("invalid", "missing_rate", 3)
    assert s.loc["b", "status"] in ("in_band", "improved")


# ---- locks


@pytest.mark.parametrize(
    ("cells", "free"),
    [
        ({}, True),
        ({"locked_until": "2026-09-30"}, True),  # not sellable before this date: on it, it is
        ({"locked_until": "2026-10-01"}, False),
        ({"locked_until": "2020-01-01"}, True),
        ({"pledged": True}, False),
        ({"pledged": False, "locked_until": "2027-01-01"}, False),
    ],
)
def test_locked_or_pledged_is_neither_sellable_nor_a_reserve(cells: dict[str, Any], free: bool) -> None:
    p, _ = numbers(book_of(holding(**cells)))
    assert p.tradable.tolist() == [free]
    assert p.sellable.tolist() == [1.0 if free else 0.0]
    assert analyze(book_of(holding(**cells)), on=ON).exposures.liquid.tolist() == [100.0 if free else 0.0]


def test_the_day_decides_which_locks_hold() -> None:
    book = book_of(holding(locked_until="2026-10-01"))
    for day, free in ((ON, False), (ON + dt.timedelta(days=1), True)):
        assert analyze(book, on=day).positions.tradable.tolist() == [free]


def test_sellable_is_the_class_s_unless_the_holding_says_otherwise() -> None:
    f = load_framework()
    rows = [holding(asset_id=c, asset_class=c, value=1.0) for c in f.classes]
    p, _ = numbers(book_of(*rows))
    assert p.sellable.tolist() == [c.sellable for c in f.classes.values()]
    p, _ = numbers(book_of(*(r | {"sellable": 0.37} for r in rows)))
    assert p.sellable.tolist() == [0.37] * len(f.classes)
    p, _ = numbers(book_of(*(r | {"sellable": 0.37, "pledged": True} for r in rows)))
    assert p.sellable.tolist() == [0.0] * len(f.classes)
    p, _ = numbers(book_of(holding(asset_class="mystery"), holding(asset_id="y", sellable=0.0)))
    assert p.sellable.tolist() == [0.0, 0.0]


# ---- own company


def test_what_makes_an_owner() -> None:
    who = ["firm", "shares", "loan", "none", "sold"]
    rows = [
        holding(client_id="firm", asset_class="private_business", own_company=True),
        holding(client_id="shares", asset_class="listed_equity", own_company=True),
        holding(client_id="loan", asset_class="shareholder_loan"),
        holding(client_id="none", asset_class="listed_equity"),
        holding(client_id="sold", asset_class="private_business", own_company=True, value=0.0),
    ]
    p, _ = numbers(book_of(*rows, clients=[client(client_id=c) for c in who]))
    assert p.owner.tolist() == [True, True, True, False, False]
    assert p.own.tolist() == [True, True, False, False, True]


def test_without_the_column_every_private_business_is_the_own_one() -> None:
    rows = [
        holding(asset_id="f", asset_class="private_business"),
        holding(asset_id="l", asset_class="shareholder_loan"),
        holding(asset_id="s", asset_class="listed_equity"),
    ]
    p, _ = numbers(book_of(*rows))
    assert p.own.tolist() == [True, True, False]


# ---- issuers


def test_issuers_are_of_one_client_and_blank_ones_stand_alone() -> None:
    rows = [
        holding(client_id=c, asset_id=f"{j}", asset_class="corporate_bond", issuer=i)
        for c in ("a", "b")
        for j, i in enumerate(["ACME", "acme", "", "", "Other"])
    ]
    p, _ = numbers(book_of(*rows, clients=[client(), client(client_id="b")]))
    groups = [set(np.flatnonzero(p.issuer == k)) for k in np.unique(p.issuer)]
    assert sorted(map(sorted, groups)) == [[0, 1], [2], [3], [4], [5, 6], [7], [8], [9]]


def test_money_of_the_client_is_taken_over_to_the_cent() -> None:
    c = client(monthly_spending=12.34, guarantees=7.5, cash_flow=-3.14)
    p, _ = numbers(book_of(holding(), clients=[c, client(client_id="b", cash_flow=2.005)]))
    assert (p.spending[0], p.guarantees[0]) == (12.34, 7.5)
    assert p.cash_flow.tolist() == pytest.approx([-3.14, 2.0], abs=0.0051)
    assert (np.round(p.cash_flow, 2) == p.cash_flow).all()


# ---- instructions


@pytest.mark.parametrize(
    ("words", "kept", "never_buy", "first"),
    [
        ("", False, False, False),
        ("never_sell", True, False, False),
        ("Never-Buy", False, True, False),
        ("优先卖出", False, False, True),
        ("禁止卖出、禁止买入", True, True, False),
        ("never sell; never buy", True, True, False),
        ("sell_first | never_buy", False, True, True),
        ("do not touch", True, True, False),  # not understood: not traded against
        ("sell_first|soon", True, True, False),
        ("never_sell|sell_first", True, True, False),  # contradicts itself
    ],
)
def test_restrictions(words: str, kept: bool, never_buy: bool, first: bool) -> None:
    book = book_of(holding(restriction=words, asset_class="listed_equity"), holding(asset_id="y"))
    p, _ = numbers(book)
    assert (p.pace[0], p.sellable[0], p.locked[0]) == ((0.0, 0.0, True) if kept else (1.0, 1.0, False))
    assert (p.never_buy[0], p.sell_first[0], p.tradable[0]) == (never_buy, first, True)
    assert (p.pace[1], p.locked[1], p.never_buy[1], p.sell_first[1]) == (1.0, False, False, False)
    odd = words in ("do not touch", "sell_first|soon", "never_sell|sell_first")
    found = told(book.issues, "unknown_restriction")
    assert len(found) == odd
    if odd:
        assert found.loc[0, ["client_id", "row", "column", "value", "severity", "mend"]].tolist() == [
            "a", 2, "restriction", words, "warning", "never_sell, never_buy, sell_first",
        ]  # fmt: skip


def test_a_reserve_that_is_never_sold_is_still_a_reserve() -> None:
    a = analyze(book_of(holding(restriction="never_sell")), on=ON)
    assert a.exposures.liquid.tolist() == [100.0]


def test_locks_are_kept_with_what_would_be_sellable_without_them() -> None:
    rows = [
        holding(asset_id="1", locked_until="2027-03-31", asset_class="private_business"),
        holding(asset_id="2", pledged=True, sellable=0.4),
        holding(asset_id="3", sellable=0.0),
        holding(asset_id="4", locked_until="2020-01-01"),
    ]
    p, _ = numbers(book_of(*rows))
    assert p.pace.tolist() == [0.25, 0.4, 0.0, 1.0]
    assert p.sellable.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert p.pledged.tolist() == [False, True, False, False]
    assert p.locked.tolist() == [True, True, True, False]
    assert pd.Series(p.until).dt.strftime("%Y-%m-%d").fillna("").tolist() == ["2027-03-31", "", "", "2020-01-01"]


# ---- cost basis and tax


@pytest.mark.parametrize(
    ("value", "paid", "tax"),
    [
        (100.0, 40.0, 0.2 * 0.6),
        (100.0, 0.0, 0.2),
        (100.0, 100.0, 0.0),
        (100.0, 250.0, 0.0),  # a loss
        (100.0, None, 0.0),  # nobody knows
        (0.0, 40.0, 0.0),
    ],
)
def test_tax_is_on_the_part_that_is_gain(value: float, paid: float | None, tax: float) -> None:
    rows = [holding(asset_id=c, asset_class=c, value=value, cost_basis=paid) for c in ("crypto", "listed_equity", "??")]
    p, _ = numbers(book_of(*rows))
    assert p.tax.tolist() == pytest.approx([tax, 0.0, 0.0])
    assert p.basis.tolist() == pytest.approx([np.nan if paid is None else paid] * 3, nan_ok=True)


def test_what_was_paid_is_in_the_client_s_currency_to_the_cent() -> None:
    rows = [holding(asset_class="crypto", currency="USD", value=100.0, cost_basis=33.333)]
    p, _ = numbers(book_of(*rows, fx=USD))
    assert p.basis.tolist() == [233.33]
    assert p.tax.tolist() == pytest.approx([0.2 * (700 - 233.33) / 700])


# ---- labels and facts


def test_labels_are_the_holding_s_own_or_else_those_of_its_product() -> None:
    products = [
        {"product_id": "P", "name": "P", "asset_class": "gold", "sector": "mines", "country": "ZA"},
        {"product_id": "Q", "name": "Q", "asset_class": "gold"},
    ]
    rows = [
        holding(asset_id="1", product_id="P", sector="banks"),
        holding(asset_id="2", product_id="P", currency="USD"),
        holding(asset_id="3", product_id="Q"),
        holding(asset_id="4", product_id="none", country="US"),
    ]
    p, _ = numbers(book_of(*rows, products=products, fx=USD))
    assert p.holdings[["sector", "country", "currency"]].to_numpy().tolist() == [
        ["banks", "ZA", "CNY"], ["mines", "ZA", "USD"], ["", "", "CNY"], ["", "US", "CNY"],
    ]  # fmt: skip
    assert p.shelf[["sector", "country", "currency"]].to_numpy().tolist() == [["mines", "ZA", "CNY"], ["", "", "CNY"]]


def test_facts_are_one_row_per_holding() -> None:
    rows = [holding(asset_id="1", sector="banks", issuer="Bank"), holding(asset_id="2", own_company=True)]
    p, _ = numbers(book_of(*rows))
    f = facts(p)
    assert tuple(f.columns) == FACTS
    assert f.loc[0, ["asset_id", "bucket", "issuer", "sector", "currency"]].tolist() == [
        "1", "defensive", "Bank", "banks", "CNY",
    ]  # fmt: skip
    assert f["own_company"].tolist() == [False, True]


@pytest.mark.parametrize("seed", range(4))
def test_what_may_be_sold_is_what_plain_python_says(seed: int) -> None:
    f = load_framework()
    world = random_world(seed, f, clients=40)
    p, _ = numbers(world.book())
    rows = [r for s in world.sheets for r in Plain(s, world).rows]
    assert len(rows) == len(p.value)
    for name in ("pace", "sellable", "locked", "never_buy", "sell_first", "basis", "tax"):
        found, plain = getattr(p, name), [r[name] for r in rows]
        assert found.tolist() == pytest.approx(plain, rel=1e-9, abs=1e-12, nan_ok=True), name
        assert len({x for x in plain if x == x}) > 1, f"{name} never varies"
    for name in ("sector", "country", "currency"):
        assert p.holdings[name].str.casefold().tolist() == [r[name] for r in rows]
