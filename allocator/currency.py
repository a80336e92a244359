"""Money of a row into the client's currency, to the cent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.cells import LARGEST
from allocator.framework import Framework
from allocator.issues import ERROR, WARNING, concat, issue_table
from allocator.typing import FloatArray, IntArray

NEAR: Final = 1.5
"""A rate that is so near to one over the usual one is upside down."""


def known_rates(fx: pd.DataFrame, home: str) -> dict[str, float]:
    """Bring all rates into one currency.

    Parameters
    ----------
    fx
        The table of rates: ``currency``, ``rate``, and ``base``, what the rate is in. Empty: ``home``; or, where a row
        of an empty base gives ``home`` a rate itself, one common unit that need not be named.
    home
        Base currency of the framework.

    Returns
    -------
    dict
        ``home`` per one unit of each currency. Where no rate leads to ``home`` (an export that states its own rates in
        another currency, and no further table), the rates are in that other currency and ``home`` is not among them:
        amounts convert among the currencies that are there, and anything in ``home`` lacks a rate rather than having a
        wrong one. A rate in a currency that has none itself is left out.
    """
    unnamed = fx["base"] == ""
    # a rate of home itself says what the unnamed unit is worth: 1 where it is home
    stated = fx["base"].where(~unnamed, "" if (fx.loc[unnamed, "currency"] == home).any() else home)
    links = list(zip(fx["currency"], stated, fx["rate"], strict=True))
    start = home
    if links and not any(home in (currency, base) for currency, base, _ in links):
        start = str(links[0][1])
    rates = {start: 1.0}
    while True:
        more = {c: x * rates[b] for c, b, x in links if b in rates and c not in rates}
        more |= {b: rates[c] / x for c, b, x in links if c in rates and b not in rates}
        if not more:
            return {str(c): x for c, x in rates.items() if c}
        rates |= more


def rate_issues(fx: pd.DataFrame, framework: Framework, on: dt.date) -> pd.DataFrame:
    """Point out rates that may be upside down, of 100 units, old, or of a day to come; they are used as they stand.

    Parameters
    ----------
    fx
        The table of rates; ``file``, ``row`` and ``date`` are told where they are there.
    framework
        Says what rates are held against; without that, only days are looked at.
    on
        Day of the analysis.
    """
    known = framework.rates
    found: list[dict[str, Any]] = []
    own = fx.loc[(fx["base"] == "") & (fx["currency"] == framework.currency), "rate"]
    unit = float(own.iloc[0]) if len(own) else 1.0
    for r in fx.to_dict("records"):
        where = {"file": r.get("file", ""), "table": "fx", "row": r.get("row", 0), "severity": WARNING}
        if known is not None:
            rate = float(r["rate"]) / (1.0 if r["base"] else unit)
            usual = known.value(str(r["currency"]), str(r["base"]) or framework.currency)
            far = max(rate / usual, usual / rate)
            if far > known.factor:  # NaN, where nothing is known, is not
                inverted = 1 / NEAR < rate * usual < NEAR
                code = {"code": "rate_inverted"} if inverted else {"code": "rate_doubtful"}
                told = {"column": "rate", "value": f"{r['rate']:.10g}", "mend": f"{usual:.4g}"}
                found.append(where | told | code)
        day = pd.Timestamp(r.get("date", ""))
        old = (pd.Timestamp(on) - day).days if day == day else 0
        told = where | {"column": "date", "value": "" if day != day else day.date().isoformat()}
        if old < 0:
            found.append(told | {"code": "rate_later", "mend": on.isoformat()})
        elif known is not None and old > known.stale_days:
            found.append(told | {"code": "rate_stale", "mend": str(known.stale_days)})
    return issue_table(found)


def convert(
    frame: pd.DataFrame, table: str, ids: pd.Index, currency: pd.Series, rates: dict[str, float]
) -> tuple[FloatArray, pd.DataFrame]:
    """Convert the ``value`` column of a table.

    Parameters
    ----------
    frame, table
        Rows with ``client_id``, ``currency`` and ``value``; the name of the table for the issues.
    ids, currency
        Client ids, and the currency of each.
    rates
        Base currency per unit of each currency.

    Returns
    -------
    (value, issues)
        Values in the client's currency, rounded to the cent; NaN, with an issue, where a rate is missing or the amount
        is too large. A row in the client's own currency needs no rate.
    """
    who = ids.get_indexer(pd.Index(frame["client_id"]))
    rate = rates_for(frame["currency"], who, currency, rates)
    return to_cents(frame["value"], rate), unconverted(frame, table, rate, currency.to_numpy()[who], rates)


def to_cents(amount: pd.Series, rate: FloatArray) -> FloatArray:
    """Convert amounts, rounded to the cent; NaN where the amount or its rate is unknown, or it is too large."""
    # money is kept to the cent from here on, so that what is shown, planned and verified is the same number
    found = np.asarray(np.round(amount.to_numpy("float64") * rate, 2))
    return np.where(np.abs(found) > LARGEST, np.nan, found)


def unconverted(
    frame: pd.DataFrame, table: str, rate: FloatArray, home: np.ndarray, rates: dict[str, float]
) -> pd.DataFrame:
    """Issues of the rows whose ``rate`` is NaN, or whose ``value`` is beyond `cells.LARGEST` once it is converted.

    ``home`` is the currency of each row's client.
    """
    return concat([_missing_rates(frame, table, rate, home, rates), _too_large(frame, table, rate)])


def _too_large(frame: pd.DataFrame, table: str, rate: FloatArray) -> pd.DataFrame:
    value = frame["value"].to_numpy("float64")
    at = np.flatnonzero(np.abs(np.round(value * rate, 2)) > LARGEST)
    told = ({"column": "value", "code": "converted_too_large", "value": f"{value[i]:g}", "mend": f"<= {LARGEST:g}"}
            for i in at)  # fmt: skip
    return _errors(frame, table, at, told)


def _missing_rates(
    frame: pd.DataFrame, table: str, rate: FloatArray, home: np.ndarray, rates: dict[str, float]
) -> pd.DataFrame:
    at = np.flatnonzero(np.isnan(rate))
    stated = frame["currency"].iloc[at].to_numpy()
    codes = np.where(stated == "", home[at], stated)
    mends = (code if code not in rates else home[i] for i, code in zip(at, codes, strict=True))
    told = ({"column": "currency", "code": "missing_rate", "value": code, "mend": mend}
            for code, mend in zip(codes, mends, strict=True))  # fmt: skip
    return _errors(frame, table, at, told)


def _errors(frame: pd.DataFrame, table: str, at: IntArray, told: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Issues of some rows of a table: where each one is, and what is told of it."""
    rows = frame[["client_id", "file", "row"]].iloc[at]
    return issue_table(
        {"client_id": client, "file": file, "table": table, "row": row, "severity": ERROR, **one}
        for client, file, row, one in zip(rows["client_id"], rows["file"], rows["row"], told, strict=True)
    )


def rate_between(frame: pd.DataFrame, ids: pd.Index, currency: pd.Series, rates: dict[str, float]) -> FloatArray:
    """Client's currency per unit of each row's currency; NaN where a rate is missing."""
    return rates_for(frame["currency"], ids.get_indexer(pd.Index(frame["client_id"])), currency, rates)


def rates_for(stated: pd.Series, who: IntArray, currency: pd.Series, rates: dict[str, float]) -> FloatArray:
    """Client's currency per unit of the currency that each row states, blank for the client's own.

    Parameters
    ----------
    stated, who
        Currency of each row as given, and the place of its client.
    currency
        Currency of each client.
    rates
        Base currency per unit of each currency.

    Returns
    -------
    numpy.ndarray
        NaN where a rate is missing; 1 for the client's own currency, which needs none.
    """
    found, words = pd.factorize(stated)
    if all(w == "" for w in words):
        return np.ones(len(stated))
    at_home, homes = pd.factorize(currency)
    per = np.array([rates.get(str(w), np.nan) for w in words])
    home = np.array([rates.get(str(h), np.nan) for h in homes])
    table = per[:, None] / home[None, :]
    own = np.array([[w in ("", h) for h in homes] for w in words])
    return np.asarray(np.where(own, 1.0, table)[found, at_home[who]])
