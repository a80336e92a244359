"""Money of a row into the client's currency, to the cent."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.issues import ERROR, issue_table
from allocator.typing import FloatArray


def convert(
    frame: pd.DataFrame, table: str, ids: pd.Index, currency: pd.Series, rates: dict[str, float]
) -> tuple[FloatArray, pd.DataFrame]:
    """Convert the ``value`` column of a table.

    Parameters
    ----------
    frame, table
        Rows with ``client_id``, ``currency`` and ``value``; the name of the table for the issues.
    ids, currency
        Client ids, and the currency of each.
    rates
        Base currency per unit of each currency.

    Returns
    -------
    (value, issues)
        Values in the client's currency, rounded to the cent; NaN, with an issue, where a rate is missing. A row in the
        client's own currency needs no rate.
    """
    # money is kept to the cent from here on, so that what is shown, planned and verified is the same number
    value = np.round(frame["value"].to_numpy("float64") * rate_between(frame, ids, currency, rates), 2)
    if np.isfinite(value).all():
        return value, issue_table()
    home = currency.to_numpy()[ids.get_indexer(pd.Index(frame["client_id"]))]
    row = np.where(frame["currency"] == "", home, frame["currency"])
    rows = [
        {
            "client_id": frame["client_id"].iloc[i],
            "file": frame["file"].iloc[i],
            "table": table,
            "row": frame["row"].iloc[i],
            "column": "currency",
            "code": "missing_rate",
            "value": row[i],
            "severity": ERROR,
            "mend": row[i] if row[i] not in rates else home[i],
        }
        for i in np.flatnonzero(~np.isfinite(value))
    ]
    return value, issue_table(rows)


def rate_between(frame: pd.DataFrame, ids: pd.Index, currency: pd.Series, rates: dict[str, float]) -> FloatArray:
    """Client's currency per unit of each row's currency; NaN where a rate is missing."""
    home = currency.to_numpy()[ids.get_indexer(pd.Index(frame["client_id"]))]
    stated = frame["currency"].to_numpy()
    same = (stated == "") | (stated == home)
    if same.all():
        return np.ones(len(frame))
    row = np.where(same, home, stated)
    to = pd.Series(row).map(rates).to_numpy("float64", na_value=np.nan)
    at = pd.Series(home).map(rates).to_numpy("float64", na_value=np.nan)
    return np.where(same, 1.0, to / np.where(same, 1.0, at))
