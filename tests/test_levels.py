"""Levels: where they begin, what rate they stand for, and what a segment cut short is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.levels import TOP_RATE, LevelScale, level_edges


def level_of(scale: LevelScale, count: int, length: int) -> int:
    """The plain way: walk up the edges."""
    if 2 * length < scale.ticks:
        return scale.n
    scaled = count if length == scale.ticks else round(count * (scale.ticks / length))
    level = 0
    while scaled >= scale.edges[level + 1]:
        level += 1
    return level


def test_levels_equal_the_plain_walk() -> None:
    rng, scale = np.random.default_rng(1), LevelScale(1000, 1e-6)
    counts = np.concatenate([np.arange(3000), rng.integers(0, 100_000, 500)])
    lengths = rng.choice([1000, 1000, 999, 501, 500, 499, 1], len(counts))
    got = scale.levels(counts, lengths)
    assert got.dtype == np.int16
    assert got.tolist() == [level_of(scale, *one) for one in zip(counts.tolist(), lengths.tolist(), strict=True)]


@pytest.mark.parametrize("top", [1, 2, 17, 400_000, 400_000_000])
def test_steps_are_half_a_sigma_then_two_percent(top: int) -> None:
    edges = level_edges(top)
    steps = np.diff(edges[:-1])
    assert edges[0] == 0
    assert edges[-1] == np.iinfo(np.int64).max
    assert (steps >= 1).all()
    for count, step in zip(edges[:-2].tolist(), steps.tolist(), strict=True):
        wanted = max(1.0, math.sqrt(count + 0.375) / 2 if count < 625 else 0.02 * count)
        assert abs(step - wanted) <= 0.51
    assert len(edges) == 2 or edges[-2] < top


def test_some_four_hundred_levels_at_ten_milliseconds() -> None:
    for tick_s in (400e-9, 12.5e-9, 1e-12):
        scale = LevelScale(round(0.01 / tick_s), tick_s)
        assert 350 < scale.n < 450
        assert scale.rows == scale.n + 1
        assert scale.rates_cps()[-1] < TOP_RATE
        assert scale.levels(np.array([10**9]), np.array([scale.ticks]))[0] == scale.n - 1


def test_rates_are_the_middles_of_levels() -> None:
    scale = LevelScale(1000, 1e-5)
    low, high = scale.edges[:-2], scale.edges[1:-1] - 1
    np.testing.assert_allclose(scale.rates_cps()[:-1], (low + high) / 2 / 0.01)
    assert (np.diff(scale.rates_cps()) > 0).all()


def test_a_threshold_parts_the_counts_below_it_from_the_rest() -> None:
    scale = LevelScale(1000, 1e-5)  # 10 ms
    for count in (0, 1, 2, 7, 30, 700, 20_000):
        rate = count / scale.seconds
        row = scale.level_of_rate(rate)
        assert scale.edges[row] >= count
        assert row == 0 or scale.edges[row - 1] < count
    assert scale.level_of_rate(1e12) == scale.n
    for row in range(scale.n):
        assert scale.level_of_rate(scale.edges[row] / scale.seconds) == row


def test_a_segment_of_no_length_is_mixed() -> None:
    scale = LevelScale(10, 1e-6)
    assert scale.levels(np.array([0, 5]), np.array([0, 4])).tolist() == [scale.n, scale.n]


def test_no_photon_is_the_first_level_however_short_the_bin() -> None:
    scale = LevelScale(1, 1e-12)
    assert (scale.n, scale.rows) == (1, 2)
    assert scale.levels(np.array([0, 3]), np.array([1, 1])).tolist() == [0, 0]
