"""Lines among the rows that are no records, totals in all the places where they stand, amounts merged over rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xlsxwriter

import allocator as al
from allocator.book import Book
from allocator.importers.streamed import pieces
from allocator.remarks import is_note
from allocator.totals import is_total

HEAD = "客户号,名称,资产类别,市值\n"
WHOLE = {"client_id": ["x"], "name": ["x"], "asset_class": ["gold"], "value": [1.0]}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Book]:
    """Read a CSV file of this text."""

    def made(text: str, encoding: str = "utf-8") -> Book:
        path = tmp_path / "持仓.csv"
        path.write_bytes(text.encode(encoding))
        return al.read_book(path)

    return made


def workbook(path: Path, fill: Callable[[Any], None]) -> Path:
    made = xlsxwriter.Workbook(path)
    fill(made)
    made.close()
    return path


def codes(book: Book) -> dict[str, list[int]]:
    return {str(code): sorted(part["row"]) for code, part in book.issues.groupby("code")}


def placed(book: Book) -> None:
    """Every row is in one place."""
    c = book.counts
    assert (c["read"] == c["used"] + c["set_aside"] + c["ignored"]).all()


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("commas", ["", ",,,"])
def test_a_unit_below_the_header_holds_for_all_amounts(read: Callable[..., Book], encoding: str, commas: str) -> None:
    for title in ("", "某某银行私人银行部\n持仓报告\n\n"):
        book = read(
            f"{title}{HEAD}单位：万元{commas}\nC1,活期,活期存款,12.3456\nC1,黄金,黄金,1.1\nC1 小计,,,13.4456\n"
            f"C2,活期,活期存款,2\n合计,,,15.4456\n注：以上数据仅供参考{commas}\n制表人：某某{commas}\n",
            encoding,
        )
        assert book.holdings["value"].tolist() == [123456.0, 11000.0, 20000.0]
        assert book.client_ids == ["C1", "C2"]  # neither a note nor a total is somebody
        assert not book.issues["severity"].isin(["error", "warning"]).any()
        found = codes(book)
        assert (len(found["unit_row"]), len(found["total_row"]), len(found["note_row"])) == (1, 2, 2)
        assert book.counts["ignored"].item() == 5 + (2 if title else 0)
        placed(book)


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_a_unit_in_brackets_below_its_header_holds_for_its_column(tmp_path: Path, comma: str) -> None:
    """Found by fuzzing: in CSV it was set aside as a row, and the amounts were taken as yuan."""
    path = tmp_path / "持仓.csv"
    path.write_text(f"{HEAD},,,（万元）\nC1,活期,活期存款,12.3456\n合计,,,12.3456\n".replace(",", comma), "utf-8")
    book = al.read_book(path)
    assert book.holdings["value"].tolist() == [123456.0]
    assert book.holdings["row"].tolist() == [3]
    assert not book.counts["set_aside"].any()
    placed(book)
    part = next(p for p in pieces(path, "holdings", tmp_path, small=0) if len(p.frame))
    assert al.read_book({"holdings": part}).holdings["value"].tolist() == [123456.0]


@pytest.mark.parametrize("commas", ["", ",,,"])
def test_a_unit_that_stands_too_late_is_refused(read: Callable[..., Book], commas: str) -> None:
    with pytest.raises(al.InputError, match="row 3 states a unit"):
        read(f"{HEAD}C1,黄金,黄金,1.1\n单位：万元{commas}\n")


@pytest.mark.parametrize("commas", ["", ",,,"])
@pytest.mark.parametrize("row", [1, 3])
def test_a_unit_below_the_header_holds_for_every_piece_and_one_further_down_is_refused(
    tmp_path: Path, commas: str, row: int
) -> None:
    lines = [HEAD.strip(), "C1,黄金,黄金,1.1", "C2,黄金,黄金,2.2", "C3,黄金,黄金,3.3"]
    lines.insert(row, f"单位：万元{commas}")
    path = tmp_path / "持仓.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")

    def read(**more: int) -> list[float]:
        parts = [p for p in pieces(path, "holdings", tmp_path, **more) if len(p.frame)]
        return [float(v) for p in parts for v in al.read_book({"holdings": p}).holdings["value"]]

    for sizes in ({"small": 0, "piece": 48}, {}):
        if row == 1:
            assert read(**sizes) == [11000.0, 22000.0, 33000.0]
        else:
            with pytest.raises(al.InputError, match=f"row {row + 1} states a unit"):
                read(**sizes)


@pytest.mark.parametrize("commas", ["", ",,,"])
def test_two_units_that_cannot_both_be_right_are_refused(read: Callable[..., Book], commas: str) -> None:
    assert read(f"单位：万元\n{HEAD}单位：万元{commas}\nC1,黄金,黄金,1.1\n").holdings["value"].tolist() == [11000.0]
    with pytest.raises(al.InputError, match="row 3 states a unit"):
        read(f"单位：元\n{HEAD}单位：万元{commas}\nC1,黄金,黄金,1.1\n")


def test_notes_are_told_alike_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "持仓.csv"
    path.write_text(f"{HEAD}C1,黄金,黄金,1.1\nC2,黄金,黄金,2.2\n制表人：某某\n", "utf-8")
    parts = list(pieces(path, "holdings", tmp_path, small=0, piece=48))
    assert sum(len(p.frame) for p in parts) == 2
    assert (sum(p.lost for p in parts), sum(p.ignored for p in parts)) == (0, 1)
    assert [c for p in parts for c in p.issues["code"]] == ["note_row"]


def test_a_mapping_settles_a_unit_that_stands_too_late(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"客户号": ["C1", "单位：万元"], "名称": ["黄金", ""], "资产类别": ["黄金", ""], "市值": ["1.1", ""]}
    )
    with pytest.raises(al.InputError, match="states a unit"):
        al.read_book(frame)
    path = tmp_path / "mapping.toml"
    path.write_text('[columns.holdings]\n"市值" = { column = "value", unit = "万元" }\n', "utf-8")
    assert al.read_book(frame, mapping=path).holdings["value"].tolist() == [11000.0]


@pytest.mark.parametrize(
    "total",
    [
        "C1,小计,黄金,3.30",
        "C1,黄金小计,黄金,3.30",
        "C1,合计,—,3.30",
        "C1 小计,,,3.30",
        "C1,2026年 小计,,3.30",
        "C1,Subtotal,gold,3.30",
        "C1,Grand Total:,gold,3.30",
    ],
)
def test_a_total_is_not_counted_twice_wherever_it_stands(read: Callable[..., Book], total: str) -> None:
    book = read(f"{HEAD}C1,a,黄金,1.10\nC1,b,黄金,2.20\n{total}\nC2,a,黄金,5\n")
    assert book.holdings["value"].sum() == pytest.approx(8.30)
    found = codes(book)
    assert found.pop("total_by_sum", [4]) == [4]  # a row that has all a holding has is in doubt
    assert found == {"total_row": [4]}
    assert book.client_ids == ["C1", "C2"]
    placed(book)


def test_a_full_row_called_total_whose_value_is_no_sum_stays_with_a_warning(read: Callable[..., Book]) -> None:
    book = read(f"{HEAD}C1,a,黄金,1.10\nC1,b,黄金,2.20\nC1,Total,股票,7\nC2,小计,黄金,4\n")
    assert len(book.holdings) == 4
    assert codes(book) == {"looks_like_total": [4, 5]}
    # one row of the same value proves nothing in English, where a firm has the name
    same = read(f"{HEAD}C1,a,黄金,7\nC1,Total,股票,7\n")
    assert len(same.holdings) == 2
    assert codes(same) == {"looks_like_total": [3]}


def test_totals_of_totals_agree(read: Callable[..., Book]) -> None:
    text = f"{HEAD}C1,a,黄金,1\nC1,b,黄金,2\nC1,小计,,3\nC1,c,债券,4\nC1,小计,,4\nC1,合计,,7\nC2,a,黄金,5\nC2,合计,,5\n"
    assert codes(read(f"{text}总计,,,12\n")) == {"total_row": [4, 6, 7, 9, 10]}
    wrong = read(f"{text}总计,,,12.01\n")
    assert codes(wrong)["total_mismatch"] == [10]
    assert wrong.issues.loc[wrong.issues["code"] == "total_mismatch", "mend"].item() == "12.00"


def test_a_total_that_cannot_be_compared_says_why(read: Callable[..., Book]) -> None:
    head = "客户号,名称,资产类别,市值,币种\n"
    book = read(f"{head}C1,a,黄金,1,CNY\nC1,小计,,1,\nC1,b,黄金,2,USD\n合计,,,3,\n总计,,,,\n")
    assert codes(book) == {"total_row": [3, 5, 6], "total_not_compared": [5], "total_unread": [6]}


def test_many_totals_take_no_longer_per_row() -> None:
    clients = 20_000
    ids = np.repeat([f"C{i}" for i in range(clients)], 3)
    frame = pd.DataFrame(
        {
            "client_id": ids,
            "name": np.tile(["a", "b", "小计"], clients),
            "asset_class": np.tile(["gold", "gold", ""], clients),
            "value": np.tile([1.5, 2.5, 4.0], clients),
        }
    )
    book = al.read_book(frame)
    assert len(book.holdings) == 2 * clients
    assert book.counts["ignored"].item() == clients
    assert set(book.issues["code"]) == {"total_row"}


def test_an_amount_merged_over_rows_is_not_counted_for_each(tmp_path: Path) -> None:
    def fill(made: Any) -> None:
        sheet = made.add_worksheet("持仓")
        sheet.merge_range(0, 0, 0, 3, "客户持仓")
        sheet.write_row(1, 0, ["客户号", "名称", "资产类别", "市值(万元)"])
        sheet.merge_range(2, 0, 3, 0, "00123")
        sheet.write_row(2, 1, ["活期", "活期存款"])
        sheet.write_row(3, 1, ["黄金", "黄金"])
        sheet.merge_range(2, 3, 3, 3, 10.5)
        sheet.write_row(4, 0, ["C2", "房", "住宅", 300])
        sheet.write(5, 0, "合计")
        sheet.write_formula(5, 3, "=SUM(D3:D5)", None, 310.5)

    book = al.read_book(workbook(tmp_path / "持仓.xlsx", fill))
    assert book.holdings["value"].tolist() == [105000.0, 3000000.0]
    found = codes(book)
    assert found["missing_value"] == [4]
    assert found["merged_amount"] == [0]
    assert found["merged_cells"] == [0]
    assert "total_mismatch" not in found
    placed(book)


def test_a_hidden_sheet_of_holdings_is_named_as_such(tmp_path: Path) -> None:
    def fill(made: Any) -> None:
        made.add_worksheet("持仓").write_row(0, 0, ["客户号", "名称", "资产类别", "市值"])
        made.get_worksheet_by_name("持仓").hide()
        made.add_worksheet("x").activate()

    with pytest.raises(al.InputError, match="is hidden"):
        al.read_book(workbook(tmp_path / "a.xlsx", fill))


@pytest.mark.parametrize(
    "text",
    ["注：以上", "注1：含应计利息", "备注 无", "制表人：某", "第 1 页 共 2 页", "Source: custodian", "Page 1 of 2"],
)
def test_notes(text: str) -> None:
    assert is_note(text)


@pytest.mark.parametrize("text", ["注册资本基金", "Notes payable", "Sourcewell", "TotalEnergies", "合计划", "C1"])
def test_names_are_neither_notes_nor_totals(text: str) -> None:
    assert not is_note(text)
    assert not is_total(text)
