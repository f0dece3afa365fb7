"""Poisson likelihood: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.poisson_fit import poisson_fit


def straight(x):
    """Expected counts exp(a + b x)."""
    basis = np.vstack([np.ones_like(x), x])

    def model(values):
        expected = np.exp(values @ basis)
        return expected, basis * expected

    return model


def test_a_constant_is_the_mean_with_its_poisson_error():
    counts = np.random.default_rng(1).poisson(7, 400).astype(float)
    fit = poisson_fit(lambda v: (np.full(400, v[0]), np.ones((1, 400))), counts, np.array([1.0]), np.array([100.0]))
    assert fit.converged
    assert fit.values[0] == pytest.approx(counts.mean(), rel=1e-4)
    assert fit.covariance[0, 0] == pytest.approx(counts.mean() / 400, rel=1e-3)


def test_errors_and_values_over_many_fits():
    rng, x = np.random.default_rng(2), np.linspace(0, 3, 40)
    truth = np.array([2.0, -1.0])
    expected, _ = straight(x)(truth)
    fits = [
        poisson_fit(straight(x), rng.poisson(expected).astype(float), np.zeros(2), np.full(2, 3.0)) for _ in range(300)
    ]
    z = np.array([(fit.values - truth) / np.sqrt(np.diag(fit.covariance)) for fit in fits])
    assert abs(z.mean(axis=0)).max() < 0.2
    assert z.std(axis=0) == pytest.approx([1, 1], abs=0.12)


def test_a_prior_holds_what_the_counts_do_not_tell():
    x = np.linspace(0, 3, 40)
    fit = poisson_fit(straight(x), np.zeros(40), np.array([0.0, -1.0]), np.full(2, 3.0), np.array([1.0, 1e6]))
    assert fit.values[1] == pytest.approx(-1.0, abs=0.01)
    assert fit.values[0] < -1


def test_a_step_beyond_what_floats_hold_is_not_taken():
    """From a bad start the first step leaps to exp(1000); warnings are errors here."""
    x = np.linspace(0, 3, 40)
    counts = np.full(40, 1e8)
    fit = poisson_fit(straight(x), counts, np.array([5.0, 0.0]), np.full(2, 1e12), steps=200)
    assert np.isfinite(fit.values).all()
    assert fit.values == pytest.approx([np.log(1e8), 0.0], abs=0.01)
