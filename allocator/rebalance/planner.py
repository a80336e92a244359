"""From an analysis to plans: who is planned at all, what is done, and the certificate that it is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from allocator.analysis import Analysis
from allocator.certify import Certifier, Order
from allocator.errors import SolveError
from allocator.limits import TOLERANCE
from allocator.rebalance.instruments import Context, Instruments, instruments
from allocator.rebalance.obstacles import Price, prices
from allocator.rebalance.problem import Problem, problem_of
from allocator.rebalance.reasons import Reason, reasons
from allocator.rebalance.rounding import Cents, Money, to_money
from allocator.rebalance.solve import Trades, nothing, optimise
from allocator.rebalance.start import shortfall, start_of
from allocator.typing import FloatArray
from allocator.verify import Certificate, Check


@dataclass(frozen=True)
class Line:
    """One trade with its reason: the order, and the instrument it is about."""

    order: Order
    place: int
    instruments: Instruments
    reason: Reason

    @property
    def name(self) -> str:
        """What the client calls it."""
        return self.instruments.name[self.place]

    @property
    def product_id(self) -> str:
        """Product, where it is one."""
        return self.instruments.product_id[self.place]

    @property
    def issuer(self) -> int:
        """Code of the issuer; below 0 for one that the client does not hold."""
        return int(self.instruments.issuer[self.place])

    @property
    def issuer_name(self) -> str:
        """Issuer of a product."""
        return self.instruments.issuer_name[self.place]

    @property
    def klass(self) -> int:
        """Class; the one after the last for a debt."""
        return int(self.instruments.klass[self.place])

    @property
    def holding(self) -> int:
        """Row of the holding, −1 for what is new."""
        return int(self.instruments.holding[self.place])

    @property
    def debt(self) -> int:
        """Row of the debt, −1 for an asset."""
        return int(self.instruments.debt[self.place])


NOTHING_MOVES = Certificate(True, (Check("money", "==", None, None, None, None, None, "holds"),))
"""Certificate of a client who is not planned: no trade, so nothing that could be wrong."""


@dataclass(frozen=True)
class ClientPlan:
    """The plan of one client, before it becomes rows of tables."""

    status: str
    reason: str = ""
    reason_row: int = 0
    objective: float = float("nan")
    gap: float = float("nan")
    missing: float = 0.0
    lines: tuple[Line, ...] = ()
    certificate: Certificate = NOTHING_MOVES
    obstacles: tuple[Price, ...] = ()


@dataclass(frozen=True)
class Planner:
    """Plans the clients of one analysis, one by one; what they share is computed once.

    Attributes
    ----------
    analysis
        Today.
    allow_unclassified
        Plan clients with holdings that nothing matched; those holdings stay as they are.
    """

    analysis: Analysis
    allow_unclassified: bool = False

    @cached_property
    def context(self) -> Context:
        """Tables that all clients share."""
        return Context(self.analysis)

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
        problem = problem_of(i, x, start, self.context)
        if self._in_order(i, problem):
            return self._finish(i, x, problem, nothing(problem))
        # lots are rounded down after solving; where that breaks a limit, the products with lots stay out
        for attempt in (x, _without_lots(x)):
            other = problem if attempt is x else problem_of(i, attempt, start, self.context)
            try:
                trades = optimise(other, attempt, total)
            except SolveError:
                continue
            found = self._finish(i, attempt, other, trades)
            if found.certificate.holds:
                return found
        found = self._finish(i, x, problem, nothing(problem))
        if found.certificate.holds and not found.lines:
            return found
        return ClientPlan("invalid", reason="no_verified_plan")

    def _finish(self, i: int, x: Instruments, problem: Problem, trades: Trades) -> ClientPlan:
        a = self.analysis
        total, flow = float(a.exposures.total[i]), float(a.positions.cash_flow[i])
        still = nothing(problem, trades.best_possible)
        if trades.objective > still.objective - 1e-9:  # no better than the starting point: leave things alone
            trades = still
        value = np.array([a.positions.value[h] if h >= 0 else 0.0 for h in x.holding])
        money = to_money(trades, x, value, total, flow)
        after = (np.rint(value * 100) + money.buy - money.sell) / 100 / total
        lines = self._lines(x, problem, money, after)
        certificate = self.certifier.certify(i, [line.order for line in lines], x.asset_id[x.cash])
        objective = problem.objective(money.buy / 100 / total, money.sell / 100 / total)
        gap = (
            0.0
            if np.isnan(trades.best_possible)
            else max(objective - trades.best_possible, 0.0) / max(1.0, abs(trades.best_possible))
        )
        rows, names, risk = problem.excess(after)
        exceeded = max(rows.max(initial=0.0), names.max(initial=0.0), risk) > TOLERANCE
        if not lines:
            status = "stuck" if exceeded else "no_trade"
        else:
            status = "improved" if exceeded else "in_band"
        return ClientPlan(
            status,
            objective=objective,
            gap=gap,
            lines=lines,
            certificate=certificate,
            obstacles=tuple(prices(i, x, problem, self.context, after)) if lines or exceeded else (),
        )

    def _lines(self, x: Instruments, problem: Problem, money: Money, after: FloatArray) -> tuple[Line, ...]:
        why = reasons(problem, x, self.context, after)
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
                order = Order(x.asset_id[j], side, int(cents[j]), int(cost[j]), new, product)
                out.append(Line(order, j, x, why[j]))
        return tuple(out)

    def _refused(self, i: int) -> ClientPlan | None:
        a = self.analysis
        client = str(a.positions.clients["client_id"].iloc[i])
        if client in self.blocked:
            return ClientPlan("invalid", *self.blocked[client])
        if a.exposures.unclassified[i] > 0 and not self.allow_unclassified:
            return ClientPlan("invalid", "unknown_class")
        if a.positions.band[i] < 0:
            return ClientPlan("invalid", "band_missing")
        if round(a.exposures.total[i], 2) <= 0 and a.exposures.debt[i] <= 0:
            return ClientPlan("invalid", "nothing_in_buckets")
        if round(a.exposures.equity[i], 2) <= 0:
            return ClientPlan("insolvent")
        return None

    def _in_order(self, i: int, problem: Problem) -> bool:
        """Every limit holds at the starting point and no bucket has drifted: the 5/25 rule."""
        rows, names, risk = problem.excess(problem.start.weights)
        if max(rows.max(initial=0.0), names.max(initial=0.0), risk) > TOLERANCE:
            return False
        f = self.analysis.framework
        spans = list(f.bands.values())[self.analysis.positions.band[i]].buckets
        target = np.array([spans[b].target for b in f.buckets])
        off = np.abs(problem.targets[: len(target)] @ problem.start.weights) / problem.start.total
        far = np.where(target > 0, np.minimum(f.drift.absolute, f.drift.relative * target), f.drift.absolute)
        return bool((off < far).all())


def _without_lots(x: Instruments) -> Instruments:
    return replace(x, buyable=np.where((x.lot > 0.01) | (x.minimum > 0), 0.0, x.buyable))
