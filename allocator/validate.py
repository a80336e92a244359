"""One table as found → typed rows, issues and counts; every row ends up used, set aside or ignored."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.cells import Cells, as_text, blank, repeated
from allocator.columns import read_column
from allocator.conversions import conversion_table, stack
from allocator.doubts import doubt_changes, doubt_notes, doubts_of
from allocator.errors import InputError
from allocator.issues import COLUMNS, ERROR, INFO, WARNING, concat, issue_table
from allocator.notation import SIGNS
from allocator.raw_tables import RawTable, header_key, known_headers, way_of, without_unit
from allocator.remarks import note_rows
from allocator.rules import RULES, Mask, Note
from allocator.schema import TABLES, Column
from allocator.stated import changes, row_changes, stated_currency
from allocator.totals import BY_SUM, Above, lacking_rows, total_notes, total_rows, without, worded_rows

ONE_OF: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "holdings": (("name", "asset_id"), ("asset_class", "cfi", "product_id")),
}
"""Groups of columns of which a file must have at least one."""
_SUMMED: Final = ("client_id", "currency", "value")
"""Columns that totals are compared by."""
SHOWN: Final = 100
"""Longest text kept of a cell in an issue."""


@dataclass(frozen=True, eq=False)
class Typed:
    """A table after validation: the rows that are used, what was found, and where every row went."""

    frame: pd.DataFrame
    issues: pd.DataFrame
    counts: Mapping[str, Any]
    given: frozenset[str]
    conversions: pd.DataFrame = field(default_factory=conversion_table)


def empty_table(table: str) -> pd.DataFrame:
    """Give the typed table without rows."""
    return _assembled(table, {}, 0).assign(row=np.empty(0, dtype=np.int64), file=repeated("", 0))


def type_table(table: str, raw: RawTable) -> Typed:
    """Validate and type one table.

    Parameters
    ----------
    table
        Key of `schema.TABLES`.
    raw
        What was read; never changed.

    Returns
    -------
    Typed
        Used rows with every schema column, ``row`` and ``file``. A bad or empty required cell sets its row aside; any
        other bad cell becomes unknown, its row is used, and the issue has severity error all the same.

    Raises
    ------
    InputError
        A required column is absent, two columns have one header or mean the same.
    """
    where, unknown = match_columns(table, raw)
    count = len(raw.frame)
    rows = raw.numbers()
    present = [c for c in TABLES[table] if c.name in where]
    ways = {c.name: way_of(raw, c, where[c.name]) for c in present}
    cells = {c.name: read_column(c, raw.frame.iloc[:, where[c.name]], raw.epoch, ways[c.name]) for c in present}
    void = _void(raw.frame, cells, set(where.values()))
    looked = lacking_rows(table, cells, void)
    totals, doubts = total_rows(cells, raw.frame, looked, void)
    remarks = note_rows(raw, cells, ways, looked[~totals[looked]], rows)
    aside = totals | remarks
    typed = _assembled(table, {name: c.values for name, c in cells.items()}, count).assign(
        row=rows, file=repeated(raw.file, count) if raw.files is None else raw.files.reset_index(drop=True)
    )
    notes = without(_cell_notes(table, raw, where, cells, void), aside)
    typed, more = stated_currency(typed, ways)
    notes += without(more, aside)
    typed, more = _check_signs(table, typed, cells)
    notes += without(more, aside)
    alive = ~void & ~aside
    unclear = doubts_of(table, raw, where, (cells, ways), aside)
    notes += [*doubts, *doubt_notes(unclear)]
    for note in notes:
        alive[note.at] &= not note.drops
    for rule in RULES[table]:
        typed, more = rule(typed, alive)
        notes += more
        for note in more:
            alive[note.at] &= not note.drops
    if aside.any():
        notes += total_notes(typed, cells, totals, void | remarks)
        if remarks.any():
            notes.append(Note(np.flatnonzero(remarks), "", "note_row", INFO))
        typed = typed.assign(client_id=typed["client_id"].mask(aside, "")) if "client_id" in typed else typed
    used = int(alive.sum())
    nothing = int((void | aside).sum())
    counts = {
        "table": table,
        "file": raw.file,
        "read": count + raw.lost + raw.ignored,
        "used": used,
        "set_aside": count - used - nothing + raw.lost,
        "ignored": nothing + raw.ignored,
    }
    strange = _unknown_columns(table, raw, unknown)
    issues = concat([raw.issues, _unknown_issues(table, raw, strange), *_issues(table, raw, where, typed, notes)])
    left = {"totals": int(totals.sum()), "notes": int(remarks.sum()), "blank": int(void.sum())}
    left |= {BY_SUM: sum(len(n.at) for n in doubts if n.code == BY_SUM)}
    changed = stack(
        [
            raw.conversions,
            changes(table, raw, where, cells, ways),
            doubt_changes(table, raw, where, unclear),
            row_changes(table, raw, left),
            _unknown_changes(table, raw, where, strange),
        ]
    )
    given = frozenset(f"{table}.{name}" for name in where)
    return Typed(typed[alive].reset_index(drop=True), issues, counts, given, changed)


def without_totals(table: str, raw: RawTable, above: Above) -> RawTable:
    """Take the total rows out of a piece of a table, told and compared as in the whole.

    Parameters
    ----------
    table, raw
        The piece.
    above
        What the pieces above it hold; goes on past this one.

    Returns
    -------
    RawTable
        Without the totals: they are counted as ignored, and stand in its issues and conversions.

    Raises
    ------
    InputError
        As for `type_table`.
    """
    where, _ = match_columns(table, raw)
    texts = {where[c.name] for c in TABLES[table] if c.name in where and c.kind not in ("id", "text")}
    worded = worded_rows(raw.frame, [i for i in range(raw.frame.shape[1]) if i not in texts])
    if "value" not in where and not worded.any():
        return raw
    needed = [c for c in TABLES[table] if c.name in where and (worded.any() or c.name in _SUMMED)]
    ways = {c.name: way_of(raw, c, where[c.name]) for c in needed}
    cells = {c.name: read_column(c, raw.frame.iloc[:, where[c.name]], raw.epoch, ways[c.name]) for c in needed}
    typed = pd.DataFrame({name: cells[name].values for name in _SUMMED if name in cells})
    totals = void = np.zeros(len(raw.frame), dtype=bool)
    notes: list[Note] = []
    if worded.any():
        void = _void(raw.frame, cells, set(where.values()))
        totals, doubts = total_rows(cells, raw.frame, lacking_rows(table, cells, void), void)
        notes = [*total_notes(typed, cells, totals, void, above), *(n for n in doubts if n.code == BY_SUM)]
    if "value" in cells:
        above.add(typed, cells["value"], ~totals & ~void)
    if not totals.any():
        return raw
    left = {"totals": int(totals.sum()), BY_SUM: sum(len(n.at) for n in notes if n.code == BY_SUM)}
    about = pd.DataFrame({"client_id": "", "row": raw.numbers(), "file": raw.file}, index=range(len(raw.frame)))
    return replace(
        raw.taken(~totals),
        ignored=raw.ignored + int(totals.sum()),
        issues=concat([raw.issues, *_issues(table, raw, where, about, notes)]),
        conversions=stack([raw.conversions, row_changes(table, raw, left)]),
    )


def match_columns(table: str, raw: RawTable) -> tuple[dict[str, int], list[int]]:
    """Find the columns of a table as found.

    Returns
    -------
    (where, unknown)
        Position of each column of the schema that is there, and positions of all others.

    Raises
    ------
    InputError
        A required column is absent, two columns have one header or mean the same.
    """
    headers = [str(h) for h in raw.frame.columns]
    named = [h.strip() for h in headers if h.strip()]
    twice = sorted({h for h in named if named.count(h) > 1})
    if twice:
        raise InputError(f"{raw.file}: the header has two columns named {_list(twice)}; rename or remove one")
    known = known_headers(table)
    where: dict[str, int] = {}
    unknown: list[int] = []
    for i, header in enumerate(headers):
        name = known.get(header_key(header)) or without_unit(table, header, known)
        if name is None:
            unknown.append(i)
        elif name in where:
            raise InputError(
                f"{raw.file}: the columns {_list([headers[where[name]], header])} both mean '{name}' "
                f"in {table}; remove or rename one"
            )
        else:
            where[name] = i
    needed = [(c.name,) for c in TABLES[table] if c.required] + list(ONE_OF.get(table, ()))
    for group in needed:
        if not any(name in where for name in group):
            raise InputError(_absent(table, raw.file, group, headers if where else None))
    return where, unknown


def _absent(table: str, file: str, group: tuple[str, ...], found: list[str] | None) -> str:
    columns = [c for c in TABLES[table] if c.name in group]
    accepted = "; ".join(f"{c.name} ({', '.join(c.headers)})" if c.headers else c.name for c in columns)
    if found is None:
        # Without a single known header line 1 may well be data, which must not end up in a message.
        return f"{file}: no header row for {table}; the first row must hold column names, among them {accepted}"
    return (
        f"{file}: no column '{' or '.join(group)}' in {table}; accepted headers: {accepted}; "
        f"headers found: {_list(found)}"
    )


def _void(frame: pd.DataFrame, cells: Mapping[str, Cells], known: set[int]) -> Mask:
    """Rows in which every cell is empty, those of unknown columns included."""
    void = np.ones(len(frame), dtype=bool)
    for column in cells.values():
        void &= column.empty
    for i in range(frame.shape[1]):
        if i not in known and void.any():
            at = np.flatnonzero(void)
            void[at] = (as_text(frame.iloc[at, i])[0].str.strip() == "").to_numpy(dtype=bool)
    return void


def _cell_notes(
    table: str, raw: RawTable, where: Mapping[str, int], cells: Mapping[str, Cells], void: Mask
) -> list[Note]:
    notes = []
    for column in TABLES[table]:
        if column.name not in cells:
            continue
        found = cells[column.name]
        broken = _faults(raw, where[column.name])
        void[broken["at"].to_numpy(dtype=np.int64)] = False
        for code, part in broken.groupby("code", sort=True):
            at = part["at"].to_numpy(dtype=np.int64)
            notes.append(
                Note(
                    at,
                    column.name,
                    str(code),
                    mend=list(part["mend"]),
                    value=list(part["value"]),
                    drops=column.required,
                )
            )
        notes += [
            Note(
                f.at,
                column.name,
                f.code,
                f.severity,
                f.mend,
                drops=f.severity == ERROR and column.required,
                whole=f.whole,
            )
            for f in found.findings
        ]
        if column.required:
            gone = found.empty & ~void
            gone[broken["at"].to_numpy(dtype=np.int64)] = False
            if gone.any():
                notes.append(Note(np.flatnonzero(gone), column.name, "missing_value", mend=column.name, drops=True))
    return notes


def _faults(raw: RawTable, position: int) -> pd.DataFrame:
    faults = raw.faults
    if faults is None:
        return pd.DataFrame({"at": [], "code": [], "value": [], "mend": []})
    return faults[faults["column"] == raw.frame.columns[position]]


def _check_signs(table: str, typed: pd.DataFrame, cells: Mapping[str, Cells]) -> tuple[pd.DataFrame, list[Note]]:
    """Hold currency signs beside amounts against the row's currency: another one is an error, none a warning."""
    notes: list[Note] = []
    if table == "fx" or "currency" not in typed:
        return typed, notes
    for column in TABLES[table]:
        for sign, at in cells[column.name].signs if column.name in cells else ():
            currency = typed["currency"].iloc[at]
            unknown = (currency == "").to_numpy(dtype=bool)
            other = ~unknown & ~currency.isin(SIGNS[sign]).to_numpy(dtype=bool)
            if unknown.any():
                notes.append(Note(at[unknown], column.name, "currency_sign", WARNING))
            if other.any():
                notes.append(
                    Note(at[other], column.name, "currency_sign", mend=list(currency[other]), drops=column.required)
                )
                values = typed[column.name].to_numpy(copy=True)
                values[at[other]] = np.nan if column.default is None else column.default
                typed = typed.assign(**{column.name: values})
    return typed, notes


def _assembled(table: str, values: Mapping[str, pd.Series[Any]], count: int) -> pd.DataFrame:
    columns: dict[str, pd.Series[Any]] = {c.name: values.get(c.name, blank(c, count)) for c in TABLES[table]}
    return pd.DataFrame(columns)


def _unknown_columns(table: str, raw: RawTable, unknown: list[int]) -> list[tuple[str, str, int]]:
    """Columns that are not known: header, the known column whose header is nearly that, and number of cells."""
    known = known_headers(table)
    out = []
    for i in unknown:
        header = as_text(pd.Series([raw.frame.columns[i]], dtype=object))[0].item().strip()
        filled = int((as_text(raw.frame.iloc[:, i])[0] != "").sum())
        if not header and not filled:
            continue  # a trailing delimiter, not a column
        near = difflib.get_close_matches(header_key(header), list(known), n=1)
        out.append((header, known[near[0]] if near else "", filled))
    return out


def _unknown_issues(table: str, raw: RawTable, found: list[tuple[str, str, int]]) -> pd.DataFrame:
    about = {"file": raw.file, "table": table, "code": "unknown_column", "severity": INFO}
    return issue_table({**about, "column": header, "mend": near} for header, near, _ in found)


def _unknown_changes(
    table: str, raw: RawTable, where: Mapping[str, int], found: list[tuple[str, str, int]]
) -> pd.DataFrame:
    """List columns that were left out; in doubt where the header is nearly that of a column that is missing."""
    about = {"file": raw.file, "table": table, "sheet": raw.sheet, "what": "ignored_column"}
    return conversion_table(
        {**about, "header": header, "count": filled, "doubtful": near != "" and near not in where}
        for header, near, filled in found
    )


def _issues(
    table: str, raw: RawTable, where: Mapping[str, int], typed: pd.DataFrame, notes: list[Note]
) -> list[pd.DataFrame]:
    has_client = "client_id" in typed
    out = []
    for note in notes:
        if note.value is not None:
            value = pd.Series(note.value, dtype="str")
        elif note.column in where:
            value = as_text(raw.frame.iloc[note.at, where[note.column]])[0]
        else:
            value = repeated("", len(note.at))
        part = pd.DataFrame(
            {
                "client_id": typed["client_id"].to_numpy()[note.at] if has_client and not note.whole else "",
                "row": 0 if note.whole else typed["row"].to_numpy()[note.at],
                "value": value.str.slice(0, SHOWN),
                "mend": note.mend,
                "file": raw.file if note.whole else typed["file"].to_numpy()[note.at],
            }
        )
        out.append(part.assign(table=table, column=note.column, code=note.code, severity=note.severity)[list(COLUMNS)])
    return out


def _list(words: list[str]) -> str:
    return ", ".join(f"'{w}'" for w in words)


__all__ = ["Column", "RawTable", "Typed", "empty_table", "header_key", "known_headers", "type_table"]
