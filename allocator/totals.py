"""Rows that state a total: told from holdings, counted apart, and their figures held against the rows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.arrow import to_arrow
from allocator.cells import Cells, Positions, as_text
from allocator.issues import INFO, WARNING
from allocator.rules import Mask, Note
from allocator.schema import TABLES

WORDS: Final = re.compile(
    r".{0,60}?(?:小\s*计|合\s*计|总\s*计|总\s*额|共\s*计)(?:金额)?\s*[::]?"
    r"|(?:grand\s*|sub[\s-]*)?totals?\s*[::]?(?:\s*(?:value|amount))?|sum\s*[::]?",
    re.IGNORECASE,
)
"""What stands in a row that sums others up."""
BY_SUM: Final = "total_by_sum"
"""Code of rows that have all a record has, and are taken for totals because of their name and their sum."""
CENT: Final = 0.005
_LIKELY: Final = r"(?:计|額|额|金额|otals?|OTALS?|[Ss]um|SUM|value|amount)\s*[:\x{ff1a}]?\s*$"
"""Cheap to look for in a million names; what it finds is looked at."""
_CHINESE: Final = re.compile("[计額额]")
GROUPS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {"holdings": (("asset_class", "cfi", "product_id"),)}
"""Columns of which a real row has at least one."""


@dataclass
class Above:
    """What the pieces of a table above this one hold; nothing at first.

    Attributes
    ----------
    summed, number
        Sum and number of the rows so far.
    at_total
        The sum where the last total stood.
    mine
        Sum by client.
    currencies
        Currencies of the rows; of two or more nothing is compared.
    """

    summed: float = 0.0
    number: int = 0
    at_total: float = 0.0
    mine: dict[str, float] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)

    def add(self, typed: pd.DataFrame, value: Cells, rows: Mask) -> None:
        """Go on past a piece: its typed rows, its values, and which rows count."""
        counted = np.where(rows & ~value.empty, np.nan_to_num(value.values.to_numpy(dtype=np.float64)), 0.0)
        self.summed += float(counted.sum())
        self.number += int(rows.sum())
        for client, amount in pd.Series(counted).groupby(typed["client_id"].to_numpy(dtype=object)).sum().items():
            self.mine[str(client)] = self.mine.get(str(client), 0.0) + float(amount)
        if "currency" in typed and len(self.currencies) < 2:
            self.currencies |= set(typed["currency"][rows].unique())


def worded_rows(frame: pd.DataFrame, columns: list[int]) -> Mask:
    """Rows that may state a total, cheap to tell: a word for one ends a text cell.

    Parameters
    ----------
    frame, columns
        The cells as found, and positions of the columns that are looked at.
    """
    import pyarrow.compute as pc

    out = np.zeros(len(frame), dtype=bool)
    for i in columns:
        part = frame.iloc[:, i]
        if part.dtype.kind in "fiubM":
            continue
        coded = to_arrow(as_text(part)[0]).dictionary_encode()
        found = pc.match_substring_regex(coded.dictionary, _LIKELY).to_numpy(zero_copy_only=False)
        if found.any():
            out |= found[coded.indices.to_numpy(zero_copy_only=False)]
    return out


def lacking_rows(table: str, cells: Mapping[str, Cells], void: Mask) -> Positions:
    """Positions of rows that lack what a record must have: only these may be totals without their sum, or notes.

    Parameters
    ----------
    table, cells, void
        The table, its typed columns, and rows without anything in them.
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
    return np.flatnonzero(lacking & ~void)


def total_rows(
    cells: Mapping[str, Cells], frame: pd.DataFrame, looked: Positions, void: Mask
) -> tuple[Mask, list[Note]]:
    """Say which rows sum others up, and which only look so.

    A row is one if a word for it stands in a text cell, and the row lacks what a record must have or its value is the
    sum of rows above: nobody's holding is lost because it is called Total.

    Parameters
    ----------
    cells, frame
        The typed columns, and the cells as found.
    looked
        Positions of rows that lack something (`lacking_rows`).
    void
        Rows without anything in them.
    """
    out = np.zeros(len(void), dtype=bool)
    said = np.zeros(len(looked), dtype=bool)
    for i in range(frame.shape[1] if len(looked) else 0):
        part = frame.iloc[looked, i]
        if part.dtype.kind not in "fiub":
            said |= np.array([isinstance(t, str) and is_total(t) for t in part], dtype=bool)
    out[looked[said]] = True
    return _summing(cells, out, void)


def _summing(cells: Mapping[str, Cells], totals: Mask, void: Mask) -> tuple[Mask, list[Note]]:
    """Add full rows with a word for a total whose value is the sum of those above; warn of those where it is not."""
    import pyarrow.compute as pc

    named = np.zeros(len(void), dtype=bool)
    for name in ("name", "asset_id"):
        if name in cells and "value" in cells:
            named |= pc.match_substring_regex(to_arrow(cells[name].values), _LIKELY).to_numpy(zero_copy_only=False)
    at = [i for i in np.flatnonzero(named & ~totals & ~void).tolist() if _worded(cells, i)]
    if not at:
        return totals, []
    out, doubtful = totals.copy(), []
    values = np.nan_to_num(cells["value"].values.to_numpy(dtype=np.float64))
    plain = ~totals & ~void
    plain[at] = False
    counted = np.where(plain, values, 0.0)
    keys = [cells[k].values.to_numpy(dtype=object) for k in ("client_id", "asset_class") if k in cells]
    above = [np.cumsum(counted)]
    above += [pd.Series(counted).groupby(keys[:n]).cumsum().to_numpy() for n in range(1, len(keys) + 1)]
    summed, numbers = above[0], np.cumsum(plain)
    before = np.concatenate([[0], np.maximum.accumulate(np.where(totals, np.arange(1, len(totals) + 1), 0))])
    last = 0
    for i in at:
        start = max(last, int(before[i]))
        since, rows = (summed[start - 1], numbers[start - 1]) if start else (0.0, 0)
        sums = [float(summed[i] - since), *(float(a[i]) for a in above)]
        several = numbers[i] - rows > 1 or _CHINESE.search(_word(cells, i)) is not None
        if several and values[i] > 0 and min(abs(values[i] - x) for x in sums) <= CENT + 1e-12 * abs(summed[i]):
            out[i], last = True, i + 1
        else:
            doubtful.append(i)
    by_sum = np.flatnonzero(out & ~totals)
    notes = [Note(by_sum, "name", "total_by_sum", WARNING)] if len(by_sum) else []
    if doubtful:
        notes.append(Note(np.array(doubtful, dtype=np.int64), "name", "looks_like_total", WARNING))
    return out, notes


def _word(cells: Mapping[str, Cells], i: int) -> str:
    return " ".join(str(cells[n].values.iloc[i]) for n in ("name", "asset_id") if n in cells)


def _worded(cells: Mapping[str, Cells], i: int) -> bool:
    return any(is_total(str(cells[n].values.iloc[i])) for n in ("name", "asset_id") if n in cells)


def is_total(text: str) -> bool:
    """Whether a text is a word for a total."""
    return WORDS.fullmatch(unicodedata.normalize("NFKC", text).strip()) is not None


def total_notes(
    typed: pd.DataFrame, cells: Mapping[str, Cells], totals: Mask, void: Mask, above: Above | None = None
) -> list[Note]:
    """Report total rows, and compare what they state with the rows above them.

    A stated value agrees if it is that of the rows since the last total, of the client, or of all rows so far. Where
    rows are in several currencies nothing can be compared.

    Parameters
    ----------
    typed, cells
        The table and its typed columns.
    totals, void
        Rows that are totals, and rows that are nothing.
    above
        What the pieces above hold, where this is not the whole table.
    """
    above = Above() if above is None else above
    at = np.flatnonzero(totals)
    if not len(at):
        return []
    notes = [Note(at, "", "total_row", INFO)]
    if "value" not in cells:
        return notes
    failed = cells["value"].empty | cells["value"].failed()
    values = np.where(cells["value"].empty, 0.0, np.nan_to_num(typed["value"].to_numpy(dtype=np.float64)))
    rows = ~totals & ~void
    counted = np.where(rows, values, 0.0)
    summed, number = above.summed + np.cumsum(counted), above.number + np.cumsum(rows)
    whose = typed["client_id"].to_numpy(dtype=object)
    mine = pd.Series(counted).groupby(whose).cumsum().to_numpy()
    owned = (typed["client_id"] != "").to_numpy(dtype=bool)
    currency = typed["currency"].to_numpy(dtype=object) if "currency" in typed else np.full(len(rows), "", dtype=object)
    first = next(iter(above.currencies), currency[np.argmax(rows)] if rows.any() else "")
    mixed = np.maximum.accumulate(rows & (currency != first)) | (len(above.currencies) > 1)
    since = above.at_total
    unread: list[int] = []
    apart: list[int] = []
    for i in at.tolist():
        before, stated = float(summed[i]), float(values[i])
        block, since = before - since, before
        if failed[i] or mixed[i]:
            (unread if failed[i] else apart).append(i)
            continue
        own = above.mine.get(str(whose[i]), 0.0) + float(mine[i]) if owned[i] else 0.0
        sums = (block, before, own or block)  # a word for a total may stand where ids do: nobody has that one
        # half a cent for every thousand rows: a float sum of long columns is no more exact
        slack = CENT * (1 + number[i] / 1000) + 1e-12 * abs(before)
        near = min(sums, key=lambda s: abs(stated - s))
        if abs(stated - near) > slack:
            notes.append(Note(np.array([i]), "value", "total_mismatch", WARNING, f"{near:.2f}"))
    above.at_total = since
    for code, found in (("total_unread", unread), ("total_not_compared", apart)):
        if found:
            notes.append(Note(np.array(found), "value", code, INFO))
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
