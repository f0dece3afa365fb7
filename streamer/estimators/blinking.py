"""Blinking of an emitter that is on or off: laws of its dwells, share on, changes, bleaching, and the bin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from streamer.estimators.bleaching import Bleaching, find_bleaching
from streamer.estimators.change_alarms import detection_delay
from streamer.estimators.dwell_laws import EXPONENTIAL, POWER, DwellLaws, fit_laws, hides
from streamer.estimators.dwells import Dwells, join_dwells
from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.states import BLINK_APART
from streamer.estimators.telegraph import Telegraph, telegraph

SAFE_BINS = 8  # from here on dwells keep their law, though some were joined over shorter ones that bins missed
MOST_EDGE = 0.25  # bins; beyond, dwells of a whole bin are missed as well
MUCH_SHORT = 0.1  # of the dwells, of one or two bins
DARKER, SURE = 0.7, 6.0  # of the dark rate before, and standard deviations below it: what bleached is darker
TELLS = 12.0  # log-likelihood ratio by which a change point is told from chance, about
ABOVE = 3.0  # standard deviations above the background, from which light is an emitter's
LEAST_BINS = 50  # of a wider bin, for it to be tried
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Blinking:
    """Blinking until the emitter bleached, or until the end.

    Attributes:
        dwells: of off (0) and on (1).
        telegraph: share on, changes, mean dwells.
        off, on: laws of the dwells.
        bleaching: how it ended.
        hidden: dwells shorter than a bin are frequent. The laws are then those of SAFE_BINS and more.
    """

    dwells: Dwells
    telegraph: Telegraph
    off: DwellLaws
    on: DwellLaws
    bleaching: Bleaching
    hidden: bool


def blinking(
    dwells: Dwells, bin_s: float | None, edge: float = 0.0, shortest_s: float | None = None, dimmer: str | None = None,
    delay_s: tuple[float, float] | None = None,
) -> Blinking:  # fmt: skip
    """Statistics of on and off dwells.

    Args:
        dwells: of states 0 (off) and 1 (on), of the whole measurement.
        bin_s: the fixed bins; None for segments of any length.
        edge: bins by which an on dwell looks longer than it is (see `streamer.estimators.dwells.edge`).
        shortest_s: shortest dwell that is believed.
        dimmer: see `streamer.estimators.bleaching.find_bleaching`.
        delay_s: how long an off and an on dwell have to last to be seen, where there are no bins.
    """
    # The darkness at the end is judged by the dark dwells before it, which end where it begins.
    last_on = np.flatnonzero(dwells.state == 1)
    dark_from = dwells.start_s[last_on[-1] + 1] if len(last_on) and last_on[-1] + 1 < len(dwells) else math.inf
    before = dwells.until(float(dark_from)) if math.isfinite(dark_from) else dwells
    excess = bin_s is not None and _excess(before, bin_s, edge)
    hidden = excess or hides_short(before, bin_s, edge)
    if hidden and bin_s is not None:
        shortest_s = max(shortest_s or 0.0, SAFE_BINS * bin_s)
    earlier = state_laws(before, 0, bin_s, -edge, shortest_s)
    least = bin_s if bin_s is not None else shortest_s or 0.0
    end = find_bleaching(dwells, earlier, least, dimmer)
    kept = before if end.seen else dwells
    off = earlier if kept is before else state_laws(kept, 0, bin_s, -edge, shortest_s)
    on = state_laws(kept, 1, bin_s, edge, shortest_s)
    # Where few of those seen are that short, few are missed.
    short = [
        float(np.mean(length < 2.5 * bin_s)) if len(length) and bin_s else 0.0 for length, _ in map(kept.of, (0, 1))
    ]
    missing = hidden and max(short) > MUCH_SHORT
    exponential = off.law in (None, EXPONENTIAL), on.law in (None, EXPONENTIAL)
    if excess:
        # An exponential law of the long dwells says nothing of the short ones, which it does not explain.
        missing, exponential = missing or any(exponential), (False, False)
    signal = telegraph(kept, bin_s, edge, exponential, missing, delay_s, off.open_end or on.open_end)
    return Blinking(kept, signal, off, on, end, hidden)


def hides_short(dwells: Dwells, bin_s: float | None, edge: float = 0.0) -> bool:
    """Whether fixed bins miss many dwells, of either state: their neighbours join, which bends both laws."""
    if bin_s is None:
        return False
    return abs(edge) > MOST_EDGE or _excess(dwells, bin_s, edge)


def _excess(dwells: Dwells, bin_s: float, edge: float) -> bool:
    """Whether there are more dwells of one bin, in either state, than the longer ones lead one to expect."""
    return any(hides(*dwells.of(state), bin_s, edge if state else -edge) for state in (0, 1))


def state_laws(
    dwells: Dwells, state: int, bin_s: float | None, edge: float = 0.0, shortest_s: float | None = None,
    laws: Sequence[str] | None = None,
) -> DwellLaws:  # fmt: skip
    """Laws of one state's dwells; `edge` in bins, by which they look longer than they are."""
    length, complete = dwells.of(state)
    named = {} if laws is None else {"laws": laws}
    return fit_laws(length, complete, bin_s, shortest_s, edge * (bin_s or 0.0), dwells.span_s, **named)


def false_changes(rates_cps: Floats, seconds: Floats, threshold_cps: float, bin_s: float) -> float:
    """Changes that shot noise alone makes: bins of a state that fall on the wrong side of the threshold, twice.

    Args:
        rates_cps, seconds: float64[n], rate of each state, and the time spent in it.
        threshold_cps: on at or above it.
        bin_s: length of a bin.
    """
    most = math.ceil(threshold_cps * bin_s - 1e-9) - 1
    mean = rates_cps * bin_s
    wrong = np.where(rates_cps < threshold_cps, poisson.sf(most, mean), poisson.cdf(most, mean))
    return float(2 * wrong @ seconds / bin_s)


def shortest_told(rates_cps: Floats) -> float:
    """Dwell in s from which a change between neighbouring states of these rates is told from chance, twice over."""
    if len(rates_cps) < 2:
        return 0.0
    low, high = np.maximum(rates_cps[:-1], 1e-3), rates_cps[1:]
    told = np.minimum(high * np.log(high / low) - high + low, low * np.log(low / high) - low + high)
    return float(2 * TELLS / max(float(told.min()), 1e-300))


def delays(threshold: float, low_cps: float, high_cps: float, low_s: float, high_s: float) -> tuple[float, float]:
    """How long a dwell at the low and one at the high rate have to last for change points to find them, s.

    Args:
        threshold: of the change points.
        low_cps, high_cps: the two rates.
        low_s, high_s: mean dwell, of which the photons before a change come.
    """
    low = max(low_cps, 1e-3)
    if not high_cps > low:
        return math.inf, math.inf
    down = detection_delay(threshold, low / high_cps, max(high_cps * high_s, 1.0))
    up = detection_delay(threshold, high_cps / low, max(low * low_s, 1.0))
    return (math.inf if down is None else down / low), (math.inf if up is None else up / high_cps)


def darker_since(counts: NDArray[np.int64], seconds: Floats, off: NDArray[np.bool_], first: int) -> str | None:
    """Whether segments from `first` on are darker than the dark ones before, in words; None when not.

    Against the mean of those before whose neighbours are dark: in the others the emitter may have changed.

    Args:
        counts, seconds: int64[n], float64[n], photons and length of each segment.
        off: bool[n], dark segments.
        first: of those since.
    """
    before = off[:first]
    if not before.any() or first >= len(counts):
        return None
    inner = before & np.append(False, before[:-1]) & np.append(before[1:], False)
    # Segments from change to change hold no change, and a dark one has no dark neighbour.
    before = inner if inner.any() or np.ptp(seconds[:first]) == 0 else before
    held = float(seconds[:first][before].sum())
    if not held:
        return None
    rate = float(counts[:first][before].sum()) / held
    photons, time = float(counts[first:].sum()), float(seconds[first:].sum())
    expected = rate * time
    spread = math.sqrt(max(expected, 1.0) * (1 + time / held))
    if photons > DARKER * expected or expected - photons < SURE * spread:
        return None
    return f"{photons / time:.4g} counts/s since, {rate:.4g} in dark dwells before"


def steady_share(counts: int, seconds: float, segments: int, background_cps: tuple[float, float] | None) -> Estimate:
    """Share of the time on of light in which one state was found: 1, where a dark time would have been seen.

    Args:
        counts: photons of all segments.
        seconds: length of all segments.
        segments: how many there are.
        background_cps: of the analysed channels, and its error; None where it is not known.
    """
    mean = counts / segments
    if 2 * (math.sqrt(mean + 0.375) - math.sqrt(0.375)) < BLINK_APART:
        return unknown(f"{mean:.2g} photons in a segment: too few to tell light from dark; longer bins would")
    if background_cps is not None:
        rate, error = background_cps
        excess = counts / seconds - rate
        if excess < ABOVE * math.hypot(error, math.sqrt(counts) / seconds):
            return unknown(f"{counts / seconds:.4g} counts/s are not above the background of {rate:.4g}")
    return Estimate(1.0, reason="no blinking seen: one state")


def fixed_bins(start: NDArray[np.int64], stop: NDArray[np.int64], ticks: int) -> bool:
    """Whether segments are bins of `ticks`, but for those that the end of a stretch of time cut short."""
    if not len(start):
        return True
    joined = np.concatenate([[False], start[1:] == stop[:-1]])
    inner = joined & np.append(joined[1:], False)
    return bool(np.all((stop - start)[inner] == ticks) and np.all(stop - start <= ticks))


def against_bin(
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    counts: NDArray[np.int64],
    ticks: int,
    tick_s: float,
    threshold_cps: float,
    edge: float = 0.0,
) -> dict[str, Floats]:
    """Blinking with bins of 1, 2, 4, ... times the bin; the same photons, the same threshold.

    Args:
        start, stop, counts: int64[n], the bins.
        ticks: length of a bin.
        tick_s: length of a tick.
        threshold_cps: on at or above it.
        edge: bins by which an on dwell looks longer than it is.

    Returns:
        float64[m] each, NaN where not known: bin_s; on_fraction, changes_per_s, off_exponent, on_exponent (power law),
        each with `_low` and `_high`; off_dwells, on_dwells.
    """
    whole = stop - start == ticks
    start, stop, counts = start[whole], stop[whole], counts[whole]
    table: dict[str, list[float]] = {}
    times = 1
    while True:
        if times > 1:
            start, stop, counts = _paired(start, stop, counts)
        if len(start) < LEAST_BINS:
            break
        bin_s = times * ticks * tick_s
        on = (counts >= math.ceil(threshold_cps * bin_s - 1e-9)).astype(np.int64)
        dwells = join_dwells(start, stop, on, tick_s)
        signal = telegraph(dwells, bin_s, edge)
        row = {"bin_s": bin_s}
        named = {"on_fraction": signal.on_fraction, "changes_per_s": signal.changes_per_s}
        shortest_s = SAFE_BINS * bin_s if hides_short(dwells, bin_s, edge) else None
        for state, name in enumerate(("off", "on")):
            laws = state_laws(dwells, state, bin_s, edge if state else -edge, shortest_s, (POWER,))
            named[f"{name}_exponent"] = laws.exponent
            row[f"{name}_dwells"] = float((dwells.of(state)[1]).sum())
        for name, one in named.items():
            plain = one.plain()
            for key, end in (("", "value"), ("_low", "low"), ("_high", "high")):
                row[name + key] = math.nan if plain[end] is None else plain[end]
        for name, number in row.items():
            table.setdefault(name, []).append(number)
        times *= 2
    return {name: np.array(column) for name, column in table.items()}


def _paired(
    start: NDArray[np.int64], stop: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Two bins in one, counted from the beginning of each stretch; an odd last one of a stretch is left out."""
    n = len(start)
    fresh = np.flatnonzero(np.concatenate([[True], start[1:] != stop[:-1]])) if n else np.empty(0, np.int64)
    place = np.arange(n) - np.repeat(fresh, np.diff(np.append(fresh, n)))
    first = np.flatnonzero(place % 2 == 0)
    first = first[(first + 1 < n) & (place[np.minimum(first + 1, n - 1)] % 2 == 1)]
    return start[first], stop[first + 1], counts[first] + counts[first + 1]
