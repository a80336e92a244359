"""Which files a book is made of, in which order, and their fingerprint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pandas as pd

from allocator.errors import InputError
from allocator.importers import sql
from allocator.importers.delimited import existing_file
from allocator.importers.intake import AS_IT_IS, Intake
from allocator.importers.mapping import NO_MAPPING, FileMapping
from allocator.importers.reading import read_raw, refuse_strange
from allocator.importers.streamed import pieces
from allocator.importers.tables import CSV, EXCEL, OTHER, PARQUET, ending_of, read_one, table_of
from allocator.legible import readable
from allocator.schema import TABLES
from allocator.storage import fingerprint
from allocator.validate import RawTable, header_key

NOTHING: Final = "__HIVE_DEFAULT_PARTITION__"
"""Value of an empty cell in the name of a directory."""


@dataclass(frozen=True, eq=False)
class Part:
    """One file of a table, or a table in memory.

    Attributes
    ----------
    table
        Which table.
    path, name
        The file, and what it is called in issues; None for a table in memory.
    keys
        Columns that the directories above say (``month=2026-09``).
    raw
        The table in memory, its mapping applied.
    mapping
        How the columns of the file are read.
    """

    table: str
    path: Path | None = None
    name: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    raw: RawTable | None = None
    mapping: FileMapping = NO_MAPPING

    def pieces(self, scratch: Path) -> Iterator[RawTable]:
        """Read it, in pieces where it is large; `InputError` as for `importers.tables.read`."""
        if self.raw is not None:
            yield self.raw
            return
        assert self.path is not None
        for raw in pieces(self.path, self.table, scratch):
            named = {header_key(h) for h in raw.frame.columns}
            more = {k: v for k, v in self.keys.items() if header_key(k) not in named}
            frame = raw.frame.assign(**more) if more else raw.frame
            named_raw = replace(raw, frame=frame, file=self.name, issues=raw.issues.assign(file=self.name))
            yield self.mapping.apply({self.table: named_raw})[self.table]


@dataclass(frozen=True, eq=False)
class Source:
    """The parts of a book, in the order in which they are read."""

    parts: tuple[Part, ...]

    def fingerprint(self) -> str:
        """SHA-256 over what every part holds, with its table and name.

        Raises
        ------
        InputError
            A file cannot be read.
        """
        pieces: list[bytes] = []
        for part in self.parts:
            held = fingerprint(part.path) if part.path is not None else _of_frame(part.raw)
            pieces.append(f"{part.table}\0{part.name}\0{held}".encode())
        return fingerprint(*pieces)

    def stamps(self) -> list[tuple[int, int]]:
        """Size and time of every file, to see whether one changes while it is read."""
        found = [part.path.stat() for part in self.parts if part.path is not None]
        return [(s.st_size, s.st_mtime_ns) for s in found]


def find(source: Any, intake: Intake = AS_IT_IS, more: Mapping[str, Any] | None = None) -> Source:
    """Find the parts of a book; large files are not read yet.

    Parameters
    ----------
    source
        As for `book.read_book`; a directory may also hold a directory of parts for a table (``holdings/``), or nothing
        but parts of the holdings.
    intake, more
        As for `importers.reading.read_raw`; a table in ``more`` may be a directory of parts too.

    Raises
    ------
    InputError, ConfigError
        As for `importers.reading.read_raw`.
    """
    given = {name: one for name, one in (more or {}).items() if one is not None}
    refuse_strange(given)
    if sql.is_url(source):
        return Source(tuple(Part(name, raw=raw) for name, raw in read_raw(source, intake, given).items()))
    found: dict[str, list[Part]] = {}
    plain = intake.format_of(source) == "tables"
    if plain and _is_path(source):
        path = existing_file(source)
        if path.is_dir():
            found = _listed(path)
        elif ending_of(path) in (*CSV, *PARQUET):
            found = {"holdings": [Part("holdings", path, readable(path.name))]}
    mapping = intake.columns
    if found:
        found |= {name: _given(name, one) for name, one in given.items()}
        found = {name: [_mapped(part, mapping) for part in parts] for name, parts in found.items()}
    else:
        found = {name: [Part(name, raw=raw)] for name, raw in read_raw(source, intake).items()}
        found |= {n: [_mapped(p, mapping) for p in _given(n, one)] for n, one in given.items()}
    return Source(tuple(part for name in TABLES for part in found.get(name, ())))


def _mapped(part: Part, mapping: FileMapping) -> Part:
    """Give a part its mapping: what is in memory is read with it at once."""
    if part.raw is None:
        return replace(part, mapping=mapping)
    return replace(part, raw=mapping.apply({part.table: part.raw})[part.table])


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike) and source != "-"


def _given(table: str, given: Any) -> list[Part]:
    if _is_path(given):
        path = existing_file(given)
        if path.is_dir():
            return _parts(table, path, path.parent)
        if ending_of(path) in (*CSV, *PARQUET):
            return [Part(table, path, readable(path.name))]
    return [Part(table, raw=read_one(given, table))]


def _listed(folder: Path) -> dict[str, list[Part]]:
    """Tables of a directory: files and directories of parts by their names, or else parts of holdings alone."""
    found: dict[str, list[Part]] = {}
    for path in sorted(folder.iterdir()):
        ending = "" if path.is_dir() else ending_of(path)
        table = table_of(path.name[: len(path.name) - len(ending)])
        if not table or (not path.is_dir() and ending not in (*CSV, *EXCEL, *PARQUET, *OTHER)):
            continue
        if table in found:
            first = found[table][0].name.partition("/")[0]
            raise InputError(f"{folder.name}: both {first} and {path.name} hold {table}; keep one of them")
        if path.is_dir():
            found[table] = _parts(table, path, folder)
        elif ending in (*CSV, *PARQUET):
            found[table] = [Part(table, path, readable(path.name))]
        else:
            found[table] = [Part(table, raw=read_one(path, table))]
    if not found:
        found = {"holdings": _parts("holdings", folder, folder)}
    if "holdings" not in found:
        raise InputError(
            f"{folder.name}: no holdings in this directory; it needs a file holdings.csv, .xlsx or .parquet, "
            "or a directory holdings with parts (持仓 works too)"
        )
    return found


def _parts(table: str, folder: Path, above: Path) -> list[Part]:
    """Files of a directory of parts, hidden ones and those that begin with ``_`` left out."""
    out = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if any(p.startswith((".", "_")) for p in inside) or not path.is_file():
            continue
        if ending_of(path) in (*CSV, *PARQUET):
            said = [p.partition("=") for p in inside[:-1] if "=" in p]
            keys = {unquote(k): "" if v == NOTHING else unquote(v) for k, _, v in said}
            out.append(Part(table, path, path.relative_to(above).as_posix(), keys))
    if not out:
        raise InputError(f"{folder.name}: no .csv or .parquet parts of {table} in this directory")
    return out


def _of_frame(raw: RawTable | None) -> str:
    assert raw is not None
    frame = raw.frame
    heads = "\0".join(map(str, frame.columns)).encode()
    texts = [frame.iloc[:, i].astype("object").map(repr) for i in range(frame.shape[1])]
    cells = [pd.util.hash_array(t.to_numpy(), categorize=True).tobytes() for t in texts]
    about = f"{raw.file}\0{raw.lost}\0{raw.ignored}\0{raw.epoch}\0{sorted(raw.ways.items())}"
    return fingerprint(heads, about.encode(), *cells)
