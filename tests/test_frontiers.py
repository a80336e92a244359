"""The frontier of one client: against closed forms, random mixes, and the limits that the plan keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book

import allocator as al
from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.errors import ConfigError, InputError
from allocator.frontier_plots import plot_frontier
from allocator.frontiers import Frontier, frontier

YEARS = al.load_framework().plan.return_years
CLIENTS = ("C002", "C004", "C007", "C010", "C015", "C019", "C023")


@pytest.fixture(scope="module")
def analysis(sample: al.Book) -> Analysis:
    return al.analyze(sample, on=ON)


@pytest.fixture(scope="module")
def found(analysis: Analysis) -> dict[str, Frontier]:
    return {c: frontier(analysis, c, points=9) for c in CLIENTS}


def mixes(f: Frontier, a: Analysis) -> pd.DataFrame:
    """Shares of the classes at each point."""
    wide = f.weights.pivot_table(index="point", columns="asset_class", values="weight", aggfunc="sum").fillna(0.0)
    return wide.reindex(columns=a.framework.class_codes, fill_value=0.0)


def test_more_risk_is_paid_with_more_return(found: dict[str, Frontier]) -> None:
    for f in found.values():
        assert len(f) == 9
        v, r = f.points["volatility"].to_numpy(), f.points["expected_return"].to_numpy()
        assert (np.diff(v) > 0).all()
        assert (np.diff(r) > -1e-4).all()
        net = (r - f.points["cost"].to_numpy() / YEARS)[1:]  # the first point is the calmest at any cost
        assert (np.diff(np.diff(net) / np.diff(v[1:])) < 0.01).all()  # concave in what is maximised


def test_the_plan_lies_on_or_under_the_frontier(found: dict[str, Frontier]) -> None:
    for f in found.values():
        marks = f.marks.set_index("mark")
        at = float(marks.loc["plan", "volatility"])
        best = np.interp(at, f.points["volatility"], f.points["expected_return"])
        assert marks.loc["plan", "expected_return"] <= best + 2e-3


def test_weights_are_a_whole_and_give_the_figures(found: dict[str, Frontier], analysis: Analysis) -> None:
    table = risk_table(analysis.framework, analysis.assumptions)
    for client, f in found.items():
        i = analysis.index(client)
        assert np.allclose(f.weights.groupby("point")["weight"].sum(), 1.0, atol=1e-4)
        if analysis.exposures.debt[i] == 0 and analysis.positions.cash_flow[i] == 0:
            shares = mixes(f, analysis).to_numpy()
            mean = shares @ table.mean
            assert np.allclose(mean, f.points["expected_return"], atol=1e-4)
            systematic = np.sqrt(((shares @ table.loadings) ** 2).sum(axis=1))
            assert (systematic <= f.points["volatility"] + 1e-6).all()


def test_no_point_breaks_a_limit_that_the_plan_keeps(found: dict[str, Frontier], analysis: Analysis) -> None:
    plan = al.rebalance(analysis, explain=False)
    f = analysis.framework
    for client, front in found.items():
        i = analysis.index(client)
        band = list(f.bands.values())[analysis.positions.band[i]]
        shares = mixes(front, analysis).to_numpy()
        for code, span in band.buckets.items():
            part = shares @ f.in_bucket[:, f.bucket_codes.index(code)]
            after = float(plan.after.select(client)["buckets"].set_index("bucket").loc[code, "share"])
            assert (part <= max(span.high or 1.0, after) + 2e-3).all()
            assert (part >= min(span.low or 0.0, after) - 2e-3).all()
        assert (front.points["volatility"] <= max(band.volatility, plan.after.risk.volatility[i]) + 1e-4).all()


def test_two_assets_have_the_frontier_of_the_closed_form() -> None:
    """Cash and one fund, nothing else to buy: return and volatility are both linear in the fund's share."""
    book = make_book(
        [("a", "cash", "deposit", 70), ("a", "fund", "equity_fund", 30)],
        [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 0.0}],
        products=[{"product_id": "P", "name": "none", "asset_class": "bond_fund", "status": "closed"}],
    )
    a = al.analyze(book, on=ON)
    table, codes = risk_table(a.framework, a.assumptions), a.framework.class_codes
    cash, fund = codes.index("deposit"), codes.index("equity_fund")
    f = frontier(a, "a", points=5)
    share = f.weights[f.weights["asset_class"] == "equity_fund"].set_index("point")["weight"]
    share = share.reindex(range(5), fill_value=0.0).to_numpy()
    x = np.zeros((5, len(codes)))
    x[:, fund], x[:, cash] = share, 1 - share
    sigma = np.sqrt(((x @ table.loadings) ** 2).sum(axis=1) + (x**2 @ table.idiosyncratic**2))
    assert np.allclose(sigma, f.points["volatility"], atol=1e-6)
    assert np.allclose(x @ table.mean, f.points["expected_return"], atol=1e-6)


def test_what_cannot_be_is_said(analysis: Analysis) -> None:
    with pytest.raises(ConfigError, match="2 or more"):
        frontier(analysis, "C007", points=1)
    with pytest.raises(InputError, match="insolvent"):
        frontier(analysis, "C012")
    with pytest.raises(InputError):
        frontier(analysis, "nobody")


def test_the_picture_draws_the_numbers(found: dict[str, Frontier]) -> None:
    for lang in ("en", "zh"):
        f = found["C010"]
        ax = plot_frontier(f, lang=lang)
        curve = ax.lines[0]
        assert np.allclose(curve.get_xdata(), f.points["volatility"])
        assert np.allclose(curve.get_ydata(), f.points["expected_return"])
        assert len(ax.get_legend().get_texts()) == 4
        assert "C010" not in " ".join(t.get_text() for t in ax.figure.findobj(lambda x: hasattr(x, "get_text")))
    own = plot_frontier(found["C007"], ax=ax)
    assert own is ax


def test_it_tells_of_itself(found: dict[str, Frontier]) -> None:
    assert "Frontier of 9 points" in repr(found["C007"])
    assert "C007" not in repr(found["C007"])
