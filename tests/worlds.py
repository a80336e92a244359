"""Random books, as plain rows and as what the package reads: every kind of holding, lock, label and gap occurs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from allocator.book import Book, read_book
from allocator.framework import Framework

ON = dt.date(2026, 9, 30)
RATES = {"CNY": 1.0, "USD": 7.12, "HKD": 0.914}
NAN = float("nan")
INSTRUCTIONS = ("never_sell", "Sell First", "禁止买入、优先卖出", "never sell; never buy")


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
    """Sheets with every class, band, currency, label and instruction, locks, funds, own firms, debts and gaps."""
    rng = np.random.default_rng(seed)
    aside = np.random.default_rng([seed, 1])  # labels and instructions: what is drawn before them stays as it is
    codes = list(framework.classes)
    loose = [c for c in codes if c not in framework.own_company_class]
    funds = {
        "F1": {"listed_equity": 0.6, "gold": 0.4},
        "F2": {"deposit": 0.25, "private_equity": 0.5, "own_home": 0.25},
    }

    def pick(*options: Any) -> Any:
        return options[int(rng.integers(len(options)))]

    def label(*options: Any) -> Any:
        return options[int(aside.integers(len(options)))]

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
                    "sector": label("", "banks", "Banks", "technology", "energy", "ENERGY"),
                    "country": label("", "CN", "cn", "US", "HK", "XX"),
                    "cost_basis": label(NAN, 0.0, 50_000.0, 400_000.37, 9e6),
                    "restriction": label(
                        "", "", "", "never_sell", "Sell First", "禁止买入、优先卖出", "never sell; never buy"
                    ),
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
