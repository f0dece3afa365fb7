"""Tally: against naive oracles."""

import numpy as np

from streamer.tally import channel_counts, first_fault


def test_channel_counts_and_first_fault_equal_their_oracles():
    rng = np.random.default_rng(3)
    channel = rng.integers(0, 5, 1000).astype(np.uint8)
    assert np.array_equal(channel_counts(channel), np.bincount(channel, minlength=256))
    times = np.sort(rng.integers(0, 100, 50))
    assert first_fault(times, 0, 100) == -1
    times[20] = times[19] - 1
    assert first_fault(times, 0, 100) == 20
