"""Recorded: which part of the laser period a card records, told from the decay, as its nanotimes may end before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EMPTY = 0.02  # of the period: a shorter stretch without photons hides little of the background
LAST = 40  # photons before an empty stretch that show whether the decay faded there or was cut


def unrecorded(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The bins in which no photon can have been recorded, as the decay ends before them at full height; bool[n_bins].

    Before its longest empty stretch a decay that fades has ever fewer photons: as many as its last LAST lie in, about
    LAST times as many lie in the stretch of that length before it. One that is cut has equally many. The circle of the
    period is gone round, as a channel delay may have moved its beginning. By chance a fading decay looks cut once in 10
    million; a cut is missed once in 10 000, and where it leaves a background of less than some hundred photons.

    Args:
        counts: int64[n_bins], photons of one detector by nanotime over one laser period.
    """
    hidden, filled, n = np.zeros(len(counts), bool), np.flatnonzero(counts), len(counts)
    if counts.sum() < 10 * LAST:
        return hidden
    empty = np.diff(np.append(filled, filled[0] + n)) - 1
    stretch, last = int(empty.max()), int(filled[int(empty.argmax())])
    back = np.cumsum(np.roll(counts, -last - 1)[::-1])  # photons in the last 1, 2, ... bins before the stretch
    width = int(np.searchsorted(back, LAST)) + 1
    if stretch < max(EMPTY * n, width) or 2 * width + stretch > n:
        return hidden
    late, before, earlier = np.diff(back[[width - 1, 2 * width - 1, min(3 * width, n) - 1]], prepend=0)
    # A peak of two or three bins has many more photons in the first of them, and then none.
    if late / 4 <= before <= 2 * late and (late <= 2 * LAST or late / 4 <= earlier):
        hidden[(last + 1 + np.arange(stretch)) % n] = True
    return hidden


def bridged(counts: NDArray[np.int64], hidden: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The decay with its unrecorded bins at the level before them, so that their end is no rising edge; int64[n_bins].

    Args:
        counts: int64[n_bins].
        hidden: bool[n_bins], one stretch on the circle, as `unrecorded` gives it.
    """
    if not hidden.any():
        return counts
    n, stretch = len(counts), int(hidden.sum())
    first = int(np.flatnonzero(hidden & ~np.roll(hidden, 1))[0])
    width = min(stretch, (n - stretch) // 4)
    level = counts[(first - 1 - np.arange(width)) % n].mean()
    out = counts.copy()
    out[(first + np.arange(stretch)) % n] = np.diff(np.rint(level * np.arange(stretch + 1))).astype(np.int64)
    return out
