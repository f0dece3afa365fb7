"""Change points: the pruned search equals brute force over every candidate, finds what changes, and little else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from streamer.change_points import BORDER, FALL, RISE, ChangeDetector
from streamer.estimators.change_alarms import detection_delay, false_alarms, threshold_of


def statistic(k: float, x: float, n: float, t: float) -> float:
    """Likelihood ratio of a change at (x, k), n photons in a time t."""
    rest = n - k
    return k * math.log(k / x) + (rest * math.log(rest / (t - x)) if rest else 0.0) - n * math.log(n / t)


def brute_force(time, start, longest, threshold, stop, shift=0):
    """Every candidate at every photon, with nothing remembered: (ticks, kinds), the stream ended at `stop`."""
    found, first = [], 0
    while True:
        border = (start // longest + 1) * longest
        closing = border <= stop
        end = border if closing else stop
        own = time[first:]
        own = own[own < end]
        units = np.minimum(((own >> shift) + 1) << shift, end)
        points = [(float(x - start), float(np.sum(units <= x))) for x in np.unique(units)]
        looks = [*range(len(points)), None]
        hit = None
        for look in looks:
            t, n = points[look] if look is not None else (float(end - start), float(len(own)))
            known = points[: look + 1] if look is not None else points
            scores = [(statistic(k, x, n, t), x, k) for x, k in known if x < t]
            best = max(scores, default=(0.0, 0.0, 0.0))
            if best[0] >= threshold:
                hit = (*best[1:], t, n)
                break
        if hit is None:
            if not closing:
                return found
            found.append((end, BORDER))
            start, first = end, first + len(own)
            continue
        x, k, t, n = hit
        bound, kind = start + int(x), FALL
        unit = ((bound - 1) >> shift) << shift
        if k / x < n / t and unit > start:
            told, kind = unit, RISE
        else:
            told = bound
        found.append((told, kind))
        start, first = bound, first + int(k)


def stream(rng, changes=6):
    """Steps up and down, silence, bursts in one tick."""
    parts, at = [], 0
    for _ in range(changes):
        span = int(rng.integers(20, 600))
        rate = float(rng.choice([0.0, 0.02, 0.1, 0.5, 2.0]))
        parts.append(np.sort(at + rng.integers(0, span, rng.poisson(rate * span))))
        at += span
    return np.concatenate(parts).astype(np.int64), at


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize("threshold", [2.0, 5.0, 9.0])
def test_equals_brute_force_exactly(threshold, shift):
    rng = np.random.default_rng(int(10 * threshold) + shift)
    found = 0
    for _ in range(25):
        time, stop = stream(rng)
        longest = int(rng.choice([64, 400, 4096]))
        ticks, kinds = ChangeDetector(0, longest, threshold, shift).bounds(time, stop, ended=True)
        expected = brute_force(time, 0, longest, threshold, stop, shift)
        assert list(zip(ticks.tolist(), kinds.tolist(), strict=True)) == expected
        found += int(np.sum(kinds != BORDER))
    assert found > 20


def test_no_chunking_matters():
    rng = np.random.default_rng(3)
    for _ in range(10):
        time, stop = stream(rng, 10)
        whole = ChangeDetector(0, 1000, 6.0).bounds(time, stop, ended=True)
        parted, got = ChangeDetector(0, 1000, 6.0), []
        cuts = [*np.sort(rng.integers(0, stop, 7)).tolist(), stop]
        before = 0
        for cut in cuts:
            part = time[(time >= before) & (time < cut)]
            got.append(parted.bounds(part, cut, ended=cut == stop and cut is cuts[-1]))
            before = cut
        for k in range(2):
            np.testing.assert_array_equal(np.concatenate([one[k] for one in got]), whole[k])


def test_a_step_is_found_where_it_is():
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(40):
        dim, bright = np.cumsum(rng.exponential(1000, 300)), np.cumsum(rng.exponential(250, 1200))
        step = dim[-1]
        time = np.concatenate((dim, step + bright)).astype(np.int64)
        ticks, kinds = ChangeDetector(0, 1 << 40, threshold_of(1e-6)).bounds(time, int(time[-1]) + 1, ended=True)
        assert RISE in kinds
        errors.append(float(ticks[list(kinds).index(RISE)] - step))
    assert np.median(np.abs(errors)) < 2000  # two photons of the dim light
    assert abs(np.median(errors)) < 1500


@pytest.mark.slow
@pytest.mark.parametrize("per_photon", [1e-3, 1e-4])
def test_false_alarms_are_as_stated(per_photon):
    rng, photons, false = np.random.default_rng(5), 3e5 if per_photon > 5e-4 else 2e6, 0
    time = np.cumsum(rng.exponential(1000, int(photons))).astype(np.int64)
    threshold = threshold_of(per_photon)
    _, kinds = ChangeDetector(0, 1 << 50, threshold).bounds(time, int(time[-1]) + 1, ended=True)
    false = int(np.sum(kinds != BORDER))
    expected = per_photon * photons
    assert expected / 1.6 - 4 * math.sqrt(expected) < false < 1.6 * expected + 4 * math.sqrt(expected)


def test_rarer_alarms_ask_for_more_evidence():
    assert threshold_of(1e-6) > threshold_of(1e-3)
    assert false_alarms(threshold_of(1e-4)) == pytest.approx(1e-4, rel=1e-3)
    assert detection_delay(threshold_of(1e-6), 2.0) > detection_delay(threshold_of(1e-3), 2.0)
    assert detection_delay(threshold_of(1e-6), 1.2) > detection_delay(threshold_of(1e-6), 3.0)
