"""Twelve quarterly snapshots of 100,000 clients: adding one, and what moved between the last two."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bench_analysis import random_book

import allocator as al

CLIENTS, QUARTERS = 100_000, 12
SLOWEST = {"add": 15.0, "diff": 60.0}
"""Seconds of processor time that an add and a diff may take at most."""


@pytest.mark.parametrize("place", ["folder", "postgresql"])
def test_twelve_quarters(
    place: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    benchmark: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Prices of every holding move each quarter; one deposit in fifty is halved."""
    at = str(tmp_path / "ledger") if place == "folder" else request.getfixturevalue("postgres_url")
    rng, book, ledger = np.random.default_rng(20260930), random_book(CLIENTS), al.Ledger(at)
    seconds = []
    for quarter in range(QUARTERS):
        held = book.holdings
        step = np.exp(rng.normal(0.0, 0.05, len(held)))
        cash = (held["asset_class"] == "deposit").to_numpy(bool)
        step[cash] = np.where(rng.random(int(cash.sum())) < 0.02, 0.5, 1.0)
        book = dataclasses.replace(book, holdings=held.assign(value=np.round(held["value"] * step, 2)))
        found = al.analyze(book, on=dt.date(2023 + quarter // 4, 3 * (quarter % 4) + 3, 28))
        begin = time.process_time()
        ledger.add(found)
        seconds.append(time.process_time() - begin)
    begin = time.process_time()
    diff = benchmark.pedantic(ledger.diff, rounds=1)
    took = time.process_time() - begin
    begin = time.process_time()
    due = ledger.due(dt.date(2026, 1, 1))
    size = int(ledger.snapshots["bytes"].sum()) / 1e6
    states = diff.findings["state"].value_counts().to_dict()
    told = (
        f"{place}: add {np.median(seconds):.1f} s (most {max(seconds):.1f}), diff of {len(diff.clients):,} clients "
        f"with {states} in {took:.1f} s, due in {time.process_time() - begin:.1f} s, "
        f"{size / QUARTERS:.0f} MB a snapshot"
    )
    benchmark.extra_info["told"] = told
    with capsys.disabled():
        sys.stdout.write(f"\n{told}\n")
    assert len(due.table) == CLIENTS
    assert np.median(seconds) < SLOWEST["add"]
    assert took < SLOWEST["diff"]
