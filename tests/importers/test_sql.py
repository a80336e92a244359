"""Books out of databases: SQLite everywhere, PostgreSQL where a server is there."""

from __future__ import annotations

import datetime as dt
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from allocator.book import read_book
from allocator.cli import main
from allocator.errors import ConfigError, InputError

DAY = dt.date(2026, 11, 20)
PASSWORD = "hunter2-canary"
QUERY = "select * from v_holdings where as_of = :day"
ROWS = [
    ("00123", "存款", "deposit", Decimal("1234567.89"), DAY, "CNY"),
    ("00123", "金条", "gold", Decimal("0.10"), DAY, "CNY"),
    ("c2", "国债", "government_bond", Decimal("99999999999.99"), DAY, "CNY"),
    ("c2", "旧", "gold", Decimal("5.00"), dt.date(2025, 1, 1), "CNY"),
]


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    path = tmp_path / "bank.db"
    with sqlite3.connect(path) as db:
        db.execute(
            "create table h (client_id text, name text, asset_class text, value text, as_of text, currency text)"
        )
        rows = [(a, b, c, str(v), d.isoformat(), e) for a, b, c, v, d, e in ROWS]
        db.executemany("insert into h values (?, ?, ?, ?, ?, ?)", rows)
        db.execute("create view v_holdings as select * from h")
        db.execute("create table clients (客户号 text, 风险类型 text)")
        db.execute("insert into clients values ('00123', '稳健型'), ('c2', '保守型')")
    return f"sqlite:///{path}"


def test_query_with_bound_parameters_and_a_table_by_name(sqlite_url: str) -> None:
    book = read_book(sqlite_url, holdings=QUERY, clients="clients", params={"day": "2026-11-20"})
    assert list(book.holdings["client_id"]) == ["00123", "00123", "c2"]
    assert list(book.holdings["value"]) == [1234567.89, 0.1, 99999999999.99]
    assert list(book.holdings["row"]) == [1, 2, 3]
    assert list(book.clients["risk_band"]) == ["稳健型", "保守型"]


def test_a_parameter_is_a_value_and_never_text_of_the_query(sqlite_url: str) -> None:
    hostile = "2026-11-20' or '1'='1"
    with pytest.raises(InputError, match="no rows"):
        read_book(sqlite_url, holdings=QUERY, params={"day": hostile})


@pytest.mark.parametrize(
    "query",
    [
        "delete from h returning *",
        "drop table h",
        "update h set value = 0",
        "h; drop table h",
        '"h" where 1=1',
        "",
        "select 1; commit; drop table h; select * from h",
        "/* ' */ select 1; drop table h --'",
    ],
)
def test_what_writes_is_refused_before_it_is_sent(sqlite_url: str, query: str) -> None:
    with pytest.raises(ConfigError):
        read_book(sqlite_url, holdings=query)
    assert len(read_book(sqlite_url, holdings="h").holdings) == 4


@pytest.mark.parametrize(
    "query",
    ["/* of; today */ select * from h", "(select * from h)", "select h.* from h where name <> 'a;b' ;\n", '"h"'],
)
def test_what_only_reads_is_taken_however_it_is_written(sqlite_url: str, query: str) -> None:
    if query.startswith("("):  # SQLite itself knows no query in brackets
        with pytest.raises(InputError, match="failed"):
            read_book(sqlite_url, holdings=query)
    else:
        assert len(read_book(sqlite_url, holdings=query).holdings) == 4


def test_a_database_file_that_is_absent_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not there"):
        read_book(f"sqlite:///{tmp_path}/none.db", holdings="h")
    assert not list(tmp_path.iterdir())


def test_a_query_that_writes_in_disguise_fails_in_the_database(sqlite_url: str) -> None:
    with pytest.raises(InputError, match="only reads"):
        read_book(sqlite_url, holdings="with x as (select 1) insert into h select * from h returning *")
    assert len(read_book(sqlite_url, holdings="h").holdings) == 4


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("select * from nowhere", InputError, "holdings failed"),
        ("select * from h where as_of = :day", InputError, ":day"),
        ("select 1 as x", InputError, "no header row for holdings"),
    ],
)
def test_mistakes_say_what_to_do(sqlite_url: str, query: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        read_book(sqlite_url, holdings=query)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:1/none",
        f"nosuch://me:{PASSWORD}@host/none",
        f"postgresql+psycopg://me:{PASSWORD}@127.0.0.1:notaport/none",
    ],
)
def test_passwords_are_in_no_message(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((ConfigError, InputError)) as caught:
        read_book(url, holdings="h")
    shown = "".join(str(e) for e in (caught.value, caught.value.__cause__) if e is not None)
    assert PASSWORD not in shown + "".join(capsys.readouterr())


def source_file(folder: Path, query: str) -> Path:
    path = folder / "source.toml"
    text = f'url_env = "BANK_DB"\n[tables]\nholdings = "{query}"\nclients = "clients"\n[params]\nday = 2026-11-20\n'
    path.write_text(text, "utf-8")
    return path


def test_a_source_file_takes_the_url_from_the_environment(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = source_file(tmp_path, QUERY)
    assert main(["check", str(path), "--lang", "en"]) == 2
    assert "BANK_DB is not set" in capsys.readouterr().err
    monkeypatch.setenv("BANK_DB", sqlite_url)
    book = read_book(path)
    assert book.holdings["value"].sum() == pytest.approx(100001234567.98, abs=0.001)
    assert main(["check", str(path), "--lang", "en", "--json"]) in (0, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('url = "sqlite://"\n', "unknown key url"),
        ('url_env = "postgresql://x"\n[tables]\nholdings = "h"\n', "url_env"),
        ('url_env = "X"\n', "tables"),
        ("url_env = ", "source.toml"),
    ],
)
def test_source_files_that_are_wrong(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "source.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=says):
        read_book(path)


def test_a_book_out_of_a_postgres_view(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as c:
        c.exec_driver_sql("create schema bank")
        c.exec_driver_sql(
            "create table bank.h (client_id text, name text, asset_class text, value numeric(20, 2), as_of date, "
            "currency text)"
        )
        c.execute(
            sa.text("insert into bank.h values (:a, :b, :c, :d, :e, :f)"),
            [dict(zip("abcdef", row, strict=True)) for row in ROWS],
        )
        c.exec_driver_sql(
            'create view bank.v_holdings as select client_id as "客户号", name as "名称", '
            'asset_class as "资产类别", value as "市值", as_of, currency as "币种" from bank.h'
        )
        c.exec_driver_sql("create table clients (client_id text, risk_band text)")
        c.exec_driver_sql("insert into clients values ('00123', 'C3'), ('c2', 'C1')")
    book = read_book(postgres_url, holdings="bank.v_holdings", clients="clients")
    assert [f"{v:.2f}" for v in book.holdings["value"]] == [f"{row[3]}" for row in ROWS]
    monkeypatch.setenv("BANK_DB", postgres_url)
    one_day = read_book(source_file(tmp_path, QUERY.replace("v_", "bank.v_")))
    assert (len(one_day.holdings), list(one_day.clients["risk_band"])) == (3, ["C3", "C1"])
    # a function that writes, called by what looks like a query, is stopped by the read-only transaction
    with engine.begin() as c:
        c.exec_driver_sql(
            "create function wipe() returns setof bank.h language sql as 'delete from bank.h returning *'"
        )
    with pytest.raises(InputError, match="25006"):
        read_book(postgres_url, holdings="select * from wipe()")
    assert len(read_book(postgres_url, holdings="bank.h").holdings) == 4


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgres"])
def test_postgres_takes_one_statement_only(postgres_url: str, scheme: str) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as c:
        c.exec_driver_sql(
            "create table h as select 'c1' as client_id, 'g' as name, 'gold' as asset_class, 1.10 as value"
        )
    url = f"{scheme}://{postgres_url.partition('://')[2]}"
    both = read_book(url, holdings="(select * from h) union all (select 'c2', 'g', 'gold', 2.20)")
    assert sorted(both.holdings["value"]) == [1.1, 2.2]
    # the quotes hide the semicolons from us, and not from the server
    for query in ("select 1; commit; delete from h", r"select E'\'' ; commit; delete from h; select 1 --'"):
        with pytest.raises((ConfigError, InputError), match=r"several statements|42601"):
            read_book(url, holdings=query)
    assert len(read_book(url, holdings="h").holdings) == 1
