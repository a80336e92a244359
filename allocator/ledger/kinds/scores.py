"""Concentration scores that jump, and what moved them."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.change import Change
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy
from allocator.ledger.snapshots import Snapshot
from allocator.typing import AnyArray, FloatArray, IntArray


def score_rise(change: Change, policy: Policy) -> pd.DataFrame:
    """Scores that rose by the points of the policy or more; ``name`` is the rule that moved most."""
    return _jump(change, policy, 1.0)


def score_fall(change: Change, policy: Policy) -> pd.DataFrame:
    """Scores that fell."""
    return _jump(change, policy, -1.0)


def _jump(change: Change, policy: Policy, sign: float) -> pd.DataFrame:
    old, new = change.old("score"), change.new("score")
    step = sign * (new - old)
    hit = np.flatnonzero(change.both & (step >= policy.score.points))
    name: AnyArray = np.full(len(hit), "", dtype=object)
    if len(hit) and change.before is not None:
        codes, was = _parts(change.before, change.at[hit])
        others, now = _parts(change.after, hit)
        common = [c for c in others if c in codes]
        moved = sign * (now[:, [others.index(c) for c in common]] - was[:, [codes.index(c) for c in common]])
        if common:
            name = np.array(common, dtype=object)[moved.argmax(axis=1)]
    return rows(hit, name=name, before=old[hit], after=new[hit], amount=step[hit], bound=policy.score.points)


def _parts(snapshot: Snapshot, client: IntArray) -> tuple[list[str], FloatArray]:
    """Rules, and −log(1 − a·s) of each for some clients: the parts that a score is the sum of."""
    t = snapshot.columns("rules", "client", "rule", "severity", "weight")
    rules = t["rule"].cat
    with np.errstate(divide="ignore"):
        part = -np.log1p(-np.minimum(t["severity"].to_numpy() * t["weight"].to_numpy(), 1 - 1e-12))
    out = np.zeros((len(snapshot), len(rules.categories)))
    out[t["client"].to_numpy("intp"), rules.codes] = part
    return [str(c) for c in rules.categories], out[client]


FINDINGS: Final = (
    Finding(
        "score_rise",
        en="Concentration score up",
        zh="集中度评分上升",
        says={
            "en": "score {before} → {after} (+{amount}); most of it: {subject}",
            "zh": "评分 {before} → {after}（+{amount}）；主要来自：{subject}",
        },
        subject="rule",
        unit="points",
        rank=4,
        lasting=False,
        measure=score_rise,
    ),
    Finding(
        "score_fall",
        en="Concentration score down",
        zh="集中度评分下降",
        says={
            "en": "score {before} → {after} (-{amount}); most of it: {subject}",
            "zh": "评分 {before} → {after}（-{amount}）；主要来自：{subject}",
        },
        subject="rule",
        unit="points",
        rank=12,
        lasting=False,
        measure=score_fall,
    ),
)
