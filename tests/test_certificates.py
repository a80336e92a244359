"""The verifier of books agrees with the exact one, client by client and check by check, on plans right and wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from certifying import COLUMNS, planned_table, table_of
from conftest import ON, ROOT, SAMPLE, make_book
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import random_world

from allocator.analysis import Analysis
from allocator.book import read_book
from allocator.certificates import BookCertificates, OrderTable, verify
from allocator.certificates_orders import orders_of
from allocator.certificates_trades import owed_cents
from allocator.certify import Certifier
from allocator.errors import ConfigError
from allocator.framework import load_framework
from allocator.limits import limit
from allocator.pipeline import analyze
from allocator.plan import CHECKS
from allocator.rebalance.outcome import checks_of

EVERY = ROOT / "data" / "frameworks" / "every_limit.toml"
WORLDS = (("classic", 0), ("classic", 1), ("chhabra", 2), (str(EVERY), 3), ("house", 4))
PRODUCTS: tuple[dict[str, Any], ...] = (
    {"product_id": "LOT", "name": "lots", "asset_class": "bond_fund", "lot": 1000, "minimum": 5000, "sector": "BANKS",
     "country": "CN", "buy_cost": 0.00125, "issuer": "Maker"},
    {"product_id": "US1", "name": "dollars", "asset_class": "equity_fund", "lot": 100, "minimum": 1000,
     "currency": "USD", "country": "US", "buy_cost": 0.0, "issuer": "BANK A", "risk": 3},
    {"product_id": "A3", "name": "named like a holding", "asset_class": "government_bond", "buy_cost": 0.0},
    {"product_id": "R5", "name": "risky", "asset_class": "listed_equity", "risk": 5, "issuer": "maker"},
    {"product_id": "SHUT", "name": "closed", "asset_class": "gold", "status": "closed"},
    {"product_id": "CASH", "name": "money fund", "asset_class": "money_market", "buy_cost": 0.0, "issuer": "Maker"},
)  # fmt: skip
"""The shelf of a house: lots, minimums, a foreign currency, issuers that clients hold, names that they use."""
NUMBERS = ["before", "bound", "after", "excess_before", "excess_after"]
Planned = tuple[Analysis, OrderTable, pd.DataFrame]


def with_plans(a: Analysis) -> Planned:
    """An analysis, its plans as orders, and the checks that today's planner lists."""
    table, plans = planned_table(a)
    rows = [r for i, plan in enumerate(plans) for r in checks_of(a.client_ids[i], plan)]
    return a, table, pd.DataFrame(rows, columns=list(CHECKS))


@functools.cache
def world(framework: str, seed: int) -> Planned:
    """A random world under a framework; ``house`` has a shelf of its own, products held, money due and every limit."""
    house = framework == "house"
    f = load_framework(EVERY if house else framework)
    book = random_world(seed, f, 30 if house else 20).book()
    if house:
        rng = np.random.default_rng(seed)
        shelf = make_book([("x", "y", "gold", 1.0)], products=PRODUCTS).products
        held = rng.choice(["", "", "", "LOT", "US1", "R5"], len(book.holdings))
        flow = rng.choice([0.0, 0.0, 1234.56, -100.0, -50_000.0], len(book.clients))
        holdings = book.holdings.assign(product_id=pd.array(held, dtype="str"))
        book = replace(book, products=shelf, holdings=holdings, clients=book.clients.assign(cash_flow=flow))
    return with_plans(analyze(book, f, on=ON))


@functools.cache
def sample_plans() -> Planned:
    return with_plans(analyze(read_book(SAMPLE), on=ON))


def agree(c: BookCertificates, want: pd.DataFrame) -> None:
    """The table is the one wanted: the same rows and words, numbers to what floats can say."""
    got = c.table()
    words = ["client_id", "check", "sense", "verdict"]
    pd.testing.assert_frame_equal(got[words], want[words].astype("str"))
    for name in NUMBERS:
        np.testing.assert_allclose(got[name], want[name].astype("float64"), rtol=1e-9, atol=1e-9, err_msg=name)


# ------------------------------------------------------------------------------------------------ plans of the planner


@pytest.mark.parametrize("at", WORLDS)
def test_plans_of_random_worlds_are_certified_as_the_exact_verifier_does(at: tuple[str, int]) -> None:
    a, table, want = world(*at)
    c = verify(a, table, sample=len(a))
    agree(c, want)
    assert c.disagreements.empty
    assert c.holds.all()
    assert c.exact.sum() <= 2


def test_plans_of_the_sample_are_certified_as_the_exact_verifier_does() -> None:
    a, table, want = sample_plans()
    c = verify(a, table, sample=len(a))
    agree(c, want)
    assert c.disagreements.empty
    assert c.exact.sum() <= 2


def test_plans_of_real_families_need_no_exact_verifier(shared: Callable[[str], Path]) -> None:
    a = analyze(read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)
    keep = set(a.client_ids[::6])
    book = read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf")
    part = replace(
        book,
        clients=book.clients[book.clients["client_id"].isin(keep)].reset_index(drop=True),
        holdings=book.holdings[book.holdings["client_id"].isin(keep)].reset_index(drop=True),
        debts=book.debts[book.debts["client_id"].isin(keep)].reset_index(drop=True),
    )
    a, table, want = with_plans(analyze(part, on=ON))
    c = verify(a, table, sample=20)
    agree(c, want)
    assert c.disagreements.empty
    assert c.exact.mean() < 0.02


# ------------------------------------------------------------------------------------------------------- tampering

CHANGES = (
    "a cent more", "a cent less", "dropped", "cost a cent off", "cost two cents off", "tax a cent off", "tax two off",
    "negative", "zero", "twice", "twice in two halves", "other side", "other holding", "other product", "tripled",
    "whole value", "lot broken", "a debt repaid", "a debt repaid too much", "nothing at all", "cost negative",
    "a product bought", "cash moved on",
)  # fmt: skip


def tampered(a: Analysis, t: OrderTable, change: str, draw: Callable[[int], int]) -> OrderTable:
    """Change one order of a table; ``draw(n)`` picks a number below n."""
    rows = [list(map(int, r)) for r in zip(*(getattr(t, c) for c in COLUMNS), strict=True)]
    k = draw(len(rows))
    r = rows[k]
    i, p = r[0], a.positions
    mine = slice(int(p.start[i]), int(p.start[i + 1]))
    if change == "a cent more":
        r[5] += 1
    elif change == "a cent less":
        r[5] -= 1
    elif change == "dropped":
        del rows[k]
    elif change == "nothing at all":
        rows = [x for x in rows if x[0] != i]
    elif change.startswith("cost"):
        r[6] += {"cost a cent off": 1, "cost two cents off": 2, "cost negative": -r[6] - 1}[change]
    elif change.startswith("tax"):
        r[7] += 1 if change == "tax a cent off" else 2
    elif change == "negative":
        r[5] = -r[5]
    elif change == "zero":
        r[5] = 0
    elif change == "twice":
        rows.insert(k, list(r))
    elif change == "twice in two halves":
        rows.insert(k, [*r[:5], r[5] // 2, 0, 0])
        r[5] -= r[5] // 2
    elif change == "other side":
        r[4] = 1 - r[4] if r[4] < 2 else 0
    elif change == "other holding":
        r[1:5] = [mine.start + draw(mine.stop - mine.start), -1, -1, draw(2)]
    elif change == "other product":
        r[1:5] = [-1, draw(len(p.shelf)), -1, 0]
    elif change == "tripled":
        r[5:] = [3 * x for x in r[5:]]
    elif change == "whole value" and r[1] >= 0:
        r[5] = round(p.value[r[1]] * 100)
    elif change == "lot broken":
        r[5] += 50
    elif change.startswith("a debt") and p.debts.start[i + 1] > p.debts.start[i]:
        debt = int(p.debts.start[i]) + draw(int(p.debts.start[i + 1] - p.debts.start[i]))
        more = 1 if change.endswith("much") else -draw(3)
        rows.insert(k, [i, -1, -1, debt, 2, max(round(p.debts.value[debt] * 100) + more, 1), 0, 0])
    elif change == "a product bought":
        rows.insert(k, [i, -1, draw(len(p.shelf)), -1, 0, 100_000 * (1 + draw(500)), 0, 0])
    elif change == "cash moved on" and mine.stop > mine.start:
        cash = t.cash.copy()
        cash[i] = mine.start + draw(mine.stop - mine.start)
        return replace(t, cash=cash)
    return table_of([tuple(x) for x in rows], t.cash, t.planned)


def balanced(a: Analysis, t: OrderTable) -> OrderTable:
    """Let the cash of each client take what does not balance, so that the other checks decide."""
    rows = [list(map(int, r)) for r in zip(*(getattr(t, c) for c in COLUMNS), strict=True)]
    for i in np.flatnonzero(t.planned).tolist():
        own = [r for r in rows if r[0] == i]
        cash = [r for r in own if (r[1] == t.cash[i] if t.cash[i] >= 0 else r[1] == r[2] == r[3] == -1)]
        left = round(a.positions.cash_flow[i] * 100) + sum(
            r[5] - r[6] - r[7] if r[4] == 1 else -r[5] - r[6] for r in own if r not in cash
        )
        rows = [r for r in rows if r not in cash]
        if left:
            rows.append([i, int(t.cash[i]), -1, -1, 0 if left > 0 else 1, abs(left), 0, 0])
    rows.sort(key=lambda r: r[0])
    return table_of([tuple(x) for x in rows], t.cash, t.planned)


def exactly(a: Analysis, t: OrderTable, **more: Any) -> pd.DataFrame:
    """What the exact verifier says of every client with a plan."""
    certifier, rows = Certifier(a), []
    for i in range(len(a)):
        client = a.client_ids[i]
        if not t.planned[i]:
            rows.append((client, "money", "==", *[None] * 5, "holds"))
            continue
        own, cash = orders_of(i, t, a.positions)
        for x in certifier.certify(i, own, cash, **more).checks:
            rows.append(
                (client, x.check, x.sense, x.before, x.bound, x.after, x.excess_before, x.excess_after, x.verdict)
            )
    out = pd.DataFrame(rows, columns=list(CHECKS))
    return out.assign(**{c: [np.nan if v is None else float(v) for v in out[c]] for c in NUMBERS})


@pytest.mark.parametrize("change", CHANGES)
@settings(max_examples=6, deadline=None, derandomize=True)
@given(data=st.data())
def test_tampered_plans_are_judged_as_the_exact_verifier_does(change: str, data: Any) -> None:
    a, table, _ = world(*WORLDS[data.draw(st.integers(0, len(WORLDS) - 1))])
    table = tampered(a, table, change, lambda n: data.draw(st.integers(0, n - 1)))
    if data.draw(st.booleans()):
        table = balanced(a, table)
    hard = data.draw(st.booleans())
    agree(verify(a, table, hard=hard), exactly(a, table, hard=hard))


# ------------------------------------------------------------------------------------------ order, parts, odd clients


def moved(whole: Planned, part: Analysis) -> OrderTable:
    """Orders of a book for another one with some of its clients, in any order."""
    a, t, _ = whole
    rows, cash, planned = [], [], []

    def shift(row: int, old: Any, new: Any, i: int, j: int) -> int:
        return row if row < 0 else int(row - old.start[i] + new.start[j])

    for j, client in enumerate(part.client_ids):
        i = a.index(client)
        planned.append(bool(t.planned[i]))
        cash.append(shift(int(t.cash[i]), a.positions, part.positions, i, j))
        for k in np.flatnonzero(t.client == i):
            holding = shift(int(t.holding[k]), a.positions, part.positions, i, j)
            debt = shift(int(t.debt[k]), a.positions.debts, part.positions.debts, i, j)
            rest = (t.side[k], t.cents[k], t.cost_cents[k], t.tax_cents[k])
            rows.append((j, holding, int(t.product[k]), debt, *map(int, rest)))
    return table_of(rows, cash, planned)


def test_order_and_parts_of_a_book_do_not_matter() -> None:
    f = load_framework("classic")
    w = random_world(5, f, 16)
    whole = with_plans(analyze(w.book(), f, on=ON))
    key = ["client_id", "check", "sense"]
    want = whole[2].set_index(key)

    def verified(sheets: list[Any]) -> pd.DataFrame:
        part = analyze(replace(w, sheets=sheets).book(), f, on=ON)
        return verify(part, moved(whole, part)).table().set_index(key)

    parts = pd.concat([verified(w.sheets[:5]), verified(w.sheets[5:])])
    for other in (verified(w.sheets[::-1]), parts):
        assert len(other) == len(want)
        mine = other.loc[want.index]
        assert mine["verdict"].tolist() == want["verdict"].tolist()
        np.testing.assert_allclose(mine[NUMBERS], want[NUMBERS].astype("float64"), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("flow", [-500.0, -100_000.0, -300_000.0, 12_345.67, 0.0])
def test_money_due_is_taken_from_where_the_exact_verifier_takes_it(flow: float) -> None:
    rows = [("x", "bank", "deposit", 200_000.0), ("x", "paper", "bond_fund", 300_000.0), ("x", "co", "gold", 9e4)]
    book = make_book(rows, [{"client_id": "x", "risk_band": "balanced", "cash_flow": flow, "monthly_spending": 9e3}])
    a, table, want = with_plans(analyze(book, on=ON))
    c = verify(a, table, sample=1)
    agree(c, want)
    assert c.exact[0] == (flow == -300_000.0)
    assert c.disagreements.empty


def test_users_own_limits_go_to_the_exact_verifier() -> None:
    own = limit("gold", 0.2, counts=lambda f: f["asset_class"] == "gold")
    f = load_framework("classic")
    a, table, want = with_plans(analyze(random_world(1, f, 12).book(), f, on=ON, limits=[own]))
    c = verify(a, table)
    agree(c, want)
    assert c.exact.tolist() == table.planned.tolist()


def test_half_cents_are_decided_by_the_decimal_rate() -> None:
    cents = np.array([1, 3, 5, 100_000, 999_999_999_999], dtype=np.int64)
    assert owed_cents(cents, np.full(5, 0.5)).tolist() == [0, 2, 2, 50_000, 500_000_000_000]
    assert owed_cents(np.array([150, 50, 250]), np.array([0.15, 0.15, 0.015])).tolist() == [22, 8, 4]


def test_an_audit_reports_what_the_two_verifiers_do_not_agree_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import allocator.certificates as module

    a, table, want = world("classic", 0)
    real = module.check_trades

    def lying(*args: Any) -> Any:
        found = real(*args)
        before, bound, after = found.numbers["money"]
        return replace(found, numbers=found.numbers | {"money": (before + 1, bound, after + 1)})

    monkeypatch.setattr(module, "check_trades", lying)
    c = verify(a, table, sample=len(a))
    assert set(c.disagreements["check"]) == {"money"}
    assert set(c.disagreements["client_id"]) == {a.client_ids[i] for i in np.flatnonzero(table.planned)}
    agree(c, want)  # the exact verdict stands


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"client": np.array([0])}, "array"),
        ({"side": "side+9"}, "side"),
        ({"planned": "none"}, "planned"),
        ({"client": "reversed"}, "sorted"),
        ({"cash": "other"}, "another client"),
    ],
)
def test_orders_that_do_not_fit_the_book_are_refused(change: dict[str, Any], said: str) -> None:
    a, table, _ = sample_plans()
    words = {
        "side+9": table.side + 9,
        "none": np.zeros(len(a), dtype=bool),
        "reversed": table.client[::-1].copy(),
        "other": np.full(len(a), len(a.positions.client) - 1),
    }
    more = {k: words[v] if isinstance(v, str) else v for k, v in change.items()}
    with pytest.raises(ConfigError, match=said):
        verify(a, replace(table, **more))


def test_a_book_without_plans_has_nothing_that_could_be_wrong() -> None:
    a, _, _ = sample_plans()
    none = table_of([], np.full(len(a), -1), np.zeros(len(a), dtype=bool))
    c = verify(a, none)
    assert c.holds.all()
    assert not c.exact.any()
    assert c.table()["check"].unique().tolist() == ["money"]
    assert c.table([3, 1])["client_id"].tolist() == [a.client_ids[3], a.client_ids[1]]


@pytest.mark.parametrize(("delta", "exact"), [(-0.01, False), (0.0, True), (0.01, False)])
def test_what_lies_on_the_tolerance_is_for_the_exact_verifier(delta: float, exact: bool) -> None:
    f = load_framework("classic")
    bound = f.bands["balanced"].limits["property"]
    flat = round(bound * 1e6 + 1.0 + delta, 2)  # one millionth of the total beyond the bound
    rows = [("x", "flat", "investment_property", flat), ("x", "bank", "deposit", round(1e6 - flat, 2))]
    a = analyze(make_book(rows, [{"client_id": "x", "risk_band": "balanced", "monthly_spending": 100.0}]), f, on=ON)
    still = table_of([], [1], [True])
    c = verify(a, still, sample=1)
    assert c.disagreements.empty
    assert c.exact.tolist() == [exact]
    agree(c, exactly(a, still))
    assert ("property", "<=") in c.checks
    said = c.table().set_index("check").loc["property", "verdict"]
    assert said == ("holds" if delta <= 0 else "no_worse")
