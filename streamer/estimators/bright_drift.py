"""Bright drift: whether the light of the bright times has grown weaker, however the emitter blinks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

QUANTILE = 0.9  # of the segments of a window: its bright level, as long as it is bright for more than a tenth of it
LEAST_SEGMENTS = 20  # in a window
TOGETHER = 3  # of the windows before, whose median is what a level is held against: one alone may be a flash


@dataclass(frozen=True, slots=True)
class BrightDrift:
    """Bright levels of the windows.

    Attributes:
        levels_cps: float64[n], of each window that has enough segments and was not dark.
        start_cps: the highest median of three neighbours; None with fewer than four windows.
        last_cps: that of the last window.
        error_cps: standard error of the last, by its shot noise.
    """

    levels_cps: NDArray[np.float64]
    start_cps: float | None
    last_cps: float | None
    error_cps: float | None


def bright_drift(
    window: NDArray[np.int64], counts: NDArray[np.int64], length_s: NDArray[np.float64], dark_cps: float
) -> BrightDrift:
    """Follow the bright level.

    Args:
        window: int64[n], number of the window of each segment, ascending; the last may be incomplete.
        counts, length_s: int64[n], float64[n] of the segments, of about equal length.
        dark_cps: a window whose level is not above this was dark, and tells nothing.
    """
    rate = counts / np.maximum(length_s, 1e-12)
    levels, errors = [], []
    borders = [0, *(np.flatnonzero(np.diff(window)) + 1), len(window)]
    for begin, stop in pairwise(borders):
        if stop - begin < LEAST_SEGMENTS:
            continue
        own = rate[begin:stop]
        level = float(np.quantile(own, QUANTILE))
        if level > dark_cps:
            levels.append(level)
            errors.append(level / max(float(counts[begin:stop][own >= 0.7 * level].sum()), 1.0) ** 0.5)
    if len(levels) <= TOGETHER:
        return BrightDrift(np.array(levels), None, levels[-1] if levels else None, errors[-1] if errors else None)
    before = np.lib.stride_tricks.sliding_window_view(np.array(levels[:-1]), TOGETHER)
    return BrightDrift(np.array(levels), float(np.median(before, axis=1).max()), levels[-1], errors[-1])
