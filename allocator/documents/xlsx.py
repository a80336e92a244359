"""A report as an Excel workbook to work on: real numbers with formats, and no formula but the sums of our own."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from allocator.documents.drawn import Drawn, Part, Shown, parts
from allocator.i18n import Figure
from allocator.reporting.blocks import Cell, Figures, Heading, Line, Table, Verdict, cell, plain
from allocator.reporting.content import Content
from allocator.reporting.sentences import clean

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

CREATED: Final = datetime(2000, 1, 1)
"""When every workbook says that it was made: equal reports are equal bytes."""
COLOURS: Final = {"good": "#17694A", "warn": "#7F5200", "bad": "#A12525", "dim": "#566274"}
WIDTHS: Final = {"number": 17.0, "label": 13.0, "text": 30.0, "sentence": 60.0}
LONGEST: Final = 31
"""Letters of a sheet's name; more than that Excel refuses."""
FILTERED: Final = 4
"""Rows from which on the longest table of a sheet has a filter; Excel allows one to a sheet."""
SUMS: Final = ("amount", "cost", "tax")
"""Columns of trades that have a sum below them."""


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
        self.book, self.document = book, document
        self.names: set[str] = set()
        self.filtered: Drawn | None = None
        self.total = ""
        self.formats: dict[tuple[Any, ...], Format] = {}
        # headings of columns that are summed; the amount has its currency behind it
        self.summed = tuple(document.words.text(f"head.{k}") for k in SUMS)

    def sheet(self, title: str, parts: list[Part], *, head: bool = False) -> None:
        """Add a sheet with some sections, one below the other."""
        sheet = self.book.add_worksheet(self._name(title))
        sheet.hide_gridlines(2)
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        row = 0
        if head:
            d = self.document
            sheet.write_string(0, 0, f"{d.title} · {d.client}", self._format(size=15, accent=True))
            sheet.write_string(1, 0, f"{d.day} · {d.subtitle}", self._format(tone="dim"))
            row = 3
        widths: dict[int, float] = {}
        frozen = 1 if not head else 2
        tables = [piece for part in parts for piece in part.pieces if isinstance(piece, Drawn)]
        longest = max(tables, key=lambda piece: len(piece.table.rows), default=None)
        self.filtered = longest if longest is not None and len(longest.table.rows) >= FILTERED else None
        for part in parts:
            self.total = self.document.words.text("head.value") if part.key == "holdings" else ""
            sheet.write_string(row, 0, part.title, self._format(size=12, accent=True))
            row += 1
            for piece in part.pieces:
                row = self._piece(sheet, row, piece, widths)
            row += 1
        for j, width in widths.items():
            sheet.set_column(j, j, width)
        for note in self.document.notes:
            sheet.write_string(row, 0, note, self._format(tone="dim", size=8))
            row += 1
        sheet.freeze_panes(frozen, 1)

    def _piece(self, sheet: Worksheet, row: int, piece: Shown, widths: dict[int, float]) -> int:
        if isinstance(piece, Drawn | Figures):
            table = piece.table if isinstance(piece, Drawn) else plain(piece)
            if not isinstance(table, Table):
                return row
            if piece is self.filtered:
                top = row + bool(table.title)
                last = sum(c.kind != "picture" for c in table.columns) - 1
                sheet.autofilter(top, 0, top + len(table.rows), last)
            return self._table(sheet, row, table, widths)
        tone = piece.tone if isinstance(piece, Verdict | Line) else ""
        strong = isinstance(piece, Verdict | Heading)
        sheet.write_string(row, 0, piece.text, self._format(tone=tone, bold=strong))
        return row + 1

    def _table(self, sheet: Worksheet, row: int, table: Table, widths: dict[int, float]) -> int:
        shown = [j for j, c in enumerate(table.columns) if c.kind != "picture"]
        if table.title:
            sheet.write_string(row, 0, table.title, self._format(bold=True))
            row += 1
        for k, j in enumerate(shown):
            column = table.columns[j]
            sheet.write_string(row, k, column.head, self._format(head=True, right=column.kind == "number"))
            widths[k] = max(widths.get(k, 0.0), WIDTHS[column.kind] if k else 34.0)
        first = row + 1
        for i, line in enumerate(table.rows):
            for k, j in enumerate(shown):
                self._cell(sheet, (first + i, k), cell(line[j]), table.columns[j].kind)
        row = first + len(table.rows)
        row = self._sums(sheet, table, first, shown)
        if table.more:
            sheet.write_string(row, 0, table.more, self._format(tone="dim"))
            row += 1
        return row + 1

    def _sums(self, sheet: Worksheet, table: Table, first: int, shown: list[int]) -> int:
        """Sums of costs, taxes and values of holdings, which follow when somebody changes a figure."""
        row, done = first + len(table.rows), False
        if len(table.rows) < 2:
            return row
        for k, j in enumerate(shown):
            head = table.columns[j].head
            values = [c.text.value for c in (cell(r[j]) for r in table.rows) if isinstance(c.text, Figure)]
            if head in (*self.summed[1:], self.total or None) and len(values) == len(table.rows):
                letter = chr(ord("A") + k)
                form = self._format(unit=_unit(table.rows[0][j]), bold=True, digits=2)
                sheet.write_formula(row, k, f"=SUM({letter}{first + 1}:{letter}{row})", form, round(sum(values), 2))
                done = True
        return row + done

    def _cell(self, sheet: Worksheet, place: tuple[int, int], content: Cell, kind: str) -> None:
        text = content.text
        if isinstance(text, Figure):
            form = self._format(unit=text.unit, digits=text.digits, tone=content.tone)
            sheet.write_number(*place, text.value, form)
        else:
            wrap = kind in ("text", "sentence")
            form = self._format(tone=content.tone, wrap=wrap, right=kind == "number", bold=content.tone == "strong")
            sheet.write_string(*place, text, form)

    def _format(self, **look: Any) -> Format:
        key = tuple(sorted(look.items()))
        if key not in self.formats:
            made: dict[str, Any] = {"valign": "top", "font_name": "Calibri", "font_size": look.get("size", 10)}
            if look.get("accent"):
                made["font_color"] = self.document.style.accent
            if look.get("tone") in COLOURS:
                made["font_color"] = COLOURS[look["tone"]]
            if look.get("bold") or look.get("tone") == "strong":
                made["bold"] = True
            if look.get("head"):
                made |= {"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#F4F6F9"}
            if look.get("wrap"):
                made["text_wrap"] = True
            if look.get("right"):
                made["align"] = "right"
            if "unit" in look:
                places = "." + "0" * look.get("digits", 0) if look.get("digits", 0) else ""
                made["num_format"] = f"0{places}%" if look["unit"] == "share" else f"#,##0{places}"
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


def _unit(content: Cell | str) -> str:
    text = cell(content).text
    return text.unit if isinstance(text, Figure) else "number"
