"""Blinking: dwell times and their laws, share of the time on, changes, bleaching; of on and off, and of each state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.cuts import state_rows
from streamer.estimators.blinking import (
    Blinking,
    against_bin,
    blinking,
    darker_since,
    delays,
    false_changes,
    fixed_bins,
    shortest_told,
    state_laws,
    steady_share,
)
from streamer.estimators.dwell_laws import CUT_OFF, POWER, DwellLaws
from streamer.estimators.dwells import Dwells, density, edge, join_dwells, on_off_threshold, survival
from streamer.estimators.estimate import Estimate, unknown
from streamer.result import Axis, Result
from streamer.study import View

NAME = "blinking"
NEEDS = ("times",)
POINTS = 120  # of a survival curve
MOST_FALSE = 0.05  # of the changes; more made by shot noise, and the dwells are not the emitter's

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True, eq=False)
class _Segments:
    """The segments that have a state; parallel arrays but for the last three."""

    start: Ints
    stop: Ints
    counts: Ints
    state: Ints
    tick_s: float
    ticks: int
    fixed: bool

    @property
    def seconds(self) -> Floats:
        return np.asarray((self.stop - self.start) * self.tick_s)

    def until(self, tick: int) -> _Segments:
        n = int(np.searchsorted(self.start, tick))
        return _Segments(
            self.start[:n], self.stop[:n], self.counts[:n], self.state[:n], self.tick_s, self.ticks, self.fixed
        )

    def rates(self, states: int) -> tuple[Floats, Floats]:
        """(counts/s, s) of each state."""
        held = np.bincount(self.state, self.seconds, states).astype(np.float64)
        return np.bincount(self.state, self.counts, states) / np.maximum(held, 1e-300), held


def study(view: View) -> list[Result]:
    """Blinking of the view's segments, by its states."""
    thresholds, names, notes = _states(view)
    segments = _segments(view, thresholds, by_level=view.settings.on_off_sigma is None or len(notes) > 0)
    if not len(segments.start):
        return [Result(NAME, "summary", values={"reason": "no segment yet"})]
    bin_s = segments.ticks * segments.tick_s if segments.fixed else None
    if len(names) == 1:
        steady = _one_state(view, segments)
        return [Result(NAME, "summary", values={"on_states": list(names), "bin_s": bin_s, "on_fraction": steady.plain(),
                                                "notes": notes})]  # fmt: skip
    lowest, found, wrong = _on_off(view, segments, thresholds, notes)
    threshold = thresholds[lowest]
    end = found.bleaching
    if end.seen and end.time_s is not None:
        segments = segments.until(round(end.time_s / segments.tick_s) + view.origin)
    rates, held = segments.rates(len(names))
    values: dict[str, Any] = {
        "on_states": list(names[lowest + 1 :]),
        "threshold_cps": threshold,
        "bin_s": bin_s,
        "seconds": found.dwells.span_s,
        **_numbers(found, wrong, notes),
        "false_changes": wrong,
        "bleached": {"seen": end.seen, "time_s": end.time_s, "dark_s": end.dark_s, "expected": end.expected,
                     "told": end.told},
    }  # fmt: skip
    every = join_dwells(segments.start, segments.stop, segments.state, segments.tick_s, view.origin)
    shortest = shortest_told(rates[held > 0]) if bin_s is None else None
    if len(names) > 2:
        values["states"] = {
            name: _laws(state_laws(every, state, bin_s, 0.0, shortest), every, state, None)
            for state, name in enumerate(names)
        }
    rows = {"off": (found.dwells, 0), "on": (found.dwells, 1)}
    rows |= {name: (every, state) for state, name in enumerate(names) if len(names) > 2}
    values["notes"] = notes
    results = [Result(NAME, "summary", values=values), *_curves(rows, segments)]
    if segments.fixed:
        share = edge(threshold, *_two_rates(segments, lowest))
        wider = against_bin(segments.start, segments.stop, segments.counts, segments.ticks, segments.tick_s, threshold,
                            share)  # fmt: skip
        if wider:
            results.append(_against(wider))
    return results


def _states(view: View) -> tuple[tuple[float, ...], tuple[str, ...], list[str]]:
    """(thresholds, names of the states, notes): off and on by the background where asked for, else the cut's."""
    states, sigma = tuple(state.name for state in view.answers.states), view.settings.on_off_sigma
    if sigma is None:
        return view.answers.thresholds_cps, states, []
    background = _background(view)
    if isinstance(background, int):
        note = f"on_off_sigma: background_cps is not given for channel {background}; on is every state but the darkest"
        return view.answers.thresholds_cps, states, [note]
    return (
        (on_off_threshold(background[0], view.plan.layout.scale.seconds, sigma, background[1]),),
        ("off", "on"),
        [],
    )


def _background(view: View) -> tuple[float, float] | int:
    """Background of the analysed channels and its error, counts/s; the first channel of which none is given."""
    rates = []
    for channel in view.plan.layout.detectors:
        one = view.settings.background(channel)
        if one is None:
            return channel
        rates.append(one)
    return sum(rate for rate, _ in rates), math.hypot(*(error for _, error in rates))


def _one_state(view: View, segments: _Segments) -> Estimate:
    """Share of the time on where one state was found; not known where the trace does not tell."""
    mixture, background = view.answers.mixture, _background(view)
    if mixture is not None and mixture.reason is not None:
        return unknown(mixture.reason)
    known = None if isinstance(background, int) else background
    return steady_share(int(segments.counts.sum()), float(segments.seconds.sum()), len(segments.counts), known)


def _segments(view: View, thresholds: tuple[float, ...], by_level: bool) -> _Segments:
    layout, lines = view.plan.layout, view.segments
    start, stop, counts = lines[:, 0], lines[:, 1], lines[:, 3:].sum(axis=1)
    fixed = fixed_bins(start, stop, layout.scale.ticks)
    if fixed and by_level:
        state_of = np.full(layout.scale.rows, -1)
        for number, rows in enumerate(state_rows(layout.scale, thresholds)):
            state_of[rows] = number
        state = state_of[lines[:, 2]]
    else:
        # A threshold is in the state above; a segment without length has no rate.
        rate = counts / (np.maximum(stop - start, 1) * layout.tick_s)
        state = np.where(stop > start, np.searchsorted(np.array(thresholds), rate, side="right"), -1)
        if fixed:
            state[2 * (stop - start) < layout.scale.ticks] = -1
    known = state >= 0
    return _Segments(start[known], stop[known], counts[known], state[known], layout.tick_s, layout.scale.ticks, fixed)


def _two_rates(segments: _Segments, lowest: int) -> tuple[float, float]:
    """Mean rates off and on, of segments between two of their kind: at its ends a dwell shares its bins."""
    on = (segments.state > lowest).astype(np.int64)
    alike = (on[1:] == on[:-1]) & (segments.start[1:] == segments.stop[:-1])
    inner = np.append(False, alike) & np.append(alike, False)
    rates = []
    for state in (0, 1):
        own = on == state
        chosen = own & inner if (own & inner).any() else own
        rates.append(float(segments.counts[chosen].sum() / max(float(segments.seconds[chosen].sum()), 1e-300)))
    return rates[0], rates[1]


def _on_off(
    view: View, segments: _Segments, thresholds: tuple[float, ...], notes: list[str]
) -> tuple[int, Blinking, float | None]:
    """(brightest state that is off, blinking, shot noise's changes, which are those of bins).

    Off is the darkest state, and the next ones up to a threshold that shot noise does not cross by itself. A bleached
    dot may be darker than its dark state, and then is a state of its own: off is the darkest before.
    """
    lowest, end = 0, None
    bin_s = segments.ticks * segments.tick_s if segments.fixed else None
    while True:
        on = (segments.state > lowest).astype(np.int64)
        dwells = join_dwells(segments.start, segments.stop, on, segments.tick_s, view.origin)
        rates, held = segments.rates(len(thresholds) + 1)
        wrong = false_changes(rates, held, thresholds[lowest], bin_s) if bin_s is not None else None
        last = lowest + 1 == len(thresholds)
        if wrong is not None and wrong > MOST_FALSE * dwells.changes and not last:
            lowest += 1
            notes.append(f"off is all below {thresholds[lowest]:.4g} counts/s: shot noise mixes the states below it")
            continue
        shortest = None if segments.fixed else shortest_told(rates[held > 0])
        share = edge(thresholds[lowest], *_two_rates(segments, lowest)) if segments.fixed else 0.0
        delay_s = _delays(view, segments, dwells, rates, held, lowest)
        found = blinking(dwells, bin_s, share, shortest, None, delay_s)
        since = found.bleaching.time_s
        if since is not None and not found.bleaching.seen:
            first = int(np.searchsorted(segments.start, round(since / segments.tick_s) + view.origin))
            dimmer = darker_since(segments.counts, segments.seconds, on == 0, first)
            found = found if dimmer is None else blinking(dwells, bin_s, share, shortest, dimmer, delay_s)
        if end is not None:
            found = replace(found, bleaching=end)
        only = not (found.dwells.state == 0).any()
        if not (only and found.bleaching.seen and not last):
            return lowest, found, wrong
        end = found.bleaching
        segments = segments.until(round((end.time_s or 0.0) / segments.tick_s) + view.origin)
        lowest += 1


def _delays(
    view: View, segments: _Segments, dwells: Dwells, rates: Floats, held: Floats, lowest: int
) -> tuple[float, float] | None:
    """How long off and on dwells have to last for change points to find them, s: those of the two nearest states."""
    threshold, off, on = view.plan.layout.threshold, rates[: lowest + 1], rates[lowest + 1 :]
    off, on = off[held[: lowest + 1] > 0], on[held[lowest + 1 :] > 0]
    if segments.fixed or threshold is None or not len(off) or not len(on):
        return None
    mean = [float(dwells.length_s[dwells.state == state].mean()) for state in (0, 1)]
    return delays(threshold, float(off[-1]), float(on[0]), *mean)


def _numbers(found: Blinking, wrong: float | None, notes: list[str]) -> dict[str, Any]:
    """Plain numbers of on and off; those that shot noise makes are withheld."""
    signal = found.telegraph
    numbers = {"on_fraction": signal.on_fraction, "changes_per_s": signal.changes_per_s}
    stays = {"off": (signal.mean_off_s, signal.leave_off_per_s), "on": (signal.mean_on_s, signal.leave_on_per_s)}
    doubt = None
    if signal.changes and wrong is not None and wrong > MOST_FALSE * signal.changes:
        doubt = f"shot noise alone makes about {wrong:.3g} of the {signal.changes} changes; longer bins would tell"
        notes.append(doubt)
        numbers["changes_per_s"] = unknown(doubt)
    plain: dict[str, Any] = {key: one.plain() for key, one in numbers.items()}
    plain |= {"changes": signal.changes, "missed": signal.missed}
    for state, (name, laws) in enumerate((("off", found.off), ("on", found.on))):
        told = _laws(laws, found.dwells, state, doubt)
        mean, leave = stays[name] if doubt is None else (unknown(doubt), unknown(doubt))
        told["mean_dwell_s"], told["leave_per_s"] = mean.plain(), leave.plain()
        plain[name] = told
    return plain


def _laws(laws: DwellLaws, dwells: Dwells, state: int, doubt: str | None) -> dict[str, Any]:
    """One state's dwells and laws, as plain JSON."""
    complete = dwells.of(state)[1]
    one = {key: unknown(doubt) if doubt else getattr(laws, key) for key in ("exponent", "cut_exponent", "cutoff_s")}
    return {
        "dwells": int(complete.sum()),
        "law": None if doubt else laws.law,
        "bic": {name: float(bic) for name, bic in laws.bic.items()},
        "exponent": one["exponent"].plain(),
        "cut_exponent": one["cut_exponent"].plain(),
        "cutoff_s": one["cutoff_s"].plain(),
        "shortest_s": laws.shortest_s if math.isfinite(laws.shortest_s) else None,
        "longest_s": laws.longest_s if math.isfinite(laws.longest_s) else None,
        "p_value": laws.p_value,
        "reason": doubt or laws.reason,
    }


def _curves(rows: dict[str, tuple[Dwells, int]], segments: _Segments) -> list[Result]:
    """Survival and density of the dwells of each row."""
    all_of = {name: dwells.of(state) for name, (dwells, state) in rows.items()}
    longest = max((float(length.max()) for length, _ in all_of.values() if len(length)), default=0.0)
    shortest = min((float(length.min()) for length, _ in all_of.values() if len(length)), default=0.0)
    if longest <= 0 or shortest <= 0:
        return []
    if segments.fixed:
        bins = np.unique(np.rint(np.geomspace(1, max(2, longest / (segments.ticks * segments.tick_s)), POINTS)))
        # Survival falls at whole bins; read just above them.
        time = bins * segments.ticks * segments.tick_s * (1 + 1e-9)
    else:
        time = np.geomspace(shortest, longest, POINTS)
    share = np.stack([survival(*one).at(time) for one in all_of.values()])
    curve = Result(
        "dwell_survival", "curves", (Axis("dwell", "s", time),),
        {"survival": share[:, :, 0], "low": share[:, :, 1], "high": share[:, :, 2]}, tuple(rows),
    )  # fmt: skip
    found = [density(length[complete]) for length, complete in all_of.values()]
    length = np.unique(np.concatenate([one[0] for one in found]))
    if not len(length):
        return [curve]
    per_s, number = np.full((len(rows), len(length)), np.nan), np.zeros((len(rows), len(length)))
    for row, (at, value, many) in enumerate(found):
        place = np.searchsorted(length, at)
        per_s[row, place], number[row, place] = value, many
    density_curve = Result(
        "dwell_density", "curves", (Axis("dwell", "s", length),), {"per_s": per_s, "dwells": number}, tuple(rows)
    )
    return [curve, density_curve]


def _against(wider: dict[str, Floats]) -> Result:
    """Curves over the width of the bin: one row per number, its limits beside it."""
    names = ("on_fraction", "changes_per_s", "off_exponent", "on_exponent", "off_dwells", "on_dwells")
    nothing = np.full(len(wider["bin_s"]), np.nan)
    data = {
        key: np.stack([wider.get(name + end, nothing) for name in names])
        for key, end in (("value", ""), ("low", "_low"), ("high", "_high"))
    }
    return Result("blinking_bins", "curves", (Axis("bin", "s", wider["bin_s"]),), data, names)


def lines(values: dict[str, Any]) -> list[str]:
    """For the terminal; each reason once, at the end."""
    why: dict[str, None] = {}
    share = values["on_fraction"]
    if "off" not in values:
        return [f"blinking  {share['reason']}", *(f"  {note}" for note in values["notes"])]
    end = values["bleached"]
    when = f"{end['time_s']:.3g} s before bleaching" if end["seen"] and end["time_s"] is not None else "time"
    told = [f"blinking  on ({', '.join(values['on_states'])}) {_told(share, why, 100)} % of the {when}, "
            f"{_told(values['changes_per_s'], why)} changes/s"]  # fmt: skip
    for name in ("on", "off"):
        one = values[name]
        told.append(f"  {name:<3} {one['dwells']} dwells, mean {_told(one['mean_dwell_s'], why)} s; {_law(one, why)}")
    told.append(f"  bleaching: {values['bleached']['told']}")
    return told + [f"  {note}" for note in dict.fromkeys([*why, *values["notes"]])]


def _law(one: dict[str, Any], why: dict[str, None]) -> str:
    if one["reason"]:
        why[one["reason"]] = None
    if one["law"] is None:
        return "no law"
    text = one["law"]
    if one["law"] == POWER:
        text = f"power law, exponent {_told(one['exponent'], why)}"
    elif one["law"] == CUT_OFF:
        text = f"power law, exponent {_told(one['cut_exponent'], why)}, cut-off {_told(one['cutoff_s'], why)} s"
    return f"{text} (from {one['shortest_s']:.3g} s on)"


def _told(one: dict[str, Any], why: dict[str, None], factor: float = 1.0) -> str:
    """A number with its limits; why there are none goes to `why`."""
    if one["reason"]:
        why[one["reason"]] = None
    if one["value"] is None:
        return "-"
    ends = ["?" if one[end] is None else f"{one[end] * factor:.4g}" for end in ("low", "high")]
    return f"{one['value'] * factor:.4g} [{', '.join(ends)}]"
