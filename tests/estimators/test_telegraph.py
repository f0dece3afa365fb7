"""On and off by turns: numbers of known truth, what bins miss, limits that know of dwells, and reasons for none."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.dwells import join_dwells
from streamer.estimators.telegraph import GREATEST, telegraph


def turns(rng, on, off, bins, need=0.5):
    """State of each bin: on and off dwells by turns, on where more than `need` of the bin was; stationary."""
    n = int(2 * (bins + 100 * (on + off)) / (on + off)) + 50
    length = np.stack([rng.exponential(on, n), rng.exponential(off, n)], axis=1).ravel()
    begins = np.concatenate([[0.0], np.cumsum(length)])
    lit = np.concatenate([[0.0], np.cumsum(length * (np.arange(2 * n) % 2 == 0))])
    edges = 50 * (on + off) * (1 + rng.random()) + np.arange(bins + 1)
    assert edges[-1] < begins[-1]
    return (np.diff(np.interp(edges, begins, lit)) > need).astype(np.int64)


def dwells(state):
    """Of bins of 1 s."""
    at = np.arange(len(state) + 1)
    return join_dwells(at[:-1], at[1:], state, 1.0)


NUMBERS = ("on_fraction", "changes_per_s", "mean_off_s", "mean_on_s", "leave_off_per_s", "leave_on_per_s")


def truth(on, off):
    return (on / (on + off), 2 / (on + off), off, on, 1 / off, 1 / on)


@pytest.mark.parametrize(("on", "off", "need"), [(30, 30, 0.5), (200, 15, 0.5), (40, 25, 0.33), (40, 25, 0.67)])
def test_numbers_of_a_long_run_with_what_bins_missed(on, off, need):
    state = turns(np.random.default_rng(1), on, off, 400_000, need)
    found = telegraph(dwells(state), 1.0, 1 - 2 * need, (True, True))
    for name, true in zip(NUMBERS, truth(on, off), strict=True):
        one = getattr(found, name)
        assert abs(one.value - true) < 3.5 * one.error, name
        assert one.error < 0.04 * true
        assert one.low < one.value < one.high
    assert 0.01 < found.missed < 0.15
    raw = telegraph(dwells(state), 1.0, 1 - 2 * need)
    assert raw.changes_per_s.value == pytest.approx(found.changes_per_s.value * (1 - found.missed))
    assert raw.changes_per_s.value < 2 / (on + off) - raw.changes_per_s.error


@pytest.mark.slow
@pytest.mark.parametrize(("on", "off", "exponential"), [(40, 20, True), (40, 20, False), (300, 30, True)])
def test_limits_hold_the_truth_where_bins_taken_for_coins_would_not(on, off, exponential):
    rng = np.random.default_rng(2)
    held, coins, n = np.zeros(6), 0, 300
    for _ in range(n):
        state = turns(rng, on, off, 6000)
        found = telegraph(dwells(state), 1.0, 0.0, (exponential, exponential))
        for k, (name, true) in enumerate(zip(NUMBERS, truth(on, off), strict=True)):
            one = getattr(found, name)
            held[k] += one.low <= true <= one.high
        p = state.mean()
        coins += abs(p - on / (on + off)) < 1.96 * np.sqrt(p * (1 - p) / 6000)
    assert 0.91 <= held[0] / n <= 0.985
    if exponential:
        assert (held / n >= 0.91).all()
    assert coins / n < 0.6


def test_few_changes_give_the_share_without_limits():
    found = telegraph(dwells(np.array([0] * 50 + [1] * 30 + [0] * 20)), 1.0)
    assert found.on_fraction.value == 0.3
    assert found.on_fraction.low is None
    assert "too few for an error" in found.on_fraction.reason
    assert found.changes_per_s.value == pytest.approx(2 / 99)  # borders
    assert found.mean_on_s.value is None
    assert telegraph(dwells(np.array([], np.int64)), 1.0).on_fraction.value is None


def test_one_dwell_that_holds_much_of_the_time_takes_the_limits():
    state = np.tile([0, 0, 1, 1], 40)
    fine = telegraph(dwells(state), 1.0)
    assert fine.on_fraction.low is not None
    found = telegraph(dwells(np.concatenate([state, [1] * 200, state])), 1.0)
    assert GREATEST < 200 / 360
    assert found.on_fraction.low is None
    assert "one dwell holds" in found.mean_on_s.reason


@pytest.mark.parametrize("exponential", [(False, False), (True, True)])
@pytest.mark.parametrize("first", [True, False])
def test_so_does_one_that_the_run_begins_or_ends_with(exponential, first):
    state, long = np.tile([0, 0, 1, 1], 80), np.full(2000, 1)
    found = telegraph(dwells(np.concatenate([long, state] if first else [state, long])), 1.0, 0.0, exponential)
    assert found.on_fraction.low is None
    assert "one dwell holds" in found.on_fraction.reason


def test_exponential_dwells_keep_the_limits_though_they_are_few():
    rng = np.random.default_rng(7)
    told = [
        telegraph(dwells(turns(rng, 40, 40, 1000)), 1.0, 0.0, (True, True)).on_fraction.low is not None
        for _ in range(40)
    ]
    assert sum(told) >= 38


def test_dwells_of_few_bins_have_no_rate():
    state = turns(np.random.default_rng(3), 4, 4, 3000)
    found = telegraph(dwells(state), 1.0, 0.0, (True, True))
    assert "shorter bins" in found.changes_per_s.reason
    assert found.changes_per_s.low is None
    assert found.on_fraction.low < 0.5 < found.on_fraction.high


def test_missing_dwells_take_the_limits_of_the_rates_only():
    state = turns(np.random.default_rng(4), 30, 30, 6000)
    found = telegraph(dwells(state), 1.0, missing=True)
    assert "this is what bins show" in found.mean_off_s.reason
    assert found.on_fraction.reason is None


def test_dwells_all_alike_are_no_division_by_zero():
    found = telegraph(dwells(np.tile([0, 0, 1, 1, 1], 50)), 1.0)
    assert found.on_fraction.value == pytest.approx(0.6)
    assert found.on_fraction.error == pytest.approx(0, abs=1e-6)


def of_change_points(rng, mean_s, delay_s, n):
    """Exponential dwells off and on, of which those shorter than the delay are joined with their neighbours."""
    length = rng.exponential(mean_s, 2 * n)
    state = (np.arange(2 * n) % 2)[length > delay_s]
    stop = np.cumsum(length)[length > delay_s]
    ticks = np.append(0, np.round(stop * 1e6).astype(np.int64))
    return join_dwells(ticks[:-1], ticks[1:], state, 1e-6)


def test_what_change_points_miss_takes_the_limits_where_it_counts():
    rng = np.random.default_rng(5)
    many = telegraph(of_change_points(rng, 0.02, 0.001, 1500), None, 0.0, (True, True), delay_s=(0.001, 0.001))
    assert many.changes_per_s.value < 48  # of 50
    assert many.changes_per_s.low is None
    assert "before change points find them, some 8.7 %" in many.changes_per_s.reason
    assert many.missed is None
    assert many.on_fraction.low < 0.5 < many.on_fraction.high
    few = telegraph(of_change_points(rng, 0.1, 0.001, 150), None, 0.0, (True, True), delay_s=(0.001, 0.001))
    assert few.changes_per_s.low < 10 < few.changes_per_s.high
    most = telegraph(of_change_points(rng, 0.005, 0.001, 1500), None, 0.0, (True, True), delay_s=(0.001, 0.001))
    assert most.on_fraction.low is None


def test_without_a_law_as_many_are_missed_as_there_are_just_above_the_delay():
    rng = np.random.default_rng(6)
    steep = 0.001 * (1 - rng.random(4000)) ** (-1 / 0.9)
    ticks = np.append(0, np.cumsum(np.minimum(steep, 0.3) * 1e6).astype(np.int64))
    found = telegraph(join_dwells(ticks[:-1], ticks[1:], np.arange(4000) % 2, 1e-6), delay_s=(1e-4, 1e-3))
    assert "before change points find them" in found.mean_on_s.reason


def test_changes_are_counted_per_border_that_shows_them():
    rng = np.random.default_rng(8)
    state = turns(rng, 40, 40, 60_000)
    at = np.arange(60_000)
    for each in (2, 20, 50):
        kept = at % (each + 1) != 0  # a bin lost, each so many
        found = telegraph(join_dwells(at[kept], at[kept] + 1, state[kept], 1.0), 1.0, 0.0, (True, True))
        assert found.changes_per_s.value == pytest.approx(2 / 80, abs=0.0015)
        for name, true in zip(NUMBERS, truth(40, 40), strict=True):
            one = getattr(found, name)
            assert each == 2 or abs(one.value - true) < 3.5 * one.error, (each, name)
