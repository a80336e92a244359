"""How a source is to be read, in one place: what every command, the notebook and the batch take alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

from allocator.errors import ConfigError
from allocator.importers import BOOKS, FORMATS, recognise, sql
from allocator.importers.mapping import NO_MAPPING, FileMapping, load_mapping
from allocator.storage import fingerprint

DATABASE: Final = "database"
"""Stands for the format of a database's tables."""


@dataclass(frozen=True)
class Intake:
    """How a source is to be read.

    Attributes
    ----------
    format
        ``auto``, or a name out of `importers.FORMATS`.
    as_client
        For exports of other tools: the one client whose accounts they all are.
    mapping
        Mapping file, or what it holds; None for none.
    params
        For databases: what the ``:names`` in queries stand for.
    """

    format: str = "auto"
    as_client: str | None = None
    mapping: Any = None
    params: Mapping[str, Any] | None = field(default=None, repr=False)

    @cached_property
    def columns(self) -> FileMapping:
        """What the mapping says.

        Raises
        ------
        ConfigError
            The file is not as it must be.
        """
        return NO_MAPPING if self.mapping is None else load_mapping(self.mapping)

    def format_of(self, source: Any) -> str:
        """Say what a source is, and refuse what does not go with it.

        Returns
        -------
        str
            A name out of `importers.FORMATS`, or `DATABASE`.

        Raises
        ------
        ConfigError
            The format is unknown; parameters without a database, a mapping for an export of another tool, or one
            client for a book that names its own.
        InputError
            As for `importers.recognise`.
        """
        if self.format not in ("auto", *FORMATS):
            raise ConfigError(f"unknown format '{self.format}'; allowed: auto, {', '.join(FORMATS)}")
        database = sql.is_url(source) or sql.is_source_file(source)
        if self.params and not database:
            raise ConfigError(
                "params (--param) are for queries of a database; give its URL or a source file (.toml), or leave them "
                "out"
            )
        found = DATABASE if database else recognise(source) if self.format == "auto" else self.format
        if self.mapping is not None and found not in ("tables", DATABASE):
            raise ConfigError(
                f"a mapping (--mapping) is for plain tables, and this is an export (format {found}); leave it out"
            )
        if self.as_client is not None and found in (*BOOKS, DATABASE):
            raise ConfigError(
                "as_client (--as-client) is for exports of one family's accounts, and this is a book of clients "
                f"(format {found}); write the id into its client_id column"
            )
        return found

    def fingerprint(self) -> str:
        """SHA-256 of everything that it says; comments and the order of a mapping file do not count."""
        mapping = {
            "columns": {t: {h: r.model_dump() for h, r in c.items()} for t, c in self.columns.columns.items()},
            **{k: v for k, v in asdict(self.columns).items() if k != "columns"},
        }
        told = {"format": self.format, "as_client": self.as_client, "mapping": mapping}
        told["params"] = {k: [type(v).__name__, str(v)] for k, v in (self.params or {}).items()}
        return fingerprint(json.dumps(told, sort_keys=True, ensure_ascii=False).encode())


AS_IT_IS: Final = Intake()
"""Nothing said: the source says what it is."""
