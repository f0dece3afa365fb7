"""First guesses: a spectrum near the lifetimes put in, its clusters, and steps that never go downhill."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.decay_cells import make_cells
from streamer.estimators.decay_expectation import Expectation
from streamer.estimators.decay_start import clusters, spectrum, uphill


@pytest.fixture
def cells(decay):
    rng = np.random.default_rng(2)
    counts = decay(
        rng, lambda g, n: np.array([1.0, 20.0])[g.integers(2, size=n)] * g.standard_exponential(n),
        200.0, 0.064, 22.0, 0.1, 50_000, 0.1,
    )  # fmt: skip
    return make_cells(counts, 0.064, 200.0, 22.0, 2.0, 0.1, (-0.4, 0.4))


def test_the_spectrum_holds_both_lifetimes_and_the_background(cells):
    taus, shares, background = spectrum([cells], [None], [0.1], 0.01, 200.0)
    assert shares.sum() == pytest.approx(1.0)
    assert background[0] == pytest.approx(0.1, abs=0.06)
    found, weights = clusters(taus, shares, 2)
    # Near enough to climb from; the longest lifetimes take some of the background.
    assert np.all(np.abs(np.log(found / [1.0, 20.0])) < np.log(2))
    np.testing.assert_allclose(weights, 0.5, atol=0.1)
    assert 10.5 / 2 < clusters(taus, shares, 1)[0][0] < 10.5 * 2


def test_steps_go_uphill_and_stay_within_bounds(cells):
    expectation = Expectation("bi", [cells], [None])
    start = np.array([np.log(0.3), np.log(50.0), 0.2, 0.5, 0.05, np.log(0.2), 0.0])
    low = np.array([np.log(0.1), np.log(0.1), 0.0, 1e-6, -1.0, np.log(0.01), 0.0])
    high = np.array([np.log(30.0), np.log(15.0), 1.0, 1.0, 1.0, np.log(1.0), 0.0])

    def likelihood(values):
        expected = expectation.expected(values)
        return np.sum(expectation.counts * np.log(expected) - expected)

    heights = [likelihood(uphill(expectation, start, low, high, steps)) for steps in (0, 1, 3, 10, 30)]
    assert heights == sorted(heights)
    there = uphill(expectation, start, low, high)
    assert np.all((low <= there) & (there <= high))
    assert there[1] == high[1]  # the truth lies beyond the bound
