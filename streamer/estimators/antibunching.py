"""Fits of g2(tau) under cw light: dip, and dip with shelving, bin-averaged, jitter folded in, Poisson likelihood.

    g2(t) = 1 - (1 - g0 + c) exp(-|t|/t1) + c exp(-|t|/t2)

so that g2(0) = g0 whatever the bunching c of a dark level is; t1 = 1/(gamma + w_p) for a two-level emitter (Kurtsiefer
et al., Phys. Rev. Lett. 85, 290, 2000, for the shelf). A bin counts pairs over its whole width, and the detectors'
jitter blurs what it counts: both are in the model, for a model of bin centres reads a dip too high.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from streamer.estimators.estimate import Z95, Estimate, unknown
from streamer.estimators.fit_bias import first_order_bias
from streamer.estimators.intervals import UNDECIDED, verdict
from streamer.estimators.likelihood import Maximum, maximise
from streamer.estimators.two_sided import mean_over_bins

Floats = NDArray[np.float64]

LEAST_PAIRS = 100  # in the whole histogram
SURE = 1e-3  # chance of a flat histogram looking so much like a dip
APART = 2.0  # times the dip's time that the shelf lasts at least
WIDEST = 0.25  # of the window: a slower decay cannot be told from the plateau
NARROWEST = 0.3  # of bin or jitter, whichever is wider: a narrower dip is only a missing area
POOLED = 24  # bins of full resolution on each side of zero are pooled by and by beyond
LEAST_EXPECTED = 1e-12  # pairs in a bin


@dataclass(frozen=True, slots=True, eq=False)
class Dip:
    """What a fit of g2(tau) says.

    Attributes:
        model: "flat", "dip" or "shelving", the best by BIC.
        g0: g2 at zero delay, without bin and jitter; below 0 only by noise.
        t1_ns: antibunching time.
        c, t2_ns: bunching amplitude and its time; unknown unless "shelving".
        plateau: g2 far from zero, over the accidental pairs expected.
        verdict: "single", "not single" or "undecided", by the interval of g0.
        p_value: of the deviance; None where too few pairs tell none.
        bic: model -> BIC, relative to the best.
        curve: float64[n], the model on the bins it was fitted to; all NaN where there is none.
        reason: why there is no answer; None when there is one.
    """

    model: str
    g0: Estimate
    t1_ns: Estimate
    c: Estimate
    t2_ns: Estimate
    plateau: Estimate
    verdict: str
    p_value: float | None
    bic: dict[str, float]
    curve: Floats
    reason: str | None


def fit_dip(
    tau_ns: Floats,
    pairs: NDArray[np.int64],
    expected: Floats,
    sigma_ns: float = 0.0,
    model: str = "auto",
) -> Dip:
    """Fit g2(tau) to the pairs per bin.

    Args:
        tau_ns: float64[n], centres of equal bins, rising.
        pairs: int64[n].
        expected: float64[n], accidental pairs per bin (`cw_g2`); the plateau multiplies them.
        sigma_ns: standard deviation of the difference of two detectors' jitters.
        model: "flat", "dip", "shelving", or "auto".
    """
    nothing = np.full(len(tau_ns), np.nan)
    total = int(np.sum(pairs))
    if total < LEAST_PAIRS or not np.all(np.asarray(expected) > 0):
        few = f"too few pairs: {total} in the window, {LEAST_PAIRS} needed"
        empty = "no accidental pairs are expected in part of the window; shorten tau_window_ns"
        return _none(few if total < LEAST_PAIRS else empty, nothing)
    data = _Pooled(np.asarray(tau_ns, float), np.asarray(pairs, float), np.asarray(expected, float), sigma_ns)
    fits = {"flat": data.fit("flat")}
    if model != "flat":
        fits["dip"] = data.fit("dip")
    if model in ("auto", "shelving"):
        fits["shelving"] = data.fit("shelving", fits["dip"])
    bic = {name: one.bic(total) for name, one in fits.items() if one.converged}
    best = model
    if model == "auto":  # a dip must be sure; BIC chooses between it and the dip with a shelf
        sure = fits["flat"].deviance - fits["dip"].deviance > chi2.isf(SURE, 2)
        models = [name for name in bic if name == "dip" or (name == "shelving" and _apart(fits[name]))]
        best = min(models, key=bic.__getitem__, default="dip") if sure else "flat"
    relative = {name: value - bic.get(best, value) for name, value in bic.items()}
    if best not in bic:
        return _none("the fit did not converge", nothing)
    found = fits[best]
    plateau = found.estimate("plateau")
    p_value = data.p_value(found)
    curve = data.on_bins(np.asarray(tau_ns, float), found)
    if best == "flat":
        none = unknown("no dip is seen: the curve is flat within its noise")
        zero = Estimate(plateau.value, plateau.error, None, None, none.reason)
        return Dip(
            "flat", zero, none, none, none, plateau, UNDECIDED, p_value, relative, curve, none.reason
        )  # fmt: skip
    narrow = NARROWEST * max(data.bin_ns, sigma_ns)
    if found["t1"] < narrow or found.at_bound("t1"):
        why = (
            f"the dip is narrower than {narrow:.2g} ns, below which bin and jitter leave only its area"
            if found["t1"] < 2 * narrow
            else "the dip is wider than the window can show; widen tau_window_ns"
        )
        none = unknown(why)
        return Dip(best, none, none, none, none, plateau, UNDECIDED, p_value, relative, curve, why)
    told = {name: _widened(found.estimate(name)) for name in found.names}
    if told["g0"].high is not None and told["g0"].high < 0:
        none = unknown("g2(0) comes out below 0: the jitter, or the accidental pairs, are less than what was taken")
        return Dip(best, none, none, none, none, plateau, UNDECIDED, p_value, relative, curve, none.reason)
    # Where the curve touches zero, curvature tells nothing, and no bias either.
    sound = told["g0"].error == found.estimate("g0").error
    off = data.bias(found) if sound else np.zeros(len(found.names))
    told = {name: _less(one, each) for (name, one), each in zip(told.items(), off, strict=True)}
    g0, t1 = told["g0"], told["t1"]
    c, t2 = (told.get(name, unknown("no bunching is seen")) for name in ("c", "t2"))
    if best == "shelving" and (t2.high is None or t2.low is None):
        c = t2 = plateau = unknown("bunching lasts longer than the window can show; widen tau_window_ns")
    said = verdict(g0.low, g0.high) if g0.low is not None and g0.high is not None else UNDECIDED
    return Dip(best, g0, t1, c, t2, plateau, said, p_value, relative, curve, None)


def _apart(shelf: Maximum) -> bool:
    """Whether the shelf decays clearly later than the dip: two times nearly alike are one dip of another shape."""
    return shelf["t2"] > APART * shelf["t1"]


def _widened(one: Estimate) -> Estimate:
    """A parameter whose curvature belies its interval, with the interval's width as its error."""
    if one.low is None or one.high is None or one.error is None:
        return one
    half = (one.high - one.low) / (2 * Z95)
    return one if half / 2 < one.error < 2 * half else replace(one, error=half)


def _less(one: Estimate, off: float) -> Estimate:
    """A parameter less the bias of maximum likelihood, at most half a standard error; the interval stays."""
    if one.value is None or one.error is None:
        return one
    value = one.value - float(np.clip(off, -0.5 * one.error, 0.5 * one.error))
    low, high = (end if end is not None else bound for end, bound in ((one.low, -np.inf), (one.high, np.inf)))
    return replace(one, value=float(np.clip(value, low, high)))


class _Pooled:
    """The histogram with its far bins pooled, where nothing is narrow any more, and its models."""

    def __init__(self, tau: Floats, pairs: Floats, expected: Floats, sigma: float) -> None:
        n = len(tau)
        self.sigma, self.bin_ns = sigma, float(tau[-1] - tau[0]) / max(n - 1, 1)
        middle = int(np.argmin(np.abs(tau)))
        distance = np.abs(np.arange(n + 1) - middle - 0.5)
        # A pooled bin is a twelfth of its distance from zero wide: an exponential is nearly straight over it.
        step = np.maximum(1, (distance / POOLED * 2).astype(np.int64))
        cuts, at = [0], 0
        while at < n:
            at = min(n, at + int(min(step[at], step[min(n, at + int(step[at]))])))
            cuts.append(at)
        edges = np.concatenate((tau - self.bin_ns / 2, [tau[-1] + self.bin_ns / 2]))
        first = np.array(cuts[:-1])
        self.edges = edges[np.array(cuts)]
        self.counts, self.expected = np.add.reduceat(pairs, first), np.add.reduceat(expected, first)
        self.half = float(self.edges[-1] - self.edges[0]) / 2

    def shape(self, names: tuple[str, ...], values: Floats, edges: Floats) -> Floats:
        """g2 averaged over the bins of these edges."""
        at = dict(zip(names, values, strict=True))
        g2 = np.ones(len(edges) - 1)
        if "t1" in at:
            g2 -= (1.0 - at["g0"] + at.get("c", 0.0)) * mean_over_bins(edges, at["t1"], self.sigma)
        if "c" in at:
            g2 += at["c"] * mean_over_bins(edges, at["t2"], self.sigma)
        return np.asarray(at["plateau"] * g2)

    def fit(self, model: str, simpler: Maximum | None = None) -> Maximum:
        """The maximum of one model; `simpler` is that of the dip alone."""
        level = float(self.counts.sum() / self.expected.sum())
        start: dict[str, float] = {"plateau": level}
        limits: dict[str, tuple[float | None, float | None]] = {"plateau": (1e-9, None)}
        if model != "flat":
            lowest, widest = 0.05 * self.bin_ns, WIDEST * self.half
            start |= {"g0": 0.3, "t1": self._width(level)} if simpler is None else {
                "g0": simpler["g0"], "t1": simpler["t1"]
            }  # fmt: skip
            limits |= {"g0": (-2.0, None), "t1": (lowest, widest)}
            if model == "shelving":
                start |= {"c": 0.2, "t2": min(8 * start["t1"], 0.8 * self.half)}
                limits |= {"c": (0.0, None), "t2": (lowest, self.half)}
        names = tuple(start)
        return maximise(
            lambda values: self.expected * self.shape(names, values, self.edges), self.counts, start, limits,
            search=("t1", "t2"),
        )  # fmt: skip

    def _middles(self) -> Floats:
        return (self.edges[1:] + self.edges[:-1]) / 2

    def _width(self, level: float) -> float:
        """First guess of the dip's time: its missing area over its depth."""
        near = np.abs(self._middles()) < self.half / 4
        missing = (level - self.counts[near] / self.expected[near]) * np.diff(self.edges)[near]
        guess = float(missing.sum()) / max(level, 1e-12) / 2
        return float(np.clip(guess, 0.5 * self.bin_ns, 0.5 * WIDEST * self.half))

    def bias(self, found: Maximum) -> Floats:
        """First-order bias of every parameter, float64[k]."""
        errors = np.where(found.errors > 0, found.errors, 0.0)

        def model(values: Floats) -> Floats:
            return np.maximum(self.expected * self.shape(found.names, values, self.edges), LEAST_EXPECTED)

        def slopes(values: Floats) -> Floats:
            steps = np.diag(np.where(errors > 0, 0.01 * errors, 1e-6))
            return np.array([(model(values + each) - model(values - each)) / (2 * each.sum()) for each in steps])

        # Over one standard error a badly known time may leave the positive numbers: there no bias can be told.
        at = [found.names.index(name) for name in ("t1", "t2") if name in found.names]
        if any(found.values[i] <= 1.5 * errors[i] for i in at) or not np.isfinite(found.covariance).all():
            return np.zeros(len(found.names))
        return first_order_bias(model, slopes, found.values, found.covariance)

    def p_value(self, found: Maximum) -> float | None:
        """Chi-square of the deviance, where the bins hold enough pairs for one."""
        freedom = len(self.counts) - found.free
        if freedom < 1 or float(np.median(self.counts)) < 5:
            return None
        return float(chi2.sf(found.deviance, freedom))

    def on_bins(self, tau: Floats, found: Maximum) -> Floats:
        """g2 on the bins of the histogram."""
        edges = np.concatenate((tau - self.bin_ns / 2, [tau[-1] + self.bin_ns / 2]))
        return self.shape(found.names, found.values, edges)


def _none(reason: str, curve: Floats) -> Dip:
    none = unknown(reason)
    return Dip("flat", none, none, none, none, none, UNDECIDED, None, {}, curve, reason)
