"""What tests of findings share: a ledger of some results, and what it tells."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from histories import DAYS

import allocator as al
from allocator.ledger.diff import Diff
from allocator.ledger.policy import load_policy

POLICY = load_policy()
NAN = math.nan


def kept(tmp_path: Path, *results: Any) -> al.Ledger:
    ledger = al.Ledger(tmp_path / "ledger")
    for day, result in zip(DAYS, results, strict=False):
        ledger.add(result, on=day)
    return ledger


def told(diff: Diff, code: str) -> list[dict[str, Any]]:
    return diff.findings[diff.findings["finding"] == code].to_dict("records")


def codes(diff: Diff) -> set[str]:
    return set(diff.findings["finding"])


def deposit(value: float, **more: Any) -> dict[str, Any]:
    return {"name": "cash", "asset_class": "deposit", "value": value} | more


def shares(quantity: float, price: float, name: str = "s", **more: Any) -> dict[str, Any]:
    value = {"value": round(quantity * price, 2), "quantity": quantity}
    return {"name": name, "asset_class": "listed_equity"} | value | more
