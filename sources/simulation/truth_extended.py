"""What the states of an extended emitter should show: of every detector, of every pair, bands and levels."""

from __future__ import annotations

import math
from dataclasses import fields
from itertools import combinations
from typing import Any

import numpy as np

from sources.simulation import cascade, cw
from sources.simulation.detectors import crosstalk_matrix, detectors, own_clicks_cps
from sources.simulation.parts import State
from sources.simulation.rates import channels_cps, photons_cps
from sources.simulation.settings import CW, DOT, Settings

GATES_NS = (0.0, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 15.0)


def _number(value: float) -> float | None:
    """None for what is no number, which JSON does not know."""
    return None if math.isnan(value) else float(value)


def _crosstalk(settings: Settings, state: State, a: int, b: int) -> float | None:
    """Coincidences that crosstalk makes, over the product of the rates, in s; None where there are no clicks."""
    rates, cross = channels_cps(settings, state), crosstalk_matrix(settings)
    own = own_clicks_cps(settings, photons_cps(settings, state))
    clicks = own[a] * cross[a, b] + own[b] * cross[b, a]
    return float(clicks / (rates[a] * rates[b])) if rates[a] * rates[b] > 0 else None


def _pair_pulsed(settings: Settings, state: State, a: int, b: int) -> dict[str, Any]:
    added = _crosstalk(settings, state, a, b)
    return {
        "channels": [a, b],
        "g2_0": cascade.g2_zero(settings, state, a, b),
        "g2_0_with_background": cascade.g2_zero_with_background(settings, state, a, b),
        "g2_0_added_by_crosstalk": None if added is None else added * 1e15 / settings.period_fs,
        "mean_difference_ns": cascade.mean_difference_ns(settings, state, a, b),
    }


def _pair_cw(settings: Settings, state: State, a: int, b: int) -> dict[str, Any]:
    # from either side of 0, by a delay so short that nothing happens
    before, after = cw.g2_curve(settings, state, a, b, [-1e-30, 0.0], background=False)
    area = _crosstalk(settings, state, a, b)
    return {
        "channels": [a, b],
        "g2_0": float(before + after) / 2,
        "g2_0_below": float(before),
        "g2_0_above": float(after),
        "g2_0_with_background": float(cw.g2_curve(settings, state, a, b, [-1e-30, 0.0]).mean()),
        "crosstalk_area_ns": None if area is None else area * 1e9,
    }


def expected(settings: Settings, state: State) -> dict[str, Any]:
    """What a state shows, as plain JSON.

    Returns:
        The keys of the plain dot, of channels 0 and 1 (None with one detector and for what cw light does not have);
        `channels` with `rate_cps` (echoes included) and `mean_arrival_ns` of each detector; `pairs` for each two of
        them: `g2_0`, `g2_0_with_background`, and pulsed `g2_0_added_by_crosstalk` and `mean_difference_ns` (of the
        second minus the first, in pairs of one pulse), cw `g2_0_below` and `g2_0_above` (limits from negative and
        positive delay, of which `g2_0` is the mean) and `crosstalk_area_ns` (excess of g2 times its width). Pulsed:
        `photons_per_pulse` of each order, emitted. Cw: what `sources.simulation.cw.truth_of_state` tells.
    """
    rates, n, is_cw = channels_cps(settings, state), settings.detectors, settings.excitation == CW
    late = np.full(n, math.nan) if is_cw else cascade.mean_delays_ns(settings, state)
    pair = _pair_cw if is_cw else _pair_pulsed
    pairs = [pair(settings, state, a, b) for a, b in combinations(range(n), 2)]
    told: dict[str, Any] = {
        "mean_arrival_ns": None,
        "g2_0": pairs[0]["g2_0"] if pairs else None,
        "g2_0_with_background": pairs[0]["g2_0_with_background"] if pairs else None,
        "g2_0_observed": pairs[0]["g2_0_with_background"] if pairs else None,
        "g2_0_gated": None,
        "wrapped_share": None,
        "channels": [
            {"channel": at, "rate_cps": rates[at], "mean_arrival_ns": _number(float(late[at]))} for at in range(n)
        ],
        "pairs": pairs,
        "eta_mx": state.eta_mx,
        "tau_mx_ns": state.tau_mx_ns,
    }
    if is_cw:
        return told | cw.truth_of_state(settings, state)
    counts = cascade.counts(settings, state)
    last = settings.period_fs / 1e6 - settings.t0_ns
    having = cascade.tail(settings, state)
    yields = state.yields(settings.highest_order if settings.model == DOT else 1)
    return told | {
        "mean_arrival_ns": _number(float(np.nansum(late * counts) / counts.sum())) if counts.sum() > 0 else None,
        "g2_0_observed": cascade.g2_zero_observed(settings, state, 0, 1) if pairs else None,
        "g2_0_gated": [[gate, cascade.g2_zero(settings, state, 0, 1, gate)] for gate in GATES_NS] if pairs else None,
        "wrapped_share": float(cascade.counts(settings, state, last).sum() / counts.sum()) if counts.sum() > 0 else 0.0,
        "photons_per_pulse": [float(mean * share) for mean, share in zip(having, yields, strict=True)],
    }


def all_g2_zero(settings: Settings, shares: list[float]) -> float | None:
    """g2(0) of all clicks of channels 0 and 1, against coincidences at delays far shorter than a dwell."""
    central = side = 0.0
    if settings.detectors < 2:
        return None
    for share, state in zip(shares, settings.states, strict=True):
        told = (_pair_cw if settings.excitation == CW else _pair_pulsed)(settings, state, 0, 1)
        rates = channels_cps(settings, state)
        g2 = told["g2_0_with_background"]
        side += share * rates[0] * rates[1]
        central += share * rates[0] * rates[1] * (1.0 if g2 is None else g2)
    return central / side if side > 0 else None


def detectors_told(settings: Settings) -> list[dict[str, float]]:
    """Everything about each detector, with the values of what was left out."""
    here = detectors(settings)
    return [
        {"channel": at, "share": settings.shares[at]}
        | {field.name: float(getattr(here, field.name)[at]) for field in fields(here)}
        for at in range(settings.detectors)
    ]
