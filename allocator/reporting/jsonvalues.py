"""Tables as plain Python values that JSON can carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

Json = dict[str, Any]


def records(frame: pd.DataFrame, money: Iterable[str] = ()) -> list[Json]:
    """Rows as mappings of plain Python values: NaN, infinity and NaT as None, ``money`` columns rounded to cents."""
    rounded = set(money)
    columns = [(cents(frame[c]) if c in rounded else plain(frame[c].to_numpy())) for c in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def grouped(frame: pd.DataFrame, ids: Sequence[str], money: Iterable[str] = ()) -> dict[str, list[Json]]:
    """Rows by client, without the client column."""
    out: dict[str, list[Json]] = {i: [] for i in ids}
    for who, row in zip(frame["client_id"].tolist(), records(frame.drop(columns="client_id"), money), strict=True):
        out[who].append(row)
    return out


def cents(values: Any) -> list[Any]:
    """Amounts rounded to cents, None for what is no number."""
    return plain(np.round(np.asarray(values, dtype="float64"), 2) + 0.0)


def plain(values: Any) -> list[Any]:
    """Nested lists of Python values with None for what is no number."""
    array = np.asarray(values)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = array.astype("object")
        array[~np.isfinite(np.asarray(values))] = None
    return list(array.tolist())
