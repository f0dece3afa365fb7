"""Lifetimes of simulated emitters: bias, error and interval against the truth; real recordings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from streamer.errors import InputError
from streamer.estimators.decay_shape import bin_edges, cumulative, unwrap
from streamer.estimators.excitation import locate_excitation
from streamer.estimators.lifetime import crossing, mean_lifetime, state_lifetime
from streamer.registry import open_source

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def emitters(seed, cases, most_photons):
    """Random emitters: lifetimes 1 to 50 ns, periods 12.5 to 400 ns, not a whole number of bins."""
    rng = np.random.default_rng(seed)
    for _ in range(cases):
        period, tau, photons = (
            float(np.exp(rng.uniform(np.log(low), np.log(high))))
            for low, high in ((12.5, 400), (1, 50), (300, most_photons))
        )
        width = float(rng.choice([0.016, 0.032, 0.064, 0.128, 0.256]))
        yield rng, tau, period, width, rng.random() * period, rng.uniform(0, 0.2), photons, rng.uniform(0, 0.3)


def outcomes(decay, seed, cases, most_photons, found=False):
    """Per lifetime told: tau/period, error in standard errors, whether the interval holds, relative error."""
    rows = []
    for rng, tau, period, width, t0, sigma, photons, background in emitters(seed, cases, most_photons):
        counts = decay(rng, tau, period, width, t0, sigma, photons, background)
        zero, blur, error = t0, sigma, 0.0
        if found:
            place = locate_excitation(counts, width, period)
            if place.t0_ns is None:
                continue
            zero, blur, error = place.t0_ns, place.sigma_ns, place.error_ns
        told = mean_lifetime(counts, width, period, zero, sigma_ns=blur, t0_error_ns=error)
        if told.value_ns is not None:
            holds = told.low_ns <= tau <= (np.inf if told.high_ns is None else told.high_ns)
            rows.append((tau / period, (told.value_ns - tau) / told.error_ns, holds, told.error_ns / tau))
    return np.array(rows)


# -- bias and coverage -----------------------------------------------------------------------------------------------


def test_interval_and_bias_over_some_emitters(decay):
    rows = outcomes(decay, 1, 250, 3e4)
    assert len(rows) > 220
    assert 0.92 <= rows[:, 2].mean() <= 0.98
    known_well = rows[(rows[:, 0] < 0.4) & (rows[:, 3] < 0.1)]
    assert abs(known_well[:, 1].mean()) < 0.2
    assert known_well[:, 1].std() == pytest.approx(1, abs=0.15)


def test_interval_over_some_emitters_whose_excitation_is_found_in_the_same_photons(decay):
    rows = outcomes(decay, 2, 250, 3e4, found=True)
    assert len(rows) > 220
    assert 0.92 <= rows[:, 2].mean() <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("found", [False, True])
def test_interval_and_bias_over_a_thousand_emitters(decay, found):
    rows = outcomes(decay, 3, 1000, 1e6, found)
    assert 0.93 <= rows[:, 2].mean() <= 0.97
    known_well = rows[(rows[:, 0] < 0.4) & (rows[:, 3] < 0.1)]
    assert len(known_well) > 600
    assert abs(known_well[:, 1].mean()) < 0.1
    assert known_well[:, 1].std() == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize(("tau", "period", "background"), [(1.0, 12.495, 0.3), (20.0, 400.0, 0.3), (5.0, 100.0, 0.01)])
def test_it_is_nearly_as_good_as_the_photons_allow(decay, tau, period, background):
    rng, photons = np.random.default_rng(4), 5000.0
    told = [
        mean_lifetime(decay(rng, tau, period, 0.064, 7.0, 0.1, photons, background), 0.064, period, 7.0, sigma_ns=0.1)
        for _ in range(80)
    ]
    x = np.linspace(-1, period - 1, 4001)
    signal, base = photons * (1 - background), photons * background / period
    shapes = [np.diff(cumulative(x, t, 0.1, period)) for t in (tau, 1.001 * tau, 0.999 * tau)]
    slopes = np.array([signal * (shapes[1] - shapes[2]) / (0.002 * tau), shapes[0], np.diff(x)])
    information = (slopes / (signal * shapes[0] + base * np.diff(x))) @ slopes.T
    bound = np.sqrt(np.linalg.inv(information)[0, 0])  # Cramer and Rao, signal and background unknown
    assert np.median([t.error_ns for t in told]) < 1.3 * bound
    assert np.std([t.value_ns for t in told]) == pytest.approx(np.median([t.error_ns for t in told]), rel=0.25)


def test_it_agrees_with_maximum_likelihood_on_the_same_photons(decay):
    rng = np.random.default_rng(5)
    counts = decay(rng, 8.0, 49.97, 0.064, 3.0, 0.1, 50_000, 0.1)
    edges = bin_edges(len(counts), 0.064, 49.97)
    first, x = unwrap(edges, 3.0, 2.0)
    n = np.roll(counts, -first)

    def misfit(p):
        expected = np.exp(p[1]) * np.diff(cumulative(x, np.exp(p[0]), 0.1, 49.97)) + np.exp(p[2]) * np.diff(x)
        return float(np.sum(expected - n * np.log(expected)))

    best = minimize(misfit, [2.0, 10.0, 4.0], method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6})
    told = mean_lifetime(counts, 0.064, 49.97, 3.0, sigma_ns=0.1)
    assert told.value_ns == pytest.approx(np.exp(best.x[0]), abs=0.7 * told.error_ns)
    assert told.background_per_bin[0] / 0.064 == pytest.approx(np.exp(best.x[2]), rel=0.02)
    assert told.signal == pytest.approx(45_000, rel=0.02)
    assert told.photons == counts.sum()


def test_wide_bins_and_photons_before_the_excitation_do_no_harm(decay):
    rng = np.random.default_rng(6)
    for t0 in np.linspace(0, 0.256, 5):  # the excitation anywhere in a bin, next to the seam of the period
        counts = decay(rng, 1.0, 12.495, 0.256, t0, 0.2, 1_000_000, 0.02)
        told = mean_lifetime(counts, 0.256, 12.495, t0, sigma_ns=0.2)
        assert told.value_ns == pytest.approx(1.0, abs=4 * told.error_ns)
        assert told.error_ns < 0.003


def test_a_known_background_narrows_the_error(decay):
    rng = np.random.default_rng(7)
    counts = decay(rng, 8.0, 12.5, 0.032, 3.0, 0.1, 20_000, 0.1)
    free = mean_lifetime(counts, 0.032, 12.5, 3.0, sigma_ns=0.1)
    known = mean_lifetime(counts, 0.032, 12.5, 3.0, background_per_bin=2000 * 0.032 / 12.5, sigma_ns=0.1)
    assert known.error_ns < 0.3 * free.error_ns
    assert known.value_ns == pytest.approx(8.0, abs=3.5 * known.error_ns)


def test_the_error_of_the_excitation_counts(decay):
    rng = np.random.default_rng(8)
    counts = decay(rng, 2.0, 50.0, 0.032, 3.0, 0.1, 100_000, 0.02)
    sharp = mean_lifetime(counts, 0.032, 50.0, 3.0, sigma_ns=0.1)
    vague = mean_lifetime(counts, 0.032, 50.0, 3.0, sigma_ns=0.1, t0_error_ns=0.05)
    assert vague.value_ns == sharp.value_ns
    assert vague.error_ns == pytest.approx(np.hypot(sharp.error_ns, 0.05), rel=0.04)
    assert vague.high_ns - vague.low_ns == pytest.approx(2 * 1.96 * vague.error_ns, rel=0.05)


@pytest.mark.parametrize(("background", "low"), [(0.01, 0.98), (0.3, 0.93)])
def test_of_other_decays_it_is_the_intensity_weighted_mean(decay, background, low):
    rng = np.random.default_rng(9)

    def two(rng, n):
        return np.where(rng.random(n) < 0.5, rng.exponential(3.0, n), rng.exponential(30.0, n))

    told = [
        mean_lifetime(decay(rng, two, 400.0, 0.064, 20.0, 0.1, 100_000, background), 0.064, 400.0, 20.0).value_ns
        for _ in range(8)
    ]
    assert low < np.mean(told) / 16.5 < 1.01


# -- detectors -------------------------------------------------------------------------------------------------------


def test_detectors_add_up_as_if_aligned(decay):
    rng, period = np.random.default_rng(10), 99.93
    t0 = np.array([3.21, 57.777, 99.9])
    counts = np.array(
        [
            decay(rng, 9.0, period, 0.064, at, 0.1, n, b)
            for at, n, b in zip(t0, (20_000, 12_000, 40), (0.05, 0.1, 0.5), strict=True)
        ]
    )
    told = state_lifetime(counts, 0.064, period, t0, sigma_ns=0.1)
    alone = mean_lifetime(counts[0], 0.064, period, t0[0], sigma_ns=0.1)
    assert told.value_ns == pytest.approx(9.0, abs=3 * told.error_ns)
    assert told.error_ns < alone.error_ns
    assert told.background_per_bin == pytest.approx(np.array([1000, 1200, 20]) * 0.064 / period, abs=0.1)


@pytest.mark.slow
def test_interval_over_pairs_of_detectors(decay):
    holds = []
    for rng, tau, period, width, t0, sigma, photons, background in emitters(11, 400, 1e5):
        zero = np.array([t0, rng.random() * period])
        counts = np.array(
            [
                decay(rng, tau, period, width, at, sigma, photons * s, background)
                for at, s in zip(zero, (1, 0.3), strict=True)
            ]
        )
        told = state_lifetime(counts, width, period, zero, sigma_ns=sigma)
        if told.value_ns is not None:
            holds.append(told.low_ns <= tau <= (told.high_ns or np.inf))
    assert 0.925 <= np.mean(holds) <= 0.975


def test_bins_beyond_the_period_do_not_matter(decay):
    rng = np.random.default_rng(12)
    counts = decay(rng, 3.0, 12.495, 0.064, 2.0, 0.1, 5000, 0.1)
    more = np.append(counts, [17, 900])
    assert mean_lifetime(more, 0.064, 12.495, 2.0) == mean_lifetime(counts, 0.064, 12.495, 2.0)


# -- no value --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau", "photons", "background", "reason"),
    [
        (5.0, 60, 0.0, "photons: fewer than 100"),
        (5.0, 3000, 0.999, "."),
        (500.0, 1_000_000, 0.0, "flat|told apart"),
        (40.0, 2000, 0.0, "flat|told apart|above the background"),
    ],
)
def test_reasons(decay, tau, photons, background, reason):
    rng = np.random.default_rng(13)
    told = mean_lifetime(decay(rng, tau, 12.5, 0.032, 2.0, 0.1, photons, background), 0.032, 12.5, 2.0)
    assert told.value_ns is None
    assert told.error_ns is None
    assert re.search(reason, told.reason)


def test_a_wrong_excitation_is_told():
    counts = np.zeros(400, np.int64)
    counts[95:100] = 1000
    assert "t0_ns is wrong" in mean_lifetime(counts, 0.1, 40.0, 10.4).reason


def test_a_histogram_that_ends_before_the_period_is_refused():
    with pytest.raises(InputError, match="cover the laser period"):
        mean_lifetime(np.ones(100, np.int64), 0.1, 400.0, 1.0)


def test_crossing_finds_the_root_from_either_side():
    for start in (0.02, 3.0, 900.0):
        assert crossing(lambda x: 5 / x - 1, start, 1.3, 1e-3, 1e4, 1e-9) == pytest.approx(5, rel=1e-6)
    assert crossing(lambda x: 1.0, 1.0, 2.0, 1e-3, 1e3, 1e-9) is None


# -- real recordings -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
@pytest.mark.parametrize(
    ("name", "expected", "within"),
    [("hh1_t3_hbt_2p5MHz_blinking.ptu", 31.4, 0.02), ("hh2_t3_hbt_80MHz.ptu", 0.1328, 0.01)],
)
def test_both_detectors_of_a_real_recording_agree_whatever_the_bins(name, expected, within):
    source = open_source(str(SHARED / "ptu" / name))
    chunks = list(source.chunks())
    nanotime, channel = (np.concatenate([getattr(c, key) for c in chunks]) for key in ("nanotime", "channel"))
    resolution, period = source.info.resolution_s * 1e9, source.info.tick_s * 1e9
    for detector in (0, 1):
        for pool in (1, 4):
            width = pool * resolution
            counts = np.bincount(nanotime[channel == detector] // pool, minlength=int(period / width) + 1)
            place = locate_excitation(counts, width, period)
            told = mean_lifetime(counts, width, period, place.t0_ns, None, place.sigma_ns, place.error_ns)
            assert told.value_ns == pytest.approx(expected, rel=within)
