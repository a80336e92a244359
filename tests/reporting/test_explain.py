"""What a plan explains, on the terminal and in JSON: prices, suitability, obstacles, taxes, conflicts."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd
import pytest
from conftest import ON

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.framework import load_framework
from allocator.i18n import LANGUAGES, words
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.reporting.blocks import Blocks, Column, Line, Table, cell
from allocator.reporting.explain import HELPS, suitability_gap
from allocator.reporting.jsonout import rebalance_json
from allocator.reporting.overview import plan_overview
from allocator.reporting.sentences import conflict_sentence
from allocator.reporting.sheet import plan_sheet
from allocator.reporting.terminal import plain

PLANNED = ("C001", "C003", "C004", "C005", "C008", "C012", "C015", "C017", "C022")


@pytest.fixture(scope="module")
def analysis(sample: Book) -> Analysis:
    return analyze(sample.select(PLANNED), on=ON)


@pytest.fixture(scope="module")
def plan(analysis: Analysis) -> Plan:
    return rebalance(analysis)


@pytest.fixture(scope="module")
def hard(analysis: Analysis) -> Plan:
    return rebalance(analysis, hard=True)


def table(blocks: Blocks, title: str) -> Table | None:
    return next((b for b in blocks if isinstance(b, Table) and b.title == title), None)


def cells(t: Table) -> list[list[str]]:
    return [[cell(c).text for c in row] for row in t.rows]


def own(plan: Plan, name: str, client: str) -> pd.DataFrame:
    return plan.select(client)[name]


# ---- shadow prices


@pytest.mark.parametrize("lang", LANGUAGES)
def test_prices_are_shown_as_parts_of_the_dearest(lang: str, plan: Plan) -> None:
    said, seen = words(lang), 0
    for client in PLANNED:
        shown = table(plan_sheet(plan, client, said), said.text("title.prices"))
        prices = own(plan, "prices", client)["price"].tolist()
        if shown is None:
            assert not [p for p in prices if p > 1e-3]
            continue
        rows = cells(shown)
        assert 1 <= len(rows) <= HELPS
        assert [r[-1] for r in rows] == [said.percent(p / prices[0], 0) for p in prices[: len(rows)]]
        assert shown.more == said.text("say.price_unit")
        seen += 1
    assert seen >= 4


def test_prices_say_what_they_are_of(plan: Plan) -> None:
    def wishes(client: str, lang: str) -> list[str]:
        shown = table(plan_sheet(plan, client, words(lang)), words(lang).text("title.prices"))
        assert shown is not None
        return [r[0] for r in cells(shown)]

    english, chinese = wishes("C001", "en"), wishes("C001", "zh")
    assert english[0] == "Volatility of own money ≤ 20.0%: one step more room"
    assert chinese[0] == "自有资金波动率 ≤ 20.0%：放宽一步"
    assert english[1] == "if more of 玥堃精密制造 98% 股权 could be sold"
    cautious = wishes("C004", "en")
    assert any(re.search(r"could be bought \(R3, above the client's R2\)", w) for w in cautious)
    assert any(w.endswith("could be bought (not offered now)") for w in cautious)
    assert "Listed equity ≥ 5.0%: one step less asked" in cautious


# ---- suitability


@pytest.mark.parametrize("lang", LANGUAGES)
def test_both_modes_stand_side_by_side(lang: str, plan: Plan) -> None:
    said = words(lang)
    for client in ("C004", "C015"):
        page = plan_sheet(plan, client, said)
        shown = table(page, said.text("title.suitability"))
        assert shown is not None
        total = float(plan.before.select(client)["summary"]["total"].iloc[0])
        product, portfolio = own(plan, "suitability", client).to_dict("records")
        assert portfolio["above"] > 0
        assert portfolio["excess"] < product["excess"]
        rows = {r[0]: r[1:] for r in cells(shown)}
        assert rows[said.text("figure.excess")] == [
            said.money(m["excess"] * total, "CNY") for m in (product, portfolio)
        ]
        assert rows[said.text("figure.cost")] == [said.money(m["cost"] * total, "CNY") for m in (product, portfolio)]
        assert rows[said.text("figure.above")] == [said.percent(m["above"]) for m in (product, portfolio)]
        assert rows[said.text("figure.satellite")][1] == said.percent(0.05)
        text = plain(page)
        for r in own(plan, "riskier", client).to_dict("records"):
            assert f"{r['name']}\tR{r['grade']}\t{said.exact(r['amount'])}" in text
        assert said.text("say.suitability_note") in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_equal_modes_are_one_line(lang: str, plan: Plan) -> None:
    said = words(lang)
    page = plan_sheet(plan, "C001", said)
    assert table(page, said.text("title.suitability")) is None
    assert [b.text for b in page if isinstance(b, Line)].count(said.text("say.suitability_same")) == 1


def test_the_gap_names_only_what_differs() -> None:
    product = {"excess": 0.05, "distance": 0.2, "volatility": 0.1, "cost": 0.001}
    there = product | {"excess": 0.0}
    assert suitability_gap(product, there, 1e6, "CNY", words("en")) == (
        "By portfolio: CNY 0 beyond limits instead of CNY 50,000."
    )
    assert suitability_gap(product, there, 1e6, "CNY", words("zh")) == "按整个组合判断时，超限金额由 5.00万元变为 0元。"
    assert suitability_gap(product, product, 1e6, "CNY", words("en")) == words("en").text("gap.none")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_json_has_both_modes_the_gap_and_the_note(lang: str, plan: Plan) -> None:
    said = words(lang)
    for client in rebalance_json(plan, said)["clients"]:
        found, frame = client["plan"]["suitability"], own(plan, "suitability", client["client_id"])
        if not len(frame):
            assert found is None
            continue
        assert set(found) == {"product", "portfolio", "riskier", "gap", "note"}
        for row in frame.to_dict("records"):
            mode = found[row["mode"]]
            assert (mode["excess"], mode["distance"], mode["above"]) == (row["excess"], row["distance"], row["above"])
            assert mode["excess_amount"] == pytest.approx(row["excess"] * client["total"], abs=0.02)
            assert mode["cost"] == pytest.approx(row["cost"] * client["total"], abs=0.02)
            assert mode["verified"] is bool(row["certificate"])
        assert [r["asset_id"] for r in found["riskier"]] == own(plan, "riskier", client["client_id"])[
            "asset_id"
        ].tolist()
        assert found["note"] == said.text("say.suitability_note")
        assert (found["gap"] == said.text("say.suitability_same")) == (not found["riskier"])


def test_a_mode_that_no_solver_found_is_not_called_the_same(plan: Plan) -> None:
    from dataclasses import replace

    lost = plan.obstacles.copy()
    at = (lost["client_id"] == "C004") & (lost["obstacle"] == "suitability")
    lost.loc[at, ["excess", "distance", "volatility", "cost"]] = math.nan
    other = replace(plan, obstacles=lost)
    said = words("en")
    assert said.text("say.suitability_unknown") in plain(plan_sheet(other, "C004", said))
    found = next(c for c in rebalance_json(other, said)["clients"] if c["client_id"] == "C004")["plan"]
    assert found["suitability"]["portfolio"] is None
    assert found["suitability"]["gap"] == said.text("say.suitability_unknown")
    assert next(o for o in found["obstacles"] if o["obstacle"] == "suitability")["cost"] is None


# ---- obstacles


def test_obstacles_carry_money_and_the_plan_without_them(plan: Plan) -> None:
    for client in rebalance_json(plan, words("en"))["clients"]:
        me, total = client["client_id"], client["total"]
        frame = own(plan, "obstacles", me)
        for printed, row in zip(client["plan"]["obstacles"], frame.to_dict("records"), strict=True):
            assert printed["obstacle"] == row["obstacle"]
            for key, column in (("excess_amount", "excess"), ("cost", "cost")):
                assert printed[key] == pytest.approx(row[column] * total, abs=0.02)
            others = own(plan, "alternatives", me)
            assert len(printed["trades"]) == int((others["obstacle"] == row["obstacle"]).sum())


def test_an_open_shelf_names_what_it_would_add(plan: Plan) -> None:
    others = own(plan, "alternatives", "C022")
    (bought,) = others[(others["obstacle"] == "shelf") & (others["side"] == "buy")].to_dict("records")
    text = plain(plan_sheet(plan, "C022", words("en")))
    assert f"would also buy: {bought['name']} (CNY {bought['amount']:,.0f})." in text


# ---- taxes


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_tax_column_stands_only_where_there_is_tax(lang: str, plan: Plan) -> None:
    said, seen = words(lang), set()
    for client in PLANNED:
        frame = own(plan, "trades", client)
        if not len(frame):
            continue
        shown = table(plan_sheet(plan, client, said), said.text("title.trades"))
        assert shown is not None
        heads = [c.head for c in shown.columns]
        taxed = bool((frame["tax"] > 0).any())
        assert (said.text("head.tax") in heads) == taxed
        text = plain(plan_sheet(plan, client, said))
        s = own(plan, "summary", client).iloc[0]
        assert said.money(s["cost"], "CNY") in text
        if taxed:
            at = heads.index(said.text("head.tax"))
            assert sorted(r[at] for r in cells(shown)) == sorted(said.exact(x) for x in frame["tax"])
            assert said.money(s["tax"], "CNY") in text
        seen.add(taxed)
    assert seen == {True, False}


# ---- hard mode


@pytest.mark.parametrize("lang", LANGUAGES)
def test_conflicts_are_a_sentence_and_a_table(lang: str, hard: Plan) -> None:
    said = words(lang)
    page = plan_sheet(hard, "C003", said)
    (found,) = own(hard, "conflicts", "C003").to_dict("records")
    shown = table(page, said.text("title.conflicts"))
    assert shown is not None
    ((_, bound, needed, room),) = cells(shown)
    assert bound == f"≤ {said.percent(found['bound'])}"
    assert needed == f"≤ {said.percent(found['needed'])}"
    assert room == said.money(found["amount"], "CNY")
    assert any(isinstance(b, Line) and needed in b.text and bound in b.text for b in page)


def test_json_of_a_conflict(hard: Plan) -> None:
    english, chinese = (
        {c["client_id"]: c["plan"] for c in rebalance_json(hard, words(lang))["clients"]} for lang in LANGUAGES
    )
    found = english["C003"]
    assert found["status"] == "infeasible"
    assert found["reason"].startswith("This limit cannot hold: private business ≤ 30.0%.")
    assert chinese["C003"]["reason"].startswith("以下限额无法达标：企业股权 ≤ 30.0%。")
    (row,) = found["conflicts"]
    assert set(row) == {"limit", "sense", "bound", "needed", "relaxation", "amount"}
    assert row["needed"] > row["bound"]
    assert english["C005"]["conflicts"] == []
    assert english["C005"]["reason"] is None
    whole = english["C022"]
    assert (whole["status"], whole["reason_code"], whole["conflicts"]) == ("infeasible", "whole_amounts", [])
    assert "whole" in whole["reason"]


def test_several_limits_that_clash_are_named_together() -> None:
    rows = [
        {"limit": "property", "sense": "<=", "bound": 0.3, "needed": 0.469},
        {"limit": "turnover", "sense": "<=", "bound": 0.5, "needed": 0.665},
        {"limit": "reserve_months", "sense": ">=", "bound": 12.0, "needed": math.inf},
    ]
    f = load_framework()
    assert conflict_sentence(rows, f, words("en")) == (
        "These limits cannot hold together: investment property ≤ 30.0%, turnover of the plan ≤ 50.0%, reserve in"
        " months ≥ 12.0. The least that would do, one of them while the others hold: investment property ≤ 46.9%, or"
        " turnover of the plan ≤ 66.5%."
    )
    assert conflict_sentence(rows[2:], f, words("zh")) == "以下限额不能同时达标：备用金月数 ≥ 12.0。"
    assert conflict_sentence([], f, words("en")) == ""


def test_a_book_lists_every_clash(hard: Plan) -> None:
    counts = pd.DataFrame({"table": [], "file": [], "read": [], "used": [], "set_aside": [], "ignored": []})
    shown = table(plan_overview(hard, counts, words("en")), words("en").text("title.conflicts"))
    assert shown is not None
    assert len(shown.rows) == len(hard.conflicts) > 2
    assert [r[0] for r in cells(shown)] == hard.conflicts["client_id"].tolist()


# ---- a book


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_book_counts_what_holds_back_and_what_would_help(lang: str, plan: Plan) -> None:
    said = words(lang)
    counts = pd.DataFrame({"table": [], "file": [], "read": [], "used": [], "set_aside": [], "ignored": []})
    page = plan_overview(plan, counts, said)
    obstacles = table(page, said.text("title.obstacles_book"))
    assert obstacles is not None
    rows = {r[0]: r[1:] for r in cells(obstacles)}
    frame = plan.obstacles[plan.obstacles["obstacle"] == "locks"]
    felt = frame[(frame[["excess", "distance", "volatility"]].abs() > 5e-4).any(axis=1)]
    assert rows[said.text("obstacle.locks")][:2] == [str(len(felt)), said.signed(felt["excess"].median() * 100)]
    helps = table(page, said.text("title.prices_book"))
    assert helps is not None
    assert sum(int(r[1]) for r in cells(helps)) <= len(PLANNED)
    assert any(said.text("say.suitability_note") == b.text for b in page if isinstance(b, Line))


def test_columns_squeeze_before_amounts_go() -> None:
    from allocator.reporting.layout import fitted

    heads = (Column("a" * 30, "sentence", least=10), Column("cost", "number", spare=1))
    rows: Any = (("word " * 6, "1,234.00"),)
    keep, _ = fitted(Table("", heads, rows), 24)
    assert keep == [0, 1]
    keep, _ = fitted(Table("", (Column("a" * 30, "sentence"), heads[1]), rows), 24)
    assert keep == [0]
