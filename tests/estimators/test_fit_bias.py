"""Bias of a fit: against the mean over many draws of a model whose estimate is known."""

import numpy as np
import pytest

from streamer.estimators.fit_bias import first_order_bias


def test_rate_from_a_waiting_time():
    """Counts of mean c / t: the best t is c / n, whose mean is t (1 + 1/n) to first order."""
    scale = 50.0

    def model(values):
        return np.array([scale / values[0]])

    def slopes(values):
        return np.array([[-scale / values[0] ** 2]])

    values = np.array([1.0])
    variance = np.array([[values[0] ** 2 / 50]])
    found = first_order_bias(model, slopes, values, variance)
    drawn = np.random.default_rng(1).poisson(scale, 200_000)
    assert found[0] == pytest.approx(0.02, rel=0.05)
    assert found[0] == pytest.approx(np.mean(scale / drawn) - 1, rel=0.1)


def test_a_straight_model_has_none_and_what_is_fixed_stays():
    def model(values):
        return np.array([10.0, 20.0]) * values[0] + values[1]

    def slopes(values):
        return np.array([[10.0, 20.0], [1.0, 1.0]])

    assert first_order_bias(model, slopes, np.array([1.0, 2.0]), np.diag([0.1, 0.0])) == pytest.approx([0.0, 0.0])
