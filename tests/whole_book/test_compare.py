"""What changes for whom, against a recount client by client; scenarios as analyses; different sets of clients."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from books import random_analysis, random_clients
from conftest import ON, make_book

import allocator as al
from allocator.errors import ConfigError, InputError
from allocator.whole_book.compare import compare
from allocator.whole_book.shocked import OWED, shocked


def flips(one: al.Analysis, two: al.Analysis, client: str) -> tuple[set[str], set[str]]:
    """Limits newly exceeded and no longer exceeded by one client, from the long tables."""
    sides = []
    for a in (one, two):
        rows = a.limits[(a.limits["client_id"] == client) & a.limits["exceeded"]]
        sides.append({f"{n}{s}" for n, s in zip(rows["limit"].astype(str), rows["sense"].astype(str), strict=True)})
    return sides[1] - sides[0], sides[0] - sides[1]


@pytest.mark.parametrize("other", ["chhabra", "china", "band", "scenario"])
def test_every_change_recounted(other: str) -> None:
    book = random_clients(1)
    one = al.analyze(book, on=ON)
    if other == "chhabra":
        two = al.analyze(book, "chhabra", on=ON)
    elif other == "china":
        two = al.analyze(book, assumptions="china", on=ON)
    elif other == "band":
        two = al.analyze(book, band="conservative", on=ON)
    else:
        two = shocked(one, "crash_2008")
    found = compare(one, two)
    rates = one.positions.rates
    before, after = (a.summary.set_index("client_id") for a in (one, two))
    changed, effects = 0, dict.fromkeys(found.effects["effect"], 0)
    for r in found.clients.to_dict("records"):
        c = r["client_id"]
        broken, mended = flips(one, two, c)
        assert set(filter(None, r["broken_limits"].split(", "))) == broken
        assert set(filter(None, r["mended_limits"].split(", "))) == mended
        assert (r["broken"], r["mended"]) == (len(broken), len(mended))
        b, a = before.loc[c], after.loc[c]
        rate = rates.get(b["currency"], math.nan)
        assert r["total_before"] == pytest.approx(b["total"] * rate, nan_ok=True)
        assert r["total_after"] == pytest.approx(a["total"] * rate, nan_ok=True)
        figures = [k for k in ("band", "status") if b[k] != a[k]]
        for k in ("score", "volatility"):
            if not (math.isnan(b[k]) or math.isnan(a[k])) and abs(a[k] - b[k]) > 1e-9:
                figures.append(f"{k}_{'up' if a[k] > b[k] else 'down'}")
        for k in (*figures, *(["broken"] if broken else []), *(["mended"] if mended else [])):
            effects[k] += 1
        differs = bool(figures or broken or mended) or math.isnan(b["volatility"]) != math.isnan(a["volatility"])
        if not math.isnan(rate):
            differs |= abs(a["total"] - b["total"]) * rate > 0.005
        assert r["changed"] >= differs
        changed += r["changed"]
    effects["changed"] = changed
    assert dict(zip(found.effects["effect"], found.effects["clients"], strict=True)) == effects
    assert len(found.changed) == changed
    moved = found.statuses.query("status_before != status_after")["clients"].sum()
    assert moved == effects["status"]
    assert found.statuses["clients"].sum() == len(found)
    for r in found.by_limit.to_dict("records"):
        key = f"{r['limit']}{r['sense']}"
        rows = found.clients
        assert r["broken"] == sum(key in t.split(", ") for t in rows["broken_limits"])
        assert r["mended"] == sum(key in t.split(", ") for t in rows["mended_limits"])
        for end, a in (("before", one), ("after", two)):
            mine = a.limits[(a.limits["limit"] == r["limit"]) & (a.limits["sense"] == r["sense"])]
            mine = mine[mine["exceeded"]]
            assert r[f"clients_{end}"] == len(mine)
            totals = a.summary.set_index("client_id")
            money = [
                x * totals.loc[c, "total"] * rates.get(totals.loc[c, "currency"], math.nan)
                for c, x in zip(mine["client_id"], mine["excess"], strict=True)
            ]
            assert r[f"money_{end}"] == pytest.approx(math.fsum(x for x in money if not math.isnan(x)))
    assert len(found.limits) == found.by_limit[["broken", "mended"]].to_numpy().sum()


def test_nothing_changes_against_itself_and_back_is_the_opposite() -> None:
    one, two = random_analysis(2), al.analyze(random_clients(2), "chhabra", on=ON)
    assert not compare(one, one).clients["changed"].any()
    there, back = compare(one, two), compare(two, one)
    for a, b in (("broken", "mended"), ("mended", "broken")):
        assert there.clients[a].tolist() == back.clients[b].tolist()
    assert there.clients["score_before"].equals(back.clients["score_after"])


def test_plans_compared(sample: al.Book) -> None:
    book = sample.select(sample.clients["client_id"].iloc[:10])
    one = al.rebalance(al.analyze(book, on=ON), explain=False)
    two = al.rebalance(al.analyze(book, band="conservative", on=ON), explain=False)
    found = compare(one, two)
    rate = [one.before.positions.rates[c] for c in one.before.summary["currency"]]
    totals = found.totals.set_index("figure")
    for figure, column in (
        ("bought", "buys"),
        ("sold", "sells"),
        ("cost", "cost"),
        ("tax", "tax"),
        ("repaid", "repaid"),
    ):
        for end, plan in (("before", one), ("after", two)):
            assert totals.loc[figure, end] == pytest.approx(float(np.dot(plan.summary[column], rate)))
    assert (totals["change"] == totals["after"] - totals["before"]).all()
    assert totals.loc["trades", "after"] == len(two.trades)
    assert totals.loc["clients", "before"] == (one.summary["trades"] > 0).sum()
    net = dict.fromkeys(found.flows["asset_class"], 0.0)
    for t in two.trades.to_dict("records"):
        if t["side"] != "repay":
            at = two.before.client_ids.index(t["client_id"])
            net[t["asset_class"]] += t["amount"] * rate[at] * (1 if t["side"] == "buy" else -1)
    assert found.flows.set_index("asset_class")["after"].to_dict() == pytest.approx(net)
    statuses = (one.summary["status"] != two.summary["status"]).sum()
    assert found.effects.set_index("effect").loc["plan_status", "clients"] == statuses
    assert not compare(one, one).clients["changed"].any()
    assert compare(one, two.before).totals.empty


def test_what_a_plan_leaves_beyond_limits_is_the_same_money_on_both_ways(sample: al.Book) -> None:
    plan = al.rebalance(al.analyze(sample.select(["C003", "C007", "C009"]), on=ON), explain=False)
    found = compare(plan.before, plan.after).by_limit
    view = al.book_view(plan).limits
    assert found["money_after"].tolist() == pytest.approx(view["money_after"].tolist())
    assert found["clients_after"].tolist() == view["clients_after"].tolist()
    assert found["money_before"].tolist() == pytest.approx(view["money"].tolist())
    assert 0 < view["money_after"].sum() < view["money"].sum()


def test_clients_of_one_side_only_are_named() -> None:
    book = random_clients(3, 12)
    ids = book.clients["client_id"].tolist()
    one, two = (al.analyze(book.select(part), on=ON) for part in (ids[:9], ids[2:]))
    found = compare(one, two)
    assert found.only_before == tuple(ids[:2])
    assert found.only_after == tuple(ids[9:])
    assert found.clients["client_id"].tolist() == ids[2:9]
    assert not found.clients["changed"].any()
    assert "2 only before, 3 only after" in repr(found)


def test_the_order_of_clients_changes_nothing() -> None:
    book = random_clients(4)
    one, two = al.analyze(book, on=ON), al.analyze(book, band="conservative", on=ON)
    order = np.random.default_rng(0).permutation(len(two))
    from allocator.whole_book.facts import facts

    a, b = compare(one, two), compare(one, facts(two).take(order))
    pd.testing.assert_frame_equal(a.clients, b.clients)
    pd.testing.assert_frame_equal(a.by_limit, b.by_limit)


def test_the_unit_of_money_only_scales() -> None:
    rows = [("a", "x", "deposit", 4e3), ("a", "y", "listed_equity", 6e5), ("b", "z", "private_business", 9e5)]
    fen = [(c, n, k, v * 100) for c, n, k, v in rows]
    who = [{"client_id": c, "risk_band": "aggressive"} for c in "ab"]
    other = make_book(fen, [w | {"currency": "FEN"} for w in who], fx=[{"currency": "FEN", "rate": 0.01}])
    found = [
        compare(al.analyze(book, on=ON), al.analyze(book, band="conservative", on=ON))
        for book in (make_book(rows, who), other)
    ]
    assert found[0].effects["clients"].sum() > 0
    for name in ("effects", "by_limit", "limits", "statuses"):
        pd.testing.assert_frame_equal(*(getattr(f, name) for f in found), rtol=1e-9)
    assert not compare(al.analyze(make_book(rows, who), on=ON), al.analyze(other, on=ON)).clients["changed"].any()


def test_parts_add_up_to_the_whole() -> None:
    book = random_clients(5)
    ids = book.clients["client_id"].tolist()
    parts = [
        compare(al.analyze(book.select(some), on=ON), al.analyze(book.select(some), band="conservative", on=ON))
        for some in (ids[:15], ids[15:])
    ]
    whole = compare(al.analyze(book, on=ON), al.analyze(book, band="conservative", on=ON))
    for name, key, sums in (
        ("effects", ["effect"], ["clients"]),
        ("by_limit", ["limit", "sense"], ["clients_before", "clients_after", "broken", "mended"]),
    ):
        added = pd.concat([getattr(p, name) for p in parts]).groupby(key)[sums].sum()
        told = getattr(whole, name).set_index(key)[sums]
        pd.testing.assert_frame_equal(told, added.loc[told.index], check_dtype=False)


def test_strangers_and_other_currencies_are_refused(tmp_path: Path) -> None:
    one = al.analyze(make_book([("a", "x", "deposit", 1.0)]), on=ON)
    with pytest.raises(InputError, match="no client is in both"):
        compare(one, al.analyze(make_book([("b", "x", "deposit", 1.0)]), on=ON))
    file = tmp_path / "f.toml"
    file.write_text('extends = "classic"\nname = "own"\ncurrency = "USD"\n', "utf-8")
    with pytest.raises(InputError, match="CNY and USD"):
        compare(one, al.analyze(make_book([("a", "x", "deposit", 1.0)]), file, on=ON))


# ---- scenarios as analyses


@pytest.mark.parametrize("scenario", ["crash_2008", "own_industry", "frozen", "rates_up"])
def test_a_shocked_book_is_what_stress_says(scenario: str) -> None:
    a = random_analysis(6)
    told = al.stress(a).summary.query("scenario == @scenario").reset_index(drop=True)
    left = shocked(a, scenario)
    known = told["equity"].notna()
    assert known.any()
    cents = 0.01 * (np.bincount(a.positions.client, minlength=len(a)) + 2)
    assert (np.abs(left.exposures.equity - told["equity"])[known] <= cents[known]).all()
    assert (np.abs(left.exposures.net_worth - told["net_worth"])[known] <= cents[known]).all()
    assert left.limit_table.exceeded.sum(axis=1)[known].tolist() == told["limits_exceeded"][known].tolist()
    p = left.positions
    assert (p.debts.client[:-1] <= p.debts.client[1:]).all()
    for i in range(len(a)):
        names = p.debts.debt_id[p.debts.start[i] : p.debts.start[i + 1]]
        assert len(set(names)) == len(names)
    owed = sum(v for v, k in zip(p.debts.value, p.debts.kind, strict=True) if k == OWED)
    assert owed == pytest.approx(told["short"].fillna(0).round(2).sum())


def test_a_shocked_book_can_be_planned(sample: al.Book) -> None:
    a = al.analyze(sample.select(["C007", "C009"]), on=ON)
    plan = al.rebalance(shocked(a, "crash_2008"), explain=False)
    assert plan.summary["certificate"].all()
    with pytest.raises(ConfigError, match="allowed: crash_1929"):
        shocked(a, "nonsense")


def test_real_families(shared: Callable[[str], Path]) -> None:
    a = al.analyze(al.read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)
    found = compare(a, shocked(a, "crash_2008"))
    assert len(found) == 467
    for client in a.client_ids[::40]:
        broken, mended = flips(a, shocked(a, "crash_2008"), client)
        row = found.clients.set_index("client_id").loc[client]
        assert (row["broken"], row["mended"]) == (len(broken), len(mended))
