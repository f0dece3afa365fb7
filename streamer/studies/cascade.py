"""Cascade: order of biexciton and exciton photons, and their three-level model (cw) or what they herald (pulsed).

It is asked for by the setting `cascade`, which says which channel sees which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.answers import Correlation
from streamer.estimators.asymmetry import asymmetry, heralding
from streamer.estimators.cascade import mixture, overlay, time_constants_ns
from streamer.estimators.cascade_fit import CascadeFit, fit_cascade
from streamer.estimators.g2 import PulsedG2, expected_pairs
from streamer.estimators.tau_bins import merge
from streamer.result import Axis, Result
from streamer.study import View

NAME = "cascade"
NEEDS = ("times", "pairs")
NEAR_NS = 100.0  # to which the asymmetry of cw light is counted: a few lifetimes, beyond which all is accidental
UNITS = {"k1": "k1_per_us", "pump": "pump_per_us", "delay": "delay_ns"}

Floats = NDArray[np.float64]


def study(view: View) -> list[Result]:
    """Asymmetry, and the cascade's fit or what it heralds; nothing unless the setting asks."""
    pair = view.settings.cascade
    if pair is None:
        return []
    xx, x = pair
    found = next((one for one in view.answers.correlations if set(one.pair) == {xx, x}), None)
    if found is None:
        reason = f"the pair of channels {xx} (XX) and {x} (X) is not counted; put [{xx}, {x}] into `pairs`"
        return [Result(NAME, "summary", values={"reason": reason})]
    layout = view.plan.layout
    silent = [one for one in pair if not view.answers.photons[0][layout.detector_of[one]]]
    if silent:
        return [Result(NAME, "summary", values={"reason": f"channel {silent[0]} has no photons"})]
    sign = 1 if found.pair == (xx, x) else -1
    counts = found.tau_counts[0][::sign]
    tau = layout.tau_ns()
    window_ns = layout.period * layout.fine_s * 1e9 / 2 if layout.pulsed else min(NEAR_NS, float(tau[-1]))
    order = asymmetry(tau, counts, window_ns)
    values: dict[str, Any] = {
        "xx": xx,
        "x": x,
        "kind": "pulsed" if layout.pulsed else "cw",
        "window_ns": order.window_ns,
        "after": order.after,
        "before": order.before,
        "asymmetry": order.contrast.plain(),
    }
    if layout.pulsed:
        return [Result(NAME, "summary", values=values | _heralded(view, found, xx))]
    lower = (layout.tau_width // 2 + 0.5) * layout.fine_s * 1e9  # a bin's first whole tick begins half a tick before
    edges = np.append(tau - lower, tau[-1] - lower + layout.tau_width * layout.fine_s * 1e9)
    edges = edges if sign > 0 else -edges[::-1]
    expected = _expected(view, tau, xx, x)
    known = {"background": _background(view, xx, x)} | dict(view.settings.cascade_known)
    jitter = known.pop("jitter", 0.0)
    fit = fit_cascade(*merge(edges, counts.astype(float), expected), float(jitter), known)
    results = [Result(NAME, "summary", values=values | _fitted(fit, float(jitter)))]
    if fit.best is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = np.where(expected > 0, counts / expected, np.nan)
        curves = np.stack([seen, overlay(edges, fit.best, float(jitter))])
        axis = Axis("tau", "ns", tau)
        results.append(
            Result("cascade_g2", "curves", (axis,), {"g2": curves}, ("measured", "cascade"), {"pair": [xx, x]})
        )
    return results


def _expected(view: View, tau: Floats, xx: int, x: int) -> Floats:
    """Accidental pairs per tau bin over the whole run."""
    layout, seconds = view.plan.layout, float(view.answers.time_s[0])
    photons = view.answers.photons[0]
    a, b = (float(photons[layout.detector_of[channel]]) for channel in (xx, x))
    if seconds <= 0:
        return np.zeros(len(tau))
    whole_ns = seconds * 1e9
    return expected_pairs(tau, a * b / whole_ns, a * b / whole_ns**2, layout.tau_width * layout.fine_s * 1e9)


def _background(view: View, xx: int, x: int) -> float:
    """Share of the accidental pairs in which a click is no photon of the emitter, by the background rates given."""
    layout = view.plan.layout
    signal = 1.0
    for channel in (xx, x):
        rate, _ = view.settings.background(channel) or (0.0, 0.0)
        clicks = float(view.answers.photons[0][layout.detector_of[channel]])
        lost = rate * float(view.answers.time_s[0])
        signal *= 1.0 - min(lost / clicks, 1.0) if clicks else 1.0
    return 1.0 - signal


def _heralded(view: View, found: Correlation, xx: int) -> dict[str, Any]:
    """Clicks of X announced by XX in the same pulse."""
    zero = found.zero[0]
    assert isinstance(zero, PulsedG2)
    heralds = int(view.answers.photons[0][view.plan.layout.detector_of[xx]])
    told = heralding(zero.central, zero.side_mean, heralds)
    return {"heralds": heralds, "heralded": told.heralded.plain(), "unheralded": told.unheralded}


def _fitted(fit: CascadeFit, jitter_ns: float) -> dict[str, Any]:
    """The fit's numbers."""
    values: dict[str, Any] = {UNITS.get(name, name): one.plain() for name, one in fit.estimates.items()}
    known = {UNITS.get(name, name): value for name, value in fit.known.items()} | {"jitter_ns": jitter_ns}
    values |= {"known": known, "deviance_per_bin": fit.deviance_per_bin, "fit_reason": fit.reason, "misfit": fit.misfit}
    if fit.best is not None:
        slow, fast = time_constants_ns(fit.best)
        values |= {"mixture": mixture(fit.best), "relaxation_ns": [slow, fast]}
    return values


def lines(values: dict[str, Any]) -> list[str]:
    """What a person reads."""
    told = [f"cascade XX {values['xx']} -> X {values['x']}: asymmetry {_said(values['asymmetry'])} within "
            f"{values['window_ns']:g} ns of zero"]  # fmt: skip
    if "heralded" in values:
        plain = values["unheralded"]
        beside = "" if plain is None else f"; {100 * plain:.3g} % without it"
        return [
            *told,
            f"cascade: a click of XX announces one of X with probability {_said(values['heralded'])}{beside}",
        ]
    if values["fit_reason"]:
        return [*told, f"cascade: no fit, {values['fit_reason']}"]
    units = {"k1_per_us": "k1 [1/us]", "pump_per_us": "pump [1/us]", "delay_ns": "delay [ns]"}
    if values["misfit"]:
        told.append(
            f"cascade: three levels do not explain these pairs (deviance per bin {values['deviance_per_bin']:.2f})"
        )
    for name, one in values.items():
        if isinstance(one, dict) and "value" in one and name != "asymmetry":
            told.append(f"cascade: {units.get(name, name)} {_said(one)}")
    return told


def _said(one: dict[str, Any]) -> str:
    low, high, value = one["low"], one["high"], one["value"]
    if value is not None:
        return f"{value:.4g}" if low is None or high is None else f"{value:.4g} ({low:.4g} to {high:.4g})"
    if low is not None and high is not None:
        return f"between {low:.4g} and {high:.4g}; {one['reason']}"
    return f"unknown: {one['reason']}"
