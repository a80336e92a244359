"""A book's analysis, and its plan where there is one, as dated tables that a ledger keeps."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from allocator import __version__
from allocator.analysis import Analysis
from allocator.config import build
from allocator.exposures import ratio
from allocator.framework import Framework
from allocator.limits import needed_months
from allocator.plan import Plan
from allocator.shown import Shown
from allocator.typing import AnyArray, FloatArray

SCHEMA: Final = "allocator-ledger/1"
Kind = Literal["text", "float", "int", "bool"]

TABLES: Final[dict[str, dict[str, Kind]]] = {
    "clients": {
        "client": "int", "client_id": "text", "currency": "text", "band": "text", "tier": "text", "advisor": "text",
        "status": "text", "total": "float", "debt": "float", "net_worth": "float", "equity": "float",
        "liquid": "float", "score": "float", "grade": "text", "volatility": "float", "expected_return": "float",
        "reserve_months": "float", "reserve_needed": "float", "limits_exceeded": "int", "plan_status": "text",
        "plan_trades": "int", "plan_turnover": "float", "plan_cost": "float",
    },
    "buckets": {
        "client": "int", "bucket": "text", "value": "float", "share": "float", "target": "float", "low": "float",
        "high": "float",
    },
    "rules": {"client": "int", "rule": "text", "exposure": "float", "severity": "float", "weight": "float"},
    "limits": {
        "client": "int", "limit": "text", "sense": "text", "value": "float", "bound": "float", "excess": "float",
        "exceeded": "bool",
    },
    "classes": {"client": "int", "asset_class": "text", "value": "float"},
    "holdings": {
        "client": "int", "asset_id": "text", "name": "text", "asset_class": "text", "bucket": "text",
        "product_id": "text", "currency": "text", "value": "float", "weight": "float", "quantity": "float",
    },
    "debts": {"client": "int", "debt_id": "text", "value": "float"},
    "trades": {
        "client": "int", "asset_id": "text", "name": "text", "asset_class": "text", "product_id": "text",
        "side": "text", "amount": "float", "because": "text",
    },
}  # fmt: skip
"""Tables of a snapshot: columns and what is in them.

``client`` is the place of the client in the table ``clients`` of the same snapshot, so that an id stands in one table
only. Money is in the client's currency, shares are fractions of the total. ``quantity`` is in units; of deposits and
money market funds without units it is the amount in the holding's own currency. Unknown is NaN or empty text.
"""

Tables = Mapping[str, pd.DataFrame]
Read = Callable[[str, Sequence[str]], pd.DataFrame]


@dataclass(frozen=True, eq=False, repr=False)
class Snapshot(Shown):
    """One dated snapshot of a ledger; its tables are read when they are first asked for.

    Attributes
    ----------
    on
        The day.
    manifest
        What it rests on: framework, assumptions, versions, input hash, exchange rates, sizes.
    """

    on: dt.date
    manifest: Mapping[str, Any]
    _read: Read = field(repr=False)
    _kept: dict[tuple[str, ...], pd.DataFrame] = field(default_factory=dict, repr=False)

    def columns(self, table: str, *names: str) -> pd.DataFrame:
        """Some columns of a table as they are kept, with ``client`` as the place of the client."""
        key = (table, *names)
        if key not in self._kept:
            self._kept[key] = self._read(table, names)
        return self._kept[key]

    def forget(self) -> None:
        """Let go of the tables that were read."""
        self._kept.clear()

    def table(self, name: str) -> pd.DataFrame:
        """Return a table of `TABLES` with ``client_id`` in the place of ``client``."""
        frame = self.columns(name, *TABLES[name])
        if name == "clients":
            return frame.drop(columns="client")
        ids = pd.Series(self.ids.take(frame["client"].to_numpy()), dtype="str")
        return frame.drop(columns="client").assign(client_id=ids)[["client_id", *list(TABLES[name])[1:]]]

    def __len__(self) -> int:
        return int(self.manifest["clients"])

    @cached_property
    def clients(self) -> pd.DataFrame:
        """One row per client (see `TABLES`)."""
        return self.columns("clients", *TABLES["clients"])

    @cached_property
    def ids(self) -> pd.Index:
        """Client ids by place."""
        ids: pd.Index = pd.Index(self.clients["client_id"], dtype="str")
        return ids

    @cached_property
    def framework(self) -> Framework:
        """The framework that it was judged by."""
        return build(Framework, self.manifest["framework"], "the ledger's framework")

    @property
    def rates(self) -> dict[str, float]:
        """Base currency per unit of each currency."""
        return dict(self.manifest["rates"])

    @property
    def planned(self) -> bool:
        """Whether plans were kept with it."""
        return bool(self.manifest["plan"])

    def __repr__(self) -> str:
        m = self.manifest
        return (
            f"Snapshot of {self.on}: {m['clients']:,} clients, {m['holdings']:,} holdings, framework "
            f"{m['framework']['name']}, {'with' if self.planned else 'without'} plans\n  tables: {', '.join(TABLES)}"
        )


def snapshot_tables(analysis: Analysis, plan: Plan | None = None) -> dict[str, pd.DataFrame]:
    """Tables of a snapshot (see `TABLES`), rows of each client together, clients in the order of their ids.

    The order does not depend on that of the book: two permutations of one book are kept alike.
    """
    order = np.argsort(analysis.positions.clients["client_id"].to_numpy(dtype=object), kind="stable")
    place = np.empty(len(order), dtype="intp")
    place[order] = np.arange(len(order))
    made = {
        "clients": _clients(analysis, plan),
        "buckets": _coded(analysis.buckets, analysis),
        "rules": _coded(analysis.rules, analysis),
        "limits": _coded(analysis.limits, analysis),
        "classes": _classes(analysis),
        "holdings": _holdings(analysis),
        "debts": _debts(analysis),
        "trades": _trades(analysis, plan),
    }
    return {name: _ordered(frame, TABLES[name], place) for name, frame in made.items()}


def manifest_of(analysis: Analysis, plan: Plan | None, tables: Tables) -> dict[str, Any]:
    """What a snapshot rests on, as plain values: nothing in it belongs to one client."""
    f, p = analysis.framework, analysis.positions
    return {
        "schema": SCHEMA,
        "framework": f.model_dump(mode="json", by_alias=True),
        "assumptions": {"name": analysis.assumptions.name, "hash": hashed(analysis.assumptions.model_dump_json())},
        "framework_hash": hashed(f.model_dump_json(by_alias=True)),
        "versions": {"allocator": __version__, "python": platform.python_version(), "pandas": pd.__version__},
        "input_hash": input_hash(tables),
        "written": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "clients": len(analysis),
        "holdings": len(p.value),
        "rows": {name: len(t) for name, t in tables.items()},
        "issues": {str(k): int(v) for k, v in analysis.issues["severity"].value_counts().items()},
        "plan": plan is not None,
        "own": [{"name": x.name, "en": x.en, "zh": x.zh} for x in analysis.own],
        "rates": {str(k): float(v) for k, v in sorted(p.rates.items())},
    }


def whole(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest that was read says all that `manifest_of` and the store write, each in its kind."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "framework": dict,
        "assumptions": dict,
        "input_hash": str,
        "written": str,
        "clients": int,
        "holdings": int,
        "rows": dict,
        "plan": bool,
        "own": list,
        "rates": dict,
        "token": int,
        "bytes": int,
        "sha256": dict,
    }
    return (
        all(isinstance(manifest.get(name), kind) for name, kind in kinds.items())
        and all(isinstance(manifest[name].get("name"), str) for name in ("framework", "assumptions"))
        and set(manifest["sha256"]) >= set(TABLES)
        and all(isinstance(manifest["rows"].get(name), int) for name in TABLES)
        and manifest["rows"]["clients"] == manifest["clients"]
        and all(isinstance(x, int | float) for x in manifest["rates"].values())
        and all(isinstance(x, dict) and {"name", "en", "zh"} <= set(x) for x in manifest["own"])
    )


def hashed(text: str) -> str:
    """Short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def input_hash(tables: Tables) -> str:
    """Hash of what went in: clients, holdings and debts as numbers and texts, whatever the order of the book."""
    sha = hashlib.sha256()
    facts = {
        "clients": ["client_id", "currency", "band", "tier", "advisor"],
        "holdings": [c for c, kind in TABLES["holdings"].items() if c != "weight"],
        "debts": list(TABLES["debts"]),
    }
    for name, columns in facts.items():
        rows = pd.util.hash_pandas_object(tables[name][columns], index=False).to_numpy("uint64")
        sha.update(json.dumps([name, len(rows)]).encode())
        sha.update(np.sort(rows).tobytes())
    return sha.hexdigest()


def _clients(a: Analysis, plan: Plan | None) -> pd.DataFrame:
    s, e = a.summary, a.exposures
    frame = s.drop(columns=["leverage", *a.framework.bucket_codes]).assign(
        client=np.arange(len(a)),
        tier=a.positions.clients["tier"].to_numpy(),
        advisor=a.positions.clients["advisor"].to_numpy(),
        debt=e.debt + a.positions.debt_own_use,
        liquid=e.liquid,
        reserve_needed=needed_months(a.positions, a.framework),
        grade=s["grade"].astype("str"),
        plan_status="",
        plan_trades=0,
        plan_turnover=np.nan,
        plan_cost=np.nan,
    )
    if plan is None:
        return frame
    p = plan.summary
    more = {"plan_status": p["status"], "plan_trades": p["trades"], "plan_turnover": p["turnover"]}
    return frame.assign(**{k: v.to_numpy() for k, v in more.items()}, plan_cost=(p["cost"] + p["tax"]).to_numpy())


def _coded(frame: pd.DataFrame, a: Analysis) -> pd.DataFrame:
    """A table of the analysis with the place of each client: they come in the order of the book."""
    found, words = pd.factorize(frame["client_id"])
    return frame.assign(client=pd.Index(a.client_ids).get_indexer(pd.Index(words))[found])


def _classes(a: Analysis) -> pd.DataFrame:
    client, klass = np.nonzero(a.exposures.classes)
    codes = pd.Categorical.from_codes(klass.tolist(), categories=pd.Index(a.framework.class_codes))
    return pd.DataFrame({"client": client, "asset_class": codes, "value": a.exposures.classes[client, klass]})


def _holdings(a: Analysis) -> pd.DataFrame:
    p = a.positions
    return p.holdings.drop(columns="client_id").assign(
        client=p.client, value=p.value, weight=a.exposures.weight, quantity=_units(a)
    )


def _units(a: Analysis) -> FloatArray:
    """Units of each holding; of cash without units its amount in its own currency, whose price is 1."""
    p = a.positions
    cash = np.append(a.framework.flag("cash"), 0.0)[p.klass] > 0
    homes, home = pd.factorize(p.clients["currency"])
    found, words = pd.factorize(p.holdings["currency"])
    per = np.array([p.rates.get(str(w), np.nan) for w in words])[:, None]
    table = per / np.array([p.rates.get(str(h), np.nan) for h in home])[None, :]
    table[np.array([[w in ("", h) for h in home] for w in words], dtype=bool).reshape(table.shape)] = 1.0
    rate = table[found, homes[p.client]]
    return np.where(cash & np.isnan(p.quantity), ratio(p.value, rate), p.quantity)


def _debts(a: Analysis) -> pd.DataFrame:
    d = a.positions.debts
    return pd.DataFrame({"client": d.client, "debt_id": pd.Series(d.debt_id, dtype="str"), "value": d.value})


def _trades(a: Analysis, plan: Plan | None) -> pd.DataFrame:
    if plan is None:
        return pd.DataFrame({c: [] for c in TABLES["trades"]})
    return _coded(plan.trades, a)


def _ordered(frame: pd.DataFrame, columns: Mapping[str, Kind], place: AnyArray) -> pd.DataFrame:
    """The columns of a table with their kinds, by place of the client in the order of ids."""
    client = place[frame["client"].to_numpy("intp")]
    order = np.argsort(client, kind="stable")
    same = np.array_equal(order, np.arange(len(order)))
    out = typed(frame[list(columns)].assign(client=client), columns)
    return out.reset_index(drop=True) if same else out.take(order).reset_index(drop=True)


def typed(frame: pd.DataFrame, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """Columns of a table with the kinds that `TABLES` states; text of few words stays coded."""
    return pd.DataFrame({c: _typed(frame[c], kind) for c, kind in columns.items()}, copy=False)


def _typed(values: pd.Series, kind: Kind) -> pd.Series | AnyArray:
    if kind == "text":
        return values if isinstance(values.dtype, pd.CategoricalDtype) else values.fillna("").astype("str")
    return values.to_numpy({"float": "float64", "int": "int64", "bool": "bool"}[kind])


def empty(table: str) -> pd.DataFrame:
    """Return a table of `TABLES` without rows."""
    return typed(pd.DataFrame({c: [] for c in TABLES[table]}), TABLES[table])


def without(tables: Tables, drop: AnyArray) -> dict[str, pd.DataFrame]:
    """Tables without some clients; the others move up.

    Parameters
    ----------
    tables
        All of `TABLES`.
    drop
        One flag per client.
    """
    new = np.cumsum(~drop) - 1
    return dict(_kept(tables, drop, new))


def _kept(tables: Tables, drop: AnyArray, new: AnyArray) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, frame in tables.items():
        client = frame["client"].to_numpy("intp")
        left = frame[~drop[client]]
        yield name, left.assign(client=new[left["client"].to_numpy("intp")]).reset_index(drop=True)
