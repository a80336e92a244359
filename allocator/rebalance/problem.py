"""One client's programme as numbers: what the compiled model takes as parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from allocator.framework import Band, PlanWeights
from allocator.rebalance.instruments import UNBOUNDED, Context, Instruments
from allocator.rebalance.rows import Client, Row, limit_rows, satellite_row, secured_rows
from allocator.rebalance.start import Start
from allocator.typing import BoolArray, FloatArray

STILL = 1e-3
"""Price of squared trades in what lies at par: just enough to make the answer unique."""


@dataclass(frozen=True)
class Problem:
    """Parameters of the programme of one client; weights, costs and excesses are fractions of the total today.

    Attributes
    ----------
    limit_rows, rows, bound
        Where the rows come from, and G and h of ``G w ≤ h + s``.
    row_start, row_allowance
        Bound of s: the excess at the start plus allowance · (total at the start − total after).
    name_bound, name_start, name_allowance
        The same for single holdings.
    sigma, debt, risk_start, risk_allowance
        The same for the volatility; ``debt`` is D / T.
    targets
        R of ``‖R w‖²``.
    counts
        1 for what is part of the total, 0 for debts.
    wash
        Price of each trade, 0 for the cash account.
    spread, still
        Price of each squared weight, 0 for what lies at par and for debts; of each squared trade of what lies at par.
    """

    w0: FloatArray
    buy_cost: FloatArray
    sell_cost: FloatArray
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
    loadings: FloatArray
    idiosyncratic: FloatArray
    sigma: float
    debt: float
    risk_start: float
    risk_allowance: float
    risk_price: float
    targets: FloatArray
    counts: FloatArray
    wash: FloatArray
    spread: FloatArray
    still: FloatArray
    weights: PlanWeights
    start: Start

    @property
    def n(self) -> int:
        """Number of instruments."""
        return len(self.w0)

    def excess(self, weights: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Excess over the limit rows, over the single names and over the volatility at some weights."""
        rows = np.maximum(self.rows @ weights - self.bound, 0.0)
        names = np.maximum(weights - self.name_bound * (self.counts @ weights), 0.0)
        return rows, names, max(self.sigma_money(weights) - self.sigma * (weights.sum() - self.debt), 0.0)

    def sigma_money(self, weights: FloatArray) -> float:
        """Volatility of the assets as a fraction of the total today."""
        return float(np.sqrt(((self.loadings @ weights) ** 2).sum() + ((self.idiosyncratic * weights) ** 2).sum()))

    def distance(self, weights: FloatArray) -> float:
        """Squared distance to the target mix."""
        return float(((self.targets @ weights) ** 2).sum())

    def objective(self, buy: FloatArray, sell: FloatArray) -> float:
        """Value of the objective at some trades, with each excess at its least, without the solver's help."""
        w = self.w0 + buy - sell
        rows, names, risk = self.excess(w)
        p = self.weights
        return float(
            self.row_price @ rows
            + self.name_price * names.sum()
            + self.risk_price * risk
            + self.distance(w)
            + p.cost_weight * (1.0 + self.flow - w.sum())
            + self.wash @ (buy + sell)
            + self.spread @ w**2
            + self.still @ (buy**2 + sell**2)
        )

    def violation(self, buy: FloatArray, sell: FloatArray) -> float:
        """Largest violation of any constraint of the programme at some trades, each excess at its least."""
        w = self.w0 + buy - sell
        total = self.counts @ w
        risk = self.excess(w)[2]
        money = w.sum() + self.buy_cost @ buy + self.sell_cost @ sell - 1.0 - self.flow
        worst = (
            -buy,
            buy - self.most_buy,
            self.least_sell - sell,
            sell - self.most_sell,
            self.rows @ w - self.bound - (self.row_start - self.row_allowance * total),
            w - self.name_bound * total - (self.name_start - self.name_allowance * total),
            [risk - (self.risk_start - self.risk_allowance * total), abs(money)],
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
        """Return the same programme with other bounds on the trades (``most_buy``, ``least_sell``, ``most_sell``)."""
        return replace(self, **changes)  # type: ignore[arg-type]


def problem_of(i: int, x: Instruments, start: Start, context: Context, *, portfolio: bool = False) -> Problem:
    """Write the programme of client ``i`` in numbers.

    Parameters
    ----------
    i, x, start, context
        The client, its instruments and starting point.
    portfolio
        Suitability by portfolio: any grade may be bought while grades above the client's stay within the satellite
        share.
    """
    a = context.analysis
    band = list(a.framework.bands.values())[a.positions.band[i]]
    total = a.exposures.total[i]
    flow, debt = float(a.positions.cash_flow[i] / total), float(a.exposures.debt[i] / total)
    plan, n = a.framework.plan, len(x)
    price = {family: plan.priorities[family] / plan.scales[family] for family in plan.priorities}
    client = Client(i, x, band, debt, context)
    rows = limit_rows(client) + secured_rows(client) + ([satellite_row(client)] if portfolio else [])
    others = np.arange(n) != x.cash
    allowed = (x.buyable > 0) & (portfolio | (x.risk <= band.product_risk) | ~others)
    single = client.bound("single_holding")
    loadings, idiosyncratic = _risk(x, context)
    name_bound = np.where(x.named & ~np.isnan(single), single, UNBOUNDED)
    problem = Problem(
        w0=x.w0,
        counts=x.counts,
        buy_cost=x.buy_cost,
        sell_cost=x.sell_cost,
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
        loadings=loadings,
        idiosyncratic=idiosyncratic,
        sigma=band.volatility,
        debt=debt,
        risk_start=0.0,
        risk_allowance=0.0,
        risk_price=price["risk"],
        targets=_targets(band, x, context),
        wash=plan.wash_weight * others,
        spread=plan.spread_weight * x.counts * ~x.at_par,
        still=STILL * x.at_par * others,
        weights=plan,
        start=start,
    )
    return _do_no_harm(problem, x)


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


NEAR = 0.05
"""What cannot be sold is frozen as it is when its share is above the cap or within this part below it: costs alone
could take it across."""


def _do_no_harm(problem: Problem, x: Instruments) -> Problem:
    """Bound every excess by the one at the starting point, and what cannot be sold by what there is of it."""
    start = problem.start
    rows, names, risk = problem.excess(start.weights)
    raw_rows = problem.rows @ start.weights - problem.bound
    raw_names = start.weights - problem.name_bound * start.total
    frozen_rows = (problem.row_allowance > 0) & (raw_rows > -NEAR * problem.row_allowance * start.total)
    frozen_names = (problem.name_allowance > 0) & (raw_names > -NEAR * problem.name_bound * start.total)
    row_allowance = np.where(frozen_rows, problem.row_allowance, 0.0)
    name_allowance = np.where(frozen_names, problem.name_allowance, 0.0)
    risky = (np.abs(problem.loadings).sum(axis=0) + problem.idiosyncratic) > 0
    risk_allowance = problem.sigma if risk > 0 and not (x.sellable[risky] > 0).any() else 0.0
    return replace(
        problem,
        row_allowance=row_allowance,
        row_start=np.where(frozen_rows, raw_rows, rows) + row_allowance * start.total,
        name_allowance=name_allowance,
        name_start=np.where(frozen_names, raw_names, names) + name_allowance * start.total,
        risk_allowance=risk_allowance,
        risk_start=risk + risk_allowance * start.total,
    )


def _targets(band: Band, x: Instruments, context: Context) -> FloatArray:
    """Rows of the distance to the target mix: buckets, then groups with their weight."""
    f = context.analysis.framework
    b = np.array([band.buckets[c].target for c in f.bucket_codes])
    g = np.array([band.groups[c].target if c in band.groups else 0.0 for c in f.group_codes])
    to_bucket = context.buckets[x.mix].T - b[:, None]
    to_group = np.sqrt(f.plan.group_weight) * (context.groups[x.mix].T - g[:, None])
    return np.vstack([to_bucket, to_group])
