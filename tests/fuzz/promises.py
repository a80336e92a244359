"""What is promised of a book that was read and of its analysis, whatever the file was."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd
from conftest import ON

from allocator.analysis import Analysis
from allocator.assumptions import load_assumptions
from allocator.book import Book
from allocator.framework import UNCLASSIFIED, load_framework
from allocator.i18n import words
from allocator.issues import COLUMNS, ERROR, SEVERITIES
from allocator.pipeline import analyze
from allocator.reporting.issue_words import issue_message
from allocator.schema import KEYS, TABLES

CLASSIC, LONG_RUN = load_framework(), load_assumptions()
SENTENCES: Final = 12
"""Issues of a book that are said in both languages."""


@cache
def catalogue(lang: str) -> Any:
    return words(lang)


def examined(book: Book, *, plain: bool = True, measure: bool = True) -> str:
    """Hold a book against every promise, then its analysis; says what came of it.

    Exports are not ``plain``: one of their records may become several rows.
    """
    every_row_once(book, plain=plain)
    cells_in_range(book)
    told_in_words(book.issues)
    came = "read" if len(book.holdings) else "none used"
    if not measure:
        return came
    analysis = analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)
    measured(book, analysis)
    told_in_words(analysis.issues.iloc[len(book.issues) :])
    return came


def every_row_once(book: Book, *, plain: bool = True) -> None:
    """Read = used + set aside + ignored; the used rows are there once; whatever was set aside has an error."""
    counts = book.counts.set_index("table")
    assert (counts["read"] == counts["used"] + counts["set_aside"] + counts["ignored"]).all(), "counts"
    assert (counts[["read", "used", "set_aside", "ignored"]] >= 0).all(axis=None), "counts below zero"
    issues = book.issues
    assert list(issues.columns) == list(COLUMNS)
    assert set(issues["severity"]) <= set(SEVERITIES), "severity"
    assert not (issues["code"] == "").any(), "an issue without a code"
    for name in counts.index:
        table: pd.DataFrame = getattr(book, name)
        own = table[table["row"] > 0] if name == "clients" else table
        assert len(own) == counts.loc[name, "used"] or not plain, f"used rows of {name}"
        assert len(table) >= counts.loc[name, "used"], f"used rows of {name}"
        assert not plain or not own.duplicated(["file", "row"]).any(), f"a row twice in {name}"
        errors = issues[(issues["severity"] == ERROR) & (issues["table"] == name)]
        blamed = errors[["file", "row"]].drop_duplicates()
        told = len(blamed if plain else errors)
        assert told >= counts.loc[name, "set_aside"], f"set aside without an error in {name}"
        if KEYS[name]:
            assert not table.duplicated(list(KEYS[name])).any(), f"a key twice in {name}"
    assert set(book.holdings["client_id"]) | set(book.debts["client_id"]) <= set(book.clients["client_id"]), (
        "a client lost"
    )


def cells_in_range(book: Book) -> None:
    """Numbers are finite or unknown, in the range of their column; what is required is there."""
    for name, columns in TABLES.items():
        table: pd.DataFrame = getattr(book, name)
        for c in columns:
            values = table[c.name]
            if c.kind in ("money", "number", "fraction", "int"):
                x = values.to_numpy("float64", na_value=np.nan)
                assert not np.isinf(x).any(), f"{name}.{c.name} infinite"
                assert c.low is None or not (x < c.low).any(), f"{name}.{c.name} too low"
                assert c.high is None or not (x > c.high).any(), f"{name}.{c.name} too high"
                assert not (c.required and np.isnan(x).any()), f"{name}.{c.name} unknown"
            elif c.kind in ("id", "text"):
                assert values.notna().all(), f"{name}.{c.name} neither text nor empty"
                assert not (c.required and (values == "").any()), f"{name}.{c.name} empty"
                assert not (c.kind == "id" and (values != values.str.strip()).any()), f"{name}.{c.name} with blanks"


def told_in_words(issues: pd.DataFrame) -> None:
    """Every kind of issue has a sentence in both languages, without marks that move a terminal."""
    for issue in issues.drop_duplicates(["code", "column", "severity"]).iloc[:SENTENCES].to_dict("records"):
        for lang in ("en", "zh"):
            said = issue_message(issue, CLASSIC, catalogue(lang), "CNY")
            assert said.strip(), f"no words for {issue['code']}"
            assert not any(c < " " or c in "\x7f\u202e\u2028" for c in said), f"a control mark in {issue['code']}"


def measured(book: Book, a: Analysis) -> None:
    """Nobody and no money is lost, parts make a whole, and what cannot be said is NaN and no other nonsense."""
    e, p = a.exposures, a.positions
    assert len(a) == len(book.clients)
    assert np.isfinite(p.value).all(), "a value that is none"
    assert np.isfinite(e.total).all(), "a total that is none"
    apart = p.holdings["bucket"].isin(["own_use", UNCLASSIFIED]).to_numpy()
    who = pd.Index(a.client_ids).get_indexer(pd.Index(p.holdings["client_id"]))
    whole = np.bincount(who, weights=p.value, minlength=len(a))
    funds = book.lookthrough.empty
    inside = np.bincount(who[~apart], weights=p.value[~apart], minlength=len(a))
    room = 1e-9 * np.maximum(whole, 1.0) + 0.01
    assert not funds or (np.abs(inside - e.total) <= room).all(), "the total is not its holdings"
    money = e.classes @ a.framework.in_bucket
    assert (np.abs(money.sum(axis=1) - e.total) <= room).all(), "buckets are not the total"
    s = a.summary
    assert s["score"].dropna().between(0, 100).all(), "a score beyond 0 to 100"
    for name in ("volatility", "expected_return", "leverage", "reserve_months"):
        assert not np.isneginf(s[name].to_numpy("float64")).any(), name
    assert not a.limits["exceeded"].isna().any()
    owned = book.holdings.merge(book.clients[["client_id", "currency"]], on="client_id", suffixes=("", "_of"))
    same = (owned["currency"] == owned["currency_of"]) | (owned["currency"] == "")
    plain = owned.assign(same=same).groupby("client_id").agg(value=("value", "sum"), same=("same", "all"))
    plain = plain[plain["same"]].reindex(a.client_ids)
    off = np.abs(plain["value"].to_numpy() - whole)
    off = off - (room + 0.005 * len(owned))
    lost = set(a.set_aside.loc[a.set_aside["table"] == "holdings", "client_id"])
    guilty = [c for c, o in zip(a.client_ids, off, strict=True) if o > 0 and c not in lost]
    assert not guilty, "money between the table and the analysis"
