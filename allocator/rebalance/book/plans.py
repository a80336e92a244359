"""Plans of a whole book: who is planned at all, what is done, and what is said of it; vectorised over clients.

It says what `allocator.rebalance.planner` says, and gives to it whoever the fast route cannot answer for.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields

import numpy as np

from allocator.errors import SolveError
from allocator.limits import TOLERANCE
from allocator.rebalance.book import judge
from allocator.rebalance.book.active_set import SOLVED
from allocator.rebalance.book.cents import Amounts, to_cents
from allocator.rebalance.book.flat import flat_of
from allocator.rebalance.book.groups import groups_of
from allocator.rebalance.book.labels import Labels
from allocator.rebalance.book.limit_rows import BUILDERS
from allocator.rebalance.book.motives import motives, reason_list
from allocator.rebalance.book.numbers import Batch, batch_of
from allocator.rebalance.book.starts import starts_of
from allocator.rebalance.book.sweep import solve_batch
from allocator.rebalance.context import Context
from allocator.rebalance.lines import Lines
from allocator.rebalance.outcome import Verdicts
from allocator.rebalance.parameters import Aim, Goal
from allocator.rebalance.planner import Planner
from allocator.rebalance.solve import BROKEN
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

SOLVER = "ACTIVE_SET"
"""Name of the fast route's own solver."""

AGREES = 1e-6
"""What the objective of an answer may differ from our own sum over its trades, as a fraction: an excess counts from
1e-6 on."""

SIDES = ("sell", "repay", "buy")
"""In the order in which trades are listed."""


@dataclass(frozen=True)
class BookPlans:
    """Plans of a book, before they are verified.

    Attributes
    ----------
    lines, verdicts
        Trades, and what is said of each client.
    cash
        Per client: the holding that leftovers go to, −1 for an account of its own.
    planned
        Clients whose plan is here; the others have a status that says why not.
    left
        Clients whom the fast route cannot answer for.
    """

    lines: Lines
    verdicts: Verdicts
    cash: IntArray
    planned: BoolArray
    left: IntArray


def fits(context: Context, aim: Aim) -> bool:
    """Whether the fast route carries every limit and wish: what it does not know, it does not plan for."""
    known = all(x.kind in BUILDERS for x in context.limits)
    volatilities = sum(x.kind == "volatility" for x in context.limits)
    return known and volatilities == 1 and not aim.hard and not aim.portfolio and not aim.objectives


def plan_all(planner: Planner) -> BookPlans:
    """Plan every client of an analysis whom the fast route can answer for."""
    a, context = planner.analysis, planner.context
    n = len(a)
    verdicts = _blank(n)
    refused = planner.refusals()
    for name in ("status", "reason", "reason_row"):
        getattr(verdicts, name)[:] = refused[name]
    who = np.flatnonzero(verdicts.status == "")
    flat = flat_of(who, context)
    labels = Labels(flat, context)
    flow = a.positions.cash_flow[who] / a.exposures.total[who]
    ids = labels.asset_id(np.arange(len(flat))) if (flow < 0).any() else np.empty(0, dtype=object)
    starts = starts_of(flat, flow, ids)
    short = np.flatnonzero(starts.unfunded)
    verdicts.status[who[short]] = "unfunded"
    verdicts.missing[who[short]] = np.round(starts.missing[short] * a.exposures.total[who[short]], 2)
    parts, left = [], []
    for group in groups_of(flat, np.flatnonzero(~starts.unfunded), context):
        try:
            lines, lost = _group_plans(batch_of(group, starts, flow, planner.aim), labels, verdicts, planner.aim.goal)
        except (SolveError, *BROKEN) as error:
            lines, lost = _no_lines(), group.place
            kind = type(error).__name__
            told = f"the book engine broke ({kind}) on {len(lost):,} clients, who are planned one by one"
            warnings.warn(told, RuntimeWarning, stacklevel=2)
        parts.append(lines)
        left.append(lost)
    cash = np.full(n, -1, dtype="intp")
    cash[who] = flat.holding[flat.cash]
    planned = np.zeros(n, dtype=bool)
    planned[who] = ~starts.unfunded
    lost_ = np.sort(np.concatenate([*left, np.empty(0, dtype="intp")]).astype("intp"))
    planned[lost_] = False
    return BookPlans(Lines.joined(parts) if parts else _no_lines(), verdicts, cash, planned, lost_)


def _blank(n: int) -> Verdicts:
    made = {f.name: np.full(n, np.nan) for f in fields(Verdicts)}
    made |= {c: np.full(n, "", dtype=object) for c in ("status", "reason")}
    made |= {"reason_row": np.zeros(n, dtype="int64"), "missing": np.zeros(n), "certificate": np.ones(n, dtype=bool)}
    return Verdicts(**made | {"solver": np.full(n, "none", dtype=object)})


def _no_lines() -> Lines:
    whole = np.empty(0, dtype="int64")
    texts = ("side", "asset_id", "name", "product_id", "issuer_name", "because", "sense")
    return Lines(**{f.name: np.empty(0, dtype=object) if f.name in texts else whole for f in fields(Lines)})


def _group_plans(batch: Batch, labels: Labels, verdicts: Verdicts, goal: Goal) -> tuple[Lines, IntArray]:
    """Plan the clients of one shape; what is said of them goes into ``verdicts``."""
    g = batch.group
    plan = g.context.analysis.framework.plan
    weights, start_buy, start_sell = batch.start
    over_start = judge.excess(batch, weights)
    calm = judge.in_order(batch, over_start, TOLERANCE) & (goal == "target")
    answers = solve_batch(batch, calm)
    solved = (answers.status == SOLVED) & answers.found
    buy, sell = judge.clean(batch, answers)
    still, reached = judge.objective(batch, start_buy, start_sell), judge.objective(batch, buy, sell)
    # an answer whose trades are not worth what it says is none; NaN agrees with nothing
    solved &= np.abs(reached - answers.objective) <= AGREES * np.maximum(1.0, np.abs(reached))
    lost = ~calm & ~solved
    # no better than the starting point: leave things alone
    rest = calm | lost | (reached > still - 1e-9)
    buy, sell = (np.where(rest[:, None], s, t) for s, t in ((start_buy, buy), (start_sell, sell)))
    amounts = to_cents(batch, buy, sell)
    after, over, moved = _judged(batch, amounts)
    in_cents = g.total[:, None] * 100
    size = np.maximum((amounts.buy / in_cents).sum(axis=1), (amounts.sell / in_cents).sum(axis=1))
    due = g.context.analysis.positions.cash_flow[g.place] != 0
    # a plan smaller than the smallest trade worth making, that mends nothing for good
    small = moved & (over > TOLERANCE) & ~due & (size < plan.min_trade)
    if small.any():
        amounts = Amounts(*(np.where(small[:, None], 0, x) for x in _each(amounts)))
        after, over, moved = _judged(batch, amounts)
    exceeded = over > TOLERANCE
    status = np.where(moved, np.where(exceeded, "improved", "in_band"), np.where(exceeded, "stuck", "no_trade"))
    objective = judge.objective(batch, amounts.buy / in_cents, amounts.sell / in_cents)
    kept = ~lost
    said = {
        "status": status,
        "objective": objective,
        "gap": np.where(solved, _gap(objective, answers.relaxed), 0.0),
        "gap_whole": np.where(solved, _gap(objective, answers.bound), 0.0),
        "primal": answers.proof[:, 0],
        "dual": answers.proof[:, 1],
        "duality_gap": answers.proof[:, 2],
        "solver": np.where(solved, SOLVER, "none"),
    }
    for name, values in said.items():
        getattr(verdicts, name)[g.place[kept]] = values[kept]
    why = motives(batch, after)
    lines = _lines(batch, amounts, why, labels)
    return lines.take(np.flatnonzero(np.isin(lines.client, g.place[kept]))), g.place[lost]


def _each(amounts: Amounts) -> list[AnyArray]:
    return [getattr(amounts, f.name) for f in fields(Amounts)]


def _judged(batch: Batch, amounts: Amounts) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Weights after some trades, the largest excess then, and whether anything is traded."""
    g = batch.group
    after = g.w0 + (amounts.buy - amounts.sell) / (g.total[:, None] * 100)
    moved = np.asarray(((amounts.buy > 0) | (amounts.sell > 0)).any(axis=1))
    return after, judge.excess(batch, after).worst, moved


def _gap(objective: FloatArray, bound: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(objective - bound, 0.0) / np.maximum(1.0, np.abs(bound)))


def _lines(batch: Batch, amounts: Amounts, why: IntArray, labels: Labels) -> Lines:
    """Trades of a group: what is sold, what is repaid, what is bought, each by size."""
    g, x = batch.group, batch.group.flat
    debt = (g.at >= 0) & (g.counts == 0)
    sides = (
        (amounts.sell, amounts.sell_cost, amounts.tax),
        (amounts.buy * debt, amounts.buy_cost, amounts.tax * 0),
        (amounts.buy * ~debt, amounts.buy_cost, amounts.tax * 0),
    )
    found = [np.nonzero(cents > 0) for cents, _, _ in sides]
    b, j = (np.concatenate([f[k] for f in found]) for k in range(2))
    side = np.repeat(np.arange(3), [len(f[0]) for f in found])
    cents, cost, tax = (
        np.concatenate([table[k][at] for table, at in zip(sides, found, strict=True)]) for k in range(3)
    )
    rows = g.at[b, j]
    ids = labels.asset_id(rows)
    _, rank = np.unique(ids.astype(str), return_inverse=True)
    order = np.lexsort((rank, -cents, side, g.place[b]))
    b, rows, side = b[order], rows[order], side[order]
    reasons = reason_list(g.context)
    code = why[b, j[order]]
    issuer = x.issuer[rows]
    owned = int(g.context.analysis.positions.issuer.max(initial=-1))
    new = (x.holding[rows] < 0) & (x.debt[rows] < 0)
    return Lines(
        client=g.place[b],
        holding=x.holding[rows],
        debt=x.debt[rows],
        product=np.where(new, x.product[rows], -1),
        klass=x.klass[rows],
        issuer=np.where(issuer <= owned, issuer, -1 - issuer),
        side=np.array(SIDES, dtype=object)[side],
        cents=cents[order],
        cost=cost[order],
        tax=tax[order],
        asset_id=ids[order],
        name=labels.name(rows),
        product_id=labels.product_id(rows),
        issuer_name=labels.issuer(rows),
        because=np.array([r.because for r in reasons], dtype=object)[code],
        sense=np.array([r.sense for r in reasons], dtype=object)[code],
    )
