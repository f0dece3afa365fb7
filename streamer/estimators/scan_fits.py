"""Fits of what several recordings gave against a scan variable: power, temperature, voltage.

Every point weighs by its own error, as its measurement gave it. An interval that is not symmetric acts as a variance
that varies linearly with the distance, so that the likelihood falls by 1.92 at both its ends (Barlow, arXiv
physics/0406120). Times (lifetimes, antibunching times) are fitted by their logarithm: their error is a share of
themselves, and plain weights would favour the points that came out low. g2(0) may be fitted by its pairs themselves,
each a coin as in `streamer.estimators.intervals`. An error of the scan variable adds through the slope (effective
variance).

Intervals are profile-likelihood ones. Values are freed of the bias that curvature of the law gives them (Box, J. R.
Stat. Soc. B 33, 171 (1971)), always far below their errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import chi2 as chi2_law

from streamer.estimators.estimate import Z95, Estimate, unknown
from streamer.estimators.likelihood import Maximum, maximise
from streamer.estimators.scan_laws import LAWS, Law
from streamer.estimators.scan_points import Points

Floats = NDArray[np.float64]
MISFIT = 0.01  # p-value below which a law is said not to fit
LEAST_CENTRAL = 5.0  # expected central pairs from which a point's deviance is chi-square distributed
TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The fitted law over the range of the scan and its 95 % band; float64[m] each."""

    x: Floats
    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, eq=False)
class ScanFit:
    """One law fitted to points.

    Attributes:
        kind: name of the law.
        parameters: name -> estimate; what the range of the scan does not determine has no value and its reason.
        units: name -> unit, with {x} and {y} for those of the axes.
        chi2, dof: of the best fit; None where there is none.
        p_value: chance of a chi-square at least so large were the law true; None without degrees of freedom.
        remarks: what a reader should know, one line each.
        curve: None without a fit.
    """

    kind: str
    parameters: dict[str, Estimate]
    units: dict[str, str]
    chi2: float | None = None
    dof: int | None = None
    p_value: float | None = None
    remarks: tuple[str, ...] = ()
    curve: Curve | None = field(default=None, repr=False)


def fit_scan(
    kind: str,
    points: Points,
    fixed: Mapping[str, float] | None = None,
    extra: Sequence[str] = (),
    constants: Mapping[str, float] | None = None,
    known: Mapping[str, tuple[float, float]] | None = None,
) -> ScanFit:
    """Fit a law to points.

    Args:
        kind: name of a law in `streamer.estimators.scan_laws.LAWS`.
        points: at least as many as free parameters, at different x.
        fixed: parameter -> value that is known from elsewhere.
        extra: optional parameters of the law to fit as well (its background, say); the others are left at 0.
        constants: numbers that the law needs, such as the laser's rate.
        known: parameter -> (value, standard error) from elsewhere; it is fitted within that error and not told again.

    Raises:
        KeyError: no such law.
        ValueError: a parameter that the law does not have, or a constant that is missing.
    """
    law = LAWS[kind]
    known = dict(known or {})
    law.check([*(fixed or {}), *known], extra, constants or {})
    constants = dict(constants or {})
    if kind == "power_law":
        constants["x_m"] = float(np.exp(np.mean(np.log(points.x))))
    held = dict.fromkeys([name for name in law.optional if name not in extra], 0.0) | dict(fixed or {})
    free = [name for name in law.names if name not in held and name not in known]
    distinct = len(np.unique(points.x))
    if distinct < len(free):
        reason = f"{distinct} different points do not determine {len(free)} parameters"
        return ScanFit(kind, {name: unknown(reason) for name in free}, dict(law.units))
    if law.log and (points.value <= 0).any():
        return ScanFit(kind, {name: unknown("a value is not above 0") for name in free}, dict(law.units))
    fit = _Fit(law, points, held, constants, known)
    best = fit.maximum()
    if not best.converged:
        return ScanFit(kind, {name: unknown("the fit did not converge") for name in free}, dict(law.units))
    chi2, dof = fit.chi2(best.values), len(points) - len(free)
    expected_small = points.pairs is not None and bool((fit.central(best.values) < LEAST_CENTRAL).any())
    p_value = float(chi2_law.sf(chi2, dof)) if dof > 0 and not expected_small else None
    parameters = fit.estimates(best)
    remarks = []
    if dof == 0:
        remarks.append("as many points as parameters: whether the law fits cannot be told")
    elif expected_small:
        remarks.append("too few central pairs to tell whether the law fits")
    elif p_value is not None and p_value < MISFIT:
        remarks.append(
            f"does not fit: the points lie {np.sqrt(chi2 / dof):.2g} times as far from the curve as their errors say "
            f"(p = {p_value:.1g}); the intervals take the law and the errors as true"
        )
    remarks += [f"{name}: {one.reason}" for name, one in parameters.items() if one.reason]
    return ScanFit(
        kind, parameters, dict(law.units), chi2, dof, p_value, tuple(remarks), fit.curve(best),
    )  # fmt: skip


class _Fit:
    """A law with its points: cost, bias, band."""

    def __init__(
        self, law: Law, points: Points, held: dict[str, float], constants: dict[str, float],
        known: dict[str, tuple[float, float]],
    ) -> None:  # fmt: skip
        self.law, self.points, self.held, self.constants, self.known = law, points, held, constants, known
        self.limits = law.limits(points.x)
        self.logarithmic = law.log and points.pairs is None
        y, below, above = points.value, points.below, points.above
        if self.logarithmic:
            # Ends below 0 cannot be those of a time; the error then is that of the other side.
            inner = np.where(below < y, below, np.minimum(above, 0.9 * y))
            symmetric = np.isclose(below, above, rtol=1e-6)
            relative = above / y
            below = np.where(symmetric, relative, -np.log1p(-inner / y))
            above = np.where(symmetric, relative, np.log1p(relative))
            y = np.log(y)
        self.y, self.below, self.above = y, below, above

    def model(self, values: Floats, x: Floats | None = None) -> Floats:
        """The law at the points, or at `x`, on the scale that is fitted."""
        out = self.law.model(self.points.x if x is None else x, values, self.constants)
        return np.log(np.maximum(out, TINY)) if self.logarithmic else out

    def variance(self, values: Floats, expected: Floats) -> Floats:
        """Variance of each point: its own, and the scan variable's through the slope.

        Without the logarithm of the variance in the likelihood: true places of x are parameters of their own, over
        which the least chi-square is taken (York, Can. J. Phys. 44, 1079 (1966)).
        """
        own = (self.below * self.above + (self.above - self.below) * (expected - self.y)) / Z95**2
        own = np.maximum(own, (0.3 * np.minimum(self.below, self.above) / Z95) ** 2)
        if not self.points.x_error.any():
            return own
        step = 1e-4 * np.maximum(np.abs(self.points.x), 1e-12)
        slope = (self.model(values, self.points.x + step) - self.model(values, self.points.x - step)) / (2 * step)
        return own + (slope * self.points.x_error) ** 2

    def central(self, values: Floats) -> Floats:
        """Central pairs expected."""
        assert self.points.pairs is not None
        central, side, weight = self.points.pairs
        r = np.maximum(self.model(values), 1e-12)
        return (central + side) * r / (r + weight)

    def chi2(self, values: Floats) -> float:
        """Sum of squared distances in standard errors; for pairs the deviance."""
        if self.points.pairs is not None:
            central, side, _ = self.points.pairs
            expected = self.central(values)
            rest = central + side - expected
            return float(2 * np.sum(xlogy(central, central / expected) + xlogy(side, side / rest)))
        expected = self.model(values)
        return float(np.sum((expected - self.y) ** 2 / self.variance(values, expected)))

    def cost(self, values: Floats) -> float:
        """Minus the log-likelihood."""
        prior = sum(
            ((float(values[self.law.names.index(name)]) - value) / error) ** 2 / 2
            for name, (value, error) in self.known.items()
        )
        if self.points.pairs is not None:
            return self.chi2(values) / 2 + prior
        expected = self.model(values)
        if not np.isfinite(expected).all():
            return 1e30
        return float(np.sum((expected - self.y) ** 2 / self.variance(values, expected)) / 2) + prior

    def maximum(self) -> Maximum:
        """Best fit."""
        law = self.law
        about = self.held | {name: value for name, (value, _) in self.known.items()}
        first = law.start(self.points.x, self.points.value, self.sigma(), about, self.constants)
        first |= {name: about[name] for name in self.known}
        nothing = np.zeros(0)
        return maximise(
            lambda values: nothing, nothing, first | self.held, self.limits, tuple(self.held), penalty=self.cost
        )

    def sigma(self) -> Floats:
        """Rough standard errors on the plain scale, for first guesses."""
        if self.points.pairs is not None:
            central, side, weight = self.points.pairs
            return np.sqrt(central + 1) * weight / np.maximum(side, 1.0)
        return (self.points.below + self.points.above) / (2 * Z95)

    def estimates(self, best: Maximum) -> dict[str, Estimate]:
        """Every free parameter: value without curvature's bias, error, profile interval; or why not."""
        edge = any(best.at_bound(name) for name in best.names if name not in self.held)
        bias = np.zeros(len(best.values)) if edge else self.bias(best)
        found: dict[str, Estimate] = {}
        for at, name in enumerate(best.names):
            if name in self.held or name in self.known:
                continue
            low, high = best.interval(name)
            least, most = self.limits.get(name, (None, None))
            value, error = float(best.values[at]), float(best.errors[at])
            # Nothing (0) is a possible scale; a least energy is only where the search began.
            begun = name in self.law.scales and least is not None and least > 0
            open_low = low is None or (begun and least is not None and low <= least * (1 + 1e-9))
            open_high = high is None or (most is not None and high >= most * (1 - 1e-9))
            if name in self.law.scales and (open_low or open_high):
                reason = self.law.scales[name].format(low=f"{low or 0.0:.3g}")
                found[name] = Estimate(None, None, None if open_low else low, None if open_high else high, reason)
            elif low is None and high is None:
                found[name] = unknown("the range of the scan does not determine it")
            else:
                shift = bias[at] if np.isfinite(bias[at]) and abs(bias[at]) < error / 2 else 0.0
                corrected = value - shift
                if (least is not None and corrected < least) or (most is not None and corrected > most):
                    corrected = value
                if edge and low is not None and high is not None:
                    error = (high - low) / (2 * Z95)  # the curvature knows nothing of what lies beyond a bound
                found[name] = Estimate(float(corrected), error or None, low, high)
        lost = [name for name, one in found.items() if one.value is None and name in self.law.scales]
        for name in self.law.depends if lost else ():
            if name in found and found[name].value is not None:
                reason = f"not determined, as {lost[0]} is not"
                found[name] = Estimate(None, None, found[name].low, None, reason)
        return found

    def jacobian(self, values: Floats, free: Sequence[int], x: Floats | None = None) -> Floats:
        """Derivatives of the fitted scale's law by the free parameters, float64[n, free]."""
        columns = []
        for at in free:
            step = self._step(values, at)
            up, down = values.copy(), values.copy()
            up[at] += step
            down[at] -= step
            columns.append((self.model(up, x) - self.model(down, x)) / (2 * step))
        return np.stack(columns, axis=1)

    def _step(self, values: Floats, at: int) -> float:
        return 1e-4 * max(abs(float(values[at])), 1e-8)

    def bias(self, best: Maximum) -> Floats:
        """First-order bias of the values by the law's curvature (Box 1971); 0 for parameters held."""
        values = best.values
        free = [at for at, name in enumerate(best.names) if name not in self.held]
        expected = self.model(values)
        if self.points.pairs is not None:
            central, side, weight = self.points.pairs
            r = np.maximum(expected, 1e-9)
            variance = r * (r + weight) ** 2 / np.maximum((central + side) * weight, 1.0)
        else:
            variance = self.variance(values, expected)
        first = self.jacobian(values, free) / np.sqrt(variance)[:, None]
        information = first.T @ first
        for name, (_, error) in self.known.items():
            information[free.index(best.names.index(name)), free.index(best.names.index(name))] += error**-2.0
        out = np.zeros(len(values))
        try:
            inverse = np.linalg.inv(information)
        except np.linalg.LinAlgError:
            return out
        trace = np.zeros(len(expected))
        for i, a in enumerate(free):
            for j, b in enumerate(free):
                trace += inverse[i, j] * self._second(values, a, b)
        out[free] = -0.5 * inverse @ (first.T @ (trace / np.sqrt(variance)))
        return out

    def _second(self, values: Floats, a: int, b: int) -> Floats:
        """Second derivative of the fitted scale's law by two parameters, float64[n]."""
        ha, hb = 30 * self._step(values, a), 30 * self._step(values, b)

        def at(sa: float, sb: float) -> Floats:
            moved = values.copy()
            moved[a] += sa * ha
            moved[b] += sb * hb
            return self.model(moved)

        if a == b:
            return (at(1, 0) - 2 * self.model(values) + at(-1, 0)) / ha**2
        return (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / (4 * ha * hb)

    def curve(self, best: Maximum, points: int = 200) -> Curve:
        """The law over the scan with its band."""
        low, high = float(self.points.x.min()), float(self.points.x.max())
        pad = 0.03 * (high - low)
        spread = high > 20 * low > 0
        least = max(low - pad, min(low, 0.0))
        x = np.geomspace(low, high, points) if spread else np.linspace(least, high + pad, points)
        free = [at for at, name in enumerate(best.names) if name not in self.held]
        middle = self.model(best.values, x)
        slopes = self.jacobian(best.values, free, x)
        sigma = np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", slopes, best.covariance[np.ix_(free, free)], slopes), 0.0))
        ends = middle - Z95 * sigma, middle + Z95 * sigma
        if self.logarithmic:
            return Curve(x, np.exp(middle), np.exp(ends[0]), np.exp(ends[1]))
        return Curve(x, middle, *ends)
