"""FixedBins: ends of segments on one grid, whoever asks and from where."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.segments import FixedBins

NO_PHOTONS = np.empty(0, np.int64)


@pytest.mark.parametrize("ticks", [1, 2, 7, 10**10])
def test_every_multiple_in_the_half_open_span(ticks: int) -> None:
    rng = np.random.default_rng(ticks % 100)
    for _ in range(50):
        start = int(rng.integers(0, 20 * ticks))
        stop = start + int(rng.integers(0, 20 * ticks))
        bounds = FixedBins(ticks).bounds(NO_PHOTONS, start, stop)
        assert bounds.dtype == np.int64
        assert bounds.tolist() == [k * ticks for k in range(45) if start < k * ticks <= stop]


def test_a_segment_that_may_still_grow_is_not_ended() -> None:
    bins = FixedBins(10)
    assert bins.bounds(NO_PHOTONS, 10, 19).tolist() == []
    assert bins.bounds(NO_PHOTONS, 10, 20).tolist() == [20]
    assert bins.bounds(NO_PHOTONS, 10, 10).tolist() == []


def test_photons_do_not_matter() -> None:
    assert FixedBins(10).bounds(np.array([3, 3, 15]), 0, 25).tolist() == [10, 20]


def test_far_from_zero() -> None:
    start = 9 * 10**17
    assert FixedBins(10**10).bounds(NO_PHOTONS, start - 1, start + 1).tolist() == [start]
