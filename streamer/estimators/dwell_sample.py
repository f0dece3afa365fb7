"""Dwells of one state as a sample: the likelihood of t**-exponent * exp(-rate*t) for them, seen through bins or not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NODES, WEIGHTS = np.polynomial.legendre.leggauss(6)
MOST_CUTS = 60  # different lengths of dwells that were cut off; every gap in the measurement makes one
NEAR = 48.0  # bins; beyond, the triangle changes a likelihood by less than a fifth of a thousandth

Floats = NDArray[np.float64]


class Sample:
    """Dwells of one state, and integrals of the law over them.

    Attributes:
        value, number: float64[v], different lengths of complete dwells, and how many there are of each.
        cut, cut_number: the same for the dwells that were cut off.
        low: dwells from here on are used. Lengths are in bins, or in units of `low` where there are none.
        rest: mean time that is not in a used dwell, per used dwell; inf where it is not told.
    """

    def __init__(
        self, length: Floats, complete: NDArray[np.bool_], low: float, grid: bool, edge: float, span: float = 0.0
    ) -> None:
        used = length >= low
        self.value, self.number = _count(length[used & complete])
        self.cut, self.cut_number = _count(length[used & ~complete], MOST_CUTS)
        self.low, self.grid, self.edge = low, grid, edge
        self.n = float(self.number.sum() + self.cut_number.sum())
        self.longest = float(max(self.value[-1], self.cut[-1] if len(self.cut) else 0.0))
        held = float(self.value @ self.number + self.cut @ self.cut_number)
        self.rest = max(0.0, span - held) / self.n if span else math.inf
        near = self.value <= (NEAR if grid else 0.0)
        inner = np.concatenate([NODES / 2 - 0.5, NODES / 2 + 0.5])
        self._kernel = np.tile(WEIGHTS, 2) / 2 * (1 - np.abs(inner))
        self._at = self.value[near][:, None] + inner - edge
        self._log_at = np.log(self._at)
        self._near = self.number[near]
        far, many = self.value[~near] - edge, self.number[~near]
        self._far = float(many @ np.log(far)), float(many @ far)

    def integrals(self, end: float) -> tuple[Floats, Floats, Floats]:
        """(nodes float64[m], their logarithms, weights float64[1 + cuts, m]): all dwells used, and beyond each cut.

        `end` is the longest dwell (a whole number of bins) that can be; the law is folded with the triangle.
        """
        starts = np.concatenate([[self.low], self.cut])
        step = 1.0 if self.grid else 0.0
        corners = np.unique(np.concatenate([starts - step, starts, [end, end + step]])) - self.edge
        first, last = corners[0], corners[-1]
        panels = np.geomspace(first, last, max(2, 3 + int(3 * math.log(last / first))))
        edges = np.unique(np.concatenate([corners, panels]))
        edges = edges[np.concatenate([[True], np.diff(edges) > 1e-12 * edges[1:]])]
        # In the logarithm of time a power law is smooth over any panel.
        log_edges = np.log(edges)
        half = np.diff(log_edges)[:, None] / 2
        log_y = (log_edges[:-1, None] + half + half * NODES).ravel()
        y = np.exp(log_y)
        measure = (half * WEIGHTS).ravel() * y
        t = y + self.edge
        if self.grid:
            rise = np.clip(t - starts[:, None] + 1, 0, 1)
            fall = np.clip(end + 1 - t, 0, 1)
        else:
            rise, fall = (t >= starts[:, None]).astype(float), (t <= end).astype(float)
        return y, log_y, measure * rise * fall

    def objective(self, exponent: float, rate: float, tables: tuple[Floats, Floats, Floats], free: Sequence[int],
                  without: float | None = None) -> tuple[float, float]:  # fmt: skip
        """(minus the log-likelihood, minus the logarithm of the prior for the `free` parameters).

        `without`: one dwell of this length is left out, as the one that is given.
        """
        y, log_y, weights = tables
        density = np.exp(-exponent * (log_y - log_y[0]) - rate * (y - y[0]))
        shift = exponent * log_y[0] + rate * y[0]
        sums = weights @ density
        with np.errstate(divide="ignore"):
            seen = np.log(np.exp(shift - exponent * self._log_at - rate * self._at) @ self._kernel)
            total = float(self._near @ seen + self.cut_number @ np.log(sums[1:]))
            # Far from zero the law is straight over two bins: the triangle does nothing, and two sums hold all.
            total += (self.n - float(self.cut_number.sum() + self._near.sum())) * shift
            total -= exponent * self._far[0] + rate * self._far[1]
            n = self.n
            if without is not None:
                time = without - self.edge
                total, n = total - (shift - exponent * math.log(time) - rate * time), n - 1
            total -= n * math.log(sums[0])
        share = weights[0] * density / sums[0]
        spread = [one - one @ share for one in ((log_y, y)[which] for which in free)]
        information = n * float(spread[0] ** 2 @ share)
        if len(spread) == 2:
            mixed = n * float(spread[0] * spread[1] @ share)
            information = information * n * float(spread[1] ** 2 @ share) - mixed**2
        prior = 0.5 * math.log(max(information, 1e-300))
        if math.isfinite(self.rest):
            prior -= math.log(float(y @ share) + self.edge + self.rest)
        return -total, -prior


def _count(length: Floats, most: int | None = None) -> tuple[Floats, Floats]:
    """(different lengths, how many of each); of more than `most`, the means of classes of equal ratio."""
    value, number = np.unique(length, return_counts=True)
    if most is not None and len(value) > most:
        place = np.searchsorted(np.geomspace(value[0], value[-1], most), value)
        held = np.bincount(place, number).astype(np.float64)
        total = np.bincount(place, number * value)
        return total[held > 0] / held[held > 0], held[held > 0]
    return value, number.astype(np.float64)
