"""The frontier of one client, as blocks and as JSON."""

from __future__ import annotations

from typing import Any

from allocator.analysis import Analysis
from allocator.frontiers import Frontier
from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Blocks, Cell, Heading, Line, Table
from allocator.reporting.jsonout import SCHEMA
from allocator.reporting.jsonvalues import records
from allocator.reporting.sentences import band_name, clean
from allocator.reporting.sheet import footer
from allocator.reporting.tables import Row, columns, rows_of


def frontier_sheet(found: Frontier, analysis: Analysis, words: Words) -> Blocks:
    """One row per point, today and the plan among them by their volatility.

    Parameters
    ----------
    found
        From `allocator.frontier`.
    analysis
        What it was made of.
    """
    i = analysis.index(found.client_id)
    band = band_name(str(analysis.positions.clients["band"].iloc[i]), analysis.framework, words)
    sentence = words.text("say.frontier", band=band, limit=words.percent(found.limit, 0))
    head, *rest = frontier_blocks(found, words)
    return (head, Line(sentence), *rest, footer(analysis, words))


def frontier_blocks(found: Frontier, words: Words) -> Blocks:
    """The same without what only the analysis knows."""
    names = {"today": words.text("head.today"), "plan": words.text("head.after")}
    lines: list[tuple[float, tuple[Cell | str, ...]]] = [
        (p["volatility"], ("", *_pair(p, words), words.percent(p["cost"]), words.percent(p["turnover"], 0)))
        for p in rows_of(found.points)
    ]
    lines += [
        (m["volatility"], (Cell(names[m["mark"]], "strong"), *_pair(m, words), DASH, DASH))
        for m in rows_of(found.marks)
    ]
    heads = columns(
        words, frontier="label", volatility="number", frontier_return="number", spent="number", turnover="number"
    )
    return (
        Heading(words.text("title.client", client=clean(found.client_id))),
        Table(words.text("title.frontier"), heads, tuple(row for _, row in sorted(lines, key=lambda line: line[0]))),
        Line(words.text("say.frontier_note"), "dim"),
    )


def _pair(row: Row, words: Words) -> tuple[str, str]:
    return words.percent(row["volatility"]), words.percent(row["expected_return"])


def frontier_json(found: Frontier, analysis: Analysis, words: Words) -> dict[str, Any]:
    """One object: points with what would be held, and the marks."""
    from allocator import __version__

    held = found.weights.groupby("point", sort=False)
    points = records(found.points)
    for point in points:
        mine = held.get_group(point["point"]).drop(columns="point")
        point["weights"] = records(mine)
    return {
        "schema": SCHEMA,
        "version": __version__,
        "framework": analysis.framework.name,
        "assumptions": analysis.assumptions.name,
        "date": analysis.on.isoformat(),
        "language": words.lang,
        "client_id": found.client_id,
        "limit": found.limit,
        "points": points,
        "marks": records(found.marks),
    }
