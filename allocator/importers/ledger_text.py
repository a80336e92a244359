"""The text of a beancount ledger → its directives; written from the language's public description, without its code.

Read are the directives that balances follow from: options, ``open``, ``commodity``, transactions, ``balance``, ``pad``,
``price``, ``include``. What is not understood stops the reading with its line: half a ledger has no right balance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Final

from allocator.errors import InputError

DATE: Final = r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
ACCOUNT: Final = r"[^\W\d_a-z][\w-]*(?::[^\W_a-z][\w-]*)+"
CURRENCY: Final = r"(?:[A-Z][A-Z0-9'._-]{0,22}[A-Z0-9]|[A-Z]|/[A-Z0-9'._-]*[A-Z][A-Z0-9'._-]*)"
FLAGS: Final = "*!&#?%PSTCURM"
ORDER: Final = {"open": -2, "balance": -1, "close": 2}
"""Within a day: what is opened first, then what is asserted (of the morning), then all else."""
LONGEST_TEXT: Final = 64
"""Lines that a quoted text may span."""
_DATED: Final = re.compile(rf"{DATE}\s+(\S+)\s*(.*)", re.DOTALL)
_META: Final = re.compile(r"([a-z][\w-]*):(?:\s+(.*))?$", re.DOTALL)
_POSTING: Final = re.compile(rf"(?:[{re.escape(FLAGS)}]\s+)?({ACCOUNT})(?:\s+(.*))?$", re.DOTALL)
_COST: Final = re.compile(r"\{\{?([^{}]*)\}\}?")
_AMOUNT: Final = re.compile(rf"([-+*/().,\d\s]*?)\s*({CURRENCY})?\s*$")
_TOKEN: Final = re.compile(r"\s*(\d[\d,]*(?:\.\d*)?|\.\d+|[-+*/()])")
_TEXT: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Posting:
    """One leg of a transaction.

    Attributes
    ----------
    account, units, currency
        What moves; None or empty where the ledger leaves it to be worked out.
    weight
        What it counts for in the balance of the transaction, amount and currency; None where that needs the lots.
    cost
        Whether it has a cost, so that what moves is a holding and no money.
    price
        What one unit costs or is traded at, where it is stated.
    """

    account: str
    units: Decimal | None
    currency: str
    weight: tuple[Decimal, str] | None
    cost: bool = False
    price: tuple[Decimal, str] | None = None


@dataclass(slots=True)
class Directive:
    """One directive: kind (``transaction`` for all flags), day as ISO text, line, words after it, and what is below."""

    kind: str
    day: str
    line: int
    file: str
    rest: str
    meta: dict[str, str] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)

    def order(self) -> tuple[str, int]:
        """Place in time."""
        return self.day, ORDER.get(self.kind, 0)


def directives(text: str, file: str) -> Iterator[Directive]:
    """Give the directives of one file in the order of its lines.

    Raises
    ------
    InputError
        A line is not understood, or a quoted text does not end.
    """
    here: Directive | None = None
    for line, raw in _lines(text, file):
        if not raw.strip():
            continue
        if raw[0] in " \t":
            if here is not None:
                _below(here, raw.strip(), line, file)
            continue
        if here is not None:
            yield here
            here = None
        if raw[0] in "*:#&!|%-+=":  # headings of outlines
            continue
        here = _top(raw.strip(), line, file)
    if here is not None:
        yield here


def texts(rest: str) -> list[str]:
    """Quoted texts in the words of a directive."""
    return [t.replace('\\"', '"').replace("\\\\", "\\") for t in _TEXT.findall(rest)]


def read_amount(text: str) -> tuple[Decimal | None, str]:
    """Read ``12.50 * 2 USD``: number (None when there is none) and currency (empty when there is none).

    Raises
    ------
    ValueError
        It is no amount.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError("no amount")
    return (_number(found[1]) if found[1].strip() else None), found[2] or ""


def _lines(text: str, file: str) -> Iterator[tuple[int, str]]:
    """Lines without comments; a quoted text over several lines makes one."""
    start, held, quoted, count = 0, "", False, 0
    for line, raw in enumerate(text.splitlines(), start=1):
        if not quoted:
            start, held, count = line, "", 0
            if raw[:1] in ("*", ":", "#"):
                continue
        kept, i = [], 0
        while i < len(raw):
            c = raw[i]
            if c == "\\" and quoted:
                kept.append(raw[i : i + 2])
                i += 2
                continue
            if c == '"':
                quoted = not quoted
            elif c == ";" and not quoted:
                break
            kept.append(c)
            i += 1
        held += "".join(kept)
        count += 1
        if not quoted:
            yield start, held.rstrip()
        elif count > LONGEST_TEXT:
            break
        else:
            held += "\n"
    if quoted:
        raise InputError(f'{file}: the quoted text that begins in line {start} does not end; close it with "')


def _top(text: str, line: int, file: str) -> Directive:
    dated = _DATED.fullmatch(text)
    if dated is None:
        kind = text.split(None, 1)[0]
        if kind not in ("option", "plugin", "include", "pushtag", "poptag", "pushmeta", "popmeta"):
            raise InputError(f"{file}: line {line} is no directive of a beancount ledger")
        return Directive(kind, "", line, file, text[len(kind) :].strip())
    year, month, day, word, rest = dated.groups()
    iso = f"{year}-{int(month):02d}-{int(day):02d}"
    if word == "txn" or (len(word) == 1 and word in FLAGS):
        return Directive("transaction", iso, line, file, rest)
    if not word.isalpha() or not word.islower():
        raise InputError(f"{file}: line {line} is no directive of a beancount ledger")
    return Directive(word, iso, line, file, rest)


def _below(here: Directive, text: str, line: int, file: str) -> None:
    """Read what stands under a directive: postings, metadata, tags."""
    meta = _META.fullmatch(text)
    posting = _POSTING.fullmatch(text)
    if meta:
        quoted = texts(meta[2] or "")
        if not here.postings:  # below a posting it is the posting's
            here.meta.setdefault(meta[1], quoted[0] if quoted else (meta[2] or "").strip())
    elif posting and here.kind == "transaction":
        try:
            here.postings.append(_posting(posting[1], posting[2] or ""))
        except (ValueError, InvalidOperation, DivisionByZero):
            raise InputError(f"{file}: line {line} is no posting that is understood") from None
    elif text[0] not in '#^"' or here.kind != "transaction":
        raise InputError(f"{file}: line {line} is neither a posting nor metadata")


def _posting(account: str, text: str) -> Posting:
    head, _, priced = text.partition("@")
    total_price = priced.startswith("@")
    cost_text = _COST.search(head)
    units, currency = read_amount(_COST.sub("", head))
    cost = None if cost_text is None else _cost(cost_text, units)
    price: tuple[Decimal, str] | None = None
    if priced:
        number, money = read_amount(priced.lstrip("@"))
        if number is not None and money:
            each = number / abs(units) if total_price and units else number
            price = (each, money)
    weight: tuple[Decimal, str] | None = None
    if units is not None and currency:
        if cost_text is not None:
            weight = None if cost is None else (units * cost[0], cost[1])
        elif priced:
            weight = None if price is None else (units * price[0], price[1])
        else:
            weight = (units, currency)
    return Posting(account, units, currency, weight, cost_text is not None, price or cost)


def _cost(found: re.Match[str], units: Decimal | None) -> tuple[Decimal, str] | None:
    """Cost of one unit; None where the ledger leaves it to the lots."""
    total = found[0].startswith("{{")
    for part in found[1].split(","):
        text = part.strip()
        if not text or text == "*" or text.startswith('"') or re.fullmatch(DATE, text):
            continue
        each, _, fixed = text.partition("#")
        number, money = read_amount(fixed if fixed else each)
        if fixed:
            first = read_amount(each)[0] or Decimal(0)
            number = first + ((number or Decimal(0)) / abs(units) if units else Decimal(0))
        if number is None or not money:
            return None
        return (number / abs(units) if total and units else number), money
    return None


def _number(text: str) -> Decimal:
    """Work out a sum of numbers with ``+ - * / ( )``."""
    tokens: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError("no number")
        tokens.append(found[1])
        at = found.end()
    if len(tokens) > LONGEST_TEXT:
        raise ValueError("too long")
    value, rest = _sum(tokens)
    if rest:
        raise ValueError("no number")
    return value


def _sum(tokens: list[str]) -> tuple[Decimal, list[str]]:
    value, rest = _product(tokens)
    while rest and rest[0] in "+-":
        sign = 1 if rest[0] == "+" else -1
        other, rest = _product(rest[1:])
        value += sign * other
    return value, rest


def _product(tokens: list[str]) -> tuple[Decimal, list[str]]:
    value, rest = _factor(tokens)
    while rest and rest[0] in "*/":
        times = rest[0] == "*"
        other, rest = _factor(rest[1:])
        value = value * other if times else value / other
    return value, rest


def _factor(tokens: list[str]) -> tuple[Decimal, list[str]]:
    if not tokens:
        raise ValueError("no number")
    first, rest = tokens[0], tokens[1:]
    if first in "+-":
        value, rest = _factor(rest)
        return (value if first == "+" else -value), rest
    if first == "(":
        value, rest = _sum(rest)
        if not rest or rest[0] != ")":
            raise ValueError("no number")
        return value, rest[1:]
    return Decimal(first.replace(",", "")), rest
