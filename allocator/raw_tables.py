"""A table as it was found, and which columns its headers mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allocator.cells import Positions
from allocator.columns import AMOUNTS
from allocator.conversions import conversion_table
from allocator.issues import issue_table
from allocator.legible import readable
from allocator.schema import TABLES, Column
from allocator.ways import PLAIN, Way, split_unit

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RawTable:
    """A table as it was found, before anything is known of its cells.

    Attributes
    ----------
    frame
        One row per record, columns named by the header as found; text, or already typed.
    file
        Base name of the file, for people.
    first_row
        Number of the first record as a spreadsheet counts (the header is row 1).
    rows
        Row number of every record where they do not simply run on from ``first_row``.
    files
        File of every record where they come from several; ``file`` is then that of what concerns no record.
    epoch
        Day 0 of date serials (workbooks only).
    faults
        Cells that the reader found broken and left empty: columns ``at`` (position), ``column`` (header), ``code``,
        ``value``, ``mend``.
    issues
        What the reader already found.
    lost
        Records that the reader had to set aside; each has an error in ``issues``.
    ignored
        Records that the reader left out: nothing in them, titles, totals; the latter are in ``issues``.
    conversions
        What the reader changed (see `conversions.COLUMNS`).
    sheet
        Name of the workbook's sheet.
    ways
        How to read columns, by the schema's name, where the user's mapping says so; ``*`` is what a title says about
        all amounts.
    headers
        Headers as found, by the schema's name, of columns that a mapping renamed.
    """

    frame: pd.DataFrame
    file: str = ""
    first_row: int = 2
    rows: Positions | None = None
    files: pd.Series[Any] | None = None
    epoch: date | None = None
    faults: pd.DataFrame | None = None
    issues: pd.DataFrame = field(default_factory=issue_table)
    lost: int = 0
    ignored: int = 0
    conversions: pd.DataFrame = field(default_factory=conversion_table)
    sheet: str = ""
    ways: Mapping[str, Way] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", readable(self.file))

    def numbers(self) -> Positions:
        """Row number of every record."""
        if self.rows is None:
            return np.arange(len(self.frame)) + self.first_row
        return np.asarray(self.rows, dtype=np.int64)

    def taken(self, keep: Mask) -> RawTable:
        """Give the table with some of its records only; counts, issues and conversions stay."""
        faults = self.faults
        if faults is not None and len(faults):
            place = np.cumsum(keep) - 1
            faults = faults[keep[faults["at"].to_numpy(dtype=np.int64)]]
            faults = faults.assign(at=place[faults["at"].to_numpy(dtype=np.int64)])
        return replace(
            self,
            frame=self.frame[keep].reset_index(drop=True),
            rows=self.numbers()[keep],
            files=None if self.files is None else self.files[keep].reset_index(drop=True),
            faults=faults,
        )


def header_key(header: object) -> str:
    """Fold a header for comparison: width, capitals, blanks, hyphens and invisible characters do not count."""
    text = unicodedata.normalize("NFKC", str(header))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return re.sub(r"[\s_\-]+", "_", text.strip()).strip("_").casefold()


def known_headers(table: str) -> dict[str, str]:
    """Map every folded header that is taken for a column of ``table`` to the column's name."""
    return {header_key(h): c.name for c in TABLES[table] for h in (*c.headers, c.name)}


def way_of(raw: RawTable, column: Column, position: int) -> Way:
    """How a column is to be read: as the mapping says, else its header, else the title above the table."""
    told = raw.ways.get(column.name)
    if told is not None:
        return told
    header = str(raw.frame.columns[position])
    if column.kind not in AMOUNTS or header_key(header) in known_headers_of(column):
        return raw.ways.get("*", PLAIN) if column.kind == "money" else PLAIN
    apart = split_unit(header)
    return PLAIN if apart is None else apart[1]


def known_headers_of(column: Column) -> set[str]:
    """Folded headers that are taken for a column."""
    return {header_key(h) for h in (*column.headers, column.name)}


def without_unit(table: str, header: str, known: Mapping[str, str]) -> str | None:
    """Column that a header with a unit in it means: ``市值(万元)``, ``Value (CNY k)``; None when it means none."""
    apart = split_unit(header)
    name = known.get(header_key(apart[0])) if apart is not None else None
    column = next((c for c in TABLES[table] if c.name == name), None)
    if column is None or apart is None or column.kind not in AMOUNTS or apart[1].percent != (column.kind == "fraction"):
        return None
    return name
