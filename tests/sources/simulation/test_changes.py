"""Slow changes of the simulated emitter: drift, bleaching, dots that follow each other, markers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from sources.simulate import SimulateSource, open_source
from sources.simulation.changes import BLOCK, STEP_S, bleached_s, dots, mean_factors, steps
from sources.simulation.parts import Bleach, Drift, Marker, State
from sources.simulation.rates import rate_cps
from sources.simulation.settings import CW, Settings

STEADY = Settings(
    states=(State(0.9, 20.0, 0.1, 2.0),), nbar=0.1, eta_c=0.1, dark_cps=(0.0, 0.0), dead_ns=(0.0, 0.0), duration_s=4.0
)
SIGNAL = rate_cps(STEADY, STEADY.states[0])


def times(settings: Settings) -> NDArray[np.float64]:
    """Arrival times in s."""
    source = SimulateSource(settings)
    return np.concatenate([chunk.time for chunk in source.chunks()]) * source.info.tick_s


@pytest.mark.parametrize("excitation", ["pulsed", CW])
@pytest.mark.parametrize(
    ("drift", "factor"),
    [
        (Drift("linear", -0.2), lambda t: 1 - 0.2 * t),
        (Drift("linear", -0.5), lambda t: np.maximum(0, 1 - 0.5 * t)),
        (Drift("sine", 0.6, 2.0), lambda t: 1 + 0.6 * np.sin(np.pi * t)),
    ],
)
def test_drift_of_the_collection(drift: Drift, factor, excitation: str) -> None:
    settings = replace(STEADY, drift_collection=drift)
    if excitation == CW:
        settings = replace(settings, excitation=CW, mode="T2", eta_c=0.2)
    rate = rate_cps(settings, settings.states[0])
    edges = np.arange(0, 4.01, 0.25)
    counts = np.histogram(times(settings), edges)[0]
    fine = np.arange(0.005, 4, 0.01)
    expected = rate * factor(fine).reshape(16, 25).mean(axis=1) * 0.25
    pulls = (counts - expected) / np.sqrt(np.maximum(expected, 1) * 1.1)
    assert np.abs(pulls).max() < 4.5
    told = SimulateSource(settings).info.truth["drift_mean_factors"]
    assert told == {"excitation": 1.0, "collection": pytest.approx(factor(fine).mean(), rel=1e-6)}


def test_drift_of_the_excitation_saturates() -> None:
    settings = replace(STEADY, nbar=2.0, eta_c=0.01, drift_excitation=Drift("linear", 0.25))
    found = times(settings)
    for start in (0.0, 3.0):
        expected = np.mean(
            [
                rate_cps(replace(settings, nbar=2 * (1 + 0.25 * t)), settings.states[0])
                for t in start + np.linspace(0, 1, 50)
            ]
        )
        assert abs(((found >= start) & (found < start + 1)).sum() - expected) < 4 * np.sqrt(expected * 1.1)


def test_a_walk_has_its_spread_and_its_borders() -> None:
    ends, lowest, highest = [], 1.0, 1.0
    for seed in range(300):
        block = next(steps(replace(STEADY, seed=seed, drift_collection=Drift("walk", 0.1))))[:, 1]
        ends.append(block[99])  # after 1 s
        lowest, highest = min(lowest, block.min()), max(highest, block.max())
    assert stats.kstest((np.array(ends) - 1) / 0.1, "norm").pvalue > 1e-3
    wild = next(steps(replace(STEADY, drift_excitation=Drift("walk", 1.0))))[:, 0]
    assert 0.5 <= wild.min() < 0.6
    assert 1.4 < wild.max() <= 1.5
    means = [mean_factors(replace(STEADY, seed=seed, drift_collection=Drift("walk", 0.5)))[1] for seed in range(200)]
    assert abs(np.mean(means) - 1) < 4 * np.std(means) / np.sqrt(200)
    assert next(steps(STEADY)).shape == (BLOCK, 2)


def test_a_walk_is_followed_by_the_photons() -> None:
    settings = replace(STEADY, eta_c=0.3, drift_collection=Drift("walk", 0.5), seed=3)
    factors = next(steps(settings))[:400, 1]
    counts = np.histogram(times(settings), np.arange(401) * STEP_S)[0]
    expected = rate_cps(settings, settings.states[0]) * STEP_S * factors
    pulls = (counts - expected) / np.sqrt(expected)
    assert 0.85 < pulls.std() < 1.2
    assert abs(pulls.mean()) < 4 / np.sqrt(400)
    assert counts.std() > 2 * np.sqrt(counts.mean())


@pytest.mark.parametrize("excitation", ["pulsed", CW])
def test_bleached_is_dark_for_good(excitation: str) -> None:
    settings = replace(STEADY, bleach=Bleach("at", 1.5), dark_cps=(300.0, 200.0))
    if excitation == CW:
        settings = replace(settings, excitation=CW, mode="T2")
    source = SimulateSource(settings)
    assert source.info.truth["bleached_s"] == pytest.approx(1.5)
    assert source.bleached_s() is None
    found = np.concatenate([chunk.time for chunk in source.chunks()]) * source.info.tick_s
    assert source.bleached_s() == pytest.approx(1.5)
    before, after = (found < 1.5).sum(), (found >= 1.5).sum()
    rate = rate_cps(settings, settings.states[0])
    assert abs(before - 1.5 * rate) < 4.5 * np.sqrt(1.5 * rate)
    assert abs(after - 2.5 * 500) < 4 * np.sqrt(2.5 * 500)


def test_bleaching_laws() -> None:
    drawn = np.array([bleached_s(replace(STEADY, seed=seed, bleach=Bleach("exp", 2.0))) for seed in range(400)])
    assert stats.kstest(drawn, stats.expon(scale=2.0).cdf).pvalue > 1e-3
    assert bleached_s(STEADY) is None
    numbers = [
        len(times(replace(STEADY, seed=seed, bleach=Bleach("photons", 200.0), duration_s=1.0))) for seed in range(60)
    ]
    assert stats.kstest(numbers, stats.expon(scale=200.0).cdf).pvalue > 1e-3
    source = SimulateSource(replace(STEADY, bleach=Bleach("photons", 200.0)))
    assert source.info.truth["bleached_s"] is None
    assert sum(len(chunk.time) for chunk in source.chunks()) < 5000
    assert source.bleached_s() is not None


def test_the_next_dot_is_fresh_at_its_marker() -> None:
    settings = replace(STEADY, bleach=Bleach("at", 0.3), next_dot=Marker(4, 1.0))
    chunks = list(SimulateSource(settings).chunks())
    found = np.concatenate([chunk.time for chunk in chunks]) * 1e-7
    for dot in range(4):
        here = found[(found >= dot) & (found < dot + 1)] - dot
        assert here.max() < 0.3 + 1e-5
        assert abs(len(here) - 0.3 * SIGNAL) < 4.5 * np.sqrt(0.3 * SIGNAL)
    assert np.concatenate([chunk.marker_time for chunk in chunks]).tolist() == [0, 10_000_000, 20_000_000, 30_000_000]
    assert set(np.concatenate([chunk.marker for chunk in chunks])) == {8}
    block = next(dots(replace(settings, bleach=Bleach("exp", 0.1))))
    assert stats.kstest((block[:, 1] - 10_000_000 * np.arange(BLOCK)) * 1e-6, "expon").pvalue > 1e-3


def test_markers_are_periodic_and_change_no_photon() -> None:
    plain = open_source("", {"duration": "0.2"})
    lined = open_source("", {"duration": "0.2", "markers": "1:0.00125,2:0.02"})
    assert not lined.settings.extended
    with_lines, without = list(lined.chunks()), list(plain.chunks())
    np.testing.assert_array_equal(
        np.concatenate([chunk.time for chunk in with_lines]), np.concatenate([chunk.time for chunk in without])
    )
    time = np.concatenate([chunk.marker_time for chunk in with_lines])
    bits = np.concatenate([chunk.marker for chunk in with_lines])
    assert time[bits & 1 > 0].tolist() == list(range(0, 2_000_000, 12_500))
    assert time[bits & 2 > 0].tolist() == list(range(0, 2_000_000, 200_000))
    assert (bits == 3).sum() == 10  # a line that begins a frame is one marker
    assert lined.info.truth["markers"] == [{"number": 1, "period_s": 0.00125}, {"number": 2, "period_s": 0.02}]
    assert "markers" not in plain.info.truth
    tick = [chunk.marker_time for chunk in open_source("cw", {"duration": "0.1", "markers": "3:0.01"}).chunks()]
    assert np.concatenate(tick).tolist() == [k * 10_000_000_000 for k in range(10)]
