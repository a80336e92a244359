"""One partition from storage to storage: what a process or a machine is asked to do. Only a small record comes back."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from allocator.batch.partition import work
from allocator.batch.places import Places
from allocator.batch.setting import Setting
from allocator.batch.source import Source
from allocator.batch.spill import Kept, as_texts, read_all
from allocator.batch.split import split
from allocator.errors import InputError
from allocator.storage import fingerprint, read_json, remove_tree, write_json, write_whole
from allocator.tables_out import write_parquet


def split_once(out: str, source: Source, size: int) -> dict[str, Any]:
    """Split the book, unless that is done already.

    Raises
    ------
    InputError
        As for `split.split`, and when a file changed meanwhile.
    """
    places = Places(Path(out))
    found = read_json(places.split)
    if found is None:
        remove_tree(places.raw)
        before = source.stamps()
        found = split(source, places.raw, size).to_json()
        if source.stamps() != before:
            raise InputError("a file of the book changed while it was read; run it again once nobody writes to it")
        write_json(places.split, found, private=True)
    return found


def run_one(out: str, run: str, p: int) -> dict[str, Any]:
    """Work on one partition and write its results.

    Parameters
    ----------
    out, run
        Directory of the run, and which run it is of (its fingerprint).
    p
        Number of the partition.

    Returns
    -------
    dict
        ``partition``, ``files`` (SHA-256 by path below the directory), ``counts`` and ``conversions``.

    Raises
    ------
    OutputError
        Something cannot be written; what is there is whole.
    """
    places = Places(Path(out))
    setting, kept = _told(out, run)
    done = work(read_all(places.raw, kept, p), setting)
    files: dict[str, str] = {}
    for name, table in done.tables.items():
        path = places.part(name, p)
        write_whole(path, partial(write_parquet, table=table))
        files[path.relative_to(places.out).as_posix()] = fingerprint(path)
    path = places.issues(p)
    write_whole(path, partial(write_parquet, table=as_texts(done.issues)), private=True)
    files[path.relative_to(places.out).as_posix()] = fingerprint(path)
    record = {"partition": p, "run": run, "files": files, "counts": done.counts}
    record["conversions"] = done.conversions.to_dict("records")
    write_json(places.done(p), record, private=True)
    return record


def finished(places: Places, run: str, p: int) -> dict[str, Any] | None:
    """Record of a partition that is finished, its files whole; else None."""
    try:
        record = read_json(places.done(p))
        if record is None or record.get("run") != run:
            return None
        for name, held in record["files"].items():
            if fingerprint(places.out / name) != held:
                return None
    except (InputError, KeyError, TypeError, AttributeError):
        return None
    return record


@lru_cache(maxsize=1)
def _told(out: str, run: str) -> tuple[Setting, Kept]:
    places = Places(Path(out))
    setting, kept = read_json(places.setting), read_json(places.split)
    if setting is None or kept is None or (read_json(places.run) or {}).get("fingerprint") != run:
        raise InputError(f"{places.out.name}: the work folder of this run is gone; run it again with --resume")
    return Setting.from_json(setting), Kept.from_json(kept)
