"""Decay cells: the bins of a laser period pooled where a decay is smooth, so that a fit has 200 numbers to look at.

A cell's expected counts are the model's integral over it, so pooling costs no accuracy, only what the photons' places
within a cell would have told: cells are a sixth of the response's width around the excitation, and beyond it wider by
4 % of the distance, which is 1e-4 of the information on a lifetime.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_shape import bin_edges, unwrap

Floats = NDArray[np.float64]

FINE = 1 / 6  # of the response's width
GROWTH = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One detector's decay, from just before the excitation over one period.

    Attributes:
        edges: float64[m + 1], ns after the excitation.
        counts: float64[m].
        seen: bool[m], recorded by the card.
        order: intp[m], cells in the order of the nanotime: the order in which photons of a pulse reach the card.
        bins: float64[n + 1], edges of the bins themselves, ns after the excitation.
        first: which bin of the nanotime axis is the first of `bins`.
    """

    edges: Floats
    counts: Floats
    seen: NDArray[np.bool_]
    order: NDArray[np.intp]
    bins: Floats
    first: int

    @property
    def period(self) -> float:
        """Laser period in ns."""
        return float(self.edges[-1] - self.edges[0])

    @property
    def widths(self) -> Floats:
        """float64[m], ns."""
        return np.diff(self.edges)

    @property
    def photons(self) -> float:
        """Recorded."""
        return float(self.counts.sum())


def make_cells(
    counts: NDArray[np.int64],
    bin_ns: float,
    period_ns: float,
    t0_ns: float,
    early_ns: float,
    fine_ns: float,
    reach_ns: tuple[float, float],
    hidden: NDArray[np.bool_] | None = None,
) -> Cells:
    """Pool a decay.

    Args:
        counts: int64[n_bins], photons by nanotime.
        bin_ns, period_ns: width of a bin, laser period, which need not be a whole number of bins.
        t0_ns: nanotime of the excitation.
        early_ns: how much of the time before it to put before it, not behind the decay.
        fine_ns: width of the response.
        reach_ns: from when to when, after the excitation, the response reaches.
        hidden: bool[n_bins], bins that the card does not record.
    """
    around = bin_edges(len(counts), bin_ns, period_ns)
    n = len(around) - 1
    first, edges = unwrap(around, t0_ns, early_ns)
    turned = np.roll(np.asarray(counts[:n], np.float64), -first)
    dark = np.zeros(n, bool) if hidden is None else np.roll(hidden[:n], -first)
    zero = (n - first) % n  # where the nanotime begins anew
    fixed = np.flatnonzero(np.diff(dark, prepend=dark[:1])).tolist()
    stops = sorted({*fixed, zero, n} - {0})
    at, begins = 0, [0]
    for stop in stops:
        while at < stop:
            x = float(edges[at])
            away = max(reach_ns[0] - x, x - reach_ns[1], 0.0)
            until = x + FINE * fine_ns + GROWTH * away
            at = min(stop, max(at + 1, int(np.searchsorted(edges, until, "right")) - 1))
            begins.append(at)
    begin = np.array(begins[:-1], np.intp)
    order = np.arange(len(begin), dtype=np.intp)
    order = np.roll(order, -int(np.searchsorted(begin, zero))) if zero else order
    return Cells(edges[begins], np.add.reduceat(turned, begin), ~dark[begin], order, edges, first)
