"""Plans as JSON, as others rely on it: every promise of the contract recounted from the numbers that are printed."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SAMPLE
from contract.bands import BANDS, BUCKETS, CLASSES, grade

from allocator.cli import main

DAY = ("--date", "2026-09-30")
SCORED = ("no_trade", "in_band", "improved", "stuck")
STATUSES = {*SCORED, "unfunded", "insolvent", "invalid"}
CENT = 0.0051
SIDES = ("buy", "sell", "repay")
Found = dict[str, Any]
KEYS = {
    "client_id", "band", "currency", "total", "net_worth", "equity", "buckets", "concentration", "risk", "reserve",
    "limits", "holdings",
}  # fmt: skip
PLAN = {"status", "objective", "gap", "cost", "turnover", "trades", "after", "obstacles", "certificate"}


def random_book(folder: Path) -> None:
    """Families with locks, whole flats, gains, money due in and out, and every risk band."""
    r = np.random.default_rng(8)
    holdings, clients = [], []
    codes = [c for c in CLASSES if c != "derivative"]
    for i in range(24):
        client = f"c{i:02d}"
        for j in range(int(r.integers(2, 8))):
            code = str(r.choice(codes))
            value = round(float(np.exp(r.normal(13, 1))), 2)
            holdings.append(
                {
                    "client_id": client, "asset_id": f"A{j}", "name": f"n{j}", "asset_class": code, "value": value,
                    "cost_basis": round(value * float(r.uniform(0.3, 1.3)), 2) if r.random() < 0.5 else "",
                    "locked_until": "2027-06-30" if r.random() < 0.15 else "",
                    "sellable": str(r.choice(["", "0", "0.002", "0.5"], p=[0.7, 0.1, 0.1, 0.1])),
                    "indivisible": str(code == "investment_property" and bool(r.random() < 0.5)).lower(),
                }
            )  # fmt: skip
        clients.append(
            {
                "client_id": client, "risk_band": str(r.choice(list(BANDS))), "monthly_spending": 10000,
                "cash_flow": float(r.choice([0, 0, 0, 2e5, -2e5])),
            }
        )  # fmt: skip
    pd.DataFrame(holdings).to_csv(folder / "holdings.csv", index=False)
    pd.DataFrame(clients).to_csv(folder / "clients.csv", index=False)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """What ``rebalance --json`` prints of the sample book and of made-up families."""
    folder = tmp_path_factory.mktemp("random")
    random_book(folder)
    out = {}
    for name, book in (("sample", SAMPLE), ("random", folder)):
        file = folder / f"{name}.json"
        with pytest.MonkeyPatch.context() as patch, file.open("w", encoding="utf-8") as stream:
            patch.setattr("sys.stdout", stream)
            assert main(["rebalance", str(book), "--json", "--lang", "en", *DAY]) in (0, 3, 4)
        out[name] = json.loads(file.read_text("utf-8"), parse_constant=lambda x: pytest.fail(f"{x} is no JSON"))
    return out


@pytest.fixture(scope="module", params=["sample", "random"])
def found(request: pytest.FixtureRequest, printed: dict[str, Found]) -> Found:
    return printed[request.param]


def planned(found: Found) -> list[Found]:
    return [c for c in found["clients"] if c["plan"]["status"] in SCORED]


def by_limit(limits: list[Found]) -> dict[tuple[str, str], Found]:
    return {(x["limit"], x["sense"]): x for x in limits}


def test_the_object(found: Found) -> None:
    assert (found["schema"], type(found["clients"]), type(found["issues"])) == ("allocator/1", list, list)
    for c in found["clients"]:
        assert set(c) >= KEYS
        assert set(c["plan"]) >= PLAN
        assert c["plan"]["status"] in STATUSES
        assert list(c["buckets"]) == list(BUCKETS)
        assert set(c["buckets"]["growth"]) >= {"value", "share", "target", "low", "high"}
        assert set(c["concentration"]) >= {"score", "grade", "rules"}
        assert set(c["risk"]) >= {"volatility", "limit", "expected_return", "leverage"}
        assert set(c["reserve"]) >= {"months", "needed"}
        for t in c["plan"]["trades"]:
            assert set(t) >= {"asset_id", "name", "side", "amount", "cost", "reason"}
            assert t["reason"]
        for o in c["plan"]["obstacles"]:
            assert set(o) >= {"obstacle", "excess", "distance", "volatility"}
        after = c["plan"]["after"]
        assert set(after) >= {"buckets", "concentration", "risk", "reserve", "limits", "holdings"}


def test_amounts_are_whole_cents(found: Found) -> None:
    for c in found["clients"]:
        p = c["plan"]
        money = [c["total"], c["net_worth"], c["equity"], p["cost"], *(b["value"] for b in c["buckets"].values())]
        money += [t[k] for t in p["trades"] for k in ("amount", "cost", "tax")] + [h["value"] for h in c["holdings"]]
        assert [m for m in money if m is not None and abs(m * 100 - round(m * 100)) > 1e-4] == []


def test_buckets_score_and_limits_of_both_states(found: Found) -> None:
    for c in planned(found):
        for s in (c, c["plan"]["after"]):
            inside = [h for h in s["holdings"] if h["bucket"] in BUCKETS]
            total = sum(h["value"] for h in inside)
            assert s["total"] == pytest.approx(total, abs=0.02)
            assert sum(h["weight"] for h in inside) == pytest.approx(1, abs=1e-9)
            for code, b in s["buckets"].items():
                assert b["share"] == pytest.approx(sum(h["weight"] for h in inside if h["bucket"] == code), abs=1e-9)
            left = 1.0
            for r in s["concentration"]["rules"]:
                left *= 1 - r["weight"] * r["severity"]
            assert s["concentration"]["score"] == pytest.approx(100 * (1 - left), abs=1e-9)
            assert s["concentration"]["grade"] == grade(s["concentration"]["score"])
            assert s["risk"]["leverage"] == pytest.approx(s["total"] / s["equity"])


def test_trades_make_the_state_after_and_money_is_conserved(found: Found) -> None:
    moved = 0
    for c in planned(found):
        p, change = c["plan"], defaultdict(float)
        sums = {side: round(sum(t["amount"] for t in p["trades"] if t["side"] == side), 2) for side in SIDES}
        for t in p["trades"]:
            assert t["amount"] > 0
            if t["side"] != "repay":
                change[t["asset_id"]] += t["amount"] if t["side"] == "buy" else -t["amount"]
        before, after = ({h["asset_id"]: h["value"] for h in s["holdings"]} for s in (c, p["after"]))
        for name in {*before, *after, *change}:
            assert after.get(name, 0.0) == pytest.approx(before.get(name, 0.0) + change[name], abs=CENT)
            assert after.get(name, 0.0) >= 0
        cost, tax = (sum(t[k] for t in p["trades"]) for k in ("cost", "tax"))
        due = flows(found).get(c["client_id"], 0.0)
        assert sums["sell"] - sums["buy"] - sums["repay"] - cost - tax + due == pytest.approx(0, abs=CENT)
        assert (p["cost"], p["tax"]) == pytest.approx((cost, tax), abs=CENT)
        assert p["turnover"] == pytest.approx((sums["buy"] + sums["sell"]) / 2 / c["total"], abs=1e-9)
        moved += bool(p["trades"])
    assert moved > 10


def flows(found: Found) -> dict[str, float]:
    """Money due, which the object does not print: what is missing between both states, but for costs."""
    out = {}
    for c in planned(found):
        p = c["plan"]
        gone = p["cost"] + p["tax"] + p["repaid"]
        due = p["after"]["total"] - c["total"] + gone
        if abs(due) > 0.05:
            out[c["client_id"]] = round(due, 2)
    assert set(out.values()) <= {2e5, -2e5, 6e6, -2.4e6}  # the ones in the tables
    return out


def test_no_limit_is_worse_and_the_status_says_what_holds(found: Found) -> None:
    for c in planned(found):
        p = c["plan"]
        checks = {(x["check"], x["sense"]): x for x in p["certificate"]["checks"]}
        assert p["certificate"]["holds"] is True
        after = by_limit(p["after"]["limits"])
        assert set(after) == set(by_limit(c["limits"]))
        for key, limit in after.items():
            if limit["value"] is None:
                continue  # the spending is not given
            check = checks[key]
            worse = check["excess_after"] > check["excess_before"] + 1e-6
            assert not worse or check["verdict"] == "untouched", key
            assert check["excess_after"] == pytest.approx(limit["excess"], abs=1e-8)
            assert limit["exceeded"] == (check["verdict"] != "holds")
        exceeded = any(x["exceeded"] for x in after.values())
        assert exceeded == (p["status"] in ("improved", "stuck"))
        due = c["client_id"] in flows(found)
        assert bool(p["trades"]) == (p["status"] in ("in_band", "improved")) or due


def test_nothing_above_the_grade_is_bought_and_nothing_locked_is_sold(found: Found) -> None:
    """R2 for conservative, R3 for balanced clients: shares are R4, property R4, private equity R5."""
    risky = {"listed_equity": 4, "investment_property": 4, "private_business": 5, "private_equity": 5, "equity_fund": 3}
    for c in planned(found):
        for t in c["plan"]["trades"]:
            if t["side"] == "buy" and c["band"]:
                assert risky.get(t["asset_class"], 1) <= BANDS[c["band"]].grade


def test_drift_rule(found: Found) -> None:
    """No trades exactly when every limit holds and no bucket is off by 5 points or a quarter of its target."""
    for c in planned(found):
        if c["client_id"] in flows(found):
            continue
        off = [abs(b["drift"]) >= min(0.05, 0.25 * b["target"]) for b in c["buckets"].values()]
        still = not any(x["exceeded"] for x in c["limits"]) and not any(off)
        assert still == (c["plan"]["status"] == "no_trade")


def test_insolvent_is_reported_and_never_planned(found: Found) -> None:
    for c in found["clients"]:
        if c["total"] > 0 and c["equity"] <= 0:
            assert c["plan"]["status"] == "insolvent"
        if c["plan"]["status"] == "insolvent":
            assert c["plan"]["trades"] == []


def test_a_withdrawal_that_nothing_can_pay_names_what_is_missing(printed: dict[str, Found]) -> None:
    (one,) = [c["plan"] for c in printed["sample"]["clients"] if c["plan"]["status"] == "unfunded"]
    assert one["missing"] > 0
    assert one["trades"] == []


def test_unclassified_blocks_a_plan_with_the_row(printed: dict[str, Found]) -> None:
    (one,) = [c for c in printed["sample"]["clients"] if c["plan"]["status"] == "invalid"]
    assert one["unclassified"] > 0
    assert "unclassified" in {h["bucket"] for h in one["holdings"]}
    assert one["plan"]["reason_row"]
    assert one["plan"]["reason"]
