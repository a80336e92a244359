"""The command line: a command parses, calls the library, maps errors, and nothing else.

Exit codes: 0 all limits hold · 2 wrong usage or configuration · 3 limits exceeded · 4 rows or clients set aside · 5 nothing could
be produced · 130 interrupted · 1 a bug.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from allocator import __version__
from allocator.cli_words import Day, OneOf, command, group, usage_message
from allocator.errors import AllocatorError, ConfigError, InputError, SolveError
from allocator.i18n import LANGUAGES, Words, environment_language, words
from allocator.reporting.terminal import safe_streams, show, silence
from allocator.schema import TABLES

if TYPE_CHECKING:
    from allocator.analysis import Analysis
    from allocator.book import Book
    from allocator.plan import Plan
    from allocator.reporting.blocks import Block

OK: Final = 0
BUG: Final = 1
USAGE: Final = 2
EXCEEDED: Final = 3
SET_ASIDE: Final = 4
NOTHING: Final = 5
INTERRUPTED: Final = 130

FORMATS: Final = ("auto", "tables", "scf")
EXTRA_TABLES: Final = tuple(name for name in TABLES if name != "holdings")
DEMO_DATE: Final = "2026-09-30"
"""Day of the sample book: locks are judged on it, so that the demo is the same on every day."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    said = words(_language(args))
    debug = "--debug" in args
    safe_streams(sys.stdout, sys.stderr)
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            result = build(said).main(args, prog_name="allocator", standalone_mode=False)
            return int(result or 0)
    except click.exceptions.Exit as done:
        return int(done.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _tell(said.text("error.interrupted"), INTERRUPTED)
    except click.ClickException as error:
        return _usage(error, said)
    except InputError as error:
        return _tell(str(error), NOTHING)
    except SolveError as error:
        return _tell(said.text("error.solve", message=str(error)), NOTHING)
    except AllocatorError as error:
        return _tell(str(error), USAGE)
    except Exception as error:  # noqa: BLE001  the one place where a bug becomes a message
        if debug:
            traceback.print_exc()
        return _tell(said.text("error.bug", kind=type(error).__name__), BUG)


def build(said: Words) -> click.Group:
    """Build the commands in one language."""
    return group(said, "allocator", [_version(said), *_everywhere(said)], "help.main", [
        command(said, "check", partial(_check, said), [_file(), *_book_options(said)], "help.check"),
        command(said, "rebalance", partial(_rebalance, said), [
            _file(), *_book_options(said), _flag(said, "--allow-unclassified", "allow_unclassified")], "help.rebalance"),
        command(said, "demo", partial(_demo, said), [_option(said, "--client", metavar="ID"), _json(said), *_everywhere(said)], "help.demo"),
        group(said, "framework", _everywhere(said), "help.framework", [
            command(said, "show", partial(_framework_show, said), [
                click.Argument(["name"], required=False, default="classic", metavar="[NAME|FILE]"), _json(said), *_everywhere(said)],
                "help.framework_show"),
            command(said, "validate", partial(_framework_validate, said), [_file(), *_everywhere(said)], "help.framework_validate")])])


# ---- commands: each returns its exit code


def _check(said: Words, **options: Any) -> int:
    from allocator.reporting.jsonout import check_json
    from allocator.reporting.overview import check_overview
    from allocator.reporting.sheet import check_sheet

    book, analysis = _analysed(said, options)
    one = options["client"] or _only(analysis)
    if options["json"]:
        _print_json(check_json(analysis, said, counts=book.counts), said)
    elif not len(analysis):
        return _nobody(analysis, book, said)
    else:
        _print(check_sheet(analysis, one, said) if one else check_overview(analysis, book.counts, said), said)
    return exit_code(analysis)


def _rebalance(said: Words, **options: Any) -> int:
    from allocator.pipeline import rebalance
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import plan_sheet

    book, analysis = _analysed(said, options)
    one = options["client"] or _only(analysis)
    if not len(analysis) and not options["json"]:
        return _nobody(analysis, book, said)
    with _progress(said, "planning"):
        plan = rebalance(analysis, allow_unclassified=options["allow_unclassified"])
    if options["json"]:
        _print_json(rebalance_json(plan, said, counts=book.counts), said)
    else:
        _print(plan_sheet(plan, one, said) if one else plan_overview(plan, book.counts, said), said)
    return exit_code(analysis, plan)


def _demo(said: Words, client: str | None, json: bool) -> int:
    from datetime import date

    from allocator.book import read_book
    from allocator.pipeline import analyze, rebalance
    from allocator.reporting.blocks import Heading, Line, Table
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import columns, plan_sheet
    from allocator.sample import sample_path

    folder = sample_path()
    with _progress(said, "planning"):
        book = read_book(folder)
        one = _known(book, client or str(book.clients["client_id"].iloc[0]), said)
        analysis = analyze(book, on=date.fromisoformat(DEMO_DATE))
        plan = rebalance(analysis)
    if json:
        _print_json(rebalance_json(plan, said, counts=book.counts), said)
        return OK
    other = "en" if said.lang == "zh" else "zh"
    tries = (("try_check", f"allocator check {folder}"), ("try_client", f"allocator rebalance {folder} --client {one} --lang {other}"),
             ("try_plan", f"allocator rebalance {folder} --json"), ("try_framework", "allocator framework show"))
    _print([
        Line(said.text("demo.intro", clients=len(analysis), holdings=len(book.holdings))),
        *plan_overview(plan, book.counts, said), Heading(said.text("demo.one")), *plan_sheet(plan, one, said),
        Heading(said.text("title.sample")), Line(said.text("demo.files", folder=folder)),
        Table(said.text("demo.next"), columns(said, command="text", purpose="sentence"),
              tuple((line, said.text(f"demo.{key}")) for key, line in tries)),
    ], said)
    return OK


def _framework_show(said: Words, name: str, json: bool) -> int:
    from allocator.framework import load_framework
    from allocator.reporting.frameworks import framework_blocks

    framework = load_framework(name)
    if json:
        _print_json(framework.model_dump(mode="json", by_alias=True), said)
    else:
        _print(framework_blocks(framework, said), said)
    return OK


def _framework_validate(said: Words, file: str) -> int:
    from allocator.assumptions import load_assumptions, risk_table
    from allocator.framework import load_framework
    from allocator.reporting.blocks import Line

    try:
        f = load_framework(file)
        assumptions = load_assumptions(f.assumptions)
        risk_table(f, assumptions)
    except ConfigError as error:
        mistakes = str(error).splitlines()
        _print([Line(said.text("framework.invalid", count=len(mistakes)), "bad"), *(Line(m) for m in mistakes)], said)
        return USAGE
    _print([Line(said.text("framework.valid", file=file, name=f.name, classes=len(f.classes), bands=len(f.bands), rules=len(f.rules),
                           products=len(f.products), assumptions=assumptions.name), "good")], said)
    return OK


def exit_code(analysis: Analysis, plan: Plan | None = None) -> int:
    """Exit code of a result: rows or clients set aside before limits exceeded (after the plan, where there is one)."""
    if not len(analysis):
        return NOTHING
    status = set(analysis.status if plan is None else plan.summary["status"])
    if len(analysis.set_aside) or status & {"invalid", "no_band"}:
        return SET_ASIDE
    return EXCEEDED if status & {"exceeded", "insolvent", "improved", "stuck", "unfunded"} else OK


# ---- options


def _file() -> click.Argument:
    return click.Argument(["file"], metavar="FILE")


def _book_options(said: Words) -> list[click.Parameter]:
    return [
        _option(said, "--client", metavar="ID"), _option(said, "--band"), _json(said),
        _option(said, "--format", type=OneOf(FORMATS, said), default="auto"),
        click.Option(["--framework"], metavar="NAME|FILE", default="classic", help=said.text("help.framework_option")),
        _option(said, "--assumptions", metavar="NAME|FILE"), *(_option(said, f"--{t}", metavar="FILE") for t in EXTRA_TABLES),
        click.Option(["--date", "day"], type=Day(said), help=said.text("help.date")), *_everywhere(said),
    ]


def _everywhere(said: Words) -> list[click.Parameter]:
    """Options that `main` reads itself, because they decide the words of everything else."""
    return [_option(said, "--lang", type=OneOf(LANGUAGES, said), expose_value=False), _flag(said, "--debug", "debug", expose_value=False)]


def _option(said: Words, name: str, **more: Any) -> click.Option:
    return click.Option([name], help=said.text(f"help.{name.removeprefix('--')}"), **more)


def _flag(said: Words, name: str, key: str, **more: Any) -> click.Option:
    return click.Option([name], is_flag=True, help=said.text(f"help.{key}"), **more)


def _json(said: Words) -> click.Option:
    return _flag(said, "--json", "json")


def _version(said: Words) -> click.Option:
    def show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked and not ctx.resilient_parsing:
            click.echo(f"allocator {__version__}")
            ctx.exit()

    return _flag(said, "--version", "version", is_eager=True, expose_value=False, callback=show_version)


# ---- what the commands share


def _analysed(said: Words, options: dict[str, Any]) -> tuple[Book, Analysis]:
    from allocator.book import read_book
    from allocator.framework import load_framework
    from allocator.pipeline import analyze

    framework = load_framework(options["framework"])
    with _progress(said, "reading"):
        book = read_book(options["file"], format=options["format"], **{t: options[t] for t in EXTRA_TABLES})
    if options["client"] is not None:
        book = book.client(_known(book, options["client"], said))
    with _progress(said, "analysing"):
        return book, analyze(book, framework, assumptions=options["assumptions"], band=options["band"], on=options["day"])


def _known(book: Book, client: str, said: Words) -> str:
    if not (book.clients["client_id"] == client).any():
        raise click.UsageError(said.text("error.no_client"))
    return client


def _only(analysis: Analysis) -> str | None:
    return analysis.client_ids[0] if len(analysis) == 1 else None


def _nobody(analysis: Analysis, book: Book, said: Words) -> int:
    from allocator.reporting.overview import data_report

    _print(data_report(analysis, book.counts, said), said)
    return _tell(said.text("error.no_clients"), NOTHING)


def _language(args: Sequence[str]) -> str:
    found = environment_language()
    for i, arg in enumerate(args):
        value = arg.partition("=")[2] if arg.startswith("--lang=") else args[i + 1] if arg == "--lang" and i + 1 < len(args) else ""
        found = value if value in LANGUAGES else found
    return found


def _print(blocks: Iterable[Block], said: Words) -> None:
    _write(lambda: show(blocks, sys.stdout), said)


def _print_json(content: dict[str, Any], said: Words) -> None:
    from allocator.reporting.jsonout import dumps

    stream = sys.stdout
    narrow = not (stream.encoding or "").lower().replace("-", "").startswith("utf")
    text = dumps(content, indent=2 if stream.isatty() else None, ascii_only=narrow)
    _write(lambda: stream.write(text + "\n"), said)


def _write(write: Callable[[], object], said: Words) -> None:
    """Write to stdout; a reader who has gone away (``| head``) is no error."""
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise InputError(said.text("error.output", message=error.strerror or type(error).__name__)) from error


@contextlib.contextmanager
def _progress(said: Words, key: str) -> Iterator[None]:
    """Say on stderr what is going on, where somebody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(said.text(f"progress.{key}")):
        yield


def _usage(error: click.ClickException, said: Words) -> int:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "allocator"
    return _tell(f"{usage_message(error, said)}\n{said.text('error.try_help', command=path)}", USAGE)


def _tell(message: str, code: int) -> int:
    """Say something on stderr and hand the exit code on."""
    with contextlib.suppress(OSError):
        click.echo(f"allocator: {message}", err=True)
    return code
