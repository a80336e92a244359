"""What the sections of a report are made of: results of a book, and one client of them in one language."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import ConfigError, InputError
from allocator.households import Household, household
from allocator.i18n import Words, environment_language
from allocator.i18n import words as load_words
from allocator.limits import Limit
from allocator.plan import Plan
from allocator.pseudonyms import pseudonym
from allocator.reporting.blocks import Blocks
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.house_style import Style, load_style
from allocator.reporting.household import household_sheet
from allocator.reporting.report_private import pseudonymised, shares_only, silent, without_quotes
from allocator.reporting.risks import risk_sheet
from allocator.reporting.stress import stress_sheet
from allocator.reporting.tables import Client, Row, rows_in
from allocator.risk_measures import RiskMeasures, measure_risk
from allocator.storage import fingerprint
from allocator.stresses import Stress, stress

Result = Plan | Analysis


@dataclass(frozen=True)
class Options:
    """How reports are made.

    Attributes
    ----------
    lang
        ``en`` or ``zh``; empty: that of the user's locale.
    style
        House style: a preset, a TOML file, or a style.
    key
        With one, clients, advisors and what they call their assets appear under pseudonyms.
    hide_amounts
        Amounts appear as shares of the total only.
    """

    lang: str = ""
    style: str | os.PathLike[str] | Style = "plain"
    key: bytes | None = None
    hide_amounts: bool = False

    def __post_init__(self) -> None:
        if self.key is not None and not self.key:
            raise ConfigError("the key of pseudonyms is empty; read it with load_key")


@dataclass(frozen=True)
class Source:
    """A result with everything that reports show besides, for all its clients; made once, used for each.

    Attributes
    ----------
    result
        The plan, or the analysis where nothing was planned; under pseudonyms where these are asked for.
    stress, household, risk
        Of the book as it is today.
    options, words, style
        How the reports are made, with what the options name read.
    hashes
        Fingerprint of each client's own data, by the id in ``result``.
    """

    result: Result
    stress: Stress
    household: Household
    risk: RiskMeasures
    options: Options
    words: Words
    style: Style
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, result: Result, options: Options | None = None) -> Source:
        """Work out what reports need.

        Raises
        ------
        ConfigError
            An unknown language, or a house style that is wrong.
        """
        options = Options() if options is None else options
        said = load_words(options.lang or environment_language())
        style = load_style(options.style)
        before = result.before if isinstance(result, Plan) else result
        rules = fingerprint(before.framework.model_dump_json().encode(), before.assumptions.model_dump_json().encode())
        hashes = {options_id(options, c): _hash(before, i, options, rules) for i, c in enumerate(before.client_ids)}
        if options.hide_amounts:
            result = without_quotes(result, said)
            before = result.before if isinstance(result, Plan) else result
        if options.key is not None:
            result = pseudonymised(result, options.key, said)
            before = result.before if isinstance(result, Plan) else result
        return cls(result, stress(before), household(before), measure_risk(before), options, said, style, hashes)

    @property
    def analysis(self) -> Analysis:
        """The book as it is today."""
        return self.result.before if isinstance(self.result, Plan) else self.result


def options_id(options: Options, client_id: str) -> str:
    """What a report calls a client."""
    return client_id if options.key is None else pseudonym(options.key, client_id)


@dataclass(frozen=True)
class Facts:
    """One client of a source.

    Attributes
    ----------
    source
        Results of the whole book.
    me, then
        The client today, and after the plan where it trades.
    tables
        The client's tables of the plan; empty where nothing was planned.
    """

    source: Source
    me: Client
    then: Client | None
    tables: Mapping[str, Any]

    @classmethod
    def of(cls, source: Source, client_id: str) -> Facts:
        """Find a client; ``client_id`` is the real one, also where the report has a pseudonym.

        Raises
        ------
        InputError
            No such client in the result.
        """
        shown = options_id(source.options, client_id)
        if shown not in source.hashes:
            raise InputError("no such client in this book; see the client_id column, capitals and leading zeros count")
        result, place = source.result, source.analysis.index(shown)
        tables = result.part(shown)
        today = tables["before"] if isinstance(result, Plan) else tables
        me = Client(source.analysis, place, today, source.words)
        if source.options.hide_amounts:
            me = replace(me, words=shares_only(me.words, me.total))
        if not isinstance(result, Plan):
            return cls(source, me, None, {})
        moved = bool(rows_in(tables, "trades"))
        then = Client(result.after, place, tables["after"], me.words) if moved else None
        return cls(source, me, then, tables)

    @property
    def words(self) -> Words:
        """The language, with amounts as this report says them."""
        return self.me.words

    @property
    def quiet(self) -> Words:
        """The language for sentences that set an amount beside one that everybody knows."""
        return silent(self.me.words) if self.source.options.hide_amounts else self.me.words

    @property
    def client_id(self) -> str:
        """What the report calls the client."""
        return str(self.me.summary["client_id"])

    @property
    def plan(self) -> Plan | None:
        """The plans of the book, where there are some."""
        return self.source.result if isinstance(self.source.result, Plan) else None

    @cached_property
    def planned(self) -> Row | None:
        """The client's row of ``Plan.summary``."""
        return rows_in(self.tables, "summary")[0] if self.tables else None

    @cached_property
    def trades(self) -> list[Row]:
        """The client's trades; none where nothing was planned."""
        return rows_in(self.tables, "trades") if self.tables else []

    @cached_property
    def held(self) -> list[tuple[Limit, str, str]]:
        """Limits that stay exceeded, with their bounds and why; see `still_exceeded`."""
        if self.plan is None or self.planned is None or self.planned["status"] not in ("improved", "stuck"):
            return []
        return still_exceeded(self.plan, self.me.place, self.quiet)

    @cached_property
    def stressed(self) -> list[Row]:
        """The client in every scenario."""
        return self.source.stress.part(self.client_id).rows("summary")

    @cached_property
    def risk_blocks(self) -> Blocks:
        """The client's sheet of risk measures."""
        return risk_sheet(self.source.risk, self.client_id, self.words, self.me)

    @cached_property
    def stress_blocks(self) -> Blocks:
        """The client's sheet of the stress test."""
        return stress_sheet(self.source.stress, self.client_id, self.words, self.me)

    @cached_property
    def household_blocks(self) -> Blocks:
        """The client's sheet of the household."""
        return household_sheet(self.source.household, self.client_id, self.words, self.me)

    @cached_property
    def firewall(self) -> Row:
        """The client's row of the firewall test."""
        return self.source.household.part(self.client_id).rows("firewall")[0]


def _hash(a: Analysis, i: int, options: Options, rules: str) -> str:
    """Fingerprint of what the numbers of a client rest on; keyed where names are hidden, none where amounts are.

    Without a key, whoever guesses the amounts could prove them.
    """
    if options.hide_amounts and options.key is None:
        return ""
    p = a.positions
    rows = slice(int(p.start[i]), int(p.start[i + 1]))
    numbers = pd.DataFrame({"value": p.value[rows], "sellable": p.sellable[rows], "grade": p.grade[rows]})
    debts = p.debts.client == i
    parts = [
        p.clients.iloc[[i]].to_csv(index=False),
        p.holdings.iloc[rows].to_csv(index=False),
        numbers.to_csv(index=False),
        pd.DataFrame({"debt": p.debts.value[debts]}).to_csv(index=False),
        repr([float(x[i]) for x in (p.spending, p.guarantees, p.cash_flow)]),
        rules,
        a.on.isoformat(),
    ]
    found = fingerprint(*(part.encode("utf-8", "surrogatepass") for part in parts))
    return (found if options.key is None else pseudonym(options.key, found, "data"))[:16]
