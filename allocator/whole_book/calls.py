"""The call list: which clients need their advisor first, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from allocator.config import Strict, build, load_tree
from allocator.errors import ConfigError, InputError
from allocator.framework import Words
from allocator.shown import Shown
from allocator.typing import AnyArray, FloatArray
from allocator.whole_book.facts import BookFacts, Source, facts
from allocator.whole_book.reasons import REASONS, Measure, OwnReason, Signal

CALLS: Final = ("rank", "client_id", "advisor", "tier", "reasons", "points", "severity", "money", "days")
WHY: Final = ("client_id", "reason", "severity", "money", "days", "points", "part")
REVIEWS: Final = ("client_id", "due")


class MoneyScale(Strict):
    """What money makes of a reason's weight."""

    small: Annotated[float, Field(gt=0)]
    large: Annotated[float, Field(gt=0)]
    least: Annotated[float, Field(gt=0, le=1)]
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> MoneyScale:
        if self.large <= self.small:
            raise ValueError("large: must be above small")
        return self

    def factor(self, money: FloatArray) -> FloatArray:
        """``least`` to 1 in even steps of the logarithm; ``least`` where the money is not known."""
        held = np.clip(np.nan_to_num(money), self.small, self.large)
        place = np.log(held / self.small) / np.log(self.large / self.small)
        return np.asarray(self.least + (1.0 - self.least) * place)


class DeadlineScale(Strict):
    """What a deadline makes of a reason's weight."""

    days: Annotated[float, Field(gt=0)]
    least: Annotated[float, Field(gt=0, le=1)]
    none: Annotated[float, Field(gt=0, le=1)]
    source: str

    def factor(self, days: FloatArray) -> FloatArray:
        """1 on the day and after it, ``least`` from ``days`` ahead on, straight between; ``none`` for NaN."""
        ahead = np.clip(days / self.days, 0.0, 1.0)
        return np.where(np.isnan(days), self.none, 1.0 - (1.0 - self.least) * ahead)


class ReasonRule(Words):
    """Weight and words of a reason."""

    weight: Annotated[float, Field(ge=0, le=1)]
    horizon: Annotated[float, Field(ge=0)] = 0.0
    source: str


class CallRules(Words):
    """How a call list is ordered. Build it with `load_call_rules`."""

    schema_: Literal["allocator-calls/1"] = Field(alias="schema")
    name: str
    money: MoneyScale
    deadline: DeadlineScale
    reasons: dict[str, ReasonRule]

    @model_validator(mode="after")
    def _known(self) -> CallRules:
        strange = [code for code in self.reasons if code not in REASONS]
        if strange:
            raise ValueError(f"reasons: unknown '{strange[0]}'; allowed: {', '.join(REASONS)}")
        return self


def load_call_rules(source: str | os.PathLike[str] | CallRules = "standard") -> CallRules:
    """Load how call lists are ordered: a preset, a TOML file (which may extend one), or rules as they are.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, CallRules):
        return source
    tree, origin = load_tree(source, "calls")
    return build(CallRules, tree, origin)


@dataclass(frozen=True)
class CallList(Shown):
    """Result of `allocator.call_list`; money in the base currency.

    Attributes
    ----------
    facts, rules
        What it was made of.
    calls
        One row per client with a reason, whom to call first on top: ``rank``, ``client_id``, ``advisor``, ``tier``,
        ``reasons`` (codes joined by ``, ``, the weightiest first), ``points`` (0 to 100), the highest ``severity`` and
        ``money`` of its reasons (they overlap: nothing is summed; NaN where not known) and the fewest ``days`` to a
        deadline (0 today, below 0 past; NaN: none).
    why
        One row per client and reason, in the same order: ``severity``, ``money``, ``days``, ``points`` (of this reason
        alone) and its ``part`` in the client's points: −log(1 − points/100) as a share of the sum, so that parts sum to
        1.
    not_judged
        Reasons that the tables given cannot tell.
    words
        Name of each reason in English and Chinese.
    """

    facts: BookFacts
    rules: CallRules
    calls: pd.DataFrame
    why: pd.DataFrame
    not_judged: tuple[str, ...]
    words: dict[str, tuple[str, str]]

    def __len__(self) -> int:
        return len(self.calls)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """How many clients have each reason, and the money that it is about, by the number of clients."""
        found = self.why.groupby("reason", sort=False)
        out = pd.DataFrame(
            {"clients": found.size(), "money": found["money"].sum(min_count=1), "severity": found["severity"].median()}
        ).reset_index()
        order = {code: k for k, code in enumerate(self.words)}
        return out.sort_values(
            ["clients", "reason"], ascending=[False, True], key=lambda c: c.map(order) if c.name == "reason" else c,
            ignore_index=True,
        )  # fmt: skip

    @cached_property
    def by_advisor(self) -> pd.DataFrame:
        """How many calls each advisor has, by tier, with the most points of any of them."""
        return self._grouped(["advisor", "tier"])

    @cached_property
    def by_tier(self) -> pd.DataFrame:
        """How many calls each tier has, with the most points of any of them."""
        return self._grouped(["tier"])

    def top(self, count: int) -> CallList:
        """The first so many clients."""
        calls = self.calls.head(count).reset_index(drop=True)
        kept = self.why["client_id"].isin(calls["client_id"])
        return replace(self, calls=calls, why=self.why[kept].reset_index(drop=True))

    def select(self, client_id: str) -> pd.DataFrame:
        """Reasons to call a client, the weightiest first; empty where there are none.

        Raises
        ------
        InputError
            No such client in this book.
        """
        if not (self.facts.clients["client_id"] == client_id).any():
            raise InputError("no such client in this book; see the client_id column, capitals and leading zeros count")
        return self.why[self.why["client_id"] == client_id].reset_index(drop=True)

    def _grouped(self, by: list[str]) -> pd.DataFrame:
        found = self.calls.groupby(by, sort=False)
        out = found.agg(calls=("points", "size"), highest=("points", "max"), median=("points", "median"))
        clients = self.facts.clients.groupby(by, sort=False).size().rename("clients")
        out = out.join(clients, how="left").reset_index()
        order = [*by, "clients", "calls", "highest", "median"]
        return out[order].sort_values(["highest", *by], ascending=[False, *[True] * len(by)], ignore_index=True)

    def __repr__(self) -> str:
        lines = [f"Call list of {len(self):,} of {len(self.facts):,} clients ({self.rules.name}, {self.facts.on})"]
        for r in self.counts.head(5).to_dict("records"):
            lines.append(f"  {r['reason']}: {r['clients']:,} clients, {self.facts.base} {r['money']:,.0f}")
        if self.not_judged:
            lines.append(f"  not judged: {', '.join(self.not_judged)}")
        lines.append("  tables: calls, why, counts, by_advisor, by_tier")
        return "\n".join(lines)


def call_list(
    source: Source,
    *,
    rules: str | os.PathLike[str] | CallRules = "standard",
    advisor: str | None = None,
    tier: str | None = None,
    reviews: pd.DataFrame | None = None,
    own: Sequence[OwnReason] = (),
) -> CallList:
    """Say which clients need their advisor first, and why.

    Parameters
    ----------
    source
        An analysis or a plan (which adds reasons of its own), or `allocator.whole_book.facts.BookFacts`, also from the
        tables of a batch.
    rules
        Preset or TOML file: weights, words, and what money and deadlines make of them.
    advisor, tier
        Only this advisor's clients; only this tier.
    reviews
        When each client's review is due: ``client_id`` and ``due``, a date, as in the table of the ledger's reviews.
        Without it reviews are not judged.
    own
        Reasons of your own.

    Returns
    -------
    CallList

    Raises
    ------
    ConfigError
        The rules are wrong, or an own reason has the code of another one.
    InputError
        Nobody has that advisor or tier; ``reviews`` lacks a column.

    Notes
    -----
    Every reason r gives each client a severity s from 0 to 1, an amount m in the base currency, and perhaps a deadline
    d in days (see the functions in `allocator.whole_book.reasons`). The rules weigh it: x = w · s · g(m) · h(d), with
    the weight w of the reason, g from ``money.least`` at ``money.small`` to 1 at ``money.large`` by the logarithm, and
    h from 1 today to ``deadline.least`` at ``deadline.days``, ``deadline.none`` without a deadline. Points of a client
    are 100 · (1 − Π(1 − x)), the form of the concentration score: one more reason never makes it less, and a client's
    points depend on nobody else. Weights and scales are house judgement, as the rules file says of each of them.
    Ranks go by points, then by money, then by client id. What is unknown is no reason to call: a severity that cannot
    be told is 0, money that cannot be told counts least, and reasons that the tables cannot tell are ``not_judged``.
    """
    wanted, b = load_call_rules(rules), facts(source).only(advisor=advisor, tier=tier)
    if reviews is not None:
        b = replace(b, clients=b.clients.assign(review_days=_review_days(reviews, b)))
    todo = _todo(wanted, own)
    signals: dict[str, Signal] = {}
    for code, (measure, rule) in todo.items():
        found = measure(b, rule.horizon)
        if found is not None:
            signals[code] = found
    why, points = _why(signals, {code: rule for code, (_, rule) in todo.items()}, wanted, len(b))
    calls, why = _ranked(why, points, b)
    names = {code: (rule.en, rule.zh) for code, (_, rule) in todo.items()}
    return CallList(b, wanted, calls, why, tuple(c for c in todo if c not in signals), names)


def _todo(rules: CallRules, own: Sequence[OwnReason]) -> dict[str, tuple[Measure, ReasonRule]]:
    """Reasons to judge, in the order in which ties are told."""
    out = {code: (measure, rules.reasons[code]) for code, measure in REASONS.items() if code in rules.reasons}
    for one in own:
        if one.code in REASONS or one.code in out:
            raise ConfigError(f"reason '{one.code}': the code is taken; give every reason another one")
        en, zh = one.words
        out[one.code] = (one.measure, ReasonRule(en=en, zh=zh, weight=one.weight, source="given by the caller"))
    return out


def _review_days(reviews: pd.DataFrame, b: BookFacts) -> FloatArray:
    missing = [c for c in REVIEWS if c not in reviews.columns]
    if missing:
        raise InputError(f"reviews: no column {', '.join(missing)}; needed: {', '.join(REVIEWS)}")
    due = pd.to_datetime(reviews["due"]).groupby(reviews["client_id"]).min()
    days = (due.reindex(b.clients["client_id"]) - pd.Timestamp(b.on)).dt.days
    return np.asarray(days.to_numpy(dtype="float64", na_value=np.nan), dtype="float64")


def _why(
    signals: dict[str, Signal], weights: dict[str, ReasonRule], rules: CallRules, count: int
) -> tuple[pd.DataFrame, FloatArray]:
    """Client places and reasons in long form, and the points of every client."""
    logs, parts = np.zeros(count), []
    for k, (code, s) in enumerate(signals.items()):
        x = weights[code].weight * s.severity * rules.money.factor(s.money) * rules.deadline.factor(s.days)
        with np.errstate(divide="ignore"):
            log = -np.log1p(-np.minimum(x, 1.0))  # infinite at full points: nothing more can be added
        logs += log
        at = np.flatnonzero(x > 0)
        parts.append(
            {"place": at, "reason": np.full(len(at), k), "severity": s.severity[at], "money": s.money[at],
             "days": s.days[at], "points": 100.0 * x[at], "log": log[at]}
        )  # fmt: skip
    names = ("place", "reason", "severity", "money", "days", "points", "log")
    columns: dict[str, AnyArray] = {c: np.concatenate([p[c] for p in parts] or [np.zeros(0)]) for c in names}
    long = pd.DataFrame(columns).astype({"place": "int64", "reason": "int64"})
    long["reason"] = pd.array(list(signals) or [""], dtype="str").take(long["reason"].to_numpy("intp"))
    return long.assign(order=columns["reason"]), np.asarray(-100.0 * np.expm1(-logs))


def _ranked(why: pd.DataFrame, points: FloatArray, b: BookFacts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clients by points, and their reasons in the same order."""
    ids = b.clients["client_id"]
    most = np.full(len(b), -np.inf)
    np.fmax.at(most, why["place"].to_numpy("int64"), why["money"].to_numpy("float64"))
    called = np.unique(why["place"].to_numpy("int64"))
    table = pd.DataFrame({"place": called, "points": points[called], "most": most[called]})
    # points that differ in the last digits only are ties
    table = table.assign(key=table["points"].round(9), id=ids.iloc[called].to_numpy())
    table = table.sort_values(["key", "most", "id"], ascending=[False, False, True], ignore_index=True)
    rank = np.zeros(len(b), dtype="int64")
    rank[table["place"]] = np.arange(1, len(table) + 1)
    why = why.assign(rank=rank[why["place"].to_numpy("int64")], key=why["points"].round(9))
    why = why.sort_values(["rank", "key", "order"], ascending=[True, False, True], kind="stable", ignore_index=True)
    by = why.groupby("rank", sort=True)
    who = table["place"].to_numpy("int64")
    calls = pd.DataFrame(
        {
            "rank": np.arange(1, len(table) + 1),
            **{c: b.clients[c].iloc[who].reset_index(drop=True) for c in ("client_id", "advisor", "tier")},
            "reasons": pd.Series(_joined(why["rank"], why["reason"]), dtype="str"),
            "points": table["points"],
            "severity": by["severity"].max().to_numpy("float64"),
            "money": by["money"].max().to_numpy("float64"),
            "days": by["days"].min().to_numpy("float64"),
        }
    )
    endless = np.isinf(why["log"])
    log = why["log"].where(~endless, 1.0).where(endless | ~endless.groupby(why["rank"]).transform("any"), 0.0)
    part = log / log.groupby(why["rank"]).transform("sum")
    why = why.assign(client_id=ids.iloc[why["place"].to_numpy("int64")].reset_index(drop=True), part=part)
    return calls[list(CALLS)], why[list(WHY)]


def _joined(rank: pd.Series, reason: pd.Series) -> list[str]:
    """Reasons of each rank, in order, as one text; few combinations exist, so each is joined once."""
    codes, words = pd.factorize(reason)
    position = rank.groupby(rank).cumcount().to_numpy("int64")
    count, width = (int(rank.max()) if len(rank) else 0), (int(position.max()) + 1 if len(rank) else 1)
    grid = np.full((count, width), -1)
    grid[rank.to_numpy("int64") - 1, position] = codes
    kinds, place = np.unique(grid, axis=0, return_inverse=True)
    texts = [", ".join(str(words[c]) for c in row if c >= 0) for row in kinds.tolist()]
    return [texts[k] for k in place.reshape(-1).tolist()]
