"""What a plan says of each client, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from allocator.i18n import Words
from allocator.plan import Plan
from allocator.reporting.explain import suitability_gap, suitability_unknown
from allocator.reporting.issue_words import plan_reason
from allocator.reporting.jsonvalues import Json, cents, grouped, plain, records
from allocator.reporting.labels import reason_of
from allocator.reporting.sentences import conflict_sentence
from allocator.reporting.tables import rows_of

MONEY = ("cost", "tax", "buys", "sells", "repaid", "missing")
PROOF = ("primal", "dual", "duality_gap")


def plans_json(plan: Plan, which: Sequence[int], words: Words) -> list[Json]:
    """One object per client, in the order of ``which``: all of ``plan`` but what the client is ``after`` it."""
    ids, framework = plan.before.client_ids, plan.before.framework
    trades = trades_json(plan, which, words)
    checks, prices = grouped(plan.checks, ids), grouped(plan.prices, ids)
    obstacles, suitability = _obstacles(plan), _suitability(plan, which, words)
    others = grouped(plan.alternatives, ids, ("amount",))
    conflicts = grouped(plan.conflicts, ids, ("amount",))
    clashes = {str(c): rows_of(rows) for c, rows in plan.conflicts.groupby("client_id", sort=False)}
    errors = plan.before.set_aside
    faults = grouped(errors[errors["client_id"].isin(ids)], ids)
    summary = records(plan.summary, MONEY)
    out = []
    for i in which:
        s, me = summary[i], ids[i]
        reason = conflict_sentence(clashes.get(me, []), framework, words, plan.before.own) or None
        if s["reason"]:
            reason = plan_reason(s, faults.get(me, []), framework, words)
        out.append(
            {
                "status": s["status"],
                "reason": reason,
                "reason_code": s["reason"] or None,
                "reason_row": s["reason_row"] or None,
                **{k: s[k] for k in ("objective", "gap", "gap_whole")},
                "proof": {k: s[k] for k in PROOF},
                **{k: s[k] for k in ("solver", "cost", "tax", "turnover", "buys", "sells", "repaid", "missing")},
                "trades": trades[me],
                "obstacles": [
                    {**x, "trades": [_without(t) for t in others[me] if t["obstacle"] == x["obstacle"]]}
                    for x in obstacles[me]
                ],
                "prices": prices[me],
                "suitability": suitability[me],
                "conflicts": conflicts[me],
                "certificate": {"holds": bool(s["certificate"]), "checks": checks[me]},
            }
        )
    return out


def trades_json(plan: Plan, which: Sequence[int], words: Words) -> dict[str, list[Json]]:
    """Trades of each client with their reasons in words."""
    ids = plan.before.client_ids
    found = grouped(plan.trades, ids, ("amount", "cost", "tax"))
    return {ids[i]: [{**trade, "reason": reason_of(plan, i, trade, words)} for trade in found[ids[i]]] for i in which}


def _without(trade: Json) -> Json:
    """A trade of the plan without an obstacle, which is said beside it."""
    return {k: v for k, v in trade.items() if k != "obstacle"}


def _obstacles(plan: Plan) -> dict[str, list[Json]]:
    """Obstacles with their price: excess also in money, costs and taxes in money alone."""
    total = _total(plan, plan.obstacles)
    money = {"excess_amount": plan.obstacles["excess"] * total, "cost": plan.obstacles["cost"] * total}
    frame = plan.obstacles.assign(**money)[
        ["client_id", "obstacle", "excess", "excess_amount", "distance", "volatility", "cost"]
    ]
    return grouped(frame, plan.before.client_ids, tuple(money))


def _suitability(plan: Plan, which: Sequence[int], words: Words) -> dict[str, Json | None]:
    """Both modes as numbers, what the mode by portfolio would buy, the gap as a sentence, and what that is worth."""
    ids = plan.before.client_ids
    out: dict[str, Json | None] = dict.fromkeys(ids)
    riskier = grouped(plan.riskier, ids, ("amount",))
    unknown = {
        str(c) for c, rows in plan.obstacles.groupby("client_id", sort=False) if suitability_unknown(rows_of(rows))
    }
    total = _total(plan, plan.suitability)
    modes: dict[str, dict[str, Any]] = {}
    for mode, unit in zip(rows_of(plan.suitability), total.tolist(), strict=True):
        modes.setdefault(mode["client_id"], {})[mode["mode"]] = mode | {"total": unit}
    currency = plan.before.positions.clients["currency"].tolist()
    for i in which:
        me = ids[i]
        if not {"product", "portfolio"} <= modes.get(me, {}).keys():
            continue
        product, portfolio = modes[me]["product"], modes[me]["portfolio"]
        gap = words.text("say.suitability_same")
        if me in unknown:
            gap = words.text("say.suitability_unknown")
        elif riskier[me]:
            gap = suitability_gap(product, portfolio, product["total"], str(currency[i]), words)
        out[me] = {
            "product": _mode(product),
            "portfolio": None if me in unknown else _mode(portfolio),
            "riskier": riskier[me],
            "gap": gap,
            "note": words.text("say.suitability_note"),
        }
    return out


def _mode(mode: dict[str, Any]) -> Json:
    """One mode: fractions of the total as they are, and money to the cent."""
    total = mode["total"]
    money = {"excess_amount": mode["excess"] * total, "cost": mode["cost"] * total}
    keys = ("excess", "excess_amount", "distance", "volatility", "cost", "above", "satellite")
    values = dict(zip(money, cents(list(money.values())), strict=True))
    shares = {k: mode[k] for k in keys if k not in money}
    values |= dict(zip(shares, plain(list(shares.values())), strict=True))
    return {k: values[k] for k in keys} | {"verified": bool(mode["certificate"])}


def _total(plan: Plan, frame: pd.DataFrame) -> Any:
    """Total today of the client of each row."""
    place = pd.Index(plan.before.client_ids).get_indexer(pd.Index(frame["client_id"]))
    return plan.before.exposures.total[place]
