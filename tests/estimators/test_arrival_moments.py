"""Scores of arrival times: against plain sums over all bins."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.arrival_moments import ArrivalMoments, first_look, pooled
from streamer.estimators.decay_shape import bin_edges, cumulative, unwrap

WIDTH, PERIOD, SIGMA = 0.11, 12.495, 0.15


def naive_score(counts, edges, t0, early, window, tau, known):
    """Total score and variance, bin by bin, from the two conditions that define it."""
    score = variance = 0.0
    for each, at, base in zip(counts, t0, known if known is not None else [None] * len(t0), strict=True):
        first, x = unwrap(edges, at, early)
        n, width, middle = np.roll(each, -first), np.diff(x), (x[1:] + x[:-1]) / 2
        share = np.diff(cumulative(x, tau, SIGMA, PERIOD))
        bins = np.arange(len(n))
        stop = np.searchsorted(x, window)
        inside = bins < stop
        region = bins >= min(stop, np.searchsorted(x, x[0] + 0.75 * PERIOD))
        if base is None:
            # a, c such that neither background nor decay scores anything
            sums = np.array([[v @ inside, v @ region] for v in (width, share)])
            a, c = np.linalg.solve(sums, [width[inside] @ middle[inside], share[inside] @ middle[inside]])
        else:
            a, c = share[inside] @ middle[inside] / share[inside].sum(), 0.0
            n = n.astype(float)
        each_scores = (middle - a) * inside - c * region
        score += (n - (base * width if base is not None else 0)) @ each_scores
        variance += n @ each_scores**2
    return score, variance


@pytest.mark.parametrize("window", [4.0, 10.5])
@pytest.mark.parametrize("known", [None, np.array([40.0, 15.0])])
def test_score_equals_plain_sums(decay, window, known):
    rng = np.random.default_rng(1)
    t0 = np.array([3.0, 11.9])
    counts = np.array([decay(rng, 2.0, PERIOD, WIDTH, at, SIGMA, 3000, 0.2) for at in t0])
    edges = bin_edges(counts.shape[1], WIDTH, PERIOD)
    moments = ArrivalMoments(counts, edges, t0, 1.5, window, 2.0)
    for tau in (0.7, 2.0, 9.0):
        expected = naive_score(counts, edges, t0, 1.5, window, tau, known)
        assert moments.score(tau, SIGMA, known) == pytest.approx(expected, rel=1e-9)


def test_a_decay_without_noise_scores_nothing_and_gives_back_its_parts():
    edges = bin_edges(200, WIDTH, PERIOD)
    first, x = unwrap(edges, 3.0, 1.5)
    exact = 1e9 * (0.8 * np.diff(cumulative(x, 5.0, SIGMA, PERIOD)) + 0.2 / PERIOD * np.diff(x))
    counts = np.rint(np.roll(exact, first)).astype(np.int64)[None]
    moments = ArrivalMoments(counts, edges, np.array([3.0]), 1.5, 9.0, 5.0)
    score, variance = moments.score(5.0, SIGMA, None)
    assert abs(score) < 0.05 * np.sqrt(variance)
    signal, base = moments.amplitudes(5.0, SIGMA, None)
    assert signal[0] == pytest.approx(8e8, rel=1e-4)
    assert base[0] == pytest.approx(2e8 / PERIOD, rel=1e-4)


def test_shift_is_the_change_of_the_score(decay):
    rng = np.random.default_rng(2)
    counts = decay(rng, 2.0, PERIOD, WIDTH, 3.0, SIGMA, 1_000_000, 0.1)[None]
    later = decay(np.random.default_rng(2), 2.0, PERIOD, WIDTH, 3.05, SIGMA, 1_000_000, 0.1)[None]
    edges = bin_edges(counts.shape[1], WIDTH, PERIOD)
    here, there = (ArrivalMoments(c, edges, np.array([3.0]), 1.5, 8.0, 2.0) for c in (counts, later))
    change = there.score(2.0, SIGMA, None)[0] - here.score(2.0, SIGMA, None)[0]
    assert here.shift(2.0, SIGMA, None)[0] == pytest.approx(change / 0.05, rel=0.05)


def test_pooling_keeps_bins_that_are_wide_and_thins_narrow_ones():
    wide, narrow = np.arange(101) * 1.0, np.arange(20_001) * 0.016
    np.testing.assert_array_equal(np.unique(pooled(wide, 10.0, 100))[:50], np.arange(50))
    few = np.unique(pooled(narrow, 5.0, 20_000))
    assert len(few) < 1200
    assert few[0] == 0
    assert few[-1] == 20_000


def test_first_look_is_right_within_a_factor_of_two(decay):
    rng = np.random.default_rng(3)
    for tau, period in ((0.5, 12.5), (3.0, 12.5), (20.0, 400.0), (80.0, 400.0)):
        for background in (0.0, 0.3):
            counts = decay(rng, tau, period, 0.064, 5.0, 0.1, 3000, background)[None]
            guess, _, seen = first_look(counts, bin_edges(counts.shape[1], 0.064, period), np.array([5.0]), 1.0)
            assert tau / 2 < guess < max(2 * tau, period / 128)
            assert seen > 0
