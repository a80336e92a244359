"""Risk measures as blocks: for one client how bad years look, where they come from, and goals; for a book, medians."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Kind, Line, Table, Tone
from allocator.reporting.sentences import clean
from allocator.reporting.sheet import footer
from allocator.reporting.tables import Client, Row, rows_of
from allocator.risk_measures import RiskMeasures

WAYS: Final = ("normal", "t", "history")
"""How losses are measured, in the order of the columns of ``RiskMeasures.summary``; the last where years were given."""
SHOWN: Final = 8
"""Holdings drawn on a terminal; the rest is summed up."""
UNLIKELY: Final = 0.05
LIKELY: Final = 0.5
"""A goal missed less often than the first is safe, one missed more often than the second is not: house judgement."""


def risk_sheet(measures: RiskMeasures, client_id: str, words: Words, me: Client | None = None) -> Blocks:
    """One client: how bad years look, where the volatility comes from, and how likely goals are missed.

    ``me`` is the same client, where somebody has found them already.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = me or Client.of(measures.analysis, client_id, words)
    tables = measures.part(client_id)
    row = tables.rows("summary")[0]
    known = not math.isnan(row["volatility"])
    return (
        Heading(words.text("risk.title_client", client=clean(client_id))),
        *_verdict(measures, row, me),
        *([_losses(measures, row, me)] if known else []),
        _figures(measures, row, me),
        *([_classes(tables.rows("classes"), me)] if known and row["volatility"] > 0 else []),
        *([_holdings(tables.rows("holdings"), me)] if known and row["volatility"] > 0 else []),
        *_goals(tables.rows("goals"), me),
        *(Line(text, "dim", apart=not i) for i, text in enumerate(_notes(measures, row, words))),
        footer(measures.analysis, words),
    )


def risk_overview(measures: RiskMeasures, words: Words) -> Blocks:
    """The whole book: medians by risk band, and the clients with the worst bad years."""
    a, f, ways = measures.analysis, measures.analysis.framework, _ways(measures)
    s = measures.summary.assign(band=a.positions.clients["band"])
    rows = []
    for code in [b for b in [*f.bands, ""] if (s["band"] == b).any()]:
        part = s[s["band"] == code]
        middle = part[["volatility", *(f"cvar_{way}" for way in ways), "drawdown", "bets"]].median()
        band = f.bands.get(code)
        rows.append(
            (
                DASH if band is None else words.name(band),
                f"{len(part):,}",
                words.percent(middle["volatility"]),
                DASH if band is None else words.percent(band.volatility, 0),
                *(words.percent(middle[f"cvar_{way}"]) for way in ways),
                words.percent(middle["drawdown"]),
                words.number(middle["bets"]),
            )
        )
    heads = _heads(words, band="text", clients="number", volatility="number", allowed="number")
    heads += tuple(Column(words.text(f"risk.way_short_{way}"), "number") for way in ways)
    heads += _heads(words, drawdown="number", bets="number")
    worst = s.assign(worst=s[[f"cvar_{way}" for way in ways]].max(axis=1)).nlargest(SHOWN, "worst", keep="first")
    lines = tuple(
        (
            clean(r["client_id"]),
            words.percent(r["worst"]),
            words.money(r["worst"] * r["equity"], r["currency"], short=True),
            words.percent(r["volatility"]),
            words.number(r["bets"]),
        )
        for r in rows_of(worst)
    )
    columns = _heads(words, client="label", worst="number", money="number", volatility="number", bets="number")
    said = {"odds": _odds(measures, words), "horizon": _horizon(measures, words)}
    title = words.tight(words.text("risk.title_book", clients=f"{len(s):,}", **said))
    blocks: tuple[Block, ...] = (
        Table(title, heads, tuple(rows)),
        Table(words.text("risk.title_worst"), columns, lines),
        *_missed(measures.goals, words),
        *(Line(text, "dim", apart=not i) for i, text in enumerate(_notes(measures, None, words))),
    )
    return (*blocks, footer(a, words))


def _verdict(measures: RiskMeasures, row: Row, me: Client) -> list[Block]:
    """One sentence on a bad year, and one on the holding that makes most of it."""
    words = me.words
    if math.isnan(row["volatility"]):
        key = "risk.say_insolvent" if me.total > 0 or row["equity"] < 0 else "say.empty"
        return [Line(words.text(key), "bad")]
    found = sorted(row[f"cvar_{way}"] for way in _ways(measures))
    if found[-1] <= 0:
        return [Line(words.text("risk.say_calm", odds=_odds(measures, words)), "good")]
    low, high = max(found[0], 0.0), found[-1]
    shares = [words.percent(x, 0 if high >= 0.1 else 1) for x in (low, high)]
    share = shares[1] if shares[0] == shares[1] else words.text("number.from_to", low=shares[0], high=shares[1])
    data = {
        "odds": _odds(measures, words),
        "share": share,
        "money": words.amounts(low * row["equity"], high * row["equity"], me.currency),
        "horizon": _horizon(measures, words),
    }
    limit = me.framework.bands[str(me.summary["band"])].volatility if me.summary["band"] else math.nan
    tone: Tone = "bad" if high >= 1 else "warn" if row["volatility"] > limit else ""
    out: list[Block] = [Line(words.tight(words.text("risk.say_bad", **data)), tone)]
    if high >= 1:
        out.append(Line(words.text("risk.say_all"), "bad"))
    return out


def _losses(measures: RiskMeasures, row: Row, me: Client) -> Table:
    """Value at risk and CVaR, each way, as shares of own money and in money."""
    words = me.words
    rows = tuple(
        (
            words.text(f"risk.way_{way}"),
            *(
                text
                for kind in ("var", "cvar")
                for text in (words.percent(row[f"{kind}_{way}"]), me.words.money(row[f"{kind}_{way}"] * row["equity"]))
            ),
        )
        for way in _ways(measures)
    )
    heads = _heads(words, way="text", var="number", var_money="number", cvar="number", cvar_money="number")
    title = words.text("risk.title_losses", horizon=_horizon(measures, words), odds=_odds(measures, words))
    return Table(title, heads, rows)


def _figures(measures: RiskMeasures, row: Row, me: Client) -> Table:
    words = me.words
    error = row["standard_error"]
    digits = 0 if error >= 0.0095 else 1  # no more digits than the error leaves it
    mean = words.percent(row["expected_return"], digits)
    if mean != DASH:
        mean = words.text("risk.give_or_take", value=mean, error=words.percent(error, digits))
    shown = {
        "volatility": words.percent(row["volatility"]),
        "expected_return": mean,
        "drawdown": words.percent(row["drawdown"]),
        "effective_holdings": words.number(row["effective_holdings"]),
        "effective_classes": words.number(row["effective_classes"]),
        "bets": words.number(row["bets"]),
        "property_gross": words.percent(row["property_gross"]),
        "property_net": words.percent(row["property_net"]),
    }
    hhi = {f"hhi_{k}": words.number(row[f"hhi_{k}"], 2) for k in ("holding", "class")}
    told = {k: words.text(f"risk.is_{k}", horizon=_horizon(measures, words), **hhi) for k in shown}
    rows = tuple((words.text(f"risk.figure_{k}"), value, told[k]) for k, value in shown.items())
    heads = _heads(words, figure="text", value="number", meaning="sentence")
    return Table(words.text("risk.title_figures"), heads, rows)


def _classes(rows: list[Row], me: Client) -> Table:
    """Share of money against share of risk, by class, the riskiest first."""
    words, f = me.words, me.framework
    ordered = sorted(rows, key=lambda r: -r["contribution"])
    lines = tuple(
        (words.name(f.classes[r["asset_class"]]), words.name(f.buckets[r["bucket"]]), *_parts(r, words))
        for r in ordered
    )
    heads = _heads(words, klass="text", bucket="label", money_share="number", risk_share="number", points="number")
    return Table(words.text("risk.title_classes"), heads, lines)


def _holdings(rows: list[Row], me: Client) -> Table:
    """The holdings that the volatility comes from, the largest part first."""
    words = me.words
    inside = sorted((r for r in rows if abs(r["contribution"]) > 0), key=lambda r: -r["contribution"])
    lines = tuple((clean(r["name"]), words.money(r["value"]), *_parts(r, words)) for r in inside)
    heads = _heads(words, holding="text", value="number", money_share="number", risk_share="number", points="number")
    rest = [r["risk_share"] for r in inside[SHOWN:]]
    more = words.text("risk.more_holdings", count=len(rest), share=words.percent(np.sum(rest))) if rest else ""
    return Table(words.text("risk.title_holdings"), heads, lines, SHOWN, more)


def _parts(r: Row, words: Words) -> tuple[str | Cell, ...]:
    risk = words.percent(r["risk_share"])
    tone: Tone = "warn" if r["risk_share"] > 0.5 and r["risk_share"] > r["weight"] else ""
    return words.percent(r["weight"]), Cell(risk, tone), words.number(r["contribution"] * 100)


def _goals(rows: list[Row], me: Client) -> list[Block]:
    """What is wanted when, and how likely it is missed."""
    words = me.words
    if not rows:
        return []
    lines = tuple(
        (
            words.get(f"risk.goal_{r['goal']}", clean(r["goal"])),
            words.number(r["years"], 0 if float(r["years"]).is_integer() else 1),
            words.money(r["amount"]),
            words.money(r["start"]),
            words.money(r["monthly"]) if r["monthly"] else DASH,
            words.money(r["expected"]),
            Cell(words.text(f"risk.reason_{r['reason']}"), "dim") if r["reason"] else _chance(r["probability"], words),
        )
        for r in rows
    )
    heads = _heads(words, goal="text", years="number", amount="number", start="number")
    heads += (Column(words.text("risk.head_monthly"), "number", spare=1),)
    heads += _heads(words, expected="number", missed="sentence")
    return [Table(words.text("risk.title_goals", currency=words.unit(me.currency)), heads, lines)]


def _chance(p: float, words: Words) -> Cell:
    tone: Tone = "good" if p < UNLIKELY else "bad" if p > LIKELY else "warn"
    if p < 0.01:
        return Cell(words.text("risk.below", share=words.percent(0.01, 0)), tone)
    return Cell(words.text("risk.above", share=words.percent(0.99, 0)) if p > 0.99 else words.percent(p, 0), tone)


def _missed(goals: pd.DataFrame, words: Words) -> list[Block]:
    """How many clients are likely to miss each goal."""
    rows = []
    for name, part in goals.groupby("goal", sort=False):
        p = part["probability"]
        counts = [int(x) for x in (len(part), (p < UNLIKELY).sum(), (p > LIKELY).sum(), p.isna().sum())]
        rows.append((words.get(f"risk.goal_{name}", clean(str(name))), *(f"{x:,}" for x in counts)))
    heads = _heads(words, goal="text", clients="number", safe="number", likely="number", unknown="number")
    return [Table(words.text("risk.title_missed"), heads, tuple(rows))] if rows else []


def _notes(measures: RiskMeasures, row: Row | None, words: Words) -> list[str]:
    assumed, told = measures.analysis.assumptions, []
    if row is None or not np.isnan(row["volatility"]):
        told.append(words.text("risk.note_losses", degrees=words.number(assumed.tails.degrees, 0)))
        if measures.past is not None:
            past = measures.past
            said = {"name": clean(words.name(past)), "first": past.years[0], "last": past.years[-1]}
            told.append(words.text("risk.note_past", **said))
        told.append(words.text("risk.note_error", years=words.number(assumed.years, 0)))
    if row is None or not np.isnan(row["bets"]):
        told.append(words.text("risk.note_bets"))
    if len(measures.goals):
        told.append(words.text("risk.note_goals"))
    lost = int((measures.goals["reason"] == "unknown_client").sum())
    if lost and (row is None or len(measures) == 1):
        told.append(words.text("risk.note_nobody", count=lost))
    return told


def _ways(measures: RiskMeasures) -> tuple[str, ...]:
    return WAYS[: len(WAYS) - (measures.past is None)]


def _odds(measures: RiskMeasures, words: Words) -> str:
    odds = 1.0 / (1.0 - measures.level)
    return words.number(odds, 0 if abs(odds - round(odds)) < 1e-6 else 1)


def _horizon(measures: RiskMeasures, words: Words) -> str:
    if measures.horizon == 1:
        return words.text("risk.one_year")
    return words.text("risk.years", years=words.number(measures.horizon, 0 if measures.horizon.is_integer() else 1))


def _heads(words: Words, **heads: Kind) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"risk.head_{name}"), kind) for name, kind in heads.items())
