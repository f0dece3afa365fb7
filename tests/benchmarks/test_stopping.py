"""The dots of the stopping study against a count that cannot be wrong, and its twin against the shipped evidence."""

import math

import numpy as np
import pytest

from benchmarks.stopping import cw_dots, dots, page, twin
from benchmarks.stopping.cases import CASES, Case
from benchmarks.stopping.study import NOT_SINGLE, SINGLE, Row, Stops, judge, steps_of
from benchmarks.stopping.summary import summary
from streamer.estimators.g2 import MIN_SIDE_PAIRS
from streamer.estimators.intervals import coin_interval
from streamer.estimators.ratio_evidence import RatioEvidence


@pytest.mark.parametrize(
    ("weights", "steady"), [((20.0,), True), ((19.78,), False), ((None, 240.0), True), ((None,), False)]
)
def test_the_twin_is_the_evidence_that_is_shipped(weights, steady):
    rng = np.random.default_rng(1)
    count, looks = 4, 60
    central = rng.poisson(0.5, (count, looks)).astype(float)
    references = np.stack([rng.poisson(weight or 1.0, (count, looks)).astype(float) for weight in weights])
    signal = np.ones((1, 1)) if steady else rng.uniform(0.3, 1.0, (count, looks))
    shares = np.broadcast_to(signal, central.shape)
    for g in (0.5, 0.15, 1.0):
        found = twin.log_e(central, references, weights, signal, g)
        for dot in range(count):
            evidence = RatioEvidence(weights, np.unique([0.5, g]))
            at = int(np.flatnonzero(evidence.candidates == g)[0])
            for look in range(looks):
                evidence.add(central[dot, look], references[:, dot, look], (shares[dot, look],) * 2)
                if g == 0.5:
                    assert found[:, dot, look] == pytest.approx(list(evidence.log_e), abs=1e-9)
            assert found[0, dot, -1] == pytest.approx(evidence._mixed(0)[at], abs=1e-9)
            assert found[1, dot, -1] == pytest.approx(evidence._mixed(1)[at], abs=1e-9)


def test_the_naive_rule_is_the_ordinary_interval():
    rng = np.random.default_rng(2)
    central, side = rng.poisson(0.5, (20, 80)).cumsum(axis=1), rng.poisson(20.0, (20, 80)).cumsum(axis=1)
    low, high = coin_interval(central, side, 20.0)
    below, above = twin.naive(central.astype(float), side.astype(float), 20.0)
    enough = side >= MIN_SIDE_PAIRS
    assert (below == (enough & (high < 0.5))).all()
    assert (above == (enough & (low > 0.5))).all()


@pytest.mark.parametrize("r", [0.02, 0.3, 0.7, 1.0])
def test_a_fixed_exposure_needs_more_than_walds_bound(r):
    assert twin.fixed(r, 0.5, 20.0, 0.05) > twin.wald(r, 0.5, 20.0, 0.05)
    assert twin.fixed(r, 0.5, math.inf, 0.05) > twin.wald(r, 0.5, math.inf, 0.05)


@pytest.mark.parametrize("g", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("name", ["steady", "dense", "denser", "background", "telegraph", "power law", "all at once"])
def test_pairs_of_pulsed_dots_have_the_true_ratio(name, g):
    case = next(case for case in CASES if case.name == name)
    ends = dots.look_ends(case.dot.segments(100))
    counts = dots.draw(case.dot, g, ends, 60, 3)
    for state in case.states:
        central, side, a, b, product, pulses = counts[:, :, state].sum(axis=(0, 1))
        fall = 1 - np.arange(1, 11) / case.dot.segment if state else np.ones(10)
        weight, dark = 2 * fall.sum(), case.dot.background
        signal = (product - dark * (a + b) + dark**2 * pulses) / product
        expected = (1 + (g - 1) * signal) * side / weight
        # Dwells that end within ten pulses of a switch raise the side's pairs a little less than the centre's.
        assert central == pytest.approx(expected, abs=4.5 * math.sqrt(expected) + 0.01 * expected)
        assert a == pytest.approx(b, abs=6 * math.sqrt(a))


def test_a_steady_dot_has_the_photons_that_were_asked_for():
    dot = dots.Dot(0.02, background=0.004)
    ends = dots.look_ends(5000)
    counts = dots.draw(dot, 0.2, ends, 4, 5)[:, :, 0].sum(axis=(0, 1))
    pulses = 4 * ends[-1] * dot.segment
    assert counts[dots.PULSES] == pulses
    assert counts[dots.PHOTONS_A] / pulses == pytest.approx(0.024, rel=4 / math.sqrt(0.024 * pulses))
    assert counts[dots.SIDE] / pulses == pytest.approx(20 * 0.024**2, rel=0.03)


@pytest.mark.parametrize("g", [0.1, 0.5, 1.0])
def test_pairs_of_cw_dots_have_the_true_ratio_by_both_references(g):
    steps = next(steps_of(Case("", "", cw_dots.CwDot()), 0, g, 40, 4))
    central = steps.central.sum()
    expected, far = steps.references.sum(axis=(1, 2))
    for accidental in (expected, far / steps.weights[1]):
        assert central == pytest.approx(g * accidental, abs=4.5 * math.sqrt(g * accidental) + 0.015 * accidental)


def test_looks_are_on_the_grid_of_the_program():
    ends = dots.look_ends(5 * 1000) // 5
    assert ends[:200].tolist() == list(range(1, 201))
    assert (np.diff(ends) <= np.maximum(ends[:-1] // 100, 1)).all()
    assert ends[-1] == 1000


@pytest.mark.parametrize("name", ["dense", "all at once", "cw"])
def test_the_promise_is_kept_by_some_hundred_dots_at_the_edge(name):
    case = next(case for case in CASES if case.name == name)
    count = 300
    for steps in steps_of(case, 0, 0.5, count, 8):
        found = judge(steps, 0.5)
        chance = 3 * math.sqrt(0.05 * 0.95 / count)
        assert (found.stops[0.05].verdict == SINGLE).mean() <= 0.05 + chance
        assert found.outside.mean() <= 0.05 + chance
        if 0.0 in found.stops:
            assert (found.stops[0.0].verdict == SINGLE).mean() > 0.12  # who looks at a fixed interval breaks it


def test_lines_of_the_page_are_told_from_dots():
    case = next(case for case in CASES if case.name == "steady")
    rows = [Row("steady", 0, g, judge(next(steps_of(case, 0, g, 100, 9)), g)) for g in (0.1, 0.5, 1.0)]
    told = [summary(row) for row in rows]
    assert [one["wrong"] for one in told][::2] == [0.0, 0.0]
    for one in (told[0], told[2]):
        assert 0.9 < one["pairs"] / one["bound"] < 1.5
        assert 1.0 < one["fixed"] / one["pairs"] < one["fixed_for"] / one["pairs"]
    assert told[1]["bound"] is None
    text = page.dots_part(told)
    assert "### Steady" in text
    assert text.count("\n| 0.1 | 0 |") == 1


def test_sparq_is_given_the_same_pairs():
    theirs = pytest.importorskip("benchmarks.stopping_sparq", reason="sparq-triage is in the bench extra").theirs
    central, side = np.array([[0.0, 1.0, 0.0], [30.0, 0.0, 0.0]]), np.array([[40.0, 21.0, 400.0], [60.0, 40.0, 0.0]])
    stops = theirs(central, side, 0.25, 1.0)
    assert isinstance(stops, Stops)
    assert stops.verdict.tolist() == [SINGLE, NOT_SINGLE]
    assert stops.pairs.tolist() == [462.0, 90.0]
