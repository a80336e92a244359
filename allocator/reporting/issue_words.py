"""Issues as sentences: where something is, what is wrong and how to mend it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from allocator.framework import Framework
from allocator.i18n import Words
from allocator.reporting.sentences import clean
from allocator.schema import TABLES

LONGEST: Final = 60
"""Longest piece of a cell shown in a sentence."""
SHEETS: Final = ("sheet_hidden", "unknown_sheet")
"""Issues whose column is the name of a sheet."""
_HUGE: Final = 1e15
_LONG: Final = 1e6
"""From here on a bound is written with its digits, as people write amounts."""
_SIGNS: Final[Mapping[str, str]] = {"<=": "high", ">=": "low", ">": "above"}


def issue_place(issue: Mapping[str, Any], words: Words) -> str:
    """Say where an issue is: file, row and column; empty when it is nowhere in a file."""
    file = str(issue["file"]) or (words.get(f"table.{issue['table']}", str(issue["table"])) if issue["table"] else "")
    column = _column(str(issue["table"]), str(issue["column"]), words)
    row = int(issue["row"])
    if not file:
        return column
    key = ("row" if row else "column") if column else ("row_only" if row else "file")
    key = "sheet" if str(issue["code"]) in SHEETS and not row else key
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


def _issue_data(issue: Mapping[str, Any], framework: Framework, words: Words, currency: str) -> tuple[str, str]:
    code, value, mend = str(issue["code"]), str(issue["value"]), str(issue["mend"])
    if code == "insured_amount":
        return words.money(_float(value), currency), words.money(_float(mend), currency)
    if code in ("spending_unknown", "band_assumed"):
        return value, _names(mend, framework, words)
    if code == "scf_spending_assumed":
        return value, words.percent(_float(mend), 0)
    if code in ("negative_value", "out_of_range", "not_whole", "converted_too_large"):
        mend = _range(mend, words)
    elif code in ("unknown_class", "class_from_elsewhere", "unknown_band", "band_missing"):
        mend = _names(mend, framework, words)
    elif code in ("missing_value", "unknown_column", "unsecured_reference"):
        mend = (
            "、".join(_named(str(issue["table"]), c, words) for c in mend.split(", ")) if words.lang == "zh" else mend
        )
    elif code in ("same_name", "similar_id", "isin_classes"):
        mend = _quoted(mend, words)
    return (value if code == "missing_rate" else _quoted(value, words)), clean(mend)


def _quoted(value: str, words: Words) -> str:
    text = clean(value)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return words.text("place.value", value=text) if text.strip() else words.text("place.empty")


def _range(mend: str, words: Words) -> str:
    """Say a range: ``0..1``, ``0..``, ``<= 1e+15``, ``>= 0`` or ``> 0``."""
    sign, _, bound = mend.partition(" ")
    if bound and sign in _SIGNS:
        shown = f"{_float(bound):,.0f}" if abs(_float(bound)) >= _LONG else bound
        return words.text(f"range.{_SIGNS[sign]}", low=shown, high=shown)
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
