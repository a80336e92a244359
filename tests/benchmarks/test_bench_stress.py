"""Ten scenarios for a large book against a loop over clients and scenarios, prepared as well as it can be."""

from __future__ import annotations

from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_bench_analysis import CLIENTS, HOLDINGS, ON, Clock, random_book, tell

from allocator.analysis import Analysis
from allocator.assumptions import risk_table
from allocator.pipeline import analyze
from allocator.scenarios import Scenarios, load_scenarios, moves
from allocator.stresses import stress

LOOPED = 150
FLOOR = 50.0
"""How many times faster the whole book must be, at least, than the loop."""


def ten() -> Scenarios:
    """The standard ones and two more."""
    more = {
        "half": {"shocks": {"equity_fund": -0.5, "investment_property": -0.2}},
        "squeeze": {"shocks": {"gold": -0.3}, "spending_months": 6, "guarantees": 0.5},
    }
    return load_scenarios({**load_scenarios().scenarios, **more})


class Loop:
    """Client by client, scenario by scenario; what is shared is prepared once, outside the time that is taken."""

    def __init__(self, a: Analysis, scenarios: Scenarios) -> None:
        f = a.framework
        self.f, self.scenarios = f, scenarios.scenarios
        self.table = risk_table(f, a.assumptions)
        self.shocks = {n: moves(f, a.assumptions, s).shock for n, s in self.scenarios.items()}
        p = a.positions
        self.clients = pd.DataFrame(
            {
                "client_id": p.clients["client_id"],
                "band": p.clients["band"],
                "spending": p.spending,
                "service": p.debt_service,
                "debts": p.debts.per_client(p.debts.value),
                "debt": p.debt,
                "guarantees": p.guarantees,
                "owner": p.owner,
            }
        )
        self.holdings = pd.DataFrame(
            {
                "client_id": p.holdings["client_id"],
                "klass": p.klass,
                "value": p.value,
                "own": p.own,
                "free": p.tradable,
                "pledged": p.pledged,
                "sector": p.holdings["sector"],
                "who": np.where(
                    p.holdings["issuer"] != "", p.holdings["issuer"].str.casefold(), p.holdings["asset_id"]
                ),
            }
        )
        flags = {n: f.flag(n) > 0 for n in ("inside", "name", "reserve", "cash", "property", "business", "illiquid")}
        self.flags = flags | {"liquid": np.array([c.liquidity in ("cash", "liquid") for c in f.classes.values()])}

    def run(self) -> pd.DataFrame:
        """Every client in every scenario, with the number of limits that do not hold."""
        rows = []
        people = self.clients.set_index("client_id")
        for who, h in self.holdings.groupby("client_id", sort=False):
            facts = people.loc[str(who)]
            today = self.limits(facts, h, h["value"].to_numpy(), 0.0, 0.0)
            for name, s in self.scenarios.items():
                rows.append(self.one(str(who), name, s, facts, h, today))
        return pd.DataFrame(rows)

    def one(self, who: str, name: str, s: Any, facts: Any, h: pd.DataFrame, today: dict[str, bool]) -> dict[str, Any]:
        """One client in one scenario."""
        klass, value = h["klass"].to_numpy(), h["value"].to_numpy()
        inside, own, free = self.flags["inside"][klass], h["own"].to_numpy(), h["free"].to_numpy()
        factor = 1 + self.shocks[name][klass]
        if s.own_sector is not None:
            sectors = set(h.loc[own & (value > 0), "sector"]) - {""}
            same = ~own & h["sector"].isin(sectors).to_numpy() & self.flags["name"][klass]
            factor = np.where(same, np.minimum(factor, 1 + s.own_sector), factor)
        if s.own_company is not None:
            factor = np.where(own, 1 + s.own_company, factor)
        left = value * factor
        called = s.guarantees * facts["guarantees"]
        loss = ((value - left) * inside).sum() + called
        extra = s.debt_rate * facts["debts"]
        need = facts["spending"] + (facts["service"] + extra) / 12
        liquid = [self.flags[n][klass] & free & inside for n in ("cash", "reserve", "liquid")]
        left, unpaid = self.pay(left, called, [h["pledged"].to_numpy() & inside, *liquid])
        left, short = self.pay(left, s.spending * need, liquid if s.frozen else [*liquid, inside & free])
        then = self.limits(facts, h, left, unpaid + short, extra)
        total = (value * inside).sum()
        equity = total - facts["debt"]
        reserve = (left * (self.flags["reserve"][klass] & free)).sum()
        return {
            "client_id": who,
            "scenario": name,
            "loss": loss,
            "loss_share": loss / total,
            "loss_equity": loss / equity if equity > 0 else np.nan,
            "short": unpaid + short,
            "equity": (left * inside).sum() - facts["debt"] - unpaid - short,
            "reserve_months": reserve / need,
            "limits_exceeded": sum(then.values()),
            "limits_new": sum(x and not today[k] for k, x in then.items()),
        }

    def pay(self, left: Any, due: float, ways: list[Any]) -> tuple[Any, float]:
        """Sell in order, in proportion; what is left, and what could not be paid."""
        for way in ways:
            there = left[way].sum()
            if due > 0 and there > 0:
                take = min(due, there)
                left = np.where(way, left * (1 - take / there), left)
                due -= take
        return left, due

    def limits(self, facts: Any, h: pd.DataFrame, value: Any, owed: float, extra: float) -> dict[str, bool]:
        """Which limits do not hold."""
        f, klass = self.f, h["klass"].to_numpy()
        band = f.bands[facts["band"]]
        start = (h["value"].to_numpy() * self.flags["inside"][klass]).sum()
        inside = np.where(self.flags["inside"][klass], value, 0.0)
        money = np.bincount(klass, weights=inside, minlength=len(f.classes))
        total, debt = inside.sum(), facts["debt"] + owed
        named = np.where(self.flags["name"][klass], inside, 0.0)
        by = pd.Series(named).groupby(h["who"].to_numpy()).sum()
        sigma = np.sqrt(
            ((money @ self.table.loadings) ** 2).sum() + ((self.table.idiosyncratic[klass] * inside) ** 2).sum()
        )
        months = f.reserve.months_owner if facts["owner"] else f.reserve.months
        need = facts["spending"] + (facts["service"] + extra) / 12
        excess = {
            "reserve": months * need - value[self.flags["reserve"][klass] & h["free"].to_numpy()].sum(),
            "volatility": sigma - band.volatility * (total - debt),
            "single": np.clip(named - band.limits["single_holding"] * total, 0, None).sum(),
            "issuer": np.clip(by.to_numpy() - band.limits["issuer"] * total, 0, None).sum(),
            "leverage": debt - band.limits["leverage"] * total,
        }
        for name in ("property", "business", "illiquid"):
            excess[name] = money[self.flags[name]].sum() - band.limits[name] * total
        for j, (code, span) in enumerate(band.buckets.items()):
            part = money @ f.in_bucket[:, j]
            if span.low:
                excess[f"{code} low"] = span.low * total - part
            if span.high is not None and span.high < 1:
                excess[f"{code} high"] = part - span.high * total
        for code, span in band.groups.items():
            if span.low:
                excess[f"group {code}"] = span.low * total - money @ f.in_group[:, f.group_codes.index(code)]
        return {k: bool(v / start > 1e-6) for k, v in excess.items()}


def test_loop_and_package_agree(benchmark: Any) -> None:
    """The comparison is worth something only when both sides compute the same."""
    a, scenarios = analyze(random_book(60), on=ON), ten()
    loop = benchmark.pedantic(Loop(a, scenarios).run, rounds=1)
    s = stress(a, scenarios).summary
    assert loop["client_id"].tolist() == s["client_id"].tolist()
    assert loop["scenario"].tolist() == s["scenario"].tolist()
    for column in loop.columns[2:]:
        assert s[column].tolist() == pytest.approx(loop[column].tolist(), rel=1e-9, abs=1e-6, nan_ok=True), column
    assert loop["limits_new"].sum() > 50
    assert (loop["short"] > 0).sum() > 10


def test_ten_scenarios_for_a_large_book(benchmark: Any, request: pytest.FixtureRequest) -> None:
    scenarios = ten()
    assert len(scenarios.scenarios) == 10
    large = analyze(random_book(CLIENTS), on=ON)
    loop = Loop(analyze(random_book(LOOPED), on=ON), scenarios)
    stress(loop_book := analyze(random_book(1000), on=ON), scenarios)
    assert len(loop_book) == 1000
    looped, whole = Clock(), Clock()

    def between() -> None:  # in turns, so that a machine that slows down slows both
        looped(loop.run)

    benchmark.pedantic(lambda: whole(lambda: stress(large, scenarios)), setup=between, rounds=3)
    per_client = median(looped.cpu) / LOOPED
    ratio = per_client * CLIENTS / median(whole.cpu)
    benchmark.extra_info |= {
        "clients": CLIENTS,
        "holdings": CLIENTS * HOLDINGS,
        "scenarios": 10,
        "loop_cpu_ms_per_client": round(per_client * 1e3, 3),
        "package_wall_s": round(median(whole.wall), 2),
        "ratio": round(ratio, 1),
    }
    tell(
        request,
        f"ten scenarios, {CLIENTS:,} clients × {HOLDINGS}: {median(whole.cpu):.2f} s of processor "
        f"({median(whole.wall):.2f} s on the wall); a loop {per_client * 1e3:.2f} ms a client, "
        f"{per_client * CLIENTS:.0f} s for all; ratio {ratio:.0f}",
    )
    assert ratio >= FLOOR
