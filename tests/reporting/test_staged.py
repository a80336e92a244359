"""Plans in stages on the terminal and in JSON: the numbers are those of the stages, in both languages."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from conftest import ON, make_book

from allocator.book import Book
from allocator.i18n import LANGUAGES, words
from allocator.pipeline import analyze
from allocator.plan import STATUSES
from allocator.reporting.blocks import Blocks, Line, Table, cell
from allocator.reporting.jsonout import dumps, rebalance_json
from allocator.reporting.staged import book_stages, client_stages
from allocator.staging import Stages, stages

CLIENTS = ("C003", "C005", "C008", "C012", "C014", "C017")


@pytest.fixture(scope="module")
def staged(sample: Book) -> Stages:
    return stages(analyze(sample.select(CLIENTS), on=ON), periods=3, months=2)


def tables(blocks: Blocks) -> dict[str, list[list[str]]]:
    return {b.title: [[cell(c).text for c in row] for row in b.rows] for b in blocks if isinstance(b, Table)}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_client_sees_today_and_every_stage(lang: str, staged: Stages) -> None:
    said = words(lang)
    title = said.text("title.stages", count=3, months=2)
    for client in CLIENTS:
        table = staged.select(client)["table"]
        rows = tables(client_stages(staged, client, said))[title]
        assert [r[0] for r in rows] == [said.text("head.today"), "2026-09-30", "2026-11-30", "2027-01-30"]
        assert [r[1] for r in rows[1:]] == [said.text(f"status.{s}") for s in table["status"].iloc[1:]]
        assert [r[2] for r in rows] == [said.number(x, 0) for x in table["score"]]
        assert [r[3] for r in rows] == [str(int(x)) for x in table["limits_exceeded"]]
        spent = (table["cost"] + table["tax"]).iloc[1:]
        assert [r[-2] for r in rows[1:]] == [said.money(x, short=True) if x > 0 else "–" for x in spent]
        assert [r[-1] for r in rows[1:]] == [
            said.text("say.yes" if x else "say.no") for x in table["certificate"].iloc[1:]
        ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_reached_when(lang: str, staged: Stages) -> None:
    said = words(lang)
    for client in CLIENTS:
        reached = staged.select(client)["reached"]
        over = reached[reached["exceeded"] | reached["stage"].isna()]
        blocks = client_stages(staged, client, said)
        if not len(over):
            assert any(isinstance(b, Line) and b.text == said.text("say.stage_held") for b in blocks)
            continue
        rows = tables(blocks)[said.text("title.reached")]
        for when, names in rows:
            stage = math.nan
            if when != said.text("say.stage_never"):
                stage = next(
                    k for k in (1, 2, 3) if when == said.text("say.stage_at", stage=k, date=staged.dates[k].isoformat())
                )
            same = over["stage"].isna() if math.isnan(stage) else over["stage"] == stage
            assert len(names.split(said.text("say.list"))) == int(same.sum())
        assert sum(len(names.split(said.text("say.list"))) for _, names in rows) == len(over)


def test_detours_are_told(staged: Stages) -> None:
    for client in CLIENTS:
        undone = staged.select(client)["undone"]
        told = [
            b.text for b in client_stages(staged, client, words("en")) if isinstance(b, Line) and "sold again" in b.text
        ]
        assert bool(told) == bool(len(undone))
        if told:
            assert f"CNY {undone['amount'].sum():,.0f}" in told[0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_book_counts_clients_by_stage(lang: str, staged: Stages) -> None:
    said, summary = words(lang), staged.summary
    (rows,) = tables(book_stages(staged, said)).values()
    shown = [s for s in STATUSES if summary[s].any()]
    for row, (_, s) in zip(rows, summary.iterrows(), strict=True):
        if s["stage"]:
            assert [int(x) for x in row[1 : 1 + len(shown)]] == [int(s[k]) for k in shown]
        assert row[1 + len(shown)] == said.percent(s["share_in_band"], 0)
        assert row[-1] == said.percent(s["cost_share"])


def test_json_of_stages(staged: Stages) -> None:
    def numbers(content: Any) -> Any:
        if isinstance(content, dict):
            return {
                k: numbers(v) for k, v in content.items() if k not in ("reason", "message", "language", "note", "gap")
            }
        return [numbers(v) for v in content] if isinstance(content, list) else content

    english, chinese = (
        json.loads(dumps(rebalance_json(staged.plans[0], words(lang), stages=staged))) for lang in LANGUAGES
    )
    assert numbers(english) == numbers(chinese)
    for client in english["clients"]:
        found = client["stages"]
        table = staged.select(client["client_id"])["table"]
        assert [r["stage"] for r in found["table"]] == [0, 1, 2, 3]
        assert [r["date"] for r in found["table"]] == ["2026-09-30", "2026-09-30", "2026-11-30", "2027-01-30"]
        assert found["table"][0]["status"] is None
        assert found["table"][0]["trades"] == []
        for row, (_, s) in zip(found["table"][1:], table.iloc[1:].iterrows(), strict=True):
            assert (row["status"], row["certificate"]) == (s["status"], bool(s["certificate"]))
            assert row["sells"] == pytest.approx(
                sum(t["amount"] for t in row["trades"] if t["side"] == "sell"), abs=0.01
            )
            assert (row["cost"], row["tax"]) == (round(s["cost"], 2), round(s["tax"], 2))
            assert all(t["reason"] for t in row["trades"])
        for r in found["reached"]:
            assert r["stage"] in (None, 0, 1, 2, 3)
    for row, (_, s) in zip(english["stages"], staged.summary.iterrows(), strict=True):
        assert row["share_in_band"] == s["share_in_band"]
        assert row["statuses"] == {k: s[k] for k in STATUSES if s[k]}


def test_one_client_of_a_book_alone(staged: Stages) -> None:
    whole = rebalance_json(staged.plans[0], words("en"), stages=staged)
    one = rebalance_json(staged.plans[0], words("en"), client="C008", stages=staged)
    assert one["clients"] == [c for c in whole["clients"] if c["client_id"] == "C008"]


def test_a_client_whom_nobody_can_judge_is_not_said_to_hold() -> None:
    book = make_book([("A", "cash", "deposit", 10.0)], [{"client_id": "A", "risk_band": "no such band"}])
    blocks = client_stages(stages(analyze(book, on=ON), periods=2), "A", words("en"))
    assert words("en").text("say.stage_held") not in [b.text for b in blocks if isinstance(b, Line)]
    rows = tables(blocks)[words("en").text("title.stages", count=2, months=3)]
    assert [r[1] for r in rows] == ["–", "no plan", "no plan"]


def test_a_single_stage_has_no_distance(sample: Book) -> None:
    alone = stages(analyze(sample.select(["C005"]), on=ON), periods=1)
    assert words("en").text("title.stages_one") in tables(client_stages(alone, "C005", words("en")))
