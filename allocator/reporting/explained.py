"""A client's plan in sentences: the verdict, why each trade is made, what stays exceeded and what stands in the way."""

from __future__ import annotations

import math
from typing import Final

from allocator.i18n import Words
from allocator.limits import Limit
from allocator.plan import Plan
from allocator.reporting.explain import FELT
from allocator.reporting.hindrance import still_exceeded
from allocator.reporting.issue_words import plan_reason
from allocator.reporting.labels import reason_of
from allocator.reporting.lists import SIDES
from allocator.reporting.sentences import clean, conflict_sentence, heading, limit_name, plan_verdict
from allocator.reporting.tables import Client, Row

FIGURES: Final = ("excess", "distance", "volatility", "cost")
"""Figures of an obstacle, in the order in which they are said."""


def sentences(plan: Plan, client_id: str, words: Words) -> tuple[str, ...]:
    """Everything that a plan says about a client, one sentence each.

    Raises
    ------
    InputError
        No such client in the plan.
    """
    me, tables = Client.of(plan.before, client_id, words), plan.part(client_id)
    summary = tables.rows("summary")[0]
    reason = conflict_sentence(tables.rows("conflicts"), me.framework, words, me.own)
    if summary["reason"]:
        reason = plan_reason(summary, me.rows("issues"), me.framework, words)
    trades = sorted(tables.rows("trades"), key=lambda t: SIDES.index(t["side"]))
    return (
        plan_verdict(summary, me.summary, reason, words),
        *(_trade(t, plan, me) for t in trades),
        *exceeded_sentences(summary, me, still_exceeded(plan, me.place, words)),
        *(s for r in tables.rows("obstacles") if (s := obstacle_sentence(r, me))),
    )


def _trade(t: Row, plan: Plan, me: Client) -> str:
    words = me.words
    text = words.text(
        f"notebook.{t['side']}",
        amount=me.money(t["amount"]),
        name=clean(t["name"] or t["asset_id"]),
        reason=reason_of(plan, me.place, t, words),
    )
    return words.tight(text)


def exceeded_sentences(summary: Row, me: Client, held: list[tuple[Limit, str, str]]) -> list[str]:
    """Say which limits stay exceeded, each with why; ``held`` is of `still_exceeded`."""
    if summary["status"] not in ("improved", "stuck"):
        return []
    return [
        me.words.tight(
            me.words.text(
                "notebook.short" if limit.sense == ">=" else "notebook.exceeded",
                limit=heading(limit_name(limit.name, me.framework, me.words, me.own)),
                bound=bound,
                why=why,
            )
        )
        for limit, bound, why in held
    ]


def obstacle_sentence(r: Row, me: Client) -> str:
    """Say what would change without an obstacle; empty where nothing would, or nobody knows."""
    words, parts = me.words, []
    for key in FIGURES:
        change = float(r[key])
        # that trading costs would be spared without costs is no news
        if not math.isfinite(change) or abs(change) <= FELT or (key == "cost" and r["obstacle"] == "costs"):
            continue
        size = me.money(abs(change) * me.total) if key in ("excess", "cost") else words.number(abs(change) * 100)
        parts.append(words.text(f"notebook.{key}_{'less' if change < 0 else 'more'}", size=size))
    if not parts:
        return ""
    name = words.text(f"notebook.without_{r['obstacle']}")
    return words.tight(words.text("notebook.obstacle", obstacle=name, changes=words.text("notebook.and").join(parts)))
