"""Bleaching: the last change to dark that never comes back, and whether it is more than one more dark dwell."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.estimators.dwell_laws import CUT_OFF, P_REJECT, POWER, DwellLaws
from streamer.estimators.dwells import Dwells

PLAUSIBLE = 0.01  # dark dwells as long as the last, expected by the law of those before, below which it is bleaching
ORDINARY = 0.5  # expected, from which nothing has to be said
CLEAR = 2.0  # of BIC, by which another law has to be better before a power law's long dark dwells are ruled out
USUAL_SLOPE = 0.5  # exponent - 1 of most dots that blink, where the dwells are too few to tell
FIRST_BINS, FIRST_SHARE = 100, 0.1  # of a darkness without any before: bins at least, share of the bright time at least


@dataclass(frozen=True, slots=True)
class Bleaching:
    """How the measurement ends.

    Attributes:
        seen: the emitter bleached.
        time_s: of the last change to dark, None where it does not end dark.
        dark_s: how long it has been dark since.
        expected: how many dark dwells as long would be expected by the law of those before; None where none is known.
        told: all this in words.
    """

    seen: bool
    time_s: float | None
    dark_s: float
    expected: float | None
    told: str


def find_bleaching(dwells: Dwells, dark: DwellLaws | None, bin_s: float, dimmer: str | None = None) -> Bleaching:
    """Judge the darkness at the end.

    Dark dwells as long as the last one, of length L, are expected, among the n before and the last:

    * exponential: (n + 1) (1 + L / T)**-n, with T the time in those before (the predictive law, which knows how badly
      n dwells tell their mean);
    * power law: (L / longest before)**(1 - exponent), with the lower limit of the exponent;
    * with a cut-off: exp(-(L - longest before) / cut-off), with the upper limit of the cut-off.

    To cut the rest of a run off without need is worse than to find bleaching late: where a power law is not clearly
    worse than the law of those before, or that law not tested, the larger of both numbers counts; where there is no
    law, a power law of exponent 1.5 is held against the exponential.

    Args:
        dwells: of states 0 (dark) and 1 (bright), of the whole measurement.
        dark: laws of the dark dwells before the last; None where there are too few.
        bin_s: a bin, or the shortest dwell that can be seen.
        dimmer: that the emitter is darker since than it was in any dark dwell, in words; then it need not be longer.
    """
    n = len(dwells)
    first = n
    while first > 0 and dwells.state[first - 1] == 0:
        first -= 1
    if first in (0, n):
        return Bleaching(False, None, 0.0, None, "not seen" if first == n else "never bright")
    time_s, dark_s = float(dwells.start_s[first]), float(dwells.length_s[first:].sum())
    earlier, complete = dwells.until(time_s).of(0)
    many, expected = int(complete.sum()), None
    long = dark_s >= FIRST_BINS * bin_s
    if dimmer is not None and long:
        seen, why = True, dimmer
    elif many:
        expected = _expected(dark, dark_s, many, float(earlier.sum()), float(earlier.max()))
        seen = expected < PLAUSIBLE
        why = f"{expected:.2g} dark dwells as long are expected by the {many} before"
    else:
        bright_s = float(dwells.length_s[:first].sum())
        seen = long and dark_s >= FIRST_SHARE * bright_s
        why = "never dark before"
    if not seen and expected is not None and expected >= ORDINARY:
        return Bleaching(False, time_s, dark_s, expected, f"not seen (dark for the last {dark_s:.3g} s, as before)")
    head = f"bleached at t = {time_s:.4g} s" if seen else f"not certain, dark since t = {time_s:.4g} s"
    return Bleaching(seen, time_s, dark_s, expected, f"{head} ({dark_s:.3g} s until the end; {why})")


def _expected(dark: DwellLaws | None, dark_s: float, many: int, total_s: float, longest_s: float) -> float:
    if dark_s <= longest_s:
        return 1.0
    ratio = dark_s / longest_s
    exponential = float((many + 1) * math.exp(-many * math.log1p(dark_s / total_s)))
    if dark is None or dark.law is None:
        return max(exponential, ratio**-USUAL_SLOPE)
    low = dark.exponent.low
    power = ratio ** -max(0.0 if low is None else low - 1, 0.0)
    if dark.law == POWER:
        return power
    expected = exponential
    if dark.law == CUT_OFF:
        high = dark.cutoff_s.high
        expected = math.exp(-(dark_s - longest_s) / high) if high else 1.0
    tested = dark.p_value is not None and dark.p_value >= P_REJECT
    clear = tested and dark.bic.get(POWER, math.inf) - dark.bic[dark.law] > CLEAR
    return expected if clear else max(expected, power)
