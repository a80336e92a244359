"""Reports in a real browser: no complaint, no request, no sideways scrolling, paper, keyboard, contrast."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from browser import Page, chromium
from conftest import ON
from made import HARM, hostile_plan, numbers, pdf_text, sample_plan

import allocator as al
from allocator.documents.book_reports import Settings, write_reports
from allocator.documents.html import resource
from allocator.documents.report import Report
from allocator.i18n import LANGUAGES, words
from allocator.reporting.content import content_of
from allocator.reporting.house_style import contrast
from allocator.reporting.report_facts import Options, Source

PHONE = 390
CLIPPED = """[...document.querySelectorAll('table')].filter(t => t.scrollWidth > t.parentNode.clientWidth + 1
  && getComputedStyle(t.parentNode).overflowX === 'visible').length"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as found:
        yield found


@pytest.fixture(
    params=[("C001", "zh"), ("C008", "en"), ("C016", "en"), (HARM, "zh")], ids=lambda p: f"{p[0][:4]}-{p[1]}"
)
def report(request: pytest.FixtureRequest) -> al.Report:
    client, lang = request.param
    return al.report(hostile_plan() if client == HARM else sample_plan(), client, lang=lang)


@pytest.mark.parametrize("width", [1000, PHONE])
def test_no_complaint_no_request_no_sideways_scrolling(
    page: Page, report: al.Report, width: int, tmp_path: Path
) -> None:
    page.open(report.save(tmp_path / "x.html"), width=width, dark=width == PHONE)
    assert page.complaints() == []
    assert page.requests() == []
    assert page.run("document.documentElement.scrollWidth") <= width
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    assert dark == (width == PHONE)
    assert page.run("[...document.querySelectorAll('svg')].every(s => s.getBoundingClientRect().width > 40)")


def test_on_paper_nothing_is_cut(page: Page, report: al.Report, tmp_path: Path) -> None:
    page.open(report.save(tmp_path / "x.html"))
    page.ask("Emulation.setEmulatedMedia", media="print")
    assert page.run(CLIPPED) == 0
    data = page.pdf()
    page.ask("Emulation.setEmulatedMedia", media="")
    assert not numbers("\n".join(report.document.texts())) - numbers(pdf_text(data, tmp_path / "x.pdf"))
    if which("pdfinfo"):
        told = subprocess.run(["pdfinfo", str(tmp_path / "x.pdf")], capture_output=True, text=True, check=True).stdout
        width, height = (float(x) for x in re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", told).groups())  # type: ignore[union-attr]
        assert (round(width), round(height)) == (595, 842)


def test_the_first_key_skips_to_the_details(page: Page, tmp_path: Path) -> None:
    page.open(al.report(sample_plan(), "C001", lang="en").save(tmp_path / "x.html"))
    page.press("Tab")
    assert page.run("document.activeElement.getAttribute('href')") == "#details"
    assert page.run("document.activeElement.getBoundingClientRect().left") >= 0


def test_the_index_sorts(page: Page, tmp_path: Path) -> None:
    from conftest import ON, SAMPLE

    book = al.read_book(SAMPLE).select(["C001", "C005", "C008"])
    settings = Settings(Options(lang="en"), ("html",), on=ON, plan=False, short=True)
    found = write_reports(book, tmp_path, settings)
    page.open(found.index)
    assert page.complaints() == []
    assert page.requests() == []
    first = "document.querySelector('tbody th').textContent"
    assert page.run("document.querySelector('th button').click(), " + first) == "C001"
    assert page.run("document.querySelector('th button').click(), " + first) == "C008"
    assert page.run("document.querySelector('thead th').getAttribute('aria-sort')") == "descending"
    links = page.run("[...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert len(links) == 3
    assert all((tmp_path / link).is_file() for link in links)


def test_colours_can_be_read() -> None:
    """Text on its ground, 4.5 to 1; pictures against theirs, 3 to 1 where they carry the number (WCAG)."""
    css = resource("report.css")
    sheets = re.findall(r":root\{(--ink.*?)\}", css, re.S)
    assert len(sheets) == 2
    for sheet in sheets:
        found = dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", sheet))
        c = {k: v if len(v) == 7 else "#" + "".join(x * 2 for x in v[1:]) for k, v in found.items()}
        for name in ("ink", "soft", "good", "warn", "bad"):
            assert contrast(c[name], c["paper"]) >= 4.5, name
            assert name == "soft" or contrast(c[name], c["wash"]) >= 4.5, name
        assert contrast(c["mark"], c["band"]) >= 3


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_first_page_of_a_pdf_is_one_page(lang: str, tmp_path: Path) -> None:
    source = Source.of(sample_plan(), Options(lang))
    last = "Suitability" if lang == "en" else "适当性"
    for client in ("C001", "C008", "C023"):
        pages = pdf_text(Report(content_of(source, client)).pdf(), tmp_path / "x.pdf").split("\f")
        assert last in pages[0], client


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_index_fits_a_phone_light_and_dark(lang: str, page: Page, sample: al.Book, tmp_path: Path) -> None:
    few = sample.select(["C001", "C003", "C011", "C012"])
    done = write_reports(few, tmp_path, Settings(Options(lang), formats=("html",), on=ON, short=True))
    for width in (1100, 390):
        for dark in (False, True):
            page.open(done.index, width=width, dark=dark)
            assert page.run("document.documentElement.scrollWidth") <= width
            assert not page.complaints()
            ink, paper = (page.run(f"getComputedStyle(document.body).{k}") for k in ("color", "backgroundColor"))
            assert (brightness(ink) > brightness(paper)) == dark
    # on a phone every cell says what it is
    cells = "[...document.querySelectorAll('td')]"
    assert page.run(f"{cells}.every(c => getComputedStyle(c, '::before').content.length > 3)")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_tables_of_a_pdf_are_not_cut_in_two(lang: str, tmp_path: Path) -> None:
    """No heading of columns comes twice, which it would above the rest of a table on the next page."""
    heads = [words(lang).text(f"stress.head_{k}") for k in ("scenario", "left", "months")]
    for client in ("C003", "C009"):
        told = pdf_text(al.report(sample_plan(), client, lang=lang).pdf(), tmp_path / "x.pdf")
        rows = [x for x in told.splitlines() if all(h in x for h in heads)]
        assert len(rows) == 1, rows


def brightness(colour: str) -> float:
    return sum(float(x) for x in re.findall(r"[\d.]+", colour)[:3])
