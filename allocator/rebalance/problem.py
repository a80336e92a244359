"""One client's programme as numbers: what the compiled model takes as parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allocator.framework import Band
from allocator.rebalance.context import Context
from allocator.rebalance.convex import convex_limits
from allocator.rebalance.instruments import UNBOUNDED, Instruments
from allocator.rebalance.parameters import Aim, Excess, Goal, Problem
from allocator.rebalance.rows import Client, Row, limit_rows, secured_rows
from allocator.rebalance.start import Start
from allocator.typing import FloatArray

__all__ = ["Aim", "Excess", "Goal", "Problem", "problem_of"]

STILL = 1e-3
"""Price of squared trades in what lies at par: just enough to make the answer unique."""

EVEN = 1e-4
"""Price of squared weights where the highest return is sought: just enough to make the answer unique."""

NEAR = 0.05
"""What cannot be sold is frozen as it is when its share is above the cap or within this part below it: costs alone
could take it across."""


def problem_of(i: int, x: Instruments, start: Start, context: Context, aim: Aim | None = None) -> Problem:
    """Write the programme of client ``i`` in numbers.

    Parameters
    ----------
    i, x, start, context
        The client, its instruments and starting point.
    aim
        What the plan is to do; default the target mix, product by product.
    """
    a, aim = context.analysis, aim or Aim()
    band = list(a.framework.bands.values())[a.positions.band[i]]
    total = a.exposures.total[i]
    flow, debt = float(a.positions.cash_flow[i] / total), float(a.exposures.debt[i] / total)
    plan, n = a.framework.plan, len(x)
    price: dict[str, float] = {family: plan.priorities[family] / plan.scales[family] for family in plan.priorities}
    client = Client(i, x, band, debt, context)
    rows = limit_rows(client) + secured_rows(client)
    others = np.arange(n) != x.cash
    allowed = (x.buyable > 0) & (aim.portfolio | (x.risk <= band.product_risk) | ~others)
    single = client.bound("single_holding<=")
    loadings, idiosyncratic = _risk(x, context)
    name_bound = np.where(x.named & ~np.isnan(single), single, UNBOUNDED)
    targets, linear, cost_price, even = _goal(aim, band, x, context)
    spread, still = even * x.counts * ~x.at_par, STILL * x.at_par * others
    problem = Problem(
        w0=x.w0,
        counts=x.counts,
        inside=x.inside,
        buy_cost=x.buy_cost,
        sell_cost=x.leaving,
        least_buy=np.zeros(n),
        most_buy=np.where(allowed, np.minimum(1.0 + abs(flow), x.most), 0.0),
        least_sell=np.zeros(n),
        most_sell=x.sellable,
        flow=flow,
        limit_rows=tuple(rows),
        rows=np.array([r.left for r in rows]).reshape(len(rows), n),
        bound=np.array([r.bound for r in rows]),
        row_start=np.zeros(len(rows)),
        row_allowance=np.array([r.growth * _untouchable(r, x) for r in rows]),
        row_price=np.array([price[r.family] for r in rows]),
        name_bound=name_bound,
        name_start=np.zeros(n),
        name_allowance=np.where(x.named & (x.w0 > 0) & (x.sellable <= 0), name_bound, 0.0),
        name_price=price["concentration"],
        convex=tuple(convex_limits(client, price, loadings, idiosyncratic)),
        targets=targets,
        linear=linear,
        cost_price=cost_price,
        wash=plan.wash_weight * others,
        root=np.sqrt(spread + still),
        center=np.sqrt(still) * x.w0,
        above=np.asarray((x.risk > band.product_risk) & others & aim.portfolio, dtype="float64"),
        satellite=band.satellite,
        turnover=UNBOUNDED,
        cost=UNBOUNDED,
        debt=debt,
        weights=plan,
        start=start,
        objectives=aim.objectives,
        x=x if aim.objectives else None,
        models=context.models(i),
    )
    problem = _budgets(_do_no_harm(problem, x), context, int(a.positions.band[i]))
    return problem.hardened() if aim.hard else problem


def _goal(aim: Aim, band: Band, x: Instruments, context: Context) -> tuple[FloatArray, FloatArray, float, float]:
    """Rows of the distance to the target mix, the price of each weight, of costs, and of what is not spread."""
    plan = context.analysis.framework.plan
    targets, first = _targets(band, x, context), np.asarray(plan.sell_first_weight * x.sell_first, dtype="float64")
    if aim.goal == "target":
        return targets, np.asarray(first - plan.cost_weight), plan.cost_weight, plan.spread_weight
    mean = np.where(x.counts > 0, context.mean[x.mix], context.risk.borrowing_rate)
    price = 1.0 / plan.return_years
    return targets * 0.0, np.asarray(first - price - mean), price, EVEN


def _budgets(problem: Problem, context: Context, place: int) -> Problem:
    """Budgets of the plan; what the starting point takes is always allowed."""
    s = problem.start
    taken = {
        "turnover": float(problem.counts @ (s.buy + s.sell)) / 2,
        "cost": problem.costs(s.buy, s.sell),
    }
    free = {name: UNBOUNDED + spent for name, spent in taken.items()}
    most = {b.name: max(b.bounds[place], taken[b.name]) for b in context.budgets if not np.isnan(b.bounds[place])}
    return replace(problem, **free | most)  # type: ignore[arg-type]


def _risk(x: Instruments, context: Context) -> tuple[FloatArray, FloatArray]:
    """Factor loadings and own volatilities; accounts of one asset share a factor, for they rise and fall together."""
    loadings, own = context.loadings[x.mix].T, context.idiosyncratic[x.klass].copy()
    assets, counts = np.unique(x.asset, return_counts=True)
    shared = [np.where(x.asset == a, own, 0.0) for a in assets[counts > 1]]
    own[np.isin(x.asset, assets[counts > 1])] = 0.0
    return np.vstack([loadings, *shared]), own


def _untouchable(row: Row, x: Instruments) -> bool:
    """Nothing that counts in a cap can be sold, so that costs alone raise its share: that is no harm done.

    Without this, a family with a locked firm could make no trade that costs anything. For caps of buckets and
    groups it takes a lock in the client's own data; a class that merely sells badly, such as a pension, does not excuse
    it.
    """
    counts = row.members & (x.w0 > 0)
    stated = row.family == "concentration" or bool((counts & x.locked).any())
    return stated and not (counts & (x.sellable > 0)).any()


def _do_no_harm(problem: Problem, x: Instruments) -> Problem:
    """Bound every excess by the one at the starting point, and what cannot be sold by what there is of it."""
    start = problem.start
    over = problem.excess(start.weights)
    raw_rows = problem.rows @ start.weights - problem.bound
    raw_names = problem.inside * start.weights - problem.name_bound * start.total
    frozen_rows = (problem.row_allowance > 0) & (raw_rows > -NEAR * problem.row_allowance * start.total)
    frozen_names = (problem.name_allowance > 0) & (raw_names > -NEAR * problem.name_bound * start.total)
    row_allowance = np.where(frozen_rows, problem.row_allowance, 0.0)
    name_allowance = np.where(frozen_names, problem.name_allowance, 0.0)
    convex = []
    for part, excess in zip(problem.convex, over.convex, strict=True):
        frozen = excess > 0 and not (x.sellable[part.risky] > 0).any()
        allowance = part.bound if frozen else 0.0
        convex.append(replace(part, allowance=allowance, start=float(excess) + allowance * start.total))
    return replace(
        problem,
        row_allowance=row_allowance,
        row_start=np.where(frozen_rows, raw_rows, over.rows) + row_allowance * start.total,
        name_allowance=name_allowance,
        name_start=np.where(frozen_names, raw_names, over.names) + name_allowance * start.total,
        convex=tuple(convex),
    )


def _targets(band: Band, x: Instruments, context: Context) -> FloatArray:
    """Rows of the distance to the target mix: buckets, then groups with their weight."""
    f = context.analysis.framework
    b = np.array([band.buckets[c].target for c in f.bucket_codes])
    g = np.array([band.groups[c].target if c in band.groups else 0.0 for c in f.group_codes])
    whole = x.inside + 1.0 - x.counts  # what is repaid is taken from the buckets, not from what they should be
    to_bucket = context.buckets[x.mix].T - b[:, None] * whole
    to_group = np.sqrt(f.plan.group_weight) * (context.groups[x.mix].T - g[:, None] * whole)
    return np.vstack([to_bucket, to_group])
