"""Rules about what goes wrong: bleached, never bright, drifted, pile-up; and that they keep still otherwise."""

import pytest

from tests.stop_rules.ways import tried

BLINKING = {"eta_x": "0,0.9", "eta_bx": "0,0", "tau_x_ns": "3,20", "tau_bx_ns": "1,1", "dwell": "exp:0.3,exp:0.3"}


def test_a_bleached_emitter_is_left_after_the_time_asked_for():
    pipeline, record = tried(
        {"rule": "bleached", "seconds": 3}, "simulate:", duration=60, rate=20_000, bleach="at:10", **BLINKING
    )
    assert record["verdict"] == "bleached"
    assert 12.5 <= pipeline.stream_s < 16
    assert record["evidence"]["expected_exponential"] < 1e-3
    assert "bleached, or dark for" in record["words"]


def test_one_that_never_blinked_and_bleached():
    pipeline, record = tried({"rule": "bleached", "seconds": 3}, duration=60, rate=20_000, bleach="at:5")
    assert record["verdict"] == "bleached"
    assert 8 <= pipeline.stream_s < 9
    assert "never dark before" in record["words"]


@pytest.mark.parametrize("seed", range(3))
def test_blinking_is_not_bleaching(seed):
    _, record = tried({"rule": "bleached", "seconds": 3}, "simulate:", duration=60, rate=20_000, seed=seed, **BLINKING)
    assert not record["stopped"]


def test_grey_and_bright_are_not_dark():
    options = {**BLINKING, "eta_x": "0.5,0.9"}
    _, record = tried(
        {"rule": "bleached", "seconds": 0.1, "times": 1}, "simulate:", duration=20, rate=40_000, **options
    )
    assert not record["stopped"]
    assert "dark beside" in record["words"]


def test_never_bright():
    rule = {"rule": "never_bright", "cps": 3000, "seconds": 2}
    pipeline, record = tried(rule, "simulate:poisson", duration=9, rate=400)
    assert record["verdict"] == "never bright"
    assert pipeline.stream_s == pytest.approx(2.0)
    for options in ({"rate": 20_000}, {"rate": 20_000, "bleach": "at:0.5"}):
        _, record = tried(rule, duration=9, **options)
        assert not record["stopped"]


def test_never_bright_by_the_background():
    rule = {"rule": "never_bright", "seconds": 2}
    background = {"background_cps": {0: 200, 1: 200}}
    assert tried(rule, "simulate:poisson", background, duration=9, rate=400)[1]["stopped"]
    assert not tried(rule, "simulate:poisson", background, duration=9, rate=8000)[1]["stopped"]


@pytest.mark.parametrize(("address", "options"), [("simulate:steady", {}), ("simulate:", BLINKING)])
def test_a_drift_is_seen_through_blinking(address, options):
    rule = {"rule": "drifted", "fall": 0.3, "window_s": 2}
    pipeline, record = tried(rule, address, duration=60, rate=20_000, drift_collection="linear:-0.02", **options)
    assert record["verdict"] == "drifted"
    assert 13 < pipeline.stream_s < 24  # 30 % are lost at 15 s
    _, record = tried(rule, address, duration=60, rate=20_000, **options)
    assert not record["stopped"]


def test_bleaching_is_not_drift():
    _, record = tried(
        {"rule": "drifted", "window_s": 2}, "simulate:", duration=40, rate=20_000, bleach="at:20", **BLINKING
    )
    assert not record["stopped"]


def test_pile_up_names_the_channel():
    rule = {"rule": "count_rate", "per_pulse": 0.01}
    pipeline, record = tried(rule, duration=5, rate_hz="1e6", rate=30_000, split=0.2)
    assert record["stopped"]
    assert record["evidence"]["channel"] == 1
    assert record["evidence"]["rate_cps"] == pytest.approx(24_000, rel=0.1)
    assert not tried(rule, duration=5, rate_hz="1e6", rate=10_000, split=0.2)[1]["stopped"]
    assert pipeline.stream_s < 0.2


def test_segments_of_any_length_are_seen_as_bright_and_counted():
    changes = {"segments": "changes"}
    _, record = tried({"rule": "never_bright", "cps": 5000, "seconds": 2}, settings=changes, duration=5, rate=30_000)
    assert not record["stopped"]
    rule = {"rule": "count_rate", "cps": 5000, "window_s": 0.5}
    assert tried(rule, settings=changes, duration=5, rate=30_000)[1]["stopped"]


def test_a_burst_is_seen_late_in_a_run_too():
    """After 200 s looks are 2 s apart, but this rule asks for one in each of its windows."""
    rule = {"rule": "count_rate", "cps": 1e9, "window_s": 0.2}
    pipeline, _ = tried(rule, duration=60, rate=500)
    assert pipeline.stopping.looks > 0.9 * 60 / 0.2
