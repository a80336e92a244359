"""Volatility and expected return of the family's own money."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.assumptions import RiskTable
from allocator.exposures import Exposures, ratio
from allocator.positions import Positions
from allocator.typing import FloatArray


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
    """

    volatility_total: FloatArray
    volatility: FloatArray
    expected_return: FloatArray


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
    sigma = np.sqrt(systematic + np.bincount(whose, weights=by_asset**2, minlength=len(p)))
    positive = np.where(e.equity > 0, e.equity, np.nan)
    return Risk(
        volatility_total=ratio(sigma, e.total),
        volatility=sigma / positive,
        expected_return=(money @ table.mean - table.borrowing_rate * e.debt) / positive,
    )
