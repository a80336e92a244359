"""The page, call list and comparison of a large book, beside the analysis that they are made from."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pytest
from test_bench_analysis import CLIENTS, ON, Clock, random_book, tell

from allocator.pipeline import analyze
from allocator.whole_book.calls import call_list
from allocator.whole_book.compare import compare
from allocator.whole_book.facts import facts
from allocator.whole_book.view import book_view

ROUNDS = 3
CEILING = 2.0
"""How many times the time of the analysis page and call list together may take, at most."""


def test_book_of_a_hundred_thousand(benchmark: Any, request: pytest.FixtureRequest) -> None:
    book = random_book(CLIENTS)
    analysing, collecting, paging, listing, comparing = (Clock() for _ in range(5))
    for _ in range(ROUNDS):
        a = analysing(lambda: analyze(book, on=ON))
        b = collecting(lambda a=a: facts(a))
        view = paging(lambda b=b: book_view(b))
        calls = listing(lambda b=b: call_list(b))
        found = comparing(lambda b=b: compare(b, b))
    benchmark.pedantic(lambda: (book_view(b), call_list(b)), rounds=1)
    assert len(view) == len(b) == CLIENTS
    assert len(calls)
    assert not found.clients["changed"].any()
    assert np.isfinite(view.total)
    seconds = {
        name: round(median(clock.wall), 2)
        for name, clock in (
            ("analysis", analysing),
            ("facts", collecting),
            ("page", paging),
            ("calls", listing),
            ("comparison", comparing),
        )
    }
    ratio = (seconds["facts"] + seconds["page"] + seconds["calls"]) / seconds["analysis"]
    benchmark.extra_info |= seconds | {"clients": CLIENTS, "called": len(calls), "ratio": round(ratio, 2)}
    tell(request, f"{CLIENTS:,} clients: {seconds}; facts, page and call list take {ratio:.2f} of the analysis")
    assert ratio < CEILING
