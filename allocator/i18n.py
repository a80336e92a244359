"""Words in two languages, and numbers as people write them. Language enters the program only here.

The catalogues are data: ``resources/words/LANGUAGE.toml`` and, one for each larger part of the program,
``TOPIC.LANGUAGE.toml`` beside it, keyed by section and code, with ``{placeholders}``.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, Protocol

from allocator.errors import ConfigError

LANGUAGES: Final = ("en", "zh")
DASH: Final = "–"
"""Stands for a number that is not known."""
_UNITS: Final = {
    "zh": ((1e8, 50.0, "亿"), (1e4, 0.5, "万")),
    "en": ((1e9, 5e4, "bn"), (1e6, 50.0, "m"), (1e3, 0.5, "k")),
}
"""Unit, half of the last digit shown in the unit below it, and its sign: 9,999.996万 is written 1.00亿."""
_LOOSE: Final = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")


class Figure(str):
    """A number as people write it, which still knows what it is: a spreadsheet takes the value, a page the text.

    Put into a sentence it is text like any other.

    Attributes
    ----------
    value
        The number: a share as a fraction, money in its currency.
    unit
        ``share``, ``money`` or ``number``.
    digits
        Decimal places of the text (of a share: in percent).
    """

    __slots__ = ("digits", "unit", "value")
    value: float
    unit: str
    digits: int

    @classmethod
    def of(cls, text: str, value: float, unit: str, digits: int) -> Figure:
        """A text with the number that it stands for."""
        out = cls(text)
        out.value, out.unit, out.digits = float(value), unit, digits
        return out


class Named(Protocol):
    """Anything with a name in both languages, as in a framework."""

    @property
    def en(self) -> str:
        """English name."""

    @property
    def zh(self) -> str:
        """Chinese name."""


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Attributes
    ----------
    lang
        ``en`` or ``zh``.
    table
        Templates by ``section.key``.
    """

    lang: str
    table: Mapping[str, str]

    def text(self, key: str, **data: Any) -> str:
        """Fill in a template.

        Raises
        ------
        KeyError
            No such key, or a placeholder without data: a bug, never a matter of the client's data.
        """
        return self.table[key].format_map(data)

    def get(self, key: str, default: str) -> str:
        """Words that a user's own framework may not have (a grade of its own, say)."""
        return self.table.get(key, default)

    def name(self, thing: Named) -> str:
        """Name of a part of the framework."""
        return thing.zh if self.lang == "zh" else thing.en

    def tight(self, text: str) -> str:
        """Take the blanks out from between Chinese letters, where figures with Chinese units met Chinese words."""
        return _LOOSE.sub("", text) if self.lang == "zh" else text

    def percent(self, share: float, digits: int = 1) -> str:
        """0.1234 as ``12.3%``; NaN and infinity as a dash."""
        if not _known(share * 100):
            return DASH
        return Figure.of(f"{_round(share * 100, digits):,.{digits}f}%", share, "share", digits)

    def number(self, value: float, digits: int = 1) -> str:
        """A plain number; infinity as ``∞``, NaN as a dash."""
        if value == math.inf:
            return "∞"
        return Figure.of(f"{_round(value, digits):,.{digits}f}", value, "number", digits) if _known(value) else DASH

    def signed(self, value: float, digits: int = 1) -> str:
        """A change with its sign; what rounds to nothing, and NaN, as a dash."""
        if not _known(value) or _round(value, digits) == 0:
            return DASH
        return f"{'-' if value < 0 else '+'}{self.number(abs(value), digits)}"

    def small(self, value: float) -> str:
        """A gap or residual: two digits, as ``3.1e-10`` where it is tiny; NaN as a dash."""
        return f"{value + 0.0:.2g}" if _known(value) else DASH

    def money(self, amount: float, currency: str = "", *, short: bool = False) -> str:
        """An amount for people: thousands in English, 万 and 亿 in Chinese; the currency where it is named.

        Parameters
        ----------
        amount
            NaN and infinity give a dash.
        currency
            ISO 4217; empty leaves it out (the heading says it).
        short
            English amounts as ``12.3m`` too, for narrow tables.
        """
        if not _known(amount):
            return DASH
        figure = _scaled(amount, self.lang) if short or self.lang == "zh" else f"{_round(amount, 0):,.0f}"
        if currency:
            figure = self.text("number.money", amount=figure, currency=self.get(f"currency.{currency}", currency))
        return Figure.of(figure, amount, "money", 0)

    def exact(self, amount: float) -> str:
        """An amount to the cent with thousands, as in an order; NaN as a dash."""
        return Figure.of(f"{_round(amount, 2):,.2f}", amount, "money", 2) if _known(amount) else DASH

    def span(self, low: float, high: float) -> str:
        """A band of shares, ``20–50%``."""
        if not (_known(low) and _known(high)):
            return DASH
        return f"{_round(low * 100, 1):g}–{_round(high * 100, 1):g}%"


@cache
def words(lang: str) -> Words:
    """Load the catalogue of a language.

    Raises
    ------
    ConfigError
        A language that there is no catalogue for.
    """
    if lang not in LANGUAGES:
        raise ConfigError(f"unknown language '{lang}'; allowed: {', '.join(LANGUAGES)}")
    table: dict[str, str] = {}
    for file in sorted((resources.files("allocator") / "resources" / "words").iterdir(), key=lambda f: f.name):
        if file.name == f"{lang}.toml" or file.name.endswith(f".{lang}.toml"):
            found = dict(_flat(tomllib.loads(file.read_text("utf-8"))))
            twice = sorted(table.keys() & found.keys())
            if twice:
                raise ConfigError(f"{file.name}: {', '.join(twice)} are in another catalogue of this language")
            table |= found
    return Words(lang, MappingProxyType(table))


def environment_language(environ: Mapping[str, str] | None = None) -> str:
    """Language of the user's locale: ``zh`` for a Chinese one, ``en`` for every other."""
    environ = os.environ if environ is None else environ
    decides = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return "zh" if decides.lower().startswith("zh") else "en"


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _known(value: float) -> bool:
    return value is not None and math.isfinite(value)


def _round(value: float, digits: int) -> float:
    return round(float(value), digits) + 0.0  # + 0.0 turns −0.0 into 0.0


def _scaled(amount: float, lang: str) -> str:
    digits = 2 if lang == "zh" else 1
    for size, half, unit in _UNITS[lang]:
        if abs(amount) >= size - half:
            return f"{_round(amount / size, digits):,.{digits}f}{unit}"
    return f"{_round(amount, 0):,.0f}"
