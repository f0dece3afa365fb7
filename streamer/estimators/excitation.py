"""When the laser excites, on the nanotime axis: the rising edge of a decay, found by shape and fitted with its blur."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamer.estimators.decay_shape import bin_edges, gaussian_exponential
from streamer.estimators.poisson_fit import poisson_fit

Floats = NDArray[np.float64]

LEAST_PHOTONS = 200
LEAST_RATIO = 20.0  # gain in log-likelihood over a flat histogram; chance reaches 10 once in thousands
GRID = 2048  # places tried for the edge
DECAYS = 0.5 ** np.arange(10)  # lifetimes tried, in periods
SHARES = (0.1, 0.5, 0.95)  # of the signal among all photons, tried
NEAR = 1.5  # ns around the edge in which every bin counts; further out they are pooled, in steps of
POOL = 1.03  # this factor in distance
ENOUGH = 20_000  # photons after the edge that tell its place; a longer piece would only add the decay's own shape
SIGMA, SIGMA_SPREAD = 0.12, 1.2  # ns and e-folds: what responses are like, for decays with too few photons to tell
TAU_SPREAD = 3.0  # e-folds about the lifetime of the best shape; keeps a decay flat over the piece within bounds


@dataclass(frozen=True, slots=True)
class Excitation:
    """Where the instrument response lies.

    Attributes:
        t0_ns: nanotime of its centre, 0 <= t0_ns < period; None when it cannot be told, and `reason` says why.
        error_ns: standard error of `t0_ns`.
        sigma_ns: standard deviation of the response, if it were Gaussian.
        reason: why there is no value; None when there is one.
    """

    t0_ns: float | None
    error_ns: float | None
    sigma_ns: float | None
    reason: str | None


def find_t0(counts: NDArray[np.int64], bin_ns: float, period_ns: float) -> float | None:
    """Nanotime of the excitation in ns, or None when the decay cannot tell it; see `locate_excitation`."""
    return locate_excitation(counts, bin_ns, period_ns).t0_ns


def locate_excitation(counts: NDArray[np.int64], bin_ns: float, period_ns: float) -> Excitation:
    """Find the centre of the instrument response from a decay alone.

    The half maximum of the rising edge, usual for this, is biased by the response's width and, at few photons per
    bin, by noise. Instead, the place where an exponential decay on a background is likeliest (of a set of lifetimes
    and backgrounds) starts a fit of the edge: exponential convolved with a Gaussian, on a constant background and the
    previous pulses' tail, to the photons around it. The exponential is local, so the decay as a whole need not be one.

    Args:
        counts: int64[n_bins], photons of one detector by nanotime.
        bin_ns: width of a bin.
        period_ns: laser period; need not be a whole number of bins.
    """
    edges = bin_edges(len(counts), bin_ns, period_ns)
    counts, period = counts[: len(edges) - 1], float(edges[-1])
    photons = int(counts.sum())
    if photons < LEAST_PHOTONS:
        return Excitation(None, None, None, f"{photons} photons: fewer than {LEAST_PHOTONS}")
    total = np.concatenate([[0.0], np.cumsum(counts)])
    ratio, edge, tau, share = _likeliest(np.diff(np.interp(np.linspace(0, period, GRID + 1), edges, total)), period)
    if ratio < LEAST_RATIO:
        return Excitation(None, None, None, "no rising edge: the decay is flat over the laser period")
    # Three periods side by side, so that the piece around the edge need not wrap.
    axis = np.concatenate([edges[:-1] - period, edges[:-1], edges + period])
    sums = np.concatenate([total[:-1] - photons, total[:-1], total + photons])
    x, n = _piece(axis, sums, edge, period)
    signal = share * photons
    start = np.array([0.0, *np.log([max(SIGMA, bin_ns / 2), tau, signal, (photons - signal) / period])])
    fit = poisson_fit(
        lambda values: _blurred_edge(values, x, period),
        n,
        start,
        np.array([tau, 1.0, 1.0, 1.0, 2.0]),
        np.array([0.0, SIGMA_SPREAD**-2, TAU_SPREAD**-2, 1e-9, 1e-3]),
    )
    sigma, tau, signal, base = np.exp(fit.values[1:])
    step = signal / tau
    before = base + step * math.exp(-period / tau) / -math.expm1(-period / tau)
    # The curvature does not tell how well a jump is known that is sharper than the distance of photons: to 1/step out
    # of the dark, to sqrt(26) before/step^2 on a background (Yao, Ann. Stat. 15, 1321, 1987).
    error = math.sqrt(max(fit.covariance[0, 0], 0.0) + ((step + 5 * before) / step**2) ** 2)
    if not error < min(period / 8, 2 * tau):
        return Excitation(None, None, None, "the rising edge is not sharp enough to be placed")
    return Excitation(float((edge + fit.values[0]) % period), error, float(sigma), None)


@cache
def _templates() -> tuple[NDArray[np.complex128], tuple[tuple[float, float], ...]]:
    """Log-likelihoods per photon of wrapped exponential decays that begin at 0, Fourier transformed, and what they are.

    Returns:
        complex128[k, GRID/2 + 1]; for each, lifetime in periods and share of signal among all photons.
    """
    kinds = tuple((float(tau), share) for tau in DECAYS for share in SHARES)
    at = np.linspace(0, 1, GRID + 1)
    shapes = [share * np.diff(np.expm1(-at / tau) / np.expm1(-1 / tau)) + (1 - share) / GRID for tau, share in kinds]
    return np.fft.rfft(np.log(np.array(shapes) * GRID), axis=1), kinds


def _likeliest(counts: Floats, period: float) -> tuple[float, float, float, float]:
    """Log-likelihood above a flat decay, edge in ns, lifetime in ns and share of signal of the likeliest template."""
    shapes, kinds = _templates()
    # Correlating counts with log-likelihoods per photon gives the likelihood of all edges at once.
    likelihood = np.fft.irfft(np.fft.rfft(counts) * np.conj(shapes), GRID, axis=1)
    kind, place = divmod(int(np.argmax(likelihood)), GRID)
    tau, share = kinds[kind]
    return float(likelihood[kind, place]), place * period / GRID, tau * period, share


def _piece(axis: Floats, sums: Floats, edge: float, period: float) -> tuple[Floats, Floats]:
    """Cells around the edge: their edges relative to it float64[n + 1], counts float64[n].

    Args:
        axis, sums: float64[m], bin edges in ns over three periods, and counts up to there.
        edge: ns.
        period: ns.
    """
    until = float(np.interp(np.interp(edge, axis, sums) + ENOUGH, sums + 1e-9 * np.arange(len(sums)), axis))
    after = min(max(NEAR, until - edge), period / 3)
    first, last = np.searchsorted(axis, [edge - min(after, period / 4), edge + after])
    x = axis[first : last + 1] - edge
    rung = np.floor(np.log(np.maximum(np.abs(x), NEAR) / NEAR) / math.log(POOL)) * np.sign(x)
    keep = (np.abs(x) <= NEAR) | (np.diff(rung, prepend=np.inf) != 0)
    keep[-1] = True
    return x[keep], np.diff(sums[first : last + 1][keep])


def _blurred_edge(values: Floats, x: Floats, period: float) -> tuple[Floats, Floats]:
    """Expected counts float64[n] of cells with edges x float64[n + 1], and derivatives float64[5, n].

    Parameters: place of the edge, and logarithms of sigma, lifetime, signal photons, background per ns.
    """
    signal, base = np.exp(values[3:])
    total, by_place, by_tau, by_sigma = gaussian_exponential(x - values[0], values[2], values[1], period)
    wide = base * np.diff(x)
    slopes = signal * np.diff(np.array([-by_place, by_sigma, by_tau, total]))
    return slopes[3] + wide, np.vstack([slopes, wide])
