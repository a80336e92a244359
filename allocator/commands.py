"""What each command does, in order: read, call the library, print; every one returns its exit code.

Nothing heavy is imported until a command runs, so that help and usage errors come at once.
"""

from __future__ import annotations

import shlex
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import click

from allocator.command_tools import OK, USAGE, analysed, exit_code, known, only, print_blocks, print_json, progress
from allocator.errors import ConfigError
from allocator.i18n import Words
from allocator.reporting.blocks import Blocks, Heading, Line, Table

if TYPE_CHECKING:
    from allocator.analysis import Analysis
    from allocator.staging import Stages

DEMO_DATE: Final = date(2026, 9, 30)
"""Day of the sample book: locks are judged on it, so that the demo is the same on every day."""


def check(said: Words, **options: Any) -> int:
    """``allocator check``: the book, or one client, as they are today."""
    from allocator.reporting.jsonout import check_json
    from allocator.reporting.overview import check_overview
    from allocator.reporting.sheet import check_sheet

    book, analysis = analysed(said, options)
    one = only(analysis)
    if options["json"]:
        print_json(check_json(analysis, said, counts=book.counts))
    elif one is None:
        print_blocks(check_overview(analysis, book.counts, said))
    else:
        print_blocks(check_sheet(analysis, one, said))
    return exit_code(analysis)


def rebalance(said: Words, **options: Any) -> int:
    """``allocator rebalance``: plans for the book, or for one client; with ``--stages`` one after the other."""
    from allocator import pipeline
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import plan_sheet
    from allocator.reporting.staged import book_stages, client_stages

    _fit_together(said, options)
    book, analysis = analysed(said, options)
    allow = options["allow_unclassified"]
    with progress(said, "planning"):
        plan = pipeline.rebalance(analysis, allow_unclassified=allow, goal=options["goal"], hard=options["hard"])
    stages = _staged(said, analysis, options)
    one = only(analysis)
    if options["json"]:
        print_json(rebalance_json(plan, said, counts=book.counts, stages=stages))
    else:
        blocks = _aims(said, analysis, options)
        if one is None:
            blocks += plan_overview(plan, book.counts, said, () if stages is None else book_stages(stages, said))
        else:
            blocks += plan_sheet(plan, one, said, () if stages is None else client_stages(stages, one, said))
        print_blocks(blocks)
    return exit_code(analysis, plan if stages is None else stages.plans[-1])


def demo(said: Words, client: str | None, band: str | None, json: bool) -> int:
    """``allocator demo``: the bundled book planned, one client in full, and what to try next."""
    from allocator import pipeline
    from allocator.book import read_book
    from allocator.reporting.jsonout import rebalance_json
    from allocator.reporting.overview import plan_overview
    from allocator.reporting.sheet import plan_sheet
    from allocator.sample import sample_path

    folder = sample_path()
    with progress(said, "planning"):
        book = read_book(folder)
        one = known(book, client or str(book.clients["client_id"].iloc[0]), said)
        plan = pipeline.rebalance(pipeline.analyze(book, band=band, on=DEMO_DATE))
    if json:
        print_json(rebalance_json(plan, said, counts=book.counts))
        return OK
    intro = said.text("demo.intro", clients=len(plan), holdings=len(book.holdings))
    print_blocks(
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
        print_json(framework.model_dump(mode="json", by_alias=True))
    else:
        print_blocks(framework_blocks(framework, said))
    return OK


def framework_validate(said: Words, file: str, json: bool) -> int:
    """``allocator framework validate``: OK, or every mistake."""
    from allocator.assumptions import load_assumptions, risk_table
    from allocator.framework import load_framework

    try:
        f = load_framework(file)
        assumptions = load_assumptions(f.assumptions)
        risk_table(f, assumptions)
    except ConfigError as error:
        mistakes = str(error).splitlines()
        if json:
            print_json(_validated(mistakes))
        else:
            print_blocks((Line(said.text("framework.invalid"), "bad"), *(Line(m) for m in mistakes)))
        return USAGE
    sizes = {"classes": len(f.classes), "bands": len(f.bands), "rules": len(f.rules), "products": len(f.products)}
    if json:
        print_json(_validated([]) | {"name": f.name, "assumptions": assumptions.name} | sizes)
    else:
        text = said.text("framework.valid", file=file, name=f.name, assumptions=assumptions.name, **sizes)
        print_blocks((Line(text, "good"),))
    return OK


def _validated(mistakes: list[str]) -> dict[str, Any]:
    return {"schema": "allocator/1", "valid": not mistakes, "mistakes": mistakes}


def _fit_together(said: Words, options: dict[str, Any]) -> None:
    """Refuse options of ``rebalance`` that do not go together."""
    if options["months"] is not None and options["stages"] is None:
        raise click.UsageError(said.text("error.needs_option", option="--months", other="--stages"))
    other = "--hard" if options["hard"] else "--goal return" if options["goal"] == "return" else ""
    if options["stages"] is not None and other:
        raise click.UsageError(said.text("error.not_together", option="--stages", other=other))


def _aims(said: Words, analysis: Analysis, options: dict[str, Any]) -> Blocks:
    """What plans were asked to do, where it is not the usual."""
    years = said.number(analysis.framework.plan.return_years, 0)
    goal = [Line(said.text("say.goal_return", years=years))] if options["goal"] == "return" else []
    return (*goal, *([Line(said.text("say.hard"))] if options["hard"] else []))


def _staged(said: Words, analysis: Analysis, options: dict[str, Any]) -> Stages | None:
    """Plans in stages, where they are asked for."""
    if options["stages"] is None:
        return None
    from allocator.staging import stages

    more = {} if options["months"] is None else {"months": options["months"]}
    with progress(said, "staging"):
        return stages(analysis, periods=options["stages"], allow_unclassified=options["allow_unclassified"], **more)


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
