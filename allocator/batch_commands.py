"""``allocator batch``: a whole book into a directory of results; returns its exit code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from allocator.cli_words import Spoken, a_count, command, one_of
from allocator.command_tools import (
    EXCEEDED,
    EXTRA_TABLES,
    INTAKE,
    NOTHING,
    OK,
    SET_ASIDE,
    intake_of,
    print_blocks,
    print_json,
    tables_of,
)
from allocator.i18n import Words

Params = Sequence[click.Parameter]
ENGINES: Final = ("local", "dask")
MOST: Final = {"workers": 1024, "partition-size": 1_000_000}
BOOK: Final = ("band", "json", "framework", "assumptions", "day", *INTAKE, *EXTRA_TABLES)
"""Options that the batch shares with the other commands; one client is no matter for it."""
BAD: Final = ("invalid", "no_band")
OVER: Final = ("exceeded", "insolvent", "improved", "stuck", "unfunded")


def batch_command(said: Words, book: Params, both: Params) -> Spoken:
    """Make the command.

    Parameters
    ----------
    said
        The language.
    book, both
        Options of commands that read a book, and those of all commands.
    """

    def option(name: str, **more: Any) -> click.Option:
        return click.Option([name], help=said.text(f"batch.help_{name.removeprefix('--').replace('-', '_')}"), **more)

    flags = [
        option(name, is_flag=True)
        for name in ("--resume", "--check-only", "--explain", "--allow-unclassified", "--csv", "--raw")
    ]
    counts = [option(f"--{name}", metavar="N", callback=a_count(said, most)) for name, most in MOST.items()]
    engine = option("--engine", metavar=f"[{'|'.join(ENGINES)}]", callback=one_of(ENGINES, said), default="local")
    out = option("--out", metavar="FOLDER", required=True)
    params = [
        click.Argument(["file"], metavar="BOOK"),
        *(o for o in book if o.name in BOOK),
        out,
        *flags,
        *counts,
        engine,
        option("--scheduler", metavar="ADDRESS"),
        *both,
    ]
    return command(said, "batch", partial(batch, said), params, "batch.help")


def batch(said: Words, **options: Any) -> int:
    """``allocator batch``: read, check, plan and write every client of a book."""
    from allocator.batch.runner import batch as run
    from allocator.reporting.batch_page import batch_blocks

    with _progress(said) as told:
        result = run(
            options["file"],
            options["out"],
            options["framework"],
            assumptions=options["assumptions"],
            band=options["band"],
            on=options["day"],
            **intake_of(options),
            tables=tables_of(options),
            plan=not options["check_only"],
            **{k: options[k] for k in ("explain", "allow_unclassified", "resume", "csv", "raw", "engine", "scheduler")},
            **{k: options[k] for k in ("workers", "partition_size") if options[k] is not None},
            progress=told,
        )
    if options["json"]:
        keys = ("schema", "framework", "assumptions", "options", "partitions", "tables", "counts")
        print_json({k: result.manifest[k] for k in keys} | {"out": Path(options["out"]).name})
    else:
        print_blocks(batch_blocks(result, said))
    return exit_code(result.counts)


def exit_code(counts: Mapping[str, Any]) -> int:
    """Exit code of a batch: rows or clients set aside before limits exceeded (after the plans, if any)."""
    clients = counts["clients"]
    if not clients["in"]:
        return NOTHING
    status = {s for s, n in (clients.get("plan_status") or clients["status"]).items() if n}
    if counts["issues"]["error"] or status & set(BAD):
        return SET_ASIDE
    return EXCEEDED if status & set(OVER) else OK


@contextlib.contextmanager
def _progress(said: Words) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr, where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def told(stage: str, done: int, total: int) -> None:
            bar.update(
                task, description=said.text(f"batch.stage_{stage}"), completed=done, total=total if done else None
            )

        yield told
