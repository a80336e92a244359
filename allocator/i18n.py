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
    around
        Words before and behind the number, ``("≤ ", "")``: a spreadsheet has them in its format.
    change
        Whether it is one, which bears its sign also where it is up.
    """

    __slots__ = ("around", "change", "digits", "unit", "value")
    value: float
    unit: str
    digits: int
    around: tuple[str, str]
    change: bool

    @classmethod
    def of(cls, text: str, value: float, unit: str, digits: int, around: tuple[str, str] = ("", "")) -> Figure:
        """A text with the number that it stands for."""
        out = cls(text)
        out.value, out.unit, out.digits, out.around, out.change = float(value), unit, digits, around, False
        return out


class Pair(str):
    """Two figures in one text, a band or a change: a spreadsheet takes both, a page the text.

    Attributes
    ----------
    first, second
        The figures, or the dash of one that is not known.
    change
        Whether they are today and after, rather than the lowest and the highest.
    """

    __slots__ = ("change", "first", "second")
    first: str
    second: str
    change: bool

    @classmethod
    def of(cls, text: str, first: str, second: str, *, change: bool) -> Pair:
        """A text with the two figures that it stands for."""
        out = cls(text)
        out.first, out.second, out.change = first, second, change
        return out


def around(text: str, inner: str) -> str:
    """Words around a figure that is somewhere in them; it stays one, ``≤ 20.0%`` knows that it is 0.2."""
    if not isinstance(inner, Figure):
        return text
    before, _, behind = text.partition(inner)
    first, last = inner.around
    return Figure.of(text, inner.value, inner.unit, inner.digits, (before + first, last + behind))


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
        return self.figure(f"{_round(share * 100, digits):,.{digits}f}%", share, "share", digits)

    def number(self, value: float, digits: int = 1) -> str:
        """A plain number; infinity as ``∞``, NaN as a dash."""
        if value == math.inf:
            return "∞"
        return self.figure(f"{_round(value, digits):,.{digits}f}", value, "number", digits) if _known(value) else DASH

    def figure(self, text: str, value: float, unit: str, digits: int) -> Figure:
        """A text with the number that it stands for; see `Figure`."""
        return Figure.of(text, value, unit, digits)

    def signed(self, value: float, digits: int = 1) -> str:
        """A change with its sign; what rounds to nothing, and NaN, as a dash."""
        if not _known(value) or _round(value, digits) == 0:
            return DASH
        return self.sign(value, self.number(abs(value), digits))

    def sign(self, change: float, size: str) -> str:
        """A change with its sign, from its size as text; a size that reads as nothing is a dash."""
        if not change or not any(c in "123456789" for c in size):
            return DASH
        text = f"{'-' if change < 0 else '+'}{size}"
        if not isinstance(size, Figure):
            return text
        out = Figure.of(text, math.copysign(size.value, change), size.unit, size.digits, size.around)
        out.change = True
        return out

    def change(self, before: str, after: str) -> str:
        """Two values as a change, ``12.0 → 9.5``; two that read the same, once."""
        text = before if before == after else self.text("number.change", before=before, after=after)
        return Pair.of(text, before, after, change=True)

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
        text = _scaled(amount, self.lang) if short or self.lang == "zh" else f"{_round(amount, 0):,.0f}"
        figure = Figure.of(text, amount, "money", 0)
        return self.with_currency(figure, currency) if currency else figure

    def with_currency(self, text: str, currency: str) -> str:
        """An amount, or words for one, with its currency: ``CNY 12,000``, ``1.20万元``."""
        return around(self.text("number.money", amount=text, currency=self.get(f"currency.{currency}", currency)), text)

    def amounts(self, low: float, high: float, currency: str = "") -> str:
        """Two short amounts from which to which, or one where they read the same; the currency once."""
        one, two = (self.money(x, short=True) for x in (low, high))
        text = two if one == two else self.text("number.from_to", low=one, high=two)
        return self.with_currency(text, currency) if currency else text

    def known(self, amount: float, currency: str = "") -> str:
        """An amount that anybody can look up, or that gives such a one away; see `money`."""
        return self.money(amount, currency)

    def unit(self, currency: str) -> str:
        """What a heading calls the unit of amounts: the code of their currency."""
        return currency

    def exact(self, amount: float) -> str:
        """An amount to the cent with thousands, as in an order; NaN as a dash."""
        return Figure.of(f"{_round(amount, 2):,.2f}", amount, "money", 2) if _known(amount) else DASH

    def span(self, low: float, high: float) -> str:
        """A band of shares, ``20–50%``."""
        if not (_known(low) and _known(high)):
            return DASH
        one, two = (_round(x * 100, 1) for x in (low, high))
        digits = 0 if one.is_integer() and two.is_integer() else 1
        ends = (self.percent(x, digits) for x in (low, high))
        return Pair.of(f"{one:g}–{two:g}%", *ends, change=False)


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
