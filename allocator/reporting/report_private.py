"""Reports that do not say who it is, or how much: pseudonyms for names, shares for amounts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from allocator.analysis import Analysis
from allocator.i18n import DASH, Figure, Words, around
from allocator.plan import TABLES, Plan
from allocator.pseudonyms import pseudonym

COUNTS: Final = frozenset(("insured_amount", "spending_unknown", "band_assumed"))
"""Issues whose value is no cell: how many clients, or an amount that is said like every other."""
CELLS: Final = frozenset(("formula_error", "formula_without_value"))
"""Issues whose mend is the place of a cell; the name of the sheet in it may be a person's."""
OURS: Final = frozenset(
    [
        "unknown_class",
        "class_from_elsewhere",
        "unknown_band",
        "band_missing",
        "band_assumed",
        "missing_rate",
        "insured_amount",
        "missing_value",
        "not_a_number",
        "not_finite",
        "negative_value",
        "out_of_range",
        "not_whole",
        "bad_date",
        "bad_flag",
        "bad_currency",
        "currency_alias",
        "currency_sign",
        "currency_header",
        "duplicate",
        "isin_classes",
        "future_date",
        "rate_inverted",
        "rate_doubtful",
        "rate_later",
        "rate_stale",
        "weights_sum",
        "unknown_restriction",
        "unsecured_reference",
        "unknown_column",
        "encoding",
        "ragged_row",
        "title_rows",
        "hidden_rows",
        "merged_cells",
        "merged_amount",
        "lots_summed",
        "accounts_apart",
        "account_excluded",
        "draft_activity",
        "export_text",
        "scf_spending_assumed",
        "scf_business_net",
        "scf_implicates",
    ]
)
"""Issues whose mend is the program's own: a code, a currency, an example, a count, the number of a row.

The mends of all others come from the file, as sums, ids and names do.
"""


@dataclass(frozen=True)
class ShareWords(Words):
    """Words that say every amount as a share of the client's total of today; 0 or less: every amount is a dash.

    A figure keeps no more digits than it shows: from shares to the last digit whole amounts could be worked out.
    """

    total: float = math.nan

    def figure(self, text: str, value: float, unit: str, digits: int) -> Figure:
        """A text with its number, as exact as the text."""
        return Figure.of(text, round(float(value), digits + 2 * (unit == "share")), unit, digits)

    def money(self, amount: float, currency: str = "", *, short: bool = False) -> str:  # noqa: ARG002
        """An amount as a share of the total."""
        return self._share(amount)

    def exact(self, amount: float) -> str:
        """An amount as a share of the total."""
        return self._share(amount)

    def amounts(self, low: float, high: float, currency: str = "") -> str:  # noqa: ARG002
        """Two amounts as shares of the total."""
        one, two = (self.percent(x / self.total if self.total > 0 else math.nan, 2) for x in (low, high))
        share = two if one == two else self.text("number.from_to", low=one, high=two)
        return DASH if two == DASH else around(self.text("number.of_total", share=share), share)

    def known(self, amount: float, currency: str = "") -> str:  # noqa: ARG002
        """Put dots in its place: the share of an amount that everybody knows would give the total away."""
        return self.text("number.hidden")

    def unit(self, currency: str) -> str:  # noqa: ARG002
        """Say that amounts are shares of the total."""
        return self.text("number.unit_of_total")

    def _share(self, amount: float) -> str:
        return self.amounts(amount, amount)


@dataclass(frozen=True)
class SilentWords(Words):
    """Words that say no amount at all: beside a figure that everybody knows, a share would give the total away."""

    def money(self, amount: float, currency: str = "", *, short: bool = False) -> str:  # noqa: ARG002
        """Put dots in the place of an amount."""
        return self.text("number.hidden")

    def exact(self, amount: float) -> str:  # noqa: ARG002
        """Put dots in the place of an amount."""
        return self.text("number.hidden")


def shares_only(words: Words, total: float) -> ShareWords:
    """Make words that say amounts as shares of a total."""
    return ShareWords(words.lang, words.table, total)


def silent(words: Words) -> SilentWords:
    """Make words that say no amounts."""
    return SilentWords(words.lang, words.table)


def pseudonymised(result: Plan | Analysis, key: bytes, words: Words) -> Plan | Analysis:
    """Put pseudonyms for clients and advisors, and names of their class for holdings and debts.

    Names of products on the shelf stay: they are the same for everybody. Cells quoted in issues go, what the file says
    in their mends too, and so do issuers.

    Parameters
    ----------
    result
        A plan or an analysis; it is not changed.
    key
        From `pseudonyms.load_key`.
    words
        The language of the classes' names.
    """
    if isinstance(result, Analysis):
        return _analysis(result, key, words, _names(result, words))
    a = result.before
    names = _names(a, words)
    who = _who(a, key)
    tables: dict[str, pd.DataFrame] = {}
    for table in TABLES:
        frame: pd.DataFrame = getattr(result, table)
        tables[table] = _called(frame, names, words).assign(client_id=frame["client_id"].map(who))
    return replace(
        result, before=_analysis(a, key, words, names), after=_analysis(result.after, key, words, names), **tables
    )


def without_quotes(result: Plan | Analysis, words: Words) -> Plan | Analysis:
    """Put a word in the place of every quoted cell, sum or id with a figure in it: it may be an amount."""
    if isinstance(result, Plan):
        before, after = (_unquoted(a, words) for a in (result.before, result.after))
        return replace(result, before=before, after=after)
    return _unquoted(result, words)


def _unquoted(a: Analysis, words: Words) -> Analysis:
    quoted = words.text("report.cell")

    def told(column: str, kept: frozenset[str]) -> list[str]:
        cells = zip(a.issues[column], a.issues["code"], strict=True)
        return [quoted if code not in kept and any(c.isdigit() for c in str(v)) else v for v, code in cells]

    return replace(a, issues=a.issues.assign(value=told("value", COUNTS), mend=told("mend", OURS | CELLS)))


def _who(a: Analysis, key: bytes) -> dict[str, str]:
    return {c: pseudonym(key, c) for c in a.client_ids}


def _names(a: Analysis, words: Words) -> dict[tuple[str, str], str]:
    """New names of holdings by client and asset: of products their own, of all else the class, numbered."""
    h, f = a.positions.holdings, a.framework
    shelf = set(a.positions.shelf["name"])
    out: dict[tuple[str, str], str] = {}
    seen: dict[tuple[str, str], int] = {}
    told = zip(h["client_id"], h["asset_id"], h["name"], h["asset_class"], strict=True)
    for client, asset, name, klass in told:
        if (client, asset) in out:
            continue
        if name in shelf:
            out[client, asset] = name
            continue
        plain = words.name(f.classes[klass]) if klass in f.classes else words.text("report.some_holding")
        count = seen[client, plain] = seen.get((client, plain), 0) + 1
        out[client, asset] = plain if count == 1 else words.text("report.numbered", name=plain, count=count)
    return out


def _called(frame: pd.DataFrame, names: Mapping[tuple[str, str], str], words: Words) -> pd.DataFrame:
    """Rename the assets of a table; a debt is only called one."""
    if "name" not in frame or "asset_id" not in frame:
        return frame
    plain = words.text("report.some_debt")
    repaid = frame["side"] == "repay" if "side" in frame else pd.Series(False, index=frame.index)
    told = zip(frame["client_id"], frame["asset_id"], frame["name"], repaid, strict=True)
    return frame.assign(name=[plain if debt else names.get((c, a), n) for c, a, n, debt in told])


def _analysis(a: Analysis, key: bytes, words: Words, names: Mapping[tuple[str, str], str]) -> Analysis:
    p, who = a.positions, _who(a, key)
    clients = p.clients.assign(
        client_id=p.clients["client_id"].map(who),
        advisor=[pseudonym(key, x, "advisor") if x else "" for x in p.clients["advisor"]],
    )
    holdings = _called(p.holdings, names, words).assign(client_id=p.holdings["client_id"].map(who), issuer="")
    quoted = words.text("report.cell")

    def told(column: str, kept: frozenset[str]) -> list[str]:
        cells = zip(a.issues[column], a.issues["code"], strict=True)
        return [quoted if v and code not in kept else v for v, code in cells]

    issues = a.issues.assign(
        client_id=[who.get(c, "") for c in a.issues["client_id"]],
        file="",
        value=told("value", COUNTS),
        mend=told("mend", OURS),
    )
    return replace(a, positions=replace(p, clients=clients, holdings=holdings), issues=issues)
