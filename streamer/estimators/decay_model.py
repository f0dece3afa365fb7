"""Decay models: exponentials and stretched exponentials behind a response, wrapped at the laser period, integrated.

Everything here is an integral up to a time after the excitation, so that differences are what bins hold, however wide
they are and wherever they begin; and it comes with its derivatives. Excitation at 0, -period, -2 period ... is meant
throughout; over any one period that begins before the response the integral grows by 1.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import gamma, gammainc, ndtr

from streamer.estimators.response import Measured

Floats = NDArray[np.float64]

NODES = 160  # slices of a Gaussian that blurs a stretched exponential, over its rising edge
FAR_NODES = 8  # and behind it
WIDE = 5.0  # standard deviations of a Gaussian on either side that are looked at
TIMES = np.geomspace(1e-7, 1e7, 1601)  # in lifetimes, where a stretched exponential is worked out
STEP = 1e-5  # of the logarithm of its exponent, for the derivative
MOST_PULSES = 400  # earlier ones whose tails are added up


def measured_exponential(y: Floats, ln_tau: float, response: Measured, period: float, *, slopes: bool = True) -> Floats:
    """An exponential behind a measured response, whose light is spread evenly within each of its bins.

    The light that is excited and not yet emitted obeys E' = h - E / tau, which is solved exactly from bin to bin: a
    recursive filter, whatever the period is in bins.

    Args:
        y: float64[n], ns after the response's centre, above the response's end less a period.
        ln_tau: logarithm of the lifetime in ns.
        response: of the detector.
        period: ns.
        slopes: with derivatives.

    Returns:
        float64[3, n]: integral up to y; its derivatives by y and ln_tau. float64[1, n] without them.
    """
    tau, width, shares = math.exp(ln_tau), response.bin_ns, response.shares
    m, fade = len(shares), math.exp(-width / tau)
    stay = tau / width * -math.expm1(-width / tau)  # of the light of a bin, that is left at its end
    left = np.concatenate([[0.0], lfilter([1.0], [1.0, -fade], shares * stay)])
    begun = np.concatenate([[0.0], np.cumsum(shares)])
    place = (y - response.start_ns) / width
    j = np.clip(np.floor(place), 0, m).astype(np.intp)
    s = np.where(place > 0, (place - j) * width, 0.0)  # ns into the bin, or behind the last
    light = np.where((j < m) & (place > 0), np.append(shares, 0.0)[j], 0.0) / width
    gone = np.exp(-s / tau)
    waiting = left[j] * gone + light * tau * (1 - gone)
    end = response.start_ns + m * width
    once = -math.expm1(-period / tau)
    lag = (y + period - end) / tau
    fallen = np.exp(-lag) / once
    tail = left[m] * fallen
    out = np.empty((3 if slopes else 1, len(y)))
    out[0] = begun[j] + light * s - waiting - tail
    if slopes:
        change = left[:-1] * fade * width / tau + shares * (stay - fade)
        slope = np.concatenate([[0.0], lfilter([1.0], [1.0, -fade], change)])
        waiting_slope = (slope[j] + left[j] * s / tau) * gone + light * (tau * (1 - gone) - gone * s)
        tail_slope = slope[m] * fallen + tail * (lag + period / tau * (1 - once) / once)
        out[1] = (waiting + tail) / tau
        out[2] = -waiting_slope - tail_slope
    return out


def by_shares(y: Floats, ln_tau: float, response: Measured, period: float) -> Floats:
    """float64[m, n]: derivatives of `measured_exponential` by each of the m shares of the response."""
    tau, width = math.exp(ln_tau), response.bin_ns
    s = y[None, :] - (response.start_ns + width * np.arange(len(response.shares)))[:, None]
    inside = np.clip(s, 0.0, width)
    left = tau / width * -np.expm1(-inside / tau) * np.exp(-np.maximum(s - width, 0.0) / tau)
    stay = tau / width * -math.expm1(-width / tau)
    tail = stay * np.exp(-(s + period - width) / tau) / -math.expm1(-period / tau)
    out: Floats = inside / width - left - tail
    return out


class Stretched:
    """exp(-(t / tau)^beta) behind a response.

    The response is a set of weighted delays: many where it rises, few where it is over. The integral of the stretched
    exponential itself, an incomplete gamma function, is interpolated from a table with its slopes.

    Args:
        response: measured; None for a Gaussian.
        period: ns.
    """

    def __init__(self, response: Measured | None, period: float) -> None:
        self._period, self._response = period, response
        self._beta, self._tables = math.nan, (TIMES, TIMES)

    def __call__(self, y: Floats, ln_tau: float, ln_beta: float, ln_sigma: float) -> Floats:
        """float64[5, n]: integral up to y; its derivatives by y, ln_tau, ln_sigma and ln_beta.

        Args:
            y: float64[n], ns after the excitation.
            ln_tau, ln_beta: logarithms of lifetime in ns and exponent.
            ln_sigma: of a Gaussian response in ns.
        """
        tau, beta = math.exp(ln_tau), math.exp(ln_beta)
        if self._beta != ln_beta:
            self._beta, self._tables = ln_beta, (_table(beta), _table(beta * math.exp(STEP)))
        near, far = self._delays(math.exp(ln_sigma))
        close = y < 4 * near[0].max()
        out = np.zeros((5, len(y)))
        for which, (delay, weight) in ((close, near), (~close, far)):
            late = (y[which][:, None] - delay[None, :]) / tau
            out[:, which] = self._sums(late, beta, weight, -delay / tau if self._response is None else None)
        n = int(min(MOST_PULSES, math.ceil(tau / self._period * 25.0 ** (1 / beta)) + 1))
        late = (y[:, None] + self._period * np.arange(1, n + 1)[None, :]) / tau
        earlier = self._sums(late, beta, np.ones(n), None)
        earlier[0] -= n
        out += earlier
        out[1] /= tau
        return out

    def _sums(self, late: Floats, beta: float, weight: Floats, by_sigma: Floats | None) -> Floats:
        """Weighted sums over the last axis of late[n, m], times in lifetimes: as `__call__`, the second times tau."""
        value, changed = (
            _looked_up(late, table, one) for table, one in zip(self._tables, (beta, beta * math.exp(STEP)), strict=True)
        )
        density = np.where(late > 0, np.exp(-(np.maximum(late, 0.0) ** beta)) / gamma(1 + 1 / beta), 0.0)
        moved = density @ (weight * by_sigma) if by_sigma is not None else np.zeros(len(late))
        return np.stack(
            [value @ weight, density @ weight, -(density * late) @ weight, moved, (changed - value) @ weight / STEP]
        )

    def _delays(self, sigma: float) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        if self._response is None:
            nodes, weight = _far_nodes()
            return _gaussian(sigma, NODES), (sigma * nodes, weight)
        response = self._response
        at = np.asarray(response.start_ns + (np.arange(len(response.shares)) + 0.5) * response.bin_ns, np.float64)
        return _pooled(at, response.shares, 2 * NODES), _pooled(at, response.shares, 3 * FAR_NODES)


@cache
def _far_nodes() -> tuple[Floats, Floats]:
    """Places in standard deviations and weights of a Gaussian by quadrature, float64[FAR_NODES] each."""
    nodes, weight = np.polynomial.hermite_e.hermegauss(FAR_NODES)
    return nodes, weight / weight.sum()


def _table(beta: float) -> Floats:
    """Photons of exp(-t^beta) up to the TIMES, in 1, float64[len(TIMES)]."""
    out: Floats = gammainc(1 / beta, TIMES**beta)
    return out


def _looked_up(late: Floats, table: Floats, beta: float) -> Floats:
    """The tabulated integral at times in lifetimes, 0 before 0; cubic in their logarithm, in which TIMES are even."""
    step = math.log(TIMES[1] / TIMES[0])
    place = np.clip(np.log(np.maximum(late, TIMES[0]) / TIMES[0]) / step, 0.0, len(TIMES) - 1.001)
    j = place.astype(np.intp)
    f = place - j
    bent = step * TIMES * np.exp(-(TIMES**beta)) / gamma(1 + 1 / beta)  # by the logarithm of the time
    rise = table[j + 1] - table[j]
    out: Floats = table[j] + f * rise + f * (1 - f) * ((1 - f) * (bent[j] - rise) - f * (bent[j + 1] - rise))
    # Before the first of the times the density is that at 0.
    return np.where(late > TIMES[0], out, np.maximum(late, 0.0) / gamma(1 + 1 / beta))


def _gaussian(sigma: float, nodes: int) -> tuple[Floats, Floats]:
    """(delays in ns, weights) of a Gaussian cut into slices, each at its own mean."""
    edges = np.linspace(-WIDE, WIDE, nodes + 1)
    weight = np.diff(ndtr(edges))
    bell = np.exp(-0.5 * edges**2) / math.sqrt(2 * math.pi)
    return sigma * (bell[:-1] - bell[1:]) / weight, weight / weight.sum()


def _pooled(at: Floats, shares: Floats, most: int) -> tuple[Floats, Floats]:
    """(delays in ns, weights) of at most so many stretches of a response."""
    if len(at) <= most:
        return at, shares
    begin = np.unique(np.linspace(0, len(at), most + 1).astype(np.intp))[:-1]
    size = np.diff(np.append(begin, len(at)))
    return np.add.reduceat(at, begin) / size, np.add.reduceat(shares, begin)
