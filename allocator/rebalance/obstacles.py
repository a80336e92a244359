"""What holds a plan back, and its price: the same programme solved without one obstacle at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.instruments import Context, Instruments
from allocator.rebalance.problem import Problem, problem_of
from allocator.rebalance.solve import optimise


@dataclass(frozen=True)
class Price:
    """Change when an obstacle is away: excess and distance to the target in fractions of the total, and volatility.

    NaN where no solver found the answer without the obstacle.
    """

    obstacle: str
    excess: float
    distance: float
    volatility: float


def _without_locks(x: Instruments) -> Instruments:
    return replace(x, sellable=x.w0.copy(), indivisible=np.zeros(len(x), dtype=bool))


def _open_shelf(x: Instruments) -> Instruments:
    return replace(x, buyable=np.where(x.on_shelf, 1.0, x.buyable), minimum=x.minimum * 0.0, lot=x.lot * 0.0)


def _without_costs(x: Instruments) -> Instruments:
    return replace(x, buy_cost=x.buy_cost * 0.0, sell_cost=x.sell_cost * 0.0)


OBSTACLES: Final[dict[str, Callable[[Instruments], Instruments]]] = {
    "locks": _without_locks,
    "shelf": _open_shelf,
    "suitability": lambda x: x,
    "costs": _without_costs,
}
"""Each obstacle with what takes it away; suitability is lifted in the programme, by the portfolio mode."""


def prices(
    i: int, x: Instruments, problem: Problem, context: Context, weights: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[Price]:
    """Price every obstacle of client ``i`` whose plan ends at ``weights``.

    Costs are part of the plan's own result, so the price of costs includes the money itself.
    """
    total = float(context.analysis.exposures.total[i])
    today = _result(problem, weights)
    band = list(context.analysis.framework.bands.values())[context.analysis.positions.band[i]]
    above = (x.risk > band.product_risk) & (x.buyable > 0)
    # an obstacle that is not there needs no solving: its price is 0
    there = {"suitability": bool(above.any())}
    out = []
    for name, lift in OBSTACLES.items():
        free = lift(x)
        if not there.get(name, not _same(x, free)):
            out.append(Price(name, 0.0, 0.0, 0.0))
            continue
        other = problem_of(i, free, problem.start, context, portfolio=name == "suitability")
        # do no harm stays what it was: without the obstacle nothing may get worse that could not before
        other = replace(other, name_allowance=problem.name_allowance, name_start=problem.name_start)
        try:
            trades = optimise(other, free, total)
        except SolveError:  # the plan itself stands; only this price is unknown
            out.append(Price(name, math.nan, math.nan, math.nan))
            continue
        result = _result(problem, other.w0 + trades.buy - trades.sell)
        out.append(Price(name, *(r - t for r, t in zip(result, today, strict=True))))
    return out


def _same(x: Instruments, y: Instruments) -> bool:
    fields = ("sellable", "indivisible", "buyable", "minimum", "lot", "buy_cost", "sell_cost")
    return all(np.array_equal(getattr(x, f), getattr(y, f)) for f in fields)


def _result(problem: Problem, weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float, float]:
    rows, names, risk = problem.excess(weights)
    own = weights.sum() - problem.debt
    return float(rows.sum() + names.sum() + risk), problem.distance(weights) ** 0.5, problem.sigma_money(weights) / own
