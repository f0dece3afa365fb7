"""Tally: what is counted and checked of every chunk before any physics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.kernels import CHANNELS, INT, TABLE1, TIMES, kernel


def channel_counts(channel: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Photons per channel number, int64[256]."""
    counts = np.zeros(256, np.int64)
    _count_channels(channel, counts)
    return counts


@kernel(INT, CHANNELS, TABLE1)
def _count_channels(channel, counts):  # type: ignore[no-untyped-def]
    """Photons per channel number; the two lowest by a sweep each, as nearly every recording has no other."""
    n = len(channel)
    first = second = 0
    for i in range(n):
        first += channel[i] == 0
        second += channel[i] == 1
    counts[0] += first
    counts[1] += second
    if first + second < n:
        for i in range(n):
            if channel[i] > 1:
                counts[channel[i]] += 1
    return 0


@kernel(INT, TIMES, INT, INT)
def first_fault(time, start, stop):  # type: ignore[no-untyped-def]
    """Index of the first photon outside `[start, stop)` or before its predecessor; -1 when there is none.

    Counted first and looked for only where there is one: a sum without a branch is done many photons at a time.
    """
    n = len(time)
    if n == 0:
        return -1
    faults = np.int64(time[0] < start)
    before, after = time[: n - 1], time[1:]
    for i in range(n - 1):
        faults += np.int64(after[i] < before[i])
    if faults == 0 and time[n - 1] < stop:
        return -1
    if time[0] < start or time[0] >= stop:
        return 0
    for i in range(1, n):
        if time[i] < time[i - 1] or time[i] >= stop:
            return i
    return -1
