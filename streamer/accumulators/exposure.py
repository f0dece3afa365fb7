"""Exposure per level: time, segments, photons per detector, and the accidental pairs to be expected."""

from __future__ import annotations

import numpy as np

from streamer.accumulator import Accumulator, Block
from streamer.kernels import INT, INTS, LEVELS, TABLE2, TABLE3, kernel
from streamer.layout import Layout

# Na*Nb/n is summed as an integer, so that any order of adding gives the same bits: in units of 1/(FIXED * nominal
# ticks).
FIXED = 256
# A segment that a gap leaves a few ticks long may weigh more than 64 bits hold: no segment adds more than this.
MOST = 2.0**53


class Exposure(Accumulator):
    """What a rate or a correlation is divided by.

    Tables (rows = levels and `mixed`):
        time[rows, 3]: macro ticks (laser pulses in T3), segments, segments of nominal length.
        photons[rows, detectors].
        products[rows, pairs, 2]: sums over segments of n ticks of Na*Nb*(N/n) and Na*Nb*(N/n)**2 in units of 1/FIXED,
            with N the nominal ticks, each at most `MOST`. Accidental pairs at a lag of k ticks are Na*Nb/n*(1 - k/n)
            per segment.
    """

    name = "exposure"

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """See the class."""
        rows = layout.scale.rows
        return {
            "time": (rows, 3),
            "photons": (rows, len(layout.detectors)),
            "products": (rows, len(layout.pairs), 2),
        }

    def count(self, block: Block) -> None:
        """Add whole segments."""
        ticks = self.layout.scale.ticks
        length = block.stop - block.start
        _add_time(length, block.level, ticks, self.tables["time"])
        counts = block.counts
        np.add.at(self.tables["photons"], block.level, counts[:, : block.n_detectors])
        for p, (a, b) in enumerate(self.layout.pairs):
            na, nb = (counts[:, block.detector_of[channel]] for channel in (a, b))
            _add_products(
                np.ascontiguousarray(na),
                np.ascontiguousarray(nb),
                length,
                block.level,
                ticks,
                p,
                self.tables["products"],
            )


@kernel(INT, INTS, LEVELS, INT, TABLE2)
def _add_time(length, level, ticks, table):  # type: ignore[no-untyped-def]
    """Ticks, segments and nominal segments per level."""
    for s in range(len(level)):
        row = level[s]
        table[row, 0] += length[s]
        table[row, 1] += 1
        if length[s] == ticks:
            table[row, 2] += 1
    return 0


@kernel(INT, INTS, INTS, INTS, LEVELS, INT, INT, TABLE3)
def _add_products(na, nb, length, level, ticks, pair, table):  # type: ignore[no-untyped-def]
    """Expected accidental pairs per level, in fixed point."""
    for s in range(len(level)):
        both = na[s] * nb[s]
        if both:
            if length[s] == ticks:
                first = both * FIXED
                second = first
            else:
                ratio = ticks / length[s]
                first = np.int64(min(np.rint(both * FIXED * ratio), MOST))
                second = np.int64(min(np.rint(both * FIXED * ratio * ratio), MOST))
            table[level[s], pair, 0] += first
            table[level[s], pair, 1] += second
    return 0
