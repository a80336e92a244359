"""All property with the home: of everything owned, and net of what is owed on it; recomputed row by row."""

from __future__ import annotations

import math

import pytest
from conftest import ON, make_book
from worlds import random_world

from allocator.framework import load_framework
from allocator.pipeline import analyze
from allocator.risk_measures import measure_risk

HOLDINGS = [
    ("a", "flat", "investment_property", 300.0),
    ("a", "home", "own_home", 200.0),
    ("a", "car", "vehicle", 100.0),
    ("a", "cash", "deposit", 400.0),
    ("b", "home", "own_home", 100.0),
    ("c", "cash", "deposit", 100.0),
]
DEBTS = [
    {"client_id": "a", "value": 120.0, "secured_by": "home"},
    {"client_id": "a", "value": 30.0, "secured_by": "flat"},
    {"client_id": "a", "value": 50.0, "secured_by": "car"},
    {"client_id": "a", "value": 100.0},
    {"client_id": "b", "value": 100.0, "secured_by": "home"},
    {"client_id": "c", "value": 10.0, "secured_by": "home"},  # somebody else's
]


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
def test_by_hand(preset: str) -> None:
    """a owns 1,000, 500 of it property, and is worth 700; b is worth nothing; c has no property."""
    book = make_book(HOLDINGS, debts=DEBTS)
    s = measure_risk(analyze(book, preset, on=ON)).summary.set_index("client_id")
    assert s["property_gross"].to_dict() == pytest.approx({"a": 0.5, "b": 1.0, "c": 0.0})
    assert s["property_net"].to_dict() == pytest.approx({"a": 350 / 700, "b": math.nan, "c": 0.0}, nan_ok=True)


@pytest.mark.parametrize("preset", ["classic", "chhabra"])
def test_of_random_families_row_by_row(preset: str) -> None:
    f = load_framework(preset)
    a = analyze(random_world(5, f, clients=40).book(), f, on=ON)
    s, p = measure_risk(a).summary, a.positions
    kinds = {code for code, c in f.classes.items() if c.kind in ("property", "home")}
    seen = 0
    for i in range(len(a)):
        rows = range(p.start[i], p.start[i + 1])
        mix = {r: dict(zip(f.class_codes, p.mix_table[p.mix[r]], strict=True)) for r in rows}
        owned = sum(p.value[r] * sum(mix[r][k] for k in kinds) for r in rows)
        everything = sum(p.value[r] for r in rows)
        names = {p.holdings["asset_id"].iloc[r] for r in rows if p.holdings["asset_class"].iloc[r] in kinds}
        debts = range(p.debts.start[i], p.debts.start[i + 1])
        owed = sum(p.debts.value[d] for d in debts if p.debts.secured_by[d] in names)
        worth = everything - sum(p.debts.value[d] for d in debts)
        gross = owned / everything if everything else math.nan
        net = (owned - owed) / worth if worth > 0 else math.nan
        assert s["property_gross"].iloc[i] == pytest.approx(gross, nan_ok=True)
        assert s["property_net"].iloc[i] == pytest.approx(net, nan_ok=True)
        seen += owed > 0
    assert seen >= 3
