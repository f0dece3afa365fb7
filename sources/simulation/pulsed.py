"""Exact expected values of the plain pulsed dot: delays and g2(0) from its settings, nothing drawn.

A pulse excites m pairs, Poisson with mean nbar. m = 1 gives an exciton photon with probability eta_x; m >= 2 a
biexciton photon with eta_bx and, after the biexciton's decay, an exciton photon with eta_x. With P1 and P2 the
probabilities of m = 1 and m >= 2, a pulse gives on average eta_c (P1 eta_x + P2 (eta_x + eta_bx)) detected photons and
2 s (1 - s) eta_c**2 P2 eta_x eta_bx pairs across a beam splitter of share s (the rate phi_1 of Dhawan et al. and its
second moment). For nbar -> 0 their ratio, g2(0), tends to eta_bx / eta_x (Nair et al., Nano Lett. 2011).
"""

from __future__ import annotations

import math

from sources.simulation.parts import State
from sources.simulation.settings import COHERENT, Settings

SIDE_PEAKS = 10


def excitation(nbar: float) -> tuple[float, float]:
    """Probabilities of exactly one and of two or more excitations in a pulse, Poisson with mean `nbar`."""
    one = nbar * math.exp(-nbar)
    return one, max(0.0, -math.expm1(-nbar) - one)


def emitted(settings: Settings, state: State) -> tuple[float, float]:
    """Photons and ordered photon pairs (biexciton, exciton) that a pulse gives on average, before any loss."""
    if settings.model == COHERENT:
        mean = settings.nbar * state.eta_x
        return mean, mean * mean / 2
    one, more = excitation(settings.nbar)
    return one * state.eta_x + more * (state.eta_x + state.eta_bx), more * state.eta_x * state.eta_bx


def delays(settings: Settings, state: State) -> list[tuple[float, float]]:
    """(weight, lifetime ns) of the exponentials in the survival function of a detected photon's delay.

    The weights sum to 1. An exciton photon after a biexciton is late by the sum of two exponential times, whose
    survival is (tau_x e(-t/tau_x) - tau_bx e(-t/tau_bx)) / (tau_x - tau_bx): one weight is negative.
    """
    if settings.model == COHERENT:
        return [(1.0, state.tau_x_ns)]
    mean, _ = emitted(settings, state)
    if mean == 0:
        return [(1.0, state.tau_x_ns)]
    one, more = excitation(settings.nbar)
    tau_x, tau_bx = state.tau_x_ns, state.tau_bx_ns
    if abs(tau_x - tau_bx) < 1e-5 * tau_x:
        tau_bx = tau_x * (1 - 1e-5)  # keeps the two weights finite; moves the mean by 1e-5
    cascade = more * state.eta_x / (tau_x - tau_bx)
    weight_x = one * state.eta_x + cascade * tau_x
    weight_bx = more * state.eta_bx - cascade * tau_bx
    return [(weight_x / mean, tau_x), (weight_bx / mean, tau_bx)]


def late_share(settings: Settings, state: State, delay_ns: float) -> float:
    """Share of the detected signal photons with a delay above `delay_ns` after the excitation (before jitter)."""
    return sum(weight * math.exp(-delay_ns / tau) for weight, tau in delays(settings, state))


def mean_delay_ns(settings: Settings, state: State) -> float:
    """Mean delay of a detected signal photon after the excitation, cascade included, before jitter and wrapping."""
    return sum(weight * tau for weight, tau in delays(settings, state))


def g2_zero(settings: Settings, state: State) -> float | None:
    """Pairs of the same pulse over pairs of different pulses, signal alone; None when nothing is emitted."""
    mean, pairs = emitted(settings, state)
    return 2 * pairs / mean**2 if mean > 0 else None


def g2_zero_gated(settings: Settings, state: State, gate_ns: float) -> float | None:
    """g2(0) of the signal photons later than `gate_ns` after the excitation; None when there are none.

    The exciton photon always comes after the biexciton photon, so the pair stays when the biexciton photon does.
    """
    g2 = g2_zero(settings, state)
    if g2 is None or settings.model == COHERENT:
        return g2
    side = late_share(settings, state, gate_ns) ** 2
    return g2 * math.exp(-gate_ns / state.tau_bx_ns) / side if side > 0 else None


def signal_share(settings: Settings, state: State) -> float:
    """Share of the pairs of different pulses in which both photons are signal (rho_0 rho_1 of the two detectors)."""
    mean = emitted(settings, state)[0] * settings.eta_c
    shares = []
    for part, dark in zip(settings.shares, settings.dark_cps, strict=True):
        signal, background = mean * part, dark * settings.period_fs / 1e15
        shares.append(signal / (signal + background) if signal > 0 else 0.0)
    return shares[0] * shares[1]


def g2_zero_with_background(settings: Settings, state: State) -> float | None:
    """Central over side ratio with dark counts: 1 + rho_0 rho_1 (g2 - 1)."""
    g2 = g2_zero(settings, state)
    return None if g2 is None else 1 + signal_share(settings, state) * (g2 - 1)


def g2_zero_observed(settings: Settings, state: State, side_peaks: int = SIDE_PEAKS) -> float | None:
    """Central over mean side ratio when pairs go to the nearest lag, after the cable delay is taken out.

    Photons slower than half a period spill from one peak into the next, the pairs of a cascade otherwise than those
    of different pulses. Of the second kind a share w(k) lies k peaks away, of the first v(k); every peak holds
    1 + rho (g2 v(k) - w(k)). Jitter is neglected.
    """
    g2 = g2_zero(settings, state)
    if g2 is None:
        return None
    parts, period = delays(settings, state), settings.period_fs / 1e6

    def independent(reach: float) -> float:  # P(|difference| > reach) of two photons of different pulses
        return 2 * sum(a * b * t / (t + u) * math.exp(-reach / t) for a, t in parts for b, u in parts)

    def cascade(reach: float) -> float:
        return independent(reach) if settings.model == COHERENT else math.exp(-reach / state.tau_x_ns)

    def peak(lag: int) -> float:
        outer = (lag + 0.5) * period
        if lag == 0:
            w, v = 1 - independent(outer), 1 - cascade(outer)
        else:
            inner = outer - period
            w, v = (independent(inner) - independent(outer)) / 2, (cascade(inner) - cascade(outer)) / 2
        return 1 + signal_share(settings, state) * (g2 * v - w)

    return peak(0) * side_peaks / sum(peak(lag) for lag in range(1, side_peaks + 1))


def all_g2_zero(settings: Settings, shares: list[float]) -> float | None:
    """g2(0) of all photons together against side peaks at lags much shorter than a dwell, dark counts included.

    Within one dwell both photons see the same state, so the side peaks average the squared rates: they do not
    show the blinking and this is the mean of the states' ratios weighted by their side pairs.
    """
    central = side = 0.0
    for share, state in zip(shares, settings.states, strict=True):
        mean = emitted(settings, state)[0] * settings.eta_c
        parts = settings.shares
        dark = [rate * settings.period_fs / 1e15 for rate in settings.dark_cps]
        pairs = (mean * parts[0] + dark[0]) * (mean * parts[1] + dark[1])
        g2 = g2_zero_with_background(settings, state)
        side += share * pairs
        central += share * pairs * (1.0 if g2 is None else g2)
    return central / side if side > 0 else None
