"""Measures of random families, recomputed from the tables by the contract's formulas alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON
from contract.bands import BANDS, BUCKETS, CLASSES, LABELS, LEVELS, NO_NAME, RESERVE, bound, grade

from allocator.analysis import Analysis
from allocator.book import read_book
from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.risk_measures import measure_risk

RATES = {"CNY": 1.0, "USD": 7.0, "HKD": 0.9}
SEEDS = (1, 2, 3)
Tables = dict[str, pd.DataFrame]


def family(r: np.random.Generator, client: str) -> dict[str, list[dict[str, Any]]]:
    """One made-up family."""
    count, codes = int(r.integers(1, 9)), list(CLASSES)
    holdings = []
    for j in range(count):
        code = str(r.choice(codes))
        owned = bool(r.random() < 0.4) and code in ("private_business", "listed_equity")
        holdings.append(
            {
                "client_id": client, "asset_id": f"A{j}", "name": f"n{j}", "asset_class": code,
                "value": round(float(np.exp(r.normal(12, 1.5))), 0), "currency": str(r.choice([*RATES, ""])),
                "issuer": str(r.choice(["", "I1", "I2"])), "pledged": bool(r.random() < 0.1), "own_company": owned,
                "locked_until": str(r.choice(["", "2026-09-30", "2027-01-01"], p=[0.8, 0.1, 0.1])),
            }
        )  # fmt: skip
    debts = [
        {
            "client_id": client, "value": round(float(np.exp(r.normal(11, 1.5))), 0),
            "currency": str(r.choice(["CNY", "USD", ""])), "annual_payment": float(r.choice([0, 12000])),
            "secured_by": f"A{int(r.integers(0, count))}" if r.random() < 0.6 else "",
        }
        for _ in range(int(r.integers(0, 3)))
    ]  # fmt: skip
    client_row = {
        "client_id": client, "risk_band": str(r.choice(list(LABELS))), "currency": str(r.choice(["CNY", "USD"])),
        "monthly_spending": float(r.choice([0, 5000, 50000])), "guarantees": float(r.choice([0, 1e5])),
    }  # fmt: skip
    return {"holdings": holdings, "clients": [client_row], "debts": debts}


def tables(seed: int, count: int = 40) -> Tables:
    r = np.random.default_rng(seed)
    families = [family(r, f"c{i:02d}") for i in range(count)]
    out = {t: pd.DataFrame([row for f in families for row in f[t]]) for t in ("holdings", "clients", "debts")}
    return out | {"fx": pd.DataFrame({"currency": list(RATES), "rate": list(RATES.values())})}


def analysis_of(t: Tables) -> Analysis:
    return analyze(read_book(t["holdings"], clients=t["clients"], debts=t["debts"], fx=t["fx"]), on=ON)


class Family:
    """What the contract says of one client, from the rows of the tables."""

    def __init__(self, t: Tables, client: Any) -> None:
        def money(row: Any, value: float) -> float:
            rate = RATES[row.currency] / RATES[client.currency] if row.currency else 1.0
            return round(value * rate, 2)

        h, d = (t[n][t[n]["client_id"] == client.client_id] for n in ("holdings", "debts"))
        self.rows = [(x, money(x, x.value), CLASSES[x.asset_class]) for x in h.itertuples()]
        debts = [(x, money(x, x.value)) for x in d.itertuples()]
        outside = {x.asset_id for x, _, b in self.rows if b == "own_use"}
        self.client = client
        self.total = sum(v for _, v, b in self.rows if b in BUCKETS)
        self.debt = sum(v for x, v in debts if x.secured_by not in outside)
        self.equity = self.total - self.debt
        self.worth = sum(v for _, v, _ in self.rows) - sum(v for _, v in debts)
        self.need = client.monthly_spending + sum(money(x, x.annual_payment) for x, _ in debts) / 12

    def share(self, test: Any) -> float:
        return sum(v for x, v, b in self.rows if b in BUCKETS and test(x)) / self.total

    @property
    def months(self) -> float:
        free = [(x, v) for x, v, b in self.rows if b == "defensive" and not x.pledged and x.locked_until < "2026-10"]
        liquid = sum(v for x, v in free if x.asset_class != "insurance_cash_value")
        return liquid / self.need if self.need else math.inf

    @property
    def owner(self) -> bool:
        return any(x.own_company or x.asset_class == "private_business" for x, _, _ in self.rows)

    def largest(self, label: Any) -> float:
        found: dict[str, float] = {}
        for x, v, b in self.rows:
            if b in BUCKETS and x.asset_class not in NO_NAME:
                found[label(x)] = found.get(label(x), 0.0) + v
        return max(found.values(), default=0.0) / self.total

    @property
    def exposures(self) -> dict[str, float]:
        classes = load_framework().classes  # which classes are illiquid is data
        return {
            "single_holding": self.largest(lambda x: x.asset_id),
            "issuer": self.largest(lambda x: x.issuer or f"only {x.asset_id}"),
            "property": self.share(lambda x: x.asset_class == "investment_property"),
            "business": self.share(lambda x: x.asset_class == "private_business"),
            "illiquid": self.share(lambda x: classes[x.asset_class].liquidity == "illiquid"),
            "reserve_months": self.months,
            "leverage": self.debt / self.total,
            "own_company": self.share(lambda x: x.own_company) + self.client.guarantees / self.total,
        }


@pytest.mark.parametrize("seed", SEEDS)
def test_every_measure(seed: int) -> None:
    t = tables(seed)
    a = analysis_of(t)
    summary = a.summary.set_index("client_id")
    rules = {c: part.set_index("rule") for c, part in a.rules.groupby("client_id")}
    limits = {c: part.set_index(["limit", "sense"]) for c, part in a.limits.groupby("client_id")}
    insolvent = 0
    for client in t["clients"].itertuples():
        me, s = Family(t, client), summary.loc[client.client_id]
        near = {"rel": 1e-6, "abs": 0.02}  # each row is rounded to the cent, ties either way
        assert [s[k] for k in ("total", "equity", "net_worth")] == pytest.approx(
            [me.total, me.equity, me.worth], **near
        )
        assert s["band"] == LABELS[client.risk_band]
        if me.total == 0:
            assert s["status"] == ("insolvent" if me.debt > 0 else "empty")
            continue
        assert (s["status"] == "insolvent") == (me.equity <= 0)
        insolvent += me.equity <= 0
        assert s["leverage"] == pytest.approx(
            me.total / me.equity if me.equity > 0 else math.nan, rel=1e-5, nan_ok=True
        )
        band, left = BANDS[s["band"]], 1.0
        for name, x in me.exposures.items():
            row = rules[client.client_id].loc[name]
            assert row["exposure"] == pytest.approx(x, rel=1e-5, abs=1e-6), name
            levels = RESERVE[me.owner] if name == "reserve_months" else LEVELS.get(name, (row["lo"], row["hi"]))
            assert (row["lo"], row["hi"]) == levels
            severity = 0.0 if math.isinf(x) else min(max((x - levels[0]) / (levels[1] - levels[0]), 0.0), 1.0)
            assert row["severity"] == pytest.approx(severity, abs=1e-5)
            assert 0 <= row["weight"] <= 1
            left *= 1 - row["weight"] * row["severity"]
        assert s["score"] == pytest.approx(100 * (1 - left), abs=1e-9)
        assert s["grade"] == grade(s["score"])
        seen = limits[client.client_id]
        for (name, sense), row in seen.iterrows():
            asked = RESERVE[me.owner][0] if name == "reserve_months" else bound(band, name, sense)
            assert row["bound"] == asked, name
        expected = {(n, "<=") for n in ("volatility", *LEVELS)} | {("reserve_months", ">="), ("group:equity", ">=")}
        expected |= {(f"bucket:{b}", s) for b in BUCKETS for s in ("<=", ">=")}
        nothing = {("bucket:offensive", ">=")} if band.low[2] == 0 else set()  # a floor of 0 is none
        assert set(seen.index) == expected - nothing
        for code, spot in zip(BUCKETS, range(3), strict=True):
            row = a.buckets[(a.buckets["client_id"] == client.client_id) & (a.buckets["bucket"] == code)].iloc[0]
            x = me.share(lambda h, code=code: CLASSES[h.asset_class] == code)
            assert row["share"] == pytest.approx(x, abs=1e-6)
            assert tuple(row[["target", "low", "high"]]) == (band.target[spot], band.low[spot], band.high[spot])
            assert row["drift"] == pytest.approx(x - band.target[spot], abs=1e-6)
    assert insolvent


@pytest.mark.parametrize("seed", SEEDS)
def test_excess_is_money_beyond_the_bound(seed: int) -> None:
    """As a fraction of T: of one amount the share beyond the bound, of names the sum over all that are beyond."""
    t = tables(seed)
    a = analysis_of(t)
    s = a.summary.set_index("client_id")
    for row in a.limits.itertuples():
        me = s.loc[row.client_id]
        if not me["equity"] > 0:
            continue
        beyond = max(0.0, (row.value - row.bound) * (1 if row.sense == "<=" else -1))
        if row.limit == "volatility":
            beyond *= me["equity"] / me["total"]
        if row.limit == "reserve_months":
            assert (row.excess > 0) == (beyond > 0)
        elif row.limit in ("single_holding", "issuer"):
            assert row.excess >= beyond - 1e-12
            assert (row.excess > 0) == (beyond > 0)
        else:
            assert row.excess == pytest.approx(beyond, abs=1e-9), row.limit
        assert row.exceeded == (row.excess > 1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_rows_and_of_clients_does_not_matter(seed: int) -> None:
    t = tables(seed)
    mixed = {k: v.sample(frac=1, random_state=seed) for k, v in t.items()}
    one, two = (analysis_of(x).summary.set_index("client_id").sort_index() for x in (t, mixed))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.parametrize("seed", SEEDS)
def test_contributions_sum_to_the_volatility_and_cvar_is_beyond_var(seed: int) -> None:
    m = measure_risk(analysis_of(tables(seed)))
    s = m.summary.set_index("client_id")
    known = s["volatility"].notna()
    for parts in (m.holdings, m.classes, m.buckets):
        total = parts.groupby("client_id")["contribution"].sum()
        assert total[known].to_numpy() == pytest.approx(s.loc[known, "volatility"].to_numpy(), rel=1e-9, abs=1e-12)
    for way in ("normal", "t"):
        assert (s.loc[known, f"cvar_{way}"] >= s.loc[known, f"var_{way}"]).all()
    # 95%, one year, normal: 1.6449 deviations below the mean
    var = 1.6448536 * s["volatility"] - s["expected_return"]
    assert s.loc[known, "var_normal"].to_numpy() == pytest.approx(var[known].to_numpy(), abs=1e-6)
