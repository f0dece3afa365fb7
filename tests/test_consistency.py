"""Consistency: each contradiction is named and spoils what hangs on it; what agrees within its tolerance is let be."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from streamer.chunk import StreamEnd, StreamInfo
from streamer.consistency import (
    PILE_UP_DOUBTED,
    Seen,
    beyond,
    compare,
    first_beyond,
    lines,
    pile_up,
    piled_up,
    reach,
    setting_remarks,
    unsaid,
)

T3 = StreamInfo("T3", 100e-9, 0.1e-9, sync_rate_hz=10e6, duration_s=60.0)
T2 = StreamInfo("T2", 1e-12, duration_s=60.0)
SEEN = Seen(photons=100_000, beyond=0, live_s=60.0, span_s=60.0)
ENDED = StreamEnd("end of file")


@pytest.mark.parametrize("info", [T3, T2, replace(T3, sync_rate_hz=None, duration_s=None)])
def test_a_stream_that_agrees_with_itself_is_not_doubted(info):
    assert compare(info, SEEN, ENDED) == ({}, ())


def test_what_the_source_doubts_is_doubted_with_every_reason():
    info, end = replace(T3, doubts={"times": "template"}), replace(ENDED, doubts={"times": "late", "pairs": "mixed"})
    assert compare(info, SEEN, end).doubts == {"times": "template; late", "pairs": "mixed"}
    assert compare(info, SEEN, replace(end, doubts={"times": "template"})).doubts == {"times": "template"}


@pytest.mark.parametrize("rate", [9.8e6, 10.2e6, 5e6])
def test_laser_rate_against_laser_period(rate):
    doubts = compare(replace(T3, sync_rate_hz=rate), SEEN).doubts
    assert set(doubts) == {"times", "nanotimes"}
    assert f"{rate:.6g} Hz" in doubts["times"]
    assert "100 ns" in doubts["times"]


def test_a_macro_clock_of_its_own_is_not_doubted_for_the_laser():
    info = replace(T3, tick_s=13e-9, pulse_s=100e-9, sync_rate_hz=9e6)
    assert set(compare(info, SEEN).doubts) == {"nanotimes"}
    assert compare(replace(info, sync_rate_hz=10e6), SEEN).doubts == {}
    assert compare(replace(info, pulse_known=False), SEEN).doubts == {}


@pytest.mark.parametrize("rate", [9.92e6, 10.08e6])
def test_a_laser_rate_that_is_rounded_or_drifts_is_let_be(rate):
    assert compare(replace(T3, sync_rate_hz=rate), SEEN).doubts == {}


def test_t2_has_a_sync_rate_of_its_own():
    assert compare(replace(T2, sync_rate_hz=70e3), SEEN).doubts == {}


@pytest.mark.parametrize(
    ("late", "whats", "said"),
    [(100, set(), False), (101, set(), True), (1000, set(), True), (1001, {"nanotimes", "pairs"}, False)],
)
def test_nanotimes_beyond_the_laser_period(late, whats, said):
    doubts, remarks = compare(T3, replace(SEEN, beyond=late))
    assert set(doubts) == whats
    assert (len(remarks) == 1) == said
    for line in [*doubts.values(), *remarks]:
        assert f"{late} of 100000 photons" in line


def test_few_photons_tell_no_share():
    assert compare(T3, replace(SEEN, photons=99, beyond=50)) == ({}, ())


@pytest.mark.parametrize(("live_s", "doubted"), [(61.5, False), (61.7, True), (120.0, True)])
def test_more_data_than_the_duration_says(live_s, doubted):
    seen = replace(SEEN, live_s=live_s, span_s=live_s)
    doubts = compare(T3, seen, ENDED).doubts
    assert ("times" in doubts) == doubted
    assert set(doubts) <= {"times"}
    doubts, remarks = compare(T2, seen, ENDED)  # whose tick is the card's own
    assert doubts == {}
    assert any("another run" in line for line in remarks) == doubted


def test_gaps_are_not_data_and_a_live_stream_may_go_on():
    assert compare(T2, replace(SEEN, span_s=600.0), ENDED) == ({}, ())
    assert compare(replace(T2, live=True), replace(SEEN, live_s=90.0)) == ({}, ())


def test_less_data_than_the_duration_says_is_a_question_at_the_end_only():
    short = replace(SEEN, live_s=59.0, span_s=59.0)
    doubts, (remark,) = compare(T2, short, ENDED)
    assert doubts == {}
    assert "stopped early?" in remark
    assert compare(T2, short) == ({}, ())
    assert compare(T2, short, StreamEnd("window closed")) == ({}, ())
    assert compare(T2, replace(SEEN, live_s=59.5, span_s=59.5), ENDED) == ({}, ())


def test_doubtful_times_reach_the_pairs_where_a_delay_is_a_time():
    times = {"times": "why"}
    assert reach(times, "T3", delays_by_hand=False) == times
    assert reach(times, "T2", delays_by_hand=False) == {"times": "why", "pairs": "why"}
    assert reach(times, "T3", delays_by_hand=True) == {"times": "why", "pairs": "why"}
    assert reach({"times": "why", "pairs": "own"}, "T2", delays_by_hand=True)["pairs"] == "own"
    assert reach({"nanotimes": "why"}, "T2", delays_by_hand=True) == {"nanotimes": "why"}


def test_one_line_per_reason_says_what_is_withheld():
    told = lines({"nanotimes": "sync", "pairs": "sync", "times": "clock"})
    assert told == [
        "nanotimes, pairs: sync; lifetimes, FLID and gates and g2 are withheld",
        "times: clock; rates, durations and delays are withheld",
    ]


def test_a_warning_that_a_doubt_says_too_is_said_once():
    assert unsaid(replace(T2, warnings=("late", "cut"), doubts={"times": "late"})) == ["cut"]


def test_the_first_nanotime_beyond():
    assert first_beyond(T3) == 1000
    assert first_beyond(StreamInfo("T3", 100.05e-9, 0.1e-9)) == 1001
    assert first_beyond(StreamInfo("T3", 1e-3, 1e-12)) is None
    assert first_beyond(replace(T3, pulse_s=50e-9, pulse_known=False)) is None
    assert first_beyond(T2) is None
    nanotime = np.array([0, 999, 1000, 65535], np.uint16)
    assert (beyond(nanotime, 1000), beyond(nanotime, None), beyond(nanotime[:0], 1000)) == (2, 0, 0)


@pytest.mark.parametrize("per_pulse", [0.02, 0.05, 0.1, 0.2])
def test_pile_up_shortens_a_lifetime_as_said(per_pulse):
    """Against the mean first-photon time of a Poisson number of photons per pulse, drawn."""
    rng = np.random.default_rng(3)
    n = rng.poisson(-math.log1p(-per_pulse), 4_000_000)
    n = n[n > 0]
    first = rng.exponential(1.0 / n)  # the least of n exponentials of mean 1
    assert 1 - first.mean() == pytest.approx(piled_up(per_pulse), abs=4 / math.sqrt(len(n)) + 0.002)


def test_pile_up_is_said_and_then_withheld():
    assert pile_up({0: 0.04, 1: 0.05}) == (None, None)
    reason, note = pile_up({0: 0.01, 7: 0.08})
    assert reason is None
    assert "channel 7" in note
    assert "8 %" in note
    reason, note = pile_up({0: PILE_UP_DOUBTED + 0.01, 1: 0.08})
    assert note is None
    assert "channel 0" in reason
    assert pile_up({}) == (None, None)
    assert pile_up({0: 1.5})[0] is not None


def remarks(**changes):
    usual = {
        "mode": "T3", "period_ns": 100.0, "gate_ns": 0.0, "bin_s": 0.01, "segments": 1000, "photons": 50_000,
        "ended": True,
    }  # fmt: skip
    return setting_remarks(**(usual | changes))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"gate_ns": 100.0}, "gate_ns"),
        ({"gate_ns": 5.0, "mode": "T2"}, "gate_ns"),
        ({"segments": 9}, "bin_ms"),
        ({"photons": 900}, "bin_ms"),
        ({"photons": 900, "ended": False}, "bin_ms"),
    ],
)
def test_settings_that_the_stream_makes_void_are_named(changes, key):
    (line,) = remarks(**changes)
    assert line.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"gate_ns": 99.0}, {"segments": 9, "ended": False}, {"photons": 1000}, {"photons": 0},
        {"segments": 0, "photons": 0}, {"mode": "T2", "period_ns": 0.0},
    ],
)  # fmt: skip
def test_settings_that_fit_are_not(changes):
    assert remarks(**changes) == []
