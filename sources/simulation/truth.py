"""Truth of a simulated stream: what it is made from and what it should show, exact, nothing drawn."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from sources.simulation import pulsed
from sources.simulation import truth_extended as extended
from sources.simulation.changes import bleached_s, mean_factors
from sources.simulation.parts import EXPONENTIAL, Dwell, State
from sources.simulation.rates import expected_time_shares, mean_rate_cps, rate_cps, transition_matrix
from sources.simulation.settings import CW, Settings, new_fields

GATES_NS = (0.0, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)


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


def _plain(value: Any) -> Any:
    """The same with lists for tuples, as it comes back from JSON."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _expected(settings: Settings, state: State) -> dict[str, Any]:
    """What a state of the plain dot shows."""
    return {
        "mean_arrival_ns": pulsed.mean_delay_ns(settings, state),
        "g2_0": pulsed.g2_zero(settings, state),
        "g2_0_with_background": pulsed.g2_zero_with_background(settings, state),
        "g2_0_observed": pulsed.g2_zero_observed(settings, state),
        "g2_0_gated": [[gate, pulsed.g2_zero_gated(settings, state, gate)] for gate in GATES_NS],
        "wrapped_share": pulsed.late_share(settings, state, settings.period_fs / 1e6 - settings.t0_ns),
    }


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
        known); `all` has the mean rate and g2(0) of all photons. An extended emitter (see `Settings.extended`) has
        its g2 of channels 0 and 1 there, and besides what `truth_extended` tells. Everything holds before
        bleaching and where the drifts' factors are 1; `drift_mean_factors` are their means over the stream, and
        `bleached_s` is when the dot bleaches, where that is known beforehand.
    """
    expected = expected_time_shares(settings)
    shares = expected if time_shares is None else time_shares
    rates = [rate_cps(settings, state) for state in settings.states]
    names = state_names(rates)
    data = asdict(settings)
    for name, default in new_fields().items():
        if not settings.extended and getattr(settings, name) == default:
            del data[name]
    is_cw = settings.excitation == CW
    show = extended.expected if settings.extended else _expected
    data |= {
        "duration_s": settings.duration_s if math.isfinite(settings.duration_s) else None,
        "transition": transition_matrix(settings).tolist(),
        "rate_hz": None if is_cw else 1e15 / settings.period_fs,
        "period_ns": None if is_cw else settings.period_fs / 1e6,
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
                **show(settings, state),
                "time_share_expected": expected[at],
                "time_share": None if time_shares is None else time_shares[at],
            }
            for at, state in enumerate(settings.states)
        ],
        "all": {"rate_cps": mean_rate_cps(settings, shares)},
    }
    if settings.extended:
        factors = mean_factors(settings)
        data["drift_mean_factors"] = (
            None if factors is None else dict(zip(("excitation", "collection"), factors, strict=True))
        )
        data["bleached_s"] = bleached_s(settings)
        data["detectors"] = extended.detectors_told(settings)
        data["all"]["g2_0_with_background"] = extended.all_g2_zero(settings, shares)
    else:
        data["all"]["g2_0_with_background"] = pulsed.all_g2_zero(settings, shares)
    return {key: _plain(value) for key, value in data.items()}
