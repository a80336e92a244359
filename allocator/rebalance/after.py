"""Positions after the trades of all plans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.positions import Positions, class_tax, gain_tax
from allocator.rebalance.lines import Lines
from allocator.typing import AnyArray, FloatArray, IntArray


def positions_after(analysis: Analysis, lines: Lines) -> Positions:
    """Positions once the trades are done; what is new comes behind each client's own holdings, the cash flow is spent.

    A holding sold whole stays with value 0, so that nothing disappears from sight. What was paid for a holding grows by
    what is bought and falls in proportion to what is sold.
    """
    p = analysis.positions
    value, owed = np.rint(p.value * 100), np.rint(p.debts.value * 100)
    rates = class_tax(analysis.framework)
    repaid, held = lines.debt >= 0, lines.holding >= 0
    signed = np.where(lines.side == "sell", -lines.cents, lines.cents).astype("float64")
    np.add.at(owed, lines.debt[repaid], -signed[repaid])
    np.add.at(value, lines.holding[held], signed[held])
    new = lines.take(np.flatnonzero(~repaid & ~held))
    planned = np.zeros(len(p), dtype=bool)
    planned[lines.client] = True
    left = np.divide(owed / 100, p.debts.value, out=np.ones(len(owed)), where=p.debts.value > 0)
    debts = replace(p.debts, value=owed / 100, service=np.round(p.debts.service * left, 2))
    p = replace(p, debts=debts, cash_flow=np.where(planned, 0.0, p.cash_flow))
    basis, units = _paid(p, value / 100), _units(p, value / 100)
    if not len(new):
        tax = gain_tax(rates[p.klass], value / 100, basis)
        return replace(p, value=value / 100, quantity=units, basis=basis, tax=tax)
    client = np.concatenate([p.client, new.client])
    order = np.argsort(client, kind="stable")
    f = analysis.framework
    codes = np.array(f.class_codes, dtype=object)
    buckets = np.array([c.bucket for c in f.classes.values()], dtype=object)
    rows = pd.DataFrame(
        {
            "client_id": p.clients["client_id"].take(new.client).array,
            "asset_id": new.asset_id,
            "name": new.name,
            "asset_class": codes[new.klass],
            "bucket": buckets[new.klass],
            "rule": "product",
            "product_id": new.product_id,
            "issuer": new.issuer_name,
            **_labels(p, new),
            "row": 0,
        }
    )
    bought = new.cents / 100
    pace = np.array([c.sellable for c in f.classes.values()])[new.klass]

    def stacked(old: AnyArray, more: AnyArray) -> AnyArray:
        return np.concatenate([old, more])[order]

    count = len(new)
    none = np.zeros(count, dtype=bool)
    amounts, costs = stacked(value / 100, bought), stacked(basis, bought)
    rows = rows.astype({c: p.holdings[c].dtype for c in rows})
    return replace(
        p,
        holdings=pd.concat([p.holdings, rows], ignore_index=True).take(order).reset_index(drop=True),
        client=client[order],
        start=np.searchsorted(client[order], np.arange(len(p) + 1)),
        klass=stacked(p.klass, new.klass),
        mix=stacked(p.mix, new.klass),
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
        tax=gain_tax(np.concatenate([rates[p.klass], rates[new.klass]])[order], amounts, costs),
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


def _labels(p: Positions, new: Lines) -> dict[str, AnyArray]:
    """Sector, country and currency of what is new: those of the product; a generic one is in the client's currency."""
    home = p.clients["currency"].to_numpy(dtype=object)[new.client]
    out = {c: np.append(p.shelf[c].to_numpy(dtype=object), "")[new.product] for c in ("sector", "country", "currency")}
    return out | {"currency": np.where(out["currency"] == "", home, out["currency"])}


def _issuer_codes(new: Lines, free: int) -> IntArray:
    """Issuer codes of new holdings: that of the client's holdings of the same issuer, else codes not used yet."""
    out = new.issuer.copy()
    fresh = np.flatnonzero(out < 0)
    if len(fresh):
        pairs = np.stack([new.client[fresh], out[fresh]])
        out[fresh] = free + np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)
    return out
