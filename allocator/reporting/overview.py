"""A whole book as blocks: one row per client, counts, issues, and where every row went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from allocator.analysis import Analysis
from allocator.i18n import DASH, Words
from allocator.issues import SEVERITIES
from allocator.plan import Plan
from allocator.reporting.across import explained
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Line, Table, Tone
from allocator.reporting.issue_words import issue_message
from allocator.reporting.sentences import band_name, clean, grade_name
from allocator.reporting.sheet import CHECK_TONES, PLAN_TONES, footer
from allocator.reporting.tables import Row, columns, rest, rows_of

EXAMPLES: Final = 3
"""Issues of one kind that are shown; JSON has them all."""
GRADE_TONES: Final[Mapping[str, Tone]] = {"low": "good", "moderate": "", "high": "warn", "extreme": "bad"}


def check_overview(analysis: Analysis, counts: pd.DataFrame, words: Words) -> Blocks:
    """The book as it is today; ``counts`` is ``Book.counts``."""
    table = check_table(analysis, words)
    return (table, *statuses(analysis.summary["status"], CHECK_TONES, words), *_rest(analysis, counts, words))


def check_table(analysis: Analysis, words: Words, first: int | None = None) -> Table:
    """One row per client, or for the ``first`` so many."""
    summary = rows_of(analysis.summary.iloc[:first])
    rows = tuple(
        (
            *_client(s, analysis, words),
            words.number(s["score"], 0),
            Cell(grade_name(str(s["grade"]), words), GRADE_TONES.get(str(s["grade"]), "")),
            str(int(s["limits_exceeded"])),
            Cell(words.text(f"status.{s['status']}"), CHECK_TONES[s["status"]]),
        )
        for s in summary
    )
    heads = (
        *_client_heads(analysis, words),
        *columns(words, score="number"),
        Column(words.text("head.grade"), "label", spare=1),
        *columns(words, limits="number", status="label"),
    )
    title = words.text("title.book", clients=f"{len(analysis):,}")
    return Table(title, heads, rows, more=rest(len(analysis), first, words))


def plan_overview(plan: Plan, counts: pd.DataFrame, words: Words, more: Sequence[Block] = ()) -> Blocks:
    """The book before and after the plans; ``more`` (stages, say) stands before the issues."""
    analysis = plan.before
    counted = statuses(plan.summary["status"], PLAN_TONES, words)
    return (plan_table(plan, words), *counted, *explained(plan, words), *more, *_rest(analysis, counts, words))


def plan_table(plan: Plan, words: Words, first: int | None = None) -> Table:
    """One row per client before and after the plans, or for the ``first`` so many."""
    analysis = plan.before
    pairs = zip(rows_of(analysis.summary.iloc[:first]), rows_of(plan.summary.iloc[:first]), strict=True)
    rows = tuple(
        (
            *_client(s, analysis, words),
            _change(words.number(p["score_before"], 0), words.number(p["score_after"], 0), words),
            _change(str(int(p["limits_before"])), str(int(p["limits_after"])), words),
            Cell(words.text(f"status.{p['status']}"), PLAN_TONES[p["status"]]),
            *_moved(p, words),
        )
        for s, p in pairs
    )
    heads = (
        *_client_heads(analysis, words),
        *columns(words, score="number", limits="number", status="label"),
        Column(words.text("head.trades"), "number", spare=1),
        Column(words.text("head.turnover"), "number", spare=3),
        Column(words.text("head.spent"), "number", spare=2),
    )
    title = words.text("title.book", clients=f"{len(analysis):,}")
    return Table(title, heads, rows, more=rest(len(analysis), first, words))


def data_report(analysis: Analysis, counts: pd.DataFrame, words: Words) -> Blocks:
    """Only the issues and where the rows went: for a book in which nobody is left."""
    return _rest(analysis, counts, words)


def reconciled(counts: pd.DataFrame, issues: pd.DataFrame) -> pd.DataFrame:
    """Where every row went in the end: after reading, conversion sets the rows without a rate aside as well."""
    late = issues[issues["code"] == "missing_rate"].groupby(["table", "file"]).size()
    more = [int(late.get((t, f), 0)) for t, f in zip(counts["table"], counts["file"], strict=True)]
    return counts.assign(used=counts["used"] - more, set_aside=counts["set_aside"] + more)


def _client_heads(analysis: Analysis, words: Words) -> tuple[Column, ...]:
    initials = "/".join(words.name(b)[0] for b in analysis.framework.buckets.values())
    return (
        *columns(words, client="label"),
        Column(words.text("head.band"), "label", spare=4),
        *columns(words, total="number"),
        Column(words.text("head.mix", buckets=initials), "number"),
    )


def _client(s: Row, analysis: Analysis, words: Words) -> tuple[Cell | str, ...]:
    shares = [s[b] for b in analysis.framework.bucket_codes]
    mix = DASH if any(x != x for x in shares) else "/".join(words.number(x * 100, 0) for x in shares)
    return (
        clean(s["client_id"]),
        band_name(str(s["band"]), analysis.framework, words),
        words.money(s["total"], s["currency"], short=True),
        mix,
    )


def _change(before: str, after: str, words: Words) -> str:
    return before if before == after else words.text("number.change", before=before, after=after).replace(" ", "")


def _moved(p: Row, words: Words) -> tuple[str, str, str]:
    if not p["trades"]:
        return DASH, DASH, DASH
    return str(int(p["trades"])), words.percent(p["turnover"], 0), words.money(p["cost"] + p["tax"], short=True)


def statuses(status: pd.Series, tones: Mapping[str, Tone], words: Words) -> list[Block]:
    """How many clients have each status."""
    counts = status.value_counts()
    rows = tuple(
        (Cell(words.text(f"status.{code}"), tone), f"{counts[code]:,}")
        for code, tone in tones.items()
        if code in counts
    )
    return [Table(words.text("title.statuses"), columns(words, status="label", count="number"), rows)]


def _rest(analysis: Analysis, counts: pd.DataFrame, words: Words) -> Blocks:
    return (*_issues(analysis, words), row_counts(reconciled(counts, analysis.issues), words), footer(analysis, words))


def _issues(analysis: Analysis, words: Words) -> list[Block]:
    title, issues = words.text("title.issues"), analysis.issues
    if not len(issues):
        return [Heading(title), Line(words.text("say.no_issues"))]
    clients = analysis.positions.clients
    currency = dict(zip(clients["client_id"], clients["currency"], strict=True))
    rows: list[tuple[Cell | str, ...]] = []
    order = issues["severity"].map({s: i for i, s in enumerate(SEVERITIES)})
    for (_, _), part in issues.assign(order=order).groupby(["order", "code"], sort=False):
        severity = str(part["severity"].iloc[0])
        label = words.text("say.issue_count", severity=words.text(f"severity.{severity}"), count=f"{len(part):,}")
        head: Cell | str = Cell(label, "bad" if severity == "error" else "dim")
        for r in rows_of(part.head(EXAMPLES)):
            rows.append(
                (
                    head,
                    clean(r["client_id"]),
                    issue_message(r, analysis.framework, words, currency.get(r["client_id"], "")),
                )
            )
            head = ""
        if len(part) > EXAMPLES:
            rows.append(("", "", Cell(words.text("say.more_issues", count=f"{len(part) - EXAMPLES:,}"), "dim")))
    return [Table(title, columns(words, status="label", client="label", issue="sentence"), tuple(rows))]


def row_counts(counts: pd.DataFrame, words: Words) -> Table:
    """Where every row of every table went."""
    rows = tuple(
        (
            words.get(f"table.{r['table']}", str(r["table"])),
            clean(r["file"]),
            *(f"{int(r[k]):,}" for k in ("read", "used", "set_aside", "ignored")),
        )
        for r in rows_of(counts)
    )
    heads = columns(
        words, table="text", file="text", read="number", used="number", set_aside="number", ignored="number"
    )
    return Table(words.text("title.rows"), heads, rows)
