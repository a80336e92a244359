"""Best plans in allowed amounts by other means: each choice tried, or a linear master over tangents by HiGHS."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from second_way import NONE, Array, Written, second_way

from allocator.errors import SolveError
from allocator.rebalance.parameters import Problem
from allocator.rebalance.solve import Solution, solve
from allocator.rebalance.whole import WHOLE, Choices

ROUNDS = 60
CLOSE = 1e-6
"""Relative distance of the best plan to the master's bound at which it is called the best."""


def least_of(problems: Iterable[Problem]) -> float:
    """Least optimum of some continuous programmes; infinite where none is feasible."""
    found = [solve(p) for p in problems]
    return min((s.objective for s in found if s is not None), default=np.inf)


def subsets(p: Problem, whole: Array) -> Iterator[Problem]:
    """Each subset of what is sold whole or not at all, sold."""
    places = np.flatnonzero(whole)
    for sold in itertools.product((False, True), repeat=len(places)):
        least, most = p.least_sell.copy(), p.most_sell.copy()
        least[places] = most[places] = np.where(sold, p.w0[places], 0.0)
        yield p.bounded(least_sell=least, most_sell=most)


def lot_vectors(p: Problem, allowed: Choices) -> Iterator[Problem]:
    """Each vector of whole lots that money can buy; nothing, or at least the minimum."""
    places = np.flatnonzero((allowed.buy_step > WHOLE) & (p.most_buy > 0))
    money = p.w0.sum() + p.flow
    steps = allowed.buy_step[places]
    fits = [range(int((money + 1e-9) / s) + 1) for s in steps]
    for lots in itertools.product(*fits):
        amounts = np.array(lots) * steps
        enough = (amounts == 0) | (amounts >= allowed.buy_least[places] - 1e-12)
        if amounts.sum() <= money + 1e-9 and enough.all():
            least, most = p.least_buy.copy(), p.most_buy.copy()
            least[places] = most[places] = amounts
            yield p.bounded(least_buy=least, most_buy=most)


def patterns(p: Problem, allowed: Choices) -> Iterator[Problem]:
    """Each instrument left alone, bought or sold, at least by its smallest amount: all patterns."""
    free = p.wash == 0
    sides = []
    for j in np.flatnonzero(~free):
        can = [(0.0, 0.0, 0.0, 0.0)]
        if p.most_buy[j] > 0:
            can.append((allowed.buy_least[j], p.most_buy[j], 0.0, 0.0))
        if p.most_sell[j] > 0:
            can.append((0.0, 0.0, allowed.sell_least[j], p.most_sell[j]))
        sides.append([(int(j), *c) for c in can])
    for chosen in itertools.product(*sides):
        bounds = [p.least_buy.copy(), p.most_buy.copy(), p.least_sell.copy(), p.most_sell.copy()]
        for j, *amounts in chosen:
            for array, amount in zip(bounds, amounts, strict=True):
                array[j] = amount
        if (bounds[0] <= bounds[1]).all() and (bounds[2] <= bounds[3]).all():
            names = ("least_buy", "most_buy", "least_sell", "most_sell")
            yield p.bounded(**dict(zip(names, bounds, strict=True)))


class Best(NamedTuple):
    """Best value, and what a linear master says cannot be beaten."""

    value: float
    bound: float


@dataclass(frozen=True)
class Master:
    """Columns (z, tangent heights, 0/1 for each least amount, lots, 0/1 for the side) of a mixed-integer programme.

    Duran and Grossmann (1986): HiGHS chooses the integers on tangents of the squares and cones; with these held, the
    second way finds the best amounts, and gives new tangents. The master's value is a bound whatever happens elsewhere.
    """

    p: Problem
    allowed: Choices
    written: Written

    def best(self) -> Best:
        w = self.written
        heights = len(self._squares[0])
        size, integers = sum(w.sizes), self._integers()
        cuts: list[tuple[Array, float]] = []
        best, bound, tried = np.inf, -np.inf, set()
        for _ in range(ROUNDS):
            x, bound = self._solve(cuts)
            if x is None or bound >= best - CLOSE * max(1.0, abs(best)):
                return Best(best, min(bound, best))
            whole = tuple(np.rint(x[size + heights :]).astype(int).tolist())
            if whole not in tried:
                tried.add(whole)
                held = self._held(whole, integers)
                found = second_way(held) or _patiently(held)
                if found is not None:
                    best = min(best, found.objective)
                    cuts += self._tangents(self._point(found.buy, found.sell))
            cuts += self._tangents(x[:size])
        return Best(best, bound)

    @cached_property
    def _squares(self) -> tuple[Array, Array]:
        """Rows and constants whose squares are the quadratic part."""
        p, w = self.p, self.written
        rows = np.vstack([p.targets, np.diag(p.root)])
        at = np.concatenate([p.targets @ p.w0, p.root * p.w0 - p.center])
        rows = rows @ (w.buys - w.sells)
        used = np.abs(rows).sum(axis=1) > 0
        return rows[used], at[used]

    def _integers(self) -> list[tuple[str, int]]:
        """Kind and instrument of each integer: buy at all, lots, sell at all, which side."""
        p, a, (bought, sold, _) = self.p, self.allowed, self.written.places
        out = [("buy", int(j)) for j in bought if a.buy_least[j] > 0 or a.buy_step[j] > WHOLE]
        out += [("lots", int(j)) for j in bought if a.buy_step[j] > WHOLE]
        out += [("sell", int(j)) for j in sold if a.sell_least[j] > 0]
        return out + [("side", int(j)) for j in set(bought) & set(sold) if p.wash[j] > 0]

    def _solve(self, cuts: list[tuple[Array, float]]) -> tuple[Array | None, float]:
        p, a, w = self.p, self.allowed, self.written
        (squares, at), integers = self._squares, self._integers()
        size, heights = sum(w.sizes), len(squares)
        n = size + heights + len(integers)
        left, right = w.inequalities
        rows = [np.append(row, np.zeros(n - size)) for row in left]
        most = list(right)
        low, high = (np.append(b, np.zeros(n - size)) for b in w.bounds)
        high[high >= NONE] = np.inf
        high[size : size + heights] = np.inf
        for k, (kind, j) in enumerate(integers, start=size + heights):
            high[k] = np.ceil(p.most_buy[j] / a.buy_step[j]) if kind == "lots" else 1.0
            for sign, row, bound in self._links(kind, j, n, k):
                rows.append(sign * row)
                most.append(bound)
        for row, bound in cuts:
            rows.append(np.append(row, np.zeros(n - len(row))))
            most.append(bound)
        money, amount = w.equality
        _, linear, constant = w.quadratic
        cost = np.zeros(n)
        cost[:size] = linear - 2 * at @ squares
        cost[size : size + heights] = 1.0
        for presolve in (True, False):  # where there is hardly an interior, its presolve may call it none
            found = milp(
                cost,
                integrality=np.append(np.zeros(size + heights), np.ones(len(integers))),
                bounds=Bounds(low, high),
                constraints=[
                    LinearConstraint(np.array(rows), -np.inf, np.array(most)),
                    LinearConstraint(np.append(money, np.zeros(n - size))[None], amount, amount),
                ],
                options={"mip_rel_gap": 0.0, "presolve": presolve},
            )
            if found.x is not None:
                break
        else:
            return None, np.inf
        rest = constant - float((at**2).sum())
        return found.x, float(found.mip_dual_bound) + rest

    def _links(self, kind: str, j: int, n: int, k: int) -> Iterator[tuple[float, Array, float]]:
        """What an integer says of the amounts."""
        p, a, w = self.p, self.allowed, self.written
        size = sum(w.sizes)

        def amount(side: Array) -> Array:
            return np.append(side[j], np.zeros(n - size))

        on = np.zeros(n)
        on[k] = 1.0
        if kind in ("buy", "sell"):
            x = amount(w.buys if kind == "buy" else w.sells)
            least = a.buy_least[j] if kind == "buy" else a.sell_least[j]
            yield 1.0, x - (p.most_buy if kind == "buy" else p.most_sell)[j] * on, 0.0
            yield 1.0, least * on - x, 0.0
        elif kind == "lots":
            for sign in (1.0, -1.0):
                yield sign, amount(w.buys) - a.buy_step[j] * on, 0.0
        else:  # one side only: bought where 1, sold where 0
            yield 1.0, amount(w.buys) - p.most_buy[j] * on, 0.0
            yield 1.0, amount(w.sells) + p.most_sell[j] * on, float(p.most_sell[j])

    def _held(self, whole: tuple[int, ...], integers: list[tuple[str, int]]) -> Problem:
        """The continuous programme with the integers held."""
        p, a = self.p, self.allowed
        b = {name: getattr(p, name).copy() for name in ("least_buy", "most_buy", "least_sell", "most_sell")}
        for (kind, j), value in zip(integers, whole, strict=True):
            if kind == "lots":
                b["least_buy"][j] = b["most_buy"][j] = value * a.buy_step[j]
            elif kind == "side":
                b["most_buy" if value == 0 else "most_sell"][j] = 0.0
            elif value == 0:
                b[f"most_{kind}"][j] = 0.0
            else:
                b[f"least_{kind}"][j] = max(b[f"least_{kind}"][j], (a.buy_least if kind == "buy" else a.sell_least)[j])
        return p.bounded(**b)

    def _point(self, buy: Array, sell: Array) -> Array:
        """z of some trades, each excess at its least."""
        p, w = self.p, self.written
        over = p.excess(p.w0 + buy - sell)
        bought, sold, named = w.places
        return np.concatenate([buy[bought], sell[sold], over.rows, over.names[named], over.convex])

    def _tangents(self, z: Array) -> list[tuple[Array, float]]:
        """Tangents of each square, height ≥ 2 v (row z + c) − v² at v = row z + c there, and of each cone."""
        (rows, at), size = self._squares, len(z)
        out = []
        for k, v in enumerate(rows @ z + at):
            left = np.zeros(size + len(rows))
            left[:size], left[size + k] = 2 * v * rows[k], -1.0
            out.append((left, float(v**2 - 2 * v * at[k])))
        return out + [self.written.tangent(i, z) for i in range(len(self.p.convex))]


def _patiently(held: Problem) -> Solution | None:
    """The package's own solver, where the second way has no answer; None where nothing is feasible."""
    try:
        return solve(held)
    except SolveError:  # hardly feasible, or hardly not: the master goes on without it
        return None


def by_outer_cuts(p: Problem, allowed: Choices) -> Best:
    """Best plan in allowed amounts by HiGHS and the second way."""
    return Master(p, allowed, Written(p)).best()
