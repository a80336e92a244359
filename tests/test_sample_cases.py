"""Every case that data/README.md promises is in the sample book, and the package finds it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import SAMPLE
from sample_tables import (
    BALANCED,
    OWN_USE,
    clients_table,
    debts_table,
    holdings_table,
    read,
    reserve,
    share,
    volatility,
)

from allocator.framework import Framework, load_framework


@pytest.fixture(scope="module")
def classic() -> Framework:
    return load_framework("classic")


@pytest.fixture(scope="module")
def clients() -> pd.DataFrame:
    return clients_table()


@pytest.fixture(scope="module")
def debts() -> pd.DataFrame:
    return debts_table()


@pytest.fixture(scope="module")
def holdings() -> pd.DataFrame:
    return holdings_table()


# ---- the cases, in the order of data/README.md


def test_01_all_in_the_own_firm(holdings: pd.DataFrame, clients: pd.DataFrame) -> None:
    assert share(holdings, "C001", holdings["own_company"] == "true") > 0.99
    assert reserve(holdings, "C001") / float(clients.at["C001", "monthly_spending"]) < 3


def test_02_property_collector(holdings: pd.DataFrame) -> None:
    mine = holdings[(holdings["client_id"] == "C002") & (holdings["code"] == "investment_property")]
    assert (mine["sector"] == "residential").sum() == 5
    assert (mine["sector"] == "retail").sum() == 1
    assert (mine["indivisible"] == "true").sum() == 1
    others = holdings[(holdings["code"] == "investment_property") & (holdings["client_id"] != "C002")]
    assert (others["indivisible"] == "true").all()
    assert share(holdings, "C002", holdings["code"] == "investment_property") > 0.9


def test_03_firm_and_property(holdings: pd.DataFrame, classic: Framework) -> None:
    limits = classic.bands["aggressive"].limits
    assert share(holdings, "C003", holdings["code"] == "private_business") > limits["business"]
    assert share(holdings, "C003", holdings["code"] == "investment_property") > limits["property"]
    assert set(holdings.loc[holdings["client_id"] == "C003", "own_company"]) == {"true", "false", ""}


def test_04_deposits_only(holdings: pd.DataFrame, clients: pd.DataFrame) -> None:
    assert share(holdings, "C004", holdings["code"] == "deposit") == 1
    assert int(clients.at["C004", "age"]) > 65


@pytest.mark.parametrize("client", BALANCED)
def test_05_well_balanced(client: str, holdings: pd.DataFrame, clients: pd.DataFrame, classic: Framework) -> None:
    band = classic.bands[classic.band_aliases[clients.at[client, "risk_band"].casefold()]]
    for code, span in band.buckets.items():
        off = abs(share(holdings, client, holdings["bucket"] == code) - span.target)
        assert off < classic.drift.absolute, code
        assert off < classic.drift.relative * span.target, code
    inside = holdings[(holdings["client_id"] == client) & ~holdings["bucket"].isin([OWN_USE, ""])]
    weight = inside.groupby("code")["cny"].sum() / inside["cny"].sum()
    equity = sum(classic.classes[c].groups.get("equity", 0.0) * w for c, w in weight.items())
    assert equity > (band.groups["equity"].low or 0) + 0.01
    named = inside[[classic.classes[c].name_limits for c in inside["code"]]]
    assert named["cny"].max() < band.limits["single_holding"] * inside["cny"].sum()
    assert named.groupby("issuer")["cny"].sum().max() < band.limits["issuer"] * inside["cny"].sum()
    illiquid = [c for c in weight.index if classic.classes[c].liquidity == "illiquid"]
    assert weight[illiquid].sum() < band.limits["illiquid"]
    assert weight.get("investment_property", 0) < band.limits["property"]
    assert reserve(holdings, client) > 12 * float(clients.at[client, "monthly_spending"])
    assert client not in set(read("debts")["client_id"])
    assert volatility(inside) < 0.9 * band.volatility


def test_05_in_different_bands(clients: pd.DataFrame, classic: Framework) -> None:
    assert len({classic.band_aliases[clients.at[c, "risk_band"].casefold()] for c in BALANCED}) == len(BALANCED)


def test_06_own_listed_company(holdings: pd.DataFrame) -> None:
    mask = (holdings["code"] == "listed_equity") & (holdings["own_company"] == "true")
    assert share(holdings, "C007", mask) == pytest.approx(0.60, abs=0.02)


def test_07_leveraged_property(holdings: pd.DataFrame, debts: pd.DataFrame) -> None:
    mine = debts[debts["client_id"] == "C008"]
    flats = holdings[(holdings["client_id"] == "C008") & (holdings["code"] == "investment_property")]
    assert set(mine["secured_by"]) == set(flats["asset_id"])
    assets = holdings[(holdings["client_id"] == "C008") & (holdings["bucket"] != OWN_USE)]["cny"].sum()
    assert 0.5 < mine["cny"].sum() / assets < 0.8


def test_08_guarantee(holdings: pd.DataFrame, clients: pd.DataFrame) -> None:
    firm = holdings[(holdings["client_id"] == "C009") & (holdings["own_company"] == "true")]["cny"].sum()
    assert float(clients.at["C009", "guarantees"]) > firm / 2 > 0


def test_09_foreign_currency(holdings: pd.DataFrame, clients: pd.DataFrame) -> None:
    for client, home in (("C010", "CNY"), ("C011", "USD")):
        assert clients.at[client, "currency"] == home
        assert set(holdings.loc[holdings["client_id"] == client, "currency"]) == {"CNY", "USD", "HKD"}
    assert (clients["currency"] == "USD").sum() == 1


def test_10_insolvent(holdings: pd.DataFrame, debts: pd.DataFrame) -> None:
    mine = holdings[holdings["client_id"] == "C012"]
    home = mine.loc[mine["bucket"] == OWN_USE, "asset_id"]
    owed = debts[debts["client_id"] == "C012"]
    assert owed["secured_by"].isin(home).any()
    assert owed.loc[~owed["secured_by"].isin(home), "cny"].sum() > mine.loc[mine["bucket"] != OWN_USE, "cny"].sum()


def test_11_withdrawals(holdings: pd.DataFrame, clients: pd.DataFrame, classic: Framework) -> None:
    usual = holdings["code"].map({c: k.sellable for c, k in classic.classes.items()})
    sellable = holdings["sellable"].where(holdings["sellable"] != "").astype(float).fillna(usual)
    free = (holdings["pledged"] != "true") & (holdings["locked_until"] == "")
    money = (holdings["cny"] * sellable * free)[~holdings["bucket"].isin([OWN_USE, ""])]
    can = money.groupby(holdings["client_id"]).sum()
    due = -clients["cash_flow"].astype(float)
    assert set(due[due > 0].index) == {"C013", "C014"}
    assert can["C013"] > 3 * due["C013"]
    assert can["C014"] < 0.1 * due["C014"]


def test_12_new_money(clients: pd.DataFrame) -> None:
    flow = clients["cash_flow"].astype(float)
    assert list(flow.index[flow > 0]) == ["C015"]


def test_13_unclassified(holdings: pd.DataFrame) -> None:
    lost = holdings[holdings["code"] == ""]
    assert list(zip(lost["client_id"], lost["asset_class"], strict=True)) == [("C016", "数字艺术凭证")]


def test_14_locked_firm(holdings: pd.DataFrame) -> None:
    mine = holdings[(holdings["client_id"] == "C017") & (holdings["bucket"] != OWN_USE)]
    locked = mine["locked_until"] == "2031-01-01"
    assert list(mine.loc[locked, "own_company"]) == ["true"]
    assert (mine.loc[locked, "cny"].sum() / mine["cny"].sum()) > 0.5
    free = mine[~locked]
    assert free.loc[free["bucket"] == "defensive", "cny"].sum() < 0.05 * free["cny"].sum()


def test_15_pledged_shares(holdings: pd.DataFrame, debts: pd.DataFrame) -> None:
    pledged = holdings[(holdings["client_id"] == "C018") & (holdings["pledged"] == "true")]
    assert list(pledged["code"]) == ["listed_equity"]
    assert set(debts.loc[debts["client_id"] == "C018", "secured_by"]) == set(pledged["asset_id"])


def test_16_speculator(holdings: pd.DataFrame, clients: pd.DataFrame, classic: Framework) -> None:
    band = classic.bands[clients.at["C019", "risk_band"]]
    assert band is classic.bands["conservative"]
    assert share(holdings, "C019", holdings["code"].isin(["crypto", "derivative", "structured_product"])) > 0.5
    risk = holdings.loc[(holdings["client_id"] == "C019") & (holdings["product_risk"] != ""), "product_risk"]
    assert (risk.astype(int) > band.product_risk).sum() >= 4


def test_17_home_with_mortgage(holdings: pd.DataFrame, debts: pd.DataFrame) -> None:
    mine = holdings[holdings["client_id"] == "C020"]
    home = mine.loc[mine["code"] == "own_home", "asset_id"]
    owed = debts[debts["client_id"] == "C020"]
    assert list(owed["secured_by"]) == list(home)
    assert mine.loc[mine["bucket"] != OWN_USE, "cny"].sum() < owed["cny"].sum()


def test_18_one_bank(holdings: pd.DataFrame, classic: Framework) -> None:
    mine = holdings[(holdings["client_id"] == "C021") & (holdings["bucket"] != OWN_USE)]
    assert mine["issuer"].nunique() == 1
    assert mine.loc[mine["code"] == "bank_wealth_product", "cny"].sum() > 0.5 * mine["cny"].sum()
    assert mine.loc[mine["code"] == "deposit", "cny"].sum() > float(classic.insured_deposit["CNY"])


def test_19_young_professional(holdings: pd.DataFrame, clients: pd.DataFrame, classic: Framework) -> None:
    mine = holdings[holdings["client_id"] == "C022"]
    assert float(classic.tiers["vip"]) < mine["cny"].sum() < float(classic.tiers["gold"])
    assert clients.at["C022", "tier"] == "vip"
    assert int(clients.at["C022", "age"]) < 30
    assert "retirement_account" in set(mine["code"])


def test_20_large_family(holdings: pd.DataFrame) -> None:
    mine = holdings[(holdings["client_id"] == "C023") & (holdings["bucket"] != OWN_USE)]
    assert mine["cny"].sum() == pytest.approx(300e6, rel=0.02)
    assert set(mine["code"]) >= {"private_equity", "hedge_fund", "reit", "gold", "collectible"}


def test_21_nearly_right(holdings: pd.DataFrame, classic: Framework) -> None:
    limit = classic.bands["balanced"].limits["single_holding"]
    shares = share(holdings, "C024", holdings["code"] == "listed_equity")
    assert limit < shares < limit + 0.025


# ---- the same through the package


def test_only_the_unclassified_holding_is_an_error() -> None:
    from allocator.book import read_book
    from allocator.pipeline import analyze

    book = read_book(SAMPLE)
    assert not (book.issues["severity"] == "error").any()
    assert (book.counts["read"] == book.counts["used"]).all()
    wrong = analyze(book).set_aside
    assert list(zip(wrong["client_id"], wrong["code"], strict=True)) == [("C016", "unknown_class")]


def test_package_agrees_with_the_cases(holdings: pd.DataFrame) -> None:
    from allocator.book import read_book
    from allocator.pipeline import analyze

    summary = analyze(read_book(SAMPLE)).summary.set_index("client_id")
    status, exceeded = summary["status"], summary["limits_exceeded"]
    assert (status[list(BALANCED)] == "in_band").all()
    assert list(status.index[status == "insolvent"]) == ["C012"]
    assert exceeded["C024"] == 1
    assert np.isnan(summary.at["C018", "reserve_months"])
    for client in BALANCED:
        inside = holdings[(holdings["client_id"] == client) & (holdings["bucket"] != OWN_USE)]
        assert summary.at[client, "volatility"] == pytest.approx(volatility(inside), rel=1e-9)


def test_plans_say_what_the_cases_promise() -> None:
    from allocator.book import read_book
    from allocator.pipeline import analyze, rebalance

    said = {
        "C005": "no_trade",
        "C006": "no_trade",
        "C012": "insolvent",
        "C014": "unfunded",
        "C016": "invalid",
        "C024": "in_band",
    }
    plans = rebalance(analyze(read_book(SAMPLE).select(said))).summary.set_index("client_id")
    assert plans["status"].to_dict() == said
    assert plans.at["C014", "missing"] > 2.5e6
    assert 0 < plans.at["C024", "turnover"] < 0.03
