"""OpenWealth custody positions: CFI codes classify, loans are debts, accrued interest is said."""

from __future__ import annotations

from pathlib import Path

import allocator as al
from allocator.book import read_book

SAMPLE = Path(__file__).parent / "samples" / "openwealth.json"


def test_golden() -> None:
    book = read_book(SAMPLE)
    held = book.holdings.set_index("asset_id")
    assert held["value"].to_dict() == {
        "cash CHF": 25000.55,
        "CH0012005267": 9050.0,
        "XS0000000009": 19700.0,
        "LU0000000008": 1000.0,
    }
    assert held.loc["CH0012005267", ["price", "cost_basis", "sellable", "cfi"]].tolist() == [
        90.5,
        8000.0,
        0.75,
        "ESVUFR",
    ]
    assert held.loc["XS0000000009", ["price", "quantity", "cfi"]].tolist() == [0.985, 20000.0, "DB"]
    assert held.loc["cash CHF", ["asset_class", "issuer", "account"]].tolist() == ["deposit", "Bank Muster", "100-1"]
    assert book.debts[["kind", "value", "currency"]].to_numpy().tolist() == [
        ["overdrawn account 100-2", 1000.0, "USD"],
        ["mortgage: Mortgage on the home", 500000.0, "CHF"],
        ["credit: Lombard", 3000.0, "CHF"],
        ["short position: USD/CHF forward", 75.5, "CHF"],
    ]
    assert dict(zip(book.fx["currency"], book.fx["rate"], strict=True)) == {"USD": 0.88, "EUR": 0.93}
    codes = book.issues["code"].value_counts().to_dict()
    assert codes == {
        "bad_isin": 1,
        "accrued_not_added": 1,
        "loan_positive": 1,
        "short_as_debt": 1,
        "overdrawn_as_debt": 1,
        "older_record": 1,
        "class_open": 1,
    }


def test_the_cfi_code_classifies_and_the_rates_of_the_file_convert() -> None:
    p = al.analyze(read_book(SAMPLE)).positions
    assert dict(zip(p.holdings["asset_id"], p.holdings["asset_class"], strict=True)) == {
        "cash CHF": "deposit",
        "CH0012005267": "listed_equity",
        "XS0000000009": "corporate_bond",
        "LU0000000008": "unclassified",
    }
    assert round(float(p.value.sum()), 2) == 25000.55 + 9050 + 17336 + 930
    assert round(float(p.debts.value.sum()), 2) == 880 + 500000 + 3000 + 75.5
