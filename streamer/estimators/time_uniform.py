"""Standard errors that hold while watching: by how much an interval must be wider to be right at all moments at once.

The boundary is the normal mixture of Robbins (1970) for a sum with variance V, tuned to be narrowest about V = V*
(Howard et al., Ann. Statist. 49, 1055, 2021, eq. 14 and section 3.2); for estimates from many photons or dwells it is a
confidence sequence in the limit of many (Waudby-Smith et al., Ann. Statist. 52, 2613, 2024).
"""

from __future__ import annotations

import math


def sigmas(share: float, error: float) -> float:
    """Standard errors on either side that hold at every moment but for a chance of `error`.

    Args:
        share: information so far over the information aimed at, that is (error aimed at / standard error)**2 but for a
            factor that is the same all along. The interval is narrowest, relative to a fixed one, at 1.
        error: chance that the truth lies outside at any moment at all.
    """
    if not share > 0:
        return math.inf
    tuned = 1.0 / (-2 * math.log(error) + math.log(1 - 2 * math.log(error)))
    return math.sqrt((share + tuned) / share * math.log((share + tuned) / (tuned * error**2)))


def half_width(standard_error: float, target: float, error: float) -> float:
    """Half-width of the interval that may be watched, in the unit of the standard error; it is aimed at `target`."""
    if not standard_error > 0:
        return math.inf if standard_error != 0 else 0.0
    needed = target / sigmas(1.0, error)  # the standard error at which the aim is reached
    return standard_error * sigmas((needed / standard_error) ** 2, error)
