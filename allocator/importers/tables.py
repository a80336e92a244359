"""Plain tables: CSV in any usual encoding, Parquet, stdin, DataFrames, and directories of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from allocator.arrow import stored
from allocator.errors import InputError
from allocator.importers.delimited import MAX_BYTES, NO_ROOM, existing_file, first_headers, parse, read_bytes
from allocator.importers.workbook import read as read_workbook
from allocator.issues import WARNING, concat, issue_table
from allocator.remarks import with_unit_below
from allocator.schema import TABLES
from allocator.validate import RawTable

SHEETS: Final[Mapping[str, tuple[str, ...]]] = {
    "holdings": ("持仓", "资产", "持仓明细", "持仓表", "资产明细"),
    "clients": ("客户", "客户信息", "客户表"),
    "debts": ("负债", "负债明细", "负债表", "贷款"),
    "products": ("产品", "产品目录", "产品表"),
    "fx": ("汇率",),
    "lookthrough": ("穿透",),
    "overrides": ("改类", "归类"),
}
"""Chinese names of sheets and files beside the tables' own."""
CSV: Final = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
EXCEL: Final = (".xlsx", ".xlsm")
PARQUET: Final = (".parquet", ".pq")
OTHER: Final = (".xls", ".xlsb", ".ods", ".numbers", ".et")
"""Spreadsheets that are refused: in them errors and uncalculated formulas cannot be told from empty cells."""
_KINDS: Final = ", ".join((*CSV, *EXCEL, *PARQUET))
MAX_CELLS: Final = 500_000_000
"""Cells of a Parquet file that is read whole; as objects they would need tens of gigabytes."""


def read(source: Any, sheets: Mapping[str, str] | None = None, *, hidden: bool = False) -> dict[str, RawTable]:
    """Read holdings, and what lies beside them.

    Parameters
    ----------
    source
        A file, a DataFrame, a directory, a workbook with several sheets, a mapping of table names to any of the first
        two, or ``"-"`` for CSV on stdin.
    sheets
        Tables by folded name of a workbook's sheet, beside the usual names; empty text leaves a sheet out.
    hidden
        Whether hidden sheets are read.

    Raises
    ------
    InputError
        Something cannot be read; the message names it and the mend.
    """
    if isinstance(source, Mapping):
        strange = sorted(str(s) for s in set(source) - set(TABLES))
        if strange:
            raise InputError(f"unknown table {', '.join(strange)}; allowed: {', '.join(TABLES)}")
        return {str(name): read_one(given, str(name)) for name, given in source.items() if given is not None}
    if isinstance(source, pd.DataFrame) or _is_stdin(source):
        return {"holdings": read_one(source, "holdings")}
    path = existing_file(source)
    if path.is_dir():
        return {name: read_one(file, name) for name, file in _listed(path).items()}
    if ending_of(path) in EXCEL:
        return _not_empty(_by_sheets(path, sheets or {}, hidden=hidden))
    return {"holdings": read_one(path, "holdings")}


def _by_sheets(path: Path, named: Mapping[str, str], *, hidden: bool) -> dict[str, RawTable]:
    """Read a workbook whose sheets a mapping may name; those of the mapping that are not seen are told."""
    seen: set[str] = set()

    def meant(name: str) -> str:
        key = name.strip().casefold()
        seen.add(key)
        return named.get(key, table_of(name))

    found = read_workbook(path, meant, hidden=hidden)
    about = {"file": path.name, "table": "holdings", "code": "mapping_sheet", "severity": WARNING}
    absent = issue_table({**about, "value": s} for s, table in named.items() if table and s not in seen)
    holdings = found["holdings"]
    return found | {"holdings": replace(holdings, issues=concat([holdings.issues, absent]))}


def read_one(source: Any, table: str) -> RawTable:
    """Read one table from a file, a DataFrame or stdin (``"-"``).

    Raises
    ------
    InputError
        As for `read`.
    """
    if isinstance(source, RawTable):
        return source
    if isinstance(source, pd.DataFrame):
        raw = _from_frame(source)
    elif _is_stdin(source):
        raw = parse(read_bytes("-"), "stdin", table)
    else:
        path = existing_file(source)
        ending = ending_of(path)
        if path.is_dir():
            raise InputError(f"{path.name}: a directory; give the file of the {table} table")
        if ending in CSV:
            raw = parse(read_bytes(path), path.name, table)
        elif ending in PARQUET:
            raw = from_parquet(path)
        elif ending in EXCEL:
            raw = read_workbook(path, table_of, table)[table]
        else:
            raise InputError(_unknown_kind(path, ending))
    return _not_empty({table: with_unit_below(raw)})[table]


def peek(source: Any) -> list[str]:
    """Give the headers of a DataFrame or CSV file without reading the rest; nothing for any other source."""
    if isinstance(source, pd.DataFrame):
        return [str(c) for c in source.columns]
    if isinstance(source, Mapping) or _is_stdin(source):
        return []
    path = existing_file(source)
    return first_headers(path) if path.is_file() and ending_of(path) in CSV else []


def table_of(name: str) -> str:
    """Name the table that a sheet or file of this name holds; empty when it is none."""
    plain = name.strip().casefold()
    return next((t for t in TABLES if plain == t or plain in SHEETS.get(t, ())), "")


def _is_stdin(source: Any) -> bool:
    return isinstance(source, str) and source == "-"


def ending_of(path: Path) -> str:
    """Ending of a file's name by which its kind is known, ``.csv.gz`` as one."""
    name = path.name.lower()
    return next((e for e in (*CSV, *EXCEL, *PARQUET) if name.endswith(e)), path.suffix.lower())


def _unknown_kind(path: Path, ending: str) -> str:
    if ending in OTHER:
        return f"{path.name}: {ending} files are not read; open it in a spreadsheet program and save it as .xlsx"
    return f"{path.name}: unknown ending {ending or '(none)'}; allowed: {_KINDS}"


def _listed(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        ending = ending_of(path)
        table = table_of(path.name[: len(path.name) - len(ending)])
        if not table or not path.is_file() or ending not in (*CSV, *EXCEL, *PARQUET, *OTHER):
            continue
        if ending in OTHER:
            raise InputError(_unknown_kind(path, ending))
        if table in found:
            raise InputError(f"{folder.name}: both {found[table].name} and {path.name} hold {table}; keep one of them")
        found[table] = path
    if "holdings" not in found:
        raise InputError(
            f"{folder.name}: no holdings in this directory; it needs a file holdings.csv, .xlsx or "
            ".parquet (持仓 works too)"
        )
    return found


def _from_frame(frame: pd.DataFrame) -> RawTable:
    named = any(name is not None for name in frame.index.names)
    plain = frame.reset_index() if named and not set(frame.index.names) & set(frame.columns) else frame
    return RawTable(plain.reset_index(drop=True), "DataFrame")


def from_parquet(path: Path) -> RawTable:
    """Read a Parquet file whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stat().st_size == 0:
        raise InputError(f"{path.name}: the file is empty; write it again")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path.name}: larger than {MAX_BYTES >> 20} MB; split it by client")
    try:
        file = pq.ParquetFile(stored(path))
        cells = file.metadata.num_rows * file.metadata.num_columns
        if cells > MAX_CELLS:  # the same row a thousand million times takes no room in a file
            raise InputError(
                f"{path.name}: {cells:,} cells are too many to read at once; split it by client, or give it to batch, "
                "which reads it in pieces"
            )
        frame = arrow_frame(file.read())
    except MemoryError:
        raise InputError(f"{path.name}: {NO_ROOM}") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a whole Parquet file (cut off, or another kind); write it again") from error
    return RawTable(frame, path.name)


def arrow_frame(table: Any) -> pd.DataFrame:
    """Turn an Arrow table into cells as found: nothing is rounded on the way.

    Parameters
    ----------
    table
        A `pyarrow.Table`.
    """
    import pyarrow as pa

    for i, part in enumerate(table.schema):
        if pa.types.is_dictionary(part.type):
            table = table.set_column(i, part.name, table.column(i).cast(part.type.value_type))
        elif pa.types.is_decimal(part.type):
            table = table.set_column(i, part.name, table.column(i).cast(pa.string()))
    # Integers with gaps stay integers: as floats, long identifiers would lose digits.
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False, integer_object_nulls=True)
    return frame


def _not_empty(raw: dict[str, RawTable]) -> dict[str, RawTable]:
    """Refuse holdings without a row; any other table may be empty (no debts)."""
    holdings = raw.get("holdings")
    if holdings is not None and not len(holdings.frame) + holdings.lost:
        raise InputError(f"{holdings.file}: a header but no rows; give at least one holding")
    return raw
