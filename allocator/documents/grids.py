"""A table as a sheet of a workbook has it: bands and changes as two columns of numbers, widths by what is in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from unicodedata import east_asian_width

from allocator.documents.number_formats import shown
from allocator.i18n import Figure, Pair, Words
from allocator.reporting.blocks import Cell, Content, Kind, Table, cell

MOST: Final[dict[Kind, float]] = {"text": 34.0, "label": 24.0, "number": 30.0, "sentence": 46.0}
"""Letters to which a column grows; what is longer is wrapped, numbers and labels are not."""
LEAST: Final = 9.0
SPARE: Final = 2.5
"""Letters left free beside the longest text, and for the button of a filter."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of a sheet.

    Attributes
    ----------
    title, more
        As of the table.
    heads, kinds, widths
        Of every column; widths in letters of the usual size, a Chinese one is two.
    rows
        Cells; those with a figure are numbers.
    """

    title: str
    heads: tuple[str, ...]
    kinds: tuple[Kind, ...]
    widths: tuple[float, ...]
    rows: tuple[tuple[Content, ...], ...]
    more: str

    def lines(self, row: int) -> int:
        """Lines that a row takes: programs other than Excel do not make rows higher by themselves."""
        cells = zip(self.rows[row], self.kinds, self.widths, strict=True)
        wrapped = [(cell(c).text, room) for c, kind, room in cells if kind in ("text", "sentence")]
        return max((lines_of(text, room) for text, room in wrapped if wide(text) > room), default=1)


def grid(table: Table, words: Words) -> Grid:
    """Lay out a table; pictures are left out, and a column with a pair in it becomes two."""
    heads: list[str] = []
    kinds: list[Kind] = []
    columns: list[list[Content]] = []
    for j, column in enumerate(table.columns):
        if column.kind == "picture":
            continue
        cells = [row[j] for row in table.rows]
        pairs = [t for t in (cell(c).text for c in cells) if isinstance(t, Pair)]
        if not pairs:
            heads, kinds, columns = [*heads, column.head], [*kinds, column.kind], [*columns, cells]
            continue
        heads += _heads(column.head, pairs[0].change, words)
        kinds += ["number", "number"]
        columns += [[_side(c, k) for c in cells] for k in (0, 1)]
    widths = tuple(_width(h, k, c) for h, k, c in zip(heads, kinds, columns, strict=True))
    return Grid(table.title, tuple(heads), tuple(kinds), widths, tuple(zip(*columns, strict=True)), table.more)


def _heads(head: str, change: bool, words: Words) -> list[str]:
    ends = [words.text(f"report.sheet_{k}") for k in (("today", "after") if change else ("lowest", "highest"))]
    return [words.text("report.sheet_side", head=head, side=end) if head else end for end in ends]


def _side(content: Content, side: int) -> Content:
    """One figure of a pair; what is none stands in the first column."""
    found = cell(content)
    if isinstance(found.text, Pair):
        return Cell((found.text.first, found.text.second)[side], found.tone if side or not found.text.change else "")
    return "" if side else content


def _width(head: str, kind: Kind, cells: list[Content]) -> float:
    texts = [shown(t) if isinstance(t, Figure) else t for t in (cell(c).text for c in cells)]
    most = MOST[kind]
    wanted = max((wide(t) for t in texts), default=0.0)
    # a heading may be wrapped, its words not
    least = max((wide(word) for word in head.split()), default=0.0) if head.isascii() else wide(head) / 2
    return round(min(max(wanted, least, LEAST), most) + SPARE, 1)


def wide(text: str) -> float:
    """Letters that a text is wide: Chinese ones count twice."""
    return float(max((sum(1 + (east_asian_width(c) in "WF") for c in line) for line in text.split("\n")), default=0))


def lines_of(text: str, room: float) -> int:
    """Lines that a text takes where ``room`` letters stand side by side; words leave a tenth of a line empty."""
    return sum(max(math.ceil(wide(line) / (0.9 * room)), 1) for line in text.split("\n"))
