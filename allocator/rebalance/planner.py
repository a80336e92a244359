"""From an analysis to plans: who is planned at all, what is done, and the certificate that it is right."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np

from allocator.analysis import Analysis
from allocator.certify import Certifier, Order
from allocator.errors import SolveError
from allocator.limits import TOLERANCE
from allocator.rebalance.client_plan import UNKNOWN_MODE, ClientPlan, Line, Mode
from allocator.rebalance.conflicts import conflicts
from allocator.rebalance.context import Context
from allocator.rebalance.instruments import Instruments, instruments
from allocator.rebalance.obstacles import Lifted, prices
from allocator.rebalance.optimise import Trades, nothing, optimise
from allocator.rebalance.problem import Aim, Problem, problem_of
from allocator.rebalance.reasons import Reason, reasons
from allocator.rebalance.rounding import Cents, Money, to_money
from allocator.rebalance.shadow import shadows
from allocator.rebalance.start import shortfall, start_of
from allocator.rebalance.whole import GAP
from allocator.typing import AnyArray
from allocator.verify import Certificate


@dataclass(frozen=True)
class Planner:
    """Plans the clients of one analysis, one by one; what they share is computed once.

    Attributes
    ----------
    analysis
        Today.
    allow_unclassified
        Plan clients with holdings that nothing matched; those holdings stay as they are.
    explain
        Price what holds each plan back, and plan under the other mode of suitability as well.
    aim
        What plans are to do.
    """

    analysis: Analysis
    allow_unclassified: bool = False
    explain: bool = True
    aim: Aim = field(default_factory=Aim)

    @cached_property
    def context(self) -> Context:
        """Tables that all clients share."""
        return Context(self.analysis, bool(self.aim.objectives))

    @cached_property
    def certifier(self) -> Certifier:
        """Verifies each plan."""
        return Certifier(self.analysis)

    @cached_property
    def blocked(self) -> dict[str, tuple[str, int]]:
        """Clients with bad data, with the code and row of their first error."""
        errors = self.analysis.set_aside
        if self.allow_unclassified:
            errors = errors[errors["code"] != "unknown_class"]
        first = errors[errors["client_id"] != ""].drop_duplicates("client_id")
        return {
            c: (code, int(row)) for c, code, row in zip(first["client_id"], first["code"], first["row"], strict=True)
        }

    def plan(self, i: int) -> ClientPlan:
        """Plan client ``i``."""
        a = self.analysis
        refused = self._refused(i)
        if refused is not None:
            return refused
        x = instruments(i, self.context)
        total = float(a.exposures.total[i])
        flow = float(a.positions.cash_flow[i])
        start = start_of(x, flow / total)
        if start is None:
            return ClientPlan("unfunded", missing=round(shortfall(x, flow / total) * total, 2))
        problem = problem_of(i, x, start, self.context, self.aim)
        if self.aim.goal == "target" and self._in_order(i, problem):
            return self._finish(i, x, problem, nothing(problem))
        try:
            trades = optimise(problem, x, total)
        except SolveError:  # that nothing was found is not that nothing would help
            return ClientPlan("invalid", reason="no_verified_plan")
        if trades is None:
            clash = tuple(conflicts(problem))
            # where the limits could hold together, it is what must be traded whole that stands in the way
            return ClientPlan("infeasible", reason="" if clash else "whole_amounts", conflicts=clash)
        found = self._finish(i, x, problem, trades)
        if found.certificate.holds:
            return found
        still = nothing(problem, trades.best_possible)
        if still.objective - trades.objective <= GAP * abs(trades.objective):  # as good as what was not certified
            found = self._finish(i, x, problem, still)
            if found.certificate.holds and not found.lines:
                return found
        return ClientPlan("invalid", reason="no_verified_plan")

    def _finish(self, i: int, x: Instruments, problem: Problem, trades: Trades) -> ClientPlan:
        total = float(self.analysis.exposures.total[i])
        still = nothing(problem, trades.best_possible)
        # no better than the starting point: leave things alone
        if trades.objective > still.objective - 1e-9 and not self.aim.hard:
            trades = replace(trades, buy=still.buy, sell=still.sell, objective=still.objective)
        money = self._money(i, x, trades)
        buy, sell = money.buy / 100 / total, money.sell / 100 / total
        after = x.w0 + buy - sell
        lines = self._lines(x, money, reasons(problem, x, self.context, after))
        certificate = self._certify(i, x, lines)
        objective = problem.objective(buy, sell)
        over = problem.excess(after)
        exceeded = over.worst > TOLERANCE
        if lines and exceeded and problem.flow == 0 and max(buy.sum(), sell.sum()) < problem.weights.min_trade:
            # a plan smaller than the smallest trade worth making, that mends nothing for good
            return self._finish(i, x, problem, replace(trades, buy=still.buy, sell=still.sell))
        if not lines:
            status = "stuck" if exceeded else "no_trade"
        else:
            status = "improved" if exceeded else "in_band"
        plan = ClientPlan(
            status,
            objective=objective,
            gap=_gap(objective, trades.best_possible),
            best_whole=_gap(objective, trades.bound),
            solver=trades.solver,
            proof=trades.proof,
            lines=lines,
            certificate=certificate,
        )
        if not (self.explain and (lines or exceeded)):
            return plan
        priced, portfolio = prices(i, x, problem, self.context, (buy, sell), self.aim)
        product = self._mode("product", i, problem, x, money, certificate.holds)
        unknown = any(o.obstacle == "suitability" and np.isnan(o.excess) for o in priced)
        same = replace(product, mode="portfolio") if not unknown else UNKNOWN_MODE
        other = same if portfolio is None else self._portfolio(i, portfolio)
        return replace(
            plan,
            obstacles=tuple(priced),
            shadows=() if trades.relaxed is None else tuple(shadows(problem, x, trades.relaxed)),
            modes=(product, other),
        )

    def _money(self, i: int, x: Instruments, trades: Trades) -> Money:
        a = self.analysis
        value = np.array([a.positions.value[h] if h >= 0 else 0.0 for h in x.holding])
        return to_money(trades, x, value, float(a.exposures.total[i]), float(a.positions.cash_flow[i]))

    def _certify(self, i: int, x: Instruments, lines: tuple[Line, ...], portfolio: bool = False) -> Certificate:
        orders = [line.order for line in lines]
        return self.certifier.certify(i, orders, x.asset_id[x.cash], portfolio_mode=portfolio, hard=self.aim.hard)

    def _portfolio(self, i: int, free: Lifted) -> Mode:
        """The plan under suitability by portfolio: analysed and verified like the other, never carried out."""
        money = self._money(i, free.x, free.trades)
        lines = self._lines(free.x, money, [Reason("")] * len(free.x))
        holds = self._certify(i, free.x, lines, portfolio=True).holds
        return self._mode("portfolio", i, free.problem, free.x, money, holds)

    def _mode(self, mode: str, i: int, problem: Problem, x: Instruments, money: Money, holds: bool) -> Mode:
        total = float(self.analysis.exposures.total[i])
        band = list(self.analysis.framework.bands.values())[self.analysis.positions.band[i]]
        buy, sell = money.buy / 100 / total, money.sell / 100 / total
        after = x.w0 + buy - sell
        above = np.flatnonzero((x.risk > band.product_risk) & (money.buy > 0) & (np.arange(len(x)) != x.cash))
        return Mode(
            mode,
            excess=problem.excess(after).total,
            distance=problem.distance(after) ** 0.5,
            volatility=problem.sigma(after),
            cost=problem.costs(buy, sell),
            above=float(buy[above].sum() / (x.inside @ after)),
            satellite=band.satellite,
            holds=holds,
            bought=tuple((x.asset_id[j], x.name[j], int(x.risk[j]), int(money.buy[j])) for j in above),
        )

    def _lines(self, x: Instruments, money: Money, why: list[Reason]) -> tuple[Line, ...]:
        debt = x.debt >= 0
        sides: tuple[tuple[Literal["buy", "sell", "repay"], Cents, Cents], ...] = (
            ("sell", money.sell, money.sell_cost),
            ("repay", money.buy * debt, money.buy_cost),
            ("buy", money.buy * ~debt, money.buy_cost),
        )
        out = []
        for side, cents, cost in sides:
            for j in sorted(np.flatnonzero(cents > 0).tolist(), key=lambda j: (-int(cents[j]), x.asset_id[j])):
                new = bool(x.holding[j] < 0) and side != "repay"
                product = self.context.shelf_places.get(x.product_id[j], -1) if new else -1
                tax = int(money.tax[j]) if side == "sell" else 0
                order = Order(x.asset_id[j], side, int(cents[j]), int(cost[j]), new, product, tax)
                out.append(Line(order, j, x, why[j]))
        return tuple(out)

    def refusals(self) -> dict[str, AnyArray]:
        """Per client: ``status``, ``reason`` and ``reason_row`` of who is not planned; an empty status for who is."""
        a, n = self.analysis, len(self.analysis)
        status, reason = np.full(n, "", dtype=object), np.full(n, "", dtype=object)
        row = np.zeros(n, dtype="int64")
        e = a.exposures
        for word, code, where in (  # the last one that fits is what is said
            ("insolvent", "", np.round(e.equity, 2) <= 0),
            ("invalid", "nothing_in_buckets", (np.round(e.total, 2) <= 0) & (e.debt <= 0)),
            ("invalid", "band_missing", a.positions.band < 0),
            ("invalid", "unknown_class", (e.unclassified > 0) & (not self.allow_unclassified)),
        ):
            status[where], reason[where] = word, code
        if self.blocked:
            known = a.positions.clients["client_id"]
            for i in np.flatnonzero(known.isin(list(self.blocked)).to_numpy(bool)).tolist():
                status[i] = "invalid"
                reason[i], row[i] = self.blocked[str(known.iloc[i])]
        return {"status": status, "reason": reason, "reason_row": row}

    @cached_property
    def _refusals(self) -> dict[str, AnyArray]:
        return self.refusals()

    def _refused(self, i: int) -> ClientPlan | None:
        r = self._refusals
        if r["status"][i] == "":
            return None
        return ClientPlan(str(r["status"][i]), str(r["reason"][i]), int(r["reason_row"][i]))

    def _in_order(self, i: int, problem: Problem) -> bool:
        """Every limit holds at the starting point and no bucket has drifted: the 5/25 rule."""
        if problem.excess(problem.start.weights).worst > TOLERANCE:
            return False
        f = self.analysis.framework
        spans = list(f.bands.values())[self.analysis.positions.band[i]].buckets
        target = np.array([spans[b].target for b in f.buckets])
        if problem.start.total <= 0:  # all of it is due
            return False
        off = np.abs(problem.targets[: len(target)] @ problem.start.weights) / problem.start.total
        far = np.where(target > 0, np.minimum(f.drift.absolute, f.drift.relative * target), f.drift.absolute)
        return bool((off < far).all())


def _gap(objective: float, bound: float) -> float:
    return 0.0 if np.isnan(bound) else max(objective - bound, 0.0) / max(1.0, abs(bound))
