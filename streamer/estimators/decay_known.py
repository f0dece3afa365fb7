"""Decay known: a fitted decay's parameters, and what is made of them, with errors and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from streamer.estimators.decay_expectation import Expectation
from streamer.estimators.estimate import Z95, Estimate, unknown
from streamer.estimators.likelihood import Maximum

Floats = NDArray[np.float64]

UNSURE = 1.0  # of the logarithm: a number not known to a factor of e is not known


class Known:
    """A fit with the covariance of its parameters, in which is what a measured response's own counts leave open."""

    def __init__(self, expectation: Expectation, fit: Maximum, intervals: bool) -> None:
        self.expectation, self.fit, self.intervals = expectation, fit, intervals
        bent, expected = expectation.slopes(fit.values), np.maximum(expectation.expected(fit.values), 1e-12)
        free = np.array([name not in expectation.fixed and not fit.at_bound(name) for name in fit.names])
        inverse = np.linalg.pinv((bent[free] / expected) @ bent[free].T, hermitian=True)
        self.noise = np.zeros((len(expected), 0))  # of the expected counts by the response, one column a share
        extra = np.zeros_like(inverse)
        if any(one is not None for one in expectation.responses) and expectation.kind != "stretched":
            self.noise = _response_noise(expectation, fit.values)
            moved = inverse @ (bent[free] / expected) @ self.noise
            extra = moved @ moved.T
        k = len(fit.names)
        self.covariance, self.extra = np.zeros((k, k)), np.zeros((k, k))
        self.covariance[np.ix_(free, free)] = inverse + extra
        self.extra[np.ix_(free, free)] = extra

    def error(self, name: str) -> float:
        """Standard error of a parameter."""
        i = self.fit.names.index(name)
        return math.sqrt(max(self.covariance[i, i], 0.0))

    def ends(self, name: str) -> tuple[float | None, float | None]:
        """95 % interval of a parameter."""
        if not self.intervals:
            return None, None
        i, value = self.fit.names.index(name), self.fit[name]
        if self.expectation.kind == "stretched":  # dear to work out, and as good as quadratic in the logarithms
            return value - Z95 * self.error(name), value + Z95 * self.error(name)
        more = Z95**2 * self.extra[i, i]
        low, high = self.fit.interval(name)
        return (
            None if low is None else value - math.hypot(low - value, math.sqrt(more)),
            None if high is None else value + math.hypot(high - value, math.sqrt(more)),
        )

    def endless(self, name: str) -> bool:
        """Whether the likelihood gives a parameter no end on either side within what was searched."""
        return self.intervals and self.ends(name) == (None, None)

    def exponential(self, name: str) -> Estimate:
        """exp of a parameter."""
        if name == "ln_beta" and self.fit.at_bound(name):
            return unknown("the decay is no stretched exponential: its exponent is at an end of what was tried")
        value = math.exp(self.fit[name])
        low, high = (None if end is None else math.exp(end) for end in self.ends(name))
        return Estimate(value, value * self.error(name), low, high)

    def derived(self, function: Callable[[Floats], float]) -> tuple[float, float]:
        """(value, standard error) of a function of the parameters."""
        values, slope = self.fit.values, np.zeros(len(self.fit.names))
        for i in np.flatnonzero(np.diag(self.covariance)):
            step = np.zeros_like(values)
            step[i] = 1e-5
            slope[i] = (function(values + step) - function(values - step)) / 2e-5
        return function(values), math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))

    def positive(self, function: Callable[[Floats], float]) -> Estimate:
        """A function above 0, its interval that of its logarithm."""
        value, error = self.derived(lambda v: math.log(function(v)))
        if error > UNSURE:
            return unknown("it is not known to a factor of e")
        return Estimate(
            math.exp(value),
            error * math.exp(value),
            math.exp(value - Z95 * error),
            math.exp(value + Z95 * error),
        )

    def share(self, function: Callable[[Floats], float]) -> Estimate:
        """A function between 0 and 1, its interval that of its logit."""
        value, error = self.derived(lambda v: math.log(function(v) / (1 - function(v))))
        low, mid, high = (1 / (1 + math.exp(-(value + side * Z95 * error))) for side in (-1, 0, 1))
        return Estimate(mid, error * mid * (1 - mid), low, high)

    def shares(self, order: list[int]) -> tuple[tuple[Estimate, ...], tuple[Estimate, ...]]:
        """(shares of the photons, shares of the amplitude) of the lifetimes in this order."""
        if len(order) == 1:
            whole = Estimate(1.0, 0.0, 1.0, 1.0)
            return (whole,), (whole,)
        mixture, n = self.expectation.mixture, self.expectation.n

        def part(k: int, values: Floats) -> float:
            return float(mixture(values)[0][k])

        def amplitude(k: int, values: Floats) -> float:
            height = mixture(values)[0] / np.exp(values[:n])
            return float(height[k] / height.sum())

        photons = [self.share(partial(part, k)) for k in order]
        if n == 2 and self.intervals:
            low, high = self.ends("share1")
            value, error = self.fit["share1"], self.error("share1")
            first = Estimate(
                value, error, None if low is None else max(low, 0.0), None if high is None else min(high, 1.0)
            )
            second = Estimate(
                1 - value,
                error,
                None if first.high is None else 1 - first.high,
                None if first.low is None else 1 - first.low,
            )
            photons = [(first, second)[k] for k in order]
        return tuple(photons), tuple(self.share(partial(amplitude, k)) for k in order)

    def background(self, d: int) -> Estimate:
        """Share of a detector's light that is background; its error is that of the curvature."""
        value, error = self.fit[f"background{d}"], self.error(f"background{d}")
        if value < 0.5 and self.fit.at_bound(f"background{d}"):
            return Estimate(round(value, 5), None, 0.0, None, "none is seen")
        return Estimate(value, error, max(0.0, value - Z95 * error), min(1.0, value + Z95 * error))


def mean_lifetime(expectation: Expectation, weighted: bool, values: Floats) -> float:
    """Mean lifetime in ns, by amplitude or, weighted, by intensity."""
    if expectation.kind == "stretched":
        # Moments of exp(-(t / tau)^beta): integral of it tau G(1 + 1/b), of it times t tau^2 G(2/b) / b.
        tau, beta = math.exp(values[0]), math.exp(values[1])
        if weighted:
            return float(tau * gamma(2 / beta) / gamma(1 / beta))
        return float(tau * gamma(1 + 1 / beta))
    shares, taus = expectation.mixture(values)[0], np.exp(values[: expectation.n])
    return float(shares @ taus if weighted else 1 / (shares / taus).sum())


def _response_noise(expectation: Expectation, values: Floats) -> Floats:
    """float64[n, shares]: standard deviations of the expected counts by each share of the measured responses."""
    columns, at = [], 0
    n = len(expectation.counts)
    for d, response in enumerate(expectation.responses):
        size = int(expectation.cells[d].seen.sum()) + (expectation.pulses is not None)
        if response is not None:
            block = np.zeros((n, len(response.shares)))
            # Shares are normalised by their own sum, so that light in one bin is light less in all others.
            bent = expectation.by_response(values, d)
            bent = bent - response.shares @ bent
            block[at : at + size] = bent.T * np.sqrt(np.maximum(response.variance, 0.0))
            columns.append(block)
        at += size
    return np.concatenate(columns, axis=1)
