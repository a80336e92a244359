"""Stresses once more in plain Python, client by client; and what must not change them: order, unit, currency."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain
from small import USD, book_of, client, holding, run
from stress_cases import CRASH, MONEY, STANDARD, alike, figures
from worlds import random_world

from allocator.book import Book
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.scenarios import Scenario, moves
from allocator.stresses import Stress, stress

# ---- every client in plain Python


def plainly(me: Plain, s: Scenario, shock: dict[str, float]) -> dict[str, float]:
    """Loss, equity, months and bills of one client, row by row."""
    f, rows = me.f, me.rows
    own = {r["sector"].strip() for r in rows if r["sector"].strip() and r["value"] > 0 and (r["own"])}
    outside, left, loss = 0.0, [], 0.0
    for r in rows:
        after = r["value"] * (sum(w * (1 + shock[c]) for c, w in r["mix"].items()) if r["mix"] else 1.0)
        inside_after = r["value"] * sum(w * (1 + shock[c]) for c, w in r["mix"].items() if me._inside(c))
        named = bool(r["code"]) and f.classes[r["code"]].name_limits
        if s.own_sector is not None and named and not r["own"] and r["sector"].strip() in own:
            after, inside_after = (
                min(x, y * (1 + s.own_sector)) for x, y in ((after, r["value"]), (inside_after, r["inside"]))
            )
        if s.own_company is not None and r["own"]:
            after, inside_after = (y * (1 + s.own_company) for y in (r["value"], r["inside"]))
        loss += r["inside"] - inside_after
        left.append(r | {"after": after, "outside": 1 - inside_after / after if after else 0.0})
    debts = sum(me._convert(d["value"], d["currency"]) for d in me.sheet.debts)
    service = sum(me._convert(d["annual_payment"], d["currency"]) for d in me.sheet.debts) + s.debt_rate * debts
    need = me.sheet.spending + service / 12

    def pay(due: float, tests: list[Callable[[dict[str, Any]], bool]]) -> float:
        nonlocal outside
        for test in tests:
            chosen = [r for r in left if r["code"] and test(r)]
            there = sum(r["after"] for r in chosen)
            take = min(due, there)
            for r in chosen:  # what own-use parts of funds bring pays bills as well
                outside += r["outside"] * r["after"] * (take / there if there else 0.0)
                r["after"] *= 1 - take / there if there else 1.0
            due -= take
        return due

    def kind(r: dict[str, Any]) -> Any:
        return f.classes[r["code"]]

    liquid: list[Callable[[dict[str, Any]], bool]] = [
        lambda r: r["free"] and me._liquid(r["code"]) and kind(r).liquidity == "cash" and not me._costs(r["code"]),
        lambda r: r["free"] and me._liquid(r["code"]),
        lambda r: r["free"] and me._inside(r["code"]) and kind(r).liquidity in ("cash", "liquid"),
    ]
    called = s.guarantees * me.sheet.guarantees
    short = pay(called, [lambda r: r["pledged"] and me._inside(r["code"]), *liquid])
    due = s.spending * need if s.spending else 0.0
    if not math.isnan(due):
        rest: list[Callable[[dict[str, Any]], bool]] = (
            [] if s.frozen else [lambda r: r["free"] and me._inside(r["code"])]
        )
        short += pay(due, [*liquid, *rest])
    reserve = sum(r["after"] for r in left if r["code"] and r["free"] and me._liquid(r["code"]))
    months = math.inf if need == 0 else reserve / need
    unknown = math.nan if math.isnan(due) else 0.0
    return {
        "loss": loss + called,
        "equity": me.equity - loss - called - due + outside,
        "short": short + unknown,
        "reserve_months": months,
    }


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
@pytest.mark.parametrize("seed", range(3))
def test_every_client_is_a_plain_computation(seed: int, preset: str) -> None:
    f = load_framework(preset)
    world = random_world(seed, f, clients=40)
    a = analyze(world.book(), f, on=ON)
    mixed = {"shocks": {"equity_fund": -0.4, "gold": 0.3}, "own_company": -0.7, "own_sector": -0.5, "guarantees": 0.5}
    more = {"mixed": mixed | {"debt_rate": 0.02, "spending_months": 5.0}}
    found = stress(a, {**STANDARD.scenarios, **more})
    assert isinstance(found.scenarios.scenarios["mixed"], Scenario)
    summary = found.summary.set_index(["client_id", "scenario"])
    checked = 0
    for name, s in found.scenarios.scenarios.items():
        shock = dict(zip(f.class_codes, moves(f, a.assumptions, s).shock.tolist(), strict=True))
        for sheet in world.sheets:
            if sheet.client_id not in a.client_ids:
                continue
            me = Plain(sheet, world)
            for h, r in zip(sheet.holdings, me.rows, strict=True):
                r["pledged"] = h["pledged"]
            expected, row = plainly(me, s, shock), summary.loc[(sheet.client_id, name)]
            for column, value in expected.items():
                assert row[column] == pytest.approx(value, rel=1e-9, abs=1e-6, nan_ok=True), (name, column)
            checked += row["loss"] != 0
            assert row["loss_share"] == pytest.approx(
                expected["loss"] / me.total if me.total else math.nan, rel=1e-9, abs=1e-12, nan_ok=True
            )
            assert math.isnan(row["loss_equity"]) == (me.equity <= 0)
    assert checked > 100


def test_limits_are_those_of_the_book_that_is_left(sample: Book) -> None:
    """Holdings multiplied by hand and analysed anew: the same limits, risk apart from nothing."""
    a = analyze(sample, on=ON)
    found = stress(a, CRASH)
    shock = dict(zip(a.framework.class_codes, found.moves["crash"].shock, strict=True))
    factor = a.positions.holdings["asset_class"].map(lambda c: 1.0 + shock.get(str(c), 0.0)).to_numpy()
    keys = a.positions.holdings["client_id"] + "/" + a.positions.holdings["asset_id"]
    by = dict(zip(keys, factor, strict=True))
    h = sample.holdings
    left = h.assign(value=h["value"] * (h["client_id"] + "/" + h["asset_id"]).map(by))
    then = analyze(Book(**{**sample.__dict__, "holdings": left}), on=ON)
    s = found.summary.set_index("client_id").reindex(then.client_ids)
    assert s["limits_exceeded"].tolist() == then.summary["limits_exceeded"].tolist()
    assert s["equity"].tolist() == pytest.approx(then.summary["equity"].tolist(), abs=1.0)
    assert s["reserve_months"].tolist() == pytest.approx(then.summary["reserve_months"].tolist(), rel=1e-6, nan_ok=True)
    today = set(map(tuple, a.limits.loc[a.limits["exceeded"], ["client_id", "limit", "sense"]].to_numpy()))
    over = then.limits[then.limits["exceeded"]]
    new = {tuple(x): v for x, v in zip(over[["client_id", "limit", "sense"]].to_numpy(), over["value"], strict=True)}
    new = {k: v for k, v in new.items() if k not in today}
    rows = found.limits
    told = {tuple(x): v for x, v in zip(rows[["client_id", "limit", "sense"]].to_numpy(), rows["after"], strict=True)}
    assert set(told) == set(new)
    assert len(told) > 3
    for key, value in told.items():
        assert value == pytest.approx(new[key], rel=1e-6)
    assert s["limits_new"].sum() == len(told)


# ---- what must not change a result


@pytest.fixture(scope="module")
def sampled(sample: Book) -> Stress:
    return stress(analyze(sample, on=ON))


def test_a_shuffled_book_gives_the_same(sample: Book, sampled: Stress) -> None:
    rng = np.random.default_rng(1)
    tables = {t: getattr(sample, t) for t in ("holdings", "clients", "debts")}
    mixed = {t: x.iloc[rng.permutation(len(x))].reset_index(drop=True) for t, x in tables.items()}
    other = stress(analyze(Book(**{**sample.__dict__, **mixed}), on=ON))
    alike(figures(sampled), figures(other))
    order = ["client_id", "scenario", "limit"]
    pd.testing.assert_frame_equal(
        sampled.limits.sort_values(order, ignore_index=True), other.limits.sort_values(order, ignore_index=True)
    )


def test_clients_one_by_one_give_the_same(sample: Book, sampled: Stress) -> None:
    parts = [stress(analyze(sample.client(c), on=ON)) for c in sampled.analysis.client_ids]
    alike(figures(sampled), figures(sampled.__class__(
        sampled.analysis, sampled.scenarios, sampled.moves, pd.concat([p.summary for p in parts]), sampled.limits
    )))  # fmt: skip
    pd.testing.assert_frame_equal(sampled.limits, pd.concat([p.limits for p in parts], ignore_index=True))
    pd.testing.assert_frame_equal(sampled.worst, pd.concat([p.worst for p in parts], ignore_index=True))
    pd.testing.assert_frame_equal(
        sampled.holdings.astype({"scenario": "str"}),
        pd.concat([p.holdings.astype({"scenario": "str"}) for p in parts], ignore_index=True),
    )


@settings(max_examples=8, deadline=None)
@given(st.sampled_from([0.01, 3.0, 1000.0]), st.integers(0, 50))
def test_the_unit_of_money_does_not_matter(scale: float, seed: int) -> None:
    def at(factor: float) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        codes = list(load_framework().classes)
        rows = [
            holding(
                asset_id=str(i), asset_class=codes[rng.integers(len(codes))], value=factor * 100 * rng.integers(1, 90)
            )
            for i in range(8)
        ]
        people = [client(monthly_spending=100.0 * factor, guarantees=700.0 * factor)]
        return figures(stress(run(book_of(*rows, clients=people, debts=[{"client_id": "a", "value": 500.0 * factor}]))))

    one, two = at(1.0), at(scale)
    two = two.assign(**{c: two[c] / scale for c in MONEY})
    pd.testing.assert_frame_equal(one, two, rtol=1e-6, atol=1e-4)


def test_the_currency_does_not_matter() -> None:
    rows = [holding(asset_id="s", asset_class="listed_equity", value=700.0), holding(asset_id="d", value=70.0)]
    home = stress(run(book_of(*rows)))
    away = [r | {"value": r["value"] / 7, "currency": "USD"} for r in rows]
    found = stress(run(book_of(*away, clients=[client()], fx=USD)))
    alike(figures(home), figures(found))
