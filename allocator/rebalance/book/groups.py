"""Clients by the shape of their programme, so that one compiled programme serves them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from allocator.rebalance.book.facts import Facts
from allocator.rebalance.book.flat import Flat
from allocator.rebalance.book.limit_rows import Group, count_rows
from allocator.rebalance.context import Context
from allocator.rebalance.model import SIZES, Shape
from allocator.typing import FloatArray, IntArray

STEP = 8
"""Limit rows are padded to a multiple of this: few shapes, each compiled once; what is padding costs nothing."""

SHARED = 2
"""The same for assets in several accounts, which are a risk factor of their own each."""

MOST = 512
"""Clients whose numbers are made at once: they fit into a processor's cache, and memory stays small."""


def groups_of(flat: Flat, among: IntArray, context: Context) -> Iterator[Group]:
    """Put clients together by shape.

    Parameters
    ----------
    flat
        What clients can trade.
    among
        Places in ``flat.who`` of the clients to plan.
    """
    sizes = flat.sizes[among]
    ladder, facts = np.array(SIZES), Facts(flat, context)
    padded = np.where(
        sizes <= ladder[-1], ladder[np.minimum(np.searchsorted(ladder, sizes), len(ladder) - 1)], -(-sizes // 256) * 256
    )
    for n in np.unique(padded):
        of_size = among[padded == n]
        for k in range(0, len(of_size), MOST):
            group = _group(facts, of_size[k : k + MOST], int(n))
            rows = count_rows(group)
            tall = np.maximum(-(-rows // STEP) * STEP, STEP)
            more = -(-flat.shared[group.who] // SHARED) * SHARED
            for height, extra in np.unique(np.stack([tall, more]), axis=1).T:
                part = _part(group, np.flatnonzero((tall == height) & (more == extra)))
                factors = part.shape.factors + int(extra)
                yield replace(part, shape=part.shape._replace(rows=int(height), factors=factors))


def _group(facts: Facts, who: IntArray, n: int) -> Group:
    flat, context = facts.flat, facts.context
    a = context.analysis
    at = flat.start[who][:, None] + np.arange(n)
    at = np.where(np.arange(n) < flat.sizes[who][:, None], at, -1)
    f = a.framework
    shape = Shape(n, 0, len(f.bucket_codes) + len(f.group_codes), context.loadings.shape[1])
    place = flat.who[who]
    total = a.exposures.total[place]

    def wide(values: FloatArray) -> FloatArray:
        return np.asarray(np.append(values, 0.0)[at])

    return Group(
        shape, who, place, at, context, flat, facts, wide(flat.inside), wide(flat.counts), wide(flat.w0),
        a.exposures.debt[place] / total, total,
    )  # fmt: skip


def _part(g: Group, rows: IntArray) -> Group:
    return replace(
        g,
        who=g.who[rows],
        place=g.place[rows],
        at=g.at[rows],
        inside=g.inside[rows],
        counts=g.counts[rows],
        w0=g.w0[rows],
        debt=g.debt[rows],
        total=g.total[rows],
    )
