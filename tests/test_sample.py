"""The bundled sample book: it is what its generator writes, and every case that data/README.md promises is there."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from allocator import schema
from allocator.framework import Framework, load_framework

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
TABLES = ("holdings", "clients", "debts", "products", "fx")
BALANCED = ("C005", "C006")
OWN_USE = "own_use"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample", ROOT / "data" / "make_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_sample"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def classic() -> Framework:
    return load_framework("classic")


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(SAMPLE / f"{name}.csv", dtype="str", keep_default_na=False)


@pytest.fixture(scope="module")
def clients() -> pd.DataFrame:
    return read("clients").set_index("client_id")


@pytest.fixture(scope="module")
def debts(clients: pd.DataFrame) -> pd.DataFrame:
    d = read("debts")
    return d.assign(cny=d["value"].astype(float) * rate(d["currency"], clients, d["client_id"]))


@pytest.fixture(scope="module")
def holdings(classic: Framework, clients: pd.DataFrame) -> pd.DataFrame:
    """Every holding with its class, bucket and money in CNY, worked out from the files alone."""
    h = read("holdings")
    products = read("products").set_index("product_id")["asset_class"]
    words = {w.casefold(): code for code, c in classic.classes.items() for w in (*c.aliases, c.en, c.zh)}
    words |= {code: code for code in classic.classes}

    def find(row: pd.Series) -> str:
        if row["asset_class"]:
            return words.get(row["asset_class"].casefold(), "")
        if row["cfi"]:
            hits = [
                (len(p.replace("?", "").replace("*", "")), code)
                for code, c in classic.classes.items()
                for p in c.cfi
                if fnmatchcase(row["cfi"], p)
            ]
            return max(hits)[1] if hits else ""
        return str(products[row["product_id"]])

    code = h.apply(find, axis=1)
    bucket = code.map({c: k.bucket for c, k in classic.classes.items()}).fillna("")
    return h.assign(
        code=code, bucket=bucket, cny=h["value"].astype(float) * rate(h["currency"], clients, h["client_id"])
    )


def rate(currency: pd.Series, clients: pd.DataFrame, owner: pd.Series) -> pd.Series:
    rates = read("fx").set_index("currency")["rate"].astype(float)
    return currency.where(currency != "", owner.map(clients["currency"])).map(rates)


def share(holdings: pd.DataFrame, client: str, mask: pd.Series) -> float:
    mine = holdings["client_id"] == client
    total = holdings.loc[mine & ~holdings["bucket"].isin([OWN_USE, ""]), "cny"].sum()
    return float(holdings.loc[mine & mask, "cny"].sum() / total)


def reserve(holdings: pd.DataFrame, client: str) -> float:
    """Money in liquid defensive assets, CNY; nothing in the sample pledges or locks one."""
    liquid = ["deposit", "money_market", "treasury_bill", "savings_bond", "gold"]
    return float(holdings.loc[(holdings["client_id"] == client) & holdings["code"].isin(liquid), "cny"].sum())


# ---- the files


def test_generator_writes_the_committed_files(generator: ModuleType, tmp_path: Path) -> None:
    generator.write(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{t}.csv" for t in TABLES)
    assert sorted(p.name for p in SAMPLE.iterdir()) == sorted(f"{t}.csv" for t in TABLES)
    for table in TABLES:
        assert (tmp_path / f"{table}.csv").read_bytes() == (SAMPLE / f"{table}.csv").read_bytes(), table


def test_script_writes_the_same_in_a_process_of_its_own(tmp_path: Path) -> None:
    script = ROOT / "data" / "make_sample.py"
    subprocess.run(
        [sys.executable, "-X", "utf8=0", str(script), str(tmp_path / "新 folder")],
        check=True,
        env={"LC_ALL": "C", "PYTHONHASHSEED": "7"},
    )
    for table in TABLES:
        assert (tmp_path / "新 folder" / f"{table}.csv").read_bytes() == (SAMPLE / f"{table}.csv").read_bytes(), table


@pytest.mark.parametrize("table", TABLES)
def test_files_are_plain(table: str) -> None:
    raw = (SAMPLE / f"{table}.csv").read_bytes()
    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert raw.endswith(b"\n")
    frame, columns = read(table), {c.name: c for c in schema.TABLES[table]}
    assert set(frame.columns) <= set(columns)
    for name in frame.columns:
        cells = frame.loc[frame[name] != "", name]
        assert (cells == cells.str.strip()).all(), name
        if columns[name].required:
            assert len(cells) == len(frame), name
        if columns[name].kind == "money":
            pattern = r"\d+(\.\d{1,2})?" if table == "products" else r"-?\d+\.\d{2}"
            assert cells.str.fullmatch(pattern).all(), name
        if columns[name].kind == "bool":
            assert cells.isin(["true", "false"]).all(), name
        if columns[name].kind == "date":
            assert cells.str.fullmatch(r"20\d\d-\d\d-\d\d").all(), name
    key = list(schema.KEYS[table])
    assert not key or not frame.duplicated(key).any()


def test_references_hold(holdings: pd.DataFrame, clients: pd.DataFrame, debts: pd.DataFrame) -> None:
    products = read("products")
    assert list(clients.index) == [f"C{i:03d}" for i in range(1, 25)]
    assert set(holdings["client_id"]) == set(clients.index)
    assert set(debts["client_id"]) <= set(clients.index)
    assert set(holdings["product_id"]) - {""} <= set(products["product_id"])
    assert {*holdings["currency"], *clients["currency"], *debts["currency"]} - {""} <= set(read("fx")["currency"])
    owned = set(zip(holdings["client_id"], holdings["asset_id"], strict=True))
    secured = debts[debts["secured_by"] != ""]
    assert set(zip(secured["client_id"], secured["secured_by"], strict=True)) <= owned
    priced = holdings[holdings["price"] != ""]
    product = priced["quantity"].astype(float) * priced["price"].astype(float)
    assert np.abs(product - priced["value"].astype(float)).max() < 0.0051


# ---- how the columns vary


def test_every_band_and_label_occurs(clients: pd.DataFrame, classic: Framework) -> None:
    said = {*classic.bands, *(b.zh for b in classic.bands.values()), *classic.labels}
    assert set(clients["risk_band"]) == said
    assert clients["advisor"].nunique() == 4
    assert set(clients["tier"]) == set(classic.tiers) - {"source"}
    assert (clients[["income", "dependants", "age", "insurance_cover", "tier"]] != "").all(axis=None)
    assert (clients["monthly_spending"] == "").sum() == 1


def test_classes_are_given_in_every_way(holdings: pd.DataFrame, classic: Framework) -> None:
    given = holdings["asset_class"]
    chinese = given.str.contains(r"[一-鿿]")
    assert holdings.loc[chinese, "client_id"].nunique() >= 5
    assert given.isin(list(classic.classes)).sum() > len(holdings) / 2
    by_cfi = holdings[(given == "") & (holdings["cfi"] != "")]
    assert {c[:2] for c in by_cfi["cfi"]} == {"ES", "DB", "CI"}
    assert {c[:4] for c in by_cfi["cfi"]} >= {"DBFU", "CIOG"}
    by_product = holdings[(given == "") & (holdings["cfi"] == "")]
    assert len(by_product) == 2
    assert (by_product["product_id"] != "").all()
    assert set(holdings["code"]) - {""} == set(classic.classes) - {"other_financial"}


def test_names_are_in_both_languages(holdings: pd.DataFrame) -> None:
    chinese = holdings["name"].str.contains(r"[一-鿿]").groupby(holdings["client_id"]).mean()
    assert set(np.where(chinese > 0.9, "zh", np.where(chinese < 0.1, "en", "mixed"))) == {"zh", "en"}
    assert 10 <= (chinese > 0.9).sum() <= 14
    assert all(holdings["issuer"].str.contains(rare).any() for rare in "喆堃玥")


def test_amounts_are_plausible(holdings: pd.DataFrame) -> None:
    total = holdings[~holdings["bucket"].isin([OWN_USE])].groupby("client_id")["cny"].sum()
    assert total.min() > 0.35e6
    assert 290e6 < total.max() < 310e6
    assert (holdings["as_of"] == "2026-09-30").all()
    paid = holdings["cost_basis"] != ""
    assert 0.5 < paid.mean() < 0.9
    gain = holdings.loc[paid, "value"].astype(float) / holdings.loc[paid, "cost_basis"].astype(float)
    assert gain.between(0.5, 10.2).all()


def test_shelf(classic: Framework) -> None:
    p = read("products")
    assert 14 <= len(p) <= 16
    assert set(p["asset_class"]) == {
        "deposit",
        "money_market",
        "treasury_bill",
        "gold",
        "government_bond",
        "bond_fund",
        "bank_wealth_product",
        "equity_fund",
        "mixed_fund",
        "reit",
        "hedge_fund",
        "private_equity",
    }
    assert set(p["asset_class"]) <= set(classic.classes)
    assert p["status"].value_counts().to_dict() == {"open": len(p) - 2, "pending": 1, "closed": 1}
    assert (p["on_house_shelf"] == "false").sum() == 2
    assert set(p["risk"]) == set("12345")
    assert p["name"].str.fullmatch(r"[一-鿿][^ ]* [A-Z].+").all()


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


def volatility(inside: pd.DataFrame) -> float:
    """σ of a portfolio without debts, from the assumptions file and nothing else."""
    path = ROOT / "allocator" / "resources" / "assumptions" / "long_run.toml"
    a = tomllib.loads(path.read_text(encoding="utf-8"))
    order = a["correlation"]["order"]
    vol = np.array([a["factors"][f]["volatility"] for f in order])
    covariance = np.array(a["correlation"]["rows"]) * np.outer(vol, vol)
    w = (inside["cny"] / inside["cny"].sum()).to_numpy()
    rows = [a["classes"][c] for c in inside["code"]]
    x = w @ np.array([[r.get("loadings", {}).get(f, 0.0) for f in order] for r in rows])
    own = w * np.array([r.get("idiosyncratic", 0.0) for r in rows])
    return float(np.sqrt(x @ covariance @ x + own @ own))


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


def test_readme_names_every_client_and_case(clients: pd.DataFrame) -> None:
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (C\d{3}) \| (\S+) \| (\d+) \|", text, flags=re.M)
    assert {c: b for c, b, _ in rows} == clients["risk_band"].to_dict()
    assert {int(n) for _, _, n in rows} == set(range(1, 22))


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
