"""The target that plans: what must hold of every plan, and what both engines must agree in."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from random import Random
from typing import Any, Final

import numpy as np
import pandas as pd
from conftest import ON
from fuzzing import Target
from mutations import change_json, dumped, loaded, shrink_json
from programmes_made import assumptions, book_of, framework, programme_case
from promises import measured

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.errors import ConfigError
from allocator.pipeline import analyze, rebalance
from allocator.plan import STATUSES, Plan
from allocator.rebalance.whole import GAP

UNSOLVED: Final = "no_verified_plan"
"""Reason of a client for whom no solver gave a proved answer: honest, and no answer to compare."""
CENTS: Final = 2.0**53
"""From here on a float does not hold every cent."""


def planned(data: bytes) -> str:
    """Plan a case with both engines."""
    case = loaded(data)
    if not isinstance(case, dict):
        return "no case"
    book, analysis = analysed(case)
    how = (
        {k: v for k, v in (case.get("how") or {}).items() if k in ("hard", "goal")}
        if isinstance(case.get("how"), dict)
        else {}
    )
    more = {"explain": False, "allow_unclassified": case.get("loose") is True, **how}
    before = copied(book)
    slow = rebalance(analysis, engine="client", **more)
    fast = rebalance(analysis, engine="book", **more)
    auto = rebalance(analysis, engine="auto", **more)
    for plan in (slow, fast):
        sound(plan)
    pd.testing.assert_frame_equal(auto.trades, slow.trades)
    agree(fast, slow, whole=bool(book.holdings["indivisible"].any()) or len(book.products) > 0)
    untouched(book, before)
    unsolved = [e for e, p in (("client", slow), ("book", fast)) if p.summary["reason"].eq(UNSOLVED).any()]
    return "+".join(sorted(set(slow.summary["status"])) + [f"unsolved by {e}" for e in unsolved]) or "nobody"


def analysed(case: dict[str, Any]) -> tuple[Book, Analysis]:
    """The book of a case and its analysis, held against the promises of analyses."""
    name = case.get("framework")
    changes, risks = case.get("changes"), case.get("assumptions")
    if name not in ("classic", "chhabra", "every") or not isinstance(changes, dict) or not isinstance(risks, dict):
        raise ConfigError("no case")
    judged_by, table = framework(name, changes), assumptions(risks)
    book = book_of(case)
    analysis = analyze(book, judged_by, assumptions=table, on=ON)
    if name == "classic":
        measured(book, analysis)
    return book, analysis


def copied(book: Book) -> dict[str, pd.DataFrame]:
    return {
        f.name: getattr(book, f.name).copy(deep=True)
        for f in fields(book)
        if isinstance(getattr(book, f.name), pd.DataFrame)
    }


def untouched(book: Book, before: dict[str, pd.DataFrame]) -> None:
    """Nothing that was given is changed."""
    for name, frame in before.items():
        pd.testing.assert_frame_equal(getattr(book, name), frame)


def sound(plan: Plan) -> None:
    """A status for every client, a certificate for every plan, and no cent lost."""
    s, t, a = plan.summary, plan.trades, plan.before
    assert s["client_id"].tolist() == a.client_ids, "a client lost"
    assert set(s["status"]) <= set(STATUSES), "status"
    assert s["certificate"].all(), "a plan that does not hold"
    assert ((s["status"] != "invalid") | (s["reason"] != "")).all(), "invalid without a reason"
    assert (t["amount"] > 0).all(), "a trade of nothing"
    assert np.isfinite(t[["amount", "cost", "tax"]].to_numpy("float64")).all(), "a trade without an amount"
    cents = t[["amount", "cost", "tax"]].to_numpy("float64") * 100
    fine = np.abs(cents) < CENTS / 16
    assert (np.abs(cents - np.rint(cents)) < 0.01 + 200 * np.spacing(cents / 100))[fine].all(), "part of a cent"
    for i, client in enumerate(a.client_ids):
        _client(plan, i, client)
    gone = s["status"].isin(["no_trade", "stuck", "infeasible", "unfunded", "insolvent", "invalid"])
    quiet = s.loc[gone & (a.positions.cash_flow == 0), "client_id"]
    none = quiet[s.loc[quiet.index, "status"] != "stuck"]
    assert not t["client_id"].isin(none).any(), "trades of a client without a plan"
    calm = s["status"] == "no_trade"
    assert not a.limit_table.exceeded[calm.to_numpy()].any(), "no trades although a limit is exceeded"


def _client(plan: Plan, i: int, client: str) -> None:
    own, a = plan.trades[plan.trades["client_id"] == client], plan.before
    if not len(own):
        return
    money = {
        side: int(np.rint(own.loc[own["side"] == side, "amount"] * 100).astype("int64").sum())
        for side in ("sell", "buy", "repay")
    }
    costs = int(np.rint((own["cost"] + own["tax"]) * 100).astype("int64").sum())
    flow = round(float(a.positions.cash_flow[i]) * 100)
    largest = max(own["amount"].max() * 100, abs(flow))
    room = 0 if largest < CENTS / 16 else len(own) * largest / CENTS * 4
    assert abs(money["sell"] + flow - money["buy"] - money["repay"] - costs) <= room, "money in is not money out"
    assert not own.duplicated(["asset_id", "side"]).any(), "a trade twice"
    sides = own[own["side"] != "repay"].groupby("asset_id")["side"].nunique()
    assert (sides == 1).all(), "bought and sold at once"
    held = a.holdings[a.holdings["client_id"] == client].set_index("asset_id")["value"]
    sold = own[own["side"] == "sell"].set_index("asset_id")["amount"]
    assert set(sold.index) <= set(held.index), "sold what is not there"
    assert (sold <= held.reindex(sold.index) + 0.005).all(), "sold more than there is"
    after = plan.after.holdings
    after = after[after["client_id"] == client]
    assert (after["value"] >= -0.005).all(), "a holding below zero"


def agree(fast: Plan, slow: Plan, *, whole: bool) -> None:
    """Both engines carry out the same programme: the same status, and objectives as close as the search goes."""
    judged = ~(fast.summary["reason"].eq(UNSOLVED) | slow.summary["reason"].eq(UNSOLVED))
    a, b = fast.summary[judged], slow.summary[judged]
    assert a["status"].tolist() == b["status"].tolist(), "statuses apart"
    assert a[["reason", "reason_row"]].equals(b[["reason", "reason_row"]]), "reasons apart"
    apart = ((a["objective"] - b["objective"]) / b["objective"].abs().clip(lower=1.0)).to_numpy()
    assert np.array_equal(a["objective"].isna(), b["objective"].isna()), "objectives apart: unknown"
    room = (
        np.maximum(np.maximum(a["gap_whole"].fillna(0), b["gap_whole"].fillna(0)).to_numpy(), 0) + 2 * GAP
        if whole
        else 2 * GAP
    )
    assert (np.abs(np.nan_to_num(apart)) <= room).all(), "objectives apart"


def invariant(data: bytes) -> str:
    """The order of rows does not matter, nor what else is in the book; planning is blind to both."""
    case = loaded(data)
    if not isinstance(case, dict):
        return "no case"
    book, analysis = analysed(case)
    more: dict[str, Any] = {"explain": False, "allow_unclassified": case.get("loose") is True, "engine": "client"}
    plan = rebalance(analysis, **more)
    turned = replace(
        book,
        **{n: getattr(book, n).iloc[::-1].reset_index(drop=True) for n in ("holdings", "clients", "debts", "products")},
    )
    whole = bool(book.holdings["indivisible"].any()) or len(book.products) > 0
    other = rebalance(analyze(turned, analysis.framework, assumptions=analysis.assumptions, on=ON), **more)
    one, two = (p.summary.set_index("client_id").sort_index() for p in (plan, other))
    assert one["status"].tolist() == two["status"].tolist(), "order: statuses"
    room = 2 * GAP + (np.maximum(one["gap_whole"].fillna(0), two["gap_whole"].fillna(0)) if whole else 0)
    off = (one["objective"] - two["objective"]).abs() / two["objective"].abs().clip(lower=1.0)
    assert (off.fillna(0.0) <= room).all(), "order: objectives"
    first = analysis.client_ids[0] if len(analysis) else ""
    if first and len(analysis) > 1:
        alone = rebalance(
            analyze(book.client(first), analysis.framework, assumptions=analysis.assumptions, on=ON), **more
        )
        own = plan.trades[plan.trades["client_id"] == first].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone.trades, own)
    return "+".join(sorted(set(plan.summary["status"]))) or "nobody"


@cache
def warm() -> None:
    """Compile what is compiled once: the clock of an execution does not count it."""
    for seed in (1, 2, 3):
        planned(dumped(programme_case(Random(seed))))


def _made(draw: Random) -> bytes:
    return dumped(programme_case(draw))


def targets() -> list[Target]:
    """Plans by both engines; and plans of the same book in another order."""
    return [
        Target("programme", planned, _made, _half, shrink_json, warm=warm),
        Target("programme_order", invariant, _made, lambda _, draw: _made(draw), shrink_json, warm=warm),
    ]


def _half(data: bytes, draw: Random) -> bytes:
    return change_json(data, draw) if draw.random() < 0.3 else _made(draw)
