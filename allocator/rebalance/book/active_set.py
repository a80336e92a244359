"""A dual active-set solver for small dense quadratic programmes, compiled, that starts again from where it was.

minimise  ½ y'H y + g'y + Σ cap · (a'y − high)₊  subject to  low ≤ a'y ≤ high  for every row without a cap.

After Goldfarb and Idnani (1983) in the form of Arnström, Bemporad and Axehill (2022, DAQP): the dual is a least squares
problem over the working set, whose Gram matrix is kept as L D L'. What is new here: a row with a cap is an exact
penalty, its multiplier stays between 0 and the cap, so that no variable is needed for the excess over a limit. Where H
is flat, proximal steps (Rockafellar 1976) add ``PROX`` to it and take it off again. Nothing here knows the model.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocator.rebalance.book.compiled import compiled
from allocator.typing import FloatArray, IntArray

PROX = 1e-4
"""Curvature that a proximal step adds: small beside the prices of the programme, large beside rounding."""

FLAT = 1e-9
"""Curvature under which a variable has none of its own."""

STEEP = 1e-2
"""Curvature that a proximal step adds to a variable without any, as a part of its price."""

STILL = 1e-9
"""Most of the gradient that may be left when the proximal steps end."""

STEPS = 100
"""Most proximal steps."""

ROUNDS = 400
"""Most changes of the working set for one right side."""

VIOLATED = 1e-10
"""What a row may be broken by."""

DEPENDENT = 1e-11
"""Pivot under which a row of length 1 counts as a combination of those in the working set."""

FAR = 1e25
"""Bounds beyond this are none."""

SOLVED, INFEASIBLE, LOST = 1, -1, -2

INACTIVE, UPPER, LOWER, FULL, EQUAL, ASIDE = 0, 1, 2, 3, 4, 5
"""Where a row is: free, held at a bound, a penalty at its cap, an equation, or left aside for this right side."""

ROUNDING = 1e-8
"""A row that nothing makes room for, and that is broken by less, counts as kept: rounding at a vertex of many rows."""


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
    count
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
    count: IntArray


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
        np.zeros((most, p)),
        np.zeros((most, p)),
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
    """Add a row; it is an equation where both bounds are the same and there is no cap. Returns its number."""
    i, p = q.count[1], len(q.linear)
    q.count[1] += 1
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
    q.low[i], q.high[i], q.cap[i] = low, high, cap
    q.state[i] = INACTIVE
    return i


@compiled
def forget(q: Quadratic) -> None:
    """Start again from an empty working set."""
    for i in range(q.count[1]):
        q.state[i] = INACTIVE
    q.count[0] = 0
    q.offset[:] = 0.0


@compiled
def solve(q: Quadratic) -> int:
    """Solve from the present working set; the answer is in ``point``, its multipliers in ``multiplier``."""
    p, m = len(q.linear), q.count[1]
    for _ in range(STEPS):
        for c in range(p):
            s = 0.0
            for a in range(c + 1):
                s += q.inverse[a, c] * (q.linear[a] - q.near[a] * q.point[a])
            q.shift[c] = s
        for i in range(m):
            moved = 0.0
            for c in range(p):
                moved += q.normal[i, c] * q.shift[c]
            q.above[i] = q.high[i] * q.size[i] + moved if q.high[i] < FAR else FAR
            q.below[i] = q.low[i] * q.size[i] + moved if q.low[i] > -FAR else -FAR
        status = _settle(q)
        if status != SOLVED:
            return status
        _refine(q)
        far = 0.0
        for a in range(p):
            s = 0.0
            for c in range(a, p):
                s += q.inverse[a, c] * (q.inner[c] - q.shift[c])
            far = max(far, q.near[a] * abs(s - q.point[a]))
            q.point[a] = s
        if far <= STILL:
            return SOLVED
    return LOST


@compiled
def _settle(q: Quadratic) -> int:
    """Change the working set until every multiplier is within its bounds and no row is broken."""
    p, m = len(q.linear), q.count[1]
    star = q.scratch[0]
    for i in range(m):
        if q.state[i] == ASIDE:
            q.state[i] = INACTIVE
        equation = q.low[i] == q.high[i] and q.cap[i] >= FAR
        if q.state[i] == EQUAL and not equation:  # it was one in another branch
            q.state[i] = UPPER if q.multiplier[q.place[i]] >= 0 else LOWER
        elif equation and (q.state[i] == UPPER or q.state[i] == LOWER):
            q.state[i] = EQUAL
        elif equation and q.state[i] == INACTIVE and q.count[0] < p and _push(q, i, EQUAL, 0.0) < DEPENDENT:
            q.count[0] -= 1
            q.state[i] = INACTIVE
    for _ in range(ROUNDS):
        q.count[2] += 1
        _target(q, star)
        step, block = 1.0, -1
        for a in range(q.count[0]):
            i = q.order[a]
            least, most = _range(q, i)
            x = q.multiplier[a]
            if star[a] > most:
                t = (most - x) / (star[a] - x)
            elif star[a] < least:
                t = (x - least) / (x - star[a])
            else:
                continue
            if t < step:
                step, block = max(t, 0.0), a
        if block >= 0:
            full = star[block] > q.multiplier[block] and q.state[q.order[block]] == UPPER
            for a in range(q.count[0]):
                q.multiplier[a] += step * (star[a] - q.multiplier[a])
            _drop(q, block, full)
            continue
        for a in range(q.count[0]):
            q.multiplier[a] = star[a]
        for c in range(p):
            q.inner[c] = q.offset[c]
        for a in range(q.count[0]):
            x, row = q.multiplier[a], q.normal[q.order[a]]
            for c in range(p):
                q.inner[c] -= x * row[c]
        worst, which, side = 0.0, -1, UPPER
        for i in range(m):
            state = q.state[i]
            if state != INACTIVE and state != FULL:
                continue
            s = 0.0
            row = q.normal[i]
            for c in range(p):
                s += row[c] * q.inner[c]
            room = VIOLATED * q.size[i]
            if state == FULL:
                gap = q.above[i] - s
                if gap > room and gap > worst:
                    worst, which, side = gap, i, FULL
            else:
                gap = s - q.above[i]
                if gap > room and gap > worst:
                    worst, which, side = gap, i, UPPER
                gap = q.below[i] - s
                if gap > room and gap > worst:
                    worst, which, side = gap, i, LOWER
        if which < 0:
            return SOLVED
        if not _enter(q, which, side):
            if worst > ROUNDING * q.size[which]:
                return INFEASIBLE
            q.count[0] -= 1
            q.state[which] = ASIDE
            if side == FULL:
                return LOST
    return LOST


@compiled
def _range(q: Quadratic, i: int) -> tuple[float, float]:
    """Least and most that the multiplier of a row in the working set may be."""
    state = q.state[i]
    if state == UPPER:
        return 0.0, q.cap[i] / q.size[i]
    if state == LOWER:
        return -1e300, 0.0
    return -1e300, 1e300


@compiled
def _target(q: Quadratic, out: FloatArray) -> None:
    """Multipliers with which every row of the working set is at its bound."""
    k, p = q.count[0], len(q.linear)
    for a in range(k):
        i = q.order[a]
        s = -(q.below[i] if q.state[i] == LOWER else q.above[i])
        for c in range(p):
            s += q.normal[i, c] * q.offset[c]
        out[a] = s
    _solve_gram(q, out)


@compiled
def _solve_gram(q: Quadratic, x: FloatArray) -> None:
    k = q.count[0]
    for a in range(k):
        s = x[a]
        for b in range(a):
            s -= q.lower[a, b] * x[b]
        x[a] = s
    for a in range(k):
        x[a] /= q.pivot[a]
    for a in range(k - 1, -1, -1):
        s = x[a]
        for b in range(a + 1, k):
            s -= q.lower[b, a] * x[b]
        x[a] = s


@compiled
def _push(q: Quadratic, i: int, state: int, multiplier: float) -> float:
    """Put a row at the end of the working set; returns its pivot."""
    k, p = q.count[0], len(q.linear)
    raw = q.scratch[1]
    pivot = 1.0
    for a in range(k):
        other = q.normal[q.order[a]]
        s = 0.0
        for c in range(p):
            s += other[c] * q.normal[i, c]
        for b in range(a):
            s -= q.lower[a, b] * raw[b]
        raw[a] = s
    for a in range(k):
        x = raw[a] / q.pivot[a]
        q.lower[k, a] = x
        pivot -= x * raw[a]
    q.lower[k, k] = 1.0
    q.pivot[k] = pivot
    q.order[k], q.place[i], q.state[i], q.multiplier[k] = i, k, state, multiplier
    q.count[0] = k + 1
    return pivot


@compiled
def _drop(q: Quadratic, r: int, full: bool) -> None:
    """Take a row out of the working set, to its cap or to nothing."""
    k, i = q.count[0], q.order[r]
    gone = q.scratch[1]
    alpha = q.pivot[r]
    for a in range(r + 1, k):
        gone[a - 1] = q.lower[a, r]
    for a in range(r, k - 1):
        q.order[a], q.multiplier[a], q.pivot[a] = q.order[a + 1], q.multiplier[a + 1], q.pivot[a + 1]
        q.place[q.order[a]] = a
        for b in range(r):
            q.lower[a, b] = q.lower[a + 1, b]
        for b in range(r, a):
            q.lower[a, b] = q.lower[a + 1, b + 1]
        q.lower[a, a] = 1.0
    for j in range(r, k - 1):  # L D L' of what is left, with one rank added
        x = gone[j]
        now = max(q.pivot[j] + alpha * x * x, 1e-14)
        beta = alpha * x / now
        alpha *= q.pivot[j] / now
        q.pivot[j] = now
        for a in range(j + 1, k - 1):
            gone[a] -= x * q.lower[a, j]
            q.lower[a, j] += beta * gone[a]
    q.count[0] = k - 1
    q.state[i] = FULL if full else INACTIVE
    if full:
        _carry(q, i, -1.0)


@compiled
def _carry(q: Quadratic, i: int, sign: float) -> None:
    """Put a penalty at its cap into the offset, or take it out."""
    x = sign * q.cap[i] / q.size[i]
    for c in range(len(q.linear)):
        q.offset[c] += x * q.normal[i, c]


@compiled
def _enter(q: Quadratic, i: int, side: int) -> bool:
    """Bring a broken row into the working set; False where nothing can make room for it: infeasible."""
    back = side == FULL
    start = 0.0
    if back:
        _carry(q, i, 1.0)
        start = q.cap[i] / q.size[i]
    pivot = _push(q, i, LOWER if side == LOWER else UPPER, start)
    if pivot > DEPENDENT and q.count[0] <= len(q.linear):
        return True
    # a combination of those in the set: its multiplier grows, theirs change with it, until one of them is at a bound
    k = q.count[0] - 1
    way = q.scratch[2]
    for a in range(k):
        way[a] = -q.lower[k, a]
    for a in range(k - 1, -1, -1):
        s = way[a]
        for b in range(a + 1, k):
            s -= q.lower[b, a] * way[b]
        way[a] = s
    way[k] = 1.0
    if side != UPPER:
        for a in range(k + 1):
            way[a] = -way[a]
    step, block, full = 1e300, -1, False
    for a in range(k + 1):
        least, most = _range(q, q.order[a])
        if way[a] > 1e-13 and most < 1e299:
            t = (most - q.multiplier[a]) / way[a]
            if t < step:
                step, block, full = t, a, True
        elif way[a] < -1e-13 and least > -1e299:
            t = (least - q.multiplier[a]) / way[a]
            if t < step:
                step, block, full = t, a, False
    if block < 0 or step >= FAR:
        return False
    step = max(step, 0.0)
    for a in range(k + 1):
        q.multiplier[a] += step * way[a]
    _drop(q, block, full and q.state[q.order[block]] == UPPER)
    return True


@compiled
def _refine(q: Quadratic) -> None:
    """Take off what rounding left between the rows of the working set and their bounds."""
    k, p = q.count[0], len(q.linear)
    off = q.scratch[3]
    for _ in range(2):
        worst = 0.0
        for a in range(k):
            i = q.order[a]
            s = -(q.below[i] if q.state[i] == LOWER else q.above[i])
            for c in range(p):
                s += q.normal[i, c] * q.inner[c]
            off[a] = s
            worst = max(worst, abs(s))
        if worst <= 1e-15:
            return
        _solve_gram(q, off)
        for a in range(k):
            q.multiplier[a] += off[a]
            row = q.normal[q.order[a]]
            for c in range(p):
                q.inner[c] -= off[a] * row[c]


@compiled
def multiplier(q: Quadratic, i: int) -> float:
    """Multiplier of a row: above 0 at its upper bound, below 0 at its lower."""
    if q.state[i] == FULL:
        return float(q.cap[i])
    if q.state[i] == INACTIVE or q.state[i] == ASIDE:
        return 0.0
    return float(q.multiplier[q.place[i]] * q.size[i])
