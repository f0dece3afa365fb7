"""When the laser excites, on the nanotime axis: the rising edge of a decay, fitted with its blur."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from streamer.estimators.decay_shape import bin_edges

Floats = NDArray[np.float64]

LEAST_PHOTONS = 200
LEAST_RISE = 6.0  # standard errors; a flat histogram reaches 5 by chance once in thousands
NEAR = 1.5  # ns around the edge in which every bin counts; further out they are pooled
ENOUGH = 20_000  # photons after the edge that tell its place; a longer piece would only add the decay's own shape
SIGMA, SIGMA_SPREAD = 0.12, 1.2  # ns and e-folds: what responses are like, for decays with too few photons to tell
STEPS = 40


@dataclass(frozen=True, slots=True)
class Excitation:
    """Where the instrument response lies.

    Attributes:
        t0_ns: nanotime of its centre, 0 <= t0_ns < period; None when it cannot be told, `reason` says why.
        error_ns: standard error of `t0_ns`.
        sigma_ns: its standard deviation.
        reason: why there is no value; None when there is one.
    """

    t0_ns: float | None
    error_ns: float | None
    sigma_ns: float | None
    reason: str | None


def find_t0(counts, bin_ns, period_ns):
    return locate_excitation(counts, bin_ns, period_ns).t0_ns


def locate_excitation(counts: NDArray[np.int64], bin_ns: float, period_ns: float) -> Excitation:
    edges = bin_edges(len(counts), bin_ns, period_ns)
    counts = counts[: len(edges) - 1]
    photons, period = int(counts.sum()), float(edges[-1])
    if photons < LEAST_PHOTONS:
        return Excitation(None, None, None, f"{photons} photons: fewer than {LEAST_PHOTONS}")
    # Three periods side by side, so that windows need not wrap.
    total = np.concatenate([[0.0], np.cumsum(counts)])
    axis = np.concatenate([edges[:-1] - period, edges[:-1], edges + period])
    sums = np.concatenate([total[:-1] - photons, total[:-1], total + photons])
    coarse, width, rise = _steepest(axis, sums, np.arange(256) * (period / 256), np.geomspace(max(2 * bin_ns, 0.25), period / 4, 8))
    if rise < LEAST_RISE:
        return Excitation(None, None, None, "no rising edge: the decay is flat over the laser period")
    fine = coarse + np.arange(-128, 129) * (period / 256 / 64)
    edge, width, _ = _steepest(axis, sums, fine, np.geomspace(max(2 * bin_ns, 0.25), period / 4, 8))
    return _fit(axis, sums, edge, width, bin_ns, period)


def _steepest(axis, sums, at, widths):
    best = (0.0, 0.0, -1.0)
    here = np.interp(at, axis, sums)
    for width in widths:
        after = np.interp(at + width, axis, sums) - here
        before = here - np.interp(at - width, axis, sums)
        rise = (after - before) / np.sqrt(after + before + 1)
        k = int(np.argmax(rise))
        if rise[k] > best[2]:
            best = (float(at[k]), float(width), float(rise[k]))
    return best


def _fit(axis, sums, edge, width, b, period):
    # piece of decay: long enough to hold ENOUGH photons after
    here = np.interp(edge, axis, sums)
    base = max(here - np.interp(edge - width, axis, sums), 0.0) / width
    after = min(max(NEAR, float(np.interp(here + ENOUGH, sums + np.arange(len(sums)) * 1e-9, axis)) - edge), period / 3)
    before = min(max(NEAR, after), period / 4)
    # cells
    lo, hi = np.searchsorted(axis, edge - before), np.searchsorted(axis, edge + after)
    x = axis[lo:hi + 1]
    s = sums[lo:hi + 1]
    far = np.abs(x - edge) > NEAR
    # pool far bins: keep an edge when distance grows by 3 %
    grid = np.floor(np.log(np.maximum(np.abs(x - edge), NEAR) / NEAR) / 0.03) * np.sign(x - edge)
    keep = ~far | (np.diff(grid, prepend=np.inf) != 0)
    keep[[0, -1]] = True
    x, n = x[keep] - edge, np.diff(s[keep])
    w = np.diff(x)
    tau = width / 1.26
    A = max(np.interp(edge + width, axis, sums) - here - base * width, 10.0) * 1.4
    p = np.array([0.0, math.log(max(SIGMA, b / 2)), math.log(tau), math.log(A), math.log(max(base, 0.1*A/period*1e-2))])
    def model(p):
        t0, sig, tau, A, B = p[0], math.exp(p[1]), math.exp(p[2]), math.exp(p[3]), math.exp(p[4])
        y = x - t0
        u = y / sig
        blur = .5 * (sig / tau) ** 2
        E = np.exp(blur - y / tau + log_ndtr(u - sig / tau))
        phi = np.exp(-.5 * u * u) / math.sqrt(2 * math.pi)
        before = math.exp(-period / tau) / -math.expm1(-period / tau)
        tail = before * np.exp(blur - y / tau)
        G = ndtr(u) - E - tail
        dt0 = -(E + tail) / tau
        ds = phi - (E + tail) * (sig / tau) ** 2          # times sigma: d/dlog sigma (phi/tau*sigma)
        ds = phi * sig / tau - (E + tail) * (sig / tau) ** 2
        dE = E * (y / tau - (sig / tau) ** 2) + phi * sig / tau
        dtail = tail * (y / tau - (sig / tau) ** 2 + period / tau / -math.expm1(-period / tau))
        dtau = -dE - dtail
        J = np.diff(np.array([dt0, ds, dtau, G])) * A
        mu = J[3] + B * w
        return mu, np.vstack([J, B * w])
    prior = np.array([0, 1 / SIGMA_SPREAD ** 2, 1/9., 1e-9, 1e-4])
    centre = np.array([0, math.log(SIGMA), math.log(tau), 0., p[4]])
    def objective(mu, p):
        return float(np.sum(mu - n * np.log(np.maximum(mu, 1e-300))) + .5 * np.sum(prior * (p - centre) ** 2))
    mu, J = model(p); f = objective(mu, p); lam = 1e-2
    for it in range(STEPS):
        inv = 1 / np.maximum(mu, 1e-12)
        g = J @ (1 - n * inv) + prior * (p - centre)
        H = (J * inv) @ J.T + np.diag(prior)
        while True:
            step = -np.linalg.solve(H + lam * np.diag(np.diag(H)) + 1e-12 * np.eye(5), g)
            step = np.clip(step, [-width, -1, -1, -1, -2], [width, 1, 1, 1, 2])
            q = p + step
            mu2, J2 = model(q); f2 = objective(mu2, q)
            if np.isfinite(f2) and f2 <= f + 1e-9: break
            lam = max(lam * 8, 1e-3)
            if lam > 1e8: break
        if lam > 1e8: break
        done = f - f2 < 1e-4 and lam < 1
        p, mu, J, f = q, mu2, J2, f2
        lam = lam / 10
        if done: break
    H = (J / np.maximum(mu, 1e-12)) @ J.T + np.diag(prior)
    err = math.sqrt(np.linalg.inv(H)[0, 0])
    return Excitation((edge + p[0]) % period, err, math.exp(p[1]), None), it, p
