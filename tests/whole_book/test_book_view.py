"""The book's page against a plain recount client by client, and what must hold however a book is cut."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import random_analysis, random_clients
from conftest import ON, make_book
from hypothesis import given, settings
from hypothesis import strategies as st

import allocator as al
from allocator.errors import InputError
from allocator.whole_book.facts import facts
from allocator.whole_book.segments import BELOW, HELD, RICHEST, pareto, segments
from allocator.whole_book.view import TABLES, book_view


@pytest.fixture(scope="module")
def plan(sample: al.Book) -> al.Plan:
    return al.rebalance(al.analyze(sample, on=ON), explain=False)


def rates_of(a: al.Analysis) -> list[float]:
    """Base currency per unit of each client's, NaN for none."""
    return [a.positions.rates.get(c, math.nan) for c in a.summary["currency"]]


def add(amounts: Any) -> float:
    return math.fsum(x for x in amounts if not math.isnan(x))


# ---- against a recount


@pytest.mark.parametrize("seed", range(3))
def test_every_number_of_the_page_recounted(seed: int) -> None:
    a = random_analysis(seed)
    view, f = book_view(a), a.framework
    s, rates = a.summary.to_dict("records"), dict(zip(a.client_ids, rates_of(a), strict=True))
    assert view.total == pytest.approx(add(r["total"] * rates[r["client_id"]] for r in s))

    for r in view.statuses.to_dict("records"):
        mine = [x for x in s if x["status"] == r["status"]]
        assert r["clients"] == len(mine)
        assert r["money"] == pytest.approx(add(x["total"] * rates[x["client_id"]] for x in mine))
    assert view.statuses["clients"].sum() == len(a)

    # holdings one by one; what a fund holds inside is another file's business, so classes are taken as they are exposed
    money: dict[str, float] = defaultdict(float)
    for i, row in enumerate(a.exposures.classes):
        rate = rates[a.client_ids[i]]
        for code, amount in zip(f.class_codes, row, strict=True):
            money[code] += 0.0 if math.isnan(rate) else amount * rate
    told = view.classes.set_index("asset_class")["money"]
    assert {k for k, v in money.items() if v} == set(told.index)
    assert all(told[k] == pytest.approx(money[k]) for k in told.index)
    buckets = view.buckets.set_index("bucket")
    for code in f.bucket_codes:
        amount = math.fsum(v for k, v in money.items() if f.classes[k].bucket == code)
        assert buckets.loc[code, "money"] == pytest.approx(amount)
        assert buckets.loc[code, "share"] == pytest.approx(amount / view.total)
    own = math.fsum(v for k, v in money.items() if f.classes[k].bucket == "own_use")
    assert buckets.loc["own_use", "money"] == pytest.approx(own)
    loose = a.holdings[a.holdings["bucket"] == "unclassified"]
    lost = add(v * rates[c] for c, v in zip(loose["client_id"], loose["value"], strict=True))
    assert buckets.loc["unclassified", "money"] == pytest.approx(lost)
    debts = [d * r for d, r in zip(a.positions.debt, rates.values(), strict=True)]
    assert buckets.loc["debts", "money"] == pytest.approx(add(debts))


@pytest.mark.parametrize("seed", range(3))
def test_who_is_over_what_recounted(seed: int) -> None:
    a = random_analysis(seed)
    rates, total = dict(zip(a.client_ids, rates_of(a), strict=True)), dict(
        zip(a.client_ids, a.exposures.total, strict=True)
    )  # fmt: skip
    clients: dict[tuple[str, str], int] = defaultdict(int)
    judged: dict[tuple[str, str], int] = defaultdict(int)
    money: dict[tuple[str, str], list[float]] = defaultdict(list)
    for r in a.limits.to_dict("records"):
        key = (str(r["limit"]), str(r["sense"]))
        judged[key] += not math.isnan(r["excess"])
        if r["exceeded"]:
            clients[key] += 1
            money[key].append(r["excess"] * total[r["client_id"]] * rates[r["client_id"]])
    for r in book_view(a).limits.to_dict("records"):
        key = (r["limit"], r["sense"])
        assert (r["judged"], r["clients"]) == (judged[key], clients[key])
        assert r["money"] == pytest.approx(add(money[key]))


def test_plan_totals_recounted(plan: al.Plan) -> None:
    view, by_class, by_product = book_view(plan), defaultdict(list), defaultdict(list)
    rates = plan.before.positions.rates
    home = dict(zip(plan.before.client_ids, plan.before.summary["currency"], strict=True))
    for t in plan.trades.to_dict("records"):
        rate = rates[home[t["client_id"]]]
        row = (t["side"], t["amount"] * rate, t["cost"] * rate, t["tax"] * rate, t["client_id"])
        by_class[t["asset_class"]].append(row)
        name = (t["product_id"], "") if t["product_id"] else ("", t["name"])
        by_product[(t["asset_class"], *(name if t["side"] != "repay" else ("", "")))].append(row)
    assert set(view.flows["asset_class"]) == set(by_class)
    products = {
        (r["asset_class"], r["product_id"], "" if r["product_id"] else r["name"]): r
        for r in view.products.to_dict("records")
    }
    assert set(products) == set(by_product)
    flows = {r["asset_class"]: r for r in view.flows.to_dict("records")}
    for told, counted in ((flows, by_class), (products, by_product)):
        for key, rows in counted.items():
            r = told[key]
            for name, side in (("bought", "buy"), ("sold", "sell"), ("repaid", "repay")):
                assert r[name] == pytest.approx(math.fsum(x[1] for x in rows if x[0] == side))
            assert r["net"] == pytest.approx(r["bought"] - r["sold"])
            assert r["cost"] == pytest.approx(math.fsum(x[2] for x in rows))
            assert r["tax"] == pytest.approx(math.fsum(x[3] for x in rows))
            assert (r["trades"], r["clients"]) == (len(rows), len({x[4] for x in rows}))
    whole = view.plans.drop(columns="status").sum()
    for name in ("bought", "sold", "repaid", "cost", "tax"):
        assert whole[name] == pytest.approx(view.flows[name].sum())
    assert whole["trades"] == len(plan.trades)


def test_money_is_kept_from_before_to_after(plan: al.Plan) -> None:
    """What is bought is paid by what is sold, paid in and not spent: in the base currency, over the whole book."""
    view = book_view(plan)
    totals = view.plans.drop(columns="status").sum()
    buckets = view.buckets.set_index("bucket")
    inside = buckets.loc[plan.before.framework.bucket_codes]
    moved = plan.trades["client_id"].unique()
    b = facts(plan)
    flow = np.where(b.clients["client_id"].isin(moved), b.money("cash_flow"), 0.0).sum()
    left = inside["money"].sum() + flow - totals["cost"] - totals["tax"] - totals["repaid"]
    assert inside["money_after"].sum() == pytest.approx(left, abs=1.0)
    assert buckets.loc["debts", "money_after"] == pytest.approx(buckets.loc["debts", "money"] - totals["repaid"])
    for r in view.limits.to_dict("records"):
        at = [j for j, x in enumerate(plan.after.limit_table.limits) if (x.name, x.sense) == (r["limit"], r["sense"])]
        assert r["clients_after"] == plan.after.limit_table.exceeded[:, at].sum()


# ---- tiers and the Pareto table


@given(st.lists(st.floats(0, 1e9), max_size=60))
@settings(max_examples=60, deadline=None)
def test_pareto_is_what_counting_says(amounts: list[float]) -> None:
    amounts = [round(x, 2) for x in amounts]
    found = pareto(np.array([*amounts, math.nan]))
    if not amounts or math.fsum(amounts) <= 0:
        assert found.empty
        return
    ranked, whole = sorted(amounts, reverse=True), math.fsum(amounts)
    rich = found[found["question"] == "richest"].to_dict("records")
    for part, r in zip(RICHEST, rich, strict=True):
        n = max(1, math.ceil(round(part * len(ranked), 9)))
        assert (r["asked"], r["clients"]) == (part, n)
        assert r["money"] == pytest.approx(math.fsum(ranked[:n]))
    for part, r in zip(HELD, found[found["question"] == "held"].to_dict("records"), strict=True):
        n = int(r["clients"])
        assert math.fsum(ranked[:n]) >= part * whole * (1 - 1e-9)
        assert n == 1 or math.fsum(ranked[: n - 1]) < part * whole * (1 + 1e-9)
        assert r["part_clients"] == pytest.approx(n / len(ranked))


def test_tiers_are_reached_at_their_threshold() -> None:
    f = al.load_framework()
    found = segments(np.array([0.0, 99_999.99, 100_000.0, 499_999.99, 500_000.0, 1e6, 1e9, math.nan]), f)
    assert found.tolist() == [BELOW, BELOW, "vip", "vip", "gold", "platinum", "platinum", ""]


def test_tiers_are_data(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('extends = "classic"\nname = "own"\n[tiers]\nvip = 10\ngold = 20\nplatinum = 30\n', "utf-8")
    book = make_book([("a", "x", "deposit", 15.0), ("b", "x", "deposit", 30.0)])
    assert al.book_view(al.analyze(book, file, on=ON)).segments["segment"].tolist() == ["platinum", "vip"]


@pytest.mark.parametrize("seed", range(2))
def test_groups_recounted(seed: int) -> None:
    a = random_analysis(seed)
    view, rates = book_view(a), rates_of(a)
    for column, table in (("advisor", view.advisors), ("segment", view.segments)):
        groups: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)
        labels = view.facts.clients[column]
        for label, r, rate in zip(labels, a.summary.to_dict("records"), rates, strict=True):
            groups[label].append((r["total"] * rate, r["score"], r["limits_exceeded"] > 0))
        assert table["clients"].sum() == len(a)
        for r in table.to_dict("records"):
            rows = groups[r[column]]
            money = sorted((x[0] for x in rows if not math.isnan(x[0])), reverse=True)
            assert (r["clients"], r["exceeded"]) == (len(rows), sum(x[2] for x in rows))
            assert r["money"] == pytest.approx(math.fsum(money))
            scores = [x[1] for x in rows if not math.isnan(x[1])]
            assert r["median_score"] == pytest.approx(np.median(scores)) or not scores
            if money and sum(money):
                top = math.fsum(money[: math.ceil(round(0.2 * len(money), 9))])
                assert r["richest"] == pytest.approx(top / math.fsum(money))


# ---- however a book is cut


def same(one: pd.DataFrame, two: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, two, check_dtype=False, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_clients_changes_nothing(seed: int) -> None:
    b = facts(random_analysis(seed))
    mixed = b.take(np.random.default_rng(seed).permutation(len(b)))
    one, two = book_view(b), book_view(mixed)
    for name in TABLES:
        same(getattr(one, name), getattr(two, name))


def test_parts_add_up_to_the_whole(plan: al.Plan) -> None:
    whole = book_view(plan)
    parts = [book_view(plan, advisor=x) for x in whole.advisors["advisor"]]
    assert sum(len(p) for p in parts) == len(whole)
    for name, key, sums in (
        ("statuses", ["status"], ["clients", "money"]),
        ("buckets", ["bucket"], ["money", "money_after"]),
        ("classes", ["asset_class"], ["money", "money_after"]),
        ("limits", ["limit", "sense"], ["judged", "clients", "money", "clients_after", "money_after"]),
        ("segments", ["segment"], ["clients", "money", "exceeded"]),
        ("plans", ["status"], ["clients", "trades", "bought", "sold", "repaid", "cost", "tax", "missing"]),
        ("flows", ["asset_class"], ["clients", "trades", "bought", "sold", "repaid", "net", "cost", "tax"]),
    ):
        added = pd.concat([getattr(p, name) for p in parts]).groupby(key)[sums].sum()
        told = getattr(whole, name).set_index(key)[sums].sort_index()
        same(told, added.loc[told.index])


def test_the_unit_of_money_only_scales() -> None:
    """Clients in fen instead of yuan, at a hundredth of the rate: the same book."""
    rows = [("a", "x", "deposit", 4e5), ("a", "y", "listed_equity", 6e5), ("b", "z", "private_business", 9e5)]
    fen = [(c, n, k, v * 100) for c, n, k, v in rows]
    who = [{"client_id": c, "risk_band": "balanced", "advisor": "x"} for c in "ab"]
    yuan = al.book_view(al.analyze(make_book(rows, who), on=ON))
    other = make_book(fen, [w | {"currency": "FEN"} for w in who], fx=[{"currency": "FEN", "rate": 0.01}])
    for name in TABLES:
        same(getattr(yuan, name), getattr(al.book_view(al.analyze(other, on=ON)), name))


def test_clients_without_a_rate_are_counted_apart() -> None:
    rows = [("a", "x", "deposit", 4e5), ("b", "x", "deposit", 7e5)]
    who = [{"client_id": "a", "currency": "CNY"}, {"client_id": "b", "currency": "CHF"}]
    view = al.book_view(al.analyze(make_book(rows, who), on=ON))
    assert len(view) == 2
    assert view.total == 4e5
    assert view.unrated.to_dict("records") == [{"currency": "CHF", "clients": 1}]
    assert view.segments["segment"].tolist() == ["vip", ""]
    assert view.statuses["clients"].sum() == 2
    assert "without a rate" in repr(view)


def test_a_book_of_one_currency_needs_no_rate() -> None:
    who = [{"client_id": c, "currency": "USD"} for c in "ab"]
    view = al.book_view(al.analyze(make_book([(c, "x", "deposit", 4e5) for c in "ab"], who), on=ON))
    assert (view.facts.base, view.total, len(view.unrated)) == ("USD", 8e5, 0)
    assert view.segments["segment"].tolist() == [""]  # the tiers are amounts in the framework's currency


def test_nobody_and_nothing() -> None:
    a = al.analyze(make_book([("a", "x", "deposit", 0.0)]), on=ON)
    view = al.book_view(a)
    assert view.pareto.empty
    assert view.total == 0
    with pytest.raises(InputError, match="advisor"):
        al.book_view(a, advisor="nobody")


def test_a_plan_is_not_changed(plan: al.Plan) -> None:
    before = plan.trades.copy()
    book_view(plan)
    pd.testing.assert_frame_equal(before, plan.trades)
    assert random_clients(0).clients.equals(random_clients(0).clients)


def test_real_families(shared: Callable[[str], Path]) -> None:
    a = al.analyze(al.read_book(shared("scf/scf2022_even_entrepreneurs.csv"), format="scf"), on=ON)
    view = book_view(a)
    assert (len(view), view.facts.base) == (467, "USD")
    assert view.total == pytest.approx(math.fsum(a.summary["total"]))
    assert view.total > 1e8
    over = dict(zip(zip(view.limits["limit"], view.limits["sense"], strict=True), view.limits["clients"], strict=True))
    for name, sense in over:
        rows = a.limits[(a.limits["limit"] == name) & (a.limits["sense"] == sense)]
        assert over[name, sense] == sum(rows["exceeded"])
    assert view.pareto["part_money"].between(0, 1).all()
