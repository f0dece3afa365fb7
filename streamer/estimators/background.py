"""Background in g2: what an uncorrelated share of the counts adds, taken off with its own error.

    g_true = 1 + (g_meas - 1) / rho,    rho = <s_a s_b> / <r_a r_b>

with r the counts and s those of the signal; for steady light rho is the product of both detectors' signal shares
(Brouri et al., Opt. Lett. 25, 1294, 2000). Where the light blinks, pairs come from its bright times, in which the
background is a smaller part than on average: the mean of the product counts, not the product of means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.estimators.estimate import Z95, Estimate, unknown

LEAST_SHARE = 0.01  # of the pairs that are signal: below it the correction is a hundredfold, and all error


@dataclass(frozen=True, slots=True)
class SignalShare:
    """Share of the pairs of different photons in which both are signal, and its standard error."""

    value: float
    error: float


def signal_share(
    rates_cps: tuple[float, float],
    background_cps: tuple[float, float],
    errors_cps: tuple[float, float] = (0.0, 0.0),
    product_cps2: float | None = None,
) -> SignalShare | str:
    """Share of the pairs that are of signal alone, or why it cannot be told.

    Args:
        rates_cps: mean counts/s of the detectors in the state, background included.
        background_cps: of them, constant and without correlation to anything.
        errors_cps: standard errors of the background.
        product_cps2: mean of the product of both rates, which is above the product of means where they vary together;
            None: steady light.
    """
    (a, b), (dark_a, dark_b) = rates_cps, background_cps
    product = a * b if product_cps2 is None else product_cps2
    if a <= 0 or b <= 0 or not product > 0:
        return "no photons on one of the detectors"
    value = 1.0 - (dark_a * b + dark_b * a - dark_a * dark_b) / product
    if dark_a >= a or dark_b >= b or value < LEAST_SHARE:
        dark, seen = f"{dark_a:.4g} and {dark_b:.4g}", f"{a:.4g} and {b:.4g}"
        return f"the background of {dark} counts/s is nearly all of what is counted ({seen})"
    return SignalShare(value, math.hypot((b - dark_b) * errors_cps[0], (a - dark_a) * errors_cps[1]) / product)


def without_background(
    g2: float | None, low: float | None, high: float | None, share: SignalShare | str, reason: str | None = None
) -> Estimate:
    """g2 of the signal alone; the interval joins that of the pairs with the error of the background.

    The ends are those of the measured interval, corrected, drawn out by what the share's error adds (MOVER: Zou &
    Donner, Biometrics 64, 2008). Value and lower end may lie below 0, by noise.

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
    spread = Z95 * abs(value - 1.0) * share.error / share.value
    lower = value - math.hypot((g2 - low) / share.value, spread)
    upper = value + math.hypot((high - g2) / share.value, spread)
    if upper < 0:
        return unknown("fewer pairs at zero delay than the background alone would make: there is less of it than said")
    return Estimate(value, None, lower, upper)
