"""Decay models against integrals worked out plainly, and every derivative against differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from streamer.estimators.decay_model import Stretched, by_shares, measured_exponential
from streamer.estimators.decay_shape import gaussian_exponential
from streamer.estimators.response import Measured

PERIOD = 25.3
Y = np.linspace(-2.0, 20.0, 301)


def measured(sigma: float, width: float = 0.004) -> Measured:
    """A Gaussian, in bins."""
    edges = np.arange(-round(5 * sigma / width), round(5 * sigma / width) + 1) * width
    shares = np.diff(ndtr(edges / sigma))
    return Measured(shares / shares.sum(), shares / 1e4, float(edges[0]), width, 0.0, sigma, sigma, 1e4, 0.0)


def plain(tau: float, beta: float, sigma: float, y: np.ndarray, pulses: int = 60) -> np.ndarray:
    """Light between the y: the survival of a stretched exponential, summed over pulses and a fine grid of delays."""
    fine = np.linspace(-6, 6, 1201)
    weight = np.exp(-(fine**2) / 2)
    weight /= weight.sum()
    times = np.linspace(0, (pulses + 2) * PERIOD, 400_001)
    density = np.exp(-((times / tau) ** beta))
    area = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    area /= area[-1]
    late = y[:, None] - sigma * fine[None, :]
    return np.diff(sum(np.interp(late + k * PERIOD, times, area, left=0.0) @ weight for k in range(pulses)))


@pytest.mark.parametrize(("tau", "sigma"), [(5.0, 0.1), (0.3, 0.15), (40.0, 0.2)])
def test_an_exponential_equals_a_sum_over_pulses_and_delays(tau, sigma):
    light = np.diff(gaussian_exponential(Y, math.log(tau), math.log(sigma), PERIOD)[0])
    np.testing.assert_allclose(light, plain(tau, 1.0, sigma, Y), atol=2e-5)


@pytest.mark.parametrize(("tau", "beta"), [(5.0, 0.6), (2.0, 1.3), (1.0, 0.8)])
def test_a_stretched_exponential_equals_a_sum_over_pulses_and_delays(tau, beta):
    for response in (None, measured(0.1)):
        model = Stretched(response, PERIOD)
        light = np.diff(model(Y, math.log(tau), math.log(beta), math.log(0.1))[0])
        np.testing.assert_allclose(light, plain(tau, beta, 0.1, Y), atol=3e-5)


@pytest.mark.parametrize("tau", [5.0, 0.057, 40.0, 0.02])
def test_a_measured_gaussian_is_a_gaussian(tau):
    by_bins = measured_exponential(Y, math.log(tau), measured(0.1), PERIOD)
    exact = gaussian_exponential(Y, math.log(tau), math.log(0.1), PERIOD)
    np.testing.assert_allclose(by_bins[0], exact[0], atol=5e-5)
    np.testing.assert_allclose(by_bins[2], exact[2], atol=5e-5)


def test_light_over_a_period_is_one():
    y = np.array([-2.0, PERIOD - 2.0])
    for tau in (0.05, 3.0, 60.0):
        assert np.diff(gaussian_exponential(y, math.log(tau), math.log(0.1), PERIOD)[0])[0] == pytest.approx(1.0)
        assert np.diff(measured_exponential(y, math.log(tau), measured(0.1), PERIOD)[0])[0] == pytest.approx(1.0)


def test_derivatives_are_those_of_differences():
    step = 1e-5
    response = measured(0.1)
    stretched = Stretched(None, PERIOD)
    models = [
        (lambda y, a, b: gaussian_exponential(y, a, b, PERIOD), (1.0, math.log(0.1)), (2, 3)),
        (lambda y, a: measured_exponential(y, a, response, PERIOD), (1.0,), (2,)),
        (stretched, (0.7, math.log(0.6), math.log(0.1)), (2, 4, 3)),
    ]
    for model, at, places in models:
        found = model(Y, *at)
        difference = (model(Y + step, *at)[0] - model(Y - step, *at)[0]) / (2 * step)
        np.testing.assert_allclose(found[1], difference, atol=3e-5)
        for i, place in enumerate(places):
            up, down = ([*at[:i], at[i] + side * step, *at[i + 1 :]] for side in (1, -1))
            difference = (model(Y, *up)[0] - model(Y, *down)[0]) / (2 * step)
            np.testing.assert_allclose(found[place], difference, atol=3e-5)


def test_a_measured_decay_is_linear_in_the_shares():
    response = measured(0.1)
    each = by_shares(Y, 1.0, response, PERIOD)
    np.testing.assert_allclose(response.shares @ each, measured_exponential(Y, 1.0, response, PERIOD)[0], atol=1e-12)


def test_without_slopes_the_value_is_the_same():
    full = gaussian_exponential(Y, 1.0, -2.0, PERIOD)
    np.testing.assert_array_equal(gaussian_exponential(Y, 1.0, -2.0, PERIOD, slopes=False)[0], full[0])
    full = measured_exponential(Y, 1.0, measured(0.1), PERIOD)
    np.testing.assert_array_equal(measured_exponential(Y, 1.0, measured(0.1), PERIOD, slopes=False)[0], full[0])
