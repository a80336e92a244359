"""Lines among the rows of a table that are no records: a unit for all amounts, notes, who printed it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from allocator.cells import Cells, Positions, as_text
from allocator.conversions import conversion_table, stack
from allocator.errors import InputError
from allocator.issues import INFO, concat, issue_table
from allocator.notation import parse_amount
from allocator.raw_tables import RawTable
from allocator.rules import Mask
from allocator.totals import is_total
from allocator.ways import PLAIN, Way, folded, title_unit

NOTE: Final = re.compile(
    r"(?:注\s*(?:\d+\s*)?[::释]|备注|说明|制表|制单|复核|审核|打印|导出|数据来源|免责声明|以上数据|第\s*\d+\s*页"
    r"|notes?\s*:|source\s*:|printed\b|exported\b|prepared by|generated\b|disclaimer|page \d+).*",
    re.DOTALL,
)
"""How a line begins that is no record, folded; it counts as one only where it stands alone in its row."""


def is_note(text: str) -> bool:
    """Whether the only text of a row is a note to the table."""
    return NOTE.fullmatch(folded(text)) is not None


def is_bare_total(cells: list[str]) -> bool:
    """Whether the filled cells of a record are nothing but a word for a total and amounts."""
    words = [c for c in cells if is_total(c)]
    return bool(words) and all(c in words or not parse_amount(c)[1] for c in cells)


def stated_unit(text: str) -> Way | None:
    """Read the unit that the only text of a row states for all amounts (``单位:万元``); None when it states none."""
    way = title_unit([text]) if text else None
    return way if way is not None and (way.power or way.currency) else None


def differs(one: Way, other: Way) -> bool:
    """Whether two units for all amounts cannot both be right."""
    return one.power != other.power or bool(one.currency and other.currency and one.currency != other.currency)


def only_text(texts: Iterable[str]) -> str:
    """Give the text of a row with a single filled cell; empty when there are none or several."""
    filled = [t.strip() for t in texts if t.strip()]
    return filled[0] if len(filled) == 1 else ""


def with_unit_below(raw: RawTable) -> RawTable:
    """Take a first row that only states a unit for what a title above the header is."""
    if not len(raw.frame) or "*" in raw.ways:
        return raw
    first = pd.Series([raw.frame.iloc[0, j] for j in range(raw.frame.shape[1])], dtype=object)
    text = only_text(as_text(first)[0])
    way = stated_unit(text)
    if way is None:
        return raw
    return replace(
        raw.taken(np.arange(len(raw.frame)) > 0),
        issues=concat([raw.issues, unit_issue(raw.file, int(raw.numbers()[0]), text)]),
        ignored=raw.ignored + 1,
        conversions=stack([raw.conversions, conversion_table([{"what": "titles", "file": raw.file, "count": 1}])]),
        ways={**raw.ways, "*": way},
    )


def unit_issue(file: str, row: int, text: str) -> pd.DataFrame:
    """Say that a row was taken for the unit of all amounts."""
    return issue_table([{"file": file, "row": row, "code": "unit_row", "value": text, "severity": INFO}])


def note_rows(
    raw: RawTable, cells: Mapping[str, Cells], ways: Mapping[str, Way], looked: Positions, rows: Positions
) -> Mask:
    """Say which rows are notes to the table.

    Parameters
    ----------
    raw, cells, ways
        The table, its typed columns, and how they were read.
    looked
        Positions of rows that lack something every record has.
    rows
        Number of every row.

    Raises
    ------
    InputError
        A row states a unit for the amounts that was not used, or another than the title: all of them might be wrong
        by a power of ten.
    """
    out = np.zeros(len(rows), dtype=bool)
    if "value" in cells:
        looked = looked[cells["value"].empty[looked]]
    if not len(looked):
        return out
    texts = [
        as_text(raw.frame.iloc[looked, i])[0].str.strip().to_numpy(dtype=object) for i in range(raw.frame.shape[1])
    ]
    table = np.array(texts, dtype=object)
    alone = np.flatnonzero((table != "").sum(axis=0) == 1)
    for k in alone:
        text = only_text(table[:, k])
        unit, used = stated_unit(text), ways.get("value", PLAIN)
        if unit is not None and (not used.said or (used.said == "title" and differs(unit, used))):
            refuse_unit(raw.file, int(rows[looked[k]]))
        out[looked[k]] = is_note(text) or (unit is not None and used.said == "title")
    return out


def refuse_unit(file: str, row: int) -> None:
    """Refuse a table in which a unit for the amounts stands where it cannot be applied.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        f"{file}: row {row} states a unit for the amounts; write it into the header, as in 市值(万元), or into a "
        "mapping file (--mapping), so that it is sure what it holds for"
    )
