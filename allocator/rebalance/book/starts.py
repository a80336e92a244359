"""Starting points of many clients at once: `allocator.rebalance.start` over flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.rebalance.book.flat import Flat
from allocator.typing import AnyArray, BoolArray, FloatArray


@dataclass(frozen=True)
class Starts:
    """Today's holdings after money due came in or went out.

    Attributes
    ----------
    buy, sell, weights
        Per instrument.
    total
        Per client: the total then, as a fraction of today's.
    missing
        Per client: what nothing sellable can pay of a withdrawal, as a fraction of the total; 0 where it can be paid.
    """

    buy: FloatArray
    sell: FloatArray
    weights: FloatArray
    total: FloatArray
    missing: FloatArray

    @property
    def unfunded(self) -> BoolArray:
        """Clients whose withdrawal cannot be paid."""
        return np.asarray(self.missing > 0)


def starts_of(flat: Flat, flow: FloatArray, names: AnyArray) -> Starts:
    """Put money due into the cash account, or raise it from deposits, then from what goes first, then the cheapest.

    Parameters
    ----------
    flat
        What clients can trade.
    flow
        Per client: money due in (+) or out (−), as a fraction of the total.
    names
        Asset id of each instrument; looked at where a tie has to be broken.
    """
    buy, sell = np.zeros(len(flat)), np.zeros(len(flat))
    free = flat.sellable.copy()
    free[flat.secures[flat.secures >= 0]] = 0.0  # its proceeds belong to the lender first
    incoming = flow >= 0
    buy[flat.cash[incoming]] = flow[incoming]
    missing = np.zeros(len(flow))
    out = np.flatnonzero(~incoming)
    if len(out):
        _raise(flat, flow, (free, buy, sell, missing), out, names)
    weights = flat.w0 + buy - sell
    return Starts(buy, sell, weights, flat.per_client(flat.inside * weights), missing)


def _raise(
    flat: Flat,
    flow: FloatArray,
    into: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    clients: AnyArray,
    names: AnyArray,
) -> None:
    free, buy, sell, missing = into
    rows = np.flatnonzero(np.isin(flat.client, clients))
    client = flat.client[rows]
    cash = flat.cash[client]
    deposit = flat.klass[rows] == flat.klass[cash]
    _, rank = np.unique(names[rows].astype(str), return_inverse=True)
    order = np.lexsort(
        (
            rank,
            -flat.w0[rows],
            np.where(deposit, 0.0, flat.leaving[rows]),
            ~flat.sell_first[rows],
            ~deposit,
            rows != cash,
            client,
        )
    )
    rows = rows[order]
    due = np.zeros(len(flow))
    due[clients] = -flow[clients]
    place = np.arange(len(rows)) - np.searchsorted(flat.client[rows], flat.client[rows])
    for k in range(int(place.max(initial=-1)) + 1):  # one after the other, for all clients at once
        at = rows[place == k]
        who = flat.client[at]
        open_ = due[who] > 1e-15
        at, who = at[open_], who[open_]
        net = 1.0 - flat.leaving[at]
        sell[at] = np.where(flat.indivisible[at], free[at], np.minimum(free[at], due[who] / net))
        due[who] -= sell[at] * net
    short = due > 1e-12
    kept = clients[~short[clients]]
    buy[flat.cash[kept]] = np.maximum(-due[kept], 0.0)
    lost = clients[short[clients]]
    paid = flat.per_client(free * (1.0 - flat.leaving))
    missing[lost] = np.maximum(-flow[lost] - paid[lost], 0.0)
    missing[lost] = np.maximum(missing[lost], 1e-300)  # unfunded, however little is missing
