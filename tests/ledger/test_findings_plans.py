"""Findings on plans: carried out, in part or not at all, by units whatever prices do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from histories import DAYS, one
from told import NAN, POLICY, deposit, kept, shares, told

import allocator as al
from allocator.analysis import Analysis

# ---- plans


@pytest.fixture(scope="module")
def plan() -> al.Plan:
    rows = [
        deposit(1e5),
        shares(10_000, 100.0, "lump"),
        {"name": "fund", "asset_class": "bond_fund", "value": 2e5, "quantity": 2e5},
    ]
    debts = pd.DataFrame([{"client_id": "a", "value": 3e5, "kind": "credit line"}])
    found = al.rebalance(one(rows, debts=debts), explain=False)
    sides = set(found.trades["side"])
    assert {"sell", "buy"} <= sides
    return found


def next_quarter(plan: al.Plan, part: float, price: float = 1.0) -> Analysis:
    """The book of the plan a quarter on, with this part of every trade carried out; prices of shares moved."""
    p, q = plan.before.positions, plan.after.positions
    old = dict(
        zip(p.holdings["asset_id"], zip(p.value, p.quantity, p.holdings["asset_class"], strict=True), strict=True)
    )
    rows = []
    for asset, klass, value in zip(q.holdings["asset_id"], q.holdings["asset_class"], q.value, strict=True):
        was, units, _ = old.get(asset, (0.0, NAN, klass))
        now = was + part * (value - was)
        moved = price if klass == "listed_equity" else 1.0
        units = units * now / was if was else now
        rows.append({"name": asset, "asset_class": klass, "value": round(now * moved, 2), "quantity": units})
    owed = p.debts.value + part * (q.debts.value - p.debts.value)
    debts = pd.DataFrame([{"client_id": "a", "value": v, "kind": k} for v, k in zip(owed, p.debts.kind, strict=True)])
    return one(rows, DAYS[1], debts=debts)


@pytest.mark.parametrize("price", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("part", [0.0, 0.4, 0.6, 1.0])
def test_a_plan_is_carried_out_by_units_whatever_prices_do(
    part: float, price: float, plan: al.Plan, tmp_path: Path
) -> None:
    diff = kept(tmp_path, plan, next_quarter(plan, part, price)).diff()
    trades = plan.trades
    cash = {"deposit", "money_market"}
    sold = set(trades.loc[trades["side"] == "sell", "asset_id"])
    classes = set(trades.loc[(trades["side"] == "buy") & ~trades["asset_class"].isin(cash), "asset_class"])
    undone = part < POLICY.plan.done
    assert {r["subject"] for r in told(diff, "sale_undone")} == (sold if undone else set())
    if price == 1.0:
        assert {r["subject"] for r in told(diff, "purchase_undone")} == (classes if undone else set())
    repaid = set(trades.loc[trades["side"] == "repay", "asset_id"])
    assert {r["subject"] for r in told(diff, "repayment_undone")} == (repaid if undone else set())
    for row in told(diff, "sale_undone"):
        amount = float(trades.loc[trades["asset_id"] == row["subject"], "amount"].iloc[0])
        assert row["before"] == amount
        assert row["after"] == pytest.approx(part * amount, abs=1.0)
        assert row["note"] == ""


def test_a_plan_that_stays_undone_persists_and_is_resolved_by_doing_it(plan: al.Plan, tmp_path: Path) -> None:
    again = al.rebalance(next_quarter(plan, 0.0), explain=False)
    done = next_quarter(again, 1.0)
    ledger = kept(tmp_path, plan, again, next_quarter(again, 0.0), done)
    states = [{r["state"] for r in told(ledger.diff(after=d), "sale_undone")} for d in DAYS[1:]]
    assert states == [{"new"}, {"persistent"}, {"resolved"}]
    assert {r["since"].date() for r in told(ledger.diff(after=DAYS[2]), "sale_undone")} == {DAYS[1]}


def test_a_sale_without_units_is_judged_by_value_and_marked(plan: al.Plan, tmp_path: Path) -> None:
    p = plan.before.positions
    blind = replace(plan, before=replace(plan.before, positions=replace(p, quantity=np.full(len(p.value), NAN))))
    rows = [
        {"name": n, "asset_class": c, "value": v}
        for n, c, v in zip(p.holdings["asset_id"], p.holdings["asset_class"], p.value, strict=True)
    ]
    found = told(kept(tmp_path, blind, one(rows, DAYS[1])).diff(), "sale_undone")
    assert found
    assert {r["note"] for r in found if r["subject"] != "cash"} == {"value_only"}
