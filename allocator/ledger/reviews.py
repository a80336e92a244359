"""Which reviews are due: by tier, from the last snapshot with a plan or the last review that was noted."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.policy import Policy, ReviewPolicy
from allocator.ledger.snapshots import Snapshot
from allocator.shown import Shown
from allocator.typing import AnyArray

STATES: Final = ("never", "overdue", "due", "later")
SOURCES: Final = ("", "plan", "review")
TABLE: Final = (
    "client_id", "advisor", "tier", "tier_source", "months", "last_review", "source", "due", "days", "state", "total",
    "currency", "score", "limits_exceeded",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Reviews(Shown):
    """Result of `Ledger.due`.

    Attributes
    ----------
    on
        The day that is asked for.
    snapshot
        The day of the snapshot that says who is a client: the last one up to ``on``.
    table
        One row per client, the longest overdue first: ``tier`` (code of the policy; empty for none), ``tier_source``
        (``stated``, ``assets``, or empty where they are not known in the base currency), ``months`` between reviews,
        ``last_review``, its ``source`` (``plan``: the last snapshot with a plan of this client; ``review``: noted),
        ``due``, ``days`` past it (below 0: still to go),
        ``state``: ``never`` reviewed (due at once), ``overdue``, ``due`` (on this day) or ``later``.
    policy
        Intervals and names of the tiers.
    """

    on: dt.date
    snapshot: dt.date
    table: pd.DataFrame
    policy: Policy

    @property
    def due(self) -> pd.DataFrame:
        """Only whose review is due."""
        return self.table[self.table["state"] != "later"].reset_index(drop=True)

    def __repr__(self) -> str:
        states = self.table["state"].value_counts()
        said = ", ".join(f"{states.get(s, 0):,} {s}" for s in STATES)
        return f"Reviews on {self.on}: {len(self.table):,} clients, {said}\n  tables: table, due"


def reviews_due(snapshots: Sequence[Snapshot], noted: pd.DataFrame, policy: Policy, on: dt.date) -> Reviews:
    """Say whose review is due.

    Parameters
    ----------
    snapshots
        Up to ``on``, by day; the last one says who is a client.
    noted
        ``client_id`` and ``on`` (days) of reviews that were noted; later ones than ``on`` do not count.
    policy, on
        Intervals, and the day.
    """
    last = snapshots[-1]
    c = last.clients
    ids = last.ids
    when, source = _last_plans(snapshots, ids)
    days = pd.to_datetime(noted["on"]).to_numpy("datetime64[D]")
    past = noted.assign(day=days)[days <= np.datetime64(on)]
    latest = past.groupby("client_id")["day"].max().reindex(ids).to_numpy("datetime64[D]")
    newer = ~np.isnat(latest) & (np.isnat(when) | (latest >= when))
    when, source = np.where(newer, latest, when), np.where(newer, "review", source)
    tier, stated, months = _tiers(last, policy.review)
    due = np.where(np.isnat(when), np.datetime64(on), _later(when, months))
    late = (np.datetime64(on) - due).astype("int64")
    state = np.select([np.isnat(when), late > 0, late == 0], ["never", "overdue", "due"], "later")
    table = pd.DataFrame(
        {
            "client_id": pd.Series(ids, dtype="str"),
            "advisor": c["advisor"].astype("str"),
            "tier": pd.Series(tier, dtype="str"),
            "tier_source": pd.Series(stated, dtype="str"),
            "months": months,
            "last_review": when.astype("datetime64[s]"),
            "source": pd.Series(source, dtype="str"),
            "due": due.astype("datetime64[s]"),
            "days": late,
            "state": pd.Series(state, dtype="str"),
            **{k: c[k].to_numpy("float64") for k in ("total", "score")},
            "currency": c["currency"].astype("str"),
            "limits_exceeded": c["limits_exceeded"].to_numpy("int64"),
        }
    )[list(TABLE)]
    rank = table["state"].map({s: k for k, s in enumerate(STATES)})
    order = table.assign(_rank=rank, _late=-late, _size=-table["total"])
    order = order.sort_values(["_rank", "_late", "_size", "client_id"], kind="stable")
    return Reviews(on, last.on, table.loc[order.index].reset_index(drop=True), policy)


def _last_plans(snapshots: Sequence[Snapshot], ids: pd.Index) -> tuple[AnyArray, AnyArray]:
    """Day of the last snapshot with a plan of each client."""
    when = np.full(len(ids), np.datetime64("NaT"), dtype="datetime64[D]")
    for snapshot in snapshots:
        if snapshot.planned:
            frame = snapshot.columns("clients", "client_id", "plan_status")
            planned = pd.Index(frame["client_id"][(frame["plan_status"] != "").to_numpy(bool)])
            when[ids.isin(planned)] = np.datetime64(snapshot.on)
    return when, np.where(np.isnat(when), "", "plan").astype(object)


def _tiers(snapshot: Snapshot, policy: ReviewPolicy) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Tier of each client: as the data state it, or else by assets; and months between reviews.

    Assets count in the base currency, those of a book of one currency without a rate in that; else, without a
    rate, there is no tier.
    """
    c = snapshot.clients
    stated = c["tier"].astype("str").str.strip().str.casefold().map(policy.by_name).fillna("").to_numpy(dtype=object)
    currency = c["currency"].astype("str")
    base = snapshot.rates.get(snapshot.framework.currency, np.nan)
    rate = currency.map(snapshot.rates).to_numpy("float64") / base
    home = (currency == snapshot.framework.currency).to_numpy(bool)
    home = home | (currency.nunique() == 1 and bool(np.isnan(rate).all()))
    assets = c["total"].to_numpy("float64") * np.where(home, 1.0, rate)
    tiers = sorted(policy.tiers, key=lambda t: policy.tiers[t].least)
    least = np.array([policy.tiers[t].least for t in tiers])
    place = np.searchsorted(least, np.nan_to_num(assets), side="right") - 1
    by_assets = np.array([*tiers, ""], dtype=object)[place]
    tier = np.where(stated != "", stated, by_assets)
    months = {t: policy.tiers[t].months for t in tiers} | {"": policy.months}
    source = np.where(stated != "", "stated", np.where(np.isnan(assets), "", "assets"))
    return tier, source, np.array([months[t] for t in tier], dtype="int64")


def _later(when: AnyArray, months: AnyArray) -> AnyArray:
    """Days some months later; the last of the month where there is no such day."""
    pairs, at = np.unique(np.array([when.astype("int64"), months]), axis=1, return_inverse=True)
    out = [
        np.datetime64("NaT", "D") if day == np.iinfo("int64").min else _months_on(dt.date.fromordinal(day + EPOCH), m)
        for day, m in pairs.T.tolist()
    ]
    return np.array(out, dtype="datetime64[D]")[at.reshape(-1)]


EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def _months_on(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
