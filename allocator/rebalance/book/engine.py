"""The book engine: plans of all clients at once, each certified; whoever it cannot answer for is planned alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from allocator.certify import Certifier, Order
from allocator.plan import CHECKS, Plan
from allocator.rebalance.book.plans import BookPlans, fits, plan_all
from allocator.rebalance.client_plan import ClientPlan
from allocator.rebalance.lines import Lines, lines_of
from allocator.rebalance.outcome import Measure, Verdicts, checks_of, put_together, verdicts_of
from allocator.rebalance.planner import Planner
from allocator.typing import IntArray


def plan_book(planner: Planner, measure: Measure) -> Plan | None:
    """Plan every client of an analysis.

    Parameters
    ----------
    planner
        With what plans are to do; nothing is explained.
    measure
        See `allocator.rebalance.outcome.Measure`.

    Returns
    -------
    Plan or None
        None where the framework has limits, or the caller wishes, that this route does not carry.
    """
    if not fits(planner.context, planner.aim):
        return None
    plans = plan_all(planner)
    checks, refused = _certified(planner, plans)
    alone = np.union1d(plans.left, refused)
    slow = [(int(i), planner.plan(int(i))) for i in alone]
    lines = plans.lines.take(np.flatnonzero(~np.isin(plans.lines.client, alone)))
    lines = Lines.joined([lines, lines_of(slow)])
    return put_together(
        planner.analysis, (lines, _merged(plans.verdicts, alone, slow), _all_checks(planner, checks, slow)), measure
    )


def _certified(planner: Planner, plans: BookPlans) -> tuple[list[tuple[int, ClientPlan]], IntArray]:
    """Certificates of the plans, and the clients whose plan does not hold."""
    certifier = Certifier(planner.analysis)
    lines, out, bad = plans.lines, [], []
    ends = np.searchsorted(lines.client, np.arange(len(planner.analysis) + 1))
    ids = planner.context.asset_ids
    for i in range(len(planner.analysis)):
        if not plans.planned[i]:
            out.append((i, ClientPlan(str(plans.verdicts.status[i]))))
            continue
        orders = []
        for k in range(int(ends[i]), int(ends[i + 1])):
            new = bool(lines.holding[k] < 0 and lines.debt[k] < 0)
            orders.append(
                Order(lines.asset_id[k], lines.side[k], int(lines.cents[k]), int(lines.cost[k]), new,
                      int(lines.product[k]), int(lines.tax[k]))
            )  # fmt: skip
        cash = ids[plans.cash[i]] if plans.cash[i] >= 0 else "CASH"
        found = certifier.certify(i, orders, cash)
        if not found.holds:
            bad.append(i)
        out.append((i, ClientPlan("", certificate=found)))
    return out, np.array(bad, dtype="intp")


def _merged(verdicts: Verdicts, alone: IntArray, slow: Sequence[tuple[int, ClientPlan]]) -> Verdicts:
    """Put what is said of clients planned alone into its places."""
    if not len(alone):
        return verdicts
    more = verdicts_of([p for _, p in slow])
    out = {}
    for f in fields(verdicts):
        out[f.name] = getattr(verdicts, f.name).copy()
        out[f.name][alone] = getattr(more, f.name)
    return replace(verdicts, **out)


def _all_checks(
    planner: Planner, checks: Sequence[tuple[int, ClientPlan]], slow: Sequence[tuple[int, ClientPlan]]
) -> pd.DataFrame:
    by = dict(checks) | dict(slow)
    ids = planner.analysis.client_ids
    return pd.DataFrame([row for i in sorted(by) for row in checks_of(ids[i], by[i])], columns=list(CHECKS))
