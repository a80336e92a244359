"""Reports that do not say who it is, or how much: pseudonyms for names, shares for amounts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from allocator.analysis import Analysis
from allocator.i18n import DASH, Figure, Words
from allocator.plan import TABLES, Plan
from allocator.pseudonyms import pseudonym


@dataclass(frozen=True)
class ShareWords(Words):
    """Words that say every amount as a share of the client's total of today; 0 or less: every amount is a dash."""

    total: float = math.nan

    def money(self, amount: float, currency: str = "", *, short: bool = False) -> str:  # noqa: ARG002
        """An amount as a share of the total."""
        return self._share(amount)

    def exact(self, amount: float) -> str:
        """An amount as a share of the total."""
        return self._share(amount)

    def _share(self, amount: float) -> str:
        share = amount / self.total if self.total > 0 else math.nan
        if not math.isfinite(share):
            return DASH
        text = self.percent(share, 2)
        return Figure.of(self.text("number.of_total", share=text), share, "share", 2)


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

    Names of products on the shelf stay: they are the same for everybody. Cells quoted in issues go, and so do issuers.

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
    """Put a word in the place of every quoted cell with a figure in it: it may be an amount."""
    if isinstance(result, Plan):
        before, after = (_unquoted(a, words) for a in (result.before, result.after))
        return replace(result, before=before, after=after)
    return _unquoted(result, words)


def _unquoted(a: Analysis, words: Words) -> Analysis:
    quoted = words.text("report.cell")
    told = zip(a.issues["value"], a.issues["code"], strict=True)
    cells = [quoted if code != "insured_amount" and any(c.isdigit() for c in str(v)) else v for v, code in told]
    return replace(a, issues=a.issues.assign(value=cells))


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
    issues = a.issues.assign(
        client_id=[who.get(c, "") for c in a.issues["client_id"]],
        file="",
        value=[
            quoted if v and code != "insured_amount" else v
            for v, code in zip(a.issues["value"], a.issues["code"], strict=True)
        ],
    )
    return replace(a, positions=replace(p, clients=clients, holdings=holdings), issues=issues)
