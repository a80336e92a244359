"""A table of prices into returns: checked, in order of time, nothing filled in."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.errors import ConfigError, InputError

USUAL: Final = {1: 365.0, 4: 91.0, 12: 30.5, 52: 7.0, 252: 1.4}
"""Periods in a year, and the days between two dates of them."""
PERCENT: Final = 0.5
"""Returns whose size is above this on average are taken for percent."""


def read_returns(table: pd.DataFrame, *, returns: bool) -> pd.DataFrame:
    """Simple returns, periods × assets; NaN where one of the two prices is missing.

    Raises
    ------
    InputError
        No table, a name or a date that comes twice, what is no number, prices of 0 or less, what looks like percent.
    """
    if not isinstance(table, pd.DataFrame) or table.shape[1] == 0:
        raise InputError("a DataFrame of dates × assets is expected, with a column per asset class")
    names = [str(c) for c in table.columns]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise InputError(f"column '{twice[0]}' comes twice; name each asset once")
    if table.index.has_duplicates:
        raise InputError("a date comes twice in the index; keep one row for each")
    numbers = pd.DataFrame({n: _numbers(table.iloc[:, k], n) for k, n in enumerate(names)}, index=table.index)
    numbers = numbers.sort_index()
    if not returns:
        for name in names:
            if (numbers[name] <= 0).any():
                raise InputError(f"column '{name}' has prices of 0 or less; mend them, or say returns=True for returns")
        numbers = numbers.pct_change(fill_method=None).iloc[1:]
    for name in names:
        if (numbers[name] < -1).any():
            raise InputError(f"column '{name}' has a return below -1: nothing loses more than all, and 5% is 0.05")
        if numbers[name].abs().mean() > PERCENT:
            raise InputError(f"column '{name}' has returns above 50% on average: they look like percent, divide by 100")
    return numbers


def periods_of(index: pd.Index) -> float:
    """Periods a year, from the usual distance between two dates: 252, 52, 12, 4 or 1.

    Raises
    ------
    ConfigError
        No dates, or dates at a distance that is none of these.
    """
    dates = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    if not isinstance(dates, pd.DatetimeIndex) or len(dates) < 2:
        raise ConfigError("the index holds no dates: give periods_per_year (252, 52, 12, 4 or 1)")
    days = float(np.median(np.diff(dates.to_numpy()) / np.timedelta64(1, "D")))
    near = min(USUAL, key=lambda n: abs(np.log(max(days, 0.1) / USUAL[n])))
    if abs(np.log(max(days, 0.1) / USUAL[near])) > 0.5:
        raise ConfigError(f"two dates are {days:g} days apart, no usual frequency: give periods_per_year")
    return float(near)


def day_of(when: object) -> str:
    """A date, a period or another label of a row, as text."""
    return str(when.date()) if isinstance(when, pd.Timestamp) else str(when)


def _numbers(column: pd.Series, name: str) -> pd.Series:
    try:
        out = pd.to_numeric(column).astype("float64")
    except (TypeError, ValueError):
        raise InputError(f"column '{name}' holds what is no number; give prices or returns alone") from None
    if np.isinf(out.to_numpy()).any():
        raise InputError(f"column '{name}' holds an infinite number")
    return out
