"""How a source begins: enough to tell a format from the others without reading the rest."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.beginning import PEEK
from allocator.importers.delimited import existing_file
from allocator.importers.tables import EXCEL, PARQUET, peek
from allocator.validate import header_key

ONLY_EXPORTS: Final = (".xml", ".json", ".beancount", ".bean")
"""Endings that plain tables never have."""
_WIDE: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Head:
    """How a source begins.

    Attributes
    ----------
    name
        Base name of the file; empty for what is no file.
    text
        Its first characters; empty for what is no file or no text.
    headers
        Folded headers, where it is a DataFrame or a CSV file.
    """

    name: str
    text: str
    headers: frozenset[str]

    def lines(self, count: int) -> list[str]:
        """First lines that are not blank."""
        return [line for line in self.text.splitlines() if line.strip()][:count]


def head_of(source: Any) -> Head:
    """Look at the beginning of a source.

    Raises
    ------
    InputError
        A file that is not there.
    """
    headers = frozenset(header_key(h) for h in peek(source))
    if not isinstance(source, str | Path) or source == "-":
        return Head("", "", headers)
    path = existing_file(source)
    if not path.is_file() or path.name.lower().endswith((*EXCEL, *PARQUET)):
        return Head("", "", headers)
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            data: bytes = file.read(PEEK)
    except (OSError, EOFError, zlib.error):
        return Head(path.name, "", headers)  # reading it will say what is wrong
    encoding = next((e for mark, e in _WIDE.items() if data.startswith(mark)), "utf-8")
    text = data.decode(encoding, "replace").lstrip("\ufeff")
    return Head(path.name, "" if "\0" in text else text, headers)


def refuse_stranger(head: Head, formats: Iterable[str]) -> None:
    """Refuse an XML, JSON or ledger file that no format claims: as a plain table it makes no sense.

    Raises
    ------
    InputError
        It is such a file.
    """
    if head.name.lower().removesuffix(".gz").endswith(ONLY_EXPORTS):
        raise InputError(
            f"{head.name}: not surely the export of any tool that is known; if it is one of these, say which with "
            f"--format: {', '.join(formats)}"
        )
