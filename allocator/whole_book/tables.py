"""Facts of a book from the tables that a batch has left: one row per client, limits and trades in long form."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.arrow import stored
from allocator.errors import InputError
from allocator.framework import Framework, load_framework
from allocator.issues import ERROR, issue_table
from allocator.limits import Limit, Sense, limit_list
from allocator.whole_book.facts import BookFacts, Sheet, base_currency, client_rates, client_trades, with_segments

TABLES: Final = ("summary", "limits", "trades", "issues")
NEEDED: Final = {
    "summary": ("client_id", "currency", "status", "total"),
    "limits": ("client_id", "limit", "sense", "value", "bound", "excess", "exceeded"),
}
"""Tables and columns that must be there."""
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
    place, out = Path(folder), {}
    for name in TABLES:
        files = [place / f"{name}.parquet"] if (place / f"{name}.parquet").is_file() else []
        files = files or sorted(place.glob(f"{name}-*.parquet")) or sorted((place / name).glob("**/*.parquet"))
        if files:
            out[name] = pd.concat([pd.read_parquet(stored(f)) for f in files], ignore_index=True)
    if not out:
        raise InputError(f"{place.name}: no {', '.join(TABLES)} as Parquet; give the folder that a run was written to")
    return out


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
    tables, said = read_tables(folder), _manifest(Path(folder))
    told = said.get("framework") if framework is None else framework
    day = said.get("on")
    return facts_of_tables(
        tables,
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
    for name, columns in NEEDED.items():
        there = list(tables[name].columns) if name in tables else []
        missing = [c for c in columns if c not in there]
        if missing:
            raise InputError(f"table {name}: no column {', '.join(missing)}; needed: {', '.join(columns)}")
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
    limits, now, after = _sheets(tables["limits"], clients, framework)
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
    long: pd.DataFrame, clients: pd.DataFrame, framework: Framework
) -> tuple[tuple[Limit, ...], Sheet, Sheet | None]:
    """Limits of every client as arrays; users' own, which the framework does not know, count as concentration."""
    known = {x.key: x for x in limit_list(framework)}
    codes, keys = pd.factorize(long["limit"].astype("str") + long["sense"].astype("str"))  # few keys, many rows
    for key in keys:
        if key not in known:
            name = str(key)[:-2]
            known[str(key)] = Limit(name, _sense(str(key)), "counted", "concentration", (), name, name)
    limits = tuple(known.values())
    who = pd.Index(clients["client_id"]).get_indexer(pd.Index(long["client_id"]))
    if (who < 0).any():
        raise InputError("table limits: a client that is not in the summary; give the tables of one run")
    what = pd.Index(list(known)).get_indexer(pd.Index(keys))[codes]
    total = clients["total"].to_numpy("float64")

    def wide(column: str) -> Any:
        out = np.full((len(clients), len(limits)), np.nan)
        out[who, what] = long[column].to_numpy("float64")
        return out

    def sheet(end: str) -> Sheet:
        exceeded = np.nan_to_num(wide(f"exceeded{end}")) > 0
        over = wide(f"excess{end}") * total[:, None]
        return Sheet(wide(f"value{end}"), wide("bound"), over, exceeded, np.zeros((len(clients), 0)))

    planned = {"value_after", "excess_after", "exceeded_after"} <= set(long.columns)
    return limits, sheet(""), sheet("_after") if planned else None


def _sense(key: str) -> Sense:
    """Sense of a limit, by its key."""
    if not key.endswith(("<=", ">=")):
        raise InputError("table limits: a sense is neither <= nor >=; give the tables of one run")
    return "<=" if key.endswith("<=") else ">="
