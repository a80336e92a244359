"""Correlations that cannot hold together, and the nearest that can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.typing import FloatArray

LEAST: Final = 1e-10
"""Lowest eigenvalue of a repaired matrix: 0 with room for rounding."""
ROUNDS: Final = 2_000
CLOSE: Final = 1e-13


@dataclass(frozen=True)
class Repair:
    """What it took to make a matrix a correlation matrix.

    Attributes
    ----------
    matrix
        Symmetric, 1 on the diagonal, positive semidefinite.
    lowest_before, lowest_after
        Lowest eigenvalue as given (of its symmetric part) and now; below 0 the correlations cannot hold together.
    pair
        Row and column of what changed most off the diagonal; (0, 0) where nothing is off the diagonal.
    before, after
        That correlation as given and now.
    """

    matrix: FloatArray
    lowest_before: float
    lowest_after: float
    pair: tuple[int, int]
    before: float
    after: float

    @property
    def largest_change(self) -> float:
        """How far the correlation that changed most has moved."""
        return abs(self.after - self.before)

    @property
    def changed(self) -> bool:
        """Whether anything moved by more than rounding."""
        return self.largest_change > 1e-9


def nearest_correlation(matrix: FloatArray) -> Repair:
    """Find the correlation matrix nearest to a symmetric matrix, in the Frobenius norm.

    Alternating projections with Dykstra's correction (Higham 2002, "Computing the nearest correlation matrix: a problem
    from finance", IMA Journal of Numerical Analysis 22, algorithm 3.3). One that is a correlation matrix comes back as
    it is.

    Parameters
    ----------
    matrix
        Square and finite; what is not symmetric is averaged with its mirror first.

    Returns
    -------
    Repair

    Raises
    ------
    ValueError
        Not square, or not finite.
    """
    given = np.array(matrix, dtype="float64")
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not np.isfinite(given).all():
        raise ValueError("a square matrix of finite numbers is expected")
    y = (given + given.T) / 2
    before = float(np.linalg.eigvalsh(y).min())
    if before < -1e-12 or np.abs(np.diag(y) - 1).max() > 1e-12:
        y = _floored(_projected(y))
    else:
        y = y.copy()
    np.fill_diagonal(y, 1.0)
    moved = np.abs(y - given)
    np.fill_diagonal(moved, 0.0)
    i, j = (int(k) for k in np.unravel_index(moved.argmax(), moved.shape))
    pair = (min(i, j), max(i, j))
    return Repair(y, before, float(np.linalg.eigvalsh(y).min()), pair, float(given[i, j]), float(y[i, j]))


def _projected(y: FloatArray) -> FloatArray:
    """Alternate between the semidefinite matrices and those with 1 on the diagonal."""
    correction = np.zeros_like(y)
    for _ in range(ROUNDS):
        start = y
        r = y - correction
        values, vectors = np.linalg.eigh(r)
        x = (vectors * np.maximum(values, 0.0)) @ vectors.T
        correction = x - r
        y = (x + x.T) / 2
        np.fill_diagonal(y, 1.0)
        if np.abs(y - start).max() <= CLOSE and np.abs(x - y).max() <= 1e3 * CLOSE:
            break
    return y


def _floored(y: FloatArray) -> FloatArray:
    """Lift what rounding left below `LEAST`, and scale back to 1 on the diagonal."""
    values, vectors = np.linalg.eigh(y)
    x = (vectors * np.maximum(values, LEAST)) @ vectors.T
    d = 1 / np.sqrt(np.diag(x))
    out: FloatArray = x * np.outer(d, d)
    return np.clip((out + out.T) / 2, -1.0, 1.0)
