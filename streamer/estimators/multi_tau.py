"""Multi-tau sums: what was counted at each lag, inside segments and between cells of the trace, by stretch of the run.

Segments give the pairs of their photons (see `streamer.accumulators.log_tau`), the list of segments gives the rest:
cells of the trace, twice as wide from octave to octave (Wahl et al., Opt. Express 11, 3583, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STRETCHES = 32
CELLS = 16  # a segment counts in an octave when it is this many cells long
MOST_CELLS = 1 << 22


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
    return Sums(lags, alone, counted, _live(segments, stretch, k))


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


def _live(segments: Segments, stretch: Ints, k: int) -> Floats:
    return np.bincount(stretch, weights=segments.length.astype(np.float64), minlength=k).astype(np.float64)


def trace_sums(segments: Segments, cell: int, longest: float, *, alone: bool, block_ticks: int) -> Sums:
    """Pairs between cells of the trace: `cell` ticks wide at first, twice as wide from octave to octave.

    Gaps are missing data: each cell has the live time that it has. A segment longer than a cell is spread evenly over
    its cells; alone, each of its photons is so paired with itself, which is taken off. Lags up to `longest` ticks.
    """
    known, stretch_of_block = stretches_of(segments, block_ticks)
    k = int(stretch_of_block.max(initial=-1)) + 1
    stretch = stretch_of_block[np.searchsorted(known, segments.start // block_ticks)]
    begin = int(segments.start[0]) // cell * cell
    end = int(segments.start[-1] + segments.length[-1])
    while (end - begin) // cell >= MOST_CELLS:
        cell *= 2
    grid = np.arange(begin, end + cell, cell)
    at = np.stack([segments.start, segments.start + segments.length], axis=1).ravel().astype(np.float64)

    def spread(amount: Ints) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(amount.astype(np.float64))])
        return np.diff(np.interp(grid, at, np.stack([total[:-1], total[1:]], axis=1).ravel()))

    w, a = spread(segments.length), spread(segments.a)
    b = a if alone else spread(segments.b)
    near = np.searchsorted(known, grid[:-1] // block_ticks, side="right") - 1
    group = stretch_of_block[np.maximum(near, 0)]
    own = _pieces(segments, begin, cell) if alone else None
    found: list[tuple[int, int, int, int]] = []
    sums: list[Floats] = []
    octave = 0
    while len(w) > 1 and (1 if octave == 0 else 8) * cell <= longest:
        for m, lags in [*((m, 1) for m in range(1, 8) if octave == 0), *((m, 2) for m in range(8, 16, 2))]:
            if (m + (lags - 1) / 2) * cell > longest or m + lags > len(w):
                break
            found.append((octave, cell, m, lags))
            sums.append(np.sum([_at_lag(w, a, b, lag, group, k, alone) for lag in range(m, m + lags)], axis=0))
            if own is not None:
                sums[-1][0] -= np.sum([own.with_itself(lag, group, k) for lag in range(m, m + lags)], axis=0)
        even = len(w) // 2 * 2
        w, a, b = (one[:even].reshape(-1, 2).sum(axis=1) for one in (w, a, b))
        group, cell, octave = group[:even:2], 2 * cell, octave + 1
        own = own.coarser(len(w)) if own is not None else None
    axis = Lags(*np.array(found, np.int64).reshape(-1, 4).T.copy())
    counted = np.stack(sums, axis=-1) if sums else np.zeros((7, k, 0))
    return Sums(axis, alone, counted, _live(segments, stretch, k))


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Segments cut by the borders of cells, in time order, those of more than one piece.

    Attributes:
        segment, cell: int64[n] each, whose it is and where.
        part: float64[n], photons that its segment spread here, over the square root of all of that segment.
    """

    segment: Ints
    cell: Ints
    part: Floats

    def with_itself(self, lag: int, group: Ints, k: int) -> Floats:
        """Pairs of photons with themselves, float64[k]: n photons spread over T ticks put n w_i w_j / T**2 of them."""
        same = np.flatnonzero(self.segment[:-lag] == self.segment[lag:])
        weights = self.part[same] * self.part[same + lag]
        return np.bincount(group[self.cell[same]], weights=weights, minlength=k).astype(np.float64)

    def coarser(self, cells: int) -> _Pieces:
        """In cells twice as wide, of which there are `cells`."""
        if not len(self.cell):
            return self
        cell = self.cell // 2
        new = (np.diff(self.segment, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0)
        first = np.flatnonzero(new)
        one = _Pieces(self.segment[first], cell[first], np.add.reduceat(self.part, first))
        return one.chosen(one.cell < cells)

    def chosen(self, chosen: NDArray[np.bool_]) -> _Pieces:
        """The chosen ones."""
        return _Pieces(self.segment[chosen], self.cell[chosen], self.part[chosen])


def _pieces(segments: Segments, begin: int, width: int) -> _Pieces:
    """Of the cells from `begin` on."""
    start, stop = segments.start - begin, segments.start - begin + segments.length
    first, last = start // width, (stop - 1) // width
    cut = np.flatnonzero((last > first) & (segments.a > 0))
    count = last[cut] - first[cut] + 1
    segment = np.repeat(cut, count)
    cell = np.repeat(first[cut] - (np.cumsum(count) - count), count) + np.arange(count.sum())
    inside = np.minimum((cell + 1) * width, stop[segment]) - np.maximum(cell * width, start[segment])
    return _Pieces(segment, cell, inside / segments.length[segment] * np.sqrt(segments.a[segment]))


def _at_lag(w: Floats, a: Floats, b: Floats, lag: int, group: Ints, k: int, alone: bool) -> Floats:
    """`Sums.counted` of one lag, float64[7, k]."""
    early, late = slice(None, -lag), slice(lag, None)
    pairs = a[early] * b[late] + (0.0 if alone else b[early] * a[late])
    on_a = w[early] * w[late], a[early] * w[late], w[early] * a[late]
    on_b = on_a[1:] if alone else (b[early] * w[late], w[early] * b[late])
    return np.stack([np.bincount(group[early], weights=one, minlength=k) for one in (pairs, *on_a, *on_b, 0 * pairs)])


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
