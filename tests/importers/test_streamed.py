"""A large file in pieces gives what the whole file gives."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import SAMPLE
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from allocator.conversions import stack
from allocator.errors import InputError
from allocator.importers import streamed
from allocator.importers.streamed import pieces
from allocator.importers.tables import read_one
from allocator.issues import concat
from allocator.validate import RawTable


def together(path: Path, scratch: Path, piece: int = 700) -> tuple[pd.DataFrame, list[int], list[RawTable]]:
    found = list(pieces(path, "holdings", scratch, small=0, piece=piece))
    rows = [int(r) for raw in found for r in (raw.rows if raw.rows is not None else raw.first_row + raw.frame.index)]
    return pd.concat([raw.frame for raw in found], ignore_index=True), rows, found


def same(path: Path, scratch: Path, piece: int = 700) -> None:
    whole = read_one(path, "holdings")
    frame, rows, found = together(path, scratch, piece)
    pd.testing.assert_frame_equal(frame, whole.frame.reset_index(drop=True), check_dtype=False)
    want = whole.rows if whole.rows is not None else range(2, len(whole.frame) + 2)
    assert rows == list(want)
    assert sum(r.lost for r in found) == whole.lost
    assert sum(r.ignored for r in found) == whole.ignored
    pd.testing.assert_frame_equal(concat([r.issues for r in found]), whole.issues)
    pd.testing.assert_frame_equal(stack([r.conversions for r in found]), whole.conversions)
    assert all(r.ways == whole.ways for r in found[:-1])
    assert not list(scratch.glob("*")), "a copy was left"


HEAD = "client_id,name,asset_class,value\n"
CELL = st.sampled_from(["a", "王", '"x, y"', '"line\nbreak"', '""', "", '"say ""so"""'])
LINE = st.lists(CELL, min_size=1, max_size=6).map(",".join)


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(lines=st.lists(st.one_of(LINE, st.just(",,,"), st.just("a,b,c,1")), min_size=8, max_size=60), end=st.booleans())
def test_any_lines(tmp_path_factory: Any, lines: list[str], end: bool) -> None:
    folder = tmp_path_factory.mktemp("csv")
    path = folder / "holdings.csv"
    path.write_bytes((HEAD + "\n".join(lines) + "\n" * end).encode())
    try:
        read_one(path, "holdings")
    except InputError:
        with pytest.raises(InputError):
            together(path, folder / "scratch", 150)
        return
    same(path, folder / "scratch", 150)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = (SAMPLE / "holdings.csv").read_text("utf-8").encode(encoding)
    path = tmp_path / ("holdings.csv.gz" if packed else "holdings.csv")
    path.write_bytes(gzip.compress(data) if packed else data)
    same(path, tmp_path / "scratch", 4000)


def test_preamble_and_separator(tmp_path: Path) -> None:
    text = (SAMPLE / "holdings.csv").read_text("utf-8")
    path = tmp_path / "holdings.csv"
    path.write_text("\n\nsep=;\n" + text.replace(",", ";"), "utf-8")
    same(path, tmp_path / "scratch", 4000)


TITLES = (
    "某某银行私人银行部,,,,\n截至2026年9月30日,,,,单位：万元\n,,,,\n",
    "Report\n\nUnit: CNY k\n",
    "单位：元,,,,\n",
)


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("below", ["", "单位：万元,,,,\n", "单位：万元\n", ",,,(万元),\n"])
def test_titles_and_units(tmp_path: Path, title: str, encoding: str, below: str) -> None:
    """Rows above the header, the unit that they state, and one below it hold for every piece."""
    rows = [f'C{i:03d},"基金, {i}号",股票基金,{i}.25,人民币' for i in range(40)]
    notes = ["C007,少一格", "合计,780.00", "注：以上数据仅供参考,,,,", ",,,,", "制表：王"]
    head = "客户号,资产名称,资产类别,市值,币种\n"
    path = tmp_path / "holdings.csv"
    if "单位" in below and "万元" not in title:
        below = ""  # two units that differ are refused, see test_remarks
    path.write_bytes((title + head + below + "\n".join(rows[:20] + notes + rows[20:]) + "\n").encode(encoding))
    same(path, tmp_path / "scratch", 300)


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.read_csv(SAMPLE / "holdings.csv", dtype={"client_id": "category"})
    path = tmp_path / "holdings.parquet"
    frame.to_parquet(path, index=False)
    monkeypatch.setattr(streamed, "ROWS", 50)
    same(path, tmp_path / "scratch")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda b: b.replace(b"C012", b"C0\x0012"), "NUL byte"),
        (lambda b: b[:9000] + b"\xff" + b[9000:], "broken UTF-8"),
        (lambda b: b[:9000] + b'\nC1,"open,deposit,5\n' + b[9000:], "quote"),
        (lambda b: b"PAR1" + b, "Parquet file"),
    ],
)
def test_what_is_refused_whole_is_refused_in_pieces(tmp_path: Path, spoil: Any, told: str) -> None:
    path = tmp_path / "holdings.csv"
    path.write_bytes(spoil((SAMPLE / "holdings.csv").read_bytes()))
    with pytest.raises(InputError, match=told):
        read_one(path, "holdings")
    with pytest.raises(InputError):
        together(path, tmp_path / "scratch", 4000)
    assert not list((tmp_path / "scratch").glob("*"))
