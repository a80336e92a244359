"""Names of what clients have and owe: unique within a client, the same asset in several accounts taken together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.typing import BoolArray, FloatArray, IntArray


def pair_codes(one: IntArray, two: pd.Series) -> IntArray:
    """Codes from 0, the same for rows in which both columns agree; in the order in which they occur.

    Parameters
    ----------
    one, two
        Codes of 0 or more, and texts: one per row.
    """
    found, words = pd.factorize(two)
    return pd.factorize(one.astype("int64") * max(len(words), 1) + found)[0].astype("intp")


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
    if not doubled.any():
        return name
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


def one_account(asset: IntArray, usable: BoolArray, like: pd.DataFrame) -> IntArray:
    """Say which accounts hold the same asset: two accounts must not look like diversification.

    Parameters
    ----------
    asset
        Code of the asset of each row, unique over clients.
    usable
        Rows that count; the others stay alone.
    like
        Columns in which the accounts must agree; where they do not, say because one is locked, both stay.

    Returns
    -------
    numpy.ndarray
        For each row the first row that it is put together with: its own place where it stays alone or comes first.
    """
    out = np.arange(len(asset))
    doubled = (np.bincount(asset, minlength=1)[asset] > 1) & usable
    places = np.flatnonzero(doubled)
    if not len(places):
        return out
    part = like.iloc[places].assign(asset=asset[places])
    group = part.groupby(list(part.columns), sort=False, dropna=False).ngroup().to_numpy()
    leader = np.unique(group, return_index=True)[1]
    out[places] = places[leader[group]]
    return out


def summed(amount: FloatArray, first: IntArray) -> FloatArray:
    """Put the sum over all rows with the same first row at that row, to the cent; NaN where one of them is unknown."""
    if np.array_equal(first, np.arange(len(first))):
        return amount
    return np.asarray(np.round(np.bincount(first, weights=amount, minlength=len(amount)), 2), dtype="float64")
