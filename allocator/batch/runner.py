"""A batch from its book to its manifest. A killed run goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypedDict, Unpack

from allocator.assumptions import Assumptions, load_assumptions
from allocator.batch.collect import collect, once_each
from allocator.batch.engines import Engine, check, engine_of
from allocator.batch.places import Places
from allocator.batch.reckoning import differences, total
from allocator.batch.result import BatchResult
from allocator.batch.results import RESULTS
from allocator.batch.setting import PARTITION, Setting, prints, versions
from allocator.batch.source import Source, find
from allocator.batch.spill import Kept
from allocator.batch.task import finished, run_one, split_once
from allocator.errors import ConfigError, InputError, OutputError, SolveError
from allocator.framework import Framework, fold_label, load_framework
from allocator.importers.intake import Intake
from allocator.storage import LOCK, fingerprint, one_writer, read_json, remove_parts, remove_tree, write_json

SCHEMA: Final = "allocator-batch/1"
WHAT: Final = {
    "schema": "the kind of results",
    "versions": "the versions of the program and its libraries",
    "input": "the book",
    "intake": "how it is read (format, mapping, parameters)",
    "framework": "the framework",
    "assumptions": "the assumptions",
    "prints": "what the framework or the assumptions say",
}
"""What two runs can differ in, besides options."""
Progress = Callable[[str, int, int], None]
"""Told of the stage (``split``, ``work``, ``collect``), how much of it is done and how much there is."""


class Options(TypedDict, total=False):
    """Options of a batch; see `batch`."""

    assumptions: str | os.PathLike[str] | Assumptions | None
    band: str | None
    on: dt.date | None
    plan: bool
    explain: bool
    allow_unclassified: bool
    format: str
    as_client: str | None
    mapping: Any
    params: Mapping[str, Any] | None
    tables: Mapping[str, Any]
    partition_size: int
    workers: int | None
    resume: bool
    csv: bool
    raw: bool
    engine: str
    scheduler: str | None
    progress: Progress | None


DEFAULTS: Final[Options] = {
    "assumptions": None,
    "band": None,
    "on": None,
    "plan": True,
    "explain": False,
    "allow_unclassified": False,
    "format": "auto",
    "as_client": None,
    "mapping": None,
    "params": None,
    "tables": MappingProxyType({}),
    "partition_size": PARTITION,
    "workers": None,
    "resume": False,
    "csv": False,
    "raw": False,
    "engine": "local",
    "scheduler": None,
    "progress": None,
}


def batch(
    source: Any,
    out: str | os.PathLike[str],
    framework: str | os.PathLike[str] | Framework = "classic",
    **options: Unpack[Options],
) -> BatchResult:
    """Check and plan every client of a book of any size, and write the results into a directory.

    The book is split by client into partitions; memory is bounded by one partition for each worker. Each partition is
    read, checked, planned and written by itself; results are the same whatever the number of workers.

    Parameters
    ----------
    source
        As for `read_book`; a directory may also hold a directory of parts for a table (``holdings/part-0.parquet``),
        or nothing but parts of the holdings.
    out
        Directory for the results, new or empty; with ``resume`` that of a run of the same book and options. It gets
        a directory of Parquet parts for each table (``summary``, ``limits``, ``trades``, ``obstacles``),
        ``issues.parquet`` for its owner only, ``conversions.parquet`` (what was read otherwise than written), and
        ``manifest.json``, written last.
    framework
        As for `analyze`.
    **options
        ``assumptions``, ``band``, ``on`` (default today, or with ``resume`` the day of that run): as for `analyze`.
        ``plan``: False only checks. ``explain`` (default False: it takes some hundred times longer),
        ``allow_unclassified``: as for `rebalance`. ``format``, ``as_client``, ``mapping``, ``params``: as for
        `read_book`; ``tables``: further tables by name.
        ``partition_size``: clients in a partition. ``workers``: processes, default one for each core; a script that
        uses several must keep its own work under ``if __name__ == "__main__":``. ``resume``: go on with a killed run.
        ``csv``: every table as CSV too, ``raw`` without making cells harmless that a spreadsheet would run.
        ``engine``: ``local`` or ``dask``, with the address of a ``scheduler``. ``progress``: told how far it is.

    Returns
    -------
    BatchResult

    Raises
    ------
    InputError
        The book cannot be read at all.
    ConfigError
        An option is wrong, somebody else writes to ``out``, or it holds something else.
    OutputError
        Something cannot be written, say because the disk is full; what is there is whole, and ``resume`` goes on.
    """
    strange = sorted(set(options) - set(DEFAULTS))
    if strange:
        raise ConfigError(f"unknown option '{strange[0]}'; allowed: {', '.join(DEFAULTS)}")
    how = DEFAULTS | options
    places = Places(Path(out).absolute())
    workers = how["workers"] or _cores()
    if how["partition_size"] < 1 or workers < 1:
        raise ConfigError("partition_size and workers must be 1 or more")
    check(how["engine"], how["scheduler"])
    intake = Intake(how["format"], how["as_client"], how["mapping"], how["params"])
    book = find(source, intake, how["tables"])
    with one_writer(places.out):
        run = _begun(places, how["resume"])
        setting = _setting(framework, how, run)
        told = _identity(book, setting, intake, how)
        if not _compared(places, run, told):
            _prepare(places, told, setting)
            try:
                with engine_of(how["engine"], workers, how["scheduler"]) as engine:
                    _work(places, book, (how, told), engine)
            except BaseException:
                with contextlib.suppress(OutputError):  # what processes that were ended have left half written
                    remove_parts(places.out)
                raise
        remove_tree(places.work)
    return BatchResult(places.out, MappingProxyType(read_json(places.manifest) or {}))


@dataclass(frozen=True)
class _Begun:
    """What an earlier run has left: what it was of, and whether it came to its end."""

    told: Mapping[str, Any]
    whole: bool


def _begun(places: Places, resume: bool) -> _Begun | None:
    """Look at what is in the directory."""
    manifest, run = read_json(places.manifest), read_json(places.run)
    found = manifest or run
    if found is None:
        there = [p.name for p in places.out.iterdir() if p.name not in (LOCK, places.work.name)]
        if there:
            raise ConfigError(f"{places.out.name}: the directory is not empty; give a new one")
        return None
    if not resume:
        raise ConfigError(
            f"{places.out.name}: holds a run already; go on with it (--resume, resume=True), or give another directory"
        )
    told = {k: found.get(k) for k in (*WHAT, "options")}
    return _Begun(told, manifest is not None)


def _setting(framework: Any, how: Options, run: _Begun | None) -> Setting:
    loaded = load_framework(framework)
    given = how["assumptions"]
    band = how["band"]
    if band is not None and fold_label(band) not in loaded.band_aliases:
        allowed = ", ".join([*loaded.band_codes, *loaded.labels])
        raise ConfigError(f"unknown band '{band}'; allowed: {allowed}")
    day = how["on"]
    if day is None:
        day = dt.date.fromisoformat(run.told["options"]["on"]) if run is not None else dt.date.today()
    return Setting(
        loaded,
        load_assumptions(loaded.assumptions if given is None else given),
        day,
        band,
        how["plan"],
        how["explain"],
        how["allow_unclassified"],
    )


def _identity(book: Source, setting: Setting, intake: Intake, how: Options) -> dict[str, Any]:
    """Everything that decides about a byte of the result."""
    options = setting.told() | {k: how[k] for k in ("partition_size", "csv", "raw")}
    return {
        "schema": SCHEMA,
        "versions": versions(),
        "input": book.fingerprint(),
        "intake": intake.fingerprint(),
        "framework": setting.framework.name,
        "assumptions": setting.assumptions.name,
        "prints": prints(setting),
        "options": options,
    }


def _compared(places: Places, run: _Begun | None, told: Mapping[str, Any]) -> bool:
    """Refuse to go on with another run; say whether it is finished and whole."""
    if run is None:
        return False
    other = [WHAT[key] for key in told if run.told[key] != told[key] and key != "options"]
    mine, theirs = told["options"], run.told["options"]
    other += [f"option {key}" for key in mine if theirs.get(key) != mine[key]]
    if other:
        raise ConfigError(
            f"{places.out.name}: holds a run that differs in {', '.join(other)}; give what that run was given, or "
            "another directory"
        )
    if not run.whole:
        return False
    files = (read_json(places.manifest) or {}).get("files")
    if not isinstance(files, dict):
        raise ConfigError(
            f"{places.out.name}: {places.manifest.name} is not what the run has written; run it into a new directory"
        )
    for name, held in files.items():
        try:
            same = fingerprint(places.out / name) == held
        except InputError:
            same = False
        if not same:
            raise ConfigError(f"{places.out.name}: {name} is not what the run has written; run it into a new directory")
    return True


def _prepare(places: Places, told: Mapping[str, Any], setting: Setting) -> None:
    remove_parts(places.out)
    if read_json(places.run) is None:
        write_json(places.setting, setting.to_json(), private=True)
        write_json(places.run, dict(told) | {"fingerprint": _run_of(told)}, private=True)


def _work(places: Places, book: Source, what: tuple[Options, Mapping[str, Any]], engine: Engine) -> None:
    """Split, work on what is not done yet, collect, and write the manifest."""
    how, told = what
    say = how["progress"] or (lambda _stage, _done, _total: None)
    out, run = str(places.out), _run_of(told)
    say("split", 0, 1)
    on_disk = all(part.path is not None for part in book.parts)
    once = engine.once if on_disk else lambda task, *args: task(*args)
    kept = Kept.from_json(once(split_once, out, book, how["partition_size"]))
    records = {p: r for p in range(kept.partitions) if (r := finished(places, run, p)) is not None}
    todo = [p for p in range(kept.partitions) if p not in records]
    say("work", len(records), kept.partitions)
    for record in engine.each(run_one, (out, run), todo):
        records[int(record["partition"])] = record
        say("work", len(records), kept.partitions)
    say("collect", 0, 1)
    ordered = [records[p] for p in range(kept.partitions)]
    tables = [t for t in RESULTS if any(name.startswith(f"{t}/") for name in ordered[0]["files"])]
    changed = once_each([r["conversions"] for r in ordered], [n for n, t in kept.tables.items() if not t.by_client])
    collected = collect(places, kept.partitions, tables, changed, csv=how["csv"], raw=how["raw"])
    shared = {name: t.shared for name, t in kept.tables.items() if t.shared}
    counts = total([r["counts"] for r in ordered], shared, kept.partitions) | {"issues": collected["issues"]}
    bad = differences(counts)
    if bad:
        raise SolveError(
            f"{', '.join(bad)} do not reconcile: a bug, please report it; nothing of this run is to be used"
        )
    files = {n: h for r in ordered for n, h in r["files"].items() if not n.startswith(".")} | collected["files"]
    content = dict(told) | {"partitions": kept.partitions, "tables": tables, "counts": counts}
    write_json(places.manifest, content | {"files": files})


def _run_of(told: Mapping[str, Any]) -> str:
    return fingerprint(json.dumps(told, sort_keys=True, ensure_ascii=False).encode())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
