"""Limits on labels, users' own shares, budgets and the other goal in the book engine: as for one client."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from book_analyses import singles, with_flows
from conftest import ON, SAMPLE, make_book
from plans import check_plan
from test_book_engine import compare
from worlds import random_world

import allocator as al
from allocator.analysis import Analysis
from allocator.book import read_book
from allocator.errors import ConfigError
from allocator.framework import Framework, load_framework
from allocator.pipeline import analyze, rebalance
from allocator.positions import FACTS
from allocator.rebalance.book.facts import Facts
from allocator.rebalance.book.flat import flat_of
from allocator.rebalance.book.limit_rows import BUILDERS
from allocator.rebalance.book.plans import SOLVER, fits
from allocator.rebalance.parameters import Aim
from allocator.rebalance.planner import Planner
from allocator.rebalance.rows import BUILDERS as OF_ONE
from allocator.rebalance.rows import home_label

TIGHT: Final = """
schema = "allocator-framework/1"
extends = "classic"
name = "tight"
en = "Labels and budgets"
zh = "标签与预算"
[bands.conservative.limits]
sector = 0.25
country = 0.15
currency = 0.10
turnover = 0.20
cost = 0.004
[bands.balanced.limits]
sector = 0.20
country = 0.20
currency = 0.15
turnover = 0.15
[bands.aggressive.limits]
sector = 0.20
country = 0.30
cost = 0.003
"""

OWN: Final = (
    al.limit("half", 0.08, counts=lambda facts: (facts["sector"] != "") * 0.5),
    al.limit("growth", {"balanced": 0.3}, sense=">=", counts=lambda facts: facts["bucket"] == "growth", base="equity"),
    al.limit("abroad", 0.9, counts=lambda facts: facts["currency"] != "CNY", base="equity", family="band"),
)


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Framework:
    path = tmp_path_factory.mktemp("framework") / "tight.toml"
    path.write_text(TIGHT, encoding="utf-8")
    return load_framework(path)


def world(framework: Framework, seed: int, own: tuple[Any, ...] = ()) -> Analysis:
    return analyze(with_flows(random_world(seed, framework, 40).book(), seed), framework, on=ON, limits=own)


@pytest.mark.parametrize("goal", ["target", "return"])
@pytest.mark.parametrize(("seed", "own"), [(0, ()), (1, OWN), (2, OWN)])
def test_both_engines_plan_alike(tight: Framework, seed: int, own: tuple[Any, ...], goal: Any) -> None:
    analysis = world(tight, seed, own)
    how: dict[str, Any] = {"explain": False, "allow_unclassified": True, "goal": goal}
    fast = rebalance(analysis, engine="book", **how)
    compare(fast, rebalance(analysis, engine="client", **how))
    assert (fast.summary["solver"] == SOLVER).any()


def test_budgets_are_kept_and_worth_something(tight: Framework) -> None:
    """With the budget no plan trades more than it, or than a withdrawal takes; without, some trade far more."""
    book = read_book(SAMPLE)
    kept, free = (rebalance(analyze(book, f, on=ON), explain=False, engine="book") for f in (tight, "classic"))
    for plan in (kept, free):
        check_plan(plan)
    spent = kept.checks[kept.checks["check"] == "turnover"]
    within = spent["after"] <= spent["bound"] + 1e-6
    assert within.sum() >= 5
    assert (within == (spent["verdict"] == "holds")).all()
    assert (spent.loc[~within, "after"] <= spent.loc[~within, "before"] + 1e-6).all()
    by_client = [p.summary.set_index("client_id")["turnover"] for p in (free, kept)]
    assert (by_client[0] > by_client[1] + 0.01).sum() >= 3


def test_the_facts_are_those_of_the_planner_of_one(tight: Framework) -> None:
    analysis = world(tight, 3, OWN)
    planner = Planner(analysis, True, False)
    kept = [(i, x) for i, x, _ in singles(analysis)]
    flat = flat_of(np.array([i for i, _ in kept]), planner.context)
    facts = Facts(flat, planner.context)
    frame, place = facts._frame, 0
    for at, (i, x) in enumerate(kept):
        rows = np.arange(flat.start[at], flat.start[at + 1])
        mine = rows[flat.counts[rows] > 0]
        # a new account has another place there: compared by id
        one = x.facts[x.counts > 0].sort_values("asset_id", ignore_index=True)
        two = frame.iloc[place : place + len(mine)].sort_values("asset_id", ignore_index=True)
        place += len(mine)
        pd.testing.assert_frame_equal(one, two[list(FACTS)], check_dtype=False)
        for name in ("sector", "country", "currency"):
            folded = frame.loc[frame.index[place - len(mine) : place], name].str.strip().str.casefold()
            home = home_label(name, _client(i, x, planner))
            counts = ~folded.isin(["", home]).to_numpy()
            assert (counts == (facts.codes(name)[mine] >= 0)).all()
            assert folded[counts].nunique() == len(set(facts.codes(name)[mine][counts].tolist()))


def _client(i: int, x: Any, planner: Planner) -> Any:
    from allocator.rebalance.rows import Client

    band = list(planner.analysis.framework.bands.values())[planner.analysis.positions.band[i]]
    return Client(i, x, band, 0.0, planner.context)


def test_every_kind_that_is_carried_is_known_to_the_planner_of_one() -> None:
    assert set(BUILDERS) < set(OF_ONE)
    assert set(OF_ONE) - set(BUILDERS) == {"cvar", "tracking", "term"}


def test_a_function_that_cannot_be_measured_is_refused() -> None:
    """The analysis measures it first, so that no plan is ever begun."""
    bad = al.limit("bad", 0.1, counts=lambda facts: [0.5] * (len(facts) + 1))
    with pytest.raises(ConfigError, match="one per row"):
        analyze(read_book(SAMPLE), limits=[bad], on=ON)


def test_what_is_carried(tight: Framework) -> None:
    book = read_book(SAMPLE)
    context = Planner(analyze(book, tight, on=ON, limits=OWN), False, False).context
    assert fits(context, Aim())
    assert fits(context, Aim(goal="return"))
    assert not fits(context, Aim(hard=True))
    assert not fits(context, Aim(objectives=(al.Objective("own", 0.1, lambda *given: sum(given[0])),)))


@pytest.mark.parametrize("engine", ["client", "book"])
def test_an_issuer_of_one_name_is_never_worse_off(tight: Framework, engine: Any) -> None:
    """Selling the firm costs money, and so shrinks the total: the share over the issuer limit has to shrink with it.

    The single holding limit alone would not see to that: its bound is lower, and falls by less money.
    """
    rows = [
        {"client_id": "a", "asset_id": "cash", "asset_class": "deposit", "value": 400_000.0},
        {"client_id": "a", "asset_id": "stock", "asset_class": "listed_equity", "value": 9_700_000.0},
        {"client_id": "a", "asset_id": "flats", "asset_class": "investment_property", "value": 6_700_000.0},
        {"client_id": "a", "asset_id": "firm", "asset_class": "private_business", "value": 28_700_000.0},
    ]
    book = make_book(pd.DataFrame(rows), [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 50_000.0}])
    plan = rebalance(analyze(book, tight, on=ON), explain=False, engine=engine)
    check_plan(plan)
    assert plan.summary["status"].tolist() == ["improved"]
    issuer = plan.checks[plan.checks["check"] == "issuer"]
    assert issuer["verdict"].tolist() == ["no_worse"]
