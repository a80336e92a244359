"""Codes and numbers of a result as sentences: limits, trades, conflicts, verdicts."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final

from allocator.framework import Framework
from allocator.i18n import DASH, Words, around
from allocator.limits import Limit

MONTHS: Final = "reserve_months"
PLAIN_REASONS: Final = frozenset(
    f"reason.{why}" for why in ("cash", "cash_pays", "cash_flow", "cash_flow_out", "secured", "repay")
)
"""Reasons of trades that are no limit and no target."""


LEAST_SHARE: Final = 1e-3
"""A share below half of this is said to be under it."""


def clean(text: object) -> str:
    """Make text safe to show anywhere: control and direction characters become their escapes, line breaks a space."""
    plain = str(text)
    if plain.isprintable():
        return plain
    out = []
    for c in plain:
        if c in "\t\n\r\v\f\x85\u2028\u2029":
            out.append(" ")
        elif unicodedata.category(c) in ("Cc", "Cf", "Cs"):
            out.append(c.encode("unicode_escape").decode("ascii"))
        else:
            out.append(c)
    return "".join(out)


def limit_name(name: str, framework: Framework, words: Words, own: Sequence[Limit] = ()) -> str:
    """Name of a limit, a share, a budget or a check.

    Users' own (``own``) bear the words that they were given, ``bucket:X`` and its like those of the framework, others
    those of the catalogue; what nobody knows keeps its code.
    """
    for limit in own:
        if limit.name == name:
            return clean(words.name(limit))
    kind, _, code = name.partition(":")
    parts: Mapping[str, Mapping[str, Any]] = {
        "bucket": framework.buckets,
        "group": framework.groups,
        "class": framework.classes,
        "target": framework.buckets,
    }
    if code and kind in parts and code in parts[kind]:
        return words.name(parts[kind][code])
    return words.get(f"limit.{name}", words.get(f"check.{name}", name))


def inline_name(name: str, framework: Framework, words: Words, own: Sequence[Limit] = ()) -> str:
    """Name of a limit as it stands inside a sentence; users' own words stay as they are."""
    plain = limit_name(name, framework, words, own)
    return plain if any(limit.name == name for limit in own) else words.get(f"inline.{name}", inside(plain))


def inside(name: str) -> str:
    """A name as it stands inside a sentence: ``Listed equity`` becomes ``listed equity``, ``REITs`` stays."""
    return name[:1].lower() + name[1:] if name[1:2].islower() else name


def heading(name: str) -> str:
    """A name as it stands alone."""
    return name[:1].upper() + name[1:]


def amount_of(name: str, value: float, words: Words) -> str:
    """A value of a limit: months for the reserve, else a share."""
    return words.number(value) if name == MONTHS else words.percent(value)


def with_unit(name: str, value: float, words: Words) -> str:
    """A value of a limit inside a sentence: ``12.0 months``, ``20.0%``."""
    if name == MONTHS and math.isfinite(value):
        months = words.number(value)
        return around(words.text("number.months", months=months), months)
    return amount_of(name, value, words)


def bound_of(name: str, bound: float, sense: str, words: Words) -> str:
    """A bound with its sense: ``≤ 20.0%``."""
    if not math.isfinite(bound):
        return DASH
    amount = amount_of(name, bound, words)
    return around(words.text("bound.at_least" if sense == ">=" else "bound.at_most", bound=amount), amount)


def grade_name(grade: str, words: Words) -> str:
    """Name of a grade; one of a user's own framework keeps its code."""
    return words.get(f"grade.{grade}", grade)


def band_name(band: str, framework: Framework, words: Words) -> str:
    """Name of a risk band, or that there is none."""
    return words.name(framework.bands[band]) if band in framework.bands else words.text("status.no_band")


def trade_reason(
    trade: Mapping[str, Any], framework: Framework, words: Words, own: Sequence[Limit] = (), *, what: str = ""
) -> str:
    """Say why a trade is made.

    Parameters
    ----------
    trade
        ``side``, ``because``, ``sense``, ``share_before``, ``share_after`` and ``bound``, as in ``Plan.trades``.
    framework, words
        Names, and the language.
    own
        Users' own limits.
    what
        Words for what the shares are of; default the name of the limit or bucket.
    """
    because, sense = str(trade["because"]), str(trade["sense"])
    if because == "cash" and trade["side"] == "sell":
        because = "cash_pays"
    if because == "cash_flow" and trade["side"] == "sell":
        because = "cash_flow_out"
    if f"reason.{because}" in PLAIN_REASONS:
        return words.text(f"reason.{because}")
    before, after, bound = (
        math.nan if trade[k] is None else float(trade[k]) for k in ("share_before", "share_after", "bound")
    )
    if because.startswith("target:"):
        away = abs(after - bound) > abs(before - bound)
        key = "target" if not away else "target_away" if trade["side"] == "sell" else "target_mix"
    else:
        # other trades may undo at the total what this one mends: then it is the plan as a whole that holds the limit
        better = after > before if sense == ">=" else after < before
        key = ("floor" if sense == ">=" else "cap") + ("" if better else "_held")
    return words.tight(
        words.text(
            f"reason.{key}",
            what=what or inline_name(because, framework, words, own),
            bound=with_unit(because, bound, words),
            before=with_unit(because, before, words),
            after=with_unit(because, after, words),
        )
    )


def verdict(
    client: Mapping[str, Any],
    worst: Mapping[str, Any] | None,
    framework: Framework,
    words: Words,
    own: Sequence[Limit] = (),
) -> str:
    """One sentence on a client as they are today.

    Parameters
    ----------
    client
        A row of ``Analysis.summary``.
    worst
        The exceeded limit to name: a row of ``Analysis.limits``; None where none is exceeded.
    framework, words, own
        Names, the language, and users' own limits.
    """
    status = str(client["status"])
    key = "exceeded_one" if status == "exceeded" and client["limits_exceeded"] == 1 else status
    data: dict[str, Any] = {
        "band": inside(band_name(str(client["band"]), framework, words)),
        "score": words.number(client["score"], 0),
        "grade": grade_name(str(client["grade"]), words),
        "count": int(client["limits_exceeded"]),
    }
    if worst is not None:
        name = str(worst["limit"])
        data |= {
            "limit": inline_name(name, framework, words, own),
            "value": with_unit(name, worst["value"], words),
            "bound": with_unit(name, worst["bound"], words),
        }
    return words.text(f"say.{key}", **data)


def plan_verdict(plan: Mapping[str, Any], client: Mapping[str, Any], reason: str, words: Words) -> str:
    """One sentence on what a plan does.

    Parameters
    ----------
    plan
        A row of ``Plan.summary``.
    client
        The client's row of ``Analysis.summary``, before the plan.
    reason
        Why there is no plan, as a sentence; only asked for where there is none.
    """
    key = {"in_band": "plan_in_band", "improved": "plan_improved"}.get(str(plan["status"]), str(plan["status"]))
    if f"say.{key}_one" in words.table and (plan["limits_before"] if key == "stuck" else plan["trades"]) == 1:
        key = f"{key}_one"
    if key.startswith("plan_improved") and plan["limits_before"] == plan["limits_after"]:
        key = "plan_improved_same"
    total = float(client["total"])
    currency = str(client["currency"])
    before, after = (words.number(plan[k], 0) for k in ("score_before", "score_after"))
    moved = "say.score_stays" if before == after else "say.score_moves"
    return words.text(
        f"say.{key}",
        trades=int(plan["trades"]),
        before=before,
        after=after,
        change=words.change(before, after),
        score=words.text(moved, before=before, after=after),
        spent=spent(plan["cost"], plan["tax"], total, currency, words),
        limits_before=int(plan["limits_before"]),
        limits_after=int(plan["limits_after"]),
        count=int(plan["limits_before"]),
        missing=words.money(plan["missing"], currency),
        reason=reason,
    )


def spent(cost: float, tax: float, total: float, currency: str, words: Words) -> str:
    """Say what a plan costs: costs and taxes apart, and together as a share of the total."""
    part = (cost + tax) / total if total > 0 else math.nan
    share = words.percent(part)
    if 0 < part < LEAST_SHARE / 2:  # it would read as nothing
        share = words.text("number.under", share=words.percent(LEAST_SHARE))
    if not tax:
        return words.text("say.cost_only", cost=words.money(cost, currency), share=share)
    return words.text("say.cost_tax", cost=words.money(cost, currency), tax=words.money(tax, currency), share=share)


def conflict_sentence(
    found: Sequence[Mapping[str, Any]], framework: Framework, words: Words, own: Sequence[Limit] = ()
) -> str:
    """Say which limits cannot hold together and what would do.

    Parameters
    ----------
    found
        A client's rows of ``Plan.conflicts``; with none the answer is empty.
    framework, words, own
        Names, the language, and users' own limits.
    """
    if not found:
        return ""

    def bounded(bound: str) -> list[str]:
        return [
            words.text(
                "say.bounded",
                limit=inside(limit_name(str(c["limit"]), framework, words, own)),
                bound=bound_of(str(c["limit"]), float(c[bound]), str(c["sense"]), words),
            )
            for c in found
            if math.isfinite(float(c[bound])) or bound == "bound"
        ]

    limits, needed = words.text("say.list").join(bounded("bound")), words.text("say.or").join(bounded("needed"))
    if not needed:
        return words.text("say.conflict_bare", limits=limits)
    return words.text("say.conflict_one" if len(found) == 1 else "say.conflict_many", limits=limits, needed=needed)
