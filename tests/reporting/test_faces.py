"""Results in a notebook: a page for every kind, escaped, short, in both languages; a client by its id; sentences."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, SAMPLE, make_book

import allocator as al
from allocator.book import Book
from allocator.errors import ConfigError, InputError
from allocator.i18n import words
from allocator.reporting.blocks import Column, Heading, Line, Table
from allocator.reporting.faces import CLIENTS, LONGEST, PAGES, ROWS, face
from allocator.reporting.notebook import TONES, brief, fragment
from allocator.shown import Clients, Shown

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\" ' & \u202e</table>"
VOID = {"br"}


class Reader(HTMLParser):
    """What is on a page: elements that are open, text, and every element that was ever opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.said: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.said.append(data)


@pytest.fixture(scope="module")
def results(sample: Book, tmp_path_factory: pytest.TempPathFactory) -> dict[type, Any]:
    analysis = al.analyze(sample, on=ON)
    plan = al.rebalance(analysis)
    few = al.analyze(sample.select(["C001", "C008"]), on=ON)
    days = pd.date_range("2015-01-31", periods=40, freq="ME")
    returns = pd.DataFrame(
        np.random.default_rng(7).normal(0.005, 0.04, (40, 2)), columns=["gold", "equity_fund"], index=days
    )
    ledger = al.Ledger(tmp_path_factory.mktemp("ledgers") / "ledger")
    ledger.add(analysis, on=dt.date(2026, 6, 30))
    made = [
        sample,
        analysis,
        plan,
        al.stress(analysis),
        al.household(analysis),
        al.measure_risk(analysis),
        al.stages(few, periods=2),
        al.frontier(analysis, "C003", points=4),
        al.load_framework(),
        al.load_assumptions("us"),
        al.estimate(returns, returns=True),
        ledger.add(analysis),
        ledger.diff(),
        ledger.due(ON),
        al.batch(SAMPLE, tmp_path_factory.mktemp("batches") / "out", on=ON, plan=False, workers=1),
        al.book_view(analysis),
        al.book_view(analysis).facts,
        al.call_list(analysis),
        al.compare(analysis, al.analyze(sample, band="conservative", on=ON)),
    ]
    return {type(r): r for r in made}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")


def every(results: dict[type, Any]) -> list[Any]:
    """Every result, and one client of those that have clients."""
    return [*results.values(), *(r["C001"] for r in results.values() if isinstance(r, Clients))]


def test_every_public_result_has_a_page(results: dict[type, Any]) -> None:
    shown = {x for name in al.__all__ if isinstance(x := getattr(al, name), type) and issubclass(x, Shown)}
    assert shown <= set(PAGES)
    assert {x for x in shown if issubclass(x, Clients)} == set(CLIENTS)
    assert set(results) == set(PAGES)


@pytest.mark.parametrize("locale", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_pages_are_sound_short_and_in_the_readers_language(
    results: dict[type, Any], locale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    for result in every(results):
        page = result._repr_html_()
        read = Reader(page)
        assert not read.open
        assert read.seen <= {"style", "div", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "br"}
        assert read.attributes <= {"class", "lang", "scope", "style", "tabindex"}
        assert len(page) < 12_000, type(result)
        assert page.count("<tr>") <= 4 * (LONGEST + 2)
        assert ('lang="zh-CN"' in page) == locale.startswith("zh")
        assert any(0x4E00 <= ord(c) <= 0x9FFF for c in "".join(read.said)) or locale.startswith("en")


def test_what_clients_wrote_is_text() -> None:
    rows = [(HOSTILE, HOSTILE, "investment_property", 9e6), (HOSTILE, "Cash", "deposit", 1e5)]
    plan = al.rebalance(al.analyze(make_book(rows, [{"client_id": HOSTILE, "risk_band": "balanced"}]), on=ON))
    (me,) = plan.client_ids
    for result in (plan, plan[me], plan.before, plan.explain(me), al.stress(plan.before)):
        page = result._repr_html_()
        read = Reader(page)
        assert not read.open
        assert not {"script", "img"} & read.seen
        assert "onerror" not in read.attributes
        assert "<script>alert(1)" in "".join(read.said)
        assert "\u202e" not in page
        assert 'class="al-page tex2jax_ignore mathjax_ignore"' in page, "dollar signs would become formulas"


def test_colours_show_on_white_and_on_black() -> None:
    """WCAG asks for 3 to 1 of what is no text; text itself has the colour of the page."""

    def light(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in TONES.values():
        assert 1.05 / (light(colour) + 0.05) >= 3
        assert (light(colour) + 0.05) / (light("#111111") + 0.05) >= 3
    page = fragment([Line("x", "bad"), Table("t", (Column("a"),), ((HOSTILE,),))], words("en"))
    assert " color:" not in page.replace("border-left-color:", "")
    assert "color:#" not in page.replace("border-left-color:#", "")


def test_a_large_book_shows_its_first_clients_and_how_many_more(results: dict[type, Any]) -> None:
    for kind in (al.Analysis, al.Plan, al.Stress, al.Household):
        page = results[kind]._repr_html_()
        assert "C008" in page
        assert "C009" not in page
        assert f"{24 - ROWS} more" in page


def test_a_result_without_a_page_shows_what_it_prints() -> None:
    class Other(Shown):
        def __repr__(self) -> str:
            return "Other <b>result</b>\n  tables: none"

    page = Other()._repr_html_()
    assert "Other &lt;b&gt;result&lt;/b&gt;" in page
    assert "tables: none" in page


def test_a_book_of_one_client_shows_the_client(sample: Book) -> None:
    analysis = al.analyze(sample.client("C002"), on=ON)
    assert face(analysis, words("en")) == face(analysis["C002"], words("en"))


def test_what_is_cut_is_counted() -> None:
    long = Table("t", (Column("a"),), tuple((str(i),) for i in range(30)))
    cut = brief((Heading("h"), long, long, long, Line("foot")), words("en"), tables=2, rows=10)
    tables = [b for b in cut if isinstance(b, Table)]
    assert [len(t.rows) for t in tables] == [10, 10]
    assert "20" in tables[0].more
    assert "1" in cut[-2].text  # type: ignore[union-attr]
    assert cut[-1] == Line("foot")
    bare = brief((long, long), words("en"), tables=1, rows=10)
    assert isinstance(bare[0], Table)
    assert "1" in bare[-1].text  # type: ignore[union-attr]


# ---- one client


def test_a_client_by_id_with_tables_as_attributes(results: dict[type, Any]) -> None:
    for result in (r for r in results.values() if isinstance(r, Clients)):
        one = result["C001"]
        tables = result.select("C001")
        assert set(tables) <= set(dir(one))
        assert one._ipython_key_completions_() == list(tables)
        name = next(iter(tables))
        assert type(getattr(one, name)) is type(one[name])
        assert "tables:" in repr(one)
        assert list(result) == result.client_ids == result._ipython_key_completions_()
        assert "C001" in result
        assert "nobody" not in result
        with pytest.raises(InputError):
            result["nobody"]
        with pytest.raises(AttributeError, match="there are"):
            _ = one.nothing
        assert copy.copy(one).client_id == "C001"


def test_a_client_survives_pickling(results: dict[type, Any]) -> None:
    one = pickle.loads(pickle.dumps(results[al.Household]["C001"]))
    assert one.firewall["client_id"].tolist() == ["C001"]


def test_a_book_gives_the_book_of_one_client(sample: Book) -> None:
    assert sample["C002"].clients["client_id"].tolist() == ["C002"]
    assert "C002" in sample
    assert list(sample)[:2] == ["C001", "C002"]


# ---- sentences


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_trade_and_every_limit_that_stays_exceeded_is_explained(results: dict[type, Any], lang: str) -> None:
    plan = results[al.Plan]
    said = words(lang)
    for client in plan.client_ids:
        told = plan.explain(client, lang)
        trades = plan.select(client)["trades"]
        assert all(isinstance(t, str) and "{" not in t for t in told)
        for t in trades.itertuples():
            assert any(t.name in s and said.money(t.amount, plan.before.select(client)["summary"]["currency"][0]) in s
                       for s in told)  # fmt: skip
        status = plan.select(client)["summary"]["status"][0]
        stays = int(plan.after.limits.query("client_id == @client")["exceeded"].sum())
        assert len(told) >= 1 + len(trades) + (stays if status in ("improved", "stuck") else 0)
        assert str(told) == "\n".join(told)


def test_a_floor_that_is_missed_is_short_of_and_a_cap_above(results: dict[type, Any]) -> None:
    told = results[al.Plan].explain("C001")
    assert any(s.startswith("Asset-growth stays short of its bound of 35.0%") for s in told)
    assert any(s.startswith("Private business stays above its bound of 30.0%") for s in told)
    assert any(s.startswith("If everything could be sold now: what lies beyond limits would shrink") for s in told)


def test_clients_without_a_plan_are_told_why(results: dict[type, Any]) -> None:
    plan = results[al.Plan]
    for client, word in (("C012", "insolvent"), ("C014", "missing"), ("C016", "No plan")):
        assert word in plan.explain(client)[0]
    with pytest.raises(InputError):
        plan.explain("nobody")
    with pytest.raises(ConfigError):
        plan.explain("C001", "fr")


# ---- comparisons


def test_a_result_does_not_differ_from_itself(results: dict[type, Any]) -> None:
    assert results[al.Plan].compare(results[al.Plan]).empty
    assert results[al.Analysis].compare(results[al.Analysis]).empty


def test_what_differs_is_told_client_by_client(results: dict[type, Any], sample: Book) -> None:
    plan = results[al.Plan]
    ids = ["C002", "C005", "C008"]
    mine = al.rebalance(al.analyze(sample.select(ids), on=ON), explain=False)
    other = al.rebalance(al.analyze(sample.select(ids[::-1]), on=ON, band="conservative"), explain=False)
    table = mine.compare(other)
    assert set(table.columns.get_level_values(1)) == {"this", "other"}
    row = table.loc["C008"]
    assert row["cost", "this"] == plan.select("C008")["summary"]["cost"][0]
    assert row["cost", "other"] == other.select("C008")["summary"]["cost"][0]
    changed = mine.before.compare(other.before)
    assert changed.loc["C008", ("band", "other")] == "conservative"
    with pytest.raises(InputError, match="same clients"):
        mine.compare(plan)


def test_nothing_heavy_is_loaded_to_show_an_analysis() -> None:
    code = (
        "import sys, datetime as dt, allocator as al\n"
        "a = al.analyze(al.read_book(al.sample_path()), on=dt.date(2026, 9, 30))\n"
        "assert 'allocator.reporting' not in sys.modules\n"
        "a._repr_html_(), a['C001']._repr_html_()\n"
        "assert not {'cvxpy', 'matplotlib', 'scipy', 'IPython'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_days_of_the_analysis_are_on_the_page(results: dict[type, Any]) -> None:
    assert dt.date(2026, 9, 30).isoformat() in results[al.Plan]._repr_html_()
