"""Result tables into files: Parquet for programs; CSV for people, cells made harmless that a spreadsheet would run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO, Final

BOM: Final = b"\xef\xbb\xbf"
"""Spreadsheet programs take a file for UTF-8 only with this mark."""
HOSTILE: Final = "^[=+\\-@\t\r\n\\x00＝＋－＠]"
"""Beginnings of a cell that spreadsheet programs take for a formula or a command, full-width forms included."""
GUARD: Final = "'"


def write_csv(file: BinaryIO, tables: Iterable[Any], *, raw: bool = False) -> int:
    """Write tables of the same columns one after the other as one CSV file.

    UTF-8 with its mark, every cell quoted, unknown numbers empty; a text cell that a spreadsheet would take for a
    formula begins with an apostrophe. Numbers are never touched.

    Parameters
    ----------
    file
        Open for writing bytes.
    tables
        `pyarrow.Table` each; the header is that of the first.
    raw
        Leave hostile cells as they are, for programs.

    Returns
    -------
    int
        Number of rows.
    """
    import pyarrow.csv as pc

    rows = 0
    file.write(BOM)
    for i, table in enumerate(tables):
        options = pc.WriteOptions(include_header=i == 0, quoting_style="all_valid")
        pc.write_csv(_plain(table) if raw else defused(_plain(table)), file, options)
        rows += table.num_rows
    return rows


def defused(table: Any) -> Any:
    """Put an apostrophe before every text cell that a spreadsheet would take for a formula.

    Parameters
    ----------
    table
        A `pyarrow.Table`; columns that are no text stay as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, part in enumerate(table.schema):
        if pa.types.is_string(part.type) or pa.types.is_large_string(part.type):
            column = table.column(i)
            bad = pc.match_substring_regex(column, HOSTILE)
            if pc.any(bad).as_py():
                guarded = pc.binary_join_element_wise(pa.scalar(GUARD, part.type), column, pa.scalar("", part.type))
                table = table.set_column(i, part, pc.if_else(bad, guarded, column))
    return table


def write_parquet(file: BinaryIO, table: Any) -> None:
    """Write one table as Parquet; the same table gives the same bytes.

    Parameters
    ----------
    file
        Open for writing bytes.
    table
        A `pyarrow.Table`.
    """
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd", write_statistics=True, store_schema=False)


def _plain(table: Any) -> Any:
    """Texts for codes, and nothing for NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, part in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_dictionary(part.type):
            table = table.set_column(i, part.name, column.cast(part.type.value_type))
        elif pa.types.is_floating(part.type):
            table = table.set_column(i, part, pc.if_else(pc.is_nan(column), None, column))
    return table
