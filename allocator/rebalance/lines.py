"""The trades of a whole book as arrays, one entry per trade, in the order of the clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from allocator.rebalance.client_plan import ClientPlan
from allocator.typing import AnyArray, IntArray

Cents = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lines:
    """Trades of a book.

    Attributes
    ----------
    client
        Client of each trade, ascending.
    holding, debt, product
        Row in the holdings, in the debts, on the shelf; −1 for none. A new cash account has none of the three.
    klass
        Class; the one after the last for a debt.
    issuer
        Code of the issuer; below 0 for one that the client does not hold, the same for all products of that issuer.
    side
        ``buy``, ``sell`` or ``repay``.
    cents, cost, tax
        Amount, its costs and the tax on it.
    asset_id, name, product_id, issuer_name, because, sense
        Labels, and the reason; see `allocator.plan.Plan`.
    """

    client: IntArray
    holding: IntArray
    debt: IntArray
    product: IntArray
    klass: IntArray
    issuer: IntArray
    side: AnyArray
    cents: Cents
    cost: Cents
    tax: Cents
    asset_id: AnyArray
    name: AnyArray
    product_id: AnyArray
    issuer_name: AnyArray
    because: AnyArray
    sense: AnyArray

    def __len__(self) -> int:
        return len(self.client)

    def take(self, rows: AnyArray) -> Lines:
        """Some of the trades, in that order."""
        return Lines(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @staticmethod
    def joined(parts: Sequence[Lines]) -> Lines:
        """Put several together again, by client; within one, in the order given."""
        whole = Lines(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Lines)})
        return whole.take(np.argsort(whole.client, kind="stable"))


def lines_of(plans: Sequence[tuple[int, ClientPlan]]) -> Lines:
    """Trades of plans that were made one by one.

    Parameters
    ----------
    plans
        Clients, ascending, with their plans.
    """
    rows = [(i, line) for i, plan in plans for line in plan.lines]

    def numbers(values: Sequence[int]) -> IntArray:
        return np.array(values, dtype="int64")

    def texts(values: Sequence[str]) -> AnyArray:
        return np.array(values, dtype=object)

    return Lines(
        client=numbers([i for i, _ in rows]),
        holding=numbers([x.holding for _, x in rows]),
        debt=numbers([x.debt for _, x in rows]),
        product=numbers([x.order.product for _, x in rows]),
        klass=numbers([x.klass for _, x in rows]),
        issuer=numbers([x.issuer for _, x in rows]),
        side=texts([x.order.side for _, x in rows]),
        cents=numbers([x.order.cents for _, x in rows]),
        cost=numbers([x.order.cost_cents for _, x in rows]),
        tax=numbers([x.order.tax_cents for _, x in rows]),
        asset_id=texts([x.order.asset_id for _, x in rows]),
        name=texts([x.name for _, x in rows]),
        product_id=texts([x.product_id for _, x in rows]),
        issuer_name=texts([x.issuer_name for _, x in rows]),
        because=texts([x.reason.because for _, x in rows]),
        sense=texts([x.reason.sense for _, x in rows]),
    )
