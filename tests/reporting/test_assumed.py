"""Assumptions and estimates in words: every figure, both languages, and the same numbers in JSON."""

from __future__ import annotations

import json
import re
import runpy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import allocator as al
from allocator.assumptions import Assumptions, load_assumptions
from allocator.estimation import Estimate
from allocator.framework import load_framework
from allocator.i18n import LANGUAGES, words
from allocator.reporting.assumed import (
    asset_name,
    assumption_blocks,
    assumption_json,
    estimate_blocks,
    estimate_json,
    note_sentence,
)
from allocator.reporting.blocks import Blocks, Table, cell
from allocator.reporting.terminal import plain

CLASSIC = load_framework()
SCRIPT = ROOT / "reports" / "unsmoothing.py"


def estimate() -> Estimate:
    """An appraised series, gaps, few years: most of what can be said."""
    rng = np.random.default_rng(0)
    x = pd.DataFrame(rng.normal(0.005, [0.05, 0.01, 0.02], (60, 3)))
    for t in range(1, 60):
        x.iloc[t, 2] = 0.5 * x.iloc[t, 2] + 0.5 * x.iloc[t - 1, 2]
    x.columns = pd.Index(["listed_equity", "factor:bond", "investment_property"])
    x.index = pd.date_range("2020-01-31", periods=60, freq="ME")
    x.iloc[5, 0] = np.nan
    return al.estimate(x, returns=True, appraised=["investment_property"])


def tables(blocks: Blocks) -> list[Table]:
    return [b for b in blocks if isinstance(b, Table)]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("preset", ["long_run", "us", "china"])
def test_every_factor_and_class_is_shown(preset: str, lang: str) -> None:
    said, a = words(lang), load_assumptions(preset)
    blocks = assumption_blocks(a, CLASSIC, said)
    factors, correlations, classes, sources = tables(blocks)
    assert len(factors.rows) == len(a.factors) == len(correlations.rows)
    assert [cell(r[0]).text for r in classes.rows] == [said.name(c) for c in CLASSIC.classes.values()]
    assert len(sources.rows) == len(a.classes)
    text = plain(blocks)
    assert said.name(a) in text
    for f in a.factors.values():
        assert said.percent(f.volatility) in text
    for mark, reference in a.references.items():
        assert f"[{mark}] {reference}" in text
    assert not re.search(r"\bnan\b", text)


def test_one_firm_is_market_and_own_part_together() -> None:
    a = load_assumptions()
    classes = tables(assumption_blocks(a, CLASSIC, words("en")))[2]
    row = next(r for r in classes.rows if cell(r[0]).text == CLASSIC.classes["private_business"].en)
    assert [cell(c).text for c in row[1:]] == ["11.3%", "22.0%", "35.0%", "41.3%", "illiquid"]


def test_repairs_are_shown(tmp_path: Any) -> None:
    rows = np.array(load_assumptions().correlation.rows)
    rows[0, 3] = rows[3, 0] = 0.99
    rows[0, 5] = rows[5, 0] = -0.99
    path = tmp_path / "a.toml"
    path.write_text(f'extends = "long_run"\n[correlation]\nrepair = true\nrows = {rows.tolist()}\n', "utf-8")
    with pytest.warns(UserWarning, match="repaired"):
        a = load_assumptions(path)
    assert "could not hold together" in plain(assumption_blocks(a, CLASSIC, words("en")))
    assert "不能同时成立" in plain(assumption_blocks(a, CLASSIC, words("zh")))
    assert assumption_json(a, CLASSIC)["repaired"] == a.correlation.repaired


def test_assumptions_in_json_are_every_figure_with_its_source() -> None:
    a = load_assumptions("china")
    out = json.loads(json.dumps(assumption_json(a, CLASSIC), allow_nan=False))
    assert out["schema"] == "allocator-assumptions/1"
    assert out["repaired"] is None
    found = {(r["part"], r["name"], r["figure"]): r for r in out["figures"]}
    assert found["factor", "equity", "volatility"]["value"] == 0.26
    assert found["factor", "equity", "volatility"]["source"] == "[V]"
    assert "26%" in out["references"]["V"]
    assert found["liquidity", "private_business", "liquidity"]["value"] == "illiquid"
    assert found["class", "private_business", "idiosyncratic"]["value"] == 0.35
    assert found["correlation", "bond, equity", "correlation"]["value"] == 0.0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_estimates_say_what_was_done(lang: str) -> None:
    said, found = words(lang), estimate()
    assert {n.code for n in found.notes} == {"unsmoothed", "dropped", "moved", "few_years"}
    text = plain(estimate_blocks(found, CLASSIC, said))
    for note in found.notes:
        sentence = note_sentence(note, said, CLASSIC)
        assert sentence in text
        assert not re.search(r"[{}]|nan|np\.", sentence)
        assert sentence.endswith("。" if lang == "zh" else ".")
    assert said.name(CLASSIC.classes["listed_equity"]) in text
    assert "listed_equity" not in text
    assert said.text("factor.bond") in text


def test_every_note_has_words_and_numbers() -> None:
    from allocator.estimation import Note

    figures = {"before": 0.1, "after": 0.2, "lowest": -0.3, "one": "gold", "two": "reit", "rows": 1, "used": 9}
    for lang in LANGUAGES:
        for code in ("dropped", "unsmoothed", "not_smoothed", "repaired", "moved", "few_years"):
            data = {"asset": "gold", "autocorrelation": 0.687, "years": 3.0} | figures
            assert note_sentence(Note(code, data), words(lang), CLASSIC)


def test_estimates_in_json_are_plain_values() -> None:
    found = estimate()
    out = json.loads(json.dumps(estimate_json(found, CLASSIC, words("zh")), allow_nan=False))
    assert out["covariance"] == found.covariance.to_numpy().tolist()
    assert [r["asset"] for r in out["assets"]] == found.assets
    assert [n["note"] for n in out["notes"]] == [n.code for n in found.notes]
    assert all(n["message"].endswith("。") for n in out["notes"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_own_classes_are_named_as_such(lang: str) -> None:
    said = words(lang)
    shares = said.name(CLASSIC.classes["listed_equity"])
    assert asset_name("listed_equity_estimated", said, CLASSIC) == said.text("assumed.estimated", name=shares)
    assert asset_name("factor:equity", said, CLASSIC) == said.text("factor.equity")
    assert asset_name("silver", said, CLASSIC) == "silver"
    text = plain(assumption_blocks(estimate().assumptions(), CLASSIC, said))
    assert said.text("assumed.estimated", name=shares) in text


def test_every_factor_of_the_presets_has_a_name() -> None:
    for preset in ("long_run", "us", "china"):
        for name in load_assumptions(preset).factors:
            assert all(f"factor.{name}" in words(lang).table for lang in LANGUAGES)


# ---- the page on smoothed prices


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_published_figures_lead_into_property_and_firms(script: dict[str, Any], shared: Any) -> None:
    """The figures that the page states."""
    years = pd.read_csv(shared("returns/us_annual_1928_2015.csv"), index_col="year")
    base = load_assumptions()
    naive: Assumptions = script["smoothed"](base, years)
    found = {
        (who, s): script["best_mix"](a, CLASSIC, s) for who, a in (("n", naive), ("o", base)) for s in (0.05, 0.12)
    }
    assert (round(found["n", 0.05]["property"], 2), round(found["n", 0.05]["private"], 2)) == (0.49, 0.38)
    assert round(found["n", 0.12]["private"], 2) == 1
    assert (round(found["o", 0.05]["property"], 2), round(found["o", 0.05]["private"], 2)) == (0.08, 0.11)
    assert (round(found["o", 0.12]["property"], 2), round(found["o", 0.12]["private"], 2)) == (0.21, 0.33)
    bars = script["volatilities"](base, years)
    assert [f"{x:.1%}" for x in bars["property"]] == ["6.3%", "14.7%", "18.9%"]
    assert [f"{x:.1%}" for x in bars["private"]] == ["9.7%", "22.0%", "41.3%"]
    for page, said in (("assumptions.md", "49% into property"), ("assumptions.zh.md", "49% 投入房产")):
        assert said in (ROOT / "reports" / page).read_text("utf-8")


def test_published_figures_hide_most_families_over_their_limit(script: dict[str, Any], shared: Any) -> None:
    years = pd.read_csv(shared("returns/us_annual_1928_2015.csv"), index_col="year")
    book = al.read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf")
    day = script["DAY"]
    naive = script["smoothed"](load_assumptions(), years)
    seen = [script["over"](al.analyze(book, CLASSIC, assumptions=a, on=day)) for a in (naive, load_assumptions())]
    assert seen == [91, 396]


def test_pictures_are_drawn_in_both_languages(script: dict[str, Any], recwarn: pytest.WarningsRecorder) -> None:
    mix = {"safe": 0.25, "shares": 0.25, "property": 0.25, "private": 0.25}
    found = {"property": (0.06, 0.15, 0.19), "private": (0.1, 0.22, 0.41)}
    counts = {"today": (1, 2), "planned": (3, 4), "planned_ours": (5, 6)}
    for lang in LANGUAGES:
        figure = script["draw"](lang, found, {"naive": [mix] * 3, "ours": [mix] * 3}, counts)
        figure.draw_without_rendering()
        texts = {t.get_text() for ax in figure.axes for t in ax.texts}
        assert {"6.0%", "41.0%", "25%", "6"} <= texts
    assert not [w for w in recwarn if "lyph" in str(w.message)]
