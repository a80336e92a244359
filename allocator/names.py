"""Names of what clients have and owe: unique within a client, the same asset in several accounts taken together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.typing import BoolArray, FloatArray


def unique_within(client: pd.Series, name: pd.Series) -> pd.Series:
    """Number what is called the same: ``loan``, ``loan (2)``, ..., never like another name of the client.

    Parameters
    ----------
    client, name
        One entry per row, in the order of the file.

    Returns
    -------
    pandas.Series
        The names, each unique within its client.
    """
    doubled = pd.DataFrame({"client": client, "name": name}).duplicated(keep=False)
    out = name.astype("object").to_numpy().copy()
    concerned = np.flatnonzero(client.isin(client[doubled]).to_numpy())
    for places in client.iloc[concerned].groupby(client.iloc[concerned].to_numpy()).indices.values():
        mine = concerned[places]
        taken, seen = set(out[mine]), set()
        for place in mine:
            text, k = str(out[place]), 2
            fresh = text
            while fresh in seen or (fresh != text and fresh in taken):
                fresh, k = f"{text} ({k})", k + 1
            seen.add(fresh)
            out[place] = fresh
    return pd.Series(out, index=name.index, dtype="str")


def merge_accounts(frame: pd.DataFrame, value: FloatArray, like: list[str]) -> tuple[FloatArray, BoolArray]:
    """Add up what is the same asset in several accounts: two accounts must not look like diversification.

    Parameters
    ----------
    frame, value
        Holdings, and what each is worth (NaN: set aside).
    like
        Columns in which the accounts must agree; where they do not, say because one is locked, both stay.

    Returns
    -------
    (value, first)
        Values with the sum at the first row of each asset, and which rows are such first rows.
    """
    keys = ["client_id", "asset_id"]
    usable = np.isfinite(value)
    doubled = frame.duplicated(keys, keep=False).to_numpy() & usable
    first = np.ones(len(frame), dtype=bool)
    if not doubled.any():
        return value, first
    part = frame.loc[doubled, [*keys, *like]]
    group = part.groupby([*keys, *like], sort=False, dropna=False).ngroup().to_numpy()
    places = np.flatnonzero(doubled)
    leader = np.unique(group, return_index=True)[1]
    out = value.copy()
    out[places[leader]] = np.round(np.bincount(group, weights=value[places]), 2)
    first[places] = False
    first[places[leader]] = True
    return out, first
