"""Shape of a decay: against numerical integrals and photons."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chisquare, exponnorm

from streamer.errors import InputError
from streamer.estimators.decay_shape import bin_edges, cumulative, unwrap


@pytest.mark.parametrize(
    ("n", "width", "period", "last"), [(4, 0.25, 1.0, 0.25), (6, 0.3, 1.0, 0.1), (9, 0.1, 0.3, 0.1)]
)
def test_bins_end_with_the_period(n, width, period, last):
    edges = bin_edges(n, width, period)
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(period)
    assert edges[-1] - edges[-2] == pytest.approx(last)


def test_bins_that_end_before_the_period_are_refused():
    with pytest.raises(InputError, match=r"cover the laser period of 400 ns, got 1000 of 0.128 ns"):
        bin_edges(1000, 0.128, 400.0)


@pytest.mark.parametrize("t0", [0.0, 0.05, 3.3, 9.99, 12.45, 25.0, -1.0])
def test_unwrapping_puts_every_bin_after_the_cut(t0):
    edges = bin_edges(60, 0.21, 12.4)
    first, x = unwrap(edges, t0, 1.5)
    assert -1.5 <= x[0] < -1.5 + 0.21
    assert x[-1] - x[0] == pytest.approx(12.4)
    middles = (np.roll((edges[1:] + edges[:-1]) / 2, -first) - t0) % 12.4
    np.testing.assert_allclose(((x[1:] + x[:-1]) / 2) % 12.4, middles, atol=1e-9)


@pytest.mark.parametrize(
    ("tau", "sigma", "period"), [(4.0, 0.0, 12.5), (4.0, 0.2, 12.5), (0.3, 0.2, 12.5), (50.0, 0.1, 20.0)]
)
def test_integral_equals_that_of_the_wrapped_density(tau, sigma, period):
    def density(t):
        times = t + period * np.arange(int(40 * tau / period) + 2)
        if sigma:
            return exponnorm.pdf(times, tau / sigma, scale=sigma).sum()
        return (np.exp(-times[times > 0] / tau) / tau).sum()

    x = np.array([-1.3, -0.1, 0.0, 0.15, 1.0, 5.0, period - 1.5])
    total = cumulative(x, tau, sigma, period)
    expected = [quad(density, a, b, points=[0.0] if a < 0 < b else None, limit=200)[0] for a, b in pairwise(x)]
    np.testing.assert_allclose(np.diff(total), expected, rtol=1e-6, atol=1e-9)
    ends = cumulative(np.array([-1.5, period - 1.5]), tau, sigma, period)
    assert ends[1] - ends[0] == pytest.approx(1, abs=1e-6)


def test_photons_fall_as_the_shape_says(decay):
    rng = np.random.default_rng(1)
    counts = decay(rng, 3.0, 12.495, 0.256, 11.9, 0.2, 200_000)
    edges = bin_edges(len(counts), 0.256, 12.495)
    first, x = unwrap(edges, 11.9, 1.5)
    expected = np.diff(cumulative(x, 3.0, 0.2, 12.495))
    assert chisquare(np.roll(counts, -first), expected / expected.sum() * counts.sum()).pvalue > 0.001
