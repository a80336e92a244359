"""Where the volatility of a family's own money comes from: parts of holdings and classes that add up, and bets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.assumptions import Assumptions, RiskTable
from allocator.exposures import Exposures, class_money, ratio
from allocator.framework import Framework
from allocator.positions import Positions
from allocator.typing import FloatArray, IntArray

CELLS: Final = 4_000_000
"""This many holding-factor pairs are held at once."""
TURNS: Final = 10_000
"""Most turns of the iteration for the minimum torsion; it takes some twenty."""


@dataclass(frozen=True)
class Moves:
    """What moves the assets of each client, in money.

    Attributes
    ----------
    money
        Clients × classes: money inside the buckets, funds looked through.
    systematic
        Clients × columns of ``RiskTable.loadings``: money moved by each; squares sum to the variance.
    own
        Per holding, its idiosyncratic volatility times its value.
    by_asset, whose
        The same summed over the accounts of one asset, by code of the asset; and its client.
    sigma
        Volatility of each client's assets, in money.
    """

    money: FloatArray
    systematic: FloatArray
    own: FloatArray
    by_asset: FloatArray
    whose: IntArray
    sigma: FloatArray


@dataclass(frozen=True)
class Contributions:
    """Volatility of own money in parts, yearly, as fractions of E.

    A part is what the holding's own volatility and its comovement with everything else bring: it may be below 0 (a
    hedge), and the parts of a client sum to the volatility exactly. NaN where E ≤ 0; 0 where nothing moves.

    Attributes
    ----------
    marginal
        Per holding: by how much the volatility grows per unit of own money put into it. NaN where nothing moves.
    holding
        Per holding: marginal times value over E.
    classes
        Clients × classes: funds looked through; what a fund adds of its own belongs to the class of the fund.
    """

    marginal: FloatArray
    holding: FloatArray
    classes: FloatArray


def moves(p: Positions, table: RiskTable, inside: FloatArray) -> Moves:
    """Split what moves each client's assets into common factors and single assets.

    Parameters
    ----------
    p
        The book as numbers.
    table
        Assumptions per class.
    inside
        Vector over classes, 1 for those inside the buckets.
    """
    money = class_money(p) * inside
    systematic = money @ table.loadings
    own = np.append(table.idiosyncratic * inside, 0.0)[p.klass] * p.value
    # accounts of one asset rise and fall together: their own parts add up before they are squared
    by_asset = np.bincount(p.asset, weights=own).astype("float64")
    whose = np.zeros(len(by_asset), dtype="intp")
    whose[p.asset] = p.client
    specific = np.bincount(whose, weights=by_asset**2, minlength=len(p))
    sigma = np.sqrt((systematic**2).sum(axis=1) + specific)
    return Moves(money, systematic, own, by_asset, whose, np.asarray(sigma, dtype="float64"))


def contribute(p: Positions, e: Exposures, found: Moves, framework: Framework, table: RiskTable) -> Contributions:
    """Split the volatility of each client's own money over holdings and classes.

    Parameters
    ----------
    p, e
        The book as numbers and its exposures.
    found
        From `moves`.
    framework, table
        Which classes are inside the buckets, and the assumptions per class.
    """
    inside, k = framework.flag("inside"), len(framework.classes)
    equity = np.where(e.equity > 0, e.equity, np.nan)
    own_rate = np.append(table.idiosyncratic * inside, 0.0)[p.klass]
    pull = _common(p, found, (p.mix_table * inside) @ table.loadings) + own_rate * found.by_asset[p.asset]
    marginal = ratio(pull, found.sigma[p.client])
    known = p.klass >= 0
    specific = np.bincount(
        p.client[known] * k + p.klass[known],
        weights=(found.own * found.by_asset[p.asset])[known],
        minlength=len(p) * k,
    ).reshape(len(p), k)
    parts = found.money * (found.systematic @ table.loadings.T) + specific
    return Contributions(
        marginal=np.where(e.equity[p.client] > 0, marginal, np.nan),
        holding=np.nan_to_num(marginal) * p.value / equity[p.client],
        classes=np.nan_to_num(ratio(parts, found.sigma[:, None])) / equity[:, None],
    )


def _common(p: Positions, found: Moves, rows: FloatArray) -> FloatArray:
    """Covariance of one unit of each holding with its client's assets, factors only; ``rows`` is mixes × factors."""
    out = np.empty(len(p.value))
    step = max(1, CELLS // max(1, rows.shape[1]))
    for start in range(0, len(out), step):
        part = slice(start, start + step)
        out[part] = np.einsum("ij,ij->i", rows[p.mix[part]], found.systematic[p.client[part]])
    return out


def effective_bets(found: Moves, framework: Framework, assumptions: Assumptions) -> FloatArray:
    """Effective number of bets: exp(−Σ p ln p), p the share of each uncorrelated bet in the variance.

    The bets are the minimum-torsion factors (uncorrelated, and as close to the factors of the assumptions as
    uncorrelated ones can be) and, one each, what single assets add of their own: Meucci, Santangelo and Deguest, Risk
    budgeting and diversification based on optimized uncorrelated factors, Risk 28(11), 2015. It is 1 where one bet is
    everything and n for n equal bets without correlation.

    Parameters
    ----------
    found
        From `moves`.
    framework, assumptions
        The classes, and the factors they are made of.

    Returns
    -------
    numpy.ndarray
        One per client; NaN where nothing moves.
    """
    volatility = np.array([f.volatility for f in assumptions.factors.values()])
    rows = [assumptions.classes[c.assumption or code] for code, c in framework.classes.items()]
    beta = np.array([[r.loadings.get(f, 0.0) for f in assumptions.factors] for r in rows])
    common = (found.money @ (beta * volatility)) @ torsion(np.array(assumptions.correlation.rows)).T
    variance = found.sigma**2
    shares = ratio(common**2, variance[:, None])
    single = ratio(found.by_asset**2, variance[found.whose])
    alone = np.bincount(found.whose, weights=_plogp(single), minlength=len(variance))
    return np.where(variance > 0, np.exp(-(_plogp(shares).sum(axis=1) + alone)), np.nan)


def torsion(correlation: FloatArray) -> FloatArray:
    """Rotated root M = qc of a correlation: Mb has the volatility that exposures b carry on each bet.

    c is the symmetric root, and the rotation q makes the uncorrelated factors follow the given ones as closely as
    possible: q is the orthogonal part of diag(d)c where d is the diagonal of qc, found by turns (Meucci, Santangelo and
    Deguest 2015, the exact minimum torsion).

    Parameters
    ----------
    correlation
        Of the factors, positive semidefinite.

    Returns
    -------
    numpy.ndarray
        M with M'M = correlation.
    """
    values, vectors = np.linalg.eigh(correlation)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    weight = np.ones(len(root))
    for _ in range(TURNS):
        left, _, right = np.linalg.svd(weight[:, None] * root)
        turned = left @ right @ root
        new = np.diag(turned)
        if np.abs(new - weight).max() < 1e-13:
            break
        weight = new
    return np.asarray(turned)


def _plogp(p: FloatArray) -> FloatArray:
    p = np.nan_to_num(p)
    return np.asarray(p * np.log(np.where(p > 0, p, 1.0)))
