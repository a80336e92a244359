"""What changes for whom, as blocks: effects, limits, plan totals, and the clients who change most."""

from __future__ import annotations

from typing import Final

from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Content, Heading, Line, Table, Tone
from allocator.reporting.book_page import book_footer, class_name, unrated_lines
from allocator.reporting.sentences import clean, heading, limit_name
from allocator.reporting.tables import rows_of
from allocator.whole_book.compare import Comparison

CLIENTS: Final = 15
"""Clients that are shown where nobody says how many."""
NAMED: Final = 5
"""Left out clients that are named."""
CHANGES: Final[dict[str, Tone]] = {"broken": "bad", "mended": "good"}


def compare_blocks(found: Comparison, words: Words, first: int = CLIENTS, change: tuple[str, ...] = ()) -> Blocks:
    """What changes for whom, with the ``first`` so many clients who change; ``change`` is what else differs after."""
    changed = int(found.effects["clients"].iloc[0])
    title = words.text("compare.title", changed=f"{changed:,}", clients=f"{len(found):,}")
    after = found.after
    sides = words.text(
        "compare.sides",
        before=f"{found.before.framework.name} · {found.before.assumptions}",
        after=" · ".join([after.framework.name, after.assumptions, *map(clean, change)]),
    )
    return (
        Heading(title),
        Line(sides),
        *_left_out(found, words),
        *unrated_lines(found.before, words),
        *_effects(found, words),
        *_statuses(found, words),
        *_limits(found, words),
        *_totals(found, words),
        *_clients(found, words, first),
        book_footer(after, words),
    )


def _left_out(found: Comparison, words: Words) -> list[Line]:
    out = []
    for key, ids in (("only_before", found.only_before), ("only_after", found.only_after)):
        if ids:
            names = words.text("calls.and").join(clean(i) for i in ids[:NAMED]) + ("…" if len(ids) > NAMED else "")
            out.append(Line(words.text(f"compare.{key}", count=f"{len(ids):,}", names=names), "warn"))
    return out


def _effects(found: Comparison, words: Words) -> list[Block]:
    rows = tuple(
        (words.text(f"compare.effect_{r['effect']}"), f"{int(r['clients']):,}", words.money(r["money"], short=True))
        for r in rows_of(found.effects)
        if r["clients"]
    )
    if not rows:
        return [Line(words.text("compare.say_same"), "good")]
    heads = _heads(words, effect="text", clients="number", theirs="number")
    return [Table(words.text("compare.title_effects", base=found.before.base), heads, rows)]


def _statuses(found: Comparison, words: Words) -> list[Block]:
    moved = found.statuses[found.statuses["status_before"] != found.statuses["status_after"]]
    rows = tuple(
        (
            words.text(f"status.{r['status_before']}"),
            words.text(f"status.{r['status_after']}"),
            f"{int(r['clients']):,}",
            words.money(r["money"], short=True),
        )
        for r in rows_of(moved)
    )
    heads = _heads(words, status_before="label", status_after="label", clients="number", theirs="number")
    return [Table(words.text("compare.title_statuses"), heads, rows)] if rows else []


def _limits(found: Comparison, words: Words) -> list[Block]:
    t = found.by_limit
    shown = t[(t["broken"] > 0) | (t["mended"] > 0) | ((t["money_after"] - t["money_before"]).abs() >= 1)]
    rows: tuple[tuple[Content, ...], ...] = tuple(
        (
            _limit(found, r["limit"], words),
            words.text(f"book.sense_{'floor' if r['sense'] == '>=' else 'cap'}"),
            *(f"{int(r[k]):,}" for k in ("clients_before", "clients_after")),
            *(Cell(f"{int(r[k]):,}" if r[k] else DASH, tone) for k, tone in CHANGES.items()),
            *(words.money(r[k], short=True) for k in ("money_before", "money_after")),
        )
        for r in rows_of(shown)
    )
    heads = (
        *_heads(words, limit="text"),
        Column(words.text("book.head_sense"), "label"),
        *_heads(words, over_before="number", over_after="number", broken="number", mended="number"),
        Column(words.text("compare.head_money_before"), "number", spare=2),
        Column(words.text("compare.head_money_after"), "number", spare=1),
    )
    return [Table(words.text("compare.title_limits"), heads, rows)] if rows else []


def _totals(found: Comparison, words: Words) -> list[Block]:
    if found.totals.empty:
        return []

    def cells(r: dict[str, float], money: bool) -> tuple[str, ...]:
        sides = [words.money(r[k], short=True) if money else f"{int(r[k]):,}" for k in ("before", "after")]
        change = r["change"]
        sign = "" if not change else "+" if change > 0 else "-"
        size = words.money(abs(change), short=True) if money else f"{int(abs(change)):,}"
        return (*sides, f"{sign}{size}" if sign else DASH)

    rows = tuple(
        (words.text(f"compare.total_{r['figure']}"), *cells(r, r["figure"] not in ("clients", "trades")))
        for r in rows_of(found.totals)
    )
    heads = _heads(words, figure="text", before="number", after="number", change="number")
    out: list[Block] = [Table(words.text("compare.title_totals", base=found.before.base), heads, rows)]
    moved = found.flows[found.flows["change"].abs() >= 1]
    if len(moved):
        flows = tuple(
            (class_name(r["asset_class"], found.after.framework, words), *cells(r, True)) for r in rows_of(moved)
        )
        heads = _heads(words, klass="text", before="number", after="number", change="number")
        out.append(Table(words.text("compare.title_flows"), heads, flows))
    return out


def _clients(found: Comparison, words: Words, first: int) -> list[Block]:
    frame = found.changed
    rows: list[tuple[Content, ...]] = []
    for r in rows_of(frame.head(first)):
        ends = ("before", "after")
        statuses = [words.text(f"status.{r[f'status_{e}']}") for e in ends]
        scores = [words.number(r[f"score_{e}"], 0) for e in ends]
        risks = [words.percent(r[f"volatility_{e}"]) for e in ends]
        rows.append(
            (
                Cell(clean(r["client_id"]), "strong"),
                words.money(r["total_before"], short=True),
                statuses[0]
                if statuses[0] == statuses[1]
                else words.text("number.change", before=statuses[0], after=statuses[1]),
                _change(scores, words),
                _change(risks, words),
                Cell(_named(found, r["broken_limits"], words), "bad"),
                Cell(_named(found, r["mended_limits"], words), "good"),
            )
        )
    heads = (
        *_heads(words, client="label"),
        Column(words.text("compare.head_theirs"), "number", spare=3),
        Column(words.text("compare.head_status"), "label", spare=1),
        *_heads(words, score="number"),
        Column(words.text("compare.head_volatility"), "number", spare=2),
        *_heads(words, broken_limits="sentence", mended_limits="sentence"),
    )
    left = len(frame) - len(rows)
    more = words.text("say.more_rows", count=f"{left:,}") if left else ""
    return [Table(words.text("compare.title_clients"), heads, tuple(rows), None, more)] if rows else []


def _named(found: Comparison, keys: str, words: Words) -> str:
    names = [_limit(found, key[:-2], words) for key in keys.split(", ") if key]
    return words.text("calls.and").join(dict.fromkeys(names)) or DASH


def _limit(found: Comparison, name: str, words: Words) -> str:
    """Name of a limit that either side's framework has."""
    told = limit_name(name, found.after.framework, words, found.after.own)
    return heading(told if told != name else limit_name(name, found.before.framework, words, found.before.own))


def _change(sides: list[str], words: Words) -> str:
    before, after = sides
    return before if before == after else words.text("number.change", before=before, after=after).replace(" ", "")


def _heads(words: Words, **heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"compare.head_{k}"), kind) for k, kind in heads.items())  # type: ignore[arg-type]
