"""What a report costs in processor time: content, page, PDF, workbook; of many clients: equal text is remembered."""

from __future__ import annotations

import time
from typing import Any

import pytest
from conftest import ON, SAMPLE
from test_bench_analysis import tell

from allocator.book import read_book
from allocator.documents.report import FORMATS, first_page
from allocator.pipeline import analyze, rebalance
from allocator.reporting.content import content_of
from allocator.reporting.report_facts import Options, Source
from allocator.shown import records_of

FLOOR = {"html": 100.0, "pdf": 4.0, "xlsx": 30.0}
"""Whole reports a second of processor time, content not counted."""


def test_reports(benchmark: Any, request: pytest.FixtureRequest) -> None:
    plan = rebalance(analyze(read_book(SAMPLE), on=ON))
    sources = {lang: Source.of(plan, Options(lang)) for lang in ("en", "zh")}
    ids = plan.before.client_ids
    for kind in FORMATS.values():  # fonts and templates are read once
        kind(content_of(sources["en"], ids[0]))
    started = time.process_time()
    contents = [content_of(s, c) for s in sources.values() for c in ids]
    figures = {"content_ms": (time.process_time() - started) / len(contents) * 1000}
    for name, kind in FORMATS.items():
        for what, made in ((name, contents), (f"{name}_short", [first_page(c) for c in contents])):
            started = time.process_time()
            for one in made:
                kind(one)
            figures[f"{what}_ms"] = (time.process_time() - started) / len(made) * 1000
    benchmark.pedantic(lambda: FORMATS["html"](contents[0]), rounds=5)
    benchmark.extra_info |= {k: round(v, 1) for k, v in figures.items()}
    tell(request, "reports: " + ", ".join(f"{k} {v:.1f}" for k, v in figures.items()))
    for name, floor in FLOOR.items():
        assert 1000 / figures[f"{name}_ms"] >= floor, name


def test_tables_of_a_client_as_rows(benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Rows of every table of every client, taken from values made once, against frames cut out for each client."""
    plan = rebalance(analyze(read_book(SAMPLE), on=ON))
    ids, names = plan.before.client_ids, [n for n in plan.part("C001") if n not in ("before", "after")]

    def rows() -> list[Any]:
        return [[plan.part(c).rows(n) for n in names] for c in ids]

    def frames() -> list[Any]:
        return [[records_of(plan.select(c)[n]) for n in names] for c in ids]

    rows()
    spent = []
    for way in (rows, frames):
        started = time.process_time()
        way()
        spent.append(time.process_time() - started)
    ratio = spent[1] / spent[0]
    benchmark.pedantic(rows, rounds=5)
    benchmark.extra_info["ratio"] = round(ratio, 1)
    tell(request, f"rows of a client's tables: {ratio:.0f} times as fast as frames")
    assert ratio >= 5
