"""Why a limit stays exceeded after a plan: what cannot be sold, measured against the limit."""

from __future__ import annotations

import numpy as np

from allocator.assumptions import risk_table
from allocator.i18n import Words
from allocator.limits import Limit
from allocator.plan import Plan
from allocator.reporting.sentences import with_unit
from allocator.typing import FloatArray


def why_exceeded(plan: Plan, i: int, limit: Limit, bound: float, words: Words) -> str:
    """Say what keeps a limit of client ``i`` from holding.

    Parameters
    ----------
    plan
        The plan under which it is still exceeded.
    i
        Place of the client.
    limit, bound
        The limit and the bound that applies to the client.
    """
    p, total = plan.before.positions, float(plan.after.exposures.total[i])
    rows = slice(int(p.start[i]), int(p.start[i + 1]))
    locked = p.value[rows] * (1.0 - p.sellable[rows])
    inside = (p.mix_table @ plan.before.framework.flag("inside"))[p.mix[rows]]
    if limit.kind == "leverage":  # what must be paid back so that (D − r) / (T − r) is the bound
        owed = (float(plan.after.exposures.debt[i]) - bound * total) / (1.0 - bound)
        return words.text("say.floor_blocked" if total - float(locked @ inside) < owed else "say.weighed")
    if limit.kind == "volatility":
        alone = _volatility(plan, i, rows, locked)
        held = alone > bound
        return words.text("say.locked_risk", value=words.percent(alone)) if held else words.text("say.weighed")
    if limit.sense == ">=":
        need = float(plan.before.exposures.need[i]) if limit.kind == "reserve_months" else total
        blocked = total - float(locked @ inside) < bound * need
        return words.text("say.floor_blocked" if blocked else "say.weighed")
    amount = _locked_part(plan, limit, rows, locked)
    if amount > bound * total:
        return words.text("say.not_sellable", amount=words.money(amount, str(p.clients["currency"].iloc[i])))
    return words.text("say.weighed")


def still_exceeded(plan: Plan, i: int, words: Words) -> list[tuple[Limit, str, str]]:
    """List limits that stay exceeded: the limit, its bound as text, and why."""
    t = plan.after.limit_table
    return [
        (
            limit,
            with_unit(limit.name, float(t.bound[i, j]), words),
            why_exceeded(plan, i, limit, float(t.bound[i, j]), words),
        )
        for j, limit in enumerate(t.limits)
        if t.exceeded[i, j]
    ]


def _locked_part(plan: Plan, limit: Limit, rows: slice, locked: FloatArray) -> float:
    """Money under a cap that cannot be sold: of the share, or of the largest name or issuer."""
    p, f = plan.before.positions, plan.before.framework
    if limit.kind == "share":
        return float(locked @ (p.mix_table @ f.share(limit.name))[p.mix[rows]])
    named = locked * (plan.before.exposures.named[rows] > 0)
    if limit.kind == "issuer":
        _, code = np.unique(p.issuer[rows], return_inverse=True)
        named = np.bincount(code, weights=named).astype("float64")
    return float(named.max(initial=0.0))


def _volatility(plan: Plan, i: int, rows: slice, locked: FloatArray) -> float:
    """Volatility that the locked part alone brings to the family's own money after the plan."""
    p, f = plan.before.positions, plan.before.framework
    table, inside = risk_table(f, plan.before.assumptions), f.flag("inside")
    systematic = ((locked @ p.mix_table[p.mix[rows]]) * inside) @ table.loadings
    own_part = np.append(table.idiosyncratic * inside, 0.0)[p.klass[rows]] * locked
    equity = float(plan.after.exposures.equity[i])
    return float(np.sqrt((systematic**2).sum() + (own_part**2).sum()) / equity) if equity > 0 else float("nan")
