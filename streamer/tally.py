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
    """Index of the first photon outside `[start, stop)` or before its predecessor; -1 when there is none."""
    before = start
    for i in range(len(time)):
        if time[i] < before or time[i] >= stop:
            return i
        before = time[i]
    return -1
