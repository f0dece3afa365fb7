"""Delays: against a naive oracle, whatever the chunking; nothing vanishes uncounted."""

from itertools import pairwise

import numpy as np
import pytest

from streamer.chunk import Chunk
from streamer.delays import Delays

PERIOD = 780.97


def stream(rng, n=3000, pulsed=True):
    time = np.sort(rng.integers(0, 2000 if pulsed else 4000, n))
    nanotime = rng.integers(0, int(PERIOD), n).astype(np.uint16) if pulsed else np.empty(0, np.uint16)
    return time, nanotime, rng.integers(0, 3, n).astype(np.uint8)


def chunked(rng, time, nanotime, channel, stop):
    edges = np.unique(np.concatenate(([0, stop], rng.integers(0, stop, 12))))
    for low, high in pairwise(edges):
        part = slice(*np.searchsorted(time, (low, high)))
        yield Chunk(int(low), int(high), time[part], nanotime[part], channel[part])


def naive(time, nanotime, channel, shifts, period, stop):
    """Every photon moved by itself, in exact arithmetic on its own, then sorted; those beyond the end left out."""
    moved = []
    for i in range(len(time)):
        shift = shifts.get(int(channel[i]), 0)
        if period:
            late = int(nanotime[i]) + shift
            pulses = int(late // period)
            moved.append((int(time[i]) + pulses, late - round(pulses * period), int(channel[i])))
        else:
            moved.append((int(time[i]) + shift, 0, int(channel[i])))
    return sorted(photon for photon in moved if photon[0] < stop)


@pytest.mark.parametrize("pulsed", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_oracle_in_any_chunking(pulsed, seed):
    rng = np.random.default_rng(seed)
    time, nanotime, channel = stream(rng, pulsed=pulsed)
    stop = 2000 if pulsed else 4000
    shifts = {0: 0, 1: 15_000 if pulsed else 150, 2: 37}
    period = PERIOD if pulsed else 0.0
    delays = Delays(shifts, period)
    out = [delays.feed(chunk) for chunk in chunked(rng, time, nanotime, channel, stop)]
    delays.flush()
    for chunk in out:
        assert np.all(np.diff(chunk.time) >= 0)
        assert np.all((chunk.time >= chunk.start) & (chunk.time < chunk.stop))
    times = np.concatenate([chunk.time for chunk in out])
    channels = np.concatenate([chunk.channel for chunk in out])
    nanotimes = np.concatenate([chunk.nanotime for chunk in out]) if pulsed else np.zeros(len(times), int)
    expected = naive(time, nanotime, channel, shifts, period, stop)
    assert sorted(zip(times.tolist(), nanotimes.tolist(), channels.tolist(), strict=True)) == expected
    assert delays.outside == len(time) - len(expected) > 0


def test_a_gap_ends_what_was_held_back():
    delays = Delays({0: 100}, 0.0)
    time = np.array([10, 950])
    first = delays.feed(Chunk(0, 1000, time, channel=np.zeros(2, np.uint8)))
    second = delays.feed(Chunk(5000, 6000, np.array([5000]), channel=np.zeros(1, np.uint8)))
    assert first.time.tolist() == [110]
    assert second.time.tolist() == [5100]
    assert delays.outside == 1


def test_without_a_shift_the_chunk_itself_is_passed_on():
    chunk = Chunk(0, 10, np.array([3]), channel=np.zeros(1, np.uint8))
    assert Delays({0: 0}, 0.0).feed(chunk) is chunk


def test_a_source_s_arrays_are_not_written_to():
    time = np.array([5, 6, 7])
    time.flags.writeable = False
    channel = np.array([0, 1, 0], np.uint8)
    channel.flags.writeable = False
    out = Delays({0: 2}, 0.0).feed(Chunk(0, 100, time, channel=channel))
    assert out.time.tolist() == [6, 7, 9]
    assert out.channel.tolist() == [1, 0, 0]


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="0 or more"):
        Delays({1: -3}, 0.0)
