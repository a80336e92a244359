"""DEGIRO's portfolio in several languages: the total in the account's currency comes out to the cent."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator as al
from allocator.book import read_book
from allocator.errors import InputError
from allocator.importers import recognise
from allocator.importers.exports import rate_of

SAMPLE = Path(__file__).parent / "samples" / "degiro_de.csv"


def test_real_portfolio(shared: Callable[[str], Path]) -> None:
    path = shared("positions/degiro_fr_Portfolio.csv")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    stated = sum((Decimal(r[6].replace(",", ".")) for r in rows), Decimal(0))
    assert stated == Decimal("90575.48")
    book = read_book(path)
    assert book.holdings["value"].tolist() == [float(r[5].replace(",", ".")) for r in rows]
    assert book.counts.set_index("table").loc["holdings", ["read", "used"]].tolist() == [22, 22]
    assert book.fx[["currency", "base"]].to_numpy().tolist() == [["USD", "CHF"], ["EUR", "CHF"]]
    assert book.fx["rate"].round(5).tolist() == [0.79274, 0.9311]
    assert set(book.issues["code"]) == {"class_open", "rates_differ"}
    total = al.analyze(book).positions.value.sum()
    assert round(total, 2) == 90575.48  # every row converted and rounded, as the analysis has it


def test_german_with_thousands_overdraft_short_and_pence() -> None:
    book = read_book(SAMPLE)
    held = book.holdings.set_index("asset_id")
    assert held.loc["US0000000001", ["value", "quantity", "price", "currency"]].tolist() == [
        18075.0,
        1500.0,
        12.05,
        "USD",
    ]
    assert held.loc["GB0000000002", ["value", "price", "currency"]].tolist() == [250.0, 2.5, "GBP"]
    assert book.debts[["value", "currency", "kind"]].to_numpy().tolist() == [
        [1250.56, "EUR", "overdrawn cash EUR, DEGIRO"],
        [50.0, "EUR", "short position: EOY SHORT"],
    ]
    assert dict(zip(book.fx["currency"], book.fx["rate"], strict=True)) == {"USD": 0.9, "GBP": 1.15}
    codes = set(book.issues["code"])
    assert codes == {"bad_isin", "zero_left_out", "overdrawn_as_debt", "short_as_debt", "class_open"}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Produit,Symbole/ISIN,Quantité,Clôture,Montant,,Montant en EUR", 'A,US0231351067,2,"3,50",EUR,"7,00","7,00"'),
        (
            "Product,Symbool/ISIN,Aantal,Slotkoers,Lokale waarde,,Waarde in EUR",
            'A,US0231351067,2,"3,50",EUR,"7,00","7,00"',
        ),
        ("Produkt,Symbol/ISIN,Množství,Uzavírací,Hodnota,Hodnota v EUR", 'A,A | US0231351067,2,"3,50",EUR 7.00,"7,00"'),
        ("Product;Symbol/ISIN;Quantity;Closing;Local value;;Value in EUR", "A;US0231351067;2;3.50;EUR;7.00;7.00"),
    ],
)
def test_languages_old_exports_and_points(header: str, row: str, tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = tmp_path / "p.csv"
        path.write_text(f"{header}\r\n{row}\r\n", encoding)
        assert encoding == "utf-16" or recognise(path) == "degiro"
        book = read_book(path, format="degiro")
        assert book.holdings[["isin", "value", "quantity", "price", "currency"]].to_numpy().tolist() == [
            ["US0231351067", 7.0, 2.0, 3.5, "EUR"]
        ]


def test_western_letters_in_their_old_encoding(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(SAMPLE.read_text("utf-8").replace("AAA CORP", "ÄÄÄ CORP").encode("cp1252"))
    book = read_book(path)
    assert "ÄÄÄ CORP" in set(book.holdings["name"])
    assert book.issues.query("code == 'encoding'")["value"].tolist() == ["WINDOWS-1252"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('A,US0231351067,2,"3,50",EUR,"7,00","7.00"', "decimal comma and others a point"),
        ('A,US0231351067,2,"3,500",EUR,"7,000","7,000"', "thousands or thousandths"),
        ('A,US0231351067,"2', "quote"),
    ],
)
def test_doubtful_amounts_are_not_guessed(rows: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(f"Product,Symbol/ISIN,Amount,Closing,Local value,,Value in EUR\n{rows}\n", "utf-8")
    with pytest.raises(InputError, match=said):
        read_book(path)


def test_a_ragged_row_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(SAMPLE.read_text("utf-8") + "B,US1,3\n", "utf-8")
    book = read_book(path)
    assert book.issues.query("severity == 'error'")[["code", "row", "mend"]].to_numpy().tolist() == [
        ["ragged_row", 7, "7/3"]
    ]
    assert book.counts.set_index("table")["set_aside"]["holdings"] == 1


@settings(max_examples=60, deadline=None)
@given(
    st.decimals(min_value="0.001", max_value=2000, places=5),
    st.lists(st.integers(min_value=1, max_value=10**9), min_size=1, max_size=30),
)
def test_the_rate_behind_rounded_amounts_is_found(rate: Decimal, cents: list[int]) -> None:
    cent = Decimal("0.01")
    pairs = [(c * cent, (c * cent * rate).quantize(cent)) for c in cents]
    found, off = rate_of(pairs)
    kept = [(a, b) for a, b in pairs if b]
    if not kept:
        assert found is None
        return
    assert found is not None
    assert off < Decimal("0.02")
    if off == 0:
        assert all((a * found).quantize(cent) == b for a, b in kept)
