"""Pages and JSON of a whole book: the same numbers on every face, in both languages; and the commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import random_analysis
from conftest import ON, SAMPLE, make_book

import allocator as al
from allocator.cli import main
from allocator.i18n import LANGUAGES, words
from allocator.reporting.blocks import Line, Table, cell
from allocator.reporting.book_page import book_blocks
from allocator.reporting.call_page import call_blocks, deadline
from allocator.reporting.compare_page import compare_blocks
from allocator.reporting.jsonbook import book_json, calls_json, compare_json
from allocator.reporting.jsonout import dumps
from allocator.reporting.terminal import plain
from allocator.whole_book.calls import call_list
from allocator.whole_book.compare import EFFECTS, TOTALS, compare
from allocator.whole_book.segments import BELOW
from allocator.whole_book.shocked import shocked
from allocator.whole_book.view import TABLES, book_view

DAY = ["--date", ON.isoformat()]


@pytest.fixture(scope="module")
def plan(sample: al.Book) -> al.Plan:
    return al.rebalance(al.analyze(sample, on=ON), explain=False)


def tables(blocks: Any) -> dict[str, Table]:
    return {b.title: b for b in blocks if isinstance(b, Table)}


def texts(table: Table) -> list[list[str]]:
    return [[cell(c).text for c in row] for row in table.rows]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_carries_the_numbers_of_the_view(lang: str, plan: al.Plan) -> None:
    said, view = words(lang), book_view(plan)
    found = tables(book_blocks(view, said, call_list(plan).top(3)))
    base = view.facts.base
    over = texts(found[said.text("book.title_limits")])
    assert len(over) == ((view.limits["clients"] > 0) | (view.limits["clients_after"] > 0)).sum()
    assert sorted(int(r[2]) for r in over) == sorted(view.limits["clients"][view.limits["clients"] > 0])
    plans = texts(found[said.text("book.title_plans", base=base)])
    assert plans[-1][1] == str(len(plan))
    assert plans[-1][3] == said.money(view.plans["bought"].sum(), short=True)
    assert len(texts(found[said.text("book.title_product")])) == len(view.products)
    assert len(texts(found[said.text("calls.title_first", base=base)])) == 3
    assert [len(b.columns) for b in found.values()] == [len(b.rows[0]) for b in found.values()]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("seed", range(2))
def test_every_page_of_random_books_can_be_printed(lang: str, seed: int) -> None:
    said, a = words(lang), random_analysis(seed)
    pages = [
        book_blocks(book_view(a), said, call_list(a)),
        call_blocks(call_list(a), said),
        compare_blocks(compare(a, shocked(a, "frozen")), said),
    ]
    for blocks in pages:
        for encoding in ("utf-8", "ascii"):
            assert plain(blocks, encoding=encoding)
        assert "nan" not in plain(blocks).lower()
    unrated = book_view(a).unrated["clients"].sum()
    assert unrated
    assert any(isinstance(b, Line) and str(unrated) in b.text and "CHF" in b.text for b in pages[0])


def test_json_carries_the_tables(plan: al.Plan) -> None:
    said, view, calls = words("en"), book_view(plan), call_list(plan)
    out = json.loads(dumps(book_json(view, said, calls)))
    for name in TABLES:
        assert len(out["book"][name]) == len(getattr(view, name)), name
    assert out["currency"] == "CNY"
    assert out["book"]["total"] == round(view.total, 2)
    limits = {(r["limit"], r["sense"]): r for r in out["book"]["limits"]}
    for r in view.limits.to_dict("records"):
        assert limits[r["limit"], r["sense"]]["money"] == round(r["money"], 2)
    assert len(out["calls"]) == len(calls)
    called = json.loads(dumps(calls_json(calls, said, first=4)))
    assert (called["called"], len(called["calls"])) == (len(calls), 4)
    first = called["calls"][0]
    assert [r["reason"] for r in first["reasons"]] == calls.select(first["client_id"])["reason"].tolist()
    assert {r["reason"] for r in called["reasons"]} == set(calls.why["reason"])
    today = json.loads(dumps(book_json(book_view(plan.before), said)))["book"]
    assert "plans" not in today
    assert "products" not in today


def test_json_of_a_comparison(plan: al.Plan, sample: al.Book) -> None:
    other = al.analyze(sample, "chhabra", on=ON)
    found = compare(plan.before, other)
    out = json.loads(dumps(compare_json(found, words("en"))))
    assert (out["framework_before"], out["framework_after"]) == ("classic", "chhabra")
    assert out["compared"] == 24
    assert len(out["clients"]) == len(found.changed)
    assert sum(len(c["limits"]) for c in out["clients"]) == len(found.limits)
    assert {e["effect"]: e["clients"] for e in out["effects"]} == dict(
        zip(found.effects["effect"], found.effects["clients"], strict=True)
    )


def test_every_code_has_words() -> None:
    needed = {f"compare.effect_{e}" for e in EFFECTS} | {f"tier.{t}" for t in (BELOW, "unknown")}
    needed |= {f"compare.total_{t}" for t in (*TOTALS.values(), "clients", "trades")}
    needed |= {f"tier.{t}" for t, x in al.load_framework().tiers.items() if not isinstance(x, str)}
    assert not needed - set(words("en").table)


def test_deadlines_in_words() -> None:
    said = words("en")
    assert [deadline(d, said) for d in (0.0, 12.0, -3.0, float("nan"))] == ["now", "in 12 days", "3 days ago", "–"]


def test_hostile_names_stay_text() -> None:
    rows = [("<b>=cmd</b>", "x\ty", "private_business", 1e6), ("[/etc]", "z", "deposit", 1e5)]
    who = [{"client_id": r[0], "risk_band": "balanced", "advisor": "RM\n\x1b[31m", "tier": "<i>"} for r in rows]
    a = al.analyze(make_book(rows, who), on=ON)
    for result in (al.book_view(a), call_list(a), compare(a, shocked(a, "crash_2008"))):
        page = result._repr_html_()
        assert "<b>=cmd" not in page
        assert "<i>" not in page
    page = plain(call_blocks(call_list(a), words("en")))
    assert "\x1b" not in page
    assert "[/etc]" in page


# ---- commands


@pytest.mark.parametrize("lang", LANGUAGES)
def test_commands(lang: str, capsys: Any) -> None:
    said = words(lang)
    assert main(["book", str(SAMPLE), "--lang", lang, *DAY, "--top", "2"]) == 4
    page = capsys.readouterr().out
    assert said.text("book.title_pareto") in page
    assert ("1,121,965,681" if lang == "en" else "11.22亿") in page
    assert main(["calls", str(SAMPLE), "--lang", lang, *DAY, "--advisor", "RM-03", "--json"]) == 4
    out = json.loads(capsys.readouterr().out)
    assert {c["advisor"] for c in out["calls"]} == {"RM-03"}
    assert out["clients"] == 6
    args = ["whatif", str(SAMPLE), "--lang", lang, *DAY]
    assert main([*args, "--new-band", "conservative", "--shock", "crash_2008"]) == 4
    page = capsys.readouterr().out
    assert "conservative" in page
    assert "2007–09" in page
    assert main([*args, "--new-framework", "chhabra", "--new-assumptions", "china", "--json"]) == 4
    out = json.loads(capsys.readouterr().out)
    assert (out["framework_after"], out["assumptions_after"]) == ("chhabra", "china")


def test_plans_over_a_book(capsys: Any, tmp_path: Path) -> None:
    small = tmp_path / "book"
    shutil.copytree(SAMPLE, small)
    for name in ("holdings", "clients", "debts"):
        file = small / f"{name}.csv"
        if file.exists():
            table = pd.read_csv(file, dtype="str", keep_default_na=False)
            column = "client_id" if "client_id" in table else table.columns[0]
            table[table[column].isin(["C003", "C010"])].to_csv(file, index=False)
    assert main(["book", str(small), "--plan", "--json", *DAY]) in (0, 3, 4)
    out = json.loads(capsys.readouterr().out)["book"]
    assert sum(r["clients"] for r in out["plans"]) == 2
    assert sum(r["bought"] for r in out["flows"]) == pytest.approx(sum(r["bought"] for r in out["products"]))
    assert main(["whatif", str(small), "--plan", "--json", *DAY, "--new-band", "conservative"]) in (0, 4)
    assert {r["figure"] for r in json.loads(capsys.readouterr().out)["totals"]} >= {"bought", "trades"}


def test_the_ledger_says_whose_review_is_due(tmp_path: Path, capsys: Any) -> None:
    place = str(tmp_path / "ledger")
    assert main(["ledger", "add", str(SAMPLE), "--date", "2026-01-15", "--ledger", place]) in (0, 4)
    assert main(["ledger", "review", "C003", "--date", "2026-09-29", "--ledger", place]) == 0
    capsys.readouterr()
    assert main(["calls", str(SAMPLE), "--json", "--ledger", place, *DAY]) == 4
    out = json.loads(capsys.readouterr().out)
    due = {c["client_id"] for c in out["calls"] if any(r["reason"] == "review" for r in c["reasons"])}
    assert len(due) == 23
    assert "C003" not in due
    assert "review" not in out["not_judged"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["whatif"], 2, "--new-framework"),
        (["whatif", "--shock", "nonsense"], 2, "allowed: crash_1929"),
        (["calls", "--rules", "nonsense"], 2, "presets: standard"),
        (["book", "--advisor", "nobody"], 5, "advisor column"),
        (["calls", "--top", "0"], 2, "--top"),
        (["calls", "--ledger", "nowhere"], 5, "no ledger at this place"),
        (["whatif", "--new-band", "nonsense"], 2, "allowed"),
    ],
)
def test_wrong_usage_is_told(args: list[str], code: int, said: str, capsys: Any) -> None:
    assert main([args[0], str(SAMPLE), *args[1:], *DAY, "--lang", "en"]) == code
    assert said in capsys.readouterr().err
