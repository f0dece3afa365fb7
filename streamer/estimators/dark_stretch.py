"""Dark stretch: for how long an emitter has been dark by now, and how often it was dark for as long before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOGETHER = 2  # bright segments in a row that end a dark stretch; one alone may be noise, unless it is far up
FAR_UP = 0.5  # of the way from the dark to the bright rate, where one alone is enough
USUAL_SLOPE = 0.5  # exponent - 1 of the dark dwells of most dots that blink


@dataclass(frozen=True, slots=True)
class DarkStretch:
    """The darkness at the end of what was seen.

    Attributes:
        dark_s: how long it has lasted; 0 where it is bright.
        before: dark dwells before.
        longest_s, total_s: of those.
        bright: whether the emitter was ever bright.
    """

    dark_s: float
    before: int
    longest_s: float
    total_s: float
    bright: bool

    @property
    def exponential(self) -> float | None:
        """How many dark dwells as long as this were to be expected by now, were they exponential; None before any."""
        if not self.before:
            return None
        return float((self.before + 1) * math.exp(-self.before * math.log1p(self.dark_s / self.total_s)))

    @property
    def power_law(self) -> float | None:
        """The same by a power law of the usual exponent, 1.5, from the longest dwell on."""
        if not self.before:
            return None
        return 1.0 if self.dark_s <= self.longest_s else (self.dark_s / self.longest_s) ** -USUAL_SLOPE


def dark_stretch(
    rate: NDArray[np.float64], length_s: NDArray[np.float64], dark: float, bright: float, border: float
) -> DarkStretch:
    """Look back from the end.

    Args:
        rate: float64[n], counts/s of the segments in time order.
        length_s: float64[n], their live time.
        dark, bright: rates of the darkest and the brightest state.
        border: rate above which a segment is not dark.
    """
    up = rate >= border
    pair = np.zeros(len(up), bool)
    pair[1:] = up[1:] & up[:-1]
    pair[:-1] |= pair[1:]
    light = pair | (rate >= dark + FAR_UP * (bright - dark))
    if not light.any():
        return DarkStretch(float(length_s.sum()), 0, 0.0, 0.0, False)
    edges = np.flatnonzero(np.diff(light)) + 1
    runs = np.add.reduceat(length_s, np.concatenate([[0], edges]))
    state = light[np.concatenate([[0], edges])]
    lasting = 0.0 if state[-1] else float(runs[-1])
    dwells = runs[1:-1][~state[1:-1]] if len(runs) > 2 else np.zeros(0)  # the first may have begun before
    return DarkStretch(lasting, len(dwells), float(dwells.max(initial=0.0)), float(dwells.sum()), True)
