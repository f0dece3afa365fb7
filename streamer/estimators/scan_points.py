"""Points of a scan: values against a scan variable with their errors or intervals, as fits take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.estimators.estimate import Z95

Floats = NDArray[np.float64]
Pairs = tuple[Floats, Floats, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What a law is fitted to.

    Attributes:
        x, value: float64[n].
        below, above: float64[n], distances to the ends of the 95 % interval, above 0.
        x_error: float64[n], standard error of x, 0 where it is exact.
        pairs: None, or (central, side, weight) float64[n] each: g2(0) is fitted by its pairs, `weight` side pairs to a
            central one at g2(0) = 1.
    """

    x: Floats
    value: Floats
    below: Floats
    above: Floats
    x_error: Floats
    pairs: Pairs | None = None

    def __len__(self) -> int:
        """Number of points."""
        return len(self.x)


def make_points(
    x: ArrayLike,
    value: ArrayLike,
    error: ArrayLike | None = None,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    x_error: ArrayLike | None = None,
    pairs: Pairs | None = None,
) -> Points:
    """Points from values with standard errors, or with 95 % intervals where those are known (NaN: not known).

    Raises:
        ValueError: arrays of different lengths, or a point with neither an error above 0 nor an interval around it.
    """
    x, value = np.asarray(x, np.float64), np.asarray(value, np.float64)
    n = len(x)
    given = [np.full(n, np.nan) if one is None else np.asarray(one, np.float64) for one in (error, low, high)]
    shift = np.zeros(n) if x_error is None else np.nan_to_num(np.asarray(x_error, np.float64))
    if any(one.shape != (n,) for one in (value, shift, *given)):
        raise ValueError("x, value, error, low, high and x_error must have one length")
    sigma, lowest, highest = given
    below, above = value - lowest, highest - value
    whole = np.isfinite(below) & np.isfinite(above) & (below >= 0) & (above > 0)
    usable = np.isfinite(sigma) & (sigma > 0)
    if pairs is None and not np.all(whole | usable):
        raise ValueError("every point needs an error above 0 or an interval around its value")
    spread = Z95 * np.where(usable, sigma, 1.0)
    # One end on the value itself is a bound (no pairs, so g2(0) = 0): half of a distance there is as small as matters.
    below = np.where(whole, np.maximum(below, 1e-3 * np.maximum(above, 0.0)), spread)
    return Points(x, value, below, np.where(whole, above, spread), shift, pairs)
