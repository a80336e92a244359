"""Random books with advisors, tiers and cash flows, for what looks at a whole book."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from worlds import ON, random_world

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.framework import load_framework
from allocator.pipeline import analyze

ADVISORS = ("RM-01", "RM-02", "顾问三", "")
TIERS = ("", "gold", "白金")


def random_clients(seed: int, clients: int = 40) -> Book:
    """A random world whose clients have advisors, tiers, cash flows, and some a currency without a rate."""
    book = random_world(seed, load_framework(), clients).book()
    rng = np.random.default_rng([seed, 7])
    c, n = book.clients, len(book.clients)
    flow = np.round(np.where(rng.random(n) < 0.3, rng.normal(0, 2e5, n), 0.0), 2)
    currency = c["currency"].where(pd.Series(rng.random(n) > 0.06), "CHF")
    more = {
        "advisor": pd.Series(rng.choice(ADVISORS, n), dtype="str"),
        "tier": pd.Series(rng.choice(TIERS, n), dtype="str"),
        "cash_flow": flow,
        "currency": currency.astype("str"),
    }
    return replace(book, clients=c.assign(**more))


def random_analysis(seed: int, clients: int = 40) -> Analysis:
    return analyze(random_clients(seed, clients), on=ON)
