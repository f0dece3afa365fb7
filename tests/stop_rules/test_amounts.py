"""Rules that wait for an amount: photons, pairs, time, dose; at the right moment, and what cannot be asked."""

import pytest

from streamer.errors import InputError
from tests.stop_rules.ways import tried

BLINKING = {"eta_x": "0.05,0.9", "eta_bx": "0,0", "tau_x_ns": "3,20", "tau_bx_ns": "1,1", "dwell": "exp:0.3,exp:0.3"}


def test_photons_of_all():
    pipeline, record = tried({"rule": "photons", "photons": 30_000}, duration=5, rate=40_000)
    assert 30_000 <= record["evidence"]["photons"] < 33_000
    assert pipeline.stream_s == pytest.approx(0.75, abs=0.06)


def test_photons_and_time_of_a_state_leave_out_the_others():
    for rule in ({"rule": "photons", "photons": 20_000, "state": "brightest"}, {"rule": "state_time", "seconds": 2.0}):
        pipeline, record = tried(rule, "simulate:", duration=20, rate=20_000, **BLINKING)
        answers = pipeline.answers()
        assert record["stopped"]
        assert answers.rows == ("all", "dark", "bright")
        have = answers.photons[-1].sum() if rule["rule"] == "photons" else answers.time_s[-1]
        want = rule.get("photons") or rule["seconds"]
        assert want <= have * 1.02 < 1.2 * want
        assert answers.time_s[1] > 0.3


def test_a_state_that_is_not_there_is_waited_for():
    _, record = tried({"rule": "state_time", "seconds": 1.0, "state": "grey"}, duration=3, rate=40_000)
    assert not record["stopped"]
    assert "no grey state" in record["words"]


def test_dose():
    pipeline, record = tried({"rule": "dose", "power_uw": 0.5, "dose_uj": 1.0}, duration=5, rate=1000)
    assert pipeline.stream_s == pytest.approx(2.0)
    assert record["words"] == "1 of 1 uJ on the sample"


def test_pairs_are_the_mean_side_peak():
    pipeline, record = tried({"rule": "pairs", "pairs": 50, "state": "all"}, duration=30, rate=100_000)
    lags = pipeline.tables["coincidences"]["lags0"].sum(axis=(0, 2))
    centre = len(lags) // 2
    side = (lags.sum() - lags[centre]) / (len(lags) - 1)
    assert record["evidence"]["accidental"] == pytest.approx(side)
    assert 50 <= side < 65
    assert record["evidence"]["central"] == lags[centre]


def test_pairs_of_cw_light_are_those_expected_in_the_window():
    pipeline, record = tried(
        {"rule": "pairs", "pairs": 40, "state": "all"}, "simulate:cw", {"cw_window_ns": 2.0}, duration=30
    )
    zero = pipeline.answers().correlations[0].zero[0]
    assert record["evidence"]["accidental"] == pytest.approx(zero.expected, rel=1e-6)
    assert record["evidence"]["central"] == zero.pairs


@pytest.mark.parametrize(
    ("rule", "options", "word"),
    [
        ({"rule": "pairs", "pairs": 5}, {"detectors": 1}, "two detectors"),
        ({"rule": "g2", "gate_ns": 5}, {"mode": "T2"}, "no nanotime to gate on"),
        ({"rule": "g2", "gate_ns": 500}, {}, "below the laser period"),
        ({"rule": "g2", "pair": [0, 7]}, {}, "pair: must be one of"),
        ({"rule": "lifetime", "ns": 1}, {"mode": "T2"}, "no nanotime"),
        ({"rule": "never_bright"}, {}, "what is bright is not known"),
        ({"rule": "count_rate"}, {"excitation": "cw", "mode": "T2"}, "cw light has no pulses"),
    ],
)
def test_what_cannot_be_asked_of_a_stream_is_refused(rule, options, word):
    with pytest.raises(InputError, match=word):
        tried(rule, duration=1, **options)


def test_the_tracks_reach_1_where_a_rule_is_met():
    for rule in (
        {"rule": "photons", "photons": 30_000}, {"rule": "dose", "power_uw": 0.5, "dose_uj": 0.5},
        {"rule": "pairs", "pairs": 5}, {"rule": "rate", "percent": 2}, {"rule": "lifetime", "percent": 5},
    ):  # fmt: skip
        pipeline, record = tried(rule, duration=20, rate=60_000)
        assert record["stopped"], rule
        share = pipeline.stopping.result(20.0).data["share"]
        assert share[0, -1] >= 1 - 1e-9
        assert not (share[0, :-1] >= 1).any()
