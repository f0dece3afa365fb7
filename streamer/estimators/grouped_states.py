"""Grouped segments as the mixture that the rest of the program knows: what it expects at each level, and its fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from streamer.estimators.change_alarms import misfiled
from streamer.estimators.grouping import Grouping
from streamer.estimators.states import Mixture

PER_OCTAVE = 4  # classes of length that are expected together


def mixture_of(
    grouping: Grouping,
    counts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    joined: NDArray[np.bool_],
    edges: NDArray[np.int64],
    ticks: int,
    tick_s: float,
) -> Mixture:
    """The mixture that a grouping is.

    Nobody switches within a segment between two changes. What is expected at each level is in nominal segments, too,
    that is, in time; it is broadened by the shot noise of the segments' own lengths.

    Args:
        grouping: of the segments.
        counts: int64[n], photons of each segment.
        lengths: int64[n] of each segment in ticks, above 0.
        joined: bool[n], the segment begins where the one before ends.
        edges: int64[n_levels + 1], counts per nominal segment at which the levels begin.
        ticks, tick_s: nominal length of a segment, and the tick in seconds.
    """
    expected = np.zeros(len(edges) - 1)
    octave = np.rint(np.log2(np.maximum(lengths, 1)) * PER_OCTAVE).astype(np.int64)
    for state, rate in enumerate(grouping.rates_cps):
        own = grouping.state_of == state
        held = np.bincount(octave[own], lengths[own])
        for one in np.flatnonzero(held):
            length = 2.0 ** (one / PER_OCTAVE)
            # A segment of this length is at the levels below an edge when it has fewer counts than its share of it.
            least = np.maximum(np.ceil((edges[1:-1] - 0.5) * length / ticks), 1)
            below = gammaincc(least, max(rate, 1e-12) * length * tick_s)
            expected += held[one] / ticks * np.diff(below, prepend=0.0, append=1.0)
    return Mixture(
        grouping.rates_cps, grouping.shares, grouping.thresholds_cps, 0.0, grouping.stray, grouping.bic, expected, None,
        grouping.misfit, grouping.fits, grouping.reason, _misfiled(grouping, counts, joined),
    )  # fmt: skip


def _misfiled(grouping: Grouping, counts: NDArray[np.int64], joined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of each state's photons that changes, not found to the photon, bring from neighbours; float64[states]."""
    k, state, rates = len(grouping.rates_cps), grouping.state_of, grouping.rates_cps
    wrong = np.zeros(k)
    changes = np.zeros((k, k))
    np.add.at(changes, (state[:-1][joined[1:]], state[1:][joined[1:]]), 1)
    changes += changes.T
    for dim in range(k):
        for bright in range(dim + 1, k):
            if changes[dim, bright] and rates[dim] > 0:
                to_dim, to_bright = misfiled(float(max(rates[bright] / rates[dim], 1 + 1e-6)))
                wrong[dim] += to_dim * changes[dim, bright]
                wrong[bright] += to_bright * changes[dim, bright]
    return np.asarray(np.minimum(wrong / np.maximum(np.bincount(state, counts, k), 1.0), 1.0))
