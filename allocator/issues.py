"""Issues are values: what was wrong with which row, and how to mend it, as one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import pandas as pd

from allocator.legible import readable

COLUMNS: Final = ("client_id", "file", "table", "row", "column", "code", "value", "severity", "mend")
"""Columns of every issue table. ``row`` counts as a spreadsheet does: the header is row 1; 0 means the whole file."""

ERROR: Final = "error"
"""The row, or the client's plan, was set aside."""
WARNING: Final = "warning"
"""Used, but under an assumption that the reader should know."""
INFO: Final = "info"
"""Pointed out; nothing is wrong."""
SEVERITIES: Final = (ERROR, WARNING, INFO)


def issue_table(rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Build an issue table.

    Parameters
    ----------
    rows
        Mappings with keys out of `COLUMNS`; missing keys become empty text, a missing row 0.
        ``code`` is a key of the ``issue`` section of the word catalogues; ``mend`` holds data for its sentence
        (for instance the allowed values), never prose.

    Returns
    -------
    pandas.DataFrame
        One row per issue, text columns except the integer ``row``.
    """
    found = [{k: readable(v) for k, v in r.items()} for r in rows]
    return _typed(pd.DataFrame(found, columns=list(COLUMNS))) if found else _nothing().copy()


def concat(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Stack issue tables, errors first, otherwise in the order given."""
    filled = [t for t in tables if len(t)]
    if not filled:
        return issue_table()
    frame = _typed(pd.concat(filled, ignore_index=True))
    rank = frame["severity"].map({s: i for i, s in enumerate(SEVERITIES)})
    return frame.iloc[rank.argsort(kind="stable").to_numpy()].reset_index(drop=True)


@cache
def _nothing() -> pd.DataFrame:
    """The table without rows: reading a small book asks for it some thirty times."""
    return _typed(pd.DataFrame(columns=list(COLUMNS)))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.reindex(columns=list(COLUMNS))
    row = pd.to_numeric(out["row"], errors="coerce").fillna(0).astype("int64")
    out = out.astype("object").where(out.notna(), "").astype("str")
    return out.assign(row=row)[list(COLUMNS)]
