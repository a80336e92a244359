"""What trades are worth, for many clients at once: objective, excess over every limit, costs; plain sums in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocator.rebalance.book.numbers import Batch, measure
from allocator.rebalance.book.sweep import Answers
from allocator.rebalance.whole import WHOLE
from allocator.typing import BoolArray, FloatArray


@dataclass(frozen=True)
class Over:
    """Excess over the rows (B × k), the single names (B × n) and the volatility (B)."""

    rows: FloatArray
    names: FloatArray
    sigma: FloatArray

    @property
    def worst(self) -> FloatArray:
        """The largest of each client."""
        most = np.maximum(self.rows.max(axis=1, initial=0.0), self.names.max(axis=1, initial=0.0))
        return np.asarray(np.maximum(most, self.sigma))


def excess(batch: Batch, weights: FloatArray) -> Over:
    """Excess over every limit at some weights (B × n)."""
    v, g = batch.values, batch.group
    total = (g.inside * weights).sum(axis=1)
    rows = np.maximum(np.einsum("bkn,bn->bk", v["rows"], weights) - v["bound"], 0.0)
    names = np.maximum(g.inside * weights - v["name_bound"] * total[:, None], 0.0)
    equity = (v["own"] * weights).sum(axis=1) - g.debt
    sigma = measure(v["0_loadings"].transpose(0, 2, 1), v["0_own"], weights) - v["0_bound"] * equity
    return Over(rows, names, np.maximum(sigma, 0.0))


def costs(batch: Batch, buy: FloatArray, sell: FloatArray) -> FloatArray:
    """Costs and taxes of some trades, as fractions of the total."""
    v = batch.values
    return np.asarray((v["buy_cost"] * buy + (v["round_cost"] - v["buy_cost"]) * sell).sum(axis=1))


def objective(batch: Batch, buy: FloatArray, sell: FloatArray) -> FloatArray:
    """Value of the objective at some trades, each excess at its least; see `Problem.objective`."""
    v = batch.values
    w = batch.group.w0 + buy - sell
    over = excess(batch, w)
    wash = (v["wash"] * batch.group.w0).sum(axis=1)
    return np.asarray(
        (v["row_price"] * over.rows).sum(axis=1)
        + v["name_price"] * over.names.sum(axis=1)
        + v["0_price"] * over.sigma
        + (np.einsum("btn,bn->bt", v["targets"], w) ** 2).sum(axis=1)
        + (v["linear"] * w).sum(axis=1)
        + (v["wash"] * (buy + sell)).sum(axis=1)
        + ((v["root"] * w - v["center"]) ** 2).sum(axis=1)
        + batch.offset
        + wash
    )


def clean(batch: Batch, answers: Answers) -> tuple[FloatArray, FloatArray]:
    """Net out both sides of an instrument, and snap what the solver left a hair off its bounds."""
    w0, most = batch.group.w0, batch.values["most_sell"]
    both = np.minimum(answers.buy, answers.sell)
    buy, sell = answers.buy - both, answers.sell - both
    sell = np.where(sell > w0 - WHOLE, np.where(most >= w0 - WHOLE, w0, sell), sell)
    sell = np.minimum(sell, most)
    return np.where(buy > WHOLE, buy, 0.0), np.where(sell > WHOLE, sell, 0.0)


def in_order(batch: Batch, over: Over, tolerance: float) -> BoolArray:
    """Clients in whose book every limit holds at the starting point and no bucket has drifted: the 5/25 rule."""
    g = batch.group
    f = g.context.analysis.framework
    bands = list(f.bands.values())
    target = np.array([[b.buckets[c].target for c in f.buckets] for b in bands])[g.band]
    off = np.abs(np.einsum("btn,bn->bt", batch.values["targets"], batch.start[0])[:, : target.shape[1]])
    total = batch.start_total[:, None]
    off = np.divide(off, total, out=np.full_like(off, np.inf), where=total > 0)  # none where all of it is due
    near = np.minimum(f.drift.absolute, f.drift.relative * target)
    far = np.where(target > 0, near, f.drift.absolute)
    return np.asarray((over.worst <= tolerance) & (off < far).all(axis=1))
