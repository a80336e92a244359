"""Excel workbooks (.xlsx, .xlsm): one table per sheet."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.conversions import conversion_table, stack
from allocator.errors import InputError
from allocator.importers.delimited import read_bytes
from allocator.importers.layout import SEARCHED, find_layout
from allocator.importers.xlsx_scan import Fault, Scan, scan
from allocator.issues import INFO, WARNING, concat, issue_table
from allocator.raw_tables import without_unit
from allocator.remarks import with_unit_below
from allocator.schema import TABLES
from allocator.validate import RawTable, header_key, known_headers

MAX_FILE: Final = 500 * 1024 * 1024


def read(path: Path, table_of: Callable[[str], str], table: str = "", *, hidden: bool = False) -> dict[str, RawTable]:
    """Read the tables of a workbook.

    Parameters
    ----------
    path
        The file.
    table_of
        Names the table that a sheet holds, empty when none.
    table
        The only table wanted; empty for all. A workbook with a single sheet holds this one (or the holdings), whatever
        the sheet's name.
    hidden
        Whether hidden sheets are read; else they are reported and left out.

    Returns
    -------
    dict
        Raw tables by name. Error cells and formulas without a cached value are in ``faults``; empty sheets other than
        the holdings are left out.

    Raises
    ------
    InputError
        It is no workbook, protected, damaged or dangerous, or lacks the sheet.
    """
    import python_calamine as calamine

    if path.stat().st_size > MAX_FILE:
        raise InputError(f"{path.name}: larger than {MAX_FILE >> 20} MB; save the tables as CSV or Parquet")
    data = read_bytes(path)  # once, so that what was looked through is what is opened
    seen = scan(data, path.name)
    try:
        book = calamine.load_workbook(io.BytesIO(data))
        shown = [m.name for m in book.sheets_metadata if hidden or m.visible == calamine.SheetVisibleEnum.Visible]
        out_of_sight = [name for name in book.sheet_names if name not in shown]
        sheets, strange = _chosen(shown, table_of, table, path.name)
        read = {name: _raw(book.get_sheet_by_name(sheet), path.name, seen, name) for name, sheet in sheets.items()}
    except calamine.PasswordError as error:
        raise InputError(f"{path.name}: the workbook is protected by a password; save it without one") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(
            f"{path.name}: the workbook is damaged; open it in a spreadsheet program and save it again"
        ) from error
    wanted = table or "holdings"
    if read.get(wanted) is None and any(table_of(name) == wanted for name in out_of_sight):
        raise InputError(
            f"{path.name}: the sheet for {wanted} is hidden; show it, or say hidden_sheets = true in a mapping"
        )
    if read.get(wanted) is None:
        raise InputError(f"{path.name}: the sheet for {wanted} is empty; it needs a header and rows")
    out = {name: raw for name, raw in read.items() if raw is not None}
    if not table:
        first = out[wanted]
        about = {"file": path.name, "table": wanted, "severity": INFO}
        more = issue_table(
            about | {"column": name, "code": code}
            for code, names in (("unknown_sheet", strange), ("sheet_hidden", out_of_sight))
            for name in names
        )
        left = conversion_table(
            {"what": "hidden", "file": path.name, "sheet": name, "count": 1} for name in out_of_sight
        )
        out[wanted] = replace(first, issues=concat([first.issues, more]), conversions=stack([first.conversions, left]))
    return out


def _chosen(
    names: list[str], table_of: Callable[[str], str], table: str, file: str
) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    for name in names:
        kind = table_of(name)
        if kind in found:
            raise InputError(f"{file}: the sheets '{found[kind]}' and '{name}' both hold {kind}; remove or rename one")
        if kind:
            found[kind] = name
    wanted = table or "holdings"
    if not found and len(names) == 1:
        found = {wanted: names[0]}
    if table and table not in found and len(names) == 1:
        found = {table: names[0]}
    if wanted not in found:
        raise InputError(
            f"{file}: none of its {len(names)} sheets is called {wanted}; name the sheet so, or say in a mapping "
            "(--mapping, [sheets]) which one it is"
        )
    strange = [name for name in names if name not in found.values()]
    return ({table: found[table]} if table else found), strange


def _raw(sheet: Any, file: str, seen: Scan, table: str) -> RawTable | None:
    """Turn a sheet into a raw table, titles above the header left out; None for an empty sheet."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    if not rows or sheet.start is None:
        return None
    top, left = sheet.start
    texts = [["" if c is None else str(c) for c in row] for row in rows[: SEARCHED + 1]]
    layout = find_layout(texts, table, known_headers(table))
    if not layout.header:
        return None
    head = layout.at + layout.depth - 1
    first = top + head + 2  # number of the row after the header, counted from 1
    header = layout.header
    broken = [f for f in seen.faults.get(sheet.name, []) if f.row >= first]
    merged, shared = _merged(sheet, rows, head, (top, left), _amounts(table, header))
    body = rows[head + 1 :]
    # Rows of nothing but broken cells at the end were left off by the reader.
    body += [[""] * len(header)] * (max([f.row - first + 1 for f in broken], default=0) - len(body))
    columns = [_column(list(cells)) for cells in zip(*body, strict=True)] or [_column([]) for _ in header]
    frame = pd.concat(columns, axis=1)
    frame.columns = pd.Index(header)
    faults = _placed(broken, first, left, frame, sheet.name)
    about = {"file": file, "table": table}
    veiled = len([r for r in seen.hidden_rows.get(sheet.name, ()) if first <= r < first + len(frame)])
    told = issue_table(
        about | {"code": code, "severity": INFO, "mend": str(count)}
        for code, count in (("title_rows", layout.titles), ("hidden_rows", veiled), ("merged_cells", merged))
        if count
    )
    if shared:
        told = concat(
            [told, issue_table([about | {"code": "merged_amount", "severity": WARNING, "mend": str(shared)}])]
        )
    changed = conversion_table(
        about | {"what": what, "sheet": sheet.name, "count": count, "doubtful": what == "merged_amount"}
        for what, count in (
            ("titles", layout.titles),
            ("merged", merged),
            ("merged_amount", shared),
            ("hidden_rows", veiled),
        )
        if count
    )
    raw = RawTable(
        frame,
        file,
        rows=np.arange(len(frame)) + first,
        epoch=seen.epoch,
        faults=faults,
        issues=told,
        ignored=layout.titles,
        conversions=changed,
        sheet=sheet.name,
        ways={} if layout.unit is None else {"*": layout.unit},
    )
    return with_unit_below(raw)


def _amounts(table: str, header: list[str]) -> frozenset[int]:
    """Positions of columns with amounts: one that is merged over several rows belongs to none of them alone."""
    known = known_headers(table)
    kinds = {c.name: c.kind for c in TABLES[table]}
    meant = [known.get(header_key(h)) or without_unit(table, h, known) for h in header]
    return frozenset(i for i, name in enumerate(meant) if name and kinds[name] in ("money", "number"))


def _merged(
    sheet: Any, rows: list[list[Any]], head: int, start: tuple[int, int], amounts: frozenset[int]
) -> tuple[int, int]:
    """Fill the cells below a cell that is merged down one column, unless it is an amount, which would count twice.

    Also the number of cells filled, and of cells below amounts.
    """
    top, left = start
    cells = shared = 0
    for (r0, c0), (r1, c1) in sheet.merged_cell_ranges or ():
        first, last, column = r0 - top, min(r1 - top, len(rows) - 1), c0 - left
        if c0 != c1 or first <= head or last <= first or not 0 <= column < len(rows[first]):
            continue
        if column in amounts:
            shared += last - first
            continue
        for row in rows[first + 1 : last + 1]:
            row[column] = rows[first][column]
            cells += 1
    return cells, shared


def _column(cells: list[Any]) -> pd.Series[Any]:
    """One column: floats when it has nothing else, so that a million numbers need no text."""
    if cells and all(isinstance(cell, float) for cell in cells):
        return pd.Series(np.array(cells, dtype=np.float64))
    return pd.Series(cells, dtype=object)


def _placed(faults: list[Fault], first: int, left: int, frame: pd.DataFrame, sheet: str) -> pd.DataFrame:
    rows = [
        {
            "at": fault.row - first,
            "column": frame.columns[fault.column - 1 - left],
            "code": fault.code,
            "value": fault.value,
            "mend": f"{sheet}!{_letters(fault.column)}{fault.row}",
        }
        for fault in faults
        if 0 <= fault.column - 1 - left < frame.shape[1]
    ]
    return pd.DataFrame(rows, columns=["at", "column", "code", "value", "mend"])


def _letters(column: int) -> str:
    out = ""
    while column:
        column, rest = divmod(column - 1, 26)
        out = chr(65 + rest) + out
    return out
