"""Sequences of segments: share of time on, dark stretch, bright drift; by hand, and against simulated truth."""

import numpy as np
import pytest

from streamer.estimators.bright_drift import bright_drift
from streamer.estimators.dark_stretch import dark_stretch
from streamer.estimators.on_share import on_share


def telegraph(rng, n, on_s, off_s, bin_s=0.01):
    """bool[n]: a telegraph in bins, each wholly on or off."""
    state, left, on = rng.random() < on_s / (on_s + off_s), 0.0, np.empty(n, bool)
    left = rng.exponential(on_s if state else off_s)
    for at in range(n):
        while left <= 0:
            state = not state
            left += rng.exponential(on_s if state else off_s)
        on[at] = state
        left -= bin_s
    return on


def test_the_error_of_the_on_share_is_that_of_many_runs():
    rng = np.random.default_rng(1)
    found = [on_share(telegraph(rng, 12_000, 0.3, 0.2), np.full(12_000, 0.01)) for _ in range(100)]
    values = np.array([one.value for one in found])
    errors = np.array([one.error for one in found])
    assert values.mean() == pytest.approx(0.6, abs=4 * values.std() / 100**0.5)
    assert 0.85 * values.std() < errors.mean() < 1.4 * values.std()


def test_noise_that_cuts_cycles_does_not_make_the_error_small():
    rng = np.random.default_rng(2)
    clean = [telegraph(rng, 12_000, 0.4, 0.2) for _ in range(60)]
    spread = np.std([one.mean() for one in clean])
    noisy = [on_share(one ^ (rng.random(12_000) < 0.03), np.full(12_000, 0.01)).error for one in clean]
    assert np.mean(noisy) > 0.8 * spread


def test_few_cycles_or_one_that_is_most_of_the_time_have_no_share():
    assert "needed" in on_share(np.array([True, False] * 5), np.ones(10)).reason
    on = np.array([True, False] * 30 + [True] * 100 + [False, True])
    assert "no mean yet" in on_share(on, np.ones(len(on))).reason


def test_dwells_of_a_power_law_are_not_taken_for_cycles_that_tell_an_error():
    """Exponent 1.5, cut at 20 s, runs of 300 s: where an error is told, the truth is within three of it."""
    rng, told, far = np.random.default_rng(4), 0, 0
    for _ in range(150):
        states, dwells = [], []
        while sum(dwells) < 300:
            states.append(len(states) % 2 == 0)
            dwells.append((0.01**-0.5 - rng.random() * (0.01**-0.5 - 20**-0.5)) ** -2)
        on = np.repeat(states, np.maximum(np.round(np.array(dwells) * 100).astype(int), 1))[:30_000]
        found = on_share(on, np.full(len(on), 0.01))
        if found.value is not None:
            told += 1
            far += abs(found.value - 0.5) > 3 * found.error
    assert far <= 0.05 * 150
    assert told < 100


def stretch(rates):
    return dark_stretch(np.array(rates, float), np.full(len(rates), 0.5), 1.0, 100.0, 30.0)


def test_dark_stretches_by_hand():
    found = stretch([100, 100, 1, 1, 100, 100, 2, 0, 1])
    assert (found.dark_s, found.before, found.longest_s, found.bright) == (1.5, 1, 1.0, True)
    assert found.exponential == pytest.approx(2 / (1 + 1.5 / 1.0))
    assert found.power_law == pytest.approx(1.5**-0.5)
    assert not stretch([1, 2, 1]).bright
    assert stretch([1, 1, 100]).dark_s == 0.0
    # One segment just above the border is noise, two or one far up are light.
    assert stretch([100, 100, 1, 1, 35, 1, 1]).dark_s == 2.5
    assert stretch([100, 100, 1, 1, 35, 35, 1]).dark_s == 0.5
    assert stretch([100, 100, 1, 1, 60, 1, 1]).dark_s == 1.0


def drift(levels, on=0.5, seed=3):
    """Windows of 100 segments of 10 ms at these bright levels, on for a share of the time."""
    rng = np.random.default_rng(seed)
    window = np.repeat(np.arange(len(levels)), 100)
    rate = np.repeat(np.array(levels, float), 100) * (rng.random(len(window)) < on) + 200
    return bright_drift(window, rng.poisson(rate * 0.01), np.full(len(window), 0.01), 1000.0)


def test_bright_levels_by_window():
    steady = drift([20_000] * 8)
    assert 1 - steady.last_cps / steady.start_cps < 0.06
    fallen = drift([20_000] * 4 + [18_000, 16_000, 14_000, 12_000])
    assert 1 - fallen.last_cps / fallen.start_cps == pytest.approx(0.4, abs=0.05)
    flash = drift([20_000] * 3 + [60_000] + [20_000] * 4)
    assert 1 - flash.last_cps / flash.start_cps < 0.06
    assert drift([20_000] * 3).start_cps is None
    assert len(drift([20_000, 0, 0, 20_000]).levels_cps) == 2
