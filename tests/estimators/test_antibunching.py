"""Fits of cw g2: the truth comes back, the model is chosen, and what cannot be told is not."""

import numpy as np
import pytest

from streamer.estimators.antibunching import fit_dip
from streamer.estimators.two_sided import mean_over_bins

TAU = np.arange(-500, 501) * 0.5
EDGES = np.append(TAU - 0.25, TAU[-1] + 0.25)


def histogram(seed, level, g0, t1, c=0.0, t2=1.0, sigma=0.3):
    curve = 1 - (1 - g0 + c) * mean_over_bins(EDGES, t1, sigma) + c * mean_over_bins(EDGES, t2, sigma)
    return np.random.default_rng(seed).poisson(level * curve), np.full(len(TAU), float(level))


def test_a_dip_comes_back():
    dip = fit_dip(TAU, *histogram(1, 400, 0.05, 12.0), 0.3)
    assert dip.model == "dip"
    assert dip.g0.low < 0.05 < dip.g0.high
    assert dip.t1_ns.low < 12 < dip.t1_ns.high
    assert dip.t1_ns.error < 0.5
    assert dip.verdict == "single"
    assert dip.p_value > 1e-3
    assert dip.curve[500] == pytest.approx(0.05, abs=0.05)
    assert dip.c.value is None
    assert dip.bic["dip"] == 0.0 < dip.bic["flat"]


def test_a_shelf_is_seen_and_measured():
    dip = fit_dip(TAU, *histogram(2, 2000, 0.1, 6.0, 0.5, 50.0), 0.3)
    assert dip.model == "shelving"
    assert dip.c.low < 0.5 < dip.c.high
    assert dip.t2_ns.low < 50 < dip.t2_ns.high


def test_bunching_slower_than_the_window_is_not_measured():
    dip = fit_dip(TAU, *histogram(3, 3000, 0.1, 6.0, 0.3, 400.0), 0.3)
    assert dip.model == "shelving"
    assert dip.g0.low < 0.1 < dip.g0.high
    assert dip.c.value is dip.t2_ns.value is dip.plateau.value is None
    assert "widen tau_window_ns" in dip.t2_ns.reason


def test_a_bin_without_accidental_pairs_has_a_sentence_of_its_own():
    pairs, expected = histogram(5, 400, 0.05, 12.0)
    expected[-1] = 0.0
    assert "no accidental pairs" in fit_dip(TAU, pairs, expected).reason


def test_a_model_of_bin_centres_would_be_biased_and_this_is_not():
    # A dip as wide as a bin and its jitter: the central bin reads 0.4, the emitter is single.
    dip = fit_dip(TAU, *histogram(4, 50_000, 0.05, 1.0, sigma=0.5), 0.5)
    assert (dip.curve[500]) > 0.3
    assert dip.g0.low < 0.05 < dip.g0.high
    assert dip.verdict == "single"


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        (np.zeros(len(TAU), np.int64), "too few pairs: 0"),
        (np.random.default_rng(5).poisson(50, len(TAU)), "no dip is seen"),
    ],
)
def test_what_cannot_be_told(pairs, why):
    dip = fit_dip(TAU, pairs, np.full(len(TAU), 50.0))
    assert why in dip.reason
    assert dip.g0.low is None
    assert dip.t1_ns.value is None
    assert dip.verdict == "undecided"


def test_a_dip_far_below_jitter_has_only_an_area():
    dip = fit_dip(TAU, *histogram(6, 100_000, 0.0, 0.2, sigma=4.0), 4.0)
    assert "narrower" in dip.reason or dip.t1_ns.high > 0.5
    assert dip.verdict != "not single"


def test_a_dip_of_coherent_depth_is_not_single():
    dip = fit_dip(TAU, *histogram(7, 3000, 0.8, 10.0), 0.3)
    assert dip.verdict == "not single"


def test_where_the_curve_touches_zero_the_error_is_that_of_the_interval():
    tau = np.arange(-2500, 2501, dtype=float)
    edges = np.append(tau - 0.5, tau[-1] + 0.5)
    curve = 1 - 1.33 * mean_over_bins(edges, 16.0, 0.14) + 0.33 * mean_over_bins(edges, 600.0, 0.14)
    for seed in range(6):
        pairs = np.random.default_rng(seed).poisson(80 * curve)
        fit = fit_dip(tau, pairs, np.full(len(tau), 80.0), 0.14, model="shelving")
        for one in (fit.g0, fit.t1_ns, fit.c, fit.t2_ns):
            half = (one.high - one.low) / 3.92
            assert half / 2.01 < one.error < 2.01 * half
            assert one.low < one.value < one.high
        assert abs(fit.t1_ns.value - 16) < 4 * fit.t1_ns.error


def test_a_dip_that_a_jitter_too_large_makes_deeper_than_nothing_is_refused():
    tau = np.arange(-250, 251) * 0.5
    edges = np.append(tau - 0.25, tau[-1] + 0.25)
    pairs = np.random.default_rng(3).poisson(400 * (1 - mean_over_bins(edges, 4.0, 0.1)))
    fit = fit_dip(tau, pairs, np.full(len(tau), 400.0), 2.0, model="dip")
    assert fit.g0.value is None
    assert "below 0" in fit.reason
