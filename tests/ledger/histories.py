"""Books that move from quarter to quarter, and ledgers to keep them in."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import make_book

import allocator as al
from allocator.analysis import Analysis

DAYS = [dt.date(2025, 12, 31), dt.date(2026, 3, 31), dt.date(2026, 6, 30), dt.date(2026, 9, 30)]
RATES = pd.DataFrame({"currency": ["CNY", "USD", "HKD"], "rate": [1.0, 7.0, 0.9]})
CLASSES = ["deposit", "money_market", "listed_equity", "equity_fund", "bond_fund", "investment_property", "gold"]
PLACES = ("folder", "sqlite", "postgresql")


def analysed(
    holdings: pd.DataFrame, clients: pd.DataFrame | None = None, on: dt.date = DAYS[0], **more: Any
) -> Analysis:
    """Analyse rows with ``client_id, name, asset_class, value`` and what else there is."""
    return al.analyze(make_book(holdings, clients, fx=RATES, **more), on=on)


def one(
    rows: list[dict[str, Any]], on: dt.date = DAYS[0], client: dict[str, Any] | None = None, **more: Any
) -> Analysis:
    """Analyse one client ``a``, balanced, of holdings given as dicts."""
    frame = pd.DataFrame([{"client_id": "a"} | r for r in rows])
    people = pd.DataFrame([{"client_id": "a", "risk_band": "balanced", "monthly_spending": 100.0} | (client or {})])
    return analysed(frame, people, on, **more)


def history(seed: int, clients: int = 12) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Holdings and clients of four quarters: prices and units move; clients, holdings, bands and currencies change."""
    rng = np.random.default_rng(seed)
    people = pd.DataFrame({"client_id": [f"k{i:03d}" for i in range(clients)]})
    people["risk_band"] = rng.choice(["conservative", "balanced", "aggressive"], clients)
    people["currency"] = rng.choice(["CNY", "USD"], clients, p=[0.8, 0.2])
    people["monthly_spending"] = 1000.0
    people["tier"] = rng.choice(["", "gold", "白金"], clients)
    people["advisor"] = rng.choice(["x", "y"], clients)
    rows = []
    for who in people["client_id"]:
        for k in range(rng.integers(2, 9)):
            units = rng.random() < 0.6
            price = float(np.round(rng.uniform(1, 50), 2))
            quantity = float(rng.integers(100, 40_000))
            rows.append(
                {
                    "client_id": who,
                    "name": f"n{k}",
                    "asset_class": rng.choice(CLASSES),
                    "currency": rng.choice(["", "CNY", "HKD"]),
                    "quantity": quantity if units else np.nan,
                    "price": price,
                    "value": round(quantity * price, 2),
                }
            )
    book = pd.DataFrame(rows)
    out = [(book.drop(columns="price"), people)]
    for quarter in range(1, 4):
        size = len(book)
        price = book["price"] * np.exp(rng.normal(0, 0.15, size))
        quantity = book["value"] / book["price"] * np.where(rng.random(size) < 0.3, rng.uniform(0.2, 2.0, size), 1.0)
        book = book.assign(
            price=price,
            value=(quantity * price).round(2),
            quantity=np.where(book["quantity"].notna(), quantity, np.nan),
        )
        book = book[rng.random(size) > 0.05]
        fresh = book.sample(2, random_state=int(rng.integers(1000)))
        fresh = fresh.assign(name=[f"q{quarter}{j}" for j in range(2)])
        people = people[rng.random(len(people)) > 0.06]
        joined = people.iloc[:1].assign(client_id=f"z{quarter}")
        more = book[book["client_id"] == people["client_id"].iloc[0]].assign(client_id=f"z{quarter}")
        people = pd.concat([people, joined], ignore_index=True)
        switch = rng.random(len(people))
        people["currency"] = people["currency"].where(switch > 0.1, "USD")
        people["risk_band"] = people["risk_band"].where(switch < 0.9, "balanced")
        book = pd.concat([book, fresh, more], ignore_index=True)
        book = book[book["client_id"].isin(people["client_id"])].reset_index(drop=True)
        out.append((book.drop(columns="price"), people))
    return out


@functools.cache
def analyses(seed: int, clients: int = 12) -> list[Analysis]:
    """The history analysed, a quarter each."""
    return [analysed(h, c, day) for (h, c), day in zip(history(seed, clients), DAYS, strict=True)]


@contextmanager
def place(kind: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh place for a ledger; a skip with the reason where there is no server."""
    folder = request.getfixturevalue("tmp_path")
    if kind == "folder":
        yield str(folder / "ledger")
    elif kind == "sqlite":
        yield f"sqlite:///{folder}/ledger.db"
    else:
        yield request.getfixturevalue("postgres_url")
