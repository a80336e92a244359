"""For one client, the best expected return for each volatility under the limits of their band."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import ConfigError, InputError
from allocator.rebalance.context import Context
from allocator.rebalance.convex import Convex
from allocator.rebalance.instruments import Instruments, instruments
from allocator.rebalance.planner import Planner
from allocator.rebalance.problem import Aim, Problem, problem_of
from allocator.rebalance.solve import Solution, solve
from allocator.rebalance.start import start_of
from allocator.shown import Shown
from allocator.typing import FloatArray

POINTS: Final = ("point", "volatility", "expected_return", "cost", "turnover")
WEIGHTS: Final = ("point", "asset_id", "name", "asset_class", "weight")
MARKS: Final = ("mark", "volatility", "expected_return")
FREE: Final = 10.0
"""More volatility, or excess of it, than any family can have."""
HAIR: Final = 1e-6
"""Excess allowed beyond that of the plan, so that the plan itself is on the inside: what counts as none."""


@dataclass(frozen=True)
class Frontier(Shown):
    """Result of `allocator.frontier`.

    Attributes
    ----------
    client_id, limit
        The client, and the volatility that their band allows.
    points
        One row per point, from the lowest reachable volatility up: yearly volatility and expected return on the
        family's own money after the trades, costs and taxes of getting there, and turnover, as fractions of the total.
    weights
        What the family would hold at each point, as fractions of the total then; holdings of nothing are left out.
    marks
        Where the family is ``today``, and where the ``plan`` toward the target mix would bring it.

    Notes
    -----
    Amounts are not rounded to lots: the frontier is for seeing, the plan for acting. Every point keeps all limits that
    the plan keeps, and exceeds none further than the plan does.
    """

    client_id: str
    limit: float
    points: pd.DataFrame
    weights: pd.DataFrame
    marks: pd.DataFrame

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        p = self.points
        return (
            f"Frontier of {len(p)} points: volatility {p['volatility'].iloc[0]:.1%} to {p['volatility'].iloc[-1]:.1%}, "
            f"expected return {p['expected_return'].iloc[0]:.1%} to {p['expected_return'].iloc[-1]:.1%}; "
            f"the band allows a volatility of {self.limit:.0%}\n  tables: points, weights, marks"
        )


def frontier(analysis: Analysis, client_id: str, *, points: int = 20, allow_unclassified: bool = False) -> Frontier:
    """Find the best expected return for each volatility, starting from what the family holds.

    Parameters
    ----------
    analysis
        From `allocator.analyze`.
    client_id
        Whose.
    points
        How many, 2 or more, evenly spaced in volatility.
    allow_unclassified
        Holdings that nothing matched stay as they are, outside the total.

    Returns
    -------
    Frontier

    Raises
    ------
    InputError
        No such client, or one who cannot be planned (bad data, insolvent, a withdrawal that nothing can pay).
    ConfigError
        Fewer than 2 points.
    SolveError
        No solver reached an optimum.
    """
    if points < 2:
        raise ConfigError("points must be 2 or more")
    i = analysis.index(client_id)
    planner = Planner(analysis, allow_unclassified, explain=False)
    plan = planner.plan(i)
    if plan.status in ("invalid", "insolvent", "unfunded"):
        raise InputError(f"this client has no frontier: status {plan.status}; see the issues of the analysis")
    context = planner.context
    x = instruments(i, context)
    start = start_of(x, float(analysis.positions.cash_flow[i] / analysis.exposures.total[i]))
    assert start is not None
    problem = problem_of(i, x, start, context)
    planned = _must(solve(problem))
    edge = _edge(problem, problem_of(i, x, start, context, Aim(goal="return")), _weights(problem, planned))
    lowest = _must(solve(_calm(edge)))
    highest = _must(solve(_at(edge, max(edge.volatility.bound, _sigma(edge, planned)))))
    low, high = _sigma(edge, lowest), max(_sigma(edge, highest), _sigma(edge, lowest))
    found = [_must(solve(_at(edge, s))) for s in np.linspace(low + HAIR, high + HAIR, points)]
    held = [row for k, f in enumerate(found) for row in _rows(k, edge, f, x, context)]
    now = (analysis.risk.volatility[i], analysis.risk.expected_return[i])
    marks = [("today", *map(float, now)), ("plan", _sigma(problem, planned), _return(problem, planned, x, context))]
    return Frontier(
        client_id,
        float(problem.volatility.bound),
        pd.DataFrame([(k, *_figures(edge, f, x, context)) for k, f in enumerate(found)], columns=list(POINTS)),
        pd.DataFrame(held, columns=list(WEIGHTS)),
        pd.DataFrame(marks, columns=list(MARKS)),
    )


def _edge(problem: Problem, aim: Problem, planned: FloatArray) -> Problem:
    """The programme for the highest return in which no limit is exceeded further than by the plan."""
    over, total = problem.excess(planned), float(problem.counts @ planned)
    return replace(
        aim,
        row_start=np.minimum(aim.row_start, over.rows + problem.row_allowance * total + HAIR),
        row_price=aim.row_price * 0.0,
        name_start=np.minimum(aim.name_start, over.names + problem.name_allowance * total + HAIR),
        name_price=0.0,
        convex=tuple(
            replace(c, price=0.0, start=min(c.start, float(e) + c.allowance * total + HAIR))
            for c, e in zip(aim.convex, over.convex, strict=True)
        ),
    )


def _at(edge: Problem, volatility: float) -> Problem:
    """The programme with a volatility that must not be exceeded at all."""
    return _with_volatility(edge, lambda c: replace(c, bound=volatility, start=0.0, allowance=0.0))


def _calm(edge: Problem) -> Problem:
    """The programme for the lowest volatility: each unit of it has a price, and nothing else has."""
    calm = _with_volatility(edge, lambda c: replace(c, bound=0.0, start=FREE, allowance=0.0, price=1.0))
    return replace(calm, linear=calm.linear * 1e-6, cost_price=calm.cost_price * 1e-6)


def _with_volatility(problem: Problem, change: Any) -> Problem:
    convex: list[Convex] = [change(c) if c.limit.kind == "volatility" else c for c in problem.convex]
    return replace(problem, convex=tuple(convex))


def _must(found: Solution | None) -> Solution:
    if found is None:
        raise InputError("no mix keeps the limits as well as the plan does at this volatility")
    return found


def _weights(problem: Problem, found: Solution) -> FloatArray:
    return problem.w0 + found.buy - found.sell


def _sigma(problem: Problem, found: Solution) -> float:
    return problem.sigma(_weights(problem, found))


def _return(problem: Problem, found: Solution, x: Instruments, context: Context) -> float:
    """Expected return on the family's own money: the assets' less what is still owed costs."""
    w = _weights(problem, found)
    gain = context.mean[x.mix] * x.counts @ w
    owed = problem.debt - float((1 - x.counts) @ w)
    return float((gain - context.risk.borrowing_rate * owed) / (w.sum() - problem.debt))


def _figures(problem: Problem, found: Solution, x: Instruments, context: Context) -> tuple[float, float, float, float]:
    turnover = float(x.counts @ (found.buy + found.sell)) / 2
    costs = problem.costs(found.buy, found.sell)
    return _sigma(problem, found), _return(problem, found, x, context), costs, turnover


def _rows(k: int, problem: Problem, found: Solution, x: Instruments, context: Context) -> list[tuple[Any, ...]]:
    w = _weights(problem, found) * x.counts
    codes = context.analysis.framework.class_codes
    shares = w / w.sum()
    return [(k, x.asset_id[j], x.name[j], codes[x.klass[j]], float(shares[j])) for j in np.flatnonzero(shares > HAIR)]
