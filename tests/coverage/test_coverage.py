"""Coverage in a faster form: every case with some hundred trials, and the runner itself against intervals that lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from tests.coverage.case import Case, Trial
from tests.coverage.page import lines, page
from tests.coverage.runner import BIAS, LEAST, MOST, Tally, cases_of, draw, judge, modules, parts, run

TRIALS = 200
CHANCE = 2.5e-5  # of failing on each side, of an interval that just keeps its promise, and of its bias
FAR = 4.1  # standard errors that a bias just within its bound exceeds with CHANCE


def objections(tally: Tally) -> list[str]:
    """What speaks against an interval beyond what chance may do."""
    if not tally.answered:
        return ["no number in any trial"]
    n, held = tally.answered, tally.answered - tally.low - tally.high
    said = []
    if held < binom.ppf(CHANCE, n, LEAST):
        said.append(f"only {held} of {n} intervals hold the truth")
    if held > binom.isf(CHANCE, n, MOST):
        said.append(f"{held} of {n} intervals hold the truth: they are too wide")
    if tally.bias is None or abs(tally.bias) > BIAS + FAR / np.sqrt(n):
        said.append(f"bias {tally.bias} standard errors")
    return said


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("module", modules())
def test_intervals_hold(module):
    said = []
    for case in cases_of(module):
        trials = [one for some, part in parts(case, TRIALS) for one in draw(case, some, part)]
        said += [f"{one.name}: {each}" for one in judge(case, trials) for each in objections(one.whole)]
    assert not said, "\n".join(said)


# -- the runner itself -----------------------------------------------------------------------------------------------


def normal(width=1.959964, off=0.0, known=1.0):
    """A case of normal values about 1 and 5, whose intervals are `width` standard errors to either side."""

    def trials(rng, how_many):
        for at in range(how_many):
            truth = (1.0, 5.0)[at % 2]
            value = truth + off + rng.standard_normal()
            told = (value, value - width, value + width) if rng.random() < known else (None, None, None)
            yield Trial(f"truth {truth:g}", truth, *told)

    return Case("normal", "two truths", trials)


def judged(case, trials=1000):
    (report,) = judge(case, [one for some, part in parts(case, trials) for one in draw(case, some, part)])
    return report


def test_a_right_interval_holds():
    report = judged(normal())
    assert report.good
    assert not objections(report.whole)
    assert report.whole.bias == pytest.approx(0, abs=0.1)
    assert report.whole.low + report.whole.high == pytest.approx(50, abs=25)
    assert set(report.settings) == {"truth 1", "truth 5"}


@pytest.mark.parametrize(
    ("width", "off", "said"),
    [(1.0, 0.0, "only"), (1.3, 0.0, "only"), (1.96, 0.6, "bias"), (1.96, -0.6, "bias")],
)
def test_a_wrong_interval_is_found_even_in_the_faster_form(width, off, said):
    assert any(said in each for each in objections(judged(normal(width, off), TRIALS).whole))
    assert not judged(normal(width, off)).good


def test_an_interval_that_is_too_wide_is_found():
    report = judged(normal(width=4.0))
    assert not report.good
    assert any("too wide" in each for each in objections(report.whole))


def test_what_cannot_be_told_is_counted_and_not_judged():
    report = judged(normal(known=0.5))
    assert report.whole.trials == 1000
    assert report.whole.answered == pytest.approx(500, abs=70)
    assert report.good
    silent = judged(normal(known=0.0))
    assert (silent.whole.answered, silent.whole.bias, silent.good) == (0, None, False)
    assert objections(silent.whole)
    assert "| 1000 | 0 | - |" in page([silent], {}, 1000)


def test_no_end_is_no_end_on_that_side():
    def trials(rng, how_many):
        yield Trial("a", 1.0, 1.1, None, 1.05)
        yield Trial("a", 1.0, 1.2, 1.05, None)
        yield Trial("a", 1.0, 0.9, None, 0.95)
        yield Trial("a", 1.0, 0.9, None, None)

    tally = judge(Case("open", "", trials), list(trials(None, 4)))[0].whole
    assert (tally.low, tally.high, tally.endless, tally.held) == (1, 1, 4, 0.5)


def test_values_that_are_all_alike_are_measured_by_their_interval():
    zeros = [Trial("none", 0.03, 0.0, 0.0, 0.12)] * 20
    right = [Trial("none", 0.0, 0.0, 0.0, 0.12)] * 20
    points = [Trial("none", 1.0, 2.0, None, None)] * 20
    case = Case("alike", "", lambda rng, n: zeros)
    assert judge(case, zeros)[0].whole.bias == pytest.approx(-0.03 / (0.12 / 3.92), rel=1e-3)
    assert judge(case, right)[0].whole.bias == 0
    assert judge(case, points)[0].whole.bias == np.inf


def test_the_same_trials_every_time_and_another_case_others():
    case = normal()
    assert draw(case, 10, 0) == draw(case, 10, 0) != draw(case, 10, 1)
    assert sum(some for some, _ in parts(case, 1001)) == 1001
    few = Case("dear", "", case.draw, trials=40)
    assert parts(few, 1000) == [(40, 0)]
    many = Case("cheap", "", case.draw, times=3)
    assert sum(some for some, _ in parts(many, 100)) == 300


def test_each_number_of_an_analysis_is_judged_by_itself():
    def trials(rng, how_many):
        for one in normal().draw(rng, how_many):
            yield replace(one, number="right")
            yield replace(one, number="wrong", value=one.value + 1, low=one.low + 1, high=one.high + 1)

    case = Case("two", "", trials, numbers=("right", "wrong"))
    right, wrong = judge(case, [one for some, part in parts(case, 1000) for one in draw(case, some, part)])
    assert (right.name, right.whole.trials, right.good) == ("two, right", 1000, True)
    assert (wrong.name, wrong.whole.trials, wrong.good) == ("two, wrong", 1000, False)
    assert wrong.whole.bias == pytest.approx(1, abs=0.1)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    kept = tmp_path / "kept"
    told: list[str] = []
    first, _ = run(["hom"], 40, kept=kept, progress=told.append)
    lines_before = kept.read_text(encoding="utf-8").splitlines()
    assert len(lines_before) == len(first) == len(told)
    kept.write_text("\n".join(lines_before[:1]) + "\n" + lines_before[1][:40], encoding="utf-8")  # cut off in a line
    told.clear()
    again, _ = run(["hom"], 40, kept=kept, progress=told.append)
    assert again == first
    assert len(told) == len(first)
    assert sum("kept" in line for line in told) == 1
    other, _ = run(["hom"], 80, kept=kept, progress=told.append)
    assert other != first


def test_a_case_that_breaks_is_reported_and_the_others_are_drawn(monkeypatch, tmp_path):
    (report,) = judge(normal(), [], "ValueError: no such lifetime")
    assert (report.good, report.verdict) == (False, "FAILED TO DRAW")
    told = "\n".join(lines([report, judged(normal())], {"lost": "ImportError: gone"}))
    assert "ValueError: no such lifetime" in told
    assert "lost: could not be imported" in told
    assert "holds" in told
    assert "**1 of 3 hold.**" in page([report, judged(normal())], {"lost": "ImportError: gone"}, 1000)


def test_a_file_that_cannot_be_imported_is_named():
    reports, broken = run(["no_such_file"], 10)
    assert not reports
    assert "no_such_file" in broken["no_such_file"]
