"""The trace: every segment in time order with its span, its counts per detector and its level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.layout import Layout


class Sequence(Accumulator):
    """One line per segment: start, stop, level, photons of each detector.

    The only table that grows, and whose merge is appending.

    Tables:
        segments[n, 3 + detectors], in time order.
    """

    name = "sequence"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._lines = np.empty((1024, 3 + len(layout.detectors)), np.int64)
        self._n = 0

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Of the empty table."""
        return {"segments": (0, 3 + len(layout.detectors))}

    @property
    def tables(self) -> dict[str, NDArray[np.int64]]:  # type: ignore[override]
        """A view of the lines written so far."""
        return {"segments": self._lines[: self._n]}

    def count(self, block: Block) -> None:
        """Append the block's segments."""
        lines = np.empty((len(block.level), self._lines.shape[1]), np.int64)
        lines[:, 0], lines[:, 1], lines[:, 2] = block.start, block.stop, block.level
        lines[:, 3:] = block.counts[:, : block.n_detectors]
        self.add({"segments": lines})

    def add(self, later: dict[str, NDArray[np.int64]], sign: int = 1) -> None:
        """Append later lines; memory doubles when it is full."""
        lines = later["segments"]
        need = self._n + len(lines)
        if need > len(self._lines):
            grown = np.empty((max(need, 2 * len(self._lines)), self._lines.shape[1]), np.int64)
            grown[: self._n] = self._lines[: self._n]
            self._lines = grown
        self._lines[self._n : need] = lines
        self._n = need

    def restore(self, tables: dict[str, NDArray[np.int64]]) -> None:
        """Take over saved lines."""
        self._n = 0
        self.add(tables)
