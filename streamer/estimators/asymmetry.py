"""Order of two photons: asymmetry of a cross-correlation about zero delay, and what a herald announces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.intervals import coin_interval

MIN_PAIRS = 20
MIN_HERALDS = 100


@dataclass(frozen=True, slots=True)
class Asymmetry:
    """Pairs after and before zero delay.

    Attributes:
        after, before: pairs in which b came later than a, and earlier.
        window_ns: distance from zero to which they were counted.
        contrast: (after - before) / (after + before): 0 where chance sets the order, 1 where a always comes first.
    """

    after: int
    before: int
    window_ns: float
    contrast: Estimate


def asymmetry(tau_ns: NDArray[np.float64], counts: NDArray[np.int64], window_ns: float) -> Asymmetry:
    """Asymmetry of the pairs within `window_ns` of zero delay, cw or the central peak of pulsed light.

    Given all these pairs, each is a coin that falls on one side of zero. Its limits are those of `coin_interval`. The
    bin that holds zero belongs to no side.

    Args:
        tau_ns: float64[n], centres of bins of one width, tau = t(b) - t(a), one of them 0.
        counts: int64[n], pairs per bin.
        window_ns: half a laser period at most, for pulsed light.
    """
    width = float(tau_ns[1] - tau_ns[0])
    inside = (np.abs(tau_ns) > width / 2) & (np.abs(tau_ns) < window_ns)
    after, before = int(counts[inside & (tau_ns > 0)].sum()), int(counts[inside & (tau_ns < 0)].sum())
    total = after + before
    if total < MIN_PAIRS:
        contrast = unknown(f"too few pairs: {total} within {window_ns:g} ns of zero, {MIN_PAIRS} needed")
    else:
        value = (after - before) / total
        low, high = (_contrast(float(limit)) for limit in coin_interval(after, before, 1.0))
        contrast = Estimate(value, float(np.sqrt(max(1 - value * value, 1 / total) / total)), low, high)
    return Asymmetry(after, before, float(window_ns), contrast)


def _contrast(odds: float) -> float:
    """(r - 1) / (r + 1) of a ratio that may be infinite."""
    return 1.0 - 2.0 / (odds + 1.0) if np.isfinite(odds) else 1.0


@dataclass(frozen=True, slots=True)
class Heralding:
    """How a click on a announces one on b, in the same laser pulse.

    Attributes:
        heralded: probability of a click on b given one on a; the losses of b are in it (Klyshko efficiency).
        unheralded: clicks on b per pulse whatever a did, from the side peaks.
    """

    heralded: Estimate
    unheralded: float | None


def heralding(central: int, side_mean: float, heralds: int) -> Heralding:
    """Heralding by pulsed light.

    Args:
        central: pairs of one pulse.
        side_mean: mean pairs per side peak.
        heralds: clicks on a over the same time.
    """
    if heralds < MIN_HERALDS:
        return Heralding(unknown(f"too few heralds: {heralds}, {MIN_HERALDS} needed"), None)
    kept = min(central, heralds)
    value = kept / heralds
    odds = coin_interval(kept, heralds - kept, 1.0)
    low, high = ((float(one) / (1 + float(one)) if np.isfinite(one) else 1.0) for one in odds)
    error = float(np.sqrt(max(value * (1 - value), 1 / heralds) / heralds))
    return Heralding(Estimate(value, error, low, high), side_mean / heralds)
