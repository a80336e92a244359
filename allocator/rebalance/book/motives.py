"""Why each trade is made, for many clients at once: `allocator.rebalance.reasons` over B × n arrays."""

from __future__ import annotations

import numpy as np

from allocator.limits import TOLERANCE
from allocator.rebalance.book.judge import excess
from allocator.rebalance.book.numbers import Batch
from allocator.rebalance.context import Context
from allocator.rebalance.reasons import (
    BUY_ORDER,
    CASH,
    CASH_FLOW,
    REPAY,
    SECURED,
    SELL_ORDER,
    SPECIFIC,
    Reason,
)
from allocator.typing import FloatArray, IntArray

NONE = 1e9
"""Rank of a limit that a trade does nothing for."""


def reason_list(context: Context) -> list[Reason]:
    """Every reason that a trade can have: the limits in their order, the buckets, then the rest."""
    limits = [Reason(x.name, x.sense) for x in context.limits]
    buckets = [Reason(f"target:{c}") for c in context.analysis.framework.bucket_codes]
    return [*limits, *buckets, *(Reason(x) for x in (CASH, CASH_FLOW, SECURED, REPAY))]


def motives(batch: Batch, after: FloatArray) -> IntArray:
    """Reason of each instrument's trade, B × n, as places in `reason_list`.

    Parameters
    ----------
    batch
        The clients.
    after
        Weights after the plan, as fractions of the total today.
    """
    g = batch.group
    context, rows = g.context, batch.rows
    limits = context.limits
    change = after - g.w0
    before, then = excess(batch, batch.start[0]), excess(batch, after)
    rank = [_rank(x.name, x.family) for x in limits]
    sells, buys = (np.array([r[k] for r in rank] + [NONE]) for k in range(2))
    best, out = np.full(change.shape, NONE), np.full(change.shape, -1, dtype="intp")

    def offer(helps: FloatArray, gain: FloatArray, limit: IntArray) -> None:
        """Take a limit's row where it ranks before what is there; gains decide within a rank."""
        fits = (helps > TOLERANCE) & (gain > TOLERANCE)[:, None] & (limit >= 0)[:, None]
        key = np.where(change < 0, sells[limit][:, None], buys[limit][:, None]) - np.minimum(gain, 99.0)[:, None] / 100
        better = fits & (key < best)
        best[better] = key[better]
        out[better] = np.broadcast_to(limit[:, None], out.shape)[better]

    gains = before.rows - then.rows
    for k in np.flatnonzero((gains > TOLERANCE).any(axis=0)):
        sign = np.where(rows.cap[:, k], -1.0, 1.0)[:, None]
        offer(sign * rows.share[:, k] * change, gains[:, k], rows.limit[:, k])
    places = {x.key: k for k, x in enumerate(limits)}
    names = before.names - then.names
    if "single_holding<=" in places:
        helps = np.where(names > TOLERANCE, np.maximum(-change, 0.0), 0.0)
        offer(helps, names.max(axis=1, initial=0.0), np.full(len(change), places["single_holding<="]))
    slope = _slope(batch)
    there = g.at >= 0
    mean = np.where(there, slope, 0.0).sum(axis=1) / there.sum(axis=1)
    calm = (change > 0) & (slope <= mean[:, None]) & (g.counts > 0)
    helps = np.where(calm, change, np.maximum(-change * slope, 0.0))
    offer(helps, before.sigma - then.sigma, np.full(len(change), places["volatility<="]))
    return _others(batch, change, np.where(best < NONE, out, -1))


def _rank(name: str, family: str) -> tuple[float, float]:
    """Order of a limit among those that explain a sale, and a purchase: first what is about one class alone."""
    single = 0 if name.startswith("class:") else 1
    place = SPECIFIC.index(name) if name in SPECIFIC else len(SPECIFIC)
    sell, buy = (float((single * 8 + order.index(family)) * 8 + place) for order in (SELL_ORDER, BUY_ORDER))
    return sell, buy


def _slope(batch: Batch) -> FloatArray:
    """Change of the volatility with each weight at the starting point."""
    v, w = batch.values, batch.start[0]
    factors = np.einsum("bfn,bn->bf", v["0_loadings"], w)
    own = v["0_own"] ** 2 * w
    size = np.sqrt((factors**2).sum(axis=1) + (own * w).sum(axis=1))
    pull = np.einsum("bfn,bf->bn", v["0_loadings"], factors) + own
    return np.asarray(np.divide(pull, size[:, None], out=np.zeros_like(pull), where=size[:, None] > 0))


def _others(batch: Batch, change: FloatArray, found: IntArray) -> IntArray:
    """What no limit explains: money due, the lender's part, repayments, cash, or the bucket that comes nearer."""
    g = batch.group
    x, context = g.flat, g.context
    count, buckets = len(context.limits), len(context.analysis.framework.bucket_codes)
    cash, cash_flow, secured, repay = (count + buckets + k for k in range(4))
    of_bucket = context.buckets[np.where(g.at >= 0, g.wide(x.mix, -1), 0)]
    rows = np.arange(len(g.who))
    is_cash = np.zeros(change.shape, dtype=bool)
    is_cash[rows, x.cash[g.who] - x.start[g.who]] = True
    out = np.where(of_bucket.any(axis=2) & ~is_cash, count + of_bucket.argmax(axis=2), cash)
    flow = context.analysis.positions.cash_flow[g.place][:, None]
    out = np.where(((flow < 0) & (batch.start[2] > 0)) | (is_cash & (flow > 0) & (change > 0)), cash_flow, out)
    debt = (g.at >= 0) & (g.counts == 0)
    out = np.where(debt, repay, out)
    out = np.where(found >= 0, found, out)
    secures = np.where(debt, g.wide(x.secures, -1), -1)
    b, j = np.nonzero(secures >= 0)
    sold = change[b, secures[b, j] - x.start[g.who[b]]] < 0
    out[b[sold], j[sold]] = secured
    return np.asarray(out, dtype="intp")
