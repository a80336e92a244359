"""What every command needs: reading and analysing, printing, progress on a terminal, exit codes."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from allocator import importers
from allocator.cli_words import one_of
from allocator.errors import AllocatorError, OutputError
from allocator.i18n import Words
from allocator.legible import readable
from allocator.reporting.blocks import Block
from allocator.reporting.terminal import show, silence
from allocator.schema import TABLES

if TYPE_CHECKING:
    from allocator.analysis import Analysis
    from allocator.book import Book
    from allocator.plan import Plan

OK: Final = 0
USAGE: Final = 2
EXCEEDED: Final = 3
SET_ASIDE: Final = 4
NOTHING: Final = 5

EXTRA_TABLES: Final = tuple(name for name in TABLES if name != "holdings")


FORMATS: Final = ("auto", *importers.FORMATS)
INTAKE: Final = ("format", "as_client", "mapping", "params")
"""Options that say how FILE is read, beside further tables: the same for every command that reads one."""


def intake_options(said: Words) -> list[click.Parameter]:
    """Make the options by which every command reads a book."""
    return [
        click.Option(
            ["--format"],
            metavar="NAME",
            callback=one_of(FORMATS, said),
            default="auto",
            help=said.text("help.format", choices=", ".join(FORMATS)),
        ),
        click.Option(["--as-client"], metavar="ID", help=said.text("help.as-client")),
        click.Option(["--mapping"], metavar="FILE", help=said.text("help.intake.mapping")),
        click.Option(
            ["--param", "params"],
            metavar="NAME=VALUE",
            multiple=True,
            callback=_named_values(said),
            help=said.text("help.intake.param"),
        ),
        *(click.Option([f"--{t}"], metavar="FILE", help=said.text(f"help.{t}")) for t in EXTRA_TABLES),
    ]


def intake_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """How FILE is to be read, as `read_book`, `importers.intake.Intake` and `batch` take it."""
    return {name: options[name] for name in INTAKE}


def tables_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Further tables that the options name."""
    return {name: options[name] for name in EXTRA_TABLES if options[name] is not None}


def _named_values(said: Words) -> Callable[[click.Context, click.Parameter, Any], dict[str, str] | None]:
    """Make the callback that takes ``NAME=VALUE`` apart; a value stays text, which the database turns into its kind."""

    def check(ctx: click.Context, _: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
        out = {}
        for text in values:
            name, equals, value = text.partition("=")
            if not equals or not name.isidentifier() or name in out:
                raise click.UsageError(said.text("error.intake.param"), ctx)
            out[name] = value
        return out or None

    return check


class NobodyError(AllocatorError):
    """The book has no client; what was wrong with its rows has been printed."""


def exit_code(analysis: Analysis, plan: Plan | None = None) -> int:
    """Exit code of a result: rows or clients set aside before limits exceeded (after the plan, where there is one)."""
    if not len(analysis):
        return NOTHING
    status = set(analysis.status if plan is None else plan.summary["status"])
    return status_code(status, aside=bool(len(analysis.set_aside)))


def told_code(analysis: Analysis) -> int:
    """Exit code of what judges nobody (studies, lists): only what could not be used is told."""
    if not len(analysis):
        return NOTHING
    return SET_ASIDE if len(analysis.set_aside) else OK


def status_code(status: set[str], *, aside: bool) -> int:
    """Exit code of the statuses that clients have; ``aside``: some row or cell was set aside."""
    if aside or status & {"invalid", "no_band"}:
        return SET_ASIDE
    return EXCEEDED if status & {"exceeded", "insolvent", "improved", "stuck", "infeasible", "unfunded"} else OK


def analysed(said: Words, options: dict[str, Any]) -> tuple[Book, Analysis]:
    """Read and analyse; with ``--client`` only that client, so that everything after concerns nobody else."""
    from allocator.book import read_book
    from allocator.framework import load_framework
    from allocator.pipeline import analyze
    from allocator.reporting.overview import data_report

    framework = load_framework(options["framework"])
    with progress(said, "reading"):
        book = read_book(options["file"], **intake_of(options), **tables_of(options))
    if options["client"] is not None:
        book = book.client(known(book, options["client"], said))
    with progress(said, "analysing"):
        asked = {"assumptions": options["assumptions"], "band": options["band"], "on": options["day"]}
        analysis = analyze(book, framework, **asked)
    if not len(analysis) and not options["json"]:
        print_blocks(data_report(analysis, book.counts, said))
        raise NobodyError
    return book, analysis


def known(book: Book, client: str, said: Words) -> str:
    """Refuse a client who is not in the book."""
    if not (book.clients["client_id"] == client).any():
        raise click.UsageError(said.text("error.no_client"))
    return client


def only(analysis: Analysis) -> str | None:
    """The client, where there is one alone."""
    return analysis.client_ids[0] if len(analysis) == 1 else None


def print_blocks(blocks: Iterable[Block]) -> None:
    """Print blocks on stdout."""
    write(lambda: show(blocks, sys.stdout))


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout, indented for a terminal."""
    from allocator.reporting.jsonout import dumps

    stream = sys.stdout
    narrow = not (stream.encoding or "").lower().replace("-", "").startswith("utf")
    text = dumps(content, indent=2 if stream.isatty() else None, ascii_only=narrow)
    write(lambda: stream.write(text + "\n"))


def tell(message: str) -> None:
    """Say something on stderr."""
    click.echo(readable(message), err=True)


def write(write: Callable[[], object]) -> None:
    """Write to stdout; a reader who has gone away (``| head``) is no error."""
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise OutputError(error.strerror or type(error).__name__) from error


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: nothing half written stays, and a batch can be gone on with."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    usual = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


@contextlib.contextmanager
def progress(said: Words, key: str) -> Iterator[None]:
    """Say on stderr what is going on, where somebody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(said.text(f"progress.{key}")):
        yield
