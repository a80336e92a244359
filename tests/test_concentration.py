"""The stated properties of the score: zero exactly when untouched, monotone, and split exactly."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ON, make_book
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from allocator.concentration import score, severity
from allocator.framework import load_framework
from allocator.pipeline import analyze

shares = st.floats(0, 1, allow_nan=False, allow_subnormal=False)
WEIGHTS = np.array([0.5, 0.4, 0.6, 0.6, 0.4, 0.6, 0.6, 0.5])


@given(arrays(float, (4, 8), elements=shares))
def test_zero_exactly_when_no_rule_is_touched(s: np.ndarray) -> None:
    assert ((score(s, WEIGHTS) == 0) == (s == 0).all(axis=1)).all()
    assert (score(s, WEIGHTS) >= 0).all()
    assert (score(s, WEIGHTS) <= 100).all()


@given(arrays(float, 8, elements=shares), st.integers(0, 7), shares)
def test_never_falls_when_an_exposure_grows_or_a_rule_is_added(s: np.ndarray, k: int, more: float) -> None:
    grown = s.copy()
    grown[k] = max(s[k], more)
    assert score(grown[None], WEIGHTS)[0] >= score(s[None], WEIGHTS)[0] - 1e-12
    fewer = np.delete(s, k)
    assert score(s[None], WEIGHTS)[0] >= score(fewer[None], np.delete(WEIGHTS, k))[0] - 1e-12


@given(arrays(float, 8, elements=shares))
def test_splits_exactly_over_the_rules(s: np.ndarray) -> None:
    parts = np.log1p(-WEIGHTS * s)
    assert score(s[None], WEIGHTS)[0] == pytest.approx(100 * (1 - np.exp(parts.sum())), abs=1e-10)
    assert score(s[None], WEIGHTS)[0] == pytest.approx(100 * (1 - np.prod(1 - WEIGHTS * s)), abs=1e-10)


@pytest.mark.parametrize(
    ("x", "lo", "hi", "expected"),
    [
        (0.30, 0.3, 0.7, 0.0),
        (0.50, 0.3, 0.7, 0.5),
        (0.9, 0.3, 0.7, 1.0),
        (0.1, 0.3, 0.7, 0.0),
        (12.0, 12.0, 3.0, 0.0),
        (3.0, 12.0, 3.0, 1.0),
        (7.5, 12.0, 3.0, 0.5),
        (np.inf, 12.0, 3.0, 0.0),
        (np.nan, 0.3, 0.7, 0.0),
    ],
)
def test_severity_by_hand(x: float, lo: float, hi: float, expected: float) -> None:
    assert severity(np.array([x]), np.array([lo]), np.array([hi]))[0] == pytest.approx(expected)


def test_each_rule_reads_its_own_exposure() -> None:
    """One sheet by hand: 100 in all, a firm of 60, a flat of 20, cash 20; debts 30, guarantees 10; living 1 a month."""
    book = make_book(
        [("a", "firm", "private_business", 60), ("a", "flat", "investment_property", 20), ("a", "cash", "deposit", 20)],
        [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1, "guarantees": 10}],
        debts=[{"client_id": "a", "value": 30, "annual_payment": 12}],
    )
    a = analyze(book, on=ON)
    measured = a.rules.set_index("rule")["exposure"]
    expected = {
        "single_holding": 0.6,
        "issuer": 0.6,
        "property": 0.2,
        "business": 0.6,
        "illiquid": 0.8,
        "reserve_months": 10,
        "leverage": 0.3,
        "own_company": 0.7,
    }
    assert measured.to_dict() == pytest.approx(expected)
    assert set(expected) == set(load_framework().rules)
    # the client has a company, so the reserve counts from 12 months down to 3
    rules = a.rules.set_index("rule")
    assert rules.loc["reserve_months", "severity"] == pytest.approx(2 / 9)
    by_hand = 100 * (1 - np.prod(1 - rules["weight"] * rules["severity"]))
    assert a.summary["score"][0] == pytest.approx(by_hand)


def test_every_rule_can_be_touched_alone_or_not_at_all() -> None:
    """A calm sheet scores exactly 0."""
    rows = [("a", "cash", "deposit", 40), ("a", "bonds", "bond_fund", 30), ("a", "shares", "equity_fund", 30)]
    book = make_book(rows, [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1}])
    assert analyze(book, on=ON).summary["score"][0] == 0
    assert analyze(book, on=ON).summary["grade"][0] == "low"
