"""Hong-Ou-Mandel interference: visibility from two runs, one of photons that can interfere, one of photons that cannot.

Two photons that are alike in everything leave a beam splitter by the same port, so they make no coincidences. Both
runs are taken alike but for the polarisation (parallel, perpendicular): the centre of each over its own side peaks, A,
has then the same scale, and

    V = 1 - A_parallel / A_perpendicular.

For the emitter's own visibility M, the mean wave-packet overlap of its photons, two-photon pulses of the source and
the interferometer are corrected for (Santori et al., Nature 419, 594 (2002)): beam splitters of reflectance R and
transmittance T, classical fringe contrast 1 - epsilon, source g = g2(0),

    A_parallel / A_perpendicular = 1 - 2 R T (1 - epsilon)**2 M / [(R**2 + T**2) (1 + m g)],

m = 2 where two pulses a path difference apart are followed by a long pause (as there), m = 1 for an even train of
pulses whose period (or a multiple of it) is the path difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from streamer.errors import InputError
from streamer.estimators.estimate import Z95, Estimate, unknown

Floats = NDArray[np.float64]
MIN_SIDE_PAIRS = 20  # in all side peaks of a run
MIN_CENTRAL_PAIRS = 10  # of the perpendicular run, whose centre everything is divided by
KNOWN_WEIGHT = 1e9  # side pairs that stand for an expectation without error
SCHEMES = {"double": 2.0, "train": 1.0}  # m of the above


@dataclass(frozen=True, slots=True)
class PeakCounts:
    """What one run counted.

    Attributes:
        central: pairs at zero delay.
        side: pairs that the centre is compared with, in all side peaks (or the wings, for cw light).
        weight: what `side` would be for one pair in a centre as large as a side peak: the number of side peaks, where
            nothing falls off. Of no consequence as long as it is the same in both runs.
    """

    central: float
    side: float
    weight: float

    @property
    def ratio(self) -> float | None:
        """A: centre over side peaks; None without side pairs."""
        return self.central * self.weight / self.side if self.side > 0 else None


@dataclass(frozen=True, slots=True)
class Visibility:
    """Two-photon interference.

    Attributes:
        raw: V as counted.
        corrected: M, of the source alone; equal to `raw` where no correction is given.
        parallel, perpendicular: A of the two runs; None without side pairs.
        correction: M / V.
    """

    raw: Estimate
    corrected: Estimate
    parallel: float | None
    perpendicular: float | None
    correction: float


def interferometer_pattern(lags: ArrayLike, path: int, g2: float = 0.0) -> Floats:
    """Peak areas of a train of single pulses behind an unbalanced interferometer, photons that do not interfere.

    With balanced splitters and a path difference of `path` periods: (1 + g)/2 in the centre, (3 + g)/4 at lags +-path,
    1 elsewhere; float64, shape of `lags`. `pulsed_counts` leaves lags +-path out.
    """
    lags = np.asarray(lags)
    source = {shift: np.where(lags - shift == 0, g2, 1.0) for shift in (-path, 0, path)}
    return np.asarray(source[0] / 2 + (source[path] + source[-path]) / 4)


def pulsed_counts(lags: ArrayLike, counts: ArrayLike, path: int = 1, expected: ArrayLike | None = None) -> PeakCounts:
    """Centre and side peaks of a run under pulses.

    Args:
        lags: int64[n], -K..K in pulses.
        counts: int64[n], pairs per lag.
        path: path difference in pulses; the peaks at these lags are smaller and left out. 0: none is left out, as where
            two sources meet at one beam splitter.
        expected: float64[n], accidental pairs per lag, whose fall-off weighs the side peaks; None: equal weights.

    Raises:
        ValueError: no centre among the lags, or no side peak left.
    """
    lags, counts = np.asarray(lags), np.asarray(counts)
    centre = lags == 0
    used = ~centre & ((np.abs(lags) != path) | (path == 0))
    if centre.sum() != 1 or not used.any():
        raise ValueError(f"lags: must hold 0 once and lags other than 0 and +-{path}")
    weights = np.ones(len(lags))
    if expected is not None and float(np.asarray(expected)[centre][0]) > 0:
        weights = np.asarray(expected, np.float64) / float(np.asarray(expected)[centre][0])
    return PeakCounts(float(counts[centre][0]), float(counts[used].sum()), float(weights[used].sum()))


def cw_counts(tau_ns: ArrayLike, counts: ArrayLike, expected: ArrayLike, window_ns: float) -> PeakCounts:
    """A window about zero delay of a run under cw light, over the pairs expected there without correlation.

    The visibility is then the average over that window: detectors or a window slower than the photons' coherence see
    less. `expected` is taken as known.

    Args:
        tau_ns: float64[n], centres of bins of one width, one of them 0.
        counts: int64[n], pairs per bin.
        expected: float64[n], accidental pairs per bin.
        window_ns: its full width.
    """
    tau = np.abs(np.asarray(tau_ns, np.float64))
    near = tau <= max(window_ns, float(np.diff(np.asarray(tau_ns)[:2])[0])) / 2 * (1 + 1e-9)
    return _known(float(np.asarray(counts)[near].sum()), float(np.asarray(expected)[near].sum()))


def counts_of_summary(g2: Mapping[str, Any]) -> PeakCounts:
    """Centre and side peaks out of the `g2` of a run's summary: all its side peaks, so for two sources at one splitter.

    Behind an unbalanced interferometer the peaks at its path difference are three quarters of the others in both runs,
    which takes nothing from the ratio of the two.

    Raises:
        InputError: the run has no pairs.
    """
    central, side_mean, lags = g2.get("central"), g2.get("side_mean"), g2.get("lags")
    if central is None or side_mean is None:
        raise InputError("hom: a run of the two has no g2; give runs with two detectors")
    if g2.get("kind") == "cw" or not lags:
        return _known(float(central), float(side_mean))
    return PeakCounts(float(central), 2.0 * lags * side_mean, 2.0 * lags)


def hom_values(parallel: Mapping[str, Any], perpendicular: Mapping[str, Any], **source: Any) -> dict[str, Any]:
    """Visibility out of the `g2` of two runs' summaries, as plain JSON.

    Args:
        parallel, perpendicular: `g2` of each summary.
        source: g2, g2_error, reflectance, contrast, scheme of `hom_visibility`, where they are known.

    Raises:
        InputError: a run without pairs, two runs of different kinds, or constants that cannot be.
    """
    if parallel.get("kind") != perpendicular.get("kind"):
        raise InputError("hom: one run is pulsed and the other is not; give two runs of one kind")
    found = hom_visibility(counts_of_summary(parallel), counts_of_summary(perpendicular), **source)
    return {
        "kind": "hom",
        "visibility": found.raw.plain(),
        "corrected": found.corrected.plain(),
        "parallel": found.parallel,
        "perpendicular": found.perpendicular,
        "correction": found.correction,
    }


def _known(central: float, expected: float) -> PeakCounts:
    """Central pairs against an expectation without an error of its own."""
    return PeakCounts(central, KNOWN_WEIGHT * expected, KNOWN_WEIGHT)


def hom_visibility(
    parallel: PeakCounts,
    perpendicular: PeakCounts,
    g2: float = 0.0,
    g2_error: float = 0.0,
    reflectance: float = 0.5,
    contrast: float = 1.0,
    scheme: str = "train",
    confidence: float = 0.95,
) -> Visibility:
    """Visibility of two runs, with its interval.

    Given the pairs of each run, each is a coin that lies in the centre or not: A_parallel / A_perpendicular is a ratio
    of two odds. Its interval is that of the logarithm of the odds' ratio with half a pair added to each count (Gart,
    J. R. Statist. Soc. B 28, 164 (1966)), which holds for few central pairs as well; its value is free of bias.

    Args:
        parallel: run of photons that can interfere.
        perpendicular: run of photons that cannot.
        g2, g2_error: g2(0) of the source and its standard error.
        reflectance: R of the beam splitters, T = 1 - R.
        contrast: 1 - epsilon, classical fringe contrast of the interferometer.
        scheme: "train" or "double", the pulses' pattern (see above).
        confidence: of the interval.

    Raises:
        InputError: constants that cannot be.
    """
    correction = _correction(g2, reflectance, contrast, scheme)
    ratios = parallel.ratio, perpendicular.ratio
    side = min(parallel.side, perpendicular.side)
    reason = None
    if side < MIN_SIDE_PAIRS:
        reason = f"too few pairs: {side:.0f} beside the centre in a run, {MIN_SIDE_PAIRS} needed"
    elif perpendicular.central < MIN_CENTRAL_PAIRS:
        reason = f"too few pairs: {perpendicular.central:.0f} in the perpendicular centre, {MIN_CENTRAL_PAIRS} needed"
    if reason is not None:
        return Visibility(unknown(reason), unknown(reason), *ratios, correction)
    scale = parallel.weight / perpendicular.weight
    # One is added below the line: c / (n + 1) is free of the bias of c / n.
    odds = scale * parallel.central * perpendicular.side / ((parallel.side + 1) * (perpendicular.central + 1))
    low, high = _odds_limits(parallel, perpendicular, scale, confidence)
    counts = np.array([parallel.central, parallel.side, perpendicular.central, perpendicular.side])
    relative = float(np.sqrt(np.sum(1 / (counts + 0.5))))
    raw = Estimate(1 - odds, max(odds, low) * relative, 1 - high, 1 - low)
    return Visibility(raw, _corrected(raw, correction, g2, g2_error, scheme), *ratios, correction)


def _odds_limits(
    parallel: PeakCounts, perpendicular: PeakCounts, scale: float, confidence: float
) -> tuple[float, float]:
    """Limits of A_parallel / A_perpendicular."""
    c, s, d, t = (one + 0.5 for one in (parallel.central, parallel.side, perpendicular.central, perpendicular.side))
    centre = math.log(scale * c * t / (s * d))
    reach = float(ndtri(0.5 + confidence / 2)) * math.sqrt(1 / c + 1 / s + 1 / d + 1 / t)
    return math.exp(centre - reach) if parallel.central > 0 else 0.0, math.exp(centre + reach)


def _correction(g2: float, reflectance: float, contrast: float, scheme: str) -> float:
    """M / V."""
    for name, value, good, rule in (
        ("g2", g2, 0 <= g2 < math.inf, "0 or more"),
        ("reflectance", reflectance, 0 < reflectance < 1, "between 0 and 1"),
        ("contrast", contrast, 0 < contrast <= 1, "above 0 and at most 1"),
        ("scheme", scheme, scheme in SCHEMES, f"one of {', '.join(SCHEMES)}"),
    ):
        if not good:
            raise InputError(f"hom {name}: must be {rule}, got {value!r}; correct it")
    transmittance = 1 - reflectance
    splitters = (reflectance**2 + transmittance**2) / (2 * reflectance * transmittance)
    return splitters * (1 + SCHEMES[scheme] * g2) / contrast**2


def _corrected(raw: Estimate, correction: float, g2: float, g2_error: float, scheme: str) -> Estimate:
    """M, the error of g2(0) added in quadrature to each side of the interval."""
    if raw.value is None or raw.error is None or raw.low is None or raw.high is None:
        return raw
    value = raw.value * correction
    slope = abs(value) * SCHEMES[scheme] / (1 + SCHEMES[scheme] * g2)  # by g2
    reach = Z95 * slope * g2_error
    below, above = correction * (raw.value - raw.low), correction * (raw.high - raw.value)
    return Estimate(
        value,
        math.hypot(correction * raw.error, slope * g2_error),
        value - math.hypot(below, reach),
        value + math.hypot(above, reach),
    )
