"""A sync that nobody named is pointed out; photons, however pulsed their light, are not."""

import numpy as np
import pytest

from sources.reading.sync_hint import SyncHint
from streamer.chunk import Chunk


def hinted(time, channel, size=5000):
    hint = SyncHint()
    for at in range(0, len(time), size):
        part = slice(at, at + size)
        hint.add(Chunk(int(time[at]), int(time[part][-1]) + 1, time[part], channel=channel[part]))
    return hint.lines(1e-12)


def stream(step, jitter, lifetime, seed=1):
    """Sync on channel 5 near photons only, photons of a pulsed emitter on channel 1, a background on channel 2."""
    rng = np.random.default_rng(seed)
    pulse = np.sort(rng.integers(0, 10**8, 20_000))
    sync = pulse * step + rng.normal(0, jitter, len(pulse))
    photons = pulse * step + rng.exponential(lifetime, len(pulse))
    dark = rng.uniform(0, 10**8 * step, 20_000)
    time = np.rint(np.concatenate((sync, photons, dark))).astype(np.int64) + 10_000
    channel = np.repeat(np.array([5, 1, 2], np.uint8), 20_000)
    order = np.argsort(time, kind="stable")
    return time[order], channel[order]


@pytest.mark.parametrize("lifetime", [1_000, 20_000])
def test_the_sync_and_nothing_else_is_named(lifetime):
    (line,) = hinted(*stream(12_500, 10, lifetime))
    assert line.startswith("channel 5 looks like the laser's sync: its tags lie 12.5 ns apart")
    assert "pulses=5" in line


def test_a_few_tags_say_nothing():
    time, channel = stream(12_500, 10, 20_000)
    assert hinted(time[:1000], channel[:1000]) == []
    assert SyncHint().lines(1e-12) == []
