"""The bundled sample book: it is what its generator writes, and its columns vary as data/README.md says."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, SAMPLE
from sample_tables import OWN_USE, TABLES, clients_table, debts_table, holdings_table, read

from allocator import schema
from allocator.framework import Framework, load_framework


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


@pytest.fixture(scope="module")
def clients() -> pd.DataFrame:
    return clients_table()


@pytest.fixture(scope="module")
def debts() -> pd.DataFrame:
    return debts_table()


@pytest.fixture(scope="module")
def holdings() -> pd.DataFrame:
    return holdings_table()


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


def test_readme_names_every_client_and_case(clients: pd.DataFrame) -> None:
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (C\d{3}) \| (\S+) \| (\d+) \|", text, flags=re.M)
    assert {c: b for c, b, _ in rows} == clients["risk_band"].to_dict()
    assert {int(n) for _, _, n in rows} == set(range(1, 22))


def test_restrictions_are_those_of_the_readme(holdings: pd.DataFrame) -> None:
    told = holdings[holdings["restriction"] != ""]
    assert list(zip(told["client_id"], told["code"], told["restriction"], strict=True)) == [
        ("C006", "collectible", "禁止卖出"),
        ("C007", "listed_equity", "never_buy"),
        ("C009", "investment_property", "never_sell"),
        ("C013", "listed_equity", "sell_first"),
        ("C023", "collectible", "never_sell; never_buy"),
    ]


def test_holdings_take_what_they_do_not_say_from_their_product(holdings: pd.DataFrame) -> None:
    from allocator.book import read_book
    from allocator.pipeline import analyze

    h = analyze(read_book(SAMPLE)).holdings
    products = read("products").set_index("product_id")
    assert {p for p, s in products["sector"].items() if s} == {"P01", "P07", "P10", "P14"}
    blank = (holdings["sector"] == "").to_numpy() & (h["product_id"] == "P10").to_numpy()
    assert blank.sum() >= 2
    assert set(h.loc[blank, "sector"]) == {"logistics"}
    own = (holdings["sector"] != "").to_numpy()
    assert h.loc[own, "sector"].tolist() == holdings.loc[own, "sector"].tolist()
    assert set(h["currency"]) == {"CNY", "USD", "HKD"}
