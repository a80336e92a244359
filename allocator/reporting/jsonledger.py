"""The ledger as plain values for JSON: snapshots, what moved, reviews."""

from __future__ import annotations

from typing import Final

import pandas as pd

from allocator.i18n import Words
from allocator.ledger.diff import Diff
from allocator.ledger.reviews import Reviews
from allocator.ledger.snapshots import TABLES, Snapshot
from allocator.reporting.jsonvalues import Json, grouped, plain, records
from allocator.reporting.ledger import says
from allocator.reporting.tables import rows_of

SCHEMA: Final = "allocator-ledger/1"
MONEY: Final = (
    "total_before", "total_after", "flow", "revaluation", "untold", "deposits_before", "deposits_after", "total",
    "debt", "net_worth", "equity", "liquid", "value", "amount", "plan_cost",
)  # fmt: skip
IN_MONEY: Final = ("before", "after", "amount", "bound")


def snapshots_json(snapshots: pd.DataFrame) -> Json:
    """Every snapshot of a ledger."""
    return {"schema": SCHEMA, "snapshots": _dated(snapshots)}


def snapshot_json(snapshot: Snapshot, client_id: str | None = None) -> Json:
    """One snapshot with every table, of all clients or of one."""
    m = {k: v for k, v in snapshot.manifest.items() if k not in ("framework", "token", "schema")}
    clients = snapshot.table("clients")
    chosen = clients if client_id is None else clients[clients["client_id"] == client_id]
    ids = chosen["client_id"].tolist()
    out = records(chosen, MONEY)
    for name in TABLES:
        if name != "clients":
            table = snapshot.table(name)
            rows = grouped(table if client_id is None else table[table["client_id"] == client_id], ids, MONEY)
            for one in out:
                one[name] = rows[one["client_id"]]
    return {"schema": SCHEMA, **m, "framework": snapshot.manifest["framework"]["name"], "clients": out}


def diff_json(diff: Diff, words: Words, client_id: str | None = None) -> Json:
    """What moved, of all clients or of one; ``says`` is in the language, codes and numbers are not.

    Raises
    ------
    InputError
        ``client_id`` is in neither snapshot.
    """
    tables = {"findings": diff.findings, "clients": diff.clients} if client_id is None else diff.select(client_id)
    found = tables["findings"]
    texts = [says(r, diff, words) for r in rows_of(found)]
    told = _dated(found)
    for one, text in zip(told, texts, strict=True):
        money = diff.kinds[one["finding"]].unit in ("money", "text")
        exact = [c for c in IN_MONEY if one[c] is not None and (money or (c == "amount" and not _points(diff, one)))]
        one.update({c: round(one[c], 2) for c in exact})
        one["says"] = text
    return {
        "schema": SCHEMA,
        "before": None if diff.before is None else diff.before.isoformat(),
        "after": diff.after.isoformat(),
        "previous": None if diff.previous is None else diff.previous.isoformat(),
        "notices": list(diff.notices),
        "counts": records(diff.counts),
        "findings": told,
        "clients": records(tables["clients"], [c for c in MONEY if c in tables["clients"]]),
    }


def due_json(reviews: Reviews) -> Json:
    """Every client with the day of the next review."""
    return {
        "schema": SCHEMA,
        "date": reviews.on.isoformat(),
        "snapshot": reviews.snapshot.isoformat(),
        "due": len(reviews.due),
        "reviews": _dated(reviews.table, ("total",)),
    }


def _points(diff: Diff, one: Json) -> bool:
    return diff.kinds[one["finding"]].unit == "points"


def _dated(frame: pd.DataFrame, money: tuple[str, ...] = ()) -> list[Json]:
    """Rows with days as ISO 8601 text."""
    days = [c for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c].dtype)]
    texts = {c: frame[c].dt.strftime("%Y-%m-%d").astype("object").where(frame[c].notna(), None) for c in days}
    out = records(frame.drop(columns=days), money)
    for c in days:
        for one, day in zip(out, plain(texts[c].to_numpy()), strict=True):
            one[c] = day
    return out
