"""The blinking study: states to on and off, curves, bleaching, background thresholds, segments of any length."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from streamer.config import settings_from
from streamer.estimators.states import fit_mixture, states_from_thresholds
from streamer.pipeline import Pipeline
from streamer.registry import open_source
from streamer.studies import blinking as study

TICK_S, TICKS = 4e-7, 25_000  # of the stream that the views are made of; 10 ms


@pytest.fixture(scope="module")
def view():
    """Of a short stream; the tests put segments of their own in."""
    source = open_source("simulate:", {"duration": "0.3", "rate_hz": "2.5e6", "seed": "1"})
    pipeline = Pipeline(source.info, settings_from({"studies": [], "look_photons": 0}))
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    return pipeline.view()


def put(view, counts, thresholds, start=None, stop=None, **settings):
    """A view of these counts in bins of 10 ms, or in segments of any length, with thresholds in counts/s."""
    scale = view.plan.layout.scale
    assert (scale.ticks, scale.tick_s) == (TICKS, pytest.approx(TICK_S))
    if start is None:
        start = np.arange(len(counts)) * TICKS
        stop = start + TICKS
    lines = np.zeros((len(counts), view.segments.shape[1]), np.int64)
    lines[:, 0], lines[:, 1], lines[:, 3] = start, stop, counts
    lines[:, 2] = scale.levels(np.asarray(counts), stop - start)
    answers = replace(
        view.answers, thresholds_cps=tuple(thresholds), states=states_from_thresholds(thresholds), mixture=None
    )
    return replace(
        view, tables=view.tables | {"sequence": {"segments": lines}}, answers=answers,
        origin=int(start[0]) if len(start) else 0,
        settings=settings_from({**view.settings.model_dump(), **settings}),
    )  # fmt: skip


def exponential(rng, means_s, seconds, counts, step=0.01):
    """Counts of 10 ms of an emitter that goes round its states after exponential dwells."""
    rate = np.empty(0)
    state = 0
    fine = 20
    while len(rate) < seconds / step * fine:
        n = max(1, round(rng.exponential(means_s[state]) / step * fine))
        rate, state = np.concatenate([rate, np.full(n, counts[state])]), (state + 1) % len(means_s)
    n = int(seconds / step)
    return rng.poisson(rate[: n * fine].reshape(n, fine).mean(axis=1))


def test_on_and_off_of_known_truth(view):
    counts = exponential(np.random.default_rng(1), [0.3, 0.9], 600, [10.0, 80.0])
    results = {one.name: one for one in study.study(put(view, counts, [4000.0]))}
    values = results["blinking"].values
    assert values["on_states"] == ["bright"]
    for found, truth in (
        (values["on_fraction"], 0.75), (values["changes_per_s"], 2 / 1.2), (values["off"]["mean_dwell_s"], 0.3),
        (values["on"]["mean_dwell_s"], 0.9), (values["off"]["leave_per_s"], 1 / 0.3),
    ):  # fmt: skip
        assert abs(found["value"] - truth) < 3.5 * found["error"]
        assert found["low"] < found["value"] < found["high"]
    assert values["off"]["law"] == values["on"]["law"] == "exponential"
    assert values["false_changes"] < 1
    assert values["bleached"]["told"] == "not seen"
    json.dumps(values, allow_nan=False)
    told = "\n".join(study.lines(values))
    assert "exponential" in told
    assert "% of the time" in told
    assert results["dwell_survival"].rows == ("off", "on")
    assert results["blinking_bins"].axes[0].values[0] == pytest.approx(0.01)


def test_survival_and_density_are_of_the_dwells(view):
    counts = np.repeat(np.tile([10, 80], 300), np.tile([3, 7], 300))
    results = {one.name: one for one in study.study(put(view, counts, [4000.0]))}
    time, share = results["dwell_survival"].axes[0].values, results["dwell_survival"].data["survival"]
    assert share[0][np.flatnonzero(time < 0.0299)] == pytest.approx(1)
    assert share[1][np.flatnonzero((time > 0.04) & (time < 0.0699))] == pytest.approx(1)
    assert np.isnan(share[0][np.flatnonzero(time > 0.0299)]).all()  # nobody is left
    density = results["dwell_density"]
    assert density.data["dwells"][:, np.flatnonzero(density.axes[0].values > 0)].sum(axis=1).tolist() == [299, 299]


def test_three_states_are_told_one_by_one_and_as_off_and_on(view):
    counts = exponential(np.random.default_rng(2), [0.3, 0.3, 0.6], 300, [10.0, 80.0, 300.0])
    results = {one.name: one for one in study.study(put(view, counts, [4000.0, 17_000.0]))}
    values = results["blinking"].values
    assert values["on_states"] == ["grey", "bright"]
    assert list(values["states"]) == ["dark", "grey", "bright"]
    assert results["dwell_survival"].rows == ("off", "on", "dark", "grey", "bright")
    assert values["states"]["dark"]["dwells"] == values["off"]["dwells"]


def test_one_state_does_not_blink(view):
    (result,) = study.study(put(view, np.random.default_rng(3).poisson(80.0, 500), []))
    assert result.values["on_fraction"]["value"] == 1
    assert "no blinking seen" in study.lines(result.values)[0]


def test_nothing_known_is_no_share_of_one(view):
    dim = put(view, np.zeros(500, np.int64), [])
    one = study.study(dim)[0].values
    assert one["on_fraction"]["value"] is None
    assert "too few to tell light from dark" in study.lines(one)[0]
    short = put(view, np.repeat([80, 0], [7, 8]), [])
    why = "fewer than 20 segments (15) cannot tell states apart"
    mixture = fit_mixture(np.bincount([0] * 8 + [80] * 7), np.arange(82), 0.01)
    assert mixture.reason == why
    one = study.study(replace(short, answers=replace(short.answers, mixture=mixture)))[0].values
    assert one["on_fraction"]["value"] is None
    assert study.lines(one) == [f"blinking  {why}"]


def test_light_that_is_all_background_is_not_on(view):
    one = put(view, np.random.default_rng(3).poisson(80.0, 500), [])
    for background, share in ((8000.0, None), (7000.0, 1.0)):
        given = one.settings.model_copy()
        object.__setattr__(given, "background_cps", {0: background - 1000.0, 1: (1000.0, 10.0)})
        values = study.study(replace(one, settings=given))[0].values
        assert values["on_fraction"]["value"] == share


def test_no_segment(view):
    (result,) = study.study(put(view, np.empty(0, np.int64), [4000.0], np.empty(0, np.int64), np.empty(0, np.int64)))
    assert result.values == {"reason": "no segment yet"}


def test_bleaching_is_found_and_left_out(view):
    rng = np.random.default_rng(4)
    alive = exponential(rng, [0.3, 0.9], 120, [10.0, 80.0])
    alive[-20:] = 80
    for dead, thresholds in ((10.0, [4000.0]), (1.0, [500.0, 4000.0])):  # as dark as dark, or darker
        values = study.study(put(view, np.concatenate([alive, rng.poisson(dead, 12_000)]), thresholds))[0].values
        assert values["bleached"]["seen"]
        assert values["bleached"]["time_s"] == pytest.approx(120, abs=0.05)
        assert values["seconds"] == pytest.approx(120, abs=0.05)
        assert values["on_states"] == ["bright"]
        assert abs(values["on_fraction"]["value"] - 0.75) < 3.5 * values["on_fraction"]["error"]


def test_what_shot_noise_makes_is_withheld(view):
    rng = np.random.default_rng(5)
    values = study.study(put(view, exponential(rng, [0.5, 0.5], 100, [10.0, 20.0]), [1500.0]))[0].values
    assert values["false_changes"] > 100
    assert values["changes_per_s"]["value"] is None
    assert "shot noise" in values["on"]["exponent"]["reason"]
    assert any("shot noise" in line for line in study.lines(values))


def test_on_above_the_background_where_asked_for(view):
    rng = np.random.default_rng(6)
    one = put(view, exponential(rng, [0.05, 2.0], 300, [4.0, 80.0]), [], on_off_sigma=3.0)
    values = study.study(one)[0].values
    assert any("background_cps is not given for channel 0" in note for note in values["notes"])
    given = one.settings.model_copy()
    object.__setattr__(given, "background_cps", {0: 250.0, 1: (150.0, 30.0)})
    values = study.study(replace(one, settings=given))[0].values
    assert values["threshold_cps"] == pytest.approx(400 + 3 * np.hypot(200, 30))
    assert values["on_states"] == ["on"]
    assert values["on_fraction"]["value"] == pytest.approx(2 / 2.05, abs=0.01)


def test_segments_of_any_length_have_dwells_of_any_length(view):
    rng = np.random.default_rng(7)
    length = np.stack([rng.exponential(0.3, 400), rng.exponential(0.9, 400)], axis=1).ravel() + 0.004
    stop = np.cumsum((length / TICK_S).astype(np.int64))
    start = np.concatenate([[0], stop[:-1]])
    counts = rng.poisson(np.tile([1000.0, 8000.0], 400) * length)
    results = {one.name: one for one in study.study(put(view, counts, [4000.0], start, stop))}
    values = results["blinking"].values
    assert values["bin_s"] is None
    assert "blinking_bins" not in results
    assert values["on_fraction"]["value"] == pytest.approx(length[1::2].sum() / length.sum(), abs=0.003)
    assert abs(values["on"]["mean_dwell_s"]["value"] - 0.9) < 3.5 * values["on"]["mean_dwell_s"]["error"]


def test_segments_from_change_to_change_tell_what_they_miss(view):
    rng = np.random.default_rng(7)
    layout = replace(view.plan.layout, threshold=15.0)
    for mean_s, many in ((0.02, True), (0.3, False)):
        length = rng.exponential(mean_s, 800) + 0.004
        stop = np.cumsum((length / TICK_S).astype(np.int64))
        start = np.concatenate([[0], stop[:-1]])
        counts = rng.poisson(np.tile([2000.0, 20_000.0], 400) * length)
        one = put(view, counts, [8000.0], start, stop)
        values = study.study(replace(one, plan=replace(one.plan, layout=layout)))[0].values
        assert values["missed"] is None
        assert values["false_changes"] is None
        assert (values["changes_per_s"]["low"] is None) == many
        assert any("before change points find them" in line for line in study.lines(values)) == many


def test_a_day_of_blinking_takes_no_time(view):
    rng = np.random.default_rng(8)
    n = 40_000
    length = np.ceil(np.minimum((1 - rng.random(2 * n)) ** -2, 400)).astype(int)
    counts = np.repeat(np.where(np.arange(2 * n) % 2, 80, 10), length)[:360_000]
    one = put(view, counts, [4000.0])
    study.study(one)
    began = time.process_time()
    study.study(one)
    assert time.process_time() - began < 2.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_paper_d_from_photons(seed):
    # Chandrasekaran et al.: on 99 % of the time, exponents 2.44 of the off and 1.02 of the on times.
    source = open_source("simulate:cw", {"duration": "400", "rate": "8000", "seed": str(seed)})
    pipeline = Pipeline(source.info, settings_from({"studies": [], "look_photons": 0, "thresholds_cps": [4500.0]}))
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    values = study.study(pipeline.view())[0].values
    off, on = values["off"]["exponent"], values["on"]["exponent"]
    assert abs(off["value"] - 2.44) < 3 * off["error"]
    assert abs(on["value"] - 1.02) < 3 * on["error"]
    assert values["on_fraction"]["value"] == pytest.approx(0.99, abs=0.005)


def test_a_bleached_dot_of_the_simulator():
    options = {"duration": "40", "seed": "3", "bleach": "at:20", "rate_hz": "1e6"}
    source = open_source("simulate:powerlaw", options)
    pipeline = Pipeline(source.info, settings_from({"studies": [], "look_photons": 0}))
    for chunk in source.chunks():
        pipeline.feed(chunk)
    pipeline.finish(source.end())
    bleached = study.study(pipeline.view())[0].values["bleached"]
    assert bleached["seen"]
    assert bleached["time_s"] == pytest.approx(20.0, abs=0.05)
