"""Laws of dwells: exponents, cut-offs and means of known truth, with bins and without; the choice of law; refusals."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from streamer.estimators.dwell_laws import CUT_OFF, EXPONENTIAL, POWER, fit_laws, hides
from streamer.estimators.dwell_sample import Sample


def power(rng, exponent, n, high=np.inf):
    """n dwells of a power law from 1 on."""
    end = 0.0 if np.isinf(high) else high ** (1 - exponent)
    return (1 + rng.random(n) * (end - 1)) ** (1 / (1 - exponent))


def cut(rng, exponent, n, cutoff):
    """Some n dwells of a power law from 1 on with an exponential cut-off."""
    time = power(rng, exponent, 40 * n)
    return time[rng.random(len(time)) < np.exp(-(time - 1) / cutoff)][:n]


def binned(rng, time):
    """Whole bins that a dwell is seen as."""
    return np.floor(time + rng.random(len(time)))


def ends(n, cut=0):
    """All complete but the last `cut`."""
    return np.arange(n) < n - cut


@pytest.mark.parametrize(
    ("exponent", "high"), [(0.8, 500.0), (1.1, 500.0), (1.5, 500.0), (2.6, 500.0), (1.5, np.inf), (2.0, np.inf)]
)
def test_exponents_through_bins_and_without(exponent, high):
    rng = np.random.default_rng(1)
    time = power(rng, exponent, 20_000, high)
    for length, bin_s in ((time, None), (binned(rng, time), 1.0)):
        found = fit_laws(length * 0.01, ends(20_000), None if bin_s is None else 0.01, laws=(POWER,))
        assert found.exponent.error < 0.02
        assert abs(found.exponent.value - exponent) < 3.5 * found.exponent.error
        assert found.exponent.low < found.exponent.value < found.exponent.high


def test_taking_bins_for_times_would_be_wrong_by_far():
    rng = np.random.default_rng(2)
    length = binned(rng, power(rng, 2.0, 20_000))
    honest = fit_laws(length, ends(20_000), 1.0, laws=(POWER,)).exponent
    naive = fit_laws(length[length >= 2], ends((length >= 2).sum()), None, 2.0, laws=(POWER,)).exponent
    assert abs(honest.value - 2.0) < 3 * honest.error
    assert abs(naive.value - 2.0) > 10 * naive.error


def test_a_cut_off_and_its_exponent():
    rng = np.random.default_rng(3)
    for exponent, cutoff in ((1.5, 100.0), (1.2, 30.0)):
        length = binned(rng, cut(rng, exponent, 8000, cutoff)) * 0.01
        found = fit_laws(length, ends(len(length)), 0.01)
        assert found.law == CUT_OFF
        assert abs(found.cut_exponent.value - exponent) < 3.5 * found.cut_exponent.error
        assert abs(found.cutoff_s.value - cutoff * 0.01) < 3.5 * found.cutoff_s.error
        assert found.cutoff_s.high < 1.6 * found.cutoff_s.low
        assert found.p_value > 0.001
        assert found.reason is None


def test_an_exponential_and_its_mean_with_most_dwells_cut_off():
    rng = np.random.default_rng(4)
    time, limit = rng.exponential(40.0, 3000), rng.uniform(1, 30, 3000)
    found = fit_laws(np.minimum(time, limit), time <= limit, None, laws=(EXPONENTIAL,))
    assert np.mean(time <= limit) < 0.35
    assert found.mean_s.low < 40 < found.mean_s.high
    assert found.mean_s.error == pytest.approx(40 / np.sqrt((time <= limit).sum()), rel=0.1)


def test_the_law_is_told_apart():
    rng = np.random.default_rng(5)
    chosen = {
        EXPONENTIAL: lambda: rng.exponential(30.0, 300),
        POWER: lambda: power(rng, 1.5, 300, 2000.0),
        CUT_OFF: lambda: cut(rng, 1.2, 600, 40.0),
    }
    for law, draw in chosen.items():
        laws = Counter(fit_laws(binned(rng, draw()), ends(600)[-len(draw()) :], 1.0).law for _ in range(15))
        assert laws[law] >= 13, law


def test_a_law_that_none_of_them_is_does_not_fit():
    rng = np.random.default_rng(6)
    length = binned(rng, np.concatenate([rng.exponential(5.0, 1000), rng.normal(200.0, 10.0, 1000)]))
    found = fit_laws(length, ends(2000), 1.0)
    assert found.p_value < 1e-6
    assert found.reason.startswith("none of the laws fits")


@pytest.mark.parametrize("longest_seen", [None, 100.0, 30.0])
def test_dwells_that_gaps_cut_off_do_not_reject_the_right_law(longest_seen):
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(30):
        for law, time in ((EXPONENTIAL, rng.exponential(30.0, 800)), (POWER, power(rng, 1.5, 800, 100.0))):
            seen = binned(rng, time)
            limit = np.full(800, np.inf) if longest_seen is None else np.ceil(rng.uniform(1, longest_seen, 800))
            p_values.append(fit_laws(np.minimum(seen, limit), seen < limit, 1.0, laws=(law,)).p_value)
    assert np.sum(np.array(p_values) < 0.01) <= 4
    assert 0.35 < np.mean(p_values) < 0.65


def test_a_power_law_that_shows_no_cut_off_says_so():
    rng = np.random.default_rng(7)
    found = fit_laws(power(rng, 2.5, 100), ends(100))
    assert found.cutoff_s.value is None or found.cutoff_s.high is None or found.cutoff_s.high > 3 * found.longest_s


def test_the_normalisation_is_the_sum_over_all_bins():
    length = np.array([2.0, 3, 3, 5, 9, 14])
    sample = Sample(length, ends(6, 1), 2.0, True, 0.0)
    tables = sample.integrals(5000.0)
    minus = sample.objective(1.7, 0.01, tables, [0])[0]

    def f(t):
        return t**-1.7 * np.exp(-0.01 * t)

    fine = (np.arange(2000) + 0.5) / 2000
    chance = {n: float(np.mean(fine * f(n - 1 + fine) + (1 - fine) * f(n + fine))) for n in range(2, 3000)}
    total = sum(chance.values())
    own = sum(np.log(chance[n] / total) for n in (2, 3, 3, 5, 9))
    own += np.log(sum(chance[n] for n in range(14, 3000)) / total)
    assert -minus == pytest.approx(own, rel=1e-5)


def test_dwells_below_a_bin_are_noticed():
    rng = np.random.default_rng(8)
    from_a_bin = [binned(rng, power(rng, 1.5, 500, 300.0)) for _ in range(20)]
    below = [binned(rng, 0.3 * power(rng, 1.5, 1500, 1000.0)) for _ in range(20)]
    assert sum(hides(one, ends(500), 1.0) for one in from_a_bin) <= 1
    assert all(hides(one[one > 0], ends((one > 0).sum()), 1.0) for one in below)


@pytest.mark.parametrize(
    ("length", "complete", "reason"),
    [
        ([], [], "no complete dwell"),
        ([5.0, 6.0], [False, False], "no complete dwell"),
        ([5.0, 6.0, 9.0], [True] * 3, "fewer than 10 complete dwells"),
        ([1.0] * 500, [True] * 500, "fewer than 10 complete dwells of 0.02 s"),
        ([7.0] * 500, [True] * 500, "fewer than 10"),
    ],
)
def test_too_few_dwells_give_the_reason(length, complete, reason):
    found = fit_laws(np.array(length) * 0.01, np.array(complete, bool), 0.01)
    assert found.law is None
    assert reason in found.reason
    assert found.exponent.value is None
    assert reason in found.exponent.reason


@pytest.mark.slow
def test_limits_hold_the_exponent_of_many_emitters():
    rng = np.random.default_rng(9)
    held, off = 0, []
    for _ in range(400):
        found = fit_laws(binned(rng, power(rng, 1.5, 200, 1000.0)), ends(200), 1.0, laws=(POWER,)).exponent
        held += found.low <= 1.5 <= found.high
        off.append((found.value - 1.5) / found.error)
    assert 0.92 <= held / 400 <= 0.98
    assert abs(np.mean(off)) < 0.15
