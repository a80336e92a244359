"""The household as blocks and as JSON: firewall test, reserve, protection gap, one industry twice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from allocator.firewall import STATUSES
from allocator.households import Household
from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Cell, Column, Heading, Line, Table, Tone
from allocator.reporting.jsonout import check_json
from allocator.reporting.jsonvalues import grouped
from allocator.reporting.sentences import band_name, clean
from allocator.reporting.sheet import footer
from allocator.reporting.tables import Client, Row, rest, rows_of

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
        "paid_rest",
        "owed",
        "total",
        "debt",
        "equity",
        "home",
        "net_worth",
        "liquid",
    ),
    "protection": (
        "debts",
        "support",
        "education",
        "liquid",
        "cover_needed",
        "insurance_cover",
        "gap",
        "income",
        "gap_with_income",
    ),
    "industry": ("own", "other"),
    "names": ("value",),
}
"""Amounts of each table, rounded to cents in JSON."""
TAUGHT: Final = ("education", "cover_needed")
"""Amounts of the protection gap that have the education in them."""


def household_sheet(found: Household, client_id: str, words: Words, me: Client | None = None) -> Blocks:
    """One family in full.

    ``me`` is the same client, where somebody has found them already.

    Raises
    ------
    InputError
        No such client in the book.
    """
    me = me or Client.of(found.analysis, client_id, words)
    part = found.part(client_id)
    tables = {name: part.rows(name) for name in part}
    fire, reserve = tables["firewall"][0], tables["reserve"][0]
    return (
        Heading(words.text("household.title_client", client=clean(client_id))),
        Line(_verdict(fire, found, me), TONES[fire["status"]]),
        _reserve(reserve, me),
        *_firewall(fire, me),
        *_protection(tables["protection"][0], found, me),
        *_industry(tables["industry"], tables["names"], me),
        *_needs(found, words),
        Line(words.text("household.say_rule"), "dim", apart=True),
        footer(found.analysis, words),
    )


def household_overview(found: Household, words: Words, first: int | None = None) -> Blocks:
    """The whole book: how many families survive, by band, and a row per client, or for the ``first`` so many."""
    fire, gaps = found.firewall.iloc[:first], found.protection.iloc[:first]
    heads = (
        *_heads(words, band="text"),
        *(Column(words.text(f"household.status_{s}"), "number") for s in STATUSES),
    )
    f = found.analysis.framework
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (band_name(str(r["band"]), f, words), *(f"{int(r[s]):,}" for s in STATUSES)) for r in rows_of(found.by_band)
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
        for r, g in zip(rows_of(fire), rows_of(gaps), strict=True)
    )
    columns = (
        *_heads(words, client="label", status="label", company="number", guarantees="number"),
        *_heads(words, net_worth="number", months="number", gap="number"),
    )
    return (
        Table(words.text("household.title_book", clients=f"{len(found):,}"), heads, rows),
        Table(words.text("household.title_clients"), columns, each, more=rest(len(found), first, words)),
        *_needs(found, words),
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
        names = parts["names"][me]
        for row in parts["industry"][me]:
            row["holdings"] = [
                {k: v for k, v in n.items() if k != "industry"} for n in names if n["industry"] == row["industry"]
            ]
        single["protection"]["unknown"] = [x for x in single["protection"]["unknown"].split(", ") if x]
        one["household"] = single | {"industry": parts["industry"][me]}
    out["needs"] = found.needs.model_dump(mode="json", by_alias=True)
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
        "missing": me.money(abs(fire["equity"])),
        "selling": words.number(fire["months_selling"]),
    }
    key = f"household.say_{fire['status']}"
    if fire["status"] == "short_of_cash" and fire["equity"] <= 0:
        key = "household.say_home_only" if fire["equity"] < 0 else "household.say_home_left"
    elif fire["status"] == "short_of_cash" and fire["months_selling"] > fire["months"]:
        key = "household.say_short_but_sells"
    elif fire["status"] == "insolvent_after" and fire["net_worth"] == 0:
        key = "household.say_nothing_left"
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
    shown = [k for k in ("company", "guarantees", "paid_pledged", "paid_liquid", "paid_rest", "owed") if r[k] > 0]
    rows = [(words.text(f"household.{k}"), me.money(r[k])) for k in shown]
    rows += [
        (words.text(f"household.left_{k}"), me.money(r[k]))
        for k in ("total", "equity", "home", "debt", "net_worth", "liquid")
    ]
    rows += [(words.text(f"household.left_{k}"), words.number(r[k])) for k in ("months", "months_selling")]
    return [_lines(words, "firewall", rows)]


def _protection(r: Row, found: Household, me: Client) -> list[Block]:
    words, needs = me.words, found.needs
    facts = {"years": words.number(needs.support_years, 0), "share": words.percent(needs.support_share, 0)}
    keys = ("debts", "support", "education", "liquid", "cover_needed", "insurance_cover")
    # education is a sum that this page names, times the dependants: with it in them, sums would give the total away
    told = words.known if r["education"] > 0 else words.money
    rows = [
        (words.text(f"household.need_{k}", **facts), (told if k in TAUGHT else words.money)(r[k], me.currency))
        for k in keys
    ]
    rows.append(
        (words.text("household.surplus" if r["gap"] < 0 else "household.gap"), told(abs(r["gap"]), me.currency))
    )
    out: list[Block] = [_lines(words, "protection", rows)]
    if r["unknown"]:
        named = [words.text(f"household.unknown_{k}") for k in str(r["unknown"]).split(", ")]
        out.append(Line(words.text("household.say_missing", names=words.text("say.list").join(named)), "warn"))
    alive = r["gap_with_income"]
    if not math.isnan(alive):
        key = "household.say_working_short" if alive > 0 else "household.say_working"
        out.append(Line(words.tight(words.text(key, amount=told(abs(alive), me.currency), years=facts["years"]))))
    return out


def _industry(rows: list[Row], names: list[Row], me: Client) -> list[Block]:
    """The own firm's industry with what else is in it; said as well where it is not known, or nothing else is in it."""
    words, out = me.words, list[Block]()
    shown = [r for r in rows if r["others"] > 0]
    if shown:
        lines = tuple(
            (
                clean(r["industry"]),
                me.money(r["own"]),
                me.money(r["other"]),
                words.percent(r["share"]),
                words.text("say.list").join(
                    clean(n["name"] or n["asset_id"]) for n in names if n["industry"] == r["industry"] and not n["own"]
                ),
            )
            for r in shown
        )
        heads = _heads(words, industry="text", own="number", other="number", share="number", names="sentence")
        out.append(Table(words.text("household.title_industry"), heads, lines))
    alone = [clean(r["industry"]) for r in rows if r["industry"] and not r["others"]]
    if alone:
        out.append(Line(words.text("household.say_industry_alone", names=words.text("say.list").join(alone))))
    if any(not r["industry"] for r in rows):
        out.append(Line(words.text("household.say_industry_unknown"), "warn"))
    return out


def _needs(found: Household, words: Words) -> list[Block]:
    """What the family is judged by, with sources."""
    n = found.needs
    rows = (
        (words.text("household.needs_months", months=words.number(n.survive_months, 0)), n.survive_source),
        (words.text("household.needs_years", years=words.number(n.support_years, 0)), n.support_source),
        (words.text("household.needs_share", share=words.percent(n.support_share, 0)), n.support_share_source),
        (words.text("household.needs_adults", age=words.number(n.adults_from_age, 0)), n.adults_source),
        (words.text("household.needs_education", amounts=_amounts(n.education, words)), str(n.education["source"])),
    )
    return [Table(words.text("household.title_needs"), _heads(words, what="text", source="sentence"), rows)]


def _amounts(education: Mapping[str, float | str], words: Words) -> str:
    known = {k: float(v) for k, v in education.items() if not isinstance(v, str)}
    return words.text("say.list").join(words.known(v, k) for k, v in known.items())


def _gap(r: Row, words: Words) -> str:
    if math.isnan(r["gap"]):
        return DASH
    return words.money(r["gap"], short=True) if r["gap"] > 0 else words.text("household.none")
