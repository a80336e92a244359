"""Plans of a whole book: the engine against a cvxpy loop over its clients, bare searches, and the general solver."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np
import pytest
from test_bench_analysis import random_book, tell
from test_bench_plan import programmes, rebuilt

from allocator.pipeline import analyze, rebalance
from allocator.rebalance.book import plans as book_plans
from allocator.rebalance.book.plans import SOLVER, plan_all
from allocator.rebalance.book.sweep import Answers, Many, solve_batch
from allocator.rebalance.planner import Planner
from allocator.rebalance.solve import solve

ON = dt.date(2026, 9, 30)
CLIENTS = 4_000
LOOP = 60
"""Clients that the loop is measured on; it takes as long for each."""

FLOOR = 60.0
"""How many times faster the engine's continuous programmes must be, per core, than a cvxpy problem built and solved."""

OVERHEAD = 3.0
"""How many times longer plans may take than the bare searches in them."""

MANY = 10_000
"""Clients on whom the engine is held against the general solver."""


def processor(work: Any) -> tuple[float, Any]:
    """Seconds of processor time, which other work on the machine hardly touches, and the answer."""
    begin = time.process_time()
    out = work()
    return time.process_time() - begin, out


class Watched:
    """Stands for the engine's solver: sums up its time and keeps its answers, by client."""

    def __init__(self, whole: bool) -> None:
        self.whole, self.seconds = whole, 0.0
        self.relaxed: dict[int, float] = {}

    def __call__(self, batch: Any, skip: Any) -> Answers:
        skip = skip if self.whole else np.zeros(len(skip), dtype=bool)
        seconds, answers = processor(lambda: solve_batch(batch, skip))
        self.seconds += seconds
        self.relaxed |= dict(zip(batch.group.place.tolist(), answers.relaxed.tolist(), strict=True))
        return answers


def any_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine trade any amounts, as the loop does."""
    from allocator.rebalance.book import sweep

    real = sweep.allowed_of

    def free(batch: Any) -> Many:
        found = real(batch)
        return found._replace(least=found.least * 0.0, step=found.step * 0.0)

    monkeypatch.setattr(sweep, "allowed_of", free)


def test_engine_against_a_cvxpy_loop(
    benchmark: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    planner = Planner(analyze(random_book(CLIENTS), on=ON), explain=False)
    plan_all(planner)  # compiles every shape once
    plans = plan_all(planner)
    planned = int(plans.planned.sum())
    some = np.flatnonzero(plans.planned & (plans.verdicts.solver == SOLVER))[:LOOP].tolist()
    data = programmes(planner, some)
    rebuilt(data[0])
    watched = Watched(whole=True)
    monkeypatch.setattr(book_plans, "solve_batch", watched)
    in_whole, loop = [], []
    for part in (data[::3], data[1::3], data[2::3]):  # in turns
        loop.append(processor(lambda part=part: [rebuilt(d) for d in part])[0])
        watched.seconds = 0.0
        in_whole.append((processor(lambda: plan_all(planner))[0], watched.seconds))
    any_amounts(monkeypatch)
    free = Watched(whole=False)
    monkeypatch.setattr(book_plans, "solve_batch", free)
    plan_all(planner)
    free.seconds = 0.0
    whole_plans = processor(lambda: plan_all(planner))[0]
    benchmark.pedantic(lambda: plan_all(planner), rounds=1)
    slow = sum(loop) / len(data) * 1e3
    engine, bare = (min(x[k] for x in in_whole) / planned * 1e3 for k in range(2))
    continuous = free.seconds / planned * 1e3
    figures = {
        "cvxpy_loop_ms": round(slow, 2),
        "continuous_ms": round(continuous, 3),
        "plans_any_amounts_ms": round(whole_plans / planned * 1e3, 3),
        "plans_ms": round(engine, 3),
        "bare_search_ms": round(bare, 3),
        "ratio_continuous": round(slow / continuous, 0),
        "ratio_plans": round(slow / engine, 0),
        "overhead": round(engine / bare, 2),
    }
    benchmark.extra_info |= figures | {"clients": planned}
    tell(
        request,
        f"{planned} clients, processor time each: a cvxpy problem built and solved {slow:.1f} ms; the engine's "
        f"continuous programmes, proved, {continuous:.3f} ms ({slow / continuous:.0f}×); whole plans in whole "
        f"amounts, rounded, with reasons, {engine:.3f} ms ({slow / engine:.0f}×), {engine / bare:.2f}× their searches",
    )
    assert slow / continuous >= FLOOR
    assert engine / bare <= OVERHEAD


def test_engine_and_general_solver_agree_on_many(
    benchmark: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10,000 random clients: the optimum of each within a millionth of Clarabel's, and every certificate holds."""
    analysis = analyze(random_book(MANY), on=ON)
    watched = Watched(whole=False)
    monkeypatch.setattr(book_plans, "solve_batch", watched)
    plan = benchmark.pedantic(lambda: rebalance(analysis, explain=False, engine="book"), rounds=1)
    assert plan.summary["certificate"].all()
    planner = Planner(analysis, explain=False)
    worst, alone = 0.0, 0
    for i, found in watched.relaxed.items():
        if np.isnan(found):
            alone += 1
            continue
        truth = solve(programmes(planner, [i])[0])
        assert truth is not None
        worst = max(worst, abs(found - truth.objective) / max(1.0, abs(truth.objective)))
    benchmark.extra_info |= {"clients": len(watched.relaxed), "worst": worst, "planned_alone": alone}
    tell(
        request,
        f"{len(watched.relaxed)} clients: largest relative difference of the optimum {worst:.1e}; {alone} planned by "
        f"the other engine; certificates hold: {int(plan.summary['certificate'].sum())} of {len(plan)}",
    )
    assert worst <= 1e-6
