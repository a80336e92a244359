"""Losses in bad years against closed forms, published examples and plain computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from allocator.tails import expected_drawdown, normal_tail, student_tail, unit_drawdown, years_tail

# Magdon-Ismail, Atiya, Pratap and Abu-Mostafa (2004), tables of Q_p and Q_n by x = μ²T / 2σ², every fourth entry or so.
Q_UP = {0.0005: 0.019690, 0.0025: 0.043372, 0.0125: 0.094171, 0.025: 0.130374, 0.05: 0.179015, 0.1: 0.243050,
        0.3: 0.382016, 0.5: 0.463159, 1.5: 0.668992, 4.5: 0.905305, 10: 1.088998, 50: 1.476457, 150: 1.747485,
        450: 2.020630, 1000: 2.219765, 5000: 2.621743}  # fmt: skip
Q_DOWN = {0.0005: 0.019965, 0.0025: 0.045256, 0.0125: 0.104259, 0.025: 0.150739, 0.05: 0.220056, 0.1: 0.325586,
          0.2: 0.491599, 0.3: 0.633007, 0.5: 0.884593, 1.0: 1.445520, 1.5: 1.970740, 2.0: 2.483960, 3.0: 3.492520,
          4.0: 4.492380, 5.0: 5.498820}  # fmt: skip


def one(*x: float) -> list[np.ndarray]:
    return [np.array([v]) for v in x]


def test_quantiles_and_means_that_every_table_has() -> None:
    """z(0.95) = 1.644854, φ(z)/0.05 = 2.062713, t₄(0.95) = 2.131847; scaled to a volatility of 1 by √(1/2)."""
    assert [x[0] for x in normal_tail(*one(0.0, 1.0), 0.95)] == pytest.approx([1.644854, 2.062713], abs=5e-7)
    assert student_tail(*one(0.0, 1.0), 0.95, 4.0)[0][0] == pytest.approx(2.131847 * math.sqrt(0.5), abs=5e-7)


@given(st.floats(-0.5, 0.5), st.floats(0.001, 1.0), st.floats(0.5, 0.999), st.floats(2.1, 60.0))
def test_tails_are_means_of_quantiles(mean: float, sigma: float, level: float, degrees: float) -> None:
    """CVaR is the mean of VaR over the levels beyond: integrate scipy's distribution functions."""
    for law, (var, cvar) in (
        (stats.norm(), normal_tail(*one(mean, sigma), level)),
        (stats.t(degrees, scale=math.sqrt((degrees - 2) / degrees)), student_tail(*one(mean, sigma), level, degrees)),
    ):
        edge = law.ppf(1 - level)
        assert var[0] == pytest.approx(-edge * sigma - mean, rel=1e-9, abs=1e-9)
        # E[−X; X < q] by parts: −q (1 − level) + ∫ F
        below, _ = integrate.quad(law.cdf, -np.inf, edge, limit=400)
        assert cvar[0] == pytest.approx((-edge + below / (1 - level)) * sigma - mean, rel=1e-5, abs=1e-8)
        assert cvar[0] >= var[0] - 1e-12


def test_many_degrees_of_freedom_are_normal_and_few_are_worse() -> None:
    calm = normal_tail(*one(0.05, 0.2), 0.99)
    assert np.ravel(student_tail(*one(0.05, 0.2), 0.99, 1000.0)) == pytest.approx(np.ravel(calm), rel=5e-3)
    worse = [calm[1][0], *(student_tail(*one(0.05, 0.2), 0.99, v)[1][0] for v in (30.0, 10.0, 4.0))]
    assert worse == sorted(set(worse))


def test_losses_grow_with_volatility_and_fall_with_the_mean() -> None:
    sigma = np.linspace(0.01, 1, 50)
    for var, cvar in (normal_tail(0 * sigma, sigma, 0.95), student_tail(0 * sigma, sigma, 0.95, 4)):
        assert (np.diff(var) > 0).all()
        assert (np.diff(cvar) > 0).all()
    assert np.ravel(normal_tail(*one(0.03, 0.0), 0.95)) == pytest.approx([-0.03, -0.03])


# ---- past years


def plain_years(returns: np.ndarray, level: float) -> tuple[float, float]:
    """CVaR by Rockafellar and Uryasev's minimum, VaR by sorting."""
    losses = np.sort(-returns)[::-1]
    worst = math.ceil((1 - level) * len(losses) - 1e-9)
    cvar = min(t + np.maximum(losses - t, 0).mean() / (1 - level) for t in losses)
    return float(losses[worst - 1]), float(cvar)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_years_alone_are_a_plain_count(level: float) -> None:
    returns = np.random.default_rng(1).standard_t(4, (60, 87)) * 0.15
    var, cvar = years_tail(returns, np.zeros(60), level)
    for i, r in enumerate(returns):
        assert (var[i], cvar[i]) == pytest.approx(plain_years(r, level), abs=1e-12)


def test_years_with_single_holdings_are_a_mixture_of_normals() -> None:
    rng = np.random.default_rng(2)
    returns, own = rng.standard_t(3, (120, 87)) * 0.2 + 0.05, np.exp(rng.uniform(-12, 1, 120))
    var, cvar = years_tail(returns, own, 0.95)
    for r, s, v, c in zip(returns, own, var, cvar, strict=True):
        root = optimize.brentq(lambda x, r=r, s=s: stats.norm.cdf((-r - x) / s).mean() - 0.05, -30, 30, xtol=1e-13)
        d = (-r - root) / s
        assert v == pytest.approx(root, abs=1e-8)
        assert c == pytest.approx((-r * stats.norm.cdf(d) + s * stats.norm.pdf(d)).mean() / 0.05, abs=1e-8)


def test_little_of_their_own_changes_little() -> None:
    returns = np.random.default_rng(3).normal(0.06, 0.15, (20, 87))
    alone, mixed = years_tail(returns, np.zeros(20), 0.95), years_tail(returns, np.full(20, 1e-7), 0.95)
    assert mixed[1] == pytest.approx(alone[1], abs=1e-6)
    bare = np.ravel(years_tail(np.full((1, 87), 0.04), np.array([0.2]), 0.95))
    assert bare == pytest.approx(np.ravel(normal_tail(*one(0.04, 0.2), 0.95)), abs=1e-9)


def test_unknown_stays_unknown() -> None:
    returns = np.array([[0.1, np.nan], [0.1, -0.2]])
    var, cvar = years_tail(returns, np.array([0.1, np.nan]), 0.95)
    assert np.isnan([var, cvar]).all()
    assert np.isnan(expected_drawdown(*one(np.nan, np.nan), 1.0)).all()


# ---- drawdown


@pytest.mark.parametrize("x", Q_UP)
def test_published_drawdowns_with_a_gain(x: float) -> None:
    mean, sigma, years = 0.07, 0.2, x * 2 * 0.2**2 / 0.07**2
    found = expected_drawdown(*one(mean, sigma), years)[0]
    assert found == pytest.approx(2 * sigma**2 / mean * Q_UP[x], rel=5e-3)


@pytest.mark.parametrize("x", Q_DOWN)
def test_published_drawdowns_with_a_loss(x: float) -> None:
    mean, sigma, years = -0.03, 0.15, x * 2 * 0.15**2 / 0.03**2
    found = expected_drawdown(*one(mean, sigma), years)[0]
    assert found == pytest.approx(2 * sigma**2 / 0.03 * Q_DOWN[x], rel=5e-3)


def test_without_drift_the_drawdown_has_a_closed_form() -> None:
    for years in (0.25, 1.0, 10.0):
        found = expected_drawdown(np.zeros(2), np.array([0.1, 0.3]), years)
        assert found == pytest.approx(np.sqrt(np.pi * years / 2) * np.array([0.1, 0.3]), rel=1e-8)


def test_far_drifts_have_the_limits_that_are_published() -> None:
    """Q_n(x) → x + 1/2 and Q_p(x) → log(x) / 4 + 0.49088; nothing jumps where the limits take over."""
    down = np.array([-20.0, -39.999999, -40.000001, -1e6])
    assert unit_drawdown(down) == pytest.approx(-down - 1 / down, rel=1e-8)
    up = np.array([9999.0, 10001.0, 1e8])
    assert unit_drawdown(up) == pytest.approx(2 / up * (np.log(up**2 / 2) / 4 + 0.49088), rel=2e-6)
    assert np.diff(unit_drawdown(np.sinh(np.linspace(-6, 11, 4000)))).max() < 0


def test_the_drawdown_is_that_of_a_random_walk() -> None:
    """Simulated in 4,000 steps, which miss about 0.58 of a step at the top and at the bottom."""
    rng = np.random.default_rng(5)
    steps, paths = 4_000, 4_000
    for drift in (-1.0, 0.5, 2.0):
        worst = np.empty(paths)
        for k in range(0, paths, 500):
            walk = np.cumsum(rng.normal(drift / steps, steps**-0.5, (500, steps)), axis=1)
            walk = np.concatenate([np.zeros((500, 1)), walk], axis=1)
            worst[k : k + 500] = (np.maximum.accumulate(walk, axis=1) - walk).max(axis=1)
        error = worst.std() / math.sqrt(paths)
        missed = 2 * 0.5826 / math.sqrt(steps)
        assert abs(worst.mean() + missed - unit_drawdown(np.array([drift]))[0]) < 4 * error


def test_without_volatility_only_a_sure_loss_is_a_drawdown() -> None:
    assert expected_drawdown(np.array([0.05, -0.05]), np.zeros(2), 2.0) == pytest.approx([0.0, 0.1])


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.8), st.floats(0.1, 20.0))
def test_drawdowns_are_larger_over_longer_horizons(mean: float, sigma: float, years: float) -> None:
    short, long = (expected_drawdown(*one(mean, sigma), t)[0] for t in (years, 1.5 * years))
    assert 0 < short < long * (1 + 1e-9)
    assert short >= -mean * years * (1 - 1e-9)
