"""What a banker sees: it fits, is plain when piped, client text stays text, sentences carry the right numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import ON, make_book
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.framework import load_framework
from allocator.i18n import LANGUAGES, words
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.reporting.blocks import Blocks, Cell, Column, Heading, Line, Table
from allocator.reporting.frameworks import framework_blocks
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.layout import wrap
from allocator.reporting.measures import BAR, bar
from allocator.reporting.overview import check_overview, plan_overview, reconciled
from allocator.reporting.sentences import clean, trade_reason
from allocator.reporting.sheet import check_sheet, plan_sheet
from allocator.reporting.terminal import draw, plain, show

PLANNED = ("C001", "C003", "C005", "C008", "C012", "C014", "C016", "C018", "C022")
BOXES = re.compile(r"[─│┌┐└┘━┃╭╮█░]|\x1b")


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def analysis(sample: Book) -> Analysis:
    return analyze(sample, on=ON)


@pytest.fixture(scope="module")
def plan(sample: Book) -> Plan:
    return rebalance(analyze(sample.select(PLANNED), on=ON))


def drawn(blocks: Blocks, width: int = 80) -> str:
    out = Terminal()
    draw(blocks, out, width=width)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def every_page(analysis: Analysis, plan: Plan, sample: Book, lang: str) -> Iterator[Blocks]:
    said = words(lang)
    yield check_overview(analysis, sample.counts, said)
    yield plan_overview(plan, sample.counts, said)
    yield framework_blocks(load_framework("classic"), said)
    yield framework_blocks(load_framework("chhabra"), said)
    for client in analysis.client_ids:
        yield check_sheet(analysis, client, said)
    for client in PLANNED:
        yield plan_sheet(plan, client, said)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_page_fits_and_cuts_no_figure(
    lang: str, width: int, analysis: Analysis, plan: Plan, sample: Book
) -> None:
    for page in every_page(analysis, plan, sample, lang):
        text = drawn(page, width)
        assert max(cell_len(line) for line in text.splitlines()) <= width
        assert not re.search(r"\d…", text), text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_pipe_gets_plain_tab_separated_text(lang: str, analysis: Analysis, plan: Plan, sample: Book) -> None:
    for page in every_page(analysis, plan, sample, lang):
        text = plain(page)
        assert not BOXES.search(text)
        for table in (b for b in page if isinstance(b, Table)):
            kept = sum(c.kind != "picture" for c in table.columns)
            lines = text.split(table.title + "\n", 1)[1].splitlines()[: len(table.rows) + 1]
            assert [line.count("\t") for line in lines] == [kept - 1] * (len(table.rows) + 1)


def test_a_piped_table_has_every_row_and_a_drawn_one_sums_up() -> None:
    book = make_book(
        [("A", f"fund {i:02}", "equity_fund", 1000.0 + i) for i in range(30)], [{"client_id": "A", "risk_band": "C3"}]
    )
    page = check_sheet(analyze(book, on=ON), "A", words("en"))
    assert all(f"fund {i:02}" in plain(page) for i in range(30))
    text = drawn(page)
    assert "fund 29" in text
    assert "fund 05" not in text
    assert "… and 18 more, together CNY 18,153" in text


def test_show_asks_the_stream(analysis: Analysis) -> None:
    page = check_sheet(analysis, "C001", words("en"))
    terminal, pipe = Terminal(), io.StringIO()
    show(page, terminal)
    show(page, pipe)
    assert "█" in terminal.getvalue()
    assert pipe.getvalue() == plain(page)


def test_no_color_is_honoured(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    page = check_sheet(analysis, "C001", words("en"))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = Terminal()
    draw(page, coloured, width=80)
    assert "\x1b[31m" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    bare = Terminal()
    draw(page, bare, width=80)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", bare.getvalue())


def test_hostile_names_stay_text() -> None:
    names = ["[red]x[/]", "[/etc]", "\x1b[31mred\x1b[0m", "a\tb\nc", "‮evil", ":smile:", "=cmd|' /C calc'!A0", "%s {0}"]
    book = make_book(
        [("[b]A[/b]\x1b", name, "no such class", 10.0) for name in names],
        [{"client_id": "[b]A[/b]\x1b", "risk_band": "C3"}],
    )
    analysis = analyze(book, on=ON)
    client = analysis.client_ids[0]
    for lang in LANGUAGES:
        for page in (check_sheet(analysis, client, words(lang)), check_overview(analysis, book.counts, words(lang))):
            for text in (drawn(page), plain(page)):
                assert "\x1b" not in text
                assert "‮" not in text
        holdings = plain(check_sheet(analysis, client, words(lang)))
        for name in ("[red]x[/]", "[/etc]", ":smile:", "=cmd|' /C calc'!A0", "%s {0}"):
            assert name in holdings


def test_clean_shows_what_would_act() -> None:
    assert clean("a\x1b[31m\x00b") == "a\\x1b[31m\\x00b"
    assert clean("a\r\nb\tc") == "a  b c"
    assert clean("\u202eevil\u200b") == "\\u202eevil\\u200b"
    assert clean("霁川银行 é") == "霁川银行 é"


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "latin-1", "utf-8"])
def test_our_own_signs_fit_every_encoding(encoding: str, analysis: Analysis) -> None:
    text = plain(check_sheet(analysis, "C001", words("en")), encoding=encoding)
    rest = text.replace("玥堃精密制造 98% 股权", "").replace("借给玥堃精密的股东借款", "")
    rest = re.sub(r"[\u4e00-\u9fff]", "", rest)
    rest.encode(encoding)
    assert (">= 12.0" in text) == (encoding in ("ascii", "latin-1"))


@given(st.text(alphabet="ab 资产，。（“”）1万元", max_size=80), st.integers(4, 30))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines)


def test_wrapping_keeps_marks_and_amounts_together() -> None:
    text = "这项持仓不计入任何一类，该客户暂不作方案。合计1,234.57万元"
    for width in range(14, 40):
        lines = wrap(text, width)
        assert not any(line[0] in "，。）”" for line in lines)
        assert any("1,234.57万元" in line for line in lines)


def test_bars() -> None:
    assert bar(0.0, 0.2, 0.5, 0.3) == "····░░┃░░░··········"
    assert bar(1.0, 0.2, 0.5, 0.3) == "██████┃█████████████"
    assert bar(0.4, 0.2, 0.5, 0.3) == "██████┃█░░··········"
    assert bar(1.4, 0.0, 1.0, 1.0) == "█" * (BAR - 1) + "┃"
    assert bar(float("nan"), 0.2, 0.5, 0.3) == ""


def test_a_trade_reason_carries_each_number_in_its_place() -> None:
    trade = {
        "side": "sell",
        "because": "business",
        "sense": "<=",
        "share_before": 0.62,
        "share_after": 0.52,
        "bound": 0.2,
    }
    classic = load_framework()
    assert trade_reason(trade, classic, words("en")) == "brings private business from 62.0% to 52.0%; limit 20.0%"
    assert trade_reason(trade, classic, words("zh")) == "使企业股权由 62.0% 变为 52.0%；上限 20.0%"
    reserve = trade | {
        "side": "buy",
        "because": "reserve_months",
        "sense": ">=",
        "share_before": 2.5,
        "share_after": 14.0,
        "bound": 12.0,
    }
    assert trade_reason(reserve, classic, words("en")) == (
        "brings the reserve from 2.5 months to 14.0 months; at least 12.0 months"
    )
    assert trade_reason(reserve, classic, words("zh")) == "使备用金由 2.5 个月变为 14.0 个月；下限 12.0 个月"
    target = trade | {"because": "target:growth", "sense": "", "share_before": 0.3, "share_after": 0.45, "bound": 0.5}
    assert trade_reason(target, classic, words("en")) == "brings asset-growth from 30.0% to 45.0%; target 50.0%"
    away = target | {"share_after": 0.2}
    assert trade_reason(away, classic, words("en")).startswith("pays for the other trades")
    assert trade_reason(away | {"side": "buy"}, classic, words("en")).startswith("moves the mix inside asset-growth")
    assert trade_reason(trade | {"because": "cash"}, classic, words("en")) != trade_reason(
        trade | {"because": "cash", "side": "buy"}, classic, words("en")
    )


def test_the_sheet_says_the_numbers_of_the_analysis(analysis: Analysis) -> None:
    text = plain(check_sheet(analysis, "C001", words("en")))
    one = analysis.select("C001")
    s = one["summary"].iloc[0]
    assert f"{s['limits_exceeded']} limits of the aggressive band are exceeded, above all private business" in text
    assert f"concentration {s['score']:.0f} of 100 (extreme)" in text
    for row in one["limits"].to_dict("records"):
        if row["exceeded"]:
            assert f"CNY {row['excess'] * s['total']:,.0f}" in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_plan_shows_sales_first_and_every_trade(lang: str, plan: Plan) -> None:
    said = words(lang)
    for client in PLANNED:
        table = [
            b for b in plan_sheet(plan, client, said) if isinstance(b, Table) and b.title == said.text("title.trades")
        ]
        own = plan.trades[plan.trades["client_id"] == client]
        assert bool(table) == bool(len(own))
        if table:
            sides = [c.text for c in (row[0] for row in table[0].rows) if isinstance(c, Cell)]
            order = [said.text(f"side.{s}") for s in ("sell", "repay", "buy")]
            assert sides == sorted(sides, key=order.index)
            assert sorted(str(row[2]) for row in table[0].rows) == sorted(said.exact(x) for x in own["amount"])


def test_what_stays_exceeded_is_told_with_what_cannot_be_sold(plan: Plan) -> None:
    i = plan.before.index("C001")
    p = plan.before.positions
    rows = slice(p.start[i], p.start[i + 1])
    business = np.isin(p.holdings["asset_class"].iloc[rows], ["private_business", "shareholder_loan"])
    locked = float((p.value[rows] * (1 - p.sellable[rows]))[business].sum())
    told = {limit.key: why for limit, _, why in still_exceeded(plan, i, words("en"))}
    t = plan.after.limit_table
    assert list(told) == [limit.key for j, limit in enumerate(t.limits) if t.exceeded[i, j]]
    assert told["business<="] == f"CNY {locked:,.0f} of it cannot be sold in this plan"
    assert told["volatility<="].startswith("what cannot be sold in this plan brings")
    in_band = plan.before.index("C008")
    assert still_exceeded(plan, in_band, words("en")) == []


def test_rows_set_aside_for_want_of_a_rate_are_counted() -> None:
    rows = [
        {"client_id": "A", "name": n, "asset_class": "deposit", "value": 1.0, "currency": c}
        for n, c in (("a", "CNY"), ("b", "USD"), ("c", "USD"))
    ]
    import pandas as pd

    book = make_book(pd.DataFrame(rows), [{"client_id": "A", "risk_band": "C3"}])
    analysis = analyze(book, on=ON)
    row = reconciled(book.counts, analysis.issues).set_index("table").loc["holdings"]
    assert (row["read"], row["used"], row["set_aside"], row["ignored"]) == (3, 1, 2, 0)


def test_issues_are_grouped_by_code_with_their_first_rows(sample: Book, analysis: Analysis) -> None:
    text = plain(check_overview(analysis, sample.counts, words("en")))
    insured = analysis.issues[analysis.issues["code"] == "insured_amount"]
    assert f"note · {len(insured)} ×" in text
    assert f"… and {len(insured) - 3} more like these" in text
    assert text.count("lies in deposits at one bank") == 3


def test_a_line_and_a_heading_stay_apart_from_tables() -> None:
    table = Table("T", (Column("a"),), (("1",),))
    assert plain((Heading("H"), Line("x"), table, Line("end"))) == "H\nx\n\nT\na\n1\n\nend\n"
