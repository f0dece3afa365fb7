"""Dwells: joined from segments, cut off at the ends of stretches; density, survival, thresholds against plain sums."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from streamer.errors import InputError
from streamer.estimators.dwells import MOST_LENGTHS, density, edge, join_dwells, on_off_threshold, survival


def joined(state, broken=(), tick_s=0.5):
    """Dwells of bins of two ticks; `broken`: a gap of one tick lies before these bins."""
    gaps = np.cumsum(np.isin(np.arange(len(state)), broken))
    start = 2 * np.arange(len(state)) + gaps
    return join_dwells(start, start + 2, np.array(state), tick_s)


def naive(state, broken=()):
    """(state, bins, begun, ended), bin by bin."""
    runs = []
    for k, one in enumerate(state):
        if k and one == state[k - 1] and k not in broken:
            runs[-1][1] += 1
        else:
            fresh = k == 0 or k in broken
            if runs:
                runs[-1][3] = not fresh
            runs.append([one, 1, not fresh, False])
    return runs


def test_dwells_against_a_walk_over_the_bins():
    rng = np.random.default_rng(1)
    for _ in range(30):
        state = rng.integers(0, 3, 60).repeat(rng.integers(1, 4))
        broken = sorted(rng.choice(np.arange(1, len(state)), 3, replace=False).tolist())
        found = joined(state.tolist(), broken)
        plain = naive(state.tolist(), broken)
        assert found.state.tolist() == [one[0] for one in plain]
        assert found.length_s.tolist() == [one[1] for one in plain]
        assert found.begun.tolist() == [one[2] for one in plain]
        assert found.ended.tolist() == [one[3] for one in plain]
        assert found.span_s == len(state)
        assert found.changes == sum(a[0] != b[0] and b[2] for a, b in pairwise(plain))


def test_a_segment_without_a_state_breaks_the_stretch():
    found = joined([0, 0, 1, -1, 1, 0])
    assert found.state.tolist() == [0, 1, 1, 0]
    assert found.begun.tolist() == [False, True, False, True]
    assert found.ended.tolist() == [True, False, True, False]


def test_no_segments():
    assert len(joined([])) == 0
    assert joined([]).span_s == 0


def test_of_one_state_only_dwells_whose_beginning_was_seen():
    length, complete = joined([1, 0, 0, 1, 1, 1, 0]).of(1)
    assert length.tolist() == [3]
    assert complete.tolist() == [True]
    length, complete = joined([1, 0, 0, 1, 1, 1, 0]).of(0)
    assert (length.tolist(), complete.tolist()) == ([2, 1], [True, False])


def test_until_cuts_the_last_dwell_off():
    found = joined([1, 0, 0, 1, 1, 1, 0]).until(4.5)
    assert found.length_s.tolist() == [1, 2, 1.5]
    assert found.ended.tolist() == [True, True, False]


def test_threshold_is_background_and_so_many_deviations_of_a_bin():
    assert on_off_threshold(400.0, 0.01, 3.0) == pytest.approx(400 + 3 * 2 / 0.01)
    assert on_off_threshold(400.0, 0.01, 2.0, 150.0) == pytest.approx(400 + 2 * 250)
    for bad in ((-1.0, 0.01, 3.0), (400.0, 0.0, 3.0), (400.0, 0.01, float("nan"))):
        with pytest.raises(InputError, match="must be"):
            on_off_threshold(*bad)


def test_edge_is_how_much_longer_bright_dwells_look():
    rng = np.random.default_rng(2)
    for threshold in (0.5, 0.3, 0.8):
        length = rng.uniform(3, 9, 4000)
        begin = rng.random(4000)
        bins = np.arange(12)
        share = np.clip(np.minimum(begin + length, bins[:, None] + 1) - np.maximum(begin, bins[:, None]), 0, 1)
        more = (share > threshold).sum(axis=0).mean() - length.mean()
        assert more == pytest.approx(edge(100 + 900 * threshold, 100, 1000), abs=0.03)
    assert edge(5, 10, 10) == 0


def test_survival_without_censoring_is_the_share_of_longer_dwells():
    length = np.random.default_rng(3).integers(1, 40, 300).astype(float)
    found = survival(length, np.ones(300, bool))
    time = np.array([0.5, 1.0, 7.0, 7.5, 30.0])
    assert found.at(time)[:, 0] == pytest.approx([(length > one).mean() for one in time])
    assert np.isnan(found.at(np.array([99.0]))).all()


def test_survival_with_censoring_is_the_product_of_the_chances_to_go_on():
    length, complete = np.array([1.0, 2.0, 2.0, 3.0, 5.0]), np.array([True, True, False, False, True])
    found = survival(length, complete)
    assert found.time_s.tolist() == [1, 2, 5]
    assert found.share == pytest.approx([4 / 5, 4 / 5 * 3 / 4, 0])
    assert (found.low[:2] < found.share[:2]).all()
    assert (found.high[:2] > found.share[:2]).all()
    assert len(survival(np.empty(0), np.empty(0, bool)).time_s) == 0


def test_density_weights_a_length_by_the_room_about_it():
    time, per_s, number = density(np.array([1.0, 1, 1, 2, 2, 4, 10]))
    assert time.tolist() == [1, 2, 4, 10]
    assert number.tolist() == [3, 2, 1, 1]
    assert per_s == pytest.approx([3 / 7 / 1, 2 / 7 / 1.5, 1 / 7 / 4, 1 / 7 / 6])
    assert np.isnan(density(np.array([2.0, 2.0]))[1]).all()
    assert len(density(np.empty(0))[0]) == 0


def test_density_of_a_power_law_is_one_over_many_decades():
    rng = np.random.default_rng(4)
    length = (1 - rng.random(200_000)) ** (1 / -0.7)  # t**-1.7 from 1 on
    time, per_s, number = density(length)
    assert len(time) <= MOST_LENGTHS
    assert number.sum() == 200_000
    many = number > 300
    assert per_s[many] == pytest.approx(0.7 * time[many] ** -1.7, rel=0.3)
