"""Background in g2: what an uncorrelated share of the counts adds, taken off with its own error.

    g_true = 1 + (g_meas - 1) / (rho_a rho_b)

with rho the signal's share of a detector's counts (Brouri et al., Opt. Lett. 25, 1294, 2000, where both are alike).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.estimators.estimate import Estimate, unknown

LEAST_SHARE = 0.1  # of signal: below it the correction is a hundredfold, and all error


@dataclass(frozen=True, slots=True)
class SignalShare:
    """Share of the pairs of different photons in which both are signal, and its standard error."""

    value: float
    error: float


def signal_share(
    rates_cps: tuple[float, float], background_cps: tuple[float, float], errors_cps: tuple[float, float] = (0.0, 0.0)
) -> SignalShare | str:
    """rho_a rho_b of two detectors, or why it cannot be told.

    Args:
        rates_cps: counts/s of the detectors in the state, background included.
        background_cps: of them, without correlation to anything.
        errors_cps: standard errors of the background.
    """
    shares, spread = [], 0.0
    for rate, background, error in zip(rates_cps, background_cps, errors_cps, strict=True):
        if rate <= 0:
            return "no photons on one of the detectors"
        share = 1.0 - background / rate
        if share < LEAST_SHARE:
            return f"the background of {background:.4g} counts/s is nearly all of the {rate:.4g} that were counted"
        shares.append(share)
        spread += (error / rate / share) ** 2
    value = shares[0] * shares[1]
    return SignalShare(value, value * math.sqrt(spread))


def without_background(
    g2: float | None, low: float | None, high: float | None, share: SignalShare | str, reason: str | None = None
) -> Estimate:
    """g2 of the signal alone; the interval joins that of the pairs with the error of the background.

    The ends are those of the measured interval, corrected, drawn out by what the share's error adds (MOVER: Zou &
    Donner, Biometrics 64, 2008). The value may lie below 0, by noise; the interval is cut there.

    Args:
        g2, low, high: as measured, with the 95 % interval; None where there is none.
        share: `signal_share`.
        reason: why there is no g2.
    """
    if g2 is None or low is None or high is None:
        return unknown(reason or "no g2(0)")
    if isinstance(share, str):
        return unknown(share)
    value = 1.0 + (g2 - 1.0) / share.value
    spread = 1.959964 * abs(value - 1.0) * share.error / share.value
    lower = value - math.hypot((g2 - low) / share.value, spread)
    upper = value + math.hypot((high - g2) / share.value, spread)
    return Estimate(value, None, max(0.0, lower), max(0.0, upper))
