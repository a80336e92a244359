"""One client's programme made small: what is fixed, defined or an excess at a price is taken out, and put back.

A generic presolve over the pattern in `form`: rows with one variable become bounds, pairs of rows become ranges, rows
that can never bind are dropped. What is left is a `Quadratic` of some twenty variables and a cone; `restore` puts its
answer back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocator.rebalance.book.active_set import INFEASIBLE, SOLVED
from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.form import Form
from allocator.rebalance.book.quadratic import FAR, Quadratic, put_row, quadratic
from allocator.typing import FloatArray, IntArray

SAME = 1e-13
"""Bounds nearer than this fix a variable."""


CUTS = 32
"""Most tangents to the cone that are kept at once."""


FREE, FIXED, PAIRED = 0, 1, 2
"""What became of a base variable."""


class Numbers(NamedTuple):
    """The numbers of one client's conic programme: A (by columns, as rows ≤ b), b and q."""

    entries: FloatArray
    bound: FloatArray
    price: FloatArray


class Reduced(NamedTuple):
    """A programme made small.

    Attributes
    ----------
    status
        SOLVED where it could be made, INFEASIBLE where two bounds contradict.
    quadratic, constant
        What is left, and what of the objective no variable can change.
    kind, place, factor, fixed
        Of each variable of the conic programme: what became of it; x = fixed + factor · y[place].
    dense, dense_row
        Of the defined variables: x = fixed + row · y; the row of each, −1 for none.
    low_row, high_row
        Rows that bound a fixed variable.
    below, above
        Per row of the quadratic: the conic rows of its lower and upper bound, −1 for none.
    below_size, above_size
        What their multipliers are divided by.
    cone, cone_fixed
        The vector in the cone is cone_fixed − cone · y; its head comes first.
    spent
        Multipliers of conic rows that no variable of the small programme can change.
    buy_row, buy_shift, sell_row
        Per instrument: the row of what is bought (its value is the purchase + shift), and of what is sold; −1 where it
        is fixed.
    waiting, ends, which, inside
        Inequalities that are put into the quadratic when they are broken first, k × p; their right sides and caps; the
        conic row of each; whether it is there already.
    cut
        Per row of the quadratic: which tangent to the cone it is, −1 for none.
    """

    status: int
    quadratic: Quadratic
    constant: float
    kind: IntArray
    place: IntArray
    factor: FloatArray
    fixed: FloatArray
    dense: FloatArray
    dense_row: IntArray
    low_row: IntArray
    high_row: IntArray
    below: IntArray
    above: IntArray
    below_size: FloatArray
    above_size: FloatArray
    cone: FloatArray
    cone_fixed: FloatArray
    spent: FloatArray
    buy_row: IntArray
    buy_shift: FloatArray
    sell_row: IntArray
    waiting: FloatArray
    ends: FloatArray
    which: IntArray
    inside: IntArray
    cut: IntArray


@compiled
def reduce(form: Form, numbers: Numbers, held: FloatArray) -> Reduced:
    """Make one client's programme small.

    Parameters
    ----------
    form, numbers
        Pattern and numbers.
    held
        Weights today, per instrument.
    """
    a, b, q = numbers.entries, numbers.bound, numbers.price
    n, m = len(q), len(b)
    lo, up = np.full(n, -FAR), np.full(n, FAR)
    low_row, high_row = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    kind, index = np.full(n, FREE, np.int64), np.full(n, -1, np.int64)
    factor, fixed = np.zeros(n), np.zeros(n)
    dense_row = np.full(n, -1, np.int64)
    status = SOLVED
    for r in form.single:
        k = form.start[r]
        c, v = form.column[k], a[form.entry[k]]
        if v > 0 and b[r] / v < up[c]:
            up[c], high_row[c] = b[r] / v, r
        elif v < 0 and b[r] / v > lo[c]:
            lo[c], low_row[c] = b[r] / v, r
    for c in form.base:
        if up[c] - lo[c] <= SAME:
            if up[c] < lo[c] - 1e-9:
                status = INFEASIBLE
            kind[c], fixed[c] = FIXED, 0.5 * (lo[c] + up[c])
    ranged = np.zeros(len(form.pairs), np.int64)
    for k in range(len(form.pairs)):
        top, bottom = form.pairs[k, 0], form.pairs[k, 1]
        one, two = form.column[form.start[top]], form.column[form.start[top] + 1]
        most, least = b[top], -b[bottom]
        if kind[one] == FIXED and kind[two] == FIXED:
            continue
        if kind[one] == FREE and kind[two] == FREE:
            if most - least <= SAME and lo[one] <= -FAR and up[one] >= FAR:
                kind[one], fixed[one], factor[one] = PAIRED, most, -1.0
                low_row[one], high_row[one] = bottom, top
            else:
                ranged[k] = 1
            continue
        c = two if kind[one] == FIXED else one
        other = fixed[one] if kind[one] == FIXED else fixed[two]
        if most - other < up[c]:
            up[c], high_row[c] = most - other, top
        if least - other > lo[c]:
            lo[c], low_row[c] = least - other, bottom
        if up[c] - lo[c] <= SAME:
            if up[c] < lo[c] - 1e-9:
                status = INFEASIBLE
            kind[c], fixed[c] = FIXED, 0.5 * (lo[c] + up[c])
    p = 0
    for c in form.base:
        if kind[c] == FREE:
            index[c], factor[c] = p, 1.0
            p += 1
    for k in range(len(form.pairs)):
        one, two = form.column[form.start[form.pairs[k, 0]]], form.column[form.start[form.pairs[k, 0]] + 1]
        if kind[one] == PAIRED:
            index[one] = index[two]
    dense = np.zeros((len(form.defined), p))
    for e in range(len(form.defined)):
        c = form.defined[e]
        own, rest = dense[e], b[form.by[e]]
        pivot = 1.0
        for k in range(form.start[form.by[e]], form.start[form.by[e] + 1]):
            v, other = a[form.entry[k]], form.column[k]
            if other == c:
                pivot = v
            elif v != 0.0:
                rest -= v * fixed[other]
                if index[other] >= 0:
                    own[index[other]] -= v * factor[other]
                elif dense_row[other] >= 0:
                    for i in range(p):
                        own[i] -= v * dense[dense_row[other], i]
        fixed[c] = rest / pivot
        for i in range(p):
            own[i] /= pivot
        dense_row[c] = e
    curve, linear, constant = _objective(form, q, (index, factor, fixed, dense, dense_row), p)
    spent = np.zeros(m)
    terms = (index, factor, fixed, dense, dense_row)
    rows, ends = np.empty((len(form.general), p)), np.zeros((len(form.general), 2))
    right = _rows(form, numbers, form.general, terms, rows)
    which = np.zeros(len(form.general), np.int64)
    kept = 0
    room_low, room_up = np.zeros(p), np.zeros(p)
    for c in form.base:
        if kind[c] == FREE:
            room_low[index[c]], room_up[index[c]] = lo[c], up[c]
    for e in range(len(form.general)):
        r, h = form.general[e], right[e]
        cap = np.inf
        if form.excess[r] >= 0:
            cap = q[form.excess[r]]
        most, size = 0.0, 0.0
        for c in range(p):
            v = rows[e, c]
            size = max(size, abs(v))
            most += v * (room_up[c] if v > 0 else room_low[c])
        if size < 1e-13:
            if h < 0.0 and cap < FAR:
                constant -= cap * h
                spent[r] = cap
            elif h < -1e-8:
                status = INFEASIBLE
        elif most > h + 1e-12 and cap > 0:
            ends[kept, 0], ends[kept, 1], which[kept] = h, cap, r
            if kept < e:
                for c in range(p):
                    rows[kept, c] = rows[e, c]
            kept += 1
    quad = quadratic(curve, linear, p + ranged.sum() + len(form.equations) + kept + 2 * CUTS)
    total = len(quad.low)
    below, above = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    below_size, above_size = np.ones(total), np.ones(total)
    buy_row, sell_row = np.full(len(held), -1, np.int64), np.full(len(held), -1, np.int64)
    buy_shift = np.zeros(len(held))
    first_w, first_v = form.weights[0], form.sells[0]
    unit = np.zeros(p)
    for c in form.base:
        if kind[c] != FREE:
            continue
        unit[:] = 0.0
        unit[index[c]] = 1.0
        i = put_row(quad, unit, lo[c], up[c], np.inf)
        for side in range(2):
            r = high_row[c] if side else low_row[c]
            if r >= 0:
                size = 1.0
                for k in range(form.start[r], form.start[r + 1]):
                    if form.column[k] == c:
                        size = abs(a[form.entry[k]])
                if side:
                    above[i], above_size[i] = r, size
                else:
                    below[i], below_size[i] = r, size
        if first_w <= c < first_w + len(held):
            j = c - first_w
            buy_row[j], buy_shift[j] = i, held[j] - fixed[first_v + j]
        elif first_v <= c < first_v + len(held):
            sell_row[c - first_v] = i
    for k in range(len(form.pairs)):
        if ranged[k]:
            top, bottom = form.pairs[k, 0], form.pairs[k, 1]
            one, two = form.column[form.start[top]], form.column[form.start[top] + 1]
            unit[:] = 0.0
            unit[index[one]] = 1.0
            unit[index[two]] = 1.0
            i = put_row(quad, unit, -b[bottom], b[top], np.inf)
            above[i], below[i] = top, bottom
            j = min(one, two) - first_w
            if 0 <= j < len(held):
                buy_row[j], buy_shift[j] = i, held[j]
    equal = np.empty((len(form.equations), p))
    right = _rows(form, numbers, form.equations, terms, equal)
    for e in range(len(form.equations)):
        size = 0.0
        for c in range(p):
            size = max(size, abs(equal[e, c]))
        if size < 1e-13:
            if abs(right[e]) > 1e-8:
                status = INFEASIBLE
            continue
        i = put_row(quad, equal[e], right[e], right[e], np.inf)
        above[i], below[i] = form.equations[e], form.equations[e]
    cone = np.empty((m - form.cone, p))
    cone_fixed = _rows(form, numbers, np.arange(form.cone, m), terms, cone)
    return Reduced(
        status, quad, constant, kind, index, factor, fixed, dense, dense_row, low_row, high_row, below, above,
        below_size, above_size, cone, cone_fixed, spent, buy_row, buy_shift, sell_row, rows[:kept], ends[:kept],
        which[:kept], np.zeros(kept, np.int64), np.full(total, -1, np.int64),
    )  # fmt: skip


@compiled
def _rows(
    form: Form,
    numbers: Numbers,
    which: IntArray,
    terms: tuple[IntArray, FloatArray, FloatArray, FloatArray, IntArray],
    out: FloatArray,
) -> FloatArray:
    """Rows over the variables that are left (in ``out``), and their right sides; excesses left out."""
    index, factor, fixed, dense, dense_row = terms
    right, p = np.zeros(len(which)), out.shape[1]
    for e in range(len(which)):
        r = which[e]
        for i in range(p):
            out[e, i] = 0.0
        h, skip = numbers.bound[r], form.excess[r]
        for k in range(form.start[r], form.start[r + 1]):
            v, c = numbers.entries[form.entry[k]], form.column[k]
            if v == 0.0 or c == skip:
                continue
            h -= v * fixed[c]
            if index[c] >= 0:
                out[e, index[c]] += v * factor[c]
            elif dense_row[c] >= 0:
                d = dense_row[c]
                for i in range(p):
                    out[e, i] += v * dense[d, i]
        right[e] = h
    return right


@compiled
def _objective(
    form: Form, q: FloatArray, terms: tuple[IntArray, FloatArray, FloatArray, FloatArray, IntArray], p: int
) -> tuple[FloatArray, FloatArray, float]:
    """H, g and the constant over the variables that are left."""
    index, factor, fixed, dense, dense_row = terms
    curve, linear, constant = np.zeros((p, p)), np.zeros(p), 0.0
    free = np.ones(len(q), np.int64)
    for r in range(len(form.excess)):
        if form.excess[r] >= 0:
            free[form.excess[r]] = 0
    for c in range(len(q)):
        d = form.curve[c]
        if not free[c] or (d == 0.0 and q[c] == 0.0):
            continue
        pull = q[c] + d * fixed[c]
        constant += q[c] * fixed[c] + 0.5 * d * fixed[c] ** 2
        i = index[c]
        if i >= 0:
            linear[i] += pull * factor[c]
            curve[i, i] += d * factor[c] ** 2
        elif dense_row[c] >= 0:
            row = dense[dense_row[c]]
            for i in range(p):
                x = row[i]
                if x != 0.0:
                    linear[i] += pull * x
                    if d != 0.0:
                        x *= d
                        for j in range(i + 1):
                            curve[i, j] += x * row[j]
    for i in range(p):
        for j in range(i):
            curve[j, i] = curve[i, j]
    return curve, linear, constant
