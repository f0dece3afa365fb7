"""Lifetimes of segments: moments against draws, intervals that hold the truth, and where nothing is said."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.segment_lifetimes import LEAST_SIGNAL, MeanArrival, segment_lifetimes
from tests.coverage.cases import segment_lifetime as cases

EARLY = 0.5


@pytest.mark.parametrize("tau", [2.0, 20.0, 80.0])
def test_moments_are_those_of_wrapped_photons(tau):
    rng = np.random.default_rng(1)
    times = (tau * rng.standard_exponential(400_000) + EARLY) % 50.0 - EARLY
    arrival = MeanArrival(50.0, EARLY)
    assert np.all(np.diff(arrival.mean) > 0)
    assert np.interp(tau, arrival.tau, arrival.mean) == pytest.approx(times.mean(), abs=4 * times.std() / 632)
    assert np.interp(tau, arrival.tau, arrival.variance) == pytest.approx(times.var(), rel=0.02)
    assert arrival.inverse(times.mean()) == pytest.approx(tau, rel=0.02)


def test_background_and_wrap_are_corrected():
    rng = np.random.default_rng(2)
    light, dark = 40_000, 20_000
    times = (20.0 * rng.standard_exponential(light) + EARLY) % 50.0 - EARLY
    total = times.sum() + (50.0 * rng.random(dark) - EARLY).sum()
    found = segment_lifetimes(np.array([light + dark]), np.array([total]), np.array([dark]), 50.0, EARLY)
    assert abs(found.tau_ns[0] - 20.0) < 3 * found.error_ns[0]
    assert found.error_ns[0] < 1
    assert found.signal[0] == light


def test_nothing_is_said_of_few_photons_or_impossible_means():
    n = np.array([int(LEAST_SIGNAL) - 1, 100, 100, 100])
    sums = np.array([100.0, -50.0, 100 * 40.0, 500.0])
    found = segment_lifetimes(n, sums, np.zeros(4), 50.0, EARLY)
    assert np.isnan(found.tau_ns).tolist() == [True, True, True, False]
    for one in (found.error_ns, found.low_ns, found.high_ns):
        assert np.isnan(one).tolist() == [True, True, True, False]
    assert found.low_ns[3] < found.tau_ns[3] < found.high_ns[3]


@pytest.mark.slow
def test_intervals_hold_the_truth():
    trials = list(cases.stretches(np.random.default_rng(3), 1200))
    told = [one for one in trials if one.value is not None]
    held = sum(one.low <= one.truth and (one.high is None or one.truth <= one.high) for one in told)
    assert 0.93 < held / len(told) < 0.97
