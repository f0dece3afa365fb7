"""Trace: the whole run's count rate in a bounded number of points, kept up to date at the cost of what is new."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.layout import Layout

POINTS = 2000


class Groups(NamedTuple):
    """Stretches of successive segments; parallel arrays, one entry each.

    Attributes:
        start, stop: int64, first and last tick.
        length, photons: int64, live ticks and photons of all analysed detectors.
        low, high: float64, lowest and highest rate of a segment in counts/s; inf and -inf where none has one.
        broken: bool, a gap lies before one of the segments.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    length: NDArray[np.int64]
    photons: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    broken: NDArray[np.bool_]


class Points(NamedTuple):
    """What is drawn; float64 arrays, one entry per point.

    Attributes:
        time_s: middle.
        cps, low, high: mean, lowest and highest rate, counts/s.
        lost: 1 where time is missing within or just before the point, else 0.
    """

    time_s: NDArray[np.float64]
    cps: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    lost: NDArray[np.float64]


class Trace:
    """A run's trace in at most POINTS points of equally many segments, a power of two.

    The points are a function of the segments alone; what was summed up before is only remembered, so that a run of a
    day is not gone through anew for every publication.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._step = 1
        self._closed = self._groups(np.empty((0, 4), np.int64), 0, 0)

    def points(self, segments: NDArray[np.int64], origin: int = 0) -> Points:
        """The points of all segments so far, int64[n, 3 + detectors] as in `sequence`; times count from `origin`."""
        n = len(segments)
        if len(self._closed.start) * self._step > n:
            self._step, self._closed = 1, self._groups(segments, 0, 0)
        while n > POINTS * self._step:
            self._step *= 2
            self._closed = _halved(self._closed)
        known, complete = len(self._closed.start) * self._step, n // self._step * self._step
        if complete > known:
            self._closed = _joined(self._closed, self._groups(segments, known, complete))
        groups = _joined(self._closed, self._groups(segments, complete, n)) if n > complete else self._closed
        live_s = groups.length * self._layout.tick_s
        cps = groups.photons / np.maximum(live_s, 1e-300)
        return Points(
            ((groups.start - origin) + (groups.stop - origin)) / 2 * self._layout.tick_s,
            cps,
            np.where(np.isfinite(groups.low), groups.low, cps),
            np.where(np.isfinite(groups.high), groups.high, cps),
            groups.broken.astype(float),
        )

    def _groups(self, segments: NDArray[np.int64], first: int, stop: int) -> Groups:
        """Segments `first:stop` by groups of the present step."""
        part = segments[first:stop]
        begin, end, photons = part[:, 0], part[:, 1], part[:, 3:].sum(axis=1)
        length = end - begin
        rate = photons / (np.maximum(length, 1) * self._layout.tick_s)
        # A sliver of a segment at a gap has no rate worth drawing as lowest or highest of its neighbourhood.
        whole = part[:, 2] < self._layout.scale.n
        before = np.concatenate((segments[first - 1 : first, 1] if first else begin[:1], end[:-1]))
        at = np.arange(0, len(part), self._step)
        last = np.append(at[1:], len(part))[: len(at)] - 1
        return Groups(
            begin[at],
            end[last],
            np.add.reduceat(length, at),
            np.add.reduceat(photons, at),
            np.minimum.reduceat(np.where(whole, rate, np.inf), at),
            np.maximum.reduceat(np.where(whole, rate, -np.inf), at),
            np.logical_or.reduceat(begin != before, at),
        )


def _joined(earlier: Groups, later: Groups) -> Groups:
    both: list[Any] = [np.concatenate(pair) for pair in zip(earlier, later, strict=True)]
    return Groups(*both)


def _halved(groups: Groups) -> Groups:
    """Two by two; an odd last one is left out, to be summed up again when its fellow is there."""
    n = len(groups.start) // 2 * 2
    halves: list[list[Any]] = [[array[i:n:2] for array in groups] for i in (0, 1)]
    a, b = (Groups(*half) for half in halves)
    return Groups(
        a.start, b.stop, a.length + b.length, a.photons + b.photons, np.minimum(a.low, b.low),
        np.maximum(a.high, b.high), a.broken | b.broken,
    )  # fmt: skip
