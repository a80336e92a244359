"""Trades of the last plan that are not to be seen in the holdings: plans not carried out."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.change import CENT, Change
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy
from allocator.typing import AnyArray, FloatArray, IntArray


def sale_undone(change: Change, policy: Policy) -> pd.DataFrame:
    """Proposed sales of which less than the policy's part happened; ``before`` proposed, ``after`` done."""
    trades = _trades(change, "sell")
    client = trades["client"].to_numpy("intp")
    h = change.held
    places = _places(h.client, h.asset, client, trades["asset_id"])
    held = places >= 0
    done, loose = np.zeros(len(client)), np.zeros(len(client), dtype=bool)
    at = places[held]
    # units sold at the old price, so that a price which moved is no sale
    sold = np.where(h.counted[at] & (h.new[at] > 0) & (h.old[at] > 0), -h.flow[at] * _back(change, at), -h.flow[at])
    done[held], loose[held] = np.maximum(sold, 0.0), ~h.counted[at]
    return _undone(change, policy, trades, done, loose)


def purchase_undone(change: Change, policy: Policy) -> pd.DataFrame:
    """Proposed purchases by class: another product of the same class will do; deposits are what is left over."""
    trades = _trades(change, "buy")
    if not len(trades):
        return rows([])
    h, cash = change.held, change.cash_classes
    trades = trades[~trades["asset_class"].isin(cash)]
    trades = trades.groupby(["client", "asset_class"], observed=True)["amount"].sum().reset_index()
    klass = trades["asset_class"].astype("str")
    size = max(len(h.klass.categories), 1)
    counts = size * len(change)
    key = h.client * size + h.klass.codes
    flow = np.bincount(key, weights=h.flow, minlength=counts)
    open_ = np.bincount(key, weights=(~h.counted & (np.abs(h.new - h.old) >= CENT)).astype("float64"), minlength=counts)
    code = pd.Index(h.klass.categories).get_indexer(pd.Index(klass))
    at = trades["client"].to_numpy("intp") * size + np.maximum(code, 0)
    done = np.where(code >= 0, np.maximum(flow[at], 0.0), 0.0)
    loose = (code >= 0) & (open_[at] > 0)
    return _undone(change, policy, trades.assign(asset_id=klass, name=klass), done, loose)


def repayment_undone(change: Change, policy: Policy) -> pd.DataFrame:
    """Proposed repayments of debts."""
    trades = _trades(change, "repay")
    if not len(trades) or change.before is None:
        return rows([])
    was, now = (s.columns("debts", "client", "debt_id", "value") for s in (change.before, change.after))
    keys = ["client", "debt_id"]
    old = was.assign(client=change.place_of[was["client"].to_numpy("intp")], debt_id=was["debt_id"].astype("str"))
    owed = old.merge(now.assign(debt_id=now["debt_id"].astype("str")), on=keys, how="left", suffixes=("", "_now"))
    rate = change.rate[owed["client"].to_numpy("intp")]
    paid = owed["value"] * rate - owed["value_now"].fillna(0.0)
    owed = owed.assign(paid=paid).drop_duplicates(keys)
    wanted = trades.rename(columns={"asset_id": "debt_id"})[keys].assign(debt_id=lambda f: f["debt_id"].astype("str"))
    done = wanted.merge(owed, on=keys, how="left")["paid"].fillna(0.0).to_numpy("float64")
    return _undone(change, policy, trades, np.maximum(done, 0.0), np.zeros(len(trades), dtype=bool))


def _trades(change: Change, side: str) -> pd.DataFrame:
    """Trades of the plan that was kept with the earlier snapshot, of clients that are still there."""
    columns = ("client", "asset_id", "name", "asset_class", "side", "amount")
    if change.before is None or not change.before.planned:
        return pd.DataFrame({c: pd.Series(dtype="float64" if c in ("client", "amount") else "str") for c in columns})
    t = change.before.columns("trades", *columns)
    t = t.assign(client=change.place_of[t["client"].to_numpy("intp")])
    keep = (t["side"] == side).to_numpy(bool) & change.now[t["client"].to_numpy("intp")]
    chosen: pd.DataFrame = t[keep].reset_index(drop=True)
    rate = change.rate[chosen["client"].to_numpy("intp")]
    return chosen.assign(amount=chosen["amount"].to_numpy("float64") * rate)


def _back(change: Change, at: IntArray) -> FloatArray:
    """From the present price of holdings to the old one: units are the same, so old / (new − flow)."""
    h = change.held
    kept = h.new[at] - h.flow[at]  # the old units at the present price
    return np.divide(h.old[at], kept, out=np.ones(len(at)), where=kept > 0)


def _places(client: IntArray, asset: pd.Categorical, who: IntArray, wanted: pd.Series) -> IntArray:
    """Place of each (client, asset) among the holdings, which are sorted by both; −1 not held."""
    size = max(len(asset.categories), 1)
    code = pd.Index(asset.categories).get_indexer(pd.Index(wanted.astype("str")))
    keys, key = client.astype("int64") * size + asset.codes, who.astype("int64") * size + code
    at = np.minimum(np.searchsorted(keys, key), max(len(keys) - 1, 0))
    hit = (code >= 0) & (keys[at] == key) if len(keys) else np.zeros(len(who), dtype=bool)
    return np.where(hit, at, -1).astype("intp")


def _undone(change: Change, policy: Policy, trades: pd.DataFrame, done: FloatArray, loose: AnyArray) -> pd.DataFrame:
    amount = trades["amount"].to_numpy("float64")
    at = np.flatnonzero(~(done >= policy.plan.done * amount - CENT) | np.isnan(amount))
    t = trades.iloc[at]
    unknown = np.isnan(amount[at])
    note = np.where(unknown, "no_rate", np.where(loose[at], "value_only", ""))
    assert change.before is not None or not len(at)
    return rows(
        t["client"].to_numpy("intp"), subject=t["asset_id"].astype("str").to_numpy(),
        name=t["name"].astype("str").to_numpy(), before=amount[at], after=done[at],
        amount=np.maximum(amount[at] - done[at], 0.0), bound=policy.plan.done * amount[at], note=note,
    )  # fmt: skip


FINDINGS: Final = (
    Finding(
        "sale_undone",
        en="Proposed sale not carried out",
        zh="建议卖出未执行",
        says={
            "en": "{subject}: sale of {before} proposed, {after} seen",
            "zh": "{subject}：建议卖出 {before}，实际 {after}",
        },
        subject="asset",
        unit="money",
        rank=6,
        lasting=True,
        measure=sale_undone,
    ),
    Finding(
        "purchase_undone",
        en="Proposed purchase not carried out",
        zh="建议买入未执行",
        says={
            "en": "{subject}: purchases of {before} proposed, {after} seen",
            "zh": "{subject}：建议买入 {before}，实际 {after}",
        },
        subject="class",
        unit="money",
        rank=7,
        lasting=True,
        measure=purchase_undone,
    ),
    Finding(
        "repayment_undone",
        en="Proposed repayment not carried out",
        zh="建议还款未执行",
        says={
            "en": "{subject}: repayment of {before} proposed, {after} seen",
            "zh": "{subject}：建议偿还 {before}，实际 {after}",
        },
        subject="asset",
        unit="money",
        rank=7,
        lasting=True,
        measure=repayment_undone,
    ),
)
