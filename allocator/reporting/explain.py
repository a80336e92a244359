"""What holds a plan back and what would help, as blocks: obstacles, shadow prices, suitability, conflicts of limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Cell, Column, Line, Table
from allocator.reporting.measures import BAR
from allocator.reporting.sentences import bound_of, clean, heading, limit_name
from allocator.reporting.tables import Client, Row, columns, rows_in, rows_of

HELPS: Final = 5
"""Shadow prices that are shown; JSON has them all."""
NOTHING: Final = 1e-5
"""A price is not worth showing when a step is worth less than this fraction of the total in costs saved."""
OTHERS: Final = 3
"""Purchases of an open shelf that are named."""
FELT: Final = 5e-4
"""Smallest change of an obstacle worth showing, as a fraction of the total."""


def obstacles(client: Client, tables: Mapping[str, Any]) -> list[Block]:
    """What would change without each obstacle, and what an open shelf would add; what changes nothing is left out.

    ``tables`` are the client's of the plan: ``obstacles``, ``alternatives`` and ``trades``.
    """
    words, total = client.words, client.total
    felt = [r for r in rows_in(tables, "obstacles") if any(abs(r[c]) > FELT for c in _shown(str(r["obstacle"])))]
    if not felt:
        return []
    rows = tuple(
        (
            words.text(f"obstacle.{r['obstacle']}"),
            _signed(r["excess"], words.money(abs(r["excess"]) * total, short=True), words),
            _signed(r["distance"], words.number(abs(r["distance"]) * 100), words),
            _signed(r["volatility"], words.number(abs(r["volatility"]) * 100), words),
            _signed(r["cost"], words.money(abs(r["cost"]) * total, short=True), words),
        )
        for r in felt
    )
    heads = (
        *columns(words, obstacle="text", excess_change="number"),
        Column(words.text("head.distance_change"), "number", spare=1),
        Column(words.text("head.volatility_change"), "number", spare=2),
        *columns(words, cost_change="number"),
    )
    note = words.text("say.obstacle_note") if any(r["obstacle"] == "suitability" for r in felt) else ""
    more = _open_shelf(client, tables) if any(r["obstacle"] == "shelf" for r in felt) else []
    return [Table(words.text("title.obstacles"), heads, rows, more=note), *more]


def _open_shelf(client: Client, tables: Mapping[str, Any]) -> list[Block]:
    """The largest purchases that only an open shelf would allow."""
    words, buys = client.words, [r for r in rows_in(tables, "alternatives") if r["side"] == "buy"]
    bought = {r["asset_id"] for r in rows_in(tables, "trades") if r["side"] == "buy"}
    new = [r for r in buys if r["obstacle"] == "shelf" and r["asset_id"] not in bought]
    if not new:
        return []
    names = [
        words.text("say.with_amount", name=clean(r["name"]), amount=client.money(r["amount"])) for r in new[:OTHERS]
    ]
    return [Line(words.text("say.open_shelf", names=words.text("say.list").join(names)))]


def _shown(obstacle: str) -> tuple[str, ...]:
    """Columns that make an obstacle worth showing: that trading costs would be spared without costs is no news."""
    return ("excess", "distance", "volatility", *(() if obstacle == "costs" else ("cost",)))


def _signed(change: float, size: str, words: Words) -> str:
    felt = math.isfinite(change) and abs(change) > FELT
    return words.sign(change, size) if felt else DASH


def prices(client: Client, found: list[Row]) -> list[Block]:
    """What one step more of a limit, a budget, a holding or a product would help, the dearest first."""
    words = client.words
    least = NOTHING * client.framework.plan.cost_weight
    best = [r for r in found if r["price"] > least][:HELPS]
    if not best:
        return []
    first = best[0]["price"]
    rows = tuple(
        (_wish(r, client), "█" * max(round(r["price"] / first * BAR), 1), words.percent(r["price"] / first, 0))
        for r in best
    )
    heads = (
        *columns(words, more_room="sentence"),
        Column("", "picture", spare=1),
        *columns(words, of_dearest="number"),
    )
    return [Table(words.text("title.prices"), heads, rows, more=words.text("say.price_unit"))]


def _wish(r: Row, client: Client) -> str:
    """A shadow price in words."""
    words, name, kind = client.words, str(r["name"]), str(r["kind"])
    if kind == "holding":
        return words.text("say.price_holding", name=_holding(client, name) or clean(name))
    if kind == "product":
        return _product(client, name)
    limit = heading(limit_name(name, client.framework, words, client.own))
    bound = _bound(client, name, str(r["sense"]))
    if not math.isfinite(bound):
        return words.text("say.price_bare", limit=limit)
    key = "say.price_floor" if r["sense"] == ">=" else "say.price_cap"
    return words.text(key, limit=limit, bound=bound_of(name, bound, str(r["sense"]), words))


def _bound(client: Client, name: str, sense: str) -> float:
    """Bound of a limit or budget for the client; NaN where there is none."""
    t = client.analysis.limit_table
    for j, limit in enumerate(t.limits):
        if (limit.name, limit.sense) == (name, sense):
            return float(t.bound[client.place, j])
    band = client.framework.bands.get(str(client.summary["band"]))
    return math.nan if band is None else band.limits.get(name, math.nan)


def _holding(client: Client, asset_id: str) -> str:
    return clean(next((r["name"] for r in client.rows("holdings") if r["asset_id"] == asset_id), ""))


def _product(client: Client, asset_id: str) -> str:
    """A product that cannot be bought, and why not, as far as the shelf tells."""
    words, shelf = client.words, client.analysis.positions.shelf
    held = (r["product_id"] for r in client.rows("holdings") if r["asset_id"] == asset_id)
    found = shelf.index[shelf["product_id"] == (next(held, "") or asset_id)]
    if not len(found):
        return words.text("say.price_product", name=_holding(client, asset_id) or clean(asset_id))
    offer = rows_of(shelf.loc[found[:1]])[0]
    name = clean(offer["name"])
    band = client.framework.bands.get(str(client.summary["band"]))
    if not offer["available"]:
        return words.text("say.price_closed", name=name)
    if band is not None and offer["risk"] > band.product_risk:
        return words.text("say.price_grade", name=name, risk=int(offer["risk"]), grade=band.product_risk)
    return words.text("say.price_product", name=name)


def suitability(client: Client, tables: Mapping[str, Any]) -> list[Block]:
    """Both modes of suitability side by side, their difference, and what the mode by portfolio would buy.

    Parameters
    ----------
    client
        The client before the plan.
    tables
        The client's tables of the plan: ``suitability``, ``riskier`` and ``obstacles``.
    """
    words = client.words
    modes = {str(r["mode"]): r for r in rows_in(tables, "suitability")}
    if not {"product", "portfolio"} <= modes.keys():
        return []
    if suitability_unknown(rows_in(tables, "obstacles")):
        return [Line(words.text("say.suitability_unknown"), "dim", apart=True)]
    riskier = rows_in(tables, "riskier")
    if not riskier:
        return [Line(words.text("say.suitability_same"), "dim", apart=True)]
    product, portfolio = (_figures(modes[m], client.total, client.currency, words) for m in ("product", "portfolio"))
    for shown, mode in ((product, modes["product"]), (portfolio, modes["portfolio"])):
        shown |= {k: words.percent(mode[k]) for k in ("above", "satellite")}
        shown["verified"] = words.text("say.yes" if mode["certificate"] else "say.no")
    product["satellite"] = DASH
    rows = tuple((words.text(f"figure.{k}"), product[k], portfolio[k]) for k in product)
    heads = columns(words, figure="text", by_product="number", by_portfolio="number")
    bought = tuple((clean(r["name"]), f"R{int(r['grade'])}", words.exact(r["amount"])) for r in riskier)
    shop = (
        *columns(words, above_grade="text", risk="number"),
        Column(f"{words.text('head.amount')} {words.unit(client.currency)}", "number"),
    )
    return [
        Table(words.text("title.suitability"), heads, rows),
        Line(suitability_gap(modes["product"], modes["portfolio"], client.total, client.currency, words)),
        Table("", shop, bought),
        Line(words.text("say.suitability_note"), "warn"),
    ]


def suitability_unknown(obstacles: list[Row]) -> bool:
    """Whether no solver found the plan by portfolio."""
    return any(math.isnan(r["excess"]) for r in obstacles if r["obstacle"] == "suitability")


def suitability_gap(product: Row, portfolio: Row, total: float, currency: str, words: Words) -> str:
    """Say in one sentence in what the plan by portfolio differs from the one by product; ``total`` is that of today."""
    one, two = (_figures(mode, total, currency, words) for mode in (product, portfolio))
    parts = [words.text(f"gap.{k}", there=two[k], here=one[k]) for k in one if one[k] != two[k]]
    if not parts:
        return words.text("gap.none")
    return words.tight(words.text("gap.sentence", parts=words.text("gap.and").join(parts)))


def _figures(mode: Row, total: float, currency: str, words: Words) -> dict[str, str]:
    """What a mode of suitability reaches, as text."""
    return {
        "excess": words.money(mode["excess"] * total, currency),
        "distance": words.number(mode["distance"] * 100),
        "volatility": words.percent(mode["volatility"]),
        "cost": words.money(mode["cost"] * total, currency),
    }


def conflicts(client: Client, found: list[Row]) -> list[Block]:
    """Hard mode: the smallest set of limits that cannot hold together, and what would do."""
    words = client.words
    if not found:
        return []
    rows = tuple(
        (
            heading(limit_name(str(r["limit"]), client.framework, words, client.own)),
            bound_of(str(r["limit"]), r["bound"], str(r["sense"]), words),
            bound_of(str(r["limit"]), r["needed"], str(r["sense"]), words),
            Cell(client.money(r["amount"]), "bad"),
        )
        for r in found
    )
    heads = columns(words, limit="text", bound="number", needed_bound="number", room="number")
    return [Table(words.text("title.conflicts"), heads, rows)]
