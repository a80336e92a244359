"""Certificates of a whole book at once, in arrays; what floats cannot say for sure the exact verifier says.

It shares no code with the optimiser, nor with the exact verifier, and trusts the orders alone. Money is in whole cents
and exact. A limit is judged only where its float is further from the tolerance than a bound on what it may be wrong by.
Every refusal is the exact verifier's: what does not surely hold here is verified there, client by client.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.certificates_items import Items, items_of
from allocator.certificates_limits import HOLDS, NO_WORSE, ROUNDING, Judged, Measures, judge
from allocator.certificates_orders import Cents, OrderTable, orders_of
from allocator.certificates_trades import TradeChecks, check_trades
from allocator.certify import Certifier
from allocator.limits import TOLERANCE, budgets
from allocator.plan import CHECKS
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray
from allocator.verify import BAD, Certificate

__all__ = ["VERDICTS", "BookCertificates", "Cents", "OrderTable", "verify"]

VERDICTS: Final = ("holds", "no_worse", "untouched", "worse", "broken")
"""What ``BookCertificates.verdict`` counts; −1 where a check does not apply to a client."""
NUMBERS: Final = ("before", "bound", "after", "excess_before", "excess_after")
TRADE_CHECKS: Final = (
    ("money", "=="), ("costs", "=="), ("tax", "=="), ("amounts", "<="), ("lots", "<="), ("suitability", "<="),
)  # fmt: skip
SAME: Final = 1e-7
"""How far numbers of both verifiers may be apart, as fractions: roots of what cancels are good to that."""
DISAGREEMENTS: Final = ("client_id", "check", "sense", "what", "book", "exact")


@dataclass(frozen=True)
class BookCertificates:
    """Certificates of all clients: arrays clients × checks, NaN and −1 where a check does not apply to a client.

    Attributes
    ----------
    client_ids
        Clients in the order of the book.
    checks
        Name and sense of each check; trade checks, budgets, limits.
    before, bound, after, excess_before, excess_after
        As in `allocator.verify.Check`.
    verdict
        Places in `VERDICTS`.
    holds
        Per client, whether the plan may be shown; true where there is no plan.
    exact
        Per client, whether the exact verifier judged.
    disagreements
        Of the sample that both verifiers judged: one row per difference, which is a defect of one of them. The exact
        verdict then stands.
    """

    client_ids: AnyArray
    checks: tuple[tuple[str, str], ...]
    before: FloatArray
    bound: FloatArray
    after: FloatArray
    excess_before: FloatArray
    excess_after: FloatArray
    verdict: IntArray
    holds: BoolArray
    exact: BoolArray
    disagreements: pd.DataFrame

    def __len__(self) -> int:
        return len(self.holds)

    def table(self, clients: Sequence[int] | IntArray | None = None) -> pd.DataFrame:
        """List the checks as `allocator.plan.CHECKS` has them: one row per client and check that applies to it.

        Parameters
        ----------
        clients
            Places of clients, in the order wanted; default all.
        """
        rows = np.arange(len(self)) if clients is None else np.asarray(clients, dtype="intp")
        i, j = np.nonzero(self.verdict[rows] >= 0)
        i = rows[i]
        names, senses = (np.array(c, dtype=object) for c in zip(*self.checks, strict=True))
        columns: dict[str, AnyArray] = {"client_id": self.client_ids[i], "check": names[j], "sense": senses[j]}
        columns |= {c: getattr(self, c)[i, j] for c in NUMBERS}
        columns["verdict"] = np.array(VERDICTS, dtype=object)[self.verdict[i, j]]
        texts = dict.fromkeys(("client_id", "check", "sense", "verdict"), "str")
        return pd.DataFrame(columns)[list(CHECKS)].astype(texts)


def verify(
    analysis: Analysis, orders: OrderTable, *, hard: bool = False, sample: int = 0, seed: int = 0
) -> BookCertificates:
    """Verify the plans of every client from their orders.

    Parameters
    ----------
    analysis
        The book today, with the limits that count.
    orders
        Orders of all clients.
    hard
        Every limit must hold; to be no worse than at the starting point is not enough.
    sample, seed
        How many of the clients that were judged here the exact verifier judges as well, at random.

    Returns
    -------
    BookCertificates
        Users' own limits, withdrawals beyond the cash account, and whatever does not surely hold, are judged
        by the exact verifier.

    Raises
    ------
    ConfigError
        The table of orders does not fit the analysis.
    ValueError
        A plan for a client who cannot have one: insolvent, or of no band.
    """
    orders.check(analysis.positions)
    found = _Sheet(analysis, orders)
    sure = found.judge()
    certifier = Certifier(analysis)

    def certify(i: int) -> Certificate:
        own, cash = orders_of(i, orders, analysis.positions)
        return certifier.certify(i, own, cash, hard=hard)

    sure &= (found.verdict <= (HOLDS if hard else NO_WORSE + 1)).all(axis=1)
    exact = orders.planned & ~sure
    found.clear(~sure)
    for i in np.flatnonzero(exact).tolist():
        found.put(i, certify(i))
    found.verdict[~orders.planned, 0] = HOLDS  # no trade, so nothing that could be wrong
    rows: list[tuple[object, ...]] = []
    pool = np.flatnonzero(sure)
    drawn = np.random.default_rng(seed).choice(pool, min(sample, len(pool)), replace=False)
    for i in np.sort(drawn).tolist():
        certificate = certify(i)
        differences = found.compare(i, certificate)
        rows += differences
        if differences:
            exact[i] = True
            found.clear(np.arange(len(analysis)) == i)
            found.put(i, certificate)
    bad = np.array([v in BAD for v in VERDICTS] + [False])
    return BookCertificates(
        client_ids=analysis.positions.clients["client_id"].to_numpy(dtype=object),
        checks=tuple(found.checks),
        **found.numbers,
        verdict=found.verdict,
        holds=~bad[found.verdict].any(axis=1),
        exact=exact,
        disagreements=pd.DataFrame(rows, columns=list(DISAGREEMENTS)),
    )


class _Sheet:
    """The arrays while they are filled."""

    def __init__(self, a: Analysis, t: OrderTable) -> None:
        self.a, self.t = a, t
        self.budgets = budgets(a.framework)
        limits = a.limit_table.limits
        self.checks = [*TRADE_CHECKS, *((b.name, "<=") for b in self.budgets), *((x.name, x.sense) for x in limits)]
        self.place = {both: j for j, both in enumerate(self.checks)}
        shape = (len(a), len(self.checks))
        self.numbers = {c: np.full(shape, np.nan) for c in NUMBERS}
        self.verdict = np.full(shape, -1, dtype="intp")

    def judge(self) -> BoolArray:
        """Fill in what arrays can say; tells of whom all of it is sure."""
        x = items_of(self.a, self.t)
        trades = check_trades(self.a, self.t, x)
        sure = self.t.planned & trades.sure & (self.a.positions.band >= 0)
        for name, three in trades.numbers.items():
            j = self.place[name, dict(TRADE_CHECKS)[name]]
            for column, values in zip(NUMBERS, three, strict=False):
                self.numbers[column][:, j] = values
            self.verdict[:, j] = HOLDS
        m = Measures(self.a, self.t, x)
        sure &= (m.today.equity > m.error) & (m.today.total > m.error)
        sure &= self._spent(m, trades, x)
        for limit in self.a.limit_table.limits:
            found = judge(limit, m)
            sure &= found.sure | ~found.applies
            self._limit(self.place[limit.name, limit.sense], found)
        return sure

    def _limit(self, j: int, found: Judged) -> None:
        for column in NUMBERS:
            self.numbers[column][:, j] = np.where(found.applies, getattr(found, column), np.nan)
        self.verdict[:, j] = np.where(found.applies, found.verdict, -1)

    def _spent(self, m: Measures, trades: TradeChecks, x: Items) -> BoolArray:
        """Judge the budgets; tells of whom surely."""
        unit = np.where(m.today.total > 0, m.today.total, np.nan)
        flow = self.a.positions.cash_flow
        start = {"turnover": (np.maximum(flow, 0.0) + x.paid) / 2, "cost": np.zeros(len(unit))}
        plan = {"turnover": trades.traded / 2, "cost": trades.paid}
        sure = np.ones(len(unit), dtype=bool)
        for b in self.budgets:
            j = self.place[b.name, "<="]
            bound = np.append(b.bounds, math.nan)[self.a.positions.band]
            applies = ~np.isnan(bound)
            before, after = start[b.name] / unit, plan[b.name] / unit
            error = ROUNDING * 64 * (1 + before + after + np.nan_to_num(bound)) + m.error / unit * (before + after)
            room = (bound + TOLERANCE - after, before + TOLERANCE - after)
            holds = room[0] >= 0
            sure &= ~applies | ((np.abs(room[0]) > error) & (holds | (np.abs(room[1]) > error)))
            verdict = np.select([holds, room[1] >= 0], [HOLDS, NO_WORSE], len(VERDICTS) - 1)
            excess = (np.maximum(before - bound, 0.0), np.maximum(after - bound, 0.0))
            for column, values in zip(NUMBERS, (before, bound, after, *excess), strict=True):
                self.numbers[column][:, j] = np.where(applies, values, np.nan)
            self.verdict[:, j] = np.where(applies, verdict, -1)
        return sure

    def clear(self, rows: BoolArray) -> None:
        """Forget what was filled in for some clients."""
        for column in self.numbers.values():
            column[rows] = np.nan
        self.verdict[rows] = -1

    def put(self, i: int, certificate: Certificate) -> None:
        """Fill in what the exact verifier says."""
        for check in certificate.checks:
            j = self.place[check.check, check.sense]
            self.verdict[i, j] = VERDICTS.index(check.verdict)
            for column in NUMBERS:
                number = getattr(check, column)
                self.numbers[column][i, j] = math.nan if number is None else float(number)

    def compare(self, i: int, certificate: Certificate) -> list[tuple[object, ...]]:
        """Rows of `DISAGREEMENTS` for one client."""
        client = self.a.positions.clients["client_id"].iloc[i]
        seen = {self.place[c.check, c.sense]: c for c in certificate.checks}
        out: list[tuple[object, ...]] = []
        for j, (name, sense) in enumerate(self.checks):
            mine, check = int(self.verdict[i, j]), seen.get(j)
            said, exact = "" if mine < 0 else VERDICTS[mine], "" if check is None else check.verdict
            if said != exact:
                out.append((client, name, sense, "verdict", said, exact))
            elif check is not None:
                for column in NUMBERS:
                    number, one = getattr(check, column), float(self.numbers[column][i, j])
                    other = math.nan if number is None else float(number)
                    if not (np.isnan(one) and np.isnan(other)) and not math.isclose(
                        one, other, rel_tol=SAME, abs_tol=SAME
                    ):
                        out.append((client, name, sense, column, one, other))
        return out
