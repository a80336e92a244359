"""Columns of cells of any type become one typed column."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from allocator.cells import as_text, clean_text, read_cells
from allocator.schema import Column
from allocator.validate import RawTable, type_table


def test_typed_cells_are_taken_without_a_detour() -> None:
    value = 0.1 + 0.2
    frame = pd.DataFrame(
        {
            "client_id": [7, 8],
            "name": ["a", None],
            "asset_id": [1.0, 2.0],
            "asset_class": ["gold", "gold"],
            "value": [value, 3],
            "as_of": pd.to_datetime(["2026-01-02 15:00", None]),
            "pledged": [True, False],
            "quantity": pd.array([1, None], dtype="Int64"),
        }
    )
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
    things = [
        None,
        np.nan,
        pd.NA,
        pd.NaT,
        "x\ud800",
        True,
        3,
        2.0,
        2.5,
        Decimal("1.10"),
        dt.date(2026, 1, 2),
        dt.datetime(2026, 1, 2),
        [1],
        b"ab",
    ]
    text, _ = as_text(pd.Series(things, dtype=object))
    assert list(text) == [
        "",
        "",
        "",
        "",
        "x?",
        "true",
        "3",
        "2",
        "2.5",
        "1.10",
        "2026-01-02",
        "2026-01-02",
        "[1]",
        "b'ab'",
    ]


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


def test_minus_zero_is_zero() -> None:
    values = read_cells(Column("x", "number", ""), pd.Series(["-0.0", "0"])).values
    assert not np.signbit(values.to_numpy()).any()
