"""Assumptions and estimates as blocks, and as plain values: every figure with its source."""

from __future__ import annotations

import math

from allocator.assumptions import Assumptions
from allocator.estimation import Estimate, Note
from allocator.framework import Framework
from allocator.i18n import DASH, Words
from allocator.provenances import class_mean, class_volatility, provenance
from allocator.reporting.blocks import Block, Blocks, Column, Heading, Line, Table
from allocator.reporting.jsonvalues import Json, plain, records
from allocator.reporting.tables import columns, rows_of


def assumption_blocks(a: Assumptions, framework: Framework, words: Words) -> Blocks:
    """Everything a table of assumptions says: factors, correlations, classes of a framework, references.

    Parameters
    ----------
    a
        The assumptions; classes of the framework that they say nothing on are left out.
    framework
        Names the classes, and says how liquid they are.
    words
        The language.
    """
    head: list[Block] = [
        Heading(words.name(a)),
        Line(
            words.text(
                "assumed.summary",
                name=a.name,
                rate=words.percent(a.borrowing_rate),
                source=a.borrowing_source,
                years=words.number(a.years, 0),
            ),
            "dim",
        ),
    ]
    if a.correlation.repaired:
        head.append(Line(words.text("assumed.repaired", change=a.correlation.repaired), "warn"))
    return (
        *head,
        _factors(a, framework, words),
        _correlations(
            [asset_name(n, words, framework) for n in a.correlation.order],
            a.correlation.rows,
            a.correlation.source,
            words,
        ),
        _classes(a, framework, words),
        _sources(a, framework, words),
        *(Line(f"[{mark}] {text}", "dim") for mark, text in a.references.items()),
    )


def estimate_blocks(estimate: Estimate, framework: Framework, words: Words) -> Blocks:
    """What was estimated from price histories, and everything that was done to them.

    Parameters
    ----------
    estimate
        From `allocator.estimate`.
    framework
        Names the classes; an asset that it has no class for keeps its code.
    words
        The language.
    """
    head = words.text(
        "estimate.summary",
        years=words.number(estimate.years),
        periods=words.number(estimate.periods_per_year, 0),
        shrinkage=words.percent(estimate.shrinkage),
    )
    rows = tuple(
        (
            asset_name(str(r["asset"]), words, framework),
            f"{r['observations']:,}",
            words.text("assumed.from_to", first=r["first"], last=r["last"]),
            words.text("assumed.plus_minus", value=words.percent(r["mean"]), error=words.percent(r["standard_error"])),
            words.percent(r["volatility_given"]),
            words.percent(r["volatility_sample"]),
            words.percent(r["volatility"]),
        )
        for r in rows_of(estimate.table)
    )
    heads = (
        *columns(words, asset_class="text"),
        *(
            Column(words.text(f"assumed.head_{name}"), "number", spare=spare)
            for name, spare in (
                ("returns", 2),
                ("dates", 3),
                ("mean", 0),
                ("given", 1),
                ("sample", 0),
                ("shrunk", 0),
            )
        ),
    )
    r = estimate.correlation
    return (
        Heading(words.text("estimate.title")),
        Line(head, "dim"),
        Table(words.text("estimate.figures"), heads, rows),
        _correlations(
            [asset_name(str(c), words, framework) for c in r.columns],
            tuple(map(tuple, r.to_numpy().tolist())),
            "",
            words,
        ),
        *(
            Line(note_sentence(n, words, framework), "warn" if n.code in ("few_years", "repaired") else "")
            for n in estimate.notes
        ),
    )


def assumption_json(a: Assumptions, framework: Framework) -> Json:
    """Assumptions as one object: every figure with its source, as in `provenance`; no language in it."""
    table = provenance(a, framework)
    references = {r["name"]: r["source"] for r in rows_of(table[table["part"] == "reference"])}
    return {
        "schema": "allocator-assumptions/1",
        "name": a.name,
        "en": a.en,
        "zh": a.zh,
        "repaired": a.correlation.repaired or None,
        "figures": records(table[table["part"] != "reference"]),
        "references": references,
    }


def estimate_json(estimate: Estimate, framework: Framework, words: Words) -> Json:
    """An estimate as one object: the table, the matrices, and the notes with their sentences. NaN is None."""
    return {
        "years": estimate.years,
        "periods_per_year": estimate.periods_per_year,
        "shrinkage": estimate.shrinkage,
        "assets": records(estimate.table),
        "covariance": plain(estimate.covariance.to_numpy()),
        "correlation": plain(estimate.correlation.to_numpy()),
        "notes": [{"note": n.code, **n.data, "message": note_sentence(n, words, framework)} for n in estimate.notes],
    }


def note_sentence(note: Note, words: Words, framework: Framework) -> str:
    """One thing that was done to the data, as a sentence."""
    say = {}
    for key, value in note.data.items():
        if key in ("asset", "one", "two"):
            say[key] = asset_name(str(value), words, framework)
        elif key in ("rows", "used"):
            say[key] = words.number(float(value), 0)
        elif note.code == "repaired" or key == "autocorrelation":
            say[key] = words.number(float(value), 3)
        else:
            say[key] = words.number(float(value)) if key == "years" else words.percent(float(value))
    return words.text(f"estimate.{note.code}", **say)


def asset_name(name: str, words: Words, framework: Framework) -> str:
    """Name of a factor, or of the class that has one of its own; what has no name keeps its code."""
    if name.startswith("factor:") or f"factor.{name}" in words.table:
        bare = name.removeprefix("factor:")
        return words.get(f"factor.{bare}", bare)
    code = name.removesuffix("_estimated")
    said = words.name(framework.classes[code]) if code in framework.classes else code
    return words.text("assumed.estimated", name=said) if name != code else said


def _factors(a: Assumptions, framework: Framework, words: Words) -> Table:
    rows = tuple(
        (
            asset_name(name, words, framework),
            words.percent(f.mean),
            words.percent(f.volatility),
            f.mean_source or f.source,
            f.volatility_source or f.source,
        )
        for name, f in a.factors.items()
    )
    heads = (
        Column(words.text("assumed.head_asset"), "text"),
        Column(words.text("assumed.head_mean"), "number"),
        Column(words.text("head.volatility"), "number"),
        Column(words.text("assumed.head_mean_source"), "sentence"),
        Column(words.text("assumed.head_volatility_source"), "sentence"),
    )
    return Table(words.text("assumed.factors"), heads, rows)


def _correlations(names: list[str], matrix: tuple[tuple[float, ...], ...], source: str, words: Words) -> Table:
    """The lower triangle."""
    rows = tuple(
        (names[i], *(words.number(matrix[i][j], 2) if j <= i else "" for j in range(len(names))))
        for i in range(len(names))
    )
    heads = (
        Column(words.text("assumed.head_asset"), "text"),
        *(Column(n, "number", spare=k) for k, n in enumerate(names)),
    )
    return Table(words.text("assumed.correlations"), heads, rows, more=source)


def _classes(a: Assumptions, framework: Framework, words: Words) -> Table:
    rows = []
    for code, k in framework.classes.items():
        c = a.classes.get(k.assumption or code)
        if c is None:
            continue
        market = class_volatility(a, c)
        rows.append(
            (
                words.name(k),
                words.percent(class_mean(a, c)),
                words.percent(market),
                words.percent(c.idiosyncratic) if c.idiosyncratic else DASH,
                words.percent(math.hypot(market, c.idiosyncratic)),
                words.text(f"liquidity.{k.liquidity}"),
            )
        )
    heads = (
        *columns(words, asset_class="text"),
        Column(words.text("assumed.head_mean"), "number"),
        Column(words.text("assumed.head_market"), "number"),
        Column(words.text("assumed.head_own"), "number"),
        Column(words.text("assumed.head_one"), "number"),
        Column(words.text("head.liquidity"), "label", spare=1),
    )
    return Table(words.text("assumed.classes"), heads, tuple(rows), more=words.text("assumed.classes_note"))


def _sources(a: Assumptions, framework: Framework, words: Words) -> Table:
    names = {k.assumption or code: words.name(k) for code, k in framework.classes.items()}
    rows = tuple((names.get(code, code), c.source) for code, c in a.classes.items())
    return Table(words.text("assumed.class_sources"), columns(words, asset_class="text", where_from="sentence"), rows)
