"""Hands a plan to the verifier: sheets straight from the book's numbers, trades straight from the trade list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import numpy as np

from allocator.analysis import Analysis
from allocator.typing import IntArray
from allocator.verify import Certificate, Item, Loan, Move, Sheet, Verifier


@dataclass(frozen=True)
class Order:
    """One trade as it leaves the house, in cents.

    ``product`` is the row of the shelf for what is not held yet, −1 for a cash account.
    """

    asset_id: str
    side: Literal["buy", "sell", "repay"]
    cents: int
    cost_cents: int
    new: bool = False
    product: int = -1


@dataclass(frozen=True)
class Certifier:
    """Verifies the plans of one book."""

    analysis: Analysis

    @cached_property
    def _verifier(self) -> Verifier:
        return Verifier(self.analysis.framework, self.analysis.assumptions)

    def certify(self, i: int, orders: Iterable[Order], cash_id: str) -> Certificate:
        """Verify the orders of client ``i``; see `allocator.verify`."""
        orders = list(orders)
        moves = [Move(o.asset_id, o.side, _money(o.cents), _money(o.cost_cents)) for o in orders]
        return self._verifier.verify(self.sheet(i, orders, cash_id), moves)

    def sheet(self, i: int, orders: Iterable[Order], cash_id: str) -> Sheet:
        """One client's balance sheet in exact decimals, with the products that the orders bring in."""
        p, d = self.analysis.positions, self.analysis.positions.debts
        rows = range(int(p.start[i]), int(p.start[i + 1]))
        items = [self._held(r, cash_id) for r in rows]
        items += [self._new(o) for o in orders if o.new]
        if cash_id not in {item.asset_id for item in items}:
            items.append(self._new(Order(cash_id, "buy", 0, 0, new=True)))
        spending = p.spending[i]
        return Sheet(
            band=str(p.clients["band"].iloc[i]),
            owner=bool(p.owner[i]),
            loans=tuple(
                Loan(
                    d.debt_id[r],
                    _exact(d.value[r]),
                    _exact(d.service[r]),
                    "" if d.own_use[r] else d.secured_by[r],
                    bool(d.own_use[r]),
                )
                for r in range(int(d.start[i]), int(d.start[i + 1]))
            ),
            spending=None if np.isnan(spending) else _exact(spending),
            cash_flow=_exact(p.cash_flow[i]),
            guarantees=_exact(p.guarantees[i]),
            items=tuple(items),
            cash_id=cash_id,
        )

    def _held(self, r: int, cash_id: str) -> Item:
        a, p = self.analysis, self.analysis.positions
        h = self._labels
        codes = a.framework.class_codes
        mix = p.mix_table[p.mix[r]]
        c = a.framework.classes.get(h["asset_class"][r])
        product = self._products.get(h["product_id"][r]) if h["product_id"][r] else None
        shelf = p.shelf
        is_cash = h["asset_id"][r] == cash_id
        buy, sell = (0.0, 0.0) if is_cash or c is None else (c.buy_cost, c.sell_cost)
        stated = p.grade[r]
        risk = 1 if c is None else c.risk
        available = is_cash
        if product is not None:
            risk = int(shelf["risk"].iloc[product])
            available = available or bool(shelf["available"].iloc[product])
            if not is_cash:
                buy, sell = float(shelf["buy_cost"].iloc[product]), float(shelf["sell_cost"].iloc[product])
        if not np.isnan(stated):  # where issuer and seller disagree the higher grade counts
            risk = max(risk, int(stated))
        return Item(
            asset_id=h["asset_id"][r],
            value=_exact(p.value[r]),
            asset_class=h["asset_class"][r],
            mix=tuple((codes[k], _exact(mix[k])) for k in np.flatnonzero(mix)),
            issuer=h["issuer"][r].casefold(),
            asset=str(p.asset[r]) if self._accounts[p.asset[r]] > 1 else "",
            tradable=bool(p.tradable[r]),
            sellable=_exact(p.sellable[r]),
            indivisible=bool(p.indivisible[r]),
            own_company=bool(p.own[r]),
            buyable=available,
            risk=risk,
            buy_cost=_exact(buy),
            sell_cost=_exact(sell),
        )

    def _new(self, order: Order) -> Item:
        a, shelf = self.analysis, self.analysis.positions.shelf
        if order.product >= 0:
            row = shelf.iloc[order.product]
            issuer = str(row["issuer"]).casefold()
            code = a.framework.class_codes[int(row["klass"])]
            facts: dict[str, Any] = {
                "buyable": bool(row["available"]),
                "risk": int(row["risk"]),
                "buy_cost": _exact(row["buy_cost"]),
                "sell_cost": _exact(row["sell_cost"]),
            }
        else:  # a cash account of one's own needs no shelf and costs nothing
            issuer = ""
            code = next(k for k, x in zip(a.framework.class_codes, a.framework.flag("cash"), strict=True) if x)
            facts = {
                "buyable": True,
                "risk": a.framework.classes[code].risk,
                "buy_cost": Decimal(0),
                "sell_cost": Decimal(0),
            }
        return Item(
            asset_id=order.asset_id,
            value=Decimal(0),
            asset_class=code,
            mix=((code, Decimal(1)),),
            issuer=issuer,
            tradable=True,
            sellable=Decimal(1),
            indivisible=False,
            own_company=False,
            **facts,
        )

    @cached_property
    def _accounts(self) -> IntArray:
        """In how many accounts each asset lies, by its code."""
        return np.bincount(self.analysis.positions.asset)

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        h = self.analysis.positions.holdings
        return {c: h[c].tolist() for c in ("asset_id", "asset_class", "issuer", "product_id")}

    @cached_property
    def _products(self) -> dict[str, int]:
        return {code: j for j, code in enumerate(self.analysis.positions.shelf["product_id"])}


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _money(cents: int) -> Decimal:
    return Decimal(int(cents)).scaleb(-2)
