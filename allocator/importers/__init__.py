"""Readers of files: each turns a source into raw tables. A new one is one module and its line in `FORMATS`.

A reader's module has ``read(source)``, which gives the raw tables, and ``fits(head)``, which says whether the beginning
of a file leaves no doubt that it is of this format. Modules are imported when they are needed: this one is light.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

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
