"""DEGIRO portfolio export (``Portfolio.csv``): seven columns in the user's language, decimal comma or point.

Product · symbol/ISIN · quantity · closing price · local value with its currency · value in the account's currency. The
columns are known by their order, because every language names them differently; the currency of the account stands in
the last header. The file has no date, no account number, no asset classes and no cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError
from allocator.importers.exports import Cell, Export
from allocator.importers.files import amount, load, records, text_of
from allocator.importers.heads import Head
from allocator.validate import RawTable

TITLE: Final = "DEGIRO portfolio (CSV)"
CLIENT: Final = "degiro"
BANK: Final = "flatexDEGIRO Bank"
"""Holds the cash of all customers."""
SEPARATORS: Final = (",", ";", "\t")
_ISIN: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
_SYMBOL: Final = re.compile(r"s[yií]m[a-zé]*\s*/\s*isin", re.IGNORECASE)
_CURRENCY: Final = re.compile(r"\b([A-Z]{3})$")
_BOTH: Final = re.compile(r"([A-Z]{3})\s+(\S+)")
_SURE_COMMA: Final = re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+),(?:\d{1,2}|\d{4,})|-?\d{1,3}(?:\.\d{3})+,\d+|-?0,\d+")
_SURE_POINT: Final = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d+)\.(?:\d{1,2}|\d{4,})|-?\d{1,3}(?:,\d{3})+\.\d+|-?0\.\d+")


def fits(head: Head) -> bool:
    """Say whether this is the portfolio: second header symbol/ISIN, last one a value in a currency."""
    return any(_is_header(line) for line in head.lines(1))


def read(source: Any) -> dict[str, RawTable]:
    """Read the portfolio from a CSV file (also .csv.gz, or ``"-"`` for stdin).

    Returns
    -------
    dict
        Raw tables ``holdings``, ``clients``, ``debts``, ``fx``. The rates are those at which the file's two amounts
        agree to the cent.

    Raises
    ------
    InputError
        It is another file, or it cannot be told whether commas are decimal or thousands.
    """
    data, file = load(source, TITLE)
    text, encoding = text_of(data, file)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = next((d for d in SEPARATORS if _is_header(first, d)), "")
    if not delimiter:
        raise InputError(
            f"{file}: not DEGIRO's portfolio; its header has six or seven columns, the second 'Symbol/ISIN', the last "
            "ending in the account's currency (export it from the portfolio page, not from transactions)"
        )
    (_, header), *rows = records(text, file, delimiter)
    found = _CURRENCY.search(header[-1])
    base = found[1] if found else ""
    out = Export(file)
    if encoding == "windows-1252":
        out.say(code="encoding", value=encoding.upper(), mend="UTF-8")
    out.client(CLIENT, base)
    good = []
    for line, cells in rows:
        if len(cells) == len(header):
            good.append((line, _seven(cells)))
        else:
            out.set_aside(code="ragged_row", row=line, mend=f"{len(header)}/{len(cells)}")
    comma = _commas((c for _, row in good for c in (row[2], row[3], row[6])), file)
    local = _commas((row[5] for _, row in good), file)
    pairs: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for line, row in good:
        value, worth = amount(row[5], comma=local), amount(row[6], comma=comma)
        if isinstance(value, Decimal) and isinstance(worth, Decimal):
            pairs.setdefault(row[4], []).append((value, worth))
        _row(line, row, value, (amount(row[2], comma=comma), amount(row[3], comma=comma)), out)
    out.amounts_in_two(pairs, base)
    return out.tables()


def _row(line: int, row: list[str], value: Decimal | str, traded: tuple[Cell, Cell], out: Export) -> None:
    name, symbol, quantity, currency = row[0], row[1], traded[0], row[4]
    cells: dict[str, Cell] = {"client_id": CLIENT, "name": name, "value": value, "currency": currency}
    if not symbol and not quantity:
        if value == 0:
            out.leave_out(code="zero_left_out", row=line, value=name)
            return
        cells |= {"asset_id": f"cash {currency}", "asset_class": "deposit", "issuer": BANK}
        out.position(line, cells, f"overdrawn cash {currency}, DEGIRO")
        return
    isin = _ISIN.search(symbol)
    code = isin[0] if isin else ""
    cells |= {"asset_id": code or symbol or name, "isin": code, "product_id": code}
    long = isinstance(value, Decimal) and value >= 0
    out.position(line, cells | {"quantity": quantity if long else None, "price": traded[1]})


def _seven(cells: list[str]) -> list[str]:
    """Take currency and amount apart, which older exports write in one cell."""
    if len(cells) == 7:
        return cells
    both = _BOTH.fullmatch(cells[4])
    return [*cells[:4], *(both.groups() if both else ("", cells[4])), cells[5]]


def _commas(texts: Iterable[str], file: str) -> bool:
    """Say whether a comma is the decimal sign, by cells that leave no doubt."""
    cells = [t.strip() for t in texts]
    comma, point = (any(sure.fullmatch(c) for c in cells) for sure in (_SURE_COMMA, _SURE_POINT))
    if comma and point:
        raise InputError(
            f"{file}: some amounts have a decimal comma and others a point; export it again in one language"
        )
    if not comma and not point and any("," in c or "." in c for c in cells):
        raise InputError(f"{file}: amounts like 1,234 may be thousands or thousandths; export it with decimals")
    return comma


def _is_header(line: str, delimiter: str = "") -> bool:
    for d in (delimiter,) if delimiter else SEPARATORS:
        cells = [c.strip().strip('"') for c in line.split(d)]
        if len(cells) in (6, 7) and _SYMBOL.fullmatch(cells[1]) and _CURRENCY.search(cells[-1]):
            return True
    return False
