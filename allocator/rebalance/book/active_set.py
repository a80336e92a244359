"""A dual active-set solver for small dense quadratic programmes, compiled, that starts again from where it was.

minimise  ½ y'H y + g'y + Σ cap · (a'y − high)₊  subject to  low ≤ a'y ≤ high  for every row without a cap.

After Goldfarb and Idnani (1983) in the form of Arnström, Bemporad and Axehill (2022, DAQP): the dual is a least squares
problem over the working set, whose Gram matrix is kept as L D L'. What is new here: a row with a cap is an exact
penalty, its multiplier stays between 0 and the cap, so that no variable is needed for the excess over a limit. Where H
is flat, proximal steps (Rockafellar 1976) add ``PROX`` to it and take it off again. Nothing here knows the model.
"""

from __future__ import annotations

from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.quadratic import ASIDE, EQUAL, FAR, FULL, INACTIVE, LOWER, UPPER, Quadratic
from allocator.rebalance.book.working_set import carry, drop, push, rebuild, solve_gram

STILL = 1e-9
"""Most of the gradient that may be left when the proximal steps end."""


STEPS = 40
"""Most proximal steps."""


VIOLATED = 7e-10
"""What a row may be broken by; below what a proof allows (`conic.PRIMAL`)."""


OFF = 1e-8
"""What a row of the working set may be off its bound at the end: beyond it, the working set is built anew."""

DEPENDENT = 1e-11
"""Pivot under which a row of length 1 counts as a combination of those in the working set."""


ANY = 1e300
"""Where a multiplier has no bound."""

SOLVED, INFEASIBLE, LOST = 1, -1, -2


ROUNDING = 1e-8
"""A row that nothing makes room for, and that is broken by less, counts as kept: rounding at a vertex of many rows."""


@compiled
def solve(q: Quadratic, patience: int) -> int:
    """Solve from the present working set; the answer is in ``point``, its multipliers in ``multiplier``.

    After ``patience`` changes of the working set for one right side, rows enter in their order (Bland 1977: no circle),
    and what they may be broken by grows: where many rows meet in one point, rounding decides. After twice as many the
    programme is LOST.
    """
    p, m = len(q.linear), q.counter[1]
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
        status = _settle(q, patience)
        if status == SOLVED and _refine(q) > OFF:
            rebuild(q)
            status = _settle(q, patience)
            if status == SOLVED and _refine(q) > OFF:
                status = LOST
        if status != SOLVED:
            return status
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
def _settle(q: Quadratic, patience: int) -> int:
    """Change the working set until every multiplier is within its bounds and no row is broken."""
    p, m = len(q.linear), q.counter[1]
    star = q.scratch[0]
    for i in range(m):
        if q.state[i] == ASIDE:
            q.state[i] = INACTIVE
        equation = q.low[i] == q.high[i] and q.cap[i] >= FAR
        if q.state[i] == EQUAL and not equation:  # it was one in another branch
            q.state[i] = UPPER if q.multiplier[q.place[i]] >= 0 else LOWER
        elif equation and (q.state[i] == UPPER or q.state[i] == LOWER):
            q.state[i] = EQUAL
        elif equation and q.state[i] == INACTIVE and q.counter[0] < p and push(q, i, EQUAL, 0.0) < DEPENDENT:
            q.counter[0] -= 1
            q.state[i] = INACTIVE
    violated = VIOLATED
    for turn in range(2 * patience):
        q.counter[2] += 1
        if turn >= patience and (turn - patience) % 16 == 0:
            violated *= 2.0
        for a in range(q.counter[0]):  # multipliers with which every row of the working set is at its bound
            i = q.order[a]
            s = -(q.below[i] if q.state[i] == LOWER else q.above[i])
            for c in range(p):
                s += q.normal[i, c] * q.offset[c]
            star[a] = s
        solve_gram(q.lower, q.pivot, q.counter[0], star)
        step, block = 1.0, -1
        for a in range(q.counter[0]):
            i = q.order[a]
            state = q.state[i]
            least = 0.0 if state == UPPER else -ANY
            most = q.cap[i] / q.size[i] if state == UPPER else (0.0 if state == LOWER else ANY)
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
            for a in range(q.counter[0]):
                q.multiplier[a] += step * (star[a] - q.multiplier[a])
            drop(q, block, full)
            continue
        for a in range(q.counter[0]):
            q.multiplier[a] = star[a]
        for c in range(p):
            q.inner[c] = q.offset[c]
        for a in range(q.counter[0]):
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
            room = violated * q.size[i]
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
            if which >= 0 and turn >= patience:
                break
        if which < 0:
            return SOLVED
        if not _enter(q, which, side):
            q.counter[0] -= 1
            q.state[which] = ASIDE
            if worst > ROUNDING * q.size[which]:
                return INFEASIBLE
    return LOST


@compiled
def _enter(q: Quadratic, i: int, side: int) -> bool:
    """Bring a broken row into the working set; False where nothing can make room for it: infeasible."""
    back = side == FULL
    start = 0.0
    if back:
        carry(q, i, 1.0)
        start = q.cap[i] / q.size[i]
    pivot = push(q, i, LOWER if side == LOWER else UPPER, start)
    if pivot > DEPENDENT and q.counter[0] <= len(q.linear):
        return True
    # a combination of those in the set: its multiplier grows, theirs change with it, until one of them is at a bound
    k = q.counter[0] - 1
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
    step, block, full = ANY, -1, False
    for a in range(k + 1):
        i = q.order[a]
        state = q.state[i]
        least = 0.0 if state == UPPER else -ANY
        most = q.cap[i] / q.size[i] if state == UPPER else (0.0 if state == LOWER else ANY)
        if way[a] > 1e-13 and most < ANY:
            t = (most - q.multiplier[a]) / way[a]
            if t < step:
                step, block, full = t, a, True
        elif way[a] < -1e-13 and least > -ANY:
            t = (least - q.multiplier[a]) / way[a]
            if t < step:
                step, block, full = t, a, False
    if block < 0 or step >= FAR:
        return False
    step = max(step, 0.0)
    for a in range(k + 1):
        q.multiplier[a] += step * way[a]
    drop(q, block, full and q.state[q.order[block]] == UPPER)
    return True


@compiled
def _refine(q: Quadratic) -> float:
    """Take off what rounding left between the rows of the working set and their bounds; returns what is left of it."""
    k, p = q.counter[0], len(q.linear)
    off = q.scratch[3]
    worst = 0.0
    for turn in range(3):
        worst, left = 0.0, 0.0
        for a in range(k):
            i = q.order[a]
            s = -(q.below[i] if q.state[i] == LOWER else q.above[i])
            for c in range(p):
                s += q.normal[i, c] * q.inner[c]
            off[a] = s
            worst, left = max(worst, abs(s)), max(left, abs(s) / q.size[i])
        if worst <= 1e-15 or turn == 2:
            return left
        solve_gram(q.lower, q.pivot, k, off)
        for a in range(k):
            q.multiplier[a] += off[a]
            row = q.normal[q.order[a]]
            for c in range(p):
                q.inner[c] -= off[a] * row[c]
    return worst
