"""Many recordings as one: statistics over emitters, and the sum of recordings of one emitter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2_contingency

from streamer.answers import plain
from streamer.decays import find_lifetimes
from streamer.estimators.estimate import Z95
from streamer.estimators.g2 import MIN_EXPECTED_PAIRS, pulsed_g2
from streamer.estimators.intervals import poisson_interval, verdict
from streamer.estimators.population import Population, errors_at_mean, population
from streamer.series.counted import Addable, Counted
from streamer.series.quantity import find
from streamer.series.table import Statistics, Sum
from streamer.series.units import unit_of

USUAL = ("rate_cps", "lifetime_ns", "g2_0")  # of all photons, where the table asks for nothing
LEAST_CENTRAL = 5.0  # expected central pairs of a recording from which the recordings can be compared
MOVED_NS = 0.5  # by which the excitations of recordings may differ for their decays to be one


@dataclass(frozen=True, slots=True, eq=False)
class StatisticsFound:
    """A quantity over recordings: values with their runs, and who has none and why; `found` is None without values."""

    asked: Statistics
    runs: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    values: tuple[float, ...]
    found: Population | None


def statistics(asked: Statistics, counted: Sequence[Counted]) -> StatisticsFound:
    """A quantity over all recordings that have it."""
    runs, refused, values, errors, pairs = [], [], [], [], []
    for one in counted:
        number = find(one, asked.of, asked.state)
        if number.value is None:
            refused.append((one.run.name, number.reason or "not known"))
            continue
        error = number.error
        if error is None and number.low is not None and number.high is not None:
            error = (number.high - number.low) / (2 * Z95)
        runs.append(one.run.name)
        values.append(number.value)
        errors.append(np.nan if error is None else error)
        row = (one.row(asked.state) or {}) if asked.of == "g2_0" else {}
        pairs.append([row.get(key, np.nan) for key in ("central", "side_pairs", "weight")])
    if values and np.isfinite(pairs).all():
        errors = list(errors_at_mean(np.array(values), *np.array(pairs, np.float64).T))
    found = population(values, errors if np.isfinite(errors).any() else None) if values else None
    return StatisticsFound(asked, tuple(runs), tuple(refused), tuple(values), found)


def plain_statistics(one: StatisticsFound) -> dict[str, Any]:
    """As plain JSON."""
    values: dict[str, Any] = {
        "name": one.asked.title, "of": one.asked.of, "state": one.asked.state, "unit": unit_of(one.asked.of),
        "n": len(one.runs), "refused": [{"run": run, "reason": reason} for run, reason in one.refused],
        "values": dict(zip(one.runs, one.values, strict=True)),
    }  # fmt: skip
    if one.found is None:
        return values | {"remarks": ["no recording has this quantity"]}
    p = one.found
    return values | {
        "mean": p.mean.plain(), "sd": p.sd.plain(), "sem": p.sem, "median": p.median.plain(),
        "intrinsic_sd": p.intrinsic_sd.plain(), "typical_error": p.typical_error, "same_p": p.same_p,
        "histogram": {"edges": p.edges.tolist(), "counts": p.counts.tolist()}, "remarks": list(p.remarks),
    }  # fmt: skip


def add_up(asked: Sum, counted: Sequence[Counted]) -> dict[str, Any]:
    """Pairs and decays of recordings of one emitter added, and what they say together; plain JSON.

    Each row (all, then states by name) is the sum over the recordings that have it: g2_0 with its interval, and the
    lifetime of the summed decay where resolution, period and excitation of the recordings agree.
    """
    chosen = [one for one in counted if asked.runs is None or one.run.name in asked.runs]
    left_out = [{"run": one.run.name, "reason": one.refused} for one in chosen if one.refused is not None]
    parts = [(one.run.name, one.addable) for one in chosen if one.addable is not None]
    rows = list(dict.fromkeys(row for _, part in parts for row in part.rows))
    out: dict[str, Any] = {}
    for row in rows:
        having = [(part, part.rows.index(row)) for _, part in parts if row in part.rows]
        out[row] = {"recordings": len(having)} | _pairs(having) | _lifetime(having)
    _widen(out, max((part.switching for _, part in parts), default=0.0))
    for name, part in parts:
        if part.withheld is not None:
            left_out.append({"run": name, "reason": f"pairs: {part.withheld}"})
    return {
        "name": asked.name, "runs": [name for name, _ in parts], "left_out": left_out, "rows": out,
    }  # fmt: skip


def _widen(rows: dict[str, dict[str, Any]], switching: float) -> None:
    """The states' lifetimes with what segments that hold a switch may add to their errors, as for one recording."""
    known = [row for name, row in rows.items() if name != "all" and row["lifetime_ns"] is not None]
    if len(known) < 2 or not switching:
        return
    extra = switching * (max(row["lifetime_ns"] for row in known) - min(row["lifetime_ns"] for row in known))
    for row in known:
        if row["lifetime_error_ns"] is not None:
            row["lifetime_error_ns"] = float(np.hypot(row["lifetime_error_ns"], extra))
        if row["lifetime_low_ns"] is not None:
            row["lifetime_low_ns"] = max(0.0, row["lifetime_low_ns"] - 2 * extra)
        if row["lifetime_high_ns"] is not None:
            row["lifetime_high_ns"] += 2 * extra


def _pairs(having: Sequence[tuple[Addable, int]]) -> dict[str, Any]:
    """g2(0) of summed pairs."""
    keys = ("g2_0", "low", "high", "central", "side_mean", "g2_0_segments", "verdict", "same_p")
    nothing: dict[str, Any] = dict.fromkeys(keys)
    good = [(part, row) for part, row in having if part.withheld is None]
    pulsed = [(part, row) for part, row in good if part.peaks is not None]
    cw = [(part, row) for part, row in good if part.window is not None]
    sizes = {part.plan.layout.lags for part, _ in pulsed}
    unlike = (
        "pulsed and cw recordings" if pulsed and cw
        else "recordings with different `lags`" if len(sizes) > 1
        else "recordings with different cw windows" if len({part.window_ns for part, _ in cw}) > 1
        else None
    )  # fmt: skip
    if unlike is not None:
        return nothing | {"g2_reason": f"{unlike} do not add"}
    if pulsed:
        lags = np.arange(-max(sizes), max(sizes) + 1)
        peaks = np.array([part.peaks[row] for part, row in pulsed if part.peaks is not None])
        reference = np.array([part.peaks_expected[row] for part, row in pulsed if part.peaks_expected is not None])
        overlap = next((part.overlap[row] for part, row in pulsed if part.overlap[row]), None)
        zero = pulsed_g2(lags, peaks.sum(axis=0), reference.sum(axis=0))
        return {
            "g2_0": plain(zero.g2_0), "low": plain(zero.low), "high": plain(zero.high), "central": zero.central,
            "side_mean": plain(zero.side_mean), "g2_0_segments": plain(zero.g2_0_segments),
            "verdict": zero.verdict if zero.g2_0 is not None and not overlap else None,
            "g2_reason": zero.reason or overlap,
            "same_p": _same_p(peaks[:, max(sizes)], peaks.sum(axis=1) - peaks[:, max(sizes)]),
        }  # fmt: skip
    if cw:
        pairs = int(sum(int(part.window[row]) for part, row in cw if part.window is not None))
        expected = float(sum(part.window_expected[row] for part, row in cw if part.window_expected is not None))
        if expected < MIN_EXPECTED_PAIRS:
            why = f"too few pairs: {expected:.3g} expected in the window, {MIN_EXPECTED_PAIRS:g} needed"
            return nothing | {"central": pairs, "side_mean": expected, "g2_reason": why}
        low, high = poisson_interval(pairs, expected)
        return nothing | {
            "g2_0": pairs / expected, "low": low, "high": high, "central": pairs, "side_mean": expected,
            "verdict": verdict(low, high), "g2_reason": None,
        }  # fmt: skip
    return nothing | {"g2_reason": having[0][0].withheld if having else "no pairs"}


def _same_p(central: np.ndarray, side: np.ndarray) -> float | None:
    """Chance of such differences of g2(0) between recordings were it one; None for too few pairs."""
    if len(central) < 2 or not central.sum() or not side.sum() or (central + side == 0).any():
        return None
    found = chi2_contingency(np.stack([central, side]), correction=False)
    return float(found.pvalue) if found.expected_freq.min() >= LEAST_CENTRAL else None


def _lifetime(having: Sequence[tuple[Addable, int]]) -> dict[str, Any]:
    """Lifetime of the summed decay."""
    nothing: dict[str, Any] = dict.fromkeys(("lifetime_ns", "lifetime_error_ns", "lifetime_low_ns", "lifetime_high_ns"))
    good = [(part, row) for part, row in having if part.decays is not None]
    if not good:
        return nothing | {"lifetime_reason": "no nanotimes"}
    first = good[0][0]
    for part, _ in good[1:]:
        a, b = first.plan.layout, part.plan.layout
        if (a.resolution_s, a.period, a.detectors) != (b.resolution_s, b.period, b.detectors):
            return nothing | {"lifetime_reason": "resolution, laser period or channels of the recordings differ"}
        for channel, zero in first.t0_ns.items():
            other = part.t0_ns.get(channel)
            if zero is not None and other is not None and abs(other - zero) > MOVED_NS:
                return nothing | {
                    "lifetime_reason": f"the excitation moved by {other - zero:+.3g} ns between the recordings"
                }
    # With the decays of all photons first, in which the excitation is looked for.
    summed = np.sum([part.decays[[0, row]] for part, row in good if part.decays is not None], axis=0)
    lifetime = find_lifetimes(summed, first.plan).lifetimes[1]
    return {
        "lifetime_ns": plain(lifetime.value_ns), "lifetime_error_ns": plain(lifetime.error_ns),
        "lifetime_low_ns": plain(lifetime.low_ns), "lifetime_high_ns": plain(lifetime.high_ns),
        "lifetime_reason": lifetime.reason,
    }  # fmt: skip
