"""The orders of a whole book as arrays, and one client's orders as the exact verifier takes them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from allocator.certify import Order
from allocator.errors import ConfigError
from allocator.positions import Positions
from allocator.typing import AnyArray, BoolArray, IntArray

SIDES: Final[tuple[Literal["buy", "sell", "repay"], ...]] = ("buy", "sell", "repay")
"""What ``OrderTable.side`` counts: 0 buys, 1 sells, 2 repays."""
BUY, SELL, REPAY = range(3)
NEW_ACCOUNT: Final = "CASH"
"""Asset id of a cash account that is opened."""

Cents = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OrderTable:
    """Orders of all clients of an analysis: arrays of one length, sorted by client; ``cash`` and ``planned`` by client.

    Attributes
    ----------
    client
        Place of the client.
    holding, product, debt
        Row of ``positions.holdings``, of ``positions.shelf`` (what is not held yet) or of ``positions.debts`` (side
        repay); of the three exactly one is not −1, or none: a new cash account.
    side
        Place in `SIDES`.
    cents, cost_cents, tax_cents
        Money in cents of the client's currency.
    cash
        Per client the row of the holding that leftovers go to; −1 a new account.
    planned
        Per client, whether there is a plan at all; a plan without orders is one too.
    """

    client: IntArray
    holding: IntArray
    product: IntArray
    debt: IntArray
    side: IntArray
    cents: Cents
    cost_cents: Cents
    tax_cents: Cents
    cash: IntArray
    planned: BoolArray

    def __len__(self) -> int:
        return len(self.client)

    def check(self, p: Positions) -> None:
        """Refuse tables that do not belong to these positions.

        Raises
        ------
        ConfigError
            Lengths, types, order or rows that cannot be; what is merely wrong in an order ends in a verdict.
        """
        columns: dict[str, AnyArray] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, column in columns.items():
            length = len(p) if name in ("cash", "planned") else len(self.client)
            kind = "b" if name == "planned" else "i"
            if column.shape != (length,) or column.dtype.kind != kind:
                raise ConfigError(
                    f"orders: '{name}' must be an array of {length} {'flags' if kind == 'b' else 'whole'}"
                )
        bounds = {
            "client": (0, len(p)), "holding": (-1, len(p.client)), "product": (-1, len(p.shelf)),
            "debt": (-1, len(p.debts.client)), "side": (0, len(SIDES)), "cash": (-1, len(p.client)),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if ((columns[name] < low) | (columns[name] >= high)).any():
                raise ConfigError(f"orders: '{name}' names a row that is not there")
        if (np.diff(self.client) < 0).any():
            raise ConfigError("orders must be sorted by client")
        here = self.cash >= 0
        if (p.client[self.cash[here]] != np.flatnonzero(here)).any():
            raise ConfigError("orders: 'cash' names a holding of another client")
        for rows, owner in ((self.holding, p.client), (self.debt, p.debts.client)):
            some = rows >= 0
            if (owner[rows[some]] != self.client[some]).any():
                raise ConfigError("orders name a holding or debt of another client")
        if (((self.holding >= 0) * 1 + (self.product >= 0) + (self.debt >= 0)) > 1).any():
            raise ConfigError("an order is for a holding, a product or a debt, never for two of them")
        if not self.planned[self.client].all():
            raise ConfigError("orders for a client without a plan; set planned for it")


def orders_of(i: int, t: OrderTable, p: Positions) -> tuple[list[Order], str]:
    """One client's orders and the id of the cash account, as `certify.Certifier` takes them."""
    ids = p.holdings["asset_id"]
    held = set(ids.iloc[int(p.start[i]) : int(p.start[i + 1])])
    low, high = np.searchsorted(t.client, [i, i + 1])
    names: dict[int, str] = {}

    def fresh(product: int) -> str:
        """A name that nothing else of the client has."""
        if product not in names:
            text = NEW_ACCOUNT if product < 0 else str(p.shelf["product_id"].iloc[product])
            while text in held or text in names.values():
                text = f"{text} (new)"
            names[product] = text
        return names[product]

    out = []
    for k in range(int(low), int(high)):
        holding, product, debt = int(t.holding[k]), int(t.product[k]), int(t.debt[k])
        new = holding < 0 and debt < 0
        name = p.debts.debt_id[debt] if debt >= 0 else str(ids.iloc[holding]) if holding >= 0 else fresh(product)
        money = (int(t.cents[k]), int(t.cost_cents[k]))
        out.append(Order(name, SIDES[t.side[k]], *money, new, product, int(t.tax_cents[k])))
    cash = int(t.cash[i])
    return out, str(ids.iloc[cash]) if cash >= 0 else fresh(-1)
