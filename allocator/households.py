"""The family behind the portfolio: whether it lives on if the firm fails, or the breadwinner does not come home.

The own home is shown and helps net worth, but is no part of the buckets and pays no bills here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from allocator.analysis import Analysis
from allocator.config import build, load_tree
from allocator.exposures import ratio
from allocator.framework import OWN_USE, Words
from allocator.measure_limits import labels
from allocator.typing import BoolArray, FloatArray

STATUSES: Final = ("survives", "short_of_cash", "insolvent_after", "not_applicable", "unknown")
"""What the firewall test says: enough months are left · net worth is left but too few months · more is owed than
owned · no own company and no guarantees · the spending is unknown, so nobody can say."""


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
    education: dict[str, float | str]


def load_needs(source: str | os.PathLike[str] | Needs = "standard") -> Needs:
    """Load what households are judged by: a preset, a TOML file (which may extend one), or needs as they are.

    Raises
    ------
    ConfigError
        With file, key and allowed values, one line per mistake.
    """
    if isinstance(source, Needs):
        return source
    tree, origin = load_tree(source, "household")
    return build(Needs, tree, origin)


@dataclass(frozen=True)
class Household:
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
        first goes to 0 and the second are called: ``paid_pledged`` (out of pledged assets), ``paid_liquid`` (out of the
        liquid reserve), ``owed`` (what they cannot pay, a debt from then on); what is left: ``total`` of the buckets,
        ``debt`` (own use included), ``home`` (assets of own use), ``net_worth``, ``liquid``, ``months`` of living, and
        the ``status`` (see `STATUSES`).
    protection
        One row per client: ``debts`` (all), ``support`` of dependants, ``education``, ``insurance_cover``, ``liquid``
        assets (what sells within days, in any bucket), the ``gap`` (needs less cover and liquid assets; below 0 is a
        surplus), and ``unknown``: which inputs are missing, so that the gap is NaN.
    industry
        One row per client and industry of the own company: ``own`` money in it, ``other`` holdings of the same
        industry, ``share`` of both together in the total, and how many ``others`` there are.
    """

    analysis: Analysis
    needs: Needs
    reserve: pd.DataFrame
    firewall: pd.DataFrame
    protection: pd.DataFrame
    industry: pd.DataFrame

    def __len__(self) -> int:
        return len(self.firewall)

    def select(self, client_id: str) -> dict[str, pd.DataFrame]:
        """Every table for one client, by name.

        Raises
        ------
        InputError
            No such client in this result.
        """
        self.analysis.index(client_id)
        tables = {name: getattr(self, name) for name in ("reserve", "firewall", "protection", "industry")}
        return {name: t[t["client_id"] == client_id].reset_index(drop=True) for name, t in tables.items()}

    def __repr__(self) -> str:
        counts = self.firewall["status"].value_counts()
        told = ", ".join(f"{s} {counts[s]:,}" for s in STATUSES if s in counts)
        gaps = int((self.protection["gap"] > 0).sum())
        return (
            f"Household of {len(self):,} clients\n  firewall test: {told}\n  protection gap: {gaps:,} clients\n"
            "  tables: reserve, firewall, protection, industry"
        )


def household(analysis: Analysis, *, needs: str | os.PathLike[str] | Needs = "standard") -> Household:
    """Test every family: reserve, firewall between family and firm, protection gap, one industry twice.

    Parameters
    ----------
    analysis
        From `allocator.analyze`. It is not changed.
    needs
        Preset, TOML file, or needs: months that must be left, years of support, education.

    Returns
    -------
    Household

    Raises
    ------
    ConfigError
        A wrong file.

    Notes
    -----
    Called guarantees are paid out of pledged assets first, for the lender holds them, then out of the liquid reserve;
    what these cannot pay is owed. Nothing illiquid is sold, no income is counted, and debts that the firm secured stay
    with the family (house judgement: the careful reading). What is unknown is said, never taken for 0.
    """
    needs = load_needs(needs)
    a, e, p = analysis, analysis.exposures, analysis.positions
    ids = pd.DataFrame({"client_id": a.client_ids})
    needed = np.where(p.owner, a.framework.reserve.months_owner, a.framework.reserve.months)
    short = np.where(np.isnan(e.need), np.nan, np.maximum(needed * e.need - e.liquid, 0.0))
    reserve = ids.assign(liquid=e.liquid, need=e.need, months=e.months, needed=needed, short=short)
    return Household(
        analysis, needs, reserve, ids.assign(**_firewall(a, needs)), ids.assign(**_protection(a, needs)), _industry(a)
    )


def _firewall(a: Analysis, needs: Needs) -> dict[str, Any]:
    e, p, f = a.exposures, a.positions, a.framework
    own_use = np.append([c.bucket == OWN_USE for c in f.classes.values()], False).astype(bool)[p.klass]
    company = p.per_client(p.value * p.own)
    inside_left = p.per_client(e.inside * ~p.own)
    pledged = p.per_client(p.value * (p.pledged & ~p.own))
    pledged_inside = p.per_client(e.inside * (p.pledged & ~p.own))
    liquid = p.per_client(p.value * (_reserve(a) & ~p.own))
    called = p.guarantees
    from_pledged = np.minimum(called, pledged)
    from_liquid = np.minimum(called - from_pledged, liquid)
    owed = called - from_pledged - from_liquid
    taken = ratio(from_pledged * pledged_inside, pledged)
    total = inside_left - np.nan_to_num(taken) - from_liquid
    debt = p.debt + p.debt_own_use + owed
    everything = p.per_client(p.value * ~p.own) - from_pledged - from_liquid
    net_worth, left = everything - debt, liquid - from_liquid
    months = np.where(e.need == 0, np.inf, ratio(left, e.need))
    status = np.select(
        [(company <= 0) & (called <= 0), net_worth <= 0, np.isnan(e.need), months < needs.survive_months],
        ["not_applicable", "insolvent_after", "unknown", "short_of_cash"],
        default="survives",
    )
    return {
        "company": company,
        "guarantees": called,
        "paid_pledged": from_pledged,
        "paid_liquid": from_liquid,
        "owed": owed,
        "total": total,
        "debt": debt,
        "home": p.per_client(p.value * own_use),
        "net_worth": net_worth,
        "liquid": left,
        "months": months,
        "status": status,
    }


def _reserve(a: Analysis) -> BoolArray:
    """Holdings of the liquid reserve."""
    p = a.positions
    return np.asarray((np.append(a.framework.flag("reserve"), 0.0)[p.klass] > 0) & p.tradable)


def _protection(a: Analysis, needs: Needs) -> dict[str, Any]:
    p, f = a.positions, a.framework
    family = {c: p.clients[c].to_numpy("float64") for c in ("dependants", "insurance_cover")}
    sells = [c.liquidity in ("cash", "liquid") and c.bucket != OWN_USE for c in f.classes.values()]
    liquid = p.per_client(p.value * (np.append(sells, False).astype(bool)[p.klass] & p.tradable & ~p.own))
    debts = p.debt + p.debt_own_use
    some = family["dependants"] > 0
    support = np.where(some, p.spending * 12 * needs.support_years * needs.support_share, family["dependants"] * 0.0)
    costs = {k: v for k, v in needs.education.items() if not isinstance(v, str)}
    each = p.clients["currency"].map(costs).to_numpy("float64", na_value=np.nan)
    education = np.where(some, family["dependants"] * each, family["dependants"] * 0.0)
    gap = debts + support + education - family["insurance_cover"] - liquid
    missing: list[tuple[str, FloatArray]] = [
        ("dependants", family["dependants"]),
        ("insurance_cover", family["insurance_cover"]),
        ("monthly_spending", np.where(some, p.spending, 0.0)),
        ("education", np.where(some, each, 0.0)),
    ]
    unknown = [", ".join(name for name, x in missing if np.isnan(x[i])) for i in range(len(p))]
    return {
        "debts": debts,
        "support": support,
        "education": education,
        "insurance_cover": family["insurance_cover"],
        "liquid": liquid,
        "gap": gap,
        "unknown": pd.array(unknown, dtype="str"),
    }


def _industry(a: Analysis) -> pd.DataFrame:
    """Industries of own companies, and what else the family has in them."""
    p, e = a.positions, a.exposures
    code, count = labels("sector", p, a.framework)
    key = p.client.astype("int64") * max(count, 1) + code
    there = (code >= 0) & (e.inside > 0)
    mine = np.unique(key[there & p.own])
    at = np.flatnonzero(there & np.isin(key, mine))
    place = np.searchsorted(mine, key[at])
    own = np.bincount(place, weights=e.inside[at] * p.own[at], minlength=len(mine)).astype("float64")
    other = np.bincount(place, weights=e.inside[at] * ~p.own[at], minlength=len(mine))
    others = np.bincount(place, weights=(~p.own[at]).astype("float64"), minlength=len(mine)).astype("int64")
    first = at[np.unique(place, return_index=True)[1]] if len(at) else at
    who = (mine // max(count, 1)).astype("intp")
    return pd.DataFrame(
        {
            "client_id": np.array(a.client_ids, dtype=object)[who],
            "industry": p.holdings["sector"].to_numpy(dtype=object)[first],
            "own": own,
            "other": other,
            "share": ratio(np.asarray(own + other, dtype="float64"), e.total[who]),
            "others": others,
        }
    ).astype({"client_id": "str", "industry": "str"})
