"""Stress tables as plain values: what `jsonout.check_json` gives, with the scenarios, and with every client in them."""

from __future__ import annotations

from typing import Final

import pandas as pd

from allocator.i18n import Words
from allocator.reporting.jsonout import check_json
from allocator.reporting.jsonvalues import Json, cents, grouped, plain, records
from allocator.reporting.stress import switches
from allocator.stresses import Stress

MONEY: Final = ("loss", "spent", "short", "equity", "net_worth")
COUNTS: Final = ("limits_exceeded", "limits_new")


def stress_json(stress: Stress, words: Words, *, client: str | None = None, counts: pd.DataFrame | None = None) -> Json:
    """Put a stress table into one object.

    Parameters
    ----------
    stress
        Of a whole book.
    words
        Language of names and sentences; numbers and codes do not depend on it.
    client
        Only this client; then the losses of every holding are in it too.
    counts
        What became of every row (``Book.counts``); adds ``rows``.

    Returns
    -------
    dict
        The object of `check_json` with ``scenarios`` and, without ``client``, ``book``; in every client
        ``worst_scenario`` and ``stress``: one entry per scenario. Money rounded to cents, shares as full floats, NaN
        and infinity as None.

    Raises
    ------
    InputError
        No such client in the book.
    """
    out = check_json(stress.analysis, words, client=client, counts=counts)
    ids = stress.analysis.client_ids if client is None else [client]
    summary = stress.summary if client is None else stress.select(client)["summary"]
    limits = stress.limits if client is None else stress.select(client)["limits"]
    rows, broken = grouped(summary, ids, MONEY), grouped(limits, ids)
    worst = dict(zip(stress.worst["client_id"], stress.worst["scenario"], strict=True))
    losses = {} if client is None else _losses(stress, client)
    for one in out["clients"]:
        me = one["client_id"]
        breaks: dict[str, list[Json]] = {name: [] for name in stress.names}
        for row in broken[me]:
            breaks[row.pop("scenario")].append(row)
        one["worst_scenario"] = worst[me] or None
        one["stress"] = [
            {
                **row,
                **{k: None if row[k] is None else int(row[k]) for k in COUNTS},
                "limits": breaks[row["scenario"]],
                **({} if client is None else {"holdings": losses[row["scenario"]]}),
            }
            for row in rows[me]
        ]
    out["scenarios"] = scenarios_json(stress, words)
    return out if client is not None else out | {"book": records(stress.book)}


def scenarios_json(stress: Stress, words: Words) -> list[Json]:
    """The scenarios, with what they do to each class and why."""
    by = grouped(stress.shocks.rename(columns={"scenario": "client_id"}), stress.names)
    return [
        {
            "scenario": name,
            "name": words.name(s),
            "source": s.source,
            "months": s.months,
            "says": switches(s, words),
            **{k: getattr(s, k) for k in ("own_company", "own_sector", "guarantees", "debt_rate", "frozen")},
            "spending_months": s.spending,
            "shocks": by[name],
        }
        for name, s in stress.scenarios.scenarios.items()
    ]


def _losses(stress: Stress, client: str) -> dict[str, list[Json]]:
    """What each holding of one client loses, by scenario."""
    h = stress.select(client)["holdings"]
    out: dict[str, list[Json]] = {name: [] for name in stress.names}
    texts = [plain(h[k].astype("str").to_numpy()) for k in ("scenario", "asset_id")]
    columns = [*texts, *(cents(h[k]) for k in ("loss", "after"))]
    for scenario, asset, loss, after in zip(*columns, strict=True):
        out[scenario].append({"asset_id": asset, "loss": loss, "after": after})
    return out
