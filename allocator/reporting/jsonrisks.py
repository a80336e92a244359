"""Risk measures as plain values: what `jsonout.check_json` gives, with the measures of every client in it."""

from __future__ import annotations

from typing import Final

import pandas as pd

from allocator.i18n import Words
from allocator.reporting.jsonout import check_json
from allocator.reporting.jsonvalues import Json, grouped, records
from allocator.risk_measures import RiskMeasures

OUTSIDE: Final = ("client_id", "currency", "equity", "volatility", "expected_return")
"""Columns of the summary that `check_json` says already."""


def risk_json(
    measures: RiskMeasures, words: Words, *, client: str | None = None, counts: pd.DataFrame | None = None
) -> Json:
    """Put risk measures into one object.

    Parameters
    ----------
    measures
        Of a whole book.
    words
        Language of the sentences; numbers and codes do not depend on it.
    client
        Only this client.
    counts
        What became of every row (``Book.counts``); adds ``rows``.

    Returns
    -------
    dict
        The object of `check_json`, with ``horizon``, ``level`` and what the figures rest on (``rests_on``); in every
        client's ``risk`` the measures, ``contributions`` (by bucket, class and holding) and ``goals``;
        ``goals_of_nobody``, how many goals are of clients that are not in the book. Money
        rounded to cents, shares as full floats, NaN and infinity as None; so are the losses in past years where none
        were given.

    Raises
    ------
    InputError
        No such client in the book.
    """
    out = check_json(measures.analysis, words, client=client, counts=counts)
    ids = measures.analysis.client_ids if client is None else [client]
    named = ("summary", "buckets", "classes", "holdings", "goals")
    tables = {k: getattr(measures, k) for k in named} if client is None else measures.select(client)
    figures = records(tables["summary"].drop(columns=list(OUTSIDE)))
    goals = tables["goals"]
    wanted = grouped(goals[goals["client_id"].isin(ids)], ids, ("amount", "monthly", "start", "expected"))
    parts = {k: grouped(tables[k].drop(columns=["name"], errors="ignore"), ids, ("value",)) for k in named[1:4]}
    for one, row in zip(out["clients"], figures, strict=True):
        me = one["client_id"]
        one["risk"] |= row | {"contributions": {k: rows[me] for k, rows in parts.items()}, "goals": _plain(wanted[me])}
    lost = int((measures.goals["reason"] == "unknown_client").sum())
    of = {"horizon": measures.horizon, "level": measures.level, "goals_of_nobody": lost}
    return out | of | {"rests_on": _rests_on(measures)}


def _plain(goals: list[Json]) -> list[Json]:
    return [g | {"reason": g["reason"] or None} for g in goals]


def _rests_on(measures: RiskMeasures) -> Json:
    assumed, past = measures.analysis.assumptions, measures.past
    return {
        "years": assumed.years,
        "years_source": assumed.years_source,
        "degrees": assumed.tails.degrees,
        "degrees_source": assumed.tails.source,
        "past": None if past is None else {"name": past.name, "source": past.source, "years": list(past.years)},
    }
