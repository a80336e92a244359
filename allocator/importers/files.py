"""Files of other tools as text, CSV records, JSON values and XML trees; whatever is broken is named with its line."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from allocator.errors import InputError
from allocator.importers.delimited import existing_file, read_bytes

LARGEST: Final = 256 << 20
"""Largest export taken, in bytes: a tree of it takes several times as much memory."""
BEYOND: Final = 300
"""Digits from which on a number is none that anybody owns."""
DEEPEST: Final = 1000
"""Deepest nesting of XML elements taken."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_POINT: Final = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][+-]?\d{1,3})?")
_COMMA: Final = re.compile(r"[+-]?(?:\d{1,3}(?:[. \u00a0\u202f'’]\d{3})+|\d+)(?:,\d+)?")
_GROUPS: Final = re.compile(r"[. \u00a0\u202f'’]")


def load(source: Any, tool: str) -> tuple[bytes, str]:
    """Read the bytes of an export, and the name of its file.

    Parameters
    ----------
    source
        A file, or ``"-"`` for stdin.
    tool
        What it should be, for messages.

    Raises
    ------
    InputError
        It cannot be read, is too large, empty, or a zip file or workbook.
    """
    name, path = ("stdin", "-") if isinstance(source, str) and source == "-" else ("", source)
    if not name:
        found = existing_file(path)
        name = found.name
        if found.is_dir():
            raise InputError(f"{name}: a directory; give the file of the {tool}")
        if found.stat().st_size > LARGEST:
            raise InputError(f"{name}: larger than {LARGEST >> 20} MB; export less history")
    data = read_bytes("-" if path == "-" else Path(path))
    if len(data) > LARGEST:
        raise InputError(f"{name}: larger than {LARGEST >> 20} MB; export less history")
    if not data.strip():
        raise InputError(f"{name}: the file is empty; export the {tool} again")
    if data[:4] == b"PK\x03\x04":
        raise InputError(f"{name}: a zip file or workbook, not the {tool}; unpack or export it in its own format")
    return data, name


def text_of(data: bytes, file: str) -> tuple[str, str]:
    """Decode text, and say from what: a byte order mark decides, else UTF-8, else Windows-1252 (western Europe).

    Raises
    ------
    InputError
        It is none of these.
    """
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    body = data[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        if mark:
            raise InputError(f"{file}: line {line} has a broken {encoding} character; export it again") from None
        try:
            text, encoding = body.decode("cp1252"), "windows-1252"
        except UnicodeDecodeError:
            raise InputError(f"{file}: line {line} is neither UTF-8 nor Windows-1252 text; save it as UTF-8") from None
    if "\0" in text:
        raise InputError(
            f"{file}: line {text[: text.index(chr(0))].count(chr(10)) + 1} has a NUL byte: this is no text"
        )
    return text, encoding


def records(text: str, file: str, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Give the CSV records with their line, cells stripped; blank lines are left out.

    Raises
    ------
    InputError
        A quote does not close or stands in the wrong place.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                yield start, [c.strip() for c in cells]
            start = reader.line_num + 1
    except csv.Error:
        raise InputError(f'{file}: a quote (") is not closed, or stands inside a cell, near line {start}') from None


def amount(text: str | None, *, comma: bool = False) -> Decimal | str:
    """Read an exact number; the text as found where it is none.

    Parameters
    ----------
    text
        ``1,234.50``, ``$1,234.50``, ``+$2.68``, ``-$318.79``, ``(12.00)``; blank, ``--``, ``n/a`` are blank.
    comma
        The decimal sign is a comma: ``1.234,50``, ``1 234,50``, ``1'234,50``.
    """
    found = (text or "").strip()
    plain = found.replace("−", "-").replace("$", "").strip()
    if plain.casefold() in ("", "--", "-", "n/a", "not applicable", "unavailable"):
        return ""
    if plain.startswith("(") and plain.endswith(")"):
        plain = f"-{plain[1:-1]}"
    shape = _COMMA if comma else _POINT
    if not shape.fullmatch(plain) or not any(c.isdigit() for c in plain) or (not plain.isascii() and not comma):
        return found
    plain = _GROUPS.sub("", plain).replace(",", ".") if comma else plain.replace(",", "")
    return Decimal(plain) if plain.isascii() else found


def number(value: Any) -> Decimal | str:
    """Read a number out of JSON, where it is one already or stands in quotes."""
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value)
    if isinstance(value, Decimal):
        return value if value.adjusted() < BEYOND else str(value)
    return amount(str(value))


def read_json(data: bytes, file: str) -> Any:
    """Read JSON with exact numbers.

    Raises
    ------
    InputError
        It is something else, cut off or broken.
    """
    text, _ = text_of(data, file)
    if text.lstrip()[:1] not in ("{", "["):
        raise InputError(f"{file}: this is no JSON, which begins with {{ or [; give the tool's JSON export")
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}: broken or cut-off JSON near line {error.lineno}; export it again") from None
    except (RecursionError, ArithmeticError, ValueError):
        raise InputError(f"{file}: JSON that no tool writes (nested too deeply, or an impossible number)") from None


@dataclass(slots=True, eq=False)
class Node:
    """An XML element.

    Attributes
    ----------
    tag, attrs, text
        As written, text stripped.
    line
        Line of its start tag.
    parent, children
        Its place in the tree.
    """

    tag: str
    attrs: dict[str, str]
    line: int
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def get(self, name: str) -> str:
        """Attribute, stripped; empty when absent."""
        return self.attrs.get(name, "").strip()

    def child(self, tag: str) -> Node | None:
        """First child with a tag."""
        return next((c for c in self.children if c.tag == tag), None)

    def all(self, tag: str) -> list[Node]:
        """Children with a tag."""
        return [c for c in self.children if c.tag == tag]

    def value(self, tag: str) -> str:
        """Text of the first child with a tag; empty when absent."""
        found = self.child(tag)
        return "" if found is None else found.text


def read_xml(data: bytes, file: str) -> Node:
    """Read XML without document types or entities of its own, so that none can blow it up or fetch anything.

    Raises
    ------
    InputError
        It is something else, cut off, broken, nested too deeply, or declares a document type.
    """
    if not data.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
        raise InputError(f"{file}: this is no XML, which begins with <; give the tool's XML export")
    parser = expat.ParserCreate()
    top = Node("", {}, 0)
    here = [top]
    parts: list[list[str]] = [[]]

    def refuse(*_: Any) -> None:
        raise InputError(
            f"{file}: the XML declares a document type or entities, which no export needs; it was not read"
        )

    def start(tag: str, attrs: dict[str, str]) -> None:
        if len(here) > DEEPEST:
            raise InputError(f"{file}: XML that no tool writes: nested more than {DEEPEST} deep")
        node = Node(tag, attrs, parser.CurrentLineNumber, here[-1])
        here[-1].children.append(node)
        here.append(node)
        parts.append([])

    def end(_: str) -> None:
        here.pop().text = "".join(parts.pop()).strip()

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: parts[-1].append(text)
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        line = error.lineno
        raise InputError(f"{file}: broken or cut-off XML near line {line}; export or download it again") from None
    except (LookupError, ValueError):
        raise InputError(f"{file}: the XML names an encoding that is not known; save it as UTF-8") from None
    root = top.children[0]
    root.parent = None
    return root
