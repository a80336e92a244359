"""The nearest correlation matrix: Higham's own examples, an independent solver, and what the repair says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.psd import LEAST, nearest_correlation


def indefinite(seed: int, size: int) -> np.ndarray:
    r = np.random.default_rng(seed).uniform(-1, 1, (size, size))
    r = (r + r.T) / 2
    np.fill_diagonal(r, 1.0)
    return r


def test_the_examples_of_higham_2002() -> None:
    found = nearest_correlation(np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]]))
    assert found.matrix == pytest.approx(
        np.array([[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]), abs=5e-5
    )
    tridiagonal = 2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    found = nearest_correlation(tridiagonal)
    first = [1, -0.8084, 0.1916, 0.1068]
    assert found.matrix[0] == pytest.approx(first, abs=5e-5)
    assert np.linalg.norm(found.matrix - tridiagonal) == pytest.approx(2.1337, abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
def test_no_correlation_matrix_is_nearer(seed: int) -> None:
    """The same answer as a semidefinite programme, which knows nothing of projections."""
    import cvxpy as cp

    given_ = indefinite(seed, 6)
    x = cp.Variable((6, 6), PSD=True)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - given_)), [cp.diag(x) == 1])
    problem.solve(solver=cp.CLARABEL)
    found = nearest_correlation(given_)
    assert np.linalg.norm(found.matrix - given_) == pytest.approx(np.sqrt(problem.value), abs=1e-6)
    assert found.matrix == pytest.approx(x.value, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12))
def test_what_comes_out_is_a_correlation_matrix(seed: int, size: int) -> None:
    given_ = indefinite(seed, size)
    found = nearest_correlation(given_)
    r = found.matrix
    assert np.array_equal(r, r.T)
    assert np.array_equal(np.diag(r), np.ones(size))
    assert found.lowest_after == pytest.approx(np.linalg.eigvalsh(r).min(), abs=1e-14)
    assert found.lowest_after > -1e-12
    i, j = found.pair
    assert found.largest_change == pytest.approx(np.abs(r - given_).max(), abs=1e-15)
    assert (found.before, found.after) == (given_[i, j], r[i, j])
    if found.lowest_before > 1e-9:
        assert not found.changed


def test_a_correlation_matrix_stays_as_it_is_and_twice_is_once() -> None:
    x = np.random.default_rng(1).normal(size=(50, 5))
    r = np.corrcoef(x.T)
    r = (r + r.T) / 2
    np.fill_diagonal(r, 1.0)
    found = nearest_correlation(r)
    assert np.array_equal(found.matrix, r)
    assert not found.changed
    repaired = nearest_correlation(indefinite(3, 8))
    assert repaired.changed
    assert repaired.lowest_before < -0.1
    again = nearest_correlation(repaired.matrix)
    assert again.matrix == pytest.approx(repaired.matrix, abs=1e-12)
    assert not again.changed


def test_what_is_not_symmetric_is_averaged_and_the_input_is_not_changed() -> None:
    r = np.array([[1.0, 0.2], [0.6, 1.0]])
    found = nearest_correlation(r)
    assert found.matrix == pytest.approx(np.array([[1, 0.4], [0.4, 1]]))
    assert found.pair == (0, 1)
    assert found.largest_change == pytest.approx(0.2)
    assert r[0, 1] == 0.2


def test_the_lowest_eigenvalue_is_lifted_above_nothing() -> None:
    found = nearest_correlation(np.array([[1.0, 1, -1], [1, 1, 1], [-1, 1, 1]]))
    assert 0 < found.lowest_after < 10 * LEAST


@pytest.mark.parametrize("wrong", [np.ones((2, 3)), np.array([[1.0, np.nan], [np.nan, 1.0]]), np.ones(3)])
def test_what_is_no_matrix_raises(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="square matrix"):
        nearest_correlation(wrong)
