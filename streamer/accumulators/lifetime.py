"""Decay histograms: level x detector x nanotime (T3)."""

from __future__ import annotations

import numpy as np

from streamer.accumulator import Accumulator, Block
from streamer.kernels import CHANNELS, INT, INTS, LEVELS, NANOTIMES, TABLE3, kernel
from streamer.layout import Layout


class Lifetime(Accumulator):
    """Tables: decay[rows, detectors, nanotime bins]; the last bin takes what lies beyond the period."""

    name = "lifetime"

    @staticmethod
    def needs(layout: Layout) -> bool:
        """T2 has no nanotime."""
        return layout.mode == "T3"

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """See the class."""
        return {"decay": (layout.scale.rows, len(layout.detectors), layout.nanotime_bins)}

    def count(self, block: Block) -> None:
        """Add every photon."""
        _add(
            block.nanotime, block.channel, block.offsets, block.level, block.detector_of,
            self.layout.nanotime_shift, self.tables["decay"],
        )  # fmt: skip


@kernel(INT, NANOTIMES, CHANNELS, INTS, LEVELS, CHANNELS, INT, TABLE3)
def _add(nanotime, channel, offsets, level, detector_of, shift, table):  # type: ignore[no-untyped-def]
    """Photons per level, detector and nanotime bin. Indices are unsigned: a signed one costs a test for its sign."""
    last, down = np.uint64(table.shape[2] - 1), np.uint64(shift)
    for s in range(len(level)):
        rows = table[level[s]]
        for i in range(np.uint64(offsets[s]), np.uint64(offsets[s + 1])):
            d = detector_of[channel[i]]
            if d < 255:
                rows[d, min(np.uint64(nanotime[i]) >> down, last)] += 1
    return 0
