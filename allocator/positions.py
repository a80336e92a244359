"""A book as numbers: one array per column, holdings sorted by client, money in each client's currency.

Names become integer codes once, here at the edge; everything behind works on codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.debts import Debts
from allocator.framework import Framework
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

FAMILY: Final = ("income", "dependants", "age", "insurance_cover")
"""Columns of the clients table that are carried along for the household; NaN where unknown."""

FACTS: Final = (
    "asset_id",
    "name",
    "asset_class",
    "bucket",
    "product_id",
    "issuer",
    "sector",
    "country",
    "currency",
    "own_company",
)
"""What users' own limits look at, one row per holding or product: texts, empty where unknown, and one flag."""


@dataclass(frozen=True)
class Positions:
    """What clients have and owe. Client arrays have length n, holding arrays length m; holdings are sorted by client.

    Attributes
    ----------
    clients
        n rows: ``client_id, band, currency, advisor, tier`` and `FAMILY`.
    holdings
        m rows of text: ``client_id, asset_id, name, asset_class, bucket, rule, product_id, issuer, sector, country,
        currency``, and the number ``row``. Sector and country are the holding's own or else those of its product; the
        currency is that of the row, or else the client's.
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
    quantity
        Units held of each holding, NaN where the data state neither a quantity nor a price.
    issuer, asset
        Codes, unique over the book: of the issuer (a holding without one has a code of its own), and of the asset,
        which may lie in several accounts.
    grade
        Product risk of the holding as the data state it, NaN unknown.
    own, tradable, locked, indivisible
        Own company; not locked or pledged; the client's data say that it cannot be sold now (locked, pledged, sellable
        0 or never to be sold); sold whole or not at all.
    pace, sellable
        Fraction that can be sold in one plan when nothing locks it (0 for what is never to be sold), and the fraction
        that can be sold in this one.
    until, pledged
        What locks it: the day from which it can be sold (NaT: none is given), pledged as collateral.
    never_buy, sell_first
        Instructions for this holding; never to be sold is ``pace`` 0.
    basis, tax
        What was paid, in the client's currency to the cent, NaN unknown; and the fraction of an amount sold that goes
        in tax: the class's rate on the part of the value that is gain, 0 where the basis is unknown.
    shelf
        What can be bought, see `shelf.build_shelf`; minimum and lot in the base currency.
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
    quantity: FloatArray
    issuer: IntArray
    asset: IntArray
    grade: FloatArray
    own: BoolArray
    tradable: BoolArray
    locked: BoolArray
    pace: FloatArray
    sellable: FloatArray
    until: AnyArray
    pledged: BoolArray
    never_buy: BoolArray
    sell_first: BoolArray
    indivisible: BoolArray
    basis: FloatArray
    tax: FloatArray
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


def facts(p: Positions, rows: slice = slice(None)) -> pd.DataFrame:
    """List what users' own limits look at: one row per holding, columns `FACTS`; ``own_company`` is true or false."""
    return p.holdings.iloc[rows].assign(own_company=p.own[rows])[list(FACTS)]


def gain_tax(rate: FloatArray, value: FloatArray, basis: FloatArray) -> FloatArray:
    """Fraction of an amount sold that goes in tax: the rate on realised gains times the part of the value that is gain.

    Parameters
    ----------
    rate, value, basis
        Tax on a gain as a fraction of it; money; what was paid for it, NaN unknown.

    Returns
    -------
    numpy.ndarray
        0 where the basis is unknown, nothing is held, or there is a loss.
    """
    gain = np.divide(value - basis, value, out=np.zeros(len(value)), where=value > 0)
    return np.asarray(rate * np.clip(np.nan_to_num(gain), 0.0, 1.0))


def class_tax(framework: Framework) -> FloatArray:
    """Tax on realised gains per class, and 0 for what is unclassified."""
    return np.append([c.tax for c in framework.classes.values()], 0.0)
