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
    weights: Expression, sells: Expression, costs: tuple[Expression, Expression], money: Expression
) -> Expression:
    """1'w + c_buy'u + c_sell'v = 1'w0 + f, with u = w − w0 + v put in.

    Parameters
    ----------
    weights, sells
        w and v.
    costs
        c_buy, and c_buy + c_sell.
    money
        1'w0 + f + c_buy'w0.
    """
    import cvxpy as cp

    return cp.sum(weights) + costs[0] @ weights + costs[1] @ sells == money


def near(weights: Expression, root: Expression, center: Expression) -> Expression:
    """Σ (root · w − center)²: squared distance to a point, each weight with its own price."""
    import cvxpy as cp

    return cp.sum_squares(cp.multiply(root, weights) - center)


def tracking_cone(
    weights: Expression, total: Expression, risk: tuple[Expression, Expression, Expression], most: Expression
) -> Expression:
    """‖(Z w − z total, ι∘w)‖₂ ≤ most: the volatility of the difference to a model portfolio stays under an amount.

    Parameters
    ----------
    weights, total
        n weights, and the total that the model is scaled to.
    risk
        Z and ι as in `risk_cone`, and z, the model's factor exposures.
    most
        Scalar, affine.
    """
    import cvxpy as cp

    loadings, idiosyncratic, center = risk
    return cp.SOC(most, cp.hstack([loadings @ weights - center * total, cp.multiply(idiosyncratic, weights)]))


def cvar(weights: Expression, losses: Expression, tail: Expression, most: Expression) -> list[Expression]:
    """min_t t + tail · Σ (losses w − t)₊ ≤ most (Rockafellar and Uryasev 2000): the mean of the worst scenarios.

    Parameters
    ----------
    weights
        n weights.
    losses
        Scenarios × n.
    tail
        1 / ((1 − level) · scenarios).
    most
        Scalar, affine.
    """
    import cvxpy as cp

    t, over = cp.Variable(name="value_at_risk"), cp.Variable(losses.shape[0], nonneg=True, name="over")
    return [t + tail * cp.sum(over) <= most, over >= losses @ weights - t]


def expected_return(weights: Expression, mean: Expression) -> Expression:
    """μ'w: what a mix of holdings is expected to earn."""
    return mean @ weights


def variance(weights: Expression, loadings: Expression, idiosyncratic: Expression) -> Expression:
    """‖Z w‖² + ‖ι∘w‖²: the square of what `risk_cone` bounds, for an objective; a quadratic programme needs no cone."""
    import cvxpy as cp

    return cp.sum_squares(loadings @ weights) + cp.sum_squares(cp.multiply(idiosyncratic, weights))
