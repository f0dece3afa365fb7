"""Publish: Answers and tables as Results, the named arrays that viewers and sinks draw without knowing any physics."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.answers import Answers, Correlation, Tables, at_levels, plain
from streamer.layout import Layout
from streamer.plan import Plan
from streamer.result import Axis, Result
from streamer.summary import offered_delay, zero_values
from streamer.trace import Points

FLID_BINS = 120


def as_results(answers: Answers, tables: Tables, points: Points, plan: Plan, gate_ns: float) -> list[Result]:
    """Every Result of a cut but the status, which knows of clocks, and the summary; `points` are the trace's."""
    layout = plan.layout
    times = answers.doubts.get("times")
    results = [trace(points, layout, answers.thresholds_cps, times), levels(answers, tables, layout)]
    if answers.decays:
        results += [decay(answers, layout), flid(tables["flid"]["segments"], layout, answers.doubts.get("nanotimes"))]
    for correlation in answers.correlations[:1]:
        results.append(g2(answers, correlation, plan))
        if correlation.peaks is not None:
            results.append(g2_peaks(answers, correlation, layout))
        if correlation.gates is not None:
            results.append(gate(answers, correlation, layout, gate_ns, unplaced(answers, plan)))
    return results


def unplaced(answers: Answers, plan: Plan) -> str | None:
    """Why nothing can be said of gates: pairs were filed by a nanotime whose zero was not known when counting began."""
    layout = plan.layout
    pair = layout.pairs[0] if layout.pairs else ()
    if layout.mode != "T3" or not layout.wraps or all(plan.t0_ns.get(channel) is not None for channel in pair):
        return None
    line = "the nanotime of the excitation was not known when counting began; set t0_ns"
    found = answers.decays.t0_ns if answers.decays else {}
    if pair and all(found.get(channel) is not None for channel in pair):
        # As the card gives it, before any delay is taken out.
        units = {channel: plan.shifts.get(channel, 0) * layout.fine_s * 1e9 for channel in pair}
        period_ns = layout.period * layout.fine_s * 1e9
        told = {channel: ((found[channel] or 0.0) - units[channel]) % period_ns for channel in pair}
        line += " = {" + ", ".join(f"{channel} = {value:.2f}" for channel, value in told.items()) + "}"
    return line


def trace(points: Points, layout: Layout, thresholds_cps: tuple[float, ...], reason: str | None = None) -> Result:
    """The whole run in a bounded number of points: mean, lowest and highest rate, and whether time is missing.

    Here as in `levels`, a `reason` says that seconds and rates are in the stream's own units, which are in doubt.
    """
    return Result(
        "trace", "trace", (Axis("time", "s", points.time_s),),
        {"cps": points.cps, "cps_min": points.low, "cps_max": points.high, "lost": points.lost},
        values={
            "bin_s": layout.scale.seconds if layout.fixed else None, "thresholds_cps": list(thresholds_cps),
            "reason": reason,
        },
    )  # fmt: skip


def levels(answers: Answers, tables: Tables, layout: Layout) -> Result:
    """Seconds spent at each level, and what the mixture expects; only as far up as there is anything."""
    scale = layout.scale
    segments = at_levels(tables, layout) / (1 if layout.fixed else scale.ticks)
    seen = np.flatnonzero(segments)
    top = min(scale.n, int(seen[-1]) + 3) if len(seen) else 1
    expected = np.zeros(top) if answers.mixture is None else answers.mixture.expected[:top]
    seconds = np.stack([segments[:top], expected]) * scale.seconds
    states = [
        {"name": s.name, "low_cps": plain(s.low_cps), "high_cps": plain(s.high_cps), "rate_cps": plain(s.rate_cps)}
        for s in answers.states
    ]
    return Result(
        "levels", "curves", (Axis("rate", "counts/s", scale.rates_cps()[:top]),),
        {"time_s": seconds}, ("measured", "mixture"),
        {
            "thresholds_cps": list(answers.thresholds_cps), "auto": answers.mixture is not None, "states": states,
            "reason": answers.doubts.get("times"),
        },
    )  # fmt: skip


def decay(answers: Answers, layout: Layout) -> Result:
    """Decays of all photons and of each state, detectors added as they are."""
    decays = answers.decays
    assert decays is not None
    lifetimes = [
        {
            "name": name, "lifetime_ns": plain(mean.value_ns), "lifetime_error_ns": plain(mean.error_ns),
            "one_over_e_ns": plain(e.value_ns), "photons": int(counts.sum()), "reason": mean.reason,
        }
        for name, mean, e, counts in zip(answers.rows, decays.lifetimes, decays.one_over_e, decays.counts, strict=True)
    ]  # fmt: skip
    t0 = {str(channel): plain(value) for channel, value in decays.t0_ns.items()}
    return Result(
        "decay", "curves", (Axis("nanotime", "ns", layout.nanotime_ns()[:-1]),),
        {"counts": decays.counts.sum(axis=1)[:, :-1].astype(float)}, answers.rows,
        {"t0_ns": t0, "lifetimes": lifetimes, "reason": answers.doubts.get("nanotimes")},
    )  # fmt: skip


def g2(answers: Answers, correlation: Correlation, plan: Plan) -> Result:
    """Pairs and g2 against tau."""
    layout = plan.layout
    a, b = correlation.pair
    times = answers.doubts.get("times")
    reason = correlation.withheld or times
    values: dict[str, Any] = {
        "pair": [a, b],
        "delay_ns": None if times else plan.delays_ns.get(b, 0.0) - plan.delays_ns.get(a, 0.0),
        "offered_delay": offered_delay(answers, plan),
        "pulsed": layout.pulsed,
        "period_ns": layout.period * layout.fine_s * 1e9 if layout.pulsed and not times else None,
        "reason": reason,
    }
    if not layout.pulsed:
        values["per_row"] = per_row(answers, correlation)
    return Result(
        "g2", "curves", (Axis("tau", "ns", layout.tau_ns()),),
        {"counts": _shown(correlation.tau_counts, reason), "g2": correlation.tau_g2}, answers.rows, values,
    )  # fmt: skip


def per_row(answers: Answers, correlation: Correlation) -> list[dict[str, Any]]:
    """g2(0) of every row by name."""
    return [{"name": name, **zero_values(correlation, row)} for row, name in enumerate(answers.rows)]


def g2_peaks(answers: Answers, correlation: Correlation, layout: Layout) -> Result:
    """Pairs per pulse lag with the segment reference, and g2(0) of every row."""
    assert correlation.peaks is not None
    assert correlation.peaks_expected is not None
    return Result(
        "g2_peaks", "curves", (Axis("lag", "pulses", np.arange(-layout.lags, layout.lags + 1, dtype=float)),),
        {"counts": _shown(correlation.peaks, correlation.withheld), "expected": correlation.peaks_expected},
        answers.rows,
        {"pair": list(correlation.pair), "per_row": per_row(answers, correlation), "reason": correlation.withheld},
    )  # fmt: skip


def _shown(counts: NDArray[np.int64], reason: str | None) -> NDArray[np.float64]:
    """Pairs as floats; NaN where there is a reason not to show them."""
    return counts.astype(float) if reason is None else np.full(counts.shape, np.nan)


def gate(
    answers: Answers, correlation: Correlation, layout: Layout, gate_ns: float, unplaced: str | None = None
) -> Result:
    """g2(0) against the gate, from the excitation on, and its values at the chosen gate; none beyond the period, nor
    where the excitation is `unplaced`."""
    assert correlation.gates is not None
    axis = layout.gate_ns()
    at = int(np.argmin(np.abs(axis - gate_ns)))
    reason = correlation.withheld or answers.doubts.get("nanotimes") or unplaced
    keys = ("g2_0", "low", "high", "central", "side_pairs")
    hidden = reason is not None or gate_ns >= layout.period * layout.fine_s * 1e9
    chosen = [
        {"name": name} | {key: None if hidden else plain(getattr(one, key)[at]) for key in keys}
        for name, one in zip(answers.rows, correlation.gates, strict=True)
    ]
    shown = axis >= -layout.gate_width * layout.fine_s * 1e9
    data = {key: np.stack([getattr(one, key)[shown] for one in correlation.gates]) for key in ("g2_0", "low", "high")}
    if unplaced is not None:
        data = {key: np.full_like(values, np.nan) for key, values in data.items()}
    return Result(
        "gate", "curves", (Axis("gate", "ns", axis[shown]),), data, answers.rows,
        {"gate_ns": gate_ns, "gate_used_ns": None if hidden else plain(axis[at]), "per_row": chosen, "reason": reason},
    )  # fmt: skip


def flid(table: NDArray[np.int64], layout: Layout, reason: str | None = None) -> Result:
    """Segments per level and mean nanotime, only where there is anything, in at most FLID_BINS bins of the mean.

    Empty where there is a `reason`.
    """
    if reason is not None:
        table = np.zeros_like(table)
    seen = np.flatnonzero(table[:-1].any(axis=1))
    top = int(seen[-1]) + 1 if len(seen) else 1
    means = np.flatnonzero(table[:top].any(axis=0))
    first, last = (int(means[0]), int(means[-1]) + 1) if len(means) else (0, 1)
    together = -(-(last - first) // FLID_BINS)
    last = min(first + -(-(last - first) // together) * together, table.shape[1])
    starts = np.arange(0, last - first, together)
    axis = layout.mean_ns()[first:last]
    counts = np.diff(np.append(starts, last - first))
    return Result(
        "flid", "map",
        (
            Axis("rate", "counts/s", layout.scale.rates_cps()[:top]),
            Axis("mean nanotime", "ns", np.add.reduceat(axis, starts) / counts),
        ),
        {"segments": np.add.reduceat(table[:top, first:last], starts, axis=1)}, values={"reason": reason},
    )  # fmt: skip
