"""Shadow prices: what one point more of each limit, holding or closed product would be worth to the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from allocator.rebalance.instruments import Instruments
from allocator.rebalance.problem import Problem
from allocator.rebalance.solve import Solution
from allocator.typing import FloatArray

POINT: Final = 0.01
"""One point: 1% of the total today."""

LEAST: Final = 1e-5
"""Prices under this, in units of the objective, are the solver's noise."""


@dataclass(frozen=True)
class Shadow:
    """Gain of the objective from one point more room.

    ``kind`` is ``limit``, ``holding`` (more of it could be sold) or ``product`` (it could be bought); ``name`` is the
    limit's, or the asset id.
    """

    kind: Literal["limit", "budget", "holding", "product"]
    name: str
    sense: str
    price: float


def shadows(problem: Problem, x: Instruments, relaxed: Solution) -> list[Shadow]:
    """Rank what holds a plan back, by the multipliers of the continuous optimum; the dearest first.

    Notes
    -----
    A multiplier is the slope of the optimum: right for a small change, an upper bound of the gain for a large one (the
    optimum is convex in the room).
    """
    duals = relaxed.prices()
    if not duals:
        return []
    found: dict[tuple[str, str, str], float] = {}

    def add(kind: str, name: str, sense: str, price: float) -> None:
        key = (kind, name, sense)
        found[key] = found.get(key, 0.0) + price * POINT

    rows = duals["rows"] + duals["rows_most"]
    for k, row in enumerate(problem.limit_rows):
        if row.limit is not None:
            add("limit", row.limit.name, row.limit.sense, float(rows[k]))
    add("limit", "single_holding", "<=", float((duals["names"] + duals["names_most"])[: problem.n].sum()))
    for i, part in enumerate(problem.convex):
        add("limit", part.limit.name, part.limit.sense, abs(float(np.ravel(duals[f"{i}_measure"])[0])))
    add("budget", "turnover", "<=", 2.0 * float(duals["turnover"][0]))
    add("budget", "cost", "<=", float(duals["cost"][0]))
    _trades(problem, x, duals, add)
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [Shadow(kind, name, sense, price) for (kind, name, sense), price in ranked if price > LEAST]  # type: ignore[arg-type]


def _trades(problem: Problem, x: Instruments, duals: dict[str, FloatArray], add: object) -> None:
    """Holdings of which no more can be sold, and products that cannot be bought.

    Where both bounds are 0 the multipliers of both are large and only their difference means something.
    """
    assert callable(add)
    for j in range(problem.n):
        if x.holding[j] >= 0 and problem.most_sell[j] < x.w0[j]:
            add("holding", x.asset_id[j], "", float(duals["sell"][j] - duals["sell_least"][j]))
        if x.on_shelf[j] and problem.most_buy[j] <= 0:
            add("product", x.asset_id[j], "", float(duals["buy"][j] - duals["buy_least"][j]))
