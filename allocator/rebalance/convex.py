"""Limits on a convex measure of the weights: volatility, tracking error, CVaR over scenarios, and a user's own terms.

Each is ``measure(w) ≤ bound · base(w) + excess``, where the base is the family's own money (1'w − D/T) or the total.
One entry of `KINDS` per kind: its numbers, its measure in numpy, its expression in cvxpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from allocator.limits import Kind, Limit
from allocator.rebalance import terms
from allocator.rebalance.rows import Client
from allocator.typing import BoolArray, FloatArray

Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Convex:
    """One convex limit of one client, as numbers; money as fractions of the total today.

    Attributes
    ----------
    limit, bound, price
        The limit, its bound for this client, and the price of one unit of excess.
    equity
        Whether its base is the family's own money.
    debt
        D / T.
    numbers
        Parameters of its expression, by name.
    base
        What each instrument adds to the base: to the family's own money, or to the total.
    risky
        Instruments that count in the measure.
    start, allowance
        Most excess: ``start − allowance · base``; the allowance is what costs alone do where nothing can be sold.
    """

    limit: Limit
    bound: float
    price: float
    equity: bool
    debt: float
    numbers: Numbers = field(repr=False)
    base: FloatArray = field(repr=False)
    risky: BoolArray = field(repr=False)
    start: float = 0.0
    allowance: float = 0.0

    def measure(self, weights: FloatArray, inside: FloatArray) -> float:
        """Value of the measure at some weights."""
        return KINDS[self.limit.kind].measure(self.numbers, weights, inside)

    def beyond(self, weights: FloatArray, inside: FloatArray) -> float:
        """Measure less its bound at some weights; below 0 where the limit holds."""
        base = self.base @ weights - self.debt * self.equity
        return float(self.measure(weights, inside) - self.bound * base)

    def slope(self, weights: FloatArray, inside: FloatArray) -> FloatArray:
        """Change of the measure with each weight, by differences: good enough to name the trades that move it."""
        step = 1e-6
        at = self.measure(weights, inside)
        moved = np.repeat(weights[None, :], len(weights), axis=0) + step * np.eye(len(weights))
        return np.array([self.measure(w, inside) - at for w in moved]) / step

    def parameters(self, slack: float) -> dict[str, Any]:
        """Values of the parameters that every kind has, and of its own, by name."""
        shared = {
            "bound": self.bound,
            "debt": self.bound * self.debt * self.equity,
            "most": self.start + slack,
            "allowance": self.allowance,
            "price": self.price,
        }
        return shared | dict(self.numbers)


@dataclass(frozen=True)
class ConvexKind:
    """A kind of convex limit: what it needs, measures and says in cvxpy.

    Attributes
    ----------
    numbers
        Its own parameters for one client.
    sizes
        Shape of each parameter for a number of instruments, risk factors and scenarios; a name that ends in ``+`` is
        nonnegative.
    measure
        From the parameters, weights and the part of each instrument inside the buckets.
    constraints
        From the parameters, the expression of the weights, of the total, and of what the measure may be at most.
    """

    numbers: Callable[[Limit, Client, FloatArray, FloatArray], dict[str, Any]]
    sizes: Callable[[int, int, int], dict[str, tuple[int, ...]]]
    measure: Callable[[Numbers, FloatArray, FloatArray], float]
    constraints: Callable[[Numbers, Any, Any, Any], list[Any]]


def _risk_numbers(limit: Limit, c: Client, loadings: FloatArray, own: FloatArray) -> dict[str, Any]:
    del limit, c
    return {"loadings": loadings, "own": own}


def _risk_measure(p: Numbers, w: FloatArray, inside: FloatArray) -> float:
    del inside
    return float(np.sqrt(((p["loadings"] @ w) ** 2).sum() + ((p["own"] * w) ** 2).sum()))


def _risk_constraints(p: Numbers, w: Any, total: Any, most: Any) -> list[Any]:
    del total
    return [terms.risk_cone(w, p["loadings"], p["own"], most)]


def _tracking_numbers(limit: Limit, c: Client, loadings: FloatArray, own: FloatArray) -> dict[str, Any]:
    del limit
    a = c.context.analysis
    model = c.context.model[a.positions.band[c.index]]
    center = model @ (c.context.risk.loadings * a.framework.flag("inside")[:, None])
    return {"loadings": loadings, "own": own, "center": np.append(center, np.zeros(len(loadings) - len(center)))}


def _tracking_measure(p: Numbers, w: FloatArray, inside: FloatArray) -> float:
    away = p["loadings"] @ w - p["center"] * (inside @ w)
    return float(np.sqrt((away**2).sum() + ((p["own"] * w) ** 2).sum()))


def _tracking_constraints(p: Numbers, w: Any, total: Any, most: Any) -> list[Any]:
    return [terms.tracking_cone(w, total, (p["loadings"], p["own"], p["center"]), most)]


def _cvar_numbers(limit: Limit, c: Client, loadings: FloatArray, own: FloatArray) -> dict[str, Any]:
    del limit, loadings, own
    scenarios = c.context.scenarios[:, c.x.mix] * c.x.counts
    tail = 1.0 / ((1.0 - c.context.risk.level) * len(scenarios))
    return {"losses": -scenarios, "tail": tail}


def _cvar_measure(p: Numbers, w: FloatArray, inside: FloatArray) -> float:
    """Mean of the worst losses: the tail's whole scenarios, then a fraction of the next."""
    del inside
    losses = np.sort(p["losses"] @ w)[::-1]
    share = np.clip(1.0 / p["tail"] - np.arange(len(losses)), 0.0, 1.0)
    return float(share @ losses * p["tail"])


def _cvar_constraints(p: Numbers, w: Any, total: Any, most: Any) -> list[Any]:
    del total
    return terms.cvar(w, p["losses"], p["tail"], most)


def _term_numbers(limit: Limit, c: Client, loadings: FloatArray, own: FloatArray) -> dict[str, Any]:
    del loadings, own
    assets = np.flatnonzero(c.x.counts)
    facts = c.x.facts.iloc[assets].reset_index(drop=True)
    return {"term": limit.term, "assets": assets, "inside": c.inside[assets], "facts": facts}


def _term_measure(p: Numbers, w: FloatArray, inside: FloatArray) -> float:
    import cvxpy as cp

    del inside
    return float(p["term"](cp.Constant(w[p["assets"]] * p["inside"]), p["facts"]).value)


def _term_constraints(p: Numbers, w: Any, total: Any, most: Any) -> list[Any]:
    del total
    import cvxpy as cp

    return [p["term"](cp.multiply(p["inside"], w[p["assets"]]), p["facts"]) <= most]


def _cone_sizes(n: int, factors: int, scenarios: int) -> dict[str, tuple[int, ...]]:
    del scenarios
    return {"loadings": (factors, n), "own+": (n,)}


KINDS: Final[Mapping[Kind, ConvexKind]] = {
    "volatility": ConvexKind(_risk_numbers, _cone_sizes, _risk_measure, _risk_constraints),
    "tracking": ConvexKind(
        _tracking_numbers,
        lambda n, factors, scenarios: _cone_sizes(n, factors, scenarios) | {"center": (factors,)},
        _tracking_measure,
        _tracking_constraints,
    ),
    "cvar": ConvexKind(
        _cvar_numbers,
        lambda n, _, scenarios: {"losses": (scenarios, n), "tail+": ()},
        _cvar_measure,
        _cvar_constraints,
    ),
    "term": ConvexKind(_term_numbers, lambda *_: {}, _term_measure, _term_constraints),
}
"""Kinds of convex limits. Each but ``term`` occurs at most once among the limits of a band."""

SHARED: Final[Mapping[str, tuple[int, ...]]] = {"bound+": (), "debt": (), "most": (), "allowance+": (), "price+": ()}
"""Parameters that every kind has."""


def convex_limits(c: Client, prices: Mapping[str, float], loadings: FloatArray, own: FloatArray) -> list[Convex]:
    """Convex limits that apply to a client."""
    out = []
    for limit in c.context.limits:
        bound = c.bound(limit.key)
        if limit.kind not in KINDS or np.isnan(bound):
            continue
        numbers = KINDS[limit.kind].numbers(limit, c, loadings, own)
        equity = limit.kind in ("volatility", "cvar") or (limit.kind == "term" and limit.base == "equity")
        risky = np.asarray((np.abs(loadings).sum(axis=0) + own) > 0) & (c.x.counts > 0)
        base = c.own if equity else c.inside
        out.append(Convex(limit, bound, prices[limit.family], equity, c.debt, numbers, base, risky))
    return out


def facts_of(part: Convex) -> pd.DataFrame:
    """Facts that a user's own term looks at."""
    return pd.DataFrame(part.numbers["facts"])
