"""The best plan of one client in amounts that are allowed, compiled: the search of `allocator.rebalance.whole` again.

The same branches, bounds and roundings as there, over the small programme of `reduce`: a branch changes two bounds of
it and starts from the working set of the branch before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocator.rebalance.book.active_set import INFEASIBLE, LOST, SOLVED, VIOLATED
from allocator.rebalance.book.active_set import solve as settle
from allocator.rebalance.book.compiled import compiled
from allocator.rebalance.book.form import Form
from allocator.rebalance.book.quadratic import FAR, INACTIVE, forget, put_row, set_row
from allocator.rebalance.book.reduce import CUTS, Numbers, Reduced, reduce
from allocator.rebalance.book.restore import multipliers, proof, value
from allocator.rebalance.conic import DUAL, PRIMAL
from allocator.rebalance.whole import GAP, GAP_ABSOLUTE, NODES, WHOLE
from allocator.typing import FloatArray

TOUCH = 7e-10
"""What a point may be outside the cone; below what a proof allows (`conic.PRIMAL`)."""

ROOT, BRANCH = 96, 16
"""Most times that rows and tangents are put in for the first programme, and for a branch: one that needs more hardly
has a point inside."""

PATIENCE, HASTE = 200, 60
"""See `active_set.solve`: for the first programme, and for a branch."""

UNJUDGED = 2
"""An answer was found, and its own sums do not prove it."""


class Allowed(NamedTuple):
    """Bounds of the trades of one client, as in the programme, and which amounts are allowed.

    Attributes
    ----------
    held, wash
        Weights today; the price of each trade, 0 for the cash account.
    bounds
        4 × n: least and most bought, least and most sold.
    least, step
        2 × n: smallest purchase and sale; steps of purchases (sales have none).
    offset
        What the conic form leaves out of the objective.
    """

    held: FloatArray
    wash: FloatArray
    bounds: FloatArray
    least: FloatArray
    step: FloatArray
    offset: float


class Outcome(NamedTuple):
    """What a search found: ``status`` SOLVED, INFEASIBLE, LOST or UNJUDGED of the continuous programme.

    ``buy`` and ``sell`` are the best allowed plan, where ``found``; ``relaxed`` is the objective without whole amounts,
    ``objective`` that of the plan, ``bound`` what no allowed plan can beat.
    """

    status: int
    found: bool
    relaxed: float
    objective: float
    bound: float
    primal: float
    dual: float
    gap: float
    buy: FloatArray
    sell: FloatArray
    nodes: int
    rounds: int


@compiled
def search(form: Form, numbers: Numbers, allowed: Allowed) -> Outcome:
    """Solve one client's programme, prove the answer, and find the best plan in allowed amounts."""
    n = len(allowed.held)
    small = reduce(form, numbers, allowed.held)
    tangents = np.zeros((2 * CUTS, len(small.cone_fixed)))
    none = np.zeros(n)
    if small.status != SOLVED:
        return Outcome(INFEASIBLE, False, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, none, none, 0, 0)
    status = _solve(small, tangents, ROOT)
    if status == LOST:
        forget(small.quadratic)
        status = _solve(small, tangents, ROOT)
    if status != SOLVED:
        return Outcome(status, False, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, none, none, 0, 0)
    objective, x = value(form, numbers, small)
    z = multipliers(form, numbers, small, x, tangents)
    primal, dual, gap = proof(form, numbers, x, z)
    relaxed = objective + allowed.offset
    if not (primal <= PRIMAL and dual <= DUAL and gap <= DUAL):
        rounds = small.quadratic.counter[2]
        return Outcome(UNJUDGED, False, relaxed, np.nan, np.nan, primal, dual, gap, none, none, 0, rounds)
    amounts = np.zeros((2, n))
    _amounts(form, x, allowed.held, amounts)
    found, objective, bound, nodes, best = _branch((form, numbers, small, tangents), allowed, relaxed, amounts)
    return Outcome(
        SOLVED, found, relaxed, objective, bound, primal, dual, gap, best[0], best[1], nodes, small.quadratic.counter[2]
    )


@compiled
def _solve(small: Reduced, tangents: FloatArray, most: int) -> int:
    """Solve with the rows and tangents to the cone that bind, until no other is broken; LOST after so many tangents."""
    q = small.quadratic
    for _ in range(most):
        status = settle(q, PATIENCE if most == ROOT else HASTE)
        if status != SOLVED:
            return status
        if not _broken(small) and not _touch(small, tangents):
            return SOLVED
        if q.counter[1] >= len(q.low):
            return LOST
    return LOST


@compiled
def _broken(small: Reduced) -> bool:
    """Put in the rows that the present point breaks; whether there were any."""
    q = small.quadratic
    found = False
    for k in range(len(small.which)):
        if small.inside[k]:
            continue
        s = -small.ends[k, 0]
        for c in range(len(q.point)):
            s += small.waiting[k, c] * q.point[c]
        if s > VIOLATED:
            i = put_row(q, small.waiting[k], -FAR, small.ends[k, 0], small.ends[k, 1])
            small.inside[k] = 1
            small.above[i] = small.which[k]
            found = True
    return found


@compiled
def _touch(small: Reduced, tangents: FloatArray) -> bool:
    """Put in the tangent to the cone where the present point is outside; whether it is."""
    q = small.quadratic
    size, p = len(small.cone_fixed), len(q.linear)
    if size == 0:
        return False
    vector, row = np.zeros(size), np.zeros(p)
    long = 0.0
    for r in range(size):
        s = small.cone_fixed[r]
        for c in range(p):
            s -= small.cone[r, c] * q.point[c]
        vector[r] = s
        if r:
            long += s * s
    long = np.sqrt(long)
    if long - vector[0] <= TOUCH or long == 0.0:
        return False
    i, cut = _slot(small)
    # d'(tail) ≤ head with d = tail / ‖tail‖ holds everywhere in the cone
    h = small.cone_fixed[0]
    for c in range(p):
        row[c] = small.cone[0, c]
    for r in range(1, size):
        d = vector[r] / long
        tangents[cut, r] = d
        h -= d * small.cone_fixed[r]
        for c in range(p):
            row[c] -= d * small.cone[r, c]
    set_row(q, i, row, (-FAR, h, np.inf))
    return True


@compiled
def _slot(small: Reduced) -> tuple[int, int]:
    """Row and number of the next tangent: new ones, or those of one that does not bind."""
    q = small.quadratic
    cut = 0
    for i in range(q.counter[1]):
        if small.cut[i] >= 0:
            cut += 1
    if cut >= CUTS:
        for i in range(q.counter[1]):
            if small.cut[i] >= 0 and q.state[i] == INACTIVE:
                return i, int(small.cut[i])
    i = int(q.counter[1])
    q.counter[1] += 1
    small.cut[i] = cut
    return i, cut


@compiled
def _amounts(form: Form, x: FloatArray, held: FloatArray, out: FloatArray) -> None:
    """Buys and sells of a point."""
    for j in range(len(held)):
        sell = max(x[form.sells[j]], 0.0)
        out[1, j] = sell
        out[0, j] = max(x[form.weights[j]] - held[j] + sell, 0.0)


@compiled
def _at(small: Reduced, bounds: FloatArray) -> bool:
    """Put the bounds of a branch into the small programme; False where they contradict."""
    q = small.quadratic
    for j in range(bounds.shape[1]):
        if bounds[0, j] > bounds[1, j] + 1e-12 or bounds[2, j] > bounds[3, j] + 1e-12:
            return False
        i = small.buy_row[j]
        if i >= 0:
            q.low[i] = bounds[0, j] + small.buy_shift[j]
            q.high[i] = max(bounds[1, j], bounds[0, j]) + small.buy_shift[j]
        i = small.sell_row[j]
        if i >= 0:
            q.low[i], q.high[i] = bounds[2, j], max(bounds[3, j], bounds[2, j])
    return True


@compiled
def _try(
    programme: tuple[Form, Numbers, Reduced, FloatArray], allowed: Allowed, bounds: FloatArray, out: FloatArray
) -> tuple[int, float]:
    """Solve a branch; its amounts go into ``out``."""
    form, numbers, small, tangents = programme
    if not _at(small, bounds):
        return INFEASIBLE, np.inf
    status = _solve(small, tangents, BRANCH)
    if status != SOLVED:
        forget(small.quadratic)
        return status, np.inf
    objective, x = value(form, numbers, small)
    if not objective < FAR:
        return LOST, np.inf
    _amounts(form, x, allowed.held, out)
    return SOLVED, objective + allowed.offset


@compiled
def around(amount: float, least: float, step: float) -> tuple[float, float, bool]:
    """Nearest allowed amounts at or below and at or above, and whether an amount is not allowed itself."""
    below = above = amount
    lowest = least
    if step > WHOLE:
        below, above = np.floor(amount / step + 1e-9) * step, np.ceil(amount / step - 1e-9) * step
        lowest = np.ceil(least / step - 1e-9) * step
    if amount < lowest - WHOLE:
        below, above = 0.0, lowest if amount > WHOLE else 0.0
    else:
        below, above = max(below, min(amount, lowest)), max(above, lowest)
    return below, above, amount - below > WHOLE and above - amount > WHOLE


@compiled
def _split(amounts: FloatArray, allowed: Allowed) -> tuple[int, int, float, float]:
    """Which trade to branch on: kind (0 buy, 1 sell, 2 both sides, −1 none), place, and the ends of the branches."""
    n = len(allowed.held)
    worst, place = -1.0, -1
    for j in range(n):
        both = min(amounts[0, j], amounts[1, j])
        if both > WHOLE and allowed.wash[j] > 0 and both > worst:
            worst, place = both, j
    if place >= 0:
        return 2, place, 0.0, 0.0
    worst, kind, low, high = 0.0, -1, 0.0, 0.0
    for side in range(2):
        for j in range(n):
            x = amounts[side, j]
            below, above, off = around(x, allowed.least[side, j], allowed.step[j] if side == 0 else 0.0)
            if off and min(x - below, above - x) > worst:
                worst, kind, place, low, high = min(x - below, above - x), side, j, below, above
    return kind, place, low, high


@compiled
def _rounded(
    programme: tuple[Form, Numbers, Reduced, FloatArray], allowed: Allowed, start: FloatArray, out: FloatArray
) -> tuple[bool, float]:
    """A plan near a continuous one (in ``out``): what is not allowed is held at its nearest allowed amount."""
    n = len(allowed.held)
    bounds = start.copy()
    reached = np.inf
    for _ in range(4):
        changed = False
        for side in range(2):
            for j in range(n):
                x, step = out[side, j], allowed.step[j] if side == 0 else 0.0
                least, most = bounds[2 * side, j], bounds[2 * side + 1, j]
                below, above, off = around(x, allowed.least[side, j], step)
                stepped = step > WHOLE
                up = off and above - x < x - below and above <= most
                hold = off or (stepped and x > WHOLE)
                if up:
                    to = above
                elif off:
                    to = below
                elif stepped:
                    to = above if above - x < WHOLE else below
                else:
                    to = x
                exact = hold and (to <= WHOLE or stepped)
                both = min(out[0, j], out[1, j]) > WHOLE and allowed.wash[j] > 0
                if both and (out[0, j] < out[1, j]) == (side == 0):
                    exact, hold, to = True, False, 0.0
                now_most = min(to, most) if exact else most
                now_least = max(to, least) if hold and to > WHOLE else least
                changed = changed or now_most != most or now_least != least
                bounds[2 * side, j], bounds[2 * side + 1, j] = now_least, now_most
        if not changed:
            return reached < np.inf, reached
        status, reached = _try(programme, allowed, bounds, out)
        if status != SOLVED:
            return False, np.inf
        if _split(out, allowed)[0] < 0:
            return True, reached
    return False, np.inf


@compiled
def _branch(
    programme: tuple[Form, Numbers, Reduced, FloatArray], allowed: Allowed, relaxed: float, root: FloatArray
) -> tuple[bool, float, float, int, FloatArray]:
    """Branch and bound from the continuous optimum: whether a plan was found, its value, the bound, nodes, the plan."""
    n = len(allowed.held)
    best, best_value = root.copy(), np.inf
    kind, place, low, high = _split(root, allowed)
    if kind < 0:
        return True, relaxed, relaxed, 1, best
    out = root.copy()
    ok, reached = _rounded(programme, allowed, allowed.bounds, out)
    nodes = 1
    if ok:
        best[:], best_value, nodes = out, reached, 2
    room = 32
    bounds, points, values = np.zeros((room, 4, n)), np.zeros((room, 2, n)), np.full(room, np.inf)
    bounds[0], points[0], values[0] = allowed.bounds, root, relaxed
    used, waiting = 1, 1
    unjudged = np.inf
    child = np.zeros((4, n))
    while waiting and nodes < NODES:
        at = int(np.argmin(values[:used]))
        node_value = values[at]
        slack = max(GAP_ABSOLUTE, GAP * abs(best_value)) if best_value < np.inf else 0.0
        if best_value < np.inf and node_value >= best_value - slack:
            return True, best_value, min(node_value, best_value, unjudged), nodes, best
        values[at] = np.inf
        waiting -= 1
        parent, point = bounds[at].copy(), points[at].copy()
        kind, place, low, high = _split(point, allowed)
        if kind < 0:
            if node_value < best_value:
                best[:], best_value = point, node_value
            continue
        for branch in range(2):
            child[:] = parent
            if kind == 2:
                child[1 if branch == 0 else 3, place] = 0.0
            elif branch == 0:
                child[2 * kind + 1, place] = min(low, child[2 * kind + 1, place])
            else:
                child[2 * kind, place] = high
            nodes += 1
            status, reached = _try(programme, allowed, child, out)
            if status == INFEASIBLE:
                continue
            if status != SOLVED:
                unjudged = min(unjudged, node_value)
                continue
            slack = max(GAP_ABSOLUTE, GAP * abs(best_value)) if best_value < np.inf else 0.0
            if best_value < np.inf and reached >= best_value - slack:
                unjudged = min(unjudged, reached)
                continue
            slot = -1
            for k in range(used):
                if values[k] == np.inf:
                    slot = k
                    break
            if slot < 0 and used == len(values):
                bounds, points = np.concatenate((bounds, bounds)), np.concatenate((points, points))
                values = np.concatenate((values, np.full(used, np.inf)))
            if slot < 0:
                slot = used
                used += 1
            bounds[slot], points[slot], values[slot] = child, out, reached
            waiting += 1
            if nodes % 8 == 0 or best_value == np.inf:
                better = out.copy()
                ok, reached = _rounded(programme, allowed, child, better)
                nodes += 1
                if ok and reached < best_value:
                    best[:], best_value = better, reached
    if best_value == np.inf:
        return False, np.nan, np.nan, nodes, best
    return True, best_value, min(best_value, unjudged, values[:used].min()), nodes, best
