"""Type of blinking: slopes of simulated emitters, verdicts, and when there is none."""

from __future__ import annotations

import numpy as np
import pytest

from streamer.estimators.blinking_type import _verdict, blinking_type
from tests.coverage.cases import segment_lifetime as cases

PERIOD, EARLY = 400.0, 0.5


def emitter(rng, levels, taus, n=1000, dark=2.0, detectors=2):
    """Photons and summed times of segments of an emitter that stays for 20 of them in a state."""
    state = np.repeat(rng.integers(len(levels), size=n // 20), 20)
    photons, sums = np.empty((n, detectors), np.int64), np.empty((n, detectors))
    for s in range(n):
        for d in range(detectors):
            light, noise = rng.poisson(levels[state[s]] / detectors), rng.poisson(dark)
            late = (taus[state[s]] * rng.standard_exponential(light) + EARLY) % PERIOD - EARLY
            photons[s, d] = light + noise
            sums[s, d] = late.sum() + (PERIOD * rng.random(noise) - EARLY).sum()
    return photons, sums, [dark] * detectors, PERIOD, EARLY


@pytest.mark.parametrize("detectors", [1, 2])
@pytest.mark.parametrize(
    ("taus", "verdict", "slope"),
    [((5.0, 25.0), "A", 1.0), ((25.0, 25.0), "B", 0.0), ((25.0 / 5**0.5, 25.0), "neither", 0.5)],
)
def test_slope_and_verdict(detectors, taus, verdict, slope):
    rng = np.random.default_rng(4)
    found = blinking_type(*emitter(rng, (60.0, 300.0), taus, detectors=detectors))
    assert found.verdict == verdict
    assert abs(found.slope.value - slope) < 3.5 * found.slope.error
    assert (found.p_a > 1e-3) == (slope == 1)
    assert (found.p_b > 1e-3) == (slope == 0)


def test_undecided():
    rng = np.random.default_rng(5)
    steady = blinking_type(*emitter(rng, (100.0,), (25.0,)))
    assert steady.verdict == "undecided"
    short = blinking_type(*emitter(rng, (60.0, 300.0), (5.0, 25.0), n=60))
    assert (short.verdict, short.slope.value) == ("undecided", None)
    assert "fewer than 100" in short.slope.reason
    dark = blinking_type(*emitter(rng, (0.0, 0.0), (25.0, 25.0), n=200))
    assert dark.verdict == "undecided"


def test_zones():
    ends = ((0.8, 1.3), (-0.1, 0.1), (0.4, 0.6), (0.1, 0.9), (-1, 3), (1.4, 1.6))
    assert [_verdict(*one, 0.5, 0.5) for one in ends] == ["A", "B", "neither", "undecided", "undecided", "neither"]
    assert _verdict(1.1, 1.2, 1e-9, 0.0) == "nearly A"
    assert _verdict(0.1, 0.2, 0.0, 1e-9) == "nearly B"


def test_steady_light_has_no_type():
    for seed in range(12):
        found = blinking_type(*emitter(np.random.default_rng(seed), (100.0,), (25.0,)))
        assert (found.verdict, found.slope.value) == ("undecided", None)
        assert "does not change" in found.slope.reason


def test_a_background_that_is_not_known_well_is_in_the_error():
    off = []
    for seed in range(6):
        photons, sums, dark, *rest = emitter(np.random.default_rng(seed), (10.0, 200.0), (25.0, 25.0))
        wrong = [1.2 * one for one in dark]
        sure = blinking_type(photons, sums, wrong, *rest)
        unsure = blinking_type(photons, sums, wrong, *rest, background_error=[0.2 * one for one in dark])
        assert unsure.slope.value == sure.slope.value
        assert unsure.slope.low < 0 < unsure.slope.high
        assert unsure.p_b > 0.01
        off.append(sure.slope.value / sure.slope.error)
    assert np.mean(off) > 3  # 20 % of the background is as much as that


@pytest.mark.slow
def test_intervals_hold_the_truth():
    trials = [one for one in cases.types(np.random.default_rng(6), 300) if one.value is not None]
    held = np.mean([one.low <= one.truth <= one.high for one in trials])
    assert 0.91 < held < 0.98
