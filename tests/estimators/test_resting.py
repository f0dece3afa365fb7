"""Levels at which an emitter rests, and what is left of the segments with a switch."""

import numpy as np
import pytest

from streamer.cuts import state_rows
from streamer.estimators.resting import resting_levels, switched_shift
from streamer.levels import LevelScale

BIN_S = 0.01


@pytest.fixture(scope="module")
def scale():
    return LevelScale(bin_ticks := 100_000, BIN_S / bin_ticks)


def test_levels_lie_within_reach_and_within_the_state(scale):
    rates, cuts = [15e3, 57e3, 160e3], [31e3, 99e3]
    rows = state_rows(scale, cuts)
    rests = resting_levels(rates, rows, scale.edges, BIN_S)
    for at, (rate, row, rest) in enumerate(zip(rates, rows, rests, strict=True)):
        mean, off = rate * BIN_S, 2 * np.sqrt(rate * BIN_S)
        assert row.start <= rest.start < rest.stop <= row.stop
        width = 0.03 * mean + np.sqrt(mean)  # of one level
        if at == 0:
            assert rest.start == row.start
        else:
            assert abs(scale.edges[rest.start] - (mean - off)) <= width
        if at == 2:
            assert rest.stop == row.stop
        else:
            assert abs(scale.edges[rest.stop] - (mean + off)) <= width


def test_close_neighbours_share_their_threshold_and_a_dark_state_keeps_its_zero(scale):
    rows = state_rows(scale, [400.0])
    rests = resting_levels([50.0, 900.0], rows, scale.edges, BIN_S)
    assert rests[0].start == 0
    assert rests[0].stop > 0
    assert rests[1].stop == rows[1].stop
    one = resting_levels([5e3], [slice(0, scale.n)], scale.edges, BIN_S)
    assert one == [slice(0, scale.n)]


def test_little_of_another_state_is_left():
    """Against segments drawn one by one: three states, every switch equally likely."""
    rng = np.random.default_rng(1)
    mean, lifetimes, weights = np.array([150.0, 570.0, 1600.0]), [2.0, 5.0, 10.0], [0.3, 0.3, 0.4]
    segments, switching, moved = 300, 0.05, [[], [], []]
    off = 2 * np.sqrt(mean)
    for _ in range(4000):
        wrong = np.zeros(3)
        for _ in range(rng.poisson(switching * segments)):
            i, j = rng.permutation(3)[:2]
            share = rng.random()
            photons = np.zeros(3)
            photons[i], photons[j] = share * mean[i], (1 - share) * mean[j]
            for state in range(3):
                if state in (i, j) or i + j == 2:
                    low = -np.inf if state == 0 else mean[state] - off[state]
                    high = np.inf if state == 2 else mean[state] + off[state]
                    if low <= photons.sum() <= high:
                        wrong[state] += photons @ (np.array(lifetimes) - lifetimes[state])
        for state in range(3):
            moved[state].append(wrong[state] / (mean[state] * weights[state] * segments))
    drawn = np.sqrt(np.mean(np.square(moved), axis=1))
    shift, error = switched_shift(lifetimes, mean / BIN_S, weights, switching, segments, BIN_S)
    assert error == pytest.approx(drawn, rel=0.3)
    assert shift == pytest.approx(np.mean(moved, axis=1), rel=0.3, abs=0.0005)
    assert np.all(error < 0.05)


def test_no_switch_adds_no_error():
    shift, error = switched_shift([2.0, 9.0], [1e4, 9e4], [0.5, 0.5], 0.0, 500, BIN_S)
    assert not shift.any()
    assert not error.any()
