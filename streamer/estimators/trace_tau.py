"""Multi-tau sums between cells of the trace, for lags from one cell on; gaps and long runs cost no lags.

Cells are twice as wide from octave to octave (Wahl et al., Opt. Express 11, 3583, 2003). The run is looked at in pieces
with what the longest lag needs behind them, so that its length does not matter; gaps that no lag crosses are shortened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.multi_tau import Lags, Segments, Sums, live_ticks, stretches_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PIECE = 1 << 16  # cells, such that a few rows of them stay in the processor's cache


def trace_sums(segments: Segments, cell: int, longest: float, *, alone: bool, block_ticks: int) -> Sums:
    """Pairs between cells of the trace: `cell` ticks wide at first, twice as wide from octave to octave.

    Gaps are missing data: each cell has the live time that it has. A segment longer than a cell is spread evenly over
    its cells; alone, each of its photons is so paired with itself, which is taken off. Lags up to `longest` ticks.
    """
    known, stretch_of_block = stretches_of(segments, block_ticks)
    k = int(stretch_of_block.max(initial=-1)) + 1
    number = np.searchsorted(known, segments.start // block_ticks)
    stretch = stretch_of_block[number]
    top = 0
    while 8 * (cell << (top + 1)) <= longest:
        top += 1
    begin = int(segments.start[0]) // cell * cell
    removed = _removed(segments, longest, cell << top)
    near = replace(segments, start=segments.start - begin - removed)
    total = -(-int(near.start[-1] + near.length[-1]) // cell)
    lags = _axis(cell, longest, total)

    # The first cell of each stretch: that at the beginning of its first block, as far as a shortened gap still has it.
    first = np.searchsorted(stretch, np.arange(1, k))
    edges = -((begin + removed[first] - known[number[first]] * block_ticks) // cell)
    before = -(-(near.start + near.length)[first - 1] // cell)
    edges = np.where(removed[first] > removed[first - 1], np.maximum(edges, before), edges)
    edges = np.concatenate([[0], edges, [total]])

    counted = np.zeros((7, k, len(lags.first)))
    margin = 16 << top
    step = -(-max(PIECE, 2 * margin) >> top) << top
    for low in range(0, total, step):
        last = low + step >= total
        trace = _Trace.of(near, cell, low, total if last else min(low + step + margin, total), alone)
        early = (total if last else low + step) - low
        for octave, one in enumerate(trace.octaves(top + 1)):
            # A cell belongs where the first of its own does; early ones only up to the end of this piece.
            bounds = np.clip(-((low - edges) >> octave), 0, min(-(-early >> octave), len(one.w)))
            for i in np.flatnonzero(lags.octave == octave):
                for lag in range(int(lags.first[i]), int(lags.first[i] + lags.lags[i])):
                    counted[:, :, i] += one.at_lag(lag, np.minimum(bounds, len(one.w) - lag), alone)
    return Sums(lags, alone, counted, live_ticks(segments, stretch, k))


def _removed(segments: Segments, longest: float, coarsest: int) -> Ints:
    """Ticks taken out of gaps before each segment: whole coarsest cells, where no lag crosses what is left."""
    gap = segments.start[1:] - segments.start[:-1] - segments.length[:-1]
    excess = np.maximum(gap - int(longest) - 3 * coarsest, 0) // coarsest * coarsest
    return np.concatenate([[0], np.cumsum(excess)])


def _axis(cell: int, longest: float, cells: int) -> Lags:
    """Lags 1 to 15 of the first octave, 8 to 15 of the others, as far as `longest` and so many cells allow."""
    found: list[tuple[int, int, int, int]] = []
    octave = 0
    while cells > 1 and (1 if octave == 0 else 8) * cell <= longest:
        for m, lags in [*((m, 1) for m in range(1, 8) if octave == 0), *((m, 2) for m in range(8, 16, 2))]:
            if (m + (lags - 1) / 2) * cell > longest or m + lags > cells:
                break
            found.append((octave, cell, m, lags))
        cells, cell, octave = cells // 2, 2 * cell, octave + 1
    return Lags(*np.array(found, np.int64).reshape(-1, 4).T.copy())


@dataclass(frozen=True, eq=False)
class _Trace:
    """Cells of a piece of the run.

    Attributes:
        w, a, b: float64[n] each, live ticks and photons on a and on b.
        own: of segments in more than one cell, alone.
    """

    w: Floats
    a: Floats
    b: Floats
    own: _Shares

    @staticmethod
    def of(segments: Segments, cell: int, low: int, high: int, alone: bool) -> _Trace:
        """Cells low up to high - 1."""
        # The first one begins at or before the piece, and may end before it.
        after, end = np.searchsorted(segments.start, [low * cell, high * cell], side="right").tolist()
        some = slice(max(after - 1, 0), end)
        start, length = segments.start[some] - low * cell, segments.length[some]
        at = np.stack([start, start + length], axis=1).ravel()
        grid = np.arange(high - low + 1) * cell

        def spread(amount: Ints) -> Floats:
            total = np.concatenate([[0], np.cumsum(amount)])
            return np.diff(np.interp(grid, at, np.stack([total[:-1], total[1:]], axis=1).ravel()))

        w, a = spread(length), spread(segments.a[some])
        if not alone:
            return _Trace(w, a, spread(segments.b[some]), _Shares.of(start[:0], length[:0], length[:0], cell, 0))
        return _Trace(w, a, a, _Shares.of(start, length, segments.a[some], cell, high - low))

    def octaves(self, most: int) -> Iterator[_Trace]:
        """This one, then with cells twice as wide, and so on; what is left over at the end goes."""
        one = self
        for octave in range(most):
            if octave:
                even = len(one.w) // 2 * 2
                w, a, b = (x[:even].reshape(-1, 2).sum(axis=1) for x in (one.w, one.a, one.b))
                one = _Trace(w, a, b, one.own.coarser(len(w)))
            yield one

    def at_lag(self, lag: int, bounds: Ints, alone: bool) -> Floats:
        """`Sums.counted` of one lag, float64[7, k]; stretch i has the early cells bounds[i] to bounds[i + 1] - 1."""
        found = np.zeros((7, len(bounds) - 1))
        some = np.flatnonzero(np.diff(bounds) > 0)
        if not len(some):
            return found
        early, late = slice(bounds[0], bounds[-1]), slice(bounds[0] + lag, bounds[-1] + lag)
        w, a, b = self.w[early], self.a[early], self.b[early]
        late_w, late_a, late_b = self.w[late], self.a[late], self.b[late]
        on_a = a * late_w, w * late_a
        pairs = a * late_a if alone else a * late_b + b * late_a
        on_b = on_a if alone else (b * late_w, w * late_b)
        for i, one in enumerate((pairs, w * late_w, *on_a, *on_b)):
            found[i, some] = np.add.reduceat(one, bounds[some] - bounds[0])
        if len(self.own.cell):
            found[0] -= self.own.with_itself(lag, bounds)
        return found


@dataclass(frozen=True, eq=False)
class _Shares:
    """Segments cut by the borders of cells, in time order, those of more than one cell.

    Attributes:
        segment, cell: int64[n] each, whose it is and where.
        part: float64[n], photons that its segment spread here, over the square root of all of that segment.
    """

    segment: Ints
    cell: Ints
    part: Floats

    @staticmethod
    def of(start: Ints, length: Ints, photons: Ints, width: int, cells: int) -> _Shares:
        """Of the cells 0 to cells - 1."""
        first, last = start // width, (start + length - 1) // width
        cut = np.flatnonzero((last > first) & (last >= 0) & (first < cells) & (photons > 0))
        first, last = np.maximum(first[cut], 0), np.minimum(last[cut], cells - 1)
        count = last - first + 1
        segment = np.repeat(cut, count)
        cell = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
        end = np.minimum((cell + 1) * width, start[segment] + length[segment])
        inside = end - np.maximum(cell * width, start[segment])
        return _Shares(segment, cell, inside / length[segment] * np.sqrt(photons[segment]))

    def with_itself(self, lag: int, bounds: Ints) -> Floats:
        """Pairs of photons with themselves, float64[k]: n photons spread over T ticks put n w_i w_j / T**2 of them."""
        same = np.flatnonzero(self.segment[:-lag] == self.segment[lag:])
        cell = self.cell[same]
        inside = (cell >= bounds[0]) & (cell < bounds[-1])
        same, cell = same[inside], cell[inside]
        group = np.searchsorted(bounds, cell, side="right") - 1
        weights = self.part[same] * self.part[same + lag]
        return np.bincount(group, weights=weights, minlength=len(bounds) - 1).astype(np.float64)

    def coarser(self, cells: int) -> _Shares:
        """In cells twice as wide, of which there are `cells`."""
        if not len(self.cell):
            return self
        cell = self.cell // 2
        new = (np.diff(self.segment, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0)
        first = np.flatnonzero(new)
        part, first = np.add.reduceat(self.part, first), first[cell[first] < cells]
        return _Shares(self.segment[first], cell[first], part[: len(first)])
