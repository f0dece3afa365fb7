"""Maximum likelihood for Poisson counts with bounded parameters, and profile-likelihood intervals, by Minuit.

The estimating side of every fit with a model: expected counts as a function of named parameters. `poisson_fit` beside
it is for the small fits that run many times a second; this one is for answers: bounds, fixed parameters, intervals
whose ends follow the likelihood (Minos), which a covariance does not where a parameter is near a bound or badly known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from iminuit import Minuit
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import xlogy
from scipy.stats import chi2

from streamer.estimators.estimate import Estimate, unknown

Floats = NDArray[np.float64]
Model = Callable[[Floats], Floats]
Slopes = Callable[[Floats], Floats]
LEAST = 1e-12  # expected counts below which a bin is not believed to be empty for certain
NEAR_BOUND = 1e-4  # of its size: nearer ends of an interval are the bound
ALIKE = 1e-3  # of log-likelihood: less than a twentieth of a standard error
NEAR_ENOUGH = 0.01  # of log-likelihood to the maximum: a seventh of a standard error
MOST_CALLS = 2000  # of the model in one search; a fit that works takes some hundred
TOLERANCE = 0.01  # of Minuit: the minimum is known to a thousandth of a standard error


@dataclass(slots=True, eq=False)
class Maximum:
    """Where the likelihood of a model is highest.

    Attributes:
        names: of the parameters.
        values: float64[k].
        errors: float64[k], standard errors by the curvature; 0 for a fixed parameter.
        covariance: float64[k, k]; rows of fixed parameters are 0.
        deviance: twice the log-likelihood below that of a perfect model; of a true model about the number of bins with
            counts above some 5, less the free parameters.
        free: number of free parameters.
        converged: the maximum was found, to NEAR_ENOUGH.
        search: parameters whose bounds only say where to search, and nothing of what is possible.
    """

    names: tuple[str, ...]
    values: Floats
    errors: Floats
    covariance: Floats
    deviance: float
    free: int
    converged: bool
    search: frozenset[str]
    _minuit: Minuit = field(repr=False)
    _objective: Callable[[Floats], float] = field(repr=False)
    _gradient: Slopes | None = field(repr=False)

    def __getitem__(self, name: str) -> float:
        """Value of a parameter."""
        return float(self.values[self.names.index(name)])

    def bic(self, counts: float) -> float:
        """Bayesian information criterion up to a constant of the data; `counts` is how many were observed."""
        return self.deviance + self.free * float(np.log(max(counts, 1.0)))

    def interval(self, name: str, confidence: float = 0.95) -> tuple[float | None, float | None]:
        """Profile-likelihood interval of a parameter.

        An end beyond a bound is the bound, or None (no end on that side) where the bound is one of the search only.
        """
        ends: list[float | None] = []
        lower, upper = self._minuit.limits[name]
        try:
            found = self._minuit.minos(name, cl=confidence).merrors[name]
        except (RuntimeError, KeyError):
            found = None
        for side, bound in (("lower", lower), ("upper", upper)):
            if found is not None and getattr(found, f"{side}_valid"):
                ends.append(float(self[name] + getattr(found, side)))
            elif found is not None and getattr(found, f"at_{side}_limit") and np.isfinite(bound):
                ends.append(float(bound))
            else:
                ends.append(self._profiled(name, -1 if side == "lower" else 1, confidence))
            end = ends[-1]
            if name in self.search and end is not None and abs(end - bound) <= NEAR_BOUND * abs(bound):
                ends[-1] = None
        return ends[0], ends[1]

    def _profiled(self, name: str, side: int, confidence: float) -> float | None:
        """One end of the interval by brute force, where Minos gave up: other parameters fitted anew at every trial."""
        best, start = self._minuit.fval, self[name]
        rise = float(chi2.ppf(confidence, 1)) / 2
        error = float(self.errors[self.names.index(name)])
        bound = self._minuit.limits[name][0 if side < 0 else 1]

        def above(value: float) -> float:
            trial = Minuit(self._objective, np.array(self._minuit.values), name=self.names, grad=self._gradient)
            trial.errordef, trial.tol, trial.limits, trial.errors = (
                0.5,
                TOLERANCE,
                self._minuit.limits,
                self._minuit.errors,
            )
            trial.fixed = self._minuit.fixed
            trial.values[name], trial.fixed[name] = value, True
            trial.migrad(ncall=MOST_CALLS)
            return float(trial.fval - best - rise)

        step = error if np.isfinite(error) and error > 0 else max(abs(start), 1e-3)
        near = start
        for _ in range(20):
            far = near + side * step
            if np.isfinite(bound) and side * (far - bound) >= 0:
                return float(bound) if above(bound) < 0 else float(brentq(above, near, bound, xtol=1e-3 * step))
            if above(far) > 0:
                return float(brentq(above, near, far, xtol=1e-3 * step))
            near, step = far, 4 * step  # a parameter on its bound has no error to begin with
        return None

    def estimate(self, name: str, confidence: float = 0.95) -> Estimate:
        """A parameter with its curvature error and its profile interval."""
        if not self.converged:
            return unknown("the fit did not converge")
        low, high = self.interval(name, confidence)
        return Estimate(self[name], float(self.errors[self.names.index(name)]), low, high)

    def at_bound(self, name: str) -> bool:
        """Whether the best value lies on a bound of the parameter, or as near as the likelihood can tell.

        The curvature's error collapses there and is no measure of what is near.
        """
        at = self.names.index(name)
        for bound in self._minuit.limits[name]:
            if np.isfinite(bound):
                moved = self.values.copy()
                moved[at] = bound
                if bound == self.values[at] or self._objective(moved) - self._minuit.fval < ALIKE:
                    return True
        return False


def maximise(
    model: Model,
    counts: Floats,
    start: Mapping[str, float],
    limits: Mapping[str, tuple[float | None, float | None]] | None = None,
    fixed: Sequence[str] = (),
    slopes: Slopes | None = None,
    penalty: Callable[[Floats], float] | None = None,
    strategy: int = 1,
    search: Collection[str] = (),
) -> Maximum:
    """Fit expected counts to Poisson counts.

    Args:
        model: parameters float64[k] -> expected counts float64[n], above 0.
        counts: float64[n], observed.
        start: name -> first guess, in the order of the model's parameters.
        limits: name -> (lowest, highest), None for none.
        fixed: names that are not fitted.
        slopes: parameters float64[k] -> derivatives of the expected counts float64[k, n]; found numerically when None.
            Not with `penalty`, whose slope is not known.
        penalty: parameters -> something added to minus the log-likelihood (a Gaussian prior: half a chi-square).
        strategy: of Minuit, 0 quick to 2 careful.
        search: names whose limits only say where to search: no end of an interval.
    """
    counts = np.asarray(counts, np.float64)
    names = tuple(start)
    perfect = float(np.sum(xlogy(counts, np.maximum(counts, LEAST)) - counts))

    def objective(values: Floats) -> float:
        expected = np.maximum(model(np.asarray(values)), LEAST)
        distance = float(np.sum(expected - xlogy(counts, expected))) + perfect
        return distance + (penalty(np.asarray(values)) if penalty is not None else 0.0)

    gradient: Slopes | None = None
    if slopes is not None and penalty is None:

        def gradient(values: Floats) -> Floats:
            values = np.asarray(values)
            expected = np.maximum(model(values), LEAST)
            return np.asarray(slopes(values) @ (1.0 - counts / expected))

    minuit = Minuit(objective, np.array([start[name] for name in names], np.float64), name=names, grad=gradient)
    minuit.errordef, minuit.strategy, minuit.tol = 0.5, strategy, TOLERANCE
    for name in names:
        minuit.limits[name] = (limits or {}).get(name, (None, None))
        minuit.errors[name] = max(abs(start[name]) * 0.1, 1e-4)
        minuit.fixed[name] = name in fixed

    def there() -> Maximum:
        """Where Minuit is, and whether that is near enough: some models cannot be worked out to what it asks for."""
        covariance = np.zeros((len(names), len(names)))
        if minuit.covariance is not None:
            covariance = np.array(minuit.covariance, np.float64)
        found = Maximum(
            names, np.array(minuit.values, np.float64), np.sqrt(np.maximum(np.diag(covariance), 0.0)), covariance,
            2.0 * float(minuit.fval), len(names) - len(fixed), bool(minuit.valid), frozenset(search), minuit, objective,
            gradient,
        )  # fmt: skip
        if not found.converged and gradient is not None and slopes is not None:
            found.converged = _missing(found, model, slopes, counts, fixed) < NEAR_ENOUGH
        elif not found.converged and minuit.fmin is not None:
            found.converged = bool(minuit.fmin.edm < NEAR_ENOUGH)
        return found

    with np.errstate(all="ignore"):
        minuit.migrad(ncall=MOST_CALLS)
        if not there().converged:
            minuit.simplex(ncall=MOST_CALLS // 4)
            minuit.migrad(ncall=MOST_CALLS)
        minuit.hesse()
        return there()


def _missing(found: Maximum, model: Model, slopes: Slopes, counts: Floats, fixed: Sequence[str]) -> float:
    """Log-likelihood that a step by the expected information would still gain."""
    free = np.array([name not in fixed and not found.at_bound(name) for name in found.names])
    expected, bent = np.maximum(model(found.values), LEAST), slopes(found.values)[free]
    pull = bent @ (1.0 - counts / expected)
    return float(0.5 * pull @ np.linalg.pinv((bent / expected) @ bent.T, hermitian=True) @ pull)
