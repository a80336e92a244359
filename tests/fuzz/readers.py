"""Targets that read: files of tables, workbooks, Parquet, exports of other tools, databases."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import pandas as pd
from cells_made import csv_of, frame_case, frame_of, parquet_case, parquet_of, workbook_case, workbook_of
from conftest import SHARED
from fuzzing import Target, folder, put
from layouts import layout_case, same_as_written, same_in_pieces
from mutations import change_json, change_zip, dumped, loaded, shrink_json, shrink_zip
from promises import examined

from allocator.book import Book, read_book
from allocator.importers import FORMATS
from allocator.importers.mapping import learn, load_mapping
from allocator.importers.tables import read_one

PEOPLE: Final = pd.DataFrame(
    {"client_id": ["a", "K1", "00123"], "risk_band": ["balanced", "C2", "积极型"], "currency": ["CNY", "USD", ""]}
)
FX: Final = pd.DataFrame({"currency": ["USD", "HKD"], "rate": [7.12, 0.914]})


def sometimes(data: bytes) -> bool:
    """Every third input, always the same ones: measuring takes as long as reading."""
    return zlib.crc32(data) % 3 == 0


def holdings_csv(data: bytes) -> str:
    """Holdings as CSV: by turns alone, in pieces, through a pipe, or with people and rates beside them and measured."""
    path, which = put("h.csv", data), zlib.crc32(data) % 4
    book = read_book(path, **({"clients": PEOPLE, "fx": FX} if which == 2 else {}))
    if which == 0:
        same_in_pieces(path)
    elif which == 1:
        same_from_stdin(data, book)
    return examined(book, measure=which == 2)


def same_from_stdin(data: bytes, book: Book) -> None:
    """The same bytes through a pipe are the same book."""
    usual = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    try:
        piped = read_book("-")
    finally:
        sys.stdin = usual
    pd.testing.assert_frame_equal(piped.holdings.drop(columns="file"), book.holdings.drop(columns="file"))
    assert len(piped.issues) == len(book.issues), "stdin: issues"


def table_csv(table: str) -> Callable[[bytes], str]:
    """Any other table as CSV beside good holdings."""
    holdings = pd.DataFrame({
        "client_id": ["a", "a", "K1", "00123"], "asset_id": ["x", "y", "x", "00x"], "asset_class": ["deposit",
        "gold", "equity_fund", "信托"],
        "value": [100.0, 50.5, 1e6, 3.0], "isin": ["", "F1", "F2", ""], "product_id": ["", "P1", "", ""],
        "currency": ["", "USD", "HKD", "CNY"],
    })  # fmt: skip

    def check(data: bytes) -> str:
        path = put(f"{table}.csv", data)
        rest = {"clients": PEOPLE, "fx": FX}
        rest.pop(table, None)
        return examined(read_book(holdings, **rest, **{table: path}), measure=sometimes(data))

    return check


def workbook(data: bytes) -> str:
    return examined(read_book(put("b.xlsx", data), fx=FX), measure=sometimes(data))


def made_workbook(data: bytes) -> str:
    """A workbook written from a case: merged cells, formulas, hidden sheets, odd types."""
    return workbook(workbook_of(loaded(data)))


def parquet(data: bytes) -> str:
    return examined(read_book(put("b.parquet", data), clients=PEOPLE, fx=FX), measure=sometimes(data))


def made_parquet(data: bytes) -> str:
    """A Parquet file of a case: odd schemas, nested and null columns."""
    return parquet(parquet_of(loaded(data)))


def made_frame(data: bytes) -> str:
    """A data frame of objects of any type; it is left as it was."""
    frame = frame_of(loaded(data))
    before = frame.copy(deep=True)
    came = examined(read_book(frame, clients=PEOPLE, fx=FX), measure=sometimes(data))
    pd.testing.assert_frame_equal(frame, before)
    return came


_OURS, _REAL = Path(__file__).parents[1] / "importers" / "samples", SHARED / "positions"
PRICES: Final = _OURS / "prices.beancount"
SUFFIX: Final = {
    "ibkr": ".xml",
    "portfolio_performance": ".xml",
    "ghostfolio": ".json",
    "openwealth": ".json",
    "beancount": ".beancount",
}


def export(name: str) -> Callable[[bytes], str]:
    """The export of another tool, asked for by its name and as it is recognised."""
    suffix = SUFFIX.get(name, ".csv")

    def check(data: bytes) -> str:
        path = put(f"{name}{suffix}", data)
        if name == "beancount":
            put("prices.beancount", PRICES.read_bytes())  # the sample includes it
        how: dict[str, Any] = {"format": name}
        if zlib.crc32(data) % 4 == 0:
            how = {}
        elif name != "scf" and zlib.crc32(data) % 4 == 1:
            how["as_client"] = "family"
        return examined(read_book(path, **how), plain=False, measure=sometimes(data))

    return check


BOOK: Final = (
    "客户号,名称,资产类别,市值(万元),币种,比例,备注\na,Zephyrine 存款,存款,12.5,人民币,25%,x\n"
    'a,b,股票基金,"1,234.5",USD,0.5,\nK1,c,黄金,7391846,HKD,1,y\n'
).encode()


def mapping(data: bytes) -> str:
    """A mapping file, and a table read through it; what is learned from the table can be read again."""
    path = put("m.toml", data)
    load_mapping(path)
    book = read_book(put("mapped.csv", BOOK), mapping=path, clients=PEOPLE, fx=FX)
    return examined(book)


def learned(data: bytes) -> str:
    """What is learned from any table reads the same table the same way."""
    path = put("l.csv", data)
    raw = read_one(path, "holdings")
    plain = read_book(path, clients=PEOPLE, fx=FX)
    told = put("learned.toml", learn({"holdings": raw}, plain.issues).encode())
    again = read_book(path, mapping=told, clients=PEOPLE, fx=FX)
    same = ["client_id", "name", "asset_id", "asset_class", "value", "currency", "as_of", "row"]
    pd.testing.assert_frame_equal(again.holdings[same], plain.holdings[same])
    assert again.counts["used"].tolist() == plain.counts["used"].tolist(), "learned: counts"
    return "read"


@cache
def database() -> str:
    path = folder() / "book.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "create table holdings (client_id text, asset_id text, asset_class text, value numeric, note blob);"
            "insert into holdings values ('a','Zephyrine','deposit',100.5,null),('a','y','gold','7391846',x'ff00'),"
            "(7,'z','equity_fund',null,''),('00123','w','bond_fund',1e400,'é'),('K1','v','信托','1.2亿',1);"
            'create view v as select * from holdings; create table "odd name" (client_id);'
        )
        connection.commit()
    return f"sqlite:///{path}"


def query(data: bytes) -> str:
    """A query of SQLite, which only reads: the database is the same afterwards."""
    url = database()
    path = Path(url.removeprefix("sqlite:///"))
    before = path.read_bytes()
    try:
        book = read_book(url, holdings=data.decode("utf-8", "replace"), params={"x": "a", "y": 2, "z": None})
        return examined(book)
    finally:
        assert path.read_bytes() == before, "a query that writes"


def made_query(draw: Random) -> bytes:
    """A query that is nearly one."""
    cells = ("client_id", "asset_id", "asset_class", "value", "note", ":x", "7391846", "1e999", "'1.2亿'", "x'ff'",
    "char(0)", "null",
             "cast(value as text)", "value * 1e300", "randomblob(3)", "zeroblob(2)", "'Zephyrine'", "date('now')",
             "-value", "count(*)")  # fmt: skip
    names = (
        "client_id",
        "asset_id",
        "asset_class",
        "value",
        "name",
        "currency",
        "as_of",
        "quantity",
        '"odd name"',
        "sellable",
    )
    picked = [f"{draw.choice(cells)} as {n}" for n in draw.sample(names, draw.randrange(6))]
    base = ["client_id", "asset_id", "asset_class", "value"] if draw.random() < 0.8 else ["*"]
    rest = ("", " where client_id = :x", " union all select * from v", " limit :y", " order by value desc",
    " where 0", " group by client_id", ";", "; ",
            " -- :q", " /* ; */", "; delete from holdings", " union all select 1,2,3,4",
            " join v using (client_id)")  # fmt: skip
    columns, table = ", ".join([*base, *picked]), draw.choice(("holdings", "v", "main.holdings", "(select * from v)"))
    return f"select {columns} from {table}{draw.choice(rest)}".encode()


def source_file(data: bytes) -> str:
    """A source file of a database."""
    os.environ["FUZZ_URL"] = database()
    return examined(read_book(put("source.toml", data)))


SAMPLES: Final = {
    "ibkr": (_OURS / "ibkr.xml", _REAL / "ibkr_vtandchill_2025.xml"),
    "fidelity": (_OURS / "fidelity_positions.csv", _REAL / "fidelity_Statement12312025.csv"),
    "degiro": (_OURS / "degiro_de.csv", _REAL / "degiro_fr_Portfolio.csv"),
    "portfolio_performance": (_OURS / "portfolio_performance.xml",),
    "ghostfolio": (_OURS / "ghostfolio.json",),
    "beancount": (_OURS / "ledger.beancount",),
    "openwealth": (_OURS / "openwealth.json",),
}
"""Exports that are there for the importers' tests, and real ones where they lie beside the project."""


def _case(made: Callable[[Random], Any]) -> Callable[[Random], bytes]:
    return lambda draw: dumped(made(draw))


def csv_made(table: str) -> Callable[[Random], bytes]:
    return lambda draw: csv_of(draw, table)


made_layout: Final = _case(layout_case)


def _cases(name: str, check: Callable[[bytes], str], made: Callable[[Random], Any]) -> Target:
    return Target(name, check, _case(made), change_json, shrink_json)


COLUMNS: Final = tuple(
    w.encode()
    for w in ("client_id", "name", "asset_id", "asset_class", "value", "currency", "as_of", "sellable",
    "indivisible", "restriction",
              "locked_until", "quantity", "price", "cost_basis", "isin", "cfi", "product_id", "市值(万元)",
              "金额（千美元）", "占比(%)", "客户号", "资产类别")
)  # fmt: skip
XML: Final = (
    b"<a/>",
    b"<!DOCTYPE x>",
    b"<?xml version='1.0' encoding='gbk'?>",
    b'xmlns="x"',
    b"../../security",
    b'reference="../x"',
    b"]]>",
)
JSON: Final = (b"null", b"{}", b"[]", b"1e999", b"-0.0", b"NaN", b'"\\ud800"', b"true", b"1E-400", b'"":')
TOML: Final = (
    b"[",
    b"]",
    b"=",
    b'"""',
    b"inf",
    b"nan",
    b"1979-05-27",
    b"[[columns]]",
    b"{",
    b"true",
    b"extends",
    b"_",
    b"0x",
    b".",
)
SQL: Final = (b"select * from holdings", b" union all ", b" :x ", b"--", b"/*", b";", b" values (1) ", b"null",
b"cast(value as text)",
              b" order by 1", b" limit 2", b"randomblob(5)", b"'", b'"', b" as client_id", b"delete from holdings",
              b"pragma", b"zeroblob(9)",
              b"with t as (select * from v) select * from t", b"attach ':memory:' as q", b"char(0)", b"1e999",
              b"x'ff'")  # fmt: skip
LEDGER: Final = (
    b"2020-01-01 open Assets:A CNY\n",
    b" {1 CNY}",
    b" @@ 5 USD",
    b"pushtag #x\n",
    b'include "x"\n',
    b"*",
    b"pad",
    b"(1/0)",
    b"balance",
    b"{}",
)


def targets() -> list[Target]:
    words = {"xml": XML, "json": JSON, "beancount": LEDGER}
    found = [
        Target(n, c, csv_made("holdings"), words=COLUMNS) for n, c in (("csv", holdings_csv), ("learned", learned))
    ]
    found += [
        Target(f"csv_{t}", table_csv(t), csv_made(t), words=COLUMNS)
        for t in ("clients", "debts", "products", "fx", "lookthrough", "overrides")
    ]
    found += [
        Target("layouts", same_as_written, made_layout, lambda _, draw: made_layout(draw), shrink_json),
        Target("xlsx", workbook, change=change_zip, shrink=shrink_zip),
        _cases("xlsx_cells", made_workbook, workbook_case),
        Target("parquet", parquet),
        _cases("parquet_columns", made_parquet, parquet_case),
        _cases("frame", made_frame, frame_case),
    ]
    found += [
        Target(
            f"export_{n}",
            export(n),
            change=change_json if SUFFIX.get(n) == ".json" else None,
            words=words.get(SUFFIX.get(n, ".csv")[1:], COLUMNS),
            more=SAMPLES.get(n, ()),
        )
        for n in FORMATS
        if n != "tables"
    ]
    found += [
        Target("mapping", mapping, words=(*TOML, *COLUMNS)),
        Target("query", query, made_query, words=SQL),
        Target("source_file", source_file, words=(*TOML, *SQL)),
    ]
    return found
