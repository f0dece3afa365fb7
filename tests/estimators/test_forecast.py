"""The forecast of a verdict, against simulated runs that go on."""

import math

import numpy as np
import pytest

from streamer.estimators.forecast import forecast
from streamer.estimators.intervals import UNDECIDED
from streamer.estimators.ratio_evidence import RatioEvidence

SIDE = 20.0
AT_HALF = np.array([0.5])


def begun(rng, g, accidental, signal=1.0):
    """Evidence after so many accidental pairs, one step for each."""
    evidence = RatioEvidence((SIDE,), AT_HALF)
    r = 1 + (g - 1) * signal
    for _ in range(accidental):
        evidence.add(rng.poisson(r), [rng.poisson(SIDE)], (signal, signal))
    return evidence


def goes_on(rng, evidence, g, left, signal=1.0):
    """Accidental pairs until the verdict; infinite without one within `left`."""
    r = 1 + (g - 1) * signal
    for step in range(1, left + 1):
        evidence.add(rng.poisson(r), [rng.poisson(SIDE)], (signal, signal))
        if evidence.verdict(0.05) != UNDECIDED:
            return step
    return math.inf


@pytest.mark.parametrize(("seen", "left", "signal"), [(10, 30, 1.0), (20, 100, 0.7), (60, 200, 1.0)])
def test_the_chance_of_a_verdict_is_what_comes_of_it(seen, left, signal):
    rng = np.random.default_rng(5)
    told, came, before = [], [], []
    while len(told) < 250:
        g = rng.uniform(0.02, 1.5)
        evidence = begun(rng, g, seen, signal)
        if evidence.verdict(0.05) != UNDECIDED:
            continue
        ahead = forecast(evidence, 0.05, left, signal)
        took = goes_on(rng, evidence, g, left, signal)
        told.append(ahead.chance)
        came.append(math.isfinite(took))
        if ahead.median <= left:
            before.append(took <= ahead.median)
    told, came = np.array(told), np.array(came)
    assert told.mean() == pytest.approx(came.mean(), abs=0.05 + 3 * 0.4 / math.sqrt(len(told)))
    likely = told > np.median(told)
    assert came[likely].mean() > came[~likely].mean() + 0.3
    # With few pairs the median is told too early (of 10, a quarter of the verdicts come by then): counts are whole.
    assert (0.4 if seen == 60 else 0.15) < np.mean(before) < 0.65


def test_at_the_edge_no_verdict_is_foreseen():
    evidence = RatioEvidence((SIDE,), AT_HALF)
    evidence.add(1000, [40000])
    assert forecast(evidence, 0.05, 100.0).chance < 0.02
    assert forecast(evidence, 0.05, 100.0).median > 1000


def test_without_a_budget_there_is_no_chance_but_a_median():
    evidence = begun(np.random.default_rng(6), 0.02, 5)
    ahead = forecast(evidence, 0.05, None)
    assert ahead.chance is None
    assert 0 < ahead.median < 20


def test_the_chance_grows_with_the_budget_and_is_none_at_none_left():
    evidence = begun(np.random.default_rng(7), 0.3, 20)
    chances = [forecast(evidence, 0.05, left).chance for left in (0.0, 10.0, 30.0, 100.0, 1000.0)]
    assert chances[0] < 1e-3
    assert (np.diff(chances) > 0).all()
    assert chances[-1] > 0.6


def test_both_kinds_of_reference_foresee_nearly_the_same():
    counted, known = RatioEvidence((SIDE,), AT_HALF), RatioEvidence((None,), AT_HALF)
    counted.add(3, [20 * SIDE])
    known.add(3, [20.0])
    chances = [forecast(evidence, 0.05, 10.0).chance for evidence in (counted, known)]
    assert chances[0] == pytest.approx(chances[1], abs=0.05)
    assert 0.3 < chances[0] < 0.95
