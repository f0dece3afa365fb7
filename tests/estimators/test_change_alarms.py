"""Change alarms: delay and misfiled photons as simulated, over contrasts; bad input in one line."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.change_points import ChangeDetector
from streamer.errors import InputError
from streamer.estimators.change_alarms import detection_delay, false_alarms, misfiled, threshold_of

THRESHOLD = threshold_of(1e-5)


def step(rng, first, second, contrast):
    """`first` photons 1000 ticks apart, then `second` at `contrast` times their rate; (ticks, tick of the step)."""
    before, after = (
        np.sort(rng.uniform(0, 1000 * first, first)),
        np.sort(rng.uniform(0, 1000 / contrast * second, second)),
    )
    return np.concatenate((before, 1000 * first + after)).astype(np.int64), 1000 * first


def delay_of(time, first):
    """Photons after the step until a change is found, fed one by one."""
    detector = ChangeDetector(0, 1 << 50, THRESHOLD)
    if len(detector.bounds(time[:first], int(time[first]))[0]):
        return None
    for i in range(first, len(time) - 1):
        if len(detector.bounds(time[i : i + 1], int(time[i + 1]))[0]):
            return i + 1 - first
    return len(time) - first


@pytest.mark.slow
@pytest.mark.parametrize("contrast", [0.4, 0.7, 1.5, 2.0, 3.0])
def test_a_change_is_found_after_as_many_photons_as_told(contrast):
    rng = np.random.default_rng(int(10 * contrast))
    told = detection_delay(THRESHOLD, contrast, 1000)
    delays = [delay_of(step(rng, 1000, int(12 * told) + 50, contrast)[0], 1000) for _ in range(80)]
    seen = np.array([one for one in delays if one is not None], float)
    assert len(seen) > 70
    assert abs(seen.mean() - told) < 0.15 * told + 1.5 + 3 * seen.std() / math.sqrt(len(seen))


@pytest.mark.slow
@pytest.mark.parametrize("contrast", [1.5, 3.0, 10.0])
def test_fewer_photons_are_misfiled_than_told_and_not_far_fewer(contrast):
    rng = np.random.default_rng(int(contrast))
    n = int(30 * detection_delay(THRESHOLD, contrast)) + 400
    to_dim, to_bright, found = 0, 0, 0
    for _ in range(200):
        time, at = step(rng, n, n, contrast)
        ticks, _ = ChangeDetector(0, 1 << 50, THRESHOLD).bounds(time, int(time[-1]) + 1, ended=True)
        if len(ticks) == 1:
            found += 1
            to_dim += int(np.sum((time >= at) & (time < ticks[0])))
            to_bright += int(np.sum((time < at) & (time >= ticks[0])))
    for seen, told in zip((to_dim, to_bright), misfiled(contrast), strict=True):
        assert told / 6 < seen / found < told


def test_few_photons_before_make_a_change_harder_to_see():
    delays = [detection_delay(THRESHOLD, 2.0, photons) for photons in (30, 100, 1000, math.inf)]
    assert delays[0] is None  # so few photons may as well be of the brighter light
    assert delays[1] > delays[2] > delays[3] > 0


def test_false_alarms_are_fewer_in_short_segments():
    assert false_alarms(10.0, 30) < false_alarms(10.0, 1000) < false_alarms(10.0)


@pytest.mark.parametrize("per_photon", [0.0, -1.0, 0.5, math.nan])
def test_impossible_false_alarms_are_refused(per_photon):
    with pytest.raises(InputError, match="per 1000 photons"):
        threshold_of(per_photon)


def test_what_is_no_contrast_or_threshold_is_refused():
    for contrast in (1.0, 0.0, -2.0, math.inf):
        with pytest.raises(InputError, match="contrast"):
            detection_delay(THRESHOLD, contrast)
    with pytest.raises(InputError, match="threshold"):
        false_alarms(2.0)
