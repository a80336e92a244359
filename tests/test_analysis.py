"""The analysis as a whole: what may never matter does not, tables agree, and real families come out right."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small import CLASSIC, run, same
from worlds import World, random_world

import allocator as al
from allocator.analysis import Analysis
from allocator.book import Book
from allocator.errors import ConfigError, InputError
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.shown import records_of

TABLES = ("summary", "buckets", "rules", "limits", "holdings")
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
seeds = st.integers(0, 10**6)


def world_of(seed: int) -> World:
    return random_world(seed, CLASSIC, clients=10)


# ---- what may never matter


@few
@given(seeds, st.randoms(use_true_random=False))
def test_order_of_rows_is_nothing(seed: int, random: Any) -> None:
    world = world_of(seed)
    before = run(world.book())
    for s in world.sheets:
        random.shuffle(s.holdings)
        random.shuffle(s.debts)
    random.shuffle(world.sheets)
    after = run(world.book())
    same(before, after)
    # of one asset in two accounts, the first in the file has the plain id
    for name, keys in {"holdings": ["client_id", "name", "value"], "buckets": ["client_id", "bucket"]}.items():
        one, two = (
            getattr(a, name).drop(columns=["row", "asset_id"], errors="ignore").sort_values(keys, ignore_index=True)
            for a in (before, after)
        )
        pd.testing.assert_frame_equal(one, two, rtol=1e-9)


@few
@given(seeds, st.sampled_from([2, 3, 7, 100]))
def test_scale_of_all_money_is_nothing(seed: int, factor: int) -> None:
    """Whole factors and no conversion, so that the cents stay cents."""
    world = world_of(seed)
    for s in world.sheets:
        for row in [*s.holdings, *s.debts]:
            row["currency"] = ""
    before = run(world.book())
    for s in world.sheets:
        s.spending, s.guarantees = round(s.spending * factor, 2), round(s.guarantees * factor, 2)
        for row in [*s.holdings, *s.debts]:
            for name in {"value", "annual_payment"} & set(row):
                row[name] = round(row[name] * factor, 2)
    same(before, run(world.book()))


@few
@given(seeds, st.sampled_from([1, 4, 20, 160]))
def test_unit_of_money_is_nothing(seed: int, per: int) -> None:
    """The same sheets in a currency of which ``per`` are worth one unit of the old: rows, reports, or both."""
    world = world_of(seed)
    for s in world.sheets:
        s.currency = "CNY"
        for row in [*s.holdings, *s.debts]:
            row["currency"] = "CNY"
    before = run(world.book())
    b = world.book()
    fx = pd.DataFrame({"currency": pd.Series(["CNY", "JPY"], dtype="str"), "rate": [1.0, 1 / per], "base": ""})
    rows = {
        "holdings": b.holdings.assign(currency="JPY", value=(b.holdings["value"] * per).round(2)),
        "debts": b.debts.assign(
            currency="JPY",
            value=(b.debts["value"] * per).round(2),
            annual_payment=(b.debts["annual_payment"] * per).round(2),
        ),
    }
    report = {
        "clients": b.clients.assign(
            currency="JPY",
            monthly_spending=(b.clients["monthly_spending"] * per).round(2),
            guarantees=(b.clients["guarantees"] * per).round(2),
        )
    }
    same(before, run(dataclasses.replace(b, fx=fx, **rows)))
    same(before, run(dataclasses.replace(b, fx=fx, **report)))
    same(before, run(dataclasses.replace(b, fx=fx, **rows, **report)))


@settings(few, max_examples=5)
@given(seeds)
def test_a_whole_book_is_its_clients_one_by_one(seed: int) -> None:
    book = world_of(seed).book()
    whole = run(book)
    for client in whole.client_ids:
        alone = run(book.client(client))
        assert alone.client_ids == [client]
        for name in TABLES:
            part = getattr(whole, name)
            part = part[part["client_id"] == client].reset_index(drop=True)
            pd.testing.assert_frame_equal(getattr(alone, name), part, rtol=1e-9, check_categorical=False)
        mine, theirs = (issues_of(a, client).sort_values(["code", "row"], ignore_index=True) for a in (whole, alone))
        pd.testing.assert_frame_equal(theirs, mine)


def issues_of(a: Analysis, client: str) -> pd.DataFrame:
    """Issues of one client; unknown spending is said once for the whole book."""
    t = a.issues
    return t[(t["client_id"] == client) & (t["code"] != "spending_unknown")].reset_index(drop=True)


def test_issues_of_a_client_come_in_the_order_of_their_rows_in_any_company() -> None:
    """A book in parts must give the same bytes as a whole one."""
    rows = [
        {"client_id": c, "asset_id": b, "asset_class": "deposit", "value": 1e6, "issuer": b}
        for c, banks in (("a", "YX"), ("b", "XYZ"))
        for b in banks
    ]
    whole = run(make_book(pd.DataFrame(rows)))
    for client in "ab":
        alone = run(make_book(pd.DataFrame(rows)).client(client))
        assert issues_of(whole, client)["row"].tolist() == issues_of(alone, client)["row"].tolist()
        assert issues_of(whole, client)["row"].is_monotonic_increasing


def test_a_client_does_not_change_with_the_company_they_keep(sample: Book) -> None:
    """Also the committed sample, with its two presets."""
    for preset in ("classic", "chhabra"):
        whole = analyze(sample, preset, on=ON)
        for client in whole.client_ids:
            alone = analyze(sample.client(client), preset, on=ON).summary.loc[0]
            pd.testing.assert_series_equal(alone, whole.summary.loc[whole.index(client)], check_names=False, rtol=1e-9)


@few
@given(seeds)
def test_inputs_are_never_changed(seed: int) -> None:
    book = world_of(seed).book()
    tables = [f.name for f in dataclasses.fields(book) if isinstance(getattr(book, f.name), pd.DataFrame)]
    kept = {t: getattr(book, t).copy(deep=True) for t in tables}
    a = analyze(book, "chhabra", on=ON, band="C2")
    for name in TABLES:
        frame = getattr(a, name)
        frame.iloc[:, 0] = "changed"  # not even a reader who writes into a result reaches the book
    for name, frame in kept.items():
        pd.testing.assert_frame_equal(getattr(book, name), frame)


def test_twice_gives_the_same(sample: Book) -> None:
    one, two = analyze(sample, on=ON), analyze(sample, on=ON)
    for name in (*TABLES, "issues"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


# ---- tables


@few
@given(seeds)
def test_tables_agree_with_each_other(seed: int) -> None:
    a = run(world_of(seed).book())
    s = a.summary.set_index("client_id")
    n = len(a)
    assert (len(a.buckets), len(a.rules), len(a.holdings)) == (
        n * 3,
        n * len(a.framework.rules),
        len(a.positions.value),
    )
    value = a.buckets.groupby("client_id")["value"].sum()
    assert value.reindex(s.index).tolist() == pytest.approx(s["total"].tolist(), rel=1e-9, abs=1e-6)
    share = a.buckets.groupby("client_id")["share"].sum().reindex(s.index)
    assert share.tolist() == pytest.approx(np.where(s["total"] > 0, 1.0, 0.0).tolist(), abs=1e-9)
    drift = a.buckets["share"] - a.buckets["target"]
    assert a.buckets["drift"].tolist() == pytest.approx(drift.tolist(), abs=1e-12, nan_ok=True)
    counted = a.limits.groupby("client_id")["exceeded"].sum().reindex(s.index, fill_value=0)
    assert counted.tolist() == s["limits_exceeded"].tolist()
    for b in a.framework.bucket_codes:
        of = a.buckets[a.buckets["bucket"] == b].set_index("client_id")["share"].reindex(s.index)
        assert of.tolist() == pytest.approx(s[b].tolist(), nan_ok=True)
    r = a.rules.assign(part=1 - a.rules["weight"] * a.rules["severity"]).groupby("client_id")["part"].prod()
    assert (100 * (1 - r)).reindex(s.index).tolist() == pytest.approx(s["score"].tolist(), abs=1e-9)


def test_bands_of_the_buckets_are_the_client_s() -> None:
    bands = ("conservative", "balanced", "aggressive")
    book = make_book([(b, "x", "deposit", 1.0) for b in bands], [{"client_id": b, "risk_band": b} for b in bands])
    t = run(book).buckets
    for b, band in load_framework().bands.items():
        got = t[t["client_id"] == b][["target", "low", "high"]].to_numpy().tolist()
        assert got == [[s.target, s.low, s.high] for s in band.buckets.values()]


def test_one_client_s_tables_and_what_is_no_client(sample: Book) -> None:
    a = analyze(sample, on=ON)
    one = a.select("C003")
    assert set(one) == {*TABLES, "issues"}
    for name in TABLES:
        assert set(one[name]["client_id"]) == {"C003"}
    assert len(one["holdings"]) == int((sample.holdings["client_id"] == "C003").sum())
    with pytest.raises(InputError) as caught:
        a.select("C00X")
    assert "C00X" not in str(caught.value)
    assert a.index("C003") == a.client_ids.index("C003")


def test_repr_counts_and_names_nobody(sample: Book) -> None:
    a = analyze(sample, on=ON)
    text = repr(a)
    assert f"{len(a)} clients, {len(sample.holdings)} holdings" in text
    for status, count in a.summary["status"].value_counts().items():
        assert f"{status} {count}" in text
    assert not [c for c in a.client_ids if c in text]


def test_wrong_arguments_are_named(sample: Book) -> None:
    with pytest.raises(ConfigError, match="clasic"):
        analyze(sample, "clasic")
    with pytest.raises(ConfigError, match="nothing"):
        analyze(sample, assumptions="nothing")


def test_concentration_indices_by_hand() -> None:
    """Shares of 50%, 20% and 30%, the first two of one class; what lies outside counts in neither."""
    rows = [
        ("a", "x", "listed_equity", 50.0),
        ("a", "y", "listed_equity", 20.0),
        ("a", "z", "deposit", 30.0),
        ("a", "h", "own_home", 900.0),
    ]
    c = run(make_book(rows)).concentration
    assert c.hhi_holding[0] == pytest.approx(0.25 + 0.04 + 0.09)
    assert c.hhi_class[0] == pytest.approx(0.49 + 0.09)


# ---- status


def test_status_of_every_kind_of_client() -> None:
    cases = {
        "fine": (
            [
                ("deposit", 250.0),
                ("bond_fund", 250.0),
                ("equity_fund", 280.0),
                ("money_market", 60.0),
                ("hedge_fund", 160.0),
            ],
            0.0,
            "C3",
        ),
        "over": ([("private_business", 100.0)], 0.0, "C3"),
        "broke": ([("deposit", 100.0)], 100.0, "C3"),
        "under water": ([("deposit", 100.0)], 100.01, "C3"),
        "hardly": ([("deposit", 100.0)], 99.99, "C3"),
        "home only": ([("own_home", 100.0)], 0.0, "C3"),
        "zero": ([("deposit", 0.0)], 0.0, "C3"),
        "nobody": ([("deposit", 100.0)], 0.0, "who knows"),
        "nobody broke": ([("deposit", 100.0)], 200.0, "who knows"),
    }
    rows = [(c, f"{k} {i}", k, v) for c, (holdings, _, _) in cases.items() for i, (k, v) in enumerate(holdings)]
    who = [{"client_id": c, "risk_band": band, "monthly_spending": 1.0} for c, (_, _, band) in cases.items()]
    who.append({"client_id": "no rows", "risk_band": "C3", "monthly_spending": 1.0})
    debts = [{"client_id": c, "value": d} for c, (_, d, _) in cases.items() if d]
    debts.append({"client_id": "only owes", "value": 1.0})
    a = analyze(make_book(rows, who, debts=debts), on=ON)
    assert dict(zip(a.client_ids, a.status.tolist(), strict=True)) == {
        "fine": "in_band",
        "over": "exceeded",
        "broke": "insolvent",
        "under water": "insolvent",
        "hardly": "exceeded",
        "home only": "empty",
        "zero": "empty",
        "nobody": "no_band",
        "nobody broke": "insolvent",
        "no rows": "empty",
        "only owes": "insolvent",
    }
    s = a.summary.set_index("client_id")
    for client in ("broke", "under water", "only owes"):
        assert s.loc[client, ["leverage", "volatility", "expected_return"]].isna().all(), client
    assert s.loc["hardly", "leverage"] == pytest.approx(100 / 0.01)


def test_rows_of_a_client_are_those_of_the_frames(sample: Book) -> None:
    """Rows from values made once are rows of the frame, in order, also where a client has none or a table is new."""
    plan = al.rebalance(al.analyze(sample, on=ON))
    results = (plan, plan.before, al.stress(plan.before), al.household(plan.before), al.measure_risk(plan.before))
    for result in results:
        for client in result.client_ids:
            part, frames = result.part(client), result.select(client)
            assert list(part) == list(frames)
            for name in part:
                if name in ("before", "after"):
                    continue
                pd.testing.assert_frame_equal(part[name], frames[name])
                # repr: NaN is NaN
                assert repr(part.rows(name)) == repr(records_of(frames[name])), name
    part = plan.part("C001")
    part.rows("trades").append({})
    part.rows("trades")[0]["name"] = "changed"
    assert {} not in part.rows("trades")
    assert part.rows("trades")[0]["name"] != "changed"
    with pytest.raises(KeyError):
        part["nothing"]
