"""Debts: which count, what secures them, how they are named, converted and paid."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ON
from small import USD, book_of, client, holding, numbers

from allocator.book import Book
from allocator.pipeline import analyze


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
