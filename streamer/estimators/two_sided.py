"""Two-sided exponential exp(-|t|/tau), blurred by a Gaussian, as bins see it: the shape of dips and of pulsed peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

Floats = NDArray[np.float64]


def below(t: Floats, tau: float, sigma: float) -> Floats:
    """Share of a normalised two-sided exponential, convolved with a Gaussian, that lies below t; float64[n].

    Args:
        t: float64[n], in the unit of `tau`.
        tau: decay time, above 0.
        sigma: standard deviation of the Gaussian; 0 for none.
    """
    if sigma <= 0:
        half = 0.5 * np.exp(-np.abs(t) / tau)
        return np.where(t < 0, half, 1.0 - half)
    u, s = t / sigma, sigma / tau
    return np.asarray(ndtr(u) + 0.5 * (_tail(u, s) - _tail(-u, s)))


def _tail(u: Floats, s: float) -> Floats:
    """exp(s^2/2 + u s) times the Gaussian's share above u + s, without overflow."""
    far, tail = u + s, np.empty_like(u)
    right = far >= 0
    tail[right] = 0.5 * np.exp(-0.5 * u[right] ** 2) * erfcx(far[right] / np.sqrt(2))
    tail[~right] = np.exp(s * (0.5 * s + u[~right])) * ndtr(-far[~right])
    return tail


def mean_over_bins(edges: Floats, tau: float, sigma: float) -> Floats:
    """Mean of exp(-|t|/tau), blurred, over each bin; float64[n] from edges float64[n + 1]."""
    return np.asarray(2.0 * tau * np.diff(below(edges, tau, sigma)) / np.diff(edges))
