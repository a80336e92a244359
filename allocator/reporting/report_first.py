"""Sections of the first page: the verdict, where the money lies, what could happen, and what to do."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from allocator.i18n import DASH, Words
from allocator.reporting import lists
from allocator.reporting.blocks import (
    Bar,
    Bars,
    Cell,
    Column,
    Content,
    Fact,
    Figures,
    Level,
    Levels,
    Line,
    Piece,
    Table,
    Tone,
    Verdict,
)
from allocator.reporting.explain import FELT, suitability_gap, suitability_unknown
from allocator.reporting.explained import exceeded_sentences, obstacle_sentence
from allocator.reporting.report_facts import Facts
from allocator.reporting.sentences import amount_of, bound_of, grade_name
from allocator.reporting.sheet import check_opening, plan_opening
from allocator.reporting.stress import BAD
from allocator.reporting.tables import Client, Row, rows_in

TRADES: Final = 8
"""Trades on the first page; where there are more, the largest, and all of them further on."""
SCENARIOS: Final = 3
"""Scenarios on the first page, the worst first."""
RULES: Final = 5
"""Rules of the score on the first page, the most severe first."""
HINDRANCES: Final = 3
"""Sentences on what holds the plan back."""
_SLACK: Final = 1e-6


def verdict(facts: Facts) -> list[Piece]:
    """What it comes to, in one sentence; how it is today; warnings."""
    lines = check_opening(facts.me) if facts.planned is None else plan_opening(facts.me, facts.tables)
    return [Verdict(lines[0].text, lines[0].tone), *lines[1:]]


def figures(facts: Facts) -> list[Piece]:
    """Six figures: money, score, volatility and reserve."""
    me, words, now = facts.me, facts.words, facts.me.summary
    after = (facts.then or me).summary
    band = me.framework.bands.get(str(now["band"]))
    grade = grade_name(str(after["grade"]), words)
    loose = "" if band is None else bound_of("volatility", band.volatility, "<=", words)
    wild: Tone = (
        "" if band is None or math.isnan(after["volatility"]) else _holds(after["volatility"] <= band.volatility)
    )
    needed, months = float(now["reserve_needed"]), float(after["reserve_months"])
    calm: Tone = "" if math.isnan(months) or math.isnan(needed) else _holds(months >= needed)
    score = _change(facts, words.number(now["score"], 0), words.number(after["score"], 0))
    volatility = _change(facts, words.percent(now["volatility"]), words.percent(after["volatility"]))
    reserve = _change(facts, words.number(now["reserve_months"]), words.number(after["reserve_months"]))
    asked = DASH if math.isnan(needed) else words.text("report.months_needed", months=words.number(needed, 0))
    return [
        Figures(
            words.text("title.figures"),
            (
                Fact(words.text("figure.total"), me.money(me.total)),
                Fact(words.text("figure.net_worth"), me.money(now["net_worth"])),
                Fact(words.text("report.score"), score, words.text("report.score_note", grade=grade)),
                Fact(words.text("report.volatility"), volatility, loose, wild),
                Fact(words.text("report.reserve"), reserve, asked, calm),
                Fact(
                    words.text("report.limits"),
                    _change(facts, *(words.number(s["limits_exceeded"], 0) for s in (now, after))),
                    words.text("report.limits_note"),
                    "" if band is None else _holds(after["limits_exceeded"] == 0),
                ),
            ),
        )
    ]


def buckets(facts: Facts) -> list[Piece]:
    """Shares of the three buckets, today and after the plan, in their bands."""
    me, words, states = facts.me, facts.words, _states(facts)
    if not me.total > 0:
        return []
    rows = []
    for line in zip(*(s.rows("buckets") for s in states), strict=True):
        today, last = line[0], line[-1]
        tones = tuple(_inside(x) for x in line)
        texts: tuple[Content, ...] = (
            *(Cell(words.percent(x["share"]), tone) for x, tone in zip(line, tones, strict=True)),
            words.span(last["low"], last["high"]),
            words.percent(last["target"], 0),
        )
        low, high, target = (float(last[k]) for k in ("low", "high", "target"))
        after = math.nan if facts.then is None else float(last["share"])
        name = words.name(me.framework.buckets[today["bucket"]])
        rows.append(Bar(name, float(today["share"]), after, low, high, target, texts, (tones[0], tones[-1])))
    keys = ("bucket", *_when(facts), "allowed", "target")
    key = "report.legend_buckets" if facts.then is None else "report.legend_buckets_plan"
    return [Bars(words.text("report.buckets"), _words(words, keys), tuple(rows), words.text(key))]


def concentration(facts: Facts) -> list[Piece]:
    """What is concentrated, and how badly: the rules that are touched, the most severe first."""
    me, words, states = facts.me, facts.words, _states(facts)
    if not me.total > 0:
        return []
    pairs = [line for line in zip(*(s.rows("rules") for s in states), strict=True) if _touched(line)]
    if not pairs:
        return [Line(words.text("say.untouched"), "good")]
    pairs.sort(key=lambda line: -max(float(r["severity"]) for r in line))
    rows = []
    for line in pairs[:RULES]:
        name, severe = str(line[0]["rule"]), [float(r["severity"]) for r in line]
        after = math.nan if facts.then is None else severe[-1]
        shown = (*(amount_of(name, r["exposure"], words) for r in line), amount_of(name, line[0]["lo"], words))
        label = words.name(me.framework.rules[name])
        rows.append(Level(label, severe[0], shown, _severe(severe[0]), after, _severe(severe[-1])))
    heads = _words(words, ("rule", *_when(facts), "counts_from"))
    left = len(pairs) - RULES
    more = words.text("report.more_rules" if left > 1 else "report.more_rule", count=left) if left > 0 else ""
    key = "report.legend_rules" if facts.then is None else "report.legend_rules_plan"
    return [Levels(words.text("report.rules"), heads, tuple(rows), words.text(key), more)]


def risk(facts: Facts) -> list[Piece]:
    """A bad year, and the worst scenarios, in money."""
    me, words, source = facts.me, facts.words, facts.source
    sheet = facts.risk_blocks
    tests = facts.stress_blocks
    found = sorted(facts.stressed, key=lambda r: -float(r["loss"]))
    worst = [r for r in found if r["loss"] > 0.5][:SCENARIOS]
    out: list[Piece] = [b for b in sheet[1:2] if isinstance(b, Line)]
    out += [b for b in tests[1:2] if isinstance(b, Line)]
    if not worst or not me.total > 0:
        return out
    names = source.stress.scenarios.scenarios
    rows = []
    for r in worst:
        tone: Tone = "bad" if r["loss_equity"] >= BAD or r["insolvent"] else "warn"
        lost = Cell(words.money(r["loss"], short=True), tone if tone == "bad" else "")
        texts = (lost, words.percent(r["loss_equity"]))
        rows.append(Level(words.name(names[r["scenario"]]), _known(r["loss_equity"]), texts, tone))
    heads = tuple(words.text(k) for k in ("stress.head_scenario", "stress.head_loss", "report.of_own"))
    return [*out, Levels(words.text("report.worst"), heads, tuple(rows), words.text("report.legend_stress"))]


def firewall(facts: Facts) -> list[Piece]:
    """Whether the family lives on if the firm fails."""
    me, words, fire = facts.me, facts.words, facts.firewall
    sheet = facts.household_blocks
    out: list[Piece] = [b for b in sheet[1:2] if isinstance(b, Line)]
    if fire["status"] == "not_applicable":  # then what the reserve does, which stands next in the sheet
        return [*out, *(b for b in sheet[2:3] if isinstance(b, Table))]
    shown = [k for k in ("company", "guarantees") if fire[k] > 0]
    rows = [(words.text(f"household.{k}"), me.money(fire[k])) for k in shown]
    rows += [(words.text(f"household.left_{k}"), me.money(fire[k])) for k in ("equity", "net_worth")]
    rows.append((words.text("household.left_months"), words.number(fire["months"])))
    heads = (
        Column(words.text("household.head_what"), "text"),
        Column(words.text("household.head_amount"), "number"),
    )
    return [*out, Table(words.text("report.left"), heads, tuple(rows))]


def plan(facts: Facts) -> list[Piece]:
    """Trades with amount, cost and reason: all of them, or the largest."""
    plans, words = facts.plan, facts.words
    if plans is None or not facts.trades:
        return []
    table = lists.trades(facts.me, plans, facts.trades)[0]
    if not isinstance(table, Table):
        return []
    trades = sorted(facts.trades, key=lambda r: lists.SIDES.index(r["side"]))
    left = len(trades) - TRADES
    if left <= 1:
        return [table]
    kept = sorted(sorted(range(len(trades)), key=lambda j: -float(trades[j]["amount"]))[:TRADES])
    rest = sum(float(t["amount"]) for j, t in enumerate(trades) if j not in kept)
    more = words.text("report.more_trades", count=left, amount=facts.me.money(rest))
    return [replace(table, rows=tuple(table.rows[j] for j in kept), more=words.tight(more))]


def obstacles(facts: Facts) -> list[Piece]:
    """What holds the plan back, and what each obstacle costs."""
    if facts.plan is None or facts.planned is None:
        return []
    quiet = replace(facts.me, words=facts.quiet)
    held = exceeded_sentences(facts.planned, quiet, facts.held)
    # what makes the excess larger when it goes was no obstacle
    felt = [r for r in rows_in(facts.tables, "obstacles") if not r["excess"] > FELT]
    felt.sort(key=lambda r: _known(r["excess"]))
    priced = [s for r in felt if (s := obstacle_sentence(r, facts.me))]
    said = [*held[: max(HINDRANCES - len(priced), 1)], *priced][:HINDRANCES]
    return [Line(text) for text in said]


def suitability(facts: Facts) -> list[Piece]:
    """Both modes of suitability in a sentence, and what the second one is not."""
    words = facts.words
    modes = {str(r["mode"]): r for r in rows_in(facts.tables, "suitability")} if facts.tables else {}
    if not {"product", "portfolio"} <= modes.keys():
        return []
    if suitability_unknown(rows_in(facts.tables, "obstacles")):
        text = words.text("say.suitability_unknown")
    elif not rows_in(facts.tables, "riskier"):
        text = words.text("say.suitability_same")
    else:
        text = suitability_gap(modes["product"], modes["portfolio"], facts.me.total, facts.me.currency, words)
    return [Line(text), Line(words.text("say.suitability_note"), "warn")]


def _states(facts: Facts) -> list[Client]:
    return [facts.me] if facts.then is None else [facts.me, facts.then]


def _change(facts: Facts, before: str, after: str) -> str:
    """A value today and after the plan, where there is one."""
    return before if facts.then is None else facts.words.change(before, after)


def _holds(good: bool) -> Tone:
    return "good" if good else "bad"


def _inside(bucket: Row) -> Tone:
    low, high = float(bucket["low"]), float(bucket["high"])
    return "" if math.isnan(low) else _holds(low - _SLACK <= bucket["share"] <= high + _SLACK)


def _severe(severity: float) -> Tone:
    return "bad" if severity >= 0.5 else "warn" if severity > 0 else "good"


def _touched(line: tuple[Row, ...]) -> bool:
    return any(r["severity"] > 0 for r in line)


def _known(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0


def _when(facts: Facts) -> tuple[str, ...]:
    return ("today",) if facts.then is None else ("today", "after")


def _words(words: Words, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(words.text(f"head.{key}") for key in keys)
