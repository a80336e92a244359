"""Positions after the trades of all plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.positions import Positions, class_tax, gain_tax
from allocator.rebalance.client_plan import ClientPlan, Line
from allocator.typing import AnyArray, FloatArray


def positions_after(analysis: Analysis, plans: Sequence[ClientPlan]) -> Positions:
    """Positions once the trades are done; what is new comes behind each client's own holdings, the cash flow is spent.

    A holding sold whole stays with value 0, so that nothing disappears from sight. What was paid for a holding grows by
    what is bought and falls in proportion to what is sold.
    """
    p = analysis.positions
    value, owed = np.rint(p.value * 100), np.rint(p.debts.value * 100)
    rates = class_tax(analysis.framework)
    new: list[tuple[int, Line]] = []
    for i, plan in enumerate(plans):
        for line in plan.lines:
            if line.debt >= 0:
                owed[line.debt] -= line.order.cents
            elif line.holding >= 0:
                value[line.holding] += line.order.cents * (1 if line.order.side == "buy" else -1)
            else:
                new.append((i, line))
    planned = np.array([bool(x.lines) for x in plans], dtype=bool)
    left = np.divide(owed / 100, p.debts.value, out=np.ones(len(owed)), where=p.debts.value > 0)
    debts = replace(p.debts, value=owed / 100, service=np.round(p.debts.service * left, 2))
    p = replace(p, debts=debts, cash_flow=np.where(planned, 0.0, p.cash_flow))
    basis, units = _paid(p, value / 100), _units(p, value / 100)
    if not new:
        tax = gain_tax(rates[p.klass], value / 100, basis)
        return replace(p, value=value / 100, quantity=units, basis=basis, tax=tax)
    client = np.concatenate([p.client, [i for i, _ in new]])
    order = np.argsort(client, kind="stable")
    codes = analysis.framework.class_codes
    klass = np.array([line.klass for _, line in new], dtype="intp")
    classes = [analysis.framework.classes[codes[k]] for k in klass]
    rows = pd.DataFrame(
        {
            "client_id": p.clients["client_id"].to_numpy()[[i for i, _ in new]],
            "asset_id": [x.order.asset_id for _, x in new],
            "name": [x.name for _, x in new],
            "asset_class": [codes[k] for k in klass],
            "bucket": [c.bucket for c in classes],
            "rule": "product",
            "product_id": [x.product_id for _, x in new],
            "issuer": [x.issuer_name for _, x in new],
            **_labels(p, new),
            "row": 0,
        }
    )
    bought = np.array([float(x.order.cents) for _, x in new]) / 100
    pace = np.array([c.sellable for c in classes])

    def stacked(old: AnyArray, more: AnyArray) -> AnyArray:
        return np.concatenate([old, more])[order]

    count = len(new)
    none = np.zeros(count, dtype=bool)
    amounts, costs = stacked(value / 100, bought), stacked(basis, bought)
    return replace(
        p,
        holdings=pd.concat([p.holdings, rows], ignore_index=True).iloc[order].reset_index(drop=True),
        client=client[order],
        start=np.searchsorted(client[order], np.arange(len(p) + 1)),
        klass=stacked(p.klass, klass),
        mix=stacked(p.mix, klass),
        value=amounts,
        quantity=stacked(units, np.full(count, np.nan)),
        issuer=stacked(p.issuer, _issuer_codes(new, int(p.issuer.max(initial=-1)) + 1)),
        asset=stacked(p.asset, int(p.asset.max(initial=-1)) + 1 + np.arange(count)),
        grade=stacked(p.grade, np.full(count, np.nan)),
        own=stacked(p.own, none),
        tradable=stacked(p.tradable, ~none),
        locked=stacked(p.locked, none),
        pace=stacked(p.pace, pace),
        sellable=stacked(p.sellable, pace),
        until=stacked(p.until, np.full(count, np.datetime64("NaT"), dtype=p.until.dtype)),
        pledged=stacked(p.pledged, none),
        never_buy=stacked(p.never_buy, none),
        sell_first=stacked(p.sell_first, none),
        indivisible=stacked(p.indivisible, none),
        basis=costs,
        tax=gain_tax(np.concatenate([rates[p.klass], rates[klass]])[order], amounts, costs),
    )


def _paid(p: Positions, value: FloatArray) -> FloatArray:
    """What was paid for each holding, once its value has changed by trades; NaN where it is unknown."""
    left = np.divide(value, p.value, out=np.zeros(len(value)), where=p.value > 0)
    paid: FloatArray = np.where(value >= p.value, p.basis + (value - p.value), p.basis * left)
    return np.asarray(np.round(paid, 2), dtype="float64")


def _units(p: Positions, value: FloatArray) -> FloatArray:
    """Units of each holding, once its value has changed by trades at today's price; NaN where there is no price."""
    unit = np.divide(p.quantity, p.value, out=np.full(len(value), np.nan), where=p.value > 0)
    return np.asarray(unit * value, dtype="float64")


def _labels(p: Positions, new: Sequence[tuple[int, Line]]) -> dict[str, list[str]]:
    """Sector, country and currency of what is new: those of the product; a generic one is in the client's currency."""
    products = p.shelf.set_index("product_id")[["sector", "country", "currency"]].to_dict("index")
    home = p.clients["currency"].tolist()
    found = [(home[i], products.get(x.product_id, {})) for i, x in new]
    return {
        "sector": [x.get("sector", "") for _, x in found],
        "country": [x.get("country", "") for _, x in found],
        "currency": [x.get("currency") or own for own, x in found],
    }


def _issuer_codes(new: Sequence[tuple[int, Line]], free: int) -> AnyArray:
    """Issuer codes of new holdings: that of the client's holdings of the same issuer, else codes not used yet."""
    fresh: dict[tuple[int, int], int] = {}
    return np.array([x.issuer if x.issuer >= 0 else fresh.setdefault((i, x.issuer), free + len(fresh)) for i, x in new])
