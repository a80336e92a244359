"""A compiled programme as numbers for a conic solver: assembled for each client, solved, and checked by our own sums.

cvxpy writes the programme once; its data are affine in the parameters, so that one sparse product gives the data of
the next client. Clarabel then solves  min ½x'Px + q'x,  Ax + s = b,  s in a cone,  and hands back x, s and z.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from allocator.typing import FloatArray

PRIMAL: Final = 1e-9
"""Most violation of an answer that is called proved: a thousandth of what counts as an excess at all. Where a
multiplier is large, 1e-8 can be worth 2e-5 of the objective (one of 4,500 random programmes)."""

DUAL: Final = 1e-7
"""Most violation of stationarity, and largest gap, of an answer that is called proved."""


@dataclass(frozen=True)
class Proof:
    """How near an answer is to an optimum, by sums over the problem's data alone.

    Attributes
    ----------
    primal, dual
        Largest violation of any constraint or cone, in fractions of the total; and of stationarity and of the dual
        cone, as a part of the largest of the forces that balance there (prices, multipliers).
    gap
        |objective − dual objective| / max(1, |objective|): no plan can be better by more.
    """

    primal: float
    dual: float
    gap: float

    @property
    def holds(self) -> bool:
        """Whether the answer is an optimum for all that anybody can tell in money."""
        return self.primal <= PRIMAL and self.dual <= DUAL and self.gap <= DUAL


FARKAS: Final = 1e-6
"""Most that a proof of infeasibility may be off, as a part of how far it is infeasible."""


@dataclass(frozen=True)
class Data:
    """One conic problem; of P the upper triangle."""

    P: Any
    q: FloatArray
    A: Any
    b: FloatArray


@dataclass(frozen=True)
class Answer:
    """What a conic solver gave; ``status`` in cvxpy's words."""

    status: str
    x: FloatArray
    s: FloatArray
    z: FloatArray
    value: float
    raw: Any


class Cone:
    """The data map of one compiled cvxpy problem.

    Parameters
    ----------
    problem
        A cvxpy problem that follows the rules of disciplined parametrised programming.
    parameters
        Its parameters by name.
    """

    def __init__(self, problem: Any, parameters: Mapping[str, Any]) -> None:
        self.problem, self.parameters = problem, dict(parameters)
        for p in self.parameters.values():
            if p.value is None:
                p.value = np.ones(p.shape) if p.is_nonneg() else np.zeros(p.shape)
        data, self.chain, self.inverse = problem.get_problem_data("CLARABEL", solver_opts={})
        self.form = data["param_prob"]
        self.zero, self.nonneg = int(data["dims"].zero), int(data["dims"].nonneg)
        self.soc = [int(n) for n in data["dims"].soc]
        self._last: tuple[Data, Mapping[str, float], Any] | None = None
        self._place = {p.id: (p, self.form.param_id_to_col[p.id]) for p in self.form.parameters}

    @cached_property
    def maps(self) -> tuple[Any, ...]:
        """Sparse maps from the vector of parameters to the numbers of P, q, A and b, with the patterns of P and A."""
        import scipy.sparse as sp

        form, n = self.form, self.form.x.size
        form.reduced_A.cache(keep_zeros=True)
        form.reduced_P.cache(keep_zeros=True)
        a_map = sp.csr_array(form.reduced_A.reduced_mat)
        a_rows, a_indptr, a_shape = form.reduced_A.problem_data_index
        q_map = sp.csr_array(form.q)[:-1]
        width = a_shape[1] - 1
        split = int(a_indptr[width])
        pattern = (np.asarray(a_rows[:split]), np.asarray(a_indptr[: width + 1]), (a_shape[0], width))
        b_rows = np.asarray(a_rows[split : int(a_indptr[width + 1])])
        p_map, p_pattern = None, None
        if form.reduced_P.reduced_mat is not None and form.reduced_P.problem_data_index is not None:
            p_map = sp.csr_array(form.reduced_P.reduced_mat)
            rows, indptr, shape = form.reduced_P.problem_data_index
            columns = np.repeat(np.arange(shape[1]), np.diff(indptr))
            upper = np.asarray(rows) <= columns  # the solver takes one triangle
            p_map = p_map[np.flatnonzero(upper)]
            counts = np.bincount(columns[upper], minlength=shape[1])
            p_pattern = (np.asarray(rows)[upper], np.append(0, np.cumsum(counts)), shape)
        return a_map, pattern, split, b_rows, q_map, p_map, p_pattern, n

    @property
    def columns(self) -> list[tuple[Any, int]]:
        """Parameters, and where each one begins in the vector of all."""
        return list(self._place.values())

    def vector(self, values: Mapping[str, Any]) -> FloatArray:
        """Parameters as one vector, with a last entry of 1 for what is constant."""
        out = np.zeros(self.form.total_param_size + 1)
        out[-1] = 1.0
        for p, column in self._place.values():
            value = np.asarray(values[p.name()], dtype="float64")
            out[column : column + value.size] = value.ravel(order="F")
        return out

    def data(self, values: Mapping[str, Any]) -> Data:
        """Assemble the problem for some values of the parameters."""
        import scipy.sparse as sp

        vector = self.vector(values)
        a_map, (rows, indptr, shape), split, b_rows, q_map, p_map, p_pattern, n = self.maps
        numbers = a_map @ vector
        # cvxpy's A x + b in the cone is the solver's −A x + s = b
        A = sp.csc_array((-numbers[:split], rows.copy(), indptr.copy()), shape=shape)
        A.eliminate_zeros()  # a limit row has few members: a tenth of the solver's time
        b = np.zeros(shape[0])
        b[b_rows] = numbers[split:]
        P = sp.csc_array((n, n))
        if p_map is not None and p_pattern is not None:
            P = sp.csc_array((p_map @ vector, p_pattern[0], p_pattern[1]), shape=p_pattern[2])
        return Data(P, q_map @ vector, A, b)

    def solve(self, data: Data, options: Mapping[str, float]) -> Answer:
        """Solve with Clarabel; what differs from the problem before in its right side alone needs no new set-up."""
        if self._last is not None and self._last[1] == options and _same_but_b(self._last[0], data):
            solver = self._last[2]
            solver.update(b=data.b)
        else:
            solver = self._set_up(data, options)
        self._last = (data, options, solver)
        raw = solver.solve()
        words = {
            "Solved": "optimal",
            "AlmostSolved": "optimal_inaccurate",
            "PrimalInfeasible": "infeasible",
            "AlmostPrimalInfeasible": "infeasible",
        }
        status = words.get(str(raw.status), "failed")
        return Answer(status, np.array(raw.x), np.array(raw.s), np.array(raw.z), float(raw.obj_val), raw)

    def _set_up(self, data: Data, options: Mapping[str, float]) -> Any:
        import clarabel

        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.presolve_enable = False  # it would forbid another right side
        for name, value in options.items():
            setattr(settings, name, value)
        cones = [clarabel.ZeroConeT(self.zero), clarabel.NonnegativeConeT(self.nonneg)]
        cones = [c for c, size in zip(cones, (self.zero, self.nonneg), strict=True) if size]
        cones += [clarabel.SecondOrderConeT(size) for size in self.soc]
        solver = clarabel.DefaultSolver(data.P, data.q, data.A, data.b, cones, settings)
        # as for every later one: else the first answer differs from them in its last digits, and with it, where the
        # optimum is flat, the plan from one that is made after others
        solver.update(b=data.b)
        return solver

    def proof(self, data: Data, answer: Answer) -> Proof:
        """Check an answer: nothing that the solver says about itself is used."""
        x, z = answer.x, answer.z
        slack = data.b - data.A @ x
        primal = max(
            float(np.abs(slack[: self.zero]).max(initial=0.0)),
            _outside(slack[self.zero :], self.nonneg, self.soc),
        )
        curve = data.P @ x + data.P.T @ x - data.P.diagonal() * x
        pull = data.A.T @ z
        scale = max(1.0, *(float(np.abs(part).max(initial=0.0)) for part in (curve, data.q, pull)))
        dual = max(
            float(np.abs(curve + data.q + pull).max(initial=0.0)) / scale,
            _outside(z[self.zero :], self.nonneg, self.soc) / scale,
        )
        value = 0.5 * float(x @ curve) + float(data.q @ x)
        bound = -0.5 * float(x @ curve) - float(data.b @ z)
        gap = abs(value - bound) / max(1.0, abs(value))
        return Proof(*(x if np.isfinite(x) else float("inf") for x in (primal, dual, gap)))

    def refuted(self, data: Data, answer: Answer) -> bool:
        """Whether an answer proves that nothing is feasible: z in the dual cone, A'z = 0 and b'z < 0 (Farkas)."""
        z = answer.z
        short = -float(data.b @ z)
        if not short > 0:
            return False
        away = max(float(np.abs(data.A.T @ z).max(initial=0.0)), _outside(z[self.zero :], self.nonneg, self.soc))
        return away <= FARKAS * short

    def duals(self, answer: Answer, constraints: Mapping[str, Any]) -> dict[str, FloatArray]:
        """Multiplier of each named constraint of the cvxpy problem; of a cone, that of its bound."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what cvxpy says of accuracy; the answer has a proof of our own
            self.problem.unpack_results(answer.raw, self.chain, self.inverse)
        # a cone has a multiplier for its bound, then those of its vector: the bound's is the price
        found = {name: c.dual_value for name, c in constraints.items()}
        return {name: np.atleast_1d(np.asarray(x[0] if isinstance(x, list) else x)) for name, x in found.items()}

    def offset(self, values: Mapping[str, Any]) -> float:
        """Constant of the objective that the conic form leaves out."""
        return float((self.form.q[-1] @ self.vector(values))[0]) if self.form.q.shape[0] else 0.0


def _same_but_b(one: Data, two: Data) -> bool:
    """Whether two problems differ in their right sides alone."""
    return (
        np.array_equal(one.A.indptr, two.A.indptr)
        and np.array_equal(one.A.indices, two.A.indices)
        and np.array_equal(one.A.data, two.A.data)
        and np.array_equal(one.q, two.q)
        and np.array_equal(one.P.data, two.P.data)
    )


def _outside(values: FloatArray, nonneg: int, soc: Sequence[int]) -> float:
    """How far a vector is outside the product of cones."""
    worst = float(np.maximum(-values[:nonneg], 0.0).max(initial=0.0))
    place = nonneg
    for size in soc:
        part = values[place : place + size]
        worst = max(worst, float(np.linalg.norm(part[1:]) - part[0]))
        place += size
    return worst
