"""The starting point of a plan: today's holdings after money due came in or went out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.rebalance.instruments import Instruments
from allocator.typing import FloatArray


@dataclass(frozen=True)
class Start:
    """The starting point: today's weights after the cash flow, and what raising it took."""

    buy: FloatArray
    sell: FloatArray
    weights: FloatArray
    total: float


def start_of(x: Instruments, flow: float) -> Start | None:
    """Put money due into the cash account, or take it out of deposits, then of what goes first, then of the cheapest.

    Assets that secure a debt are left out: their proceeds belong to the lender first.

    Returns
    -------
    Start or None
        None when nothing sellable can pay a withdrawal.
    """
    buy, sell = np.zeros(len(x)), np.zeros(len(x))
    free = _free(x)
    if flow >= 0:
        buy[x.cash] = flow
    else:
        due = -flow
        deposit = x.klass == x.klass[x.cash]
        order = sorted(
            range(len(x)),
            key=lambda j: (
                j != x.cash,
                not deposit[j],
                not x.sell_first[j],
                0.0 if deposit[j] else x.leaving[j],
                -x.w0[j],
                x.asset_id[j],
            ),
        )
        for j in order:
            if due <= 1e-15:
                break
            net = 1.0 - x.leaving[j]
            sell[j] = free[j] if x.indivisible[j] else min(free[j], due / net)
            due -= sell[j] * net
        if due > 1e-12:
            return None
        buy[x.cash] = max(-due, 0.0)
    w = x.w0 + buy - sell
    return Start(buy, sell, w, float(x.inside @ w))


def shortfall(x: Instruments, flow: float) -> float:
    """What is missing when everything sellable is sold to pay a withdrawal, as a fraction of the total."""
    return max(-flow - float((_free(x) * (1.0 - x.leaving)).sum()), 0.0)


def _free(x: Instruments) -> FloatArray:
    """What can be sold to raise money at once: nothing that secures a debt."""
    out = x.sellable.copy()
    out[[holding for _, holding in x.secures]] = 0.0
    return out
