"""g2(0) of pulsed light whose peaks overlap: the whole comb fitted, each peak a blurred two-sided exponential.

Counting pairs by the nearest pulse gives the tails of a peak to its neighbours: with a lifetime of 0.16 periods a true
0.12 reads 0.13 or 0.00, as one corrects. The fit gives every pair to all peaks at once. The difference of two photons'
delays, each exponential with one lifetime, is two-sided exponential with that lifetime; so are the pairs of one pulse,
but with a time of their own where they are a biexciton's and an exciton's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.intervals import UNDECIDED, verdict
from streamer.estimators.likelihood import Maximum, maximise
from streamer.estimators.two_sided import below

Floats = NDArray[np.float64]

LEAST_PAIRS = 200
MOST = 1.5  # periods: of a longer lifetime the comb is nearly flat
OWN_CENTRE = 50  # pairs about zero, below which the centre has no shape of its own
FLAT = 1e-3  # chance of a flat histogram looking so much like a comb
BEST_BINS, FEWEST_BINS = 24, 8  # per period: finer ones are joined, wider ones show no peak's shape
NARROWEST = 0.3  # of a bin: a peak's lifetime below it is one that its bins do not show


@dataclass(frozen=True, slots=True, eq=False)
class CombFit:
    """What the comb says.

    Attributes:
        g0: area of the central peak over that of a side peak.
        tau_ns: lifetime that the side peaks' shape tells.
        centre_ns: that of the central peak, where it has one of its own.
        offset_ns: where the centre lies.
        verdict: by the interval of g0.
        p_value: of the deviance; None where too few pairs tell none.
        curve: float64[n], expected pairs per bin; NaN where there is no fit.
        reason: why there is no answer; None when there is one.
    """

    g0: Estimate
    tau_ns: Estimate
    centre_ns: Estimate
    offset_ns: Estimate
    verdict: str
    p_value: float | None
    curve: Floats
    reason: str | None


def fit_comb(tau_ns: Floats, pairs: NDArray[np.int64], period_ns: float, sigma_ns: float = 0.0) -> CombFit:
    """Fit peaks of equal area but for the centre to the pairs per bin.

    Args:
        tau_ns: float64[n], centres of equal bins, rising, zero inside.
        pairs: int64[n].
        period_ns: laser period.
        sigma_ns: first guess of the standard deviation of the difference of the detectors' jitters; fitted.
    """
    tau, total = np.asarray(tau_ns, float), int(np.sum(pairs))
    nothing = np.full(len(tau), np.nan)
    bin_ns = float(tau[-1] - tau[0]) / max(len(tau) - 1, 1)
    why = None
    if total < LEAST_PAIRS:
        why = f"too few pairs: {total} in the window, {LEAST_PAIRS} needed"
    elif tau[-1] < 2 * period_ns:
        why = "the window holds fewer than two side peaks; widen tau_window_ns"
    elif bin_ns > period_ns / FEWEST_BINS:
        why = f"bins of {bin_ns:.3g} ns are too wide for a period of {period_ns:.3g} ns; shorten tau_bin_ns"
    if why is not None:
        return _none(why, nothing)
    join = max(1, int(period_ns / BEST_BINS / bin_ns))
    whole = len(tau) // join * join
    skip = (len(tau) - whole) // 2
    counts = np.asarray(pairs[skip : skip + whole], float).reshape(-1, join).sum(axis=1)
    edges = tau[skip] - bin_ns / 2 + np.arange(len(counts) + 1) * (join * bin_ns)
    data = _Comb(edges, counts, period_ns)
    flat = data.flat()
    fits = {False: data.fit(sigma_ns, own=False)}
    near = np.abs((edges[1:] + edges[:-1]) / 2) < period_ns / 2
    if counts[near].sum() >= OWN_CENTRE:
        fits[True] = data.fit(sigma_ns, own=True)
    good = {own: one for own, one in fits.items() if one.converged}
    if not good:
        return _none("the fit did not converge", nothing)
    own = min(good, key=lambda key: good[key].bic(total))
    found = good[own]
    if flat - found.deviance < chi2.isf(FLAT, 3):
        why = "no comb is seen: the pairs are flat over the laser period"
    elif found["tau"] < NARROWEST * join * bin_ns:
        why = (
            "the peaks are too narrow for their bins to show a lifetime; they do not overlap, so the counted g2(0) is "
            "right"
        )
    elif found["tau"] > MOST * period_ns or found.at_bound("tau"):
        why = f"the lifetime is above {MOST:g} laser periods: the peaks cannot be told apart"
    if why is not None:
        return _none(why, nothing)
    g0 = found.estimate("g0")
    freedom = len(counts) - found.free
    p_value = float(chi2.sf(found.deviance, freedom)) if np.median(counts) >= 5 and freedom > 0 else None
    fine = np.append(tau - bin_ns / 2, tau[-1] + bin_ns / 2)
    said = verdict(g0.low, g0.high) if g0.low is not None and g0.high is not None else UNDECIDED
    centre = found.estimate("centre") if own else unknown("the centre has the side peaks' shape, or too few pairs")
    curve = data.expected(dict(zip(found.names, found.values, strict=True)), fine)
    return CombFit(g0, found.estimate("tau"), centre, found.estimate("t0"), said, p_value, curve, None)


class _Comb:
    """Bins of a pulsed histogram and the model of their pairs."""

    def __init__(self, edges: Floats, counts: Floats, period: float) -> None:
        self.edges, self.counts, self.period = edges, counts, period

    def expected(self, at: dict[str, float], edges: Floats) -> Floats:
        """Pairs per bin: all peaks alike, less one in the centre, plus the centre's own."""
        x = edges - at["t0"]
        tau, sigma = at["tau"], at["sigma"]
        # The comb of equal peaks has the laser's period: only the place within it matters, and the number before it.
        turn = np.floor(x / self.period + 0.5)
        place = x - turn * self.period
        comb = turn + sum(below(place - k * self.period, tau, sigma) - (k < 0) for k in (-1, 0, 1))
        # Of the peaks further off only the exponential tails are here: a geometric series on either side. One on the
        # left lies wholly below but for its tail, and is counted in `turn`.
        s = sigma / tau
        if s * sigma < 1.5 * self.period:  # beyond it the Gaussian cuts them off
            more, less = (np.exp(0.5 * s * s + (sign * place - 2 * self.period) / tau) for sign in (1, -1))
            comb = comb + 0.5 * (more - less) / -np.expm1(-self.period / tau)
        peaks = np.diff(comb) - np.diff(below(x, tau, sigma))
        centre = np.diff(below(x, at.get("centre", tau), sigma))
        return np.asarray(at["area"] * (peaks + at["g0"] * centre) + at["base"] * np.diff(edges))

    def flat(self) -> float:
        """Deviance of no comb at all."""
        width = np.diff(self.edges)
        found = maximise(
            lambda values: values[0] * width,
            self.counts,
            {"base": self.counts.sum() / width.sum()},
            {"base": (0, None)},
        )
        return found.deviance

    def fit(self, sigma_ns: float, *, own: bool) -> Maximum:
        """The maximum, with the centre's own decay time or that of the side peaks."""
        area = self.counts.sum() / ((self.edges[-1] - self.edges[0]) / self.period)
        width = float(self.edges[1] - self.edges[0])
        start = {
            "area": area, "g0": 0.5, "tau": 0.25 * self.period, "sigma": max(sigma_ns, 0.3 * width),
            "base": 0.02 * area / self.period, "t0": 0.0,
        }  # fmt: skip
        limits: dict[str, tuple[float | None, float | None]] = {
            "area": (1e-9, None), "g0": (0.0, None), "tau": (0.1 * width, 2 * MOST * self.period),
            "sigma": (0.05 * width, 0.15 * self.period), "base": (-area / self.period, None),
            "t0": (-0.25 * self.period, 0.25 * self.period),
        }  # fmt: skip
        if own:
            start["centre"], limits["centre"] = 0.5 * start["tau"], (0.1 * width, 2 * MOST * self.period)
        names = tuple(start)
        # The base may come out below 0: held above, it would push the lifetime down and with it g0.
        return maximise(
            lambda values: self.expected(dict(zip(names, values, strict=True)), self.edges), self.counts, start, limits,
            search=("tau", "centre", "sigma", "t0"),
        )  # fmt: skip


def _none(reason: str, curve: Floats) -> CombFit:
    none = unknown(reason)
    return CombFit(none, none, none, none, UNDECIDED, None, curve, reason)
