"""Type of blinking: whether the lifetime follows the intensity (A) or stays while the intensity changes (B).

Galland et al., Nature 479, 203 (2011) name the types; they tell them from a plot. Here a slope d ln tau / d ln I is
found, with its error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from streamer.estimators.estimate import Z95, Estimate, unknown
from streamer.estimators.segment_lifetimes import MeanArrival

Floats = NDArray[np.float64]

GROUPS, MEMBERS = 40, 25  # groups of segments by intensity; segments in a group at least
LEAST_SIGNAL = 200.0  # photons of a group above the background
KNOWN = 0.025  # standard error of the logarithm of a typical lifetime: a group with more takes in the next
LEAST_SEGMENTS = 100
ZONE = 0.25  # a slope nearer than this to 1 or 0 is that type's
STEADY = 1e-4  # chance of steady light to be taken for one that changes
MUCH = 4.0  # times its noise that the spread of the intensity's square is: with less, the noise makes the slope
CHANCE = 0.01  # of points that scatter so much more than their errors say


@dataclass(frozen=True, slots=True)
class BlinkingType:
    """How the lifetime depends on the intensity.

    Attributes:
        slope: d ln tau / d ln I.
        p_a, p_b: probability of a slope at least as far from 1 (type A), from 0 (type B), were that the truth.
        verdict: "A", "B", "nearly A", "nearly B" (within ZONE, but not there), "neither" or "undecided".
        groups: groups of segments that were looked at.
    """

    slope: Estimate
    p_a: float | None
    p_b: float | None
    verdict: str
    groups: int


def blinking_type(
    photons: NDArray[np.int64],
    sums_ns: Floats,
    background: Sequence[float] | Floats,
    period_ns: float,
    early_ns: float,
    background_error: Sequence[float] | Floats | None = None,
) -> BlinkingType:
    """The slope of lifetime against intensity over segments of equal length.

    Segments are sorted into groups by what *another* detector counted in them (by their neighbours in time where there
    is one detector only), so that no group is chosen for its own shot noise. Of each group the lifetime is that of all
    its photons, background and wrap corrected, and the intensity is the mean one that its photons came with, <I^2>/<I>
    from factorial moments: in a group that mixes intensities, lifetimes proportional to them are proportional to that,
    exactly, and equal lifetimes are equal. Errors are those of sums over segments, as these scatter.

    Args:
        photons: int64[n, d], of each segment and detector, in time order.
        sums_ns: float64[n, d], summed times after the excitation, within one period from `early_ns` before it.
        background: float[d], photons of a constant background per segment.
        period_ns, early_ns: laser period, and how much of it lies before the excitation.
        background_error: float[d], standard error of the background; None where it is known.
    """
    n, detectors = photons.shape
    if n < LEAST_SEGMENTS:
        return undecided(f"{n} segments: fewer than {LEAST_SEGMENTS}")
    dark = np.asarray(background, float)
    unsure = np.zeros(detectors) if background_error is None else np.asarray(background_error, float)
    groups = [_groups(photons, sums_ns, d, dark, period_ns, early_ns) for d in range(detectors)]
    arrival = MeanArrival(period_ns, early_ns)
    points = _points(groups, photons, sums_ns, dark, arrival)
    if len(points.x) < 3 or np.bincount(points.owners, minlength=1).max() < 3:
        return undecided("too few photons above the background in too few groups of segments")
    if not _varies(points):
        return undecided("the intensity does not change by more than its noise")
    slope, error = _line(points, None)
    # What the background is not known to moves every group at once: dim ones most.
    off = 0.0
    for d in np.flatnonzero(unsure > 0):
        other = dark.copy()
        other[d] += unsure[d]
        moved = _points(groups, photons, sums_ns, other, arrival)
        if len(moved.x) < 3:
            return undecided("the background is not known well enough")
        off = math.hypot(off, _line(moved, None)[0] - slope)
    error = math.hypot(error, off)
    if not math.isfinite(error):
        return undecided("the intensity does not change by more than its noise")
    p_a, p_b = (_p(_line(points, assumed), assumed, off) for assumed in (1.0, 0.0))
    low, high = slope - Z95 * error, slope + Z95 * error
    return BlinkingType(Estimate(slope, error, low, high), p_a, p_b, _verdict(low, high, p_a, p_b), len(points.x))


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """Groups as points: ln intensity, ln lifetime, covariance float64[n, 2, 2], and the detector of each."""

    x: Floats
    y: Floats
    covariance: Floats
    owners: NDArray[np.int64]


def _groups(
    photons: NDArray[np.int64], sums_ns: Floats, d: int, background: Floats, period_ns: float, early_ns: float
) -> list[NDArray[np.intp]]:
    """Segments of one detector, grouped by what was counted elsewhere, each group large enough for a lifetime."""
    if photons.shape[1] > 1:
        others = photons.sum(axis=1) - photons[:, d]
        which = np.arange(len(photons))
    else:
        others = photons[:-2, 0] + photons[2:, 0]
        which = np.arange(1, len(photons) - 1)
    order = which[np.argsort(others, kind="stable")]
    held, dark = order[:0], float(background[d])
    light = float(photons[:, d].sum()) - dark * len(photons)
    if light < LEAST_SIGNAL:
        return []
    typical = (float(sums_ns[:, d].sum()) - dark * len(photons) * (period_ns / 2 - early_ns)) / light
    blur = period_ns**2 / 12 / max(typical, period_ns / 100) ** 2
    groups: list[NDArray[np.intp]] = []
    for part in np.array_split(order, max(1, min(GROUPS, len(order) // MEMBERS))):
        held = np.concatenate([held, part])
        light = max(float(photons[held, d].sum()) - dark * len(held), 0.0)
        # Whether a group is large enough must not hang on the lifetime found in it.
        if light >= LEAST_SIGNAL and light**2 / (light + blur * dark * len(held)) > KNOWN**-2:
            groups.append(held)
            held = order[:0]
    if groups:
        groups[-1] = np.concatenate([groups[-1], held])
    return groups


def _points(
    groups: Sequence[Sequence[NDArray[np.intp]]],
    photons: NDArray[np.int64],
    sums_ns: Floats,
    background: Floats,
    arrival: MeanArrival,
) -> _Points:
    """A point for each group of each detector, where enough is known of it."""
    found = [
        (*point, d)
        for d, some in enumerate(groups)
        for one in some
        if (point := _point(photons[one, d], sums_ns[one, d], float(background[d]), arrival)) is not None
    ]
    x, y = (np.array([point[i] for point in found], float) for i in (0, 1))
    covariance = np.array([point[2] for point in found], float).reshape(-1, 2, 2)
    return _Points(x, y, covariance, np.array([point[3] for point in found], np.int64))


def _varies(points: _Points) -> bool:
    """The intensity of the groups differs by more than chance, and by enough for a slope against it."""
    variance = np.maximum(points.covariance[:, 0, 0], 1e-300)
    mean = np.bincount(points.owners, points.x / variance) / np.maximum(
        np.bincount(points.owners, 1 / variance), 1e-300
    )
    spread = float(((points.x - mean[points.owners]) ** 2 / variance).sum())
    degrees = len(points.x) - len(np.unique(points.owners))
    return spread > MUCH * degrees and bool(chi2.sf(spread, degrees) < STEADY)


def _p(found: tuple[float, float], assumed: float, off: float) -> float:
    """Probability of a slope at least as far from the assumed one; `off` is what the background adds to its error."""
    return float(2 * norm.sf(abs(found[0] - assumed) / math.hypot(found[1], off)))


def undecided(reason: str) -> BlinkingType:
    """No type, and why."""
    return BlinkingType(unknown(reason), None, None, "undecided", 0)


def _verdict(low: float, high: float, p_a: float, p_b: float) -> str:
    """A or B where the interval reaches only that zone and is narrow; neither where it reaches none.

    "nearly" where it is in the zone, but surely not at its middle.
    """
    near_a, near_b = low < 1 + ZONE and high > 1 - ZONE, low < ZONE and high > -ZONE
    if high - low > 4 * ZONE or (near_a and near_b):
        return "undecided"
    if not (near_a or near_b):
        return "neither"
    kind, p = ("A", p_a) if near_a else ("B", p_b)
    return kind if p >= CHANCE else f"nearly {kind}"


def _point(
    photons: NDArray[np.int64], sums_ns: Floats, background: float, arrival: MeanArrival
) -> tuple[float, float, NDArray[np.float64]] | None:
    """(ln intensity, ln lifetime, covariance float64[2, 2]) of a group; None where too little is known of it."""
    n = photons.astype(np.float64)
    light = n - background
    total = float(light.sum())
    if total < LEAST_SIGNAL:
        return None
    square = n * (n - 1) - 2 * background * n + background**2  # unbiased for the squared light
    late = sums_ns - background * (arrival.period / 2 - arrival.early)
    mean, intensity = float(late.sum()) / total, float(square.sum()) / total
    tau = float(arrival.inverse(mean))
    if not (intensity > 0 and math.isfinite(tau)):
        return None
    slope = (float(np.interp(1.01 * tau, arrival.tau, arrival.mean)) - mean) / (0.01 * tau)
    # What each segment moves the two by.
    by_intensity = (square - intensity * light) / (total * intensity)
    by_tau = (late - mean * light) / (total * slope * tau)
    moves = np.stack([by_intensity, by_tau])
    covariance = moves @ moves.T * len(n) / max(len(n) - 1, 1)
    # The mean logarithm of something noisy is half its variance too low.
    half = np.minimum(np.diag(covariance), 1.0) / 2
    return math.log(intensity) + float(half[0]), math.log(tau) + float(half[1]), covariance


def _line(points: _Points, assumed: float | None) -> tuple[float, float]:
    """(slope, standard error) of lines with a common slope and an intercept for each detector.

    Errors are in both, and known; `assumed` is the slope that weights are worked out for (None: the one found). The
    error is widened where points scatter by more than their own errors say and chance does.
    """
    x, y, covariance, owners = points.x, points.y, points.covariance, points.owners
    slope = 0.5 if assumed is None else assumed
    error = math.inf
    off = np.zeros_like(x)
    for _ in range(3 if assumed is not None else 50):
        # An error relative to a lifetime found too long is too small: it is taken relative to the line's.
        larger = np.exp(np.clip(off, -1.0, 1.0))
        variance = larger**2 * covariance[:, 1, 1] - 2 * slope * larger * covariance[:, 0, 1]
        variance += slope**2 * covariance[:, 0, 0]
        weight = 1 / np.maximum(variance, 1e-12)
        whole = np.maximum(np.bincount(owners, weight), 1e-300)
        u, v = (one - (np.bincount(owners, weight * one) / whole)[owners] for one in (x, y))
        # The best guess of where on the line a point belongs: without it errors of x would flatten the slope.
        off = v - slope * u
        pulled = (larger * covariance[:, 0, 1] - slope * covariance[:, 0, 0]) * weight
        place = u - pulled * off
        scale = float((weight * place * u).sum())
        if not scale > 0:
            return slope, math.inf
        found = float((weight * place * v).sum()) / scale
        degrees = len(x) - 1 - len(np.unique(owners))
        scatter = float((weight * (v - found * u) ** 2).sum())
        more = scatter / degrees if degrees > 0 and chi2.sf(scatter, degrees) < CHANCE else 1.0
        error = math.sqrt(more / float((weight * place**2).sum()))
        if assumed is None:
            done, slope = abs(found - slope) < 1e-7, found
            if done:
                break
    return found, error
