"""A framework as blocks: bands, limits, classes and rules, each with its source."""

from __future__ import annotations

import math

from allocator.framework import OWN_USE, Framework, Span
from allocator.i18n import DASH, Words
from allocator.reporting.blocks import Block, Blocks, Column, Heading, Line, Table
from allocator.reporting.sentences import MONTHS, amount_of, heading, limit_name
from allocator.reporting.tables import columns


def framework_blocks(f: Framework, words: Words) -> Blocks:
    """Everything a framework says, as tables."""
    head: list[Block] = [
        Heading(words.name(f)),
        Line(
            words.text(
                "framework.summary",
                name=f.name,
                currency=f.currency,
                assumptions=f.assumptions,
                band=words.name(f.bands[f.default_band]),
            ),
            "dim",
        ),
    ]
    return (
        *head,
        _bands(f, words),
        _targets(f, words),
        _limits(f, words),
        *_floors(f, words),
        *_models(f, words),
        _rules(f, words),
        _classes(f, words),
        Heading(words.text("title.more")),
        *_notes(f, words),
        _sources(f, words),
    )


def _band_columns(f: Framework, words: Words) -> tuple[Column, ...]:
    return tuple(Column(words.name(b), "number") for b in f.bands.values())


def _bands(f: Framework, words: Words) -> Table:
    rows = tuple(
        (
            words.name(b),
            words.percent(b.volatility, 0),
            f"R{b.product_risk}",
            words.percent(b.satellite, 0),
            _labels(f, code),
        )
        for code, b in f.bands.items()
    )
    heads = columns(words, band="label", volatility="number", product_risk="number", satellite="number", label="text")
    return Table(words.text("title.bands"), heads, rows)


def _labels(f: Framework, band: str) -> str:
    return ", ".join([band, *(word for word, code in f.labels.items() if code == band)])


def _targets(f: Framework, words: Words) -> Table:
    parts = [(words.name(b), [band.buckets[code] for band in f.bands.values()]) for code, b in f.buckets.items()]
    parts += [
        (words.name(g), [band.groups.get(code, Span()) for band in f.bands.values()]) for code, g in f.groups.items()
    ]
    rows = tuple((name, *(_span(s, words) for s in spans)) for name, spans in parts)
    return Table(words.text("title.targets"), (*columns(words, bucket="text"), *_band_columns(f, words)), rows)


def _span(span: Span, words: Words) -> str:
    """Target, then the band where there is one: ``30% (20–50%)``."""
    target = words.percent(span.target, 0)
    if span.low is None and span.high is None:
        return target
    if span.high is None or span.high >= 1:
        return f"{target} ({words.text('bound.at_least', bound=words.percent(span.low or 0.0, 0))})"
    return f"{target} ({words.span(span.low or 0.0, span.high)})"


def _limits(f: Framework, words: Words) -> Table:
    names = dict.fromkeys(n for b in f.bands.values() for n in b.limits)
    rows = [
        (heading(limit_name(n, f, words)), *(words.percent(b.limits.get(n, math.nan), 0) for b in f.bands.values()))
        for n in names
    ]
    months = f"{words.number(f.reserve.months, 0)} / {words.number(f.reserve.months_owner, 0)}"
    rows.append(
        (words.text("framework.reserve_row", reserve=heading(limit_name(MONTHS, f, words))), *(months for _ in f.bands))
    )
    return Table(
        words.text("title.band_limits"), (*columns(words, limit="text"), *_band_columns(f, words)), tuple(rows)
    )


def _floors(f: Framework, words: Words) -> list[Block]:
    """Least shares, where any band has one."""
    names = dict.fromkeys(n for b in f.bands.values() for n in b.floors)
    rows = tuple(
        (heading(limit_name(n, f, words)), *(words.percent(b.floors.get(n, math.nan), 0) for b in f.bands.values()))
        for n in names
    )
    heads = (*columns(words, limit="text"), *_band_columns(f, words))
    return [Table(words.text("title.floors"), heads, rows)] if rows else []


def _models(f: Framework, words: Words) -> list[Block]:
    """Model portfolios, where any band has one."""
    names = dict.fromkeys(n for b in f.bands.values() for n in b.model)
    rows = tuple(
        (words.name(f.classes[n]), *(words.percent(b.model.get(n, math.nan), 0) for b in f.bands.values()))
        for n in names
    )
    heads = (*columns(words, asset_class="text"), *_band_columns(f, words))
    return [Table(words.text("title.models"), heads, rows)] if rows else []


def _rules(f: Framework, words: Words) -> Table:
    def level(name: str, value: float, owner: float | None) -> str:
        text = amount_of(name, value, words)
        return (
            text if owner is None else words.text("framework.or_owner", value=text, owner=amount_of(name, owner, words))
        )

    rows = tuple(
        (words.name(r), level(n, r.lo, r.lo_owner), level(n, r.hi, r.hi_owner), words.number(r.weight, 2))
        for n, r in f.rules.items()
    )
    heads = columns(words, rule="text", counts_from="number", extreme_at="number", weight="number")
    return Table(words.text("title.rules"), heads, rows)


def _classes(f: Framework, words: Words) -> Table:
    names = {code: words.name(b) for code, b in f.buckets.items()} | {OWN_USE: words.text("outside.own_use")}
    rows = tuple(
        (
            words.name(c),
            code,
            names[c.bucket],
            words.text(f"liquidity.{c.liquidity}"),
            f"R{c.risk}",
            f"{words.percent(c.buy_cost, 2)} / {words.percent(c.sell_cost, 2)}",
            words.percent(c.tax, 0),
        )
        for code, c in f.classes.items()
    )
    heads = (
        *columns(words, asset_class="text", code="label", bucket="label", liquidity="label", risk="number"),
        Column(words.text("head.costs"), "number", spare=1),
        Column(words.text("head.gains_tax"), "number", spare=2),
    )
    return Table(words.text("title.classes"), heads, rows)


def _notes(f: Framework, words: Words) -> list[Block]:
    insured = [words.money(v, k) for k, v in f.insured_deposit.items() if not isinstance(v, str)]
    grades = ", ".join(f"{words.get(f'grade.{g}', g)} {words.number(s, 0)}" for g, s in f.grades.items())
    return [
        Line(
            words.text(
                "framework.reserve_source",
                months=words.number(f.reserve.months, 0),
                months_owner=words.number(f.reserve.months_owner, 0),
                source=f.reserve.source,
            )
        ),
        Line(
            words.text(
                "framework.drift",
                absolute=words.number(f.drift.absolute * 100, 0),
                relative=words.percent(f.drift.relative, 0),
                source=f.drift.source,
            )
        ),
        Line(words.text("framework.grades", grades=grades)),
        Line(
            words.text(
                "framework.insured", amounts=", ".join(insured) or DASH, source=f.insured_deposit.get("source", "")
            )
        ),
    ]


def _sources(f: Framework, words: Words) -> Table:
    parts = [
        (words.text("head.band"), f.bands),
        (words.text("head.rule"), f.rules),
        (words.text("head.asset_class"), f.classes),
    ]
    rows = [(kind, words.name(x), x.source) for kind, group in parts for x in group.values()]  # type: ignore[attr-defined]
    return Table(
        words.text("title.sources"), columns(words, kind="label", name="text", where_from="sentence"), tuple(rows)
    )
