"""Weighty holdings that came or went."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.change import Change
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy
from allocator.typing import BoolArray, FloatArray


def holding_new(change: Change, policy: Policy) -> pd.DataFrame:
    """Holdings that were not there, from the policy's share of the total on."""
    h = change.held
    return _weighty(change, policy, ~h.was & h.now, h.weight_new)


def holding_gone(change: Change, policy: Policy) -> pd.DataFrame:
    """Holdings that are no longer there."""
    h = change.held
    return _weighty(change, policy, h.was & ~h.now, h.weight_old)


def _weighty(change: Change, policy: Policy, moved: BoolArray, weight: FloatArray) -> pd.DataFrame:
    h = change.held
    at = np.flatnonzero(moved & (weight >= policy.holding.share) & change.both[h.client])
    return rows(
        h.client[at], subject=np.asarray(h.asset[at], dtype=object), name=np.asarray(h.name[at], dtype=object),
        before=h.old[at], after=h.new[at], amount=h.new[at] - h.old[at],
        note=np.where(np.isnan(h.old[at]), "no_rate", ""),
    )  # fmt: skip


FINDINGS: Final = (
    Finding(
        "holding_new",
        en="New holding",
        zh="新增持仓",
        says={"en": "{subject}: {after}, not there before", "zh": "{subject}：{after}，上次没有"},
        subject="asset",
        unit="money",
        rank=10,
        lasting=False,
        measure=holding_new,
    ),
    Finding(
        "holding_gone",
        en="Holding gone",
        zh="持仓消失",
        says={"en": "{subject}: was {before}, no longer there", "zh": "{subject}：上次 {before}，现已没有"},
        subject="asset",
        unit="money",
        rank=10,
        lasting=False,
        measure=holding_gone,
    ),
)
