"""From weights to money: cents and lots, with what is left over going to cash, and nothing lost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from allocator.rebalance.instruments import Instruments
from allocator.rebalance.optimise import Trades
from allocator.rebalance.whole import WHOLE
from allocator.typing import FloatArray

Cents = npt.NDArray[np.int64]

ROUNDS: Final = 60
"""Steps in which lenders get their part of the cash account; each leaves a part of the cents that were missing."""


@dataclass(frozen=True)
class Money:
    """Trades in whole cents: amounts bought and sold, what each costs, and the tax on what is sold.

    Selling 100 at a cost of 1 and a tax of 2 brings 97.
    """

    buy: Cents
    sell: Cents
    buy_cost: Cents
    sell_cost: Cents
    tax: Cents


def to_money(trades: Trades, x: Instruments, value: FloatArray, total: float, flow: float) -> Money:
    """Round trades to cents and lots.

    Parameters
    ----------
    trades, x
        Fractions of the total, and the instruments.
    value
        Value of each instrument today, to the cent.
    total, flow
        T, and the money due in (+) or out (−).

    Returns
    -------
    Money
        Sells + flow = buys + all costs and taxes, to the cent; buys of products are whole lots.
    """
    worth = np.rint(value * 100).astype(np.int64)
    most = np.floor(x.sellable * total * 100 + 1e-6).astype(np.int64)
    # sells are rounded up and buys down, so that what is left over is never negative for want of a cent
    sell = np.minimum(np.ceil(trades.sell * total * 100 - 1e-4).astype(np.int64), np.minimum(worth, most))
    sell = np.where((trades.sell >= x.w0 - 1e-12) & (trades.sell > 0), np.where(x.w0 > 0, worth, 0), sell)
    lot = np.maximum(np.rint(x.lot * 100).astype(np.int64), 1)
    # what is a lot but for the solver's last digits is that lot; anything else is rounded down
    lots = np.floor(trades.buy * total * 100 / lot + np.minimum(WHOLE * total * 100 / lot, 0.5) * (lot > 1))
    buy = lots.astype(np.int64) * lot
    buy[buy < np.rint(x.minimum * 100)] = 0
    for debt, holding in x.secures:  # the lender's part of a sale, rounded in the lender's favour
        owed = round(float(x.most[debt]) * total * 100)
        # in whole numbers without a limit: the product of two fortunes in cents does not fit into 64 bits
        part = -(-owed * int(sell[holding]) // int(worth[holding]))
        buy[debt] = min(max(int(buy[debt]), part), owed)
    due = round(flow * 100)
    sell[x.cash] = buy[x.cash] = 0
    left = 0
    for _ in range(len(x) + 2):
        leaving = _costs(sell, x.sell_cost).sum() + _costs(sell, x.tax).sum()
        left = int(sell.sum() - leaving + due - buy.sum() - _costs(buy, x.buy_cost).sum())
        short = -left - int(most[x.cash])
        if short <= 0:
            break
        # cents that rounding took: back from the largest buy, or else from what can still be sold
        if (buy * x.counts).any():
            j = int((buy * x.counts).argmax())
            buy[j] = max(buy[j] - -(-short // lot[j]) * lot[j], 0)
        else:
            room = np.where(x.indivisible, 0, most - sell)
            room[x.cash] = 0
            j = int(room.argmax())
            sell[j] += min(int(np.ceil(short / (1 - x.leaving[j]))), int(room[j]))
    if left >= 0:
        buy[x.cash] = left
    else:
        sell[x.cash] = -left
        _settle(x, buy, sell, {d: round(float(x.most[d]) * total * 100) for d, h in x.secures if h == x.cash}, worth)
    return Money(buy, sell, _costs(buy, x.buy_cost), _costs(sell, x.sell_cost), _costs(sell, x.tax))


def _settle(x: Instruments, buy: Cents, sell: Cents, owed: dict[int, int], worth: Cents) -> None:
    """Give lenders their part of the cash account itself, of which rounding may have taken some cents more, in place.

    Where a cent of it owes less than a cent, what is missing is taken from it as well; where it owes more than it
    brings, less of it is taken, and so much less repaid.
    """
    for _ in range(ROUNDS if owed else 0):
        cash, whole = int(sell[x.cash]), int(worth[x.cash])
        missing, d = max((-(-o * cash // whole) - int(buy[d]), d) for d, o in owed.items())
        if missing <= 0:
            return
        each = owed[d] - whole  # what a cent of the account owes beyond itself, times its worth
        change = missing if each < 0 else -missing * whole // each if each > 0 else 0
        if not change or not 0 <= cash + change <= whole:
            return  # the certificate will say so
        buy[d] += change
        sell[x.cash] += change


def _costs(cents: Cents, rate: FloatArray) -> Cents:
    """Cost of each amount in cents, half a cent going to the even one."""
    out = np.zeros(len(cents), dtype=np.int64)
    for j in np.flatnonzero((cents > 0) & (rate > 0)):
        exact = Decimal(int(cents[j])) * Decimal(repr(float(rate[j])))
        out[j] = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    return out
