"""One client in full, as blocks: today, and after a plan where there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from allocator.analysis import Analysis
from allocator.framework import OUTSIDE
from allocator.i18n import DASH, Words
from allocator.plan import Plan
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Kind, Line, Table, Tone
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.sentences import (
    MONTHS,
    amount_of,
    band_name,
    bound_of,
    clean,
    grade_name,
    heading,
    issue_message,
    limit_name,
    plan_reason,
    plan_verdict,
    trade_reason,
    verdict,
)

BAR: Final = 20
"""Cells of a bar from 0 to 100%."""
SHOWN: Final = 12
"""Holdings drawn on a terminal; the rest is summed up."""
GRADE_TONES: Final[Mapping[str, Tone]] = {"low": "good", "moderate": "", "high": "warn", "extreme": "bad"}
_FELT: Final = 5e-4
"""Smallest change of an obstacle worth showing, as a fraction of the total."""


def check_sheet(analysis: Analysis, client_id: str, words: Words) -> Blocks:
    """One client as they are today.

    Raises
    ------
    InputError
        No such client in the book.
    """
    tables = analysis.select(client_id)
    me = tables["summary"].iloc[0]
    i = analysis.index(client_id)
    blocks = [*_head(me, analysis, words), Line(_today(analysis, i, me, words), _tone(str(me["status"]))),
              *_warnings(analysis, i, me, words), _buckets(tables, None, me, analysis, words), *_rules(tables, None, me, analysis, words),
              *_limits(tables, analysis, me, words), _figures(me, None, analysis, i, words), _holdings(tables, me, analysis, words)]
    return (*blocks, *_issues(tables, analysis, me, words), footer(analysis, words))


def plan_sheet(plan: Plan, client_id: str, words: Words) -> Blocks:
    """One client before and after the plan.

    Raises
    ------
    InputError
        No such client in the book.
    """
    tables = plan.select(client_id)
    before, after, summary = tables["before"], tables["after"], tables["summary"].iloc[0]
    me, then, analysis = before["summary"].iloc[0], after["summary"].iloc[0], plan.before
    i = analysis.index(client_id)
    reason = plan_reason(summary, before["issues"].to_dict("records"), analysis.framework, words) if summary["reason"] else ""
    moved = bool(len(tables["trades"]))
    blocks: list[Block] = [
        *_head(me, analysis, words),
        Line(plan_verdict(summary, me, reason, words), PLAN_TONES.get(str(summary["status"]), "")),
        Line(words.text("say.today", sentence=_today(analysis, i, me, words))), *_warnings(analysis, i, me, words),
        _buckets(before, after if moved else None, me, analysis, words), *_rules(before, after if moved else None, me, analysis, words)]
    blocks += _limits_change(plan, i, before, after, words) if moved else _limits(before, analysis, me, words)
    blocks += [_figures(me, then if moved else None, analysis, i, words), *_trades(tables["trades"], me, analysis, words)]
    blocks += [*_why(plan, i, words), *_obstacles(tables["obstacles"], me, words), _certificate(tables, moved, analysis, words)]
    return (*blocks, *_issues(before, analysis, me, words), footer(analysis, words))


PLAN_TONES: Final[Mapping[str, Tone]] = {
    "no_trade": "good", "in_band": "good", "improved": "warn", "stuck": "bad", "unfunded": "bad", "insolvent": "bad", "invalid": "bad"}
"""Tone of each status of a plan."""


def footer(analysis: Analysis, words: Words) -> Line:
    """What the numbers rest on."""
    from allocator import __version__

    return Line(words.text("say.footer", framework=analysis.framework.name, assumptions=analysis.assumptions.name,
                           date=analysis.on.isoformat(), version=__version__), "dim")


def columns(words: Words, **heads: Kind) -> tuple[Column, ...]:
    """Columns by the key of their heading and what is in them."""
    return tuple(Column(words.text(f"head.{head}"), kind) for head, kind in heads.items())


def bar(share: float, low: float, high: float, target: float) -> str:
    """A share drawn from 0 to 100%: filled cells, the allowed band behind them, the target."""
    if not math.isfinite(share):
        return ""
    mark = min(int(target * BAR), BAR - 1) if math.isfinite(target) else -1
    middles = [(j + 0.5) / BAR for j in range(BAR)]
    return "".join("┃" if j == mark else "█" if m <= share else "░" if low <= m <= high else "·" for j, m in enumerate(middles))


def _head(me: pd.Series, analysis: Analysis, words: Words) -> list[Block]:
    currency = str(me["currency"])
    return [Heading(words.text("title.client", client=clean(me["client_id"]))),
            Line(words.text("say.headline", band=band_name(str(me["band"]), analysis.framework, words),
                            total=words.money(me["total"], currency), net_worth=words.money(me["net_worth"], currency)), "dim")]


def _tone(status: str) -> Tone:
    return "good" if status == "in_band" else "warn" if status in ("no_band", "empty") else "bad"


def _today(analysis: Analysis, i: int, me: pd.Series, words: Words) -> str:
    return verdict(me, worst_limit(analysis, i), analysis.framework, words)


def worst_limit(analysis: Analysis, i: int) -> dict[str, Any] | None:
    """The exceeded limit to name first: the own firm or property, another concentration, then the largest excess."""
    t = analysis.limit_table
    over = [j for j in range(len(t.limits)) if t.exceeded[i, j]]
    if not over:
        return None
    j = max(over, key=lambda j: (t.limits[j].name in ("business", "property"), t.limits[j].family == "concentration", t.excess[i, j]))
    return {"limit": t.limits[j].name, "value": float(t.value[i, j]), "bound": float(t.bound[i, j])}


def _warnings(analysis: Analysis, i: int, me: pd.Series, words: Words) -> list[Block]:
    out: list[Block] = []
    months, needed = float(me["reserve_months"]), float(me["reserve_needed"])
    if math.isnan(months) and me["total"] > 0:
        out.append(Line(words.text("say.reserve_unknown"), "warn"))
    elif months < needed:
        out.append(Line(words.text("say.reserve_short", months=words.number(months), needed=words.number(needed, 0)), "bad"))
    if analysis.exposures.unclassified[i] > 0:
        amount = words.money(float(analysis.exposures.unclassified[i]), str(me["currency"]))
        out.append(Line(words.text("say.unclassified", amount=amount), "warn"))
    return out


def _buckets(now: Mapping[str, Any], then: Mapping[str, Any] | None, me: pd.Series, analysis: Analysis, words: Words) -> Table:
    today = now["buckets"].to_dict("records")
    after = today if then is None else then["buckets"].to_dict("records")
    shares = columns(words, share="number") if then is None else columns(words, today="number", after="number")
    picture = Column(f"0%{'50%':^{BAR - 6}}100%", "picture")
    heads = (*columns(words, bucket="label"), *shares, picture, *columns(words, allowed="number", target="number", value="number"))
    rows = []
    for b, a in zip(today, after, strict=True):
        drawn = [bar(x["share"], x["low"], x["high"], x["target"]) for x in ((b,) if then is None else (b, a))]
        parts = [_share(b, words)] if then is None else [_share(b, words), _share(a, words)]
        rows.append((words.name(analysis.framework.buckets[b["bucket"]]), *parts, "\n".join(drawn), words.span(b["low"], b["high"]),
                     words.percent(b["target"], 0), words.money(a["value"])))
    total = words.money(float(me["total"]), str(me["currency"]))
    return Table(words.text("title.buckets", total=total), heads, tuple(rows),
                 legend=words.text("say.legend" if then is None else "say.legend_plan"))


def _share(b: Mapping[str, Any], words: Words) -> Cell:
    inside = b["low"] - 1e-6 <= b["share"] <= b["high"] + 1e-6
    tone: Tone = "" if math.isnan(b["low"]) or math.isnan(b["share"]) else "good" if inside else "bad"
    return Cell(words.percent(b["share"]), tone)


def _rules(now: Mapping[str, Any], then: Mapping[str, Any] | None, me: pd.Series, analysis: Analysis, words: Words) -> list[Block]:
    today = now["rules"].to_dict("records")
    after = today if then is None else then["rules"].to_dict("records")
    touched = [(b, a) for b, a in zip(today, after, strict=True) if b["severity"] > 0 or a["severity"] > 0]
    grade = grade_name(str(me["grade"]), words)
    if then is None:
        title = words.text("title.concentration", score=words.number(me["score"], 0), grade=grade)
    else:
        last = then["summary"].iloc[0]
        title = words.text("title.concentration_change", before=words.number(me["score"], 0), after=words.number(last["score"], 0),
                           grade=grade_name(str(last["grade"]), words))
    if not touched:
        return [Heading(title), Line(words.text("say.untouched"))]
    heads = (*columns(words, rule="text", exposure="number"), *(() if then is None else columns(words, after="number")),
             *columns(words, counts_from="number", extreme_at="number", severity="number"))
    rows = []
    for b, a in touched:
        name, last_severity = str(b["rule"]), a["severity"]
        severity = words.percent(b["severity"], 0)
        if then is not None:
            severity = words.text("number.change", before=severity, after=words.percent(last_severity, 0))
        rows.append((words.name(analysis.framework.rules[name]), amount_of(name, b["exposure"], words),
                     *([] if then is None else [amount_of(name, a["exposure"], words)]), amount_of(name, b["lo"], words),
                     amount_of(name, b["hi"], words), Cell(severity, "bad" if last_severity >= 0.5 else "warn" if last_severity else "good")))
    return [Table(title, heads, tuple(rows))]


def _limits(tables: Mapping[str, Any], analysis: Analysis, me: pd.Series, words: Words) -> list[Block]:
    exceeded = tables["limits"][tables["limits"]["exceeded"]]
    title = words.text("title.limits")
    if not len(exceeded):
        return [Heading(title), Line(words.text("say.all_hold" if me["band"] else "say.no_limits"))]
    rows = tuple(
        (heading(limit_name(str(r["limit"]), analysis.framework, words)), amount_of(str(r["limit"]), r["value"], words),
         bound_of(str(r["limit"]), r["bound"], str(r["sense"]), words),
         Cell(words.money(r["excess"] * float(me["total"]), str(me["currency"])), "bad"))
        for r in exceeded.to_dict("records"))
    return [Table(title, columns(words, limit="text", today="number", bound="number", excess="number"), rows)]


def _limits_change(plan: Plan, i: int, now: Mapping[str, Any], then: Mapping[str, Any], words: Words) -> list[Block]:
    title, total = words.text("title.limits_change"), float(plan.before.exposures.total[i])
    pairs = [(b, a) for b, a in zip(now["limits"].to_dict("records"), then["limits"].to_dict("records"), strict=True)
             if b["exceeded"] or a["exceeded"]]
    if not pairs:
        return [Heading(title), Line(words.text("say.all_hold"))]
    rows = []
    for b, a in pairs:
        name = str(b["limit"])
        over = words.money(a["excess"] * total, short=True) if a["exceeded"] else words.text("say.held")
        rows.append((heading(limit_name(name, plan.before.framework, words)), amount_of(name, b["value"], words),
                     amount_of(name, a["value"], words), bound_of(name, b["bound"], str(b["sense"]), words),
                     words.money(b["excess"] * total, short=True) if b["exceeded"] else DASH,
                     Cell(over, "bad" if a["exceeded"] else "good")))
    heads = columns(words, limit="text", today="number", after="number", bound="number", excess="number", excess_after="number")
    return [Table(title, heads, tuple(rows))]


def _figures(me: pd.Series, then: pd.Series | None, analysis: Analysis, i: int, words: Words) -> Table:
    band = analysis.framework.bands.get(str(me["band"]))
    currency = str(me["currency"])
    debt = analysis.exposures.debt[i]
    leverage_bound = band.limits.get("leverage", math.nan) if band else math.nan

    def values(s: pd.Series) -> list[str]:
        total = float(s["total"])
        return [words.money(total, currency), words.money(s["net_worth"], currency), words.money(s["equity"], currency),
                words.number(s["reserve_months"]), words.percent(s["volatility"]), words.percent(debt / total if total > 0 else math.nan),
                words.percent(s["expected_return"])]

    bounds = ["", "", "", bound_of(MONTHS, float(me["reserve_needed"]), ">=", words),
              bound_of("volatility", band.volatility, "<=", words) if band else "",
              bound_of("leverage", leverage_bound, "<=", words) if math.isfinite(leverage_bound) else "", ""]
    names = [words.text(f"figure.{k}") for k in ("total", "net_worth", "equity", "reserve", "volatility", "leverage", "expected_return")]
    parts = [names, values(me), *([] if then is None else [values(then)]), bounds]
    heads = (*columns(words, figure="text", today="number"), *(() if then is None else columns(words, after="number")),
             *columns(words, needed="number"))
    return Table(words.text("title.figures"), heads, tuple(zip(*parts, strict=True)))


def _holdings(tables: Mapping[str, Any], me: pd.Series, analysis: Analysis, words: Words) -> Table:
    f = analysis.framework
    h = tables["holdings"].sort_values("value", ascending=False, kind="stable")
    outside = {code: words.text(f"outside.{code}") for code in OUTSIDE}
    names = outside | {code: words.name(b) for code, b in f.buckets.items()}
    rows = tuple(
        (clean(r["name"]), words.name(f.classes[r["asset_class"]]) if r["asset_class"] in f.classes else outside["unclassified"],
         names[r["bucket"]], words.money(r["value"]), words.percent(r["weight"]) if r["bucket"] not in OUTSIDE else DASH,
         words.text(f"source.{r['rule'] or 'none'}"))
        for r in h.to_dict("records"))
    rest = h["value"].iloc[SHOWN:]
    more = words.text("say.more_holdings", count=len(rest), amount=words.money(float(rest.sum()), str(me["currency"]))) if len(rest) else ""
    heads = (*columns(words, holding="text", asset_class="text", bucket="label", value="number", weight="number"),
             Column(words.text("head.source"), "label", spare=True))
    return Table(words.text("title.holdings"), heads, rows, SHOWN, more)


def _trades(trades: pd.DataFrame, me: pd.Series, analysis: Analysis, words: Words) -> list[Block]:
    title = words.text("title.trades")
    if not len(trades):
        return [Heading(title), Line(words.text("say.no_trades"))]
    rank = trades["side"].map({"sell": 0, "buy": 1})
    ordered = trades.assign(rank=rank).sort_values("rank", kind="stable")
    rows = tuple(
        (Cell(words.text(f"side.{r['side']}"), "strong"), clean(r["name"]), words.exact(r["amount"]), words.exact(r["cost"]),
         trade_reason(r, analysis.framework, words)) for r in ordered.to_dict("records"))
    amount = Column(f"{words.text('head.amount')} {me['currency']}", "number")
    heads = (*columns(words, side="label", name="text"), amount, *columns(words, cost="number", reason="sentence"))
    return [Table(title, heads, rows)]


def _why(plan: Plan, i: int, words: Words) -> list[Block]:
    if str(plan.summary["status"].iloc[i]) not in ("improved", "stuck"):
        return []
    found = still_exceeded(plan, i, words)
    f = plan.before.framework
    rows = tuple((heading(limit_name(limit.name, f, words)), bound, why) for limit, bound, why in found)
    heads = columns(words, limit="text", bound="number", reason="sentence")
    return [Table(words.text("title.why"), heads, rows)] if rows else []


def _obstacles(obstacles: pd.DataFrame, me: pd.Series, words: Words) -> list[Block]:
    felt = obstacles[(obstacles[["excess", "distance", "volatility"]].abs() > _FELT).any(axis=1)]
    if not len(felt):
        return []
    rows = tuple(
        (words.text(f"obstacle.{r['obstacle']}"), _signed(r["excess"], words.money(abs(r["excess"]) * float(me["total"]), short=True)),
         _signed(r["distance"], words.percent(abs(r["distance"]))), _signed(r["volatility"], words.percent(abs(r["volatility"]))))
        for r in felt.to_dict("records"))
    heads = columns(words, obstacle="text", excess_change="number", distance_change="number", volatility_change="number")
    note = words.text("say.obstacle_note") if "suitability" in set(felt["obstacle"]) else ""
    return [Table(words.text("title.obstacles"), heads, rows, more=note)]


def _signed(change: float, size: str) -> str:
    if not math.isfinite(change) or abs(change) <= _FELT:
        return DASH
    return ("-" if change < 0 else "+") + size


def _certificate(tables: Mapping[str, Any], moved: bool, analysis: Analysis, words: Words) -> Line:
    if not moved:
        return Line(words.text("say.certificate_none"), "dim")
    checks = tables["checks"]
    if tables["summary"]["certificate"].iloc[0]:
        return Line(words.text("say.certificate", count=len(checks)), "good")
    bad = checks[checks["verdict"].isin(["worse", "broken"])]
    names = ", ".join(limit_name(str(c), analysis.framework, words) for c in bad["check"])
    return Line(words.text("say.certificate_fails", failed=len(bad), count=len(checks), names=names), "bad")


def _issues(tables: Mapping[str, Any], analysis: Analysis, me: pd.Series, words: Words) -> list[Block]:
    issues = tables["issues"]
    if not len(issues):
        return []
    rows = tuple((Cell(words.text(f"severity.{r['severity']}"), "bad" if r["severity"] == "error" else "dim"),
                  issue_message(r, analysis.framework, words, str(me["currency"]))) for r in issues.to_dict("records"))
    return [Table(words.text("title.issues"), columns(words, status="label", issue="sentence"), rows)]
