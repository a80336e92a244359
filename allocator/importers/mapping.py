"""The mapping file: what headers, sheets and units of somebody's files mean, decided once and used again."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from allocator.config import parsed
from allocator.conversions import conversion_table, stack
from allocator.errors import ConfigError, InputError
from allocator.issues import INFO, WARNING, concat, issue_table
from allocator.notation import parse_currency
from allocator.raw_tables import RawTable, header_key, known_headers, way_of, without_unit
from allocator.schema import TABLES
from allocator.ways import PLAIN, Way, unit_of

UNITS: Final = ("元", "千", "万", "百万", "亿")
IGNORED: Final = ""


class Reading(BaseModel):
    """How one column is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    column: str = ""
    unit: str = ""
    currency: str = ""
    percent: bool = False
    dates: Literal["", "day_first", "month_first"] = ""
    decimal_comma: bool = False

    @field_validator("unit")
    @classmethod
    def _unit(cls, value: str) -> str:
        if value and (unit_of(value) is None or unit_of(value) == Way(percent=True, said="header")):
            raise ValueError(f"no unit that is known; allowed: {', '.join(UNITS)}, k, m, bn")
        return value

    @field_validator("currency")
    @classmethod
    def _currency(cls, value: str) -> str:
        code = parse_currency(value) if value else ""
        if code is None:
            raise ValueError("no currency; write its three letters")
        return code

    @property
    def way(self) -> Way:
        """What the reader of cells needs to know."""
        unit = unit_of(self.unit) if self.unit else None
        return Way(unit.power if unit else 0, self.currency, self.percent, self.dates, self.decimal_comma, "mapping")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    sheets: dict[str, str] = Field(default_factory=dict)
    hidden_sheets: bool = False
    columns: dict[str, dict[str, str | Reading]] = Field(default_factory=dict)


@dataclass(frozen=True)
class FileMapping:
    """What a mapping file says.

    Attributes
    ----------
    columns
        By table and folded header: how the column is read; a reading without a column is ignored.
    sheets
        Table by folded name of the sheet; empty text leaves the sheet out.
    hidden_sheets
        Whether hidden sheets are read too.
    """

    columns: Mapping[str, Mapping[str, Reading]] = field(default_factory=dict)
    sheets: Mapping[str, str] = field(default_factory=dict)
    hidden_sheets: bool = False

    def apply(self, raw: Mapping[str, RawTable]) -> dict[str, RawTable]:
        """Rename the columns of raw tables and say how they are read.

        Raises
        ------
        InputError
            Two headers would mean the same column.
        """
        return {name: _applied(name, table, self.columns.get(name, {})) for name, table in raw.items()}


NO_MAPPING: Final = FileMapping()


def load_mapping(source: Any) -> FileMapping:
    """Read a mapping file.

    Parameters
    ----------
    source
        A TOML file, or a `FileMapping`.

    Raises
    ------
    ConfigError
        It is not as it must be; the message names the place.
    """
    if isinstance(source, FileMapping):
        return source
    path = Path(source)
    try:
        found = _File.model_validate(parsed(path.read_text("utf-8-sig"), path.name))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path.name}: no mapping file that can be read; check the path") from None
    except ValidationError as error:
        first = max(error.errors(), key=lambda e: len(e["loc"]) - ("str" in e["loc"]))
        place = ".".join(str(p) for p in first["loc"] if p != "Reading")
        raise ConfigError(f"{path.name}: {place}: {first['msg']}") from None
    for name in (*found.columns, *(s for s in found.sheets.values() if s)):
        if name not in TABLES:
            raise ConfigError(f"{path.name}: unknown table '{name}'; allowed: {', '.join(TABLES)}")
    columns: dict[str, dict[str, Reading]] = {}
    for table, given in found.columns.items():
        readings = {h: Reading(column=r) if isinstance(r, str) else r for h, r in given.items()}
        known = {c.name for c in TABLES[table]}
        for header, reading in readings.items():
            if reading.column and reading.column not in known:
                raise ConfigError(
                    f"{path.name}: columns.{table}.'{header}': unknown column '{reading.column}'; allowed: "
                    f"{', '.join(c.name for c in TABLES[table])}"
                )
        columns[table] = {header_key(h): r for h, r in readings.items()}
    return FileMapping(columns, {s.strip().casefold(): t for s, t in found.sheets.items()}, found.hidden_sheets)


def learn(tables: Mapping[str, RawTable], issues: pd.DataFrame) -> str:
    """Write what was recognised as a mapping file; what is doubtful or unknown stands there as a comment to decide.

    Parameters
    ----------
    tables
        Raw tables as read.
    issues
        What was found when they were typed.

    Returns
    -------
    str
        TOML that `load_mapping` reads, and that reads the same tables the same way.
    """
    lines = [
        "# How these files are read. Lines that begin with '# ?' are yours to decide: take '# ? ' away from the one",
        "# that is right (of several with the same name, from one only) and correct it.",
        "# 每一列如何读取。以“# ?”开头的行需要您决定：在正确的一行去掉“# ? ”（同名的几行只取一行），并按需改正。",
        f"# units 单位: {', '.join(UNITS)}; dates 日期: day_first, month_first; percent 百分数: true",
    ]
    sheets = {raw.sheet: name for name, raw in tables.items() if raw.sheet}
    if sheets:
        lines += ["", "[sheets]", *(f"{_quoted(sheet)} = {_quoted(table)}" for sheet, table in sheets.items())]
    for name, raw in tables.items():
        lines += ["", f"[columns.{name}]", *_learned(name, raw, issues[issues["table"] == name])]
    return "\n".join(lines) + "\n"


_DOUBTS: Final[Mapping[str, tuple[str, ...]]] = {
    "bad_date": ('dates = "day_first"', 'dates = "month_first"'),
    "out_of_range": ("percent = true",),
    "small_percents": ("percent = true",),
    "unit_twice": ('unit = "元"', 'unit = "万"'),
    "not_a_number": ("decimal_comma = true",),
    "thousands_or_decimals": ("decimal_comma = true",),
    "decimals_or_thousands": ("decimal_comma = true",),
    "currency_header": ('currency = "CNY"',),
    "currency_filled": ('currency = "CNY"',),
}
"""What a person may say about a column in which an issue was found."""


def _learned(table: str, raw: RawTable, issues: pd.DataFrame) -> list[str]:
    known = known_headers(table)
    kinds = {c.name: c for c in TABLES[table]}
    lines = []
    for i, found in enumerate(str(h).strip() for h in raw.frame.columns):
        if not found:
            continue
        header = raw.headers.get(found, found)  # a mapping may have renamed it
        name = known.get(header_key(found)) or without_unit(table, found, known)
        if name is None:
            lines.append(f'# ? {_quoted(header)} = ""  # not known; a column of {table}, or "" to leave it out')
            continue
        told = _toml(name, way_of(raw, kinds[name], i))
        asked = [
            f'# ? {_quoted(header)} = {{ column = "{name}", {more} }}  # {code}'
            for code in issues.loc[issues["column"] == name, "code"].unique()
            for more in _DOUBTS.get(str(code), ())
            if more not in told and not (code == "out_of_range" and kinds[name].kind != "fraction")
        ]
        # a name may stand once: where there is a choice, every line of it is to be decided
        lines += [f"# ? {_quoted(header)} = {told}  # as it is read now", *asked] if asked else [
            f"{_quoted(header)} = {told}"]  # fmt: skip
    return lines


def _toml(name: str, way: Way) -> str:
    if way == PLAIN:
        return _quoted(name)
    parts = [f'column = "{name}"']
    powers = {0: "元", 3: "千", 4: "万", 6: "百万", 7: "千万", 8: "亿", 9: "bn"}
    parts += [f'unit = "{powers[way.power]}"'] if way.power else []
    parts += [f'currency = "{way.currency}"'] if way.currency else []
    parts += ["percent = true"] if way.percent else []
    parts += [f'dates = "{way.dates}"'] if way.dates else []
    parts += ["decimal_comma = true"] if way.comma else []
    return f"{{ {', '.join(parts)} }}"


def _quoted(text: str) -> str:
    """Quote text for TOML."""
    marks = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    safe = "".join(marks.get(c, c if c.isprintable() or ord(c) > 0x9F else f"\\u{ord(c):04x}") for c in text)
    return f'"{safe}"'


def _applied(table: str, raw: RawTable, readings: Mapping[str, Reading]) -> RawTable:
    if not readings:
        return raw
    headers = [str(h) for h in raw.frame.columns]
    found = {i: readings[header_key(h)] for i, h in enumerate(headers) if header_key(h) in readings}
    meant = [r.column for r in found.values() if r.column]
    twice = sorted({c for c in meant if meant.count(c) > 1})
    if twice:
        raise InputError(f"{raw.file}: the mapping gives two columns the meaning '{twice[0]}' in {table}; drop one")
    known = known_headers(table)
    absent = _absent(table, raw, readings)
    # a column that the mapping gives away no longer belongs to the header that is usual for it
    usual = [found[i].column if i in found else known.get(header_key(h), "?") for i, h in enumerate(headers)]
    kept = [i for i, name in enumerate(usual) if name and (i in found or name not in meant)]
    frame = raw.frame.iloc[:, kept].copy()
    names = [found[i].column if i in found else headers[i] for i in kept]
    frame.columns = pd.Index(names)
    ways = {**raw.ways, **{r.column: r.way for r in found.values() if r.column}}
    faults = raw.faults
    if faults is not None:
        renamed = {headers[i]: r.column for i, r in found.items()}
        faults = faults.assign(column=faults["column"].map(lambda c: renamed.get(str(c), str(c))))
    asked = {found[i].column: headers[i] for i in kept if i in found}
    left = [headers[i] for i in range(len(headers)) if i in found and not found[i].column]
    about = {"file": raw.file, "table": table, "sheet": raw.sheet, "what": "ignored_mapping"}
    changed = conversion_table({**about, "header": h, "count": len(frame)} for h in left)
    return replace(
        raw,
        frame=frame,
        ways=ways,
        faults=faults,
        headers={**raw.headers, **asked},
        issues=concat([raw.issues, absent]),
        conversions=stack([raw.conversions, changed]),
    )


def _absent(table: str, raw: RawTable, readings: Mapping[str, Reading]) -> pd.DataFrame:
    """Say which columns of the mapping a file does not have: next month's file may call them otherwise.

    Raises
    ------
    InputError
        One of them is required, and nothing else stands for it.
    """
    headers = {header_key(h): str(h).strip() for h in raw.frame.columns}
    known = known_headers(table)
    meant = {readings[k].column if k in readings else known.get(k) or without_unit(table, h, known)
             for k, h in headers.items()}  # fmt: skip
    spare = [h for k, h in headers.items() if h and k not in readings
             and not (known.get(k) or without_unit(table, h, known))]  # fmt: skip
    needed = {c.name for c in TABLES[table] if c.required}
    rows = []
    for header, reading in readings.items():
        if header in headers or not reading.column:
            continue
        near = difflib.get_close_matches(header, [header_key(h) for h in spare], n=1, cutoff=0.4)
        like = headers[near[0]] if near else ""
        if reading.column in needed - meant:
            maybe = f"; '{like}' looks like it" if like else ""
            raise InputError(
                f"{raw.file}: the mapping reads '{reading.column}' from a column '{header}', which this file does not "
                f"have{maybe}. Correct the mapping (--mapping), or write it anew: allocator import FILE --learn MAPPING"
            )
        about = {"file": raw.file, "table": table, "column": reading.column, "code": "mapping_absent"}
        told = {"value": header, "severity": WARNING if reading.column not in meant else INFO, "mend": like}
        rows.append({**about, **told})
    return issue_table(rows)
