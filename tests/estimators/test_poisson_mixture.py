"""Poisson mixtures on levels: kernels against plain sums, integrals and loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import poisson

from streamer.estimators.poisson_mixture import (
    Components,
    Grouped,
    component_levels,
    level_counts,
    level_probability,
    maximise,
    part,
    poisson_levels,
)
from streamer.levels import level_edges

EDGES = level_edges(400_000)


def naive_levels(mean, low, high):
    """Sums over the counts of every level, count by count."""
    sums = []
    for a, b in zip(low, high, strict=True):
        counts = np.arange(a, b)
        p = poisson.pmf(counts, mean)
        sums.append([p.sum(), (counts * p).sum(), poisson.sf(counts, mean).sum()])
    return np.array(sums).T


@pytest.mark.parametrize("mean", [1e-6, 0.3, 5.0, 200.0, 5000.0])
def test_sums_over_a_level_equal_those_over_its_counts(mean):
    low, high = level_counts(EDGES[:300])
    out = np.empty((3, len(low)))
    poisson_levels(mean, low, high, out)
    np.testing.assert_allclose(out, naive_levels(mean, low, high), rtol=1e-9, atol=1e-11 * (1 + mean))


def test_levels_left_out_do_not_matter():
    low, high = level_counts(EDGES[:100])
    some = np.array([0, 3, 4, 17, 40, 90])
    every, few = np.empty((3, len(low))), np.empty((3, len(some)))
    poisson_levels(60.0, low, high, every)
    poisson_levels(60.0, low[some], high[some], few)
    np.testing.assert_allclose(few, every[:, some], rtol=1e-12)


def test_a_bridge_is_the_average_over_the_means_between():
    low, high = level_counts(EDGES[:60])
    out, counts = np.empty((4, len(low))), np.empty((2, len(low)))
    component_levels(np.array([5.0, 40.0]), low, high, 0.01, out, counts)
    for level in (0, 4, 12, 25, 40):
        a, b = low[level], high[level]
        average = quad(lambda m, a=a, b=b: (poisson.cdf(b - 1, m) - poisson.cdf(a - 1, m)) / 35, 5, 40)[0]
        assert out[2, level] == pytest.approx(average, rel=1e-7, abs=1e-12)
    assert (out[3] == 0.01).all()


def naive_em(segments, low, high, means, weights, stray, steps):
    """The same steps, without a limit on strays."""
    for _ in range(steps):
        sums = [naive_levels(m, low, high) for m in means]
        states = [s[0] for s in sums]
        bridges = [(b[2] - a[2]) / (n - m) for a, b, m, n in zip(sums, sums[1:], means, means[1:], strict=False)]
        joint = weights[:, None] * np.array([*states, *bridges, np.full(len(low), stray)])
        likelihood = float(segments @ np.log(joint.sum(axis=0)))
        share = joint / joint.sum(axis=0) * segments
        taken = [(share[k] * s[1] / np.maximum(s[0], 1e-300)).sum() for k, s in enumerate(sums)]
        means = np.array(taken) / share[: len(means)].sum(axis=1)
        weights = share.sum(axis=1) / segments.sum()
    return likelihood, means, weights


def test_expectation_maximisation_equals_plain_loops(switching):
    rng = np.random.default_rng(1)
    counts = switching(rng, [4.0, 30.0, 70.0], 20.0, 2000)
    table = np.bincount(np.searchsorted(EDGES, counts, side="right") - 1, minlength=len(EDGES) - 1)
    data = Grouped.of(table, EDGES)
    means, weights = np.array([6.0, 25.0, 60.0]), np.array([0.4, 0.3, 0.2, 0.05, 0.04, 0.01])
    expected = naive_em(data.segments, data.low, data.high, means, weights, data.stray, 5)
    fit = Components(means.copy(), weights.copy())
    limits = np.array([0.0, 1.0, data.stray])
    likelihood = maximise(data.segments, data.low, data.high, fit.means, fit.weights, limits, 5)
    assert likelihood == pytest.approx(expected[0], rel=1e-10)
    np.testing.assert_allclose(fit.means, expected[1], rtol=1e-8)
    np.testing.assert_allclose(fit.weights, expected[2], rtol=1e-7, atol=1e-12)


def test_strays_are_limited_and_weights_sum_to_one():
    table = np.zeros(len(EDGES) - 1, np.int64)
    table[[5, 6, 7, 150]] = [300, 400, 300, 100]
    data = Grouped.of(table, EDGES)
    fit = Components(np.array([6.0]), np.array([0.9, 0.1]))
    data.improve(fit, 50)
    assert fit.weights[1] == 0.01
    assert fit.weights.sum() == pytest.approx(1)


def test_probability_of_all_levels_sums_to_one():
    fit = Components(np.array([3.0, 50.0, 400.0]), np.array([0.4, 0.3, 0.2, 0.06, 0.03, 0.01]))
    assert level_probability(fit, EDGES, 90).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_parting_is_the_best_of_all(n):
    rng = np.random.default_rng(n)
    x, weight = np.sort(rng.random(9)), rng.random(9)

    def cost(cuts):
        groups = np.split(np.arange(9), cuts[1:])
        return sum((weight[g] * (x[g] - np.average(x[g], weights=weight[g])) ** 2).sum() for g in groups)

    every = [(0, *cuts) for cuts in combinations(range(1, 9), n - 1)]
    assert part(x, weight, n) == min(every, key=cost)
