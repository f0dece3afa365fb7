"""Arrival sums: nanotime after the excitation, summed per segment and detector; two accumulators begin with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.accumulator import Block
from streamer.kernels import CHANNELS, INT, INTS, NANOTIMES, TABLE2, kernel
from streamer.layout import Layout

KEY = "arrival sums"


def arrival_sums(block: Block, layout: Layout) -> NDArray[np.int64]:
    """Sums int64[segments, detectors] in nanotime units, counted once for a block.

    Nanotimes are counted from each detector's excitation and wrapped into one period that begins `layout.guard` before
    it; what is summed is the time since that beginning.
    """
    sums = block.shared.get(KEY)
    if sums is None:
        shift = layout.guard - np.array(layout.zero, np.int64)
        sums = np.zeros((len(block.level), block.n_detectors), np.int64)
        _sum(block.nanotime, block.channel, block.offsets, block.detectors, shift, round(layout.period), sums)
        block.shared[KEY] = sums
    return sums


@kernel(INT, NANOTIMES, CHANNELS, INTS, CHANNELS, INTS, INT, TABLE2)
def _sum(nanotime, channel, offsets, detectors, shift, whole, table):  # type: ignore[no-untyped-def]
    """Sums per segment and detector; shift[d] per detector, `whole` the period.

    One sweep per detector without a branch in it, which the processor does many photons at a time.
    """
    period = np.int32(whole)
    for s in range(len(offsets) - 1):
        begin, end = np.uint64(offsets[s]), np.uint64(offsets[s + 1])
        nanotimes, channels = nanotime[begin:end], channel[begin:end]
        for d in range(len(detectors)):
            own, by, total = detectors[d], np.int32(shift[d]), np.int64(0)
            for i in range(len(nanotimes)):
                late = np.int32(nanotimes[i]) + by
                late += period & -np.int32(late < 0)
                late -= period & -np.int32(late >= period)
                total += np.int64(late & -np.int32(channels[i] == own))  # all bits or none
            table[s, d] = total
    return 0
