"""A report for every client of a book, with an index page: side by side, and to be gone on with after a stop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

import allocator
from allocator.batch.engines import side_by_side
from allocator.book import Book
from allocator.documents.index import index_page
from allocator.documents.report import FORMATS, first_page
from allocator.errors import AllocatorError, ConfigError, InputError, SolveError
from allocator.framework import Framework
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.pseudonyms import file_stem
from allocator.reporting.content import content_of
from allocator.reporting.house_style import load_style
from allocator.reporting.report_facts import Options, Source, options_id
from allocator.reporting.sentences import band_name, clean
from allocator.reporting.tables import rows_of
from allocator.storage import fingerprint, one_writer, read_json, remove_parts, write_bytes, write_json

CHUNK: Final = 16
"""Clients that a process takes at a time: planned in one go, and few enough to lose little when it is killed."""
STATE: Final = ".state"
"""Folder of what is known about the reports that are there, one small file for each client."""
UNASSIGNED: Final = "unassigned"
"""Folder of clients without an advisor."""


@dataclass(frozen=True)
class Settings:
    """How the reports of a book are made.

    Attributes
    ----------
    options
        Language, style, pseudonyms, amounts.
    formats
        Kinds of files: some of `report.FORMATS`.
    framework, assumptions, band, on
        As in `allocator.analyze`.
    plan
        With plans; without, clients as they are today.
    short
        The first page only.
    """

    options: Options = field(default_factory=Options)
    formats: tuple[str, ...] = ("html", "pdf")
    framework: Framework | str = "classic"
    assumptions: str | None = None
    band: str | None = None
    on: dt.date | None = None
    plan: bool = True
    short: bool = False

    def __post_init__(self) -> None:
        wrong = [k for k in self.formats if k not in FORMATS]
        if wrong or not self.formats:
            raise ConfigError(f"formats: unknown kind '{', '.join(wrong)}'; allowed: {', '.join(FORMATS)}")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes
    ----------
    index
        The index page.
    rows
        One for each client, the most severe first: what the index says, ``files`` by kind.
    kept
        Clients whose reports were there already.
    failed
        Kinds of errors with how many clients each concerns.
    """

    index: Path
    rows: tuple[Mapping[str, Any], ...]
    kept: int
    failed: Mapping[str, int]


def write_reports(
    book: Book,
    folder: Path,
    settings: Settings | None = None,
    *,
    advisor: str | None = None,
    workers: int = 1,
    resume: bool = False,
) -> Written:
    """Write the report of every client, in a folder for each advisor, and an index page.

    Parameters
    ----------
    book
        From `read_book`.
    folder
        Where to; made if need be. Every file is there whole or not at all.
    settings
        How.
    advisor
        Only the clients of this one.
    workers
        Processes; 1 stays in this one.
    resume
        Keep the reports of clients whose data and settings are the same as when they were written.

    Raises
    ------
    ConfigError
        Settings are wrong, or somebody else is writing there.
    InputError
        No client has that advisor.
    OutputError
        The system refuses to write.
    """
    settings = Settings() if settings is None else settings
    folder = Path(folder)
    ids = _ids(book, advisor)
    marks = _marks(book, ids, settings)
    with one_writer(folder):
        remove_parts(folder)
        found = {c: row for c in ids if resume and (row := _there(folder, c, marks[c], settings)) is not None}
        todo = [c for c in ids if c not in found]
        failed: dict[str, int] = {}
        kept = len(found)
        jobs = [(book.select(part), marks, folder, settings) for part in _chunks(todo)]
        for rows, broken in _run(jobs, workers):
            found |= rows
            for kind in broken:
                failed[kind] = failed.get(kind, 0) + 1
        ordered = sorted(found.values(), key=lambda r: (-r["rank"], -r["score_now"], r["client"]))
        index = folder / "index.html"
        write_bytes(index, index_page(ordered, settings.options, settings.on).encode("utf-8"), private=True)
    return Written(index, tuple(ordered), kept, failed)


def _ids(book: Book, advisor: str | None) -> list[str]:
    if advisor is None:
        return book.client_ids
    found: list[str] = book.clients.loc[book.clients["advisor"] == advisor, "client_id"].tolist()
    if not found:
        raise InputError("no client of this book has that advisor; see the column advisor of the clients")
    return found


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), CHUNK):
        yield ids[first : first + CHUNK]


def _run(jobs: list[Any], workers: int) -> Iterator[tuple[dict[str, dict[str, Any]], list[str]]]:
    """Do the jobs, here or in processes of their own; typst must not be used on both sides of a fork, so they spawn."""
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield make(*job)
        return
    try:
        yield from side_by_side(workers, make, jobs)
    except BrokenProcessPool as error:
        raise SolveError(
            "a process ended, probably for want of memory; what is done is kept: go on with --resume and "
            "fewer --workers"
        ) from error


def make(
    book: Book, marks: Mapping[str, str], folder: Path, settings: Settings
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Make the reports of a few clients.

    Returns
    -------
    (rows, failed)
        What the index says by client, and the kind of error of each client for whom there is no report. When clients
        fail together they are tried one by one, so that one bad client costs nobody else theirs.
    """
    try:
        return _made(book, marks, folder, settings), []
    except (AllocatorError, OSError) as error:
        if isinstance(error, ConfigError) or isinstance(error.__cause__, OSError):
            raise  # the same for every client: settings, or a full disk
        if len(book.client_ids) == 1:
            return {}, [type(error).__name__]
    rows: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    for client in book.client_ids:
        more, broken = make(book.client(client), marks, folder, settings)
        rows |= more
        failed += broken
    return rows, failed


def _made(book: Book, marks: Mapping[str, str], folder: Path, settings: Settings) -> dict[str, dict[str, Any]]:
    s = settings
    analysis = analyze(book, s.framework, assumptions=s.assumptions, band=s.band, on=s.on)
    source = Source.of(rebalance(analysis) if s.plan else analysis, s.options)
    out: dict[str, dict[str, Any]] = {}
    for i, client in enumerate(analysis.client_ids):
        made = content_of(source, client)
        made = first_page(made) if s.short else made
        files = _files(client, str(analysis.positions.clients["advisor"].iloc[i]), s)
        for kind, name in files.items():
            write_bytes(folder / name, FORMATS[kind](made), private=True)
        out[client] = {**_row(source, client, made.words), "files": files}
        write_json(_state(folder, client, s), {"mark": marks[client], "row": out[client]}, private=True)
    return out


def _row(source: Source, client: str, words: Any) -> dict[str, Any]:
    """What the index says of a client."""
    a, shown = source.analysis, options_id(source.options, client)
    i = a.index(shown)
    now = rows_of(a.summary.iloc[[i]])[0]
    planned = isinstance(source.result, Plan)
    status = str(source.result.summary["status"].iloc[i]) if isinstance(source.result, Plan) else str(now["status"])
    total = words.money(now["total"], str(now["currency"])) if not source.options.hide_amounts else ""
    return {
        "client": clean(shown),
        "advisor": clean(a.positions.clients["advisor"].iloc[i]),
        "band": band_name(str(now["band"]), a.framework, words),
        "status": status,
        "said": words.text(f"status.{status}"),
        "planned": planned,
        "score": words.number(now["score"], 0),
        "score_now": float(now["score"]) if now["score"] == now["score"] else -1.0,
        "limits": int(now["limits_exceeded"]),
        "total": str(total),
        "total_now": 0.0 if source.options.hide_amounts else float(now["total"]),
        "rank": RANKS.get(status, 0),
        "aside": int((a.set_aside["client_id"] == shown).sum()),
    }


RANKS: Final = {
    "insolvent": 6,
    "unfunded": 5,
    "stuck": 4,
    "infeasible": 4,
    "invalid": 3,
    "no_band": 3,
    "improved": 2,
    "exceeded": 2,
    "in_band": 1,
}
"""How severe a status is; the same for plans and analyses."""


def _files(client: str, advisor: str, settings: Settings) -> dict[str, str]:
    key = settings.options.key
    folder = file_stem(advisor, key, "advisor") if advisor else UNASSIGNED
    return {kind: f"{folder}/{file_stem(client, key)}.{kind}" for kind in settings.formats}


def _state(folder: Path, client: str, settings: Settings) -> Path:
    return folder / STATE / f"{file_stem(client, settings.options.key)}.json"


def _there(folder: Path, client: str, mark: str, settings: Settings) -> dict[str, Any] | None:
    """What the index said of a client whose reports are there and still fit."""
    known = read_json(_state(folder, client, settings))
    if known is None or known.get("mark") != mark:
        return None
    row: dict[str, Any] = known["row"]
    return row if all((folder / name).is_file() for name in row["files"].values()) else None


def _marks(book: Book, ids: Iterable[str], settings: Settings) -> dict[str, str]:
    """Fingerprint of everything that a client's report depends on."""
    s, o = settings, settings.options
    framework = s.framework if isinstance(s.framework, str) else s.framework.model_dump_json()
    style = load_style(o.style)
    shared = fingerprint(
        repr((allocator.__version__, framework, s.assumptions, s.band, s.on, s.plan, s.short, s.formats)).encode(),
        repr((o.lang, o.hide_amounts, style.model_dump_json(), style.picture)).encode(),
        b"" if o.key is None else o.key,
        *(_text(getattr(book, t)) for t in ("products", "fx", "lookthrough")),
    )
    parts: dict[str, list[bytes]] = {c: [shared.encode()] for c in ids}
    for table in ("holdings", "clients", "debts", "overrides", "issues"):
        frame = getattr(book, table)
        for client, part in frame.groupby("client_id", sort=False):
            targets = parts if client in ("*", "") else [c for c in (client,) if c in parts]
            text = _text(part)
            for c in targets:
                parts[c].append(text)
    return {c: fingerprint(*found, b"") for c, found in parts.items()}


def _text(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode("utf-8", "surrogatepass")
