"""Why a limit stays exceeded after a plan: what cannot be sold, measured against the limit."""

from __future__ import annotations

import math

import numpy as np

from allocator.assumptions import risk_table
from allocator.framework import BUDGETS
from allocator.i18n import Words
from allocator.limits import Limit
from allocator.measure_limits import counted, labels
from allocator.plan import Plan
from allocator.positions import facts
from allocator.reporting.sentences import bound_of, inside, limit_name, with_unit
from allocator.risk import shortfall
from allocator.typing import AnyArray, FloatArray

_SPENT = 1e-3
"""A budget is used up when less than this fraction of the total is left of it."""


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
    words
        The language.
    """
    p, e = plan.before.positions, plan.after.exposures
    rows = slice(int(p.start[i]), int(p.start[i + 1]))
    locked = p.value[rows] * (1.0 - p.sellable[rows])
    in_buckets = (p.mix_table @ plan.before.framework.flag("inside"))[p.mix[rows]]
    total = float(e.total[i])
    free = total - float(locked @ in_buckets)
    if limit.kind == "leverage":  # what must be paid back so that (D − r) / (T − r) is the bound
        owed = (float(e.debt[i]) - bound * total) / (1.0 - bound) if bound < 1 else math.inf
        return words.text("say.floor_blocked") if free < owed else _weighed(plan, i, words)
    if limit.kind in ("volatility", "cvar"):
        alone = _alone(plan, i, rows, locked, limit.kind)
        held = alone > bound
        return words.text("say.locked_risk", value=words.percent(alone)) if held else _weighed(plan, i, words)
    if limit.kind in ("tracking", "term"):  # what is locked may lie where the bound wants it: nothing simple to say
        return _weighed(plan, i, words)
    base = float(e.equity[i]) if limit.base == "equity" else total
    if limit.sense == ">=":
        need = float(plan.before.exposures.need[i]) if limit.kind == "reserve_months" else base
        if free + _filled(plan, limit, rows, locked) < bound * need:
            return words.text("say.floor_blocked")
        return _not_for_sale(plan, i, limit, free, words) or _weighed(plan, i, words)
    amount = _locked_part(plan, limit, rows, locked * in_buckets)
    if amount > bound * base:
        return words.text("say.not_sellable", amount=words.money(amount, str(p.clients["currency"].iloc[i])))
    return _weighed(plan, i, words)


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


def _weighed(plan: Plan, i: int, words: Words) -> str:
    """Nothing is in the way by itself: a budget of the plan is used up, or mending would do more harm than good."""
    own = plan.part(str(plan.before.positions.clients["client_id"].iloc[i])).rows("checks")
    for r in (r for r in own if r["check"] in BUDGETS and r["after"] > r["bound"] - _SPENT):
        budget = inside(limit_name(r["check"], plan.before.framework, words))
        return words.text("say.budget_spent", budget=budget, bound=bound_of(r["check"], r["bound"], "<=", words))
    return words.text("say.weighed")


def _not_for_sale(plan: Plan, i: int, limit: Limit, free: float, words: Words) -> str:
    """Whether nothing that counts toward a floor can be bought: not offered, above the grade, or in larger amounts."""
    p, f = plan.before.positions, plan.before.framework
    if limit.kind != "share":
        return ""
    counts = f.share(limit.name)
    shelf = p.shelf[counts[p.shelf["klass"].to_numpy("intp")] > 0]
    if float(counts @ f.flag("cash")) > 0:  # an account at call is always to be had
        return ""
    offered = shelf[shelf["available"].astype(bool)]
    if not len(offered):
        return words.text("say.no_product")
    grade = list(f.bands.values())[p.band[i]].product_risk
    fitting = offered[offered["risk"] <= grade]
    if not len(fitting):
        return words.text("say.no_product_grade", grade=grade)
    currency = str(p.clients["currency"].iloc[i])
    least = float(fitting["minimum"].min()) / p.rates.get(currency, math.nan)
    return words.text("say.too_small", amount=words.money(least, currency)) if least > free else ""


def _filled(plan: Plan, limit: Limit, rows: slice, locked: FloatArray) -> float:
    """Money that cannot be sold and counts toward a floor already; what is locked is no reserve."""
    if limit.kind == "share":
        return _share(plan, limit, rows, locked)
    return float(locked @ _counts(plan, limit, rows)) if limit.kind == "counted" else 0.0


def _locked_part(plan: Plan, limit: Limit, rows: slice, locked: FloatArray) -> float:
    """Money under a cap that cannot be sold: of the share, or of the largest asset, issuer or label."""
    p = plan.before.positions
    if limit.kind == "share":
        return _share(plan, limit, rows, p.value[rows] * (1.0 - p.sellable[rows]))
    if limit.kind == "counted":
        return float(locked @ _counts(plan, limit, rows))
    if limit.kind == "label":
        code = labels(limit.name, p, plan.before.framework)[0][rows]
        return _largest(code[code >= 0], locked[code >= 0])
    if limit.kind in ("single_holding", "issuer"):
        code = (p.issuer if limit.kind == "issuer" else p.asset)[rows]
        return _largest(code, locked * (plan.before.exposures.named[rows] > 0))
    return 0.0


def _share(plan: Plan, limit: Limit, rows: slice, amounts: FloatArray) -> float:
    p, f = plan.before.positions, plan.before.framework
    return float(amounts @ (p.mix_table @ f.share(limit.name))[p.mix[rows]])


def _counts(plan: Plan, limit: Limit, rows: slice) -> FloatArray:
    return counted(limit, facts(plan.before.positions, rows).reset_index(drop=True))


def _largest(code: AnyArray, amounts: FloatArray) -> float:
    """Largest sum of amounts with one code."""
    _, place = np.unique(code, return_inverse=True)
    return float(np.bincount(place, weights=amounts).max(initial=0.0))


def _alone(plan: Plan, i: int, rows: slice, locked: FloatArray, kind: str) -> float:
    """Volatility or CVaR that the locked part alone brings to the family's own money after the plan."""
    p, f = plan.before.positions, plan.before.framework
    equity = float(plan.after.exposures.equity[i])
    if equity <= 0:
        return math.nan
    table, counts = risk_table(f, plan.before.assumptions), f.flag("inside")
    money = (locked @ p.mix_table[p.mix[rows]]) * counts
    if kind == "cvar":
        return float(shortfall(money[None, :], table)[0]) / equity
    own_part = np.append(table.idiosyncratic * counts, 0.0)[p.klass[rows]] * locked
    _, place = np.unique(p.asset[rows], return_inverse=True)
    specific = np.bincount(place, weights=own_part) ** 2
    return float(np.sqrt(((money @ table.loadings) ** 2).sum() + specific.sum()) / equity)
