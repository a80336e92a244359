"""Measures of the risk of a family's own money: `measure_risk` and its result."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.assumptions import Assumptions, RiskTable, risk_table
from allocator.contributions import Contributions, Moves, contribute, effective_bets, moves
from allocator.errors import ConfigError
from allocator.exposures import ratio
from allocator.goals import measure_goals
from allocator.past_years import Given, PastYears, classes_of, history, load_past
from allocator.real_estate import property_shares
from allocator.scenarios import follow
from allocator.shown import Clients, Part
from allocator.tails import expected_drawdown, normal_tail, student_tail, years_tail
from allocator.typing import AnyArray, FloatArray

LONGEST: Final = 100.0
"""Longest horizon, in years."""


@dataclass(frozen=True)
class RiskMeasures(Clients):
    """Result of `allocator.measure_risk`.

    Read the tables: ``summary`` (a row per client), ``holdings``, ``classes`` and ``buckets`` (where the volatility
    comes from), ``goals`` (how likely each is missed).

    Attributes
    ----------
    analysis
        The book as it is.
    horizon, level
        Of the losses: years, and how sure.
    past
        The years of the past that losses were measured in, or None.
    parts
        Contributions as arrays.
    summary
        One row per client; figures are fractions of the family's own money E, and NaN where E ≤ 0, unless said:

        - ``volatility``, ``expected_return``: yearly, as in ``Analysis.summary``.
        - ``standard_error`` of the expected return: volatility of the common factors over the root of the years that
          the means rest on (``Assumptions.years``). It does not say whether the future will be like these years.
        - ``var_normal``, ``cvar_normal``, ``var_t``, ``cvar_t``, ``var_history``, ``cvar_history``: the loss over the
          horizon that is exceeded with probability 1 − level, and the mean loss beyond it: normal; Student-t with the
          same volatility; and the years of the past, one as likely as the other (NaN where none were given). Below 0
          is a gain even then. Over more or less than a year means grow with time and volatilities with its root. What
          no past series explains (single holdings, private firms) is normal around each past year.
        - ``drawdown``: the largest fall from a peak to a later low to be expected within the horizon, of a Brownian
          motion in today's money.
        - ``hhi_holding``, ``hhi_class``: sums of squared shares of the total; ``effective_holdings``,
          ``effective_classes``: 1 over them; NaN where the total is 0. The cut-offs 0.10 and 0.18 of US merger
          guidelines are an antitrust convention, no limits of a portfolio.
        - ``property_gross``, ``property_net``: all property with the home, see `real_estate.property_shares`.
        - ``bets``: effective number of minimum-torsion bets, see `contributions.effective_bets`.
    goals
        See `goals.measure_goals`.
    """

    analysis: Analysis
    horizon: float
    level: float
    past: PastYears | None
    parts: Contributions
    summary: pd.DataFrame
    goals: pd.DataFrame

    def __len__(self) -> int:
        return len(self.analysis)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.analysis.client_ids

    @cached_property
    def holdings(self) -> pd.DataFrame:
        """Every holding: value, weight (of T), ``marginal`` (more volatility per unit of own money put into it),
        ``contribution`` (its part of the volatility of own money; the parts of a client sum to it) and ``risk_share``
        (the same as a fraction of it). NaN where E ≤ 0; shares and margins NaN where nothing moves.
        """  # noqa: D205
        a, p = self.analysis, self.analysis.positions
        labels = p.holdings[["client_id", "asset_id", "name", "asset_class", "bucket"]]
        whole = self.summary["volatility"].to_numpy("float64")[p.client]
        return labels.assign(
            value=p.value,
            weight=a.exposures.weight,
            marginal=self.parts.marginal,
            contribution=self.parts.holding,
            risk_share=ratio(self.parts.holding, whole),
        )

    @cached_property
    def classes(self) -> pd.DataFrame:
        """Clients × asset classes they have, funds looked through: value, weight, contribution, risk_share."""
        f = self.analysis.framework
        money = self.analysis.exposures.classes * f.flag("inside")
        rows, columns = np.nonzero((money != 0) | (np.nan_to_num(self.parts.classes) != 0))
        buckets = pd.array([c.bucket for c in f.classes.values()], dtype="str").take(columns)
        return self._long(("asset_class", f.class_codes), money, self.parts.classes, (rows, columns)).assign(
            bucket=buckets
        )[["client_id", "asset_class", "bucket", "value", "weight", "contribution", "risk_share"]]

    @cached_property
    def buckets(self) -> pd.DataFrame:
        """Clients × buckets, funds looked through: value, weight, contribution, risk_share."""
        f = self.analysis.framework
        money, parts = self.analysis.exposures.classes @ f.in_bucket, self.parts.classes @ f.in_bucket
        rows, columns = np.nonzero(np.ones(money.shape, dtype=bool))
        return self._long(("bucket", f.bucket_codes), money, parts, (rows, columns))

    def part(self, client_id: str) -> Part:
        """The tables of one client, by name.

        Raises
        ------
        InputError
            No such client in this result.
        """
        self.analysis.index(client_id)
        return Part(self, client_id, ("summary", "holdings", "classes", "buckets", "goals"))

    def __repr__(self) -> str:
        s, g = self.summary, self.goals
        middle = s[["volatility", "cvar_t", "drawdown", "bets"]].median()
        return (
            f"Risk of {len(self):,} clients over {self.horizon:g} years at {self.level:.0%}\n"
            f"  medians, of own money: volatility {middle['volatility']:.1%}, CVaR (t) {middle['cvar_t']:.1%}, "
            f"expected drawdown {middle['drawdown']:.1%}, bets {middle['bets']:.1f}\n"
            f"  goals {len(g):,}, judged {int(g['probability'].notna().sum()):,}\n"
            "  tables: summary, holdings, classes, buckets, goals"
        )

    def _long(
        self, label: tuple[str, list[str]], money: FloatArray, parts: FloatArray, where: tuple[AnyArray, AnyArray]
    ) -> pd.DataFrame:
        name, codes = label
        rows, columns = where
        whole = self.summary["volatility"].to_numpy("float64")
        what = pd.Categorical.from_codes(columns.tolist(), categories=pd.Index(codes))
        return pd.DataFrame(
            {
                "client_id": self.summary["client_id"].take(rows).reset_index(drop=True),
                name: what,
                "value": money[where],
                "weight": ratio(money[where], self.analysis.exposures.total[rows]),
                "contribution": parts[where],
                "risk_share": ratio(parts[where], whole[rows]),
            }
        )


def measure_risk(
    analysis: Analysis,
    *,
    horizon: float = 1.0,
    level: float = 0.95,
    goals: pd.DataFrame | None = None,
    past: Given | None = None,
) -> RiskMeasures:
    """Measure the risk of every family's own money.

    Parameters
    ----------
    analysis
        From `allocator.analyze`. It is not changed.
    horizon
        Years that losses are measured over, above 0.
    level
        How sure: losses are those exceeded with probability 1 − level; from 0.5 on and below 1.
    goals
        Sums wanted by a date, see `goals.measure_goals`; default: for every client the reserve after a year.
    past
        Yearly returns of one's own: a DataFrame of years × class codes, or a TOML file, see `past_years.load_past`.
        None come with the package, and without them ``var_history`` and ``cvar_history`` are NaN. Such a series can be
        had from Damodaran, "Historical Returns on Stocks, Bonds and Bills" (file histretSP), NYU Stern: US shares,
        bonds, house prices and gold since 1928; houses are smoothed there, see `allocator.unsmooth`.

    Returns
    -------
    RiskMeasures
        For every client, also who has nothing or is insolvent (NaN).

    Raises
    ------
    ConfigError
        A horizon or level outside what is allowed, or years of the past that cannot be used.
    InputError
        The table of goals lacks a column or has one that is not known.
    """
    if not 0 < horizon <= LONGEST:
        raise ConfigError(f"horizon must be a number of years above 0 and at most {LONGEST:g}")
    if not 0.5 <= level < 1:
        raise ConfigError("level must be at least 0.5 and below 1, such as 0.95; it is a fraction, not percent")
    p, e, f = analysis.positions, analysis.exposures, analysis.framework
    table = risk_table(f, analysis.assumptions)
    found = moves(p, table, f.flag("inside"))
    years = None if past is None else load_past(past)
    returns = None if years is None else _past(analysis, found, table, years, horizon)
    return RiskMeasures(
        analysis=analysis,
        horizon=float(horizon),
        level=float(level),
        past=years,
        parts=contribute(p, e, found, f, table),
        summary=_summary(analysis, found, returns, horizon, level),
        goals=measure_goals(analysis, table, goals),
    )


def _summary(
    analysis: Analysis, found: Moves, past: tuple[FloatArray, FloatArray] | None, horizon: float, level: float
) -> pd.DataFrame:
    p, e, c, assumed = analysis.positions, analysis.exposures, analysis.concentration, analysis.assumptions
    equity = np.where(e.equity > 0, e.equity, np.nan)
    mean, volatility = analysis.risk.expected_return, analysis.risk.volatility
    over, spread = mean * horizon, volatility * math.sqrt(horizon)
    common = np.sqrt((found.systematic**2).sum(axis=1)) / equity
    normal, student = normal_tail(over, spread, level), student_tail(over, spread, level, assumed.tails.degrees)
    unknown = np.full(len(p), np.nan)
    gross, net = property_shares(p, e, analysis.framework)
    lost = (unknown, unknown) if past is None else years_tail(*past, level)
    return pd.DataFrame(
        {
            "client_id": p.clients["client_id"],
            "currency": p.clients["currency"],
            "equity": e.equity,
            "volatility": volatility,
            "expected_return": mean,
            "standard_error": common / math.sqrt(assumed.years),
            "var_normal": normal[0],
            "cvar_normal": normal[1],
            "var_t": student[0],
            "cvar_t": student[1],
            "var_history": lost[0],
            "cvar_history": lost[1],
            "drawdown": expected_drawdown(mean, volatility, horizon),
            "hhi_holding": c.hhi_holding,
            "hhi_class": c.hhi_class,
            "effective_holdings": ratio(np.ones(len(p)), c.hhi_holding),
            "effective_classes": ratio(np.ones(len(p)), c.hhi_class),
            "property_gross": gross,
            "property_net": net,
            "bets": np.where(e.equity > 0, effective_bets(found, analysis.framework, assumed), np.nan),
        }
    )


def _past(
    analysis: Analysis, found: Moves, table: RiskTable, past: PastYears, horizon: float
) -> tuple[FloatArray, FloatArray]:
    """Return on own money in each past year, and the volatility of what no series of the past explains."""
    e, f, assumed = analysis.exposures, analysis.framework, analysis.assumptions
    equity = np.where(e.equity > 0, e.equity, np.nan)
    kinds = [c.assumption or code for code, c in f.classes.items()]
    named = list(classes_of(f, assumed, past).values())
    # of each class, what is left of its loadings when those of the classes with a series are taken out
    left = table.loadings - follow(assumed, named, kinds).T @ _loadings(assumed, named)
    left[[k in named for k in kinds]] = 0.0
    specific = np.bincount(found.whose, weights=found.by_asset**2, minlength=len(equity))
    own = np.sqrt(((found.money @ left) ** 2).sum(axis=1) + specific) / equity
    years = history(f, assumed, past).to_numpy("float64")
    years = horizon * years.mean(axis=0) + math.sqrt(horizon) * (years - years.mean(axis=0))
    returns = (found.money / equity[:, None]) @ years.T
    returns -= (horizon * table.borrowing_rate * e.debt / equity)[:, None]
    return returns, math.sqrt(horizon) * own


def _loadings(assumed: Assumptions, named: list[str]) -> FloatArray:
    """Loadings of classes of the assumptions, in the factors of a `RiskTable`."""
    values, vectors = np.linalg.eigh(np.array(assumed.correlation.rows))
    volatility = np.array([x.volatility for x in assumed.factors.values()])
    root = volatility[:, None] * (vectors * np.sqrt(np.clip(values, 0.0, None)))
    rows = [[assumed.classes[n].loadings.get(x, 0.0) for x in assumed.factors] for n in named]
    return np.asarray(np.array(rows).reshape(len(named), len(root)) @ root)
