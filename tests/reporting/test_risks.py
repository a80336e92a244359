"""Risk measures as people and programs read them: both languages, every kind of client, numbers that agree."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book

from allocator.book import Book
from allocator.errors import InputError
from allocator.i18n import LANGUAGES, words
from allocator.past_years import PastYears
from allocator.pipeline import analyze
from allocator.reporting.blocks import Blocks, Line, Table, cell
from allocator.reporting.jsonout import dumps
from allocator.reporting.jsonrisks import risk_json
from allocator.reporting.risks import risk_overview, risk_sheet
from allocator.reporting.terminal import plain
from allocator.risk_measures import RiskMeasures, measure_risk

EN, ZH = words("en"), words("zh")


@pytest.fixture(scope="module")
def measures(sample: Book, past: PastYears) -> RiskMeasures:
    return measure_risk(analyze(sample, on=ON), past=past)


@pytest.fixture(scope="module")
def bare(sample: Book) -> RiskMeasures:
    """Without years of the past."""
    return measure_risk(analyze(sample, on=ON))


def tables(blocks: Blocks) -> dict[str, list[list[str]]]:
    return {b.title: [[cell(c).text for c in row] for row in b.rows] for b in blocks if isinstance(b, Table)}


def lines(blocks: Blocks) -> list[str]:
    return [b.text for b in blocks if isinstance(b, Line)]


@pytest.mark.parametrize("kind", ["measures", "bare"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_client_has_a_whole_sheet(kind: str, lang: str, request: pytest.FixtureRequest) -> None:
    said, measures = words(lang), request.getfixturevalue(kind)
    for client in measures.analysis.client_ids:
        blocks = risk_sheet(measures, client, said)
        text = plain(blocks)
        assert "nan" not in text.lower().replace("financ", "")
        assert "{" not in text
        for b in blocks:
            if isinstance(b, Table):
                assert all(len(row) == len(b.columns) for row in b.rows), b.title
        if lang == "zh":
            own = "".join(lines(blocks)[:1])
            assert not re.search(r"[A-Za-z]{4,} [a-z]{2,}", own)
    assert plain(risk_overview(measures, said))


def test_the_figures_shown_are_those_of_the_tables(measures: RiskMeasures) -> None:
    row = measures.select("C009")["summary"].iloc[0]
    shown = tables(risk_sheet(measures, "C009", EN))
    losses = shown["Losses within a year, once in 20 times"]
    for told, way in zip(losses, ("normal", "t", "history"), strict=True):
        assert told[1:] == [
            EN.percent(row[f"var_{way}"]),
            EN.money(row[f"var_{way}"] * row["equity"]),
            EN.percent(row[f"cvar_{way}"]),
            EN.money(row[f"cvar_{way}"] * row["equity"]),
        ]
    figures = {r[0]: r[1] for r in shown["Other measures of the own money"]}
    assert figures["Volatility"] == EN.percent(row["volatility"])
    assert figures["Independent bets"] == EN.number(row["bets"])
    classes = shown[EN.text("risk.title_classes")]
    assert classes[0][0] == "Private business"
    assert sum(float(r[4]) for r in classes) == pytest.approx(100 * row["volatility"], abs=0.3)


def test_one_sentence_says_what_a_bad_year_takes(measures: RiskMeasures) -> None:
    row = measures.select("C009")["summary"].iloc[0]
    found = sorted(row[f"cvar_{way}"] for way in ("normal", "t", "history"))
    told = lines(risk_sheet(measures, "C009", EN))[0]
    assert told == (
        f"In the worst of 20 cases the family loses on average {found[0]:.0%} to {found[2]:.0%} of its own money "
        f"within a year: CNY {found[0] * row['equity'] / 1e6:.1f}m to {found[2] * row['equity'] / 1e6:.1f}m."
    )
    assert "最坏的 1/20 情况下" in lines(risk_sheet(measures, "C009", ZH))[0]
    assert "no loss" in lines(risk_sheet(measures, "C004", EN))[0]
    assert "no own money" in lines(risk_sheet(measures, "C012", EN))[0]


def test_no_figure_has_more_digits_than_its_error(measures: RiskMeasures) -> None:
    for client in measures.analysis.client_ids:
        row = measures.select(client)["summary"].iloc[0]
        shown = {r[0]: r[1] for r in tables(risk_sheet(measures, client, EN))["Other measures of the own money"]}
        value = shown["Expected return"]
        if math.isnan(row["standard_error"]):
            assert value == "–"
            continue
        assert value.count("%") == 2
        assert ("." in value) == (row["standard_error"] < 0.0095)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_years_of_the_past_nothing_is_said_of_them(
    bare: RiskMeasures, measures: RiskMeasures, lang: str
) -> None:
    said = words(lang)
    for show in (lambda m: risk_sheet(m, "C009", said), lambda m: risk_overview(m, said)):
        without, with_ = (plain(show(m)) for m in (bare, measures))
        past = "历史" if lang == "zh" else "ears of the past"
        short = said.text("risk.way_short_history")
        assert past in with_ or short in with_
        assert past not in without
        assert short not in without
        assert ("1929" in with_, "2015" in with_, "1929" in without) == (True, True, False)
    losses = tables(risk_sheet(bare, "C009", said))[
        said.text("risk.title_losses", horizon=said.text("risk.one_year"), odds="20")
    ]
    assert [r[0] for r in losses] == [said.text("risk.way_normal"), said.text("risk.way_t")]
    row = bare.select("C009")["summary"].iloc[0]
    low, high = sorted(said.percent(row[f"cvar_{way}"], 0) for way in ("normal", "t"))
    assert said.text("number.from_to", low=low, high=high).replace(" ", "") in lines(risk_sheet(bare, "C009", said))[
        0
    ].replace(" ", "")
    s = bare.summary.set_index("client_id")
    worst = tables(risk_overview(bare, said))[said.text("risk.title_worst")]
    assert worst[0][0] == s[["cvar_normal", "cvar_t"]].max(axis=1).idxmax()


def test_losing_more_than_all_is_said() -> None:
    book = make_book([("a", "flat", "investment_property", 100.0)], debts=[{"client_id": "a", "value": 80.0}])
    blocks = risk_sheet(measure_risk(analyze(book, on=ON)), "a", EN)
    assert any("debts would be larger than what is left" in text for text in lines(blocks))


def test_goals_are_told_with_their_chances_and_reasons(sample: Book) -> None:
    rows = [
        {"client_id": "C010", "goal": "education", "amount": 3e6, "years": 8, "monthly": 2e4, "start": 5e5},
        {"client_id": "C010", "goal": "[red]boat[/red]", "amount": 4e9, "years": 15.5},
        {"client_id": "C010", "goal": "reserve", "amount": None, "years": 1},
        {"client_id": "C010", "goal": "odd", "amount": -1, "years": 1},
    ]
    m = measure_risk(analyze(sample, on=ON), goals=pd.DataFrame(rows))
    told = tables(risk_sheet(m, "C010", EN))["Goals, in CNY"]
    assert [r[0] for r in told] == ["education", "[red]boat[/red]", "reserve", "odd"]
    assert [r[1] for r in told] == ["8", "15.5", "1", "1"]
    p = m.goals["probability"]
    assert [r[-1] for r in told] == [EN.percent(p[0], 0), "over 99%", "under 1%", EN.text("risk.reason_bad_figure")]
    zh = tables(risk_sheet(m, "C010", ZH))["目标（CNY）"]
    assert [r[0] for r in zh] == ["教育", "[red]boat[/red]", "备用金", "odd"]
    counted = tables(risk_overview(m, EN))["Goals"]
    assert counted[1] == ["[red]boat[/red]", "1", "0", "1", "0"]


def test_the_book_is_told_by_band(measures: RiskMeasures) -> None:
    blocks = risk_overview(measures, EN)
    by_band = next(iter(tables(blocks).values()))
    s = measures.summary.assign(band=measures.analysis.summary["band"])
    assert sum(int(r[1]) for r in by_band) == len(measures)
    told = {r[0]: r for r in by_band}
    assert told["Aggressive"][2] == EN.percent(s.loc[s["band"] == "aggressive", "volatility"].median())
    worst = tables(blocks)["The largest losses in the worst cases"]
    assert worst[0][0] == "C008"


def test_an_unknown_client_is_refused(measures: RiskMeasures) -> None:
    for ask in (lambda: risk_sheet(measures, "nobody", EN), lambda: risk_json(measures, EN, client="nobody")):
        with pytest.raises(InputError):
            ask()


# ---- JSON


def test_json_has_the_numbers_of_the_tables(measures: RiskMeasures) -> None:
    whole: dict[str, Any] = json.loads(dumps(risk_json(measures, EN)))
    assert (whole["schema"], whole["horizon"], whole["level"]) == ("allocator/1", 1.0, 0.95)
    assert whole["rests_on"]["years"] == 88
    assert whole["rests_on"]["degrees_source"]
    for client, (_, row) in zip(whole["clients"], measures.summary.iterrows(), strict=True):
        risk = client["risk"]
        for name in measures.summary.columns.drop(["client_id", "currency", "equity"]):
            told = math.nan if risk[name] is None else risk[name]
            assert told == pytest.approx(row[name], nan_ok=True), name
        if risk["volatility"]:
            for kind in ("buckets", "classes", "holdings"):
                assert sum(r["contribution"] for r in risk["contributions"][kind]) == pytest.approx(risk["volatility"])
        assert [g["goal"] for g in risk["goals"]] == ["reserve"]
        assert {h["asset_id"] for h in risk["contributions"]["holdings"]} == {h["asset_id"] for h in client["holdings"]}


def test_json_says_which_years_were_given(measures: RiskMeasures, bare: RiskMeasures) -> None:
    told = risk_json(measures, EN)["rests_on"]["past"]
    assert told == {"name": "own", "source": "given by the caller", "years": list(range(1929, 2016))}
    without = risk_json(bare, EN)
    assert without["rests_on"]["past"] is None
    assert {c["risk"][k] for c in without["clients"] for k in ("var_history", "cvar_history")} == {None}


def test_json_of_one_client_is_that_of_the_book(measures: RiskMeasures) -> None:
    whole = {c["client_id"]: c for c in risk_json(measures, ZH)["clients"]}
    for client in ("C001", "C012", "C018"):
        alone = risk_json(measures, ZH, client=client)["clients"]
        assert alone == [whole[client]]
    assert whole["C018"]["risk"]["goals"][0]["reason"] == "no_need"
    assert whole["C001"]["risk"]["goals"][0]["reason"] is None


def test_goals_of_strangers_stay_out_of_the_json(sample: Book) -> None:
    goals = pd.DataFrame([{"client_id": "nobody", "goal": "x", "amount": 1.0, "years": np.nan}])
    m = measure_risk(analyze(sample, on=ON), goals=goals)
    assert all(c["risk"]["goals"] == [] for c in risk_json(m, EN)["clients"])
    assert m.goals["reason"].tolist() == ["unknown_client"]
    assert risk_json(m, EN)["goals_of_nobody"] == 1
    said = EN.text("risk.note_nobody", count=1)
    assert said in lines(risk_overview(m, EN))
    assert said not in lines(risk_sheet(m, "C001", EN))
    alone = measure_risk(analyze(sample.client("C001"), on=ON), goals=goals)
    assert said in lines(risk_sheet(alone, "C001", EN))
    assert risk_json(alone, EN, client="C001")["goals_of_nobody"] == 1
