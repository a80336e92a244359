"""The wiring: which stage follows which. No arithmetic lives here."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Final, Literal, NotRequired, TypedDict, Unpack

import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.book import Book
from allocator.build import build_positions
from allocator.concentration import concentrate
from allocator.errors import ConfigError
from allocator.exposures import expose
from allocator.framework import Framework, load_framework
from allocator.issues import concat
from allocator.limits import Limit, OwnLimit, limit_list
from allocator.measure_limits import Measured, evaluate
from allocator.plan import Objective, Plan
from allocator.positions import Positions
from allocator.risk import assess
from allocator.typing import FloatArray

Preset = str | os.PathLike[str]
GOALS: Final = ("target", "return")
ENGINES: Final = ("auto", "book", "client")
BOOK_FROM: Final = 300
"""Clients from which on the book engine is taken by itself: it takes a second to load."""


class How(TypedDict):
    """How plans are made; see `rebalance`."""

    hard: NotRequired[bool]
    engine: NotRequired[Literal["auto", "book", "client"]]



class Kept(TypedDict):
    """What an analysis carries along; see `measure`."""

    on: dt.date
    issues: pd.DataFrame
    unit: NotRequired[FloatArray | None]
    own: NotRequired[Sequence[Limit]]


def analyze(
    book: Book,
    framework: Preset | Framework = "classic",
    *,
    assumptions: Preset | Assumptions | None = None,
    band: str | None = None,
    on: dt.date | None = None,
    limits: Sequence[OwnLimit] = (),
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
    limits
        Limits of your own, made with `allocator.limit`; they are measured, planned and certified like the framework's.

    Returns
    -------
    Analysis

    Raises
    ------
    ConfigError
        Framework, assumptions, band or a limit of your own are wrong; the message names what is allowed.
    """
    framework = load_framework(framework)
    table = load_assumptions(framework.assumptions if assumptions is None else assumptions)
    on = dt.date.today() if on is None else on
    own = limit_list(framework, limits)[len(limit_list(framework)) :]
    positions, issues = build_positions(book, framework, band=band, on=on)
    return measure(positions, framework, table, on=on, issues=concat([book.issues, issues]), own=own)


def measure(
    positions: Positions,
    framework: Framework,
    assumptions: Assumptions,
    **kept: Unpack[Kept],
) -> Analysis:
    """Measure positions that are already numbers: today's, or those after a plan.

    Parameters
    ----------
    positions, framework, assumptions
        As the result carries them.
    **kept
        ``on`` and ``issues``, as the result carries them; ``unit``: per client, what excesses are a fraction of
        (default the total); ``own``: users' own limits, as `Analysis.own` keeps them (default none).
    """
    own = tuple(kept.get("own", ()))
    exposures = expose(positions, framework)
    table = risk_table(framework, assumptions)
    risk = assess(positions, exposures, table, framework.flag("inside"))
    measured = Measured(positions, exposures, risk, table, framework)
    return Analysis(
        positions=positions,
        exposures=exposures,
        concentration=concentrate(positions, exposures, framework),
        risk=risk,
        limit_table=evaluate(measured, limit_list(framework, own), kept.get("unit")),
        framework=framework,
        assumptions=assumptions,
        issues=kept["issues"],
        on=kept["on"],
        own=own,
    )


def rebalance(
    analysis: Analysis,
    *,
    allow_unclassified: bool = False,
    explain: bool = True,
    goal: Literal["target", "return"] = "target",
    objectives: Sequence[Objective] = (),
    **how: Unpack[How],
) -> Plan:
    """Plan trades for every client of an analysis.

    Parameters
    ----------
    analysis
        From `analyze`. It is not changed.
    allow_unclassified
        Plan clients with holdings that nothing matched as well; those holdings stay outside the total.
    explain
        Price what holds each plan back, and plan under the other mode of suitability; without, plans come several times
        faster.
    goal
        ``target``: closest to the target mix; ``return``: the highest expected return inside the band, its costs spread
        over the `return_years` of the framework.
    objectives
        Your own terms of the objective, made with `allocator.objective`.
    **how
        ``hard``: no limit may be exceeded; who cannot have that is ``infeasible``, and ``conflicts`` says why.
        ``engine``: ``"client"`` plans one client after the other, ``"book"`` all at once, some hundred times faster,
        without explanations; both carry out the same programme, and each plan is certified. ``"auto"`` (the default)
        takes the book engine for `BOOK_FROM` clients and more where nothing is to be explained. What the book engine
        does not carry (CVaR, tracking, terms and objectives of your own, hard mode) it leaves to the other one, never
        out.

    Returns
    -------
    Plan
        With a certificate for every plan; a client who cannot be planned has a status that says why.

    Raises
    ------
    ConfigError
        An unknown goal or engine, or explanations asked of the book engine.
    """
    engine = how.get("engine", "auto")
    for what, said, allowed in (("goal", goal, GOALS), ("engine", engine, ENGINES)):
        if said not in allowed:
            raise ConfigError(f"unknown {what} '{said}'; allowed: {', '.join(allowed)}")
    if engine == "book" and explain:
        raise ConfigError("the book engine explains nothing; ask for explain=False, or for engine='client'")
    from allocator.rebalance.outcome import assemble
    from allocator.rebalance.planner import Planner
    from allocator.rebalance.problem import Aim

    aim = Aim(goal=goal, hard=how.get("hard", False), objectives=tuple(objectives))
    planner = Planner(analysis, allow_unclassified, explain, aim)

    def again(positions: Positions, unit: FloatArray) -> Analysis:
        return measure(
            positions,
            analysis.framework,
            analysis.assumptions,
            on=analysis.on,
            issues=analysis.issues,
            unit=unit,
            own=analysis.own,
        )

    if engine == "book" or (engine == "auto" and not explain and len(analysis) >= BOOK_FROM):
        from allocator.rebalance.book.engine import plan_book

        found = plan_book(planner, again)
        if found is not None:
            return found
    return assemble(analysis, [planner.plan(i) for i in range(len(analysis))], again)
