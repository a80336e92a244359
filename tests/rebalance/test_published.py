"""Published answers through the programme's own pieces: efficient frontiers, Black–Litterman tables, a tangency mix.

Each number is held to what its printed digits allow: half a unit of the last digit, and what half a unit of every
printed input can do to it where the inputs are rounded too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest

from allocator.rebalance import terms

EXACT = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
"""Reached for a quadratic objective; a cone stops near 1e-10."""

PERCENT = 100.0
"""Returns enter in percent: tolerances are absolute, and a monthly variance of 1e-4 would drown in them."""

Array = np.ndarray[Any, np.dtype[np.float64]]


def factors(cov: Array) -> tuple[Array, Array]:
    """Loadings Z and own volatilities ι with Z'Z + diag(ι²) = the covariance, so that both parts of a term count."""
    values, vectors = np.linalg.eigh(cov)
    return (vectors * np.sqrt(values - values[0] / 2)).T, np.full(len(cov), np.sqrt(values[0] / 2))


def invested(weights: Any, money: float = 1.0) -> Any:
    """Everything is invested, and trades cost nothing."""
    none = np.zeros(weights.size)
    return terms.self_financing(weights, none, (none, none), money)


# ---- OR-Library: the efficient frontiers of Chang, Meade, Beasley & Sharaiha (2000)

ORLIB = 5e-11
"""Half a unit of the last of the ten decimals of the frontiers' means and variances."""


class Market(NamedTuple):
    mean: Array
    cov: Array
    frontier: Array
    """Published mean and variance, from the highest mean down to the least variance."""


def market(shared: Callable[[str], Any], n: int) -> Market:
    lines = shared(f"orlib/port{n}.txt").read_text().split()
    size, numbers = int(lines[0]), np.array(lines[1:], dtype=float)
    mean, sd = numbers[: 2 * size].reshape(size, 2).T
    corr = np.eye(size)
    for i, j, r in numbers[2 * size :].reshape(-1, 3):
        corr[int(i) - 1, int(j) - 1] = corr[int(j) - 1, int(i) - 1] = r
    return Market(mean, corr * np.outer(sd, sd), np.loadtxt(shared(f"orlib/portef{n}.txt")))


def least_variances(m: Market, means: Array) -> tuple[Array, Array, Array]:
    """Least variance at each mean, a bound below which no mix can come, and the variance per unit of mean.

    The bound is by duality and in plain numpy: x'Cx ≥ 2w'Cx − w'Cw, which is linear in x, and a linear form that is at
    least a + bμ in every asset is at least a + b·mean for every mix of that mean.
    """
    loadings, own = factors(m.cov * PERCENT**2)
    w, wanted = cp.Variable(len(m.mean), nonneg=True), cp.Parameter()
    reach = terms.expected_return(w, m.mean * PERCENT) == wanted
    problem = cp.Problem(cp.Minimize(terms.variance(w, loadings, own)), [reach, invested(w)])
    found = []
    for mean in means:
        wanted.value = mean * PERCENT
        problem.solve(solver="CLARABEL", **EXACT)
        assert problem.status == "optimal"
        mix = np.maximum(w.value, 0) / np.maximum(w.value, 0).sum()
        assert m.mean @ mix == pytest.approx(mean, rel=1e-10)
        variance, gradient, slope = mix @ m.cov @ mix, 2 * m.cov @ mix, -reach.dual_value / PERCENT
        found.append((variance, (gradient - slope * m.mean).min() + slope * mean - variance, slope))
    ours, bound, slopes = np.array(found).T
    return ours, bound, slopes


@pytest.mark.parametrize(("n", "every"), [(1, 1), (2, 20), (3, 20)])
def test_published_frontiers(shared, n: int, every: int) -> None:
    """All points of port1, every 20th and the last of port2 and port3: each within 1e-6 of the published variance.

    The digits allow more: (1 + slope) · 5e-11, at most 3.7e-7 of a variance. No published point lies below our bound by
    more than that; 190 of the 6,000 (142 of port1's) lie above it by more, at most 2e-10, so that they are not quite
    least themselves.
    """
    m = market(shared, n)
    at = np.unique(np.r_[np.arange(0, len(m.frontier), every), len(m.frontier) - 1])
    means, published = m.frontier[at].T
    ours, bound, slope = least_variances(m, means)
    digits = ORLIB * (1 + np.abs(slope))
    assert len(at) == (2000 if every == 1 else 101)
    assert (digits / published).max() < 4e-7
    assert np.abs(ours - bound).max() < 1e-10 * ours.min(), "no mix has less: the solver's own error is out of it"
    assert (np.abs(ours / published - 1) < 1e-6).sum() == len(at)
    assert (published - bound > -digits).all()
    assert (published - ours < digits + 2e-10).all()
    assert (np.abs(published - ours) <= digits).mean() > 0.92


@pytest.mark.parametrize("n", [1, 2, 3])
def test_published_frontiers_by_the_risk_cone(shared, n: int) -> None:
    """The other way round: the highest mean at the published volatility is the published one, to 1e-6 of it.

    Only where the digits of the variance allow it: toward the least variance a mean follows from it ever less exactly.
    """
    m = market(shared, n)
    slope = np.gradient(m.frontier[:, 1], m.frontier[:, 0])
    allowed = np.where(slope > 0, ORLIB * (1 + slope) / np.where(slope > 0, slope, 1.0), np.inf) / m.frontier[:, 0]
    at = np.flatnonzero(allowed < 1e-6)[20::20]  # the first points are one asset alone: the cone leaves it no interior
    assert len(at) >= 80
    loadings, own = factors(m.cov * PERCENT**2)
    w, most = cp.Variable(len(m.mean), nonneg=True), cp.Parameter(nonneg=True)
    earned = terms.expected_return(w, m.mean * PERCENT)
    problem = cp.Problem(cp.Maximize(earned), [invested(w), terms.risk_cone(w, loadings, own, most)])
    for mean, variance in m.frontier[at]:
        most.value = np.sqrt(variance) * PERCENT
        problem.solve(solver="CLARABEL")
        assert problem.status == "optimal"
        assert problem.value / PERCENT == pytest.approx(mean, rel=1e-6)


# ---- Black–Litterman


def posterior(cov: Array, prior: Array, tau: float, views: Array, says: Array, omega: Array) -> tuple[Array, Array]:
    """Black–Litterman: mean of the returns after the views, and their covariance with the doubt about the mean."""
    gain = tau * cov @ views.T @ np.linalg.inv(tau * views @ cov @ views.T + omega)
    return prior + gain @ (says - views @ prior), cov + tau * cov - gain @ views @ (tau * cov)


def best_mix(mean: Array, cov: Array, aversion: float) -> Array:
    """Weights of the highest μ'w − δ/2 w'Cw, longs and shorts, with cash taking what is left."""
    loadings, own = factors(cov)
    n = len(mean)
    w = cp.Variable(n + 1)
    risk = terms.variance(w, np.pad(loadings, ((0, 0), (0, 1))), np.append(own, 0.0))
    worth = terms.expected_return(w, np.append(mean, 0.0)) - aversion / 2 * risk
    problem = cp.Problem(cp.Maximize(worth), [invested(w)])
    problem.solve(solver="CLARABEL", **EXACT)
    assert problem.status == "optimal"
    return np.asarray(w.value[:n])


def in_doubt(cov: Array, views: Array, tau: float, doubt: Array) -> Array:
    """Doubt about each view, as He and Litterman take it: the variance that the prior gives to it."""
    return np.diag(doubt * tau * np.diag(views @ cov @ views.T))


HL_AVERSION, HL_TAU, HL_HALF = 2.5, 0.05, 5e-4
GERMANY, CANADA = 0.05, 0.03


def he_litterman(shared: Callable[[str], Any]) -> tuple[pd.DataFrame, Array, Array, Array]:
    """Tables, covariance, prior and the two views; Germany's is against the others of Europe by what they weigh.

    The file prints -0.295 and -0.705 for these; the tables need the exact shares (France in table 4 is out otherwise).
    """
    table = pd.read_csv(shared("frontier_tables/he_litterman_t2_to_t7.csv"), index_col=0)
    corr = pd.read_csv(shared("frontier_tables/he_litterman_t1_correlation.csv"), index_col=0).to_numpy()
    cov = corr * np.outer(table["vol"], table["vol"])
    others = table["weq"].where(table["view1_p"] < 0, 0.0)
    germany = (table["view1_p"] > 0) - others / others.sum()
    assert np.abs(germany - table["view1_p"]).max() < HL_HALF
    return table, cov, HL_AVERSION * cov @ table["weq"].to_numpy(), np.array([germany, table["view2_p"]], dtype=float)


def test_he_litterman_equilibrium_and_traditional_optimum(shared) -> None:
    """Tables 2 and 3: equilibrium returns; Germany pushed up and its neighbours down, with Europe as a whole in place.

    Vol, weights and correlations are given and derive from nothing. The optimum needs no budget: it sums to 0.848.
    """
    t, cov, prior, (germany, _) = he_litterman(shared)
    assert np.abs(prior - t["pi_published"]).max() < HL_HALF
    europe = t["weq"].where(germany != 0, 0.0).to_numpy()
    push = GERMANY - germany @ prior
    up = np.where(germany > 0, push * europe[germany < 0].sum(), -push * europe[germany > 0].sum()) / europe.sum()
    mean = prior + np.where(germany != 0, up, 0.0)
    assert np.abs(mean - t["t3_mu"]).max() < HL_HALF
    assert np.abs(best_mix(mean, cov, HL_AVERSION) - t["t3_wopt"]).max() < HL_HALF
    assert np.abs(best_mix(prior, cov, HL_AVERSION) - t["weq"]).max() < 1e-9, "without a view, the market itself"


@pytest.mark.parametrize(
    ("table", "says", "doubt"),
    [
        ("t4", [GERMANY], [1.0]),
        ("t5", [GERMANY, CANADA], [1.0, 1.0]),
        ("t6", [GERMANY, 0.04], [1.0, 1.0]),  # Canada a point more
        ("t7", [GERMANY, 0.04], [2.0, 1.0]),  # and twice the doubt about Germany
    ],
)
def test_he_litterman_views(shared, table: str, says: list[float], doubt: list[float]) -> None:
    """Tables 4 to 7: means after the views (printed for 4 and 5 only) and optimal weights, all to the last digit."""
    t, cov, prior, views = he_litterman(shared)
    views = views[: len(says)]
    omega = in_doubt(cov, views, HL_TAU, np.array(doubt))
    mean, wider = posterior(cov, prior, HL_TAU, views, np.array(says), omega)
    if f"{table}_mu" in t:
        assert np.abs(mean - t[f"{table}_mu"]).max() < HL_HALF
    weights = best_mix(mean, wider, HL_AVERSION)
    assert np.abs(weights - t[f"{table}_w"]).max() < HL_HALF
    untouched = (views == 0).all(axis=0)
    assert np.abs(weights - t["weq"] / (1 + HL_TAU))[untouched].max() < 1e-8, "a view moves only what it is about"


IDZOREK_HALF, IDZOREK_TAU = 5e-5, 0.025
UPPER = np.triu_indices(8)
IDZOREK_VIEWS = np.array([[0, 0, 0, 0, 0, 0, 1, 0], [-1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0.9, -0.9, 0.1, -0.1, 0, 0]])
IDZOREK_SAYS = np.array([0.0525, 0.0025, 0.02])


class Idzorek(NamedTuple):
    """Printed inputs in a row, so that each can be moved by half a unit of its last digit."""

    table: pd.DataFrame
    cov: Array
    aversion: tuple[float, float]
    """Least and greatest δ that give Π as printed."""

    def inputs(self, column: str) -> tuple[Array, Array]:
        low, high = self.aversion
        numbers = np.r_[self.table[column], self.cov[UPPER], (low + high) / 2]
        return numbers, np.r_[np.full(8, IDZOREK_HALF), np.full(36, 5e-7), (high - low) / 2]


def unpacked(inputs: Array) -> tuple[Array, Array, float]:
    cov = np.zeros((8, 8))
    cov[UPPER] = inputs[8:44]
    return inputs[:8], cov + cov.T - np.diag(np.diag(cov)), float(inputs[44])


def idzorek(shared: Callable[[str], Any]) -> Idzorek:
    table = pd.read_csv(shared("frontier_tables/idzorek_t1_t2_t6_t7.csv"), index_col=0)
    cov = pd.read_csv(shared("frontier_tables/idzorek_t5_covariance.csv"), index_col=0).to_numpy()
    each, pi = cov @ table["w_mkt"].to_numpy(), table["pi"].to_numpy()
    return Idzorek(table, cov, (((pi - IDZOREK_HALF) / each).max(), ((pi + IDZOREK_HALF) / each).min()))


def close(ours: Array, printed: pd.Series, formula: Callable[[Array], Array], inputs: tuple[Array, Array]) -> bool:
    """Whether an answer is as printed, within its last digit and what half a unit of all inputs together does to it."""
    numbers, half = inputs
    steps = np.diag(half)[half > 0]
    swing = sum(np.abs(formula(numbers + step) - formula(numbers - step)) / 2 for step in steps)
    return bool((np.abs(ours - printed.to_numpy()) <= IDZOREK_HALF + swing).all())


def idzorek_mean(inputs: Array, certain: float = 0.0) -> Array:
    """Means after the three views; the doubt is their prior variance, or none at all."""
    market_mix, cov, aversion = unpacked(inputs)
    omega = in_doubt(cov, IDZOREK_VIEWS, IDZOREK_TAU, np.full(3, 1.0 - certain))
    return posterior(cov, aversion * cov @ market_mix, IDZOREK_TAU, IDZOREK_VIEWS, IDZOREK_SAYS, omega)[0]


def by_hand(mean: Array, inputs: Array) -> Array:
    _, cov, aversion = unpacked(inputs)
    return np.linalg.solve(aversion * cov, mean)


def test_idzorek_risk_aversion(shared) -> None:
    """Π = δ C w fixes δ between 3.0650 and 3.0656: the paper's 3.07, which as printed would miss Π's digits."""
    x = idzorek(shared)
    low, high = x.aversion
    assert low < high
    assert round(low, 2) == round(high, 2) == 3.07
    market_mix, pi = x.table["w_mkt"], x.table["pi"]
    assert np.abs(sum(x.aversion) / 2 * x.cov @ market_mix - pi).max() <= IDZOREK_HALF
    assert np.abs(3.07 * x.cov @ market_mix - pi).max() > IDZOREK_HALF


@pytest.mark.parametrize(("column", "certain"), [("t6_w", 0.0), ("t7_w100", 1.0)])
def test_idzorek_views(shared, column: str, certain: float) -> None:
    """Tables 6 and 7: means after the views, weights with the usual doubt and with none.

    They are best under the covariance itself, not widened by the doubt about the mean, so that tau cancels out and the
    tables do not tell it. The inputs are printed to four decimals (covariances: six), hence the swing.
    """
    x = idzorek(shared)
    inputs = x.inputs("w_mkt")
    mean = idzorek_mean(inputs[0], certain)
    if not certain:
        assert np.abs(mean - x.table["t6_ER"]).max() < IDZOREK_HALF
    weights = best_mix(mean, x.cov, inputs[0][44])
    assert close(weights, x.table[column], lambda z: by_hand(idzorek_mean(z, certain), z), inputs)
    assert np.abs(weights - x.table[column]).max() < 1.5e-4


@pytest.mark.parametrize(("mean", "column"), [("mu_hist", "w_hist"), ("mu_capm_gsmi", "w_gsmi")])
def test_idzorek_optimum_of_other_means(shared, mean: str, column: str) -> None:
    """Table 2: weights of up to 1,144%, from historical means; half a unit of their last digit moves these by 5 points.

    The means themselves cannot be derived: they need the return histories, and the market of the GSMI index.
    """
    x = idzorek(shared)
    inputs = x.inputs(mean)
    weights = best_mix(inputs[0][:8], x.cov, inputs[0][44])
    assert close(weights, x.table[column], lambda z: by_hand(z[:8], z), inputs)
    assert np.abs(weights - x.table[column]).max() < 0.03


# ---- Rmetrics: the Swiss pension returns LPP2005


LPP2005 = {"SBI": 0.0, "SPI": 0.0005, "SII": 0.1824, "LMI": 0.5753, "MPI": 0.0, "ALT": 0.2418}


def test_lpp2005_tangency_portfolio(shared) -> None:
    """The long-only mix of the highest mean per volatility, as the least risk that earns 1, brought to a sum of 1."""
    returns = PERCENT * pd.read_csv(shared("frontier_tables/LPP2005REC.csv"))[list(LPP2005)]
    mean, cov = returns.mean().to_numpy(), returns.cov().to_numpy()
    loadings, own = factors(cov)
    y, risk = cp.Variable(len(mean), nonneg=True), cp.Variable()
    pieces = [terms.risk_cone(y, loadings, own, risk), terms.expected_return(y, mean) == 1]
    problem = cp.Problem(cp.Minimize(risk), pieces)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    assert problem.status == "optimal"
    weights = y.value / y.value.sum()
    assert np.abs(weights - list(LPP2005.values())).max() < 5e-5
    held = weights > 1e-4
    by_hand = np.linalg.solve(cov[np.ix_(held, held)], mean[held])
    assert weights[held] == pytest.approx(by_hand / by_hand.sum(), abs=1e-6)
