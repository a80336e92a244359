"""What is put together once every partition is done: the issue table, CSV for people."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import pandas as pd

from allocator.arrow import stored
from allocator.batch.places import Places
from allocator.conversions import COLUMNS as CHANGED
from allocator.conversions import conversion_table
from allocator.importers.tables import arrow_frame
from allocator.issues import COLUMNS, SEVERITIES
from allocator.storage import fingerprint, write_whole
from allocator.tables_out import write_csv, write_parquet

SUMMED: Final = ("spending_unknown", "band_assumed")
"""Issues whose value counts clients: those of the partitions add up."""
ISSUES: Final = "issues.parquet"
CONVERSIONS: Final = "conversions.parquet"


def once_each(parts: Sequence[Sequence[Mapping[str, Any]]], whole: Collection[str]) -> pd.DataFrame:
    """Put the conversions of all partitions together: cells of one column count together.

    Parameters
    ----------
    parts
        Records of conversions by partition.
    whole
        Tables that every partition was given whole: theirs count once.
    """
    kept = [r for i, part in enumerate(parts) for r in part if not i or r["table"] not in whole]
    found = conversion_table(kept)
    keys = [c for c in CHANGED if c not in ("count", "form", "doubtful")]
    together = found.groupby(keys, sort=False, dropna=False)
    out = together.agg(count=("count", "sum"), form=("form", "first"), doubtful=("doubtful", "any"))
    return out.reset_index()[list(CHANGED)]


def collect(
    places: Places, partitions: int, tables: Sequence[str], conversions: pd.DataFrame, *, csv: bool, raw: bool
) -> dict[str, Any]:
    """Write the issue table, the conversions and, where wanted, a CSV file of every table.

    Parameters
    ----------
    places, partitions
        Where the parts are, and how many.
    tables
        Result tables there are.
    conversions
        What was read otherwise than written.
    csv, raw
        CSV as well; hostile cells left as they are.

    Returns
    -------
    dict
        ``files`` (SHA-256 by name) and ``issues`` (number by severity).

    Raises
    ------
    OutputError
        Something cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    files: dict[str, str] = {}
    common, counts = _common(places, partitions)

    def issues() -> Iterator[Any]:
        for severity in SEVERITIES:
            yield _arrow(common[common["severity"] == severity])
            for p in range(partitions):
                found = _own(places, p)
                yield _arrow(found[found["severity"] == severity])

    def parquet(file: Any) -> None:
        with pq.ParquetWriter(file, _arrow(common).schema, compression="zstd", store_schema=False) as writer:
            for table in issues():
                if table.num_rows:
                    writer.write_table(table)

    write_whole(places.out / ISSUES, parquet, private=True)
    changed = pa.Table.from_pandas(conversions, preserve_index=False)
    write_whole(places.out / CONVERSIONS, partial(write_parquet, table=changed))
    names = [ISSUES, CONVERSIONS]
    if csv:
        write_whole(places.out / "conversions.csv", partial(write_csv, tables=iter([changed]), raw=raw))
        names.append("conversions.csv")
        write_whole(places.out / "issues.csv", partial(write_csv, tables=issues(), raw=raw), private=True)
        names.append("issues.csv")
        for table in tables:
            parts = (pq.read_table(stored(places.part(table, p))) for p in range(partitions))
            write_whole(places.out / f"{table}.csv", partial(write_csv, tables=parts, raw=raw))
            names.append(f"{table}.csv")
    files |= {name: fingerprint(places.out / name) for name in names}
    return {"files": files, "issues": counts}


def _read(places: Places, p: int) -> pd.DataFrame:
    import pyarrow.parquet as pq

    return arrow_frame(pq.read_table(stored(places.issues(p))))


def _common(places: Places, partitions: int) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """What concerns no single client, once; and how many issues there are of each severity."""
    counts = dict.fromkeys(SEVERITIES, 0)
    found = []
    for p in range(partitions):
        table = _read(places, p)
        shared = _shared(table)
        found.append(table[shared])
        for severity, count in table.loc[~shared, "severity"].value_counts().items():
            counts[str(severity)] += int(count)
    common = _once(pd.concat(found, ignore_index=True))
    for severity, count in common["severity"].value_counts().items():
        counts[str(severity)] += int(count)
    return common, counts


def _own(places: Places, p: int) -> pd.DataFrame:
    table = _read(places, p)
    return table[~_shared(table)]


def _shared(issues: pd.DataFrame) -> pd.Series[bool]:
    """Issues that several partitions may tell of: those of no client, and those that count clients."""
    return issues["client_id"].isin(["", "*"]) | issues["code"].isin(SUMMED)


def _once(issues: pd.DataFrame) -> pd.DataFrame:
    counted = issues["code"].isin(SUMMED)
    single = issues[~counted].drop_duplicates()
    keys = [c for c in COLUMNS if c not in ("client_id", "value", "row", "file")]
    out = [single]
    for _, group in issues[counted].groupby(keys, sort=True):
        total = group["value"].astype("int64").sum()
        first = group.iloc[[0]].assign(value=str(total))
        out.append(first if total == 1 else first.assign(client_id=""))
    return pd.concat(out, ignore_index=True)


def _arrow(issues: pd.DataFrame) -> Any:
    import pyarrow as pa

    columns = {
        c: pa.array(issues[c].to_numpy("int64")) if c == "row" else pa.array(issues[c].astype("str"), pa.string())
        for c in COLUMNS
    }
    return pa.table(columns)
