"""A look through the zip of a workbook before it is opened: what would abort the process or vanish silently.

The fast reader allocates the whole rectangle that the cells span and gives error cells and formulas without a cached
value as blanks. Both are found here, streaming, before it sees the file.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import IO, Final
from xml.etree import ElementTree
from xml.parsers import expat

from allocator.errors import InputError

MAX_UNPACKED: Final = 500 * 1024 * 1024
FAR: Final = 2_000_000
"""Cells of a sheet's rectangle from which on at least `FILLED` of them must exist."""
FILLED: Final = 0.01
_CHUNK: Final = 1 << 20
_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>]")
_AT: Final = re.compile(rb"<(?:\w+:)?c\s[^>]*?\br=[\"']([A-Za-z]{1,3})([0-9]{1,7})[\"']")
_ROW: Final = re.compile(rb"<(?:\w+:)?row\s[^>]*?\br=[\"']([0-9]{1,7})[\"']")
_TYPED: Final = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_ERROR: Final = re.compile(rb"t=[\"']e[\"']")
# A formula whose value is empty or absent.
_UNSOLVED: Final = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^>]*)?/>)\s*"
    rb"(?:</|<(?:\w+:)?v\s*/>|<(?:\w+:)?v(?:\s[^>]*)?>\s*</)"
)
_HIDDEN: Final = re.compile(rb"<(?:\w+:)?row\s[^>]*?hidden=[\"'](?:1|true)[\"'][^>]*>")
_NUMBER: Final = re.compile(rb"\br=[\"']([0-9]{1,7})[\"']")
_R_ID: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

BROKEN: Final = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    EOFError,
    KeyError,
    OSError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What opening a zip file that is cut off or spoiled may raise."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A cell without a usable value: row and column from 1, issue code, what the cell shows."""

    row: int
    column: int
    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scan knows of a workbook: broken cells and hidden rows by sheet name, and day 0 of its date serials."""

    faults: dict[str, list[Fault]]
    epoch: date
    hidden_rows: dict[str, list[int]] = field(default_factory=dict)


def scan(data: bytes, name: str) -> Scan:
    """Look through a workbook.

    Parameters
    ----------
    data
        The whole file.
    name
        Its name, for messages.

    Raises
    ------
    InputError
        It is no workbook, is protected or damaged, unpacks to too much, or has cells so far out that opening it would
        take all memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            return _scan(book, name)
    except BROKEN as error:
        raise InputError(_not_a_workbook(data, name)) from error
    except RuntimeError as error:  # what zipfile says of an encrypted part
        raise InputError(f"{name}: the workbook is encrypted; save it without a password") from error
    except (ElementTree.ParseError, expat.ExpatError) as error:
        raise InputError(_damaged(name)) from error
    except (ValueError, OverflowError) as error:  # places that lie outside the file, numbers that are none
        raise InputError(_damaged(name)) from error


def _scan(book: zipfile.ZipFile, name: str) -> Scan:
    parts = book.infolist()
    if len({p.filename for p in parts}) != len(parts):
        raise InputError(f"{name}: the workbook holds a part twice; open it in a spreadsheet program and save it again")
    if sum(p.file_size for p in parts) > MAX_UNPACKED:
        raise InputError(f"{name}: unpacks to more than {MAX_UNPACKED >> 20} MB; save the tables as CSV or Parquet")
    suspects: dict[str, bool] = {}
    hidden: dict[str, list[int]] = {}
    for part in parts:
        if part.filename.lower().endswith((".xml", ".rels")):
            with book.open(part) as stream:
                suspects[part.filename] = _measure(stream, name, hidden.setdefault(part.filename, []))
    root = ElementTree.fromstring(book.read("xl/workbook.xml"))
    properties = next((e for e in root.iter() if e.tag.endswith("}workbookPr")), None)
    old = properties is not None and properties.get("date1904") in ("1", "true")
    faults, veiled = {}, {}
    for sheet, part_name in _sheets(book, root).items():
        if part_name not in suspects:
            raise InputError(_damaged(name))
        veiled[sheet] = hidden[part_name]
        if suspects[part_name]:
            with book.open(part_name) as stream:
                faults[sheet] = _faults(stream)
    return Scan(faults, date(1904, 1, 1) if old else date(1899, 12, 30), veiled)


def _measure(stream: IO[bytes], name: str, hidden: list[int]) -> bool:
    """Read one part to its end (which checks its sum); refuse far cells; say whether it may hold broken cells.

    Numbers of hidden rows go to ``hidden``.
    """
    cells = rows = width = 0
    suspect = False
    tail = rest = b""
    while chunk := stream.read(_CHUNK):
        whole = rest + chunk
        cut = whole.rfind(b">") + 1
        text, rest = whole[:cut], whole[cut:]
        if len(rest) > 16 * _CHUNK:
            raise InputError(_damaged(name))
        if _TYPED.search(text) or b"\0" in text:
            raise InputError(
                f"{name}: the workbook declares XML entities or an odd encoding, which no spreadsheet "
                "program does; open it in one and save it"
            )
        if b"hidden=" in text:
            hidden += [int(n[1]) for row in _HIDDEN.findall(text) if (n := _NUMBER.search(row))]
        count = len(_CELL.findall(text))
        places = _AT.findall(text)
        cells += count
        width = max([width, *map(_column, {place[0] for place in places})])
        rows = max([rows, *map(int, {place[1] for place in places})])
        if count > len(places):  # cells without an address stand in the next column of their row
            rows = max([rows, *map(int, _ROW.findall(text))])
        suspect = suspect or _is_suspect(tail + text)
        tail = text[-512:]
    if rows * width > FAR and cells < FILLED * rows * width:
        raise InputError(
            f"{name}: a sheet reaches to row {rows}, column {width}, but has only {cells} cells; delete "
            "the stray cells far out, or copy the table to a new sheet"
        )
    return suspect


def _is_suspect(text: bytes) -> bool:
    formulas = b"f>" in text or b"<f " in text or b":f " in text  # cheap, and false for most sheets
    return _ERROR.search(text) is not None or (formulas and _UNSOLVED.search(text) is not None)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _sheets(book: zipfile.ZipFile, root: ElementTree.Element) -> dict[str, str]:
    """Part of the zip that holds each sheet."""
    relations = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    target = {e.get("Id", ""): e.get("Target", "") for e in relations.iter() if e.tag.endswith("}Relationship")}
    out = {}
    for element in root.iter():
        if element.tag.endswith("}sheet"):
            place = target.get(element.get(_R_ID, ""), "")
            path = PurePosixPath(place[1:]) if place.startswith("/") else PurePosixPath("xl") / place
            out[element.get("name", "")] = str(path)
    return out


class _Cells:
    """Handlers of an XML parser that keep the broken cells of one sheet."""

    def __init__(self) -> None:
        self.found: list[Fault] = []
        self.row = self.column = 0
        self.kind = ""
        self.formula = self.inside = False
        self.text = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if tag == "row":
            self.row = int(attributes.get("r", self.row + 1))
            self.column = 0
        elif tag == "c":
            place = re.fullmatch(r"([A-Za-z]{1,3})([0-9]+)", attributes.get("r", ""))
            self.column = _column(place[1].encode()) if place else self.column + 1
            self.kind = attributes.get("t", "")
            self.formula, self.text = False, ""
        elif tag == "f":
            self.formula = True
        self.inside = tag == "v"

    def data(self, text: str) -> None:
        if self.inside:
            self.text += text

    def end(self, tag: str) -> None:
        self.inside = False
        if tag.rpartition(":")[2] != "c":
            return
        if self.kind == "e":
            self.found.append(Fault(self.row, self.column, "formula_error", self.text))
        elif self.formula and not self.text.strip() and self.kind != "str":
            # A formula whose result is empty text says so with t="str".
            self.found.append(Fault(self.row, self.column, "formula_without_value", ""))


def _faults(stream: IO[bytes]) -> list[Fault]:
    cells = _Cells()
    parser = expat.ParserCreate()
    parser.StartElementHandler = cells.start
    parser.EndElementHandler = cells.end
    parser.CharacterDataHandler = cells.data
    parser.ParseFile(stream)
    return cells.found


def _damaged(name: str) -> str:
    return f"{name}: the workbook is damaged; open it in a spreadsheet program and save it again"


def _not_a_workbook(data: bytes, name: str) -> str:
    if not data:
        return f"{name}: the file is empty; it needs a header and rows"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            return f"{name}: the workbook is protected by a password; save it without one"
        return f"{name}: this is an old .xls workbook under another name; save it as .xlsx"
    if data[:1024].lstrip()[:1] == b"<":
        return f"{name}: this is a web page or XML file under another name; save it as .xlsx"
    return f"{name}: not a whole .xlsx workbook (cut off, or another kind of file); save it again as .xlsx"
