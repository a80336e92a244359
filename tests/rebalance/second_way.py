"""The same programme by other means: written in buys and sells from the numbers of a client, for active sets.

Nothing here goes through cvxpy, the compiled model or an interior point of cones. A convex measure is replaced by
tangents at the answers so far (Kelley 1960); near the end, sequential quadratic programming takes its curvature in.
DAQP (Arnström, Bemporad and Axehill 2022) solves each quadratic programme. Programmes have hardly an interior where
nothing may get worse: active sets do not mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

from allocator.rebalance.convex import Convex
from allocator.rebalance.instruments import UNBOUNDED
from allocator.rebalance.model import SLACK
from allocator.rebalance.problem import Problem

Array = np.ndarray[Any, np.dtype[np.float64]]

NONE: Final = 1e30
"""A bound that DAQP takes for none."""

TRIES: Final = ({"eps_prox": 1e-2}, {"eps_prox": -1e-6}, {"eps_prox": 1e-3}, {"eps_prox": 1e-2, "primal_tol": 1e-8})
"""Proximal steps of DAQP: the quadratic part is only semidefinite, and now and then one step size ends in a cycle."""

ROUNDS: Final = 80
CLOSE: Final = 1e-3
"""From here on tangents would be too much alike: the curvature is taken in."""

CONE: Final = 1e-9
STEP: Final = 1e-6


class Other(NamedTuple):
    """An optimum by other means; buys and sells as fractions of the total."""

    objective: float
    buy: Array
    sell: Array


@dataclass(frozen=True)
class Written:
    """A client's programme over z = (buys, sells, excess of rows, of names, of convex measures)."""

    p: Problem

    @cached_property
    def places(self) -> tuple[Array, Array, Array]:
        """What can be bought, sold, and has a bound of its own as a single name."""
        p = self.p
        return np.flatnonzero(p.most_buy > 0), np.flatnonzero(p.most_sell > 0), np.flatnonzero(p.name_bound < UNBOUNDED)

    @cached_property
    def sizes(self) -> list[int]:
        bought, sold, named = self.places
        return [len(bought), len(sold), len(self.p.bound), len(named), len(self.p.convex)]

    def part(self, k: int) -> slice:
        """Where the k-th part of z is."""
        ends = np.cumsum([0, *self.sizes])
        return slice(int(ends[k]), int(ends[k + 1]))

    def unit(self, k: int) -> Array:
        """Rows that read the k-th part out of z."""
        return np.eye(sum(self.sizes))[self.part(k)]

    @cached_property
    def buys(self) -> Array:
        out = np.zeros((self.p.n, sum(self.sizes)))
        out[self.places[0]] = self.unit(0)
        return out

    @cached_property
    def sells(self) -> Array:
        out = np.zeros((self.p.n, sum(self.sizes)))
        out[self.places[1]] = self.unit(1)
        return out

    @cached_property
    def bounds(self) -> tuple[Array, Array]:
        p, (bought, sold, _) = self.p, self.places
        rest = sum(self.sizes[2:])
        low = np.concatenate([p.least_buy[bought], p.least_sell[sold], np.zeros(rest)])
        return low, np.concatenate([p.most_buy[bought], p.most_sell[sold], np.full(rest, NONE)])

    @cached_property
    def quadratic(self) -> tuple[Array, Array, float]:
        """H, f and c of ½ z'Hz + f'z + c."""
        p = self.p
        w, trades = self.buys - self.sells, self.buys + self.sells
        rows = np.vstack([p.targets, np.diag(p.root)])
        at = np.concatenate([p.targets @ p.w0, p.root * p.w0 - p.center])
        f = p.linear @ w + p.wash @ trades + 2 * at @ rows @ w
        f = f + p.row_price @ self.unit(2) + p.name_price * self.unit(3).sum(axis=0)
        f = f + np.array([c.price for c in p.convex]) @ self.unit(4)
        return 2 * (rows @ w).T @ (rows @ w), f, float(at @ at + p.linear @ p.w0) + p.offset

    @cached_property
    def equality(self) -> tuple[Array, float]:
        """What is sold, and money due, pays for what is bought and for costs."""
        p = self.p
        return (1 + p.buy_cost) @ self.buys - (1 - p.sell_cost) @ self.sells, p.flow

    @cached_property
    def inequalities(self) -> tuple[Array, Array]:
        """A and h of A z ≤ h."""
        p, named = self.p, self.places[2]
        w, (total, money) = self.buys - self.sells, self.base(equity=False)
        over, most = p.rows @ w, p.bound - p.rows @ p.w0
        part, b, keep = p.inside[named, None], p.name_bound[named, None], p.name_allowance[named, None]
        names, at = part * w[named], (p.inside * p.w0)[named]
        left = [
            over - self.unit(2),
            over + p.row_allowance[:, None] * total,
            names - b * total - self.unit(3),
            names - (b - keep) * total,
            *(row + c.allowance * total for row, c in zip(self.unit(4), p.convex, strict=True)),
            p.above @ self.buys - p.satellite * total if p.above.any() else total * 0.0,
            p.counts @ (self.buys + self.sells) / 2,
            p.buy_cost @ self.buys + p.sell_cost @ self.sells,
        ]
        right = [
            most,
            most + p.row_start - p.row_allowance * money + SLACK,
            b[:, 0] * money - at,
            p.name_start[named] + SLACK + (b - keep)[:, 0] * money - at,
            *([c.start - c.allowance * money + SLACK] for c in p.convex),
            [p.satellite * money + SLACK],
            [p.turnover + SLACK / 2],
            [p.cost + SLACK],
        ]
        return np.vstack(left), np.concatenate(right)

    def base(self, *, equity: bool) -> tuple[Array, float]:
        """Own money, or the total, as a row over z and a constant."""
        p, w = self.p, self.buys - self.sells
        if equity:
            own = p.inside + 1.0 - p.counts
            return own @ w, float(own @ p.w0 - p.debt)
        return p.inside @ w, float(p.inside @ p.w0)

    def tangent(self, i: int, z: Array) -> tuple[Array, float]:
        """Row and bound of measure(w) + slope · (w' − w) ≤ bound · base(w') + s at an answer."""
        p, c = self.p, self.p.convex[i]
        change = self.buys - self.sells
        w = p.w0 + change @ z
        row, at = self.base(equity=c.equity)
        value, slope = c.measure(w, p.inside), slope_of(c, w, p.inside)
        out = slope @ change - c.bound * row
        return out - self.unit(4)[i], c.bound * at - value + slope @ (w - p.w0)


def slope_of(c: Convex, w: Array, inside: Array) -> Array:
    """A gradient of a convex measure in closed form."""
    q = c.numbers
    if c.limit.kind == "cvar":
        losses = q["losses"] @ w
        order = np.argsort(-losses)
        share = np.clip(1.0 / q["tail"] - np.arange(len(losses)), 0.0, 1.0) * q["tail"]
        return np.asarray(share @ q["losses"][order])
    center = q.get("center", np.zeros(len(q["loadings"])))
    apart = q["loadings"] @ w - center * (inside @ w)
    length = np.sqrt(apart @ apart + ((q["own"] * w) ** 2).sum())
    return np.asarray(((q["loadings"] - np.outer(center, inside)).T @ apart + q["own"] ** 2 * w) / length)


def curvature_of(c: Convex, w: Array, inside: Array) -> Array:
    """Second derivatives of a volatility; none for a tail loss, which is piecewise linear."""
    if c.limit.kind == "cvar":
        return np.zeros((len(w), len(w)))
    q = c.numbers
    center = q.get("center", np.zeros(len(q["loadings"])))
    rows = np.vstack([q["loadings"] - np.outer(center, inside), np.diag(q["own"])])
    slope = slope_of(c, w, inside)
    return np.asarray((rows.T @ rows - np.outer(slope, slope)) / c.measure(w, inside))


def second_way(p: Problem) -> Other | None:
    """Optimum by DAQP; None where it gives none, or nothing is feasible."""
    written = Written(p)
    for close, options in product((CLOSE, 0.0), TRIES):  # now and then tangents alone reach what curvature does not
        z = _answer(written, close, options)
        if z is not None:
            h, f, constant = written.quadratic
            return Other(float(0.5 * z @ h @ z + f @ z) + constant, written.buys @ z, written.sells @ z)
    return None


def _answer(written: Written, close: float, options: dict[str, float]) -> Array | None:
    p = written.p
    smooth = [i for i, c in enumerate(p.convex) if c.limit.kind != "cvar"]
    change = written.buys - written.sells
    a, h = written.inequalities
    w = p.w0
    z, multipliers, newton = np.zeros(sum(written.sizes)), np.zeros(len(p.convex)), False
    for _ in range(ROUNDS):
        rows, most, curve = a, h, np.zeros((len(z), len(z)))
        if newton:  # one tangent of each smooth measure, and its curvature in the objective
            new = [written.tangent(i, z) for i in smooth]
            rows, most = np.vstack([a, *(row for row, _ in new)]), np.append(h, [bound for _, bound in new])
            curve = sum(multipliers[i] * change.T @ curvature_of(p.convex[i], w, p.inside) @ change for i in smooth)
        found = _daqp(written, (rows, most), (curve, z), options)
        if found is None:
            return None
        (z, dual), before = found, z
        w = p.w0 + change @ z
        over = [c.beyond(w, p.inside) for c in p.convex] - z[written.part(4)]
        if over.max(initial=0.0) < CONE and (not newton or np.abs(z - before).max() < STEP):
            return z
        if newton:
            multipliers[smooth] = np.maximum(dual[-len(smooth) :], 0.0)
        elif over.max() < close:
            newton = True
            a, h = written.inequalities if not any(c.limit.kind == "cvar" for c in p.convex) else (a, h)
        cuts = [written.tangent(i, z) for i in np.flatnonzero(over > CONE / 10) if not (newton and i in smooth)]
        a, h = np.vstack([a, *(row for row, _ in cuts)]), np.append(h, [bound for _, bound in cuts])
    return None


def _daqp(
    written: Written, rows: tuple[Array, Array], curve: tuple[Array, Array], options: dict[str, float]
) -> tuple[Array, Array] | None:
    """One quadratic programme: its answer and multipliers."""
    import daqp

    quadratic, linear, _ = written.quadratic
    row, money = written.equality
    low, high = written.bounds
    (a, h), (bent, at) = rows, curve
    sense = np.zeros(len(low) + 1 + len(h), dtype=np.int32)
    sense[len(low)] = 5  # an equality
    z, _, found, told = daqp.solve(
        np.ascontiguousarray(quadratic + bent),
        linear - bent @ at,
        np.ascontiguousarray(np.vstack([row[None], a])),
        np.concatenate([high, [money], h]),
        np.concatenate([low, [money], np.full(len(h), -NONE)]),
        sense,
        **{"primal_tol": 1e-9} | options,
    )
    return (np.asarray(z), np.asarray(told["lam"])) if found > 0 else None
