"""The ledger itself: snapshots in, what moved and which reviews are due out."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import InputError
from allocator.ledger.diff import Diff, compare
from allocator.ledger.kinds import findings
from allocator.ledger.policy import Policy, load_policy
from allocator.ledger.reviews import Reviews, reviews_due
from allocator.ledger.snapshots import TABLES, Snapshot, manifest_of, snapshot_tables, without
from allocator.ledger.store import Store, open_store
from allocator.plan import Plan
from allocator.pseudonyms import load_key, pseudonym

AHEAD: Final = 1
"""Days that a snapshot may be after today: it is tomorrow already east of here."""


class Ledger:
    """Dated snapshots of one book, in a folder or a database.

    Parameters
    ----------
    place
        A folder (made when the first snapshot is added), or the SQLAlchemy URL of a PostgreSQL or SQLite database.
    policy
        Thresholds of findings and intervals of reviews: ``standard``, the path of a TOML file, or a policy.
    key
        Key file for pseudonyms: ids of clients, holdings and debts are kept as pseudonyms that only this key makes
        again, and names of holdings not at all. Ids given to other methods go through it too.

    Raises
    ------
    ConfigError
        The policy, the URL or the key file is wrong.

    Examples
    --------
    >>> ledger = Ledger("ledger")  # doctest: +SKIP
    >>> ledger.add(plan)  # doctest: +SKIP
    >>> ledger.diff().findings  # doctest: +SKIP
    """

    def __init__(
        self,
        place: str | os.PathLike[str],
        *,
        policy: str | os.PathLike[str] | Policy = "standard",
        key: str | os.PathLike[str] | None = None,
    ) -> None:
        self.policy = load_policy(policy)
        self._store: Store = open_store(place)
        self._key = None if key is None else load_key(key)

    # ---- what is there

    @property
    def dates(self) -> list[dt.date]:
        """Days of the snapshots, in order.

        Raises
        ------
        InputError
            There is no ledger at this place.
        """
        return list(self._store.manifests())

    @property
    def snapshots(self) -> pd.DataFrame:
        """One row per snapshot: ``as_of``, sizes, whether there are plans, what it was judged by, input hash, bytes."""
        rows = [
            {
                "as_of": pd.Timestamp(on),
                **{k: m[k] for k in ("clients", "holdings", "plan")},
                "framework": m["framework"]["name"],
                "assumptions": m["assumptions"]["name"],
                **{k: m[k] for k in ("input_hash", "written", "bytes")},
            }
            for on, m in self._store.manifests().items()
        ]
        names = ("as_of", "clients", "holdings", "plan", "framework", "assumptions", "input_hash", "written", "bytes")
        return pd.DataFrame(rows, columns=list(names))

    def show(self, on: dt.date | None = None) -> Snapshot:
        """Return the snapshot of a day, default the last one.

        Raises
        ------
        InputError
            No snapshot of that day.
        """
        manifests = self._store.manifests()
        day = _one_of(manifests, on)
        return self._snapshot(day, manifests[day])

    def diff(self, before: dt.date | None = None, after: dt.date | None = None) -> Diff:
        """Say what moved between two snapshots, default the last two.

        Parameters
        ----------
        before, after
            Days of snapshots. Without ``before`` the one ahead of ``after``; where there is none, everything is
            compared with nothing: only what lasts (limits, drift) is found.

        Returns
        -------
        Diff
            What is new or persistent is told by the diff between ``before`` and the snapshot ahead of it.

        Raises
        ------
        InputError
            No snapshot of that day, or ``before`` is not before ``after``.
        """
        manifests = self._store.manifests()
        end = _one_of(manifests, after)
        earlier = [d for d in manifests if d < end]
        if before is not None:
            start = _one_of(manifests, before)
            if start >= end:
                raise InputError(f"{start} is not before {end}; give the earlier day first")
            earlier = [d for d in earlier if d <= start]
        chain = [self._snapshot(d, manifests[d]) for d in (*earlier, end)]
        return compare(chain, self.policy, findings())

    def due(self, on: dt.date | None = None) -> Reviews:
        """Say whose review is due on a day, default today.

        Raises
        ------
        InputError
            No snapshot up to that day.
        """
        day = dt.date.today() if on is None else on
        past = {d: m for d, m in self._store.manifests().items() if d <= day}
        if not past:
            raise InputError(f"no snapshot up to {day}; add one, or ask for a later day")
        snapshots = [self._snapshot(d, m) for d, m in past.items()]
        return reviews_due(snapshots, self._store.reviews(), self.policy, day)

    def holding(self, *, client: str | None = None, on: dt.date | None = None) -> list[dt.date]:
        """Days of the snapshots that hold a client, or the day asked for: what `purge` would change.

        Raises
        ------
        InputError
            No snapshot of that day.
        """
        manifests = self._store.manifests()
        days = list(manifests) if on is None else [_one_of(manifests, on)]
        if client is None:
            return days
        who = self.client_id(client)
        return [d for d in days if (self._snapshot(d, manifests[d]).ids == who).any()]

    # ---- what changes it

    def add(self, result: Analysis | Plan, on: dt.date | None = None, *, replace: bool = False) -> Snapshot:
        """Keep a snapshot.

        Parameters
        ----------
        result
            An analysis, or a plan: then its analysis of today and its trades are kept.
        on
            Day of the snapshot; default the day of the analysis.
        replace
            Take the place of a snapshot of the same day.

        Raises
        ------
        InputError
            There is a snapshot of that day and ``replace`` is not set; the day is in the future; nobody is in the book.
        """
        plan = result if isinstance(result, Plan) else None
        analysis = result.before if isinstance(result, Plan) else result
        day = analysis.on if on is None else on
        if not len(analysis):
            raise InputError("nobody is in this book: there is nothing to keep")
        _not_ahead(day)
        tables = snapshot_tables(analysis, plan)
        if self._key is not None:
            tables = _hidden(tables, self._key)
        manifest = {**manifest_of(analysis, plan, tables), "key": self._mark}
        with self._store.writing() as writer:
            known = writer.manifests()
            self._same_key(known)
            there = known.get(day)
            if there is not None and not replace:
                same = there["input_hash"] == manifest["input_hash"]
                said = "with the same data" if same else "with other data"
                raise InputError(
                    f"there is a snapshot of {day} already, {said}; use --replace to put this in its place"
                )
            writer.put(day, tables, manifest)
        return self.show(day)

    def review(self, client_id: str, on: dt.date | None = None) -> None:
        """Note that a client was reviewed on a day, default today.

        Raises
        ------
        InputError
            The client is in no snapshot, or the day is in the future.
        """
        day, who = dt.date.today() if on is None else on, self.client_id(client_id)
        _not_ahead(day)
        self._store.manifests()  # writing would begin a ledger where there is none
        with self._store.writing() as writer:
            manifests = self._store.manifests()
            if not any((self._snapshot(d, m).ids == who).any() for d, m in reversed(manifests.items())):
                raise InputError("no such client in this ledger; capitals and leading zeros count")
            row = pd.DataFrame({"client_id": [who], "on": [day.isoformat()]})
            writer.set_reviews(pd.concat([self._store.reviews(), row], ignore_index=True).drop_duplicates())

    def purge(self, *, client: str | None = None, on: dt.date | None = None) -> int:
        """Take the data of a client, of a day, or of a client on a day out of the ledger for good.

        Returns
        -------
        int
            Snapshots that were changed or removed.

        Raises
        ------
        InputError
            Neither is given; there is no snapshot of that day; the client is in none of them.
        """
        if client is None and on is None:
            raise InputError("say what to purge: a client, a day, or both")
        self._store.manifests()  # writing would begin a ledger where there is none
        with self._store.writing() as writer:
            manifests = self._store.manifests()
            days = list(manifests) if on is None else [_one_of(manifests, on)]
            if client is None:
                writer.drop(days[0])
                return 1
            who = self.client_id(client)
            held = [s for s in (self._snapshot(d, manifests[d]) for d in days) if (s.ids == who).any()]
            noted = self._store.reviews()
            left = noted[noted["client_id"] != who] if on is None else noted
            if not held and len(left) == len(noted):
                raise InputError("no such client in this ledger; capitals and leading zeros count")
            for snapshot in held:
                self._drop_client(writer, snapshot, who)
            if len(left) < len(noted):
                writer.set_reviews(left)
            return len(held)

    def _drop_client(self, writer: Any, snapshot: Snapshot, who: str) -> None:
        if len(snapshot) == 1:
            writer.drop(snapshot.on)
            return
        old = {name: snapshot.columns(name, *columns) for name, columns in TABLES.items()}
        tables = without(old, np.asarray(snapshot.ids == who))
        tables = {name: _forgotten(frame) for name, frame in tables.items()}
        sizes = {"clients": len(tables["clients"]), "holdings": len(tables["holdings"])}
        rows = {name: len(t) for name, t in tables.items()}
        # the hash of what came in would still tell whether a guess at the purged data is right
        told = {**snapshot.manifest, **sizes, "rows": rows, "input_hash": "", "purged": True}
        writer.put(
            snapshot.on, tables, {k: v for k, v in told.items() if k not in ("token", "bytes", "as_of", "sha256")}
        )

    def _snapshot(self, on: dt.date, manifest: dict[str, Any]) -> Snapshot:
        store = self._store
        return Snapshot(on, manifest, lambda table, columns: store.read(manifest, table, columns))

    def client_id(self, client_id: str) -> str:
        """Return the id under which the ledger keeps a client: the pseudonym, where there is a key."""
        return client_id if self._key is None else pseudonym(self._key, client_id)

    @property
    def _mark(self) -> str:
        """What tells keys apart and gives none away."""
        return "" if self._key is None else pseudonym(self._key, "", "ledger")

    def _same_key(self, manifests: Mapping[dt.date, Mapping[str, Any]]) -> None:
        kept = {m["key"] for m in manifests.values()}
        if kept <= {self._mark}:
            return
        if "" in kept:
            raise InputError("this ledger keeps client ids as they are; for pseudonyms begin another one")
        raise InputError("this ledger keeps pseudonyms made with another key; give its key file with --key")


def _hidden(tables: Mapping[str, pd.DataFrame], key: bytes) -> dict[str, pd.DataFrame]:
    """Tables with pseudonyms in the place of ids, and without names."""
    ids = {"client_id": "client", "asset_id": "asset", "debt_id": "asset"}  # a repayment names a debt as an asset

    def hidden(frame: pd.DataFrame, column: str) -> pd.Series:
        codes, words = pd.factorize(frame[column])
        made = pd.array([pseudonym(key, str(w), ids[column]) for w in words], dtype="str")
        return pd.Series(made.take(codes), index=frame.index, dtype="str")

    out = {}
    for name, frame in tables.items():
        told = {c: hidden(frame, c) for c in ids if c in frame}
        out[name] = frame.assign(**told, **({"name": ""} if "name" in frame else {}))
    return out


def _forgotten(frame: pd.DataFrame) -> pd.DataFrame:
    """Without words that no row has any more: they would stay in the file."""
    coded = [c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)]
    return frame.assign(**{c: frame[c].cat.remove_unused_categories() for c in coded})


def _one_of(manifests: dict[dt.date, Any], on: dt.date | None) -> dt.date:
    """Check that there is a snapshot of a day; the last one where none is asked for."""
    if not manifests:
        raise InputError("the ledger is empty; add a snapshot with: allocator ledger add FILE")
    if on is None:
        return max(manifests)
    if on not in manifests:
        near = sorted(manifests, key=lambda d: (abs((d - on).days), d))[:3]
        raise InputError(f"no snapshot of {on}; the nearest are {', '.join(map(str, sorted(near)))}")
    return on


def _not_ahead(day: dt.date) -> None:
    if (day - dt.date.today()).days > AHEAD:
        raise InputError(f"{day} is in the future; check --date and the clock of this machine")
