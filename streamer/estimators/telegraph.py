"""A telegraph signal, on and off by turns: share of the time on, changes per second, mean dwells, with honest errors.

Bins are no coins: a dwell holds many. What varies independently are the cycles of one on and one off dwell; of n cycles
the share on, p, has var(logit p) = (v_on + v_off) / n, and the number n has var(ln n) = (s_on**2 + s_off**2) / cycle**2
/ n, with s the spread, v = s**2 / mean**2 (Cox, Renewal Theory, 1962). For exponential dwells v is 1, else as seen.
Dwells are skew, and so are the limits (Hall, J. R. Stat. Soc. B 54, 221 (1992), on the logarithms).

Bins miss short dwells: one of t bins is seen with probability 0 for t < g, then min(1, 1 + t - 2 g), where g is the
share of a bin that it needs. Where dwells are exponential that is made good. Change points miss dwells that end before
the change is found. That delay is known on average only: what they miss is not made good, but held against the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t as student

from streamer.estimators.dwells import Dwells
from streamer.estimators.estimate import Z95, Estimate, unknown

LEAST_CYCLES = 8
GREATEST = 0.2  # of the time in a state held by one dwell, beyond which its spread cannot be known from the dwells
NO_CHANCE = 1e-4  # of n exponential dwells, that one of them holds so much
MOST_BIAS = 0.5  # standard errors by which what change points miss may move a rate that still has limits
MOST_UNSEEN = 0.15  # of the changes that change points miss, from which segments hold two states and the share is bent
SHORTEST_MEAN = 10.0  # bins; of shorter exponential dwells too many are missed, even two in a row, to make it good
RATES = ("changes_per_s", "mean_off_s", "mean_on_s", "leave_off_per_s", "leave_on_per_s")

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Telegraph:
    """Numbers of two states, off (0) and on (1).

    Attributes:
        on_fraction: share of the time. This and the others have no limits where one dwell holds much of the time.
        changes_per_s: of either kind.
        mean_off_s, mean_on_s: mean dwells.
        leave_off_per_s, leave_on_per_s: changes out of a state per second spent in it.
        changes: seen.
        missed: share of the changes that bins are expected to have missed, made good above; None without
            bins, or where nothing is known of it.
    """

    on_fraction: Estimate
    changes_per_s: Estimate
    mean_off_s: Estimate
    mean_on_s: Estimate
    leave_off_per_s: Estimate
    leave_on_per_s: Estimate
    changes: int
    missed: float | None


def telegraph(
    dwells: Dwells,
    bin_s: float | None = None,
    edge: float = 0.0,
    exponential: tuple[bool, bool] = (False, False),
    missing: bool = False,
    delay_s: tuple[float, float] | None = None,
    open_end: bool = False,
) -> Telegraph:
    """Renewal statistics of on and off dwells.

    Args:
        dwells: of states 0 (off) and 1 (on).
        bin_s: fixed bins; None for none.
        edge: bins by which an on dwell looks longer than it is (see `streamer.estimators.dwells.edge`).
        exponential: off and on dwells are known to be: the errors, and what bins miss, then follow from the law.
        missing: dwells shorter than a bin are frequent, so that rates and means hold for the bin only; no limits then.
        delay_s: how long an off and an on dwell have to last to be seen, where there are no bins.
        open_end: dwells of a state may be much longer than the longest that was seen; no limits then.
    """
    span, changes = dwells.span_s, dwells.changes
    on_s = float(dwells.length_s[dwells.state == 1].sum())
    if bin_s is not None:
        on_s = min(max(on_s - changes * edge * bin_s / 2, 0.0), span)
    parts = np.array([span - on_s, on_s])
    complete = [int(dwells.of(state)[1].sum()) for state in (0, 1)]
    if not span or min(parts) <= 0 or changes < 2 * LEAST_CYCLES or min(complete) < LEAST_CYCLES // 2:
        why = f"{min(complete)} complete dwells on and off: too few for an error, some {LEAST_CYCLES} are needed"
        none = unknown(why)
        known = Estimate(on_s / span, reason=why) if span else unknown("no segment yet")
        seen = Estimate(changes / span * _borders(dwells, bin_s), reason=why) if span else none
        return Telegraph(known, seen, none, none, none, none, changes, None if bin_s is None else 0.0)
    n = changes / 2
    shown = n * _borders(dwells, bin_s)
    cycles, missed, mean_bins = shown, None if bin_s is None else 0.0, math.inf
    if bin_s is not None and any(exponential):
        cycles, missed = _made_good(shown, parts / bin_s, exponential, edge)
        mean_bins = min(float(parts[s]) / bin_s / cycles for s in (0, 1) if exponential[s])
    share, means = parts / span, parts / cycles
    scatter, skew = _moments(dwells, exponential)
    wide = Z95 if all(exponential) else float(student.ppf(0.975, n - 1))
    p, odds = float(share[1]), float(share[1] / share[0])
    spread, down, up = _log_limits(float(scatter.sum()), float(skew[1] - skew[0]), n, wide)
    low, high = odds * down, odds * up
    on_fraction = Estimate(p, p * (1 - p) * spread, low / (1 + low), high / (1 + high))
    cycle_scatter = float(scatter @ share**2)
    cycle_skew = float((skew + 3 * scatter**2) @ share**3) - 3 * cycle_scatter**2
    spread, down, up = _log_limits(cycle_scatter, -cycle_skew, n, wide)
    rate = 2 * cycles / span
    per_s = Estimate(rate, rate * spread, rate * down, rate * up)
    stay, leave = [], []
    for state in (0, 1):
        v, part, mean = float(scatter[state]), float(share[state]), float(means[state])
        spread, down, up = _log_limits(v, float(skew[state]), n, wide)
        # The time being fixed, not the number: a mean is drawn up by v * part / n (and its inverse by the rest).
        value, inverse = mean / (1 + v * part / n), 1 / mean / (1 + v * (1 - part) / n)
        stay.append(Estimate(value, value * spread, mean * down, mean * up))
        leave.append(Estimate(inverse, inverse * spread, 1 / (mean * up), 1 / (mean * down)))
    found = Telegraph(on_fraction, per_s, stay[0], stay[1], leave[0], leave[1], changes, missed)
    unseen = _unseen(dwells, means, exponential, delay_s) if bin_s is None and delay_s else 0.0
    found = _withheld(found, mean_bins, missing and not all(exponential), unseen)
    doubt = _greatest(dwells, exponential)
    if open_end and doubt is None:
        doubt = "dwells much longer than any seen may come: no limits"
    return found if doubt is None else _bare(found, ("on_fraction", *RATES), doubt)


def _borders(dwells: Dwells, bin_s: float | None) -> float:
    """Time over the time in which changes show: a stretch of m bins has m - 1 borders. 1 without bins."""
    if bin_s is None:
        return 1.0
    stretches = np.add.reduceat(dwells.length_s, np.flatnonzero(~dwells.begun))
    shown = float(np.maximum(stretches - bin_s, 0.0).sum())
    return dwells.span_s / shown if shown > 0 else 1.0


def _greatest(dwells: Dwells, exponential: tuple[bool, bool]) -> str | None:
    """Why one dwell holds too much of a state's time, those at either end of a stretch included; None: it does not."""
    for state in (0, 1):
        length = dwells.length_s[dwells.state == state]
        share, n = float(length.max() / length.sum()), len(length)
        # Exponential dwells part the time at random: Fisher, Proc. R. Soc. A 125, 54 (1929).
        alone = n * (1 - share) ** (n - 1) < NO_CHANCE if exponential[state] else share > GREATEST
        if alone:
            return f"one dwell holds {100 * share:.0f} % of the time in its state: no limits"
    return None


def _unseen(dwells: Dwells, means: Floats, exponential: tuple[bool, bool], delay_s: tuple[float, float]) -> float:
    """Share of the changes that change points miss, about; without a law as many as just above their reach."""
    shares = []
    for state, delay in enumerate(delay_s):
        share = delay / float(means[state])
        if not exponential[state]:
            length, complete = dwells.of(state)
            share = max(share, float(np.mean(length[complete] < 2 * delay)))
        shares.append(share)
    return 1 - math.exp(-sum(shares))


def _withheld(found: Telegraph, mean_bins: float, missing: bool, unseen: float) -> Telegraph:
    """Without the limits of rates that nobody knows, as short dwells are missed."""
    rate = found.changes_per_s
    if missing:
        why = "dwells shorter than a bin are frequent, and missed: this is what bins show"
        return _bare(replace(found, missed=None), RATES, why)
    if mean_bins < SHORTEST_MEAN:
        why = f"dwells are below {SHORTEST_MEAN:.0f} bins in the mean, and many are missed; shorter bins would tell"
        return _bare(found, RATES, why)
    if unseen > MOST_BIAS * (rate.error or 0.0) / (rate.value or 1.0):
        some = "many" if unseen > 0.5 else f"some {100 * unseen:.2g} %"
        why = f"dwells end before change points find them, {some} of the changes are missed: this is what they show"
        return _bare(found, ("on_fraction", *RATES) if unseen > MOST_UNSEEN else RATES, why)
    return found


def _bare(found: Telegraph, numbers: tuple[str, ...], why: str) -> Telegraph:
    """Without limits of these numbers."""
    bare: dict[str, Any] = {name: Estimate(getattr(found, name).value, reason=why) for name in numbers}
    return replace(found, **bare)


def _moments(dwells: Dwells, exponential: tuple[bool, bool]) -> tuple[Floats, Floats]:
    """(relative variance, third cumulant of a mean's logarithm times n**2); off and on."""
    scatter, skew = np.ones(2), np.full(2, -1.0)
    for state in (0, 1):
        if not exponential[state]:
            length, complete = dwells.of(state)
            whole = length[complete]
            deviation = whole / np.mean(whole) - 1
            scatter[state] = np.sum(deviation**2) / (len(whole) - 1)
            skew[state] = np.mean(deviation**3) - 3 * scatter[state] ** 2
    return scatter, skew


def _log_limits(variance: float, third: float, n: float, wide: float) -> tuple[float, float, float]:
    """(standard error of a logarithm, factors to its lower and upper limit) by Hall's transformation."""
    spread = math.sqrt(variance)
    gamma = third / spread**3 if spread > 1e-6 else 0.0
    ends = []
    for side in (wide, -wide):
        y = side / math.sqrt(n) - gamma / (6 * n)
        move = y if abs(gamma) < 1e-6 else 3 / gamma * (float(np.cbrt(1 + gamma * y)) - 1)
        ends.append(math.exp(min(-spread * move, 50.0)))
    return spread / math.sqrt(n), ends[0], ends[1]


def _made_good(cycles: float, parts: Floats, exponential: tuple[bool, bool], edge: float) -> tuple[float, float]:
    """(cycles that there were, share of them that bins missed); `parts` are the bins off and on."""
    needs = (1 + edge) / 2, (1 - edge) / 2

    def seen(true: float) -> float:
        chance = 1.0
        for state, need in enumerate(needs):
            if exponential[state]:
                mean = float(parts[state]) / true
                half, full = math.exp(-need / mean), math.exp(-2 * need / mean)
                chance *= (1 - need) * half + mean * (half - full)
        return true * chance

    most = min(float(parts[state]) for state in (0, 1) if exponential[state]) / (SHORTEST_MEAN / 2)
    if most <= cycles or seen(most) < cycles:
        return max(most, cycles), 1 - cycles / max(most, cycles)
    true = float(brentq(lambda one: seen(one) - cycles, cycles, most))
    return true, 1 - cycles / true
