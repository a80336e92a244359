"""A book as numbers: one array per column, holdings sorted by client, money in each client's currency.

Names become integer codes once, here at the edge; everything behind works on codes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.book import Book
from allocator.classify import classify, mixes
from allocator.currency import convert
from allocator.debts import Debts, build_debts
from allocator.errors import ConfigError
from allocator.framework import UNCLASSIFIED, Framework, fold_label
from allocator.issues import ERROR, INFO, WARNING, concat, issue_table
from allocator.names import merge_accounts, unique_within
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
)
"""Columns in which one asset in several accounts must agree to be one holding."""


@dataclass(frozen=True)
class Positions:
    """What clients have and owe. Client arrays have length n, holding arrays length m; holdings are sorted by client.

    Attributes
    ----------
    clients
        n rows: ``client_id, band, currency, advisor, tier``.
    holdings
        m rows: ``client_id, asset_id, name, asset_class, bucket, rule, product_id, issuer, row``.
    band
        Index of the risk band; −1 unknown.
    spending, guarantees, cash_flow
        Per client: living costs a month (NaN unknown), guaranteed business debts, money due in or out.
    debts
        What they owe.
    owner
        The client has a company of their own.
    client, start
        Client of each holding; first holding of each client (length n + 1).
    klass, mix
        Class of each holding (−1 unclassified); its row in ``mix_table``.
    mix_table
        Class weights (rows × classes): each class, nothing, then funds looked through.
    value
        Value of each holding, in the client's currency.
    issuer, asset
        Codes, unique over the book: of the issuer (a holding without one has a code of its own), and of the asset,
        which may lie in several accounts.
    grade
        Product risk of the holding as the data state it, NaN unknown.
    own, tradable, locked, sellable, indivisible
        Own company; not locked or pledged; the client's data say that it cannot be sold now; fraction that can be sold
        in this plan; sold whole or not at all.
    shelf
        What can be bought: ``product_id, name, klass, risk, buy_cost, sell_cost, minimum, lot, available``; minimum and
        lot in the
        base currency.
    rates
        Base currency per unit of each currency.
    """

    clients: pd.DataFrame
    holdings: pd.DataFrame
    band: IntArray
    spending: FloatArray
    guarantees: FloatArray
    cash_flow: FloatArray
    debts: Debts
    owner: BoolArray
    client: IntArray
    start: IntArray
    klass: IntArray
    mix: IntArray
    mix_table: FloatArray
    value: FloatArray
    issuer: IntArray
    asset: IntArray
    grade: FloatArray
    own: BoolArray
    tradable: BoolArray
    locked: BoolArray
    sellable: FloatArray
    indivisible: BoolArray
    shelf: pd.DataFrame
    rates: dict[str, float]

    def __len__(self) -> int:
        return len(self.clients)

    @cached_property
    def debt(self) -> FloatArray:
        """D per client: debts except those secured on assets outside the buckets."""
        return self.debts.per_client(self.debts.value * ~self.debts.own_use)

    @cached_property
    def debt_own_use(self) -> FloatArray:
        """Debts per client that are secured on assets outside the buckets."""
        return self.debts.per_client(self.debts.value * self.debts.own_use)

    @cached_property
    def debt_service(self) -> FloatArray:
        """Payments on all debts a year, per client."""
        return self.debts.per_client(self.debts.service)

    def per_client(self, amounts: FloatArray) -> FloatArray:
        """Sum holding amounts by client."""
        return np.bincount(self.client, weights=amounts, minlength=len(self)).astype("float64")


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
    bands, band_issues = _bands(book, framework, band)
    rates = {framework.currency: 1.0} | dict(zip(book.fx["currency"], book.fx["rate"], strict=True))
    value, value_issues = convert(book.holdings, "holdings", ids, currency, rates)
    shelf, shelf_issues = build_shelf(book, framework, rates)
    debts, debt_issues = build_debts(book, framework, class_ix, currency, rates)
    value, first = merge_accounts(book.holdings.assign(klass=class_ix), value, ["klass", *SAME])
    keep = np.flatnonzero(np.isfinite(value) & first)
    owner_of = ids.get_indexer(pd.Index(book.holdings["client_id"]))
    order = keep[np.argsort(owner_of[keep], kind="stable")]
    h, klass, client, value = book.holdings.iloc[order], class_ix[order], owner_of[order], value[order]
    business = np.append(framework.flag("business"), 0.0).astype(bool)[klass]
    own = h["own_company"].to_numpy(bool) | (business if "holdings.own_company" not in book.given else False)
    free = ~(h["pledged"].to_numpy(bool) | (h["locked_until"] > pd.Timestamp(on)).to_numpy(bool))
    usual = np.append([c.sellable for c in framework.classes.values()], 0.0)[klass]
    sellable = np.where(h["sellable"].notna(), h["sellable"], usual) * free
    labels = np.append(framework.class_codes, UNCLASSIFIED)
    buckets = np.append([c.bucket for c in framework.classes.values()], UNCLASSIFIED)
    asset = pd.factorize(h["client_id"] + "\x1f" + h["asset_id"])[0].astype("intp")
    positions = Positions(
        clients=pd.DataFrame(
            {
                "client_id": ids.to_numpy(),
                "band": np.append(framework.band_codes, "")[bands],
                "currency": currency.to_numpy(),
                "advisor": book.clients["advisor"].to_numpy(),
                "tier": book.clients["tier"].to_numpy(),
            }
        ),
        holdings=pd.DataFrame(
            {
                "client_id": h["client_id"],
                "asset_id": unique_within(h["client_id"], h["asset_id"]),
                "name": h["name"],
                "asset_class": labels[klass],
                "bucket": buckets[klass],
                "rule": source.iloc[order],
                "product_id": h["product_id"],
                "issuer": h["issuer"],
                "row": h["row"],
            }
        ).reset_index(drop=True),
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
        issuer=_issuers(h, client, asset),
        asset=asset,
        grade=h["product_risk"].to_numpy("float64"),
        own=own,
        tradable=free,
        locked=~free | (h["sellable"] == 0).to_numpy(bool),
        sellable=sellable.astype("float64"),
        indivisible=h["indivisible"].to_numpy(bool),
        shelf=shelf,
        rates=rates,
    )
    more = [_insured(positions, framework), _spending(book)]
    return positions, concat([class_issues, band_issues, value_issues, debt_issues, shelf_issues, *more])


def _bands(book: Book, framework: Framework, band: str | None) -> tuple[IntArray, pd.DataFrame]:
    aliases = framework.band_aliases
    codes = framework.band_codes
    n = len(book.clients)
    if band is not None:
        if fold_label(band) not in aliases:
            raise ConfigError(f"unknown band '{band}'; allowed: {', '.join([*codes, *framework.labels])}")
        return np.full(n, codes.index(aliases[fold_label(band)]), dtype="intp"), issue_table()
    if "clients.risk_band" not in book.given:
        row = {
            "table": "clients",
            "column": "risk_band",
            "code": "band_assumed",
            "value": n,
            "severity": WARNING,
            "mend": framework.default_band,
        }
        return np.full(n, codes.index(framework.default_band), dtype="intp"), issue_table([row])
    text = book.clients["risk_band"]
    ix = text.map(
        {t: codes.index(aliases[fold_label(t)]) if fold_label(t) in aliases else -1 for t in text.unique()}
    ).to_numpy("intp")
    rows = [
        {
            "client_id": book.clients["client_id"].iloc[i],
            "file": book.clients["file"].iloc[i],
            "table": "clients",
            "row": book.clients["row"].iloc[i],
            "column": "risk_band",
            "value": text.iloc[i],
            "severity": ERROR,
            "code": "unknown_band" if text.iloc[i] else "band_missing",
            "mend": ", ".join(codes),
        }
        for i in np.flatnonzero(ix < 0)
    ]
    return ix, issue_table(rows)


def _issuers(h: pd.DataFrame, client: IntArray, asset: IntArray) -> IntArray:
    """A code per (client, issuer); blank issuers stay apart, each asset its own."""
    code, names = pd.factorize(h["issuer"].str.casefold())
    blank = (h["issuer"] == "").to_numpy(bool)
    pair = client.astype("int64") * (len(names) + 1) + code
    alone = (int(client.max()) + 1 if len(client) else 0) * (len(names) + 1) + asset
    return np.unique(np.where(blank, alone, pair), return_inverse=True)[1].astype("intp")


def _insured(p: Positions, framework: Framework) -> pd.DataFrame:
    """Deposits at one bank above the insured amount: pointed out, never scored."""
    limits = p.clients["currency"].map({k: v for k, v in framework.insured_deposit.items() if not isinstance(v, str)})
    limit = limits.to_numpy("float64", na_value=np.nan)
    deposit = np.append([c == "deposit" for c in framework.class_codes], False)[p.klass] & (
        p.holdings["issuer"] != ""
    ).to_numpy(bool)
    total = np.bincount(p.issuer[deposit], weights=p.value[deposit], minlength=int(p.issuer.max(initial=-1)) + 1)
    over = np.flatnonzero(deposit & (total[p.issuer] > limit[p.client]))
    first = np.sort(over[np.unique(p.issuer[over], return_index=True)[1]])
    who, row = (p.holdings[c].to_numpy()[first] for c in ("client_id", "row"))
    amounts, most = total[p.issuer[first]], limit[p.client[first]]
    facts = {"table": "holdings", "column": "issuer", "code": "insured_amount", "severity": INFO}
    return issue_table(
        {"client_id": w, "row": r, "value": f"{a:.2f}", "mend": f"{m:.0f}", **facts}
        for w, r, a, m in zip(who, row, amounts, most, strict=True)
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
