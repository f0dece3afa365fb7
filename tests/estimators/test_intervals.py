"""Limits of g2(0): against SciPy's distributions, and their coverage by exact enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta, binom, gamma, poisson

from streamer.estimators.intervals import coin_interval, poisson_interval, verdict


def test_limits_are_equal_tails_of_the_beta_distribution() -> None:
    central, side = np.array([2, 11, 300]), np.array([30, 798, 5000])
    low, high = coin_interval(central, side, 20.0, confidence=0.9)
    p_low, p_high = beta.ppf(0.05, central + 0.5, side + 0.5), beta.ppf(0.95, central + 0.5, side + 0.5)
    assert np.allclose(low, 20 * p_low / (1 - p_low))
    assert np.allclose(high, 20 * p_high / (1 - p_high))


def test_limits_at_the_ends_are_the_exact_ones() -> None:
    low, high = coin_interval(np.array([0, 1, 30, 29, 0]), np.array([30, 29, 0, 1, 0]), 20.0)
    p = 1 - 0.025 ** (1 / 30)
    assert high[0] == pytest.approx(20 * p / (1 - p))
    assert list(low[:2]) == [0.0, 0.0]
    assert low[2] == pytest.approx(20 * (1 - p) / p)
    assert list(high[2:4]) == [np.inf, np.inf]
    assert (low[4], high[4]) == (0.0, np.inf)


def test_poisson_limits_are_those_of_the_coin_with_endless_side_pairs() -> None:
    for pairs in (0, 1, 2, 7, 300):
        low, high = poisson_interval(pairs, 50.0)
        coin_low, coin_high = coin_interval(np.array(pairs), np.array(10**9), 10**9 / 50.0)
        assert low == pytest.approx(float(coin_low), rel=1e-5)
        assert high == pytest.approx(float(coin_high), rel=1e-5)
    assert poisson_interval(7, 50.0)[1] == pytest.approx(gamma.ppf(0.975, 7.5) / 50)


def exact_coverage(total: int, truths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability that the interval holds the truth, summed over every possible count: no simulation."""
    central = np.arange(total + 1)
    low, high = coin_interval(central, total - central, 20.0)
    chance = binom.pmf(central[None, :], total, (truths / (truths + 20))[:, None])
    return np.sum(chance * ((low <= truths[:, None]) & (truths[:, None] <= high)), axis=1)


@pytest.mark.parametrize(("total", "mean_below"), [(20, 0.98), (50, 0.975), (100, 0.965), (500, 0.955), (3000, 0.952)])
def test_exact_coverage_over_r_from_0_to_2(total: int, mean_below: float) -> None:
    # Whole counts make coverage swing with the truth: what holds is the mean over truths. With few pairs it lies above
    # 95 %, because near r = 0 an empty centre is the likeliest outcome and its interval always holds the truth.
    coverage = exact_coverage(total, np.linspace(0.0025, 2, 400))
    assert 0.949 < coverage.mean() < mean_below
    assert coverage.min() > 0.91


def test_the_limits_mend_the_dips_of_the_plain_jeffreys_interval() -> None:
    truths = np.linspace(0.0025, 2, 400)
    central = np.arange(101)
    p_low, p_high = beta.ppf(0.025, central + 0.5, 100.5 - central), beta.ppf(0.975, central + 0.5, 100.5 - central)
    p_low[0] = 0.0
    p = truths / (truths + 20)
    chance = binom.pmf(central[None, :], 100, p[:, None])
    plain = np.sum(chance * ((p_low <= p[:, None]) & (p[:, None] <= p_high)), axis=1)
    assert plain.min() < 0.885
    assert exact_coverage(100, truths).min() > 0.925


def test_exact_coverage_of_the_poisson_interval() -> None:
    counts, means = np.arange(400), np.linspace(0.05, 100, 2000)
    low, high = np.array([poisson_interval(int(n), 1.0) for n in counts]).T
    chance = poisson.pmf(counts[None, :], means[:, None])
    coverage = np.sum(chance * ((low <= means[:, None]) & (means[:, None] <= high)), axis=1)
    assert 0.948 < coverage.mean() < 0.955
    assert coverage.min() > 0.915


def test_verdict_of_an_unknown_interval_is_undecided() -> None:
    assert verdict(None, None) == "undecided"
    assert verdict(0.1, 0.5) == "undecided"
    assert verdict(0.5, 0.9) == "undecided"
