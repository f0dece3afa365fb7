"""Detectors of the simulated emitter: what of each band they see, their responses, their echoes; and expected counts.

A click is a photon, a dark count, an afterpulse or crosstalk. With q the afterpulse probabilities and C the matrix of
crosstalk, clicks T that crosstalk did not make and all clicks N obey T = P + q N and N = T + C^T T, where P are photons
and dark counts: exact while dead time takes none away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sources.simulation.settings import Settings, Values

# What holds where only the probability is given.
TAIL_NS, AFTERPULSE_NS, CROSSTALK_NS, CROSSTALK_SIGMA_PS = 0.5, 30.0, 5.0, 200.0


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """Arrays float64[detectors]; see `Settings` for what each is."""

    jitter_ps: NDArray[np.float64]
    jitter_tail: NDArray[np.float64]
    jitter_tail_ns: NDArray[np.float64]
    dark_cps: NDArray[np.float64]
    dead_ns: NDArray[np.float64]
    delay_ns: NDArray[np.float64]
    afterpulse: NDArray[np.float64]
    afterpulse_ns: NDArray[np.float64]
    crosstalk: NDArray[np.float64]
    crosstalk_ns: NDArray[np.float64]
    crosstalk_sigma_ps: NDArray[np.float64]


def detectors(settings: Settings) -> Detectors:
    """Of these settings, with values for what was left out."""

    def each(values: Values, otherwise: float) -> NDArray[np.float64]:
        return np.array(values or (otherwise,) * settings.detectors, np.float64)

    return Detectors(
        each(settings.jitter_ps, 0.0),
        each(settings.jitter_tail, 0.0),
        each(settings.jitter_tail_ns, TAIL_NS),
        each(settings.dark_cps, 0.0),
        each(settings.dead_ns, 0.0),
        each(settings.delay_ns, 0.0),
        each(settings.afterpulse, 0.0),
        each(settings.afterpulse_ns, AFTERPULSE_NS),
        each(settings.crosstalk, 0.0),
        each(settings.crosstalk_ns, CROSSTALK_NS),
        each(settings.crosstalk_sigma_ps, CROSSTALK_SIGMA_PS),
    )


def transmission(settings: Settings, bands: int) -> NDArray[np.float64]:
    """float64[detectors, bands]: probability that a collected photon of a band (X, BX, MX) is seen by a detector."""
    shares = np.array(settings.shares, np.float64)[:, None]
    if not settings.filters:
        return np.repeat(shares, bands, axis=1)
    filters = np.array(settings.filters, np.float64)
    missing = bands - filters.shape[1]  # bands that the emitter does not have
    return shares * np.pad(filters, ((0, 0), (0, max(0, missing))))[:, :bands]


def crosstalk_matrix(settings: Settings) -> NDArray[np.float64]:
    """float64[detectors, detectors]: probability that a click of the first makes the second click."""
    n = settings.detectors
    return detectors(settings).crosstalk[:, None] * (1 - np.eye(n)) / max(1, n - 1)


def own_clicks_cps(settings: Settings, photons_cps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected clicks per second of each detector that crosstalk did not make: those that can make crosstalk.

    Args:
        settings: of the detectors.
        photons_cps: float64[detectors].
    """
    here = detectors(settings)
    spread = np.eye(settings.detectors) + crosstalk_matrix(settings).T
    primary = photons_cps + here.dark_cps
    return np.asarray(np.linalg.solve(np.eye(settings.detectors) - here.afterpulse[:, None] * spread, primary))


def clicks_cps(settings: Settings, photons_cps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expected clicks per second of each detector from its photons, dark counts, afterpulses and crosstalk included.

    Args:
        settings: of the detectors.
        photons_cps: float64[detectors].
    """
    own = own_clicks_cps(settings, photons_cps)
    return np.asarray(own + crosstalk_matrix(settings).T @ own)
