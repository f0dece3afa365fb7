"""The propagator of a rate matrix against the general matrix exponential."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from sources.simulation.relaxation import propagator


@pytest.mark.parametrize("levels", [2, 4, 51])
@pytest.mark.parametrize("t", [0.0, 1e-30, 0.01, 1.0, 37.0, 1e4])
def test_against_the_matrix_exponential(levels: int, t: float) -> None:
    rng = np.random.default_rng(levels)
    rates = rng.random((levels, levels)) * 10 ** rng.uniform(-2, 1, (levels, levels))
    np.fill_diagonal(rates, 0.0)
    rates -= np.diag(rates.sum(axis=1))
    for matrix in (rates, np.ascontiguousarray(rates.T)):
        moved = propagator(matrix, t)
        np.testing.assert_allclose(moved, expm(matrix * t), atol=1e-10)
        assert moved.min() >= 0.0


def test_levels_that_are_never_left() -> None:
    np.testing.assert_array_equal(propagator(np.zeros((3, 3)), 5.0), np.eye(3))
