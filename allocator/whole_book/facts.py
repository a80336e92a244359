"""What a book's pages and lists are made of: one row per client, and limits as arrays.

It comes from an analysis or a plan, or from the tables that a batch has left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.errors import InputError
from allocator.firewall import fail, judge
from allocator.framework import Framework
from allocator.households import load_needs
from allocator.issues import ERROR
from allocator.limits import Limit
from allocator.plan import Plan
from allocator.shown import Shown
from allocator.typing import AnyArray, BoolArray, FloatArray
from allocator.whole_book.segments import segments

PLANNED: Final = (
    "turnover",
    "buys",
    "sells",
    "repaid",
    "cost",
    "tax",
    "missing",
    "trades",
    "score_after",
    "limits_after",
    "certificate",
)
"""Columns of ``clients`` that come from a plan, by their names in ``Plan.summary``; and ``plan_status``."""


LOCKS: Final = 90
"""Days ahead for which a run keeps what locks end; the horizon of the house's call list."""


TRADES: Final = ("client_id", "asset_id", "name", "asset_class", "product_id", "side", "amount", "cost", "tax")
"""Columns of trades that a book's pages look at: texts, then money."""


@dataclass(frozen=True)
class Sheet:
    """Limits and classes of every client, today or after the plans.

    Attributes
    ----------
    value, bound
        n × limits; NaN where a limit does not apply or cannot be judged.
    over
        n × limits: money beyond the bound; 0 where the limit holds, NaN where it does not apply.
    exceeded
        n × limits.
    classes
        n × classes: money of each class, funds looked through; no columns where it is not known (tables of a batch).
    """

    value: FloatArray
    bound: FloatArray
    over: FloatArray
    exceeded: BoolArray
    classes: FloatArray

    def take(self, at: AnyArray) -> Sheet:
        """Only some clients."""
        return Sheet(self.value[at], self.bound[at], self.over[at], self.exceeded[at], self.classes[at])


@dataclass(frozen=True, repr=False)
class BookFacts(Shown):
    """A whole book as one row per client. Money is in the client's currency; `money` tells it in the base currency.

    Attributes
    ----------
    clients
        Columns as in ``Analysis.summary``, and: ``advisor``, ``tier`` (as the bank states it, or else that by assets),
        ``segment`` (by assets), ``rate`` (base currency per unit of the client's; NaN: none), ``debt``, ``liquid``,
        ``unclassified``, ``guarantees``, ``cash_flow``, ``above_insured`` (deposits above the insured amount),
        ``set_aside`` (rows of the client that could not be used), ``firewall`` (status of `allocator.firewall`),
        ``firewall_months``, ``firewall_short`` (what is missing when the firm fails), ``lock_days`` and
        ``lock_money`` (see `beside`), ``over`` (any limit exceeded); of plans ``plan_status``, ``total_after``,
        ``debt_after`` and `PLANNED`. A column that nobody knows is not there.
    limits
        Names, senses and families of the columns of ``now`` and ``after``.
    now, after
        Limits and classes today, and after the plans (None: no plans).
    locks
        Locks that end after ``on``: ``place`` of the client, ``days`` until then, ``money``; None where not known.
    trades
        Of the plans, with ``place`` of the client; empty where there are none.
    issues
        Of the book.
    framework, assumptions, base, on
        Names and tiers; name of the assumptions; the currency that clients are added up in; the day.
    own
        Users' own limits, for their words.
    """

    clients: pd.DataFrame
    limits: tuple[Limit, ...]
    now: Sheet
    after: Sheet | None
    locks: pd.DataFrame | None
    trades: pd.DataFrame
    issues: pd.DataFrame
    framework: Framework
    assumptions: str
    base: str
    on: dt.date
    own: tuple[Limit, ...] = ()

    def __len__(self) -> int:
        return len(self.clients)

    def __repr__(self) -> str:
        plans = "without plans" if self.after is None else f"{len(self.trades):,} trades"
        return (
            f"Facts of {len(self):,} clients, framework {self.framework.name}, {self.on}; {plans}\n"
            "  tables: clients, locks, trades, issues"
        )

    def knows(self, *columns: str) -> bool:
        """Whether all of these columns of ``clients`` are there."""
        return set(columns) <= set(self.clients.columns)

    def column(self, name: str) -> FloatArray:
        """A column of numbers."""
        return self.clients[name].to_numpy("float64")

    @cached_property
    def rate(self) -> FloatArray:
        """Base currency per unit of each client's; NaN for none."""
        return self.column("rate")

    def money(self, name: str) -> FloatArray:
        """A column of money in the base currency; NaN for a client without a rate."""
        return self.column(name) * self.rate

    def only(self, *, advisor: str | None = None, tier: str | None = None) -> BookFacts:
        """The part of the book that one advisor looks after, or one tier.

        Raises
        ------
        InputError
            Nobody has that advisor or tier.
        """
        out = self
        for column, wanted in (("advisor", advisor), ("tier", tier)):
            if wanted is None:
                continue
            at = np.flatnonzero((out.clients[column] == wanted).to_numpy(bool))
            if not len(at):
                raise InputError(f"no client with this {column}; see the {column} column, capitals count")
            out = out.take(at)
        return out

    def take(self, at: AnyArray) -> BookFacts:
        """Only the clients at these places, in this order."""
        place = np.full(len(self), -1)
        place[at] = np.arange(len(at))
        clients = self.clients.iloc[at].reset_index(drop=True)
        # twenty times faster than isin on this many texts
        whose = pd.Index(self.issues["client_id"])
        kept = (pd.Index(clients["client_id"]).get_indexer(whose) >= 0) | (whose == "")  # nobody's stay
        return replace(
            self,
            clients=clients,
            now=self.now.take(at),
            after=None if self.after is None else self.after.take(at),
            locks=None if self.locks is None else _moved(self.locks, place),
            trades=_moved(self.trades, place),
            issues=self.issues[kept].reset_index(drop=True),
        )


Source = Analysis | Plan | BookFacts
"""What a book's pages are made from."""


def facts(source: Source) -> BookFacts:
    """Collect what is known of every client of an analysis or plan; facts are returned as they are."""
    if isinstance(source, BookFacts):
        return source
    plan = source if isinstance(source, Plan) else None
    a = source.before if isinstance(source, Plan) else source
    f, p = a.framework, a.positions
    base = base_currency(p.rates, f, p.clients["currency"])
    rate = client_rates(p.clients["currency"], p.rates, base)
    clients = a.summary.assign(advisor=p.clients["advisor"].fillna("").astype("str"), **beside(a))
    clients = clients.drop(columns="base").assign(rate=rate, set_aside=_set_aside(a.issues, a.client_ids))
    if plan is not None:
        clients = clients.assign(
            plan_status=plan.summary["status"],
            total_after=plan.after.exposures.total,
            debt_after=plan.after.exposures.debt,
            **{c: plan.summary[c] for c in PLANNED},
        )
    clients = clients.assign(over=np.asarray(a.limit_table.exceeded.any(axis=1)))
    return BookFacts(
        clients=with_segments(clients, p.clients["tier"], f, base),
        limits=a.limit_table.limits,
        now=_sheet(a),
        after=None if plan is None else _sheet(plan.after),
        locks=_locks(a),
        trades=client_trades(None if plan is None else plan.trades, clients),
        issues=a.issues,
        framework=f,
        assumptions=a.assumptions.name,
        base=base,
        on=a.on,
        own=a.own,
    )


def beside(a: Analysis) -> dict[str, Any]:
    """Columns of ``BookFacts.clients`` that a summary does not have; what a run writes beside it for a book's pages.

    Returns
    -------
    dict
        One entry per client: ``base`` (the currency that rates are in) and ``rate`` (NaN: none), ``debt``, ``liquid``,
        ``unclassified``, ``guarantees``, ``cash_flow``, ``above_insured``, ``firewall`` with ``firewall_months`` and
        ``firewall_short``, and of locks that end within `LOCKS` days ``lock_days`` to the first (NaN: none) and
        ``lock_money``. Money is in the client's currency.
    """
    p, e = a.positions, a.exposures
    base = _stated_base(p.rates, a.framework)  # the same in every part, whatever currencies its clients have
    locks = _locks(a)
    soon = locks[locks["days"] <= LOCKS]
    first = soon.groupby("place")["days"].min().reindex(range(len(a)))
    return {
        "base": pd.Series([base] * len(a), dtype="str"),
        "rate": p.clients["currency"].astype("str").map(p.rates).to_numpy("float64", na_value=np.nan),
        "debt": e.debt,
        "liquid": e.liquid,
        "unclassified": e.unclassified,
        "guarantees": p.guarantees,
        "cash_flow": p.cash_flow,
        "above_insured": _above_insured(a),
        **_firewall(a),
        "lock_days": first.to_numpy("float64"),
        "lock_money": np.bincount(soon["place"], weights=soon["money"], minlength=len(a)).astype("float64"),
    }


def _locks(a: Analysis) -> pd.DataFrame:
    """Locks that end after the day: place of the client, days until then, money in the client's currency."""
    p = a.positions
    until = p.until.astype("datetime64[D]")
    days = (until - np.datetime64(a.on)).astype("float64")
    days[np.isnat(until)] = np.nan
    at = np.flatnonzero((days > 0) & ~p.pledged & (p.value > 0) & (p.pace > 0))
    return pd.DataFrame({"place": p.client[at].astype("int64"), "days": days[at], "money": p.value[at]})


def base_currency(rates: Mapping[str, float], framework: Framework, currencies: pd.Series) -> str:
    """Currency that clients are added up in.

    It is the framework's, or else the one that the book's own rates are in. A book of one currency needs no rate: where
    there is none to that currency, the book is told in its own.
    """
    base = _stated_base(rates, framework)
    found = currencies.astype("str").unique()
    return str(found[0]) if len(found) == 1 and found[0] not in rates else base


def _stated_base(rates: Mapping[str, float], framework: Framework) -> str:
    """The framework's currency, or else the one that rates are in."""
    home = framework.currency
    return home if home in rates else next((c for c, x in rates.items() if x == 1.0), home)


def client_rates(currency: pd.Series, rates: Mapping[str, float], base: str) -> FloatArray:
    """Base currency per unit of each client's currency; NaN for none."""
    known = {base: 1.0, **rates}
    return np.asarray(currency.astype("str").map(known).to_numpy("float64", na_value=np.nan), dtype="float64")


def with_segments(clients: pd.DataFrame, tier: pd.Series, f: Framework, base: str) -> pd.DataFrame:
    """Add the tier by assets, and the one that the bank states (``tier``), or else that by assets."""
    # thresholds are in the framework's currency: a book that cannot be told in it has no tiers by assets
    total = clients["total"].to_numpy("float64") * clients["rate"].to_numpy("float64")
    total = total if base == f.currency else np.full(len(clients), np.nan)
    by_assets = pd.Series(segments(total, f), index=clients.index, dtype="str")
    stated = tier.fillna("").astype("str").str.strip().reset_index(drop=True)
    return clients.assign(tier=stated.where(stated != "", by_assets), segment=by_assets)


def _sheet(a: Analysis) -> Sheet:
    t = a.limit_table
    return Sheet(t.value, t.bound, t.excess * t.unit[:, None], t.exceeded, a.exposures.classes)


def _set_aside(issues: pd.DataFrame, ids: list[str]) -> AnyArray:
    """Rows of each client that could not be used."""
    found = issues.loc[issues["severity"] == ERROR, "client_id"].value_counts()
    return found.reindex(ids).fillna(0).to_numpy("int64")


def _above_insured(a: Analysis) -> FloatArray:
    """Deposits above the insured amount at one bank, in the client's currency."""
    rows = a.issues[a.issues["code"] == "insured_amount"]
    over = pd.to_numeric(rows["value"]) - pd.to_numeric(rows["mend"])
    return over.groupby(rows["client_id"]).sum().reindex(a.client_ids).fillna(0.0).to_numpy("float64")


def _firewall(a: Analysis) -> dict[str, AnyArray]:
    """What the firewall test says, and what is missing: to owe nothing, or to live on for the months that it asks."""
    asked = load_needs().survive_months
    fallen = fail(a)
    months, status = judge(a, fallen, asked)
    short = np.select(
        [status == "insolvent_after", status == "short_of_cash"],
        [-fallen.net_worth, asked * a.exposures.need - fallen.liquid],
        0.0,
    )
    return {
        "firewall": pd.array(status, dtype="str"),
        "firewall_months": months,
        "firewall_short": np.maximum(short, 0.0),
    }


def client_trades(trades: pd.DataFrame | None, clients: pd.DataFrame) -> pd.DataFrame:
    """Trades with the place of the client."""
    if trades is None:
        texts = {c: pd.Series(dtype="str") for c in TRADES[:6]}
        return pd.DataFrame({**texts, **{c: pd.Series(dtype="float64") for c in TRADES[6:]}}).assign(
            place=pd.Series(dtype="int64")
        )
    place = pd.Index(clients["client_id"]).get_indexer(pd.Index(trades["client_id"]))
    return trades[list(TRADES)].assign(place=place)


def _moved(table: pd.DataFrame, place: AnyArray) -> pd.DataFrame:
    """A table of places in a book of which only some clients stay."""
    now = place[table["place"].to_numpy("int64")]
    moved: pd.DataFrame = table.assign(place=now)[now >= 0].reset_index(drop=True)
    return moved
