"""Beancount: balances are those that beancount itself works out, and every assertion of the ledger is checked."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.book import read_book
from allocator.errors import InputError
from allocator.importers.ledger_text import directives, read_amount

SAMPLE = Path(__file__).parent / "samples" / "ledger.beancount"
FAVA = {
    "Assets:US:BofA:Checking": ("2754.06", None),
    "Assets:US:ETrade:Cash": ("855.83", None),
    "Assets:US:ETrade:GLD": ("5217.47", "4559.80"),
    "Assets:US:ETrade:ITOT": ("8312.72", "6828.88"),
    "Assets:US:ETrade:VEA": ("5179.32", "4959.50"),
    "Assets:US:ETrade:VHT": ("8382.08", "7821.27"),
    "Assets:US:Vanguard:RGAGX": ("48471.38532", "49049.66613"),
    "Assets:US:Vanguard:VBMPX": ("41179.93296", "32700.35331"),
}
"""Market value and cost of each account as beancount 3.2 gives them (``convert.get_value``, ``get_cost``)."""


def test_real_ledger(shared: Callable[[str], Path]) -> None:
    book = read_book(shared("positions/fava_example.beancount"))
    held = book.holdings.set_index("account")
    assert set(held.index) == set(FAVA)
    for account, (value, cost) in FAVA.items():
        assert held["value"][account] == pytest.approx(float(value), abs=1e-9), account
        if cost is not None:
            assert held["cost_basis"][account] == pytest.approx(float(cost), abs=1e-9), account
    assert sorted(book.debts["value"]) == [0.02, 2703.29]
    assert round(held["value"].sum() - book.debts["value"].sum(), 2) == 117649.49
    # 82 assertions in the file, all of them hold; hours of vacation are marked IGNORE by the ledger
    assert set(book.issues["code"]) == {"export_section", "ledger_ignored", "overdrawn_as_debt", "class_open"}
    assert held.loc["Assets:US:BofA:Checking", ["asset_class", "issuer"]].tolist() == ["deposit", "Bank of America"]


def test_language() -> None:
    book = read_book(SAMPLE)
    rows = book.holdings.fillna({"quantity": -1.0, "cost_basis": -1.0})
    columns = ["account", "asset_id", "asset_class", "value", "currency", "quantity", "cost_basis"]
    assert rows[columns].to_numpy().tolist() == [
        # padded to 5000 on the 4th, after 1000 had gone to the broker; then 300 lent
        ["Assets:Bank:Checking", "Assets:Bank:Checking EUR", "deposit", 4700.0, "EUR", -1.0, -1.0],
        ["Assets:Broker:AAA", "US0000000001", "listed_equity", 720.0, "USD", 6.0, 600.0],
        ["Assets:Broker:Cash", "Assets:Broker:Cash USD", "deposit", 640.0, "USD", -1.0, -1.0],
        ["Assets:Forderung", "Assets:Forderung EUR", "", 300.0, "EUR", -1.0, -1.0],
        ["Assets:Haus", "Assets:Haus EUR", "own_home", 400000.0, "EUR", -1.0, -1.0],
    ]
    assert book.holdings["issuer"][0] == "Muster Bank"
    assert book.debts[["kind", "value"]].to_numpy().tolist() == [["Hypothek", 250000.0]]
    assert book.fx[["currency", "rate", "base"]].to_numpy().tolist() == [["USD", 0.9, "EUR"]]
    wrong = book.issues.query("code == 'stated_total'")
    assert wrong[["column", "value", "mend"]].to_numpy().tolist() == [
        ["balance Assets:Haus", "400,001.00 EUR", "400,000.00 EUR"]
    ]
    errors = book.issues.query("severity == 'error'")
    assert errors[["code", "value"]].to_numpy().tolist() == [["no_price", "HOURS"]]
    assert book.issues.query("code == 'plugin_not_run'")["value"].tolist() == ["my.own.plugin"]
    assert book.issues.query("code == 'draft_activity'")["mend"].tolist() == ["1"]
    assert book.issues.query("code == 'file_includes'")["mend"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2020-01-01 open Assets:A\nhello\n", "line 2 is no directive"),
        ("2020-01-01 fly Assets:A\n", "line 1 is no directive"),
        ('2020-01-01 * "x"\n  Assets:A 1 2 EUR\n', "line 2 is no posting"),
        ('2020-01-01 * "x"\n  Assets:A (1 EUR\n', "line 2 is no posting"),
        ('2020-01-01 * "x"\n  Assets:A 1/0 EUR\n', "line 2 is no posting"),
        ('2020-01-01 * "x"\n  what is this\n', "line 2 is neither"),
        ('2020-01-01 note Assets:A "never ends\n', "line 1 does not end"),
        ('2020-01-01 open Assets:A\ninclude "/no/such.beancount"\n', "line 2 includes a file that is not there"),
        (f'2020-01-01 open Assets:A\ninclude "{"9" * 300}"\n', "line 2 includes a file that is not there"),
        (
            '2020-01-01 * "x"\n  Assets:S -1 SSS {} @ 5 EUR\n  Assets:Cash\n  Income:Gain -2 EUR\n',
            "line 1 leaves an amount to beancount's booking",
        ),
        ("; nothing but a comment\n", "neither accounts nor transactions"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "l.beancount"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        read_book(path, format="beancount")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1,234.50 USD", ("1234.50", "USD")),
        ("-3 * (2 + 4) / 2 EUR", ("-9", "EUR")),
        ("- -1.5 X", ("1.5", "X")),
        ("10 VEA.L", ("10", "VEA.L")),
        ("USD", (None, "USD")),
        ("12", ("12", "")),
    ],
)
def test_amounts(text: str, amount: tuple[str | None, str]) -> None:
    number, currency = read_amount(text)
    assert (number, currency) == (None if amount[0] is None else Decimal(amount[0]), amount[1])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=120) | st.text(alphabet='2020-1 *"{}@;\n openAsset:txUSD.,()/+#', max_size=160))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    said = ""
    try:
        list(directives(text, "l.beancount"))
    except InputError as error:
        said = str(error)
    assert not said or said.startswith("l.beancount: ")
