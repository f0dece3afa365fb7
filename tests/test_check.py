"""Check: what a recording holds, with what of it is in doubt."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from streamer.check import check_source
from streamer.chunk import Chunk, StreamEnd, StreamInfo
from streamer.show import print_check

INFO = StreamInfo("T3", 100e-9, 0.1e-9, sync_rate_hz=10e6, duration_s=1.0, warnings=("one",))


class Recorded:
    """A source of two chunks with a gap between; `late` photons of 200 have a nanotime beyond the period."""

    def __init__(self, info, end=None, late=0):
        self.info, self._end = info, end or StreamEnd("end of file", warnings=("two",))
        self._late = late

    def chunks(self):
        time, channel = np.arange(0, 4_000_000, 40_000), np.zeros(100, np.uint8)
        nanotime = np.full(200, 50, np.uint16)
        nanotime[: self._late] = 1000
        yield Chunk(0, 4_000_000, time, nanotime[:100], channel)
        yield Chunk(6_000_000, 10_000_000, time + 6_000_000, nanotime[100:], channel)

    def stop(self, reason):
        """Not needed here."""

    def end(self):
        return self._end


def test_a_recording_that_agrees_with_itself(capsys):
    found = check_source(Recorded(INFO))
    assert found["doubts"] == {}
    assert found["warnings"] == ["one", "two"]
    assert (found["duration_s"], found["gaps"], found["photons"]) == (pytest.approx(1.0), 1, 200)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    print_check(found)
    assert "doubt" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "whats"),
    [
        (Recorded(INFO, late=3), {"nanotimes", "pairs"}),
        (Recorded(replace(INFO, sync_rate_hz=8e6)), {"times", "nanotimes"}),
        (Recorded(replace(INFO, doubts={"pairs": "why"})), {"pairs"}),
        (Recorded(INFO, StreamEnd("end of file", doubts={"times": "why"})), {"times"}),
    ],
)
def test_doubts_are_found_and_printed(source, whats, capsys):
    found = check_source(source)
    assert set(found["doubts"]) == whats
    assert (found["duration_s"] is None) == ("times" in whats)
    assert found["photons"] == 200
    print_check(found)
    shown = capsys.readouterr().out
    assert all(
        f"doubt: {line}" in shown for line in [", ".join(w for w in ("times", "nanotimes", "pairs") if w in whats)]
    )
    assert "nothing to object to" not in shown


def test_a_warning_that_is_a_doubt_is_said_once():
    found = check_source(Recorded(replace(INFO, warnings=("late",), doubts={"times": "late"})))
    assert found["warnings"] == ["two"]


def test_a_recording_that_stopped_early_is_a_warning():
    found = check_source(Recorded(replace(INFO, duration_s=2.0, warnings=())))
    assert found["doubts"] == {}
    assert found["warnings"][0].startswith("duration: the data end at 1 s where the stream says 2 s")
