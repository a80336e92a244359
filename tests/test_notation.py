"""Amounts, dates, flags and currencies as people write them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.notation import parse_amount, parse_currency, parse_date, parse_flag

EXCEL_DAY_0 = dt.date(1899, 12, 30)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1234.5", 1234.5),
        (" 12 ", 12.0),
        ("1,234.50", 1234.5),
        ("12,345,678", 12345678.0),
        ("１２３", 123.0),
        ("１，２３４．５", 1234.5),
        ("+5", 5.0),
        ("−7", -7.0),
        ("－7", -7.0),
        ("(1,234)", -1234.0),
        ("（5）", -5.0),
        ("¥100", 100.0),
        ("￥100", 100.0),
        ("100元", 100.0),
        ("$1,000.25", 1000.25),
        ("-$5", -5.0),
        ("$-5", -5.0),
        ("US$ 7", 7.0),
        ("12.5万", 125000.0),
        ("1.2亿", 1.2e8),
        ("12.5万元", 125000.0),
        ("0.1万", 1000.0),
        ("1e5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("100 CNY", 100.0),
    ],
)
def test_amounts_as_people_write_them(text: str, value: float) -> None:
    assert parse_amount(text)[:2] == (value, "")


@pytest.mark.parametrize(
    "text",
    [
        "1_000",
        "1,2,3",
        "1.234,5",
        "12,34",
        "abc",
        "1 234",
        "0x1F",
        "--5",
        "(-5)",
        "(5",
        "5)",
        "¥5元",
        "1e3万",
        "٣",
        "10²",
        "1,234,5",
        "25%",
        "-",
        "$",
        "万",
        "1.2.3",
        "=1+1",
        "1/2",
        "十",
    ],
)
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


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20",
        "20261120",
        "2026/11/20",
        "2026.11.20",
        "2026年11月20日",
        "2026-11-20 09:30:00",
        "2026-11-20T00:00:00Z",
        "２０２６-11-20",
        " 2026/11/20 ",
    ],
)
def test_dates_year_first(text: str) -> None:
    assert parse_date(text) == dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    "text",
    [
        "01/02/2026",
        "20.11.2026",
        "2026-13-01",
        "2026-02-30",
        "26-11-20",
        "46346",
        "2026-11",
        "1899-12-31",
        "2026/11-20",
        "soon",
        "0",
    ],
)
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
        "USD",
        "CNY",
        "CNY",
        "CNY",
        "USD",
        "HKD",
        "HKD",
        "EUR",
    ]
    assert [parse_currency(w) for w in ("$", "¥", "US", "USDT", "12A")] == [None] * 5
