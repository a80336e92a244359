"""An answer of the small programme put back into every variable and multiplier of the conic one, and judged there."""

from __future__ import annotations

import numpy as np

from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.form import Form
from allocator.rebalance.book.quadratic import multiplier
from allocator.rebalance.book.reduce import Numbers, Reduced
from allocator.typing import FloatArray


@compiled
def value(form: Form, numbers: Numbers, small: Reduced) -> tuple[float, FloatArray]:
    """Objective of the present point, and every variable of the conic programme there, each excess at its least."""
    x = small.fixed.copy()
    y = small.quadratic.point
    for c in range(len(x)):
        if small.place[c] >= 0:
            x[c] += small.factor[c] * y[small.place[c]]
        elif small.dense_row[c] >= 0:
            row = small.dense[small.dense_row[c]]
            for i in range(len(y)):
                x[c] += row[i] * y[i]
    for r in range(form.equal, form.cone):
        c = form.excess[r]
        if c >= 0:
            x[c] = 0.0
            s = -numbers.bound[r]
            for k in range(form.start[r], form.start[r + 1]):
                s += numbers.entries[form.entry[k]] * x[form.column[k]]
            x[c] = max(s, 0.0)
    out = 0.0
    for c in range(len(x)):
        out += (numbers.price[c] + 0.5 * form.curve[c] * x[c]) * x[c]
    return out, x


@compiled
def multipliers(form: Form, numbers: Numbers, small: Reduced, x: FloatArray, tangents: FloatArray) -> FloatArray:
    """Multiplier of every conic row at the present point, put together from those of the small programme.

    Parameters
    ----------
    x
        From `value`.
    tangents
        Direction of each tangent in the cone.
    """
    a, q = numbers.entries, small.quadratic
    z = small.spent.copy()
    count = q.counter[1]
    for i in range(count):
        force = multiplier(q, i)
        if force == 0.0:
            continue
        up, down = small.above[i], small.below[i]
        t = small.cut[i]
        if t >= 0:
            z[form.cone] += force
            for r in range(1, len(z) - form.cone):
                z[form.cone + r] -= force * tangents[t, r]
        elif up == down:
            z[up] += force
        elif force > 0:
            z[up] += force / small.above_size[i]
        else:
            z[down] -= force / small.below_size[i]
    for r in range(form.equal, form.cone):
        c = form.excess[r]
        if c >= 0:  # what the price leaves goes to the row that keeps the excess at 0 or above
            z[form.excess_row[r]] = max(numbers.price[c] - z[r], 0.0)
    pull = np.zeros(len(x))
    for r in range(len(z)):
        if z[r] != 0.0:
            for k in range(form.start[r], form.start[r + 1]):
                pull[form.column[k]] += a[form.entry[k]] * z[r]
    for e in range(len(form.defined) - 1, -1, -1):
        c, r = form.defined[e], form.by[e]
        first, last = form.start[r], form.start[r + 1]
        for k in range(first, last):
            if form.column[k] == c:
                z[r] = -(form.curve[c] * x[c] + numbers.price[c] + pull[c]) / a[form.entry[k]]
        for k in range(first, last):
            pull[form.column[k]] += a[form.entry[k]] * z[r]
    for stage in range(2):  # what pairs fix first: their rows know the variables that bounds fix
        for c in form.base:
            if small.kind[c] == 0:
                continue
            low, high = small.low_row[c], small.high_row[c]
            paired = (low >= 0 and form.start[low + 1] - form.start[low] > 1) or (
                high >= 0 and form.start[high + 1] - form.start[high] > 1
            )
            if paired != (stage == 0):
                continue
            away = form.curve[c] * x[c] + numbers.price[c] + pull[c]
            r = low if away > 0 else high
            if r < 0:
                continue
            first, last = form.start[r], form.start[r + 1]
            size = 1.0
            for k in range(first, last):
                if form.column[k] == c:
                    size = abs(a[form.entry[k]])
            z[r] += abs(away) / size
            for k in range(first, last):
                pull[form.column[k]] += a[form.entry[k]] * abs(away) / size
    return z


@compiled
def proof(form: Form, numbers: Numbers, x: FloatArray, z: FloatArray) -> tuple[float, float, float]:
    """Primal and dual residual and duality gap over the conic data, as `conic.Cone.proof` has them."""
    a, b = numbers.entries, numbers.bound
    m, n = len(b), len(x)
    primal, dual, scale = 0.0, 0.0, 1.0
    pull, slack = np.zeros(n), b.copy()
    for r in range(m):
        for k in range(form.start[r], form.start[r + 1]):
            v, c = a[form.entry[k]], form.column[k]
            slack[r] -= v * x[c]
            pull[c] += v * z[r]
    for r in range(form.cone):
        primal = max(primal, abs(slack[r]) if r < form.equal else -slack[r])
        if r >= form.equal:
            dual = max(dual, -z[r])
    if m > form.cone:
        long_s, long_z = 0.0, 0.0
        for r in range(form.cone + 1, m):
            long_s += slack[r] ** 2
            long_z += z[r] ** 2
        primal = max(primal, np.sqrt(long_s) - slack[form.cone])
        dual = max(dual, np.sqrt(long_z) - z[form.cone])
    good, bound = 0.0, 0.0
    for c in range(n):
        bent = form.curve[c] * x[c]
        good += (0.5 * bent + numbers.price[c]) * x[c]
        bound -= 0.5 * bent * x[c]
        dual = max(dual, abs(bent + numbers.price[c] + pull[c]))
        scale = max(scale, abs(bent), abs(numbers.price[c]), abs(pull[c]))
    for r in range(m):
        bound -= b[r] * z[r]
    return primal, dual / scale, abs(good - bound) / max(1.0, abs(good))
