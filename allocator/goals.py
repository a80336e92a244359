"""How likely a family misses a goal: the reserve after a year, education, retirement, or any sum by a date."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import RiskTable
from allocator.contributions import moves
from allocator.errors import InputError
from allocator.exposures import ratio
from allocator.limits import needed_months
from allocator.typing import AnyArray, FloatArray

RESERVE: Final = "reserve"
"""Goal that the liquid reserve alone is measured against; every other goal is measured against all own money."""
NEEDED: Final = ("client_id", "goal", "amount", "years")
OPTIONAL: Final = ("monthly", "start")
REASONS: Final = ("unknown_client", "bad_figure", "no_need", "insolvent", "beyond")
"""Why a goal has no probability, first that applies: no such client in the book; an amount, date or saving that is no
number or below what makes sense; the spending that the reserve is for is unknown, or nothing is needed; no own money;
debts are expected to eat the own money up within a year."""

ABSCISSAE, WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
"""Expectations over a standard normal number; with these points the probability has five digits."""
FAR: Final = 9.0
"""A probability further out than this many standard deviations counts as 0 or 1."""
STILL: Final = 1e-6
"""A volatility below this is none."""
NEGLIGIBLE: Final = 1e-12
"""Savings that come to less than this part of the money are none."""
FEWEST: Final = 61
MOST: Final = 401
"""Points of money at which the probability is kept between two savings."""


def measure_goals(analysis: Analysis, table: RiskTable, goals: pd.DataFrame | None) -> pd.DataFrame:
    """Probability of missing each goal.

    Parameters
    ----------
    analysis, table
        The book, and its assumptions per class.
    goals
        One row per goal: ``client_id``, ``goal`` (any text), ``amount`` in the client's currency in the money of the
        date it falls due, ``years`` from now; ``monthly``, saved until then (below 0: taken out; empty: nothing);
        ``start``, money put aside for it today (empty: all own money in the buckets). For the goal ``reserve`` an
        empty amount is the months of spending that the framework asks for, the start is the liquid reserve, and its
        own mean and volatility count. None: the reserve of every client after one year.

    Returns
    -------
    pandas.DataFrame
        Every row of ``goals`` in its order: ``client_id, goal, amount, years, monthly, start``; ``expected``, the money
        to expect at the date (NaN where money is taken out); ``probability`` of missing the amount; ``reason``, one of
        `REASONS` where that is NaN.

    Raises
    ------
    InputError
        A column is missing or unknown.

    Notes
    -----
    Wealth is lognormal with the client's own yearly mean and volatility, taken apart for each goal: two goals are not
    paid from the same money. Savings come in at the end of each year (or each equal part of a broken one). Without
    them the probability is Φ((ln(amount / start) − mt) / s√t); with them it is found by quadrature, without chance.
    """
    rows = _default(analysis) if goals is None else _read(goals)
    p, e = analysis.positions, analysis.exposures
    at = pd.Index(p.clients["client_id"]).get_indexer(pd.Index(rows["client_id"]))
    found, nobody = at >= 0, np.full((8, 1), np.nan)
    cells = {c: rows[c].to_numpy("float64") for c in ("amount", "years", "monthly", "start")}
    reserve = (rows["goal"] == RESERVE).to_numpy(bool)
    wanted = np.where(e.need > 0, needed_months(p, analysis.framework) * e.need, np.nan)
    own = [e.equity, analysis.risk.expected_return, analysis.risk.volatility]
    facts = np.vstack([*own, e.liquid, *_of_reserve(analysis, table), wanted, e.equity])
    of = np.hstack([facts, nobody])[:, at]  # −1, who is not in the book, is the last column
    (base, mean, volatility), wanted, equity = np.where(reserve, of[3:6], of[:3]), of[6], of[7]
    blank = np.isnan(cells["amount"])
    amount = np.where(reserve & blank, wanted, cells["amount"])
    start = np.where(np.isnan(cells["start"]), base, cells["start"])
    monthly = np.where(np.isnan(cells["monthly"]), 0.0, cells["monthly"])
    sums = np.isfinite(np.where(reserve & blank, 0.0, amount)) & np.isfinite(cells["years"]) & ~np.isinf(start)
    fine = sums & np.isfinite(monthly) & (cells["years"] > 0) & ~(amount < 0) & ~(cells["start"] < 0)
    tests = [~found, ~fine, np.isnan(amount), ~(equity > 0) & ~reserve, ~(mean > -1)]
    reason = np.select(tests, list(REASONS), "")
    good = np.flatnonzero(reason == "")
    probability, expected = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    plan = (start[good], amount[good], cells["years"][good], 12.0 * monthly[good])
    probability[good], expected[good] = missed(*plan, mean[good], volatility[good])
    shown = {"amount": amount, "years": cells["years"], "monthly": monthly, "start": np.where(found, start, np.nan)}
    return pd.DataFrame(
        {
            "client_id": rows["client_id"],
            "goal": rows["goal"],
            **{name: np.where(np.isfinite(x), x, np.nan) for name, x in shown.items()},
            "expected": expected,
            "probability": probability,
            "reason": pd.Series(reason, dtype="str"),
        }
    )


def missed(
    start: FloatArray,
    amount: FloatArray,
    years: FloatArray,
    saving: FloatArray,
    mean: FloatArray,
    volatility: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Probability that lognormal wealth stays below an amount, and what it is expected to be.

    Parameters
    ----------
    start, amount
        Money today and wanted, 0 or more.
    years
        Until then, above 0.
    saving
        Put in each year, in parts at the end of each of ⌈years⌉ equal periods; below 0: taken out. Money that is used
        up stays so.
    mean, volatility
        Yearly, as fractions; mean above −1.

    Returns
    -------
    (probability, expected)
        The second is NaN where money is taken out: what may be used up on the way has no simple mean.
    """
    periods = np.maximum(np.ceil(years - 1e-9), 1.0)
    length = years / periods
    variance = np.log1p((volatility / (1.0 + mean)) ** 2)
    drift, spread = (np.log1p(mean) - variance / 2) * length, np.sqrt(variance * length)
    growth, paid = (1.0 + mean) ** length, saving * length
    annuity = np.where(
        np.abs(growth - 1) < 1e-12, periods, (growth**periods - 1) / np.where(growth == 1, 1, growth - 1)
    )
    expected = start * growth**periods + paid * annuity
    out = np.empty(len(start))
    plain = (np.abs(paid) * periods <= NEGLIGIBLE * (start + amount)) | (periods == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (np.log(np.maximum(amount - paid, 0.0) / start) - drift * periods) / (spread * np.sqrt(periods))
    out[plain] = _below(z)[plain]
    rest = np.flatnonzero(~plain & (spread > STILL))
    for count in np.unique(periods[rest]):
        some = rest[periods[rest] == count]
        out[some] = _by_turns(int(count), *(x[some] for x in (start, amount, paid, drift, spread)))
    sure = (spread <= STILL) | (plain & (start <= 0))
    below = (expected < amount * (1 - 1e-12)) | ((paid < 0) & (expected <= 0))
    return np.where(sure, below.astype("float64"), out), np.where(paid < 0, np.nan, expected)


def _by_turns(
    count: int, start: FloatArray, amount: FloatArray, paid: FloatArray, drift: FloatArray, spread: FloatArray
) -> FloatArray:
    """Backward from the date: the probability of missing, as a function of the money after each saving.

    It is kept as a normal quantile, which is nearly a straight line in the logarithm of the money.
    """
    spans = _spans(count, start, paid, drift, spread)
    rough = max(float(np.max(width / spread)) for _, width in spans)
    grid = np.linspace(-1.0, 1.0, int(np.clip(3.0 * rough, FEWEST, MOST)))
    step = np.exp(drift[:, None] + spread[:, None] * ABSCISSAE)
    with np.errstate(divide="ignore"):
        short = np.log(np.maximum(amount - paid, 0.0))[:, None]
    centre, width = spans[count - 1]
    # nothing but one more year stands between the last saving but one and the date
    kept = np.clip((short - _logs(grid, centre, width) - drift[:, None]) / spread[:, None], -FAR, FAR)
    for k in range(count - 2, 0, -1):
        money, chance = np.exp(_logs(grid, *spans[k])), 0.0
        for j, weight in enumerate(WEIGHTS / WEIGHTS.sum()):
            chance = chance + weight * _at(money * step[:, [j]] + paid[:, None], kept, *spans[k + 1])
        kept = np.clip(_quantile(np.asarray(chance)), -FAR, FAR)
    first = start[:, None] * step + paid[:, None]
    return np.asarray(_at(first, kept, *spans[1]) @ (WEIGHTS / WEIGHTS.sum()))


def _spans(
    count: int, start: FloatArray, paid: FloatArray, drift: FloatArray, spread: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """Centre and half width, in logarithms, of the money that matters after each saving.

    Money that is added to stays around the path without surprises. Money that is taken from can be anything from what
    the next withdrawal uses up to what it would be without withdrawals.
    """
    tiny = np.finfo(float).tiny
    path, out, taken = start, [], np.zeros(len(start))
    for k in range(count):
        reach = FAR * spread * max(math.sqrt(k), 1.0)
        free = np.log(np.maximum(start, tiny)) + drift * k
        used = np.log(np.maximum(-paid, tiny)) - drift - FAR * spread
        # what is left at the least where all that is taken would have grown at the best
        least = np.log(np.maximum(np.exp(free - reach) + paid * taken, tiny))
        alone = np.log(np.maximum(path, tiny))
        low = np.where(paid > 0, alone - reach, np.minimum(np.maximum(used, least), free))
        high = np.where(paid > 0, alone + reach, free + reach)
        out.append(((low + high) / 2, (high - low) / 2))
        path = np.maximum(path * np.exp(drift) + paid, 0.0)
        taken = taken + np.exp(drift * k + FAR * spread * math.sqrt(k))
    return out


def _logs(grid: FloatArray, centre: FloatArray, width: FloatArray) -> FloatArray:
    return np.asarray(centre[:, None] + width[:, None] * grid)


def _at(money: FloatArray, kept: FloatArray, centre: FloatArray, width: FloatArray) -> FloatArray:
    """Probability at amounts of money between the points of the grid (goals × anything); 1 where it is used up."""
    gone, most = money <= 0, kept.shape[1] - 1
    x = (np.log(np.where(gone, 1.0, money)) - centre[:, None]) / width[:, None]
    place = np.clip((x + 1.0) / 2.0 * most, 0.0, most)
    low = np.clip(place.astype("intp"), 1, most - 2)
    t = place - low
    row = np.arange(len(kept))[:, None]
    a, b, c, d = (kept[row, low + j] for j in (-1, 0, 1, 2))
    # the cubic through four points of the grid
    z = b + t * (c - a / 3 - b / 2 - d / 6 + t * ((a + c) / 2 - b + t * ((d - a) / 6 + (b - c) / 2)))
    return np.where(gone, 1.0, _below(z))


def _below(z: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(ndtr(z), dtype="float64")


def _quantile(chance: FloatArray) -> FloatArray:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(chance, 0.0, 1.0)), dtype="float64")


def _of_reserve(analysis: Analysis, table: RiskTable) -> tuple[FloatArray, FloatArray]:
    """Mean and volatility of each client's liquid reserve; 0 where there is none."""
    p, f = analysis.positions, analysis.framework
    kept = np.append(f.flag("reserve"), 0.0)[p.klass] * p.tradable
    found = moves(replace(p, value=p.value * kept), table, f.flag("inside"))
    liquid = analysis.exposures.liquid
    return np.nan_to_num(ratio(found.money @ table.mean, liquid)), np.nan_to_num(ratio(found.sigma, liquid))


def _default(analysis: Analysis) -> pd.DataFrame:
    ids = analysis.positions.clients["client_id"].reset_index(drop=True)
    return pd.DataFrame({"client_id": ids}).assign(goal=RESERVE, amount=np.nan, years=1.0, monthly=0.0, start=np.nan)


def _read(goals: pd.DataFrame) -> pd.DataFrame:
    """Columns as they should be; what is no number becomes infinite and is refused row by row."""
    missing = [c for c in NEEDED if c not in goals.columns]
    other = [str(c) for c in goals.columns if c not in (*NEEDED, *OPTIONAL)]
    if missing or other:
        told = [f"the column {c} is missing" for c in missing] + [f"the column {c} is not known" for c in other]
        raise InputError(f"goals: {'; '.join(told)}; needed: {', '.join(NEEDED)}; optional: {', '.join(OPTIONAL)}")
    texts = {c: goals[c].astype("str").reset_index(drop=True) for c in ("client_id", "goal")}
    return pd.DataFrame(texts | {c: _numbers(goals, c) for c in ("amount", "years", *OPTIONAL)})


def _numbers(goals: pd.DataFrame, column: str) -> AnyArray:
    if column not in goals.columns:
        return np.full(len(goals), np.nan)
    read = pd.to_numeric(goals[column], errors="coerce").to_numpy("float64", na_value=np.nan)
    blank = goals[column].isna() | (goals[column].astype("str").str.strip() == "")
    return np.where(np.isnan(read) & ~blank.to_numpy(bool), np.inf, read)
