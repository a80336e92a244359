"""Convex measures, limits and objectives of a user's own: in the programme, the certificate and the prices."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from plain import Plain
from programmes import EVERY, cases, random_book
from worlds import random_world

from allocator.assumptions import risk_table
from allocator.limits import OwnLimit, limit
from allocator.pipeline import analyze, rebalance
from allocator.plan import Objective, Plan
from allocator.rebalance import terms
from allocator.rebalance.context import Context
from allocator.rebalance.convex import KINDS, Convex
from allocator.rebalance.instruments import instruments
from allocator.rebalance.parameters import Aim, Problem
from allocator.rebalance.problem import problem_of
from allocator.rebalance.solve import solve
from allocator.rebalance.start import start_of
from allocator.risk import shortfall

Array = np.ndarray[Any, np.dtype[np.float64]]


def norm(weights: Any, facts: pd.DataFrame) -> Any:
    del facts
    return cp.norm(weights)


def largest(weights: Any, facts: pd.DataFrame) -> Any:
    """The two largest holdings together."""
    del facts
    return cp.sum_largest(weights, min(2, weights.size))


OWN = (
    limit("spread", 0.45, term=norm, words=("spread", "分散")),
    limit("two largest", 0.6, term=largest, family="band"),
    limit("spread of own money", 0.7, term=norm, base="equity", family="risk"),
    limit("bank A", 0.03, counts=lambda facts: facts["issuer"] == "A", words=("bank A", "甲行")),
    limit("steel floor", 0.05, counts=lambda facts: (facts["sector"] == "steel") * 0.5, sense=">=", family="band"),
    limit("A of own money", 0.1, counts=lambda facts: facts["issuer"] == "A", base="equity"),
)


def part_of(p: Problem, name: str) -> Convex:
    return next(c for c in p.convex if c.limit.name == name)


def trials(p: Problem, seed: int) -> list[Array]:
    """Weights today and at random, debts among them."""
    r = np.random.default_rng(seed)
    return [p.w0, *(r.dirichlet(np.full(p.n, 0.3)) * r.uniform(0.5, 1.5) for _ in range(4))]


# ---- measures


@pytest.mark.parametrize("seed", range(3))
def test_tail_losses_by_three_ways(seed: int) -> None:
    """The sum over the worst scenarios, the definition at each loss, and the programme's expression are the same."""
    for c in cases(seed, 3, EVERY):
        part, context = part_of(c.problem, "cvar"), c.context
        for w in trials(c.problem, seed):
            losses = -(context.scenarios[:, c.x.mix] * c.x.counts) @ w
            tail = (1 - context.risk.level) * len(losses)
            brute = min(t + np.maximum(losses - t, 0.0).sum() / tail for t in losses)
            assert part.measure(w, c.problem.inside) == pytest.approx(brute, abs=1e-12)
            most = cp.Variable()
            problem = cp.Problem(cp.Minimize(most), terms.cvar(w, part.numbers["losses"], part.numbers["tail"], most))
            assert problem.solve(solver="CLARABEL") == pytest.approx(brute, abs=1e-7)


def test_a_tail_with_a_fraction_of_a_scenario() -> None:
    """The level 0.93 of 30 scenarios is 2.1 of them: the third counts a tenth."""
    losses = np.random.default_rng(0).normal(size=(30, 4))
    numbers = {"losses": losses, "tail": 1 / (0.07 * 30)}
    w = np.array([0.4, 0.3, 0.2, 0.1])
    worst = np.sort(losses @ w)[::-1]
    by_hand = (worst[0] + worst[1] + 0.1 * worst[2]) / 2.1
    assert KINDS["cvar"].measure(numbers, w, np.ones(4)) == pytest.approx(by_hand, abs=1e-12)
    most = cp.Variable()
    problem = cp.Problem(cp.Minimize(most), terms.cvar(w, losses, numbers["tail"], most))
    assert problem.solve(solver="CLARABEL") == pytest.approx(by_hand, abs=1e-7)


@pytest.mark.parametrize("seed", range(3))
def test_today_is_measured_as_a_plain_recomputation_does(seed: int) -> None:
    """On sheets with every class, fund, lock and currency: volatility, tail loss and distance from the model."""
    world = random_world(seed, EVERY)
    a = analyze(world.book(), EVERY, on=ON)
    context, table = Context(a), risk_table(EVERY, a.assumptions)
    seen = 0
    for i, sheet in enumerate(world.sheets):
        if a.positions.band[i] < 0 or a.exposures.equity[i] <= 0:
            continue
        x, plain = instruments(i, context), Plain(sheet, world)
        start = start_of(x, 0.0)
        assert start is not None
        p = problem_of(i, x, start, context)
        money = (a.exposures.classes[i] * EVERY.flag("inside"))[None, :]
        expected = {
            "volatility": plain.sigma_money,
            "cvar": plain.shortfall,
            "tracking": plain.tracking,
        }
        assert plain.shortfall == pytest.approx(float(shortfall(money, table)[0]), rel=1e-9, abs=1e-6)
        for part in p.convex:
            value = part.measure(p.w0, p.inside) * a.exposures.total[i]
            assert value == pytest.approx(expected[part.limit.kind], rel=1e-9, abs=1e-6)
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_convex_and_says_in_cvxpy_what_it_measures(kind: str) -> None:
    """A new kind is tested unasked: its least bound is its measure, which is convex and doubles with the money."""
    for c in cases(8, 3, EVERY, limits=OWN[:1]):
        p = c.problem
        part = next(x for x in p.convex if x.limit.kind == kind)
        values = []
        for w in trials(p, 3):
            variable, most = cp.Variable(p.n), cp.Variable()
            constraints = KINDS[part.limit.kind].constraints(part.numbers, variable, p.inside @ variable, most)
            problem = cp.Problem(cp.Minimize(most), [*constraints, variable == w])
            values.append(part.measure(w, p.inside))
            assert problem.solve(solver="CLARABEL") == pytest.approx(values[-1], abs=1e-6)
            assert part.measure(2 * w, p.inside) == pytest.approx(2 * values[-1], abs=1e-12)
        one, two = trials(p, 3)[1:3]
        assert part.measure((one + two) / 2, p.inside) <= (values[1] + values[2]) / 2 + 1e-12


def test_slopes_are_differences() -> None:
    for c in cases(9, 2, EVERY):
        w = trials(c.problem, 1)[2]
        for part in c.problem.convex:
            slope = part.slope(w, c.problem.inside)
            step = 1e-4 * np.random.default_rng(0).normal(size=len(w))
            change = part.measure(w + step, c.problem.inside) - part.measure(w - step, c.problem.inside)
            assert 2 * slope @ step == pytest.approx(change, abs=1e-5)


# ---- a user's own limits


@pytest.fixture(scope="module")
def own_plan() -> Plan:
    book = random_book(21, 14, flows=False)
    return rebalance(analyze(book, on=ON, limits=OWN), explain=True)


def amount_of(own: OwnLimit, holdings: pd.DataFrame) -> float:
    """What a limit measures, from the rows of holdings."""
    h = holdings[holdings["bucket"].isin(["defensive", "growth", "offensive"]) & (holdings["value"] > 0)]
    if own.counts is not None:
        return float((np.asarray(own.counts(h), dtype=float) * h["value"]).sum())
    values = np.sort(h["value"].to_numpy())[::-1]
    return float(values[:2].sum() if own.name == "two largest" else np.sqrt((values**2).sum()))


@pytest.mark.parametrize("own", OWN, ids=lambda x: x.name)
def test_a_limit_of_ones_own_is_obeyed_certified_and_priced(own: OwnLimit, own_plan: Plan) -> None:
    plan = own_plan
    assert plan.summary["certificate"].all()
    checks = plan.checks[plan.checks["check"] == own.name]
    assert len(checks) == len(plan) - plan.summary["status"].isin(["invalid", "insolvent", "unfunded"]).sum()
    limits = plan.before.limits
    mended, sign = 0, 1 if own.sense == "<=" else -1
    for i, client in enumerate(plan.before.client_ids):
        if plan.summary["status"][i] in ("invalid", "insolvent", "unfunded"):
            continue
        over, before = [], plan.before.exposures
        for a in (plan.before, plan.after):
            h = a.holdings[a.holdings["client_id"] == client]
            base = a.exposures.equity[i] if own.base == "equity" else a.exposures.total[i]
            over.append(max(sign * (amount_of(own, h) - own.bound * base), 0.0) / before.total[i])
        told = limits[(limits["client_id"] == client) & (limits["limit"] == own.name)].iloc[0]
        assert told["excess"] == pytest.approx(over[0], abs=1e-9)
        verdict = checks.loc[checks["client_id"] == client, "verdict"].iloc[0]
        room = own.bound * (before.total[i] - plan.after.exposures.total[i]) / before.total[i]
        assert over[1] <= over[0] + 2e-6 + (max(room, 0.0) if verdict == "untouched" else 0.0)
        assert (verdict == "holds") == (over[1] < 1e-6)
        mended += over[1] < over[0] - 1e-3
    assert mended >= 1
    prices = plan.prices[(plan.prices["kind"] == "limit") & (plan.prices["name"] == own.name)]
    assert (prices["sense"] == own.sense).all()
    assert (prices["price"] > 0).all()
    assert len(prices) >= 1


def test_a_trade_can_be_for_a_limit_of_ones_own(own_plan: Plan) -> None:
    assert {x.name for x in OWN} & set(own_plan.trades["because"])


# ---- a user's own objective


def kept(weights: Any, buys: Any, sells: Any, facts: pd.DataFrame) -> Any:
    """What is sold of anything: to be small."""
    del weights, buys, facts
    return cp.sum(sells)


def gold(weights: Any, buys: Any, sells: Any, facts: pd.DataFrame) -> Any:
    """Squared distance of the gold from a tenth of the total."""
    del buys, sells
    return cp.square(weights @ (facts["asset_class"] == "gold").to_numpy(dtype=float) - 0.1)


def trades_of(weight: float, term: Any, **aim: Any) -> list[tuple[Problem, Any]]:
    made = cases(31, 6, aim=Aim(objectives=(Objective("own", weight, term),), **aim))
    return [(c.problem, solve(c.problem)) for c in made]


@pytest.mark.parametrize("term", [kept, gold])
@pytest.mark.parametrize("goal", ["target", "return"])
def test_an_objective_of_ones_own_is_never_ignored(term: Any, goal: Any) -> None:
    """The dearer it is, the smaller its term; the objective that is told contains it."""
    results = {weight: trades_of(weight, term, goal=goal) for weight in (0.0, 0.3, 1e3)}
    moved = 0
    for (p, free), (q, some), (r, much) in zip(*results.values(), strict=True):
        for problem, found, weight in ((p, free, 0.0), (q, some, 0.3), (r, much, 1e3)):
            assert problem.objective(found.buy, found.sell) == pytest.approx(found.objective, rel=1e-6, abs=1e-6)
            plain = Problem.objective(_without(problem), found.buy, found.sell)
            assert found.objective - plain == pytest.approx(weight * value_of(term, problem, found), abs=1e-5)
        values = [value_of(term, p, x) for x in (free, some, much)]
        assert values[0] >= values[1] - 1e-6
        assert values[1] >= values[2] - 1e-6
        moved += values[0] > values[2] + 1e-3
    assert moved >= 2


def _without(p: Problem) -> Problem:
    from dataclasses import replace

    return replace(p, objectives=())


def value_of(term: Any, p: Problem, found: Any) -> float:
    at = p.assets
    given = [cp.Constant(x[at]) for x in (p.w0 + found.buy - found.sell, found.buy, found.sell)]
    return float(term(*given, p.facts).value)


def test_an_objective_of_ones_own_changes_the_plan_and_its_certificate_holds() -> None:
    book = make_book(
        [("a", "cash", "deposit", 3e6), ("a", "shares", "listed_equity", 4e6), ("a", "gold", "gold", 2e6)],
        [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1e4}],
    )
    a = analyze(book, on=ON)
    usual = rebalance(a)
    stay = rebalance(a, objectives=[Objective("sell nothing", 1e4, kept)])
    assert usual.trades.query("side == 'sell' and asset_id != 'cash'")["amount"].sum() > 1e5
    assert stay.trades["amount"].sum() < usual.trades["amount"].sum() / 2
    assert stay.summary["certificate"].all()
    assert stay.summary["objective"][0] != usual.summary["objective"][0]
    free = rebalance(a, objectives=[Objective("nothing", 0.0, kept)])
    pd.testing.assert_frame_equal(free.trades, usual.trades, rtol=1e-5, atol=1.0)
