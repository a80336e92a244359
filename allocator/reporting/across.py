"""A whole book's explanations as blocks: obstacles, what would help most, suitability and conflicts, counted."""

from __future__ import annotations

from collections import Counter
from typing import Final

from allocator.i18n import Words
from allocator.plan import Plan
from allocator.reporting.blocks import Block, Cell, Line, Table
from allocator.reporting.explain import FELT, HELPS, NOTHING, suitability_unknown
from allocator.reporting.sentences import bound_of, clean, heading, limit_name
from allocator.reporting.tables import columns, rows_of

CLASHES: Final = 12
"""Clients whose limits cannot hold together that are drawn on a terminal."""


def explained(plan: Plan, words: Words) -> list[Block]:
    """Everything about a book that the plans of its clients explain."""
    return [*_conflicts(plan, words), *_obstacles(plan, words), *_helps(plan, words), *_suitability(plan, words)]


def _obstacles(plan: Plan, words: Words) -> list[Block]:
    """For each obstacle the clients who would feel it gone, and the median change for them."""
    frame = plan.obstacles
    rows = []
    for name, part in frame.groupby("obstacle", sort=False):
        felt = part[(part["excess"].abs() > FELT) | (part["distance"].abs() > FELT) | (part["volatility"].abs() > FELT)]
        if len(felt):
            middle = felt[["excess", "distance", "volatility", "cost"]].median()
            rows.append(
                (
                    words.text(f"obstacle.{name}"),
                    f"{len(felt):,}",
                    *(words.signed(float(middle[c]) * 100) for c in ("excess", "distance", "volatility", "cost")),
                )
            )
    heads = columns(
        words,
        obstacle="text",
        count="number",
        excess_change="number",
        to_target="number",
        volatility="number",
        cost_change="number",
    )
    return [Table(words.text("title.obstacles_book"), heads, tuple(rows))] if rows else []


def _helps(plan: Plan, words: Words) -> list[Block]:
    """What would help most, by the number of clients for whom it comes first."""
    f = plan.before.framework
    frame = plan.prices[(plan.prices["rank"] == 1) & (plan.prices["price"] > NOTHING * f.plan.cost_weight)]
    names = frame["name"].where(frame["kind"] != "holding", "")
    firsts = Counter(zip(frame["kind"].tolist(), names.tolist(), frame["sense"].tolist(), strict=True))
    shelf = dict(zip(plan.before.positions.shelf["product_id"], plan.before.positions.shelf["name"], strict=True))
    rows = []
    for (kind, name, sense), count in firsts.most_common(HELPS):
        if kind == "holding":
            text = words.text("say.book_holding")
        elif kind == "product":
            text = words.text("say.price_product", name=clean(shelf.get(name, name)))
        else:
            key = "say.book_floor" if sense == ">=" else "say.book_cap"
            text = words.text(key, limit=heading(limit_name(name, f, words, plan.before.own)))
        rows.append((text, f"{count:,}"))
    heads = columns(words, more_room="sentence", count="number")
    return [Table(words.text("title.prices_book"), heads, tuple(rows))] if rows else []


def _suitability(plan: Plan, words: Words) -> list[Block]:
    """How many plans would differ by portfolio, and what that would bring them."""
    frame = plan.suitability
    unknown = {c for c, part in plan.obstacles.groupby("client_id", sort=False) if suitability_unknown(rows_of(part))}
    wide = frame[~frame["client_id"].isin(unknown)].set_index(["client_id", "mode"])["excess"].unstack("mode")
    if not len(wide):
        return []
    other = wide[wide.index.isin(plan.riskier["client_id"])]
    if not len(other):
        return [Line(words.text("say.suitability_book_same", all=f"{len(wide):,}"), "dim", apart=True)]
    text = words.text(
        "say.suitability_book",
        count=f"{len(other):,}",
        all=f"{len(wide):,}",
        excess=words.percent(float((other["portfolio"] - other["product"]).median())),
    )
    return [Line(text, apart=True), Line(words.text("say.suitability_note"), "warn")]


def _conflicts(plan: Plan, words: Words) -> list[Block]:
    """Hard mode: each client's limits that cannot hold together, and what would do."""
    f, own = plan.before.framework, plan.before.own
    rows: list[tuple[Cell | str, ...]] = []
    for client, part in plan.conflicts.groupby("client_id", sort=False):
        head: Cell | str = Cell(clean(client), "strong")
        for r in rows_of(part):
            bounds = (bound_of(str(r["limit"]), r[c], str(r["sense"]), words) for c in ("bound", "needed"))
            rows.append((head, heading(limit_name(str(r["limit"]), f, words, own)), *bounds))
            head = ""
    heads = columns(words, client="label", limit="text", bound="number", needed_bound="number")
    more = words.text("say.more_rows", count=len(rows) - CLASHES) if len(rows) > CLASHES else ""
    return [Table(words.text("title.conflicts"), heads, tuple(rows), CLASHES, more)] if rows else []
