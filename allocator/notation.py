"""How people write amounts, dates, flags and currencies: one text in, one value out; the lists are data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np

CURRENCIES: Final[Mapping[str, str]] = {
    "人民币": "CNY",
    "人民币元": "CNY",
    "rmb": "CNY",
    "renminbi": "CNY",
    "yuan": "CNY",
    "cnh": "CNY",
    "离岸人民币": "CNY",
    "美元": "USD",
    "美金": "USD",
    "us$": "USD",
    "港币": "HKD",
    "港元": "HKD",
    "hk$": "HKD",
    "欧元": "EUR",
    "€": "EUR",
    "英镑": "GBP",
    "£": "GBP",
    "日元": "JPY",
    "日圆": "JPY",
    "澳元": "AUD",
    "加元": "CAD",
    "新加坡元": "SGD",
    "新元": "SGD",
    "瑞士法郎": "CHF",
    "瑞郎": "CHF",
    "新西兰元": "NZD",
    "澳门元": "MOP",
    "澳门币": "MOP",
    "新台币": "TWD",
    "台币": "TWD",
    "韩元": "KRW",
    "泰铢": "THB",
}
"""Words taken for a currency, in lower case. ``¥``, ``$`` and ``元`` alone name several currencies and are not here."""
OFFSHORE: Final = frozenset({"cnh", "离岸人民币"})
"""Offshore renminbi: taken as CNY with a warning, because its rate differs a little."""
SIGNS: Final[Mapping[str, frozenset[str]]] = {
    "¥": frozenset({"CNY", "JPY"}),
    "元": frozenset({"CNY", "HKD", "TWD", "MOP"}),
    "$": frozenset({"USD", "HKD", "AUD", "CAD", "SGD", "NZD", "TWD", "MOP"}),
    **{word: frozenset({code}) for word, code in CURRENCIES.items()},
    **{code.lower(): frozenset({code}) for code in sorted(set(CURRENCIES.values()))},
}
"""Currency signs and words that may stand beside an amount, with the currencies that they fit."""
TRUE: Final = frozenset({"1", "true", "yes", "y", "t", "是", "有", "√", "✓", "✔"})
FALSE: Final = frozenset({"0", "false", "no", "n", "f", "否", "无", "×", "✗", "✘"})
SERIALS: Final = (30_000, 60_000)
"""Date serials that are taken for dates (1982–2064); outside of it a number in a date column is a mistake."""
UNITS: Final[Mapping[str, int]] = {"万": 4, "亿": 8, "%": -2}
"""Powers of ten."""

WIDTH: Final[Mapping[int, int]] = {0x3000: 0x20, 0xFFE5: 0xA5, **{c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F)}}
"""Full-width letters, digits and signs, and their plain forms, for `str.translate`."""
_MINUS: Final = str.maketrans({"−": "-", "﹣": "-", "\u2010": "-", "\u2011": "-"})
_SIGN: Final = "|".join(re.escape(word) for word in sorted(SIGNS, key=len, reverse=True))
_AMOUNT: Final = re.compile(
    rf"(?P<open>\()?\s*(?P<minus>[+-])?\s*(?P<before>{_SIGN})?\s*(?P<inner>[+-])?\s*"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?P<power>e[+-]?[0-9]+)?\s*"
    rf"(?P<unit>万|亿|%)?\s*(?P<after>{_SIGN})?\s*(?P<close>\))?"
)
_NOT_FINITE: Final = re.compile(r"[+-]?(?:nan|inf|infinity|∞)")
_DATES: Final = (
    re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?:[ T][0-9]{1,2}:[0-9]{2}[0-9:.]*(?:Z|[+-][0-9:]+)?)?"),
    re.compile(r"([0-9]{4})(年)([0-9]{1,2})月([0-9]{1,2})日?"),
    re.compile(r"([0-9]{4})()([0-9]{2})([0-9]{2})"),
)
ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
"""A date as programs write it."""
_SERIAL: Final = re.compile(r"[0-9]{5}(?:\.[0-9]+)?")


def parse_amount(text: str, *, percent: bool = False) -> tuple[float, str, str, str]:
    """Read one number as people write it.

    Parameters
    ----------
    text
        The cell. Thousands groups, full-width digits, a Unicode minus, accountants' parentheses, currency signs and
        万 / 亿 are understood; ``1_000``, ``1,2,3`` and ``1.234,5`` are not numbers.
    percent
        Whether ``25%`` is 0.25 (fractions) or not a number (everything else).

    Returns
    -------
    tuple
        Value (NaN when it is none), issue code (empty when it is a number), unit that was converted, currency sign.
        Blank text is NaN without a code.
    """
    plain = text.translate(WIDTH).translate(_MINUS).strip().lower()
    if not plain:
        return np.nan, "", "", ""
    if _NOT_FINITE.fullmatch(plain):
        return np.nan, "not_finite", "", ""
    refused = (np.nan, "not_a_number", "", "")
    found = _AMOUNT.fullmatch(plain)
    if found is None:
        return refused
    part = found.groupdict(default="")
    negatives = bool(part["open"]) + bool(part["minus"]) + bool(part["inner"])
    if bool(part["open"]) != bool(part["close"]) or negatives > 1 or (part["before"] and part["after"]):
        return refused
    unit = part["unit"]
    if (unit and part["power"]) or (unit == "%" and not percent):
        return refused
    # Text, not arithmetic, shifts the point: 12.5万 is then the nearest float to 125000 and not a product.
    value = float(part["digits"].replace(",", "") + (part["power"] or (f"e{UNITS[unit]}" if unit else "")))
    if not np.isfinite(value):
        return np.nan, "not_finite", "", ""
    negative = "-" in (part["minus"], part["inner"]) or bool(part["open"])
    return -value if negative else value, "", unit, part["before"] or part["after"]


def parse_date(text: str, epoch: date | None = None) -> date | None:
    """Read one date, year first, from 1900 on; None when it is not one.

    Parameters
    ----------
    text
        ``2026-11-20``, ``2026/11/20``, ``20261120``, ``2026年11月20日``; a time of day after it is left off.
    epoch
        Day 0 of a workbook's serial numbers; None refuses them.
    """
    plain = text.translate(WIDTH).strip()
    for pattern in _DATES:
        found = pattern.fullmatch(plain)
        if found:
            try:
                day = date(int(found[1]), int(found[3]), int(found[4]))
            except ValueError:
                return None
            return day if day.year >= 1900 else None
    if epoch is not None and _SERIAL.fullmatch(plain) and SERIALS[0] <= float(plain) <= SERIALS[1]:
        return epoch + timedelta(days=int(float(plain)))
    return None


def parse_flag(text: str) -> bool | None:
    """Read yes or no in either language; None when it is neither."""
    low = text.strip().lower()
    return True if low in TRUE else False if low in FALSE else None


def parse_currency(text: str) -> str | None:
    """Read a currency: three letters, or a word of `CURRENCIES`; None when it is neither."""
    code = CURRENCIES.get(text.strip().lower(), text.strip().upper())
    return code if re.fullmatch(r"[A-Z]{3}", code) else None
