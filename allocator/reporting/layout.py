"""Widths and line breaks for terminals, where Chinese letters take two places and may be parted anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from allocator.reporting.blocks import Column, Content, Table, cell

GAP: Final = 2
"""Places between columns."""
NARROWEST: Final = 8
"""Narrowest that a text column is made."""
_WIDE: Final = "\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef"
_CLOSING: Final = "，。；：、！？）】》”’…％%"
_OPENING: Final = "（【《“‘"
_UNIT: Final = "(?:[万亿]?(?:[美港欧日]?元|英镑)|[万亿])"
_PIECE: Final = re.compile(
    rf"[{_OPENING}]*(?:[0-9.,]+{_UNIT}|[^\s{_WIDE}{_OPENING}]+|[{_WIDE}]|[{_OPENING}])[{_CLOSING}]*|\s+"
)


def wrap(text: str, width: int) -> list[str]:
    """Break text into lines of at most ``width`` places; a word longer than that is cut.

    Closing marks stay with what is before them, opening marks with what follows.
    """
    lines = [""]
    for piece in _PIECE.findall(text):
        if piece.isspace():
            piece = " " if lines[-1] and cell_len(lines[-1]) < width else ""
        elif cell_len(lines[-1]) + cell_len(piece) > width:
            if lines[-1]:
                lines.append("")
            while cell_len(piece) > width:
                part = _fitting(piece, width)
                lines[-1] = part
                lines.append("")
                piece = piece[len(part) :]
        lines[-1] += piece
    return [line.rstrip() for line in lines if line.strip()] or [""]


def fitted(table: Table, width: int) -> tuple[list[int], list[int]]:
    """Which columns of a table are drawn, and how wide each is.

    Parameters
    ----------
    table
        Its spare columns are left out, the most spare first, while it is too wide.
    width
        Places there are.

    Returns
    -------
    (places, widths)
        Places of the columns that stay and their widths. Text columns share what the others leave.
    """
    natural = [
        max(
            cell_len(line)
            for c in (column.head, *(row[j] for row in table.rows[: table.shown]))
            for line in cell(c).text.split("\n")
        )
        for j, column in enumerate(table.columns)
    ]
    keep = list(range(len(natural)))
    for j in sorted((j for j in keep if table.columns[j].spare), key=lambda j: -table.columns[j].spare):
        if _least(keep, natural, table.columns) > width:
            keep.remove(j)
    flexible = [j for j in keep if table.columns[j].kind in ("text", "sentence")]
    room = width - GAP * (len(keep) - 1) - sum(natural[j] for j in keep if j not in flexible)
    widths = {j: natural[j] for j in keep}
    for count, j in zip(range(len(flexible), 0, -1), sorted(flexible, key=lambda j: natural[j]), strict=True):
        widths[j] = min(natural[j], max(room // count, NARROWEST))
        room -= widths[j]
    return keep, [widths[j] for j in keep]


def lines_of(content: Content, column: Column, width: int) -> str:
    """Text of a cell, with line breaks where its column has them."""
    text = cell(content).text
    return "\n".join(wrap(text, width)) if column.kind in ("text", "sentence") else text


def _least(keep: Sequence[int], natural: Sequence[int], columns: Sequence[Column]) -> int:
    usual = {"sentence": 24, "text": 14}
    least = [c.least or usual.get(c.kind, width) for c, width in zip(columns, natural, strict=True)]
    return sum(min(natural[j], least[j]) for j in keep) + GAP * (len(keep) - 1)


def _fitting(text: str, width: int) -> str:
    """The longest beginning of a text that fits."""
    end = 1
    while end < len(text) and cell_len(text[: end + 1]) <= width:
        end += 1
    return text[:end]
