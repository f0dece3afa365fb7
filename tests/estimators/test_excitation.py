"""The excitation found in simulated decays: bias and error against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.excitation import _blurred_edge, find_t0, locate_excitation


def misses(decay, seed, repeats, tau, period, width, sigma, photons, background):
    """Errors in ns and in standard errors of repeated searches, and how often nothing was found."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        t0 = rng.random() * period
        place = locate_excitation(decay(rng, tau, period, width, t0, sigma, photons, background), width, period)
        if place.t0_ns is not None:
            assert 0 <= place.t0_ns < period
            off = (place.t0_ns - t0 + period / 2) % period - period / 2
            found.append((off, off / place.error_ns, place.sigma_ns))
    return np.array(found).reshape(-1, 3), repeats - len(found)


def test_derivatives_of_the_edge_are_those_of_its_counts():
    x = np.linspace(-2, 5, 40)
    for values in (np.array([0.1, -2.0, 0.5, 6, 1.0]), np.array([0.1, -1.0, 2.5, 6, 1.0])):
        _, slopes = _blurred_edge(values, x, 12.5)
        for k, slope in enumerate(slopes):
            step = 1e-5 * (np.arange(5) == k)
            numeric = (_blurred_edge(values + step, x, 12.5)[0] - _blurred_edge(values - step, x, 12.5)[0]) / 2e-5
            np.testing.assert_allclose(slope, numeric, atol=1e-6 * abs(numeric).max())


@pytest.mark.parametrize("background", [0.0, 0.5])
@pytest.mark.parametrize(("sigma", "width"), [(0.05, 0.016), (0.1, 0.032), (0.3, 0.128), (0.05, 0.256)])
@pytest.mark.parametrize(("tau", "period"), [(0.5, 12.5), (2.0, 12.495), (10.0, 100.0), (100.0, 400.0)])
def test_bias_is_within_the_error_at_many_photons(decay, tau, period, sigma, width, background):
    found, nothing = misses(decay, 1, 6, tau, period, width, sigma, 100_000, background)
    assert nothing == 0
    assert abs(found[:, 1].mean()) < 1.6  # of 6: 0.4 standard errors, and what coarse bins hide of a sharp edge
    assert abs(found[:, 0]).max() < 0.1
    if width < 2 * sigma:  # wider bins do not show it
        assert found[:, 2].mean() == pytest.approx(sigma, rel=0.2)


@pytest.mark.slow
def test_bias_and_error_over_the_whole_range(decay):
    every = []
    for photons in (1_000, 10_000, 300_000):
        for tau, period in ((0.5, 12.5), (2.0, 12.495), (10.0, 12.495), (10.0, 100.0), (30.0, 400.0), (100.0, 400.0)):
            for sigma, width in ((0.05, 0.016), (0.05, 0.256), (0.1, 0.032), (0.3, 0.016), (0.3, 0.128)):
                for background in (0.0, 0.5):
                    found, _ = misses(decay, 2, 15, tau, period, width, sigma, photons, background)
                    every.append(found)
    z = np.concatenate(every)[:, 1]
    assert abs(np.median(z)) < 0.25  # an edge is found late rather than early: by the distance to the first photon
    assert np.mean(abs(z) < 2) > 0.92
    assert np.mean(abs(z) < 5) > 0.99


def test_few_photons_are_told_apart_from_none(decay):
    found, nothing = misses(decay, 3, 40, 20.0, 400.0, 0.128, 0.1, 300, 0.1)
    assert nothing == 0
    assert abs(np.median(found[:, 0])) < 0.2
    rng = np.random.default_rng(4)
    assert find_t0(decay(rng, 20.0, 400.0, 0.128, 5.0, 0.1, 100), 0.128, 400.0) is None
    flat = [rng.poisson(n / 3125, 3125) for n in (300, 3000, 100_000) for _ in range(30)]
    assert all(find_t0(counts, 0.128, 400.0) is None for counts in flat)


def test_the_decay_need_not_be_exponential(decay):
    def two(rng, n):
        return np.where(rng.random(n) < 0.3, rng.exponential(1.0, n), rng.exponential(25.0, n))

    found, _ = misses(decay, 5, 20, two, 400.0, 0.064, 0.1, 100_000, 0.1)
    assert abs(found[:, 0].mean()) < 0.01


def test_reasons():
    assert "0 photons: fewer than" in locate_excitation(np.zeros(100, np.int64), 0.1, 10.0).reason
    assert "flat" in locate_excitation(np.full(100, 50), 0.1, 10.0).reason
