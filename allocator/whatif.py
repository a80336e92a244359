"""What if: one thing about one client changed, as plain functions from a book to a book."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.assumptions import Assumptions
from allocator.book import Book
from allocator.cells import blank
from allocator.errors import ConfigError, InputError
from allocator.schema import HOLDINGS, RESTRICTIONS

SOURCE: Final = "what-if"
"""File and source that a changed row or figure names."""


def with_band(book: Book, client_id: str, band: str) -> Book:
    """Put a client in another risk band (a code or label of the framework).

    Parameters
    ----------
    book, client_id
        The book, and which client; neither is changed.
    band
        Code or label of a band.

    Returns
    -------
    Book
        Another book, the same but for this.

    Raises
    ------
    InputError
        No such client, or a book of several clients that says nobody's band: then nobody else would have one.
    """
    if "clients.risk_band" not in book.given and len(book.clients) > 1:
        raise InputError("this book has no risk bands; take book.client(client_id) first, or add the column risk_band")
    return _client(book, client_id, "risk_band", band)


def with_spending(book: Book, client_id: str, monthly: float) -> Book:
    """Change what a client spends a month, in the client's currency.

    Parameters
    ----------
    book, client_id
        The book, and which client; neither is changed.
    monthly
        Spending a month, in the client's currency, 0 or more.

    Returns
    -------
    Book
        Another book, the same but for this.

    Raises
    ------
    InputError
        No such client, or an amount below zero.
    """
    return _client(book, client_id, "monthly_spending", _amount(monthly, "monthly spending"))


def with_cash_flow(book: Book, client_id: str, amount: float) -> Book:
    """Change the money that is due now: new money above zero, a withdrawal below.

    Parameters
    ----------
    book, client_id
        The book, and which client; neither is changed.
    amount
        In the client's currency.

    Returns
    -------
    Book
        Another book, the same but for this.

    Raises
    ------
    InputError
        No such client, or no finite amount.
    """
    if not math.isfinite(amount):
        raise InputError("the cash flow must be a finite amount: new money above zero, a withdrawal below")
    return _client(book, client_id, "cash_flow", float(amount))


def with_restriction(book: Book, client_id: str, asset_id: str, restriction: str) -> Book:
    """Give a holding another instruction: ``never_sell``, ``never_buy``, ``sell_first``, or ``""`` for none.

    Several are joined by ``|``, as in the holdings table.

    Parameters
    ----------
    book, client_id
        The book, and which client; neither is changed.
    asset_id
        The holding, in every account it lies in.
    restriction
        One of the instructions, several joined by ``|``, or ``""``.

    Returns
    -------
    Book
        Another book, the same but for this.

    Raises
    ------
    InputError
        No such client or holding.
    ConfigError
        No such restriction.
    """
    if restriction and not set(restriction.split("|")) <= set(RESTRICTIONS):
        raise ConfigError(f"unknown restriction '{restriction}'; allowed: {', '.join(RESTRICTIONS)}, or '' for none")
    rows = _holding(book, client_id, asset_id)
    changed = book.holdings["restriction"].mask(rows, restriction)
    return replace(
        book, holdings=book.holdings.assign(restriction=changed), given=book.given | {"holdings.restriction"}
    )


def with_purchase(
    book: Book, client_id: str, what: str, amount: float, *, asset_class: str = "", paid_from: str = ""
) -> Book:
    """Let a client buy something before anything is planned.

    Parameters
    ----------
    book, client_id
        The book, and whose purchase it is.
    what
        ``product_id`` of a product of the book, ``asset_id`` of a holding of which more is bought, or the name of
        something new, which then needs an ``asset_class``.
    amount
        What it is worth; in the currency of the holding that pays, or of the product, or of the client. Costs of the
        purchase are not counted.
    asset_class
        Of something new: code or label.
    paid_from
        ``asset_id`` of the holding that pays; empty for money that comes from outside.

    Returns
    -------
    Book

    Raises
    ------
    InputError
        No such client, holding or product; or more than the holding that pays is worth.
    """
    size = _amount(amount, "the purchase")
    holdings, currency = book.holdings, ""
    mine = (holdings["client_id"] == client_id).to_numpy()
    if paid_from:
        pays = _holding(book, client_id, paid_from)
        have = float(holdings.loc[pays, "value"].sum())
        if size > have:
            raise InputError("the holding that pays is worth less than the purchase; take a smaller amount or another")
        currency = str(holdings.loc[pays, "currency"].iloc[0])
        left = holdings["value"] * (1.0 - size / have if have else 0.0)
        holdings = holdings.assign(value=holdings["value"].mask(pays, left))
    held = np.flatnonzero(mine & ((holdings["asset_id"] == what) | (holdings["product_id"] == what)).to_numpy())
    if len(held):
        if paid_from and str(holdings["currency"].iloc[held[0]]) != currency:
            raise InputError("what is bought and what pays are in different currencies; let a holding in the same pay")
        first = np.arange(len(holdings)) == held[0]
        return replace(book, holdings=holdings.assign(value=holdings["value"].mask(first, holdings["value"] + size)))
    new = _new(book, client_id, what, asset_class) | {"value": size}
    if paid_from:
        new["currency"] = currency
    row = pd.DataFrame({c.name: blank(c, 1) for c in HOLDINGS}).assign(**new, row=np.int64(0), file=SOURCE)
    row = row[holdings.columns].astype(holdings.dtypes.to_dict())
    return replace(book, holdings=pd.concat([holdings, row], ignore_index=True))


def with_view(assumptions: Assumptions, factor: str, mean: float) -> Assumptions:
    """Take another expected return for one risk factor: a view of the house. Volatilities and correlations stay.

    Parameters
    ----------
    assumptions
        From `load_assumptions`; they are not changed.
    factor
        Name of a risk factor, such as ``equity``.
    mean
        Its expected return a year, a fraction above −1.

    Returns
    -------
    Assumptions
        Other assumptions, the same but for this.

    Raises
    ------
    ConfigError
        No such factor, or a return of −100% or less.
    """
    if factor not in assumptions.factors:
        raise ConfigError(f"unknown factor '{factor}'; allowed: {', '.join(assumptions.factors)}")
    if not mean > -1.0 or not math.isfinite(mean):
        raise ConfigError("an expected return is a fraction above -1, such as 0.06 for 6% a year")
    held = assumptions.factors[factor].model_copy(update={"mean": float(mean), "mean_source": "view of the house"})
    return assumptions.model_copy(update={"factors": assumptions.factors | {factor: held}})


def _client(book: Book, client_id: str, column: str, value: Any) -> Book:
    rows = (book.clients["client_id"] == client_id).to_numpy()
    if not rows.any():
        raise InputError("no such client in this book; see the client_id column, capitals and leading zeros count")
    changed = book.clients.assign(**{column: book.clients[column].mask(rows, value)})
    return replace(book, clients=changed, given=book.given | {f"clients.{column}"})


def _holding(book: Book, client_id: str, asset_id: str) -> Any:
    """Rows of a holding: one for each account."""
    h = book.holdings
    rows = ((h["client_id"] == client_id) & (h["asset_id"] == asset_id)).to_numpy()
    if not rows.any():
        raise InputError("the client has no such holding; see the asset_id column of book.client(client_id).holdings")
    return rows


def _new(book: Book, client_id: str, what: str, asset_class: str) -> dict[str, Any]:
    """Cells of a holding that is not there yet."""
    if not (book.clients["client_id"] == client_id).any():
        raise InputError("no such client in this book; see the client_id column, capitals and leading zeros count")
    base: dict[str, Any] = {"client_id": client_id, "asset_id": what, "name": what, "asset_class": asset_class}
    if asset_class:
        return base
    found = book.products[book.products["product_id"] == what]
    if not len(found):
        raise InputError("no such product in the book and no such holding of the client; name an asset_class")
    p = found.iloc[0]
    same = ("name", "asset_class", "issuer", "sector", "country", "currency")
    return base | {c: p[c] for c in same} | {"product_id": what, "product_risk": p["risk"]}


def _amount(amount: float, what: str) -> float:
    if not (math.isfinite(amount) and amount >= 0):
        raise InputError(f"{what} must be an amount of zero or more")
    return float(amount)
