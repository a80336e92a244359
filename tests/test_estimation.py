"""Estimates from price histories against scikit-learn and plain numpy, and the assumptions that are made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator as al
from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.errors import ConfigError, InputError
from allocator.estimation import Estimate, estimate
from allocator.framework import load_framework
from allocator.price_history import periods_of
from allocator.provenances import class_mean, class_volatility
from allocator.shrinkage import first_autocorrelation, ledoit_wolf, unsmooth

CLASSES = ("listed_equity", "government_bond", "gold", "hedge_fund")
SPREAD = np.array([0.05, 0.01, 0.04, 0.02])
MIX = np.array([[1, 0, 0, 0], [-0.2, 1, 0, 0], [0.1, 0.1, 1, 0], [0.6, 0.1, 0, 1]])


def months(count: int = 120, seed: int = 0) -> pd.DataFrame:
    """Monthly returns of four classes that move together a little."""
    x = 0.005 + np.random.default_rng(seed).normal(size=(count, 4)) @ MIX.T * SPREAD
    return pd.DataFrame(x, index=pd.date_range("2015-01-31", periods=count, freq="ME"), columns=list(CLASSES))


def prices(returns: pd.DataFrame) -> pd.DataFrame:
    """Prices with these returns, from 100 on."""
    first = pd.DataFrame(100.0, index=[returns.index[0] - pd.offsets.MonthEnd()], columns=returns.columns)
    return pd.concat([first, 100 * (1 + returns).cumprod()])


def codes(found: Estimate) -> list[str]:
    return [n.code for n in found.notes]


# ---- shrinkage


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 12), st.floats(1e-3, 10))
def test_ledoit_wolf_is_that_of_scikit_learn(seed: int, rows: int, assets: int, scale: float) -> None:
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn is part of the dev extra")
    rng = np.random.default_rng(seed)
    x = scale * rng.normal(size=(rows, assets)) @ rng.normal(size=(assets, assets)) + rng.normal(size=assets)
    ours, weight = ledoit_wolf(x)
    theirs = covariance.LedoitWolf().fit(x)
    assert weight == pytest.approx(theirs.shrinkage_, abs=1e-12)
    assert ours == pytest.approx(theirs.covariance_, rel=1e-12, abs=1e-12 * max(1.0, np.abs(theirs.covariance_).max()))


def test_estimate_is_ledoit_wolf_times_the_periods_of_a_year() -> None:
    covariance = pytest.importorskip("sklearn.covariance", reason="scikit-learn is part of the dev extra")
    x = months()
    found = estimate(prices(x))
    theirs = covariance.LedoitWolf().fit(x.to_numpy())
    assert found.periods_per_year == 12
    assert np.abs(found.covariance.to_numpy() - 12 * theirs.covariance_).max() < 1e-12
    assert found.shrinkage == pytest.approx(theirs.shrinkage_, abs=1e-12)
    assert found.mean.to_numpy() == pytest.approx(12 * x.mean().to_numpy(), abs=1e-12)
    assert found.volatility.to_numpy() == pytest.approx(np.sqrt(np.diag(found.covariance)))
    assert found.years == pytest.approx(10)
    assert found.table["standard_error"].to_numpy() == pytest.approx(np.sqrt(12) * x.std(ddof=0) / np.sqrt(10))


def test_a_single_asset_is_not_shrunk() -> None:
    found = estimate(months()[["gold"]], returns=True)
    assert found.shrinkage == 0
    assert found.volatility["gold"] == pytest.approx(months()["gold"].std(ddof=0) * np.sqrt(12))


def test_correlations_alone_can_be_shrunk_or_nothing() -> None:
    x = months()
    plain = estimate(x, returns=True, shrink="none")
    assert plain.shrinkage == 0
    assert plain.correlation.to_numpy() == pytest.approx(np.corrcoef(x.T), abs=1e-12)
    alone = estimate(x, returns=True, shrink="correlation")
    assert alone.volatility.to_numpy() == pytest.approx(plain.volatility.to_numpy(), abs=1e-15)
    _, weight = ledoit_wolf(((x - x.mean()) / x.std(ddof=0)).to_numpy())
    assert alone.shrinkage == pytest.approx(weight)
    off = ~np.eye(4, dtype=bool)
    assert alone.correlation.to_numpy()[off] == pytest.approx((1 - weight) * np.corrcoef(x.T)[off])
    assert "moved" not in codes(alone)
    moved = next(n for n in estimate(x, returns=True).notes if n.code == "moved")
    assert moved.data["asset"] == "government_bond"
    assert moved.data["after"] > moved.data["before"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.permutations(range(4)), st.floats(0.1, 5))
def test_order_does_not_matter_and_scale_scales(seed: int, order: list[int], scale: float) -> None:
    x = months(60, seed)
    one, two = estimate(x, returns=True), estimate(x.iloc[:, order], returns=True)
    pd.testing.assert_frame_equal(one.covariance.loc[two.assets, two.assets], two.covariance, rtol=1e-9)
    assert one.shrinkage == pytest.approx(two.shrinkage, abs=1e-12)
    scaled = estimate(prices(x) * scale)
    assert scaled.covariance.to_numpy() == pytest.approx(one.covariance.to_numpy(), rel=1e-9, abs=1e-15)


def test_nothing_is_changed_and_dates_in_any_order_are_sorted() -> None:
    p = prices(months())
    before = p.copy()
    one, two = estimate(p), estimate(p.iloc[::-1])
    pd.testing.assert_frame_equal(p, before)
    pd.testing.assert_frame_equal(one.covariance, two.covariance)


# ---- appraisals


def test_unsmoothing_takes_back_what_an_appraiser_did() -> None:
    r = pd.Series(np.random.default_rng(3).normal(0.05, 0.15, 5000), name="flats")
    s = r.copy()
    for t in range(1, len(s)):
        s[t] = 0.4 * r[t] + 0.6 * s[t - 1]
    back = unsmooth(s, 0.6)
    assert np.isnan(back.iloc[0])
    assert back.iloc[1:].to_numpy() == pytest.approx(r.iloc[1:].to_numpy(), abs=1e-12)
    guessed = unsmooth(s)
    assert guessed.std() == pytest.approx(0.15, rel=0.05)
    assert guessed.mean() == pytest.approx(s.mean(), abs=0.002)
    assert s.std() == pytest.approx(0.15 * np.sqrt(0.4 / 1.6), rel=0.05)


def test_what_is_not_smoothed_stays_and_gaps_are_refused() -> None:
    wild = pd.Series([0.1, -0.1] * 10, name="x")
    assert first_autocorrelation(wild.to_numpy()) < 0
    assert unsmooth(wild).equals(wild)
    padded = pd.Series([np.nan, 0.1, 0.12, 0.08, 0.02, np.nan])
    assert unsmooth(padded, 0.5).notna().sum() == 3
    with pytest.raises(InputError, match="'flats' must have at least three returns and no gap"):
        unsmooth(pd.Series([0.1, np.nan, 0.1, 0.2], name="flats"))
    with pytest.raises(InputError, match=r"autocorrelation of 1\.00"):
        unsmooth(wild, 1.0)


def test_house_prices_before_and_after(shared: Any) -> None:
    years = pd.read_csv(shared("returns/us_annual_1928_2015.csv"), index_col="year")
    years.index = pd.to_datetime(years.index.astype(str) + "-12-31")
    x = years[["sp500", "real_estate"]].set_axis(["listed_equity", "investment_property"], axis=1)
    found = estimate(x, returns=True, appraised=["investment_property"], shrink="none")
    row = found.table.set_index("asset").loc["investment_property"]
    assert row["autocorrelation"] == pytest.approx(0.687, abs=5e-4)
    assert row["volatility_given"] == pytest.approx(0.063, abs=1e-3)
    assert row["volatility_sample"] == pytest.approx(0.146, abs=1e-3)
    assert row["observations"] == 87
    assert found.table.set_index("asset").loc["listed_equity", "observations"] == 87
    note = next(n for n in found.notes if n.code == "unsmoothed")
    assert (note.data["before"], note.data["after"]) == (row["volatility_given"], row["volatility_sample"])
    ours = load_assumptions().factors["property"].volatility
    assert ours == pytest.approx(row["volatility_sample"] * np.sqrt(87 / 86), abs=5e-5)


def test_an_appraised_series_that_is_not_smooth_is_said() -> None:
    x = months()
    x["gold"] = np.resize([0.03, -0.02], len(x))
    assert "not_smoothed" in codes(estimate(x, returns=True, appraised=["gold"]))


# ---- missing prices


def test_missing_prices_are_left_out_and_said() -> None:
    x = months()
    p = prices(x)
    p.iloc[10, 2] = np.nan  # one price: two returns
    found = estimate(p)
    kept = x.drop(x.index[[9, 10]])
    assert np.abs(found.covariance.to_numpy() - 12 * ledoit_wolf(kept.to_numpy())[0]).max() < 1e-15
    note = next(n for n in found.notes if n.code == "dropped")
    assert note.data == {"rows": 2, "used": 118, "asset": "gold"}
    assert found.table["observations"].tolist() == [118] * 4


def test_pairwise_uses_all_there_is_and_repairs_what_cannot_hold_together() -> None:
    """Three pieces of history that contradict each other: a with b, b with c, but a against c."""
    rng = np.random.default_rng(0)
    n = 60
    x = pd.DataFrame(np.nan, index=pd.date_range("2010-01-31", periods=3 * n + 12, freq="ME"), columns=["a", "b", "c"])
    for k, (one, two, sign) in enumerate((("a", "b", 1), ("b", "c", 1), ("a", "c", -1))):
        f, rows = rng.normal(0, 0.04, n), x.index[k * n : (k + 1) * n]
        x.loc[rows, one], x.loc[rows, two] = f, sign * f + rng.normal(0, 0.002, n)
    x.iloc[3 * n :] = rng.normal(0, 0.005, (12, 3))
    found = estimate(x, returns=True, missing="pairwise", shrink="none")
    assert found.repair is not None
    assert found.repair.lowest_before < -0.05
    assert found.repair.changed
    note = next(m for m in found.notes if m.code == "repaired")
    i, j = found.repair.pair
    assert (note.data["one"], note.data["two"]) == ("abc"[i], "abc"[j])
    assert found.correlation.iloc[i, j] == pytest.approx(note.data["after"], abs=1e-12)
    assert np.linalg.eigvalsh(found.covariance).min() > -1e-15
    own = x.std(ddof=0) * np.sqrt(12)
    assert found.table["volatility_sample"].to_numpy() == pytest.approx(own.to_numpy())
    assert found.table["observations"].tolist() == [2 * n + 12] * 3
    both = x[["a", "b"]].dropna()
    told = np.corrcoef(both.T)[0, 1]
    assert found.correlation.loc["a", "b"] != pytest.approx(told, abs=1e-3)
    assert estimate(x, returns=True).table["observations"].tolist() == [12] * 3


def test_without_gaps_pairwise_is_the_same() -> None:
    one, two = (estimate(months(), returns=True, missing=m) for m in ("complete", "pairwise"))
    assert two.covariance.to_numpy() == pytest.approx(one.covariance.to_numpy(), abs=1e-15)
    assert two.repair is not None
    assert not two.repair.changed
    assert one.repair is None


# ---- wrong input


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda p: p.assign(gold=-p["gold"]), InputError, "'gold' has prices of 0 or less"),
        (lambda p: p.assign(gold=np.inf), InputError, "'gold' holds an infinite number"),
        (lambda p: p.assign(gold="dear"), InputError, "'gold' holds what is no number"),
        (lambda p: p.iloc[:8], InputError, "only 7 periods"),
        (lambda p: p.assign(gold=np.nan), InputError, "only 0 periods.*leave out 'gold'"),
        (lambda p: pd.concat([p, p.iloc[:1]]), InputError, "date comes twice"),
        (lambda p: pd.concat([p, p[["gold"]]], axis=1), InputError, "column 'gold' comes twice"),
        (lambda p: p.iloc[:, :0], InputError, "column per asset class"),
        (lambda p: p["gold"], InputError, "DataFrame"),
        (lambda p: p.reset_index(drop=True), ConfigError, "give periods_per_year"),
        (lambda p: p.iloc[::7], ConfigError, "no usual frequency"),
    ],
)
def test_wrong_prices_are_named(change: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        estimate(change(prices(months())))


def test_percent_is_not_taken_for_fractions() -> None:
    with pytest.raises(InputError, match=r"'listed_equity'.*(look like percent|5% is 0.05)"):
        estimate(100 * months(), returns=True)
    with pytest.raises(InputError, match="look like percent"):
        estimate(100 * months().abs(), returns=True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"missing": "fill"}, "missing must be one of: complete, pairwise"),
        ({"shrink": "all"}, "shrink must be one of"),
        ({"periods_per_year": 0}, "above 0"),
        ({"appraised": ["flats"]}, "no column 'flats'"),
    ],
)
def test_wrong_arguments_are_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        estimate(months(), returns=True, **more)


@pytest.mark.parametrize(
    ("frequency", "periods"), [("B", 252), ("D", 252), ("W", 52), ("ME", 12), ("MS", 12), ("QE", 4), ("YE", 1)]
)
def test_the_dates_tell_the_frequency(frequency: str, periods: float) -> None:
    assert periods_of(pd.date_range("2001-01-01", periods=60, freq=frequency)) == periods
    if frequency == "ME":
        assert periods_of(pd.period_range("2001-01", periods=60, freq="M")) == 12


# ---- assumptions


def made(**more: Any) -> tuple[Estimate, Assumptions]:
    found = estimate(months(), returns=True)
    return found, found.assumptions(**more)


def table_of(a: Assumptions) -> tuple[Any, list[str]]:
    f = load_framework()
    return risk_table(f, a), f.class_codes


def test_given_classes_have_the_figures_and_the_correlations() -> None:
    found, a = made()
    table, names = table_of(a)
    at = [names.index(c) for c in CLASSES]
    sample = found.table["volatility_sample"].to_numpy()
    expected = found.correlation.to_numpy() * np.outer(sample, sample)
    assert table.covariance[np.ix_(at, at)] == pytest.approx(expected, abs=1e-12)
    assert table.mean[at] == pytest.approx(found.mean.to_numpy())
    base = load_assumptions()
    for c in CLASSES:
        assert a.classes[c].idiosyncratic == base.classes[c].idiosyncratic
        assert a.classes[c].loadings == {f"{c}_estimated": 1.0}


def test_all_other_classes_keep_their_means_volatilities_and_loadings() -> None:
    _, a = made()
    base = load_assumptions()
    single = [c for c, x in base.classes.items() if c not in CLASSES and len(x.loadings) <= 1]
    assert {"equity_fund", "investment_property", "private_business", "deposit"} <= set(single)
    for code, c in base.classes.items():
        if code not in CLASSES:
            assert a.classes[code] == c
            assert class_mean(a, a.classes[code]) == class_mean(base, c)
    for code in single:
        assert class_volatility(a, a.classes[code]) == pytest.approx(class_volatility(base, base.classes[code]))
    assert "gold" not in a.factors, "nothing loads on it any more"
    assert "cash" not in a.factors


def test_what_was_the_same_market_still_is() -> None:
    _, a = made()
    table, names = table_of(a)
    spread = np.sqrt(np.diag(table.covariance))
    one, two, bond, fund = (names.index(c) for c in ("listed_equity", "equity_fund", "government_bond", "bond_fund"))
    assert table.covariance[one, two] == pytest.approx(spread[one] * spread[two])
    # two funds of replaced markets take over how these go together
    both = table.covariance[two, fund] / (spread[two] * spread[fund])
    assert both == pytest.approx(table.covariance[one, bond] / (spread[one] * spread[bond]))


def test_the_regression_of_the_rest_stays_that_of_the_base() -> None:
    """Property on shares and bonds: the slopes of the base, with other volatilities of shares and bonds."""
    base = load_assumptions()
    order = list(base.correlation.order)
    r = np.array(base.correlation.rows)
    at, y = [order.index("equity"), order.index("bond")], order.index("property")
    slopes = np.linalg.solve(r[np.ix_(at, at)], r[at, y])
    x = months()[["listed_equity", "government_bond"]]
    a = estimate(x, returns=True, shrink="none").assumptions()
    now, names = np.array(a.correlation.rows), list(a.correlation.order)
    new, p = [names.index("listed_equity_estimated"), names.index("government_bond_estimated")], names.index("property")
    rho = np.corrcoef(x.T)
    variance = 1 + slopes @ (rho - r[np.ix_(at, at)]) @ slopes
    assert now[new, p] == pytest.approx(rho @ slopes / np.sqrt(variance), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sets(st.sampled_from(sorted(load_assumptions().classes)), min_size=1, max_size=8))
def test_any_classes_can_be_replaced_and_all_holds_together(seed: int, names: set[str]) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, len(names))) @ rng.normal(size=(len(names), len(names))) * 0.02
    dates = pd.date_range("2020-01-31", periods=40, freq="ME")
    a = estimate(pd.DataFrame(x, index=dates, columns=sorted(names)), returns=True).assumptions()
    table, _ = table_of(a)
    assert np.linalg.eigvalsh(table.covariance).min() > -1e-10
    assert np.isfinite(table.mean).all()


def test_figures_of_the_base_itself_change_nothing() -> None:
    """Simulated without noise from the base: the covariance of every class comes back."""
    base = load_assumptions()
    table, names = table_of(base)
    wanted = ["listed_equity", "government_bond", "investment_property"]
    at = [names.index(c) for c in wanted]
    draws = np.random.default_rng(0).normal(size=(500, 3))
    draws -= draws.mean(axis=0)
    draws @= np.linalg.inv(np.linalg.cholesky(draws.T @ draws / 500)).T
    x = draws @ np.linalg.cholesky(table.covariance[np.ix_(at, at)]).T * 0.2 + table.mean[at] / 25
    frame = pd.DataFrame(x, columns=wanted)
    a = estimate(frame, returns=True, periods_per_year=25, shrink="none").assumptions()
    again, _ = table_of(a)
    assert again.covariance == pytest.approx(table.covariance, abs=1e-12)
    assert again.mean == pytest.approx(table.mean, abs=1e-12)


def test_a_whole_factor_can_be_replaced() -> None:
    x = months().rename(columns={"listed_equity": "factor:equity"})[["factor:equity"]]
    a = estimate(x, returns=True).assumptions()
    base = load_assumptions()
    assert list(a.factors) == [*(f for f in base.factors if f not in ("cash", "equity")), "equity"]
    assert a.factors["equity"].volatility == pytest.approx(months()["listed_equity"].std(ddof=0) * np.sqrt(12))
    assert a.classes == base.classes
    assert class_volatility(a, a.classes["derivative"]) == pytest.approx(2 * a.factors["equity"].volatility)
    i, j = a.correlation.order.index("equity"), a.correlation.order.index("private_equity")
    assert a.correlation.rows[i][j] == pytest.approx(0.73)


def test_means_can_stay_those_of_the_base_and_years_follow_the_means() -> None:
    _, kept = made(means=False)
    found, own = made()
    base = load_assumptions()
    assert class_mean(kept, kept.classes["listed_equity"]) == base.factors["equity"].mean
    assert kept.years == base.years
    assert own.years == found.years == pytest.approx(10)
    short = estimate(months(36), returns=True)
    assert "few_years" in codes(short)
    assert short.assumptions().years == pytest.approx(3)


def test_what_does_not_move_has_no_factor() -> None:
    x = months().assign(deposit=0.001)
    a = estimate(x, returns=True, shrink="none").assumptions("china")
    assert a.classes["deposit"].loadings == {}
    assert a.classes["deposit"].expected_return == pytest.approx(0.012)
    with pytest.raises(ConfigError, match="'factor:gold' does not move"):
        estimate(x.rename(columns={"deposit": "factor:gold"}), returns=True, shrink="none").assumptions()


def test_unknown_names_are_refused_with_those_that_are_allowed() -> None:
    x = months().rename(columns={"gold": "silver"})
    with pytest.raises(ConfigError, match=r"no class 'silver'.*listed_equity.*factor:NAME"):
        estimate(x, returns=True).assumptions()
    with pytest.raises(ConfigError, match=r"no factor 'factor:silver'.*bond"):
        estimate(months().rename(columns={"gold": "factor:silver"}), returns=True).assumptions()


def test_assumptions_are_used_by_the_analysis() -> None:
    book = make_book([("a", "Shares", "listed_equity", 60.0), ("a", "Cash", "deposit", 40.0)])
    found, a = made()
    own = load_assumptions().classes["listed_equity"].idiosyncratic
    result = al.analyze(book, assumptions=a, on=ON)
    sigma = found.table.set_index("asset").loc["listed_equity", "volatility_sample"]
    assert result.risk.volatility[0] == pytest.approx(0.6 * np.hypot(sigma, own))
    assert a.name in ("long_run with own figures",)
    again = estimate(months(seed=9)[["gold"]], returns=True).assumptions(a)
    assert al.analyze(book, assumptions=again, on=ON).risk.volatility[0] == pytest.approx(result.risk.volatility[0])


def test_the_repr_can_be_read() -> None:
    text = repr(made()[0])
    assert "10.0 years, 12 returns a year" in text
    assert "listed_equity: mean" in text
    assert "±" in text
