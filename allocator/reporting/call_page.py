"""The call list as blocks: whom to call first, why, and how it is ordered."""

from __future__ import annotations

import math
from typing import Final

from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Blocks, Cell, Column, Content, Heading, Line, Table, Tone
from allocator.reporting.sentences import clean
from allocator.reporting.tables import rows_of
from allocator.whole_book.calls import CallList

ADVISORS: Final = 12
TONES: Final[tuple[tuple[float, Tone], ...]] = ((75.0, "bad"), (50.0, "warn"))
"""Points from which a client is shown so: the levels of the grades."""


def call_blocks(calls: CallList, words: Words, first: int | None = None) -> Blocks:
    """The call list, or the ``first`` so many of it, with the counts of reasons and of advisors, and the rule."""
    facts = calls.facts
    title = words.text("calls.title", count=f"{len(calls):,}", clients=f"{len(facts):,}")
    if not len(calls):
        return (Heading(words.text("calls.title_none", clients=f"{len(facts):,}")), *_notes(calls, words))
    shown = calls if first is None else calls.top(first)
    table = call_table(shown, words, len(calls) - len(shown))
    return (Heading(title), table, _reasons(calls, words), *_advisors(calls, words), *_notes(calls, words))


def call_table(calls: CallList, words: Words, left: int = 0) -> Table:
    """Whom to call, in order; ``left`` are the clients who are not shown."""
    words_of = {code: names[words.lang == "zh"] for code, names in calls.words.items()}
    several = calls.facts.clients["advisor"].nunique() > 1
    rows: list[tuple[Content, ...]] = []
    for r in rows_of(calls.calls):
        tone: Tone = next((t for least, t in TONES if r["points"] >= least), "")
        advisor = (clean(r["advisor"]) or DASH,) if several else ()
        rows.append(
            (
                str(r["rank"]),
                Cell(clean(r["client_id"]), "strong"),
                *advisor,
                tier_name(r["tier"], words),
                Cell(words.number(r["points"], 0), tone),
                words.money(r["money"], short=True),
                deadline(r["days"], words),
                words.text("calls.and").join(clean(words_of[c]) for c in r["reasons"].split(", ")),
            )
        )
    heads = (
        *_heads(words, rank="number", client="label"),
        *([Column(words.text("calls.head_advisor"), "label", spare=2)] if several else []),
        Column(words.text("calls.head_tier"), "label", spare=3),
        *_heads(words, points="number", money="number"),
        Column(words.text("calls.head_days"), "label", spare=1),
        *_heads(words, reasons="sentence"),
    )
    more = words.text("say.more_rows", count=f"{left:,}") if left else ""
    return Table(words.text("calls.title_first", base=calls.facts.base), heads, tuple(rows), None, more)


def tier_name(tier: str, words: Words) -> str:
    """Name of a tier of the house; what a bank calls its own stays as it is."""
    return words.get(f"tier.{str(tier).casefold() or 'unknown'}", clean(tier))


def deadline(days: float, words: Words) -> str:
    """A deadline in words: today, in so many days, so many days ago; a dash for none."""
    if math.isnan(days):
        return DASH
    key = "calls.today" if days == 0 else "calls.ahead" if days > 0 else "calls.past"
    return words.text(key, days=words.number(abs(days), 0))


def _reasons(calls: CallList, words: Words) -> Table:
    rows = tuple(
        (
            clean(calls.words[r["reason"]][words.lang == "zh"]),
            f"{int(r['clients']):,}",
            words.money(r["money"], short=True),
            words.percent(r["severity"], 0),
        )
        for r in rows_of(calls.counts)
    )
    heads = _heads(words, reason="text", clients="number", about="number", severity="number")
    return Table(words.text("calls.title_reasons"), heads, rows)


def _advisors(calls: CallList, words: Words) -> list[Table]:
    frame = calls.by_advisor
    if frame[["advisor", "tier"]].drop_duplicates().shape[0] < 2:
        return []
    rows = tuple(
        (
            clean(r["advisor"]) or DASH,
            tier_name(r["tier"], words),
            f"{int(r['clients']):,}",
            f"{int(r['calls']):,}",
            words.number(r["highest"], 0),
            words.number(r["median"], 0),
        )
        for r in rows_of(frame)
    )
    heads = (
        *_heads(words, advisor="text", tier="label", clients="number", calls="number", highest="number"),
        Column(words.text("calls.head_median"), "number", spare=1),
    )
    more = words.text("say.more_rows", count=f"{len(rows) - ADVISORS:,}") if len(rows) > ADVISORS else ""
    return [Table(words.text("calls.title_advisors"), heads, rows, ADVISORS, more)]


def _notes(calls: CallList, words: Words) -> list[Line]:
    out = [Line(words.text("calls.say_rule", rules=clean(calls.rules.name)), "dim", apart=True)]
    if calls.not_judged:
        names = words.text("calls.and").join(clean(calls.words[c][words.lang == "zh"]) for c in calls.not_judged)
        out.append(Line(words.text("calls.say_not_judged", reasons=names), "dim"))
    return out


def _heads(words: Words, **heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"calls.head_{k}"), kind) for k, kind in heads.items())  # type: ignore[arg-type]
