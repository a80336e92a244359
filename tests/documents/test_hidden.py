"""Reports with amounts hidden: no amount, no unit of money and nothing from which the total follows, in any format."""

from __future__ import annotations

import functools
import io
import re
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from made import figures, pdf_text, sample_plan
from python_calamine import CalamineWorkbook

import allocator as al
from allocator.documents.book_reports import Settings, write_reports
from allocator.documents.pdf import data
from allocator.documents.report import FORMATS, Report
from allocator.i18n import LANGUAGES, words
from allocator.reporting.blocks import texts
from allocator.reporting.content import DETAILS, FIRST, Content, content_of
from allocator.reporting.report_facts import Options, Source

KEY = b"0123456789abcdef0123"
CLIENTS = [f"C{i:03d}" for i in range(1, 25)]
CANARY = 1_357_911.13
"""What each holding of the canary family is worth, times a whole number: no other figure looks like it."""
MONEY = re.compile(
    r"\b(CNY|USD|HKD|EUR|GBP) ?-?\d|\d ?(bn|[mk])\b|\d ?[万亿]|\d ?(美|港|欧)?元|\d{1,3}(,\d{3})+(?! of 10)"
    r"|\b(CNY|USD|HKD|EUR|GBP)[)）]?$|\b(in|of) (CNY|USD)\b"
)
"""A currency before or behind a number or at the end of a heading, an amount with its unit, thousands."""
RATES = ("basis",)
"""Sections that name currencies of rates of exchange, which everybody knows."""


@functools.cache
def hidden(lang: str, key: bytes | None = None) -> Source:
    return Source.of(sample_plan(), Options(lang, hide_amounts=True, key=key))


@functools.cache
def canary_plan(times: float = 1.0) -> al.Plan:
    """A family that every section has something to say of; its amounts are multiples of `CANARY`, its data have faults.

    ``times`` multiplies every amount.
    """
    canary = CANARY * times
    rows = pd.DataFrame(
        [
            ("deposit", "deposit", f"{canary * 9:.2f}", "", "", "some bank"),
            ("own firm", "private_business", f"{canary * 48:.2f}", "", "", ""),
            ("shop", "investment_property", f"{canary * 8 / 1e4:.6f}万", "", "", ""),
            ("shares", "listed_equity", f"{canary * 4:.2f}", "1000", f"{canary * 7 / 1000:.5f}", ""),
            ("home", "own_home", f"{canary * 5:.2f}", "", "", ""),
            ("fund", "bond_fund", f"{canary:.2f}", "", "", ""),
            ("fund", "bond_fund", f"{canary * 2:.2f}", "", "", ""),
        ],
        columns=["name", "asset_class", "value", "quantity", "price", "issuer"],
    ).assign(client_id="K")
    client = {
        "client_id": "K",
        "risk_band": "balanced",
        "currency": "CNY",
        "monthly_spending": round(canary / 40, 2),
        "dependants": 2,
        "insurance_cover": round(canary, 2),
        "guarantees": round(canary * 3, 2),
        "cash_flow": -round(canary / 2, 2),
        "income": round(canary, 2),
    }
    analysis = al.analyze(make_book(rows, [client]), on=ON)
    assert {"value_mismatch", "unit_converted", "same_name", "insured_amount"} <= set(analysis.issues["code"])
    return al.rebalance(analysis)


def forms(amount: float) -> set[str]:
    """Every way in which a report could write an amount, without the sign."""
    amount, out = abs(amount), set()
    for lang in LANGUAGES:
        said = words(lang)
        out |= {said.money(amount), said.money(amount, short=True), said.exact(amount)}
    out |= {f"{amount:.2f}", f"{amount:.0f}", f"{amount:,.1f}", f"{amount / 1e4:,.0f}", f"{amount / 1e6:.2f}"}
    return {x for x in out if sum(c.isdigit() for c in x) >= 4}


def everything(content: Content, tmp_path: Path) -> dict[str, str]:
    """All that is in the files, by format: what is seen, titles of pictures, attributes, metadata, formulas."""
    files = {kind: make(content) for kind, make in FORMATS.items()}
    with zipfile.ZipFile(io.BytesIO(files["xlsx"])) as parts:
        workbook = "\n".join(parts.read(n).decode() for n in parts.namelist() if n.endswith((".xml", ".rels")))
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", files["pdf"], re.DOTALL)
    inside = b"\n".join([files["pdf"], *(_inflated(s) for s in streams)])
    return {
        "html": files["html"].decode(),
        "xlsx": workbook,
        "pdf": pdf_text(files["pdf"], tmp_path / "x.pdf"),
        "inside the pdf": inside.decode("latin-1"),
        "typst": str(data(content)),
        "terminal": str(Report(content)),
    }


def _inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:  # a font, a picture
        return b""


# ---- words


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("client", CLIENTS)
def test_no_section_says_an_amount_or_its_unit(client: str, lang: str) -> None:
    content = content_of(hidden(lang), client)
    for section in content.sections:
        if section.key in RATES:
            continue
        for text in (section.title, *(t for piece in section.pieces for t in texts(piece))):
            assert not MONEY.search(text), (section.key, text)
    for text in (content.title, content.subtitle, *content.notes):
        assert not MONEY.search(text), text
    assert not [unit for _, unit in figures(content) if unit == "money"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_sample_book_tries_every_section(lang: str) -> None:
    keys = {s.key for c in CLIENTS for s in content_of(hidden(lang), c).sections}
    assert keys == {m.key for m in (*FIRST, *DETAILS)}


def test_the_unit_of_amounts_is_said() -> None:
    en, zh = (content_of(hidden(lang), "C001") for lang in LANGUAGES)
    assert "shares of T" in en.subtitle
    assert "占 T" in zh.subtitle
    heads = {c.head for s in en.sections for p in s.pieces for c in getattr(p, "columns", ())}
    assert "Amount % of T" in heads
    told = "\n".join(en.texts())
    assert re.search(r"within a year: \d+\.\d\d% to \d+\.\d\d% of T\.", told)
    assert re.search(r"即 T 的 \d+\.\d\d% 至 \d+\.\d\d%。", "\n".join(zh.texts()))


# ---- amounts, in every format


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("key", [None, KEY])
def test_a_canary_is_nowhere(lang: str, key: bytes | None, tmp_path: Path) -> None:
    plan = canary_plan()
    source = Source.of(plan, Options(lang, hide_amounts=True, key=key))
    seen = everything(content_of(source, "K"), tmp_path)
    open_ = everything(content_of(Source.of(plan, Options(lang)), "K"), tmp_path)
    amounts = {float(x) for x in plan.before.positions.value} | {float(x) for x in plan.trades["amount"]}
    amounts |= {float(plan.before.summary[c].iloc[0]) for c in ("total", "net_worth", "equity")}
    amounts |= {CANARY, CANARY / 40, CANARY * 3, CANARY / 2}
    canaries = {form for a in amounts for form in forms(a)}
    assert len(canaries) > 80
    for name, text in seen.items():
        found = [c for c in canaries if re.search(rf"(?<![\d.,]){re.escape(c)}(?![\d])", text)]
        assert not found, (name, found)
        assert name.startswith("inside") or [c for c in canaries if c in open_[name]], name  # where shown, it is found


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_gives_the_total_away(lang: str) -> None:
    """A family four times as rich in everything has the same report: no share of a sum that everybody knows is in it.

    The shares of what the education of a child costs, of an insured deposit or of a minimum would tell the total.
    """
    one, two = (
        list(content_of(Source.of(canary_plan(times), Options(lang, hide_amounts=True)), "K").texts())
        for times in (1.0, 4.0)
    )
    told = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
    assert not [pair for pair in told if "e-" not in pair[0]], told  # a solver's last digits
    poor, rich = (list(content_of(Source.of(canary_plan(times), Options(lang)), "K").texts()) for times in (1.0, 4.0))
    assert sum(a != b for a, b in zip(poor, rich, strict=True)) > 50


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_number_has_more_digits_than_it_shows(lang: str) -> None:
    """From shares to the last digit, whole amounts and the total could be worked out by continued fractions."""
    for client in CLIENTS[:12]:
        content = content_of(hidden(lang), client)
        for value, _ in figures(content):
            assert round(value, 4) == value
        sheets = CalamineWorkbook.from_filelike(io.BytesIO(FORMATS["xlsx"](content)))
        rows = [r for n in sheets.sheet_names for r in sheets.get_sheet_by_name(n).to_python()]
        values = np.array([c for row in rows for c in row if isinstance(c, float)])
        assert np.allclose(values, values.round(4), rtol=0, atol=1e-12)
        assert "." not in re.sub(
            r"\d+\.\d{1,4}\b", "", " ".join(re.findall(r"'(?:value|low)': ([\d.]+)", str(data(content))))
        )


# ---- the index, and what lies beside it


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_folder_of_reports_has_no_amount(lang: str, sample: al.Book, tmp_path: Path) -> None:
    few = sample.select(["C001", "C003", "C011", "C018"])
    settings = Settings(Options(lang, hide_amounts=True), formats=("html",), on=ON, short=True)
    done = write_reports(few, tmp_path / "out", settings)
    index = done.index.read_text("utf-8")
    body = index[index.index("<body") :]
    assert not MONEY.search(re.sub(r"<[^>]*>", "\n", body))
    assert words(lang).text("report.index_total") not in body
    totals = al.analyze(few, on=ON).summary["total"]
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            text = file.read_text("utf-8")
            assert not [f for t in totals for f in forms(float(t)) if re.search(rf"(?<![\d.,a-f]){re.escape(f)}", text)]
