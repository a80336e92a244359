"""What every kind of result looks like in a notebook, and a plan in sentences: the page behind ``_repr_html_``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from allocator.analysis import Analysis
from allocator.assumptions import Assumptions
from allocator.batch.result import BatchResult
from allocator.book import Book
from allocator.estimation import Estimate
from allocator.framework import Framework, load_framework
from allocator.frontiers import Frontier
from allocator.households import Household
from allocator.i18n import Words, environment_language, words
from allocator.issues import SEVERITIES
from allocator.ledger.diff import Diff
from allocator.ledger.reviews import Reviews
from allocator.ledger.snapshots import Snapshot
from allocator.plan import Plan
from allocator.reporting import lists, measures
from allocator.reporting.assumed import assumption_blocks, estimate_blocks
from allocator.reporting.batch_page import batch_blocks
from allocator.reporting.blocks import Block, Blocks, Cell, Heading, Line, Table
from allocator.reporting.book_page import book_blocks
from allocator.reporting.call_page import call_blocks
from allocator.reporting.compare_page import compare_blocks
from allocator.reporting.explain import obstacles
from allocator.reporting.explained import sentences
from allocator.reporting.frameworks import framework_blocks
from allocator.reporting.frontier import frontier_blocks
from allocator.reporting.household import household_overview, household_sheet
from allocator.reporting.ledger import diff_blocks, due_blocks, snapshot_blocks
from allocator.reporting.notebook import brief, fragment
from allocator.reporting.overview import check_table, plan_table, row_counts, statuses
from allocator.reporting.risks import risk_overview, risk_sheet
from allocator.reporting.sentences import clean
from allocator.reporting.sheet import CHECK_TONES, PLAN_TONES, check_sheet, footer
from allocator.reporting.staged import book_stages, client_stages
from allocator.reporting.stress import stress_overview, stress_sheet
from allocator.reporting.tables import Client, columns, rows_of
from allocator.risk_measures import RiskMeasures
from allocator.shown import One, Sentences
from allocator.staging import Stages
from allocator.stresses import Stress
from allocator.whole_book.calls import CallList
from allocator.whole_book.compare import Comparison
from allocator.whole_book.facts import BookFacts
from allocator.whole_book.view import BookView, book_view

ROWS: Final = 8
"""Clients of a book that a notebook shows."""
LONGEST: Final = 16
"""Rows of any table that a notebook shows."""
TABLES: Final = 3
"""Tables of a long page that a notebook shows; the result itself has them all."""


def html(result: Any) -> str:
    """The page of a result in the language of the user's locale."""
    said = words(environment_language())
    if isinstance(result, Sentences):
        return fragment([Line(text) for text in result], said)
    return fragment(brief(face(result, said), said, tables=TABLES, rows=LONGEST), said)


def explain(plan: Plan, client_id: str, lang: str) -> tuple[str, ...]:
    """Sentences on a client's plan; ``lang`` empty is the language of the user's locale."""
    return sentences(plan, client_id, words(lang or environment_language()))


def face(result: Any, words: Words) -> Blocks:
    """Blocks of a result; whole books show the first clients, a book of one client that client.

    A kind of result without a page of its own shows what it prints.
    """
    if isinstance(result, One):
        return CLIENTS[type(result.result)](result.result, result.client_id, words)
    if type(result) in CLIENTS and len(result) == 1:
        return CLIENTS[type(result)](result, result.client_ids[0], words)
    return PAGES.get(type(result), _printed)(result, words)


def _printed(result: Any, _words: Words) -> Blocks:
    first, *more = repr(result).splitlines()
    return (Heading(first), *(Line(text.strip()) for text in more))


def _plan_client(result: Plan, client_id: str, words: Words) -> Blocks:
    me, tables = Client.of(result.before, client_id, words), result.part(client_id)
    trades = tables.rows("trades")
    then = Client.of(result.after, client_id, words) if trades else None
    first, *_ = sentences(result, client_id, words)
    status = str(tables.rows("summary")[0]["status"])
    return (
        Heading(words.text("title.client", client=clean(client_id))),
        Line(first, PLAN_TONES[status]),
        measures.buckets(me, then),
        *lists.trades(me, result, trades),
        *(lists.why(me, result) or obstacles(me, tables)),
        *(measures.limits(me) if then is None else measures.limits_change(me, then)),
        footer(result.before, words),
    )


def _stages_client(result: Stages, client_id: str, words: Words) -> Blocks:
    heading = Heading(words.text("title.client", client=clean(client_id)))
    return (heading, *client_stages(result, client_id, words), footer(result.plans[0].before, words))


def _analysis(result: Analysis, words: Words) -> Blocks:
    counts = statuses(result.summary["status"], CHECK_TONES, words)
    return (*counts, check_table(result, words, ROWS), footer(result, words))


def _plan(result: Plan, words: Words) -> Blocks:
    counts = statuses(result.summary["status"], PLAN_TONES, words)
    return (*counts, plan_table(result, words, ROWS), footer(result.before, words))


def _stages(result: Stages, words: Words) -> Blocks:
    return (*book_stages(result, words), footer(result.plans[0].before, words))


def _book(result: Book, words: Words) -> Blocks:
    issues = result.issues.assign(order=result.issues["severity"].map({s: k for k, s in enumerate(SEVERITIES)}))
    found = issues.groupby(["order", "severity", "code"], sort=True).size().rename("count").reset_index()
    rows = tuple(
        (
            Cell(words.text(f"severity.{r['severity']}"), "bad" if r["severity"] == "error" else ""),
            str(r["code"]),
            f"{int(r['count']):,}",
        )
        for r in rows_of(found)
    )
    heads = columns(words, status="label", code="label", count="number")
    out: list[Block] = [
        Heading(words.text("notebook.book", clients=f"{len(result.clients):,}", holdings=f"{len(result.holdings):,}")),
        row_counts(result.counts, words),
    ]
    if rows:
        out.append(Table(words.text("title.issues"), heads, rows))
    return tuple(out)


CLIENTS: Final[dict[type, Callable[[Any, str, Words], Blocks]]] = {
    Analysis: check_sheet,
    Plan: _plan_client,
    Stress: stress_sheet,
    Household: household_sheet,
    RiskMeasures: risk_sheet,
    Stages: _stages_client,
}
"""What one client of each kind of result looks like."""
PAGES: Final[dict[type, Callable[[Any, Words], Blocks]]] = {
    Book: _book,
    Analysis: _analysis,
    Plan: _plan,
    Stress: lambda result, words: stress_overview(result, words, ROWS),
    Household: lambda result, words: household_overview(result, words, ROWS),
    RiskMeasures: risk_overview,
    Stages: _stages,
    BatchResult: batch_blocks,
    BookFacts: lambda result, words: book_blocks(book_view(result), words),
    BookView: book_blocks,
    CallList: lambda result, words: call_blocks(result, words, ROWS),
    Comparison: lambda result, words: compare_blocks(result, words, ROWS),
    Frontier: frontier_blocks,
    Snapshot: snapshot_blocks,
    Diff: diff_blocks,
    Reviews: due_blocks,
    Framework: framework_blocks,
    Assumptions: lambda result, words: assumption_blocks(result, load_framework(), words),
    Estimate: lambda result, words: estimate_blocks(result, load_framework(), words),
}
"""What each kind of result looks like as a whole."""
