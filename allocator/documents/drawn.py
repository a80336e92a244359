"""The content of a report as pages draw it: every picture is a column of a table, one graph a row."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from allocator.reporting.blocks import (
    Bars,
    Column,
    Figures,
    Heading,
    Level,
    Levels,
    Line,
    Piece,
    Section,
    Table,
    Tone,
    Verdict,
)
from allocator.reporting.content import Content

MISSING: Final = "□"
"""Drawn for a character that the font of a PDF has no glyph for; the footer says which ones."""


@dataclass(frozen=True, slots=True)
class Graph:
    """What the picture of one row shows: bars on an axis from 0 to 1, the allowed band behind them, the target.

    Attributes
    ----------
    bars
        Length and tone of each, from top to bottom: today, and after the plan where there is one.
    low, high, target
        Fractions of the axis; NaN where there is no band or target.
    """

    bars: tuple[tuple[float, Tone], ...]
    low: float = math.nan
    high: float = math.nan
    target: float = math.nan


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table whose second column is a picture, or a table without pictures: then there are no graphs.

    A ``quiet`` title is there for those who have the page read to them: the heading above says it to everybody else.
    """

    table: Table
    graphs: tuple[Graph, ...] = ()
    quiet: bool = False

    @property
    def shown(self) -> list[int]:
        """Columns that are drawn: a picture of a terminal is none of a page."""
        return [j for j, c in enumerate(self.table.columns) if c.kind != "picture" or self.graphs]

    @property
    def note(self) -> str:
        """What stands below the table, in small letters."""
        legend = self.table.legend if self.graphs else ""
        return " · ".join(text for text in (self.table.more, legend) if text)


_MONEY: Final = re.compile(r"\b([A-Z]{3}) (?=[\d-])")


def together(text: str) -> str:
    """Keep a currency and its amount on one line."""
    return _MONEY.sub("\\1\u00a0", text)


Shown: TypeAlias = Verdict | Figures | Heading | Line | Drawn


@dataclass(frozen=True, slots=True)
class Part:
    """A section, ready to be drawn; see `allocator.reporting.blocks.Section`. For ``quiet`` see `Drawn`."""

    key: str
    title: str
    pieces: tuple[Shown, ...]
    first: bool
    half: bool
    quiet: bool = False


def parts(content: Content) -> list[Part]:
    """Every section of a report, those of the first page first."""
    return [_part(s, first) for sections, first in ((content.first, True), (content.details, False)) for s in sections]


def _part(section: Section, first: bool) -> Part:
    pieces = [drawn(p) for p in section.pieces]
    tables = [j for j, p in enumerate(pieces) if isinstance(p, Drawn)]
    alone = pieces[tables[0]] if len(tables) == 1 and section.title else None
    if isinstance(alone, Drawn):  # one table under a heading needs no second one
        pieces[tables[0]] = replace(alone, quiet=True)
    quiet = all(isinstance(p, Figures) for p in pieces)
    return Part(section.key, section.title, tuple(pieces), first, section.half and first, quiet)


def drawn(piece: Piece) -> Shown:
    """A piece as pages draw it."""
    if isinstance(piece, Bars):
        graphs = tuple(
            Graph(_bars((r.before, r.tones[0]), (r.after, r.tones[1])), r.low, r.high, r.target) for r in piece.rows
        )
        return Drawn(_table(piece, ""), graphs)
    if isinstance(piece, Levels):
        return Drawn(_table(piece, piece.more), tuple(_level(r) for r in piece.rows))
    return Drawn(piece) if isinstance(piece, Table) else piece


def _level(row: Level) -> Graph:
    return Graph(_bars((row.value, row.tone), (row.after, row.after_tone)))


def _bars(today: tuple[float, Tone], after: tuple[float, Tone]) -> tuple[tuple[float, Tone], ...]:
    return (today, after) if math.isfinite(after[0]) else (today,)


def _table(piece: Bars | Levels, more: str) -> Table:
    label, *heads = (Column(head, "number" if j else "text") for j, head in enumerate(piece.heads))
    rows = tuple((r.label, "", *r.texts) for r in piece.rows)
    return Table(piece.title, (label, Column("", "picture"), *heads), rows, more=more, legend=piece.legend)
