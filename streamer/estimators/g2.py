"""Second-order correlation: g2(0), its interval and its verdict, from pair counts that are already summed.

A pair is one photon on detector a and one on detector b. Everything here is a pure function of integer tables.

Every interval is that of `streamer.estimators.intervals`: right for one read-out at a time fixed beforehand, not for
stopping while watching.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.intervals import coin_interval, poisson_interval, verdict

# The ratio A_0/<A_k> is too high by 1/S of itself, S being the pairs in all side peaks. That stays below a tenth of its
# standard error for g2(0) <= 2 and four or more lags on each side where S >= 100 / (1 + 8/2) = 20.
MIN_SIDE_PAIRS = 20

# Below 7.4 expected pairs (-ln 0.025 / 0.5) not even an empty window could be told from g2(0) = 0.5.
MIN_EXPECTED_PAIRS = 10.0


@dataclass(frozen=True, slots=True)
class PulsedG2:
    """g2(0) of pulsed light, by both references; what cannot be known is None and has its reason.

    Attributes:
        g2_0, low, high: central peak over mean side peak, and its interval.
        central: pairs in the central peak (lag 0).
        side_mean: mean side peak, referred to lag 0 by the known fall-off.
        side_pairs: pairs in all side peaks.
        g2_0_segments, segments_low, segments_high: central peak over the accidental pairs expected in its segments.
        verdict: "single" (high < 0.5), "not single" (low > 0.5) or "undecided", by the side peaks.
        reason: why g2_0 is None, else None.
    """

    g2_0: float | None
    low: float | None
    high: float | None
    central: int
    side_mean: float
    side_pairs: int
    g2_0_segments: float | None
    segments_low: float | None
    segments_high: float | None
    verdict: str
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class GatedG2:
    """g2(0) for every gate at once, side-peak reference; all arrays have shape [n_gates].

    Attributes:
        g2_0, low, high: float64, NaN where fewer than MIN_SIDE_PAIRS side pairs are left. Neighbouring gates share
            most of their pairs: each interval holds for its own gate, not for the curve as a whole.
        central, side_pairs: int64, pairs left by each gate.
    """

    g2_0: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    central: NDArray[np.int64]
    side_pairs: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class CwG2:
    """Normalised g2(tau) and the accidental pairs expected per bin; float64[n] each, g2 NaN where none are expected."""

    g2: NDArray[np.float64]
    expected: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CwZero:
    """g2 averaged over a window about zero delay; what cannot be known is None and has its reason.

    Attributes:
        value, low, high: pairs over expected pairs, and its interval.
        pairs: pairs in the window.
        expected: pairs that light without correlation would have there.
        window_ns: width of the whole bins that were taken.
        verdict: "single", "not single" or "undecided".
        reason: why value is None, else None.
    """

    value: float | None
    low: float | None
    high: float | None
    pairs: int
    expected: float
    window_ns: float
    verdict: str
    reason: str | None


def expected_pairs(lag: NDArray[np.generic], s1: float, s2: float, width: float = 1.0) -> NDArray[np.float64]:
    """Accidental pairs expected at each lag: width * (s1 - |lag| s2), float64, never below 0.

    A segment of length n holds Na*Nb*(1-|k|/n)/n accidental pairs at lag k; two sums over segments are all that is
    needed of them.

    Args:
        lag: in pulses, or in ns.
        s1: sum over segments of Na*Nb/n, n in the unit of `lag` (pulses: dimensionless; ns: 1/ns).
        s2: sum over segments of Na*Nb/n**2, same unit (ns: 1/ns**2). No segment may be shorter than the largest lag.
        width: of one bin in the unit of `lag`; 1 for a lag counted in pulses.
    """
    return width * np.maximum(s1 - np.abs(np.asarray(lag, np.float64)) * s2, 0.0)


def pulsed_g2(
    lags: NDArray[np.int64],
    counts: NDArray[np.int64],
    expected: NDArray[np.float64] | None = None,
    confidence: float = 0.95,
) -> PulsedG2:
    """g2(0) = A_0 / <A_k> from the pairs per lag, with its interval and the blinking-free reference beside it.

    Args:
        lags: int64[n], -K..K in pulses, the centre at 0 (a displaced centre is shifted there beforehand).
        counts: int64[n], pairs per lag.
        expected: float64[n], accidental pairs per lag inside the segments (`expected_pairs`). Its fall-off with |lag|
            weighs the side peaks, its value at 0 is the segment reference. None: side peaks of equal weight.
        confidence: of the intervals.

    Raises:
        ValueError: lags that are not -K..K, or arrays that do not fit them.
    """
    centre, weights = _weights(lags, np.shape(counts)[:1], expected)
    counts = np.asarray(counts, np.int64)
    central, side = int(counts[centre]), int(counts.sum() - counts[centre])
    weight = float(weights.sum() - weights[centre])
    value, low, high, reason = None, None, None, None
    if side < MIN_SIDE_PAIRS:
        reason = f"too few pairs: {side} in all side peaks, {MIN_SIDE_PAIRS} needed"
    else:
        value = central * weight / side
        low, high = (float(limit) for limit in coin_interval(central, side, weight, confidence))
    segments, segments_low, segments_high = None, None, None
    if expected is not None and expected[centre] * weight >= MIN_SIDE_PAIRS:
        segments = central / float(expected[centre])
        segments_low, segments_high = poisson_interval(central, float(expected[centre]), confidence)
    return PulsedG2(
        g2_0=value,
        low=low,
        high=high,
        central=central,
        side_mean=side / weight,
        side_pairs=side,
        g2_0_segments=segments,
        segments_low=segments_low,
        segments_high=segments_high,
        verdict=verdict(low, high),
        reason=reason,
    )


def gated_g2(
    lags: NDArray[np.int64],
    counts: NDArray[np.int64],
    expected: NDArray[np.float64] | None = None,
    confidence: float = 0.95,
) -> GatedG2:
    """g2(0) as a function of a lifetime gate: gate g keeps the pairs whose earlier nanotime lies in bin g or later.

    Args:
        lags: int64[n], -K..K in pulses.
        counts: int64[n, n_gates], pairs per lag and per bin of the earlier nanotime of the two.
        expected: float64[n], as in `pulsed_g2`; only its fall-off is used, which no gate changes. None: equal weights.
        confidence: of the intervals.

    Raises:
        ValueError: lags that are not -K..K, or arrays that do not fit them.
    """
    if np.ndim(counts) != 2:
        raise ValueError(f"counts: must have shape (lags, gates), got {np.shape(counts)}")
    centre, weights = _weights(lags, np.shape(counts)[:1], expected)
    kept = np.asarray(counts, np.int64)[:, ::-1].cumsum(axis=1)[:, ::-1]
    central = np.ascontiguousarray(kept[centre])
    side = kept.sum(axis=0) - central
    weight = float(weights.sum() - weights[centre])
    low, high = coin_interval(central, side, weight, confidence)
    known = side >= MIN_SIDE_PAIRS
    value = central * weight / np.maximum(side, 1)
    value, low, high = (np.where(known, array, np.nan) for array in (value, low, high))
    return GatedG2(g2_0=value, low=low, high=high, central=central, side_pairs=side)


def cw_g2(tau_ns: NDArray[np.float64], counts: NDArray[np.int64], s1: float, s2: float, bin_ns: float) -> CwG2:
    """Normalised g2(tau) = pairs / (Na*Nb*dtau/T * (1-|tau|/T)), summed over segments before the division.

    Args:
        tau_ns: float64[n], bin centres.
        counts: int64[n], pairs per bin.
        s1: sum over segments of Na*Nb/T in 1/ns, T in ns (one segment, the whole run, for "all").
        s2: sum over segments of Na*Nb/T**2 in 1/ns**2.
        bin_ns: width of a bin.
    """
    expected = expected_pairs(tau_ns, s1, s2, bin_ns)
    with np.errstate(divide="ignore", invalid="ignore"):
        return CwG2(g2=np.where(expected > 0, np.asarray(counts) / expected, np.nan), expected=expected)


def cw_zero(
    tau_ns: NDArray[np.float64],
    counts: NDArray[np.int64],
    expected: NDArray[np.float64],
    window_ns: float,
    confidence: float = 0.95,
) -> CwZero:
    """g2 averaged over the bins whose centres lie within `window_ns` / 2 of zero delay (the central bin at least).

    It is an average: a dip narrower than the window reads too high.

    Args:
        tau_ns: float64[n], equally spaced bin centres, one of them 0 (the delay is taken off beforehand).
        counts: int64[n], pairs per bin.
        expected: float64[n], accidental pairs per bin (`cw_g2`), taken as known.
        window_ns: full width of the window.
        confidence: of the interval.
    """
    tau, counts = np.abs(np.asarray(tau_ns, np.float64)), np.asarray(counts, np.int64)
    bin_ns = float(tau_ns[1] - tau_ns[0]) if len(tau) > 1 else float(window_ns)
    near = tau <= max(window_ns / 2, bin_ns / 2) * (1 + 1e-9)
    pairs, reference = int(counts[near].sum()), float(np.sum(expected[near]))
    value, low, high, reason = None, None, None, None
    if reference >= MIN_EXPECTED_PAIRS:
        value = pairs / reference
        low, high = poisson_interval(pairs, reference, confidence)
    else:
        reason = f"too few pairs: {reference:.3g} expected in the window, {MIN_EXPECTED_PAIRS:.0f} needed"
    return CwZero(
        value=value,
        low=low,
        high=high,
        pairs=pairs,
        expected=reference,
        window_ns=float(near.sum() * bin_ns),
        verdict=verdict(low, high),
        reason=reason,
    )


def _weights(
    lags: NDArray[np.int64], shape: tuple[int, ...], expected: NDArray[np.float64] | None
) -> tuple[int, NDArray[np.float64]]:
    """Index of lag 0 and the weight of each lag relative to it."""
    n = len(lags)
    if n < 3 or n % 2 == 0 or not np.array_equal(lags, np.arange(n) - n // 2):
        raise ValueError("lags: must be the whole numbers -K..K, K at least 1")
    if shape != (n,) or (expected is not None and expected.shape != (n,)):
        got = shape if expected is None else (*shape, *expected.shape)
        raise ValueError(f"counts, expected: must have one row per lag ({n} lags), got {got}")
    # Segments without photons on both detectors expect nothing anywhere and tell no fall-off.
    if expected is None or expected[n // 2] <= 0 or expected.sum() <= expected[n // 2]:
        return n // 2, np.ones(n)
    return n // 2, np.asarray(expected, np.float64) / expected[n // 2]
