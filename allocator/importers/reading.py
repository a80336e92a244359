"""A source and further tables → raw tables: the way in of `read_book`, of every command and of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from allocator.errors import InputError
from allocator.importers import FORMATS, sql
from allocator.importers.exports import as_one_client
from allocator.importers.intake import AS_IT_IS, DATABASE, Intake
from allocator.importers.tables import read, read_one
from allocator.schema import TABLES
from allocator.validate import RawTable


def read_raw(source: Any, intake: Intake = AS_IT_IS, more: Mapping[str, Any] | None = None) -> dict[str, RawTable]:
    """Read a source and further tables.

    Parameters
    ----------
    source
        As for `book.read_book`.
    intake
        How it is to be read.
    more
        Tables by name, each a file or DataFrame; they replace those of the source. None values are left out. For the
        URL of a database, a query, table or view each.

    Raises
    ------
    InputError
        A table's name is unknown, or something cannot be read.
    ConfigError
        What ``intake`` says does not go with the source.
    """
    given = {name: one for name, one in (more or {}).items() if one is not None}
    refuse_strange(given)
    found, mapping = intake.format_of(source), intake.columns
    raw: dict[str, RawTable]
    if sql.is_url(source):
        return mapping.apply(sql.read(source, given, intake.params))
    if found == DATABASE:
        raw = sql.read_source_file(Path(source), intake.params)
    elif found == "tables":
        raw = read(source, mapping.sheets, hidden=mapping.hidden_sheets)
    else:
        raw = import_module(FORMATS[found]).read(source)
    if intake.as_client is not None:
        raw = as_one_client(raw, intake.as_client)
    raw |= {name: read_one(one, name) for name, one in given.items()}
    return mapping.apply(raw) if found in ("tables", DATABASE) else raw


def refuse_strange(tables: Mapping[str, Any]) -> None:
    """Refuse names of tables that there are none of.

    Raises
    ------
    InputError
        One of them is unknown.
    """
    strange = sorted(set(tables) - set(TABLES))
    if strange:
        raise InputError(f"unknown table {', '.join(repr(s) for s in strange)}; allowed: {', '.join(TABLES)}")
