"""The book's own page as blocks: what the whole book holds, breaks and would trade, and whom to call first."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from allocator.framework import OUTSIDE, Framework
from allocator.i18n import DASH, Words
from allocator.issues import ERROR
from allocator.plan import STATUSES
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Content, Heading, Line, Table
from allocator.reporting.call_page import call_table, tier_name
from allocator.reporting.sentences import clean, heading, limit_name
from allocator.reporting.sheet import CHECK_TONES, PLAN_TONES
from allocator.reporting.tables import Row, rows_of
from allocator.whole_book.calls import CallList
from allocator.whole_book.facts import BookFacts
from allocator.whole_book.view import BookView

ADVISORS: Final = 12
PRODUCTS: Final = 12
"""Rows of the longest tables that a terminal shows; through a pipe and in JSON there are all."""


def book_blocks(view: BookView, words: Words, calls: CallList | None = None) -> Blocks:
    """The page of a book; ``calls`` (its first clients) stand at the end."""
    return (
        *_head(view, words),
        _statuses(view, words),
        _buckets(view, words),
        *_limits(view, words),
        _segments(view, words),
        *_pareto(view, words),
        *_advisors(view, words),
        *_plans(view, words),
        *([] if calls is None or not len(calls) else [call_table(calls, words)]),
        book_footer(view.facts, words),
    )


def book_footer(facts: BookFacts, words: Words) -> Line:
    """What the numbers rest on."""
    from allocator import __version__

    sentence = words.text(
        "say.footer",
        framework=facts.framework.name,
        assumptions=facts.assumptions,
        date=facts.on.isoformat(),
        version=__version__,
    )
    return Line(sentence, "dim", apart=True)


def unrated_lines(facts: BookFacts, words: Words) -> list[Line]:
    """Say how many clients are in no amount, and which currencies lack a rate."""
    at = np.isnan(facts.rate)
    if not at.any():
        return []
    codes = ", ".join(clean(c) for c in sorted(set(facts.clients["currency"][at].astype("str"))))
    text = words.text("book.say_unrated", count=f"{int(at.sum()):,}", currencies=codes, base=facts.base)
    return [Line(text, "warn")]


def set_aside_lines(facts: BookFacts, words: Words) -> list[Line]:
    """Say how many rows could not be used."""
    count = int((facts.issues["severity"] == ERROR).sum())
    return [Line(words.text("book.say_set_aside", count=f"{count:,}"), "warn")] if count else []


def book_heads(words: Words, **heads: str) -> tuple[Column, ...]:
    """Columns by the key of their heading in the section ``book``."""
    return tuple(Column(words.text(f"book.head_{k}"), kind) for k, kind in heads.items())  # type: ignore[arg-type]


def class_name(code: str, framework: Framework, words: Words) -> str:
    """Name of an asset class, of what stands outside the buckets, or of debts."""
    if code in framework.classes:
        return words.name(framework.classes[code])
    return words.get(f"outside.{code}", words.text("book.debts"))


def _head(view: BookView, words: Words) -> list[Block]:
    total = words.money(view.total, view.facts.base)
    title = words.text("book.title", clients=f"{len(view):,}", total=total)
    return [Heading(words.tight(title)), *unrated_lines(view.facts, words), *set_aside_lines(view.facts, words)]


def _statuses(view: BookView, words: Words) -> Table:
    rows = {str(r["status"]): r for r in rows_of(view.statuses)}
    shown = tuple(
        (
            Cell(words.text(f"status.{code}"), tone),
            f"{int(rows[code]['clients']):,}",
            words.percent(rows[code]["clients"] / len(view)),
            words.money(rows[code]["money"], short=True),
        )
        for code, tone in CHECK_TONES.items()
        if code in rows
    )
    heads = book_heads(words, status="label", clients="number", part="number", money="number")
    return Table(words.text("title.statuses"), heads, shown)


def _buckets(view: BookView, words: Words) -> Table:
    f, planned = view.facts.framework, view.facts.after is not None
    names = {code: words.name(b) for code, b in f.buckets.items()}
    names |= {code: words.text(f"outside.{code}") for code in OUTSIDE} | {"debts": words.text("book.debts")}
    rows: list[tuple[Content, ...]] = []
    for r in rows_of(view.buckets):
        dim = r["bucket"] not in f.buckets
        if dim and not (math.isfinite(r["money"]) and r["money"]):
            continue
        cells = [words.money(r["money"], short=True), words.percent(r["share"])]
        if planned:
            cells += [words.money(r["money_after"], short=True), words.percent(r["share_after"])]
        rows.append((Cell(names[r["bucket"]], "dim" if dim else "strong"), *cells))
    heads = book_heads(words, bucket="label", money="number", share="number")
    after = book_heads(words, money_after="number", share_after="number") if planned else ()
    return Table(words.text("book.title_buckets", base=view.facts.base), (*heads, *after), tuple(rows))


def _limits(view: BookView, words: Words) -> list[Block]:
    b, planned = view.facts, "clients_after" in view.limits
    over = view.limits[(view.limits["clients"] > 0) | (view.limits.get("clients_after", 0) > 0)]
    title = words.text("book.title_limits")
    if over.empty:
        return [Heading(title), Line(words.text("book.say_none_over"), "good")]
    rows = []
    for r in rows_of(over.sort_values("clients", ascending=False, kind="stable")):
        name = heading(limit_name(r["limit"], b.framework, words, b.own))
        cells = [
            f"{int(r['clients']):,}",
            words.percent(r["clients"] / r["judged"] if r["judged"] else math.nan, 0),
            words.money(r["money"], short=True),
        ]
        if planned:
            cells += [f"{int(r['clients_after']):,}", words.money(r["money_after"], short=True)]
        rows.append((name, words.text(f"book.sense_{'floor' if r['sense'] == '>=' else 'cap'}"), *cells))
    heads = book_heads(words, limit="text", sense="label", over="number", of_judged="number", beyond="number")
    after = book_heads(words, over_after="number", beyond_after="number") if planned else ()
    more = words.text("book.say_beyond")
    return [Table(title, (*heads, *after), tuple(rows), None, more)]


def _group_cells(r: Row, words: Words) -> tuple[str, ...]:
    return (
        f"{int(r['clients']):,}",
        words.percent(r["part_clients"]),
        words.money(r["money"], short=True),
        words.percent(r["part_money"]),
        words.percent(r["richest"], 0),
        words.number(r["median_score"], 0),
        f"{int(r['exceeded']):,}",
    )


def _group_heads(words: Words, first: str) -> tuple[Column, ...]:
    return (
        *book_heads(words, **{first: "text", "clients": "number"}),
        Column(words.text("book.head_part"), "number", spare=2),
        *book_heads(words, money="number", part_money="number"),
        Column(words.text("book.head_richest"), "number", spare=3),
        Column(words.text("book.head_score"), "number", spare=1),
        *book_heads(words, exceeded="number"),
    )


def _segments(view: BookView, words: Words) -> Table:
    rows = tuple((tier_name(r["segment"], words), *_group_cells(r, words)) for r in rows_of(view.segments))
    title = words.text("book.title_segments", base=view.facts.base)
    home = view.facts.framework.currency
    unknown = len(view) > 0 and (view.segments["segment"] == "").all()
    more = words.text("book.say_no_tiers", home=home, base=view.facts.base) if unknown else ""
    return Table(title, _group_heads(words, "tier"), rows, None, more)


def _pareto(view: BookView, words: Words) -> list[Block]:
    if view.pareto.empty:
        return []
    rows = []
    for r in rows_of(view.pareto):
        data = {
            "count": f"{int(r['clients']):,}",
            "part": words.percent(r["part_clients"]),
            "asked": words.percent(r["asked"], 0),
        }
        share = words.percent(r["part_money"])
        rows.append((words.text(f"book.{r['question']}", **data), share, words.money(r["money"], short=True)))
    heads = book_heads(words, who="text", part_money="number", money="number")
    return [Table(words.text("book.title_pareto"), heads, tuple(rows))]


def _advisors(view: BookView, words: Words) -> list[Block]:
    if len(view.advisors) < 2:
        return []
    rows = tuple((clean(r["advisor"]) or DASH, *_group_cells(r, words)) for r in rows_of(view.advisors))
    more = words.text("say.more_rows", count=f"{len(rows) - ADVISORS:,}") if len(rows) > ADVISORS else ""
    return [Table(words.text("book.title_advisors"), _group_heads(words, "advisor"), rows, ADVISORS, more)]


def _plans(view: BookView, words: Words) -> list[Block]:
    if not view.planned:
        return []
    by = {str(r["status"]): r for r in rows_of(view.plans)}
    rows: tuple[tuple[Content, ...], ...] = tuple(
        (
            Cell(words.text(f"status.{code}"), PLAN_TONES[code]),
            f"{int(by[code]['clients']):,}",
            f"{int(by[code]['trades']):,}",
            *_amounts(by[code], words),
        )
        for code in STATUSES
        if code in by
    )
    whole = view.plans.drop(columns="status").sum()
    rows += (
        (
            Cell(words.text("book.whole"), "strong"),
            f"{int(whole['clients']):,}",
            f"{int(whole['trades']):,}",
            *_amounts({str(k): v for k, v in whole.items()}, words),
        ),
    )
    heads = (*book_heads(words, status="label", clients="number", trades="number"), *_amount_heads(words))
    out: list[Block] = [Table(words.text("book.title_plans", base=view.facts.base), heads, rows)]
    if len(view.flows):
        out += [_flows(view.flows, "class", view, words), _flows(view.products, "product", view, words)]
    return out


def _amounts(r: Row, words: Words) -> tuple[str, ...]:
    return tuple(words.money(r[k], short=True) if r[k] else DASH for k in ("bought", "sold", "repaid", "cost", "tax"))


def _amount_heads(words: Words) -> tuple[Column, ...]:
    return (
        *book_heads(words, bought="number", sold="number"),
        Column(words.text("book.head_repaid"), "number", spare=1),
        *book_heads(words, cost="number", tax="number"),
    )


def _flows(frame: pd.DataFrame, what: str, view: BookView, words: Words) -> Table:
    f = view.facts.framework
    rows = []
    for r in rows_of(frame):
        name = class_name(r["asset_class"], f, words)
        first = (clean(r["name"]) or name, name) if what == "product" else (name,)
        rows.append((*first, f"{int(r['clients']):,}", *_amounts(r, words)))
    heads: tuple[Column, ...] = book_heads(words, product="text") if what == "product" else ()
    heads += (Column(words.text("book.head_class"), "text", spare=2 if what == "product" else 0),)
    heads += (*book_heads(words, clients="number"), *_amount_heads(words))
    shown = PRODUCTS if what == "product" else len(rows)
    more = words.text("say.more_rows", count=f"{len(rows) - shown:,}") if len(rows) > shown else ""
    return Table(words.text(f"book.title_{what}"), heads, tuple(rows), shown, more)
