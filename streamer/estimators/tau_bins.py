"""Wider bins of a correlation where nothing changes fast: what makes its fits quick."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def merge(edges_ns: Floats, counts: Floats, expected: Floats, parts: float = 8.0) -> tuple[Floats, Floats, Floats]:
    """Wider bins far from zero, where nothing changes fast: none wider than the larger of a bin and |tau| / parts.

    Args:
        edges_ns: float64[n + 1], ascending.
        counts, expected: float64[n].
        parts: of the distance from zero.

    Returns:
        (edges, counts, expected) of the merged bins.
    """
    kept = [0]
    for at in range(1, len(edges_ns)):
        begin, stop = edges_ns[kept[-1]], edges_ns[min(at + 1, len(edges_ns) - 1)]
        nearest = 0.0 if begin < 0 < stop else min(abs(begin), abs(stop))
        if stop - begin > nearest / parts or at == len(edges_ns) - 1:
            kept.append(at)
    starts = np.array(kept[:-1])
    return edges_ns[kept], np.add.reduceat(counts, starts), np.add.reduceat(expected, starts)
