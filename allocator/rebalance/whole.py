"""Real amounts, exactly: lots, smallest sizes, "nothing or at least so much", what is sold whole or not at all.

Each trade has a set of allowed amounts; `Choices` says for any amount the nearest allowed ones below and above. Branch
and bound over the continuous programme finds the best plan among the allowed ones.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Final

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.model import Model, model_of
from allocator.rebalance.problem import Problem
from allocator.rebalance.solve import Solution, solve
from allocator.typing import BoolArray, FloatArray

WHOLE: Final = 1e-7
"""A trade within this fraction of the total of an allowed amount is taken for it; all of them together stay within what
counts as no excess."""

NODES: Final = 400
"""Most programmes solved in one search; the best plan so far stands, with the gap that is left."""

FEW: Final = 8
"""Programmes solved in a rough search, once a plan is found: it is for comparison, and says how good it is."""

GAP: Final = 1e-4
"""A search ends when no plan can be better by more than this part of the objective (the usual gap of MIP solvers)."""

GAP_ABSOLUTE: Final = 1e-6


NEEDED: Final = 0.02
"""Sales out of what is over a limit may be smaller than others, down to this part of the smallest trade."""


@dataclass(frozen=True)
class Choices:
    """Allowed buys and sells: 0, or from ``least`` on in steps of ``step`` (0: any amount), up to ``most``.

    Attributes
    ----------
    buy_least, buy_step, sell_least
        Fractions of the total. What is sold whole has ``sell_least`` equal to its weight.
    """

    buy_least: FloatArray
    buy_step: FloatArray
    sell_least: FloatArray

    def sides(self, buy: bool) -> tuple[FloatArray, FloatArray]:
        """Least amount and step of one side."""
        return (self.buy_least, self.buy_step) if buy else (self.sell_least, np.zeros_like(self.sell_least))

    def around(self, amounts: FloatArray, buy: bool) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Nearest allowed amounts at or below and at or above, and where an amount is not allowed itself."""
        least, step = self.sides(buy)
        stepped = step > WHOLE
        steps = np.where(stepped, step, 1.0)
        below = np.where(stepped, np.floor(amounts / steps + 1e-9) * steps, amounts)
        above = np.where(stepped, np.ceil(amounts / steps - 1e-9) * steps, amounts)
        lowest = np.where(stepped, np.ceil(least / steps - 1e-9) * steps, least)
        below = np.where(amounts < lowest - WHOLE, 0.0, np.maximum(below, np.minimum(amounts, lowest)))
        above = np.where(amounts < lowest - WHOLE, np.where(amounts > WHOLE, lowest, 0.0), np.maximum(above, lowest))
        off = (amounts - below > WHOLE) & (above - amounts > WHOLE)
        return below, above, off


def choices(problem: Problem, x: Instruments, total: float) -> Choices:
    """Allowed amounts of one client.

    Notes
    -----
    Trades under the smallest worth making (`PlanWeights.min_trade`) are left out; sales out of what is over a limit
    may be much smaller. Exempt are the cash account, repayments, and money that must be raised.
    """
    smallest = problem.weights.min_trade
    exempt = np.arange(problem.n) == x.cash
    step = np.where(exempt | (x.debt >= 0) | (x.lot <= 0.01), 0.0, x.lot / total)
    buy = np.where(exempt | (x.debt >= 0), 0.0, np.maximum(smallest, x.minimum / total))
    part = np.where(problem.mending, smallest * NEEDED, smallest)
    part = np.where(exempt | (problem.start.sell > 0), 0.0, part)
    return Choices(buy, step, np.where(x.indivisible & (x.w0 > 0), x.w0, part))


@dataclass(frozen=True)
class Found:
    """The best plan with allowed amounts; ``bound`` is what no allowed plan can beat, as far as the search went."""

    solution: Solution
    bound: float
    nodes: int


@dataclass(order=True)
class _Node:
    value: float
    number: int
    problem: Problem = None  # type: ignore[assignment]
    solution: Solution = None  # type: ignore[assignment]


def search(problem: Problem, relaxed: Solution, allowed: Choices, gap: float = GAP) -> Found | None:
    """Find the best plan among the allowed amounts by branch and bound.

    Parameters
    ----------
    problem, relaxed
        The continuous programme and its optimum.
    allowed
        What may be traded.
    gap
        The search ends when no plan can be better by more than this part of the objective.

    Returns
    -------
    Found or None
        None where no allowed plan was found; the starting point is then what is left.
    """
    model = model_of(problem)
    best: Solution | None = None
    unjudged = np.inf
    queue = [_Node(relaxed.objective, 0, problem, relaxed)]
    nodes = 1
    tried = _rounded(problem, relaxed, allowed, model)
    if tried is not None:
        best, nodes = tried, 2
    most = NODES if gap <= GAP else FEW
    while queue and (nodes < most or (best is None and nodes < NODES)):
        node = heapq.heappop(queue)
        if best is not None and node.value >= best.objective - _slack(best, gap):
            return Found(best, min(node.value, best.objective, unjudged), nodes)
        split = _split(node.solution, node.problem, allowed)
        if split is None:
            best = node.solution if best is None or node.solution.objective < best.objective else best
            continue
        for child in split:
            nodes += 1
            try:
                found = _try(child, model)
            except SolveError:  # what no solver can judge is left out, and not called proved
                unjudged = min(unjudged, node.value)
                continue
            if found is not None and (best is None or found.objective < best.objective - _slack(best, gap)):
                heapq.heappush(queue, _Node(found.objective, nodes, child, found))
                if nodes % 8 == 0 or best is None:  # a plan early lets most branches be left out
                    better = _rounded(child, found, allowed, model)
                    nodes += 1
                    best = (
                        better if better is not None and (best is None or better.objective < best.objective) else best
                    )
            elif found is not None:  # too little to gain: left out, but no plan there can beat this
                unjudged = min(unjudged, found.objective)
    if best is None:
        return None
    return Found(best, min([best.objective, unjudged, *(node.value for node in queue)]), nodes)


def _slack(best: Solution, gap: float) -> float:
    return max(GAP_ABSOLUTE, gap * abs(best.objective))


def _try(problem: Problem, model: Model) -> Solution | None:
    if (problem.least_buy > problem.most_buy + 1e-12).any() or (problem.least_sell > problem.most_sell + 1e-12).any():
        return None
    return solve(problem, model, patient=False)


def _split(solution: Solution, problem: Problem, allowed: Choices) -> tuple[Problem, Problem] | None:
    """Two programmes, below and above the trade that is furthest from an allowed amount; None where all are allowed.

    What is bought and sold at once, to get round a smallest size, is split into one side and the other.
    """
    both = _both_sides(solution, problem)
    if both.any():
        j = int(np.argmax(np.where(both, np.minimum(solution.buy, solution.sell), -1.0)))
        return (
            problem.bounded(most_buy=_put(problem.most_buy, j, 0.0)),
            problem.bounded(most_sell=_put(problem.most_sell, j, 0.0)),
        )
    worst, where = 0.0, None
    for buy in (True, False):
        amounts = solution.buy if buy else solution.sell
        below, above, off = allowed.around(amounts, buy)
        away = np.where(off, np.minimum(amounts - below, above - amounts), 0.0)
        j = int(away.argmax())
        if away[j] > worst:
            worst, where = float(away[j]), (buy, j, float(below[j]), float(above[j]))
    if where is None:
        return None
    buy, j, low, high = where
    side = "buy" if buy else "sell"
    most, least = getattr(problem, f"most_{side}"), getattr(problem, f"least_{side}")
    return (
        problem.bounded(**{f"most_{side}": _put(most, j, min(low, most[j]))}),
        problem.bounded(**{f"least_{side}": _put(least, j, high)}),
    )


def _rounded(problem: Problem, solution: Solution, allowed: Choices, model: Model) -> Solution | None:
    """A plan near a continuous one: each trade that is not allowed is held at its nearest allowed amount.

    What is held may push others off; a few rounds settle it, or there is none.
    """
    for _ in range(4):
        changes: dict[str, FloatArray] = {}
        both = _both_sides(solution, problem)
        for buy, side in ((True, "buy"), (False, "sell")):
            amounts = solution.buy if buy else solution.sell
            below, above, off = allowed.around(amounts, buy)
            most, least = getattr(problem, f"most_{side}"), getattr(problem, f"least_{side}")
            step = allowed.sides(buy)[1] > WHOLE
            up = off & (above - amounts < amounts - below) & (above <= most)
            held = off | (step & (amounts > WHOLE))
            to = np.where(
                up,
                above,
                np.where(off, below, np.where(step, np.where(above - amounts < WHOLE, above, below), amounts)),
            )
            # nothing, or a lot, is exact; "at least" leaves the rest free
            exact = held & ((to <= WHOLE) | step)
            lesser = both & ((solution.buy < solution.sell) == buy)
            exact, held, to = exact | lesser, held & ~lesser, np.where(lesser, 0.0, to)
            changes[f"most_{side}"] = np.where(exact, np.minimum(to, most), most)
            changes[f"least_{side}"] = np.where(held & (to > WHOLE), np.maximum(to, least), least)
        if not any(_changed(problem, name, value) for name, value in changes.items()):
            return solution
        problem = problem.bounded(**changes)
        try:
            found = _try(problem, model)
        except SolveError:
            return None
        if found is None:
            return None
        solution = found
        if _split(solution, problem, allowed) is None:
            return solution
    return None


def _both_sides(solution: Solution, problem: Problem) -> BoolArray:
    """Where something is bought and sold at once; the cash account may be, it costs nothing."""
    return np.asarray((np.minimum(solution.buy, solution.sell) > WHOLE) & (problem.wash > 0))


def _changed(problem: Problem, name: str, value: FloatArray) -> bool:
    return not np.array_equal(getattr(problem, name), value)


def _put(values: FloatArray, j: int, value: float) -> FloatArray:
    out = values.copy()
    out[j] = value
    return out
