"""Fit of a cascade: truth found from drawn pairs, what cannot be told apart is said, bad knowledge refused."""

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.estimators.cascade import Cascade, overlay
from streamer.estimators.cascade_fit import KNOWN, fit_cascade, held
from streamer.estimators.tau_bins import merge

TAU = np.arange(-1000, 1001) * 0.5
EDGES, _, WIDTHS = merge(np.append(TAU - 0.25, 500.25), np.zeros(2001), np.full(2001, 0.5))
TRUTH = Cascade(33.3, 10.0, 0.05, 0.02, background=0.02, delay=0.4, plateau=1.2)


def drawn(per_ns, seed=1, truth=TRUTH, jitter=0.14):
    expected = WIDTHS * per_ns
    return EDGES, np.random.default_rng(seed).poisson(expected * overlay(EDGES, truth, jitter)), expected, jitter


def test_truth_is_found_when_the_leakages_are_known():
    fit = fit_cascade(*drawn(100.0), {"background": 0.02, "f_x": 0.05, "f_xx": 0.02})
    assert fit.reason is None
    assert set(fit.estimates) == {"k1", "pump", "delay", "plateau"}
    assert fit.known == KNOWN | {"background": 0.02, "f_x": 0.05, "f_xx": 0.02}
    for name, one in fit.estimates.items():
        assert one.low < one.value < one.high
        assert abs(one.value - getattr(TRUTH, name)) < 4 * one.error, name
    assert fit.estimates["k1"].error < 1.5
    assert 0.6 < fit.deviance_per_bin < 1.5


def test_everything_known_is_an_overlay():
    known = {"k1": 33.3, "pump": 10.0, "f_x": 0.05, "f_xx": 0.02, "background": 0.02, "plateau": 1.2}
    fit = fit_cascade(*drawn(20.0), known)
    assert set(fit.estimates) == {"delay"}
    assert fit.best.k1 == 33.3
    assert fit.estimates["delay"].value == pytest.approx(0.4, abs=0.3)


def test_pump_and_leakages_that_cannot_be_told_apart():
    weak = Cascade(33.3, 2.0, 0.05, 0.02, background=0.02)
    fit = fit_cascade(*drawn(40.0, truth=weak), {"background": 0.02}, ("k1", "f_x"))
    for name, one in fit.estimates.items():
        assert one.value is None
        assert one.reason == "pump, f_x and f_xx cannot be told apart, which leaves an interval; give one of them"
        assert one.low < getattr(weak, name) < one.high
    assert set(fit.estimates) == {"k1", "f_x"}


def test_two_that_are_tied_are_named():
    weak = Cascade(33.3, 2.0, 0.05, 0.02, background=0.02)
    edges, counts, expected, jitter = drawn(2.0, seed=3, truth=weak)
    fit = fit_cascade(edges, counts, expected, jitter, {"background": 0.02, "f_xx": 0.02}, ("pump", "f_x", "k1"))
    assert "pump cannot be told apart from f_x (correlation -0.99" in fit.estimates["pump"].reason
    assert "f_x cannot be told apart from pump (correlation -0.99" in fit.estimates["f_x"].reason
    assert fit.estimates["k1"].value == pytest.approx(33.3, rel=0.25)


def test_a_ratio_is_fitted_when_asked_for():
    truth = Cascade(33.3, 10.0, 0.05, 0.02, ratio=3.0)
    fit = fit_cascade(*drawn(200.0, truth=truth), {"ratio": "free", "f_x": 0.05, "f_xx": 0.02})
    ratio = fit.estimates["ratio"]
    assert ratio.low < 3.0 < ratio.high
    assert ratio.high < 4.0


def test_too_few_pairs():
    edges, counts, expected, jitter = drawn(0.1)
    assert "too few pairs" in fit_cascade(edges, counts, expected, jitter).reason
    assert fit_cascade(edges, np.zeros(len(counts)), expected, jitter).best is None
    far = np.abs(edges[1:] + edges[:-1]) > 500  # enough pairs, but none where the cascade is
    fit = fit_cascade(edges, counts + 1000 * far, expected + 1000 * far, jitter, {"k1": 33.3})
    assert "within three exciton lifetimes" in fit.reason


def test_light_without_correlation_has_no_cascade():
    edges, _, expected, jitter = drawn(30.0)
    counts = np.random.default_rng(2).poisson(expected)
    fit = fit_cascade(edges, counts, expected, jitter)
    assert fit.reason == "no correlation is seen: flat light fits as well"
    assert fit.best is None


def test_what_is_known_must_be_possible():
    assert held({"ratio": "free"}) == {"yields": 1.0, "background": 0.0}
    with pytest.raises(InputError, match=r"cascade_known: must be out of k1, .* got 'k3'; correct"):
        held({"k3": 1.0})
    with pytest.raises(InputError, match=r"background must be a number from -0.5 to 1, or free, got 2"):
        held({"background": 2.0})
    with pytest.raises(InputError, match=r"plateau must be a number from 0"):
        held({"plateau": -1.0})


def test_light_of_another_kind_is_told():
    """A plain antibunching dip on top of a cascade that lasts ten times as long."""
    edges, counts, expected, jitter = drawn(200.0)
    other = fit_cascade(edges, counts, expected, jitter, {"background": 0.02, "f_x": 0.05, "f_xx": 0.02})
    assert not other.misfit
    slow = overlay(edges, Cascade(2.0, 0.5))
    mixed = np.random.default_rng(1).poisson(expected * (overlay(edges, TRUTH) + slow) / 2)
    assert fit_cascade(edges, mixed, expected, jitter, {"f_x": 0.05, "f_xx": 0.02}, ()).misfit


def test_nothing_left_to_fit():
    known = {"k1": 33.3, "pump": 10.0, "f_x": 0.05, "f_xx": 0.02, "background": 0.02, "plateau": 1.2, "delay": 0.4}
    fit = fit_cascade(*drawn(20.0), known)
    assert fit.estimates == {}
    assert fit.best == TRUTH
    assert fit.deviance_per_bin < 1.5
