"""Rows that state a total: told from holdings, counted apart, and their figures held against the rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.cells import Cells
from allocator.issues import INFO, WARNING
from allocator.rules import Mask, Note
from allocator.schema import TABLES

WORDS: Final = re.compile(
    r"[^0-9]{0,16}?(?:小\s*计|合\s*计|总\s*计|总\s*额|共\s*计)(?:金额)?\s*[::]?"
    r"|(?:grand\s*|sub[\s-]*)?totals?\s*[::]?(?:\s*(?:value|amount))?|sum\s*[::]?",
    re.IGNORECASE,
)
"""What stands in a row that sums others up."""
CENT: Final = 0.005
GROUPS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {"holdings": (("asset_class", "cfi", "product_id"),)}
"""Columns of which a real row has at least one."""


def total_rows(table: str, cells: Mapping[str, Cells], frame: pd.DataFrame, void: Mask) -> Mask:
    """Say which rows sum others up.

    A row is one only if a word for it stands in a text cell and the row lacks what a record must have: nobody's
    holding is lost because it is called Total.

    Parameters
    ----------
    table, cells, frame, void
        The table, its typed columns, its cells as found, and rows without anything in them.
    """
    none = np.zeros(len(void), dtype=bool)
    texts = [c.name for c in TABLES[table] if c.kind in ("id", "text") and c.name in cells]
    lacking = none.copy()
    for group in (*((c.name,) for c in TABLES[table] if c.required and c.name in texts), *GROUPS.get(table, ())):
        gone = ~none
        for name in group:
            gone &= cells[name].empty if name in cells else True
        lacking |= gone
    if not any(c in texts for g in GROUPS.get(table, ()) for c in g):
        bare = ~none
        for name in texts:
            bare &= cells[name].empty if name != "client_id" else True
        lacking |= bare
    at = np.flatnonzero(lacking & ~void)
    if not len(at):
        return none
    said = np.zeros(len(at), dtype=bool)
    for i in range(frame.shape[1]):
        part = frame.iloc[at, i]
        if part.dtype.kind in "fiub":
            continue
        said |= np.array([isinstance(t, str) and is_total(t) for t in part], dtype=bool)
    none[at[said]] = True
    return none


def is_total(text: str) -> bool:
    """Whether a text is a word for a total."""
    return WORDS.fullmatch(unicodedata.normalize("NFKC", text).strip()) is not None


def total_notes(typed: pd.DataFrame, cells: Mapping[str, Cells], totals: Mask, void: Mask) -> list[Note]:
    """Report total rows, and compare what they state with the rows above them.

    A stated value agrees if it is that of the rows since the last total, of the client, or of all rows so far. Where
    rows are in several currencies nothing can be compared.
    """
    at = np.flatnonzero(totals)
    if not len(at):
        return []
    notes = [Note(at, "", "total_row", INFO)]
    if "value" not in cells:
        return notes
    values = np.where(cells["value"].empty, 0.0, np.nan_to_num(typed["value"].to_numpy(dtype=np.float64)))
    rows = ~totals & ~void
    summed = np.cumsum(np.where(rows, values, 0.0))
    owners = (
        typed["client_id"].to_numpy(dtype=object) if "client_id" in typed else np.full(len(typed), "", dtype=object)
    )
    since = 0.0
    for i in at:
        before, stated = float(summed[i]), float(values[i])
        block, since = before - since, before
        if cells["value"].empty[i] or cells["value"].failed()[i]:
            continue
        used = rows[: i + 1]
        if "currency" in typed and typed["currency"].iloc[: i + 1][used].nunique() > 1:
            notes.append(Note(np.array([i]), "value", "total_not_compared", INFO))
            continue
        mine = values[: i + 1][used & (owners[: i + 1] == owners[i])].sum() if owners[i] else block
        # half a cent for every thousand rows: a float sum of long columns is no more exact
        slack = CENT * (1 + used.sum() / 1000) + 1e-12 * abs(before)
        if min(abs(stated - s) for s in (block, before, mine)) > slack:
            near = min((block, before, mine), key=lambda s: abs(stated - s))
            notes.append(Note(np.array([i]), "value", "total_mismatch", WARNING, f"{near:.2f}"))
    return notes


def without(notes: list[Note], out: Mask) -> list[Note]:
    """Take rows out of notes: what is wrong with a total is no matter of the client's."""
    if not out.any():
        return notes
    kept: list[Note] = []
    for note in notes:
        stays = ~out[note.at]
        if stays.all():
            kept.append(note)
        elif stays.any():
            picked: dict[str, Any] = {
                key: [v for v, s in zip(given, stays, strict=True) if s] if isinstance(given, list) else given
                for key, given in (("mend", note.mend), ("value", note.value))
            }
            kept.append(
                Note(
                    note.at[stays],
                    note.column,
                    note.code,
                    note.severity,
                    picked["mend"],
                    picked["value"],
                    note.drops,
                    note.whole,
                )
            )
    return kept
