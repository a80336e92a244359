"""The programme, written once in cvxpy with parameters, compiled once per shape and reused.

minimise    Σ p s / scale + ‖R w‖² + γ · costs + ε 1'(u + v) + δ‖w‖²            (or costs − return in place of ‖R w‖²)
subject to  w = w0 + u − v,  1'w + c_buy'u + c_sell'v = m,  lowest ≤ v, u ≤ most,
            G w ≤ h + s,  i∘w − b i'w ≤ s_name,  measure(w) ≤ bound · base(w) + s  for volatility and its like,
            0 ≤ s ≤ excess at the starting point (do no harm),  turnover and costs within their budgets,
            buys above the client's grade within the satellite share (in portfolio mode).

u is not a variable of its own: w − w0 + v stands for it. Costs are m − 1'w, so −γ 1'w stands for them; selling
costs hold the tax. δ‖w‖² keeps the answer unique and spread: of two equal assets both stay in equal parts, two like
products share a purchase. It leaves out what lies at par without costs, which a trace of the squared trades keeps where
it is instead, and the cash account, which takes what is left for nothing. A debt is an instrument that begins at 0 and
grows by what is repaid: it is part of 1'w, for the family owns more of the rest, but not of the total i'w that shares
are of. i is the part of each instrument inside the buckets, m = 1'w0 + f the money there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from allocator.rebalance import terms
from allocator.rebalance.conic import Cone
from allocator.rebalance.convex import KINDS, SHARED
from allocator.rebalance.problem import Problem
from allocator.typing import FloatArray

SIZES = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512)
"""Numbers of instruments that programmes are compiled for; a client is padded to the next one."""

SLACK = 1e-7
"""Room left where nothing may get worse, a tenth of what counts as an excess at all: a solver needs an interior."""


class Shape(NamedTuple):
    """What a programme is compiled for: instruments, limit rows, target rows, risk factors, kinds of convex limits."""

    n: int
    rows: int
    targets: int
    factors: int
    kinds: tuple[str, ...] = ("volatility",)
    scenarios: int = 0


@dataclass(frozen=True)
class Model:
    """A compiled programme: the cvxpy problem, its parameters, variables, named constraints, and its conic form."""

    shape: Shape
    problem: Any
    parameters: dict[str, Any]
    variables: dict[str, Any] = field(repr=False)
    constraints: dict[str, Any] = field(repr=False)
    cone: Cone = field(repr=False)

    def places(self, name: str) -> slice:
        """Where a variable stands in the vector of the conic form."""
        v = self.variables[name]
        first = int(self.cone.form.var_id_to_col[v.id])
        return slice(first, first + int(v.size))


def shape_of(data: Problem) -> Shape:
    """The compiled shape that a client fits into; exactly its own where there are terms of a user's own."""
    kinds = tuple(c.limit.kind for c in data.convex)
    n, rows = data.n, len(data.bound)
    if not data.own:
        n = next((s for s in SIZES if s >= n), -(-n // 256) * 256)
        rows = -(-rows // 4) * 4
    factors = len(data.volatility.numbers["loadings"])
    scenarios = next((len(c.numbers["losses"]) for c in data.convex if c.limit.kind == "cvar"), 0)
    return Shape(n, rows, len(data.targets), factors, kinds, scenarios)


def model_of(data: Problem) -> Model:
    """The compiled model of a client: shared by all of its shape, unless a user's own terms are in it."""
    shape = shape_of(data)
    if not data.own:
        return compiled(shape)
    models = {} if data.models is None else data.models
    key = (shape, data.objectives)
    if key not in models:
        models[key] = _write(shape, data)
    model: Model = models[key]
    return model


@lru_cache(maxsize=64)
def compiled(shape: Shape) -> Model:
    """Compile the programme for a shape; the same shape gives the same compiled problem."""
    return _write(shape, None)


def _write(shape: Shape, own: Problem | None) -> Model:
    import cvxpy as cp

    p = parameters(shape)
    problem, variables, constraints = programme(shape, p, own)
    assert problem.is_dcp(dpp=True), "the programme must keep to the rules of disciplined parametrised programming"
    assert isinstance(problem, cp.Problem)
    return Model(shape, problem, p, variables, constraints, Cone(problem, p))


def parameters(shape: Shape) -> dict[str, Any]:
    """Parameters of the programme of a shape, by name."""
    import cvxpy as cp

    n, k = shape.n, shape.rows
    sizes: dict[str, tuple[int, ...]] = {
        "w0": (n,),
        "counts+": (n,),
        "inside+": (n,),
        "own+": (n,),
        "buy_cost+": (n,),
        "round_cost+": (n,),
        "money": (),
        "least_buy+": (n,),
        "most_buy+": (n,),
        "least_sell+": (n,),
        "most_sell+": (n,),
        "rows": (k, n),
        "bound": (k,),
        "row_most": (k,),
        "row_allowance+": (k,),
        "row_price+": (k,),
        "name_bound+": (n,),
        "name_start+": (n,),
        "name_allowance+": (n,),
        "name_price+": (),
        "targets": (shape.targets, n),
        "linear": (n,),
        "wash+": (n,),
        "root+": (n,),
        "center": (n,),
        "above+": (n,),
        "above_most": (),
        "satellite+": (),
        "turnover": (),
        "least_left": (),
    }
    for i, kind in enumerate(shape.kinds):
        own = dict(SHARED) | KINDS[kind].sizes(n, shape.factors, shape.scenarios)  # type: ignore[index]
        sizes |= {f"{i}_{name}": size for name, size in own.items()}
    plain = {name.rstrip("+"): (size, name.endswith("+")) for name, size in sizes.items()}
    return {name: cp.Parameter(size, name=name, nonneg=positive) for name, (size, positive) in plain.items()}


def programme(
    shape: Shape, p: Mapping[str, Any], own: Problem | None = None
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Write the programme.

    Parameters
    ----------
    shape
        Its sizes.
    p
        What `padded` names, as cvxpy parameters or as plain numbers.
    own
        The client whose own terms are part of it, exactly of this shape.

    Returns
    -------
    (problem, variables, constraints)
        The cvxpy problem; its weights ``w`` and sells ``v``; the constraints whose multipliers are prices.
    """
    import cvxpy as cp

    n, k = shape.n, shape.rows
    w, v, total = cp.Variable(n, name="w"), cp.Variable(n, name="v"), cp.Variable(name="total")
    equity = cp.Variable(name="equity")  # with what was owed at the start; each kind takes that off
    s, s_name = cp.Variable(k, nonneg=True, name="s"), cp.Variable(n, nonneg=True, name="s_name")
    u, held = w - p["w0"] + v, cp.multiply(p["inside"], w)
    objective = (
        p["row_price"] @ s
        + p["name_price"] * cp.sum(s_name)
        + terms.distance(w, p["targets"])
        + p["linear"] @ w
        + p["wash"] @ w
        + 2 * (p["wash"] @ v)
        + terms.near(w, p["root"], p["center"])
    )
    prices = {
        "buy": u <= p["most_buy"],
        "buy_least": u >= p["least_buy"],
        "sell": v <= p["most_sell"],
        "sell_least": v >= p["least_sell"],
        "rows": terms.within(p["rows"], w, p["bound"], s),
        "rows_most": terms.no_worse(p["rows"] @ w, p["row_most"], p["row_allowance"], total),
        "names": held <= p["name_bound"] * total + s_name,
        "names_most": terms.no_worse(held, p["name_start"], p["name_allowance"] - p["name_bound"], total),
        "satellite": p["above"] @ w + p["above"] @ v <= p["satellite"] * total + p["above_most"],
        "turnover": p["counts"] @ w + 2 * cp.sum(v) <= p["turnover"],
        "cost": cp.sum(w) >= p["least_left"],
    }
    constraints = [
        total == p["inside"] @ w,  # a variable of its own: a product of two parameters would be no DPP
        equity == p["own"] @ w,
        terms.self_financing(w, v, (p["buy_cost"], p["round_cost"]), p["money"]),
    ]
    for i, kind in enumerate(shape.kinds):
        mine = {name.removeprefix(f"{i}_"): value for name, value in p.items() if name.startswith(f"{i}_")}
        of_equity = kind in ("volatility", "cvar")
        if kind == "term" and own is not None:
            mine |= own.convex[i].numbers
            of_equity = own.convex[i].equity
        excess = cp.Variable(nonneg=True, name=f"s_{i}")
        base = equity if of_equity else total  # repaying a debt takes from the total, not from the family's own money
        most = mine["bound"] * base - mine["debt"] + excess
        prices[f"{i}"] = terms.no_worse(excess, mine["most"], mine["allowance"], base)
        first, *others = KINDS[kind].constraints(mine, w, total, most)  # type: ignore[index]
        prices[f"{i}_measure"] = first
        constraints += others
        objective += mine["price"] * excess
    if own is not None and own.objectives:
        at = own.assets
        objective += sum(o.weight * o.term(w[at], u[at], v[at], own.facts) for o in own.objectives)
    problem = cp.Problem(cp.Minimize(objective), [*prices.values(), *constraints])
    return problem, {"w": w, "v": v}, prices


def padded(data: Problem, shape: Shape) -> dict[str, Any]:
    """Parameter values of a client, padded with instruments that can neither be bought nor sold."""
    n, k = shape.n, shape.rows

    def wide(a: FloatArray, fill: float = 0.0) -> FloatArray:
        out = np.full((*a.shape[:-1], n), fill)
        out[..., : data.n] = a
        return out

    def tall(a: FloatArray, fill: float = 0.0) -> FloatArray:
        out = np.full((k, *a.shape[1:]), fill)
        out[: len(a)] = a
        return out

    values = {
        "w0": wide(data.w0),
        "counts": wide(data.counts),
        "inside": wide(data.inside),
        "own": wide(data.inside + 1.0 - data.counts),
        "buy_cost": wide(data.buy_cost),
        "round_cost": wide(data.buy_cost + data.sell_cost),
        "money": data.money + float(data.buy_cost @ data.w0),
        "least_buy": wide(data.least_buy),
        "most_buy": wide(data.most_buy),
        "least_sell": wide(data.least_sell),
        "most_sell": wide(data.most_sell),
        "rows": tall(wide(data.rows)),
        "bound": tall(data.bound),
        "row_most": tall(data.bound + data.row_start + SLACK, 1.0),
        "row_allowance": tall(data.row_allowance),
        "row_price": tall(data.row_price),
        "name_bound": wide(data.name_bound, 1.0),
        "name_start": wide(data.name_start + SLACK),
        "name_allowance": wide(data.name_allowance),
        "name_price": data.name_price,
        "targets": wide(data.targets),
        "linear": wide(data.linear),
        "wash": wide(data.wash),
        "root": wide(data.root),
        "center": wide(data.center),
        "above": wide(data.above),
        "above_most": float(data.above @ data.w0) + SLACK,
        "satellite": data.satellite,
        "turnover": 2 * data.turnover + float(data.counts @ data.w0) + SLACK,
        "least_left": data.money - data.cost - SLACK,
    }
    for i, part in enumerate(data.convex):
        given = part.parameters(SLACK)
        for name, size in (dict(SHARED) | KINDS[part.limit.kind].sizes(n, shape.factors, shape.scenarios)).items():
            array = np.asarray(given[name.rstrip("+")], dtype="float64")
            full = np.zeros(size)
            full[tuple(slice(length) for length in array.shape)] = array
            values[f"{i}_{name.rstrip('+')}"] = full
    return values


def constant(data: Problem) -> float:
    """What the programme's objective leaves out of the plan's."""
    return data.offset - float(data.wash @ data.w0)
