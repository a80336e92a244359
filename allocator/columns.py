"""One column read the way its header or the user's mapping says, and a list of what was read otherwise than written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.cells import Cells, Finding, as_text, is_number, read_cells
from allocator.conversions import form_of
from allocator.notation import SIGNS, UNITS, WIDTH, parse_amount
from allocator.schema import Column
from allocator.ways import PLAIN, Way

_PLAIN: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")
_DAY: Final = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_COMMA: Final = re.compile(r"([+-]?)([0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),([0-9]+)|[+-]?[0-9]{1,3}(?:\.[0-9]{3})+")
AMOUNTS: Final = ("money", "number", "fraction")


def read_column(column: Column, cells: pd.Series[Any], epoch: date | None = None, way: Way = PLAIN) -> Cells:
    """Type one column.

    Parameters
    ----------
    column, cells, epoch
        As for `cells.read_cells`.
    way
        What the header or the mapping says. An amount with a unit of its own under a header with a unit is an error
        (``unit_twice``): nobody can say whether both count.

    Returns
    -------
    Cells
    """
    if way == PLAIN or (column.kind not in AMOUNTS and column.kind != "date"):
        return read_cells(column, cells, epoch)
    if column.kind == "date":
        return read_cells(column, _days(cells, way), epoch) if way.dates else read_cells(column, cells, epoch)
    power = way.power if column.kind != "fraction" else -2 if way.percent else 0
    if is_number(cells):
        return read_cells(column, _shifted(cells, power), epoch)
    codes, words = pd.factorize(as_text(cells)[0])
    read = [_amount(str(word), power, comma=way.comma) for word in words]
    found = read_cells(column, pd.Series(np.array([r[0] for r in read], dtype=object)[codes], dtype="str"), epoch)
    plain = np.array([word == "" or _PLAIN.fullmatch(str(word)) is not None for word in words], dtype=bool)
    found = replace(found, odd=np.flatnonzero(~plain[codes]))
    twice = np.array([r[1] for r in read], dtype=bool)[codes]
    if not twice.any():
        return found
    doubt = Finding(np.flatnonzero(twice), "unit_twice")
    return replace(found, empty=found.empty & ~twice, findings=(*found.findings, doubt))


def conversions_of(column: Column, cells: pd.Series[Any], found: Cells) -> Iterator[tuple[str, int, str, str]]:
    """List what was read otherwise than written: code, number of cells, form, what it was read as."""
    failed = found.failed()
    odd = found.odd[~failed[found.odd]] if len(found.odd) else found.odd
    if len(odd):
        text = as_text(cells.iloc[odd])[0]
        kinds = text.map(_date_kind if column.kind == "date" else _amount_kind)
        for kind, part in text.groupby(kinds.to_numpy(), sort=True):
            yield str(kind), len(part), form_of(part.iloc[0]), ""
    for finding in found.findings:
        if finding.code == "currency_alias":
            word = as_text(cells.iloc[finding.at[:1]])[0].iloc[0]
            count = int((as_text(cells)[0] == word).sum())
            yield "currency", count, word, str(finding.mend)


def _amount_kind(text: str) -> str:
    plain = text.translate(WIDTH).strip()
    if plain != text.strip():
        return "full_width"
    low = plain.lower()
    for kind, signs in (("unit", "万亿"), ("percent", "%"), ("parentheses", "("), ("minus", "−﹣\u2010\u2011")):
        if any(sign in low for sign in signs):
            return kind
    return "sign" if any(sign in low for sign in SIGNS) else "thousands" if "," in low else "number"


def _date_kind(text: str) -> str:
    return "date_serial" if re.fullmatch(r"[0-9]{5}(\.[0-9]+)?", text.strip()) else "date"


def _shifted(cells: pd.Series[Any], power: int) -> pd.Series[Any]:
    """Shift the point of numbers by text, so that 12.3456 in 万 is the nearest float to 123456."""
    if not power:
        return cells
    known, codes = np.unique(cells.to_numpy(dtype=np.float64, na_value=np.nan), return_inverse=True)
    moved = [float(Decimal(repr(float(v))).scaleb(power)) if np.isfinite(v) else v for v in known]
    return pd.Series(np.array(moved, dtype=np.float64)[codes])


def _amount(word: str, power: int, *, comma: bool) -> tuple[str, bool]:
    """Give an amount as text with its point shifted, and whether it has a unit of its own besides the header's."""
    if comma and _COMMA.fullmatch(word.strip()):
        word = word.strip().replace(".", "").replace(",", ".")
    value, problem, unit, sign = parse_amount(word, percent=True)
    if not power or problem or np.isnan(value) or unit == "%":
        return word, False
    if unit in UNITS:
        return "", True
    shifted = format(Decimal(repr(abs(value))).scaleb(power), "f")
    return f"{'-' if value < 0 else ''}{sign}{shifted}", False


def _days(cells: pd.Series[Any], way: Way) -> pd.Series[Any]:
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return cells
    codes, words = pd.factorize(as_text(cells)[0])
    out = []
    for word in words:
        found = _DAY.fullmatch(str(word).translate(WIDTH).strip())
        if found:
            one, two = found[1].zfill(2), found[3].zfill(2)
            word = f"{found[4]}-{two}-{one}" if way.dates == "day_first" else f"{found[4]}-{one}-{two}"
        out.append(word)
    return pd.Series(np.array(out, dtype=object)[codes], dtype="str")
