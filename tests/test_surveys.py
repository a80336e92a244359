"""Population figures against answers found another way: repetition, theory, Rubin's rule by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.errors import InputError
from allocator.surveys import Figure, rubin, survey_figures, weighted_mean, weighted_quantile


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 5)), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_a_weight_is_a_repetition(rows: list[tuple[int, int]], at: float) -> None:
    values, weights = (np.array(x, dtype=float) for x in zip(*rows, strict=True))
    repeated = np.repeat(values, weights.astype(int))
    assert weighted_mean(values, weights)[0] == pytest.approx(repeated.mean())
    place = int(np.ceil(round(at * len(repeated), 9))) - 1
    assert weighted_quantile(values, weights, at)[0] == np.sort(repeated)[place]


def test_no_weight_is_no_figure() -> None:
    values, none = np.array([1.0, 2.0]), np.zeros((1, 2))
    assert np.isnan(weighted_quantile(values, none)[0])
    assert np.isnan(weighted_mean(values, none)[0])


def test_errors_are_those_of_theory() -> None:
    """Mean: σ/√n. Median of a normal: √(π/2) σ/√n."""
    rng = np.random.default_rng(3)
    n = 4_000
    table = pd.DataFrame({"x": rng.normal(5.0, 2.0, n), "weight": 1.0, "implicate": 1})
    told = survey_figures(table, {"mean": Figure("x"), "median": Figure("x", "quantile")}, draws=2_000)
    assert told.loc["mean", "standard_error"] == pytest.approx(2.0 / n**0.5, rel=0.07)
    assert told.loc["median", "standard_error"] == pytest.approx((np.pi / 2) ** 0.5 * 2.0 / n**0.5, rel=0.12)
    assert told["families"].tolist() == [n, n]


def test_unequal_weights_make_errors_larger_by_kish() -> None:
    """Effective size n / (1 + cv²) of the weights (Kish 1965)."""
    rng = np.random.default_rng(4)
    n = 3_000
    weight = rng.lognormal(0.0, 0.8, n)
    table = pd.DataFrame({"x": rng.normal(0.0, 1.0, n), "weight": weight, "implicate": 1})
    size = weight.sum() ** 2 / (weight**2).sum()
    error = survey_figures(table, {"mean": Figure("x")}, draws=2_000)["standard_error"].iloc[0]
    assert error == pytest.approx(1.0 / size**0.5, rel=0.1)


def test_implicates_are_put_together_as_rubin_says() -> None:
    values, variances = np.array([[1.0], [2.0], [3.0]]), np.array([[0.5], [0.6], [0.7]])
    assert rubin(values, variances)[0] == pytest.approx(0.6 + (1 + 1 / 3) * 1.0)
    assert rubin(values[:1], variances[:1])[0] == 0.5
    rng = np.random.default_rng(5)
    base = rng.normal(0.0, 1.0, 500)
    same = [pd.DataFrame({"x": base, "weight": 1.0, "implicate": m}) for m in range(5)]
    moved = [t.assign(x=t["x"] + m) for m, t in enumerate(same)]
    one, five, apart = (survey_figures(pd.concat(t), {"mean": Figure("x")}).iloc[0] for t in (same[:1], same, moved))
    assert five["standard_error"] == pytest.approx(one["standard_error"], rel=0.1)
    assert apart["value"] == pytest.approx(one["value"] + 2.0)
    assert apart["standard_error"] ** 2 == pytest.approx(five["standard_error"] ** 2 + 1.2 * 2.5, rel=1e-3)
    assert (five["families"], five["implicates"]) == (500, 5)


def test_the_same_call_gives_the_same_error() -> None:
    table = pd.DataFrame({"x": np.arange(50.0), "weight": 1.0, "implicate": 1})
    first, second = (survey_figures(table, {"m": Figure("x")}) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_what_is_missing_is_named() -> None:
    table = pd.DataFrame({"x": [1.0], "implicate": [1]})
    with pytest.raises(InputError, match="without weight, y"):
        survey_figures(table, {"m": Figure("y")})
    with pytest.raises(InputError, match="no rows"):
        survey_figures(table.assign(weight=1.0).iloc[:0], {"m": Figure("x")})
