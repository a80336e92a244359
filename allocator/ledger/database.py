"""A ledger in a database, through SQLAlchemy: PostgreSQL for many writers, SQLite for one machine.

The program makes its tables. Everything that one writer does is one transaction; writers wait for each other.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.errors import ConfigError, InputError
from allocator.ledger.snapshots import SCHEMA, TABLES
from allocator.ledger.store import CODED, REVIEWS, WAIT, token

KINDS: Final = ("postgresql", "sqlite")
LOCK: Final = 7_022_026_114
"""Number of the advisory lock of all writers of one database."""
CHUNK: Final = 20_000


class DatabaseStore:
    """Tables ``ledger_snapshots``, ``ledger_reviews`` and one for each of `TABLES` in a database.

    Parameters
    ----------
    url
        SQLAlchemy URL, such as ``postgresql+psycopg://user:password@host/database``.

    Raises
    ------
    ConfigError
        The URL cannot be read, names another kind of database, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        import sqlalchemy as sa

        try:
            self._url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            raise ConfigError("the URL of the ledger cannot be read; write postgresql://USER@HOST/DATABASE") from None
        if self._url.drivername == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        if self._url.get_backend_name() not in KINDS:
            raise ConfigError(f"a ledger can be kept in {' or '.join(KINDS)}; give a URL of one of them, or a folder")
        self._meta = _metadata()

    @cached_property
    def _engine(self) -> Any:
        import sqlalchemy as sa

        args = {"timeout": WAIT} if self._sqlite else {}
        try:
            engine = sa.create_engine(self._url, hide_parameters=True, poolclass=sa.pool.NullPool, connect_args=args)
        except ModuleNotFoundError:
            raise ConfigError(
                "the driver of this database is not installed: pip install 'allocator[postgres]'"
            ) from None
        if self._sqlite:
            _one_writer_of_a_file(engine, self._url.database)
        return engine

    @property
    def _sqlite(self) -> bool:
        return bool(self._url.get_backend_name() == "sqlite")

    def manifests(self) -> dict[dt.date, dict[str, Any]]:
        """Manifests by day."""
        with self._connected() as connection:
            return self._manifests(connection)

    def read(self, manifest: Mapping[str, Any], table: str, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table."""
        with self._connected() as connection:
            frame = self._selected(connection, manifest["token"], table, columns)
        if len(frame) != manifest["rows"][table]:
            raise InputError("this snapshot was replaced or purged while it was read; run the command again")
        return frame

    def reviews(self) -> pd.DataFrame:
        """Reviews that were noted."""
        import sqlalchemy as sa

        with self._connected() as connection:
            self._manifests(connection)
            t = self._meta.tables["ledger_reviews"]
            rows = connection.execute(sa.select(t.c.client_id, t.c.on)).all()
        return pd.DataFrame([tuple(r) for r in rows], columns=list(REVIEWS), dtype="str")

    @contextlib.contextmanager
    def writing(self) -> Iterator[DatabaseWriter]:
        """Be the only one who writes, in one transaction."""
        import sqlalchemy as sa

        with self._connected(write=True) as connection, connection.begin():
            try:
                if not self._sqlite:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{int(WAIT)}s'"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            except sa.exc.OperationalError:
                raise InputError("another process writes to this ledger; wait until it is done and run again") from None
            self._meta.create_all(connection)
            yield DatabaseWriter(connection, self._meta)

    @contextlib.contextmanager
    def _connected(self, write: bool = False) -> Iterator[Any]:
        """A connection; what the database says never reaches a message, for it may quote values."""
        import sqlalchemy as sa

        try:
            with self._engine.connect() as connection:
                yield connection.execution_options(writes=write)
        except sa.exc.DBAPIError as error:
            kind = type(error.orig).__name__
            raise InputError(
                f"the database of the ledger refused ({kind}); check its URL, that it runs, and your rights"
            ) from None

    def _manifests(self, connection: Any) -> dict[dt.date, dict[str, Any]]:
        import sqlalchemy as sa

        if not sa.inspect(connection).has_table("ledger_snapshots"):
            raise InputError(
                "there is no ledger at this place; begin one with: allocator ledger add FILE --ledger PLACE"
            )
        return _manifests_in(connection, self._meta.tables["ledger_snapshots"])

    def _selected(self, connection: Any, number: int, table: str, columns: Sequence[str]) -> pd.DataFrame:
        kinds = {c: TABLES[table][c] for c in ("client", *columns)}
        if self._sqlite:
            frame = _rows(connection, self._meta.tables[f"ledger_{table}"], number, list(kinds))
        else:
            frame = _copied_out(connection, f"ledger_{table}", number, kinds)
        order = np.argsort(frame["client"].to_numpy("int64"), kind="stable")
        texts = [c for c in columns if kinds[c] == "text" and c not in CODED]
        return frame.take(order)[list(columns)].reset_index(drop=True).astype(dict.fromkeys(texts, "category"))


class DatabaseWriter:
    """Writes inside of a transaction."""

    def __init__(self, connection: Any, meta: Any) -> None:
        self._connection, self._tables = connection, meta.tables

    def put(self, on: dt.date, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> None:
        """Keep a snapshot."""
        self.drop(on)
        fresh = token()
        copied = self._connection.dialect.name == "postgresql"
        size = 0
        for name, frame in tables.items():
            write = _copied_in if copied else _inserted
            size += write(self._connection, self._tables[f"ledger_{name}"], frame.assign(snapshot=fresh))
        told = json.dumps({**manifest, "bytes": size}, ensure_ascii=False)
        row = {"token": fresh, "as_of": on.isoformat(), "manifest": told}
        self._connection.execute(self._tables["ledger_snapshots"].insert(), row)

    def manifests(self) -> dict[dt.date, dict[str, Any]]:
        """Manifests by day."""
        return _manifests_in(self._connection, self._tables["ledger_snapshots"])

    def drop(self, on: dt.date) -> None:
        """Take a snapshot away."""
        import sqlalchemy as sa

        t = self._tables["ledger_snapshots"]
        day = on.isoformat()
        old = self._connection.execute(sa.select(t.c.token).where(t.c.as_of == day)).scalars().all()
        for number in old:
            for name in TABLES:
                rows = self._tables[f"ledger_{name}"]
                self._connection.execute(rows.delete().where(rows.c.snapshot == number))
        self._connection.execute(t.delete().where(t.c.as_of == day))

    def set_reviews(self, reviews: pd.DataFrame) -> None:
        """Keep these reviews."""
        t = self._tables["ledger_reviews"]
        self._connection.execute(t.delete())
        rows = reviews[list(REVIEWS)].to_dict("records")
        if rows:
            self._connection.execute(t.insert(), rows)


def _manifests_in(connection: Any, table: Any) -> dict[dt.date, dict[str, Any]]:
    import sqlalchemy as sa

    found = {}
    for r in connection.execute(sa.select(table).order_by(table.c.as_of)):
        manifest = json.loads(r.manifest)
        if manifest.get("schema") != SCHEMA:
            raise InputError(f"the ledger is of another version than {SCHEMA}; use the program that wrote it")
        found[dt.date.fromisoformat(r.as_of)] = {**manifest, "token": r.token, "as_of": r.as_of}
    return found


def _metadata() -> Any:
    import sqlalchemy as sa

    meta = sa.MetaData()
    kinds = {"text": sa.Text, "float": sa.Double, "int": sa.Integer, "bool": sa.Boolean}
    sa.Table(
        "ledger_snapshots",
        meta,
        sa.Column("token", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("as_of", sa.Text, nullable=False, unique=True),
        sa.Column("manifest", sa.Text, nullable=False),
    )
    sa.Table(
        "ledger_reviews",
        meta,
        sa.Column("client_id", sa.Text, primary_key=True),
        sa.Column("on", sa.Text, primary_key=True),
    )
    for name, columns in TABLES.items():
        made = [sa.Column(c, kinds[kind](), nullable=kind == "float") for c, kind in columns.items()]
        sa.Table(f"ledger_{name}", meta, sa.Column("snapshot", sa.BigInteger, nullable=False, index=True), *made)
    return meta


def _one_writer_of_a_file(engine: Any, database: str | None) -> None:
    """SQLite: the file is 0600 from its first byte, and a writer locks it when its transaction begins."""
    import os

    from sqlalchemy import event

    if database and database != ":memory:":
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.close(os.open(database, os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def connected(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # we begin transactions ourselves
        raw.execute("PRAGMA secure_delete = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Any) -> None:
        write = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _inserted(connection: Any, table: Any, frame: pd.DataFrame) -> int:
    names = [c.name for c in table.columns]
    plain = {c: frame[c].astype("object").where(frame[c].notna(), None).tolist() for c in names}
    for start in range(0, len(frame), CHUNK):
        part = zip(*(plain[c][start : start + CHUNK] for c in names), strict=True)
        connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in part])
    return int(sum(len(str(v)) for values in plain.values() for v in values))


def _rows(connection: Any, table: Any, number: int, columns: list[str]) -> pd.DataFrame:
    import sqlalchemy as sa

    chosen = sa.select(*(table.c[c] for c in columns)).where(table.c.snapshot == number)
    rows = connection.execute(chosen).all()
    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    kinds = TABLES[table.name.removeprefix("ledger_")]
    dtypes = {"text": "str", "float": "float64", "int": "int64", "bool": "bool"}
    return pd.DataFrame({c: pd.Series(list(v), dtype=dtypes[kinds[c]]) for c, v in zip(columns, values, strict=True)})


def _copied_in(connection: Any, table: Any, frame: pd.DataFrame) -> int:
    """PostgreSQL: COPY, which takes a million rows in seconds."""
    import pyarrow as pa
    import pyarrow.csv as csv

    names = [c.name for c in table.columns]
    out = io.BytesIO()
    csv.write_csv(
        pa.Table.from_pandas(frame[names], preserve_index=False),
        out,
        csv.WriteOptions(include_header=False, quoting_style="needed"),
    )
    quoted = ", ".join(f'"{c}"' for c in names)
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY {table.name} ({quoted}) FROM STDIN CSV") as copy:
        copy.write(out.getbuffer())
    return len(out.getbuffer())


def _copied_out(connection: Any, table: str, number: int, kinds: Mapping[str, str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.csv as csv

    arrow = {"text": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
    quoted = ", ".join(f'"{c}"' for c in kinds)
    out = io.BytesIO()
    query = f"COPY (SELECT {quoted} FROM {table} WHERE snapshot = {int(number)}) TO STDOUT CSV"
    with connection.connection.cursor() as cursor, cursor.copy(query) as copy:
        for block in copy:
            out.write(block)
    if not out.tell():
        return pd.DataFrame({c: pd.Series(dtype=arrow[k].to_pandas_dtype()) for c, k in kinds.items()})
    out.seek(0)
    found = csv.read_csv(
        out,
        csv.ReadOptions(column_names=list(kinds)),
        csv.ParseOptions(newlines_in_values=True),
        csv.ConvertOptions(
            column_types={c: arrow[k] for c, k in kinds.items()},
            strings_can_be_null=False,
            null_values=["", "NaN"],
            true_values=["t"],
            false_values=["f"],
        ),
    )
    frame: pd.DataFrame = found.to_pandas()
    return frame
