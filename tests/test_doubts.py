"""What can be read in two ways is named and asks for the mapping; what cannot is left in peace."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from allocator.book import Book, read_book
from allocator.cli import main
from allocator.errors import InputError
from allocator.i18n import LANGUAGES, words
from allocator.importers.mapping import load_mapping

HEAD = ("client_id", "name", "asset_class")


def made(column: str, cells: list[str], **more: list[str]) -> pd.DataFrame:
    count = len(cells)
    plain = {"client_id": "a", "name": [f"n{i}" for i in range(count)], "asset_class": "gold"}
    values = {} if column in ("value", "市值(万元)") else {"value": ["1.5"] * count}
    return pd.DataFrame({**plain, **values, column: cells, **more}, dtype="str")


def doubtful(book: Book) -> set[str]:
    return set(book.conversions.loc[book.conversions["doubtful"], "what"])


def warned(book: Book) -> set[str]:
    return set(book.issues.loc[book.issues["severity"] == "warning", "code"])


@pytest.mark.parametrize(
    ("column", "cells", "what"),
    [
        ("value", ["1,234", "12,345", "7"], "thousands_or_decimals"),
        ("quantity", ["1,234", "12,345"], "thousands_or_decimals"),
        ("value", ["1.234", "12.500", "7"], "decimals_or_thousands"),
        ("可售比例(%)", ["0.25", "1"], "percent_or_fraction"),
    ],
)
def test_read_the_likelier_way_with_a_warning(column: str, cells: list[str], what: str) -> None:
    book = read_book(made(column, cells))
    assert doubtful(book) == {what}
    assert warned(book) == {{"percent_or_fraction": "small_percents"}.get(what, what)}
    assert len(book.holdings) == len(cells)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("value", ["1,234", "1,234,567"]),
        ("value", ["1,234", "7.50"]),
        ("value", ["350,000", "12,000"]),
        ("value", ["1.234", "1.5"]),
        ("value", ["1.234", "12345.678"]),
        ("quantity", ["1.234", "12.345"]),
        ("市值(万元)", ["1.234", "12.345"]),
        ("可售比例(%)", ["25", "1"]),
        ("可售比例(%)", ["25%", "1%"]),
        ("sellable", ["0.25", "1"]),
        ("locked_until", ["2026/1/2", "20260102"]),
    ],
)
def test_what_is_proved_is_no_doubt(column: str, cells: list[str]) -> None:
    book = read_book(made(column, cells))
    assert (doubtful(book), warned(book)) == (set(), set())


@pytest.mark.parametrize(
    ("column", "cells", "what", "code"),
    [
        ("locked_until", ["01/02/2026", "2026-01-01"], "date_order", "bad_date"),
        ("sellable", ["25", "0.5"], "percent_or_fraction", "out_of_range"),
        ("value", ["1.234,5", "2"], "decimal_comma", "not_a_number"),
        ("市值(万元)", ["12万", "2"], "unit_twice", "unit_twice"),
    ],
)
def test_refused_cells_are_listed_and_the_mapping_file_offers_the_choice(
    tmp_path: Path, column: str, cells: list[str], what: str, code: str
) -> None:
    path, mapping = tmp_path / "a.csv", tmp_path / "m.toml"
    made(column, cells).to_csv(path, index=False)
    book = read_book(path)
    row = book.conversions[book.conversions["doubtful"]]
    assert (row["what"].tolist(), row["count"].tolist()) == ([what], [1])
    assert code in set(book.issues.loc[book.issues["severity"] == "error", "code"])
    main(["import", str(path), "--learn", str(mapping)])
    text = mapping.read_text("utf-8")
    offered = [line for line in text.splitlines() if line.startswith(f'# ? "{column}"')]
    assert len(offered) >= 2
    for line in offered:  # each of them, taken alone, is a mapping that can be read
        mapping.write_text(text.replace(line, line.removeprefix("# ? ")), "utf-8")
        load_mapping(mapping)
        settled = read_book(path, mapping=mapping)
        assert what not in doubtful(settled)


def test_a_total_told_by_its_sum_is_in_doubt() -> None:
    frame = made("value", ["1", "2", "3"]).assign(name=["a", "b", "合计"])
    book = read_book(frame)
    assert len(book.holdings) == 2
    assert "total_by_sum" in doubtful(book)
    assert "total_by_sum" in warned(book)


def test_a_currency_filled_from_the_header_is_in_doubt(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("client_id,name,asset_class,Value (CNY k),currency\na,x,gold,1.5,CNY\na,y,gold,2.5,\n", "utf-8")
    book = read_book(path)
    assert (doubtful(book), warned(book)) == ({"currency_header"}, {"currency_filled"})
    path.write_text("client_id,name,asset_class,Value (CNY k)\na,x,gold,1.5\na,y,gold,2.5\n", "utf-8")
    assert not doubtful(read_book(path))


def test_columns_that_are_left_out_are_listed() -> None:
    found = read_book(made("value", ["1", "2"], memo=["x", ""], sellabel=["1", ""])).conversions
    left = found[found["what"] == "ignored_column"].set_index("header")
    assert left["count"].to_dict() == {"memo": 1, "sellabel": 1}
    assert left["doubtful"].to_dict() == {"memo": False, "sellabel": True}


# ---- next month's file


def test_a_renamed_column_is_said(tmp_path: Path) -> None:
    """Columns that moved do not matter; one that has another name does, and is named."""
    mapping, path = tmp_path / "m.toml", tmp_path / "b.csv"
    mapping.write_text(
        '[columns.holdings]\n"客户" = "client_id"\n"品名" = "name"\n"大类" = "asset_class"\n'
        '"期末净额" = { column = "value", unit = "万" }\n"到期" = "locked_until"\n"内部码" = ""\n',
        "utf-8",
    )
    path.write_text("期末净额,到期,客户,大类,品名\n1.5,2027-01-01,a,gold,x\n", "utf-8")
    book = read_book(path, mapping=mapping)
    assert book.holdings["value"].tolist() == [15_000.0]
    assert not len(book.issues)
    path.write_text("期末净额,到期日期,客户,大类,品名\n1.5,2027-01-01,a,gold,x\n", "utf-8")
    found = read_book(path, mapping=mapping).issues.set_index("code")
    assert found.loc["mapping_absent", ["value", "mend", "severity"]].tolist() == ["到期", "到期日期", "warning"]
    path.write_text("期末净值,到期,客户,大类,品名\n1.5,2027-01-01,a,gold,x\n", "utf-8")
    with pytest.raises(InputError, match=r"'期末净额'.*'期末净值' looks like it.*--learn"):
        read_book(path, mapping=mapping)


def test_a_mapping_can_be_learnt_through_a_mapping(tmp_path: Path) -> None:
    one, two, path = tmp_path / "m.toml", tmp_path / "n.toml", tmp_path / "b.csv"
    one.write_text('[columns.holdings]\n"净额" = { column = "value", unit = "万" }\n', "utf-8")
    path.write_text("client_id,name,asset_class,净额\na,x,gold,1.5\n", "utf-8")
    assert main(["import", str(path), "--mapping", str(one), "--learn", str(two)]) == 0
    assert read_book(path, mapping=two).holdings["value"].tolist() == [15_000.0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_conversion_has_words(lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    made("value", ["1,234", "2,345"], 备注=["x", "y"]).to_csv(path, index=False, sep=";")
    assert main(["import", str(path), "--lang", lang]) == 0
    out = capsys.readouterr().out
    said = words(lang)
    for key in ("conversion.thousands_or_decimals", "conversion.ignored_column", "intake.doubts"):
        assert said.text(key) in out
    assert said.text("issue.thousands_or_decimals")[5:40] in out
    assert "looks_like" not in out
    assert "thousands_or_decimals" not in out


def test_a_sheet_of_the_mapping_that_is_not_there_is_said(tmp_path: Path) -> None:
    path, mapping = tmp_path / "b.xlsx", tmp_path / "m.toml"
    made("value", ["1", "2"]).to_excel(path, sheet_name="十月", index=False, engine="xlsxwriter")
    mapping.write_text('[sheets]\n"九月" = "holdings"\n"十月" = "holdings"\n', "utf-8")
    book = read_book(path, mapping=mapping)
    assert book.issues[["code", "value"]].to_numpy().tolist() == [["mapping_sheet", "九月"]]
    with pd.ExcelWriter(path, engine="xlsxwriter") as file:
        for name in ("十月", "十一月"):
            made("value", ["1", "2"]).to_excel(file, sheet_name=name, index=False)
    mapping.write_text('[sheets]\n"九月" = "holdings"\n', "utf-8")
    with pytest.raises(InputError, match=r"say in a mapping"):
        read_book(path, mapping=mapping)


def test_a_hidden_sheet_is_called_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "b.xlsx"
    with pd.ExcelWriter(path, engine="xlsxwriter") as file:
        made("value", ["1", "2"]).to_excel(file, sheet_name="持仓", index=False)
        made("value", ["1", "2"]).to_excel(file, sheet_name="旧表", index=False)
        file.sheets["旧表"].hide()
    assert main(["import", str(path), "--lang", "zh"]) == 0
    assert "b.xlsx 工作表“旧表”" in capsys.readouterr().out
