"""Every limit of the registry, on random books, against a plain recomputation client by client."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, make_book
from plain import Plain
from worlds import ON, random_world

from allocator.framework import Framework, load_framework
from allocator.limits import TOLERANCE, limit_list
from allocator.pipeline import analyze

CUSTOM = """
extends = "classic"
[bands.conservative.limits]
"class:gold" = 0.04
"group:alternatives" = 0.03
[bands.aggressive.limits]
"class:own_home" = 0.5
[bands.balanced]
groups.cash = { target = 0.25, low = 0.20, high = 0.25 }
groups.gold = { target = 0.05, high = 0.10 }
"""


EVERY = ROOT / "data" / "frameworks" / "every_limit.toml"


@pytest.fixture(params=["classic", "chhabra", "custom", "every"])
def framework(request: pytest.FixtureRequest, tmp_path: Path) -> Framework:
    if request.param == "every":
        return load_framework(EVERY)
    if request.param != "custom":
        return load_framework(request.param)
    path = tmp_path / "custom.toml"
    path.write_text(CUSTOM, "utf-8")
    return load_framework(path)


def close(found: float, expected: float) -> bool:
    return (math.isnan(found) and math.isnan(expected)) or found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_every_limit_is_what_a_plain_recomputation_says(seed: int, framework: Framework) -> None:
    world = random_world(seed, framework)
    a = analyze(world.book(), framework, on=ON)
    table, plain = a.limit_table, [Plain(s, world) for s in world.sheets]
    assert a.client_ids == [s.client_id for s in world.sheets]
    assert [x.key for x in table.limits] == [x.key for x in limit_list(framework)]
    held = 0
    for j, limit in enumerate(table.limits):
        for i, p in enumerate(plain):
            value, bound, excess = p.limit(limit.name, limit.sense)
            where = f"{limit.key} of {p.sheet.client_id}"
            assert close(table.value[i, j], value), where
            assert close(table.bound[i, j], bound), where
            assert close(table.excess[i, j], excess), where
            assert table.exceeded[i, j] == (excess > TOLERANCE), where
            held += excess > TOLERANCE
    assert held > 50, "the book must exceed something for the comparison to mean anything"


def test_random_books_exceed_and_keep_every_limit(framework: Framework) -> None:
    """The generator reaches both sides of each limit, so none of the comparisons above is empty."""
    exceeded, kept = set(), set()
    for seed in range(4):
        world = random_world(seed, framework)
        t = analyze(world.book(), framework, on=ON).limits
        exceeded |= {*zip(t.loc[t["exceeded"], "limit"], t.loc[t["exceeded"], "sense"], strict=True)}
        kept |= {*zip(t.loc[~t["exceeded"], "limit"], t.loc[~t["exceeded"], "sense"], strict=True)}
    everything = {(x.name, x.sense) for x in limit_list(framework)}
    never = {("class:own_home", "<=")}  # outside the buckets, so always 0
    assert everything - never <= exceeded
    assert everything <= kept


def test_a_bucket_capped_twice_is_one_limit(tmp_path: Path) -> None:
    """A file may cap ``bucket:growth`` under limits and under buckets: the tighter cap holds, under one key."""
    path = tmp_path / "twice.toml"
    path.write_text('extends = "classic"\n[bands.conservative.limits]\n"bucket:growth" = 0.45\n', "utf-8")
    limits = limit_list(load_framework(path))
    assert len({x.key for x in limits}) == len(limits)
    assert next(x for x in limits if x.key == "bucket:growth<=").bounds == (0.45, 0.65, 0.70)


def test_list_of_the_product_page() -> None:
    """Each band has the limits and bounds of the product page, and no others."""
    names = {x.key: x.bounds for x in limit_list(load_framework("classic"))}
    nan = float("nan")
    expected = {
        "reserve_months>=": (6.0, 6.0, 6.0),
        "volatility<=": (0.05, 0.12, 0.20),
        "single_holding<=": (0.10, 0.15, 0.20),
        "issuer<=": (0.15, 0.20, 0.30),
        "property<=": (0.20, 0.30, 0.40),
        "business<=": (0.10, 0.20, 0.30),
        "illiquid<=": (0.30, 0.50, 0.65),
        "leverage<=": (0.20, 0.35, 0.50),
        "bucket:defensive>=": (0.35, 0.20, 0.10),
        "bucket:defensive<=": (0.75, 0.50, 0.35),
        "bucket:growth>=": (0.25, 0.35, 0.35),
        "bucket:growth<=": (0.55, 0.65, 0.70),
        "bucket:offensive>=": (nan, nan, 0.10),
        "bucket:offensive<=": (0.20, 0.35, 0.50),
        "group:equity>=": (0.05, 0.12, 0.20),
    }
    assert names.keys() == expected.keys()
    for key, bounds in expected.items():
        assert np.array_equal(names[key], bounds, equal_nan=True), key


def one(rows: list[tuple[str, float]], **client: object):
    """Analysis of one client with holdings of some classes; returns limits by name and sense."""
    book = make_book(
        [("a", f"{c} {i}", c, v) for i, (c, v) in enumerate(rows)],
        [{"client_id": "a", "risk_band": "balanced", "monthly_spending": 1, **client}],
    )
    return analyze(book, on=ON).limits.set_index(["limit", "sense"])


def test_excess_by_hand() -> None:
    """100 in all: shares 45 and 30 (15% each allowed), a flat of 20, cash 5 with 10 a month to live on."""
    t = one(
        [("listed_equity", 45), ("listed_equity", 30), ("investment_property", 20), ("deposit", 5)], monthly_spending=10
    )
    expected = {
        ("single_holding", "<="): (0.45, 0.15, 0.30 + 0.15 + 0.05),
        ("issuer", "<="): (0.45, 0.20, 0.25 + 0.10),
        ("property", "<="): (0.20, 0.30, 0.0),
        ("reserve_months", ">="): (0.5, 6.0, 0.60 - 0.05),
        ("bucket:defensive", ">="): (0.05, 0.20, 0.15),
        ("bucket:growth", "<="): (0.75, 0.65, 0.10),
        ("group:equity", ">="): (0.75, 0.12, 0.0),
    }
    for key, numbers in expected.items():
        row = t.loc[key]
        assert (row["value"], row["bound"], row["excess"]) == pytest.approx(numbers), key
        assert row["exceeded"] == (numbers[2] > 0)


def test_one_issuer_counts_once_however_many_holdings_it_has() -> None:
    rows = [
        {"client_id": "a", "name": f"bond {i}", "asset_class": "corporate_bond", "value": 15, "issuer": w}
        for i, w in enumerate(["ACME", "Acme", "acme"])
    ]
    rows += [{"client_id": "a", "name": "cash", "asset_class": "deposit", "value": 55, "issuer": "ACME"}]
    import pandas as pd

    t = analyze(make_book(pd.DataFrame(rows)), on=ON).limits.set_index("limit")
    assert t.loc["issuer", "value"] == pytest.approx(0.45)  # the deposit at the same house is no single name
    assert t.loc["issuer", "excess"] == pytest.approx(0.25)
    assert t.loc["single_holding", "excess"] == 0


def test_what_is_no_single_name_never_counts() -> None:
    rows = [("deposit", 40.0), ("government_bond", 30.0), ("equity_fund", 30.0)]
    t = one(rows)
    for name in ("single_holding", "issuer"):
        assert (t.loc[(name, "<="), "value"], t.loc[(name, "<="), "excess"]) == (0, 0)


def test_owner_of_a_company_needs_more_months() -> None:
    assert one([("deposit", 100.0)]).loc[("reserve_months", ">="), "bound"] == 6
    assert one([("deposit", 99.0), ("private_business", 1.0)]).loc[("reserve_months", ">="), "bound"] == 12
    assert one([("deposit", 99.0), ("private_business", 0.0)]).loc[("reserve_months", ">="), "bound"] == 6


def test_a_hair_beyond_a_bound_is_within_tolerance_and_a_step_is_not() -> None:
    """30% of property is the bound; money has cents, so the total is large."""

    def at(amount: float) -> bool:
        t = one([("investment_property", amount), ("deposit", 1e8 - amount)])
        return bool(t.loc[("property", "<="), "exceeded"])

    assert not at(30_000_000.0)
    assert not at(30_000_000.0 + 0.5 * TOLERANCE * 1e8)
    assert at(30_000_000.0 + 2 * TOLERANCE * 1e8)


def test_unknown_spending_judges_no_reserve() -> None:
    t = one([("private_business", 100.0)], monthly_spending=None).loc[("reserve_months", ">=")]
    assert math.isnan(t["value"])
    assert math.isnan(t["excess"])
    assert not t["exceeded"]


def test_nothing_to_pay_needs_no_reserve() -> None:
    t = one([("private_business", 100.0)], monthly_spending=0).loc[("reserve_months", ">=")]
    assert t["value"] == math.inf
    assert t["excess"] == 0
