"""The working set of a quadratic programme: rows come and go, and L D L' of their Gram matrix goes along."""

from __future__ import annotations

from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.quadratic import FULL, INACTIVE, Quadratic
from allocator.typing import FloatArray

THIN = 1e-7
"""Pivot under which a row is let go when the working set is built anew."""


@compiled
def solve_gram(lower: FloatArray, pivot: FloatArray, k: int, x: FloatArray) -> None:
    """Solve with the Gram matrix L D L' of k rows, in place."""
    for a in range(k):
        s = x[a]
        for b in range(a):
            s -= lower[a, b] * x[b]
        x[a] = s
    for a in range(k):
        x[a] /= pivot[a]
    for a in range(k - 1, -1, -1):
        s = x[a]
        for b in range(a + 1, k):
            s -= lower[b, a] * x[b]
        x[a] = s


@compiled
def push(q: Quadratic, i: int, state: int, multiplier: float) -> float:
    """Put a row at the end of the working set; returns its pivot."""
    k, p = q.counter[0], len(q.linear)
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
    q.counter[0] = k + 1
    return pivot


@compiled
def drop(q: Quadratic, r: int, full: bool) -> None:
    """Take a row out of the working set, to its cap or to nothing."""
    k, i = q.counter[0], q.order[r]
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
    q.counter[0] = k - 1
    q.state[i] = FULL if full else INACTIVE
    if full:
        carry(q, i, -1.0)


@compiled
def carry(q: Quadratic, i: int, sign: float) -> None:
    """Put a penalty at its cap into the offset, or take it out."""
    x = sign * q.cap[i] / q.size[i]
    for c in range(len(q.linear)):
        q.offset[c] += x * q.normal[i, c]


@compiled
def rebuild(q: Quadratic) -> None:
    """Factorise the working set anew, and let go what is a combination of the rest of it."""
    k = q.counter[0]
    rows, forces = q.order[:k].copy(), q.multiplier[:k].copy()
    q.counter[0] = 0
    for a in range(k):
        state = q.state[rows[a]]
        if push(q, rows[a], state, forces[a]) < THIN:
            q.counter[0] -= 1
            q.state[rows[a]] = INACTIVE
