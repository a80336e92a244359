"""Random clients and their programmes: every kind of holding, debt, flow, lock, label, lot and tax occurs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from conftest import ON, ROOT, make_book

from allocator.book import Book
from allocator.framework import Framework, Span, load_framework
from allocator.limits import OwnLimit
from allocator.pipeline import analyze
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import Instruments, instruments
from allocator.rebalance.problem import Aim, Problem, problem_of
from allocator.rebalance.start import start_of

EVERY = load_framework(ROOT / "data" / "frameworks" / "every_limit.toml")
CLASSES = [
    "deposit",
    "gold",
    "government_bond",
    "bond_fund",
    "listed_equity",
    "equity_fund",
    "reit",
    "investment_property",
    "private_business",
    "private_equity",
    "hedge_fund",
    "collectible",
    "crypto",
]

FUNDS = [("F1", "listed_equity", 0.6), ("F1", "gold", 0.4), ("F2", "equity_fund", 0.75), ("F2", "own_home", 0.25)]


class Case(NamedTuple):
    """One client's programme with what it was made of."""

    i: int
    x: Instruments
    problem: Problem
    total: float
    context: Context


def random_book(
    seed: int, clients: int = 1, *, whole: bool = False, flows: bool = True, unit: float = 1.0, funds: bool = False
) -> Book:
    """Sheets of two to nine holdings; with ``whole`` some are indivisible, and products have lots and minimums.

    All money is multiplied by ``unit``; with ``funds`` some holdings are looked through, one of them into a home.
    """
    r = np.random.default_rng(seed)
    rows, people, debts = [], [], []
    for c in range(clients):
        chosen = r.choice(CLASSES, r.integers(2, 10), replace=False)
        values = np.round(r.gamma(0.7, 3e6, len(chosen)) + 1e4, 2) * unit
        rows += [_holding(r, f"c{c}", str(k), float(v), whole) for k, v in zip(chosen, values, strict=True)]
        people.append(
            {
                "client_id": f"c{c}",
                "risk_band": str(r.choice(["conservative", "balanced", "aggressive"])),
                "monthly_spending": round(float(r.uniform(5e3, 5e5)), 2) * unit,
                "cash_flow": round(float(r.choice([0, 0, 0.1, -0.02]) * values.sum() * flows), 2),
            }
        )
        if r.random() < 0.5:
            debts.append(
                {
                    "client_id": f"c{c}",
                    "kind": "loan",
                    "value": round(float(values.sum() * r.uniform(0.05, 0.6)), 2),
                    "secured_by": str(chosen[0]) if r.random() < 0.5 else "",
                    "annual_payment": 1000.0 * unit,
                }
            )
    tables: dict[str, Any] = {"products": _products(r, unit)} if whole else {}
    if funds:
        for row in rows:
            row["isin"] = str(r.choice(["", "", "", "", "F1", "F2"]))
        tables["lookthrough"] = [{"fund_id": f, "asset_class": k, "weight": w} for f, k, w in FUNDS]
    fx = [{"currency": "USD", "rate": 7.0}, {"currency": "CNY", "rate": 1.0}]
    owed = debts or [{"client_id": "c0", "kind": "loan", "value": unit}]
    return make_book(pd.DataFrame(rows), people, debts=owed, fx=fx, **tables)


def _holding(r: np.random.Generator, client: str, klass: str, value: float, whole: bool) -> dict[str, Any]:
    flats = klass in ("investment_property", "collectible")
    return {
        "client_id": client,
        "asset_id": klass,
        "name": klass,
        "asset_class": klass,
        "value": value,
        "issuer": str(r.choice(["", "A", "B"])),
        "sector": str(r.choice(["", "banks", "steel"])),
        "country": str(r.choice(["", "CN", "US"])),
        "currency": str(r.choice(["CNY", "CNY", "USD"])),
        "cost_basis": round(float(r.choice([np.nan, 0.5 * value, 2 * value])), 2),
        "sellable": 1.0 if whole and flats else float(r.choice([0, 0.25, 1], p=[0.2, 0.2, 0.6])),
        "indivisible": whole and flats,
        "restriction": str(r.choice(["", "", "", "", "never_buy", "sell_first", "never_sell"])),
    }


def _products(r: np.random.Generator, unit: float) -> list[dict[str, Any]]:
    offered = [k for k in CLASSES if k not in ("investment_property", "private_business", "collectible", "crypto")]
    return [
        {
            "product_id": f"P {k}",
            "name": f"P {k}",
            "asset_class": k,
            "lot": float(r.choice([0.01, 10_000, 200_000])) * unit,
            "minimum": float(r.choice([0, 300_000, 1_000_000])) * unit,
        }
        for k in offered
    ]


def open_framework(**change: object) -> Framework:
    """Every band without limits, but for what is changed in it."""
    bands = {
        code: b.model_copy(
            update={
                "limits": {},
                "floors": {},
                "buckets": {k: Span(target=s.target) for k, s in b.buckets.items()},
                "groups": {k: Span(target=s.target) for k, s in b.groups.items()},
                "volatility": 2.0,
                **change,
            }
        )
        for code, b in EVERY.bands.items()
    }
    none = EVERY.reserve.model_copy(update={"months": 0.0, "months_owner": 0.0})
    return EVERY.model_copy(update={"bands": bands, "reserve": none})


def cases(
    seed: int,
    clients: int = 1,
    framework: str | Path | Framework = "classic",
    *,
    aim: Aim | None = None,
    limits: tuple[OwnLimit, ...] = (),
    book: Callable[[int, int], Book] = random_book,
) -> Iterator[Case]:
    """Programmes of the clients of a random book who can be planned at all."""
    yield from cases_of(book(seed, clients), framework, aim=aim, limits=limits)


def cases_of(
    book: Book,
    framework: str | Path | Framework = "classic",
    *,
    aim: Aim | None = None,
    limits: tuple[OwnLimit, ...] = (),
) -> Iterator[Case]:
    """Programmes of the clients of a book who can be planned at all."""
    a = analyze(book, framework, on=ON, limits=limits)
    context = Context(a, own_terms=bool(aim and aim.objectives))
    for i in range(len(a)):
        if a.exposures.equity[i] > 0:
            x, total = instruments(i, context), float(a.exposures.total[i])
            start = start_of(x, float(a.positions.cash_flow[i]) / total)
            if start is not None:
                yield Case(i, x, problem_of(i, x, start, context, aim), total, context)
