"""The blurred two-sided exponential against numerical integration."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from streamer.estimators.two_sided import below, mean_over_bins


@pytest.mark.parametrize(("tau", "sigma"), [(2.0, 0.5), (1.0, 3.0), (5.0, 0.01)])
def test_share_below_is_the_integral(tau, sigma):
    def density(x):
        return quad(
            lambda y: np.exp(-abs(y) / tau) / (2 * tau) * norm.pdf(x - y, scale=sigma),
            x - 9 * sigma,
            x + 9 * sigma,
            points=[0.0, x] if abs(x) < 9 * sigma else [x],
        )[0]

    for t in (-3.0, 0.0, 0.7, 4.0):
        want = 0.5 + quad(density, 0, t, limit=200)[0]
        assert below(np.array([t]), tau, sigma)[0] == pytest.approx(want, abs=1e-6)


def test_no_blur_is_the_limit_of_little():
    t = np.linspace(-40, 40, 101)
    assert below(t, 3.0, 0.0) == pytest.approx(below(t, 3.0, 1e-4), abs=1e-4)
    assert np.all(np.diff(below(np.linspace(-500, 500, 4001), 0.1, 20.0)) >= 0)
    assert np.isfinite(below(np.array([-1e6, 1e6]), 0.1, 20.0)).all()


def test_mean_over_a_bin_is_not_its_centre():
    edges = np.array([-1.0, 1.0])
    assert mean_over_bins(edges, 1.0, 0.0)[0] == pytest.approx(1 - np.exp(-1))
