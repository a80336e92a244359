"""Which risk band each client is in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.book import Book
from allocator.errors import ConfigError
from allocator.framework import Framework, fold_label
from allocator.issues import ERROR, WARNING, issue_table
from allocator.typing import IntArray


def read_bands(book: Book, framework: Framework, band: str | None) -> tuple[IntArray, pd.DataFrame]:
    """Read the risk band of every client.

    Parameters
    ----------
    book, framework
        The clients, and the words for bands.
    band
        One band (code or label) for all, over what the book says.

    Returns
    -------
    (band, issues)
        Index of each client's band, −1 where it is unknown.

    Raises
    ------
    ConfigError
        ``band`` names no band.
    """
    aliases = framework.band_aliases
    codes = framework.band_codes
    n = len(book.clients)
    if band is not None:
        if fold_label(band) not in aliases:
            raise ConfigError(f"unknown band '{band}'; allowed: {', '.join([*codes, *framework.labels])}")
        return np.full(n, codes.index(aliases[fold_label(band)]), dtype="intp"), issue_table()
    if "clients.risk_band" not in book.given:
        row = {
            "table": "clients",
            "column": "risk_band",
            "code": "band_assumed",
            "value": n,
            "severity": WARNING,
            "mend": framework.default_band,
        }
        return np.full(n, codes.index(framework.default_band), dtype="intp"), issue_table([row])
    text = book.clients["risk_band"]
    ix = text.map(
        {t: codes.index(aliases[fold_label(t)]) if fold_label(t) in aliases else -1 for t in text.unique()}
    ).to_numpy("intp")
    rows = [
        {
            "client_id": book.clients["client_id"].iloc[i],
            "file": book.clients["file"].iloc[i],
            "table": "clients",
            "row": book.clients["row"].iloc[i],
            "column": "risk_band",
            "value": text.iloc[i],
            "severity": ERROR,
            "code": "unknown_band" if text.iloc[i] else "band_missing",
            "mend": ", ".join(codes),
        }
        for i in np.flatnonzero(ix < 0)
    ]
    return ix, issue_table(rows)
