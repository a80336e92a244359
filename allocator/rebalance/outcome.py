"""Plans as tables: one row per trade, check, obstacle, shadow price, mode of suitability and conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.plan import SUMMARY, TABLES, TRADES, Plan
from allocator.positions import Positions
from allocator.rebalance.after import positions_after
from allocator.rebalance.client_plan import ClientPlan
from allocator.rebalance.conflicts import Conflict
from allocator.typing import FloatArray

FROM_LINES = TRADES[: TRADES.index("share_before")]
"""Columns of the trades that come from the plans; the others from the measures before and after."""


def assemble(
    analysis: Analysis, plans: Sequence[ClientPlan], measure: Callable[[Positions, FloatArray], Analysis]
) -> Plan:
    """Put the plans of all clients into one result.

    Parameters
    ----------
    analysis
        Today.
    plans
        One per client, in the order of the book.
    measure
        Measures positions, given what excesses are a fraction of (the total of today).
    """
    after = measure(positions_after(analysis, plans), analysis.exposures.total)
    pairs = list(zip(analysis.client_ids, plans, strict=True))
    trades = _frame(FROM_LINES, (row for c, plan in pairs for row in _trades(c, plan)))
    numbers = {"amount": "float64", "cost": "float64", "tax": "float64", "asset_class": "int64"}
    trades = trades.astype({c: numbers.get(c, "str") for c in FROM_LINES})
    rows = {
        "checks": _checks,
        "obstacles": _obstacles,
        "prices": _prices,
        "suitability": _modes,
        "riskier": _riskier,
        "alternatives": _alternatives,
    }
    tables = {
        name: _frame(TABLES[name], (row for c, plan in pairs for row in make(c, plan))) for name, make in rows.items()
    }
    # fractions of the total today into money
    whole = pd.Series(analysis.exposures.total, index=analysis.client_ids)
    other = tables["alternatives"]
    other["amount"] = (other["amount"].astype("float64") * whole.reindex(other["client_id"]).to_numpy()).round(2)
    found = (row for i, (c, plan) in enumerate(pairs) for row in _conflicts(c, i, plan.conflicts, analysis))
    tables["conflicts"] = _frame(TABLES["conflicts"], found)
    trades = _with_shares(trades, analysis, after)[list(TRADES)]
    return Plan(analysis, after, _summary(analysis, after, plans), trades, **tables)


Rows = Iterable[tuple[Any, ...]]


def _frame(columns: Sequence[str], rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _trades(c: str, plan: ClientPlan) -> Rows:
    for x in plan.lines:
        o = x.order
        money = (o.cents / 100, o.cost_cents / 100, o.tax_cents / 100)
        yield c, o.asset_id, x.name, x.klass, "", x.product_id, o.side, *money, x.reason.because, x.reason.sense


def _checks(c: str, plan: ClientPlan) -> Rows:
    for k in plan.certificate.checks:
        numbers = map(_number, (k.before, k.bound, k.after, k.excess_before, k.excess_after))
        yield c, k.check, k.sense, *numbers, k.verdict


def _obstacles(c: str, plan: ClientPlan) -> Rows:
    for o in plan.obstacles:
        yield c, o.obstacle, o.excess, o.distance, o.volatility, o.cost


def _alternatives(c: str, plan: ClientPlan) -> Rows:
    for o in plan.obstacles:
        for trade in o.trades:
            yield c, o.obstacle, *trade


def _prices(c: str, plan: ClientPlan) -> Rows:
    for rank, x in enumerate(plan.shadows, start=1):
        yield c, rank, x.kind, x.name, x.sense, x.price


def _modes(c: str, plan: ClientPlan) -> Rows:
    for m in plan.modes:
        yield c, m.mode, m.excess, m.distance, m.volatility, m.cost, m.above, m.satellite, m.holds


def _riskier(c: str, plan: ClientPlan) -> Rows:
    for m in plan.modes:
        if m.mode == "portfolio":
            for asset, name, grade, cents in m.bought:
                yield c, asset, name, grade, cents / 100


def _conflicts(c: str, i: int, found: Sequence[Conflict], a: Analysis) -> Rows:
    """Relaxations as fractions of the total today, in money, and as the bound that would do."""
    total, need, flow = float(a.exposures.total[i]), float(a.exposures.need[i]), float(a.positions.cash_flow[i])
    kinds = {x.name: x for x in a.limit_table.limits}
    for x in found:
        limit, change = kinds.get(x.limit), x.relaxation * total / (total + flow)
        if limit is not None and limit.kind == "reserve_months":
            change = x.relaxation * total / need if need > 0 else float("nan")
        elif limit is not None and (limit.kind in ("volatility", "cvar") or limit.base == "equity"):
            change = x.relaxation * total / (float(a.exposures.equity[i]) + flow)
        needed = x.bound + (change if x.sense == "<=" else -change)
        yield c, x.limit, x.sense, x.bound, needed, x.relaxation, round(x.relaxation * total, 2)


def _with_shares(trades: pd.DataFrame, before: Analysis, after: Analysis) -> pd.DataFrame:
    """Add the class words, and the share before and after of the limit or bucket that each trade is for."""
    f = before.framework
    klass = trades["asset_class"].to_numpy("intp")
    codes = np.array([*f.class_codes, "debt"])
    classes = np.array([*(c.bucket for c in f.classes.values()), ""])
    who = pd.Index(before.client_ids).get_indexer(pd.Index(trades["client_id"]))
    keys = [x.key for x in before.limit_table.limits]
    column = np.array([keys.index(k) if k in keys else -1 for k in trades["because"] + trades["sense"]], dtype="intp")
    start, end, bound = (np.full(len(trades), np.nan) for _ in range(3))
    hit = column >= 0
    for out, table in (
        (start, before.limit_table.value),
        (end, after.limit_table.value),
        (bound, before.limit_table.bound),
    ):
        out[hit] = table[who[hit], column[hit]]
    targets = trades["because"].str.removeprefix("target:").where(trades["because"].str.startswith("target:"), "")
    places = before.positions.band[who]
    for code in f.bucket_codes:
        at = (targets == code).to_numpy(bool)
        j = f.bucket_codes.index(code)
        for out, a in ((start, before), (end, after)):
            out[at] = a.exposures.of_total(a.exposures.classes @ f.in_bucket[:, j])[who[at]]
        bound[at] = np.array([b.buckets[code].target for b in f.bands.values()])[places[at]]
    return trades.assign(
        asset_class=codes[klass], bucket=classes[klass], share_before=start, share_after=end, bound=bound
    )


def _summary(before: Analysis, after: Analysis, plans: Sequence[ClientPlan]) -> pd.DataFrame:
    def money(side: str | None, what: str = "cents") -> FloatArray:
        sums = [sum(getattr(x.order, what) for x in p.lines if side in (None, x.order.side)) for p in plans]
        return np.array(sums, dtype="float64") / 100

    buys, sells = money("buy"), money("sell")
    total = np.where(before.exposures.total > 0, before.exposures.total, np.nan)
    columns = {
        "client_id": before.client_ids,
        "status": [p.status for p in plans],
        "reason": [p.reason for p in plans],
        "reason_row": [p.reason_row for p in plans],
        "objective": [p.objective for p in plans],
        "gap": [p.gap for p in plans],
        "gap_whole": [p.best_whole for p in plans],
        "primal": [p.proof.primal for p in plans],
        "dual": [p.proof.dual for p in plans],
        "duality_gap": [p.proof.gap for p in plans],
        "solver": [p.solver for p in plans],
        "cost": money(None, "cost_cents"),
        "tax": money(None, "tax_cents"),
        "turnover": (buys + sells) / 2 / total,
        "buys": buys,
        "sells": sells,
        "repaid": money("repay"),
        "trades": [len(p.lines) for p in plans],
        "score_before": before.concentration.score,
        "score_after": after.concentration.score,
        "limits_before": before.limit_table.exceeded.sum(axis=1),
        "limits_after": after.limit_table.exceeded.sum(axis=1),
        "missing": [p.missing for p in plans],
        "certificate": [p.certificate.holds for p in plans],
    }
    return pd.DataFrame(columns)[list(SUMMARY)]


def _number(value: Decimal | None) -> float:
    return float("nan") if value is None else float(value)
