"""Findings counted once more in plain Python, wherever they are kept and in whatever order."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from histories import DAYS, PLACES, RATES, analysed, analyses, one, place
from told import POLICY, deposit, kept, shares, told

import allocator as al
from allocator.analysis import Analysis
from allocator.errors import InputError
from allocator.ledger.diff import FINDINGS, STATES, Diff
from allocator.ledger.kinds import findings
from allocator.limits import TOLERANCE

# ---- a recount


def recount(a: Analysis, b: Analysis) -> set[tuple[str, str, str]]:
    """Findings between two analyses by loops over their tables: (client, finding, subject)."""
    out: set[tuple[str, str, str]] = set()
    old, new = ({r["client_id"]: r for r in x.summary.to_dict("records")} for x in (a, b))
    rate = {c: RATES.set_index("currency")["rate"][r["currency"]] for c, r in {**old, **new}.items()}
    was_rate = {c: RATES.set_index("currency")["rate"][r["currency"]] for c, r in old.items()}
    factor = {c: was_rate[c] / rate[c] for c in old if c in new}
    held: list[dict[tuple[str, str], tuple[float, float, str, str, float]]] = [{}, {}]
    for k, x in enumerate((a, b)):
        p, h = x.positions, x.holdings
        for (_, r), units in zip(h.iterrows(), p.quantity, strict=True):
            home = (old, new)[k][r["client_id"]]["currency"]
            if math.isnan(units) and r["asset_class"] in ("deposit", "money_market"):
                at = RATES.set_index("currency")["rate"]
                units = r["value"] / (at[r["currency"]] / at[home])
            held[k][r["client_id"], r["asset_id"]] = (r["value"], units, r["asset_class"], r["currency"], r["weight"])
    cash: dict[str, float] = defaultdict(float)
    for key in held[0].keys() | held[1].keys():
        who = key[0]
        if who not in factor:
            continue
        v0, q0, k0, c0, w0 = held[0].get(key, (0.0, 0.0, "", "", 0.0))
        v1, q1, k1, c1, w1 = held[1].get(key, (0.0, 0.0, "", "", 0.0))
        flow = v1 - v0 * factor[who]
        both = key in held[0] and key in held[1]
        if both and c0 == c1 and not math.isnan(q0 + q1):
            flow = (q1 - q0) * v1 / q1
        if (k1 or k0) in ("deposit", "money_market"):
            cash[who] += flow
        if not both and max(w0, w1) >= 0.05:
            out.add((who, "holding_new" if key in held[1] else "holding_gone", key[1]))
    for who in old.keys() | new.keys():
        if who not in old:
            out.add((who, "client_new", ""))
        elif who not in new:
            out.add((who, "client_gone", ""))
        else:
            o, n = old[who], new[who]
            least = 0.1 * o["total"] * factor[who]
            if n["currency"] in POLICY.flow.absolute:
                least = min(least, POLICY.flow.absolute[n["currency"]])
            if abs(cash[who]) >= least:
                out.add((who, "inflow" if cash[who] > 0 else "outflow", ""))
            for column in ("band", "currency"):
                if o[column] != n[column]:
                    out.add((who, f"{column}_changed", f"{o[column]}>{n[column]}"))
            if abs(n["score"] - o["score"]) >= 10:
                out.add((who, "score_rise" if n["score"] > o["score"] else "score_fall", ""))
    return out | holding_now(b)


def holding_now(b: Analysis) -> set[tuple[str, str, str]]:
    """What lasts, by the analysis of one day."""
    out = set()
    for r in b.limits.to_dict("records"):
        if r["exceeded"] and not r["limit"].startswith("bucket:"):
            out.add((r["client_id"], "breach", f"{r['limit']}{r['sense']}"))
    for r in b.buckets.to_dict("records"):
        if r["share"] < r["low"] - TOLERANCE or r["share"] > r["high"] + TOLERANCE:
            out.add((r["client_id"], "drift", r["bucket"]))
    return out | {(c, "insolvent", "") for c, s in zip(b.client_ids, b.status, strict=True) if s == "insolvent"}


def expected(history: list[Analysis]) -> dict[tuple[str, str, str], tuple[str, Any]]:
    """State and since of every finding between the last two of a history."""
    found = [holding_now(history[0]), *(recount(a, b) for a, b in pairwise(history))]
    days = [a.on for a in history]
    out = {}
    for key in found[-1]:
        k = len(found) - 1
        while k > 0 and key in found[k - 1]:
            k -= 1
        out[key] = ("persistent" if k < len(found) - 1 else "new", days[k])
    for key in found[-2] - found[-1]:
        if findings()[key[1]].lasting:
            k = len(found) - 2
            while k > 0 and key in found[k - 1]:
                k -= 1
            out[key] = ("resolved", days[k])
    return out


def as_told(diff: Diff) -> dict[tuple[str, str, str], tuple[str, Any]]:
    return {
        (r["client_id"], r["finding"], r["subject"]): (r["state"], r["since"].date())
        for r in diff.findings.to_dict("records")
    }


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("seed", range(3))
def test_a_recount_finds_the_same_wherever_it_is_kept(seed: int, kind: str, request: pytest.FixtureRequest) -> None:
    history = analyses(seed)
    with place(kind, request) as at:
        ledger = al.Ledger(at)
        for k, a in enumerate(history):
            ledger.add(a)
            if k == 3 or (k and kind == "folder"):
                assert as_told(ledger.diff()) == expected(history[: k + 1])
        diff = ledger.diff()
    assert list(diff.findings.columns) == list(FINDINGS)
    assert set(diff.findings["state"]) <= set(STATES)
    moved = diff.clients.dropna(subset=["flow"])
    total = moved["total_after"] - moved["total_before"]
    parts = moved[["flow", "revaluation", "untold"]].sum(axis=1)
    assert np.allclose(parts, total, atol=0.05, rtol=1e-9)
    assert moved["total_after"].equals(diff.clients.loc[moved.index, "total_after"])


def test_the_order_of_the_book_makes_no_difference(tmp_path: Path) -> None:
    from histories import history

    rows = history(21)
    plain, mixed = al.Ledger(tmp_path / "a"), al.Ledger(tmp_path / "b")
    for k, (h, c) in enumerate(rows):
        plain.add(analysed(h, c, DAYS[k]))
        mixed.add(analysed(h.sample(frac=1, random_state=k), c.sample(frac=1, random_state=k), DAYS[k]))
    one_, other = plain.diff(), mixed.diff()
    order = ["client_id", "finding", "subject"]
    pd.testing.assert_frame_equal(
        one_.findings.sort_values(order, ignore_index=True), other.findings.sort_values(order, ignore_index=True)
    )
    pd.testing.assert_frame_equal(
        one_.clients.sort_values("client_id", ignore_index=True),
        other.clients.sort_values("client_id", ignore_index=True),
    )


def test_another_framework_is_said(tmp_path: Path) -> None:
    a = one([deposit(1e6)])
    b = al.analyze(al.read_book(pd.DataFrame([{"client_id": "a"} | deposit(1e6)])), "chhabra", on=DAYS[1])
    assert "framework_changed" in kept(tmp_path, a, b).diff().notices


def test_users_own_limits_bear_their_names(tmp_path: Path) -> None:
    own = al.limit("tech", 0.1, counts=lambda facts: facts["sector"] == "tech", words=("technology", "科技"))
    frame = pd.DataFrame([{"client_id": "a"} | deposit(1e6), {"client_id": "a"} | shares(100, 1e4, sector="tech")])
    a = al.analyze(al.read_book(frame, clients=pd.DataFrame([{"client_id": "a", "risk_band": "balanced"}])),
                   on=DAYS[0], limits=[own])  # fmt: skip
    diff = kept(tmp_path, a).diff()
    assert "tech<=" in {r["subject"] for r in told(diff, "breach")}
    assert diff.own == {"tech": ("technology", "科技")}


def test_a_client_of_a_diff(tmp_path: Path) -> None:
    diff = kept(tmp_path, *analyses(3)[:2]).diff()
    who = diff.clients["client_id"].iloc[0]
    assert set(diff.select(who)["findings"]["client_id"]) <= {who}
    with pytest.raises(InputError, match="no such client") as raised:
        diff.select("secret")
    assert "secret" not in str(raised.value)
    counted = diff.counts.set_index("finding")[list(STATES)].sum().sum()
    assert counted == len(diff.findings) == diff.clients[list(STATES)].sum().sum()
