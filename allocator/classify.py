"""Which class a holding belongs to, and the evidence for it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from fnmatch import translate
from typing import Final

import numpy as np
import pandas as pd

from allocator.book import Book
from allocator.framework import Framework
from allocator.issues import ERROR, WARNING, issue_table
from allocator.typing import FloatArray, IntArray

SOURCES: Final = ("override", "asset_class", "cfi", "product", "")
"""Where a class came from, in the order in which they are asked; empty: nothing matched."""


def class_words(framework: Framework) -> dict[str, int]:
    """Every word that names a class (code, labels, aliases; folded), with its index."""
    words: dict[str, int] = {}
    for i, c in enumerate(framework.classes.values()):
        for word in (*c.aliases, c.en, c.zh):
            words.setdefault(_fold(word), i)
    return words | {_fold(code): i for i, code in enumerate(framework.classes)}


def match_words(texts: pd.Series, framework: Framework) -> IntArray:
    """Class index for each text, −1 where none matches."""
    words = class_words(framework)
    return _map(texts, {t: words.get(_fold(t), -1) for t in texts.unique()})


def match_cfi(codes: pd.Series, framework: Framework) -> IntArray:
    """Class index for each CFI code (ISO 10962), −1 where no pattern fits; the longest pattern wins."""
    patterns = [
        (re.compile(translate(p)), len(p.replace("*", "").replace("?", "")), i)
        for i, c in enumerate(framework.classes.values())
        for p in c.cfi
    ]

    def best(code: str) -> int:
        hits = [(n, i) for rx, n, i in patterns if code and rx.match(code.upper())]
        return max(hits, key=lambda h: (h[0], -h[1]))[1] if hits else -1

    return _map(codes, {c: best(c) for c in codes.unique()})


def classify(book: Book, framework: Framework) -> tuple[IntArray, pd.Series, pd.DataFrame]:
    """Classify every holding, first hit wins: override, its own class, its CFI code, the product catalogue.

    Returns
    -------
    (class_ix, source, issues)
        Index into the classes (−1: nothing matched), the source that hit (see `SOURCES`), both in the order of
        ``book.holdings``; and issues for holdings that nothing matched.
    """
    h = book.holdings
    catalogue = {c: framework.class_codes.index(p.asset_class) for c, p in framework.products.items()}
    catalogue |= dict(
        zip(book.products["product_id"], match_words(book.products["asset_class"], framework), strict=True)
    )
    by_product = h["product_id"].map(catalogue).fillna(-1).to_numpy("intp")
    named = match_words(h["asset_class"], framework)
    hits = np.stack([_overrides(book, framework), named, match_cfi(h["cfi"], framework), by_product])
    first = np.where((hits >= 0).any(axis=0), (hits >= 0).argmax(axis=0), len(SOURCES) - 1)
    ix = np.where(first < len(hits), hits[np.minimum(first, len(hits) - 1), np.arange(len(h))], -1)
    own = framework.own_company_class
    if own:
        codes = framework.class_codes
        swap = np.array([codes.index(own.get(c, c)) for c in codes])
        ix = np.where(h["own_company"].to_numpy(bool) & (ix >= 0), swap[ix], ix)
    source = pd.Series(np.array(SOURCES)[first], index=h.index, dtype="str")
    return ix.astype("intp"), source, _issues(book, framework, ix, named)


def mixes(book: Book, framework: Framework, class_ix: IntArray) -> tuple[FloatArray, IntArray]:
    """Class weights behind each holding: its own class, or what its fund holds.

    Returns
    -------
    (table, mix)
        ``table`` has a row per class (the identity), a row of zeros for what is unclassified, then one row per fund
        that is looked through; ``mix`` is the row of each holding.
    """
    k = len(framework.classes)
    table = np.vstack([np.eye(k), np.zeros((1, k))])
    mix = np.where(class_ix >= 0, class_ix, k)
    funds = book.lookthrough
    if not len(funds):
        return table, mix.astype("intp")
    klass = match_words(funds["asset_class"], framework)
    fund, names = pd.factorize(funds["fund_id"])
    rows = np.zeros((len(names), k))
    np.add.at(rows, (fund[klass >= 0], klass[klass >= 0]), funds["weight"].to_numpy("float64")[klass >= 0])
    whole = np.abs(rows.sum(axis=1) - 1) < 1e-6
    where = pd.Series(len(table) + np.arange(int(whole.sum())), index=pd.Index(names)[whole])
    for column in ("isin", "product_id", "asset_id"):
        hit = book.holdings[column].map(where).to_numpy("float64", na_value=np.nan)
        mix = np.where(np.isfinite(hit) & (class_ix >= 0), hit, mix)
    return np.vstack([table, rows[whole]]), mix.astype("intp")


def _overrides(book: Book, framework: Framework) -> IntArray:
    o = book.overrides
    out = np.full(len(book.holdings), -1, dtype="intp")
    if not len(o):
        return out
    klass = match_words(o["asset_class"], framework)
    for everyone in (True, False):
        part = (o["client_id"] == "*") == everyone
        keys = o.loc[part, "asset_id"] if everyone else o.loc[part, "client_id"] + "\x1f" + o.loc[part, "asset_id"]
        own = book.holdings["asset_id"] if everyone else book.holdings["client_id"] + "\x1f" + book.holdings["asset_id"]
        found = own.map(pd.Series(klass[part.to_numpy()], index=keys.to_numpy()))
        out = np.where(found.notna(), found.fillna(-1), out).astype("intp")
    return out


def _issues(book: Book, framework: Framework, ix: IntArray, named: IntArray) -> pd.DataFrame:
    words = sorted(class_words(framework))
    rows = []
    unknown = (named < 0) & (book.holdings["asset_class"] != "").to_numpy()
    for i in np.flatnonzero((ix < 0) | unknown):
        h = book.holdings.iloc[int(i)]
        near = difflib.get_close_matches(_fold(h["asset_class"]), words, n=1)
        rows.append(
            {
                "client_id": h["client_id"],
                "file": h["file"],
                "table": "holdings",
                "row": h["row"],
                "column": "asset_class",
                "code": "unknown_class" if ix[i] < 0 else "class_from_elsewhere",
                "value": h["asset_class"],
                "severity": ERROR if ix[i] < 0 else WARNING,
                "mend": framework.class_codes[class_words(framework)[near[0]]] if near else "",
            }
        )
    for table in ("products", "lookthrough", "overrides"):
        frame: pd.DataFrame = getattr(book, table)
        for i in np.flatnonzero(match_words(frame["asset_class"], framework) < 0):
            rows.append(
                {
                    "file": frame["file"].iloc[i],
                    "table": table,
                    "row": frame["row"].iloc[i],
                    "column": "asset_class",
                    "code": "unknown_class",
                    "value": frame["asset_class"].iloc[i],
                    "severity": ERROR,
                }
            )
    return issue_table(rows)


def _fold(text: str) -> str:
    return re.sub(r"[\s_\-]+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def _map(texts: pd.Series, table: dict[str, int]) -> IntArray:
    codes, names = pd.factorize(texts)
    return np.array([table[n] for n in names], dtype="intp")[codes] if len(names) else np.empty(0, dtype="intp")
