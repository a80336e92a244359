"""Hands a plan to the verifier: sheets straight from the book's numbers, trades straight from the trade list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, localcontext
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import ConfigError
from allocator.limits import Limit
from allocator.positions import FACTS, facts
from allocator.typing import FloatArray, IntArray
from allocator.verify import Certificate, Item, Loan, Move, Sheet, Verifier
from allocator.verify_sheet import CENT, CONTEXT, ZERO, Term

HOLDING_LABELS: Final = ("asset_id", "asset_class", "issuer", "sector", "country", "currency")
SHELF_FACTS: Final = ("name", "product_id", "issuer", "sector", "country", "currency")
NOISE: Final = Decimal("0.000001")
"""What converting a minimum there and back may add to it: no reason to round it up by a cent."""


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
    tax_cents: int = 0


@dataclass(frozen=True)
class Certifier:
    """Verifies the plans of one book, under the limits that it was analysed with."""

    analysis: Analysis

    @cached_property
    def _verifier(self) -> Verifier:
        a = self.analysis
        return Verifier(a.framework, a.assumptions, a.limit_table.limits)

    def certify(
        self, i: int, orders: Iterable[Order], cash_id: str, *, portfolio_mode: bool = False, hard: bool = False
    ) -> Certificate:
        """Verify the orders of client ``i``; see `allocator.verify`."""
        orders = list(orders)
        moves = [Move(o.asset_id, o.side, _money(o.cents), _money(o.cost_cents), _money(o.tax_cents)) for o in orders]
        sheet = self.sheet(i, orders, cash_id)
        return self._verifier.verify(sheet, moves, portfolio_mode=portfolio_mode, hard=hard)

    def sheet(self, i: int, orders: Iterable[Order], cash_id: str) -> Sheet:
        """One client's balance sheet in exact decimals, with the products that the orders bring in."""
        a, p, d = self.analysis, self.analysis.positions, self.analysis.positions.debts
        new = [o for o in orders if o.new]
        fresh, ids = {o.asset_id for o in new}, self._labels["asset_id"]
        # what is worth nothing is no holding, and a product may bear its name
        rows = [r for r in range(int(p.start[i]), int(p.start[i + 1])) if p.value[r] > 0 or ids[r] not in fresh]
        if cash_id not in {*(ids[r] for r in rows), *fresh}:
            new.append(Order(cash_id, "buy", 0, 0, new=True))
        currency = self._currencies[i]
        items = [self._held(r, cash_id, currency) for r in rows] + [self._new(o, currency) for o in new]
        terms: tuple[tuple[str, Term], ...] = ()
        if self._own:
            frame = self._facts(rows, new, currency)
            items = _counted([x for x in self._own if x.kind == "counted"], items, frame)
            terms = tuple((x.name, _measure(x, frame)) for x in self._own if x.kind == "term")
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
            home_currency=currency,
            home_country=a.framework.home_country.get(currency, ""),
            terms=terms,
        )

    def _held(self, r: int, cash_id: str, currency: str) -> Item:
        a, p, h = self.analysis, self.analysis.positions, self._labels
        c = a.framework.classes.get(h["asset_class"][r])
        product = self._products.get(h["product_id"][r], -1) if h["product_id"][r] else -1
        is_cash = h["asset_id"][r] == cash_id
        facts = self._offer(product, currency)
        if product < 0:
            facts |= {"buyable": is_cash, "risk": 1 if c is None else c.risk}
            if c is not None:
                facts |= {"buy_cost": _exact(c.buy_cost), "sell_cost": _exact(c.sell_cost)}
        if is_cash:
            facts |= {"buyable": True, "buy_cost": ZERO, "sell_cost": ZERO}  # traded at par: there is no gain either
        if not np.isnan(p.grade[r]):  # where issuer and seller disagree the higher grade counts
            facts["risk"] = max(facts["risk"], int(p.grade[r]))
        return Item(
            asset_id=h["asset_id"][r],
            value=_exact(p.value[r]),
            asset_class=h["asset_class"][r],
            mix=self._mix(int(p.mix[r])),
            issuer=h["issuer"][r].casefold(),
            asset=str(p.asset[r]) if self._accounts[p.asset[r]] > 1 else "",
            tradable=bool(p.tradable[r]),
            sellable=_exact(p.sellable[r]),
            indivisible=bool(p.indivisible[r]),
            own_company=bool(p.own[r]),
            basis=None if np.isnan(p.basis[r]) else _exact(p.basis[r]),
            tax_rate=ZERO if c is None or is_cash else _exact(c.tax),
            sector=h["sector"][r],
            country=h["country"][r],
            currency=h["currency"][r],
            sell_first=bool(p.sell_first[r]),
            never_buy=bool(p.never_buy[r]),
            **facts,
        )

    def _new(self, order: Order, currency: str) -> Item:
        facts = self._offer(order.product, currency)
        if order.product >= 0:
            code = self._codes[self._shelf["klass"][order.product]]
            labels = {c: self._shelf[c][order.product] for c in ("issuer", "sector", "country", "currency")}
            labels |= {"issuer": labels["issuer"].casefold(), "currency": labels["currency"] or currency}
        else:  # a cash account of one's own needs no shelf and costs nothing
            code = self._cash_class
            labels = {"issuer": "", "currency": currency}
            facts |= {"buyable": True, "risk": self.analysis.framework.classes[code].risk}
        return Item(
            asset_id=order.asset_id,
            value=ZERO,
            asset_class=code,
            mix=((code, Decimal(1)),),
            tradable=True,
            sellable=Decimal(1),
            indivisible=False,
            own_company=False,
            tax_rate=_exact(self.analysis.framework.classes[code].tax),
            **facts | labels,
        )

    def _offer(self, product: int, currency: str) -> dict[str, Any]:
        """What the shelf says of a product; of none (−1): costs nothing, comes in cents, is not to be bought."""
        if product < 0:
            return {"buyable": False, "risk": 1, "buy_cost": ZERO, "sell_cost": ZERO, "lot": CENT, "minimum": ZERO}
        s, rate = self._shelf, self.analysis.positions.rates.get(currency)
        lot, minimum = s["lot"][product], s["minimum"][product]
        # without a rate for the client's currency nobody can say what a lot is
        judged = rate is not None or not (lot > 0 or minimum > 0)
        return {
            "buyable": bool(s["available"][product]) and judged,
            "risk": int(s["risk"][product]),
            "buy_cost": _exact(s["buy_cost"][product]),
            "sell_cost": _exact(s["sell_cost"][product]),
            "lot": _lot(lot, rate) if rate else CENT,
            "minimum": _minimum(minimum, rate) if rate else ZERO,
        }

    def _facts(self, rows: Sequence[int], new: Sequence[Order], currency: str) -> pd.DataFrame:
        """What users' own limits look at: a row per item of a sheet, as `positions.facts` has it for holdings."""
        held = self._held_facts.iloc[list(rows)]
        more = []
        for order in new:
            on_shelf = order.product >= 0
            code = self._codes[self._shelf["klass"][order.product]] if on_shelf else self._cash_class
            row = {"asset_id": order.asset_id, "name": order.asset_id, "asset_class": code, "currency": currency}
            row |= {"bucket": self.analysis.framework.classes[code].bucket, "own_company": False}
            if on_shelf:
                row |= {c: self._shelf[c][order.product] or row.get(c, "") for c in SHELF_FACTS}
            more.append({c: row.get(c, "") for c in FACTS})
        if not more:
            return held.reset_index(drop=True)
        return pd.concat([held, pd.DataFrame(more).astype(held.dtypes.to_dict())], ignore_index=True)

    def _mix(self, k: int) -> tuple[tuple[str, Decimal], ...]:
        """Class weights of a row of the mix table, without zeros."""
        if k not in self._mixes:
            mix = self.analysis.positions.mix_table[k]
            self._mixes[k] = tuple((self._codes[c], _exact(mix[c])) for c in np.flatnonzero(mix))
        return self._mixes[k]

    @cached_property
    def _mixes(self) -> dict[int, tuple[tuple[str, Decimal], ...]]:
        return {}

    @cached_property
    def _own(self) -> tuple[Limit, ...]:
        """Users' own limits."""
        return tuple(x for x in self.analysis.limit_table.limits if x.kind in ("counted", "term"))

    @cached_property
    def _held_facts(self) -> pd.DataFrame:
        return facts(self.analysis.positions)

    @cached_property
    def _codes(self) -> list[str]:
        return self.analysis.framework.class_codes

    @cached_property
    def _cash_class(self) -> str:
        f = self.analysis.framework
        return next(k for k, x in zip(self._codes, f.flag("cash"), strict=True) if x)

    @cached_property
    def _currencies(self) -> list[str]:
        return [str(c) for c in self.analysis.positions.clients["currency"]]

    @cached_property
    def _accounts(self) -> IntArray:
        """In how many accounts each asset lies, by its code."""
        return np.bincount(self.analysis.positions.asset)

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        h = self.analysis.positions.holdings
        return {c: h[c].tolist() for c in (*HOLDING_LABELS, "product_id")}

    @cached_property
    def _shelf(self) -> dict[str, list[Any]]:
        return {str(c): x.tolist() for c, x in self.analysis.positions.shelf.items()}

    @cached_property
    def _products(self) -> dict[str, int]:
        return {code: j for j, code in enumerate(self._shelf["product_id"])}


def _counted(limits: Sequence[Limit], items: Sequence[Item], frame: pd.DataFrame) -> list[Item]:
    """Say on each item how much of it counts in each of the limits.

    Raises
    ------
    ConfigError
        What a limit counts is no number from 0 to 1 for each row.
    """
    parts = [_parts(limit, frame) for limit in limits]
    names = [limit.name for limit in limits]
    return [
        replace(item, counted=tuple(zip(names, (_exact(part[k]) for part in parts), strict=True)))
        for k, item in enumerate(items)
    ]


def _parts(limit: Limit, frame: pd.DataFrame) -> FloatArray:
    if limit.counts is None:
        raise ConfigError(f"limit '{limit.name}' counts nothing: make it with allocator.limit(..., counts=...)")
    out = np.asarray(limit.counts(frame.copy()), dtype="float64")
    if out.shape != (len(frame),) or not ((out >= 0) & (out <= 1)).all():
        raise ConfigError(f"limit '{limit.name}': counts must give a number from 0 to 1 for each row of the facts")
    return out


def _measure(limit: Limit, frame: pd.DataFrame) -> Term:
    """The user's term as a function of the money per item: their definition, with plain numbers in it."""

    def measure(money: Sequence[Decimal]) -> Decimal:
        import cvxpy as cp

        if limit.term is None:
            raise ConfigError(f"limit '{limit.name}' has no term: make it with allocator.limit(..., term=...)")
        amounts = np.array([float(x) for x in money])
        inside = amounts != 0
        if not inside.any():
            return ZERO
        found = limit.term(cp.Constant(amounts[inside]), frame[inside].reset_index(drop=True))
        return _exact(np.asarray(found.value, dtype="float64").item())

    return measure


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _money(cents: int) -> Decimal:
    return Decimal(int(cents)).scaleb(-2)


def _lot(lot: float, rate: float) -> Decimal:
    """A lot in the client's currency: whole cents, at least one."""
    with localcontext(CONTEXT):
        return max((_exact(lot) / _exact(rate)).quantize(CENT, ROUND_HALF_EVEN), CENT)


def _minimum(minimum: float, rate: float) -> Decimal:
    """A minimum in the client's currency, rounded up to the cent."""
    with localcontext(CONTEXT):
        return (_exact(minimum) / _exact(rate)).quantize(NOISE, ROUND_HALF_EVEN).quantize(CENT, ROUND_CEILING)
