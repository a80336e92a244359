"""Volatility and expected return of the family's own money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.assumptions import RiskTable
from allocator.exposures import Exposures, ratio
from allocator.positions import Positions
from allocator.typing import FloatArray

CELLS = 4_000_000
"""Scenario returns of this many client-scenario pairs are held at once."""


@dataclass(frozen=True)
class Risk:
    """Yearly figures per client, as fractions.

    Attributes
    ----------
    volatility_total
        σ_T = √(x'Cx + Σ ι² w²) of the assets, x class shares and w weights of assets.
    volatility
        λ σ_T, of the family's own money; NaN where E ≤ 0.
    expected_return
        (mean of the assets · T − borrowing rate · D) / E; NaN where E ≤ 0.
    specific
        Σ (ι v)² over assets, in money squared: the variance that single assets add of their own.
    """

    volatility_total: FloatArray
    volatility: FloatArray
    expected_return: FloatArray
    specific: FloatArray


def assess(p: Positions, e: Exposures, table: RiskTable, inside: FloatArray) -> Risk:
    """Measure every client.

    Parameters
    ----------
    p, e
        The book as numbers and its exposures.
    table
        Assumptions per class.
    inside
        Vector over classes, 1 for those inside the buckets.
    """
    money = e.classes * inside
    systematic = ((money @ table.loadings) ** 2).sum(axis=1)
    own_part = np.append(table.idiosyncratic * inside, 0.0)[p.klass] * p.value
    # accounts of one asset rise and fall together: their own parts add up before they are squared
    by_asset = np.bincount(p.asset, weights=own_part)
    whose = np.zeros(len(by_asset), dtype="intp")
    whose[p.asset] = p.client
    specific = np.bincount(whose, weights=by_asset**2, minlength=len(p)).astype("float64")
    sigma = np.sqrt(systematic + specific)
    positive = np.where(e.equity > 0, e.equity, np.nan)
    return Risk(
        volatility_total=ratio(sigma, e.total),
        volatility=sigma / positive,
        expected_return=(money @ table.mean - table.borrowing_rate * e.debt) / positive,
        specific=specific,
    )


def shortfall(money: FloatArray, table: RiskTable) -> FloatArray:
    """CVaR of the assets: the mean loss of the worst ``1 − level`` of the scenarios, in money.

    It is min over t of t + Σ (loss − t)⁺ / ((1 − level) S) (Rockafellar and Uryasev), so the scenario at the edge of
    the tail counts with the fraction that is missing.

    Parameters
    ----------
    money
        Clients × classes, money inside the buckets.
    table
        With the scenarios.

    Returns
    -------
    numpy.ndarray
        One amount per client; below 0 where even the worst years bring a gain.
    """
    count = len(table.scenarios)
    tail = (1.0 - table.level) * count
    worst = min(count, max(1, int(np.ceil(tail - 1e-9))))
    out = np.zeros(len(money))
    step = max(1, CELLS // count)
    for start in range(0, len(money), step):
        part = np.partition(money[start : start + step] @ table.scenarios.T, worst - 1, axis=1)[:, :worst]
        edge = part.max(axis=1)
        out[start : start + step] = ((worst - tail) * edge - part.sum(axis=1)) / tail
    return out
