"""From a result's data frames to what blocks are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import pandas as pd

from allocator.analysis import Analysis
from allocator.framework import Framework
from allocator.i18n import Words
from allocator.limits import Limit
from allocator.reporting.blocks import Column, Kind
from allocator.shown import Part, records_of

Row: TypeAlias = dict[str, Any]
"""One row of a result's table, by column."""


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Rows of a table as mappings."""
    return records_of(frame)


def rows_in(tables: Mapping[str, Any], name: str) -> list[Row]:
    """Rows of one of a client's tables."""
    return tables.rows(name) if isinstance(tables, Part) else records_of(tables[name])


def columns(words: Words, **heads: Kind) -> tuple[Column, ...]:
    """Columns by the key of their heading and what is in them."""
    return tuple(Column(words.text(f"head.{head}"), kind) for head, kind in heads.items())


def rest(count: int, first: int | None, words: Words) -> str:
    """Say how many rows a table does not have that shows only the ``first``; empty where it has all of them."""
    left = 0 if first is None else count - first
    return words.text("say.more_rows", count=f"{left:,}") if left > 0 else ""


@dataclass(frozen=True)
class Client:
    """One client of an analysis, in one language.

    Attributes
    ----------
    analysis
        Of the whole book.
    place
        Index of the client in it.
    tables
        The client's tables by name, from `Analysis.select`.
    words
        The language.
    """

    analysis: Analysis
    place: int
    tables: Mapping[str, pd.DataFrame]
    words: Words

    @classmethod
    def of(cls, analysis: Analysis, client_id: str, words: Words) -> Client:
        """Find a client.

        Raises
        ------
        InputError
            No such client in the book.
        """
        return cls(analysis, analysis.index(client_id), analysis.part(client_id), words)

    @cached_property
    def summary(self) -> Row:
        """The client's row of ``Analysis.summary``."""
        return self.rows("summary")[0]

    @cached_property
    def _found(self) -> dict[str, list[Row]]:
        """Rows of tables that were asked for."""
        return {}

    @property
    def framework(self) -> Framework:
        """The framework of the analysis."""
        return self.analysis.framework

    @property
    def own(self) -> tuple[Limit, ...]:
        """Users' own limits of the analysis."""
        return self.analysis.own

    @property
    def total(self) -> float:
        """Money in the buckets."""
        return float(self.summary["total"])

    @property
    def currency(self) -> str:
        """Currency of every amount."""
        return str(self.summary["currency"])

    def rows(self, table: str) -> list[Row]:
        """Rows of one of the tables."""
        if table not in self._found:
            self._found[table] = rows_in(self.tables, table)
        return list(self._found[table])

    def money(self, amount: float) -> str:
        """An amount with the client's currency."""
        return self.words.money(float(amount), self.currency)
