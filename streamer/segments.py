"""Segments: stretches of time that are given one level each; here the fixed bins of a plain intensity trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Segmenter(Protocol):
    """Says where segments end."""

    def bounds(self, time: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
        """Ticks in `(start, stop]` at which segments end, ascending, int64.

        Args:
            time: int64[n], the photons of the open segment and after, up to `stop`.
            start: tick at which the open segment began.
            stop: tick up to which time has passed; a segment that may still grow is not ended.
        """
        ...


@dataclass(frozen=True)
class FixedBins:
    """Bins of `ticks` macro ticks on the grid of its whole multiples, so that any partition of a run finds the same."""

    ticks: int

    def bounds(self, time: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
        """Every multiple of `ticks` in `(start, stop]`; the photons do not matter."""
        first = start // self.ticks + 1
        return np.arange(first, stop // self.ticks + 1, dtype=np.int64) * self.ticks
