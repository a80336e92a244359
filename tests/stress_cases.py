"""What tests of stresses share: the standard scenarios, one client's row, and when two results are alike."""

from __future__ import annotations

from typing import Any

import pandas as pd

from allocator.scenarios import load_scenarios
from allocator.stresses import Stress

STANDARD = load_scenarios()
MONEY = ["loss", "spent", "short", "equity", "net_worth"]
CRASH = {"crash": {"shocks": {"equity_fund": -0.5, "gold": 0.1, "investment_property": -0.2, "deposit": 0.0}}}


def only(found: Stress, scenario: str = "") -> dict[str, Any]:
    """The row of the only client in a scenario (default the first)."""
    s = found.summary
    (row,) = s[s["scenario"] == (scenario or found.names[0])].to_dict("records")
    return {str(k): v for k, v in row.items()}


def figures(found: Stress) -> pd.DataFrame:
    return found.summary.astype({"scenario": "str"}).set_index(["client_id", "scenario"]).sort_index()


def alike(one: pd.DataFrame, two: pd.DataFrame, money: float = 1.0, tolerance: float = 1e-9) -> None:
    two = two.assign(**{c: two[c] / money for c in MONEY})
    pd.testing.assert_frame_equal(one, two, rtol=tolerance, atol=1e-6)
