"""Large money into or out of deposits and money market funds."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.change import CENT, Change, class_is, sums
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy


def outflow(change: Change, policy: Policy) -> pd.DataFrame:
    """Money that left; ``amount`` is above 0."""
    return _large(change, policy, -1.0)


def inflow(change: Change, policy: Policy) -> pd.DataFrame:
    """Money that came."""
    return _large(change, policy, 1.0)


def _large(change: Change, policy: Policy, sign: float) -> pd.DataFrame:
    h = change.held
    cash = class_is(h, change.cash_classes)
    old, new = sums(change, np.where(cash, h.old, 0.0)), sums(change, np.where(cash, h.new, 0.0))
    flow = sign * sums(change, np.where(cash, h.flow, 0.0))
    loose = sums(change, (cash & ~h.counted & ~(np.abs(h.new - h.old) < CENT)).astype("float64")) > 0
    amounts = {c: policy.flow.absolute.get(c, np.nan) for c in set(change.currency)}
    absolute = np.array([amounts[c] for c in change.currency], dtype="float64")
    bound = np.fmin(absolute, policy.flow.relative * change.old("total", money=True))
    hit = np.flatnonzero(change.both & (flow >= np.maximum(bound, CENT)))
    note = np.where(loose[hit], "value_only", "")
    return rows(hit, before=old[hit], after=new[hit], amount=flow[hit], bound=bound[hit], note=note)


FINDINGS: Final = (
    Finding(
        "outflow",
        en="Large deposit outflow",
        zh="大额存款流出",
        says={
            "en": "{amount} left deposits and money market funds ({before} → {after}); large from {bound}",
            "zh": "存款和货币基金流出 {amount}（{before} → {after}）；{bound} 起算大额",
        },
        subject="none",
        unit="money",
        rank=2,
        lasting=False,
        measure=outflow,
    ),
    Finding(
        "inflow",
        en="Large deposit inflow",
        zh="大额存款流入",
        says={
            "en": "{amount} came into deposits and money market funds ({before} → {after}); large from {bound}",
            "zh": "存款和货币基金流入 {amount}（{before} → {after}）；{bound} 起算大额",
        },
        subject="none",
        unit="money",
        rank=8,
        lasting=False,
        measure=inflow,
    ),
)
