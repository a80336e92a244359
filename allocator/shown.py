"""How results show themselves in a notebook, and how one client is taken out of them.

A result knows nothing of words and HTML: what it looks like is said in a higher layer, which is loaded when somebody
looks. This is the only place that reaches up, so that no result has to.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

FACES: Final = "allocator.reporting.faces"
"""Module with ``html(result)``, the HTML of every kind of result."""


def records_of(frame: Any) -> list[dict[str, Any]]:
    """Rows of a table as mappings, ten times as fast as pandas' own, which takes a table apart cell by cell."""
    names = frame.columns.tolist()
    return [dict(zip(names, row, strict=True)) for row in zip(*(frame[c].tolist() for c in names), strict=True)]


MANY: Final = 100_000
"""Rows of a table from which on one client is looked for by comparing all."""


class Sentences(tuple[str, ...]):
    """Sentences that print as lines, and show as paragraphs in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return str(importlib.import_module(FACES).html(self))


def explained(plan: Any, client_id: str, lang: str) -> Sentences:
    """Sentences on a plan; see `Plan.explain`."""
    return Sentences(importlib.import_module(FACES).explain(plan, client_id, lang))


class Shown:
    """A result that a notebook shows as a short page."""

    def _repr_html_(self) -> str:
        return str(importlib.import_module(FACES).html(self))


class Part(Mapping[str, Any]):
    """The tables of one client by name, each taken out when it is asked for: as a frame, or as rows of plain values."""

    __slots__ = ("_client", "_found", "_names", "_result")

    def __init__(self, result: Clients, client_id: str, names: Iterable[str], **more: Part) -> None:
        self._result, self._client = result, client_id
        self._names = (*more, *names)
        self._found: dict[str, Any] = dict(more)

    def __getitem__(self, name: str) -> Any:
        if name not in self._found:
            if name not in self._names:
                raise KeyError(name)
            self._found[name] = self._result._part(name, self._client)
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of a table as mappings, new ones each time."""
        return self._result._records(name, self._client)


class Clients(Shown):
    """A result with tables of many clients: ``result["C008"]`` is one of them, and Tab completes the id.

    A subclass has ``client_ids`` and ``part(client_id)``.
    """

    @cached_property
    def _places(self) -> dict[str, tuple[Any, dict[str, Any]]]:
        """Of tables that were asked: the table, and where the rows of each client are."""
        return {}

    @cached_property
    def _values(self) -> dict[str, tuple[Any, list[str], list[list[Any]]]]:
        """Of tables whose rows were asked: the table, the names of its columns, and their values."""
        return {}

    def _at(self, name: str, table: Any, client_id: str) -> Any:
        """Places of a client's rows in a table.

        They are found out once for a table of a usual size: reports ask for every client in turn.
        """
        known, places = self._places.get(name, (None, {}))
        if known is not table:
            places = table.groupby("client_id", sort=False).indices
            self._places[name] = table, places
        return places.get(client_id, ())

    def _part(self, name: str, client_id: str) -> Any:
        """Rows of a client in one of the tables, counted from 0."""
        table = getattr(self, name)
        if len(table) > MANY:
            return table[table["client_id"] == client_id].reset_index(drop=True)
        at = self._at(name, table, client_id)
        whole = len(at) > 0 and at[-1] - at[0] + 1 == len(at)
        found = table.iloc[at[0] : at[-1] + 1] if whole else table.iloc[list(at)]
        return found.reset_index(drop=True)

    def _records(self, name: str, client_id: str) -> list[dict[str, Any]]:
        """Rows of a client in one of the tables as mappings; a table of a usual size is turned into values once."""
        table = getattr(self, name)
        if len(table) > MANY:
            return records_of(self._part(name, client_id))
        known, names, values = self._values.get(name, (None, [], []))
        if known is not table:
            names = table.columns.tolist()
            values = [table[c].tolist() for c in names]
            self._values[name] = table, names, values
        at = [int(k) for k in self._at(name, table, client_id)]
        return [dict(zip(names, [column[k] for column in values], strict=True)) for k in at]

    def __getitem__(self, client_id: str) -> One:
        self.select(client_id)  # an unknown client is refused here, not when the first table is asked for
        return One(self, client_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.client_ids)

    def __contains__(self, client_id: object) -> bool:
        return client_id in self.client_ids

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.client_ids)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        raise NotImplementedError

    def part(self, client_id: str) -> Part:
        """The tables of one client, each taken out when it is asked for.

        Raises
        ------
        InputError
            No such client in this result.
        """
        raise NotImplementedError

    def select(self, client_id: str) -> dict[str, Any]:
        """Every table for one client, by table name.

        Raises
        ------
        InputError
            No such client in this result.
        """
        return dict(self.part(client_id))


@dataclass(frozen=True, eq=False, repr=False)
class One(Shown):
    """One client of a result: its tables as attributes and by name, ``plan["C008"].trades``.

    Attributes
    ----------
    result
        The whole result.
    client_id
        The client.
    """

    result: Clients
    client_id: str

    @property
    def tables(self) -> dict[str, Any]:
        """Every table by name."""
        return self.result.select(self.client_id)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by copying, pickling and notebooks; no table is called so
            raise AttributeError(name)
        tables = self.tables
        if name not in tables:
            raise AttributeError(f"no table '{name}'; there are: {', '.join(tables)}")
        return tables[name]

    def __getitem__(self, name: str) -> Any:
        return self.tables[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.tables})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.tables)

    def __repr__(self) -> str:
        return f"One client of a {type(self.result).__name__}\n  tables: {', '.join(self.tables)}"
