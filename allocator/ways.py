"""How the cells of a column are to be read where their header, or the user's mapping, says more than the cells do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from allocator.notation import CURRENCIES, parse_currency

Dates = Literal["", "day_first", "month_first"]


@dataclass(frozen=True, slots=True)
class Way:
    """How to read a column.

    Attributes
    ----------
    power
        Amounts are in units of ten to this power (万 is 4).
    currency
        ISO 4217 of the amounts; empty leaves it to the row.
    percent
        Numbers of a fraction column are percent: 25 is 0.25.
    dates
        Order of dates like 01/02/2026; empty refuses them.
    comma
        ``1.234,5`` is 1234.5.
    said
        Where this was said: ``header``, ``title`` or ``mapping``; empty for nothing said.
    """

    power: int = 0
    currency: str = ""
    percent: bool = False
    dates: Dates = ""
    comma: bool = False
    said: str = ""


PLAIN: Final = Way()
POWERS: Final[Mapping[str, int]] = {
    "": 0, "元": 0, "千": 3, "千元": 3, "万": 4, "万元": 4, "百万": 6, "百万元": 6, "千万": 7, "千万元": 7,
    "亿": 8, "亿元": 8, "k": 3, "thousand": 3, "thousands": 3, "'000": 3, "000s": 3, "m": 6, "mn": 6, "mm": 6,
    "million": 6, "millions": 6, "bn": 9, "billion": 9, "billions": 9,
}  # fmt: skip
"""Units of amounts in headers and titles, as powers of ten, in lower case."""
_BRACKETS: Final = re.compile(r"(?P<base>.*?)\s*[(\[【](?:单位[::]|in )?(?P<unit>[^()\[\]【】]*)[)\]】]\s*")
_TAIL: Final = re.compile(r"(?P<base>.+?)[\s,/_\-]+(?:in )?(?P<unit>[^\s,/_\-]+)")
_TITLE: Final = re.compile(r"(?:单位|金额单位|unit|amounts? in)\s*[::]?\s*(?P<unit>[^\s,,;;。)]+(?: [^\s,,;;。)]+)?)")
_CURRENCY: Final = re.compile(r"[a-z]{3}|[^\x00-\x7f元万亿千百%]{1,5}元?|us\$|hk\$|[€£]")


def folded(text: object) -> str:
    """Text in one width and in small letters."""
    return unicodedata.normalize("NFKC", str(text)).strip().casefold()


def unit_of(text: str) -> Way | None:
    """Read a unit as headers name it: ``万元``, ``人民币万元``, ``CNY k``, ``%``; None when it is none."""
    plain = folded(text)
    if plain in ("%", "percent", "百分比", "百分数"):
        return Way(percent=True, said="header")
    if plain in POWERS and plain:
        return Way(POWERS[plain], said="header")
    known = frozenset(CURRENCIES.values())
    for cut in sorted({len(plain), *(m.end() for m in re.finditer(r"[a-z]{3}|币|元|\$|€|£|金", plain))}, reverse=True):
        head, rest = plain[:cut].strip(), plain[cut:].strip(" ,/")
        code = parse_currency(head) if _CURRENCY.fullmatch(head) else None
        if code is not None and code in known and rest in POWERS:
            return Way(POWERS[rest], code, said="header")
    first, _, last = plain.rpartition(" ")
    code = parse_currency(last) if first and _CURRENCY.fullmatch(last) else None
    return Way(POWERS[first], code, said="header") if code is not None and code in known and first in POWERS else None


def split_unit(header: object) -> tuple[str, Way] | None:
    """Take a header like ``市值(万元)`` or ``Value (CNY k)`` apart; None when no unit stands in it."""
    plain = folded(header)
    for pattern in (_BRACKETS, _TAIL):
        found = pattern.fullmatch(plain)
        way = unit_of(found["unit"]) if found and found["unit"] else None
        if found and way is not None and found["base"].strip():
            return found["base"].strip(), way
    return None


def title_unit(texts: list[str]) -> Way | None:
    """Find the unit that a title states for the whole table (``单位:万元``); None when none is stated."""
    for text in texts:
        found = _TITLE.search(folded(text))
        way = unit_of(found["unit"]) if found else None
        if way is not None and not way.percent:
            return Way(way.power, way.currency, said="title")
    return None
