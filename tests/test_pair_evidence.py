"""Pair evidence: under a cut that stays the pairs are those of the answers; background, gates and doubts."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.pipeline import Pipeline

NEVER = {"rule": "g2", "error": 1e-12, "state": "brightest"}


def record(address, settings, rules=NEVER, **options):
    pipeline = analyse(
        address, Settings(stop=rules, studies=(), **settings), {key: str(value) for key, value in options.items()}
    )
    return pipeline, pipeline.stopping.record(None)["evidence"]


def test_under_thresholds_by_hand_the_pairs_are_those_of_the_state():
    settings = {"thresholds_cps": (15_000.0, 45_000.0)}
    pipeline, seen = record("simulate:", settings, duration=8, rate=60_000)
    zero = pipeline.answers().correlations[0].zero[-1]
    assert seen["central"] == zero.central
    assert seen["accidental"] * (2 * 10) == pytest.approx(zero.side_pairs, rel=1e-3)
    assert seen["g2_0"] == pytest.approx(zero.g2_0, rel=1e-3)
    pipeline, seen = record("simulate:", settings, {**NEVER, "state": "all"}, duration=8, rate=60_000)
    zero = pipeline.answers().correlations[0].zero[0]
    assert (seen["central"], seen["accidental"]) == (zero.central, zero.side_pairs / 20)


def test_a_gate_keeps_the_pairs_that_the_gate_curve_keeps():
    rules = {**NEVER, "state": "all", "gate_ns": 3.0}
    pipeline, seen = record("simulate:shells", {"gate_ns": 3.0}, rules, duration=4, rate=100_000)
    gate = next(one for one in pipeline.results() if one.name == "gate").values["per_row"][0]
    assert seen["central"] == gate["central"]
    assert seen["accidental"] * 20 == pytest.approx(gate["side_pairs"])


def test_pairs_filed_under_states_that_are_found_are_nearly_all():
    rules = {"rule": "g2_width", "half_width": 1e-6}
    pipeline, seen = record("simulate:", {}, rules, duration=20, rate=60_000)
    zero = pipeline.answers().correlations[0].zero[-1]
    assert seen["accidental"] * 20 == pytest.approx(zero.side_pairs, rel=0.1)


def test_the_share_of_signal_is_that_of_the_simulation():
    dark = 2000.0
    settings = {"background_cps": {0: dark, 1: dark}}
    options = {"duration": 10, "rate": 20_000, "dark_cps": dark}
    pipeline, seen = record("simulate:steady", settings, **options)
    truth = pipeline.info.truth["states"][0]
    share = (1 - truth["g2_0_with_background"]) / (1 - truth["g2_0"])
    assert seen["signal"] == pytest.approx([share, share], rel=0.02)


def test_behind_a_gate_the_background_is_more_of_what_is_left_also_where_the_light_blinks():
    """On for a fifth of the time: the mean of the product of both rates is not the product of their means."""
    options = {
        "eta_x": "0,0.9", "eta_bx": "0,0.5", "tau_x_ns": "20,20", "tau_bx_ns": "15,15", "dwell": "exp:0.4,exp:0.1",
        "dark_cps": 6000, "rate": 30_000, "rate_hz": "5e6", "duration": 30,
    }  # fmt: skip
    settings = {"background_cps": {0: 6000, 1: 6000}}
    _, whole = record("simulate:", settings, {**NEVER, "state": "all"}, **options)
    pipeline, gated = record("simulate:", settings, {**NEVER, "state": "all", "gate_ns": 10.0}, **options)
    bright = pipeline.info.truth["states"][1]
    light, dark = bright["rate_cps"] / 2 - 6000, 6000.0
    through, rest = np.exp(-10 / 20), 1 - 10 / 200
    share = 0.2  # of the time on; pairs of light and dark counts come then, those of dark counts alone always
    for seen, a, b in ((whole, light, dark), (gated, light * through, dark * rest)):
        signal = share * a**2
        assert seen["signal"][0] == pytest.approx(signal / (signal + 2 * share * a * b + b**2), rel=0.1)


def test_a_background_measured_with_an_error_widens_both_ways_and_costs_a_tenth():
    settings = {"background_cps": {0: (2000.0, 200.0), 1: (2000.0, 200.0)}}
    _, seen = record("simulate:steady", settings, duration=10, rate=20_000, dark_cps=2000)
    low, high = seen["signal"]
    assert low < 0.64 < high
    assert seen["limit"] == pytest.approx(-np.log(0.9e-12))


def test_more_background_than_light_is_no_verdict():
    _, seen = record("simulate:steady", {"background_cps": {0: 1e6, 1: 1e6}}, duration=2, rate=20_000)
    assert "background is nearly all" in seen["reason"]


def test_overlapping_pulses_get_no_verdict():
    options = {"duration": 10, "rate": 100_000, "rate_hz": "20e6", "tau_x_ns": 40}
    for state in ("brightest", "all"):  # "all" is looked at before any state is told
        _, seen = record("simulate:steady", {}, {"rule": "g2", "state": state}, **options)
        assert "neighbouring peaks overlap" in seen["reason"]


def test_a_stream_in_doubt_gets_no_verdict(dot):
    info, chunks, _ = dot
    doubtful = replace(info, doubts={"pairs": "the sync is not the laser's"})
    pipeline = Pipeline(doubtful, Settings(stop={"rule": "g2"}, studies=()))
    for chunk in chunks:
        pipeline.feed(chunk)
    assert pipeline.stopped is None
    assert pipeline.stopping.found.words == "no verdict: the sync is not the laser's"


def test_cw_light_by_both_references():
    pipeline, seen = record("simulate:cw", {"cw_window_ns": 2.0}, {"rule": "g2", "state": "all"}, duration=60)
    assert seen["log_e_single"] >= seen["limit"]
    assert pipeline.stopping.record(None)["verdict"] == "single"
    _, seen = record("simulate:poisson", {}, {"rule": "g2"}, duration=60, rate=200_000, excitation="cw", mode="T2")
    assert seen["log_e_not_single"] >= seen["limit"]


def test_light_that_blinks_faster_than_a_segment_is_not_taken_for_many():
    """Within bins of 100 ms the cw expectation is too low by half; the far taus, which blink alike, know better."""
    options = {
        "levels": 2, "eta_x": "0,0.9", "eta_bx": "0,0", "tau_x_ns": "20,20", "tau_bx_ns": "5,5",
        "dwell": "exp:0.002,exp:0.001", "excitation": "cw", "mode": "T2", "pump_per_us": 20, "eta_c": 0.05,
        "duration": 20, "dark_cps": 0,
    }  # fmt: skip
    pipeline, seen = record("simulate:", {"bin_ms": 100, "cw_window_ns": 20}, {**NEVER, "state": "all"}, **options)
    assert seen["g2_0"] > 0.6  # by segments: wrong
    assert seen["log_e_not_single"] < 0
    assert pipeline.stopped is None


def test_a_verdict_on_what_is_not_the_brightest_state_any_more_is_held_back():
    """For its first 10 s the dot shows a state of many photons a pulse only; then a brighter, single one comes."""
    options = {
        "eta_x": "0.3,0.9", "eta_bx": "0.3,0", "tau_x_ns": "10,20", "tau_bx_ns": "5,5", "rate": 60_000,
        "rate_hz": "5e6", "duration": 40, "dwell": "exp:8,exp:8",
    }  # fmt: skip
    verdicts = set()
    for seed in range(4):
        pipeline, _ = record("simulate:", {}, {"rule": "g2", "error": 1e-6, "state": "bright"}, seed=seed, **options)
        verdicts.add(pipeline.stopping.record(None)["verdict"])
    assert verdicts <= {"single", None}
    assert "single" in verdicts


def test_light_that_grows_over_its_background_is_not_called_single_for_that():
    """The share of signal grows from a tenth to more than half; g2(0) = 0.517."""
    options = {
        "eta_x": "0.9", "eta_bx": "0.47", "nbar": 0.05, "rate_hz": "5e6", "dark_cps": 10_000, "rate": 30_000,
        "duration": 40, "drift_collection": "linear:0.1",
    }  # fmt: skip
    settings = {"background_cps": {0: 10_000, 1: 10_000}}
    for seed in range(4):
        _, seen = record("simulate:steady", settings, {"rule": "g2", "state": "all"}, seed=seed, **options)
        assert seen["log_e_single"] < seen["limit"]
