"""Grouped states: what each level expects is all the time there is, broadened by shot noise; misfiled photons."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.grouped_states import mixture_of
from streamer.estimators.grouping import group_segments
from streamer.levels import LevelScale

SCALE = LevelScale(10_000, 1e-6)
RATES = (3000.0, 30_000.0)


def segments(seed=1, n=400):
    """Alternating segments of two rates, 1 to 100 ms long: (counts, ticks)."""
    rng = np.random.default_rng(seed)
    ticks = np.exp(rng.uniform(np.log(1000), np.log(100_000), n)).astype(np.int64)
    return rng.poisson(np.array(RATES)[np.arange(n) % 2] * ticks * 1e-6), ticks


def mixture(counts, ticks, joined):
    grouping = group_segments(counts, ticks * 1e-6, joined=joined)
    return mixture_of(grouping, counts, ticks, joined, SCALE.edges, SCALE.ticks, SCALE.tick_s)


def test_all_time_is_expected_somewhere_and_about_where_it_is():
    counts, ticks = segments()
    found = mixture(counts, ticks, np.arange(400) > 0)
    assert found.expected.sum() == pytest.approx(ticks.sum() / SCALE.ticks)
    rates = SCALE.rates_cps()
    assert found.expected @ rates / found.expected.sum() == pytest.approx(counts.sum() / (ticks.sum() * 1e-6), rel=0.03)
    bright = rates > 12_000
    assert found.expected[bright].sum() == pytest.approx(ticks[1::2].sum() / SCALE.ticks, rel=0.02)
    np.testing.assert_allclose(found.rates_cps, RATES, rtol=0.03)
    assert np.count_nonzero(found.expected[bright] > 0.1) > 5  # no line, a peak


def test_misfiled_photons_come_with_changes_and_more_of_them_to_the_dim_state():
    counts, ticks = segments()
    found = mixture(counts, ticks, np.arange(400) > 0)
    assert found.switching == 0.0
    assert found.misfiled is not None
    assert 0.05 > found.misfiled[0] > found.misfiled[1] > 0
    apart = mixture(counts, ticks, np.zeros(400, bool))  # gaps between all: nobody had to find where one ends
    assert apart.misfiled.tolist() == [0.0, 0.0]


def test_one_state_and_none_have_nothing_misfiled():
    rng = np.random.default_rng(3)
    ticks = np.full(50, 20_000)
    steady = mixture(rng.poisson(300.0, 50), ticks, np.arange(50) > 0)
    assert steady.misfiled.tolist() == [0.0]
    nothing = mixture(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool))
    assert len(nothing.rates_cps) == 0
    assert nothing.expected.sum() == 0
