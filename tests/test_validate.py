"""Cells and rows: what is taken, what is refused, and where every row goes."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.cells import as_text, clean_text, read_cells
from allocator.errors import InputError
from allocator.issues import COLUMNS
from allocator.notation import parse_amount, parse_currency, parse_date, parse_flag
from allocator.rules import RULES
from allocator.schema import HOLDINGS, TABLES, Column
from allocator.validate import RawTable, empty_table, type_table

BY_NAME = {c.name: c for c in HOLDINGS}
EXCEL_DAY_0 = dt.date(1899, 12, 30)


def holdings(*rows: dict[str, object], **more: object) -> RawTable:
    """Rows over a good holding."""
    good = {"client_id": "c1", "name": "Gold", "asset_class": "gold", "value": "100"}
    return RawTable(pd.DataFrame([good | more | row for row in rows], dtype="str").fillna(""), "h.csv")


def one(column: str, cell: object, *, other: dict[str, object] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    typed = type_table("holdings", holdings({column: cell, **(other or {})}))
    return typed.frame, typed.issues


@pytest.mark.parametrize(("text", "value"), [
    ("1234.5", 1234.5), (" 12 ", 12.0), ("1,234.50", 1234.5), ("12,345,678", 12345678.0), ("１２３", 123.0), ("１，２３４．５", 1234.5),
    ("+5", 5.0), ("−7", -7.0), ("－7", -7.0), ("(1,234)", -1234.0), ("（5）", -5.0), ("¥100", 100.0), ("￥100", 100.0),
    ("100元", 100.0), ("$1,000.25", 1000.25), ("-$5", -5.0), ("$-5", -5.0), ("US$ 7", 7.0), ("12.5万", 125000.0),
    ("1.2亿", 1.2e8), ("12.5万元", 125000.0), ("0.1万", 1000.0), ("1e5", 1e5), (".5", 0.5), ("5.", 5.0), ("100 CNY", 100.0),
])
def test_amounts_as_people_write_them(text: str, value: float) -> None:
    assert parse_amount(text)[:2] == (value, "")


@pytest.mark.parametrize("text", [
    "1_000", "1,2,3", "1.234,5", "12,34", "abc", "1 234", "0x1F", "--5", "(-5)", "(5", "5)", "¥5元", "1e3万", "٣", "10²", "1,234,5",
    "25%", "-", "$", "万", "1.2.3", "=1+1", "1/2", "十",
])
def test_what_is_no_number(text: str) -> None:
    value, code, *_ = parse_amount(text)
    assert math.isnan(value)
    assert code == "not_a_number"


@pytest.mark.parametrize("text", ["nan", "NaN", "inf", "-Infinity", "∞", "1e400", "-1e999", "9" * 400])
def test_what_is_not_finite(text: str) -> None:
    assert parse_amount(text)[1] == "not_finite"


@given(st.floats(0, 1e12), st.sampled_from(["万", "亿"]))
def test_units_shift_the_point_exactly(number: float, unit: str) -> None:
    digits = f"{number:.6f}"
    assert parse_amount(digits + unit)[0] == float(Decimal(digits).scaleb({"万": 4, "亿": 8}[unit]))


@pytest.mark.parametrize("text", ["2026-11-20", "20261120", "2026/11/20", "2026.11.20", "2026年11月20日", "2026-11-20 09:30:00",
                                  "2026-11-20T00:00:00Z", "２０２６-11-20", " 2026/11/20 "])
def test_dates_year_first(text: str) -> None:
    assert parse_date(text) == dt.date(2026, 11, 20)


@pytest.mark.parametrize("text", ["01/02/2026", "20.11.2026", "2026-13-01", "2026-02-30", "26-11-20", "46346", "2026-11", "1899-12-31",
                                  "2026/11-20", "soon", "0"])
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_serials_are_dates_only_in_workbooks() -> None:
    assert parse_date("46346", EXCEL_DAY_0) == dt.date(2026, 11, 20)
    assert parse_date("46346.75", EXCEL_DAY_0) == dt.date(2026, 11, 20)
    assert parse_date("29999", EXCEL_DAY_0) is None
    assert parse_date("60001", EXCEL_DAY_0) is None
    assert parse_date("20261120", EXCEL_DAY_0) == dt.date(2026, 11, 20)


def test_flags_and_currencies() -> None:
    assert [parse_flag(w) for w in ("1", "TRUE", "Yes", "y", "是", "√")] == [True] * 6
    assert [parse_flag(w) for w in ("0", "False", "no", "N", "否")] == [False] * 5
    assert [parse_flag(w) for w in ("maybe", "2", "是的")] == [None] * 3
    assert [parse_currency(w) for w in ("usd", "RMB", "人民币", "CNH", "美元", "港币", "港元", "欧元")] == [
        "USD", "CNY", "CNY", "CNY", "USD", "HKD", "HKD", "EUR"]
    assert [parse_currency(w) for w in ("$", "¥", "US", "USDT", "12A")] == [None] * 5


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
    ("currency", "yen", "currency", "", None),
    ("currency", "US Dollar", "bad_currency", "error", ""),
    ("currency", "人民币", "currency_alias", "info", "CNY"),
    ("currency", "CNH", "currency_alias", "warning", "CNY"),
    ("name", "Go\u202eld", "control_characters", "info", "Gold"),
    ("issuer", "a\x00b\x1b", "control_characters", "info", "ab"),
]


@pytest.mark.parametrize(("column", "cell", "code", "severity", "value"), [b for b in BAD if b[2] != "currency"])
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


@pytest.mark.parametrize(("column", "cell"), [
    ("value", "１２３．５"), ("value", "1,234.50"), ("currency", "usd"), ("as_of", "2020年1月2日"), ("locked_until", "9999-12-31"),
    ("pledged", "√"), ("sellable", "1"), ("product_risk", "3.0"), ("name", "line\nbreak"), ("name", "黄金（ＡＢ）"), ("isin", ""),
])
def test_good_cells_raise_nothing(column: str, cell: str) -> None:
    frame, issues = one(column, cell)
    assert len(frame) == 1
    assert issues.empty


def test_currency_sign_is_held_against_the_currency() -> None:
    frame, issues = one("value", "$5", other={"currency": "USD"})
    assert (frame["value"].item(), len(issues)) == (5.0, 0)
    frame, issues = one("value", "$5", other={"currency": "CNY"})
    assert frame.empty
    assert (issues["code"].item(), issues["severity"].item(), issues["mend"].item()) == ("currency_sign", "error", "CNY")
    frame, issues = one("cost_basis", "100元", other={"currency": "USD"})
    assert math.isnan(frame["cost_basis"].item())
    assert issues["severity"].item() == "error"


def test_identifiers_keep_zeros_and_lose_width_and_blanks() -> None:
    typed = type_table("holdings", holdings({"client_id": "00123"}, {"client_id": "　１２３ "}, {"client_id": "NA"}, {"client_id": "None"}))
    assert list(typed.frame["client_id"]) == ["00123", "123", "NA", "None"]
    assert typed.frame["client_id"].dtype == "str"


def test_composed_and_decomposed_accents_are_one_client() -> None:
    typed = type_table("holdings", holdings({"client_id": "Zo\u00eb"}, {"client_id": "Zoe\u0308", "name": "b"}))
    assert typed.frame["client_id"].nunique() == 1


def test_names_and_ids_fill_each_other() -> None:
    rows = holdings({"name": "Gold", "asset_id": ""}, {"name": "", "asset_id": "Ａ1"}, {"name": "", "asset_id": ""}, asset_id="x")
    typed = type_table("holdings", rows)
    assert list(typed.frame["asset_id"]) == ["Gold", "A1"]
    assert list(typed.frame["name"]) == ["Gold", "A1"]
    assert list(typed.issues["code"]) == ["missing_value"]
    assert typed.issues["row"].item() == 4


def test_same_name_gets_the_next_free_id() -> None:
    rows = [{"value": "1"}, {"value": "2"}, {"value": "3"}, {"value": "4", "name": "Gold (2)"}, {"value": "5", "client_id": "c2"}]
    typed = type_table("holdings", holdings(*rows))
    assert list(typed.frame["asset_id"]) == ["Gold", "Gold (3)", "Gold (4)", "Gold (2)", "Gold"]
    assert set(typed.issues["code"]) == {"same_name"}
    assert set(typed.issues["severity"]) == {"info"}
    assert typed.frame["value"].sum() == 15.0


def test_equal_rows_without_id_are_duplicates() -> None:
    typed = type_table("holdings", holdings({}, {}, {"value": "7"}, {"value": "7"}))
    assert list(typed.frame["value"]) == [100.0, 7.0]
    assert sorted(typed.issues["code"]) == ["duplicate", "duplicate", "same_name"]
    assert sorted(typed.issues.loc[typed.issues["code"] == "duplicate", "row"]) == [3, 5]


def test_given_ids_repeat_only_over_accounts() -> None:
    rows = [{"account": "a"}, {"account": "b"}, {"account": "a", "value": "9"}]
    typed = type_table("holdings", holdings(*rows, asset_id="G"))
    assert list(typed.frame["account"]) == ["a", "b"]
    issue = typed.issues.iloc[0]
    assert (issue["code"], issue["row"], issue["mend"]) == ("duplicate", 4, "2")


def test_a_derived_id_gives_way_to_a_given_one() -> None:
    typed = type_table("holdings", holdings({"asset_id": "", "value": "1"}, {"asset_id": "Gold", "value": "2"}))
    assert dict(zip(typed.frame["asset_id"], typed.frame["value"], strict=True)) == {"Gold (2)": 1.0, "Gold": 2.0}


def test_ids_in_other_capitals_are_pointed_out() -> None:
    rows = [{"asset_id": "abc"}, {"asset_id": "ABC"}, {"asset_id": "Abc", "client_id": "c2"}]
    typed = type_table("holdings", holdings(*rows))
    assert len(typed.frame) == 3
    assert list(typed.issues["code"]) == ["similar_id"] * 2
    assert list(typed.issues["mend"]) == ["ABC", "abc"]


def test_value_against_quantity_times_price() -> None:
    fine = {"quantity": "10", "price": "10.05"}
    off = {"quantity": "10", "price": "11", "name": "b"}
    typed = type_table("holdings", holdings(fine, off, {"quantity": "", "price": "3", "name": "c"}))
    assert len(typed.frame) == 3
    assert list(typed.issues[["row", "code", "mend"]].iloc[0]) == [3, "value_mismatch", "110.00"]
    assert len(typed.issues) == 1


def test_rates_and_fund_weights() -> None:
    fx = type_table("fx", RawTable(pd.DataFrame({"币种": ["usd", "EUR", "GBP", "USD"], "汇率": ["7.1", "0", "-1", "7"]})))
    assert list(fx.frame["currency"]) == ["USD"]
    assert sorted(fx.issues["code"]) == ["duplicate", "out_of_range", "out_of_range"]
    funds = pd.DataFrame({"fund_id": list("aabbc"), "asset_class": list("xyxyx"), "weight": [0.5, 0.5, 0.5, 0.4, 1.0]})
    typed = type_table("lookthrough", RawTable(funds))
    assert list(typed.frame["fund_id"]) == ["a", "a", "c"]
    assert list(typed.issues["code"]) == ["weights_sum"] * 2
    assert list(typed.issues["value"]) == ["0.9"] * 2


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
    frame = pd.DataFrame([["c1", "Gold", "gold", "1", "x"]], columns=[" CLIENT ID ", "Asset-ID", "资产类别", "市值 ", "Valu"])
    typed = type_table("holdings", RawTable(frame))
    assert typed.given == {"holdings.client_id", "holdings.asset_id", "holdings.asset_class", "holdings.value"}
    assert list(typed.issues[["column", "code", "row", "mend"]].iloc[0]) == ["Valu", "unknown_column", 0, "value"]


@pytest.mark.parametrize(("headers", "words"), [
    (["client_id", "name", "asset_class", "amount"], ["h.csv", "'value'", "市值", "'amount'"]),
    (["client_id", "asset_class", "value"], ["name or asset_id", "资产名称"]),
    (["client_id", "name", "value"], ["asset_class or cfi or product_id", "资产类别"]),
    (["client_id", "name", "asset_class", "value", "市值"], ["'value', '市值'", "remove"]),
    (["client_id", "name", "asset_class", "value", "value"], ["two columns", "'value'"]),
])
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


def test_typed_cells_are_taken_without_a_detour() -> None:
    value = 0.1 + 0.2
    frame = pd.DataFrame({"client_id": [7, 8], "name": ["a", None], "asset_id": [1.0, 2.0], "asset_class": ["gold", "gold"],
                          "value": [value, 3], "as_of": pd.to_datetime(["2026-01-02 15:00", None]), "pledged": [True, False],
                          "quantity": pd.array([1, None], dtype="Int64")})
    before = frame.copy(deep=True)
    typed = type_table("holdings", RawTable(frame))
    pd.testing.assert_frame_equal(frame, before)
    assert typed.frame["value"].iloc[0] == value
    assert list(typed.frame["client_id"]) == ["7", "8"]
    assert list(typed.frame["asset_id"]) == ["1", "2"]
    assert list(typed.frame["name"]) == ["a", "2"]
    assert typed.frame["as_of"].iloc[0] == pd.Timestamp("2026-01-02")
    assert list(typed.frame["pledged"]) == [True, False]
    assert typed.issues.empty


def test_long_numbers_are_no_identifiers() -> None:
    frame = pd.DataFrame({"client_id": [6222021234567890123.0, 5.0], "name": "a", "asset_class": "gold", "value": 1})
    typed = type_table("holdings", RawTable(frame))
    assert list(typed.frame["client_id"]) == ["5"]
    assert list(typed.issues[["code", "column", "row"]].iloc[0]) == ["id_precision", "client_id", 2]
    exact = frame.assign(client_id=np.array([6222021234567890123, 5], dtype=np.int64))
    assert list(type_table("holdings", RawTable(exact)).frame["client_id"]) == ["6222021234567890123", "5"]


def test_anything_can_be_written_as_text() -> None:
    things = [None, np.nan, pd.NA, pd.NaT, "x\ud800", True, 3, 2.0, 2.5, Decimal("1.10"), dt.date(2026, 1, 2),
              dt.datetime(2026, 1, 2), [1], b"ab"]
    text, _ = as_text(pd.Series(things, dtype=object))
    assert list(text) == ["", "", "", "", "x?", "true", "3", "2", "2.5", "1.10", "2026-01-02", "2026-01-02", "[1]", "b'ab'"]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30))
def test_clean_text_is_idempotent_and_keeps_visible_text(words: list[str]) -> None:
    text = as_text(pd.Series(words, dtype=object))[0]
    once, _ = clean_text(text, fold=True)
    twice, dirty = clean_text(once, fold=True)
    assert list(once) == list(twice)
    assert not len(dirty)
    assert all(a == b for a, b in zip(text, once, strict=True) if a.isascii() and a.isalnum())


@given(st.lists(st.one_of(st.floats(-1e14, 1e14), st.none()), min_size=1, max_size=20))
def test_fast_and_slow_paths_agree(numbers: list[float | None]) -> None:
    column = Column("x", "number", "")
    text = pd.Series(["" if n is None else repr(n) for n in numbers], dtype="str")
    fast = read_cells(column, text).values.to_numpy()
    slow = read_cells(column, pd.concat([text, pd.Series(["1,000"])], ignore_index=True)).values.to_numpy()
    assert np.array_equal(fast, slow[:-1], equal_nan=True)
    assert np.array_equal(fast, np.array([np.nan if n is None else n for n in numbers], dtype=float), equal_nan=True)
    assert slow[-1] == 1000.0


CELLS = {
    "client_id": ["c1", "c2", "C2", "", " "], "name": ["Gold", "Gold", "Cash", ""], "asset_id": ["", "", "a1", "A1"],
    "asset_class": ["gold", ""], "value": ["1", "2.5", "1,000", "", "x", "-1", "nan", "３", "1.5万", "0"],
    "currency": ["", "CNY", "人民币", "??"], "pledged": ["", "是", "?"], "as_of": ["", "2026-01-01", "1/2/26"],
    "product_risk": ["", "3", "8"], "account": ["", "x"],
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
