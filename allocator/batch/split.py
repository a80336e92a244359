"""A book into partitions: every client's rows together, in the order of the book, kept as Parquet in a work folder.

A partition holds a run of clients, so that what is written keeps the order of the book. Two ids that differ
in capitals or leading zeros only, or in the width of their letters, always end in one partition: all rules over rows of
one client, and over similar ids, find what they would find in the whole book.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.arrow import to_pandas
from allocator.batch.source import Part, Source
from allocator.batch.spill import EVERYBODY, FAULTS, ISSUES, Kept, as_texts, read, spill
from allocator.cells import as_text, clean_text
from allocator.errors import InputError
from allocator.schema import TABLES
from allocator.totals import Above
from allocator.typing import IntArray
from allocator.validate import RawTable, match_columns, type_table, without_totals

BY_CLIENT: Final = ("clients", "holdings", "debts", "overrides")
"""Tables that are split, in the order in which they say which clients there are; the others go to everybody whole."""
FULL: Final = 1 << 28
"""Bytes that wait in memory before they are written."""
ALL: Final = "*"
"""Stands for every client in an override."""
COUNTED: Final = ("read", "used", "set_aside", "ignored")


def split(source: Source, folder: Path, size: int) -> Kept:
    """Split a book.

    Parameters
    ----------
    source
        What to read.
    folder
        Where the partitions go.
    size
        Clients in a partition.

    Returns
    -------
    Kept
        What lies where; `spill.read` gives the raw tables of a partition.

    Raises
    ------
    InputError
        Something cannot be read, a column is missing, or nobody has a row.
    """
    splitter = _Splitter(folder, size)
    tables = (*BY_CLIENT, *(t for t in TABLES if t not in BY_CLIENT))
    for part in sorted(source.parts, key=lambda p: tables.index(p.table)):
        above = Above()
        for raw in part.pieces(folder):
            splitter.add(part, without_totals(part.table, raw, above) if part.table in BY_CLIENT else raw)
    kept = splitter.finished()
    if not splitter.held:
        raise InputError(f"{source.parts[0].name or 'holdings'}: a header but no rows; give at least one holding")
    return kept


class _Splitter:
    """Takes pieces of tables, one after the other."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.place: dict[str, int] = {}
        self.kept = Kept()
        self.held = 0
        self.waiting: dict[tuple[str, int], list[Any]] = {}
        self.bytes = 0

    def add(self, part: Part, raw: RawTable) -> None:
        """Put the rows of a piece where they belong."""
        where, _ = match_columns(part.table, raw)
        kept = self.kept.of(part.table)
        kept.by_client = part.table in BY_CLIENT
        kept.files += [raw.file] if raw.file not in kept.files else []
        kept.epoch = raw.epoch.isoformat() if raw.epoch is not None else kept.epoch
        kept.lost, kept.ignored = kept.lost + raw.lost, kept.ignored + raw.ignored
        kept.tell(part.table, raw, where)
        kept.conversions += raw.conversions.to_dict("records")  # type: ignore[arg-type]
        self.held += (len(raw.frame) + raw.lost) * (part.table == "holdings")
        file = kept.files.index(raw.file)
        frame, faults = without_lost_digits(part.table, raw.frame, where, raw.faults)
        parts = np.full(len(frame), EVERYBODY)
        if kept.by_client:
            parts = self._parts(part.table, raw.frame.iloc[:, where["client_id"]])
        rows = raw.numbers()
        table = _to_arrow(frame, kept.columns(part.table, list(map(str, frame.columns))))
        table = table.append_column("row", _whole(rows))
        table = table.append_column("file", _whole(np.full(len(rows), file), "int32"))
        for p, some in _groups(parts):
            self._wait((part.table, p), table.slice(some[0], len(some)) if _running(some) else table.take(_whole(some)))
        if len(faults):
            at = faults["at"].to_numpy(dtype=np.int64)
            self._beside(part.table, FAULTS, faults.drop(columns="at").assign(row=rows[at], file_at=file), parts[at])
        if len(raw.issues):
            of = (
                self._parts(part.table, raw.issues["client_id"])
                if kept.by_client
                else np.full(len(raw.issues), EVERYBODY)
            )
            self._beside(part.table, ISSUES, raw.issues, np.where(of == EVERYBODY, 0, of) if kept.by_client else of)

    def finished(self) -> Kept:
        """Write what still waits."""
        self._flush()
        if "holdings" not in self.kept.tables:
            raise InputError("no holdings: give a table or file of that name")
        self.kept.clients = len(self.place)
        self.kept.partitions = max(1, -(-len(self.place) // self.size))
        for name, of in self.kept.tables.items():
            if name not in BY_CLIENT or name == "overrides":
                found = type_table(name, read(self.folder, self.kept, name, EVERYBODY)).counts
                of.shared = {k: int(found[k]) for k in COUNTED}
        return self.kept

    def _parts(self, table: str, ids: pd.Series[Any]) -> IntArray:
        """Partition of each row by its client's id; a new client gets the next place."""
        codes, words = pd.factorize(as_text(ids)[0])
        keys = _keys(pd.Series(words, dtype="str"))
        if table != "overrides":
            for key in keys:
                if key:
                    self.place.setdefault(key, len(self.place))
        places = np.array([self.place.get(k, 0) // self.size for k in keys], dtype=np.int64)
        if table == "overrides":
            places[np.array([k == ALL for k in keys], dtype=bool)] = EVERYBODY
        return places[codes] if len(codes) else np.empty(0, dtype=np.int64)

    def _beside(self, table: str, what: str, rows: pd.DataFrame, parts: IntArray) -> None:
        for p, some in _groups(parts):
            self._wait((f"{table}.{what}", p), as_texts(rows.iloc[some]))

    def _wait(self, name: tuple[str, int], rows: Any) -> None:
        self.waiting.setdefault(name, []).append(rows)
        self.bytes += rows.nbytes
        if self.bytes > FULL:
            self._flush()

    def _flush(self) -> None:
        for name, some in sorted(self.waiting.items()):
            spill(self.folder, self.kept.of(name[0].partition(".")[0]), name, some)
        self.waiting, self.bytes = {}, 0


def _keys(words: pd.Series[Any]) -> list[str]:
    """What ids have in common that may mean one client: width, capitals, leading zeros and control characters."""
    clean, _ = clean_text(words, fold=True)
    return [w.casefold().lstrip("0") or w[:1] for w in clean]


def _groups(parts: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Places of the rows of each partition, in their order."""
    if not len(parts):
        return
    order = np.argsort(parts, kind="stable")
    found, starts = np.unique(parts[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def _running(rows: IntArray) -> bool:
    return int(rows[-1]) - int(rows[0]) + 1 == len(rows)


def _whole(numbers: IntArray, kind: str = "int64") -> Any:
    import pyarrow as pa

    return pa.array(numbers.astype(kind))


def _to_arrow(frame: pd.DataFrame, names: list[str]) -> Any:
    """Cells as found; a column of things of several kinds becomes text as a person would see it."""
    import pyarrow as pa

    columns = []
    for i in range(frame.shape[1]):
        cells = frame.iloc[:, i]
        if cells.dtype == object:
            cells = as_text(cells)[0]
        try:
            columns.append(pa.array(cells, from_pandas=True))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            columns.append(pa.array(to_pandas(pa.array(as_text(cells)[0])), from_pandas=True))
    columns = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
    return pa.table(columns, names=names)


def without_lost_digits(
    table: str, frame: pd.DataFrame, where: dict[str, int], faults: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Empty the ids that a cell holds as a number too large to be one, among cells of other kinds, and say so."""
    found = [] if faults is None else [faults]
    for column in TABLES[table]:
        if column.kind != "id" or column.name not in where or frame.iloc[:, where[column.name]].dtype != object:
            continue
        cells = frame.iloc[:, where[column.name]]
        text, lost = as_text(cells)
        if len(lost):
            told = {"at": lost, "column": frame.columns[where[column.name]], "code": "id_precision", "mend": "text"}
            found.append(pd.DataFrame(told).assign(value=text.iloc[lost].to_numpy()))
            frame = frame.copy()
            kept: Any = cells.where(~np.isin(np.arange(len(cells)), lost), None)
            frame.isetitem(where[column.name], kept)
    empty = pd.DataFrame({"at": [], "column": [], "code": [], "value": [], "mend": []})
    return frame, pd.concat(found, ignore_index=True) if found else empty
