"""FLID, fluorescence lifetime-intensity distribution: level x mean nanotime of the segment (T3)."""

from __future__ import annotations

import numpy as np

from streamer.accumulator import Accumulator, Block
from streamer.accumulators.arrival_sums import arrival_sums
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
        sums, photons = arrival_sums(block, self.layout).sum(axis=1), block.counts[:, : block.n_detectors].sum(axis=1)
        seen = np.flatnonzero(photons)
        table = self.tables["segments"]
        mean = np.clip(sums[seen] // (photons[seen] * self.layout.mean_width), 0, table.shape[1] - 1)
        np.add.at(table, (block.level[seen], mean), 1)
