"""States of an emitter from how long it spent at each intensity level: a Poisson mixture, thresholds and names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from streamer.errors import InputError
from streamer.estimators.poisson_mixture import MOST_STRAY, Components, Grouped, level_probability

LEAST_SEGMENTS = 20  # fewer cannot tell a second state from chance
LEAST_WEIGHT = 0.01  # what holds less of the time is no state
FEWEST = 5  # nor what holds fewer segments
LEAST_APART = 3.0  # shot-noise sigmas between neighbouring states: 93 % of the segments fall on the right side
BLINK_RATIO = 2.0  # drift and laser noise do not change a rate by so much; blinking does
BLINK_APART = 2.0  # enough then: below it two equal Poisson peaks merge into one
P_REJECT = 0.01
MISFIT = 0.02  # of the segments; with enough of them every real trace differs from its model significantly
POOL = 5.0  # expected segments per cell that the chi-square distribution needs
NAMES = {
    1: ("steady",),
    2: ("dark", "bright"),
    3: ("dark", "grey", "bright"),
    4: ("dark", "grey 1", "grey 2", "bright"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """A Poisson mixture of n states, and how well it explains the trace.

    Attributes:
        rates_cps: float64[n], ascending; empty without a segment.
        weights: float64[n], share of the time in each state, sum 1; a segment in which the emitter switched is
            shared between the two states.
        thresholds_cps: float64[n - 1], ascending, where neighbouring states are equally likely.
        switching: share of the segments in which the emitter switched.
        stray: share of the segments that belong to no state, at most MOST_STRAY.
        bic: float64[max_states], Bayesian information criterion of 1, 2, ... states; NaN where not tried.
        expected: float64[n_levels], segments that the mixture expects at each level.
        p_value: of a chi-square test on pooled levels; None when there are too few segments for one.
        misfit: share of the segments that lie at other levels than the mixture says, beyond chance.
        fits: the mixture explains the trace: chance alone does as badly (P_REJECT), or the misfit is below MISFIT.
        reason: why it does not fit, or has fewer states than asked for or than BIC would have; else None.
        misfiled: float64[n], share of each state's photons that may be another's; None: `switching` for all.
    """

    rates_cps: NDArray[np.float64]
    weights: NDArray[np.float64]
    thresholds_cps: NDArray[np.float64]
    switching: float
    stray: float
    bic: NDArray[np.float64]
    expected: NDArray[np.float64]
    p_value: float | None
    misfit: float
    fits: bool
    reason: str | None
    misfiled: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A named range low_cps <= rate < high_cps of count rates.

    Attributes:
        name: such as "dark".
        low_cps: 0 for the first state.
        high_cps: None for the last state, which has no upper end.
        rate_cps: mean rate of its segments; None when it has none or none were given.
        weight: its share of the segments; None when none were given.
    """

    name: str
    low_cps: float
    high_cps: float | None
    rate_cps: float | None = None
    weight: float | None = None


def names(n: int) -> tuple[str, ...]:
    """Names of n states from dim to bright; beyond four they are numbered."""
    return NAMES.get(n) or tuple(f"state {k}" for k in range(1, n + 1))


def states_from_thresholds(
    thresholds_cps: Sequence[float] | NDArray[np.float64],
    segments: NDArray[np.int64] | None = None,
    edges: NDArray[np.int64] | None = None,
    bin_s: float = 0.01,
) -> tuple[State, ...]:
    """The states that thresholds part, with their rates and shares of the time when the levels are given.

    A level that a threshold cuts belongs to the state below (as in `LevelScale.level_of_rate`).

    Args:
        thresholds_cps: counts/s, ascending, above 0; n - 1 of them make n states.
        segments: int64[n_levels], segments of full length at each level.
        edges: int64[n_levels + 1], counts at which the levels begin.
        bin_s: length of a segment in seconds.

    Raises:
        InputError: the thresholds are not finite, above 0 and ascending.
    """
    cuts = [float(cut) for cut in thresholds_cps]
    if not all(math.isfinite(cut) and cut > 0 for cut in cuts) or any(b <= a for a, b in pairwise(cuts)):
        raise InputError(f"thresholds_cps: must be above 0 and ascending, got {cuts}; give counts/s from dim to bright")
    labels, lows, highs = names(len(cuts) + 1), [0.0, *cuts], [*cuts, None]
    if segments is None or edges is None:
        return tuple(State(*each) for each in zip(labels, lows, highs, strict=True))
    first = np.searchsorted(edges[:-1], np.ceil(np.array(cuts) * bin_s - 1e-9), side="left")
    middle = edges[:-1] + (np.diff(edges) - 1) / 2
    middle[-1] = edges[-2]  # the last level is open
    total, states = max(1, int(segments.sum())), []
    for label, low, high, a, b in zip(labels, lows, highs, [0, *first], [*first, len(segments)], strict=True):
        held = int(segments[a:b].sum())
        rate = float(segments[a:b] @ middle[a:b]) / held / bin_s if held else None
        states.append(State(label, low, high, rate, held / total))
    return tuple(states)


def fit_mixture(
    segments: NDArray[np.int64],
    edges: NDArray[np.int64],
    bin_s: float,
    n_states: int | None = None,
    max_states: int = 4,
) -> Mixture:
    """Fit a mixture of Poisson states to the segments per level; a pure function, without chance or memory.

    Besides the states, the mixture has a bridge between neighbours (segments in which the emitter switched) and a
    stray component; see `streamer.estimators.poisson_mixture`. The number of states is BIC's choice among 1 to
    `max_states`, or fewer: each must hold LEAST_WEIGHT of the time in whole segments, and neighbours must be apart.
    They are when

    * they differ by a factor of BLINK_RATIO and by BLINK_APART shot-noise sigmas; or
    * they differ by LEAST_APART sigmas, and fewer segments lie between them than at either.

    So a rate that only drifts, or flickers with the laser, is one state that does not fit, not four that do. A number
    asked for is given without these conditions, with the objection as `reason`.

    Args:
        segments: int64[n_levels], segments of full length at each level.
        edges: int64[n_levels + 1], counts at which the levels begin.
        bin_s: length of a segment in seconds.
        n_states: how many states; None lets the data choose.
        max_states: most states to choose from.

    Raises:
        InputError: `n_states` or `max_states` is below 1.
    """
    most = max_states if n_states is None else n_states
    if most < 1:
        raise InputError(f"states: must be at least 1, got {most}; leave it out to let the data choose")
    bic = np.full(max(most, max_states), np.nan)
    total = int(segments.sum())
    if total == 0:
        none = np.empty(0)
        return Mixture(none, none, none, 0.0, 0.0, bic, np.zeros(len(segments)), None, 0.0, False, "no segment yet")
    data, remark = Grouped.of(segments, edges), None
    if n_states is None and total < LEAST_SEGMENTS:
        most, remark = 1, f"fewer than {LEAST_SEGMENTS} segments ({total}) cannot tell states apart"
    if most > len(data.segments):
        if n_states is not None:
            remark = f"only {len(data.segments)} of the levels hold segments: no more states can be told apart"
        most = len(data.segments)
    tried = [data.fit(n) for n in (range(1, most + 1) if n_states is None else [most])]
    for fit in tried:
        n = len(fit.means)
        bic[n - 1] = (3 * n - 1) * math.log(total) - 2 * fit.likelihood
    best = int(np.nanargmin(bic))
    # More states than BIC wants are never taken: they would be a worse account of the same rejected shape.
    chosen = next(fit for fit in tried[best::-1] if _objection(fit, total) is None) if n_states is None else tried[0]
    if objection := _objection(tried[best] if n_states is None else chosen, total):
        remark = remark or (f"BIC favours {best + 1} states, but " if n_states is None else "") + objection
    data.improve(chosen, 200, 1e-3)
    if len(chosen.means) == 1 and chosen.weights[1] > 0.99 * MOST_STRAY:
        # More strays than there may be: they are part of the one state after all, whose rate is then simply the mean.
        mean = float(np.average(data.middle, weights=data.segments))
        chosen = Components(np.array([mean]), np.array([1.0, 0.0]))
    return _describe(chosen, segments, edges, bin_s, bic, remark)


def _objection(fit: Components, total: int) -> str | None:
    """Why these are not states to tell a user of; None when they are."""
    n = len(fit.means)
    if n == 1:
        return None
    held, between = fit.weights[:n], fit.weights[n : 2 * n - 1]
    apart = 2 * np.diff(np.sqrt(fit.means + 0.375))
    blink = (fit.means[1:] >= BLINK_RATIO * fit.means[:-1]) & (apart >= BLINK_APART)
    if np.any(~blink & (apart < LEAST_APART)):
        return "neighbours differ by less than the shot noise of a segment allows to tell; longer bins would"
    if np.any(~blink & (between > np.minimum(held[1:], held[:-1]))):
        return "the rate wanders between neighbours more than it rests at them"
    if held.min() < max(LEAST_WEIGHT, FEWEST / total):
        return f"one of them holds {100 * held.min():.2g} % of the segments"
    return None


def _describe(
    fit: Components,
    segments: NDArray[np.int64],
    edges: NDArray[np.int64],
    bin_s: float,
    bic: NDArray[np.float64],
    remark: str | None,
) -> Mixture:
    """Rates, shares of the time, thresholds, expectation and goodness of fit of a mixture."""
    n, total = len(fit.means), int(segments.sum())
    held, bridges, stray = fit.weights[:n], fit.weights[n : 2 * n - 1], float(fit.weights[-1])
    shares = held + (np.append(bridges, 0.0) + np.append(0.0, bridges)) / 2
    expected = total * level_probability(fit, edges, int(np.flatnonzero(segments)[-1]))
    free = n + int(np.count_nonzero(fit.weights > 0.5 / total)) - 1
    p_value, misfit = goodness(segments, expected, free)
    fits = p_value is None or p_value >= P_REJECT or misfit < MISFIT
    if not fits:
        told = "one state does" if n == 1 else f"{n} states do"
        remark = f"{told} not explain the trace: {100 * misfit:.2g} % of the segments lie at other levels" + (
            f"; {remark}" if remark else ""
        )
    return Mixture(
        rates_cps=fit.means / bin_s,
        weights=shares / shares.sum(),
        thresholds_cps=_thresholds(fit.means, held) / bin_s,
        switching=float(bridges.sum()),
        stray=stray,
        bic=bic,
        expected=expected,
        p_value=p_value,
        misfit=misfit,
        fits=fits,
        reason=remark,
    )


def _thresholds(means: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts at which neighbouring weighted states are equally likely, never beyond their means."""
    low, high = means[:-1], means[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        equal = (high - low + np.log(weights[:-1] / weights[1:])) / np.log(high / low)
    return np.clip(np.where(np.isfinite(equal), equal, (low + high) / 2), low, high)


def goodness(observed: NDArray[np.int64], expected: NDArray[np.float64], free: int) -> tuple[float | None, float]:
    """Chi-square test of grouped counts, and the share of them that is misplaced beyond chance.

    Neighbouring levels are pooled until each cell expects POOL. The share is the total variation distance less its
    mean under the hypothesis, not below 0.

    Args:
        observed: int64[n_levels].
        expected: float64[n_levels].
        free: parameters fitted.

    Returns:
        p-value, None without a degree of freedom; share misplaced.
    """
    cells, at, held = [], 0, 0.0
    for level, each in enumerate(expected):
        held += each
        if held >= POOL:
            cells.append(at)
            at, held = level + 1, 0.0
    if not cells:
        return None, 0.0
    o, e = np.add.reduceat(observed, cells).astype(float), np.add.reduceat(expected, cells)
    total = o.sum()
    chance = np.sqrt(2 / math.pi * e * np.maximum(0.0, 1 - e / total)).sum()
    misfit = max(0.0, (np.abs(o - e).sum() - chance) / (2 * total))
    freedom = len(cells) - 1 - free
    return (float(gammaincc(freedom / 2, ((o - e) ** 2 / e).sum() / 2)) if freedom > 0 else None), misfit
