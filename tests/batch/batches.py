"""Small books for tests of the batch, and what a directory holds."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from conftest import SAMPLE

ON = dt.date(2026, 9, 30)
CHECK: Mapping[str, Any] = {"on": ON, "plan": False, "workers": 1, "partition_size": 5}


def broken(folder: Path) -> Path:
    """The sample book with clients in it whose data are wrong, each in another way."""
    shutil.copytree(SAMPLE, folder)
    holdings = pd.read_csv(SAMPLE / "holdings.csv", dtype=str, keep_default_na=False)
    clients = pd.read_csv(SAMPLE / "clients.csv", dtype=str, keep_default_na=False)
    rows = [
        {"client_id": "NAN", "name": "cash", "asset_class": "deposit", "value": "NaN"},
        {"client_id": "NAN", "name": "fund", "asset_class": "equity_fund", "value": "1000000"},
        {"client_id": "TWICE", "name": "cash", "asset_id": "A1", "asset_class": "deposit", "value": "500000"},
        {"client_id": "TWICE", "name": "cash", "asset_id": "A1", "asset_class": "deposit", "value": "600000"},
        {"client_id": "NOBAND", "name": "cash", "asset_class": "deposit", "value": "700000"},
        {"client_id": "STRANGE", "name": "thing", "asset_class": "moon rock", "value": "800000"},
        {"client_id": "BROKE", "name": "cash", "asset_class": "deposit", "value": "1000"},
        {"client_id": "", "name": "whose?", "asset_class": "deposit", "value": "5"},
    ]
    people = [
        {"client_id": c, "risk_band": "C3", "monthly_spending": "10000"} for c in ("NAN", "TWICE", "STRANGE", "BROKE")
    ]
    people += [{"client_id": "NOBAND", "risk_band": ""}, {"client_id": "TWICE", "risk_band": "C1"}]
    debts = pd.read_csv(SAMPLE / "debts.csv", dtype=str, keep_default_na=False)
    more = [{"client_id": "BROKE", "value": "900000", "kind": "loan"}]
    for name, frame, extra in (("holdings", holdings, rows), ("clients", clients, people), ("debts", debts, more)):
        both = pd.concat([frame, pd.DataFrame(extra)], ignore_index=True).fillna("")
        both.to_csv(folder / f"{name}.csv", index=False)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
