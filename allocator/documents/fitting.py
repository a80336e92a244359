"""How large the letters of the first page may be so that it is one page: its height, added up from widths of text.

The typesetter could try every size, but would set the page once for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from allocator.documents.drawn import Drawn, Part, Shown
from allocator.documents.widths import GAP, SMALL, measured, widths
from allocator.reporting.blocks import Figures, Heading, Verdict, cell

SIZES: Final = tuple(round(8.8 - 0.2 * k, 1) for k in range(10))
"""Points of the text of the first page, the largest first."""
DETAILS: Final = 8.4
"""Points of the text after the first page."""
MM: Final = 72 / 25.4
WIDTH: Final = 182 * MM
"""Points between the margins."""
HALF: Final = (182 - 6) / 2 * MM
"""Points of one of two columns."""
HEIGHT: Final = (297 - 19 - 14 - 16) * MM
"""Points between the margins, without the title of the report and the line below it."""
LINE: Final = 1.32
"""Em from one line to the next."""


def largest(parts: Sequence[Part]) -> float:
    """The largest of `SIZES` with which some parts are one page; the smallest where none is."""
    return next((size for size in SIZES if height(parts, size) <= HEIGHT), SIZES[-1])


def height(parts: Sequence[Part], size: float) -> float:
    """Points that parts take, two halves side by side."""
    out, i, gap = 0.0, 0, 3.4 * MM
    while i < len(parts):
        if parts[i].half and i + 1 < len(parts) and parts[i + 1].half:
            out += max(_part(p, size, HALF) for p in parts[i : i + 2])
            i += 2
        else:
            out += _part(parts[i], size, WIDTH)
            i += 1
        out += gap
    return out - gap


def _part(part: Part, size: float, room: float) -> float:
    head = 1.24 * size + 2.5 * MM if part.title and not part.quiet else 0.0
    return head + sum(_piece(piece, size, room) for piece in part.pieces)


def _piece(piece: Shown, size: float, room: float) -> float:
    if isinstance(piece, Drawn):
        return _table(piece, size, room)
    if isinstance(piece, Figures):
        # two lines of small letters and one of large ones; a note may take a second line
        each = room / max(len(piece.facts), 1) - 3 * MM
        notes = max((_lines(f.note, SMALL * size, each) for f in piece.facts), default=1)
        return 6 * MM + (1.25 + SMALL + 0.6 + SMALL * (1 + LINE * (notes - 1))) * size
    if isinstance(piece, Heading):
        return size + 3.8 * MM
    if isinstance(piece, Verdict):
        return _text(piece.text, 1.25 * size, room - 6 * MM) + 5.6 * MM
    return _text(piece.text, size, room) + 0.5 * size


def _table(piece: Drawn, size: float, room: float) -> float:
    table = piece.table
    shown = piece.shown
    laid = widths(table, shown, room, size)
    out = (size + 3.8 * MM if table.title and not piece.quiet else 0.0) + SMALL * size + 4.1
    for row, single in zip(table.rows, laid.single, strict=True):
        lines = 1
        if not single and laid.columns:
            places = zip(shown, laid.columns, strict=True)
            lines = max(_lines(cell(row[j]).text, size, w * room - GAP) for j, w in places)
        out += (1 + LINE * (lines - 1)) * size + 4.1
    return out + (_text(piece.note, SMALL * size, room) + 2.6 * MM if piece.note else 0.0)


def _text(text: str, size: float, room: float) -> float:
    return (1 + LINE * (_lines(text, size, room) - 1)) * size


def _lines(text: str, size: float, room: float) -> int:
    """Lines of a text; words that do not fit leave a twentieth of each line empty."""
    ends = 0.95 if measured(text) * size > room else 1.0
    return sum(max(math.ceil(measured(part) * size / (room * ends)), 1) for part in text.split("\n"))
