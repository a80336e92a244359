"""The book engine: plans of all clients at once, each certified; whoever it cannot answer for is planned alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from allocator.certificates import BookCertificates, verify
from allocator.certificates_orders import BUY, REPAY, SELL, OrderTable
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
    checks = _certified(planner, plans)
    alone = np.union1d(plans.left, np.flatnonzero(~checks.holds & plans.planned)).astype("intp")
    slow = [(int(i), planner.plan(int(i))) for i in alone]
    lines = plans.lines.take(np.flatnonzero(~np.isin(plans.lines.client, alone)))
    lines = Lines.joined([lines, lines_of(slow)])
    return put_together(
        planner.analysis, (lines, _merged(plans.verdicts, alone, slow), _all_checks(planner, checks, slow)), measure
    )


def _certified(planner: Planner, plans: BookPlans) -> BookCertificates:
    """Certificates of the plans."""
    lines = plans.lines
    side = np.full(len(lines), BUY, dtype=np.int64)
    side[lines.side == "sell"] = SELL
    side[lines.side == "repay"] = REPAY
    orders = OrderTable(
        client=lines.client,
        holding=lines.holding,
        product=lines.product,
        debt=lines.debt,
        side=side,
        cents=lines.cents,
        cost_cents=lines.cost,
        tax_cents=lines.tax,
        cash=np.where(plans.planned, plans.cash, -1),
        planned=plans.planned,
    )
    return verify(planner.analysis, orders)


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


def _all_checks(planner: Planner, checks: BookCertificates, slow: Sequence[tuple[int, ClientPlan]]) -> pd.DataFrame:
    """Rows of every certificate, in the order of the book."""
    ids = planner.analysis.client_ids
    alone = [i for i, _ in slow]
    rows = checks.table(np.setdiff1d(np.arange(len(ids)), alone))
    if not slow:
        return rows
    more = pd.DataFrame([row for i, plan in slow for row in checks_of(ids[i], plan)], columns=list(CHECKS))
    whole = pd.concat([rows, more.astype(rows.dtypes.to_dict())], ignore_index=True)
    place = pd.Index(ids).get_indexer(pd.Index(whole["client_id"]))
    return whole.take(np.argsort(place, kind="stable")).reset_index(drop=True)
