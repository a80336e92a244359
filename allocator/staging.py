"""A plan over several periods, for what sells slowly: each stage plans from where the one before it ended."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import ConfigError
from allocator.exposures import ratio
from allocator.pipeline import measure, rebalance
from allocator.plan import STATUSES, Plan
from allocator.positions import Positions
from allocator.shown import Clients
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

NOT_PLANNED: Final = ("insolvent", "invalid")
"""Statuses of clients who have no plan in the first stage: no part of the shares in `Stages.summary`."""

PER_CLIENT: Final = ("band", "spending", "guarantees", "cash_flow", "owner", "start", "mix_table")
"""Arrays of `Positions` that are not one entry per holding."""

MONEY: Final = ("buys", "sells", "repaid", "cost", "tax")
"""What a stage's plan moves and costs, per client."""

CENT: Final = 0.01
"""What rounding leaves behind in one stage at most."""


@dataclass(frozen=True)
class Stages(Clients):
    """Result of `allocator.stages`.

    Attributes
    ----------
    plans
        One plan per stage, each with its certificates; ``plans[0].before`` is today, ``plans[k].after`` the end of
        stage k + 1. A holding sold whole stands with value 0 in the ``after`` of the stage that sold it; what is worth
        nothing is gone from the next.
    table
        A row per client and stage, from stage 0 (today, without the columns of a plan) on: ``client_id``, ``stage``,
        ``date``, ``status``, ``score``, ``limits_exceeded``, ``excess``, ``volatility``, and of the stage's own plan
        ``buys``, ``sells``, ``repaid``, ``cost``, ``tax`` (money of the client) and whether its ``certificate`` holds.
        ``excess`` is the sum over limits as a fraction of the total *today*, in every stage, so that stages can
        be compared; NaN for a client without a total or a band.
    reached
        A row per client and limit that can be judged today: ``client_id``, ``limit``, ``sense``, whether it is
        ``exceeded`` today, and the first ``stage`` from which on it holds to the end (0 today, NaN never).
    undone
        A row per client and asset of which a stage bought what a later one sold again: ``client_id``, ``asset_id``,
        ``name``, ``asset_class``, the ``amount``, and its ``cost`` both ways with taxes. Each stage looks at itself
        alone; this is what looking ahead would spare. Cash that is put aside at par is no detour and not listed.
    """

    plans: tuple[Plan, ...]
    table: pd.DataFrame
    reached: pd.DataFrame
    undone: pd.DataFrame

    def __len__(self) -> int:
        return len(self.plans[0])

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.plans[0].client_ids

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per stage of the whole book, today first.

        Number of clients with each status; ``share_in_band`` (no limit exceeded and no withdrawal unpaid, of those that
        the first stage could plan; NaN without any), and their median ``excess``; ``cost`` of all stages so far with
        taxes, in the base currency (clients whose currency has no rate are left out; NaN if all are), and its median as
        a fraction of the total today, ``cost_share``.
        """
        before, clients = self.plans[0].before, len(self)
        wide = {c: self.table[c].to_numpy().reshape(clients, -1) for c in ("status", "limits_exceeded", "excess")}
        planned = ~np.isin(wide["status"][:, 1], NOT_PLANNED)
        fees = self.table["cost"] + self.table["tax"]
        cost = np.nancumsum(fees.to_numpy("float64").reshape(clients, -1), axis=1)
        rate = before.positions.clients["currency"].map(before.positions.rates).to_numpy("float64", na_value=np.nan)
        share = ratio(cost, before.exposures.total[:, None])
        rows = []
        for k, date in enumerate(self.dates):
            counts = {s: int((wide["status"][:, k] == s).sum()) for s in STATUSES}
            holds = (wide["limits_exceeded"][:, k] == 0) & (wide["status"][:, k] != "unfunded")
            rows.append(
                {"stage": k, "date": pd.Timestamp(date)}
                | counts
                | {
                    "share_in_band": holds[planned].mean() if planned.any() else np.nan,
                    "excess": _median(wide["excess"][planned, k]),
                    "cost": float(pd.Series(cost[:, k] * rate).sum(min_count=1)),
                    "cost_share": _median(share[planned, k]),
                }
            )
        return pd.DataFrame(rows)

    @property
    def dates(self) -> list[dt.date]:
        """Today, then the day of each stage's plan: the first plans today, as `allocator.rebalance` does."""
        return [self.plans[0].before.on, *(plan.before.on for plan in self.plans)]

    def select(self, client_id: str) -> dict[str, Any]:
        """Every table for one client, by table name; ``plans`` holds those of each stage's plan.

        Raises
        ------
        InputError
            No such client in this result.
        """
        tables: dict[str, Any] = {"plans": [plan.select(client_id) for plan in self.plans]}
        return tables | {name: self._part(name, client_id) for name in ("table", "reached", "undone")}

    def __repr__(self) -> str:
        s = self.summary
        shares = " → ".join(f"{x:.0%}" for x in s["share_in_band"])
        failed = sum(int((~plan.summary["certificate"]).sum()) for plan in self.plans)
        lines = [
            f"Stages for {len(self):,} clients: {len(self.plans)} plans, {self.dates[1]} to {self.dates[-1]}",
            f"  in band, today and after each stage: {shares}",
            f"  median cost {s['cost_share'].iloc[-1]:.1%} of the total; "
            f"bought and sold again by {self.undone['client_id'].nunique():,} clients; "
            f"certificates that fail: {failed:,}",
            "  tables: table, reached, undone, summary; plans has a plan per stage",
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Pace:
    """What the speed of selling goes by, one entry per holding.

    Attributes
    ----------
    worth
        Value at the very beginning, and what plans bought since: pace is a fraction of it.
    turns
        Stages in which the holding was free to be sold, the coming one included.
    kept
        The client's data say that it cannot be sold, apart from any lock.
    """

    worth: FloatArray
    turns: IntArray
    kept: BoolArray


def stages(analysis: Analysis, *, periods: int = 4, months: int = 3, allow_unclassified: bool = False) -> Stages:
    """Plan several periods for every client: what sells slowly is sold bit by bit, and locks end.

    Parameters
    ----------
    analysis
        From `analyze`; its day is that of the first stage. It is not changed.
    periods
        Number of stages.
    months
        Calendar months from one stage to the next; from the end of a month, the end of the month.
    allow_unclassified
        As for `rebalance`.

    Returns
    -------
    Stages

    Notes
    -----
    The first stage is `rebalance`. Each later one plans from the positions after the one before it, on its own day:

    - locks that have ended by then are gone; a pledge stays;
    - of each holding ``min(what is left, pace × value at the very beginning)`` can be sold; cents that rounding left
      behind go with the last part. The pace (the holding's own ``sellable``, else its class's) is per stage, whatever
      its length. What a plan buys adds to that value when it is bought. What is sold whole or not at all is free to go
      once pace × stages reaches 1: at a quarter per stage, in the fourth;
    - budgets of turnover or cost are those of one plan, so of each stage;
    - no money is due: what came in or went out did so in the first stage. A withdrawal that could not be paid stays
      due until a stage can pay it.

    Nothing else is assumed to happen: no growth, interest, debt service, living costs or market move between stages.

    Raises
    ------
    ConfigError
        Fewer than one period or month, or dates beyond the calendar.
    """
    dates = _dates(analysis.on, periods, months)
    pace, current, plans = _beginning(analysis), analysis, []
    for on in (*dates[1:], None):
        plans.append(rebalance(current, allow_unclassified=allow_unclassified, explain=False))
        if on is not None:
            positions, pace = _next(plans[-1], pace, on)
            current = measure(
                positions, analysis.framework, analysis.assumptions, on=on, issues=analysis.issues, own=analysis.own
            )
    return Stages(tuple(plans), _table(plans), _reached(plans), _undone(plans))


def _dates(on: dt.date, periods: int, months: int) -> list[dt.date]:
    """Days of the stages, each counted from the first, so that the 31st comes back after a shorter month."""
    for name, value in (("periods", periods), ("months", months)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ConfigError(f"{name} must be a whole number of 1 or more, say {name}=4")
    try:
        return [(pd.Timestamp(on) + pd.DateOffset(months=int(months) * k)).date() for k in range(int(periods))]
    except (OverflowError, ValueError) as error:
        raise ConfigError("the last stage lies beyond the calendar; take fewer periods or months") from error


def _beginning(analysis: Analysis) -> _Pace:
    """Today's values; where a lock hides whether the client's data forbid a sale, a pace below the class's says so."""
    p = analysis.positions
    usual = np.append([c.sellable for c in analysis.framework.classes.values()], 0.0)[p.klass]
    return _Pace(
        worth=p.value,
        turns=p.tradable.astype("intp"),
        kept=(p.locked & p.tradable) | ((p.pace == 0) & (usual > 0)),
    )


def _next(plan: Plan, pace: _Pace, on: dt.date) -> tuple[Positions, _Pace]:
    """Positions at the beginning of the next stage: what may be sold is set anew, and what is worth nothing is gone.

    A product that was sold whole can so be bought again under its own name.
    """
    before, p = plan.before.positions, plan.after.positions
    # plans put what is new behind each client's own holdings; what was not there before reads the blank at the end
    place = np.arange(len(p.value)) - p.start[p.client]
    old = place < np.diff(before.start)[p.client]
    at = np.where(old, before.start[p.client] + place, len(before.value))
    was = np.append(before.value, 0.0)[at]
    free = ~(p.pledged | (p.until > np.datetime64(on)))
    following = _Pace(
        worth=np.append(pace.worth, 0.0)[at] + np.maximum(p.value - was, 0.0),
        turns=np.append(pace.turns, 0)[at] + free,
        kept=np.append(pace.kept, False)[at],
    )
    most = p.pace * following.worth
    most = np.where((p.pace > 0) & (p.value - most <= CENT * following.turns), p.value, most)
    part = np.minimum(np.nan_to_num(ratio(most, p.value)), 1.0)
    whole = np.where(p.pace * following.turns >= 1 - 1e-9, 1.0, p.pace)
    can = np.where(p.indivisible, whole, part)
    p = replace(p, tradable=free, locked=~free | following.kept, sellable=can * free)
    keep = p.value > 0
    return _only(p, keep), _Pace(following.worth[keep], following.turns[keep], following.kept[keep])


def _only(p: Positions, keep: BoolArray) -> Positions:
    """Positions with some of the holdings."""
    columns = {f.name: getattr(p, f.name) for f in fields(p) if f.name not in PER_CLIENT}
    left: dict[str, Any] = {name: x[keep] for name, x in columns.items() if isinstance(x, np.ndarray)}
    left["start"] = np.searchsorted(left["client"], np.arange(len(p) + 1))
    left["holdings"] = p.holdings[keep].reset_index(drop=True)
    return replace(p, **left)


def _table(plans: list[Plan]) -> pd.DataFrame:
    today = plans[0].before
    unit = today.exposures.total
    frames = [_state(today, unit, unit).assign(stage=0, date=pd.Timestamp(today.on))]
    for k, plan in enumerate(plans, start=1):
        own = plan.summary[["status", *MONEY, "certificate"]].assign(stage=k, date=pd.Timestamp(plan.before.on))
        state = _state(plan.after, plan.before.exposures.total, unit)
        frames.append(pd.concat([state, own], axis=1))
    order = np.arange(len(today) * len(frames)).reshape(len(frames), -1).T.reshape(-1)
    whole = pd.concat(frames, ignore_index=True).iloc[order].reset_index(drop=True)
    measured = ["client_id", "stage", "date", "status", "score", "limits_exceeded", "excess", "volatility"]
    whole["certificate"] = whole["certificate"].astype("boolean")
    return whole[[*measured, *MONEY, "certificate"]]


def _state(a: Analysis, measured: FloatArray, unit: FloatArray) -> pd.DataFrame:
    """Score, limits and risk; excesses were measured as fractions of one total and are said as fractions of another."""
    excess = a.limit_table.excess
    known = ~np.isnan(excess).all(axis=1)
    return pd.DataFrame(
        {
            "client_id": a.client_ids,
            "score": a.concentration.score,
            "limits_exceeded": a.limit_table.exceeded.sum(axis=1),
            "excess": np.where(known, ratio(np.nansum(excess, axis=1) * measured, unit), np.nan),
            "volatility": a.risk.volatility,
        }
    )


def _reached(plans: list[Plan]) -> pd.DataFrame:
    today = plans[0].before
    over = np.stack([today.limit_table.exceeded, *(plan.after.limit_table.exceeded for plan in plans)])
    for_good = np.logical_and.accumulate(~over[::-1], axis=0)[::-1]
    stage = np.where(for_good[-1], for_good.argmax(axis=0), np.nan)
    judged = ~np.isnan(today.limit_table.excess)
    who, which = np.nonzero(judged)
    limits = today.limit_table.limits
    return pd.DataFrame(
        {
            "client_id": np.array(today.client_ids, dtype=object)[who],
            "limit": np.array([x.name for x in limits], dtype=object)[which],
            "sense": np.array([x.sense for x in limits], dtype=object)[which],
            "exceeded": over[0][judged],
            "stage": stage[judged],
        }
    ).astype(dict.fromkeys(("client_id", "limit", "sense"), "str"))


def _undone(plans: list[Plan]) -> pd.DataFrame:
    """Each sale takes first what earlier stages bought: whichever unit is meant, that much went both ways."""
    framework = plans[0].before.framework
    cash = [code for code, x in zip(framework.class_codes, framework.flag("cash"), strict=True) if x]
    trades = pd.concat([plan.trades.assign(stage=k) for k, plan in enumerate(plans)], ignore_index=True)
    trades = trades[trades["side"].isin(["buy", "sell"]) & ~trades["asset_class"].isin(cash)].reset_index(drop=True)
    code = trades.groupby(["client_id", "asset_id"], sort=False).ngroup().to_numpy("intp")
    first = trades.drop_duplicates(["client_id", "asset_id"])[["client_id", "asset_id", "name", "asset_class"]]
    fee = (trades["cost"] + trades["tax"]).to_numpy("float64")

    def moved(side: str, money: AnyArray) -> FloatArray:
        out = np.zeros((len(plans), len(first)))
        at = (trades["side"] == side).to_numpy(bool)
        np.add.at(out, (trades["stage"].to_numpy("intp")[at], code[at]), money[at])
        return out

    amount = trades["amount"].to_numpy("float64")
    bought, sold, paid, charged = moved("buy", amount), moved("sell", amount), moved("buy", fee), moved("sell", fee)
    pool, spent, back, cost = (np.zeros(len(first)) for _ in range(4))
    for k in range(len(plans)):
        now = np.minimum(pool, sold[k])
        part = np.nan_to_num(ratio(now, pool))
        cost += spent * part + charged[k] * np.nan_to_num(ratio(now, sold[k]))
        back += now
        pool, spent = pool - now + bought[k], spent * (1 - part) + paid[k]
    out = first.reset_index(drop=True).assign(amount=np.round(back, 2), cost=np.round(cost, 2))
    return out[out["amount"] > 0].reset_index(drop=True)


def _median(values: AnyArray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")
