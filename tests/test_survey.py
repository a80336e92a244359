"""467 real families of a survey, and the sample book in the other framework."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ON

from allocator.analysis import Analysis
from allocator.book import Book, read_book
from allocator.pipeline import analyze


def weighted_quantile(values: pd.Series, weights: pd.Series, q: float = 0.5) -> float:
    order = values.argsort().to_numpy()
    cumulated = weights.to_numpy()[order].cumsum()
    return float(values.to_numpy()[order][np.searchsorted(cumulated, q * cumulated[-1])])


@pytest.fixture(scope="module")
def survey(shared) -> tuple[pd.DataFrame, Analysis]:
    path = shared("scf/scf2022_even_entrepreneurs.csv")
    raw = pd.read_csv(path, dtype={"Y1": "str"}).set_index("Y1")
    return raw, analyze(read_book(path, format="scf"), on=ON)


def test_survey_buckets_are_those_of_the_raw_columns(survey: tuple[pd.DataFrame, Analysis]) -> None:
    raw, a = survey
    sums = {
        "defensive": ["LIQ", "CDS", "SAVBND", "CASHLI"],
        "growth": [
            "GOVTBND",
            "NOTXBND",
            "MORTBND",
            "OBND",
            "TFBMUTF",
            "GBMUTF",
            "OBMUTF",
            "STOCKS",
            "STMUTF",
            "OMUTF",
            "COMUTF",
            "OTHMA",
            "RETQLIQ",
            "OTHFIN",
        ],
        "offensive": ["ORESRE", "NNRESRE", "ACTBUS", "NONACTBUS", "OTHNFIN"],
    }
    money = pd.DataFrame({b: raw[columns].clip(lower=0).sum(axis=1) for b, columns in sums.items()})
    s = a.summary.set_index("client_id")
    assert len(s) == 467
    assert s["total"].tolist() == pytest.approx(money.sum(axis=1).reindex(s.index).tolist(), rel=1e-9)
    for b in sums:
        assert s[b].tolist() == pytest.approx((money[b] / money.sum(axis=1)).reindex(s.index).tolist(), abs=1e-9), b
    assert s["net_worth"].tolist() == pytest.approx(raw["NETWORTH"].reindex(s.index).tolist(), rel=1e-9)


def test_survey_families_hold_far_too_much_that_is_offensive(survey: tuple[pd.DataFrame, Analysis]) -> None:
    """The figures of the data page for all 939 families, of which these are every second one."""
    _, a = survey
    s = a.summary
    assert 0.52 <= s["offensive"].median() <= 0.56
    t = a.buckets[a.buckets["bucket"] == "offensive"]
    assert (t["share"] > t["high"]).mean() == pytest.approx(2 / 3, abs=0.03)
    assert (s["offensive"] > 0.35).mean() == pytest.approx(2 / 3, abs=0.03)
    assert (s["status"] == "exceeded").mean() > 0.98
    assert s["score"].median() > 75


def test_survey_with_weights_agrees_with_the_data_page(survey: tuple[pd.DataFrame, Analysis]) -> None:
    """Its offensive median, 52%, is of twice as many families: here it must lie in the 95% interval of a bootstrap."""
    raw, a = survey
    s = a.summary.set_index("client_id")
    weight = raw["WGT"].reindex(s.index)
    assert weighted_quantile(s["defensive"], weight) == pytest.approx(0.05, abs=0.01)
    balanced = s["band"] == "balanced"
    assert np.average(s.loc[balanced, "defensive"] < 0.05, weights=weight[balanced]) == pytest.approx(0.5, abs=0.05)
    rng = np.random.default_rng(7)
    draws = [rng.integers(0, len(s), len(s)) for _ in range(1000)]
    medians = [weighted_quantile(s["offensive"].iloc[i], weight.iloc[i]) for i in draws]
    low, high = np.quantile(medians, [0.025, 0.975])
    assert low < 0.52 < high
    assert high - low < 0.25, "an interval that wide would say nothing"


# ---- the sample book in the other framework


def test_sample_in_chhabra(sample: Book) -> None:
    """Gold moves to the market bucket, the home to the protective one, own listed shares to the aspirational one."""
    classic, other = analyze(sample, on=ON).holdings, analyze(sample, "chhabra", on=ON).holdings
    moved = {
        (a, b, x, y)
        for a, b, x, y in zip(
            classic["asset_class"], other["asset_class"], classic["bucket"], other["bucket"], strict=True
        )
        if (a, x) != (b, y)
    }
    assert moved == {
        ("gold", "gold", "defensive", "growth"),
        ("own_home", "own_home", "own_use", "defensive"),
        ("listed_equity", "concentrated_stock", "growth", "offensive"),
    }
    own = sample.holdings.set_index(["client_id", "asset_id"])["own_company"]
    stock = other[other["asset_class"] == "concentrated_stock"]
    assert len(stock)
    assert own.reindex(pd.MultiIndex.from_frame(stock[["client_id", "asset_id"]])).all()
    assert (
        not other[(other["asset_class"] == "listed_equity")]
        .merge(sample.holdings[sample.holdings["own_company"]], on=["client_id", "asset_id"])
        .shape[0]
    )
    assert np.isfinite(analyze(sample, "chhabra", on=ON).summary.set_index("client_id").loc["C005", "score"])
