"""The pieces of the programme, in cvxpy terms. Each works on any affine expression of weights."""

from __future__ import annotations

from typing import Any

Expression = Any
"""A cvxpy expression; cvxpy has no types of its own."""


def risk_cone(weights: Expression, loadings: Expression, idiosyncratic: Expression, most: Expression) -> Expression:
    """‖(Z w, ι∘w)‖₂ ≤ most: the volatility of a mix of holdings stays under an amount.

    Parameters
    ----------
    weights
        n weights.
    loadings
        Z, factors × n, scaled so that Z'Z is the systematic covariance.
    idiosyncratic
        ι, n: each holding's own volatility.
    most
        Scalar, affine.
    """
    import cvxpy as cp

    return cp.SOC(most, cp.hstack([loadings @ weights, cp.multiply(idiosyncratic, weights)]))


def distance(weights: Expression, rows: Expression) -> Expression:
    """‖R w‖²: squared distance to a target mix, R holding the rows (indicator − target · 1')."""
    import cvxpy as cp

    return cp.sum_squares(rows @ weights)


def within(rows: Expression, weights: Expression, bound: Expression, excess: Expression) -> Expression:
    """G w ≤ h + s: limits with their excess."""
    return rows @ weights <= bound + excess


def no_worse(left: Expression, bound: Expression, allowance: Expression, total: Expression) -> Expression:
    """Left side ≤ its bound and the excess at the start, plus what costs alone do to it where nothing can be sold.

    It bounds the left side itself, not the excess variable, so that the programme keeps an interior where nothing may
    be exceeded.
    """
    import cvxpy as cp

    return left + cp.multiply(allowance, total) <= bound


def self_financing(
    weights: Expression, buys: Expression, sells: Expression, costs: tuple[Expression, Expression], money: Expression
) -> Expression:
    """1'w + c_buy'u + c_sell'v = money."""
    import cvxpy as cp

    return cp.sum(weights) + costs[0] @ buys + costs[1] @ sells == money
