"""The pulse comb in a cross-correlation histogram: is there one, and what are its period and phase?

Detection is in the frequency domain, where a comb is a line and everything else that a cross-correlation holds is
broad: the bunching envelope, the antibunching dip, a missing peak, a few crosstalk peaks. A line must therefore stand
above its own neighbourhood, and not only above the shot noise. The period is then refined over the whole window by
maximum likelihood, with the folded comb itself as the shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.ndimage import median_filter, uniform_filter1d
from scipy.special import ndtri_exp

FIVE_SIGMA = 2.867e-7  # one-sided tail of a Gaussian; what counts as found
MIN_PERIODS = 6  # in the window: with fewer, the fundamental cannot be told from the envelope
MIN_BINS = 4  # per period
MIN_PERIOD_NS = 1.0
MIN_PAIRS = 40  # a line's power is at most its pairs / 1.5 (Hann), so fewer could not stand out of thousands of looks

_SIDE = 16  # padded frequency bins on each side that make a line's neighbourhood ...
_GUARD = 5  # ... beyond the line itself, which is four padded bins to either side (Hann, padded twofold)
# A bump of the spectrum as narrow as a line needs a structure as long as the window, and such structures live at low
# frequencies. A comb is proven above that, by a harmonic if need be; its fundamental may lie below.
_LOWEST_LINE = 16  # periods in the window
_SAME_COMB = 0.25  # a fundamental has at least this part of the power of its strongest harmonic


@dataclass(frozen=True, slots=True)
class Comb:
    """A pulse comb.

    Attributes:
        period_ns: its period.
        phase_ns: where its peaks' mean lies, in (-period/2, period/2].
        significance: one-sided Gaussian sigmas, after the look at every frequency is paid for; at most 37.
    """

    period_ns: float
    phase_ns: float
    significance: float


@dataclass(frozen=True, slots=True, eq=False)
class _Spectrum:
    """Power, noise floor, and the unit in which a line is measured; float64 each, of one length."""

    power: NDArray[np.float64]
    floor: NDArray[np.float64]
    unit: NDArray[np.float64]


def find_period(tau_ns: NDArray[np.float64], counts: NDArray[np.generic]) -> Comb | None:
    """Period and phase of the pulse comb, or None: cw light, too few pairs, or too few periods in the window.

    None also where a comb is there but cannot be proven at five sigma with every frequency looked at.

    Args:
        tau_ns: float64[n], equally spaced bin centres, n odd, zero in the middle. The bin must be a whole multiple of
            the recorder's resolution, else the two grids beat and the beat is a comb.
        counts: int64[n] (or whole numbers as float64), pairs per bin.

    Raises:
        ValueError: bins that are not an odd number of equal ones about zero.
    """
    bin_ns = check_axis(tau_ns, counts)
    pairs = np.asarray(counts, np.float64)
    if pairs.sum() < MIN_PAIRS:
        return None
    line = _strongest_line(pairs, bin_ns)
    if line is None:
        return None
    frequency, significance = line
    tau = np.asarray(tau_ns, np.float64)
    period = _refine(tau, pairs, 1.0 / frequency)
    return Comb(period, comb_phase(tau, pairs, period)[0], significance)


def comb_phase(tau_ns: NDArray[np.float64], counts: NDArray[np.generic], period_ns: float) -> tuple[float, float]:
    """Mean position of the peaks of a comb of known period, in ns in (-period/2, period/2], and its standard error.

    A circular mean over whole periods, to which a background that does not know the period adds nothing; the envelope
    is divided out first, because its slope would. The error is that of shot noise, inf where there is no comb at all.
    """
    tau, flat, envelope = _flatten(np.asarray(tau_ns, np.float64), np.asarray(counts, np.float64), period_ns)
    turn = np.exp(2j * np.pi / period_ns * tau)
    mean = np.sum(flat * turn)
    if abs(mean) == 0:
        return 0.0, float("inf")
    noise = np.divide(flat + 1.0, envelope, out=np.zeros(len(flat)), where=envelope > 0)
    across = np.sum(noise * (turn * np.conj(mean) / abs(mean)).imag ** 2)
    scale = period_ns / (2 * np.pi)
    return float(np.angle(mean)) * scale, float(np.sqrt(across) / abs(mean)) * scale


def check_axis(tau_ns: NDArray[np.float64], counts: NDArray[np.generic]) -> float:
    """Width of a bin; ValueError unless there is an odd number of equal bins with zero in the middle."""
    n = len(tau_ns)
    if n < 3 or n % 2 == 0 or np.shape(counts) != (n,):
        raise ValueError(f"tau_ns, counts: must be of one odd length of at least 3, got {n} and {np.shape(counts)}")
    bin_ns = float(tau_ns[-1] - tau_ns[0]) / (n - 1)
    if not bin_ns > 0 or np.max(np.abs(tau_ns - (np.arange(n) - n // 2) * bin_ns)) > 1e-3 * bin_ns:
        raise ValueError("tau_ns: must be the centres of equal bins, rising, with zero in the middle one")
    return bin_ns


def _strongest_line(pairs: NDArray[np.float64], bin_ns: float) -> tuple[float, float] | None:
    """Frequency of the comb in 1/ns and its significance in sigmas, or None."""
    flat, strength = _strengths(pairs, bin_ns)
    looks = int(np.count_nonzero(strength))
    line = int(np.argmax(strength))
    log_chance = np.log(max(looks, 1)) - float(strength[line])
    if log_chance > np.log(FIVE_SIGMA):
        return None
    first = _fundamental(flat, line)
    left, here, right = np.sqrt(flat.power[first - 1 : first + 2])
    offset = 0.5 * (left - right) / (left - 2 * here + right) if left + right < 2 * here else 0.0
    padded = next_fast_len(2 * len(pairs), real=True)
    return float(first + offset) / (padded * bin_ns), min(float(-ndtri_exp(log_chance)), 37.0)


def _strengths(pairs: NDArray[np.float64], bin_ns: float) -> tuple[_Spectrum, NDArray[np.float64]]:
    """Spectrum of the flattened histogram, and the strength of every frequency that is looked at (0 elsewhere).

    A line of strength R is chance with probability exp(-R), times the number of looks.
    """
    n = len(pairs)
    # A narrow envelope widens every line into its own neighbourhood, so it is divided out; where it holds few pairs,
    # the constant keeps single ones from weighing much.
    box = n // 4 | 1
    envelope = uniform_filter1d(pairs, box, mode="nearest") + 20.0 / box
    spectrum = _spectrum(pairs, 1.0 / envelope)
    strength = spectrum.power / spectrum.unit
    frequency = np.arange(len(strength)) / (next_fast_len(2 * n, real=True) * bin_ns)
    highest = min(1 / MIN_PERIOD_NS, 1 / (MIN_BINS * bin_ns))
    strength[(frequency < _LOWEST_LINE / (n * bin_ns)) | (frequency > highest)] = 0.0
    strength[len(strength) - _GUARD - 2 * _SIDE :] = 0.0
    return spectrum, strength


def _spectrum(pairs: NDArray[np.float64], weight: NDArray[np.float64]) -> _Spectrum:
    """Power of a weighted, tapered histogram, padded twofold, and what a line in it is measured in.

    The power of Poisson counts, in units of its mean, is exponentially distributed. The unit is the largest of the shot
    noise, the median of a wide band (these two are the floor) and the medians to the left and to the right of the line,
    so that a raised or steep spectrum pays.
    """
    n = len(pairs)
    taper = np.hanning(n + 2)[1:-1] * weight
    tapered = pairs * taper
    power = np.abs(np.fft.rfft(tapered - tapered.sum() / taper.sum() * taper, next_fast_len(2 * n, real=True))) ** 2
    floor = np.maximum(_wide(power), float(np.sum(pairs * taper**2)))
    median = median_filter(power, _SIDE + 1, mode="nearest") / np.log(2)
    shift = _GUARD + _SIDE // 2
    return _Spectrum(power, floor, np.maximum(np.maximum(np.roll(median, shift), np.roll(median, -shift)), floor))


def _fundamental(spectrum: _Spectrum, line: int) -> int:
    """The lowest line of which `line` is a harmonic; sharp peaks make all harmonics about equally strong.

    A comb of nearly equal pulses (a train multiplied by delay lines) has weak lines below its fundamental: they stay
    out by `_SAME_COMB`. So does a bump of the envelope, whose multiples are no lines.
    """
    power = spectrum.power
    most = line // (2 * MIN_PERIODS)
    for divisor in range(most, 1, -1):
        near = round(line / divisor)
        near += int(np.argmax(power[near - 2 : near + 3])) - 2
        multiples = range(1, min(divisor, 4) + 1)
        least = min(power[j * near - j : j * near + j + 1].max() for j in multiples)
        # Few places are looked at here: a chance of 1e-4 in all of them will do. Three times the neighbourhood tells a
        # line from the ripple of a hole's spectrum, which is sin^2 and reaches twice its median.
        proven = power[near] > spectrum.floor[near] * np.log(most / 1e-4) and power[near] > 3 * spectrum.unit[near]
        highest = power[near] >= max(power[near - 1], power[near + 1])
        if near >= 2 * MIN_PERIODS and proven and highest and least >= _SAME_COMB * power[line]:
            return near
    return line


def _wide(power: NDArray[np.float64], block: int = 512) -> NDArray[np.float64]:
    """Median over blocks of the spectrum, as a mean power: a floor that knows of noise above the shot noise."""
    blocks = max(len(power) // block, 1)
    level = np.array([np.median(part) for part in np.array_split(power, blocks)]) / np.log(2)
    return np.repeat(level, [len(part) for part in np.array_split(power, blocks)])


def _flatten(
    tau: NDArray[np.float64], pairs: NDArray[np.float64], period: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Whole periods about zero: tau, counts over envelope less 1, and the envelope (running mean of five periods).

    An odd number of periods centred on a peak begins and ends in valleys, so a missing peak lowers the envelope of its
    neighbours without tilting it.
    """
    n = len(tau)
    bin_ns = float(tau[-1] - tau[0]) / (n - 1)
    periods = int(n * bin_ns / period)
    width = period * (5 if periods >= 10 else 1)
    edges = np.concatenate(([tau[0] - bin_ns / 2], tau + bin_ns / 2))
    total = np.concatenate(([0.0], np.cumsum(pairs)))
    left, right = np.maximum(tau - width / 2, edges[0]), np.minimum(tau + width / 2, edges[-1])
    # At the window's ends the box keeps its width (whole periods) and stops following.
    left, right = np.minimum(left, edges[-1] - width), np.maximum(right, edges[0] + width)
    envelope = (np.interp(right, edges, total) - np.interp(left, edges, total)) * bin_ns / width
    flat = np.divide(pairs, envelope, out=np.ones(n), where=envelope > 0) - 1.0
    keep = np.abs(tau) <= max(periods, 1) * period / 2
    return tau[keep], flat[keep], envelope[keep]


def _refine(tau: NDArray[np.float64], pairs: NDArray[np.float64], period: float) -> float:
    """Maximum-likelihood period by Fisher scoring; the shape is the folded comb itself.

    Harmonics are let in by octaves. All at once, a period slightly off would fold into a row of separate sharp peaks,
    a shape that fits perfectly and moves nowhere.
    """
    most = min(period / float(tau[1] - tau[0]) / 2, pairs.sum() / 30, 256)
    harmonics = 1
    while harmonics <= max(most, 1):
        inside, flat, envelope = _flatten(tau, pairs, period)
        for _ in range(4):
            shape, slope, highest = _fold(inside, flat, envelope, period, harmonics)
            expected = envelope * shape
            # d(expected)/d(period): a bin at tau moves through the shape by -tau/period of a period.
            slope = -envelope * slope * inside / period
            there = expected > 0
            score = np.sum((((flat + 1.0) * envelope - expected) * slope)[there] / expected[there])
            information = float(np.sum(slope[there] ** 2 / expected[there]))
            if not information > 0:
                return period
            step = float(score) / information
            # A longer step would carry the outermost peak beyond the basin of this harmonic.
            limit = 0.25 * period * period / (harmonics * float(tau[-1]))
            period += float(np.clip(step, -limit, limit))
            if abs(step) < 0.1 * information**-0.5:
                break
        if highest < harmonics / 4:
            break
        harmonics *= 2
    return period


def _fold(
    tau: NDArray[np.float64],
    flat: NDArray[np.float64],
    envelope: NDArray[np.float64],
    period: float,
    harmonics: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Shape of one period (mean 1) and its derivative per ns, both at every tau, and the highest harmonic in them.

    Of the first `harmonics` those are kept that stand out of the fold's noise.
    """
    n = int(min(512, period / float(tau[1] - tau[0])))
    turn = tau / period
    turn -= np.floor(turn)
    index = np.minimum((turn * n).astype(np.int64), n - 1)
    weight = np.maximum(np.bincount(index, envelope, n), 1e-300)
    spectrum = np.fft.rfft(np.bincount(index, flat * envelope, n) / weight)
    order = np.arange(len(spectrum))
    # White noise of the fold: the variance of each of its cells is 1/weight.
    spectrum[(order == 0) | (order > harmonics) | (np.abs(spectrum) ** 2 < 12.0 * np.sum(1.0 / weight))] = 0.0
    shape = 1.0 + np.fft.irfft(spectrum, n)
    slope = np.fft.irfft(spectrum * 2j * np.pi * order, n) / period
    # Cut off, the series rings below zero; a bound keeps empty valleys from weighing without limit.
    shape = np.maximum(shape, 0.05 * shape.max())
    at, cells = turn * n - 0.5, np.arange(-1, n + 1)
    highest = int(np.flatnonzero(spectrum)[-1]) if spectrum.any() else 0
    return np.interp(at, cells, shape[cells % n]), np.interp(at, cells, slope[cells % n]), highest
