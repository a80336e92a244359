"""A whole book, its call list and comparisons as JSON, schema ``allocator/1``."""

from __future__ import annotations

from typing import Final

import pandas as pd

from allocator.i18n import Words
from allocator.reporting.issue_words import issue_message
from allocator.reporting.jsonout import SCHEMA
from allocator.reporting.jsonvalues import Json, cents, grouped, plain, records
from allocator.whole_book.calls import CallList
from allocator.whole_book.compare import TOTALS, Comparison
from allocator.whole_book.facts import BookFacts
from allocator.whole_book.view import TABLES, BookView

AMOUNTS: Final = frozenset(
    {"money", "money_after", "money_before", "bought", "sold", "repaid", "net", "cost", "tax", "missing"}
    | {f"{k}_{e}" for k in ("total", "over_money", *TOTALS) for e in ("before", "after")}
)
"""Columns that are rounded to cents."""


def book_json(view: BookView, words: Words, calls: CallList | None = None, counts: pd.DataFrame | None = None) -> Json:
    """The page of a book; money in the base currency, shares as fractions."""
    tables: Json = {name: _rows(getattr(view, name)) for name in TABLES if view.planned or name not in PLANNED}
    total = cents([view.total])[0]
    out = _head(view.facts, words) | {"book": {"clients": len(view), "total": total, **tables}}
    if calls is not None:
        out["calls"] = _calls(calls, None)
    return out | _issues(view.facts, words) | _counts(counts)


def calls_json(calls: CallList, words: Words, first: int | None = None, counts: pd.DataFrame | None = None) -> Json:
    """The call list, or the ``first`` so many of it, each client with the reasons; counts are of the whole list."""
    out = _head(calls.facts, words) | {
        "clients": len(calls.facts),
        "called": len(calls),
        "rules": calls.rules.name,
        "calls": _calls(calls, first),
        "reasons": [
            row | {"en": calls.words[row["reason"]][0], "zh": calls.words[row["reason"]][1]}
            for row in _rows(calls.counts)
        ],
        "by_advisor": _rows(calls.by_advisor),
        "not_judged": list(calls.not_judged),
    }
    return out | _issues(calls.facts, words) | _counts(counts)


def compare_json(found: Comparison, words: Words, first: int | None = None, counts: pd.DataFrame | None = None) -> Json:
    """What changes for whom; ``clients`` are those who change, or the ``first`` so many of them."""
    shown = found.changed if first is None else found.changed.head(first)
    limits = found.limits[found.limits["client_id"].isin(shown["client_id"])]
    by = grouped(limits, shown["client_id"].tolist(), AMOUNTS & set(limits.columns))
    clients = []
    for row in _rows(shown.drop(columns=["changed", "broken_limits", "mended_limits"])):
        row["limits"] = by[row["client_id"]]
        clients.append(row)
    names = {"framework": "name", "assumptions": None}
    sides = {
        f"{k}_{e}": getattr(b.framework, names[k] or "") if names[k] else b.assumptions
        for k in names
        for e, b in (("before", found.before), ("after", found.after))
    }
    out = _head(found.after, words) | {
        "compared": len(found),
        **sides,
        "effects": _rows(found.effects),
        "statuses": _rows(found.statuses),
        "limits": _rows(found.by_limit),
        "totals": _rows(found.totals),
        "flows": _rows(found.flows),
        "clients": clients,
        "only_before": list(found.only_before),
        "only_after": list(found.only_after),
    }
    return out | _issues(found.after, words) | _counts(counts)


PLANNED: Final = ("plans", "products", "flows")


def _head(facts: BookFacts, words: Words) -> Json:
    from allocator import __version__

    return {
        "schema": SCHEMA,
        "version": __version__,
        "framework": facts.framework.name,
        "assumptions": facts.assumptions,
        "date": facts.on.isoformat(),
        "language": words.lang,
        "currency": facts.base,
    }


def _calls(calls: CallList, first: int | None) -> list[Json]:
    shown = calls if first is None else calls.top(first)
    why = grouped(shown.why, shown.calls["client_id"].tolist(), ("money",))
    rows = _rows(shown.calls)
    for row in rows:
        row["reasons"] = why[row["client_id"]]
    return rows


def _rows(frame: pd.DataFrame) -> list[Json]:
    """Rows as plain values; amounts to the cent, and the totals of a comparison too."""
    amounts = AMOUNTS & set(frame.columns)
    if {"before", "after", "change"} <= set(frame.columns):
        amounts |= {"before", "after", "change"}
    return records(frame, amounts)


def _issues(facts: BookFacts, words: Words) -> Json:
    rows = records(facts.issues)
    currency = dict(zip(facts.clients["client_id"], plain(facts.clients["currency"].to_numpy()), strict=True))
    for row in rows:
        row["message"] = issue_message(row, facts.framework, words, currency.get(row["client_id"], ""))
    return {"issues": rows}


def _counts(counts: pd.DataFrame | None) -> Json:
    return {} if counts is None else {"rows": records(counts)}
