"""Lists of one client, as blocks: holdings, trades, what stays exceeded and why, the certificate, issues."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from allocator.framework import OUTSIDE
from allocator.i18n import DASH, Words
from allocator.limits import Limit
from allocator.plan import Plan
from allocator.reporting.blocks import Block, Cell, Column, Content, Heading, Line, Table
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.issue_words import issue_message
from allocator.reporting.labels import reason_of
from allocator.reporting.sentences import clean, heading, limit_name
from allocator.reporting.tables import Client, Row, columns

SHOWN: Final = 12
"""Holdings drawn on a terminal; the rest is summed up."""
SIDES: Final = ("sell", "repay", "buy")
"""Order of the trades: money comes in before it goes out."""


def holdings(client: Client) -> Table:
    """Every holding, the largest first, and which source classified it."""
    words, f = client.words, client.framework
    outside = {code: words.text(f"outside.{code}") for code in OUTSIDE}
    bucket_names = outside | {code: words.name(b) for code, b in f.buckets.items()}
    ordered = sorted(client.rows("holdings"), key=lambda r: -r["value"])
    rows = tuple(
        (
            clean(r["name"]),
            words.name(f.classes[r["asset_class"]]) if r["asset_class"] in f.classes else outside["unclassified"],
            bucket_names[r["bucket"]],
            words.money(r["value"]),
            DASH if r["bucket"] in OUTSIDE else words.percent(r["weight"]),
            words.text(f"source.{r['rule'] or 'none'}"),
        )
        for r in ordered
    )
    rest = [r["value"] for r in ordered[SHOWN:]]
    more = words.text("say.more_holdings", count=len(rest), amount=client.money(np.sum(rest))) if rest else ""
    heads = (
        *columns(words, holding="text", asset_class="text", bucket="label", value="number", weight="number"),
        Column(words.text("head.source"), "label", spare=1),
    )
    return Table(words.text("title.holdings"), heads, rows, SHOWN, more)


def trades(client: Client, plan: Plan, made: list[Row]) -> list[Block]:
    """Trades with amounts to the cent and the reason of each; ``made`` are the client's rows of ``Plan.trades``.

    Taxes have a column where there are any.
    """
    words, taxed = client.words, any(r["tax"] > 0 for r in made)
    title = words.text("title.trades")
    if not made:
        return [Heading(title), Line(words.text("say.no_trades"))]
    ordered = sorted(made, key=lambda r: SIDES.index(r["side"]))
    rows: tuple[tuple[Content, ...], ...] = tuple(
        (
            Cell(words.text(f"side.{r['side']}"), "strong"),
            clean(r["name"]),
            words.exact(r["amount"]),
            words.exact(r["cost"]),
            *([words.exact(r["tax"])] if taxed else []),
            reason_of(plan, client.place, r, words),
        )
        for r in ordered
    )
    heads = (
        *columns(words, side="label"),
        Column(words.text("head.name"), "text", least=10),
        Column(f"{words.text('head.amount')} {words.unit(client.currency)}", "number"),
        Column(words.text("head.cost"), "number", spare=2),
        *([Column(words.text("head.tax"), "number", spare=1)] if taxed else []),
        Column(words.text("head.reason"), "sentence", least=16),
    )
    return [Table(title, heads, rows)]


def why(client: Client, plan: Plan, held: list[tuple[Limit, str, str]] | None = None) -> list[Block]:
    """What stays exceeded after the plan, and why; ``held`` is of `still_exceeded` where somebody has asked already."""
    words = client.words
    if str(plan.summary["status"].iloc[client.place]) not in ("improved", "stuck"):
        return []
    rows = tuple(
        (heading(limit_name(limit.name, client.framework, words, client.own)), bound, reason)
        for limit, bound, reason in (still_exceeded(plan, client.place, words) if held is None else held)
    )
    heads = columns(words, limit="text", bound="number", reason="sentence")
    return [Table(words.text("title.why"), heads, rows)] if rows else []


def certificate(client: Client, summary: Row, checks: list[Row]) -> list[Block]:
    """How many checks hold, or which fail, and how near to the optimum the plan is; nothing moved, nothing to verify.

    Parameters
    ----------
    client
        The client before the plan.
    summary, checks
        The client's row of ``Plan.summary`` and their rows of ``Plan.checks``.
    """
    words = client.words
    if not summary["trades"]:
        return [Line(words.text("say.certificate_none"), "dim", apart=True)]
    if summary["certificate"]:
        return [Line(words.text("say.certificate", count=len(checks)), "good", apart=True), *_proof(summary, words)]
    bad = [str(r["check"]) for r in checks if r["verdict"] in ("worse", "broken")]
    names = ", ".join(limit_name(c, client.framework, words, client.own) for c in bad)
    text = words.text("say.certificate_fails", failed=len(bad), count=len(checks), names=names)
    return [Line(text, "bad", apart=True)]


def _proof(summary: Row, words: Words) -> list[Block]:
    """Gaps and residuals, where a solver was asked."""
    if math.isnan(summary["duality_gap"]):
        return []
    names = {"gap": "gap", "whole": "gap_whole", "primal": "primal", "dual": "dual", "duality": "duality_gap"}
    figures = {key: words.small(float(summary[column])) for key, column in names.items()}
    return [Line(words.text("say.proof", solver=summary["solver"], **figures), "dim")]


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
