"""Simulated dots under cw light, photon by photon: an antibunching dip upon uncorrelated light, and its pairs.

The emitter is excited and emits at one rate k each, so its own g2 is 1 - exp(-2 k tau); few of its photons arrive.
Uncorrelated light that belongs to the dot (not a background to be corrected for) raises the dip's floor. Times are in
widths of the coincidence window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST_NEAR = 256
CENTRAL, FAR_PAIRS, PRODUCT = range(3)


@dataclass(frozen=True, slots=True)
class CwDot:
    """A dot and how it is measured.

    Attributes:
        rate: photons per window and detector.
        k: rate of the emitter's two steps, per window.
        far, reach: pairs between these delays are the second reference.
        segment: windows; five of them make the shortest time between looks.
    """

    rate: float = 0.02
    k: float = 0.16
    far: float = 25.0
    reach: float = 50.0
    segment: float = 200.0

    @property
    def dip(self) -> float:
        """Mean of 1 - g2 over the window, of the emitter alone: the least share it can fall to."""
        return -math.expm1(-self.k) / self.k

    @property
    def weight(self) -> float:
        """Far pairs per accidental pair in the window."""
        return 2 * (self.reach - self.far)

    def segments(self, accidental: float) -> int:
        """In which so many accidental pairs are to be expected in the window."""
        return math.ceil(accidental / (self.rate**2 * self.segment))


def draw(dot: CwDot, g: float, ends: NDArray[np.int64], dots: int, seed: int) -> NDArray[np.float64]:
    """Counts between looks, float64[dots, looks, 3]; columns as above. `g` is the mean over the window."""
    share = math.sqrt(min((1 - g) / dot.dip, 1.0))  # of the light that is the emitter's
    counts = np.zeros((dots, len(ends), 3))
    lit, flat = 2 * dot.rate * share, 2 * dot.rate * (1 - share)
    _draw(counts, ends, np.random.default_rng(seed), dot.k, lit, flat, dot.far, dot.reach, dot.segment)
    return counts


@njit(cache=False)
def _next_lit(rng, k, missed):  # type: ignore[no-untyped-def]
    """Time to the emitter's next photon that arrives: of many cycles of two steps, one."""
    cycles = 1 + int(math.log(1 - rng.random()) / missed)
    return rng.gamma(2.0 * cycles, 1.0 / k)


@njit(cache=False)
def _draw(counts, ends, rng, k, lit, flat, far, reach, segment):  # type: ignore[no-untyped-def]
    """Fill `counts` in place; `lit` and `flat` are photons per window of both detectors."""
    missed = math.log1p(-lit * 2 / k) if lit > 0 else -1.0
    time, on_b = np.zeros(MOST_NEAR), np.zeros(MOST_NEAR, np.bool_)
    for dot in range(counts.shape[0]):
        first = last = look = number = 0
        # The first photon after the start of a cycle comes at random in the emitter's phase: a long lead-in.
        next_lit = -1e3 / k + _next_lit(rng, k, missed) if lit > 0 else math.inf
        while next_lit < 0:
            next_lit += _next_lit(rng, k, missed)
        next_flat = rng.exponential(1 / flat) if flat > 0 else math.inf
        a_sum, b_sum = 0, 0
        while look < len(ends):
            now = min(next_lit, next_flat)
            while now >= (number + 1) * segment and look < len(ends):
                counts[dot, look, 2] += a_sum * b_sum / segment
                a_sum, b_sum = 0, 0
                number += 1
                look += number == ends[look]
            if look == len(ends):
                break
            if next_lit <= next_flat:
                next_lit += _next_lit(rng, k, missed)
            else:
                next_flat += rng.exponential(1 / flat)
            b = rng.random() < 0.5
            while first < last and now - time[first % MOST_NEAR] > reach:
                first += 1
            for at in range(first, last):
                if on_b[at % MOST_NEAR] != b:
                    apart = now - time[at % MOST_NEAR]
                    counts[dot, look, 0] += apart < 0.5
                    counts[dot, look, 1] += apart >= far
            time[last % MOST_NEAR], on_b[last % MOST_NEAR] = now, b
            last += 1
            a_sum += not b
            b_sum += b
