"""Files as people have them: encodings, delimiters, ragged rows, directories, Parquet."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from allocator.book import Book, read_book
from allocator.errors import InputError
from allocator.importers import BOOKS, FORMATS, recognise
from allocator.importers.delimited import parse
from allocator.importers.tables import SHEETS, table_of
from allocator.schema import TABLES

HEAD = "client_id,name,asset_class,value"
GOLDEN = """客户号,名称,资产类别,市值,币种,日期,锁定至,风险等级,可售比例,自有企业,备注
00123,工行活期,活期存款,"1,234,567.89",人民币,2026年11月20日,,R,,否,
00123,自有公司股权,企业股权,５００.５万,CNY,20261120,2030/1/2,5,0,是,创始人
00123,黄金,实物黄金,-3,CNY,2026-11-20,,1,,,
00456,房产（上海）,投资性房产,1.2亿,cny,2026-11-20,,3,25%,,
"""


def write(folder: Path, data: bytes | str, name: str = "book.csv") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def lines(*rows: str) -> str:
    return "\n".join((HEAD, *rows, ""))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-be-bom", "utf-32"])
def test_golden_chinese_file_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    data = b"\xfe\xff" + GOLDEN.encode("utf-16-be") if encoding == "utf-16-be-bom" else GOLDEN.encode(encoding)
    book = read_book(write(tmp_path, data))
    holdings = book.holdings
    assert list(holdings["client_id"]) == ["00123", "00123", "00456"]
    assert list(holdings["name"]) == ["工行活期", "自有公司股权", "房产（上海）"]
    assert list(holdings["asset_id"]) == ["工行活期", "自有公司股权", "房产(上海)"]
    assert list(holdings["value"]) == [1234567.89, 5005000.0, 120000000.0]
    assert set(holdings["currency"]) == {"CNY"}
    assert set(holdings["as_of"]) == {pd.Timestamp("2026-11-20")}
    assert holdings["locked_until"].iloc[1] == pd.Timestamp("2030-01-02")
    assert list(holdings["own_company"]) == [False, True, False]
    assert holdings["sellable"].iloc[2] == 0.25
    assert list(holdings["row"]) == [2, 3, 5]
    errors = book.issues[book.issues["severity"] == "error"]
    assert sorted(zip(errors["client_id"], errors["row"], errors["code"], errors["value"], strict=True)) == [
        ("00123", 2, "not_a_number", "R"),
        ("00123", 4, "negative_value", "-3"),
    ]
    infos = book.issues.loc[book.issues["severity"] == "info", "code"].value_counts()
    assert infos.to_dict() == {"unit_converted": 3, "currency_alias": 1, "unknown_column": 1} | (
        {"encoding": 1} if encoding in ("gb18030", "utf-32") else {}
    )


@pytest.mark.parametrize(
    "text",
    [
        lines("c1,Gold,gold,1", "c2,x,deposit,2"),
        lines("c1,Gold,gold,1", "c2,x,deposit,2").replace(",", ";"),
        lines("c1,Gold,gold,1", "c2,x,deposit,2").replace(",", "\t"),
        lines("c1,Gold,gold,1", "c2,x,deposit,2").replace("\n", "\r\n"),
        lines("c1,Gold,gold,1", "c2,x,deposit,2").replace("\n", "\r"),
        lines("c1,Gold,gold,1", "c2,x,deposit,2").rstrip(),
        lines('"c1","Gold","gold","1"', "c2,x,deposit,2"),
    ],
)
def test_delimiters_and_line_ends(tmp_path: Path, text: str) -> None:
    book = read_book(write(tmp_path, text))
    assert list(book.holdings["value"]) == [1.0, 2.0]
    assert list(book.holdings["row"]) == [2, 3]
    assert book.issues.empty


def test_rows_are_numbered_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    text = "\r\nsep=;\r\n" + lines(
        "c1;a;gold;1", "", "c2;a;gold", ";;;", 'c3;"two\nlines";gold;3', "c4;b;gold;4;5", "c5;c;gold;5"
    ).replace(",", ";").replace("\n", "\r\n")
    book = read_book(write(tmp_path, text))
    assert list(zip(book.holdings["client_id"], book.holdings["row"], strict=True)) == [
        ("c1", 4),
        ("c3", 8),
        ("c5", 10),
    ]
    found = book.issues[["client_id", "row", "code", "mend", "severity"]]
    assert found.to_numpy().tolist() == [
        ["c2", 6, "ragged_row", "4/3", "error"],
        ["c4", 9, "ragged_row", "4/5", "error"],
    ]
    assert book.counts[["read", "used", "set_aside", "ignored"]].to_numpy().tolist() == [[7, 3, 2, 2]]
    assert set(book.clients["client_id"]) == {"c1", "c2", "c3", "c4", "c5"}


def test_a_ragged_row_far_into_a_large_file_has_the_right_number(tmp_path: Path) -> None:
    rows = [f"c{i},a rather long name to fill the block,gold,{i + 1}" for i in range(60_000)]
    rows[50_000] = "c50000,short"
    book = read_book(write(tmp_path, lines(*rows)))
    assert book.issues[["row", "code", "client_id"]].to_numpy().tolist() == [[50_002, "ragged_row", "c50000"]]
    assert (book.holdings["row"] - 1 == book.holdings["value"]).all()


def test_quotes_that_hold(tmp_path: Path) -> None:
    book = read_book(write(tmp_path, lines('c1,"a ""b"", c",gold,1', 'c2,5" disk,gold,2', 'c3,"x\ny",gold,3')))
    assert list(book.holdings["name"]) == ['a "b", c', '5" disk', "x y"]


@pytest.mark.parametrize(
    "text",
    [
        lines('c1,"Gold,gold,1', "c2,x,gold,2"),
        lines('c1,"Gold,gold,1', 'c2,"Cash",gold,2', "c3,x,gold,3"),
    ],
)
def test_a_quote_that_swallows_rows_stops_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"quote.*line"):
        read_book(write(tmp_path, text))


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "a.csv", ["empty", "header"]),
        (b"\n \n", "a.csv", ["empty"]),
        (f"{HEAD}\n".encode(), "a.csv", ["no rows"]),
        (f"{HEAD}\n\n,,,\n".encode(), "a.csv", ["no rows"]),
        (f"{HEAD}\nc,a\0b,gold,1\n".encode(), "a.csv", ["line 2", "NUL"]),
        (
            f"{HEAD}\nc,黄金条和白银条,gold,1\nd,黄金,gold,1\n".encode().replace("白".encode(), b"\xff"),
            "a.csv",
            ["line 2", "UTF-8"],
        ),
        (HEAD.encode("utf-16") + b"\x00", "a.csv", ["broken", "utf-16"]),
        (f"{HEAD}\nc,\x81\x20,gold,1\n".encode("latin-1"), "a.csv", ["neither UTF-8 nor GB18030"]),
        (b"PK\x03\x04....", "a.csv", [".xlsx"]),
        (b"PAR1....", "a.csv", [".parquet"]),
        (b"x", "a.xls", [".xls", "save it as .xlsx"]),
        (b"x", "a.docx", [".docx", ".csv", ".parquet"]),
        (b"x", "plain", ["(none)"]),
        (b"", "a.parquet", ["empty"]),
        (b"PAR1 cut off", "a.parquet", ["Parquet", "write it again"]),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "a.csv.gz", [".gz", "whole"]),
        (b"not packed", "a.csv.gz", [".gz"]),
        (b"c;1\nd;2\n", "a.csv", ["no header row", "client_id"]),
    ],
)
def test_files_that_cannot_be_read_say_what_to_do(tmp_path: Path, data: bytes, name: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read_book(write(tmp_path, data, name))
    assert name in str(error.value)
    assert all(word in str(error.value) for word in words)
    assert str(tmp_path) not in str(error.value)


def test_utf8_with_a_lost_byte_is_not_taken_for_gb18030(tmp_path: Path) -> None:
    whole = f"{HEAD}\nc1,黄金条和白银条,gold,1\n".encode()
    at = whole.index("条".encode())
    broken = next(
        b
        for b in (whole[: at + i] + whole[at + i + 1 :] for i in range(12))
        if not _fails(b, "gb18030") and _fails(b, "utf-8")
    )
    with pytest.raises(InputError, match="line 2 has a broken UTF-8"):
        read_book(write(tmp_path, broken))


def _fails(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return True
    return False


def test_absent_files_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        read_book(tmp_path / "nowhere.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(InputError, match="stdin"):
            read_book(tmp_path / "pipe.csv")


def test_gzip_and_symlink(tmp_path: Path) -> None:
    packed = write(tmp_path, gzip.compress(lines("c1,a,gold,1").encode()), "book.CSV.gz")
    assert len(read_book(packed).holdings) == 1
    link = tmp_path / "link.csv"
    link.symlink_to(write(tmp_path, lines("c1,a,gold,1")))
    assert len(read_book(link).holdings) == 1


def test_a_directory_holds_tables_in_any_form(tmp_path: Path) -> None:
    write(tmp_path, lines("c1,a,gold,1"), "持仓.csv")
    pd.DataFrame({"client_id": ["c1"], "age": [50]}).to_parquet(tmp_path / "clients.parquet")
    write(tmp_path, "客户号;金额\nc1;5\n", "Debts.tsv")
    write(tmp_path, "notes", "readme.txt")
    book = read_book(tmp_path)
    assert (len(book.holdings), book.clients["age"].item(), book.debts["value"].item()) == (1, 50.0, 5.0)
    assert list(book.counts["file"]) == ["持仓.csv", "clients.parquet", "Debts.tsv"]
    write(tmp_path, "client_id\nc1\n", "clients.csv")
    with pytest.raises(InputError, match=r"clients\.csv and clients\.parquet"):
        read_book(tmp_path)


def test_a_directory_without_holdings_or_with_an_old_workbook(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no holdings in this directory"):
        read_book(tmp_path)
    write(tmp_path, lines("c1,a,gold,1"), "holdings.csv")
    write(tmp_path, b"x", "debts.xls")
    with pytest.raises(InputError, match=r"debts\.xls"):
        read_book(tmp_path)
    with pytest.raises(InputError, match="directory"):
        read_book(tmp_path / "holdings.csv", debts=tmp_path)


def test_a_table_with_only_a_header_means_none(tmp_path: Path) -> None:
    book = read_book(write(tmp_path, lines("c1,a,gold,1")), debts=write(tmp_path, "client_id,value\n", "debts.csv"))
    assert book.debts.empty
    assert "debts.value" in book.given


def test_single_column_clients_with_blank_lines(tmp_path: Path) -> None:
    clients = write(tmp_path, "client_id\nc1\n\nc2\n", "clients.csv")
    book = read_book(write(tmp_path, lines("c1,a,gold,1")), clients=clients)
    assert list(zip(book.clients["client_id"], book.clients["row"], strict=True)) == [("c1", 2), ("c2", 4)]


def test_parquet_keeps_numbers_and_long_ids(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "client_id": pa.array([6222021234567890123, None], pa.int64()),
            "name": pa.array(["a", "b"]).dictionary_encode(),
            "asset_class": ["gold", "gold"],
            "value": pa.array(["12.10", "3.00"]).cast(pa.decimal128(20, 2)),
            "as_of": pa.array([20_000, None], pa.date32()),
            "sellable": pa.array([0.1, None], pa.float64()),
        }
    )
    pq.write_table(table, tmp_path / "h.parquet")
    book = read_book(tmp_path / "h.parquet")
    row = book.holdings.iloc[0]
    assert (row["client_id"], row["value"], row["sellable"]) == ("6222021234567890123", 12.1, 0.1)
    assert row["as_of"] == pd.Timestamp("2024-10-04")
    assert list(book.issues[["code", "row", "column"]].iloc[0]) == ["missing_value", 3, "client_id"]


def test_csv_frame_and_parquet_give_one_book(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "client_id": ["1", "2", "2"],
            "name": ["a", "b", "c"],
            "asset_class": "gold",
            "value": [0.1, 1e-7, 123456789.123],
            "own_company": [True, False, True],
        }
    )
    frame.to_csv(tmp_path / "h.csv", index=False)
    frame.to_parquet(tmp_path / "h.parquet")
    books: list[Book] = [read_book(s) for s in (frame, tmp_path / "h.csv", tmp_path / "h.parquet")]
    for book in books[1:]:
        pd.testing.assert_frame_equal(book.holdings.drop(columns="file"), books[0].holdings.drop(columns="file"))
        assert book.issues.empty


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=4, max_size=4),
        min_size=1,
        max_size=8,
    )
)
@example([["", "", "", "PRICE"], ["1", "2", "3", "4"]])
def test_written_cells_come_back(rows: list[list[str]]) -> None:
    text = pd.DataFrame(rows, columns=HEAD.split(",")).to_csv(index=False, quoting=1, lineterminator="\n")
    raw = parse(text.encode(), "h.csv", "holdings")
    assert raw.frame.to_numpy().tolist() == rows
    assert (raw.lost, raw.ignored) == (0, 0)
    assert list(raw.rows if raw.rows is not None else []) == list(range(2, len(rows) + 2))


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    for body in (data, HEAD.encode() + b"\n" + data):
        said = ""
        try:
            raw = parse(body, "h.csv", "holdings")
        except InputError as error:
            said = str(error)
        assert said.startswith("h.csv: ") if said else raw.rows is not None and len(raw.rows) == len(raw.frame)


def test_registry_and_names() -> None:
    assert set(BOOKS) < set(FORMATS)
    assert set(SHEETS) == set(TABLES)
    assert [table_of(n) for n in ("持仓", "资产", "Holdings ", "客户", "负债", "产品", "汇率", "穿透", "说明")] == [
        "holdings",
        "holdings",
        "holdings",
        "clients",
        "debts",
        "products",
        "fx",
        "lookthrough",
        "",
    ]
    assert recognise(pd.DataFrame(columns=["client_id", "value"])) == "tables"


@pytest.mark.parametrize("text", ["Müller Bräu", "Société Générale", "Crédit Agricole,x", "Ångström"])
def test_western_text_is_not_taken_for_chinese(tmp_path: Path, text: str) -> None:
    """Read as GB18030, an accented letter would swallow the next one: names of nobody."""
    path = tmp_path / "a.csv"
    path.write_bytes(f'client_id,name,asset_class,value\na,"{text}",gold,1\n'.encode("cp1252"))
    with pytest.raises(InputError, match=r"Windows-1252|neither UTF-8 nor GB18030"):
        read_book(path)


@pytest.mark.parametrize("text", ["是", "A股", "某基金A类", "沪深300ETF", "招商bank理财"])
def test_chinese_beside_latin_letters_is_chinese(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(f"client_id,name,asset_class,value\na,{text},gold,1\n".encode("gb18030"))
    assert read_book(path).holdings["name"].tolist() == [text]
