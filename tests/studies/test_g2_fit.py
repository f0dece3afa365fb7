"""Study of g2: through the whole program, against the truth of simulated emitters."""

import numpy as np
import pytest

from streamer import studies
from streamer.batch import analyse
from streamer.config import Settings


def found(address, options, **settings):
    pipeline = analyse(address, Settings(studies=("g2_fit",), **settings), options)
    (result,) = pipeline.study()
    assert result.data["g2"].shape == (len(result.rows), len(result.axes[0].values))
    return result.values["rows"], studies.lines({"g2_fit": result.values}), pipeline.info.truth


def test_background_of_an_emitter_that_blinks():
    options = {
        "duration": "30", "seed": "4", "rate_hz": "5e6", "nbar": "0.3", "eta_c": "0.2", "eta_x": "0.02,0.6",
        "eta_bx": "0,0.09", "tau_x_ns": "5,20", "tau_bx_ns": "1,3", "dwell": "exp:0.3,exp:0.3", "dark_cps": "8000",
    }  # fmt: skip
    rows, lines, truth = found("simulate:powerlaw", options, background_cps={0: (8000, 100), 1: 8000})
    pure = truth["states"][1]["g2_0"]
    for name in ("all", "bright"):
        one = rows[name]["without_background"]
        assert one["low"] < pure < one["high"]
        assert one["high"] - one["low"] < 0.15
        assert rows[name]["bunching"] == "antibunched"
    assert any("less the background" in line for line in lines)


def test_background_of_cw_light_that_blinks():
    options = {
        "duration": "20", "seed": "1", "eta_c": "0.02", "dwell": "exp:0.3,exp:0.3", "dark_cps": "15000,15000",
        "eta_x": "0.001,0.9", "eta_bx": "0,0", "tau_x_ns": "20,20", "tau_bx_ns": "1,1", "pump_per_us": "10",
    }  # fmt: skip
    settings = {"background_cps": {0: 15000, 1: 15000}, "cw_window_ns": 20, "thresholds_cps": (80e3,)}
    rows, _, _ = found("simulate:cw", options, **settings)
    rate, half = 1 / 20 + 10e-3, 21 / 2
    pure = 1 - (1 - np.exp(-rate * half)) / (rate * half)
    for name in ("all", "bright"):
        one = rows[name]["without_background"]
        assert one["low"] < pure < one["high"]
        assert one["high"] - one["low"] < 0.15


def test_background_of_a_channel_that_is_not_named():
    rows, _, _ = found("simulate:steady", {"duration": "1"}, background_cps={0: 50})
    assert rows["all"]["without_background"]["reason"] == "background_cps does not name channel 1"


def test_a_cw_dip_and_its_lifetime():
    rows, lines, truth = found("simulate:cw", {"duration": "100", "seed": "3"}, jitter_ns=0.21, states=1)
    fit, state = rows["all"]["fit"], truth["states"][1]
    assert fit["model"] == "dip"
    assert fit["t1_ns"]["low"] < state["time_constants_ns"][0] < fit["t1_ns"]["high"]
    assert fit["g0"]["low"] - 0.02 < state["g2_0_with_background"] < fit["g0"]["high"] + 0.02
    assert fit["verdict"] == "single"
    assert "antibunching time" in lines[0]


@pytest.mark.parametrize(("modes", "word"), [("1", "bunched"), ("0.4", "superbunched")])
def test_bunched_light_is_named(modes, word):
    rows, _, _ = found("simulate:thermal", {"duration": "4", "modes": modes, "seed": "2"}, states=1)
    assert rows["all"]["bunching"] == word
    assert rows["all"]["without_background"] is None
