"""A custodian's workbook with everything that makes files hard, and its GB18030 twin, read to the cent."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from custodian import HEADER, Custodian, make

from allocator.book import Book, read_book
from allocator.cli import main
from allocator.errors import ConfigError, InputError
from allocator.importers.mapping import load_mapping
from allocator.intake_commands import write_book
from allocator.schema import TABLES


@pytest.fixture
def files(tmp_path: Path) -> Custodian:
    return make(tmp_path)


def cents(book: Book) -> list[Decimal]:
    return [Decimal(f"{v:.2f}") for v in book.holdings["value"]]


@pytest.mark.parametrize("kind", ["workbook", "twin"])
def test_every_value_to_the_cent_and_every_row_in_one_place(files: Custodian, kind: str) -> None:
    book = read_book(getattr(files, kind))
    assert cents(book) == [r[3] for r in files.rows]
    # the float itself is the nearest one, not a product
    assert list(book.holdings["value"]) == [float(r[3]) for r in files.rows]
    assert list(book.holdings["client_id"]) == [r[0] for r in files.rows]
    assert set(book.holdings["currency"]) == {"CNY"}
    assert set(book.holdings["locked_until"]) == {pd.Timestamp("2027-01-01")}
    count = book.counts.set_index("table").loc["holdings"]
    clients = len({r[0] for r in files.rows})
    assert (count["used"], count["set_aside"]) == (len(files.rows), 0)
    assert count["read"] == count["used"] + count["ignored"]
    codes = book.issues["code"].value_counts()
    assert codes["total_row"] == clients + 1
    assert "total_mismatch" not in codes.index
    assert not (book.issues["severity"] == "error").any()


def test_each_conversion_is_listed_without_a_value(files: Custodian) -> None:
    book, twin = read_book(files.workbook), read_book(files.twin)
    what = set(book.conversions["what"])
    assert what >= {"header", "unit_header", "titles", "merged", "hidden", "currency", "date", "date_serial"}
    assert set(twin.conversions["what"]) >= {
        "header",
        "unit_header",
        "titles",
        "encoding",
        "currency",
        "date",
        "thousands",
    }
    shown = " ".join(map(str, [*book.conversions["form"], *twin.conversions["form"]]))
    assert not any(r[0] in shown or r[1] in shown for r in files.rows)
    assert {"sheet_hidden", "hidden_rows", "title_rows"} <= set(book.issues["code"])


def test_a_total_that_does_not_agree_is_said(files: Custodian) -> None:
    text = files.twin.read_text("gb18030").splitlines()
    row = next(i for i, line in enumerate(text) if line.startswith(files.rows[0][0]))
    files.twin.write_text("\n".join(text[:row] + text[row + 1 :]), "gb18030")
    book = read_book(files.twin)
    found = book.issues[book.issues["code"] == "total_mismatch"]
    assert len(found) == 2  # the client's subtotal and the grand total
    assert set(found["severity"]) == {"warning"}


def test_nobodys_holding_is_lost_because_it_is_called_total() -> None:
    rows = pd.DataFrame(
        {"client_id": ["a", "b"], "name": ["Total", "合计"], "asset_class": ["gold"] * 2, "value": [1.0, 2.0]}
    )
    assert len(read_book(rows).holdings) == 2


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_clean_book_reads_back_equal(files: Custodian, tmp_path: Path, kind: str) -> None:
    book = read_book(files.workbook)
    write_book(book, tmp_path / "clean", kind)
    again = read_book(tmp_path / "clean")
    for table in TABLES:
        one, two = (getattr(b, table).drop(columns=["row", "file"]) for b in (book, again))
        pd.testing.assert_frame_equal(one, two)
    assert not (again.issues["severity"] == "error").any()


def test_what_is_learnt_reads_the_same(files: Custodian, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learnt, clean = tmp_path / "m.toml", tmp_path / "clean"
    args = ["import", str(files.twin), "--learn", str(learnt), "-o", str(clean), "--json", "--lang", "zh"]
    assert main(args) == 0
    said = json.loads(capsys.readouterr().out)
    assert Decimal(f"{said['totals']['holdings']['CNY']:.2f}") == files.total
    assert load_mapping(learnt).columns["holdings"]["市值(万元)"].unit == "万"
    again = read_book(files.twin, mapping=learnt)
    assert cents(again) == [r[3] for r in files.rows]
    assert main(["import", str(clean), "--lang", "zh"]) == 0
    assert main(["import", str(files.workbook), "--lang", "en", "--mapping", str(learnt)]) == 0
    assert "unit stated in the mapping" in capsys.readouterr().out


def csv(path: Path, head: str, *rows: str) -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", "utf-8")
    return path


def test_doubts_are_asked_and_the_mapping_decides(tmp_path: Path) -> None:
    path = csv(
        tmp_path / "a.csv",
        "client_id,name,asset_class,金额(万元),locked_until,sellable,备注,净额",
        "a,x,gold,12万,01/02/2026,25,q,7",
        "b,y,gold,1.5,2026-02-01,0.25,q,8",
    )
    book = read_book(path)
    codes = dict(zip(book.issues["column"], book.issues["code"], strict=True))
    assert codes["value"] == "unit_twice"
    assert codes["locked_until"] == "bad_date"
    assert codes["sellable"] == "out_of_range"
    assert list(book.holdings["value"]) == [15_000.0]
    learnt = tmp_path / "m.toml"
    main(["import", str(path), "--learn", str(learnt)])
    text = learnt.read_text("utf-8")
    for said in ('dates = "day_first"', 'unit = "元"', "percent = true", '# ? "备注" = ""'):
        assert said in text
    learnt.write_text(
        '[columns.holdings]\n"金额(万元)" = ""\n"净额" = { column = "value", unit = "亿", currency = "USD" }\n'
        'locked_until = { column = "locked_until", dates = "day_first" }\n'
        'sellable = { column = "sellable", percent = true }\n"备注" = ""\n',
        "utf-8",
    )
    book = read_book(path, mapping=learnt)
    assert list(book.holdings["value"]) == [7e8, 8e8]
    assert set(book.holdings["currency"]) == {"USD"}
    assert book.holdings["locked_until"].iloc[0] == pd.Timestamp("2026-02-01")
    assert list(book.holdings["sellable"]) == [0.25, 0.0025]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[columns.holdings]\nx = 'nonsense'\n", "unknown column 'nonsense'"),
        ("[columns.nothing]\nx = 'y'\n", "unknown table 'nothing'"),
        ("[columns.holdings]\nx = { column = 'value', unit = 'parsec' }\n", "unit"),
        ("colums = 1\n", "colums"),
        ("[", "m.toml"),
    ],
)
def test_mappings_that_are_wrong(files: Custodian, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=says):
        read_book(files.twin, mapping=path)


def test_a_row_currency_other_than_the_headers_is_a_doubt(tmp_path: Path) -> None:
    head = "client_id,name,asset_class,Value (CNY k),currency"
    book = read_book(csv(tmp_path / "a.csv", head, "a,x,gold,1.5,USD", "a,y,gold,2,CNY", "a,z,gold,3,"))
    assert list(book.holdings["value"]) == [2000.0, 3000.0]
    assert list(book.holdings["currency"]) == ["CNY", "CNY"]
    assert "currency_header" in set(book.issues["code"])


def test_a_header_in_two_rows(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "报表,,,", ",".join(HEADER[:3]) + ",市值", ",,,(万元)", "a,x,黄金,1.5")
    assert list(read_book(path).holdings["value"]) == [15_000.0]


def test_merged_owners_are_filled_only_where_they_are_merged(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", "client_id,name,asset_class,value", "a,x,gold,1", ",y,gold,2")
    book = read_book(path)
    assert (len(book.holdings), list(book.issues["code"])) == (1, ["missing_value"])


def test_params_without_a_database_are_misuse(files: Custodian) -> None:
    with pytest.raises((ConfigError, InputError), match="params"):
        read_book(files.twin, params={"day": 1})
