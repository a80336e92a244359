"""Amounts per client: by hand, and on random books against plain Python."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from plain import Plain
from worlds import random_world

from allocator.build import build_positions
from allocator.exposures import class_money, expose, largest, ratio
from allocator.framework import load_framework
from allocator.pipeline import analyze


def sheet(rows: list[dict[str, Any]], framework: str = "classic", client: dict[str, Any] | None = None, **tables: Any):
    """Analysis of one client."""
    frame = pd.DataFrame([{"client_id": "a", "asset_id": f"A{i}", **r} for i, r in enumerate(rows)])
    who = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 10.0} | (client or {})
    return analyze(make_book(frame, [who], **tables), framework, on=ON)


def money(a, i: int = 0) -> dict[str, float]:
    """Money by class."""
    return {c: v for c, v in zip(a.framework.class_codes, a.exposures.classes[i].tolist(), strict=True) if v}


# ---- random books


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
@pytest.mark.parametrize("seed", range(3))
def test_every_amount_is_what_plain_python_says(seed: int, preset: str) -> None:
    f = load_framework(preset)
    world = random_world(seed, f, clients=40)
    a = analyze(world.book(), f, on=ON)
    e = a.exposures
    seen = set()
    for i, p in enumerate(Plain(s, world) for s in world.sheets):
        amounts = {
            "total": p.total,
            "debt": p.debt,
            "equity": p.equity,
            "net_worth": p.everything,
            "unclassified": p.unclassified,
            "liquid": p.liquid,
            "need": p.need,
            "months": p.months,
            "leverage": p.total / p.equity if p.equity > 0 else math.nan,
            "own_company": sum(r["inside"] for r in p.rows if r["own"]) + p.sheet.guarantees,
        }
        for name, expected in amounts.items():
            assert getattr(e, name)[i] == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True), (
                name,
                p.sheet.client_id,
            )
            seen |= {name} if expected and not math.isnan(expected) else set()
        assert a.positions.owner[i] == p.owner
        by_class = [p.money.get(c, 0.0) for c in f.class_codes]
        assert e.classes[i] == pytest.approx(by_class, rel=1e-9, abs=1e-6)
        own = slice(a.positions.start[i], a.positions.start[i + 1])
        weights = [r["inside"] / p.total if p.total else math.nan for r in p.rows]
        assert e.weight[own] == pytest.approx(weights, rel=1e-9, nan_ok=True)
        assert e.named[own] == pytest.approx([r["named"] for r in p.rows], rel=1e-9)
        for found, key in ((e.by_issuer, "issuer"), (e.by_asset, "asset_id")):
            sums = [p.names(key)[r[key]] if r["named"] else 0.0 for r in p.rows]
            assert found[own] == pytest.approx(sums, rel=1e-9, abs=1e-6)
        for j, name in enumerate(f.rules):
            assert a.concentration.exposure[i, j] == pytest.approx(p.rule(name), rel=1e-9, abs=1e-12, nan_ok=True), name
        assert a.concentration.score[i] == pytest.approx(p.score, rel=1e-9, abs=1e-9)
        reached = [name for name, least in f.grades.items() if least <= a.concentration.score[i]]
        assert a.summary["grade"][i] == max(reached, key=lambda name: f.grades[name])
    assert len(seen) == 10, "every amount must occur, or nothing was compared"
    assert a.summary["grade"].nunique() == len(f.grades)


# ---- by hand


def test_total_is_what_the_buckets_hold() -> None:
    rows = [
        {"asset_class": c, "value": v}
        for c, v in [
            ("deposit", 1.0),
            ("listed_equity", 2.0),
            ("private_business", 4.0),
            ("own_home", 8.0),
            ("vehicle", 16.0),
            ("??", 32.0),
        ]
    ]
    e = sheet(rows).exposures
    assert (e.total[0], e.net_worth[0], e.unclassified[0]) == (7.0, 63.0, 32.0)
    assert e.weight.tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7, 0, 0, 0])


def test_home_gold_and_own_shares_land_where_each_preset_puts_them() -> None:
    rows = [
        {"asset_class": "own_home", "value": 100.0},
        {"asset_class": "gold", "value": 10.0},
        {"asset_class": "listed_equity", "value": 40.0, "own_company": True},
        {"asset_class": "listed_equity", "value": 5.0},
        {"asset_class": "vehicle", "value": 7.0},
        {"asset_class": "private_business", "value": 3.0, "own_company": True},
    ]
    classic, chhabra = (
        sheet(rows).buckets.set_index("bucket")["value"],
        sheet(rows, "chhabra").buckets.set_index("bucket")["value"],
    )
    assert classic.to_dict() == {"defensive": 10.0, "growth": 45.0, "offensive": 3.0}
    assert chhabra.to_dict() == {"defensive": 100.0, "growth": 15.0, "offensive": 43.0}
    for preset in ("classic", "chhabra"):
        a = sheet(rows, preset)
        assert a.exposures.own_company.tolist() == [43.0]
        assert a.exposures.net_worth.tolist() == [165.0]
    # by the class, own shares are a business in one framework and shares in the other
    assert sheet(rows).rules.set_index("rule")["exposure"]["business"] == pytest.approx(3 / 58)
    assert sheet(rows, "chhabra").rules.set_index("rule")["exposure"]["business"] == pytest.approx(43 / 158)


def test_mortgage_on_the_home_counts_where_the_home_counts() -> None:
    rows = [{"asset_class": "own_home", "value": 100.0, "asset_id": "house"}, {"asset_class": "deposit", "value": 50.0}]
    debts = [{"client_id": "a", "value": 40.0, "secured_by": "house"}]
    classic, chhabra = sheet(rows, debts=debts).exposures, sheet(rows, "chhabra", debts=debts).exposures
    assert (classic.total[0], classic.debt[0], classic.equity[0], classic.leverage[0]) == (50, 0, 50, 1)
    assert (chhabra.total[0], chhabra.debt[0], chhabra.equity[0]) == (150, 40, 110)
    assert chhabra.leverage[0] == pytest.approx(150 / 110)
    assert classic.net_worth[0] == chhabra.net_worth[0] == 110


def test_a_fund_is_split_over_classes_buckets_and_groups() -> None:
    funds = [
        {"fund_id": "F", "asset_class": c, "weight": w}
        for c, w in [("listed_equity", 0.5), ("gold", 0.3), ("private_equity", 0.2)]
    ]
    rows = [{"asset_class": "mixed_fund", "value": 100.0, "isin": "F"}, {"asset_class": "mixed_fund", "value": 100.0}]
    a = sheet(rows, lookthrough=funds)
    assert money(a) == pytest.approx({"listed_equity": 50, "gold": 30, "private_equity": 20, "mixed_fund": 100})
    assert a.buckets.set_index("bucket")["share"].to_dict() == pytest.approx(
        {"defensive": 0.15, "growth": 0.75, "offensive": 0.10}
    )
    t = a.limits.set_index(["limit", "sense"])
    assert t.loc[("group:equity", ">="), "value"] == pytest.approx((50 + 60) / 200)  # a mixed fund is 60% shares
    assert t.loc[("illiquid", "<="), "value"] == pytest.approx(0.10)
    assert a.holdings["bucket"].tolist() == ["growth", "growth"]  # the holding itself keeps its class
    assert a.holdings["weight"].tolist() == [0.5, 0.5]
    assert a.exposures.named.tolist() == [0, 0]


def test_a_fund_with_a_part_outside_the_buckets_counts_with_the_rest() -> None:
    funds = [{"fund_id": "F", "asset_class": c, "weight": w} for c, w in [("corporate_bond", 0.75), ("own_home", 0.25)]]
    rows = [{"asset_class": "corporate_bond", "value": 100.0, "isin": "F"}, {"asset_class": "deposit", "value": 25.0}]
    e = sheet(rows, lookthrough=funds).exposures
    assert (e.total[0], e.net_worth[0]) == (100.0, 125.0)
    assert e.weight.tolist() == [0.75, 0.25]
    assert e.named.tolist() == [75.0, 0.0]


def test_both_ways_of_summing_funds_agree() -> None:
    """Small books use one table of clients × mixes; where that would be too large it goes class by class."""
    f = load_framework()
    world = random_world(9, f)
    p, _ = build_positions(world.book(), f, on=ON)
    small = class_money(p)
    k = len(f.classes)
    assert len(p.mix_table) > k + 1
    many = replace(
        p, clients=pd.DataFrame(index=range(60_000)), mix_table=np.vstack([p.mix_table, np.zeros((1000, k))])
    )
    large = class_money(many)
    assert large[: len(p)] == pytest.approx(small, rel=1e-12)
    assert not large[len(p) :].any()
    assert small.sum() == pytest.approx((p.value * p.mix_table[p.mix].sum(axis=1)).sum())


def test_reserve_is_what_can_be_spent_within_days() -> None:
    """Deposits, money market, bills, savings bonds and gold; not insurance values or bonds."""
    a = analyze(make_book([(code, "x", code, 100.0) for code in load_framework().classes]), on=ON)
    counted = {c for c, amount in zip(a.client_ids, a.exposures.liquid, strict=True) if amount == 100.0}
    assert counted == {"deposit", "money_market", "treasury_bill", "savings_bond", "gold"}
    assert a.exposures.liquid.sum() == 500.0


@pytest.mark.parametrize(
    ("spending", "payment", "liquid", "months"),
    [
        (10.0, 0.0, 100.0, 10.0),
        (10.0, 120.0, 100.0, 5.0),
        (0.0, 120.0, 100.0, 10.0),
        (0.0, 0.0, 100.0, math.inf),
        (0.0, 0.0, 0.0, math.inf),
        (10.0, 0.0, 0.0, 0.0),
        (None, 120.0, 100.0, math.nan),
    ],
)
def test_months(spending: float | None, payment: float, liquid: float, months: float) -> None:
    rows = [{"asset_class": "deposit", "value": liquid}, {"asset_class": "listed_equity", "value": 1.0}]
    e = sheet(
        rows, client={"monthly_spending": spending}, debts=[{"client_id": "a", "value": 1.0, "annual_payment": payment}]
    ).exposures
    assert e.months[0] == pytest.approx(months, nan_ok=True)


def test_guarantees_count_to_the_own_company_and_to_nothing_else() -> None:
    rows = [
        {"asset_class": "private_business", "value": 60.0, "own_company": True},
        {"asset_class": "deposit", "value": 40.0},
    ]
    a, b = sheet(rows), sheet(rows, client={"guarantees": 15.0})
    assert (a.exposures.own_company[0], b.exposures.own_company[0]) == (60.0, 75.0)
    for name in ("total", "debt", "equity", "net_worth"):
        assert getattr(a.exposures, name)[0] == getattr(b.exposures, name)[0]
    assert a.risk.volatility[0] == b.risk.volatility[0]


def test_nothing_at_all() -> None:
    """A client known by name only, one with zeros, one with things outside the buckets."""
    rows = pd.DataFrame(
        [
            {"client_id": "z", "asset_id": "0", "asset_class": "deposit", "value": 0.0},
            {"client_id": "h", "asset_id": "1", "asset_class": "own_home", "value": 9.0},
        ]
    )
    who = [{"client_id": c, "risk_band": "balanced", "monthly_spending": 1.0} for c in ("e", "z", "h")]
    a = analyze(make_book(rows, who), on=ON)
    assert a.status.tolist() == ["empty"] * 3
    e = a.exposures
    assert e.total.tolist() == e.debt.tolist() == e.equity.tolist() == [0, 0, 0]
    assert e.net_worth.tolist() == [0, 0, 9]
    assert np.isnan(e.leverage).all()
    assert e.months.tolist() == [0, 0, 0]
    assert np.isnan(e.weight).tolist() == [True, True]
    assert not a.limit_table.exceeded.any()
    assert np.isfinite(a.concentration.score).all()


# ---- small pieces


@given(
    arrays(float, 6, elements=st.floats(-10, 10)),
    arrays(float, 6, elements=st.sampled_from([0.0, -0.0, np.nan, 2.0, -4.0])),
)
def test_ratio_divides_or_says_nan(top: np.ndarray, bottom: np.ndarray) -> None:
    out = ratio(top, bottom)
    for o, t, b in zip(out, top, bottom, strict=True):
        assert math.isnan(o) if b == 0 or math.isnan(b) else o == t / b


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.floats(0, 1e9), max_size=4), min_size=1, max_size=8))
def test_largest_of_each_client(groups: list[list[float]]) -> None:
    """Clients without holdings anywhere, at the front and at the end too."""
    rows = [(f"c{i}", f"A{j}", "deposit", 1.0) for i, g in enumerate(groups) for j in range(len(g))] or [
        ("other", "A", "deposit", 1.0)
    ]
    who = [{"client_id": f"c{i}", "risk_band": "C3"} for i in range(len(groups))]
    f = load_framework()
    p, _ = build_positions(make_book(rows, who), f, on=ON)
    amounts = np.array([v for g in groups for v in g] or [0.0])
    assert largest(p, amounts)[: len(groups)].tolist() == [max(g, default=0.0) for g in groups]


def test_weights_of_each_client_sum_to_one() -> None:
    f = load_framework()
    world = random_world(3, f)
    p, _ = build_positions(world.book(), f, on=ON)
    e = expose(p, f)
    sums = p.per_client(np.nan_to_num(e.weight))
    assert sums == pytest.approx(np.where(e.total > 0, 1.0, 0.0), abs=1e-12)
