"""Measures of own money: plain computations client by client, properties, misuse, the sample and real families."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from scipy import stats
from worlds import World, random_world

import allocator as al
from allocator.analysis import Analysis
from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.book import Book, read_book
from allocator.errors import ConfigError, InputError
from allocator.framework import load_framework
from allocator.past_years import PastYears, history
from allocator.pipeline import analyze
from allocator.risk_measures import measure_risk
from allocator.tails import expected_drawdown

CLASSIC = load_framework()
LOSSES = [f"{kind}_{way}" for way in ("normal", "t", "history") for kind in ("var", "cvar")]


def plain(a: Analysis, i: int, horizon: float, level: float, past: PastYears) -> dict[str, float]:
    """One client with plain numpy and scipy: full covariance matrices, sorting, bisection."""
    p, f, assumed = a.positions, a.framework, a.assumptions
    t, inside = risk_table(f, assumed), f.flag("inside")
    rows = np.flatnonzero(p.client == i)
    money = (p.value[rows, None] * p.mix_table[p.mix[rows]] * inside).sum(axis=0)
    own = np.append(t.idiosyncratic * inside, 0.0)[p.klass[rows]] * p.value[rows]
    specific = sum(own[p.asset[rows] == k].sum() ** 2 for k in set(p.asset[rows]))
    debt = p.debts.value[(p.debts.client == i) & ~p.debts.own_use].sum()
    equity = money.sum() - debt
    sigma = math.sqrt(money @ t.covariance @ money + specific) / equity
    mean = (money @ t.mean - t.borrowing_rate * debt) / equity
    m, s = mean * horizon, sigma * math.sqrt(horizon)
    v = assumed.tails.degrees
    law = stats.t(v, scale=math.sqrt((v - 2) / v))
    q, z = law.ppf(level), stats.norm.ppf(level)
    tails = {
        "var_normal": z * s - m,
        "cvar_normal": stats.norm.pdf(z) / (1 - level) * s - m,
        "var_t": q * s - m,
        "cvar_t": law.expect(lambda x: x, lb=q, ub=np.inf) / (1 - level) * s - m,
    }
    years = history(f, assumed, past).to_numpy()
    years = horizon * years.mean(axis=0) + math.sqrt(horizon) * (years - years.mean(axis=0))
    losses = (horizon * t.borrowing_rate * debt - years @ money) / equity
    # what the classes with a series say of the others, as a conditional covariance
    kinds = [c.assumption or code for code, c in f.classes.items()]
    known = [n for n in past.series if n in kinds]
    k = [kinds.index(n) for n in known]
    c = t.covariance
    left = c - c[:, k] @ np.linalg.pinv(c[np.ix_(k, k)], rcond=1e-10) @ c[k]
    spread = math.sqrt((max(money @ left @ money, 0.0) + specific) * horizon) / equity
    if spread > 1e-6:
        low, high = -20.0, 50.0
        for _ in range(200):
            x = (low + high) / 2
            low, high = (x, high) if stats.norm.cdf((losses - x) / spread).mean() > 1 - level else (low, x)
        d = (losses - x) / spread
        tails["var_history"] = x
        tails["cvar_history"] = (losses * stats.norm.cdf(d) + spread * stats.norm.pdf(d)).mean() / (1 - level)
    common = math.sqrt(money @ t.covariance @ money) / equity
    return {"volatility": sigma, "expected_return": mean, "standard_error": common / math.sqrt(assumed.years)} | tails


@pytest.mark.parametrize(("horizon", "level", "preset"), [(1.0, 0.95, "classic"), (3.0, 0.99, "chhabra")])
def test_every_measure_is_a_plain_computation(horizon: float, level: float, preset: str, past: PastYears) -> None:
    f = load_framework(preset)
    a = analyze(random_world(11, f, clients=40).book(), f, on=ON)
    m, seen = measure_risk(a, horizon=horizon, level=level, past=past), 0
    for i, row in m.summary.iterrows():
        if not a.exposures.equity[i] > 0:
            measured = [c for c in m.summary if c not in ("client_id", "currency", "equity")]
            free = ["hhi_holding", "hhi_class", "effective_holdings", "effective_classes"]
            free += ["property_gross", "property_net"]
            assert row[[c for c in measured if c not in free]].isna().all()
            continue
        told = plain(a, int(str(i)), horizon, level, past)
        for name, value in told.items():
            assert row[name] == pytest.approx(value, rel=2e-6, abs=1e-7), name
        seen += "var_history" in told
    assert seen > 15


def one(*rows: tuple[str, float], debt: float = 0.0, assumptions: Any = None, **asked: Any) -> pd.Series:
    debts = {"debts": [{"client_id": "a", "value": debt}]} if debt else {}
    book = make_book([("a", f"x{k}", c, v) for k, (c, v) in enumerate(rows)], **debts)
    return measure_risk(analyze(book, CLASSIC, assumptions=assumptions, on=ON), **asked).summary.iloc[0]


def test_deposits_lose_nothing(past: PastYears) -> None:
    s = one(("deposit", 5.0), ("money_market", 5.0), past=past)
    assert s[LOSSES].to_numpy("float64") == pytest.approx(-0.0234)
    assert s[["volatility", "standard_error", "drawdown"]].tolist() == [0, 0, 0]
    assert math.isnan(s["bets"])
    assert s["effective_holdings"] == pytest.approx(2)


def test_the_past_of_shares_is_that_of_the_record(past: PastYears) -> None:
    """A fund without a part of its own loses what the worst years took: the fifth worst of 87, and their mean."""
    tree = load_assumptions().model_dump(by_alias=True)
    tree["classes"]["equity_fund"]["idiosyncratic"] = 0.0
    s = one(("equity_fund", 10.0), assumptions=Assumptions.model_validate(tree), past=past)
    worst = sorted(past.series["equity_fund"].returns)[:5]
    tail = 0.05 * 87
    assert s["var_history"] == pytest.approx(-worst[4])
    assert s["cvar_history"] == pytest.approx(-(sum(worst[:4]) + (tail - 4) * worst[4]) / tail)
    assert s["cvar_history"] > 0.3  # 1931, 2008, 1937, 1974


def test_a_single_firm_is_not_calmer_in_the_past_than_in_the_model(past: PastYears) -> None:
    """No record of the past knows private firms; their own part is there all the same."""
    s = one(("private_business", 9.0), ("deposit", 1.0), past=past)
    assert s["cvar_history"] == pytest.approx(s["cvar_normal"], rel=0.1)


def test_without_years_of_the_past_all_else_is_the_same(world: World, past: PastYears, tmp_path: Path) -> None:
    a = analyze(world.book(), CLASSIC, on=ON)
    bare, whole = measure_risk(a), measure_risk(a, past=past)
    told = ["var_history", "cvar_history"]
    assert bare.past is None
    assert whole.past is past
    assert bare.summary[told].isna().all(axis=None)
    assert whole.summary["var_history"].notna().equals(whole.summary["volatility"].notna())
    pd.testing.assert_frame_equal(bare.summary.drop(columns=told), whole.summary.drop(columns=told))
    # as a table or a file the same comes out
    table = pd.DataFrame({k: x.returns for k, x in past.series.items()}, index=list(past.years))
    pd.testing.assert_frame_equal(measure_risk(a, past=table).summary, whole.summary)
    file = tmp_path / "past.toml"
    lines = ['schema = "allocator-history/1"\nname = "n"\nen = "e"\nzh = "z"\nsource = "s"']
    lines += [f"years = {list(past.years)}"]
    lines += [f'[series.{k}]\nsource = "s"\nreturns = {list(x.returns)}' for k, x in past.series.items()]
    file.write_text("\n".join(lines), "utf-8")
    pd.testing.assert_frame_equal(measure_risk(a, past=file).summary, whole.summary)


def test_years_of_the_past_that_cannot_be_used_are_named(sample: Book) -> None:
    table = pd.DataFrame({"gld": [0.1, -0.1]}, index=[2000, 2001])
    with pytest.raises(ConfigError, match="unknown class 'gld': did you mean 'gold'"):
        measure_risk(analyze(sample, on=ON), past=table)


def test_debt_brings_losses_up(past: PastYears) -> None:
    low, high = (one(("equity_fund", 10.0), debt=debt, past=past) for debt in (0.0, 5.0))
    assert high["volatility"] == pytest.approx(2 * low["volatility"])
    assert high["standard_error"] == pytest.approx(2 * low["standard_error"])
    rate = load_assumptions().borrowing_rate
    for name in LOSSES:
        assert high[name] == pytest.approx(2 * low[name] + rate)
    drawdown = expected_drawdown(np.array([high["expected_return"]]), np.array([high["volatility"]]), 1.0)[0]
    assert high["drawdown"] == pytest.approx(drawdown)


def test_the_error_of_the_mean_rests_on_the_years(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text('extends = "long_run"\nyears = 22\n[tails]\ndegrees = 1000\n', "utf-8")
    long, short = (one(("equity_fund", 1.0), assumptions=x) for x in (None, path))
    assert short["standard_error"] == pytest.approx(2 * long["standard_error"])
    assert long["standard_error"] == pytest.approx(0.1658 / math.sqrt(88))
    assert short["cvar_t"] == pytest.approx(short["cvar_normal"], rel=1e-2)


def test_level_and_horizon_make_losses_larger(past: PastYears) -> None:
    base = one(("equity_fund", 10.0), ("gold", 2.0), past=past)
    sure = one(("equity_fund", 10.0), ("gold", 2.0), level=0.99, past=past)
    assert (sure[LOSSES] > base[LOSSES]).all()
    ten = one(("equity_fund", 10.0), ("gold", 2.0), horizon=10.0, past=past)
    assert ten["drawdown"] > base["drawdown"]
    assert ten["volatility"] == base["volatility"]
    z = 1.6448536269514722
    assert ten["var_normal"] == pytest.approx(z * base["volatility"] * math.sqrt(10) - 10 * base["expected_return"])


@pytest.fixture(scope="module")
def world() -> World:
    return random_world(21, CLASSIC, clients=30)


def same(one: pd.DataFrame, two: pd.DataFrame, keys: list[str]) -> None:
    a, b = (t.sort_values(keys).reset_index(drop=True) for t in (one, two))
    pd.testing.assert_frame_equal(a, b, rtol=1e-9, atol=1e-10, check_categorical=False)


def test_a_part_of_the_book_is_the_book(world: World, past: PastYears) -> None:
    book = world.book()
    whole = measure_risk(analyze(book, CLASSIC, on=ON), past=past)
    ids = whole.analysis.client_ids
    parts = [measure_risk(analyze(book.select(ids[k::3]), CLASSIC, on=ON), past=past) for k in range(3)]
    for table, keys in (
        ("summary", ["client_id"]),
        ("holdings", ["client_id", "asset_id"]),
        ("classes", ["client_id", "asset_class"]),
        ("buckets", ["client_id", "bucket"]),
        ("goals", ["client_id"]),
    ):
        texts = [getattr(m, table).astype(dict.fromkeys(keys, "str")) for m in parts]
        same(getattr(whole, table).astype(dict.fromkeys(keys, "str")), pd.concat(texts), keys)


def test_measures_do_not_change_the_analysis_and_come_out_the_same_twice(world: World, past: PastYears) -> None:
    a = analyze(world.book(), CLASSIC, on=ON)
    before = a.summary.copy(deep=True)
    pd.testing.assert_frame_equal(measure_risk(a, past=past).summary, measure_risk(a, past=past).summary)
    pd.testing.assert_frame_equal(a.summary, before)


def test_money_in_another_unit_changes_no_fraction(past: PastYears) -> None:
    rows = [("a", "s", "listed_equity", 3e5), ("a", "h", "investment_property", 4e5), ("a", "c", "deposit", 1e5)]
    small, large = (
        measure_risk(analyze(make_book([(c, n, k, v * x) for c, n, k, v in rows]), CLASSIC, on=ON), past=past)
        for x in (1, 1000)
    )
    shares = small.summary.drop(columns=["client_id", "currency", "equity"]).to_numpy()
    assert large.summary.drop(columns=["client_id", "currency", "equity"]).to_numpy() == pytest.approx(shares, rel=1e-9)
    assert large.holdings["contribution"].tolist() == pytest.approx(small.holdings["contribution"], rel=1e-9)


def test_an_empty_client_and_an_insolvent_one_are_measured_as_far_as_can_be() -> None:
    book = make_book(
        [("a", "x", "equity_fund", 10.0), ("b", "home", "own_home", 10.0)],
        [{"client_id": c, "monthly_spending": 1.0} for c in "abc"],
        debts=[{"client_id": "a", "value": 20.0}],
    )
    m = measure_risk(analyze(book, CLASSIC, on=ON))
    assert m.summary["volatility"].isna().all()
    assert m.summary["effective_holdings"].tolist() == pytest.approx([1.0, math.nan, math.nan], nan_ok=True)
    assert len(m.goals) == 3
    assert "Risk of 3 clients" in repr(m)
    assert set(m.select("c")) == {"summary", "holdings", "classes", "buckets", "goals"}
    assert m.select("c")["holdings"].empty


def test_a_book_without_clients_has_empty_tables(sample: Book) -> None:
    nobody = analyze(sample.select([]), on=ON)
    for goals in (None, pd.DataFrame({"client_id": ["a"], "goal": ["x"], "amount": [1.0], "years": [1.0]})):
        m = measure_risk(nobody, goals=goals)
        assert len(m.summary) == len(m.holdings) == len(m.classes) == len(m.buckets) == 0
        assert m.goals["reason"].tolist() == ([] if goals is None else ["unknown_client"])
        assert "Risk of 0 clients" in repr(m)


@pytest.mark.parametrize("asked", [{"horizon": 0}, {"horizon": -1}, {"horizon": math.nan}, {"horizon": 1000}])
def test_a_wrong_horizon_is_refused(asked: dict[str, float], sample: Book) -> None:
    with pytest.raises(ConfigError, match="horizon must be a number of years above 0 and at most 100"):
        measure_risk(analyze(sample, on=ON), **asked)


@pytest.mark.parametrize("level", [0.3, 1.0, 95, math.nan])
def test_a_wrong_level_is_refused(level: float, sample: Book) -> None:
    with pytest.raises(ConfigError, match="level must be at least 0\\.5 and below 1"):
        measure_risk(analyze(sample, on=ON), level=level)


def test_an_unknown_client_is_refused(sample: Book) -> None:
    with pytest.raises(InputError):
        al.measure_risk(analyze(sample, on=ON)).select("nobody")


def test_the_sample_reads_right(sample: Book, past: PastYears) -> None:
    """A firm is a few bets, property with debts loses most, deposits nothing; shares of risk say why."""
    m = al.measure_risk(analyze(sample, on=ON), past=past)
    s = m.summary.set_index("client_id")
    assert s.loc["C001", "bets"] < 3  # nearly all in one firm
    assert s.loc["C005", "bets"] > 6  # spread
    assert s["cvar_history"].idxmax() == "C008"  # property on credit
    assert s.loc["C004", LOSSES].max() < 0  # deposits only
    parts = m.classes[m.classes["client_id"] == "C009"].set_index("asset_class")
    assert parts.loc["private_business", "weight"] < 0.65
    assert parts.loc["private_business", "risk_share"] > 0.9
    assert (s["cvar_normal"].dropna() >= s["var_normal"].dropna()).all()
    assert (s["cvar_t"].dropna() >= s["cvar_normal"].dropna() - 1e-12).all()


def test_real_families(shared: Callable[[str], Path], past: PastYears) -> None:
    """467 entrepreneurs: what they own is fewer bets than classes, and one of twenty years takes a fifth or more."""
    m = measure_risk(analyze(read_book(shared("scf/scf2022_even_entrepreneurs.csv")), CLASSIC, on=ON), past=past)
    s = m.summary
    assert len(s) == 467
    known = s["volatility"].notna()
    assert known.sum() > 450
    total = m.holdings.groupby("client_id")["contribution"].sum().reindex(s["client_id"]).to_numpy()[known]
    assert np.abs(total / s["volatility"][known] - 1).max() < 1e-12
    middle = s[["volatility", "standard_error", *LOSSES, "drawdown", "bets"]].median()
    assert 0.12 < middle["volatility"] < 0.30
    assert 0.15 < middle["cvar_normal"] < 0.6
    assert 0.7 < middle["cvar_history"] / middle["cvar_normal"] < 1.3
    assert 2 < middle["bets"] < 5
    firm = m.classes[m.classes["asset_class"] == "private_business"]
    assert firm["risk_share"].median() > firm["weight"].median() + 0.1
