"""Scenarios as data: where every figure comes from, what follows from what, and which files are refused."""

from __future__ import annotations

import ast
import math
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator
from allocator.assumptions import load_assumptions, risk_table
from allocator.config import presets
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.past_years import PastYears, history, load_past
from allocator.scenarios import INFERRED, NAMED, Scenario, Scenarios, load_scenarios, moves

CLASSIC, CHHABRA, LONG_RUN = load_framework(), load_framework("chhabra"), load_assumptions()
STANDARD = load_scenarios()
WINDOWS = {
    "crash_1929": (1929, 1932),
    "crash_1973": (1973, 1974),
    "crash_2000": (2000, 2002),
    "crash_2008": (2008, 2008),
}
PACKAGE, LONGEST_LIST = Path(allocator.__file__).parent, 30
COLUMNS = {"equity_fund": "sp500", "government_bond": "tbond_10y", "corporate_bond": "baa_corp", "gold": "gold"}


def scenario(**said: Any) -> Scenario:
    return load_scenarios({"x": said}).scenarios["x"]


def shocks(s: Scenario, framework: Any = CLASSIC) -> dict[str, float]:
    return dict(zip(framework.class_codes, moves(framework, LONG_RUN, s).shock.tolist(), strict=True))


# ---- the figures


def test_the_standard_scenarios_are_those_of_the_product() -> None:
    assert list(STANDARD.scenarios) == [*WINDOWS, "china_property", "own_industry", "rates_up", "frozen"]
    own, frozen = STANDARD.scenarios["own_industry"], STANDARD.scenarios["frozen"]
    assert (own.own_company, own.guarantees) == (-1.0, 1.0)
    assert (frozen.frozen, frozen.months, frozen.spending) == (True, 24, 24)
    assert STANDARD.scenarios["china_property"].shocks["investment_property"].value == -0.3
    assert STANDARD.scenarios["rates_up"].debt_rate == 0.03
    for s in STANDARD.scenarios.values():
        assert s.source
        assert all(x.source for x in s.shocks.values())


@pytest.mark.parametrize("name", WINDOWS)
def test_figures_of_the_past_are_those_of_the_returns_file(name: str, record: pd.DataFrame) -> None:
    first, last = WINDOWS[name]
    total = (1 + record.loc[first:last]).prod() - 1
    told = {k: x.value for k, x in STANDARD.scenarios[name].shocks.items()}
    for code, column in COLUMNS.items():
        assert told[code] == pytest.approx(total[column], abs=5.1e-5), code
    assert told["bond_fund"] == pytest.approx((total["tbond_10y"] + total["baa_corp"]) / 2, abs=1.1e-4)
    # houses: what was lost, unsmoothed; what the index gained is not counted
    assert told["investment_property"] == pytest.approx(min(total["property"], 0.0), abs=5.1e-5)
    published = total["real_estate"]
    said = STANDARD.scenarios[name].shocks["investment_property"].source
    assert f"{'lost' if published < 0 else 'rose by'} {abs(published):.1%}" in said
    assert STANDARD.scenarios[name].months == 12 * (last - first + 1)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_crisis_goes_from_the_highest_to_the_lowest_year_end(name: str, record: pd.DataFrame) -> None:
    """Within the years that its name says and the year before."""
    said = {
        "crash_1929": (1929, 1932),
        "crash_1973": (1973, 1974),
        "crash_2000": (2000, 2002),
        "crash_2008": (2007, 2009),
    }
    first, last = said[name]
    level = (1 + record.loc[first:last, "sp500"]).cumprod()
    level = pd.concat([pd.Series({first - 1: 1.0}), level])
    low = level.idxmin()
    high = level.loc[:low].idxmax()
    assert WINDOWS[name] == (high + 1, low)


@pytest.mark.parametrize("name", WINDOWS)
def test_sixty_forty_loses_what_the_file_gives_for_those_years(name: str, record: pd.DataFrame) -> None:
    """Between a mix put back to 60/40 every year and one left alone, in the file's own figures."""
    years = record.loc[slice(*WINDOWS[name])]
    alone = 0.6 * (1 + years["sp500"]).prod() + 0.4 * (1 + years["tbond_10y"]).prod() - 1
    back = (1 + 0.6 * years["sp500"] + 0.4 * years["tbond_10y"]).prod() - 1
    found = shocks(STANDARD.scenarios[name])
    mix = 0.6 * found["equity_fund"] + 0.4 * found["government_bond"]
    assert min(alone, back) - 1e-4 <= mix <= max(alone, back) + 1e-4
    worst = (1 + years["sp500"]).prod() - 1
    assert worst < mix < 0.0


def test_rates_are_priced_bonds() -> None:
    def fall(coupon: float, years: int) -> float:
        y = coupon + 0.03
        return sum(coupon / (1 + y) ** t for t in range(1, years + 1)) + (1 + y) ** -years - 1

    told = {k: x.value for k, x in STANDARD.scenarios["rates_up"].shocks.items()}
    coupon = LONG_RUN.factors["bond"].mean
    assert told["government_bond"] == pytest.approx(fall(coupon, 10), abs=5e-5)
    assert told["bond_fund"] == told["corporate_bond"] == pytest.approx(fall(coupon, 6), abs=5e-5)
    wealth = LONG_RUN.classes["bank_wealth_product"].expected_return
    assert told["bank_wealth_product"] == pytest.approx(fall(wealth or 0.0, 1), abs=5e-5)
    assert told["investment_property"] == pytest.approx(5.5 / 6.5 - 1, abs=5e-3)


# ---- what follows


@pytest.mark.parametrize("framework", [CLASSIC, CHHABRA], ids=["classic", "chhabra"])
def test_what_is_not_named_is_the_conditional_expectation(framework: Any) -> None:
    """Σ_un Σ_nn⁻¹ s of the covariance of classes, computed apart."""
    s = scenario(shocks={"equity_fund": -0.4, "government_bond": 0.1, "gold": 0.2, "investment_property": -0.1})
    found, table = shocks(s, framework), risk_table(framework, LONG_RUN)
    codes = framework.class_codes
    at = [codes.index(c) for c in s.shocks]
    c = table.covariance
    expected = c[:, at] @ np.linalg.solve(c[np.ix_(at, at)], [x.value for x in s.shocks.values()])
    for j, code in enumerate(codes):
        assert found[code] == pytest.approx(max(expected[j], -1.0), abs=1e-9), code
    assert found["listed_equity"] == pytest.approx(-0.4)
    assert found["mixed_fund"] == pytest.approx(0.6 * -0.4 + 0.4 * 0.1)
    assert found["deposit"] == 0.0
    assert -0.5 < found["private_business"] < -0.2
    assert found["derivative"] == pytest.approx(-0.8)


def test_a_class_takes_the_shock_of_its_assumptions() -> None:
    """Concentrated stock has no assumptions of its own: those of listed shares, and so their shock."""
    found = moves(CHHABRA, LONG_RUN, scenario(shocks={"listed_equity": -0.5}, source="here"))
    at = CHHABRA.class_codes.index("concentrated_stock")
    assert (found.shock[at], found.how[at], found.source[at]) == (-0.5, NAMED, "here")
    apart = shocks(scenario(shocks={"listed_equity": -0.5, "concentrated_stock": -0.9}), CHHABRA)
    assert (apart["listed_equity"], apart["concentrated_stock"]) == (-0.5, -0.9)


def test_contradictions_are_averaged_and_each_keeps_its_own() -> None:
    found = shocks(scenario(shocks={"listed_equity": -0.5, "equity_fund": -0.3}))
    assert (found["listed_equity"], found["equity_fund"]) == (-0.5, -0.3)
    assert found["crypto"] == pytest.approx(-0.4)


def test_gains_that_merely_follow_may_be_left_out() -> None:
    up = {"shocks": {"government_bond": 0.2}}
    assert shocks(scenario(**up))["bond_fund"] == pytest.approx(0.2)
    found = shocks(scenario(**up, gains=False))
    assert found["government_bond"] == 0.2
    assert max(v for k, v in found.items() if k != "government_bond") == 0.0


def test_nothing_loses_more_than_all() -> None:
    found = shocks(scenario(shocks={"equity_fund": -0.8}))
    assert found["derivative"] == -1.0
    assert min(found.values()) >= -1.0


def test_without_shocks_nothing_moves() -> None:
    found = moves(CLASSIC, LONG_RUN, STANDARD.scenarios["own_industry"])
    assert not found.shock.any()
    assert set(found.how) == {INFERRED}


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(CLASSIC.class_codes), st.floats(-0.3, 0.3).map(lambda x: round(x, 3)), min_size=1, max_size=6
    ),
    st.floats(0.1, 0.9),
)
def test_half_the_shock_is_half_the_move(told: dict[str, float], part: float) -> None:
    whole, less = (shocks(scenario(shocks={k: v * f for k, v in told.items()})) for f in (1.0, part))
    for code, x in whole.items():
        if x > -1 and less[code] > -1:
            assert less[code] == pytest.approx(part * x, abs=1e-9)
    for code, x in told.items():
        assert whole[code] == x


# ---- wrong files


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            {"shocks": {"equity_fnd": -0.3}},
            r"unknown class 'equity_fnd': did you mean 'equity_fund'\? allowed: deposit",
        ),
        ({"shocks": {"equity_fund": -30}}, r"scenarios\.x\.shocks\.equity_fund\.value.*write a loss of 30% as -0\.3"),
        ({"shocks": {"equity_fund": -1.01}}, "more than all of its value"),
        ({"shocks": {"gold": 30.0}}, "looks like percent; write a gain of 30% as 0.3"),
        ({"shocks": {"gold": math.nan}}, "shocks.gold.value.*finite"),
        ({"shocks": {"gold": "much"}}, "shocks.gold"),
        ({"shocks": {"gold": True}}, "shocks.gold"),
        ({"shocks": {"gold": {"value": -0.1, "sorce": "x"}}}, "unknown key.*did you mean 'source'"),
        ({"own_company": -100}, "own_company.*write a loss of 30% as -0.3"),
        ({"own_company": math.nan}, "own_company"),
        ({"guarantees": 2}, "guarantees"),
        ({"debt_rate": 3}, "debt_rate"),
        ({"frozen": True}, "does nothing"),
        ({"frozen": True, "months": -1}, "months"),
        ({}, "does nothing"),
        ({"shock": {"gold": -0.1}}, "unknown key 'scenarios.x.shock'"),
        ({"shocks": {"gold": -0.1}, "source": ""}, "source"),
    ],
)
def test_wrong_scenarios_are_named(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        shocks(scenario(**said))


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    head = 'schema = "allocator-stress/1"\nname = "mine"\nen = "Mine"\nzh = "我的"\n'
    file.write_text(head, "utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: key 'scenarios' is missing"):
        load_scenarios(file)
    file.write_text(head + '[scenarios.a]\nen = "A"\nshocks = { gold = -0.1 }\n', "utf-8")
    with pytest.raises(ConfigError, match=r"(?s)scenarios\.a\.zh' is missing.*scenarios\.a\.source' is missing"):
        load_scenarios(file)
    file.write_text(head + '[scenarios.a]\nen = "A"\nzh = "甲"\nsource = "s"\nshocks = { gold = nan }\n', "utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: key 'scenarios\.a\.shocks\.gold\.value'"):
        load_scenarios(file)
    added = '[scenarios.a]\nen = "A"\nzh = "甲"\nsource = "s"\nshocks = { gold = -0.1 }\n'
    file.write_text(f'extends = "standard"\nname = "mine"\n{added}', "utf-8")
    found = load_scenarios(file)
    assert list(found.scenarios) == [*STANDARD.scenarios, "a"]
    assert found.scenarios["a"].shocks["gold"].value == -0.1
    with pytest.raises(ConfigError, match="presets: standard"):
        load_scenarios("nowhere")
    with pytest.raises(ConfigError, match="scenarios"):
        load_scenarios({})
    assert presets("stress") == ["standard"]


def test_scenarios_may_be_given_as_they_are() -> None:
    one = STANDARD.scenarios["frozen"]
    found = load_scenarios({"frozen": one, "own": {"shocks": {"gold": -0.2}}})
    assert found.scenarios["frozen"] == one
    assert (found.scenarios["own"].en, found.scenarios["own"].zh, found.scenarios["own"].source) == (
        "own", "own", "given by the caller",
    )  # fmt: skip
    assert load_scenarios(found) is found
    assert isinstance(found, Scenarios)


# ---- years of the past


def test_house_prices_are_unsmoothed_as_in_the_assumptions(record: pd.DataFrame, past: PastYears) -> None:
    told = past.series["investment_property"].returns
    assert np.std(told, ddof=1) == pytest.approx(LONG_RUN.factors["property"].volatility, abs=2e-4)
    assert record["property"].std() > 2 * record["real_estate"].std()


def test_a_table_is_taken_as_it_is(record: pd.DataFrame, past: PastYears) -> None:
    """In any order of years, also with years and figures as text, as a file gives them."""
    assert list(past.years) == list(record.index) == list(range(1929, 2016))
    assert past.series["gold"].returns == tuple(record["gold"])
    table = pd.DataFrame({k: v.returns for k, v in past.series.items()}, index=list(past.years))
    assert load_past(table) == load_past(table.iloc[::-1]) == past
    assert load_past(table.astype("str").set_index(table.index.astype("str"))) == past
    assert load_past(past) is past


@pytest.mark.parametrize("framework", [CLASSIC, CHHABRA], ids=["classic", "chhabra"])
def test_history_of_every_class(framework: Any, past: PastYears) -> None:
    h = history(framework, LONG_RUN, past)
    assert list(h.columns) == framework.class_codes
    assert h.shape == (87, len(framework.classes))
    assert np.isfinite(h.to_numpy()).all()
    assert h.to_numpy().min() >= -1.0
    for code, s in past.series.items():
        np.testing.assert_array_equal(h[code], s.returns)
    np.testing.assert_allclose(h["listed_equity"], h["equity_fund"], atol=1e-12)
    mean = dict(zip(framework.class_codes, risk_table(framework, LONG_RUN).mean, strict=True))
    np.testing.assert_allclose(h["deposit"], mean["deposit"], atol=1e-12)
    # one year by hand: what shares brought beyond their mean, on the mean of crypto
    at = past.years.index(1931)
    beyond = past.series["equity_fund"].returns[at] - LONG_RUN.factors["equity"].mean
    assert h.loc[1931, "crypto"] == pytest.approx(mean["crypto"] + beyond)
    if framework is CHHABRA:
        np.testing.assert_allclose(h["concentrated_stock"], h["listed_equity"], atol=1e-12)


def test_a_class_of_the_framework_may_have_a_series_of_its_own() -> None:
    """Listed shares follow a concentrated stock that has the same loadings, and not the other way round."""
    table = pd.DataFrame({"concentrated_stock": [-0.5, 0.3]}, index=[2001, 2002])
    h = history(CHHABRA, LONG_RUN, table)
    assert h["concentrated_stock"].tolist() == [-0.5, 0.3]
    np.testing.assert_allclose(h["listed_equity"], [-0.5, 0.3], atol=1e-12)
    both = history(CHHABRA, LONG_RUN, table.assign(listed_equity=[-0.1, 0.1]))
    assert both["concentrated_stock"].tolist() == [-0.5, 0.3]
    assert both["listed_equity"].tolist() == [-0.1, 0.1]
    np.testing.assert_allclose(both["equity_fund"], [-0.3, 0.2], atol=1e-12)


def test_wrong_history_files_are_named(tmp_path: Path) -> None:
    file = tmp_path / "h.toml"
    head = 'schema = "allocator-history/1"\nname = "h"\nen = "h"\nzh = "h"\nsource = "s"\n'

    def write(years: str, returns: str) -> Path:
        file.write_text(f'{head}years = {years}\n[series.gold]\nsource = "s"\nreturns = {returns}\n', "utf-8")
        return file

    for years, returns, words in (
        ("[2000, 2001]", "[0.1]", r"h\.toml: key series\.gold has 1 returns for 2 years"),
        ("[2001, 2000]", "[0.1, 0.2]", "years must be in order"),
        ("[2000, 2000]", "[0.1, 0.2]", "years must be in order, each once"),
        ("[]", "[]", "key 'years'"),
        ("[2000]", "[-12.0]", r"series\.gold\.returns\.0"),
        ("[2000]", "[nan]", r"series\.gold\.returns\.0"),
        ("[2000, 2001]", "[4.4, -0.9]", "look like percent, 5% is 0.05"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_past(write(years, returns))
    assert load_past(str(write("[2000, 2001]", "[0.1, -0.2]"))).series["gold"].returns == (0.1, -0.2)
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load_past(tmp_path / "nowhere.toml")
    file.write_text("year,gold\n2000,0.1\n", "utf-8")
    with pytest.raises(ConfigError, match=r"not valid TOML.*DataFrame"):
        load_past(file)
    file.write_bytes("# 黄金".encode("gb18030"))
    with pytest.raises(ConfigError, match="save the file as UTF-8"):
        load_past(file)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame({"gold": [0.1]}, index=["x"]), "row 1: the index must be years"),
        (pd.DataFrame({"gold": [0.1, 0.2]}), "row 1: the index must be years"),
        (pd.DataFrame({"gold": [0.1]}, index=pd.to_datetime(["2000-12-31"])), "the index must be years"),
        (pd.DataFrame({"gold": [0.1]}, index=[2000.5]), "the index must be years"),
        (pd.DataFrame({"gold": [0.1, 0.2]}, index=[2000, 2000]), "each once"),
        (pd.DataFrame({"gold": [0.1, math.nan]}, index=[2000, 2001]), "column 'gold', year 2001: a return above -1"),
        (pd.DataFrame({"gold": [0.1, "n/a"]}, index=[2001, 1999]), "column 'gold', year 1999"),
        (pd.DataFrame({"gold": [0.1, -12]}, index=[2000, 2001]), "column 'gold', year 2001"),
        (pd.DataFrame({"gold": [4.4, -0.9]}, index=[2000, 2001]), "look like percent"),
        (pd.DataFrame([[0.1, 0.2]], columns=["gold", "gold"], index=[2000]), "column 'gold' comes twice"),
        (pd.DataFrame(index=[2000]), "series"),
        (pd.DataFrame({"gold": []}), "years"),
    ],
)
def test_wrong_tables_of_the_past_are_named(table: pd.DataFrame, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_past(table)


def test_a_series_of_an_unknown_class_is_named() -> None:
    table = pd.DataFrame({"equity_fnd": [0.1, -0.1]}, index=[2000, 2001])
    with pytest.raises(ConfigError, match="unknown class 'equity_fnd': did you mean 'equity_fund'"):
        history(CLASSIC, LONG_RUN, table)


def test_no_file_of_the_package_carries_a_long_series() -> None:
    """Records of markets belong to their owners: they are cited, and brought by the user."""

    def longest(thing: Any) -> int:
        if isinstance(thing, dict):
            return max((longest(x) for x in thing.values()), default=0)
        if isinstance(thing, list):
            numbers = sum(isinstance(x, int | float) and not isinstance(x, bool) for x in thing)
            return max([numbers, *(longest(x) for x in thing)])
        return 0

    assert longest({"a": [{"b": [0.1, -0.2, 3]}]}) == 3
    files = sorted(PACKAGE.rglob("*.toml"))
    assert len(files) > 5
    for file in files:
        assert longest(tomllib.loads(file.read_text("utf-8"))) <= LONGEST_LIST, file.name
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            cells = [ast.unparse(x) for x in getattr(node, "elts", [])]
            assert sum(bool(re.fullmatch(r"-?[\d.]+(e-?\d+)?", x)) for x in cells) <= LONGEST_LIST, file.name
