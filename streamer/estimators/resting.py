"""Levels at which an emitter rested in a state for the whole segment: those close to the state's own rate.

A segment in which the emitter switched holds photons of two states and has a level between them. Thresholds file it
under one of the two, whose mean lifetime then leans towards the other's. Few such segments lie as close to a state's
rate as its shot noise, so the photons of these levels alone are nearly purely of the state; which segments they come
from does not depend on when in the laser period they came, so nothing is selected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

REACH = 2.0  # shot-noise sigmas from a state's rate: 2.3 % of its segments are left out per neighbour


def resting_levels(
    rates_cps: Sequence[float] | NDArray[np.float64],
    rows: Sequence[slice],
    edges: NDArray[np.int64],
    bin_s: float,
    reach: float = REACH,
) -> list[slice]:
    """The levels of each state that lie within `reach` shot-noise sigmas of its rate on the sides with a neighbour.

    Args:
        rates_cps: float[n], ascending, of the states.
        rows: n slices of levels, those of each state.
        edges: int64[n_levels + 1], counts at which the levels begin.
        bin_s: length of a segment in seconds.
        reach: in sigmas, the square root of the mean count (of at least 1).

    Returns:
        n slices within `rows`, never empty where a row is not.
    """
    slices = []
    for at, (rate, row) in enumerate(zip(rates_cps, rows, strict=True)):
        mean = float(rate) * bin_s
        off = reach * math.sqrt(max(mean, 1.0))
        own = min(max(int(np.searchsorted(edges, mean, side="right")) - 1, row.start), max(row.stop - 1, row.start))
        start, stop = row.start, row.stop
        if at > 0:
            start = min(max(start, int(np.searchsorted(edges, mean - off, side="left"))), own)
        if at < len(rows) - 1:
            stop = max(min(stop, int(np.searchsorted(edges, mean + off + 1, side="right")) - 1), min(own + 1, stop))
        slices.append(slice(start, max(start, stop)))
    return slices


def kept_shift(mean: float, *, above: bool, below: bool, reach: float = REACH) -> float:
    """By how many counts the mean of the segments kept near a state's rate differs from that of all its segments.

    Args:
        mean: counts of a segment.
        above, below: whether segments more than `reach` sigmas above (below) are left out.
        reach: in sigmas.
    """
    density = math.exp(-(reach**2) / 2) / math.sqrt(2 * math.pi)
    tail = 0.5 * math.erfc(reach / math.sqrt(2))
    return math.sqrt(max(mean, 0.0)) * density * (int(below) - int(above)) / (1 - tail * (int(below) + int(above)))


def switched_shift(
    lifetimes_ns: Sequence[float],
    rates_cps: Sequence[float] | NDArray[np.float64],
    weights: Sequence[float] | NDArray[np.float64],
    switching: float,
    segments: int,
    bin_s: float,
    reach: float = REACH,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far the segments with a switch that are left move each state's mean lifetime, in ns.

    The instant of a switch from i to j is uniform, so the segment's mean level is, between theirs; it is within reach
    of a state for a known share of the instants. In an outer state little of such a segment is the other's. At a state
    between i and j, which a direct switch passes over, all of it is wrong. Switches are taken to be equally frequent
    between all pairs of states, of which a mixture that knows neighbours only cannot tell. The number of
    such segments is Poisson; which pairs of states the switches favour is not known,
    so the shift itself is part of the error.

    Args:
        lifetimes_ns: of the n states.
        rates_cps, weights: of the states, ascending rates and shares of the time.
        switching: share of all segments in which the emitter switched.
        segments: how many there are.
        bin_s, reach: as above.

    Returns:
        expected shift, to be taken off; error of what is left. float64[n] each.
    """
    mean = np.maximum(np.asarray(rates_cps, float) * bin_s, 1e-6)
    n = len(mean)
    shifts, errors = np.zeros(n), np.zeros(n)
    for at in range(n):
        square = shift = 0.0
        off = reach * math.sqrt(max(mean[at], 1.0))
        for low in range(at + 1):
            for high in range(max(at, low + 1), n):
                apart = mean[high] - mean[low]
                between = low < at < high
                near = min(1.0, (2 if between else 1) * off / apart)
                many = switching / (n * (n - 1) / 2) * segments * near
                if between:
                    late = (mean[at] - mean[low]) / apart * mean[high] / mean[at]
                    moved = late * lifetimes_ns[high] + (1 - late) * lifetimes_ns[low] - lifetimes_ns[at]
                else:
                    other = low + high - at
                    moved = near / 2 * mean[other] / mean[at] * (lifetimes_ns[other] - lifetimes_ns[at])
                one = moved / max(weights[at] * segments, 1.0)
                square += many * one**2
                shift += many * one
        shifts[at], errors[at] = shift, math.sqrt(square + shift**2)
    return shifts, errors
