"""Readers of files: each turns a source into raw tables. A new one is one module and its line in `FORMATS`.

A reader's module has ``read(source)``, which gives the raw tables, and ``fits(head)``, which says whether the beginning
of a file leaves no doubt that it is of this format. Modules are imported when they are needed: this one is light.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import ConfigError, InputError
from allocator.schema import TABLES

if TYPE_CHECKING:
    from allocator.validate import RawTable

FORMATS: Final[Mapping[str, str]] = {
    "tables": "allocator.importers.tables",
    "scf": "allocator.importers.scf",
    "ibkr": "allocator.importers.ibkr",
    "fidelity": "allocator.importers.fidelity",
    "degiro": "allocator.importers.degiro",
    "portfolio_performance": "allocator.importers.portfolio_performance",
    "ghostfolio": "allocator.importers.ghostfolio",
    "beancount": "allocator.importers.beancount",
    "openwealth": "allocator.importers.openwealth",
}
"""Module of each reader by format name; ``tables`` are the plain tables of `schema.TABLES`."""
BOOKS: Final = ("tables", "scf")
"""Formats that hold many clients; all others are exports of one person's accounts."""


def read_raw(
    source: Any,
    format: str,
    more: Mapping[str, Any],
    as_client: str | None = None,
    told: tuple[Any, Mapping[str, Any] | None] = (None, None),
) -> dict[str, RawTable]:
    """Read a source and further tables.

    Parameters
    ----------
    source, format, as_client
        As for `book.read_book`.
    more
        Tables by name, each a file or DataFrame; they replace those of the source. None values are left out. For the
        URL of a database, a query, table or view each.
    told
        A mapping file, or what it holds; and the parameters of queries. None where there are none.

    Raises
    ------
    InputError
        A table's name is unknown, or something cannot be read.
    ConfigError
        ``format`` is unknown, or ``as_client`` is given for a format with clients of its own.
    """
    if format not in ("auto", *FORMATS):
        raise ConfigError(f"unknown format '{format}'; allowed: auto, {', '.join(FORMATS)}")
    strange = sorted(set(more) - set(TABLES))
    if strange:
        raise InputError(f"unknown table {', '.join(repr(s) for s in strange)}; allowed: {', '.join(TABLES)}")
    from allocator.importers import sql
    from allocator.importers.mapping import NO_MAPPING, load_mapping

    mapping = NO_MAPPING if told[0] is None else load_mapping(told[0])
    if sql.is_url(source):
        return mapping.apply(sql.read(source, more, told[1]))
    if told[1] is not None and not sql.is_source_file(source):
        raise ConfigError("params are for queries of a database; give its URL or a source file (.toml)")
    found = "tables" if sql.is_source_file(source) else recognise(source) if format == "auto" else format
    if told[0] is not None and found != "tables":
        raise ConfigError(f"a mapping is for plain tables, and this is an export (format {found}); leave it out")
    raw: dict[str, RawTable]
    if sql.is_source_file(source):
        raw = sql.read_source_file(Path(source), told[1])
    elif found == "tables":
        from allocator.importers.tables import read

        raw = read(source, mapping.sheets, hidden=mapping.hidden_sheets)
    else:
        raw = import_module(FORMATS[found]).read(source)
    if as_client is not None:
        if found in BOOKS:
            raise ConfigError(
                "as_client (--as-client) is for exports of one family's accounts, and this is a book of clients "
                f"(format {found}); write the id into its client_id column"
            )
        from allocator.importers.exports import as_one_client

        raw = as_one_client(raw, as_client)
    from allocator.importers.tables import read_one

    raw |= {name: read_one(given, name) for name, given in more.items() if given is not None}
    return mapping.apply(raw) if found == "tables" else raw


def recognise(source: Any) -> str:
    """Say which format a source certainly has, by how it begins; stdin, directories and workbooks are ``tables``.

    Raises
    ------
    InputError
        The source is absent, or a kind of file that only exports have (XML, JSON, a ledger) but none that is known.
    """
    from allocator.importers.heads import head_of, refuse_stranger

    head = head_of(source)
    found = [name for name, module in FORMATS.items() if name != "tables" and import_module(module).fits(head)]
    if len(found) != 1:
        refuse_stranger(head, [name for name in FORMATS if name not in BOOKS])
        return "tables"
    return found[0]
