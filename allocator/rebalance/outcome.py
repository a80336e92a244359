"""Plans as tables: positions after the trades, measured by the same stages as today's, and the rows of a `Plan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.plan import CHECKS, OBSTACLES, SUMMARY, TRADES, Plan
from allocator.positions import Positions
from allocator.rebalance.planner import ClientPlan, Line
from allocator.typing import AnyArray, FloatArray


def positions_after(analysis: Analysis, plans: Sequence[ClientPlan]) -> Positions:
    """Positions once the trades are done; what is new comes behind each client's own holdings, the cash flow is spent.

    A holding sold whole stays with value 0, so that nothing disappears from sight.
    """
    p = analysis.positions
    value, owed = np.rint(p.value * 100), np.rint(p.debts.value * 100)
    new: list[tuple[int, Line]] = []
    for i, plan in enumerate(plans):
        for line in plan.lines:
            if line.debt >= 0:
                owed[line.debt] -= line.order.cents
            elif line.holding >= 0:
                value[line.holding] += line.order.cents * (1 if line.order.side == "buy" else -1)
            else:
                new.append((i, line))
    planned = np.array([bool(x.lines) for x in plans], dtype=bool)
    left = np.divide(owed / 100, p.debts.value, out=np.ones(len(owed)), where=p.debts.value > 0)
    debts = replace(p.debts, value=owed / 100, service=np.round(p.debts.service * left, 2))
    p = replace(p, debts=debts, cash_flow=np.where(planned, 0.0, p.cash_flow))
    if not new:
        return replace(p, value=value / 100)
    client = np.concatenate([p.client, [i for i, _ in new]])
    order = np.argsort(client, kind="stable")
    codes = analysis.framework.class_codes
    klass = np.array([line.klass for _, line in new], dtype="intp")
    classes = [analysis.framework.classes[codes[k]] for k in klass]
    rows = pd.DataFrame(
        {
            "client_id": p.clients["client_id"].to_numpy()[[i for i, _ in new]],
            "asset_id": [x.order.asset_id for _, x in new],
            "name": [x.name for _, x in new],
            "asset_class": [codes[k] for k in klass],
            "bucket": [c.bucket for c in classes],
            "rule": "product",
            "product_id": [x.product_id for _, x in new],
            "issuer": [x.issuer_name for _, x in new],
            "row": 0,
        }
    )

    def stacked(old: AnyArray, more: AnyArray) -> AnyArray:
        return np.concatenate([old, more])[order]

    count = len(new)
    return replace(
        p,
        holdings=pd.concat([p.holdings, rows], ignore_index=True).iloc[order].reset_index(drop=True),
        client=client[order],
        start=np.searchsorted(client[order], np.arange(len(p) + 1)),
        klass=stacked(p.klass, klass),
        mix=stacked(p.mix, klass),
        value=stacked(value, np.array([float(x.order.cents) for _, x in new])) / 100,
        issuer=stacked(p.issuer, _issuer_codes(new, int(p.issuer.max(initial=-1)) + 1)),
        asset=stacked(p.asset, int(p.asset.max(initial=-1)) + 1 + np.arange(count)),
        grade=stacked(p.grade, np.full(count, np.nan)),
        own=stacked(p.own, np.zeros(count, dtype=bool)),
        tradable=stacked(p.tradable, np.ones(count, dtype=bool)),
        locked=stacked(p.locked, np.zeros(count, dtype=bool)),
        sellable=stacked(p.sellable, np.array([c.sellable for c in classes])),
        indivisible=stacked(p.indivisible, np.zeros(count, dtype=bool)),
    )


def _issuer_codes(new: Sequence[tuple[int, Line]], free: int) -> AnyArray:
    """Issuer codes of new holdings: that of the client's holdings of the same issuer, else codes not used yet."""
    fresh: dict[tuple[int, int], int] = {}
    return np.array([x.issuer if x.issuer >= 0 else fresh.setdefault((i, x.issuer), free + len(fresh)) for i, x in new])


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
    ids = analysis.client_ids
    trades = pd.DataFrame(_trade_rows(ids, plans), columns=list(TRADES[:11]))
    trades = trades.astype({"amount": "float64", "cost": "float64", "asset_class": "int64"})
    trades = trades.astype({c: "str" for c in TRADES[:11] if c not in ("amount", "cost", "asset_class")})
    trades = _with_shares(trades, analysis, after)
    checks = pd.DataFrame(
        [
            (
                c,
                k.check,
                k.sense,
                *map(_number, (k.before, k.bound, k.after, k.excess_before, k.excess_after)),
                k.verdict,
            )
            for c, plan in zip(ids, plans, strict=True)
            for k in plan.certificate.checks
        ],
        columns=list(CHECKS),
    )
    obstacles = pd.DataFrame(
        [
            (c, o.obstacle, o.excess, o.distance, o.volatility)
            for c, plan in zip(ids, plans, strict=True)
            for o in plan.obstacles
        ],
        columns=list(OBSTACLES),
    )
    return Plan(analysis, after, _summary(analysis, after, plans), trades, checks, obstacles)


def _trade_rows(ids: list[str], plans: Sequence[ClientPlan]) -> list[tuple[object, ...]]:
    return [
        (
            c,
            x.order.asset_id,
            x.name,
            x.klass,
            "",
            x.product_id,
            x.order.side,
            x.order.cents / 100,
            x.order.cost_cents / 100,
            x.reason.because,
            x.reason.sense,
        )
        for c, plan in zip(ids, plans, strict=True)
        for x in plan.lines
    ]


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
    def money(side: str | None, cost: bool = False) -> FloatArray:
        return (
            np.array(
                [
                    sum(x.order.cost_cents if cost else x.order.cents for x in p.lines if side in (None, x.order.side))
                    for p in plans
                ],
                dtype="float64",
            )
            / 100
        )

    buys, sells = money("buy"), money("sell")
    total = np.where(before.exposures.total > 0, before.exposures.total, np.nan)
    columns = {
        "client_id": before.client_ids,
        "status": [p.status for p in plans],
        "reason": [p.reason for p in plans],
        "reason_row": [p.reason_row for p in plans],
        "objective": [p.objective for p in plans],
        "gap": [p.gap for p in plans],
        "cost": money(None, cost=True),
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
