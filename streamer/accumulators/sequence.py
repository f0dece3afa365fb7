"""The trace: every segment in time order with its span, its counts per detector and its level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.accumulators.growing import Growing
from streamer.layout import Layout


class Sequence(Accumulator):
    """One line per segment: start, stop, level, photons of each detector.

    A table that grows, and whose merge is appending.

    Tables:
        segments[n, 3 + detectors], in time order.
    """

    name = "sequence"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._segments = Growing(3 + len(layout.detectors))

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Of the empty table."""
        return {"segments": (0, 3 + len(layout.detectors))}

    @property
    def tables(self) -> dict[str, NDArray[np.int64]]:  # type: ignore[override]
        """A view of the lines written so far."""
        return {"segments": self._segments.lines}

    def count(self, block: Block) -> None:
        """Append the block's segments."""
        lines = np.empty((len(block.level), 3 + block.n_detectors), np.int64)
        lines[:, 0], lines[:, 1], lines[:, 2] = block.start, block.stop, block.level
        lines[:, 3:] = block.counts[:, : block.n_detectors]
        self._segments.append(lines)

    def add(self, later: dict[str, NDArray[np.int64]], sign: int = 1) -> None:
        """Append later lines."""
        self._segments.append(later["segments"])

    def restore(self, tables: dict[str, NDArray[np.int64]]) -> None:
        """Take over saved lines."""
        self._segments.clear()
        self._segments.append(tables["segments"])
