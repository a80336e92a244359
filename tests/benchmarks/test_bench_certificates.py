"""Certificates of a book: time per client beside the exact verifier's on the same orders, as a ratio."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np
import pytest
from test_bench_analysis import random_book, tell

from allocator.certificates import OrderTable, verify
from allocator.certificates_orders import orders_of
from allocator.certify import Certifier
from allocator.pipeline import analyze

ON = dt.date(2026, 9, 30)
CLIENTS, SAMPLE = 20_000, 200
FLOOR = 20.0
"""How many times faster than the exact verifier a client must be, at least."""


def test_certificates_of_a_book_against_the_exact_verifier(benchmark: Any, request: pytest.FixtureRequest) -> None:
    a = analyze(random_book(CLIENTS), on=ON)
    p = a.positions
    able = np.isin(a.status, ["exceeded", "in_band"]) & (p.per_client(p.value * (p.klass < 0)) == 0)
    cash_class = int(np.flatnonzero(a.framework.flag("cash"))[0])
    rows = np.flatnonzero((p.klass == cash_class) & p.tradable & (p.sellable > 0) & (p.value > 1_000) & able[p.client])
    who, first = np.unique(p.client[rows], return_index=True)
    cash = np.full(len(a), -1, dtype="intp")
    cash[who] = rows[first]
    product = int(np.flatnonzero(p.shelf["klass"].to_numpy() != cash_class)[0])
    rate = float(p.shelf["buy_cost"].iloc[product])
    # each sells 101 from cash and buys 100 of a product, and keeps what the cost leaves
    cost = round(10_000 * rate)
    one = np.ones(2 * len(who), dtype=np.int64)
    even = np.arange(2 * len(who)) % 2 == 0
    orders = OrderTable(
        client=np.repeat(who, 2),
        holding=np.where(even, np.repeat(cash[who], 2), -1),
        product=np.where(even, -1, product),
        debt=-one,
        side=np.where(even, 1, 0),
        cents=np.where(even, 10_000 + cost, 10_000),
        cost_cents=np.where(even, 0, cost),
        tax_cents=0 * one,
        cash=cash,
        planned=able,
    )
    began = time.process_time()
    found = benchmark.pedantic(lambda: verify(a, orders), rounds=1)
    fast = (time.process_time() - began) / int(able.sum())
    certifier = Certifier(a)
    some = np.flatnonzero(able)[:SAMPLE].tolist()
    began = time.process_time()
    for i in some:
        own, account = orders_of(i, orders, p)
        assert certifier.certify(i, own, account).holds == found.holds[i]
    slow = (time.process_time() - began) / len(some)
    benchmark.extra_info |= {"us_per_client": round(fast * 1e6, 1), "ratio": round(slow / fast, 1)}
    tell(
        request,
        f"certificates of {len(a):,} clients: {fast * 1e6:.0f} µs a client, {found.exact.mean():.2%} of them exact; "
        f"exact verifier {slow * 1e6:.0f} µs: {slow / fast:.0f}×",
    )
    assert slow / fast > FLOOR
