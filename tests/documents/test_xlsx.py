"""The workbook to work on: filters and sums lie where the tables are, and the numbers are those of the result."""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape

import pytest
from made import sample_plan
from python_calamine import CalamineWorkbook

import allocator as al
from allocator.documents.grids import grid
from allocator.documents.number_formats import number_format
from allocator.i18n import LANGUAGES, Figure, around, words
from allocator.reporting.blocks import Cell, Column, Table, cell

CLIENTS = ["C001", "C004", "C008", "C011", "C012", "C017"]


def opened(client: str, lang: str) -> tuple[bytes, dict[str, list[list[object]]]]:
    data = al.report(sample_plan(), client, lang=lang).xlsx()
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return data, {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("client", ["C001", "C008", "C012"])
def test_trades_and_holdings_are_those_of_the_plan_to_the_cent(client: str, lang: str) -> None:
    _, sheets = opened(client, lang)
    plan = sample_plan()
    numbers = {round(c, 2) for rows in sheets.values() for row in rows for c in row if isinstance(c, float)}
    trades, holdings = plan.select(client)["trades"], plan.before.select(client)["holdings"]
    for amount in (*trades["amount"], *trades["cost"], *trades["tax"], *holdings["value"]):
        assert round(float(amount), 2) in numbers
    assert any(abs(x - holdings["value"].sum()) < 0.01 * len(holdings) for x in numbers)


def test_every_filter_covers_a_table_with_its_heads() -> None:
    data, sheets = opened("C008", "en")
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        pages = [parts.read(f"xl/worksheets/sheet{i + 1}.xml").decode() for i in range(len(sheets))]
        properties = parts.read("docProps/core.xml").decode()
    assert "C008" not in properties
    found = [re.search(r'<autoFilter ref="A(\d+):([A-Z])(\d+)"', page) for page in pages]
    assert sum(f is not None for f in found) >= 4
    for match, rows in zip(found, sheets.values(), strict=True):
        if match is not None:
            first, last, wide = int(match[1]) - 1, int(match[3]) - 1, ord(match[2]) - ord("A") + 1
            assert all(isinstance(c, str) and c for c in rows[first][:wide])
            assert all(row[0] != "" for row in rows[first : last + 1])


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_figure_is_a_number(client: str, lang: str) -> None:
    """Bands, bounds, changes, gains: no cell of a column of numbers is a figure written as text."""
    _, sheets = opened(client, lang)
    told = {str(c) for rows in sheets.values() for row in rows for c in row if isinstance(c, str)}
    figures = re.compile(r"[≤≥+-]? ?[\d.,]+( months| 个月)?(%|k|m|bn|万|亿|元|万元|亿元)?")
    pairs = re.compile(r"[\d.,]+%? ?(–|→) ?[\d.,]+%?")
    assert not [t for t in told if figures.fullmatch(t) or pairs.fullmatch(t)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_bands_and_changes_are_two_columns(lang: str) -> None:
    _, sheets = opened("C008", lang)
    summary = next(iter(sheets.values()))
    said = words(lang)
    plan = sample_plan()
    band = plan.before.framework.bands[str(plan.before.summary.set_index("client_id").at["C008", "band"])]
    ends = [said.text("report.sheet_side", head=said.text("head.allowed"), side=said.text(f"report.sheet_{k}"))
            for k in ("lowest", "highest")]  # fmt: skip
    at = next(i for i, row in enumerate(summary) if ends[0] in row)
    low, high = (summary[at].index(e) for e in ends)
    for row, (code, span) in zip(summary[at + 1 :], band.buckets.items(), strict=False):
        assert row[0] == said.name(plan.before.framework.buckets[code])
        assert (row[low], row[high]) == (pytest.approx(span.low or 0.0), pytest.approx(span.high))
    score = next(row for row in summary if row[0] == said.text("report.score"))
    assert score[1:3] == pytest.approx([float(plan.summary.set_index("client_id").at["C008", f"score_{k}"]) for k in
                                        ("before", "after")])  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "code"),
    [
        (words("en").percent(0.1234), "0.0%"),
        (words("en").money(5.0, "CNY"), '"CNY "#,##0'),
        (words("zh").money(5e6, "CNY"), '#,##0"元"'),
        (words("en").signed(-1.5), "+#,##0.0;-#,##0.0"),
        (words("en").signed(1.5), "+#,##0.0;-#,##0.0"),
        (around('a "b" 7', words("en").number(7, 0)), '"a b "#,##0'),
        (Figure.of("gain 5", -5.0, "money", 0, ("gain ", "")), '#,##0;"gain "#,##0'),
    ],
)
def test_words_around_a_number_are_in_its_format(figure: str, code: str) -> None:
    assert isinstance(figure, Figure)
    assert number_format(figure) == code


def test_a_band_with_an_end_that_is_not_known_and_a_lone_figure_are_laid_out() -> None:
    said = words("en")
    table = Table(
        "t",
        (Column("a"), Column("b", "number"), Column("", "picture")),
        (("x", Cell(said.change("1", "2"), "bad"), ""), ("y", "–", ""), ("z" * 90, said.span(0.1, 0.255), "")),
    )
    found = grid(table, said)
    assert found.heads == ("a", "b, today", "b, after")
    assert [[cell(c).text for c in row[1:]] for row in found.rows] == [["1", "2"], ["–", ""], ["10.0%", "25.5%"]]
    assert [cell(c).tone for c in found.rows[0]] == ["", "", "bad"]
    assert found.lines(0) == 1
    assert found.lines(2) == 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_sheets_are_set_up_for_paper_and_for_reading(lang: str) -> None:
    data, sheets = opened("C008", lang)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        pages = [parts.read(f"xl/worksheets/sheet{i + 1}.xml").decode() for i in range(len(sheets))]
    for page, rows in zip(pages, sheets.values(), strict=True):
        assert 'state="frozen"' in page
        assert "fitToWidth" not in page or 'fitToHeight="0"' in page
        assert 'paperSize="9"' in page
        assert {"&amp;P", "&amp;N"} <= set(re.findall(r"&amp;[A-Z]", page))
        found = re.finditer(r'<col min="(\d+)" max="(\d+)" width="([\d.]+)"', page)
        widths = {k: float(m[3]) for m in found for k in range(int(m[1]) - 1, int(m[2]))}
        for row in rows:
            numbers = {k: c for k, c in enumerate(row) if isinstance(c, float)}
            assert all(len(f"{c:,.0f}") <= widths[k] for k, c in numbers.items())


def test_the_footer_takes_a_hostile_client() -> None:
    """Excel reads & as the sign of a code of its own, and refuses a footer of more than 255 letters."""
    from conftest import ON, make_book

    name = "&P&D" * 90
    book = make_book([(name, "x", "deposit", 1e6)], [{"client_id": name, "risk_band": "balanced"}])
    data = al.report(al.analyze(book, on=ON), lang="en").xlsx()
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        page = parts.read("xl/worksheets/sheet1.xml").decode()
    footer = unescape(re.findall(r"<oddFooter>(.*?)</oddFooter>", page)[0])
    assert len(footer) <= 255
    assert footer.startswith("&L&8&&P&&D")
    assert not re.search(r"(?<!&)(&&)*&[PD]", footer.split("&C")[0].removeprefix("&L&8"))
