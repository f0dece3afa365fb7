"""Fit of a biexciton-exciton cross-correlation: rates and leakages with intervals, or what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2

from streamer.errors import InputError
from streamer.estimators.cascade import NAMES, Cascade, bin_averages, bin_slopes, leaking
from streamer.estimators.estimate import Estimate, unknown
from streamer.estimators.fit_bias import first_order_bias
from streamer.estimators.likelihood import Maximum, Model, maximise

Floats = NDArray[np.float64]
KNOWN = {"ratio": 4.0, "yields": 1.0, "background": 0.0}  # unless they are given, or asked for
RATES, SHARES = ("k1", "pump", "ratio", "yields"), ("f_x", "f_xx", "background")
MIN_PAIRS = 300  # pairs within three exciton lifetimes of zero
WIDEST_RATIO, WIDEST_SHARE = 10.0, 1.0  # ends of the interval, beyond which no number may stand for a rate, a leakage
MOST_BIAS = 0.5  # standard errors
SIGMAS = float(np.sqrt(chi2.ppf(0.95, 1)))
RISE = SIGMAS**2  # of the deviance, at the ends of an interval
UNSEEN = 25.0  # deviance by which a cascade has to fit better than flat light: 5 sigma
# A strong leakage and a weak pump look much like each other. With all three free the likelihood has two summits or a
# bent ridge up to millions of pairs: the intervals hold the truth, but values lie half a standard error off.
TANGLED = {"pump", "f_x", "f_xx"}
APART = "pump, f_x and f_xx cannot be told apart, which leaves an interval; give one of them"
MISFIT = 5.0  # sigmas of the deviance
TIED = 0.98  # correlation from which two parameters are named as one that cannot be told from the other
LIMITS: dict[str, tuple[float | None, float | None]] = {
    "k1": (1e-3, 1e6),
    "pump": (1e-4, 1e6),
    "f_x": (-1.0, 100.0),
    "f_xx": (-1.0, 100.0),
    "ratio": (1.0, 100.0),
    "yields": (1e-3, 10.0),
    "background": (-0.5, 1.0),
    "plateau": (0.0, None),
}
# Where fits begin, over the whole of what a cascade may look like.
DECAYS, PUMPS = 8, (0.02, 0.06, 0.15, 0.4, 1.0)  # k1, G / k1
LEAST, PARTED = 1e-12, 0.4
LEAKS = tuple(product((0.02, 0.25, 0.5, 0.75), (0.0, 0.02, 0.3)))  # u, v


@dataclass(frozen=True, slots=True, eq=False)
class CascadeFit:
    """What was found.

    Attributes:
        estimates: name -> Estimate of every parameter that was fitted: k1, pump in 1/us, delay in ns, the others plain.
        known: name -> value of those that were held.
        best: the curve of highest likelihood; None where there was no fit.
        pairs: in the bins that were fitted.
        deviance_per_bin: of the fit, about 1 for a model that holds; None where there was no fit.
        misfit: the pairs lie further from the best cascade than chance lets them; its intervals are then too short.
        reason: why there was no fit; else None.
    """

    estimates: Mapping[str, Estimate]
    known: Mapping[str, float]
    best: Cascade | None
    pairs: int
    deviance_per_bin: float | None
    reason: str | None = None
    misfit: bool = False


def held(known: Mapping[str, float | str]) -> dict[str, float]:
    """Parameters that a fit holds: KNOWN, and what the user knows; one that the user calls "free" is fitted.

    Raises:
        InputError: a name that is no parameter, or a value that cannot be.
    """
    values = dict(KNOWN)
    for name, value in known.items():
        if name not in NAMES:
            raise InputError(f"cascade_known: must be out of {', '.join(NAMES)}, got {name!r}; correct `cascade_known`")
        if value == "free":
            values.pop(name, None)
            continue
        low, high = _limits(name)
        if not isinstance(value, (int, float)) or not low <= value <= high:
            raise InputError(
                f"cascade_known: {name} must be a number from {low:g} to {high:g}, or free, got {value!r}; "
                "correct `cascade_known`"
            )
        values[name] = float(value)
    return values


def _limits(name: str) -> tuple[float, float]:
    """Lowest and highest value of a parameter; infinite for none."""
    low, high = LIMITS.get(name, (None, None))
    return -np.inf if low is None else low, np.inf if high is None else high


def fit_cascade(
    edges_ns: Floats,
    counts: Floats,
    expected: Floats,
    jitter_ns: float = 0.0,
    known: Mapping[str, float | str] | None = None,
    intervals: Sequence[str] | None = None,
) -> CascadeFit:
    """Fit `overlay` of `streamer.estimators.cascade` to pair counts by Poisson likelihood.

    Args:
        edges_ns: float64[n + 1], tau = t(X channel) - t(XX channel).
        counts: float64[n], pairs per bin.
        expected: float64[n], pairs per bin that light without correlation would make.
        jitter_ns: sigma of the two responses together.
        known: name -> value of what is not fitted, or "free" for ratio, yields, background, which are held otherwise.
        intervals: parameters whose intervals are looked for, which takes most of the time; None for all.

    Raises:
        InputError: what is given as known cannot be.
    """
    fixed = held(known or {})
    edges_ns, counts, expected = (np.asarray(one, np.float64) for one in (edges_ns, counts, expected))
    used = expected > 0
    pairs = int(counts[used].sum())
    if pairs < MIN_PAIRS or used.sum() < 2 * len(NAMES):
        return CascadeFit({}, fixed, None, pairs, None, f"too few pairs: {pairs}, {MIN_PAIRS} needed near zero")
    seen, reference = counts[used], expected[used]

    def model(values: Floats) -> Floats:
        return reference * bin_averages(edges_ns, values, jitter_ns)[used]

    def slopes(values: Floats) -> Floats:
        return reference * bin_slopes(edges_ns, values, jitter_ns)[:, used]

    free = [name for name in NAMES if name not in fixed]
    reach = 5.0 + 20 * float(np.diff(edges_ns).min())
    limits = LIMITS | {"delay": (-reach, reach)}
    if not free:
        curve = np.maximum(model(np.array([fixed[name] for name in NAMES])), LEAST)
        deviance = 2 * float(np.sum(curve - seen + xlogy(seen, seen / curve))) / len(seen)
        return CascadeFit({}, fixed, Cascade(**fixed), pairs, deviance, misfit=_misfit(deviance, len(seen)))
    # A strong leakage and a weak pump look much like each other: the likelihood may have two summits.
    starts = _start(seen, reference, edges_ns, used, jitter_ns, fixed)
    summits = [maximise(model, seen, start, limits, list(fixed), slopes) for start in starts]
    summits = sorted((one for one in summits if one.converged), key=lambda one: one.deviance)
    if not summits:
        return CascadeFit({}, fixed, None, pairs, None, "the fit did not converge")
    found = summits[0]
    summits = [found, *(one for one in summits[1:] if _another(one, found))]
    best = Cascade(*(float(one) for one in found.values))
    near = int(counts[(np.abs(edges_ns[1:] + edges_ns[:-1] - 2 * best.delay) / 2 < 3e3 / best.k1)].sum())
    deviance = found.deviance / max(len(seen) - len(free), 1)
    if near < MIN_PAIRS:
        reason = f"too few pairs: {near} within three exciton lifetimes of zero, {MIN_PAIRS} needed"
        return CascadeFit({}, fixed, None, pairs, None, reason)
    flat = reference * (seen.sum() / reference.sum())
    if 2 * float(np.sum(xlogy(seen, seen / flat))) - found.deviance < UNSEEN:
        return CascadeFit({}, fixed, None, pairs, None, "no correlation is seen: flat light fits as well")
    wanted = free if intervals is None else [name for name in free if name in intervals]
    estimates = _estimates(summits, free, wanted, _bias(model, slopes, found))
    return CascadeFit(estimates, fixed, best, pairs, deviance, misfit=_misfit(deviance, len(seen) - len(free)))


def _misfit(deviance: float, degrees: int) -> bool:
    """Whether a deviance per bin is more than chance allows."""
    return deviance > 1 + MISFIT * float(np.sqrt(2 / max(degrees, 1)))


def _start(
    counts: Floats,
    reference: Floats,
    edges_ns: Floats,
    used: NDArray[np.bool_],
    jitter_ns: float,
    fixed: Mapping[str, float],
) -> list[dict[str, float]]:
    """The best of a grid of cascades, and the best of those that lie far from it in leakage."""
    shortest, longest = float(np.diff(edges_ns).min()), float(np.abs(edges_ns).max())
    rates = np.geomspace(2e3 / longest, 0.3e3 / shortest, DECAYS) if "k1" not in fixed else [fixed["k1"]]
    found: list[tuple[float, float, dict[str, float]]] = []
    for k1, pump in product(rates, PUMPS if "pump" not in fixed else (None,)):
        trial = dict.fromkeys(NAMES, 0.0) | KNOWN | {"k1": float(k1), "plateau": 1.0} | dict(fixed)
        trial["pump"] = float(k1 * pump) if pump is not None else fixed["pump"]
        xx_per_x = trial["yields"] * trial["pump"] / k1
        leaks = [
            (fixed.get("f_x", u / (1 - u) * xx_per_x), fixed.get("f_xx", v / (1 - v) / xx_per_x)) for u, v in LEAKS
        ]
        curves = reference * leaking(edges_ns, np.array([trial[name] for name in NAMES]), leaks, jitter_ns)[:, used]
        scales = np.ones(len(leaks)) if "plateau" in fixed else counts.sum() / curves.sum(axis=1)
        curves = np.maximum(curves * scales[:, None], LEAST)
        for at, fitness in enumerate(xlogy(counts, curves).sum(axis=1) - curves.sum(axis=1)):
            leak = dict(zip(("f_x", "f_xx"), leaks[at], strict=True))
            found.append((float(fitness), LEAKS[at][0], trial | leak | {"plateau": trial["plateau"] * scales[at]}))
    found.sort(key=lambda one: one[0], reverse=True)
    first = found[0]
    other = next((one for one in found if (one[1] < PARTED) != (first[1] < PARTED)), first)
    return [first[2], other[2]] if "f_x" not in fixed else [first[2]]


def _another(one: Maximum, best: Maximum) -> bool:
    """Whether a summit lies within the 95 % region of the best one and is not that one."""
    apart = np.abs(one.values - best.values) > 0.1 * np.maximum(best.errors, one.errors)
    return bool(apart.any()) and one.deviance - best.deviance < RISE


def _bias(model: Model, slopes: Model, found: Maximum) -> Floats:
    """What the model's curvature adds to the values, at most MOST_BIAS standard errors; float64[k]."""
    low, high = np.array([_limits(name) for name in NAMES]).T

    def inside(values: Floats) -> Floats:
        return model(np.clip(values, low, high))

    most = MOST_BIAS * found.errors
    return np.clip(first_order_bias(inside, slopes, found.values, found.covariance), -most, most)


def _estimates(
    summits: Sequence[Maximum], free: Sequence[str], wanted: Sequence[str], bias: Floats
) -> dict[str, Estimate]:
    """Every parameter; one that is tied to another that cannot be told cannot be told either."""
    told: dict[str, Estimate] = {}

    def tell(name: str) -> Estimate:
        if name not in told:
            told[name] = _estimate(summits, name, free, float(bias[NAMES.index(name)]))
        return told[name]

    estimates: dict[str, Estimate] = {}
    for name in wanted:
        one, partner = tell(name), _partner(summits[0], name, free)
        if one.value is not None and name in RATES + SHARES and set(free) >= TANGLED:
            one = Estimate(None, None, one.low, one.high, APART)
        if one.value is not None and partner[0] in RATES + SHARES and abs(partner[1]) > TIED:
            other = tell(partner[0])
            one = Estimate(None, None, one.low, one.high, _apart(name, partner)) if other.value is None else one
        estimates[name] = one
    return estimates


def _partner(found: Maximum, name: str, free: Sequence[str]) -> tuple[str, float]:
    """The parameter that a parameter is tied to most, and their correlation."""
    at, others = NAMES.index(name), [NAMES.index(one) for one in free if one != name]
    if not others:
        return name, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        tied = np.nan_to_num(found.covariance[at, others] / (found.errors[at] * found.errors[others]))
    closest = int(np.argmax(np.abs(tied)))
    return NAMES[others[closest]], float(tied[closest])


def _apart(name: str, partner: tuple[str, float]) -> str:
    """Why a parameter cannot be told."""
    if abs(partner[1]) > TIED:
        return f"{name} cannot be told apart from {partner[0]} (correlation {partner[1]:+.3f}); give one of them"
    return f"{name} cannot be told from these pairs; count for longer, or give it"


def _estimate(summits: Sequence[Maximum], name: str, free: Sequence[str], bias: float) -> Estimate:
    """One parameter, its curvature's bias taken off; or its interval alone, and what it cannot be told apart from."""
    found = summits[0]
    error = float(found.errors[NAMES.index(name)])
    apart = _apart(name, _partner(found, name, free))
    if found.at_bound(name) or not np.isfinite(error) or error == 0:
        return unknown(apart)
    if name not in RATES + SHARES:  # plateau and delay: known well, and of no other interest
        return Estimate(found[name], error, found[name] - SIGMAS * error, found[name] + SIGMAS * error)
    ends = [_ends(one, name, one.deviance - found.deviance) for one in summits]
    low = None if any(end[0] is None for end in ends) else min(end[0] for end in ends if end[0] is not None)
    high = None if any(end[1] is None for end in ends) else max(end[1] for end in ends if end[1] is not None)
    if low is None or high is None or not _narrow(name, low, high):
        return Estimate(None, None, low, high, apart)
    if any(abs(one[name] - found[name]) > error for one in summits[1:]):
        alike = f"{name}: {found[name]:.3g} and {summits[1][name]:.3g} fit alike; give f_x, f_xx or pump"
        return Estimate(None, None, low, high, alike)
    return Estimate(float(np.clip(found[name] - bias, low, high)), error, low, high)


def _ends(summit: Maximum, name: str, below: float) -> tuple[float | None, float | None]:
    """95 % interval about a summit whose deviance is `below` above the best one's; None for an end at a bound."""
    low, high = summit.interval(name, float(chi2.cdf(RISE - below, 1)))
    lowest, highest = _limits(name)
    return None if low is None or low <= lowest else low, None if high is None or high >= highest else high


def _narrow(name: str, low: float, high: float) -> bool:
    """Whether an interval is so short that one number may stand for it."""
    if name in RATES:
        return low > 0 and high / low <= WIDEST_RATIO
    return high - low <= WIDEST_SHARE
