"""The call list against reasons counted client by client, its order, its rules as data, and reasons of one's own."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import random_analysis
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.firewall import fail, judge
from allocator.whole_book.calls import call_list, load_call_rules
from allocator.whole_book.facts import BookFacts, facts
from allocator.whole_book.reasons import REASONS, OwnReason, Signal

RULES = load_call_rules()
NAN = math.nan


def weigh(code: str, severity: float, money: float, days: float) -> float:
    """The factor of one reason, written again from the words of the rules file."""
    m, d = RULES.money, RULES.deadline
    if math.isnan(money) or money <= m.small:
        g = m.least
    elif money >= m.large:
        g = 1.0
    else:
        g = m.least + (1 - m.least) * math.log(money / m.small) / math.log(m.large / m.small)
    if math.isnan(days):
        h = d.none
    elif days <= 0:
        h = 1.0
    else:
        h = max(d.least, 1 - (1 - d.least) * days / d.days)
    return RULES.reasons[code].weight * severity * g * h


def counted(a: al.Analysis, i: int) -> dict[str, tuple[float, float, float]]:
    """Severity, money and days of every reason for one client, by plain arithmetic over the tables of the analysis."""
    s, p, e = a.summary.iloc[i], a.positions, a.exposures
    rate = p.rates.get(s["currency"], NAN)
    out: dict[str, tuple[float, float, float]] = {}

    def note(code: str, severity: float, money: float, days: float = NAN) -> None:
        severity = min(max(severity, 0.0), 1.0)
        if severity > 0:
            out[code] = (severity, money * rate, days)

    total, equity, flow = float(s["total"]), float(s["equity"]), float(p.cash_flow[i])
    if s["status"] == "insolvent":
        note("insolvent", 1.0, max(-equity, 0.0))
    if s["status"] == "no_band":
        note("no_band", 1.0, total)
    if flow < 0:
        note("withdrawal", -flow / e.liquid[i] if e.liquid[i] > 0 else 1.0, -flow, 0.0)
    if flow > 0:
        note("new_money", flow / total if total > 0 else 1.0, flow, 0.0)
    if p.guarantees[i] > 0:
        note("guarantees", p.guarantees[i] / equity if equity > 0 else 1.0, float(p.guarantees[i]))
    if e.unclassified[i] > 0:
        note("unclassified", e.unclassified[i] / (e.unclassified[i] + total), float(e.unclassified[i]))
    limits = {(x.name, x.sense): x.family for x in a.limit_table.limits}
    worst: dict[str, list[tuple[float, float]]] = {}
    for r in a.limits[a.limits["client_id"] == s["client_id"]].to_dict("records"):
        if r["exceeded"]:
            sign = 1 if r["sense"] == "<=" else -1
            known = math.isfinite(r["value"]) and r["bound"] > 0
            away = min((r["value"] - r["bound"]) * sign / r["bound"], 1.0) if known else 1.0
            worst.setdefault(limits[str(r["limit"]), r["sense"]], []).append((away, r["excess"] * total))
    for family, rows in worst.items():
        note(family, max(x[0] for x in rows), max(x[1] for x in rows))
    soon = []
    for j in range(p.start[i], p.start[i + 1]):
        until = p.until[j]
        if not np.isnat(until) and not p.pledged[j] and p.pace[j] > 0 and p.value[j] > 0:
            days = (until.astype("datetime64[D]").astype(object) - a.on).days
            if 0 < days <= RULES.reasons["lock_ends"].horizon:
                soon.append((days, float(p.value[j])))
    if soon:
        money = math.fsum(x[1] for x in soon)
        note("lock_ends", money / total if total > 0 else 1.0, money, float(min(x[0] for x in soon)))
    mine = a.issues[a.issues["client_id"] == s["client_id"]]
    errors = int((mine["severity"] == "error").sum())
    if errors:
        note("data", 1 - 0.5**errors, NAN)
    over = math.fsum(
        float(v) - float(m)
        for v, m, c in zip(mine["value"], mine["mend"], mine["code"], strict=True)
        if c == "insured_amount"
    )
    if over > 0:
        note("above_insured", over / total if total > 0 else 1.0, over)
    fallen = fail(a)
    months, status = judge(a, fallen, 3.0)
    if status[i] == "insolvent_after":
        note("firm_failure", 1.0, -float(fallen.net_worth[i]))
    if status[i] == "short_of_cash":
        note("firm_failure", 1 - months[i] / 3.0, 3.0 * e.need[i] - fallen.liquid[i])
    return out


@pytest.mark.parametrize("seed", range(4))
def test_every_reason_and_every_point_recounted(seed: int) -> None:
    a = random_analysis(seed)
    a = replace(a, on=dt.date(2026, 12, 1))  # two months before locks of the worlds end
    found = call_list(a)
    why = {c: t.to_dict("records") for c, t in found.why.groupby("client_id")}
    points: dict[str, tuple[float, float]] = {}
    for i, client in enumerate(a.client_ids):
        reasons = counted(a, i)
        told = {r["reason"]: r for r in why.get(client, [])}
        assert set(told) == set(reasons)
        left = 1.0
        for code, (severity, money, days) in reasons.items():
            r = told[code]
            assert r["severity"] == pytest.approx(severity)
            assert r["money"] == pytest.approx(money, nan_ok=True)
            assert r["days"] == pytest.approx(days, nan_ok=True)
            x = weigh(code, severity, money, days)
            assert r["points"] == pytest.approx(100 * x)
            left *= 1 - x
        if reasons:
            known = [m for _, m, _ in reasons.values() if not math.isnan(m)]
            points[client] = (100 * (1 - left), max(known, default=-math.inf))
            assert sum(r["part"] for r in told.values()) == pytest.approx(1.0)
    rows = found.calls.to_dict("records")
    order = sorted(points, key=lambda c: (-round(points[c][0], 9), -points[c][1], c))
    assert [r["client_id"] for r in rows] == order
    assert [r["rank"] for r in rows] == list(range(1, len(rows) + 1))
    assert [r["points"] for r in rows] == pytest.approx([points[c][0] for c in order])
    for r in rows:
        mine = why[r["client_id"]]
        assert r["reasons"].split(", ") == [x["reason"] for x in mine]
        assert [x["points"] for x in mine] == sorted((x["points"] for x in mine), reverse=True)
        assert r["severity"] == max(x["severity"] for x in mine)
        days = [x["days"] for x in mine if not math.isnan(x["days"])]
        assert r["days"] == pytest.approx(min(days, default=NAN), nan_ok=True)


def test_a_plan_adds_its_own_reasons(sample: al.Book) -> None:
    plan = al.rebalance(al.analyze(sample, on=ON), explain=False)
    found = call_list(plan)
    s = plan.summary.set_index("client_id")
    assert found.not_judged == ("review",)
    unfunded = found.why[found.why["reason"] == "unfunded"]
    assert unfunded["client_id"].tolist() == s.index[s["status"] == "unfunded"].tolist()
    rate = [plan.before.positions.rates[plan.before.summary.set_index("client_id")["currency"][c]]
            for c in unfunded["client_id"]]  # fmt: skip
    assert unfunded["money"].tolist() == pytest.approx((s.loc[unfunded["client_id"], "missing"] * rate).tolist())
    ready = {c for c in s.index if s["trades"][c] > 0 and s["limits_after"][c] < s["limits_before"][c]}
    assert set(found.why.loc[found.why["reason"] == "plan", "client_id"]) == ready
    one = sorted(ready)[0]
    told = found.select(one).set_index("reason").loc["plan"]
    assert told["severity"] == pytest.approx(
        (s["limits_before"][one] - s["limits_after"][one]) / s["limits_before"][one]
    )


def test_reviews_of_the_ledger() -> None:
    a = al.analyze(make_book([(c, "x", "deposit", 1e5) for c in "abcd"]), on=ON)
    due = {"a": -5, "b": 0, "c": 15, "d": 31}
    table = pd.DataFrame({"client_id": list(due), "due": [ON + dt.timedelta(d) for d in due.values()]})
    found = call_list(a, reviews=table).why.query("reason == 'review'").set_index("client_id")
    assert found["days"].to_dict() == {"a": -5, "b": 0, "c": 15}
    assert found["severity"].to_dict() == {"a": 1.0, "b": 1.0, "c": 0.75}
    with pytest.raises(InputError, match="due"):
        call_list(a, reviews=table.drop(columns="due"))


# ---- the order


def test_permutation_changes_nothing_and_parts_keep_their_points() -> None:
    b = facts(random_analysis(5))
    whole = call_list(b)
    mixed = call_list(b.take(np.random.default_rng(1).permutation(len(b))))
    pd.testing.assert_frame_equal(whole.calls, mixed.calls, rtol=1e-12)
    pd.testing.assert_frame_equal(whole.why, mixed.why, rtol=1e-12)
    for advisor in b.clients["advisor"].unique():
        part = call_list(b, advisor=advisor)
        mine = whole.calls[whole.calls["advisor"] == advisor].reset_index(drop=True)
        pd.testing.assert_frame_equal(part.calls.drop(columns="rank"), mine.drop(columns="rank"), rtol=1e-12)
    assert whole.by_advisor["calls"].sum() == whole.by_tier["calls"].sum() == len(whole)


def test_the_unit_of_money_does_not_matter() -> None:
    rows = [("a", "x", "deposit", 4e3), ("a", "y", "listed_equity", 6e5), ("b", "z", "private_business", 9e5)]
    fen = [(c, n, k, v * 100) for c, n, k, v in rows]
    who = [{"client_id": c, "risk_band": "balanced", "guarantees": 1e4, "monthly_spending": 2e4} for c in "ab"]
    hundred = [w | {"currency": "FEN", "guarantees": 1e6, "monthly_spending": 2e6} for w in who]
    one = call_list(al.analyze(make_book(rows, who), on=ON))
    two = call_list(al.analyze(make_book(fen, hundred, fx=[{"currency": "FEN", "rate": 0.01}]), on=ON))
    pd.testing.assert_frame_equal(one.calls, two.calls, rtol=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e9), st.floats(-50, 400)), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_points_never_fall_when_a_reason_gets_worse_or_one_is_added(rows: list[tuple[float, float, float]]) -> None:
    b = facts(al.analyze(make_book([("a", "x", "deposit", 1e6)]), on=ON))

    def points(rows: list[tuple[float, float, float]]) -> float:
        own = [OwnReason(f"r{k}", 0.5, fixed(*row), ("r", "r")) for k, row in enumerate(rows)]
        found = call_list(b, own=own).calls
        return float(found["points"].iloc[0]) if len(found) else 0.0

    base = points(rows)
    assert 0 <= base <= 100
    assert points(rows[:-1]) <= base + 1e-9
    severity, money, days = rows[-1]
    for worse in ((min(severity + 0.1, 1), money, days), (severity, money * 3, days), (severity, money, days - 20)):
        assert points([*rows[:-1], worse]) >= base - 1e-9


def fixed(severity: float, money: float, days: float) -> Callable[[BookFacts, float], Signal]:
    def measure(b: BookFacts, horizon: float) -> Signal:
        del horizon
        return Signal(*(np.full(len(b), x) for x in (severity, money, days)))

    return measure


def test_a_client_without_a_rate_is_judged_by_shares_and_has_no_money() -> None:
    who = [{"client_id": c, "risk_band": "balanced", "currency": x} for c, x in (("a", "CHF"), ("b", "CNY"))]
    found = call_list(al.analyze(make_book([(c, "x", "private_business", 1e6) for c in "ab"], who), on=ON))
    assert "concentration" in found.select("a")["reason"].tolist()
    assert found.select("a")["money"].isna().all()
    assert found.select("b")["money"].max() > 0


def test_nobody_to_call() -> None:
    a = al.analyze(make_book([("a", "x", "deposit", 0.0)]), on=ON)
    found = call_list(a)
    assert len(found) == 0
    assert len(found.counts) == len(found.by_advisor) == 0
    assert "Call list of 0 of 1" in repr(found)


# ---- rules are data


def test_every_reason_has_weight_words_and_source() -> None:
    assert set(RULES.reasons) == set(REASONS)
    for rule in RULES.reasons.values():
        assert rule.en
        assert rule.zh
        assert rule.source.startswith("house judgement")


def test_a_bank_replaces_weights(tmp_path: Path, sample: al.Book) -> None:
    file = tmp_path / "calls.toml"
    file.write_text('extends = "standard"\nname = "own"\n[reasons.band]\nweight = 0.0\nzh = "本行用语"\n', "utf-8")
    a = al.analyze(sample, on=ON)
    found = call_list(a, rules=file)
    assert "band" not in set(found.why["reason"])
    assert "band" in set(call_list(a).why["reason"])
    assert found.words["band"][1] == "本行用语"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[reasons.nonsense]\nweight = 0.5\nen = 'a'\nzh = 'b'\nsource = 'c'\n", "nonsense"),
        ("[reasons.band]\nweight = 2\n", "reasons.band.weight"),
        ("[money]\nsmall = 10\nlarge = 5\n", "large"),
        ("[deadline]\nday = 3\n", "deadline.day"),
    ],
)
def test_wrong_rules_are_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "calls.toml"
    file.write_text(f'extends = "standard"\n{text}', "utf-8")
    with pytest.raises(ConfigError, match=said):
        load_call_rules(file)


def test_a_reason_of_ones_own(sample: al.Book) -> None:
    def old(b: BookFacts, horizon: float) -> Signal:
        del horizon
        hit = (b.clients["tier"] == "gold").to_numpy(float)
        return Signal(hit, b.money("total"), np.full(len(b), 10.0))

    a = al.analyze(sample, on=ON)
    found = call_list(a, own=[OwnReason("gold", 0.9, old, ("gold clients", "黄金客户"))])
    assert found.why.query("reason == 'gold'")["client_id"].tolist() == ["C020"]
    assert found.words["gold"] == ("gold clients", "黄金客户")
    with pytest.raises(ConfigError, match="taken"):
        call_list(a, own=[OwnReason("band", 0.9, old, ("a", "b"))])
    with pytest.raises(ConfigError, match="weight"):
        OwnReason("x", 1.5, old, ("a", "b"))


def test_real_families(shared: Callable[[str], Path]) -> None:
    a = al.analyze(al.read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)
    found = call_list(a)
    assert found.calls["client_id"].is_unique
    for i in range(0, len(a), 23):
        told = found.why[found.why["client_id"] == a.client_ids[i]]
        assert set(told["reason"]) == set(counted(a, i))
    exceeded: Any = a.summary.loc[a.summary["limits_exceeded"] > 0, "client_id"]
    assert set(exceeded) <= set(found.calls["client_id"])
