"""One client's programme as numbers: what the compiled model takes as parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from allocator.framework import Band, PlanWeights
from allocator.plan import Objective
from allocator.rebalance.context import Context
from allocator.rebalance.convex import Convex, convex_limits
from allocator.rebalance.instruments import UNBOUNDED, Instruments
from allocator.rebalance.rows import Client, Row, limit_rows, satellite_row, secured_rows
from allocator.rebalance.start import Start
from allocator.typing import BoolArray, FloatArray

Goal = Literal["target", "return"]

STILL = 1e-3
"""Price of squared trades in what lies at par: just enough to make the answer unique."""

HORIZON = 5.0
"""Years over which a plan for the highest return spreads its costs. House judgement: a usual holding period."""

EVEN = 1e-4
"""Price of squared weights where the highest return is sought: just enough to make the answer unique."""

SELL_FIRST = 0.1
"""Price of keeping what the client wants sold first. House judgement: as dear as 1% of costs."""

NEAR = 0.05
"""What cannot be sold is frozen as it is when its share is above the cap or within this part below it: costs alone
could take it across."""


@dataclass(frozen=True)
class Aim:
    """What a plan is to do.

    Attributes
    ----------
    goal
        ``target``: closest to the target mix; ``return``: highest expected return inside the band.
    portfolio
        Suitability by portfolio: any grade may be bought while grades above the client's stay within the satellite
        share.
    hard
        No limit may be exceeded at all.
    objectives
        A user's own terms.
    """

    goal: Goal = "target"
    portfolio: bool = False
    hard: bool = False
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True)
class Excess:
    """What is beyond each limit: of the rows, the single names and the convex measures."""

    rows: FloatArray
    names: FloatArray
    convex: FloatArray

    @property
    def total(self) -> float:
        """In all."""
        return float(self.rows.sum() + self.names.sum() + self.convex.sum())

    @property
    def worst(self) -> float:
        """The largest."""
        return float(max(x.max(initial=0.0) for x in (self.rows, self.names, self.convex)))


@dataclass(frozen=True)
class Problem:
    """Parameters of the programme of one client; weights, costs and excesses are fractions of the total today.

    Attributes
    ----------
    buy_cost, sell_cost
        Fractions of the amount; selling takes the tax as well.
    limit_rows, rows, bound
        Where the rows come from, and G and h of ``G w ≤ h + s``.
    row_start, row_allowance
        Bound of s: the excess at the start plus allowance · (total at the start − total after).
    name_bound, name_start, name_allowance
        The same for single holdings.
    convex
        Limits on convex measures, with their own bounds of excess.
    targets
        R of ``‖R w‖²``.
    counts
        1 for what is part of the total, 0 for debts.
    linear, cost_price
        Price of each weight: costs are what is missing from 1'w, each unit at the price of costs, and a return is a
        price below 0.
    wash
        Price of each trade, 0 for the cash account.
    root, center
        Σ (root · w − center)²: keeps the answer unique and spread, and what lies at par where it is.
    turnover, cost
        Most (buys + sells) / 2 and most costs and taxes of the plan.
    """

    w0: FloatArray
    buy_cost: FloatArray
    sell_cost: FloatArray
    least_buy: FloatArray
    most_buy: FloatArray
    least_sell: FloatArray
    most_sell: FloatArray
    flow: float
    limit_rows: tuple[Row, ...]
    rows: FloatArray
    bound: FloatArray
    row_start: FloatArray
    row_allowance: FloatArray
    row_price: FloatArray
    name_bound: FloatArray
    name_start: FloatArray
    name_allowance: FloatArray
    name_price: float
    convex: tuple[Convex, ...]
    targets: FloatArray
    counts: FloatArray
    linear: FloatArray
    cost_price: float
    wash: FloatArray
    root: FloatArray
    center: FloatArray
    turnover: float
    cost: float
    debt: float
    weights: PlanWeights
    start: Start
    objectives: tuple[Objective, ...] = ()
    x: Instruments | None = None

    @property
    def n(self) -> int:
        """Number of instruments."""
        return len(self.w0)

    @property
    def own(self) -> bool:
        """Whether it has terms of a user's own, and so a model of its own."""
        return bool(self.objectives) or any(c.limit.kind == "term" for c in self.convex)

    @property
    def volatility(self) -> Convex:
        """The limit on the volatility, which every band has."""
        return next(c for c in self.convex if c.limit.kind == "volatility")

    def excess(self, weights: FloatArray) -> Excess:
        """Excess over every limit at some weights."""
        rows = np.maximum(self.rows @ weights - self.bound, 0.0)
        names = np.maximum(weights - self.name_bound * (self.counts @ weights), 0.0)
        return Excess(rows, names, np.array([max(c.beyond(weights, self.counts), 0.0) for c in self.convex]))

    def sigma(self, weights: FloatArray) -> float:
        """Volatility on the family's own money."""
        return self.volatility.measure(weights, self.counts) / float(weights.sum() - self.debt)

    def distance(self, weights: FloatArray) -> float:
        """Squared distance to the target mix."""
        return float(((self.targets @ weights) ** 2).sum())

    def costs(self, buy: FloatArray, sell: FloatArray) -> float:
        """Costs and taxes of some trades."""
        return float(self.buy_cost @ buy + self.sell_cost @ sell)

    def objective(self, buy: FloatArray, sell: FloatArray) -> float:
        """Value of the objective at some trades, with each excess at its least, without the solver's help."""
        w = self.w0 + buy - sell
        over = self.excess(w)
        value = (
            self.row_price @ over.rows
            + self.name_price * over.names.sum()
            + sum(c.price * x for c, x in zip(self.convex, over.convex, strict=True))
            + self.distance(w)
            + self.linear @ w
            + self.wash @ (buy + sell)
            + ((self.root * w - self.center) ** 2).sum()
        )
        return float(value) + self.offset + self._extra(w, buy, sell)

    @property
    def offset(self) -> float:
        """What makes costs of the money that is missing from 1'w."""
        return self.cost_price * (1.0 + self.flow)

    def _extra(self, w: FloatArray, buy: FloatArray, sell: FloatArray) -> float:
        if not self.objectives or self.x is None:
            return 0.0
        import cvxpy as cp

        at = self.assets
        given = [cp.Constant(values[at]) for values in (w, buy, sell)]
        return float(sum(o.weight * o.term(*given, self.facts).value for o in self.objectives))

    @property
    def assets(self) -> Any:
        """Places of what is no debt."""
        return np.flatnonzero(self.counts)

    @property
    def facts(self) -> Any:
        """Facts of the assets, for a user's own terms."""
        assert self.x is not None
        return self.x.facts.iloc[self.assets].reset_index(drop=True)

    def violation(self, buy: FloatArray, sell: FloatArray) -> float:
        """Largest violation of any constraint of the programme at some trades, each excess at its least."""
        w = self.w0 + buy - sell
        total = self.counts @ w
        money = w.sum() + self.costs(buy, sell) - 1.0 - self.flow
        worst = (
            self.least_buy - buy,
            buy - self.most_buy,
            self.least_sell - sell,
            sell - self.most_sell,
            self.rows @ w - self.bound - (self.row_start - self.row_allowance * total),
            w - self.name_bound * total - (self.name_start - self.name_allowance * total),
            [c.beyond(w, self.counts) - (c.start - c.allowance * total) for c in self.convex],
            [(self.counts @ (buy + sell)) / 2 - self.turnover, self.costs(buy, sell) - self.cost, abs(money)],
        )
        return float(max(np.max(part, initial=0.0) for part in worst))

    @cached_property
    def mending(self) -> BoolArray:
        """Instruments whose sale raises money that is due or lowers a cap that is exceeded at the start."""
        over = (self.row_start - self.row_allowance * self.start.total > 0) & (self.row_allowance == 0)
        members = np.array([r.members for r in self.limit_rows]).reshape(self.rows.shape)
        names = (self.name_start > 0) & (self.name_allowance == 0)
        return np.asarray((self.start.sell > 0) | members[over].any(axis=0) | names)

    def bounded(self, **changes: FloatArray) -> Problem:
        """Return the same programme with other bounds on the trades (``least_buy``, ``most_buy``, ...)."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def hardened(self) -> Problem:
        """Return the same programme with no excess allowed at all."""
        zero = np.zeros
        return replace(
            self,
            row_start=zero(len(self.bound)),
            row_allowance=zero(len(self.bound)),
            name_start=zero(self.n),
            name_allowance=zero(self.n),
            convex=tuple(replace(c, start=0.0, allowance=0.0) for c in self.convex),
        )


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
    price = {family: plan.priorities[family] / plan.scales[family] for family in plan.priorities}
    client = Client(i, x, band, debt, context)
    rows = limit_rows(client) + secured_rows(client) + ([satellite_row(client)] if aim.portfolio else [])
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
        turnover=UNBOUNDED,
        cost=UNBOUNDED,
        debt=debt,
        weights=plan,
        start=start,
        objectives=aim.objectives,
        x=x if aim.objectives else None,
    )
    problem = _budgets(_do_no_harm(problem, x), context, int(a.positions.band[i]))
    return problem.hardened() if aim.hard else problem


def _goal(aim: Aim, band: Band, x: Instruments, context: Context) -> tuple[FloatArray, FloatArray, float, float]:
    """Rows of the distance to the target mix, the price of each weight, of costs, and of what is not spread."""
    plan = context.analysis.framework.plan
    targets, first = _targets(band, x, context), SELL_FIRST * x.sell_first
    if aim.goal == "target":
        return targets, first - plan.cost_weight, plan.cost_weight, plan.spread_weight
    mean = np.where(x.counts > 0, context.mean[x.mix], context.risk.borrowing_rate)
    return targets * 0.0, first - 1.0 / HORIZON - mean, 1.0 / HORIZON, EVEN


def _budgets(problem: Problem, context: Context, place: int) -> Problem:
    """Budgets of the plan; what the starting point takes is always allowed."""
    s = problem.start
    taken = {
        "turnover": float(problem.counts @ (s.buy + s.sell)) / 2,
        "cost": problem.costs(s.buy, s.sell),
    }
    most = {b.name: max(b.bounds[place], taken[b.name]) for b in context.budgets if not np.isnan(b.bounds[place])}
    return replace(problem, **most)  # type: ignore[arg-type]


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
    raw_names = start.weights - problem.name_bound * start.total
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
    to_bucket = context.buckets[x.mix].T - b[:, None]
    to_group = np.sqrt(f.plan.group_weight) * (context.groups[x.mix].T - g[:, None])
    return np.vstack([to_bucket, to_group])
