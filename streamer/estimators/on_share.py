"""Share of the time in which an emitter is on, with a standard error that knows how slowly it blinks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_CYCLES = 20  # from which their spread tells the error
MOST_IN_ONE = 0.05  # of the time in one cycle: with more, dwells may have no mean, and then the share has no error
BATCHES = 16


@dataclass(frozen=True, slots=True)
class OnShare:
    """On time over all time.

    Attributes:
        value, error: share and its standard error; None where `reason` says why.
        cycles: times the emitter went on.
        reason: why there is none.
    """

    value: float | None
    error: float | None
    cycles: int
    reason: str | None


def on_share(on: NDArray[np.bool_], length_s: NDArray[np.float64]) -> OnShare:
    """Share of the time on, a ratio of sums over cycles (on and off once each), which are independent.

    A segment that noise puts on the wrong side cuts a cycle in two, which then are not independent; so the error is
    that of the cycles or that of equally long stretches of time, whichever is the larger.

    Args:
        on: bool[n], segments in time order.
        length_s: float64[n], their live time.
    """
    total = float(length_s.sum())
    starts = np.flatnonzero(on[1:] & ~on[:-1]) + 1
    cycles = len(starts)
    if cycles < LEAST_CYCLES:
        return OnShare(None, None, cycles, f"{cycles} times on so far, {LEAST_CYCLES} needed")
    value = float(length_s[on].sum()) / total
    excess = np.where(on, length_s, 0.0) - value * length_s
    lengths = np.add.reduceat(length_s, starts)[:-1]
    if lengths.max() > MOST_IN_ONE * total:
        share = 100 * float(lengths.max()) / total
        return OnShare(None, None, cycles, f"one cycle is {share:.0f} % of the time: dwells this long have no mean yet")
    by_cycle = float((np.add.reduceat(excess, starts)[:-1] ** 2).sum()) ** 0.5 / total
    edges = np.searchsorted(np.cumsum(length_s), np.arange(BATCHES) * total / BATCHES)
    batches = np.add.reduceat(excess, np.unique(edges))
    n = len(batches)
    by_time = float((batches**2).sum() * n / max(n - 1, 1)) ** 0.5 / total
    return OnShare(value, max(by_cycle, by_time), cycles, None)
