"""What moved between two snapshots, and since when: each finding is new, persistent or resolved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.errors import InputError
from allocator.exposures import ratio
from allocator.framework import Framework
from allocator.ledger.change import Change, class_is, sums
from allocator.ledger.finding import Finding
from allocator.ledger.policy import Policy
from allocator.ledger.snapshots import Snapshot
from allocator.shown import Shown
from allocator.typing import IntArray

STATES: Final = ("new", "persistent", "resolved")
FINDINGS: Final = (
    "client_id", "advisor", "tier", "finding", "subject", "name", "state", "since", "before", "after", "amount",
    "bound", "currency", "note",
)  # fmt: skip
NOTICES: Final = ("framework_changed", "assumptions_changed", "version_changed", "first")
"""What limits a comparison: judged by another framework or other assumptions, by another version of the program, or
nothing to compare with."""
SPAN: Final = 2**31
"""More than there are subjects."""


@dataclass(frozen=True, eq=False, repr=False)
class Diff(Shown):
    """Result of `Ledger.diff`.

    Attributes
    ----------
    before, after
        Days of the snapshots; ``before`` is None where there was only one.
    previous
        The day before ``before`` whose diff decides what is new; None where there is none.
    findings
        One row per finding, new ones first, in the order in which an advisor reads: `FINDINGS`. ``state`` is ``new``
        (not in the previous diff), ``persistent`` (in it as well) or ``resolved`` (in it, no longer now; only for what
        lasts until it is mended). ``since`` is the first day of the unbroken run. ``amount`` is money in
        ``currency``, or points.
    clients
        One row per client of either snapshot: ``total_before`` and ``total_after`` (in the present currency), ``flow``
        (money that came or went, all holdings whose units are known), their ``revaluation``, ``untold`` (change of
        value of the others: either), deposits, scores, limits exceeded, and number of findings by state.
    notices
        Codes of `NOTICES`.
    kinds
        The kinds of findings, by code.
    framework
        That of ``after``; names of what findings are about.
    own
        Names of users' own limits: code → (English, Chinese).
    """

    before: dt.date | None
    after: dt.date
    previous: dt.date | None
    findings: pd.DataFrame
    clients: pd.DataFrame
    notices: tuple[str, ...]
    kinds: Mapping[str, Finding]
    framework: Framework
    own: Mapping[str, tuple[str, str]]

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Number of findings by kind and state; kinds without any are left out."""
        table = self.findings.groupby(["finding", "state"]).size().unstack(fill_value=0)
        table = table.reindex(columns=list(STATES), fill_value=0).astype("int64")
        order = [code for code in self.kinds if code in table.index]
        out = table.loc[order].rename_axis(columns=None).reset_index()
        return out.astype({"finding": "str"})

    def select(self, client_id: str) -> dict[str, pd.DataFrame]:
        """Findings and figures of one client, by table name.

        Raises
        ------
        InputError
            No such client in either snapshot.
        """
        tables = {"findings": self.findings, "clients": self.clients}
        mine = {name: t[t["client_id"] == client_id].reset_index(drop=True) for name, t in tables.items()}
        if mine["clients"].empty:
            raise InputError("no such client in these snapshots; capitals and leading zeros count")
        return mine

    def __repr__(self) -> str:
        states = self.findings["state"].value_counts()
        said = ", ".join(f"{states.get(s, 0):,} {s}" for s in STATES)
        begin = "the beginning" if self.before is None else str(self.before)
        return (
            f"Diff from {begin} to {self.after}: {len(self.clients):,} clients, findings {said}\n"
            "  tables: findings, clients, counts"
        )


def compare(chain: Sequence[Snapshot], policy: Policy, kinds: Mapping[str, Finding]) -> Diff:
    """Compare the last snapshot of a chain with the one before; earlier ones tell since when.

    Parameters
    ----------
    chain
        Snapshots by day, the two to compare last; one alone is compared with nothing.
    policy, kinds
        Thresholds, and the kinds of findings to look for.
    """
    changes = [Change(a, b) for a, b in zip([None, *chain[:-1]], chain, strict=True)]
    last = changes[-1]
    keys = _Keys(changes)
    told = {code: _told(changes, kind, policy, keys) for code, kind in kinds.items()}
    _since(told, changes, kinds, policy, keys)
    filled = [_finished(f, kinds[code], last) for code, f in told.items() if len(f)]
    findings = pd.concat(filled, ignore_index=True) if filled else _blank()
    return Diff(
        before=None if last.before is None else last.before.on,
        after=last.after.on,
        previous=chain[-3].on if len(chain) > 2 else None,
        findings=_ranked(findings, kinds),
        clients=_clients(last, findings),
        notices=_notices(last),
        kinds=kinds,
        framework=last.after.framework,
        own={x["name"]: (x["en"], x["zh"]) for x in last.after.manifest["own"]},
    )


class _Keys:
    """Findings as numbers, so that those of several diffs can be compared: place of the client, and the subject."""

    def __init__(self, changes: Sequence[Change]) -> None:
        ids = changes[-1].ids
        self._ids = ids if len(changes) < 2 else ids.append(changes[-2].ids.difference(ids, sort=False))
        self._words: dict[str, int] = {}

    def of(self, change: Change, frame: pd.DataFrame) -> IntArray:
        """One key per row; below 0 for clients that are in neither of the last diffs."""
        place = self._ids.get_indexer(change.ids)[frame["client"].to_numpy("intp")]
        codes, words = pd.factorize(frame["subject"])
        numbers = np.array([self._words.setdefault(str(w), len(self._words)) for w in words], dtype="int64")
        return np.asarray(place * SPAN + (numbers[codes] if len(words) else 0), dtype="int64")


def _told(changes: Sequence[Change], kind: Finding, policy: Policy, keys: _Keys) -> pd.DataFrame:
    """Findings of one kind with their states and keys."""
    last = changes[-1]
    now = _measured(last, kind, policy, keys)
    here = now[now["found"]]
    if len(changes) < 2:
        return here.assign(state="new", since=last.after.on)
    was = _measured(changes[-2], kind, policy, keys)
    was = was[was["found"]]
    again = np.isin(here["key"].to_numpy(), was["key"].to_numpy())
    here = here.assign(state=np.where(again, "persistent", "new"), since=last.after.on)
    over = was[~np.isin(was["key"].to_numpy(), here["key"].to_numpy())]
    if not kind.lasting or over.empty:
        return here
    gone = _resolved(over, now, last).assign(state="resolved", since=changes[-2].after.on)
    return pd.concat([here, gone], ignore_index=True) if len(here) else gone


def _resolved(over: pd.DataFrame, now: pd.DataFrame, change: Change) -> pd.DataFrame:
    """What was found and is no longer: as it was, and as it is now where that was measured."""
    at = pd.Index(now["key"]).get_indexer(pd.Index(over["key"]))
    figures = {c: np.append(now[c].to_numpy("float64"), np.nan)[at] for c in ("after", "amount", "bound")}
    gone = change.after.ids.get_indexer(pd.Index(over["client_id"])) < 0
    return over.assign(before=over["after"].to_numpy("float64"), **figures, note=np.where(gone, "client_gone", ""))


def _since(
    told: dict[str, pd.DataFrame],
    changes: Sequence[Change],
    kinds: Mapping[str, Finding],
    policy: Policy,
    keys: _Keys,
) -> None:
    """Put the first day of each unbroken run in: back through the earlier diffs while any finding is still in them."""
    alive = {code: np.flatnonzero((f["state"] != "new").to_numpy(bool)) for code, f in told.items()}
    since = {code: f["since"].to_numpy(dtype=object).copy() for code, f in told.items()}
    for change in reversed(changes[:-1]):
        for code, left in alive.items():
            if len(left):
                found = _measured(change, kinds[code], policy, keys)
                same = np.isin(told[code]["key"].to_numpy()[left], found.loc[found["found"], "key"].to_numpy())
                alive[code] = left[same]
                since[code][alive[code]] = change.after.on
        change.forget()
    for code, frame in told.items():
        told[code] = frame.assign(since=since[code])


def _measured(change: Change, kind: Finding, policy: Policy, keys: _Keys) -> pd.DataFrame:
    """Rows of one kind with their keys and the ids of their clients; measured once for each change."""
    if kind.code not in change.measured:
        frame = kind.measure(change, policy)
        ids = pd.Series(change.ids.take(frame["client"].to_numpy("intp")), index=frame.index, dtype="str")
        change.measured[kind.code] = frame.assign(client_id=ids, key=keys.of(change, frame))
    return change.measured[kind.code]


def _finished(frame: pd.DataFrame, kind: Finding, change: Change) -> pd.DataFrame:
    """With what an advisor wants to know about the client."""
    at = change.ids.get_indexer(pd.Index(frame["client_id"]))
    known = np.where(at >= 0, at, 0)

    def text(column: str) -> pd.Series:
        latest = np.where(change.now, change.new_text(column), change.old_text(column))
        values = np.where(at >= 0, latest[known], "") if len(latest) else np.full(len(at), "", dtype=object)
        return pd.Series(values, index=frame.index, dtype="str")

    more = {c: text(c) for c in ("advisor", "tier", "currency")}
    since = pd.to_datetime(frame["since"]).astype("datetime64[s]")
    return frame.assign(finding=kind.code, **more, since=since)[list(FINDINGS)]


def _ranked(findings: pd.DataFrame, kinds: Mapping[str, Finding]) -> pd.DataFrame:
    rank = findings["finding"].map({c: f.rank for c, f in kinds.items()}).astype("float64")
    state = findings["state"].map({s: k for k, s in enumerate(STATES)}).astype("float64")
    keys = findings.assign(_rank=rank, _state=state, _size=-findings["amount"].abs().fillna(0.0))
    order = keys.sort_values(["_state", "_rank", "_size", "client_id", "finding", "subject"], kind="stable").index
    return findings.loc[order].reset_index(drop=True)


def _clients(change: Change, findings: pd.DataFrame) -> pd.DataFrame:
    """Figures of every client of either snapshot."""
    h = change.held
    cash = class_is(h, change.cash_classes)
    known, moved = h.counted, h.new - h.old
    parts = {"flow": h.flow * known, "revaluation": (moved - h.flow) * known, "untold": moved * ~known}
    who = change.ids.get_indexer(pd.Index(findings["client_id"]))
    some = (who >= 0)[:, None] & (findings["state"].to_numpy()[:, None] == np.array(STATES))
    counts = {s: np.bincount(who[some[:, k]], minlength=len(change)) for k, s in enumerate(STATES)}
    total = change.old("total", money=True)
    return pd.DataFrame(
        {
            "client_id": pd.Series(change.ids, dtype="str"),
            "advisor": pd.Series(np.where(change.now, change.new_text("advisor"), change.old_text("advisor"))).astype(
                "str"
            ),
            "tier": pd.Series(np.where(change.now, change.new_text("tier"), change.old_text("tier"))).astype("str"),
            "currency": pd.Series(change.currency).astype("str"),
            "total_before": total,
            "total_after": change.new("total"),
            "change": ratio(change.new("total") - total, total),
            **{name: np.where(change.both, sums(change, x), np.nan) for name, x in parts.items()},
            "deposits_before": np.where(change.was, sums(change, np.where(cash, h.old, 0.0)), np.nan),
            "deposits_after": np.where(change.now, sums(change, np.where(cash, h.new, 0.0)), np.nan),
            "score_before": change.old("score"),
            "score_after": change.new("score"),
            "limits_before": change.old("limits_exceeded"),
            "limits_after": change.new("limits_exceeded"),
            **{s: counts[s].astype("int64") for s in STATES},
        }
    )


def _notices(change: Change) -> tuple[str, ...]:
    if change.before is None:
        return ("first",)
    a, b = change.before.manifest, change.after.manifest
    told = {
        "framework_changed": a["framework_hash"] != b["framework_hash"],
        "assumptions_changed": a["assumptions"] != b["assumptions"],
        "version_changed": a["versions"]["allocator"] != b["versions"]["allocator"],
    }
    return tuple(code for code, is_so in told.items() if is_so)


def _blank() -> pd.DataFrame:
    texts = {c: pd.Series(dtype="str") for c in FINDINGS}
    figures = {c: pd.Series(dtype="float64") for c in ("before", "after", "amount", "bound")}
    return pd.DataFrame(texts | figures | {"since": pd.Series(dtype="datetime64[s]")})[list(FINDINGS)]
