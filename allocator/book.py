"""A book: the typed tables of one or many clients, with everything that was wrong with them as a table too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from allocator.cells import blank, repeated
from allocator.conversions import conversion_table, stack
from allocator.errors import InputError
from allocator.importers.intake import Intake
from allocator.importers.reading import read_raw
from allocator.issues import SEVERITIES, WARNING, concat, issue_table
from allocator.schema import CLIENTS, TABLES
from allocator.shown import Shown
from allocator.validate import RawTable, Typed, empty_table, type_table

__all__ = ["Book", "RawTable", "build_book", "read_book"]


@dataclass(frozen=True, eq=False, repr=False)
class Book(Shown):
    """Typed tables, one row per record that is used. One client is a book with one client.

    Every table has all columns of its schema, ``row`` (as a spreadsheet counts, the header is row 1; 0: no row of its
    own) and ``file``. Unknown is empty text, NaN or NaT.

    Attributes
    ----------
    holdings, clients, debts, products, fx, lookthrough, overrides
        The tables of `schema.TABLES`; empty when not given. Clients that only occur in holdings or debts are added
        to ``clients`` with unknown fields and row 0.
    issues
        What was wrong or assumed (see `issues.COLUMNS`).
    counts
        Per table as read: ``table``, ``file``, ``read``, ``used``, ``set_aside``, ``ignored``, where
        read = used + set_aside + ignored. A selection of clients keeps the counts of the whole book.
    given
        ``table.column`` of every column that was really there, to tell an absent column from an empty cell.
    conversions
        What was read otherwise than it was written (see `conversions.COLUMNS`).
    """

    holdings: pd.DataFrame
    clients: pd.DataFrame
    debts: pd.DataFrame
    products: pd.DataFrame
    fx: pd.DataFrame
    lookthrough: pd.DataFrame
    overrides: pd.DataFrame
    issues: pd.DataFrame
    counts: pd.DataFrame
    given: frozenset[str]
    conversions: pd.DataFrame = field(default_factory=conversion_table)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the table."""
        return self.clients["client_id"].tolist()

    def client(self, client_id: str) -> Book:
        """Return the book with this one client.

        Raises
        ------
        InputError
            No client has that id.
        """
        return self.select([client_id])

    def select(self, ids: Iterable[str]) -> Book:
        """Return the book with these clients, in the order of the book.

        Issues that belong to no client stay.

        Raises
        ------
        InputError
            One of the ids is in no table.
        """
        wanted = pd.Index(list(ids), dtype="str").unique()
        missing = len(wanted) - int(self.clients["client_id"].isin(wanted).sum())
        if missing:
            raise InputError(
                f"{missing} of {len(wanted)} client ids not in this book of {len(self.clients)} clients; "
                "check --client: capitals and leading zeros count"
            )
        return replace(
            self,
            holdings=_of(self.holdings, wanted),
            clients=_of(self.clients, wanted),
            debts=_of(self.debts, wanted),
            overrides=_of(self.overrides, wanted.append(pd.Index(["*"]))),
            issues=_of(self.issues, wanted.append(pd.Index([""]))),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(getattr(self, table))} {table}" for table in TABLES if len(getattr(self, table)))
        total = self.counts[["read", "used", "set_aside", "ignored"]].sum()
        rows = ", ".join(f"{total[k]} {k.replace('_', ' ')}" for k in total.index)
        found = self.issues["severity"].value_counts()
        issues = ", ".join(f"{found[s]} {s}" for s in SEVERITIES if s in found.index) or "none"
        return f"Book({sizes or 'empty'}; rows: {rows}; issues: {issues})"

    def __getitem__(self, client_id: str) -> Book:
        return self.client(client_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.client_ids)

    def __contains__(self, client_id: object) -> bool:
        return client_id in self.client_ids

    def _ipython_key_completions_(self) -> list[str]:
        return self.client_ids


def build_book(tables: Mapping[str, RawTable]) -> Book:
    """Type, validate and join tables as found.

    Parameters
    ----------
    tables
        Raw tables by name; ``holdings`` must be there.

    Returns
    -------
    Book
        Bad cells and rows are issues; see `validate.type_table` for what happens to them.

    Raises
    ------
    InputError
        A table is unknown, lacks a required column, holdings are absent, or nobody has a row.
    """
    strange = sorted(set(tables) - set(TABLES))
    if strange:
        raise InputError(f"unknown table {', '.join(strange)}; allowed: {', '.join(TABLES)}")
    if "holdings" not in tables:
        raise InputError("no holdings: give a table or file of that name")
    typed = {name: type_table(name, tables[name]) for name in TABLES if name in tables}
    frames = {name: typed[name].frame if name in typed else empty_table(name) for name in TABLES}
    frames["clients"] = _all_clients(frames, typed)
    if frames["clients"].empty and typed["holdings"].counts["read"] == typed["holdings"].counts["ignored"]:
        raise InputError(f"{tables['holdings'].file}: a header but no rows; give at least one holding")
    frames["debts"], unsecured = _secured(frames["debts"], frames["holdings"])
    issues = concat([*(t.issues for t in typed.values()), unsecured, _similar_clients(frames["clients"])])
    counts = pd.DataFrame([dict(t.counts) for t in typed.values()])
    given = frozenset[str]().union(*(t.given for t in typed.values()))
    conversions = stack(t.conversions for t in typed.values())
    return Book(**frames, issues=issues, counts=counts, given=given, conversions=conversions)


def read_book(
    source: str | os.PathLike[str] | pd.DataFrame | Mapping[str, Any],
    *,
    format: str = "auto",
    as_client: str | None = None,
    mapping: str | os.PathLike[str] | None = None,
    params: Mapping[str, Any] | None = None,
    **tables: Any,
) -> Book:
    """Read a book.

    Parameters
    ----------
    source
        Holdings as a file (.csv, .tsv, .csv.gz, .xlsx, .xlsm, .parquet) or DataFrame; a workbook or directory with
        holdings and more of the tables; a mapping of table names to files or DataFrames; ``"-"`` for CSV on stdin.
        A SQLAlchemy URL, with a query, table or view for each of ``**tables``; or a TOML file that names the
        environment variable with the URL, and these (see `importers.sql.read_source_file`).
    format
        ``"auto"`` or a name out of `importers.FORMATS`: plain tables, or the export of another tool. ``auto`` takes a
        file for an export only where its content leaves no doubt.
    as_client
        For exports of other tools: the id of the one client (a family, a household) whose accounts they all are. By
        default every account number that the file names is a client.
    mapping
        TOML file that says how the columns of plain tables are to be read (``allocator import FILE --learn`` writes
        one).
    params
        For databases: what the ``:names`` in the queries stand for. They are bound, never written into a query.
    **tables
        Further tables by name (``clients=``, ``debts=``, ``products=``, ``fx=``, ``lookthrough=``, ``overrides=``),
        each a file or DataFrame; they win over what ``source`` holds. None is left out.

    Returns
    -------
    Book

    Raises
    ------
    InputError
        Something cannot be read at all; the message says what to do.
    ConfigError
        ``format``, ``as_client``, ``mapping`` or ``params`` is wrong, or does not go with the source.
    """
    return build_book(read_raw(source, Intake(format, as_client, mapping, params), tables))


def _of(frame: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    return frame[frame["client_id"].isin(ids)].reset_index(drop=True)


def _all_clients(frames: Mapping[str, pd.DataFrame], typed: Mapping[str, Typed]) -> pd.DataFrame:
    """Clients as given, then those seen elsewhere, even when every row of theirs was set aside."""
    clients = frames["clients"]
    seen = [frames["holdings"]["client_id"], frames["debts"]["client_id"]]
    seen += [typed[name].issues["client_id"] for name in ("holdings", "clients", "debts") if name in typed]
    ids = pd.concat(seen, ignore_index=True).drop_duplicates()
    ids = ids[(ids != "") & ~ids.isin(clients["client_id"])]
    if not len(ids):
        return clients
    more = pd.DataFrame({c.name: blank(c, len(ids)) for c in CLIENTS}).assign(
        client_id=ids.to_numpy(), row=np.zeros(len(ids), dtype=np.int64), file=repeated("", len(ids))
    )
    more["client_id"] = more["client_id"].astype("str")
    return more if clients.empty else pd.concat([clients, more], ignore_index=True)


def _secured(debts: pd.DataFrame, holdings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take a debt whose security is no holding of the client as unsecured, with a warning."""
    named = np.flatnonzero((debts["secured_by"] != "").to_numpy(dtype=bool))
    if not len(named):
        return debts, issue_table()
    keys = ["client_id", "asset_id"]
    wanted = pd.MultiIndex.from_arrays([debts["client_id"].iloc[named], debts["secured_by"].iloc[named]], names=keys)
    held = pd.MultiIndex.from_frame(holdings[holdings["client_id"].isin(debts["client_id"])][keys])
    loose = named[~wanted.isin(held)]
    part = debts.iloc[loose]
    found = issue_table(
        {
            "client_id": r.client_id,
            "file": r.file,
            "table": "debts",
            "row": r.row,
            "column": "secured_by",
            "code": "unsecured_reference",
            "value": r.secured_by,
            "severity": WARNING,
            "mend": "asset_id",
        }
        for r in part.itertuples()
    )
    free = debts["secured_by"].copy()
    free.iloc[loose] = ""
    return debts.assign(secured_by=free), found


def _similar_clients(clients: pd.DataFrame) -> pd.DataFrame:
    """Point out client ids that differ in capitals or leading zeros only: often one family under two ids."""
    low = clients["client_id"].str.casefold().str.lstrip("0")
    twins = clients[low.duplicated(keep=False)]
    if twins.empty:
        return issue_table()
    spellings = twins.groupby(low)["client_id"]
    other = spellings.shift(1).fillna(spellings.transform("last"))
    return issue_table(
        {
            "client_id": r.client_id,
            "file": r.file,
            "table": "clients",
            "row": r.row,
            "column": "client_id",
            "code": "similar_id",
            "value": r.client_id,
            "severity": WARNING,
            "mend": near,
        }
        for r, near in zip(twins.itertuples(), other, strict=True)
    )
