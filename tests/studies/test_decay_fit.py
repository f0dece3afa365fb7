"""The decay fits of a run: every row, every detector, pile-up, a measured response, and what is printed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamer.config import Settings
from streamer.estimators.response import Response
from streamer.pipeline import Pipeline
from streamer.registry import open_source
from streamer.studies import decay_fit

STEADY = {
    "duration": "4", "seed": "3", "rate_hz": "2.5e6", "nbar": "0.01", "eta_c": "1", "eta_x": "0.9", "eta_bx": "0",
    "tau_x_ns": "20", "jitter_ps": "150",
}  # fmt: skip


def counted(options, settings, response=None, preset="steady"):
    source = open_source(f"simulate:{preset}", options)
    pipeline = Pipeline(source.info, settings, response)
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    return pipeline


def fitted(options, response=None, preset="steady", **settings):
    view = counted(options, Settings(studies=(), states=1, **settings), response, preset).view()
    (result,) = decay_fit.study(view)
    return view, result


def test_every_row_of_a_blinking_dot(dot):
    info, chunks, end = dot
    pipeline = Pipeline(info, Settings(studies=(), decay_model="mono"))
    for chunk in chunks:
        pipeline.feed(chunk)
    pipeline.finish(end)
    view = pipeline.view()
    (result,) = decay_fit.study(view)
    assert [row["name"] for row in result.values["rows"]] == list(view.rows)
    assert result.data["counts"].shape == (len(view.rows), len(result.axes[0].values))
    decay = next(one for one in pipeline.results() if one.name == "decay")
    np.testing.assert_array_equal(result.axes[0].values, decay.axes[0].values)
    np.testing.assert_allclose(result.data["counts"].sum(axis=1), decay.data["counts"].sum(axis=1), rtol=1e-3)
    bright = result.values["rows"][-1]
    assert bright["lifetimes"][0]["lifetime_ns"]["value"] == pytest.approx(25, abs=0.5)
    assert [one["channel"] for one in bright["detectors"]] == [0, 1]
    assert len(decay_fit.lines(result.values)) >= len(view.rows)


def test_the_truth_is_found_and_printed():
    _, result = fitted(STEADY)
    row = result.values["rows"][0]
    tau = row["lifetimes"][0]["lifetime_ns"]
    assert row["model"] == "mono"
    assert abs(tau["value"] - 20) < 3.5 * tau["error"]
    assert row["p"] > 1e-3
    line = decay_fit.lines(result.values)[0]
    assert line.startswith("decay fit, all: one exponential, ")
    assert " ns" in line


def test_pile_up_is_refused_or_corrected():
    bright = {"duration": "0.2", "seed": "3", "rate_hz": "2.5e6", "eta_c": "1", "nbar": "0.5", "dead_ns": "200"}
    bright |= {"tau_x_ns": "20"}
    _, refused = fitted(bright, preset="poisson")
    assert 'set pile_up = "correct"' in refused.values["rows"][0]["reason"]
    assert np.isnan(refused.data["counts"][0]).all()
    assert "attenuate" in decay_fit.lines(refused.values)[0]
    _, result = fitted(bright, preset="poisson", pile_up="correct", decay_model="mono")
    row = result.values["rows"][0]
    tau = row["lifetimes"][0]["lifetime_ns"]
    assert abs(tau["value"] - 20) < 4 * tau["error"]
    assert row["pile_up"].startswith("corrected for g2(0) = ")


def test_photons_of_a_single_emitter_hide_none():
    single = {"duration": "0.2", "seed": "3", "rate_hz": "2.5e6", "eta_c": "1", "nbar": "0.3", "tau_x_ns": "20"}
    _, result = fitted(single | {"dead_ns": "200"}, preset="single", pile_up="correct", decay_model="mono")
    row = result.values["rows"][0]
    # What is corrected is what g2(0) leaves of pairs: as good as nothing.
    _, plain = fitted(
        single | {"dead_ns": "200", "eta_c": "0.05", "duration": "2"}, preset="single", decay_model="mono"
    )
    there, here = (one["lifetimes"][0]["lifetime_ns"] for one in (plain.values["rows"][0], row))
    assert abs(there["value"] - here["value"]) < 4 * np.hypot(there["error"], here["error"])


def test_a_measured_response_is_taken_where_there_is_one():
    rng = np.random.default_rng(1)
    edges = int(400 / 0.064) + 2
    one = np.bincount(((2.0 + 0.15 * rng.standard_normal(50_000)) / 0.064).astype(int), minlength=edges)
    _, result = fitted(STEADY, Response({0: one}, 0.064, 400.0), decay_model="mono")
    assert result.values["response"] == "measured for some channels"
    assert any("channel 1" in line for line in result.values["remarks"])
    row = result.values["rows"][0]
    tau = row["lifetimes"][0]["lifetime_ns"]
    assert abs(tau["value"] - 20) < 3.5 * tau["error"]
    _, result = fitted(STEADY, Response({0: one, 1: one}, 0.064, 400.0), decay_model="mono")
    assert result.values["response"] == "measured"
    assert result.values["rows"][0]["p"] > 1e-3


def test_nothing_without_nanotimes_or_excitation():
    view, _ = fitted(STEADY)
    assert decay_fit.study(replace(view, answers=replace(view.answers, decays=None))) == []
    lost = replace(view.answers.decays, t0_ns=dict.fromkeys(view.answers.decays.t0_ns))
    (result,) = decay_fit.study(replace(view, answers=replace(view.answers, decays=lost)))
    assert "excitation" in result.values["reason"]


def test_states_of_a_dot_that_switches_often_keep_the_shape_of_their_decays():
    options = {
        "duration": "10", "seed": "4", "eta_c": "0.6", "rate_hz": "5e6", "dwell": "exp:0.1,exp:0.1,exp:0.1",
        "eta_x": "0.1,0.3,0.9", "eta_bx": "0,0,0", "nbar": "0.02", "tau_x_ns": "3.5,10,25", "jitter_ps": "150",
    }  # fmt: skip
    view = counted(options, Settings(studies=(), states=3), preset="").view()
    (result,) = decay_fit.study(view)
    for row, tau in zip(result.values["rows"][1:], (3.5, 10.0, 25.0), strict=True):
        assert row["model"] == "mono", row["name"]
        found = row["lifetimes"][0]["lifetime_ns"]
        assert abs(found["value"] - tau) < 4 * found["error"]
