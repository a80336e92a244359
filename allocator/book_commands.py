"""Commands on a whole book: ``allocator book``, ``calls`` and ``whatif``; every one returns its exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from allocator.cli_words import Spoken, a_count, command
from allocator.command_tools import (
    EXTRA_TABLES,
    INTAKE,
    NOTHING,
    OK,
    SET_ASIDE,
    analysed,
    exit_code,
    print_blocks,
    print_json,
    progress,
    told_code,
)
from allocator.i18n import Words

if TYPE_CHECKING:
    import pandas as pd

    from allocator.analysis import Analysis
    from allocator.plan import Plan
    from allocator.whole_book.facts import BookFacts, Source

FIRST: Final = {"book": 10, "calls": 25, "whatif": 15}
"""Clients that each command shows on a terminal when nobody says how many; JSON has all."""
MOST: Final = 100_000
Params = Sequence[click.Parameter]


def book_commands(said: Words, book: Params) -> list[Spoken]:
    """Make the commands.

    Parameters
    ----------
    said
        The language.
    book
        Options of commands that read a book.
    """
    every = [o for o in book if o.name != "client"]
    plan = click.Option(["--plan"], is_flag=True, help=_help(said, "plan"))
    top = _option(said, "top", metavar="N", callback=a_count(said, MOST))
    advisor, tier = _option(said, "advisor", metavar="NAME"), _option(said, "tier", metavar="NAME")
    rules = _option(said, "rules", metavar="NAME|FILE", default="standard")
    ledger = _option(said, "ledger", metavar="FOLDER|URL")
    files = [_option(said, n, metavar="NAME|FILE") for n in ("new_framework", "new_assumptions")]
    shock = [
        _option(said, "new_band", metavar="BAND"),
        _option(said, "shock", metavar="NAME"),
        _option(said, "scenarios", metavar="NAME|FILE", default="standard"),
    ]
    made: dict[str, tuple[Callable[..., int], Params]] = {
        "book": (show_book, [*every, plan, advisor, tier, top, rules, ledger]),
        "calls": (show_calls, [*every, plan, advisor, tier, top, rules, ledger]),
        "whatif": (show_whatif, [*every, *files, *shock, plan, top]),
    }
    return [command(said, n, partial(f, said), params, f"help.whole_book.{n}") for n, (f, params) in made.items()]


def show_book(said: Words, advisor: str | None, tier: str | None, rules: str, **options: Any) -> int:
    """``allocator book``: the page of a whole book, or of one advisor's part of it."""
    from allocator.reporting.book_page import book_blocks
    from allocator.reporting.jsonbook import book_json
    from allocator.whole_book.calls import call_list, load_call_rules
    from allocator.whole_book.view import book_view

    load_call_rules(rules)  # a wrong file is told before the book is read
    read = _read(said, options)
    view = book_view(read.result, advisor=advisor, tier=tier)
    calls = call_list(view.facts, rules=rules, reviews=_reviews(view.facts, options))
    top = options["top"]
    if options["json"]:
        print_json(book_json(view, said, calls if top is None else calls.top(top), read.counts))
    else:
        print_blocks(book_blocks(view, said, calls.top(FIRST["book"] if top is None else top)))
    return read.code if read.analysis is None else exit_code(read.analysis, read.plan)


def show_calls(said: Words, advisor: str | None, tier: str | None, rules: str, **options: Any) -> int:
    """``allocator calls``: which clients need their advisor first, and why."""
    from allocator.reporting.call_page import call_blocks
    from allocator.reporting.jsonbook import calls_json
    from allocator.whole_book.calls import call_list, load_call_rules
    from allocator.whole_book.facts import facts

    load_call_rules(rules)
    read = _read(said, options)
    book = facts(read.result)
    calls = call_list(book, rules=rules, advisor=advisor, tier=tier, reviews=_reviews(book, options))
    top = options["top"]
    if options["json"]:
        print_json(calls_json(calls, said, top, read.counts))
    else:
        print_blocks(call_blocks(calls, said, FIRST["calls"] if top is None else top))
    return read.code


def show_whatif(
    said: Words, new_framework: str | None, new_assumptions: str | None, new_band: str | None, **options: Any
) -> int:
    """``allocator whatif``: what changes for whom under something else."""
    from allocator.framework import load_framework
    from allocator.pipeline import analyze
    from allocator.reporting.compare_page import compare_blocks
    from allocator.reporting.jsonbook import compare_json
    from allocator.scenarios import load_scenarios
    from allocator.whole_book.compare import compare
    from allocator.whole_book.shocked import shocked

    if new_framework is new_assumptions is new_band is options["shock"] is None:
        raise click.UsageError(said.text("error.whole_book.nothing_new"))
    other = load_framework(options["framework"] if new_framework is None else new_framework)
    book, before = analysed(said, {**options, "client": None})
    told = options["assumptions"] if new_assumptions is None else new_assumptions
    band = options["band"] if new_band is None else new_band
    with progress(said, "analysing"):
        after = analyze(book, other, assumptions=told, band=band, on=before.on)
        if options["shock"] is not None:
            after = shocked(after, options["shock"], options["scenarios"])
    found = compare(_planned(said, before, options), _planned(said, after, options))
    top = options["top"]
    if options["json"]:
        print_json(compare_json(found, said, top, book.counts))
    else:
        change: tuple[str, ...] = () if new_band is None else (new_band,)
        if options["shock"] is not None:
            scenario = load_scenarios(options["scenarios"]).scenarios[options["shock"]]
            change += (said.name(scenario),)
        print_blocks(compare_blocks(found, said, FIRST["whatif"] if top is None else top, change))
    return told_code(before)


@dataclass(frozen=True)
class _Read:
    """What a command looks at, where its rows went, and the exit code of a list that judges nobody."""

    result: Source
    code: int
    counts: pd.DataFrame | None = None
    analysis: Analysis | None = None
    plan: Plan | None = None


def _read(said: Words, options: dict[str, Any]) -> _Read:
    """A book, or what a run has left in a folder."""
    from allocator.issues import ERROR
    from allocator.whole_book.tables import facts_of_run, is_run

    if options["file"] != "-" and is_run(options["file"]):
        if options["plan"]:
            raise click.UsageError(said.text("error.whole_book.run_is_read"))
        source = click.get_current_context().get_parameter_source
        for name in (*INTAKE, *EXTRA_TABLES):
            if source(name) is ParameterSource.COMMANDLINE:
                option = "--param" if name == "params" else f"--{name.replace('_', '-')}"
                raise click.UsageError(said.text("error.intake.of_run", option=option))
        named = source("framework") is ParameterSource.COMMANDLINE
        with progress(said, "reading"):
            found = facts_of_run(options["file"], options["framework"] if named else None, on=options["day"])
        aside = bool((found.issues["severity"] == ERROR).any())
        return _Read(found, SET_ASIDE if aside else OK if len(found) else NOTHING)
    book, analysis = analysed(said, {**options, "client": None})
    result = _planned(said, analysis, options)
    plan = None if result is analysis else result
    return _Read(result, told_code(analysis), book.counts, analysis, plan)  # type: ignore[arg-type]


def _reviews(book: BookFacts, options: dict[str, Any]) -> pd.DataFrame | None:
    """When reviews are due by the ledger, where one is named."""
    if options["ledger"] is None:
        return None
    from allocator.ledger.ledger import Ledger

    return Ledger(options["ledger"]).due(book.on).table


def _planned(said: Words, analysis: Analysis, options: dict[str, Any]) -> Analysis | Plan:
    """The analysis, or its plans where they are asked for."""
    if not options["plan"]:
        return analysis
    from allocator.pipeline import rebalance

    with progress(said, "planning"):
        return rebalance(analysis, explain=False)


def _help(said: Words, key: str) -> str:
    return said.text(f"help.whole_book.{key}")


def _option(said: Words, key: str, **more: Any) -> click.Option:
    return click.Option([f"--{key.replace('_', '-')}"], help=_help(said, key), **more)
