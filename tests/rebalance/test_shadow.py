"""Shadow prices against differences: each bound is moved by a little, and the optimum moves by the price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import ON
from programmes import EVERY, Case, cases, random_book

from allocator.limits import limit
from allocator.pipeline import analyze, rebalance
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.parameters import Problem
from allocator.rebalance.shadow import LEAST, POINT, Shadow, shadows
from allocator.rebalance.solve import Solution, solve

STEP = 1e-4
"""How far a bound is moved: far above the solver's precision, far below most kinks."""

KINK = 0.02
"""Left and right slopes that differ by more, relatively, are a kink: there the multiplier is any number between."""


class Slopes(NamedTuple):
    """What a hundredth of the total more of room takes off the objective, by small moves to either side."""

    less: float
    more: float


def moved(p: Problem, x: Shadow, case: Case, by: float) -> Problem:
    """The programme with more room (or less, below 0) for what a price is about."""
    if x.kind == "budget":
        return replace(p, **{x.name: getattr(p, x.name) + by})
    if x.kind in ("holding", "product"):
        j = case.x.asset_id.index(x.name)
        side = "most_sell" if x.kind == "holding" else "most_buy"
        amounts = getattr(p, side).copy()
        amounts[j] += by
        return p.bounded(**{side: amounts})
    mine = np.array([r.limit is not None and (r.limit.name, r.limit.sense) == (x.name, x.sense) for r in p.limit_rows])
    convex = [replace(c, debt=c.debt - by / c.bound) if c.equity and c.limit.name == x.name else c for c in p.convex]
    bound = p.bound + by * mine
    return replace(p, bound=bound, convex=tuple(convex))


def exact(s: Solution) -> bool:
    """Proved, and by far nearer to every bound than a bound is moved: at hardly an interior what a proof lets pass
    (1e-8 of a bound) is worth more, by multipliers of 1e5, than the move itself, and its difference says nothing.
    """
    return s.proof.holds and s.proof.primal <= 1e-6 * STEP


def slopes(p: Problem, x: Shadow, case: Case) -> Slopes | None:
    at, more, less = (solve(moved(p, x, case, by)) for by in (0.0, STEP, -STEP))
    if at is None or more is None or not (exact(at) and exact(more) and (less is None or exact(less))):
        return None
    gain = (at.objective - more.objective) / STEP * POINT
    return Slopes(np.inf if less is None else (less.objective - at.objective) / STEP * POINT, gain)


def between(x: Shadow, s: Slopes) -> bool:
    """A price is the slope, or at a kink between the slopes on both sides (the optimum is convex in the room)."""
    slack = KINK * max(abs(s.more), x.price) + 2 * LEAST
    return s.more - slack <= x.price <= s.less + slack


@pytest.mark.parametrize("framework", ["classic", EVERY], ids=["classic", "every"])
def test_prices_are_differences_of_the_optimum(framework: Any) -> None:
    """Every price of random programmes: limits, budgets, holdings that cannot be sold, products that cannot be bought.

    Where no room can be taken away (nothing is bought already, or the start would break the limit) there is a slope on
    one side only. Single holdings and measures on the total, whose bound is no right side, are left out.
    """
    checked: dict[str, int] = {}
    sharp: dict[str, int] = {}
    for seed in range(6):
        for case in cases(seed, 5, framework):
            p, found = case.problem, solve(case.problem)
            assert found is not None
            for x in shadows(p, case.x, found):
                if x.name in ("single_holding", "tracking"):
                    continue
                s = slopes(p, x, case)
                if s is None:
                    continue
                assert between(x, s), (x, s)
                checked[x.kind] = checked.get(x.kind, 0) + 1
                sharp[x.kind] = sharp.get(x.kind, 0) + (abs(x.price - s.more) <= KINK * x.price + 2 * LEAST)
    assert checked["limit"] >= 20
    assert checked["holding"] >= 5
    assert checked["product"] >= 5
    for kind, count in checked.items():  # at few kinks only is a price more than more room is worth
        assert sharp[kind] >= 0.8 * count, (kind, count, sharp)
    assert framework == "classic" or checked["budget"] >= 2


def test_what_is_not_ranked_has_no_price() -> None:
    """More room in any limit that is not listed gains nothing worth telling."""
    for case in cases(12, 6):
        p, found = case.problem, solve(case.problem)
        assert found is not None
        told = {(x.kind, x.name, x.sense) for x in shadows(p, case.x, found)}
        for row in p.limit_rows:
            if row.limit is not None and ("limit", row.limit.name, row.limit.sense) not in told:
                x = Shadow("limit", row.limit.name, row.limit.sense, 0.0)
                s = slopes(p, x, case)
                assert s is None or s.more < 3 * LEAST, x
        for j in np.flatnonzero(case.x.on_shelf & (p.most_buy <= 0)):
            if ("product", case.x.asset_id[j], "") not in told:
                s = slopes(p, Shadow("product", case.x.asset_id[j], "", 0.0), case)
                assert s is None or s.more < 3 * LEAST


def test_prices_are_ranked_and_of_limits_that_bind() -> None:
    seen = 0
    for case in cases(5, 8, EVERY):
        p, found = case.problem, solve(case.problem)
        assert found is not None
        ranked = shadows(p, case.x, found)
        assert [x.price for x in ranked] == sorted((x.price for x in ranked), reverse=True)
        assert all(x.price > LEAST for x in ranked)
        w = p.w0 + found.buy - found.sell
        for x in ranked:
            if x.kind == "budget":
                used = {"turnover": p.counts @ (found.buy + found.sell) / 2, "cost": p.costs(found.buy, found.sell)}
                assert used[x.name] == pytest.approx(getattr(p, x.name), abs=1e-6)
                assert getattr(p, x.name) < UNBOUNDED
            elif x.kind == "limit" and x.name in {c.limit.name for c in p.convex}:
                part = next(c for c in p.convex if c.limit.name == x.name)
                assert part.beyond(w, p.inside) > -1e-6
            elif x.kind == "limit" and x.name != "single_holding":
                rows = [k for k, r in enumerate(p.limit_rows) if r.limit is not None and r.limit.name == x.name]
                assert (p.rows @ w - p.bound)[rows].max() > -1e-6
            elif x.kind == "holding":
                j = case.x.asset_id.index(x.name)
                assert found.sell[j] == pytest.approx(p.most_sell[j], abs=1e-6)
            seen += 1
    assert seen >= 20


def test_the_price_of_a_limit_is_what_it_saves_in_a_plan() -> None:
    """Told of a plan, in units of its objective: with a bound a little wider, the same book has so much less."""

    def made(bound: float) -> Callable[[], Any]:
        own = limit("issuer A", bound, counts=lambda facts: facts["issuer"] == "A")
        return lambda: rebalance(analyze(random_book(40, 12, flows=False), on=ON, limits=[own]))

    first, wider = made(0.03)(), made(0.031)()
    priced = first.prices[first.prices["name"] == "issuer A"].set_index("client_id")["price"]
    assert len(priced) >= 2
    near = 0
    for client, price in priced.items():
        one, two = (p.summary.set_index("client_id").loc[client] for p in (first, wider))
        if one["gap"] > 1e-9 or two["gap"] > 1e-9:  # whole amounts, or small trades left out: no slope
            continue
        gained = (one["objective"] - two["objective"]) / 0.1
        assert gained <= price * 1.02 + 1e-4
        near += gained > 0.8 * price
    assert near >= 1
