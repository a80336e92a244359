"""Facts of the instruments of a book that limits on labels and users' own limits look at, made once for all clients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from allocator.limits import Limit
from allocator.measure_limits import counted
from allocator.positions import FACTS
from allocator.rebalance.book.flat import Flat
from allocator.rebalance.book.labels import Labels
from allocator.rebalance.context import Context
from allocator.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Facts:
    """Facts of instruments, by their places in a `Flat`; each is made when a limit first asks for it."""

    flat: Flat
    context: Context

    @cached_property
    def _codes(self) -> dict[str, IntArray]:
        return {}

    @cached_property
    def _counted(self) -> dict[str, FloatArray]:
        return {}

    def codes(self, name: str) -> IntArray:
        """Code of each instrument's ``sector``, ``country`` or ``currency``; −1 where it is blank, at home or a debt's.

        Labels are compared stripped and in small letters, as `allocator.measure_limits.labels` has it.
        """
        if name not in self._codes:
            self._codes[name] = self._labelled(name)
        return self._codes[name]

    def counted(self, limit: Limit) -> FloatArray:
        """How much of each instrument counts to a user's own limit, 0 to 1; 0 for a debt.

        Raises
        ------
        ConfigError
            ``counts`` gives something that cannot be measured.
        """
        if limit.key not in self._counted:
            out = np.zeros(len(self.flat))
            assets = self.flat.counts > 0
            out[assets] = counted(limit, self._frame)
            self._counted[limit.key] = out
        return self._counted[limit.key]

    def _labelled(self, name: str) -> IntArray:
        x, p, f = self.flat, self.context.analysis.positions, self.context.analysis.framework
        words: dict[str, int] = {"": 0}

        def coded(texts: pd.Series) -> IntArray:
            found, distinct = pd.factorize(texts)
            codes = [words.setdefault(str(w).strip().casefold(), len(words)) for w in distinct]
            return np.array([*codes, 0], dtype="intp")[found]

        own = p.clients["currency"]
        held, offered = coded(p.holdings[name]), coded(p.shelf[name])
        away = {"currency": own, "country": own.map(f.home_country).fillna("")}
        home = coded(away[name])[x.who][x.client] if name in away else np.zeros(len(x), dtype="intp")
        out = home if name == "currency" else np.zeros(len(x), dtype="intp")  # an account is in the client's own
        fresh = (x.holding < 0) & (x.product >= 0)
        out = np.where(x.holding >= 0, np.append(held, 0)[x.holding], out)
        out = np.where(fresh, np.append(offered, 0)[x.product], out)
        return np.where((out == 0) | (out == home) | (x.debt >= 0), -1, out).astype("intp")

    @cached_property
    def _frame(self) -> pd.DataFrame:
        """`allocator.positions.FACTS` of what is no debt, one row per instrument, as `instruments` has them."""
        x, a = self.flat, self.context.analysis
        f, p, labels = a.framework, a.positions, Labels(self.flat, self.context)
        rows = np.flatnonzero(x.counts)
        holding, product = x.holding[rows], x.product[rows]
        fresh = (holding < 0) & (product >= 0)
        codes = np.array([*f.class_codes, ""], dtype=object)
        buckets = np.array([*(c.bucket for c in f.classes.values()), ""], dtype=object)
        out = {"asset_id": labels.asset_id(rows), "name": labels.name(rows), "product_id": labels.product_id(rows)}
        out |= {"asset_class": codes[x.klass[rows]], "bucket": buckets[x.klass[rows]], "issuer": labels.issuer(rows)}
        home = p.clients["currency"].to_numpy(dtype=object)[x.who][x.client[rows]]
        for name in ("sector", "country", "currency"):
            texts = home.copy() if name == "currency" else np.full(len(rows), "", dtype=object)
            texts[holding >= 0] = self.context.holdings[name][holding[holding >= 0]]
            texts[fresh] = p.shelf[name].to_numpy(dtype=object)[product[fresh]]
            out[name] = texts
        out["own_company"] = np.where(holding >= 0, np.append(p.own, False)[holding], False)
        return pd.DataFrame(out)[list(FACTS)]
