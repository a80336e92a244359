"""The programme against independent answers: another solver, brute force, optimality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from scipy.optimize import minimize

from allocator.pipeline import analyze
from allocator.rebalance.instruments import Context, instruments
from allocator.rebalance.model import compiled, padded, shape_of
from allocator.rebalance.problem import problem_of
from allocator.rebalance.solve import optimise
from allocator.rebalance.start import start_of

CLASSES = [
    "deposit",
    "gold",
    "government_bond",
    "bond_fund",
    "listed_equity",
    "equity_fund",
    "reit",
    "investment_property",
    "private_business",
    "private_equity",
    "hedge_fund",
    "collectible",
]


def random_book(seed: int, clients: int = 1):
    """Sheets of every kind: many or few holdings, debts, flows, locks, shared issuers."""
    r = np.random.default_rng(seed)
    rows, people, debts = [], [], []
    for c in range(clients):
        chosen = r.choice(CLASSES, r.integers(2, 10), replace=False)
        values = np.round(r.gamma(0.7, 3e6, len(chosen)) + 1e4, 2)
        rows += [
            {
                "client_id": f"c{c}",
                "name": k,
                "asset_class": k,
                "value": v,
                "issuer": str(r.choice(["", "A", "B"])),
                "sellable": float(r.choice([0, 0.25, 1], p=[0.2, 0.2, 0.6])),
            }
            for k, v in zip(chosen, values, strict=True)
        ]
        people.append(
            {
                "client_id": f"c{c}",
                "risk_band": str(r.choice(["conservative", "balanced", "aggressive"])),
                "monthly_spending": round(float(r.uniform(5e3, 5e5)), 2),
            }
        )
        if r.random() < 0.5:
            debts.append(
                {
                    "client_id": f"c{c}",
                    "kind": "loan",
                    "value": round(float(values.sum() * r.uniform(0.05, 0.6)), 2),
                    "secured_by": str(chosen[0]) if r.random() < 0.5 else "",
                    "annual_payment": 1000.0,
                }
            )
    return make_book(pd.DataFrame(rows), people, debts=debts or [{"client_id": "c0", "kind": "loan", "value": 1.0}])


def problems(seed: int, clients: int = 1):
    a = analyze(random_book(seed, clients), on=ON)
    context = Context(a)
    for i in range(len(a)):
        if a.exposures.equity[i] > 0:
            x = instruments(i, context)
            yield x, problem_of(i, x, start_of(x, 0.0), context), float(a.exposures.total[i])


def test_same_optimum_by_another_solver() -> None:
    """Clarabel and QOCO, written by other people, agree: to 1e-6 in the median, and never apart by more than 1e-4.

    The tail is QOCO's: where do no harm leaves a sliver of room, its default tolerance moves the objective that far.
    """
    apart = []
    for seed in range(60):
        for _, p, _ in problems(seed):
            m = compiled(shape_of(p))
            first = m.solve(p)
            assert first is not None
            for name, value in padded(p, m.shape).items():
                m.parameters[name].value = value
            m.problem.solve(solver="QOCO")
            assert m.problem.status == "optimal"
            apart.append(abs(first.objective - m.problem.value) / max(1.0, abs(first.objective)))
    assert len(apart) >= 50
    assert np.median(apart) < 1e-6
    assert max(apart) < 1e-4


@pytest.mark.parametrize("seed", range(60))
def test_answers_obey_every_constraint_and_match_our_own_objective(seed: int) -> None:
    for x, p, total in problems(seed, 3):
        found = compiled(shape_of(p)).solve(p)
        assert found is not None
        assert p.violation(found.buy, found.sell) < 5e-7
        offset = p.weights.cost_weight * (1 + p.flow)
        assert p.objective(found.buy, found.sell) == pytest.approx(found.objective + offset, rel=1e-5, abs=1e-5)
        # what is done after solving (small trades left out) never beats the optimum, and never loses to doing nothing
        done = optimise(p, x, total)
        slack = 1e-4 * max(1.0, abs(done.best_possible))
        assert done.objective >= done.best_possible - slack
        assert min(done.objective, p.objective(p.start.buy, p.start.sell)) >= done.best_possible - slack


@pytest.mark.parametrize("seed", range(25))
def test_no_feasible_direction_improves(seed: int) -> None:
    """Convexity makes a local optimum global: random feasible moves from the answer never lower the objective."""
    r = np.random.default_rng(seed)
    for _, p, _ in problems(seed):
        found = compiled(shape_of(p)).solve(p)
        assert found is not None
        best = p.objective(found.buy, found.sell)
        for _ in range(400):
            other_buy = r.uniform(0, 1, p.n) * p.most_buy * (r.random(p.n) < 0.3)
            other_sell = r.uniform(0, 1, p.n) * p.most_sell * (r.random(p.n) < 0.5)
            raised = (other_sell * (1 - p.sell_cost)).sum()
            wanted = (other_buy * (1 + p.buy_cost)).sum()
            if wanted > 0:
                other_buy *= min(raised / wanted, 1.0)
            cash = raised - (other_buy * (1 + p.buy_cost)).sum()
            place = int(np.argmax((p.most_buy >= 1) & (p.buy_cost == 0) & (p.counts > 0)))
            other_buy[place] += max(cash, 0.0)
            for step in (1e-3, 0.03, 0.3):
                buy = found.buy + step * (other_buy - found.buy)
                sell = found.sell + step * (other_sell - found.sell)
                if p.violation(buy, sell) < 1e-7:
                    assert p.objective(buy, sell) >= best - 1e-6


def test_brute_force_on_three_assets() -> None:
    """Cash, an equity fund and a locked firm: the best of a fine grid of all possible trades is the plan."""
    book = make_book(
        [("a", "cash", "deposit", 10), ("a", "fund", "equity_fund", 60), ("a", "firm", "private_business", 30)],
        [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 0.5}],
        products=[{"product_id": "P", "name": "bonds", "asset_class": "bond_fund"}],
    )
    a = analyze(book, on=ON)
    context = Context(a)
    x = instruments(0, context)
    x = replace(x, sellable=np.array([0.1, 0.6, 0.0, 0.0]))
    p = problem_of(0, x, start_of(x, 0.0), context)
    found = compiled(shape_of(p)).solve(p)
    assert found is not None
    best, at, width = np.inf, (0.3, 0.35), (0.3, 0.35)
    for _ in range(6):  # a grid over everything, then ever finer ones around the best
        centre, spread = at, width
        for sold in np.clip(np.linspace(centre[0] - spread[0], centre[0] + spread[0], 81), 0, 0.6):
            for bonds in np.clip(np.linspace(centre[1] - spread[1], centre[1] + spread[1], 81), 0, 0.7):
                sell, buy = np.array([0, sold, 0, 0.0]), np.array([0, 0, 0, bonds])
                cash = sold * (1 - p.sell_cost[1]) - bonds * (1 + p.buy_cost[3])
                buy[0], sell[0] = max(cash, 0.0), max(-cash, 0.0)
                if p.violation(buy, sell) < 1e-9 and p.objective(buy, sell) < best:
                    best, at = p.objective(buy, sell), (sold, bonds)
        width = (spread[0] / 8, spread[1] / 8)
    ours = p.objective(found.buy, found.sell)
    assert ours <= best + 1e-6
    assert ours == pytest.approx(best, abs=1e-4)
    assert (found.sell[1], found.buy[3]) == pytest.approx(at, abs=1e-3)


def test_two_assets_in_closed_form() -> None:
    """Cash and bonds, no limit touched: the distance to the target has its least where the derivative is the cost."""
    book = make_book(
        [("a", "cash", "deposit", 45), ("a", "bonds", "bond_fund", 55)],
        [{"client_id": "a", "risk_band": "balanced"}],
        products=[{"product_id": "Q", "name": "none", "asset_class": "bond_fund", "status": "closed"}],
    )
    a = analyze(book, on=ON)
    context = Context(a)
    x = instruments(0, context)
    p = problem_of(0, x, start_of(x, 0.0), context)
    found = compiled(shape_of(p)).solve(p)
    assert found is not None
    grid = np.linspace(0, 0.55, 100_001)
    values = [p.objective(np.array([v * (1 - p.sell_cost[1]), 0, 0]), np.array([0, v, 0])) for v in grid[::100]]
    assert p.objective(found.buy, found.sell) <= min(values) + 1e-8


def test_the_programme_against_a_general_nonlinear_solver() -> None:
    """SLSQP on the same constraints written by hand in numpy comes no lower than the plan, and close to it."""
    book = make_book(
        [("a", "cash", "deposit", 20), ("a", "shares", "equity_fund", 80)],
        [{"client_id": "a", "risk_band": "conservative", "monthly_spending": 1}],
        products=[{"product_id": "B", "name": "bonds", "asset_class": "government_bond"}],
    )
    a = analyze(book, on=ON)
    context = Context(a)
    x = instruments(0, context)
    p = problem_of(0, x, start_of(x, 0.0), context)
    found = compiled(shape_of(p)).solve(p)
    assert found is not None

    def trades(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sold, bonds = z
        cash = sold * (1 - p.sell_cost[1]) - bonds * (1 + p.buy_cost[2])
        return np.array([max(cash, 0), 0, bonds]), np.array([max(-cash, 0), sold, 0])

    best = min(
        (
            minimize(
                lambda z: p.objective(*trades(z)),
                start,
                method="Nelder-Mead",
                bounds=[(0, 0.8), (0, 0.9)],
                options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
            )
            for start in ([0.1, 0.1], [0.5, 0.3], [0.7, 0.6])
        ),
        key=lambda r: r.fun if p.violation(*trades(r.x)) < 1e-6 else np.inf,
    )
    assert p.objective(found.buy, found.sell) <= best.fun + 1e-6
    assert p.objective(found.buy, found.sell) == pytest.approx(best.fun, rel=1e-3)
