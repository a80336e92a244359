"""What a report is made of, as data: lines and tables of finished text. Building and rendering are separate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone = Literal["", "good", "bad", "warn", "dim", "strong"]
Kind = Literal["text", "label", "number", "picture", "sentence"]
"""``text`` and ``sentence`` are wrapped, ``label`` and ``number`` never; a ``picture`` is drawn or left out."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text with a tone; whatever a client wrote stays plain text and never becomes markup."""

    text: str
    tone: Tone = ""


Content: TypeAlias = Cell | str


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading and what is in it; where room is short, the highest ``spare`` goes first.

    ``least`` are the places to which a wrapped column is made narrower before a spare one goes; 0 is the usual.
    """

    head: str
    kind: Kind = "text"
    spare: int = 0
    least: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table; every row has one cell per column.

    Attributes
    ----------
    shown, more
        Rows that are drawn on a terminal, and the line that sums up the rest (or a note); through a pipe every row
        is printed.
    legend
        What the signs of a picture mean, for where pictures are drawn.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Content, ...], ...]
    shown: int | None = None
    more: str = ""
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One paragraph; ``apart`` puts a blank line before it."""

    text: str
    tone: Tone = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A title above what follows."""

    text: str


Block: TypeAlias = Table | Line | Heading
Blocks: TypeAlias = tuple[Block, ...]


def cell(content: Content) -> Cell:
    """A cell, whatever way it was given."""
    return content if isinstance(content, Cell) else Cell(content)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one sentence that everything else explains."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure: what it is, its text, and a remark in small letters."""

    label: str
    text: str
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures that a conversation begins with."""

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A share today and after a plan, in its band.

    Attributes
    ----------
    label
        What it is the share of.
    before, after, low, high, target
        Fractions of the axis, which goes from 0 to 1 (what lies outside is cut where it is drawn); NaN where there is
        none, ``after`` without a plan.
    texts
        The same as finished text, one per column of `Bars.heads` after the first.
    tones
        Of ``before`` and ``after``.
    """

    label: str
    before: float
    after: float
    low: float
    high: float
    target: float
    texts: tuple[Content, ...]
    tones: tuple[Tone, Tone] = ("", "")


@dataclass(frozen=True, slots=True)
class Bars:
    """Shares on axes from 0 to 100%, with bands and targets: a picture beside each row of a table.

    ``heads`` are those of the label and of each text; ``legend`` says what the parts of the picture mean.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[Bar, ...]
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """How far something has gone, 0 to 1, today and after a plan (NaN where there is none); texts as of a `Bar`."""

    label: str
    value: float
    texts: tuple[Content, ...]
    tone: Tone = ""
    after: float = math.nan
    after_tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Levels:
    """Severities, or losses: a bar from 0 to 100% beside each row of a table."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[Level, ...]
    legend: str = ""
    more: str = ""


Piece: TypeAlias = Block | Verdict | Figures | Bars | Levels
"""What a report is made of; terminals and notebooks know `Block` alone, and are given `plain`."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Attributes
    ----------
    key, title
        Its code, by which a page can be linked to, and its heading; an empty title has none.
    pieces
        What it shows.
    level
        Of its heading: 2 below the title of the report, 3 below a section of level 2.
    half
        Two halves in a row may stand side by side where there is room.
    """

    key: str
    title: str
    pieces: tuple[Piece, ...]
    level: int = 2
    half: bool = False


def plain(piece: Piece) -> Block:
    """The same as one of the few kinds of blocks that every renderer knows; pictures become their tables."""
    if isinstance(piece, Verdict):
        return Line(piece.text, piece.tone)
    if isinstance(piece, Figures):
        return Table(
            piece.title,
            (Column(""), Column("", "number"), Column("")),
            tuple((f.label, Cell(f.text, f.tone), f.note) for f in piece.facts),
        )
    if isinstance(piece, (Bars, Levels)):
        heads = tuple(Column(head, "number" if j else "text") for j, head in enumerate(piece.heads))
        more = piece.more if isinstance(piece, Levels) else ""
        return Table(piece.title, heads, tuple((r.label, *r.texts) for r in piece.rows), more=more)
    return piece


def texts(piece: Piece) -> Iterator[str]:
    """Every text of a piece, in the order in which it is read."""
    block = plain(piece)
    if isinstance(block, Table):
        yield from (block.title, *(column.head for column in block.columns))
        yield from (cell(content).text for row in block.rows for content in row)
        yield from (block.more, piece.legend if isinstance(piece, (Bars, Levels)) else "")
    else:
        yield block.text
