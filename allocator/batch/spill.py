"""What lies in the work folder after the split: raw tables by partition, with the rows and files they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pandas as pd

from allocator.arrow import stored
from allocator.conversions import conversion_table
from allocator.errors import InputError
from allocator.importers.tables import arrow_frame
from allocator.issues import concat, issue_table
from allocator.raw_tables import way_of, without_unit
from allocator.schema import TABLES
from allocator.storage import write_whole
from allocator.validate import RawTable, header_key, known_headers
from allocator.ways import Way

EVERYBODY: Final = -1
"""Partition of rows that every partition gets."""
ISSUES: Final = "issues"
FAULTS: Final = "faults"


@dataclass
class KeptTable:
    """What is kept of one table.

    Attributes
    ----------
    by_client
        Split by client; the others go to every partition whole.
    headers, files
        Headers as first found, and names of the files, in the order in which they came.
    epoch
        Day 0 of date serials.
    lost, ignored
        Records that the reader set aside or left out.
    shared
        Counts of the rows that every partition gets.
    spilled
        Files by partition (as text, for JSON).
    ways
        How columns are read, by the schema's name, where header, title or mapping say something.
    renamed
        Headers as found, by the schema's name, of columns that a mapping renamed.
    conversions
        What the reader changed.
    sheet
        Name of the workbook's sheet.
    """

    by_client: bool = True
    headers: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    epoch: str = ""
    lost: int = 0
    ignored: int = 0
    shared: dict[str, int] = field(default_factory=dict)
    spilled: dict[str, list[str]] = field(default_factory=dict)
    ways: dict[str, dict[str, Any]] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    conversions: list[dict[str, Any]] = field(default_factory=list)
    sheet: str = ""

    def tell(self, table: str, raw: RawTable, where: Mapping[str, int]) -> None:
        """Keep how the columns of a piece are read.

        Raises
        ------
        InputError
            An earlier piece says otherwise of a column: under one header they would be read alike.
        """
        if not len(raw.frame):
            return
        kinds = {c.name: c for c in TABLES[table]}
        for name, at in where.items():
            way = asdict(way_of(raw, kinds[name], at))
            known = self.ways.setdefault(name, way)
            if {k: v for k, v in known.items() if k != "said"} != {k: v for k, v in way.items() if k != "said"}:
                raise InputError(
                    f"{raw.file}: the column '{name}' of {table} has another unit, currency or form here than in "
                    f"{self.files[0]}; make the parts agree, or say it in a mapping (--mapping)"
                )
        self.renamed |= raw.headers
        self.sheet = self.sheet or raw.sheet

    def columns(self, table: str, headers: Sequence[str]) -> list[str]:
        """Names of a piece's columns in the work folder: those that mean the same have the same name in every piece."""
        mine = [_meaning(table, h, headers[:i]) for i, h in enumerate(headers)]
        known = [_meaning(table, h, self.headers[:i]) for i, h in enumerate(self.headers)]
        for meaning, header in zip(mine, headers, strict=True):
            if meaning not in known:
                known.append(meaning)
                self.headers.append(header)
        return [f"c{known.index(m)}" for m in mine]


@dataclass
class Kept:
    """What is kept of a book."""

    tables: dict[str, KeptTable] = field(default_factory=dict)
    partitions: int = 0
    clients: int = 0

    def of(self, table: str) -> KeptTable:
        """What is kept of a table; nothing yet at first."""
        return self.tables.setdefault(table, KeptTable())

    def to_json(self) -> dict[str, Any]:
        """Write it down."""
        return {
            "partitions": self.partitions,
            "clients": self.clients,
            "tables": {name: asdict(t) for name, t in self.tables.items()},
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Kept:
        """Read what `to_json` wrote."""
        tables = {name: KeptTable(**t) for name, t in content["tables"].items()}
        return cls(tables, int(content["partitions"]), int(content["clients"]))


def spill(folder: Path, kept: KeptTable, name: tuple[str, int], tables: Sequence[Any]) -> None:
    """Write rows of one partition; equal schemas into one file.

    Parameters
    ----------
    folder, kept
        Where, and of which table.
    name
        Table (or its issues or faults, ``holdings.issues``) and partition.
    tables
        Arrow tables.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    what, p = name
    key = f"{p}.{what.partition('.')[2]}".rstrip(".")
    names = kept.spilled.setdefault(key, [])
    groups: list[list[Any]] = []
    for table in tables:
        if groups and groups[-1][0].schema.equals(table.schema):
            groups[-1].append(table)
        else:
            groups.append([table])
    for group in groups:
        file = f"{'all' if p == EVERYBODY else f'{p:05d}'}/{what}-{len(names):04d}.parquet"

        def write(out: BinaryIO, rows: list[Any] = group) -> None:
            pq.write_table(pa.concat_tables(rows), out, compression="lz4")

        write_whole(folder / file, write, private=True)
        names.append(file)


def as_texts(table: pd.DataFrame) -> Any:
    """Issues or faults as an Arrow table of texts, but for row numbers."""
    import pyarrow as pa

    texts = {
        c: pa.array(table[c].astype("str"), type=pa.string()) for c in table.columns if c not in ("row", "file_at")
    }
    numbers = {c: pa.array(table[c].to_numpy("int64")) for c in ("row", "file_at") if c in table}
    return pa.table(texts | numbers)


def read_all(folder: Path, kept: Kept, p: int) -> dict[str, RawTable]:
    """Raw tables of a partition, what every partition gets included."""
    return {name: read(folder, kept, name, p) for name in kept.tables}


def read(folder: Path, kept: Kept, table: str, p: int) -> RawTable:
    """Raw table of a partition, or with `EVERYBODY` only what every partition gets."""
    of = kept.tables[table]
    wanted = [p] if p == EVERYBODY else [EVERYBODY, p]
    cells = _joined(_files(folder, of, [str(q) for q in wanted]), len(of.headers))
    rows, file = cells.pop("row").to_numpy("int64"), cells.pop("file").to_numpy("int64")
    cells.columns = pd.Index(of.headers)
    names = pd.Series(pd.array(of.files or [""], dtype="str").take(file))
    found = _files(folder, of, [f"{q}.{FAULTS}" for q in wanted])
    faults = _at(pd.concat([arrow_frame(t) for t in found], ignore_index=True), rows, file) if found else None
    issues = [arrow_frame(t) for t in _files(folder, of, [f"{q}.{ISSUES}" for q in wanted])]
    mine = not of.by_client or p == 0
    return RawTable(
        cells,
        of.files[0] if of.files else "",
        rows=rows,
        files=names if len(of.files) > 1 else None,
        epoch=date.fromisoformat(of.epoch) if of.epoch else None,
        ways={name: Way(**way) for name, way in of.ways.items()},
        headers=of.renamed,
        sheet=of.sheet,
        conversions=conversion_table(of.conversions if mine else ()),
        faults=faults,
        issues=concat(issues) if issues else issue_table(),
        lost=of.lost if mine else 0,
        ignored=of.ignored if mine else 0,
    )


def _meaning(table: str, header: str, before: Sequence[str]) -> str:
    """What a header stands for; one that is not known stands for itself, the second of a name for another."""
    key = header_key(header)
    headers = known_headers(table)
    known = headers.get(key) or without_unit(table, header, headers)
    return f"={known}" if known else f"{header}\0{list(before).count(header)}"


def _files(folder: Path, kept: KeptTable, keys: Sequence[str]) -> list[Any]:
    import pyarrow.parquet as pq

    return [pq.read_table(stored(folder / name)) for key in keys for name in kept.spilled.get(key, ())]


def _joined(tables: Sequence[Any], width: int) -> pd.DataFrame:
    """Pieces one under the other; a column that is missing in some is empty there, one of several kinds keeps them."""
    import pyarrow as pa

    names = [*(f"c{i}" for i in range(width)), "row", "file"]
    if not tables:
        blank = dict.fromkeys(names[:-2], "str") | {"row": "int64", "file": "int64"}
        return pd.DataFrame({n: pd.Series(dtype=k) for n, k in blank.items()})
    kinds: dict[str, Any] = {}
    for n in names:
        found = {t.schema.field(n).type for t in tables if n in t.schema.names} or {pa.string()}
        kinds[n] = found.pop() if len(found) == 1 else None
    if all(t.schema.names == names for t in tables) and None not in kinds.values():
        return arrow_frame(pa.concat_tables(tables))
    frames = [arrow_frame(t) for t in tables]
    out = {}
    for n in names:
        some = [f[n] if n in f else pd.Series([None] * len(f), dtype=object) for f in frames]
        mixed = kinds[n] is None
        out[n] = pd.concat([s.astype(object) for s in some] if mixed else _alike(some), ignore_index=True)
    return pd.DataFrame(out)


def _alike(columns: Sequence[pd.Series[Any]]) -> list[pd.Series[Any]]:
    """Columns of one kind; nothing but gaps is of any kind."""
    kinds = {c.dtype for c in columns if not c.isna().all()}
    if len(kinds) == 1 and isinstance(kind := kinds.pop(), pd.StringDtype):
        return [c.astype(kind) for c in columns]
    return [c.astype(object) for c in columns] if kinds else list(columns)


def _at(faults: pd.DataFrame, rows: Any, files: Any) -> pd.DataFrame:
    """Places of faults among the rows of a partition."""
    places = pd.Series(np.arange(len(rows)), index=pd.MultiIndex.from_arrays([files, rows]))
    at = places.reindex(pd.MultiIndex.from_arrays([faults["file_at"], faults["row"]])).to_numpy()
    return faults.assign(at=at.astype("int64"))[["at", "column", "code", "value", "mend"]]
