"""JSON that other programs rely on: one object, schema ``allocator/1``, built from arrays in one pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.i18n import Words
from allocator.plan import Plan
from allocator.reporting.issue_words import issue_message
from allocator.reporting.jsonplan import plans_json
from allocator.reporting.jsonstages import book_stages_json, stages_json
from allocator.reporting.jsonvalues import Json, cents, plain, records
from allocator.staging import Stages
from allocator.typing import FloatArray

SCHEMA: Final = "allocator/1"


def check_json(
    analysis: Analysis, words: Words, *, client: str | None = None, counts: pd.DataFrame | None = None
) -> Json:
    """Put an analysis into one object.

    Parameters
    ----------
    analysis
        Of a whole book.
    words
        Language of the sentences; numbers and codes do not depend on it.
    client
        Only this client, with the issues that are theirs or nobody's.
    counts
        What became of every row (``Book.counts``); adds ``rows``.

    Returns
    -------
    dict
        Money rounded to cents, shares as full floats, NaN and infinity as None: ready for `dumps`.

    Raises
    ------
    InputError
        No such client in the book.
    """
    which = _places(analysis, client)
    return _whole(analysis, words, _clients(analysis, which, analysis.exposures.total), client, counts)


def rebalance_json(
    plan: Plan,
    words: Words,
    *,
    client: str | None = None,
    counts: pd.DataFrame | None = None,
    stages: Stages | None = None,
) -> Json:
    """Put plans into one object: that of `check_json`, with ``plan`` in every client.

    Parameters and errors are those of `check_json`; ``stages`` adds what they are for each client, and for the book.
    """
    which = _places(plan.before, client)
    unit = plan.before.exposures.total
    clients = _clients(plan.before, which, unit)
    after = _clients(plan.after, which, unit)
    for one, plans in zip(clients, plans_json(plan, which, words), strict=True):
        one["plan"] = plans
    for one, then in zip(clients, after, strict=True):
        one["plan"]["after"] = {
            k: then[k]
            for k in (
                "total",
                "net_worth",
                "equity",
                "buckets",
                "concentration",
                "risk",
                "reserve",
                "limits",
                "holdings",
            )
        }
    if stages is not None:
        for one, staged in zip(clients, stages_json(stages, which, words), strict=True):
            one["stages"] = staged
    out = _whole(plan.before, words, clients, client, counts)
    return out if stages is None else out | {"stages": book_stages_json(stages)}


def dumps(content: Json, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """Write the object as text; a NaN that slipped in is a bug and raises ValueError."""
    return json.dumps(content, ensure_ascii=ascii_only, allow_nan=False, indent=indent)


def _whole(
    analysis: Analysis, words: Words, clients: list[Json], client: str | None, counts: pd.DataFrame | None
) -> Json:
    from allocator import __version__

    out: Json = {
        "schema": SCHEMA,
        "version": __version__,
        "framework": analysis.framework.name,
        "assumptions": analysis.assumptions.name,
        "date": analysis.on.isoformat(),
        "language": words.lang,
        "clients": clients,
        "issues": _issues(analysis, words, client),
    }
    return out if counts is None else out | {"rows": records(counts)}


def _issues(analysis: Analysis, words: Words, client: str | None) -> list[Json]:
    issues = analysis.issues
    if client is not None:
        issues = issues[issues["client_id"].isin([client, ""])]
    table = analysis.positions.clients
    currency = dict(zip(table["client_id"], table["currency"], strict=True))
    rows = records(issues)
    for row in rows:
        row["message"] = issue_message(row, analysis.framework, words, currency.get(row["client_id"], ""))
    return rows


def _places(analysis: Analysis, client: str | None) -> list[int]:
    return list(range(len(analysis))) if client is None else [analysis.index(client)]


def _clients(a: Analysis, which: Sequence[int], unit: FloatArray) -> list[Json]:
    """One object per client; ``unit`` is what excesses are fractions of (the total before any plan)."""
    summary = records(a.summary, ("total", "net_worth", "equity"))
    unclassified = cents(a.exposures.unclassified)
    volatility_limit = plain(np.append([b.volatility for b in a.framework.bands.values()], np.nan)[a.positions.band])
    buckets, rules, limits = _buckets(a), _rules(a), _limits(a, unit)
    holdings, start = _holdings(a), a.positions.start.tolist()
    out = []
    for i in which:
        s = summary[i]
        out.append(
            {
                "client_id": s["client_id"],
                "band": s["band"] or None,
                "currency": s["currency"],
                "status": s["status"],
                "total": s["total"],
                "net_worth": s["net_worth"],
                "equity": s["equity"],
                "unclassified": unclassified[i],
                "buckets": buckets[i],
                "concentration": {"score": s["score"], "grade": s["grade"], "rules": rules[i]},
                "risk": {
                    "volatility": s["volatility"],
                    "limit": volatility_limit[i],
                    "expected_return": s["expected_return"],
                    "leverage": s["leverage"],
                },
                "reserve": {"months": s["reserve_months"], "needed": s["reserve_needed"]},
                "limits": limits[i],
                "holdings": holdings[start[i] : start[i + 1]],
            }
        )
    return out


def _buckets(a: Analysis) -> list[dict[str, Json]]:
    codes = a.framework.bucket_codes
    frame = a.buckets
    rows = records(frame[["value", "share", "target", "low", "high", "drift"]], ("value",))
    k = len(codes)
    return [dict(zip(codes, rows[i * k : (i + 1) * k], strict=True)) for i in range(len(a))]


def _rules(a: Analysis) -> list[list[Json]]:
    k = len(a.framework.rules)
    rows = records(a.rules[["rule", "exposure", "lo", "hi", "severity", "weight"]])
    return [rows[i * k : (i + 1) * k] for i in range(len(a))]


def _limits(a: Analysis, unit: FloatArray) -> list[list[Json]]:
    t = a.limit_table
    names = [(limit.name, limit.sense) for limit in t.limits]
    value, bound, excess = (plain(x) for x in (t.value, t.bound, t.excess))
    money, exceeded = cents(t.excess * unit[:, None]), t.exceeded.tolist()
    return [
        [
            {
                "limit": name,
                "value": value[i][j],
                "bound": bound[i][j],
                "sense": sense,
                "excess": excess[i][j],
                "excess_amount": money[i][j],
                "exceeded": exceeded[i][j],
            }
            for j, (name, sense) in enumerate(names)
            if bound[i][j] is not None
        ]
        for i in range(len(a))
    ]


def _holdings(a: Analysis) -> list[Json]:
    frame = a.holdings[["asset_id", "name", "asset_class", "bucket", "value", "weight", "rule"]]
    return records(frame.assign(rule=frame["rule"].astype("object").where(frame["rule"] != "", None)), ("value",))
