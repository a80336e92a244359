"""The family behind the portfolio: whether it lives on if the firm fails, or the breadwinner does not come home.

The own home is shown and helps net worth, but is no part of the buckets and pays no bills here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from allocator.analysis import Analysis
from allocator.config import build, load_tree, merge
from allocator.exposures import ratio
from allocator.firewall import STATUSES, WAYS, fail, judge
from allocator.framework import OWN_USE, Words
from allocator.measure_limits import labels
from allocator.positions import FAMILY
from allocator.shown import Clients, Part
from allocator.typing import BoolArray, FloatArray

SOURCES: Final = {
    "survive_months": "survive_source",
    "support_years": "support_source",
    "support_share": "support_share_source",
    "adults_from_age": "adults_source",
}
"""Where each number that a caller may change has its source."""
OWN_WORDS: Final = "given by the caller"
TABLES: Final = ("reserve", "firewall", "protection", "industry", "names")


class Needs(Words):
    """What a household is judged by. Build it with `load_needs`."""

    schema_: Literal["allocator-household/1"] = Field(alias="schema")
    name: str
    survive_months: Annotated[float, Field(ge=0)]
    survive_source: str
    support_years: Annotated[float, Field(ge=0)]
    support_source: str
    support_share: Annotated[float, Field(ge=0, le=1)]
    support_share_source: str
    adults_from_age: Annotated[float, Field(ge=0)]
    adults_source: str
    education: dict[str, float | str]


def load_needs(source: str | os.PathLike[str] | Needs = "standard", **changes: Any) -> Needs:
    """Load what households are judged by: a preset, a TOML file (which may extend one), or needs as they are.

    Parameters
    ----------
    source
        What to load.
    **changes
        Single numbers to change, such as ``support_years=15`` or ``education={"CNY": 1e6}``.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Needs) and not changes:
        return source
    if isinstance(source, Needs):
        tree, origin = source.model_dump(by_alias=True), source.name
    else:
        tree, origin = load_tree(source, "household")
    told = {SOURCES[k]: OWN_WORDS for k in changes if k in SOURCES}
    return build(Needs, merge(tree, told | changes), origin)


@dataclass(frozen=True)
class Household(Clients):
    """Result of `allocator.household`; money in each client's currency.

    Attributes
    ----------
    analysis, needs
        What it was made of.
    reserve
        One row per client: ``liquid`` reserve, monthly ``need`` (living and debt service), ``months`` that it lasts
        (infinite where nothing is needed, NaN where the spending is unknown), months ``needed``, and the money
        ``short``.
    firewall
        One row per client: what the own ``company`` is worth in all forms and ``guarantees``; the business fails, the
        first goes to 0 and the second are called: ``paid_pledged``, ``paid_liquid`` (what sells within days),
        ``paid_rest``, and ``owed`` (what nothing can pay, a debt from then on); what is left: ``total`` of the buckets,
        ``debt`` (own use included), ``equity`` (own money in the buckets), ``home`` (assets of own use), ``net_worth``
        (with the home and its debts), ``liquid`` (the reserve), ``months`` of living that it lasts, ``months_selling``
        (with shares, bonds and funds sold as well), and the ``status`` (see `firewall.STATUSES`).
        How guarantees are paid, and why so: `firewall.fail`.
    protection
        One row per client, if the breadwinner dies and all income stops: ``debts`` (all), ``support`` of dependants,
        ``education``, ``liquid`` assets (what sells within days, in any bucket, the own company's paper left out),
        ``cover_needed`` (needs less liquid assets: the sum to insure), ``insurance_cover``, and the ``gap`` (the first
        less the second; below 0 is a surplus). Beside it, with the breadwinner alive and at work: ``income``, and
        ``gap_with_income``: what living and debt payments beyond the income, and education, need in the same years
        beyond liquid assets; debts run on, and no insurance pays. ``unknown`` names the inputs that are missing: what
        depends on them is NaN.
    industry
        One row per client and industry of the own company: ``own`` money in it, ``other`` holdings of the same
        industry, ``share`` of both together in the total, and how many ``others`` there are. An own company whose
        industry is not known has a row with an empty ``industry`` and NaN.
    names
        The holdings behind it: ``client_id, industry, asset_id, name, own, value, share``.
    """

    analysis: Analysis
    needs: Needs
    reserve: pd.DataFrame
    firewall: pd.DataFrame
    protection: pd.DataFrame
    industry: pd.DataFrame
    names: pd.DataFrame

    def __len__(self) -> int:
        return len(self.firewall)

    @property
    def client_ids(self) -> list[str]:
        """Clients in the order of the book."""
        return self.analysis.client_ids

    @cached_property
    def by_band(self) -> pd.DataFrame:
        """How many clients of each risk band have which status; those without a band last, where there are any."""
        bands, band = self.analysis.framework.band_codes, self.analysis.positions.clients["band"]
        counts = pd.crosstab(band, self.firewall["status"]).reindex(columns=list(STATUSES), fill_value=0)
        rows = [*bands, *([""] if (band == "").any() else [])]
        return counts.reindex(rows, fill_value=0).rename_axis("band", axis=0).rename_axis(None, axis=1).reset_index()

    def part(self, client_id: str) -> Part:
        """The tables of one client, by name.

        Raises
        ------
        InputError
            No such client in this result.
        """
        self.analysis.index(client_id)
        return Part(self, client_id, TABLES)

    def __repr__(self) -> str:
        counts = self.firewall["status"].value_counts()
        told = ", ".join(f"{s} {counts[s]:,}" for s in STATUSES if s in counts)
        gaps = int((self.protection["gap"] > 0).sum())
        return (
            f"Household of {len(self):,} clients\n  firewall test: {told}\n  protection gap: {gaps:,} clients\n"
            f"  tables: {', '.join(TABLES)}, by_band"
        )


def household(analysis: Analysis, *, needs: str | os.PathLike[str] | Needs = "standard", **changes: Any) -> Household:
    """Test every family: reserve, firewall between family and firm, protection gap, one industry twice.

    Parameters
    ----------
    analysis
        From `allocator.analyze`. It is not changed.
    needs
        Preset, TOML file, or needs: months that must be left, years of support, education.
    **changes
        Single numbers of them to change, such as ``survive_months=6`` or ``support_years=15``.

    Returns
    -------
    Household

    Raises
    ------
    ConfigError
        A wrong file or an unknown number; the message names what is allowed.

    Notes
    -----
    What is unknown is said, never taken for 0. Living, debts and liquid assets are those of today: interest and
    inflation are taken to cancel.
    """
    wanted = load_needs(needs, **changes)
    e, p = analysis.exposures, analysis.positions
    ids = pd.DataFrame({"client_id": analysis.client_ids}, dtype="str")
    needed = np.where(p.owner, analysis.framework.reserve.months_owner, analysis.framework.reserve.months)
    short = np.maximum(needed * e.need - e.liquid, 0.0)  # NaN stays NaN
    reserve = ids.assign(liquid=e.liquid, need=e.need, months=e.months, needed=needed, short=short)
    industry, names = _industry(analysis)
    return Household(
        analysis,
        wanted,
        reserve,
        ids.assign(**_firewall(analysis, wanted)),
        ids.assign(**_protection(analysis, wanted)),
        industry,
        names,
    )


def _firewall(a: Analysis, needs: Needs) -> dict[str, Any]:
    fallen, need = fail(a), a.exposures.need
    months, status = judge(a, fallen, needs.survive_months)
    return {
        "company": fallen.company,
        "guarantees": a.positions.guarantees,
        **{f"paid_{way}": fallen.paid[:, j] for j, way in enumerate(WAYS)},
        **{k: getattr(fallen, k) for k in ("owed", "total", "debt", "equity", "home", "net_worth", "liquid")},
        "months": months,
        "months_selling": np.where(need == 0, np.inf, ratio(fallen.quick, need)),
        "status": pd.array(status, dtype="str"),
    }


def _protection(a: Analysis, needs: Needs) -> dict[str, Any]:
    p, f = a.positions, a.framework
    unknown = pd.Series(np.nan, index=p.clients.index)
    family: dict[str, FloatArray] = {
        c: np.asarray(p.clients.get(c, unknown), dtype="float64")
        for c in FAMILY  # positions built by hand may lack them
    }
    dependants, income, cover = (family[c] for c in ("dependants", "income", "insurance_cover"))
    sells = [c.liquidity in ("cash", "liquid") and c.bucket != OWN_USE for c in f.classes.values()]
    liquid = p.per_client(p.value * (np.append(sells, False).astype(bool)[p.klass] & p.tradable & ~p.own))
    debts, alone = p.debt + p.debt_own_use, dependants == 0
    years, living = needs.support_years, p.spending * 12
    support = _unless(alone, living * years * needs.support_share, dependants)
    uncovered = _unless(alone, np.maximum(living + p.debt_service - income, 0.0) * years, dependants)
    costs = {k: v for k, v in needs.education.items() if not isinstance(v, str)}
    each = p.clients["currency"].map(costs).to_numpy("float64", na_value=np.nan)
    grown = alone | (family["age"] >= needs.adults_from_age)  # false where the age is unknown
    education = _unless(grown, dependants * each, dependants)
    needed = debts + support + education - liquid
    missing = {
        "dependants": np.isnan(dependants),
        "insurance_cover": np.isnan(cover),
        "monthly_spending": ~alone & np.isnan(p.spending),
        "education": ~grown & np.isnan(each),
        "income": ~alone & np.isnan(income),
    }
    return {
        "debts": debts,
        "support": support,
        "education": education,
        "liquid": liquid,
        "cover_needed": np.maximum(needed, 0.0),
        "insurance_cover": cover,
        "gap": needed - cover,
        "income": income,
        "gap_with_income": uncovered + education - liquid,
        "unknown": _listed(missing),
    }


def _unless(nothing: BoolArray, amount: FloatArray, known: FloatArray) -> FloatArray:
    """0 where nothing is needed, NaN where ``known`` is, else the amount."""
    return np.asarray(np.where(nothing & ~np.isnan(known), 0.0, np.where(np.isnan(known), np.nan, amount)))


def _listed(missing: dict[str, BoolArray]) -> Any:
    """What is missing for each client, as text: names joined by a comma."""
    codes = sum(flag.astype("int64") << k for k, flag in enumerate(missing.values()))
    words = [", ".join(name for k, name in enumerate(missing) if c >> k & 1) for c in range(1 << len(missing))]
    return pd.array(words, dtype="str").take(np.asarray(codes, dtype="intp"))


def _industry(a: Analysis) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Industries of own companies with what else the family has in them, and the holdings behind both."""
    p, e = a.positions, a.exposures
    code, count = labels("sector", p, a.framework)
    unknown = (code < 0) & p.own  # of no other holding can be said that it is of the same industry
    code = np.where(unknown, count, code)
    key = p.client.astype("int64") * (count + 1) + code
    there = (code >= 0) & (e.inside > 0)
    mine = np.unique(key[there & p.own])
    at = np.flatnonzero(there & np.isin(key, mine))
    place, blank = np.searchsorted(mine, key[at]), mine % (count + 1) == count
    own, other, others = (
        np.bincount(place, weights=w, minlength=len(mine)).astype("float64")
        for w in (e.inside[at] * p.own[at], e.inside[at] * ~p.own[at], ~p.own[at] * 1.0)
    )
    who = (mine // (count + 1)).astype("intp")
    first = at[np.unique(place, return_index=True)[1]]
    ids = pd.Series(a.client_ids, dtype="str")
    sector = p.holdings["sector"].str.strip().iloc[first].reset_index(drop=True)
    table = pd.DataFrame(
        {
            "client_id": ids.take(who).reset_index(drop=True),
            "industry": sector,
            "own": own,
            "other": np.where(blank, np.nan, other),
            "share": np.where(blank, np.nan, ratio(own + other, e.total[who])),
            "others": others.astype("int64"),
        }
    )
    held = p.holdings.iloc[at].reset_index(drop=True)
    names = held[["client_id", "asset_id", "name"]].assign(
        industry=sector.take(place).to_numpy(), own=p.own[at], value=e.inside[at], share=e.weight[at]
    )
    return table, names[["client_id", "industry", "asset_id", "name", "own", "value", "share"]]
