"""What a threshold of the change points means: false changes of steady light, and how long a true one takes to find.

The statistic of streamer.change_points depends, under a constant rate, on the numbers of photons alone: a time and a
rate cancel. One simulation therefore serves every rate; `python -m benchmarks.change_points --calibrate` repeats it.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq

from streamer.errors import InputError

# log(false changes per photon) = -h + LEVEL - BEND / h - SHORT * h / photons**POWER, within 10 % of the simulation from
# h = 5 to 16.
LEVEL, BEND, SHORT, POWER = 1.95, 5.7, 0.45, 0.55
LEAST_THRESHOLD = 5.0  # below it the formula was not tried
LUCK = 1.0  # of the statistic: the best of many candidates lies above that of the true change


def false_alarms(threshold: float, photons: float = math.inf) -> float:
    """False changes per photon of steady light at a threshold of the statistic.

    Args:
        threshold: 5 or more.
        photons: steady ones in the longest segment; fewer make fewer false changes.
    """
    _check(threshold)
    short = SHORT * threshold / photons**POWER
    return math.exp(-threshold + LEVEL - BEND / threshold - short)


def threshold_of(per_photon: float) -> float:
    """Inverse of `false_alarms` for long segments; InputError above some 1 in 75 photons."""
    if not 0 < per_photon <= false_alarms(LEAST_THRESHOLD):
        raise InputError(
            f"false_alarms: must be above 0 and at most {1000 * false_alarms(LEAST_THRESHOLD):.3g} per 1000 photons, "
            f"got {1000 * per_photon:g}; choose fewer"
        )
    b = LEVEL - math.log(per_photon)
    return (b + math.sqrt(b * b - 4 * BEND)) / 2


def detection_delay(threshold: float, contrast: float, photons: float = math.inf) -> float | None:
    """Photons after a change of the rate until it is found, on average; None where it is not found.

    The statistic of the true change grows by the Kullback-Leibler divergence of a photon's waiting time per photon
    (Lorden, Ann. Math. Stat. 42, 1897, 1971), less because the rate before is only known from its photons.

    Args:
        threshold: of the statistic.
        contrast: rate after over rate before, above 0 and not 1.
        photons: before the change, in its segment.

    Raises:
        InputError: a contrast that is none.
    """
    _check(threshold)
    if not (0 < contrast < math.inf) or contrast == 1:
        raise InputError(f"contrast: must be above 0 and not 1, got {contrast}; give the ratio of the rates")
    goal = threshold - LUCK

    def statistic(after: float) -> float:
        if math.isinf(photons):
            return after * (math.log(contrast) - 1 + 1 / contrast)
        time, n = photons + after / contrast, photons + after
        return after * math.log(contrast) - n * math.log(n / time)

    most = 1e15
    if statistic(most) < goal:
        return None
    return float(brentq(lambda after: statistic(after) - goal, 0.0, most, xtol=1e-6))


def _check(threshold: float) -> None:
    if not threshold >= LEAST_THRESHOLD or not np.isfinite(threshold):
        raise InputError(f"threshold: must be {LEAST_THRESHOLD:g} or more, got {threshold}; raise it")


def misfiled(contrast: float) -> tuple[float, float]:
    """Photons at a change that go to the wrong side, on average: (brighter ones to the dim, dim ones to the brighter).

    A place is found to within some photons, whatever the threshold: in the limit of small contrasts to a number over
    the Kullback-Leibler divergence. Twice what was seen in simulations of contrasts from 1.2 to 20, for the dwells that
    are too short to be found at all.

    Args:
        contrast: rate of the brighter over that of the dim side, above 1.
    """
    up, down = math.log(contrast) - 1 + 1 / contrast, contrast - 1 - math.log(contrast)
    root = math.sqrt(contrast)
    return 1.6 / (up * root), 1.6 * root / down
