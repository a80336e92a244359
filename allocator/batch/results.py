"""Result tables of a partition as Arrow tables: the same columns and kinds in every one, also where it has no row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.batch.setting import Setting
from allocator.plan import OBSTACLES, TRADES, Plan
from allocator.whole_book.facts import beside

FAILED: Final = "plan_failed"
"""Reason of a client whose numbers break every solver."""
TEXT, WHOLE, NUMBER, FLAG = "string", "int64", "float64", "bool"
TEXTS: Final = (
    "client_id", "advisor", "tier", "band", "currency", "grade", "status", "plan_status", "reason", "solver", "limit",
    "sense", "asset_id", "name", "asset_class", "bucket", "product_id", "side", "because", "obstacle", "base",
    "firewall",
)  # fmt: skip
WHOLES: Final = ("limits_exceeded", "limits_exceeded_after", "trades", "reason_row")
FLAGS: Final = ("certificate", "exceeded", "exceeded_after")
PLAN: Final = (
    "reason", "reason_row", "trades", "turnover", "buys", "sells", "repaid", "cost", "tax", "missing", "certificate",
    "objective", "gap", "solver",
)  # fmt: skip
"""Columns of `Plan.summary` that the summary of a batch takes as they are."""
AFTER: Final = ("total", "score", "volatility", "expected_return", "reserve_months", "limits_exceeded")
"""Measures that the summary also has after the plan."""
RESULTS: Final = ("summary", "limits", "trades", "obstacles")
"""Result tables; trades only with plans, obstacles only where they are explained."""


def kind_of(column: str) -> str:
    """Kind of a column by its name."""
    if column in TEXTS:
        return TEXT
    return WHOLE if column in WHOLES else FLAG if column in FLAGS else NUMBER


def result_tables(analysis: Analysis, plan: Plan | None, setting: Setting) -> dict[str, Any]:
    """Form the result tables.

    Parameters
    ----------
    analysis, plan
        Of the same clients; None where there is no plan.
    setting
        Says whether there should be one: clients without are ``invalid`` then.

    Returns
    -------
    dict
        Arrow tables by name, out of `RESULTS`. ``summary`` has a row per client: who and how it stands today
        (`Analysis.summary`, and `whole_book.facts.beside` for the pages and call list of the book), then
        with plans ``plan_status`` and what the plan does, and measures ``_after`` it. ``limits`` has a row per client
        and limit that applies: value, bound, excess as a fraction of the total and in money; then the same after.
        ``trades`` and ``obstacles`` are those of `allocator.plan`.
    """
    tables = {"summary": _summary(analysis, plan, setting), "limits": _limits(analysis, plan, setting)}
    if setting.plan:
        tables["trades"] = _table({c: plan.trades[c] for c in TRADES} if plan is not None else {}, TRADES)
    if setting.explain:
        tables["obstacles"] = _table({c: plan.obstacles[c] for c in OBSTACLES} if plan is not None else {}, OBSTACLES)
    return tables


def stacked(tables: Sequence[Any]) -> Any:
    """Put tables of the same columns one under the other."""
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks() if len(tables) > 1 else tables[0]


def _summary(a: Analysis, plan: Plan | None, setting: Setting) -> Any:
    who = a.positions.clients
    s = a.summary
    columns: dict[str, Any] = {"client_id": who["client_id"], "advisor": who["advisor"], "tier": who["tier"]}
    columns |= {str(c): s[c] for c in s.columns if c != "client_id"}
    columns |= beside(a)
    if not setting.plan:
        return _table(columns, list(columns))
    n, buckets = len(s), a.framework.bucket_codes
    after = [f"{c}_after" for c in (AFTER[0], *buckets, *AFTER[1:])]
    if plan is None:
        columns |= {"plan_status": ["invalid"] * n, "reason": [FAILED] * n}
        columns |= {c: s[c.removesuffix("_after")] for c in after}
    else:
        columns |= {"plan_status": plan.summary["status"], **{c: plan.summary[c] for c in PLAN}}
        then = plan.after.summary
        columns |= {c: then[c.removesuffix("_after")] for c in after}
    order = [
        *(c for c in columns if c not in after and c not in PLAN and c != "plan_status"),
        "plan_status",
        *PLAN,
        *after,
    ]
    return _table(columns, order)


def _limits(a: Analysis, plan: Plan | None, setting: Setting) -> Any:
    import pyarrow as pa

    t = a.limit_table
    who, which = np.nonzero(~np.isnan(t.bound))
    ids = pa.array(a.positions.clients["client_id"].astype("str"), type=pa.large_string()).cast(pa.string())
    columns: dict[str, Any] = {
        "client_id": ids.take(pa.array(who)),
        "limit": pa.array([x.name for x in t.limits], pa.string()).take(pa.array(which)),
        "sense": pa.array([x.sense for x in t.limits], pa.string()).take(pa.array(which)),
        "bound": t.bound[who, which],
    }
    total = a.exposures.total[who]
    tables = {"": t} | ({"_after": t if plan is None else plan.after.limit_table} if setting.plan else {})
    for suffix, of in tables.items():
        excess = of.excess[who, which]
        columns |= {f"value{suffix}": of.value[who, which], f"excess{suffix}": excess}
        columns |= {f"excess_amount{suffix}": np.round(excess * total, 2), f"exceeded{suffix}": of.exceeded[who, which]}
    return _table(columns, list(columns))


def _table(columns: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Arrow table with these columns; one that is not given is unknown in every row."""
    import pyarrow as pa

    count = len(next(iter(columns.values()))) if columns else 0
    arrays = [_array(columns.get(n), kind_of(n), count) for n in names]
    return pa.table(arrays, schema=pa.schema([(n, getattr(pa, _MAKERS[kind_of(n)])()) for n in names]))


_MAKERS: Final = {TEXT: "string", WHOLE: "int64", NUMBER: "float64", FLAG: "bool_"}


def _array(values: Any, kind: str, count: int) -> Any:
    import pyarrow as pa

    if values is None:
        empty = {TEXT: "", WHOLE: 0, NUMBER: float("nan"), FLAG: False}[kind]
        return pa.array([empty] * count, type=getattr(pa, _MAKERS[kind])())
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if kind == TEXT:
        text = pd.Series(values).astype("str").fillna("")
        return pa.array(text, type=pa.large_string(), from_pandas=True).cast(pa.string())
    if kind == WHOLE:
        return pa.array(pd.to_numeric(pd.Series(values), errors="coerce").fillna(0).to_numpy("int64"))
    if kind == FLAG:
        return pa.array(pd.Series(values).fillna(False).to_numpy(bool))
    return pa.array(pd.to_numeric(pd.Series(values), errors="coerce").to_numpy("float64", na_value=np.nan))
