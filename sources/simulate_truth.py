"""Exact expected values of a simulated emitter: rates, delays and g2(0) from its settings, nothing drawn.

A pulse excites m pairs, Poisson with mean nbar. m = 1 gives an exciton photon with probability eta_x; m >= 2 a
biexciton photon with eta_bx and, after the biexciton's decay, an exciton photon with eta_x. With P1 and P2 the
probabilities of m = 1 and m >= 2, a pulse gives on average eta_c (P1 eta_x + P2 (eta_x + eta_bx)) detected photons and
2 s (1 - s) eta_c**2 P2 eta_x eta_bx pairs across a beam splitter of share s (the rate phi_1 of Dhawan et al. and its
second moment). For nbar -> 0 their ratio, g2(0), tends to eta_bx / eta_x (Nair et al., Nano Lett. 2011).
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from sources.simulate_settings import COHERENT, EXPONENTIAL, Dwell, Settings, State
from streamer.errors import InputError

GATES_NS = (0.0, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)
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


def rate_cps(settings: Settings, state: State) -> float:
    """Expected counts per second of both detectors, dark counts included, dead time neglected."""
    pulses_per_s = 1e15 / settings.period_fs
    return emitted(settings, state)[0] * settings.eta_c * pulses_per_s + sum(settings.dark_cps)


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
    for part, dark in zip((settings.split, 1 - settings.split), settings.dark_cps, strict=True):
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


def mean_rate_cps(settings: Settings, shares: list[float]) -> float:
    """Expected counts per second over all states, dead time neglected."""
    return sum(share * rate_cps(settings, state) for share, state in zip(shares, settings.states, strict=True))


def all_g2_zero(settings: Settings, shares: list[float]) -> float | None:
    """g2(0) of all photons together against side peaks at lags much shorter than a dwell, dark counts included.

    Within one dwell both photons see the same state, so the side peaks average the squared rates: they do not
    show the blinking and this is the mean of the states' ratios weighted by their side pairs.
    """
    central = side = 0.0
    for share, state in zip(shares, settings.states, strict=True):
        mean = emitted(settings, state)[0] * settings.eta_c
        parts = (settings.split, 1 - settings.split)
        dark = [rate * settings.period_fs / 1e15 for rate in settings.dark_cps]
        pairs = (mean * parts[0] + dark[0]) * (mean * parts[1] + dark[1])
        g2 = g2_zero_with_background(settings, state)
        side += share * pairs
        central += share * pairs * (1.0 if g2 is None else g2)
    return central / side if side > 0 else None


def with_rate(settings: Settings, rate: float, free: str) -> Settings:
    """Settings whose long-run mean rate is `rate` counts/s, dark counts included, dead time neglected.

    Args:
        settings: what else holds.
        rate: counts/s of both detectors together.
        free: "eta_c" (nbar stays), "nbar" (eta_c stays) or "both": eta_c first, and nbar where eta_c = 1 is too little.

    Raises:
        InputError: no value of what is free gives this rate.
    """
    shares = expected_time_shares(settings)
    dark = sum(settings.dark_cps)
    if free != "nbar":
        full = mean_rate_cps(replace(settings, eta_c=1.0), shares) - dark
        if 0 < rate - dark <= full:
            return replace(settings, eta_c=(rate - dark) / full)
        if free == "both" and rate > dark:
            return with_rate(replace(settings, eta_c=1.0), rate, "nbar")
        highest, remedy = full + dark, "raise nbar or rate_hz, or lower dark_cps"
    else:

        def excess(log_nbar: float) -> float:
            return mean_rate_cps(replace(settings, nbar=math.exp(log_nbar)), shares) - rate

        from scipy.optimize import brentq

        low, high = math.log(1e-12), math.log(50.0)
        if excess(low) < 0 <= excess(high):
            return replace(settings, nbar=math.exp(brentq(excess, low, high, xtol=1e-12)))
        highest, remedy = excess(high) + rate, "raise eta_c, the yields or rate_hz, or lower dark_cps"
    raise InputError(
        f"simulate: rate must be above the dark counts of {dark:g}/s and at most {highest:.6g}/s, which the other "
        f"settings allow, got {rate:g}; {remedy}"
    )


def state_names(rates: list[float]) -> list[str]:
    """Names by rate: steady; dark, bright; dark, grey, bright; dark, grey 1, grey 2, ..., bright."""
    n = len(rates)
    greys = ["grey"] if n == 3 else [f"grey {at}" for at in range(1, n - 1)]
    names = ["steady"] if n == 1 else ["dark", *greys, "bright"]
    order = sorted(range(n), key=lambda at: (rates[at], at))
    return [names[order.index(at)] for at in range(n)]


def _law(dwell: Dwell) -> dict[str, Any]:
    """A dwell law with its own parameters only."""
    if dwell.law == EXPONENTIAL:
        return {"law": dwell.law, "mean_s": dwell.mean_s}
    return asdict(dwell) | {"mean_s": dwell.mean()}


def truth(settings: Settings, time_shares: list[float] | None) -> dict[str, Any]:
    """What the stream is made from and what it should show, as plain JSON.

    Args:
        settings: of the stream.
        time_shares: realised share of time per state over the whole stream, where it is known beforehand.

    Returns:
        Every parameter, and per state (in the settings' order) `name`, `rate_cps` (dark counts included, dead time
        neglected), `lifetime_ns` (tau_x), `mean_arrival_ns` (after the excitation, signal, before jitter), `g2_0`
        (signal), `g2_0_with_background`, `g2_0_observed` (also with peaks that overlap), `g2_0_gated` (pairs of gate
        in ns and g2_0), `wrapped_share` (delay above a period), `time_share_expected` and `time_share` (None when not
        known); `all` has the mean rate and g2(0) of all photons.
    """
    expected = expected_time_shares(settings)
    shares = expected if time_shares is None else time_shares
    rates = [rate_cps(settings, state) for state in settings.states]
    names = state_names(rates)
    data = asdict(settings)
    data |= {
        "duration_s": settings.duration_s if math.isfinite(settings.duration_s) else None,
        "transition": transition_matrix(settings).tolist(),
        "rate_hz": 1e15 / settings.period_fs,
        "period_ns": settings.period_fs / 1e6,
        "resolution_ps": settings.resolution_fs / 1e3,
        "states": [
            {
                "name": names[at],
                "eta_x": state.eta_x,
                "tau_x_ns": state.tau_x_ns,
                "eta_bx": state.eta_bx,
                "tau_bx_ns": state.tau_bx_ns,
                "dwell": _law(state.dwell) if len(names) > 1 else None,
                "rate_cps": rates[at],
                "lifetime_ns": state.tau_x_ns,
                "mean_arrival_ns": mean_delay_ns(settings, state),
                "g2_0": g2_zero(settings, state),
                "g2_0_with_background": g2_zero_with_background(settings, state),
                "g2_0_observed": g2_zero_observed(settings, state),
                "g2_0_gated": [[gate, g2_zero_gated(settings, state, gate)] for gate in GATES_NS],
                "wrapped_share": late_share(settings, state, settings.period_fs / 1e6 - settings.t0_ns),
                "time_share_expected": expected[at],
                "time_share": None if time_shares is None else time_shares[at],
            }
            for at, state in enumerate(settings.states)
        ],
        "all": {"rate_cps": mean_rate_cps(settings, shares), "g2_0_with_background": all_g2_zero(settings, shares)},
    }
    data["jitter_ps"], data["dark_cps"] = list(settings.jitter_ps), list(settings.dark_cps)
    data["dead_ns"], data["delay_ns"] = list(settings.dead_ns), list(settings.delay_ns)
    return data
