"""What headers, titles and mappings state about columns, applied and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from allocator.cells import Cells, repeated
from allocator.columns import conversions_of
from allocator.conversions import conversion_table
from allocator.issues import WARNING
from allocator.raw_tables import RawTable
from allocator.rules import Note
from allocator.schema import TABLES
from allocator.totals import BY_SUM
from allocator.ways import PLAIN, Way


def stated_currency(typed: pd.DataFrame, ways: Mapping[str, Way]) -> tuple[pd.DataFrame, list[Note]]:
    """Take the currency that the header of the value, its title or the mapping states.

    A row that says another is in doubt, and set aside, unless it was the mapping.
    """
    way = ways.get("value", PLAIN)
    if not way.currency or "currency" not in typed:
        return typed, []
    row = typed["currency"]
    other = ((row != "") & (row != way.currency)).to_numpy(dtype=bool)
    if way.said != "mapping" and other.any():
        at = np.flatnonzero(other)
        notes = [
            Note(at, "value", "currency_header", mend=list(row.iloc[at]), value=[way.currency] * len(at), drops=True)
        ]
        return typed.assign(currency=row.mask(row == "", way.currency).astype("str")), notes + _filled(row, way)
    return typed.assign(currency=repeated(way.currency, len(typed))), _filled(row, way)


def _filled(row: pd.Series[Any], way: Way) -> list[Note]:
    """Warn where a column of currencies has gaps that a header filled; without such a column the header is all."""
    gaps = np.flatnonzero((row == "").to_numpy(dtype=bool))
    if way.said == "mapping" or not len(gaps) or len(gaps) == len(row):
        return []
    return [Note(gaps, "currency", "currency_filled", WARNING, way.currency)]


def row_changes(table: str, raw: RawTable, counted: Mapping[str, int]) -> pd.DataFrame:
    """List rows that are no records, by code (see `conversions.COLUMNS`); totals told by their sum are in doubt."""
    about = {"file": raw.file, "table": table, "sheet": raw.sheet}
    rows = [about | {"what": w, "count": n, "doubtful": w == BY_SUM} for w, n in counted.items() if n]
    return conversion_table(rows)


def changes(
    table: str, raw: RawTable, where: Mapping[str, int], cells: Mapping[str, Cells], ways: Mapping[str, Way]
) -> pd.DataFrame:
    """List what was read otherwise than written, column by column (see `conversions.COLUMNS`)."""
    rows: list[dict[str, Any]] = []
    for column in TABLES[table]:
        if column.name not in where:
            continue
        header = raw.headers.get(column.name, str(raw.frame.columns[where[column.name]]))
        found = cells[column.name]
        about = {"file": raw.file, "table": table, "sheet": raw.sheet, "column": column.name, "header": header}
        filled = int((~found.empty).sum())
        if header.strip() != column.name:
            rows.append(about | {"what": "header", "count": filled, "read_as": column.name})
        way = ways[column.name]
        if way.power or way.percent:
            what = "percent_column" if way.percent else f"unit_{way.said}"
            rows.append(about | {"what": what, "count": filled, "read_as": f"1e{-2 if way.percent else way.power}"})
        if way.currency:
            gaps = "currency" in where and bool(cells["currency"].empty.any())
            doubtful = way.said != "mapping" and gaps and not bool(cells["currency"].empty.all())
            told = {"what": f"currency_{way.said}", "read_as": way.currency, "doubtful": doubtful}
            rows.append(about | told | {"count": filled})
        if way.dates:
            rows.append(about | {"what": way.dates, "count": filled})
        shown = raw.frame.iloc[:, where[column.name]]
        rows += [
            about | {"what": what, "count": count, "form": form, "read_as": read_as}
            for what, count, form, read_as in conversions_of(column, shown, found)
        ]
    return conversion_table(rows)
