"""The partition function over frames that come and go in pieces, as Spark's ``mapInPandas`` calls it.

Spark hands over whatever rows it has put together, so rows of all tables travel as one: which table, whose, and the row
itself as a JSON object of texts. `long_form` makes such rows, `over_frames` the function for ``mapInPandas``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from allocator.batch.partition import work
from allocator.batch.setting import Setting
from allocator.cells import as_text
from allocator.errors import ConfigError
from allocator.importers.tables import arrow_frame
from allocator.validate import RawTable, header_key, known_headers

LONG: Final = ("table", "client_id", "record")
"""Columns of rows in the long form, all text."""
LONG_SCHEMA: Final = "table string, client_id string, record string"
"""The same for Spark."""
ISSUES: Final = "issues"


def long_form(table: str, frame: pd.DataFrame, first_row: int = 2) -> pd.DataFrame:
    """Put the rows of a table into the long form.

    Parameters
    ----------
    table
        One that belongs to clients: ``holdings``, ``clients`` or ``debts``.
    frame
        Its cells as found.
    first_row
        Number of the first row, for issues.

    Returns
    -------
    pandas.DataFrame
        Columns `LONG`; ``client_id`` is empty where there is none.
    """
    texts = pd.DataFrame({str(c): as_text(frame.iloc[:, i])[0] for i, c in enumerate(frame.columns)})
    known = known_headers(table)
    whose = next((c for c in texts.columns if known.get(header_key(c)) == "client_id"), None)
    texts["__row"] = range(first_row, first_row + len(texts))
    records = [json.dumps(r, ensure_ascii=False) for r in texts.to_dict("records")]
    ids = [""] * len(texts) if whose is None else texts[whose].tolist()
    return pd.DataFrame({"table": table, "client_id": ids, "record": records}, columns=list(LONG))


def over_frames(
    setting: Setting, shared: Mapping[str, RawTable]
) -> Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]:
    """Make the function for ``mapInPandas``.

    Parameters
    ----------
    setting
        What to do with every client.
    shared
        Tables that every partition needs whole: products, fx, lookthrough.

    Returns
    -------
    callable
        From frames in the long form, which together hold all rows of some clients, to frames in the long form with the
        results: tables ``summary``, ``limits``, ``trades``, ``obstacles`` and ``issues``. No rows give none.
    """

    def run(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        found = [f for f in frames if len(f)]
        if not found:
            return
        rows = pd.concat(found, ignore_index=True)
        raw = dict(shared)
        for table, part in rows.groupby("table", sort=True):
            raw[str(table)] = _raw(str(table), part["record"])
        if "holdings" not in raw:
            columns = ("client_id", "name", "asset_class", "value")
            raw["holdings"] = RawTable(pd.DataFrame({c: pd.Series(dtype="str") for c in columns}))
        done = work(raw, setting)
        for name, table in done.tables.items():
            yield _long(name, arrow_frame(table))
        yield _long(ISSUES, done.issues)

    return run


def _raw(table: str, records: pd.Series[Any]) -> RawTable:
    cells = pd.DataFrame([json.loads(r) for r in records])
    if "__row" not in cells:
        raise ConfigError(f"rows of {table} are not in the long form; make them with long_form")
    cells = cells.sort_values("__row", kind="stable").reset_index(drop=True)
    rows = cells.pop("__row").to_numpy("int64")
    return RawTable(cells.astype("str").where(cells.notna(), ""), table, rows=rows)


def _long(table: str, frame: pd.DataFrame) -> pd.DataFrame:
    records = frame.to_json(orient="records", lines=True, force_ascii=False, double_precision=15).splitlines()
    ids = frame["client_id"].astype("str").to_numpy()
    return pd.DataFrame({"table": table, "client_id": ids, "record": records}, columns=list(LONG))
