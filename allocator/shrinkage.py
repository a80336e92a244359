"""Statistics of return series: shrunk covariances, and what appraisals have smoothed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from allocator.errors import InputError
from allocator.typing import FloatArray


def ledoit_wolf(x: FloatArray) -> tuple[FloatArray, float]:
    """Shrink a sample covariance toward equal variances and no correlation.

    ``(1 − δ) S + δ μ I`` with S the covariance (divided by the number of rows), μ the mean variance and δ the weight of
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88.

    Parameters
    ----------
    x
        Rows × assets, finite.

    Returns
    -------
    (covariance, shrinkage)
        Per period; the shrinkage δ is 0 for a single asset.
    """
    n, p = x.shape
    x = x - x.mean(axis=0)
    s = np.asarray(x.T @ x / n)
    if p == 1:
        return s, 0.0
    mu = float(np.trace(s)) / p
    spread = float((s**2).sum())
    distance = spread / p - mu**2
    noise = (float(((x**2).T @ (x**2)).sum()) / n - spread) / (p * n)
    weight = 0.0 if distance <= 0 or noise <= 0 else min(noise, distance) / distance
    return (1 - weight) * s + weight * mu * np.eye(p), weight


def unsmooth(returns: pd.Series, autocorrelation: float | None = None) -> pd.Series:
    """Take the smoothing of appraisals out of a series (Geltner 1993, Journal of Real Estate Finance and Economics 6).

    An appraiser goes only part of the way to what the market says: s(t) = (1 − a) r(t) + a s(t−1). So
    r(t) = (s(t) − a s(t−1)) / (1 − a), with a the first autocorrelation. The mean stays, the volatility grows by about
    √((1 + a) / (1 − a)).

    Parameters
    ----------
    returns
        In order of time, without gaps; NaN at the ends is left out.
    autocorrelation
        a; default that of the series. Where it is 0 or less nothing was smoothed, and the series comes back as it is.

    Returns
    -------
    pandas.Series
        With the index of the input and NaN in the first period, which has none before it.

    Raises
    ------
    InputError
        A gap inside the series, fewer than three returns, or a of 1 or more.
    """
    s = returns.astype("float64")
    known = np.flatnonzero(s.notna().to_numpy())
    if len(known) < 3 or known[-1] - known[0] + 1 > len(known):
        raise InputError(f"series '{returns.name}' must have at least three returns and no gap between them")
    a = first_autocorrelation(s.to_numpy("float64")[known]) if autocorrelation is None else float(autocorrelation)
    if a >= 1:
        raise InputError(
            f"series '{returns.name}' has an autocorrelation of {a:.2f}; only under 1 it can be unsmoothed"
        )
    return (s - a * s.shift()) / (1 - a) if a > 0 else s


def first_autocorrelation(x: npt.NDArray[Any]) -> float:
    """Correlation of a series with itself one period before; 0 where it does not move or is shorter than three."""
    if len(x) < 3:
        return 0.0
    one, two = x[1:] - x[1:].mean(), x[:-1] - x[:-1].mean()
    scale = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / scale if scale > 0 else 0.0


def correlation_of(covariance: FloatArray) -> FloatArray:
    """Correlations of a covariance; 0 with what does not move, and 1 on the diagonal."""
    spread = np.sqrt(np.diag(covariance))
    scale = np.outer(spread, spread)
    r: FloatArray = np.zeros_like(covariance)
    np.divide(covariance, scale, out=r, where=scale > 0)
    r = np.clip((r + r.T) / 2, -1.0, 1.0)
    np.fill_diagonal(r, 1.0)
    return r
