"""One asset in several accounts: one holding where they are alike, one risk and one name in any case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from small import USD, book_of, client, holding, numbers, run, same, told

from allocator.book import Book
from allocator.pipeline import analyze, rebalance


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


def test_accounts_of_one_asset_are_added_up_wherever_they_lie() -> None:
    rows = [
        holding(asset_id="S", account="1", value=10.0),
        holding(asset_id="T", account="1", value=1.0),
        holding(asset_id="S", account="2", value=10.0, currency="CNY"),  # the client's own, said
        holding(asset_id="S", account="3", value=5.0, pledged=True),  # cannot be sold with the others
        holding(client_id="b", asset_id="S", account="1", value=3.0),  # another client's
        holding(asset_id="S", account="4", value=10.0, currency="EUR"),  # no rate: set aside alone
        holding(asset_id="S", account="5", value=0.01),
    ]
    p, issues = numbers(book_of(*rows, clients=[client(), client(client_id="b")], fx=USD))
    h = p.holdings.assign(value=p.value, free=p.tradable)
    assert h[["client_id", "name", "value", "row", "free"]].to_numpy().tolist() == [
        ["a", "S", 20.01, 2, True], ["a", "T", 1.0, 3, True], ["a", "S", 5.0, 5, False], ["b", "S", 3.0, 6, True],
    ]  # fmt: skip
    assert told(issues, "missing_rate")["row"].tolist() == [7]


@pytest.mark.parametrize(
    "differ", [{"currency": "USD"}, {"sector": "banks"}, {"country": "US"}, {"restriction": "never_buy"}]
)
def test_accounts_that_a_limit_or_an_instruction_tells_apart_stay_apart(differ: dict[str, Any]) -> None:
    """Dollars and yuan under one id are one asset, but only the dollars count as foreign."""
    rows = [holding(asset_id="S", account="1", value=10.0), holding(asset_id="S", account="2", value=1.0, **differ)]
    p, _ = numbers(book_of(*rows, fx=USD))
    assert p.holdings["asset_id"].tolist() == ["S", "S (2)"]
    assert p.asset.tolist() == [0, 0]
    assert p.value.tolist() == [10.0, 7.0 if "currency" in differ else 1.0]


@pytest.mark.parametrize(("paid", "basis"), [((4.0, 0.5), 4.5), ((4.0, None), np.nan), ((None, None), np.nan)])
def test_what_was_paid_for_an_asset_in_two_accounts_is_known_where_both_are(
    paid: tuple[float | None, ...], basis: float
) -> None:
    rows = [holding(asset_id="S", account=str(i), value=10.0, cost_basis=x) for i, x in enumerate(paid)]
    p, _ = numbers(book_of(*rows, holding(asset_id="T", cost_basis=7.0)))
    assert p.value.tolist() == [20.0, 100.0]
    assert p.basis.tolist() == pytest.approx([basis, 7.0], nan_ok=True)


# ---- the same client with one account or two


def in_accounts(accounts: int) -> Book:
    """30% of one share, 35% in a fund, 35% in cash; the share lies in one account or in several."""
    rows = [
        {
            "client_id": "a",
            "asset_id": "S",
            "name": "share",
            "asset_class": "listed_equity",
            "value": 300.0 / accounts,
            "account": f"{i}",
        }
        for i in range(accounts)
    ]
    rows += [
        {"client_id": "a", "asset_id": c, "name": c, "asset_class": c, "value": 350.0, "account": "0"}
        for c in ("equity_fund", "deposit")
    ]
    return make_book(pd.DataFrame(rows), [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1.0}])


def test_one_asset_in_two_accounts_is_one_holding() -> None:
    """The same ``asset_id`` twice is one risk and one name: two accounts must not look like diversification."""
    one, two = analyze(in_accounts(1), on=ON), analyze(in_accounts(2), on=ON)
    t = two.limits.set_index("limit")
    assert t.loc["single_holding", "value"] == pytest.approx(0.30)
    assert t.loc["issuer", "value"] == pytest.approx(0.30)
    same(one, two)


@pytest.mark.parametrize("differ", [{"pledged": True}, {"locked_until": "2030-01-01"}, {"sellable": 0.5}])
def test_one_asset_is_one_risk_and_one_name_even_where_one_account_is_locked(differ: dict[str, Any]) -> None:
    """Half of the shares are pledged: they are traded apart, but they rise and fall together."""
    book = in_accounts(2)
    rows = book.holdings.drop(columns=["row", "file"]).astype({"locked_until": "object"})
    for column, value in differ.items():
        rows[column] = rows[column].astype("object")
        rows.loc[0, column] = value
    one, two = run(in_accounts(1)), run(make_book(rows, book.clients.drop(columns=["row", "file"])))
    assert (len(one.holdings), len(two.holdings)) == (3, 4)
    for name in ("single_holding", "issuer", "volatility"):
        values = [a.limits.set_index("limit").loc[name, ["value", "excess"]].tolist() for a in (one, two)]
        assert values[1] == pytest.approx(values[0], rel=1e-12), name
    assert two.concentration.score[0] == pytest.approx(one.concentration.score[0], rel=1e-12)


def test_one_asset_in_two_accounts_can_be_planned() -> None:
    one, two = (rebalance(analyze(in_accounts(n), on=ON)) for n in (1, 2))
    assert two.summary["status"].tolist() == one.summary["status"].tolist() == ["in_band"]
