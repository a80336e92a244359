"""Parts of the volatility: published examples, plain matrices, sums and derivatives; and bets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from conftest import ON, make_book
from worlds import random_world

from allocator.analysis import Analysis
from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.contributions import effective_bets, moves, torsion
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.risk_measures import RiskMeasures, measure_risk

CLASSIC = load_framework()
FOUR = ("listed_equity", "gold", "government_bond", "investment_property")


def assumed(volatility: list[float], correlation: Any, own: float = 0.0) -> Assumptions:
    """Assumptions in which four classes are factors of their own and everything else stands still."""
    tree = load_assumptions().model_dump(by_alias=True)
    names = ["a", "b", "c", "d"][: len(volatility)]
    tree["factors"] = {
        n: {"mean": 0.05, "volatility": v, "source": "test"} for n, v in zip(names, volatility, strict=True)
    }
    tree["correlation"] = {"order": names, "rows": np.asarray(correlation).tolist(), "source": "test"}
    kinds: dict[str, Any] = {k: {"source": "test"} for k in tree["classes"]}
    for code, name in zip(FOUR, names, strict=False):
        kinds[code] = {"loadings": {name: 1.0}, "idiosyncratic": own, "source": "test"}
    return Assumptions.model_validate(tree | {"classes": kinds})


def family(weights: list[float], assumptions: Assumptions, debt: float = 0.0) -> RiskMeasures:
    rows = [("a", code, code, 1e6 * w) for code, w in zip(FOUR, weights, strict=True)]
    debts = {"debts": [{"client_id": "a", "value": debt}]} if debt else {}
    book = make_book(rows, [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1.0}], **debts)
    return measure_risk(analyze(book, CLASSIC, assumptions=assumptions, on=ON))


# Maillard, Roncalli and Teïletche, The properties of equally weighted risk contributions portfolios, J. Portfolio
# Management 36(4), 2010, numerical example: four assets, two portfolios with their margins and shares of the risk.
ERC_CORRELATION = [[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]]
ERC = {
    "1/n": ((0.25, 0.25, 0.25, 0.25), 0.115, (0.056, 0.122, 0.065, 0.217), (0.123, 0.264, 0.141, 0.472)),
    "erc": ((0.384, 0.192, 0.243, 0.182), 0.103, (0.067, 0.134, 0.106, 0.141), (0.25, 0.25, 0.25, 0.25)),
}


@pytest.mark.parametrize("name", ERC)
def test_published_risk_contributions(name: str) -> None:
    weights, sigma, marginal, share = ERC[name]
    m = family(list(weights), assumed([0.1, 0.2, 0.3, 0.4], ERC_CORRELATION))
    assert m.summary["volatility"][0] == pytest.approx(sigma, abs=6e-4)
    assert m.holdings["marginal"].tolist() == pytest.approx(marginal, abs=6e-4)
    assert m.holdings["risk_share"].tolist() == pytest.approx(share, abs=3e-3)
    assert m.classes.set_index("asset_class")["risk_share"].to_dict() == pytest.approx(
        dict(zip(FOUR, m.holdings["risk_share"], strict=True)), abs=1e-12
    )


def test_debt_multiplies_every_part() -> None:
    plain = family([0.25] * 4, assumed([0.1, 0.2, 0.3, 0.4], ERC_CORRELATION))
    geared = family([0.25] * 4, assumed([0.1, 0.2, 0.3, 0.4], ERC_CORRELATION), debt=5e5)
    assert geared.holdings["contribution"].tolist() == pytest.approx(2 * plain.holdings["contribution"], rel=1e-12)
    assert geared.holdings["risk_share"].tolist() == pytest.approx(plain.holdings["risk_share"], rel=1e-12)


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
@pytest.mark.parametrize("seed", range(3))
def test_parts_sum_to_the_whole_whatever_is_held(seed: int, preset: str) -> None:
    """Funds looked through, several accounts of one asset, own-use assets, debts, foreign money: to 1e-12."""
    m = measure_risk(analyze(random_world(seed, load_framework(preset), clients=40).book(), preset, on=ON))
    s = m.summary.set_index("client_id")["volatility"]
    assert s.notna().sum() > 15
    for table in (m.holdings, m.classes, m.buckets):
        total = table.groupby("client_id")["contribution"].sum(min_count=1).reindex(s.index)
        some = total.notna()
        assert (total[some] - s[some]).abs().max() < 1e-12 * max(1.0, s.max())
        assert s[~some].fillna(0).eq(0).all()
    assert m.classes.groupby("client_id")["value"].sum().to_numpy() == pytest.approx(
        m.buckets.groupby("client_id")["value"].sum().loc[m.classes["client_id"].unique()].to_numpy(), abs=1e-6
    )


def plain_parts(a: Analysis, i: int) -> tuple[np.ndarray, float]:
    """Contributions of one client's rows with full matrices: covariance of rows = mixes, and own parts by asset."""
    p, t = a.positions, risk_table(a.framework, a.assumptions)
    rows = np.flatnonzero(p.client == i)
    inside = a.framework.flag("inside")
    mix = p.mix_table[p.mix[rows]] * inside
    own = np.append(t.idiosyncratic * inside, 0.0)[p.klass[rows]]
    same = p.asset[rows][:, None] == p.asset[rows][None, :]
    covariance = mix @ t.covariance @ mix.T + same * np.outer(own, own)
    v = p.value[rows]
    sigma = float(np.sqrt(v @ covariance @ v))
    return v * (covariance @ v) / sigma if sigma else 0.0 * v, sigma


def test_parts_are_those_of_plain_matrices() -> None:
    a = analyze(random_world(7, CLASSIC, clients=60).book(), CLASSIC, on=ON)
    m, seen = measure_risk(a), 0
    for i in range(len(a)):
        if a.exposures.equity[i] > 0:
            parts, sigma = plain_parts(a, i)
            mine = m.parts.holding[a.positions.client == i]
            assert mine == pytest.approx(parts / a.exposures.equity[i], rel=1e-10, abs=1e-13)
            assert m.summary["volatility"][i] == pytest.approx(sigma / a.exposures.equity[i], rel=1e-10)
            seen += sigma > 0
    assert seen > 20


def test_the_margin_is_a_derivative() -> None:
    """Own money put into a holding, with debt unchanged in E: dσ/dv is the difference of two volatilities in money."""
    a = analyze(random_world(3, CLASSIC, clients=30).book(), CLASSIC, on=ON)
    t, p, inside = risk_table(CLASSIC, a.assumptions), a.positions, CLASSIC.flag("inside")
    m, step = measure_risk(a), 1.0
    for row in range(0, len(p.value), 7):
        if p.value[row] < 1e4 or not np.isfinite(m.parts.marginal[row]):
            continue
        more, less = p.value.copy(), p.value.copy()
        more[row] += step
        less[row] -= step
        up, down = (moves(replace(p, value=v), t, inside).sigma[p.client[row]] for v in (more, less))
        assert m.parts.marginal[row] == pytest.approx((up - down) / (2 * step), abs=2e-7)


def test_what_does_not_move_has_no_part_and_no_margin() -> None:
    m = family([1.0, 0.0, 0.0, 0.0], assumed([0.2, 0.2], np.eye(2)))
    assert m.holdings["contribution"].tolist() == pytest.approx([0.2, 0, 0, 0])
    still = measure_risk(analyze(make_book([("a", "x", "deposit", 10.0)]), CLASSIC, on=ON))
    assert still.holdings["contribution"].tolist() == [0.0]
    assert still.holdings[["marginal", "risk_share"]].isna().all(axis=None)
    assert np.isnan(still.summary["bets"][0])
    poor = family([0.25] * 4, assumed([0.2, 0.2], np.eye(2)), debt=2e6)
    assert poor.holdings[["marginal", "contribution", "risk_share"]].isna().all(axis=None)
    assert poor.classes["contribution"].isna().all()


# ---- bets


def test_published_minimum_torsion() -> None:
    """Four share indices, equally weighted: shares of the bets and their number as the R package uncorbets prints them
    for its data (EuStockMarkets, daily log returns 1991-98); correlations and volatilities of the same data.
    """
    c = np.array(
        [
            [1, 0.7031219, 0.7344304, 0.6394674],
            [0.7031219, 1, 0.6160454, 0.5847791],
            [0.7344304, 0.6160454, 1, 0.6485679],
            [0.6394674, 0.5847791, 0.6485679, 1],
        ]
    )
    sigma = np.array([0.01030084, 0.009250036, 0.01103088, 0.007957728])
    carried = (torsion(c) @ (sigma / 4)) ** 2
    p = carried / carried.sum()
    assert p == pytest.approx([0.2673005, 0.2404370, 0.2776369, 0.2146256], abs=5e-5)
    assert np.exp(-(p * np.log(p)).sum()) == pytest.approx(3.980549, abs=1e-5)
    # through a family's book it is the same number
    m = family([0.25] * 4, assumed((sigma * 16).tolist(), c))
    assert m.summary["bets"][0] == pytest.approx(3.980549, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_equal_bets_without_correlation_count_as_many(n: int) -> None:
    m = family([1 / n if k < n else 0.0 for k in range(4)], assumed([0.2] * 4, np.eye(4)))
    assert m.summary["bets"][0] == pytest.approx(n, rel=1e-12)
    assert m.summary["effective_classes"][0] == pytest.approx(n, rel=1e-12)


@pytest.mark.parametrize("n", [1, 5, 40])
def test_single_names_are_bets_of_their_own(n: int) -> None:
    """Firms with nothing in common: as many bets as firms, though all of one class."""
    tree = assumed([0.2] * 4, np.eye(4)).model_dump(by_alias=True)
    tree["classes"]["private_business"] = {"idiosyncratic": 0.4, "source": "test"}
    book = make_book([("a", f"firm {k}", "private_business", 10.0) for k in range(n)])
    s = measure_risk(analyze(book, CLASSIC, assumptions=Assumptions.model_validate(tree), on=ON)).summary
    assert s["bets"][0] == pytest.approx(n, rel=1e-12)
    assert s["effective_holdings"][0] == pytest.approx(n, rel=1e-12)
    assert s["effective_classes"][0] == pytest.approx(1)


def test_bets_see_through_classes_that_move_together() -> None:
    together = np.full((4, 4), 0.98) + 0.02 * np.eye(4)
    m = family([0.25] * 4, assumed([0.1, 0.1, 0.1, 0.1], together))
    assert m.summary["effective_classes"][0] == pytest.approx(4)
    # four equal factors stay four equal bets, as Meucci has it; a book of one of them is one bet no longer
    alone = family([1.0, 0, 0, 0], assumed([0.1] * 4, together))
    assert m.summary["bets"][0] == pytest.approx(4)
    assert 1 < alone.summary["bets"][0] < 4


def test_torsion_is_a_root_that_stays_as_close_as_can_be() -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        x = rng.normal(size=(40, 6)) @ rng.normal(size=(6, 6))
        c = np.corrcoef(x.T)
        m = torsion(c)
        assert m.T @ m == pytest.approx(c, abs=1e-12)

        def distance(m: np.ndarray) -> float:
            """Sum of 1 − r² over factors: what uncorrelated factors leave unexplained of the ones they stand for."""
            return float((1 - np.diag(m) ** 2).sum())

        for _ in range(50):
            q, _ = np.linalg.qr(np.eye(6) + 0.1 * rng.normal(size=(6, 6)))
            q = q * np.sign(np.diag(q))
            assert distance(m) <= distance(q @ m) + 1e-12


def test_a_correlation_without_full_rank_still_has_bets() -> None:
    m = family([0.5, 0.5, 0, 0], assumed([0.2, 0.2], [[1, 1], [1, 1]]))
    assert m.summary["volatility"][0] == pytest.approx(0.2)
    assert 1 - 1e-12 <= m.summary["bets"][0] <= 2 + 1e-12  # the last digit is the processor's


def test_bets_do_not_depend_on_money_order_or_debt() -> None:
    a = analyze(random_world(5, CLASSIC, clients=40).book(), CLASSIC, on=ON)
    t, p, inside = risk_table(CLASSIC, a.assumptions), a.positions, CLASSIC.flag("inside")
    found = moves(p, t, inside)
    base = effective_bets(found, CLASSIC, a.assumptions)
    scaled = effective_bets(moves(replace(p, value=p.value * 37.5), t, inside), CLASSIC, a.assumptions)
    assert scaled == pytest.approx(base, rel=1e-10, nan_ok=True)
    most = len(a.assumptions.factors) + np.bincount(p.client, minlength=len(p))
    known = np.isfinite(base)
    assert (base[known] >= 1 - 1e-12).all()
    assert (base[known] <= most[known] + 1e-9).all()
