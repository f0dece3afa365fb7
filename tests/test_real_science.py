"""Real recordings: what the program says of emitters that are known from elsewhere, and what it will not say."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from streamer.batch import analyse
from streamer.config import Settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")
DOT_RUNS = ("ht/hh_v2_t2_qd_run0.ht2", "ht/hh_v2_t2_qd_run1.ht2")


@cache
def measured(name, bin_ms=10.0):
    """(answers, summary) of a recording."""
    pipeline = analyse(str(SHARED / name), Settings(studies=(), bin_ms=bin_ms))
    answers = pipeline.answers()
    return answers, pipeline.summary(answers)


def window_ns(name):
    """Full width in ns of all delays whose pairs are counted, at the default settings."""
    tau = analyse(str(SHARED / name), Settings(studies=())).plan.layout.tau_ns()
    return float(len(tau) * (tau[1] - tau[0]))


def test_an_emitter_of_two_levels():
    answers, summary = measured("pt3/emitter_trace01.pt3")
    dark, bright = summary["states"]
    assert [dark["name"], bright["name"]] == ["dark", "bright"]
    assert dark["rate_cps"] == pytest.approx(230, rel=0.1)
    assert bright["rate_cps"] == pytest.approx(4400, rel=0.1)
    assert bright["lifetime_ns"] == pytest.approx(3.8, abs=0.4)
    assert dark["lifetime_ns"] < bright["lifetime_ns"] / 2
    assert answers.mixture.fits


def test_an_emitter_of_several_levels_with_lifetimes_of_their_own():
    _, summary = measured("pt3/emitter_trace04.pt3")
    states = summary["states"]
    assert [state["name"] for state in states] == ["dark", "grey", "bright"]
    assert [state["rate_cps"] for state in states] == pytest.approx([335, 2190, 4730], rel=0.1)
    lifetimes = [state["lifetime_ns"] for state in states]
    assert lifetimes == sorted(lifetimes)
    assert lifetimes[2] == pytest.approx(3.3, abs=0.4)
    assert lifetimes[1] < 2


def test_an_emitter_that_switches_often_is_told_apart_and_the_misfit_is_said():
    answers, summary = measured("pt3/emitter_trace10.pt3")
    assert summary["states"][0]["rate_cps"] < 300
    assert summary["states"][-1]["rate_cps"] == pytest.approx(4650, rel=0.1)
    assert not answers.mixture.fits
    assert any("do not explain the trace" in line for line in summary["warnings"])


@pytest.mark.parametrize("bin_ms", [10.0, 50.0])
def test_background_alone_is_steady(bin_ms):
    _, summary = measured("pt3/emitter_trace07.pt3", bin_ms)
    assert [state["name"] for state in summary["states"]] == ["steady"]
    assert summary["states"][0]["rate_cps"] == pytest.approx(7694 / 60, rel=0.01)


@pytest.mark.parametrize("name", ["01", "04", "07", "10"])
def test_no_verdict_from_a_second_channel_that_only_has_background(name):
    _, summary = measured(f"pt3/emitter_trace{name}.pt3")
    assert summary["g2"]["verdict"] is None
    assert any("too few pairs" in line for line in summary["warnings"])


def test_a_blinking_emitter_with_few_pairs_is_not_called_single():
    _, summary = measured("ptu/hh1_t3_hbt_2p5MHz_blinking.ptu")
    g2 = summary["g2"]
    assert g2["central"] == 11
    assert g2["low"] < g2["g2_0"] < g2["high"]
    assert g2["g2_0"] == pytest.approx(0.29, abs=0.02)
    # Eleven pairs: the interval must be about as wide as 1/sqrt(11) to either side.
    assert g2["high"] - g2["low"] == pytest.approx(2 * 1.96 / np.sqrt(11) * g2["g2_0"], rel=0.15)
    assert g2["verdict"] == "undecided"
    dark, bright = summary["states"][0], summary["states"][-1]
    assert (dark["name"], bright["name"]) == ("dark", "bright")
    assert bright["lifetime_ns"] == pytest.approx(33, abs=2)
    assert dark["lifetime_ns"] < bright["lifetime_ns"] / 2
    assert dark["g2_0"] is None
    assert dark["verdict"] is None


@pytest.mark.parametrize("name", DOT_RUNS)
def test_a_dot_with_too_few_pairs_cannot_be_decided(name):
    _, summary = measured(name)
    assert summary["g2"]["kind"] == "cw"
    assert summary["g2"]["g2_0"] is None
    assert summary["g2"]["verdict"] is None
    assert any("too few pairs" in line for line in summary["warnings"])


def test_the_pairs_of_several_recordings_of_a_dot_add_and_still_do_not_decide():
    both = [measured(name)[0].correlations[0] for name in DOT_RUNS]
    pairs = sum(one.zero[0].pairs for one in both)
    expected = sum(one.zero[0].expected for one in both)
    assert expected < 1
    assert pairs <= 5
    # Expected 0.66 pairs per bin of 2 ns in a run, by an independent account of the file from its mean rates. A moving
    # interferometer sends the light to one detector or the other, so that segment by segment there are 15 % fewer.
    for one in both:
        assert one.zero[0].expected / one.zero[0].window_ns * 2 == pytest.approx(0.55, rel=0.06)
        assert one.tau_expected[0].sum() / window_ns(DOT_RUNS[0]) * 2 == pytest.approx(0.66, rel=0.1)
    # Over all delays the pairs of both are what accident makes of the rates.
    counts = sum(one.tau_counts[0] for one in both)
    accident = expected / both[0].zero[0].window_ns * window_ns(DOT_RUNS[0])
    assert counts.sum() == pytest.approx(accident, abs=3 * np.sqrt(accident))
    plain = sum(one.tau_expected[0].sum() for one in both)
    assert counts.sum() < plain - 4 * np.sqrt(plain)


def test_the_page_names_every_recording_here():
    spec = importlib.util.spec_from_file_location("make_real_recordings", ROOT / "docs/make_real_recordings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs/real-recordings.md").read_text(encoding="utf-8")
    for name, *_ in module.RECORDINGS:
        assert Path(name).name in page
