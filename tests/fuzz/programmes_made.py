"""Cases of books with their framework and assumptions: trees of JSON, from the ordinary to the absurd."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any, Final

import pandas as pd
from conftest import ROOT

from allocator.assumptions import Assumptions
from allocator.book import Book, read_book
from allocator.config import build, load_tree, merge
from allocator.framework import Framework

FRAMEWORKS: Final = {
    "classic": "classic",
    "chhabra": "chhabra",
    "every": str(ROOT / "data" / "frameworks" / "every_limit.toml"),
}
BANDS: Final = ("conservative", "balanced", "aggressive")
CLASSES: Final = (
    "deposit", "money_market", "treasury_bill", "gold", "government_bond", "corporate_bond", "bond_fund",
    "listed_equity", "equity_fund",
    "mixed_fund", "reit", "investment_property", "private_business", "private_equity", "hedge_fund", "collectible",
    "crypto", "own_home",
    "insurance_cash_value", "mystery",
)  # fmt: skip
LABELS: Final = {
    "issuer": ("", "", "Zephyrine", "B"), "sector": ("", "", "banks", "Banks", "steel"), "country": ("", "CN", "US"),
    "restriction": ("", "", "", "never_sell", "never_buy", "sell_first", "never_sell|never_buy"), "currency": ("",
    "", "CNY", "USD", "HKD"),
    "product_id": ("", "", "", "P0", "P1"), "isin": ("", "", "", "F1", "F2"), "locked_until": ("", "", "",
    "2026-09-30", "2030-01-01"),
}  # fmt: skip
SHAPES: Final = ("plain", "plain", "plain", "one", "locked", "owing", "zero", "edge", "tiny", "huge", "flats", "twins")
TABLES: Final = ("holdings", "people", "debts", "products", "fx", "lookthrough")


def money(draw: Random, scale: float) -> float:
    """An amount to the cent about a size."""
    return round(scale * draw.lognormvariate(0, 1.3), 2)


def programme_case(draw: Random) -> dict[str, Any]:
    """One to four clients, each of a shape of its own, under a framework that is changed here and there."""
    out: dict[str, Any] = {name: [] for name in TABLES}
    whole = draw.random() < 0.35
    for c in range(draw.choice((1, 1, 2, 4))):
        _client(out, f"c{c}", draw, whole=whole)
    out["fx"] = [{"currency": "USD", "rate": draw.choice((7.12, 7.12, 1e-6, 1e6))}, {"currency": "HKD", "rate": 0.914}]
    if draw.random() < 0.3:
        out["lookthrough"] = [
            {"fund_id": "F1", "asset_class": "listed_equity", "weight": 0.6}, {"fund_id": "F1",
            "asset_class": "gold", "weight": 0.4},
            {"fund_id": "F2", "asset_class": "equity_fund", "weight": 0.75}, {"fund_id": "F2",
            "asset_class": "own_home", "weight": 0.25},
        ]  # fmt: skip
    if whole or draw.random() < 0.2:
        out["products"] = [
            {
                "product_id": f"P{k}", "name": f"P{k}", "asset_class": draw.choice(CLASSES[:15]),
                "lot": draw.choice((0.01, 1, 1e4, 2e5, 333.33)),
                "minimum": draw.choice((0, 0, 1e5, 1e6)), "risk": draw.choice(("", 1, 3, 5)),
                "buy_cost": draw.choice(("", 0, 0.01, 0.5)),
                "sell_cost": draw.choice(("", 0, 0.5)), "status": draw.choice(("open", "open", "closed")),
            }
            for k in range(draw.randrange(1, 6))
        ]  # fmt: skip
    out["framework"] = draw.choice(("classic", "classic", "classic", "chhabra", "every"))
    out["changes"] = framework_changes(draw) if draw.random() < 0.5 else {}
    out["assumptions"] = assumption_changes(draw) if draw.random() < 0.3 else {}
    out["how"] = draw.choice(({}, {}, {}, {}, {}, {"hard": True}, {"goal": "return"}))
    out["loose"] = draw.random() < 0.5
    return out


def _client(out: dict[str, Any], who: str, draw: Random, *, whole: bool) -> None:
    shape = draw.choice(SHAPES)
    scale = {"tiny": draw.choice((0.01, 1.0, 100.0)), "huge": draw.choice((1e10, 1e12))}.get(
        shape, draw.choice((1e4, 1e6, 1e8))
    )
    chosen = draw.sample(CLASSES, 1 if shape == "one" else draw.randrange(1, 10))
    if shape == "flats":
        chosen = ["deposit", *["investment_property"] * draw.randrange(1, 6)]
    values = [money(draw, scale) for _ in chosen]
    if shape == "zero":
        values = [0.0 if draw.random() < 0.7 else 0.01 for _ in chosen]
    elif shape == "twins":
        values = [round(scale, 2)] * len(chosen)
    elif shape == "edge":
        chosen, values = _on_target(draw, scale)
    for k, (kind, value) in enumerate(zip(chosen, values, strict=True)):
        row: dict[str, Any] = {"client_id": who, "asset_id": f"{kind}{k}", "asset_class": kind, "value": value}
        for name, words in LABELS.items():
            if draw.random() < (0.05 if shape == "edge" else 0.3):
                row[name] = draw.choice(words)
        if draw.random() < 0.3:
            row["cost_basis"] = draw.choice((0.0, round(value / 2, 2), round(value * 2, 2), value))
        if shape == "locked" or draw.random() < 0.25:
            row["sellable"] = 0.0 if shape == "locked" and draw.random() < 0.9 else draw.choice((0.0, 0.25, 0.333, 1.0))
        if draw.random() < (0.6 if whole or shape == "flats" else 0.03):
            row |= {"indivisible": True, "sellable": draw.choice((1.0, 1.0, 0.5))}
        if draw.random() < 0.06:
            row["pledged"] = True
        if draw.random() < 0.06:
            row["own_company"] = True
        out["holdings"].append(row)
        if draw.random() < 0.05:
            out["holdings"].append(row | {"account": "2", "value": money(draw, scale)})
    total = sum(values)
    out["people"].append({
        "client_id": who, "risk_band": draw.choice((*BANDS, *BANDS, *BANDS, "")),
        "monthly_spending": draw.choice(("", 0.0, round(total / 200, 2), round(total, 2), 1e4)),
        "cash_flow": draw.choice((0.0, 0.0, 0.0, round(total / 10, 2), -round(total / 20, 2), -round(total * 2, 2),
        0.01, -0.01)),
        "currency": draw.choice(("", "CNY", "CNY", "USD")), "guarantees": draw.choice((0.0, 0.0, round(total / 3, 2))),
    })  # fmt: skip
    for _ in range(3 if shape == "owing" else draw.choice((0, 0, 1))):
        part = draw.uniform(0.3, 1.2) if shape == "owing" else draw.uniform(0.01, 0.5)
        out["debts"].append({
            "client_id": who, "kind": draw.choice(("loan", "mortgage")), "value": round(total * part, 2),
            "secured_by": draw.choice(("", f"{chosen[0]}0")), "annual_payment": draw.choice((0.0,
            round(total * part / 15, 2))),
        })  # fmt: skip


def _on_target(draw: Random, scale: float) -> tuple[list[str], list[float]]:
    """A client on the targets of the balanced band, or a cent or a thousandth off them."""
    spans = framework("classic", {}).bands[draw.choice(BANDS)].buckets
    classes = {"defensive": "deposit", "growth": "bond_fund", "offensive": "hedge_fund"}
    which = draw.choice(("target", "low", "high"))
    values = []
    for span in spans.values():
        edge = {"target": span.target, "low": span.low, "high": span.high}[which]
        values.append(
            round(
                (span.target if edge is None else edge) * scale * draw.choice((1, 1, 1, 1.001, 0.999))
                + draw.choice((0, 0, 0.01, -0.01)),
                2,
            )
        )
    return [classes[b] for b in spans], [max(v, 0.0) for v in values]


def framework_changes(draw: Random) -> dict[str, Any]:
    """Bands, limits, reserves and weights of the plan, some of them beyond what any house would set."""
    bands: dict[str, Any] = {}
    for band in draw.sample(BANDS, draw.randrange(1, 4)):
        change: dict[str, Any] = {}
        if draw.random() < 0.5:
            parts = draw.choice(
                ((0.3, 0.5, 0.2), (1.0, 0.0, 0.0), (0.34, 0.33, 0.33), (0.0, 1.0, 0.0), (0.05, 0.9, 0.05))
            )
            change["buckets"] = {}
            for name, target in zip(("defensive", "growth", "offensive"), parts, strict=True):
                width = draw.choice((0.0, 1e-9, 0.001, 0.05, 1.0))
                change["buckets"][name] = {
                    "target": target,
                    "low": max(target - width, 0.0),
                    "high": min(target + width, 1.0),
                }
        if draw.random() < 0.5:
            change["limits"] = {
                name: draw.choice((0.0, 1e-6, 0.05, 0.3, 1.0))
                for name in draw.sample(
                    ("single_holding", "issuer", "leverage", "property", "business", "illiquid", "cash", "sector",
                    "country", "currency",
                     "cvar", "turnover", "cost", "class:gold", "group:equity", "bucket:growth"), draw.randrange(1, 4)
                )
            }  # fmt: skip
        if draw.random() < 0.3:
            change["floors"] = {
                draw.choice(("cash", "class:gold", "class:deposit", "group:bonds")): draw.choice((0.01, 0.3, 0.9, 1.0))
            }
        if draw.random() < 0.3:
            change["volatility"] = draw.choice((1e-4, 0.01, 0.08, 0.5, 2.0))
        if draw.random() < 0.2:
            change["product_risk"] = draw.choice((1, 2, 5))
        if draw.random() < 0.2:
            change["satellite"] = draw.choice((0.0, 1.0))
        if draw.random() < 0.15:
            change["model"] = draw.choice(({"deposit": 1.0}, {"gold": 0.5, "equity_fund": 0.5}))
            change.setdefault("limits", {})["tracking"] = draw.choice((0.0, 0.04, 0.3))
        bands[band] = change
    out: dict[str, Any] = {"bands": bands}
    if draw.random() < 0.3:
        out["reserve"] = {"months": draw.choice((0, 6, 600)), "months_owner": draw.choice((0, 12, 600))}
    if draw.random() < 0.4:
        out["plan"] = {
            name: draw.choice(values)
            for name, values in (
                ("group_weight", (0.0, 0.1, 10.0)), ("cost_weight", (0.0, 1.0, 100.0)), ("wash_weight", (1e-6, 0.1,
                10.0)),
                ("spread_weight", (1e-9, 0.01, 10.0)), ("min_trade", (0.0, 0.001, 0.05, 1.0)), ("return_years",
                (0.1, 5.0, 100.0)),
            )
        }  # fmt: skip
    if draw.random() < 0.2:
        out["classes"] = {
            draw.choice(CLASSES[:17]): {
                "buy_cost": draw.choice((0, 0.1, 1.0)),
                "sell_cost": draw.choice((0, 0.1, 1.0)),
                "tax": draw.choice((0, 0.2, 1.0)),
            }
        }
    if draw.random() < 0.2:
        out["drift"] = {"absolute": draw.choice((0.0, 0.05, 1.0)), "relative": draw.choice((0.0, 0.25, 1e6))}
    return out


def assumption_changes(draw: Random) -> dict[str, Any]:
    """Risk that is singular, next to nothing or far too large."""
    names = list(load_tree("long_run", "assumptions")[0]["factors"])
    out: dict[str, Any] = {}
    kind = draw.choice(("ones", "identity", "calm", "wild", "mixed", "flat"))
    if kind in ("ones", "identity"):
        rows = [[1.0 if i == j or kind == "ones" else 0.0 for j in range(len(names))] for i in range(len(names))]
        out["correlation"] = {"rows": rows}
    sizes = {"calm": (1e-9,), "wild": (3.0, 5.0), "mixed": (1e-6, 0.1, 3.0)}.get(kind, ())
    if sizes:
        out["factors"] = {n: {"volatility": draw.choice(sizes)} for n in names}
    if kind == "flat":
        out["factors"] = {n: {"mean": 0.0} for n in names}
    return out


@cache
def _tree(source: str, kind: str) -> dict[str, Any]:
    return load_tree(source, kind)[0]


def framework(name: str, changes: dict[str, Any]) -> Framework:
    """A framework of `FRAMEWORKS` with changes laid over it; ConfigError where that is none."""
    return build(Framework, merge(_tree(FRAMEWORKS[name], "frameworks"), changes), "case")


def assumptions(changes: dict[str, Any]) -> Assumptions:
    """The long-run assumptions with changes laid over them."""
    return build(Assumptions, merge(_tree("long_run", "assumptions"), changes), "case")


def book_of(case: dict[str, Any]) -> Book:
    """The tables of a case as a book; rows that are no mappings are left out."""

    def table(name: str) -> pd.DataFrame | None:
        rows = [r for r in case.get(name) or [] if isinstance(r, dict)] if isinstance(case.get(name), list) else []
        return pd.DataFrame(rows, dtype=object).fillna("") if rows else None

    tables = {"clients" if n == "people" else n: table(n) for n in TABLES if n != "holdings"}
    holdings = table("holdings")
    return read_book(pd.DataFrame({"client_id": []}) if holdings is None else holdings, **tables)
