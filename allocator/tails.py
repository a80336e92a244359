"""Losses in bad years: value at risk and its mean beyond, in closed form or from past years, and the expected drawdown.

Everything is an array over clients. A loss is positive; what is below 0 is a gain even in the worst years. Means and
volatilities are fractions of the money at stake, and NaN in gives NaN out.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from allocator.typing import FloatArray

if TYPE_CHECKING:
    from numpy.polynomial.chebyshev import Chebyshev

CELLS: Final = 200_000
"""Returns of this many client-year pairs are worked on at once: what fits into a processor's own memory."""
STEPS: Final = 100
"""Most steps that a quantile of past years may take; halving alone needs 50, Newton some 4."""
LOWEST: Final = -40.0
HIGHEST: Final = 10_000.0
"""Drifts, in volatilities of the horizon, between which the drawdown is interpolated; beyond them the limits hold."""


def normal_tail(mean: FloatArray, volatility: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Value at risk and CVaR of a normal return.

    VaR = zσ − μ and CVaR = φ(z) / (1 − level) σ − μ, where z is the normal quantile of the level.

    Parameters
    ----------
    mean, volatility
        Over the horizon, fractions.
    level
        Such as 0.95: the loss that is exceeded with probability 1 − level.

    Returns
    -------
    (var, cvar)
        Losses as fractions.
    """
    from scipy.special import ndtri

    z = float(ndtri(level))
    beyond = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / (1.0 - level)
    return z * volatility - mean, beyond * volatility - mean


def student_tail(
    mean: FloatArray, volatility: FloatArray, level: float, degrees: float
) -> tuple[FloatArray, FloatArray]:
    """Value at risk and CVaR of a Student-t return with the same volatility.

    With q the t quantile of the level, f the t density and k = √((ν − 2) / ν), VaR = kqσ − μ and
    CVaR = k f(q) / (1 − level) · (ν + q²) / (ν − 1) σ − μ (McNeil, Frey and Embrechts 2005, section 2.2).

    Parameters
    ----------
    mean, volatility, level
        As in `normal_tail`.
    degrees
        ν, above 2.

    Returns
    -------
    (var, cvar)
        Losses as fractions.
    """
    from scipy.special import gammaln, stdtrit

    v, q = degrees, float(stdtrit(degrees, level))
    logs = gammaln((v + 1) / 2) - gammaln(v / 2) - (v + 1) / 2 * math.log1p(q * q / v)
    density = math.exp(float(logs)) / math.sqrt(v * math.pi)
    scale = math.sqrt((v - 2) / v)
    beyond = density / (1.0 - level) * (v + q * q) / (v - 1)
    return scale * q * volatility - mean, scale * beyond * volatility - mean


def years_tail(returns: FloatArray, own: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Value at risk and CVaR when each past year is as likely as any other.

    What single holdings add of their own is in no record of past years. It is taken as normal around each year's
    return, so that the loss has the distribution function mean over years of Φ((loss + return) / own). Without it the
    years alone decide: VaR is the loss of the worst year that is still inside the level, and the year at the edge of
    the tail counts in CVaR with the fraction that is missing (Rockafellar and Uryasev 2002).

    Parameters
    ----------
    returns
        Clients × years, fractions.
    own
        Volatility of what single holdings add, one per client, 0 or more.
    level
        As in `normal_tail`.

    Returns
    -------
    (var, cvar)
        Losses as fractions.
    """
    n, years = returns.shape
    var, cvar = np.full(n, np.nan), np.full(n, np.nan)
    step = max(1, CELLS // years)
    for start in range(0, n, step):
        known = start + np.flatnonzero(np.isfinite(returns[start : start + step]).all(axis=1))
        alone = known[own[known] <= 0]
        mixed = known[own[known] > 0]
        var[alone], cvar[alone] = _empirical(-returns[alone], level)
        var[mixed], cvar[mixed] = _smoothed(-returns[mixed], own[mixed], level)
    return var, cvar


def expected_drawdown(mean: FloatArray, volatility: FloatArray, years: float) -> FloatArray:
    """Expected maximum drawdown of a Brownian motion: the largest fall from a peak to a later low within the horizon.

    E = (2σ²/μ) Q_p(μ²t/2σ²) for a drift μ > 0, −(2σ²/μ) Q_n(μ²t/2σ²) below 0 and √(πt/2) σ at 0 (Magdon-Ismail,
    Atiya, Pratap and Abu-Mostafa, On the maximum drawdown of a Brownian motion, J. Appl. Prob. 41, 2004). Here it is
    computed from the Laplace transform of the time at which a drawdown is first reached, which is exact; the table
    that the authors published lies within 0.5% of it.

    Parameters
    ----------
    mean, volatility
        Yearly, fractions of today's money, which is what the drawdown is a fraction of as well.
    years
        Horizon, above 0.

    Returns
    -------
    numpy.ndarray
        0 or more; without volatility, what a negative mean takes away.
    """
    spread = volatility * math.sqrt(years)
    some = spread > 0
    drift = np.divide(mean * years, spread, out=np.zeros(len(spread)), where=some)
    sure = np.where(np.isnan(spread), np.nan, np.maximum(-mean * years, 0.0))
    return np.where(some, spread * unit_drawdown(drift), sure)


def unit_drawdown(drift: FloatArray) -> FloatArray:
    """Expected maximum drawdown over one unit of time, of a Brownian motion with volatility 1 and this drift."""
    inside = np.exp(_interpolant()(np.arcsinh(np.clip(drift, LOWEST, HIGHEST))))
    far = np.where(np.abs(drift) > 1.0, np.abs(drift), np.nan)  # the limits hold far out only
    down = far + 1.0 / far
    up = (np.log(2.0 * far**2) + np.euler_gamma) / (2.0 * far)
    return np.asarray(np.select([drift < LOWEST, drift > HIGHEST], [down, up], inside))


def _empirical(losses: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Tail of equally likely losses (clients × years)."""
    count = losses.shape[1]
    tail = (1.0 - level) * count
    worst = min(count, max(1, math.ceil(tail - 1e-9)))
    part = -np.partition(-losses, worst - 1, axis=1)[:, :worst]
    edge = part.min(axis=1)
    return edge, (part.sum(axis=1) - (worst - tail) * edge) / tail


def _smoothed(losses: FloatArray, own: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Tail of normal losses around equally likely ones.

    Newton's steps on the normal quantile of the distribution function, which is nearly a straight line; where a step
    leaves the bracket, the bracket is halved.
    """
    from scipy.special import ndtr, ndtri

    z, tail = float(ndtri(level)), 1.0 - level
    low, high = losses.min(axis=1) + z * own, losses.max(axis=1) + z * own
    x = np.clip(losses.mean(axis=1) + z * np.hypot(losses.std(axis=1), own), low, high)
    left = np.arange(len(losses))
    for _ in range(STEPS):
        d = (losses[left] - x[left, None]) / own[left, None]
        chance = ndtr(d).mean(axis=1)
        low[left] = np.where(chance > tail, x[left], low[left])  # the quantile lies further out
        high[left] = np.where(chance > tail, high[left], x[left])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            reached = -ndtri(chance)
            slope = _bell(d).mean(axis=1) / own[left] / _bell(reached)
            new = x[left] + (z - reached) / slope
        near = 1e-9 * (1.0 + np.abs(x[left]))
        close = np.abs(new - x[left]) <= near
        inside = (new > low[left]) & (new < high[left])
        x[left] = np.where(inside | close, new, (low[left] + high[left]) / 2)
        left = left[~close & (high[left] - low[left] > 1e-3 * near)]
        if not len(left):
            break
    d = (losses - x[:, None]) / own[:, None]
    return x, x + own * (d * ndtr(d) + _bell(d)).mean(axis=1) / tail


def _bell(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi))


@cache
def _interpolant() -> Chebyshev:
    """Logarithm of the drawdown over asinh of the drift, within 1e-8 of the inverted transform."""
    from numpy.polynomial.chebyshev import Chebyshev

    ends = [math.asinh(LOWEST), math.asinh(HIGHEST)]
    return Chebyshev.interpolate(lambda u: np.log(_inverted(np.sinh(u))), 100, ends)


def _inverted(drift: FloatArray, nodes: int = 24, points: int = 400) -> FloatArray:
    """Invert ∫ E[exp(−λ τ_h)] dh / λ at time 1 by Talbot's contour (Abate and Valkó 2004).

    With δ = √(s² + 2λ), a = δ − s and b = δ + s, the time τ_h until a drawdown of h has the transform
    2δ exp(−bh) / (a + b exp(−2δh)) (Taylor 1975). Its integral over h is a series where the drift is clearly negative,
    since the integrand grows on part of the contour, and a quadrature elsewhere.
    """
    angle = np.arange(1, nodes) * math.pi / nodes
    cot = 1.0 / np.tan(angle)
    rate = 2.0 * nodes / 5.0
    lam = np.concatenate([[rate + 0j], rate * angle * (cot + 1j)])
    weight = np.concatenate(
        [[0.5 * math.exp(rate) + 0j], np.exp(lam[1:]) * (1.0 + 1j * (angle + (angle * cot - 1.0) * cot))]
    )
    s = drift[:, None]
    delta = np.sqrt(s * s + 2.0 * lam)
    a = np.where(s < 0, delta - s, 2.0 * lam / (delta + s))
    b = np.where(s < 0, 2.0 * lam / (delta - s), delta + s)
    area = np.empty_like(delta)
    for which, integral in ((drift < -1.0, _series), (drift >= -1.0, _quadrature)):
        area[which] = integral(a[which][:, :, None], b[which][:, :, None], delta[which][:, :, None], points)
    return np.asarray((area / lam * weight).sum(axis=1).real * rate / nodes)


def _series(a: FloatArray, b: FloatArray, delta: FloatArray, points: int) -> FloatArray:
    k = np.arange(points)
    return np.asarray((2.0 * delta / a * (-b / a) ** k / (b + 2.0 * k * delta)).sum(axis=2))


def _quadrature(a: FloatArray, b: FloatArray, delta: FloatArray, points: int) -> FloatArray:
    x = np.linspace(-5.0, 4.5, points)
    h = np.exp(x - np.exp(-x)) / np.abs(b).min(axis=1, keepdims=True)
    inside = 2.0 * delta * np.exp(-b * h) / (a + b * np.exp(-2.0 * delta * h))
    return np.asarray((inside * h * (1.0 + np.exp(-x))).sum(axis=2) * (x[1] - x[0]))
