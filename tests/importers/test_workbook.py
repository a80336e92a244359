"""Workbooks: types, broken cells, and files made to do harm."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter
from workbooks import SHEET, edited

from allocator.book import read_book
from allocator.errors import InputError

HEAD = ["客户号", "资产编号", "名称", "资产类别", "市值", "日期", "风险等级"]
GOOD = ["c1", "g", "金条", "gold", 100.5, None, 3]
FORMULA = tuple[str, object]


def workbook(path: Path, more: Callable[[Any], None] | None = None, **sheets: list[list[object]]) -> Path:
    book = xlsxwriter.Workbook(path)
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if isinstance(cell, tuple):
                    sheet.write_formula(i, j, cell[0], None, cell[1])
                elif isinstance(cell, dt.date):
                    sheet.write_datetime(i, j, dt.datetime(cell.year, cell.month, cell.day), day)
                elif cell is not None:
                    sheet.write(i, j, cell)
        if more is not None:
            more(sheet)
    book.close()
    return path


def test_sheets_in_chinese_with_every_type(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "book.xlsx",
        持仓=[
            HEAD,
            [100, 1.0, "存款", "deposit", 0.1, dt.date(2026, 1, 2), 2],
            ["00123", "b", "金", "gold", "1,234.5", 46346, 3.0],
            ["x", "c", "债", "bond", 5, 20260102, None],
        ],
        客户=[["客户号", "年龄", "风险类型"], [100, 55, "稳健型"]],
        负债=[["客户号", "金额"], ["x", 7]],
        产品=[],
        说明=[["x"]],
    )
    book = read_book(path)
    assert list(book.holdings["client_id"]) == ["100", "00123", "x"]
    assert list(book.holdings["asset_id"]) == ["1", "b", "c"]
    assert list(book.holdings["value"]) == [0.1, 1234.5, 5.0]
    assert list(book.holdings["as_of"]) == [pd.Timestamp(d) for d in ("2026-01-02", "2026-11-20", "2026-01-02")]
    assert (book.clients["age"].iloc[0], book.debts["value"].item(), len(book.products)) == (55.0, 7.0, 0)
    assert book.issues[["code", "column"]].to_numpy().tolist() == [["unknown_sheet", "说明"]]


def test_header_may_start_anywhere_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "b.xlsx",
        随便=[[], [], [None, None, *HEAD], [None, None, *GOOD], [], [None, None, *GOOD[:1], "h", *GOOD[2:]]],
    )
    book = read_book(path)
    assert list(book.holdings["row"]) == [4, 6]
    assert list(book.counts.iloc[0])[2:] == [3, 2, 0, 1]


def test_broken_cells_are_named_and_never_blank(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        HEAD,
        ["a", "1", "n", "gold", ("=1/0", "#DIV/0!"), None, None],
        ["b", "1", "n", "gold", ("=1+1", ""), None, None],
        ["c", "1", "n", "gold", ("=1+1", 2), None, ("=NA()", "#N/A")],
        ["d", "1", "n", "gold", 4, ("=TODAY()", ""), None],
        [6222021234567890123, "1", "n", "gold", 5, None, None],
        [("=A2", ""), ("=B2", ""), None, None, None, None, None],
    ]
    book = read_book(workbook(tmp_path / "b.xlsx", holdings=rows))
    assert list(book.holdings["client_id"]) == ["c", "d"]
    found = book.issues[["client_id", "row", "column", "code", "value", "mend"]].to_numpy().tolist()
    assert sorted(found, key=lambda f: (f[1], f[2])) == [
        ["a", 2, "value", "formula_error", "#DIV/0!", "holdings!E2"],
        ["b", 3, "value", "formula_without_value", "", "holdings!E3"],
        ["c", 4, "product_risk", "formula_error", "#N/A", "holdings!G4"],
        ["d", 5, "as_of", "formula_without_value", "", "holdings!F5"],
        ["", 6, "client_id", "id_precision", "6.22202123456789e+18", "text"],
        ["", 7, "asset_id", "formula_without_value", "", "holdings!B7"],
        ["", 7, "client_id", "formula_without_value", "", "holdings!A7"],
        ["", 7, "value", "missing_value", "", "value"],
    ]
    assert set(book.issues["severity"]) == {"error"}
    assert list(book.counts.iloc[0])[2:] == [6, 2, 4, 0]


def test_a_formula_that_gives_empty_text_is_an_empty_cell(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", h=[HEAD, [*GOOD[:5], ("=X1", "x"), 3]])
    path = edited(path, SHEET, lambda x: x.replace(b"<v>x</v>", b"<v></v>"))
    book = read_book(path)
    assert (len(book.holdings), len(book.issues)) == (1, 0)


def test_old_mac_serials(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", h=[HEAD, [*GOOD[:5], 44884, 3]])
    path = edited(path, "xl/workbook.xml", lambda x: x.replace(b"<workbookPr", b'<workbookPr date1904="1"'))
    assert read_book(path).holdings["as_of"].item() == pd.Timestamp("2026-11-20")


@pytest.mark.parametrize(
    "change",
    [
        lambda x: re.sub(rb' r="[A-Z]+\d+"', b"", x),  # cells without an address
        lambda x: re.sub(rb"<(/?)(?=[a-z])", rb"<\1x:", x).replace(b"xmlns=", b"xmlns:x="),  # a prefix on every element
    ],
)
def test_other_dialects_of_the_format(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = workbook(
        tmp_path / "b.xlsx",
        h=[
            HEAD,
            [("=1", "#N/A"), "g", "n", "gold", 1, 46346, 3],
            ["c2", "g", "n", "gold", ("=1/0", "#DIV/0!"), 46346, 3],
        ],
    )
    book = read_book(edited(path, SHEET, change))
    assert sorted(zip(book.issues["row"], book.issues["column"], book.issues["mend"], strict=True)) == [
        (2, "client_id", "h!A2"),
        (3, "value", "h!E3"),
    ]


@pytest.mark.parametrize(
    ("sheets", "words"),
    [
        ({"Sheet1": []}, ["holdings is empty"]),
        ({"a": [["x"]], "b": [["y"]]}, ["none of its 2 sheets", "holdings"]),
        ({"持仓": [HEAD], "holdings": [HEAD]}, ["'持仓' and 'holdings'"]),
        ({"h": [HEAD]}, ["no rows"]),
        ({"h": [["x", "y"], [1, 2]]}, ["no header row"]),
        ({"客户": [["客户号"], ["c"]]}, ["holdings"]),
    ],
)
def test_workbooks_without_holdings(tmp_path: Path, sheets: dict[str, list[list[object]]], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read_book(workbook(tmp_path / "b.xlsx", **sheets))
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"<html><table>", "web page"),
        (b"\xd0\xcf\x11\xe0" + b"0" * 99, "old .xls"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"a,b\n1,2\n", "not a whole"),
    ],
)
def test_other_files_under_the_name_of_a_workbook(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"b\.xlsx: .*{word}"):
        read_book(path)


def test_a_cut_workbook_and_one_of_nonsense(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", h=[HEAD, GOOD])
    (tmp_path / "cut.xlsx").write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="not a whole"):
        read_book(tmp_path / "cut.xlsx")
    for part, change in (
        (SHEET, lambda x: x[: len(x) // 2]),
        ("xl/workbook.xml", lambda _: b"zz"),
        ("xl/_rels/workbook.xml.rels", lambda x: x.replace(b"sheet1", b"sheet9")),
    ):
        with pytest.raises(InputError, match="damaged"):
            read_book(edited(path, part, change))


def test_cells_far_out_are_refused_before_they_take_all_memory(tmp_path: Path) -> None:
    path = workbook(tmp_path / "b.xlsx", lambda sheet: sheet.write(1048575, 16383, "x"), h=[HEAD, GOOD])
    with pytest.raises(InputError, match="row 1048576, column 16384"):
        read_book(path)


def test_a_tall_sheet_of_real_rows_is_fine(tmp_path: Path) -> None:
    rows = [HEAD, *([f"c{i}", *GOOD[1:]] for i in range(3000))]
    path = workbook(tmp_path / "b.xlsx", lambda sheet: sheet.set_row(1048575, 30), h=rows)
    assert len(read_book(path).holdings) == 3000


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "b.xlsx", h=[HEAD, GOOD])
    entity = edited(path, SHEET, lambda x: x.replace(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet', 1))
    with pytest.raises(InputError, match="entities"):
        read_book(entity)
    monkeypatch.setattr("allocator.importers.xlsx_scan.MAX_UNPACKED", 1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        read_book(edited(path, SHEET, lambda x: x + b" " * (2 << 20)))
