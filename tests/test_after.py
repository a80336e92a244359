"""Positions after a plan: what was bought has the facts of its product, and what was paid follows the trades."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book

from allocator.framework import load_framework
from allocator.pipeline import analyze, rebalance
from allocator.plan import Plan
from allocator.positions import class_tax, gain_tax

PRODUCTS = [
    {"product_id": "EQ", "name": "Shares", "asset_class": "equity_fund", "sector": "broad", "country": "US",
     "currency": "USD"},
    {"product_id": "BO", "name": "Bonds", "asset_class": "bond_fund", "country": "CN"},
    {"product_id": "MM", "name": "Money", "asset_class": "money_market"},
    {"product_id": "HF", "name": "Hedge", "asset_class": "structured_product"},
]  # fmt: skip


@pytest.fixture(scope="module")
def plan() -> Plan:
    """A family with too much crypto, bought at different prices, and a small bond fund to be topped up."""
    rows = [
        {"asset_id": "1", "asset_class": "crypto", "value": 400_000.0, "cost_basis": 100_000.0},
        {"asset_id": "2", "asset_class": "crypto", "value": 300_000.0, "cost_basis": None, "issuer": "x"},
        {"asset_id": "3", "asset_class": "bond_fund", "value": 10_000.0, "cost_basis": 9_000.0, "product_id": "BO"},
        {"asset_id": "4", "asset_class": "own_home", "value": 1_000_000.0, "cost_basis": 500_000.0},
        {"asset_id": "5", "asset_class": "private_equity", "value": 50_000.0, "locked_until": "2030-01-01"},
    ]
    frame = pd.DataFrame([{"client_id": "a", **r} for r in rows])
    who = [{"client_id": "a", "risk_band": "aggressive", "monthly_spending": 5_000.0, "currency": "CNY"}]
    book = make_book(frame, who, products=PRODUCTS, fx=[{"currency": "USD", "rate": 7.0}])
    return rebalance(analyze(book, on=ON))


def test_the_plan_sells_tops_up_and_buys_new(plan: Plan) -> None:
    sides = {(x.asset_id, x.side) for x in plan.trades.itertuples()}
    assert {("1", "sell"), ("3", "buy"), ("EQ", "buy")} <= sides


def test_what_was_paid_follows_the_trades(plan: Plan) -> None:
    p = plan.after.positions
    before = dict(zip(plan.before.holdings["asset_id"], zip(plan.before.positions.value, plan.before.positions.basis,
                                                            strict=True), strict=True))  # fmt: skip
    for i, asset in enumerate(p.holdings["asset_id"]):
        then, paid = before.get(asset, (0.0, 0.0))
        if p.value[i] >= then:
            expected = paid + p.value[i] - then
        else:
            expected = paid * p.value[i] / then
        assert p.basis[i] == pytest.approx(expected, abs=0.0051, nan_ok=True), asset
    assert np.isnan(p.basis[p.holdings["asset_id"] == "2"]).all()


def test_tax_is_that_of_what_is_left(plan: Plan) -> None:
    p, f = plan.after.positions, plan.after.framework
    assert p.tax == pytest.approx(gain_tax(class_tax(f)[p.klass], p.value, p.basis))
    crypto = (p.holdings["asset_id"] == "1").to_numpy() & (p.value > 0)
    assert p.tax[crypto] == pytest.approx(0.2 * 0.75, abs=1e-6)  # a part of it sold leaves the rest as it was
    assert not p.tax[(p.holdings["rule"] == "product").to_numpy() & ~crypto].any()


def test_what_is_new_has_the_facts_of_its_product(plan: Plan) -> None:
    p = plan.after.positions
    h = p.holdings.set_index("asset_id")
    assert h.loc["EQ", ["sector", "country", "currency"]].tolist() == ["broad", "US", "USD"]
    cash = h[(h["asset_class"] == "deposit")]
    assert set(cash["currency"]) <= {"CNY"}
    new = np.flatnonzero(~p.holdings["asset_id"].isin(plan.before.holdings["asset_id"]))
    f = load_framework()
    assert len(new)
    for i in new:
        code = p.holdings["asset_class"].iloc[i]
        assert p.pace[i] == p.sellable[i] == f.classes[code].sellable
        assert np.isnat(p.until[i])
        for flag in (p.pledged, p.locked, p.never_buy, p.sell_first, p.indivisible):
            assert not flag[i]
    locked = int(np.flatnonzero(p.holdings["asset_id"] == "5")[0])
    assert not np.isnat(p.until[locked])
    assert p.locked[locked]


def test_every_array_has_a_place_for_every_holding(plan: Plan) -> None:
    p = plan.after.positions
    for name in ("klass", "mix", "value", "issuer", "asset", "grade", "own", "tradable", "locked", "pace", "sellable",
                 "until", "pledged", "never_buy", "sell_first", "indivisible", "basis", "tax"):  # fmt: skip
        assert len(getattr(p, name)) == len(p.holdings), name
    assert (p.holdings["currency"] != "").all()
    assert (p.pace * p.tradable == p.sellable).all()
