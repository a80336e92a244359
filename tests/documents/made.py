"""Plans that reports are made of in tests: the sample book, and a family whose names mean harm."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from conftest import ON, SAMPLE, make_book

from allocator.book import read_book
from allocator.documents.drawn import Drawn, parts
from allocator.i18n import Figure
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.reporting.blocks import cell
from allocator.reporting.content import Content

HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "[/x] [bold]red[/bold]",
    r"$\frac{$ \input{/x}",
    '#read("x") #import "@preview/x:1"',
    "\u202egnp.exe\u2066 bidi",
    "张" * 90,
    "two\nlines\r\nand\ttabs",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }} {% raw %}",
    "@SUM(1+1) +1 -1",
    "喆堃玥𫖮䶮",
    "\x1b[31mred\x07",
    "https://example.org/x",
)
HARM = "<b>=1+1</b>"
"""Id of the client with those names."""


@functools.cache
def sample_plan() -> Plan:
    return rebalance(analyze(read_book(SAMPLE), on=ON))


@functools.cache
def hostile_plan() -> Plan:
    classes = ("deposit", "listed_equity", "investment_property", "private_business", "gold", "government_bond")
    rows = [(HARM, name, classes[i % len(classes)], 1e6 * (i + 1)) for i, name in enumerate(HOSTILE)]
    client = {"client_id": HARM, "risk_band": "balanced", "currency": "CNY", "monthly_spending": 3e4}
    return rebalance(analyze(make_book(rows, [client | {"advisor": "<i>$x$ #x"}]), on=ON))


def figures(content: Content) -> list[tuple[float, str]]:
    """Value and unit of every figure that stands alone in a table, in the order in which they are read."""
    tables = [p.table for part in parts(content) for p in part.pieces if isinstance(p, Drawn)]
    cells = (cell(c).text for t in tables for row in t.rows for c in row)
    return [(float(f"{c.value:.9g}"), c.unit) for c in cells if isinstance(c, Figure)]


def numbers(text: str) -> set[str]:
    """Every number in a text, as it is written."""
    return set(re.findall(r"\d[\d,]*(?:\.\d+)?", text))


def pdf_text(data: bytes, path: Path) -> str:
    """Text of a PDF, by a program that is not ours."""
    if which("pdftotext") is None:
        pytest.skip("no pdftotext here: apt-get install poppler-utils")
    path.write_bytes(data)
    done: Any = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    return str(done.stdout.decode("utf-8"))
