"""CSV for people: nothing in it runs, no number is touched, and it reads back as it was."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.tables_out import BOM, GUARD, write_csv, write_parquet

BEGINS = tuple("=+-@\t\n＝＋－＠")
HOSTILE = ("=1+1", "+1", "-1", "@x", "\tx", "\rx", "\0x", "\nx", "＝x", "＋x", "－x", "＠x", "=cmd|' /C calc'!A0", "=")


def written(table: pa.Table, *, raw: bool = False) -> bytes:
    file = io.BytesIO()
    assert write_csv(file, [table], raw=raw) == table.num_rows
    return file.getvalue()


def cells(data: bytes) -> list[list[str]]:
    assert data.startswith(BOM)
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_cells_are_made_harmless(text: str) -> None:
    table = pa.table({"name": [text, "plain"], "amount": [-1.5, 2.0]})
    assert cells(written(table)) == [["name", "amount"], [GUARD + text, "-1.5"], ["plain", "2"]]
    assert cells(written(table, raw=True))[1][0] == text


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\0")), min_size=1, max_size=8))
def test_any_text_reads_back(texts: list[str]) -> None:
    table = pa.table({"name": pa.array(texts, pa.string())})
    back = [row[0] if row else "" for row in cells(written(table))[1:]]
    assert back == [GUARD + t if t.startswith(BEGINS) else t for t in texts]


def test_unknown_numbers_are_empty_and_codes_are_texts() -> None:
    table = pa.table({"x": [1.0, float("nan"), None], "c": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert cells(written(table)) == [["x", "c"], ["1", "a"], ["", "b"], ["", "a"]]


def test_tables_follow_each_other_under_one_header() -> None:
    file = io.BytesIO()
    assert write_csv(file, [pa.table({"x": [1]}), pa.table({"x": pa.array([], pa.int64())}), pa.table({"x": [2]})]) == 2
    assert cells(file.getvalue()) == [["x"], ["1"], ["2"]]


def test_parquet_has_the_same_bytes() -> None:
    table = pa.table({"x": [1.5, None], "name": ["金", ""]})
    one, two = io.BytesIO(), io.BytesIO()
    write_parquet(one, table)
    write_parquet(two, table)
    assert one.getvalue() == two.getvalue()
    assert pq.read_table(io.BytesIO(one.getvalue())).equals(table)
