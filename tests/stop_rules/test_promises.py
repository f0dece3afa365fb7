"""Limits that may be watched: over a whole run of a blinking, drifting dot with background the truth is never outside.

g2(0) itself is tried in tests/estimators/test_ratio_evidence.py and docs/stopping-promise.md.
"""

import pytest

from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.registry import open_source

DOT = {
    "eta_x": "0.05,0.9", "eta_bx": "0.02,0.1", "tau_x_ns": "3,20", "tau_bx_ns": "1,2", "dwell": "exp:0.1,exp:0.15",
    "rate": "30000", "rate_hz": "5e6", "duration": "20", "dark_cps": "300", "drift_collection": "sine:0.2:7",
}  # fmt: skip
RULES = {"all": [
    {"rule": "lifetime", "percent": 2}, {"rule": "on_fraction", "half_width": 0.03},
    {"rule": "g2_width", "half_width": 0.01},
]}  # fmt: skip
ON = 0.6
DOTS, MOST_OUTSIDE = 120, 13  # 5 % and 2.9 standard deviations of chance


def outside(seed):
    """Which of the three truths was ever outside its limits, in a run of 20 s with a look every 50 to 200 ms."""
    source = open_source("simulate:", {**DOT, "seed": str(seed)})
    pipeline = Pipeline(source.info, Settings(stop=RULES, studies=()))
    pipeline.stopping.armed = False
    bright, out, told = source.info.truth["states"][1], [False] * 3, 0
    for chunk in source.chunks():
        pipeline.feed(chunk)
        if pipeline.stopping.found is None:
            continue
        lifetime, on, g2 = (pipeline.stopping.found.numbers[name] for name in ("lifetime", "on_fraction", "g2_width"))
        if "half_width_ns" in lifetime:
            out[0] |= abs(lifetime["lifetime_ns"] - bright["mean_arrival_ns"]) > lifetime["half_width_ns"]
        if "half_width" in on:
            out[1] |= abs(on["on_fraction"] - ON) > on["half_width"]
        if g2.get("high") is not None:
            out[2] |= not g2["low"] <= bright["g2_0_with_background"] <= g2["high"]
            told += 1
    assert told > 100
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_lifetime_on_fraction_and_g2_at_all_looks():
    times = [sum(column) for column in zip(*(outside(seed) for seed in range(DOTS)), strict=True)]
    assert all(one <= MOST_OUTSIDE for one in times), times


def rate_outside(seed):
    """Whether the bright state's true rate was ever outside its limits; the same dot without the drift."""
    options = {key: value for key, value in DOT.items() if key != "drift_collection"}
    source = open_source("simulate:", {**options, "seed": str(seed)})
    pipeline = Pipeline(source.info, Settings(stop={"rule": "rate", "percent": 1}, studies=()))
    pipeline.stopping.armed = False
    true, out = source.info.truth["states"][1]["rate_cps"], False
    for chunk in source.chunks():
        pipeline.feed(chunk)
        seen = {} if pipeline.stopping.found is None else pipeline.stopping.found.numbers
        if "rate_cps" in seen:
            out |= abs(seen["rate_cps"] / true - 1) > seen["half_width_percent"] / 100
    return out


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_rate_at_all_looks():
    assert sum(rate_outside(seed) for seed in range(60)) <= 8
