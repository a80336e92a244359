"""A small dense quadratic programme, and where its solver stands: what `active_set` works on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocator.rebalance.book.compiled import compiled
from allocator.typing import FloatArray, IntArray

FLAT = 1e-9
"""Curvature under which a variable has none of its own."""


STEEP = 1e-2
"""Curvature that a proximal step adds to a variable without any, as a part of its price."""


PROX = 1e-4
"""Curvature that a proximal step adds: small beside the prices of the programme, large beside rounding."""


FAR = 1e25
"""Bounds beyond this are none."""


INACTIVE, UPPER, LOWER, FULL, EQUAL, ASIDE = 0, 1, 2, 3, 4, 5
"""Where a row is: free, held at a bound, a penalty at its cap, an equation, or left aside for this right side."""


class Quadratic(NamedTuple):
    """A quadratic programme in p variables and up to m rows, and where its solver stands.

    Attributes
    ----------
    near
        p: curvature that a proximal step adds to each variable.
    inverse
        p × p: inverse of R, where R'R = H + diag(near) (upper triangle).
    linear
        p: g.
    rows, normal, size
        m × p: the rows a, the same through ``inverse`` with length 1, and m: 1 / their length before.
    low, high, cap
        m: bounds, and the price of an excess over ``high`` (infinite: no excess).
    below, above
        m: bounds moved and scaled for the present step.
    state, place
        m: one of INACTIVE, UPPER, LOWER, FULL, EQUAL; place in the working set.
    order, multiplier, lower, pivot
        The working set: its rows, their multipliers, L and D.
    point, inner, shift, offset
        p: y; v = R y + shift; R⁻ᵀ of the gradient; what penalties at their cap add to v.
    scratch
        Room for four vectors.
    counter
        Rows in the working set, rows in all, changes of the working set so far.
    """

    near: FloatArray
    inverse: FloatArray
    linear: FloatArray
    rows: FloatArray
    normal: FloatArray
    size: FloatArray
    low: FloatArray
    high: FloatArray
    cap: FloatArray
    below: FloatArray
    above: FloatArray
    state: IntArray
    place: IntArray
    order: IntArray
    multiplier: FloatArray
    lower: FloatArray
    pivot: FloatArray
    point: FloatArray
    inner: FloatArray
    shift: FloatArray
    offset: FloatArray
    scratch: FloatArray
    counter: IntArray


@compiled
def quadratic(curve: FloatArray, linear: FloatArray, most: int) -> Quadratic:
    """Set up a programme without rows.

    Parameters
    ----------
    curve, linear
        H (p × p) and g.
    most
        Rows that it may come to have.
    """
    p = len(linear)
    near = np.full(p, PROX)
    for i in range(p):
        if curve[i, i] < FLAT:  # a price alone moves it: far enough in one step, and no further
            near[i] = max(PROX, STEEP * abs(linear[i]))
    return Quadratic(
        near,
        _inverse(curve, near),
        linear.copy(),
        np.empty((most, p)),
        np.empty((most, p)),
        np.ones(most),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most),
        np.zeros(most, np.int64),
        np.zeros(most, np.int64),
        np.zeros(p + 2, np.int64),
        np.zeros(p + 2),
        np.zeros((p + 2, p + 2)),
        np.zeros(p + 2),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros(p),
        np.zeros((4, p + 2)),
        np.zeros(3, np.int64),
    )


@compiled
def _inverse(curve: FloatArray, near: FloatArray) -> FloatArray:
    """R⁻¹ (upper triangle) of R'R = H + diag(near); H is taken as positive semidefinite."""
    p = len(curve)
    root = np.zeros((p, p))
    for i in range(p):
        for j in range(i + 1):
            s = curve[i, j] + (near[i] if i == j else 0.0)
            for k in range(j):
                s -= root[i, k] * root[j, k]
            if i == j:
                root[i, i] = np.sqrt(max(s, PROX * 1e-3))
            else:
                root[i, j] = s / root[j, j]
    out = np.zeros((p, p))  # (L⁻¹)' = R⁻¹
    for j in range(p):
        out[j, j] = 1.0 / root[j, j]
        for i in range(j + 1, p):
            s = 0.0
            for k in range(j, i):
                s -= root[i, k] * out[j, k]
            out[j, i] = s / root[i, i]
    return out


@compiled
def put_row(q: Quadratic, row: FloatArray, low: float, high: float, cap: float) -> int:
    """Add a row; it is an equation where both bounds are the same and there is no cap. Returns its number.

    A row of zeros says nothing about y: whether it can hold is the caller's to judge.
    """
    i = q.counter[1]
    q.counter[1] += 1
    set_row(q, i, row, (low, high, cap))
    return int(i)


@compiled
def set_row(q: Quadratic, i: int, row: FloatArray, ends: tuple[float, float, float]) -> None:
    """Put another row in the place of one that is in no working set; ``ends`` are its bounds and its cap."""
    p = len(q.linear)
    q.rows[i] = row
    length = 0.0
    for c in range(p):
        q.normal[i, c] = 0.0
    for a in range(p):
        x = row[a]
        if x != 0.0:
            for c in range(a, p):
                q.normal[i, c] += x * q.inverse[a, c]
    for c in range(p):
        length += q.normal[i, c] ** 2
    length = np.sqrt(length)
    q.size[i] = 1.0 / length if length > 0 else 1.0
    for c in range(p):
        q.normal[i, c] *= q.size[i]
    q.low[i], q.high[i], q.cap[i] = ends
    if length == 0.0:
        q.low[i], q.high[i] = -FAR, FAR
    q.state[i] = INACTIVE


@compiled
def forget(q: Quadratic) -> None:
    """Start again from an empty working set."""
    for i in range(q.counter[1]):
        q.state[i] = INACTIVE
    q.counter[0] = 0
    q.offset[:] = 0.0


@compiled
def multiplier(q: Quadratic, i: int) -> float:
    """Multiplier of a row: above 0 at its upper bound, below 0 at its lower."""
    if q.state[i] == FULL:
        return float(q.cap[i])
    if q.state[i] == INACTIVE or q.state[i] == ASIDE:
        return 0.0
    return float(q.multiplier[q.place[i]] * q.size[i])
