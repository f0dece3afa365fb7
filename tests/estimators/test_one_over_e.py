"""1/e times of simulated decays against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from streamer.estimators.one_over_e import BLUR, one_over_e


def times(decay, seed, repeats, tau, period, width, sigma, photons, background):
    """Values and errors of repeated simulations, the background known."""
    rng = np.random.default_rng(seed)
    known = photons * background * width / period
    found = []
    for _ in range(repeats):
        t0 = rng.random() * period
        counts = decay(rng, tau, period, width, t0, sigma, photons, background)
        result = one_over_e(counts, width, period, t0, known, sigma)
        assert result.reason is None
        found.append((result.value_ns, result.error_ns))
    return np.array(found).T


@pytest.mark.parametrize("background", [0.0, 0.3])
@pytest.mark.parametrize("photons", [1_000, 30_000])
@pytest.mark.parametrize(
    ("tau", "period", "width", "sigma"),
    [(1.0, 12.5, 0.064, 0.1), (0.13, 12.5, 0.016, 0.035), (5.0, 12.495, 0.064, 0.1), (50.0, 400.0, 0.128, 0.1)],
)
def test_of_an_exponential_it_is_the_lifetime(decay, tau, period, width, sigma, photons, background):
    value, error = times(decay, 1, 40, tau, period, width, sigma, photons, background)
    assert value.mean() == pytest.approx(tau, abs=0.5 * value.std())  # 40 of them: 3 standard errors
    assert np.mean(abs(value - tau) < 2 * error) >= 0.85
    assert value.std() < 5 * tau / np.sqrt(photons * (1 - background))


def test_of_two_exponentials_it_is_where_their_sum_falls_to_1_over_e(decay):
    def two(rng, n):
        return np.where(rng.random(n) < 0.5, rng.exponential(3.0, n), rng.exponential(30.0, n))

    def height(t):
        return np.exp(-t / 3) / 3 + np.exp(-t / 30) / 30

    begin = BLUR * 0.1
    truth = brentq(lambda t: height(begin + t) - height(begin) / np.e, 0, 100)
    value, _ = times(decay, 2, 15, two, 400.0, 0.064, 0.1, 300_000, 0.1)
    assert value.mean() == pytest.approx(truth, rel=0.015)
    value, _ = times(decay, 2, 15, two, 400.0, 0.064, 0.1, 10_000, 0.1)
    assert value.mean() == pytest.approx(truth, rel=0.06)


def test_detectors_with_their_own_time_and_efficiency_add_up(decay):
    rng = np.random.default_rng(3)
    one = decay(rng, 20.0, 399.9, 0.128, 3.0, 0.1, 20_000, 0.1)
    two = decay(rng, 20.0, 399.9, 0.128, 37.77, 0.1, 5_000, 0.2)
    known = [2_000 * 0.128 / 399.9, 1_000 * 0.128 / 399.9]
    both = one_over_e(np.array([one, two]), 0.128, 399.9, [3.0, 37.77], known)
    alone = one_over_e(one, 0.128, 399.9, 3.0, known[0])
    assert both.value_ns == pytest.approx(20, abs=4 * both.error_ns)
    assert both.error_ns < alone.error_ns


def test_reasons(decay):
    rng = np.random.default_rng(4)

    def why(tau, period, width, photons, background=0.0):
        counts = decay(rng, tau, period, width, 2.0, 0.05, photons, background)
        return one_over_e(counts, width, period, 2.0, photons * background * width / period, 0.05).reason

    assert "fewer than 100" in why(5.0, 50.0, 0.1, 60)
    assert "above the background" in why(5.0, 50.0, 0.1, 5_000, 0.998)
    assert "does not fall to 1/e" in why(30.0, 12.5, 0.1, 100_000)
    assert "too wide" in why(0.1, 12.5, 0.5, 10_000)
