"""Money beyond a limit, counted once more from the rows of holdings, trades and debts: the yardstick of plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from plain import covariance

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.plan import Plan


@dataclass(frozen=True)
class Sheet:
    """One client before or after a plan: holdings inside the buckets, debts less what was repaid."""

    a: Analysis
    holdings: pd.DataFrame
    debt: float
    service: float
    spending: float
    owner: bool
    band: str

    @property
    def money(self) -> pd.Series:
        """Money by class."""
        return self.holdings.groupby("asset_class")["value"].sum()

    @property
    def total(self) -> float:
        return float(self.holdings["value"].sum())

    def of(self, test: Callable[[str], float]) -> float:
        """Money of the classes that pass, or the part of it."""
        return float(sum(test(c) * v for c, v in self.money.items()))

    def by(self, column: str, *, named: bool = False, skip: tuple[str, ...] = ("",)) -> list[float]:
        """Money of each name in a column."""
        h = self.holdings
        if named:
            h = h[h["asset_class"].map(lambda c: self.a.framework.classes[c].name_limits)]
        label = h[column].str.strip().str.casefold()
        if column == "issuer":  # what names none stands for itself
            label = label.where(label != "", "only " + h["asset_id"].astype(str))
        kept = ~label.isin(skip)
        return h["value"][kept].groupby(label[kept]).sum().tolist()

    @property
    def classes(self) -> np.ndarray:
        """Money of each class of the framework."""
        return self.money.reindex(self.a.framework.class_codes).fillna(0.0).to_numpy()

    def deviation(self, away: np.ndarray) -> float:
        """Volatility of amounts of the classes, with each asset's own on top."""
        a = self.a
        own = {
            c: a.assumptions.classes[k.assumption or c].idiosyncratic
            for c, k in a.framework.classes.items()
            if k.bucket != "own_use"
        }
        specific = self.holdings["value"].groupby(self.holdings["asset_id"]).sum()
        klass = self.holdings.drop_duplicates("asset_id").set_index("asset_id")["asset_class"].map(own)
        return float(np.sqrt(away @ covariance(a.framework, a.assumptions) @ away + ((specific * klass) ** 2).sum()))


def sheets(plan: Plan) -> list[tuple[Sheet, Sheet]]:
    """Each client before and after."""
    out = []
    for i, client in enumerate(plan.before.client_ids):
        p = plan.before.positions
        rows = slice(p.debts.start[i], p.debts.start[i + 1])
        debt, service = float(p.debts.value[rows].sum()), float(p.debts.service[rows].sum())
        t = plan.trades[(plan.trades["client_id"] == client) & (plan.trades["side"] == "repay")]
        left = 1.0 - float(t["amount"].sum()) / debt if debt > 0 else 0.0
        pair = []
        for a, part in ((plan.before, 1.0), (plan.after, left)):
            h = a.holdings[(a.holdings["client_id"] == client) & a.holdings["bucket"].isin(a.framework.bucket_codes)]
            band = a.framework.band_codes[p.band[i]]
            pair.append(Sheet(a, h, debt * part, service * part, float(p.spending[i]), bool(p.owner[i]), band))
        out.append((pair[0], pair[1]))
    return out


def _part(name: str) -> Callable[[Sheet], float]:
    kind, _, code = name.partition(":")

    def money(s: Sheet) -> float:
        f = s.a.framework
        tests: dict[str, Callable[[str], float]] = {
            "bucket": lambda c: f.classes[c].bucket == code,
            "group": lambda c: f.classes[c].groups.get(code, 0.0),
            "class": lambda c: c == code,
            "property": lambda c: f.classes[c].kind == "property",
            "business": lambda c: f.classes[c].kind == "business",
            "illiquid": lambda c: f.classes[c].liquidity == "illiquid",
            "cash": lambda c: f.classes[c].liquidity == "cash" and f.classes[c].buy_cost + f.classes[c].sell_cost == 0,
        }
        return s.of(tests[kind])

    return money


def _tail(s: Sheet) -> float:
    """Mean of the worst losses by the definition: least t + Σ (loss − t)⁺ / tail over all losses t."""
    table = risk_table(s.a.framework, s.a.assumptions)
    losses = -(table.scenarios @ s.classes)
    tail = (1 - table.level) * len(losses)
    return float(min(t + np.maximum(losses - t, 0.0).sum() / tail for t in losses))


def _apart(s: Sheet) -> float:
    model = s.a.framework.bands[s.band].model
    return s.deviation(s.classes - s.total * np.array([model.get(c, 0.0) for c in s.a.framework.classes]))


def _reserve(s: Sheet, bound: float) -> float:
    f = s.a.framework
    months = f.reserve.months_owner if s.owner else bound
    liquid = s.of(lambda c: f.classes[c].bucket == "defensive" and f.classes[c].liquidity in ("cash", "liquid"))
    return float(months * (s.spending + s.service / 12) - liquid)


def beyond(s: Sheet, name: str, sense: str, bound: float) -> float:
    """Money beyond a limit, 0 where it holds. A limit that this does not know is a KeyError: count it here too."""
    t, home = s.total, {"country": ("", "cn"), "currency": ("", "cny"), "sector": ("",)}
    lists: dict[str, Callable[[], list[float]]] = {
        "single_holding": lambda: s.by("asset_id", named=True),
        "issuer": lambda: s.by("issuer", named=True),
        **{n: lambda n=n: s.by(n, skip=home[n]) for n in home},
    }
    alone: dict[str, Callable[[], float]] = {
        "leverage": lambda: s.debt - bound * t,
        "reserve_months": lambda: _reserve(s, bound),
        "volatility": lambda: s.deviation(s.classes) - bound * (t - s.debt),
        "cvar": lambda: _tail(s) - bound * (t - s.debt),
        "tracking": lambda: _apart(s) - bound * t,
    }
    if name in lists:
        return sum(max(v - bound * t, 0.0) for v in lists[name]())
    if name in alone:
        return max(alone[name](), 0.0)
    over = _part(name)(s) - bound * t
    return max(over if sense == "<=" else -over, 0.0)
