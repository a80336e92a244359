"""The book engine against the planner of single clients: the same optimum, the same status, certified plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from book_analyses import sample_analysis, survey_analysis, world_analysis
from conftest import ON, ROOT, SAMPLE
from plans import check_plan

import allocator as al
from allocator.analysis import Analysis
from allocator.book import read_book
from allocator.errors import ConfigError
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.rebalance.book import judge, sweep
from allocator.rebalance.book import plans as book_plans
from allocator.rebalance.book.plans import SOLVER, fits
from allocator.rebalance.conic import DUAL, PRIMAL
from allocator.rebalance.parameters import Aim
from allocator.rebalance.planner import Planner
from allocator.rebalance.whole import GAP


def both(analysis: Analysis) -> tuple[Plan, Plan]:
    fast = rebalance(analysis, explain=False, engine="book", allow_unclassified=True)
    return fast, rebalance(analysis, explain=False, engine="client", allow_unclassified=True)


def compare(fast: Plan, slow: Plan) -> None:
    check_plan(fast)
    a, b = fast.summary, slow.summary
    assert a["status"].tolist() == b["status"].tolist()
    assert a[["reason", "reason_row"]].equals(b[["reason", "reason_row"]])
    assert np.allclose(a["missing"], b["missing"], atol=0.01)
    worse = (a["objective"] - b["objective"]) / b["objective"].abs().clip(lower=1.0)
    assert worse.max() <= GAP  # both searches end there; without whole amounts they agree a hundred times closer
    assert worse.mean() <= 1e-6
    for name in ("summary", "trades", "checks"):
        one, two = getattr(fast, name), getattr(slow, name)
        assert one.dtypes.equals(two.dtypes), name
    assert (
        fast.checks.groupby("client_id", sort=False).size().equals(slow.checks.groupby("client_id", sort=False).size())
    )
    solved = a["solver"] == SOLVER
    assert a.loc[solved, "primal"].max() <= PRIMAL
    assert a.loc[solved, ["dual", "duality_gap"]].max().max() <= DUAL


@pytest.mark.parametrize("seed", range(6))
def test_random_worlds(seed: int) -> None:
    compare(*both(world_analysis(seed)))


def test_the_sample_book() -> None:
    compare(*both(sample_analysis()))


def test_every_family_of_the_survey(shared: Callable[[str], Path]) -> None:
    fast, slow = both(survey_analysis(shared))
    compare(fast, slow)
    assert (fast.summary["solver"] == SOLVER).all()  # nobody had to be planned alone
    assert fast.summary["status"].value_counts().to_dict() == {"improved": 317, "in_band": 136, "stuck": 14}


def test_parts_are_the_whole() -> None:
    book = read_book(SAMPLE)
    whole = rebalance(analyze(book, on=ON), explain=False, engine="book")
    ids = book.clients["client_id"].tolist()
    for part in (ids[::3], ids[1::3], ids[2::3]):
        one = rebalance(analyze(book.select(part), on=ON), explain=False, engine="book")
        expected = whole.trades[whole.trades["client_id"].isin(part)].reset_index(drop=True)
        pd.testing.assert_frame_equal(one.trades, expected)


def test_planning_what_was_planned() -> None:
    """The book after a plan, planned again: both engines see the same in it."""
    plan = rebalance(sample_analysis(), explain=False, engine="book")
    fast, slow = both(plan.after)
    assert fast.summary["status"].tolist() == slow.summary["status"].tolist()
    assert fast.summary["certificate"].all()


def test_who_cannot_be_answered_for_is_planned_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape without a fast route: nobody is lost, the other planner steps in."""
    analysis = sample_analysis()
    slow = rebalance(analysis, explain=False, engine="client")
    real = sweep.compiled_for

    def none(shape: object) -> sweep.Compiled:
        return replace(real(shape), form=None)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "compiled_for", none)
    fast = rebalance(analysis, explain=False, engine="book")
    assert SOLVER not in set(fast.summary["solver"])
    pd.testing.assert_frame_equal(fast.trades, slow.trades)
    pd.testing.assert_frame_equal(fast.checks, slow.checks)
    pd.testing.assert_frame_equal(fast.summary, slow.summary)


def test_a_plan_that_does_not_hold_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer spoilt behind the solver's back is caught by the certificate."""
    real = sweep.solve_batch

    def spoilt(batch: object, skip: object) -> sweep.Answers:
        answers = real(batch, skip)  # type: ignore[arg-type]
        answers.sell[:] = batch.values["most_sell"]  # type: ignore[attr-defined]
        answers.buy[:] = 0.0
        return answers

    monkeypatch.setattr(book_plans, "solve_batch", spoilt)
    monkeypatch.setattr(judge, "objective", lambda *trades: -trades[2].sum(axis=1))
    check_plan(rebalance(sample_analysis(), explain=False, engine="book"))


def test_what_it_does_not_carry_is_never_left_out() -> None:
    book = read_book(SAMPLE)
    every = analyze(book, str(ROOT / "data" / "frameworks" / "every_limit.toml"), on=ON)
    assert not fits(Planner(every, False, False).context, Aim())
    tech = al.limit("tech", 0.05, term=lambda weights, facts: (facts["bucket"] == "growth").to_numpy(float) @ weights)
    own = analyze(book, limits=[tech], on=ON)
    fast, slow = (rebalance(own, explain=False, engine=e) for e in ("book", "client"))
    assert "tech" in set(fast.checks["check"])
    pd.testing.assert_frame_equal(fast.trades, slow.trades)
    plain = analyze(book, on=ON)
    fast, slow = (rebalance(plain, explain=False, engine=e, hard=True) for e in ("book", "client"))
    pd.testing.assert_frame_equal(fast.summary, slow.summary)


def test_misuse_is_told() -> None:
    analysis = sample_analysis()
    with pytest.raises(ConfigError, match="explain=False"):
        rebalance(analysis, engine="book")
    with pytest.raises(ConfigError, match="allowed: auto, book, client"):
        rebalance(analysis, engine="fast")  # type: ignore[arg-type]
