"""The analysis of a large book against a loop over clients with pandas, which is what one would write first."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytest

from allocator.analysis import Analysis
from allocator.assumptions import load_assumptions, risk_table
from allocator.book import Book
from allocator.cells import blank
from allocator.framework import Framework, load_framework
from allocator.issues import issue_table
from allocator.pipeline import analyze
from allocator.schema import TABLES
from allocator.validate import empty_table

ON = dt.date(2026, 9, 30)
CLIENTS, HOLDINGS, LOOPED = 100_000, 10, 300
FLOOR = 100.0
"""How many times faster the whole book must be, at least, than the loop."""


# ---- the book


def table(which: str, rows: int, **columns: Any) -> pd.DataFrame:
    """A typed table as validation hands it on, with the columns given and defaults for the rest."""
    made = {name: pd.Series(values) for name, values in columns.items()}
    filled = {c.name: made.get(c.name, blank(c, rows)) for c in TABLES[which]}
    return pd.DataFrame(filled).assign(row=np.arange(rows) + 2, file="benchmark")


def random_book(clients: int, seed: int = 20260930) -> Book:
    """Seeded clients with 10 holdings of all classes, issuers, locks, pledges and own firms; every second one owes."""
    rng = np.random.default_rng(seed)
    f = load_framework()
    rows, owing = clients * HOLDINGS, clients // 2
    ids = np.array([f"C{i:06d}" for i in range(clients)], dtype=object)
    who = np.repeat(ids, HOLDINGS)
    klass = np.array(f.class_codes, dtype=object)[rng.integers(len(f.classes), size=rows)]
    assets = np.tile([f"A{j:02d}" for j in range(HOLDINGS)], clients)
    issuers = np.array(["", *(f"Issuer {i}" for i in range(40))], dtype=object)
    days = np.array(["NaT", "2020-01-01", "2030-01-01"], dtype="datetime64[us]")
    tables = {
        "holdings": table(
            "holdings",
            rows,
            client_id=text(who),
            asset_id=text(assets),
            name=text(assets),
            asset_class=text(klass),
            value=np.round(np.exp(rng.normal(12.0, 1.5, rows)), 2),
            issuer=text(issuers[rng.integers(41, size=rows)]),
            locked_until=days[rng.choice(3, rows, p=[0.9, 0.05, 0.05])],
            pledged=rng.random(rows) < 0.03,
            own_company=np.isin(klass, ["private_business", "shareholder_loan"]),
        ),
        "clients": table(
            "clients",
            clients,
            client_id=text(ids),
            risk_band=text(np.array(["C1", "C3", "积极型"])[rng.integers(3, size=clients)]),
            monthly_spending=np.round(np.exp(rng.normal(10.0, 0.6, clients)), 2),
            guarantees=np.round(np.where(rng.random(clients) < 0.1, 1e6, 0.0), 2),
        ),
        "debts": table(
            "debts",
            owing,
            client_id=text(ids[rng.integers(clients, size=owing)]),
            value=np.round(np.exp(rng.normal(12.5, 1.0, owing)), 2),
            annual_payment=np.round(rng.random(owing) * 1e5, 2),
        ),
    }
    given = frozenset({"clients.risk_band", "holdings.own_company"})
    counts = pd.DataFrame(columns=["table", "file", "read", "used", "set_aside", "ignored"])
    return Book(**{t: tables.get(t, empty_table(t)) for t in TABLES}, issues=issue_table(), counts=counts, given=given)


def text(values: Any) -> pd.Series:
    return pd.Series(values, dtype="str")


# ---- the loop


class Loop:
    """Client by client with pandas: what is shared is prepared once, outside the time that is taken."""

    def __init__(self, book: Book, framework: Framework) -> None:
        f, r = framework, risk_table(framework, load_assumptions(framework.assumptions))
        self.f, self.codes, self.covariance, self.borrowing = f, f.class_codes, r.covariance, r.borrowing_rate
        classes = pd.DataFrame(
            {
                "asset_class": f.class_codes,
                "bucket": [c.bucket for c in f.classes.values()],
                "inside": f.flag("inside") > 0,
                "named": f.flag("name") > 0,
                "reserve": f.flag("reserve") > 0,
                "idiosyncratic": r.idiosyncratic,
                "mean": r.mean,
            }
        )
        classes["asset_class"] = classes["asset_class"].astype("str")
        h = book.holdings.merge(classes, on="asset_class", how="left")
        h["free"] = ~(h["pledged"] | (h["locked_until"] > pd.Timestamp(ON)))
        h["who"] = h["issuer"].str.casefold().where(h["issuer"] != "", h["asset_id"])
        self.holdings, self.clients = h, book.clients.set_index("client_id")
        self.debts = {c: (d["value"].sum(), d["annual_payment"].sum()) for c, d in book.debts.groupby("client_id")}
        self.shares = {
            name: pd.Series(f.share(name), index=f.class_codes)
            for name in ("property", "business", "illiquid", *(f"group:{g}" for g in f.groups))
        }

    def run(self) -> pd.DataFrame:
        """Measure every client."""
        return pd.DataFrame([self.measure(str(c), h) for c, h in self.holdings.groupby("client_id", sort=False)])

    def measure(self, client: str, h: pd.DataFrame) -> dict[str, Any]:
        """Buckets, exposures of all rules, score, volatility, return and limits of one client."""
        facts, f = self.clients.loc[client], self.f
        band = f.bands[f.band_aliases[facts["risk_band"].casefold()]]
        debt, service = self.debts.get(client, (0.0, 0.0))
        inside = h[h["inside"]]
        total = inside["value"].sum()
        equity = total - debt
        named = inside[inside["named"]]
        by_issuer = named.groupby("who")["value"].sum()
        money = inside.groupby("asset_class")["value"].sum().reindex(self.codes, fill_value=0.0)
        buckets = inside.groupby("bucket")["value"].sum().reindex(f.bucket_codes, fill_value=0.0)
        need = facts["monthly_spending"] + service / 12
        liquid = h.loc[h["reserve"] & h["free"], "value"].sum()
        owner = bool((h["own_company"] & (h["value"] > 0)).any())
        share = {name: (money * members).sum() / total for name, members in self.shares.items()}
        exposure = {
            "single_holding": named["value"].max() / total if len(named) else 0.0,
            "issuer": by_issuer.max() / total if len(by_issuer) else 0.0,
            "property": share["property"],
            "business": share["business"],
            "illiquid": share["illiquid"],
            "reserve_months": liquid / need,
            "leverage": debt / total,
            "own_company": (inside.loc[inside["own_company"], "value"].sum() + facts["guarantees"]) / total,
        }
        left = 1.0
        for name, rule in f.rules.items():
            lo, hi = (rule.lo_owner, rule.hi_owner) if owner and rule.lo_owner is not None else (rule.lo, rule.hi)
            left *= 1 - rule.weight * min(max((exposure[name] - lo) / (hi - lo), 0.0), 1.0)
        x = money.to_numpy()
        sigma = float(np.sqrt(x @ self.covariance @ x + ((inside["idiosyncratic"] * inside["value"]) ** 2).sum()))
        excess = {
            "reserve_months": (f.reserve.months_owner if owner else f.reserve.months) * need - liquid,
            "volatility": sigma - band.volatility * equity,
            "single_holding": (named["value"] - band.limits["single_holding"] * total).clip(lower=0).sum(),
            "issuer": (by_issuer - band.limits["issuer"] * total).clip(lower=0).sum(),
            "leverage": debt - band.limits["leverage"] * total,
        }
        excess |= {n: (share[n] - band.limits[n]) * total for n in ("property", "business", "illiquid")}
        for bucket, span in band.buckets.items():
            excess[f"{bucket} low"] = (span.low or 0.0) * total - buckets[bucket]
            excess[f"{bucket} high"] = buckets[bucket] - (1.0 if span.high is None else span.high) * total
        for g, span in band.groups.items():
            excess[f"{g} low"] = ((span.low or 0.0) - share[f"group:{g}"]) * total
        mean = (inside["mean"] * inside["value"]).sum() - self.borrowing * debt
        return {
            "client_id": client,
            "total": total,
            "equity": equity,
            "score": 100 * (1 - left),
            "volatility": sigma / equity if equity > 0 else np.nan,
            "expected_return": mean / equity if equity > 0 else np.nan,
            "reserve_months": exposure["reserve_months"],
            "limits_exceeded": sum(max(v, 0.0) / total > 1e-6 for v in excess.values()),
            **(buckets / total),
        }


# ---- measured


class Clock:
    """Seconds on the wall and of the processor, for each of several calls; ratios go by the processor.

    Other programs on the same machine double the one and hardly touch the other.
    """

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def __call__(self, work: Callable[[], Any]) -> Any:
        """Run and note the time."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return result


def all_tables(a: Analysis) -> Analysis:
    """What a reader may look at is made when first asked for."""
    assert len(a.summary) == len(a)
    assert len(a.buckets) + len(a.rules) + len(a.limits) + len(a.holdings)
    return a


def tell(request: pytest.FixtureRequest, line: str) -> None:
    """Print a line past pytest's capture."""
    plugins = request.config.pluginmanager
    with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
        plugins.get_plugin("terminalreporter").write_line(f"\n{line}")


@pytest.fixture(scope="module")
def large() -> Book:
    return random_book(CLIENTS)


def test_loop_and_package_agree(benchmark: Any) -> None:
    """The comparison is worth something only when both sides compute the same."""
    book = random_book(60)
    loop = benchmark.pedantic(Loop(book, load_framework()).run, rounds=1).set_index("client_id")
    s = analyze(book, on=ON).summary.set_index("client_id")
    for column in loop.columns:
        assert s[column].tolist() == pytest.approx(loop[column].tolist(), rel=1e-9, abs=1e-9, nan_ok=True), column
    assert loop["limits_exceeded"].nunique() > 3
    assert loop["score"].nunique() > 30


def test_analysis_of_a_large_book(benchmark: Any, large: Book, request: pytest.FixtureRequest) -> None:
    loop = Loop(random_book(LOOPED), load_framework())
    loop.run()
    analyze(random_book(1000), on=ON)
    looped, whole, shown = Clock(), Clock(), Clock()

    def between() -> None:  # in turns, so that a machine that slows down slows both
        looped(loop.run)

    benchmark.pedantic(lambda: whole(lambda: analyze(large, on=ON)), setup=between, rounds=5)
    shown(lambda: all_tables(analyze(large, on=ON)))
    per_client = median(looped.cpu) / LOOPED
    ratio, with_tables = per_client * CLIENTS / median(whole.cpu), per_client * CLIENTS / shown.cpu[0]
    on_the_wall = median(looped.wall) / LOOPED * CLIENTS / median(whole.wall)
    benchmark.extra_info |= {
        "clients": CLIENTS,
        "holdings": CLIENTS * HOLDINGS,
        "loop_cpu_ms_per_client": round(per_client * 1e3, 3),
        "package_cpu_us_per_client": round(median(whole.cpu) / CLIENTS * 1e6, 2),
        "package_wall_s": round(median(whole.wall), 2),
        "ratio": round(ratio, 1),
        "ratio_on_the_wall": round(on_the_wall, 1),
        "ratio_with_tables": round(with_tables, 1),
    }
    tell(
        request,
        f"{CLIENTS:,} clients × {HOLDINGS}: {median(whole.cpu):.2f} s of processor ({median(whole.wall):.2f} s on the "
        f"wall), with every table {shown.cpu[0]:.2f} s; a pandas loop {per_client * 1e3:.2f} ms a client, "
        f"{per_client * CLIENTS:.0f} s for all; ratio {ratio:.0f} (wall {on_the_wall:.0f}, tables {with_tables:.0f})",
    )
    assert ratio >= FLOOR
