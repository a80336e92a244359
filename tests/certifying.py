"""Plans of today's planner as a table of orders, and tables with a row changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocator.analysis import Analysis
from allocator.certificates import OrderTable
from allocator.rebalance.client_plan import NOTHING_MOVES, ClientPlan
from allocator.rebalance.planner import Planner

SIDES = {"buy": 0, "sell": 1, "repay": 2}
COLUMNS = ("client", "holding", "product", "debt", "side", "cents", "cost_cents", "tax_cents")


def table_of(rows: list[tuple[int, ...]], cash: Any, planned: Any) -> OrderTable:
    """Make a table of rows in the order of `COLUMNS`."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, len(COLUMNS)).T
    return OrderTable(
        **{c: x.copy() for c, x in zip(COLUMNS, columns, strict=True)},
        cash=np.asarray(cash, dtype="intp"),
        planned=np.asarray(planned, dtype=bool),
    )


def planned_table(a: Analysis) -> tuple[OrderTable, list[ClientPlan]]:
    """Plan every client of an analysis with today's planner, and write the plans as a table of orders."""
    planner = Planner(a, explain=False)
    plans = [planner.plan(i) for i in range(len(a))]
    rows, cash, planned = [], [], []
    for i, plan in enumerate(plans):
        planned.append(plan.certificate is not NOTHING_MOVES)
        cash.append(cash_of(planner, i) if planned[-1] else -1)
        for line in plan.lines:
            o, held = line.order, line.holding
            debt = line.debt if o.side == "repay" else -1
            product = o.product if o.new else -1
            money = (o.cents, o.cost_cents, o.tax_cents)
            rows.append((i, -1 if debt >= 0 else held, product, debt, SIDES[o.side], *money))
    return table_of(rows, cash, planned), plans


def cash_of(planner: Planner, i: int) -> int:
    """Row of the holding that leftovers of a client go to."""
    from allocator.rebalance.instruments import instruments

    x = instruments(i, planner.context)
    return int(x.holding[x.cash])
