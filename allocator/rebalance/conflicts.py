"""Hard mode: the smallest set of limits that cannot hold together, and the least relaxation of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import numpy as np

from allocator.limits import TOLERANCE
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.model import model_of
from allocator.rebalance.problem import Problem
from allocator.rebalance.reasons import SPECIFIC
from allocator.rebalance.solve import Solution, solve

FREE: Final = 100.0
"""Room of a limit that is left aside: more than any family can be beyond one."""

ROUNDS: Final = 200
"""Most programmes solved to find a smallest set; what is found then cannot hold together, but may not be smallest."""


@dataclass(frozen=True)
class Conflict:
    """One limit of the smallest set that cannot hold together.

    Attributes
    ----------
    limit, sense
        Its name and sense; ``secured`` and ``satellite`` for the rules of the house.
    bound
        Its bound; NaN for rules of the house.
    relaxation
        Least excess with which the others of the set hold, as a fraction of the total today.
    """

    limit: str
    sense: str
    bound: float
    relaxation: float


@dataclass(frozen=True)
class _Part:
    """One limit with the rows, names and convex measures that are its own, or one budget of the plan."""

    limit: str
    sense: str
    bound: float
    rows: tuple[int, ...] = ()
    names: bool = False
    convex: int = -1
    budget: str = ""


def conflicts(problem: Problem) -> list[Conflict]:
    """Find the smallest set of limits that cannot hold together.

    Parameters
    ----------
    problem
        The programme of a client, hard or not; its own bounds on excess are not looked at.

    Returns
    -------
    list of Conflict
        Empty where all limits can hold together (in parts of what is indivisible, and in any amounts).

    Notes
    -----
    A smallest unsatisfiable subset by hitting sets (Ignatiev et al. 2015): while the smallest set that hits every
    known way out can hold, what must be left aside to make it hold is another way out.
    """
    parts = _parts(problem)
    ways_out: list[frozenset[int]] = []
    for _ in range(ROUNDS):
        chosen = _smallest_hitting(ways_out, len(parts))
        excess = _least(problem, parts, chosen)
        if excess > TOLERANCE:
            return [_relaxed(problem, parts, chosen, k) for k in sorted(chosen)]
        held = set(chosen)
        for k in range(len(parts)):  # as many as hold together with the chosen ones
            if k not in held and _least(problem, parts, held | {k}) <= TOLERANCE:
                held.add(k)
        if len(held) == len(parts):
            return []
        ways_out.append(frozenset(range(len(parts))) - held)
    return []


def _parts(problem: Problem) -> list[_Part]:
    rows: dict[tuple[str, str], list[int]] = {}
    bounds: dict[tuple[str, str], float] = {}
    for k, row in enumerate(problem.limit_rows):
        if row.limit is not None:  # rules of the house always hold
            rows.setdefault((row.limit.name, row.limit.sense), []).append(k)
            bounds[row.limit.name, row.limit.sense] = row.level
    single = ("single_holding", "<=")
    if (problem.name_bound < 1).any():
        rows.setdefault(single, [])
        bounds[single] = float(problem.name_bound.min())
    out = _telling([_Part(*key, bounds[key], tuple(at), key == single) for key, at in rows.items()])
    out += [_Part(c.limit.name, c.limit.sense, c.bound, convex=i) for i, c in enumerate(problem.convex)]
    budgets = {"turnover": problem.turnover, "cost": problem.cost}
    return out + [_Part(name, "<=", most, budget=name) for name, most in budgets.items() if most < UNBOUNDED]


def _telling(parts: list[_Part]) -> list[_Part]:
    """Put limits on the same money in the order in which they say most: of sets of one size the first is told."""
    places = [k for k, part in enumerate(parts) if part.limit in SPECIFIC]
    out = list(parts)
    for k, part in zip(places, sorted((parts[k] for k in places), key=lambda p: SPECIFIC.index(p.limit)), strict=True):
        out[k] = part
    return out


def _least(problem: Problem, parts: list[_Part], chosen: Iterable[int], hard: Iterable[int] = ()) -> float:
    """Least sum of excesses over the chosen limits, while the hard ones hold and all others are left aside."""
    chosen = set(chosen)
    found = _elastic(problem, parts, chosen, set(hard))
    if found is None:
        return float("inf")
    over = problem.excess(problem.w0 + found.buy - found.sell)
    return sum(_excess(parts[k], over.rows, over.names, over.convex) for k in chain(chosen))


def _excess(part: _Part, rows: np.ndarray, names: np.ndarray, convex: np.ndarray) -> float:
    total = float(rows[list(part.rows)].sum()) + (float(names.sum()) if part.names else 0.0)
    return total + (float(convex[part.convex]) if part.convex >= 0 else 0.0)


def _elastic(
    problem: Problem, parts: list[_Part], chosen: set[int], hard: set[int], spare: str = ""
) -> Solution | None:
    """Least excess of the chosen limits, or the least spent of a budget to be spared."""
    price, room = np.zeros(len(problem.bound)), np.full(len(problem.bound), FREE)
    for k, row in enumerate(problem.limit_rows):
        if row.limit is None:
            room[k] = 0.0
    name_price, name_room = 0.0, FREE
    convex = [replace(c, price=0.0, start=FREE, allowance=0.0) for c in problem.convex]
    for k, part in enumerate(parts):
        at = list(part.rows)
        if k in chosen:
            price[at] = 1.0
        if k in hard:
            room[at] = 0.0
        if part.names:
            name_price, name_room = float(k in chosen), 0.0 if k in hard else FREE
        if part.convex >= 0:
            c = problem.convex[part.convex]
            start = 0.0 if k in hard else FREE
            convex[part.convex] = replace(c, price=float(k in chosen), start=start, allowance=0.0)
    n = problem.n
    held = {parts[k].budget for k in chosen | hard}
    elastic = replace(
        problem,
        row_price=price,
        row_start=room,
        row_allowance=np.zeros(len(price)),
        name_price=name_price,
        name_start=np.full(n, name_room),
        name_allowance=np.zeros(n),
        convex=tuple(convex),
        turnover=problem.turnover if "turnover" in held else UNBOUNDED,
        cost=problem.cost if "cost" in held else UNBOUNDED,
        targets=problem.targets * 0.0,
        linear=np.full(n, -float(spare == "cost")),
        cost_price=0.0,
        wash=problem.counts * 0.5 if spare == "turnover" else problem.wash * 1e-3,
        root=problem.root * 1e-3,
        center=problem.center * 1e-3,
        objectives=(),
    )
    return solve(elastic, model_of(elastic))


def _relaxed(problem: Problem, parts: list[_Part], chosen: Iterable[int], k: int) -> Conflict:
    part, others = parts[k], set(chosen) - {k}
    relaxation = _spent(problem, parts, part, others) if part.budget else _least(problem, parts, {k}, hard=others)
    return Conflict(part.limit, part.sense, part.bound, relaxation)


def _spent(problem: Problem, parts: list[_Part], part: _Part, hard: set[int]) -> float:
    """What of a budget the other limits of the set take at least, beyond the budget."""
    found = _elastic(problem, parts, set(), hard, spare=part.budget)
    if found is None:
        return float("inf")
    taken = {
        "turnover": float(problem.counts @ (found.buy + found.sell)) / 2,
        "cost": problem.costs(found.buy, found.sell),
    }
    return max(taken[part.budget] - part.bound, 0.0)


def _smallest_hitting(sets: list[frozenset[int]], n: int) -> frozenset[int]:
    """A smallest set that has a member in each of the sets: exact, by depth, the lower numbers first."""
    if not sets:
        return frozenset()
    for size in range(1, n + 1):
        found = _hit(sets, size, frozenset())
        if found is not None:
            return found
    return frozenset(range(n))


def _hit(sets: list[frozenset[int]], size: int, chosen: frozenset[int]) -> frozenset[int] | None:
    missed = next((s for s in sets if not s & chosen), None)
    if missed is None:
        return chosen
    if size == 0:
        return None
    for k in sorted(missed):
        found = _hit(sets, size - 1, chosen | {k})
        if found is not None:
            return found
    return None
