"""Large files in pieces: the raw tables of one file, one after the other, with what the whole file would have given."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pandas as pd

from allocator.arrow import stored
from allocator.errors import InputError
from allocator.importers.beginning import PEEK, Beginning, beginning_of, one_record
from allocator.importers.big5 import BLOCK, refuse_big5, refuse_western
from allocator.importers.delimited import (
    BOMS,
    check_quotes,
    nearly_utf8,
    opened,
    parse,
    read_bytes,
    refuse_binary,
    with_besides,
)
from allocator.importers.tables import CSV, PARQUET, arrow_frame, ending_of, from_parquet, read_one
from allocator.remarks import only_text, stated_unit, with_unit_below
from allocator.typing import IntArray
from allocator.validate import RawTable
from allocator.ways import Way

SMALL: Final = 1 << 26
"""Files up to this size (bytes) are read whole."""
PIECE: Final = 1 << 26
"""Bytes of a CSV file in one piece; no record may be longer."""
ROWS: Final = 500_000
"""Rows of a Parquet file in one piece."""
_BROKEN: Final = "has a broken {} character; save the file again as CSV UTF-8"


def pieces(path: Path, table: str, scratch: Path, *, small: int = SMALL, piece: int = PIECE) -> Iterator[RawTable]:
    """Read a file in pieces that together hold what `tables.read_one` gives for the whole.

    Parameters
    ----------
    path, table
        A CSV, Parquet or Excel file, and what it holds.
    scratch
        Directory for a plain copy of a packed file or one in another encoding; the copy is removed at the end.
    small, piece
        Largest file that is read whole, and bytes of a piece of a larger one.

    Yields
    ------
    RawTable
        Rows keep the numbers that they have in the file. Pieces may be empty.

    Raises
    ------
    InputError
        As for `tables.read`; only once all pieces before are out, where the fault lies further down.
    """
    ending = ending_of(path)
    if path.stat().st_size <= small or ending not in (*CSV, *PARQUET):
        if ending in CSV:
            yield with_unit_below(parse(read_bytes(path), path.name, table))
        else:
            yield from_parquet(path) if ending in PARQUET else read_one(path, table)
        return
    if ending in PARQUET:
        yield from _parquet(path)
        return
    with opened(path) as file:
        refuse_binary(file.read(4), path.name)
    plain, encoding = _plain(path, scratch)
    try:
        yield from _csv(_Csv(plain, path.name, table, encoding), piece)
    finally:
        if plain != path:
            plain.unlink(missing_ok=True)


def _parquet(path: Path) -> Iterator[RawTable]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = 2
    try:
        with stored(path) as held, pq.ParquetFile(held) as file:
            for batch in file.iter_batches(batch_size=ROWS):
                yield RawTable(arrow_frame(pa.Table.from_batches([batch])), path.name, first)
                first += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path.name}: not a whole Parquet file (cut off, or another kind); write it again") from error


@dataclass(frozen=True)
class _Csv:
    """A plain UTF-8 file, and what it was."""

    path: Path
    name: str
    table: str
    encoding: str


def _csv(source: _Csv, piece: int) -> Iterator[RawTable]:
    import pyarrow as pa
    import pyarrow.csv as pc

    with source.path.open("rb") as file:
        begun = beginning_of(file.read(max(PEEK, 1 << 20)), source.table)
        delimiter, header, skipped = begun.delimiter, begun.header, begun.skipped
        ways = _ways(file, begun)
        ragged: list[tuple[int, int, int, str]] = []

        def keep(row: Any) -> str:
            ragged.append((row.number, row.expected_columns, row.actual_columns, row.text))
            return "skip"

        file.seek(begun.start)
        records = 0
        try:
            reader = pc.open_csv(
                file,
                read_options=pc.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=piece),
                parse_options=pc.ParseOptions(
                    delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep
                ),
                convert_options=pc.ConvertOptions(
                    column_types={f"f{i}": pa.string() for i in range(len(header))}, strings_can_be_null=False
                ),
            )
            seen = False  # whether there was a row
            after = 1  # number of the record before the next one
            for batch in reader:
                if batch.num_columns != len(header):
                    raise InputError(f"{source.name}: the header line cannot be taken apart; check its quotes")
                rows, after = _numbers(batch.num_rows - (records == 0), after, [r[0] for r in ragged])
                frame = batch.slice(int(records == 0)).to_pandas()
                frame.columns = pd.Index(header)
                records += batch.num_rows
                raw = RawTable(frame, source.name, rows=rows + skipped, ways=ways)
                raw = raw if seen else with_unit_below(raw)
                ways, seen = raw.ways, seen or len(frame) > 0
                yield raw
        except (pa.ArrowException, ValueError):
            # Without the cause: its message may hold a row.
            raise InputError(
                f"{source.name}: cannot be taken apart as CSV; check the quotes, or save it again"
            ) from None
        if records + len(ragged) + skipped < _lines(source.path):
            with source.path.open("r", encoding="utf-8", newline="") as again:
                check_quotes(again, delimiter, source.name)
        frame = pd.DataFrame({i: pd.Series(dtype="str") for i in range(len(header))})
        frame.columns = pd.Index(header)
        yield with_besides(RawTable(frame, source.name), ragged, (begun, source.encoding), source.table)


def _ways(file: BinaryIO, begun: Beginning) -> Mapping[str, Way]:
    """What titles, or a record of its own below the header, say about all amounts; a full first row is seen later."""
    file.seek(begun.start)
    lines = file.read(PEEK).decode("utf-8", "ignore").splitlines()[1:2]
    cells = one_record(lines[0], begun.delimiter) if lines else []
    below = stated_unit(only_text(cells)) if len(cells) != len(begun.header) else None
    unit = begun.unit or below
    return {} if unit is None else {"*": unit}


def _numbers(count: int, after: int, odd: Sequence[int]) -> tuple[IntArray, int]:
    """Numbers of the next records, those of another width left out; and the last of them."""
    rows = np.arange(after + 1, after + 1 + count + len(odd))
    rows = rows[~np.isin(rows, odd)][:count]
    return rows, int(rows[-1]) if count else after


def _lines(path: Path) -> int:
    feeds = returns = 0
    last = b""
    with path.open("rb") as file:
        while part := file.read(1 << 22):
            feeds += part.count(b"\n")
            returns += part.count(b"\r")
            last = part[-1:]
    return max(feeds, returns) + (last not in (b"\n", b"\r"))


def _plain(path: Path, scratch: Path) -> tuple[Path, str]:
    """Give the file as plain UTF-8 text, itself or a copy, and the encoding that is to be told."""
    with opened(path) as file:
        head = file.read(4)
    mark, encoding = next(((m, e) for m, e in BOMS if head.startswith(m)), (b"", ""))
    if not encoding:
        encoding = "utf-8" if _decodes(path, "utf-8") else "gb18030"
    packed = path.name.lower().endswith(".gz")
    if encoding == "utf-8" and not mark and not packed:
        return path, encoding
    copy = scratch / f"plain-{path.name}.csv"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with opened(path) as file, os.fdopen(os.open(copy, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as out:
            file.seek(len(mark))
            for text in _decoded(file, encoding, path.name):
                out.write(text.encode())
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return copy, encoding


def _decodes(path: Path, encoding: str) -> bool:
    """Whether a file is text of an encoding; a single broken character in what else is UTF-8 is refused."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line = 1
    with opened(path) as file:
        while part := file.read(BLOCK):
            _no_nul(part, line, path.name)
            try:
                decoder.decode(part)
            except UnicodeDecodeError as error:
                if nearly_utf8(part[max(0, error.start - PEEK) : error.start + PEEK]):
                    line += part[: error.start].count(b"\n")
                    raise InputError(f"{path.name}: line {line} {_BROKEN.format('UTF-8')}") from error
                refuse_big5(part, line + part[: error.start].count(b"\n"), path.name)
                refuse_western(part, line + part[: error.start].count(b"\n"), path.name)
                return False
            line += part.count(b"\n")
    return not decoder.getstate()[0]


def _decoded(file: BinaryIO, encoding: str, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    line, more = 1, True
    while more:
        part = file.read(1 << 22)
        more = bool(part)
        try:
            text = decoder.decode(part, final=not more)
        except UnicodeDecodeError as error:
            if encoding == "gb18030":
                raise InputError(
                    f"{name}: near line {line} is neither UTF-8 nor GB18030 text; save it as CSV UTF-8"
                ) from error
            raise InputError(f"{name}: near line {line} {_BROKEN.format(encoding)}") from error
        _no_nul(text.encode(), line, name)
        line += text.count("\n")
        yield text


def _no_nul(part: bytes, line: int, name: str) -> None:
    if b"\0" in part:
        line += part[: part.index(b"\0")].count(b"\n")
        raise InputError(f"{name}: line {line} has a NUL byte, so this is not text; export it again as CSV UTF-8")
