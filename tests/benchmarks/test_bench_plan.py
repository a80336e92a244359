"""Plans of one client: the compiled programme against one written anew, explanations, and whole amounts, as ratios."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any, TypeVar

import numpy as np
import pytest
from test_bench_analysis import random_book, tell

from allocator.book import Book, read_book
from allocator.pipeline import analyze
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import instruments
from allocator.rebalance.model import Shape, constant, padded, programme, shape_of
from allocator.rebalance.optimise import optimise
from allocator.rebalance.planner import Planner
from allocator.rebalance.problem import Problem, problem_of
from allocator.rebalance.solve import solve
from allocator.rebalance.start import start_of
from allocator.sample import sample_path

ON = dt.date(2026, 9, 30)
CLIENTS = 40
FLOOR = 3.0
"""How many times faster a client must be, at least, when the programme is not written again."""

EXPLAINED = 5.0
"""How many plain cvxpy solves an explained plan may take, at most."""

WHOLE = 5.0
"""How many times longer a plan in whole amounts may take than one in any amounts, at most."""

T = TypeVar("T")


def problems(count: int) -> list[Problem]:
    """The programmes of the first clients of a random book who can be planned."""
    a = analyze(random_book(3 * count), on=ON)
    context = Context(a)
    out = []
    for i in np.flatnonzero(np.isin(a.status, ["exceeded", "in_band"]))[:count].tolist():
        x = instruments(i, context)
        start = start_of(x, 0.0)
        assert start is not None
        out.append(problem_of(i, x, start, context))
    assert len(out) == count
    return out


def reused(data: Problem) -> float:
    """What the package does: parameters of the compiled programme are set."""
    found = solve(data)
    assert found is not None
    return found.objective


def rebuilt(data: Problem) -> float:
    """The same programme written for this one client, without padding, its numbers as constants."""
    whole = shape_of(data)
    shape = Shape(data.n, len(data.bound), whole.targets, whole.factors, whole.kinds, whole.scenarios)
    problem, _, _ = programme(shape, padded(data, shape), data if data.own else None)
    problem.solve(solver="CLARABEL")
    assert problem.status in ("optimal", "optimal_inaccurate")
    return float(problem.value) + constant(data)


def each(work: Callable[[T], Any], data: list[T]) -> tuple[list[float], list[Any]]:
    """Seconds per item, and the answers."""
    seconds, answers = [], []
    for d in data:
        begin = time.perf_counter()
        answers.append(work(d))
        seconds.append(time.perf_counter() - begin)
    return seconds, answers


def test_reused_programme_against_a_rebuilt_one(benchmark: Any, request: pytest.FixtureRequest) -> None:
    data = problems(CLIENTS)
    begin = time.perf_counter()
    each(reused, data)  # compiles every size once
    first = time.perf_counter() - begin
    rebuilt(data[0])
    # side by side in halves, so that a machine that slows down slows both
    slow, ours, theirs = [], [], []
    for part in (data[::2], data[1::2]):
        seconds, answers = each(rebuilt, part)
        slow += seconds
        theirs += answers
        ours += each(reused, part)[1]
    benchmark.pedantic(lambda: each(reused, data), rounds=3, warmup_rounds=1)
    fast = benchmark.stats.stats.median / CLIENTS
    for one, two in zip(ours, theirs, strict=True):
        assert one == pytest.approx(two, rel=1e-5, abs=1e-5)  # the plain solve stops at the solver's own tolerance
    ratio = float(np.mean(slow)) / fast
    sizes = [d.n for d in data]
    benchmark.extra_info |= {
        "clients": CLIENTS,
        "instruments_median": median(sizes),
        "shapes": len({shape_of(d) for d in data}),
        "rebuilt_ms": round(float(np.mean(slow)) * 1e3, 2),
        "reused_ms": round(fast * 1e3, 2),
        "first_pass_s": round(first, 2),
        "ratio": round(ratio, 1),
    }
    tell(
        request,
        f"{CLIENTS} clients of {min(sizes)}–{max(sizes)} instruments (median {median(sizes):.0f}): rebuilt "
        f"{np.mean(slow) * 1e3:.1f} ms, reused {fast * 1e3:.1f} ms a client: ratio {ratio:.1f}; "
        f"first pass with {benchmark.extra_info['shapes']} compilations {first:.1f} s",
    )
    assert ratio >= FLOOR


# ---- a plan with everything that is said of it


def planned(planner: Planner) -> list[int]:
    """Clients who get trades."""
    return [i for i in range(len(planner.analysis)) if planner.plan(i).lines]


def programmes(planner: Planner, clients: list[int]) -> list[Problem]:
    a, context, out = planner.analysis, planner.context, []
    for i in clients:
        x = instruments(i, context)
        start = start_of(x, float(a.positions.cash_flow[i] / a.exposures.total[i]))
        assert start is not None
        out.append(problem_of(i, x, start, context))
    return out


@pytest.mark.parametrize("which", ["sample", "random"])
def test_an_explained_plan_against_one_plain_solve(benchmark: Any, request: pytest.FixtureRequest, which: str) -> None:
    """Trades, reasons, certificate, obstacles, shadow prices and both modes: in units of one plain build-and-solve."""
    book: Book = read_book(sample_path()) if which == "sample" else random_book(3 * CLIENTS)
    planner = Planner(analyze(book, on=ON))
    clients = planned(planner)[:CLIENTS]  # compiles every size once
    data = programmes(planner, clients)
    plain = each(rebuilt, data)[0]
    benchmark.pedantic(lambda: each(planner.plan, clients), rounds=3, warmup_rounds=1)
    explained, _ = each(planner.plan, clients)
    plain = [min(pair) for pair in zip(plain, each(rebuilt, data)[0], strict=True)]
    ratio = median(e / p for e, p in zip(explained, plain, strict=True))
    benchmark.extra_info |= {
        "clients": len(clients),
        "explained_ms": round(median(explained) * 1e3, 1),
        "explained_slowest_ms": round(max(explained) * 1e3, 1),
        "plain_ms": round(median(plain) * 1e3, 1),
        "ratio": round(ratio, 2),
    }
    tell(
        request,
        f"{which}: {len(clients)} plans with all explanations, median {median(explained) * 1e3:.1f} ms, slowest "
        f"{max(explained) * 1e3:.1f} ms; one plain build-and-solve {median(plain) * 1e3:.1f} ms: ratio {ratio:.2f}",
    )
    assert ratio <= EXPLAINED


# ---- whole amounts


def test_a_plan_in_whole_amounts_against_one_in_any(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """The same clients with every second asset indivisible and lots on every product, and without; medians."""
    planner = Planner(analyze(random_book(3 * CLIENTS), on=ON))
    a, pairs = planner.analysis, []
    for i in planned(planner)[:CLIENTS]:
        x = instruments(i, planner.context)
        total = float(a.exposures.total[i])
        whole_sale = (x.w0 > 0) & (x.sellable >= x.w0) & (np.arange(len(x)) % 2 == 0) & (np.arange(len(x)) != x.cash)
        lots = np.where(x.on_shelf & (x.holding < 0), 0.01 * total, x.lot)
        start = start_of(x, 0.0)
        assert start is not None
        free = (problem_of(i, x, start, planner.context), x, total)
        bound = (free[0], replace(x, indivisible=whole_sale, lot=lots), total)
        pairs.append((free, bound))

    def plan(given: tuple[Problem, Any, float]) -> Any:
        return optimise(*given)

    continuous = each(plan, [free for free, _ in pairs])[0]
    in_whole, answers = each(plan, [bound for _, bound in pairs])
    benchmark.pedantic(lambda: each(plan, [bound for _, bound in pairs]), rounds=3, warmup_rounds=1)
    continuous = [min(pair) for pair in zip(continuous, each(plan, [free for free, _ in pairs])[0], strict=True)]
    in_whole = [min(pair) for pair in zip(in_whole, each(plan, [bound for _, bound in pairs])[0], strict=True)]
    ratio = median(w / c for w, c in zip(in_whole, continuous, strict=True))
    left = [max(t.objective - t.bound, 0.0) / max(1.0, abs(t.bound)) for t in answers]
    benchmark.extra_info |= {
        "clients": len(pairs),
        "whole_ms": round(median(in_whole) * 1e3, 2),
        "whole_slowest_ms": round(max(in_whole) * 1e3, 1),
        "any_ms": round(median(continuous) * 1e3, 2),
        "ratio": round(ratio, 2),
        "largest_gap_left": float(f"{max(left):.2e}"),
    }
    tell(
        request,
        f"{len(pairs)} clients in whole amounts {median(in_whole) * 1e3:.1f} ms (most {max(in_whole) * 1e3:.0f} ms), "
        f"in any amounts {median(continuous) * 1e3:.1f} ms: median ratio {ratio:.2f}; largest gap left {max(left):.1e}",
    )
    assert ratio <= WHOLE
