"""Cascade: the model against the simulated emitter's exact g2, numerical integration, and its own derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from sources.simulation import cw
from streamer.estimators.cascade import (
    NAMES,
    Cascade,
    bin_averages,
    bin_slopes,
    g2_bands,
    leaking,
    mixture,
    overlay,
    populations,
    shares,
    time_constants_ns,
)
from streamer.registry import open_source

SHELL = Cascade(1e3 / 30, 2.0, 0.05, 0.02, yields=0.9)


@pytest.fixture(scope="module")
def emitter():
    """Settings and state of the simulated cascade."""
    settings = open_source("simulate:cascade").settings
    return settings, settings.states[0]


def test_bands_are_those_of_the_simulated_emitter(emitter):
    tau = np.array([0.0, 0.5, 3.0, 10.0, 50.0, 300.0])
    assert g2_bands(tau, SHELL) == pytest.approx(cw.g2_bands(*emitter, tau), abs=1e-9)
    assert time_constants_ns(SHELL) == pytest.approx(cw.time_constants_ns(*emitter))
    assert populations(SHELL.k1, SHELL.pump, 4 * SHELL.k1) == pytest.approx(cw.populations(*emitter)[:3])


def test_bands_solve_the_rate_equations():
    k1, pump, k2 = 20.0, 8.0, 50.0
    matrix = np.array([[-pump, k1, 0], [pump, -k1 - pump, k2], [0, pump, -k2]])
    tau = np.array([1.0, 7.0, 40.0])
    for photon, left in ((0, [1.0, 0.0, 0.0]), (1, [0.0, 1.0, 0.0])):
        solved = solve_ivp(lambda t, n: matrix @ n, (0, 0.05), left, t_eval=tau / 1e3, rtol=1e-10, atol=1e-12).y
        expected = solved[1:] / populations(k1, pump, k2)[1:, None]
        assert g2_bands(tau, Cascade(k1, pump, ratio=2.5))[photon] == pytest.approx(expected, rel=1e-6)


def test_limits_at_zero_delay():
    """No second X photon at once, none of XX after either, but X surely after XX: its chance is 1 / n1."""
    zero = g2_bands([0.0], SHELL)[:, :, 0]
    n1 = populations(SHELL.k1, SHELL.pump, 4 * SHELL.k1)[1]
    assert zero == pytest.approx(np.array([[0.0, 0.0], [1 / n1, 0.0]]), abs=1e-9)


def test_curve_is_the_simulated_one_where_tau_is_not_near_zero(emitter):
    edges = np.linspace(-60, 60, 1201)
    middle = (edges[1:] + edges[:-1]) / 2
    assert overlay(edges, SHELL) == pytest.approx(cw.g2_curve(*emitter, 0, 1, middle, background=False), abs=1e-4)
    darkened = cw.g2_curve(*emitter, 0, 1, middle)
    found = (overlay(edges, SHELL) - 1) / (darkened - 1)
    assert found == pytest.approx(np.full(1200, found[0]), rel=1e-3)  # dark counts are a `background`
    assert overlay(edges, replace(SHELL, background=1 - 1 / found[0])) == pytest.approx(darkened, abs=1e-3)


def test_butterfly_spike_and_dip():
    """Separate lines: above 1 after zero, below before. No filters: symmetric. The bunching falls with the pump."""
    edges = np.arange(-41.0, 42.0, 2.0)
    butterfly = overlay(edges, Cascade(33.0, 2.0))
    assert (butterfly[21:25] > 5).all()
    assert (butterfly[15:20] < 0.4).all()
    assert overlay(edges, Cascade(33.0, 20.0)).max() < butterfly.max() / 3
    spike = overlay(edges, Cascade(33.0, 2.0, 1.0, 1.0))
    assert spike == pytest.approx(spike[::-1])
    dip = overlay(edges, Cascade(33.0, 2.0, 1.0, 1.0, yields=0.02))
    assert dip[20] < 0.2
    assert sum(mixture(Cascade(33.0, 2.0, 0.3, 0.1)).values()) == pytest.approx(1.0)
    assert shares(Cascade(33.0, 2.0)) == (0.0, 0.0)
    assert shares(Cascade(30.0, 3.0, 0.1, 0.0)) == pytest.approx((0.5, 0.0))


@pytest.mark.parametrize("sigma", [0.05, 0.4, 3.0])
def test_response_is_folded_in(sigma):
    """Against a numerical folding of the curve on a fine grid."""
    step, cascade = 0.01, Cascade(100.0, 20.0, 0.1, 0.05, delay=0.3)
    fine = np.arange(-80, 80 + step / 2, step)
    curve = overlay(fine, cascade)
    offsets = np.arange(-round(6 * sigma / step), round(6 * sigma / step) + 1) * step
    bell = np.exp(-0.5 * (offsets / sigma) ** 2)
    expected = np.convolve(curve, bell / bell.sum(), "same")
    inner = slice(4000, 12000)
    assert overlay(fine, cascade, sigma)[inner] == pytest.approx(expected[inner], abs=2e-2 * step / sigma)


@pytest.mark.parametrize("sigma", [0.0, 0.14, 2.0])
@pytest.mark.parametrize(
    "cascade",
    [
        Cascade(33, 2, 0.05, 0.02, 4, 0.9, 0.02, 0.3, 1.1),
        Cascade(33, 20, 0.5, 0.7, 3, 0.9, 0.02, -3, 1.1),
        Cascade(33, 2, -0.01, -0.3),
        Cascade(33, 2, -0.05, 0.0),
    ],
)
def test_derivatives(cascade, sigma):
    edges, values = np.linspace(-100, 100, 141) + 0.123, cascade.values
    found = bin_slopes(edges, values, sigma)
    for k, name in enumerate(NAMES):
        step = np.zeros(len(NAMES))
        step[k] = 1e-6 * max(1.0, abs(values[k]))
        up, down = bin_averages(edges, values + step, sigma), bin_averages(edges, values - step, sigma)
        expected = (up - down) / (2 * step[k])
        assert found[k] == pytest.approx(expected, abs=1e-5 * np.abs(expected).max()), name


def test_leakages_differ_by_weights_only():
    edges, leaks = np.linspace(-50, 50, 41), [(0.05, 0.02), (1.0, 1.0), (0.0, 0.0)]
    each = [overlay(edges, replace(SHELL, f_x=x, f_xx=xx), 0.2) for x, xx in leaks]
    assert leaking(edges, SHELL.values, leaks, 0.2) == pytest.approx(np.stack(each))
    # The mixture goes on without a jump to leakages below 0.
    at = -0.3 * 0.9 * 2 / (1e3 / 30)
    near = leaking(edges, SHELL.values, [(at - 1e-9, 0.0), (at + 1e-9, 0.0)], 0.2)
    assert near[0] == pytest.approx(near[1], abs=1e-5)
