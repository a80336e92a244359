"""Random books, and every measure of a client in plain Python, row by row: the yardstick of the vectorised stages.

Nothing here calls a stage of the package: only the framework and the assumptions are read, as data.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from allocator.assumptions import Assumptions, load_assumptions
from allocator.book import Book, read_book
from allocator.framework import Framework

ON = dt.date(2026, 9, 30)
RATES = {"CNY": 1.0, "USD": 7.12, "HKD": 0.914}
NAN = float("nan")


@dataclass
class Sheet:
    """One client as plain rows; ``code`` is the class that a holding truly belongs to, empty for none."""

    client_id: str
    band: str = "balanced"
    currency: str = "CNY"
    spending: float = NAN
    guarantees: float = 0.0
    holdings: list[dict[str, Any]] = field(default_factory=list)
    debts: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class World:
    """Sheets with what they share."""

    sheets: list[Sheet]
    funds: dict[str, dict[str, float]]
    framework: Framework
    words: dict[str, str]

    def book(self) -> Book:
        """The same as a book, read from data frames."""
        clients = [
            {
                "client_id": s.client_id,
                "risk_band": self.words.get(s.band, ""),
                "currency": s.currency,
                "monthly_spending": s.spending,
                "guarantees": s.guarantees,
            }
            for s in self.sheets
        ]
        holdings = [
            {k: v for k, v in h.items() if k != "code"} | {"client_id": s.client_id}
            for s in self.sheets
            for h in s.holdings
        ]
        debts = [d | {"client_id": s.client_id} for s in self.sheets for d in s.debts]
        funds = [{"fund_id": f, "asset_class": c, "weight": w} for f, mix in self.funds.items() for c, w in mix.items()]
        fx = [{"currency": c, "rate": r} for c, r in RATES.items()]
        return read_book(
            pd.DataFrame(holdings),
            clients=pd.DataFrame(clients),
            debts=pd.DataFrame(debts),
            lookthrough=pd.DataFrame(funds),
            fx=pd.DataFrame(fx),
        )


def random_world(seed: int, framework: Framework, clients: int = 30) -> World:
    """Sheets with every class, band, currency, shared and blank issuers, locks, funds, own firms, debts and gaps."""
    rng = np.random.default_rng(seed)
    codes = list(framework.classes)
    loose = [c for c in codes if c not in framework.own_company_class]
    funds = {
        "F1": {"listed_equity": 0.6, "gold": 0.4},
        "F2": {"deposit": 0.25, "private_equity": 0.5, "own_home": 0.25},
    }

    def pick(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    def money(middle: float, spread: float = 1.0) -> float:
        return round(float(np.exp(rng.normal(np.log(middle), spread))), 2)

    sheets = []
    for i in range(clients):
        s = Sheet(
            f"K{i:03d}",
            pick(*framework.bands, ""),
            pick("CNY", "CNY", "USD"),
            pick(NAN, 0.0, *[money(2e4)] * 6),
            pick(0.0, 0.0, money(3e5)),
        )
        liked = [pick(*loose) for _ in range(2)]  # most families have much of a few things
        for j in range(int(rng.integers(0, 13))):
            own = bool(rng.random() < 0.15)
            code = pick(*liked) if rng.random() < 0.4 else pick(*loose) if own else pick(*codes)
            if rng.random() < 0.04:
                code = ""
            s.holdings.append(
                {
                    "asset_id": f"A{j}",
                    "asset_class": code or "mystery",
                    "code": code,
                    "value": 0.0 if rng.random() < 0.05 else money(4e5, 1.4),
                    "currency": pick("", "CNY", "USD", "HKD"),
                    "issuer": pick("", "Bank A", "BANK a", "Maker", "Maker & Sons"),
                    "own_company": own,
                    "pledged": bool(rng.random() < 0.1),
                    "isin": pick("", "", "", "F1") if code else "",
                    "product_id": pick("", "", "", "", "F2") if code else "",
                    "locked_until": pick("", "", ON.isoformat(), "2027-01-31", "2020-01-31"),
                    "sellable": pick(NAN, NAN, 0.3, 1.0, 0.0),
                    "account": "1",
                }
            )
            if rng.random() < 0.12:  # some of it lies in another account, as collateral or just not
                last = s.holdings[-1]
                s.holdings.append(last | {"account": "2", "value": money(3e5), "pledged": not last["pledged"]})
        for _ in range(int(rng.integers(0, 4))):
            held = [h["asset_id"] for h in s.holdings]
            s.debts.append(
                {
                    "value": 100.0 * int(rng.integers(1, 12_000)),
                    "currency": pick("", "CNY", "USD"),
                    "annual_payment": pick(0.0, money(3e4)),
                    "kind": pick("", "mortgage", "credit line"),
                    "secured_by": pick("", *held) if held else "",
                }
            )
        sheets.append(s)
    words = {
        code: pick(code, b.en, b.zh, *[w for w, c in framework.labels.items() if c == code])
        for code, b in framework.bands.items()
    }
    return World(sheets, funds, framework, words)


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
        }
        return sum(tests[kind](c) * v for c, v in self.money.items() if self._inside(c))

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
        own: dict[str, float] = defaultdict(float)
        for r in self.rows:
            if r["code"] and self._inside(r["code"]):
                own[r["asset_id"]] += self._assumed(r["code"]).idiosyncratic * r["value"]
        return math.sqrt(x @ covariance(self.f, self.assumptions) @ x + sum(v**2 for v in own.values()))

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
        if name in band.limits:
            return float(band.limits[name])
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
