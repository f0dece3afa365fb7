"""Bleaching: the darkness at the end against the dark dwells before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.estimators.bleaching import find_bleaching
from streamer.estimators.blinking import blinking
from streamer.estimators.dwell_laws import fit_laws
from streamer.estimators.dwells import join_dwells
from streamer.estimators.estimate import Estimate


def run(lengths, first=1, gap_before=()):
    """Dwells of these lengths in bins of 10 ms, by turns."""
    state = np.repeat((np.arange(len(lengths)) + first) % 2, lengths)
    start = np.arange(len(state))
    for at in gap_before:
        start[at:] += 7
    return join_dwells(start, start + 1, state, 0.01)


def laws_before(dwells):
    return fit_laws(*dwells.until(float(dwells.start_s[-1])).of(0), 0.01)


def test_a_darkness_that_no_dark_dwell_explains_is_bleaching():
    rng = np.random.default_rng(1)
    blinks = 1 + rng.exponential(20.0, 100).astype(int)
    dwells = run([*blinks, 30, 3000])
    found = find_bleaching(dwells, laws_before(dwells), 0.01)
    assert found.seen
    assert found.time_s == pytest.approx((blinks.sum() + 30) * 0.01)
    assert found.dark_s == pytest.approx(30.0)
    assert found.expected < 1e-6
    assert found.told.startswith("bleached at t = ")


@pytest.mark.parametrize("last", [5, 40, 80])
def test_one_more_dark_dwell_is_not(last):
    rng = np.random.default_rng(2)
    dwells = run([*(1 + rng.exponential(20.0, 100).astype(int)), 30, last])
    found = find_bleaching(dwells, laws_before(dwells), 0.01)
    assert not found.seen
    assert found.expected >= 0.01
    assert found.told.startswith(("not certain, dark since", "not seen (dark for the last"))


def test_a_heavy_tail_explains_long_darkness():
    rng = np.random.default_rng(3)
    length = np.ceil(1 / (1 - rng.random(400))).astype(int)  # t**-2
    longest = length[1::2].max()
    dwells = run([*length, 30, 5 * longest])
    found = find_bleaching(dwells, laws_before(dwells), 0.01)
    assert not found.seen
    assert 0.1 < found.expected < 0.5


def test_few_dark_dwells_rule_no_power_law_out():
    dwells = run([40, 3, 50, 12, 30, 5, 60, 800])
    found = find_bleaching(dwells, None, 0.01)
    assert not found.seen
    assert found.expected == pytest.approx((800 / 12) ** -0.5)
    assert found.told.startswith("not certain, dark since")


def test_a_law_that_is_hardly_better_than_a_power_law_does_not_cut_the_run():
    rng = np.random.default_rng(5)
    dwells = run([*(1 + rng.exponential(20.0, 100).astype(int)), 30, 800])
    laws = laws_before(dwells)
    assert laws.law == "exponential"
    assert find_bleaching(dwells, laws, 0.01).seen
    close = replace(laws, bic=laws.bic | {"power law": laws.bic["exponential"] + 1.0})
    for doubtful in (close, replace(laws, p_value=None), replace(laws, p_value=0.001)):
        found = find_bleaching(dwells, replace(doubtful, exponent=Estimate(1.6, 0.1, 1.4, 1.8)), 0.01)
        assert not found.seen
        assert found.expected > 0.1


def power_law_blinking(rng, seconds):
    """Bins of 10 ms of an emitter that never bleaches: exponents 1.5, dwells of 20 ms and more."""
    n = 0
    length = np.empty(0)
    while length.sum() < seconds:
        n += 200
        length = np.append(length, 0.02 * (1 - rng.random(200)) ** -2)
    begins = np.append(0, np.cumsum(length))
    lit = np.append(0, np.cumsum(length * ((np.arange(len(length)) + rng.integers(2)) % 2)))
    on = np.diff(np.interp(np.arange(round(seconds * 100) + 1) / 100, begins, lit)) > 0.005
    at = np.arange(len(on) + 1)
    return join_dwells(at[:-1], at[1:], on.astype(np.int64), 0.01)


def test_power_law_blinking_is_no_bleaching():
    rng = np.random.default_rng(6)
    found = [blinking(power_law_blinking(rng, 60.0), 0.01).bleaching.seen for _ in range(40)]
    assert sum(found) <= 1


def test_never_dark_before():
    assert find_bleaching(run([500, 400]), None, 0.01).seen
    assert "never dark before" in find_bleaching(run([500, 400]), None, 0.01).told
    assert not find_bleaching(run([500, 50]), None, 0.01).seen
    assert not find_bleaching(run([50_000, 400]), None, 0.01).seen


def test_not_ending_dark_and_never_bright():
    assert find_bleaching(run([50, 20, 50]), None, 0.01).told == "not seen"
    assert find_bleaching(run([500], first=0), None, 0.01).told == "never bright"


def test_darkness_goes_on_over_a_gap():
    found = find_bleaching(run([500, 400], gap_before=[600]), None, 0.01)
    assert found.time_s == pytest.approx(5.0)
    assert found.dark_s == pytest.approx(4.0)


@pytest.mark.slow
def test_blinking_is_taken_for_bleaching_in_few_of_many_runs():
    rng = np.random.default_rng(4)
    seen = 0
    for _ in range(100):
        lengths = 1 + rng.exponential(20.0, 61).astype(int)
        seen += blinking(run([*lengths, int(1 + rng.exponential(20.0))]), 0.01).bleaching.seen
    assert seen <= 2
