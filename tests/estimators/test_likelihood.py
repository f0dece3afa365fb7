"""Poisson maximum likelihood with bounds: against plain formulas, and intervals against the likelihood itself."""

import numpy as np
import pytest
from scipy.optimize import brentq

from streamer.estimators.likelihood import maximise

X = np.arange(200.0)


def decay(values):
    return values[0] * np.exp(-X / values[1]) + values[2]


def slopes(values):
    e = np.exp(-X / values[1])
    return np.array([e, values[0] * e * X / values[1] ** 2, np.ones_like(X)])


@pytest.fixture
def counts():
    return np.random.default_rng(1).poisson(decay([100.0, 20.0, 3.0])).astype(float)


START = {"height": 50.0, "tau": 10.0, "base": 1.0}
LIMITS = {"height": (0.0, None), "tau": (0.1, None), "base": (0.0, None)}


def test_a_mean_is_the_mean_and_its_interval_that_of_the_likelihood():
    counts = np.array([3.0, 5.0, 1.0, 4.0])
    found = maximise(lambda v: np.full(4, v[0]), counts, {"rate": 1.0}, {"rate": (1e-6, None)})
    assert found["rate"] == pytest.approx(13 / 4, abs=0.005 * np.sqrt(13) / 4)
    assert found.errors[0] == pytest.approx(np.sqrt(13) / 4, rel=1e-2)
    low, high = found.interval("rate")

    def drop(rate):
        return 4 * rate - 13 * np.log(rate) - (13 - 13 * np.log(13 / 4)) - 1.920729

    assert low == pytest.approx(brentq(drop, 0.5, 3.25), rel=1e-2)
    assert high == pytest.approx(brentq(drop, 3.25, 9), rel=1e-2)
    assert found.deviance == pytest.approx(2 * np.sum(counts * np.log(counts / 3.25)), abs=1e-3)


def test_numerical_and_analytic_slopes_agree(counts):
    by_hand, by_minuit = (maximise(decay, counts, START, LIMITS, slopes=one) for one in (slopes, None))
    assert by_hand.values == pytest.approx(by_minuit.values, abs=0.01 * by_hand.errors.min())
    assert by_hand.converged
    assert by_hand.free == 3


def test_a_profile_found_by_force_is_that_of_minos(counts):
    found = maximise(decay, counts, START, LIMITS, slopes=slopes)
    low, high = found.interval("tau")
    assert low == pytest.approx(found._profiled("tau", -1, 0.95), abs=0.01 * found.errors[1])
    assert high == pytest.approx(found._profiled("tau", 1, 0.95), abs=0.01 * found.errors[1])
    assert low < 20 < high


def test_a_bound_is_an_end_of_the_interval():
    counts = np.random.default_rng(2).poisson(decay([100.0, 20.0, 0.0])).astype(float)
    found = maximise(decay, counts, START, LIMITS, slopes=slopes)
    low, high = found.interval("base")
    assert low == 0.0
    assert 0 < high < 1
    fixed = maximise(decay, counts, START | {"base": 0.0}, LIMITS, fixed=("base",), slopes=slopes)
    assert fixed["base"] == 0.0
    assert fixed.free == 2
    assert fixed.covariance[2, 2] == 0.0
    assert found.bic(counts.sum()) > fixed.bic(counts.sum())
    assert fixed.at_bound("base")
    assert not fixed.at_bound("tau")


def test_a_prior_pulls():
    counts = np.array([3.0, 5.0, 1.0, 4.0])
    found = maximise(
        lambda v: np.full(4, v[0]), counts, {"rate": 1.0}, {"rate": (1e-6, None)},
        penalty=lambda v: float((v[0] - 1.0) ** 2 / 2 / 0.01**2),
    )  # fmt: skip
    assert found["rate"] == pytest.approx(1.0, abs=0.01)
