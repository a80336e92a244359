"""Commands that study one client or a book beyond check and plan; every one returns its exit code."""

from __future__ import annotations

from typing import Any, Final

import click

from allocator.command_tools import OK, analysed, only, print_blocks, print_json, progress
from allocator.i18n import Words

POINTS: Final = 20
"""Points of a frontier when nobody says how many."""


def frontier(said: Words, points: int | None, **options: Any) -> int:
    """``allocator frontier``: the best expected return for each volatility, for one client."""
    from allocator import frontiers
    from allocator.reporting.frontier import frontier_json, frontier_sheet

    _, analysis = analysed(said, options)
    one = only(analysis)
    if one is None:
        raise click.UsageError(said.text("error.one_client"))
    with progress(said, "planning"):
        found = frontiers.frontier(analysis, one, points=POINTS if points is None else points)
    if options["json"]:
        print_json(frontier_json(found, analysis, said))
    else:
        print_blocks(frontier_sheet(found, analysis, said))
    return OK


def stress(said: Words, scenarios: str, show_scenarios: bool, **options: Any) -> int:
    """``allocator stress``: what named scenarios cost, leave and break."""
    from allocator import stresses
    from allocator.reporting.jsonstress import stress_json
    from allocator.reporting.stress import scenario_blocks, stress_overview, stress_sheet

    book, analysis = analysed(said, options)
    found, one = stresses.stress(analysis, scenarios), only(analysis)
    if options["json"]:
        print_json(stress_json(found, said, client=one, counts=book.counts))
    elif show_scenarios:
        print_blocks(scenario_blocks(found, said))
    else:
        print_blocks(stress_overview(found, said) if one is None else stress_sheet(found, one, said))
    return OK


def assumptions_show(said: Words, name: str | None, json: bool) -> int:
    """``allocator assumptions show``: every figure on return and risk, with its source."""
    from allocator.assumptions import load_assumptions
    from allocator.framework import load_framework
    from allocator.reporting.assumed import assumption_blocks, assumption_json

    framework = load_framework()
    table = load_assumptions(framework.assumptions if name is None else name)
    if json:
        print_json(assumption_json(table, framework))
    else:
        print_blocks(assumption_blocks(table, framework, said))
    return OK
