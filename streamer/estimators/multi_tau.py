"""Multi-tau sums: what was counted at each lag, by stretch of the run.

Segments give the pairs of their photons (see `streamer.accumulators.log_tau`), the list of segments gives the rest: see
`streamer.estimators.trace_tau`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STRETCHES = 32
CELLS = 16  # a segment counts in an octave when it is this many cells long


@dataclass(frozen=True, eq=False)
class Lags:
    """Bins of a lag axis: in octave `octave`, cells `width` ticks wide, lags `first` up to `first + lags - 1` cells.

    int64[n] each.
    """

    octave: Ints
    width: Ints
    first: Ints
    lags: Ints

    @property
    def ticks(self) -> Floats:
        """Mean lag of each bin, float64[n]."""
        return np.asarray((self.first + (self.lags - 1) / 2) * self.width)

    def part(self, chosen: NDArray[np.bool_]) -> Lags:
        """The chosen bins."""
        return Lags(self.octave[chosen], self.width[chosen], self.first[chosen], self.lags[chosen])

    def exponential(self, tau: Floats) -> Floats:
        """exp(-lag/tau) averaged as the bins average, float64[len(tau), n]; tau in ticks."""
        y = self.width / np.asarray(tau, np.float64)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            triangle = np.where(y < 1e-4, 1 + y**2 / 12, 2 * (np.cosh(np.minimum(y, 300)) - 1) / y**2)
            one = triangle * np.exp(-self.first * y)
        return np.asarray(np.where(self.lags == 2, one * (1 + np.exp(-y)) / 2, one))


@dataclass(frozen=True, eq=False)
class Segments:
    """The list of segments in time order; int64[n] each: first tick, length, photons on a and on b (alone: as on a)."""

    start: Ints
    length: Ints
    a: Ints
    b: Ints


@dataclass(frozen=True, eq=False)
class Sums:
    """What was counted.

    Attributes:
        lags: the axis.
        alone: a detector with itself; b is a, and each pair is counted once.
        counted: float64[7, k, n] by stretch of the run; a pair of moments belongs to the stretch of the earlier one.
            pairs: of photons, both signs of the lag.
            watched: pairs of ticks.
            early_a, late_a, early_b, late_b: photons on a (b) at the earlier (later) ticks of these pairs.
            inside: accidental pairs expected segment by segment; 0 for bins of the trace.
        time: float64[k], live ticks.
    """

    lags: Lags
    alone: bool
    counted: Floats
    time: Floats

    @property
    def pairs(self) -> Floats:
        """float64[k, n]."""
        return np.asarray(self.counted[0])

    @property
    def watched(self) -> Floats:
        """float64[k, n]."""
        return np.asarray(self.counted[1])

    @property
    def inside(self) -> Floats:
        """float64[k, n]."""
        return np.asarray(self.counted[6])

    def part(self, chosen: NDArray[np.bool_]) -> Sums:
        """The chosen bins."""
        return replace(self, lags=self.lags.part(chosen), counted=self.counted[..., chosen])


def stretches_of(segments: Segments, block_ticks: int, most: int = STRETCHES) -> tuple[Ints, Ints]:
    """(block numbers ascending, stretch of each): blocks dealt in time order to stretches of equal live time."""
    number = segments.start // block_ticks
    blocks, where = np.unique(number, return_inverse=True)
    live = np.bincount(where, weights=segments.length.astype(np.float64))
    k = min(most, len(blocks))
    middle = np.cumsum(live) - live / 2
    return blocks, np.minimum((middle / max(live.sum(), 1.0) * k).astype(np.int64), k - 1)


def photon_sums(segments: Segments, lags: Lags, blocks: Ints, *, alone: bool, block_ticks: int) -> Sums:
    """Pairs inside segments.

    Args:
        segments: all of them.
        lags: the axis of the pairs.
        blocks: int64[blocks, 1 + n], number of the block of `block_ticks` ticks and its pairs.
        alone: a detector with itself.
        block_ticks: length of a block.
    """
    known, stretch_of_block = stretches_of(segments, block_ticks)
    k = int(stretch_of_block.max(initial=-1)) + 1
    stretch = stretch_of_block[np.searchsorted(known, segments.start // block_ticks)]
    counted = np.zeros((7, k, len(lags.first)))
    np.add.at(counted[0], stretch_of_block[np.searchsorted(known, blocks[:, 0])], blocks[:, 1:].astype(np.float64))
    counted[1:] = expected(segments, lags, stretch, k, alone=alone)[[0, 1, 1, 2, 2, 3]]
    return Sums(lags, alone, counted, live_ticks(segments, stretch, k))


def expected(segments: Segments, lags: Lags, stretch: Ints, k: int, *, alone: bool) -> Floats:
    """Of segments alone, by stretch and lag: pairs of ticks, photons on a and on b in them, accidental pairs.

    float64[4, k, n]. T ticks have width * (T - lag) pairs of ticks at a lag of whole cells.
    """
    found = np.zeros((4, k, len(lags.first)))
    for octave in np.unique(lags.octave):
        bins = lags.octave == octave
        at = lags.part(bins)
        long = segments.length >= CELLS * int(at.width[0])
        length, group = segments.length[long].astype(np.float64), stretch[long]
        a, b = segments.a[long].astype(np.float64), segments.b[long].astype(np.float64)
        for row, x in zip(found, (length, a, b, (a * (a - 1) if alone else 2 * a * b) / length), strict=True):
            first, second = (np.bincount(group, weights=one, minlength=k)[:, None] for one in (x, x / length))
            row[:, bins] = at.lags * at.width * (first - at.ticks * second)
    return found


def live_ticks(segments: Segments, stretch: Ints, k: int) -> Floats:
    """By stretch, float64[k]."""
    return np.bincount(stretch, weights=segments.length.astype(np.float64), minlength=k).astype(np.float64)


def joined(short: Sums | None, long: Sums) -> Sums:
    """Pairs inside segments, then the trace; both of the same run and stretches."""
    if short is None:
        return long
    later = replace(long.lags, octave=long.lags.octave + int(short.lags.octave[-1]) + 1)
    names = ("octave", "width", "first", "lags")
    lags = Lags(*(np.concatenate([getattr(short.lags, name), getattr(later, name)]) for name in names))
    return replace(long, lags=lags, counted=np.concatenate([short.counted, long.counted], axis=2))


def by_octave(sums: Sums) -> Sums:
    """One bin per octave of lags, for numbers that are read out; the first lags of an axis are parted too."""
    lags = sums.lags
    # Lags 1, 2 to 3, 4 to 7 and 8 to 15 cells.
    key = 4 * lags.octave + np.floor(np.log2(np.maximum(lags.first, 1))).astype(np.int64)
    octaves, first, where = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(where, weights=lags.lags).astype(np.int64)
    member = (where[:, None] == np.arange(len(octaves))).astype(np.float64)
    return replace(sums, lags=Lags(octaves, lags.width[first], lags.first[first], count), counted=sums.counted @ member)
