"""Stress tables on the terminal and in JSON: the numbers are those of the result, in both languages."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from conftest import ON
from small import book_of, client, holding, run

from allocator.book import Book
from allocator.i18n import DASH, LANGUAGES, words
from allocator.pipeline import analyze
from allocator.reporting.blocks import Blocks, Heading, Line, Table, cell
from allocator.reporting.jsonout import check_json, dumps
from allocator.reporting.jsonstress import stress_json
from allocator.reporting.stress import scenario_blocks, stress_overview, stress_sheet, switches
from allocator.reporting.terminal import show
from allocator.stresses import Stress, stress


@pytest.fixture(scope="module")
def stressed(sample: Book) -> Stress:
    return stress(analyze(sample, on=ON))


def tables(blocks: Blocks) -> list[list[list[str]]]:
    return [[[cell(c).text for c in row] for row in b.rows] for b in blocks if isinstance(b, Table)]


def lines(blocks: Blocks) -> list[str]:
    return [b.text for b in blocks if isinstance(b, Line | Heading)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_client_in_every_scenario(lang: str, stressed: Stress) -> None:
    said = words(lang)
    for who in stressed.analysis.client_ids:
        blocks = stress_sheet(stressed, who, said)
        rows, told = tables(blocks)[0], stressed.select(who)["summary"].to_dict("records")
        assert [r[0] for r in rows] == [said.name(s) for s in stressed.scenarios.scenarios.values()]
        for row, fact in zip(rows, told, strict=True):
            loss = fact["loss"]
            expected = said.money(loss, short=True) if loss >= 0.5 else None
            if abs(loss) < 0.5:
                expected = DASH
            assert row[1] == (expected or said.text("stress.gain", amount=said.money(-loss, short=True)))
            assert row[2] == (DASH if abs(loss) < 0.5 else said.percent(fact["loss_equity"]))
            assert row[-3:-1] == [said.money(fact["equity"], short=True), said.number(fact["reserve_months"])]
            if math.isnan(fact["limits_exceeded"]):
                assert row[-1] == DASH
            else:
                assert row[-1].startswith(str(int(fact["limits_exceeded"])))
                assert (str(int(fact["limits_new"])) in row[-1][1:]) or not fact["limits_new"]
        text = " ".join(lines(blocks))
        assert "nan" not in text.lower().replace("finance", "")
        assert "{" not in text


def test_the_worst_is_said_with_its_numbers(stressed: Stress) -> None:
    en = words("en")

    def first(who: str) -> str:
        return lines(stress_sheet(stressed, who, en))[1]

    assert first("C009") == (
        "The worst of 8 scenarios, “The own industry fails”, costs CNY 63,000,000: all of the family's own money, and "
        "CNY 2,626,433 would be owed beyond what the buckets hold. With own-use assets counted, the net worth would be "
        "CNY 17,373,567. The reserve would last 0.0 months instead of 42.4."
    )
    assert first("C002").startswith(
        "The worst of 8 scenarios, “1929–32: Great Depression”, costs CNY 16,986,360, 41.7%"
    )
    assert first("C012").startswith("Today already more is owed than the buckets hold.")
    assert first("C004") == "None of the 8 scenarios costs anything."
    assert any("9,126,433 of what falls due cannot be paid" in x for x in lines(stress_sheet(stressed, "C009", en)))
    assert any("spending is unknown" in x for x in lines(stress_sheet(stressed, "C018", en)))


def test_all_gone_and_nothing_owed() -> None:
    found = stress(run(book_of(holding(asset_class="private_business", value=100.0, own_company=True))))
    assert lines(stress_sheet(found, "a", words("en")))[1].endswith("costs CNY 100: all of the family's own money.")
    assert lines(stress_sheet(found, "a", words("zh")))[1].endswith("家庭自有资金全部亏光。")


def test_the_worst_may_have_an_unknown_end() -> None:
    rows = [holding(asset_id="s", asset_class="equity_fund", value=100.0)]
    a = run(book_of(*rows, clients=[client(monthly_spending=None)]))
    found = stress(a, {"x": {"shocks": {"equity_fund": -0.3}, "frozen": True, "months": 3}})
    for lang in LANGUAGES:
        text = " ".join(lines(stress_sheet(found, "a", words(lang))))
        assert "30.0%" in text
        assert DASH in tables(stress_sheet(found, "a", words(lang)))[0][0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_where_it_hits_adds_up(lang: str, stressed: Stress) -> None:
    """The sample's guarantee case: firm and guarantee are the whole loss."""
    said = words(lang)
    rows = tables(stress_sheet(stressed, "C009", said))[-1]
    assert [r[3] for r in rows] == [said.money(x, short=True) for x in (38e6, 25e6)]
    assert [r[4] for r in rows] == ["60%", "40%"]
    assert rows[1][0] == said.text("stress.called")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_limits_that_break_are_named(lang: str, stressed: Stress) -> None:
    said = words(lang)
    title = said.text("stress.title_limits")
    shown = 0
    for who in stressed.analysis.client_ids:
        broken = stressed.select(who)["limits"]
        blocks = stress_sheet(stressed, who, said)
        found = [b for b in blocks if isinstance(b, Table) and b.title == title]
        assert len(found) == (1 if len(broken) else 0)
        assert broken.empty or len(found[0].rows) == len(broken)
        assert len(broken) or said.text("stress.say_no_limits") in lines(blocks)
        shown += len(broken)
    assert shown == len(stressed.limits) > 20


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_book(lang: str, stressed: Stress) -> None:
    said = words(lang)
    first, second = tables(stress_overview(stressed, said))
    for row, fact in zip(first, stressed.book.to_dict("records"), strict=True):
        assert row[1] == str(fact["hit"])
        assert row[2:4] == [said.percent(fact["loss_share"]), said.percent(fact["loss_equity"])]
        assert row[4:] == [str(fact[k]) for k in ("insolvent", "short", "broken", "worst")]
    assert [r[0] for r in second] == stressed.analysis.client_ids
    quiet = [r for r in second if r[1] == said.text("stress.none")]
    assert [r[0] for r in quiet] == stressed.worst.loc[stressed.worst["scenario"] == "", "client_id"].tolist()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_scenarios_are_told_with_their_sources(lang: str, stressed: Stress) -> None:
    said = words(lang)
    blocks = scenario_blocks(stressed, said)
    text = " ".join([*lines(blocks), *(c for t in tables(blocks) for r in t for c in r)])
    for s in stressed.scenarios.scenarios.values():
        assert said.name(s) in text
        assert s.source in text
        assert all(x.source in text for x in s.shocks.values())
        assert all(x in text for x in switches(s, said))
    assert len(switches(stressed.scenarios.scenarios["own_industry"], said)) == 3
    assert "+187.4%" in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_fits_a_terminal(lang: str, width: int, stressed: Stress, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    said, screen = words(lang), Screen()
    for who in ("C008", "C009", "C018"):
        show(stress_sheet(stressed, who, said), screen)
    show(stress_overview(stressed, said), screen)
    assert "…" not in screen.getvalue(), "a heading or a figure was cut"


# ---- JSON


@pytest.mark.parametrize("lang", LANGUAGES)
def test_json_has_the_tables(lang: str, stressed: Stress) -> None:
    said = words(lang)
    out = json.loads(dumps(stress_json(stressed, said)))
    plain = json.loads(dumps(check_json(stressed.analysis, said)))
    assert {k: v for k, v in out.items() if k in plain and k != "clients"} == {
        k: v for k, v in plain.items() if k != "clients"
    }
    summary = stressed.summary.to_dict("records")
    rows = [{"client_id": c["client_id"], **r} for c in out["clients"] for r in c["stress"]]
    assert len(rows) == len(summary) == 24 * 8
    for row, fact in zip(rows, summary, strict=True):
        same(row, {str(k): v for k, v in fact.items()})
        assert row["limits_new"] is None or len(row["limits"]) == row["limits_new"]
        assert "holdings" not in row
    assert [c["worst_scenario"] or "" for c in out["clients"]] == stressed.worst["scenario"].tolist()
    assert [s["scenario"] for s in out["scenarios"]] == stressed.names
    assert [b["scenario"] for b in out["book"]] == stressed.names
    assert sum(len(s["shocks"]) for s in out["scenarios"]) == len(stressed.shocks)
    assert all(x["source"] for s in out["scenarios"] for x in s["shocks"] if x["how"] == "named")


def same(row: dict[str, Any], fact: dict[str, Any]) -> None:
    for key, value in fact.items():
        if isinstance(value, float) and not math.isfinite(value):
            assert row[key] is None, key
        elif isinstance(value, float):
            assert row[key] == pytest.approx(value, abs=0.0051), key
        else:
            assert row[key] == value, key


def test_json_of_one_client_has_the_holdings_and_nobody_else(stressed: Stress) -> None:
    out = json.loads(dumps(stress_json(stressed, words("en"), client="C009")))
    assert "book" not in out
    (one,) = out["clients"]
    by = {r["scenario"]: r for r in one["stress"]}
    lost = sum(h["loss"] for h in by["own_industry"]["holdings"])
    assert lost + 25e6 == pytest.approx(by["own_industry"]["loss"])
    assert len(by["frozen"]["holdings"]) == len(one["holdings"])


def test_json_is_the_same_in_both_languages_but_for_words(stressed: Stress) -> None:
    one, two = (stress_json(stressed, words(lang)) for lang in LANGUAGES)
    for a, b in zip(one["clients"], two["clients"], strict=True):
        assert a["stress"] == b["stress"]
    assert [s["name"] for s in one["scenarios"]] != [s["name"] for s in two["scenarios"]]
    assert [s["shocks"] for s in one["scenarios"]] == [s["shocks"] for s in two["scenarios"]]
