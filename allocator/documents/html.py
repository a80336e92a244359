"""A report as one HTML file: nothing is loaded, nothing runs, every text is escaped."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from allocator.documents.drawn import Drawn, Graph, Part, parts, together
from allocator.i18n import Words
from allocator.reporting.blocks import Figures, Heading, Line, Verdict, cell
from allocator.reporting.content import Content
from allocator.reporting.house_style import Style

if TYPE_CHECKING:
    from jinja2 import Environment

STACKED: Final = 4
"""Tables with more columns become cards on a phone."""
ROW: Final = 16
"""Height of a row's picture, in CSS pixels."""


def html(document: Content) -> str:
    """Render a report."""
    css = f"{resource('report.css')}\n{house(document.style)}"
    every = parts(document)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            d=document,
            first=[p for p in every if p.first],
            details=[p for p in every if not p.first],
            css=css,
            policy=policy(css),
            words=document.words,
        )
    )


@cache
def environment() -> Environment:
    """The templates; escaping is switched on by hand, because file endings do not decide it well."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    out = Environment(
        loader=PackageLoader("allocator", "resources/report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    out.globals.update(kind=_kind, cell=cell, picture=picture, shapes=shapes, places=_places, stacked=_stacked)
    out.globals.update(row_height=ROW, runs=runs, together=together)
    return out


def house(style: Style) -> str:
    """The colours of a house, for paper and light pages, and for dark ones."""
    return (
        f":root{{--accent:{style.accent}}}"
        f"@media (prefers-color-scheme:dark){{@media screen{{:root{{--accent:{style.accent_dark}}}}}}}"
    )


def policy(css: str, script: str = "") -> str:
    """Content security policy of a page: its own style, pictures inside it, its own script if any; nothing else."""
    parts = [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_digest(css)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*parts, *([f"script-src '{_digest(script)}'"] if script else [])])


def picture(graph: Graph, words: Words) -> str:
    """Say what the picture of a row shows."""
    keys = ("report.today_bar", "report.after_bar")
    said = [words.text(key, value=words.percent(value)) for key, (value, _) in zip(keys, graph.bars, strict=False)]
    if math.isfinite(graph.low) and math.isfinite(graph.high):
        low, high = words.percent(graph.low, 0), words.percent(graph.high, 0)
        said.append(words.text("report.band_bar", low=low, high=high))
    if math.isfinite(graph.target):
        said.append(words.text("report.target_bar", value=words.percent(graph.target, 0)))
    return words.text("say.list").join(said)


def runs(found: Sequence[Part]) -> list[list[Part]]:
    """Parts one by one, but halves in a row together: these stand in two columns of equal length."""
    out: list[list[Part]] = []
    for part in found:
        if part.half and out and out[-1][-1].half:
            out[-1].append(part)
        else:
            out.append([part])
    return out


def shapes(graph: Graph) -> list[dict[str, Any]]:
    """Shapes of the picture of a row, in percent of its width and pixels of its height."""
    out: list[dict[str, Any]] = []
    if math.isfinite(graph.low) and math.isfinite(graph.high):
        out.append({"name": "band", "x": _percent(graph.low), "w": _percent(graph.high - graph.low), "y": 0, "h": ROW})
    count = len(graph.bars)
    height = 7 if count == 1 else 5
    for j, (value, tone) in enumerate(graph.bars):
        name = f"one {tone}".strip() if count == 1 else ("today", "after")[j]
        y = (ROW - height) // 2 if count == 1 else 2 + j * 7
        out.append({"name": name, "x": "0%", "w": _percent(value), "y": y, "h": height})
    if math.isfinite(graph.target):
        out.append({"name": "target", "x": _percent(graph.target), "w": "2", "y": 0, "h": ROW})
    return out


def _percent(share: float) -> str:
    return f"{min(max(share, 0.0), 1.0) * 100:.2f}%" if math.isfinite(share) else "0%"


def _kind(piece: object) -> str:
    kinds = {Verdict: "verdict", Figures: "tiles", Heading: "heading", Line: "line", Drawn: "table"}
    return kinds[type(piece)]


def _places(found: Drawn) -> list[int]:
    """Columns that a page draws: pictures only where there is one to draw."""
    return [j for j, c in enumerate(found.table.columns) if c.kind != "picture" or found.graphs]


def _stacked(found: Drawn) -> bool:
    return len(_places(found)) > STACKED and not found.graphs


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


@cache
def resource(name: str) -> str:
    """Text of a file of the templates."""
    return (resources.files("allocator") / "resources" / "report" / name).read_text("utf-8").strip()
