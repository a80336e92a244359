"""The programme, written once in cvxpy with parameters, compiled once per shape and reused.

minimise    Σ p s / scale + ‖R w‖² + γ · costs + ε 1'(u + v) + δ‖w‖²
subject to  w = w0 + u − v,  1'w + c_buy'u + c_sell'v = 1 + f,  lowest sale ≤ v ≤ most sale,  0 ≤ u ≤ most buy,
            G w ≤ h + s,  w − b∘(1'w) ≤ s_name,  ‖(Z w, ι∘w)‖ ≤ σ (1'w − D/T) + s_risk,
            0 ≤ s ≤ excess at the starting point (do no harm).

Costs are 1 + f − 1'w, so −γ 1'w stands for them. δ‖w‖² keeps the answer unique and spread: of two equal assets both
stay in equal parts, two like products share a purchase. It leaves out what lies at par without costs, which a trace
of the squared trades keeps where it is instead, and the cash account, which takes what is left for nothing. A debt
is an instrument that begins at 0 and grows by what is repaid: it is part of 1'w, for the family owns more of the
rest, but not of the total that shares are of.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance import terms
from allocator.rebalance.problem import Problem
from allocator.typing import FloatArray

SIZES = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512)
"""Numbers of instruments that programmes are compiled for; a client is padded to the next one."""

CLARABEL = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}
"""Tighter than the solver's own defaults (1e-8), for plans that are checked to 1e-6 of the total."""


ATTEMPTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CLARABEL", CLARABEL),
    ("CLARABEL", {}),
    ("SCS", {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000}),
)
"""Solvers in the order in which they are asked."""

ROOM = 5e-7
"""Most that an answer called inaccurate may break any constraint: half of what counts as an excess at all."""

SLACK = 1e-7
"""Room left where nothing may get worse, a tenth of what counts as an excess at all: a solver needs an interior."""


class Shape(NamedTuple):
    """What a programme is compiled for: instruments, limit rows, target rows, risk factors."""

    n: int
    rows: int
    targets: int
    factors: int


@dataclass(frozen=True)
class Solution:
    """Buys and sells as fractions of the total, the objective, and the name of the solver that gave them."""

    buy: FloatArray
    sell: FloatArray
    objective: float
    solver: str


@dataclass(frozen=True)
class Model:
    """A compiled programme."""

    shape: Shape
    problem: Any
    parameters: dict[str, Any]
    variables: dict[str, Any] = field(repr=False)

    def solve(self, data: Problem) -> Solution | None:
        """Solve for one client.

        Returns
        -------
        Solution or None
            None when the bounds of the sales (a branch of the integer search) leave nothing feasible.

        Raises
        ------
        SolveError
            No solver reached an optimum.
        """
        for name, value in padded(data, self.shape).items():
            self.parameters[name].value = value
        return run(self.problem, self.variables, data)


def run(problem: Any, variables: dict[str, Any], data: Problem) -> Solution | None:
    """Solve a programme that holds the numbers of ``data``; what a solver calls inaccurate must pass our own check."""
    import cvxpy as cp

    doubtful = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")  # it is checked below
        for solver, options in ATTEMPTS:
            try:
                problem.solve(solver=solver, **options)
            except cp.error.SolverError:
                continue
            if problem.status in ("infeasible", "infeasible_inaccurate"):
                return None
            if problem.status not in ("optimal", "optimal_inaccurate"):
                continue
            buy, sell = (np.maximum(variables[v].value[: data.n], 0.0) for v in ("u", "v"))
            found = Solution(buy, sell, float(problem.value), solver)
            if problem.status == "optimal":
                return found
            if data.violation(buy, sell) <= ROOM and (doubtful is None or found.objective < doubtful.objective):
                doubtful = found
    if doubtful is None:
        raise SolveError("no solver reached an optimum for this programme; report the shape of the client's sheet")
    return doubtful


def shape_of(data: Problem) -> Shape:
    """The compiled shape that a client fits into."""
    size = next((s for s in SIZES if s >= data.n), -(-data.n // 256) * 256)
    return Shape(size, -(-len(data.bound) // 4) * 4, len(data.targets), len(data.loadings))


@lru_cache(maxsize=64)
def compiled(shape: Shape) -> Model:
    """Compile the programme for a shape, with parameters; the same shape gives the same compiled problem."""
    import cvxpy as cp

    n, k = shape.n, shape.rows
    sizes: dict[str, Any] = {
        "w0": n,
        "counts": n,
        "buy_cost": n,
        "sell_cost": n,
        "most_buy": n,
        "least_sell": n,
        "most_sell": n,
        "money": (),
        "rows": (k, n),
        "bound": k,
        "row_most": k,
        "row_allowance": k,
        "row_price": k,
        "name_bound": n,
        "name_start": n,
        "name_allowance": n,
        "name_price": (),
        "loadings": (shape.factors, n),
        "idiosyncratic": n,
        "sigma": (),
        "sigma_debt": (),
        "risk_start": (),
        "risk_allowance": (),
        "risk_price": (),
        "targets": (shape.targets, n),
        "cost_weight": (),
        "wash_weight": n,
        "spread_root": n,
        "still_root": n,
    }
    signed = {"w0", "money", "rows", "bound", "row_most", "loadings", "targets", "sigma_debt"}
    p = {name: cp.Parameter(size, name=name, nonneg=name not in signed) for name, size in sizes.items()}
    problem, variables = programme(shape, p)
    assert problem.is_dcp(dpp=True), "the programme must keep to the rules of disciplined parametrised programming"
    return Model(shape, problem, p, variables)


def programme(shape: Shape, p: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Write the programme.

    Parameters
    ----------
    shape
        Its sizes.
    p
        What `padded` names, as cvxpy parameters or as plain numbers.

    Returns
    -------
    (problem, variables)
        The cvxpy problem, and its buys ``u`` and sells ``v``.
    """
    import cvxpy as cp

    n, k = shape.n, shape.rows
    w, u, v = cp.Variable(n, name="w"), cp.Variable(n, name="u", nonneg=True), cp.Variable(n, name="v")
    s, s_name, s_risk = cp.Variable(k, nonneg=True), cp.Variable(n, nonneg=True), cp.Variable(nonneg=True)
    # a variable of its own: a product of two parameters would be no DPP
    everything, total = cp.sum(w), cp.Variable(name="total")
    objective = (
        p["row_price"] @ s
        + p["name_price"] * cp.sum(s_name)
        + p["risk_price"] * s_risk
        + terms.distance(w, p["targets"])
        - p["cost_weight"] * everything
        + p["wash_weight"] @ (u + v)
        + cp.sum_squares(cp.multiply(p["spread_root"], w))
        + cp.sum_squares(cp.multiply(p["still_root"], u))
        + cp.sum_squares(cp.multiply(p["still_root"], v))
    )
    constraints = [
        w == p["w0"] + u - v,
        total == p["counts"] @ w,
        v >= p["least_sell"],
        v <= p["most_sell"],
        u <= p["most_buy"],
        terms.self_financing(w, u, v, (p["buy_cost"], p["sell_cost"]), p["money"]),
        terms.within(p["rows"], w, p["bound"], s),
        terms.no_worse(p["rows"] @ w, p["row_most"], p["row_allowance"], total),
        w <= p["name_bound"] * total + s_name,
        terms.no_worse(w, p["name_start"], p["name_allowance"] - p["name_bound"], total),
        terms.risk_cone(w, p["loadings"], p["idiosyncratic"], p["sigma"] * everything - p["sigma_debt"] + s_risk),
        terms.no_worse(s_risk, p["risk_start"], p["risk_allowance"], total),
    ]
    return cp.Problem(cp.Minimize(objective), constraints), {"u": u, "v": v}


def padded(data: Problem, shape: Shape) -> dict[str, Any]:
    """Parameter values of a client, padded with instruments that can neither be bought nor sold."""
    more, rows = shape.n - data.n, shape.rows - len(data.bound)

    def wide(a: FloatArray, fill: float = 0.0) -> FloatArray:
        return np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, more)], constant_values=fill)

    def tall(a: FloatArray, fill: float = 0.0) -> FloatArray:
        return np.pad(a, (0, rows), constant_values=fill)

    w = data.weights
    return {
        "w0": wide(data.w0),
        "counts": wide(data.counts),
        "buy_cost": wide(data.buy_cost),
        "sell_cost": wide(data.sell_cost),
        "most_buy": wide(data.most_buy),
        "least_sell": wide(data.least_sell),
        "most_sell": wide(data.most_sell),
        "money": 1.0 + data.flow,
        "rows": np.pad(wide(data.rows), ((0, rows), (0, 0))),
        "bound": tall(data.bound),
        "row_most": tall(data.bound + data.row_start + SLACK, 1.0),
        "row_allowance": tall(data.row_allowance),
        "row_price": tall(data.row_price),
        "name_bound": wide(data.name_bound, 1.0),
        "name_start": wide(data.name_start + SLACK),
        "name_allowance": wide(data.name_allowance),
        "name_price": data.name_price,
        "loadings": wide(data.loadings),
        "idiosyncratic": wide(data.idiosyncratic),
        "sigma": data.sigma,
        "sigma_debt": data.sigma * data.debt,
        "risk_start": data.risk_start + SLACK,
        "risk_allowance": data.risk_allowance,
        "risk_price": data.risk_price,
        "targets": wide(data.targets),
        "cost_weight": w.cost_weight,
        "wash_weight": wide(data.wash),
        "spread_root": wide(data.spread**0.5),
        "still_root": wide(data.still**0.5),
    }
