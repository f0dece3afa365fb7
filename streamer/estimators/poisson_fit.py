"""Maximum likelihood for Poisson counts: Fisher scoring, damped so that it always goes uphill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Model = Callable[[Floats], tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Parameters float64[k], their covariance float64[k, k], the log-likelihood (up to a constant), and success."""

    values: Floats
    covariance: Floats
    likelihood: float
    converged: bool


def poisson_fit(
    model: Model,
    counts: Floats,
    start: Floats,
    most_step: Floats,
    prior: Floats | None = None,
    steps: int = 40,
    gain: float = 1e-4,
) -> Fit:
    """Fit expected counts to Poisson counts.

    Args:
        model: parameters float64[k] -> expected counts float64[n] and their derivatives float64[k, n].
        counts: float64[n].
        start: float64[k].
        most_step: float64[k], no step goes further.
        prior: float64[k], precision of a Gaussian prior centred on `start`; 0 for none.
        steps: most steps.
        gain: of log-likelihood in one undamped step at which it has converged.
    """
    weight = np.zeros_like(start) if prior is None else prior

    def objective(values: Floats, expected: Floats) -> float:
        fit = np.sum(expected - counts * np.log(np.maximum(expected, 1e-300)))
        return float(fit + 0.5 * np.sum(weight * (values - start) ** 2))

    values = start.astype(float)
    expected, slopes = model(values)
    height, damping, converged = objective(values, expected), 1e-3, False
    for _ in range(steps):
        per_count = 1.0 / np.maximum(expected, 1e-12)
        gradient = slopes @ (1.0 - counts * per_count) + weight * (values - start)
        information = (slopes * per_count) @ slopes.T + np.diag(weight)
        scale = np.diag(np.diag(information) + 1e-12)
        while damping < 1e8:
            step = -np.linalg.solve(information + (damping + 1e-12) * scale, gradient)
            trial = values + np.clip(step, -most_step, most_step)
            with np.errstate(all="ignore"):  # a step too far may leave what a float holds; it is not taken
                there, bent = model(trial)
                low = objective(trial, there)
            if low <= height + 1e-9:
                break
            damping = max(8 * damping, 1e-3)
        else:
            break
        converged = height - low < gain and damping < 1
        values, expected, slopes, height, damping = trial, there, bent, low, damping / 10
        if converged:
            break
    information = (slopes / np.maximum(expected, 1e-12)) @ slopes.T + np.diag(weight)
    covariance = np.asarray(np.linalg.pinv(information, hermitian=True), np.float64)
    return Fit(values, covariance, -height, converged)
