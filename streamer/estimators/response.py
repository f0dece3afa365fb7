"""Response: a measured instrument response, its background taken off, as shares of the light in a run of bins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_shape import bin_edges

Floats = NDArray[np.float64]

LEAST_PHOTONS = 1000  # in the peak: below, the response is known worse than a Gaussian of the decay's own rise
STANDS_OUT = 4.0  # standard errors above the background that a stretch beside the peak must have to belong to it
GAP_NS = 2.0  # a response may pause for so long: a reflection, an afterpulse of the detector
MOST_OF_PERIOD = 0.2  # a response that lasts longer is the decay of something


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Decays of a recording of the response, as they were counted.

    Attributes:
        counts: raw channel -> int64[n_bins], photons by nanotime.
        bin_ns, period_ns: width of a bin, laser period.
    """

    counts: Mapping[int, NDArray[np.int64]]
    bin_ns: float
    period_ns: float


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The response of one detector.

    Attributes:
        shares: float64[m], light in successive bins, none below 0, 1 in all.
        variance: float64[m], of the shares, by the finite number of photons.
        start_ns: beginning of the first bin, from the response's centre of mass.
        bin_ns: width of a bin.
        centre_ns: nanotime of the centre of mass.
        sigma_ns: standard deviation.
        fine_ns: how narrow its sharpest feature is: half the width at half height.
        photons: above the background.
        background_per_bin: taken off.
    """

    shares: Floats
    variance: Floats
    start_ns: float
    bin_ns: float
    centre_ns: float
    sigma_ns: float
    fine_ns: float
    photons: float
    background_per_bin: float


def measured_response(counts: NDArray[np.int64], bin_ns: float, period_ns: float) -> Measured | str:
    """The response in a decay of scattered light, or of an emitter faster than any detector; else why there is none.

    The background is the mean of the half of the period opposite to the peak. The response reaches from the peak as far
    on both sides as stretches of growing length stand out from it.

    Args:
        counts: int64[n_bins], photons by nanotime.
        bin_ns: width of a bin.
        period_ns: laser period.
    """
    n = int(period_ns / bin_ns + 1e-6)  # whole bins; a short last one is left out
    bin_edges(len(counts), bin_ns, period_ns)
    seen: Floats = np.asarray(counts[:n], np.float64)
    if seen.sum() < LEAST_PHOTONS:
        return f"{seen.sum():.0f} photons in the response: fewer than {LEAST_PHOTONS}"
    peak = int(np.argmax(np.convolve(np.tile(seen, 3), np.ones(3), "same")[n : 2 * n]))
    turned: Floats = np.roll(seen, n // 2 - peak)  # the peak in the middle
    middle, gap = n // 2, max(8, int(GAP_NS / bin_ns))
    background = float(np.concatenate([turned[: n // 4], turned[-(n // 4) :]]).mean())
    first = middle - _reach(turned[middle::-1], background, gap)
    last = middle + _reach(turned[middle:], background, gap)
    if (last - first + 1) > MOST_OF_PERIOD * n:
        return "the response lasts for more than a fifth of the laser period"
    part = turned[first : last + 1]
    light: Floats = part - background
    total = float(light.sum())
    if total < LEAST_PHOTONS:
        return f"{total:.0f} photons in the response's peak: fewer than {LEAST_PHOTONS}"
    shares = _filled(light, int(part.argmax())) / total
    at = (np.arange(len(part)) + 0.5) * bin_ns
    mean = float(shares @ at)
    sigma = math.sqrt(max(float(shares @ (at - mean) ** 2), (bin_ns / 4) ** 2))
    above = np.count_nonzero(light > light.max() / 2)
    begin_ns = (first - (n // 2 - peak)) * bin_ns
    return Measured(
        shares, part / total**2, -mean, bin_ns, float((begin_ns + mean) % period_ns), sigma,
        max(above / 2, 1) * bin_ns, total, background,
    )  # fmt: skip


def _reach(outwards: Floats, background: float, gap: int) -> int:
    """How many bins from the peak outwards belong to the response, which may pause for `gap` bins."""
    end, width = 0, 1
    while end + 2 * width < len(outwards):
        ahead_bins = outwards[end + 1 : end + 1 + width]
        if ahead_bins.sum() - background * width <= STANDS_OUT * np.sqrt(max(background * width, 1.0)):
            if width >= gap:
                break
            width *= 2
            continue
        # The last bin ahead that stands out itself, or all of them.
        above = np.flatnonzero(ahead_bins > background + STANDS_OUT * np.sqrt(max(background, 1.0)))
        end += int(above[-1]) + 1 if len(above) else width
        width = max(1, end // 16)
    return end


def _filled(light: Floats, peak: int) -> Floats:
    """The light with bins that noise put below 0 evened out with those towards the peak; the sum stays."""
    out = light.copy()
    for side in (out[: peak + 1], out[: peak - 1 : -1] if peak else out[::-1]):
        begin, held = 0, 0.0
        for i in range(len(side)):
            held += side[i]
            if held >= 0:
                side[begin : i + 1] = held / (i + 1 - begin)
                begin, held = i + 1, 0.0
    return out
