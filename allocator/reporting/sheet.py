"""One client in full, as blocks: today, and after a plan where there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from allocator.analysis import Analysis
from allocator.i18n import Words
from allocator.plan import Plan
from allocator.reporting import explain, lists, measures
from allocator.reporting.blocks import Block, Blocks, Heading, Line, Tone
from allocator.reporting.issue_words import plan_reason
from allocator.reporting.sentences import band_name, clean, conflict_sentence, plan_verdict, verdict
from allocator.reporting.tables import Client, Row, rows_in

PLAN_TONES: Final[Mapping[str, Tone]] = {
    "no_trade": "good",
    "in_band": "good",
    "improved": "warn",
    "stuck": "bad",
    "infeasible": "bad",
    "unfunded": "bad",
    "insolvent": "bad",
    "invalid": "bad",
}
"""Tone of each status of a plan."""
CHECK_TONES: Final[Mapping[str, Tone]] = {
    "in_band": "good",
    "exceeded": "warn",
    "insolvent": "bad",
    "no_band": "bad",
    "empty": "dim",
}
"""Tone of each status of an analysis."""


def check_sheet(analysis: Analysis, client_id: str, words: Words) -> Blocks:
    """One client as they are today.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = Client.of(analysis, client_id, words)
    return (
        *_head(me),
        *check_opening(me),
        measures.buckets(me),
        *measures.rules(me),
        *measures.limits(me),
        measures.figures(me),
        lists.holdings(me),
        *lists.issues(me),
        footer(analysis, words),
    )


def plan_sheet(plan: Plan, client_id: str, words: Words, more: Sequence[Block] = ()) -> Blocks:
    """One client before and after the plan; ``more`` (stages, say) stands before the issues.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = Client.of(plan.before, client_id, words)
    tables = plan.part(client_id)
    trades, summary = tables.rows("trades"), tables.rows("summary")[0]
    then = Client.of(plan.after, client_id, words) if trades else None
    return (
        *_head(me),
        *plan_opening(me, tables),
        *explain.conflicts(me, tables.rows("conflicts")),
        measures.buckets(me, then),
        *measures.rules(me, then),
        *(measures.limits(me) if then is None else measures.limits_change(me, then)),
        measures.figures(me, then),
        *lists.trades(me, plan, trades),
        *lists.why(me, plan),
        *explain.obstacles(me, tables),
        *explain.prices(me, tables.rows("prices")),
        *explain.suitability(me, tables),
        *lists.certificate(me, summary, tables.rows("checks")),
        *more,
        *lists.issues(me),
        footer(plan.before, words),
    )


def check_opening(me: Client) -> list[Line]:
    """What there is to say about a client as they are today: one sentence, and warnings."""
    return [Line(_today(me), CHECK_TONES[me.summary["status"]]), *_warnings(me)]


def plan_opening(me: Client, tables: Mapping[str, Any]) -> list[Line]:
    """What there is to say about a client's plan: one sentence, one on today, and warnings.

    ``tables`` are the client's of the plan: ``summary`` and ``conflicts``.
    """
    words, summary = me.words, rows_in(tables, "summary")[0]
    reason = conflict_sentence(rows_in(tables, "conflicts"), me.framework, words, me.own)
    if summary["reason"]:
        reason = plan_reason(summary, me.rows("issues"), me.framework, words)
    today = words.text("say.today", sentence=_today(me))
    return [
        Line(plan_verdict(summary, me.summary, reason, words), PLAN_TONES[summary["status"]]),
        *([Line(today)] if summary["status"] != "insolvent" else []),  # it would say the same again
        *_warnings(me),
    ]


def footer(analysis: Analysis, words: Words) -> Line:
    """What the numbers rest on."""
    from allocator import __version__

    sentence = words.text(
        "say.footer",
        framework=analysis.framework.name,
        assumptions=analysis.assumptions.name,
        date=analysis.on.isoformat(),
        version=__version__,
    )
    return Line(sentence, "dim", apart=True)


def worst_limit(analysis: Analysis, i: int) -> Row | None:
    """The exceeded limit to name first: the own firm or property, another concentration, then the largest excess."""
    t = analysis.limit_table
    over = [j for j in range(len(t.limits)) if t.exceeded[i, j]]
    if not over:
        return None

    def weight(j: int) -> tuple[bool, bool, float]:
        limit = t.limits[j]
        return limit.name in ("business", "property"), limit.family == "concentration", float(t.excess[i, j])

    j = max(over, key=weight)
    return {"limit": t.limits[j].name, "value": float(t.value[i, j]), "bound": float(t.bound[i, j])}


def _head(me: Client) -> list[Block]:
    sentence = me.words.text(
        "say.headline",
        band=band_name(str(me.summary["band"]), me.framework, me.words),
        total=me.money(me.total),
        net_worth=me.money(me.summary["net_worth"]),
    )
    return [Heading(me.words.text("title.client", client=clean(me.summary["client_id"]))), Line(sentence, "dim")]


def _today(me: Client) -> str:
    return verdict(me.summary, worst_limit(me.analysis, me.place), me.framework, me.words, me.own)


def _warnings(me: Client) -> list[Line]:
    out: list[Line] = []
    words, unclassified = me.words, float(me.analysis.exposures.unclassified[me.place])
    months, needed = float(me.summary["reserve_months"]), float(me.summary["reserve_needed"])
    if math.isnan(months) and me.total > 0:
        out.append(Line(words.text("say.reserve_unknown"), "warn"))
    elif months < needed:
        text = words.text("say.reserve_short", months=words.number(months), needed=words.number(needed, 0))
        out.append(Line(text, "bad"))
    if unclassified > 0:
        out.append(Line(words.text("say.unclassified", amount=me.money(unclassified)), "warn"))
    return out
