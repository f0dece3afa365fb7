"""Arrivals: the summed nanotime of every segment and detector, of which lifetimes of segments are made (T3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.accumulators.arrival_sums import arrival_sums
from streamer.accumulators.growing import Growing
from streamer.layout import Layout


class Arrivals(Accumulator):
    """One line per segment, as in `sequence`; its merge is appending.

    Tables:
        sums[n, detectors], nanotime units since `guard` before the excitation, see `arrival_sums`; in time order.
    """

    name = "arrivals"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._sums = Growing(len(layout.detectors))

    @staticmethod
    def needs(layout: Layout) -> bool:
        """T2 has no nanotime."""
        return layout.mode == "T3"

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Of the empty table."""
        return {"sums": (0, len(layout.detectors))}

    @property
    def tables(self) -> dict[str, NDArray[np.int64]]:  # type: ignore[override]
        """A view of the lines written so far."""
        return {"sums": self._sums.lines}

    def count(self, block: Block) -> None:
        """Append the block's segments."""
        self._sums.append(arrival_sums(block, self.layout))

    def add(self, later: dict[str, NDArray[np.int64]], sign: int = 1) -> None:
        """Append later lines."""
        self._sums.append(later["sums"])

    def restore(self, tables: dict[str, NDArray[np.int64]]) -> None:
        """Take over saved lines."""
        self._sums.clear()
        self._sums.append(tables["sums"])
