"""Every measure of a client in plain Python, row by row: the yardstick of the vectorised stages.

Nothing here calls a stage of the package: only the framework and the assumptions are read, as data.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from worlds import NAN, ON, RATES, Sheet, World

from allocator.assumptions import Assumptions, load_assumptions, risk_table
from allocator.framework import Framework


@dataclass
class Plain:
    """The measures of one sheet, each by the plainest means there are."""

    sheet: Sheet
    world: World

    def __post_init__(self) -> None:
        f, s = self.world.framework, self.sheet
        self.f, self.assumptions = f, load_assumptions(f.assumptions)
        self.rows = [self._row(h) for h in s.holdings]
        self.money: dict[str, float] = defaultdict(float)
        for r in self.rows:
            for code, weight in r["mix"].items():
                self.money[code] += weight * r["value"]
        self.total = sum(v for c, v in self.money.items() if self._inside(c))
        debts = [(self._convert(d["value"], d["currency"]), d) for d in s.debts]
        home = {r["asset_id"] for r in self.rows if r["code"] and not self._inside(r["code"])}
        self.debt = sum(v for v, d in debts if d["secured_by"] not in home)
        self.everything = sum(r["value"] for r in self.rows) - sum(v for v, _ in debts)
        service = sum(self._convert(d["annual_payment"], d["currency"]) for _, d in debts)
        self.equity = self.total - self.debt
        self.need = s.spending + service / 12
        self.liquid = sum(r["value"] for r in self.rows if r["free"] and self._liquid(r["code"]))
        self.months = math.inf if self.need == 0 else self.liquid / self.need
        self.owner = any(
            r["value"] > 0 and (r["own"] or (r["code"] and f.classes[r["code"]].kind == "business")) for r in self.rows
        )
        self.unclassified = sum(r["value"] for r in self.rows if not r["code"])

    def _inside(self, code: str) -> bool:
        return self.f.classes[code].bucket != "own_use"

    def _liquid(self, code: str) -> bool:
        return (
            bool(code)
            and self.f.classes[code].bucket == "defensive"
            and self.f.classes[code].liquidity in ("cash", "liquid")
        )

    def _convert(self, value: float, currency: str) -> float:
        ratio = 1.0 if currency in ("", self.sheet.currency) else RATES[currency] / RATES[self.sheet.currency]
        return round(value * ratio * 100) / 100

    def _row(self, h: dict[str, Any]) -> dict[str, Any]:
        code = h["code"]
        if h["own_company"]:
            code = self.f.own_company_class.get(code, code)
        mix = {code: 1.0} if code else {}
        for column in ("isin", "product_id", "asset_id"):
            if code and h[column] in self.world.funds:
                mix = self.world.funds[h[column]]
        locked = h["locked_until"] != "" and dt.date.fromisoformat(h["locked_until"]) > ON
        value = self._convert(h["value"], h["currency"])
        part = sum(w for c, w in mix.items() if self._inside(c))
        named = bool(code) and self.f.classes[code].name_limits
        return {
            "asset_id": h["asset_id"],
            "code": code,
            "value": value,
            "inside": value * part,
            "mix": mix,
            "named": value * part if named else 0.0,
            "own": h["own_company"],
            "free": not (h["pledged"] or locked),
            "issuer": h["issuer"].casefold() or f"only {h['asset_id']}",
            "sector": h["sector"].casefold(),
            "country": h["country"].casefold(),
            "currency": (h["currency"] or self.sheet.currency).casefold(),
            **self._trading(h, code, value, not (h["pledged"] or locked)),
        }

    def _trading(self, h: dict[str, Any], code: str, value: float, free: bool) -> dict[str, Any]:
        """What may be sold of a holding, and what it costs in tax."""
        told = h["restriction"].casefold().replace(" ", "_")
        kept = "never_sell" in told
        usual = self.f.classes[code].sellable if code else 0.0
        pace = 0.0 if kept else usual if math.isnan(h["sellable"]) else h["sellable"]
        basis = self._convert(h["cost_basis"], h["currency"]) if not math.isnan(h["cost_basis"]) else NAN
        gain = 0.0 if math.isnan(basis) or value == 0 else min(max((value - basis) / value, 0.0), 1.0)
        return {
            "pace": pace,
            "sellable": pace if free else 0.0,
            "locked": kept or not free or h["sellable"] == 0,
            "never_buy": "never_buy" in told or "禁止买入" in told,
            "sell_first": "sell_first" in told or "优先卖出" in told,
            "basis": basis,
            "tax": gain * self.f.classes[code].tax if code else 0.0,
        }

    def share_of(self, amount: float) -> float:
        """A fraction of the total; NaN where there is none."""
        return amount / self.total if self.total else NAN

    def part(self, name: str) -> float:
        """Money that counts to a share such as ``property``, ``bucket:growth``, ``group:equity`` or ``class:gold``."""
        kind, _, code = name.partition(":")
        tests: dict[str, Callable[[str], float]] = {
            "bucket": lambda c: float(self.f.classes[c].bucket == code),
            "group": lambda c: self._groups(c).get(code, 0.0),
            "class": lambda c: float(c == code),
            "property": lambda c: float(self.f.classes[c].kind == "property"),
            "business": lambda c: float(self.f.classes[c].kind == "business"),
            "illiquid": lambda c: float(self.f.classes[c].liquidity == "illiquid"),
            "cash": lambda c: float((self.f.classes[c].liquidity, self._costs(c)) == ("cash", 0)),
        }
        return sum(tests[kind](c) * v for c, v in self.money.items() if self._inside(c))

    def _costs(self, code: str) -> float:
        return self.f.classes[code].buy_cost + self.f.classes[code].sell_cost

    def labels(self, name: str) -> dict[str, float]:
        """Money of each sector, foreign country or foreign currency."""
        home = {"country": self.f.home_country.get(self.sheet.currency, ""), "currency": self.sheet.currency}
        out: dict[str, float] = defaultdict(float)
        for r in self.rows:
            if r[name] and r[name] != home.get(name, "").casefold():
                out[r[name]] += r["inside"]
        return out

    @property
    def shortfall(self) -> float:
        """Mean loss of the worst years: the least of t + Σ (loss − t)⁺ / ((1 − level) S), at one of the losses."""
        table = risk_table(self.f, self.assumptions)
        money = [self.money.get(c, 0.0) * self._inside(c) for c in self.f.classes]
        losses = [-sum(x * y for x, y in zip(year, money, strict=True)) for year in table.scenarios.tolist()]
        tail = (1 - table.level) * len(losses)
        return min(t + sum(max(x - t, 0.0) for x in losses) / tail for t in losses)

    @property
    def tracking(self) -> float:
        """Volatility of the difference to the model portfolio, in money; NaN without one."""
        band = self.f.bands.get(self.sheet.band)
        if band is None or not band.model:
            return NAN
        apart = [self.money.get(c, 0.0) * self._inside(c) - self.total * band.model.get(c, 0.0) for c in self.f.classes]
        return math.sqrt(np.array(apart) @ covariance(self.f, self.assumptions) @ np.array(apart) + self._specific)

    @property
    def _specific(self) -> float:
        own: dict[str, float] = defaultdict(float)
        for r in self.rows:
            if r["code"] and self._inside(r["code"]):
                own[r["asset_id"]] += self._assumed(r["code"]).idiosyncratic * r["value"]
        return sum(v**2 for v in own.values())

    def _groups(self, code: str) -> dict[str, float]:
        group = self.f.classes[code].group
        return {group: 1.0} if isinstance(group, str) else group

    def names(self, key: str) -> dict[str, float]:
        """Money that counts to each single name: an ``asset_id``, in whatever accounts, or an ``issuer``."""
        out: dict[str, float] = defaultdict(float)
        for r in self.rows:
            out[r[key]] += r["named"]
        return out

    @property
    def sigma_money(self) -> float:
        """Volatility of the assets, in money."""
        x = np.array([self.money.get(c, 0.0) * self._inside(c) for c in self.f.classes])
        return math.sqrt(x @ covariance(self.f, self.assumptions) @ x + self._specific)

    def _assumed(self, code: str) -> Any:
        return self.assumptions.classes[self.f.classes[code].assumption or code]

    @property
    def expected_return(self) -> float:
        """Expected return on the family's own money."""
        a = self.assumptions
        gain = 0.0
        for code, amount in self.money.items():
            if self._inside(code):
                c = self._assumed(code)
                mean = sum(b * a.factors[k].mean for k, b in c.loadings.items())
                gain += amount * (mean if c.expected_return is None else c.expected_return)
        return (gain - a.borrowing_rate * self.debt) / self.equity if self.equity > 0 else NAN

    def rule(self, name: str) -> float:
        """Exposure of a concentration rule."""
        amounts: dict[str, Callable[[], float]] = {
            "single_holding": lambda: max(self.names("asset_id").values(), default=0.0),
            "issuer": lambda: max(self.names("issuer").values(), default=0.0),
            "leverage": lambda: self.debt,
            "own_company": lambda: sum(r["inside"] for r in self.rows if r["own"]) + self.sheet.guarantees,
        }
        if name == "reserve_months":
            return self.months
        return self.share_of(amounts[name]() if name in amounts else self.part(name))

    @property
    def score(self) -> float:
        """Score of the concentration rules."""
        left = 1.0
        for name, rule in self.f.rules.items():
            owner = self.owner and rule.lo_owner is not None
            lo, hi = (rule.lo_owner, rule.hi_owner) if owner else (rule.lo, rule.hi)
            x = self.rule(name)
            s = 0.0 if math.isnan(x) else min(max((x - lo) / (hi - lo), 0.0), 1.0)
            left *= 1 - rule.weight * s
        return 100 * (1 - left)

    def limit(self, name: str, sense: str) -> tuple[float, float, float]:
        """Value, bound and excess of a limit; NaN bound where the client's band has none."""
        band = self.f.bands.get(self.sheet.band)
        bound, total = NAN if band is None else self._bound(band, name, sense), self.total
        if name == "reserve_months":
            value, over = self.months, bound * self.need - self.liquid
        elif name == "volatility":
            value = self.sigma_money / self.equity if self.equity > 0 else NAN
            over = self.sigma_money - bound * self.equity
        elif name == "cvar":
            value = self.shortfall / self.equity if self.equity > 0 else NAN
            over = self.shortfall - bound * self.equity
        elif name == "tracking":
            value, over = self.share_of(self.tracking), self.tracking - bound * total
        elif name in ("sector", "country", "currency"):
            amounts = self.labels(name).values()
            value = self.share_of(max(amounts, default=0.0))
            over = NAN if math.isnan(bound) else sum(max(a - bound * total, 0.0) for a in amounts)
        elif name == "leverage":
            value, over = self.share_of(self.debt), self.debt - bound * total
        elif name in ("single_holding", "issuer"):
            amounts = self.names("asset_id" if name == "single_holding" else "issuer").values()
            value = self.rule(name)
            over = NAN if math.isnan(bound) else sum(max(a - bound * total, 0.0) for a in amounts)
        else:
            value, over = self.share_of(self.part(name)), self.part(name) - bound * total
            over = over if sense == "<=" else -over
        return value, bound, (over if math.isnan(over) else max(over, 0.0)) / total if total > 0 else NAN

    def _bound(self, band: Any, name: str, sense: str) -> float:
        kind, _, code = name.partition(":")
        if name == "reserve_months":
            return self.f.reserve.months_owner if self.owner else self.f.reserve.months
        if name == "volatility":
            return float(band.volatility)
        if name in (band.limits if sense == "<=" else band.floors):
            return float((band.limits if sense == "<=" else band.floors)[name])
        span = {"bucket": band.buckets, "group": band.groups}.get(kind, {}).get(code)
        edge = None if span is None else (span.high if sense == "<=" else span.low)
        return NAN if not edge or (sense == "<=" and edge >= 1) else float(edge)


def covariance(framework: Framework, assumptions: Assumptions) -> np.ndarray:
    """Covariance of the classes of a framework, factor by factor."""
    names = list(assumptions.factors)
    factor = np.array(
        [
            [
                assumptions.factors[a].volatility * assumptions.factors[b].volatility * r
                for b, r in zip(names, row, strict=True)
            ]
            for a, row in zip(names, assumptions.correlation.rows, strict=True)
        ]
    )
    beta = np.array(
        [
            [assumptions.classes[c.assumption or code].loadings.get(n, 0.0) for n in names]
            for code, c in framework.classes.items()
        ]
    )
    return beta @ factor @ beta.T
