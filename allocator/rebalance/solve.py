"""Solving one client: the continuous programme, indivisible assets whole or not at all, no trades too small to make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.model import Solution, compiled, shape_of
from allocator.rebalance.problem import Problem
from allocator.typing import BoolArray, FloatArray

WHOLE = 1e-6
"""A sale within this fraction of nothing or of everything is taken for it."""

DEAR = 0.005
"""Small trades stay where leaving them out would worsen the objective by more than this part of it."""

NODES = 500
"""Most branches of the search over indivisible assets; the best answer so far stands when they run out."""


@dataclass(frozen=True)
class Trades:
    """Buys and sells as fractions of the total, their objective, and the bound that no plan can beat."""

    buy: FloatArray
    sell: FloatArray
    objective: float
    best_possible: float
    solver: str


def optimise(problem: Problem, x: Instruments, total: float) -> Trades:
    """Find the best trades for one client.

    Parameters
    ----------
    problem, x
        The programme and its instruments.
    total
        T in money.

    Notes
    -----
    Trades under the smallest worth making, and buys under a product's minimum, are left out, and what remains is solved
    again. Exempt are the cash account, repayments, money that must be raised, and sales out of what is over a limit.

    Raises
    ------
    SolveError
        No solver reached an optimum.
    """
    relaxed = _solve(problem)
    if relaxed is None:
        return nothing(problem)
    best, problem = _whole(problem, relaxed, x.indivisible)
    smallest = problem.weights.min_trade
    for _ in range(len(x)):
        tiny_buy = (best.buy < np.maximum(smallest, x.minimum / total)) & (problem.most_buy > 0)
        tiny_sell = (best.sell < smallest) & (problem.most_sell > 0) & ~problem.mending
        tiny_buy[x.cash] = tiny_sell[x.cash] = False
        tiny_buy &= x.debt < 0
        doing = (tiny_buy & (best.buy > WHOLE)).any() or (tiny_sell & (best.sell > WHOLE)).any()
        if not doing:
            break
        # only what was about to trade a little is closed; the rest stays free to take its place
        closed = problem.bounded(
            most_buy=np.where(tiny_buy & (best.buy > WHOLE), 0.0, problem.most_buy),
            most_sell=np.where(tiny_sell & (best.sell > WHOLE), 0.0, problem.most_sell),
        )
        try:
            again = _solve(closed)
        except SolveError:
            break  # the small trades stay: a right plan with them is better than none
        dear = again is not None and again.objective - best.objective > DEAR * max(1.0, abs(best.objective))
        if again is None or (dear and not (best.buy < x.minimum / total)[tiny_buy & (best.buy > WHOLE)].any()):
            break
        best, problem = again, closed
    buy, sell = _clean(best, problem)
    return Trades(buy, sell, problem.objective(buy, sell), relaxed.objective, best.solver)


def _solve(problem: Problem) -> Solution | None:
    found = compiled(shape_of(problem)).solve(problem)
    if found is None:
        return None
    offset = problem.weights.cost_weight * (1.0 + problem.flow)
    return Solution(found.buy, found.sell, found.objective + offset, found.solver)


def _whole(problem: Problem, relaxed: Solution, indivisible: BoolArray) -> tuple[Solution, Problem]:
    """Branch and bound over indivisible assets: each is sold whole or not at all, exactly.

    Doing nothing beyond the starting point is always one of the leaves, so there is an answer.
    """
    best: tuple[float, Solution, Problem] | None = None
    queue = [(relaxed.objective, problem, relaxed)]
    for _ in range(NODES):
        if not queue:
            break
        queue.sort(key=lambda node: -node[0])
        value, node, solution = queue.pop()
        if best is not None and value >= best[0] - 1e-9:
            break
        share = np.divide(solution.sell, node.w0, out=np.zeros_like(node.w0), where=node.w0 > 0)
        open_ = indivisible & (np.minimum(share, 1 - share) > WHOLE) & (node.most_sell > node.least_sell)
        if not open_.any():
            at = indivisible & (node.w0 > 0)
            sold = at & (share > 0.5)
            done = node.bounded(
                least_sell=np.where(sold, node.w0, node.least_sell), most_sell=np.where(at & ~sold, 0.0, node.most_sell)
            )
            best = (value, solution, done)
            continue
        j = int(np.argmax(np.where(open_, np.minimum(share, 1 - share), -1.0)))
        for least, most in ((0.0, 0.0), (node.w0[j], node.w0[j])):
            child = node.bounded(least_sell=_put(node.least_sell, j, least), most_sell=_put(node.most_sell, j, most))
            found = _solve(child)
            if found is not None and (best is None or found.objective < best[0]):
                queue.append((found.objective, child, found))
    if best is None:
        keep = np.where(indivisible, 0.0, problem.most_sell)
        closed = problem.bounded(
            most_sell=np.maximum(keep, problem.start.sell), least_sell=np.where(indivisible, problem.start.sell, 0.0)
        )
        return _solve(closed) or relaxed, closed
    return best[1], best[2]


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
    value = problem.objective(s.buy, s.sell)
    return Trades(s.buy, s.sell, value, best_possible, "none")


def _put(values: FloatArray, j: int, value: float) -> FloatArray:
    out = values.copy()
    out[j] = value
    return out
