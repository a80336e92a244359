"""A book into numbers: money converted, codes for names, locks and instructions read, and every issue said."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.bands import read_bands
from allocator.book import Book
from allocator.classify import classify, mixes
from allocator.currency import known_rates, rate_issues, rates_for, to_cents, unconverted
from allocator.debts import build_debts
from allocator.framework import UNCLASSIFIED, Framework
from allocator.issues import INFO, concat, issue_table
from allocator.names import one_account, pair_codes, summed, unique_within
from allocator.positions import FAMILY, Positions, class_tax, gain_tax
from allocator.schema import RESTRICTIONS
from allocator.shelf import build_shelf
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

SAME: Final = (
    "product_id",
    "issuer",
    "product_risk",
    "locked_until",
    "sellable",
    "indivisible",
    "pledged",
    "own_company",
    "sector",
    "country",
    "restriction",
)
"""Columns in which one asset in several accounts must agree to be one holding, besides class and currency."""


def build_positions(
    book: Book, framework: Framework, *, band: str | None = None, on: dt.date
) -> tuple[Positions, pd.DataFrame]:
    """Turn a book into numbers.

    Parameters
    ----------
    book, framework
        The tables, and what classifies them.
    band
        Risk band (code or label) for every client, over what the book says.
    on
        Day of the analysis: decides which locks still hold.

    Returns
    -------
    (positions, issues)
        Rows whose currency has no rate are set aside with an issue.

    Raises
    ------
    ConfigError
        ``band`` names no band.
    """
    class_ix, source, class_issues = classify(book, framework)
    table, mix = mixes(book, framework, class_ix)
    ids = pd.Index(book.clients["client_id"])
    currency = book.clients["currency"].where(book.clients["currency"] != "", framework.currency)
    bands, band_issues = read_bands(book, framework, band)
    rates = known_rates(book.fx, framework.currency)
    shelf, shelf_issues = build_shelf(book, framework, rates)
    debts, debt_issues = build_debts(book, framework, class_ix, currency, rates)

    who = _places(book.holdings["client_id"], ids)
    rate = rates_for(book.holdings["currency"], who, currency, rates)
    value = to_cents(book.holdings["value"], rate)
    value_issues = unconverted(book.holdings, "holdings", rate, currency.to_numpy()[who], rates)
    asset = pair_codes(who, book.holdings["asset_id"])
    money = _currencies(book.holdings["currency"], who, currency)
    alike = book.holdings[list(SAME)].assign(klass=class_ix, currency=money)
    first = one_account(asset, np.isfinite(value), alike)
    value, basis = summed(value, first), summed(to_cents(book.holdings["cost_basis"], rate), first)
    quantity = np.bincount(first, weights=_units(book.holdings), minlength=len(first)).astype("float64")

    keep = np.flatnonzero(np.isfinite(value) & (first == np.arange(len(first))))
    order = keep[np.argsort(who[keep], kind="stable")]
    h, klass, client, value = _rows(book.holdings, order), class_ix[order], who[order], value[order]
    asset, basis = asset[order], basis[order]
    business = np.append(framework.flag("business"), 0.0).astype(bool)[klass]
    own = h["own_company"].to_numpy(bool) | (business if "holdings.own_company" not in book.given else False)
    pledged, until = h["pledged"].to_numpy(bool), h["locked_until"].to_numpy()
    free = ~(pledged | (until > np.datetime64(on)))
    told = _restrictions(h["restriction"])
    usual = np.append([c.sellable for c in framework.classes.values()], 0.0)[klass]
    stated = h["sellable"].to_numpy("float64")
    pace = np.where(told["never_sell"], 0.0, np.where(np.isnan(stated), usual, stated))
    positions = Positions(
        clients=pd.DataFrame(
            {
                "client_id": ids.to_numpy(),
                "band": np.append(framework.band_codes, "")[bands],
                "currency": currency.to_numpy(),
                "advisor": book.clients["advisor"].to_numpy(),
                "tier": book.clients["tier"].to_numpy(),
                **{c: book.clients[c].to_numpy("float64", na_value=np.nan) for c in FAMILY},
            }
        ),
        holdings=pd.DataFrame(
            {
                "client_id": h["client_id"],
                "asset_id": _unique_ids(h, asset),
                "name": h["name"],
                "asset_class": _texts([*framework.class_codes, UNCLASSIFIED], klass),
                "bucket": _texts([*(c.bucket for c in framework.classes.values()), UNCLASSIFIED], klass),
                "rule": _rows(source, order),
                "product_id": h["product_id"],
                "issuer": h["issuer"],
                "sector": _of_product(h, "sector", shelf),
                "country": _of_product(h, "country", shelf),
                "currency": _rows(money, order),
                "row": h["row"],
            }
        ),
        band=bands,
        spending=book.clients["monthly_spending"].to_numpy("float64"),
        guarantees=book.clients["guarantees"].to_numpy("float64"),
        cash_flow=np.round(book.clients["cash_flow"].to_numpy("float64"), 2),
        debts=debts,
        owner=np.bincount(client, weights=((own | business) & (value > 0)), minlength=len(ids)) > 0,
        client=client,
        start=np.searchsorted(client, np.arange(len(ids) + 1)),
        klass=klass,
        mix=mix[order],
        mix_table=table,
        value=value,
        quantity=quantity[order],
        issuer=_issuers(h["issuer"], client, asset),
        asset=asset,
        grade=h["product_risk"].to_numpy("float64"),
        own=own,
        tradable=free,
        locked=~free | (stated == 0) | told["never_sell"],
        pace=pace,
        sellable=pace * free,
        until=until,
        pledged=pledged,
        never_buy=told["never_buy"],
        sell_first=told["sell_first"],
        indivisible=h["indivisible"].to_numpy(bool),
        basis=basis,
        tax=gain_tax(class_tax(framework)[klass], value, basis),
        shelf=shelf,
        rates=rates,
    )
    more = [_insured(positions, framework, h["file"]), _spending(book)]
    more.append(rate_issues(book.fx, framework, on))
    return positions, concat([class_issues, band_issues, value_issues, debt_issues, shelf_issues, *more])


def _rows(frame: Any, order: IntArray) -> Any:
    """Rows in another order, with a fresh index; nothing is copied where it is the same order."""
    if len(order) == len(frame) and np.array_equal(order, np.arange(len(order))):
        return frame.reset_index(drop=True)
    return frame.take(order).reset_index(drop=True)


def _places(client: pd.Series, ids: pd.Index) -> IntArray:
    """Place of each row's client."""
    found, words = pd.factorize(client)
    return np.asarray(ids.get_indexer(pd.Index(words))[found], dtype="intp")


def _texts(words: list[str], codes: IntArray) -> pd.Series:
    """Text of each code; −1 is the last word."""
    return pd.Series(pd.array(words, dtype="str").take(np.where(codes < 0, len(words) - 1, codes)))


def _currencies(stated: pd.Series, who: IntArray, currency: pd.Series) -> pd.Series:
    """Currency of each row: as stated, or else its client's."""
    homes, words = pd.factorize(currency)
    found, given = pd.factorize(stated)
    blank = np.array([w == "" for w in given], dtype=bool)
    return _texts([*map(str, given), *map(str, words), ""], np.where(blank[found], len(given) + homes[who], found))


def _units(holdings: pd.DataFrame) -> FloatArray:
    """Units of each row: as stated, or else its value at its price; NaN where neither is known."""
    value, stated, price = (holdings[c].to_numpy("float64") for c in ("value", "quantity", "price"))
    implied = np.divide(value, price, out=np.full(len(value), np.nan), where=price > 0)
    return np.where(np.isnan(stated), implied, stated)


def _of_product(h: pd.DataFrame, column: str, shelf: pd.DataFrame) -> pd.Series:
    """A label of each holding: its own, or else that of its product."""
    labelled = shelf[shelf[column] != ""]
    blank = (h[column] == "").to_numpy(bool)
    if labelled.empty or not blank.any():
        return h[column]
    found = h["product_id"].map(dict(zip(labelled["product_id"], labelled[column], strict=True)))
    return h[column].mask(blank & found.notna().to_numpy(bool), found).astype("str")


def _restrictions(told: pd.Series) -> dict[str, BoolArray]:
    """What each holding may not do, or shall do first, by word."""
    found, words = pd.factorize(told)
    parts = [str(w).split("|") for w in words]
    return {word: np.array([word in p for p in parts], dtype=bool)[found] for word in RESTRICTIONS}


def _unique_ids(h: pd.DataFrame, asset: IntArray) -> pd.Series:
    """Ids that are unique within a client, also where accounts of one asset stay apart."""
    if np.bincount(asset, minlength=1).max(initial=0) <= 1:
        return h["asset_id"]
    return unique_within(h["client_id"], h["asset_id"])


def _issuers(issuer: pd.Series, client: IntArray, asset: IntArray) -> IntArray:
    """A code per (client, issuer); blank issuers stay apart, each asset its own."""
    found, names = pd.factorize(issuer)
    folded, words = pd.factorize(np.array([str(n).casefold() for n in names], dtype=object))
    pair = client.astype("int64") * (len(words) + 1) + folded[found]
    alone = (int(client.max(initial=-1)) + 1) * (len(words) + 1) + asset
    blank = np.array([n == "" for n in names], dtype=bool)[found]
    return pd.factorize(np.where(blank, alone, pair))[0].astype("intp")


def _insured(p: Positions, framework: Framework, file: pd.Series) -> pd.DataFrame:
    """Deposits at one bank above the insured amount: pointed out, never scored."""
    limits = p.clients["currency"].map({k: v for k, v in framework.insured_deposit.items() if not isinstance(v, str)})
    limit = limits.to_numpy("float64", na_value=np.nan)
    deposit = np.append([c == "deposit" for c in framework.class_codes], False)[p.klass] & (
        p.holdings["issuer"] != ""
    ).to_numpy(bool)
    total = np.bincount(p.issuer[deposit], weights=p.value[deposit], minlength=int(p.issuer.max(initial=-1)) + 1)
    over = np.flatnonzero(deposit & (total[p.issuer] > limit[p.client]))
    first = np.sort(over[np.unique(p.issuer[over], return_index=True)[1]])
    who, row, name = (c.iloc[first] for c in (p.holdings["client_id"], p.holdings["row"], file))
    amounts, most = total[p.issuer[first]], limit[p.client[first]]
    told = {"table": "holdings", "column": "issuer", "code": "insured_amount", "severity": INFO}
    return issue_table(
        {"client_id": w, "file": n, "row": r, "value": f"{a:.2f}", "mend": f"{m:.0f}", **told}
        for w, n, r, a, m in zip(who, name, row, amounts, most, strict=True)
    )


def _spending(book: Book) -> pd.DataFrame:
    unknown: AnyArray = book.clients["monthly_spending"].isna().to_numpy()
    if not unknown.any():
        return issue_table()
    return issue_table(
        [
            {
                "client_id": book.clients["client_id"].iloc[int(unknown.argmax())] if unknown.sum() == 1 else "",
                "table": "clients",
                "column": "monthly_spending",
                "code": "spending_unknown",
                "value": int(unknown.sum()),
                "severity": INFO,
            }
        ]
    )
