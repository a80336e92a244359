"""What clients owe, sorted by client: which debts count, what secures them, what they cost a year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from allocator.book import Book
from allocator.currency import convert, rate_between
from allocator.framework import OWN_USE, Framework
from allocator.names import unique_within
from allocator.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Debts:
    """One entry per debt (length d), in the client's currency.

    Attributes
    ----------
    client, start
        Client of each debt; first debt of each client (length n + 1).
    debt_id, kind
        Name unique within the client, and what the client calls it.
    value, service
        Outstanding; interest and principal a year.
    own_use
        Secured on an asset outside the buckets: no part of D.
    secured_by
        ``asset_id`` of what secures it, empty for none.
    """

    client: IntArray
    start: IntArray
    debt_id: list[str]
    kind: list[str]
    value: FloatArray
    service: FloatArray
    own_use: BoolArray
    secured_by: list[str]

    def per_client(self, amounts: FloatArray) -> FloatArray:
        """Sum debt amounts by client."""
        return np.bincount(self.client, weights=amounts, minlength=len(self.start) - 1).astype("float64")


def build_debts(
    book: Book, framework: Framework, class_ix: IntArray, currency: pd.Series, rates: dict[str, float]
) -> tuple[Debts, pd.DataFrame]:
    """Turn the debts table into numbers.

    Parameters
    ----------
    book, framework
        The tables, and where own-use classes are told.
    class_ix
        Class of each row of ``book.holdings``.
    currency, rates
        Currency of each client; base currency per unit of each currency.

    Returns
    -------
    (debts, issues)
        Rows whose currency has no rate are set aside with an issue.
    """
    d = book.debts
    ids = pd.Index(book.clients["client_id"])
    value, issues = convert(d, "debts", ids, currency, rates)
    who = ids.get_indexer(pd.Index(d["client_id"]))
    keep = np.flatnonzero(np.isfinite(value))
    order = keep[np.argsort(who[keep], kind="stable")]
    rate = rate_between(d, ids, currency, rates)
    outside = np.append([c.bucket == OWN_USE for c in framework.classes.values()], False)[class_ix]
    secured = (d["secured_by"] != "").to_numpy(bool)
    own_use = secured.copy()
    if secured.any():  # names are put together only where a debt names one
        key = book.holdings["client_id"][outside] + "\x1f" + book.holdings["asset_id"][outside]
        own_use[secured] = (d["client_id"][secured] + "\x1f" + d["secured_by"][secured]).isin(key).to_numpy(bool)
    t = d.iloc[order]
    kind = t["kind"].where(t["kind"] != "", "debt").reset_index(drop=True)
    names = unique_within(pd.Series(who[order]), kind)
    return Debts(
        client=who[order],
        start=np.searchsorted(who[order], np.arange(len(ids) + 1)),
        debt_id=names.tolist(),
        kind=kind.tolist(),
        value=value[order],
        service=np.round(t["annual_payment"].to_numpy("float64") * rate[order], 2),
        own_use=own_use[order],
        secured_by=t["secured_by"].tolist(),
    ), issues
