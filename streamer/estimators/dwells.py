"""Dwells: stretches of time in one state, from a list of segments; their density and survival, without any law."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.errors import InputError

Floats = NDArray[np.float64]
MOST_LENGTHS = 300  # different lengths in a density; more are put into classes of equal ratio


@dataclass(frozen=True, slots=True, eq=False)
class Dwells:
    """Dwells in time order; parallel arrays.

    Attributes:
        state: int64[n].
        start_s, length_s: float64[n].
        begun, ended: bool[n]: the change into it, and out of it, was seen. An unbroken stretch of time begins with a
            dwell that is not begun and ends with one that is not ended.
    """

    state: NDArray[np.int64]
    start_s: Floats
    length_s: Floats
    begun: NDArray[np.bool_]
    ended: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of dwells."""
        return len(self.state)

    @property
    def span_s(self) -> float:
        """Time that they fill."""
        return float(self.length_s.sum())

    @property
    def changes(self) -> int:
        """Changes of state that were seen."""
        return int(self.begun.sum())

    def of(self, state: int) -> tuple[Floats, NDArray[np.bool_]]:
        """(lengths in s, complete) of the dwells of a state whose beginning was seen."""
        chosen = (self.state == state) & self.begun
        return self.length_s[chosen], self.ended[chosen]

    def until(self, time_s: float) -> Dwells:
        """The dwells that began before `time_s`; the last is cut off by it, as its end is no change of state."""
        kept = self.start_s < time_s
        ended = self.ended[kept].copy()
        if len(ended):
            ended[-1] = False
        length = np.minimum(self.length_s[kept], time_s - self.start_s[kept])
        return Dwells(self.state[kept], self.start_s[kept], length, self.begun[kept], ended)


def join_dwells(
    start: NDArray[np.int64], stop: NDArray[np.int64], state: NDArray[np.int64], tick_s: float, origin: int = 0
) -> Dwells:
    """Join neighbouring segments of one state.

    Args:
        start, stop: int64[n], ticks, in time order. Where a segment does not begin at the end of the last, time is
            missing and a new stretch begins.
        state: int64[n]; below 0: not known, which breaks the stretch, too.
        tick_s: length of a tick.
        origin: tick from which times count.
    """
    known = state >= 0
    start, stop, state = start[known], stop[known], state[known]
    if not len(start):
        none, no = np.empty(0), np.empty(0, bool)
        return Dwells(np.empty(0, np.int64), none, none, no, no)
    joined = start[1:] == stop[:-1]
    first = np.concatenate([[0], np.flatnonzero((state[1:] != state[:-1]) | ~joined) + 1])
    last = np.append(first[1:], len(start)) - 1
    begun = np.concatenate([[False], joined[first[1:] - 1]])
    return Dwells(
        state[first].astype(np.int64),
        (start[first] - origin) * tick_s,
        (stop[last] - start[first]) * tick_s,
        begun,
        np.append(begun[1:], False),
    )


def on_off_threshold(background_cps: float, bin_s: float, n_sigma: float, error_cps: float = 0.0) -> float:
    """Count rate `n_sigma` standard deviations of a bin above the background: on above it, off below.

    Args:
        background_cps: of all analysed channels.
        bin_s: length of a bin.
        n_sigma: 2 to 3 by custom. Of a dark bin 2.3 % and 0.13 % are then taken for bright (at many counts).
        error_cps: standard error of the background.

    Raises:
        InputError: a value below 0, or a bin without length.
    """
    for name, value in {"background_cps": background_cps, "on_off_sigma": n_sigma, "its error": error_cps}.items():
        if not 0 <= value < math.inf:
            raise InputError(f"{name}: must be a number, 0 or more, got {value}; correct it")
    if not 0 < bin_s < math.inf:
        raise InputError(f"bin_ms: must be above 0, got {bin_s * 1e3} ms; correct it")
    return background_cps + n_sigma * math.hypot(math.sqrt(background_cps / bin_s), error_cps)


def edge(threshold_cps: float, dark_cps: float, bright_cps: float) -> float:
    """By how many bins a bright dwell looks longer, and a dark one shorter: -1 to 1, 0 for a threshold halfway.

    A bin in which the emitter changes is bright when more than (threshold - dark) / (bright - dark) of it was.
    """
    if not bright_cps > dark_cps:
        return 0.0
    return float(np.clip(1 - 2 * (threshold_cps - dark_cps) / (bright_cps - dark_cps), -1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """Share of the dwells that are longer than a time.

    Attributes:
        time_s: float64[n], ascending lengths of complete dwells.
        share: float64[n], just behind each.
        low, high: float64[n], 95 % limits, each time for itself; NaN behind the longest dwell where nobody is left.
    """

    time_s: Floats
    share: Floats
    low: Floats
    high: Floats

    def at(self, time_s: Floats) -> Floats:
        """Share at any times, float64[m, 3]: value, low, high; NaN beyond the longest complete dwell."""
        place = np.searchsorted(self.time_s, time_s, side="right")
        table = np.stack([np.append(1.0, one) for one in (self.share, self.low, self.high)], axis=1)
        found = table[np.minimum(place, len(self.time_s))]
        found[time_s > (self.time_s[-1] if len(self.time_s) else -1.0)] = np.nan
        return found


def survival(length_s: Floats, complete: NDArray[np.bool_]) -> Survival:
    """Kaplan-Meier estimate with log-log limits by Greenwood's variance (Kaplan & Meier, J. Am. Stat. Assoc. 53, 457).

    Args:
        length_s: float64[n], dwells whose beginning was seen.
        complete: bool[n], whose end was seen too.
    """
    time, place = np.unique(length_s, return_inverse=True)
    ends = np.bincount(place, complete, len(time)) if len(time) else np.empty(0)
    left = np.bincount(place, minlength=len(time))[::-1].cumsum()[::-1] if len(time) else np.empty(0)
    hit = ends > 0
    time, ends, left = time[hit], ends[hit], left[hit]
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Floats = np.cumprod(1 - ends / left, dtype=np.float64)
        spread = np.sqrt(np.cumsum(ends / (left * (left - ends)))) / np.abs(np.log(share))
        low, high = share ** np.exp(1.96 * spread), share ** np.exp(-1.96 * spread)
    return Survival(time, share, low, high)


def density(length_s: Floats) -> tuple[Floats, Floats, Floats]:
    """Probability density of complete dwells, each length weighted by the room between its neighbours.

    P(t_n) = N(t_n) / N / ((t_{n+1} - t_{n-1}) / 2), Kuno et al., J. Chem. Phys. 115, 1028 (2001): where lengths are
    rare, one of them stands for all the empty ones about it. At either end the room is that to the only neighbour.

    Returns:
        lengths in s, density per s, number of dwells; float64[m], m at most MOST_LENGTHS: more different lengths than
        that are put into classes of equal ratio first, at their mean.
    """
    time, number = np.unique(length_s, return_counts=True)
    if len(time) > MOST_LENGTHS:
        marks = np.geomspace(time[0], time[-1], MOST_LENGTHS)
        place = np.searchsorted(marks, time, side="right")
        held = np.bincount(place, number)
        total = np.bincount(place, number * time)
        time, number = total[held > 0] / held[held > 0], held[held > 0]
    if len(time) < 2:
        return time, np.full(len(time), np.nan), number.astype(float)
    room = np.concatenate([[time[1] - time[0]], (time[2:] - time[:-2]) / 2, [time[-1] - time[-2]]])
    return time, number / number.sum() / room, number.astype(float)
