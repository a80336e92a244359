"""Delimited text: bytes → encoding → delimiter → a raw table in which no record is lost."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, TextIO

import numpy as np
import pandas as pd

from allocator.cells import clean_text
from allocator.errors import InputError
from allocator.importers.beginning import (
    DELIMITERS,
    PEEK,
    Beginning,
    beginning_of,
    one_record,
    reader_changes,
    reader_issues,
)
from allocator.importers.big5 import BLOCK, refuse_big5, refuse_western
from allocator.issues import ERROR, INFO, concat, issue_table
from allocator.legible import nameable
from allocator.remarks import differs, is_bare_total, is_note, only_text, refuse_unit, stated_unit, unit_issue
from allocator.validate import SHOWN, RawTable, header_key, known_headers
from allocator.ways import Way

STDIN: Final = "stdin"
"""What standard input is called in messages."""
MAX_BYTES: Final = 1 << 30
NO_ROOM: Final = "needs more memory than there is; split it by client, or give it to batch, which reads it in pieces"
"""Largest file taken in one piece, unpacked (about 15 million rows)."""
BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def existing_file(source: Any) -> Path:
    """Give the path of a file or directory that is there.

    Raises
    ------
    InputError
        It is no path, is absent, or is a pipe or device.
    """
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f"cannot read a {type(source).__name__}; give a file, a directory, a DataFrame or a mapping of tables"
        )
    path = nameable(Path(source))
    try:
        found = path.exists()
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        raise InputError("not a usable file name; check the path") from error
    if not found:
        raise InputError(f"{path.name}: no such file or directory; check the path")
    if not path.is_file() and not path.is_dir():
        raise InputError(f"{path.name}: not a regular file; to read a pipe, give - and pipe CSV into stdin")
    return path


def read_bytes(path: Path | str) -> bytes:
    """Read a file, a .gz file or stdin (``"-"``) whole, up to `MAX_BYTES`.

    Raises
    ------
    InputError
        It cannot be read or is too large.
    """
    name = STDIN if path == "-" else Path(path).name
    try:
        if path == "-":
            data = _up_to(sys.stdin.buffer)
        else:
            with opened(Path(path)) as file:
                data = _up_to(file)
    except MemoryError:
        raise InputError(f"{name}: {NO_ROOM}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name}: cannot be read; check the permissions, and that a .gz file is whole") from error
    if data is None:
        raise InputError(f"{name}: larger than {MAX_BYTES >> 20} MB; split it by client, or write Parquet")
    return data


def first_headers(path: Path) -> list[str]:
    """Give the headers of a CSV file from its first bytes; nothing when they cannot be made out."""
    try:
        with opened(path) as file:
            head = file.read(PEEK)
    except (OSError, EOFError, zlib.error):
        return []  # reading it will say what is wrong
    text = head.decode("utf-8-sig", "replace").lstrip("\r\n")
    return max((one_record(text, d) for d in DELIMITERS), key=len)


def parse(data: bytes, file: str, table: str, id_headers: Iterable[str] | None = None) -> RawTable:
    """Parse delimited text.

    Parameters
    ----------
    data
        The whole file. Encoding: byte order mark, else UTF-8, else GB18030.
    file
        Name for issues and messages.
    table
        What it holds, for issues; its headers help to find the delimiter.
    id_headers
        Headers of the column that says whose record it is; default those of ``client_id``.

    Returns
    -------
    RawTable
        All cells text. Records with too many or too few cells are in ``lost`` and ``issues``.

    Raises
    ------
    InputError
        Empty, binary, in no known encoding, or with quotes that do not close.
    """
    refuse_binary(data, file)
    body, encoding = _utf8(data, file)
    if not body.strip():
        raise InputError(f"{file}: the file is empty; it needs a header and rows")
    begun = beginning_of(body, table, titles=id_headers is None)
    body, header, delimiter, skipped = body[begun.start :], begun.header, begun.delimiter, begun.skipped
    frame, odd = _records(body, delimiter, len(header), file)
    frame.columns = pd.Index(header)
    numbers = np.delete(np.arange(2, len(frame) + len(odd) + 2), [r[0] - 2 for r in odd]) + skipped
    found = RawTable(frame, file, rows=numbers)
    return with_besides(found, odd, (replace(begun, start=0), encoding), table, id_headers)


def with_besides(
    raw: RawTable,
    odd: list[tuple[int, int, int, str]],
    begun: tuple[Beginning, str],
    table: str,
    id_headers: Iterable[str] | None = None,
) -> RawTable:
    """Add what a file has besides rows: titles, blank records, notes, records of another width, its encoding.

    Parameters
    ----------
    raw
        The rows.
    odd
        Records of another width than the header: number, cells expected, cells found, text.
    begun
        How the text begins, and the encoding that it was in.
    table, id_headers
        As for `parse`.
    """
    how, encoding = begun
    ragged = [row for row in odd if row[3].strip(f'{how.delimiter}" \t\r\n\u3000')]
    blank = len(odd) - len(ragged)
    kept, remarks, unit = without_remarks(ragged, how.skipped, how.delimiter, raw.file)
    ids = {header_key(h) for h in id_headers or [h for h, c in known_headers(table).items() if c == "client_id"]}
    at = next((i for i, h in enumerate(how.header) if header_key(h) in ids), None)
    about = {"file": raw.file, "table": table}
    issues = [ragged_issues(kept, how.skipped, how.delimiter, at), remarks, reader_issues(encoding, how.titles)]
    found = (
        ("encoding", encoding != "utf-8", encoding.upper()),
        ("delimiter", how.delimiter != ",", {"\t": "TAB"}.get(how.delimiter, how.delimiter)),
        ("titles", how.titles, ""),
        ("blank", blank, ""),
        ("notes", int(remarks["code"].isin(("note_row", "unit_row")).sum()), ""),
        ("totals", int((remarks["code"] == "total_loose").sum()), ""),
        ("ragged", len(kept), ""),
    )
    if unit is not None and how.unit is not None and differs(unit, how.unit):
        refuse_unit(raw.file, 2 + how.skipped)
    unit = how.unit or unit
    return replace(
        raw,
        issues=concat([part.assign(**about) for part in issues]),
        lost=len(kept),
        ignored=len(odd) - len(kept) + how.titles,
        conversions=reader_changes(about, found),
        ways={} if unit is None else {"*": unit},
    )


def without_remarks(
    ragged: list[tuple[int, int, int, str]], skipped: int, delimiter: str, file: str
) -> tuple[list[tuple[int, int, int, str]], pd.DataFrame, Way | None]:
    """Take notes, totals and a unit out of records of another width; also issues for them, and the unit."""
    kept, told, unit = [], [issue_table()], None
    for record in ragged:
        row = record[0] + skipped
        cells = [c.strip() for c in one_record(record[3][:PEEK], delimiter) if c.strip()]
        text = only_text(cells)
        way = stated_unit(text)
        if way is not None and record[0] > 2:
            refuse_unit(file, row)
        if way is not None:
            unit = way
            told.append(unit_issue(file, row, text))
        elif text and is_note(text):
            told.append(issue_table([{"file": file, "row": row, "code": "note_row", "severity": INFO}]))
        elif is_bare_total(cells):
            told.append(issue_table([{"file": file, "row": row, "code": "total_loose", "severity": INFO}]))
        else:
            kept.append(record)
    return kept, concat(told), unit


def opened(path: Path) -> BinaryIO:
    """Open a file, unpacking one that is packed."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _up_to(file: BinaryIO) -> bytes | None:
    """Read all of it in pieces (a .gz or a pipe does not say how much there is); None when it is too much."""
    pieces, size = [], 0
    while piece := file.read(1 << 22):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            return None
    return b"".join(pieces)


def refuse_binary(data: bytes, file: str) -> None:
    """Refuse what is empty, or is another kind of file."""
    if not data:
        raise InputError(f"{file}: the file is empty; it needs a header and rows")
    if data[:4] == b"PK\x03\x04":
        mend = "give it as a file, not through a pipe" if file == STDIN else "give it its own ending (.xlsx)"
        raise InputError(f"{file}: this is an Excel workbook or zip file, not CSV; {mend}")
    if data[:4] == b"PAR1":
        mend = "give it as a file, not through a pipe" if file == STDIN else "give it the ending .parquet"
        raise InputError(f"{file}: this is a Parquet file, not CSV; {mend}")
    if file == STDIN and data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<"):
        raise InputError(f"{file}: this is JSON or XML, not CSV; say with --format which tool's export it is")


def _utf8(data: bytes, file: str) -> tuple[bytes, str]:
    """Bytes as UTF-8 without mark, and the encoding they had."""
    mark, encoding = next(((m, e) for m, e in BOMS if data.startswith(m)), (b"", ""))
    body = data[len(mark) :]
    try:
        if encoding and encoding != "utf-8":
            body = body.decode(encoding).encode()
        else:
            body.decode("utf-8")
            encoding = "utf-8"
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        if encoding or nearly_utf8(body[max(0, error.start - PEEK) : error.start + PEEK]):
            raise InputError(
                f"{file}: line {line} has a broken {encoding or 'UTF-8'} character; save the file again as CSV UTF-8"
            ) from error
        refuse_big5(body[error.start - error.start % BLOCK :][:BLOCK], line, file)
        refuse_western(body[error.start - error.start % BLOCK :][:BLOCK], line, file)
        try:
            body, encoding = body.decode("gb18030").encode(), "gb18030"
        except UnicodeDecodeError:
            raise InputError(f"{file}: line {line} is neither UTF-8 nor GB18030 text; save it as CSV UTF-8") from error
    if b"\0" in body:
        line = body[: body.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{file}: line {line} has a NUL byte, so this is not text; export it again as CSV UTF-8")
    return body, encoding


def nearly_utf8(part: bytes) -> bool:
    """Tell UTF-8 with a broken byte, which as GB18030 would turn into other names, from GB18030.

    About one character in fifty of Chinese GB18030 text happens to be a three-byte character of UTF-8.
    """
    text = part.decode("utf-8", "replace")
    return sum(1 for c in text if c >= "\u0800" and c != "\ufffd") > text.count("\ufffd")


def _records(
    body: bytes, delimiter: str, width: int, file: str
) -> tuple[pd.DataFrame, list[tuple[int, int, int, str]]]:
    """Rows after the header, and (record number, cells expected, cells found, text) of those of another width."""
    import pyarrow as pa
    import pyarrow.csv as pc

    ragged: list[tuple[int, int, int, str]] = []

    def keep(row: Any) -> str:
        ragged.append((row.number, row.expected_columns, row.actual_columns, row.text))
        return "skip"

    try:
        table = pc.read_csv(
            pa.BufferReader(body),
            # One block: a record may then be as long as it likes, and records are numbered over the whole file.
            read_options=pc.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=len(body) + 1),
            parse_options=pc.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep
            ),
            convert_options=pc.ConvertOptions(
                column_types={f"f{i}": pa.string() for i in range(width)}, strings_can_be_null=False
            ),
        )
    except MemoryError:
        raise InputError(f"{file}: {NO_ROOM}") from None
    except (pa.ArrowException, ValueError):
        # Without the cause: its message may hold a row.
        raise InputError(f"{file}: cannot be taken apart as CSV; check the quotes, or save it again") from None
    if table.num_columns != width:
        raise InputError(f"{file}: the header line cannot be taken apart; check its quotes")
    if b'"' in body:
        _check_quotes(body, delimiter, table.num_rows + len(ragged), file)
    return table.slice(1).to_pandas(), ragged


def _check_quotes(body: bytes, delimiter: str, records: int, file: str) -> None:
    ends = body.rstrip(b"\r\n")
    lines = max(ends.count(b"\n"), ends.count(b"\r")) + 1
    if lines > records:  # some cell spans lines, or a quote has swallowed some
        check_quotes(io.StringIO(body.decode("utf-8"), newline=""), delimiter, file)


def check_quotes(text: TextIO, delimiter: str, file: str) -> None:
    """Refuse a quote that never closes or closes in the wrong place: it would swallow whole records silently.

    Parameters
    ----------
    text
        The whole file, opened without translation of line ends.
    delimiter, file
        Between cells; its name for the message.
    """
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    usual = csv.field_size_limit(MAX_BYTES)
    try:
        for _ in reader:
            pass
    except csv.Error as error:
        raise InputError(
            f'{file}: a quote (") is not closed, or stands inside a cell, near line {reader.line_num}; '
            "write it twice, or quote the whole cell"
        ) from error
    finally:
        csv.field_size_limit(usual)


def ragged_issues(
    ragged: list[tuple[int, int, int, str]], skipped: int, delimiter: str, at: int | None
) -> pd.DataFrame:
    """Say which records have too many or too few cells; ``at`` is the place of their client's id."""
    if not ragged:
        return issue_table()
    owners = [one_record(text[:PEEK], delimiter)[at : at + 1] if at is not None else [] for _, _, _, text in ragged]
    ids, _ = clean_text(pd.Series([o[0] if o else "" for o in owners], dtype="str"), fold=True)
    return issue_table(
        {
            "client_id": owner,
            "row": number + skipped,
            "code": "ragged_row",
            "value": text[:SHOWN],
            "severity": ERROR,
            "mend": f"{expected}/{actual}",
        }
        for owner, (number, expected, actual, text) in zip(ids, ragged, strict=True)
    )
