"""What a batch has written: counts at once, tables when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from allocator.arrow import stored
from allocator.batch.collect import CONVERSIONS, ISSUES
from allocator.batch.places import Places
from allocator.errors import InputError
from allocator.importers.tables import arrow_frame
from allocator.shown import Shown
from allocator.storage import read_json

BESIDE: Final[Mapping[str, str]] = {"issues": ISSUES, "conversions": CONVERSIONS}
"""Tables in a file of their own."""


@dataclass(frozen=True, repr=False)
class BatchResult(Shown):
    """Result of `allocator.batch`, and of `read_batch` from its directory.

    Attributes
    ----------
    out
        Directory with the results.
    manifest
        Versions, fingerprints, options, counts and files, as in ``manifest.json``.
    """

    out: Path
    manifest: Mapping[str, Any]

    @property
    def counts(self) -> Mapping[str, Any]:
        """Rows, clients and money, each of which reconciles."""
        found: Mapping[str, Any] = self.manifest["counts"]
        return found

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables there are."""
        return (*self.manifest["tables"], *BESIDE)

    def table(
        self, name: str, *, columns: Sequence[str] | None = None, where: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Read a table, or a part of it.

        Parameters
        ----------
        name
            Out of ``tables``.
        columns
            Columns to read; default all.
        where
            Values, or lists of values, by column: only rows that have them are read.

        Raises
        ------
        InputError
            No such table or column, or its files are gone.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        if name not in self.tables:
            raise InputError(f"no table '{name}' in this batch; there are: {', '.join(self.tables)}")
        try:
            place = self.out / BESIDE.get(name, name)
            files = [place] if name in BESIDE else sorted(place.glob("*.parquet"))
            names = pq.read_schema(stored(files[0])).names
            strange = sorted({*(columns or ()), *(where or {})} - set(names))
            if strange:
                raise InputError(f"no column '{strange[0]}' in {name}; there are: {', '.join(names)}")
            keep = None
            for column, value in (where or {}).items():
                one = isinstance(value, str) or not isinstance(value, Sequence | set | frozenset)
                hit = pc.field(column).isin([value] if one else list(value))
                keep = hit if keep is None else keep & hit
            how: dict[str, Any] = {"columns": list(columns) if columns else None, "filters": keep}
            return arrow_frame(pa.concat_tables(pq.read_table(stored(f), **how) for f in files))
        except (OSError, IndexError, pa.ArrowException) as error:
            raise InputError(f"{self.out.name}: {name} cannot be read; run the batch again") from error

    @property
    def summary(self) -> pd.DataFrame:
        """One row per client."""
        return self.table("summary")

    @property
    def issues(self) -> pd.DataFrame:
        """What was wrong or assumed."""
        return self.table("issues")

    @property
    def conversions(self) -> pd.DataFrame:
        """What was read otherwise than written (see `conversions.COLUMNS`)."""
        return self.table("conversions")

    def client(self, client_id: str) -> dict[str, pd.DataFrame]:
        """Every table for one client.

        Raises
        ------
        InputError
            No such client in this batch.
        """
        found = {n: self.table(n, where={"client_id": client_id}) for n in self.tables if n != "conversions"}
        if not len(found["summary"]):
            raise InputError("no such client in this batch; see the client_id column, capitals and leading zeros count")
        return found

    def __repr__(self) -> str:
        c = self.counts
        rows = c["rows"].values()
        told = [
            f"Batch of {c['clients']['in']:,} clients in {self.manifest['partitions']:,} partitions, "
            f"framework {self.manifest['framework']}, {self.manifest['options']['on']}",
            "  today: " + _tally(c["clients"]["status"]),
        ]
        if "plan_status" in c["clients"]:
            told.append(
                f"  plans: {_tally(c['clients']['plan_status'])}; {c['trades']:,} trades; "
                f"limits exceeded {c['limits_exceeded']:,} → {c['limits_exceeded_after']:,}"
            )
        told.append(
            f"  rows: {sum(r['read'] for r in rows):,} read, {sum(r['set_aside'] for r in rows):,} set aside; issues: "
            + _tally(c["issues"])
        )
        told.append(f"  tables: {', '.join(self.tables)}")
        return "\n".join(told)


def read_batch(out: Path | str) -> BatchResult:
    """Open the directory of a finished batch.

    Parameters
    ----------
    out
        The directory that `batch` was given.

    Returns
    -------
    BatchResult
        Counts at once; tables are read when they are asked for.

    Raises
    ------
    InputError
        There is no finished batch.
    """
    places = Places(Path(out))
    manifest = read_json(places.manifest)
    if manifest is None:
        raise InputError(f"{places.out.name}: no finished batch in this directory; run it to its end with --resume")
    found = BatchResult(places.out, MappingProxyType(manifest))
    try:
        repr(found)  # every figure that a run tells of is there
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{places.out.name}: {places.manifest.name} is not what a run has written; run it into a new directory"
        ) from None
    return found


def _tally(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{k} {v:,}" for k, v in counts.items() if v) or "none"
