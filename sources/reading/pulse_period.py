"""Pulse period: the laser's period from the tags of its sync, be they all pulses, every N-th, or those near photons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

MIN_INTERVALS = 32
DRIFT = 1e-7  # a laser's period, and the device's clock, are taken to be steady to this share over a second
AMBIGUOUS = 0.2  # of a period: with more error than this the number of pulses between two tags is not known
_REGULAR = 0.5  # share of intervals alike from which they are one step each
_SHORTEST = 1 << 12  # so many of the shortest intervals show the comb
_SPECTRUM = 1 << 20  # bins of their histogram
_COHERENCE = 0.3  # of 1; as many intervals without a period give 0.06 at most
_SAME_COMB = 0.7  # of the highest line: the lowest line this high is the fundamental, the others are its harmonics
_FEWEST_TICKS = 8  # of a period; less cannot be told apart
_MOST_JITTER = 0.05  # of a period, of a laser's sync
_MOST_STRAY = 0.2  # share of intervals that are no multiple of the period
_FROM_HINT = 0.01  # by which a given period may be wrong
_REGULAR_TAGS = 0.9  # share of intervals of one step from which a missing tag is a fault
_PHASE_STEPS = 1000  # from a sync tag to a photon at most, for the photon's phase to be sure
_MOST_PULSES = 2048  # of a step that are looked for
_LINE_OVER_NOISE, _LINE_OVER_LOWER = 10.0, 4.0


@dataclass(frozen=True, slots=True)
class PulsePeriod:
    """What the tags of a sync tell; times in ticks.

    Attributes:
        period: mean time between two pulses of the laser.
        error: relative, of the period (three standard deviations, and drift).
        jitter: standard deviation of an interval between two tags (sqrt 2 of one tag's).
        regular: the tags are all pulses, or every N-th, hardly one missing; else some pulses only.
    """

    period: float
    error: float
    jitter: float
    regular: bool


def find_pulse_period(intervals: NDArray[np.int64], divider: int, hint: float | None, place: str) -> PulsePeriod:
    """The period of a comb of which each interval is a whole number of steps; a step is `divider` pulses.

    Args:
        intervals: int64[n], ticks between successive sync tags, over no gap.
        divider: every so many pulses were recorded at most.
        hint: the period in ticks to within 1 %, where it is known.
        place: file and channel, for messages.

    Raises:
        InputError: too few intervals, or no comb.
    """
    d = np.sort(intervals[intervals > 0]).astype(np.float64)
    if len(d) < MIN_INTERVALS:
        raise InputError(
            f"{place}: must have at least {MIN_INTERVALS + 1} laser pulses to be turned into pulses, got "
            f"{len(d) + 1 if len(d) else 0} tags; name the channel of the laser sync"
        )
    step, error = _first_guess(d, divider, hint, place)
    step, sigma, error = _refined(d, step, error)
    counted = d[d < AMBIGUOUS / error * step]
    n = np.rint(counted / step)
    good = (n > 0) & (np.abs(counted - n * step) <= 8 * sigma + counted * error)
    period = step / divider
    if not len(counted) or good.mean() < 1 - _MOST_STRAY or sigma > _MOST_JITTER * period:
        share = 100 * good.mean() if len(counted) else 0.0
        raise InputError(
            f"{place}: is not a laser's: {share:.0f} % of its intervals are multiples of {period:.6g} ticks, with a "
            f"jitter of {100 * sigma / period:.2g} % of it; name the channel of the laser sync, or give "
            "pulse_period_ns"
        )
    step = float(counted[good].sum() / n[good].sum())
    error = DRIFT + 3 * sigma / float(counted[good].sum())
    return PulsePeriod(step / divider, error, sigma, bool((n == 1).mean() > _REGULAR_TAGS))


def find_comb(since: NDArray[np.int64], step: float) -> int | None:
    """At how many evenly spaced times within a step photons come, or None where they are too few to tell.

    1 says once, so that a step is the laser's period; N says N pulses to a step, of which the sync tells only one.

    Args:
        since: int64[n], ticks from a sync tag to a photon of one detector.
        step: ticks between two sync tags, none missing.
    """
    near = since[since < _PHASE_STEPS * step]
    bins = 8 * _MOST_PULSES
    phase = ((near / step) % 1.0 * bins).astype(np.int64)
    line = np.abs(np.fft.rfft(np.bincount(np.minimum(phase, bins - 1), minlength=bins)))[1 : _MOST_PULSES + 1]
    if not len(near) or line.max() < _LINE_OVER_NOISE * math.sqrt(len(near)):
        return None
    line = np.maximum(line, math.sqrt(len(near)))
    strongest = int(line.argmax())
    first = int(np.flatnonzero(line >= _SAME_COMB * line[strongest])[0])
    return first + 1 if first == 0 or line[first] > _LINE_OVER_LOWER * line[:first].max() else 1


def _first_guess(d: NDArray[np.float64], divider: int, hint: float | None, place: str) -> tuple[float, float]:
    """(step, its relative error) from intervals in ascending order."""
    middle = float(d[len(d) // 2])
    alike = d[np.abs(d - middle) < 0.1 * middle]
    if len(alike) > _REGULAR * len(d) and (hint is None or abs(middle / (hint * divider) - 1) < _FROM_HINT):
        step = float(np.median(alike))
        return step, max(float(np.abs(alike - step).mean()) / step, 1 / step) * 3 / math.sqrt(len(alike)) + DRIFT
    short = d[: min(_SHORTEST, max(MIN_INTERVALS, 3 * len(d) // 4))]
    span = float(short[-1] - short[0]) + 1
    width = max(1, math.ceil(span / _SPECTRUM))
    bins = 1 << max(10, math.ceil(math.log2(span / width)) + 1)
    histogram = np.bincount(((short - short[0]) // width).astype(np.int64), minlength=bins)
    line = np.abs(np.fft.rfft(histogram)) / len(short)
    lowest = 0.9 / float(d[len(d) // 100])  # no step is longer than the shortest interval
    highest = 1 / (_FEWEST_TICKS * max(1, width // 2))
    if hint is not None:
        lowest, highest = (share / (hint * divider) for share in (1 - _FROM_HINT, 1 + _FROM_HINT))
    first, last = math.ceil(lowest * bins * width), min(int(highest * bins * width) + 1, len(line))
    part = line[first:last]
    if not len(part) or part.max() < _COHERENCE:
        raise InputError(
            f"{place}: its tags are not periodic, so are not the laser's; name the channel of the laser sync, "
            + ("or give pulse_period_ns" if hint is None else "or correct pulse_period_ns")
        )
    peak = first + int(np.flatnonzero(part >= _SAME_COMB * part.max())[0])
    top = min(peak + 3, last)
    peak += int(line[peak:top].argmax())  # up the flank
    step = bins * width / peak
    return step, step / (4 * span) + DRIFT


def _refined(d: NDArray[np.float64], step: float, error: float) -> tuple[float, float, float]:
    """(step, standard deviation of an interval, relative error of the step), over ever longer intervals."""
    sigma = 0.0
    for _ in range(40):
        used = d[: max(MIN_INTERVALS // 2, int(np.searchsorted(d, AMBIGUOUS / error * step)))]
        n = np.maximum(np.rint(used / step), 1)
        rest = used - n * step
        sigma = max(1.4826 * float(np.median(np.abs(rest - np.median(rest)))), 0.5)
        good = np.abs(rest) <= 5 * sigma + used * error
        if good.sum() < MIN_INTERVALS // 2:
            break
        weight = float((n[good] ** 2).sum())
        step = float((used[good] * n[good]).sum()) / weight
        now = 3 * sigma / math.sqrt(weight) / step + DRIFT
        if now > 0.9 * error and len(used) == len(d[: int(np.searchsorted(d, AMBIGUOUS / now * step))]):
            return step, sigma, now
        error = min(now, error)
    return step, sigma, error
