"""Limits in words: users' own, sectors and currencies by name, kinds that classic has not, unknown ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, ROOT, make_book

import allocator as al
from allocator.assumptions import risk_table
from allocator.book import Book
from allocator.framework import LIMITS, load_framework
from allocator.i18n import LANGUAGES, words
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.reporting.frameworks import framework_blocks
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.jsonout import rebalance_json
from allocator.reporting.labels import label_shares, largest_label, reason_of
from allocator.reporting.overview import plan_overview
from allocator.reporting.sentences import bound_of, inline_name, limit_name, trade_reason
from allocator.reporting.sheet import check_sheet, plan_sheet
from allocator.reporting.terminal import plain
from allocator.risk import shortfall

EVERY = ROOT / "data" / "frameworks" / "every_limit.toml"


def holding(name: str, klass: str, value: float, **more: Any) -> dict[str, Any]:
    return {"client_id": "A", "name": name, "asset_class": klass, "value": value, **more}


def small(*rows: dict[str, Any]) -> Book:
    """One balanced client whose month costs little."""
    return make_book(pd.DataFrame(rows), [{"client_id": "A", "risk_band": "balanced", "monthly_spending": 100.0}])


@pytest.fixture(scope="module")
def technical() -> Plan:
    """Too much technology by a limit of one's own, and a firm of it that cannot be sold."""
    book = small(
        holding("cash", "deposit", 30_000.0),
        holding("bonds", "government_bond", 25_000.0),
        holding("chips", "listed_equity", 12_000.0, sector="tech", issuer="c"),
        holding("cloud", "listed_equity", 13_000.0, sector="Tech ", issuer="d"),
        holding("robots", "private_equity", 20_000.0, sector="tech", sellable=0.0),
    )
    own = al.limit(
        "tech", 0.15, counts=lambda h: h["sector"].str.strip().str.lower() == "tech", words=("Technology", "科技")
    )
    return rebalance(analyze(book, on=ON, limits=[own]))


@pytest.fixture(scope="module")
def every(sample: Book) -> Plan:
    few = ["C001", "C004", "C008", "C011", "C017", "C018", "C019"]
    return rebalance(analyze(sample.select(few), EVERY, on=ON))


# ---- users' own


@pytest.mark.parametrize(("lang", "name"), [("en", "Technology"), ("zh", "科技")])
def test_own_limits_bear_their_words_everywhere(lang: str, name: str, technical: Plan) -> None:
    said, own = words(lang), technical.before.own
    assert limit_name("tech", technical.before.framework, said, own) == name
    page = plain(plan_sheet(technical, "A", said))
    today, after = (a.limits.set_index("limit").loc["tech", "value"] for a in (technical.before, technical.after))
    assert f"{name}\t{said.percent(today)}\t{said.percent(after)}\t≤ 15.0%" in page
    because = technical.trades["because"].tolist()
    assert "tech" in because
    reasons = [
        t["reason"] for t in rebalance_json(technical, said)["clients"][0]["plan"]["trades"] if t["because"] == "tech"
    ]
    assert reasons
    assert all(name in r and said.percent(today) in r and said.percent(after) in r for r in reasons)
    assert name in plain(check_sheet(technical.before, "A", said))


def test_own_limits_keep_their_capitals_in_sentences() -> None:
    own = al.limit("x", 0.1, counts=lambda h: h["own_company"], words=("Apple shares", "苹果股票")).on(load_framework())
    assert inline_name("x", load_framework(), words("en"), [own]) == "Apple shares"


def test_own_limit_that_stays_exceeded_is_told_with_what_is_locked(technical: Plan) -> None:
    told = {limit.name: why for limit, _, why in still_exceeded(technical, 0, words("en"))}
    assert told["tech"] == "CNY 20,000 of it cannot be sold in this plan"


def test_own_limits_without_words_and_of_a_term() -> None:
    import cvxpy as cp

    book = small(holding("cash", "deposit", 500.0), holding("firm", "private_business", 9_500.0, sellable=0.0))
    own = [
        al.limit("spread", 0.2, term=lambda w, _: cp.norm(w)),
        al.limit("cushion", 0.3, counts=lambda h: h["asset_class"] == "deposit", sense=">="),
    ]
    plan = rebalance(analyze(book, on=ON, limits=own))
    told = {limit.name: why for limit, _, why in still_exceeded(plan, 0, words("en"))}
    assert told["spread"] == words("en").text("say.weighed")
    assert told["cushion"] == words("en").text("say.floor_blocked")
    for lang in LANGUAGES:
        assert "Cushion" in plain(plan_sheet(plan, "A", words(lang)))
    hard = rebalance(analyze(book, on=ON, limits=own), hard=True)
    assert hard.summary["status"].tolist() == ["infeasible"]
    for lang in LANGUAGES:
        assert hard.conflicts["limit"].iloc[0] is not None
        assert words(lang).text("title.conflicts") in plain(plan_sheet(hard, "A", words(lang)))


def test_the_lines_of_the_readme_run() -> None:
    """The code of the English page runs, and its limit is in the certificates."""
    blocks = re.findall(r"^```py\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.S | re.M)
    (code,) = (x for x in blocks if "al.limit(" in x)
    assert len(code.splitlines()) <= 10
    assert "al.limit(" in (ROOT / "README.zh.md").read_text("utf-8")
    names: dict[str, Any] = {}
    exec(code, names)
    measured = names["analysis"].limits.query("limit == 'tech'")
    assert len(measured) > 20
    assert measured["value"].max() > 0
    assert (names["plan"].checks["check"] == "tech").sum() > 15


# ---- names nobody knows


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_unknown_limit_keeps_its_code(lang: str) -> None:
    f, said = load_framework(), words(lang)
    assert limit_name("no_such_limit", f, said) == "no_such_limit"
    assert limit_name("class:no_such", f, said) == "class:no_such"
    trade = {
        "side": "sell",
        "because": "no_such",
        "sense": "<=",
        "share_before": 0.5,
        "share_after": None,
        "bound": 0.2,
    }
    assert "no_such" in trade_reason(trade, f, said)
    assert bound_of("no_such", float("nan"), "<=", said) == "–"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_limit_that_a_framework_may_name_has_words(lang: str) -> None:
    f = load_framework()
    assert all(limit_name(n, f, words(lang)) != n for n in (*LIMITS, "reserve_months", "volatility"))


# ---- sectors, countries, currencies


def test_label_shares_are_those_that_the_limits_count(every: Plan) -> None:
    a = every.before
    names = [x.name for x in a.limit_table.limits]
    for i in range(len(a)):
        for name in ("sector", "country", "currency"):
            value = float(a.limit_table.value[i, names.index(name)])
            parts = label_shares(a, i, name)
            assert max((share for _, share in parts.values()), default=0.0) == pytest.approx(value, abs=1e-12)
            label = largest_label(a, i, name)
            assert (label == "") == (value == 0)
            if label:
                assert parts[label.casefold()][1] == pytest.approx(value, abs=1e-12)
    assert largest_label(a, 0, "volatility") == ""


def test_a_sale_that_brings_a_sector_down_is_told_with_that_sector() -> None:
    """Two sectors beyond the limit: each sale tells its own one, not the largest of all."""
    book = small(
        holding("a", "equity_fund", 45_000.0, sector="Banks"),
        holding("b", "government_bond", 5_000.0, sector=" banks"),
        holding("c", "bond_fund", 50_000.0, sector="mining"),
    )
    plan = rebalance(analyze(book, EVERY, on=ON))
    told = [t for t in plan.trades.to_dict("records") if t["because"] == "sector" and t["side"] == "sell"]
    trade = {"asset_id": "c", "side": "sell", "because": "sector", "sense": "<=", "bound": 0.4}
    trade |= {"share_before": 0.5, "share_after": 0.4}
    for t in [*told, trade]:
        label = {"a": "Banks", "b": "Banks", "c": "mining"}[t["asset_id"]]
        shares = [
            label_shares(x, 0, "sector").get(label.casefold(), (label, 0.0))[1] for x in (plan.before, plan.after)
        ]
        text = reason_of(plan, 0, t, words("en"))
        before, after = (words("en").percent(x) for x in shares)
        assert f"the sector “{label}”" in text
        assert after in text
        assert before in text or "part of a plan" in text
        assert f"“{label}”行业占比" in reason_of(plan, 0, t, words("zh"))
    buy = trade | {"side": "buy", "asset_id": "new"}
    assert "the largest sector" in reason_of(plan, 0, buy, words("en"))


# ---- what stays exceeded, and why


def test_a_locked_sector_is_told_in_money(every: Plan) -> None:
    i = every.before.index("C001")
    p = every.before.positions
    rows = slice(p.start[i], p.start[i + 1])
    machinery = (p.holdings["sector"].iloc[rows].str.strip() == "machinery").to_numpy()
    locked = float((p.value[rows] * (1 - p.sellable[rows]))[machinery].sum())
    told = {limit.key: why for limit, _, why in still_exceeded(every, i, words("en"))}
    assert told["sector<="] == f"CNY {locked:,.0f} of it cannot be sold in this plan"


def test_the_loss_of_what_is_locked_is_that_of_its_scenarios() -> None:
    book = small(holding("cash", "deposit", 100.0), holding("firm", "private_business", 900.0, sellable=0.0))
    plan = rebalance(analyze(book, EVERY, on=ON))
    told = {limit.name: why for limit, _, why in still_exceeded(plan, 0, words("en"))}
    f = plan.before.framework
    table = risk_table(f, plan.before.assumptions)
    money = np.zeros((1, len(f.classes)))
    money[0, f.class_codes.index("private_business")] = 900.0
    alone = float(shortfall(money, table)[0]) / float(plan.after.exposures.equity[0])
    assert told["cvar"] == f"what cannot be sold in this plan brings {alone:.1%} by itself"
    assert told["tracking"] == words("en").text("say.weighed") or told["tracking"].startswith("one plan may not go")


def test_a_floor_that_no_suitable_product_fills(every: Plan) -> None:
    told = {limit.key: why for limit, _, why in still_exceeded(every, every.before.index("C004"), words("en"))}
    assert told["group:equity>="].endswith("what is offered lies above the client's R2")
    assert told["class:gold>="].endswith("what is offered lies above the client's R2")


def test_a_floor_whose_products_are_too_large(sample: Book) -> None:
    plan = rebalance(analyze(sample.select(["C022"]), on=ON))
    told = {limit.key: why for limit, _, why in still_exceeded(plan, 0, words("en"))}
    assert told == {
        "bucket:offensive>=": "what would fill it can only be bought in larger amounts, from CNY 1,000,000 on"
    }
    closed = plan.before.positions.shelf.assign(available=False)
    shut = replace(plan, before=replace(plan.before, positions=replace(plan.before.positions, shelf=closed)))
    told = {limit.key: why for limit, _, why in still_exceeded(shut, 0, words("zh"))}
    assert told == {"bucket:offensive>=": "目前没有可补足它的产品在售"}


def test_a_budget_that_is_used_up_is_named(every: Plan) -> None:
    i = every.before.index("C019")
    spent = every.checks[(every.checks["client_id"] == "C019") & (every.checks["check"] == "turnover")].iloc[0]
    assert spent["after"] == pytest.approx(spent["bound"], abs=1e-3)
    told = {limit.key: why for limit, _, why in still_exceeded(every, i, words("en"))}
    assert told["tracking<="] == "one plan may not go further: turnover of the plan ≤ 50.0%"


def test_what_is_locked_inside_a_floor_counts_toward_it() -> None:
    """Half of the wealth lies locked in bonds: the floor of growth is not blocked, for it is filled already."""
    book = small(
        holding("cash", "deposit", 100.0),
        holding("bonds", "government_bond", 300.0, sellable=0.0),
        holding("firm", "private_business", 600.0, sellable=0.0),
    )
    plan = rebalance(analyze(book, on=ON))
    told = {limit.key: why for limit, _, why in still_exceeded(plan, 0, words("en"))}
    assert told.get("bucket:growth>=", "") != words("en").text("say.floor_blocked")


# ---- whole pages


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_page_of_every_limit_can_be_said(lang: str, every: Plan, sample: Book) -> None:
    said = words(lang)
    pages = [plan_overview(every, sample.counts, said), framework_blocks(load_framework(EVERY), said)]
    for client in every.before.client_ids:
        pages += [plan_sheet(every, client, said), check_sheet(every.before, client, said)]
    for page in pages:
        text = plain(page)
        assert not re.search(r"\bnan\b|\binf\b", text, re.I)
        assert "group:" not in text
        assert "class:" not in text


def test_reasons_in_json_are_those_on_the_terminal(every: Plan) -> None:
    for lang in LANGUAGES:
        for client in rebalance_json(every, words(lang))["clients"]:
            text = plain(plan_sheet(every, client["client_id"], words(lang)))
            assert all(t["reason"] in text for t in client["plan"]["trades"])


def test_a_framework_shows_floors_models_and_taxes() -> None:
    text = plain(framework_blocks(load_framework(EVERY), words("en")))
    assert (
        "Floors of the bands (least share)\nLimit\tConservative\tBalanced\tAggressive\nCash at call\t10%\t5%\t3%"
        in text
    )
    assert "Equity funds\t10%\t25%\t35%" in text
    assert "Private business\tprivate_business\tOffensive\tilliquid\tR5\t5.00% / 8.00%\t20%" in text
    assert "Floors" not in plain(framework_blocks(load_framework("classic"), words("en")))
