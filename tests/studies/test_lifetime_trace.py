"""The lifetime trace of a run, its bounded points, and the type of blinking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.studies import lifetime_trace


@pytest.fixture(scope="module")
def view(dot):
    info, chunks, end = dot
    pipeline = Pipeline(info, Settings(studies=(), bin_ms=5))
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end)
    return pipeline.view()


def test_lifetimes_lie_between_those_of_the_states_and_follow_the_intensity(view):
    (result,) = lifetime_trace.study(view)
    assert result.kind == "trace"
    assert len(result.axes[0].values) == len(view.segments)
    told = np.isfinite(result.data["lifetime_ns"])
    assert told.mean() > 0.5
    tau, cps = result.data["lifetime_ns"][told], result.data["cps"][told]
    bright = cps > np.quantile(cps, 0.8)
    assert tau[bright].mean() == pytest.approx(25, abs=2)
    assert np.corrcoef(tau, cps)[0, 1] > 0.7
    # Its biexcitons keep the lifetimes from following the intensities all the way.
    assert result.values["type"]["verdict"] in ("A", "nearly A")
    assert "A, d ln(lifetime) / d ln(intensity) = " in lifetime_trace.lines(result.values)[0]


def test_points_are_bounded(view, monkeypatch):
    monkeypatch.setattr(lifetime_trace, "POINTS", 100)
    (result,) = lifetime_trace.study(view)
    assert 50 < len(result.axes[0].values) <= 100
    step = result.values["segments_per_point"]
    assert step * 100 >= len(view.segments)
    seconds = (view.segments[:, 1] - view.segments[:, 0]).sum() * view.plan.layout.tick_s
    assert np.mean(result.data["cps"]) == pytest.approx(view.segments[:, 3:].sum() / seconds, rel=0.05)


def test_nothing_where_nothing_can_be_known(view):
    answers = view.answers
    assert lifetime_trace.study(replace(view, answers=replace(answers, decays=None))) == []
    first = replace(answers.decays.lifetimes[0], value_ns=None, reason="pile-up: channel 0 counts too much")
    piled = replace(answers.decays, lifetimes=(first, *answers.decays.lifetimes[1:]))
    (result,) = lifetime_trace.study(replace(view, answers=replace(answers, decays=piled)))
    assert result.values == {"reason": "pile-up: channel 0 counts too much"}
    t0 = {channel: value + 5 * channel for channel, value in answers.decays.t0_ns.items()}
    (result,) = lifetime_trace.study(replace(view, answers=replace(answers, decays=replace(answers.decays, t0_ns=t0))))
    assert "set t0_ns" in result.values["reason"]


def test_the_background_is_that_of_the_time_it_was_counted_in():
    # Lifetimes are of the segments in which the emitter rested; their background must not be spread over all.
    options = {
        "rate_hz": "10e6", "eta_x": "0.05,0.5", "eta_bx": "0,0", "tau_x_ns": "20,20", "tau_bx_ns": "1,1",
        "dark_cps": "1000", "dwell": "exp:0.04,exp:0.04", "duration": "20", "seed": "5", "rate": "20000",
    }  # fmt: skip
    pipeline = analyse("simulate:", Settings(studies=("lifetime_trace",)), options)
    (result,) = pipeline.study()
    assert sum(result.values["background_cps"].values()) == pytest.approx(2000, rel=0.08)
    slope = result.values["type"]["slope"]
    assert slope["low"] < 0 < slope["high"]
    assert pipeline.answers().decays.seconds[1:].sum() < 0.9 * pipeline.answers().time_s[1:].sum()


def test_an_excitation_late_in_the_period_is_not_looked_past(view):
    decays = view.answers.decays
    t0 = {channel: value + 0.4 * 400 for channel, value in decays.t0_ns.items()}
    (result,) = lifetime_trace.study(replace(view, answers=replace(view.answers, decays=replace(decays, t0_ns=t0))))
    assert "set t0_ns" in result.values["reason"]


def test_segments_of_any_length_have_no_type():
    pipeline = analyse("simulate:", Settings(studies=("lifetime_trace",), segments="changes"), {"duration": "3"})
    (result,) = pipeline.study()
    assert "equal bins" in result.values["type"]["slope"]["reason"]
