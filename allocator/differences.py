"""What differs between two results of the same clients, client by client."""

from __future__ import annotations

from typing import Final

import pandas as pd

from allocator.errors import InputError

DIGITS: Final = 6
"""Figures that agree to so many digits after the point are equal."""


def differences(mine: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Compare two tables with one row per client.

    Parameters
    ----------
    mine, other
        Tables with ``client_id`` and the same columns.

    Returns
    -------
    pandas.DataFrame
        By client; under each figure that differs for anybody the columns ``this`` and ``other``, NaN for the clients
        for whom it is the same. Empty where nothing differs.

    Raises
    ------
    InputError
        The two are not of the same clients.
    """
    here, there = (t.set_index("client_id").round(DIGITS) for t in (mine, other))
    if set(here.index) != set(there.index):
        raise InputError("these two are not of the same clients; compare results of the same book")
    categories = [c for c in here if isinstance(here[c].dtype, pd.CategoricalDtype)]
    here, there = (t.astype(dict.fromkeys(categories, "str")) for t in (here, there))
    return here.compare(there.loc[here.index], result_names=("this", "other"))
