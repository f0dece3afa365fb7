"""The verdict on g2(0): single, not single, undecidable; given up where there is no hope, and not where there is."""

import pytest

from streamer.config import Settings
from streamer.pipeline import Pipeline
from streamer.registry import open_source
from tests.stop_rules.ways import tried

BUDGET = {"rule": "g2", "budget_s": 60}


@pytest.mark.parametrize(("address", "verdict"), [("simulate:single", "single"), ("simulate:poisson", "not single")])
def test_verdicts(address, verdict):
    pipeline, record = tried({"rule": "g2", "error": 0.001}, address, duration=30, rate=60_000)
    assert record["verdict"] == verdict
    assert record["words"].startswith(f"{verdict}: g2(0) of the brightest state ")
    assert "99.9 % at any moment" in record["words"]
    assert pipeline.stream_s < 10


@pytest.mark.parametrize("seed", range(3))
def test_dark_counts_alone_are_given_up_early(seed):
    _, record = tried(BUDGET, "simulate:poisson", duration=60, rate=200, rate_hz="5e6", seed=seed)
    assert record["verdict"] == "undecidable"
    assert 5 < record["used_s"] < 30


def test_a_budget_that_is_over_is_said():
    _, record = tried({**BUDGET, "budget_s": 2, "give_up": 0}, duration=9, rate=4000)
    assert record["verdict"] == "undecidable"
    assert record["used_s"] == pytest.approx(2.0)
    assert record["words"].startswith("undecided within 2 s")


def test_light_that_will_be_decided_is_not_given_up():
    verdicts = [tried(BUDGET, duration=60, rate=20_000, rate_hz="5e6", seed=seed)[1]["verdict"] for seed in range(12)]
    assert verdicts.count("single") >= 11


def test_one_near_the_border_is_given_up_before_its_budget():
    """Two alike emitters: g2(0) = 0.5 can not be decided."""
    options = {"eta_x": "0.9", "eta_bx": "0.5", "nbar": "0.05", "rate": 8000, "rate_hz": "5e6", "duration": 60}
    found = [tried(BUDGET, seed=seed, **options)[1] for seed in range(6)]
    assert all(one["verdict"] in ("undecidable", "single", "not single") for one in found)
    given_up = [one for one in found if one["verdict"] == "undecidable"]
    assert len(given_up) >= 3
    assert any(one["used_s"] < 55 for one in given_up)


def test_the_expected_time_is_of_the_right_size():
    """Told when half of the exposure has gone by that it took in the end, it is within a factor of a few."""
    _, record = tried({"rule": "g2", "error": 0.001}, "simulate:single", duration=90, rate=4000, rate_hz="5e6")
    used = record["used_s"]
    rules = {"any": [{"rule": "g2", "error": 0.001}, {"rule": "exposure", "seconds": used / 2}]}
    half, _ = tried(rules, "simulate:single", duration=90, rate=4000, rate_hz="5e6")
    left = half.stopping._watch.found[0].left_s
    assert used / 8 < left < 2 * used


def test_rules_that_come_late_foresee_by_the_pairs_since_then():
    """A budget of which half is over when the rule is set: nothing has come yet, and that is no sign."""
    source = open_source("simulate:single", {"duration": "30", "rate": "30000", "rate_hz": "5e6"})
    pipeline, late = Pipeline(source.info, Settings(studies=())), False
    for chunk in source.chunks():
        if pipeline.stream_s >= 20 and not late:
            pipeline.rule({"rule": "g2", "budget_s": 40})
            late = True
        pipeline.feed(chunk)
    assert pipeline.stopping.record(None)["verdict"] == "single"


def test_a_cw_dot_that_begins_in_the_dark_is_not_given_up_at_once():
    """Its pairs come with the square of the light: in the dark a verdict looks out of reach."""
    options = {
        "eta_x": "0.02,0.9", "eta_bx": "0,0", "tau_x_ns": "20,20", "tau_bx_ns": "5,5", "levels": 2, "pump_per_us": 20,
        "dwell": "exp:1,exp:3", "excitation": "cw", "mode": "T2", "eta_c": 0.01, "duration": 40, "dark_cps": 50,
    }  # fmt: skip
    rules = {"rule": "g2", "budget_s": 40}
    verdicts = [tried(rules, "simulate:", {"cw_window_ns": 4.0}, seed=seed, **options)[1] for seed in range(5)]
    assert all(one["used_s"] is None or one["verdict"] == "single" or one["used_s"] >= 4 for one in verdicts)
    assert sum(one["verdict"] == "single" for one in verdicts) >= 4
