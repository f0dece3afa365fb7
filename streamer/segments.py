"""Segments: stretches of time that are given one level each; fixed bins of a plain trace, or from change to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.change_points import BORDER, ChangeDetector, Kinds
from streamer.layout import Layout


class Watch(Protocol):
    """Follows a stretch of time without a gap."""

    def bounds(self, time: NDArray[np.int64], stop: int, *, ended: bool = False) -> tuple[NDArray[np.int64], Kinds]:
        """Ends of segments that can be told by now and were not before, ascending.

        Args:
            time: int64[n], analysed photons after those of earlier calls and before `stop`.
            stop: tick up to which time has passed.
            ended: nothing comes after `stop`; the segment that ends there is not told.

        Returns:
            (int64[m] ticks up to `stop`, int64[m] what ends a segment there: see streamer.change_points).
        """
        ...


class Segmenter(Protocol):
    """Says where segments end, as a function of the photons and where they begin, however they come in chunks.

    Attributes:
        needs_photons: `Watch.bounds` looks at them.
    """

    needs_photons: bool

    def border(self, start: int) -> int:
        """First tick after `start` at which a segment ends whatever comes before it."""
        ...

    def watch(self, start: int, kind: int = BORDER) -> Watch:
        """A fresh one, for segments from `start` on, where one ended by `kind`."""
        ...


@dataclass(frozen=True)
class FixedBins:
    """Bins of `ticks` macro ticks on the grid of its whole multiples, so that any partition of a run finds the same."""

    ticks: int
    needs_photons = False

    def border(self, start: int) -> int:
        """The next multiple."""
        return (start // self.ticks + 1) * self.ticks

    def watch(self, start: int, kind: int = BORDER) -> Watch:
        """See Segmenter."""
        return _Bins(self, start)

    def bounds(self, time: NDArray[np.int64], start: int, stop: int) -> NDArray[np.int64]:
        """Every multiple of `ticks` in `(start, stop]`; the photons do not matter."""
        first = start // self.ticks + 1
        return np.arange(first, stop // self.ticks + 1, dtype=np.int64) * self.ticks


class _Bins:
    def __init__(self, bins: FixedBins, start: int) -> None:
        self._bins, self._start = bins, start

    def bounds(self, time: NDArray[np.int64], stop: int, *, ended: bool = False) -> tuple[NDArray[np.int64], Kinds]:
        bounds = self._bins.bounds(time, self._start, stop)
        self._start = max(self._start, stop)
        return bounds, np.full(len(bounds), BORDER)


@dataclass(frozen=True)
class ChangePoints:
    """From one change of the rate to the next; see streamer.change_points.

    Segments also end at the whole multiples of `longest` ticks: there a partition that begins anywhere knows how to go
    on, and the memory for the open segment has a limit.

    Attributes:
        longest: ticks, a multiple of `2**shift`.
        threshold: of the likelihood ratio.
        shift: photons of the same `2**shift` ticks are one point.
    """

    longest: int
    threshold: float
    shift: int = 0
    needs_photons = True

    def __post_init__(self) -> None:
        """A border inside a unit would leave photons of it on either side."""
        if self.longest <= 0 or self.longest % (1 << self.shift):
            raise ValueError(f"longest: must be a multiple of {1 << self.shift} ticks above 0, got {self.longest}")

    def border(self, start: int) -> int:
        """The next multiple of `longest`."""
        return (start // self.longest + 1) * self.longest

    def watch(self, start: int, kind: int = BORDER) -> Watch:
        """See Segmenter."""
        return ChangeDetector(start, self.longest, self.threshold, self.shift, kind)


def segmenter_of(layout: Layout) -> Segmenter:
    """What cuts the streams of a layout."""
    if layout.threshold is None:
        return FixedBins(layout.scale.ticks)
    return ChangePoints(layout.longest, layout.threshold, layout.unit_shift)
