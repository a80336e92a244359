"""How delimited text begins: blank lines, Excel's ``sep=``, titles, delimiter and header; and what its reader tells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from allocator.conversions import conversion_table
from allocator.importers.layout import NEEDED, SEARCHED, Layout, find_layout, goes_on
from allocator.issues import INFO, issue_table
from allocator.raw_tables import header_key, known_headers, without_unit
from allocator.ways import Way

PEEK: Final = 1 << 16
DELIMITERS: Final = (",", ";", "\t")


@dataclass(frozen=True)
class Beginning:
    """How text begins.

    Attributes
    ----------
    delimiter, header
        Between cells, and the names of the columns.
    start
        Offset in bytes of the (last) header line.
    skipped
        Lines before it.
    titles
        Lines before it with something in them.
    unit
        What a title says about all amounts; None for nothing.
    """

    delimiter: str
    header: list[str]
    start: int
    skipped: int
    titles: int = 0
    unit: Way | None = None


def beginning_of(body: bytes, table: str, *, titles: bool = True) -> Beginning:
    """Find delimiter and header.

    Parameters
    ----------
    body
        UTF-8 without a mark; the first `PEEK` bytes after blank lines are looked at.
    table
        What it holds: its headers help.
    titles
        Whether the header may stand below title rows.
    """
    rest, skipped, forced = without_preamble(body)
    start = len(body) - len(rest)
    head = rest[:PEEK].decode("utf-8", "ignore")
    known = known_headers(table)
    delimiter = forced or delimiter_of(head, set(known))
    header = one_record(head, delimiter)
    second = next(iter(head.splitlines()[1:2]), "")
    if titles and (
        sum(header_key(h) in known for h in header) < NEEDED
        or goes_on(header, one_record(second, delimiter), table, known)
    ):
        found = _below_titles(head, table, forced)
        if found is not None:
            delimiter, layout, above = found
            lines = layout.at + layout.depth - 1
            return Beginning(delimiter, layout.header, start + above, skipped + lines, layout.titles, layout.unit)
    return Beginning(delimiter, header, start, skipped)


def without_preamble(body: bytes) -> tuple[bytes, int, str]:
    """Take off blank lines and Excel's ``sep=;`` line; also the number of lines taken and the delimiter named."""
    start, skipped, forced = 0, 0, ""
    while (end := body.find(b"\n", start)) >= 0:
        word = body[start:end].strip()
        if word[:4].lower() == b"sep=" and len(word) <= 5 and not forced:
            forced = word[4:].decode("utf-8", "replace") or "\t"
        elif word:
            break
        start, skipped = end + 1, skipped + 1
    return body[start:], skipped, forced


def one_record(text: str, delimiter: str) -> list[str]:
    """Take the first record of a text apart."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])


def delimiter_of(head: str, known: set[str]) -> str:
    """Choose the delimiter that gives most known headers, then most columns."""

    def worth(delimiter: str) -> tuple[int, int]:
        header = one_record(head, delimiter)
        return sum(header_key(h) in known for h in header), len(header)

    return max(DELIMITERS, key=worth)


def reader_changes(about: Mapping[str, Any], found: Iterable[tuple[str, int, str]]) -> pd.DataFrame:
    """List what the reader changed: code, number and form each; what did not occur is left out."""
    return conversion_table(
        {**about, "what": what, "count": count, "form": form} for what, count, form in found if count
    )


def reader_issues(encoding: str, titles: int) -> pd.DataFrame:
    """Say that text was in another encoding, and that titles were left out."""
    told: list[dict[str, Any]] = []
    if encoding not in ("utf-8", "utf-16-le", "utf-16-be"):
        told.append({"code": "encoding", "value": encoding.upper(), "severity": INFO, "mend": "UTF-8"})
    if titles:
        told.append({"code": "title_rows", "severity": INFO, "mend": str(titles)})
    return issue_table(told)


def _below_titles(head: str, table: str, forced: str) -> tuple[str, Layout, int] | None:
    """Look for a header further down; also the bytes before its (last) line. None when there is none."""
    known = known_headers(table)
    lines = head.splitlines(keepends=True)
    best: tuple[int, str, Layout] | None = None
    for delimiter in (forced,) if forced else DELIMITERS:
        layout = find_layout([one_record(line, delimiter) for line in lines[: SEARCHED + 1]], table, known)
        worth = sum(bool(known.get(header_key(h)) or without_unit(table, h, known)) for h in layout.header)
        if worth >= NEEDED and (best is None or worth > best[0]):
            best = worth, delimiter, layout
    if best is None:
        return None
    _, delimiter, layout = best
    return delimiter, layout, len("".join(lines[: layout.at + layout.depth - 1]).encode())
