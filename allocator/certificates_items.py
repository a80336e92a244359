"""What a whole book holds before its plans and after them: holdings, then what the orders bring in, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.certificates_orders import BUY, REPAY, SELL, OrderTable
from allocator.typing import BoolArray, FloatArray, IntArray

MOST_CENTS: Final = 10**15
"""Below it a float that is the nearest to k cents is written with these cents, and no others."""


@dataclass(frozen=True)
class Items:
    """Items of all clients (length M: the m holdings, then what is new), and where each plan begins and ends.

    Attributes
    ----------
    client, klass, mix
        As in `Positions`; ``klass`` of what is unclassified is the one after the last.
    today, start, end
        Money in each item today, after the cash flow, and after the orders.
    tradable, available
        Neither locked nor pledged; something of it can be sold in this plan.
    left
        Something of it can be sold after the withdrawal is paid.
    asset, issuer
        Codes, the same for what is one name; those of new items continue those of the holdings.
    cash
        Per client the place of the cash item; −1: a new account that nothing goes into.
    paid
        Per client what a withdrawal takes from the cash item.
    item
        Per order its item, −1 for a repayment.
    security
        Per debt the holding that secures it, −1 for none or what is outside the buckets.
    repaid, debts
        Per debt: money repaid by the orders, and outstanding.
    odd
        Per client: something that only the exact verifier judges.
    """

    client: IntArray
    klass: IntArray
    mix: IntArray
    today: FloatArray
    start: FloatArray
    end: FloatArray
    tradable: BoolArray
    available: BoolArray
    left: BoolArray
    asset: IntArray
    issuer: IntArray
    cash: IntArray
    paid: FloatArray
    item: IntArray
    security: IntArray
    repaid: FloatArray
    debts: FloatArray
    odd: BoolArray


def cents_of(value: FloatArray) -> tuple[IntArray, BoolArray]:
    """Whole cents of amounts, and where that is exactly what they are as decimals."""
    known = np.isfinite(value) & (np.abs(value) < MOST_CENTS / 100)
    cents = np.rint(np.where(known, value, 0.0) * 100).astype(np.int64)
    return cents, known & (cents / 100 == value) & (np.abs(cents) < MOST_CENTS)


def items_of(a: Analysis, t: OrderTable) -> Items:
    """Put together what clients hold and what their orders bring in."""
    p, n, m = a.positions, len(a), len(a.positions.client)
    cash_class = int(np.flatnonzero(a.framework.flag("cash"))[0]) if a.framework.flag("cash").any() else -1
    fresh = np.flatnonzero((t.holding < 0) & (t.debt < 0))
    account = fresh[t.product[fresh] < 0]
    opened = np.full(n, -1, dtype="intp")
    flow = p.cash_flow
    extra = np.flatnonzero(t.planned & (t.cash < 0) & (flow != 0) & (np.bincount(t.client[account], minlength=n) == 0))
    client = np.concatenate([p.client, t.client[fresh], extra])
    shelf = p.shelf["klass"].to_numpy("intp")
    new_class = np.where(t.product[fresh] >= 0, np.append(shelf, cash_class)[t.product[fresh]], cash_class)
    new_class = np.concatenate([new_class, np.full(len(extra), cash_class)]).astype("intp")
    size = len(a.framework.classes)
    klass = np.concatenate([np.where(p.klass < 0, size, p.klass), new_class])
    mix = np.concatenate([p.mix, new_class])
    count = len(client)

    item = np.where(t.debt >= 0, -1, t.holding)
    item[fresh] = m + np.arange(len(fresh))
    opened[t.client[account]] = item[account]
    opened[extra] = m + len(fresh) + np.arange(len(extra))
    cash = np.where(t.cash >= 0, t.cash, opened)

    today = np.concatenate([p.value, np.zeros(count - m)])
    tradable = np.concatenate([p.tradable, np.ones(count - m, dtype=bool)])
    can = p.tradable & (p.sellable > 0) & (p.value > 0) & ~(p.indivisible & (p.sellable < 1))
    available = np.concatenate([can, np.zeros(count - m, dtype=bool)])
    security = _security(a)
    odd = _odd(t, n) | ~np.isfinite(flow)
    # no cash class in the framework: nobody can open an account
    odd[t.client[account]] |= cash_class < 0
    odd[extra] |= cash_class < 0
    odd |= (t.cash >= 0) & (np.bincount(t.client[account], minlength=n) > 0)

    start, left, paid = today.copy(), available.copy(), np.zeros(n)
    got = np.flatnonzero((flow > 0) & (cash >= 0) & t.planned)
    start[cash[got]] += flow[got]
    takes = np.flatnonzero((flow < 0) & t.planned)
    fine = _pays(a, takes, np.where(t.cash >= 0, t.cash, -1), security)
    odd[takes[~fine]] = True
    takes = takes[fine]
    start[cash[takes]] += flow[takes]
    paid[takes] = -flow[takes]

    sign = np.select([t.side == BUY, t.side == SELL], [1.0, -1.0], 0.0)
    moved = np.flatnonzero(item >= 0)
    moves = np.bincount(item[moved], weights=(sign * t.cents / 100)[moved], minlength=count)
    end = np.asarray(today + moves, dtype="float64")
    back = np.flatnonzero((t.debt >= 0) & (t.side == REPAY))
    repaid = np.bincount(t.debt[back], weights=t.cents[back] / 100, minlength=len(p.debts.value)).astype("float64")
    asset = np.concatenate([p.asset, int(p.asset.max(initial=-1)) + 1 + np.arange(count - m)])
    return Items(
        client=client, klass=klass, mix=mix, today=today, start=start, end=end, tradable=tradable, available=available,
        left=left, asset=asset, issuer=_issuers(a, t, fresh, client), cash=cash, paid=paid, item=item,
        security=security, repaid=repaid, debts=p.debts.value, odd=odd,
    )  # fmt: skip


def _odd(t: OrderTable, n: int) -> BoolArray:
    """Clients with orders that a sheet cannot simply be read with: twice the same thing, a side that does not fit."""
    out = np.zeros(n, dtype=bool)
    key = np.stack([t.client, t.holding, t.product, t.debt])
    order = np.lexsort(key[::-1])
    same = (np.diff(key[:, order], axis=1) == 0).all(axis=0)
    out[t.client[order[1:][same]]] = True
    out[t.client[((t.debt >= 0) != (t.side == REPAY)) | ((t.holding < 0) & (t.side == SELL))]] = True
    money = np.stack([t.cents, t.cost_cents, t.tax_cents])
    out[t.client[((money < 0) | (money >= MOST_CENTS)).any(axis=0)]] = True
    return out


def _security(a: Analysis) -> IntArray:
    """Row of the holding inside the buckets that secures each debt, −1 for none."""
    p, d = a.positions, a.positions.debts
    out = np.full(len(d.value), -1, dtype="intp")
    named = np.flatnonzero((np.array(d.secured_by, dtype=object) != "") & ~d.own_use & (d.value > 0))
    if not len(named):
        return out
    owing = np.zeros(len(p), dtype=bool)
    owing[d.client[named]] = True
    rows = np.flatnonzero(owing[p.client])
    key = pd.MultiIndex.from_arrays([p.client[rows], p.holdings["asset_id"].iloc[rows].astype("object")])
    wanted = pd.MultiIndex.from_arrays([d.client[named], [d.secured_by[r] for r in named]])
    found = key.get_indexer(wanted)
    out[named] = np.where(found >= 0, np.append(rows, -1)[found], -1)
    return out


def _pays(a: Analysis, who: IntArray, cash: IntArray, security: IntArray) -> BoolArray:
    """Whether the cash item surely pays the withdrawal alone and keeps something; else the exact verifier judges."""
    p = a.positions
    held = cash[who]
    rows = np.maximum(held, 0)
    if not len(p.value):
        return np.zeros(len(who), dtype=bool)
    inside = p.mix_table @ a.framework.flag("inside")
    pledged = np.zeros(len(p.value), dtype=bool)
    pledged[security[security >= 0]] = True
    room = p.sellable[rows] * p.value[rows] + p.cash_flow[who]
    fine = (held >= 0) & (inside[p.mix[rows]] > 0) & p.tradable[rows] & ~p.indivisible[rows] & ~pledged[rows]
    return np.asarray(fine & (room > 0.001))


def _issuers(a: Analysis, t: OrderTable, fresh: IntArray, client: IntArray) -> IntArray:
    """Codes of issuers: a product has that of the client's holdings of the same issuer, or one of its own."""
    p, m = a.positions, len(a.positions.client)
    first = int(p.issuer.max(initial=-1)) + 1
    out = np.concatenate([p.issuer, first + np.arange(len(client) - m)])
    words = np.array([str(w).casefold() for w in p.shelf["issuer"]], dtype=object)
    product = t.product[fresh]
    named = np.flatnonzero((product >= 0) & (np.append(words, "")[product] != ""))
    if not len(named):
        return out
    # two products of one issuer are one name, whether or not something of it is held
    concerned = np.zeros(len(p), dtype=bool)
    concerned[t.client[fresh[named]]] = True
    rows = np.flatnonzero(concerned[p.client])
    found, texts = pd.factorize(p.holdings["issuer"].iloc[rows])
    folded = np.array([str(w).casefold() for w in texts], dtype=object)
    held = np.append(folded, "")[found].astype(object)
    both = np.concatenate([held, words[product[named]]])
    code = pd.factorize(both)[0].astype(np.int64)
    pair = np.concatenate([p.client[rows], t.client[fresh[named]]]).astype(np.int64) * (code.max() + 1) + code
    name = np.concatenate([p.issuer[rows], out[m + named]])
    blank = np.concatenate([held == "", np.zeros(len(named), dtype=bool)])
    keep = np.flatnonzero(~blank)
    group, start = pd.factorize(pair[keep])
    place = np.full(len(start), np.iinfo(np.int64).max)
    np.minimum.at(place, group, name[keep])
    mine = group[keep >= len(rows)]
    out[m + named] = place[mine]
    return out
