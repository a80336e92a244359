"""Plans of small sheets, and what holds for every plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from conftest import ON, make_book

from allocator.limits import TOLERANCE
from allocator.pipeline import analyze, rebalance
from allocator.plan import STATUSES, Plan

SPENDING = 1000.0


def plan_of(
    holdings: list[dict[str, Any]],
    client: dict[str, Any] | None = None,
    *,
    mode: dict[str, Any] | None = None,
    **tables: Any,
) -> Plan:
    """Plan one client, given as rows, and check what holds for every plan; ``mode`` goes to `rebalance`."""
    people = [{"client_id": "a", "risk_band": "balanced", "monthly_spending": SPENDING} | (client or {})]
    rows = pd.DataFrame([{"client_id": "a"} | row for row in holdings])
    plan = rebalance(analyze(make_book(rows, people, **tables), on=ON), **(mode or {}))
    check_plan(plan)
    return plan


def check_plan(plan: Plan) -> None:
    """What holds for every plan, whatever the book: the verifier, cents, no money lost, no limit worse."""
    assert plan.summary["certificate"].all()
    assert set(plan.summary["status"]) <= set(STATUSES)
    t = plan.trades
    cents = t[["amount", "cost", "tax"]].to_numpy() * 100
    assert np.allclose(cents, np.rint(cents), atol=1e-4)
    assert (t["amount"] > 0).all()
    for i, client in enumerate(plan.before.client_ids):
        own, p = t[t["client_id"] == client], plan.before.positions
        money = {s: round(own.loc[own["side"] == s, "amount"].sum() * 100) for s in ("sell", "buy", "repay")}
        costs = round((own["cost"] + own["tax"]).sum() * 100)
        flow = round(p.cash_flow[i] * 100) if len(own) else 0
        assert money["sell"] + flow == money["buy"] + money["repay"] + costs
        before = plan.before.holdings.loc[lambda h, c=client: h["client_id"] == c].set_index("asset_id")["value"]
        after = plan.after.holdings.loc[lambda h, c=client: h["client_id"] == c].set_index("asset_id")["value"]
        moved = own[own["side"] != "repay"].set_index("asset_id")
        signed = moved["amount"].where(moved["side"] == "buy", -moved["amount"])
        expected = before.add(signed, fill_value=0.0)
        assert np.allclose(after.reindex(expected.index), expected, atol=0.005)
        assert (after >= -0.005).all()
    same = ~(plan.before.positions.cash_flow != 0)
    worse = plan.after.limit_table.excess - plan.before.limit_table.excess
    untouched = set(plan.checks.loc[plan.checks["verdict"] == "untouched", "client_id"])
    calm = same & ~np.isin(plan.before.client_ids, list(untouched))
    assert np.nanmax(worse[calm], initial=0.0) <= 2 * TOLERANCE
