"""Readers of files: each turns a source into raw tables. A new one is one module and its line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from allocator.errors import ConfigError, InputError
from allocator.importers.scf import SIGNATURE as SCF_SIGNATURE
from allocator.importers.scf import read as read_scf
from allocator.importers.tables import peek, read_one
from allocator.importers.tables import read as read_tables
from allocator.schema import TABLES
from allocator.validate import RawTable, header_key

Reader = Callable[[Any], dict[str, RawTable]]

FORMATS: Final[Mapping[str, Reader]] = {"tables": read_tables, "scf": read_scf}
"""Readers by format name; ``tables`` are the plain tables of `schema.TABLES`."""
SIGNATURES: Final[Mapping[str, frozenset[str]]] = {"scf": SCF_SIGNATURE}
"""Headers by which ``auto`` knows a format; what fits none is ``tables``."""


def read_raw(source: Any, format: str, more: Mapping[str, Any]) -> dict[str, RawTable]:
    """Read a source and further tables.

    Parameters
    ----------
    source, format
        As for `book.read_book`.
    more
        Tables by name, each a file or DataFrame; they replace those of the source. None values are left out.

    Raises
    ------
    InputError
        A table's name is unknown, or something cannot be read.
    ConfigError
        ``format`` is unknown.
    """
    if format not in ("auto", *FORMATS):
        raise ConfigError(f"unknown format '{format}'; allowed: auto, {', '.join(FORMATS)}")
    strange = sorted(set(more) - set(TABLES))
    if strange:
        raise InputError(f"unknown table {', '.join(repr(s) for s in strange)}; allowed: {', '.join(TABLES)}")
    raw = FORMATS[recognise(source) if format == "auto" else format](source)
    return raw | {name: read_one(given, name) for name, given in more.items() if given is not None}


def recognise(source: Any) -> str:
    """Say which format a source has, by its headers; stdin, directories and workbooks are ``tables``."""
    headers = {header_key(h) for h in peek(source)}
    return next((name for name, signature in SIGNATURES.items() if signature <= headers), "tables")
