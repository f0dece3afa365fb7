"""The intervals of decay fits: photons drawn one by one, and what the study prints of them.

Excitation and width of the response are not told: they are found in the decay as the program finds them, or the
response is measured by a finite number of photons of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from streamer.estimators.decay_fit import fit_decay
from streamer.estimators.estimate import Estimate
from streamer.estimators.excitation import locate_excitation
from streamer.estimators.response import measured_response
from tests.coverage.case import Case, Trial

Times = NDArray[np.float64]
DELAY, SHARE = 0.35, 0.25  # of a measured response's second peak: ns and share of the light

# lifetime and laser period in ns, photons, background, bin and response (standard deviation) in ns
MONO = [
    (0.057, 12.5, 20_000, 0.02, 0.004, 0.021),
    (0.1, 12.5, 2_000, 0.05, 0.004, 0.021),
    (1.0, 12.5, 500, 0.0, 0.016, 0.1),
    (1.0, 12.5, 100_000, 0.1, 0.016, 0.1),
    (5.0, 50.0, 3_000, 0.3, 0.064, 0.15),
    (20.0, 100.0, 500, 0.1, 0.064, 0.2),
    (20.0, 200.0, 1_000_000, 0.05, 0.128, 0.2),
    (45.0, 400.0, 10_000, 0.3, 0.128, 0.2),
]
# lifetimes, share of the photons of the first, period, photons, background, bin, response
BI = [
    (0.3, 3.0, 0.3, 25.0, 100_000, 0.02, 0.016, 0.05),
    (1.0, 8.0, 0.5, 50.0, 20_000, 0.05, 0.032, 0.1),
    (3.0, 20.0, 0.3, 200.0, 50_000, 0.1, 0.064, 0.15),
    (5.0, 30.0, 0.1, 400.0, 100_000, 0.02, 0.128, 0.2),
    (4.0, 15.0, 0.5, 200.0, 200_000, 0.3, 0.064, 0.15),
]
# lifetimes, shares of the photons, period, photons, background, bin, response
TRI = [
    ((0.7, 3.5, 20.0), (0.2, 0.3, 0.5), 200.0, 500_000, 0.02, 0.064, 0.1),
    ((2.0, 10.0, 45.0), (0.1, 0.3, 0.6), 400.0, 300_000, 0.05, 0.128, 0.15),
    ((0.3, 1.5, 8.0), (0.4, 0.35, 0.25), 50.0, 200_000, 0.02, 0.032, 0.05),
]
# lifetime, exponent, period, photons, background, bin, response
STRETCHED = [
    (2.0, 0.7, 50.0, 20_000, 0.02, 0.032, 0.1),
    (10.0, 0.6, 400.0, 100_000, 0.05, 0.128, 0.15),
    (15.0, 0.85, 200.0, 50_000, 0.1, 0.064, 0.2),
    (5.0, 1.2, 50.0, 30_000, 0.05, 0.032, 0.1),
]
# lifetime, period, pulses, light per pulse, background, bin, response
PILED = [
    (5.0, 50.0, 500_000, 0.02, 0.02, 0.064, 0.1),
    (20.0, 100.0, 200_000, 0.05, 0.05, 0.064, 0.15),
    (20.0, 200.0, 100_000, 0.1, 0.1, 0.128, 0.15),
    (8.0, 100.0, 50_000, 0.25, 0.02, 0.064, 0.1),
    (25.0, 100.0, 100_000, 0.7, 0.05, 0.064, 0.1),
]


def gaussian(rng: np.random.Generator, n: int, sigma: float) -> Times:
    """Delays of a Gaussian response."""
    return sigma * rng.standard_normal(n)


def skew(rng: np.random.Generator, n: int, sigma: float) -> Times:
    """Delays of a response with a second, later peak."""
    return sigma * rng.standard_normal(n) + DELAY * (rng.random(n) < SHARE)


def histogram(rng: np.random.Generator, times: Times, dark: float, period: float, width: float) -> NDArray[np.int64]:
    """Counts by nanotime: photons at these times after some pulse, and a mean number of dark ones."""
    every = np.concatenate([times % period, period * rng.random(rng.poisson(dark))])
    n = math.ceil(period / width)
    return np.bincount((every / width).astype(np.int64), minlength=n)[:n]


def found(counts: NDArray[np.int64], width: float, period: float) -> tuple[float, float]:
    """Excitation and width of the response, as the program begins with them."""
    place = locate_excitation(counts, width, period)
    assert place.t0_ns is not None
    return place.t0_ns, place.sigma_ns or 0.1


def trial(name: str, truth: float, one: Estimate, number: str = "") -> Trial:
    """As the runner wants it."""
    return Trial(name, truth, one.value, *((None, None) if one.value is None else (one.low, one.high)), number)


def mono(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """A Gaussian response of unknown width."""
    for _ in range(max(1, round(trials / len(MONO)))):
        for tau, period, photons, background, width, sigma in MONO:
            n = rng.poisson(photons * (1 - background))
            times = 0.11 * period + gaussian(rng, n, sigma) + tau * rng.standard_exponential(n)
            counts = histogram(rng, times, photons * background, period, width)
            t0, start = found(counts, width, period)
            fit = fit_decay(counts[None], width, period, [t0], model="mono", sigma_ns=start)
            name = f"{tau:g} ns, period {period:g} ns, {photons} photons, background {100 * background:g} %"
            yield trial(name, tau, fit.lifetimes_ns[0])


def measured(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """A response with two peaks, of which as many photons are measured as of the decay, or 10 000."""
    for _ in range(max(1, round(trials / len(MONO)))):
        for tau, period, photons, background, width, sigma in MONO:
            n, m = rng.poisson(photons * (1 - background)), max(10_000, min(photons, 100_000))
            scattered = histogram(rng, 0.11 * period + skew(rng, m, sigma), 0.02 * m, period, width)
            response = measured_response(scattered, width, period)
            name = f"{tau:g} ns, period {period:g} ns, {photons} photons, background {100 * background:g} %"
            if isinstance(response, str):  # the program says that this recording is no response
                yield trial(name, tau, Estimate(None))
                continue
            times = 0.11 * period + skew(rng, n, sigma) + tau * rng.standard_exponential(n)
            counts = histogram(rng, times, photons * background, period, width)
            fit = fit_decay(counts[None], width, period, [response.centre_ns], model="mono", responses=[response])
            yield trial(name, tau, fit.lifetimes_ns[0] if fit.lifetimes_ns else Estimate(None))


def two(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Two lifetimes."""
    for _ in range(max(1, round(trials / len(BI)))):
        for fast, slow, share, period, photons, background, width, sigma in BI:
            n = rng.poisson(photons * (1 - background))
            taus = np.where(rng.random(n) < share, fast, slow)
            times = 0.11 * period + gaussian(rng, n, sigma) + taus * rng.standard_exponential(n)
            counts = histogram(rng, times, photons * background, period, width)
            t0, start = found(counts, width, period)
            fit = fit_decay(counts[None], width, period, [t0], model="bi", sigma_ns=start)
            amplitude = share / fast + (1 - share) / slow
            told = {
                "fast": (fast, fit.lifetimes_ns[0]),
                "slow": (slow, fit.lifetimes_ns[1]),
                "share": (share, fit.shares[0]),
                "amplitude": (share / fast / amplitude, fit.amplitudes[0]),
                "mean by intensity": (share * fast + (1 - share) * slow, fit.mean_intensity_ns),
                "mean by amplitude": (1 / amplitude, fit.mean_amplitude_ns),
            }
            for what, (truth, one) in told.items():
                yield trial(
                    f"{fast:g} and {slow:g} ns, {photons} photons, background {100 * background:g} %", truth, one, what
                )


def three(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """Three lifetimes."""
    for _ in range(max(1, round(trials / len(TRI)))):
        for some, shares, period, photons, background, width, sigma in TRI:
            n = rng.poisson(photons * (1 - background))
            taus = rng.choice(some, size=n, p=shares)
            times = 0.11 * period + gaussian(rng, n, sigma) + taus * rng.standard_exponential(n)
            counts = histogram(rng, times, photons * background, period, width)
            t0, start = found(counts, width, period)
            fit = fit_decay(counts[None], width, period, [t0], model="tri", sigma_ns=start)
            mean = float(np.dot(some, shares))
            told = {
                "fast": (some[0], fit.lifetimes_ns[0]),
                "middle": (some[1], fit.lifetimes_ns[1]),
                "slow": (some[2], fit.lifetimes_ns[2]),
                "share": (shares[2], fit.shares[2]),
                "mean by intensity": (mean, fit.mean_intensity_ns),
                "mean by amplitude": (1 / float(np.dot(shares, 1 / np.array(some))), fit.mean_amplitude_ns),
            }
            for what, (truth, one) in told.items():
                yield trial(f"{some[0]:g}, {some[1]:g} and {some[2]:g} ns, {photons} photons", truth, one, what)


def stretched(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """exp(-(t / tau)^beta)."""
    for _ in range(max(1, round(trials / len(STRETCHED)))):
        for tau, beta, period, photons, background, width, sigma in STRETCHED:
            n = rng.poisson(photons * (1 - background))
            # Photons by their time: (t / tau)^beta has the density of a gamma variable of 1 / beta.
            late = tau * rng.gamma(1 / beta, size=n) ** (1 / beta)
            times = 0.11 * period + gaussian(rng, n, sigma) + late
            counts = histogram(rng, times, photons * background, period, width)
            t0, start = found(counts, width, period)
            fit = fit_decay(counts[None], width, period, [t0], model="stretched", sigma_ns=start)
            told = {
                "tau": (tau, fit.lifetimes_ns[0]),
                "beta": (beta, fit.beta or Estimate(None)),
                "mean by intensity": (tau * gamma(2 / beta) / gamma(1 / beta), fit.mean_intensity_ns),
                "mean by amplitude": (tau * gamma(1 / beta) / beta, fit.mean_amplitude_ns),
            }
            for what, (truth, one) in told.items():
                yield trial(f"{tau:g} ns, exponent {beta:g}, {photons} photons", truth, one, what)


def piled_up(rng: np.random.Generator, trials: int) -> Iterator[Trial]:
    """One lifetime, of which only the first photon of each pulse is recorded."""
    for _ in range(max(1, round(trials / len(PILED)))):
        for tau, period, pulses, light, background, width, sigma in PILED:
            n = rng.poisson(pulses * light * (1 - background))
            m = rng.poisson(pulses * light * background)
            late = 0.11 * period + gaussian(rng, n, sigma) + tau * rng.standard_exponential(n)
            times = np.concatenate([late, period * rng.random(m)])
            pulse = (rng.integers(0, pulses, n + m) + np.floor(times / period).astype(np.int64)) % pulses
            times %= period
            order = np.lexsort((times, pulse))
            first = np.ones(n + m, bool)
            first[1:] = np.diff(pulse[order]) > 0
            counts = histogram(rng, times[order][first], 0.0, period, width)
            t0, start = found(counts, width, period)
            fit = fit_decay(counts[None], width, period, [t0], model="mono", sigma_ns=start, pulses=pulses)
            yield trial(f"{tau:g} ns, {light:g} photons per pulse", tau, fit.lifetimes_ns[0])


MEANS = ("mean by intensity", "mean by amplitude")
CASES = [
    Case("lifetime, fit, one exponential", "57 ps to 45 ns, 500 to 1e6 photons, background 0 to 30 %", mono),
    Case(
        "lifetime, fit, measured response", "as before, response of two peaks with 10 000 to 100 000 photons", measured
    ),
    Case("two exponentials", "2e4 to 2e5 photons", two, numbers=("fast", "slow", "share", "amplitude", *MEANS)),
    Case("three exponentials", "2e5 to 5e5 photons", three, numbers=("fast", "middle", "slow", "share", *MEANS)),
    Case("stretched exponential", "2e4 to 1e5 photons", stretched, numbers=("tau", "beta", *MEANS)),
    Case("lifetime, fit with pile-up", "2 to 70 photons in 100 pulses", piled_up),
]
