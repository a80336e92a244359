"""How much of everything a family owns is property, the home included: gross, and net of what is owed on it.

It stands beside the concentration score, never inside it: the home is outside the buckets.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from allocator.exposures import Exposures, ratio
from allocator.framework import Framework
from allocator.positions import Positions
from allocator.typing import BoolArray, FloatArray


def property_shares(p: Positions, e: Exposures, framework: Framework) -> tuple[FloatArray, FloatArray]:
    """Share of all property in what each family owns.

    Parameters
    ----------
    p, e
        The book as numbers and its exposures.
    framework
        Says which classes are property: those of kind ``property``, and ``home``.

    Returns
    -------
    (gross, net)
        n each: property, looked through, over everything owned (own use and unclassified included; NaN for who owns
        nothing); and the same less the debts secured on property, over the net worth (NaN where that is not above 0).
        The first is how surveys of households count, such as that of the People's Bank of China.
    """
    kinds = np.array([c.kind in ("property", "home") for c in framework.classes.values()], dtype="float64")
    owned = e.classes @ kinds
    worth = np.where(e.net_worth > 0, e.net_worth, np.nan)
    owed = p.debts.per_client(p.debts.value * _on_property(p, np.append(kinds > 0, False)))
    return ratio(owned, p.per_client(p.value)), ratio(owned - owed, worth)


def _on_property(p: Positions, kinds: BoolArray) -> BoolArray:
    """Debts that a holding of those classes secures."""
    d = p.debts
    secured = np.array([x != "" for x in d.secured_by], dtype=bool)
    out = np.zeros(len(secured), dtype=bool)
    at = np.flatnonzero(secured)
    if len(at):
        rows = np.flatnonzero(kinds[p.klass])
        holdings = pd.MultiIndex.from_arrays([p.client[rows], p.holdings["asset_id"].to_numpy(dtype=object)[rows]])
        out[at] = pd.MultiIndex.from_arrays([d.client[at], [d.secured_by[j] for j in at]]).isin(holdings)
    return out
