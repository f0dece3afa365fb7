"""Two-sided exponential exp(-|t|/tau), blurred by a Gaussian, as bins see it: the shape of dips and of pulsed peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

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
    # Each product of a large exponential and a small tail is formed in the exponent.
    rising = np.exp(0.5 * s * s + u * s + log_ndtr(-u - s))
    falling = np.exp(0.5 * s * s - u * s + log_ndtr(u - s))
    return np.asarray(ndtr(u) + 0.5 * (rising - falling))


def mean_over_bins(edges: Floats, tau: float, sigma: float) -> Floats:
    """Mean of exp(-|t|/tau), blurred, over each bin; float64[n] from edges float64[n + 1]."""
    return np.asarray(2.0 * tau * np.diff(below(edges, tau, sigma)) / np.diff(edges))
