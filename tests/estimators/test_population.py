"""Statistics over emitters: against formulas by hand, the truth of drawn populations, and what cannot be told."""

import numpy as np
import pytest
from scipy import stats

from streamer.estimators.population import intrinsic_sd, population, standard_deviation


def test_mean_and_spread_are_those_of_the_textbook():
    y = np.random.default_rng(1).normal(22.5, 5.4, 25)
    found = population(y)
    low, high = stats.t.interval(0.95, 24, y.mean(), y.std(ddof=1) / 5)
    assert (found.mean.value, found.mean.low, found.mean.high) == pytest.approx((y.mean(), low, high))
    assert found.sem == pytest.approx(stats.sem(y))
    assert found.sd.low == pytest.approx(y.std(ddof=1) * np.sqrt(24 / stats.chi2.ppf(0.975, 24)))
    assert found.sd.high == pytest.approx(y.std(ddof=1) * np.sqrt(24 / stats.chi2.ppf(0.025, 24)))
    assert found.median.value == np.median(y)
    assert found.median.low < found.median.value < found.median.high
    assert found.counts.sum() == 25
    assert "no errors" in found.intrinsic_sd.reason
    assert found.typical_error is None


def test_the_standard_deviation_is_unbiased():
    """c4 of four values is 0.9213."""
    y = np.array([1.0, 2.0, 4.0, 9.0])
    assert standard_deviation(y).value == pytest.approx(y.std(ddof=1) / 0.921318, rel=1e-5)


def test_errors_are_taken_out():
    rng = np.random.default_rng(2)
    errors = rng.uniform(20, 60, 200)
    y = rng.normal(170, 50, 200) + rng.normal(0, errors)
    found = population(y, errors)
    assert found.sd.value == pytest.approx(np.hypot(50, np.sqrt(np.mean(errors**2))), rel=0.12)
    assert found.intrinsic_sd.low < 50 < found.intrinsic_sd.high
    assert found.intrinsic_sd.value == pytest.approx(50, rel=0.2)
    assert found.same_p < 1e-6


def test_equal_errors_subtract_in_squares():
    y = np.random.default_rng(3).normal(0, 5, 300)
    one = intrinsic_sd(y, np.full(300, 3.0))
    assert one.value == pytest.approx(np.sqrt(y.var(ddof=1) - 9), rel=0.01)
    # The interval of the whole spread, with the errors taken off its ends.
    q = 299 * y.var(ddof=1)
    ends = [np.sqrt(q / stats.chi2.ppf(p, 299) - 9) for p in (0.975, 0.025)]
    assert (one.low, one.high) == pytest.approx(ends)


def test_alike_emitters_have_no_spread_but_a_bound():
    y = np.random.default_rng(4).normal(10, 1, 40)
    one = intrinsic_sd(y, np.ones(40))
    assert one.value is None
    assert one.low == 0
    assert 0 < one.high < 1
    assert "not told apart" in one.reason
    assert "too large" in intrinsic_sd(y, np.full(40, 5.0)).reason


def test_few_values_and_wrong_ones():
    found = population([1.0, 2.0])
    assert found.sd.value is None
    assert "2 emitters, 3 needed" in found.sd.reason
    assert population([3.0, 3.0, 3.0]).sd.value == 0
    with pytest.raises(ValueError, match="finite"):
        population([1.0, np.nan])
    with pytest.raises(ValueError, match="as many"):
        population([1.0, 2.0], [1.0])


def test_a_population_of_two_kinds_is_not_gaussian():
    rng = np.random.default_rng(5)
    found = population(np.concatenate([rng.normal(10, 0.5, 30), rng.normal(20, 0.5, 30)]))
    assert "not Gaussian" in found.remarks[0]
    assert population(rng.normal(10, 1, 60)).remarks == ()


def test_values_without_an_error_are_left_out_of_the_intrinsic_spread():
    rng = np.random.default_rng(6)
    found = population(rng.normal(10, 2, 12), np.where(np.arange(12) < 2, np.nan, 0.5))
    assert found.intrinsic_sd.value is not None
    assert "2 values have no error" in found.remarks[0]


@pytest.mark.slow
@pytest.mark.parametrize(("dots", "error"), [(10, 0.2), (70, 0.06), (25, 0.1)])
def test_intervals_hold_the_truth(dots, error):
    rng = np.random.default_rng(7)
    held = []
    for _ in range(500):
        errors = rng.uniform(error / 3, error, dots)
        found = population(rng.normal(0.19, 0.2, dots) + rng.normal(0, errors), errors)
        held.append(
            (found.mean.low <= 0.19 <= found.mean.high, found.intrinsic_sd.low <= 0.2 <= found.intrinsic_sd.high)
        )
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 0.03).all()
