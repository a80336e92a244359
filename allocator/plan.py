"""What to do about it: a frozen result with plain tables inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from allocator.analysis import Analysis

STATUSES: Final = ("no_trade", "in_band", "improved", "stuck", "unfunded", "insolvent", "invalid")
"""Statuses of a plan.

``no_trade`` everything holds and nothing drifted · ``in_band`` every limit holds after the plan · ``improved`` some
limit is still exceeded, none is worse · ``stuck`` nothing can improve · ``unfunded`` a withdrawal that nothing sellable
can pay · ``insolvent`` no money of one's own in the buckets · ``invalid`` bad data, the reason says which.
"""

SUMMARY: Final = (
    "client_id",
    "status",
    "reason",
    "reason_row",
    "objective",
    "gap",
    "cost",
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
    "because",
    "sense",
    "share_before",
    "share_after",
    "bound",
)
CHECKS: Final = ("client_id", "check", "sense", "before", "bound", "after", "excess_before", "excess_after", "verdict")
OBSTACLES: Final = ("client_id", "obstacle", "excess", "distance", "volatility")


@dataclass(frozen=True)
class Plan:
    """Result of `allocator.rebalance`.

    Attributes
    ----------
    before, after
        Analyses of today's book and of the book after the plans; a client without a plan is the same in both.
    summary
        One row per client. ``status`` (see `STATUSES`), ``reason`` and ``reason_row`` (issue code and row of an invalid
        client), ``objective`` and its optimality ``gap``, ``cost`` in money, ``turnover`` = (buys + sells) / 2 as a
        fraction of the total, ``buys``, ``sells`` and debt ``repaid`` in money, number of ``trades``, scores and limits
        exceeded before and after,
        ``missing`` money of an unfunded withdrawal, and whether the ``certificate`` holds.
    trades
        One row per trade; ``side`` is ``buy``, ``sell`` or ``repay`` (then ``asset_id`` names the debt). ``because`` is
        the limit that the trade mends (or ``target:BUCKET``, ``cash_flow``, ``cash``, ``secured``, ``repay``), with
        that limit's ``sense`` and ``bound`` and the share before and after.
    checks
        The certificate: one row per thing that the verifier recomputed.
    obstacles
        What would change without an obstacle: excess and distance (in units of the objective's terms) and volatility.
    """

    before: Analysis
    after: Analysis
    summary: pd.DataFrame
    trades: pd.DataFrame
    checks: pd.DataFrame
    obstacles: pd.DataFrame

    def __len__(self) -> int:
        return len(self.summary)

    def select(self, client_id: str) -> dict[str, Any]:
        """Every table for one client, by table name; ``before`` and ``after`` hold those of the analyses.

        Raises
        ------
        InputError
            No such client in this result.
        """
        own = {name: getattr(self, name) for name in ("summary", "trades", "checks", "obstacles")}
        tables: dict[str, Any] = {"before": self.before.select(client_id), "after": self.after.select(client_id)}
        return tables | {name: t[t["client_id"] == client_id].reset_index(drop=True) for name, t in own.items()}

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
        lines.append("  tables: summary, trades, checks, obstacles; before and after are analyses")
        return "\n".join(lines)
