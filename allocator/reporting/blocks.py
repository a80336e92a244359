"""What a report is made of, as data: lines and tables of finished text. Building and rendering are separate."""

from __future__ import annotations

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
