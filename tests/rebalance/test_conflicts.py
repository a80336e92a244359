"""Limits that cannot hold together: the smallest set against all subsets, and the least relaxation of each."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
import pytest
from conftest import ON, make_book
from programmes import CLASSES, EVERY, Case, cases, cases_of, open_framework

from allocator.limits import TOLERANCE, limit
from allocator.pipeline import analyze, rebalance
from allocator.rebalance.conflicts import conflicts
from allocator.rebalance.convex import KINDS
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.parameters import Aim, Problem

Array = np.ndarray[Any, np.dtype[np.float64]]
Key = tuple[str, str]


@dataclass(frozen=True)
class Elastic:
    """The limits of one client as cvxpy constraints with room, written from the numbers: no model, no prices."""

    p: Problem

    def keys(self) -> list[Key]:
        p = self.p
        out = [(r.limit.name, r.limit.sense) for r in p.limit_rows if r.limit is not None]
        out += [("single_holding", "<=")] * bool((p.name_bound < 1).any())
        out += [(c.limit.name, c.limit.sense) for c in p.convex]
        out += [(n, "<=") for n in ("turnover", "cost") if getattr(p, n) < UNBOUNDED]
        return list(dict.fromkeys(out))

    def least(self, soft: frozenset[Key], hard: frozenset[Key], room: float = np.inf) -> float:
        """Least sum of excesses of the soft limits, up to ``room``, while the hard ones hold; infinite: impossible."""
        p = self.p
        excess: Any = 0.0
        u, v = cp.Variable(p.n, nonneg=True), cp.Variable(p.n, nonneg=True)
        w = p.w0 + u - v
        total = p.inside @ w
        costs = p.buy_cost @ u + p.sell_cost @ v
        constraints = [u >= p.least_buy, u <= p.most_buy, v >= p.least_sell, v <= p.most_sell]
        constraints.append(cp.sum(w) + costs == p.w0.sum() + p.flow)

        def hold(key: Key | None, left: Any) -> None:
            nonlocal excess
            if key is None or key in hard:
                constraints.append(left <= 0)
            elif key in soft:
                excess = excess + cp.sum(cp.pos(left))

        for row, left, bound in zip(p.limit_rows, p.rows, p.bound, strict=True):
            hold(None if row.limit is None else (row.limit.name, row.limit.sense), left @ w - bound)
        hold(("single_holding", "<="), cp.multiply(p.inside, w) - cp.multiply(p.name_bound, total))
        for c in p.convex:
            most = cp.Variable()
            constraints += KINDS[c.limit.kind].constraints(c.numbers, w, total, most)
            base = (p.inside + 1 - p.counts) @ w - p.debt if c.equity else total
            hold((c.limit.name, c.limit.sense), most - c.bound * base)
        hold(("turnover", "<="), p.counts @ (u + v) / 2 - p.turnover)
        hold(("cost", "<="), costs - p.cost)
        if room < np.inf:
            constraints.append(excess <= room)
        problem = cp.Problem(cp.Minimize(excess + 1e-7 * cp.sum(u + v)), constraints)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            value = problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
        return float(value) if problem.status in ("optimal", "optimal_inaccurate") else np.inf

    def together(self, keys: frozenset[Key]) -> bool:
        return self.least(keys, frozenset()) <= TOLERANCE

    def smallest(self, most: int) -> int:
        """Size of a smallest set that cannot hold together, all subsets tried; 0 where there is none of that size."""
        keys = self.keys()
        for size in range(1, most + 1):
            for subset in itertools.combinations(keys, size):
                if not self.together(frozenset(subset)):
                    return size
        return 0


def tight(seed: int) -> Case:
    """A client whose limits hardly leave room, and few of them."""
    r = np.random.default_rng(seed)
    chosen = r.choice(CLASSES, 3, replace=False)
    rows = [("a", str(k), str(k), float(r.integers(1, 9) * 1e5)) for k in chosen] + [("a", "cash", "deposit", 2e5)]
    person = {"client_id": "a", "risk_band": str(r.choice(["conservative", "balanced"]))}
    products = [{"product_id": "P", "name": "P", "asset_class": str(r.choice(["bond_fund", "equity_fund", "gold"]))}]
    person |= {"monthly_spending": float(r.choice([1e3, 1.5e4, 6e4]))}
    framework = EVERY if seed % 2 else "classic"
    return next(cases_of(make_book(rows, [person], products=products), framework, aim=Aim(hard=True)))


def check(p: Problem, brute: bool = True) -> int:
    """Size of the set that is found, after everything that is said of it is tried."""
    found, elastic = conflicts(p), Elastic(p)
    keys = frozenset((c.limit, c.sense) for c in found)
    assert len(keys) == len(found)
    if not found:
        assert elastic.together(frozenset(elastic.keys()))
        return 0
    assert not elastic.together(keys)
    for key in keys:
        assert elastic.together(keys - {key}), f"{key} is not needed"
    if brute:
        assert elastic.smallest(len(found)) == len(found)
    for c in found:
        key = (c.limit, c.sense)
        least = elastic.least(frozenset({key}), keys - {key})
        assert c.relaxation == pytest.approx(least, abs=2e-6)
        assert c.relaxation > 0
        # with a bit less room the others leave no way, with a bit more they do
        assert elastic.least(frozenset({key}), keys - {key}, 0.98 * c.relaxation - 2e-6) == np.inf
        assert elastic.least(frozenset({key}), keys - {key}, 1.02 * c.relaxation + 2e-6) < np.inf
    return len(found)


@pytest.mark.parametrize(("seed", "size"), [(0, 1), (1, 1), (2, 1), (5, 1), (6, 2), (9, 2), (12, 0), (18, 2), (35, 2)])
def test_the_smallest_set_is_smallest(seed: int, size: int) -> None:
    assert check(tight(seed).problem) == size


def test_random_clients_too() -> None:
    """On larger sheets: the set cannot hold, each part of it can, each relaxation is the least."""
    sizes = [check(case.problem, brute=False) for case in cases(2, 4, EVERY, aim=Aim(hard=True))]
    assert set(sizes) == {0, 1, 2}


def test_three_caps_that_miss_the_whole_by_a_tenth() -> None:
    """Everything is in three classes, each may be 30%: any two can hold, all three cannot; one has to be 40%.

    Costs take a trace of the money, so that it is a trace less.
    """
    rows = [("a", k, k, 4e5) for k in ("deposit", "money_market", "treasury_bill")]
    offered = [{"product_id": k, "name": k, "asset_class": k} for _, k, _, _ in rows]
    caps = [limit(k, 0.3, counts=lambda facts, k=k: facts["asset_class"] == k) for _, k, _, _ in rows]
    book = make_book(rows, [{"client_id": "a", "risk_band": "balanced"}], products=offered)
    p = next(cases_of(book, open_framework(), limits=tuple(caps), aim=Aim(hard=True))).problem
    assert check(p) == 3
    found = {c.limit: c.relaxation for c in conflicts(p)}
    assert set(found) == {k for _, k, _, _ in rows}
    assert all(0.0999 < x <= 0.1 + 1e-6 for x in found.values())
    a = analyze(book, open_framework(), on=ON, limits=caps)
    plan = rebalance(a, hard=True)
    assert plan.summary["status"].tolist() == ["infeasible"]
    assert plan.trades.empty
    told = plan.conflicts
    assert set(told["limit"]) == set(found)
    assert told["needed"].between(0.3999, 0.4 + 1e-6).all()
    assert told["amount"].between(0.1199e6, 0.12e6 + 1).all()
    eased = [
        limit(k, 0.4001 if j == 0 else 0.3, counts=c.counts) for j, (k, c) in enumerate(zip(found, caps, strict=True))
    ]
    assert (
        rebalance(analyze(book, open_framework(), on=ON, limits=eased), hard=True).summary["status"][0] != "infeasible"
    )
