"""What holds a plan back, and its price: the same programme solved without one obstacle at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.optimise import Trades, optimise
from allocator.rebalance.problem import Aim, Problem, problem_of
from allocator.rebalance.whole import WHOLE
from allocator.typing import FloatArray

ROUGHLY: Final = 1e-2
"""Prices compare plans in whole amounts within this part of the best: they are for reading, not for trading."""


NEAR: Final = 1e-6
"""Objectives nearer than this are the same."""


@dataclass(frozen=True)
class Price:
    """Change when an obstacle is away: excess, distance to the target, costs in fractions of the total, and volatility.

    NaN where no solver found the answer without the obstacle. ``trades`` are those of the plan without it: asset id,
    name, side and fraction of the total.
    """

    obstacle: str
    excess: float
    distance: float
    volatility: float
    cost: float
    trades: tuple[tuple[str, str, str, float], ...] = ()


def _without_locks(x: Instruments) -> Instruments:
    return replace(x, sellable=x.w0.copy(), indivisible=np.zeros(len(x), dtype=bool))


def _open_shelf(x: Instruments) -> Instruments:
    return replace(x, buyable=np.where(x.on_shelf, 1.0, x.buyable), minimum=x.minimum * 0.0, lot=x.lot * 0.0)


def _without_costs(x: Instruments) -> Instruments:
    return replace(x, buy_cost=x.buy_cost * 0.0, sell_cost=x.sell_cost * 0.0, tax=x.tax * 0.0)


OBSTACLES: Final[dict[str, Callable[[Instruments], Instruments]]] = {
    "locks": _without_locks,
    "shelf": _open_shelf,
    "suitability": lambda x: x,
    "costs": _without_costs,
}
"""Each obstacle with what takes it away; suitability is lifted in the programme, by the portfolio mode."""


@dataclass(frozen=True)
class Lifted:
    """The programme without one obstacle, and its best trades."""

    x: Instruments
    problem: Problem
    trades: Trades


def lifted(i: int, name: str, x: Instruments, problem: Problem, context: Context, aim: Aim) -> Lifted | None:
    """Plan client ``i`` without one obstacle; None where it is not there.

    Raises
    ------
    SolveError
        No solver reached an optimum.
    """
    band = list(context.analysis.framework.bands.values())[context.analysis.positions.band[i]]
    free = OBSTACLES[name](x)
    if name == "suitability":
        if not ((x.risk > band.product_risk) & (x.buyable > 0)).any():
            return None
        aim = replace(aim, portfolio=True)
    elif _same(x, free):
        return None
    other = problem_of(i, free, problem.start, context, aim)
    # do no harm stays what it was: without the obstacle nothing may get worse that could not before
    other = replace(other, name_allowance=problem.name_allowance, name_start=problem.name_start)
    trades = optimise(other, free, float(context.analysis.exposures.total[i]), ROUGHLY)
    return None if trades is None else Lifted(free, other, trades)


def prices(
    i: int, x: Instruments, problem: Problem, context: Context, done: tuple[FloatArray, FloatArray], aim: Aim
) -> tuple[list[Price], Lifted | None]:
    """Price every obstacle of client ``i``.

    Parameters
    ----------
    i, x, problem, context, aim
        The client and the programme.
    done
        Buys and sells of the plan.

    Returns
    -------
    (prices, portfolio)
        The prices, and the plan under suitability by portfolio where it differs at all.
    """
    today = _result(problem, problem, *done)
    out, portfolio = [], None
    for name in OBSTACLES:
        try:
            free = lifted(i, name, x, problem, context, aim)
        except SolveError:  # the plan itself stands; only this price is unknown
            out.append(Price(name, math.nan, math.nan, math.nan, math.nan))
            continue
        if free is None:  # an obstacle that is not there needs no solving: its price is 0
            out.append(Price(name, 0.0, 0.0, 0.0, 0.0))
            continue
        free = _no_worse(free, done, float(context.analysis.exposures.total[i]))
        portfolio = free if name == "suitability" else portfolio
        result = _result(problem, free.problem, free.trades.buy, free.trades.sell)
        excess, distance, volatility, cost = (r - t for r, t in zip(result, today, strict=True))
        out.append(Price(name, excess, distance, volatility, cost, _listed(free)))
    return out, portfolio


def _no_worse(free: Lifted, done: tuple[FloatArray, FloatArray], total: float) -> Lifted:
    """Search on where the short search ended at worse than the plan, which is open without the obstacle as well."""
    now = free.problem.objective(*done)
    if free.trades.objective <= now + NEAR:
        return free
    longer = optimise(free.problem, free.x, total)
    if longer is not None and longer.objective <= now + NEAR:
        return replace(free, trades=longer)
    return replace(free, trades=replace(free.trades, buy=done[0], sell=done[1], objective=now))


def _listed(free: Lifted) -> tuple[tuple[str, str, str, float], ...]:
    """Trades of the plan without an obstacle, the largest first."""
    x, t = free.x, free.trades
    sides = (("sell", t.sell), ("buy", t.buy))
    rows = [
        (x.asset_id[j], x.name[j], "repay" if x.debt[j] >= 0 else side, float(amounts[j]))
        for side, amounts in sides
        for j in np.flatnonzero(amounts > WHOLE)
    ]
    return tuple(sorted(rows, key=lambda row: (-row[3], row[0])))


def _same(x: Instruments, y: Instruments) -> bool:
    fields = ("sellable", "indivisible", "buyable", "minimum", "lot", "buy_cost", "sell_cost", "tax")
    return all(np.array_equal(getattr(x, f), getattr(y, f)) for f in fields)


def _result(problem: Problem, other: Problem, buy: FloatArray, sell: FloatArray) -> tuple[float, float, float, float]:
    """Excess over the plan's own limits, distance, volatility and costs of some trades."""
    weights = problem.w0 + buy - sell
    excess = problem.excess(weights).total
    return excess, problem.distance(weights) ** 0.5, problem.sigma(weights), other.costs(buy, sell)
