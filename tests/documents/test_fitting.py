"""The first page is one page, and columns are as wide as what is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import HARM, hostile_plan, numbers, pdf_text, sample_plan

from allocator.documents.drawn import parts
from allocator.documents.fitting import HEIGHT, SIZES, height, largest
from allocator.documents.pdf import pdf
from allocator.documents.widths import GAP, SHARES, measured, widths
from allocator.i18n import LANGUAGES
from allocator.plan import Plan
from allocator.reporting.blocks import Column, Table, texts
from allocator.reporting.content import Content, content_of
from allocator.reporting.report_facts import Options, Source

CASES = [("sample", lang) for lang in LANGUAGES] + [("hostile", lang) for lang in LANGUAGES]


def contents(case: str, lang: str) -> list[Content]:
    plan: Plan = sample_plan() if case == "sample" else hostile_plan()
    source = Source.of(plan, Options(lang))
    return [content_of(source, c) for c in (plan.client_ids if case == "sample" else [HARM])]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize(("case", "lang"), CASES)
def test_the_first_page_holds_everything_that_belongs_there(case: str, lang: str, tmp_path: Path) -> None:
    for content in contents(case, lang):
        pages = pdf_text(pdf(content), tmp_path / "x.pdf").split("\f")
        wanted = numbers("\n".join(t for s in content.first for p in s.pieces for t in texts(p)))
        assert not wanted - numbers(pages[0])
        for section in content.first:
            # what shows itself has no heading on paper
            shown = next(p for p in parts(content) if p.key == section.key)
            assert shown.quiet or squeezed(section.title) in squeezed(pages[0])
        assert squeezed(content.details[0].title) in squeezed(pages[1])
        for page in filter(None, pages):
            assert content.day in page
            assert squeezed(content.words.text("report.no_advice_short")) in squeezed(page)
            assert case == "hostile" or content.client in page


def test_letters_are_the_largest_that_fit() -> None:
    for content in contents("sample", "en"):
        first = [p for p in parts(content) if p.first]
        size = largest(first)
        assert size == SIZES[-1] or height(first, size) <= HEIGHT
        assert size == SIZES[0] or height(first, SIZES[SIZES.index(size) - 1]) > HEIGHT


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_properties_of_the_file_say_what_it_is_but_not_of_whom(lang: str) -> None:
    content = contents("hostile", lang)[0]
    made = pdf(content)
    found = re.search(rb"<rdf:RDF.*?</rdf:RDF>", made, re.DOTALL)
    assert found is not None
    said = found[0].decode("utf-8")
    assert content.title in said
    assert "1+1" not in said
    assert re.search(rb"/Lang\s*\(" + (b"zh-CN" if lang == "zh" else b"en") + rb"\)", made)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_columns_fill_the_table_and_numbers_never_wrap(found: st.DataObject) -> None:
    kinds = found.draw(
        st.lists(st.sampled_from(["text", "label", "number", "sentence", "picture"]), min_size=1, max_size=7)
    )
    words = st.text("中文字 a1,.%", max_size=40)
    rows = found.draw(st.lists(st.tuples(*[words for _ in kinds]), max_size=5))
    room, size = found.draw(st.floats(100, 600)), found.draw(st.sampled_from(SIZES))
    table = Table("", tuple(Column("head", k) for k in kinds), tuple(rows))
    laid = widths(table, range(len(kinds)), room, size)
    assert len(laid.single) == len(rows)
    if not laid.columns:
        return
    assert sum(laid.columns) == pytest.approx(1.0, abs=1e-3)
    for k, (kind, share) in enumerate(zip(kinds, laid.columns, strict=True)):
        inner = share * room - GAP / 2 * ((k > 0) + (k < len(kinds) - 1))
        fits = [measured(row[k]) * size <= inner + 0.01 for row in rows]
        assert kind in SHARES or all(fits)
        if kind != "picture":
            assert all(ok for ok, one in zip(fits, laid.single, strict=True) if one)
