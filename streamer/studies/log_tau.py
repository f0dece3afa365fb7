"""Log-tau correlation of all photons and of each state: 100 ns to 10 s, whether the light blinks, and how fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.accumulators.log_tau import block_ticks, correlated, lag_bins
from streamer.cuts import state_rows
from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.log_tau import LONGEST_S, PART, Curve, all_curve, state_curve
from streamer.estimators.multi_tau import Lags, Segments, Sums, by_octave, joined, photon_sums
from streamer.estimators.relaxation import SLOW, relaxation, slow
from streamer.estimators.trace_tau import trace_sums
from streamer.result import Axis, Result
from streamer.study import View

NAME = "log_tau"
NEEDS = ("times", "pairs")
DECADES_S = tuple(10.0**n for n in range(-6, 2))
ALONE_S = 10e-6  # at shorter lags the afterpulses and the dead time of a lone detector outweigh the light
ALONE = "one detector with itself: below 10 us its afterpulses and dead time show, and are not judged"
SHORT = "counted on the trace only; set `log_tau` for lags shorter than a segment"
CHANGES = 'segments = "changes": blinking is judged on the trace only, from `bin_ms` on; below that see the states'


def study(view: View) -> list[Result]:
    """A curve per pair: the first is NAME, others have their channels in the name."""
    layout = view.plan.layout
    if not len(view.segments):
        return []
    results = []
    for p, (a, b) in enumerate(correlated(layout)):
        sums, judged, segments = _sums(view, p)
        curves = [_padded(all_curve(judged, layout.tick_s), sums.lags.ticks * layout.tick_s)]
        curves += _states(view, p, sums, segments)
        values = {"channels": [a, b]} | _values(view, judged, alone=a == b)
        data = {key: np.stack([getattr(one, key) for one in curves]) for key in ("g2", "error", "low", "high")}
        axis = Axis("lag", "s", curves[0].lag_s)
        results.append(Result(NAME if p == 0 else f"{NAME}_{a}_{b}", "curves", (axis,), data, view.rows, values))
    return results


def _sums(view: View, p: int) -> tuple[Sums, Sums, Segments]:
    """(all lags, those of which blinking is judged, segments).

    Pairs inside a segment that ends where the rate changes are of one dwell, and show nothing of the blinking.
    """
    layout, lines = view.plan.layout, view.segments
    a, b = (3 + int(layout.detector_of[channel]) for channel in correlated(layout)[p])
    segments = Segments(lines[:, 0], lines[:, 1] - lines[:, 0], lines[:, a], lines[:, b])
    alone, block = a == b, block_ticks(layout)
    longest = min(LONGEST_S / layout.tick_s, PART * float(segments.length.sum()))
    long = trace_sums(segments, layout.scale.ticks, longest, alone=alone, block_ticks=block)
    blocks = view.tables.get("log_tau", {}).get("blocks")
    if blocks is None or not len(blocks):
        return long, long, segments
    bins = lag_bins(layout)
    lags, n = Lags(bins.octave, bins.width, bins.first, bins.lags), len(bins.first)
    own = np.concatenate([blocks[:, :1], blocks[:, 1 + p * n : 1 + (p + 1) * n]], axis=1)
    sums = joined(photon_sums(segments, lags, own, alone=alone, block_ticks=block), long)
    return sums, sums if layout.fixed else long, segments


def _padded(curve: Curve, lag_s: NDArray[np.float64]) -> Curve:
    """A curve of the last lags on the whole axis, NaN before."""
    missing = np.full(len(lag_s) - len(curve.lag_s), np.nan)
    rows = (np.concatenate([missing, one]) for one in (curve.g2, curve.error, curve.low, curve.high))
    return Curve(lag_s, *rows)


def _states(view: View, p: int, sums: Sums, segments: Segments) -> list[Curve]:
    """One per state; of the trace there is none, for a lag that leaves the segment leaves the state too."""
    layout, level = view.plan.layout, view.segments[:, 2]
    table = view.tables.get("log_tau", {}).get(f"pairs{p}")
    curves = []
    for rows in state_rows(layout.scale, view.answers.thresholds_cps)[: len(view.rows) - 1]:
        own = (level >= rows.start) & (level < rows.stop)
        part = Segments(segments.start[own], segments.length[own], segments.a[own], segments.b[own])
        pairs = np.zeros(0, np.int64) if table is None else table[rows].sum(axis=0)
        curves.append(state_curve(pairs, part, sums, layout.tick_s))
    return curves


def _values(view: View, sums: Sums, *, alone: bool) -> dict[str, Any]:
    tick_s = view.plan.layout.tick_s
    notes = [ALONE] if alone else []
    if not view.plan.layout.fixed:
        notes.append(CHANGES)
    elif "log_tau" not in view.tables:
        notes.append(SHORT)
    shortest_s = ALONE_S if alone else 0.0
    found = relaxation(sums, tick_s, shortest_s)
    octaves = by_octave(sums.part(sums.lags.ticks * tick_s >= shortest_s))
    coarse, points = all_curve(octaves, tick_s), []
    unlimited = slow(octaves, coarse, tick_s)
    notes += [SLOW] if unlimited else []
    for lag in DECADES_S:
        i = int(np.argmin(np.abs(np.log(coarse.lag_s / lag)))) if len(coarse.lag_s) else -1
        if i >= 0 and abs(np.log(coarse.lag_s[i] / lag)) < np.log(2):
            points.append({"lag_s": float(coarse.lag_s[i])} | _point(coarse, i, unlimited).plain())
    return {
        "blinks": found.blinks,
        "contrast": found.contrast.plain(),
        "half_s": found.half_s.plain(),
        "relaxation_s": found.tau.plain(),
        "slope": found.slope.plain(),
        "points": points,
        "notes": notes,
    }


def _point(curve: Curve, i: int, unlimited: bool) -> Estimate:
    if not np.isfinite(curve.g2[i]):
        return unknown("too few pairs, or too short a run")
    if unlimited:
        return Estimate(float(curve.g2[i]), reason=SLOW)
    return Estimate(float(curve.g2[i]), float(curve.error[i]), float(curve.low[i]), float(curve.high[i]))


def lines(values: dict[str, Any]) -> list[str]:
    """For the terminal: whether it blinks, how strongly, how fast."""
    told = []
    contrast, half, tau, slope = (values[key] for key in ("contrast", "half_s", "relaxation_s", "slope"))
    if values["blinks"]:
        line = f"log tau: blinks, g2 - 1 = {_number(contrast)}"
        if half["value"] is not None:
            line += f", half of it at {_time(half['value'])}"
        if tau["value"] is not None:
            line += f"; telegraph, relaxation time {_time(tau['value'])} ({_time(tau['low'])} to {_time(tau['high'])})"
        elif slope["value"] is not None:
            line += f"; slope of log(g2 - 1) {_number(slope)}"
        else:
            line += f"; {tau['reason']}"
        told.append(line)
    else:
        told.append(f"log tau: {contrast['reason']}")
    return told + [f"log tau: {note}" for note in values["notes"]]


def _number(one: dict[str, Any]) -> str:
    limits = "" if one["low"] is None else f" ({one['low']:.3g} to {one['high']:.3g})"
    return f"{one['value']:.3g}{limits}"


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
