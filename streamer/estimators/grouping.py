"""Grouping: segments of any length into states of constant rate, and how many states there are.

Expectation-maximisation after Watkins & Yang, J. Phys. Chem. B 109, 617 (2005): a segment of n counts in T seconds
comes from state k with the probability share_k * Poisson(n; rate_k * T). Starts for every number of states come from
one agglomeration of neighbouring rates, the pair first that costs the least likelihood. The number is BIC's choice.

The segments are those between change points, each with one rate, so that there is no bridge between states as for fixed
bins (`streamer.estimators.poisson_mixture`). A few may hold a change that was missed: they go to a stray component, in
which any rate between the lowest and the highest is equally likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from streamer.errors import InputError

LEAST_TIME = 1e-3  # of the time; what holds less is no state
LEAST_SEGMENTS, MUCH_TIME = 5, 0.05  # nor what holds fewer segments, but for much of the time (a bleached dot)
LEAST_RATIO = 1.15  # of neighbouring rates: laser and focus drift by less, and enough photons show that
MOST_STRAY = 0.02  # of the segments
CELLS = 256
ENOUGH = 20_000  # segments that the states are found from
STEPS, GAIN = 200, 1e-6  # of the maximisation: at most, and log-likelihood per segment below which it rests
FAR = 4.0  # standard deviations from its state beyond which a segment is misplaced
MISFIT = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """States of constant rate.

    Attributes:
        rates_cps: float64[k], ascending; empty without a segment.
        thresholds_cps: float64[k - 1], ascending, where a segment of the median length is equally likely of both.
        state_of: int64[n], the likeliest state of each segment.
        shares: float64[k], of the time.
        bic: float64[max_states] of 1, 2, ... states, lower is better; NaN where not tried.
        expected: float64[n], counts by each segment's state.
        stray: share of the segments that belong to no state.
        misfit: share of the segments more than FAR standard deviations from their state.
        fits: misfit is below MISFIT.
        reason: why it does not fit, or why there are fewer states than BIC would have; else None.
    """

    rates_cps: Floats
    thresholds_cps: Floats
    state_of: NDArray[np.int64]
    shares: Floats
    bic: Floats
    expected: Floats
    stray: float
    misfit: float
    fits: bool
    reason: str | None


def group_segments(
    counts: NDArray[np.int64],
    length_s: Floats,
    n_states: int | None = None,
    max_states: int = 4,
    joined: NDArray[np.bool_] | None = None,
) -> Grouping:
    """Group segments into states.

    Args:
        counts: int64[n], photons of each segment.
        length_s: float64[n], above 0.
        n_states: how many states; None lets the data choose.
        max_states: most to choose from.
        joined: bool[n], the segment begins where the one before ends. Two joined segments were parted because their
            rates differ, so that joined ones in one state are said to be misplaced where they are many; None: not told.

    Raises:
        InputError: arrays of different length, a length that is not above 0, or fewer than one state.
    """
    photons, length_s = np.asarray(counts, np.float64), np.asarray(length_s, np.float64)
    if photons.shape != length_s.shape or not (length_s > 0).all():
        raise InputError("segments: need as many lengths as counts, all above 0; leave out segments without length")
    most = max_states if n_states is None else n_states
    if most < 1:
        raise InputError(f"states: must be at least 1, got {most}; leave it out to let the data choose")
    bic = np.full(max(most, max_states), np.nan)
    if not len(photons):
        none = np.empty(0)
        return Grouping(none, none, np.empty(0, np.int64), none, bic, none, 0.0, 0.0, False, "no segment yet")
    # Of very many, so many at random say as well what states there are; every k-th could be one state's only.
    some = np.arange(len(photons))
    if len(photons) > ENOUGH:
        some = np.sort(np.random.default_rng(0).choice(len(photons), ENOUGH, replace=False))
    starts = _agglomerated(photons[some], length_s[some], most)
    tried = {k: _maximised(photons[some], length_s[some], starts[k]) for k in sorted(starts) if n_states in (None, k)}
    if not tried:  # fewer different rates than states asked for
        most = max(starts)
        tried = {most: _maximised(photons[some], length_s[some], starts[most])}
    for k, fit in tried.items():
        bic[k - 1] = (2 * k - 1) * math.log(len(some)) - 2 * fit.likelihood
    best = min(tried, key=lambda k: bic[k - 1])
    chosen, reason = best, None
    if n_states is None:
        while (objection := _objection(tried[chosen], length_s[some])) is not None:
            reason = reason or f"BIC favours {best} states, but {objection}"
            chosen -= 1
    elif most < n_states or best < n_states:
        reason = f"only {best} different rates: no more states can be told apart"
    else:
        reason = _objection(tried[chosen], length_s[some])
    fit = tried[chosen]
    if len(some) < len(photons):
        fit = replace(fit, chance=_chances(photons, length_s, fit.rates, fit.weights, fit.spread)[0])
    return _described(fit, photons, length_s, bic, reason, joined)


@dataclass(slots=True, eq=False)
class _Fit:
    """Rates of the states, weights of them and of strays (last), counts/s that strays may have, the likelihood, and the
    chances float64[n, k + 1]."""

    rates: Floats
    weights: Floats
    spread: float
    likelihood: float
    chance: Floats


def _chances(counts: Floats, length_s: Floats, rates: Floats, weights: Floats, spread: float) -> tuple[Floats, Floats]:
    """(chances float64[n, k + 1] that a segment is of each state, or stray; log-likelihood float64[n] of each)."""
    k = len(rates)
    chance = np.empty((len(counts), k + 1))
    constant, log_t, means = gammaln(counts + 1), np.log(length_s), np.maximum(rates, 1e-9)
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    for state in range(k):
        chance[:, state] = counts * (math.log(means[state]) + log_t) - means[state] * length_s - constant + logs[state]
    chance[:, k] = logs[k] - np.log1p(spread * length_s)
    top = chance.max(axis=1)
    np.exp(chance - top[:, None], out=chance)
    total = chance.sum(axis=1)
    chance /= total[:, None]
    return chance, top + np.log(total)


def _agglomerated(counts: Floats, length_s: Floats, most: int) -> dict[int, tuple[Floats, Floats]]:
    """Number of states -> (rates, shares of the segments), by joining neighbouring cells of the rate's square root."""
    root = np.sqrt(counts / length_s)
    low, high = float(root.min()), float(root.max())
    cell = np.minimum(((root - low) / max(high - low, 1e-300) * CELLS).astype(np.int64), CELLS - 1)
    sums = np.stack([np.bincount(cell, each, CELLS) for each in (counts, length_s, np.ones(len(counts)))])
    n, t, held = (list(each) for each in sums[:, sums[2] > 0])

    def own(photons: float, seconds: float) -> float:
        return photons * math.log(max(photons, 1e-300) / seconds) if photons > 0 else 0.0

    starts: dict[int, tuple[Floats, Floats]] = {}
    while True:
        if len(n) <= most:
            starts[len(n)] = np.array(n) / np.array(t), np.array(held) / len(counts)
        if len(n) == 1:
            return starts
        value = [own(*one) for one in zip(n, t, strict=True)]
        cost = [value[i] + value[i + 1] - own(n[i] + n[i + 1], t[i] + t[i + 1]) for i in range(len(n) - 1)]
        i = int(np.argmin(cost))
        for each in (n, t, held):
            each[i : i + 2] = [each[i] + each[i + 1]]


def _maximised(counts: Floats, length_s: Floats, start: tuple[Floats, Floats]) -> _Fit:
    """Expectation-maximisation from a start."""
    rates, shares = start
    k, n = len(rates), len(counts)
    weights = np.append(shares * (1 - MOST_STRAY / 2), MOST_STRAY / 2)
    rate = counts / length_s
    spread = float(rate.max()) - float(rate.min())
    before, chance, likelihood = -math.inf, np.empty((n, k + 1)), -math.inf
    for _ in range(STEPS):
        chance, each = _chances(counts, length_s, rates, weights, spread)
        likelihood = float(each.sum())
        if likelihood - before < GAIN * n:
            break
        before = likelihood
        weights = chance.mean(axis=0)
        if weights[k] > MOST_STRAY:  # the most likely weights under that bound
            weights[:k] *= (1 - MOST_STRAY) / max(1 - weights[k], 1e-300)
            weights[k] = MOST_STRAY
        rates = (counts @ chance[:, :k]) / np.maximum(length_s @ chance[:, :k], 1e-300)
    order = np.argsort(rates)
    return _Fit(rates[order], weights[[*order, k]], spread, likelihood, chance[:, [*order, k]])


def _objection(fit: _Fit, length_s: Floats) -> str | None:
    """Why these are not states to tell a user of; None when they are."""
    k = len(fit.rates)
    if k == 1:
        return None
    own = fit.chance[:, :k].argmax(axis=1)
    time = np.bincount(own, length_s, k) / length_s.sum()
    few = np.bincount(own, minlength=k) < LEAST_SEGMENTS
    odd = (time < LEAST_TIME) | (few & (time < MUCH_TIME))
    if odd.any():
        return f"one of them holds {100 * time[odd].min():.2g} % of the time in few segments"
    if np.any(fit.rates[1:] < LEAST_RATIO * fit.rates[:-1]):
        return f"neighbours differ by less than {100 * (LEAST_RATIO - 1):.0f} %, as drift and laser noise do"
    return None


def _described(
    fit: _Fit, counts: Floats, length_s: Floats, bic: Floats, reason: str | None, joined: NDArray[np.bool_] | None
) -> Grouping:
    k = len(fit.rates)
    # A stray is filed under the likeliest state, too: every segment belongs somewhere.
    state = fit.chance[:, :k].argmax(axis=1)
    lost = fit.chance[:, :k].sum(axis=1) <= 0
    if lost.any():
        middle = np.sqrt(fit.rates[1:] * fit.rates[:-1])
        state[lost] = np.searchsorted(middle, (counts / length_s)[lost])
    expected = fit.rates[state] * length_s
    far = np.abs(2 * (np.sqrt(counts + 0.375) - np.sqrt(expected + 0.375))) > FAR
    misfit = float(far.mean())
    if misfit >= MISFIT:
        told = "one state does" if k == 1 else f"{k} states do"
        reason = f"{told} not explain the segments: {100 * misfit:.2g} % of them lie at other rates" + (
            f"; {reason}" if reason else ""
        )
    elif k > 1 and joined is not None and reason is None and joined[1:].any():
        same = float(((state[1:] == state[:-1]) & joined[1:]).sum() / joined[1:].sum())
        if same > 0.5:
            reason = f"{100 * same:.0f} % of the neighbours share a state: the rate changes within states as well"
    thresholds = _thresholds(fit, float(np.median(length_s)))
    shares = np.bincount(state, length_s, k) / length_s.sum()
    return Grouping(
        fit.rates, thresholds, state.astype(np.int64), shares, bic, expected, float(fit.weights[k]), misfit,
        misfit < MISFIT, reason,
    )  # fmt: skip


def _thresholds(fit: _Fit, length_s: float) -> Floats:
    """Rates at which a segment of this length is equally likely of two neighbours, never beyond them."""
    low, high = fit.rates[:-1], fit.rates[1:]
    weights = np.maximum(fit.weights[: len(fit.rates)], 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        equal = (high - low + np.log(weights[:-1] / weights[1:]) / length_s) / np.log(high / low)
    return np.clip(np.where(np.isfinite(equal), equal, (low + high) / 2), low, high)
