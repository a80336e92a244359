"""Tiers by assets, and the Pareto tables: which part of the clients holds which part of the money."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from allocator.framework import Framework
from allocator.typing import AnyArray, FloatArray

RICHEST: Final = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Parts of the clients, the richest first, whose part of the money is shown."""
HELD: Final = (0.5, 0.8, 0.9)
"""Parts of the money for which the fewest clients that hold it are shown."""
BELOW: Final = "below"
"""Segment of who has less than the lowest tier asks for."""


def tiers(framework: Framework) -> dict[str, float]:
    """Assets from which a client belongs to each tier, in the base currency, the lowest first.

    They are the framework's (``[tiers]``), which a bank's own file replaces.
    """
    found = {code: float(least) for code, least in framework.tiers.items() if not isinstance(least, str)}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def segments(total: FloatArray, framework: Framework) -> AnyArray:
    """Tier of each client by assets.

    Parameters
    ----------
    total
        T, the value of the three buckets, in the base currency of the framework.
    framework
        With the tiers.

    Returns
    -------
    numpy.ndarray
        Code of the highest tier that is reached, `BELOW` for none, empty where the total is NaN.
    """
    found = tiers(framework)
    codes = np.array([BELOW, *found], dtype=object)
    known = ~np.isnan(total)
    place = np.searchsorted(np.array(list(found.values())), np.where(known, total, 0.0), side="right")
    return np.asarray(np.where(known, codes[place], ""))


def pareto(total: FloatArray) -> pd.DataFrame:
    """Which part of the clients holds which part of the money.

    Parameters
    ----------
    total
        Money of each client in one currency; NaN (no rate) is left out, clients with nothing count as clients.

    Returns
    -------
    pandas.DataFrame
        ``question`` (``richest``: the money of the richest part of the clients, who are rounded up to a whole one;
        ``held``: the fewest clients that hold a part of the money), ``asked`` (that part),
        ``clients``, ``part_clients``, ``money`` and ``part_money``. Empty where nobody has any.
    """
    ranked = np.sort(total[~np.isnan(total)])[::-1]
    columns = ["question", "asked", "clients", "part_clients", "money", "part_money"]
    if not len(ranked) or ranked.sum() <= 0:
        return pd.DataFrame({c: pd.Series(dtype="str" if c == "question" else "float64") for c in columns})
    held = np.cumsum(ranked)
    # 1e-9: 0.1 × 30 is 3.0000000000000004, and three clients are meant
    counts = [max(1, math.ceil(part * len(ranked) - 1e-9)) for part in RICHEST]
    counts += [int(np.searchsorted(held, part * held[-1] * (1 - 1e-12))) + 1 for part in HELD]
    at = np.array(counts)
    return pd.DataFrame(
        {
            "question": pd.Series(["richest"] * len(RICHEST) + ["held"] * len(HELD), dtype="str"),
            "asked": [*RICHEST, *HELD],
            "clients": at,
            "part_clients": at / len(ranked),
            "money": held[at - 1],
            "part_money": held[at - 1] / held[-1],
        }
    )


def grouped(clients: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Clients and money of each group, the most money first.

    Parameters
    ----------
    clients
        ``total`` (base currency, NaN without a rate), ``score``, ``over`` (limits exceeded, in clients) and the columns
        of ``by``.
    by
        What to group by.

    Returns
    -------
    pandas.DataFrame
        The group, ``clients``, ``part_clients``, ``money``, ``part_money``, ``median_score``, ``exceeded``
        (clients with a limit exceeded), ``richest`` (part of the group's money that its richest
        fifth of clients holds).
    """
    found = clients.groupby(list(by), sort=False, dropna=False)
    out = found.agg(clients=("total", "size"), money=("total", "sum"), median_score=("score", "median"),
                    exceeded=("over", "sum"))  # fmt: skip
    ranked = clients[clients["total"].notna()].sort_values("total", ascending=False, kind="stable")
    each = ranked.groupby(list(by), sort=False)
    # rows of each group are numbered from its richest client on; the richest fifth is rounded up to a whole client
    top = each.cumcount() < np.ceil(0.2 * each["total"].transform("size") - 1e-9)
    richest = ranked[top].groupby(list(by), sort=False)["total"].sum().reindex(out.index)
    whole, money = len(clients), out["money"].sum()
    out = out.assign(
        part_clients=out["clients"] / max(whole, 1),
        part_money=out["money"] / money if money > 0 else np.nan,
        richest=(richest / out["money"]).where(out["money"] > 0),
    )
    order = ["clients", "part_clients", "money", "part_money", "richest", "median_score", "exceeded"]
    return out[order].reset_index().sort_values(["money", *by], ascending=[False, *[True] * len(by)], ignore_index=True)
