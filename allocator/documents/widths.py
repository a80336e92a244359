"""How wide the columns of a printed table are, and which rows are one line: worked out here from the font itself.

Left to the typesetter, every cell is set several times to find out; that was half the time of a report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final

from allocator.reporting.blocks import Kind, Table, cell

GAP: Final = 2.6 * 72 / 25.4
"""Points between two columns."""
SMALL: Final = 0.835
"""Size of headings of columns against that of the text."""
SPARE: Final = 1.03
"""Room for what kerning and rounding do."""
SHARES: Final[dict[Kind, float]] = {"text": 1.7, "sentence": 3.0, "picture": 1.15}
"""What the kinds of columns that may wrap get of the room that is left; numbers and labels never wrap."""
FIRST_WIDE: Final = 0x2E80
"""The first code point of Chinese characters and signs, all of them an em wide."""
FIRST: Final = chr(FIRST_WIDE)
REMEMBERED: Final = 1 << 14
"""Texts whose widths are remembered: headings and labels are those of every report."""
BETWEEN: Final = 0.25
"""Em that the typesetter leaves between a Chinese character and a Latin one."""
LEAST: Final = 5.0
"""Em that a column which may wrap keeps."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Widths of columns as fractions of the table, and for each row whether it is one line.

    Where the columns that never wrap leave no room, ``columns`` is empty: the typesetter decides.
    """

    columns: tuple[float, ...]
    single: tuple[bool, ...]


def widths(table: Table, shown: Sequence[int], room: float, size: float) -> Widths:
    """Lay out a table.

    Parameters
    ----------
    table
        What is set.
    shown
        The columns that are.
    room, size
        Width of the table and size of its text, in points.
    """
    kinds: list[Kind] = [table.columns[j].kind for j in shown]
    last = len(shown) - 1
    gaps = [GAP / 2 * ((k > 0) + (k < last)) for k in range(len(shown))]
    cells = [
        [0.0 if kind == "picture" else _asked(cell(row[j]).text) * size for j, kind in zip(shown, kinds, strict=True)]
        for row in table.rows
    ]
    natural = [
        LEAST * size
        if kind == "picture"
        else max([_asked(table.columns[j].head) * SMALL * size, *(row[k] for row in cells)])
        for k, (j, kind) in enumerate(zip(shown, kinds, strict=True))
    ]
    found = _shared(natural, kinds, room - sum(gaps), LEAST * size)
    if not found:
        return Widths((), (False,) * len(table.rows))
    single = tuple(all(x <= width for x, width in zip(row, found, strict=True)) for row in cells)
    return Widths(tuple(round((w + gap) / room, 5) for w, gap in zip(found, gaps, strict=True)), single)


def _shared(natural: Sequence[float], kinds: Sequence[Kind], room: float, least: float) -> list[float]:
    """What each column gets: all that it asks for where there is room, else those that may wrap share what is left."""
    loose = [k for k, kind in enumerate(kinds) if kind in SHARES]
    out = list(natural)
    left = room - sum(x for k, x in enumerate(natural) if k not in loose)
    if left < least * len(loose):
        return []
    spare = left - sum(natural[k] for k in loose)
    if spare >= 0:
        whole = sum(SHARES[kinds[k]] for k in loose)
        for k in loose or (0,):
            out[k] += spare * SHARES[kinds[k]] / whole if loose else spare
        return out
    # each keeps its least; of the rest those that ask for little get theirs first, and leave more to the others
    for k in loose:
        out[k] = min(natural[k], least)
        left -= out[k]
    order = sorted(loose, key=lambda k: (natural[k] - out[k]) / SHARES[kinds[k]])
    for place, k in enumerate(order):
        fair = left * SHARES[kinds[k]] / sum(SHARES[kinds[m]] for m in order[place:])
        more = min(natural[k] - out[k], fair)
        out[k] += more
        left -= more
    return out


@lru_cache(REMEMBERED)
def measured(text: str) -> float:
    """Width of a text on one line, in em, a little more than less; a quarter is left between Chinese and Latin."""
    known = advances()
    if text.isascii():
        return SPARE * sum([known.get(c, 1.0) for c in text])
    wide = [c >= FIRST for c in text]
    turns = sum(a != b for a, b in pairwise(wide))
    return SPARE * (sum([known.get(c, 1.0) for c in text]) + BETWEEN * turns)


def _asked(text: str) -> float:
    """What a cell asks for; a text with lines of its own never fits on one."""
    return math.inf if "\n" in text else measured(text)


@cache
def advances() -> dict[str, float]:
    """Width of each Latin character of Noto Sans SC in em; every other one is a whole em at most."""
    from fontTools.ttLib import TTFont
    from pylopdf_fonts_zh_cn import sans_path

    with TTFont(sans_path(), lazy=True) as font:
        units, names, metrics = font["head"].unitsPerEm, font.getBestCmap(), font["hmtx"]
        return {chr(x): metrics[name][0] / units for x, name in names.items() if x < FIRST_WIDE}
