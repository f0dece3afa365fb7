"""Chunk and StreamInfo: the laser period where the macro clock is not the laser, doubts, and what is refused."""

from __future__ import annotations

import json

import pytest

from streamer.chunk import StreamEnd, StreamInfo


def test_the_period_is_the_tick_or_the_pulse():
    assert StreamInfo("T3", 400e-9, 1e-9).period == pytest.approx(400)
    own_clock = StreamInfo("T3", 100e-9, 0.1e-9, pulse_s=200e-9)
    assert (own_clock.laser_s, own_clock.period) == (200e-9, pytest.approx(2000))
    assert StreamInfo("T3", 1e-9, 4e-9, pulse_s=100e-9).period == pytest.approx(25)  # a unit longer than the tick
    assert StreamInfo("T2", 1e-12).period == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mode": "T3", "resolution_s": 2e-9, "tick_s": 1e-9}, "resolution_s: must be above 0 and at most the laser"),
        ({"mode": "T3", "resolution_s": 2e-9, "tick_s": 1e-6, "pulse_s": 1e-9}, "laser period 1e-09 s"),
        ({"mode": "T3", "resolution_s": 1e-9, "tick_s": 1e-6, "pulse_s": -1.0}, "pulse_s: must be a positive"),
        ({"mode": "T3", "resolution_s": 1e-9, "tick_s": 1e-6, "pulse_s": float("nan")}, "pulse_s: must be a positive"),
        ({"mode": "T2", "tick_s": 1e-12, "pulse_s": 1e-8}, "is for T3"),
        ({"mode": "T3", "resolution_s": 1e-9, "tick_s": 1e-6, "pulse_known": False}, "pulse_known: may be False only"),
        ({"mode": "T2", "tick_s": 1e-12, "doubts": {"colour": "why"}}, "doubts: must map times, nanotimes, pairs"),
        ({"mode": "T2", "tick_s": 1e-12, "doubts": {"times": ""}}, "line of text"),
        ({"mode": "T2", "tick_s": 1e-12, "doubts": {"times": 3}}, "line of text"),
    ],
)
def test_what_would_make_every_later_number_wrong_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        StreamInfo(**wrong)


def test_an_end_refuses_doubts_that_would_withhold_nothing():
    with pytest.raises(ValueError, match="doubts"):
        StreamEnd("end of file", doubts={"everything": "why"})


def test_plain_data_and_back():
    info = StreamInfo("T3", 1e-7, 1e-10, pulse_s=5e-8, pulse_known=False, doubts={"times": "why"})
    end = StreamEnd("end of file", doubts={"pairs": "why not"})
    assert StreamInfo.from_dict(json.loads(json.dumps(info.to_dict()))) == info
    assert StreamEnd.from_dict(json.loads(json.dumps(end.to_dict()))) == end


def test_what_an_older_release_wrote_has_no_doubts_and_ticks_that_are_pulses():
    old = StreamInfo("T3", 1e-7, 1e-10).to_dict()
    for key in ("doubts", "pulse_s", "pulse_known"):
        del old[key]
    info = StreamInfo.from_dict(old)
    assert (info.doubts, info.pulse_s, info.pulse_known) == ({}, None, True)
    assert StreamEnd.from_dict({"reason": "end of file"}).doubts == {}
