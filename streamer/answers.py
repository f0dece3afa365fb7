"""Answers: one cut through the tables, as numbers with errors; a pure function of tables, plan and cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.accumulators.exposure import FIXED
from streamer.cuts import Cut, state_rows, sum_rows
from streamer.decays import Decays, find_lifetimes, overlap_of, rest, switched
from streamer.estimators import g2 as g2_estimators
from streamer.estimators.alignment import DelayOffer, find_delay
from streamer.estimators.g2 import CwZero, GatedG2, PulsedG2
from streamer.estimators.grouped_states import mixture_of
from streamer.estimators.grouping import group_segments
from streamer.estimators.resting import resting_levels
from streamer.estimators.states import Mixture, State, fit_mixture, states_from_thresholds
from streamer.layout import Layout
from streamer.plan import Plan

Tables = Mapping[str, Mapping[str, NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """One channel pair, every row: all pairs, then each state's.

    A state's pairs are those of the segments in which the emitter rested in it, where these can be told; see
    `streamer.estimators.resting`.

    Attributes:
        pair: (a, b).
        tau_counts: int64[rows, tau bins].
        tau_g2: float64[rows, tau bins], over the accidental pairs expected segment by segment (whole run for all).
        tau_expected: float64[rows, tau bins], these accidental pairs.
        peaks, peaks_expected: [rows, lags] pairs and segment reference; None for cw.
        gates: one per row; None without nanotime.
        zero: one per row: pulsed or cw.
        overlap: one per row: why the peaks of neighbouring pulses cannot be told apart; None where they can.
        withheld: why none of its numbers is given; None where they are.
        time_s, photons: float64[rows], int64[rows, 2], of the segments whose pairs are counted.
    """

    pair: tuple[int, int]
    tau_counts: NDArray[np.int64]
    tau_g2: NDArray[np.float64]
    tau_expected: NDArray[np.float64]
    peaks: NDArray[np.int64] | None
    peaks_expected: NDArray[np.float64] | None
    gates: tuple[GatedG2, ...] | None
    zero: tuple[PulsedG2 | CwZero, ...]
    overlap: tuple[str | None, ...]
    withheld: str | None = None
    time_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    photons: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Everything that one cut says.

    Attributes:
        thresholds_cps: those in force.
        mixture: what the trace itself says of its states; None when thresholds were given by hand.
        states: darkest first.
        time_s, photons: float64[1 + states], int64[1 + states, detectors]; all, then each state.
        decays: None in T2.
        correlations: one per pair.
        offer: the displaced centre of the first pair, looked for where nobody has yet; None elsewhere.
        doubts: what of it was withheld, as in StreamInfo; see streamer.withhold.
        notes: what should be said of its numbers, one line each.
    """

    thresholds_cps: tuple[float, ...]
    mixture: Mixture | None
    states: tuple[State, ...]
    time_s: NDArray[np.float64]
    photons: NDArray[np.int64]
    decays: Decays | None
    correlations: tuple[Correlation, ...]
    offer: DelayOffer | None
    doubts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the rows."""
        return ("all", *(state.name for state in self.states))


def find_states(tables: Tables, layout: Layout, cut: Cut) -> tuple[tuple[float, ...], Mixture | None]:
    """(thresholds, mixture) of a cut; the mixture is None where the thresholds are given by hand."""
    if cut.thresholds_cps is not None:
        return cut.thresholds_cps, None
    scale = layout.scale
    if layout.fixed:
        mixture = fit_mixture(at_levels(tables, layout), scale.edges, scale.seconds, cut.states)
    else:
        lines = tables["sequence"]["segments"]
        lines = lines[lines[:, 2] < scale.n]
        length = lines[:, 1] - lines[:, 0]
        joined = np.append(False, lines[1:, 0] == lines[:-1, 1])
        counts = lines[:, 3:].sum(axis=1)
        grouping = group_segments(counts, length.astype(np.float64) * layout.tick_s, cut.states, joined=joined)
        mixture = mixture_of(grouping, counts, length, joined, scale.edges, scale.ticks, scale.tick_s)
    return tuple(float(rate) for rate in mixture.thresholds_cps), mixture


def at_levels(tables: Tables, layout: Layout) -> NDArray[np.int64]:
    """What each level holds, int64[n]: fixed bins of full length, or the ticks of segments of any length."""
    return tables["exposure"]["time"][: layout.scale.n, 2 if layout.fixed else 0]


def answer(tables: Tables, plan: Plan, cut: Cut, cw_window_ns: float = 1.0, earlier: Answers | None = None) -> Answers:
    """Every number of the cut.

    Args:
        tables: accumulator name -> table name -> int64 array.
        plan: how they were counted.
        cut: the question.
        cw_window_ns: window about zero delay for cw light.
        earlier: answers to the same cut from a moment ago. What takes long and changes little (states, lifetimes,
            gates) is
            taken over from them; counts and g2(0) are new.
    """
    layout = plan.layout
    thresholds, mixture = (
        find_states(tables, layout, cut) if earlier is None else (earlier.thresholds_cps, earlier.mixture)
    )
    time = tables["exposure"]["time"]
    states = states_from_thresholds(thresholds, at_levels(tables, layout), layout.scale.edges, layout.scale.seconds)
    rows = occupied(state_rows(layout.scale, thresholds), time)
    rests = rests_of(plan, rows, mixture)
    decays = None
    if "lifetime" in tables:
        counts = sum_parts(tables["lifetime"]["decay"], rows)
        if earlier and earlier.decays:
            decays = replace(earlier.decays, counts=counts)
        else:
            decays = lifetimes_of(tables, plan, rows, rests, counts, mixture)
    offer = earlier.offer if earlier else _offer(tables, plan)
    kept = [None] * len(layout.pairs) if earlier is None else [one.gates for one in earlier.correlations]
    return Answers(
        thresholds,
        mixture,
        states,
        sum_rows(time[:, 0], rows) * np.float64(layout.tick_s),
        sum_rows(tables["exposure"]["photons"], rows),
        decays,
        tuple(
            _correlation(tables, layout, rows, rests, p, cw_window_ns, kept[p], decays)
            for p in range(len(layout.pairs))
        ),
        offer,
    )


def rests_of(plan: Plan, rows: list[slice], mixture: Mixture | None) -> list[slice]:
    """Of each state the levels at which the emitter rested in it, where states explain the trace; else all its own."""
    if mixture is None or not (plan.layout.fixed and mixture.fits and mixture.switching and len(mixture.rates_cps) > 1):
        return rows
    scale = plan.layout.scale
    return resting_levels(mixture.rates_cps, rows, scale.edges, scale.seconds)


def lifetimes_of(
    tables: Tables,
    plan: Plan,
    rows: list[slice],
    rests: list[slice],
    counts: NDArray[np.int64],
    mixture: Mixture | None,
) -> Decays:
    """Lifetimes of every row; a state's from the levels `rests`. `counts` are those of all its levels, and shown."""
    time, scale = tables["exposure"]["time"], plan.layout.scale
    rested = counts if rests == rows else sum_parts(tables["lifetime"]["decay"], rows, rests)
    decays = find_lifetimes(rested, plan)
    if plan.layout.fixed and mixture is not None and mixture.fits and len(mixture.rates_cps) > 1:
        decays = rest(decays, mixture, int(time[: scale.n, 2].sum()), scale.seconds)
    else:
        decays = switched(decays, mixture)
    return replace(decays, counts=counts, rested=rested, seconds=_seconds(time, plan.layout, rests))


def _seconds(time: NDArray[np.int64], layout: Layout, rests: list[slice]) -> NDArray[np.float64]:
    """Live time of all segments, and of those at the levels of each state, float64[rows]."""
    return np.array([time[:, 0].sum(), *(time[one, 0].sum() for one in rests)]) * layout.tick_s


def _offer(tables: Tables, plan: Plan) -> DelayOffer | None:
    """Where the centre of the first pair seems to lie, for streams that could not be looked at beforehand."""
    layout = plan.layout
    if not (plan.search_ns and layout.pairs):
        return None
    period_ns = layout.period * layout.fine_s * 1e9 if layout.pulsed else None
    if layout.pulsed and 2 * layout.tau_width > layout.period:
        return None  # such bins show no peaks
    tau = tables["coincidences"]["tau0"]
    return find_delay(layout.tau_ns(), tau.sum(axis=0), period_ns, max_delay_ns=plan.search_ns)


def occupied(rows: list[slice], time: NDArray[np.int64]) -> list[slice]:
    """The same rows without the empty ones at either end: most levels are never visited and need not be read."""
    seen = np.flatnonzero(time[:-1, 1])
    low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
    return [slice(min(max(r.start, low), high), max(min(r.stop, high), min(max(r.start, low), high))) for r in rows]


def sum_parts(table: NDArray[np.int64], rows: list[slice], rests: list[slice] | None = None) -> NDArray[np.int64]:
    """`sum_rows` where `rows` part all occupied levels: with `mixed` they make the whole, read once.

    A state's own sum is that of its levels in `rests`, slices within its row.
    """
    inner = [table[one].sum(axis=0) for one in rests or rows]
    outer = [
        table[row.start : one.start].sum(axis=0) + table[one.stop : row.stop].sum(axis=0)
        for row, one in zip(rows, rests or rows, strict=True)
        if row != one
    ]
    return np.stack([sum((*inner, *outer), table[-1]), *inner])


def _correlation(
    tables: Tables,
    layout: Layout,
    rows: list[slice],
    rests: list[slice],
    p: int,
    cw_window_ns: float,
    gates: tuple[GatedG2, ...] | None,
    decays: Decays | None,
) -> Correlation:
    tau = sum_parts(tables["coincidences"][f"tau{p}"], rows, rests)
    products = sum_parts(tables["exposure"]["products"][:, p], rows, rests) / FIXED
    whole = tables["exposure"]["time"][:, 0].sum()
    photons = tables["exposure"]["photons"].sum(axis=0)
    a, b = (int(photons[layout.detector_of[channel]]) for channel in layout.pairs[p])
    seconds = _seconds(tables["exposure"]["time"], layout, rests)
    detectors = [layout.detector_of[channel] for channel in layout.pairs[p]]
    clicks = sum_parts(tables["exposure"]["photons"], rows, rests)[:, detectors]
    tau_ns = layout.tau_ns()
    bin_ns, tick_ns, nominal = layout.tau_width * layout.fine_s * 1e9, layout.tick_s * 1e9, layout.scale.ticks
    curves, expected = [], []
    for row, (first, second) in enumerate(products):
        s1, s2 = first / (nominal * tick_ns), second / (nominal * tick_ns) ** 2
        if row == 0 and whole:
            s1, s2 = a * b / (whole * tick_ns), a * b / (whole * tick_ns) ** 2
        curve = g2_estimators.cw_g2(tau_ns, tau[row], s1, s2, bin_ns)
        curves.append(curve.g2)
        expected.append(curve.expected)
    if not layout.pulsed:
        # The curve of all photons is over the rates of the whole run, as in other programs; blinking lifts all of it.
        # Its g2(0) is like those of the states over the pairs to be expected segment by segment.
        own = np.full(len(tau_ns), products[0][0] / (nominal * tick_ns) * bin_ns)
        zero = tuple(
            g2_estimators.cw_zero(tau_ns, counts, reference, cw_window_ns)
            for counts, reference in zip(tau, [own, *expected[1:]], strict=True)
        )
        return Correlation(
            layout.pairs[p], tau, np.stack(curves), np.stack(expected), None, None, None, zero,
            (None,) * len(zero), time_s=seconds, photons=clicks,
        )  # fmt: skip
    gated = sum_parts(tables["coincidences"][f"lags{p}"], rows, rests)
    lags = np.arange(-layout.lags, layout.lags + 1)
    pulses = nominal if layout.mode == "T3" else nominal / layout.period
    reference = np.stack(
        [g2_estimators.expected_pairs(lags, first / pulses, second / pulses**2) for first, second in products]
    )
    peaks = gated.sum(axis=2)
    zeros = tuple(g2_estimators.pulsed_g2(lags, counts, each) for counts, each in zip(peaks, reference, strict=True))
    overlap = tuple(overlap_of(decays, row, layout.period * layout.fine_s * 1e9) for row in range(len(zeros)))
    if layout.mode == "T3" and gates is None:
        gates = tuple(g2_estimators.gated_g2(lags, counts, each) for counts, each in zip(gated, reference, strict=True))
    return Correlation(
        layout.pairs[p], tau, np.stack(curves), np.stack(expected), peaks, reference, gates, zeros, overlap,
        time_s=seconds, photons=clicks,
    )  # fmt: skip


def plain(value: Any) -> Any:
    """NumPy scalars and NaN as plain JSON values (NaN and infinity become None)."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
