"""Counts that reconcile: where every row went, what became of every client, and money in = money out to the cent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from allocator.analysis import Analysis
from allocator.book import Book
from allocator.issues import SEVERITIES
from allocator.plan import Plan
from allocator.typing import AnyArray, FloatArray

COUNTED: Final = ("read", "used", "set_aside", "ignored")
MONEY: Final = ("before", "debts", "net_worth", "cash_flow", "cost", "tax", "repaid", "after")
"""Money by the clients' currency, in cents: all there was before the plans, what is owed, before − debts = net_worth;
what came and went, and what is there after: before + cash_flow − cost − tax − repaid = after."""


def reckon(book: Book, runs: Sequence[tuple[Analysis, Plan | None]], summary: Any) -> dict[str, Any]:
    """Count one partition.

    Parameters
    ----------
    book, runs
        What was read, and the analyses and plans of all its clients in turn.
    summary
        The result table.

    Returns
    -------
    dict
        ``rows`` by table (read = used + set_aside + ignored), ``clients`` by status and by status of the plan,
        ``money`` by currency in whole cents, ``limits`` exceeded before and after, ``trades``.
    """
    rows = {str(r["table"]): {k: int(r[k]) for k in COUNTED} for r in book.counts.to_dict("records")}
    clients = {"in": sum(len(a) for a, _ in runs), "status": _tally(summary, "status")}
    out: dict[str, Any] = {
        "rows": rows,
        "clients": clients,
        "money": {},
        "limits_exceeded": _sum(summary, "limits_exceeded"),
    }
    for analysis, plan in runs:
        _merge(out["money"], _money(analysis, plan))
    if "plan_status" in summary.column_names:
        clients["plan_status"] = _tally(summary, "plan_status")
        clients["uncertified"] = _uncertified(summary)
        out |= {"limits_exceeded_after": _sum(summary, "limits_exceeded_after"), "trades": _sum(summary, "trades")}
    return out


def total(
    parts: Iterable[Mapping[str, Any]], shared: Mapping[str, Mapping[str, int]], partitions: int
) -> dict[str, Any]:
    """Sum the counts of all partitions; what every partition was given counts once.

    Parameters
    ----------
    parts
        From `reckon`.
    shared
        Counts of the rows that every partition got, by table.
    partitions
        How many there were.
    """
    out: dict[str, Any] = {}
    for part in parts:
        _merge(out, part)
    for table, counts in shared.items():
        for key, count in counts.items():
            out["rows"][table][key] -= (partitions - 1) * count
    return out


def differences(counts: Mapping[str, Any]) -> list[str]:
    """Say what does not reconcile; nothing, unless there is a bug."""
    bad = [f"rows of {t}" for t, c in counts["rows"].items() if c["read"] != c["used"] + c["set_aside"] + c["ignored"]]
    clients = counts["clients"]
    for status in ("status", "plan_status"):
        if status in clients and sum(clients[status].values()) != clients["in"]:
            bad.append(f"clients by {status}")
    for currency, m in counts["money"].items():
        if (
            m["before"] + m["cash_flow"] - m["cost"] - m["tax"] - m["repaid"] != m["after"]
            or m["before"] - m["debts"] != m["net_worth"]
        ):
            bad.append(f"money in {currency}")
    return bad


def severities(issues: Any) -> dict[str, int]:
    """Count the issues of a table by severity."""
    found = issues["severity"].value_counts()
    return {s: int(found.get(s, 0)) for s in SEVERITIES}


def _money(analysis: Analysis, plan: Plan | None) -> dict[str, dict[str, int]]:
    p = analysis.positions
    currency = p.clients["currency"].to_numpy()
    whole = p.per_client(p.value)
    amounts = {"before": _cents(whole), "net_worth": _cents(analysis.exposures.net_worth)}
    amounts["debts"] = _cents(p.debt) + _cents(p.debt_own_use)
    nothing = np.zeros(len(p))
    moved = dict.fromkeys(("cost", "tax", "repaid"), nothing)
    after, flow = whole, nothing
    if plan is not None:
        s = plan.summary
        moved = {k: s[k].fillna(0.0).to_numpy("float64") for k in moved}
        then = plan.after.positions
        after = then.per_client(then.value)
        done = s["status"].isin(("no_trade", "in_band", "improved", "stuck")).to_numpy(bool)
        flow = np.where(done, p.cash_flow, 0.0)
    amounts |= {"cash_flow": _cents(flow), **{k: _cents(v) for k, v in moved.items()}, "after": _cents(after)}
    return {str(c): {k: int(amounts[k][currency == c].sum()) for k in MONEY} for c in sorted(set(currency.tolist()))}


def _cents(amount: FloatArray) -> AnyArray:
    return np.rint(np.nan_to_num(amount) * 100).astype("int64").astype(object)


def _tally(summary: Any, column: str) -> dict[str, int]:
    found = summary.column(column).value_counts().to_pylist()
    return {f["values"]: f["counts"] for f in sorted(found, key=lambda f: str(f["values"]))}


def _sum(summary: Any, column: str) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(summary.column(column)).as_py() or 0)


def _uncertified(summary: Any) -> int:
    """Clients with trades whose certificate does not hold."""
    import pyarrow.compute as pc

    bad = pc.and_(pc.greater(summary.column("trades"), 0), pc.invert(summary.column("certificate")))
    return int(pc.sum(bad).as_py() or 0)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add numbers, key by key, however deep."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = into.get(key, 0) + value
