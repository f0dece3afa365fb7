"""Poisson mixtures of counts that are grouped into levels: the likelihood and its maximisation (EM), as kernels.

The model of one segment's count, for states with mean counts m_1 < ... < m_n:

* a *state*: Poisson with mean m_k;
* a *bridge* between neighbouring states: the emitter switched inside the segment, at an instant that any part of it is
  equally likely to hold, so the mean is uniform between m_k and m_{k+1}. Without bridges, the segments in which an
  emitter switched are taken for states between the true ones;
* a *stray*: uniform over the levels in use, of small total weight. It keeps a few odd segments (a burst, a passing
  particle) from dragging a state after them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import types
from numpy.typing import NDArray

from streamer.kernels import FLOAT, INT, INTS, kernel

FLOATS = types.Array(types.float64, 1, "C")
ROWS = types.Array(types.float64, 2, "C")
LEAST_MEAN = 1e-6  # counts; a state that is never seen to emit still needs a likelihood
MOST_STRAY = 0.01  # of the segments
STARTS = (1.0, 0.5, 0.0)  # powers of the segments per level; the last gives a rare state the say of a frequent one


@kernel(types.void, FLOAT, INTS, INTS, ROWS)
def poisson_levels(mean: float, low: NDArray[np.int64], high: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Sums over the counts low <= n < high of each level, for a Poisson count N of the given mean.

    Walks once over the counts that matter, the mean and 9 standard deviations (and 20 counts) either side.

    Args:
        mean: counts, above 0.
        low, high: int64[n], ascending and not overlapping.
        out: float64[3, n], overwritten: sums of P(N = n), of n P(N = n), and of P(N > n).
    """
    reach = 9.0 * math.sqrt(mean) + 20.0
    count = max(0, int(mean - reach))
    last = int(mean + reach)
    probability = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1.0))
    below_or_at = 0.0
    level = 0
    for k in range(len(low)):
        out[0, k] = 0.0
        out[1, k] = 0.0
        out[2, k] = float(max(0, min(high[k], count) - low[k]))
    while count <= last:
        below_or_at += probability
        while level < len(low) and high[level] <= count:
            level += 1
        if level == len(low):
            break
        if low[level] <= count:
            out[0, level] += probability
            out[1, level] += probability * count
            out[2, level] += max(0.0, 1.0 - below_or_at)
        count += 1
        probability *= mean / count


@kernel(types.void, FLOATS, INTS, INTS, FLOAT, ROWS, ROWS)
def component_levels(
    means: NDArray[np.float64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    stray: float,
    out: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> None:
    """Probability of each level under each component of the mixture.

    Args:
        means: float64[n], counts per segment, ascending.
        low, high: int64[m], the counts of the levels.
        stray: probability of one level under the stray component.
        out: float64[2 n, m], overwritten: n states, n - 1 bridges, the stray.
        counts: float64[n, m], overwritten: sum of n P(N = n) over the level, for each state.
    """
    n = len(means)
    sums = np.empty((3, len(low)))
    above = np.empty(len(low))
    for k in range(n):
        poisson_levels(means[k], low, high, sums)
        for level in range(len(low)):
            out[k, level] = sums[0, level]
            counts[k, level] = sums[1, level]
            if k > 0:
                # Poisson probability averaged over the means between: an integral known in closed form.
                gap = means[k] - means[k - 1]
                if gap > 1e-6 * means[k]:
                    out[n + k - 1, level] = max(0.0, sums[2, level] - above[level]) / gap
                else:
                    out[n + k - 1, level] = sums[0, level]
            above[level] = sums[2, level]
    out[2 * n - 1, :] = stray


@kernel(FLOAT, INTS, INTS, INTS, FLOATS, FLOATS, FLOATS, INT)
def maximise(  # noqa: PLR0912
    segments: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    means: NDArray[np.float64],
    weights: NDArray[np.float64],
    limits: NDArray[np.float64],
    steps: int,
) -> float:
    """Expectation-maximisation; `means` and `weights` are the start and become the result.

    A state's mean is updated from its own share of the segments only. The bridges' ends hold a little more information
    on it, but using it would not leave a closed form; the equation that is solved is unbiased without it.

    Args:
        segments: int64[m], segments at each level.
        low, high: int64[m], the counts of the levels.
        means: float64[n], counts per segment, ascending, above 0.
        weights: float64[2 n]: states, bridges, stray; sum 1.
        limits: float64[3]: gain in log-likelihood per step at which to stop; most that the stray may weigh; probability
            of one level under the stray.
        steps: most steps to take.

    Returns:
        log-likelihood of the result's last but one step.
    """
    n = len(means)
    gain, most_stray, stray = limits
    components = np.empty((2 * n, len(low)))
    counts = np.empty((n, len(low)))
    total = float(np.sum(segments))
    share = np.empty(2 * n)
    taken = np.empty(n)
    likelihood = -np.inf
    for _ in range(steps):
        component_levels(means, low, high, stray, components, counts)
        share[:] = 0.0
        taken[:] = 0.0
        before, likelihood = likelihood, 0.0
        for level in range(len(low)):
            density = 1e-300
            for k in range(2 * n):
                density += weights[k] * components[k, level]
            likelihood += segments[level] * math.log(density)
            scale = segments[level] / density
            for k in range(2 * n):
                share[k] += scale * weights[k] * components[k, level]
            for k in range(n):
                taken[k] += scale * weights[k] * counts[k, level]
        for k in range(2 * n):
            weights[k] = share[k] / total
        if weights[2 * n - 1] > most_stray:
            # Where no state reaches any level at all, the stray took everything: the others begin again as equals.
            held = 1.0 - weights[2 * n - 1]
            for k in range(2 * n - 1):
                weights[k] = (weights[k] / held if held > 0.0 else 1.0 / (2 * n - 1)) * (1.0 - most_stray)
            weights[2 * n - 1] = most_stray
        for k in range(n):
            if share[k] > 1e-9:
                means[k] = max(LEAST_MEAN, taken[k] / share[k])
        for k in range(1, n):
            if means[k] < means[k - 1]:
                means[k], means[k - 1] = means[k - 1], means[k]
                weights[k], weights[k - 1] = weights[k - 1], weights[k]
        if likelihood - before < gain:
            break
    return likelihood


@dataclass(slots=True, eq=False)
class Components:
    """A mixture of n states: means float64[n] in counts; weights float64[2 n] of the states, the bridges, the stray."""

    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    likelihood: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Segments by level, empty levels left out.

    Attributes:
        segments: int64[m], segments at each level, above 0.
        low, high: int64[m], the counts low <= n < high of each level.
        stray: probability of one level under the stray component.
    """

    segments: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    stray: float

    @classmethod
    def of(cls, segments: NDArray[np.int64], edges: NDArray[np.int64]) -> Grouped:
        """From int64[n_levels] segments and the int64[n_levels + 1] counts at which the levels begin."""
        at = np.flatnonzero(segments)
        low, high = level_counts(edges)
        return cls(np.ascontiguousarray(segments[at], np.int64), low[at], high[at], 1.0 / (int(at[-1]) + 1))

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middle count of each level, float64[m]."""
        return (self.low + self.high - 1) / 2

    def improve(self, fit: Components, steps: int, gain: float = 0.02) -> None:
        """EM in place, until a step gains less than `gain` in log-likelihood."""
        limits = np.array([gain, MOST_STRAY, self.stray])
        fit.likelihood = maximise(self.segments, self.low, self.high, fit.means, fit.weights, limits, steps)

    def fit(self, n: int) -> Components:
        """Mixture of n states: the best of a few short runs goes on, each begun from n groups of levels."""
        runs = []
        partings = {part(2 * np.sqrt(self.middle + 0.375), self.segments.astype(float) ** power, n) for power in STARTS}
        for cuts in sorted(partings):
            held = np.add.reduceat(self.segments, cuts).astype(float)
            means = np.maximum(np.add.reduceat(self.segments * self.middle, cuts) / held, 1e-3)
            weights = np.concatenate([0.98 * held / held.sum(), np.full(n - 1, 0.019 / max(1, n - 1)), [0.001]])
            runs.append(Components(means, weights / weights.sum()))
            self.improve(runs[-1], 15)
        best = max(runs, key=lambda run: run.likelihood)
        self.improve(best, 100)
        return best


def level_counts(edges: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First count of each level and one past its last; the open last level is taken as 2 % wide, as those before."""
    low, high = edges[:-1].copy(), edges[1:].copy()
    high[-1] = low[-1] + low[-1] // 50 + 1
    return low, high


def level_probability(fit: Components, edges: NDArray[np.int64], top: int) -> NDArray[np.float64]:
    """Probability of every level under the mixture, float64[n_levels]; strays lie at the levels up to `top`."""
    n, levels = len(fit.means), len(edges) - 1
    components, counts = np.empty((2 * n, levels)), np.empty((n, levels))
    component_levels(fit.means, *level_counts(edges), 1.0 / (top + 1), components, counts)
    components[-1, top + 1 :] = 0.0
    return fit.weights @ components


def part(x: NDArray[np.float64], weight: NDArray[np.float64], n: int) -> tuple[int, ...]:
    """Where to cut ascending x into n groups of least weighted squared deviation: first index of each, exactly.

    Dynamic programming over the last cut (Fisher, J. Am. Stat. Assoc. 53, 789, 1958).
    """
    sums = [np.concatenate([[0.0], np.cumsum(weight * x**power)]) for power in range(3)]
    mass, first, second = (each[None, :] - each[:, None] for each in sums)
    cost = np.full(mass.shape, np.inf)  # cost[i, j] of the group i <= k < j
    group = np.triu_indices(len(mass), 1)
    cost[group] = second[group] - first[group] ** 2 / mass[group]
    best, cuts = cost[0], []
    for _ in range(n - 1):
        through = best[:, None] + cost
        cuts.append(np.argmin(through, axis=0))
        best = np.min(through, axis=0)
    path = [len(x)]
    for cut in reversed(cuts):
        path.append(int(cut[path[-1]]))
    return (0, *reversed(path[1:]))
