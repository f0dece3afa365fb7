"""Lifetimes of short stretches of time, each from the mean nanotime of few photons, background and wrap corrected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.estimators.estimate import Z95

Floats = NDArray[np.float64]

LEAST_SIGNAL = 20.0  # photons above the background; of fewer the error is a quarter of the lifetime
GRID = 400  # lifetimes at which mean and variance are worked out
RANGE = (1e-4, 3.0)  # of them, in periods


@dataclass(frozen=True, slots=True, eq=False)
class SegmentLifetimes:
    """One entry per stretch; float64[n], NaN where nothing can be said.

    Attributes:
        tau_ns: lifetime.
        error_ns: its standard error.
        low_ns, high_ns: 95 % interval; infinite where it has no upper end.
        signal: photons above the background.
    """

    tau_ns: Floats
    error_ns: Floats
    low_ns: Floats
    high_ns: Floats
    signal: Floats


class MeanArrival:
    """Mean and variance of the time after the excitation, of an exponential wrapped into one period.

    The period is looked at from `early_ns` before the excitation on. Photons that come later than its end are counted
    earlier by whole periods: the mean is tau - P q / (1 - e), with e = exp(-P / tau), q = exp(-(P - early) / tau).

    Args:
        period_ns: laser period.
        early_ns: how much of it lies before the excitation.
        sigma_ns: standard deviation of the response, which adds to the variance and not to the mean.
    """

    def __init__(self, period_ns: float, early_ns: float, sigma_ns: float = 0.0) -> None:
        self.period, self.early = period_ns, early_ns
        self.tau = np.geomspace(RANGE[0] * period_ns, RANGE[1] * period_ns, GRID)
        once = -np.expm1(-period_ns / self.tau)
        late = np.exp(-(period_ns - early_ns) / self.tau)
        # Photons are wrapped by K periods, K geometric; after a wrap the time is exponential anew.
        self.mean = self.tau - period_ns * late / once
        each = late / once
        second = 2 * self.tau**2 - 2 * period_ns * each * (self.tau + period_ns / once - early_ns)
        second += period_ns**2 * late * (1 + np.exp(-period_ns / self.tau)) / once**2
        self.variance = np.maximum(second - self.mean**2, 1e-12 * period_ns**2) + sigma_ns**2

    def inverse(self, mean_ns: ArrayLike) -> Floats:
        """Lifetime of a mean, float64 like it; NaN where it is none's."""
        return np.interp(np.asarray(mean_ns, np.float64), self.mean, self.tau, left=np.nan, right=np.nan)


def segment_lifetimes(
    photons: NDArray[np.int64],
    sums_ns: Floats,
    background: Floats,
    period_ns: float,
    early_ns: float,
    sigma_ns: float = 0.0,
) -> SegmentLifetimes:
    """Lifetimes by the method of moments.

    The interval holds the lifetimes whose mean, with the variance that they themselves would have, is within 1.96
    standard errors of the one measured: the error of a lifetime grows with it, so the interval is not symmetric.

    Args:
        photons: int64[n], of all detectors.
        sums_ns: float64[n], summed times after the excitation, each within one period from `early_ns` before it.
        background: float64[n], photons expected of a constant background.
        period_ns, early_ns, sigma_ns: as for `MeanArrival`.
    """
    arrival = MeanArrival(period_ns, early_ns, sigma_ns)
    middle = period_ns / 2 - early_ns
    photons, background = np.asarray(photons, np.float64), np.asarray(background, np.float64)
    signal = photons - background
    told = signal >= LEAST_SIGNAL
    light = np.where(told, signal, 1.0)
    mean = (np.asarray(sums_ns, np.float64) - background * middle) / light
    tau = np.where(told, arrival.inverse(mean), np.nan)

    def spread(at: Floats) -> Floats:
        """Standard error of the mean of each stretch, were these its lifetimes."""
        one = np.interp(at, arrival.tau, arrival.mean)
        dark = background * (period_ns**2 / 12 + (middle - one) ** 2)
        square = light * np.interp(at, arrival.tau, arrival.variance) + np.maximum(dark, 0.0)
        out: Floats = np.sqrt(square) / light
        return out

    step = 1.01
    slope = (np.interp(tau * step, arrival.tau, arrival.mean) - mean) / (tau * (step - 1))
    error = spread(tau) / np.maximum(slope, 1e-12)
    ends = []
    for side in (1.0, -1.0):
        low, high = np.full(len(mean), arrival.tau[0]), np.full(len(mean), arrival.tau[-1])
        for _ in range(40):
            trial = np.sqrt(low * high)
            # How far above the lifetime's own mean the measured one is, in standard errors.
            above = (mean - np.interp(trial, arrival.tau, arrival.mean)) / spread(trial) > side * Z95
            low, high = np.where(above, trial, low), np.where(above, high, trial)
        ends.append(np.sqrt(low * high))
    unknown = ~np.isfinite(tau)
    endless = ends[1] > 0.999 * arrival.tau[-1]
    return SegmentLifetimes(
        tau,
        np.where(unknown, np.nan, error),
        np.where(unknown, np.nan, ends[0]),
        np.where(unknown, np.nan, np.where(endless, np.inf, ends[1])),
        signal,
    )
