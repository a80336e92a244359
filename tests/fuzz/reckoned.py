"""Targets that measure and report: random books through every study, and names that mean harm through every format."""

from __future__ import annotations

import io
import json
import re
import zipfile
from html.parser import HTMLParser
from random import Random
from typing import Any, Final

import numpy as np
import pandas as pd
from conftest import ON
from fuzzing import Target
from mutations import TEXTS, change_json, dumped, loaded, shrink_json
from programmes_made import BANDS, book_of, programme_case
from promises import CLASSIC, LONG_RUN, catalogue, every_row_once, measured, told_in_words

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.documents.report import Report, report
from allocator.households import household
from allocator.pipeline import analyze, rebalance
from allocator.reporting.jsonout import check_json, dumps
from allocator.reporting.overview import check_overview
from allocator.reporting.terminal import plain
from allocator.risk_measures import measure_risk
from allocator.stresses import stress
from allocator.whatif import with_band, with_cash_flow, with_purchase, with_restriction, with_spending
from allocator.whole_book.calls import call_list
from allocator.whole_book.view import book_view

HARM: Final = (
    *TEXTS, "=cmd|' /C calc'!A0", '"><img src=x onerror=alert(1)>', "{{ 7*7 }} {% raw %}", "@SUM(1+1)", "-1+1",
    "+1+1", "]]>", "<!--", "javascript:x",
    "\\u0000", "#import \"x\"", "$x$ _y_ *z*", "```", "\n\n= heading", "two\r\nlines\tand", "\x07\x7f",
    "喆堃玥𫖮䶮", "\ud83d", "a" * 5000, "&lt;b&gt;",
)  # fmt: skip
LONGEST_FORMULA: Final = re.compile(rb"<f>(.*?)</f>", re.DOTALL)
OURS: Final = re.compile(rb"(?:SUBTOTAL|SUM)\([0-9]*,?[A-Z]+\d+:[A-Z]+\d+\)")
"""Formulas that a report may hold: sums over its own cells."""
SAME: Final = 1e-12


def book_case(draw: Random) -> dict[str, Any]:
    """A book of a programme, without its framework, with what is to be changed in it."""
    case = programme_case(draw)
    case = {k: v for k, v in case.items() if k in ("holdings", "people", "debts", "products", "fx", "lookthrough")}
    for row in case["holdings"]:
        if draw.random() < 0.1:
            row["value"] = draw.choice((0, "", "x", -1, 1e15, 9e14, 0.004, "1e400"))
    case["what_if"] = [
        draw.choice(("band", "spending", "flow", "restriction", "purchase")),
        draw.choice((0.0, 1.0, 1e6, 1e14, -1e6, 0.001)),
    ]
    return case


def studied(data: bytes) -> str:
    """Every study of a book: a part is as in the whole, a change changes what it says, nothing else moves."""
    case = loaded(data)
    if not isinstance(case, dict):
        return "no case"
    book = book_of(case)
    every_row_once(book, plain=False)
    a = _measured(book)
    told_in_words(a.issues)
    json.loads(dumps(check_json(a, catalogue("en"), counts=book.counts)))
    assert plain(check_overview(a, book.counts, catalogue("zh")))
    partition(book, a)
    changed(book, a, case.get("what_if"))
    others(a)
    return "studied" if len(book.holdings) else "none used"


def _measured(book: Book) -> Analysis:
    a = analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)
    measured(book, a)
    return a


def partition(book: Book, a: Analysis) -> None:
    """A client alone is as in the book, and the shares of a client's buckets are a whole."""
    if not len(a):
        return
    whole = a.buckets.groupby("client_id", sort=False)["share"].sum()
    total = a.summary.set_index("client_id")["total"]
    some = total.index[total > 0]
    assert np.allclose(whole.reindex(some), 1.0, atol=1e-9), "shares are no whole"
    who = a.client_ids[-1]
    if "clients.risk_band" not in book.given:
        return
    alone = analyze(book.client(who), CLASSIC, assumptions=LONG_RUN, on=ON).summary.iloc[0]
    there = a.summary.set_index("client_id").loc[who]
    for name in there.index:
        x, y = alone[name], there[name]
        if isinstance(x, float) and isinstance(y, float):
            assert np.isclose(x, y, rtol=SAME, atol=1e-12, equal_nan=True), f"{name} alone is not as in the book"
        else:
            assert x == y, f"{name} alone is not as in the book"


def changed(book: Book, a: Analysis, what: Any) -> None:
    """What if: only the client who is changed moves."""
    if not isinstance(what, list) or len(what) != 2 or not len(a) or isinstance(what[1], bool):
        return
    kind, size = what
    if not isinstance(size, int | float):
        return
    who = a.client_ids[0]
    held = book.holdings.loc[book.holdings["client_id"] == who, "asset_id"]
    try:
        other = {
            "band": lambda: with_band(book, who, BANDS[0]),
            "spending": lambda: with_spending(book, who, size),
            "flow": lambda: with_cash_flow(book, who, size),
            "restriction": lambda: with_restriction(book, who, held.iloc[0] if len(held) else "", "never_sell"),
            "purchase": lambda: with_purchase(
                book, who, "new", size, asset_class="gold", paid_from=held.iloc[0] if len(held) else ""
            ),
        }.get(str(kind), lambda: book)()
    except ValueError as error:
        raise AssertionError("a change ends in an error of its own") from error
    b = analyze(other, CLASSIC, assumptions=LONG_RUN, on=ON)
    rest = [c for c in a.client_ids if c != who]
    one, two = (x.summary.set_index("client_id").loc[rest] for x in (a, b))
    pd.testing.assert_frame_equal(one, two)


def others(a: Analysis) -> None:
    """Risk, scenarios, household and the whole book: a row for every client, and no infinite money."""
    risks, shaken, home = measure_risk(a), stress(a), household(a)
    assert risks.summary["client_id"].tolist() == a.client_ids, "risk: a client lost"
    assert len(shaken.summary) == len(a) * len(shaken.names), "stress: a client lost"
    assert not np.isinf(shaken.summary["loss"].to_numpy("float64")).any(), "stress: an infinite loss"
    room = 0.011 * (1 + len(a.positions.value)) + 1e-9 * a.exposures.total.max(initial=0.0)
    losses = shaken.summary["loss"].to_numpy("float64").reshape(len(a), -1)
    assert not len(a) or (losses <= (a.exposures.total + room)[:, None]).all(), "stress: more lost than there was"
    assert len(home) == len(a), "household: a client lost"
    if len(a):
        view = book_view(a)
        repr(view)
        assert int(view.statuses["clients"].sum()) == len(a), "book: a client lost"
        assert len(call_list(a).calls) <= len(a), "calls: a client twice"


# ---- reports


def report_case(draw: Random) -> dict[str, Any]:
    """A small book whose names, issuers, labels and ids mean harm."""
    case = programme_case(draw)
    case = {k: v for k, v in case.items() if k in ("holdings", "people", "debts", "products", "fx")}
    ids = {p["client_id"]: draw.choice(HARM)[:40].strip() or "x" for p in case["people"]}
    for row in case["holdings"]:
        for name in ("name", "issuer", "sector", "account", "asset_id"):
            if draw.random() < 0.6:
                row[name] = draw.choice(HARM)
    for table in ("holdings", "people", "debts"):
        for row in case[table]:
            row["client_id"] = ids.get(row["client_id"], row["client_id"])
    for row in case["people"]:
        row |= {"advisor": draw.choice(HARM), "tier": draw.choice(HARM), "risk_band": draw.choice(BANDS)}
    for row in (*case["debts"], *case["products"]):
        row |= {"kind": draw.choice(HARM)} if "kind" in row else {"name": draw.choice(HARM)}
    return case | {"lang": draw.choice(("en", "zh")), "plan": draw.random() < 0.5, "pdf": draw.random() < 0.1}


def written(data: bytes) -> str:
    """A report is made of any names, and none of them becomes markup, a formula or a mark that moves a terminal."""
    case = loaded(data)
    if not isinstance(case, dict):
        return "no case"
    book = book_of(case)
    a = analyze(book, CLASSIC, assumptions=LONG_RUN, on=ON)
    if not len(a):
        return "nobody"
    result = rebalance(a, explain=False, allow_unclassified=True) if case.get("plan") is True else a
    made = report(result, a.client_ids[0], lang="zh" if case.get("lang") == "zh" else "en")
    harmless_page(made.html())
    harmless_sheets(made)
    text = str(made)
    assert not any(c in text for c in "\x1b\x07\x7f\x00\u202e\r"), "a mark that moves a terminal"
    if case.get("pdf") is True:
        assert made.pdf().startswith(b"%PDF"), "no PDF"
    return "written"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def harmless_page(page: str) -> None:
    """Only our own tags: no script, no handler, nothing loaded."""
    reader = _Tags()
    reader.feed(page)
    for tag, attrs in reader.seen:
        assert tag not in ("script", "iframe", "object", "embed", "form", "b", "i", "base"), f"a tag {tag}"
        assert not any(name.startswith("on") for name in attrs), "a handler"
        for name in ("src", "href"):
            assert str(attrs.get(name) or "data:").startswith(("data:", "#")), "something that is loaded"
    assert "\x00" not in page


def harmless_sheets(made: Report) -> None:
    """No formula but sums over the workbook's own cells, and no link."""
    with zipfile.ZipFile(io.BytesIO(made.xlsx())) as parts:
        for name in parts.namelist():
            content = parts.read(name)
            if name.startswith("xl/worksheets/"):
                for formula in LONGEST_FORMULA.findall(content):
                    assert OURS.fullmatch(formula), "a formula out of a name"
                assert b"<hyperlink " not in content or b'location="' in content, "a link out of a name"


def targets() -> list[Target]:
    """Studies and reports."""
    return [
        Target("studies", studied, lambda draw: dumped(book_case(draw)), change_json, shrink_json),
        Target("reports", written, lambda draw: dumped(report_case(draw)), change_json, shrink_json),
    ]
