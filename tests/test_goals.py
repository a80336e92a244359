"""Probability of missing a goal: closed forms, simulated families, and tables that cannot be right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.errors import InputError
from allocator.framework import load_framework
from allocator.goals import REASONS, missed
from allocator.i18n import words
from allocator.pipeline import analyze
from allocator.risk_measures import measure_risk

CLASSIC = load_framework()


def one(*figures: float) -> tuple[float, float]:
    """Start, amount, years, saving a year, mean, volatility."""
    p, e = missed(*(np.array([float(x)]) for x in figures))
    return float(p[0]), float(e[0])


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.1, 40), st.floats(-0.2, 0.3), st.floats(0.001, 0.8))
def test_without_savings_it_is_a_lognormal_distribution(
    start: float, amount: float, years: float, mean: float, sigma: float
) -> None:
    """The one with this mean and volatility over a year: E = 1 + mean, standard deviation = sigma."""
    s2 = math.log1p((sigma / (1 + mean)) ** 2)
    year = stats.lognorm(math.sqrt(s2), scale=(1 + mean) * math.exp(-s2 / 2))
    assert year.mean() == pytest.approx(1 + mean)
    assert year.std() == pytest.approx(sigma)
    law = stats.lognorm(math.sqrt(s2 * years), scale=start * ((1 + mean) * math.exp(-s2 / 2)) ** years)
    p, e = one(start, amount, years, 0.0, mean, sigma)
    assert p == pytest.approx(law.cdf(amount), abs=1e-12)
    assert e == pytest.approx(law.mean(), rel=1e-9)


FAMILIES = {
    "saves": (100, 200, 10, 5, 0.05, 0.15),
    "saves into nothing": (0, 100, 10, 8, 0.05, 0.15),
    "broken years": (100, 130, 2.5, 12, 0.03, 0.2),
    "steady": (100, 124, 5, 4, 0.02, 0.005),
    "wild": (10, 100, 5, 12, 0.05, 0.6),
    "long": (50, 2000, 30, 20, 0.06, 0.15),
    "lives on it": (100, 0, 30, -5, 0.04, 0.05),
    "lives on it, wild": (100, 100, 20, -5, 0.07, 0.25),
    "steady and spends": (1000, 800, 10, -40, 0.03, 0.02),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_with_savings_it_is_what_simulated_families_see(name: str) -> None:
    start, amount, years, saving, mean, sigma = FAMILIES[name]
    rng, paths = np.random.default_rng(11), 200_000
    periods = math.ceil(years)
    step, s2 = years / periods, math.log1p((sigma / (1 + mean)) ** 2)
    wealth, gone = np.full(paths, float(start)), np.zeros(paths, dtype=bool)
    for _ in range(periods):
        moved = np.exp((math.log1p(mean) - s2 / 2) * step + math.sqrt(s2 * step) * rng.standard_normal(paths))
        wealth = np.where(gone, 0.0, wealth * moved + saving * step)
        gone |= wealth <= 0
    seen = ((wealth < amount) | gone).mean()
    p, e = one(*FAMILIES[name])
    assert abs(p - seen) < 4 * math.sqrt(max(seen * (1 - seen), 1e-4) / paths)
    if saving > 0:
        assert e == pytest.approx(wealth.mean(), abs=4 * wealth.std() / math.sqrt(paths))
    else:
        assert math.isnan(e)


def test_little_saving_is_nearly_none() -> None:
    """The quadrature, asked for next to nothing, gives the closed form."""
    for case in ((100, 150, 7, 0.07, 0.2), (100, 60, 25, 0.04, 0.3), (100, 101, 2, 0.01, 0.01)):
        start, amount, years, mean, sigma = case
        closed = one(start, amount, years, 0.0, mean, sigma)[0]
        for little in (1e-3, 1e-7, 1e-11, 1e-300, -1e-300, -1e-11, -1e-7):
            found = one(start, amount, years, little * start, mean, sigma)[0]
            assert found == pytest.approx(closed, abs=5e-6 + 60 * abs(little))


def test_without_volatility_it_is_a_sum() -> None:
    reached = 100 * 1.05**3 + 10 * (1.05**2 + 1.05 + 1)
    assert one(100, reached - 0.01, 3, 10, 0.05, 0.0) == pytest.approx((0.0, reached))
    assert one(100, reached + 0.01, 3, 10, 0.05, 0.0)[0] == 1.0
    assert one(0, 10, 3, 0, 0.05, 0.2)[0] == 1.0  # nothing put aside, nothing saved
    assert one(100, 50, 1, 0, 0.0, 0.0)[0] == 0.0


@settings(max_examples=40, deadline=None)
@given(
    st.floats(1, 1e3), st.floats(1, 1e3), st.floats(0.5, 30), st.floats(-50, 50), st.floats(-0.05, 0.12),
    st.floats(0.005, 0.5),
)  # fmt: skip
def test_more_money_never_hurts(
    start: float, amount: float, years: float, saving: float, mean: float, sigma: float
) -> None:
    base = one(start, amount, years, saving, mean, sigma)[0]
    assert 0 <= base <= 1
    for better in (
        (start * 1.1, amount, years, saving, mean, sigma),
        (start, amount * 0.9, years, saving, mean, sigma),
        (start, amount, years, saving + 1, mean, sigma),
        (start, amount, years, saving, mean + 0.01, sigma),
    ):
        if better[4] == mean:  # a higher mean with the same volatility is a lognormal of another shape
            assert one(*better)[0] <= base + 1e-5
    again = one(start * 8, amount * 8, years, saving * 8, mean, sigma)[0]
    assert again == pytest.approx(base, abs=1e-8)


def test_goals_of_a_book_are_each_its_own() -> None:
    """Together and one by one are the same; the order does not matter."""
    rng = np.random.default_rng(3)
    n = 60
    cases = [
        rng.uniform(0, 1e3, n), rng.uniform(1, 2e3, n), rng.integers(1, 25, n) + 0.0, rng.uniform(-30, 40, n),
        rng.uniform(-0.02, 0.1, n), rng.uniform(0.01, 0.4, n),
    ]  # fmt: skip
    together = missed(*cases)[0]
    alone = [one(*(c[i] for c in cases))[0] for i in range(n)]
    assert together == pytest.approx(alone, abs=1e-5)
    order = rng.permutation(n)
    assert missed(*(c[order] for c in cases))[0] == pytest.approx(together[order], abs=1e-12)


# ---- of clients


def book(**more: Any) -> Analysis:
    rows = [
        ("a", "cash", "deposit", 60_000.0), ("a", "bars", "gold", 60_000.0), ("a", "fund", "equity_fund", 880_000.0),
        ("b", "fund", "equity_fund", 500_000.0), ("c", "fund", "equity_fund", 100_000.0), ("d", "cash", "deposit", 5e5),
    ]  # fmt: skip
    clients = [
        {"client_id": c, "risk_band": "balanced", "monthly_spending": s}
        for c, s in (("a", 20_000.0), ("b", 10_000.0), ("c", 10_000.0), ("d", None))
    ]
    debts = [{"client_id": "c", "value": 150_000.0}]
    return analyze(make_book(rows, clients, debts=debts), CLASSIC, on=ON, **more)


def test_by_default_it_is_the_reserve_after_a_year() -> None:
    a = book()
    g = measure_risk(a).goals.set_index("client_id")
    assert g["goal"].eq("reserve").all()
    # a: 120,000 in deposits and gold against 6 × 20,000, with half of gold's volatility
    gold, cash = a.assumptions.factors["gold"], 0.0234
    mean = (gold.mean + cash) / 2
    assert g.loc["a", "amount"] == 120_000
    assert g.loc["a", "start"] == 120_000
    assert g.loc["a", "expected"] == pytest.approx(120_000 * (1 + mean))
    law = math.log1p((gold.volatility / 2 / (1 + mean)) ** 2)
    z = (-math.log1p(mean) + law / 2) / math.sqrt(law)
    assert g.loc["a", "probability"] == pytest.approx(stats.norm.cdf(z), rel=1e-9)
    assert g.loc["b", ["start", "probability"]].tolist() == [0.0, 1.0]
    assert g.loc["c", "probability"] == 1.0  # insolvent, but the reserve is judged by itself
    assert g.loc["d", "reason"] == "no_need"
    assert math.isnan(g.loc["d", "probability"])


def test_goals_are_measured_with_the_clients_own_money() -> None:
    a = book()
    rows = [
        {"client_id": "a", "goal": "retirement", "amount": 2e6, "years": 10},
        {"client_id": "b", "goal": "education", "amount": 3e5, "years": 5.5, "monthly": 2_000, "start": 1e5},
        {"client_id": "a", "goal": "reserve", "amount": None, "years": 2},
        {"client_id": "a", "goal": "reserve", "amount": 90_000, "years": 1},
    ]
    g = measure_risk(a, goals=pd.DataFrame(rows)).goals
    assert g["client_id"].tolist() == ["a", "b", "a", "a"]
    assert g["start"].tolist() == [1e6, 1e5, 120_000, 120_000]
    m, s = a.risk.expected_return, a.risk.volatility
    assert g["probability"][0] == pytest.approx(one(1e6, 2e6, 10, 0, m[0], s[0])[0], abs=1e-12)
    assert g["probability"][1] == pytest.approx(one(1e5, 3e5, 5.5, 24_000, m[1], s[1])[0], abs=1e-9)
    assert g["amount"].tolist() == [2e6, 3e5, 120_000, 90_000]
    assert g["probability"][3] < g["probability"][2]


def test_rows_that_cannot_be_judged_are_kept_and_say_why() -> None:
    rows = [
        ("nobody", "x", 1.0, 1.0, None, "unknown_client"),
        ("a", "x", None, 1.0, None, "bad_figure"),
        ("a", "x", "much", 1.0, None, "bad_figure"),
        ("a", "x", -5.0, 1.0, None, "bad_figure"),
        ("a", "x", 5.0, 0.0, None, "bad_figure"),
        ("a", "x", 5.0, None, None, "bad_figure"),
        ("a", "x", 5.0, math.inf, None, "bad_figure"),
        ("a", "x", 5.0, 1.0, "a lot", "bad_figure"),
        ("c", "x", 5.0, 1.0, None, "insolvent"),
        ("d", "reserve", None, 1.0, None, "no_need"),
        ("a", "x", 5.0, 1.0, None, ""),
    ]
    frame = pd.DataFrame(rows, columns=["client_id", "goal", "amount", "years", "monthly", "told"])
    g = measure_risk(book(), goals=frame.drop(columns="told")).goals
    assert g["reason"].tolist() == frame["told"].tolist()
    assert g["probability"].isna().tolist() == [t != "" for t in frame["told"]]
    assert not np.isinf(g[["amount", "years", "monthly", "start"]].to_numpy("float64")).any()


def test_debts_that_eat_the_money_up_are_said() -> None:
    rows = make_book([("a", "x", "deposit", 100.0)], debts=[{"client_id": "a", "value": 98.0}])
    goals = pd.DataFrame([{"client_id": "a", "goal": "x", "amount": 1.0, "years": 1.0}])
    assert measure_risk(analyze(rows, CLASSIC, on=ON), goals=goals).goals["reason"].tolist() == ["beyond"]


def test_wrong_columns_are_named() -> None:
    with pytest.raises(
        InputError, match="the column amount is missing; the column sum is not known; needed: client_id"
    ):
        measure_risk(book(), goals=pd.DataFrame({"client_id": ["a"], "goal": ["x"], "sum": [1.0], "years": [1]}))


def test_the_table_is_not_changed_and_may_be_empty() -> None:
    frame = pd.DataFrame({"client_id": ["a"], "goal": ["x"], "amount": [5], "years": [1]}, index=[17])
    before = frame.copy()
    g = measure_risk(book(), goals=frame).goals
    pd.testing.assert_frame_equal(frame, before)
    assert g.index.tolist() == [0]
    assert len(measure_risk(book(), goals=frame.iloc[:0]).goals) == 0


def test_every_reason_has_words() -> None:
    for lang in ("en", "zh"):
        assert {f"risk.reason_{r}" for r in REASONS} <= set(words(lang).table)


def test_goals_of_the_sample(sample: Book) -> None:
    """Read as a banker: families with a good reserve keep it, owners without one have missed it already."""
    g = measure_risk(analyze(sample, on=ON)).goals.set_index("client_id")
    a = analyze(sample, on=ON).summary.set_index("client_id")
    short = a["reserve_months"] < 0.9 * a["reserve_needed"]
    assert (g.loc[short, "probability"] > 0.99).all()
    assert (g.loc[a["reserve_months"] > 1.5 * a["reserve_needed"], "probability"] < 0.05).all()
    assert short.sum() >= 5
