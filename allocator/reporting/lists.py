"""Lists of one client, as blocks: holdings, trades, what stays exceeded and why, obstacles, the certificate, issues."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from allocator.framework import OUTSIDE
from allocator.i18n import DASH
from allocator.plan import Plan
from allocator.reporting.blocks import Block, Cell, Column, Heading, Line, Table
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.sentences import clean, heading, issue_message, limit_name, trade_reason
from allocator.reporting.tables import Client, columns, rows_of

SHOWN: Final = 12
"""Holdings drawn on a terminal; the rest is summed up."""
SIDES: Final = ("sell", "repay", "buy")
"""Order of the trades: money comes in before it goes out."""
_FELT: Final = 5e-4
"""Smallest change of an obstacle worth showing, as a fraction of the total."""


def holdings(client: Client) -> Table:
    """Every holding, the largest first, and which source classified it."""
    words, f = client.words, client.framework
    outside = {code: words.text(f"outside.{code}") for code in OUTSIDE}
    bucket_names = outside | {code: words.name(b) for code, b in f.buckets.items()}
    frame = client.tables["holdings"].sort_values("value", ascending=False, kind="stable")
    rows = tuple(
        (
            clean(r["name"]),
            words.name(f.classes[r["asset_class"]]) if r["asset_class"] in f.classes else outside["unclassified"],
            bucket_names[r["bucket"]],
            words.money(r["value"]),
            DASH if r["bucket"] in OUTSIDE else words.percent(r["weight"]),
            words.text(f"source.{r['rule'] or 'none'}"),
        )
        for r in rows_of(frame)
    )
    rest = frame["value"].iloc[SHOWN:]
    more = words.text("say.more_holdings", count=len(rest), amount=client.money(rest.sum())) if len(rest) else ""
    heads = (
        *columns(words, holding="text", asset_class="text", bucket="label", value="number", weight="number"),
        Column(words.text("head.source"), "label", spare=1),
    )
    return Table(words.text("title.holdings"), heads, rows, SHOWN, more)


def trades(client: Client, frame: pd.DataFrame) -> list[Block]:
    """Trades with amounts to the cent and the reason of each; ``frame`` is the client's part of ``Plan.trades``."""
    words = client.words
    title = words.text("title.trades")
    if not len(frame):
        return [Heading(title), Line(words.text("say.no_trades"))]
    ordered = sorted(rows_of(frame), key=lambda r: SIDES.index(r["side"]))
    rows = tuple(
        (
            Cell(words.text(f"side.{r['side']}"), "strong"),
            clean(r["name"]),
            words.exact(r["amount"]),
            words.exact(r["cost"]),
            trade_reason(r, client.framework, words),
        )
        for r in ordered
    )
    heads = (
        *columns(words, side="label", name="text"),
        Column(f"{words.text('head.amount')} {client.currency}", "number"),
        *columns(words, cost="number", reason="sentence"),
    )
    return [Table(title, heads, rows)]


def why(client: Client, plan: Plan) -> list[Block]:
    """What stays exceeded after the plan, and why."""
    words = client.words
    if str(plan.summary["status"].iloc[client.place]) not in ("improved", "stuck"):
        return []
    rows = tuple(
        (heading(limit_name(limit.name, client.framework, words)), bound, reason)
        for limit, bound, reason in still_exceeded(plan, client.place, words)
    )
    heads = columns(words, limit="text", bound="number", reason="sentence")
    return [Table(words.text("title.why"), heads, rows)] if rows else []


def obstacles(client: Client, frame: pd.DataFrame) -> list[Block]:
    """What would change without each obstacle; those that change nothing are left out."""
    words = client.words
    felt = frame[(frame[["excess", "distance", "volatility"]].abs() > _FELT).any(axis=1)]
    if not len(felt):
        return []
    rows = tuple(
        (
            words.text(f"obstacle.{r['obstacle']}"),
            _signed(r["excess"], words.money(abs(r["excess"]) * client.total, short=True)),
            _signed(r["distance"], words.number(abs(r["distance"]) * 100)),
            _signed(r["volatility"], words.number(abs(r["volatility"]) * 100)),
        )
        for r in rows_of(felt)
    )
    heads = columns(
        words, obstacle="text", excess_change="number", distance_change="number", volatility_change="number"
    )
    note = words.text("say.obstacle_note") if "suitability" in set(felt["obstacle"]) else ""
    return [Table(words.text("title.obstacles"), heads, rows, more=note)]


def _signed(change: float, size: str) -> str:
    if not math.isfinite(change) or abs(change) <= _FELT:
        return DASH
    return ("-" if change < 0 else "+") + size


def certificate(client: Client, checks: pd.DataFrame, *, holds: bool, moved: bool) -> Line:
    """One line on the certificate: how many checks hold, or which fail; nothing moved, nothing to verify."""
    words = client.words
    if not moved:
        return Line(words.text("say.certificate_none"), "dim")
    if holds:
        return Line(words.text("say.certificate", count=len(checks)), "good")
    bad = checks[checks["verdict"].isin(["worse", "broken"])]
    names = ", ".join(limit_name(str(c), client.framework, words) for c in bad["check"])
    return Line(words.text("say.certificate_fails", failed=len(bad), count=len(checks), names=names), "bad")


def issues(client: Client) -> list[Block]:
    """What to look at in the client's data."""
    words = client.words
    rows = tuple(
        (
            Cell(words.text(f"severity.{r['severity']}"), "bad" if r["severity"] == "error" else "dim"),
            issue_message(r, client.framework, words, client.currency),
        )
        for r in client.rows("issues")
    )
    heads = columns(words, status="label", issue="sentence")
    return [Table(words.text("title.issues"), heads, rows)] if rows else []
