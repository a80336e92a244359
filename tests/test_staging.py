"""Plans in stages: what sells slowly, locks that end, money to the cent, and recounts of every table."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book

from allocator.errors import ConfigError
from allocator.limits import TOLERANCE
from allocator.pipeline import analyze, rebalance
from allocator.staging import Stages, stages

CLIENT = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 1000.0}
CASH = {"name": "cash", "asset_class": "deposit", "value": 300_000.0}

QUIET = [
    {"name": "cash", "asset_class": "deposit", "value": 300.0},
    {"name": "fund", "asset_class": "mixed_fund", "value": 500.0},
    {"name": "pe", "asset_class": "private_equity", "value": 200.0},
]


def of(rows: list[dict[str, Any]], client: dict[str, Any] | None = None, *, on: dt.date = ON, **tables: Any) -> Any:
    holdings = pd.DataFrame([{"client_id": "a"} | row for row in rows])
    return analyze(make_book(holdings, [CLIENT | (client or {})], **tables), on=on)


def sold(result: Stages, asset: str) -> list[float]:
    """Money sold of an asset, stage by stage."""
    tables = [plan.trades for plan in result.plans]
    return [float(t.loc[(t["asset_id"] == asset) & (t["side"] == "sell"), "amount"].sum()) for t in tables]


def net_cents(analysis: Any) -> np.ndarray:
    """What each client has less what they owe, in cents, summed without rounding."""
    p = analysis.positions
    cents = [
        sum(round(v * 100) for v in p.value[p.client == i].tolist())
        - sum(round(v * 100) for v in p.debts.value[p.debts.client == i].tolist())
        for i in range(len(p))
    ]
    return np.array(cents, dtype=object)


def check(result: Stages) -> None:
    """What holds for every result, whatever the book."""
    first = result.plans[0].before
    assert all(plan.summary["certificate"].all() for plan in result.plans)
    for plan, following in zip(result.plans, [*(p.before for p in result.plans[1:]), None], strict=True):
        # money: what there was, what came or went, less costs and taxes, is what there is
        t = plan.trades
        fee = t["cost"] + t["tax"]
        paid = [round(x * 100) for x in fee.groupby(t["client_id"]).sum().reindex(first.client_ids).fillna(0.0)]
        due = [round(x * 100) for x in plan.before.positions.cash_flow - plan.after.positions.cash_flow]
        assert (net_cents(plan.before) + due - paid == net_cents(plan.after)).all()
        if following is not None:
            assert (net_cents(plan.after) == net_cents(following)).all()
    check_pace(result)
    # do no harm, stage by stage; what nothing sellable can mend may weigh more in a total that costs made smaller
    calm = ~result.table["client_id"].isin(
        pd.concat([p.checks.loc[p.checks["verdict"] == "untouched", "client_id"] for p in result.plans])
        .drop_duplicates()
        .tolist()
        + first.summary.loc[first.positions.cash_flow != 0, "client_id"].tolist()
    )
    rise = result.table[calm].groupby("client_id")["excess"].diff()
    assert rise.max() <= 10 * TOLERANCE or rise.isna().all()


def check_pace(result: Stages) -> None:
    """Nothing is sold faster than its pace, nor held back, counted from the trade lists alone."""
    p = result.plans[0].before.positions
    usual = {code: c.sellable for code, c in result.plans[0].before.framework.classes.items()}
    keys = list(zip(p.holdings["client_id"], p.holdings["asset_id"], strict=True))
    worth, pace = dict(zip(keys, p.value, strict=True)), dict(zip(keys, p.pace, strict=True))
    whole = dict(zip(keys, p.indivisible, strict=True))
    gone: dict[Any, float] = {}
    for k, plan in enumerate(result.plans, start=1):
        for row in plan.trades.query("side == 'sell'").itertuples():
            key = (row.client_id, row.asset_id)
            gone[key] = gone.get(key, 0.0) + row.amount
            most = pace[key] * worth[key]
            assert row.amount <= most * (k if whole[key] else 1) + 0.01 * k
            assert gone[key] <= most * k + 0.01 * k
        for row in plan.trades.query("side == 'buy'").itertuples():
            key = (row.client_id, row.asset_id)
            worth[key] = worth.get(key, 0.0) + row.amount
            pace.setdefault(key, usual[row.asset_class])
            whole.setdefault(key, False)
        if k < len(result.plans):  # and all of that may be sold next
            p = result.plans[k].before.positions
            for h in np.flatnonzero(p.tradable & ~p.indivisible):
                key = (p.holdings["client_id"].iloc[h], p.holdings["asset_id"].iloc[h])
                most = min(pace[key] * worth[key], p.value[h])
                assert p.sellable[h] * p.value[h] == pytest.approx(most, abs=0.01 * (k + 1))


@pytest.fixture(scope="module")
def whole(sample: Any) -> Stages:
    return stages(analyze(sample, on=ON))


# ---- the stages themselves


def test_the_first_stage_is_the_plan(sample: Any, whole: Stages) -> None:
    plan = rebalance(analyze(sample, on=ON), explain=False)
    for name in ("summary", "trades", "checks"):
        pd.testing.assert_frame_equal(getattr(whole.plans[0], name), getattr(plan, name))
    assert len(whole.plans) == 4
    assert whole.dates == [ON, ON, dt.date(2026, 12, 30), dt.date(2027, 3, 30), dt.date(2027, 6, 30)]


def test_the_sample_book_adds_up(whole: Stages) -> None:
    check(whole)


def test_each_stage_is_what_a_new_book_of_the_same_day_would_get() -> None:
    """Positions after a plan, typed in anew three months later: the same limits, the same trades."""
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 1_500_000.0, "own_company": True}]
    rows += [{"name": "flat", "asset_class": "investment_property", "value": 400_000.0}]
    result = stages(of(rows), periods=3)
    left = result.plans[0].after.holdings
    anew = left[["client_id", "asset_id", "name", "asset_class", "value", "product_id"]].copy()
    anew = anew.assign(own_company=anew["asset_id"] == "firm")
    at_start = {"firm": 0.25 * 1_500_000.0}
    anew["sellable"] = [
        min(at_start[a] / v, 1.0) if a in at_start else np.nan
        for a, v in zip(anew["asset_id"], anew["value"], strict=True)
    ]
    again = rebalance(analyze(make_book(anew[anew["value"] > 0], [CLIENT]), on=result.dates[2]), explain=False)
    second = result.plans[1]
    assert len(second.trades) > 1
    pd.testing.assert_frame_equal(again.before.limits, second.before.limits)
    columns = ["asset_id", "side", "amount", "cost"]
    pd.testing.assert_frame_equal(again.trades[columns], second.trades[columns], rtol=1e-6, atol=1.0)


def test_a_firm_goes_in_quarters_of_its_value_at_the_beginning() -> None:
    rows = [CASH | {"value": 1000.01}, {"name": "firm", "asset_class": "private_business", "value": 9_999_999.99}]
    result = stages(of(rows), periods=5)
    check(result)
    parts = sold(result, "firm")
    assert parts[:3] == pytest.approx([2_500_000.0] * 3, abs=0.02)
    assert sum(parts) <= 9_999_999.99
    assert result.table["limits_exceeded"].diff().max() <= 0
    assert result.table["limits_exceeded"].iloc[-1] == 0


def test_nothing_is_left_by_rounding() -> None:
    """Four quarters are the whole, though a quarter of it is no number of cents."""
    rows = [CASH, {"name": "pe", "asset_class": "private_equity", "value": 300_000.0}]
    rows += [{"name": "coin", "asset_class": "crypto", "value": 400_000.03, "sellable": 0.25}]
    result = stages(of(rows, {"risk_band": "conservative"}))
    check(result)
    assert sold(result, "coin") == pytest.approx([100_000.0, 100_000.0, 100_000.0, 100_000.03], abs=1e-6)


def test_a_lock_that_ends_between_stages_is_used_on_its_day() -> None:
    hedge = {"name": "hedge", "asset_class": "hedge_fund", "value": 900_000.0, "sellable": 1.0}
    for until, first in (("2027-03-30", 3), ("2027-03-31", 4), ("2031-01-01", 0), ("2026-09-30", 1)):
        result = stages(of([CASH, hedge | {"locked_until": until}]))
        check(result)
        parts = sold(result, "hedge")
        assert next((k for k, x in enumerate(parts, 1) if x > 0), 0) == first
        locked = [bool(p.before.positions.locked[p.before.holdings["name"] == "hedge"].any()) for p in result.plans]
        assert locked == [k < first or not first for k in range(1, 5)]


def test_what_is_pledged_stays() -> None:
    hedge = {"name": "hedge", "asset_class": "hedge_fund", "value": 900_000.0, "pledged": True}
    result = stages(of([CASH, hedge | {"locked_until": "2026-10-01"}]))
    assert sold(result, "hedge") == [0.0] * 4
    assert not result.plans[-1].before.positions.tradable[1]


@pytest.mark.parametrize("lock", ["", "2026-12-01"])
@pytest.mark.parametrize("word", [{"sellable": 0.0}, {"restriction": "never_sell"}])
def test_what_the_client_will_not_sell_stays_after_its_lock(lock: str, word: dict[str, Any]) -> None:
    hedge = {"name": "hedge", "asset_class": "hedge_fund", "value": 900_000.0, "locked_until": lock}
    result = stages(of([CASH, hedge | word]), periods=3)
    assert sold(result, "hedge") == [0.0] * 3
    p = result.plans[-1].before.positions
    at = (p.holdings["name"] == "hedge").to_numpy()
    assert p.locked[at].all()
    assert p.tradable[at].all()


def test_what_is_whole_goes_when_its_pace_has_added_up() -> None:
    flat = {"name": "flat", "asset_class": "investment_property", "value": 900_000.0, "indivisible": True}
    for pace, first in ((1.0, 1), (0.5, 2), (1 / 3, 3), (0.25, 4), (0.2, 0)):
        result = stages(of([CASH, flat | {"sellable": pace}]))
        check(result)
        parts = sold(result, "flat")
        assert parts == [900_000.0 if k == first else 0.0 for k in range(1, 5)]


def test_time_under_a_lock_does_not_count_for_what_is_whole() -> None:
    flat = {"name": "flat", "asset_class": "investment_property", "value": 900_000.0, "indivisible": True}
    result = stages(of([CASH, flat | {"sellable": 0.5, "locked_until": "2027-01-15"}]))
    assert sold(result, "flat") == [0.0, 0.0, 0.0, 900_000.0]


def test_new_money_comes_in_once() -> None:
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    result = stages(of(rows, {"cash_flow": 200_000.0}))
    check(result)
    assert [float(p.before.positions.cash_flow[0]) for p in result.plans] == [200_000.0, 0.0, 0.0, 0.0]


def test_taxes_are_paid_in_every_stage_and_what_was_paid_for_the_rest_falls() -> None:
    """Half of the firm is gain: every part sold pays a fifth of its half."""
    firm = {"name": "firm", "asset_class": "private_business", "value": 2_000_000.0, "cost_basis": 1_000_000.0}
    result = stages(of([CASH, firm]), periods=3)
    check(result)
    paid = result.table["tax"].iloc[1:].to_numpy()
    assert paid == pytest.approx([0.2 * 0.5 * x for x in sold(result, "firm")], abs=0.01)
    assert (paid[:2] > 0).all()
    left = result.plans[1].before.positions
    assert left.basis[1] == pytest.approx(left.value[1] / 2)


def test_a_withdrawal_that_a_lock_holds_up_is_paid_when_it_ends() -> None:
    rows = [CASH, {"name": "bonds", "asset_class": "bond_fund", "value": 900_000.0, "locked_until": "2027-01-01"}]
    result = stages(of(rows, {"cash_flow": -500_000.0}))
    check(result)
    assert result.table["status"].tolist()[1:3] == ["unfunded", "unfunded"]
    assert set(result.table["status"].tolist()[3:]) <= {"no_trade", "in_band", "improved", "stuck"}
    assert [float(p.before.positions.cash_flow[0]) for p in result.plans] == [-500_000.0] * 3 + [0.0]


def test_in_band_is_nobody_whose_withdrawal_is_unpaid() -> None:
    rows = [r | {"locked_until": "2040-01-01"} if r["name"] == "fund" else r for r in QUIET]
    result = stages(of(rows, {"monthly_spending": 1.0, "cash_flow": -400.0}), periods=2)
    assert result.table["status"].tolist()[1:] == ["unfunded"] * 2
    assert result.table["limits_exceeded"].tolist() == [0, 0, 0]
    assert result.summary["share_in_band"].tolist() == [1.0, 0.0, 0.0]


def test_who_needs_nothing_more_is_left_alone(whole: Stages) -> None:
    result = stages(of(QUIET, {"monthly_spending": 1.0}))
    assert result.table["status"].tolist()[1:] == ["no_trade"] * 4
    assert result.undone.empty
    assert result.reached["stage"].eq(0).all()
    wide = whole.table.pivot(index="client_id", columns="stage", values="status")
    assert (wide.loc[wide[2] == "no_trade", 4] == "no_trade").all()


def test_who_cannot_be_planned_stays_so_and_stops_nobody(whole: Stages) -> None:
    wide = whole.table.pivot(index="client_id", columns="stage", values="status")
    for client, status in (("C012", "insolvent"), ("C016", "invalid"), ("C014", "unfunded")):
        assert wide.loc[client, [1, 2, 3, 4]].tolist() == [status] * 4
    assert (whole.table["client_id"].value_counts() == 5).all()


def test_bad_data_is_not_forgotten_between_stages() -> None:
    rows = [CASH, {"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    result = stages(of([*rows, {"name": "x", "asset_class": "gold", "value": "many"}]), periods=3)
    assert result.table["status"].tolist()[1:] == ["invalid"] * 3
    assert [p.summary["reason"][0] for p in result.plans] == ["not_a_number"] * 3


def test_unclassified_is_let_pass_when_asked() -> None:
    rows = [CASH, {"name": "?", "asset_class": "moon dust", "value": 10.0}]
    rows += [{"name": "firm", "asset_class": "private_business", "value": 900_000.0}]
    assert set(stages(of(rows), periods=2).table["status"].dropna()) == {"invalid"}
    assert "invalid" not in set(stages(of(rows), periods=2, allow_unclassified=True).table["status"].dropna())


def test_calendar_months_and_their_ends() -> None:
    result = stages(of([CASH], on=dt.date(2026, 8, 31)), periods=7, months=1)
    days = [(d.month, d.day) for d in result.dates[1:]]
    assert days == [(8, 31), (9, 30), (10, 31), (11, 30), (12, 31), (1, 31), (2, 28)]


@pytest.mark.parametrize("wrong", [{"periods": 0}, {"periods": 2.5}, {"periods": True}, {"months": 0}])
def test_misuse_says_what_to_write(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} must be a whole number"):
        stages(of([CASH]), **wrong)


def test_beyond_the_calendar() -> None:
    with pytest.raises(ConfigError, match="beyond the calendar"):
        stages(of([CASH]), periods=2, months=100_000)
    with pytest.raises(ConfigError, match="beyond the calendar"):
        stages(of([CASH]), periods=2, months=10**30)
