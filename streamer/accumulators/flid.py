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
        shift = np.zeros(256, np.int64)
        shift[list(self.layout.detectors)] = self.layout.guard - np.array(self.layout.zero)
        _add(
            block.nanotime, block.channel, block.offsets, block.level, block.detector_of, shift,
            np.array([round(self.layout.period), self.layout.mean_width]), self.tables["segments"],
        )  # fmt: skip


@kernel(INT, NANOTIMES, CHANNELS, INTS, LEVELS, CHANNELS, INTS, INTS, TABLE2)
def _add(nanotime, channel, offsets, level, detector_of, shift, sizes, table):  # type: ignore[no-untyped-def]
    """Segments per level and mean nanotime; shift[256] per raw channel; sizes = (period, bin width)."""
    period, width = sizes[0], sizes[1]
    last = table.shape[1] - 1
    for s in range(len(level)):
        total, n = 0, 0
        for i in range(np.uint64(offsets[s]), np.uint64(offsets[s + 1])):
            late = np.int64(nanotime[i]) + shift[channel[i]]
            late = late + period if late < 0 else late
            late = late - period if late >= period else late
            known = detector_of[channel[i]] < 255
            total += late if known else 0
            n += 1 if known else 0
        if n:
            table[level[s], min(max(total // (n * width), 0), last)] += 1
    return 0
