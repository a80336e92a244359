"""Commands that study one client or a book beyond check and plan; every one returns its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from allocator.command_tools import NOTHING, OK, analysed, only, print_blocks, print_json, progress, told_code
from allocator.errors import InputError
from allocator.i18n import LANGUAGES, Words, words

if TYPE_CHECKING:
    import pandas as pd

    from allocator.analysis import Analysis
    from allocator.book import Book
    from allocator.past_years import PastYears

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
    return told_code(analysis)


def stress(said: Words, scenarios: str, show_scenarios: bool, **options: Any) -> int:
    """``allocator stress``: what named scenarios cost, leave and break."""
    from allocator import stresses
    from allocator.reporting.jsonstress import stress_json
    from allocator.reporting.stress import scenario_blocks, stress_overview, stress_sheet

    book, analysis = analysed(said, options)
    if not len(analysis):
        return _nobody(said, analysis, book)
    found, one = stresses.stress(analysis, scenarios), only(analysis)
    if options["json"]:
        print_json(stress_json(found, said, client=one, counts=book.counts))
    elif show_scenarios:
        print_blocks(scenario_blocks(found, said))
    else:
        print_blocks(stress_overview(found, said) if one is None else stress_sheet(found, one, said))
    return told_code(analysis)


def risk(said: Words, goals: str | None, past: str | None, **options: Any) -> int:
    """``allocator risk``: how bad years look, where the volatility comes from, and how likely goals are missed."""
    from allocator.reporting.jsonrisks import risk_json
    from allocator.reporting.risks import risk_overview, risk_sheet
    from allocator.risk_measures import measure_risk

    asked = {"horizon": options["horizon"], "level": options["level"]}
    wanted = None if goals is None else _goals(goals, options["client"])
    years = None if past is None else _past(past)
    book, analysis = analysed(said, options)
    one = only(analysis)
    with progress(said, "analysing"):
        found = measure_risk(analysis, goals=wanted, past=years, **asked)
    if options["json"]:
        print_json(risk_json(found, said, client=one, counts=book.counts))
    else:
        print_blocks(risk_overview(found, said) if one is None else risk_sheet(found, one, said))
    return told_code(analysis)


def _goals(file: str, client: str | None) -> pd.DataFrame:
    """Read goals, of one client where one is asked for; ids as text, and the reserve by its name in any language."""
    from allocator.cells import clean_text
    from allocator.goals import NEEDED, RESERVE
    from allocator.validate import header_key

    table = _csv(file)
    table.columns = table.columns.map(header_key)
    missing = [c for c in NEEDED if c not in table.columns]
    if missing:
        raise InputError(f"{Path(file).name}: no column {', '.join(missing)}; needed: {', '.join(NEEDED)}")
    names = {words(lang).text("risk.goal_reserve"): RESERVE for lang in LANGUAGES}
    ids, goals = (clean_text(table[c], fold=True)[0] for c in ("client_id", "goal"))
    table = table.assign(client_id=ids, goal=goals.replace(names))
    return table if client is None else table[table["client_id"] == client].reset_index(drop=True)


def _past(file: str) -> PastYears:
    """Read years of the past: a CSV with the years in its first column, or a TOML file."""
    from allocator.past_years import load_past

    if not (file.lower().endswith((".csv", ".csv.gz")) and Path(file).is_file()):
        return load_past(file)
    table = _csv(file)
    return load_past(table.set_index(table.columns[0]))


def _csv(file: str) -> pd.DataFrame:
    """A small table of one's own as text; a row that cannot be taken apart is refused."""
    from allocator.importers.delimited import existing_file, parse, read_bytes
    from allocator.validate import header_key

    path = existing_file(file)
    if path.is_dir():
        raise InputError(f"{path.name}: a directory; give a CSV file")
    raw = parse(read_bytes(path), path.name, "clients")
    twice = raw.frame.columns[raw.frame.columns.map(header_key).duplicated()]
    if len(twice):
        raise InputError(f"{path.name}: the column {twice[0]} comes twice; keep one of them")
    if raw.lost:
        rows = ", ".join(str(r) for r in raw.issues.loc[raw.issues["code"] != "encoding", "row"].head(5))
        raise InputError(f"{path.name}: too many or too few cells in row {rows}; every row needs those of the header")
    return raw.frame[(raw.frame.map(str.strip) != "").any(axis=1)].reset_index(drop=True)


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


def household(said: Words, **options: Any) -> int:
    """``allocator household``: reserve, firewall test, protection gap, one industry twice."""
    from allocator import households
    from allocator.reporting.household import household_json, household_overview, household_sheet

    book, analysis = analysed(said, options)
    if not len(analysis):
        return _nobody(said, analysis, book)
    found, one = households.household(analysis), only(analysis)
    if options["json"]:
        print_json(household_json(found, said, client=one, counts=book.counts))
    else:
        print_blocks(household_overview(found, said) if one is None else household_sheet(found, one, said))
    return told_code(analysis)


def _nobody(said: Words, analysis: Analysis, book: Book) -> int:
    """JSON of a book in which nobody is left: the issues, and where the rows went."""
    from allocator.reporting.jsonout import check_json

    print_json(check_json(analysis, said, counts=book.counts))
    return NOTHING
