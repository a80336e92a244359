"""Wrong assumptions are named and refused, or repaired and said; the presets are what their script writes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, ROOT

import allocator as al
from allocator.assumptions import load_assumptions, risk_table
from allocator.config import presets
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.provenances import COLUMNS, class_mean, class_volatility, provenance

PRESETS = ("long_run", "us", "china")
SCRIPT = ROOT / "data" / "make_assumptions.py"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(f'extends = "long_run"\n{text}\n', "utf-8")
    return path


def bent(*changes: tuple[int, int, float], mirror: bool = True) -> str:
    """The correlations of the default with some changed, as TOML."""
    rows = np.array(load_assumptions().correlation.rows)
    for i, j, value in changes:
        rows[i, j] = value
        if mirror:
            rows[j, i] = value
    return f"[correlation]\nrows = {rows.tolist()}"


IMPOSSIBLE = bent((0, 3, 0.99), (0, 5, -0.99))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[factors.equity]\nvolatility = 16.58", ("factors.equity.volatility", "looks like percent", "write 0.1658")),
        ("[factors.equity]\nmean = 7.76", ("factors.equity.mean", "looks like percent", "write 0.0776")),
        ("borrowing_rate = 4.5", ("borrowing_rate", "looks like percent", "write 0.045")),
        ("[classes.private_business]\nidiosyncratic = 35", ("classes.private_business.idiosyncratic", "write 0.35")),
        (
            "[classes.mixed_fund]\nloadings = { equity = 60.0, bond = 40.0 }",
            ("mixed_fund.loadings.equity", "write 0.6"),
        ),
        ("[classes.deposit]\nexpected_return = 2.34", ("classes.deposit.expected_return", "write 0.0234")),
        ("[factors.equity]\nvolatility = nan", ("factors.equity.volatility", "finite number")),
        ("[factors.equity]\nmean = inf", ("factors.equity.mean", "finite number")),
        ("[factors.equity]\nvolatility = -0.1", ("factors.equity.volatility", "greater than 0")),
        (bent((1, 2, 36.0)), ("correlation.rows.1.2", "looks like percent", "write 0.36")),
        (bent((1, 2, 1.2)), ("correlation.rows.1.2", "beyond 1")),
        (bent((1, 2, 0.1), mirror=False), ("symmetric", "bond with credit", "0.1", "0.36")),
        (bent((4, 4, 0.5)), ("1 on the diagonal", "property has 0.5")),
        (IMPOSSIBLE, ("not positive semidefinite", "cash with", "lowest eigenvalue", "repair = true")),
        ('[correlation.pairs]\n"bond, silver" = "x"', ("unknown factor 'silver'",)),
    ],
)
def test_wrong_figures_are_named(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_assumptions(write(tmp_path, text))
    for part in ("mine.toml", *parts):
        assert part in str(caught.value), str(caught.value)


def test_nan_in_the_correlations_is_named(tmp_path: Path) -> None:
    text = bent((1, 2, 0.36)).replace("0.36", "nan")
    with pytest.raises(ConfigError, match=r"correlation\.rows.*finite number"):
        load_assumptions(write(tmp_path, text))
    with pytest.raises(ConfigError, match=r"correlation\.rows.*finite number"):
        load_assumptions(write(tmp_path, text), repair=True)


def test_the_pair_that_is_named_first_is_the_one_that_the_nearest_changes_most(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Change cash with (equity|private_equity) first"):
        load_assumptions(write(tmp_path, IMPOSSIBLE))


def test_a_missing_class_is_named(tmp_path: Path) -> None:
    framework = tmp_path / "f.toml"
    framework.write_text('extends = "classic"\n[classes.gold]\nassumption = "silver"\n', "utf-8")
    with pytest.raises(ConfigError, match="say nothing on: silver; add"):
        risk_table(load_framework(framework), load_assumptions())


@pytest.mark.parametrize("by_key", [True, False])
def test_repaired_correlations_are_said(tmp_path: Path, by_key: bool) -> None:
    path = write(tmp_path, IMPOSSIBLE + ("\nrepair = true" if by_key else ""))
    with pytest.warns(UserWarning, match="repaired: lowest eigenvalue -") as told:
        a = load_assumptions(path, repair=not by_key)
    r = np.array(a.correlation.rows)
    assert np.linalg.eigvalsh(r).min() > -1e-12
    assert np.array_equal(r, r.T)
    assert a.correlation.repaired in str(told[0].message)
    assert "cash with" in a.correlation.repaired
    assert "0.990" in a.correlation.repaired
    rows = provenance(a)
    assert rows.loc[rows["part"] == "correlation", "source"].str.contains("repaired: lowest").all()
    assert np.isfinite(risk_table(load_framework(), a).covariance).all()


def test_repair_averages_what_is_not_symmetric(tmp_path: Path) -> None:
    path = write(tmp_path, bent((1, 2, 0.30), mirror=False))
    with pytest.warns(UserWarning, match="bond with credit"):
        a = load_assumptions(path, repair=True)
    assert a.correlation.rows[1][2] == a.correlation.rows[2][1] == pytest.approx(0.33)


def test_repair_leaves_alone_what_is_right(recwarn: pytest.WarningsRecorder) -> None:
    for name in PRESETS:
        assert load_assumptions(name, repair=True) == load_assumptions(name)
    assert not [w for w in recwarn if "repaired" in str(w.message)]


@pytest.mark.parametrize("text", ['[correlation]\nrows = "no"', "[correlation]\nrows = [[1.0], [0.5, 1.0]]"])
def test_repair_does_not_hide_other_mistakes(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"correlation\.rows"):
        load_assumptions(write(tmp_path, text), repair=True)


# ---- presets


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("framework", ["classic", "chhabra"])
def test_presets_fit_every_framework(name: str, framework: str) -> None:
    assert name in presets("assumptions")
    table = risk_table(load_framework(framework), load_assumptions(name))
    assert np.isfinite(table.mean).all()
    assert np.linalg.eigvalsh(table.covariance).min() > -1e-12


@pytest.mark.parametrize("name", PRESETS)
def test_every_figure_has_a_source_and_every_mark_a_reference(name: str) -> None:
    rows = provenance(load_assumptions(name), load_framework())
    assert list(rows.columns) == list(COLUMNS)
    assert (rows["source"].str.len() >= 3).all()
    marks = set(rows.loc[rows["part"] == "reference", "name"])
    used = set(rows.loc[rows["part"] != "reference", "source"].str.extractall(r"\[([A-Z])\]")[0])
    assert used <= marks
    assert {"factor", "correlation", "class", "liquidity", "whole"} <= set(rows["part"])


@pytest.mark.parametrize("name", PRESETS)
def test_listed_class_figures_are_those_of_the_risk_table(name: str) -> None:
    a, f = load_assumptions(name), load_framework()
    table = risk_table(f, a)
    for k, code in enumerate(f.class_codes):
        assert class_mean(a, a.classes[code]) == pytest.approx(table.mean[k], abs=1e-15)
        assert class_volatility(a, a.classes[code]) == pytest.approx(np.sqrt(table.covariance[k, k]), abs=1e-9)


def test_the_script_writes_the_presets_byte_for_byte(shared: Any, tmp_path: Path) -> None:
    folder = shared("returns/us_annual_1928_2015.csv").parents[1]
    shared("cma/horizon2017_er_sd.csv")
    runpy.run_path(str(SCRIPT))["main"](folder, tmp_path)
    for name in ("us", "china"):
        committed = ROOT / "allocator" / "resources" / "assumptions" / f"{name}.toml"
        assert (tmp_path / f"{name}.toml").read_bytes() == committed.read_bytes()


def test_without_the_tables_the_script_writes_nothing(tmp_path: Path) -> None:
    main = runpy.run_path(str(SCRIPT))["main"]
    with pytest.raises(SystemExit, match="nothing is written"):
        main(tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())


def test_us_volatilities_are_those_of_the_returns(shared: Any) -> None:
    years = pd.read_csv(shared("returns/us_annual_1928_2015.csv"))
    a = load_assumptions("us")
    spread = {n: np.std(years[c].to_numpy(), ddof=1) for n, c in (("equity", "sp500"), ("bond", "tbond_10y"))}
    for name, value in spread.items():
        assert a.factors[name].volatility == pytest.approx(value, abs=5e-5)
    i, j = a.correlation.order.index("bond"), a.correlation.order.index("equity")
    assert a.correlation.rows[i][j] == pytest.approx(np.corrcoef(years["sp500"], years["tbond_10y"])[0, 1], abs=5e-3)
    # half core, half high yield is what corporate bonds (Baa) have been
    assert class_volatility(a, a.classes["corporate_bond"]) == pytest.approx(years["baa_corp"].std(), abs=0.005)


def test_presets_change_what_a_banker_would_expect(sample: al.Book) -> None:
    """In China leveraged flats earn less than the debts on them cost; deposits earn less; shares are wilder."""
    found = {n: al.analyze(sample, assumptions=n, on=ON).summary.set_index("client_id") for n in PRESETS}
    assert found["china"].loc["C008", "expected_return"] < 0.02 < found["long_run"].loc["C008", "expected_return"]
    assert found["china"].loc["C004", "expected_return"] == pytest.approx(0.012)
    for name in ("us", "china"):
        assert found[name].loc["C001", "volatility"] > found["long_run"].loc["C001", "volatility"]
