"""Blinking as a whole: bleaching left out, false changes, fixed bins or not, and wider bins against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.blinking import (
    LEAST_BINS,
    SAFE_BINS,
    against_bin,
    blinking,
    darker_since,
    delays,
    false_changes,
    fixed_bins,
    shortest_told,
)
from streamer.estimators.change_alarms import detection_delay
from streamer.estimators.dwells import join_dwells


def dwells(state, tick_s=0.01):
    at = np.arange(len(state) + 1)
    return join_dwells(at[:-1], at[1:], np.asarray(state), tick_s)


def exponential(rng, on, off, n):
    """Bins of n on and off dwells by turns."""
    lengths = 1 + np.stack([rng.exponential(on, n), rng.exponential(off, n)], axis=1).ravel().astype(int)
    return np.repeat(np.arange(2 * n) % 2 == 0, lengths).astype(np.int64)


def test_what_bleached_is_no_blinking():
    rng = np.random.default_rng(1)
    state = exponential(rng, 40, 20, 200)
    alive = blinking(dwells(state), 0.01)
    dead = blinking(dwells(np.concatenate([state, [1] * 5, [0] * len(state)])), 0.01)
    assert dead.bleaching.seen
    assert dead.bleaching.time_s == pytest.approx((len(state) + 5) * 0.01)
    assert dead.telegraph.on_fraction.value == pytest.approx(alive.telegraph.on_fraction.value, abs=0.01)
    assert not alive.bleaching.seen


def test_frequent_short_dwells_move_the_shortest_that_is_used():
    rng = np.random.default_rng(2)
    state = exponential(rng, 40, 40, 400)
    state[rng.choice(len(state), 300, replace=False)] ^= 1  # flicker of single bins
    found = blinking(dwells(state), 0.01)
    assert found.hidden
    assert found.off.shortest_s == pytest.approx(SAFE_BINS * 0.01)


def test_an_exponential_tail_does_not_make_good_what_bins_miss_of_another_law():
    rng = np.random.default_rng(1)
    n = 4000
    length = np.where(rng.random(2 * n) < 0.7, rng.exponential(1.5, 2 * n), rng.exponential(50, 2 * n))  # bins
    begins = np.append(0, np.cumsum(length))
    lit = np.append(0, np.cumsum(length * (np.arange(2 * n) % 2)))
    share = np.diff(np.interp(np.arange(60_001), begins, lit))
    found = blinking(dwells(share > 0.5), 0.01)
    assert found.off.law == found.on.law == "exponential"  # of 8 bins and more
    assert found.telegraph.changes_per_s.low is None
    assert "this is what bins show" in found.telegraph.changes_per_s.reason
    assert found.telegraph.missed is None
    assert found.telegraph.on_fraction.low < 0.5 < found.telegraph.on_fraction.high


def test_a_power_law_whose_end_was_not_seen_has_no_limits():
    rng = np.random.default_rng(8)
    n = 300
    for longest, open_end in ((30.0, False), (np.inf, True)):
        power = (1 - rng.random(n) * (1 - longest**-0.8)) ** (-1 / 0.8)
        length = np.ceil(np.stack([rng.exponential(40, n), 2 * power], axis=1).ravel()).astype(int)
        length = np.minimum(length, 700)
        found = blinking(dwells(np.repeat(np.arange(2 * n) % 2 == 0, length)), 0.01)
        assert found.off.law == "power law"
        assert found.off.open_end == open_end
        assert (found.telegraph.on_fraction.low is None) == open_end


def test_false_changes_are_those_of_shot_noise():
    rng = np.random.default_rng(3)
    counts = np.concatenate([rng.poisson(10.0, 200_000), rng.poisson(30.0, 100_000)])
    on = counts >= 19
    plain = np.count_nonzero(np.diff(on.astype(int)))
    found = false_changes(np.array([1000.0, 3000.0]), np.array([2000.0, 1000.0]), 1900.0, 0.01)
    assert found == pytest.approx(plain, rel=0.05)


def test_bins_are_told_from_segments_of_any_length():
    at = np.array([3, 10, 20, 30, 37])
    assert fixed_bins(at[:-1], at[1:], 10)  # cut short at both ends
    assert not fixed_bins(np.array([0, 10, 14]), np.array([10, 14, 24]), 10)
    assert not fixed_bins(np.array([0]), np.array([30]), 10)
    assert fixed_bins(np.array([0, 17]), np.array([4, 27]), 10)
    assert fixed_bins(np.empty(0, np.int64), np.empty(0, np.int64), 10)


def test_wider_bins_against_plain_sums():
    rng = np.random.default_rng(4)
    counts = rng.poisson(np.where(exponential(rng, 60, 40, 100), 50, 5))
    at = 10 * np.arange(len(counts) + 1)
    table = against_bin(at[:-1], at[1:], counts, 10, 0.001, 2500.0)
    assert table["bin_s"] == pytest.approx(0.01 * 2.0 ** np.arange(len(table["bin_s"])))
    for k, times in enumerate(2 ** np.arange(len(table["bin_s"]))):
        n = len(counts) // times
        assert n >= LEAST_BINS
        on = counts[: n * times].reshape(n, times).sum(axis=1) >= 25 * times
        assert table["on_fraction"][k] == pytest.approx(on.mean())
        assert table["changes_per_s"][k] == pytest.approx(np.count_nonzero(np.diff(on)) / ((n - 1) * times * 0.01))
        assert table["on_dwells"][k] + table["off_dwells"][k] == max(0, np.count_nonzero(np.diff(on)) - 1)
    assert set(table) >= {"off_exponent", "on_exponent_low", "on_fraction_high"}


def test_wider_bins_do_not_reach_over_a_gap():
    start = np.concatenate([10 * np.arange(101), 5000 + 10 * np.arange(100)])
    table = against_bin(start, start + 10, np.arange(201) % 2 * 9, 10, 0.001, 100.0)
    assert table["on_fraction"][0] == pytest.approx(100 / 201)
    assert table["off_dwells"][0] == 98  # of 51 and 50 in the stretches, one is not begun and two are not ended


def test_delays_of_change_points_in_seconds():
    off, on = delays(15.0, 2000.0, 20_000.0, 10.0, 10.0)
    assert on == pytest.approx(detection_delay(15.0, 10.0) / 20_000, rel=0.02)
    assert off == pytest.approx(detection_delay(15.0, 0.1) / 2000, rel=0.02)
    assert delays(15.0, 2000.0, 20_000.0, 0.005, 0.005)[1] > 1.1 * on  # few photons before
    assert delays(15.0, 2000.0, 2000.0, 1.0, 1.0) == (np.inf, np.inf)
    assert delays(15.0, 2000.0, 3000.0, 1e-3, 1.0)[1] == np.inf  # two photons tell no rate
    assert delays(15.0, 0.0, 20_000.0, 1.0, 1.0)[1] < off
    assert shortest_told(np.array([2000.0, 20_000.0])) > on
    assert shortest_told(np.array([2000.0])) == 0


@pytest.mark.parametrize("mean", [0.3, 0.55, 0.68, 3.0])
def test_as_dark_as_before_is_not_darker_with_few_counts(mean):
    rng = np.random.default_rng(9)
    off = np.repeat([True, False] * 20 + [True], [15, 10] * 20 + [800])
    edges = off & (np.append(False, ~off[:-1]) | np.append(~off[1:], False))
    rate = np.where(off, mean, 50.0) + np.where(edges, 5.0, 0.0)  # bins in which it changed are brighter
    seconds = np.full(len(off), 0.01)
    first = len(off) - 799
    for _ in range(50):
        counts = rng.poisson(rate)
        assert darker_since(counts, seconds, off, first) is None
    dead = np.where(np.arange(len(off)) < first, counts, rng.poisson(0.2 * mean, len(off)))
    assert "in dark dwells before" in darker_since(dead, seconds, off, first)
    assert darker_since(dead, seconds, ~off, 0) is None


def test_darker_than_segments_between_bright_ones():
    counts, seconds = np.array([500, 40, 600, 10, 500, 30]), np.array([1.0, 0.2, 1.0, 0.05, 1.0, 5.0])
    off = np.arange(6) % 2 == 1
    assert darker_since(counts, seconds, off, 5) == "6 counts/s since, 200 in dark dwells before"
    assert darker_since(np.append(counts[:5], 900), seconds, off, 5) is None
