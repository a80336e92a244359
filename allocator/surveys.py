"""Figures of a population from a sample with weights and several implicates, each with its standard error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from allocator.errors import InputError
from allocator.typing import FloatArray

DRAWS: Final = 400
"""Samples drawn anew for a standard error: it is then itself right to about 4% of itself (1 / √(2·400))."""
SEED: Final = 20260930


class Figure(NamedTuple):
    """What is asked: a mean (of a true-or-false column: a share) or a quantile of a column.

    Attributes
    ----------
    column
        Of the table.
    kind
        ``mean`` or ``quantile``.
    at
        Which quantile, 0.5 for the median.
    """

    column: str
    kind: Literal["mean", "quantile"] = "mean"
    at: float = 0.5


def weighted_quantile(values: FloatArray, weights: FloatArray, at: float = 0.5) -> FloatArray:
    """The smallest value below or at which a part ``at`` of all weight lies.

    Parameters
    ----------
    values
        n.
    weights
        n, or samples × n: one answer for each sample. 0 or more.
    at
        0 to 1.

    Returns
    -------
    numpy.ndarray
        One value per sample; NaN where there is no weight.
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(np.atleast_2d(weights)[:, order], axis=1)
    whole = below[:, -1]
    place = (below < (at * whole)[:, None]).sum(axis=1)
    found = np.asarray(values, dtype="float64")[order][np.minimum(place, len(order) - 1)]
    return np.where(whole > 0, found, np.nan)


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The mean, one for each sample of weights; NaN where there is no weight."""
    many = np.atleast_2d(weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(many @ np.asarray(values, dtype="float64") / many.sum(axis=1), dtype="float64")


def survey_figures(
    table: pd.DataFrame,
    figures: Mapping[str, Figure],
    *,
    weight: str = "weight",
    implicate: str = "implicate",
    draws: int = DRAWS,
) -> pd.DataFrame:
    """Figures of the population with standard errors.

    Parameters
    ----------
    table
        One row per family and implicate (imputed version of its answers).
    figures
        By the name that each shall have.
    weight, implicate
        Columns: how many families in the population a row stands for, and which version it is.
    draws
        Samples drawn anew.

    Returns
    -------
    pandas.DataFrame
        By name: ``value`` (the mean over implicates), ``standard_error``, and ``families`` and ``implicates`` that it
        rests on.

    Raises
    ------
    InputError
        No rows, or a column that is not there.

    Notes
    -----
    With M implicates the variance is the mean of the sampling variances plus (1 + 1/M) times the variance between them
    (Rubin 1987, Multiple Imputation for Nonresponse in Surveys); with one implicate the second part is unknown and left
    out, so the error is somewhat too small. The sampling variance is that of families drawn anew with replacement
    (Efron 1979), each with its weight: it knows nothing of strata, which only a survey's own replicate weights tell.
    """
    missing = sorted({weight, implicate, *(f.column for f in figures.values())} - set(table))
    if missing or not len(table):
        raise InputError(f"nothing to reckon with: {'no rows' if not missing else 'without ' + ', '.join(missing)}")
    parts = [part for _, part in table.groupby(implicate, sort=True)]
    random = np.random.default_rng(SEED)
    values, variances = [], []
    for part in parts:
        own = part[weight].to_numpy("float64")
        count = len(part)
        again = random.multinomial(count, np.full(count, 1.0 / count), size=draws) * own
        values.append([_figure(part, f, own)[0] for f in figures.values()])
        variances.append([float(np.nanvar(_figure(part, f, again), ddof=1)) for f in figures.values()])
    return pd.DataFrame(
        {
            "value": np.mean(values, axis=0),
            "standard_error": rubin(np.array(values), np.array(variances)) ** 0.5,
            "families": round(len(table) / len(parts)),
            "implicates": len(parts),
        },
        index=pd.Index(list(figures), name="figure"),
    )


def rubin(values: FloatArray, variances: FloatArray) -> FloatArray:
    """Variance of the mean over implicates (rows): within, and (1 + 1/M) of that between."""
    count = len(values)
    between = values.var(axis=0, ddof=1) if count > 1 else np.zeros(values.shape[1:])
    return np.asarray(variances.mean(axis=0) + (1.0 + 1.0 / count) * between, dtype="float64")


def _figure(part: pd.DataFrame, figure: Figure, weights: FloatArray) -> FloatArray:
    values = part[figure.column].to_numpy("float64")
    if figure.kind == "mean":
        return weighted_mean(values, weights)
    return weighted_quantile(values, weights, figure.at)
