"""A quantity over many emitters: mean, spread, and the spread that is left when measurement errors are taken out.

The intrinsic spread tau is that of a random-effects model, y_i ~ Normal(mu, tau**2 + s_i**2): its value by restricted
maximum likelihood, its interval by inverting Cochran's Q, whose distribution is known (Viechtbauer, Statist. Med. 26,
37 (2007)). All intervals of spreads take the population for Gaussian; `remarks` say where it does not look so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, lgamma, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom, chi2, iqr, shapiro, t

from streamer.estimators.estimate import Estimate, unknown

Floats = NDArray[np.float64]
LEAST = 3  # emitters: below, a spread has no useful interval
NOT_GAUSSIAN = 0.01  # p-value of Shapiro and Wilk's test
MOST_BINS = 100  # of a histogram
MOST_SHAPIRO = 5000  # values up to which that test is known
TIMES = 1e3  # spreads of the values beyond which an end of the intrinsic spread is not looked for


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """A quantity over emitters.

    Attributes:
        n: values.
        mean: with the standard error of the mean (SEM) and Student's interval.
        sd: standard deviation over the emitters, measurement errors included, free of the bias of small samples.
        sem: of the mean.
        median: with the interval by order statistics, which assumes no law.
        intrinsic_sd: the spread without measurement errors; unknown where the values have none.
        typical_error: root mean square of the values' own errors; None where they have none.
        same_p: chance of such a scatter were all emitters alike and only the errors to blame; None without errors.
        edges, counts: float64[k + 1], int64[k], histogram (Freedman and Diaconis).
        remarks: one line each.
    """

    n: int
    mean: Estimate
    sd: Estimate
    sem: float | None
    median: Estimate
    intrinsic_sd: Estimate
    typical_error: float | None
    same_p: float | None
    edges: Floats
    counts: NDArray[np.int64]
    remarks: tuple[str, ...] = ()


def population(values: ArrayLike, errors: ArrayLike | None = None) -> Population:
    """Statistics over emitters.

    Args:
        values: float64[n], one per emitter, finite.
        errors: float64[n], standard errors of the values; None, or NaN for one, where not known.

    Raises:
        ValueError: no value, one that is not finite, or errors of another length.
    """
    y = np.asarray(values, np.float64)
    if y.ndim != 1 or not len(y) or not np.isfinite(y).all():
        raise ValueError("values must be a list of finite numbers, at least one")
    s = None if errors is None else np.asarray(errors, np.float64)
    if s is not None and s.shape != y.shape:
        raise ValueError("errors must be as many as values")
    n = len(y)
    edges = np.array([y[0] - 0.5, y[0] + 0.5])
    if np.ptp(y) > 0:  # Freedman and Diaconis, in no more bins than can be seen
        width = 2 * float(iqr(y)) / n ** (1 / 3)
        bins = min(ceil(float(np.ptp(y)) / width), MOST_BINS) if width > float(np.ptp(y)) / MOST_BINS else MOST_BINS
        edges = np.linspace(y.min(), y.max(), bins + 1)
    counts = np.histogram(y, edges)[0].astype(np.int64)
    if n < LEAST:
        few = f"{n} emitters, {LEAST} needed"
        alone = Estimate(float(y.mean()), None, None, None, few)
        middle = Estimate(float(np.median(y)), None, None, None, few)
        return Population(n, alone, unknown(few), None, middle, unknown(few), None, None, edges, counts, (few,))
    raw = float(y.std(ddof=1))
    sem = raw / sqrt(n)
    half = float(t.ppf(0.975, n - 1)) * sem
    mean = Estimate(float(y.mean()), sem, float(y.mean()) - half, float(y.mean()) + half)
    remarks = []
    if n <= MOST_SHAPIRO and raw > 0:
        p = float(shapiro(y).pvalue)
        if p < NOT_GAUSSIAN:
            remarks.append(
                f"the values are not Gaussian (p = {p:.1g}): look at the histogram and the median; the intervals of "
                "the standard deviations assume a Gaussian"
            )
    intrinsic, same_p, typical = unknown("the values have no errors of their own"), None, None
    if s is not None:
        usable = np.isfinite(s) & (s > 0)
        if usable.sum() >= LEAST:
            intrinsic = intrinsic_sd(y[usable], s[usable])
            typical = float(np.sqrt(np.mean(s[usable] ** 2)))
            same_p = float(chi2.sf(_q(0.0, y[usable], s[usable]), usable.sum() - 1))
            if not usable.all():
                remarks.append(f"{n - usable.sum()} values have no error and are left out of the intrinsic spread")
    return Population(
        n, mean, standard_deviation(y), sem, _median(y), intrinsic, typical, same_p, edges, counts, tuple(remarks)
    )


def standard_deviation(values: Floats) -> Estimate:
    """Standard deviation of a Gaussian sample, unbiased (divided by c4), with its exact interval."""
    n = len(values)
    raw = float(np.std(values, ddof=1))
    c4 = sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))
    low, high = (raw * sqrt((n - 1) / float(chi2.ppf(q, n - 1))) for q in (0.975, 0.025))
    return Estimate(raw / c4, raw / c4 * sqrt(max(1 - c4**2, 0.0)), low, high)


def intrinsic_sd(values: Floats, errors: Floats) -> Estimate:
    """Spread of the emitters themselves, measurement errors taken out.

    No value where the interval begins at 0: the errors alone may make the scatter, and only the upper end is known.
    """
    n = len(values)
    low, high = (_invert(float(chi2.ppf(q, n - 1)), values, errors) for q in (0.975, 0.025))
    if high is None:
        return unknown("the values scatter less than their errors allow: the errors are too large")
    if not low:
        return Estimate(
            None, None, 0.0, high, f"not told apart from the measurement errors; at most {high:.3g} at 95 %"
        )
    most = float(np.std(values)) * 3 + float(errors.max())
    found = minimize_scalar(lambda tau: _restricted(tau, values, errors), bounds=(0.0, most), method="bounded",
                            options={"xatol": 1e-6 * most})  # fmt: skip
    tau = float(found.x)
    weights = 1 / (tau**2 + errors**2)
    total = weights.sum()
    # Trace of P**2, P the projected weights: half of it is the information on tau**2.
    information = 0.5 * float(np.sum(weights**2) - 2 * np.sum(weights**3) / total + (np.sum(weights**2) / total) ** 2)
    variance = 1 / information
    # The root of an unbiased variance is too low by Var/(8 tau**3); as for c4.
    value = tau + min(variance / (8 * tau**3), 0.25 * tau)
    return Estimate(value, sqrt(variance) / (2 * tau), low, high)


def errors_at_mean(values: Floats, central: Floats, side: Floats, weight: Floats) -> Floats:
    """Standard errors of g2(0) of several emitters by their pairs, each as it would be at the mean of all; float64[n].

    An emitter's own error goes with what it happened to count: 0 central pairs seem to be known best. The variance
    r (r + W)**2 / (n W) of a coin's ratio is nearly linear in r, so that at the mean it is right for the spread of all.

    Args:
        values: float64[n], g2(0).
        central, side: float64[n], pairs.
        weight: float64[n], side pairs to a central one at g2(0) = 1.
    """
    mean = max(float(values.mean()), 0.5 * float(np.min(weight / np.maximum(side, 1.0))))
    pairs = side * (1 + mean / weight)
    return np.asarray(np.sqrt(mean * (mean + weight) ** 2 / (np.maximum(pairs, 1.0) * weight)))


def _q(tau: float, values: Floats, errors: Floats) -> float:
    """Cochran's Q with weights 1/(tau**2 + s**2)."""
    weights = 1 / (tau**2 + errors**2)
    return float(np.sum(weights * (values - np.average(values, weights=weights)) ** 2))


def _invert(quantile: float, values: Floats, errors: Floats) -> float | None:
    """The tau at which Q is a quantile; 0 where Q lies below it there already, None where even at 0 by far."""
    above: Callable[[float], float] = lambda tau: _q(tau, values, errors) - quantile  # noqa: E731
    if above(0.0) <= 0:
        return 0.0 if quantile > len(values) else None
    return float(brentq(above, 0.0, TIMES * (float(np.ptp(values)) + float(errors.max()))))


def _restricted(tau: float, values: Floats, errors: Floats) -> float:
    """Minus twice the restricted log-likelihood."""
    variance = tau**2 + errors**2
    return float(np.sum(np.log(variance)) + np.log(np.sum(1 / variance)) + _q(tau, values, errors))


def _median(values: Floats) -> Estimate:
    """Median with its interval by order statistics, interpolated between two of them; none for fewer than 6 values.

    Hettmansperger and Sheather, Stat. Probab. Lett. 4, 75 (1986).
    """
    ordered = np.sort(values)
    n = len(ordered)
    middle = float(np.median(ordered))
    k = int(binom.ppf(0.025, n, 0.5))  # the k-th value from either end holds the median in `wide` of all cases
    while k > 0 and binom.cdf(k - 1, n, 0.5) > 0.025:
        k -= 1
    if k < 1:
        return Estimate(middle, None, None, None, f"no interval from {n} values")
    wide, narrow = (1 - 2 * float(binom.cdf(at, n, 0.5)) for at in (k - 1, k))
    share = (wide - 0.95) / (wide - narrow)
    inward = (n - k) * share / (k + (n - 2 * k) * share)
    low = (1 - inward) * ordered[k - 1] + inward * ordered[k]
    high = (1 - inward) * ordered[n - k] + inward * ordered[n - k - 1]
    return Estimate(middle, None, float(low), float(high))
