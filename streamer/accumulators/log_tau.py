"""Photon pairs by the logarithm of their lag, from 100 ns up to the length of a segment: the short end of log tau.

Pairs are counted inside segments only, so that nothing crosses a seam; longer lags are found later in the trace. The
axis is that of a multi-tau correlator (Wahl et al., Opt. Express 11, 3583, 2003): in octave j time is cut into cells,
2**j of the first octave's wide, from the segment's beginning on, and a pair of photons has the lag m when its photons
lie m cells apart, 8 <= m < 16; two neighbouring lags make a bin. The weight of a delay is so a triangle, two cells
wide, about each lag. Triangles of one octave add up to one; a delay about its end may be counted in the next one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numba import types
from numpy.typing import NDArray

from streamer.accumulator import Accumulator, Block
from streamer.kernels import CHANNELS, INT, INTS, LEVELS, TABLE1, TABLE2, TIMES, kernel
from streamer.layout import Layout

SHORTEST_S = 100e-9
CELLS = 16  # of the longest lag of an octave and one more: a segment that long has all its lags
PERIODS = 8  # of a pulsed T2 stream in a cell: the comb of the pulses then shows by less than half a per cent
CELLS1 = types.Array(types.int32, 1, "C")
BLOCK_S = 0.5  # stretches whose scatter gives the errors of long runs


@dataclass(frozen=True, eq=False)
class LagBins:
    """The bins of the lag axis; int64[n] each.

    Attributes:
        octave: number of the octave.
        width: cell in ticks.
        first: first lag of the bin in cells.
        lags: how many neighbouring lags it holds, 1 or 2.
    """

    octave: NDArray[np.int64]
    width: NDArray[np.int64]
    first: NDArray[np.int64]
    lags: NDArray[np.int64]

    @property
    def ticks(self) -> NDArray[np.float64]:
        """Mean lag of each bin in ticks, float64[n]."""
        return (self.first + (self.lags - 1) / 2) * self.width


@cache
def lag_bins(layout: Layout) -> LagBins:
    """The lag axis of a layout; empty where a segment is too short for it."""
    shortest = SHORTEST_S / layout.tick_s * (1 - 1e-9)
    shift = 0
    while 8 << (shift + 1) <= shortest:
        shift += 1
    lowest = 1
    if layout.mode == "T2" and layout.pulsed:
        lowest = 2  # the triangle of lag 1 ends at delay zero, where the light of one pulse is
        while 1 << shift < PERIODS * layout.period:
            shift += 1
    bins: list[tuple[int, int, int, int]] = []
    octave = 0
    while CELLS << (shift + octave) <= layout.scale.ticks:
        width = 1 << (shift + octave)
        found = [(octave, width, m, 1) for m in range(1, 8)] if octave == 0 else []
        found += [(octave, width, m, 2) for m in range(8, 16, 2)]
        bins += [one for one in found if one[2] >= lowest and one[2] * width >= shortest]
        octave += 1
    return LagBins(*np.array(bins, np.int64).reshape(-1, 4).T.copy())


def correlated(layout: Layout) -> tuple[tuple[int, int], ...]:
    """Channel pairs that are correlated: the layout's, or a lone detector with itself."""
    if layout.pairs:
        return layout.pairs
    return tuple((channel, channel) for channel in layout.detectors) if len(layout.detectors) == 1 else ()


def block_ticks(layout: Layout) -> int:
    """Length of a line of the table `blocks`: whole nominal segments."""
    return layout.scale.ticks * max(1, round(BLOCK_S / layout.scale.seconds))


class LogTau(Accumulator):
    """Pairs inside segments on the axis of `lag_bins`; both signs of the lag together.

    A segment of T ticks takes part in an octave when T is at least 16 cells. Of T ticks, width * (T - m * width) pairs
    of ticks lie m cells apart, which is all that a normalisation needs to know besides the list of segments.

    Tables:
        pairs{p}[rows, bins]: by level; the row `mixed` has the segments too short for a level.
        blocks[n, 1 + pairs * bins]: the same over all levels, by time: number of the block of `block_ticks` in which
            the segments began, then bins of each pair. It grows, and merging appends.
    """

    name = "log_tau"

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        bins = lag_bins(layout)
        self._rows = {key: np.zeros(shape, np.int64) for key, shape in self.shapes(layout).items() if key != "blocks"}
        self._lines = np.zeros((64, 1 + len(self._rows) * len(bins.first)), np.int64)
        self._n = 0
        self._block = block_ticks(layout)
        octaves = int(bins.octave[-1]) + 1
        shift = int(bins.width[-1]).bit_length() - octaves
        # The kernel counts from lag 1 on; what is not wanted lies in front.
        front = 7 + 4 * octaves - len(bins.first)
        self._sizes = [np.array([a, b, shift, octaves, front], np.int64) for a, b in correlated(layout)]

    @staticmethod
    def needs(layout: Layout) -> bool:
        """Asked for, something to correlate, and segments of at least some lags."""
        return layout.log_tau and bool(correlated(layout)) and len(lag_bins(layout).first) > 0

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """See the class; `blocks` as it is at first."""
        bins, pairs = len(lag_bins(layout).first), len(correlated(layout))
        tables: dict[str, tuple[int, ...]] = {f"pairs{p}": (layout.scale.rows, bins) for p in range(pairs)}
        return tables | {"blocks": (0, 1 + pairs * bins)}

    @property
    def tables(self) -> dict[str, NDArray[np.int64]]:  # type: ignore[override]
        """Views, not copies."""
        return self._rows | {"blocks": self._lines[: self._n]}

    def count(self, block: Block) -> None:
        """Add whole segments, those of one line of `blocks` at a time."""
        if not len(block.level):
            return
        number = block.start // self._block
        edges = np.concatenate(([0], np.flatnonzero(np.diff(number)) + 1, [len(number)])).tolist()
        n_bins = len(lag_bins(self.layout).first)
        for first, last in pairwise(edges):
            line = self._line(int(number[first]))
            for p, sizes in enumerate(self._sizes):
                _add(
                    block.time, block.channel, block.offsets[first : last + 1], block.start[first:last],
                    block.stop[first:last], block.level[first:last], sizes, self._rows[f"pairs{p}"],
                    line[1 + p * n_bins : 1 + (p + 1) * n_bins],
                )  # fmt: skip

    def add(self, later: dict[str, NDArray[np.int64]], sign: int = 1) -> None:
        """Add the pairs; append the blocks, the first of which may be the last one here."""
        for key, table in self._rows.items():
            np.add(table, sign * later[key], out=table)
        for one in later["blocks"]:
            self._line(int(one[0]))[1:] += sign * one[1:]

    def restore(self, tables: dict[str, NDArray[np.int64]]) -> None:
        """Take over saved tables."""
        self._n = 0
        for table in self._rows.values():
            table[...] = 0
        self.add(tables)

    def _line(self, number: int) -> NDArray[np.int64]:
        """The line of a block, which is the last one or new; a view, good until the next call."""
        if not self._n or self._lines[self._n - 1, 0] != number:
            if self._n == len(self._lines):
                self._lines = np.concatenate([self._lines, np.empty_like(self._lines)])
            self._lines[self._n] = 0
            self._lines[self._n, 0] = number
            self._n += 1
        return self._lines[self._n - 1]


@kernel(INT, TABLE1, TABLE1, INT, types.boolean, TABLE1)
def _one_by_one(on_a, on_b, octaves, alone, found):  # type: ignore[no-untyped-def]
    """Pairs of the first `octaves`, each in its octave and, where the next one too has it at lag 8, in that."""
    reach = (CELLS << (octaves - 1)) - 1
    begin, one, two = 0, np.uint64(1), np.uint64(2)
    nowhere, end = np.uint64(len(found) - 1), np.uint64(octaves)
    for i in range(len(on_a)):
        u = on_a[i]
        if alone:
            begin = i + 1
        else:
            while begin < len(on_b) and on_b[begin] < u - reach:
                begin += 1
        for j in range(np.uint64(begin), np.uint64(len(on_b))):
            v = on_b[j]
            if v - u > reach:
                break
            first, last = (u, v) if u < v else (v, u)
            low, high = np.uint64(first), np.uint64(last)
            # log2 of the delay is the exponent of a floating number: 1023 + 3 is that of 8 cells.
            power = (np.float64(last - first).view(np.int64) >> 52) - 1026
            octave = np.uint64(power if power > 0 else 0)
            m = (high >> octave) - (low >> octave)
            place = m - one if m < 8 else np.uint64(3) + (octave << two) + (m >> one)
            found[place if (m > 0) & (m < CELLS) else nowhere] += 1
            octave += one
            m = (high >> octave) - (low >> octave)
            found[np.uint64(7) + (octave << two) if (m == 8) & (octave < end) else nowhere] += 1
    return 0


@kernel(INT, TABLE1, INT, CELLS1)
def _fill(at, octave, cells):  # type: ignore[no-untyped-def]
    """Photons in each cell."""
    cells[:] = 0
    for i in range(len(at)):
        cells[np.uint64(at[i] >> octave)] += 1
    return 0


@kernel(INT, CELLS1, INT)
def _fold(cells, n):  # type: ignore[no-untyped-def]
    """Make the first n cells twice as wide, in place, and the rest empty; how many there are now."""
    half = (n + 1) // 2
    for i in range(half):
        cells[i] = cells[2 * i] + cells[2 * i + 1]  # there is an empty one behind the last
    cells[half : n + 1] = 0
    return half


@kernel(INT, CELLS1, CELLS1, INT, TABLE1)
def _by_cells(early, late, n, found):  # type: ignore[no-untyped-def]
    """Pairs of n cells at the lags 8 and 9, 10 and 11, 12 and 13, 14 and 15, `late` behind `early`; at most 2**31 - 1.

    Sums of 32 bits, for the processor does 16 of them at a time.
    """
    first = second = third = fourth = np.int32(0)
    for i in range(n):
        here = early[i]
        first = np.int32(first + np.int32(here * np.int32(late[i + 8] + late[i + 9])))
        second = np.int32(second + np.int32(here * np.int32(late[i + 10] + late[i + 11])))
        third = np.int32(third + np.int32(here * np.int32(late[i + 12] + late[i + 13])))
        fourth = np.int32(fourth + np.int32(here * np.int32(late[i + 14] + late[i + 15])))
    found[0] += first
    found[1] += second
    found[2] += third
    found[3] += fourth
    return 0


@kernel(INT, CELLS1, CELLS1, INT, TABLE1)
def _by_cells_wide(early, late, n, found):  # type: ignore[no-untyped-def]
    """The same for any number of pairs."""
    for i in range(n):
        for k in range(4):
            found[k] += np.int64(early[i]) * np.int64(late[i + 8 + 2 * k] + late[i + 9 + 2 * k])
    return 0


@kernel(INT, CELLS1, CELLS1, INT, types.boolean, types.boolean, TABLE1)
def _one_octave(cells_a, cells_b, n, alone, wide, found):  # type: ignore[no-untyped-def]
    """Pairs of both signs, then cells twice as wide; how many there are now. Alone, both are the same cells."""
    if wide:
        _by_cells_wide(cells_a, cells_b, n, found)
    else:
        _by_cells(cells_a, cells_b, n, found)
    if not alone:
        if wide:
            _by_cells_wide(cells_b, cells_a, n, found)
        else:
            _by_cells(cells_b, cells_a, n, found)
        _fold(cells_b, n)
    return _fold(cells_a, n)


# Few pairs are looked at one by one, many are counted by cells. Which of the two takes less work depends on the photons
# per cell: octaves of fewer than DENSE cells per photon go by cells. Both give the same integers.
DENSE = 3


@kernel(INT, TIMES, CHANNELS, INTS, INTS, INTS, LEVELS, INTS, TABLE2, TABLE1)
def _add(time, channel, offsets, start, stop, level, sizes, pairs, line):  # type: ignore[no-untyped-def]
    """Pairs of each segment; sizes = (a, b, log2 of the first width, octaves, bins in front that are not wanted)."""
    a, b, shift, octaves, front = np.uint8(sizes[0]), np.uint8(sizes[1]), sizes[2], sizes[3], sizes[4]
    alone, most = a == b, np.diff(offsets).max()
    on_a, on_b = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    cells_a, cells_b = np.empty(DENSE * most + CELLS + 2, np.int32), np.empty(DENSE * most + CELLS + 2, np.int32)
    found = np.zeros(7 + 4 * octaves + 1, np.int64)  # the last one takes what is not counted
    for s in range(len(level)):
        length = (stop[s] - start[s]) >> shift
        own = 0
        while own < octaves and CELLS << own <= length:
            own += 1
        n_a, n_b = np.uint64(0), np.uint64(0)
        for i in range(np.uint64(offsets[s]), np.uint64(offsets[s + 1])):
            u = (time[i] - start[s]) >> shift
            on_a[n_a] = u
            n_a += np.uint64(channel[i] == a)
            on_b[n_b] = u
            n_b += np.uint64(channel[i] == b)
        if own == 0 or n_a == 0 or n_b == 0:
            continue
        n = DENSE * np.int64(n_a if alone else n_a + n_b)
        single = 1
        while single < own and length >> single >= n:
            single += 1
        found[:] = 0
        _one_by_one(on_a[:n_a], on_b[:n_b], single, alone, found)
        if single < own:
            n = (length >> single) + 1
            wide = np.float64(n_a) * np.float64(n_b) >= 2.0**31
            _fill(on_a[:n_a], single, cells_a[: n + CELLS])
            if not alone:
                _fill(on_b[:n_b], single, cells_b[: n + CELLS])
            for octave in range(single, own):
                n = _one_octave(cells_a, cells_a if alone else cells_b, n, alone, wide, found[7 + 4 * octave :])
        row = level[s]
        for k in range(len(line)):
            pairs[row, k] += found[front + k]
            line[k] += found[front + k]
    return 0
