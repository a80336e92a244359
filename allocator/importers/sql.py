"""Tables out of a database through SQLAlchemy: queries with bound parameters, tables and views, read and never written.

No password stands in a file or message: a source file names the environment variable that holds the URL, and errors of
the driver, which may repeat it or a client's values, are left out of ours.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from allocator.config import parsed
from allocator.errors import ConfigError, InputError
from allocator.schema import TABLES
from allocator.validate import RawTable

if TYPE_CHECKING:
    import sqlalchemy as sa

DATABASE: Final = "database"
"""Stands for the file's name in issues: neither host nor name of a database is shown."""
_URL: Final = re.compile(r"[a-z][a-z0-9_]*(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
_PART: Final = r'(?:[^\W\d]\w*|"[^"]+")'
_NAME: Final = re.compile(rf"(?:(?P<schema>{_PART})\.)?(?P<name>{_PART})")
_QUERY: Final = re.compile(r"[\s(]*(?:select|with|values|table)\b", re.IGNORECASE)
_ASIDE: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
"""Texts, quoted names and comments of a query."""
_SNAPSHOT: Final[Mapping[str, Mapping[str, Any]]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
}
"""Options by which all tables are read as they were at one moment."""
_READ_ONLY: Final[Mapping[str, str]] = {"sqlite": "PRAGMA query_only = ON", "oracle": "SET TRANSACTION READ ONLY"}
_KEYS: Final = frozenset({"url_env", "tables", "params"})


def is_url(source: Any) -> bool:
    """Whether a source is the URL of a database."""
    return isinstance(source, str) and _URL.match(source) is not None


def is_source_file(source: Any) -> bool:
    """Whether a source is a TOML file that says where the tables of a book lie in a database."""
    return isinstance(source, str | os.PathLike) and str(source).lower().endswith(".toml")


def read_source_file(path: Path, params: Mapping[str, Any] | None = None) -> dict[str, RawTable]:
    """Read the tables that a source file names.

    Parameters
    ----------
    path
        TOML: ``url_env`` (environment variable with the SQLAlchemy URL), ``[tables]`` (a query, table or view for each
        table of the book) and ``[params]`` (what the queries' ``:names`` stand for).
    params
        These win over the file's.

    Raises
    ------
    ConfigError
        The file or the environment variable is not as it must be.
    InputError
        The database cannot be read.
    """
    name = path.name
    try:
        found = parsed(path.read_text("utf-8-sig"), name)
    except FileNotFoundError:
        raise InputError(f"{name}: no such file; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: cannot be read as UTF-8 text; check the file") from error
    strange = sorted(set(found) - _KEYS)
    if strange:
        raise ConfigError(f"{name}: unknown key {', '.join(strange)}; allowed: {', '.join(sorted(_KEYS))}")
    variable, tables, given = found.get("url_env"), found.get("tables"), found.get("params", {})
    if not isinstance(variable, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise ConfigError(f"{name}: url_env must be the name of an environment variable that holds the database's URL")
    if not isinstance(tables, dict) or not all(isinstance(q, str) for q in tables.values()):
        raise ConfigError(f"{name}: [tables] must give a query, table or view for each table, holdings among them")
    if not isinstance(given, dict):
        raise ConfigError(f"{name}: [params] must give a value for each :name in the queries")
    url = os.environ.get(variable, "")
    if not url:
        raise ConfigError(f"{name}: the environment variable {variable} is not set; it must hold the database's URL")
    return read(url, tables, {**given, **(params or {})})


def read(url: str, tables: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> dict[str, RawTable]:
    """Read tables out of a database, all as they were at one moment where the database can say so.

    Parameters
    ----------
    url
        SQLAlchemy URL, ``postgresql+psycopg://user:password@host/name``.
    tables
        By name of `schema.TABLES`: a query, or the name of a table or view (``schema.view``). None is left out.
    params
        What the ``:names`` in the queries stand for. They are bound, never written into the text of a query.

    Returns
    -------
    dict
        Raw tables. Amounts stay decimal to the last digit; row numbers count from 1 in the order of the result.

    Raises
    ------
    ConfigError
        The URL is none, its driver is not installed, or a query is none.
    InputError
        Holdings are not named, a parameter is missing, or the database refuses.
    """
    wanted = {name: query for name, query in tables.items() if query is not None}
    strange = sorted(set(wanted) - set(TABLES))
    if strange:
        raise InputError(f"unknown table {', '.join(strange)}; allowed: {', '.join(TABLES)}")
    if "holdings" not in wanted:
        raise InputError(
            "no holdings: name their query, table or view (holdings=...); on the command line give a source "
            "file (.toml) with url_env and [tables] instead of a URL"
        )
    asked = {name: _statement(name, query, params or {}) for name, query in wanted.items()}
    with _connected(url) as connection:
        return {name: _table(connection, name, *query) for name, query in asked.items()}


def _statement(table: str, query: object, params: Mapping[str, Any]) -> tuple[sa.Executable, dict[str, Any]]:
    import sqlalchemy as sa

    if not isinstance(query, str) or not query.strip():
        raise ConfigError(f"{table}: give a query, or the name of a table or view")
    text = query.strip().rstrip("; \t\r\n")
    if found := _NAME.fullmatch(text):
        schema, name = (found[part] and found[part].strip('"') for part in ("schema", "name"))
        return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema)), {}
    bare = _ASIDE.sub(" ", text)
    if not _QUERY.match(bare):
        raise ConfigError(f"{table}: this is no query; it must begin with SELECT, or be the name of a table or view")
    if ";" in bare:
        raise ConfigError(f"{table}: several statements; give one SELECT without a semicolon in it")
    statement = sa.text(text)
    names = set(statement.compile().params)
    missing = sorted(names - set(params))
    if missing:
        raise InputError(
            f"{table}: the query has :{', :'.join(missing)}, which no parameter gives (params, --param NAME=VALUE)"
        )
    return statement, {name: params[name] for name in names}


@contextmanager
def _connected(url: str) -> Iterator[sa.Connection]:
    import sqlalchemy as sa
    from sqlalchemy import exc

    try:
        at = sa.make_url(re.sub(r"^postgres(?:ql)?://", "postgresql+psycopg://", url))
        more = {"connect_args": {"prepare_threshold": 0}} if at.drivername == "postgresql+psycopg" else {}
        # Prepared, so that the server takes a single statement: one that ends our transaction could write after it.
        engine = sa.create_engine(at, poolclass=sa.NullPool, hide_parameters=True, echo=False, **more)
    except (exc.ArgumentError, exc.NoSuchModuleError, ValueError):
        raise ConfigError(
            "not the URL of a database that is known; write it like postgresql+psycopg://user:password@host/name"
        ) from None
    except ImportError:
        raise ConfigError(
            "the driver of this database is not installed; for PostgreSQL: pip install allocator[postgres]"
        ) from None
    if engine.dialect.name == "sqlite" and not (at.database and Path(at.database).is_file()):
        raise InputError("database: the SQLite file is not there; check the path in the URL")  # it would be made
    try:
        connection = engine.connect()
    except (exc.SQLAlchemyError, OSError, UnicodeError):
        raise InputError(
            "database: cannot connect; check host, port, name, user and password in the URL, and that it runs"
        ) from None
    try:
        with connection:
            kind = engine.dialect.name
            if kind in _SNAPSHOT:
                connection.execution_options(**_SNAPSHOT[kind])
            if kind in _READ_ONLY:
                connection.exec_driver_sql(_READ_ONLY[kind])
            yield connection
            connection.rollback()
    finally:
        engine.dispose()


def _table(connection: sa.Connection, table: str, statement: sa.Executable, params: Mapping[str, Any]) -> RawTable:
    from sqlalchemy import exc

    try:
        result = connection.execute(statement, dict(params))
        if not result.returns_rows:
            raise ConfigError(f"{table}: the query gives no rows; it must be a SELECT")
        header = list(map(str, result.keys()))
        rows = result.fetchall()
    except (exc.SQLAlchemyError, UnicodeError, TypeError) as error:
        # Without the cause: its message may hold the query's values.
        code = getattr(getattr(error, "orig", None), "sqlstate", None)
        said = f" (SQLSTATE {code})" if code else ""
        raise InputError(
            f"database: the query for {table} failed{said}; check names of tables and columns, the parameters, and "
            "that it only reads"
        ) from None
    frame = pd.DataFrame([tuple(row) for row in rows], columns=pd.Index(header), dtype=object)
    return RawTable(frame.infer_objects(), DATABASE, first_row=1)
