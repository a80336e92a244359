"""Portfolio Performance: references are followed, bookings add up, taxonomies classify where they leave no doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

import allocator as al
from allocator.book import read_book
from allocator.errors import InputError

SAMPLE = Path(__file__).parent / "samples" / "portfolio_performance.xml"


def test_golden() -> None:
    book = read_book(SAMPLE)
    rows = book.holdings.fillna({"quantity": -1.0, "cost_basis": -1.0})
    columns = ["asset_id", "asset_class", "value", "currency", "quantity", "cost_basis", "account"]
    assert rows[columns].to_numpy().tolist() == [
        # 10 shares at the latest price 111; bought in euros, so that its cost in dollars is not known
        ["US0000000001", "Listed shares", 1110.0, "USD", 10.0, -1.0, "Depot"],
        # 40 − 10 at 50; cost 2000, a quarter of it delivered out
        ["DE0000000002", "mixed_fund", 1500.0, "EUR", 30.0, 1500.0, "Depot"],
        ["Privatdarlehen", "", 5000.0, "EUR", 1.0, 5000.0, "Depot"],
        # 10,000 − 900 − 12.34
        ["cash a1", "deposit", 9087.66, "EUR", -1.0, -1.0, "Girokonto"],
    ]
    assert book.debts[["kind", "value"]].to_numpy().tolist() == [["overdrawn account Rahmenkredit", 2500.5]]
    assert book.fx[["currency", "rate", "base"]].to_numpy().tolist() == [["USD", 0.85, "EUR"]]
    assert book.lookthrough[["fund_id", "asset_class", "weight"]].to_numpy().tolist() == [
        ["DE0000000002", "equity_fund", 0.6],
        ["DE0000000002", "government_bond", 0.4],
    ]
    assert set(book.issues["code"]) == {
        "bad_isin",
        "price_of_trade",
        "mixed_parts",
        "zero_left_out",
        "overdrawn_as_debt",
        "draft_activity",
        "class_open",
    }


def test_analysis_of_the_family() -> None:
    p = al.analyze(read_book(SAMPLE)).positions
    classes = dict(zip(p.holdings["asset_id"], p.holdings["asset_class"], strict=True))
    assert classes["US0000000001"] == "listed_equity"
    assert classes["Privatdarlehen"] == "unclassified"
    assert round(float(p.value.sum()), 2) == 943.5 + 1500 + 5000 + 9087.66


def test_older_files_count_decimals_otherwise(tmp_path: Path) -> None:
    """Version 30 to 48: six decimals of shares, four of prices."""
    text = SAMPLE.read_text("utf-8").replace("<version>69<", "<version>40<")
    path = tmp_path / "p.xml"
    path.write_text(text, "utf-8")
    book = read_book(path)
    assert book.holdings.set_index("asset_id").loc["US0000000001", ["quantity", "price"]].tolist() == [
        1000.0,
        1110000.0,
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<version>69<", "<version>20<", "too old"),
        ("<version>69<", "<version>x<", "not a Portfolio Performance file"),
        ("<type>FEES<", "<type>GIFT<", "kind of booking that is not known"),
        ("<amount>1234<", "<amount>12.34<", "no whole number"),
        ("securities/security[2]", "securities/security[9]", "points to something"),
        ("<plans/>", "<ledger><entries><ledger-entry/></entries></ledger>", "new ledger form"),
        ("</client>", "", "cut-off XML"),
    ],
)
def test_broken_files(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.xml"
    path.write_text(SAMPLE.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(InputError, match=said):
        read_book(path, format="portfolio_performance")


def test_references_by_id_and_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "p.xml"
    head = "<client id='1'><version>63</version><baseCurrency>EUR</baseCurrency><securities><security id='2'>"
    body = (
        "<name>A</name><currencyCode>EUR</currencyCode><prices/>"
        "<latest id='3' t='2024-08-05' v='1000000000'/></security>"
        "<security id='4'><name>B</name><currencyCode>EUR</currencyCode><prices/><latest reference='3'/></security>"
        "</securities><portfolios><portfolio id='5'><name>D</name><transactions>"
        "<portfolio-transaction id='6'><date>2024-01-01</date><amount>100</amount><security reference='4'/>"
        "<shares>200000000</shares><type>BUY</type></portfolio-transaction></transactions></portfolio></portfolios></client>"
    )
    path.write_text(head + body, "utf-8")
    assert read_book(path).holdings[["name", "value"]].to_numpy().tolist() == [["B", 20.0]]
    path.write_text((head + body).replace("<security reference='4'/>", "<security id='9' reference='9'/>"), "utf-8")
    with pytest.raises(InputError, match="points to something"):
        read_book(path)
