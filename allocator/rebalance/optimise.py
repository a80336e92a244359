"""The best trades of one client: the continuous optimum, then the best of the amounts that are allowed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.conic import Proof
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.problem import Problem
from allocator.rebalance.solve import UNPROVED, Solution, solve
from allocator.rebalance.whole import GAP, WHOLE, choices, search
from allocator.typing import FloatArray


@dataclass(frozen=True)
class Trades:
    """Buys and sells as fractions of the total.

    Attributes
    ----------
    objective
        Its value at these trades.
    best_possible
        The optimum without whole numbers, that no plan can beat; NaN where nothing was solved.
    bound
        What no plan in allowed amounts can beat, as far as the search went.
    proof
        How near the continuous optimum is to one, by our own sums.
    relaxed
        That optimum, for its multipliers.
    """

    buy: FloatArray
    sell: FloatArray
    objective: float
    best_possible: float
    bound: float
    solver: str
    proof: Proof = UNPROVED
    relaxed: Solution | None = field(default=None, repr=False)


def optimise(problem: Problem, x: Instruments, total: float, gap: float = GAP) -> Trades | None:
    """Find the best trades for one client.

    Parameters
    ----------
    problem, x
        The programme and its instruments.
    total
        T in money.
    gap
        See `allocator.rebalance.whole.search`.

    Returns
    -------
    Trades or None
        None where nothing is feasible, which only hard mode can bring about.

    Raises
    ------
    SolveError
        No solver reached an optimum.
    """
    relaxed = solve(problem)
    start = problem.violation(problem.start.buy, problem.start.sell) <= WHOLE
    if relaxed is None:
        if start:  # what is there fits: the solver lost its way in numbers of very different sizes
            raise SolveError("a programme was called infeasible although its starting point is not")
        return None
    found = search(problem, relaxed, choices(problem, x, total), gap)
    if found is None:
        return nothing(problem) if start else None
    buy, sell = _clean(found.solution, problem)
    return Trades(
        buy,
        sell,
        problem.objective(buy, sell),
        relaxed.objective,
        found.bound,
        relaxed.solver,
        relaxed.proof,
        relaxed,
    )


def _clean(solution: Solution, problem: Problem) -> tuple[FloatArray, FloatArray]:
    """Net out both sides of an instrument, and snap what the solver left a hair off its bounds."""
    both = np.minimum(solution.buy, solution.sell)
    buy, sell = solution.buy - both, solution.sell - both
    sell = np.where(
        sell > problem.w0 - WHOLE, np.where(problem.most_sell >= problem.w0 - WHOLE, problem.w0, sell), sell
    )
    sell = np.minimum(sell, problem.most_sell)
    return np.where(buy > WHOLE, buy, 0.0), np.where(sell > WHOLE, np.maximum(sell, problem.least_sell), 0.0)


def nothing(problem: Problem, best_possible: float = float("nan")) -> Trades:
    """Trade only what the starting point needs; without a bound to compare with, the gap is none."""
    s = problem.start
    return Trades(s.buy, s.sell, problem.objective(s.buy, s.sell), best_possible, best_possible, "none")
