"""FLID, fluorescence lifetime-intensity distribution: level x mean nanotime of the segment (T3)."""

from __future__ import annotations

import numpy as np

from streamer.accumulator import Accumulator, Block
from streamer.kernels import CHANNELS, INT, INTS, LEVELS, NANOTIMES, TABLE2, kernel
from streamer.layout import Layout


class Flid(Accumulator):
    """Tables: segments[rows, mean-nanotime bins].

    The mean is taken over nanotimes counted from each detector's excitation, wrapped into one period that begins
    `guard` before it.
    """

    name = "flid"

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._shift = layout.guard - np.array(layout.zero, np.int64)
        self._sizes = np.array([round(layout.period), layout.mean_width], np.int64)

    @staticmethod
    def needs(layout: Layout) -> bool:
        """T2 has no nanotime."""
        return layout.mode == "T3"

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """See the class."""
        return {"segments": (layout.scale.rows, len(layout.mean_ns()))}

    def count(self, block: Block) -> None:
        """Add one per segment that has a photon."""
        _add(
            block.nanotime, block.channel, block.offsets, block.level, block.detectors, self._shift, self._sizes,
            self.tables["segments"],
        )  # fmt: skip


@kernel(INT, NANOTIMES, CHANNELS, INTS, LEVELS, CHANNELS, INTS, INTS, TABLE2)
def _add(nanotime, channel, offsets, level, detectors, shift, sizes, table):  # type: ignore[no-untyped-def]
    """Segments per level and mean nanotime; shift[d] per detector; sizes = (period, bin width).

    One sweep per detector without a branch in it, which the processor does many photons at a time.
    """
    period, width = np.int32(sizes[0]), sizes[1]
    last = table.shape[1] - 1
    for s in range(len(level)):
        begin, end = np.uint64(offsets[s]), np.uint64(offsets[s + 1])
        nanotimes, channels = nanotime[begin:end], channel[begin:end]
        total, n = np.int64(0), np.int64(0)
        for d in range(len(detectors)):
            own, by = detectors[d], np.int32(shift[d])
            for i in range(len(nanotimes)):
                late = np.int32(nanotimes[i]) + by
                late += period & -np.int32(late < 0)
                late -= period & -np.int32(late >= period)
                mine = -np.int32(channels[i] == own)  # all bits or none
                total += np.int64(late & mine)
                n -= mine
        if n:
            table[level[s], min(max(total // (n * width), 0), last)] += 1
    return 0
