"""Shape of a decay: an exponential, blurred by a Gaussian response, wrapped at the laser period, as bins record it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from streamer.errors import InputError

Floats = NDArray[np.float64]


def bin_edges(n_bins: int, bin_ns: float, period_ns: float) -> Floats:
    """Edges in ns of the bins that lie within one laser period, float64[m + 1], m <= n_bins.

    The period is not a whole number of bins in general, so the last of these bins may be a short one. Bins that begin
    at or after the end of the period hold no photon of this pulse and are left out.

    Raises:
        InputError: the bins end before the period: what is not histogrammed would be taken for darkness.
    """
    whole = int(period_ns / bin_ns + 1e-6)
    edges = np.arange(whole + 1, dtype=np.float64) * bin_ns
    if period_ns - whole * bin_ns > 1e-6 * bin_ns:
        edges = np.append(edges, period_ns)
    if len(edges) - 1 > n_bins:
        raise InputError(
            f"decay: its bins must cover the laser period of {period_ns:g} ns, got {n_bins} of {bin_ns:g} ns; "
            "use more or wider bins"
        )
    return edges


def unwrap(edges_ns: Floats, t0_ns: float, early_ns: float) -> tuple[int, Floats]:
    """Cut the circle of bins just before the excitation.

    Args:
        edges_ns: float64[m + 1], edges of the bins of one period.
        t0_ns: nanotime of the excitation; whole periods do not matter.
        early_ns: how long before the excitation to cut.

    Returns:
        first bin; edges float64[m + 1] in ns after the excitation, of the bins in order from there, ascending from
        about -early_ns over one period.
    """
    period = edges_ns[-1]
    start = (t0_ns - early_ns) % period
    first = int(np.searchsorted(edges_ns[:-1], start)) % (len(edges_ns) - 1)
    begin = edges_ns[first] - start
    if begin < 0:
        begin += period
    widths = np.roll(np.diff(edges_ns), -first)
    return first, begin - early_ns + np.concatenate([[0.0], np.cumsum(widths)])


def cumulative(x: Floats, tau: float, sigma: float, period: float) -> Floats:
    """Integral of the decay's density up to x ns after the excitation, up to a constant.

    The density is that of excitation at 0, -period, -2 period, ... : exp(-x/tau)/tau convolved with a Gaussian. Its
    integral over any one period (that does not cut through the rising edge) is 1.

    Args:
        x: float64[n], ns after the excitation, above -period.
        tau: lifetime in ns, above 0.
        sigma: standard deviation of the response in ns; 0 for none.
        period: laser period in ns.
    """
    before = -1.0 / np.expm1(-period / tau)  # all earlier pulses together are this times the last of them
    blur = 0.5 * (sigma / tau) ** 2
    total = np.empty_like(x)
    far = x > 8.0 * sigma + sigma**2 / tau  # where the response is over and the exponential cannot overflow
    total[far] = 1.0 - (1.0 + before * np.exp(-period / tau)) * np.exp(blur - x[far] / tau)
    near = x[~far]
    total[~far] = -before * np.exp(blur - (near + period) / tau)
    if sigma > 0.0:
        u = near / sigma
        total[~far] += ndtr(u) - np.exp(blur - near / tau + log_ndtr(u - sigma / tau))
    return total


def gaussian_exponential(y: Floats, ln_tau: float, ln_sigma: float, period: float, *, slopes: bool = True) -> Floats:
    """An exponential behind a Gaussian response.

    Args:
        y: float64[n], ns after the excitation, above -period.
        ln_tau, ln_sigma: logarithms of lifetime and standard deviation in ns.
        period: ns.
        slopes: with derivatives.

    Returns:
        float64[4, n]: integral up to y; its derivatives by y, ln_tau and ln_sigma. float64[1, n] without them.
    """
    tau, sigma = math.exp(ln_tau), math.exp(ln_sigma)
    ratio = sigma / tau
    u = y / sigma
    begun = ndtr(u)
    grown = 0.5 * ratio**2 - y / tau
    # Excited and not yet emitted: of this pulse, and of all before it.
    waiting = np.exp(grown + log_ndtr(u - ratio))
    once = -math.expm1(-period / tau)
    # A search may try a response that is wide beside the period; it must come back with a number.
    tail = np.exp(np.minimum(grown - (period / tau + math.log(once)), 300.0))
    left = waiting + tail
    out = np.empty((4 if slopes else 1, len(y)))
    out[0] = begun - left
    if slopes:
        bell = np.exp(-0.5 * u**2) * (ratio / math.sqrt(2 * math.pi))
        out[1] = left / tau
        out[2] = left * (ratio**2 - y / tau) - bell - tail * (period / tau / once)
        out[3] = bell - left * ratio**2
    return out
