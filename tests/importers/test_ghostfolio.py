"""Ghostfolio: quantities from activities; what the export does not know is said."""

from __future__ import annotations

from pathlib import Path

from allocator.book import read_book

SAMPLE = Path(__file__).parent / "samples" / "ghostfolio.json"


def test_golden() -> None:
    book = read_book(SAMPLE)
    columns = ["asset_id", "asset_class", "value", "currency", "cost_basis", "account"]
    rows = book.holdings.fillna({"cost_basis": -1.0})[columns].to_numpy().tolist()
    assert rows == [
        ["flat", "", 500000.0, "EUR", 400000.0, ""],  # the user's own price of March, not that of January
        ["US0000000001", "listed_equity", 720.0, "USD", 600.0, "Broker"],  # 6 left, at the price of the last sale
        ["cash a1", "deposit", 2000.5, "USD", -1.0, "Broker"],
    ]
    assert book.debts[["kind", "value", "currency"]].to_numpy().tolist() == [
        ["Loan from uncle", 15000.0, "EUR"],
        ["overdrawn account Giro", 120.0, "EUR"],
    ]
    assert book.clients[["client_id", "currency"]].to_numpy().tolist() == [["ghostfolio", "EUR"]]
    shown = book.issues["value"].where(book.issues["value"] != "", book.issues["mend"])
    said = shown.groupby(book.issues["code"]).agg(list).to_dict()
    assert said == {
        "bad_isin": ["US0000000001"],
        "account_excluded": ["Play money", "Play money"],
        "price_of_trade": ["AAA Corp"],
        "draft_activity": ["1"],
        "export_section": ["DIVIDEND (1)"],
        "zero_left_out": ["Bond ETF", "Empty"],
        "overdrawn_as_debt": ["Giro EUR"],
        "class_open": ["flat"],
    }


def test_pence_are_not_pounds(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(
        SAMPLE.read_text("utf-8").replace('"currency": "USD", "date"', '"currency": "GBp", "date"'), "utf-8"
    )
    held = read_book(path).holdings.set_index("asset_id")
    assert held.loc["US0000000001", ["value", "price", "cost_basis", "currency"]].tolist() == [7.2, 1.2, 6.0, "GBP"]


def test_a_quantity_that_is_no_number_sets_the_holding_aside(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(SAMPLE.read_text("utf-8").replace('"quantity": 4', '"quantity": NaN'), "utf-8")
    book = read_book(path)
    assert book.issues.query("severity == 'error'")[["code", "row", "value"]].to_numpy().tolist() == [
        ["not_a_number", 1, "NaN"]
    ]
    assert "US0000000001" not in set(book.holdings["asset_id"])
