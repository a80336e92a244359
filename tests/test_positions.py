"""A book as numbers: money converted, debts placed, locks and bands read, deposits insured, and every issue said."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.positions import Positions, build_positions

USD = [{"currency": "USD", "rate": 7.0}]


def client(**cells: Any) -> dict[str, Any]:
    return {"client_id": "a", "risk_band": "balanced", "currency": "CNY", "monthly_spending": 10.0} | cells


def holding(**cells: Any) -> dict[str, Any]:
    return {"client_id": "a", "asset_id": "x", "asset_class": "deposit", "value": 100.0} | cells


def book_of(*rows: dict[str, Any], clients: list[dict[str, Any]] | None = None, **tables: Any) -> Book:
    return make_book(pd.DataFrame(list(rows)), [client()] if clients is None else clients, **tables)


def numbers(book: Book, framework: str = "classic", **more: Any) -> tuple[Positions, pd.DataFrame]:
    return build_positions(book, load_framework(framework), on=ON, **more)


def told(found: Analysis | pd.DataFrame, code: str) -> pd.DataFrame:
    issues = found.issues if isinstance(found, Analysis) else found
    return issues[issues["code"] == code].reset_index(drop=True)


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
    from allocator.pipeline import rebalance

    rows = [holding(), holding(asset_id="y", currency="EUR"), holding(client_id="b")]
    plan = rebalance(analyze(book_of(*rows, clients=[client(), client(client_id="b")]), on=ON))
    s = plan.summary.set_index("client_id")
    assert (s.loc["a", "status"], s.loc["a", "reason"], s.loc["a", "reason_row"]) == ("invalid", "missing_rate", 3)
    assert s.loc["b", "status"] in ("in_band", "improved")


# ---- debts


def debts_book(secured_by: str, framework_class: str = "own_home") -> Book:
    rows = [holding(asset_id="house", asset_class=framework_class, value=300.0), holding(asset_id="cash", value=100.0)]
    debts = [{"client_id": "a", "value": 60.0, "secured_by": secured_by, "annual_payment": 12.0, "kind": "mortgage"}]
    return book_of(*rows, debts=debts)


@pytest.mark.parametrize(
    ("secured_by", "klass", "framework", "debt", "own_use"),
    [
        ("house", "own_home", "classic", 0.0, 60.0),
        ("house", "vehicle", "classic", 0.0, 60.0),
        ("cash", "own_home", "classic", 60.0, 0.0),
        ("", "own_home", "classic", 60.0, 0.0),
        ("house", "investment_property", "classic", 60.0, 0.0),
        ("nothing held", "own_home", "classic", 60.0, 0.0),
        ("house", "own_home", "chhabra", 60.0, 0.0),  # there the home is part of the total, and so is its mortgage
        ("house", "vehicle", "chhabra", 0.0, 60.0),
    ],
)
def test_a_debt_on_what_one_uses_is_no_part_of_d_but_of_net_worth(
    secured_by: str, klass: str, framework: str, debt: float, own_use: float
) -> None:
    a = analyze(debts_book(secured_by, klass), framework, on=ON)
    assert a.positions.debt.tolist() == [debt]
    assert a.positions.debt_own_use.tolist() == [own_use]
    assert a.positions.debt_service.tolist() == [12.0]  # paid every month all the same
    s = a.summary.iloc[0]
    assert s["net_worth"] == 340.0
    assert s["equity"] == pytest.approx(s["total"] - debt)
    assert s["reserve_months"] == pytest.approx(100 / 11)


def test_security_is_looked_for_in_the_client_s_own_holdings() -> None:
    rows = [holding(client_id="a", asset_id="house", asset_class="own_home"), holding(client_id="b", asset_id="flat")]
    debts = [
        {"client_id": "b", "value": 10.0, "secured_by": "house"},
        {"client_id": "a", "value": 20.0, "secured_by": "house"},
    ]
    p, _ = numbers(book_of(*rows, clients=[client(), client(client_id="b")], debts=debts))
    assert p.debt.tolist() == [0.0, 10.0]
    assert p.debt_own_use.tolist() == [20.0, 0.0]


def test_debts_are_sorted_by_client_named_and_converted() -> None:
    debts = [
        {"client_id": "b", "value": 5.0, "kind": "mortgage", "annual_payment": 1.0},
        {"client_id": "a", "value": 10.0, "kind": "mortgage", "currency": "USD", "annual_payment": 2.0},
        {"client_id": "a", "value": 20.0, "kind": "", "currency": "CNY", "annual_payment": 3.0},
        {"client_id": "a", "value": 30.0, "kind": "mortgage", "annual_payment": 0.0},
    ]
    rows = [holding(), holding(client_id="b")]
    p, _ = numbers(book_of(*rows, clients=[client(), client(client_id="b")], debts=debts, fx=USD))
    d = p.debts
    assert d.debt_id == ["mortgage", "debt", "mortgage (2)", "mortgage"]
    assert d.kind == ["mortgage", "debt", "mortgage", "mortgage"]
    assert d.value.tolist() == [70.0, 20.0, 30.0, 5.0]
    assert d.service.tolist() == [14.0, 3.0, 0.0, 1.0]
    assert (d.client.tolist(), d.start.tolist()) == ([0, 0, 0, 1], [0, 3, 4])
    assert p.debt.tolist() == [120.0, 5.0]


def test_debt_ids_are_unique_even_where_a_kind_already_has_a_number() -> None:
    kinds = ["mortgage", "mortgage", "mortgage (2)", "mortgage"]
    p, _ = numbers(book_of(holding(), debts=[{"client_id": "a", "value": 1.0, "kind": k} for k in kinds]))
    assert len(set(p.debts.debt_id)) == len(kinds)


@pytest.mark.parametrize(
    ("value", "payment", "expected"),
    [(0.0, 12_000.0, 84_000.0), (0.01, 12_000.0, 84_000.0), (100.33, 30_000.0, 210_000.0)],
)
def test_payments_are_converted_at_the_rate_whatever_is_outstanding(
    value: float, payment: float, expected: float
) -> None:
    """Alimony or rent: payments without a balance, or hardly any."""
    debts = [{"client_id": "a", "value": value, "currency": "USD", "annual_payment": payment}]
    p, _ = numbers(book_of(holding(), debts=debts, fx=USD))
    assert p.debt_service.tolist() == [expected]


def test_payments_are_converted_to_the_cent_at_an_uneven_rate() -> None:
    debts = [{"client_id": "a", "value": 100.33, "currency": "USD", "annual_payment": 30_000.0}]
    p, _ = numbers(book_of(holding(), debts=debts, fx=[{"currency": "USD", "rate": 7.12}]))
    assert p.debt_service.tolist() == [213_600.0]


def test_a_client_who_only_owes() -> None:
    a = analyze(book_of(holding(), debts=[{"client_id": "z", "value": 5.0}]), on=ON)
    s = a.summary.set_index("client_id").loc["z"]
    assert (s["total"], s["equity"], s["net_worth"], s["status"]) == (0.0, -5.0, -5.0, "insolvent")
    assert np.isnan(s["leverage"])
    assert np.isnan(s["volatility"])


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


# ---- names of holdings


def test_asset_ids_are_unique_within_a_client_and_the_same_in_any_company() -> None:
    """One share in accounts that differ in what can be sold, beside one called what the second would be called."""
    rows = [
        holding(client_id=c, asset_id=i, account=a, asset_class="gold", sellable=x)
        for c in ("b", "a")
        for i, a, x in (("S", "1", 1.0), ("S", "2", 0.5), ("S (2)", "1", 1.0), ("T", "2", 1.0), ("S", "3", 0.0))
    ]
    book = book_of(*rows, clients=[client(), client(client_id="b")])
    p, _ = numbers(book)
    for i, c in enumerate(("a", "b")):
        ids = p.holdings["asset_id"].iloc[p.start[i] : p.start[i + 1]].tolist()
        assert len(set(ids)) == 5, ids
        assert {"S", "S (2)", "T"} <= set(ids)
        assert numbers(book.client(c))[0].holdings["asset_id"].tolist() == ids


def test_accounts_of_one_asset_that_are_alike_are_one_holding_and_no_money_is_lost() -> None:
    rows = [
        holding(asset_id="S", account=a, value=v, asset_class="gold")
        for a, v in (("1", 10.0), ("2", 20.5), ("3", 0.25))
    ]
    p, _ = numbers(book_of(*rows, holding(asset_id="T", value=5.0)))
    assert p.holdings["asset_id"].tolist() == ["S", "T"]
    assert p.value.tolist() == [30.75, 5.0]


def test_accounts_of_one_asset_are_added_up_wherever_they_lie_and_whatever_their_currency() -> None:
    rows = [
        holding(asset_id="S", account="1", value=10.0),
        holding(asset_id="T", account="1", value=1.0),
        holding(asset_id="S", account="2", value=10.0, currency="USD"),
        holding(asset_id="S", account="3", value=5.0, pledged=True),  # cannot be sold with the others
        holding(client_id="b", asset_id="S", account="1", value=3.0),  # another client's
        holding(asset_id="S", account="4", value=10.0, currency="EUR"),  # no rate: set aside alone
        holding(asset_id="S", account="5", value=0.01),
    ]
    p, issues = numbers(book_of(*rows, clients=[client(), client(client_id="b")], fx=USD))
    h = p.holdings.assign(value=p.value, free=p.tradable)
    assert h[["client_id", "name", "value", "row", "free"]].to_numpy().tolist() == [
        ["a", "S", 80.01, 2, True], ["a", "T", 1.0, 3, True], ["a", "S", 5.0, 5, False], ["b", "S", 3.0, 6, True],
    ]  # fmt: skip
    assert told(issues, "missing_rate")["row"].tolist() == [7]


def test_money_of_the_client_is_taken_over_to_the_cent() -> None:
    c = client(monthly_spending=12.34, guarantees=7.5, cash_flow=-3.14)
    p, _ = numbers(book_of(holding(), clients=[c, client(client_id="b", cash_flow=2.005)]))
    assert (p.spending[0], p.guarantees[0]) == (12.34, 7.5)
    assert p.cash_flow.tolist() == pytest.approx([-3.14, 2.0], abs=0.0051)
    assert (np.round(p.cash_flow, 2) == p.cash_flow).all()


# ---- bands


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("C1", "conservative"),
        ("C2", "conservative"),
        ("C3", "balanced"),
        ("C4", "aggressive"),
        ("C5", "aggressive"),
        ("c5", "aggressive"),
        (" C3 ", "balanced"),
        ("保守型", "conservative"),
        ("稳健型", "balanced"),
        ("积极型", "aggressive"),
        ("谨慎型", "conservative"),
        ("平衡型", "balanced"),
        ("成长型", "aggressive"),
        ("进取型", "aggressive"),
        ("激进型", "aggressive"),
        ("Conservative", "conservative"),
        ("BALANCED", "balanced"),
        ("aggressive", "aggressive"),
        ("Ｃ３", "balanced"),
    ],
)
def test_band_labels(word: str, code: str) -> None:
    a = analyze(book_of(holding(), clients=[client(risk_band=word)]), on=ON)
    assert a.summary["band"].tolist() == [code]
    assert not len(a.set_aside)


@pytest.mark.parametrize(
    ("word", "code"), [("brave", "unknown_band"), ("C6", "unknown_band"), ("", "band_missing"), (None, "band_missing")]
)
def test_a_band_that_is_none_sets_the_client_aside(word: str | None, code: str) -> None:
    clients = [client(risk_band="C1"), client(client_id="b", risk_band=word)]
    a = analyze(book_of(holding(), holding(client_id="b"), clients=clients), on=ON)
    assert a.summary["band"].tolist() == ["conservative", ""]
    assert a.status.tolist()[1] == "no_band"
    row = told(a, code).loc[0]
    assert row[["client_id", "table", "row", "column", "value", "severity"]].tolist() == [
        "b",
        "clients",
        3,
        "risk_band",
        word or "",
        "error",
    ]
    assert row["mend"] == "conservative, balanced, aggressive"
    assert "b" not in set(a.limits.loc[a.limits["limit"] != "x", "client_id"])
    assert a.buckets.loc[a.buckets["client_id"] == "b", ["target", "low", "high", "drift"]].isna().all(axis=None)


def test_without_the_column_the_default_band_is_taken_and_said() -> None:
    rows = [holding(), holding(client_id="b")]
    a = analyze(make_book(pd.DataFrame(rows)), on=ON)
    assert a.summary["band"].tolist() == ["balanced", "balanced"]
    assert told(a, "band_assumed")[["severity", "value", "mend"]].to_numpy().tolist() == [["warning", "2", "balanced"]]


def test_band_argument_wins_over_everything_and_needs_no_word_of_it() -> None:
    clients = [client(risk_band="C1"), client(client_id="b", risk_band=""), client(client_id="c", risk_band="brave")]
    book = book_of(holding(), holding(client_id="b"), holding(client_id="c"), clients=clients)
    for word in ("aggressive", "积极型", " c5 "):
        a = analyze(book, band=word, on=ON)
        assert a.summary["band"].tolist() == ["aggressive"] * 3
        assert not len(a.set_aside)


def test_band_argument_that_is_none_names_the_allowed_words() -> None:
    with pytest.raises(ConfigError, match=r"brave.*conservative, balanced, aggressive, C1") as caught:
        analyze(book_of(holding()), band="brave", on=ON)
    assert "C5" in str(caught.value)


# ---- deposits above the insured amount


def test_deposits_at_one_bank_above_the_insured_amount_are_pointed_out_once_per_bank() -> None:
    rows = [
        holding(asset_id="1", value=300_000.0, issuer="Bank A"),
        holding(asset_id="2", value=200_000.01, issuer="BANK A"),
        holding(asset_id="3", value=500_000.0, issuer="Bank B"),  # just insured
        holding(asset_id="4", value=900_000.0, issuer=""),  # nobody knows where
        holding(asset_id="5", value=900_000.0, issuer="Bank C", asset_class="money_market"),
        holding(client_id="b", asset_id="1", value=300_000.0, issuer="Bank A"),
        holding(client_id="u", asset_id="1", value=250_000.5, issuer="Bank A"),
        holding(client_id="e", asset_id="1", value=9e9, issuer="Bank A"),  # no amount is known for euros
    ]
    clients = [
        client(),
        client(client_id="b"),
        client(client_id="u", currency="USD"),
        client(client_id="e", currency="EUR"),
    ]
    a = analyze(book_of(*rows, clients=clients), on=ON)
    found = told(a, "insured_amount")
    assert found[["client_id", "row", "value", "mend", "severity", "column"]].to_numpy().tolist() == [
        ["a", 2, "500000.01", "500000", "info", "issuer"],
        ["u", 8, "250000.50", "250000", "info", "issuer"],
    ]
    without = analyze(book_of(*(r | {"issuer": ""} for r in rows), clients=clients), on=ON)
    assert a.summary["score"].tolist() == without.summary["score"].tolist()  # pointed out, never scored


def test_a_large_deposit_and_other_papers_of_the_bank_are_not_one_deposit() -> None:
    rows = [
        holding(asset_id="1", value=400_000.0, issuer="Bank A"),
        holding(asset_id="2", value=400_000.0, issuer="Bank A", asset_class="bank_wealth_product"),
    ]
    assert not len(told(analyze(book_of(*rows), on=ON), "insured_amount"))


# ---- spending


def test_unknown_spending_is_said_once() -> None:
    clients = [client(client_id=c, monthly_spending=s) for c, s in (("a", None), ("b", 1.0), ("c", None))]
    rows = [holding(client_id=c) for c in "abc"]
    two = told(analyze(book_of(*rows, clients=clients), on=ON), "spending_unknown")
    assert two[["client_id", "value", "severity"]].to_numpy().tolist() == [["", "2", "info"]]
    one = told(analyze(book_of(*rows, clients=clients).select(["b", "c"]), on=ON), "spending_unknown")
    assert one[["client_id", "value"]].to_numpy().tolist() == [["c", "1"]]
    none = analyze(book_of(*rows, clients=clients).client("b"), on=ON)
    assert not len(told(none, "spending_unknown"))


# ---- the shelf


def product(**cells: Any) -> dict[str, Any]:
    return {"product_id": "P", "name": "P", "asset_class": "gold"} | cells


def test_what_a_product_leaves_open_is_its_class_s() -> None:
    gold = load_framework().classes["gold"]
    products = [product(), product(product_id="Q", risk=5, buy_cost=0.03, sell_cost=0.0, minimum=100, lot=10)]
    shelf = numbers(book_of(holding(), products=products))[0].shelf.set_index("product_id")
    columns = ["risk", "buy_cost", "sell_cost", "minimum", "lot"]
    assert shelf.loc["P", columns].tolist() == [gold.risk, gold.buy_cost, gold.sell_cost, 0, 0]
    assert shelf.loc["Q", columns].tolist() == [5, 0.03, 0, 100, 10]


@pytest.mark.parametrize(
    ("cells", "available"),
    [
        ({}, True),
        ({"status": "open"}, True),
        ({"status": "OPEN"}, True),
        ({"status": "pending"}, False),
        ({"status": "closed"}, False),
        ({"on_house_shelf": False}, False),
        ({"status": "open", "on_house_shelf": True}, True),
    ],
)
def test_only_open_products_of_the_house_are_available(cells: dict[str, Any], available: bool) -> None:
    assert numbers(book_of(holding(), products=[product(**cells)]))[0].shelf["available"].tolist() == [available]


def test_minimum_and_lot_of_a_foreign_product_are_in_the_base_currency() -> None:
    shelf = numbers(book_of(holding(), products=[product(currency="USD", minimum=100, lot=10)], fx=USD))[0].shelf
    assert shelf[["minimum", "lot"]].to_numpy().tolist() == [[700.0, 70.0]]


def test_a_product_whose_currency_has_no_rate_is_not_sold_as_if_it_were_in_the_base_currency() -> None:
    """100 euros of minimum are not 100 yuan: the product stays out, and the issue names its row."""
    p, issues = numbers(book_of(holding(), products=[product(), product(product_id="Q", currency="EUR", minimum=100)]))
    assert told(issues, "missing_rate")[["table", "row", "value"]].to_numpy().tolist() == [["products", 3, "EUR"]]
    assert p.shelf.loc[p.shelf["available"], "product_id"].tolist() == ["P"]


@pytest.mark.parametrize("framework", ["classic", "chhabra"])
def test_default_shelf_is_one_open_product_per_listed_class(framework: str) -> None:
    f = load_framework(framework)
    shelf = numbers(book_of(holding()), framework)[0].shelf
    assert shelf["product_id"].tolist() == list(f.products)
    assert [f.class_codes[k] for k in shelf["klass"]] == [p.asset_class for p in f.products.values()]
    assert shelf["available"].all()
    assert shelf["buy_cost"].tolist() == [f.classes[p.asset_class].buy_cost for p in f.products.values()]
    assert all(
        f.products[p].en in n and f.products[p].zh in n for p, n in zip(shelf["product_id"], shelf["name"], strict=True)
    )
