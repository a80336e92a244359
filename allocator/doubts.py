"""Cells that can be read in two ways: named column by column, so that a person decides in a mapping.

What is in doubt is either refused (its cells have an error, and the column is listed) or read the likelier way with a
warning. A column that the user's mapping speaks of is in no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.arrow import some, to_arrow
from allocator.cells import Cells, Positions, as_text, is_number
from allocator.columns import COMMA, DAY
from allocator.conversions import conversion_table, form_of
from allocator.issues import WARNING
from allocator.notation import WIDTH
from allocator.raw_tables import RawTable
from allocator.rules import Mask, Note
from allocator.schema import TABLES, Column
from allocator.ways import Way

_GROUP: Final = r"^[+-]?[0-9]{1,3},[0-9]{3}$"
_POINT_MEANT: Final = r"\.[0-9]|,[0-9]{3},[0-9]{3}|,000$"
"""What proves that a comma parts thousands: a decimal point, two groups, or a whole thousand."""
_THREE: Final = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_OTHER: Final = r"\.[0-9]{1,2}$|\.[0-9]{4,}$|^[+-]?(?:0|[0-9]{4,})\.[0-9]"
"""What proves that a point parts decimals."""

THREE_DECIMALS: Final = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""Currencies whose amounts have three decimals (ISO 4217)."""


@dataclass(frozen=True)
class Doubt:
    """Cells of one column that can be read in two ways.

    Attributes
    ----------
    what
        Code of the conversion.
    column
        The schema's name.
    at
        Positions of the cells.
    code
        Code of the issue, where they were read all the same; empty where each has an error already.
    """

    what: str
    column: str
    at: Positions
    code: str = ""


Finder = Callable[[Column, "pd.Series[Any]", Cells, Way], Iterator[Doubt]]


def doubts_of(
    table: str, raw: RawTable, where: Mapping[str, int], typed: tuple[Mapping[str, Cells], Mapping[str, Way]], out: Mask
) -> list[Doubt]:
    """Find every doubt of a table.

    Parameters
    ----------
    table, raw, where
        The table as found, and the positions of its columns.
    typed
        Its columns as read, and how.
    out
        Rows that are no records: totals and notes.
    """
    cells, ways = typed
    found = []
    for column in TABLES[table]:
        if column.name in where and ways[column.name].said != "mapping":
            shown = raw.frame.iloc[:, where[column.name]]
            for finder in FINDERS:
                found += list(finder(column, shown, cells[column.name], ways[column.name]))
    fine = np.zeros(len(out), dtype=bool)
    if "currency" in cells:
        fine = cells["currency"].values.isin(THREE_DECIMALS).to_numpy(dtype=bool)
    kept = [replace(d, at=d.at[~(out | (fine & (d.what == "decimals_or_thousands")))[d.at]]) for d in found]
    return [d for d in kept if len(d.at)]


def doubt_notes(found: list[Doubt]) -> list[Note]:
    """Say what was read in one of two ways: a warning for each column."""
    return [Note(d.at[:1], d.column, d.code, WARNING, value=[""], whole=True) for d in found if d.code]


def doubt_changes(table: str, raw: RawTable, where: Mapping[str, int], found: list[Doubt]) -> pd.DataFrame:
    """List doubts (see `conversions.COLUMNS`)."""
    rows = []
    for d in found:
        at = where[d.column]
        header = raw.headers.get(d.column, str(raw.frame.columns[at]))
        form = form_of(as_text(raw.frame.iloc[d.at[:1], at])[0].iloc[0])
        about = {"file": raw.file, "table": table, "sheet": raw.sheet, "column": d.column, "header": header}
        rows.append({**about, "what": d.what, "count": len(d.at), "form": form, "doubtful": True})
    return conversion_table(rows)


def _separators(column: Column, shown: pd.Series[Any], _: Cells, way: Way) -> Iterator[Doubt]:
    """1,234 where nothing proves that the comma parts thousands; 1.234 where nothing proves that the point does not."""
    import pyarrow.compute as pc

    if column.kind not in ("money", "number") or is_number(shown):
        return
    array = to_arrow(as_text(shown)[0])

    def unproved(pattern: str, proof: str) -> Positions:
        at = pc.match_substring_regex(array, pattern)
        if not some(at) or some(pc.match_substring_regex(array, proof)):
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(at.to_numpy(zero_copy_only=False))

    commas = unproved(_GROUP, _POINT_MEANT)
    yield Doubt("thousands_or_decimals", column.name, commas, code="thousands_or_decimals")
    if column.kind == "money" and not way.power:
        points = unproved(_THREE, _OTHER)
        yield Doubt("decimals_or_thousands", column.name, points, code="decimals_or_thousands")


def _small_percents(column: Column, shown: pd.Series[Any], found: Cells, way: Way) -> Iterator[Doubt]:
    """A column in percent in which nothing is above 1: it may hold fractions."""
    if column.kind != "fraction" or not way.percent:
        return
    signed = as_text(shown)[0].str.contains("[%\uff05]", regex=True).to_numpy(dtype=bool)
    at = np.flatnonzero(~found.empty & ~found.failed() & ~signed)
    values = found.values.to_numpy(dtype=np.float64)[at]
    if len(at) and 0.0 < values.max() <= 0.01:
        yield Doubt("percent_or_fraction", column.name, at, code="small_percents")


def _refused(column: Column, shown: pd.Series[Any], found: Cells, _: Way) -> Iterator[Doubt]:
    """Cells with an error that a word in the mapping would settle."""
    for finding in found.findings:
        told = _REFUSED.get(finding.code)
        if told is None or (finding.code == "out_of_range" and column.kind != "fraction"):
            continue
        what, fits = told
        codes, words = pd.factorize(as_text(shown.iloc[finding.at])[0])
        good = np.array([fits(str(w).translate(WIDTH).strip()) for w in words], dtype=bool)[codes]
        if good.any():
            yield Doubt(what, column.name, finding.at[good])


def _up_to_hundred(text: str) -> bool:
    try:
        return 1.0 < float(text) <= 100.0
    except ValueError:
        return False


_REFUSED: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = {
    "bad_date": ("date_order", lambda t: DAY.fullmatch(t) is not None),
    "out_of_range": ("percent_or_fraction", _up_to_hundred),
    "not_a_number": ("decimal_comma", lambda t: COMMA.fullmatch(t) is not None),
    "unit_twice": ("unit_twice", lambda _: True),
}
FINDERS: Final[tuple[Finder, ...]] = (_separators, _small_percents, _refused)
"""Each finds doubts of one kind."""
