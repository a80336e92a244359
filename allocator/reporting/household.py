"""The household as blocks and as JSON: firewall test, reserve, protection gap, one industry twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from allocator.households import STATUSES, Household
from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Line, Table, Tone
from allocator.reporting.jsonout import check_json
from allocator.reporting.jsonvalues import grouped
from allocator.reporting.sentences import clean
from allocator.reporting.sheet import footer
from allocator.reporting.tables import Client, Row, rows_of

TONES: Final[Mapping[str, Tone]] = {
    "survives": "good",
    "short_of_cash": "bad",
    "insolvent_after": "bad",
    "not_applicable": "dim",
    "unknown": "warn",
}
"""Tone of each outcome of the firewall test."""

MONEY: Final = {
    "reserve": ("liquid", "need", "short"),
    "firewall": (
        "company",
        "guarantees",
        "paid_pledged",
        "paid_liquid",
        "owed",
        "total",
        "debt",
        "home",
        "net_worth",
        "liquid",
    ),
    "protection": ("debts", "support", "education", "insurance_cover", "liquid", "gap"),
    "industry": ("own", "other"),
}
"""Amounts of each table, rounded to cents in JSON."""


def household_sheet(found: Household, client_id: str, words: Words) -> Blocks:
    """One family in full.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = Client.of(found.analysis, client_id, words)
    tables = {name: rows_of(t) for name, t in found.select(client_id).items()}
    fire, reserve = tables["firewall"][0], tables["reserve"][0]
    return (
        Heading(words.text("household.title_client", client=clean(client_id))),
        Line(_verdict(fire, found, me), TONES[fire["status"]]),
        _reserve(reserve, me),
        *_firewall(fire, me),
        _protection(tables["protection"][0], found, me),
        *_industry(tables["industry"], me),
        Line(words.text("household.say_rule"), "dim", apart=True),
        footer(found.analysis, words),
    )


def household_overview(found: Household, words: Words) -> Blocks:
    """The whole book: how many families survive, by band, and a row per client."""
    fire, band = found.firewall, found.analysis.positions.clients["band"]
    heads = (
        *_heads(words, band="text"),
        *(Column(words.text(f"household.status_{s}"), "number") for s in STATUSES),
    )
    f = found.analysis.framework
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (words.name(b), *(f"{int(((fire['status'] == s) & (band == code)).sum()):,}" for s in STATUSES))
        for code, b in f.bands.items()
    )
    each: tuple[tuple[Cell | str, ...], ...] = tuple(
        (
            clean(r["client_id"]),
            Cell(words.text(f"household.status_{r['status']}"), TONES[r["status"]]),
            *(words.money(r[c], short=True) if r[c] else DASH for c in ("company", "guarantees")),
            words.money(r["net_worth"], short=True),
            words.number(r["months"]),
            _gap(g, words),
        )
        for r, g in zip(rows_of(fire), rows_of(found.protection), strict=True)
    )
    columns = (
        *_heads(words, client="label", status="label", company="number", guarantees="number"),
        *_heads(words, net_worth="number", months="number", gap="number"),
    )
    return (
        Table(words.text("household.title_book", clients=f"{len(found):,}"), heads, rows),
        Table(words.text("household.title_clients"), columns, each),
        Line(words.text("household.say_rule"), "dim", apart=True),
        footer(found.analysis, words),
    )


def household_json(
    found: Household, words: Words, *, client: str | None = None, counts: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Put it into one object: that of `check_json`, with ``household`` in every client.

    Parameters and errors are those of `check_json`; money in cents, what is unknown or infinite as None.
    """
    out = check_json(found.analysis, words, client=client, counts=counts)
    ids = found.analysis.client_ids if client is None else [client]
    tables = {name: getattr(found, name) for name in MONEY}
    parts = {name: grouped(t[t["client_id"].isin(ids)], ids, MONEY[name]) for name, t in tables.items()}
    for one in out["clients"]:
        me = one["client_id"]
        single = {name: parts[name][me][0] for name in ("reserve", "firewall", "protection")}
        one["household"] = single | {"industry": parts["industry"][me]}
    return out


def _heads(words: Words, **heads: str) -> tuple[Column, ...]:
    return tuple(Column(words.text(f"household.head_{k}"), kind) for k, kind in heads.items())  # type: ignore[arg-type]


def _verdict(fire: Row, found: Household, me: Client) -> str:
    """One sentence: whether the family lives on if the firm fails."""
    words = me.words
    facts = {
        "months": words.number(fire["months"]),
        "needed": words.number(found.needs.survive_months, 0),
        "net_worth": me.money(abs(fire["net_worth"])),
        "owed": me.money(fire["owed"]),
    }
    key = f"household.say_{fire['status']}"
    if fire["status"] == "survives" and math.isinf(fire["months"]):
        key = "household.say_survives_free"
    return words.text(key, **facts)


def _lines(words: Words, title: str, rows: list[tuple[str, str]]) -> Table:
    heads = _heads(words, what="text", amount="number")
    return Table(words.text(f"household.title_{title}"), heads, tuple(rows))


def _reserve(r: Row, me: Client) -> Table:
    words = me.words
    rows = [(words.text(f"household.{k}"), me.money(r[k])) for k in ("liquid", "need")]
    rows.append((words.text("household.months"), words.number(r["months"])))
    rows.append((words.text("household.needed"), words.number(r["needed"], 0)))
    if r["short"] > 0:
        rows.append((words.text("household.short"), me.money(r["short"])))
    return _lines(words, "reserve", rows)


def _firewall(r: Row, me: Client) -> list[Block]:
    words = me.words
    if r["status"] == "not_applicable":
        return []
    shown = [k for k in ("company", "guarantees", "paid_pledged", "paid_liquid", "owed") if r[k] > 0]
    rows = [(words.text(f"household.{k}"), me.money(r[k])) for k in shown]
    rows += [
        (words.text(f"household.left_{k}"), me.money(r[k])) for k in ("total", "home", "debt", "net_worth", "liquid")
    ]
    rows.append((words.text("household.left_months"), words.number(r["months"])))
    return [_lines(words, "firewall", rows)]


def _protection(r: Row, found: Household, me: Client) -> Table:
    words, needs = me.words, found.needs
    facts = {"years": words.number(needs.support_years, 0), "share": words.percent(needs.support_share, 0)}
    keys = ("debts", "support", "education", "insurance_cover", "liquid")
    rows = [(words.text(f"household.need_{k}", **facts), me.money(r[k])) for k in keys]
    rows.append((words.text("household.gap" if not r["gap"] < 0 else "household.surplus"), me.money(abs(r["gap"]))))
    if r["unknown"]:
        named = [words.text(f"household.unknown_{k}") for k in str(r["unknown"]).split(", ")]
        rows.append((words.text("household.unknown"), words.text("say.list").join(named)))
    return _lines(words, "protection", rows)


def _industry(rows: list[Row], me: Client) -> list[Block]:
    words = me.words
    shown = [r for r in rows if r["others"] > 0]
    if not shown:
        return []
    lines = tuple(
        (clean(r["industry"]), me.money(r["own"]), me.money(r["other"]), words.percent(r["share"])) for r in shown
    )
    heads = _heads(words, industry="text", own="number", other="number", share="number")
    return [Table(words.text("household.title_industry"), heads, lines)]


def _gap(r: Row, words: Words) -> str:
    if math.isnan(r["gap"]):
        return DASH
    return words.money(r["gap"], short=True) if r["gap"] > 0 else words.text("household.none")
