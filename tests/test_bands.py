"""Bands read, deposits at one bank insured or not, and spending that nobody told."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import ON, make_book
from small import book_of, client, holding, told

from allocator.errors import ConfigError
from allocator.pipeline import analyze

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
    assert set(found["file"]) == {"DataFrame"}
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
