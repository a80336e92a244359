"""The wall between family and firm: the firm fails, its guarantees are called, and what is left is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from allocator.analysis import Analysis
from allocator.exposures import ratio
from allocator.framework import OWN_USE
from allocator.positions import Positions
from allocator.typing import AnyArray, BoolArray, FloatArray, IntArray

WAYS: Final = ("pledged", "liquid", "rest")
"""What called guarantees are paid from, in this order."""
STEPS: Final = (0, 1, 1, 1, 2)
"""Way of each step: pledged · cash · the rest of the reserve · what else sells within days · everything else."""
STATUSES: Final = ("survives", "short_of_cash", "insolvent_after", "not_applicable", "unknown")
"""What the firewall test says: enough months are left · net worth is left but too few months · nothing is left, or more
is owed than owned, the home included · no own company and no guarantees · the spending is unknown: nobody can say."""


@dataclass(frozen=True)
class Fallen:
    """Every client after the firm has failed; money in the client's currency.

    Attributes
    ----------
    company, home
        n: what the own company was worth in all forms (it goes to 0), and what is left of own-use assets.
    paid
        n × `WAYS`: what pays the guarantees.
    owed
        n: guarantees that nothing can pay: a debt from then on.
    left
        m: what is left of each holding.
    total, liquid, quick
        n: what is left in the buckets, of the liquid reserve, and of all that sells within days.
    debt, equity, net_worth
        n: all debts with ``owed``; what is left of the buckets less debts without those on the home; everything that is
        left less everything owed.
    """

    company: FloatArray
    home: FloatArray
    paid: FloatArray
    owed: FloatArray
    left: FloatArray
    total: FloatArray
    liquid: FloatArray
    quick: FloatArray
    debt: FloatArray
    equity: FloatArray
    net_worth: FloatArray


def fail(a: Analysis) -> Fallen:
    """Let the own company of every client fail and every guarantee be called.

    Notes
    -----
    Guarantees are paid from pledged assets first (the lender holds them; a pledged home goes as well), then from cash,
    the rest of the reserve and what else sells within days, then from everything else in the buckets, within each step
    in proportion. An asset that secures a debt of the family's own pays only with what it is worth beyond that debt.
    Amounts are those of the book: a forced sale brings less. Own-use assets that are not pledged are left alone. Debts
    that the own company secured stay with the family. All of it is house judgement, the careful reading.
    """
    p, e = a.positions, a.exposures
    value = p.value * ~p.own
    step = _steps(a)
    count = len(STEPS)
    able = np.maximum(value - secured(p), 0.0) * (step >= 0)
    pot = np.bincount(p.client * count + np.maximum(step, 0), weights=able, minlength=len(p) * count)
    pots = pot.astype("float64").reshape(len(p), count)
    paid = np.clip(p.guarantees[:, None] - (np.cumsum(pots, axis=1) - pots), 0.0, pots)
    part = np.nan_to_num(ratio(paid, pots))[p.client, np.maximum(step, 0)]
    left = value - able * part
    inside = np.nan_to_num(ratio(e.inside, p.value))
    by_way = np.stack([paid[:, [s == w for s in STEPS]].sum(axis=1) for w in range(len(WAYS))], axis=1)
    owed = np.round(p.guarantees - by_way.sum(axis=1), 2) + 0.0
    total, debt = p.per_client(left * inside), p.debt + p.debt_own_use + owed
    reserve = (np.append(a.framework.flag("reserve"), 0.0)[p.klass] > 0) & p.tradable
    quick = np.append(_quick(a), False)[p.klass] & p.tradable
    return Fallen(
        company=p.per_client(p.value * p.own),
        home=p.per_client(left * (1.0 - inside) * (p.klass >= 0)),
        paid=by_way,
        owed=owed,
        left=left,
        total=total,
        liquid=p.per_client(left * reserve),
        quick=p.per_client(left * quick),
        debt=debt,
        equity=np.round(total - p.debt - owed, 2) + 0.0,
        net_worth=np.round(p.per_client(left) - debt, 2) + 0.0,
    )


def judge(a: Analysis, fallen: Fallen, survive_months: float) -> tuple[FloatArray, AnyArray]:
    """Months of living that are left, and the status of every client (see `STATUSES`).

    Months are infinite where nothing is needed and NaN where the spending is unknown.
    """
    need = a.exposures.need
    months = np.where(need == 0, np.inf, ratio(fallen.liquid, need))
    concerned = (fallen.company > 0) | (a.positions.guarantees > 0)
    status = np.select(
        [~concerned, fallen.net_worth <= 0, np.isnan(need), months < survive_months],
        ["not_applicable", "insolvent_after", "unknown", "short_of_cash"],
        default="survives",
    )
    return months, status


def secured(p: Positions) -> FloatArray:
    """Debts of the family that each holding secures; those on an asset in several accounts in proportion (m)."""
    d = p.debts
    at = np.flatnonzero(np.array([bool(s) for s in d.secured_by], dtype=bool))
    out = np.zeros(len(p.value))
    if not len(at):
        return out
    near = np.flatnonzero(np.isin(p.client, d.client[at]))
    held = pd.MultiIndex.from_arrays([p.client[near], p.holdings["asset_id"].to_numpy(dtype=object)[near]])
    wanted = pd.MultiIndex.from_arrays([d.client[at], np.array(d.secured_by, dtype=object)[at]])
    found = held.get_indexer(wanted)
    at, place = at[found >= 0], near[found[found >= 0]]
    size = int(p.asset.max(initial=-1)) + 1
    on = np.bincount(p.asset[place], weights=d.value[at], minlength=size)
    worth = np.bincount(p.asset, weights=p.value, minlength=size).astype("float64")
    share = np.nan_to_num(ratio(p.value, worth[p.asset]))
    return np.asarray(on[p.asset] * share, dtype="float64")


def _quick(a: Analysis) -> BoolArray:
    """Classes inside the buckets that sell within days."""
    classes = a.framework.classes.values()
    return np.array([c.liquidity in ("cash", "liquid") and c.bucket != OWN_USE for c in classes], dtype=bool)


def _steps(a: Analysis) -> IntArray:
    """Step in which each holding pays, −1 for never: own company, own use, unclassified, unless pledged."""
    p, f = a.positions, a.framework

    def of(kind: AnyArray) -> BoolArray:
        return np.asarray(np.append(kind, 0.0)[p.klass] > 0)

    inside = of(np.array([c.bucket != OWN_USE for c in f.classes.values()], dtype="float64"))
    reserve = of(f.flag("reserve")) & p.tradable
    ways = [p.pledged, of(f.flag("cash")) & reserve, reserve, of(_quick(a)) & p.tradable, inside]
    step = np.select(ways, list(range(len(ways))), -1)
    return np.asarray(np.where(p.own, -1, step), dtype="intp")
