"""Volatility and expected return: client by client with plain numpy, and closed forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Plain, covariance
from worlds import random_world

from allocator.assumptions import load_assumptions
from allocator.framework import load_framework
from allocator.pipeline import analyze

ASSUMED = load_assumptions()


def sigma(*rows: tuple[str, float], debt: float = 0.0, assumptions: Any = None, **tables: Any) -> Any:
    """Risk of one client with holdings of these classes."""
    frame = pd.DataFrame(
        [{"client_id": "a", "asset_id": f"A{i}", "asset_class": c, "value": v} for i, (c, v) in enumerate(rows)]
    )
    debts = {"debts": [{"client_id": "a", "value": debt}]} if debt else {}
    book = make_book(frame, [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1.0}], **debts, **tables)
    return analyze(book, assumptions=assumptions, on=ON)


def facts(code: str) -> tuple[float, float]:
    """Systematic and own volatility of a class with one factor."""
    c = ASSUMED.classes[code]
    ((name, beta),) = c.loadings.items()
    return beta * ASSUMED.factors[name].volatility, c.idiosyncratic


def correlation(a: str, b: str) -> float:
    order = ASSUMED.correlation.order
    return ASSUMED.correlation.rows[order.index(a)][order.index(b)]


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
@pytest.mark.parametrize("seed", range(3))
def test_risk_of_each_client_is_a_plain_computation(seed: int, preset: str) -> None:
    f = load_framework(preset)
    world = random_world(seed, f, clients=40)
    a = analyze(world.book(), f, on=ON)
    finite = 0
    for i, p in enumerate(Plain(s, world) for s in world.sheets):
        s_total = p.sigma_money / p.total if p.total else math.nan
        s = p.total / p.equity * s_total if p.equity > 0 else math.nan  # λ σ_T with λ = T / E
        assert a.risk.volatility_total[i] == pytest.approx(s_total, rel=1e-9, nan_ok=True)
        assert a.risk.volatility[i] == pytest.approx(s, rel=1e-9, nan_ok=True)
        assert a.risk.expected_return[i] == pytest.approx(p.expected_return, rel=1e-9, nan_ok=True)
        finite += not math.isnan(s)
    assert finite > 15


@pytest.mark.parametrize("code", list(load_framework().classes))
def test_one_holding_has_the_volatility_of_its_class(code: str) -> None:
    f = load_framework()
    k = f.class_codes.index(code)
    variance = covariance(f, ASSUMED)[k, k] + ASSUMED.classes[code].idiosyncratic ** 2
    a = sigma((code, 123.45))
    inside = f.classes[code].bucket != "own_use"
    assert a.risk.volatility_total[0] == pytest.approx(
        math.sqrt(variance) if inside else math.nan, abs=1e-12, nan_ok=True
    )


def test_two_assets_in_closed_form() -> None:
    """σ² = a²(s₁² + i₁²) + b²(s₂² + i₂²) + 2ab ρ s₁s₂."""
    pairs = [
        ("listed_equity", "equity", "gold", "gold"),
        ("private_business", "private_equity", "government_bond", "bond"),
        ("investment_property", "property", "hedge_fund", "hedge"),
    ]
    for one, f1, two, f2 in pairs:
        (s1, i1), (s2, i2), rho = facts(one), facts(two), correlation(f1, f2)
        for a in (0.0, 0.25, 0.6, 1.0):
            b = 1 - a
            expected = math.sqrt(a**2 * (s1**2 + i1**2) + b**2 * (s2**2 + i2**2) + 2 * a * b * rho * s1 * s2)
            assert sigma((one, 1000 * a), (two, 1000 * b)).risk.volatility[0] == pytest.approx(expected, rel=1e-12)


def test_two_shares_are_steadier_than_one_and_many_tend_to_the_market() -> None:
    s, own = facts("listed_equity")
    for n in (1, 2, 10, 100):
        found = sigma(*[("listed_equity", 10.0)] * n).risk.volatility[0]
        assert found == pytest.approx(math.sqrt(s**2 + own**2 / n), rel=1e-12)


def test_debt_multiplies_by_total_over_equity() -> None:
    s, own = facts("listed_equity")
    for debt in (0.0, 25.0, 50.0, 99.0):
        a = sigma(("listed_equity", 60.0), ("deposit", 40.0), debt=debt)
        asset = 0.6 * math.sqrt(s**2 + own**2)
        assert a.risk.volatility_total[0] == pytest.approx(asset, rel=1e-12)
        assert a.exposures.leverage[0] == pytest.approx(100 / (100 - debt))
        assert a.risk.volatility[0] == pytest.approx(asset * 100 / (100 - debt), rel=1e-12)
        cash, equity = ASSUMED.classes["deposit"].expected_return, ASSUMED.factors["equity"].mean
        gain = 60 * equity + 40 * (cash or 0.0) - ASSUMED.borrowing_rate * debt
        assert a.risk.expected_return[0] == pytest.approx(gain / (100 - debt), rel=1e-12)


@pytest.mark.parametrize("debt", [100.0, 150.0])
def test_without_money_of_one_s_own_there_is_no_volatility_of_it(debt: float) -> None:
    a = sigma(("listed_equity", 100.0), debt=debt)
    assert a.status.tolist() == ["insolvent"]
    assert a.risk.volatility_total[0] > 0.3
    assert np.isnan([a.risk.volatility[0], a.risk.expected_return[0], a.exposures.leverage[0]]).all()


def test_what_is_at_par_or_outside_has_no_risk() -> None:
    assert (
        sigma(
            ("deposit", 5.0), ("money_market", 5.0), ("savings_bond", 1.0), ("insurance_cash_value", 1.0)
        ).risk.volatility[0]
        == 0
    )
    base = sigma(("listed_equity", 10.0), ("deposit", 10.0)).risk.volatility[0]
    more = sigma(
        ("listed_equity", 10.0), ("deposit", 10.0), ("own_home", 1e6), ("vehicle", 1e5), ("mystery", 1e6)
    ).risk.volatility[0]
    assert more == base


def test_a_fund_has_the_factors_of_what_it_holds_and_its_own_part() -> None:
    """Half shares, half gold, held as a mixed fund: the classes inside move it, the fund itself adds its own part."""
    funds = [{"fund_id": "A0", "asset_class": c, "weight": 0.5} for c in ("listed_equity", "gold")]
    (s1, _), (s2, _), rho = facts("listed_equity"), facts("gold"), correlation("equity", "gold")
    own = ASSUMED.classes["mixed_fund"].idiosyncratic
    systematic = 0.25 * s1**2 + 0.25 * s2**2 + 0.5 * rho * s1 * s2
    a = sigma(("mixed_fund", 80.0), ("deposit", 20.0), lookthrough=funds)
    assert a.risk.volatility[0] == pytest.approx(0.8 * math.sqrt(systematic + own**2), rel=1e-12)
    mean = 0.4 * (ASSUMED.factors["equity"].mean + ASSUMED.factors["gold"].mean) + 0.2 * 0.0234
    assert a.risk.expected_return[0] == pytest.approx(mean, rel=1e-12)


def test_a_class_may_borrow_the_assumptions_of_another() -> None:
    rows = pd.DataFrame([{"client_id": "a", "asset_id": "x", "asset_class": "concentrated_stock", "value": 10.0}])
    s, own = facts("listed_equity")
    assert analyze(make_book(rows), "chhabra", on=ON).risk.volatility[0] == pytest.approx(math.hypot(s, own), rel=1e-12)


def test_other_assumptions_give_other_figures(tmp_path: Path) -> None:
    path = tmp_path / "calm.toml"
    path.write_text(
        'extends = "long_run"\nborrowing_rate = 0.10\n[factors.equity]\nvolatility = 0.08\nmean = 0.05\n', "utf-8"
    )
    own = ASSUMED.classes["listed_equity"].idiosyncratic
    a = sigma(("listed_equity", 100.0), debt=50.0, assumptions=path)
    assert a.risk.volatility[0] == pytest.approx(2 * math.hypot(0.08, own), rel=1e-12)
    assert a.risk.expected_return[0] == pytest.approx((100 * 0.05 - 50 * 0.10) / 50, abs=1e-15)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(load_framework().class_codes), st.integers(0, 10**9)), min_size=1, max_size=8)
)
def test_volatility_is_between_nothing_and_the_sum_of_its_parts(rows: list[tuple[str, int]]) -> None:
    """Subadditive: a mix is never riskier than its holdings one by one."""
    f, cov = load_framework(), covariance(load_framework(), ASSUMED)
    a = sigma(*((c, v / 100) for c, v in rows))
    alone = sum(
        math.sqrt(cov[k, k] + ASSUMED.classes[c].idiosyncratic ** 2) * v / 100
        for c, v in rows
        for k in [f.class_codes.index(c)]
        if f.classes[c].bucket != "own_use"
    )
    found = np.nan_to_num(a.risk.volatility_total[0]) * a.exposures.total[0]
    assert 0 <= found <= alone * (1 + 1e-12) + 1e-9
