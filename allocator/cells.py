"""One column of cells as found → one typed column, with a finding for every cell that is not what it should be.

Everything works on whole columns: the fast path is one pyarrow cast, and only the distinct texts that it refuses are
looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from allocator.arrow import every, some, to_arrow, to_floats, to_pandas
from allocator.issues import ERROR, INFO, WARNING
from allocator.notation import ISO, OFFSHORE, WIDTH, parse_amount, parse_currency, parse_date, parse_flag
from allocator.schema import Column

Positions = NDArray[np.int64]

LARGEST: Final = 1e15
"""Largest amount taken: beyond it float64 has no whole units of money left, and sums could overflow."""
EXACT_FLOAT: Final = 1e15
"""A spreadsheet keeps 15 digits: an identifier stored as a number from here on has lost its last digits."""

# RE2 (pyarrow) needs code points written out.
_BREAKS: Final = r"[\t\n\r\x{b}\x{c}\x{85}\x{2028}\x{2029}]+"
_CONTROL: Final = (
    r"[\x{0}-\x{1f}\x{7f}-\x{9f}\x{ad}\x{61c}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{feff}"
    r"\x{fff9}-\x{fffb}]"
)
_WIDE: Final = r"[\x{3000}\x{ff01}-\x{ff5e}\x{ffe5}]"
_PLAIN: Final = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
GROUPED: Final = r"^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to say about cells of one column.

    Attributes
    ----------
    at
        Positions of the cells.
    code, severity
        As in the issue table. An error means that the typed cell is unknown.
    mend
        Data for the sentence that says how to mend it: one text for all, or one per position.
    whole
        True when it concerns the column and not the rows (one finding stands for all rows alike).
    """

    at: Positions
    code: str
    severity: str = ERROR
    mend: str | list[str] = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """One typed column.

    Attributes
    ----------
    values
        One value per cell; NaN, NaT, empty text or the column's default where unknown.
    empty
        True where the cell held nothing.
    findings
        What was wrong or assumed.
    signs
        Currency signs that stood beside amounts, with their positions.
    odd
        Positions of numbers and dates that are not written as a program writes them.
    """

    values: pd.Series[Any]
    empty: NDArray[np.bool_]
    findings: tuple[Finding, ...] = ()
    signs: tuple[tuple[str, Positions], ...] = field(default=())
    odd: Positions = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def failed(self) -> NDArray[np.bool_]:
        """Say which cells carry an error."""
        return _failed(self.findings, len(self.values))


def read_cells(column: Column, cells: pd.Series[Any], epoch: date | None = None) -> Cells:
    """Type one column.

    Parameters
    ----------
    column
        What the schema says of it.
    cells
        Cells as found, text or already typed; never changed. Missing values and blank text are empty cells.
    epoch
        Day 0 of date serials when the cells come from a workbook; None refuses serials.

    Returns
    -------
    Cells
        Cells with an error have the column's default (or unknown) as value.
    """
    if column.kind == "date":
        out = _dates(cells, epoch)
    elif column.kind == "bool":
        out = _flags(column, cells)
    elif column.kind in ("id", "text"):
        out = _currencies(cells) if column.name == "currency" else _texts(column, cells)
    else:
        out = _numbers(column, cells)
    return out


def blank(column: Column, count: int) -> pd.Series[Any]:
    """Give ``count`` cells of the column's default, or unknown when it has none."""
    if column.kind == "date":
        return pd.Series(np.full(count, "NaT", dtype="datetime64[us]"))
    if column.kind == "bool":
        return pd.Series(np.full(count, bool(column.default)))
    if column.kind in ("id", "text"):
        return repeated(str(column.default or ""), count)
    return pd.Series(np.full(count, np.nan if column.default is None else float(column.default)))


def repeated(text: str, count: int) -> pd.Series[Any]:
    """Give the same text ``count`` times."""
    import pyarrow as pa

    return to_pandas(pa.repeat(pa.scalar(text, pa.large_string()), count))


def as_text(cells: pd.Series[Any]) -> tuple[pd.Series[Any], Positions]:
    """Write cells of any type as text, as a person would see them.

    Returns
    -------
    tuple
        Text (``str`` dtype, empty where missing; ``100.0`` is ``100``) and the positions of numbers so large that
        digits of an identifier are lost.
    """
    none = np.empty(0, dtype=np.int64)
    if isinstance(cells.dtype, pd.StringDtype) and cells.dtype.storage == "pyarrow":
        return cells.fillna("").astype("str").reset_index(drop=True), none
    if pd.api.types.is_bool_dtype(cells.dtype) and not cells.hasnans:
        return pd.Series(np.where(cells.to_numpy(dtype=bool), "true", "false"), dtype="str"), none
    if pd.api.types.is_integer_dtype(cells.dtype):
        return cells.astype("str").fillna("").astype("str").reset_index(drop=True), none
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return _naive(cells).dt.strftime("%Y-%m-%d").fillna("").astype("str").reset_index(drop=True), none
    if is_number(cells):
        numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        gone = np.isnan(numbers)
        if (gone | ((numbers == np.floor(numbers)) & (np.abs(numbers) < EXACT_FLOAT))).all():
            whole = pd.Series(np.where(gone, 0.0, numbers).astype(np.int64)).astype("str")
            return whole.mask(gone, "").astype("str"), none
    things = cells.to_numpy(dtype=object)
    lost = [i for i, thing in enumerate(things) if isinstance(thing, float) and abs(thing) >= EXACT_FLOAT]
    return pd.Series([_written(thing) for thing in things], dtype="str"), np.asarray(lost, dtype=np.int64)


def clean_text(text: pd.Series[Any], *, fold: bool) -> tuple[pd.Series[Any], Positions]:
    """Trim text, compose accents (NFC) and take out control and direction characters.

    Parameters
    ----------
    text
        ``str`` dtype without missing values.
    fold
        Also turn full-width letters, digits and signs into plain ones, as identifiers need.

    Returns
    -------
    tuple
        The text, and the positions from which control characters were taken. Line breaks and tabs become a space.
    """
    import pyarrow.compute as pc

    coded = to_arrow(text).dictionary_encode()
    words = coded.dictionary
    dirty = np.zeros(len(words), dtype=bool)
    if some(pc.match_substring_regex(words, _CONTROL)) or not every(pc.string_is_ascii(words)):
        words = pc.replace_substring_regex(words, _BREAKS, " ")
        dirty = pc.match_substring_regex(words, _CONTROL).to_numpy(zero_copy_only=False)
        words = pc.utf8_normalize(pc.replace_substring_regex(words, _CONTROL, ""), form="NFC")
        if fold:
            words = _folded(words)
    words = pc.utf8_trim_whitespace(words)
    codes = coded.indices.to_numpy(zero_copy_only=False)
    at = np.flatnonzero(dirty[codes]) if dirty.any() else np.empty(0, dtype=np.int64)
    return to_pandas(words.take(coded.indices)), at


def _numbers(column: Column, cells: pd.Series[Any]) -> Cells:
    findings: list[Finding] = []
    signs: tuple[tuple[str, Positions], ...] = ()
    odd = np.empty(0, dtype=np.int64)
    if is_number(cells):
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan).copy()
        empty = cells.isna().to_numpy()
    else:
        values, empty, findings, signs, odd = _amounts(as_text(cells)[0], percent=column.kind == "fraction")
    known = ~empty & ~_failed(findings, len(values))
    endless = known & ~np.isfinite(values)
    known &= ~endless
    low = -LARGEST if column.low is None else column.low
    high = LARGEST if column.high is None else column.high
    with np.errstate(invalid="ignore"):
        negative = known & (values < 0.0) & (low == 0.0)
        below = known & ~negative & (values < low)
        above = known & (values > high)
        broken = known & ~negative & ~below & ~above & (column.kind == "int") & (values != np.floor(values))
    both = f"{low:g}..{high:g}" if column.low is not None and column.high is not None else ""
    smallest = both or (">= 0" if low == 0.0 else "> 0" if 0.0 < low < 1e-6 else f">= {low:g}")
    for mask, code, mend in (
        (endless, "not_finite", "1234.50"), (negative, "negative_value", smallest), (below, "out_of_range", smallest),
        (above, "out_of_range", both or f"<= {high:g}"), (broken, "not_whole", both or smallest),
    ):
        if mask.any():
            findings.append(Finding(np.flatnonzero(mask), code, mend=mend))
    values = values + 0.0  # turns -0.0 into 0.0
    values[empty | _failed(findings, len(values))] = np.nan if column.default is None else float(column.default)
    return Cells(pd.Series(values), empty, tuple(findings), signs, odd)


def _amounts(
    text: pd.Series[Any], *, percent: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[Finding], tuple[tuple[str, Positions], ...], Positions]:
    import pyarrow as pa
    import pyarrow.compute as pc

    array = to_arrow(text)
    empty = pc.equal(array, "")
    try:
        values = to_floats(pc.if_else(empty, None, array))
        return values, empty.to_numpy(zero_copy_only=False).copy(), [], (), np.empty(0, dtype=np.int64)
    except pa.ArrowInvalid:
        grouped = pc.match_substring_regex(array, GROUPED)
        array = pc.if_else(grouped, pc.replace_substring(array, ",", ""), array)
        plain = pc.match_substring_regex(array, _PLAIN)
        values = to_floats(pc.if_else(plain, array, None)).copy()
    blanks = empty.to_numpy(zero_copy_only=False).copy()
    odd = np.flatnonzero(~plain.to_numpy(zero_copy_only=False) & ~blanks)
    codes, words = pd.factorize(text.iloc[odd])
    read = [parse_amount(word, percent=percent) for word in words]
    number, problem, unit, sign = (np.array(part, dtype=kind) for part, kind in zip(
        zip(*read, strict=True) if read else ((), (), (), ()), (float, object, object, object), strict=True))
    values[odd] = number[codes]
    blanks[odd] = np.isnan(number[codes]) & (problem[codes] == "")
    findings = [Finding(odd[problem[codes] == code], code, mend="1234.50")
                for code in ("not_a_number", "not_finite") if (problem == code).any()]
    if (unit != "").any():
        at = odd[unit[codes] != ""]
        findings.append(Finding(at, "unit_converted", INFO, [f"{value:.15g}" for value in values[at]]))
    signs = tuple((word, odd[sign[codes] == word]) for word in sorted(set(sign) - {""}))
    return values, blanks, findings, signs, np.union1d(odd, np.flatnonzero(grouped.to_numpy(zero_copy_only=False)))


def _texts(column: Column, cells: pd.Series[Any]) -> Cells:
    text, lost = as_text(cells)
    values, dirty = clean_text(text, fold=column.kind == "id")
    findings = []
    if len(lost) and column.kind == "id":
        findings.append(Finding(lost, "id_precision", mend="text"))
        values = values.mask(_mask(lost, len(values)), "").astype("str")
    if len(dirty):
        findings.append(Finding(dirty, "control_characters", INFO))
    empty = (values == "").to_numpy(dtype=bool)
    if column.default:
        values = values.mask(empty, str(column.default)).astype("str")
    if column.kind == "id":
        empty = empty & ~_mask(lost, len(values))
    return Cells(values, empty, tuple(findings))


def _currencies(cells: pd.Series[Any]) -> Cells:
    text, _ = as_text(cells)
    found, dirty = clean_text(text, fold=True)
    codes, words = pd.factorize(found)
    taken = [parse_currency(word) for word in words]
    findings = [Finding(dirty, "control_characters", INFO)] if len(dirty) else []
    empty = (found == "").to_numpy(dtype=bool)
    bad = np.array([code is None for code in taken], dtype=bool)[codes] & ~empty
    if bad.any():
        findings.append(Finding(np.flatnonzero(bad), "bad_currency", mend="CNY, USD, HKD, EUR"))
    for i, (word, code) in enumerate(zip(words, taken, strict=True)):
        if code is None or word.upper() == code:
            continue
        # One finding stands for a spelling that a whole column has; only the offshore rate matters to each row.
        offshore, at = word.lower() in OFFSHORE, np.flatnonzero(codes == i)
        findings.append(Finding(at, "currency_alias", WARNING, code) if offshore
                        else Finding(at[:1], "currency_alias", INFO, code, whole=True))
    final = np.array([code or "" for code in taken], dtype=object)
    return Cells(pd.Series(final[codes], dtype="str"), empty, tuple(findings))


def _dates(cells: pd.Series[Any], epoch: date | None) -> Cells:
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        days = _naive(cells).dt.normalize().astype("datetime64[us]").reset_index(drop=True)
        return Cells(days, days.isna().to_numpy())
    text, _ = as_text(cells)
    values, empty, bad = _by_word(text, lambda word: parse_date(word, epoch))
    days = pd.Series(np.array([None if v is None else np.datetime64(v, "D") for v in values.words],
                              dtype="datetime64[us]")[values.codes])
    findings = (Finding(np.flatnonzero(bad), "bad_date", mend="YYYY-MM-DD"),) if bad.any() else ()
    plain = np.array([ISO.fullmatch(word) is not None for word in values.found], dtype=bool)[values.codes]
    return Cells(days, empty, findings, odd=np.flatnonzero(~plain & ~empty))


def _flags(column: Column, cells: pd.Series[Any]) -> Cells:
    text, _ = as_text(cells)
    values, empty, bad = _by_word(text, parse_flag)
    default = bool(column.default)
    flags = np.array([default if v is None else v for v in values.words], dtype=bool)[values.codes]
    findings = (Finding(np.flatnonzero(bad), "bad_flag", mend="yes, no, 是, 否, 1, 0"),) if bad.any() else ()
    return Cells(pd.Series(flags), empty, findings)


@dataclass(frozen=True, slots=True)
class _Coded:
    codes: Positions
    words: list[Any]
    found: list[str]


def _by_word(
    text: pd.Series[Any], read: Callable[[str], Any]
) -> tuple[_Coded, NDArray[np.bool_], NDArray[np.bool_]]:
    """Read each distinct text once; the masks say where the cell is empty and where it could not be read."""
    codes, words = pd.factorize(clean_text(text, fold=True)[0])
    known = [read(word) for word in words]
    nothing = np.array([word == "" for word in words], dtype=bool)
    failed = np.array([value is None for value in known], dtype=bool) & ~nothing
    return _Coded(codes.astype(np.int64), known, list(words)), nothing[codes], failed[codes]


def _written(thing: object) -> str:
    if thing is None or thing is pd.NA or thing is pd.NaT or (isinstance(thing, float) and thing != thing):
        return ""
    if isinstance(thing, str):
        return thing.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is not text
    if isinstance(thing, bool | np.bool_):
        return "true" if thing else "false"
    if isinstance(thing, float | np.floating):
        number = float(thing)
        return str(int(number)) if number.is_integer() and abs(number) < EXACT_FLOAT else repr(number)
    if isinstance(thing, Decimal):
        return "" if thing.is_nan() else format(thing, "f")
    if isinstance(thing, datetime):
        return thing.date().isoformat() if thing.time() == datetime.min.time() else thing.isoformat(" ")
    return thing.isoformat() if isinstance(thing, date) else str(thing)


def _failed(findings: Iterable[Finding], count: int) -> NDArray[np.bool_]:
    out = np.zeros(count, dtype=bool)
    for finding in findings:
        if finding.severity == ERROR:
            out[finding.at] = True
    return out


def is_number(cells: pd.Series[Any]) -> bool:
    """Whether cells are numbers already."""
    kind = cells.dtype
    return (pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
            and not pd.api.types.is_complex_dtype(kind))


def _naive(cells: pd.Series[Any]) -> pd.Series[Any]:
    return cells.dt.tz_localize(None) if getattr(cells.dtype, "tz", None) is not None else cells


def _folded(words: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    wide = pc.match_substring_regex(words, _WIDE)
    if not some(wide):
        return words
    return pc.replace_with_mask(words, wide, pa.array(
        [word.translate(WIDTH) for word in words.filter(wide).to_pylist()], type=words.type))


def _mask(at: Positions, count: int) -> NDArray[np.bool_]:
    out = np.zeros(count, dtype=bool)
    out[at] = True
    return out
