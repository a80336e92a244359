"""What is measured, as blocks: buckets in their bands, rules of the score, limits, figures; before and after a plan."""

from __future__ import annotations

import math
from typing import Final

from allocator.i18n import DASH
from allocator.reporting.blocks import Block, Cell, Column, Content, Heading, Line, Table, Tone
from allocator.reporting.labels import largest_label
from allocator.reporting.sentences import MONTHS, amount_of, bound_of, grade_name, heading, limit_name
from allocator.reporting.tables import Client, Row, columns

BAR: Final = 20
"""Cells of a bar from 0 to 100%."""
FIGURES: Final = ("total", "net_worth", "equity", "reserve", "volatility", "leverage", "expected_return")
_SLACK: Final = 1e-6


def bar(share: float, low: float, high: float, target: float) -> str:
    """A share drawn from 0 to 100%: filled cells, the allowed band behind them, the target."""
    if not math.isfinite(share):
        return ""
    mark = min(int(target * BAR), BAR - 1) if math.isfinite(target) else -1
    middles = [(j + 0.5) / BAR for j in range(BAR)]
    return "".join(
        "┃" if j == mark else "█" if m <= share else "░" if low <= m <= high else "·" for j, m in enumerate(middles)
    )


def buckets(now: Client, then: Client | None = None) -> Table:
    """Share of each bucket with its band and target, drawn as a bar; ``then`` adds what a plan makes of it."""
    words = now.words
    states = [now] if then is None else [now, then]
    shares = columns(words, share="number") if then is None else columns(words, today="number", after="number")
    value = columns(words, value="number") if then is None else columns(words, value_after="number")
    heads = (
        *columns(words, bucket="label"),
        *shares,
        Column(f"0%{'50%':^{BAR - 6}}100%", "picture", spare=1),
        *columns(words, allowed="number", target="number"),
        *value,
    )
    rows: list[tuple[Content, ...]] = []
    for line in zip(*(s.rows("buckets") for s in states), strict=True):
        first, last = line[0], line[-1]
        rows.append(
            (
                words.name(now.framework.buckets[first["bucket"]]),
                *(_share(x, now) for x in line),
                "\n".join(bar(x["share"], x["low"], x["high"], x["target"]) for x in line),
                words.span(first["low"], first["high"]),
                words.percent(first["target"], 0),
                words.money(last["value"]),
            )
        )
    title = words.tight(words.text("title.buckets", total=now.money(now.total)))
    return Table(title, heads, tuple(rows), legend=words.text("say.legend" if then is None else "say.legend_plan"))


def _share(bucket: Row, client: Client) -> Cell:
    share, low, high = bucket["share"], bucket["low"], bucket["high"]
    if math.isnan(share) or math.isnan(low):
        return Cell(client.words.percent(share))
    return Cell(client.words.percent(share), "good" if low - _SLACK <= share <= high + _SLACK else "bad")


def rules(now: Client, then: Client | None = None) -> list[Block]:
    """Score, grade, and the rules that are touched before or after."""
    words, me, after = now.words, now.summary, (then or now).summary
    grade = grade_name(str(after["grade"]), words)
    before_score, after_score = (words.number(s["score"], 0) for s in (me, after))
    if then is None:
        title = words.text("title.concentration", score=before_score, grade=grade)
    else:
        title = words.text("title.concentration_change", before=before_score, after=after_score, grade=grade)
    pairs = zip(now.rows("rules"), (then or now).rows("rules"), strict=True)
    touched = [(b, a) for b, a in pairs if b["severity"] > 0 or a["severity"] > 0]
    if not touched:
        return [Heading(title), Line(words.text("say.untouched"))]
    heads = (
        *columns(words, rule="text", exposure="number"),
        *(() if then is None else columns(words, after="number")),
        *columns(words, counts_from="number", extreme_at="number", severity="number"),
    )
    return [Table(title, heads, tuple(_rule(b, None if then is None else a, now) for b, a in touched))]


def _rule(now: Row, then: Row | None, client: Client) -> tuple[Content, ...]:
    words, name, last = client.words, str(now["rule"]), then or now
    severity = words.percent(now["severity"], 0)
    if then is not None:
        severity = words.change(severity, words.percent(then["severity"], 0))
    tone: Tone = "bad" if last["severity"] >= 0.5 else "warn" if last["severity"] > 0 else "good"
    return (
        words.name(client.framework.rules[name]),
        amount_of(name, now["exposure"], words),
        *(() if then is None else (amount_of(name, then["exposure"], words),)),
        amount_of(name, now["lo"], words),
        amount_of(name, now["hi"], words),
        Cell(severity, tone),
    )


def limits(now: Client) -> list[Block]:
    """Limits exceeded today, with the money beyond each bound."""
    words = now.words
    title = words.text("title.limits")
    exceeded = [r for r in now.rows("limits") if r["exceeded"]]
    if not exceeded:
        return [Heading(title), Line(words.text("say.all_hold" if now.summary["band"] else "say.no_limits"))]
    rows = tuple((*_limit(r, now), Cell(now.money(r["excess"] * now.total), "bad")) for r in exceeded)
    return [Table(title, columns(words, limit="text", today="number", bound="number", excess="number"), rows)]


def limits_change(now: Client, then: Client) -> list[Block]:
    """Limits exceeded before or after a plan, with the money beyond each bound before and after."""
    words = now.words
    title = words.text("title.limits_change")
    after = {(r["limit"], r["sense"]): r for r in then.rows("limits")}
    pairs = [(b, after[b["limit"], b["sense"]]) for b in now.rows("limits") if (b["limit"], b["sense"]) in after]
    over = [(b, a) for b, a in pairs if b["exceeded"] or a["exceeded"]]
    if not over:
        return [Heading(title), Line(words.text("say.all_hold"))]
    rows = []
    for b, a in over:
        name, today, bound = _limit(b, now)
        # excesses after the plan are fractions of the total before it, so that both columns are money of one kind
        beyond = [words.money(r["excess"] * now.total, short=True) if r["exceeded"] else "" for r in (b, a)]
        last = Cell(beyond[1], "bad") if beyond[1] else Cell(words.text("say.held"), "good")
        rows.append((name, today, amount_of(str(b["limit"]), a["value"], words), bound, beyond[0] or DASH, last))
    heads = columns(
        words, limit="text", today="number", after="number", bound="number", excess="number", excess_after="number"
    )
    return [Table(title, heads, tuple(rows))]


def _limit(r: Row, client: Client) -> tuple[str, str, str]:
    name, words = str(r["limit"]), client.words
    shown, label = heading(limit_name(name, client.framework, words, client.own)), ""
    if r["value"] > 0:
        label = largest_label(client.analysis, client.place, name)
    return (
        words.text("label.named", name=shown, label=label) if label else shown,
        amount_of(name, r["value"], words),
        bound_of(name, r["bound"], str(r["sense"]), words),
    )


def figures(now: Client, then: Client | None = None) -> Table:
    """Money, reserve, volatility, debts and expected return, with the bounds that apply."""
    words = now.words
    names = [words.text(f"figure.{k}") for k in FIGURES]
    bounds = _bounds(now)
    parts = [names, _figures(now), *([] if then is None else [_figures(then)]), [bounds.get(k, "") for k in FIGURES]]
    heads = (
        *columns(words, figure="text", today="number"),
        *(() if then is None else columns(words, after="number")),
        *columns(words, needed="number"),
    )
    return Table(words.text("title.figures"), heads, tuple(zip(*parts, strict=True)))


def _figures(client: Client) -> list[str]:
    words, s, total = client.words, client.summary, client.total
    return [
        client.money(total),
        client.money(s["net_worth"]),
        client.money(s["equity"]),
        words.number(s["reserve_months"]),
        words.percent(s["volatility"]),
        words.percent((total - s["equity"]) / total if total > 0 else math.nan),
        words.percent(s["expected_return"]),
    ]


def _bounds(client: Client) -> dict[str, str]:
    band, words = client.framework.bands.get(str(client.summary["band"])), client.words
    if band is None:
        return {}
    out = {
        "reserve": bound_of(MONTHS, float(client.summary["reserve_needed"]), ">=", words),
        "volatility": bound_of("volatility", band.volatility, "<=", words),
    }
    if "leverage" in band.limits:
        out["leverage"] = bound_of("leverage", band.limits["leverage"], "<=", words)
    return out
