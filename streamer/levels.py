"""Levels: count rate <-> level, on a scale whose steps are half a shot-noise sigma, later 2 % of the rate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TOP_RATE = 40e6  # counts/s; the last level takes everything from here up


def level_edges(top_count: int) -> NDArray[np.int64]:
    """Counts at which levels begin: int64[n_levels + 1], the last one unreachable.

    Anscombe's 2*sqrt(n + 3/8) has unit variance for Poisson counts, so a step of half a sigma is
    sqrt(n + 3/8)/2 counts; from 625 counts a step of 2 % of the rate is the coarser one and is taken.
    """
    edges, count = [0], 0
    while count < top_count:
        count += max(1, round(max(0.5 * (count + 0.375) ** 0.5, 0.02 * count)))
        edges.append(count)
    edges[-1] = np.iinfo(np.int64).max
    return np.array(edges, np.int64)


@dataclass(frozen=True)
class LevelScale:
    """The levels of segments of nominally `ticks` macro ticks of `tick_s` seconds each.

    Attributes:
        ticks: nominal length of a segment in macro ticks.
        tick_s: macro tick in seconds.
        edges: int64[n + 1], photon counts per nominal segment at which the levels begin.
    """

    ticks: int
    tick_s: float
    edges: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay out the edges up to 40 M counts/s."""
        object.__setattr__(self, "edges", level_edges(max(1, round(TOP_RATE * self.seconds))))

    @property
    def seconds(self) -> float:
        """Nominal length of a segment in seconds."""
        return self.ticks * self.tick_s

    @property
    def n(self) -> int:
        """Number of levels; row `n` of a table is the extra row `mixed`."""
        return len(self.edges) - 1

    @property
    def rows(self) -> int:
        """Rows of a level table: the levels and `mixed`."""
        return self.n + 1

    def levels(
        self, counts: NDArray[np.int64], lengths: NDArray[np.int64], known: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int16]:
        """Level of each segment from its photon count and its length in ticks; int16, both int64[n].

        A segment of another than the nominal length is scaled to it. One shorter than half of it has no level worth the
        name: it goes to the row `mixed` (number `n`), unless it is `known` (bool[n]), differing from a neighbour.
        """
        full = lengths == self.ticks
        if full.all():
            return (np.searchsorted(self.edges, counts, side="right") - 1).astype(np.int16)
        scaled = np.where(full, counts, np.rint(counts * (self.ticks / np.maximum(lengths, 1))).astype(np.int64))
        level = (np.searchsorted(self.edges, scaled, side="right") - 1).astype(np.int16)
        short = 2 * lengths < self.ticks
        level[short if known is None else short & ~known] = self.n
        return level

    def rates_cps(self) -> NDArray[np.float64]:
        """Middle of each level in counts/s, float64[n]; the open last level is given by its beginning."""
        low, high = self.edges[:-1].astype(float), self.edges[1:].astype(float) - 1
        high[-1] = low[-1]
        return (low + high) / 2 / self.seconds

    def level_of_rate(self, rate_cps: float) -> int:
        """First level wholly at or above `rate_cps`: a threshold put there parts the rows before it from the rest."""
        return int(np.searchsorted(self.edges[:-1], np.ceil(rate_cps * self.seconds - 1e-9), side="left"))
