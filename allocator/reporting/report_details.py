"""Sections after the first page: everything that was counted, and what the numbers rest on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from allocator.i18n import DASH
from allocator.provenances import class_mean, class_volatility
from allocator.reporting import explain, lists, measures
from allocator.reporting.blocks import Block, Column, Heading, Line, Piece, Table
from allocator.reporting.report_facts import Facts
from allocator.reporting.report_first import TRADES
from allocator.reporting.sheet import footer
from allocator.reporting.tables import columns, rows_in

_ENDS: Final = 1
"""Blocks of a sheet that a report has of its own: its title, and its footer."""


def trades(facts: Facts) -> list[Piece]:
    """All trades, where the first page shows only the largest."""
    if facts.plan is None or len(facts.trades) <= TRADES + 1:
        return []
    return list(lists.trades(facts.me, facts.plan, facts.trades))


def limits(facts: Facts) -> list[Piece]:
    """Limits exceeded before or after, with the money beyond each; figures with their bounds; conflicts."""
    me, quiet = facts.me, replace(facts.me, words=facts.quiet)
    if not me.total > 0:
        return []
    found: list[Block] = measures.limits(me) if facts.then is None else measures.limits_change(me, facts.then)
    out: list[Piece] = [*found, *measures.rules(me, facts.then), measures.figures(me, facts.then)]
    if facts.plan is not None:
        out += [*explain.conflicts(me, rows_in(facts.tables, "conflicts")), *lists.why(quiet, facts.plan, facts.held)]
    return out


def hindered(facts: Facts) -> list[Piece]:
    """What would change without each obstacle, and what would help most."""
    if facts.planned is None:
        return []
    return [*explain.obstacles(facts.me, facts.tables), *explain.prices(facts.me, rows_in(facts.tables, "prices"))]


def modes(facts: Facts) -> list[Piece]:
    """Both modes of suitability side by side, where they differ."""
    if facts.planned is None or not rows_in(facts.tables, "riskier"):
        return []
    return list(explain.suitability(facts.me, facts.tables))


def proof(facts: Facts) -> list[Piece]:
    """How many checks hold, and how near to the optimum the plan is."""
    if facts.planned is None or not facts.planned["trades"]:
        return []
    return list(lists.certificate(facts.me, facts.planned, rows_in(facts.tables, "checks")))


def risk(facts: Facts) -> list[Piece]:
    """Risk measures of today."""
    return _inner(facts.risk_blocks)


def stress(facts: Facts) -> list[Piece]:
    """Every scenario."""
    return _inner(facts.stress_blocks)


def household(facts: Facts) -> list[Piece]:
    """Reserve, firewall, protection, own industry."""
    return _inner(facts.household_blocks)


def holdings(facts: Facts) -> list[Piece]:
    """Every holding."""
    table = lists.holdings(facts.me)
    return [replace(table, shown=None, more="")] if table.rows else []


def issues(facts: Facts) -> list[Piece]:
    """What to look at in the client's data: set aside, assumed, noted."""
    return list(lists.issues(replace(facts.me, words=facts.quiet)))


def basis(facts: Facts) -> list[Piece]:
    """What the numbers rest on: rates of exchange, and the assumptions on every class that the client holds."""
    me, words, a = facts.me, facts.words, facts.me.analysis
    f, assumed = me.framework, a.assumptions
    held = {str(r["asset_class"]) for r in me.rows("holdings")} | {str(r["asset_class"]) for r in facts.trades}
    rows = tuple(
        (
            words.name(f.classes[c]),
            words.percent(class_mean(assumed, assumed.classes[c])),
            words.percent(class_volatility(assumed, assumed.classes[c])),
            assumed.classes[c].source,
        )
        for c in f.classes
        if c in held and c in assumed.classes
    )
    heads = (
        *columns(words, asset_class="text"),
        Column(words.text("report.mean"), "number"),
        Column(words.text("report.volatility"), "number"),
        Column(words.text("report.source"), "sentence"),
    )
    out: list[Piece] = [Line(words.text("report.basis", framework=f.name, assumptions=words.name(assumed)))]
    foreign = sorted({str(r["currency"]) for r in me.rows("holdings")} - {me.currency, ""})
    if foreign:
        out.append(
            Line(words.text("report.rates", rates=words.text("say.list").join(_rate(facts, c) for c in foreign)))
        )
    out.append(Line(words.text("report.rows", used=len(me.rows("holdings")), aside=_aside(facts))))
    return [*out, Table(words.text("report.assumed"), heads, rows)] if rows else out


def notes(facts: Facts) -> tuple[str, ...]:
    """Lines of the footer."""
    words, source = facts.words, facts.source
    found = source.hashes[facts.client_id]
    lines = [
        footer(facts.me.analysis, words).text,
        words.text("report.hash", hash=found) if found else "",
        words.text("report.hidden_note") if source.options.hide_amounts else "",
        words.text("report.pseudonym_note") if source.options.key is not None else "",
        words.text("report.no_advice"),
        source.style.legal.of(words.lang),
    ]
    return tuple(line for line in lines if line)


def _inner(sheet: tuple[Block, ...]) -> list[Piece]:
    """A sheet without its own title and footer."""
    return [b for b in sheet[_ENDS:-_ENDS] if not (isinstance(b, Heading) and not b.text)]


def _rate(facts: Facts, currency: str) -> str:
    """One unit of a foreign currency in the client's own."""
    rates, own = facts.me.analysis.positions.rates, facts.me.currency
    if currency not in rates or own not in rates:
        return f"{currency} {DASH}"
    return facts.words.text("report.rate", foreign=currency, own=own, rate=f"{rates[currency] / rates[own]:.6g}")


def _aside(facts: Facts) -> int:
    return sum(r["severity"] == "error" for r in facts.me.rows("issues"))
