"""One partition: raw tables in, result tables out; the same in this process, on all cores and on many machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.batch.reckoning import reckon
from allocator.batch.results import result_tables, stacked
from allocator.batch.setting import Setting
from allocator.book import Book, build_book
from allocator.errors import SolveError
from allocator.issues import ERROR, concat, issue_table
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.validate import RawTable

FAILURES = (ArithmeticError, np.linalg.LinAlgError, SolveError)
"""What the numbers of one client can do to a solver; anything else is a bug and stops the run."""
ENGINES: Final[tuple[Literal["book", "client"], ...]] = ("book", "client")
"""The fast engine first; explanations come from the other one."""


@dataclass(frozen=True, eq=False)
class Done:
    """Results of a partition.

    Attributes
    ----------
    tables
        Arrow tables by name, see `results.RESULTS`.
    issues
        The issue table of these clients, and of what concerns no client.
    counts
        Rows, clients and money, see `reckoning.reckon`.
    conversions
        What was read otherwise than written, see `conversions.COLUMNS`.
    """

    tables: Mapping[str, Any]
    issues: pd.DataFrame
    counts: dict[str, Any]
    conversions: pd.DataFrame


def work(raw: Mapping[str, RawTable], setting: Setting) -> Done:
    """Read, analyse and plan the clients of one partition.

    Parameters
    ----------
    raw
        Raw tables: everything of these clients, and the shared tables whole.
    setting
        What to do.

    Returns
    -------
    Done

    Raises
    ------
    ConfigError
        The setting names a band that the framework has not.
    """
    book = build_book(raw)
    analysis = _analysis(book, setting)
    runs, failed = _runs(book, analysis, setting) if setting.plan else ([(analysis, None)], [])
    tables = [result_tables(a, plan, setting) for a, plan in runs]
    joined = {name: stacked([t[name] for t in tables]) for name in tables[0]}
    issues = concat([analysis.issues, _failures(failed)])
    return Done(joined, issues, reckon(book, runs, joined["summary"]), book.conversions)


def _analysis(book: Book, setting: Setting) -> Analysis:
    return analyze(book, setting.framework, assumptions=setting.assumptions, band=setting.band, on=setting.on)


def _plan(analysis: Analysis, setting: Setting, engine: Literal["client", "book"]) -> Plan:
    """Plans of a partition: the one place where the optimiser is called.

    Never ``engine="auto"``: which engine plans a client must not depend on how many share the partition.
    """
    return rebalance(analysis, allow_unclassified=setting.allow_unclassified, explain=setting.explain, engine=engine)


def _runs(book: Book, analysis: Analysis, setting: Setting) -> tuple[list[tuple[Analysis, Plan | None]], list[str]]:
    """Analyses with plans, in the order of the book, and ids of the clients whose numbers break every solver.

    Where planning all together fails, halves are planned, and so on, until what breaks it stands alone; there the other
    engine has its turn.
    """
    ids = analysis.client_ids
    for engine in ENGINES[setting.explain :] if len(ids) <= 1 else ENGINES[setting.explain :][:1]:
        try:
            return [(analysis, _plan(analysis, setting, engine))], []
        except FAILURES:
            continue
    if len(ids) == 1:
        return [(analysis, None)], ids
    out: list[tuple[Analysis, Plan | None]] = []
    failed: list[str] = []
    for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
        part = book.select(half)
        more, bad = _runs(part, _analysis(part, setting), setting)
        out, failed = out + more, failed + bad
    return out, failed


def _failures(ids: list[str]) -> pd.DataFrame:
    told = {"table": "clients", "code": "plan_failed", "severity": ERROR}
    return issue_table({"client_id": i, **told} for i in ids)
