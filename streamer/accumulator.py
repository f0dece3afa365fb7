"""Accumulator: the contract of everything that counts; an author writes tables and one kernel, the rest is given.

    class Mine(Accumulator):
        name = "mine"
        def shapes(layout): return {"photons": (layout.scale.rows,)}     # static; made as zero tables
        def count(self, block): ...                                      # adds the block's photons to self.tables

Tables are int64 arrays that add: across chunks, partitions and machines. `streamer.testing` runs the laws over every
accumulator in the folder.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from streamer.kernels import CHANNELS, INT, INTS, TABLE2, kernel
from streamer.layout import Layout


@dataclass(frozen=True, eq=False)
class Block:
    """Whole segments, one after the other without a gap, ready to be counted.

    Attributes:
        time, nanotime, channel: photons as in Chunk. Those before `offsets[0]` were counted before and belong to other
            segments of the same unbroken stretch of time: they may be the earlier photon of a pair, nothing else. Those
            from `offsets[-1]` on are of a segment that is still open.
            `nanotime` is empty in T2.
        offsets: int64[n + 1], photons `offsets[s]:offsets[s + 1]` lie in segment s.
        start, stop: int64[n], ticks of each segment.
        level: int16[n], row of each segment.
        counts: int64[n, d + 1], photons per segment and detector, counted once for all; last column: no detector.
        detectors: uint8[d], raw channel of each row of the detector axis.
        detector_of: uint8[256], raw channel -> detector row, 255 for none.
        shared: what several accumulators begin with, put here by the first that counts the block.
    """

    time: NDArray[np.int64]
    nanotime: NDArray[np.uint16]
    channel: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    level: NDArray[np.int16]
    counts: NDArray[np.int64]
    detectors: NDArray[np.uint8]
    detector_of: NDArray[np.uint8]
    shared: dict[str, NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @property
    def n_detectors(self) -> int:
        """Length of the detector axis."""
        return len(self.detectors)


def count_detectors(
    channel: NDArray[np.uint8], offsets: NDArray[np.int64], detectors: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """`Block.counts` of the photons `offsets[s]:offsets[s + 1]` of each segment s."""
    table = np.zeros((len(offsets) - 1, len(detectors) + 1), np.int64)
    _count_detectors(channel, offsets, detectors, table)
    return table


@kernel(INT, CHANNELS, INTS, CHANNELS, TABLE2)
def _count_detectors(channel, offsets, detectors, table):  # type: ignore[no-untyped-def]
    """Photons per segment and detector: one sweep per detector is a sum the processor does 32 photons at a time."""
    for s in range(len(offsets) - 1):
        rest = offsets[s + 1] - offsets[s]
        for d in range(len(detectors)):
            own, n = detectors[d], 0
            for i in range(np.uint64(offsets[s]), np.uint64(offsets[s + 1])):
                n += channel[i] == own
            table[s, d] = n
            rest -= n
        table[s, len(detectors)] = rest
    return 0


class Accumulator:
    """Integer tables and the kernel that fills them.

    Attributes:
        name: unique; keys of saved states begin with it.
        pairs: whether it looks back over pairs of photons; if not, merging needs no look across the seam.
        layout: sizes and units.
        tables: name -> int64 array.
    """

    name: ClassVar[str]
    pairs: ClassVar[bool] = False

    def __init__(self, layout: Layout) -> None:
        """Make every table, all zero."""
        self.layout = layout
        self.tables: dict[str, NDArray[np.int64]] = {
            key: np.zeros(shape, np.int64) for key, shape in self.shapes(layout).items()
        }

    @staticmethod
    def needs(layout: Layout) -> bool:
        """Whether there is anything to count under this layout (no nanotime in T2, no pair with one detector)."""
        return True

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Shape of each table; the first axis is the level unless the docstring says otherwise."""
        raise TypeError("an accumulator must define shapes(layout)")

    def count(self, block: Block) -> None:
        """Add the photons of `block.offsets[0]:`, and the pairs whose later photon is one of them."""
        raise TypeError(f"{type(self).__name__}: an accumulator must define count(block)")

    def add(self, later: dict[str, NDArray[np.int64]], sign: int = 1) -> None:
        """Add the tables of a later partition (or, with sign -1, take a count back)."""
        for key, table in self.tables.items():
            np.add(table, sign * later[key], out=table)

    def restore(self, tables: dict[str, NDArray[np.int64]]) -> None:
        """Take over saved tables."""
        for key, table in self.tables.items():
            table[...] = tables[key]
