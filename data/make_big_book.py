"""Write a book of any size, at random but seeded: ``python data/make_big_book.py FOLDER --clients 1000000``.

The clients are invented like those of the sample book, in kinds: depositors, investors of the three bands,
entrepreneurs with nearly everything in the own firm, property collectors (some with mortgages), founders of listed
companies. A client has ten holdings on average. The shelf and the rates are those of the sample book. Written in pieces
of 50,000 clients, so that memory stays small; each piece has a seed of its own.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc
import pyarrow.parquet as pq

SEED = 20260930
PIECE = 50_000
SAMPLE = Path(__file__).resolve().parent / "sample"
AS_OF = "2026-09-30"
KINDS = ("depositor", "conservative", "balanced", "aggressive", "entrepreneur", "landlord", "founder")
SHARE_OF = (0.14, 0.16, 0.26, 0.14, 0.15, 0.11, 0.04)
"""Kinds of clients, and how many of each."""
BANDS = ("conservative", "balanced", "aggressive", "C1", "C3", "C5")
BAND_OF = (0, 0, 1, 2, 2, 1, 2)
"""Usual band of each kind: place in the first three of `BANDS`; one client in ten has another."""
MEDIAN = (1.1, 2.2, 3.5, 4.5, 18.0, 9.0, 60.0)
"""Median of all that a client of a kind has, in millions."""
SHARES = (
    ("霖桐电力", "霖桐电力 Lintong Power", "utilities"),
    ("川稷食品", "川稷食品 Chuanji Foods", "consumer goods"),
    ("柏屿医药", "柏屿医药 Baiyu Pharma", "health care"),
    ("喆鼎半导体", "喆鼎半导体 Zheding Semiconductor", "technology"),
    ("叠浪新能源", "叠浪新能源 Dielang New Energy", "energy"),
)


@dataclass(frozen=True)
class Slot:
    """Something a client may have.

    ``chance`` and ``weight`` have one digit for each kind: how often (tenths), and how much of it beside the rest.
    """

    name: str
    kind: str
    chance: str
    weight: str
    issuer: str = ""
    product: str = ""
    more: tuple[tuple[str, str], ...] = ()


def _shares() -> Iterator[Slot]:
    for i, (name, issuer, sector) in enumerate(SHARES):
        chance = "1335427" if i < 3 else "0124326"
        yield Slot(name, "listed_equity", chance, "0112111", issuer, more=(("sector", sector),))


BANK, OTHER_BANK = "霁川银行 Jichuan Bank", "云堃银行 Yunkun Bank"
OWN = (("own_company", "true"),)
FLAT = (("sector", "residential"), ("indivisible", "true"))
SLOTS = (
    Slot("活期存款", "deposit", "9999989", "5222111", BANK, "P01"),
    Slot("定期存款", "deposit", "8643343", "9321111", OTHER_BANK),
    Slot("稳盈货币基金", "money_market", "5686547", "2332112", BANK, "P02"),
    Slot("一年期国债", "treasury_bill", "2431112", "3311111", "", "P03"),
    Slot("储蓄国债", "savings_bond", "4310010", "2311111"),
    Slot("黄金积存", "gold", "2554435", "1111111", BANK, "P04"),
    Slot("保单现金价值", "insurance_cash_value", "2443434", "1111111", "青筱人寿 Qingxiao Life"),
    Slot("十年期国债", "government_bond", "1542113", "2331112", "", "P05"),
    Slot("恒利债券基金", "bond_fund", "1664324", "1332112", "玥衡基金 Yueheng Funds", "P06"),
    Slot("栖渡轨道交通 2031", "corporate_bond", "0232112", "1121111", "栖渡轨道交通 Qidu Transit"),
    Slot("安享90天理财", "bank_wealth_product", "5764555", "3322212", BANK, "P07"),
    Slot("宽基指数基金", "equity_fund", "0567436", "1234222", "玥衡基金 Yueheng Funds", "P08"),
    Slot("远航均衡混合基金", "mixed_fund", "0344334", "1122122", "玥衡基金 Yueheng Funds", "P09"),
    *_shares(),
    Slot("仓储物流REIT", "reit", "0122112", "1111111", "堃实资本 Kunshi Capital", "P10"),
    Slot("个人养老金", "retirement_account", "2454434", "1111111", BANK),
    Slot("松风里 4-203", "investment_property", "1123797", "3333697", more=FLAT),
    Slot("云璟台 2-1605", "investment_property", "0012394", "3333585", more=FLAT),
    Slot("临街商铺 12 号", "investment_property", "0001183", "3333585", more=FLAT),
    Slot("自有企业股权", "private_business", "0001912", "1113962", more=OWN),
    Slot("借给自有企业", "shareholder_loan", "0000500", "1111311", more=OWN),
    Slot("创始人股份", "listed_equity", "0000009", "1111119", "澄曜科技 Chengyao Technology", more=OWN),
    Slot("成长一期私募股权", "private_equity", "0013214", "1123213", more=(("locked_until", "2030-06-30"),)),
    Slot("多策略私募基金", "hedge_fund", "0013113", "1122112", "喆远资产 Zheyuan Asset Management", "P11"),
    Slot("结构性产品", "structured_product", "0122112", "1111111", OTHER_BANK),
    Slot("比特币", "crypto", "0002102", "1111111"),
    Slot("字画", "collectible", "0111223", "1111112"),
    Slot("自住房", "own_home", "8888999", "5554366", more=(("sector", "residential"),)),
    Slot("家用轿车", "vehicle", "3556777", "1111111"),
)
CHANCE = np.array([[int(d) / 10 for d in s.chance] for s in SLOTS]).T
WEIGHT = np.array([[int(d) for d in s.weight] for s in SLOTS], dtype="float64").T
COLUMNS = (
    "name",
    "asset_id",
    "asset_class",
    "product_id",
    "issuer",
    "sector",
    "own_company",
    "indivisible",
    "locked_until",
)
GAIN = {
    "listed_equity": 0.4,
    "equity_fund": 0.15,
    "mixed_fund": 0.1,
    "bond_fund": 0.04,
    "gold": 0.3,
    "investment_property": 0.35,
    "private_business": 3.0,
}
"""Median gain on what was paid, of the classes whose cost is known."""


def words(of: str) -> pa.Array:
    """One column of the slots."""
    rows = [
        {"name": s.name, "asset_id": f"A{i:02d}", "asset_class": s.kind, "product_id": s.product, "issuer": s.issuer}
        | dict(s.more)
        for i, s in enumerate(SLOTS, 1)
    ]
    return pa.array([r.get(of, "") for r in rows])


def ids(first: int, count: int) -> pa.Array:
    """Ids of clients."""
    return pa.array(np.char.add("K", np.char.zfill(np.arange(first, first + count).astype("U8"), 8)))


def money(amount: Any) -> pa.Array:
    """Amounts as text to the cent; NaN is an empty cell."""
    cents = np.round(np.nan_to_num(amount) * 100).astype("int64")
    whole, rest = np.divmod(np.abs(cents), 100)
    sign = pa.array(np.where(cents < 0, "-", ""))
    rest = compute.utf8_lpad(pa.array(rest).cast(pa.string()), 2, "0")
    text = compute.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), ".", rest, "")
    return compute.if_else(pa.array(np.isnan(amount)), "", text)


def piece(first: int, count: int, seed: int) -> dict[str, pa.Table]:
    """Holdings, clients and debts of some clients, each sorted by client; every column is text."""
    rng = np.random.default_rng([seed, first])
    kind = rng.choice(len(KINDS), size=count, p=SHARE_OF)
    who = ids(first, count)
    has = rng.random((count, len(SLOTS))) < CHANCE[kind]
    has[~has.any(axis=1), 0] = True
    part = WEIGHT[kind] ** 2 * rng.lognormal(0.0, 0.8, has.shape) * has
    total = np.array(MEDIAN)[kind] * 1e6 * rng.lognormal(0.0, 0.9, count)
    value = np.round(part / part.sum(axis=1, keepdims=True) * total[:, None], 2)
    client, slot = np.nonzero(has)
    amount = value[client, slot]
    gain = np.array([GAIN.get(s.kind, np.nan) for s in SLOTS])[slot]
    basis = np.round(amount / (1 + gain * rng.lognormal(0.0, 0.7, len(amount))), 2)
    columns = {c: words(c).take(pa.array(slot)) for c in COLUMNS}
    holdings = {
        "client_id": who.take(pa.array(client)),
        **columns,
        "value": money(amount),
        "currency": pa.array(np.full(len(slot), "CNY")),
        "cost_basis": money(basis),
        "as_of": pa.array(np.full(len(slot), AS_OF)),
    }
    band = np.where(rng.random(count) < 0.1, rng.integers(0, 3, count), np.array(BAND_OF)[kind])
    spending = np.round(total * rng.uniform(0.001, 0.003, count), -2)
    clients = {
        "client_id": who,
        "risk_band": pa.array(BANDS).take(pa.array(band + 3 * (rng.random(count) < 0.5))),
        "currency": pa.array(np.full(count, "CNY")),
        "monthly_spending": money(np.where(rng.random(count) < 0.01, np.nan, spending)),
        "income": money(np.round(spending * rng.uniform(12, 40, count), -3)),
        "dependants": pa.array(rng.integers(0, 5, count)).cast(pa.string()),
        "age": pa.array(rng.integers(28, 80, count)).cast(pa.string()),
        "insurance_cover": money(np.round(spending * rng.uniform(0, 60, count), -4)),
        "guarantees": money(np.where(rng.random(count) < 0.2 * (kind == 4), np.round(total * 0.2, -4), 0.0)),
        "cash_flow": money(
            np.where(rng.random(count) < 0.05, np.round(total * rng.uniform(-0.1, 0.1, count), -3), 0.0)
        ),
        "tier": pa.array(np.select([total >= 1e6, total >= 5e5], ["platinum", "gold"], "VIP")),
        "advisor": pa.array(np.char.add("RM-", np.char.zfill(rng.integers(1, 401, count).astype("U4"), 3))),
    }
    return {"holdings": pa.table(holdings), "clients": pa.table(clients), "debts": debts(who, kind, value, rng)}


def debts(who: pa.Array, kind: Any, value: Any, rng: np.random.Generator) -> pa.Table:
    """Mortgages, credit lines of entrepreneurs; two clients in a thousand owe more than they have."""
    lines = []
    for i, s in enumerate(SLOTS):
        chance = {"investment_property": 0.35, "own_home": 0.3, "private_business": 0.25}.get(s.kind, 0.0)
        at = np.flatnonzero((value[:, i] > 0) & (rng.random(len(kind)) < chance))
        secured = "" if s.kind == "private_business" else f"A{i + 1:02d}"
        name = "信用贷款" if s.kind == "private_business" else "按揭贷款"
        lines.append((at, value[at, i] * rng.uniform(0.1, 0.6 if secured else 0.15, len(at)), secured, name))
    broke = np.flatnonzero(rng.random(len(kind)) < 0.002)
    lines.append((broke, value[broke].sum(axis=1) * 1.3, "", "经营性贷款"))
    at = np.concatenate([x[0] for x in lines])
    amount = np.round(np.concatenate([x[1] for x in lines]), -2) + 100
    order = np.argsort(at, kind="stable")
    secured = pa.array(np.repeat([x[2] for x in lines], [len(x[0]) for x in lines]))
    name = pa.array(np.repeat([x[3] for x in lines], [len(x[0]) for x in lines]))
    return pa.table(
        {
            "client_id": who.take(pa.array(at[order])),
            "value": money(amount[order]),
            "kind": name.take(pa.array(order)),
            "currency": pa.array(np.full(len(at), "CNY")),
            "secured_by": secured.take(pa.array(order)),
            "annual_payment": money(np.round(amount * 0.07, -2)[order]),
        }
    )


def write(folder: Path, clients: int, *, seed: int = SEED, kind: str = "parquet") -> None:
    """Write holdings, clients and debts as ``parquet`` or ``csv``, and the sample's products and rates beside them.

    The same arguments give the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("products.csv", "fx.csv"):
        shutil.copyfile(SAMPLE / name, folder / name)
    writers: dict[str, Any] = {}
    try:
        for first in range(0, clients, PIECE):
            for name, table in piece(first, min(PIECE, clients - first), seed).items():
                if name not in writers:
                    path = folder / f"{name}.{kind}"
                    writers[name] = (
                        pq.ParquetWriter(path, table.schema, compression="zstd")
                        if kind == "parquet"
                        else pc.CSVWriter(path, table.schema, write_options=pc.WriteOptions(quoting_style="needed"))
                    )
                writers[name].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()


def main() -> None:
    """Take the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--csv", action="store_true", help="CSV instead of Parquet")
    given = parser.parse_args()
    write(given.folder, given.clients, seed=given.seed, kind="csv" if given.csv else "parquet")


if __name__ == "__main__":
    main()
