"""Log-tau correlation: g2 over eight decades of lag, of all photons and of each state, with honest errors.

    g2(tau) = pairs * X / (A_early B_late + B_early A_late)

X counts the pairs of moments tau apart that were watched, and A_early the photons on a at the earlier of them: the
symmetric normalisation (Schaetzel et al., J. Mod. Opt. 35, 711, 1988), which does not mind how the run begins and
ends; for steady mean rates it is pairs/(R_a R_b X). A point is g2 averaged over its lags with triangles two cells
wide, a cell being an eighth of the lag or less. Blinking makes long lags far less certain than their many pairs say, so
errors come from the scatter of stretches of the run: the delete-one jackknife, which also takes out the bias of a mean
rate that was found in the same run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from streamer.estimators.multi_tau import Segments, Sums, expected

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEWEST_STRETCHES = 8
FEWEST_PAIRS = 20
LONGEST_S, PART = 10.0, 0.1  # lags end here, or at this part of the time that was watched
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Curve:
    """g2 over lag; float64[n] each, NaN where it cannot be told."""

    lag_s: Floats
    g2: Floats
    error: Floats
    low: Floats
    high: Floats


def _g2(counted: Floats, alone: bool) -> Floats:
    """g2 of `Sums.counted`, whose first axis goes."""
    pairs, watched, early_a, late_a, early_b, late_b = counted[:6]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(pairs * watched / ((early_a * late_b + early_b * late_a) / (2.0 if alone else 1.0)))


def without_each(sums: Sums) -> tuple[Floats, Floats]:
    """(g2 of all, g2 without each stretch): float64[n], float64[k, n]."""
    whole = sums.counted.sum(axis=1)
    return _g2(whole, sums.alone), _g2(whole[:, None] - sums.counted, sums.alone)


def jackknife(total: Floats, without: Floats) -> tuple[Floats, Floats]:
    """(value with the bias of first order taken out, standard error) over the first axis of `without`."""
    k, mean = len(without), without.mean(axis=0)
    error = np.sqrt((k - 1) / k * ((without - mean) ** 2).sum(axis=0))
    return k * total - (k - 1) * mean, error


def quantile(k: int) -> float:
    """Of Student's t for k stretches."""
    return float(student.ppf((1 + CONFIDENCE) / 2, k - 1))


def _interval(value: Floats, error: Floats, k: int) -> tuple[Floats, Floats]:
    """A ratio of counts scatters evenly on a logarithmic axis rather than on a plain one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(quantile(k) * error / value)
        return value / factor, value * factor


def enough(pairs: Floats, g2: Floats) -> NDArray[np.bool_]:
    """Whether light without correlation would have given FEWEST_PAIRS: judged so, chance does not pick the points."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((pairs > 0) & (pairs / g2 >= FEWEST_PAIRS))


def all_curve(sums: Sums, tick_s: float) -> Curve:
    """g2 of all photons over the rates of the whole run; NaN where few pairs are expected, or of few stretches."""
    lag_s = sums.lags.ticks * tick_s
    k, n = len(sums.time), sums.pairs.sum(axis=0)
    if k < FEWEST_STRETCHES or not n.any():
        return Curve(lag_s, *np.full((4, len(n)), np.nan))
    total, without = without_each(sums)
    value, error = jackknife(total, without)
    poor = ~enough(n, total) | ~(value > 0)
    value, error = np.where(poor, np.nan, value), np.where(poor, np.nan, error)
    error = np.maximum(error, value / np.sqrt(np.maximum(n, 1)))
    return Curve(lag_s, value, error, *_interval(value, error, k))


def state_curve(pairs: Ints, segments: Segments, sums: Sums, tick_s: float) -> Curve:
    """g2 of one state over lags inside segments, each segment by its own rates; NaN beyond.

    Args:
        pairs: int64[n of the photon axis], summed over the state's levels.
        segments: the state's own.
        sums: of the whole run, joined: their scatter says by how much more than Poisson counts pairs scatter.
        tick_s: macro tick in seconds.
    """
    n, k, own = len(pairs), len(sums.time), float(segments.length.sum())
    value, error = np.full((2, len(sums.lags.first)), np.nan)
    inner = np.arange(len(value)) < n
    stretch = np.zeros(len(segments.start), np.int64)
    accidental = expected(segments, sums.lags.part(inner), stretch, 1, alone=sums.alone)[3, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        value[:n] = np.where((accidental >= FEWEST_PAIRS) & (pairs > 0), pairs / accidental, np.nan)
        extra = np.zeros(n)
        if k >= FEWEST_STRETCHES and own:
            counts, inside = sums.pairs[:, :n], sums.inside[:, :n]
            whole, over = counts.sum(axis=0), inside.sum(axis=0)
            _, scatter = jackknife(whole / over, (whole - counts) / (over - inside))
            excess = (scatter * over / whole) ** 2 - 1 / whole
            extra = np.maximum(np.nan_to_num(excess, nan=0, posinf=0, neginf=0), 0) * float(sums.time.sum()) / own
        error[:n] = value[:n] * np.sqrt(1 / pairs + extra)
    return Curve(sums.lags.ticks * tick_s, value, error, *_interval(value, error, max(k, FEWEST_STRETCHES)))
