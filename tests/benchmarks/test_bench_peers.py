"""The nearest problem that other libraries can express, beside whole plans of the book engine: a table, no race.

None of them takes a balance sheet: no locks, debts, lots, reserve, do no harm, verified trades. What they are given is
a long-only portfolio of 25 assets with caps, two group limits and, where they have them, costs of trading.
``pip install -e ".[peers]"`` brings them; each that is not there is skipped.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_bench_analysis import random_book, tell
from test_bench_engine import ON, processor

from allocator.pipeline import analyze
from allocator.rebalance.book.plans import plan_all
from allocator.rebalance.planner import Planner

ASSETS = 25
TIMES = 12
NAMES = [f"A{i:02d}" for i in range(ASSETS)]
GROUPS = {name: "DGO"[i % 3] for i, name in enumerate(NAMES)}
RETURNS = pd.DataFrame(np.random.default_rng(0).normal(0.0005, 0.01, size=(120, ASSETS)), columns=NAMES)


def pypfopt() -> Callable[[], Any]:
    module = pytest.importorskip("pypfopt", reason="PyPortfolioOpt is not installed: pip install -e '.[peers]'")
    mean, covariance = RETURNS.mean(), RETURNS.cov()

    def work() -> Any:
        frontier = module.EfficientFrontier(mean, covariance, weight_bounds=(0, 0.3))
        frontier.add_sector_constraints(GROUPS, {"D": 0.2}, {"O": 0.35})
        return frontier.min_volatility()

    return work


def skfolio() -> Callable[[], Any]:
    module = pytest.importorskip("skfolio.optimization", reason="skfolio is not installed: pip install -e '.[peers]'")
    groups = np.array([[GROUPS[c] for c in NAMES]])

    def work() -> Any:
        return module.MeanRisk(
            groups=groups,
            linear_constraints=["D >= 0.2", "O <= 0.35"],
            max_weights=0.3,
            transaction_costs=0.001,
            previous_weights=np.full(ASSETS, 1 / ASSETS),
        ).fit(RETURNS)

    return work


def riskfolio() -> Callable[[], Any]:
    module = pytest.importorskip("riskfolio", reason="Riskfolio-Lib is not installed: pip install -e '.[peers]'")

    def work() -> Any:
        portfolio = module.Portfolio(returns=RETURNS)
        portfolio.assets_stats(method_mu="hist", method_cov="hist")
        return portfolio.optimization(model="Classic", rm="MV", obj="MinRisk", hist=True)

    return work


@pytest.mark.parametrize("peer", [pypfopt, skfolio, riskfolio], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore")
def test_a_peer_on_its_nearest_problem(benchmark: Any, request: pytest.FixtureRequest, peer: Any) -> None:
    work = peer()
    work()
    planner = Planner(analyze(random_book(2_000), on=ON), explain=False)
    plan_all(planner)
    theirs, ours = [], []
    for _ in range(3):  # in turns
        theirs.append(processor(lambda: [work() for _ in range(TIMES)])[0] / TIMES * 1e3)
        ours.append(processor(lambda: plan_all(planner))[0] / len(planner.analysis) * 1e3)
    benchmark.pedantic(work, rounds=3)
    ratio = min(theirs) / min(ours)
    benchmark.extra_info |= {"peer_ms": round(min(theirs), 2), "plan_ms": round(min(ours), 3), "ratio": round(ratio)}
    tell(
        request,
        f"{peer.__name__}: {min(theirs):.1f} ms of processor time for {ASSETS} assets; a whole plan of a client in a "
        f"book {min(ours):.3f} ms: ratio {ratio:.0f} ({time.strftime('%Y-%m-%d')})",
    )
