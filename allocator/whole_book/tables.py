"""Facts of a book from the tables that a batch has left: one row per client, limits and trades in long form."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.arrow import stored
from allocator.errors import InputError
from allocator.framework import Framework, load_framework
from allocator.issues import ERROR, issue_table
from allocator.limits import Limit, Sense, limit_list
from allocator.typing import AnyArray
from allocator.whole_book.facts import (
    TRADES,
    BookFacts,
    Sheet,
    base_currency,
    client_rates,
    client_trades,
    with_segments,
)

TABLES: Final = ("summary", "limits", "trades", "issues")
NEEDED: Final = {
    "summary": ("client_id", "currency", "status", "total"),
    "limits": ("client_id", "limit", "sense", "value", "bound", "excess", "exceeded"),
}
"""Tables and columns that must be there."""
AFTER: Final = frozenset(("value_after", "excess_after", "exceeded_after"))
"""Columns of limits that a run with plans has."""
WANTED: Final[Mapping[str, Collection[str]]] = {
    "limits": {*NEEDED["limits"], *AFTER},
    "trades": TRADES,
}
"""Columns that are read of the long tables."""
TEXTS: Final = ("advisor", "tier")
COUNTED: Final = "limits_exceeded"
ALSO: Final = {"limits_exceeded_after": "limits_after"}
"""What a column may also be called."""


def read_tables(folder: str | os.PathLike[str]) -> dict[str, pd.DataFrame]:
    """Read the tables that a run has left as Parquet.

    Parameters
    ----------
    folder
        With ``summary``, ``limits``, ``trades`` and ``issues``, each as ``NAME.parquet``, as parts ``NAME-*.parquet``,
        or as a folder ``NAME`` of parts, which are read in the order of their names.

    Returns
    -------
    dict
        The tables that are there, by name.

    Raises
    ------
    InputError
        None is there.
    """
    files = _files(Path(folder))
    return {name: pd.concat(_read(found), ignore_index=True) for name, found in files.items()}


def _files(place: Path) -> dict[str, list[Path]]:
    """Parts of the tables that are there, in the order of their names."""
    out = {}
    for name in TABLES:
        files = [place / f"{name}.parquet"] if (place / f"{name}.parquet").is_file() else []
        files = files or sorted(place.glob(f"{name}-*.parquet")) or sorted((place / name).glob("**/*.parquet"))
        if files:
            out[name] = files
    if not out:
        raise InputError(f"{place.name}: no {', '.join(TABLES)} as Parquet; give the folder that a run was written to")
    return out


def _read(files: Iterable[Path], columns: Collection[str] | None = None) -> Iterator[pd.DataFrame]:
    """Parts of a table, one after the other; of the ``columns`` those that a part has, None: all."""
    from pyarrow.parquet import read_schema

    for file in files:
        there = None if columns is None else [c for c in read_schema(stored(file)).names if c in columns]
        yield pd.read_parquet(stored(file), columns=there)


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds the tables of a run, and no book of its own."""
    place = Path(folder)
    return (place / "summary").is_dir() or (place / "summary.parquet").is_file()


def facts_of_run(
    folder: str | os.PathLike[str],
    framework: str | os.PathLike[str] | Framework | None = None,
    *,
    on: dt.date | None = None,
    rates: Mapping[str, float] | None = None,
) -> BookFacts:
    """Read what a run has left: its tables, and from its manifest the framework and the day.

    Limits, of which every client has a row each, are read part by part into arrays: memory grows with the clients and
    the limits of the framework, by some 1 kB a client, and not with the rows.

    Parameters
    ----------
    folder
        Of the run; see `read_tables`. ``manifest.json`` may be missing.
    framework
        Preset, TOML file or framework; default: the preset that the manifest names.
    on
        Day of the analysis; default: that of the manifest, or else today.
    rates
        See `facts_of_tables`.

    Returns
    -------
    BookFacts

    Raises
    ------
    InputError
        Tables are missing or torn, or the manifest cannot be read.
    ConfigError
        The manifest names a framework that is no preset: give its file.
    """
    files, said = _files(Path(folder)), _manifest(Path(folder))
    tables = {
        name: pd.concat(_read(found, WANTED.get(name)), ignore_index=True)
        for name, found in files.items()
        if name != "limits"
    }
    told = said.get("framework") if framework is None else framework
    day = said.get("on")
    return _facts(
        tables,
        _read(files["limits"], WANTED["limits"]) if "limits" in files else None,
        load_framework("classic" if told is None else told),
        on=on or (dt.date.today() if day is None else dt.date.fromisoformat(day)),
        rates=rates,
        assumptions=str(said.get("assumptions", "")),
    )


def _manifest(folder: Path) -> dict[str, Any]:
    """Names of framework and assumptions and the day, as far as there is a manifest that says them."""
    file = folder / "manifest.json"
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text("utf-8"))
        options = content.get("options", {})
        dt.date.fromisoformat(options.get("on", "2000-01-01"))
    except (ValueError, AttributeError, TypeError):
        raise InputError(f"{file.name}: no manifest of a run; give the folder that a run was written to") from None
    found = {"framework": content.get("framework"), "assumptions": content.get("assumptions"), "on": options.get("on")}
    return {k: v for k, v in found.items() if isinstance(v, str)}


def facts_of_tables(
    tables: Mapping[str, pd.DataFrame],
    framework: Framework,
    *,
    on: dt.date,
    rates: Mapping[str, float] | None = None,
    assumptions: str = "",
) -> BookFacts:
    """Put the tables of a whole book together.

    Parameters
    ----------
    tables
        ``summary``: one row per client, columns as in ``Analysis.summary`` (after the plans with ``_after``),
        ``Plan.summary`` (its status as ``plan_status``) and `BookFacts.clients`; what is not there is not judged.
        ``limits``: as ``Analysis.limits``,
        and of plans ``value_after``, ``excess_after``, ``exceeded_after``; excesses are fractions of the total today.
        ``trades`` as in ``Plan.trades`` and ``issues`` as in ``Analysis.issues``, both may be left out.
    framework
        The one that the book was judged by: names, families of limits, tiers.
    on
        Day of the analysis.
    rates
        Base currency per unit of each currency; default: the columns ``rate`` and ``base`` (the currency that rates are
        in) of the summary where it has them, or else none but the base itself.
    assumptions
        Name of the assumptions, for the foot of a page.

    Returns
    -------
    BookFacts
        Classes are not known from these tables.

    Raises
    ------
    InputError
        A table or column is missing, or a client is there twice.
    """
    limits = [tables["limits"]] if "limits" in tables else None
    return _facts(tables, limits, framework, on=on, rates=rates, assumptions=assumptions)


def _needed(name: str, frame: pd.DataFrame | None) -> pd.DataFrame:
    """A table with every column that must be there."""
    missing = [c for c in NEEDED[name] if frame is None or c not in frame.columns]
    if frame is None or missing:
        raise InputError(f"table {name}: no column {', '.join(missing)}; needed: {', '.join(NEEDED[name])}")
    return frame


def _facts(
    tables: Mapping[str, pd.DataFrame],
    parts: Iterable[pd.DataFrame] | None,
    framework: Framework,
    *,
    on: dt.date,
    rates: Mapping[str, float] | None,
    assumptions: str,
) -> BookFacts:
    """See `facts_of_tables`; ``parts`` are those of the table of limits."""
    _needed("summary", tables.get("summary"))
    if parts is None:
        _needed("limits", None)
    clients = tables["summary"].reset_index(drop=True)
    ids = pd.Index(clients["client_id"])
    if not ids.is_unique:
        raise InputError("table summary: a client is there twice; give the tables of one run")
    clients, base = _rated(clients, framework, rates)
    clients = clients.rename(columns={k: v for k, v in ALSO.items() if v not in clients})
    blank = pd.Series([""] * len(clients), dtype="str")
    clients = clients.assign(**{c: clients[c].fillna("").astype("str") if c in clients else blank for c in TEXTS})
    issues = tables.get("issues", issue_table())
    if "issues" in tables and "set_aside" not in clients:
        errors = issues.loc[issues["severity"] == ERROR, "client_id"].value_counts()
        clients = clients.assign(set_aside=errors.reindex(ids).fillna(0).to_numpy("int64"))
    limits, now, after = _sheets(parts or (), clients, framework)
    clients = clients.assign(over=np.asarray(now.exceeded.any(axis=1)))
    if COUNTED not in clients:
        clients = clients.assign(limits_exceeded=now.exceeded.sum(axis=1))
    return BookFacts(
        clients=with_segments(clients, clients["tier"], framework, base),
        limits=limits,
        now=now,
        after=after,
        locks=None,
        trades=client_trades(tables.get("trades"), clients),
        issues=issues,
        framework=framework,
        assumptions=assumptions,
        base=base,
        on=on,
    )


def _rated(clients: pd.DataFrame, framework: Framework, rates: Mapping[str, float] | None) -> tuple[pd.DataFrame, str]:
    """Clients with their rate, and the currency that it is in."""
    currencies = clients["currency"]
    if rates is None and "rate" in clients:
        stated = clients["base"].iloc[0] if "base" in clients and len(clients) else framework.currency
        known = {str(stated): 1.0} | dict(zip(currencies.astype("str"), clients["rate"].astype("float64"), strict=True))
        known = {c: x for c, x in known.items() if np.isfinite(x)}
    else:
        known = dict(rates or {framework.currency: 1.0})
    base = base_currency(known, framework, currencies)
    return clients.drop(columns="base", errors="ignore").assign(rate=client_rates(currencies, known, base)), base


def _sheets(
    parts: Iterable[pd.DataFrame], clients: pd.DataFrame, framework: Framework
) -> tuple[tuple[Limit, ...], Sheet, Sheet | None]:
    """Limits of every client as arrays; users' own, which the framework does not know, count as concentration."""
    known = {x.key: x for x in limit_list(framework)}
    ids, total = pd.Index(clients["client_id"]), clients["total"].to_numpy("float64")[:, None]
    shape, found, seen = (len(clients), 0), dict[str, AnyArray](), set[str]()
    for part in parts:
        long = _needed("limits", part)
        seen.update(map(str, long.columns))
        codes, keys = pd.factorize(long["limit"].astype("str") + long["sense"].astype("str"))  # few keys, many rows
        for key in map(str, keys):
            if key not in known:
                known[key] = Limit(key[:-2], _sense(key), "counted", "concentration", (), key[:-2], key[:-2])
        who = ids.get_indexer(pd.Index(long["client_id"]))
        if (who < 0).any():
            raise InputError("table limits: a client that is not in the summary; give the tables of one run")
        what = pd.Index(list(known)).get_indexer(pd.Index(keys))[codes]
        for column in (c for c in (*NEEDED["limits"][3:], *sorted(AFTER)) if c in long):
            given = long[column].to_numpy("float64", na_value=np.nan)
            given = given > 0 if column.startswith("exceeded") else given
            found[column] = _widened(found.get(column, np.empty(shape, given.dtype)), len(known))
            found[column][who, what] = given
    # columns that no part has, and limits of later parts
    for column in (*NEEDED["limits"][3:], *(AFTER if seen >= AFTER else ())):
        kind = "bool" if column.startswith("exceeded") else "float64"
        found[column] = _widened(found.get(column, np.empty(shape, kind)), len(known))

    def sheet(end: str) -> Sheet:
        over = found[f"excess{end}"]
        over *= total
        classes = np.zeros(shape)
        return Sheet(found[f"value{end}"], found["bound"], over, found[f"exceeded{end}"], classes)

    return tuple(known.values()), sheet(""), sheet("_after") if seen >= AFTER else None


def _widened(wide: AnyArray, columns: int) -> AnyArray:
    """As many columns as there are limits; of those added nothing is known, and none is exceeded."""
    more = columns - wide.shape[1]
    if not more:
        return wide
    return np.hstack([wide, np.full((len(wide), more), False if wide.dtype == bool else np.nan, wide.dtype)])


def _sense(key: str) -> Sense:
    """Sense of a limit, by its key."""
    if not key.endswith(("<=", ">=")):
        raise InputError("table limits: a sense is neither <= nor >=; give the tables of one run")
    return "<=" if key.endswith("<=") else ">="
