"""Risk measures of a large book against a loop over clients with numpy and scipy, as one would write it first."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from test_bench_analysis import ON, random_book

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.contributions import torsion
from allocator.limits import needed_months
from allocator.past_years import PastYears, history
from allocator.pipeline import analyze
from allocator.risk_measures import RiskMeasures, measure_risk
from allocator.tails import unit_drawdown

CLIENTS, LOOPED = 100_000, 300
FLOOR = 50.0
"""How many times faster the whole book must be, at least, than the loop."""
BEYOND = 1e-3
"""What no series of the past explains of the classes is left out of the loop, which makes it faster than it should be;
losses of past years are therefore compared for clients with little of it."""


class Loop:
    """Client by client; what is shared is prepared once, outside the time that is taken."""

    def __init__(self, a: Analysis, past: PastYears) -> None:
        self.a, self.table = a, risk_table(a.framework, a.assumptions)
        self.inside = a.framework.flag("inside")
        self.reserve = np.append(a.framework.flag("reserve"), 0.0)
        self.own = np.append(self.table.idiosyncratic * self.inside, 0.0)
        self.years = history(a.framework, a.assumptions, past).to_numpy()
        self.needed = needed_months(a.positions, a.framework)
        factors = a.assumptions.factors
        rows = [a.assumptions.classes[c.assumption or k] for k, c in a.framework.classes.items()]
        self.beta = np.array([[r.loadings.get(f, 0.0) * v.volatility for f, v in factors.items()] for r in rows])
        self.root = torsion(np.array(a.assumptions.correlation.rows))

    def run(self, clients: range) -> pd.DataFrame:
        """Measure clients."""
        return pd.DataFrame([self.measure(i) for i in clients])

    def measure(self, i: int) -> dict[str, Any]:
        """All measures of one client, with full matrices."""
        a, p, t = self.a, self.a.positions, self.table
        rows = slice(int(p.start[i]), int(p.start[i + 1]))
        v, mix, asset = p.value[rows], p.mix_table[p.mix[rows]] * self.inside, p.asset[rows]
        own = self.own[p.klass[rows]]
        covariance = mix @ t.covariance @ mix.T + (asset[:, None] == asset) * np.outer(own, own)
        money = v @ mix
        equity = money.sum() - a.exposures.debt[i]
        if equity <= 0:
            return {"volatility": np.nan}
        pull = covariance @ v
        sigma = np.sqrt(v @ pull) / equity
        parts = v * pull / (sigma * equity) / equity if sigma else 0 * v
        mean = (money @ t.mean - t.borrowing_rate * a.exposures.debt[i]) / equity
        z, q = stats.norm.ppf(0.95), stats.t.ppf(0.95, 4)
        losses = (t.borrowing_rate * a.exposures.debt[i] - self.years @ money) / equity
        single = np.sqrt(sum((own * v)[asset == k].sum() ** 2 for k in set(asset))) / equity
        var, cvar = losses.max(), losses.max()
        if single > 0:
            var = optimize.brentq(lambda x: stats.norm.cdf((losses - x) / single).mean() - 0.05, -50, 500)
            d = (losses - var) / single
            cvar = (losses * stats.norm.cdf(d) + single * stats.norm.pdf(d)).mean() / 0.05
        weights = v * (mix.sum(axis=1)) / money.sum()
        bets = np.concatenate([(self.root @ (money @ self.beta)) ** 2, (own * v) ** 2])
        share = bets[bets > 0] / bets.sum() if sigma else np.array([1.0])
        kept = v * self.reserve[p.klass[rows]] * p.tradable[rows]
        liquid = kept.sum()
        wanted = self.needed[i] * a.exposures.need[i]
        missed = float(liquid < wanted)
        if liquid > 0 and kept @ covariance @ kept > 0:
            m, s = kept @ mix @ t.mean / liquid, np.sqrt(kept @ covariance @ kept) / liquid
            s2 = np.log1p((s / (1 + m)) ** 2)
            missed = stats.norm.cdf((np.log(wanted / liquid) - np.log1p(m) + s2 / 2) / np.sqrt(s2))
        return {
            "volatility": sigma,
            "contribution": np.abs(parts).max(),
            "standard_error": np.sqrt(money @ t.covariance @ money) / equity / np.sqrt(88),
            "var_normal": z * sigma - mean,
            "cvar_normal": stats.norm.pdf(z) / 0.05 * sigma - mean,
            "var_t": np.sqrt(0.5) * q * sigma - mean,
            "cvar_t": np.sqrt(0.5) * stats.t.pdf(q, 4) / 0.05 * (4 + q * q) / 3 * sigma - mean,
            "var_history": var,
            "cvar_history": cvar,
            "drawdown": sigma * unit_drawdown(np.array([mean / sigma]))[0] if sigma else max(-mean, 0.0),
            "effective_holdings": 1 / (weights**2).sum(),
            "bets": np.exp(-(share * np.log(share)).sum()),
            "missed": missed,
        }


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    return analyze(random_book(CLIENTS), on=ON)


def everything(a: Analysis, past: PastYears) -> RiskMeasures:
    """All tables, also those that are made when they are asked for."""
    m = measure_risk(a, past=past)
    assert len(m.holdings) == len(a.positions.value)
    assert len(m.buckets) == len(a.framework.buckets) * len(a)
    assert len(m.classes) > len(a)
    return m


def took(run: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    out = run()
    return time.perf_counter() - start, out


def test_a_large_book_is_measured_faster_than_by_a_loop(analysis: Analysis, past: PastYears, benchmark: Any) -> None:
    """The ratio of one run: both are timed in turns, so that a busy machine slows both."""
    loop, unit_drawdown_ready = Loop(analysis, past), unit_drawdown(np.zeros(1))
    assert unit_drawdown_ready[0] > 1
    pairs = []
    for _ in range(3):
        slow, table = took(lambda: loop.run(range(LOOPED)))
        fast, m = took(lambda: everything(analysis, past))
        pairs.append((slow / LOOPED * CLIENTS) / fast)
    benchmark.extra_info |= {"ratio": median(pairs), "seconds": fast}
    print(f"\n{CLIENTS:,} clients in {fast:.1f} s, a loop would take {slow / LOOPED * CLIENTS:.0f} s: {pairs}")  # noqa: T201
    agree(table, m)
    benchmark.pedantic(everything, args=(analysis, past), rounds=1)
    assert median(pairs) >= FLOOR


def agree(table: pd.DataFrame, m: RiskMeasures) -> None:
    """What is timed is the same: the loop's figures are those of the book."""
    s = m.summary.head(LOOPED)
    for name in table.columns.drop(["contribution", "missed", "var_history", "cvar_history"]):
        assert s[name].to_numpy()[table["volatility"].notna()] == pytest.approx(
            table[name].dropna().to_numpy(), rel=1e-8, abs=1e-10, nan_ok=True
        ), name
    known = table["volatility"].notna().to_numpy()
    g = m.goals.head(LOOPED)
    assert g["probability"].to_numpy()[known] == pytest.approx(table["missed"].to_numpy()[known], abs=1e-8)
    p = m.analysis.positions
    largest = pd.Series(np.abs(m.parts.holding)).groupby(p.client).max().head(LOOPED).to_numpy()
    assert largest[known] == pytest.approx(table["contribution"].to_numpy()[known], rel=1e-8)
    wide = np.isin(
        np.array(m.analysis.framework.class_codes),
        ["private_business", "private_equity", "hedge_fund", "shareholder_loan", "reit"],
    )
    few = m.analysis.exposures.of_total(m.analysis.exposures.classes[:, wide].sum(axis=1))[:LOOPED] < BEYOND
    some = known & few
    assert some.sum() > 3
    for name in ("var_history", "cvar_history"):
        assert s[name].to_numpy()[some] == pytest.approx(table[name].to_numpy()[some], rel=0.02, abs=0.002), name
