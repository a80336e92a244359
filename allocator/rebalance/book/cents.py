"""Trades of many clients in whole cents and lots: `allocator.rebalance.rounding` over B × n arrays."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np

from allocator.rebalance.book.numbers import Batch
from allocator.rebalance.rounding import Cents
from allocator.rebalance.whole import WHOLE
from allocator.typing import FloatArray

NEAR_HALF: Final = 1e-6
"""Costs this near to half a cent are computed again in decimals."""


@dataclass(frozen=True)
class Amounts:
    """Amounts, costs and taxes in whole cents, B × n."""

    buy: Cents
    sell: Cents
    buy_cost: Cents
    sell_cost: Cents
    tax: Cents


def cost_cents(cents: Cents, rate: FloatArray) -> Cents:
    """Cost of each amount in cents, half a cent going to the even one.

    Notes
    -----
    A product in floating point is right to some 1e-16 of itself; where half a cent is nearer than `NEAR_HALF` of a
    cent (or of a ten-billionth of the amount), decimals decide.
    """
    exact = cents * rate
    out = np.rint(exact)
    doubtful = np.abs(np.abs(exact - np.floor(exact)) - 0.5) <= np.maximum(NEAR_HALF, 1e-10 * np.abs(exact))
    result = out.astype(np.int64)
    for at in zip(*np.nonzero(doubtful & (cents > 0) & (rate > 0)), strict=True):
        product = Decimal(int(cents[at])) * Decimal(repr(float(rate[at])))
        result[at] = int(product.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return result


def to_cents(batch: Batch, buy: FloatArray, sell: FloatArray) -> Amounts:
    """Round trades to cents and lots, with what is left over going to cash; see `rounding.to_money`.

    Parameters
    ----------
    batch
        The clients.
    buy, sell
        Fractions of the total, B × n.

    Returns
    -------
    Amounts
        Sells + flow = buys + all costs and taxes, to the cent; buys of products are whole lots.
    """
    g = batch.group
    x, p = g.flat, g.context.analysis.positions
    value = np.where(x.holding >= 0, np.append(p.value, 0.0)[x.holding], 0.0)
    worth = np.rint(g.wide(value) * 100).astype(np.int64)
    in_cents = g.total[:, None] * 100
    most = np.floor(g.wide(x.sellable) * g.total[:, None] * 100 + 1e-6).astype(np.int64)
    # sells are rounded up and buys down, so that what is left over is never negative for want of a cent
    sold = np.minimum(np.ceil(sell * g.total[:, None] * 100 - 1e-4).astype(np.int64), np.minimum(worth, most))
    sold = np.where((sell >= g.w0 - 1e-12) & (sell > 0), np.where(g.w0 > 0, worth, 0), sold)
    lot = np.maximum(np.rint(g.wide(x.lot, 0.01) * 100).astype(np.int64), 1)
    lots = np.floor(buy * g.total[:, None] * 100 / lot + np.minimum(WHOLE * in_cents / lot, 0.5) * (lot > 1))
    bought = lots.astype(np.int64) * lot
    bought[bought < np.rint(g.wide(x.minimum) * 100)] = 0
    _lender(batch, bought, sold, worth)
    due = np.rint(p.cash_flow[g.place] * 100).astype(np.int64)
    rows = np.arange(len(g.who))
    cash = x.cash[g.who] - x.start[g.who]
    sold[rows, cash] = bought[rows, cash] = 0
    rates = (g.wide(x.buy_cost), g.wide(x.sell_cost), g.wide(x.tax))
    fixed = g.wide(x.indivisible, 0).astype(bool)
    left = _left(bought, sold, due, rates)
    for _ in range(g.w0.shape[1] + 2):
        short = -left - most[rows, cash]
        open_ = np.flatnonzero(short > 0)
        if not len(open_):
            break
        for b in open_.tolist():  # cents that rounding took: rare, and one client at a time
            assets = bought[b] * (g.counts[b] > 0)
            if assets.any():
                j = int(assets.argmax())
                bought[b, j] = max(bought[b, j] - -(-short[b] // lot[b, j]) * lot[b, j], 0)
            else:
                room = np.where(fixed[b], 0, most[b] - sold[b])
                room[cash[b]] = 0
                j = int(room.argmax())
                more = int(np.ceil(short[b] / (1 - rates[1][b, j] - rates[2][b, j])))
                sold[b, j] += min(more, int(room[j]))
        left[open_] = _left(bought[open_], sold[open_], due[open_], tuple(r[open_] for r in rates))
    bought[rows, cash] = np.maximum(left, 0)
    sold[rows, cash] = np.maximum(-left, 0)
    return Amounts(bought, sold, cost_cents(bought, rates[0]), cost_cents(sold, rates[1]), cost_cents(sold, rates[2]))


def _left(bought: Cents, sold: Cents, due: Cents, rates: tuple[FloatArray, ...]) -> Cents:
    """What is left for the cash account."""
    leaving = cost_cents(sold, rates[1]) + cost_cents(sold, rates[2]) + cost_cents(bought, rates[0])
    return np.asarray((sold - bought - leaving).sum(axis=1) + due)


def _lender(batch: Batch, bought: Cents, sold: Cents, worth: Cents) -> None:
    """The lender's part of each sale, rounded in the lender's favour; in whole numbers without a limit."""
    g = batch.group
    secures = np.where(g.at >= 0, g.wide(g.flat.secures, -1), -1)
    for b, j in zip(*(x.tolist() for x in np.nonzero(secures >= 0)), strict=True):
        holding = int(secures[b, j] - g.flat.start[g.who[b]])
        owed = round(float(g.flat.most[g.at[b, j]]) * float(g.total[b]) * 100)
        part = -(-owed * int(sold[b, holding]) // int(worth[b, holding]))
        bought[b, j] = min(max(int(bought[b, j]), part), owed)
