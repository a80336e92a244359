"""What is left of every client after one scenario: holdings, debts, the reserve and the limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allocator.analysis import Analysis
from allocator.assumptions import RiskTable
from allocator.exposures import Exposures, expose
from allocator.framework import Framework
from allocator.measure_limits import LimitTable, Measured, evaluate, labels
from allocator.positions import Positions
from allocator.risk import assess
from allocator.scenarios import Moves, Scenario
from allocator.typing import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class After:
    """The book after a scenario, in the client's currency.

    Attributes
    ----------
    held
        m: value of each holding after the shock, before anything is sold to live on.
    loss
        n: what the shock takes from the buckets, and the guarantees that are called; below 0 is a gain.
    spent, short
        n: living costs and debt payments that are paid meanwhile; and what of these and of called guarantees cannot be
        paid from what sells: it is owed. NaN where the spending is unknown and the scenario asks for it.
    exposures, limits
        Of what is left. Where ``known`` is false, nothing has been spent in them.
    known
        n: false where the scenario asks for a spending that is unknown.
    positions
        What is left; without the debt that ``short`` is.
    """

    held: FloatArray
    loss: FloatArray
    spent: FloatArray
    short: FloatArray
    exposures: Exposures
    limits: LimitTable
    known: BoolArray
    positions: Positions


def apply(a: Analysis, table: RiskTable, scenario: Scenario, shock: Moves) -> After:
    """Let a scenario happen to every client at once.

    Parameters
    ----------
    a
        The book as it is.
    table
        Of the analysis, for the volatility that is left.
    scenario, shock
        The scenario, and what it does to each class.
    """
    p, f = a.positions, a.framework
    inside = f.flag("inside")
    held, mix, mixes = _values(p, f, scenario, shock)
    called = scenario.guarantees * p.guarantees
    fallen = p.value * (p.mix_table @ inside)[p.mix] - held * (mixes @ inside)[mix]
    debts = replace(p.debts, service=p.debts.service + scenario.debt_rate * p.debts.value)
    then = replace(p, mix=mix, mix_table=mixes, value=held, debts=debts, guarantees=p.guarantees - called)
    months = scenario.spending
    due = months * (then.spending + then.debt_service / 12) if months else np.zeros(len(p))
    ways = _ways(then, f)
    value, taken = _sell(then, held, called, ways["pledged"] + ways["liquid"])
    value, spent = _sell(then, value, np.nan_to_num(due), ways["liquid"] + ([] if scenario.frozen else ways["rest"]))
    unknown = np.where(np.isnan(due), np.nan, 0.0)
    owed = (called - taken) + (np.nan_to_num(due) - spent)
    then = replace(then, value=value)
    left = _owing(expose(then, f), owed)
    measured = Measured(then, left, assess(then, left, table, inside), table, f)
    limits = evaluate(measured, a.limit_table.limits, a.exposures.total)
    known, loss = ~np.isnan(due), p.per_client(fallen) + called
    return After(held, loss, spent + unknown, owed + unknown, left, limits, known, then)


def _values(p: Positions, f: Framework, scenario: Scenario, shock: Moves) -> tuple[FloatArray, IntArray, FloatArray]:
    """Holdings after the shock, and what funds then consist of: value (m), mix (m) and the table of mixes."""
    k = p.mix_table.shape[1]
    kept = p.mix_table * (1.0 + shock.shock)
    whole = kept.sum(axis=1) + (1.0 - p.mix_table.sum(axis=1))  # what nothing matched stays
    moved = (kept != p.mix_table).any(axis=1)
    whole[~moved] = 1.0
    mixes = p.mix_table.copy()
    fund = np.flatnonzero((np.arange(len(mixes)) > k) & moved & (whole > 0))
    mixes[fund] = kept[fund] / whole[fund, None]
    factor = whole[p.mix]
    own = _own(p, f, scenario, factor)
    apart = own != factor
    mix = p.mix
    if apart.any():  # these fall as a whole: their mix stays what it was, in rows of its own
        mix = np.where(apart & (mix > k), mix + len(mixes) - k - 1, mix)
        mixes = np.vstack([mixes, p.mix_table[k + 1 :]])
    return p.value * own, mix, mixes


def _own(p: Positions, f: Framework, scenario: Scenario, factor: FloatArray) -> FloatArray:
    """What is left of each holding where the own company or its sector fares in a way of its own."""
    if scenario.own_sector is not None:
        code, count = labels("sector", p, f)
        pair = p.client.astype("int64") * max(count, 1) + code
        named = np.append(f.flag("name"), 0.0)[p.klass] > 0
        same = (code >= 0) & ~p.own & named & np.isin(pair, pair[p.own & (code >= 0) & (p.value > 0)])
        factor = np.where(same, np.minimum(factor, 1.0 + scenario.own_sector), factor)
    if scenario.own_company is not None:
        factor = np.where(p.own, 1.0 + scenario.own_company, factor)
    return factor


def _ways(p: Positions, f: Framework) -> dict[str, list[BoolArray]]:
    """What can be sold, in the order in which it is: masks over holdings.

    ``pledged`` what creditors hold already; ``liquid`` cash, then the rest of the reserve, then what else sells within
    days; ``rest`` what is restricted or illiquid. Locked and own-use assets are never sold.
    """
    liquid = np.array([c.liquidity in ("cash", "liquid") for c in f.classes.values()], dtype="float64")
    inside, reserve = f.flag("inside"), f.flag("reserve")

    def of(kind: FloatArray) -> BoolArray:
        return np.asarray(np.append(kind, 0.0)[p.klass] > 0)

    return {
        "pledged": [of(inside) & p.pledged],
        "liquid": [of(x) & p.tradable for x in (f.flag("cash") * reserve, reserve, liquid * inside)],
        "rest": [of(inside) & p.tradable],
    }


def _sell(p: Positions, value: FloatArray, due: FloatArray, ways: list[BoolArray]) -> tuple[FloatArray, FloatArray]:
    """Pay what is due, one way after the other, within each in proportion; at the scenario's prices, without costs.

    Returns
    -------
    (value, paid)
        Of each holding (m) after it, and per client (n).
    """
    left = due
    for way in ways:
        if not left.any():
            break
        there = np.maximum(p.per_client(value * way), 0.0)
        part = np.divide(np.minimum(left, there), there, out=np.zeros(len(p)), where=there > 0)
        value = np.where(way, value * (1.0 - part[p.client]), value)
        left = np.maximum(left - there, 0.0)
    return value, due - left


def _owing(e: Exposures, owed: FloatArray) -> Exposures:
    """With more debts: guarantees that were called and bills that could not be paid."""
    equity = e.equity - owed
    leverage = np.divide(e.total, equity, out=np.full(len(equity), np.nan), where=equity > 0)
    return replace(e, debt=e.debt + owed, equity=equity, leverage=leverage, net_worth=e.net_worth - owed)
