"""Clients who came, went or seem to go by another id; risk bands and currencies that changed."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from allocator.ledger.change import Change
from allocator.ledger.finding import Finding, rows
from allocator.ledger.policy import Policy
from allocator.typing import IntArray


def client_new(change: Change, _: Policy) -> pd.DataFrame:
    """Clients who were not in the book; those of `client_renamed` are told there."""
    if change.before is None:
        return rows([])
    new, _old = _renamed(change)
    at = np.setdiff1d(np.flatnonzero(~change.was), new)
    total = change.new("total")[at]
    return rows(at, after=total, amount=total)


def client_gone(change: Change, _: Policy) -> pd.DataFrame:
    """Clients who are no longer in the book."""
    _new, old = _renamed(change)
    at = np.setdiff1d(np.flatnonzero(~change.now), old)
    total = change.old("total", money=True)[at]
    return rows(at, before=total, amount=total)


def client_renamed(change: Change, _: Policy) -> pd.DataFrame:
    """New clients whose id differs from one that is gone in capitals or leading zeros only: said, never joined."""
    new, old = _renamed(change)
    ids = change.ids.to_numpy(dtype=object)
    totals = change.old("total", money=True)[old], change.new("total")[new]
    return rows(new, subject=ids[old], name=ids[old], before=totals[0], after=totals[1], amount=totals[1] - totals[0])


def band_changed(change: Change, _: Policy) -> pd.DataFrame:
    """Clients whose risk band is another one; ``subject`` is ``old>new``."""
    return _texts(change, "band")


def currency_changed(change: Change, _: Policy) -> pd.DataFrame:
    """Clients whose reports are in another currency; amounts of before are converted at the rates of before."""
    return _texts(change, "currency")


def _texts(change: Change, column: str) -> pd.DataFrame:
    was, now = change.old_text(column), change.new_text(column)
    at = np.flatnonzero(change.both & (was != now))
    said = [f"{a}>{b}" for a, b in zip(was[at], now[at], strict=True)]
    totals = change.old("total", money=True)[at], change.new("total")[at]
    note = np.where(np.isnan(change.rate[at]), "no_rate", "")
    return rows(at, subject=said, name=said, before=totals[0], after=totals[1], note=note)


def _renamed(change: Change) -> tuple[IntArray, IntArray]:
    """Places of new clients and of the gone ones that they look like, one to one."""
    new, old = np.flatnonzero(~change.was), np.flatnonzero(~change.now)
    if change.before is None or not len(new) or not len(old):
        return np.zeros(0, dtype="intp"), np.zeros(0, dtype="intp")
    fold = pd.Series(change.ids).str.casefold().str.replace(r"^(\d+)\.0$", r"\1", regex=True).str.lstrip("0")
    left = pd.DataFrame({"new": new, "key": fold.iloc[new].to_numpy()}).drop_duplicates("key", keep=False)
    right = pd.DataFrame({"old": old, "key": fold.iloc[old].to_numpy()}).drop_duplicates("key", keep=False)
    pairs = left.merge(right, on="key")
    return pairs["new"].to_numpy("intp"), pairs["old"].to_numpy("intp")


FINDINGS: Final = (
    Finding(
        "client_renamed",
        en="Same client under another id?",
        zh="疑似客户号变更",
        says={
            "en": "looks like {subject}, who is gone: the ids differ in capitals or leading zeros only",
            "zh": "疑似原客户 {subject}（已不在名单中）：客户号只有大小写或前导零不同",
        },
        subject="text",
        unit="money",
        rank=9,
        lasting=False,
        measure=client_renamed,
    ),
    Finding(
        "client_gone",
        en="Client gone",
        zh="客户消失",
        says={"en": "had {before}, no longer in the book", "zh": "上次资产 {before}，现已不在名单中"},
        subject="none",
        unit="money",
        rank=3,
        lasting=False,
        measure=client_gone,
    ),
    Finding(
        "client_new",
        en="New client",
        zh="新客户",
        says={"en": "has {after}", "zh": "资产 {after}"},
        subject="none",
        unit="money",
        rank=9,
        lasting=False,
        measure=client_new,
    ),
    Finding(
        "band_changed",
        en="Risk band changed",
        zh="风险类型变更",
        says={"en": "risk band {subject}", "zh": "风险类型 {subject}"},
        subject="band",
        unit="text",
        rank=8,
        lasting=False,
        measure=band_changed,
    ),
    Finding(
        "currency_changed",
        en="Currency changed",
        zh="币种变更",
        says={
            "en": "currency {subject}; the total {before} → {after}",
            "zh": "币种 {subject}；总额 {before} → {after}",
        },
        subject="change",
        unit="money",
        rank=11,
        lasting=False,
        measure=currency_changed,
    ),
)
