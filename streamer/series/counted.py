"""One recording of a series, counted: its numbers by state, and what of it can be added to other recordings'."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from streamer.answers import Answers, plain
from streamer.batch import analyse
from streamer.cuts import state_rows
from streamer.errors import InputError
from streamer.estimators.g2 import CwZero
from streamer.estimators.intervals import poisson_interval
from streamer.layout import Layout
from streamer.pipeline import Pipeline
from streamer.plan import Plan
from streamer.series.reading import Run
from streamer.summary import zero_values

BLOCKS = (20, 10, 5)  # of a run, whose scatter shows what its count rate does beyond counting noise
BRIGHTEST = "brightest"  # state of any recording
CERTAIN = 0.99  # with which the scatter must exceed counting noise to be taken for more


@dataclass(frozen=True, slots=True, eq=False)
class Addable:
    """Counts that add over recordings of one emitter, rows: all, then each state.

    Attributes:
        rows: names.
        plan: how they were counted.
        peaks, peaks_expected: int64, float64[rows, lags]; None for cw and without pairs.
        window, window_expected: int64, float64[rows], pairs within the cw window, accidental ones; None if pulsed.
        decays: int64[rows, detectors, nanotime bins]; None in T2.
        t0_ns: raw channel -> nanotime of the excitation.
        overlap: for each row, why the peaks of neighbouring pulses cannot be told apart; None where they can.
        window_ns: width of the cw window; 0.0 if pulsed.
        switching: share of the segments in which the emitter switched between states.
        withheld: why its pairs are in doubt; None where they are not.
    """

    rows: tuple[str, ...]
    plan: Plan
    peaks: NDArray[np.int64] | None
    peaks_expected: NDArray[np.float64] | None
    window: NDArray[np.int64] | None
    window_expected: NDArray[np.float64] | None
    decays: NDArray[np.int64] | None
    t0_ns: dict[int, float | None]
    overlap: tuple[str | None, ...]
    window_ns: float
    switching: float
    withheld: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """One recording.

    Attributes:
        run: what it is.
        summary: its JSON object; {} where it was refused.
        rows: state -> quantity -> number, "all" first; see `row_values`.
        addable: None where it was refused.
        refused: why it could not be read; None where it could.
    """

    run: Run
    summary: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    addable: Addable | None
    refused: str | None = None

    def row(self, state: str) -> dict[str, Any] | None:
        """The numbers of a state, "brightest" being the last; None where there is none of that name."""
        return self.rows.get(list(self.rows)[-1] if state == BRIGHTEST and self.rows else state)


def count(run: Run, folder: str | None = None) -> Counted:
    """Count a recording; one that cannot be read is refused with its reason. A worker process can run it."""
    try:
        pipeline = analyse(run.address, run.settings, run.options)
        studied = pipeline.study()
    except InputError as error:
        return Counted(run, {}, {}, None, str(error))
    answers = pipeline.answers()
    summary = pipeline.summary(answers, studied=studied)
    if folder is not None:
        from pathlib import Path

        from streamer.registry import load_sink

        load_sink("folder")(Path(folder), pipeline.results(studied=studied))
    rows = {name: row_values(pipeline, answers, at) for at, name in enumerate(answers.rows)}
    return Counted(run, summary, rows, _addable(answers, pipeline))


def row_values(pipeline: Pipeline, answers: Answers, row: int) -> dict[str, Any]:
    """Numbers of all photons (row 0) or of a state.

    rate_cps, rate_error_cps, rate_low_cps, rate_high_cps; lifetime_ns with error and interval; one_over_e_ns;
    g2_0 with its interval, central, side_pairs and weight (side pairs to a central one at g2(0) = 1), reason.
    """
    photons, seconds = int(answers.photons[row].sum()), float(answers.time_s[row])
    known = seconds > 0 and "times" not in answers.doubts
    error = sqrt(photons) / seconds if known else None
    low, high = (limit / seconds for limit in poisson_interval(photons, 1.0)) if known else (None, None)
    if known and error is not None:
        slow = slow_error(_segments(pipeline, answers, row), pipeline.plan.layout)
        if slow is not None and slow > error:
            error, low, high = slow, None, None
    values: dict[str, Any] = {
        "rate_cps": photons / seconds if known else None, "rate_error_cps": error, "rate_low_cps": low,
        "rate_high_cps": high, "photons": photons, "time_s": seconds,
        "photons_per_detector": [int(one) for one in answers.photons[row]],
    }  # fmt: skip
    if answers.decays is not None:
        lifetime, one_over_e = answers.decays.lifetimes[row], answers.decays.one_over_e[row]
        values |= {
            "lifetime_ns": plain(lifetime.value_ns), "lifetime_error_ns": plain(lifetime.error_ns),
            "lifetime_low_ns": plain(lifetime.low_ns), "lifetime_high_ns": plain(lifetime.high_ns),
            "lifetime_reason": lifetime.reason, "one_over_e_ns": plain(one_over_e.value_ns),
        }  # fmt: skip
    if answers.correlations:
        correlation = answers.correlations[0]
        zero = zero_values(correlation, row)
        values |= {"g2_0": zero["g2_0"], "g2_low": zero["low"], "g2_high": zero["high"], "g2_reason": zero["reason"]}
        if correlation.peaks is not None and zero["g2_0"] is not None and zero["side_mean"]:
            side = int(correlation.peaks[row].sum()) - int(zero["central"])
            values |= {"central": int(zero["central"]), "side_pairs": side, "weight": side / zero["side_mean"]}
    return values


def _segments(pipeline: Pipeline, answers: Answers, row: int) -> NDArray[np.int64]:
    """Those of all photons (row 0) or of a state."""
    segments = pipeline.tables["sequence"]["segments"]
    if row == 0:
        return segments
    levels = state_rows(pipeline.plan.layout.scale, answers.thresholds_cps)[row - 1]
    return segments[(segments[:, 2] >= levels.start) & (segments[:, 2] < levels.stop)]


def slow_error(segments: NDArray[np.int64], layout: Layout) -> float | None:
    """Standard error of the mean rate by the scatter of equal blocks of the time in the segments, counts/s.

    The largest of those of BLOCKS of different sizes, as neighbouring blocks are alike where the rate wanders slowly.
    None where it is no more than counting noise. A rate that wanders more slowly than the longest block is known no
    better than the few blocks tell.
    """
    seconds = np.append(0.0, np.cumsum((segments[:, 1] - segments[:, 0]) * layout.tick_s))
    photons = np.append(0.0, np.cumsum(segments[:, 3:].sum(axis=1).astype(np.float64)))
    if seconds[-1] <= 0 or photons[-1] <= 0:
        return None
    rate, errors = photons[-1] / seconds[-1], []
    for n in BLOCKS:
        counts = np.diff(np.interp(np.linspace(0.0, seconds[-1], n + 1), seconds, photons))
        scatter = float(np.sum((counts - photons[-1] / n) ** 2 / (photons[-1] / n)))
        if scatter >= chi2.ppf(CERTAIN, n - 1):
            errors.append(sqrt(rate / seconds[-1] * scatter / (n - 1)))
    return max(errors, default=None)


def _addable(answers: Answers, pipeline: Pipeline) -> Addable:
    pair = answers.correlations[0] if answers.correlations else None
    pulsed = pair is not None and pair.peaks is not None
    window = expected = None
    if pair is not None and not pulsed:
        zeros = [zero_values(pair, row) for row in range(len(answers.rows))]
        if pair.withheld is None:
            window = np.array([zero["central"] for zero in zeros], np.int64)
            expected = np.array([zero["side_mean"] or 0.0 for zero in zeros])
    decays = answers.decays
    return Addable(
        answers.rows, pipeline.plan, pair.peaks if pair is not None else None,
        pair.peaks_expected if pair is not None else None, window, expected,
        None if decays is None else decays.counts, {} if decays is None else decays.t0_ns,
        pair.overlap if pair is not None else (None,) * len(answers.rows),
        next((zero.window_ns for zero in pair.zero if isinstance(zero, CwZero)), 0.0) if pair is not None else 0.0,
        float(answers.mixture.switching) if answers.mixture is not None else 0.0,
        pair.withheld if pair is not None else "no pairs were counted",
    )  # fmt: skip
