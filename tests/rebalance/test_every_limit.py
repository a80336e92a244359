"""Every limit that there is, alone and tight: plans obey it or make it no worse, and it really binds."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from conftest import ON
from programmes import EVERY, cases, open_framework, random_book
from recount import beyond, sheets

from allocator.framework import Framework
from allocator.limits import Limit, budgets, limit_list
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan

CLIENTS = 25
LIMITS = {x.key: x for x in limit_list(EVERY)}
BUDGETS = [b.name for b in budgets(EVERY)]


def alone(limit: Limit, bound: float) -> Framework:
    """One limit and no other."""
    if limit.name == "volatility":
        return open_framework(volatility=bound)
    if limit.name == "reserve_months":
        months = EVERY.reserve.model_copy(update={"months": bound, "months_owner": bound})
        return open_framework().model_copy(update={"reserve": months})
    return open_framework(**{"limits" if limit.sense == "<=" else "floors": {limit.name: bound}})


def plan_of(framework: Framework, seed: int = 4) -> Plan:
    plan = rebalance(analyze(random_book(seed, CLIENTS, flows=False), framework, on=ON), explain=False)
    assert plan.summary["certificate"].all()
    return plan


@cache
def tight(key: str) -> float:
    """A bound that half of the clients exceed: half of the middle of today's values, or twice what is there."""
    limit = LIMITS[key]
    a = analyze(random_book(4, CLIENTS, flows=False), EVERY, on=ON)
    value = a.limit_table.value[:, [x.key for x in a.limit_table.limits].index(key)]
    value = value[np.isfinite(value) & (value > 0)]
    if limit.sense == ">=":
        return 12.0 if limit.name == "reserve_months" else 0.25
    return float(np.median(value)) / 2 if len(value) else 0.01


@pytest.mark.parametrize("key", list(LIMITS))
def test_a_tight_limit_alone_is_obeyed_or_no_worse(key: str) -> None:
    limit, bound = LIMITS[key], tight(key)
    plan = plan_of(alone(limit, bound))
    free = plan_of(open_framework())
    untouched = set(
        plan.checks.loc[(plan.checks["check"] == limit.name) & (plan.checks["verdict"] == "untouched"), "client_id"]
    )
    mended, kept = 0, 0
    pairs = zip(plan.before.client_ids, sheets(plan), sheets(free), strict=True)
    for client, (before, after), (_, otherwise) in pairs:
        scale = before.total
        was, now = (beyond(s, limit.name, limit.sense, bound) / scale for s in (before, after))
        harm = bound * max(before.total - after.total, 0.0) / scale if client in untouched else 0.0
        assert now <= was + 2e-6 + harm, client
        mended += now < was - 1e-3
        # what the plan would do without the limit breaks it, and with it, it stands at the bound or better
        kept += was < 1e-6 and beyond(otherwise, limit.name, limit.sense, bound) / scale > 1e-3
    assert mended + kept >= 1, "the bound must bind for somebody, or the test means nothing"


@pytest.mark.parametrize("name", BUDGETS)
def test_a_budget_alone_is_kept_and_used_up(name: str) -> None:
    free, bound = plan_of(open_framework()), {"turnover": 0.05, "cost": 0.002}[name]
    plan = plan_of(open_framework(limits={name: bound}))
    used = {}
    for each, which in ((free, "free"), (plan, "kept")):
        t = each.trades[each.trades["side"] != "repay"]
        amount = t["amount"] / 2 if name == "turnover" else each.trades["cost"] + each.trades["tax"]
        owner = t["client_id"] if name == "turnover" else each.trades["client_id"]
        total = dict(zip(each.before.client_ids, each.before.exposures.total, strict=True))
        spent = amount.groupby(owner).sum()
        used[which] = (spent / spent.index.map(total)).reindex(each.before.client_ids).fillna(0.0)
    assert (used["free"] > 2 * bound).sum() >= 5
    assert (used["kept"] <= bound + 1e-6).all()
    assert (used["kept"] > 0.98 * bound).sum() >= 5


@pytest.mark.parametrize("framework", ["classic", EVERY, "chhabra"], ids=["classic", "every", "chhabra"])
def test_the_programme_measures_what_the_analysis_measures(framework: Framework | str) -> None:
    """Excess at today's weights, limit by limit: rows, names and convex measures of the programme, and the table."""
    seen = set()
    for seed in range(4):
        for c in cases(seed, 10, framework, book=lambda s, n: random_book(s, n, flows=False)):
            p, a = c.problem, c.context.analysis
            over = p.excess(p.w0)
            mine = dict.fromkeys((x.key for x in c.context.limits), 0.0)
            for row, excess in zip(p.limit_rows, over.rows, strict=True):
                if row.limit is not None:
                    mine[row.limit.key] += float(excess)
            for part, excess in zip(p.convex, over.convex, strict=True):
                mine[part.limit.key] += float(excess)
            mine["single_holding<="] += float(over.names.sum())
            for j, limit in enumerate(a.limit_table.limits):
                theirs, ours = a.limit_table.excess[c.i, j], mine[limit.key]
                if math.isnan(theirs):
                    continue
                if limit.kind == "issuer":  # an issuer of one name is looked at by the single holding limit already
                    assert ours <= theirs + 1e-9
                else:
                    assert ours == pytest.approx(theirs, abs=1e-9), limit.key
                if ours > 1e-6:
                    seen.add(limit.key)
    assert {x.key for x in c.context.limits} - seen <= {"class:own_home<="}
