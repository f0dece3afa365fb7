"""Relaxation: whether a log-tau correlation says that light blinks, how much, and how fast.

A signal that switches between two rates at random (a telegraph) has g2 - 1 = A exp(-tau/t_b), with 1/t_b the sum of the
two switching rates (Machlup, J. Appl. Phys. 25, 341, 1954). Other blinking has a slope over log tau instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.log_tau import (
    FEWEST_PAIRS,
    FEWEST_STRETCHES,
    Curve,
    all_curve,
    enough,
    jackknife,
    quantile,
    without_each,
)
from streamer.estimators.multi_tau import Sums, by_octave

Floats = NDArray[np.float64]
BY_CHANCE = 0.001  # how often steady light may be said to blink
LEAST_TIMES = 50  # relaxation times in a run, below which the scatter of its stretches is not that of other runs
LEAST_HALVES = 200  # the same for g2 itself, in half-lags; about 140 relaxation times
BEYOND_SHOT = 5.0  # standard errors of shot noise, above which the light itself varies
SLOW = f"no limits: g2 - 1 does not fall to half within 1/{LEAST_HALVES} of the run, whose scatter is then too small"


@dataclass(frozen=True, eq=False)
class Relaxation:
    """How the correlation falls.

    Attributes:
        blinks: g2 is above 1, over one octave of lags at least, by more than chance does once in 1000 runs; None where
            that cannot be told.
        contrast: g2 - 1 over the octave that stands out most clearly; without limits where the blinking is `slow`.
        half_s: lag where it has fallen to half of that.
        tau: relaxation time in s, of light that switches as a telegraph does.
        slope: of log(g2 - 1) over log lag, where the fall is not exponential.
    """

    blinks: bool | None
    contrast: Estimate
    half_s: Estimate
    tau: Estimate
    slope: Estimate


def relaxation(sums: Sums, tick_s: float, shortest_s: float = 0.0) -> Relaxation:
    """Blinking, contrast, half-lag, and the relaxation time or the slope; lags from `shortest_s` on."""
    sums = sums.part(sums.lags.ticks * tick_s >= shortest_s)
    k, octaves = len(sums.time), by_octave(sums)
    coarse = all_curve(octaves, tick_s)
    known = np.isfinite(coarse.g2)
    if not known.any():
        why = (
            f"the run is shorter than {FEWEST_STRETCHES} stretches of which the scatter could be told"
            if k < FEWEST_STRETCHES
            else f"no octave of lags has {FEWEST_PAIRS} pairs"
        )
        return Relaxation(None, *(unknown(why),) * 4)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigmas = np.where(known, (coarse.g2 - 1) / coarse.error, -np.inf)
    limit = student.isf(BY_CHANCE / known.sum(), k - 1)
    if sigmas.max() < limit:
        why = (
            "no blinking is proven: g2 exceeds 1 by no more than chance would in 1 of 1000 runs (a few long dwells do "
            "not show in it)"
        )
        return Relaxation(False, *(unknown(why),) * 4)
    best = int(np.argmax(np.where(known, coarse.g2 - 1 - 2 * coarse.error, -np.inf)))
    contrast = Estimate(float(coarse.g2[best] - 1), reason=SLOW)
    if not slow(octaves, coarse, tick_s):
        error, low, high = coarse.error[best], coarse.low[best] - 1, coarse.high[best] - 1
        contrast = Estimate(contrast.value, float(error), float(low), float(high))
    tau, exponential = _telegraph(sums, tick_s)
    half = _half(coarse, best)
    slope = unknown("the fall is that of a telegraph signal")
    if not exponential:
        slope = _slope(octaves, coarse, known)
    return Relaxation(True, contrast, half, tau, slope)


def slow(octaves: Sums, coarse: Curve, tick_s: float) -> bool:
    """Whether light varies so slowly that stretches of the run are too few, or too alike, to tell errors of g2.

    That is judged by shot noise and not by the scatter, so that it holds where no blinking is proven.

    Args:
        octaves: one bin per octave.
        coarse: their g2.
        tick_s: macro tick in seconds.
    """
    excess, pairs = coarse.g2 - 1, octaves.pairs.sum(axis=0)
    known = np.isfinite(excess)
    shot = 1 / np.sqrt(np.maximum(pairs, 1))
    if not (known & (excess > BEYOND_SHOT * shot)).any():
        return False
    best = int(np.argmax(np.where(known, excess - 2 * shot, -np.inf)))
    half = _half(coarse, best).value
    return half is None or half * LEAST_HALVES > float(octaves.time.sum()) * tick_s


def _half(coarse: Curve, best: int) -> Estimate:
    excess = coarse.g2 - 1
    level = excess[best] / 2
    for i in range(best + 1, len(excess)):
        if np.isfinite(excess[i]) and excess[i] < level:
            before = max(j for j in range(best, i) if np.isfinite(excess[j]))
            share = (excess[before] - level) / (excess[before] - excess[i])
            ends = np.log(coarse.lag_s[[before, i]])
            return Estimate(float(np.exp(ends[0] + share * (ends[1] - ends[0]))))
    return unknown("g2 - 1 does not fall to half within the lags that this run can tell")


def _fits(curves: Floats, basis: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Least squares of offset + amplitude * basis: (residual sums [c, g], amplitude over offset [c, g])."""
    total = weights.sum()
    mean_b = basis @ weights / total
    mean_c = curves @ weights / total
    centred = (basis - mean_b[:, None]) * weights
    variance = ((basis - mean_b[:, None]) * centred).sum(axis=1)
    covariance = curves @ centred.T
    rest = ((curves - mean_c[:, None]) ** 2) @ weights
    amplitude = covariance / variance
    return rest[:, None] - covariance * amplitude, amplitude / (mean_c[:, None] - amplitude * mean_b)


def _lowest(sums: Floats, axis: Floats) -> Floats:
    """Where each row of `sums` is lowest on the even grid `axis`, by a parabola; NaN at the ends."""
    at = sums.argmin(axis=1)
    inner = (at > 0) & (at < len(axis) - 1)
    i = np.clip(at, 1, len(axis) - 2)
    row = np.arange(len(sums))
    left, middle, right = sums[row, i - 1], sums[row, i], sums[row, i + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = (left - right) / (left - 2 * middle + right) / 2
    return np.where(inner, axis[i] + np.clip(np.nan_to_num(shift), -1, 1) * (axis[1] - axis[0]), np.nan)


def _telegraph(sums: Sums, tick_s: float) -> tuple[Estimate, bool]:
    """(relaxation time, whether the fall is exponential): offset + A exp(-lag/tau); jackknife of log tau."""
    total, without = without_each(sums)
    n = sums.pairs.sum(axis=0)
    used = enough(n, total) & np.isfinite(total) & np.isfinite(without).all(axis=0)
    lags, k = sums.lags.part(used), len(sums.time)
    if used.sum() < 6:
        return unknown("too few lags have enough pairs"), False
    curves = np.concatenate([total[None], without])[:, used]
    ticks, expected = lags.ticks, n[used] / curves[0]
    axis = np.arange(np.log(ticks[0] / 2), np.log(ticks[-1] * 2), 0.05)
    basis, model = lags.exponential(np.exp(axis)), np.ones(len(ticks))
    for _ in range(3):
        # Weights by the fit and not by the counts: low counts would weigh more. Amplitudes are common noise.
        weights = 1 / (model / expected + (0.1 * np.ptp(model)) ** 2)
        rest, ratio = _fits(curves, basis, weights)
        best = int(rest[0].argmin())
        amplitude = float(ratio[0, best])
        offset = float(np.average(curves[0] / (1 + amplitude * basis[best]), weights=weights))
        model = np.maximum(offset * (1 + amplitude * basis[best]), 0.1)
    powers = np.concatenate([np.arange(-1.5, -0.01, 0.05), np.arange(0.05, 1.0, 0.05)])
    other, _ = _fits(curves[:1], (ticks / ticks[0]) ** powers[:, None], weights)
    found = _lowest(rest, axis)
    if not (rest[0].min() < other.min() and rest[0].min() < used.sum() and amplitude > 0):
        return unknown("the fall is not exponential"), False
    if not np.isfinite(found).all():
        return unknown("the relaxation time lies at the end of the lags that this run can tell"), True
    value, error = jackknife(found[:1], found[1:, None])
    if error[0] > 1:
        return unknown("the relaxation time is not known to a factor of e"), True
    middle, reach = float(np.exp(value[0]) * tick_s), float(np.exp(quantile(k) * error[0]))
    tau = middle * float(np.exp(-(error[0] ** 2) / 2))  # what scatters evenly on a logarithmic axis is high in the mean
    if tau > sums.time.sum() * tick_s / LEAST_TIMES:
        return unknown(f"the run is shorter than {LEAST_TIMES} relaxation times"), True
    return Estimate(tau, tau * float(error[0]), middle / reach, middle * reach), True


def _slope(octaves: Sums, coarse: Curve, known: NDArray[np.bool_]) -> Estimate:
    """Straight line through log(g2 - 1) of the octaves that stand out, evenly weighted; jackknifed."""
    clear = known & (coarse.g2 - 1 > 3 * np.nan_to_num(coarse.error, nan=np.inf))
    if clear.sum() < 4:
        return unknown("fewer than four octaves of lags stand out")
    total, without = without_each(octaves)
    curves = np.concatenate([total[None], without])[:, clear] - 1
    if not (curves > 0).all():
        return unknown("the scatter is too large")
    x = np.log(coarse.lag_s[clear])
    x -= x.mean()
    slopes = np.log(curves) @ x / (x @ x)
    value, error = jackknife(slopes[:1], slopes[1:, None])
    reach = quantile(len(without)) * float(error[0])
    return Estimate(float(value[0]), float(error[0]), float(value[0]) - reach, float(value[0]) + reach)
