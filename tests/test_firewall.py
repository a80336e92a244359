"""The wall between family and firm against plain Python, by hand and on random books; and what is then said."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON
from plain import Plain
from small import USD, book_of, client, holding, run
from worlds import World, random_world

import allocator as al
from allocator.analysis import Analysis
from allocator.errors import ConfigError
from allocator.firewall import STATUSES, WAYS, fail, secured
from allocator.framework import load_framework
from allocator.households import household
from allocator.i18n import words
from allocator.reporting.blocks import Line, Table, cell
from allocator.reporting.household import household_json, household_overview, household_sheet

FIRM = {"asset_id": "f", "asset_class": "private_business", "value": 9000.0, "own_company": True, "sector": "Tech"}
SUMS = ["company", "owed", "total", "debt", "equity", "home", "net_worth", "liquid", *(f"paid_{w}" for w in WAYS)]


def fire(*rows: dict[str, Any], debts: list[dict[str, Any]] | None = None, **facts: Any) -> dict[str, Any]:
    """The firewall row of one family with a firm and what is given."""
    more = {} if debts is None else {"debts": [{"client_id": "a"} | d for d in debts]}
    held = [holding(own_company=False) | FIRM, *(holding(own_company=False) | r for r in rows)]
    return dict(household(run(book_of(*held, clients=[client(**facts)], **more))).firewall.iloc[0])


def asset(asset_id: str, asset_class: str, value: float, **more: Any) -> dict[str, Any]:
    return {"asset_id": asset_id, "asset_class": asset_class, "value": value} | more


# ---- by hand


def test_cash_goes_before_gold_before_shares_before_houses() -> None:
    """100 cash, 100 gold, 100 shares, 100 flat: what is called eats them in this order; months follow the reserve."""
    held = [
        asset("d", "deposit", 100.0),
        asset("g", "gold", 100.0),
        asset("s", "equity_fund", 100.0),
        asset("h", "investment_property", 100.0),
    ]
    for called, paid, liquid, selling in (
        (0, (0, 0, 0), 200, 300),
        (50, (0, 50, 0), 150, 250),
        (150, (0, 150, 0), 50, 150),
        (250, (0, 250, 0), 0, 50),
        (350, (0, 300, 50), 0, 0),
        (450, (0, 300, 100), 0, 0),
    ):
        r = fire(*held, guarantees=float(called), monthly_spending=10.0)
        assert tuple(r[f"paid_{w}"] for w in WAYS) == paid
        assert (r["owed"], r["total"]) == (max(called - 400, 0), max(400 - called, 0))
        assert (r["months"], r["months_selling"]) == (liquid / 10, selling / 10)
        assert r["equity"] == r["net_worth"] == 400 - called


def test_what_secures_a_debt_of_the_family_pays_only_with_the_rest() -> None:
    """Shares of 400 pledged for a loan of 300, a flat of 500 with a mortgage of 450: 100 and 50 are free."""
    held = [asset("s", "listed_equity", 400.0, pledged=True), asset("h", "investment_property", 500.0)]
    debts = [{"value": 300.0, "secured_by": "s"}, {"value": 450.0, "secured_by": "h"}]
    r = fire(*held, debts=debts, guarantees=200.0)
    assert (r["paid_pledged"], r["paid_liquid"], r["paid_rest"], r["owed"]) == (100, 0, 50, 50)
    assert (r["total"], r["debt"], r["equity"]) == (750, 800, -50)
    assert r["status"] == "insolvent_after"


def test_a_pledged_home_goes_another_does_not() -> None:
    home = asset("o", "own_home", 1000.0)
    free = fire(home, guarantees=300.0)
    assert (free["home"], free["owed"], free["equity"], free["net_worth"]) == (1000, 300, -300, 700)
    pledged = fire(home | {"pledged": True}, guarantees=300.0, debts=[{"value": 800.0, "secured_by": "o"}])
    assert (pledged["paid_pledged"], pledged["home"], pledged["owed"]) == (200, 800, 100)
    assert (pledged["equity"], pledged["net_worth"]) == (-100, -100)


def test_locked_assets_pay_last_and_own_ones_never() -> None:
    held = [
        asset("l", "equity_fund", 100.0, locked_until="2030-01-01"),
        asset("s", "equity_fund", 100.0),
        asset("x", "listed_equity", 100.0, own_company=True, pledged=True),
    ]
    r = fire(*held, guarantees=150.0)
    assert (r["company"], r["paid_pledged"], r["paid_liquid"], r["paid_rest"]) == (9100, 0, 100, 50)


def test_a_debt_that_the_firm_secures_stays_and_eats_nothing_else() -> None:
    r = fire(asset("d", "deposit", 500.0), debts=[{"value": 200.0, "secured_by": "f", "annual_payment": 60.0}])
    assert (r["debt"], r["equity"], r["months"]) == (200, 300, 500 / 15)


def test_guarantees_without_a_firm_are_called_as_well() -> None:
    found = household(run(book_of(holding(value=100.0), clients=[client(guarantees=40.0)])))
    assert found.firewall.loc[0, ["company", "paid_liquid", "months"]].tolist() == [0, 40, 6]
    assert found.firewall["status"].tolist() == ["survives"]


def test_one_asset_in_two_accounts_carries_its_debt_once() -> None:
    rows = [
        asset("s", "equity_fund", 100.0, account="1", pledged=True),
        asset("s", "equity_fund", 300.0, account="2"),
    ]
    r = fire(*rows, debts=[{"value": 200.0, "secured_by": "s"}], guarantees=1000.0)
    assert (r["paid_pledged"], r["paid_liquid"], r["owed"]) == (50, 150, 800)
    assert (r["total"], r["debt"]) == (200, 1000)


def test_nothing_left_and_nothing_owed() -> None:
    r = fire()
    assert (r["total"], r["equity"], r["net_worth"], r["status"]) == (0, 0, 0, "insolvent_after")


# ---- against plain Python


def plainly(one: Plain, world: World) -> dict[str, float]:
    """The firewall test of one sheet, asset by asset."""
    f, rows, s = world.framework, one.rows, one.sheet
    home = {r["asset_id"] for r in rows if r["code"] and f.classes[r["code"]].bucket == "own_use"}
    worth: dict[str, float] = {}
    for r in rows:
        worth[r["asset_id"]] = worth.get(r["asset_id"], 0.0) + r["value"]
    on: dict[str, float] = dict.fromkeys(worth, 0.0)
    debts = [(one._convert(d["value"], d["currency"]), d["secured_by"]) for d in s.debts]
    for value, by in debts:
        if by in on:
            on[by] += value
    ways: list[list[dict[str, Any]]] = [[], [], [], [], []]
    for r, h in zip(rows, s.holdings, strict=True):
        r["left"] = 0.0 if r["own"] else r["value"]
        r["able"] = max(r["value"] - on[r["asset_id"]] * r["value"] / worth[r["asset_id"]], 0.0) if r["value"] else 0.0
        if r["own"] or not (r["code"] or h["pledged"]):
            continue
        c = f.classes.get(r["code"])
        quick = c is not None and c.liquidity in ("cash", "liquid") and c.bucket != "own_use" and r["free"]
        reserve = quick and c is not None and c.bucket == "defensive"
        if h["pledged"]:
            ways[0].append(r)
        elif c is not None and reserve and c.liquidity == "cash" and c.buy_cost == c.sell_cost == 0:
            ways[1].append(r)
        elif reserve or quick:
            ways[2 if reserve else 3].append(r)
        elif c is not None and c.bucket != "own_use":
            ways[4].append(r)
    due, paid = s.guarantees, [0.0] * 5
    for k, way in enumerate(ways):
        there = sum(r["able"] for r in way)
        paid[k] = min(due, there)
        for r in way:
            r["left"] -= r["able"] * paid[k] / there if there else 0.0
        due -= paid[k]
    part = {id(r): r["inside"] / r["value"] if r["value"] else 0.0 for r in rows}
    total = sum(r["left"] * part[id(r)] for r in rows)
    everything = sum(v for v, _ in debts)
    return {
        "company": sum(r["value"] for r in rows if r["own"]),
        "paid_pledged": paid[0],
        "paid_liquid": paid[1] + paid[2] + paid[3],
        "paid_rest": paid[4],
        "owed": due,
        "total": total,
        "debt": everything + due,
        "equity": total - sum(v for v, by in debts if by not in home) - due,
        "home": sum(r["left"] * (1 - part[id(r)]) for r in rows if r["code"]),
        "net_worth": sum(r["left"] for r in rows) - everything - due,
        "liquid": sum(r["left"] for r in rows if r["free"] and r["code"] and one._liquid(r["code"])),
    }


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("preset", ["classic", "chhabra"])
def test_every_client_as_in_plain_python(seed: int, preset: str) -> None:
    world = random_world(900 + seed, load_framework(preset))
    for sheet in world.sheets:
        sheet.guarantees *= 5 * (seed % 3 + 1)  # else hardly anybody pays with houses
    a = al.analyze(world.book(), world.framework, on=ON)
    table = household(a).firewall.set_index("client_id")
    for sheet in world.sheets:
        want = plainly(Plain(sheet, world), world)
        got = table.loc[sheet.client_id]
        for name in SUMS:
            assert got[name] == pytest.approx(want[name], rel=1e-9, abs=0.011), (sheet.client_id, name)
    assert set(table["status"]) <= set(STATUSES)
    assert (table[["paid_liquid", "owed"]] > 0).any().all(), "the sheets are too tame"


# ---- what must always hold


def world_book(seed: int) -> Analysis:
    return al.analyze(random_world(seed, load_framework()).book(), on=ON)


def scaled(a: Analysis, factor: float, guarantees: float = 1.0) -> Analysis:
    """The same book with all money times a factor, and guarantees times another one beside it."""
    p = a.positions
    d = replace(p.debts, value=p.debts.value * factor, service=p.debts.service * factor)
    q = replace(p, value=p.value * factor, spending=p.spending * factor, debts=d)
    q = replace(q, guarantees=p.guarantees * factor * guarantees)
    return al.pipeline.measure(q, a.framework, a.assumptions, on=a.on, issues=a.issues)


@pytest.mark.parametrize("seed", range(6))
def test_more_guarantees_never_help(seed: int) -> None:
    a = world_book(seed)
    order = {s: k for k, s in enumerate(("survives", "short_of_cash", "insolvent_after"))}
    for factor in (1.3, 10.0):
        less, more = household(a).firewall, household(scaled(a, 1.0, factor)).firewall
        for column in ("total", "liquid", "equity", "home", "net_worth"):
            assert (more[column] <= less[column] + 0.011).all(), column
        assert (more["owed"] >= less["owed"]).all()
        both = less["status"].isin(list(order)) & more["status"].isin(list(order))
        assert (more["status"][both].map(order) >= less["status"][both].map(order)).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_unit_of_money_changes_nothing_but_money(seed: int) -> None:
    a = world_book(seed)
    one, ten = household(a).firewall, household(scaled(a, 10.0)).firewall
    assert one["status"].tolist() == ten["status"].tolist()
    np.testing.assert_allclose(ten["months"], one["months"], rtol=1e-9)
    for column in SUMS:
        np.testing.assert_allclose(ten[column], 10 * one[column], rtol=1e-9, atol=0.11)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_and_clients_does_not_matter(seed: int) -> None:
    book = random_world(seed, load_framework()).book()
    rng = np.random.default_rng(seed)
    mixed = replace(
        book,
        holdings=book.holdings.groupby("asset_id", group_keys=False).sample(frac=1, random_state=seed),
        clients=book.clients.iloc[rng.permutation(len(book.clients))].reset_index(drop=True),
    )
    # accounts of one asset keep their order, for their names do
    mixed = replace(mixed, holdings=mixed.holdings.sort_values("account", kind="stable").reset_index(drop=True))
    one, two = (household(al.analyze(b, on=ON)).firewall.set_index("client_id") for b in (book, mixed))
    pd.testing.assert_frame_equal(one, two.loc[one.index], rtol=1e-9, atol=0.011)


def test_what_pays_is_what_is_gone_and_nobody_pays_twice() -> None:
    a = world_book(5)
    f, p = fail(a), a.positions
    gone = p.per_client(p.value * ~p.own - f.left)
    np.testing.assert_allclose(gone, f.paid.sum(axis=1), atol=1e-6)
    np.testing.assert_allclose(f.paid.sum(axis=1) + f.owed, p.guarantees, atol=0.011)
    assert (f.left >= np.minimum(secured(p), p.value) * ~p.own - 1e-6).all(), "a lender's security was sold"


def test_currency_of_the_report_does_not_matter() -> None:
    def one(currency: str, rate: float) -> pd.Series:
        rows = [holding(**FIRM, currency="CNY"), holding(asset_id="d", value=700.0, currency="CNY", own_company=False)]
        who = [client(currency=currency, monthly_spending=70.0 / rate, guarantees=140.0 / rate)]
        return household(run(book_of(*rows, clients=who, fx=USD))).firewall.iloc[0]

    cny, usd = one("CNY", 1.0), one("USD", 7.0)
    assert cny["months"] == usd["months"] == 8
    assert usd["net_worth"] == cny["net_worth"] / 7 == 80


# ---- protection and industry


def test_protection_with_the_income_and_without_it() -> None:
    """A family of 1 child, spending 120 a year and paying 10 on debts: 50 of income leave 80 a year."""
    who = client(dependants=1, income=50.0, insurance_cover=300.0, age=40)
    a = run(
        book_of(holding(value=400.0), clients=[who], debts=[{"client_id": "a", "value": 90.0, "annual_payment": 10.0}])
    )
    changes: dict[str, Any] = {"support_years": 10, "support_share": 0.5, "education": {"CNY": 25.0}}
    p = household(a, **changes).protection.iloc[0]
    assert (p["debts"], p["support"], p["education"], p["liquid"]) == (90, 600, 25, 400)
    assert (p["cover_needed"], p["gap"]) == (315, 15)
    assert p["gap_with_income"] == 80 * 10 + 25 - 400
    rich = run(book_of(holding(value=400.0), clients=[who | {"income": 500.0}]))
    assert household(rich, **changes).protection.loc[0, "gap_with_income"] == 25 - 400


def test_the_sum_to_insure_is_known_even_where_the_cover_is_not() -> None:
    who = client(dependants=1, income=1.0)
    p = household(run(book_of(holding(), clients=[who])), education={"CNY": 1000.0}).protection.iloc[0]
    assert math.isnan(p["gap"])
    assert p["cover_needed"] == 120 * 10 * 0.7 + 1000 - 100
    assert p["unknown"] == "insurance_cover"


@pytest.mark.parametrize(("age", "counted"), [(59.0, True), (60.0, False), (math.nan, True)])
def test_grown_up_dependants_need_no_education(age: float, counted: bool) -> None:
    who = client(dependants=2, income=1.0, insurance_cover=0.0, age=age)
    p = household(run(book_of(holding(), clients=[who])), education={"CNY": 10.0}).protection.iloc[0]
    assert p["education"] == (20 if counted else 0)
    assert p["support"] > 0


def test_own_listed_shares_are_no_cover() -> None:
    rows = [
        holding(asset_id="s", asset_class="listed_equity", value=900.0, own_company=True),
        holding(asset_id="p", asset_class="equity_fund", value=50.0, pledged=True, own_company=False),
        holding(asset_id="e", asset_class="equity_fund", value=70.0, own_company=False),
    ]
    assert household(run(book_of(*rows))).protection["liquid"].tolist() == [70]


def test_the_industry_by_name() -> None:
    rows = [
        holding(**FIRM),
        holding(
            asset_id="s", name="Maker", asset_class="listed_equity", value=500.0, sector=" tech ", own_company=False
        ),
        holding(asset_id="e", asset_class="listed_equity", value=500.0, sector="energy", own_company=False),
    ]
    found = household(run(book_of(*rows)))
    assert found.industry[["industry", "own", "other", "share", "others"]].to_numpy().tolist() == [
        ["Tech", 9000.0, 500.0, 0.95, 1]
    ]
    assert found.names["asset_id"].tolist() == ["f", "s"]
    assert found.names["value"].sum() == 9500


def test_an_industry_that_is_not_known_is_said() -> None:
    rows = [
        holding(**FIRM | {"sector": ""}),
        holding(asset_id="s", asset_class="listed_equity", value=500.0, sector="", own_company=False),
    ]
    found = household(run(book_of(*rows)))
    row = found.industry.iloc[0]
    assert (row["industry"], row["own"], row["others"]) == ("", 9000, 0)
    assert math.isnan(row["share"])
    assert math.isnan(row["other"])
    texts = [b.text for b in household_sheet(found, "a", words("en")) if isinstance(b, Line)]
    assert words("en").text("household.say_industry_unknown") in texts


# ---- needs


def test_single_numbers_can_be_changed_and_say_so() -> None:
    a = run(book_of(holding(**FIRM), holding(asset_id="d", value=40.0, own_company=False)))
    assert household(a).firewall["status"].tolist() == ["survives"]
    found = household(a, survive_months=6)
    assert found.firewall["status"].tolist() == ["short_of_cash"]
    assert found.needs.survive_source == "given by the caller"
    assert household(a, needs=found.needs, survive_months=3).firewall["status"].tolist() == ["survives"]
    assert found.needs.support_source != "given by the caller"


@pytest.mark.parametrize("change", [{"survive_month": 3}, {"survive_months": -1}, {"support_share": 70}])
def test_wrong_numbers_are_named(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        household(run(book_of(holding())), **change)


# ---- what the family reads


def sheet(lang: str, *rows: dict[str, Any], **facts: Any) -> str:
    held = [holding(own_company=False) | FIRM, *(holding(own_company=False) | r for r in rows)]
    found = household(run(book_of(*held, clients=[client(**facts)])))
    blocks = household_sheet(found, "a", words(lang))
    out = [b.text if not isinstance(b, Table) else " ".join(cell(c).text for r in b.rows for c in r) for b in blocks]
    return "\n".join(out)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_outcome_has_its_own_sentence(lang: str) -> None:
    def said(key: str, **data: Any) -> str:
        return words(lang).text(f"household.{key}", **data)

    cash, fund, home = asset("d", "deposit", 20.0), asset("s", "equity_fund", 30.0), asset("o", "own_home", 500.0)
    money = words(lang).money
    assert said("say_short_but_sells", months="2.0", needed="3", selling="5.0") in sheet(lang, cash, fund)
    assert said("say_short_of_cash", months="2.0", needed="3", missing=money(20, "CNY")) in sheet(lang, cash)
    left = {"missing": money(80, "CNY"), "net_worth": money(420, "CNY")}
    assert said("say_home_only", **left) in sheet(lang, cash, home, guarantees=100.0)
    assert said("say_home_left", net_worth=money(500, "CNY")) in sheet(lang, cash, home, guarantees=20.0)
    assert said("say_nothing_left") in sheet(lang, cash, guarantees=20.0)
    assert said("say_insolvent_after", net_worth=money(5, "CNY")) in sheet(lang, cash, guarantees=25.0)
    assert said("say_survives", months="5.0", needed="3", net_worth=money(50, "CNY")) in sheet(
        lang, asset("d", "deposit", 50.0)
    )


def test_the_overview_counts_every_band_and_those_without_one() -> None:
    who = [client(client_id=c, risk_band=b) for c, b in (("a", "balanced"), ("b", "aggressive"), ("c", "?"))]
    rows = [holding(**FIRM | {"client_id": c}) for c in "abc"]
    found = household(run(book_of(*rows, clients=who)))
    assert found.by_band["band"].tolist() == [*found.analysis.framework.band_codes, ""]
    assert found.by_band[list(STATUSES)].to_numpy().sum() == 3
    (table, *_) = household_overview(found, words("en"))
    assert isinstance(table, Table)
    assert len(table.rows) == 4


def test_the_json_carries_unknowns_as_none_and_the_holdings_behind_an_industry() -> None:
    rows = [holding(**FIRM), holding(asset_id="s", asset_class="listed_equity", sector="TECH", own_company=False)]
    found = household(run(book_of(*rows, clients=[client(monthly_spending=math.nan)])))
    out = household_json(found, words("en"))
    (one,) = out["clients"]
    h = one["household"]
    assert h["firewall"]["months"] is None
    assert h["firewall"]["status"] == "unknown"
    assert h["reserve"]["short"] is None
    assert h["protection"]["unknown"] == ["dependants", "insurance_cover", "monthly_spending", "income"]
    assert [x["asset_id"] for x in h["industry"][0]["holdings"]] == ["f", "s"]
    assert out["needs"]["survive_months"] == 3
