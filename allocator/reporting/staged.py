"""Plans in stages as blocks: for one client what each stage does and what is reached when; for a book, counts."""

from __future__ import annotations

import math
from typing import Final

from allocator.framework import Framework
from allocator.i18n import DASH, Words
from allocator.plan import STATUSES
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Line, Table
from allocator.reporting.sentences import heading, inside, limit_name
from allocator.reporting.sheet import PLAN_TONES
from allocator.reporting.tables import Client, Row, columns, rows_of
from allocator.staging import Stages

SPARE: Final = {"insolvent": 5, "invalid": 5, "unfunded": 3}
"""Statuses that leave a narrow terminal, where all of them were there before any stage."""


def client_stages(stages: Stages, client_id: str, words: Words) -> Blocks:
    """Stages of one client.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = Client.of(stages.plans[0].before, client_id, words)
    tables = stages.select(client_id)
    rows = rows_of(tables["table"])
    heads = (
        *columns(words, date="label", status="label"),
        *columns(words, score="number", limits="number", sold="number", bought="number"),
        *(columns(words, repaid="number") if any(r["repaid"] > 0 for r in rows) else ()),
        *columns(words, spent="number"),
        Column(words.text("head.verified"), "label", spare=1),
    )
    title = words.text("title.stages_one")
    if len(stages.plans) > 1:
        title = words.text("title.stages", count=len(stages.plans), months=_months(stages))
    table = Table(title, heads, tuple(_stage(r, words, repaid=len(heads) == 9) for r in rows))
    note = Line(words.text("say.stage_note"), "dim")
    return (table, *_reached(stages, rows_of(tables["reached"]), me), *_undone(rows_of(tables["undone"]), me), note)


def _months(stages: Stages) -> int:
    """Months from the first stage to the second."""
    first, second = stages.dates[1:3]
    return (second.year - first.year) * 12 + second.month - first.month


def _stage(r: Row, words: Words, *, repaid: bool) -> tuple[Cell | str, ...]:
    today, status = not r["stage"], str(r["status"])
    money = (r["sells"], r["buys"], *([r["repaid"]] if repaid else []), r["cost"] + r["tax"])
    verified: Cell | str = DASH
    if not today:  # where nothing is planned yet, nothing can be verified: NA, which is neither true nor false
        verified = Cell(words.text("say.yes"), "good") if r["certificate"] else Cell(words.text("say.no"), "bad")
    return (
        words.text("head.today") if today else r["date"].strftime("%Y-%m-%d"),
        DASH if today else Cell(words.text(f"status.{status}"), PLAN_TONES[status]),
        words.number(r["score"], 0),
        str(int(r["limits_exceeded"])),
        *(words.money(x, short=True) if x > 0 else DASH for x in money),
        verified,
    )


def _reached(stages: Stages, rows: list[Row], me: Client) -> list[Block]:
    """From which stage on the limits exceeded today hold."""
    words, over = me.words, [r for r in rows if r["exceeded"] or math.isnan(r["stage"])]
    if not rows:  # nothing can be judged: no band, or nothing in the buckets
        return []
    title = words.text("title.reached")
    if not over:
        return [Heading(title), Line(words.text("say.stage_held"))]
    when: dict[float, list[str]] = {}
    for r in sorted(over, key=lambda r: (math.isnan(r["stage"]), r["stage"])):
        place = math.inf if math.isnan(r["stage"]) else r["stage"]
        when.setdefault(place, []).append(inside(limit_name(str(r["limit"]), me.framework, words, me.own)))
    lines = tuple((_when(stages, k, words), heading(words.text("say.list").join(names))) for k, names in when.items())
    return [Table(title, columns(words, when="label", reached="sentence"), lines)]


def _when(stages: Stages, stage: float, words: Words) -> Cell:
    if math.isinf(stage):
        return Cell(words.text("say.stage_never"), "bad")
    return Cell(words.text("say.stage_at", stage=int(stage), date=stages.dates[int(stage)].isoformat()), "good")


def _undone(rows: list[Row], me: Client) -> list[Block]:
    """What looking ahead would spare."""
    if not rows:
        return []
    amount, cost = (me.money(sum(r[k] for r in rows)) for k in ("amount", "cost"))
    key = "say.stage_undone_one" if len(rows) == 1 else "say.stage_undone"
    data = {} if len(rows) == 1 else {"count": len(rows)}
    return [Line(me.words.text(key, amount=amount, cost=cost, **data), "warn")]


def book_stages(stages: Stages, words: Words) -> Blocks:
    """The whole book, today and after each stage: clients by status, share in band, costs so far."""
    summary = stages.summary
    framework: Framework = stages.plans[0].before.framework
    shown = [s for s in STATUSES if summary[s].any()]
    rows = tuple(
        (
            words.text("head.today") if k == 0 else r["date"].strftime("%Y-%m-%d"),
            *(DASH if k == 0 else f"{int(r[s]):,}" for s in shown),
            words.percent(r["share_in_band"], 0),
            words.percent(r["excess"]),
            words.money(r["cost"], framework.currency, short=True),
            words.percent(r["cost_share"]),
        )
        for k, r in enumerate(rows_of(summary))
    )
    heads = (
        *columns(words, date="label"),
        *(Column(words.text(f"status.{s}"), "number", spare=SPARE.get(s, 0)) for s in shown),
        *columns(words, share_in_band="number"),
        Column(words.text("head.median_excess"), "number", spare=2),
        Column(words.text("head.cost_so_far"), "number", spare=1),
        Column(words.text("head.median_cost"), "number", spare=4),
    )
    return (Table(words.text("title.stages_book"), heads, rows), Line(words.text("say.stage_note_book"), "dim"))
