"""Bias of maximum likelihood: how far a Poisson fit's best values lie off in the mean because its model is curved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def first_order_bias(
    model: Callable[[Floats], Floats], slopes: Callable[[Floats], Floats], values: Floats, covariance: Floats
) -> Floats:
    """Bias of the order 1 / counts, -1/2 C sum_i grad mu_i / mu_i tr(C Hess mu_i), C the covariance.

    Cox & Snell, J. R. Statist. Soc. B 30, 248 (1968), for independent Poisson counts of mean mu_i: of the third-order
    terms only the model's curvature is left. The curvature is taken over one standard error to either side.

    Args:
        model: parameters float64[k] -> expected counts float64[n], above 0.
        slopes: parameters -> derivatives float64[k, n].
        values: float64[k], the best.
        covariance: float64[k, k] of the estimates; rows of fixed parameters are 0.

    Returns:
        float64[k], to be taken off; 0 for fixed parameters.
    """
    here = model(values)
    sizes, axes = np.linalg.eigh(covariance)
    curved = np.zeros_like(here)
    for size, axis in zip(sizes, axes.T, strict=True):
        if size > 0:
            step = np.sqrt(size) * axis
            curved += model(values + step) + model(values - step) - 2 * here
    return np.asarray(-0.5 * covariance @ (slopes(values) @ (curved / np.maximum(here, 1e-12))))
