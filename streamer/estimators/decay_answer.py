"""Decay answer: a fitted decay as lifetimes, shares and means with their intervals, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from streamer.estimators.decay_expectation import OWN, Expectation
from streamer.estimators.decay_known import Known, mean_lifetime
from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.likelihood import Maximum

Floats = NDArray[np.float64]

LEAST_SIGNAL = 100.0  # photons above the background
MOST_PERIODS = 2.0  # a decay of twice the period varies within it by no more than +-25 %
FAST_PERIODS = 20.0  # a lifetime of less than this part of the period is no background
POOLED = 20.0  # counts expected in a number that chi-square is summed over
MISFIT = 1e-3  # p-value below which a model does not explain the decay
APART = 2.0  # BICs nearer than this do not decide between models


@dataclass(frozen=True, slots=True, eq=False)
class DecayFit:
    """What a fit found.

    Attributes:
        model: "mono", "bi", "tri" or "stretched"; None when there is no fit, and `reason` says why.
        lifetimes_ns: ascending; of a stretched exponential its tau.
        shares: of the photons, of each lifetime (a_i tau_i / sum a tau).
        amplitudes: a_i / sum a.
        beta: exponent of a stretched exponential.
        mean_amplitude_ns: sum a_i tau_i / sum a_i, the area of the decay over its height.
        mean_intensity_ns: sum a_i tau_i^2 / sum a_i tau_i, the mean time that a photon comes after the excitation.
        background: share of each detector's photons, as an Estimate.
        shift_ns: by how much the excitation of each detector comes later than was said.
        sigma_ns: of each detector's Gaussian response; of a measured one, its own.
        bic: model -> Bayesian information criterion less the lowest one.
        chi2, degrees, p: goodness of fit.
        photons: within the laser period.
        curves: of each detector, expected counts of every bin, float64[n_bins].
        reason: why there is no lifetime.
        remarks: what should be said of it.
    """

    model: str | None
    lifetimes_ns: tuple[Estimate, ...] = ()
    shares: tuple[Estimate, ...] = ()
    amplitudes: tuple[Estimate, ...] = ()
    beta: Estimate | None = None
    mean_amplitude_ns: Estimate = field(default_factory=lambda: unknown("no fit"))
    mean_intensity_ns: Estimate = field(default_factory=lambda: unknown("no fit"))
    background: tuple[Estimate, ...] = ()
    shift_ns: tuple[float, ...] = ()
    sigma_ns: tuple[float, ...] = ()
    bic: Mapping[str, float] = field(default_factory=dict)
    chi2: float = math.nan
    degrees: int = 0
    p: float = math.nan
    photons: int = 0
    curves: tuple[Floats, ...] = ()
    reason: str | None = None
    remarks: tuple[str, ...] = ()


def answer_of(
    expectation: Expectation, fit: Maximum, bic: Mapping[str, float], n_bins: int, least: float, intervals: bool
) -> DecayFit:
    """The fit in the user's terms.

    Args:
        expectation, fit: of the model chosen.
        bic: model -> Bayesian information criterion less the lowest.
        n_bins: of the curves.
        least: lifetime in ns that was the lowest tried.
        intervals: profile-likelihood intervals; False: none of lifetimes and shares.
    """
    known, kind, n = Known(expectation, fit, intervals), expectation.kind, expectation.n
    detectors = range(len(expectation.cells))
    chi, degrees = _goodness(known)
    p = float(chi2.sf(chi, degrees)) if degrees > 0 else math.nan
    common: dict[str, Any] = {
        "model": kind,
        "background": tuple(known.background(d) for d in detectors),
        "shift_ns": tuple(fit[f"shift{d}"] for d in detectors),
        "sigma_ns": tuple(
            math.exp(fit[f"ln_sigma{d}"]) if one is None else one.sigma_ns
            for d, one in enumerate(expectation.responses)
        ),
        "bic": dict(bic),
        "chi2": chi,
        "degrees": degrees,
        "p": p,
        "photons": int(sum(one.photons for one in expectation.cells)),
        "curves": tuple(_curve(expectation, fit.values, d, n_bins) for d in detectors),
    }
    remarks = []
    if p < MISFIT:
        remarks.append(f"{kind} does not fit: chi-square {chi:.4g} of {degrees} degrees of freedom")
    near = [one for one, value in bic.items() if one != kind and value < APART]
    if near:
        remarks.append(f"the decay does not decide between {kind} and {' and '.join(near)}: their BIC is as good")
    nothing = _unknowable(known, least)
    if nothing is not None:
        return DecayFit(
            **common, lifetimes_ns=(nothing,) * n, mean_amplitude_ns=nothing, mean_intensity_ns=nothing,
            reason=nothing.reason, remarks=tuple(remarks),
        )  # fmt: skip
    order = [int(k) for k in np.argsort(fit.values[:n])]
    one_of_many = _not_apart(known)
    if one_of_many is None:
        taus = tuple(known.exponential(f"ln_tau{k + 1}") for k in order)
        shares, amplitudes = known.shares(order)
    else:
        taus = shares = amplitudes = (unknown(one_of_many),) * n
        remarks.append(one_of_many)
    means = [
        taus[0] if kind == "mono" else known.positive(partial(mean_lifetime, expectation, weighted))
        for weighted in (False, True)
    ]
    flat = f"flat: the mean may be above {MOST_PERIODS:g} laser periods"
    means = [unknown(flat) if (one.high or 0.0) > MOST_PERIODS * expectation.period else one for one in means]
    return DecayFit(
        **common,
        lifetimes_ns=taus,
        shares=shares,
        amplitudes=amplitudes,
        beta=known.exponential("ln_beta") if kind == "stretched" else None,
        mean_amplitude_ns=means[0],
        mean_intensity_ns=means[1],
        remarks=tuple(remarks),
    )


def _goodness(known: Known) -> tuple[float, int]:
    """(Pearson's chi-square over cells pooled to at least POOLED expected counts, degrees of freedom)."""
    expectation, fit = known.expectation, known.fit
    expected, counts = expectation.expected(fit.values), expectation.counts
    begins, at = [], 0
    for one in expectation.cells:
        size = int(one.seen.sum())
        held = 0.0
        begins.append(at)
        for i in range(at, at + size):
            held += expected[i]
            if held >= POOLED and expected[i + 1 : at + size].sum() >= POOLED:
                begins.append(i + 1)
                held = 0.0
        at += size
        if expectation.pulses is not None:
            begins.append(at)  # pulses without a photon: a number that the fit makes agree
            at += 1
    wanted, seen = np.add.reduceat(expected, begins), np.add.reduceat(counts, begins)
    variance = wanted.copy()
    if known.noise.shape[1]:
        variance += (np.add.reduceat(known.noise, begins, axis=0) ** 2).sum(axis=1)
    own = len(fit.names) - len(expectation.fixed)
    # Totals agree by construction: one number of each detector, whether it is a parameter or not.
    degrees = len(begins) - own - (len(expectation.cells) if expectation.pulses is None else 0)
    return float(((seen - wanted) ** 2 / np.maximum(variance, 1e-12)).sum()), degrees


def _curve(expectation: Expectation, values: Floats, d: int, n_bins: int) -> Floats:
    """Expected counts of every bin of the nanotime axis, float64[n_bins], as they would be recorded."""
    one = expectation.cells[d]
    light = expectation.light(values, d, one.bins)[0]
    light = np.roll(light, one.first)
    if expectation.pulses is not None:
        light *= math.exp(values[expectation.own(d) + OWN.index("ln_photons")])
        waiting = np.exp(-np.concatenate([[0.0], np.cumsum(light)]))
        light = -expectation.pulses * np.diff(waiting)
    else:
        whole = expectation.light(values, d, one.edges)[0]
        light *= one.photons / whole[one.seen].sum()
    out = np.zeros(n_bins)
    out[: len(light)] = light
    return out


def _unknowable(known: Known, least: float) -> Estimate | None:
    """Why no lifetime is given; None where one is."""
    expectation, fit = known.expectation, known.fit
    signal = sum(one.photons * (1 - fit[f"background{d}"]) for d, one in enumerate(expectation.cells))
    tau, error = math.exp(fit["ln_tau1"]), known.error("ln_tau1")
    found: Estimate | None = None
    if not fit.converged:
        found = unknown("the fit did not converge")
    elif signal < LEAST_SIGNAL:
        found = unknown(f"{signal:.0f} photons above the background: fewer than {LEAST_SIGNAL:.0f}")
    elif expectation.n > 1:
        found = None
    elif tau > MOST_PERIODS * expectation.period:
        found = unknown(f"flat: the lifetime is above {MOST_PERIODS:g} laser periods")
    elif fit.at_bound("ln_tau1") or error > 1 or tau < 2 * least or known.endless("ln_tau1"):
        found = unknown("decay and background cannot be told apart within the laser period")
        if expectation.kind == "mono" and tau < expectation.period / FAST_PERIODS:
            high = fit.interval("ln_tau1")[1]
            fast = "below the response's resolution: the decay is as fast as the response"
            found = Estimate(None, high=None if high is None else math.exp(high), reason=fast)
    return found


def _not_apart(known: Known) -> str | None:
    """Why the lifetimes of a sum of exponentials are not given; None where they are."""
    expectation, fit = known.expectation, known.fit
    if expectation.n == 1:
        return None
    names = [f"ln_tau{k + 1}" for k in range(expectation.n)]
    shares = expectation.mixture(fit.values)[0]
    close = np.diff(np.sort(fit.values[: expectation.n])).min()
    if any(fit.at_bound(name) or known.error(name) > 1 for name in names) or shares.min() < 1e-4 or close < 0.1:
        return f"the lifetimes of {expectation.kind} cannot be told apart"
    return None
