"""Names of the instruments of a book, made for those that are traded alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from allocator.rebalance.book.flat import Flat
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import NEW_ACCOUNT
from allocator.typing import AnyArray, IntArray


@dataclass(frozen=True)
class Labels:
    """Texts of instruments, by their places in a `Flat`."""

    flat: Flat
    context: Context

    @cached_property
    def _held(self) -> dict[str, AnyArray]:
        h = self.context.analysis.positions.holdings
        return {c: h[c].to_numpy(dtype=object) for c in ("asset_id", "name", "product_id", "issuer")}

    @cached_property
    def _shelf(self) -> dict[str, AnyArray]:
        s = self.context.analysis.positions.shelf
        return {c: s[c].to_numpy(dtype=object) for c in ("product_id", "name", "issuer")}

    def _text(self, rows: IntArray, held: str, shelf: str, debt: list[str], account: str) -> AnyArray:
        x = self.flat
        out = np.full(len(rows), account, dtype=object)
        holding, product, owed = x.holding[rows], x.product[rows], x.debt[rows]
        fresh = (holding < 0) & (product >= 0)
        out[holding >= 0] = self._held[held][holding[holding >= 0]]
        out[fresh] = self._shelf[shelf][product[fresh]]
        if debt:
            out[owed >= 0] = np.array(debt, dtype=object)[owed[owed >= 0]]
        return out

    def asset_id(self, rows: IntArray) -> AnyArray:
        """Ids; a product that is called like a holding is told from it."""
        x, p = self.flat, self.context.analysis.positions
        out = self._text(rows, "asset_id", "product_id", p.debts.debt_id, NEW_ACCOUNT)
        new = np.flatnonzero((x.holding[rows] < 0) & (x.debt[rows] < 0))
        while len(new):
            pairs = pd.MultiIndex.from_arrays([x.who[x.client[rows[new]]], out[new]])
            new = new[pairs.isin(self._taken)]
            out[new] = np.array([f"{t} (new)" for t in out[new]], dtype=object)
        return out

    @cached_property
    def _taken(self) -> pd.MultiIndex:
        """Client and id of holdings that are called like a product or a new account."""
        x, p = self.flat, self.context.analysis.positions
        codes, words = pd.factorize(p.holdings["asset_id"])
        stems = {*self._shelf["product_id"], NEW_ACCOUNT}
        like = np.array([str(w).removesuffix(" (new)") in stems for w in words] + [False], dtype=bool)[codes]
        held = np.zeros(len(p.value), dtype=bool)
        held[x.holding[x.holding >= 0]] = True
        rows = np.flatnonzero(like & held)
        return pd.MultiIndex.from_arrays([p.client[rows], self._held["asset_id"][rows]])

    def name(self, rows: IntArray) -> AnyArray:
        """What clients call them."""
        f = self.context.analysis.framework
        code = f.class_codes[self.context.cash_class]
        words = next((y for y in f.products.values() if y.asset_class == code), f.classes[code])
        return self._text(rows, "name", "name", self.context.analysis.positions.debts.kind, f"{words.zh} {words.en}")

    def product_id(self, rows: IntArray) -> AnyArray:
        """Products; empty for what is none."""
        return self._text(rows, "product_id", "product_id", [""] * len(self.context.analysis.positions.debts.kind), "")

    def issuer(self, rows: IntArray) -> AnyArray:
        """Issuers, empty where unknown."""
        return self._text(rows, "issuer", "issuer", [""] * len(self.context.analysis.positions.debts.kind), "")
