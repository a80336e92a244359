"""The wiring: which stage follows which. No arithmetic lives here."""

from __future__ import annotations

import datetime as dt
import os

import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.book import Book
from allocator.concentration import concentrate
from allocator.exposures import expose
from allocator.framework import Framework, load_framework
from allocator.issues import concat
from allocator.limits import evaluate
from allocator.plan import Plan
from allocator.positions import Positions, build_positions
from allocator.risk import assess
from allocator.typing import FloatArray

Preset = str | os.PathLike[str]


def analyze(
    book: Book,
    framework: Preset | Framework = "classic",
    *,
    assumptions: Preset | Assumptions | None = None,
    band: str | None = None,
    on: dt.date | None = None,
) -> Analysis:
    """Sort, measure and score every client of a book.

    Parameters
    ----------
    book
        From `read_book`. It is not changed.
    framework
        Preset name, path of a TOML file, or a framework.
    assumptions
        The same for the assumptions; default: those that the framework names.
    band
        One risk band for every client, over what the book says.
    on
        Day of the analysis, default today; it decides which locks still hold.

    Returns
    -------
    Analysis

    Raises
    ------
    ConfigError
        Framework, assumptions or band are wrong; the message names file, key and allowed values.
    """
    framework = load_framework(framework)
    table = load_assumptions(framework.assumptions if assumptions is None else assumptions)
    on = dt.date.today() if on is None else on
    positions, issues = build_positions(book, framework, band=band, on=on)
    return measure(positions, framework, table, on=on, issues=concat([book.issues, issues]))


def measure(
    positions: Positions,
    framework: Framework,
    assumptions: Assumptions,
    *,
    on: dt.date,
    issues: pd.DataFrame,
    unit: FloatArray | None = None,
) -> Analysis:
    """Measure positions that are already numbers: today's, or those after a plan.

    Parameters
    ----------
    positions, framework, assumptions, on, issues
        As the result carries them.
    unit
        Per client, what excesses are a fraction of; default the total.
    """
    exposures = expose(positions, framework)
    risk = assess(positions, exposures, risk_table(framework, assumptions), framework.flag("inside"))
    return Analysis(
        positions=positions,
        exposures=exposures,
        concentration=concentrate(positions, exposures, framework),
        risk=risk,
        limit_table=evaluate(positions, exposures, risk, framework, unit),
        framework=framework,
        assumptions=assumptions,
        issues=issues,
        on=on,
    )


def rebalance(analysis: Analysis, *, allow_unclassified: bool = False) -> Plan:
    """Plan trades for every client of an analysis.

    Parameters
    ----------
    analysis
        From `analyze`. It is not changed.
    allow_unclassified
        Plan clients with holdings that nothing matched as well; those holdings stay outside the total.

    Returns
    -------
    Plan
        With a certificate for every plan; a client who cannot be planned has a status that says why.
    """
    from allocator.rebalance.outcome import assemble
    from allocator.rebalance.planner import Planner

    planner = Planner(analysis, allow_unclassified)
    plans = [planner.plan(i) for i in range(len(analysis))]

    def again(positions: Positions, unit: FloatArray) -> Analysis:
        return measure(
            positions, analysis.framework, analysis.assumptions, on=analysis.on, issues=analysis.issues, unit=unit
        )

    return assemble(analysis, plans, again)
