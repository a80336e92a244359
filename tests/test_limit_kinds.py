"""Labels, losses, tracking, cash and budgets: by hand, and what may not matter."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, ROOT, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_world

from allocator.analysis import Analysis
from allocator.assumptions import RiskTable, load_assumptions, risk_table
from allocator.framework import Framework, load_framework
from allocator.limits import budgets, limit_list
from allocator.pipeline import analyze
from allocator.risk import shortfall

EVERY = load_framework(ROOT / "data" / "frameworks" / "every_limit.toml")
FX = [{"currency": "USD", "rate": 7.0}, {"currency": "EUR", "rate": 8.0}]


def sheet(*rows: dict[str, Any], framework: Framework = EVERY, **client: Any) -> Analysis:
    """Analysis of one balanced client; every row is 10 of listed shares unless it says otherwise."""
    frame = pd.DataFrame(
        [{"client_id": "a", "asset_id": f"A{i}", "asset_class": "listed_equity", "value": 10.0, **r}
         for i, r in enumerate(rows)]
    )  # fmt: skip
    who = {"client_id": "a", "risk_band": "balanced", "monthly_spending": 1.0, **client}
    debts = [{"client_id": "a", "value": who.pop("debt", 0.0)}]
    return analyze(make_book(frame, [who], fx=FX, debts=debts), framework, on=ON)


def row(a: Analysis, name: str, sense: str = "<=") -> tuple[float, float, float]:
    t = a.limits.set_index(["limit", "sense"]).loc[(name, sense)]
    return float(t["value"]), float(t["bound"]), float(t["excess"])


# ---- labels


def test_a_sector_is_one_however_it_is_written_and_a_blank_one_counts_to_none() -> None:
    a = sheet({"sector": "Technology"}, {"sector": " technology "}, {"sector": "TECHNOLOGY"}, {"sector": ""},
              {"sector": "banks"}, {"sector": ""})  # fmt: skip
    assert row(a, "sector") == pytest.approx((0.5, 0.4, 0.1))


def test_every_label_over_the_bound_counts() -> None:
    a = sheet(*[{"sector": "x"}] * 4, *[{"sector": "y"}] * 5)
    assert row(a, "sector") == pytest.approx((5 / 9, 0.4, 4 / 9 + 5 / 9 - 0.8))


def test_what_lies_outside_the_buckets_has_no_label() -> None:
    a = sheet({"sector": "x", "asset_class": "own_home", "value": 1e6}, {"sector": "y"}, {"sector": ""})
    assert row(a, "sector")[0] == 0.5


def test_home_is_no_foreign_country_and_no_foreign_currency() -> None:
    rows = [
        {"country": "CN"},
        {"country": "cn", "currency": "CNY"},
        {"country": "US", "currency": "USD", "value": 10 / 7},
        {"country": "", "currency": "EUR", "value": 10 / 8},
        {"country": "HK"},
    ]
    cny, usd = sheet(*rows, currency="CNY"), sheet(*rows, currency="USD")
    assert row(cny, "country")[0] == pytest.approx(0.2, abs=1e-3)
    assert row(cny, "currency")[0] == pytest.approx(0.2, abs=1e-3)
    assert cny.holdings["currency"].tolist() == ["CNY", "CNY", "USD", "EUR", "CNY"]
    total = usd.exposures.total[0]
    assert row(usd, "country")[0] == pytest.approx((10 + 10 / 7) / total, abs=1e-3)  # China is abroad for dollars
    assert row(usd, "currency")[0] == pytest.approx(10 / 7 / total, abs=1e-3)  # the rows without one are dollars too


def test_a_currency_without_a_home_has_every_country_abroad() -> None:
    a = sheet({"country": "DE"}, {"country": "DE"}, {"country": ""}, currency="EUR")
    assert row(a, "country")[0] == pytest.approx(2 / 3)


def test_nobody_names_a_label() -> None:
    a = sheet({}, {})
    for name in ("sector", "country", "currency"):
        assert row(a, name)[0] == 0
        assert row(a, name)[2] == 0


# ---- losses


def tables() -> RiskTable:
    return risk_table(EVERY, load_assumptions())


def test_shortfall_by_hand() -> None:
    """Ten scenarios of one class; the worst quarter is two and a half of them."""
    from dataclasses import replace

    gains = np.array([[0.3], [-0.5], [0.1], [-0.2], [-0.1], [0.0], [0.2], [0.4], [0.05], [-0.3]])
    table = replace(tables(), scenarios=gains, level=0.75)
    assert shortfall(np.array([[100.0], [0.0]]), table) == pytest.approx([100 * (0.5 + 0.3 + 0.5 * 0.2) / 2.5, 0.0])
    assert shortfall(np.array([[100.0]]), replace(table, level=0.95)) == pytest.approx([50.0])  # half a scenario
    assert shortfall(np.array([[100.0]]), replace(table, level=0.9)) == pytest.approx([50.0])
    assert shortfall(np.array([[100.0]]), replace(table, scenarios=gains + 1)) < 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.02, 0.98))
def test_shortfall_is_the_least_of_rockafellar_and_uryasev(seed: int, level: float) -> None:
    """Also by the linear programme: the most that weights up to 1 / ((1 − level) S) that sum to 1 can lose."""
    from dataclasses import replace

    from scipy.optimize import linprog

    rng = np.random.default_rng(seed)
    gains, money = rng.normal(size=(37, 4)), rng.exponential(size=(3, 4))
    found = shortfall(money, replace(tables(), scenarios=gains, level=level))
    for have, x in zip(found, money, strict=True):
        loss = -gains @ x
        most = linprog(-loss, A_eq=np.ones((1, 37)), b_eq=[1.0], bounds=(0, max(1 / ((1 - level) * 37), 1 / 37)))
        assert have == pytest.approx(-most.fun if (1 - level) * 37 >= 1 else loss.max(), rel=1e-9)


def test_parts_of_a_book_have_the_shortfalls_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large books go in pieces, so that the scenarios of all clients are never held at once."""
    money = np.random.default_rng(1).exponential(size=(50, len(EVERY.classes)))
    whole = shortfall(money, tables())
    monkeypatch.setattr("allocator.risk.CELLS", 700)
    assert np.allclose(shortfall(money, tables()), whole, rtol=1e-13)  # products of other shapes round another way


def test_a_loss_is_of_own_money_and_debts_make_it_heavier() -> None:
    plain, owing, broke = (sheet({}, {"asset_class": "deposit"}, debt=d) for d in (0.0, 10.0, 20.0))
    loss, _, _ = row(plain, "cvar")
    assert 0 < loss < 0.5
    assert row(owing, "cvar")[0] == pytest.approx(2 * loss)
    assert row(owing, "cvar")[2] == pytest.approx(max(loss - 0.20 * 0.5, 0))
    assert math.isnan(row(broke, "cvar")[0])
    assert row(broke, "cvar")[2] == pytest.approx(loss)


def test_a_fund_loses_as_what_is_in_it() -> None:
    a = sheet({"asset_class": "mixed_fund"})
    b = sheet({"asset_class": "equity_fund", "value": 6.0}, {"asset_class": "bond_fund", "value": 4.0})
    assert row(a, "cvar")[0] == pytest.approx(row(b, "cvar")[0], rel=1e-9)


# ---- tracking


def test_the_model_itself_tracks_but_for_the_part_of_single_holdings() -> None:
    model = EVERY.bands["balanced"].model
    rows = [{"asset_class": c, "value": 100.0 * w} for c, w in model.items()]
    own = [load_assumptions().classes[c].idiosyncratic * w for c, w in model.items()]
    assert row(sheet(*rows), "tracking")[0] == pytest.approx(math.sqrt(sum(x**2 for x in own)), rel=1e-12)


def test_tracking_by_hand() -> None:
    f, model = EVERY, EVERY.bands["balanced"].model
    w = np.array([float(c == "listed_equity") - model.get(c, 0.0) for c in f.class_codes])
    own = load_assumptions().classes["listed_equity"].idiosyncratic
    expected = math.sqrt(w @ tables().covariance @ w + own**2)
    assert row(sheet({}), "tracking") == pytest.approx((expected, 0.06, expected - 0.06))
    two = math.sqrt(w @ tables().covariance @ w + own**2 / 2)
    assert row(sheet({}, {}), "tracking")[0] == pytest.approx(two)


def test_a_band_without_a_model_has_no_tracking(tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text(
        'extends = "classic"\n[bands.balanced]\nlimits = { tracking = 0.1 }\nmodel = { deposit = 1.0 }\n', "utf-8"
    )
    f = load_framework(path)
    assert row(sheet({}, framework=f), "tracking")[0] > 0.3
    a = sheet({}, framework=f, risk_band="aggressive")
    assert "tracking" not in set(a.limits["limit"])
    assert np.isnan(a.limit_table.value[0, [x.name for x in a.limit_table.limits].index("tracking")])


# ---- cash, floors, budgets


def test_cash_has_a_floor_and_a_cap() -> None:
    a = sheet({"asset_class": "deposit", "value": 3.0}, {"asset_class": "money_market", "value": 1.0},
              {"asset_class": "treasury_bill", "value": 96.0})  # fmt: skip
    assert row(a, "cash", ">=") == pytest.approx((0.04, 0.05, 0.01))
    assert row(a, "cash") == pytest.approx((0.04, 0.45, 0.0))
    b = sheet({"asset_class": "deposit", "value": 60.0}, {"asset_class": "gold", "value": 40.0})
    assert row(b, "cash") == pytest.approx((0.6, 0.45, 0.15))
    assert row(b, "class:gold", ">=")[2] == 0


def test_a_bucket_with_two_floors_is_one_limit(tmp_path: Path) -> None:
    path = tmp_path / "twice.toml"
    path.write_text(
        'extends = "classic"\n[bands.balanced]\nfloors = { "bucket:growth" = 0.40, "group:gold" = 0.03, cash = 0.0 }\n'
        '[bands.conservative]\nfloors = { "bucket:growth" = 0.10 }\n',
        "utf-8",
    )
    names = {x.key: x for x in limit_list(load_framework(path))}
    assert names["bucket:growth>="].bounds == (0.25, 0.40, 0.35)  # the tighter one of the two
    assert np.array_equal(names["group:gold>="].bounds, (math.nan, 0.03, math.nan), equal_nan=True)
    assert "cash>=" not in names  # a floor of nothing is none
    assert names["group:gold>="].family == "band"


def test_budgets_are_no_limits_of_a_balance_sheet() -> None:
    assert {b.name: b.bounds for b in budgets(EVERY)} == {"turnover": (0.5, 0.5, 0.6), "cost": (0.02, 0.03, 0.04)}
    assert not {"turnover", "cost"} & {x.name for x in limit_list(EVERY)}


def test_order_of_mending_of_the_further_limits() -> None:
    family = {x.key: x.family for x in limit_list(EVERY)}
    assert [family[f"{n}<="] for n in ("cvar", "tracking", "sector", "country", "currency", "cash")] == [
        "risk", "risk", "concentration", "concentration", "concentration", "concentration",
    ]  # fmt: skip


# ---- what may not matter


def test_a_client_alone_is_measured_as_in_company() -> None:
    world = random_world(11, EVERY, clients=12)
    book = world.book()
    whole = analyze(book, EVERY, on=ON)
    for i, client in enumerate(whole.client_ids):
        alone = analyze(book.client(client), EVERY, on=ON)
        for name in ("value", "bound", "excess"):
            one, two = getattr(alone.limit_table, name)[0], getattr(whole.limit_table, name)[i]
            assert one == pytest.approx(two, rel=1e-9, abs=1e-12, nan_ok=True), name


def test_an_empty_client_has_no_share_of_anything() -> None:
    book = make_book([("a", "x", "deposit", 1.0)], [{"client_id": c, "risk_band": "balanced"} for c in ("a", "e")])
    a = analyze(book, EVERY, on=ON)
    names = [x.name for x in a.limit_table.limits]
    e = a.limit_table.value[1]
    assert np.isnan([e[names.index(n)] for n in ("sector", "cash", "cvar", "tracking", "volatility")]).all()
    assert not a.limit_table.exceeded[1].any()
    c = a.concentration
    assert np.isnan([c.hhi_holding[1], c.hhi_class[1]]).all()
    assert (c.hhi_holding[0], c.hhi_class[0]) == (1.0, 1.0)
