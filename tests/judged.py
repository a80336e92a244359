"""A book with something bad in it, judged: read, analysed and planned through the public API, and nothing lost."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from conftest import ON
from small import CLASSIC, LONG_RUN, client, holding

import allocator as al

GOOD = "good"
NEIGHBOURS = [
    holding(client_id=GOOD, asset_id="cash", value=1_000_000.0),
    holding(client_id=GOOD, asset_id="bonds", asset_class="government_bond", value=300_000.0),
    holding(client_id=GOOD, asset_id="index", asset_class="equity_fund", value=100_000.0),
]
"""A client whose data are right, in every book: nobody else's mistake may touch the plan."""
TOTAL = 1_400_000.0
ANSWERED: set[str] = set()
"""Items that were answered well in this run."""


@dataclass(frozen=True)
class Judged:
    """What came of a book; ``codes`` are the severities of its issues by code."""

    book: al.Book
    analysis: al.Analysis
    plan: al.Plan

    @property
    def codes(self) -> dict[str, str]:
        return dict(zip(self.analysis.issues["code"], self.analysis.issues["severity"], strict=True))

    @property
    def status(self) -> dict[str, str]:
        return dict(zip(self.plan.summary["client_id"], self.plan.summary["status"], strict=True))

    @property
    def totals(self) -> dict[str, float]:
        return dict(zip(self.analysis.summary["client_id"], self.analysis.summary["total"], strict=True))

    def cell(self, column: str, client_id: str = "a") -> Any:
        """Give the one typed cell of a client's holdings."""
        return self.book.holdings.loc[self.book.holdings["client_id"] == client_id, column].item()


def judged(source: Any, *, neighbour: bool = True, **tables: Any) -> Judged:
    """Read, analyse and plan; every row is in one place, and the neighbour's plan is certified."""
    book = al.read_book(source, **tables)
    reconciled(book)
    analysis = al.analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)
    found = Judged(book, analysis, al.rebalance(analysis, explain=False, engine="client"))
    assert found.plan.summary["certificate"].all()
    if neighbour:
        assert found.totals[GOOD] == TOTAL
        assert found.status[GOOD] == "in_band"
    return found


def reconciled(book: al.Book) -> None:
    """Read = used + set aside + ignored, in every table, and the used rows are those there."""
    counts = book.counts
    assert (counts["read"] == counts["used"] + counts["set_aside"] + counts["ignored"]).all()
    assert counts.set_index("table")["used"]["holdings"] == len(book.holdings)


def judged_rows(*rows: dict[str, Any], of: dict[str, Any] | None = None, **tables: Any) -> Judged:
    """Judge rows of holdings, objects as found, beside the neighbour's; ``of`` are the cells of client ``a``."""
    people = [client(**(of or {})), client(client_id=GOOD, monthly_spending=100.0)]
    frames = {k: pd.DataFrame(v, dtype=object) for k, v in tables.items()}
    holdings = pd.DataFrame([*rows, *NEIGHBOURS], dtype=object)
    return judged(holdings, clients=pd.DataFrame(people, dtype=object), **frames)


def ids_of(*tables: Iterable[tuple[Any, ...]]) -> tuple[str, ...]:
    """Ids of items in tables of cases, where each case begins with its own."""
    return tuple(str(case[0]) for table in tables for case in table)


def tried() -> list[str]:
    """Ids of all items that the files ``test_bad_*.py`` try."""
    found = sorted(Path(__file__).parent.glob("test_bad_*.py"))
    return [item for path in found for item in importlib.import_module(path.stem).ITEMS]
