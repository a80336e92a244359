"""Solving one programme: assembled, solved, proved; a general solver where the first one fails."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from allocator.errors import SolveError
from allocator.rebalance.conic import Answer, Data, Proof
from allocator.rebalance.model import Model, constant, model_of, padded
from allocator.rebalance.problem import Problem
from allocator.typing import FloatArray

TIGHT: Final = {
    "tol_gap_abs": 1e-9,
    "tol_gap_rel": 1e-9,
    "tol_feas": 1e-11,
    "static_regularization_constant": 1e-10,
}
"""Tighter than the solver's own defaults (1e-8): where there is hardly an interior, 1e-9 of room can be worth 1e-3 of
the objective. A solver that stops short of it says so; what counts is our own proof."""

TRIES: Final = (
    TIGHT,
    TIGHT | {"equilibrate_max_iter": 50, "max_step_fraction": 0.9},
    TIGHT | {"static_regularization_constant": 1e-9},
    TIGHT | {"max_step_fraction": 0.9},
    TIGHT | {"static_regularization_constant": 1e-11},
    TIGHT | {"static_regularization_constant": 3e-10, "max_step_fraction": 0.95},
)
"""Settings in turn, until an answer is proved. The first does for all but one programme in five hundred, and one of
them for each of 6,000 random ones, on processors that round differently too. The solver's usual regularisation (1e-8)
leaves up to 4e-8 of a constraint where there is hardly an interior."""

GENERAL: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("CLARABEL", {}),
    ("SCS", {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 20_000}),
)
"""Solvers in the order in which they are asked, through cvxpy, when the first answer will not do."""

ROOM: Final = 5e-7
"""Most that an answer called inaccurate may break any constraint: half of what counts as an excess at all."""

BROKEN: Final = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What a solver that breaks may raise; no answer of its is used, and another one is asked."""

UNPROVED: Final = Proof(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Solution:
    """Buys and sells as fractions of the total, the objective, its proof, and the name of the solver.

    ``at`` is what multipliers are read from, where the answer has any.
    """

    buy: FloatArray
    sell: FloatArray
    objective: float
    solver: str
    proof: Proof = UNPROVED
    at: tuple[Model, Data, Answer] | None = field(default=None, repr=False)

    def prices(self) -> dict[str, FloatArray]:
        """Multipliers of the named constraints of the programme; none where the solver gave none."""
        if self.at is None:
            return {}
        model, _, answer = self.at
        return model.cone.duals(answer, model.constraints)


def solve(problem: Problem, model: Model | None = None, *, patient: bool = True) -> Solution | None:
    """Solve a programme without its whole numbers.

    Parameters
    ----------
    problem
        The client's programme.
    model
        Its compiled model, where the caller has it.
    patient
        Ask the slow general solvers too, where the first one gives no answer.

    Returns
    -------
    Solution or None
        None when nothing is feasible (with bounds of the integer search, or in hard mode).

    Raises
    ------
    SolveError
        No solver reached an optimum.
    """
    model = model_of(problem) if model is None else model
    values = padded(problem, model.shape)
    data = model.cone.data(values)
    for options in TRIES:
        try:
            answer = model.cone.solve(data, options)
        except BROKEN:
            continue
        proof = model.cone.proof(data, answer)
        if proof.holds:  # whatever the solver calls its answer
            buy, sell = trades(problem, answer.x[model.places("w")], answer.x[model.places("v")])
            value = answer.value + constant(problem)
            return Solution(buy, sell, value, "CLARABEL", proof, (model, data, answer))
        if model.cone.refuted(data, answer):  # likewise
            return None
    if not patient:
        raise SolveError("the solver gave no answer for a branch of the search")
    return _general(problem, model, values)


def trades(problem: Problem, weights: FloatArray, sells: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Buys and sells of the instruments of a client, from the variables of a padded programme."""
    sell = np.maximum(sells[: problem.n], 0.0)
    return np.maximum(weights[: problem.n] - problem.w0 + sell, 0.0), sell


def _general(problem: Problem, model: Model, values: Mapping[str, Any]) -> Solution | None:
    """Ask the solvers through cvxpy, one by one; what one calls inaccurate must pass our own check."""
    import cvxpy as cp

    for name, value in values.items():
        model.parameters[name].value = value
    doubtful = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")  # it is checked below
        for solver, options in GENERAL:
            try:
                model.problem.solve(solver=solver, **options)
            except (cp.error.SolverError, *BROKEN):
                continue
            status = model.problem.status
            if status in ("infeasible", "infeasible_inaccurate"):
                return None
            if status not in ("optimal", "optimal_inaccurate"):
                continue
            buy, sell = trades(problem, model.variables["w"].value, model.variables["v"].value)
            found = Solution(buy, sell, float(model.problem.value) + constant(problem), solver)
            if not np.isfinite([found.objective, *buy, *sell]).all():
                continue
            if status == "optimal":
                return found
            if problem.violation(buy, sell) <= ROOM and (doubtful is None or found.objective < doubtful.objective):
                doubtful = found
    if doubtful is None:
        raise SolveError("no solver reached an optimum for this programme; report the shape of the client's sheet")
    return doubtful
