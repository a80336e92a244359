"""Cells and rows: what is taken, what is refused, and where every row goes."""

from __future__ import annotations

import math
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.errors import InputError
from allocator.issues import COLUMNS
from allocator.rules import RULES
from allocator.schema import TABLES
from allocator.validate import RawTable, empty_table, type_table


def holdings(*rows: dict[str, object], **more: object) -> RawTable:
    """Rows over a good holding."""
    good = {"client_id": "c1", "name": "Gold", "asset_class": "gold", "value": "100"}
    return RawTable(pd.DataFrame([good | more | row for row in rows], dtype="str").fillna(""), "h.csv")


def one(column: str, cell: object, *, other: dict[str, object] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    typed = type_table("holdings", holdings({column: cell, **(other or {})}))
    return typed.frame, typed.issues


# column, cell → code, severity, and the typed cell (None: the row is set aside)
BAD = [
    ("value", "", "missing_value", "error", None),
    ("value", "   ", "missing_value", "error", None),
    ("value", "abc", "not_a_number", "error", None),
    ("value", "1_000", "not_a_number", "error", None),
    ("value", "1,2,3", "not_a_number", "error", None),
    ("value", "nan", "not_finite", "error", None),
    ("value", "1e400", "not_finite", "error", None),
    ("value", "-5", "negative_value", "error", None),
    ("value", "(1,234)", "negative_value", "error", None),
    ("value", "1e16", "out_of_range", "error", None),
    ("value", "12.5万", "unit_converted", "info", 125000.0),
    ("value", "0", "zero_value", "info", 0.0),
    ("value", "-0.0", "zero_value", "info", 0.0),
    ("value", "¥5", "currency_sign", "warning", 5.0),
    ("client_id", "", "missing_value", "error", None),
    ("client_id", "　", "missing_value", "error", None),
    ("quantity", "many", "not_a_number", "error", math.nan),
    ("price", "-1", "negative_value", "error", math.nan),
    ("product_risk", "9", "out_of_range", "error", math.nan),
    ("product_risk", "0", "out_of_range", "error", math.nan),
    ("product_risk", "2.5", "not_whole", "error", math.nan),
    ("sellable", "25", "out_of_range", "error", math.nan),
    ("sellable", "25%", "unit_converted", "info", 0.25),
    ("sellable", "-0.1", "negative_value", "error", math.nan),
    ("as_of", "01/02/2026", "bad_date", "error", pd.NaT),
    ("as_of", "2999-01-01", "future_date", "warning", pd.Timestamp("2999-01-01")),
    ("locked_until", "never", "bad_date", "error", pd.NaT),
    ("pledged", "maybe", "bad_flag", "error", False),
    ("currency", "US Dollar", "bad_currency", "error", ""),
    ("currency", "人民币", "currency_alias", "info", "CNY"),
    ("currency", "CNH", "currency_alias", "warning", "CNY"),
    ("name", "Go\u202eld", "control_characters", "info", "Gold"),
    ("issuer", "a\x00b\x1b", "control_characters", "info", "ab"),
]


@pytest.mark.parametrize(("column", "cell", "code", "severity", "value"), BAD)
def test_bad_cells(column: str, cell: str, code: str, severity: str, value: object) -> None:
    frame, issues = one(column, cell)
    assert list(issues["code"]) == [code]
    assert list(issues["severity"]) == [severity]
    assert issues["column"].item() == column
    assert issues["file"].item() == "h.csv"
    whole = code == "currency_alias" and severity == "info"
    assert issues["row"].item() == (0 if whole else 2)
    if value is None:
        assert frame.empty
    else:
        assert len(frame) == 1
        got = frame[column].item()
        assert got == value or (pd.isna(got) and pd.isna(value))
    if not whole and column != "client_id":
        assert issues["client_id"].item() == "c1"
    if code not in ("missing_value", "currency_sign"):
        assert issues["value"].item() == cell


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("value", "１２３．５"),
        ("value", "1,234.50"),
        ("currency", "usd"),
        ("as_of", "2020年1月2日"),
        ("locked_until", "9999-12-31"),
        ("pledged", "√"),
        ("sellable", "1"),
        ("product_risk", "3.0"),
        ("name", "line\nbreak"),
        ("name", "黄金（ＡＢ）"),
        ("isin", ""),
    ],
)
def test_good_cells_raise_nothing(column: str, cell: str) -> None:
    frame, issues = one(column, cell)
    assert len(frame) == 1
    assert issues.empty


def test_currency_sign_is_held_against_the_currency() -> None:
    frame, issues = one("value", "$5", other={"currency": "USD"})
    assert (frame["value"].item(), len(issues)) == (5.0, 0)
    frame, issues = one("value", "$5", other={"currency": "CNY"})
    assert frame.empty
    assert (issues["code"].item(), issues["severity"].item(), issues["mend"].item()) == (
        "currency_sign",
        "error",
        "CNY",
    )
    frame, issues = one("cost_basis", "100元", other={"currency": "USD"})
    assert math.isnan(frame["cost_basis"].item())
    assert issues["severity"].item() == "error"


def test_identifiers_keep_zeros_and_lose_width_and_blanks() -> None:
    typed = type_table(
        "holdings",
        holdings({"client_id": "00123"}, {"client_id": "　１２３ "}, {"client_id": "NA"}, {"client_id": "None"}),
    )
    assert list(typed.frame["client_id"]) == ["00123", "123", "NA", "None"]
    assert typed.frame["client_id"].dtype == "str"


def test_composed_and_decomposed_accents_are_one_client() -> None:
    typed = type_table("holdings", holdings({"client_id": "Zo\u00eb"}, {"client_id": "Zoe\u0308", "name": "b"}))
    assert typed.frame["client_id"].nunique() == 1


def test_blank_rows_are_ignored_and_row_numbers_stay() -> None:
    rows = [{}, dict.fromkeys(("client_id", "name", "asset_class", "value"), " "), {"name": "b"}]
    typed = type_table("holdings", holdings(*rows))
    assert list(typed.frame["row"]) == [2, 4]
    assert typed.counts == {"table": "holdings", "file": "h.csv", "read": 3, "used": 2, "set_aside": 0, "ignored": 1}


def test_a_note_beside_a_blank_row_is_not_lost() -> None:
    blank = dict.fromkeys(("client_id", "name", "asset_class", "value"), "")
    typed = type_table("holdings", holdings({}, blank | {"remark": "see page 2"}))
    assert typed.counts["set_aside"] == 1
    assert "unknown_column" in set(typed.issues["code"])


def test_headers_in_both_languages_any_case_and_width() -> None:
    frame = pd.DataFrame(
        [["c1", "Gold", "gold", "1", "x"]], columns=[" CLIENT ID ", "Asset-ID", "资产类别", "市值 ", "Valu"]
    )
    typed = type_table("holdings", RawTable(frame))
    assert typed.given == {"holdings.client_id", "holdings.asset_id", "holdings.asset_class", "holdings.value"}
    assert list(typed.issues[["column", "code", "row", "mend"]].iloc[0]) == ["Valu", "unknown_column", 0, "value"]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["client_id", "name", "asset_class", "amount"], ["h.csv", "'value'", "市值", "'amount'"]),
        (["client_id", "asset_class", "value"], ["name or asset_id", "资产名称"]),
        (["client_id", "name", "value"], ["asset_class or cfi or product_id", "资产类别"]),
        (["client_id", "name", "asset_class", "value", "市值"], ["'value', '市值'", "remove"]),
        (["client_id", "name", "asset_class", "value", "value"], ["two columns", "'value'"]),
    ],
)
def test_headers_that_stop_the_file(headers: list[str], words: list[str]) -> None:
    raw = RawTable(pd.DataFrame([["1"] * len(headers)], columns=headers), "h.csv")
    with pytest.raises(InputError) as error:
        type_table("holdings", raw)
    assert all(word in str(error.value) for word in words)


def test_data_in_place_of_a_header_is_not_repeated() -> None:
    raw = RawTable(pd.DataFrame([["1"] * 4], columns=["C-77", "Mrs Wang's gold", "gold", "100"]), "h.csv")
    with pytest.raises(InputError, match="no header row") as error:
        type_table("holdings", raw)
    assert "Wang" not in str(error.value)


@pytest.mark.parametrize("table", list(TABLES))
def test_every_table_has_rules_and_typed_columns(table: str) -> None:
    frame = empty_table(table)
    assert list(frame.columns) == [c.name for c in TABLES[table]] + ["row", "file"]
    kinds = {"id": "str", "text": "str", "bool": "bool", "date": "datetime64[us]"}
    assert all(str(frame[c.name].dtype) == kinds.get(c.kind, "float64") for c in TABLES[table])
    assert table in RULES


CELLS = {
    "client_id": ["c1", "c2", "C2", "", " "],
    "name": ["Gold", "Gold", "Cash", ""],
    "asset_id": ["", "", "a1", "A1"],
    "asset_class": ["gold", ""],
    "value": ["1", "2.5", "1,000", "", "x", "-1", "nan", "３", "1.5万", "0"],
    "currency": ["", "CNY", "人民币", "??"],
    "pledged": ["", "是", "?"],
    "as_of": ["", "2026-01-01", "1/2/26"],
    "product_risk": ["", "3", "8"],
    "account": ["", "x"],
}
GOOD = {"1": "1", "2.5": "2.5", "1,000": "1000", "３": "3", "1.5万": "15000", "0": "0"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries({k: st.sampled_from(v) for k, v in CELLS.items()}), min_size=1, max_size=12))
def test_every_row_ends_in_exactly_one_place(rows: list[dict[str, str]]) -> None:
    typed = type_table("holdings", RawTable(pd.DataFrame(rows, dtype="str"), "h.csv"))
    counts = typed.counts
    assert counts["read"] == len(rows) == counts["used"] + counts["set_aside"] + counts["ignored"]
    assert counts["used"] == len(typed.frame)
    used = [rows[r - 2] for r in typed.frame["row"]]
    assert sum(Decimal(repr(v)) for v in typed.frame["value"]) == sum(Decimal(GOOD[r["value"].strip()]) for r in used)
    gone = set(range(2, len(rows) + 2)) - set(typed.frame["row"])
    named = set(typed.issues.loc[typed.issues["severity"] == "error", "row"])
    blank = {i + 2 for i, r in enumerate(rows) if not any(v.strip() for v in r.values())}
    assert gone == blank | (gone & named)
    assert counts["ignored"] == len(blank)
    assert not typed.frame.duplicated(["client_id", "asset_id", "account"]).any()
    assert list(typed.issues.columns) == list(COLUMNS)
    assert not typed.frame[["client_id", "asset_id", "name"]].eq("").any().any()
