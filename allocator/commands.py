"""What each command does, in order: read, call the library, print; every one returns its exit code.

Nothing heavy is imported until a command runs, so that help and usage errors come at once.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import click

from allocator.errors import AllocatorError, ConfigError
from allocator.i18n import Words
from allocator.reporting.blocks import Block, Blocks, Heading, Line, Table
from allocator.reporting.terminal import show, silence
from allocator.schema import TABLES

if TYPE_CHECKING:
    from allocator.analysis import Analysis
    from allocator.book import Book
    from allocator.plan import Plan
    from allocator.staging import Stages

OK: Final = 0
USAGE: Final = 2
EXCEEDED: Final = 3
SET_ASIDE: Final = 4
NOTHING: Final = 5

EXTRA_TABLES: Final = tuple(name for name in TABLES if name != "holdings")
DEMO_DATE: Final = date(2026, 9, 30)
"""Day of the sample book: locks are judged on it, so that the demo is the same on every day."""


class OutputError(AllocatorError):
    """The result could not be written to stdout."""


class NobodyError(AllocatorError):
    """The book has no client; what was wrong with its rows has been printed."""


def check(said: Words, **options: Any) -> int:
    """``allocator check``: the book, or one client, as they are today."""
    from allocator.reporting.jsonout import check_json
    from allocator.reporting.overview import check_overview
    from allocator.reporting.sheet import check_sheet

    book, analysis = _analysed(said, options)
    one = _only(analysis)
    if options["json"]:
        _print_json(check_json(analysis, said, counts=book.counts))
    elif one is None:
        _print(check_overview(analysis, book.counts, said))
    else:
        _print(check_sheet(analysis, one, said))
    return exit_code(analysis)


def rebalance(said: Words, **options: Any) -> int:
    """``allocator rebalance``: plans for the book, or for one client; with ``--stages`` one after the other."""
    from allocator import pipeline
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import plan_sheet
    from allocator.reporting.staged import book_stages, client_stages

    _fit_together(said, options)
    book, analysis = _analysed(said, options)
    allow = options["allow_unclassified"]
    with _progress(said, "planning"):
        plan = pipeline.rebalance(analysis, allow_unclassified=allow, goal=options["goal"], hard=options["hard"])
    stages = _staged(said, analysis, options)
    one = _only(analysis)
    if options["json"]:
        _print_json(rebalance_json(plan, said, counts=book.counts, stages=stages))
    else:
        aims = [key for key, on in (("goal_return", options["goal"] == "return"), ("hard", options["hard"])) if on]
        blocks: Blocks = tuple(Line(said.text(f"say.{key}")) for key in aims)
        if one is None:
            blocks += plan_overview(plan, book.counts, said, () if stages is None else book_stages(stages, said))
        else:
            blocks += plan_sheet(plan, one, said, () if stages is None else client_stages(stages, one, said))
        _print(blocks)
    return exit_code(analysis, plan if stages is None else stages.plans[-1])


def demo(said: Words, client: str | None, json: bool) -> int:
    """``allocator demo``: the bundled book planned, one client in full, and what to try next."""
    from allocator import pipeline
    from allocator.book import read_book
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import plan_sheet
    from allocator.sample import sample_path

    folder = sample_path()
    with _progress(said, "planning"):
        book = read_book(folder)
        one = _known(book, client or str(book.clients["client_id"].iloc[0]), said)
        plan = pipeline.rebalance(pipeline.analyze(book, on=DEMO_DATE))
    if json:
        _print_json(rebalance_json(plan, said, counts=book.counts))
        return OK
    intro = said.text("demo.intro", clients=len(plan), holdings=len(book.holdings))
    _print(
        (
            Line(intro),
            *plan_overview(plan, book.counts, said),
            Heading(said.text("demo.one")),
            *plan_sheet(plan, one, said),
            *_next_steps(shlex.quote(str(folder)), one, said),
        )
    )
    return OK


def framework_show(said: Words, name: str, json: bool) -> int:
    """``allocator framework show``: bands, limits, classes and rules with their sources."""
    from allocator.framework import load_framework
    from allocator.reporting.frameworks import framework_blocks

    framework = load_framework(name)
    if json:
        _print_json(framework.model_dump(mode="json", by_alias=True))
    else:
        _print(framework_blocks(framework, said))
    return OK


def framework_validate(said: Words, file: str) -> int:
    """``allocator framework validate``: OK, or every mistake."""
    from allocator.assumptions import load_assumptions, risk_table
    from allocator.framework import load_framework

    try:
        f = load_framework(file)
        assumptions = load_assumptions(f.assumptions)
        risk_table(f, assumptions)
    except ConfigError as error:
        _print((Line(said.text("framework.invalid"), "bad"), *(Line(m) for m in str(error).splitlines())))
        return USAGE
    sizes = {"classes": len(f.classes), "bands": len(f.bands), "rules": len(f.rules), "products": len(f.products)}
    text = said.text("framework.valid", file=file, name=f.name, assumptions=assumptions.name, **sizes)
    _print((Line(text, "good"),))
    return OK


def exit_code(analysis: Analysis, plan: Plan | None = None) -> int:
    """Exit code of a result: rows or clients set aside before limits exceeded (after the plan, where there is one)."""
    if not len(analysis):
        return NOTHING
    status = set(analysis.status if plan is None else plan.summary["status"])
    if len(analysis.set_aside) or status & {"invalid", "no_band"}:
        return SET_ASIDE
    return EXCEEDED if status & {"exceeded", "insolvent", "improved", "stuck", "infeasible", "unfunded"} else OK


def _analysed(said: Words, options: dict[str, Any]) -> tuple[Book, Analysis]:
    """Read and analyse; with ``--client`` only that client, so that everything after concerns nobody else."""
    from allocator.book import read_book
    from allocator.framework import load_framework
    from allocator.pipeline import analyze
    from allocator.reporting.overview import data_report

    framework = load_framework(options["framework"])
    with _progress(said, "reading"):
        book = read_book(options["file"], format=options["format"], **{t: options[t] for t in EXTRA_TABLES})
    if options["client"] is not None:
        book = book.client(_known(book, options["client"], said))
    with _progress(said, "analysing"):
        more = {"assumptions": options["assumptions"], "band": options["band"], "on": options["day"]}
        analysis = analyze(book, framework, **more)
    if not len(analysis) and not options["json"]:
        _print(data_report(analysis, book.counts, said))
        raise NobodyError
    return book, analysis


def _fit_together(said: Words, options: dict[str, Any]) -> None:
    """Refuse options of ``rebalance`` that do not go together."""
    if options["months"] is not None and options["stages"] is None:
        raise click.UsageError(said.text("error.needs_option", option="--months", other="--stages"))
    other = "--hard" if options["hard"] else "--goal return" if options["goal"] == "return" else ""
    if options["stages"] is not None and other:
        raise click.UsageError(said.text("error.not_together", option="--stages", other=other))


def _staged(said: Words, analysis: Analysis, options: dict[str, Any]) -> Stages | None:
    """Plans in stages, where they are asked for."""
    if options["stages"] is None:
        return None
    from allocator.staging import stages

    more = {} if options["months"] is None else {"months": options["months"]}
    with _progress(said, "staging"):
        return stages(analysis, periods=options["stages"], allow_unclassified=options["allow_unclassified"], **more)


def _known(book: Book, client: str, said: Words) -> str:
    if not (book.clients["client_id"] == client).any():
        raise click.UsageError(said.text("error.no_client"))
    return client


def _only(analysis: Analysis) -> str | None:
    return analysis.client_ids[0] if len(analysis) == 1 else None


def _next_steps(path: str, client: str, said: Words) -> Blocks:
    from allocator.reporting.tables import columns

    other = "en" if said.lang == "zh" else "zh"
    tries = {
        "try_check": f"allocator check {path}",
        "try_client": f"allocator rebalance {path} --client {client} --lang {other}",
        "try_plan": f"allocator rebalance {path} --json",
        "try_framework": "allocator framework show",
    }
    rows = tuple((line, said.text(f"demo.{key}")) for key, line in tries.items())
    return (
        Heading(said.text("title.sample")),
        Line(said.text("demo.files", folder=path)),
        Table(said.text("demo.next"), columns(said, command="text", purpose="sentence"), rows),
    )


def _print(blocks: Iterable[Block]) -> None:
    _write(lambda: show(blocks, sys.stdout))


def _print_json(content: dict[str, Any]) -> None:
    from allocator.reporting.jsonout import dumps

    stream = sys.stdout
    narrow = not (stream.encoding or "").lower().replace("-", "").startswith("utf")
    text = dumps(content, indent=2 if stream.isatty() else None, ascii_only=narrow)
    _write(lambda: stream.write(text + "\n"))


def _write(write: Callable[[], object]) -> None:
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
def _progress(said: Words, key: str) -> Iterator[None]:
    """Say on stderr what is going on, where somebody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(said.text(f"progress.{key}")):
        yield
