"""The command line: parse, call a command, map errors to words and exit codes.

Exit codes: 0 all limits hold · 2 wrong usage or configuration · 3 limits exceeded · 4 rows or clients set aside ·
5 nothing could be produced · 130 interrupted · 1 a bug.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import click

from allocator import (
    __version__,
    batch_commands,
    book_commands,
    command_tools,
    commands,
    intake_commands,
    ledger_commands,
    report_commands,
    studies,
)
from allocator.cli_words import a_count, a_day, a_number, command, group, one_of, usage_message
from allocator.command_tools import tell
from allocator.errors import AllocatorError, InputError, OutputError, SolveError
from allocator.i18n import LANGUAGES, Words, environment_language, words
from allocator.reporting.terminal import safe_streams

BUG: Final = 1
INTERRUPTED: Final = 130
GOALS: Final = ("target", "return")
MOST: Final = {"stages": 40, "months": 120, "points": 200, "horizon": 100}
"""Stages that are planned at most (ten years of quarters), months from one to the next, points of a frontier, and years
of a horizon."""


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
        with command_tools.terminable(), warnings.catch_warnings():
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
    except command_tools.NobodyError:
        return _tell(said.text("error.no_clients"), command_tools.NOTHING)
    except OutputError as error:
        return _tell(said.text("error.output", message=str(error)), command_tools.NOTHING)
    except SolveError as error:
        return _tell(said.text("error.solve", message=str(error)), command_tools.NOTHING)
    except InputError as error:
        return _tell(str(error), command_tools.NOTHING)
    except AllocatorError as error:
        return _tell(str(error), command_tools.USAGE)
    except Exception as error:  # noqa: BLE001  the one place where a bug becomes a message
        if debug:
            traceback.print_exc()
        return _tell(said.text("error.bug", kind=type(error).__name__), BUG)


def build(said: Words) -> click.Group:
    """Build the commands in one language."""
    json = _flag(said, "--json", "json")
    show = command(
        said, "show", partial(commands.framework_show, said), _framework_options(said), "help.framework_show"
    )
    validate = command(
        said,
        "validate",
        partial(commands.framework_validate, said),
        [_file(), json, *_both(said)],
        "help.framework_validate",
    )
    name = click.Argument(["name"], required=False, default=None, metavar="[NAME|FILE]")
    assumed = command(
        said,
        "show",
        partial(studies.assumptions_show, said),
        [name, json, *_both(said)],
        "help.assumptions_show",
    )
    demo_options = [_option(said, "--client", metavar="ID"), _option(said, "--band"), json, *_both(said)]
    return group(
        said,
        "allocator",
        [_version(said), *_both(said)],
        "help.main",
        [
            command(said, "check", partial(commands.check, said), _book_options(said), "help.check"),
            command(
                said,
                "rebalance",
                partial(commands.rebalance, said),
                [*_book_options(said), *_plan_options(said)],
                "help.rebalance",
            ),
            command(
                said,
                "frontier",
                partial(studies.frontier, said),
                [*_book_options(said), _option(said, "--points", metavar="N", callback=a_count(said, MOST["points"]))],
                "help.frontier",
            ),
            command(
                said,
                "stress",
                partial(studies.stress, said),
                [
                    *_book_options(said),
                    click.Option(
                        ["--scenarios"], metavar="NAME|FILE", default="standard", help=said.text("help.scenarios")
                    ),
                    _flag(said, "--show-scenarios", "show_scenarios"),
                ],
                "help.stress",
            ),
            command(
                said, "risk", partial(studies.risk, said), [*_book_options(said), *_risk_options(said)], "help.risk"
            ),
            command(said, "household", partial(studies.household, said), _book_options(said), "help.household"),
            batch_commands.batch_command(said, _book_options(said), _both(said)),
            *book_commands.book_commands(said, _book_options(said)),
            report_commands.report_command(said, _book_options(said)),
            ledger_commands.ledger_group(said, _book_options(said), _both(said)),
            intake_commands.import_command(said, _book_options(said), _both(said)),
            command(said, "demo", partial(commands.demo, said), demo_options, "help.demo"),
            group(said, "framework", _both(said), "help.framework", [show, validate]),
            group(said, "assumptions", _both(said), "help.assumptions_group", [assumed]),
        ],
    )


def _file() -> click.Argument:
    return click.Argument(["file"], metavar="FILE")


def _book_options(said: Words) -> list[click.Parameter]:
    return [
        _file(),
        _option(said, "--client", metavar="ID"),
        _option(said, "--band"),
        _flag(said, "--json", "json"),
        *command_tools.intake_options(said),
        click.Option(["--framework"], metavar="NAME|FILE", default="classic", help=said.text("help.framework_option")),
        _option(said, "--assumptions", metavar="NAME|FILE"),
        click.Option(["--date", "day"], metavar="YYYY-MM-DD", callback=a_day(said), help=said.text("help.date")),
        *_both(said),
    ]


def _plan_options(said: Words) -> list[click.Parameter]:
    counts = [
        _option(said, f"--{name}", metavar="N", callback=a_count(said, MOST[name])) for name in ("stages", "months")
    ]
    return [
        _flag(said, "--hard", "hard"),
        _option(said, "--goal", metavar=_choice(GOALS), callback=one_of(GOALS, said), default="target"),
        *counts,
        _flag(said, "--allow-unclassified", "allow_unclassified"),
    ]


def _risk_options(said: Words) -> list[click.Parameter]:
    years = a_number(said, "error.allowed_horizon", lambda x: 0 < x <= MOST["horizon"])
    level = a_number(said, "error.allowed_level", lambda x: 0.5 <= x < 1)
    return [
        _option(said, "--horizon", metavar="YEARS", callback=years, default="1"),
        _option(said, "--level", metavar="P", callback=level, default="0.95"),
        *(_option(said, name, metavar="FILE") for name in ("--goals", "--past")),
    ]


def _framework_options(said: Words) -> list[click.Parameter]:
    name = click.Argument(["name"], required=False, default="classic", metavar="[NAME|FILE]")
    return [name, _flag(said, "--json", "json"), *_both(said)]


def _both(said: Words) -> list[click.Parameter]:
    """Options that `main` reads itself, because they decide the words of everything else."""
    language = one_of(LANGUAGES, said)
    return [
        _option(said, "--lang", metavar=_choice(LANGUAGES), callback=language, expose_value=False),
        _flag(said, "--debug", "debug", expose_value=False),
    ]


def _option(said: Words, name: str, **more: Any) -> click.Option:
    return click.Option([name], help=said.text(f"help.{name.removeprefix('--')}"), **more)


def _flag(said: Words, name: str, key: str, **more: Any) -> click.Option:
    return click.Option([name], is_flag=True, help=said.text(f"help.{key}"), **more)


def _choice(choices: Sequence[str]) -> str:
    return f"[{'|'.join(choices)}]"


def _version(said: Words) -> click.Option:
    def show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
        if asked and not ctx.resilient_parsing:
            click.echo(f"allocator {__version__}")
            ctx.exit()

    return _flag(said, "--version", "version", is_eager=True, expose_value=False, callback=show_version)


def _language(args: Sequence[str]) -> str:
    found = environment_language()
    for arg, following in zip(args, [*args[1:], ""], strict=False):
        value = following if arg == "--lang" else arg.removeprefix("--lang=")
        found = value if value in LANGUAGES and arg.startswith("--lang") else found
    return found


def _usage(error: click.ClickException, said: Words) -> int:
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "allocator"
    return _tell(f"{usage_message(error, said)}\n{said.text('error.try_help', command=path)}", command_tools.USAGE)


def _tell(message: str, code: int) -> int:
    """Say something on stderr and hand the exit code on."""
    with contextlib.suppress(OSError):
        tell(f"allocator: {message}")
    return code
