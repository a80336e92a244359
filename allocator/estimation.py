"""A price history of one's own: means, volatilities and correlations, and assumptions made of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from allocator.assumptions import Assumptions, load_assumptions
from allocator.errors import ConfigError, InputError
from allocator.price_history import day_of, periods_of, read_returns
from allocator.psd import Repair, nearest_correlation
from allocator.replacement import Figures, replaced
from allocator.shown import Shown
from allocator.shrinkage import correlation_of, first_autocorrelation, ledoit_wolf, unsmooth
from allocator.typing import FloatArray

LEAST: Final = 10
"""Returns that all assets must have in common."""
MOVED: Final = 0.05
"""A volatility that the shrinkage moves by more than this part of it is pointed out."""
FEW_YEARS: Final = 10.0
"""A mean from fewer years is pointed out: its standard error is a third of the volatility or more."""
SHRINK: Final = ("covariance", "correlation", "none")
MISSING: Final = ("complete", "pairwise")


class Note(NamedTuple):
    """Something that was done to the data: a key of the ``estimate`` section of the words, and its figures."""

    code: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Estimate(Shown):
    """Result of `allocator.estimate`. Everything is yearly and a fraction.

    Attributes
    ----------
    table
        One row per asset: ``observations`` used, ``first`` and ``last`` of them, ``mean`` and its ``standard_error``
        (volatility before shrinkage over the root of the years), first ``autocorrelation`` of the series as given, and
        the volatility three times: ``volatility_given``, ``volatility_sample`` (the same unless the series was
        unsmoothed), and ``volatility`` after shrinkage, which is that of ``covariance``.
    covariance
        Assets × assets, positive semidefinite.
    shrinkage
        Weight of the target, 0 to 1; see `shrinkage.ledoit_wolf`.
    periods_per_year, years
        Of the returns; the years are those of the longest history.
    repair
        What it took to make correlations of unequal histories hold together; None where every row was complete.
    notes
        Everything that was done to the data, in order.
    """

    table: pd.DataFrame
    covariance: pd.DataFrame
    shrinkage: float
    periods_per_year: float
    years: float
    repair: Repair | None
    notes: tuple[Note, ...]

    @property
    def assets(self) -> list[str]:
        """Names of the assets, in order."""
        return [str(a) for a in self.table["asset"]]

    @property
    def mean(self) -> pd.Series:
        """Expected return, by asset."""
        return self.table.set_index("asset")["mean"]

    @property
    def volatility(self) -> pd.Series:
        """Volatility after shrinkage, by asset."""
        return self.table.set_index("asset")["volatility"]

    @property
    def correlation(self) -> pd.DataFrame:
        """Assets × assets; 0 with an asset that does not move."""
        r = correlation_of(self.covariance.to_numpy())
        return pd.DataFrame(r, index=self.covariance.index, columns=self.covariance.columns)

    def assumptions(
        self, base: str | os.PathLike[str] | Assumptions = "long_run", *, means: bool = True
    ) -> Assumptions:
        """Put these figures in the place of what a base says on the same classes.

        Each asset is a class of the base, by its code, or ``factor:NAME``, a factor of it: then every class that loads
        on the factor follows. A class gets a factor of its own, with the estimated mean and volatility, and keeps the
        idiosyncratic volatility that a single holding adds. The volatilities are those before shrinkage: to draw shares
        and bills toward each other would make shares look safer than they were. Correlations are shrunk. All other
        classes keep their loadings, means and idiosyncratic parts, all other factors their means and volatilities;
        factors that nothing loads on are dropped.

        How the new factors go with the old ones, no history says. As in selection after Pearson and Lawley (1943), the
        regression of the old factors on the replaced classes stays what it is in the base, with its residuals; only the
        correlations of the replaced classes become the estimated ones. So a factor that *was* a replaced class still is
        (listed shares and share funds rise and fall together), one that had nothing to do with them has not, and the
        whole always holds together. Old factors tied to replaced classes take over the correlations between them; the
        largest such change is said in ``correlation.source``.

        Parameters
        ----------
        base
            Preset name, path or assumptions.
        means
            False keeps the expected returns of the base: a few years tell a volatility, hardly ever a mean.

        Returns
        -------
        Assumptions
            For ``allocator.analyze(book, assumptions=...)``. ``years``, on which the standard errors of expected
            returns rest, are those of the shortest history, where means are replaced and the base has more.

        Raises
        ------
        ConfigError
            An asset that the base has no class or factor for.
        """
        how = f"estimated from own price histories, {self.periods_per_year:g} returns a year"
        figures = Figures(
            assets=self.assets,
            mean=self.table["mean"].to_numpy("float64") if means else None,
            volatility=self.table["volatility_sample"].to_numpy("float64"),
            correlation=self.correlation.to_numpy(),
            years=float(self.table["observations"].min()) / self.periods_per_year,
            sources=[
                f"{how}: {r['observations']} from {r['first']} to {r['last']}" for r in self.table.to_dict("records")
            ],
        )
        return replaced(load_assumptions(base), figures)

    def __repr__(self) -> str:
        rows = [
            f"  {r['asset']}: mean {r['mean']:.1%} ± {r['standard_error']:.1%}, volatility {r['volatility_sample']:.1%}"
            for r in self.table.to_dict("records")
        ]
        head = (
            f"Estimate from {self.years:.1f} years, {self.periods_per_year:g} returns a year, shrinkage "
            f"{self.shrinkage:.1%}; {len(self.notes)} notes"
        )
        return "\n".join([head, *rows, "  tables: table, covariance, correlation; assumptions() for al.analyze"])


def estimate(
    prices: pd.DataFrame,
    *,
    returns: bool = False,
    periods_per_year: float | None = None,
    appraised: Sequence[str] = (),
    missing: str = "complete",
    shrink: str = "covariance",
) -> Estimate:
    """Estimate means, volatilities and correlations from price histories.

    Parameters
    ----------
    prices
        Dates × assets, above 0. Name the columns by asset class codes (or ``factor:NAME``) to make assumptions of them.
        Two prices with a missing one between them give no return: nothing is filled in.
    returns
        The table holds simple returns, as fractions.
    periods_per_year
        Returns a year; default from the dates of the index.
    appraised
        Columns that are valued by appraisal: they are unsmoothed first, see `shrinkage.unsmooth`.
    missing
        ``complete`` uses the rows that every asset has a return in. ``pairwise`` uses all there is: means and
        volatilities from each asset's own returns, correlations from those that two have in common, repaired where they
        cannot hold together, with the shrinkage that the complete rows tell.
    shrink
        ``covariance`` is Ledoit and Wolf (2004) as it stands: toward equal variances and no correlation. Where
        volatilities differ much (bills beside shares) it moves the small ones up and the large ones down, and the notes
        say so; ``correlation`` shrinks the correlations alone, ``none`` nothing.

    Returns
    -------
    Estimate
        Means and covariances per period times the periods of a year; variances are divided by the number of returns.

    Raises
    ------
    InputError
        Too few returns, prices that are not above 0, what looks like percent, gaps in an appraised series; the message
        names the column.
    ConfigError
        An argument outside its allowed values, dates that tell no frequency.
    """
    _allowed("missing", missing, MISSING)
    _allowed("shrink", shrink, SHRINK)
    given = read_returns(prices, returns=returns)
    per_year = periods_of(given.index) if periods_per_year is None else float(periods_per_year)
    if not 0 < per_year < np.inf:
        raise ConfigError("periods_per_year must be above 0")
    x, smooth = _unsmoothed(given, appraised)
    complete = x.dropna()
    _enough(x, complete)
    repair, dropped = None, list[Note]()
    if missing == "pairwise":
        sample, repair = _pairwise(x)
    else:
        dropped = _dropped(x, complete)
        x = complete
        sample = np.cov(x.to_numpy().T, ddof=0).reshape(x.shape[1], x.shape[1])
    covariance, weight = _shrunk(sample, complete.to_numpy(), shrink)
    table = _facts(given.loc[x.index], x, sample, per_year)
    table["autocorrelation"] = smooth.to_numpy()
    table["volatility"] = np.sqrt(np.diag(covariance) * per_year)
    notes = [
        *_smoothing(table, appraised),
        *dropped,
        *_repaired(repair, list(x.columns)),
        *_moved(table),
        *_short(table, per_year),
    ]
    return Estimate(
        table=table,
        covariance=pd.DataFrame(covariance * per_year, index=x.columns, columns=x.columns),
        shrinkage=weight,
        periods_per_year=per_year,
        years=float(table["observations"].max()) / per_year,
        repair=repair,
        notes=tuple(notes),
    )


def _allowed(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} must be one of: {', '.join(allowed)}")


def _unsmoothed(given: pd.DataFrame, appraised: Sequence[str]) -> tuple[pd.DataFrame, pd.Series]:
    """The returns with every appraised column unsmoothed, and the first autocorrelation of each as given."""
    x = given.copy()
    for name in appraised:
        if name not in given:
            raise ConfigError(f"appraised: no column '{name}'; the columns are: {', '.join(given.columns)}")
        x[name] = unsmooth(given[name])
    smooth = pd.Series({c: first_autocorrelation(given[c].dropna().to_numpy()) for c in given}, dtype="float64")
    # the first period of an unsmoothed series has none before it: that is no gap in the data
    return x.loc[x.notna().any(axis=1) & ~(x.isna() & given.notna()).any(axis=1)], smooth


def _smoothing(table: pd.DataFrame, appraised: Sequence[str]) -> list[Note]:
    notes = []
    for r in table[table["asset"].isin(list(appraised))].to_dict("records"):
        told = {"asset": r["asset"], "autocorrelation": float(r["autocorrelation"])}
        if r["autocorrelation"] > 0:
            told |= {"before": float(r["volatility_given"]), "after": float(r["volatility_sample"])}
        notes.append(Note("unsmoothed" if r["autocorrelation"] > 0 else "not_smoothed", told))
    return notes


def _enough(x: pd.DataFrame, complete: pd.DataFrame) -> None:
    if len(complete) < LEAST:
        raise InputError(
            f"only {len(complete)} periods have a return of every asset, {LEAST} are needed at least; give more "
            f"history, or leave out '{x.notna().sum().idxmin()}'"
        )


def _dropped(x: pd.DataFrame, complete: pd.DataFrame) -> list[Note]:
    rows = len(x) - len(complete)
    told = {"rows": rows, "used": len(complete), "asset": str(x.notna().sum().idxmin())}
    return [Note("dropped", told)] if rows else []


def _pairwise(x: pd.DataFrame) -> tuple[FloatArray, Repair]:
    """Covariance of unequal histories: own volatilities, correlations of what two have in common."""
    values = x.to_numpy()
    known = np.isfinite(values)
    spread = x.std(ddof=0).to_numpy()
    r = np.eye(x.shape[1])
    for i in range(len(r)):
        for j in range(i):
            pair = values[known[:, i] & known[:, j]][:, [i, j]]
            r[i, j] = r[j, i] = correlation_of(np.cov(pair.T, ddof=0))[0, 1]
    repair = nearest_correlation(r)
    return repair.matrix * np.outer(spread, spread), repair


def _shrunk(sample: FloatArray, complete: FloatArray, shrink: str) -> tuple[FloatArray, float]:
    if shrink == "none":
        return sample, 0.0
    if shrink == "covariance":
        _, weight = ledoit_wolf(complete)
        return (1 - weight) * sample + weight * np.trace(sample) / len(sample) * np.eye(len(sample)), weight
    spread = complete.std(axis=0)
    moving = spread > 0
    weight = ledoit_wolf(complete[:, moving] / spread[moving])[1] if moving.any() else 0.0
    out: FloatArray = (1 - weight) * sample
    np.fill_diagonal(out, np.diag(sample))
    return out, weight


def _facts(given: pd.DataFrame, x: pd.DataFrame, sample: FloatArray, per_year: float) -> pd.DataFrame:
    """What each series is, before anything was shrunk."""
    count, root = x.notna().sum(), np.sqrt(per_year)
    spread = np.sqrt(np.diag(sample) * per_year)
    return pd.DataFrame(
        {
            "asset": list(x.columns),
            "observations": count.to_numpy(),
            "first": [day_of(x[c].first_valid_index()) for c in x],
            "last": [day_of(x[c].last_valid_index()) for c in x],
            "mean": x.mean().to_numpy() * per_year,
            "standard_error": spread / np.sqrt(count.to_numpy() / per_year),
            "autocorrelation": np.nan,
            "volatility_given": given.std(ddof=0).to_numpy() * root,
            "volatility_sample": spread,
        }
    )


def _repaired(repair: Repair | None, names: list[str]) -> list[Note]:
    if repair is None or not repair.changed:
        return []
    i, j = repair.pair
    told = {"lowest": repair.lowest_before, "one": names[i], "two": names[j]}
    return [Note("repaired", told | {"before": repair.before, "after": repair.after})]


def _moved(table: pd.DataFrame) -> list[Note]:
    """The volatility that the shrinkage moved most."""
    before, after = (table[c].to_numpy("float64") for c in ("volatility_sample", "volatility"))
    part = np.abs(after - before) / np.where(before > 0, before, 1.0)
    i = int(part.argmax())
    told = {"asset": str(table["asset"].iloc[i]), "before": float(before[i]), "after": float(after[i])}
    return [Note("moved", told)] if part[i] > MOVED else []


def _short(table: pd.DataFrame, per_year: float) -> list[Note]:
    years = float(table["observations"].min()) / per_year
    return [Note("few_years", {"years": years})] if years < FEW_YEARS else []
