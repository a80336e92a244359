"""Fidelity's statement and positions page: subtotals agree to the cent, nothing is guessed from a name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from allocator.book import read_book
from allocator.errors import InputError

SAMPLES = Path(__file__).parent / "samples"


def test_real_statement(shared: Callable[[str], Path]) -> None:
    book = read_book(shared("positions/fidelity_Statement12312025.csv"))
    assert book.holdings[["client_id", "asset_id", "asset_class", "value", "issuer", "row"]].to_numpy().tolist() == [
        ["U12349876", "VT", "", 28335.06, "", 11],
        ["U12349876", "QPIFQ", "deposit", 0.61, "Truist Bank", 16],
        ["U12349876", "QPIQQ", "deposit", 0.1, "Wells Fargo Bk", 17],
    ]
    assert round(book.holdings["value"].sum(), 2) == 28335.77  # 28335.06 + 0.71, the two subtotals of the file
    assert book.holdings.loc[0, ["quantity", "price", "cost_basis"]].tolist() == [200.8724, 141.06, 28295.8]
    assert str(book.holdings["as_of"][0].date()) == "2025-12-31"
    found = book.issues[book.issues["code"] == "stated_total"]
    # the anonymous file's account line does not agree with its own sections
    assert found[["column", "value", "mend"]].to_numpy().tolist() == [["Ending Net Value", "28,495.80", "28,335.77"]]
    counts = book.counts.set_index("table").loc["holdings"]
    assert counts[["read", "used", "set_aside", "ignored"]].tolist() == [11, 3, 0, 8]


def test_a_wrong_subtotal_is_an_issue(tmp_path: Path, shared: Callable[[str], Path]) -> None:
    text = shared("positions/fidelity_Statement12312025.csv").read_text("utf-8")
    path = tmp_path / "s.csv"
    path.write_text(text.replace(",,,,,28335.06,28295.80", ",,,,,28335.07,28295.80"), "utf-8")
    found = read_book(path).issues.query("code == 'stated_total'")
    assert found[["column", "value", "mend"]].to_numpy().tolist()[0] == ["Subtotal of Stocks", "28,335.07", "28,335.06"]


def test_positions_page() -> None:
    book = read_book(SAMPLES / "fidelity_positions.csv")
    held = book.holdings.set_index(["client_id", "asset_id", "account"])[
        ["value", "price", "asset_class", "cost_basis"]
    ]
    assert held.loc[("X1", "SPAXX", "X1"), ["value", "asset_class"]].tolist() == [1250.4, "money_market"]
    assert held.loc[("X1", "FCASH", "X1"), ["value", "asset_class"]].tolist() == [105.46, "deposit"]
    assert held.loc[("X1", "AAA", "X1 margin")].tolist() == [14595.0, 9.73, "", 14065.09]
    assert held.loc[("X1", "AAA", "X1"), "value"] == 97.3
    assert held.loc[("X1", "91282CPU9", "X1"), "price"] == 0.995  # quoted in percent of its face value
    assert held.loc[("X2", "BBB", "X2"), "value"] == 210.0
    assert book.debts[["client_id", "value", "kind"]].to_numpy().tolist() == [
        ["X1", 100.0, "short position: AAA DEC 18 2026 $12 CALL"],
        ["X1", 300.25, "pending activity, Fidelity"],
    ]
    assert set(book.holdings["as_of"].dt.date.astype(str)) == {"2026-03-31"}
    assert set(book.issues["code"]) == {
        "short_as_debt",
        "overdrawn_as_debt",
        "export_text",
        "accounts_apart",
        "class_open",
    }
    assert (book.counts["set_aside"] == 0).all()
    one = read_book(SAMPLES / "fidelity_positions.csv", as_client="Muster")
    assert len(one.clients) == 1
    assert one.holdings["value"].sum() == book.holdings["value"].sum()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("Run Date,Action,Symbol\n01/15/2024,BUY,AAPL\n", "utf-8")
    with pytest.raises(InputError, match="neither Fidelity's statement nor its positions page"):
        read_book(path, format="fidelity")


def test_a_brokerage_account_inside_a_plan_is_not_counted_twice(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    text = (SAMPLES / "fidelity_positions.csv").read_text("utf-8")
    head, rest = text.split("\n", 1)
    path.write_text(
        head
        + "\n12366,FIRM 401(K),,BROKERAGELINK,500.00,$1.00,$0.00,$500.00,,,,,--,$500.00,$1.00,\n"
        + "65,BrokerageLink,FDRXX**,HELD IN MONEY MARKET,,,,$500.00,,,,,100%,,,Cash,\n"
        + rest,
        "utf-8",
    )
    with_plan, without = read_book(path), read_book(SAMPLES / "fidelity_positions.csv")
    assert with_plan.holdings["value"].sum() == without.holdings["value"].sum() + 500
    assert "BROKERAGELINK" in set(with_plan.issues.query("code == 'export_total'")["value"])
    path.write_text(
        "\n".join([head, "1,401(K),,BROKERAGELINK,500.00,$1.00,$0.00,$500.00,,,,,--,$500.00,$1.00,"]), "utf-8"
    )
    assert read_book(path).holdings["value"].tolist() == [500.0]  # alone, it is all that is known of it
