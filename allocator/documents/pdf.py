"""A report as PDF, set by typst: the text comes as data and is never read as markup; equal reports are equal bytes."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from allocator.documents.drawn import Drawn, Graph, Part, Shown, parts, together
from allocator.documents.fitting import DETAILS, HALF, WIDTH, largest
from allocator.documents.glyphs import drawable, missing_note
from allocator.documents.widths import Widths, widths
from allocator.reporting.blocks import Figures, Heading, Line, Verdict, cell
from allocator.reporting.content import Content

if TYPE_CHECKING:
    from typst import Compiler


def pdf(document: Content) -> bytes:
    """Set a report.

    Raises
    ------
    RuntimeError
        typst gave no file: a bug, never a matter of the client's data.
    """
    made = _compiler().compile(_template(), format="pdf", sys_inputs={"data": _text(document)}, pdf_standards="ua-1")
    if not isinstance(made, bytes):
        raise RuntimeError("typst gave no PDF")
    return made


def pictures(document: Content, *, ppi: float = 96) -> list[bytes]:
    """The pages of the PDF as PNG pictures, ``ppi`` dots an inch."""
    made = _compiler().compile(_template(), format="png", ppi=ppi, sys_inputs={"data": _text(document)})
    return [made] if isinstance(made, bytes) else list(made or ())


def _text(document: Content) -> str:
    return json.dumps(data(document), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def data(document: Content) -> dict[str, Any]:
    """Everything that the template sets, as plain values; characters without a glyph are replaced and told."""
    style, words = document.style, document.words
    found = parts(document)
    size = largest([part for part in found if part.first])
    lost = missing_note(document.texts(), words)
    logo = style.picture
    return {
        "lang": words.lang,
        "title": drawable(document.title),
        "client": drawable(document.client),
        "day": drawable(document.day),
        "subtitle": drawable(document.subtitle),
        "house": drawable(style.name.of(words.lang)),
        "logo": None if logo is None else {"format": logo.kind, "bytes": list(logo.data)},
        "accent": style.accent,
        "page": words.table["report.page"],
        "notes": [drawable(note) for note in (*document.notes, lost) if note],
        "no_advice": words.text("report.no_advice_short"),
        "size": size,
        "parts": [_part(part, size if part.first else DETAILS) for part in found],
    }


@cache
def _compiler() -> Compiler:
    """One compiler for each process; a process that used it must not fork."""
    import typst
    from pylopdf_fonts_zh_cn import sans_path

    return typst.Compiler(font_paths=[str(sans_path().parent)], ignore_system_fonts=True)


@cache
def _template() -> bytes:
    return (resources.files("allocator") / "resources" / "report" / "report.typ").read_bytes()


def _part(part: Part, size: float) -> dict[str, Any]:
    room = HALF if part.half else WIDTH
    pieces = [_piece(piece, room, size) for piece in part.pieces]
    title = "" if part.quiet else drawable(part.title)
    return {"title": title, "first": part.first, "half": part.half, "pieces": pieces}


def _piece(piece: Shown, room: float, size: float) -> dict[str, Any]:
    if isinstance(piece, Figures):
        tiles = [
            {"label": drawable(t.label), "text": drawable(t.text), "note": drawable(t.note), "tone": t.tone}
            for t in piece.facts
        ]
        return {"kind": "tiles", "tiles": tiles}
    if isinstance(piece, Drawn):
        return _table(piece, widths(piece.table, piece.shown, room, size))
    kind = "verdict" if isinstance(piece, Verdict) else "heading" if isinstance(piece, Heading) else "line"
    tone = piece.tone if isinstance(piece, Verdict | Line) else ""
    return {"kind": kind, "text": drawable(together(piece.text)), "tone": tone}


def _table(found: Drawn, laid: Widths) -> dict[str, Any]:
    table = found.table
    rows = []
    for i, row in enumerate(table.rows):
        cells: list[dict[str, Any]] = []
        for j in found.shown:
            content = cell(row[j])
            if table.columns[j].kind == "picture":
                cells.append({"graph": _graph(found.graphs[i])})
            else:
                cells.append({"text": drawable(together(content.text)), "tone": content.tone})
        rows.append(cells)
    return {
        "kind": "table",
        "title": "" if found.quiet else drawable(table.title),
        "columns": [{"head": drawable(table.columns[j].head), "kind": table.columns[j].kind} for j in found.shown],
        "widths": laid.columns,
        "single": laid.single,
        "rows": rows,
        "note": drawable(found.note),
    }


def _graph(graph: Graph) -> dict[str, Any]:
    def inside(x: float) -> float | None:
        return round(min(max(x, 0.0), 1.0), 4) if math.isfinite(x) else None

    return {
        "bars": [{"value": inside(value) or 0.0, "tone": tone} for value, tone in graph.bars],
        "low": inside(graph.low),
        "high": inside(graph.high),
        "target": inside(graph.target),
    }
