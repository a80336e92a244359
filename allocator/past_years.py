"""Yearly returns of the past, as data: of the classes that have a series, and of the others by their loadings."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from allocator.assumptions import Assumptions, risk_table
from allocator.config import Strict, build, load_tree
from allocator.framework import Framework, Words
from allocator.scenarios import follow


class Series(Strict):
    """Returns of one class, one a year."""

    returns: tuple[Annotated[float, Field(gt=-1, lt=5)], ...]
    source: str


class PastYears(Words):
    """Series of classes over the same years."""

    schema_: Literal["allocator-history/1"] = Field(alias="schema")
    name: str
    source: str
    years: tuple[int, ...]
    series: dict[str, Series]

    @model_validator(mode="after")
    def _whole(self) -> PastYears:
        if list(self.years) != sorted(set(self.years)):
            raise ValueError("years must be in order, each once")
        for name, s in self.series.items():
            if len(s.returns) != len(self.years):
                raise ValueError(f"series.{name} has {len(s.returns)} returns for {len(self.years)} years")
        return self


def load_past(source: str | os.PathLike[str] | PastYears = "us") -> PastYears:
    """Load yearly returns by preset name, path or as they are.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, PastYears):
        return source
    tree, origin = load_tree(source, "history")
    return build(PastYears, tree, origin)


def history(
    framework: Framework, assumptions: Assumptions, past: str | os.PathLike[str] | PastYears = "us"
) -> pd.DataFrame:
    """Yearly returns of every class of a framework in years that were.

    A class with a series has its returns. Every other one has the return that is expected of it given those that have
    one: its own mean, and its loadings on what the year brought beyond the means (see `scenarios.follow`). So a class
    without loadings earns its mean in every year, and one whose factor has no series (private equity, hedge funds)
    moves as little as the others explain: the part of its own is missing, its worst years are too mild.

    Parameters
    ----------
    framework, assumptions
        The classes, their means and loadings.
    past
        Preset name or path of a TOML file; series of classes that the assumptions do not know are left out.

    Returns
    -------
    pandas.DataFrame
        Years × classes, fractions, never below -1 and without NaN.

    Raises
    ------
    ConfigError
        A wrong file, or a class of the framework without assumptions.
    """
    past, kinds = load_past(past), [c.assumption or code for code, c in framework.classes.items()]
    table = risk_table(framework, assumptions)
    named = [n for n in past.series if n in assumptions.classes]
    factor_mean = {name: f.mean for name, f in assumptions.factors.items()}

    def mean(name: str) -> float:
        c = assumptions.classes[name]
        if c.expected_return is not None:
            return c.expected_return
        return sum(beta * factor_mean[f] for f, beta in c.loadings.items())

    returns = np.array([past.series[n].returns for n in named], dtype="float64").reshape(len(named), len(past.years)).T
    beyond = returns - np.array([mean(n) for n in named])
    out = np.maximum(table.mean + beyond @ follow(assumptions, named, kinds), -1.0)
    frame = pd.DataFrame(out, index=pd.Index(past.years, name="year"), columns=framework.class_codes)
    for code, kind in zip(framework.class_codes, kinds, strict=True):
        if kind in named:
            frame[code] = returns[:, named.index(kind)]
    return frame
