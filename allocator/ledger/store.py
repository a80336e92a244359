"""Where snapshots are kept: one interface, whatever is behind it."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import pandas as pd

WAIT: Final = 60.0
"""Seconds that a writer waits for another one."""
REVIEWS: Final = ("client_id", "on")
"""Columns of the reviews that were noted: ``on`` as ISO 8601 text."""
CODED: Final = ("client_id", "debt_id")
"""Text columns that stay plain: nearly every row has a word of its own."""


class Writer(Protocol):
    """What the one who writes may do; all of it is there when the writing ends without an error, or nothing.

    A writer that dies leaves what was there before; where the store is a folder, what it finished stays.
    """

    def manifests(self) -> dict[dt.date, dict[str, Any]]:
        """Manifests by day, as they are while nobody else writes."""

    def put(self, on: dt.date, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> None:
        """Keep a snapshot, in the place of one of the same day."""

    def drop(self, on: dt.date) -> None:
        """Take a snapshot away."""

    def set_reviews(self, reviews: pd.DataFrame) -> None:
        """Keep these reviews in the place of all others."""


class Store(Protocol):
    """A place for snapshots."""

    def manifests(self) -> dict[dt.date, dict[str, Any]]:
        """Manifests by day, in order; with ``token``, by which tables are read, and ``bytes``, the size kept."""

    def read(self, manifest: Mapping[str, Any], table: str, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table of a snapshot.

        Raises
        ------
        InputError
            The snapshot was replaced or taken away since its manifest was read, or its data are damaged.
        """

    def reviews(self) -> pd.DataFrame:
        """Reviews that were noted (`REVIEWS`)."""

    def writing(self) -> AbstractContextManager[Writer]:
        """Be the only one who writes.

        Raises
        ------
        InputError
            Another writer holds the ledger for longer than `WAIT`.
        """


def open_store(place: str | os.PathLike[str]) -> Store:
    """A folder of Parquet files, or a database where ``place`` is its SQLAlchemy URL."""
    from allocator.ledger.database import DatabaseStore
    from allocator.ledger.files import FileStore

    text = os.fspath(place)
    return DatabaseStore(text) if "://" in text else FileStore(text)


def token() -> int:
    """A number that no other snapshot has."""
    return secrets.randbits(62)
