"""The search for many clients of one shape, one after the other, without the interpreter."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.form import Form, form_of
from allocator.rebalance.book.numbers import Batch, vector
from allocator.rebalance.book.reduce import Numbers
from allocator.rebalance.book.search import Allowed, search
from allocator.rebalance.model import Model, Shape
from allocator.rebalance.model import compiled as model_for
from allocator.rebalance.whole import NEEDED
from allocator.typing import BoolArray, FloatArray, IntArray

SKIP = -9
"""Status of a client for whom nothing is to be solved."""


class Many(NamedTuple):
    """`Allowed` for many clients, each array with one more axis in front."""

    held: FloatArray
    wash: FloatArray
    bounds: FloatArray
    least: FloatArray
    step: FloatArray
    offset: FloatArray


class Answers(NamedTuple):
    """What the searches found, a row per client; see `search.Outcome`."""

    status: IntArray
    found: BoolArray
    relaxed: FloatArray
    objective: FloatArray
    bound: FloatArray
    proof: FloatArray
    buy: FloatArray
    sell: FloatArray
    nodes: IntArray
    rounds: IntArray


@compiled
def sweep(form: Form, data: Numbers, allowed: Many, out: Answers) -> None:
    """Search for every client whose status is not SKIP; each array has one more axis, in front, than for one."""
    for i in range(len(out.status)):
        if out.status[i] == SKIP:
            continue
        one = Numbers(data.entries[i], data.bound[i], data.price[i])
        may = Allowed(
            allowed.held[i],
            allowed.wash[i],
            allowed.bounds[i],
            allowed.least[i],
            allowed.step[i],
            allowed.offset[i],
        )
        got = search(form, one, may)
        out.status[i], out.found[i] = got.status, got.found
        out.relaxed[i], out.objective[i], out.bound[i] = got.relaxed, got.objective, got.bound
        out.proof[i, 0], out.proof[i, 1], out.proof[i, 2] = got.primal, got.dual, got.gap
        out.buy[i], out.sell[i] = got.buy, got.sell
        out.nodes[i], out.rounds[i] = got.nodes, got.rounds


@dataclass(frozen=True)
class Compiled:
    """A compiled programme with its pattern; without one, no fast route leads there."""

    model: Model
    form: Form | None


@lru_cache(maxsize=64)
def compiled_for(shape: Shape) -> Compiled:
    """Compile a shape, or take the one that is there."""
    model = model_for(shape)
    return Compiled(model, form_of(model))


def numbers_of(batch: Batch, model: Model) -> Numbers:
    """Problem data of a batch: the compiled programme's map times the parameters of all clients."""
    cone = model.cone
    a_map, (_, _, shape), split, b_rows, q_map, *_ = cone.maps
    columns = {p.name(): (int(first), tuple(p.shape)) for p, first in cone.columns}
    given = vector(columns, batch.values, cone.form.total_param_size + 1)
    found = np.ascontiguousarray((a_map @ given).T)
    bound = np.zeros((len(found), shape[0]))
    bound[:, b_rows] = found[:, split:]
    # cvxpy's A x + b in the cone is A x ≤ b with the other sign
    return Numbers(-found[:, :split], bound, np.ascontiguousarray((q_map @ given).T))


def allowed_of(batch: Batch) -> Many:
    """Which amounts are allowed, as `whole.choices` has it for one client."""
    g, v = batch.group, batch.values
    plan = g.context.analysis.framework.plan
    lot, least = g.wide(g.flat.lot, 0.01), g.wide(g.flat.minimum)
    exempt = v["wash"] == 0  # the cash account, and padding
    total, debt = g.total[:, None], g.counts == 0
    step = np.where(exempt | debt | (lot <= 0.01), 0.0, lot / total)
    buy = np.where(exempt | debt, 0.0, np.maximum(plan.min_trade, least / total))
    part = np.where(batch.mending, plan.min_trade * NEEDED, plan.min_trade)
    part = np.where(exempt | (batch.start[2] > 0), 0.0, part)
    whole = g.wide(g.flat.indivisible, 0).astype(bool) & (g.w0 > 0)
    sell = np.where(whole, g.w0, part)
    bounds = np.stack([v["least_buy"], v["most_buy"], v["least_sell"], v["most_sell"]], axis=1)
    return Many(g.w0, v["wash"], bounds, np.stack([buy, sell], axis=1), step, batch.offset)


def solve_batch(batch: Batch, skip: BoolArray) -> Answers:
    """Search for every client of a batch but some; ``status`` 0 where the shape has no fast route."""
    b, n = batch.group.w0.shape
    out = Answers(
        np.where(skip, SKIP, 0).astype(np.int64),
        np.zeros(b, dtype=bool),
        np.full(b, np.nan),
        np.full(b, np.nan),
        np.full(b, np.nan),
        np.full((b, 3), np.nan),
        np.zeros((b, n)),
        np.zeros((b, n)),
        np.zeros(b, dtype=np.int64),
        np.zeros(b, dtype=np.int64),
    )
    programme = compiled_for(batch.group.shape)
    if programme.form is not None:
        sweep(programme.form, numbers_of(batch, programme.model), allowed_of(batch), out)
    return out
