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

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        columns = [[layout.detector_of[channel] for channel in pair] for pair in layout.pairs]
        self._columns = np.array(columns, np.int64).reshape(-1, 2)

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
        length, tables = block.stop - block.start, self.tables
        _add(
            block.counts, length, block.level, self.layout.scale.ticks, self._columns,
            tables["time"], tables["photons"], tables["products"],
        )  # fmt: skip


@kernel(INT, TABLE2, INTS, LEVELS, INT, TABLE2, TABLE2, TABLE2, TABLE3)
def _add(counts, length, level, ticks, columns, time, photons, products):  # type: ignore[no-untyped-def]
    """Ticks, segments, nominal segments and photons per level; expected accidental pairs per level, in fixed point.

    columns[pairs, 2]: where in `counts` the two detectors of a pair are.
    """
    for s in range(len(level)):
        row, nominal = level[s], length[s] == ticks
        time[row, 0] += length[s]
        time[row, 1] += 1
        time[row, 2] += nominal
        for d in range(photons.shape[1]):
            photons[row, d] += counts[s, d]
        for p in range(len(columns)):
            both = counts[s, columns[p, 0]] * counts[s, columns[p, 1]]
            if both:
                if nominal:
                    first = both * FIXED
                    second = first
                else:
                    ratio = ticks / length[s]
                    first = np.int64(min(np.rint(both * FIXED * ratio), MOST))
                    second = np.int64(min(np.rint(both * FIXED * ratio * ratio), MOST))
                products[row, p, 0] += first
                products[row, p, 1] += second
    return 0
