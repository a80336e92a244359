"""Frameworks and assumptions as data, and the errors that a wrong file gets."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import ROOT

from allocator.assumptions import load_assumptions, risk_table
from allocator.classify import match_cfi
from allocator.config import merge, presets
from allocator.errors import ConfigError
from allocator.framework import BUDGETS, LABELS, LIMITS, OUTSIDE, RISKS, load_framework
from allocator.limits import Kind, budgets, limit_list

EVERY = ROOT / "data" / "frameworks" / "every_limit.toml"


@pytest.fixture(params=presets("frameworks"))
def framework(request: pytest.FixtureRequest):
    return load_framework(request.param)


def test_presets() -> None:
    assert {"classic", "chhabra"} <= set(presets("frameworks"))


def test_every_class_is_whole(framework) -> None:
    for code, c in framework.classes.items():
        assert c.en, code
        assert c.zh, code
        assert c.source, code
        assert c.bucket in [*framework.buckets, OUTSIDE[0]]
        assert not c.groups or sum(c.groups.values()) == pytest.approx(1)
    assert framework.in_bucket.sum(axis=1).max() == 1


def test_no_word_names_two_classes(framework) -> None:
    seen: dict[str, str] = {}
    for code, c in framework.classes.items():
        for word in {w.casefold() for w in (code, c.en, c.zh, *c.aliases)}:
            assert seen.setdefault(word, code) == code, word


def test_bands_are_those_of_the_product_page() -> None:
    f = load_framework("classic")
    expected = {
        "conservative": ((0.50, 0.40, 0.10), (0.35, 0.75), (0.25, 0.55), (0.00, 0.20), 0.05, 2),
        "balanced": ((0.30, 0.50, 0.20), (0.20, 0.50), (0.35, 0.65), (0.00, 0.35), 0.12, 3),
        "aggressive": ((0.15, 0.50, 0.35), (0.10, 0.35), (0.35, 0.70), (0.10, 0.50), 0.20, 5),
    }
    for code, (targets, d, g, o, sigma, grade) in expected.items():
        band = f.bands[code]
        spans = [band.buckets[b] for b in ("defensive", "growth", "offensive")]
        assert tuple(s.target for s in spans) == targets
        assert [(s.low, s.high) for s in spans] == [d, g, o]
        assert (band.volatility, band.product_risk) == (sigma, grade)


def test_limits_are_unique_and_have_a_bound_in_some_band(framework) -> None:
    limits = limit_list(framework)
    assert len({x.key for x in limits}) == len(limits)
    assert all(not np.isnan(x.bounds).all() for x in limits)


def test_five_levels_map_onto_bands() -> None:
    f = load_framework()
    assert [f.band_aliases[c] for c in ("c1", "c3", "c5", "保守型", "稳健", "积极型")] == [
        "conservative",
        "balanced",
        "aggressive",
        "conservative",
        "balanced",
        "aggressive",
    ]


def test_assumptions_cover_every_preset(framework) -> None:
    table = risk_table(framework, load_assumptions(framework.assumptions))
    assert np.linalg.eigvalsh(table.covariance).min() > -1e-12
    assert np.isfinite(table.mean).all()


def test_covariance_is_that_of_the_factors() -> None:
    """Class covariance = B S R S B', computed here the long way."""
    a, f = load_assumptions(), load_framework()
    names, s = list(a.factors), np.array([x.volatility for x in a.factors.values()])
    b = np.array([[a.classes[c].loadings.get(n, 0.0) for n in names] for c in f.classes])
    expected = b @ np.diag(s) @ np.array(a.correlation.rows) @ np.diag(s) @ b.T
    assert np.allclose(risk_table(f, a).covariance, expected, atol=1e-15)


def test_property_volatility_is_the_unsmoothed_one(shared) -> None:
    """Geltner's filter on the house prices of the returns file gives the figure in the assumptions."""
    import pandas as pd

    s = pd.read_csv(shared("returns/us_annual_1928_2015.csv"))["real_estate"].to_numpy()
    a = np.corrcoef(s[1:], s[:-1])[0, 1]
    unsmoothed = (s[1:] - a * s[:-1]) / (1 - a)
    assert s.std(ddof=1) == pytest.approx(0.063, abs=5e-4)
    assert load_assumptions().factors["property"].volatility == pytest.approx(unsmoothed.std(ddof=1), abs=5e-5)


def test_published_figures_are_copied_right(shared) -> None:
    import pandas as pd

    published = pd.read_csv(shared("cma/horizon2017_er_sd.csv"), index_col="class")
    corr = pd.read_csv(shared("cma/horizon2017_corr.csv"), index_col="class")
    a = load_assumptions()
    same = {
        "cash": "cash",
        "bond": "bonds.uscorp.core",
        "credit": "bonds.uscorp.hy",
        "equity": "equity.us.large",
        "private_equity": "pe",
        "hedge": "hedge",
    }
    for ours, theirs in same.items():
        assert (a.factors[ours].mean, a.factors[ours].volatility) == pytest.approx(tuple(published.loc[theirs]))
    same["property"] = "re"
    order = list(a.correlation.order)
    for x, tx in same.items():
        for y, ty in same.items():
            assert a.correlation.rows[order.index(x)][order.index(y)] == pytest.approx(corr.loc[tx, ty])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[classes.deposit]\nbukcet = "x"', ["classes.deposit.bukcet", "did you mean 'bucket'", "liquidity"]),
        ('[classes.deposit]\nbucket = "safe"', ["classes.deposit.bucket", "'safe'", "defensive, growth, offensive"]),
        (
            '[classes.deposit]\nliquidity = "soon"',
            ["classes.deposit.liquidity", "'cash', 'liquid', 'restricted' or 'illiquid'"],
        ),
        ("[classes.deposit]\nrisk = 9", ["classes.deposit.risk", "5"]),
        ('[bands.balanced]\nvolatility = "low"', ["bands.balanced.volatility", "number"]),
        ("[bands.balanced]\nlimits = { propperty = 0.2 }", ["bands.balanced.limits", "'propperty'", "single_holding"]),
        ("[bands.balanced]\nbuckets.growth = { target = 0.6 }", ["bands.balanced.buckets", "sum to 1.1"]),
        (
            "[bands.balanced]\nbuckets.growth = { target = 0.5, low = 0.6 }",
            ["bands.balanced.buckets.growth", "low <= target <= high"],
        ),
        ('default_band = "brave"', ["default_band", "'brave'", "conservative"]),
        ("[rules.business]\nlo = 0.7\nhi = 0.7", ["rules.business", "differ"]),
        ("[classes.gold]\nsell_cost = 0.6", ["classes.gold.sell_cost", "0.5"]),
        ("[classes.gold]\ntax = 0.5", ["classes.gold.tax", "less than 0.5"]),  # a sale leaves something
        ("[plan]\nwash_weight = 0", ["plan.wash_weight", "greater than 0"]),  # it also tells the cash account apart
        ("nonsense", ["TOML"]),
    ],
)
def test_a_wrong_file_names_file_key_and_allowed_values(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bank.toml"
    path.write_text(f'extends = "classic"\n{text}\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_framework(path)
    for word in ["bank.toml", *words]:
        assert word in str(caught.value)


def test_a_file_may_change_one_number(tmp_path: Path) -> None:
    path = tmp_path / "bank.toml"
    path.write_text('extends = "classic"\nname = "bank"\n[bands.balanced.limits]\nproperty = 0.25\n', "utf-8")
    ours, classic = load_framework(path), load_framework()
    assert ours.bands["balanced"].limits["property"] == 0.25
    assert ours.bands["balanced"].limits["issuer"] == classic.bands["balanced"].limits["issuer"]
    assert ours.bands["conservative"] == classic.bands["conservative"]


def test_unknown_preset_and_circles_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chhabra, classic"):
        load_framework("clasic")
    (tmp_path / "a.toml").write_text('extends = "b.toml"', "utf-8")
    (tmp_path / "b.toml").write_text('extends = "a.toml"', "utf-8")
    with pytest.raises(ConfigError, match="circle"):
        load_framework(tmp_path / "a.toml")


def test_a_file_that_extends_itself_by_another_name_is_a_circle(tmp_path: Path) -> None:
    """Found by fuzzing: its name grew until the system refused it."""
    path = tmp_path / "in" / "bank.toml"
    path.parent.mkdir()
    path.write_text('extends = "../in/bank.toml"\n', "utf-8")
    with pytest.raises(ConfigError, match="circle"):
        load_framework(path)
    path.write_text(f'extends = "{"x" * 300}"\n', "utf-8")
    with pytest.raises(ConfigError, match="neither a preset nor a file"):
        load_framework(path)
    path.write_text(f"x = {'[' * 5000}\n", "utf-8")
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_framework(path)


def test_merge_leaves_both_sides_alone() -> None:
    under, over = {"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}
    assert merge(under, over) == {"a": {"x": 1, "y": 3}}
    assert under == {"a": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[correlation]\nrows = [[1.0]]", "8 rows"),
        ("[factors.bond]\nvolatility = 5.5", "factors.bond.volatility"),
        ("[classes.gold]\nloadings = { silver = 1.0 }", "unknown factor 'silver'"),
    ],
)
def test_wrong_assumptions_are_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "cma.toml"
    path.write_text(f'extends = "long_run"\n{text}\n', "utf-8")
    with pytest.raises(ConfigError, match=word):
        load_assumptions(path)


def test_a_correlation_that_cannot_be_is_refused(tmp_path: Path) -> None:
    rows = np.array(load_assumptions().correlation.rows)
    rows[0, 3] = rows[3, 0] = 0.99
    rows[0, 5] = rows[5, 0] = -0.99
    path = tmp_path / "cma.toml"
    path.write_text(f'extends = "long_run"\n[correlation]\nrows = {rows.tolist()}\n', "utf-8")
    with pytest.raises(ConfigError, match="positive semidefinite"):
        load_assumptions(path)


# ---- what a framework may switch on


def test_presets_leave_the_further_limits_off(framework) -> None:
    for b in framework.bands.values():
        assert not b.floors
        assert not b.model
        assert not {*LABELS, *RISKS, *BUDGETS, "cash"} & set(b.limits)
    assert budgets(framework) == ()


def test_the_bundled_example_has_every_limit_there_is() -> None:
    f = load_framework(EVERY)
    named = {x.name for x in limit_list(f)} | {b.name for b in budgets(f)}
    assert {*LIMITS, "class:gold", "class:crypto", "group:alternatives"} <= named
    assert {x.kind for x in limit_list(f)} == {*get_args(Kind)} - {"counted", "term"}
    assert {x.key for x in limit_list(f)} >= {"cash<=", "cash>=", "class:gold>="}
    for b in f.bands.values():
        assert b.source
        assert sum(b.model.values()) == pytest.approx(1)
    classic = load_framework()
    for code, b in f.bands.items():  # what it extends is as it was
        assert classic.bands[code].limits.items() <= b.limits.items()
        assert (b.buckets, b.groups, b.volatility) == (
            classic.bands[code].buckets, classic.bands[code].groups, classic.bands[code].volatility,
        )  # fmt: skip


def test_model_portfolios_of_the_example_are_at_the_targets_of_their_band() -> None:
    f = load_framework(EVERY)
    for b in f.bands.values():
        w = np.array([b.model.get(c, 0.0) for c in f.class_codes])
        targets = [b.groups[g].target if g in b.groups else 0.0 for g in f.group_codes]
        assert (w @ f.in_group).tolist() == pytest.approx(targets, abs=0.06)
        share = dict(zip(f.bucket_codes, (w @ f.in_bucket).tolist(), strict=True))
        for code, span in b.buckets.items():
            assert (span.low or 0) <= share[code] <= (span.high or 1), code


def test_taxes_and_where_they_come_from(framework) -> None:
    taxed = {c: x.tax for c, x in framework.classes.items() if x.tax}
    assert taxed == dict.fromkeys(
        ("private_business", "investment_property", "private_equity", "collectible", "crypto"), 0.2
    )
    for code in taxed:
        assert "art. 3(3)" in framework.classes[code].source
    assert "[1998] 61" in framework.classes["listed_equity"].source
    assert "[2002] 128" in framework.classes["equity_fund"].source


def test_homes_of_the_currencies(framework) -> None:
    assert framework.home_country["CNY"] == "CN"
    assert framework.currency in framework.home_country


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits = { tracking = 0.05 }", ["tracking", "add bands.balanced.model", "sum to 1"]),
        ("model = { gold = 0.5, deposit = 0.4 }", ["bands.balanced.model", "sum to 0.9"]),
        ("model = { own_home = 1.0 }", ["bands.balanced.model", "'own_home'", "allowed: deposit"]),
        ("model = { silver = 1.0 }", ["'silver'"]),
        ("floors = { single_holding = 0.1 }", ["bands.balanced.floors", "'single_holding'", "cash"]),
        ("floors = { cash = 1.5 }", ["bands.balanced.floors.cash", "1"]),
        ("floors = { property = 0.4 }", ["'property' must be at least 0.4, but at most 0.3"]),
        ('floors = { "bucket:growth" = 0.7 }', ["'bucket:growth' must be at least 0.7, but at most 0.65"]),
        ("limits = { sectors = 0.3 }", ["'sectors'", "sector, country, currency, cvar, tracking, turnover, cost"]),
    ],
)
def test_wrong_limits_floors_and_models_are_named(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "bank.toml"
    path.write_text(f'extends = "classic"\n[bands.balanced]\n{text}\n', "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_framework(path)
    for word in ["bank.toml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ['CNY = "China"', 'yuan = "CN"', 'CNY = ""'])
def test_a_home_country_is_two_letters_for_three(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bank.toml"
    path.write_text(f'extends = "classic"\n[home_country]\n{text}\n', "utf-8")
    with pytest.raises(ConfigError, match="home_country"):
        load_framework(path)


# ---- scenarios


def test_scenarios_have_the_means_of_the_classes_and_come_again() -> None:
    f, a = load_framework(), load_assumptions()
    one, two = risk_table(f, a), risk_table(f, a)
    assert one.scenarios.shape == (a.scenarios.count, len(f.classes))
    assert np.array_equal(one.scenarios, two.scenarios)
    assert np.allclose(one.scenarios.mean(axis=0), one.mean, atol=1e-12)
    half = a.scenarios.count // 2
    assert np.allclose(one.scenarios[:half] - one.mean, one.mean - one.scenarios[half:], atol=1e-12)


def test_many_scenarios_have_the_covariance_of_the_classes(tmp_path: Path) -> None:
    path = tmp_path / "many.toml"
    path.write_text('extends = "long_run"\n[scenarios]\ncount = 100000\nseed = 5\n', "utf-8")
    table = risk_table(load_framework(), load_assumptions(path))
    assert np.cov(table.scenarios.T, bias=True) == pytest.approx(table.covariance, abs=2e-3)
    other = risk_table(load_framework(), load_assumptions())
    assert not np.allclose(other.scenarios, table.scenarios[:200])


@pytest.mark.parametrize("text", ["count = 201", "count = 2", "level = 1.0", "level = 0", "sede = 1", "seed = -1"])
def test_wrong_scenarios_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cma.toml"
    path.write_text(f'extends = "long_run"\n[scenarios]\n{text}\n', "utf-8")
    with pytest.raises(ConfigError, match="scenarios"):
        load_assumptions(path)


@pytest.mark.parametrize("code", ["ESVUFR", "EPVUFR", "ECVUFR", "EFVUFR", "EDSUFR"])
def test_every_kind_of_share_in_the_cfi_table_is_a_listed_share(code: str) -> None:
    """Common, preferred, both kinds of convertible ones, and depositary receipts."""
    import pandas as pd

    f = load_framework()
    assert f.class_codes[match_cfi(pd.Series([code]), f)[0]] == "listed_equity"
