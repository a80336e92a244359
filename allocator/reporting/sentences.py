"""Codes and numbers of a result as sentences: limits, trades, issues, verdicts."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from allocator.framework import Framework
from allocator.i18n import Words
from allocator.schema import TABLES

MONTHS: Final = "reserve_months"
LONGEST: Final = 60
"""Longest piece of a cell shown in a sentence."""
PLAIN_REASONS: Final = frozenset(f"reason.{why}" for why in ("cash", "cash_pays", "cash_flow", "secured", "repay"))
"""Reasons of trades that are no limit and no target."""
_HUGE: Final = 1e15


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


def limit_name(name: str, framework: Framework, words: Words) -> str:
    """Name of a limit or a share: ``bucket:X`` and its like from the framework, others from the catalogue."""
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
        return words.text("number.months", months=words.number(value))
    return amount_of(name, value, words)


def bound_of(name: str, bound: float, sense: str, words: Words) -> str:
    """A bound with its sense: ``≤ 20.0%``."""
    return words.text("bound.at_least" if sense == ">=" else "bound.at_most", bound=amount_of(name, bound, words))


def grade_name(grade: str, words: Words) -> str:
    """Name of a grade; one of a user's own framework keeps its code."""
    return words.get(f"grade.{grade}", grade)


def band_name(band: str, framework: Framework, words: Words) -> str:
    """Name of a risk band, or that there is none."""
    return words.name(framework.bands[band]) if band in framework.bands else words.text("status.no_band")


def trade_reason(trade: Mapping[str, Any], framework: Framework, words: Words) -> str:
    """Say why a trade is made.

    Parameters
    ----------
    trade
        ``side``, ``because``, ``sense``, ``share_before``, ``share_after`` and ``bound``, as in ``Plan.trades``.
    """
    because, sense = str(trade["because"]), str(trade["sense"])
    if because == "cash" and trade["side"] == "sell":
        because = "cash_pays"
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
    what = words.get(f"inline.{because}", inside(limit_name(because, framework, words)))
    return words.tight(
        words.text(
            f"reason.{key}",
            what=what,
            bound=with_unit(because, bound, words),
            before=with_unit(because, before, words),
            after=with_unit(because, after, words),
        )
    )


def issue_place(issue: Mapping[str, Any], words: Words) -> str:
    """Say where an issue is: file, row and column; empty when it is nowhere in a file."""
    file = str(issue["file"]) or (words.get(f"table.{issue['table']}", str(issue["table"])) if issue["table"] else "")
    column = _column(str(issue["table"]), str(issue["column"]), words)
    row = int(issue["row"])
    if not file:
        return column
    key = ("row" if row else "column") if column else ("row_only" if row else "file")
    return words.text(f"place.{key}", file=clean(file), row=row, column=column)


def issue_sentence(issue: Mapping[str, Any], framework: Framework, words: Words, currency: str = "") -> str:
    """Say what is wrong and how to mend it, without the place."""
    code = str(issue["code"])
    value, mend = _issue_data(issue, framework, words, currency)
    expected, _, found = str(issue["mend"]).partition("/")
    key = f"issue.{code}"
    if not str(issue["mend"]) and f"{key}_bare" in words.table:
        key = f"{key}_bare"
    elif code == "out_of_range" and _kind(str(issue["table"]), str(issue["column"])) == "fraction":
        key = f"{key}_fraction"
    elif key not in words.table:
        key = "issue.other"
    return words.text(key, value=value, mend=mend, code=code, expected=expected, found=found)


def issue_message(issue: Mapping[str, Any], framework: Framework, words: Words, currency: str = "") -> str:
    """Say where, what is wrong and how to mend it.

    Parameters
    ----------
    issue
        One row of an issue table.
    framework
        Names bands and classes.
    words
        The language.
    currency
        Of the client, for issues that speak of money.
    """
    place, sentence = issue_place(issue, words), issue_sentence(issue, framework, words, currency)
    if place:
        return words.text("place.sentence", place=place, sentence=sentence)
    return sentence[:1].upper() + sentence[1:]


def plan_reason(
    plan: Mapping[str, Any], issues: Iterable[Mapping[str, Any]], framework: Framework, words: Words
) -> str:
    """Say why a client has no plan.

    Parameters
    ----------
    plan
        A row of ``Plan.summary`` with a ``reason`` (an issue code) and its ``reason_row``.
    issues
        Issues of the client; the one that is meant is quoted, otherwise the code alone speaks.
    """
    code, row = str(plan["reason"]), int(plan["reason_row"] or 0)
    nowhere = {
        "file": "",
        "table": "",
        "column": "",
        "row": 0,
        "code": code,
        "value": "",
        "mend": ", ".join(framework.bands) if code == "band_missing" else "",
    }
    found = (i for i in issues if i["code"] == code and row in (0, int(i["row"])))
    return issue_message(next(found, nowhere), framework, words)


def verdict(client: Mapping[str, Any], worst: Mapping[str, Any] | None, framework: Framework, words: Words) -> str:
    """One sentence on a client as they are today.

    Parameters
    ----------
    client
        A row of ``Analysis.summary``.
    worst
        The exceeded limit to name: a row of ``Analysis.limits``; None where none is exceeded.
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
            "limit": inside(limit_name(name, framework, words)),
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
    return words.text(
        f"say.{key}",
        trades=int(plan["trades"]),
        before=words.number(plan["score_before"], 0),
        after=words.number(plan["score_after"], 0),
        cost=words.money(plan["cost"], currency),
        cost_share=words.percent(plan["cost"] / total if total > 0 else math.nan),
        limits_before=int(plan["limits_before"]),
        limits_after=int(plan["limits_after"]),
        count=int(plan["limits_before"]),
        missing=words.money(plan["missing"], currency),
        reason=reason,
    )


def _issue_data(issue: Mapping[str, Any], framework: Framework, words: Words, currency: str) -> tuple[str, str]:
    code, value, mend = str(issue["code"]), str(issue["value"]), str(issue["mend"])
    if code == "insured_amount":
        return words.money(_float(value), currency), words.money(_float(mend), currency)
    if code in ("spending_unknown", "band_assumed"):
        return value, _names(mend, framework, words)
    if code == "scf_spending_assumed":
        return value, words.percent(_float(mend), 0)
    if code in ("negative_value", "out_of_range", "not_whole"):
        mend = _range(mend, words)
    elif code in ("unknown_class", "class_from_elsewhere", "unknown_band", "band_missing"):
        mend = _names(mend, framework, words)
    elif code in ("missing_value", "unknown_column", "unsecured_reference"):
        mend = (
            "、".join(_named(str(issue["table"]), c, words) for c in mend.split(", ")) if words.lang == "zh" else mend
        )
    elif code in ("same_name", "similar_id"):
        mend = _quoted(mend, words)
    return (value if code == "missing_rate" else _quoted(value, words)), clean(mend)


def _quoted(value: str, words: Words) -> str:
    text = clean(value)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return words.text("place.value", value=text) if text.strip() else words.text("place.empty")


def _range(mend: str, words: Words) -> str:
    low, _, high = mend.partition("..")
    tall = not high or _float(high) >= _HUGE
    if low and tall:
        return words.text("range.low", low=low)
    return words.text("range.both", low=low, high=high) if low else words.text("range.high", high=high)


def _names(mend: str, framework: Framework, words: Words) -> str:
    """Codes of bands and classes with their names; either may be written in a cell."""
    out = []
    for code in mend.split(", "):
        thing = framework.bands.get(code) or framework.classes.get(code)
        out.append(code if thing is None else f"{words.name(thing)}（{code}）" if words.lang == "zh" else code)
    return ("、" if words.lang == "zh" else ", ").join(out)


def _column(table: str, column: str, words: Words) -> str:
    if not column:
        return ""
    return words.text("place.column_name", column=clean(_named(table, column, words)))


def _named(table: str, column: str, words: Words) -> str:
    """A column as a person of the language knows it, with its code."""
    found = next((c for c in TABLES.get(table, ()) if c.name == column), None)
    if found is None or words.lang == "en" or not found.headers or found.headers[0] == column:
        return column
    return f"{found.headers[0]} {column}"


def _kind(table: str, column: str) -> str:
    return next((c.kind for c in TABLES.get(table, ()) if c.name == column), "")


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
