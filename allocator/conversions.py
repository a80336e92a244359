"""Conversions are values: what was read otherwise than it was written, column by column, as one table.

A conversion shows its form, never a client's value: every digit stands as 9, every letter as x.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import pandas as pd

from allocator.legible import readable

COLUMNS: Final = ("what", "file", "table", "sheet", "column", "header", "count", "form", "read_as", "doubtful")
"""Columns of a conversion table: code (key of the ``conversion`` section of the word catalogues), where, the schema's
column and the header as found, number of cells or rows, form as written, what it was read as, and whether a person
should decide."""
MOST: Final = 40
"""Longest form shown."""
_KEPT: Final = frozenset("万亿千百元年月日")
_DIGITS: Final = re.compile(r"9{4,}")


def form_of(text: str) -> str:
    """Form of a text without its content: digits as 9, letters as x, units and signs as they are."""
    out = []
    for c in text[: 4 * MOST]:
        kind = unicodedata.category(c)
        if kind[0] == "N":
            out.append("９" if c != unicodedata.normalize("NFKC", c) else "9")
        elif kind[0] == "L" and c not in _KEPT:
            out.append("x")
        else:
            out.append(c)
    return _DIGITS.sub("9999", "".join(out))[:MOST]


def conversion_table(rows: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Build a conversion table.

    Parameters
    ----------
    rows
        Mappings with keys out of `COLUMNS`; missing ones become empty text, count 0 and not doubtful.
    """
    found = [{k: readable(v) for k, v in r.items()} for r in rows]
    return _typed(pd.DataFrame(found, columns=list(COLUMNS))) if found else _nothing().copy()


@cache
def _nothing() -> pd.DataFrame:
    """The table without rows, as for issues."""
    return _typed(pd.DataFrame(columns=list(COLUMNS)))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    count = pd.to_numeric(frame["count"], errors="coerce").fillna(0).astype("int64")
    doubtful = frame["doubtful"].map(lambda v: v is True).astype(bool)
    out = frame.astype("object").where(frame.notna(), "").astype("str")
    return out.assign(count=count, doubtful=doubtful)[list(COLUMNS)]


def stack(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Stack conversion tables in the order given."""
    filled = [t for t in tables if len(t)]
    return pd.concat(filled, ignore_index=True) if filled else conversion_table()
