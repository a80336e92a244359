"""The files of the sample book as text, with what follows from them alone: classes, buckets, money, volatility."""

from __future__ import annotations

import functools
import tomllib
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from conftest import ROOT, SAMPLE

from allocator.framework import load_framework

TABLES = ("holdings", "clients", "debts", "products", "fx")
BALANCED = ("C005", "C006")
OWN_USE = "own_use"


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(SAMPLE / f"{name}.csv", dtype="str", keep_default_na=False)


@functools.cache
def clients_table() -> pd.DataFrame:
    return read("clients").set_index("client_id")


@functools.cache
def debts_table() -> pd.DataFrame:
    d, clients = read("debts"), clients_table()
    return d.assign(cny=d["value"].astype(float) * rate(d["currency"], clients, d["client_id"]))


@functools.cache
def holdings_table() -> pd.DataFrame:
    """Every holding with its class, bucket and money in CNY, worked out from the files alone."""
    h, classic, clients = read("holdings"), load_framework("classic"), clients_table()
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
