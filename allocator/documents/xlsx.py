"""A report as an Excel workbook to work on: real numbers with formats, and no formula but the sums of our own."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from allocator.documents.drawn import Drawn, Part, Shown, parts
from allocator.documents.grids import Grid, grid, lines_of
from allocator.documents.number_formats import number_format
from allocator.i18n import Figure
from allocator.reporting.blocks import Column, Figures, Heading, Line, Table, Verdict, cell, plain
from allocator.reporting.content import Content
from allocator.reporting.sentences import clean

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

CREATED: Final = datetime(2000, 1, 1)
"""When every workbook says that it was made: equal reports are equal bytes."""
COLOURS: Final = {"good": "#17694A", "warn": "#7F5200", "bad": "#A12525", "dim": "#566274"}
FONTS: Final = {"zh": "Microsoft YaHei"}
"""Fonts by language; the others have Calibri."""
LONGEST: Final = 31
"""Letters of a sheet's name; more than that Excel refuses."""
FILTERED: Final = 4
"""Rows from which on the longest table of a sheet has a filter; Excel allows one to a sheet."""
SUMS: Final = ("amount", "cost", "tax")
"""Columns of trades that have a sum below them."""
PORTRAIT: Final = 105.0
"""Letters beside each other from which on a sheet is printed across."""
LEAST: Final = 70.0
"""Letters that a line of text gets at least, also on a sheet of narrow tables."""
HEIGHT: Final = 15.0
"""Points from one line of text to the next."""
MARGINS: Final = {"left": 0.5, "right": 0.5, "top": 0.6, "bottom": 0.7}
"""Of the printed page, in inches."""


def xlsx(document: Content) -> bytes:
    """Write a report: a sheet for the first page, one for each section after it."""
    from xlsxwriter import Workbook

    out = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with Workbook(out, plain) as book:
        book.set_properties(
            {
                "title": document.title,  # the client is in the sheets, not in what a list of files shows
                "author": document.style.name.of(document.words.lang),
                "comments": document.notes[0] if document.notes else "",
                "created": CREATED,
            }
        )
        pages = _Pages(book, document)
        every = parts(document)
        pages.sheet(document.words.text("report.sheet_first"), [p for p in every if p.first], head=True)
        for part in (p for p in every if not p.first):
            pages.sheet(part.title or part.key, [part])
    return out.getvalue()


class _Pages:
    """A workbook in the making: its formats, and the names that its sheets have."""

    def __init__(self, book: Workbook, document: Content) -> None:
        self.book, self.document, self.words = book, document, document.words
        self.names: set[str] = set()
        self.formats: dict[tuple[Any, ...], Format] = {}
        # headings of columns that are summed; the amount has its currency behind it
        self.summed = tuple(document.words.text(f"head.{k}") for k in SUMS[1:])

    def sheet(self, title: str, parts: list[Part], *, head: bool = False) -> None:
        """Add a sheet with some sections, one below the other."""
        sheet = self.book.add_worksheet(self._name(title))
        laid = [(part, [(piece, self._grid(piece)) for piece in part.pieces]) for part in parts]
        grids = [g for _, pieces in laid for _, g in pieces if g is not None]
        widths = self._columns(sheet, grids)
        row, frozen = 0, 1
        if head:
            d = self.document
            sheet.set_row(0, 1.5 * HEIGHT)
            sheet.write_string(0, 0, f"{d.title} · {d.client}", self._format(size=15, accent=True))
            sheet.write_string(1, 0, f"{d.day} · {d.subtitle}", self._format(tone="dim"))
            row, frozen = 3, 2
        longest = max(grids, key=lambda g: len(g.rows), default=None)
        filtered = longest if longest is not None and len(longest.rows) >= FILTERED else None
        for part, pieces in laid:
            total = (*self.summed, *([self.words.text("head.value")] if part.key == "holdings" else []))
            sheet.write_string(row, 0, part.title, self._format(size=12, accent=True))
            row += 1
            for piece, found in pieces:
                if found is None:
                    row = self._text(sheet, row, piece, widths)
                    continue
                if found is grids[0] and len(grids) == 1:  # its heading stays in sight, and is on every printed page
                    top = row + bool(found.title)
                    frozen = top + 1 if not head else frozen
                    sheet.repeat_rows(top)
                row = self._table(sheet, row, found, total, filtered is found)
            row += 1
        for note in self.document.notes:
            row = self._line(sheet, row, note, widths, {"tone": "dim", "size": 8})
        sheet.freeze_panes(frozen, 1 if grids else 0)
        self._printed(sheet, sum(widths))

    def _grid(self, piece: Shown) -> Grid | None:
        """A table as a sheet has it; None for what is none."""
        if isinstance(piece, Drawn):
            return grid(replace(piece.table, title="") if piece.quiet else piece.table, self.words)
        if not isinstance(piece, Figures):
            return None
        table, note = plain(piece), self.words.text("report.sheet_note")
        if not isinstance(table, Table):
            return None
        heads = (Column(self.words.text("head.figure")), Column("", "number"), Column(note))
        return grid(Table("", heads, table.rows), self.words)

    def _columns(self, sheet: Worksheet, grids: list[Grid]) -> list[float]:
        """Set the widths of the columns: what the widest table asks for in each place."""
        count = max((len(g.heads) for g in grids), default=1)
        widths = [max(g.widths[k] for g in grids if k < len(g.heads)) for k in range(count)] if grids else [LEAST]
        for j, width in enumerate(widths):
            sheet.set_column(j, j, width)
        return widths

    def _printed(self, sheet: Worksheet, width: float) -> None:
        """Set the sheet up for paper: A4, one page wide, with its number and whose it is."""
        d, signs = self.document, {"page": "&P", "pages": "&N"}
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        if width > PORTRAIT:
            sheet.set_landscape()
        sheet.set_margins(**MARGINS)
        # Excel reads & as the sign of a code, and takes 255 letters
        left = f"{d.client} · {d.day}"[:90].replace("&", "&&")
        advice = self.words.text("report.no_advice_short")
        sheet.set_footer(f"&L&8{left}&C&8{advice}&R&8{self.words.table['report.page'].format_map(signs)}")

    def _text(self, sheet: Worksheet, row: int, piece: Shown, widths: list[float]) -> int:
        if not isinstance(piece, Verdict | Heading | Line):
            return row
        tone = piece.tone if isinstance(piece, Verdict | Line) else ""
        return self._line(sheet, row, piece.text, widths, {"tone": tone, "bold": isinstance(piece, Verdict | Heading)})

    def _line(self, sheet: Worksheet, row: int, text: str, widths: list[float], look: dict[str, Any]) -> int:
        """Write a line of text over as many columns as there are, high enough for what is wrapped."""
        room, last = sum(widths), len(widths) - 1
        while room < LEAST:
            room, last = room + 8.43, last + 1
        form = self._format(wrap=True, **look)
        if last:
            sheet.merge_range(row, 0, row, last, "", form)
        sheet.write_string(row, 0, text, form)
        size = look.get("size", 10)
        sheet.set_row(row, HEIGHT * max(lines_of(text, room * 10 / size), 1))
        return row + 1

    def _table(self, sheet: Worksheet, row: int, found: Grid, summed: tuple[str, ...], filtered: bool) -> int:
        if found.title:
            sheet.write_string(row, 0, found.title, self._format(bold=True))
            row += 1
        for k, (title, kind) in enumerate(zip(found.heads, found.kinds, strict=True)):
            sheet.write_string(row, k, title, self._format(head=True, right=kind == "number", apart=_apart(k, kind)))
        if filtered:
            sheet.autofilter(row, 0, row + len(found.rows), len(found.heads) - 1)
        first = row + 1
        for i, line in enumerate(found.rows):
            if (lines := found.lines(i)) > 1:
                sheet.set_row(first + i, HEIGHT * lines)
            for k, (content, kind) in enumerate(zip(line, found.kinds, strict=True)):
                self._cell(sheet, (first + i, k), cell(content).text, cell(content).tone, kind)
        row = first + len(found.rows)
        row += self._sums(sheet, found, first, summed)
        if found.more:
            sheet.write_string(row, 0, found.more, self._format(tone="dim"))
            row += 1
        return row + 1

    def _sums(self, sheet: Worksheet, found: Grid, first: int, summed: tuple[str, ...]) -> bool:
        """Sums of costs, taxes and values of holdings, which follow when somebody changes a figure."""
        row, done = first + len(found.rows), False
        if len(found.rows) < 2:
            return False
        for k, head in enumerate(found.heads):
            values = [t for t in (cell(line[k]).text for line in found.rows) if isinstance(t, Figure)]
            if head in summed and len(values) == len(found.rows):
                letter = chr(ord("A") + k)
                form = self._format(number=number_format(values[0]), bold=True, sum=True)
                total = round(sum(v.value for v in values), 4)
                sheet.write_formula(row, k, f"=SUM({letter}{first + 1}:{letter}{row})", form, total)
                done = True
        return done

    def _cell(self, sheet: Worksheet, place: tuple[int, int], text: str, tone: str, kind: str) -> None:
        if isinstance(text, Figure):
            form = self._format(number=number_format(text), tone=tone, right=kind == "number")
            sheet.write_number(*place, text.value, form)
        else:
            wrap = kind in ("text", "sentence")
            right, apart = kind == "number", _apart(place[1], kind)
            form = self._format(tone=tone, wrap=wrap, right=right, apart=apart, bold=tone == "strong")
            sheet.write_string(*place, text, form)

    def _format(self, **look: Any) -> Format:
        key = tuple(sorted(look.items()))
        if key not in self.formats:
            font = FONTS.get(self.words.lang, "Calibri")
            made: dict[str, Any] = {"valign": "top", "font_name": font, "font_size": look.get("size", 10)}
            if look.get("accent"):
                made["font_color"] = self.document.style.accent
            if look.get("tone") in COLOURS:
                made["font_color"] = COLOURS[look["tone"]]
            if look.get("bold") or look.get("tone") == "strong":
                made["bold"] = True
            if look.get("head"):
                made |= {"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#F4F6F9"}
            if look.get("sum"):
                made["top"] = 1
            if look.get("wrap"):
                made["text_wrap"] = True
            if look.get("right"):
                made["align"] = "right"
            if look.get("apart"):
                made |= {"align": "left", "indent": 1}
            if "number" in look:
                made["num_format"] = look["number"]
            self.formats[key] = self.book.add_format(made)
        return self.formats[key]

    def _name(self, title: str) -> str:
        """A name that Excel takes: no signs of its own, short, and different from the others."""
        plain = re.sub(r"[\[\]:*?/\\']", " ", clean(title)).strip()[:LONGEST] or "-"
        name, k = plain, 2
        while name.casefold() in self.names:
            name, k = f"{plain[: LONGEST - 4]} ({k})", k + 1
        self.names.add(name.casefold())
        return name


def _apart(column: int, kind: str) -> bool:
    """Whether text stands a little off what is left of it, which may be a number at its right edge."""
    return column > 0 and kind != "number"
