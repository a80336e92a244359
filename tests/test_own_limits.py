"""Limits of one's own: measured like the framework's, and refused with the mend when they cannot be."""

from __future__ import annotations

import math
from typing import Any

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from plain import Plain
from worlds import random_world

import allocator as al
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.limits import LIMITS, TAKEN, limit_list
from allocator.positions import FACTS

CLASSIC = load_framework()


def book() -> Any:
    """Two clients: 30 / 20 / 50 of two shares and cash with debts of 20; only cash."""
    rows = [
        {"client_id": "a", "asset_id": "1", "asset_class": "listed_equity", "value": 30.0, "sector": "tech"},
        {"client_id": "a", "asset_id": "2", "asset_class": "listed_equity", "value": 20.0, "sector": "banks"},
        {"client_id": "a", "asset_id": "3", "asset_class": "deposit", "value": 50.0},
        {"client_id": "a", "asset_id": "4", "asset_class": "own_home", "value": 900.0, "sector": "tech"},
        {"client_id": "b", "asset_id": "1", "asset_class": "deposit", "value": 10.0},
    ]
    clients = [{"client_id": c, "risk_band": b} for c, b in (("a", "balanced"), ("b", "aggressive"))]
    return make_book(pd.DataFrame(rows), clients, debts=[{"client_id": "a", "value": 20.0}])


def measured(*limits: Any) -> pd.DataFrame:
    return al.analyze(book(), CLASSIC, on=ON, limits=limits).limits.set_index(["client_id", "limit"])


def tech(facts: pd.DataFrame) -> Any:
    return facts["sector"] == "tech"


def norm(w: Any, facts: pd.DataFrame) -> Any:
    del facts
    return cp.norm(w)


# ---- measured


@pytest.mark.parametrize(
    ("limit", "value", "excess"),
    [
        (al.limit("x", 0.2, counts=tech), 0.30, 0.10),
        (al.limit("x", 0.4, counts=tech), 0.30, 0.0),
        (al.limit("x", 0.4, counts=tech, sense=">="), 0.30, 0.10),
        (al.limit("x", 0.2, counts=tech, base="equity"), 30 / 80, (30 - 0.2 * 80) / 100),
        (al.limit("x", 0.2, counts=lambda f: np.where(f["asset_class"] == "listed_equity", 0.5, 0)), 0.25, 0.05),
        (al.limit("x", 0.2, counts=lambda f: [1] * len(f)), 1.0, 0.8),
        (al.limit("x", 0.5, term=norm), math.hypot(0.3, 0.2, 0.5), math.hypot(0.3, 0.2, 0.5) - 0.5),
        (al.limit("x", 0.9, term=norm), math.hypot(0.3, 0.2, 0.5), 0.0),
        (al.limit("x", 0.1, term=lambda w, f: tech(f).to_numpy(float) @ w, base="equity"), 30 / 80, 0.22),
        (al.limit("x", {"balanced": 0.2}, counts=tech), 0.30, 0.10),
    ],
)
def test_by_hand(limit: Any, value: float, excess: float) -> None:
    found = measured(limit).loc[("a", "x")]
    assert (found["value"], found["excess"]) == pytest.approx((value, excess))
    assert found["exceeded"] == (excess > 0)


def test_a_band_that_is_not_named_has_no_such_limit() -> None:
    for limit in (al.limit("x", {"balanced": 0.2}, counts=tech), al.limit("x", {"balanced": 0.2}, term=norm)):
        assert [c for c, name in measured(limit).index if name == "x"] == ["a"]


def test_own_limits_come_last_and_are_kept() -> None:
    own = [al.limit("tech", 0.2, counts=tech, words=("technology", "科技")), al.limit("norm", 0.5, term=norm)]
    a = al.analyze(book(), CLASSIC, on=ON, limits=own)
    limits = a.limit_table.limits
    assert [x.name for x in limits] == [*(x.name for x in limit_list(CLASSIC)), "tech", "norm"]
    assert limits[-2:] == a.own
    assert [(x.en, x.zh, x.kind, x.family) for x in a.own] == [
        ("technology", "科技", "counted", "concentration"), ("norm", "norm", "term", "concentration"),
    ]  # fmt: skip
    assert limit_list(CLASSIC, a.own) == limits
    assert al.analyze(book(), CLASSIC, on=ON).own == ()


def test_facts_are_those_of_the_page_and_cannot_be_spoilt() -> None:
    seen: list[pd.DataFrame] = []

    def look(facts: pd.DataFrame) -> Any:
        seen.append(facts.copy())
        facts["sector"] = "changed"
        return np.zeros(len(facts))

    a = al.analyze(book(), CLASSIC, on=ON, limits=[al.limit("x", 0.2, counts=look), al.limit("y", 0.2, counts=look)])
    assert all(tuple(f.columns) == FACTS and f["sector"].tolist() == ["tech", "banks", "", "tech", ""] for f in seen)
    assert a.holdings["sector"].tolist() == ["tech", "banks", "", "tech", ""]


def test_a_term_sees_what_is_in_the_buckets_and_nothing_else() -> None:
    seen: list[list[str]] = []

    def look(w: Any, facts: pd.DataFrame) -> Any:
        assert w.shape == (len(facts),)
        seen.append(facts["asset_id"].tolist())
        return cp.sum(w)

    t = measured(al.limit("x", 0.2, term=look))
    assert seen[-2:] == [["1", "2", "3"], ["1"]]
    assert t.loc[("a", "x"), "value"] == t.loc[("b", "x"), "value"] == 1.0


def test_an_own_limit_that_says_what_the_framework_says_measures_the_same() -> None:
    """Property as a count, the volatility as a cone: on random books, and the count row by row."""
    from allocator.assumptions import load_assumptions, risk_table

    table = risk_table(CLASSIC, load_assumptions())
    classes = {c: k for k, c in enumerate(CLASSIC.class_codes)}

    def sigma(w: Any, facts: pd.DataFrame) -> Any:
        k = facts["asset_class"].map(classes).to_numpy()
        return cp.norm(cp.hstack([table.loadings[k].T @ w, cp.multiply(table.idiosyncratic[k], w)]))

    def firm(facts: pd.DataFrame) -> Any:
        return facts["asset_class"].isin(["private_business", "shareholder_loan"])

    world = random_world(5, CLASSIC)
    for s in world.sheets:  # a class of its own for each, so that nothing is looked through or in two accounts
        s.holdings = [h | {"isin": "", "product_id": ""} for h in s.holdings if h["account"] == "1" and h["code"]]
        s.holdings = list({h["asset_id"]: h for h in s.holdings}.values())
    own = [
        al.limit("firm", {b: x.limits["business"] for b, x in CLASSIC.bands.items()}, counts=firm),
        al.limit("sigma", {b: x.volatility for b, x in CLASSIC.bands.items()}, term=sigma, base="equity"),
        al.limit("energy", 0.1, counts=lambda f: f["sector"].str.casefold() == "energy"),
    ]
    a = al.analyze(world.book(), CLASSIC, on=ON, limits=own)
    t, names = a.limit_table, [x.name for x in a.limit_table.limits]
    for mine, theirs in (("firm", "business"), ("sigma", "volatility")):
        j, k = names.index(mine), names.index(theirs)
        judged = ~np.isnan(t.bound[:, k])
        assert judged.sum() > 20
        for found in (t.value, t.excess):
            assert found[judged, j] == pytest.approx(found[judged, k], rel=1e-9, abs=1e-12, nan_ok=True)
    for i, s in enumerate(world.sheets):
        p = Plain(s, world)
        amount = sum(r["inside"] for r in p.rows if r["sector"] == "energy")
        assert t.value[i, names.index("energy")] == pytest.approx(p.share_of(amount), nan_ok=True)


# ---- refused


@pytest.mark.parametrize(
    ("name", "bound", "more", "word"),
    [
        ("", 0.2, {"counts": tech}, "give it a name"),
        (" x", 0.2, {"counts": tech}, "blanks"),
        ("class:x", 0.2, {"counts": tech}, "colon"),
        ("volatility", 0.2, {"counts": tech}, "taken"),
        ("sector", 0.2, {"counts": tech}, "taken"),
        ("turnover", 0.2, {"counts": tech}, "taken"),
        ("x", 0.2, {}, "exactly one of counts= and term="),
        ("x", 0.2, {"counts": tech, "term": norm}, "exactly one"),
        ("x", 0.2, {"counts": "tech"}, "functions"),
        ("x", -0.1, {"counts": tech}, "0 or more"),
        ("x", math.nan, {"counts": tech}, "finite"),
        ("x", math.inf, {"counts": tech}, "finite"),
        ("x", "20%", {"counts": tech}, "0.2 for 20%"),
        ("x", True, {"counts": tech}, "number"),
        ("x", {"balanced": -1.0}, {"counts": tech}, "0 or more"),
        ("x", 20, {"counts": tech, "sense": ">="}, "more than everything"),
        ("x", 0.2, {"term": norm, "sense": ">="}, "only be capped"),
        ("x", 0.2, {"counts": tech, "sense": "<"}, "allowed: <=, >="),
        ("x", 0.2, {"counts": tech, "family": "tax"}, "allowed: reserve, risk, concentration, band"),
        ("x", 0.2, {"counts": tech, "base": "debt"}, "allowed: total, equity"),
        ("x", 0.2, {"counts": tech, "words": "tech"}, "two texts"),
    ],
)
def test_what_is_no_limit_is_refused_when_it_is_made(name: str, bound: Any, more: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match="limit") as caught:
        al.limit(name, bound, **more)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ([al.limit("x", {"brave": 0.2}, counts=tech)], "unknown band 'brave'; allowed: conservative, balanced"),
        ([al.limit("x", 0.2, counts=tech), al.limit("x", 0.3, term=norm)], "'x': the name is taken"),
        ([tech], "what allocator.limit"),
        ([al.limit("x", 0.2, counts=lambda f: f["sector"])], "no numbers"),
        ([al.limit("x", 0.2, counts=lambda _: 1.0)], "shape () for 5 rows"),
        ([al.limit("x", 0.2, counts=lambda _: [1.0, 0.0])], "shape (2,) for 5 rows"),
        ([al.limit("x", 0.2, counts=lambda f: [np.nan] * len(f))], "unknown or not from 0 to 1"),
        ([al.limit("x", 0.2, counts=lambda f: [2.0] * len(f))], "unknown or not from 0 to 1"),
        ([al.limit("x", 0.2, term=lambda w, _: cp.sum_squares(w))], "must double"),
        ([al.limit("x", 0.2, term=lambda w, _: cp.sum(w) + 1)], "must double"),
        ([al.limit("x", 0.2, term=lambda w, _: cp.sqrt(cp.sum(w)))], "not convex"),
        ([al.limit("x", 0.2, term=lambda w, _: cp.geo_mean(w))], "not convex"),
        ([al.limit("x", 0.2, term=lambda _w, _f: 0.3)], "must be a cvxpy expression"),
        ([al.limit("x", 0.2, term=lambda w, _: w)], "a single number"),
        ([al.limit("x", 0.2, term=lambda w, _: cp.Parameter(nonneg=True) * cp.norm(w))], "parameter without value"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_name(limits: list[Any], word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        measured(*limits)
    assert word in str(caught.value)
    assert "'x'" in str(caught.value) or limits == [tech]


def test_every_name_of_a_framework_is_taken() -> None:
    assert {*LIMITS} <= {*TAKEN}
    assert {x.name for x in limit_list(CLASSIC) if ":" not in x.name} <= {*TAKEN}


def test_words_are_for_people_and_default_to_the_name() -> None:
    said = [al.limit("x", 0.2, counts=tech, words=w).on(CLASSIC) for w in (("", ""), ("tech", ""), ("tech", "科技"))]
    assert [(x.en, x.zh) for x in said] == [("x", "x"), ("tech", "tech"), ("tech", "科技")]
