"""A page for the advisor: per advisor whom to call first and why, and which reviews are due."""

from __future__ import annotations

from html import escape
from typing import Final

import pandas as pd

from allocator.i18n import DASH, Words
from allocator.ledger.diff import STATES, Diff
from allocator.ledger.reviews import Reviews
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Line, Table
from allocator.reporting.ledger import DUE_TONES, TONES, head_of, rests_on, says
from allocator.reporting.notebook import fragment
from allocator.reporting.sentences import clean
from allocator.reporting.tables import rows_of

MOST: Final = 2000
"""Rows of a table on the page; more is nothing to read."""
STYLE: Final = (
    "<style>body{margin:2em auto;max-width:64em;padding:0 1em;font-family:system-ui,'PingFang SC','Microsoft YaHei',"
    "'Noto Sans CJK SC',sans-serif;color:#1b1f24;background:#fff}"
    "@media (prefers-color-scheme:dark){body{color:#e6e6e6;background:#15181c}}"
    "@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}</style>"
)


def advisor_blocks(diff: Diff, reviews: Reviews, words: Words) -> Blocks:
    """Everything that an advisor has to look at, one advisor after the other.

    Clients come in the order of their most urgent finding: what is new before what persists, and both before what is
    resolved.
    """
    due = reviews.due
    names = sorted({*diff.findings["advisor"], *due["advisor"]}, key=lambda n: (n == "", n))
    out: list[Block] = [*head_of(diff, words)]
    for name in names:
        found = diff.findings[diff.findings["advisor"] == name]
        mine = due[due["advisor"] == name]
        states = found["state"].value_counts()
        label = clean(name) if name else words.text("ledger.no_advisor")
        out.append(Heading(label if len(names) > 1 or name else words.text("ledger.title_findings")))
        counts = {s: f"{int(states.get(s, 0)):,}" for s in STATES}
        out.append(Line(words.text("ledger.say_advisor", due=f"{len(mine):,}", **counts), "dim"))
        out += [*_findings(found, diff, words), *_due(mine, reviews, words)]
    if not names:
        out.append(Line(words.text("ledger.say_nothing"), "good"))
    return (*out, *rests_on(diff, words))


def advisor_page(diff: Diff, reviews: Reviews, words: Words) -> str:
    """Return the page as one self-contained HTML file: nothing is loaded, nothing runs."""
    blocks = advisor_blocks(diff, reviews, words)
    title = next(b.text for b in blocks if isinstance(b, Heading))
    lang = "zh-CN" if words.lang == "zh" else words.lang
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title>{STYLE}</head>\n<body>{fragment(blocks, words)}</body></html>\n"
    )


def _findings(found: pd.DataFrame, diff: Diff, words: Words) -> list[Block]:
    if found.empty:
        return []
    first = found.groupby("client_id", sort=False).ngroup()  # clients in the order of their first finding
    order = first.sort_values(kind="stable").index
    rows: list[tuple[Cell | str, ...]] = []
    last = None
    for r in rows_of(found.loc[order].head(MOST)):
        who = r["client_id"]
        rows.append(
            (
                clean(who) if who != last else "",
                Cell(words.text(f"ledger.state_{r['state']}"), TONES[r["state"]]),
                r["since"].date().isoformat(),
                words.name(diff.kinds[r["finding"]]),
                says(r, diff, words),
            )
        )
        last = who
    heads = (*_labels(words, "client", "state", "since"), *_texts(words, "finding"))
    heads += (Column(words.text("ledger.head_says"), "sentence"),)
    more = words.text("ledger.say_more_json", count=f"{len(found) - MOST:,}") if len(found) > MOST else ""
    return [Table(words.text("ledger.title_findings"), heads, tuple(rows), more=more)]


def _due(due: pd.DataFrame, reviews: Reviews, words: Words) -> list[Block]:
    if due.empty:
        return []
    tiers = reviews.policy.review.tiers
    rows = tuple(
        (
            clean(r["client_id"]),
            words.name(tiers[r["tier"]]) if r["tier"] else DASH,
            DASH if pd.isna(r["last_review"]) else r["last_review"].date().isoformat(),
            r["due"].date().isoformat(),
            Cell(words.text(f"ledger.review_{r['state']}"), DUE_TONES[r["state"]]),
            words.money(r["total"], r["currency"], short=True),
        )
        for r in rows_of(due.head(MOST))
    )
    heads = (
        *_labels(words, "client", "tier", "last_review", "due", "status"),
        Column(words.text("ledger.head_total"), "number"),
    )
    more = words.text("ledger.say_more_json", count=f"{len(due) - MOST:,}") if len(due) > MOST else ""
    return [Table(words.text("ledger.title_due", date=reviews.on), heads, rows, more=more)]


def _labels(words: Words, *heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"ledger.head_{h}"), "label") for h in heads)


def _texts(words: Words, *heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"ledger.head_{h}"), "text") for h in heads)
