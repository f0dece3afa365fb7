"""Grouping of segments of any length: how many states, their rates, thresholds and shares, against the truth."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import poisson

from streamer.errors import InputError
from streamer.estimators.grouping import group_segments


def segments(rng, rates, n, mean_s=0.3):
    """(counts, lengths, true states): segments that never follow one of the same state."""
    state = np.cumsum(rng.integers(1, len(rates), n)) % len(rates) if len(rates) > 1 else np.zeros(n, np.int64)
    length = 0.01 + rng.exponential(mean_s, n)
    return rng.poisson(np.array(rates)[state] * length), length, state


@pytest.mark.parametrize(
    "rates", [[5000.0], [300.0, 5000.0], [0.0, 2000.0], [300.0, 2000.0, 6000.0], [200.0, 900.0, 2500.0, 6000.0]]
)
@pytest.mark.parametrize("n", [60, 2000])
def test_number_rates_states_and_shares_of_known_truth(rates, n):
    rng = np.random.default_rng(1)
    for _ in range(4):
        counts, length, state = segments(rng, rates, n)
        found = group_segments(counts, length)
        assert len(found.rates_cps) == len(rates)
        seconds = np.bincount(state, length, len(rates))
        error = np.sqrt(np.array(rates) / seconds)
        assert (np.abs(found.rates_cps - rates) <= 4 * error + 1e-3 * np.array(rates) + 0.1).all()
        assert np.mean(found.state_of != state) < 0.005
        assert found.shares == pytest.approx(seconds / seconds.sum(), abs=0.005)
        assert found.fits
        assert found.reason is None


def test_the_right_number_over_many_emitters():
    rng = np.random.default_rng(2)
    for rates in ([2000.0], [400.0, 2000.0], [400.0, 1200.0, 2400.0]):
        found = [len(group_segments(*segments(rng, rates, 200)[:2]).rates_cps) for _ in range(60)]
        assert found.count(len(rates)) >= 59


def test_thresholds_lie_where_neighbours_are_equally_likely():
    counts, length, _ = segments(np.random.default_rng(3), [300.0, 2000.0], 3000)
    found = group_segments(counts, length)
    middle = float(np.median(length))
    n = found.thresholds_cps[0] * middle

    def log_chance(k):
        mean, share = found.rates_cps[k] * middle, np.mean(found.state_of == k)
        return n * np.log(mean) - mean + np.log(share)

    assert log_chance(0) == pytest.approx(log_chance(1), abs=0.05)


def test_fixed_bins_are_segments_of_one_length():
    rng = np.random.default_rng(4)
    state = rng.integers(0, 2, 2000)
    counts = rng.poisson(np.array([3.0, 40.0])[state])
    found = group_segments(counts, np.full(2000, 0.01))
    assert found.rates_cps == pytest.approx([300, 4000], rel=0.04)
    assert np.array_equal(found.state_of, state)
    assert found.expected == pytest.approx(found.rates_cps[found.state_of] * 0.01)
    assert poisson.sf(counts[state == 0].max(), 3.0) > 1e-5  # the truth is what it should be


def test_a_few_strays_neither_make_nor_move_a_state():
    rng = np.random.default_rng(5)
    counts, length, _ = segments(rng, [300.0, 5000.0], 1000)
    plain = group_segments(counts, length)
    counts[::200] = rng.poisson(np.array([900, 1400, 2200, 3000, 3900]) * length[::200])
    found = group_segments(counts, length)
    assert found.rates_cps == pytest.approx(plain.rates_cps, rel=0.02)
    assert found.stray == pytest.approx(0.005, abs=0.002)


def test_drift_and_laser_noise_are_not_states():
    rng = np.random.default_rng(6)
    length = 0.01 + rng.exponential(0.5, 1000)
    counts = rng.poisson(50_000 * (1 + 0.03 * rng.standard_normal(1000)) * length)
    found = group_segments(counts, length)
    assert len(found.rates_cps) == 1
    assert not found.fits
    assert "not explain" in found.reason
    assert "BIC favours" in found.reason


def test_a_number_asked_for_is_given():
    counts, length, _ = segments(np.random.default_rng(7), [300.0, 2000.0, 6000.0], 500)
    found = group_segments(counts, length, n_states=2)
    assert len(found.rates_cps) == 2
    assert not found.fits
    assert np.isfinite(found.bic).tolist() == [False, True, False, False]


def test_neighbours_in_one_state_are_told():
    counts, length, _ = segments(np.random.default_rng(8), [300.0, 2000.0], 200)
    order = np.argsort(counts / length)
    found = group_segments(counts[order], length[order], joined=np.ones(200, bool))
    assert "share a state" in found.reason


@pytest.mark.parametrize(
    ("counts", "length", "rates"), [([], [], 0), ([0], [1.0], 1), ([7], [0.1], 1), ([0, 0, 0], [1.0, 2.0, 0.5], 1)]
)
def test_degenerate(counts, length, rates):
    found = group_segments(np.array(counts, np.int64), np.array(length))
    assert len(found.rates_cps) == rates
    assert len(found.thresholds_cps) == max(0, rates - 1)
    assert len(group_segments(np.array(counts, np.int64), np.array(length), n_states=3).rates_cps) == rates


def test_refusals_name_the_rule():
    with pytest.raises(InputError, match="all above 0"):
        group_segments(np.array([1]), np.array([0.0]))
    with pytest.raises(InputError, match="at least 1, got 0"):
        group_segments(np.array([1]), np.array([1.0]), n_states=0)


@pytest.mark.slow
def test_a_hundred_thousand_segments_take_seconds():
    counts, length, _ = segments(np.random.default_rng(9), [300.0, 2000.0, 6000.0], 100_000, 0.05)
    began = time.process_time()
    assert len(group_segments(counts, length).rates_cps) == 3
    assert time.process_time() - began < 10


def test_a_bleached_dot_is_a_state_of_one_segment():
    rng = np.random.default_rng(10)
    counts, length, _ = segments(rng, [300.0, 2000.0], 100)
    found = group_segments(np.append(counts, rng.poisson(20 * 30.0)), np.append(length, 30.0))
    assert found.rates_cps == pytest.approx([20, 300, 2000], rel=0.1)


def test_very_many_segments_are_grouped_from_a_part_and_all_told():
    counts, length, state = segments(np.random.default_rng(9), [300.0, 2000.0, 6000.0], 90_000)
    found = group_segments(counts, length)
    assert found.rates_cps == pytest.approx([300, 2000, 6000], rel=0.005)
    assert len(found.state_of) == 90_000
    assert np.mean(found.state_of != state) < 0.005
    # Strictly alternating states, of which every second would be one only.
    two, length, state = segments(np.random.default_rng(10), [300.0, 2000.0], 50_000)
    assert group_segments(two, length).rates_cps == pytest.approx([300, 2000], rel=0.005)
    again = group_segments(two, length)
    assert np.array_equal(again.state_of, group_segments(two, length).state_of)
