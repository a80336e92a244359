"""Partitions together are the book: same rows, same numbers, same issues, whatever the files look like."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SAMPLE
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from allocator.batch.source import find
from allocator.batch.spill import Kept, read_all
from allocator.batch.split import split
from allocator.book import Book, build_book, read_book
from allocator.errors import ConfigError, InputError
from allocator.importers.intake import Intake

QUICK = (Phase.explicit, Phase.generate)
BY_CLIENT = ("holdings", "clients", "debts", "overrides")


def parts_of(source: Any, folder: Path, size: int, **tables: Any) -> list[Book]:
    kept = split(find(source, more=tables), folder, size)
    kept = Kept.from_json(kept.to_json())
    return [build_book(read_all(folder, kept, p)) for p in range(kept.partitions)]


def same_as_whole(books: list[Book], whole: Book) -> None:
    """Rows and issues of the parts are those of the whole book; the order of clients too."""
    for name in BY_CLIENT:
        got = pd.concat([getattr(b, name) for b in books], ignore_index=True)
        want = getattr(whole, name)
        keys = ["client_id"] if name == "clients" else ["file", "row"]
        if name != "clients":
            got, want = got.sort_values(keys), want.sort_values(keys)
        if name == "overrides":
            got = got.drop_duplicates()
        pd.testing.assert_frame_equal(got.reset_index(drop=True), want.reset_index(drop=True), check_dtype=False)
    for name in ("products", "fx", "lookthrough"):
        for b in books:
            pd.testing.assert_frame_equal(getattr(b, name), getattr(whole, name))
    issues = pd.concat([b.issues for b in books]).drop_duplicates()
    order = list(issues.columns)
    pd.testing.assert_frame_equal(
        issues.sort_values(order).reset_index(drop=True), whole.issues.sort_values(order).reset_index(drop=True)
    )
    assert all(b.given == whole.given for b in books)


@pytest.mark.parametrize("size", [1, 5, 24, 100])
def test_sample(tmp_path: Path, size: int) -> None:
    same_as_whole(parts_of(SAMPLE, tmp_path, size), read_book(SAMPLE))


IDS = st.sampled_from(["A", "a", "0A", "B", "12", "012", "Ｂ", "王", "", "C ", "c"])
ROWS = st.lists(
    st.tuples(
        IDS,
        st.sampled_from(["cash", "gold", "x", ""]),
        st.sampled_from(["deposit", "gold", "股票基金", "nonsense", ""]),
        st.sampled_from(["1", "2.50", "1,000", "12万", "-3", "NaN", "oops", ""]),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=20, deadline=None, phases=QUICK)
@given(rows=ROWS, clients=st.lists(IDS, max_size=6), size=st.integers(1, 4), cut=st.integers(1, 9))
def test_any_book(tmp_path_factory: Any, rows: Any, clients: Any, size: int, cut: int) -> None:
    """Cut into part files anywhere, split at any size."""
    folder = tmp_path_factory.mktemp("book")
    frame = pd.DataFrame(rows, columns=["client_id", "name", "asset_class", "value"], dtype="str")
    if not (frame != "").any(axis=None):
        return
    people = pd.DataFrame({"client_id": clients, "risk_band": "C3"}, dtype="str")
    (folder / "holdings").mkdir()
    for i in range(0, len(frame), cut):
        frame.iloc[i : i + cut].to_parquet(folder / "holdings" / f"part-{i:03d}.parquet", index=False)
    try:
        whole = read_book(frame, clients=people)
    except InputError:
        return
    books = parts_of(folder, folder / "w", size, clients=people)
    assert sum(len(b.holdings) for b in books) == len(whole.holdings)
    assert sorted(i for b in books for i in b.clients["client_id"]) == sorted(whole.clients["client_id"])
    assert pd.concat([b.clients for b in books])["client_id"].is_unique
    columns = ["client_id", "code", "value", "severity", "column"]
    got = pd.concat([b.issues for b in books])[columns].value_counts()
    want = whole.issues[columns].value_counts()
    book_wide = lambda t: t[t.index.get_level_values("client_id") != ""].sort_index()  # noqa: E731
    pd.testing.assert_series_equal(book_wide(got), book_wide(want))


def test_files_and_rows_of_parts_are_told(tmp_path: Path) -> None:
    for advisor in ("RM-1", "RM-2"):
        folder = tmp_path / "book" / "holdings" / f"advisor={advisor}"
        folder.mkdir(parents=True)
        frame = pd.DataFrame(
            {"client_id": ["A", "B"], "name": ["x", "y"], "asset_class": "deposit", "value": ["1", "no"]}
        )
        frame.to_parquet(folder / "part-0.parquet", index=False)
    (tmp_path / "book" / "holdings" / "_SUCCESS").write_bytes(b"")
    books = parts_of(tmp_path / "book", tmp_path / "w", 1)
    issues = pd.concat([b.issues for b in books])
    bad = issues[issues["code"] == "not_a_number"]
    assert bad["file"].tolist() == [f"holdings/advisor=RM-{i}/part-0.parquet" for i in (1, 2)]
    assert bad["row"].tolist() == [3, 3]
    assert [b.clients["client_id"].tolist() for b in books] == [["A"], ["B"]]


def test_parts_with_other_columns_and_kinds(tmp_path: Path) -> None:
    """Ids as numbers here and as text there, Chinese headers in one part, a column that another one lacks."""
    folder = tmp_path / "holdings"
    folder.mkdir()
    one = {"client_id": [1234567890123456789, 2], "name": ["x", "y"], "asset_class": "deposit", "value": [1.5, 2.0]}
    two = {
        "客户号": ["2", "3"],
        "名称": ["z", "z"],
        "资产类别": "deposit",
        "市值": ["3", "4"],
        "own_company": ["yes", "no"],
    }
    pd.DataFrame(one).to_parquet(folder / "1.parquet", index=False)
    pd.DataFrame(two).to_parquet(folder / "2.parquet", index=False)
    books = parts_of(folder, tmp_path / "w", 2)
    got = pd.concat([b.holdings for b in books])
    assert got["client_id"].tolist() == ["1234567890123456789", "2", "2", "3"]
    assert got["value"].tolist() == [1.5, 2.0, 3.0, 4.0]
    assert got["own_company"].tolist() == [False, False, True, False]
    assert all("holdings.own_company" in b.given for b in books)


def test_overrides_for_everybody_count_once(tmp_path: Path) -> None:
    overrides = pd.DataFrame(
        {"client_id": ["*", "C001"], "asset_id": ["A01", "A02"], "asset_class": ["gold", "deposit"]}
    )
    kept = split(find(SAMPLE, more={"overrides": overrides}), tmp_path, 5)
    books = [build_book(read_all(tmp_path, kept, p)) for p in range(kept.partitions)]
    assert [len(b.overrides) for b in books] == [2, 1, 1, 1, 1]
    assert kept.tables["overrides"].shared == {"read": 1, "used": 1, "set_aside": 0, "ignored": 0}


def test_mixed_cells_of_a_frame(tmp_path: Path) -> None:
    """A frame with numbers, texts and dates in one column; an id that has lost its digits is said once."""
    frame = pd.DataFrame(
        {
            "client_id": [1, "2", 1e18, None],
            "name": ["a", "b", "c", "d"],
            "asset_class": ["deposit"] * 4,
            "value": [1, "2", 3.5, "x"],
            "locked_until": [dt.date(2030, 1, 1), "2031-01-01", None, np.nan],
        },
        dtype=object,
    )
    whole, books = read_book(frame), parts_of(frame, tmp_path, 1)
    codes = lambda t: sorted(zip(t["row"], t["code"], t["value"], strict=True))  # noqa: E731
    assert codes(pd.concat([b.issues for b in books])) == codes(whole.issues)
    got = pd.concat([b.holdings for b in books]).sort_values("row").reset_index(drop=True)
    pd.testing.assert_frame_equal(got, whole.holdings, check_dtype=False)


def test_books_of_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    frame = pd.read_csv(SAMPLE / "holdings.csv", dtype=str, keep_default_na=False)
    with sqlite3.connect(tmp_path / "bank.db") as bank:
        frame.to_sql("holdings", bank, index=False)
    bank.close()
    whole = read_book(url, holdings="holdings")
    books = parts_of(url, tmp_path / "w", 5, holdings="holdings")
    assert len(books) == 5
    got = pd.concat([b.holdings for b in books], ignore_index=True).sort_values("row").reset_index(drop=True)
    pd.testing.assert_frame_equal(got, whole.holdings, check_dtype=False)


def test_nothing_to_split(tmp_path: Path) -> None:
    (tmp_path / "holdings").mkdir()
    with pytest.raises(InputError, match="parts of holdings"):
        find(tmp_path)
    empty = pa.table({c: pa.array([], pa.string()) for c in ("client_id", "name", "asset_class", "value")})
    pq.write_table(empty, tmp_path / "holdings" / "p.parquet")
    with pytest.raises(InputError, match="no rows"):
        split(find(tmp_path), tmp_path / "w", 5)
    pq.write_table(empty.drop_columns("value"), tmp_path / "holdings" / "p.parquet")
    with pytest.raises(InputError, match="no column 'value'"):
        split(find(tmp_path), tmp_path / "w", 5)
    with pytest.raises(InputError, match="unknown table"):
        find(SAMPLE, more={"fun": SAMPLE})
    with pytest.raises(ConfigError, match="unknown format"):
        find(SAMPLE / "holdings.csv", Intake("fun"))


# ---- what is said about a whole file holds in every partition

TITLED = """某银行,,,
单位：万元,,,
客户号,资产名称,资产类别,市值
001,a,黄金,12
002,b,黄金,3.5
003,b,黄金,3
合计,,,18.5
"""


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_units_of_titles_and_totals_of_files_hold_for_every_partition(tmp_path: Path, size: int) -> None:
    """A total is compared with all rows above it, and a title's unit is not lost on the way."""
    path = tmp_path / "titled.csv"
    path.write_text(TITLED, "utf-8")
    whole, books = read_book(path), parts_of(path, tmp_path / "w", size)
    assert list(whole.holdings["value"]) == [120_000.0, 35_000.0, 30_000.0]
    same_as_whole(books, whole)
    assert [c for b in books for c in b.conversions["what"]].count("totals") == 1
    total = pd.concat([b.counts for b in books]).query("table == 'holdings'")[["read", "used", "ignored"]].sum()
    assert total.to_dict() == {"read": 6, "used": 3, "ignored": 3}
    path.write_text(TITLED.replace("18.5", "19"), "utf-8")
    books = parts_of(path, tmp_path / "x", size)
    assert [c for b in books for c in b.issues["code"]].count("total_mismatch") == 1


def test_parts_that_state_other_units_are_refused(tmp_path: Path) -> None:
    """Under one header they would be read alike, and half of them wrong by a factor of ten thousand."""
    folder = tmp_path / "holdings"
    folder.mkdir()
    (folder / "1.csv").write_text("客户号,资产名称,资产类别,市值(万元)\n1,a,黄金,12\n", "utf-8")
    (folder / "2.csv").write_text("客户号,资产名称,资产类别,市值(元)\n2,a,黄金,12\n", "utf-8")
    with pytest.raises(InputError, match="another unit"):
        parts_of(folder, tmp_path / "w", 5)
    (folder / "2.csv").write_text("客户号,资产名称,资产类别,金额（万元）\n2,a,黄金,12\n", "utf-8")
    assert [b.holdings["value"].sum() for b in parts_of(folder, tmp_path / "x", 5)] == [240_000.0]


def test_a_mapping_holds_for_every_part(tmp_path: Path) -> None:
    folder = tmp_path / "holdings"
    folder.mkdir()
    for i in (1, 2):
        (folder / f"{i}.csv").write_text(f"client_id,name,asset_class,净额,市值\n{i},a,gold,1.25,9\n", "utf-8")
    mapping = tmp_path / "m.toml"
    mapping.write_text('[columns.holdings]\n"净额" = { column = "value", unit = "万" }\n', "utf-8")
    kept = split(find(folder, Intake(mapping=mapping)), tmp_path / "w", 1)
    books = [build_book(read_all(tmp_path / "w", Kept.from_json(kept.to_json()), p)) for p in range(2)]
    assert [b.holdings["value"].sum() for b in books] == [12_500.0, 12_500.0]
    assert {h for b in books for h in b.conversions["header"]} >= {"净额"}
