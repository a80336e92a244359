"""Where a table begins: title rows, and headers in one row or two, told from data by the headers that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from allocator.raw_tables import header_key, without_unit
from allocator.ways import Way, title_unit, unit_of

SEARCHED: Final = 40
"""Rows in which a header is looked for."""
NEEDED: Final = 2
"""Known headers that make a row the header, where the first row is none."""


@dataclass(frozen=True)
class Layout:
    """Where the header is.

    Attributes
    ----------
    at
        Position of the (first) header row.
    depth
        Rows of the header, 1 or 2.
    header
        Its texts, two rows joined.
    titles
        Number of rows above it with something in them.
    unit
        What a title says about all amounts; None for nothing.
    """

    at: int
    depth: int
    header: list[str]
    titles: int
    unit: Way | None


def find_layout(rows: Sequence[Sequence[str]], table: str, known: Mapping[str, str]) -> Layout:
    """Find the header among the first rows.

    The first row that has anything in it is the header, unless it has fewer than `NEEDED` known headers and a row
    further down has more.

    Parameters
    ----------
    rows
        The first rows as text.
    table, known
        What is looked for: the table, and its folded headers.
    """
    filled = [i for i, row in enumerate(rows[:SEARCHED]) if any(c.strip() for c in row)]
    if not filled:
        return Layout(0, 1, [], 0, None)
    worth = {i: len(_meant(rows[i], table, known)) for i in filled}
    first = filled[0]
    best = max(filled, key=lambda i: (worth[i], -i))
    at = first if worth[first] >= NEEDED or worth[best] < NEEDED else best
    header, depth = [c.strip() for c in rows[at]], 1
    if at + 1 < len(rows) and goes_on(header, rows[at + 1], table, known):
        below = [*rows[at + 1], *[""] * len(header)]
        header = [h + b.strip() if _is_unit(b) else b.strip() or h for h, b in zip(header, below, strict=False)]
        depth = 2
    above = [c for i in filled if i < at for c in rows[i] if c.strip()]
    return Layout(at, depth, header, sum(i < at for i in filled), title_unit(above))


def _meant(row: Sequence[str], table: str, known: Mapping[str, str]) -> set[str]:
    found = {known.get(header_key(c)) or without_unit(table, c, known) for c in row if c.strip()}
    return {name for name in found if name}


def _is_unit(text: str) -> bool:
    plain = text.strip()
    return len(plain) > 2 and plain[0] in "(（" and unit_of(plain[1:-1]) is not None


def goes_on(header: Sequence[str], row: Sequence[str], table: str, known: Mapping[str, str]) -> bool:
    """Whether the row below a header belongs to it: only units in brackets, or known headers under blanks or groups.

    Parameters
    ----------
    header, row
        Texts of both rows.
    table, known
        As for `find_layout`.
    """
    cells = [(h, c.strip()) for h, c in zip([*header, *[""] * len(row)], row, strict=False) if c.strip()]
    if not cells or len(cells) >= sum(1 for h in header if h) + (len(row) - len(header) > 0):
        return False

    def means(text: str) -> str:
        return known.get(header_key(text)) or without_unit(table, text, known) or ""

    # below a header that says all by itself stands a value, even one that is called like a column
    return all(_is_unit(c) or (means(c) and not means(h)) for h, c in cells)
