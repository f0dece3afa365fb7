"""Pile-up: of the photons of a laser pulse only the first is recorded, so early ones hide later ones (Coates 1968)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

Floats = NDArray[np.float64]


def coates(counts: NDArray[np.int64], pulses: float) -> tuple[Floats, Floats]:
    """What would have been counted, had no photon hidden another: P. B. Coates, J. Phys. E 1, 878 (1968), eq. 5.

    A pulse is still waiting for its first photon in bin i unless it had one before; of those that wait, the share that
    gets one in bin i is 1 - exp(-light of the bin).

    Args:
        counts: int64[n], photons by nanotime in the order in which they reach the card, at most one per pulse.
        pulses: laser pulses within the time of the counts.

    Returns:
        float64[n] corrected counts and float64[n] their variances. The counts are as good as independent, as hazards
        are: each is known from the pulses that still wait in its bin.

    Raises:
        InputError: as many photons as pulses, or more.
    """
    counts = np.asarray(counts, np.float64)
    if counts.sum() >= pulses:
        raise InputError(
            f"pile-up: {counts.sum():.0f} photons cannot be the first of {pulses:.0f} laser pulses; more than one per "
            "pulse is recorded, so no pile-up is to be corrected"
        )
    waiting = pulses - np.concatenate([[0.0], np.cumsum(counts)[:-1]])
    share = counts / waiting
    # d(-log(1 - p)) = dp / (1 - p), with the binomial variance p (1 - p) / waiting.
    return -pulses * np.log1p(-share), pulses**2 * share / (waiting * (1 - share))


def first_photons(light: Floats, slopes: Floats, pulses: float) -> tuple[Floats, Floats]:
    """Expected first photons, and pulses without any, of pulses with this mean light per bin.

    Args:
        light: float64[n], expected photons of a pulse in successive bins.
        slopes: float64[k, n], derivatives of it.
        pulses: how many.

    Returns:
        float64[n + 1], the last entry being pulses that no photon was recorded of, which makes the whole a multinomial;
        its derivatives, float64[k, n + 1].
    """
    waiting = np.exp(-np.concatenate([[0.0], np.cumsum(light)]))
    bent = waiting[1:] * np.cumsum(slopes, axis=1)
    bent = np.concatenate([np.zeros((len(slopes), 1)), bent], axis=1)
    expected = np.append(-waiting[:-1] * np.expm1(-light), waiting[-1])
    return pulses * expected, pulses * np.concatenate([np.diff(bent, axis=1), -bent[:, -1:]], axis=1)
