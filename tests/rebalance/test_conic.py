"""The conic form and the proof: the numbers are cvxpy's own, and an answer that is not one is found out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ON, make_book
from programmes import EVERY, Case, cases

from allocator.book import Book
from allocator.pipeline import analyze, rebalance
from allocator.rebalance.conic import Answer, Data
from allocator.rebalance.model import Model, compiled, model_of, padded, shape_of
from allocator.rebalance.parameters import Aim
from allocator.rebalance.solve import TIGHT, solve

SHAPES = ("classic", EVERY, "chhabra")


def models() -> list[Model]:
    """Small programmes of each set of limits that the frameworks know."""
    return [compiled(shape_of(next(cases(5, 3, framework)).problem)) for framework in SHAPES]


@pytest.mark.parametrize("seed", range(3))
def test_the_data_are_those_of_cvxpy(seed: int) -> None:
    """One sparse product against what cvxpy assembles for the same values of the parameters, each one random."""
    r = np.random.default_rng(seed)
    for model in models():
        values = {}
        for name, parameter in model.parameters.items():
            drawn = r.normal(size=parameter.shape) * (r.random(parameter.shape) < 0.8)
            values[name] = np.abs(drawn) if parameter.is_nonneg() else drawn
            parameter.value = values[name]
        ours = model.cone.data(values)
        theirs, _, _ = model.problem.get_problem_data("CLARABEL")
        assert np.abs(ours.A - theirs["A"]).max() < 1e-12
        assert np.abs(ours.P - np.triu(theirs["P"].toarray())).max() < 1e-12
        assert np.allclose(ours.b, theirs["b"], atol=1e-12)
        assert np.allclose(ours.q, theirs["c"], atol=1e-12)
        dims = theirs["dims"]
        assert (model.cone.zero, model.cone.nonneg, model.cone.soc) == (dims.zero, dims.nonneg, list(dims.soc))
        assert model.cone.zero + model.cone.nonneg + sum(model.cone.soc) == len(ours.b)


def test_a_parameter_that_changes_alone_changes_the_data() -> None:
    """No parameter is left out of the map."""
    for model in models():
        base = {name: np.ones(p.shape) for name, p in model.parameters.items()}
        first = model.cone.vector(base)
        for name, p in model.parameters.items():
            moved = model.cone.vector(base | {name: np.full(p.shape, 2.0)})
            assert (moved != first).sum() == max(int(np.prod(p.shape)), 1), name


def answered(case: Case) -> tuple[Model, Data, Answer]:
    found = solve(case.problem)
    assert found is not None
    assert found.at is not None
    return found.at


@pytest.mark.parametrize("framework", SHAPES, ids=["classic", "every", "chhabra"])
def test_true_answers_are_proved(framework: Any) -> None:
    for seed in range(5):
        for case in cases(seed, 4, framework):
            model, data, answer = answered(case)
            proof = model.cone.proof(data, answer)
            assert max(proof.primal, proof.dual, proof.gap) < 1e-7
            assert proof.holds


def test_the_proof_is_what_dense_matrices_say() -> None:
    """Residuals of the optimality conditions, written once more and slowly, for a slightly wrong answer."""
    r = np.random.default_rng(3)
    for case in cases(11, 6, EVERY):
        model, data, answer = answered(case)
        x, z = answer.x + r.normal(size=len(answer.x)) * 1e-4, answer.z + r.normal(size=len(answer.z)) * 1e-4
        proof = model.cone.proof(data, replace(answer, x=x, z=z))
        p = np.triu(data.P.toarray())
        p = p + np.triu(p, 1).T
        a, cone = data.A.toarray(), model.cone
        slack = data.b - a @ x
        worst = [np.abs(slack[: cone.zero]).max(), -slack[cone.zero : cone.zero + cone.nonneg].min()]
        at = cone.zero + cone.nonneg
        for size in cone.soc:
            worst.append(np.linalg.norm(slack[at + 1 : at + size]) - slack[at])
            at += size
        assert proof.primal == pytest.approx(max(worst), rel=1e-9)
        value, bound = 0.5 * x @ p @ x + data.q @ x, -0.5 * x @ p @ x - data.b @ z
        assert proof.gap == pytest.approx(abs(value - bound) / max(1.0, abs(value)), rel=1e-6)
        assert proof.dual > 0


class TestWrongAnswersAreFoundOut:
    def test_a_point_that_breaks_the_money(self) -> None:
        for case in cases(2, 6):
            model, data, answer = answered(case)
            x = answer.x.copy()
            x[model.places("w").start + case.x.cash] += 1e-6
            proof = model.cone.proof(data, replace(answer, x=x))
            assert proof.primal > 9e-7
            assert not proof.holds

    def test_a_point_that_keeps_every_constraint_but_is_no_optimum(self) -> None:
        """The starting point keeps all constraints: the gap tells."""
        seen = 0
        for case in cases(2, 12):
            p = case.problem
            found, still = solve(p), solve(p.bounded(most_buy=p.start.buy, most_sell=p.start.sell))
            assert found is not None
            if still is None or still.objective < found.objective + 1e-3:
                continue
            assert found.at is not None
            assert still.at is not None
            model, data, answer = found.at
            proof = model.cone.proof(data, replace(answer, x=still.at[2].x))
            assert proof.gap > 1e-6
            assert not proof.holds
            seen += 1
        assert seen >= 3

    @pytest.mark.parametrize("size", [1e-3, 1.0])
    def test_multipliers_that_are_off(self, size: float) -> None:
        for case in cases(4, 6):
            model, data, answer = answered(case)
            for sign in (1, -1):
                z = answer.z.copy()
                z[model.cone.zero + int(np.abs(data.A[model.cone.zero :]).sum(axis=1).argmax())] += sign * size
                assert not model.cone.proof(data, replace(answer, z=z)).holds

    def test_multipliers_of_the_wrong_sign(self) -> None:
        """Stationary, but outside the dual cone: a limit would be paid for being broken."""
        for case in cases(4, 6):
            model, data, answer = answered(case)
            at = slice(model.cone.zero, model.cone.zero + model.cone.nonneg)
            z = answer.z.copy()
            z[at] = -z[at]
            assert model.cone.proof(data, replace(answer, z=z)).dual > 1e-3

    def test_a_cone_that_is_broken(self) -> None:
        """A volatility above what its cone allows, and nothing else wrong: the primal residual says it."""
        for case in cases(6, 6):
            model, data, answer = answered(case)
            at = model.cone.zero + model.cone.nonneg
            assert model.cone.soc
            b = data.b.copy()
            b[at] -= (data.b - data.A @ answer.x)[at] + 1e-3  # the cone's bound is now 0.001 below 0
            proof = model.cone.proof(replace(data, b=b), answer)
            assert proof.primal >= 1e-3
            assert not proof.holds

    def test_numbers_that_are_none(self) -> None:
        case = next(cases(4, 6))
        model, data, answer = answered(case)
        assert not model.cone.proof(data, replace(answer, x=answer.x * np.nan)).holds
        assert not model.cone.proof(data, replace(answer, z=answer.z * np.nan)).holds


def test_what_is_called_infeasible_is_refuted() -> None:
    """Farkas: a multiplier that adds the limits up to a contradiction; a feasible programme has none."""
    refuted = 0
    for case in cases(77, 30, EVERY, aim=Aim(hard=True)):
        model = model_of(case.problem)
        data = model.cone.data(padded(case.problem, model.shape))
        answer = model.cone.solve(data, TIGHT)
        if answer.status == "infeasible":
            assert model.cone.refuted(data, answer)
            assert not model.cone.refuted(data, replace(answer, z=-answer.z))
            assert not model.cone.refuted(data, replace(answer, z=answer.z * 0.0))
            z = answer.z + np.random.default_rng(0).normal(size=len(answer.z)) * 1e-2 * np.abs(answer.z).max()
            assert not model.cone.refuted(data, replace(answer, z=z))
            refuted += 1
        else:
            assert not model.cone.refuted(data, answer)
    assert refuted >= 5


def test_every_plan_of_the_sample_book_is_proved(sample: Book) -> None:
    for framework in ("classic", EVERY):
        plan = rebalance(analyze(sample, framework, on=ON), explain=False)
        s = plan.summary
        solved = s[s["solver"] != "none"]
        assert len(solved) >= 10
        assert (solved[["primal", "dual", "duality_gap"]] < 1e-7).all(axis=None)
        assert solved["primal"].max() < 1e-8
        unsolved = s[s["solver"] == "none"]
        assert unsolved["duality_gap"].isna().all()


def test_a_plan_does_not_depend_on_what_was_planned_before() -> None:
    """Where the optimum is flat the last digits of an answer are money: a solver used again must give the same."""
    rows = [{"client_id": "a", "asset_id": "x", "asset_class": "treasury_bill", "value": 11491937407.38}]
    analysis = analyze(
        make_book(pd.DataFrame(rows), [{"client_id": "a", "risk_band": "conservative"}]), "chhabra", on=ON
    )
    compiled.cache_clear()
    plans = [rebalance(analysis, explain=False, goal="return", engine="client") for _ in range(3)]
    assert plans[0].trades.equals(plans[1].trades)
    assert plans[0].trades.equals(plans[2].trades)
