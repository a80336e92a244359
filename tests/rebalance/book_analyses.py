"""Analyses that the book engine is tried on, and each client's programme as the planner of single clients has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from conftest import ON, SAMPLE
from worlds import random_world

from allocator.analysis import Analysis
from allocator.book import Book, read_book
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.rebalance.instruments import instruments
from allocator.rebalance.planner import Planner
from allocator.rebalance.problem import problem_of
from allocator.rebalance.start import start_of

FLOWS = (0.0, 0.0, 0.1, -0.05, -0.3, -0.9)
"""Money due, as fractions of the total."""


def sample_analysis() -> Analysis:
    return analyze(read_book(SAMPLE), on=ON)


def world_analysis(seed: int, clients: int = 40) -> Analysis:
    """A random world with money due; assets in several accounts, debts, locks, labels and gaps are in it."""
    return analyze(with_flows(random_world(seed, load_framework("classic"), clients).book(), seed), on=ON)


def with_flows(book: Book, seed: int) -> Book:
    """Money due in and out, drawn from `FLOWS`."""
    rng = np.random.default_rng([seed, 7])
    total = book.holdings.groupby("client_id")["value"].sum().reindex(book.clients["client_id"]).fillna(0.0)
    flow = (total.to_numpy() * rng.choice(FLOWS, len(total))).round(2)
    return replace(book, clients=book.clients.assign(cash_flow=flow))


def survey_analysis(shared: Callable[[str], Path]) -> Analysis:
    return analyze(read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)


def singles(analysis: Analysis) -> Iterator[tuple[int, Any, Any]]:
    """Each client who can be planned: index, instruments, starting point (None: unfunded)."""
    planner = Planner(analysis, True, False)
    for i in range(len(analysis)):
        if planner._refused(i) is None:
            x = instruments(i, planner.context)
            yield i, x, start_of(x, float(analysis.positions.cash_flow[i] / analysis.exposures.total[i]))


def programme(i: int, x: Any, start: Any, planner: Planner) -> Any:
    return problem_of(i, x, start, planner.context)
