"""The compiled programme, reused for every client of a size, against one that is written anew for each client."""

from __future__ import annotations

import datetime as dt
import time
from statistics import median
from typing import Any

import numpy as np
import pytest
from test_bench_analysis import random_book, tell

from allocator.pipeline import analyze
from allocator.rebalance.instruments import Context, instruments
from allocator.rebalance.model import Shape, Solution, compiled, padded, programme, run, shape_of
from allocator.rebalance.problem import Problem, problem_of
from allocator.rebalance.start import start_of

ON = dt.date(2026, 9, 30)
CLIENTS = 40
FLOOR = 3.0
"""How many times faster a client must be, at least, when the programme is not written again."""


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


def reused(data: Problem) -> Solution | None:
    """What the package does: parameters of the compiled programme are set."""
    return compiled(shape_of(data)).solve(data)


def rebuilt(data: Problem) -> Solution | None:
    """The same programme written for this one client, without padding, its numbers as constants."""
    shape = Shape(data.n, len(data.bound), len(data.targets), len(data.loadings))
    problem, variables = programme(shape, padded(data, shape))
    return run(problem, variables, data)


def each(solve: Any, data: list[Problem]) -> tuple[list[float], list[Solution | None]]:
    """Seconds per client, and the answers."""
    seconds, answers = [], []
    for d in data:
        begin = time.perf_counter()
        answers.append(solve(d))
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
        assert one is not None
        assert two is not None
        assert one.objective == pytest.approx(two.objective, abs=1e-6)
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
