"""Plans in stages as plain values: for each client, and for the book."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from allocator.i18n import Words
from allocator.plan import STATUSES
from allocator.reporting.jsonplan import trades_json
from allocator.reporting.jsonvalues import Json, grouped, records
from allocator.staging import Stages

MONEY = ("buys", "sells", "repaid", "cost", "tax")


def stages_json(stages: Stages, which: Sequence[int], words: Words) -> list[Json]:
    """One object per client, in the order of ``which``.

    ``table`` has today and every stage, each with its trades; ``reached`` the first stage from which on a limit holds;
    ``undone`` what one stage buys and a later one sells again.
    """
    ids = stages.plans[0].before.client_ids
    tables = grouped(_days(stages.table), ids, MONEY)
    reached, undone = grouped(stages.reached, ids), grouped(stages.undone, ids, ("amount", "cost"))
    trades = [trades_json(plan, which, words) for plan in stages.plans]
    out = []
    for i in which:
        me = ids[i]
        rows = [{**row, "trades": [] if k == 0 else trades[k - 1][me]} for k, row in enumerate(tables[me])]
        when = [{**r, "stage": None if r["stage"] is None else int(r["stage"])} for r in reached[me]]
        out.append({"table": rows, "reached": when, "undone": undone[me]})
    return out


def book_stages_json(stages: Stages) -> list[Json]:
    """The book, today and after each stage: clients by status, share in band, excess and costs."""
    rows = records(_days(stages.summary), ("cost",))
    return [
        {k: v for k, v in row.items() if k not in STATUSES} | {"statuses": {s: row[s] for s in STATUSES if row[s]}}
        for row in rows
    ]


def _days(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates as text; what today has no value for, None."""
    days = frame["date"].dt.strftime("%Y-%m-%d")
    known = [c for c in ("status", "certificate") if c in frame]
    texts = {c: frame[c].astype("object").where(frame[c].notna(), None) for c in known}
    return frame.assign(date=days, **texts)
