"""What a plan is to do, and the numbers of one client's programme, with its objective and limits as plain sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from allocator.framework import PlanWeights
from allocator.plan import Objective
from allocator.rebalance.convex import Convex
from allocator.rebalance.instruments import Instruments
from allocator.rebalance.rows import Row
from allocator.rebalance.start import Start
from allocator.typing import BoolArray, FloatArray

Goal = Literal["target", "return"]


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
    counts, inside
        1 for assets and 0 for debts; the part of each that is inside the buckets, and so in the total.
    linear, cost_price
        Price of each weight: costs are what is missing from 1'w, each unit at the price of costs, and a return is a
        price below 0.
    wash
        Price of each trade, 0 for the cash account.
    root, center
        Σ (root · w − center)²: keeps the answer unique and spread, and what lies at par where it is.
    above, satellite
        1 for what is above the client's grade, where that may be bought at all; buys of it together stay within this
        share of the total.
    turnover, cost
        Most (buys + sells) / 2 and most costs and taxes of the plan.
    objectives, x, models
        A user's own terms of the objective, the instruments that they look at, and the client's own compiled models.
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
    inside: FloatArray
    linear: FloatArray
    cost_price: float
    wash: FloatArray
    root: FloatArray
    center: FloatArray
    above: FloatArray
    satellite: float
    turnover: float
    cost: float
    debt: float
    weights: PlanWeights
    start: Start
    objectives: tuple[Objective, ...] = ()
    x: Instruments | None = None
    models: dict[Any, Any] | None = None

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
        names = np.maximum(self.inside * weights - self.name_bound * (self.inside @ weights), 0.0)
        return Excess(rows, names, np.array([max(c.beyond(weights, self.inside), 0.0) for c in self.convex]))

    def sigma(self, weights: FloatArray) -> float:
        """Volatility on the family's own money."""
        part = self.volatility
        return part.measure(weights, self.inside) / float(part.base @ weights - self.debt)

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
    def money(self) -> float:
        """What there is to be spread, and to be spent on costs: today's weights and money due."""
        return float(self.w0.sum()) + self.flow

    @property
    def offset(self) -> float:
        """What makes costs of the money that is missing from 1'w."""
        return self.cost_price * self.money

    def _extra(self, w: FloatArray, buy: FloatArray, sell: FloatArray) -> float:
        if not self.objectives or self.x is None:
            return 0.0
        import cvxpy as cp

        at = self.assets
        given = [cp.Constant(values[at]) for values in (w, buy, sell)]
        w_at, bought, sold = given
        return float(sum(o.weight * o.term(w_at, bought, sold, self.facts).value for o in self.objectives))

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
        total = self.inside @ w
        money = w.sum() + self.costs(buy, sell) - self.money
        worst: tuple[Any, ...] = (
            self.least_buy - buy,
            buy - self.most_buy,
            self.least_sell - sell,
            sell - self.most_sell,
            self.rows @ w - self.bound - (self.row_start - self.row_allowance * total),
            self.inside * w - self.name_bound * total - (self.name_start - self.name_allowance * total),
            [c.beyond(w, self.inside) - (c.start - c.allowance * (c.base @ w)) for c in self.convex],
            [self.above @ buy - self.satellite * total if self.above.any() else 0.0],
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
