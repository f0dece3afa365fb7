"""Rules on real recordings: what is known to be single is called so early, and nothing else ever is."""

from pathlib import Path

import pytest

from streamer.batch import analyse
from streamer.config import Settings
from streamer.errors import InputError

SHARED = Path(__file__).parents[2] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the real recordings (../shared/data) are not here")


def record(name, rules):
    pipeline = analyse(str(SHARED / name), Settings(stop=rules, studies=()))
    return pipeline.stopping.record(pipeline.info.duration_s)


@pytest.mark.parametrize("state", ["all", "brightest"])
@pytest.mark.parametrize(
    ("name", "most_s", "of_s"), [("ptu/hh2_t3_hbt_80MHz.ptu", 0.6, 5.0), ("ptu/hh2_t2_hbt_320MHz.ptu", 0.6, 1.0)]
)
@pytest.mark.parametrize("error", [0.05, 0.001])
def test_single_emitters_and_the_time_saved(name, most_s, of_s, state, error):
    seen = record(name, {"rule": "g2", "state": state, "error": error})
    assert seen["verdict"] == "single"
    assert seen["used_s"] < most_s
    assert seen["saved_s"] == pytest.approx(of_s - seen["used_s"], abs=0.01)


@pytest.mark.parametrize("state", ["all", "brightest"])
@pytest.mark.parametrize("error", [0.4, 0.05, 0.001])
def test_laser_light_is_never_single(state, error):
    seen = record("ptu/ph300_t2_2ch_80MHz.ptu", {"rule": "g2", "state": state, "error": error})
    assert seen["verdict"] == "not single"


def test_a_blinking_emitter_with_few_pairs_is_single_or_undecided_with_the_evidence():
    for state in ("all", "brightest"):
        seen = record("ptu/hh1_t3_hbt_2p5MHz_blinking.ptu", {"rule": "g2", "state": state})
        assert seen["verdict"] in (None, "single")
        assert seen["evidence"]["central"] <= 11
        assert seen["evidence"]["low"] < 0.29
        assert "pairs where" in seen["words"]


def test_too_few_pairs_are_undecided_and_given_up_within_a_budget():
    for run in ("ht/hh_v2_t2_qd_run0.ht2", "ht/hh_v2_t2_qd_run1.ht2"):
        seen = record(run, {"rule": "g2", "budget_s": 10})
        assert seen["verdict"] == "undecidable"
        assert seen["used_s"] < 5  # that there will be too few is clear early
        assert seen["evidence"]["central"] == 0


@pytest.mark.parametrize("name", ["ptu/th260n_t2_1ch_bursts.ptu"])
def test_one_detector_is_refused_with_the_reason(name):
    with pytest.raises(InputError, match="rule g2: needs two detectors, only channel 0 has photons"):
        record(name, {"rule": "g2"})
