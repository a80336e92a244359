"""Columns of text between pandas and Arrow, whose kernels read a million cells at once."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def stored(path: str | os.PathLike[str]) -> Any:
    """Open a file for Arrow to read; Arrow itself cannot where the locale has no letters for its name (``LC_ALL=C``).

    Raises
    ------
    OSError
        It cannot be opened.
    """
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path))


def to_arrow(text: pd.Series[Any]) -> Any:
    """Turn texts into one Arrow array; missing cells are null."""
    import pyarrow as pa

    array = pa.array(text, type=pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def to_pandas(array: Any) -> pd.Series[Any]:
    """Turn an Arrow array of texts into a Series."""
    return pd.Series(pd.array(array, dtype="str"))


def to_floats(array: Any) -> NDArray[np.float64]:
    """Cast an Arrow array to float64; null becomes NaN."""
    import pyarrow as pa

    out: NDArray[np.float64] = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return out


def some(array: Any) -> bool:
    """Whether any value is true."""
    import pyarrow.compute as pc

    return bool(pc.any(array).as_py())


def every(array: Any) -> bool:
    """Whether no value is false; nulls do not count."""
    import pyarrow.compute as pc

    return pc.all(array).as_py() is not False
