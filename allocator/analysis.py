"""What the framework says about a book: a frozen result with plain tables inside."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from allocator.assumptions import Assumptions
from allocator.concentration import Concentration
from allocator.differences import differences
from allocator.errors import InputError
from allocator.exposures import Exposures
from allocator.framework import OUTSIDE, Framework
from allocator.limits import Limit, needed_months
from allocator.measure_limits import LimitTable
from allocator.positions import Positions
from allocator.risk import Risk
from allocator.shown import Clients, Part
from allocator.typing import AnyArray, FloatArray


@dataclass(frozen=True)
class Analysis(Clients):
    """Result of `allocator.analyze`.

    Read the tables: ``summary`` (a row per client), ``buckets``, ``rules``, ``limits``, ``holdings``, ``issues``.
    Shares, weights and volatilities are fractions; money is in the client's currency. ``own`` are the users' own limits
    among ``limit_table.limits``, which is the list that plans and certificates go by.
    """

    positions: Positions
    exposures: Exposures
    concentration: Concentration
    risk: Risk
    limit_table: LimitTable
    framework: Framework
    assumptions: Assumptions
    issues: pd.DataFrame
    on: dt.date
    own: tuple[Limit, ...] = ()

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.positions.clients["client_id"].tolist()

    def index(self, client_id: str) -> int:
        """Place of a client.

        Raises
        ------
        InputError
            No such client in this result.
        """
        found = self._index.get(client_id)
        if found is None:
            raise InputError("no such client in this book; see the client_id column, capitals and leading zeros count")
        return found

    @cached_property
    def _index(self) -> dict[str, int]:
        """Places of the clients."""
        return {c: i for i, c in enumerate(self.client_ids)}

    @cached_property
    def status(self) -> AnyArray:
        """Per client: ``in_band``, ``exceeded``, ``insolvent``, ``empty`` (nothing in the buckets) or ``no_band``."""
        e = self.exposures
        empty = (e.total <= 0) & (e.debt <= 0)
        exceeded = self.limit_table.exceeded.any(axis=1)
        return np.select(
            [empty, e.equity <= 0, self.positions.band < 0, exceeded],
            ["empty", "insolvent", "no_band", "exceeded"],
            "in_band",
        )

    @cached_property
    def summary(self) -> pd.DataFrame:
        """One row per client: band, money, score, risk, reserve, number of limits exceeded, status."""
        p, e, c = self.positions, self.exposures, self.concentration
        shares = e.of_total((e.classes @ self.framework.in_bucket).T).T
        return pd.DataFrame(
            {
                "client_id": p.clients["client_id"],
                "band": p.clients["band"],
                "currency": p.clients["currency"],
                "total": e.total,
                "net_worth": e.net_worth,
                "equity": e.equity,
                "leverage": e.leverage,
                **{b: shares[:, j] for j, b in enumerate(self.framework.bucket_codes)},
                "score": c.score,
                "grade": pd.Categorical.from_codes(c.grade.tolist(), categories=pd.Index(c.grades)),
                "volatility": self.risk.volatility,
                "expected_return": self.risk.expected_return,
                "reserve_months": e.months,
                "reserve_needed": needed_months(p, self.framework),
                "limits_exceeded": self.limit_table.exceeded.sum(axis=1),
                "status": self.status,
            }
        )

    @cached_property
    def buckets(self) -> pd.DataFrame:
        """Clients × buckets: value, share, target, low, high, drift (share − target)."""
        f, p = self.framework, self.positions
        money = self.exposures.classes @ f.in_bucket
        share = self.exposures.of_total(money.T).T
        spans = [[b.buckets[code] for code in f.bucket_codes] for b in f.bands.values()]
        target = _by_band([[s.target for s in row] for row in spans], p.band)
        low = _by_band([[s.low or 0.0 for s in row] for row in spans], p.band)
        high = _by_band([[1.0 if s.high is None else s.high for s in row] for row in spans], p.band)
        return self._long(
            "bucket", f.bucket_codes, value=money, share=share, target=target, low=low, high=high, drift=share - target
        )

    @cached_property
    def rules(self) -> pd.DataFrame:
        """Clients × concentration rules: exposure, lo, hi, severity, weight."""
        c = self.concentration
        weight = np.broadcast_to(c.weight, c.severity.shape)
        return self._long(
            "rule",
            list(self.framework.rules),
            exposure=c.exposure,
            lo=c.lo,
            hi=c.hi,
            severity=c.severity,
            weight=weight,
        )

    @cached_property
    def limits(self) -> pd.DataFrame:
        """Clients × limits that apply: value, bound, sense, excess (fraction of the total), exceeded."""
        t = self.limit_table
        senses = np.tile([int(limit.sense == ">=") for limit in t.limits], len(self))
        sense = pd.Categorical.from_codes(senses.tolist(), categories=pd.Index(["<=", ">="]))
        long = self._long(
            "limit",
            [lim.name for lim in t.limits],
            unique=False,
            value=t.value,
            bound=t.bound,
            excess=t.excess,
            exceeded=t.exceeded,
        )
        long = long.assign(sense=sense)[["client_id", "limit", "value", "bound", "sense", "excess", "exceeded"]]
        return long[long["bound"].notna()].reset_index(drop=True)

    @cached_property
    def holdings(self) -> pd.DataFrame:
        """Every holding: class, bucket, value, weight (fraction of the total), and which source classified it."""
        h = self.positions.holdings
        return h.assign(value=self.positions.value, weight=self.exposures.weight)[
            [
                "client_id",
                "asset_id",
                "name",
                "asset_class",
                "bucket",
                "value",
                "weight",
                "rule",
                "issuer",
                "sector",
                "country",
                "currency",
                "product_id",
                "row",
            ]
        ]

    @property
    def set_aside(self) -> pd.DataFrame:
        """Issues that kept a row, a cell or a client out."""
        return self.issues[self.issues["severity"] == "error"]

    def part(self, client_id: str) -> Part:
        """The tables of one client: ``summary``, ``buckets``, ``rules``, ``limits``, ``holdings`` and ``issues``.

        Raises
        ------
        InputError
            No such client in this result.
        """
        self.index(client_id)
        return Part(self, client_id, ("summary", "buckets", "rules", "limits", "holdings", "issues"))

    def _at(self, name: str, table: Any, client_id: str) -> Any:
        at = super()._at(name, table, client_id)
        if name != "issues" or not len(self._doubtful_rates):
            return at
        # what is doubtful about rates concerns whoever has money in another currency
        home = self.positions.clients["currency"].iloc[self.index(client_id)]
        foreign = (self._part("holdings", client_id)["currency"] != home).any()
        return sorted([*at, *self._doubtful_rates]) if foreign else at

    @cached_property
    def _doubtful_rates(self) -> list[int]:
        i = self.issues
        found = (i["table"] == "fx") & (i["client_id"] == "") & (i["severity"] != "info")
        return [int(k) for k in np.flatnonzero(found)]

    def compare(self, other: Analysis) -> pd.DataFrame:
        """What differs from another analysis of the same clients: another framework, other bands, a later day.

        Returns
        -------
        pandas.DataFrame
            By client, ``this`` and ``other`` under each figure of ``summary`` that differs; see `differences`.

        Raises
        ------
        InputError
            The other is not of the same clients.
        """
        return differences(self.summary, other.summary)

    def __repr__(self) -> str:
        s = self.summary
        lines = [
            f"Analysis of {len(self):,} clients, {len(self.positions.value):,} holdings, "
            f"framework {self.framework.name}, {self.on}"
        ]
        counts = s["status"].value_counts()
        lines.append("  " + ", ".join(f"{k} {v:,}" for k, v in counts.items()))
        with np.errstate(invalid="ignore"):
            lines.append(
                f"  score median {s['score'].median():.0f}; unclassified holdings "
                f"{int(self.positions.holdings['bucket'].isin(OUTSIDE[1:]).sum()):,}; issues {len(self.issues):,}"
            )
        lines.append("  tables: summary, buckets, rules, limits, holdings, issues")
        return "\n".join(lines)

    def _long(self, name: str, codes: list[str], *, unique: bool = True, **columns: AnyArray) -> pd.DataFrame:
        n, k = len(self), len(codes)
        labels = codes if unique else list(dict.fromkeys(codes))
        what = pd.Categorical.from_codes(
            np.tile([labels.index(c) for c in codes], n).tolist(), categories=pd.Index(labels)
        )
        who = self.positions.clients["client_id"].repeat(k).reset_index(drop=True)
        return pd.DataFrame(
            {"client_id": who, name: what, **{c: np.asarray(v).reshape(-1) for c, v in columns.items()}}
        )


def _by_band(table: list[list[float]], band: AnyArray) -> FloatArray:
    rows = np.vstack([np.array(table, dtype="float64"), np.full((1, len(table[0])), np.nan)])
    return rows[band]
