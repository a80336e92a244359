"""The compiled quadratic solver against another: random programmes with penalties, ranges and flat directions."""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from allocator.rebalance.book import active_set
from allocator.rebalance.book.quadratic import forget, multiplier, put_row, quadratic

INF = np.inf


def random_programme(rng: np.random.Generator) -> dict[str, Any]:
    """A programme with a point that keeps every hard row; many rows touch it."""
    p, m = int(rng.integers(3, 30)), int(rng.integers(2, 30))
    root = rng.normal(size=(int(rng.integers(1, p + 1)), p))
    rows = rng.normal(size=(m, p)) * (rng.random((m, p)) < 0.5)
    inside = rng.random(p)
    high = rows @ inside + rng.random(m) * 0.5 * (rng.random(m) < 0.7)
    cap = np.where(rng.random(m) < 0.4, rng.random(m) * 3, INF)
    high = np.where(np.isfinite(cap), high - rng.random(m), high)
    low = np.where(np.isfinite(cap) | (rng.random(m) < 0.7), -1e30, rows @ inside - 0.1)
    return {"root": root, "linear": rng.normal(size=p), "rows": rows, "low": low, "high": high, "cap": cap}


def ours(d: dict[str, Any], box: tuple[float, float] = (0.0, 1.0)) -> tuple[int, Any]:
    p, m = len(d["linear"]), len(d["rows"])
    q = quadratic(d["root"].T @ d["root"], d["linear"], p + m)
    for j in range(p):
        put_row(q, np.eye(p)[j], *box, INF)
    for i in range(m):
        put_row(q, d["rows"][i], d["low"][i], d["high"][i], d["cap"][i])
    return active_set.solve(q, 200), q


def worth(d: dict[str, Any], y: Any) -> float:
    soft = np.isfinite(d["cap"])
    over = np.maximum(d["rows"][soft] @ y - d["high"][soft], 0.0)
    return float(0.5 * ((d["root"] @ y) ** 2).sum() + d["linear"] @ y + d["cap"][soft] @ over)


def theirs(d: dict[str, Any]) -> float:
    y = cp.Variable(len(d["linear"]))
    soft, floor = np.isfinite(d["cap"]), d["low"] > -1e29
    objective = cp.sum_squares(d["root"] @ y) / 2 + d["linear"] @ y
    if soft.any():
        objective += d["cap"][soft] @ cp.pos(d["rows"][soft] @ y - d["high"][soft])
    kept = [y >= 0, y <= 1]
    kept += [d["rows"][~soft] @ y <= d["high"][~soft]] if (~soft).any() else []
    kept += [d["rows"][floor] @ y >= d["low"][floor]] if floor.any() else []
    problem = cp.Problem(cp.Minimize(objective), kept)
    problem.solve(solver="CLARABEL")
    assert problem.status == "optimal"
    return float(problem.value)


def test_random_programmes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(120):
        d = random_programme(rng)
        status, q = ours(d)
        assert status == active_set.SOLVED
        y, hard = q.point, ~np.isfinite(d["cap"])
        assert max((d["rows"][hard] @ y - d["high"][hard]).max(initial=0.0), -y.min(), (y - 1).max()) < 1e-8
        assert (d["low"] - d["rows"] @ y).max() < 1e-8
        assert worth(d, y) == pytest.approx(theirs(d), abs=2e-6, rel=2e-6)


def test_multipliers_balance_the_gradient() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        d = random_programme(rng)
        status, q = ours(d)
        assert status == active_set.SOLVED
        force = np.array([multiplier(q, i) for i in range(q.counter[1])])
        gradient = d["root"].T @ (d["root"] @ q.point) + d["linear"]
        assert np.abs(gradient + q.rows[: q.counter[1]].T @ force).max() < 1e-7 * max(1.0, np.abs(force).max())


def test_other_bounds_start_from_the_last_answer() -> None:
    """A branch of a search, there and back: equations come and go, and the first answer comes again."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        d = random_programme(rng)
        status, q = ours(d)
        first = q.point.copy()
        j = int(rng.integers(len(first)))
        for low, high in ((0.0, 0.0), (0.3, 1.0), (0.5, 0.5), (0.0, 1.0)):
            q.low[j], q.high[j] = low, high
            status = active_set.solve(q, 200)
            if status != active_set.SOLVED:  # such a branch ends, and the next begins from nothing
                forget(q)
        assert status == active_set.SOLVED
        assert worth(d, q.point) == pytest.approx(worth(d, first), abs=1e-7, rel=1e-7)


def test_infeasible_is_said() -> None:
    d = {"root": np.eye(2), "linear": np.zeros(2), "rows": np.ones((1, 2)), "low": np.array([3.0]),
         "high": np.array([4.0]), "cap": np.array([INF])}  # fmt: skip
    assert ours(d)[0] == active_set.INFEASIBLE


def test_a_penalty_bends_at_its_cap() -> None:
    """min ½(y − 1)² + c (y − 0.2)₊: y = 1 − c while that is above 0.2."""
    for cap in (0.1, 0.5, 0.8, 2.0):
        d = {"root": np.eye(1), "linear": np.array([-1.0]), "rows": np.ones((1, 1)), "low": np.array([-1e30]),
             "high": np.array([0.2]), "cap": np.array([cap])}  # fmt: skip
        status, q = ours(d)
        assert status == active_set.SOLVED
        assert q.point[0] == pytest.approx(max(1 - cap, 0.2), abs=1e-9)
