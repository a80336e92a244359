"""Small books of dictionaries, and what positions and issues are made of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from conftest import ON, make_book

from allocator.analysis import Analysis
from allocator.assumptions import load_assumptions
from allocator.book import Book
from allocator.build import build_positions
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.positions import Positions

CLASSIC, LONG_RUN = load_framework(), load_assumptions()
UNCHANGED = ["defensive", "growth", "offensive", "score", "volatility", "expected_return", "reserve_months", "leverage"]
USD = [{"currency": "USD", "rate": 7.0}]


def client(**cells: Any) -> dict[str, Any]:
    return {"client_id": "a", "risk_band": "balanced", "currency": "CNY", "monthly_spending": 10.0} | cells


def holding(**cells: Any) -> dict[str, Any]:
    return {"client_id": "a", "asset_id": "x", "asset_class": "deposit", "value": 100.0} | cells


def book_of(*rows: dict[str, Any], clients: list[dict[str, Any]] | None = None, **tables: Any) -> Book:
    return make_book(pd.DataFrame(list(rows)), [client()] if clients is None else clients, **tables)


def numbers(book: Book, framework: str = "classic", **more: Any) -> tuple[Positions, pd.DataFrame]:
    return build_positions(book, load_framework(framework), on=ON, **more)


def told(found: Analysis | pd.DataFrame, code: str) -> pd.DataFrame:
    issues = found.issues if isinstance(found, Analysis) else found
    return issues[issues["code"] == code].reset_index(drop=True)


def run(book: Book) -> Analysis:
    """Analyse in the classic framework, read from its file once."""
    return analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)


def measured(a: Analysis) -> pd.DataFrame:
    """What does not depend on the unit of money, by client: shares, score, risk, months, excesses, severities."""
    who = pd.Index(a.client_ids)
    out = a.summary.set_index("client_id")[UNCHANGED]
    excess = pd.DataFrame(a.limit_table.excess, index=who, columns=[f"excess {x.key}" for x in a.limit_table.limits])
    rules = pd.DataFrame(a.concentration.exposure, index=who, columns=[f"rule {r}" for r in a.framework.rules])
    hhi = pd.DataFrame({"hhi_holding": a.concentration.hhi_holding, "hhi_class": a.concentration.hhi_class}, index=who)
    return pd.concat([out, excess, rules, hhi], axis=1).sort_index()


def same(one: Analysis, two: Analysis, tolerance: float = 1e-9) -> None:
    pd.testing.assert_frame_equal(measured(one), measured(two), rtol=tolerance, atol=tolerance, check_names=False)
    s1, s2 = (x.summary.set_index("client_id").sort_index() for x in (one, two))
    for column in ("band", "grade", "status", "limits_exceeded"):
        assert s1[column].tolist() == s2[column].tolist(), column
