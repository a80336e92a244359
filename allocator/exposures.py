"""What each client is exposed to: totals, shares, largest names, the liquid reserve. Vectorised over the whole book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.framework import Framework
from allocator.positions import Positions
from allocator.typing import FloatArray, IntArray


@dataclass(frozen=True)
class Exposures:
    """Amounts per client in the client's currency, and the weights of holdings.

    Attributes
    ----------
    classes
        n × classes: money in each class, funds looked through.
    total
        T, the value of the buckets.
    debt, equity, leverage
        D, E = T − D and T / E; leverage is NaN where E ≤ 0.
    net_worth
        Everything owned less everything owed.
    unclassified
        Money in holdings that nothing matched; no part of the total.
    weight
        m: each holding as a fraction of T; 0 for what is outside the buckets, NaN where T is 0.
    inside
        m: money of each holding inside the buckets.
    named, by_asset, by_issuer
        m: money that counts as a single name (funds, deposits and government debt do not); the same summed over
        the accounts it lies in, and over its issuer.
    liquid
        Defensive assets that can be spent within days, neither pledged nor locked.
    need
        Living costs and debt service a month; NaN where the spending is unknown.
    own_company
        Shares in, loans to and guarantees for the own company.
    """

    classes: FloatArray
    total: FloatArray
    debt: FloatArray
    equity: FloatArray
    leverage: FloatArray
    net_worth: FloatArray
    unclassified: FloatArray
    weight: FloatArray
    inside: FloatArray
    named: FloatArray
    by_asset: FloatArray
    by_issuer: FloatArray
    liquid: FloatArray
    need: FloatArray
    own_company: FloatArray

    def of_total(self, amount: FloatArray) -> FloatArray:
        """Amounts per client as fractions of T; NaN where T is 0."""
        return ratio(amount, self.total)

    @property
    def months(self) -> FloatArray:
        """Months that the liquid reserve lasts; infinite where nothing is needed, NaN where the need is unknown."""
        return np.where(self.need == 0, np.inf, ratio(self.liquid, self.need))


def expose(p: Positions, framework: Framework) -> Exposures:
    """Compute the exposures of every client in one pass."""
    classes = class_money(p)
    inside_class = framework.flag("inside")
    inside = p.value * (p.mix_table @ inside_class)[p.mix]
    total = (classes * inside_class).sum(axis=1)  # a product of matrices would depend on how many clients there are
    equity = total - p.debt
    named = inside * np.append(framework.flag("name"), 0.0)[p.klass]
    reserve = np.append(framework.flag("reserve"), 0.0)[p.klass] * p.tradable
    unclassified = p.per_client(p.value * (p.klass < 0))
    return Exposures(
        classes=classes,
        total=total,
        debt=p.debt,
        equity=equity,
        leverage=np.where(equity > 0, ratio(total, equity), np.nan),
        net_worth=p.per_client(p.value) - p.debt - p.debt_own_use,
        unclassified=unclassified,
        weight=ratio(inside, total[p.client]),
        inside=inside,
        named=named,
        by_asset=_summed(named, p.asset),
        by_issuer=_summed(named, p.issuer),
        liquid=p.per_client(p.value * reserve),
        need=p.spending + p.debt_service / 12,
        own_company=p.per_client(inside * p.own) + p.guarantees,
    )


def class_money(p: Positions) -> FloatArray:
    """Money per client and class (n × classes), funds looked through."""
    n, rows = len(p), len(p.mix_table)
    k = p.mix_table.shape[1]
    if rows == k + 1 or n * rows <= 50_000_000:
        cells = np.bincount(p.client * rows + p.mix, weights=p.value, minlength=n * rows).astype("float64")
        by_mix: FloatArray = cells.reshape(n, rows)
        return by_mix[:, :k] + by_mix[:, k + 1 :] @ p.mix_table[k + 1 :] if rows > k + 1 else by_mix[:, :k].copy()
    out = np.zeros((n, k))
    for c in range(k):
        out[:, c] = p.per_client(p.value * p.mix_table[p.mix, c])
    return out


def _summed(named: FloatArray, code: IntArray) -> FloatArray:
    """Put the sum over all holdings with the same code at each named holding."""
    total = np.bincount(code, weights=named, minlength=int(code.max(initial=-1)) + 1)
    return np.asarray(total[code] * (named > 0), dtype="float64")


def largest(p: Positions, amount: FloatArray) -> FloatArray:
    """Largest holding amount of each client; 0 for a client without holdings."""
    out: FloatArray = np.zeros(len(p))
    some = p.start[1:] > p.start[:-1]
    if some.any():
        out[some] = np.maximum.reduceat(amount, p.start[:-1][some])
    return out


def ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Divide, with NaN where the divisor is 0 or NaN."""
    top, bottom = np.broadcast_arrays(top, bottom)
    out = np.full(top.shape, np.nan)
    with np.errstate(over="ignore"):  # beyond the largest number it is infinite
        np.divide(top, bottom, out=out, where=(bottom != 0) & ~np.isnan(bottom))
    return out
