"""Every bad number, identity, currency, date and text that the house's list names, and what the product answers.

The rest of the list is in the other files of that name; the last test here holds all of them together.
"""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from judged import ANSWERED, GOOD, ids_of, judged_rows, tried
from small import holding

from allocator.cli import main

Case = tuple[str, Mapping[str, Any], str, str, Any]

# id, cells of the holding, issue code (empty: none), severity, and the typed value of the first cell (None: the row is
# set aside)
NUMBERS: tuple[Case, ...] = (
    ("nan-text", {"value": "NaN"}, "not_finite", "error", None),
    ("nan-float", {"value": float("nan")}, "missing_value", "error", None),
    ("inf", {"value": "inf"}, "not_finite", "error", None),
    ("minus-inf", {"value": float("-inf")}, "not_finite", "error", None),
    ("1e400", {"value": "1e400"}, "not_finite", "error", None),
    ("negative-balance", {"value": "-5"}, "negative_value", "error", None),
    ("short-position", {"value": "-500", "asset_class": "stock"}, "negative_value", "error", None),
    ("short-quantity", {"quantity": "-5", "price": "20"}, "negative_value", "error", float("nan")),
    ("overdrawn-cash", {"value": "-0.01", "asset_class": "deposit"}, "negative_value", "error", None),
    ("zero-total", {"value": "0"}, "zero_value", "info", 0.0),
    ("minus-zero", {"value": "-0.0"}, "zero_value", "info", 0.0),
    ("thousands", {"value": "1,234"}, "thousands_or_decimals", "warning", 1234.0),
    ("commas-astray", {"value": "1,2,3"}, "not_a_number", "error", None),
    ("decimal-comma", {"value": "1.234,5"}, "not_a_number", "error", None),
    ("wan", {"value": "12.5万"}, "unit_converted", "info", 125_000.0),
    ("yi", {"value": "1.2亿"}, "unit_converted", "info", 120_000_000.0),
    ("percent", {"sellable": "25%"}, "unit_converted", "info", 0.25),
    ("fraction", {"sellable": "0.25"}, "", "", 0.25),
    ("percent-without-sign", {"sellable": "25"}, "out_of_range", "error", float("nan")),
    ("percent-of-money", {"value": "25%"}, "not_a_number", "error", None),
    ("parentheses", {"value": "(1,234)"}, "negative_value", "error", None),
    ("unicode-minus", {"value": "−1,234"}, "negative_value", "error", None),
    ("full-width", {"value": "１２３"}, "", "", 123.0),
    ("underscore", {"value": "1_000"}, "not_a_number", "error", None),
    ("yen-sign", {"value": "¥100"}, "currency_sign", "warning", 100.0),
    ("yuan-word", {"value": "100元"}, "currency_sign", "warning", 100.0),
    ("other-sign", {"value": "$100", "currency": "CNY"}, "currency_sign", "error", None),
    ("too-large", {"value": "1e16"}, "out_of_range", "error", None),
    ("isin-check-digit", {"isin": "US0378331006"}, "bad_isin", "warning", "US0378331006"),
    ("isin-right", {"isin": "US0378331005"}, "", "", "US0378331005"),
    ("quantity-price-mismatch", {"value": "100", "quantity": "2", "price": "20"}, "value_mismatch", "warning", 100.0),
)
CURRENCIES: tuple[Case, ...] = (
    ("renminbi-zh", {"currency": "人民币"}, "currency_alias", "info", "CNY"),
    ("rmb", {"currency": "RMB"}, "currency_alias", "info", "CNY"),
    ("cnh", {"currency": "CNH"}, "currency_alias", "warning", "CNY"),
    ("currency-in-words", {"currency": "US Dollar"}, "bad_currency", "error", ""),
    ("excel-serial-in-text", {"as_of": "46346"}, "bad_date", "error", pd.NaT),
    ("compact-date", {"as_of": "20260920"}, "", "", pd.Timestamp("2026-09-20")),
    ("chinese-date", {"as_of": "2026年9月20日"}, "", "", pd.Timestamp("2026-09-20")),
    ("ambiguous-date", {"as_of": "01/02/2026"}, "bad_date", "error", pd.NaT),
    ("future-date", {"as_of": "2999-01-01"}, "future_date", "warning", pd.Timestamp("2999-01-01")),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in (*NUMBERS, *CURRENCIES)])
def test_cells(case: Case) -> None:
    """A bad cell is an issue of its row and client; a doubtful one is used and said; a good one is silent."""
    name, cells, code, severity, value = case
    found = judged_rows(holding(**cells))
    issues = found.analysis.issues
    assert list(issues["code"]) == ([code] if code else [])
    if code:
        row = issues.iloc[0]
        assert row["severity"] == severity
        assert (row["row"], row["client_id"]) in {(2, "a"), (0, "")}
        assert row["column"] in cells
    if value is None:
        assert found.totals["a"] == 0.0
        assert found.book.counts["set_aside"].sum() == 1
    else:
        typed = found.cell(next(iter(cells)))
        assert typed == value or (pd.isna(typed) and pd.isna(value))
    invalid = severity == "error" or name in ("zero-total", "minus-zero")
    assert (found.status["a"] == "invalid") == invalid
    ANSWERED.add(name)


# id, rows of holdings, further tables, codes of all issues with their severity, and totals of the clients
BOOKS: tuple[tuple[str, tuple[dict[str, Any], ...], dict[str, Any], dict[str, str], dict[str, float]], ...] = (
    ("all-negative", (holding(value=-1), holding(asset_id="y", value=-2)), {}, {"negative_value": "error"}, {"a": 0.0}),
    (
        "sum-overflow",
        tuple(holding(asset_id=f"x{i}", value="1e15") for i in range(9)),
        {},
        {},
        {"a": 9e15},
    ),
    (
        "value-rate-mismatch",
        (holding(value=140, currency="USD", quantity=10, price=2),),
        {"fx": [{"currency": "USD", "rate": 7}]},
        {"value_mismatch": "warning"},
        {"a": 980.0},
    ),
    ("duplicate", (holding(), holding(value=5)), {}, {"duplicate": "error"}, {"a": 100.0}),
    (
        "leading-zeros",
        (holding(client_id="00123"), holding(client_id="123", value=7)),
        {},
        {"band_missing": "error", "similar_id": "warning", "spending_unknown": "info"},
        {"00123": 100.0, "123": 7.0},
    ),
    (
        "id-na-none",
        (holding(client_id="NA"), holding(client_id="None", value=7)),
        {},
        {"band_missing": "error", "spending_unknown": "info"},
        {"NA": 100.0, "None": 7.0},
    ),
    ("id-19-digits-float", (holding(client_id=6222021234567890123.0),), {}, {"id_precision": "error"}, {"a": 0.0}),
    ("id-full-width", (holding(), holding(client_id="ａ", asset_id="y", value=7)), {}, {}, {"a": 107.0}),
    ("id-trailing-space", (holding(), holding(client_id="a \u3000", asset_id="y", value=7)), {}, {}, {"a": 107.0}),
    (
        "id-nfc-nfd",
        (holding(client_id="\u00e9"), holding(client_id="e\u0301", asset_id="y", value=7)),
        {},
        {"band_missing": "error", "spending_unknown": "info"},
        {"\u00e9": 107.0},
    ),
    (
        "id-case",
        (holding(), holding(client_id="A", value=7)),
        {},
        {"band_missing": "error", "similar_id": "warning", "spending_unknown": "info"},
        {"a": 100.0, "A": 7.0},
    ),
    (
        "isin-in-two-buckets",
        (holding(isin="US0378331005"), holding(asset_id="y", isin="US0378331005", asset_class="hedge_fund")),
        {},
        {"isin_classes": "warning"},
        {"a": 200.0},
    ),
    ("unknown-class", (holding(), holding(asset_id="y", asset_class="moon rock")), {}, {"unknown_class": "error"}, {}),
    ("missing-rate", (holding(currency="USD"),), {}, {"missing_rate": "error"}, {"a": 0.0}),
    (
        "rate-too-large",
        (holding(value="1e12", currency="USD"), holding(asset_id="y", value="1")),
        {"fx": [{"currency": "USD", "rate": "1000000"}]},
        {"converted_too_large": "error", "rate_doubtful": "warning"},
        {"a": 1.0},
    ),
    (
        "rate-zero",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 0}]},
        {"out_of_range": "error", "missing_rate": "error"},
        {"a": 0.0},
    ),
    (
        "rate-negative-nan",
        (holding(currency="USD"), holding(asset_id="y", currency="HKD")),
        {"fx": [{"currency": "USD", "rate": "-7"}, {"currency": "HKD", "rate": "nan"}]},
        {"out_of_range": "error", "not_finite": "error", "missing_rate": "error"},
        {"a": 0.0},
    ),
    (
        "rate-inverted",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": "0.1404"}]},
        {"rate_inverted": "warning"},
        {"a": 14.04},
    ),
    (
        "rate-inverted-for-home",
        (holding(currency="USD"),),
        {"fx": [{"currency": "CNY", "rate": "7.12"}, {"currency": "USD", "rate": "1"}]},
        {"rate_inverted": "warning"},
        {"a": 14.04},
    ),
    (
        "rate-of-100-units",
        (holding(currency="JPY"),),
        {"fx": [{"currency": "JPY", "rate": "4.62"}]},
        {"rate_doubtful": "warning"},
        {"a": 462.0},
    ),
    (
        "rate-in-another-base",
        (holding(currency="EUR"),),
        {"fx": [{"currency": "EUR", "rate": "7.7", "base": "USD"}, {"currency": "USD", "rate": "7.12"}]},
        {"rate_doubtful": "warning"},
        {"a": 5482.4},
    ),
    (
        "rate-stale",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 7, "date": "2026-08-29"}]},
        {"rate_stale": "warning"},
        {"a": 700.0},
    ),
    (
        "rate-of-last-month",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 7, "date": "2026-08-30"}]},
        {},
        {"a": 700.0},
    ),
    (
        "rate-of-tomorrow",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 7, "date": "2026-10-01"}]},
        {"rate_later": "warning"},
        {"a": 700.0},
    ),
    (
        "rate-with-a-bad-date",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 7, "date": "01/02/2026"}]},
        {"bad_date": "error"},
        {"a": 700.0},
    ),
    (
        "rate-twice",
        (holding(currency="USD"),),
        {"fx": [{"currency": "USD", "rate": 7}, {"currency": "USD", "rate": 8}]},
        {"duplicate": "error"},
        {"a": 700.0},
    ),
    (
        "jpy-decimals",
        (holding(value="100000.55", currency="JPY"),),
        {"fx": [{"currency": "JPY", "rate": "0.047"}]},
        {},
        {"a": 4700.03},
    ),
    (
        "kwd-decimals",
        (holding(value="100.555", currency="KWD"),),
        {"fx": [{"currency": "KWD", "rate": "23.1"}]},
        {},
        {"a": 2322.82},
    ),
    (
        "mixed-dates",
        (
            holding(as_of="2026-09-20"),
            holding(asset_id="y", as_of="20260921"),
            holding(asset_id="z", as_of="2026年9月22日"),
            holding(asset_id="w", as_of="01/02/2026"),
        ),
        {},
        {"bad_date": "error"},
        {"a": 400.0},
    ),
)


@pytest.mark.parametrize("case", [pytest.param(c, id=c[0]) for c in BOOKS])
def test_rows_that_do_not_go_together(case: Any) -> None:
    """Several rows or tables; money that is not sure is nowhere counted, and the rest is to the cent."""
    name, rows, tables, codes, totals = case
    found = judged_rows(*rows, **tables)
    assert found.codes == codes
    for client_id, total in totals.items():
        assert found.totals[client_id] == pytest.approx(total, abs=1e-9)
    ANSWERED.add(name)


@pytest.mark.parametrize("band", [pytest.param(b, id=f"band-{b or 'none'}") for b in ("", "C9", "balancd")])
def test_a_client_without_a_band(band: str) -> None:
    found = judged_rows(holding(), of={"risk_band": band})
    assert list(found.analysis.issues["severity"]) == ["error"]
    assert found.status["a"] == "invalid"
    assert found.totals["a"] == 100.0
    ANSWERED.add(f"band-{band or 'none'}")


# ---- text that means harm

HARM = {
    "script": "<script>alert(1)</script>",
    "formula": "=cmd|'/C calc'!A0",
    "formula-full-width": "＝1+1",
    "path": "../../x",
    "device": "CON",
    "colon": "a:b",
    "255-bytes": "长" * 200,
    "nul": "a\0b",
    "markup": "[/x]",
    "mathtext": "$\\frac{$",
    "typst": '#read("/etc/passwd")',
    "percent-s": "%s%d%n",
    "braces": "{x}{0}",
    "ansi": "\x1b[31mred",
    "newline": "two\nlines",
    "bidi": "a\u202eb",
    "surrogate": "a\ud800b",
}


@pytest.mark.parametrize("harm", [pytest.param(h, id=h) for h in HARM])
def test_hostile_text(harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a name and as an id: text in tables, JSON, terminal, page and files; nothing is written outside the folder."""
    text = HARM[harm]
    found = judged_rows(holding(client_id=text, asset_id=text, name=text, issuer=text))
    assert set(found.codes) <= {"control_characters", "band_missing", "spending_unknown"}
    holdings, folder = tmp_path / "h.csv", tmp_path / "in" / "out"
    safe = text.replace("\ud800", "?").replace("\0", "")
    with holdings.open("w", encoding="utf-8", newline="") as file:
        rows = [[safe, safe, "deposit", "100"], [safe, "b", "stock", "300"], [GOOD, "cash", "deposit", "5"]]
        csv.writer(file).writerows([["client_id", "name", "asset_class", "value"], *rows])
    day = ["--band", "C3", "--date", "2026-09-30", "--lang", "en"]
    assert main(["check", str(holdings), "--json", *day]) in (0, 3)
    ids = [c["client_id"] for c in json.loads(capsys.readouterr().out)["clients"]]
    assert len(ids) == 2
    assert main(["rebalance", str(holdings), "--client", ids[0], *day]) in (0, 3)
    assert main(["report", str(holdings), "--client", ids[0], "-o", str(tmp_path / "page.html"), *day]) in (0, 3)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script>alert(1)" not in page
    assert main(["batch", str(holdings), "--out", str(folder), "--check-only", "--csv", "--workers", "1", *day]) in (
        0,
        3,
    )
    shown = "".join(capsys.readouterr())
    assert not {c for c in shown + page if unicodedata.category(c) in ("Cc", "Cf", "Cs")} - {"\n", "\t", "\r"}
    assert {p.name for p in tmp_path.iterdir()} == {"h.csv", "in", "page.html"}
    assert [p.name for p in folder.parent.iterdir()] == ["out"]
    for table in folder.rglob("*.csv"):
        with table.open(encoding="utf-8-sig", newline="") as file:
            assert not [c for row in csv.reader(file) for c in row if c.startswith(("=", "＝", "@"))]
    ANSWERED.add(harm)


ITEMS = (*ids_of(NUMBERS, CURRENCIES, BOOKS), *HARM, "band-none", "band-C9", "band-balancd")


def test_every_item_is_tried() -> None:
    """No id stands for two items, in any of the files; what was answered well is printed at the end of the run."""
    ids = tried()
    assert len(ids) > 150
    assert len(set(ids)) == len(ids)
    assert set(ids) >= ANSWERED
