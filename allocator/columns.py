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
from numpy.typing import NDArray

from allocator.arrow import to_arrow, to_floats, to_pandas
from allocator.cells import GROUPED, Cells, Finding, as_text, is_number, read_cells
from allocator.conversions import form_of
from allocator.notation import SIGNS, UNITS, WIDTH, parse_amount
from allocator.schema import Column
from allocator.ways import PLAIN, Way

_NUMBER: Final = r"^[+-]?[0-9]+(?:\.[0-9]*)?$"
DAY: Final = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
COMMA: Final = re.compile(r"\s*[+-]?(?:(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+)\s*")
"""An amount with a decimal comma."""
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
    text = as_text(cells)[0]
    shifted, rest, twice = _shifted_text(text, power, comma=way.comma)
    found = read_cells(column, shifted, epoch)
    odd = np.union1d(found.odd, rest[(text.iloc[rest] != "").to_numpy(dtype=bool)])
    found = replace(found, odd=odd)
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
        kinds = _kinds(text, dates=column.kind == "date")
        for kind, part in text.groupby(kinds, sort=True):
            yield str(kind), len(part), form_of(part.iloc[0]), ""
    for finding in found.findings:
        if finding.code == "currency_alias":
            word = as_text(cells.iloc[finding.at[:1]])[0].iloc[0]
            count = int((as_text(cells)[0] == word).sum())
            yield "currency", count, word, str(finding.mend)


def _kinds(text: pd.Series[Any], *, dates: bool) -> NDArray[np.object_]:
    """In which other form each text is written; only distinct ones that are not just grouped are looked at."""
    import pyarrow.compute as pc

    out = np.full(len(text), "thousands", dtype=object)
    grouped = pc.match_substring_regex(to_arrow(text), GROUPED).to_numpy(zero_copy_only=False)
    rest = np.arange(len(text)) if dates else np.flatnonzero(~grouped)
    codes, words = pd.factorize(text.iloc[rest])
    kinds = [(_date_kind if dates else _amount_kind)(str(word)) for word in words]
    out[rest] = np.array(kinds, dtype=object)[codes]
    return out


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
    import pyarrow as pa
    import pyarrow.compute as pc

    if not power:
        return cells
    numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    texts = pc.cast(pa.array(numbers), pa.large_string())
    easy = pc.match_substring_regex(texts, _NUMBER)
    out = to_floats(_with_exponent(pc.if_else(easy, texts, "0"), power)).copy()
    at = np.flatnonzero(~easy.to_numpy(zero_copy_only=False))
    out[at] = [float(Decimal(repr(float(v))).scaleb(power)) if np.isfinite(v) else v for v in numbers[at]]
    return pd.Series(out)


def _with_exponent(texts: Any, power: int) -> Any:
    """Write an exponent behind numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    exponent, nothing = (pa.scalar(t, pa.large_string()) for t in (f"e{power}", ""))
    return pc.binary_join_element_wise(texts, exponent, nothing)


def _shifted_text(
    text: pd.Series[Any], power: int, *, comma: bool
) -> tuple[pd.Series[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Amounts as text with their point shifted; positions of those written otherwise than programs write, units twice.

    Plain amounts are shifted all at once, by an exponent; only the distinct others are looked at one by one.
    """
    import pyarrow.compute as pc

    array = to_arrow(text)
    plain = pc.match_substring_regex(array, _NUMBER)
    mended = array
    if comma:
        continental = pc.match_substring_regex(array, f"^{COMMA.pattern}$")
        mended = pc.if_else(continental, pc.replace_substring(pc.replace_substring(array, ".", ""), ",", "."), array)
        easy = pc.or_(plain, continental)
    else:
        grouped = pc.match_substring_regex(array, GROUPED)
        mended = pc.if_else(grouped, pc.replace_substring(array, ",", ""), array)
        easy = pc.or_(plain, grouped)
    out = pc.if_else(easy, _with_exponent(mended, power), array) if power else mended
    texts = to_pandas(out)
    rest = np.flatnonzero(~plain.to_numpy(zero_copy_only=False))
    hard = np.flatnonzero(~easy.to_numpy(zero_copy_only=False))
    twice = np.zeros(len(text), dtype=bool)
    if power and len(hard):
        codes, words = pd.factorize(text.iloc[hard])
        read = [_amount(str(word), power) for word in words]
        texts.iloc[hard] = np.array([r[0] for r in read], dtype=object)[codes]
        twice[hard] = np.array([r[1] for r in read], dtype=bool)[codes]
    return texts, rest, twice


def _amount(word: str, power: int) -> tuple[str, bool]:
    """Give an amount as text with its point shifted, and whether it has a unit of its own besides the header's."""
    value, problem, unit, sign = parse_amount(word, percent=True)
    if problem or np.isnan(value) or unit == "%":
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
        found = DAY.fullmatch(str(word).translate(WIDTH).strip())
        if found:
            one, two = found[1].zfill(2), found[3].zfill(2)
            word = f"{found[4]}-{two}-{one}" if way.dates == "day_first" else f"{found[4]}-{one}-{two}"
        out.append(word)
    return pd.Series(np.array(out, dtype=object)[codes], dtype="str")
