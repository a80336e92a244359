"""Stress tables as blocks: for one client what each scenario costs and breaks; for a book, counts; the scenarios."""

from __future__ import annotations

import math
from typing import Final

from allocator.framework import OWN_USE
from allocator.i18n import DASH, Figure, Words, around
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Content, Heading, Line, Table
from allocator.reporting.sentences import bound_of, clean, heading, limit_name, with_unit
from allocator.reporting.sheet import footer
from allocator.reporting.tables import Client, Row, rest, rows_of
from allocator.scenarios import NAMED, Scenario
from allocator.stresses import Stress

LARGEST: Final = 5
"""Holdings that are shown where a scenario hits."""
BAD: Final = 0.3
"""A loss of this part of the family's own money is shown as bad: house judgement, about what a fall of shares by half
costs a balanced family."""


def stress_sheet(stress: Stress, client_id: str, words: Words, me: Client | None = None) -> Blocks:
    """One client in every scenario: what the worst one does, a table, what breaks, and where it hits.

    ``me`` is the same client, where somebody has found them already.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = me or Client.of(stress.analysis, client_id, words)
    tables = stress.part(client_id)
    rows, worst = tables.rows("summary"), tables.rows("worst")[0]
    hit = next((r for r in rows if r["scenario"] == worst["scenario"]), None)
    return (
        Heading(words.text("stress.title_client", client=clean(client_id))),
        _worst(stress, hit, me),
        *_bills(stress, rows, me),
        _scenarios(stress, rows, me),
        *_broken(stress, tables.rows("limits"), me),
        *([] if hit is None else _holdings(stress, hit, tables.rows("holdings"), me)),
        Line(words.text("stress.say_rule"), "dim", apart=True),
        footer(stress.analysis, words),
    )


def worst_table(stress: Stress, words: Words, first: int | None = None) -> Table:
    """The worst scenario of every client, or of the ``first`` so many."""
    heads = (
        *_heads(words, client="label", scenario="text", loss="number"),
        *_heads(words, share="number", left="number", months="number", new="number"),
    )
    rows = tuple(_money(r, stress, words) for r in rows_of(stress.worst.iloc[:first]))
    return Table(words.text("stress.title_worst"), heads, rows, more=rest(len(stress), first, words))


def stress_overview(stress: Stress, words: Words, first: int | None = None) -> Blocks:
    """The whole book: a row per scenario, and the worst one of every client, or of the ``first`` so many."""
    heads = (
        *_heads(words, scenario="text", hit="number"),
        Column(words.text("stress.head_median_total"), "number", spare=2),
        *_heads(words, median_own="number", fallen="number", unpaid="number", broken="number"),
        Column(words.text("stress.head_worst_for"), "number", spare=1),
    )
    rows = tuple(
        (
            _name(stress, r["scenario"], words),
            f"{int(r['hit']):,}",
            *(words.percent(r[k]) for k in ("loss_share", "loss_equity")),
            *(f"{int(r[k]):,}" for k in ("insolvent", "short", "broken", "worst")),
        )
        for r in rows_of(stress.book)
    )
    title = words.text("stress.title_book", clients=f"{len(stress):,}", count=len(stress.names))
    return (
        Table(title, heads, rows),
        worst_table(stress, words, first),
        Line(words.text("stress.say_rule"), "dim", apart=True),
        footer(stress.analysis, words),
    )


def scenario_blocks(stress: Stress, words: Words) -> Blocks:
    """Every scenario with what it does to each class and why: a table per scenario, named shocks with their sources."""
    out: list[Block] = []
    for name, s in stress.scenarios.scenarios.items():
        out += [Heading(words.name(s)), Line(s.source, "dim"), *(Line(x) for x in switches(s, words))]
        framework, moved = stress.analysis.framework, stress.moves[name]
        rows = tuple(
            (words.name(c), _signed(float(x), words), words.text(f"stress.how_{how}"), source if how == NAMED else "")
            for c, x, how, source in zip(framework.classes.values(), moved.shock, moved.how, moved.source, strict=True)
            if x or how == NAMED
        )
        heads = _heads(words, klass="text", shock="number", how="label", source="sentence")
        out += [Table("", heads, rows)] if rows else []
    return tuple(out)


def switches(s: Scenario, words: Words) -> list[str]:
    """What a scenario does besides its shocks, in sentences."""
    said: list[str] = []
    for key in ("own_company", "own_sector"):
        value = getattr(s, key)
        if value is not None:
            said.append(words.text(f"stress.{key}", change=_signed(value, words)))
    if s.guarantees:
        said.append(words.text("stress.guarantees", part=words.percent(s.guarantees, 0)))
    if s.debt_rate:
        said.append(words.text("stress.debt_rate", points=words.number(s.debt_rate * 100)))
    if s.frozen:
        said.append(words.text("stress.frozen"))
    if s.spending:
        said.append(words.text("stress.spending", months=words.number(s.spending, 0)))
    return said


def _heads(words: Words, **heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"stress.head_{k}"), kind) for k, kind in heads.items())  # type: ignore[arg-type]


def _name(stress: Stress, scenario: str, words: Words) -> str:
    return words.name(stress.scenarios.scenarios[scenario])


def _signed(x: float, words: Words) -> str:
    return f"+{words.percent(x)}" if x > 0 else words.percent(x)


def _loss(loss: float, words: Words) -> str:
    """A loss as an amount, a gain said to be one, a dash where nothing changes by half a unit of money."""
    if abs(loss) < 0.5:
        return DASH
    amount = words.money(abs(loss), short=True)
    if loss > 0:
        return amount
    gain = around(words.text("stress.gain", amount=amount), amount)
    return Figure.of(gain, -gain.value, gain.unit, gain.digits, gain.around) if isinstance(gain, Figure) else gain


def _worst(stress: Stress, hit: Row | None, me: Client) -> Line:
    """One sentence on the scenario that costs most."""
    words, count = me.words, len(stress.names)
    if hit is None:
        return Line(words.text("stress.say_none", count=count), "good")
    data = {"count": count, "scenario": _name(stress, hit["scenario"], words), "loss": me.money(hit["loss"])}
    left = float(hit["equity"])
    months = ""
    before = float(me.summary["reserve_months"])
    if math.isfinite(before) and words.number(before) != words.number(hit["reserve_months"]):
        said = (words.number(x) for x in (before, hit["reserve_months"]))
        months = words.text("stress.say_months", **dict(zip(("today", "months"), said, strict=True)))
    share, home = words.percent(hit["loss_equity"]), ""
    if math.isnan(left):
        text = words.text("stress.say_worst_unknown", share=share, **data)
    elif left > 0:
        text = words.text("stress.say_worst", share=share, left=me.money(left), **data)
    else:
        key = "insolvent" if me.summary["equity"] <= 0 else "all" if left < -0.5 else "gone"
        text = words.text(f"stress.say_worst_{key}", missing=me.money(-left), **data)
        if hit["net_worth"] > left + 0.5:
            home = words.text("stress.say_home", net_worth=me.money(hit["net_worth"]))
    heavy = not left > 0 or hit["loss_equity"] >= BAD
    return Line(words.tight(text + home + months), "bad" if heavy else "warn")


def _bills(stress: Stress, rows: list[Row], me: Client) -> list[Block]:
    """Where bills cannot be paid, and where that cannot be said."""
    words = me.words
    out: list[Block] = [
        Line(
            words.tight(
                words.text("stress.say_short", scenario=_name(stress, r["scenario"], words), short=me.money(r["short"]))
            ),
            "bad",
        )
        for r in rows
        if r["short"] > 0.5
    ]
    if any(math.isnan(r["reserve_months"]) for r in rows) and me.total > 0:
        out.append(Line(words.text("stress.say_unknown"), "warn"))
    return out


def _scenarios(stress: Stress, rows: list[Row], me: Client) -> Table:
    words = me.words
    extra = [k for k in ("spent", "short") if any(not r[k] <= 0.5 for r in rows)]
    heads = (
        *_heads(words, scenario="text", loss="number", share="number"),
        *_heads(words, **dict.fromkeys(extra, "number")),
        *_heads(words, left="number", months="number", limits="number"),
    )
    title = words.text(
        "stress.title_scenarios",
        equity=me.money(me.summary["equity"]),
        months=words.number(me.summary["reserve_months"]),
    )
    return Table(words.tight(title), heads, tuple(_scenario(stress, r, extra, me) for r in rows))


def _scenario(stress: Stress, r: Row, extra: list[str], me: Client) -> tuple[Content, ...]:
    words, left = me.words, float(r["equity"])
    heavy = r["insolvent"] or r["loss_equity"] >= BAD
    share = DASH if abs(r["loss"]) < 0.5 else words.percent(r["loss_equity"])
    limits = DASH
    if not math.isnan(r["limits_exceeded"]):
        limits = words.number(r["limits_exceeded"], 0)
        if r["limits_new"] > 0:
            limits = around(words.text("stress.limits_new", count=limits, new=int(r["limits_new"])), limits)
    return (
        _name(stress, r["scenario"], words),
        Cell(_loss(r["loss"], words), "bad" if heavy and r["loss"] > 0 else ""),
        share,
        *(DASH if r[k] <= 0.5 else words.money(r[k], short=True) for k in extra),
        Cell(words.money(left, short=True), "bad" if left <= 0 else ""),
        words.number(r["reserve_months"]),
        limits,
    )


def _broken(stress: Stress, found: list[Row], me: Client) -> list[Block]:
    """Limits that hold today and would not hold, by scenario."""
    words, title = me.words, me.words.text("stress.title_limits")
    if not found:
        return [Heading(title), Line(words.text("stress.say_no_limits"))]
    rows = tuple(
        (
            _name(stress, r["scenario"], words),
            heading(limit_name(str(r["limit"]), me.framework, words, me.own)),
            with_unit(str(r["limit"]), r["today"], words),
            with_unit(str(r["limit"]), r["after"], words),
            bound_of(str(r["limit"]), r["bound"], str(r["sense"]), words),
        )
        for r in found
    )
    return [
        Table(title, _heads(words, scenario="text", limit="text", today="number", then="number", bound="number"), rows)
    ]


def _holdings(stress: Stress, hit: Row, found: list[Row], me: Client) -> list[Block]:
    """Where the worst scenario hits: the holdings that lose most, and guarantees that are called."""
    words, framework = me.words, me.framework
    mine = [r for r in found if r["scenario"] == hit["scenario"] and r["bucket"] != OWN_USE and r["loss"] > 0.5]
    mine.sort(key=lambda r: -r["loss"])
    rows: list[tuple[Content, ...]] = [
        (
            clean(r["name"] or r["asset_id"]),
            words.name(framework.classes[r["asset_class"]]) if r["asset_class"] in framework.classes else DASH,
            words.money(r["value"], short=True),
            words.money(r["loss"], short=True),
            words.percent(r["loss"] / hit["loss"], 0),
        )
        for r in mine[:LARGEST]
    ]
    called = stress.scenarios.scenarios[hit["scenario"]].guarantees * float(
        stress.analysis.positions.guarantees[me.place]
    )
    if called > 0:
        amount = words.money(called, short=True)
        rows.append((words.text("stress.called"), DASH, DASH, amount, words.percent(called / hit["loss"], 0)))
    title = words.tight(words.text("stress.title_holdings", scenario=_name(stress, hit["scenario"], words)))
    heads = _heads(words, holding="text", klass="text", value="number", loss="number", part="number")
    return [Table(title, heads, tuple(rows))] if rows else []


def _money(r: Row, stress: Stress, words: Words) -> tuple[Content, ...]:
    """One client's row of the overview."""
    if not r["scenario"]:
        return (clean(r["client_id"]), Cell(words.text("stress.none"), "good"), *[DASH] * 5)
    heavy = r["equity"] <= 0 or r["loss_equity"] >= BAD
    return (
        clean(r["client_id"]),
        _name(stress, r["scenario"], words),
        Cell(words.money(r["loss"], short=True), "bad" if heavy else ""),
        words.percent(r["loss_equity"]),
        words.money(r["equity"], short=True),
        words.number(r["reserve_months"]),
        DASH if math.isnan(r["limits_new"]) else words.number(r["limits_new"], 0),
    )
