"""Limits that do not hold, buckets out of their band, and families without own money in the buckets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from allocator.ledger.change import Change
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy
from allocator.ledger.snapshots import Snapshot
from allocator.limits import TOLERANCE
from allocator.typing import FloatArray, IntArray

BUCKET: Final = "bucket:"
"""Limits that are told as drift."""


def insolvent(change: Change, _: Policy) -> pd.DataFrame:
    """Debts eat up what is in the buckets; ``before`` and ``after`` are the own money."""
    was, now = change.old_text("status") == "insolvent", change.new_text("status") == "insolvent"
    at = np.flatnonzero(change.now & (was | now))
    old, new = change.old("equity", money=True), change.new("equity")
    return rows(at, before=old[at], after=new[at], amount=-new[at], found=now[at])


def breach(change: Change, _: Policy) -> pd.DataFrame:
    """Limits of the risk band that are exceeded, without the bands of the buckets; ``amount`` is the excess."""
    x = _aligned(change, _limits)
    name = x.label.str.slice(stop=-2)
    amount = x.off * change.new("total")[x.client]
    return rows(
        x.client, subject=x.label, name=name, before=x.old, after=x.new, amount=amount, bound=x.bound,
        found=x.off > TOLERANCE,
    )  # fmt: skip


def drift(change: Change, _: Policy) -> pd.DataFrame:
    """Buckets whose share is outside of its band; ``amount`` is the money that it is off by."""
    x = _aligned(change, _buckets)
    amount = x.off * change.new("total")[x.client]
    return rows(
        x.client, subject=x.label, name=x.label, before=x.old, after=x.new, amount=amount, bound=x.bound,
        found=x.off > TOLERANCE,
    )  # fmt: skip


class _Measured(NamedTuple):
    """Something measured in one snapshot: place of the client, label, value, bound, and how far it is off (of T)."""

    client: IntArray
    label: pd.Categorical
    value: FloatArray
    bound: FloatArray
    off: FloatArray


class _Aligned(NamedTuple):
    """What is off in either snapshot, of clients that are still there: as it was, and as it is."""

    client: IntArray
    label: pd.Series
    old: FloatArray
    new: FloatArray
    bound: FloatArray
    off: FloatArray


def _aligned(change: Change, measured: Callable[[Snapshot], _Measured]) -> _Aligned:
    now = measured(change.after)
    was = now if change.before is None else measured(change.before)
    words = now.label.categories.union(was.label.categories, sort=False)
    size = max(len(words), 1)

    def keys(x: _Measured, client: IntArray) -> IntArray:
        codes = words.get_indexer(x.label.categories)[x.label.codes]
        return np.asarray(client * size + codes, dtype="intp")

    key_now = keys(now, now.client)
    key_was = key_now if change.before is None else keys(was, change.place_of[was.client])
    off = np.union1d(key_now[now.off > TOLERANCE], key_was[was.off > TOLERANCE])
    off = off[change.now[off // size]]

    def spread(key: IntArray, values: FloatArray) -> FloatArray:
        out = np.full(len(off), np.nan)
        at = np.flatnonzero(np.isin(key, off))
        out[np.searchsorted(off, key[at])] = values[at]
        return out

    none = np.full(len(off), np.nan)
    return _Aligned(
        client=off // size,
        label=pd.Series(words.take(off % size), dtype="str").reset_index(drop=True),
        old=none if change.before is None else spread(key_was, was.value),
        new=spread(key_now, now.value),
        bound=spread(key_now, now.bound),
        off=np.nan_to_num(spread(key_now, now.off)),
    )


def _limits(snapshot: Snapshot) -> _Measured:
    """Limits but those of the buckets, labelled by name and sense."""
    t = snapshot.columns("limits", "client", "limit", "sense", "value", "bound", "excess")
    names, senses = t["limit"].cat, t["sense"].cat
    labels = pd.Index([f"{n}{s}" for n in names.categories for s in senses.categories], dtype="str")
    codes = names.codes.to_numpy("intp") * len(senses.categories) + senses.codes.to_numpy("intp")
    told = np.array([not str(n).startswith(BUCKET) for n in names.categories], dtype=bool)
    keep = np.flatnonzero(told[names.codes]) if len(told) else np.zeros(0, dtype="intp")
    value, bound, excess = (t[c].to_numpy("float64")[keep] for c in ("value", "bound", "excess"))
    label = pd.Categorical.from_codes(codes[keep], categories=labels)
    return _Measured(t["client"].to_numpy("intp")[keep], label, value, bound, np.nan_to_num(excess))


def _buckets(snapshot: Snapshot) -> _Measured:
    t = snapshot.columns("buckets", "client", "bucket", "share", "low", "high")
    share, low, high = (t[c].to_numpy("float64") for c in ("share", "low", "high"))
    off = np.nan_to_num(np.maximum(np.maximum(low - share, share - high), 0.0))
    bound = np.where(share < low, low, np.where(share > high, high, np.nan))
    label = pd.Categorical.from_codes(t["bucket"].cat.codes, categories=pd.Index(t["bucket"].cat.categories))
    return _Measured(t["client"].to_numpy("intp"), label, share, bound, off)


FINDINGS: Final = (
    Finding(
        "insolvent",
        en="Debts above assets",
        zh="资不抵债",
        says={
            "en": "own money in the buckets {before} → {after}: debts are larger than the assets",
            "zh": "三类资产中的自有资金 {before} → {after}：负债超过资产",
        },
        subject="none",
        unit="money",
        rank=1,
        lasting=True,
        measure=insolvent,
    ),
    Finding(
        "breach",
        en="Limit exceeded",
        zh="突破限额",
        says={
            "en": "{subject} {before} → {after}, limit {bound}; off by {amount}",
            "zh": "{subject} {before} → {after}，限额 {bound}；相差 {amount}",
        },
        subject="limit",
        unit="limit",
        rank=3,
        lasting=True,
        measure=breach,
    ),
    Finding(
        "drift",
        en="Out of its band",
        zh="偏离区间",
        says={
            "en": "{subject} {before} → {after}, band ends at {bound}; off by {amount}",
            "zh": "{subject} {before} → {after}，区间边界 {bound}；偏离 {amount}",
        },
        subject="bucket",
        unit="share",
        rank=5,
        lasting=True,
        measure=drift,
    ),
)
