"""What one client can trade: the holdings inside the buckets, then the shelf, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from allocator.positions import FACTS
from allocator.rebalance.context import Context
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

NEW_ACCOUNT = "CASH"
"""Asset id of a cash account that a plan opens."""

A_CENT = 0.005
"""What is worth less rounds to nothing."""

UNBOUNDED = 10.0
"""More than the total can ever grow to in one plan but for money due, as a fraction of it."""

ENDLESS = 1e9
"""Of what may be bought without end; the programme bounds purchases by the money that there is."""


@dataclass(frozen=True)
class Instruments:
    """Arrays over n instruments of one client: holdings, products, perhaps a new cash account, debts to repay.

    Money is in fractions of the total, except minimum and lot.

    Attributes
    ----------
    asset_id, name, product_id
        Labels.
    holding, debt
        Row in `Positions.holdings` and in `Positions.debts`; −1 for what is not held, or no debt.
    klass, mix, risk
        Class, mix and risk grade; a debt has the class and mix of nothing.
    w0, sellable
        Weight today, and what of it can be sold in this plan. A debt begins at 0 and grows by what is repaid.
    buyable, most
        1 where it can be bought at all (an open product on the house shelf, the cash account, a debt), and the most
        that can be.
    on_shelf
        It is a product, open or not.
    buy_cost, sell_cost, tax
        Fractions of the amount.
    minimum, lot
        In whole cents of the client's currency, as money: the smallest first purchase, and what amounts are multiples
        of.
    sell_first
        The client wants it sold before others.
    named, issuer, asset, issuer_name, reserve, locked, indivisible
        As in `Exposures` and `Positions`; ``reserve`` is 1 where it counts as liquid reserve.
    facts
        What limits on labels and users' own limits look at: `allocator.positions.FACTS`, one row per instrument; empty
        where there is no such limit.
    at_par
        Cash: traded at par, without costs.
    service
        Payments a year that each unit repaid saves.
    secures
        Pairs (debt, holding): when the holding is sold, its part of the debt is repaid. What is worth less than
        `A_CENT` cannot be sold.
    cash
        Place of the cash account.
    inside
        The part inside the buckets: 1 but for a fund that is looked through, 0 for debts.
    """

    asset_id: list[str]
    name: list[str]
    product_id: list[str]
    holding: IntArray
    debt: IntArray
    klass: IntArray
    mix: IntArray
    risk: FloatArray
    w0: FloatArray
    sellable: FloatArray
    buyable: FloatArray
    most: FloatArray
    on_shelf: BoolArray
    buy_cost: FloatArray
    sell_cost: FloatArray
    tax: FloatArray
    minimum: FloatArray
    lot: FloatArray
    named: BoolArray
    issuer: IntArray
    asset: IntArray
    issuer_name: list[str]
    reserve: FloatArray
    at_par: BoolArray
    locked: BoolArray
    indivisible: BoolArray
    sell_first: BoolArray
    service: FloatArray
    secures: tuple[tuple[int, int], ...]
    cash: int
    inside: FloatArray
    facts: pd.DataFrame = field(repr=False)

    def __len__(self) -> int:
        return len(self.w0)

    @property
    def counts(self) -> FloatArray:
        """1 for what is part of the total, 0 for debts."""
        return np.asarray(self.debt < 0, dtype="float64")

    @property
    def leaving(self) -> FloatArray:
        """What a sale takes of the amount, costs and tax together."""
        return self.sell_cost + self.tax


Columns = dict[str, AnyArray]


def instruments(i: int, context: Context) -> Instruments:
    """List what client ``i`` can trade.

    A product that the client holds already is bought under the name of that holding. Leftovers go to the largest
    unlocked holding at par and without costs, deposits first, or else to a new cash account.
    """
    p = context.analysis.positions
    total = float(context.analysis.exposures.total[i])
    rows = np.arange(p.start[i], p.start[i + 1])
    # what is worth nothing is nothing, unless it is a product that may be bought again under its name
    there = (p.value[rows] > 0) | np.isin(context.products[rows], list(context.shelf_places))
    rows = rows[(context.inside[p.mix[rows]] > 0) & there]
    held, match = _held(rows, context, total)
    at_par = (context.by_class["cash"].to_numpy()[p.klass[rows]] > 0) & p.tradable[rows] & ~p.never_buy[rows]
    parts = [held, _offered(match, context)]
    cash = len(rows) + len(parts[1]["klass"])
    if at_par.any():
        first = np.lexsort((-p.value[rows], p.klass[rows] != context.cash_class, ~at_par))[0]
        cash = int(first)
        for name, value in (("buyable", 1.0), *((c, 0.0) for c in ("minimum", "lot", "buy_cost", "sell_cost", "tax"))):
            held[name][cash] = value
    else:
        parts.append(_new_account(context))
    parts.append(_repayments(i, context, total))
    columns: dict[str, Any] = {name: np.concatenate([part[name] for part in parts]) for name in held}
    columns["asset_id"] = _unique(columns["asset_id"], columns["debt"] >= 0)
    rate = p.rates.get(str(p.clients["currency"].iloc[i]), float("nan"))
    columns["buyable"] = np.where(
        np.isnan(rate) & ((columns["minimum"] > 0) | (columns["lot"] > 0)), 0.0, columns["buyable"]
    )  # a lot that cannot be converted cannot be kept
    ids = columns["asset_id"].tolist()
    debts = np.flatnonzero(columns["debt"] >= 0).tolist()
    secured = {j: p.debts.secured_by[int(columns["debt"][j])] for j in debts}
    worth = set(compress(ids, columns["w0"] * total >= A_CENT))
    columns["asset"] = np.where(columns["asset"] < 0, -1 - np.arange(len(columns["asset"])), columns["asset"])
    columns["issuer"] = _issuers(columns["issuer"], columns["issuer_name"])
    texts = {name: columns[name].tolist() for name in ("asset_id", "name", "product_id", "issuer_name")}
    return Instruments(
        **columns
        | texts
        | {
            "minimum": np.nan_to_num(np.ceil(np.round(columns["minimum"] / rate * 100, 6)) / 100),
            "lot": np.maximum(np.nan_to_num(np.round(columns["lot"] / rate, 2)), 0.01),
            "secures": tuple((j, ids.index(s)) for j, s in secured.items() if s in worth),
            "cash": cash,
            "inside": context.inside[columns["mix"]] * (columns["debt"] < 0),
            "facts": _facts(i, columns, context) if context.labelled else pd.DataFrame(),
        }
    )


def _facts(i: int, columns: Columns, context: Context) -> pd.DataFrame:
    """Facts of each instrument: a holding's own, a product's, else those of its class."""
    a = context.analysis
    f, p = a.framework, a.positions
    codes = np.array([*f.class_codes, ""], dtype=object)
    buckets = np.array([*(c.bucket for c in f.classes.values()), ""], dtype=object)
    held, klass = columns["holding"], columns["klass"]
    out = {c: columns[c].astype(object) for c in ("asset_id", "name", "product_id")}
    out |= {"asset_class": codes[klass], "bucket": buckets[klass], "issuer": columns["issuer_name"].astype(object)}
    home = str(p.clients["currency"].iloc[i])
    place = np.array([context.shelf_places.get(x, -1) for x in columns["product_id"]], dtype="intp")
    product = (held < 0) & (place >= 0)
    for name, default in (("sector", ""), ("country", ""), ("currency", home)):
        out[name] = np.full(len(klass), default, dtype=object)
        out[name][held >= 0] = context.holdings[name][held[held >= 0]]
        out[name][product] = p.shelf[name].to_numpy()[place[product]]
    out["own_company"] = np.where(held >= 0, p.own[held], False)
    return pd.DataFrame(out)[list(FACTS)]


def _held(rows: IntArray, context: Context, total: float) -> tuple[Columns, IntArray]:
    """Holdings inside the buckets, and the row of the shelf that each one is (−1: none)."""
    p, shelf = context.analysis.positions, context.analysis.positions.shelf
    places = context.shelf_places
    product = p.holdings["product_id"].to_numpy()[rows]
    match = np.array([places.get(x, -1) for x in product], dtype="intp")
    klass, m = p.klass[rows], len(rows)
    weight = p.value[rows] / total
    sellable = p.sellable[rows] * weight
    out = _blank(m) | {
        "asset_id": p.holdings["asset_id"].to_numpy()[rows],
        "name": p.holdings["name"].to_numpy()[rows],
        "product_id": product,
        "holding": rows,
        "klass": klass,
        "mix": p.mix[rows],
        "w0": weight,
        "sellable": np.where(p.indivisible[rows] & (p.sellable[rows] < 1), 0.0, sellable),
        "issuer": p.issuer[rows],
        "asset": p.asset[rows],
        "issuer_name": p.holdings["issuer"].to_numpy()[rows],
        "named": context.by_class["named"].to_numpy()[klass] > 0,
        "reserve": context.by_class["reserve"].to_numpy()[klass] * p.tradable[rows],
        "at_par": context.by_class["cash"].to_numpy()[klass] > 0,
        "indivisible": p.indivisible[rows],
        "locked": p.locked[rows],
        "on_shelf": match >= 0,
        "sell_first": p.sell_first[rows],
        "tax": p.tax[rows],
    }
    for name, of_product in (("buy_cost", "buy_cost"), ("sell_cost", "sell_cost"), ("risk", "risk")):
        out[name] = context.by_class[name].to_numpy()[klass]
        out[name][match >= 0] = shelf[of_product].to_numpy("float64")[match[match >= 0]]
    out["risk"] = np.fmax(out["risk"], p.grade[rows])  # where issuer and seller disagree the higher grade counts
    for name, of_product in (("minimum", "minimum"), ("lot", "lot"), ("buyable", "available")):
        out[name] = np.zeros(m)
        out[name][match >= 0] = shelf[of_product].to_numpy("float64")[match[match >= 0]]
    out["minimum"][weight > 0] = 0.0  # a minimum is for the first purchase
    out["buyable"][p.never_buy[rows]] = 0.0
    return out, match


def _offered(match: IntArray, context: Context) -> Columns:
    """Products that are not held, without cash accounts: a client has their own."""
    shelf = context.analysis.positions.shelf
    klass = shelf["klass"].to_numpy("intp")
    j = np.flatnonzero(~np.isin(np.arange(len(shelf)), match) & (klass != context.cash_class))
    out = _blank(len(j)) | _of_class(klass[j], context)
    ids = shelf["product_id"].to_numpy()[j]
    out |= {
        "asset_id": ids,
        "product_id": ids,
        "name": shelf["name"].to_numpy()[j],
        "issuer_name": shelf["issuer"].to_numpy()[j],
        "on_shelf": np.ones(len(j), dtype=bool),
    }
    out |= {c: shelf[c].to_numpy("float64")[j] for c in ("buy_cost", "sell_cost", "risk", "minimum", "lot")}
    return out | {"buyable": shelf["available"].to_numpy("float64")[j]}


def _new_account(context: Context) -> Columns:
    """Open a cash account: it needs no shelf and costs nothing."""
    f = context.analysis.framework
    code = f.class_codes[context.cash_class]
    words = next((x for x in f.products.values() if x.asset_class == code), f.classes[code])
    return (
        _blank(1)
        | _of_class(np.array([context.cash_class]), context)
        | {
            "asset_id": np.array([NEW_ACCOUNT], dtype=object),
            "name": np.array([f"{words.zh} {words.en}"], dtype=object),
            "risk": np.array([float(f.classes[code].risk)]),
            "buyable": np.ones(1),
        }
    )


def _repayments(i: int, context: Context, total: float) -> Columns:
    """Debts that count against the total: what is repaid grows from 0 to the debt."""
    d = context.analysis.positions.debts
    rows = np.arange(d.start[i], d.start[i + 1])
    rows = rows[~d.own_use[rows] & (d.value[rows] > 0)]
    nothing = np.full(len(rows), len(context.by_class) - 1)
    return _blank(len(rows)) | {
        "asset_id": np.array([d.debt_id[r] for r in rows], dtype=object),
        "name": np.array([d.kind[r] for r in rows], dtype=object),
        "debt": rows,
        "klass": nothing,
        "mix": nothing,
        "buyable": np.ones(len(rows)),
        "most": d.value[rows] / total,
        "service": d.service[rows] / d.value[rows],
    }


def _issuers(codes: IntArray, names: AnyArray) -> IntArray:
    """Codes of issuers: a product has that of the holdings of the same issuer, or one of its own."""
    known = {str(name).casefold(): int(code) for code, name in zip(codes, names, strict=True) if code >= 0 and name}
    out = codes.copy()
    for j in np.flatnonzero(codes < 0):
        name = str(names[j]).casefold()
        out[j] = known.setdefault(name, -1 - int(j)) if name else -1 - int(j)
    return out


def _unique(ids: AnyArray, debt: BoolArray) -> AnyArray:
    """Tell a product from a holding that happens to be called like it; debts have names of their own."""
    seen: set[str] = set()
    out = ids.copy()
    for j in np.flatnonzero(~debt):
        while out[j] in seen:
            out[j] = f"{out[j]} (new)"
        seen.add(out[j])
    return out


def _of_class(klass: IntArray, context: Context) -> Columns:
    return {
        "klass": klass,
        "mix": klass,
        "named": context.by_class["named"].to_numpy()[klass] > 0,
        "reserve": context.by_class["reserve"].to_numpy()[klass],
        "at_par": context.by_class["cash"].to_numpy()[klass] > 0,
    }


def _blank(n: int) -> Columns:
    """Columns of n instruments that are nothing yet."""
    texts = {c: np.full(n, "", dtype=object) for c in ("asset_id", "name", "product_id", "issuer_name")}
    numbers = {
        c: np.zeros(n)
        for c in (
            "risk",
            "w0",
            "sellable",
            "buyable",
            "buy_cost",
            "sell_cost",
            "tax",
            "minimum",
            "lot",
            "reserve",
            "service",
        )
    }
    flags = {c: np.zeros(n, dtype=bool) for c in ("on_shelf", "named", "at_par", "locked", "indivisible", "sell_first")}
    places = {c: np.full(n, -1, dtype="intp") for c in ("holding", "debt", "klass", "mix", "issuer", "asset")}
    return texts | numbers | flags | places | {"most": np.full(n, ENDLESS)}
