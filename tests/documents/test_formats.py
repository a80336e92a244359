"""One report in every format and language: the same numbers, the same bytes, harmless names, nobody named."""

from __future__ import annotations

import functools
import io
import re
import zipfile
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import HARM, HOSTILE, figures, hostile_plan, numbers, pdf_text, sample_plan
from python_calamine import CalamineWorkbook

import allocator as al
from allocator import pseudonyms
from allocator.documents.glyphs import drawable, glyphs
from allocator.documents.report import FORMATS, Report
from allocator.errors import ConfigError, InputError
from allocator.i18n import LANGUAGES
from allocator.reporting.content import content_of
from allocator.reporting.report_facts import Options, Source
from allocator.reporting.sentences import clean

KEY = b"0123456789abcdef0123"
CLIENTS = [f"C{i:03d}" for i in range(1, 25)]
VOID = {"meta", "img", "br", "rect", "link"}


@functools.cache
def source(lang: str, hidden: bool = False, key: bytes | None = None) -> Source:
    return Source.of(sample_plan(), Options(lang, hide_amounts=hidden, key=key))


def made(client: str, lang: str, **how: Any) -> Report:
    return Report(content_of(source(lang, **how), client))


class Reader(HTMLParser):
    """Tags in their order, texts outside of styles, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.stack: list[str] = []
        self.feed(page)
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


# ---- every client


@pytest.mark.parametrize("client", CLIENTS)
def test_both_languages_say_the_same_numbers(client: str) -> None:
    one, two = (figures(made(client, lang).document) for lang in LANGUAGES)
    assert one == two
    assert len(one) > 20


@pytest.mark.parametrize("client", CLIENTS)
def test_every_text_is_on_the_page(client: str) -> None:
    report = made(client, "zh")
    page = Reader(report.html()).text
    for text in report.document.texts():
        drawn = not set(text) - set("█░·┃ \n")  # the pictures of a terminal
        assert drawn or text.replace("\n", " ") in page.replace("\n", " "), text
    assert "不构成投资建议" in page


@pytest.mark.parametrize("client", ["C001", "C005", "C008", "C011", "C012", "C014", "C016"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_pdf_and_workbook_show_the_numbers_of_the_page(client: str, lang: str, tmp_path: Path) -> None:
    report = made(client, lang)
    wanted = numbers("\n".join(report.document.texts()))
    told = pdf_text(report.pdf(), tmp_path / "x.pdf")
    assert not wanted - numbers(told)
    assert not re.search(r"[{}#\\]", told)  # nothing of the template itself
    assert not wanted - numbers(Reader(report.html()).text)
    sheets = CalamineWorkbook.from_filelike(io.BytesIO(report.xlsx()))
    cells = [c for s in sheets.sheet_names for row in sheets.get_sheet_by_name(s).to_python() for c in row]
    values = np.array([float(c) for c in cells if isinstance(c, int | float)])
    for value, _ in figures(report.document):
        assert np.isclose(values, value, rtol=1e-8, atol=1e-12).any(), value


def test_without_a_plan(tmp_path: Path) -> None:
    report = al.report(sample_plan().before, "C001", lang="en")
    assert "plan" not in report.document.title
    assert {s.key for s in report.document.sections}.isdisjoint({"plan", "obstacles", "trades", "modes"})
    assert "Page 1 of" in pdf_text(report.pdf(), tmp_path / "x.pdf")


# ---- the same bytes


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_report_is_the_same_bytes(kind: str) -> None:
    one, two = (al.report(sample_plan(), "C008", lang="zh").bytes(kind) for _ in range(2))
    assert one == two
    assert made("C008", "en").bytes(kind) != one


# ---- the page


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("client", ["C001", "C008", "C012", "C016"])
def test_the_page_reads_aloud(client: str, lang: str) -> None:
    found = Reader(made(client, lang).html())
    names = [tag for tag, _ in found.tags]
    assert found.tags[0] == ("html", {"lang": "zh-CN" if lang == "zh" else "en"})
    assert names.count("h1") == names.count("main") == names.count("footer") == 1
    levels = [int(n[1]) for n in names if re.fullmatch("h[1-6]", n)]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["aria-labelledby"] for _, a in found.tags if "aria-labelledby" in a} <= set(ids)
    assert names.count("table") == names.count("thead")
    assert all(a.get("scope") in ("col", "row") for tag, a in found.tags if tag == "th")
    assert names.count("svg") == sum(bool(a.get("aria-label")) for tag, a in found.tags if tag == "svg")
    assert names.count("svg") == names.count("title") - 1


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = made("C001", "en").html()
    found = Reader(page)
    assert {t for t, _ in found.tags}.isdisjoint({"script", "link", "iframe", "object", "form", "base"})
    assert not re.search(r"(?i)https?://|url\(|@import|javascript:", page)
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not [a for _, a in found.tags if "style" in a or any(k.startswith("on") for k in a)]


# ---- names that mean harm


def harmful() -> set[str]:
    """The names as the book has them: reading takes out what cannot be seen."""
    names = hostile_plan().before.positions.holdings["name"]
    assert len(names) == len(HOSTILE)
    return {clean(n) for n in names}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_are_text_on_the_page(lang: str) -> None:
    report = al.report(hostile_plan(), HARM, lang=lang)
    found = Reader(report.html())
    assert {t for t, _ in found.tags}.isdisjoint({"script", "b", "i"})
    assert not [a for t, a in found.tags if t == "img" or any(k.startswith("on") for k in a)]
    for name in (*harmful(), HARM):
        assert name in found.text
    assert "\u202e" not in report.html()
    assert "49" not in numbers("".join(t for t in found.texts if "7*7" in t))


def test_names_are_text_in_a_pdf(tmp_path: Path) -> None:
    report = al.report(hostile_plan(), HARM, lang="en")
    shown = re.sub(r"\s", "", pdf_text(report.pdf(), tmp_path / "x.pdf"))
    for piece in ("<script>alert(1)</script>", "#read(", "喆堃玥𫖮䶮", "=cmd|", "[bold]red", "{{7*7}}"):
        assert piece in shown, piece
    assert shown.count("张") >= 90
    assert "\u202e" not in shown


def test_names_are_text_in_a_workbook() -> None:
    data = al.report(hostile_plan(), HARM, lang="en").xlsx()
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        sheets = [parts.read(n).decode() for n in parts.namelist() if n.startswith("xl/worksheets/sheet")]
        names = parts.namelist()
        assert not [n for n in names if "externalLink" in n or "vba" in n]
        formulas = [f for s in sheets for f in re.findall(r"<f>(.*?)</f>", s)]
        assert all(re.fullmatch(r"SUM\([A-Z]\d+:[A-Z]\d+\)", f) for f in formulas)
        assert not any("<hyperlink" in s for s in sheets)
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    cells = {str(c) for s in book.sheet_names for row in book.get_sheet_by_name(s).to_python() for c in row}
    assert harmful() <= cells


def test_names_are_text_on_a_terminal() -> None:
    shown = str(al.report(hostile_plan(), HARM, lang="en"))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


# ---- glyphs


def test_a_missing_glyph_is_seen_and_told(tmp_path: Path) -> None:
    strange = next(chr(x) for x in range(0x20000, 0x2A6DF) if x not in glyphs())
    plan = rebalanced_with(f"名{strange}字")
    report = al.report(plan, "a", lang="zh")
    shown = pdf_text(report.pdf(), tmp_path / "x.pdf")
    assert "名□字" in shown
    assert f"U+{ord(strange):04X}" in shown
    assert f"名{strange}字" in report.html()
    assert drawable("喆堃玥𫖮䶮") == "喆堃玥𫖮䶮"
    assert "U+" not in pdf_text(made("C001", "zh").pdf(), tmp_path / "y.pdf")


def rebalanced_with(name: str) -> al.Plan:
    from conftest import ON, make_book

    book = make_book([("a", name, "deposit", 1e6)], [{"client_id": "a", "risk_band": "balanced"}])
    return al.rebalance(al.analyze(book, on=ON))


# ---- nobody named, no amount


@pytest.mark.parametrize("lang", LANGUAGES)
def test_pseudonyms_hold_in_every_format(lang: str, tmp_path: Path) -> None:
    plan = sample_plan()
    advisor = str(plan.before.positions.clients["advisor"].iloc[0])
    shelf = set(plan.before.positions.shelf["name"])
    own = set(plan.before.select("C001")["holdings"]["name"]) - shelf
    classes = {x for c in plan.before.framework.classes.values() for x in (c.en, c.zh)}
    report = made("C001", lang, key=KEY)
    with zipfile.ZipFile(io.BytesIO(report.xlsx())) as parts:
        workbook = "".join(parts.read(n).decode() for n in parts.namelist() if n.endswith(".xml"))
    pdf = report.pdf()
    for text in (report.html(), pdf_text(pdf, tmp_path / "x.pdf"), pdf.decode("latin-1"), workbook, str(report)):
        assert "C001" not in text
        assert advisor not in text
        assert not [n for n in own - classes if n in text]
    assert pseudonyms.pseudonym(KEY, "C001") in report.html()


def test_hidden_amounts_hold_in_every_format(tmp_path: Path) -> None:
    for client in ("C001", "C011"):
        for lang in LANGUAGES:
            amounts = {
                f"{round(v):,}" for v, unit in figures(made(client, lang).document) if unit == "money" and abs(v) > 999
            }
            report = made(client, lang, hidden=True)
            assert not [u for _, u in figures(report.document) if u == "money"]
            for text in (str(report), report.html(), pdf_text(report.pdf(), tmp_path / "x.pdf")):
                assert not amounts & numbers(text)
            total = sample_plan().before.summary.set_index("client_id")["total"][client]
            values = {round(v, 2) for v, _ in figures(report.document)}
            assert round(float(total), 2) not in values


# ---- misuse


def test_misuse_is_refused() -> None:
    plan = sample_plan()
    with pytest.raises(ConfigError, match="name one"):
        al.report(plan)
    with pytest.raises(InputError, match="no such client"):
        al.report(plan, "nobody")
    with pytest.raises(ConfigError, match="unknown option colour"):
        al.report(plan, "C001", colour="red")
    with pytest.raises(ConfigError, match=r"\.html, \.pdf, \.xlsx"):
        al.report(plan, "C001", lang="en").bytes("docx")


def test_a_report_in_a_notebook_and_on_disk(tmp_path: Path) -> None:
    report = al.report(sample_plan(), "C004", lang="en", short=True)
    assert report._repr_html_().startswith('<iframe title="')
    assert "<script" not in report._repr_html_()
    assert not report.document.details
    assert report.save(tmp_path / "x.html").read_text("utf-8") == report.html()
    assert "sections" in repr(report)
