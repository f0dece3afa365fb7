"""Trace: the same points whenever they were asked for, and those a reader would draw."""

import numpy as np
import pytest

from streamer.layout import Layout
from streamer.trace import POINTS, Trace

LAYOUT = Layout("T3", 1e-6, 1e-9, (0, 1), ((0, 1),), 0.01, 1000.0, 5, 11, 20, (0, 0))
TICKS = LAYOUT.scale.ticks


def segments(n, seed=1):
    """Random segments, some short, a gap before every tenth or so."""
    rng = np.random.default_rng(seed)
    length = np.where(rng.random(n) < 0.1, rng.integers(1, TICKS, n), TICKS)
    start = np.cumsum(np.append(0, length[:-1])) + np.cumsum(rng.integers(1, 500, n) * (rng.random(n) < 0.1))
    level = np.where(2 * length >= TICKS, 0, LAYOUT.scale.n)
    return np.column_stack((start, start + length, level, rng.integers(0, 50, (n, 2))))


def naive(table):
    """Point by point from the whole table."""
    step = 1
    while len(table) > POINTS * step:
        step *= 2
    rows = []
    for at in range(0, len(table), step):
        part = table[at : at + step]
        length = part[:, 1] - part[:, 0]
        photons = part[:, 3] + part[:, 4]
        live_s = length.sum() * 1e-6
        mean = photons.sum() / live_s
        rates = (photons / (length * 1e-6))[2 * length >= TICKS]
        low, high = (rates.min(), rates.max()) if len(rates) else (mean, mean)
        lost = any(i > 0 and table[i, 0] != table[i - 1, 1] for i in range(at, at + len(part)))
        rows.append(((part[0, 0] + part[-1, 1]) / 2 * 1e-6, mean, low, high, float(lost)))
    return np.array(rows).reshape(-1, 5).T


@pytest.mark.parametrize("n", [0, 1, 2, 7, POINTS, POINTS + 1, 2 * POINTS, 3 * POINTS + 5, 9 * POINTS + 1])
def test_points_are_those_of_a_plain_loop(n):
    table = segments(n)
    got = Trace(LAYOUT).points(table)
    assert len(got.cps) <= POINTS
    np.testing.assert_allclose(np.stack(got), naive(table), rtol=1e-12)


def test_points_do_not_depend_on_when_they_were_asked_for():
    table = segments(5 * POINTS)
    rng = np.random.default_rng(2)
    for _ in range(5):
        trace = Trace(LAYOUT)
        for n in np.unique(rng.integers(0, len(table) + 1, 40)):
            got, fresh = trace.points(table[:n]), Trace(LAYOUT).points(table[:n])
            for ours, theirs in zip(got, fresh, strict=True):
                assert ours.tolist() == theirs.tolist()


def test_a_run_that_began_anew_is_not_mixed_with_the_one_before():
    trace = Trace(LAYOUT)
    trace.points(segments(3 * POINTS))
    other = segments(50, seed=3)
    assert trace.points(other).cps.tolist() == Trace(LAYOUT).points(other).cps.tolist()
