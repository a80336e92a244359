"""Sectors, countries and currencies by name: which one a limit means, and which one a trade brings down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from allocator.analysis import Analysis
from allocator.framework import LABELS
from allocator.i18n import Words
from allocator.plan import Plan
from allocator.reporting.sentences import clean, trade_reason


def label_shares(a: Analysis, i: int, name: str) -> dict[str, tuple[str, float]]:
    """Share of the total under each label of a client that a limit counts.

    Parameters
    ----------
    a, i
        The analysis, and the place of the client.
    name
        ``sector``, ``country`` or ``currency``.

    Returns
    -------
    dict
        By the label in lower case: how it is written, and its share. Blank labels, the client's own currency and the
        country at home for it are no part of it, as in the limits.
    """
    p = a.positions
    rows = slice(int(p.start[i]), int(p.start[i + 1]))
    own = str(p.clients["currency"].iloc[i])
    home = {"currency": own, "country": a.framework.home_country.get(own, "")}.get(name, "")
    out: dict[str, tuple[str, float]] = {}
    shares = a.exposures.inside[rows] / max(float(a.exposures.total[i]), np.finfo(float).tiny)
    for text, share in zip(p.holdings[name].iloc[rows], shares.tolist(), strict=True):
        written = str(text).strip()
        key = written.casefold()
        if key and key != home.casefold() and share > 0:
            first, sum_ = out.get(key, (written, 0.0))
            out[key] = (first, sum_ + share)
    return out


def largest_label(a: Analysis, i: int, name: str) -> str:
    """Name the largest sector, foreign country or foreign currency; empty without one, and for other limits."""
    parts = label_shares(a, i, name).values() if name in LABELS else ()
    return clean(max(parts, key=lambda x: x[1])[0]) if parts else ""


def reason_of(plan: Plan, i: int, trade: Mapping[str, Any], words: Words) -> str:
    """Say why a trade of client ``i`` is made.

    A sale that brings down a sector, a country or a currency is told with that one's own shares: the largest before and
    the largest after need not be the same.
    """
    f, own, because = plan.before.framework, plan.before.own, str(trade["because"])
    if because in LABELS and trade["side"] == "sell":
        p = plan.before.positions
        rows = slice(int(p.start[i]), int(p.start[i + 1]))
        h = p.holdings.iloc[rows]
        key = next(iter(h.loc[h["asset_id"] == trade["asset_id"], because].str.strip().str.casefold()), "")
        before = label_shares(plan.before, i, because)
        if key in before:
            label, share = before[key]
            _, after = label_shares(plan.after, i, because).get(key, (label, 0.0))
            what = words.text(f"label.{because}", label=clean(label))
            return trade_reason({**trade, "share_before": share, "share_after": after}, f, words, own, what=what)
    return trade_reason(trade, f, words, own)
