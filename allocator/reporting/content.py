"""A client's report as data: sections of finished text, tables and pictures, independent of format and language.

`SECTIONS` is the registry: a new section is a function and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from allocator.i18n import Words
from allocator.reporting import report_details as details
from allocator.reporting import report_first as first
from allocator.reporting.blocks import Block, Blocks, Heading, Line, Piece, Section, plain, texts
from allocator.reporting.house_style import Style
from allocator.reporting.report_facts import Facts, Options, Result, Source
from allocator.reporting.sentences import band_name, clean


@dataclass(frozen=True, slots=True)
class Content:
    """A whole report, finished.

    Attributes
    ----------
    words
        The language, for the few words that a page itself needs.
    title, client, day
        Heading; the client as the report calls them; the day that it speaks of, as text.
    subtitle
        Band, currency, advisor: the line under the heading.
    currency
        ISO 4217 code of every amount.
    first, details
        Sections of the first page, and of those after it.
    notes
        Lines of the footer, on every report: what the numbers rest on, and that this is no advice.
    style
        The house.
    """

    words: Words
    title: str
    client: str
    day: str
    subtitle: str
    currency: str
    first: tuple[Section, ...]
    details: tuple[Section, ...]
    notes: tuple[str, ...]
    style: Style

    @property
    def lang(self) -> str:
        """Language tag of the text (BCP 47)."""
        return "zh-CN" if self.words.lang == "zh" else self.words.lang

    @property
    def sections(self) -> tuple[Section, ...]:
        """Every section in its order."""
        return (*self.first, *self.details)

    def texts(self) -> Iterator[str]:
        """Every text that is drawn."""
        yield from (self.style.name.of(self.words.lang), self.title, self.client, self.day, self.subtitle)
        for section in self.sections:
            yield section.title
            for piece in section.pieces:
                yield from texts(piece)
        yield from self.notes

    def blocks(self) -> Blocks:
        """The report in the few kinds of blocks that a terminal knows."""
        out: list[Block] = [Heading(f"{self.title} · {self.client}"), Line(self.subtitle, "dim")]
        for section in self.sections:
            out += [*([Heading(section.title)] if section.title else []), *(plain(p) for p in section.pieces)]
        return (*out, *(Line(note, "dim", apart=not i) for i, note in enumerate(self.notes)))


@dataclass(frozen=True, slots=True)
class Maker:
    """A section before there is a client.

    Attributes
    ----------
    key
        Its title is the word ``report.title_KEY``; where that is not there, it has none.
    make
        From the facts of a client to what the section shows; nothing shown, no section.
    half
        See `Section.half`.
    """

    key: str
    make: Callable[[Facts], list[Piece]]
    half: bool = False


FIRST: Final = (
    Maker("verdict", first.verdict),
    Maker("figures", first.figures),
    Maker("buckets", first.buckets, half=True),
    Maker("concentration", first.concentration, half=True),
    Maker("risk", first.risk, half=True),
    Maker("firewall", first.firewall, half=True),
    Maker("plan", first.plan),
    Maker("obstacles", first.obstacles, half=True),
    Maker("suitability", first.suitability, half=True),
)
"""The first page holds what a conversation needs, in the order in which it is talked through."""
UNPLANNED: Final = ("infeasible", "unfunded", "insolvent", "invalid")
"""Statuses of plans that are none."""
DETAILS: Final = (
    Maker("trades", details.trades),
    Maker("limits", details.limits),
    Maker("hindered", details.hindered),
    Maker("modes", details.modes),
    Maker("risk_measured", details.risk),
    Maker("stress", details.stress),
    Maker("household", details.household),
    Maker("holdings", details.holdings),
    Maker("proof", details.proof),
    Maker("issues", details.issues),
    Maker("basis", details.basis),
)
"""Everything that was counted, and what the numbers rest on."""


def report_content(result: Result, client_id: str, said: Words, options: Options | None = None) -> Content:
    """Put one client's report together.

    Parameters
    ----------
    result
        A plan, or an analysis where nothing was planned.
    client_id
        The client, by the real id also where the report has a pseudonym.
    said
        The language.
    options
        How the report is made.

    Raises
    ------
    InputError
        No such client in the result.
    ConfigError
        The house style is wrong.
    """
    options = replace(Options() if options is None else options, lang=said.lang)
    return content_of(Source.of(result, options), client_id)


def content_of(source: Source, client_id: str) -> Content:
    """Put one client's report together from what was worked out for all of them; see `report_content`."""
    facts = Facts.of(source, client_id)
    words = facts.words
    return Content(
        words=words,
        title=words.text("report.title" if _unplanned(facts) else "report.title_planned"),
        client=clean(facts.client_id),
        day=words.text("report.day", day=facts.me.analysis.on.isoformat()),
        subtitle=_subtitle(facts),
        currency=facts.me.currency,
        first=_made(FIRST, facts, 2),
        details=_made(DETAILS, facts, 3),
        notes=details.notes(facts),
        style=source.style,
    )


def _made(makers: tuple[Maker, ...], facts: Facts, level: int) -> tuple[Section, ...]:
    made = ((m, tuple(m.make(facts))) for m in makers)
    return tuple(
        Section(m.key, facts.words.get(f"report.title_{m.key}", ""), pieces, level, m.half)
        for m, pieces in made
        if pieces
    )


def _unplanned(facts: Facts) -> bool:
    """Whether the report has no plan to show, because none was asked for or none can be made."""
    return facts.planned is None or facts.planned["status"] in UNPLANNED


def _subtitle(facts: Facts) -> str:
    me, words = facts.me, facts.words
    advisor = clean(me.analysis.positions.clients["advisor"].iloc[me.place])
    parts = [
        band_name(str(me.summary["band"]), me.framework, words),
        words.text("report.unit_hidden")
        if facts.source.options.hide_amounts
        else words.text("report.currency", currency=words.get(f"currency.{me.currency}", me.currency)),
        *([words.text("report.advisor", advisor=advisor)] if advisor else []),
    ]
    return " · ".join(parts)
