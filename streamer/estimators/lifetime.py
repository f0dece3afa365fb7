"""Lifetime of a decay as its mean arrival time after the excitation, corrected for background and laser period."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from streamer.estimators.arrival_moments import ArrivalMoments, first_look
from streamer.estimators.decay_shape import bin_edges
from streamer.estimators.estimate import Z95

LEAST_SIGNAL = 100.0  # photons above the background
MOST_PERIODS = 2.0  # a decay of twice the period varies within it by no more than +-25 %
WINDOW = (3.0, 8.0)  # lifetimes that the window lasts: at least, and when there is hardly any background
FAINT = 0.3  # of the background: where the decay is fainter, its photons tell less than they disturb
TAIL = 2.0  # a decay that is seen for longer has a slow part; it is followed this many times further beyond the window
EARLY = 2.0  # ns before the excitation that belong to it, by the response's tail; an eighth of the period at most


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A lifetime and how well it is known.

    Attributes:
        value_ns: None when it cannot be told; `reason` says why.
        error_ns: standard error.
        low_ns, high_ns: 95 % interval; `high_ns` None has no upper end.
        background_per_bin: constant background in counts per bin of each detector; unbiased, so it may be below 0.
        signal: photons above the background.
        photons: photons within the laser period.
        reason: why there is no value; None when there is one.
    """

    value_ns: float | None
    error_ns: float | None
    low_ns: float | None
    high_ns: float | None
    background_per_bin: tuple[float, ...]
    signal: float
    photons: int
    reason: str | None


def mean_lifetime(
    counts: NDArray[np.int64],
    bin_ns: float,
    period_ns: float,
    t0_ns: float,
    background_per_bin: float | None = None,
    sigma_ns: float = 0.0,
    t0_error_ns: float = 0.0,
) -> Lifetime:
    """Lifetime of one detector's decay, counts int64[n_bins]; see `state_lifetime`."""
    return state_lifetime(
        np.asarray(counts)[None], bin_ns, period_ns, [t0_ns], background_per_bin, sigma_ns, t0_error_ns
    )


def state_lifetime(
    counts: NDArray[np.int64],
    bin_ns: float,
    period_ns: float,
    t0_ns: ArrayLike,
    background_per_bin: ArrayLike | None = None,
    sigma_ns: float = 0.0,
    t0_error_ns: ArrayLike = 0.0,
    hidden: NDArray[np.bool_] | None = None,
) -> Lifetime:
    """One lifetime from the decays of several detectors, each with its own excitation time and background.

    The lifetime is found by the method of moments: that of a mono-exponential decay, wrapped at the laser period, whose
    mean arrival time after the excitation, above a constant background, is the one measured. The background is what the
    last part of the period holds above the decay's own tail there, unless it is given. See `ArrivalMoments`.

    For any other decay the value is the *intensity-weighted* mean arrival time (sum a_i tau_i^2 / sum a_i tau_i), as
    far as the decay can be seen: from where it is lost in the background's noise on, it is continued as an exponential.
    Two parts of 3 and 30 ns with equally many photons, 100 000 in all, 400 ns period, come out 1 % low at 1 %
    background, 5 % at 30 %. A slow part that does not end within the period is taken for background. Early photons that
    hide later ones (pile-up) are not corrected for: keep the rate below 5 % of the laser's.

    Args:
        counts: int64[n_det, n_bins], photons by nanotime.
        bin_ns: width of a bin.
        period_ns: laser period; need not be a whole number of bins. Bins from its end on are left out.
        t0_ns: float[n_det], nanotimes of the excitation: the centre of the instrument response.
        background_per_bin: float[n_det] or float, constant background when it is known.
        sigma_ns: standard deviation of the instrument response. Matters only when bins are about as wide, or lifetimes
            as short: the response does not move a mean.
        t0_error_ns: float[n_det] or float, standard error of `t0_ns`.
        hidden: bool[n_det, n_bins], bins that the card does not record, so that their being empty tells nothing; None
            for none.

    Returns:
        the lifetime, or the reason why there is none: fewer than LEAST_SIGNAL photons above the background, above
        MOST_PERIODS periods, or not known to within itself.
    """
    t0 = np.asarray(t0_ns, float).ravel()
    edges = bin_edges(counts.shape[1], bin_ns, period_ns)
    counts = counts[:, : len(edges) - 1]
    hidden = None if hidden is None or not hidden.any() else hidden[:, : len(edges) - 1]
    known = (
        None
        if background_per_bin is None
        else np.broadcast_to(np.asarray(background_per_bin, float) / bin_ns, t0.shape)
    )
    photons = int(counts.sum())
    early = min(edges[-1] / 8, max(EARLY, 6 * sigma_ns))
    if photons < LEAST_SIGNAL:
        return _none((), 0.0, photons, f"{photons} photons: fewer than {LEAST_SIGNAL:.0f}")
    least, most = max(bin_ns / 20, sigma_ns / 3, 1e-3), 4 * MOST_PERIODS * float(edges[-1])
    tau, ratio, seen = first_look(counts, edges, t0, early, known, hidden)
    tau = min(max(tau, 1.1 * least), most / 4)
    for last in (False, False, True):
        window = tau * min(max(math.log(max(ratio, 1e-9) / FAINT), WINDOW[0]), WINDOW[1])
        window += TAIL * max(0.0, seen - window)
        moments = ArrivalMoments(counts, edges, t0, early, window, tau, hidden)

        def z(trial: float, moments: ArrivalMoments = moments) -> float:
            score, variance = moments.score(trial, sigma_ns, known)
            return score / math.sqrt(variance)

        guess, found = tau, crossing(z, tau, 1.3, least, most, 1e-5)
        if found is None:
            why = "the decay is flat over the laser period"
            if z(tau) <= 0:
                why = "the photons come no later than the excitation: scattered light, or t0_ns is wrong"
            return _none((), 0.0, photons, why)
        tau = found
        signal, background = moments.amplitudes(tau, sigma_ns, known)
        ratio = float(signal.sum()) / tau / max(float(background.sum()), 1 / float(edges[-1]))
        if last or abs(tau / guess - 1) < 0.02:
            break
    shift = moments.shift(tau, sigma_ns, known) * np.asarray(t0_error_ns, float)
    extra = float(np.sum(shift**2))
    step = 1e-3 * tau
    slope = (moments.score(tau + step, sigma_ns, known)[0] - moments.score(tau - step, sigma_ns, known)[0]) / (2 * step)
    error = math.sqrt(moments.score(tau, sigma_ns, known)[1] + extra) / abs(slope)
    per_bin, total = tuple((background * bin_ns).tolist()), float(signal.sum())
    if tau > MOST_PERIODS * edges[-1]:
        return _none(per_bin, total, photons, f"flat: the lifetime is above {MOST_PERIODS:g} laser periods")
    if total < LEAST_SIGNAL:
        return _none(
            per_bin, total, photons, f"{total:.0f} photons above the background: fewer than {LEAST_SIGNAL:.0f}"
        )

    def far(trial: float) -> float:
        score, variance = moments.score(trial, sigma_ns, known)
        return score / math.sqrt(variance + extra)

    factor, within = 1 + Z95 * error / tau, 0.003 * error / tau
    low = crossing(lambda trial: far(trial) - Z95, tau, factor, least, most, within)
    high = crossing(lambda trial: far(trial) + Z95, tau, factor, least, most, within)
    if error > tau or (low is None and high is None):
        return _none(per_bin, total, photons, "decay and background cannot be told apart within the laser period")
    return Lifetime(tau, error, low or 0.0, high, per_bin, total, photons, None)


def _none(background: tuple[float, ...], signal: float, photons: int, reason: str) -> Lifetime:
    """No value, and why."""
    return Lifetime(None, None, None, None, background, signal, photons, reason)


def crossing(
    function: Callable[[float], float], start: float, factor: float, least: float, most: float, within: float
) -> float | None:
    """Where a function that falls with its argument is zero, to a relative accuracy; None outside [least, most].

    Walks up from `start` where the function is positive, down where it is negative, in steps of `factor`.
    """
    x, fx = start, function(start)
    factor = factor if fx > 0 else 1 / factor
    while least <= (y := x * factor) <= most:
        fy = function(y)
        if (fy > 0) != (fx > 0):
            return math.exp(
                brentq(lambda log: function(math.exp(log)), math.log(x), math.log(y), xtol=within, rtol=1e-12)
            )
        x, fx = y, fy
    return None
