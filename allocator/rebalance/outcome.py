"""Plans as tables: one row per trade, check, obstacle, shadow price, mode of suitability and conflict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
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
from allocator.rebalance.lines import Lines, lines_of
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

FROM_LINES = TRADES[: TRADES.index("share_before")]
"""Columns of the trades that come from the plans; the others from the measures before and after."""

Measure = Callable[[Positions, FloatArray], Analysis]
"""Measures positions, given what excesses are a fraction of (the total of today)."""


@dataclass(frozen=True)
class Verdicts:
    """What is said of each client's plan, as arrays in the order of the book; see `allocator.plan.Plan.summary`."""

    status: AnyArray
    reason: AnyArray
    reason_row: IntArray
    objective: FloatArray
    gap: FloatArray
    gap_whole: FloatArray
    primal: FloatArray
    dual: FloatArray
    duality_gap: FloatArray
    solver: AnyArray
    missing: FloatArray
    certificate: BoolArray


def verdicts_of(plans: Sequence[ClientPlan]) -> Verdicts:
    """What is said of plans that were made one by one."""
    return Verdicts(
        status=np.array([p.status for p in plans], dtype=object),
        reason=np.array([p.reason for p in plans], dtype=object),
        reason_row=np.array([p.reason_row for p in plans], dtype="int64"),
        objective=np.array([p.objective for p in plans], dtype="float64"),
        gap=np.array([p.gap for p in plans], dtype="float64"),
        gap_whole=np.array([p.best_whole for p in plans], dtype="float64"),
        primal=np.array([p.proof.primal for p in plans], dtype="float64"),
        dual=np.array([p.proof.dual for p in plans], dtype="float64"),
        duality_gap=np.array([p.proof.gap for p in plans], dtype="float64"),
        solver=np.array([p.solver for p in plans], dtype=object),
        missing=np.array([p.missing for p in plans], dtype="float64"),
        certificate=np.array([p.certificate.holds for p in plans], dtype=bool),
    )


def assemble(analysis: Analysis, plans: Sequence[ClientPlan], measure: Measure) -> Plan:
    """Put the plans of all clients into one result.

    Parameters
    ----------
    analysis
        Today.
    plans
        One per client, in the order of the book.
    measure
        See `Measure`.
    """
    pairs = list(zip(analysis.client_ids, plans, strict=True))
    checks = _frame(TABLES["checks"], (row for c, plan in pairs for row in checks_of(c, plan)))
    return put_together(analysis, (lines_of(list(enumerate(plans))), verdicts_of(plans), checks), measure, plans)


def put_together(
    analysis: Analysis,
    found: tuple[Lines, Verdicts, pd.DataFrame],
    measure: Measure,
    explained: Sequence[ClientPlan] = (),
) -> Plan:
    """One result out of trades, verdicts and checks, however they were made.

    Parameters
    ----------
    analysis, measure
        As for `assemble`.
    found
        Trades, what is said of each plan, and the certificates' rows.
    explained
        Plans that have more to say: one per client, or none at all.
    """
    lines, verdicts, checks = found
    after = measure(positions_after(analysis, lines), analysis.exposures.total)
    pairs = list(zip(analysis.client_ids, explained, strict=False))
    rows = {
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
    clashes = (row for i, (c, plan) in enumerate(pairs) for row in _conflicts(c, i, plan.conflicts, analysis))
    tables |= {"checks": checks, "conflicts": _frame(TABLES["conflicts"], clashes)}
    trades = _with_shares(_trades(analysis, lines), analysis, after)[list(TRADES)]
    return Plan(analysis, after, _summary((analysis, after), lines, verdicts), trades, **tables)


Rows = Iterable[tuple[Any, ...]]


def _frame(columns: Sequence[str], rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _trades(analysis: Analysis, lines: Lines) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "client_id": analysis.positions.clients["client_id"].take(lines.client).array,
            "asset_id": lines.asset_id,
            "name": lines.name,
            "asset_class": lines.klass,
            "bucket": "",
            "product_id": lines.product_id,
            "side": lines.side,
            "amount": lines.cents / 100,
            "cost": lines.cost / 100,
            "tax": lines.tax / 100,
            "because": lines.because,
            "sense": lines.sense,
        }
    )[list(FROM_LINES)]
    numbers = {"amount": "float64", "cost": "float64", "tax": "float64", "asset_class": "int64"}
    return frame.astype({c: numbers.get(c, "str") for c in FROM_LINES})


def checks_of(c: str, plan: ClientPlan) -> Rows:
    """Rows of a certificate."""
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


def _summary(measured: tuple[Analysis, Analysis], lines: Lines, verdicts: Verdicts) -> pd.DataFrame:
    before, after = measured

    def money(amounts: AnyArray, side: str = "") -> FloatArray:
        kept = lines.side == side if side else np.ones(len(lines), dtype=bool)
        sums = np.bincount(lines.client[kept], weights=amounts[kept], minlength=len(before))
        return np.asarray(sums, dtype="float64") / 100

    buys, sells = money(lines.cents, "buy"), money(lines.cents, "sell")
    total = np.where(before.exposures.total > 0, before.exposures.total, np.nan)
    said = {f.name: getattr(verdicts, f.name) for f in fields(verdicts)}
    columns = said | {
        "client_id": before.client_ids,
        "cost": money(lines.cost),
        "tax": money(lines.tax),
        "turnover": (buys + sells) / 2 / total,
        "buys": buys,
        "sells": sells,
        "repaid": money(lines.cents, "repay"),
        "trades": np.bincount(lines.client, minlength=len(before)),
        "score_before": before.concentration.score,
        "score_after": after.concentration.score,
        "limits_before": before.limit_table.exceeded.sum(axis=1),
        "limits_after": after.limit_table.exceeded.sum(axis=1),
    }
    texts = dict.fromkeys(("client_id", "status", "reason", "solver"), "str")
    return pd.DataFrame(columns)[list(SUMMARY)].astype(texts)


def _number(value: Decimal | None) -> float:
    return float("nan") if value is None else float(value)
