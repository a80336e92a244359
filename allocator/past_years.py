"""Yearly returns of the past, brought by the caller: some classes have a series, the others follow by loadings."""

from __future__ import annotations

import difflib
import math
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from allocator.assumptions import Assumptions, risk_table
from allocator.config import Strict, build, is_file, parsed
from allocator.errors import ConfigError
from allocator.framework import Framework, Words
from allocator.scenarios import follow

SCHEMA: Final = "allocator-history/1"
PERCENT: Final = 0.5
"""Returns whose size is above this on average are taken for percent."""


class Series(Strict):
    """Returns of one class, one a year."""

    returns: tuple[Annotated[float, Field(gt=-1, lt=5)], ...]
    source: str


class PastYears(Words):
    """Series of classes over the same years."""

    schema_: Literal["allocator-history/1"] = Field(alias="schema")
    name: str
    source: str
    years: Annotated[tuple[int, ...], Field(min_length=1)]
    series: Annotated[dict[str, Series], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> PastYears:
        if list(self.years) != sorted(set(self.years)):
            raise ValueError("years must be in order, each once")
        for name, s in self.series.items():
            if len(s.returns) != len(self.years):
                raise ValueError(f"series.{name} has {len(s.returns)} returns for {len(self.years)} years")
            if math.fsum(abs(x) for x in s.returns) > PERCENT * len(s.returns):
                raise ValueError(f"series.{name} has returns above 50% on average: they look like percent, 5% is 0.05")
        return self


Given = str | os.PathLike[str] | pd.DataFrame | PastYears


def load_past(source: Given) -> PastYears:
    """Load yearly returns of one's own; none come with the package.

    Parameters
    ----------
    source
        Path of a TOML file (``schema = "allocator-history/1"``, ``name``, ``en``, ``zh``, ``source``, ``years``, and
        for every class a table ``[series.CLASS]`` with ``returns`` and ``source``); a DataFrame of years (index) ×
        class codes (columns), in any order of years; or the result of an earlier call. Returns are fractions, and none
        may be missing.

    Returns
    -------
    PastYears

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, PastYears):
        return source
    if isinstance(source, pd.DataFrame):
        return build(PastYears, _of_frame(source), "past")
    return build(PastYears, _of_file(Path(source)), os.fspath(source))


def classes_of(framework: Framework, assumptions: Assumptions, past: PastYears) -> dict[str, str]:
    """Every series, with the class of the assumptions that it moves as.

    Raises
    ------
    ConfigError
        A series of a class that neither the framework nor the assumptions know.
    """
    known = {name: name for name in assumptions.classes}
    known |= {code: c.assumption or code for code, c in framework.classes.items()}
    for name in past.series:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'? " if near else ""
            raise ConfigError(f"past years: unknown class '{name}': {hint}allowed: {', '.join(known)}")
    return {name: known[name] for name in past.series}


def history(framework: Framework, assumptions: Assumptions, past: Given) -> pd.DataFrame:
    """Yearly returns of every class of a framework in years that were.

    A class with a series, or whose assumptions are those of a class with one, has its returns. Every other one has the
    return that is expected of it given those that have one: its own mean, and its loadings on what the year brought
    beyond the means (see `scenarios.follow`). So a class without loadings earns its mean in every year, and one whose
    factor has no series (private equity, hedge funds) moves as little as the others explain: the part of its own is
    missing, its worst years are too mild.

    Parameters
    ----------
    framework, assumptions
        The classes, their means and loadings.
    past
        See `load_past`; series of classes of the framework or of the assumptions.

    Returns
    -------
    pandas.DataFrame
        Years × classes, fractions, never below -1 and without NaN.

    Raises
    ------
    ConfigError
        A wrong file or table, an unknown class, or a class of the framework without assumptions.
    """
    past, kinds = load_past(past), [c.assumption or code for code, c in framework.classes.items()]
    table, of = risk_table(framework, assumptions), classes_of(framework, assumptions, past)
    factor_mean = {name: f.mean for name, f in assumptions.factors.items()}

    def mean(name: str) -> float:
        c = assumptions.classes[name]
        if c.expected_return is not None:
            return c.expected_return
        return sum(beta * factor_mean[f] for f, beta in c.loadings.items())

    returns = np.array([s.returns for s in past.series.values()], dtype="float64").T
    beyond = returns - np.array([mean(kind) for kind in of.values()])
    out = np.maximum(table.mean + beyond @ follow(assumptions, list(of.values()), kinds), -1.0)
    frame = pd.DataFrame(out, index=pd.Index(past.years, name="year"), columns=framework.class_codes)
    for code, kind in zip(framework.class_codes, kinds, strict=True):
        own = past.series.get(code) or past.series.get(kind)
        if own is not None:
            frame[code] = np.array(own.returns)
    return frame


def _of_file(path: Path) -> dict[str, Any]:
    if not is_file(path):
        raise ConfigError(f"{path}: no such file; give the path of your own file of yearly returns")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start}); save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None
    try:
        return parsed(text, str(path))
    except ConfigError as error:
        raise ConfigError(f"{error}; a table of years × classes is given as DataFrame") from None


def _of_frame(frame: pd.DataFrame) -> dict[str, Any]:
    """A table as the tree of a file; what is no year and no return is named with its place."""
    years = [_year(x) for x in frame.index]
    if None in years:
        raise ConfigError(f"past: row {years.index(None) + 1}: the index must be years such as 1987, one a row")
    order = np.argsort([y or 0 for y in years], kind="stable")
    names = [str(c) for c in frame.columns]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise ConfigError(f"past: column '{twice[0]}' comes twice; give each class once")
    series = {}
    for k, name in enumerate(names):
        values = pd.to_numeric(frame.iloc[:, k], errors="coerce").to_numpy("float64", na_value=np.nan)
        bad = np.flatnonzero(~((values > -1) & (values < 5)))
        if len(bad):
            raise ConfigError(
                f"past: column '{name}', year {years[bad[0]]}: a return above -1 and below 5 is needed (5% is 0.05); "
                "mend it, or leave out the column or the year"
            )
        series[name] = {"returns": tuple(values[order].tolist()), "source": "given by the caller"}
    return {
        "schema": SCHEMA,
        "name": "own",
        "en": "own series",
        "zh": "自备数据",
        "source": "given by the caller",
        "years": tuple(years[k] for k in order),
        "series": series,
    }


def _year(label: object) -> int | None:
    try:
        year = float(str(label))
    except ValueError:
        return None
    return int(year) if year.is_integer() and 0 < year < 10_000 else None
