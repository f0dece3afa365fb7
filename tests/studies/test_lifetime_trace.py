"""The lifetime trace of a run, its bounded points, and the type of blinking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

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
    assert result.values["type"]["verdict"] == "A"
    assert lifetime_trace.lines(result.values)[0].startswith("blinking type: A, d ln(lifetime) / d ln(intensity) = ")


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
