"""Blocks on a terminal (colour, boxes, bars) or through a pipe (plain tab-separated text)."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from typing import Final, Literal, TextIO

from allocator.legible import readable
from allocator.reporting.blocks import Block, Heading, Line, Table, Tone, cell

STYLES: Final[dict[Tone, str]] = {
    "": "",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
}
PLAINER: Final = {
    "–": "-",
    "—": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "█": "#",
    "░": "-",
    "·": ".",
    "┃": "|",
    "…": "...",
    "×": "x",
    "∞": "inf",
    "“": '"',
    "”": '"',
}
"""Our own signs for an output that has no such letters; client text is escaped instead."""


def show(blocks: Iterable[Block], stream: TextIO) -> None:
    """Write blocks: drawn where ``stream`` is a terminal, plain where it is not."""
    if stream.isatty():
        draw(blocks, stream)
    else:
        stream.write(plain(blocks, encoding=stream.encoding or "utf-8"))


def draw(blocks: Iterable[Block], stream: TextIO, *, width: int | None = None) -> None:
    """Draw blocks with colour and tables.

    Parameters
    ----------
    blocks
        What to draw.
    stream
        A terminal, or a buffer in tests. NO_COLOR is honoured.
    width
        Columns; default that of the terminal.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from allocator.reporting.layout import GAP, fitted, lines_of, wrap

    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
    width = console.width
    fit = _fitting(getattr(stream, "encoding", None) or "utf-8")

    def text(content: str, tone: Tone = "", bold: bool = False) -> Text:
        return Text(fit(content), style="bold" if bold else STYLES[tone])

    def paragraph(content: str, tone: Tone = "", bold: bool = False) -> None:
        console.print(text("\n".join(wrap(content, width)), tone, bold))

    last: Block | None = None
    for block in blocks:
        if _apart(last, block):
            console.print()
        last = block
        if isinstance(block, Heading):
            paragraph(block.text, bold=True)
        elif isinstance(block, Line):
            paragraph(block.text, block.tone)
        else:
            if block.title:
                paragraph(block.title, bold=True)
            places, widths = fitted(block, width)
            table = RichTable(
                box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="dim"
            )
            for j, size in zip(places, widths, strict=True):
                column = block.columns[j]
                side: Literal["left", "right"] = "right" if column.kind == "number" else "left"
                table.add_column(text(lines_of(column.head, column, size)), justify=side, width=size, no_wrap=True)
            for row in block.rows[: block.shown]:
                table.add_row(
                    *(
                        text(lines_of(row[j], block.columns[j], size), cell(row[j]).tone)
                        for j, size in zip(places, widths, strict=True)
                    )
                )
            console.print(table)
            drawn = any(block.columns[j].kind == "picture" for j in places)
            for note in (block.more, block.legend if drawn else ""):
                if note:
                    paragraph(note, "dim")


def plain(blocks: Iterable[Block], *, encoding: str = "utf-8") -> str:
    """Blocks as plain text: a line each, tables tab-separated, every row, without pictures."""
    fit, out = _fitting(encoding), io.StringIO()
    last: Block | None = None
    for block in blocks:
        if _apart(last, block):
            out.write("\n")
        last = block
        if isinstance(block, Heading | Line):
            out.write(fit(block.text) + "\n")
            continue
        keep = [j for j, column in enumerate(block.columns) if column.kind != "picture"]
        if block.title:
            out.write(fit(block.title) + "\n")
        lines = [[c.head for c in block.columns], *([cell(c).text for c in row] for row in block.rows)]
        for line in lines:
            out.write(fit("\t".join(line[j].replace("\t", " ").replace("\n", " ") for j in keep)) + "\n")
        if block.more and block.shown is None:
            out.write(fit(block.more) + "\n")
    return out.getvalue()


def _apart(last: Block | None, block: Block) -> bool:
    """Whether a blank line belongs between two blocks."""
    if last is None:
        return False
    return isinstance(block, Heading | Table) or isinstance(last, Table) or block.apart


def _fitting(encoding: str) -> Callable[[str], str]:
    """A function that makes text fit an encoding: our own signs become ASCII where it has no such letters."""
    table = str.maketrans({sign: plainer for sign, plainer in PLAINER.items() if not _encodes(sign, encoding)})
    return (lambda text: readable(text).translate(table)) if table else readable


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def safe_streams(*streams: TextIO) -> None:
    """Let streams escape what their encoding cannot write, instead of failing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence(stream: TextIO) -> None:
    """Point a stream whose reader has gone away at nothing, so that Python's last flush cannot fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
