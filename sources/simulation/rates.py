"""Expected rates of a simulated emitter: of its states, of its detectors, in the long run; and settings for a rate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sources.simulation import cascade, cw, pulsed
from sources.simulation.detectors import clicks_cps
from sources.simulation.parts import State
from sources.simulation.settings import CW, MOST_THERMAL, THERMAL, Settings
from streamer.errors import InputError


def transition_matrix(settings: Settings) -> np.ndarray:
    """float64[states, states] of next-state probabilities; uniformly among the others unless they are given."""
    n = len(settings.states)
    if settings.transition:
        return np.array(settings.transition, np.float64)
    return (np.ones((n, n)) - np.eye(n)) / max(1, n - 1)


def expected_time_shares(settings: Settings) -> list[float]:
    """Share of time in each state in the long run: stationary law of the jumps times the mean dwell."""
    n = len(settings.states)
    if n == 1:
        return [1.0]
    jumps = np.vstack([transition_matrix(settings).T - np.eye(n), np.ones(n)])
    visits = np.linalg.lstsq(jumps, np.append(np.zeros(n), 1.0), rcond=None)[0]
    weights = np.clip(visits, 0, None) * [state.dwell.mean() for state in settings.states]
    return [float(share) for share in weights / weights.sum()]


def photons_cps(settings: Settings, state: State) -> NDArray[np.float64]:
    """float64[detectors]: expected photons per second that each detector sees."""
    if settings.excitation == CW:
        return cw.bands_cps(settings, state).sum(axis=1)
    return cascade.counts(settings, state) * 1e15 / settings.period_fs


def channels_cps(settings: Settings, state: State) -> list[float]:
    """Expected counts per second of each detector, dark counts and echoes included, dead time neglected."""
    return [float(rate) for rate in clicks_cps(settings, photons_cps(settings, state))]


def dark_cps(settings: Settings) -> float:
    """Expected counts per second of all detectors without light, their echoes included."""
    if settings.extended:
        return float(clicks_cps(settings, np.zeros(settings.detectors)).sum())
    return sum(settings.dark_cps)


def rate_cps(settings: Settings, state: State) -> float:
    """Expected counts per second of all detectors, dark counts included, dead time neglected."""
    if settings.extended:
        return sum(channels_cps(settings, state))
    pulses_per_s = 1e15 / settings.period_fs
    return pulsed.emitted(settings, state)[0] * settings.eta_c * pulses_per_s + sum(settings.dark_cps)


def mean_rate_cps(settings: Settings, shares: list[float]) -> float:
    """Expected counts per second over all states, dead time neglected."""
    return sum(share * rate_cps(settings, state) for share, state in zip(shares, settings.states, strict=True))


def with_rate(settings: Settings, rate: float, free: str) -> Settings:
    """Settings whose long-run mean rate is `rate` counts/s, dark counts included, dead time neglected.

    Args:
        settings: what else holds.
        rate: counts/s of both detectors together.
        free: "eta_c" (nbar stays), "nbar" (eta_c stays) or "both": eta_c first, and nbar where eta_c = 1 is too little.
            Under cw light it is always eta_c.

    Raises:
        InputError: no value of what is free gives this rate.
    """
    shares = expected_time_shares(settings)
    dark = dark_cps(settings)
    if settings.excitation == CW:
        free = "eta_c"
    if free != "nbar":
        full = mean_rate_cps(replace(settings, eta_c=1.0), shares) - dark
        if 0 < rate - dark <= full:
            return replace(settings, eta_c=(rate - dark) / full)
        if free == "both" and rate > dark:
            return with_rate(replace(settings, eta_c=1.0), rate, "nbar")
        light = "pump_per_us" if settings.excitation == CW else "nbar or rate_hz"
        highest, remedy = full + dark, f"raise {light}, or lower dark_cps"
    else:

        def excess(log_nbar: float) -> float:
            return mean_rate_cps(replace(settings, nbar=math.exp(log_nbar)), shares) - rate

        from scipy.optimize import brentq

        low, high = math.log(1e-12), math.log(50.0)
        if settings.model == THERMAL:
            high = min(high, math.log(MOST_THERMAL * settings.modes))
        if excess(low) < 0 <= excess(high):
            return replace(settings, nbar=math.exp(brentq(excess, low, high, xtol=1e-12)))
        highest, remedy = excess(high) + rate, "raise eta_c, the yields or rate_hz, or lower dark_cps"
    raise InputError(
        f"simulate: rate must be above the dark counts of {dark:g}/s and at most {highest:.6g}/s, which the other "
        f"settings allow, got {rate:g}; {remedy}"
    )
