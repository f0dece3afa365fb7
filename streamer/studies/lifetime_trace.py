"""Lifetime trace: the lifetime against time beside the intensity, and the type of blinking that the two make."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.decays import NO_PERIOD
from streamer.estimators.blinking_type import BlinkingType, blinking_type, undecided
from streamer.estimators.segment_lifetimes import segment_lifetimes
from streamer.result import Axis, Result
from streamer.study import View
from streamer.trace import POINTS

NAME = "lifetime_trace"
NEEDS = ("nanotimes", "times")
ALIKE_NS = 0.2  # by which the detectors' periods may begin differently
OVER, LEAST_QUIET = 6.0, 0.1  # lifetimes after which a decay is over; share of the period that tells the background
LATEST = 0.2  # of the period, that may lie before the excitation: with more, the mean arrival tells no lifetime
BLIND = "the nanotime of the excitation was not known when counting began; set t0_ns"

Floats = NDArray[np.float64]


def study(view: View) -> list[Result]:
    """The trace in at most POINTS points of equally many segments, and the slope of lifetime against intensity."""
    decays, layout = view.answers.decays, view.plan.layout
    if decays is None:
        return []
    if not layout.wraps:
        return [Result(NAME, "summary", values={"reason": NO_PERIOD})]
    unit = layout.resolution_s * 1e9
    used = [d for d, channel in enumerate(layout.detectors) if decays.t0_ns.get(channel) is not None]
    whole = decays.lifetimes[0]
    reason = whole.reason if whole.reason is not None and whole.reason.startswith("pile-up") else None
    if not used or len(whole.background_per_bin) != len(used):
        reason = reason or whole.reason or "the excitation cannot be found in the decay; set t0_ns"
    if reason is not None:
        return [Result(NAME, "summary", values={"reason": reason})]
    t0 = np.array([float(decays.t0_ns[layout.detectors[d]] or 0.0) for d in used])
    period = layout.period * unit
    # The period was begun `guard` before where the excitation was thought to be when counting began.
    early = (layout.guard * unit + t0 - unit * np.array(layout.zero)[used]) % period
    if np.ptp(early) > ALIKE_NS or early.max() > LATEST * period:
        return [Result(NAME, "summary", values={"reason": BLIND})]
    segments = view.segments
    length = (segments[:, 1] - segments[:, 0]).astype(np.float64)
    photons = segments[:, 3:][:, used]
    sums = view.tables["arrivals"]["sums"][:, used] * unit - photons * early
    background, unsure = _background(view, used)
    rates = background * layout.tick_s  # photons per tick
    values: dict[str, Any] = {
        "background_cps": dict(zip((str(layout.detectors[d]) for d in used), background.tolist(), strict=True)),
        "type": _plain(_type(view, photons, sums, background, unsure, period, float(early.mean()))),
    }
    step = 1
    while len(segments) > POINTS * step:
        step *= 2
    at = np.arange(0, len(segments), step)
    if not len(at):
        return [Result(NAME, "summary", values={"reason": "no segment is over yet"})]
    n = np.add.reduceat(photons.sum(axis=1), at)
    live = np.add.reduceat(length, at)
    found = segment_lifetimes(n, np.add.reduceat(sums.sum(axis=1), at), live * rates.sum(), period, float(early.mean()))
    last = np.append(at[1:], len(segments)) - 1
    middle = (segments[at, 0] + segments[last, 1]) / 2 - view.origin
    values |= {"segments_per_point": step, "told": int(np.isfinite(found.tau_ns).sum()), "points": len(at)}
    data = {
        "lifetime_ns": found.tau_ns, "error_ns": found.error_ns, "low_ns": found.low_ns, "high_ns": found.high_ns,
        "cps": n / np.maximum(live * layout.tick_s, 1e-300),
    }  # fmt: skip
    return [Result(NAME, "trace", (Axis("time", "s", middle * layout.tick_s),), data, values=values)]


def _background(view: View, used: list[int]) -> tuple[Floats, Floats]:
    """Constant background of each used detector in counts/s and its error: given, or as the states' decays hold.

    That of all photons mixes lifetimes where these follow the intensity, and what it lacks of an exponential would be
    taken for background.
    """
    layout, decays = view.plan.layout, view.answers.decays
    assert decays is not None
    bins = layout.period / (1 << layout.nanotime_shift)
    told = [row for row in range(1, len(decays.lifetimes)) if decays.lifetimes[row].value_ns is not None] or [0]
    photons = np.sum([decays.lifetimes[row].background_per_bin for row in told], axis=0) * bins
    seconds = max(float(decays.seconds[told].sum()), 1e-300)
    # It is counted where the decay is over: a few lifetimes after the excitation.
    longest = max(decays.lifetimes[row].value_ns or 0.0 for row in told)
    period = layout.period * layout.resolution_s * 1e9
    quiet = max(1 - OVER * longest / period, LEAST_QUIET)
    error = np.sqrt(np.maximum(photons, 1.0) / quiet)
    rates, errors = photons / seconds, error / seconds
    for i, d in enumerate(used):
        given = view.settings.background(layout.detectors[d])
        if given is not None:
            rates[i], errors[i] = given
    return rates, errors


def _type(
    view: View,
    photons: NDArray[np.int64],
    sums: Floats,
    background: Floats,
    unsure: Floats,
    period: float,
    early: float,
) -> BlinkingType:
    """Of the segments of full length; background and its error in counts/s."""
    scale = view.plan.layout.scale
    if not view.plan.layout.fixed:
        return undecided("it needs equal bins; these segments end where the rate changes")
    full = view.segments[:, 1] - view.segments[:, 0] == scale.ticks
    return blinking_type(
        photons[full], sums[full], background * scale.seconds, period, early, unsure * scale.seconds
    )  # fmt: skip


def _plain(found: BlinkingType) -> dict[str, Any]:
    return {
        "slope": found.slope.plain(), "p_a": found.p_a, "p_b": found.p_b, "verdict": found.verdict,
        "groups": found.groups,
    }  # fmt: skip


def lines(values: dict[str, Any]) -> list[str]:
    """One line."""
    kind, slope = values["type"], values["type"]["slope"]
    if slope["value"] is None:
        return [f"blinking type: undecided ({slope['reason']})"]
    told = f"d ln(lifetime) / d ln(intensity) = {slope['value']:.3g} +- {slope['error']:.2g}"
    return [f"blinking type: {kind['verdict']}, {told} (A: 1, p = {kind['p_a']:.2g}; B: 0, p = {kind['p_b']:.2g})"]
