"""Stresses at the edges: what is not known, what is gone, users' own limits, and that nothing else is changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import ON
from small import book_of, client, holding, run
from stress_cases import only

import allocator as al
from allocator.assumptions import risk_table
from allocator.book import Book
from allocator.errors import ConfigError, InputError
from allocator.limits import limit
from allocator.pipeline import analyze, rebalance
from allocator.scenarios import load_scenarios, moves
from allocator.shocks import apply
from allocator.stresses import Stress, stress


@pytest.fixture(scope="module")
def sampled(sample: Book) -> Stress:
    return stress(analyze(sample, on=ON))


# ---- the edges


def test_unknown_spending_is_said_and_never_taken_for_none() -> None:
    book = book_of(
        holding(value=50.0),
        holding(asset_id="s", asset_class="equity_fund", value=50.0),
        clients=[client(monthly_spending=None)],
    )
    found = stress(run(book))
    frozen, crash = only(found, "frozen"), only(found, "crash_1929")
    for column in ("spent", "short", "equity", "net_worth", "reserve_months", "limits_exceeded", "limits_new"):
        assert math.isnan(frozen[column]), column
    assert (frozen["loss"], frozen["insolvent"]) == (0.0, False)
    assert crash["loss"] == pytest.approx(50 * 0.6477)
    assert crash["equity"] == pytest.approx(100 - 50 * 0.6477)
    assert math.isnan(crash["reserve_months"])
    assert not (found.limits["scenario"] == "frozen").any()


def test_no_limit_is_judged_where_it_is_unknown_what_is_spent() -> None:
    rows = [holding(value=30.0), holding(asset_id="h", asset_class="equity_fund", value=70.0)]
    said = {"x": {"shocks": {"equity_fund": -0.9}, "frozen": True, "months": 1}}
    known, unknown = (stress(run(book_of(*rows, clients=[client(monthly_spending=s)])), said) for s in (0.0, None))
    assert len(known.limits) == only(known)["limits_new"] > 0
    assert unknown.limits.empty
    assert math.isnan(only(unknown)["limits_new"])


def test_called_guarantees_are_debts_and_no_longer_guarantees() -> None:
    a = run(book_of(holding(value=50.0), clients=[client(guarantees=80.0)]))
    s = load_scenarios({"x": {"guarantees": 0.75}}).scenarios["x"]
    table = risk_table(a.framework, a.assumptions)
    left = apply(a, table, s, moves(a.framework, a.assumptions, s)).exposures
    assert a.exposures.own_company.tolist() == [80.0]
    assert (left.own_company.tolist(), left.debt.tolist()) == ([20.0], [10.0])
    assert np.isnan(left.leverage).all()


def test_unknown_spending_with_called_guarantees() -> None:
    """What guarantees take is certain; what living costs take is not."""
    said = {"guarantees": 1.0, "spending_months": 6.0}
    book = book_of(holding(value=50.0), clients=[client(monthly_spending=None, guarantees=80.0)])
    row = only(stress(run(book), {"x": said}))
    assert row["loss"] == 80.0
    assert math.isnan(row["equity"])
    assert row["insolvent"]  # 50 − 80 < 0 before anything is spent


def test_no_need_is_an_endless_reserve() -> None:
    row = only(stress(run(book_of(holding(value=50.0), clients=[client(monthly_spending=0.0)]))), "frozen")
    assert (row["reserve_months"], row["spent"], row["short"]) == (math.inf, 0.0, 0.0)


def test_insolvent_and_empty_clients() -> None:
    rows = [
        holding(asset_id="s", asset_class="equity_fund", value=100.0),
        holding(client_id="b", asset_id="o", asset_class="own_home", value=100.0),
    ]
    book = book_of(*rows, clients=[client(), client(client_id="b")], debts=[{"client_id": "a", "value": 150.0}])
    found = stress(run(book))
    s = found.summary[found.summary["scenario"] == "crash_2008"].set_index("client_id")
    assert s.loc["a", "loss"] == pytest.approx(36.55)
    assert math.isnan(s.loc["a", "loss_equity"])
    assert s.loc["a", "equity"] == pytest.approx(-50 - 36.55)
    assert (bool(s.loc["a", "insolvent"]), bool(s.loc["b", "insolvent"])) == (True, False)
    assert (s.loc["b", "loss"], s.loc["b", "equity"]) == (0.0, 0.0)
    assert s.loc["b", "net_worth"] == pytest.approx(100 * (1 - 0.2647), abs=1e-3)
    assert math.isnan(s.loc["b", "loss_share"])
    assert found.worst["scenario"].tolist() == ["crash_1929", ""]
    assert found.book["clients"].tolist() == [1] * 8
    assert found.book["insolvent"].tolist() == [0] * 8, "who was insolvent before has not fallen now"


def test_everything_gone_and_nothing_owed_is_no_own_money_left() -> None:
    book = book_of(holding(asset_class="private_business", value=100.0, own_company=True))
    found = stress(run(book))
    row = only(found, "own_industry")
    assert (row["loss_equity"], row["equity"], row["insolvent"]) == (1.0, 0.0, True)
    assert found.book.set_index("scenario").loc["own_industry", "insolvent"] == 1


def test_what_nothing_matched_keeps_its_value_and_stays_outside() -> None:
    book = book_of(holding(value=50.0), holding(asset_id="m", asset_class="mystery", value=70.0))
    found = stress(run(book), {"x": {"shocks": {"deposit": -0.1}}})
    row = only(found)
    assert (row["loss"], row["equity"], row["net_worth"]) == pytest.approx((5.0, 45.0, 115.0))
    assert found.holdings.set_index("asset_id").loc["m", "loss"] == 0.0


def test_losses_of_holdings_add_up(sampled: Stress) -> None:
    """With guarantees called they are the loss: the sample has no fund that holds own-use assets."""
    h = sampled.holdings
    inside = h[h["bucket"].isin(sampled.analysis.framework.bucket_codes)]
    total = inside.groupby(["client_id", "scenario"], observed=False)["loss"].sum()
    s = sampled.summary.set_index(["client_id", "scenario"])
    guarantees = dict(zip(sampled.analysis.client_ids, sampled.analysis.positions.guarantees, strict=True))
    for (who, name), loss in s["loss"].items():  # type: ignore[misc]
        called = sampled.scenarios.scenarios[name].guarantees * guarantees[who]
        assert loss == pytest.approx(total[(who, name)] + called, abs=1e-6)


def test_a_worse_scenario_never_costs_less(sampled: Stress) -> None:
    steps = {
        f"s{i}": {"shocks": {"equity_fund": -0.1 * i, "investment_property": -0.1 * i}, "gains": False}
        for i in range(1, 10)
    }
    found = stress(sampled.analysis, steps).summary
    loss = found["loss"].to_numpy().reshape(len(sampled), -1)
    assert (np.diff(loss, axis=1) >= -1e-6).all()
    assert (np.diff(loss, axis=1) > 1).any()


def test_a_scenario_without_effect_breaks_nothing(sampled: Stress) -> None:
    found = stress(sampled.analysis, {"x": {"shocks": {"deposit": 0.0}}})
    assert not found.summary["loss"].any()
    assert found.limits.empty
    assert found.summary["limits_exceeded"].tolist() == sampled.analysis.summary["limits_exceeded"].tolist()
    assert found.summary["equity"].tolist() == sampled.analysis.summary["equity"].tolist()


def test_after_a_plan_the_risk_is_measured_again(sample: Book) -> None:
    plan = rebalance(analyze(sample.client("C002"), on=ON), explain=False)
    before, after = (only(stress(a), "crash_1929") for a in (plan.before, plan.after))
    assert after["loss"] != before["loss"]
    assert after["loss"] > 0


def test_users_own_limits_are_measured_too() -> None:
    book = book_of(holding(asset_id="s", asset_class="listed_equity", value=50.0), holding(asset_id="d", value=50.0))
    own = limit("cash at most", 0.6, counts=lambda facts: facts["asset_class"] == "deposit")
    found = stress(analyze(book, on=ON, limits=[own]))
    broken = found.limits[found.limits["limit"] == "cash at most"].set_index("scenario")
    assert broken.loc["crash_1929", "after"] == pytest.approx(50 / (50 + 50 * (1 - 0.6477)))
    assert broken.loc["crash_1929", "excess"] == pytest.approx((50 - 0.6 * (50 + 50 * (1 - 0.6477))) / 100)


def test_the_face(sampled: Stress) -> None:
    assert al.stress is stress
    assert al.Stress is Stress
    said = repr(sampled)
    assert "24 clients in 8 scenarios" in said
    assert "crash_1929: median loss 34.1% of own money" in said
    one = sampled.select("C009")
    held = int((sampled.analysis.positions.holdings["client_id"] == "C009").sum())
    assert {k: len(v) for k, v in one.items()} == {"summary": 8, "limits": 3, "holdings": 8 * held, "worst": 1}
    with pytest.raises(InputError):
        sampled.select("nobody")
    with pytest.raises(ConfigError, match="unknown class"):
        stress(sampled.analysis, {"x": {"shocks": {"nothing": -0.1}}})
    shocks = sampled.shocks
    assert len(shocks) == 8 * len(sampled.analysis.framework.classes)
    assert set(shocks["how"]) == {"named", "inferred"}
    assert (shocks.loc[shocks["how"] == "named", "source"] != "").all()
    with pytest.raises(AttributeError):
        sampled.summary = sampled.limits  # type: ignore[misc]


def test_the_input_is_not_changed(sample: Book) -> None:
    a = analyze(sample, on=ON)
    value, table, months = a.positions.value.copy(), a.positions.mix_table.copy(), a.exposures.months.copy()
    stress(a)
    np.testing.assert_array_equal(a.positions.value, value)
    np.testing.assert_array_equal(a.positions.mix_table, table)
    np.testing.assert_array_equal(a.exposures.months, months)


def test_a_book_without_holdings_in_the_buckets() -> None:
    found = stress(run(book_of(holding(asset_class="own_home"))))
    assert found.book["clients"].tolist() == [0] * 8
    assert found.book["loss_equity"].isna().all()
    assert "own money" in repr(found)
