"""What to do about it: a frozen result with plain tables inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.differences import differences
from allocator.errors import ConfigError
from allocator.shown import Clients, Part, Sentences, explained

STATUSES: Final = ("no_trade", "in_band", "improved", "stuck", "infeasible", "unfunded", "insolvent", "invalid")
"""Statuses of a plan.

``no_trade`` everything holds and nothing drifted · ``in_band`` every limit holds after the plan · ``improved`` some
limit is still exceeded, none is worse · ``stuck`` nothing can improve · ``infeasible`` in hard mode, the limits cannot
all hold · ``unfunded`` a withdrawal that nothing sellable can pay · ``insolvent`` no money of one's own in the buckets
· ``invalid`` bad data, the reason says which.
"""

SUMMARY: Final = (
    "client_id",
    "status",
    "reason",
    "reason_row",
    "objective",
    "gap",
    "gap_whole",
    "primal",
    "dual",
    "duality_gap",
    "solver",
    "cost",
    "tax",
    "turnover",
    "buys",
    "sells",
    "repaid",
    "trades",
    "score_before",
    "score_after",
    "limits_before",
    "limits_after",
    "missing",
    "certificate",
)
TRADES: Final = (
    "client_id",
    "asset_id",
    "name",
    "asset_class",
    "bucket",
    "product_id",
    "side",
    "amount",
    "cost",
    "tax",
    "because",
    "sense",
    "share_before",
    "share_after",
    "bound",
)
CHECKS: Final = ("client_id", "check", "sense", "before", "bound", "after", "excess_before", "excess_after", "verdict")
OBSTACLES: Final = ("client_id", "obstacle", "excess", "distance", "volatility", "cost")
PRICES: Final = ("client_id", "rank", "kind", "name", "sense", "price")
SUITABILITY: Final = (
    "client_id",
    "mode",
    "excess",
    "distance",
    "volatility",
    "cost",
    "above",
    "satellite",
    "certificate",
)
ALTERNATIVES: Final = ("client_id", "obstacle", "asset_id", "name", "side", "amount")
RISKIER: Final = ("client_id", "asset_id", "name", "grade", "amount")
CONFLICTS: Final = ("client_id", "limit", "sense", "bound", "needed", "relaxation", "amount")
TABLES: Final = {
    "summary": SUMMARY,
    "trades": TRADES,
    "checks": CHECKS,
    "obstacles": OBSTACLES,
    "prices": PRICES,
    "suitability": SUITABILITY,
    "riskier": RISKIER,
    "alternatives": ALTERNATIVES,
    "conflicts": CONFLICTS,
}
"""Columns of every table of a plan, by name."""


@dataclass(frozen=True)
class Objective:
    """A term of the objective of one's own, beside the distance to the target or the return.

    Attributes
    ----------
    name
        What it is called.
    term
        From the cvxpy expressions of weights, buys and sells (of the assets, as fractions of the total today) and the
        facts of those assets (`allocator.positions.FACTS`), a convex expression to be small.
    weight
        Its price: 0 or above.
    """

    name: str
    weight: float
    term: Callable[[Any, Any, Any, Any], Any]

    def __post_init__(self) -> None:
        if not (np.isfinite(self.weight) and self.weight >= 0):
            raise ConfigError(f"objective '{self.name}': the weight must be a number of 0 or more")


@dataclass(frozen=True)
class Plan(Clients):
    """Result of `allocator.rebalance`.

    Attributes
    ----------
    before, after
        Analyses of today's book and of the book after the plans; a client without a plan is the same in both.
    summary
        One row per client. ``status`` (see `STATUSES`), ``reason`` and ``reason_row`` (issue code and row of an invalid
        client), ``objective``, its ``gap`` to the optimum in any amounts, and ``gap_whole`` to what no plan in whole
        amounts can beat; of that optimum the largest ``primal`` and ``dual`` residual and the ``duality_gap``, by our
        own sums, and the ``solver``; ``cost`` and ``tax`` in money, ``turnover`` = (buys + sells) / 2 as a fraction of
        the total, ``buys``, ``sells`` and debt ``repaid`` in money, number of ``trades``, scores and limits exceeded
        before and after, ``missing`` money of an unfunded withdrawal, and whether the ``certificate`` holds.
    trades
        One row per trade; ``side`` is ``buy``, ``sell`` or ``repay`` (then ``asset_id`` names the debt). ``because`` is
        the limit that the trade mends (or ``target:BUCKET``, ``cash_flow``, ``cash``, ``secured``, ``repay``), with
        that limit's ``sense`` and ``bound`` and the share before and after.
    checks
        The certificate: one row per thing that the verifier recomputed.
    obstacles
        What would change without an obstacle: excess, distance to the target and costs with taxes as fractions of the
        total, and volatility.
    prices
        Shadow prices: what one point (1% of the total) more of a ``limit``, a ``budget``, a ``holding`` (that cannot be
        sold) or a closed or unsuitable ``product`` would take off the objective, the dearest first.
    suitability
        What both modes reach, ``product`` and ``portfolio``: excess, distance, volatility, costs, the share bought
        ``above`` the client's grade, the ``satellite`` share that it must stay within, and whether the plan of that
        mode is verified.
    riskier
        What the portfolio mode would buy above the client's grade.
    alternatives
        The trades of the plan without each obstacle (with an open shelf, say), for comparison, never for carrying out.
    conflicts
        Hard mode: the smallest set of limits that cannot hold together; ``needed`` is the bound of each that would do
        while the others hold, ``relaxation`` (of the total) and ``amount`` how far that is.
    """

    before: Analysis
    after: Analysis
    summary: pd.DataFrame
    trades: pd.DataFrame
    checks: pd.DataFrame
    obstacles: pd.DataFrame
    prices: pd.DataFrame
    suitability: pd.DataFrame
    riskier: pd.DataFrame
    alternatives: pd.DataFrame
    conflicts: pd.DataFrame

    def __len__(self) -> int:
        return len(self.summary)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.before.client_ids

    def part(self, client_id: str) -> Part:
        """The tables of one client; ``before`` and ``after`` hold those of the analyses.

        Raises
        ------
        InputError
            No such client in this result.
        """
        return Part(self, client_id, TABLES, before=self.before.part(client_id), after=self.after.part(client_id))

    def select(self, client_id: str) -> dict[str, Any]:
        """Every table for one client, by table name; ``before`` and ``after`` hold those of the analyses.

        Raises
        ------
        InputError
            No such client in this result.
        """
        sides = {"before": self.before.select(client_id), "after": self.after.select(client_id)}
        return dict(self.part(client_id)) | sides

    def explain(self, client_id: str, lang: str = "") -> Sentences:
        """Say in sentences what the plan does for a client: the verdict, why each trade, and what holds it back.

        Parameters
        ----------
        client_id
            The client.
        lang
            ``en`` or ``zh``; default that of the user's locale.

        Returns
        -------
        Sentences
            A tuple of text that prints as lines.

        Raises
        ------
        InputError
            No such client in this plan.
        ConfigError
            No such language.
        """
        return explained(self, client_id, lang)

    def compare(self, other: Plan) -> pd.DataFrame:
        """What differs from another plan for the same clients: what they cost and where they lead.

        Returns
        -------
        pandas.DataFrame
            By client, ``this`` and ``other`` under each figure that differs: status, number of trades, ``cost``,
            ``tax`` and ``turnover`` of the plan, and the summary of the analysis after it; see `differences`.

        Raises
        ------
        InputError
            The other is not for the same clients.
        """
        return differences(self._outcome(), other._outcome())

    def _outcome(self) -> pd.DataFrame:
        """Where the plan leads each client."""
        own = self.summary[["client_id", "status", "trades", "cost", "tax", "turnover"]]
        after = self.after.summary.drop(columns=["status", "band", "currency"])
        return own.merge(after, on="client_id")

    def __repr__(self) -> str:
        s = self.summary
        counts = s["status"].value_counts()
        planned = s[s["trades"] > 0]
        lines = [f"Plan for {len(s):,} clients: " + ", ".join(f"{k} {counts[k]:,}" for k in STATUSES if k in counts)]
        if len(planned):
            lines.append(
                f"  score median {s['score_before'].median():.0f} → {s['score_after'].median():.0f}; "
                f"{int(planned['trades'].sum()):,} trades; certificates hold: {int(s['certificate'].sum()):,}"
            )
        lines.append(f"  tables: {', '.join(TABLES)}; before and after are analyses")
        return "\n".join(lines)
