"""Stress tables: a family by hand, every client in plain Python, and what must not change a result."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain
from small import USD, book_of, client, holding, run
from worlds import random_world

import allocator as al
from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.book import Book, read_book
from allocator.errors import ConfigError, InputError
from allocator.framework import load_framework
from allocator.limits import limit
from allocator.pipeline import analyze, rebalance
from allocator.scenarios import Scenario, load_scenarios, moves
from allocator.shocks import apply
from allocator.stresses import Stress, stress

STANDARD = load_scenarios()
MONEY = ["loss", "spent", "short", "equity", "net_worth"]
CRASH = {"crash": {"shocks": {"equity_fund": -0.5, "gold": 0.1, "investment_property": -0.2, "deposit": 0.0}}}


def only(found: Stress, scenario: str = "") -> dict[str, Any]:
    """The row of the only client in a scenario (default the first)."""
    s = found.summary
    (row,) = s[s["scenario"] == (scenario or found.names[0])].to_dict("records")
    return {str(k): v for k, v in row.items()}


# ---- by hand


def test_a_family_by_hand() -> None:
    """400 shares, 300 house, 100 gold, 200 deposit, own home 500; owing 150 on the shares and 250 on the home."""
    book = book_of(
        holding(asset_id="s", asset_class="equity_fund", value=400.0),
        holding(asset_id="h", asset_class="investment_property", value=300.0),
        holding(asset_id="g", asset_class="gold", value=100.0),
        holding(asset_id="d", asset_class="deposit", value=200.0),
        holding(asset_id="o", asset_class="own_home", value=500.0),
        clients=[client(monthly_spending=10.0)],
        debts=[
            {"client_id": "a", "value": 150.0, "annual_payment": 24.0},
            {"client_id": "a", "value": 250.0, "secured_by": "o"},
        ],
    )
    found = stress(run(book), CRASH)
    row = only(found)
    assert row["loss"] == pytest.approx(200 + 60 - 10)  # gold gains 10
    assert row["loss_share"] == pytest.approx(250 / 1000)
    assert row["loss_equity"] == pytest.approx(250 / 850)
    assert row["equity"] == pytest.approx(850 - 250)
    assert row["net_worth"] == pytest.approx(850 - 250 + 500 * 0.8 - 250)  # the home falls as houses do
    assert row["reserve_months"] == pytest.approx((200 + 110) / (10 + 2))
    assert (row["spent"], row["short"], row["insolvent"]) == (0.0, 0.0, False)
    losses = found.holdings.set_index("asset_id")["loss"]
    assert losses.to_dict() == pytest.approx({"s": 200.0, "h": 60.0, "g": -10.0, "d": 0.0, "o": 100.0})
    assert found.worst["scenario"].tolist() == ["crash"]


def test_frozen_markets_by_hand() -> None:
    """24 months of 10 from 60 deposits, 40 gold, 50 shares: 150 are paid, 90 are owed; the house cannot be sold."""
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="g", asset_class="gold", value=40.0),
        holding(asset_id="s", asset_class="equity_fund", value=50.0),
        holding(asset_id="h", asset_class="investment_property", value=850.0),
        holding(asset_id="i", asset_class="insurance_cash_value", value=30.0),
        holding(asset_id="p", asset_class="deposit", value=20.0, pledged=True),
        holding(asset_id="l", asset_class="equity_fund", value=25.0, locked_until="2030-01-01"),
    )
    found = stress(run(book))
    row = only(found, "frozen")
    assert (row["loss"], row["spent"], row["short"]) == pytest.approx((0.0, 150.0, 90.0))
    assert row["equity"] == row["net_worth"] == pytest.approx(1075 - 240)
    assert row["reserve_months"] == 0.0
    broken = found.limits[found.limits["scenario"] == "frozen"]
    reserve = broken[broken["limit"] == "reserve_months"].iloc[0]
    assert (reserve["today"], reserve["after"], reserve["bound"]) == pytest.approx((10.0, 0.0, 6.0))


def test_cash_is_spent_first() -> None:
    """Six months of 10 come from the deposits, the gold stays: months fall from 12 to 6."""
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="g", asset_class="gold", value=60.0),
        holding(asset_id="s", asset_class="equity_fund", value=880.0),
    )
    a = run(book)
    row = only(stress(a, {"x": {"frozen": True, "months": 6}}))
    assert (row["spent"], row["short"], row["reserve_months"]) == pytest.approx((60.0, 0.0, 6.0))
    half = only(stress(a, {"x": {"frozen": True, "months": 6, "spending_months": 3}}))
    assert (half["spent"], half["reserve_months"]) == pytest.approx((30.0, 9.0))


def test_where_markets_are_open_the_rest_is_sold_last() -> None:
    book = book_of(
        holding(asset_id="d", asset_class="deposit", value=60.0),
        holding(asset_id="h", asset_class="investment_property", value=940.0),
    )
    a = run(book)
    opened = only(stress(a, {"x": {"spending_months": 24}}))
    frozen = only(stress(a, {"x": {"spending_months": 24, "frozen": True}}))
    assert (opened["spent"], opened["short"]) == pytest.approx((240.0, 0.0))
    assert (frozen["spent"], frozen["short"]) == pytest.approx((60.0, 180.0))
    assert opened["equity"] == pytest.approx(frozen["equity"])


def test_the_own_industry_fails_by_hand() -> None:
    """The firm 500 and the loan to it 40 are gone; a share of its sector loses half of 100; 200 guaranteed are called.

    The pledged 30 pay first, then 60 deposits and 50 of the share: 60 stay owed.
    """
    book = book_of(
        holding(asset_id="f", asset_class="private_business", value=500.0, own_company=True, sector="Steel"),
        holding(asset_id="l", asset_class="shareholder_loan", value=40.0, own_company=True),
        holding(asset_id="s", asset_class="listed_equity", value=100.0, sector=" steel "),
        holding(asset_id="e", asset_class="equity_fund", value=0.0, sector="steel"),
        holding(asset_id="d", asset_class="deposit", value=60.0, sector="steel"),
        holding(asset_id="p", asset_class="deposit", value=30.0, pledged=True),
        holding(asset_id="h", asset_class="investment_property", value=270.0, sector="property"),
        clients=[client(guarantees=200.0)],
    )
    found = stress(run(book))
    row = only(found, "own_industry")
    assert row["loss"] == pytest.approx(500 + 40 + 50 + 200)
    assert row["short"] == pytest.approx(200 - 30 - 60 - 50)
    assert row["equity"] == row["net_worth"] == pytest.approx(1000 - 790)
    assert row["reserve_months"] == 0.0
    losses = found.holdings[found.holdings["scenario"] == "own_industry"].set_index("asset_id")["loss"]
    assert losses.to_dict() == pytest.approx({"f": 500, "l": 40, "s": 50, "e": 0, "d": 0, "p": 0, "h": 0})
    assert found.worst["scenario"].tolist() == ["own_industry"]


def test_a_sector_counts_only_where_it_is_that_of_the_own_company() -> None:
    rows = [
        holding(asset_id="f", asset_class="private_business", value=500.0, own_company=True, sector="steel"),
        holding(client_id="b", asset_id="s", asset_class="listed_equity", value=100.0, sector="steel"),
    ]
    found = stress(run(book_of(*rows, clients=[client(), client(client_id="b")])))
    s = found.summary[found.summary["scenario"] == "own_industry"].set_index("client_id")
    assert s["loss"].to_dict() == {"a": 500.0, "b": 0.0}


def test_dearer_debts_shorten_the_reserve() -> None:
    """1,200 owed cost 36 a year more: 3 a month on 10 + 2."""
    book = book_of(holding(value=2000.0), debts=[{"client_id": "a", "value": 1200.0, "annual_payment": 24.0}])
    a = run(book)
    assert a.exposures.months[0] == pytest.approx(2000 / 12)
    row = only(stress(a), "rates_up")
    assert (row["loss"], row["reserve_months"]) == pytest.approx((0.0, 2000 / 15))


def test_a_fund_is_looked_through_and_holds_something_else_afterwards() -> None:
    """60 of shares and 40 of gold become 30 and 44: the fund loses 26 of 100, and 44 of its 74 are gold."""
    book = book_of(
        holding(asset_id="F", asset_class="mixed_fund", value=100.0),
        holding(asset_id="d", asset_class="deposit", value=100.0),
        lookthrough=[
            {"fund_id": "F", "asset_class": "equity_fund", "weight": 0.6},
            {"fund_id": "F", "asset_class": "gold", "weight": 0.4},
        ],
    )
    own = limit("gold share", 0.5, counts=lambda facts: facts["asset_class"] == "gold")
    a = analyze(book, on=ON, limits=[own])
    found = stress(a, CRASH)
    assert only(found)["loss"] == pytest.approx(60 * 0.5 - 40 * 0.1)
    after = analyze(
        book_of(
            holding(asset_id="F", asset_class="mixed_fund", value=74.0),
            holding(asset_id="d", asset_class="deposit", value=100.0),
            lookthrough=[
                {"fund_id": "F", "asset_class": "equity_fund", "weight": 30 / 74},
                {"fund_id": "F", "asset_class": "gold", "weight": 44 / 74},
            ],
        ),
        on=ON,
    )
    assert only(found)["limits_exceeded"] == after.summary["limits_exceeded"].iloc[0]
    broken = set(after.limits.loc[after.limits["exceeded"], "limit"]) - set(a.limits.loc[a.limits["exceeded"], "limit"])
    assert set(found.limits["limit"]) == broken


def test_an_own_company_that_is_a_fund_falls_as_a_whole() -> None:
    """Half of it is gone, what is left is mixed as it was; the other client's fund is untouched."""
    rows = [
        holding(client_id=who, asset_id="F", asset_class="mixed_fund", value=100.0, own_company=own)
        for who, own in (("a", True), ("b", False))
    ]
    funds = [{"fund_id": "F", "asset_class": c, "weight": w} for c, w in (("equity_fund", 0.6), ("gold", 0.4))]
    a = run(book_of(*rows, clients=[client(), client(client_id="b")], lookthrough=funds))
    for said, expected in (
        ({"own_company": -0.5}, [50.0, 0.0]),
        ({"own_company": -0.5, "shocks": {"equity_fund": -0.5}}, [50.0, 30.0]),
    ):
        found = stress(a, {"x": {"gains": False} | said})
        assert found.summary["loss"].tolist() == pytest.approx(expected)


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


def figures(found: Stress) -> pd.DataFrame:
    return found.summary.astype({"scenario": "str"}).set_index(["client_id", "scenario"]).sort_index()


def alike(one: pd.DataFrame, two: pd.DataFrame, money: float = 1.0, tolerance: float = 1e-9) -> None:
    two = two.assign(**{c: two[c] / money for c in MONEY})
    pd.testing.assert_frame_equal(one, two, rtol=tolerance, atol=1e-6)


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


# ---- the sample book and real families, read as a banker


def test_the_guarantee_case(sampled: Stress) -> None:
    """38 million of firm and 25 million guaranteed: more than all; without the guarantee a third would be left."""
    rows = sampled.select("C009")["summary"].set_index("scenario")
    row = rows.loc["own_industry"]
    assert row["loss"] == 63_000_000
    assert row["insolvent"]
    assert row["reserve_months"] == 0.0
    assert row["short"] > 9e6
    assert row["net_worth"] > 17e6, "the home is still there"
    assert sampled.worst.set_index("client_id").loc["C009", "scenario"] == "own_industry"
    spared = Scenario.model_validate(STANDARD.scenarios["own_industry"].model_dump() | {"guarantees": 0.0})
    free = stress(sampled.analysis, {"x": spared}).select("C009")["summary"].iloc[0]
    assert free["equity"] / sampled.analysis.summary.set_index("client_id").loc["C009", "equity"] > 0.33
    assert free["reserve_months"] > 40


def test_the_leveraged_property_case(sampled: Stress) -> None:
    """27 million of flats on 18 million of debts: −30% takes nearly four fifths of the own money."""
    rows = sampled.select("C008")["summary"].set_index("scenario")
    assert rows.loc["china_property", "loss_share"] < 0.3 < rows.loc["china_property", "loss_equity"]
    assert 0.7 < rows.loc["china_property", "loss_equity"] < 0.85
    assert rows.loc["crash_1929", "insolvent"]
    assert rows.loc["rates_up", "reserve_months"] < 2 < rows.loc["own_industry", "reserve_months"]
    assert rows.loc["frozen", "short"] > 2e6


@pytest.fixture(scope="module")
def families(shared: Callable[[str], Path]) -> Analysis:
    return analyze(read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)


def test_467_families(families: Analysis) -> None:
    """Median losses of own money, as the report says them."""
    b = stress(families).book.set_index("scenario")
    expected = {
        "crash_1929": 0.509, "crash_1973": 0.251, "crash_2000": 0.243, "crash_2008": 0.319, "china_property": 0.156,
        "own_industry": 0.270, "rates_up": 0.147, "frozen": 0.0,
    }  # fmt: skip
    assert b["clients"].tolist() == [467] * 8
    assert b["loss_equity"].to_dict() == pytest.approx(expected, abs=0.0006)
    assert b.loc["frozen", "short"] == 162
    assert b.loc["own_industry", "worst"] + b.loc["crash_1929", "worst"] > 460


def test_one_client_of_tuples() -> None:
    book = make_book([("a", "fund", "equity_fund", 100.0)], [{"client_id": "a", "risk_band": "balanced"}])
    assert only(stress(analyze(book, on=ON)), "crash_2008")["loss"] == pytest.approx(36.55)
