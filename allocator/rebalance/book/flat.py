"""What the clients of a book can trade, in one set of arrays: `allocator.rebalance.instruments` for many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.rebalance.context import Context
from allocator.rebalance.instruments import A_CENT, ENDLESS
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

Columns = dict[str, AnyArray]


@dataclass(frozen=True)
class Flat:
    """Arrays over the instruments of all clients, one client after the other, in the order of `Instruments`.

    Money is in fractions of each client's total, except minimum and lot, in the client's currency.

    Attributes
    ----------
    who, start
        Clients of the analysis, and the first instrument of each (one more at the end).
    client
        Place of each instrument's client in ``who``.
    holding, debt, product
        Row in the holdings, in the debts, on the shelf; −1 for none. A new cash account has none of the three.
    klass, mix, risk, w0, sellable, buyable, most, buy_cost, sell_cost, tax, minimum, lot, named, reserve, at_par,
    locked, indivisible, sell_first, service, inside
        As in `Instruments`.
    issuer
        Code of the issuer, unique over the book.
    secures
        Of a debt: the instrument that secures it, −1 for none.
    cash
        Of each client: the instrument that leftovers go to.
    asset
        Code of the asset, unique over the book; the accounts of one asset share it.
    shared
        Of each client: how many assets lie in several accounts.
    """

    who: IntArray
    start: IntArray
    client: IntArray
    holding: IntArray
    debt: IntArray
    product: IntArray
    klass: IntArray
    mix: IntArray
    risk: FloatArray
    w0: FloatArray
    sellable: FloatArray
    buyable: FloatArray
    most: FloatArray
    buy_cost: FloatArray
    sell_cost: FloatArray
    tax: FloatArray
    minimum: FloatArray
    lot: FloatArray
    named: BoolArray
    issuer: IntArray
    reserve: FloatArray
    at_par: BoolArray
    locked: BoolArray
    indivisible: BoolArray
    sell_first: BoolArray
    service: FloatArray
    secures: IntArray
    cash: IntArray
    inside: FloatArray
    asset: IntArray
    shared: IntArray

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

    @property
    def sizes(self) -> IntArray:
        """Instruments of each client."""
        return np.diff(self.start)

    def per_client(self, amounts: FloatArray) -> FloatArray:
        """Sum over each client's instruments."""
        return np.bincount(self.client, weights=amounts, minlength=len(self.who)).astype("float64")


def flat_of(who: IntArray, context: Context) -> Flat:
    """List what some clients of an analysis can trade.

    Parameters
    ----------
    who
        Clients, in ascending order.
    context
        What all clients share.
    """
    p = context.analysis.positions
    place = np.full(len(p), -1, dtype="intp")
    place[who] = np.arange(len(who))
    held, match = _held(place, context)
    parts = [held, _offered(match, held["client"], len(who), context), _repayments(place, context)]
    cash_row, new = _cash(held, len(who), context)
    chosen = cash_row[cash_row >= 0]
    held["buyable"][chosen] = 1.0
    for name in ("minimum", "lot", "buy_cost", "sell_cost", "tax"):
        held[name][chosen] = 0.0
    parts.insert(2, _accounts(new, context))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in held}
    order = np.argsort(columns["client"], kind="stable")
    back = np.empty(len(order), dtype="intp")
    back[order] = np.arange(len(order))
    secures = np.where(columns["secures"] >= 0, back[columns["secures"]], -1)
    columns = {name: values[order] for name, values in (columns | {"secures": secures}).items()}
    accounts = len(held["client"]) + len(parts[1]["client"]) + np.arange(len(new))
    cash = cash_row.copy()
    cash[new] = accounts
    currency = p.clients["currency"].map(p.rates).to_numpy("float64", na_value=np.nan)[who]
    rate = currency[columns["client"]]
    apart = np.isnan(rate) & ((columns["minimum"] > 0) | (columns["lot"] > 0))
    asset = columns["asset"]
    free = int(asset.max(initial=-1)) + 1
    columns["asset"] = np.where(asset >= 0, asset, free + np.arange(len(asset)))
    issuer = _issuers(columns.pop("maker"), columns, context)
    return Flat(
        who=who,
        start=np.searchsorted(columns["client"], np.arange(len(who) + 1)),
        issuer=issuer,
        cash=back[cash],
        inside=context.inside[columns["mix"]] * (columns["debt"] < 0),
        shared=_shared(columns["client"], asset, len(who)),
        **columns
        | {
            "buyable": np.where(apart, 0.0, columns["buyable"]),  # a lot that cannot be converted cannot be kept
            "minimum": np.nan_to_num(np.ceil(np.round(columns["minimum"] / rate * 100, 6)) / 100),
            "lot": np.maximum(np.nan_to_num(np.round(columns["lot"] / rate, 2)), 0.01),
        },
    )


def _blank(n: int) -> Columns:
    """Columns of n instruments that are nothing yet."""
    numbers = ("risk", "w0", "sellable", "buyable", "buy_cost", "sell_cost", "tax", "minimum", "lot", "reserve")
    flags = ("named", "at_par", "locked", "indivisible", "sell_first")
    places = ("client", "holding", "debt", "product", "klass", "mix", "asset", "maker", "secures")
    out: Columns = {c: np.zeros(n) for c in (*numbers, "service")}
    out |= {c: np.zeros(n, dtype=bool) for c in flags}
    out |= {c: np.full(n, -1, dtype="intp") for c in places}
    return out | {"most": np.full(n, ENDLESS)}


def _held(place: IntArray, context: Context) -> tuple[Columns, IntArray]:
    """Holdings inside the buckets, and the row of the shelf that each one is (−1: none)."""
    a = context.analysis
    p, shelf = a.positions, a.positions.shelf
    match = context.match
    there = (place[p.client] >= 0) & (context.inside[p.mix] > 0) & ((p.value > 0) | (match >= 0))
    rows = np.flatnonzero(there)
    match, klass, by = match[rows], p.klass[rows], context.class_columns
    weight = p.value[rows] / a.exposures.total[p.client[rows]]
    on = match >= 0
    out = _blank(len(rows)) | {
        "client": place[p.client[rows]],
        "holding": rows,
        "product": match,
        "klass": klass,
        "mix": p.mix[rows],
        "w0": weight,
        "sellable": np.where(p.indivisible[rows] & (p.sellable[rows] < 1), 0.0, p.sellable[rows] * weight),
        "asset": p.asset[rows],
        "maker": p.issuer[rows],
        "named": by["named"][klass] > 0,
        "reserve": by["reserve"][klass] * p.tradable[rows],
        "at_par": by["cash"][klass] > 0,
        "indivisible": p.indivisible[rows],
        "locked": p.locked[rows],
        "sell_first": p.sell_first[rows],
        "tax": p.tax[rows],
    }
    for name in ("buy_cost", "sell_cost", "risk"):
        out[name] = by[name][klass]
        out[name][on] = shelf[name].to_numpy("float64")[match[on]]
    out["risk"] = np.fmax(out["risk"], p.grade[rows])  # where issuer and seller disagree the higher grade counts
    for name, of_product in (("minimum", "minimum"), ("lot", "lot"), ("buyable", "available")):
        out[name][on] = shelf[of_product].to_numpy("float64")[match[on]]
    out["minimum"][weight > 0] = 0.0  # a minimum is for the first purchase
    out["buyable"][p.never_buy[rows]] = 0.0
    return out, match


def _offered(match: IntArray, client: IntArray, n: int, context: Context) -> Columns:
    """Products that are not held, without cash accounts."""
    shelf = context.analysis.positions.shelf
    offered = np.ones((n, len(shelf)), dtype=bool)
    offered[:, shelf["klass"].to_numpy("intp") == context.cash_class] = False
    offered[client[match >= 0], match[match >= 0]] = False
    who, j = np.nonzero(offered)
    out = _blank(len(j)) | _of_class(shelf["klass"].to_numpy("intp")[j], context) | {"client": who, "product": j}
    out |= {c: shelf[c].to_numpy("float64")[j] for c in ("buy_cost", "sell_cost", "risk", "minimum", "lot")}
    return out | {"buyable": shelf["available"].to_numpy("float64")[j]}


def _cash(held: Columns, n: int, context: Context) -> tuple[IntArray, IntArray]:
    """Row among the holdings that leftovers of each client go to (−1: none), and the clients that need an account."""
    p, rows = context.analysis.positions, held["holding"]
    fit = held["at_par"] & p.tradable[rows] & ~p.never_buy[rows]
    order = np.lexsort((-p.value[rows], held["klass"] != context.cash_class, ~fit, held["client"]))
    who, first = np.unique(held["client"][order], return_index=True)
    out = np.full(n, -1, dtype="intp")
    best = order[first]
    out[who[fit[best]]] = best[fit[best]]
    return out, np.flatnonzero(out < 0)


def _accounts(who: IntArray, context: Context) -> Columns:
    f = context.analysis.framework
    risk = float(f.classes[f.class_codes[context.cash_class]].risk)
    made = _of_class(np.full(len(who), context.cash_class), context)
    return _blank(len(who)) | made | {"client": who, "risk": np.full(len(who), risk), "buyable": np.ones(len(who))}


def _repayments(place: IntArray, context: Context) -> Columns:
    """Debts that count against the total: what is repaid grows from 0 to the debt."""
    p = context.analysis.positions
    d = p.debts
    rows = np.flatnonzero((place[d.client] >= 0) & ~d.own_use & (d.value > 0))
    nothing = np.full(len(rows), len(context.by_class) - 1)
    return _blank(len(rows)) | {
        "client": place[d.client[rows]],
        "debt": rows,
        "klass": nothing,
        "mix": nothing,
        "buyable": np.ones(len(rows)),
        "most": d.value[rows] / context.analysis.exposures.total[d.client[rows]],
        "service": d.service[rows] / d.value[rows],
        "secures": _securing(place, rows, context),
    }


def _securing(place: IntArray, rows: IntArray, context: Context) -> IntArray:
    """Place, among the holdings that can be traded, of what secures each debt; −1 for none."""
    p = context.analysis.positions
    d = p.debts
    named = [k for k, r in enumerate(rows.tolist()) if d.secured_by[r]]
    out = np.full(len(rows), -1, dtype="intp")
    if not named:
        return out
    there = (place[p.client] >= 0) & (context.inside[p.mix] > 0) & ((p.value > 0) | (context.match >= 0))
    held = np.flatnonzero(there)
    wanted = np.isin(p.client[held], d.client[rows[named]]) & (p.value[held] >= A_CENT)
    ids = context.asset_ids
    places: dict[tuple[int, str], int] = {}
    for k in np.flatnonzero(wanted).tolist():
        places.setdefault((int(p.client[held[k]]), ids[held[k]]), k)
    for k in named:
        r = int(rows[k])
        out[k] = places.get((int(d.client[r]), d.secured_by[r]), -1)
    return out


def _issuers(maker: IntArray, c: Columns, context: Context) -> IntArray:
    """Codes of issuers: a product has that of the client's holdings of the same issuer, or one of its own."""
    p = context.analysis.positions
    free = int(p.issuer.max(initial=-1)) + 1
    names = [str(x).casefold() for x in p.shelf["issuer"]]
    codes = {name: k for k, name in enumerate(dict.fromkeys(n for n in names if n))}
    out = np.where(maker >= 0, maker, free + len(codes) * (int(c["client"].max(initial=0)) + 1) + np.arange(len(maker)))
    if not codes:
        return out
    of_product = np.array([codes.get(n, -1) for n in names] + [-1])
    known = np.full((int(c["client"].max(initial=0)) + 1, len(codes)), -1, dtype="intp")
    held = c["holding"] >= 0
    own = context.issuer_codes(codes)[c["holding"][held]]
    hit = own >= 0
    known[c["client"][held][hit], own[hit]] = maker[held][hit]
    fresh = ~held & (c["product"] >= 0)
    code = of_product[c["product"][fresh]]
    who = c["client"][fresh]
    found = np.where(code >= 0, known[who, code], -1)
    out[fresh] = np.where(found >= 0, found, np.where(code >= 0, free + who * len(codes) + code, out[fresh]))
    return out


def _shared(client: IntArray, asset: IntArray, n: int) -> IntArray:
    """How many assets of each client lie in several accounts."""
    held = asset >= 0
    _, first, counts = np.unique(asset[held], return_index=True, return_counts=True)
    return np.bincount(client[held][first[counts > 1]], minlength=n)


def _of_class(klass: IntArray, context: Context) -> Columns:
    by = context.class_columns
    return {
        "klass": klass,
        "mix": klass,
        "named": by["named"][klass] > 0,
        "reserve": by["reserve"][klass],
        "at_par": by["cash"][klass] > 0,
    }
