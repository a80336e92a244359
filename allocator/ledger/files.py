"""A ledger as a folder: a Parquet dataset per table, a manifest per day that is written last.

``<table>/as_of=<day>/<token>.parquet`` are the data, ``manifests/<day>.json`` says which token counts. Files that no
manifest names are what a writer left behind who died: nobody reads them, and the next writer takes them away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from allocator.errors import ConfigError, InputError, OutputError
from allocator.ledger.snapshots import SCHEMA, TABLES, whole
from allocator.ledger.store import CODED, REVIEWS, WAIT, token
from allocator.storage import one_writer, remove_parts, write_bytes

MARK: Final = "ledger.json"
OWN: Final = (MARK, "manifests")
"""What a writer who begins a ledger makes first."""
PAUSE: Final = 0.05
"""Seconds between two looks whether another writer is done."""
DAMAGED: Final = "the ledger's {file} is damaged; take the snapshot again with --replace, or bring the file back"


class FileStore:
    """A folder of Parquet files; files are 0600, folders 0700.

    Parameters
    ----------
    place
        The folder; it need not be there yet.
    """

    def __init__(self, place: str) -> None:
        self._root = Path(place)

    def manifests(self) -> dict[dt.date, dict[str, Any]]:
        """Manifests by day."""
        self._check()
        found = {}
        for file in sorted((self._root / "manifests").glob("*.json")):
            with contextlib.suppress(FileNotFoundError):  # taken away since it was listed
                manifest = self._json(file)
                if manifest.get("as_of") != file.stem or not whole(manifest):
                    raise InputError(DAMAGED.format(file=file.relative_to(self._root)))
                found[dt.date.fromisoformat(file.stem)] = manifest
        return found

    def read(self, manifest: Mapping[str, Any], table: str, columns: Sequence[str]) -> pd.DataFrame:
        """Some columns of a table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self._part(table, manifest["as_of"], manifest["token"])
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            raise InputError("this snapshot was replaced or purged while it was read; run the command again") from None
        if hashlib.sha256(content).hexdigest() != manifest["sha256"][table]:
            raise InputError(DAMAGED.format(file=file.relative_to(self._root)))
        texts = [c for c in columns if TABLES[table][c] == "text" and c not in CODED]
        found = pq.read_table(pa.BufferReader(content), columns=list(columns), read_dictionary=texts)
        if found.num_rows != manifest["rows"][table]:
            raise InputError(DAMAGED.format(file=f"manifests/{manifest['as_of']}.json"))
        frame: pd.DataFrame = found.unify_dictionaries().to_pandas()
        return frame

    def reviews(self) -> pd.DataFrame:
        """Reviews that were noted."""
        self._check()
        try:
            noted = self._json(self._root / "reviews.json").get("reviews")
        except FileNotFoundError:
            noted = []
        if not isinstance(noted, list) or not all(isinstance(r, dict) and set(REVIEWS) <= set(r) for r in noted):
            raise InputError("the ledger's reviews.json is damaged; bring the file back, or take it away")
        return pd.DataFrame(noted, columns=list(REVIEWS), dtype="str")

    @contextlib.contextmanager
    def writing(self) -> Iterator[FileStore]:
        """Be the only one who writes; what a dead writer left is swept first."""
        try:
            self._room()
            with contextlib.ExitStack() as held:
                _wait_for(self._root, held)
                self._begin()
                remove_parts(self._root)
                self._sweep()
                yield self
        except (OSError, OutputError) as error:
            cause = error.__cause__ if isinstance(error, OutputError) else error
            why = getattr(cause, "strerror", None) or type(cause).__name__
            raise OutputError(
                f"the ledger cannot be written ({why}); nothing is there by halves: check room and rights, and run the "
                "command again"
            ) from None

    def put(self, on: dt.date, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> None:
        """Keep a snapshot: its data first, then its manifest, then away with what it replaces."""
        fresh, day = token(), on.isoformat()
        size, hashes = 0, {}
        for name, frame in tables.items():
            content = _parquet(frame)
            part = self._part(name, day, fresh)
            for folder in (part.parent.parent, part.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            write_bytes(part, content, private=True)
            size, hashes[name] = size + len(content), hashlib.sha256(content).hexdigest()
        told = {**manifest, "as_of": day, "token": fresh, "bytes": size, "sha256": hashes}
        write_bytes(self._manifest(day), json.dumps(told, ensure_ascii=False, indent=1).encode(), private=True)
        self._sweep(day)

    def drop(self, on: dt.date) -> None:
        """Take a snapshot away: first its manifest, then its data."""
        self._manifest(on.isoformat()).unlink(missing_ok=True)
        self._sweep(on.isoformat())

    def set_reviews(self, reviews: pd.DataFrame) -> None:
        """Keep these reviews."""
        content = {"schema": SCHEMA, "reviews": reviews[list(REVIEWS)].to_dict("records")}
        write_bytes(self._root / "reviews.json", json.dumps(content, ensure_ascii=False).encode(), private=True)

    def _check(self) -> None:
        if not (self._root / MARK).is_file():
            raise InputError(
                "there is no ledger at this place; begin one with: allocator ledger add FILE --ledger PLACE"
            )
        if self._json(self._root / MARK).get("schema") != SCHEMA:
            raise InputError(f"the ledger is of another version than {SCHEMA}; use the program that wrote it")

    def _room(self) -> None:
        """Make the folder; one that holds anything else is refused."""
        if self._root.exists() and not self._root.is_dir():
            raise ConfigError("the place of the ledger is a file; give a folder")
        there = list(self._root.iterdir()) if self._root.is_dir() and not (self._root / MARK).is_file() else []
        if any(not p.name.startswith(".") and p.name not in OWN for p in there):
            raise ConfigError("the folder is not empty and no ledger; give an empty or a new one")
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _begin(self) -> None:
        """Begin a ledger where there is none yet."""
        (self._root / "manifests").mkdir(mode=0o700, exist_ok=True)
        if not (self._root / MARK).is_file():
            write_bytes(self._root / MARK, json.dumps({"schema": SCHEMA}).encode(), private=True)
        self._check()

    def _json(self, file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_bytes())
        except ValueError:
            raise InputError(DAMAGED.format(file=file.relative_to(self._root))) from None
        except PermissionError:
            raise InputError("the ledger may not be read by you; ask whose it is for the rights") from None
        if not isinstance(found, dict):
            raise InputError(DAMAGED.format(file=file.relative_to(self._root)))
        return found

    def _manifest(self, day: str) -> Path:
        return self._root / "manifests" / f"{day}.json"

    def _part(self, table: str, day: str, number: int) -> Path:
        return self._root / table / f"as_of={day}" / f"{number:016x}.parquet"

    def _sweep(self, day: str = "*") -> None:
        """Take away data that no manifest names, and unfinished files."""
        counted = {m["as_of"]: m["token"] for m in self.manifests().values()}
        for table in TABLES:
            for folder in (self._root / table).glob(f"as_of={day}"):
                keep = counted.get(folder.name.removeprefix("as_of="))
                for file in folder.iterdir():
                    if keep is None or file.name != f"{keep:016x}.parquet":
                        file.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()


def _wait_for(folder: Path, held: contextlib.ExitStack) -> None:
    """Become the one writer of a folder, once others are done."""
    until = time.monotonic() + WAIT
    while True:
        try:
            held.enter_context(one_writer(folder))
            return
        except ConfigError:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE)


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    texts = [f.name for f in table.schema if pa.types.is_dictionary(f.type) or not pa.types.is_primitive(f.type)]
    numbers = [f.name for f in table.schema if pa.types.is_floating(f.type)]
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd", use_dictionary=texts, use_byte_stream_split=numbers)
    return bytes(out.getvalue())
